# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""SPS: the stochastic Polyak step size.

Computed from the loss value and the squared gradient norm. Needs the loss.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize import core
from optax_stepsize.polyak import _gap


class SPSState(NamedTuple):
  """State of `scale_by_sps`.

  An update with a non-finite gradient, loss or lower bound changes nothing but
  `count`.

  Attributes:
    count: `()` int32: calls of `update`.
    step_size: `()` float32, or float64 if any gradient is float64: the last
      step that was taken; caps the next one with `smoothing`.
  """

  count: jax.Array  # type: ignore[assignment]
  step_size: jax.Array


def scale_by_sps(
  c: chex.Numeric = 0.5,
  *,
  f_min: chex.Numeric = 0.0,
  max_step_size: chex.Numeric | None = None,
  smoothing: chex.Numeric | None = None,
  steps_per_epoch: int | None = None,
  init_step_size: chex.Numeric = 1.0,
  eps: chex.Numeric = 1e-8,
  grad_norm_floor: chex.Numeric = 1e-8,
  on_zero_gradient: str = "keep",
  weight_decay: chex.Numeric = 0.0,
  mask: core.Mask = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""Multiplies gradients with the Polyak step; does not flip their sign.

  See `sps` for the rule and the arguments. Nothing may change the gradients
  before it: the loss would no longer belong to them.

  Needs: value.
  State: 0 bytes per parameter.

  Returns:
    A transformation whose `update` takes `value` and optionally `f_min`. Its
    updates point along the gradient.

  References:
    Loizou, Vaswani, Laradji and Lacoste-Julien, Stochastic Polyak Step-size for
    SGD: An Adaptive Learning Rate for Fast Convergence, AISTATS 2021, arXiv
    2002.10542.
  """
  core.check_range("sps", "c", c, "(0, inf)")
  core.check_range("sps", "f_min", f_min, "(-inf, inf)")
  core.check_range("sps", "max_step_size", max_step_size, "(0, inf] or None")
  core.check_range("sps", "smoothing", smoothing, "[1, inf) or None")
  core.check_range("sps", "init_step_size", init_step_size, "(0, inf)")
  core.check_range("sps", "eps", eps, "[0, inf)")
  core.check_range("sps", "grad_norm_floor", grad_norm_floor, "[0, inf)")
  core.check_range("sps", "weight_decay", weight_decay, "[0, inf)")
  core.check_choice(
    "sps", "on_zero_gradient", on_zero_gradient, ("keep", "freeze")
  )
  if smoothing is not None and steps_per_epoch is None:
    raise ValueError(
      "sps: steps_per_epoch must be given with smoothing, got None. Fix:"
      " steps_per_epoch=number_of_examples // batch_size."
    )
  if steps_per_epoch is not None:
    core.check_count("sps", "steps_per_epoch", steps_per_epoch, 1)
  epochs_per_step = 1 / (steps_per_epoch or 1)
  constructor_f_min = f_min

  def init(params):
    dtype = core.accumulator_dtype(params)
    return SPSState(
      jnp.zeros((), jnp.int32), core.as_scalar(init_step_size, dtype)
    )

  def update(updates, state, params, *, value, f_min=None, **extra_args):
    # tau = step; gap = f - f*; grad_sq = ||g||^2.
    del extra_args
    dtype = state.step_size.dtype
    value, bound, known = _gap.loss_and_bound(
      "sps", value, constructor_f_min if f_min is None else f_min, dtype
    )
    grad_sq = core.squared_norm(updates, axis_name=axis_name).astype(dtype)

    # Differs from the reference: a loss below its bound gives no step instead
    # of an ascent, and the smoothed rule knows the bound as well.
    gap = jnp.maximum(value - bound, 0)
    scaled = core.as_scalar(c, dtype) * grad_sq + core.as_scalar(eps, dtype)
    # Differs from the reference: the largest step holds with smoothing as well.
    tau = _gap.capped(core.safe_divide(gap, scaled), max_step_size)
    if smoothing is not None:
      growth = core.as_scalar(smoothing, dtype) ** epochs_per_step
      tau = jnp.minimum(tau, growth * state.step_size)
    floor = core.as_scalar(grad_norm_floor, dtype)
    tau = jnp.where(jnp.sqrt(grad_sq) < floor, 0, tau)

    finite = known & jnp.isfinite(grad_sq)
    step_size = tau
    if on_zero_gradient == "keep":
      # Differs from the reference: a stored zero would cap all later steps.
      step_size = jnp.where(tau > 0, tau, state.step_size)
    step_size = jnp.where(finite, step_size, state.step_size)

    if not core.is_known_zero(weight_decay):
      core.check_inputs("sps", ("params",), params=params)
    directions = core.decayed(updates, params, weight_decay, mask)
    scaled_updates = jax.tree.map(
      lambda u: jnp.where(
        finite & (tau > 0), tau.astype(u.dtype) * u, jnp.zeros_like(u)
      ),
      directions,
    )
    count = optax.safe_increment(state.count)
    return scaled_updates, SPSState(count, step_size)

  return core.transformation("sps", init, update, needs=("value",))


def _centralize() -> optax.GradientTransformation:
  """Removes the mean of each leaf over all axes but the last (the output)."""

  def update(updates, state, params=None):
    del params

    def centre(g):
      if g.ndim < 2:
        return g
      wide = core.widen(g)
      mean = jnp.mean(wide, axis=tuple(range(g.ndim - 1)), keepdims=True)
      return (wide - mean).astype(g.dtype)

    return jax.tree.map(centre, updates), state

  return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def sps(
  c: chex.Numeric = 0.5,
  *,
  f_min: chex.Numeric = 0.0,
  max_step_size: chex.Numeric | None = None,
  smoothing: chex.Numeric | None = None,
  steps_per_epoch: int | None = None,
  init_step_size: chex.Numeric = 1.0,
  eps: chex.Numeric = 1e-8,
  grad_norm_floor: chex.Numeric = 1e-8,
  on_zero_gradient: str = "keep",
  centralize: bool = False,
  weight_decay: chex.Numeric = 0.0,
  mask: core.Mask = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""SPS: SGD with the stochastic Polyak step size.

  For the loss f of a batch, its gradient g and a lower bound of the loss,

  .. math::
    \tau = \min\left(\frac{f - f_\mathrm{min}}{c \lVert g \rVert^2 + \epsilon},
    \; \tau_\mathrm{max}\right), \qquad x \leftarrow x - \tau g,

  where :math:`\tau_\mathrm{max}` is `max_step_size` (SPS_max), with `smoothing`
  and n steps per epoch :math:`\mathtt{smoothing}^{1/n}` times the step before,
  and the smaller of the two if both are given.

  The loss must belong to the gradients: averaged over devices and micro-batches
  like them (see `accumulate`), with the same regularisers in both. So it goes
  first in a chain, before clipping and preconditioning.

  Needs: value; params with weight decay.
  State: 0 bytes per parameter.

  Args:
    c: Normaliser, > 0. 0.5 in theory for strongly convex losses, 1 for convex
      ones; 0.2 with smoothing for models that fit all data.
    f_min: Lower bound of the batch loss. `update(..., f_min=...)` overrides it.
    max_step_size: Largest step, > 0; the paper tries 1, 5 and 100. None: no
      bound.
    smoothing: Factor by which the step may grow per epoch, >= 1; 2 in the
      paper. None: no smoothing.
    steps_per_epoch: Updates per epoch, which `smoothing` needs. Static.
    init_step_size: Step before the first one, > 0.
    eps: Added to the denominator; >= 0. The paper's experiments use zero.
    grad_norm_floor: Below this gradient norm no step is taken; >= 0.
    on_zero_gradient: "keep" leaves the step in the state as it was when none is
      taken. "freeze" stores zero, as the authors' code does, which with
      smoothing ends training.
    centralize: Removes from each gradient of two or more axes its mean over all
      axes but the last, which in Flax kernels is the output.
    weight_decay: Decay, times the step, as in AdamW; >= 0. It stays out of the
      loss and the norm, since `f_min` bounds the loss alone.
    mask: Leaves to decay: a tree of booleans, a prefix of one, or a function
      from parameters to it. By default all.
    axis_name: Mesh axes over which parameters are sharded, in `jax.shard_map`.

  Returns:
    A transformation whose updates are ready for `optax.apply_updates`, and
    whose `update` takes `value` and optionally `f_min`.

  Raises:
    ValueError: If an argument is out of its range, `value` is not given to
      `update`, or a leaf is not floating.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> curvature = jnp.array([0.1, 0.5, 1.0, 3.0])
    >>> target = jnp.array([1.0, -2.0, 3.0, 0.5])
    >>> loss = lambda p: 0.5 * jnp.sum(curvature * (p - target) ** 2)
    >>> tx = optax_stepsize.sps()
    >>> params = jnp.zeros(4)
    >>> state = tx.init(params)
    >>> @jax.jit
    ... def step(params, state):
    ...   value, grads = jax.value_and_grad(loss)(params)
    ...   updates, state = tx.update(grads, state, params, value=value)
    ...   return optax.apply_updates(params, updates), state
    >>> for _ in range(200):
    ...   params, state = step(params, state)
    >>> assert jnp.max(jnp.abs(params - target)) < 1e-2

  References:
    Loizou, Vaswani, Laradji and Lacoste-Julien, Stochastic Polyak Step-size for
    SGD: An Adaptive Learning Rate for Fast Convergence, AISTATS 2021, arXiv
    2002.10542; BibTeX by `optax_stepsize.cite("sps")`.
  """
  scale = scale_by_sps(
    c,
    f_min=f_min,
    max_step_size=max_step_size,
    smoothing=smoothing,
    steps_per_epoch=steps_per_epoch,
    init_step_size=init_step_size,
    eps=eps,
    grad_norm_floor=grad_norm_floor,
    on_zero_gradient=on_zero_gradient,
    weight_decay=weight_decay,
    mask=mask,
    axis_name=axis_name,
  )
  first = [_centralize()] if centralize else []
  return optax.chain(*first, scale, optax.scale(-1.0))
