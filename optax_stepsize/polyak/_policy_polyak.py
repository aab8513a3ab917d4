# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Polyak steps for policy gradient, with a twin that estimates the optimum.

Computed from the returns of policies and the gradient norm. Need the return,
and for one policy an estimate of the best one.
"""

import functools
from typing import Any, NamedTuple

import chex
import jax
from jax import lax
import jax.numpy as jnp
import optax

from optax_stepsize import core
from optax_stepsize.polyak import _gap


class PolicyPolyakState(NamedTuple):
  """State of `policy_polyak`.

  An update with a non-finite gradient, return or target changes nothing but
  `count`.

  Attributes:
    count: `()` int32: calls of `update`.
    step_size: `()` float32, or float64 if any parameter is float64: the last
      step; zero at first and where the target is reached.
  """

  count: jax.Array  # type: ignore[assignment]
  step_size: jax.Array


class TwinPolyakState(NamedTuple):
  """State of `twin_polyak`.

  An update with a non-finite return, or a non-finite gradient of a twin whose
  gradient counts, changes nothing but `count`.

  Attributes:
    count: `()` int32: calls of `update`.
    step_size: `()` float32, or float64 if any parameter is float64: the last
      step, of the twin that took it.
    updated: `()` int32: index of that twin; -1 at first.
    mean_loss: `(2,)`, in the dtype of `step_size`: average of the negative
      returns; None without `b1`, as the two below.
    mean_slope: `(2,)`, likewise: average of the inner products of gradient and
      parameters.
    mean_grad: Like the parameters, in `state_dtype`: average of the gradients.
  """

  count: jax.Array  # type: ignore[assignment]
  step_size: jax.Array
  updated: jax.Array
  mean_loss: jax.Array | None
  mean_slope: jax.Array | None
  mean_grad: Any


def _check(method, c, max_step_size, eps):
  core.check_range(method, "c", c, "(0, inf)")
  core.check_range(method, "max_step_size", max_step_size, "(0, inf] or None")
  core.check_range(method, "eps", eps, "[0, inf)")


def _step(gap, square, c, max_step_size, eps):
  dtype = gap.dtype
  scaled = core.as_scalar(c, dtype) * square + core.as_scalar(eps, dtype)
  return _gap.capped(core.safe_divide(gap, scaled), max_step_size)


def _policy_polyak(
  method, c, max_step_size, eps, weight_decay, mask, axis_name
):
  _check(method, c, max_step_size, eps)
  core.check_range(method, "weight_decay", weight_decay, "[0, inf)")

  def init(params):
    dtype = core.accumulator_dtype(params)
    return PolicyPolyakState(jnp.zeros((), jnp.int32), jnp.zeros((), dtype))

  def update(updates, state, params, *, value, target_value, **extra_args):
    # gamma = step; gap = J* - J; square = ||g||^2.
    del extra_args
    dtype = state.step_size.dtype
    if jnp.shape(target_value) != ():
      raise ValueError(
        f"{method}: target_value must be a scalar, got shape"
        f" {jnp.shape(target_value)}. Fix: give the one best return."
      )
    value, target, known = _gap.loss_and_bound(
      method, value, target_value, dtype
    )
    square = core.squared_norm(updates, axis_name=axis_name).astype(dtype)
    gap = jnp.maximum(target - value, 0)
    gamma = _step(gap, square, c, max_step_size, eps)
    finite = known & jnp.isfinite(square) & jnp.isfinite(gamma)

    if not core.is_known_zero(weight_decay):
      core.check_inputs(method, ("params",), params=params)
    directions = core.decayed(updates, params, weight_decay, mask)
    moves = jax.tree.map(lambda d: -gamma.astype(d.dtype) * d, directions)
    moves = core.select(finite, moves, jax.tree.map(jnp.zeros_like, moves))
    return moves, PolicyPolyakState(
      optax.safe_increment(state.count),
      jnp.where(finite, gamma, state.step_size),
    )

  return core.transformation(
    method, init, update, needs=("value", "target_value")
  )


def scale_by_policy_polyak(
  c: chex.Numeric = 0.5,
  *,
  max_step_size: chex.Numeric | None = 1.0,
  eps: chex.Numeric = 1e-8,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""Multiplies gradients with minus the Polyak step of a policy.

  `policy_polyak` without weight decay; see there for the rule and the
  arguments. Unlike those of other building blocks, its updates are ready for
  `optax.apply_updates`.

  Needs: value and target_value.
  State: 0 bytes per parameter.

  Returns:
    A transformation whose `update` takes `value` and `target_value`.

  References:
    Li, Yuan, Fan, Schmidt, Horvath, Gower and Takac, Enhancing Policy Gradient
    with the Polyak Step-Size Adaption, 2024, arXiv 2404.07525.
  """
  return _policy_polyak(
    "scale_by_policy_polyak", c, max_step_size, eps, 0.0, None, axis_name
  )


def policy_polyak(
  c: chex.Numeric = 0.5,
  *,
  max_step_size: chex.Numeric | None = 1.0,
  eps: chex.Numeric = 1e-8,
  weight_decay: chex.Numeric = 0.0,
  mask: core.Mask = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""Policy gradient with the Polyak step to a given return.

  For the return J of the policy, an estimate of the best one and the gradient g
  of the loss, which is -J,

  .. math::
    \gamma = \min\left(\frac{(J^\star - J)_+}{c \lVert g \rVert^2 + \epsilon},
    \; \gamma_\mathrm{max}\right), \qquad x \leftarrow x - \gamma g.

  Of a policy that is close to certain the gradient vanishes faster than the
  gap, and the step explodes: keep it away with entropy in return and gradient
  (`entropy_regularised_return`), and bound the step. Rewards times a make the
  step 1 / a of what it was; the bound alone has to follow.

  The return is an average over the same trajectories as the gradient
  (`gpomdp_surrogate`), on all devices with the same weights. Where no estimate
  of the best return is known, `twin_polyak` makes one.

  Needs: value, the return, and target_value; params with weight decay.
  State: 0 bytes per parameter.

  Args:
    c: Normaliser, > 0. With exact values of a concave objective 1 never passes
      the target.
    max_step_size: Largest step, > 0. None: no bound.
    eps: Added to the denominator; >= 0.
    weight_decay: Decay, times the step, as in AdamW; >= 0. It stays out of the
      return and the norm.
    mask: Leaves to decay: a tree of booleans, a prefix of one, or a function
      from parameters to it. By default all.
    axis_name: Mesh axes over which parameters are sharded, in `jax.shard_map`.

  Returns:
    A transformation whose updates are ready for `optax.apply_updates`, and
    whose `update` takes `value`, the return to be maximised, and
    `target_value`.

  Raises:
    ValueError: If an argument is out of its range, `value` or `target_value`
      are not given to `update`, or a leaf is not floating.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> curvature = jnp.array([0.1, 0.5, 1.0, 3.0])
    >>> target = jnp.array([1.0, -2.0, 3.0, 0.5])
    >>> loss = lambda p: 0.5 * jnp.sum(curvature * (p - target) ** 2) - 7
    >>> tx = optax_stepsize.policy_polyak(max_step_size=10.0)
    >>> params = jnp.zeros(4)
    >>> state = tx.init(params)
    >>> @jax.jit
    ... def step(params, state):
    ...   value, grads = jax.value_and_grad(loss)(params)
    ...   updates, state = tx.update(
    ...     grads, state, params, value=-value, target_value=7.0
    ...   )
    ...   return optax.apply_updates(params, updates), state
    >>> for _ in range(200):
    ...   params, state = step(params, state)
    >>> assert jnp.max(jnp.abs(params - target)) < 1e-2

  References:
    Li, Yuan, Fan, Schmidt, Horvath, Gower and Takac, Enhancing Policy Gradient
    with the Polyak Step-Size Adaption, 2024, arXiv 2404.07525; BibTeX by
    `optax_stepsize.cite("policy_polyak")`.
  """
  return _policy_polyak(
    "policy_polyak", c, max_step_size, eps, weight_decay, mask, axis_name
  )


def _check_stacked(tree: chex.ArrayTree) -> None:
  for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
    if leaf.shape[:1] != (2,):
      raise ValueError(
        f"twin_polyak: params{jax.tree_util.keystr(path)} must hold two twins"
        f" along a first axis of 2, got shape {leaf.shape}. Fix:"
        " jax.tree.map(lambda *p: jnp.stack(p), first, second)."
      )


def twin_polyak(
  c: chex.Numeric = 0.5,
  *,
  max_step_size: chex.Numeric | None = 1.0,
  eps: chex.Numeric = 1e-8,
  b1: chex.Numeric | None = None,
  state_dtype: Any | None = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""Two policies, of which the worse one takes a Polyak step to the better.

  The return J of the better twin stands in for the best return, which is not
  known. For the gradient g of the loss, which is -J, and the worse twin w (of
  equals, the second),

  .. math::
    \gamma = \min\left(\frac{\max_i J_i - J_w}{c \lVert g_w \rVert^2 +
    \epsilon}, \; \gamma_\mathrm{max}\right), \qquad
    x_w \leftarrow x_w - \gamma g_w.

  The better twin stays where it is, and its gradient may be left out: any
  numbers will do. Act and report with it. With `b1`, decayed averages of loss,
  gradient and :math:`\langle g, x \rangle` of both twins give a model of the
  loss of each, by which twins are compared, and the step is along the average.

  Twins that start equal never move: initialise them differently. With exact
  values of a concave objective and c >= 1 the worse twin never overtakes the
  better one, and both stall: so c is 0.5. See `policy_polyak` about entropy and
  the largest step.

  Needs: value, the two returns; params with b1.
  State: 0 bytes per parameter, twins counted twice; 4 with b1.

  Args:
    c: Normaliser, > 0, and below 1.
    max_step_size: Largest step, > 0. None: no bound.
    eps: Added to the denominator; >= 0.
    b1: Decay of the averages, in [0, 1); they start at zero. None: the returns
      and gradients as they are.
    state_dtype: Dtype of the average of gradients. By default float32 (float64
      for float64 parameters).
    axis_name: Mesh axes over which parameters are sharded, in `jax.shard_map`;
      the axis of the twins must not be.

  Returns:
    A transformation of trees whose leaves hold the twins along a first axis of
    2, as `jax.vmap` likes them. Its updates are ready for
    `optax.apply_updates`; `update` takes `value`, `(2,)`: the returns, to be
    maximised.

  Raises:
    ValueError: If an argument is out of its range, `value` is not given to
      `update` or has another shape, or a leaf is not floating or does not begin
      with an axis of 2.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> curvature = jnp.array([0.1, 0.5, 1.0, 3.0])
    >>> target = jnp.array([1.0, -2.0, 3.0, 0.5])
    >>> loss = lambda p: 0.5 * jnp.sum(curvature * (p - target) ** 2)
    >>> tx = optax_stepsize.twin_polyak(max_step_size=10.0)
    >>> params = jnp.stack([jnp.zeros(4), jnp.ones(4)])
    >>> state = tx.init(params)
    >>> @jax.jit
    ... def step(params, state):
    ...   losses, grads = jax.vmap(jax.value_and_grad(loss))(params)
    ...   updates, state = tx.update(grads, state, params, value=-losses)
    ...   return optax.apply_updates(params, updates), state
    >>> for _ in range(200):
    ...   params, state = step(params, state)
    >>> assert jnp.max(jax.vmap(loss)(params)) < 1e-2

  References:
    Li, Yuan, Fan, Schmidt, Horvath, Gower and Takac, Enhancing Policy Gradient
    with the Polyak Step-Size Adaption, 2024, arXiv 2404.07525; BibTeX by
    `optax_stepsize.cite("twin_polyak")`.
  """
  method = "twin_polyak"
  _check(method, c, max_step_size, eps)
  core.check_range(method, "b1", b1, "[0, 1) or None")
  core.check_dtype(method, "state_dtype", state_dtype)

  def init(params):
    _check_stacked(params)
    dtype = core.accumulator_dtype(params)
    averages = b1 is not None
    return TwinPolyakState(
      count=jnp.zeros((), jnp.int32),
      step_size=jnp.zeros((), dtype),
      updated=jnp.full((), -1, jnp.int32),
      mean_loss=jnp.zeros(2, dtype) if averages else None,
      mean_slope=jnp.zeros(2, dtype) if averages else None,
      mean_grad=core.zeros(params, state_dtype) if averages else None,
    )

  def average(updates, state, params, losses):
    """The models of both losses, what they are made of, and both squares."""
    # F, G, Q = means of f, g, <g, x>; h = F + <G, x> - Q.
    decay = core.as_scalar(b1, losses.dtype)

    def mean(old, new):
      beta = decay.astype(new.dtype)
      return beta * old.astype(new.dtype) + (1 - beta) * new

    grads = jax.tree.map(
      lambda old, g: mean(old, core.widen(g)), state.mean_grad, updates
    )

    def sums(grad, mean_grad, params):
      return core.global_sums(
        core.leaf_dots(grad, params),
        core.leaf_dots(mean_grad, params),
        core.leaf_squares(mean_grad),
        axis_name=axis_name,
        dtype=losses.dtype,
      )

    # With a size, for trees without leaves.
    slope, mean_slope, squares = jax.vmap(sums, axis_size=2)(
      updates, grads, params
    )
    means = (
      mean(state.mean_loss, losses),
      mean(state.mean_slope, slope),
      grads,
    )
    return means[0] + mean_slope - means[1], means, squares

  def update(updates, state, params, *, value, **extra_args):
    # gamma = step; w = worse; J = -losses; square = ||g_w||^2.
    del extra_args
    _check_stacked(updates)
    if jnp.shape(value) != (2,):
      raise ValueError(
        f"{method}: value must have shape (2,), one return for each twin, got"
        f" {jnp.shape(value)}. Fix: jax.vmap what computes it over the twins."
      )
    dtype = state.step_size.dtype
    losses = -jnp.asarray(value).astype(dtype)
    if b1 is None:
      # Of both twins: to slice one out that is not known beforehand copies it.
      norm = functools.partial(core.squared_norm, axis_name=axis_name)
      squares = jax.vmap(norm, axis_size=2)(updates).astype(dtype)
      directions, means = updates, (None, None, None)
    else:
      core.check_inputs(method, ("params",), params=params)
      losses, means, squares = average(updates, state, params, losses)
      directions = means[-1]
    worse = jnp.where(losses[0] > losses[1], 0, 1).astype(jnp.int32)
    gap = jnp.abs(losses[0] - losses[1])
    gamma = _step(gap, squares[worse], c, max_step_size, eps)
    counting = squares[worse] if b1 is None else jnp.sum(squares)
    finite = jnp.isfinite(gap) & jnp.isfinite(counting) & jnp.isfinite(gamma)

    def move(d):
      d = core.widen(d)
      twin = lax.broadcasted_iota(jnp.int32, d.shape, 0)
      moved = finite & (twin == worse)
      return jnp.where(moved, -gamma.astype(d.dtype) * d, 0)

    moves = jax.tree.map(move, directions)
    old = (state.mean_loss, state.mean_slope, state.mean_grad)
    means = core.select(finite, core.cast_like(means, old), old)
    return moves, TwinPolyakState(
      optax.safe_increment(state.count),
      jnp.where(finite, gamma, state.step_size),
      jnp.where(finite, worse, state.updated),
      *means,
    )

  return core.transformation(method, init, update, needs=("value",))
