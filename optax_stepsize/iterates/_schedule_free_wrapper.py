# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Schedule-Free around any optimizer.

Computed from past points and what the base needs. Needs the parameters.
"""

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize import core
from optax_stepsize.iterates import _schedule_free


def schedule_free(
  base: (
    optax.GradientTransformation
    | Callable[[chex.Numeric], optax.GradientTransformation]
  ),
  learning_rate: core.ScalarOrSchedule,
  *,
  b1: chex.Numeric = 0.9,
  warmup_steps: int = 0,
  r: chex.Numeric = 0.0,
  weight_lr_power: chex.Numeric = 2.0,
  weight_decay: chex.Numeric = 0.0,
  mask: core.Mask = None,
  decay_at: str | None = "y",
  base_params: str = "z",
  store_x: bool | None = None,
  state_dtype: Any | None = None,
  effective_lr: Callable[[Any], chex.Numeric] | None = None,
) -> optax.GradientTransformationExtraArgs:
  r"""Makes any optimizer Schedule-Free: no decay of the rate, no horizon.

  The base is given gradients taken at :math:`y`, which the training loop holds,
  and moves :math:`z`; the average :math:`x` is evaluated. With the base's
  update :math:`U(g, z)` and rate :math:`\gamma_k`,

  .. math::
    \begin{aligned}
    z &\leftarrow z_k - \gamma_k \lambda y_k, \qquad z_{k+1} = z + U(g, z), \\
    x_{k+1} &= (1 - c_k) x_k + c_k z_{k+1}, \qquad
    c_k = w_k / \textstyle\sum_{i \le k} w_i, \quad
    w_k = (k + 1)^r \max_{i \le k} (\gamma_i d_i)^p, \\
    y_{k+1} &= \beta_1 x_{k+1} + (1 - \beta_1) z_{k+1}.
    \end{aligned}

  Give the base as a function of its rate, as `optax.rmsprop` is one: it is then
  made anew in every update, of the very rate that the weights are made of, so
  that a schedule or warm-up means the same to both. A base that is already made
  has its own rate, which must be `learning_rate`. Turn its momentum off: the
  average takes its place.

  Read x with `eval_params`, for validation, export and early stopping. Batch
  statistics gathered at y do not fit x: take them afresh there, as
  `optax_stepsize.linen.refresh_batch_stats` does. Clip before it; nothing
  should come after it.

  Needs: params, and what the base needs; extra arguments are passed on to it.
  State: 4 bytes per float32 parameter, 4 more where the average is stored, and
  the state of the base.

  Args:
    base: A function from a rate to a transformation, or a transformation. Its
      structure must not depend on the rate. Static.
    learning_rate: At least zero. A float or schedule. For a base that is
      already made: the rate that it applies.
    b1: Interpolation between x and z, in (0, 1), or [0, 1) with
      `store_x=True`. Below 0.5, store x.
    warmup_steps: Length of a linear warm-up, whose first rate is not zero but
      `learning_rate / warmup_steps`. For a base that is already made it must be
      zero. Static.
    r: Power of the step in the averaging weights; >= 0.
    weight_lr_power: Power of the largest rate in them; >= 0.
    weight_decay: Decay, times the rate; >= 0.
    mask: Leaves to decay: a tree of booleans, a prefix of one, or a function
      from parameters to it. By default all.
    decay_at: The point that `weight_decay` is a fraction of: "y", as the
      authors advise, or "z". None: the base decays, if anything does.
    base_params: What the base is given as parameters: "z", the point that it
      moves, or "y", as Optax does. Decay of the base acts there, and methods
      that measure distances should see z.
    store_x: True keeps x in the state, False rebuilds it from y and z. None
      keeps it for leaves narrower than float32, whose y is too coarse.
    state_dtype: Dtype of z; by default float32, or float64 for float64
      parameters. The base works in float32 or float64 in any case.
    effective_lr: For a base that estimates its step size: from its state after
      the update to the factor :math:`d` of the rate, which enters the averaging
      weights; `lambda state: optax.tree.get(state, "distance")` for `prodigy`.
      None is one. Static.

  Returns:
    A transformation whose updates are ready for `optax.apply_updates`.

  Raises:
    ValueError: If an argument is out of its range, `warmup_steps` or
      `weight_decay` would have no effect, `params` are not given to `update`,
      or a leaf is not floating.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> curvature = jnp.array([0.1, 0.5, 1.0, 3.0])
    >>> target = jnp.array([1.0, -2.0, 3.0, 0.5])
    >>> loss = lambda p: 0.5 * jnp.sum(curvature * (p - target) ** 2)
    >>> tx = optax_stepsize.schedule_free(
    ...     lambda rate: optax.rmsprop(rate, decay=0.99), 0.3, warmup_steps=10
    ... )
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
    Scheduled, NeurIPS 2024, arXiv 2405.15682; BibTeX by
    `optax_stepsize.cite("schedule_free")`.
  """
  core.check_range("schedule_free", "weight_decay", weight_decay, "[0, inf)")
  core.check_choice("schedule_free", "decay_at", decay_at, ("y", "z", None))
  core.check_choice("schedule_free", "base_params", base_params, ("z", "y"))
  if warmup_steps and not callable(base):
    raise ValueError(
      "schedule_free: warmup_steps must be 0 for a base that is already made,"
      f" whose rate would not follow, got {warmup_steps}. Fix: pass base as a"
      " function of its rate, such as optax.sgd."
    )
  decays = not core.is_known_zero(weight_decay)
  if decays and decay_at is None:
    raise ValueError(
      "schedule_free: weight_decay must be 0 with decay_at=None, got"
      f" {weight_decay}. Fix: decay in the base, or at 'y' or 'z'."
    )

  def made(rate):
    tx = base(rate) if callable(base) else base
    return optax.with_extra_args_support(tx)

  def init(params):
    # Differs from the reference: the base is shown the start, which methods
    # that measure distances keep. There it first sees z after its first decay.
    # Any rate will do, but a schedule is not to be called here. The base may
    # hold on to what it is given, so that it is not given z itself.
    rate = 1.0 if callable(learning_rate) else learning_rate
    rate = core.as_scalar(rate, core.accumulator_dtype(params))
    wide = jax.tree.map(
      lambda p: core.copies(p, core.wide_dtype(p.dtype)), params
    )
    return made(rate).init(wide)

  def update(grads, base_state, k, rate, y, z, extra_args):
    del k
    wide = jax.tree.map(core.widen, y)
    decay = None
    if decays:
      decay = core.decayed(
        jax.tree.map(jnp.zeros_like, z),
        wide if decay_at == "y" else z,
        -rate * core.as_scalar(weight_decay, rate.dtype),
        mask,
      )
      z = jax.tree.map(jnp.add, z, decay)
    steps, base_state = made(rate).update(
      grads, base_state, z if base_params == "z" else wide, **extra_args
    )
    steps = core.cast_like(steps, z)
    if decay is not None:
      steps = jax.tree.map(jnp.add, steps, decay)
    if effective_lr is not None:
      rate = rate * core.as_scalar(effective_lr(base_state), rate.dtype)
    return steps, base_state, rate

  return _schedule_free.build(
    "schedule_free",
    _schedule_free.Base(init, update),
    learning_rate,
    b1=b1,
    warmup_steps=warmup_steps,
    r=r,
    weight_lr_power=weight_lr_power,
    store_x=store_x,
    state_dtype=state_dtype,
  )
