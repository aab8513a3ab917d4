# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Schedule-Free AdamW: averaging in place of a learning-rate schedule.

Computed from past points (and a warm-up; no horizon). Needs the parameters.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize import core


class AdamMoments(NamedTuple):
  """Moments of `schedule_free_adamw`.

  Attributes:
    mu: Like the parameters: decayed mean of gradients; None without
      `inner_momentum`.
    nu: Like the parameters: decayed mean of squared gradients.
  """

  mu: Any
  nu: Any


class ScheduleFreeState(NamedTuple):
  """State of Schedule-Free methods; holds the evaluation point.

  "Scalar dtype" is float32, or float64 if any parameter is float64. All fields
  but `b1` change with every update.

  Attributes:
    count: `()` int32: updates so far.
    step_size: `()` scalar dtype: the rate last applied, warm-up included.
    b1: `()` scalar dtype: interpolation between the average and `z`.
    weight_sum: `()` scalar dtype: sum of averaging weights.
    max_rate: `()` scalar dtype: largest rate so far.
    z: Like the parameters, in `state_dtype`: the base iterate.
    x: Like the parameters, float32 or float64: the average, where it is stored;
      `()` False stands in for a leaf where it is not.
    moments: What the direction keeps.
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


class _Direction(NamedTuple):
  """What distinguishes one Schedule-Free method from another.

  `update(grads, moments, k, rate)` with k = 1, 2, ... returns the direction,
  the new moments and the rate, which it may correct.
  """

  init: Callable[[optax.Params], Any]
  update: Callable[..., tuple[optax.Updates, Any, jax.Array]]


def _schedule_free(
  method: str,
  direction: _Direction,
  learning_rate: core.ScalarOrSchedule,
  *,
  b1: chex.Numeric,
  warmup_steps: int,
  weight_decay: chex.Numeric,
  mask: core.Mask,
  r: chex.Numeric,
  weight_lr_power: chex.Numeric,
  store_x: bool | None,
  state_dtype: Any | None,
) -> optax.GradientTransformationExtraArgs:
  core.check_range(method, "learning_rate", learning_rate, "[0, inf)")
  core.check_count(method, "warmup_steps", warmup_steps, 0)
  core.check_range(method, "weight_decay", weight_decay, "[0, inf)")
  core.check_range(method, "r", r, "[0, inf)")
  core.check_range(method, "weight_lr_power", weight_lr_power, "[0, inf)")
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
      moments=direction.init(params),
    )

  def update(updates, state, params, **extra_args):
    # y, z, x = points of gradients, of steps, of evaluation; c = weight of the
    # newest z in x; u = direction; rate = gamma.
    del extra_args
    dtype = state.weight_sum.dtype
    beta1 = core.as_scalar(b1, dtype)
    k = state.count.astype(dtype) + 1
    rate = core.rate_at(learning_rate, state.count, dtype)
    if warmup_steps:
      rate = rate * jnp.minimum(1, k / warmup_steps)
    grads = jax.tree.map(
      lambda g, p: g.astype(core.wide_dtype(p.dtype)), updates, params
    )
    u, moments, rate = direction.update(grads, state.moments, k, rate)
    u = core.decayed(u, params, weight_decay, mask)

    # The largest rate so far: a rate that decays does not lower the weights.
    max_rate = jnp.maximum(state.max_rate, rate)
    weight = k ** core.as_scalar(r, dtype)
    weight = weight * max_rate ** core.as_scalar(weight_lr_power, dtype)
    weight_sum = state.weight_sum + weight
    c = core.safe_divide(weight, weight_sum)

    new_z = jax.tree.map(
      lambda z, u: z.astype(u.dtype) - rate.astype(u.dtype) * u, state.z, u
    )

    def average(x, z):
      if core.is_absent(x):
        return x
      weight = c.astype(x.dtype)
      return (1 - weight) * x + weight * z.astype(x.dtype)

    new_x = jax.tree.map(average, state.x, new_z)

    def move(y, z, x, u):
      y = core.widen(y)
      if not core.is_absent(x):
        # y follows from the stored points, so that rounding it to the dtype of
        # the parameters leaves no trace in them.
        mix = beta1.astype(y.dtype)
        return mix * x.astype(y.dtype) + (1 - mix) * z - y
      # y' - y for y' = b1 x' + (1 - b1) z' with the new points: putting in
      # x = (y - (1 - b1) z) / b1 cancels the division, z = z' + rate u the old
      # z, which would have to be copied.
      step = (rate * (1 - c) * (1 - beta1)).astype(y.dtype)
      return c.astype(y.dtype) * (z - y) - step * u

    moves = jax.tree.map(move, params, new_z, new_x, u)
    return moves, ScheduleFreeState(
      count=optax.safe_increment(state.count),
      step_size=rate,
      b1=state.b1,
      weight_sum=weight_sum,
      max_rate=max_rate,
      z=core.cast_like(new_z, state.z),
      x=new_x,
      moments=moments,
    )

  return core.transformation(method, init, update, needs=("params",))


def schedule_free_adamw(
  learning_rate: core.ScalarOrSchedule = 0.0025,
  *,
  b1: chex.Numeric = 0.9,
  b2: chex.Numeric = 0.999,
  eps: chex.Numeric = 1e-8,
  warmup_steps: int = 0,
  weight_decay: chex.Numeric = 0.0,
  mask: core.Mask = None,
  r: chex.Numeric = 0.0,
  weight_lr_power: chex.Numeric = 2.0,
  inner_momentum: chex.Numeric | None = None,
  paper_bias_correction: bool = False,
  store_x: bool | None = None,
  state_dtype: Any | None = None,
) -> optax.GradientTransformationExtraArgs:
  r"""Schedule-Free AdamW: no decay of the rate, no horizon.

  Gradients are taken at :math:`y`, which the training loop holds; steps are
  made at :math:`z`; the average :math:`x` is evaluated. With Adam's direction
  :math:`u` at :math:`y_k` and rate :math:`\gamma_k`,

  .. math::
    \begin{aligned}
    z_{k+1} &= z_k - \gamma_k (u + \lambda y_k), \\
    x_{k+1} &= (1 - c_k) x_k + c_k z_{k+1}, \qquad
    c_k = w_k / \textstyle\sum_{i \le k} w_i, \quad
    w_k = (k + 1)^r \max_{i \le k} \gamma_i^p, \\
    y_{k+1} &= \beta_1 x_{k+1} + (1 - \beta_1) z_{k+1}.
    \end{aligned}

  Read x with `eval_params`, for validation, export and early stopping. Batch
  statistics gathered at y do not fit x: recompute them there. Save parameters
  and state together: a run cannot be resumed from x alone. Clip before it; a
  rate schedule or decay after it would not be part of the method.

  Needs: params.
  State: 8 bytes per float32 parameter; 4 more each with `inner_momentum` and
  where the average is stored.

  Args:
    learning_rate: At least zero; 1 to 10 times the usual rate of AdamW. A float
      or schedule.
    b1: Interpolation between x and z, in (0, 1), or [0, 1) with
      `store_x=True`; 0.95 or 0.98 for very long runs. Below 0.5, store x.
    b2: Decay of the second moment, in [0, 1).
    eps: Added to the root of the second moment; >= 0.
    warmup_steps: Length of a linear warm-up, whose first rate is not zero but
      `learning_rate / warmup_steps`. Recommended. Static.
    weight_decay: Decay at y, times the rate; >= 0.
    mask: Leaves to decay: a tree of booleans, a prefix of one, or a function
      from parameters to it. By default all.
    r: Power of the step in the averaging weights; >= 0.
    weight_lr_power: Power of the largest rate in them; >= 0.
    inner_momentum: Momentum of the direction, in [0, 1). None keeps none.
    paper_bias_correction: True: Adam's bias correction as a factor of the rate,
      also in the averaging weights, as in the published experiments. False: in
      the second moment.
    store_x: True keeps x in the state, False rebuilds it from y and z. None
      keeps it for leaves narrower than float32, whose y is too coarse. Where x
      is kept, y is computed from it, so that changes of the parameters by
      others have no effect.
    state_dtype: Dtype of z and the moments; by default float32, or float64 for
      float64 parameters.

  Returns:
    A transformation whose updates are ready for `optax.apply_updates`.

  Raises:
    ValueError: If an argument is out of its range, `params` are not given to
      `update`, or a leaf is not floating.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> curvature = jnp.array([0.1, 0.5, 1.0, 3.0])
    >>> target = jnp.array([1.0, -2.0, 3.0, 0.5])
    >>> loss = lambda p: 0.5 * jnp.sum(curvature * (p - target) ** 2)
    >>> tx = optax_stepsize.schedule_free_adamw(0.3, warmup_steps=10)
    >>> params = jnp.zeros(4)
    >>> state = tx.init(params)
    >>> @jax.jit
    ... def step(params, state):
    ...   updates, state = tx.update(jax.grad(loss)(params), state, params)
    ...   return optax.apply_updates(params, updates), state
    >>> for _ in range(500):
    ...   params, state = step(params, state)
    >>> averaged = optax_stepsize.eval_params(state, params)
    >>> assert jnp.max(jnp.abs(averaged - target)) < 0.05

  References:
    Defazio, Yang, Mehta, Mishchenko, Khaled and Cutkosky, The Road Less
    Scheduled, NeurIPS 2024, arXiv 2405.15682 (Algorithm 1); BibTeX by
    `optax_stepsize.cite("schedule_free_adamw")`.
  """
  core.check_range("schedule_free_adamw", "b2", b2, "[0, 1)")
  core.check_range("schedule_free_adamw", "eps", eps, "[0, inf)")
  core.check_range(
    "schedule_free_adamw", "inner_momentum", inner_momentum, "[0, 1)"
  )

  def init(params):
    return AdamMoments(
      mu=None if inner_momentum is None else core.zeros(params, state_dtype),
      nu=core.zeros(params, state_dtype),
    )

  def update(grads, moments, k, rate):
    beta2 = core.as_scalar(b2, rate.dtype)
    correction = 1 - beta2**k
    nu = jax.tree.map(
      lambda v, g: (
        beta2.astype(g.dtype) * v.astype(g.dtype)
        + (1 - beta2).astype(g.dtype) * (g * g)
      ),
      moments.nu,
      grads,
    )
    if inner_momentum is None:
      mu, numerator = None, grads
    else:
      momentum = core.as_scalar(inner_momentum, rate.dtype)
      mu = jax.tree.map(
        lambda m, g: (
          momentum.astype(g.dtype) * m.astype(g.dtype)
          + (1 - momentum).astype(g.dtype) * g
        ),
        moments.mu,
        grads,
      )
      numerator = jax.tree.map(
        lambda m: m / (1 - momentum**k).astype(m.dtype), mu
      )
    if paper_bias_correction:
      rate, correction = rate * jnp.sqrt(correction), jnp.ones_like(correction)

    def normalise(g, v):
      root = jnp.sqrt(v / correction.astype(v.dtype))
      root = root + core.as_scalar(eps, v.dtype)
      # Zero only where the gradient is, or its square, and eps on request.
      return g / jnp.where(root == 0, 1, root)

    direction = jax.tree.map(normalise, numerator, nu)
    mu = None if mu is None else core.cast_like(mu, moments.mu)
    return direction, AdamMoments(mu, core.cast_like(nu, moments.nu)), rate

  return _schedule_free(
    "schedule_free_adamw",
    _Direction(init, update),
    learning_rate,
    b1=b1,
    warmup_steps=warmup_steps,
    weight_decay=weight_decay,
    mask=mask,
    r=r,
    weight_lr_power=weight_lr_power,
    store_x=store_x,
    state_dtype=state_dtype,
  )
