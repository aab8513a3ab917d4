# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Lookahead: k steps forward, one step back.

Computed from past points. Needs the parameters.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core


class LookaheadState(NamedTuple):
  """State of `lookahead`; holds the evaluation point.

  It has no step size of its own: `step_sizes` shows those of `inner_state`.

  Attributes:
    count: `()` int32: inner steps since the last synchronisation.
    num_syncs: `()` int32: completed synchronisations.
    slow: Like the parameters, in `slow_dtype`: the slow weights, which change
      with every synchronisation.
    slow_momentum: Like `inner_state`: the slow first moments, which change with
      every synchronisation; `()` False stands in for all other leaves. None
      unless momentum is pulled back.
    inner_state: State of the inner transformation.
  """

  count: jax.Array  # type: ignore[assignment]
  num_syncs: jax.Array
  slow: Any
  slow_momentum: Any
  inner_state: Any

  def eval_params(self, params: optax.Params) -> optax.Params:
    """The slow weights, in the dtypes of `params`."""
    return core.cast_like(self.slow, core.mask_like(params, self.slow))


def _check_period(value: Any) -> None:
  """Raises ValueError unless `value` is traced or a whole number >= 1."""
  if isinstance(value, jax.core.Tracer):
    return
  # Within optax.inject_hyperparams it is an array, of a float dtype perhaps.
  if isinstance(value, (jax.Array, np.ndarray)):
    number = float(value)
    value = int(number) if number.is_integer() else number
  core.check_count("lookahead", "sync_period", value, 1)


def lookahead(
  inner: optax.GradientTransformation,
  sync_period: chex.Numeric = 5,
  slow_step_size: core.ScalarOrSchedule = 0.5,
  *,
  momentum: str = "none",
  momentum_fields: Sequence[str] = ("trace", "mu"),
  slow_dtype: Any | None = None,
) -> optax.GradientTransformationExtraArgs:
  r"""Lookahead: pulls the weights back to slow ones every few steps.

  The inner optimizer moves the fast weights :math:`\theta`, which the training
  loop holds. After every k-th of its steps, and as part of that,

  .. math::
    \phi \leftarrow \alpha \theta + (1 - \alpha) \phi, \qquad
    \theta \leftarrow \phi,

  which averages out the noise of the fast weights. The slow weights
  :math:`\phi` are in the state, so that the training loop stays what it is;
  evaluate them with `eval_params`.

  It must be outermost, or the fast weights would not arrive at the slow ones:
  decay, clipping and schedules belong to `inner`. In front of fewer bits than
  float32, the steps of `inner` are rounded as they are without it;
  `compensated(lookahead(...))` cures both.

  Needs: params, and what `inner` needs; extra arguments are passed on to it.
  State: 4 bytes per float32 parameter, the state of `inner`, and with
  `momentum="pullback"` that of its momentum once more.

  Args:
    inner: Any transformation. Static.
    sync_period: Inner steps per synchronisation, k, a whole number >= 1. May be
      traced.
    slow_step_size: The fraction :math:`\alpha` of the way that the slow weights
      go, in [0, 1]; 1 leaves the inner optimizer as it is. A float, or a
      schedule of the number of completed synchronisations.
    momentum: What a synchronisation does to the momentum :math:`m` of `inner`:
      "none", nothing. "reset", it becomes zero. "pullback",
      :math:`m \leftarrow \alpha m + (1 - \alpha) M` with a slow momentum
      :math:`M` that starts at zero and becomes :math:`m`.
    momentum_fields: Names of the fields in the state of `inner` that are
      momentum: all floating leaves in a field of such a name. By default those
      of `optax.trace` and of Adam's first moment. Static.
    slow_dtype: Dtype of the slow weights; by default float32, or float64 for
      float64 parameters. In bfloat16 an entry stands still whose steps are
      shorter than a five-hundredth of it.

  Returns:
    A transformation whose updates are ready for `optax.apply_updates`.

  Raises:
    ValueError: If an argument is out of its range, momentum is to be changed
      and there is none, `params` are not given to `update`, or a leaf is not
      floating.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> curvature = jnp.array([0.1, 0.5, 1.0, 3.0])
    >>> target = jnp.array([1.0, -2.0, 3.0, 0.5])
    >>> loss = lambda p: 0.5 * jnp.sum(curvature * (p - target) ** 2)
    >>> tx = optax_stepsize.lookahead(optax.sgd(0.3, momentum=0.9))
    >>> params = jnp.zeros(4)
    >>> state = tx.init(params)
    >>> @jax.jit
    ... def step(params, state):
    ...   updates, state = tx.update(jax.grad(loss)(params), state, params)
    ...   return optax.apply_updates(params, updates), state
    >>> for _ in range(300):
    ...   params, state = step(params, state)
    >>> slow = optax_stepsize.eval_params(state, params)
    >>> assert jnp.max(jnp.abs(slow - target)) < 1e-2

  References:
    Zhang, Lucas, Hinton and Ba, Lookahead Optimizer: k steps forward, 1 step
    back, NeurIPS 2019, arXiv 1907.08610; BibTeX by
    `optax_stepsize.cite("lookahead")`.
  """
  _check_period(sync_period)
  core.check_range(
    "lookahead", "slow_step_size", slow_step_size, "[0, 1] or a schedule"
  )
  core.check_dtype("lookahead", "slow_dtype", slow_dtype)
  core.check_choice(
    "lookahead", "momentum", momentum, ("none", "reset", "pullback")
  )
  inner = optax.with_extra_args_support(inner)

  def momentum_test(params):
    """Whether a leaf of the inner state, at a path, is momentum."""
    owners = {path for path, _ in jax.tree_util.tree_leaves_with_path(params)}

    def is_momentum(path, leaf):
      # The end of the path may be that of a parameter, with names of its own.
      ends = (n for n in range(len(path) + 1) if path[n:] in owners)
      fields = path[: next(ends, len(path))]
      names = {
        key.name for key in fields if isinstance(key, jax.tree_util.GetAttrKey)
      }
      return not names.isdisjoint(momentum_fields) and jnp.issubdtype(
        leaf.dtype, jnp.floating
      )

    return is_momentum

  def init(params):
    is_momentum = momentum_test(params)
    # The inner state may keep what it is given, so that it is not given the
    # slow weights.
    inner_state = inner.init(core.copies(params, None))
    slow_momentum = jax.tree_util.tree_map_with_path(
      lambda path, leaf: (
        jnp.zeros_like(leaf) if is_momentum(path, leaf) else core.absent()
      ),
      inner_state,
    )
    # Differs from the reference: momentum that is not found is an error. There,
    # only that of SGD is, and else nothing happens.
    found = not all(map(core.is_absent, jax.tree.leaves(slow_momentum)))
    if momentum != "none" and jax.tree.leaves(params) and not found:
      raise ValueError(
        f"lookahead: momentum must be 'none' for this inner transformation, got"
        f" {momentum!r}: its state has no field named"
        f" {' or '.join(momentum_fields)}. Fix: name it in momentum_fields."
      )
    return LookaheadState(
      count=jnp.zeros((), jnp.int32),
      num_syncs=jnp.zeros((), jnp.int32),
      slow=jax.tree.map(
        lambda p: core.copies(p, slow_dtype or core.wide_dtype(p.dtype)), params
      ),
      slow_momentum=slow_momentum if momentum == "pullback" else None,
      inner_state=inner_state,
    )

  def update(updates, state, params, **extra_args):
    # fast, slow = theta, phi; alpha = slow_step_size.
    updates, inner_state = inner.update(
      updates, state.inner_state, params, **extra_args
    )
    dtype = core.accumulator_dtype(params)
    alpha = core.rate_at(slow_step_size, state.num_syncs, dtype)
    count = optax.safe_increment(state.count)
    sync = count >= jnp.asarray(sync_period).astype(jnp.int32)

    def mix(new, old):
      wide = core.wide_dtype(old.dtype)
      part = alpha.astype(wide)
      return part * new.astype(wide) + (1 - part) * old.astype(wide)

    def arrive(u, p, slow):
      """The update that ends at the slow weights, as they are rounded."""
      goal = mix(core.widen(p) + core.widen(u), slow)
      if core.is_narrow(p):
        goal = core.round_to(goal, p.dtype)
      return jnp.where(sync, goal - core.widen(p), core.widen(u))

    moves = jax.tree.map(arrive, updates, params, state.slow)

    def pull(u, move, p, slow):
      if core.is_narrow(p) or slow.dtype != p.dtype:
        new = mix(core.widen(p) + core.widen(u), slow)
      else:
        # The very number that `optax.apply_updates` makes.
        new = p + move
      return jnp.where(sync, new.astype(slow.dtype), slow)

    slow = jax.tree.map(pull, updates, moves, params, state.slow)

    slow_momentum = state.slow_momentum
    if momentum == "reset":
      is_momentum = momentum_test(params)
      # Differs from the reference: the momentum of any inner optimizer is
      # reset, and nothing else of its state. There only that of SGD is; Optax
      # also forgets second moments and step counts.
      inner_state = jax.tree_util.tree_map_with_path(
        lambda path, m: (
          jnp.where(sync, jnp.zeros_like(m), m) if is_momentum(path, m) else m
        ),
        inner_state,
      )
    elif momentum == "pullback":

      def pull_back(m, slow_m):
        if core.is_absent(slow_m):
          return m
        return jnp.where(sync, mix(m, slow_m).astype(m.dtype), m)

      inner_state = jax.tree.map(pull_back, inner_state, slow_momentum)
      # Differs from the reference: the slow momentum is a copy. There it is the
      # live buffer itself, so that from the second synchronisation on momentum
      # is only scaled.
      slow_momentum = jax.tree.map(
        lambda m, slow_m: (
          slow_m if core.is_absent(slow_m) else jnp.where(sync, m, slow_m)
        ),
        inner_state,
        slow_momentum,
      )
    return moves, LookaheadState(
      count=jnp.where(sync, 0, count),
      num_syncs=jnp.where(
        sync, optax.safe_increment(state.num_syncs), state.num_syncs
      ),
      slow=slow,
      slow_momentum=slow_momentum,
      inner_state=inner_state,
    )

  return core.transformation("lookahead", init, update, needs=("params",))


def optimal_slow_step_size(
  slow: optax.Params,
  fast: optax.Params,
  slow_grad: optax.Updates,
  fast_grad: optax.Updates,
  *,
  axis_name: core.AxisName = None,
) -> jax.Array:
  r"""The slow step size that a quadratic loss would be lowest with.

  On the line from the slow weights :math:`\phi` to the fast :math:`\theta`, a
  quadratic loss of Hessian :math:`A` with minimum :math:`\theta_*` is lowest at

  .. math::
    \alpha_* = \frac{\langle \phi - \theta, A (\phi - \theta_*) \rangle}
      {\langle \phi - \theta, A (\phi - \theta) \rangle}
    = \frac{\langle \phi - \theta, \nabla L(\phi) \rangle}
      {\langle \phi - \theta, \nabla L(\phi) - \nabla L(\theta) \rangle},

  which two gradients tell. Take them on the same data. Clip the result to
  [0, 1] where `lookahead` is to use it.

  Args:
    slow: Slow weights.
    fast: Fast weights, before the synchronisation.
    slow_grad: Gradient at the slow weights.
    fast_grad: Gradient at the fast weights.
    axis_name: Mesh axes over which parameters are sharded, in `jax.shard_map`.

  Returns:
    A `()` array; zero where slow and fast weights are the same.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> loss = lambda p: 0.5 * jnp.sum(jnp.array([1.0, 3.0]) * (p - 2.0) ** 2)
    >>> slow, fast = jnp.array([1.0, 0.0]), jnp.array([5.0, 1.0])
    >>> best = optax_stepsize.optimal_slow_step_size(
    ...     slow, fast, jax.grad(loss)(slow), jax.grad(loss)(fast)
    ... )
    >>> at = lambda a: loss(slow + a * (fast - slow))
    >>> assert at(best) < min(at(best - 0.01), at(best + 0.01))

  References:
    Zhang, Lucas, Hinton and Ba, Lookahead Optimizer: k steps forward, 1 step
    back, NeurIPS 2019, arXiv 1907.08610.
  """

  def difference(a, b):
    return jax.tree.map(lambda x, y: core.widen(x) - core.widen(y), a, b)

  way = difference(slow, fast)
  gain, curvature = core.global_sums(
    core.leaf_dots(way, slow_grad),
    core.leaf_dots(way, difference(slow_grad, fast_grad)),
    axis_name=axis_name,
    dtype=core.accumulator_dtype(slow, fast, slow_grad, fast_grad),
  )
  return core.safe_divide(gain, curvature)
