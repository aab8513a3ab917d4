# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""D-Adaptation of SGD and AdaGrad: their step size without a tuned rate.

Computed from the gradients and the distance that they show. Needs the
parameters.
"""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize import core
from optax_stepsize.distance import _d_adaptation as family


def dadapt_sgd(
  learning_rate: core.ScalarOrSchedule = 1.0,
  *,
  momentum: chex.Numeric = 0.0,
  weight_decay: chex.Numeric = 0.0,
  mask: core.Mask = None,
  d0: chex.Numeric = 1e-6,
  growth_rate: chex.Numeric = float("inf"),
  per_group: core.PerGroup = None,
  state_dtype: Any | None = None,
  compensate: bool | None = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""D-Adaptation of SGD: estimates the distance that sets its step size.

  With rate :math:`\gamma_k`, the norm :math:`G` of the first nonzero gradient
  and the estimate :math:`d` of the distance from the start :math:`x_0` to the
  solution,

  .. math::
    \begin{aligned}
    \lambda &= d \gamma_k / G, \qquad
    n \leftarrow n + \lambda \langle g, s \rangle, \qquad
    s \leftarrow s + \lambda g, \\
    d &\leftarrow \max(d, \hat d), \quad \hat d = 2 n / \lVert s \rVert, \qquad
    x \leftarrow \beta x + (1 - \beta) (x_0 - s).
    \end{aligned}

  On a deterministic convex problem the estimate is never above twice the
  distance. The step tends to distance over first gradient, which on a badly
  conditioned problem is too long at a constant rate: give it the schedule that
  SGD would have, with its peak at one. All movement is rebuilt from the start
  and the sum of gradients, so that nothing may rescale updates after it, nor
  change parameters besides it. Clip gradients before it.

  Needs: params.
  State: 8 bytes per float32 parameter; 2 more per bfloat16 or float16 one.

  Args:
    learning_rate: Multiplies the estimate; at least zero, one at its peak. A
      float or schedule. A rate of zero skips the update.
    momentum: Averaging of the points, in [0, 1); not heavy ball.
    weight_decay: L2 decay, added to the gradients; >= 0. Two to four times the
      usual value is often needed.
    mask: Leaves to decay: a tree of booleans, a prefix of one, or a function
      from parameters to it. By default all.
    d0: First estimate, > 0.
    growth_rate: Largest factor by which the estimate may grow per update, >= 1.
      1.02 gives a soft warm-up.
    per_group: Which leaves share an estimate. None: all. "leaf": each has its
      own. Otherwise those with equal labels in a tree of hashable labels like
      the parameters, a prefix of one, or a function from parameters to it.
      A mask that is a function sees one group at a time.
    state_dtype: Dtype of the sum of gradients, by default float32 (float64 for
      float64 parameters). The anchor has that of the parameters, which are
      drawn to it.
    compensate: None: leaves narrower than float32 keep their rounding residual
      (see `compensated`). False: they do not.
    axis_name: Mesh axes over which parameters are sharded, in `jax.shard_map`.

  Returns:
    A transformation whose updates are ready for `optax.apply_updates`.

  Raises:
    ValueError: If an argument is out of its range, `params` are not given to
      `update`, a leaf is not floating, or it has no label in `per_group`.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> curvature = jnp.array([0.1, 0.5, 1.0, 3.0])
    >>> target = jnp.array([1.0, -2.0, 3.0, 0.5])
    >>> loss = lambda p: 0.5 * jnp.sum(curvature * (p - target) ** 2)
    >>> tx = optax_stepsize.dadapt_sgd(optax.cosine_decay_schedule(1.0, 300))
    >>> params = jnp.zeros(4)
    >>> state = tx.init(params)
    >>> @jax.jit
    ... def step(params, state):
    ...   updates, state = tx.update(jax.grad(loss)(params), state, params)
    ...   return optax.apply_updates(params, updates), state
    >>> for _ in range(300):
    ...   params, state = step(params, state)
    >>> assert jnp.max(jnp.abs(params - target)) < 1e-2
    >>> assert 1e-3 < optax.tree.get(state, "distance") < 2 * 3.8

  References:
    Defazio and Mishchenko, Learning-Rate-Free Learning by D-Adaptation, ICML
    2023, arXiv 2301.07733; BibTeX by `optax_stepsize.cite("dadapt_sgd")`.
  """
  family.check_common(
    "dadapt_sgd", learning_rate, weight_decay, d0, state_dtype, growth_rate
  )
  core.check_range("dadapt_sgd", "momentum", momentum, "[0, 1)")

  def init(params):
    return family.first_state(
      params,
      d0,
      state_dtype,
      anchor=core.copies(params, None),
      first_grad_norm=jnp.zeros((), core.accumulator_dtype(params)),
    )

  def update(updates, state, params, *, rate, **extra_args):
    # G = first_norm; lambda = step_size; n, s, x_0 = numerator, grad_sum,
    # anchor; beta = momentum.
    del extra_args
    dtype = state.distance.dtype

    # Differs from the reference: the norm is that of the first gradient that is
    # not zero, at a rate that is not. There such a first step fails: it divides
    # by zero, or has no sum of gradients.
    grads = core.decayed(updates, params, weight_decay, mask)
    (norm_sq,) = core.global_sums(
      core.leaf_squares(updates), axis_name=axis_name, dtype=dtype
    )
    started = state.first_grad_norm > 0
    first_norm = jnp.where(started, state.first_grad_norm, jnp.sqrt(norm_sq))
    informed = (first_norm > 0) & jnp.isfinite(norm_sq) & (rate != 0)
    step_size = core.safe_divide(state.distance * rate, first_norm)

    def add(s, g):
      s = s.astype(dtype)
      return jnp.where(informed, s + step_size * g.astype(dtype), s)

    grad_sum = jax.tree.map(add, state.grad_sum, grads)
    sum_sq, product = core.global_sums(
      *family.leaf_dot_pairs(
        grad_sum,
        grad_sum,
        core.cast_like(grads, grad_sum),
        core.cast_like(state.grad_sum, grad_sum),
      ),
      axis_name=axis_name,
      dtype=dtype,
    )
    numerator = state.numerator + step_size * product

    keep = core.as_scalar(momentum, dtype)

    def move(anchor, s, p):
      whole = anchor.astype(dtype) - s - p.astype(dtype)
      return jnp.where(informed, (1 - keep) * whole, jnp.zeros_like(whole))

    moves = jax.tree.map(move, state.anchor, grad_sum, params)
    return moves, family.next_state(
      state,
      informed=informed,
      rate=rate,
      step_size=step_size,
      numerator=numerator,
      # Differs from the reference: gradients that cancel exactly leave no sum
      # and no estimate, but the step is made. There it is not.
      estimate=2 * core.safe_divide(numerator, jnp.sqrt(sum_sq)),
      growth_rate=growth_rate,
      grad_sum=grad_sum,
      first_grad_norm=jnp.where(informed, first_norm, state.first_grad_norm),
    )

  tx = core.grouped("dadapt_sgd", init, update, learning_rate, per_group)
  return core.compensate_if("dadapt_sgd", tx, compensate)


def dadapt_adagrad(
  learning_rate: core.ScalarOrSchedule = 1.0,
  *,
  momentum: chex.Numeric = 0.0,
  eps: chex.Numeric = 1e-6,
  weight_decay: chex.Numeric = 0.0,
  mask: core.Mask = None,
  d0: chex.Numeric = 1e-6,
  growth_rate: chex.Numeric = float("inf"),
  per_group: core.PerGroup = None,
  state_dtype: Any | None = None,
  compensate: bool | None = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""D-Adaptation of AdaGrad: estimates the distance that sets its step size.

  With rate :math:`\gamma_k`, the estimate :math:`d` of the distance (largest
  over coordinates) from the start :math:`x_0` to the solution and
  :math:`a = 10^{-6}` at first,

  .. math::
    \begin{aligned}
    \lambda &= d \gamma_k, \qquad a \leftarrow a + g^2, \qquad
    D = \sqrt a + \epsilon, \qquad s \leftarrow s + \lambda g, \\
    n &\leftarrow n + \lambda^2 \textstyle\sum g^2 / D, \qquad
    \hat d = \bigl(\textstyle\sum s^2 / D - n\bigr) / \lVert s \rVert_1, \\
    d &\leftarrow \max(d, \hat d), \qquad
    x \leftarrow \beta x + (1 - \beta) (x_0 - s / D).
    \end{aligned}

  Slower to adapt than the other variants, say its authors. All movement is
  rebuilt from the start and the sum of gradients, so that nothing may rescale
  updates after it, nor change parameters besides it. At a rate of zero after
  the first update parameters may move, since D grows.

  Needs: params.
  State: 12 bytes per float32 parameter; 2 more per bfloat16 or float16 one.

  Args:
    learning_rate: Multiplies the estimate; at least zero, one at its peak. A
      float or schedule.
    momentum: Averaging of the points, in [0, 1); not heavy ball.
    eps: Added to the root of the sum of squares, >= 0.
    weight_decay: L2 decay, added to the gradients; >= 0.
    mask: Leaves to decay: a tree of booleans, a prefix of one, or a function
      from parameters to it. By default all.
    d0: First estimate, > 0.
    growth_rate: Largest factor by which the estimate may grow per update, >= 1.
    per_group: Which leaves share an estimate. None: all. "leaf": each has its
      own. Otherwise those with equal labels in a tree of hashable labels like
      the parameters, a prefix of one, or a function from parameters to it.
      A mask that is a function sees one group at a time.
    state_dtype: Dtype of both sums, by default float32 (float64 for float64
      parameters). The anchor has that of the parameters, which are drawn to it.
    compensate: None: leaves narrower than float32 keep their rounding residual
      (see `compensated`). False: they do not.
    axis_name: Mesh axes over which parameters are sharded, in `jax.shard_map`.

  Returns:
    A transformation whose updates are ready for `optax.apply_updates`.

  Raises:
    ValueError: If an argument is out of its range, `params` are not given to
      `update`, a leaf is not floating, or it has no label in `per_group`.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> curvature = jnp.array([0.1, 0.5, 1.0, 3.0])
    >>> target = jnp.array([1.0, -2.0, 3.0, 0.5])
    >>> loss = lambda p: 0.5 * jnp.sum(curvature * (p - target) ** 2)
    >>> tx = optax_stepsize.dadapt_adagrad()
    >>> params = jnp.zeros(4)
    >>> state = tx.init(params)
    >>> @jax.jit
    ... def step(params, state):
    ...   updates, state = tx.update(jax.grad(loss)(params), state, params)
    ...   return optax.apply_updates(params, updates), state
    >>> for _ in range(600):
    ...   params, state = step(params, state)
    >>> assert jnp.max(jnp.abs(params - target)) < 1e-2

  References:
    Defazio and Mishchenko, Learning-Rate-Free Learning by D-Adaptation, ICML
    2023, arXiv 2301.07733; BibTeX by `optax_stepsize.cite("dadapt_adagrad")`.
  """
  family.check_common(
    "dadapt_adagrad", learning_rate, weight_decay, d0, state_dtype, growth_rate
  )
  core.check_range("dadapt_adagrad", "momentum", momentum, "[0, 1)")
  core.check_range("dadapt_adagrad", "eps", eps, "[0, inf)")

  def init(params):
    return family.first_state(
      params,
      d0,
      state_dtype,
      nu=jax.tree.map(lambda z: z + 1e-6, core.zeros(params, state_dtype)),
      anchor=core.copies(params, None),
    )

  def update(updates, state, params, *, rate, **extra_args):
    # lambda = step_size; a, D = nu, scale; n, s, x_0 = numerator, grad_sum,
    # anchor; beta = momentum.
    del extra_args
    dtype = state.distance.dtype
    step_size = state.distance * rate

    grads = core.decayed(updates, params, weight_decay, mask)
    steps = jax.tree.map(lambda g: step_size * g.astype(dtype), grads)
    grad_sum = jax.tree.map(
      lambda s, step: s.astype(dtype) + step, state.grad_sum, steps
    )
    norm, size = core.global_sums(
      core.leaf_abs(grad_sum),
      core.leaf_abs(grads),
      axis_name=axis_name,
      dtype=dtype,
    )
    finite = jnp.isfinite(norm) & family.has_squares(size)
    informed = finite & (norm > 0)
    grad_sum = core.select(
      finite, grad_sum, core.cast_like(state.grad_sum, grad_sum)
    )

    def add_square(a, g):
      a, g = a.astype(dtype), g.astype(dtype)
      return jnp.where(finite, a + g * g, a)

    nu = jax.tree.map(add_square, state.nu, grads)

    # Never zero, because a starts above.
    def scale(a):
      return jnp.sqrt(a) + core.as_scalar(eps, dtype)

    def scaled(x, a):
      return x / scale(a)

    # x^2 / D as the square of this: that of x alone may be out of range.
    def rooted(x, a):
      return x / jnp.sqrt(scale(a))

    scaled_sum = jax.tree.map(scaled, grad_sum, nu)
    rooted_sum = jax.tree.map(rooted, grad_sum, nu)
    rooted_steps = jax.tree.map(rooted, steps, nu)
    sum_sq, squares = core.global_sums(
      *family.leaf_dot_pairs(
        rooted_sum, rooted_sum, rooted_steps, rooted_steps
      ),
      axis_name=axis_name,
      dtype=dtype,
    )
    numerator = state.numerator + squares

    keep = core.as_scalar(momentum, dtype)

    def move(anchor, scaled, p):
      whole = anchor.astype(dtype) - scaled - p.astype(dtype)
      return jnp.where(informed, (1 - keep) * whole, jnp.zeros_like(whole))

    moves = jax.tree.map(move, state.anchor, scaled_sum, params)
    return moves, family.next_state(
      state,
      informed=informed,
      rate=rate,
      step_size=step_size,
      numerator=numerator,
      estimate=core.safe_divide(sum_sq - numerator, norm),
      growth_rate=growth_rate,
      grad_sum=grad_sum,
      nu=nu,
    )

  tx = core.grouped("dadapt_adagrad", init, update, learning_rate, per_group)
  return core.compensate_if("dadapt_adagrad", tx, compensate)
