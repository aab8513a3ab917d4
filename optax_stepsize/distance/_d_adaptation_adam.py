# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""D-Adaptation of Adam and AdamW: their step size without a tuned rate.

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


def _dadapt_adam(
  method: str,
  learning_rate: core.ScalarOrSchedule,
  *,
  b1: chex.Numeric,
  b2: chex.Numeric,
  eps: chex.Numeric,
  weight_decay: chex.Numeric,
  decouple: bool,
  mask: core.Mask,
  use_bias_correction: bool,
  layer_scale: Any | None,
  d0: chex.Numeric,
  growth_rate: chex.Numeric,
  per_group: core.PerGroup,
  state_dtype: Any | None,
  compensate: bool | None,
  axis_name: core.AxisName,
) -> optax.GradientTransformationExtraArgs:
  family.check_common(
    method, learning_rate, weight_decay, d0, state_dtype, growth_rate
  )
  core.check_range(method, "b1", b1, "[0, 1)")
  core.check_range(method, "b2", b2, "[0, 1)")
  core.check_range(method, "eps", eps, "[0, inf)")
  for scale in jax.tree.leaves(layer_scale):
    core.check_range(method, "layer_scale", scale, "(0, inf)")

  def init(params):
    return family.first_state(
      params,
      d0,
      state_dtype,
      mu=core.zeros(params, state_dtype),
      nu=core.zeros(params, state_dtype),
    )

  def update(updates, state, params, *, rate, **extra_args):
    # lambda = step_size; q = root; n, s = numerator, grad_sum; r = scales.
    del extra_args
    dtype = state.distance.dtype
    beta1, beta2 = core.as_scalar(b1, dtype), core.as_scalar(b2, dtype)
    root = jnp.sqrt(beta2)
    step_size = state.distance * rate
    if use_bias_correction:
      k = (state.effective_count + 1).astype(dtype)
      step_size = step_size * jnp.sqrt(1 - beta2**k) / (1 - beta1**k)
    if decouple:
      grads = updates
    else:
      grads = core.decayed(updates, params, weight_decay, mask)

    def mean(beta):
      def average(old, g):
        step = step_size * g.astype(dtype)
        return beta * old.astype(dtype) + (1 - beta) * step

      return average

    def weighted(tree):
      if layer_scale is None:
        return tree
      scales = jax.tree.broadcast(layer_scale, params)
      return jax.tree.map(
        lambda x, r: core.as_scalar(r, dtype) * x.astype(dtype), tree, scales
      )

    # The size of the gradient comes first, because it decides whether there is
    # a step. The sum of gradients is zero after the update where this gradient
    # is and no earlier one is remembered.
    (size,) = core.global_sums(
      core.leaf_abs(grads), axis_name=axis_name, dtype=dtype
    )
    usable = family.has_squares(size) & jnp.isfinite(step_size * size)
    usable &= rate != 0
    remembered = (state.effective_count > 0) & (root > 0)
    informed = usable & ((size > 0) | remembered)

    def scaled(x, v):
      # Zero over zero is no move. The square of a small gradient may be zero,
      # and eps is on request.
      return core.safe_divide(
        x.astype(dtype),
        jnp.sqrt(v.astype(dtype)) + core.as_scalar(eps, dtype),
      )

    def second_moment(v, g):
      g = g.astype(dtype)
      return beta2 * v.astype(dtype) + (1 - beta2) * (g * g)

    def averages(usable):
      def choose(new, old):
        return core.select(usable, new, core.cast_like(old, new))

      return (
        choose(jax.tree.map(mean(root), state.grad_sum, grads), state.grad_sum),
        choose(jax.tree.map(mean(beta1), state.mu, weighted(grads)), state.mu),
        choose(jax.tree.map(second_moment, state.nu, grads), state.nu),
      )

    directions = jax.tree.map(scaled, state.grad_sum, state.nu)

    # Of the two sums one comes before the averages change and one with them:
    # XLA copies an array that two sums read in the kernel that overwrites it.
    # On a CPU a kernel has one result, and all that reads old averages has to
    # come before. The conditions make it so; the sums of what is finite are.
    def after_norm(usable):
      norms = core.leaf_abs(jax.tree.map(mean(root), state.grad_sum, grads))
      (norm,) = core.global_sums(norms, axis_name=axis_name, dtype=dtype)
      new = averages(usable & jnp.isfinite(norm))
      return new, (core.leaf_dots(grads, directions), norms)

    def after_product(usable):
      products = core.leaf_dots(grads, directions)
      (product,) = core.global_sums(products, axis_name=axis_name, dtype=dtype)
      new = averages(usable & jnp.isfinite(product))
      return new, (products, core.leaf_abs(new[0]))

    (grad_sum, mu, nu), (products, norms) = jax.lax.platform_dependent(
      usable, cpu=after_product, default=after_norm
    )
    product, norm = core.global_sums(
      weighted(products), weighted(norms), axis_name=axis_name, dtype=dtype
    )
    moves = jax.tree.map(lambda m, v: -scaled(m, v), mu, nu)
    numerator = root * state.numerator + (1 - root) * (step_size * product)

    if decouple and not core.is_known_zero(weight_decay):
      decay = core.as_scalar(weight_decay, dtype) * step_size
      moves = core.decayed(moves, params, -decay, mask)
    moves = core.select(informed, moves, jax.tree.map(jnp.zeros_like, moves))
    return moves, family.next_state(
      state,
      informed=informed,
      rate=rate,
      step_size=step_size,
      numerator=numerator,
      estimate=core.safe_divide(numerator, (1 - root) * norm),
      growth_rate=growth_rate,
      grad_sum=grad_sum,
      mu=mu,
      nu=nu,
    )

  tx = core.grouped(method, init, update, learning_rate, per_group)
  return core.compensate_if(method, tx, compensate)


def dadapt_adam(
  learning_rate: core.ScalarOrSchedule = 1.0,
  *,
  b1: chex.Numeric = 0.9,
  b2: chex.Numeric = 0.999,
  eps: chex.Numeric = 1e-8,
  weight_decay: chex.Numeric = 0.0,
  decouple: bool = False,
  mask: core.Mask = None,
  use_bias_correction: bool = False,
  layer_scale: Any | None = None,
  d0: chex.Numeric = 1e-6,
  growth_rate: chex.Numeric = float("inf"),
  per_group: core.PerGroup = None,
  state_dtype: Any | None = None,
  compensate: bool | None = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""D-Adaptation of Adam: estimates the distance that sets its step size.

  With rate :math:`\gamma_k`, the estimate :math:`d` of the distance from the
  start to the solution and :math:`q = \sqrt{\beta_2}`,

  .. math::
    \begin{aligned}
    \lambda &= d \gamma_k, \qquad
    n \leftarrow q n + (1 - q) \lambda
    \langle g, s / (\sqrt v + \epsilon) \rangle, \qquad
    s \leftarrow q s + (1 - q) \lambda g, \\
    m &\leftarrow \beta_1 m + (1 - \beta_1) \lambda g, \qquad
    v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \\
    d &\leftarrow \max(d, \hat d), \quad
    \hat d = \frac{n}{(1 - q) \lVert s \rVert_1}, \qquad
    x \leftarrow x - m / (\sqrt v + \epsilon).
    \end{aligned}

  Give it the schedule that Adam would have, with its peak at one; nothing may
  rescale updates after it. Clip gradients before it. The estimate is too large
  at times; Prodigy is the successor.

  Needs: params.
  State: 12 bytes per float32 parameter; 2 more per bfloat16 or float16 one.

  Args:
    learning_rate: Multiplies the estimate; at least zero, one at its peak. A
      float or schedule. A rate of zero skips the update.
    b1: Decay of the first moment, in [0, 1).
    b2: Decay of the second moment, in [0, 1); its root is that of the estimate.
    eps: Added to the root of the second moment, >= 0.
    weight_decay: Decay, at least zero. Two to four times the usual value is
      often needed.
    decouple: True: as in AdamW, times the step size. False: L2, added to the
      gradients.
    mask: Leaves to decay: a tree of booleans, a prefix of one, or a function
      from parameters to it. By default all.
    use_bias_correction: Adam's bias correction, as a factor of the step size.
    layer_scale: Factors of the steps of leaves relative to each other, > 0: a
      tree like the parameters or a prefix of it. By default one.
    d0: First estimate, > 0.
    growth_rate: Largest factor by which the estimate may grow per update, >= 1.
      1.02 gives a soft warm-up.
    per_group: Which leaves share an estimate. None: all. "leaf": each has its
      own. Otherwise those with equal labels in a tree of hashable labels like
      the parameters, a prefix of one, or a function from parameters to it.
      A mask that is a function sees one group at a time.
    state_dtype: Dtype of the moments and of the sum of gradients; by default
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
    >>> tx = optax_stepsize.dadapt_adam(optax.cosine_decay_schedule(1.0, 300))
    >>> params = jnp.zeros(4)
    >>> state = tx.init(params)
    >>> @jax.jit
    ... def step(params, state):
    ...   updates, state = tx.update(jax.grad(loss)(params), state, params)
    ...   return optax.apply_updates(params, updates), state
    >>> for _ in range(300):
    ...   params, state = step(params, state)
    >>> assert jnp.max(jnp.abs(params - target)) < 1e-2
    >>> assert optax.tree.get(state, "distance") > 0.1

  References:
    Defazio and Mishchenko, Learning-Rate-Free Learning by D-Adaptation, ICML
    2023, arXiv 2301.07733; BibTeX by `optax_stepsize.cite("dadapt_adam")`.
  """
  return _dadapt_adam(
    "dadapt_adam",
    learning_rate,
    b1=b1,
    b2=b2,
    eps=eps,
    weight_decay=weight_decay,
    decouple=decouple,
    mask=mask,
    use_bias_correction=use_bias_correction,
    layer_scale=layer_scale,
    d0=d0,
    growth_rate=growth_rate,
    per_group=per_group,
    state_dtype=state_dtype,
    compensate=compensate,
    axis_name=axis_name,
  )


def dadapt_adamw(
  learning_rate: core.ScalarOrSchedule = 1.0,
  *,
  b1: chex.Numeric = 0.9,
  b2: chex.Numeric = 0.999,
  eps: chex.Numeric = 1e-8,
  weight_decay: chex.Numeric = 0.0,
  decouple: bool = True,
  mask: core.Mask = None,
  use_bias_correction: bool = False,
  layer_scale: Any | None = None,
  d0: chex.Numeric = 1e-6,
  growth_rate: chex.Numeric = float("inf"),
  per_group: core.PerGroup = None,
  state_dtype: Any | None = None,
  compensate: bool | None = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""D-Adaptation of AdamW: `dadapt_adam`, with decay apart from the gradients.

  With :math:`\lambda` and the step of Adam as there,

  .. math::
    x \leftarrow (1 - \lambda w) x - m / (\sqrt v + \epsilon).

  Optax's method of this name corrects bias: that is
  `use_bias_correction=True`.

  Needs: params.
  State: 12 bytes per float32 parameter; 2 more per bfloat16 or float16 one.

  Args:
    learning_rate: Multiplies the estimate; at least zero, one at its peak. A
      float or schedule. A rate of zero skips the update, decay included.
    b1: Decay of the first moment, in [0, 1).
    b2: Decay of the second moment, in [0, 1); its root is that of the estimate.
    eps: Added to the root of the second moment, >= 0.
    weight_decay: Decay w, times the step size; at least zero.
    decouple: False makes it `dadapt_adam`.
    mask: Leaves to decay: a tree of booleans, a prefix of one, or a function
      from parameters to it. By default all.
    use_bias_correction: Adam's bias correction, as a factor of the step size.
    layer_scale: Factors of the steps of leaves relative to each other, > 0: a
      tree like the parameters or a prefix of it. By default one. Decay has
      none.
    d0: First estimate, > 0.
    growth_rate: Largest factor by which the estimate may grow per update, >= 1.
    per_group: Which leaves share an estimate. None: all. "leaf": each has its
      own. Otherwise those with equal labels in a tree of hashable labels like
      the parameters, a prefix of one, or a function from parameters to it.
      A mask that is a function sees one group at a time.
    state_dtype: Dtype of the moments and of the sum of gradients; by default
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
    >>> tx = optax_stepsize.dadapt_adamw(
    ...     optax.cosine_decay_schedule(1.0, 300), weight_decay=1e-3
    ... )
    >>> params = jnp.zeros(4)
    >>> state = tx.init(params)
    >>> @jax.jit
    ... def step(params, state):
    ...   updates, state = tx.update(jax.grad(loss)(params), state, params)
    ...   return optax.apply_updates(params, updates), state
    >>> for _ in range(300):
    ...   params, state = step(params, state)
    >>> assert jnp.max(jnp.abs(params - target)) < 2e-2

  References:
    Defazio and Mishchenko, Learning-Rate-Free Learning by D-Adaptation, ICML
    2023, arXiv 2301.07733; BibTeX by `optax_stepsize.cite("dadapt_adamw")`.
  """
  return _dadapt_adam(
    "dadapt_adamw",
    learning_rate,
    b1=b1,
    b2=b2,
    eps=eps,
    weight_decay=weight_decay,
    decouple=decouple,
    mask=mask,
    use_bias_correction=use_bias_correction,
    layer_scale=layer_scale,
    d0=d0,
    growth_rate=growth_rate,
    per_group=per_group,
    state_dtype=state_dtype,
    compensate=compensate,
    axis_name=axis_name,
  )
