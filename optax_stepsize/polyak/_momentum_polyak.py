# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""ALR: Polyak steps along a momentum, and beside one.

Computed from the loss value and the momentum. Need the loss; the heavy ball
needs the parameters as well.
"""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize import core
from optax_stepsize.polyak import _gap

# Below it a squared norm is that of rounding: no step is computed from it.
_LEAST_SQUARE = 1e-30


class PolyakMovingGradientState(NamedTuple):
  """State of `polyak_moving_gradient`.

  An update with a non-finite loss or bound changes nothing but `count`; one
  with a non-finite gradient moves nothing, and of the gradient only the finite
  entries enter the sum.

  Attributes:
    count: `()` int32: calls of `update`.
    step_size: `()` float32, or float64 if any parameter is float64: the last
      step; zero where there was none to take.
    grad_sum: Like the parameters, in `state_dtype`: decayed sum of gradients.
  """

  count: jax.Array  # type: ignore[assignment]
  step_size: jax.Array
  grad_sum: Any


class PolyakHeavyBallState(NamedTuple):
  """State of `polyak_heavy_ball`.

  An update with a non-finite gradient, loss or bound changes nothing but
  `count`.

  Attributes:
    count: `()` int32: calls of `update`.
    step_size: `()` float32, or float64 if any parameter is float64: the last
      step; zero where momentum alone moved.
    prev_params: Like the parameters, in `state_dtype`: the parameters of the
      update before.
  """

  count: jax.Array  # type: ignore[assignment]
  step_size: jax.Array
  prev_params: Any


def _check(method, b1, c, f_min, max_step_size, eps, state_dtype):
  core.check_range(method, "b1", b1, "[0, 1)")
  core.check_range(method, "c", c, "(0, inf)")
  core.check_range(method, "f_min", f_min, "(-inf, inf)")
  core.check_range(method, "max_step_size", max_step_size, "(0, inf] or None")
  core.check_range(method, "eps", eps, "[0, inf)")
  core.check_dtype(method, "state_dtype", state_dtype)


def polyak_moving_gradient(
  b1: chex.Numeric = 0.9,
  *,
  c: chex.Numeric = 1.0,
  f_min: chex.Numeric = 0.0,
  max_step_size: chex.Numeric | None = None,
  weight_decay: chex.Numeric = 0.0,
  mask: core.Mask = None,
  eps: chex.Numeric = 0.0,
  state_dtype: Any | None = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""ALR-MAG: the Polyak step along a decayed sum of gradients.

  For the loss f of a batch, its gradient g and a lower bound of the loss,

  .. math::
    d \leftarrow \beta_1 d + g, \qquad
    \eta = \min\left(\frac{(f - f_\mathrm{min})_+}{c \lVert d \rVert^2 +
    \epsilon}, \; \eta_\mathrm{max}\right), \qquad x \leftarrow x - \eta d.

  For convex losses with `c=1`, the exact bound and full gradients, the distance
  to a solution never grows. With `max_step_size`, on batches, it is ALR-SMAG.
  The result hardly depends on `b1`; with `b1=0` it is `sps`.

  The loss must belong to the gradients: averaged over devices and micro-batches
  like them (see `accumulate`), with the same regularisers in both. So it goes
  first in a chain, before clipping and preconditioning.

  Needs: value; params with weight decay.
  State: 4 bytes per parameter.

  Args:
    b1: Decay of the sum of gradients, in [0, 1).
    c: Normaliser, > 0: 1 for convex losses, 0.5 for quadratics and strongly
      convex ones; others train deep networks with 0.1 to 0.5.
    f_min: Lower bound of the batch loss. `update(..., f_min=...)` overrides it.
    max_step_size: Largest step, > 0; needed with noisy gradients. The direction
      is a sum, up to `1 / (1 - b1)` times a gradient: 0.1 is usual. None: no
      bound.
    weight_decay: Decay, times the step, as in AdamW; >= 0. It stays out of the
      loss and the norm, since `f_min` bounds the loss alone.
    mask: Leaves to decay: a tree of booleans, a prefix of one, or a function
      from parameters to it. By default all.
    eps: Added to the denominator; >= 0.
    state_dtype: Dtype of the sum of gradients. By default float32 (float64 for
      float64 parameters).
    axis_name: Mesh axes over which parameters are sharded, in `jax.shard_map`.

  Returns:
    A transformation whose updates are ready for `optax.apply_updates`, and
    whose `update` takes `value` and optionally `f_min`.

  Raises:
    ValueError: If an argument is out of its range, `value` is not given to
      `update`, or a leaf is not floating.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> curvature = jnp.array([0.1, 0.5, 1.0, 3.0])
    >>> target = jnp.array([1.0, -2.0, 3.0, 0.5])
    >>> loss = lambda p: 0.5 * jnp.sum(curvature * (p - target) ** 2)
    >>> tx = optax_stepsize.polyak_moving_gradient(c=0.5)
    >>> params = jnp.zeros(4)
    >>> state = tx.init(params)
    >>> @jax.jit
    ... def step(params, state):
    ...   value, grads = jax.value_and_grad(loss)(params)
    ...   updates, state = tx.update(grads, state, params, value=value)
    ...   return optax.apply_updates(params, updates), state
    >>> for _ in range(200):
    ...   params, state = step(params, state)
    >>> assert jnp.max(jnp.abs(params - target)) < 1e-2

  References:
    Wang, Johansson and Zhang, Generalized Polyak Step Size for First Order
    Optimization with Momentum, ICML 2023, arXiv 2305.12939; BibTeX by
    `optax_stepsize.cite("polyak_moving_gradient")`.
  """
  method = "polyak_moving_gradient"
  _check(method, b1, c, f_min, max_step_size, eps, state_dtype)
  core.check_range(method, "weight_decay", weight_decay, "[0, inf)")
  constructor_f_min = f_min

  def init(params):
    dtype = core.accumulator_dtype(params)
    return PolyakMovingGradientState(
      jnp.zeros((), jnp.int32),
      jnp.zeros((), dtype),
      core.zeros(params, state_dtype),
    )

  def update(updates, state, params, *, value, f_min=None, **extra_args):
    # d = grad_sum; eta = step; gap = f - f*; square = ||d||^2.
    del extra_args
    dtype = state.step_size.dtype
    value, bound, known = _gap.loss_and_bound(
      method, value, constructor_f_min if f_min is None else f_min, dtype
    )

    # A sum that waited for its norm would be read once more. So what is not
    # finite is left out of it here, and stops the step by the gradients' norm.
    def add(d, g):
      g = core.widen(g)
      d = d.astype(g.dtype)
      total = core.as_scalar(b1, g.dtype) * d + g
      return jnp.where(known & jnp.isfinite(total), total, d)

    grad_sum = jax.tree.map(add, state.grad_sum, updates)
    square, grad_square = core.global_sums(
      core.leaf_squares(grad_sum),
      core.leaf_squares(updates),
      axis_name=axis_name,
      dtype=dtype,
    )

    # Differs from the reference: a loss below its bound gives no step instead
    # of an ascent.
    gap = jnp.maximum(value - bound, 0)
    eta = core.safe_divide(
      gap, core.as_scalar(c, dtype) * square + core.as_scalar(eps, dtype)
    )
    eta = _gap.capped(jnp.where(square < _LEAST_SQUARE, 0, eta), max_step_size)
    finite = known & jnp.isfinite(square + grad_square) & jnp.isfinite(eta)

    moves = jax.tree.map(lambda d: -eta.astype(d.dtype) * d, grad_sum)
    if not core.is_known_zero(weight_decay):
      core.check_inputs(method, ("params",), params=params)
      rate = -core.as_scalar(weight_decay, dtype) * eta
      moves = core.decayed(moves, params, rate, mask)
    moves = core.select(finite, moves, jax.tree.map(jnp.zeros_like, moves))
    return moves, PolyakMovingGradientState(
      optax.safe_increment(state.count),
      jnp.where(finite, eta, state.step_size),
      core.cast_like(grad_sum, state.grad_sum),
    )

  return core.transformation(method, init, update, needs=("value",))


def polyak_heavy_ball(
  b1: chex.Numeric = 0.9,
  *,
  c: chex.Numeric = 1.0,
  f_min: chex.Numeric = 0.0,
  max_step_size: chex.Numeric | None = None,
  eps: chex.Numeric = 0.0,
  clip_negative: bool = True,
  state_dtype: Any | None = None,
  compensate: bool | None = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""ALR-HB: the Polyak step for the heavy ball.

  For the loss f of a batch, its gradient g, a lower bound of the loss and the
  displacement m of the parameters by the update before,

  .. math::
    \eta = \min\left(\left(\frac{f - f_\mathrm{min}}{c \lVert g \rVert^2 +
    \epsilon} + \beta_1 \frac{\langle g, m \rangle}{\lVert g \rVert^2 +
    \epsilon}\right)_+, \; \eta_\mathrm{max}\right), \qquad
    x \leftarrow x - \eta g + \beta_1 m.

  The step minimises a bound of the distance to the solution after it, which for
  quadratics and `c=0.5` is that distance itself. With `max_step_size`, on
  batches, it is ALR-SHB. With `b1=0` it is `sps`.

  The displacement is measured, not remembered, so it is right also when other
  transformations change the updates. The loss must belong to the gradients:
  averaged over devices and micro-batches like them (see `accumulate`), with the
  same regularisers in both. So it goes first in a chain, before clipping and
  preconditioning.

  Needs: params and value.
  State: 4 bytes per parameter, and 2 more per bfloat16 or float16 parameter.

  Args:
    b1: Share of the last displacement that is added again, in [0, 1).
    c: Normaliser of the gap, > 0: 1 for convex losses, 0.5 for quadratics and
      strongly convex ones.
    f_min: Lower bound of the batch loss. `update(..., f_min=...)` overrides it.
    max_step_size: Largest step, > 0; needed with noisy gradients. None: no
      bound.
    eps: Added to both denominators; >= 0.
    clip_negative: Whether a negative step, which a displacement uphill or a
      loss below its bound can ask for, is zero; momentum moves on. The
      derivation holds for steps that are not negative only.
    state_dtype: Dtype of the previous parameters. By default float32 (float64
      for float64 parameters): displacements are lost in fewer bits.
    compensate: None: leaves narrower than float32 keep their rounding residual
      (see `compensated`). False: they do not, and displacements are those of
      the rounded parameters.
    axis_name: Mesh axes over which parameters are sharded, in `jax.shard_map`.

  Returns:
    A transformation whose updates are ready for `optax.apply_updates`, and
    whose `update` takes `value` and optionally `f_min`.

  Raises:
    ValueError: If an argument is out of its range, `params` or `value` are not
      given to `update`, or a leaf is not floating.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> curvature = jnp.array([0.1, 0.5, 1.0, 3.0])
    >>> target = jnp.array([1.0, -2.0, 3.0, 0.5])
    >>> loss = lambda p: 0.5 * jnp.sum(curvature * (p - target) ** 2)
    >>> tx = optax_stepsize.polyak_heavy_ball(0.5, c=0.5)
    >>> params = jnp.zeros(4)
    >>> state = tx.init(params)
    >>> @jax.jit
    ... def step(params, state):
    ...   value, grads = jax.value_and_grad(loss)(params)
    ...   updates, state = tx.update(grads, state, params, value=value)
    ...   return optax.apply_updates(params, updates), state
    >>> for _ in range(200):
    ...   params, state = step(params, state)
    >>> assert jnp.max(jnp.abs(params - target)) < 1e-2

  References:
    Wang, Johansson and Zhang, Generalized Polyak Step Size for First Order
    Optimization with Momentum, ICML 2023, arXiv 2305.12939; BibTeX by
    `optax_stepsize.cite("polyak_heavy_ball")`.
  """
  method = "polyak_heavy_ball"
  _check(method, b1, c, f_min, max_step_size, eps, state_dtype)
  core.check_choice(method, "clip_negative", clip_negative, (True, False))
  constructor_f_min = f_min

  def init(params):
    return PolyakHeavyBallState(
      jnp.zeros((), jnp.int32),
      jnp.zeros((), core.accumulator_dtype(params)),
      jax.tree.map(
        lambda p: core.copies(p, state_dtype or core.wide_dtype(p.dtype)),
        params,
      ),
    )

  def update(updates, state, params, *, value, f_min=None, **extra_args):
    # eta = step; gap = f - f*; square, slope = ||g||^2, <g, x - x_prev>.
    del extra_args
    dtype = state.step_size.dtype
    value, bound, known = _gap.loss_and_bound(
      method, value, constructor_f_min if f_min is None else f_min, dtype
    )
    moved = jax.tree.map(
      lambda p, q: core.widen(p) - q.astype(core.wide_dtype(p.dtype)),
      params,
      state.prev_params,
    )
    square, slope = core.global_sums(
      core.leaf_squares(updates),
      core.leaf_dots(updates, moved),
      axis_name=axis_name,
      dtype=dtype,
    )

    # The minimiser over eta of ||x + b1 (x - x_prev) - eta g - x*||^2, in which
    # <g, x - x*> is at least the gap.
    offset = core.as_scalar(eps, dtype)
    scaled = core.as_scalar(c, dtype) * square
    eta = core.safe_divide(value - bound, scaled + offset)
    eta += core.as_scalar(b1, dtype) * core.safe_divide(slope, square + offset)
    if clip_negative:
      eta = jnp.maximum(eta, 0)
    eta = _gap.capped(jnp.where(square < _LEAST_SQUARE, 0, eta), max_step_size)
    finite = known & jnp.isfinite(square + slope) & jnp.isfinite(eta)

    def move(g, m):
      beta1 = core.as_scalar(b1, m.dtype)
      return beta1 * m - eta.astype(m.dtype) * g.astype(m.dtype)

    moves = jax.tree.map(move, updates, moved)
    moves = core.select(finite, moves, jax.tree.map(jnp.zeros_like, moves))
    prev_params = core.select(
      finite, core.cast_like(params, state.prev_params), state.prev_params
    )
    return moves, PolyakHeavyBallState(
      optax.safe_increment(state.count),
      jnp.where(finite, eta, state.step_size),
      prev_params,
    )

  tx = core.transformation(method, init, update, needs=("params", "value"))
  return core.compensate_if(method, tx, compensate)
