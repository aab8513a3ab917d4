# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""D-Adaptation of Lion: its step size without a tuned rate. Experimental.

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


def dadapt_lion(
  learning_rate: core.ScalarOrSchedule = 1.0,
  *,
  b1: chex.Numeric = 0.9,
  b2: chex.Numeric = 0.99,
  weight_decay: chex.Numeric = 0.0,
  mask: core.Mask = None,
  d0: chex.Numeric = 1e-6,
  per_group: core.PerGroup = None,
  state_dtype: Any | None = None,
  compensate: bool | None = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""D-Adaptation of Lion: estimates the distance that sets its step size.

  With rate :math:`\gamma_k`, the estimate :math:`d` of the distance (largest
  over coordinates) from the start to the solution and
  :math:`q = \sqrt{\beta_2}`,

  .. math::
    \begin{aligned}
    \lambda &= d \gamma_k, \qquad
    u = \mathrm{sign}(\beta_1 m + (1 - \beta_1) g), \qquad
    m \leftarrow \beta_2 m + (1 - \beta_2) \lambda g, \\
    n &\leftarrow q n + (1 - q) \lambda \langle u, s \rangle, \qquad
    s \leftarrow q s + (1 - q) \lambda u, \\
    d &\leftarrow \max(d, \hat d), \quad
    \hat d = \frac{n}{(1 - q) \lVert s \rVert_1}, \qquad
    x \leftarrow (1 - \lambda w) x - \lambda u.
    \end{aligned}

  Every entry moves by :math:`\lambda` in every update, so that only a
  decreasing schedule lets it settle: give it one, with its peak at one.
  Nothing may rescale updates after it. The scale of the gradients does not
  matter at all. Experimental, as its authors say.

  Needs: params.
  State: 8 bytes per float32 parameter; 2 more per bfloat16 or float16 one.

  Args:
    learning_rate: Multiplies the estimate; at least zero, one at its peak. A
      float or schedule. At a rate of zero, averages decay.
    b1: Weight of the moment in the step, in [0, 1).
    b2: Decay of the moment, in [0, 1); its root is that of the estimate.
    weight_decay: Decay w, times the step size and apart from the gradients; at
      least zero. Applied from the first update, whatever the gradients.
    mask: Leaves to decay: a tree of booleans, a prefix of one, or a function
      from parameters to it. By default all.
    d0: First estimate, > 0.
    per_group: Which leaves share an estimate. None: all. "leaf": each has its
      own. Otherwise those with equal labels in a tree of hashable labels like
      the parameters, a prefix of one, or a function from parameters to it.
      A mask that is a function sees one group at a time.
    state_dtype: Dtype of the moment and of the sum of signs; by default
      float32, or float64 for float64 parameters.
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
    >>> tx = optax_stepsize.dadapt_lion(optax.cosine_decay_schedule(1.0, 600))
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
    2023, arXiv 2301.07733; BibTeX by `optax_stepsize.cite("dadapt_lion")`.
  """
  family.check_common(
    "dadapt_lion", learning_rate, weight_decay, d0, state_dtype
  )
  core.check_range("dadapt_lion", "b1", b1, "[0, 1)")
  core.check_range("dadapt_lion", "b2", b2, "[0, 1)")

  def init(params):
    return family.first_state(
      params, d0, state_dtype, mu=core.zeros(params, state_dtype)
    )

  def update(updates, state, params, *, rate, **extra_args):
    # lambda, u, m = step_size, sign, mu; q = root; n, s = numerator, grad_sum;
    # w = weight_decay.
    del extra_args
    dtype = state.distance.dtype
    beta1, beta2 = core.as_scalar(b1, dtype), core.as_scalar(b2, dtype)
    root = jnp.sqrt(beta2)
    step_size = state.distance * rate

    # The step needs no sum over entries, so that one pass does: what is not
    # finite is left out entry by entry, since all would have to wait for more.
    def choose(m, g):
      m, g = m.astype(dtype), g.astype(dtype)
      direction = jnp.sign(beta1 * m + (1 - beta1) * g)
      return jnp.where(jnp.isfinite(g), direction, jnp.zeros_like(g))

    def first_moment(m, g):
      m, g = m.astype(dtype), g.astype(dtype)
      new = beta2 * m + (1 - beta2) * (step_size * g)
      return jnp.where(jnp.isfinite(g), new, m)

    sign = jax.tree.map(choose, state.mu, updates)
    mu = jax.tree.map(first_moment, state.mu, updates)
    grad_sum = jax.tree.map(
      lambda s, u: root * s.astype(dtype) + (1 - root) * (step_size * u),
      state.grad_sum,
      sign,
    )
    product, norm = core.global_sums(
      *family.leaf_dot_pairs(
        sign,
        core.cast_like(state.grad_sum, sign),
        jax.tree.map(jnp.sign, grad_sum),
        grad_sum,
      ),
      axis_name=axis_name,
      dtype=dtype,
    )
    numerator = root * state.numerator + (1 - root) * (step_size * product)

    moves = jax.tree.map(lambda u: -step_size * u, sign)
    if not core.is_known_zero(weight_decay):
      decay = core.as_scalar(weight_decay, dtype) * step_size
      moves = core.decayed(moves, params, -decay, mask)
    new_state = family.next_state(
      state,
      informed=norm > 0,
      rate=rate,
      step_size=step_size,
      numerator=numerator,
      estimate=core.safe_divide(numerator, (1 - root) * norm),
      grad_sum=grad_sum,
      mu=mu,
    )
    # Decay has it, whatever the gradients.
    return moves, new_state._replace(step_size=step_size)

  tx = core.grouped("dadapt_lion", init, update, learning_rate, per_group)
  return core.compensate_if("dadapt_lion", tx, compensate)
