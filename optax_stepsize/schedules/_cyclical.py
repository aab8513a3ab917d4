# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Cyclical learning rates: up and down between two bounds, for ever.

Computed from the step count.
"""

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core
from optax_stepsize.schedules import _steps

MODES = ("triangular", "triangular2", "exp_range")
SCALE_MODES = ("cycle", "iterations")


def check_order(
  method: str, low_name: str, low: Any, high_name: str, high: Any
) -> None:
  """Raises ValueError unless low <= high, where both are concrete."""
  if any(isinstance(x, jax.core.Tracer) for x in (low, high)):
    return
  if np.any(np.asarray(low, np.float64) > np.asarray(high, np.float64)):
    raise ValueError(
      f"{method}: {high_name} must be >= {low_name}={low}, got {high}."
    )


def between(
  low: chex.Numeric, high: chex.Numeric, weight: jax.Array
) -> jax.Array:
  """The mean of low and high, of weight 0 and 1: both ends are exact."""
  low, high = (core.as_scalar(x, weight.dtype) for x in (low, high))
  return low * (1 - weight) + high * weight


def split_cycle(count: jax.Array, length: int) -> tuple[jax.Array, jax.Array]:
  """Number of the cycle, from 0, and the step in it."""
  if length > jnp.iinfo(count.dtype).max:  # no count sees a second one
    return jnp.zeros_like(count), count
  return jnp.divmod(count, length)


def triangle(step: jax.Array, up: int, down: int) -> jax.Array:
  """0 at step 0, 1 at step `up`, 0 at step `up + down`."""
  # Integers in all differences, and no sum of the two that could overflow.
  falling = _steps.share(down - (step - up), down)
  return jnp.where(step <= up, _steps.share(step, up), falling)


def halved(times: jax.Array) -> jax.Array:
  """`2**-times`, exactly, where exp2 is wrong in the sixth digit."""
  dtype = _steps.float_dtype()
  vanished = 2 - jnp.finfo(dtype).minexp + jnp.finfo(dtype).nmant
  times = jnp.minimum(times, int(vanished)).astype(jnp.int32)
  return jnp.ldexp(jnp.ones(times.shape, dtype), -times)


def _wave(
  name: str,
  step_size_up: int,
  step_size_down: int | None,
  mode: str,
  gamma: chex.Numeric,
  scale_fn: Callable[[jax.Array], chex.Numeric] | None,
  scale_mode: str,
) -> Callable[[chex.Numeric], jax.Array]:
  """From the count to the scaled triangle, in [0, 1]."""
  core.check_count(name, "step_size_up", step_size_up, 1)
  if step_size_down is None:
    step_size_down = step_size_up
  core.check_count(name, "step_size_down", step_size_down, 1)
  core.check_choice(name, "mode", mode, MODES)
  core.check_choice(name, "scale_mode", scale_mode, SCALE_MODES)
  core.check_range(name, "gamma", gamma, "(0, 1]")
  up, down = int(step_size_up), int(step_size_down)

  def scale(count: jax.Array, cycle: jax.Array) -> jax.Array:
    dtype = _steps.float_dtype()
    if scale_fn is not None:
      given = cycle + 1 if scale_mode == "cycle" else count
      found = core.as_scalar(scale_fn(given.astype(dtype)), dtype)
      return jnp.broadcast_to(found, count.shape)
    if mode == "triangular2":
      return halved(cycle)
    if mode == "exp_range":
      return _steps.power(gamma, count)
    return jnp.ones(count.shape, dtype)

  def wave(count: chex.Numeric) -> jax.Array:
    count = _steps.as_count(count)
    cycle, step = split_cycle(count, up + down)
    return triangle(step, up, down) * scale(count, cycle)

  return wave


def cyclical_schedule(
  base_value: chex.Numeric,
  max_value: chex.Numeric,
  step_size_up: int,
  *,
  step_size_down: int | None = None,
  mode: str = "triangular",
  gamma: chex.Numeric = 1.0,
  scale_fn: Callable[[jax.Array], chex.Numeric] | None = None,
  scale_mode: str = "cycle",
) -> optax.Schedule:
  r"""CLR: the rate rises and falls between two bounds, again and again.

  With :math:`c = 1, 2, \ldots` the number of the cycle of step t, and
  :math:`h` the triangle that rises from 0 to 1 in `step_size_up` steps and
  falls to 0 in `step_size_down`,

  .. math::
    \eta_t = \eta_\mathrm{base} + (\eta_\mathrm{max} - \eta_\mathrm{base})\,
    h_t\, s_t,

  where the scale s is 1 (`"triangular"`), :math:`2^{1 - c}`
  (`"triangular2"`) or :math:`\gamma^t` (`"exp_range"`). A range test gives the
  bounds; without one, a base of a third or a quarter of the maximum. There is
  no final decay: stop where a cycle ends (`cycle_end_steps`), where the rate is
  lowest and the accuracy is best.

  Args:
    base_value: Lowest rate, >= 0.
    max_value: Highest rate, >= `base_value`.
    step_size_up: Steps of a rise, >= 1: 2 to 10 epochs. Static.
    step_size_down: Steps of a fall, >= 1. None: `step_size_up`. Static.
    mode: "triangular", "triangular2" or "exp_range". Static.
    gamma: Decay per step of "exp_range", in (0, 1], such as 0.99994.
    scale_fn: The scale in place of that of `mode`, a function of c or t as a
      float, see `scale_mode`, to [0, 1]. Static.
    scale_mode: What `scale_fn` receives: "cycle", c, which starts at 1, or
      "iterations", t, which starts at 0 and runs through all cycles. Static.

  Returns:
    A function from the step count, a scalar or array, to the rate.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax
    >>> import optax_stepsize
    >>> schedule = optax_stepsize.cyclical_schedule(
    ...     0.001, 0.006, step_size_up=4, mode="triangular2"
    ... )
    >>> tx = optax.sgd(schedule, momentum=0.9)
    >>> [round(float(schedule(step)), 6) for step in (0, 2, 4, 8, 12)]
    [0.001, 0.0035, 0.006, 0.001, 0.0035]

  References:
    Smith, Cyclical Learning Rates for Training Neural Networks, WACV 2017,
    arXiv 1506.01186; BibTeX by `optax_stepsize.cite("cyclical_schedule")`.
  """
  name = "cyclical_schedule"
  core.check_range(name, "base_value", base_value, "[0, inf)")
  core.check_range(name, "max_value", max_value, "[0, inf)")
  check_order(name, "base_value", base_value, "max_value", max_value)
  wave = _wave(
    name, step_size_up, step_size_down, mode, gamma, scale_fn, scale_mode
  )

  def schedule(count: chex.Numeric) -> jax.Array:
    return between(base_value, max_value, wave(count))

  return schedule


def cyclical_momentum_schedule(
  base_momentum: chex.Numeric = 0.8,
  max_momentum: chex.Numeric = 0.9,
  step_size_up: int = 2000,
  *,
  step_size_down: int | None = None,
  mode: str = "triangular",
  gamma: chex.Numeric = 1.0,
  scale_fn: Callable[[jax.Array], chex.Numeric] | None = None,
  scale_mode: str = "cycle",
) -> optax.Schedule:
  """The momentum for `cyclical_schedule`: low where the rate is high.

  Give both the same steps, mode and scale, and drive them through
  `optax.inject_hyperparams`; for Adam, pass the momentum as `b1`.

  Args:
    base_momentum: Momentum at the highest rate, in [0, 1).
    max_momentum: Momentum at the lowest rate, in [0, 1), >= `base_momentum`.
    step_size_up: As of `cyclical_schedule`: steps of a rise of the rate, in
      which the momentum falls. Static.
    step_size_down: As of `cyclical_schedule`. Static.
    mode: As of `cyclical_schedule`. Static.
    gamma: As of `cyclical_schedule`.
    scale_fn: As of `cyclical_schedule`. Static.
    scale_mode: As of `cyclical_schedule`. Static.

  Returns:
    A function from the step count, a scalar or array, to the momentum.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax
    >>> import optax_stepsize
    >>> rate = optax_stepsize.cyclical_schedule(0.01, 0.1, step_size_up=4)
    >>> momentum = optax_stepsize.cyclical_momentum_schedule(
    ...     0.8, 0.9, step_size_up=4
    ... )
    >>> tx = optax.inject_hyperparams(optax.sgd)(
    ...     learning_rate=rate, momentum=momentum
    ... )
    >>> [round(float(momentum(step)), 6) for step in range(5)]
    [0.9, 0.875, 0.85, 0.825, 0.8]

  References:
    Smith, arXiv 1506.01186; the momentum from Smith, arXiv 1803.09820.
  """
  name = "cyclical_momentum_schedule"
  core.check_range(name, "base_momentum", base_momentum, "[0, 1)")
  core.check_range(name, "max_momentum", max_momentum, "[0, 1)")
  check_order(
    name, "base_momentum", base_momentum, "max_momentum", max_momentum
  )
  wave = _wave(
    name, step_size_up, step_size_down, mode, gamma, scale_fn, scale_mode
  )

  def schedule(count: chex.Numeric) -> jax.Array:
    return between(max_momentum, base_momentum, wave(count))

  return schedule


def cycle_end_steps(
  total_steps: int, step_size_up: int, *, step_size_down: int | None = None
) -> tuple[int, ...]:
  """Numbers of updates after which a cycle of `cyclical_schedule` is complete.

  The rate is then lowest: where to evaluate, and where to stop.

  Args:
    total_steps: Updates of the run, >= 0; the last end is at most that.
    step_size_up: As of `cyclical_schedule`.
    step_size_down: As of `cyclical_schedule`.

  Returns:
    Increasing integers, none if the run is shorter than a cycle.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> optax_stepsize.cycle_end_steps(30, step_size_up=4, step_size_down=6)
    (10, 20, 30)
  """
  name = "cycle_end_steps"
  core.check_count(name, "total_steps", total_steps, 0)
  core.check_count(name, "step_size_up", step_size_up, 1)
  if step_size_down is None:
    step_size_down = step_size_up
  core.check_count(name, "step_size_down", step_size_down, 1)
  length = int(step_size_up) + int(step_size_down)
  return tuple(range(length, int(total_steps) + 1, length))
