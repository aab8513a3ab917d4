# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""SMB and SMBi: steps of a model built from the loss and gradient nearby.

Computed from the loss and, where it has not decreased enough, the gradient at a
trial point. Need a function that evaluates both on the same batch.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import chex
import jax
from jax import lax
import jax.numpy as jnp
import optax

from optax_stepsize import core
from optax_stepsize.polyak import _gap

# The trial point of a gradient of smaller norm is not questioned.
_LEAST_NORM = 1e-8


class SmbAutoSchedule(NamedTuple):
  """When and how `smb` changes its learning rate by itself.

  After every `window` updates the rate is multiplied with `factor` if more than
  a share `model_share` of them were steps of the model, and divided by it
  otherwise, unless it would exceed `max_learning_rate`.

  Attributes:
    window: Updates between two changes, >= 1; one epoch in the paper. Static.
    model_share: Share of steps of the model that calls for a smaller rate, in
      [0, 1). With `independent_batch` half of it counts: there such a step
      takes two updates.
    factor: In (0, 1).
    max_learning_rate: Largest rate to grow to, > 0.
  """

  window: int = 500
  model_share: chex.Numeric = 0.05
  factor: chex.Numeric = 0.9
  max_learning_rate: chex.Numeric = 20.0


class SmbState(NamedTuple):
  """State of `smb`.

  "Scalar dtype" is float32, or float64 if any parameter is float64. An update
  with a non-finite loss or gradient, at the parameters or where it is needed at
  the trial point, changes nothing but `count`.

  Attributes:
    count: `()` int32: calls of `update`.
    step_size: `()` scalar dtype: rate of the last trial step, the schedule's
      times `rate_factor`. A step of the model is at most `eta` times as long.
    model_step: `()` bool: whether the last update was a step of the model.
    rate_factor: `()` scalar dtype: what the auto schedule multiplies the
      learning rate with; changes after each window. None without one.
    window_count: `()` int32: updates of this window; None likewise.
    model_count: `()` int32: those that were steps of the model; None likewise.
    pending: `()` bool: whether the next update is a step of the model. None
      without `independent_batch`.
    prev_grad: Like the parameters, in `state_dtype`: the gradient that such a
      step is for; changes with each refused trial. None likewise.
  """

  count: jax.Array  # type: ignore[assignment]
  step_size: jax.Array
  model_step: jax.Array
  rate_factor: Any
  window_count: Any
  model_count: Any
  pending: Any
  prev_grad: Any


def _check_auto_schedule(method: str, auto: SmbAutoSchedule | None) -> None:
  if auto is None:
    return
  if not isinstance(auto, SmbAutoSchedule):
    raise ValueError(
      f"{method}: auto_schedule must be an SmbAutoSchedule, got {auto!r}. Fix:"
      " auto_schedule=optax_stepsize.SmbAutoSchedule()."
    )
  ranges = {
    "model_share": "[0, 1)",
    "factor": "(0, 1)",
    "max_learning_rate": "(0, inf]",
  }
  core.check_count(method, "auto_schedule.window", auto.window, 1)
  for name, interval in ranges.items():
    value = getattr(auto, name)
    core.check_range(method, f"auto_schedule.{name}", value, interval)


def _adapt(
  auto: SmbAutoSchedule,
  share: chex.Numeric,
  state: SmbState,
  rate: jax.Array,
  model_step: jax.Array,
) -> dict[str, jax.Array]:
  """The fields of the auto schedule after an update.

  Args:
    auto: The auto schedule.
    share: Share of steps of the model that calls for a smaller rate.
    state: State before the update.
    rate: Rate of the update.
    model_step: Whether it was a step of the model.
  """
  dtype = rate.dtype
  factor = core.as_scalar(auto.factor, dtype)
  count = optax.safe_increment(state.window_count)
  models = jnp.where(
    model_step, optax.safe_increment(state.model_count), state.model_count
  )
  many = models.astype(dtype) / auto.window > core.as_scalar(share, dtype)
  fits = rate / factor <= core.as_scalar(auto.max_learning_rate, dtype)
  grown = jnp.where(fits, state.rate_factor / factor, state.rate_factor)
  changed = jnp.where(many, state.rate_factor * factor, grown)
  full = count >= auto.window
  return {
    "rate_factor": jnp.where(full, changed, state.rate_factor),
    "window_count": jnp.where(full, 0, count),
    "model_count": jnp.where(full, 0, models),
  }


def _trial_loss(method: str, evaluated: Any, dtype: Any) -> jax.Array:
  """The loss of what `value_and_grad_fn` returned, which is checked."""
  value = evaluated[0]
  if not jax.tree_util.all_leaves([value]) or jnp.ndim(value):
    raise ValueError(
      f"{method}: value_and_grad_fn must return a scalar loss and its gradient,"
      f" got {value!r} as the loss. Fix: jax.value_and_grad of a function that"
      " returns the mean over the batch and nothing else."
    )
  return core.as_scalar(value, dtype)


def _group_sums(
  groups: chex.ArrayTree,
  count: int,
  leaf_trees: Sequence[chex.ArrayTree],
  axis_name: core.AxisName,
  dtype: Any,
) -> jax.Array:
  """Sums of trees of per-leaf numbers over groups: `(trees, count)`.

  Args:
    groups: The number of each leaf's group.
    count: How many groups there are.
    leaf_trees: The trees, which are summed in one collective.
    axis_name: As for `core.global_sums`.
    dtype: Of the sums.
  """
  places = jax.tree.leaves(groups)
  totals = core.global_sums(
    *(
      [x for x, at in zip(jax.tree.leaves(t), places, strict=True) if at == i]
      for t in leaf_trees
      for i in range(count)
    ),
    axis_name=axis_name,
    dtype=dtype,
  )
  return jnp.asarray(totals, dtype).reshape(len(leaf_trees), count)


def _weights(
  eta: jax.Array, grad_square: jax.Array, change_square: jax.Array
) -> tuple[jax.Array, ...]:
  """The step of the model for its own gradient: -lr (a g + b y); a and b.

  With B = (2 sigma I + s y^T + y s^T) / ||s||^2, s = -lr g and the sigma that
  bounds the least eigenvalue, n = ||g|| and m = eta ||y||, the solution of
  B s_new = -g, in the paper a sum of s, g and y with three quotients of
  products, shortens to

    s_new = -lr eta ((n + m) g + eta n y) / (n + 2 m),

  which nothing can cancel or overflow in. Without a gradient a group has no
  step; without a change, y = 0, it has eta times the trial's.
  """
  n, m = jnp.sqrt(grad_square), eta * jnp.sqrt(change_square)
  whole = n + 2 * m
  return (
    eta * core.safe_divide(n + m, whole),
    eta**2 * core.safe_divide(n, whole),
  )


def _independent_weights(
  eta: jax.Array,
  grad_square: jax.Array,
  change_square: jax.Array,
  change_grad: jax.Array,
  change_prev: jax.Array,
  grad_prev: jax.Array,
) -> tuple[jax.Array, ...]:
  """The same for another gradient p: -lr (a g + b y + c p).

  With u = <p, g> / ||g||, v = <p, y> / ||y||, k = n + m + eta <g, y> / n and
  h = n + 2 m, the solution of B s_new = -p is

    s_new = -lr eta / k (n p + m / h (((n + m) v + m u) g / ||g|| +
                                      ((n + m) u + m v) y / ||y||)).
  """
  n, change = jnp.sqrt(grad_square), jnp.sqrt(change_square)
  m = eta * change
  h = n + 2 * m
  u = core.safe_divide(grad_prev, n)
  v = core.safe_divide(change_prev, change)
  # Not below n, whatever is rounded.
  k = n + jnp.maximum(m + eta * core.safe_divide(change_grad, n), 0)
  along_grad = core.safe_divide(m, h) * (
    core.safe_divide(n + m, k) * v + core.safe_divide(m, k) * u
  )
  along_change = core.safe_divide(n + m, h) * u + core.safe_divide(m, h) * v
  return (
    eta * core.safe_divide(along_grad, n),
    eta**2 * jnp.where(n > 0, core.safe_divide(along_change, k), 0),
    eta * core.safe_divide(n, k),
  )


def smb(
  learning_rate: core.ScalarOrSchedule = 0.5,
  *,
  eta: chex.Numeric = 0.99,
  c: chex.Numeric = 0.1,
  independent_batch: bool = False,
  per_group: core.PerGroup = "leaf",
  auto_schedule: SmbAutoSchedule | None = None,
  weight_decay: chex.Numeric = 0.0,
  mask: core.Mask = None,
  state_dtype: Any | None = None,
  compensate: bool | None = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""SMB: SGD whose step is remodelled where it does not pay.

  Each update tries the step s of SGD and looks at the loss f on the same batch:

  .. math::
    s = -\gamma g, \qquad f(x + s) \le f(x) - c \, \gamma \lVert g \rVert^2.

  If the loss decreases that much, s is taken. If not, the change
  :math:`y = \nabla f(x + s) - g` of the gradient tells how far the linear
  models at both points can be trusted, and the step becomes the minimiser of a
  quadratic that blends them. Group by group (by default leaf by leaf) it is

  .. math::
    s' = -\gamma \eta \, \frac{(\lVert g \rVert + \eta \lVert y \rVert) \, g +
    \eta \lVert g \rVert \, y}{\lVert g \rVert + 2 \eta \lVert y \rVert},

  a direction of descent and at most :math:`\eta` times as long as s. It is not
  tested again.

  SMBi (`independent_batch`) takes no step where the trial fails. It builds the
  model in the next update, of that one's batch, and applies it to the gradient
  before, of which it is then independent.

  The function evaluates the batch of the gradients: with the same dropout key,
  and averaged over devices and micro-batches like `value` (see `accumulate`).
  Each update calls it for the loss, of which under `jax.jit` no gradient is
  computed, and within `lax.cond` again for the gradient where the trial is
  refused. Under `jax.vmap` both are computed always. It is given parameters of
  their own dtype. Where it gives nothing finite, nothing moves; if that goes
  on, the rate is far too large.

  Needs: params, value and value_and_grad_fn.
  State: 0 bytes per parameter, and 2 per bfloat16 or float16 parameter; 4 more
  with `independent_batch`.

  Args:
    learning_rate: The rate :math:`\gamma` of the trial step, >= 0, or a
      schedule of it. With `auto_schedule`, what that is multiplied with.
    eta: Largest length of a step of the model, in trial steps; in (0, 1).
    c: Share of the decrease that the gradient promises which is enough, in
      (0, 1).
    independent_batch: Whether the model is built on another batch. Static.
    per_group: Which leaves share a model. "leaf": each has its own. None: all.
      Otherwise those with equal labels in a tree of hashable labels like the
      parameters, a prefix of one, or a function from parameters to it. The test
      is one for all leaves in any case.
    auto_schedule: How the rate changes by itself: by a factor on
      `learning_rate`, 1 at first, so that both compose. The factor does not
      grow where the product would exceed `max_learning_rate`. None: it does
      not change.
    weight_decay: Decay, times the rate, as in AdamW; >= 0. It stays out of the
      trial, the test and the model. An update that waits for the next batch has
      none.
    mask: Leaves to decay: a tree of booleans, a prefix of one, or a function
      from parameters to it. By default all.
    state_dtype: Dtype of the gradient that `independent_batch` keeps. By
      default float32 (float64 for float64 parameters).
    compensate: None: leaves narrower than float32 keep their rounding residual
      (see `compensated`). Trial points are rounded in any case, as parameters
      will be: a step too small to see is refused, and then as good as taken.
      False: they do not, and it is lost.
    axis_name: Mesh axes over which parameters are sharded, in `jax.shard_map`.

  Returns:
    A transformation whose updates are ready for `optax.apply_updates`, and
    whose `update` takes `value` and `value_and_grad_fn`.

  Raises:
    ValueError: If an argument is out of its range, an input of `update` is
      missing, a loss is not a scalar, or a leaf is not floating.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> curvature = jnp.array([0.1, 0.5, 1.0, 3.0])
    >>> target = jnp.array([1.0, -2.0, 3.0, 0.5])
    >>> loss = lambda p: 0.5 * jnp.sum(curvature * (p - target) ** 2)
    >>> tx = optax_stepsize.smb()
    >>> params = jnp.zeros(4)
    >>> state = tx.init(params)
    >>> @jax.jit
    ... def step(params, state):
    ...   value, grads = jax.value_and_grad(loss)(params)
    ...   updates, state = tx.update(
    ...     grads, state, params, value=value,
    ...     value_and_grad_fn=jax.value_and_grad(loss),
    ...   )
    ...   return optax.apply_updates(params, updates), state
    >>> for _ in range(200):
    ...   params, state = step(params, state)
    >>> assert jnp.max(jnp.abs(params - target)) < 1e-2

  References:
    Birbil, Martin, Onay and Oztoprak, Bolstering Stochastic Gradient Descent
    with Model Building, TOP 32, 2024, arXiv 2111.07058; BibTeX by
    `optax_stepsize.cite("smb")`.
  """
  method = "smb"
  core.check_range(
    method, "learning_rate", learning_rate, "[0, inf) or a schedule"
  )
  core.check_range(method, "eta", eta, "(0, 1)")
  core.check_range(method, "c", c, "(0, 1)")
  core.check_choice(
    method, "independent_batch", independent_batch, (True, False)
  )
  core.check_range(method, "weight_decay", weight_decay, "[0, inf)")
  core.check_dtype(method, "state_dtype", state_dtype)
  _check_auto_schedule(method, auto_schedule)

  def init(params):
    dtype = core.accumulator_dtype(params)
    auto = auto_schedule is not None
    return SmbState(
      count=jnp.zeros((), jnp.int32),
      step_size=jnp.zeros((), dtype),
      model_step=jnp.zeros((), jnp.bool_),
      rate_factor=jnp.ones((), dtype) if auto else None,
      window_count=jnp.zeros((), jnp.int32) if auto else None,
      model_count=jnp.zeros((), jnp.int32) if auto else None,
      pending=jnp.zeros((), jnp.bool_) if independent_batch else None,
      prev_grad=core.zeros(params, state_dtype) if independent_batch else None,
    )

  def update(updates, state, params, *, value, value_and_grad_fn, **extra_args):
    # f, g = loss, grads; s = -lr g = trial step; x_t, f_t, g_t = trial point,
    # its loss and gradient; y = change of the gradient; p = prev_grad; lr =
    # rate. Squares and products have one entry per group.
    del extra_args
    dtype = state.step_size.dtype
    loss, _, known = _gap.loss_and_bound(method, value, 0.0, dtype)

    def widened(tree):
      return jax.tree.map(
        lambda t, x: t.astype(core.wide_dtype(x.dtype)), tree, params
      )

    grads = widened(updates)
    rate = core.rate_at(learning_rate, state.count, dtype)
    if auto_schedule is not None:
      rate = rate * state.rate_factor
    names = core.group_names(method, per_group, params)
    order = {n: i for i, n in enumerate(sorted(set(jax.tree.leaves(names))))}
    groups = jax.tree.map(order.__getitem__, names)

    def sums(*leaf_trees):
      return _group_sums(groups, len(order), leaf_trees, axis_name, dtype)

    (grad_squares,) = sums(core.leaf_squares(grads))
    square = jnp.sum(grad_squares)
    finite = known & jnp.isfinite(square)
    trial = jax.tree.map(
      lambda x, g: core.widen(x) - rate.astype(g.dtype) * g, params, grads
    )

    def try_loss():
      return _trial_loss(method, value_and_grad_fn(trial), dtype)

    if independent_batch:
      waited = state.pending
      f_t = lax.cond(waited, lambda: loss, try_loss)
    else:
      waited, f_t = jnp.zeros((), jnp.bool_), try_loss()
    enough = f_t <= loss - core.as_scalar(c, dtype) * rate * square
    # Differs from the reference: SMBi, too, does not take a step to where the
    # loss is not a number.
    accepted = jnp.isfinite(f_t) & (enough | (jnp.sqrt(square) < _LEAST_NORM))
    accepted &= ~waited
    modelled = waited if independent_batch else ~accepted

    def build():
      g_t = widened(value_and_grad_fn(trial)[1])
      y = jax.tree.map(jnp.subtract, g_t, grads)
      products = [core.leaf_squares(y)]
      if independent_batch:
        products += [
          core.leaf_dots(y, grads),
          core.leaf_dots(y, state.prev_grad),
          core.leaf_dots(grads, state.prev_grad),
        ]
      return g_t, sums(*products)

    def skip():
      found = jnp.zeros((4 if independent_batch else 1, len(order)), dtype)
      return jax.tree.map(jnp.zeros_like, grads), found

    g_t, products = lax.cond(modelled & finite, build, skip)
    # Differs from the reference: what is not finite moves nothing.
    finite &= jnp.all(jnp.isfinite(products))
    y = jax.tree.map(jnp.subtract, g_t, grads)
    directions = [grads, y]
    bound = core.as_scalar(eta, dtype)
    # Differs from the reference: a group without a gradient has no step, where
    # theirs is not a number.
    if independent_batch:
      directions.append(widened(state.prev_grad))
      weights = _independent_weights(bound, grad_squares, *products)
    else:
      weights = _weights(bound, grad_squares, *products)
    weights = tuple(
      jnp.where(modelled, w, sgd)
      for w, sgd in zip(weights, (1, 0, 0), strict=False)
    )

    def mix(group, *parts):
      return sum(
        w[group].astype(d.dtype) * d
        for w, d in zip(weights, parts, strict=True)
      )

    moves = jax.tree.map(mix, groups, *directions)
    moves = core.decayed(moves, params, weight_decay, mask)
    taken = finite & (accepted | modelled)
    moves = jax.tree.map(
      lambda m: jnp.where(taken, -rate.astype(m.dtype) * m, jnp.zeros_like(m)),
      moves,
    )

    changed = {"step_size": rate, "model_step": modelled}
    if auto_schedule is not None:
      share = auto_schedule.model_share / (2 if independent_batch else 1)
      changed |= _adapt(auto_schedule, share, state, rate, modelled)
    if independent_batch:
      refused = ~(waited | accepted)
      stored = core.cast_like(grads, state.prev_grad)
      changed["pending"] = refused
      changed["prev_grad"] = core.select(refused, stored, state.prev_grad)
    held = {name: getattr(state, name) for name in changed}
    changed = core.select(finite, changed, held)
    count = optax.safe_increment(state.count)
    return moves, state._replace(count=count, **changed)

  tx = core.transformation(
    method, init, update, needs=("params", "value", "value_and_grad_fn")
  )
  tx = core.compensate_if(method, tx, compensate)

  # The function is the user's, and so is the dtype that it is called with.
  def update_with(updates, state, params, *, value_and_grad_fn, **extra_args):
    def rounded(point):
      return value_and_grad_fn(core.cast_like(point, params))

    return tx.update(
      updates, state, params, value_and_grad_fn=rounded, **extra_args
    )

  return core.transformation(
    method, tx.init, update_with, needs=("params", "value", "value_and_grad_fn")
  )
