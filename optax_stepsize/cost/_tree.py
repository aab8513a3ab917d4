# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The parameters that updates are counted on, as shapes without values."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec


def gpt_params(
  *,
  width: int = 512,
  layers: int = 6,
  vocabulary: int = 10240,
  positions: int = 512,
  dtype: Any = jnp.float32,
) -> chex.ArrayTree:
  """Shapes of the parameters of a GPT-like Transformer.

  Args:
    width: Width of the residual stream.
    layers: Number of blocks, of twelve leaves each.
    vocabulary: Rows of the embedding, which is also the output layer.
    positions: Rows of the position embedding.
    dtype: Of all leaves.

  Returns:
    A tree of `jax.ShapeDtypeStruct`; by default, 76 leaves with 24,420,352
    numbers.
  """

  def leaf(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)

  def dense(inputs: int, outputs: int) -> dict[str, jax.ShapeDtypeStruct]:
    return {"bias": leaf(outputs), "kernel": leaf(inputs, outputs)}

  def norm() -> dict[str, jax.ShapeDtypeStruct]:
    return {"bias": leaf(width), "scale": leaf(width)}

  blocks = {
    f"block_{i}": {
      "attention_norm": norm(),
      "down": dense(4 * width, width),
      "mlp_norm": norm(),
      "out": dense(width, width),
      "qkv": dense(width, 3 * width),
      "up": dense(width, 4 * width),
    }
    for i in range(layers)
  }
  return {
    **blocks,
    "embedding": leaf(vocabulary, width),
    "final_norm": norm(),
    "positions": leaf(positions, width),
  }


def stacked(params: chex.ArrayTree) -> chex.ArrayTree:
  """Shapes of two of `params`, along a first axis of each leaf."""
  return jax.tree.map(
    lambda p: jax.ShapeDtypeStruct((2, *p.shape), p.dtype), params
  )


def fully_sharded(params: chex.ArrayTree, mesh: Mesh) -> chex.ArrayTree:
  """Shardings as in fully sharded data parallelism.

  A matrix is split along its longest axis, and so some along their last: there,
  sums that reshape make the compiler gather whole parameters. Other leaves, and
  those that do not divide evenly, are replicated.

  Args:
    params: Tree of shapes.
    mesh: A mesh with one axis.

  Returns:
    A tree like `params` of shardings.
  """
  (axis,) = mesh.axis_names

  def place(leaf: Any) -> NamedSharding:
    spec: list[str | None] = [None] * len(leaf.shape)
    if len(leaf.shape) > 1:
      longest = leaf.shape.index(max(leaf.shape))
      if leaf.shape[longest] % mesh.size == 0:
        spec[longest] = axis
    return NamedSharding(mesh, PartitionSpec(*spec))

  return jax.tree.map(place, params)
