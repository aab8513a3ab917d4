# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Weight decay with a mask."""

from collections.abc import Callable
from typing import Any

import chex
import jax
import optax

from optax_stepsize.core import _hyperparameters
from optax_stepsize.core import _precision
from optax_stepsize.core import _transformation

Mask = Any | Callable[[optax.Params], Any] | None


def is_known_zero(rate: chex.Numeric) -> bool:
  """True for a zero that is no JAX array: what it multiplies need not be read.

  The structure of a program may depend on such a number, since it cannot be
  traced.
  """
  return not isinstance(rate, jax.Array) and bool(rate == 0)


def decayed(
  tree: chex.ArrayTree,
  params: chex.ArrayTree,
  rate: chex.Numeric,
  mask: Mask = None,
) -> chex.ArrayTree:
  """`tree + rate * params` on the leaves that `mask` selects, widened.

  Args:
    tree: A tree like `params`.
    params: Parameters.
    rate: Scalar.
    mask: Tree of booleans like `params` or a prefix of it, or a function from
      parameters to such a tree. None selects every leaf.
  """
  if is_known_zero(rate):
    return jax.tree.map(_precision.widen, tree)
  chosen = mask(params) if callable(mask) else mask
  if chosen is None:
    chosen = jax.tree.map(lambda _: True, params)
  else:
    chosen = jax.tree.broadcast(chosen, params)

  def decay(t, p, use):
    wide = _precision.widen(p)
    t = t.astype(wide.dtype)
    return t + _hyperparameters.as_scalar(rate, wide.dtype) * wide if use else t

  return jax.tree.map(decay, tree, params, chosen)


def add_decayed_weights(
  method: str, weight_decay: chex.Numeric, mask: Mask = None
) -> optax.GradientTransformationExtraArgs:
  """Coupled (L2) decay: adds `weight_decay * params` to the gradients."""
  _hyperparameters.check_range(method, "weight_decay", weight_decay, "[0, inf)")

  def update(updates, state, params, **extra_args):
    del extra_args
    return decayed(updates, params, weight_decay, mask), state

  return _transformation.transformation(
    method, lambda params: optax.EmptyState(), update, needs=("params",)
  )
