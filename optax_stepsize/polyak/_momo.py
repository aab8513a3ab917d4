# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""MoMo and MoMo-Adam: a rate cut by an averaged model of the loss.

Computed from the loss value and averages of losses, gradients and their inner
products with the parameters. Need the loss and the parameters.
"""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize import core
from optax_stepsize.polyak import _gap


class MomoState(NamedTuple):
  """State of `momo` and `momo_adam`.

  "Scalar dtype" is float32, or float64 if any parameter is float64. An update
  with a non-finite loss or bound changes nothing but `count`; one with a
  non-finite gradient also changes the moments, by its finite entries.

  Attributes:
    count: `()` int32: calls of `update`.
    effective_count: `()` int32: updates that the averages are made of.
    step_size: `()` scalar dtype: the last step along the averaged gradient.
    lower_bound: `()` scalar dtype: the bound of the loss, with
      `adapt_lower_bound` its estimate.
    value_avg: `()` scalar dtype: decayed mean of losses.
    product_avg: `()` scalar dtype: decayed mean of the inner products of
      gradients and parameters.
    mu: Like the parameters, in `state_dtype`: decayed mean of gradients.
    nu: The same of their squares; None for `momo`.
  """

  count: jax.Array  # type: ignore[assignment]
  effective_count: jax.Array
  step_size: jax.Array
  lower_bound: jax.Array
  value_avg: jax.Array
  product_avg: jax.Array
  mu: Any
  nu: Any


def _build(
  method: str,
  learning_rate: core.ScalarOrSchedule,
  *,
  b1: chex.Numeric,
  b2: chex.Numeric | None,
  eps: chex.Numeric,
  f_min: chex.Numeric,
  weight_decay: chex.Numeric,
  adapt_lower_bound: bool,
  bias_correction: bool,
  proximal_decay: bool,
  state_dtype: Any | None,
  axis_name: core.AxisName,
) -> optax.GradientTransformationExtraArgs:
  """MoMo in the metric of Adam's second moment, without one if `b2` is None."""
  core.check_range(
    method, "learning_rate", learning_rate, "[0, inf) or a schedule"
  )
  core.check_range(method, "b1", b1, "[0, 1)")
  core.check_range(method, "eps", eps, "[0, inf)")
  core.check_range(method, "f_min", f_min, "(-inf, inf)")
  core.check_dtype(method, "state_dtype", state_dtype)
  core.check_range(method, "weight_decay", weight_decay, "[0, inf)")
  core.check_choice(
    method, "adapt_lower_bound", adapt_lower_bound, (True, False)
  )
  constructor_f_min = f_min

  def init(params):
    dtype = core.accumulator_dtype(params)
    return MomoState(
      count=jnp.zeros((), jnp.int32),
      effective_count=jnp.zeros((), jnp.int32),
      step_size=jnp.zeros((), dtype),
      lower_bound=core.as_scalar(f_min, dtype),
      value_avg=jnp.zeros((), dtype),
      product_avg=jnp.zeros((), dtype),
      mu=core.zeros(params, state_dtype),
      nu=None if b2 is None else core.zeros(params, state_dtype),
    )

  def update(updates, state, params, *, value, f_min=None, **extra_args):
    # F, q = value_avg, product_avg; d, v = mu, nu; D = metric; N = square, dot
    # = <d, x>; tau = step; a, k = rate, shrink; lb = bound; rho = weight.
    del extra_args
    dtype = state.step_size.dtype
    value, least, known = _gap.loss_and_bound(
      method, value, constructor_f_min if f_min is None else f_min, dtype
    )
    rate = core.rate_at(learning_rate, state.count, dtype)
    t = optax.safe_increment(state.effective_count)
    beta1 = core.as_scalar(b1, dtype)
    weight = jnp.ones((), dtype)
    if bias_correction:
      weight = 1 - beta1 ** t.astype(dtype)
    else:
      # Averages begin with what is averaged first.
      beta1 = jnp.where(state.effective_count == 0, 0, beta1)
    shrink = 1 + rate * core.as_scalar(weight_decay, dtype)

    def average(beta, old, new):
      share = beta.astype(new.dtype)
      return share * old.astype(new.dtype) + (1 - share) * new

    # Moments that waited for the sums which they enter would be read once more.
    # So what is not finite is left out of them, and stops the step by the first
    # of the sums.
    def moment(beta, old, new):
      mean = average(beta, old, new)
      good = known & jnp.isfinite(mean)
      return jnp.where(good, mean, old.astype(mean.dtype))

    grads = jax.tree.map(core.widen, updates)
    mu = jax.tree.map(lambda d, g: moment(beta1, d, g), state.mu, grads)
    # In a kernel of their own they are written in place. XLA does not do that
    # where two sums read what is written; it copies, which costs more.
    mu = jax.tree.map(jax.lax.optimization_barrier, mu)
    nu, direction = None, mu
    if b2 is not None:
      beta2 = core.as_scalar(b2, dtype)
      correction = 1 - beta2 ** t.astype(dtype)
      nu = jax.tree.map(lambda v, g: moment(beta2, v, g * g), state.nu, grads)

      def divide(d, v):
        root = jnp.sqrt(v / correction.astype(v.dtype))
        return core.safe_divide(d, root + core.as_scalar(eps, v.dtype))

      direction = jax.tree.map(divide, mu, nu)

    product, dot, square = core.global_sums(
      core.leaf_dots(grads, params),
      core.leaf_dots(mu, params),
      core.leaf_dots(mu, direction),
      axis_name=axis_name,
      dtype=dtype,
    )
    value_avg = average(beta1, state.value_avg, value)
    product_avg = average(beta1, state.product_avg, product)

    # The averaged model of the loss at the parameters, as the proximal operator
    # of the decay shifts it.
    height = shrink * (value_avg - product_avg) + dot
    bound = least
    if adapt_lower_bound:
      bound = jnp.maximum(state.lower_bound, least)
      scaled = shrink * weight
      reset = jnp.maximum(height / (2 * scaled), least)
      bound = jnp.where(height < scaled * bound, reset, bound)
    gap = jnp.maximum(height - shrink * weight * bound, 0)
    # Differs from the reference: no averaged gradient, no step. There it is
    # zero over zero.
    tau = jnp.minimum(rate / weight, core.safe_divide(gap, square))
    if adapt_lower_bound:
      reached = value_avg + dot - product_avg - tau * square / 2
      bound = jnp.maximum(reached / weight, least)
    finite = known & jnp.isfinite(product + dot + square)
    finite &= jnp.isfinite(value_avg) & jnp.isfinite(bound)

    # x' = (x - tau u) / k, or (1 - a w) x - tau u.
    decay = 1 - shrink
    step = tau
    if proximal_decay:
      decay, step = decay / shrink, step / shrink
    moves = jax.tree.map(lambda u: -step.astype(u.dtype) * u, direction)
    if not core.is_known_zero(weight_decay):
      moves = core.decayed(moves, params, decay)
    moves = core.select(finite, moves, jax.tree.map(jnp.zeros_like, moves))

    def hold(new, old):
      return jnp.where(finite, new, old)

    return moves, MomoState(
      count=optax.safe_increment(state.count),
      effective_count=hold(t, state.effective_count),
      step_size=hold(tau, state.step_size),
      lower_bound=hold(bound, state.lower_bound),
      value_avg=hold(value_avg, state.value_avg),
      product_avg=hold(product_avg, state.product_avg),
      mu=core.cast_like(mu, state.mu),
      nu=None if b2 is None else core.cast_like(nu, state.nu),
    )

  return core.transformation(method, init, update, needs=("params", "value"))


def momo(
  learning_rate: core.ScalarOrSchedule = 1.0,
  *,
  b1: chex.Numeric = 0.9,
  f_min: chex.Numeric = 0.0,
  weight_decay: chex.Numeric = 0.0,
  adapt_lower_bound: bool = False,
  bias_correction: bool = False,
  state_dtype: Any | None = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""MoMo: SGD with momentum whose rate is cut by a model of the loss.

  Losses f, gradients g and their inner products with the parameters are
  averaged to F, d and q. The averages make a linear model of the loss; the step
  goes where the model is at the lower bound of the loss, or as far as the
  rate :math:`\alpha` allows,

  .. math::
    \tau = \min\left(\alpha, \frac{(F + \langle d, x \rangle - q -
    f_\mathrm{min})_+}{\lVert d \rVert^2}\right), \qquad
    x \leftarrow x - \tau d.

  With `bias_correction` and a rate that is never reached it is
  `polyak_moving_gradient` with `c=1`. Weight decay enters the model and the
  step as the proximal operator of :math:`\lambda \lVert x \rVert^2 / 2`.

  This is `optax.contrib.momo` with what that lacks of the authors' code: weight
  decay divides the step as well, and `bias_correction`. Its scalars are float32
  whatever the parameters are, and a loss that is not finite stays out of its
  averages. The loss must belong to the gradients: averaged over devices and
  micro-batches like them (see `accumulate`).

  Needs: params and value.
  State: 4 bytes per parameter.

  Args:
    learning_rate: Largest step; at least zero. A float or schedule.
    b1: Decay of the averages, in [0, 1). `beta` in Optax.
    f_min: Lower bound of the batch loss, `lower_bound` in Optax.
      `update(..., f_min=...)` overrides it.
    weight_decay: Decay, times the rate; at least zero.
    adapt_lower_bound: Whether to estimate the bound, with `f_min` as the least
      estimate.
    bias_correction: Whether averages start at zero and are corrected for it.
      By default they start at what is averaged first.
    state_dtype: Dtype of `mu`. By default float32 (float64 for float64
      parameters).
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
    >>> tx = optax_stepsize.momo()
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
    Schaipp, Ohana, Eickenberg, Defazio and Gower, MoMo: Momentum Models for
    Adaptive Learning Rates, ICML 2024, arXiv 2305.07583; BibTeX by
    `optax_stepsize.cite("momo")`.
  """
  core.check_choice("momo", "bias_correction", bias_correction, (True, False))
  return _build(
    "momo",
    learning_rate,
    b1=b1,
    b2=None,
    eps=0.0,
    f_min=f_min,
    weight_decay=weight_decay,
    adapt_lower_bound=adapt_lower_bound,
    bias_correction=bias_correction,
    proximal_decay=True,
    state_dtype=state_dtype,
    axis_name=axis_name,
  )


def momo_adam(
  learning_rate: core.ScalarOrSchedule = 1e-2,
  *,
  b1: chex.Numeric = 0.9,
  b2: chex.Numeric = 0.999,
  eps: chex.Numeric = 1e-8,
  f_min: chex.Numeric = 0.0,
  weight_decay: chex.Numeric = 0.0,
  adapt_lower_bound: bool = False,
  proximal_decay: bool = True,
  state_dtype: Any | None = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""MoMo-Adam: Adam whose rate is cut by a model of the loss.

  `momo`, with `bias_correction`, in the metric D of Adam's second moment v,

  .. math::
    D = \sqrt{v / (1 - \beta_2^t)} + \epsilon, \quad
    \rho = 1 - \beta_1^t, \quad
    \tau = \min\left(\frac{\alpha}{\rho}, \frac{(F + \langle d, x \rangle -
    q - \rho f_\mathrm{min})_+}{\langle d, D^{-1} d \rangle}\right), \quad
    x \leftarrow x - \tau D^{-1} d.

  This is `optax.contrib.momo_adam` with what that lacks of the authors' code:
  weight decay divides the step as well, and `proximal_decay`. Its scalars are
  float32 whatever the parameters are, and a loss that is not finite stays out
  of its averages. The loss must belong to the gradients: averaged over devices
  and micro-batches like them (see `accumulate`).

  Needs: params and value.
  State: 8 bytes per parameter.

  Args:
    learning_rate: Largest step; at least zero. A float or schedule.
    b1: Decay of the averages of gradients and losses, in [0, 1).
    b2: Decay of the second moment, in [0, 1).
    eps: Added to the root of the second moment; >= 0.
    f_min: Lower bound of the batch loss, `lower_bound` in Optax.
      `update(..., f_min=...)` overrides it.
    weight_decay: Decay, times the rate; at least zero.
    adapt_lower_bound: Whether to estimate the bound, with `f_min` as the least
      estimate.
    proximal_decay: True: parameters and step are divided by one plus rate times
      decay. False: parameters shrink as in AdamW.
    state_dtype: Dtype of `mu` and `nu`. By default float32 (float64 for float64
      parameters).
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
    >>> tx = optax_stepsize.momo_adam(0.3)
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
    Schaipp, Ohana, Eickenberg, Defazio and Gower, MoMo: Momentum Models for
    Adaptive Learning Rates, ICML 2024, arXiv 2305.07583; BibTeX by
    `optax_stepsize.cite("momo_adam")`.
  """
  core.check_range("momo_adam", "b2", b2, "[0, 1)")
  core.check_choice(
    "momo_adam", "proximal_decay", proximal_decay, (True, False)
  )
  return _build(
    "momo_adam",
    learning_rate,
    b1=b1,
    b2=b2,
    eps=eps,
    f_min=f_min,
    weight_decay=weight_decay,
    adapt_lower_bound=adapt_lower_bound,
    bias_correction=True,
    proximal_decay=proximal_decay,
    state_dtype=state_dtype,
    axis_name=axis_name,
  )
