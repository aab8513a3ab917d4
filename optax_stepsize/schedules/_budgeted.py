# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Budgeted schedules: any profile, read at any sampling; REX, linear decay.

Computed from the step count and the budget.
"""

from collections.abc import Callable, Sequence
import fractions
import itertools
import math
import re
from typing import TypeAlias

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core
from optax_stepsize.schedules import _phases
from optax_stepsize.schedules import _profiles
from optax_stepsize.schedules import _steps

Sampling: TypeAlias = str | int | Sequence[float | fractions.Fraction]
# From phase, steps spent and steps left in it to the amounts spent and left
# that the profile is read at.
_Read: TypeAlias = Callable[
  [jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array]
]


def _named_points(sampling: str) -> list[fractions.Fraction] | None:
  """The points of a sampling such as "50-75"; None if it is not of the kind."""
  if sampling == "33-66":
    return [fractions.Fraction(1, 3), fractions.Fraction(2, 3)]
  if not re.fullmatch(r"\d+(-\d+)*", sampling):
    return None
  percents = [int(number) for number in sampling.split("-")]
  if len(percents) == 2 and percents[0] == percents[1] and percents[0] > 0:
    percents = list(range(percents[0], 100, percents[0]))
  return [fractions.Fraction(percent, 100) for percent in percents]


def _points(
  method: str, sampling: str | Sequence[float | fractions.Fraction]
) -> list[float | fractions.Fraction]:
  points: Sequence[float | fractions.Fraction] | None = None
  if isinstance(sampling, str):
    points = _named_points(sampling)
  elif isinstance(sampling, (list, tuple, np.ndarray)):
    points = list(sampling)
  if points is None or any(
    not low < high for low, high in itertools.pairwise((0, *points, 1))
  ):
    raise ValueError(
      f'{method}: sampling must be "every", increasing percentages in (0, 100)'
      ' such as "50-75", "k-k" for every k per cent, increasing fractions in'
      f" (0, 1), or a number of steps, got {sampling!r}."
    )
  return list(points)


def _reader(method: str, sampling: Sampling, phases: _phases.Phases) -> _Read:
  """Holds the profile where the last sampling point has left it."""
  if isinstance(sampling, str) and sampling == "every":
    return lambda phase, spent, left: (spent, left)

  if isinstance(sampling, (int, np.integer)):
    core.check_count(method, "sampling", sampling, 1)
    every = min(int(sampling), phases.total_steps)

    def held(phase, spent, left):
      del phase
      late = jnp.where(left > 0, spent % every, 0)
      return spent - late, left + late

    return held

  points = _points(method, sampling)
  # Steps at which the profile is read anew, one row per phase: integers, since
  # in floats 3 / 9 need not reach 1 / 3. The last one is the end.
  steps = np.array(
    [
      [*(math.ceil(point * length - 1e-9) for point in points), length]
      for length in phases.lengths
    ]
  )
  # The amounts at each: those of 75 per cent are 3 and 1, not roundings.
  amounts = [
    (p.numerator, p.denominator - p.numerator)
    if isinstance(p, fractions.Fraction)
    else (p, 1 - p)
    for p in points
  ]
  table = np.array([(0, 1), *amounts, (1, 0)], np.float64)

  def sampled(phase, spent, left):
    del left
    rows = jnp.asarray(steps, spent.dtype)[phase]
    place = jnp.sum(jnp.expand_dims(spent, -1) >= rows, axis=-1)
    spents, lefts = jnp.asarray(table.T, _steps.float_dtype())
    return spents[place], lefts[place]

  return sampled


def _budgeted(
  phases: _phases.Phases,
  profile: _profiles.ProfileLike,
  sampling: Sampling,
  *,
  peak_value: _phases.PerPhase,
  end_value: _phases.PerPhase,
  init_value: chex.Numeric,
) -> optax.Schedule:
  shape = _profiles.as_profile(phases.method, profile)
  read = _reader(phases.method, sampling, phases)
  return phases.schedule(
    lambda phase, spent, left: shape.at(*read(phase, spent, left)),
    peak_value=peak_value,
    end_value=end_value,
    init_value=init_value,
  )


def budgeted(
  profile: _profiles.ProfileLike,
  sampling: Sampling = "every",
  *,
  peak_value: _phases.PerPhase,
  total_steps: int,
  end_value: _phases.PerPhase = 0.0,
  warmup_steps: int = 0,
  init_value: chex.Numeric = 0.0,
  num_phases: int = 1,
  phase_boundaries: Sequence[int] | None = None,
) -> optax.Schedule:
  r"""Any profile of decay, read at any sampling, over a given budget.

  After warm-up, with progress :math:`p = n / N` at step n of N, the last
  sampling point q(p) that is not after it, and the profile f,

  .. math::
    \eta = \eta_\mathrm{end} + (\eta_\mathrm{peak} - \eta_\mathrm{end})\,
    f(q(p)).

  A step schedule is a profile with few sampling points: the exponential one at
  "30-60-90" is the usual division by ten. A coarser sampling never lowers the
  rate of a step. The rate of step `total_steps` and later is that of p = 1.

  Args:
    profile: "rex", "linear", "cosine", "exponential", "inverse",
      "one_minus_sqrt", "constant", what a function such as `rex_profile` or
      `polynomial_profile` returns, or any function of an array of progress in
      [0, 1] to values in [0, 1]. Static.
    sampling: When the profile is read: at "every" step; at percentages such as
      "50-75", where "33-66" means thirds; every k per cent for "k-k"; at the
      fractions of a sequence; every k steps for an integer k. The first step at
      or after a point is the one that changes. Static.
    peak_value: Rate after warm-up, >= `end_value`. Here and for `end_value`, a
      sequence has one entry per phase.
    total_steps: Budget, warm-up included; greater than `warmup_steps`. Static.
    end_value: Rate where the profile is zero, >= 0.
    warmup_steps: Steps of a linear rise from `init_value` to the first peak.
      Static.
    init_value: Rate of step 0 with a warm-up, >= 0.
    num_phases: Number of phases of equal length after warm-up, each of which
      restarts from its peak. Static.
    phase_boundaries: Steps after warm-up at which new phases begin; overrides
      `num_phases`. Static.

  Returns:
    A function from the step count, a scalar or array, to the rate.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> schedule = optax_stepsize.budgeted(
    ...     "rex", "50-75", peak_value=0.1, total_steps=1000
    ... )
    >>> [round(float(schedule(step)), 4) for step in (0, 499, 500, 750, 1000)]
    [0.1, 0.1, 0.0667, 0.04, 0.0]

  References:
    Chen, Wolfe and Kyrillidis, REX: Revisiting Budgeted Training with an
    Improved Schedule, MLSys 2022, arXiv 2107.04197; BibTeX by
    `optax_stepsize.cite("budgeted")`.
  """
  phases = _phases.Phases.divide(
    "budgeted", total_steps, warmup_steps, num_phases, phase_boundaries
  )
  return _budgeted(
    phases,
    profile,
    sampling,
    peak_value=peak_value,
    end_value=end_value,
    init_value=init_value,
  )


def rex_schedule(
  peak_value: _phases.PerPhase,
  total_steps: int,
  *,
  beta: chex.Numeric = 0.5,
  end_value: _phases.PerPhase = 0.0,
  warmup_steps: int = 0,
  init_value: chex.Numeric = 0.0,
  num_phases: int = 1,
  phase_boundaries: Sequence[int] | None = None,
) -> optax.Schedule:
  r"""REX: a reflected exponential, which stays high and falls at the end.

  `budgeted` with `rex_profile`, read at every step:

  .. math::
    \eta = \eta_\mathrm{end} + (\eta_\mathrm{peak} - \eta_\mathrm{end})\,
    \frac{1 - p}{(1 - \beta) + \beta (1 - p)}.

  Args:
    peak_value: Rate after warm-up, >= `end_value`. Here and for `end_value`, a
      sequence has one entry per phase.
    total_steps: Budget, warm-up included; greater than `warmup_steps`. Static.
    beta: Bend, < 1: 1/2 is the paper's, zero is linear, towards one the rate is
      held and dropped at the very end.
    end_value: Rate that decay ends at, >= 0.
    warmup_steps: Steps of a linear rise from `init_value` to the first peak.
      Static.
    init_value: Rate of step 0 with a warm-up, >= 0.
    num_phases: Number of phases of equal length after warm-up, each of which
      restarts from its peak. Static.
    phase_boundaries: Steps after warm-up at which new phases begin; overrides
      `num_phases`. Static.

  Returns:
    A function from the step count, a scalar or array, to the rate.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> schedule = optax_stepsize.rex_schedule(1.0, total_steps=8)
    >>> [round(float(schedule(step)), 4) for step in (0, 2, 4, 6, 8)]
    [1.0, 0.8571, 0.6667, 0.4, 0.0]

  References:
    Chen, Wolfe and Kyrillidis, REX: Revisiting Budgeted Training with an
    Improved Schedule, MLSys 2022, arXiv 2107.04197; BibTeX by
    `optax_stepsize.cite("rex_schedule")`.
  """
  # Differs from the reference: the first update has the peak. In
  # pytorch_optimizer it has the last rate, by default zero.
  method = "rex_schedule"
  core.check_range(method, "beta", beta, "(-inf, 1)")
  phases = _phases.Phases.divide(
    method, total_steps, warmup_steps, num_phases, phase_boundaries
  )
  return _budgeted(
    phases,
    _profiles.rex_profile(beta),
    "every",
    peak_value=peak_value,
    end_value=end_value,
    init_value=init_value,
  )


def linear_decay_schedule(
  peak_value: chex.Numeric,
  total_steps: int,
  *,
  warmup_steps: int = 0,
  offset: int = 0,
) -> optax.Schedule:
  r"""Linear decay to zero, which worst-case theory asks of the last iterate.

  .. math::
    \eta_t = \eta_\mathrm{peak}
    \Bigl(1 - \frac{t - W + \mathrm{offset}}{T - W}\Bigr)_+

  after a linear rise from zero over the W steps of warm-up.

  Args:
    peak_value: Rate after warm-up, >= 0.
    total_steps: Budget T, warm-up included; greater than `warmup_steps`.
      Static.
    warmup_steps: Steps of a linear rise from zero. Static.
    offset: Zero starts at the peak, and the last step has a rate above zero;
      one is the indexing of the theorem, whose last step has the rate zero.
      Static.

  Returns:
    A function from the step count, a scalar or array, to the rate.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> schedule = optax_stepsize.linear_decay_schedule(1.0, total_steps=4)
    >>> [float(schedule(step)) for step in range(5)]
    [1.0, 0.75, 0.5, 0.25, 0.0]

  References:
    Defazio, Cutkosky, Mehta and Mishchenko, When, Why and How Much? Adaptive
    Learning Rate Scheduling by Refinement, 2023, arXiv 2310.07831; BibTeX by
    `optax_stepsize.cite("linear_decay_schedule")`.
  """
  method = "linear_decay_schedule"
  core.check_count(method, "offset", offset, 0)
  phases = _phases.Phases.divide(method, total_steps, warmup_steps)
  ahead = min(int(offset), total_steps)

  def factor(phase, spent, left):
    del phase
    return _steps.share(left - jnp.minimum(left, ahead), spent + left)

  return phases.schedule(
    factor, peak_value=peak_value, end_value=0.0, init_value=0.0
  )
