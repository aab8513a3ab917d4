# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Schedule-Free SGD: averaging in place of momentum and of a schedule.

Computed from past points (and a warm-up; no horizon). Needs the parameters.
"""

from typing import Any

import chex
import optax

from optax_stepsize import core
from optax_stepsize.iterates import _schedule_free


def schedule_free_sgd(
  learning_rate: core.ScalarOrSchedule = 1.0,
  *,
  b1: chex.Numeric = 0.9,
  warmup_steps: int = 0,
  weight_decay: chex.Numeric = 0.0,
  mask: core.Mask = None,
  r: chex.Numeric = 0.0,
  weight_lr_power: chex.Numeric = 2.0,
  store_x: bool | None = None,
  state_dtype: Any | None = None,
) -> optax.GradientTransformationExtraArgs:
  r"""Schedule-Free SGD: no momentum, no decay of the rate, no horizon.

  Gradients are taken at :math:`y`, which the training loop holds; steps are
  made at :math:`z`; the average :math:`x` is evaluated. With the gradient
  :math:`g` at :math:`y_k` and rate :math:`\gamma_k`,

  .. math::
    \begin{aligned}
    z_{k+1} &= z_k - \gamma_k (g + \lambda y_k), \\
    x_{k+1} &= (1 - c_k) x_k + c_k z_{k+1}, \qquad
    c_k = w_k / \textstyle\sum_{i \le k} w_i, \quad
    w_k = (k + 1)^r \max_{i \le k} \gamma_i^p, \\
    y_{k+1} &= \beta_1 x_{k+1} + (1 - \beta_1) z_{k+1}.
    \end{aligned}

  Read x with `eval_params`, for validation, export and early stopping. Batch
  statistics gathered at y do not fit x: take them afresh there, as
  `optax_stepsize.linen.refresh_batch_stats` does. Save parameters and state
  together: a run cannot be resumed from x alone.

  Needs: params.
  State: 4 bytes per float32 parameter; 4 more where the average is stored.

  Args:
    learning_rate: At least zero; 10 to 50 times the usual rate of SGD with
      momentum. A float or schedule.
    b1: Interpolation between x and z, in (0, 1), or [0, 1) with
      `store_x=True`; 0.95 or 0.98 for very long runs. Towards one it becomes
      primal averaging, towards zero the average of SGD's points.
    warmup_steps: Length of a linear warm-up, whose first rate is not zero but
      `learning_rate / warmup_steps`. Static.
    weight_decay: Decay at y, times the rate, which here is L2; >= 0.
    mask: Leaves to decay: a tree of booleans, a prefix of one, or a function
      from parameters to it. By default all.
    r: Power of the step in the averaging weights; >= 0.
    weight_lr_power: Power of the largest rate in them; >= 0.
    store_x: True keeps x in the state, False rebuilds it from y and z. None
      keeps it for leaves narrower than float32, whose y is too coarse. Where x
      is kept, y is computed from it, so that changes of the parameters by
      others have no effect.
    state_dtype: Dtype of z; by default float32, or float64 for float64
      parameters. In bfloat16 an entry stands still whose steps are
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
    >>> tx = optax_stepsize.schedule_free_sgd(1.0, warmup_steps=10)
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
    `optax_stepsize.cite("schedule_free_sgd")`.
  """

  def direction(grads, moments, k, rate):
    del k
    return grads, moments, rate

  return _schedule_free.build(
    "schedule_free_sgd",
    _schedule_free.descent(
      "schedule_free_sgd", lambda params: None, direction, weight_decay, mask
    ),
    learning_rate,
    b1=b1,
    warmup_steps=warmup_steps,
    r=r,
    weight_lr_power=weight_lr_power,
    store_x=store_x,
    state_dtype=state_dtype,
  )
