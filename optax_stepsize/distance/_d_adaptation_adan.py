# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""D-Adaptation of Adan: its step size without a tuned rate. Experimental.

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


def dadapt_adan(
  learning_rate: core.ScalarOrSchedule = 1.0,
  *,
  b1: chex.Numeric = 0.98,
  b2: chex.Numeric = 0.92,
  b3: chex.Numeric = 0.99,
  eps: chex.Numeric = 1e-8,
  weight_decay: chex.Numeric = 0.02,
  no_prox: bool = False,
  mask: core.Mask = None,
  d0: chex.Numeric = 1e-6,
  growth_rate: chex.Numeric = float("inf"),
  per_group: core.PerGroup = None,
  state_dtype: Any | None = None,
  compensate: bool | None = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""D-Adaptation of Adan: estimates the distance that sets its step size.

  With rate :math:`\gamma_k`, the estimate :math:`d` of the distance from the
  start to the solution, the change :math:`\delta` of the gradient and
  :math:`u = g + \beta_2 \delta`,

  .. math::
    \begin{aligned}
    \lambda &= d \gamma_k, \qquad
    m \leftarrow \beta_1 m + (1 - \beta_1) \lambda g, \qquad
    m' \leftarrow \beta_2 m' + (1 - \beta_2) \lambda \delta, \\
    v &\leftarrow \beta_3 v + (1 - \beta_3) u^2, \qquad
    D = \sqrt v + \epsilon, \qquad
    s \leftarrow \beta_3 s + (1 - \beta_3) \lambda g, \\
    n &\leftarrow \beta_3 n
    + (1 - \beta_3) \lambda^2 \textstyle\sum g^2 / D, \qquad
    \hat d = \Bigl(\frac{\sum s^2 / D}{1 - \beta_3} - n\Bigr)
    / \lVert s \rVert_1, \\
    d &\leftarrow \max(d, \hat d), \qquad
    x \leftarrow \bigl(x - (m + \beta_2 m') / D\bigr) / (1 + \lambda w).
    \end{aligned}

  Experimental, as its authors say: the estimate can be many times too large,
  which a decreasing schedule or a `growth_rate` moderates. Nothing may rescale
  updates after it; clip gradients before it.

  Needs: params.
  State: 20 bytes per float32 parameter; 2 more per bfloat16 or float16 one.

  Args:
    learning_rate: Multiplies the estimate; at least zero, one at its peak. A
      float or schedule. At a rate of zero, averages decay.
    b1: Decay of the first moment, in [0, 1).
    b2: Decay of the mean change of gradients, and its weight; in [0, 1).
    b3: Decay of the second moment and of the estimate, in [0, 1).
    eps: Added to the root of the second moment, >= 0.
    weight_decay: Decay w, times the step size and apart from the gradients; at
      least zero.
    no_prox: False: decay divides what the step leaves, a proximal step. True:
      it multiplies the parameters before the step, as in AdamW.
    mask: Leaves to decay: a tree of booleans, a prefix of one, or a function
      from parameters to it. By default all.
    d0: First estimate, > 0.
    growth_rate: Largest factor by which the estimate may grow per update, >= 1.
      1.02 gives a soft warm-up.
    per_group: Which leaves share an estimate. None: all. "leaf": each has its
      own. Otherwise those with equal labels in a tree of hashable labels like
      the parameters, a prefix of one, or a function from parameters to it.
      A mask that is a function sees one group at a time.
    state_dtype: Dtype of all trees in the state; by default float32, or float64
      for float64 parameters.
    compensate: None: leaves narrower than float32 keep their rounding residual
      (see `compensated`). False: they do not, and first steps are lost.
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
    >>> tx = optax_stepsize.dadapt_adan(
    ...     optax.cosine_decay_schedule(1.0, 600), weight_decay=0.0
    ... )
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
    2023, arXiv 2301.07733; Xie et al., Adan, arXiv 2208.06677. BibTeX by
    `optax_stepsize.cite("dadapt_adan")`.
  """
  family.check_common(
    "dadapt_adan", learning_rate, weight_decay, d0, state_dtype, growth_rate
  )
  core.check_range("dadapt_adan", "b1", b1, "[0, 1)")
  core.check_range("dadapt_adan", "b2", b2, "[0, 1)")
  core.check_range("dadapt_adan", "b3", b3, "[0, 1)")
  core.check_range("dadapt_adan", "eps", eps, "[0, inf)")

  def init(params):
    return family.first_state(
      params,
      d0,
      state_dtype,
      mu=core.zeros(params, state_dtype),
      nu=core.zeros(params, state_dtype),
      mu_diff=core.zeros(params, state_dtype),
      last_grad=core.zeros(params, state_dtype),
    )

  def update(updates, state, params, *, rate, **extra_args):
    # lambda = step_size; m, m', v, D = mu, mu_diff, nu, scale; n, s =
    # numerator, grad_sum; w = weight_decay.
    del extra_args
    dtype = state.distance.dtype
    beta1, beta2 = core.as_scalar(b1, dtype), core.as_scalar(b2, dtype)
    beta3 = core.as_scalar(b3, dtype)
    step_size = state.distance * rate

    tree_map = jax.tree.map
    grads = tree_map(lambda g: g.astype(dtype), updates)
    steps = tree_map(lambda g: step_size * g, grads)

    # Whether there is a step is known from the sum of gradients alone; with
    # that known, one more pass does the rest.
    grad_sum = tree_map(
      lambda s, step: beta3 * s.astype(dtype) + (1 - beta3) * step,
      state.grad_sum,
      steps,
    )
    norm, size = core.global_sums(
      core.leaf_abs(grad_sum),
      core.leaf_abs(grads),
      axis_name=axis_name,
      dtype=dtype,
    )
    started = state.effective_count > 0
    finite = jnp.isfinite(norm) & family.has_squares(size)
    informed = finite & (norm > 0)
    grad_sum = core.select(
      finite, grad_sum, core.cast_like(state.grad_sum, grad_sum)
    )

    # Where a step is none for want of a rate, the second moment still learns;
    # the other averages stay at zero by themselves.
    def mean(beta):
      def average(old, new):
        old = old.astype(dtype)
        return jnp.where(finite, beta * old + (1 - beta) * new, old)

      return average

    def over_scale(x, v):
      # x / D, before x * x / D: the square alone may be out of range.
      return core.safe_divide(x, jnp.sqrt(v) + core.as_scalar(eps, dtype))

    change = tree_map(
      lambda g, h: jnp.where(started, g - h.astype(dtype), jnp.zeros_like(g)),
      grads,
      state.last_grad,
    )
    square = tree_map(lambda g, c: (g + beta2 * c) ** 2, grads, change)
    mu = tree_map(mean(beta1), state.mu, steps)
    mu_diff = tree_map(
      mean(beta2), state.mu_diff, tree_map(lambda c: step_size * c, change)
    )
    nu = tree_map(mean(beta3), state.nu, square)
    last_grad = tree_map(
      lambda g, h: jnp.where(
        informed | (finite & ~started), g, h.astype(dtype)
      ),
      grads,
      state.last_grad,
    )

    squares, sum_sq = core.global_sums(
      *family.leaf_dot_pairs(
        steps,
        tree_map(over_scale, steps, nu),
        grad_sum,
        tree_map(over_scale, grad_sum, nu),
      ),
      axis_name=axis_name,
      dtype=dtype,
    )
    numerator = beta3 * state.numerator + (1 - beta3) * squares

    moves = tree_map(
      lambda m, c, v: -over_scale(m + beta2 * c, v), mu, mu_diff, nu
    )
    if not core.is_known_zero(weight_decay):
      decay = core.as_scalar(weight_decay, dtype) * step_size
      if no_prox:
        moves = core.decayed(moves, params, -decay, mask)
      else:
        # (x + move) / (1 + decay) - x.
        shrink = -decay / (1 + decay)
        moves = core.decayed(moves, moves, shrink, mask)
        moves = core.decayed(moves, params, shrink, mask)
    moves = core.select(informed, moves, tree_map(jnp.zeros_like, moves))
    return moves, family.next_state(
      state,
      informed=informed,
      rate=rate,
      step_size=step_size,
      numerator=numerator,
      estimate=core.safe_divide(sum_sq / (1 - beta3) - numerator, norm),
      growth_rate=growth_rate,
      grad_sum=grad_sum,
      mu=mu,
      nu=nu,
      mu_diff=mu_diff,
      last_grad=last_grad,
    )

  tx = core.grouped("dadapt_adan", init, update, learning_rate, per_group)
  return core.compensate_if("dadapt_adan", tx, compensate)
