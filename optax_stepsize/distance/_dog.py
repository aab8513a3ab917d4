# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""DoG and L-DoG: distance over gradients, a step size without a tuned rate.

Computed from the distance travelled and the norms of gradients. Needs the
parameters. The authors evaluate averaged parameters: put
`polynomial_decay_averaging` last in the chain.
"""

from typing import Any, NamedTuple
import warnings

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core


class DoGState(NamedTuple):
  """State of `scale_by_dog`.

  "Scope" is one `()` array for DoG; for L-DoG a tree like the parameters with
  one number per leaf, or per block of a leaf. Numbers are float32, or float64
  if any parameter is float64. An update with a gradient or step size that is
  not finite changes nothing but `count`.

  Attributes:
    count: `()` int32: calls of `update`.
    effective_count: Scope of int32: updates with a nonzero gradient and step.
    step_size: Scope: the step size last applied.
    max_distance: Scope: largest distance from the anchor so far, or the initial
      movement if that is larger. Never decreases.
    initial_distance: Scope: that initial movement; never changes.
    grad_sq_sum: Scope: sum of squared gradient norms. Never decreases.
    anchor: Like the parameters: a copy of the initial ones; never changes.
    max_grad_sq: Scope: largest squared gradient norm; None unless tamed.
    first_grad_sq: Scope: the first nonzero one; None unless tamed.
  """

  count: jax.Array  # type: ignore[assignment]
  effective_count: Any
  step_size: Any
  max_distance: Any
  initial_distance: Any
  grad_sq_sum: Any
  anchor: Any
  max_grad_sq: Any = None
  first_grad_sq: Any = None

  def is_stuck(self, patience: int) -> Any:
    """Scope of bool: whether `max_distance` never grew; see `is_stuck`."""
    return jax.tree.map(
      lambda tried, now, first: (tried >= max(patience, 1)) & (now == first),
      self.effective_count,
      self.max_distance,
      self.initial_distance,
    )


def scale_by_dog(
  learning_rate: core.ScalarOrSchedule = 1.0,
  *,
  reps_rel: chex.Numeric = 1e-6,
  eps: chex.Numeric = 1e-8,
  init_eta: chex.Numeric | None = None,
  per_group: core.PerGroup = None,
  layerwise: bool = False,
  block_axes: core.KeptAxes | None = None,
  tamed: bool = False,
  tamed_scale: chex.Numeric = 1.0,
  state_dtype: Any | None = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""Multiplies gradients with the step size of DoG; does not flip their sign.

  .. math::
    \bar r_t = \max(\bar r_{t-1}, \lVert x_t - x_0 \rVert), \quad
    G_t = G_{t-1} + \lVert g_t \rVert^2, \quad
    \eta_t = \gamma_t\, \bar r_t / \sqrt{G_t},

  from :math:`\bar r = \mathtt{reps\_rel}\,(1 + \lVert x_0 \rVert)` and
  :math:`G = \epsilon`. The rate :math:`\gamma_t` is inside, because the first
  step of `init_eta` is not multiplied by it. With `tamed`, and
  :math:`\bar\ell_t` the largest gradient norm so far, G is replaced by

  .. math::
    G'_t = K \left(1 + \ln\left(1 + t\,\bar\ell_t^2 / \bar\ell_0^2\right)
    \right)^2 \left(G_{t-1} + 16\,\bar\ell_t^2\right), \qquad
    G_{-1} = 0.

  Needs: params.
  State: 4 bytes per float32 parameter.

  Args:
    learning_rate: Multiplies the step; keep it at one. A float or schedule.
    reps_rel: First movement relative to 1 + the norm of the parameters, > 0.
      Use 1e-4 with batch norm, 1e-8 for L-DoG on large pretrained weights;
      raise it a hundredfold if the step does not grow in some hundred updates.
    eps: Initial sum of squared gradient norms, > 0.
    init_eta: The first step itself, > 0, in place of `reps_rel`: used up to and
      including the first update with a nonzero gradient.
    per_group: Which leaves share a step size. None: all. "leaf": each has its
      own. Otherwise those with equal labels in a tree of hashable labels like
      the parameters, a prefix of one, or a function from parameters to it.
      The state is then a `GroupedState` with a `DoGState` for each label.
    layerwise: One step size per leaf (L-DoG) instead of one for all.
    block_axes: Function from the path and array of a leaf to axes that are not
      summed over, so that a stack of layers keeps one step size per layer. With
      `layerwise` only.
    tamed: The theoretical form, T-DoG, without `eps`.
    tamed_scale: Its constant K, > 0. Theory asks for one that makes steps about
      a hundred times smaller.
    state_dtype: Dtype of the anchor; by default that of the parameters.
    axis_name: Mesh axes over which parameters are sharded, in `jax.shard_map`.

  Returns:
    A transformation. Its updates point along the gradient.

  Raises:
    ValueError: If an argument is out of its range or a leaf is not floating.

  References:
    Ivgi, Hinder and Carmon, DoG is SGD's Best Friend: A Parameter-Free Dynamic
    Step Size Schedule, ICML 2023, arXiv 2302.12022.
  """
  method = "ldog" if layerwise else "dog"
  core.check_range(
    method, "learning_rate", learning_rate, "[0, inf) or a schedule"
  )
  core.check_range(method, "reps_rel", reps_rel, "(0, inf)")
  core.check_range(method, "eps", eps, "(0, inf)")
  core.check_range(method, "init_eta", init_eta, "(0, inf) or None")
  core.check_range(method, "tamed_scale", tamed_scale, "(0, inf)")
  core.check_dtype(method, "state_dtype", state_dtype)
  if block_axes is not None and not layerwise:
    raise ValueError(
      "dog: block_axes must be None without layerwise=True, since one step"
      f" size for all leaves has no blocks; got {block_axes!r}."
    )
  if layerwise and per_group is not None:
    raise ValueError(
      "ldog: per_group must be None with layerwise=True, since every leaf has"
      f" its own step size already; got {per_group!r}."
    )

  def per_scope(*leaf_trees, dtype):
    if not layerwise:
      return core.global_sums(*leaf_trees, axis_name=axis_name, dtype=dtype)
    sums = core.per_leaf_sums(*leaf_trees, axis_name=axis_name)
    return jax.tree.map(lambda x: x.astype(dtype), sums)

  def init(params):
    dtype = core.accumulator_dtype(params)
    _warn_if_swallowed(method, params, reps_rel, init_eta)
    (norm_sq,) = per_scope(core.leaf_squares(params, block_axes), dtype=dtype)

    # Sums, not fills: the fill of a scalar may be one array for all leaves, and
    # a state that holds an array twice cannot be donated.
    def full(number):
      return jax.tree.map(
        lambda x: jnp.zeros_like(x, dtype) + core.as_scalar(number, dtype),
        norm_sq,
      )

    if init_eta is None:
      relative = core.as_scalar(reps_rel, dtype)
      movement = jax.tree.map(lambda x: relative * (1 + jnp.sqrt(x)), norm_sq)
    else:
      movement = full(0.0)
    return DoGState(
      count=jnp.zeros((), jnp.int32),
      effective_count=jax.tree.map(
        lambda x: jnp.zeros_like(x, jnp.int32), norm_sq
      ),
      step_size=full(0.0),
      max_distance=movement,
      initial_distance=jax.tree.map(jnp.copy, movement),
      grad_sq_sum=full(0.0 if tamed else eps),
      anchor=core.copies(params, state_dtype),
      max_grad_sq=full(0.0) if tamed else None,
      first_grad_sq=full(0.0) if tamed else None,
    )

  def update(updates, state, params, *, rate, **extra_args):
    del extra_args
    dtype = rate.dtype
    moved = jax.tree.map(
      lambda p, a: core.widen(p) - a.astype(core.wide_dtype(p.dtype)),
      params,
      state.anchor,
    )
    distance_sq, grad_sq = per_scope(
      core.leaf_squares(moved, block_axes),
      core.leaf_squares(updates, block_axes),
      dtype=dtype,
    )

    tree_map = jax.tree.map
    movement = tree_map(
      lambda r, d: jnp.maximum(r, jnp.sqrt(d)), state.max_distance, distance_sq
    )
    total = tree_map(jnp.add, state.grad_sq_sum, grad_sq)
    top, first, under_root = None, None, total
    if tamed:
      top = tree_map(jnp.maximum, state.max_grad_sq, grad_sq)
      first = tree_map(
        lambda f, t: jnp.where(f > 0, f, t), state.first_grad_sq, top
      )

      def tame(total, top, first):
        ratio = state.count.astype(dtype) * core.safe_divide(top, first)
        scale = core.as_scalar(tamed_scale, dtype) * (1 + jnp.log1p(ratio)) ** 2
        return scale * (total + 16 * top)

      # The sum without the current gradient, which the maximum stands in for.
      under_root = tree_map(tame, state.grad_sq_sum, top, first)
    step_size = tree_map(
      lambda r, u: rate * core.safe_divide(r, jnp.sqrt(u)),
      movement,
      under_root,
    )
    # Differs from the reference: the first step waits for a nonzero gradient.
    # There a zero first gradient uses it up, and the distance stays zero.
    if init_eta is not None:
      first_step = core.as_scalar(init_eta, dtype)
      step_size = tree_map(
        lambda tried, step: jnp.where(tried > 0, step, first_step),
        state.effective_count,
        step_size,
      )
    effective_count = tree_map(
      lambda tried, g, step: jnp.where(
        (g > 0) & (step > 0), optax.safe_increment(tried), tried
      ),
      state.effective_count,
      grad_sq,
      step_size,
    )

    finite = tree_map(
      lambda d, t, step: jnp.isfinite(d) & jnp.isfinite(t) & jnp.isfinite(step),
      distance_sq,
      total,
      step_size,
    )

    def hold(new, old):
      return tree_map(jnp.where, finite, new, old)

    def scale_leaf(g, step, ok):
      g = g.astype(dtype)
      return jnp.where(ok, step * g, jnp.zeros_like(g))

    if layerwise:
      scaled = tree_map(scale_leaf, updates, step_size, finite)
    else:
      scaled = tree_map(lambda g: scale_leaf(g, step_size, finite), updates)
    return scaled, DoGState(
      count=optax.safe_increment(state.count),
      effective_count=hold(effective_count, state.effective_count),
      step_size=hold(step_size, state.step_size),
      max_distance=hold(movement, state.max_distance),
      initial_distance=state.initial_distance,
      grad_sq_sum=hold(total, state.grad_sq_sum),
      anchor=state.anchor,
      max_grad_sq=hold(top, state.max_grad_sq) if tamed else None,
      first_grad_sq=hold(first, state.first_grad_sq) if tamed else None,
    )

  return core.grouped(method, init, update, learning_rate, per_group)


def _warn_if_swallowed(method, params, reps_rel, init_eta):
  # Only uncompensated transformations see narrow leaves.
  narrow = any(core.is_narrow(leaf) for leaf in jax.tree.leaves(params))
  known = not isinstance(reps_rel, jax.core.Tracer)
  if (
    narrow
    and init_eta is None
    and known
    and np.all(np.asarray(reps_rel) < 1e-3)
  ):
    warnings.warn(
      f"{method}: with parameters narrower than float32, first moves of"
      f" relative size reps_rel={reps_rel} are rounded away and the step size"
      " never grows. Fix: compensate=None (the default of dog and ldog),"
      " float32 parameters, or reps_rel >= 1e-3.",
      stacklevel=3,
    )


def _dog(
  method, learning_rate, compensate, weight_decay, mask, **options
) -> optax.GradientTransformationExtraArgs:
  tx = optax.chain(
    core.add_decayed_weights(method, weight_decay, mask),
    scale_by_dog(learning_rate, **options),
    optax.scale(-1.0),
  )
  return core.compensate_if(method, tx, compensate)


def dog(
  learning_rate: core.ScalarOrSchedule = 1.0,
  *,
  reps_rel: chex.Numeric = 1e-6,
  eps: chex.Numeric = 1e-8,
  init_eta: chex.Numeric | None = None,
  weight_decay: chex.Numeric = 0.0,
  mask: core.Mask = None,
  per_group: core.PerGroup = None,
  tamed: bool = False,
  tamed_scale: chex.Numeric = 1.0,
  state_dtype: Any | None = None,
  compensate: bool | None = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""DoG: SGD whose step is the distance travelled over the gradients' norm.

  See `scale_by_dog` for the rule. Evaluate the average of the parameters:
  comparisons of DoG without averaging are unfair, say its authors.

  Needs: params.
  State: 4 bytes per float32 parameter; 2 more per bfloat16 or float16 one.

  Args:
    learning_rate: Multiplies the step; keep it at one. A float or schedule.
    reps_rel: First movement relative to 1 + the norm of the parameters, > 0.
    eps: Initial sum of squared gradient norms, > 0.
    init_eta: The first step itself, > 0, in place of `reps_rel`.
    weight_decay: L2 decay, added to the gradients before any norm; >= 0.
    mask: Leaves to decay: a tree of booleans, a prefix of one, or a function
      from parameters to it. By default all.
    per_group: Which leaves share a step size. None: all. "leaf": each has its
      own, as in `ldog`. Otherwise those with equal labels in a tree of hashable
      labels like the parameters, a prefix of one, or a function from parameters
      to it.
    tamed: The theoretical form, T-DoG.
    tamed_scale: Its constant, > 0.
    state_dtype: Dtype of the anchor; by default that of the parameters, and
      float32 for leaves with a residual.
    compensate: None: leaves narrower than float32 keep their rounding residual
      (see `compensated`). False: they do not, and may never move.
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
    >>> tx = optax_stepsize.dog()
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
    Ivgi, Hinder and Carmon, DoG is SGD's Best Friend: A Parameter-Free Dynamic
    Step Size Schedule, ICML 2023, arXiv 2302.12022 (Algorithm 1); BibTeX by
    `optax_stepsize.cite("dog")`.
  """
  return _dog(
    "dog",
    learning_rate,
    compensate,
    weight_decay,
    mask,
    reps_rel=reps_rel,
    eps=eps,
    init_eta=init_eta,
    per_group=per_group,
    tamed=tamed,
    tamed_scale=tamed_scale,
    state_dtype=state_dtype,
    axis_name=axis_name,
  )


def ldog(
  learning_rate: core.ScalarOrSchedule = 1.0,
  *,
  reps_rel: chex.Numeric = 1e-6,
  eps: chex.Numeric = 1e-8,
  init_eta: chex.Numeric | None = None,
  weight_decay: chex.Numeric = 0.0,
  mask: core.Mask = None,
  block_axes: core.KeptAxes | None = None,
  tamed: bool = False,
  tamed_scale: chex.Numeric = 1.0,
  state_dtype: Any | None = None,
  compensate: bool | None = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""L-DoG: DoG with one step size per leaf.

  See `dog`; every norm is that of a leaf.

  Needs: params.
  State: 4 bytes per float32 parameter; 2 more per bfloat16 or float16 one.

  Args:
    learning_rate: Multiplies the steps; keep it at one. A float or schedule.
    reps_rel: First movement of a leaf relative to 1 + its norm, > 0. Use 1e-8
      on large pretrained weights.
    eps: Initial sum of squared gradient norms, > 0.
    init_eta: The first step itself, > 0, in place of `reps_rel`; used per leaf
      up to and including its first nonzero gradient.
    weight_decay: L2 decay, added to the gradients before any norm; >= 0.
    mask: Leaves to decay: a tree of booleans, a prefix of one, or a function
      from parameters to it. By default all.
    block_axes: Function from the path and array of a leaf to axes that are not
      summed over: `lambda path, leaf: (0,)` gives a stack of layers, made by a
      scan over layers, one step size per layer.
    tamed: The theoretical form, T-DoG.
    tamed_scale: Its constant, > 0.
    state_dtype: Dtype of the anchor; by default that of the parameters, and
      float32 for leaves with a residual.
    compensate: None: leaves narrower than float32 keep their rounding residual
      (see `compensated`). False: they do not, and may never move.
    axis_name: Mesh axes over which parameters are sharded, in `jax.shard_map`.

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
    >>> loss = lambda p: jnp.sum((p["w"] - 3) ** 2) + 5 * (p["b"] + 1) ** 2
    >>> tx = optax_stepsize.ldog()
    >>> params = {"w": jnp.zeros(3), "b": jnp.zeros(())}
    >>> state = tx.init(params)
    >>> @jax.jit
    ... def step(params, state):
    ...   updates, state = tx.update(jax.grad(loss)(params), state, params)
    ...   return optax.apply_updates(params, updates), state
    >>> for _ in range(600):
    ...   params, state = step(params, state)
    >>> assert loss(params) < 1e-3

  References:
    Ivgi, Hinder and Carmon, DoG is SGD's Best Friend: A Parameter-Free Dynamic
    Step Size Schedule, ICML 2023, arXiv 2302.12022; BibTeX by
    `optax_stepsize.cite("ldog")`.
  """
  return _dog(
    "ldog",
    learning_rate,
    compensate,
    weight_decay,
    mask,
    reps_rel=reps_rel,
    eps=eps,
    init_eta=init_eta,
    layerwise=True,
    block_axes=block_axes,
    tamed=tamed,
    tamed_scale=tamed_scale,
    state_dtype=state_dtype,
    axis_name=axis_name,
  )
