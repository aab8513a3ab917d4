# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Prodigy: Adam with its step size estimated from distance and gradients.

Computed from the distance travelled and the gradients. Needs the parameters.
"""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize import core


class ProdigyState(NamedTuple):
  """State of `prodigy`.

  "Scalar dtype" is float32, or float64 if any parameter is float64. All fields
  but `count` stay as they are in an update without information: one before the
  first nonzero gradient, with a rate of zero, or with a non-finite gradient
  (whose finite entries `grad_sum` still takes up). Entries of a gradient that
  are too large to be squared stay out of `mu` and `nu`.

  Attributes:
    count: `()` int32: calls of `update`.
    effective_count: `()` int32: updates with information.
    step_size: `()` scalar dtype: rate times estimate (times bias correction),
      as last applied.
    distance: `()` scalar dtype: the estimate of the distance from the start to
      the solution. Never decreases.
    initial_distance: `()` scalar dtype: where it started; never changes.
    distance_target: `()` scalar dtype: largest estimate seen, which `distance`
      climbs to when `growth_rate` holds it back.
    numerator: `()` scalar dtype: decayed sum of inner products.
    mu: Like the parameters: decayed mean of `distance * gradient`; None with
      `b1=None`.
    nu: Like the parameters: decayed mean of its square.
    grad_sum: Like the sliced parameters: decayed sum of weighted gradients.
    anchor: Like the sliced parameters: a copy of the initial parameters; never
      changes.
  """

  count: jax.Array  # type: ignore[assignment]
  effective_count: jax.Array
  step_size: jax.Array
  distance: jax.Array
  initial_distance: jax.Array
  distance_target: jax.Array
  numerator: jax.Array
  mu: Any
  nu: Any
  grad_sum: Any
  anchor: Any

  def is_stuck(self, patience: int) -> jax.Array:
    """`()` bool: whether `distance` never grew; see `is_stuck`."""
    tried = self.effective_count >= max(patience, 1)
    return tried & (self.distance == self.initial_distance)


def _sliced(tree: chex.ArrayTree, period: int, axis: int | None):
  """Every `period`-th entry of each leaf, flattened or along one axis."""

  def take(path, x):
    if period == 1 or (axis is not None and x.ndim == 0):
      return x
    if axis is None:
      flat = core.replicated(x).reshape(-1)
      return jax.lax.slice_in_dim(flat, 0, flat.size, period)
    if not -x.ndim <= axis < x.ndim:
      raise ValueError(
        f"prodigy: slice_axis must be an axis of every leaf, got {axis} for"
        f" params{jax.tree_util.keystr(path)} of shape {x.shape}. Fix: -1 is"
        " one of all."
      )
    return jax.lax.slice_in_dim(x, 0, x.shape[axis], period, axis % x.ndim)

  return jax.tree_util.tree_map_with_path(take, tree)


def prodigy(
  learning_rate: core.ScalarOrSchedule = 1.0,
  *,
  b1: chex.Numeric | None = 0.9,
  b2: chex.Numeric = 0.999,
  b3: chex.Numeric | None = None,
  eps: chex.Numeric = 1e-8,
  weight_decay: chex.Numeric = 0.0,
  decouple: bool = True,
  mask: core.Mask = None,
  use_bias_correction: bool = False,
  safeguard_warmup: bool = False,
  d0: chex.Numeric = 1e-6,
  d_coef: chex.Numeric = 1.0,
  growth_rate: chex.Numeric = float("inf"),
  d_limit: chex.Numeric = float("inf"),
  per_group: core.PerGroup = None,
  slice_p: int = 1,
  slice_axis: int | None = None,
  state_dtype: Any | None = None,
  compensate: bool | None = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""Prodigy: Adam(W) that estimates its own step size.

  The distance :math:`d` from the initial point :math:`x_0` to the solution is
  bounded from below by what the gradients show, and takes the place of a tuned
  rate. With rate :math:`\gamma_k`, :math:`\lambda = d \gamma_k` and
  :math:`w = \lambda d / d_0` (:math:`d^2 / d_0` with `safeguard_warmup`),

  .. math::
    \begin{aligned}
    n &\leftarrow \beta_3 n + \tfrac{d}{d_0} \lambda \langle g, x_0 - x\rangle,
    \qquad s \leftarrow \beta_3 s + w g, \qquad
    \hat d = d_\mathrm{coef}\, n / \lVert s \rVert_1, \\
    m &\leftarrow \beta_1 m + (1 - \beta_1) d g, \qquad
    v \leftarrow \beta_2 v + (1 - \beta_2) d^2 g^2, \\
    d_+ &= \max(d, \hat d) \text{ (held back by the growth rate)}, \qquad
    x \leftarrow x - \lambda m / (\sqrt{v} + d_+ \epsilon).
    \end{aligned}

  Leave `learning_rate` at one, or give a schedule that decays from one to zero;
  tune `d_coef` if anything. Clip gradients before it, and rescale nothing after
  it: the estimate measures true movements of the parameters.

  Needs: params.
  State: 16 bytes per float32 parameter (8 + 8 / `slice_p`; 4 less with
  `b1=None`), and 2 more per bfloat16 or float16 parameter.

  Args:
    learning_rate: Multiplies the estimate; at least zero. A float or schedule.
    b1: Decay of the first moment, in [0, 1). None keeps no first moment, which
      saves 4 bytes per parameter and equals zero.
    b2: Decay of the second moment, in [0, 1).
    b3: Memory of the estimate, in [0, 1]; 1 forgets nothing. By default the
      square root of `b2`.
    eps: Added to the root of the second moment, times the estimate; >= 0.
    weight_decay: Decay, at least zero.
    decouple: True: as in AdamW, times the step size. False: L2, added to the
      gradients.
    mask: Leaves to decay: a tree of booleans, a prefix of one, or a function
      from parameters to it. By default all.
    use_bias_correction: Adam's bias correction, as a factor of the step size.
      Recommended for diffusion models.
    safeguard_warmup: Keeps the rate out of the denominator, so that small rates
      of a warm-up or restart cannot inflate the estimate.
    d0: First estimate, > 0. Raise it to 1e-5 or 1e-4 if the estimate stays.
    d_coef: Factor of the estimate, > 0; 0.5 to 2 are usual.
    growth_rate: Largest factor by which the estimate may grow per update, >= 1.
      The very first growth is exempt, as in the reference. 1.02 gives a soft
      warm-up.
    d_limit: Largest estimate, > 0, for runs in which it would grow on and on;
      below `d0`, it stays at that. The reference has no limit.
    per_group: Which leaves share an estimate. None: all. "leaf": each has its
      own. Otherwise those with equal labels in a tree of hashable labels like
      the parameters, a prefix of one, or a function from parameters to it.
      A mask that is a function sees one group at a time.
    slice_p: Estimates on every `slice_p`-th entry of each leaf; 11 is usual
      when memory is short. Static.
    slice_axis: None takes every `slice_p`-th entry of the flattened leaf, as
      the reference does, which gathers a sharded leaf. An axis, such as -1,
      takes every `slice_p`-th slice along it: another sample, as good, and
      local if that axis is not sharded. Static.
    state_dtype: Dtype of `mu`, `nu` and `grad_sum`, and of the anchor. By
      default float32 (float64 for float64 parameters), and the parameters'
      dtype for the anchor.
    compensate: None: leaves narrower than float32 keep their rounding residual
      (see `compensated`). False: they do not, and the estimate may never leave
      its start.
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
    >>> tx = optax_stepsize.prodigy()
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
    Mishchenko and Defazio, Prodigy: An Expeditiously Adaptive Parameter-Free
    Learner, ICML 2024, arXiv 2306.06101 (Algorithm 4); BibTeX by
    `optax_stepsize.cite("prodigy")`.
  """
  core.check_range(
    "prodigy", "learning_rate", learning_rate, "[0, inf) or a schedule"
  )
  core.check_range("prodigy", "b1", b1, "[0, 1) or None")
  core.check_range("prodigy", "b2", b2, "[0, 1)")
  core.check_range("prodigy", "b3", b3, "[0, 1] or None")
  core.check_range("prodigy", "eps", eps, "[0, inf)")
  core.check_range("prodigy", "weight_decay", weight_decay, "[0, inf)")
  core.check_range("prodigy", "d0", d0, "(0, inf)")
  core.check_range("prodigy", "d_coef", d_coef, "(0, inf)")
  core.check_range("prodigy", "growth_rate", growth_rate, "[1, inf]")
  core.check_range("prodigy", "d_limit", d_limit, "(0, inf]")
  core.check_dtype("prodigy", "state_dtype", state_dtype)
  core.check_count("prodigy", "slice_p", slice_p, 1)
  if slice_axis is not None and not isinstance(slice_axis, int):
    raise ValueError(
      f"prodigy: slice_axis must be an integer or None, got {slice_axis!r}."
    )

  def slices(tree):
    return _sliced(tree, slice_p, slice_axis)

  def init(params):
    dtype = core.accumulator_dtype(params)
    start = core.as_scalar(d0, dtype)
    return ProdigyState(
      count=jnp.zeros((), jnp.int32),
      effective_count=jnp.zeros((), jnp.int32),
      step_size=jnp.zeros((), dtype),
      distance=start,
      initial_distance=start.copy(),
      distance_target=start.copy(),
      numerator=jnp.zeros((), dtype),
      mu=None if b1 is None else core.zeros(params, state_dtype),
      nu=core.zeros(params, state_dtype),
      grad_sum=slices(core.zeros(params, state_dtype)),
      anchor=core.copies(slices(params), state_dtype),
    )

  def update(updates, state, params, *, rate, **extra_args):
    # num, den = n and ||s||_1; estimate = \hat d; weight = w; the rest by name.
    del extra_args
    dtype = rate.dtype
    beta1 = core.as_scalar(0.0 if b1 is None else b1, dtype)
    beta2 = core.as_scalar(b2, dtype)
    beta3 = jnp.sqrt(beta2) if b3 is None else core.as_scalar(b3, dtype)
    start = core.as_scalar(d0, dtype)
    decay = core.as_scalar(weight_decay, dtype)
    distance = state.distance

    step_size = distance * rate
    if use_bias_correction:
      k = (state.effective_count + 1).astype(dtype)
      step_size = step_size * jnp.sqrt(1 - beta2**k) / (1 - beta1**k)
    if decouple:
      grads = updates
    else:
      grads = core.decayed(updates, params, weight_decay, mask)

    # Both sums carry the factor d / d0, which cancels in their quotient and
    # keeps them from being tiny while d is.
    scale = distance / start
    weight = scale * (distance if safeguard_warmup else step_size)
    # The state of a sample is replicated, unless the sample is all there is.
    sampled = core.placed_like(slices(grads), state.grad_sum)
    moved = jax.tree.map(
      lambda a, p: a.astype(dtype) - p.astype(dtype),
      state.anchor,
      core.placed_like(slices(params), state.anchor),
    )

    # A sum that waited for `informed` would be read once more. It need not: it
    # stays zero while gradients are, and the rate is known here. What is not
    # finite is left out, so that the sum outlives it.
    def add(s, g):
      s = s.astype(dtype)
      total = beta3 * s + weight * g.astype(dtype)
      return jnp.where((rate != 0) & jnp.isfinite(total), total, s)

    grad_sum = jax.tree.map(add, state.grad_sum, sampled)
    increment, den = core.global_sums(
      core.leaf_dots(sampled, moved),
      core.leaf_abs(grad_sum),
      axis_name=axis_name,
      dtype=dtype,
    )
    num = beta3 * state.numerator + scale * step_size * increment

    # Differs from the reference: a non-finite sum is no information either.
    # There it enters the estimate.
    informed = (den > 0) & jnp.isfinite(den) & jnp.isfinite(num) & (rate != 0)

    estimate = core.as_scalar(d_coef, dtype) * core.safe_divide(num, den)
    estimate = jnp.minimum(estimate, core.as_scalar(d_limit, dtype))
    grown = jnp.where(
      distance == start, jnp.maximum(distance, estimate), distance
    )
    target = jnp.maximum(state.distance_target, estimate)
    new_distance = jnp.minimum(
      target, grown * core.as_scalar(growth_rate, dtype)
    )

    # The moments are selected before the moves are made of them, so that these
    # need the new moments only, and no copy of the old ones. An entry whose
    # square is out of range is left out: it would stay in `nu` for ever.
    def first_moment(m, g):
      m, scaled = m.astype(dtype), distance * g.astype(dtype)
      good = informed & jnp.isfinite(scaled * scaled)
      return jnp.where(good, beta1 * m + (1 - beta1) * scaled, m)

    def second_moment(v, g):
      # Squared after scaling: d * g is moderate where g alone is huge or tiny.
      v, scaled = v.astype(dtype), distance * g.astype(dtype)
      square = scaled * scaled
      good = informed & jnp.isfinite(square)
      return jnp.where(good, beta2 * v + (1 - beta2) * square, v)

    # Differs from the reference: without a first moment the step is d * g with
    # the old d, the limit of b1 -> 0. There it jumps with the new d.
    if b1 is None:
      mu = jax.tree.map(lambda g: distance * g.astype(dtype), grads)
    else:
      mu = jax.tree.map(first_moment, state.mu, grads)
    nu = jax.tree.map(second_moment, state.nu, grads)

    offset = new_distance * core.as_scalar(eps, dtype)

    def move(m, v):
      # Zero over zero is no move. The second moment of a gradient so small
      # that its square underflows is zero, and so is eps on request.
      return -step_size * core.safe_divide(m, jnp.sqrt(v) + offset)

    moves = jax.tree.map(move, mu, nu)
    if decouple and not core.is_known_zero(weight_decay):
      moves = core.decayed(moves, params, -decay * step_size, mask)
    moves = core.select(informed, moves, jax.tree.map(jnp.zeros_like, moves))

    def hold(new, old):
      return jnp.where(informed, new, old)

    return moves, ProdigyState(
      count=optax.safe_increment(state.count),
      effective_count=hold(
        optax.safe_increment(state.effective_count), state.effective_count
      ),
      step_size=hold(step_size, state.step_size),
      distance=hold(new_distance, distance),
      initial_distance=state.initial_distance,
      distance_target=hold(target, state.distance_target),
      numerator=hold(num, state.numerator),
      mu=None if b1 is None else core.cast_like(mu, state.mu),
      nu=core.cast_like(nu, state.nu),
      grad_sum=core.cast_like(grad_sum, state.grad_sum),
      anchor=state.anchor,
    )

  tx = core.grouped("prodigy", init, update, learning_rate, per_group)
  return core.compensate_if("prodigy", tx, compensate)
