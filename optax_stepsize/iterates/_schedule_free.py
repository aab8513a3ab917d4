# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What all Schedule-Free methods share: their state and its three points.

Computed from past points (and a warm-up; no horizon). Needs the parameters.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize import core


class ScheduleFreeState(NamedTuple):
  """State of Schedule-Free methods; holds the evaluation point.

  "Scalar dtype" is float32, or float64 if any parameter is float64. All fields
  change with every update, `b1` if it is given another.

  Attributes:
    count: `()` int32: updates so far.
    step_size: `()` scalar dtype: the rate last applied, warm-up included.
    b1: `()` scalar dtype: interpolation between the average and `z` of which
      the parameters are made.
    weight_sum: `()` scalar dtype: sum of averaging weights.
    max_rate: `()` scalar dtype: largest rate so far.
    z: Like the parameters, in `state_dtype`: the base iterate.
    x: Like the parameters, float32 or float64: the average, where it is stored;
      `()` False stands in for a leaf where it is not.
    moments: What the steps of z keep: None for SGD, `AdamMoments` for the
      others; for `schedule_free` the state of its base.
  """

  count: jax.Array  # type: ignore[assignment]
  step_size: jax.Array
  b1: jax.Array
  weight_sum: jax.Array
  max_rate: jax.Array
  z: Any
  x: Any
  moments: Any

  def eval_params(self, params: optax.Params) -> optax.Params:
    """The average x, in the dtypes of `params`, which are y."""
    params = core.mask_like(params, self.z)

    def view(y, z, x):
      if not core.is_absent(x):
        return x.astype(y.dtype)
      b1 = self.b1.astype(core.wide_dtype(y.dtype))
      rebuilt = (core.widen(y) - (1 - b1) * z.astype(b1.dtype)) / b1
      return rebuilt.astype(y.dtype)

    return jax.tree.map(view, params, self.z, self.x)


class Base(NamedTuple):
  """What distinguishes one Schedule-Free method from another: how z moves.

  Attributes:
    init: From the parameters to what is kept.
    update: Called as `update(grads, kept, k, rate, y, z, extra_args)` with
      k = 1, 2, ... Returns the move of z, what is kept, and the rate that the
      averaging weights are made of, which it may correct. Trees but `y` are
      given and returned in the accumulation dtype.
  """

  init: Callable[[optax.Params], Any]
  update: Callable[..., tuple[optax.Updates, Any, jax.Array]]


def descent(
  method: str,
  init: Callable[[optax.Params], Any],
  direction: Callable[..., tuple[optax.Updates, Any, jax.Array]],
  weight_decay: chex.Numeric,
  mask: core.Mask,
) -> Base:
  """Steps along a direction, with decay at y.

  `direction(grads, moments, k, rate)` returns it, the new moments and the rate.
  """
  core.check_range(method, "weight_decay", weight_decay, "[0, inf)")

  def update(grads, moments, k, rate, y, z, extra_args):
    del z, extra_args
    u, moments, rate = direction(grads, moments, k, rate)
    u = core.decayed(u, y, weight_decay, mask)
    return jax.tree.map(lambda u: -rate.astype(u.dtype) * u, u), moments, rate

  return Base(init, update)


def build(
  method: str,
  base: Base,
  learning_rate: core.ScalarOrSchedule,
  *,
  b1: chex.Numeric,
  warmup_steps: int,
  r: chex.Numeric,
  weight_lr_power: chex.Numeric,
  store_x: bool | None,
  state_dtype: Any | None,
) -> optax.GradientTransformationExtraArgs:
  """The Schedule-Free method whose z is moved by `base`."""
  core.check_range(
    method, "learning_rate", learning_rate, "[0, inf) or a schedule"
  )
  core.check_count(method, "warmup_steps", warmup_steps, 0)
  core.check_range(method, "r", r, "[0, inf)")
  core.check_range(method, "weight_lr_power", weight_lr_power, "[0, inf)")
  core.check_dtype(method, "state_dtype", state_dtype)
  # Without a stored average it is rebuilt with a division by b1.
  core.check_range(method, "b1", b1, "[0, 1)" if store_x else "(0, 1)")

  def stores(leaf):
    return core.is_narrow(leaf) if store_x is None else store_x

  def init(params):
    dtype = core.accumulator_dtype(params)
    return ScheduleFreeState(
      count=jnp.zeros((), jnp.int32),
      step_size=jnp.zeros((), dtype),
      b1=core.as_scalar(b1, dtype),
      weight_sum=jnp.zeros((), dtype),
      max_rate=jnp.zeros((), dtype),
      z=jax.tree.map(
        lambda p: core.copies(p, state_dtype or core.wide_dtype(p.dtype)),
        params,
      ),
      x=jax.tree.map(
        lambda p: (
          core.copies(p, core.wide_dtype(p.dtype))
          if stores(p)
          else core.absent()
        ),
        params,
      ),
      moments=base.init(params),
    )

  def update(updates, state, params, **extra_args):
    # y, z, x = points of gradients, of steps, of evaluation; c = weight of the
    # newest z in x; rate = gamma.
    dtype = state.weight_sum.dtype
    beta1 = core.as_scalar(b1, dtype)
    k = state.count.astype(dtype) + 1
    rate = core.rate_at(learning_rate, state.count, dtype)
    if warmup_steps:
      rate = rate * jnp.minimum(1, k / warmup_steps)
    grads, z = (
      jax.tree.map(
        lambda t, p: t.astype(core.wide_dtype(p.dtype)), tree, params
      )
      for tree in (updates, state.z)
    )
    steps, moments, rate = base.update(
      grads, state.moments, k, rate, params, z, extra_args
    )

    # The largest rate so far: a rate that decays does not lower the weights.
    max_rate = jnp.maximum(state.max_rate, rate)
    weight = k ** core.as_scalar(r, dtype)
    weight = weight * max_rate ** core.as_scalar(weight_lr_power, dtype)
    weight_sum = state.weight_sum + weight
    c = core.safe_divide(weight, weight_sum)

    new_z = jax.tree.map(jnp.add, z, steps)

    def average(x, z):
      if core.is_absent(x):
        return x
      weight = c.astype(x.dtype)
      return (1 - weight) * x + weight * z.astype(x.dtype)

    new_x = jax.tree.map(average, state.x, new_z)

    def move(y, z, x, step):
      y = core.widen(y)
      if not core.is_absent(x):
        # y follows from the stored points, so that rounding it to the dtype of
        # the parameters leaves no trace in them.
        mix = beta1.astype(y.dtype)
        return mix * x.astype(y.dtype) + (1 - mix) * z - y
      # y' - y for y' = b1 x' + (1 - b1) z' with the new points: putting in
      # x = (y - (1 - b1) z) / b1 cancels the division, z = z' - step the old
      # z, which would have to be copied.
      share = ((1 - c) * (1 - state.b1)).astype(y.dtype)
      kept = c.astype(y.dtype) * (z - y) + share * step
      # That was with the b1 which y was made with. With another, x' - z' is
      # (y' - z') / b1 as before, of which the new y' takes more or less.
      change = (beta1 / state.b1 - 1).astype(y.dtype)
      return kept + change * (y + kept - z)

    moves = jax.tree.map(move, params, new_z, new_x, steps)
    return moves, ScheduleFreeState(
      count=optax.safe_increment(state.count),
      step_size=rate,
      b1=beta1,
      weight_sum=weight_sum,
      max_rate=max_rate,
      z=core.cast_like(new_z, state.z),
      x=new_x,
      moments=moments,
    )

  return core.transformation(method, init, update, needs=("params",))
