# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""A convolutional network on handwritten digits."""

import jax

from optax_stepsize.compare import _extras
from optax_stepsize.compare.workloads import _base
from optax_stepsize.compare.workloads import _digits
from optax_stepsize.compare.workloads import _nnx


def digits_cnn(batch_size: int = 64) -> _base.Workload:
  """A Flax nnx convolutional network on scikit-learn's handwritten digits.

  Three 3x3 convolutions with 16, 32 and 64 channels, the second and third with
  stride 2, on the images of `digits_mlp`.

  Args:
    batch_size: Images per step, from 1 to 1437.

  Returns:
    The workload.

  Raises:
    MissingExtraError: If Flax or scikit-learn is not installed.
    ValueError: If `batch_size` is out of its range.
  """
  _extras.require("flax", "sklearn")
  from flax import nnx

  class CNN(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
      self.first = nnx.Linear(9, 16, rngs=rngs)
      self.second = nnx.Linear(9 * 16, 32, rngs=rngs)
      self.third = nnx.Linear(9 * 32, 64, rngs=rngs)
      self.last = nnx.Linear(64 * 2 * 2, 10, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
      hidden = images.reshape(len(images), 8, 8, 1)
      hidden = nnx.relu(self.first(_nnx.patches(hidden, 3)))
      hidden = nnx.relu(self.second(_nnx.patches(hidden, 3, stride=2)))
      hidden = nnx.relu(self.third(_nnx.patches(hidden, 3, stride=2)))
      return self.last(_nnx.flat(hidden))

  return _base.classification(
    "digits_cnn",
    *_nnx.functional(CNN),
    _digits.load_digits(),
    batch_size,
    steps=300,
    target=0.144,
    description="Flax nnx CNN, 25,866 parameters, on handwritten digits",
  )
