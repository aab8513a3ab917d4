# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Global sums over trees that stay cheap on sharded parameters.

Every reduction is an elementwise product followed by a sum: `jnp.vdot` and
reshapes gather a parameter that is sharded on any axis but its first, and raise
under meshes with explicit axes. Leaves are widened before they are squared.

A reduction has two halves. The first gives one number per leaf (`leaf_dots`,
`leaf_squares`, `leaf_abs`); the second adds those numbers over the leaves
(`global_sums`) or keeps them apart (`per_leaf_sums`). Inside `jax.shard_map`
the second half also adds over the mesh axes in `axis_name`, in one collective
for all sums that are asked for together.
"""

from collections.abc import Callable, Sequence
from typing import Any
import warnings

import chex
import jax
from jax import lax
import jax.numpy as jnp

from optax_stepsize.core import _precision

AxisName = str | Sequence[str] | None
KeptAxes = Callable[[Any, Any], tuple[int, ...]]


def _kept(path: Any, leaf: Any, kept_axes: KeptAxes | None) -> tuple[int, ...]:
  # A scalar has no axis to keep: it is a block of its own.
  if kept_axes is None or leaf.ndim == 0:
    return ()
  axes = kept_axes(path, leaf)
  if any(not -leaf.ndim <= axis < leaf.ndim for axis in axes):
    raise ValueError(
      f"the axes to keep of params{jax.tree_util.keystr(path)} must be in"
      f" [{-leaf.ndim}, {leaf.ndim}), got {axes}."
    )
  return tuple(axis % leaf.ndim for axis in axes)


def _reduce_leaves(
  function: Callable[..., jax.Array],
  trees: tuple[chex.ArrayTree, ...],
  kept_axes: KeptAxes | None,
) -> chex.ArrayTree:
  def reduce_leaf(path, leaf, *others):
    wide = [_precision.widen(x) for x in (leaf, *others)]
    kept = _kept(path, leaf, kept_axes)
    axes = tuple(axis for axis in range(leaf.ndim) if axis not in kept)
    return jnp.sum(function(*wide), axis=axes, keepdims=bool(kept))

  return jax.tree_util.tree_map_with_path(reduce_leaf, *trees)


def leaf_dots(
  a: chex.ArrayTree, b: chex.ArrayTree, kept_axes: KeptAxes | None = None
) -> chex.ArrayTree:
  """Inner product of `a` and `b`, leaf by leaf."""

  def product(x, y):
    dtype = _precision.accumulator_dtype(x, y)
    return x.astype(dtype) * y.astype(dtype)

  return _reduce_leaves(product, (a, b), kept_axes)


def leaf_squares(
  tree: chex.ArrayTree, kept_axes: KeptAxes | None = None
) -> chex.ArrayTree:
  """Sum of squares of each leaf.

  With `kept_axes(path, leaf)` the named axes are not summed over; they stay in
  the result, the others with length one, so that it broadcasts over the leaf.
  """
  return _reduce_leaves(lambda x: x * x, (tree,), kept_axes)


def leaf_abs(tree: chex.ArrayTree) -> chex.ArrayTree:
  """Sum of magnitudes of each leaf."""
  return _reduce_leaves(jnp.abs, (tree,), None)


def _varying_axes(x: jax.Array) -> frozenset[str]:
  """The mesh axes along which `x` varies, as far as `shard_map` tracks it."""
  aval: Any = jax.typeof(x)
  if hasattr(aval, "manual_axis_type"):
    return aval.manual_axis_type.varying
  return getattr(aval, "vma", frozenset())  # jax < 0.9


def summed_axes(leaf: jax.Array, axis_name: AxisName) -> tuple[str, ...]:
  """The mesh axes over which the per-leaf number `leaf` is a partial sum.

  A leaf that is replicated along an axis must count once along it. `shard_map`
  tracks along which axes a value varies; where it was told not to
  (`check_vma=False`), and under `pmap`, nothing varies by its account, not even
  the index along the axis itself, and all leaves count as shards. Outside of
  both, arrays are whole, and so are their sums.
  """
  varying = _varying_axes(leaf)
  if axis_name is None:
    if varying:
      warnings.warn(
        f"a norm is taken over one shard only, along {sorted(varying)}: pass"
        " axis_name= to the step-size method to take it over all shards",
        stacklevel=2,
      )
    return ()
  names = (axis_name,) if isinstance(axis_name, str) else tuple(axis_name)
  try:
    index = lax.axis_index(names[0])
  except NameError:
    if jax.sharding.get_abstract_mesh().manual_axes:
      raise
    return ()
  if names[0] not in _varying_axes(index):
    return names
  return tuple(name for name in names if name in varying)


def _psum_groups(
  leaves: list[jax.Array], axis_name: AxisName
) -> list[jax.Array]:
  """Completes partial sums, with one collective per set of mesh axes."""
  axes = [summed_axes(leaf, axis_name) for leaf in leaves]
  done = list(leaves)
  for group in sorted(set(axes) - {()}):
    members = [i for i, names in enumerate(axes) if names == group]
    for i, total in zip(
      members, lax.psum([leaves[i] for i in members], group), strict=True
    ):
      done[i] = total
  return done


def per_leaf_sums(
  *leaf_trees: chex.ArrayTree, axis_name: AxisName = None
) -> tuple[chex.ArrayTree, ...]:
  """Trees of per-leaf numbers, added over the shards of each leaf."""
  leaves, treedef = jax.tree.flatten(leaf_trees)
  return jax.tree.unflatten(treedef, _psum_groups(leaves, axis_name))


def global_sums(
  *leaf_trees: chex.ArrayTree, axis_name: AxisName = None, dtype: Any
) -> tuple[jax.Array, ...]:
  """Sums of trees of per-leaf numbers over all leaves and shards.

  Args:
    *leaf_trees: Trees of per-leaf numbers, such as `leaf_squares` gives.
    axis_name: Mesh axes to add over inside `jax.shard_map`.
    dtype: Dtype of the sums.

  Returns:
    One `()` array per tree; zero for a tree without leaves.
  """
  # One partial sum per tree and set of mesh axes, then one collective per set.
  partial: dict[tuple[int, tuple[str, ...]], jax.Array] = {}
  for i, tree in enumerate(leaf_trees):
    for leaf in jax.tree.leaves(tree):
      key = (i, summed_axes(leaf, axis_name))
      leaf = leaf.astype(dtype)
      partial[key] = partial[key] + leaf if key in partial else leaf
  totals = [jnp.zeros((), dtype)] * len(leaf_trees)
  for axes in sorted({axes for _, axes in partial}):
    group = {i: x for (i, names), x in partial.items() if names == axes}
    for i, total in (lax.psum(group, axes) if axes else group).items():
      totals[i] = totals[i] + total
  return tuple(map(_computed_once, totals))


def _computed_once(total: jax.Array) -> jax.Array:
  """`total`, behind an operation too dear for the compiler to repeat.

  XLA on the CPU copies what is cheap into the update of every leaf that it has
  a part in. Here these are additions over all leaves, so that an update would
  take a time quadratic in their number. A division it does not copy. The
  divisor is one, but for NaN, which the compiler cannot know.
  """
  return total / (1 + jnp.isnan(total).astype(total.dtype))


def squared_norm(
  tree: chex.ArrayTree, *, axis_name: AxisName = None
) -> jax.Array:
  """Sum of squares over all leaves: `()`, float32 or float64."""
  return global_sums(
    leaf_squares(tree),
    axis_name=axis_name,
    dtype=_precision.accumulator_dtype(tree),
  )[0]


def inner_product(
  a: chex.ArrayTree, b: chex.ArrayTree, *, axis_name: AxisName = None
) -> jax.Array:
  """Inner product over all leaves: `()`, float32 or float64."""
  return global_sums(
    leaf_dots(a, b),
    axis_name=axis_name,
    dtype=_precision.accumulator_dtype(a, b),
  )[0]
