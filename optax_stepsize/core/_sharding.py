# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Shardings of an optimizer state."""

import chex
import jax
from jax.sharding import AxisType
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec
import optax


def state_sharding(
  tx: optax.GradientTransformation,
  params: optax.Params,
  params_shardings: optax.Params | None = None,
) -> optax.OptState:
  """The sharding of every leaf of the state of `tx`.

  `jax.jit(tx.init)` forgets the sharding of parameters, because zeros do not
  depend on them; pass the result as `out_shardings`, there and in the jitted
  training step.

  Args:
    tx: Any transformation.
    params: Parameters: arrays or `jax.ShapeDtypeStruct`.
    params_shardings: Tree like `params` of their shardings; by default the
      `sharding` of each leaf of `params`.

  Returns:
    A tree like the state: a leaf that belongs to a parameter and has its shape
    gets the parameter's sharding, any other is replicated.

  Raises:
    ValueError: If shardings are neither given nor found on the leaves.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from jax.sharding import NamedSharding, PartitionSpec as P
    >>> import optax_stepsize
    >>> mesh = jax.make_mesh((1,), ("data",))
    >>> rows = NamedSharding(mesh, P("data"))
    >>> params = jax.device_put(jnp.ones((8, 4)), rows)
    >>> tx = optax_stepsize.prodigy()
    >>> shardings = optax_stepsize.state_sharding(tx, params)
    >>> state = jax.jit(tx.init, out_shardings=shardings)(params)
  """
  if params_shardings is None:
    params_shardings = jax.tree.map(
      lambda p: getattr(p, "sharding", None), params
    )
  shardings = jax.tree.leaves(params_shardings)
  if len(shardings) != len(jax.tree.leaves(params)):
    raise ValueError(
      "state_sharding: some leaf of params carries no sharding. Fix: pass"
      " arrays or jax.ShapeDtypeStruct(shape, dtype, sharding=...), or a tree"
      " of shardings as params_shardings."
    )
  replicated = None
  for sharding in shardings:
    replicated = sharding
    if isinstance(sharding, NamedSharding):
      replicated = NamedSharding(sharding.mesh, PartitionSpec())
      break
  shapes = jax.tree.map(
    lambda p: jax.ShapeDtypeStruct(p.shape, p.dtype), params
  )
  # A leaf belongs to the parameter whose path its own path ends with. Wrappers
  # may keep some parameters from a transformation, and a transformation may
  # divide them into groups; the paths of those that it has are the same.
  owners = {
    path: (leaf.shape, sharding)
    for (path, leaf), sharding in zip(
      jax.tree_util.tree_leaves_with_path(shapes), shardings, strict=True
    )
  }

  def follow(path, leaf):
    ends = (path[start:] for start in range(len(path) + 1))
    shape, sharding = next(
      (owners[end] for end in ends if end in owners), (None, replicated)
    )
    return sharding if leaf.shape == shape else replicated

  return jax.tree_util.tree_map_with_path(
    follow, jax.eval_shape(tx.init, shapes)
  )


def _reshard(x: jax.Array, spec: PartitionSpec) -> jax.Array:
  mesh = jax.typeof(x).sharding.mesh
  if AxisType.Explicit not in mesh.axis_types:
    return x
  return jax.sharding.reshard(x, NamedSharding(mesh, spec))


def replicated(x: jax.Array) -> jax.Array:
  """`x` on every device, where its type says how it is sharded.

  Elsewhere the compiler finds out by itself what an operation asks for.
  """
  return _reshard(x, PartitionSpec())


def placed_like(tree: chex.ArrayTree, like: chex.ArrayTree) -> chex.ArrayTree:
  """`tree`, sharded like the same leaves of `like` where types say how."""
  return jax.tree.map(
    lambda x, y: _reshard(x, jax.typeof(y).sharding.spec), tree, like
  )
