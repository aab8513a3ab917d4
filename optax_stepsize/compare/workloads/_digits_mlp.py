# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""An MLP on handwritten digits."""

import jax
import jax.numpy as jnp

from optax_stepsize.compare import _extras
from optax_stepsize.compare.workloads import _base
from optax_stepsize.compare.workloads import _digits


def digits_mlp(batch_size: int = 64) -> _base.Workload:
  """A Flax linen MLP on scikit-learn's handwritten digits.

  Two hidden layers of 128, 1437 images of 8x8 to train with and 360 to test
  with, always the same ones, scaled to [0, 1]. Every epoch shuffles anew.

  Args:
    batch_size: Images per step, from 1 to 1437. What is left of an epoch after
      the last full batch is dropped.

  Returns:
    The workload.

  Raises:
    MissingExtraError: If Flax or scikit-learn is not installed.
    ValueError: If `batch_size` is out of its range.
  """
  _extras.require("flax", "sklearn")
  from flax import linen as nn

  class MLP(nn.Module):
    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
      hidden = nn.relu(nn.Dense(128)(images))
      hidden = nn.relu(nn.Dense(128)(hidden))
      return nn.Dense(10)(hidden)

  model = MLP()

  def logits_fn(params, images) -> jax.Array:
    return jnp.asarray(model.apply(params, images))

  return _base.classification(
    "digits_mlp",
    lambda key: model.init(key, jnp.zeros((1, 64))),
    logits_fn,
    _digits.load_digits(),
    batch_size,
    steps=400,
    target=0.134,
    description="Flax linen MLP, 26,122 parameters, on handwritten digits",
  )
