# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Precision: the dtype of scalars, casts, copies and safe division."""

import contextlib
from typing import Any

import chex
import jax
from jax import lax
import jax.experimental
import jax.numpy as jnp

# Moved out of jax.experimental after jax 0.7.
_x64_home: Any = jax if hasattr(jax, "enable_x64") else jax.experimental


def enable_x64(
  enabled: bool = True,
) -> contextlib.AbstractContextManager[Any]:
  """Context manager that switches 64-bit types on or off."""
  return _x64_home.enable_x64(enabled)


def is_narrow(leaf: Any) -> bool:
  """True if the floating dtype of `leaf` holds fewer bits than float32."""
  return jnp.finfo(leaf.dtype).bits < 32


def wide_dtype(dtype: Any) -> Any:
  """The dtype to accumulate `dtype` in: float32, or float64 for float64."""
  return jnp.float64 if dtype == jnp.float64 else jnp.float32


def accumulator_dtype(*trees: chex.ArrayTree) -> Any:
  """float64 if any leaf is float64, else float32: the dtype of scalars."""
  leaves = jax.tree.leaves(trees)
  wide = any(leaf.dtype == jnp.float64 for leaf in leaves)
  return jnp.float64 if wide else jnp.float32


def widen(leaf: jax.Array) -> jax.Array:
  """`leaf` in the dtype that it is accumulated in."""
  return leaf.astype(wide_dtype(leaf.dtype))


def storage_dtype(leaf: Any, state_dtype: Any | None) -> Any:
  """`state_dtype`, or by default the dtype that `leaf` is accumulated in."""
  return wide_dtype(leaf.dtype) if state_dtype is None else state_dtype


def zeros(params: chex.ArrayTree, state_dtype: Any | None) -> chex.ArrayTree:
  """Zeros like `params`, in `state_dtype` or the accumulation dtype."""
  return jax.tree.map(
    lambda p: jnp.zeros_like(p, dtype=storage_dtype(p, state_dtype)), params
  )


def copies(params: chex.ArrayTree, state_dtype: Any | None) -> chex.ArrayTree:
  """Copies of `params`, in `state_dtype` or their own dtype.

  A state that held the very arrays of the parameters could not be donated
  together with them.
  """
  return jax.tree.map(
    lambda p: jnp.array(
      p, dtype=p.dtype if state_dtype is None else state_dtype, copy=True
    ),
    params,
  )


def cast_like(tree: chex.ArrayTree, like: chex.ArrayTree) -> chex.ArrayTree:
  """`tree` with each leaf in the dtype of the same leaf of `like`."""
  return jax.tree.map(lambda t, p: t.astype(p.dtype), tree, like)


def round_to(x: jax.Array, dtype: Any) -> jax.Array:
  """Rounds to the precision of `dtype` but stays in the wider dtype of `x`.

  A cast down and up again would not do: XLA may leave out the pair. It may not
  leave out `reduce_precision`, which however knows no subnormal numbers: where
  `dtype` has fewer exponents than float32, these are multiples of the smallest.
  """
  info = jnp.finfo(dtype)
  rounded = lax.reduce_precision(x, info.nexp, info.nmant)
  if info.nexp == jnp.finfo(jnp.float32).nexp:
    return rounded
  step = float(info.smallest_subnormal)
  subnormal = jnp.abs(x) < float(info.smallest_normal)
  return jnp.where(subnormal, jnp.round(x / step) * step, rounded)


def absent() -> jax.Array:
  """Stands in a state for a leaf that the state does not keep.

  Which leaves a state keeps may depend on their dtype, its structure may not.
  """
  return jnp.zeros((), jnp.bool_)


def is_absent(leaf: jax.Array) -> bool:
  """True for what `absent` makes, and for what arithmetic makes of that."""
  return not jnp.issubdtype(leaf.dtype, jnp.floating)


def safe_divide(
  numerator: jax.Array, denominator: jax.Array, default: chex.Numeric = 0.0
) -> jax.Array:
  """`numerator / denominator`, or `default` where the denominator is zero.

  The denominator is replaced before the division, so that neither the value
  nor a derivative of the branch not taken can be NaN.
  """
  present = denominator != 0
  quotient = numerator / jnp.where(present, denominator, 1)
  return jnp.where(present, quotient, jnp.asarray(default, quotient.dtype))


def select(
  condition: jax.Array, on_true: chex.ArrayTree, on_false: chex.ArrayTree
) -> chex.ArrayTree:
  """`jnp.where` over trees.

  Selection, unlike multiplication with a flag, keeps a NaN of the branch not
  taken out of the result.
  """
  return jax.tree.map(
    lambda a, b: jnp.where(condition, a, b), on_true, on_false
  )
