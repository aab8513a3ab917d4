# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Flax nnx modules as functions of a tree of parameters."""

from collections.abc import Callable
import itertools
import math
from typing import Any

import chex
import jax
import jax.numpy as jnp


def functional(
  make: Callable[[Any], Any],
) -> tuple[Callable[[chex.PRNGKey], chex.ArrayTree], Callable[..., jax.Array]]:
  """Splits a module that has parameters and no other state.

  Args:
    make: From `nnx.Rngs` to the module.

  Returns:
    From a PRNG key to a dictionary of parameters; and from that and inputs to
    what the module makes of them.
  """
  from flax import nnx

  structure, _ = nnx.split(nnx.eval_shape(lambda: make(nnx.Rngs(0))))

  def init(key):
    return nnx.to_pure_dict(nnx.state(make(nnx.Rngs(key)), nnx.Param))

  def apply(params, *inputs):
    return nnx.merge(structure, params)(*inputs)

  return init, apply


def patches(inputs: jax.Array, size: int, stride: int = 1) -> jax.Array:
  """Surroundings of each place, for convolutions as matrix products.

  On the CPU, XLA runs a convolution that is mapped over its kernel one kernel
  at a time and slowly; a product with patches becomes one batched product.

  Args:
    inputs: `(batch, *space, channels)`.
    size: Extent of the kernel along every axis of space, odd.
    stride: Distance between places.

  Returns:
    `(batch, *space, size**len(space) * channels)`, padded with zeros so that
    with stride one the space keeps its shape. The last axis is that of a kernel
    `(*size, channels, features)` whose first axes are flattened.
  """
  space = inputs.shape[1:-1]
  half = size // 2
  around = [(half, half)] * len(space)
  padded = jnp.pad(inputs, [(0, 0), *around, (0, 0)])
  # Slices and not one gather, whose gradient would be a slow scatter.
  shifted = [
    padded[
      :,
      *(
        slice(start, start + extent, stride)
        for start, extent in zip(shift, space, strict=True)
      ),
    ]
    for shift in itertools.product(range(size), repeat=len(space))
  ]
  return jnp.concatenate(shifted, axis=-1)


def flat(inputs: jax.Array) -> jax.Array:
  """All axes after the first as one."""
  return inputs.reshape(len(inputs), math.prod(inputs.shape[1:]))
