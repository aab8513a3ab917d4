# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""D-Adaptation: what its variants share.

The distance d from the start to the solution is bounded from below by what the
gradients show, and takes the place of a tuned rate. A variant gathers a sum of
gradients and makes an estimate of d from it; here are the state, and the rule
by which an estimate is believed: d never falls, grows by a bounded factor, and
waits for a first gradient that is not zero.
"""

import math
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize import core


class DAdaptationState(NamedTuple):
  """State of the D-Adaptation methods.

  "Scalar dtype" is float32, or float64 if any parameter is float64. Trees are
  like the parameters; those that a variant does not need are None.

  Nothing but `count` changes in an update without information: before the first
  nonzero gradient; with a gradient that is not finite, or too large to be
  squared (of which Lion leaves out just the entries that are not finite); for
  SGD and Adam also at a rate of zero.

  Attributes:
    count: `()` int32: calls of `update`.
    effective_count: `()` int32: updates with information.
    step_size: `()` scalar dtype: what multiplied the last gradient (the sign of
      Lion): rate times `distance`, over `first_grad_norm` for SGD, with bias
      correction for Adam.
    distance: `()` scalar dtype: the estimate. Never decreases.
    initial_distance: `()` scalar dtype: where it started; never changes.
    numerator: `()` scalar dtype: what the numerator of an estimate sums up over
      the updates: inner products, or weighted squares (AdaGrad, Adan).
    grad_sum: Sum of gradients times `step_size` (of signs, for Lion); decayed
      for Adam, Adan and Lion.
    mu: Decayed mean of the same (Adam, Adan, Lion).
    nu: Decayed mean of squared gradients (Adam), of squared extrapolated ones
      (Adan), or 1e-6 and the sum of squared gradients (AdaGrad).
    mu_diff: Decayed mean of differences of gradients times `step_size` (Adan).
    last_grad: The gradient before (Adan).
    anchor: A copy of the initial parameters; never changes (SGD, AdaGrad).
    first_grad_norm: `()` scalar dtype: norm of the first nonzero gradient, zero
      until then (SGD).
  """

  count: jax.Array  # type: ignore[assignment]
  effective_count: jax.Array
  step_size: jax.Array
  distance: jax.Array
  initial_distance: jax.Array
  numerator: jax.Array
  grad_sum: Any
  mu: Any = None
  nu: Any = None
  mu_diff: Any = None
  last_grad: Any = None
  anchor: Any = None
  first_grad_norm: Any = None

  def is_stuck(self, patience: int) -> jax.Array:
    """`()` bool: whether `distance` never grew; see `is_stuck`."""
    tried = self.effective_count >= max(patience, 1)
    return tried & (self.distance == self.initial_distance)


def check_common(
  method: str,
  learning_rate: core.ScalarOrSchedule,
  weight_decay: chex.Numeric,
  d0: chex.Numeric,
  state_dtype: Any | None,
  growth_rate: chex.Numeric = float("inf"),
) -> None:
  """Raises ValueError unless what all variants take is in its range."""
  core.check_range(
    method, "learning_rate", learning_rate, "[0, inf) or a schedule"
  )
  core.check_range(method, "weight_decay", weight_decay, "[0, inf)")
  core.check_range(method, "d0", d0, "(0, inf)")
  core.check_range(method, "growth_rate", growth_rate, "[1, inf]")
  core.check_dtype(method, "state_dtype", state_dtype)


def first_state(
  params: optax.Params,
  d0: chex.Numeric,
  state_dtype: Any | None,
  **more: Any,
) -> DAdaptationState:
  """The state before any update, with the fields of one variant in `more`."""
  dtype = core.accumulator_dtype(params)
  start = core.as_scalar(d0, dtype)
  return DAdaptationState(
    count=jnp.zeros((), jnp.int32),
    effective_count=jnp.zeros((), jnp.int32),
    step_size=jnp.zeros((), dtype),
    distance=start,
    initial_distance=start.copy(),
    numerator=jnp.zeros((), dtype),
    grad_sum=core.zeros(params, state_dtype),
    **more,
  )


def has_squares(size: jax.Array) -> jax.Array:
  """Whether gradients whose magnitudes add up to `size` can be squared.

  A second moment that overflows would stop its entry for good. The quarter is
  for the extrapolated gradients of Adan.
  """
  return size < math.sqrt(jnp.finfo(size.dtype).max) / 4


def leaf_dot_pairs(
  a: chex.ArrayTree,
  b: chex.ArrayTree,
  c: chex.ArrayTree,
  d: chex.ArrayTree,
) -> tuple[chex.ArrayTree, chex.ArrayTree]:
  """`core.leaf_dots` of `a` and `b`, and of `c` and `d`, of one dtype.

  XLA updates an array in place only while one reduction at most reads it in the
  same kernel; two would cost a copy of the array. The real and the imaginary
  part of one sum are one reduction.
  """
  sums = jax.tree.map(
    lambda a, b, c, d: jnp.sum(jax.lax.complex(a * b, c * d)), a, b, c, d
  )
  return jax.tree.map(jnp.real, sums), jax.tree.map(jnp.imag, sums)


def next_state(
  state: DAdaptationState,
  *,
  informed: jax.Array,
  rate: jax.Array,
  step_size: jax.Array,
  numerator: jax.Array,
  estimate: jax.Array,
  growth_rate: chex.Numeric = float("inf"),
  **trees: Any,
) -> DAdaptationState:
  """The state after an update.

  Args:
    state: The state before it.
    informed: Whether the update has information: without, scalars stay.
    rate: The rate; an estimate is not believed where it is zero.
    step_size: What was applied.
    numerator: New value of that field.
    estimate: Lower bound of the distance.
    growth_rate: Largest factor by which the distance may grow.
    **trees: New values of other fields, stored as they are.
  """

  def hold(new, old):
    return jnp.where(informed & jnp.isfinite(new), new, old)

  distance = state.distance
  most = distance * core.as_scalar(growth_rate, distance.dtype)
  learned = informed & (rate != 0) & jnp.isfinite(estimate)
  grown = jnp.maximum(distance, jnp.minimum(estimate, most))
  return state._replace(
    count=optax.safe_increment(state.count),
    effective_count=jnp.where(
      informed,
      optax.safe_increment(state.effective_count),
      state.effective_count,
    ),
    step_size=hold(step_size, state.step_size),
    distance=jnp.where(learned, grown, distance),
    numerator=hold(numerator, state.numerator),
    **{
      name: core.cast_like(tree, getattr(state, name))
      for name, tree in trees.items()
    },
  )
