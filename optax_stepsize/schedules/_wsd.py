# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""WSD, WSD-S and Cyclic-Cosine: one run for several budgets.

Computed from the step count and the budgets.
"""

from collections.abc import Sequence
import itertools
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize import core
from optax_stepsize.schedules import _cooldown
from optax_stepsize.schedules import _phases
from optax_stepsize.schedules import _profiles
from optax_stepsize.schedules import _steps


def _check_budgets(name: str, budgets: Sequence[int]) -> list[int]:
  """The budgets as Python integers."""
  if not isinstance(budgets, (list, tuple)) or not budgets:
    raise ValueError(
      f"{name}: budgets must be a sequence of one or more numbers of steps, got"
      f" {budgets!r}."
    )
  for budget in budgets:
    core.check_count(name, "budgets", budget, 1)
  if any(low >= high for low, high in itertools.pairwise(budgets)):
    raise ValueError(
      f"{name}: budgets must be increasing, got {list(budgets)}."
    )
  return list(map(int, budgets))


def _decays(
  name: str,
  bases: Sequence[int],
  rooms: Sequence[int],
  decay_fraction: chex.Numeric,
  decay_steps: int | Sequence[int] | None,
  minimum: int = 1,
) -> list[int] | jax.Array:
  """Steps of each decay, an array where the fraction is traced.

  Args:
    name: Of the caller, for errors.
    bases: What `decay_fraction` is a share of, for each decay.
    rooms: The most steps that fit.
    decay_fraction: Share of the base, rounded; halves to even.
    decay_steps: Replaces the share, for all or for each.
    minimum: Least of `decay_steps`.
  """
  if decay_steps is None:
    core.check_range(name, "decay_fraction", decay_fraction, "(0, 1)")
    if isinstance(decay_fraction, jax.core.Tracer):
      dtype = _steps.float_dtype()
      share = core.as_scalar(decay_fraction, dtype) * jnp.asarray(bases, dtype)
      wanted = jnp.rint(share).astype(jnp.int32)
      return jnp.clip(wanted, 1, jnp.asarray(rooms, jnp.int32))
    fraction = float(decay_fraction)
    found = [max(1, round(fraction * base)) for base in bases]
  elif isinstance(decay_steps, (list, tuple)):
    if len(decay_steps) != len(bases):
      raise ValueError(
        f"{name}: decay_steps must be an integer or have one entry for each of"
        f" the {len(bases)} budgets, got {decay_steps!r}."
      )
    found = list(decay_steps)
  else:
    found = [decay_steps] * len(bases)  # type: ignore[list-item]
  for place, (steps, room) in enumerate(zip(found, rooms, strict=True)):
    core.check_count(name, "decay_steps", steps, minimum)
    if steps > room:
      which = f" before budget number {place + 1}" if len(rooms) > 1 else ""
      raise ValueError(
        f"{name}: decay_steps must be at most {max(room, 0)}{which}, the steps"
        f" that the rise of the rate leaves, got {steps}."
      )
  return list(map(int, found))


def _schedule(
  method: str,
  budgets: Sequence[int],
  rises: Sequence[int],
  decays: Sequence[int] | jax.Array,
  shape: str,
  *,
  peak_value: chex.Numeric,
  end_value: chex.Numeric | None,
  init_value: chex.Numeric,
) -> optax.Schedule:
  """A rise, a plateau and a decay before each budget.

  Args:
    method: Of the caller, for errors.
    budgets: Steps at which phases end, increasing.
    rises: Steps of the rise, of each phase.
    decays: Steps of the decay, of each phase.
    shape: The curve of the decay.
    peak_value: Rate of the plateaus.
    end_value: Where a decay ends and the next rise begins.
    init_value: Where the first rise begins.
  """
  phases = _phases.Phases(method, budgets[-1], 0, (0, *budgets))

  def schedule(count: chex.Numeric) -> jax.Array:
    dtype = _steps.float_dtype()
    peak = core.as_scalar(peak_value, dtype)
    end = _end(peak_value, end_value, dtype)
    count = _steps.as_count(count)
    phase, spent, left = phases.locate(count)

    # A decay of no step is one of one step, which begins at the peak.
    decay = jnp.maximum(jnp.asarray(decays).astype(left.dtype)[phase], 1)
    decay_left = jnp.minimum(left, decay)
    rate = _cooldown.interpolate(
      shape, decay - decay_left, decay_left, peak=peak, end=end
    )
    if not any(rises):
      return rate
    # A rise is a cooldown run backwards.
    rise = jnp.asarray(rises).astype(left.dtype)[phase]
    rising = spent < rise
    to_go = jnp.where(rising, rise - spent, 0)
    gone = jnp.where(rising, spent, 1)
    start = core.as_scalar(init_value, dtype)
    low = jnp.where(phase == 0, start, end)
    risen = _cooldown.interpolate("linear", to_go, gone, peak=peak, end=low)
    return jnp.where(rising, risen, rate)

  return schedule


def _end(peak_value, end_value, dtype) -> jax.Array:
  """The end of a decay, by default a tenth of the peak."""
  if end_value is None:
    if not isinstance(peak_value, (int, float)):
      peak_value = core.as_scalar(peak_value, dtype)
    end_value = 0.1 * peak_value
  return core.as_scalar(end_value, dtype)


def _check_rates(name, shape, peak_value, end_value, init_value):
  _cooldown.check_rates(name, shape, peak_value, end_value)
  core.check_range(name, "init_value", init_value, "[0, inf)")


def wsd_schedule(
  peak_value: chex.Numeric,
  total_steps: int,
  *,
  warmup_steps: int = 0,
  decay_steps: int | None = None,
  decay_fraction: chex.Numeric = 0.1,
  shape: str = "inverse",
  end_value: chex.Numeric | None = None,
  init_value: chex.Numeric = 0.0,
) -> optax.Schedule:
  r"""Warm-up, a constant rate, and a decay over the last steps.

  The rate rises from `init_value` to the peak P over W steps and stays there.
  The last D steps before the budget T decay to the end E, by default as

  .. math::
    \eta_t = \frac{1}{s / E + (1 - s) / P}, \qquad s = \frac{t - (T - D)}{D},

  and the rate of step T and later is E. The constant part does not depend on
  the budget, so that one run serves several: see `wsd_branches` and
  `wsd_s_schedule`.

  Args:
    peak_value: Rate after warm-up, >= 0.
    total_steps: Budget, warm-up included. Static.
    warmup_steps: Steps of the linear rise. Static.
    decay_steps: Steps of the decay, which with the warm-up must fit into the
      budget; zero and one are a drop from peak to end. Static. None: set by
      `decay_fraction`.
    decay_fraction: Share of the budget spent decaying, in (0, 1): the steps are
      rounded, halves to even, and at least one. May be traced, and is then cut
      to what fits.
    shape: The curve of the decay, see `cooldown`. Static.
    end_value: Rate after the decay, from 0 to the peak, but > 0 for "inverse"
      and "exponential". None: a tenth of the peak.
    init_value: Rate of step 0 with a warm-up, >= 0.

  Returns:
    A function from the step count, a scalar or array, to the rate.

  Raises:
    ValueError: If an argument is out of its range, or warm-up and decay are
      longer than the budget.

  Example:
    >>> import optax
    >>> import optax_stepsize
    >>> schedule = optax_stepsize.wsd_schedule(
    ...     1e-3, total_steps=1000, warmup_steps=50
    ... )
    >>> tx = optax.adamw(schedule)
    >>> [round(float(schedule(step)), 6) for step in (0, 50, 900, 950, 1000)]
    [0.0, 0.001, 0.001, 0.000182, 0.0001]

  References:
    Wen, Li, Wang, Hall, Liang and Ma, Understanding Warmup-Stable-Decay
    Learning Rates: A River Valley Loss Landscape Perspective, ICLR 2025, arXiv
    2410.05192; BibTeX by `optax_stepsize.cite("wsd_schedule")`.
  """
  name = "wsd_schedule"
  _check_rates(name, shape, peak_value, end_value, init_value)
  core.check_count(name, "total_steps", total_steps, 1)
  core.check_count(name, "warmup_steps", warmup_steps, 0)
  if warmup_steps > total_steps:
    raise ValueError(
      f"{name}: warmup_steps must be at most total_steps={total_steps}, got"
      f" {warmup_steps}."
    )
  decays = _decays(
    name,
    [total_steps],
    [total_steps - warmup_steps],
    decay_fraction,
    decay_steps,
    minimum=0,
  )
  return _schedule(
    name,
    [int(total_steps)],
    [int(warmup_steps)],
    decays,
    shape,
    peak_value=peak_value,
    end_value=end_value,
    init_value=init_value,
  )


def wsd_s_schedule(
  peak_value: chex.Numeric,
  budgets: Sequence[int],
  *,
  warmup_steps: int = 0,
  decay_fraction: chex.Numeric = 0.1,
  decay_steps: int | Sequence[int] | None = None,
  decay_of: str = "segment",
  rewarmup_steps: int = 0,
  shape: str = "inverse",
  end_value: chex.Numeric | None = None,
  init_value: chex.Numeric = 0.0,
) -> optax.Schedule:
  r"""WSD-S: one run that has decayed at each of several budgets.

  The segment from one budget to the next holds the peak and decays over its
  last steps. The checkpoint at a budget is that of a finished run; training
  goes on from it, optimizer state included, with the rate back at the peak. So
  the run costs no more than its last budget. Budgets usually double.

  Args:
    peak_value: Rate after warm-up, >= 0.
    budgets: Steps at which a decay has ended, increasing. Static.
    warmup_steps: Steps of the linear rise from `init_value` at the very start.
      Static.
    decay_fraction: Share of a segment spent decaying, in (0, 1): the steps are
      rounded, halves to even, and at least one. May be traced, and is then cut
      to what fits.
    decay_steps: Steps of the decay, of each segment or of all, >= 1; overrides
      `decay_fraction`. With the rise they must fit into the segment. Static.
    decay_of: What `decay_fraction` is a share of: the "segment", or the whole
      "budget" that ends there. Static.
    rewarmup_steps: Steps of the linear rise from the end back to the peak, at
      the start of each segment but the first. Static.
    shape: The curve of a decay, see `cooldown`. Static.
    end_value: Rate after a decay, from 0 to the peak, but > 0 for "inverse" and
      "exponential". None: a tenth of the peak.
    init_value: Rate of step 0 with a warm-up, >= 0.

  Returns:
    A function from the step count, a scalar or array, to the rate. At a budget
    it begins anew; at the last one and later it is the end.

  Raises:
    ValueError: If an argument is out of its range, or a rise and a decay are
      longer than their segment.

  Example:
    >>> import optax
    >>> import optax_stepsize
    >>> schedule = optax_stepsize.wsd_s_schedule(1e-3, [1000, 2000, 4000])
    >>> tx = optax.adamw(schedule)
    >>> [round(float(schedule(step)), 6) for step in (999, 1000, 1899, 1950)]
    [0.000101, 0.001, 0.001, 0.000182]

  References:
    Wen et al., Understanding Warmup-Stable-Decay Learning Rates: A River Valley
    Loss Landscape Perspective, ICLR 2025, arXiv 2410.05192; BibTeX by
    `optax_stepsize.cite("wsd_s_schedule")`.
  """
  name = "wsd_s_schedule"
  _check_rates(name, shape, peak_value, end_value, init_value)
  budgets = _check_budgets(name, budgets)
  core.check_count(name, "warmup_steps", warmup_steps, 0)
  core.check_count(name, "rewarmup_steps", rewarmup_steps, 0)
  core.check_choice(name, "decay_of", decay_of, ("segment", "budget"))
  rises, lengths = _segments(budgets, warmup_steps, rewarmup_steps)
  for place, (rise, length) in enumerate(zip(rises, lengths, strict=True)):
    if rise >= length:
      argument = "rewarmup_steps" if place else "warmup_steps"
      raise ValueError(
        f"{name}: {argument} must be below {length}, the steps before budget"
        f" number {place + 1}, got {rise}."
      )
  decays = _decays(
    name,
    budgets if decay_of == "budget" else lengths,
    [length - rise for rise, length in zip(rises, lengths, strict=True)],
    decay_fraction,
    decay_steps,
  )
  return _schedule(
    name,
    budgets,
    rises,
    decays,
    shape,
    peak_value=peak_value,
    end_value=end_value,
    init_value=init_value,
  )


def _segments(budgets, warmup_steps, rewarmup_steps):
  """Steps of the rise and of the whole segment, for each segment."""
  lengths = [high - low for low, high in itertools.pairwise([0, *budgets])]
  rises = [int(warmup_steps)] + [int(rewarmup_steps)] * (len(budgets) - 1)
  return rises, lengths


def cyclic_cosine_schedule(
  peak_value: chex.Numeric,
  budgets: Sequence[int],
  *,
  warmup_steps: int = 0,
  end_value: chex.Numeric | None = None,
  init_value: chex.Numeric = 0.0,
) -> optax.Schedule:
  r"""A cosine from the peak to the end before each of several budgets.

  What `wsd_s_schedule` is measured against: one run as well, whose segments
  decay all the way, and after each budget restart from the peak.

  Args:
    peak_value: Rate after warm-up, >= 0.
    budgets: Steps at which a decay has ended, increasing. Static.
    warmup_steps: Steps of the linear rise from `init_value`, at the very start
      and below the first budget. Static.
    end_value: Rate after a decay, from 0 to the peak. None: a tenth of it.
    init_value: Rate of step 0 with a warm-up, >= 0.

  Returns:
    A function from the step count, a scalar or array, to the rate. At the last
    budget and later it is the end.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> schedule = optax_stepsize.cyclic_cosine_schedule(1.0, [4, 10])
    >>> [round(float(schedule(step)), 3) for step in range(7)]
    [1.0, 0.868, 0.55, 0.232, 1.0, 0.94, 0.775]

  References:
    Wen et al., Understanding Warmup-Stable-Decay Learning Rates: A River Valley
    Loss Landscape Perspective, ICLR 2025, arXiv 2410.05192; BibTeX by
    `optax_stepsize.cite("cyclic_cosine_schedule")`.
  """
  name = "cyclic_cosine_schedule"
  _check_rates(name, "cosine", peak_value, end_value, init_value)
  budgets = _check_budgets(name, budgets)
  core.check_count(name, "warmup_steps", warmup_steps, 0)
  if warmup_steps >= budgets[0]:
    raise ValueError(
      f"{name}: warmup_steps must be below the first of budgets={budgets}, got"
      f" {warmup_steps}."
    )
  rises, lengths = _segments(budgets, warmup_steps, 0)
  return _schedule(
    name,
    budgets,
    rises,
    [length - rise for rise, length in zip(rises, lengths, strict=True)],
    "cosine",
    peak_value=peak_value,
    end_value=end_value,
    init_value=init_value,
  )


def wsd_sqrt_cube_schedule(
  peak_value: chex.Numeric,
  total_steps: int,
  *,
  warmup_steps: int = 0,
  decay_fraction: chex.Numeric = 0.17,
  end_value: chex.Numeric = 0.0,
) -> optax.Schedule:
  r"""Warm-up, a constant rate, and a decay by the square root of a cube.

  The closed form of what `optimize_schedule` finds by the multi-power law. The
  rate rises from zero to the peak P over W steps and stays there; over the last
  D steps before the budget T it is

  .. math::
    \eta_t = E + (P - E) (1 - s)^{1.5}, \qquad s = \frac{t - (T - D)}{D},

  and E from step T on.

  Args:
    peak_value: Rate after warm-up, >= 0.
    total_steps: Budget, warm-up included. Static.
    warmup_steps: Steps of the linear rise, below the budget. Static.
    decay_fraction: D as a share of the steps after the warm-up, in (0, 1):
      rounded down, and at least one.
    end_value: Rate after the decay, from 0 to the peak.

  Returns:
    A function from the step count, a scalar or array, to the rate.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> schedule = optax_stepsize.wsd_sqrt_cube_schedule(
    ...   0.8, total_steps=110, warmup_steps=10, decay_fraction=0.16
    ... )
    >>> [round(float(schedule(step)), 3) for step in (0, 5, 94, 106, 110)]
    [0.0, 0.4, 0.8, 0.1, 0.0]

  References:
    Luo, Wen, Hu, Sun, Liu, Sun, Lyu and Chen, A Multi-Power Law for Loss Curve
    Prediction Across Learning Rate Schedules, ICLR 2025, arXiv 2503.12811;
    BibTeX by `optax_stepsize.cite("wsd_sqrt_cube_schedule")`.
  """
  name = "wsd_sqrt_cube_schedule"
  core.check_range(name, "end_value", end_value, "[0, inf)")
  _check_rates(name, "linear", peak_value, end_value, 0.0)
  core.check_count(name, "total_steps", total_steps, 1)
  core.check_count(name, "warmup_steps", warmup_steps, 0)
  if warmup_steps >= total_steps:
    raise ValueError(
      f"{name}: warmup_steps must be below total_steps={total_steps}, got"
      f" {warmup_steps}."
    )
  core.check_range(name, "decay_fraction", decay_fraction, "(0, 1)")
  room = int(total_steps - warmup_steps)
  if isinstance(decay_fraction, jax.core.Tracer):
    dtype = _steps.float_dtype()
    share = core.as_scalar(decay_fraction, dtype) * core.as_scalar(room, dtype)
    decay = jnp.clip(jnp.floor(share).astype(jnp.int32), 1, room)
  else:
    decay = jnp.asarray(max(1, int(float(decay_fraction) * room)), jnp.int32)
  profile = _profiles.polynomial_profile(1.5)

  def schedule(count: chex.Numeric) -> jax.Array:
    dtype = _steps.float_dtype()
    peak = core.as_scalar(peak_value, dtype)
    end = core.as_scalar(end_value, dtype)
    count = jnp.minimum(_steps.as_count(count), total_steps)
    steps = decay.astype(count.dtype)
    left = jnp.minimum(total_steps - count, steps)
    weight = profile.at(steps - left, left)
    rate = peak * weight + end * (1 - weight)
    return _steps.warmed_up(
      count,
      rate,
      warmup_steps=warmup_steps,
      init_value=0.0,
      peak_value=peak_value,
    )

  return schedule


class Branch(NamedTuple):
  """Where to leave a run at constant rate, for one budget.

  Attributes:
    start_step: Steps of the run, on which parameters and optimizer state are
      taken; the decay begins with the step of this number.
    end_step: The budget.
  """

  start_step: int
  end_step: int


def wsd_branches(
  budgets: Sequence[int],
  decay_fraction: float = 0.1,
  *,
  decay_steps: int | Sequence[int] | None = None,
  warmup_steps: int = 0,
) -> list[Branch]:
  """Where to fork one run with `wsd_schedule`, so that it serves all budgets.

  Keep parameters and optimizer state of the run at each `start_step`, and
  decay from there to `end_step` with the schedule of that budget: the result is
  that of a run of its own. The decayed weights are not used again, so that all
  budgets cost the last one and the decays before the others.

  Args:
    budgets: Steps of the runs, increasing.
    decay_fraction: Share of a budget spent decaying, as in `wsd_schedule`.
    decay_steps: Steps of the decay, for each budget or for all, >= 0; overrides
      `decay_fraction`.
    warmup_steps: Steps of the warm-up, which a decay must not reach into.

  Returns:
    A branch for each budget, in their order.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> branches = optax_stepsize.wsd_branches([1000, 2000, 4000])
    >>> [branch.start_step for branch in branches]
    [900, 1800, 3600]

  References:
    Wen et al., arXiv 2410.05192.
  """
  name = "wsd_branches"
  budgets = _check_budgets(name, budgets)
  core.check_count(name, "warmup_steps", warmup_steps, 0)
  rooms = [budget - warmup_steps for budget in budgets]
  decays = _decays(name, budgets, rooms, decay_fraction, decay_steps, minimum=0)
  return [
    Branch(budget - int(decay), budget)
    for budget, decay in zip(budgets, decays, strict=True)
  ]
