# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Schedule-Free AdamW and RAdam: averaging in place of a schedule.

Computed from past points (and a warm-up; no horizon). Needs the parameters.
"""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize import core
from optax_stepsize.iterates import _schedule_free


class AdamMoments(NamedTuple):
  """Moments of `schedule_free_adamw` and `schedule_free_radam`.

  Attributes:
    mu: Like the parameters: decayed mean of gradients; None without
      `inner_momentum`.
    nu: Like the parameters: decayed mean of squared gradients.
  """

  mu: Any
  nu: Any


def _decayed_mean(mean, values, decay):
  """`decay * mean + (1 - decay) * values`, in the dtype of `values`."""
  return jax.tree.map(
    lambda m, v: (
      decay.astype(v.dtype) * m.astype(v.dtype)
      + (1 - decay).astype(v.dtype) * v
    ),
    mean,
    values,
  )


def _squares(tree):
  return jax.tree.map(lambda x: x * x, tree)


def _normalised(numerator, nu, correction, eps, known=True):
  """Adam's direction: over the root of the second moment, where it is known."""

  def normalise(g, v):
    root = jnp.sqrt(v / correction.astype(v.dtype))
    root = root + core.as_scalar(eps, v.dtype)
    # Zero only where the gradient is, or its square, and eps on request.
    return g / jnp.where((root != 0) & known, root, 1)

  return jax.tree.map(normalise, numerator, nu)


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
  statistics gathered at y do not fit x: take them afresh there, as
  `optax_stepsize.linen.refresh_batch_stats` does. Save parameters and state
  together: a run cannot be resumed from x alone. Clip before it; a rate
  schedule or decay after it would not be part of the method.

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
      float64 parameters. In bfloat16 an entry stands still whose steps are
      shorter than a five-hundredth of it.

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
    "schedule_free_adamw", "inner_momentum", inner_momentum, "[0, 1) or None"
  )

  def init(params):
    return AdamMoments(
      mu=None if inner_momentum is None else core.zeros(params, state_dtype),
      nu=core.zeros(params, state_dtype),
    )

  def direction(grads, moments, k, rate):
    beta2 = core.as_scalar(b2, rate.dtype)
    correction = 1 - beta2**k
    nu = _decayed_mean(moments.nu, _squares(grads), beta2)
    mu, numerator = None, grads
    if inner_momentum is not None:
      momentum = core.as_scalar(inner_momentum, rate.dtype)
      mu = _decayed_mean(moments.mu, grads, momentum)
      numerator = jax.tree.map(
        lambda m: m / (1 - momentum**k).astype(m.dtype), mu
      )
      mu = core.cast_like(mu, moments.mu)
    if paper_bias_correction:
      rate, correction = rate * jnp.sqrt(correction), jnp.ones_like(correction)
    u = _normalised(numerator, nu, correction, eps)
    return u, AdamMoments(mu, core.cast_like(nu, moments.nu)), rate

  return _schedule_free.build(
    "schedule_free_adamw",
    _schedule_free.descent(
      "schedule_free_adamw", init, direction, weight_decay, mask
    ),
    learning_rate,
    b1=b1,
    warmup_steps=warmup_steps,
    r=r,
    weight_lr_power=weight_lr_power,
    store_x=store_x,
    state_dtype=state_dtype,
  )


def _averaging_length(b2: jax.Array, k: jax.Array) -> jax.Array:
  r"""RAdam's rho: of how many gradients the second moment is a mean, so far.

  It is :math:`(1 + b) / (1 - b) - 2 k b^k / (1 - b^k)`, which for the first few
  k is the small difference of two numbers in the thousands, and float32 misses
  the step at which it passes four. With :math:`h = -\log(b) / 2` it is also
  :math:`k + f(h) - k f(k h)`, where :math:`f(h) = \coth h - 1 / h` is near
  :math:`h / 3` for small h, and nothing cancels.
  """
  half = -0.5 * jnp.log1p(b2 - 1)

  def langevin(h):
    # Lambert's continued fraction of coth; exact in float64 up to 1/2.
    h = jnp.minimum(h, 0.5)
    tail = jnp.full_like(h, 15.0)
    for odd in (13, 11, 9, 7, 5, 3):
      tail = odd + h * h / tail
    return h / tail

  early = k + langevin(half) - k * langevin(k * half)
  late = (1 + b2) / (1 - b2) - 2 * k / jnp.expm1(2 * k * half)
  return jnp.where(k * half > 0.5, late, early)


def schedule_free_radam(
  learning_rate: core.ScalarOrSchedule = 0.0025,
  *,
  b1: chex.Numeric = 0.9,
  b2: chex.Numeric = 0.999,
  eps: chex.Numeric = 1e-8,
  weight_decay: chex.Numeric = 0.0,
  mask: core.Mask = None,
  r: chex.Numeric = 0.0,
  weight_lr_power: chex.Numeric = 2.0,
  silent_sgd_phase: bool = True,
  store_x: bool | None = None,
  state_dtype: Any | None = None,
) -> optax.GradientTransformationExtraArgs:
  r"""Schedule-Free RAdam: no warm-up to choose, no decay, no horizon.

  See `schedule_free_adamw` for the three points. The rate is scaled by how well
  the second moment is known, which takes the place of a warm-up: with
  :math:`\rho_k` the number of gradients that it is a mean of, and
  :math:`\rho_\infty` its limit,

  .. math::
    \gamma_k = \eta_k \sqrt{\frac
      {(\rho_k - 4)(\rho_k - 2)\, \rho_\infty}
      {(\rho_\infty - 4)(\rho_\infty - 2)\, \rho_k}}
    \quad \text{if } \rho_k > 4,

  and in the first steps, where it is not, the rate is zero, or the step one of
  SGD with the full rate. The scaled rate also makes the averaging weights.

  Needs: params.
  State: 8 bytes per float32 parameter; 4 more where the average is stored.

  Args:
    learning_rate: At least zero; 1 to 10 times the usual rate of RAdam. A float
      or schedule.
    b1: Interpolation between x and z, in (0, 1), or [0, 1) with
      `store_x=True`; 0.95 or 0.98 for very long runs. Below 0.5, store x.
    b2: Decay of the second moment, in (0.6, 1): the limit of rho is above four
      for these only, and else nothing would ever move. In [0, 1) without the
      silent phase.
    eps: Added to the root of the second moment; >= 0.
    weight_decay: Decay at y, times the rate; >= 0.
    mask: Leaves to decay: a tree of booleans, a prefix of one, or a function
      from parameters to it. By default all.
    r: Power of the step in the averaging weights; >= 0.
    weight_lr_power: Power of the largest rate in them; >= 0.
    silent_sgd_phase: True: the first steps (four with the default `b2`) gather
      the second moment and move nothing. False: they are steps of SGD, of which
      the average keeps a large part, as their rate is the full one.
    store_x: True keeps x in the state, False rebuilds it from y and z. None
      keeps it for leaves narrower than float32, whose y is too coarse.
    state_dtype: Dtype of z and the moment; by default float32, or float64 for
      float64 parameters. In bfloat16 an entry stands still whose steps are
      shorter than a five-hundredth of it.

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
    >>> tx = optax_stepsize.schedule_free_radam(0.3)
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
    Scheduled, NeurIPS 2024, arXiv 2405.15682; the rectification: Liu, Jiang,
    He, Chen, Liu, Gao and Han, On the Variance of the Adaptive Learning Rate
    and Beyond, ICLR 2020, arXiv 1908.03265. BibTeX by
    `optax_stepsize.cite("schedule_free_radam")`.
  """
  # Differs from the reference: a `b2` with which a silent run would never move
  # is an error. There it is accepted.
  core.check_range(
    "schedule_free_radam",
    "b2",
    b2,
    "(0.6, 1)" if silent_sgd_phase else "[0, 1)",
  )
  core.check_range("schedule_free_radam", "eps", eps, "[0, inf)")

  def init(params):
    return AdamMoments(mu=None, nu=core.zeros(params, state_dtype))

  def direction(grads, moments, k, rate):
    beta2 = core.as_scalar(b2, rate.dtype)
    length, limit = _averaging_length(beta2, k), (1 + beta2) / (1 - beta2)
    known = length > 4
    # Numbers that are harmless where they are not used.
    length, limit = jnp.where(known, length, 5), jnp.where(known, limit, 9)
    variance = ((length - 4) / (limit - 4)) * ((length - 2) / (limit - 2))
    rectified = jnp.sqrt(variance * (limit / length))
    rate = rate * jnp.where(known, rectified, 0 if silent_sgd_phase else 1)
    nu = _decayed_mean(moments.nu, _squares(grads), beta2)
    u = _normalised(grads, nu, 1 - beta2**k, eps, known)
    return u, AdamMoments(None, core.cast_like(nu, moments.nu)), rate

  return _schedule_free.build(
    "schedule_free_radam",
    _schedule_free.descent(
      "schedule_free_radam", init, direction, weight_decay, mask
    ),
    learning_rate,
    b1=b1,
    warmup_steps=0,
    r=r,
    weight_lr_power=weight_lr_power,
    store_x=store_x,
    state_dtype=state_dtype,
  )
