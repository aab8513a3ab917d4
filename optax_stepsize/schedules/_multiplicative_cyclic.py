# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Cycles of growing length: accuracy against training time from one run.

Computed from the step count.
"""

import bisect
from collections.abc import Sequence
import itertools
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core
from optax_stepsize.schedules import _cyclical
from optax_stepsize.schedules import _profiles
from optax_stepsize.schedules import _steps

# Starts of cycles are a constant of the program.
_MOST_CYCLES = 2**16


def _check_cycles(name: str, first_cycle_steps: Any, multiplier: Any) -> None:
  core.check_count(name, "first_cycle_steps", first_cycle_steps, 1)
  if isinstance(multiplier, jax.Array):
    raise ValueError(
      f"{name}: multiplier sets the structure of the program and must be a"
      f" Python number, got {multiplier}. With optax.inject_hyperparams, list"
      " it in static_args."
    )
  core.check_range(name, "multiplier", multiplier, "[1, inf)")


def _edges(
  name: str, first_cycle_steps: int, multiplier: float, last: int
) -> list[int]:
  """Starts of the cycles up to step `last`, and the end of the last one."""
  first, multiplier = int(first_cycle_steps), float(multiplier)
  edges = [0]
  while edges[-1] <= last:
    cycle = len(edges) - 1
    if cycle == _MOST_CYCLES:
      raise ValueError(
        f"{name}: multiplier must be 1, or so large that there are at most"
        f" {_MOST_CYCLES} cycles in {last} steps, got {multiplier} with"
        f" first_cycle_steps={first}."
      )
    edges.append(edges[-1] + round(first * multiplier**cycle))
  return edges


def multiplicative_cyclic_schedule(
  peak_value: chex.Numeric,
  first_cycle_steps: int,
  *,
  multiplier: float = 2.0,
  end_value: chex.Numeric = 0.0,
  warmup_steps: int = 0,
  warmup_mode: str = "inside",
  decay: _profiles.ProfileLike = "cosine",
) -> optax.Schedule:
  r"""Restarts at the same peak, each cycle longer than the one before.

  Cycle i = 0, 1, ... has :math:`L_i = \mathrm{round}(L_0 m^i)` steps, halves
  rounded to even, and step k of it the rate

  .. math::
    \eta = \eta_\mathrm{end} + (\eta_\mathrm{peak} - \eta_\mathrm{end})\,
    f(k / L_i), \qquad f(p) = \frac{1 + \cos \pi p}{2}.

  At the end of each cycle the model is nearly what a run of that length alone
  would have made, so one run measures a whole curve of accuracy against
  training time: evaluate after the numbers of updates given by `cycle_ends`,
  and see `tradeoff_curve`. That takes a growing period; with a `multiplier` of
  one these are plain warm restarts (SGDR).

  Args:
    peak_value: Rate at the start of each cycle, >= `end_value`.
    first_cycle_steps: Steps of the first cycle, the shortest budget of
      interest, >= 1. Static.
    multiplier: Length of a cycle / that of the one before, >= 1. Static.
    end_value: Rate that each cycle decays to and the next one begins instead
      of, >= 0.
    warmup_steps: Steps of a linear rise from zero, once, from 0 to
      `first_cycle_steps`. Static.
    warmup_mode: "inside" multiplies the first rates by the rise; "before" rises
      to the peak first, so that all cycles end `warmup_steps` later. Static.
    decay: Form of a cycle: the name of a profile, a profile, or a function from
      progress in [0, 1] to the share of the peak. Static.

  Returns:
    A function from the step count, a scalar or array, to the rate.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax
    >>> import optax_stepsize
    >>> schedule = optax_stepsize.multiplicative_cyclic_schedule(1.0, 4)
    >>> tx = optax.sgd(schedule)
    >>> [round(float(schedule(step)), 6) for step in (0, 2, 4, 8, 12)]
    [1.0, 0.5, 1.0, 0.5, 1.0]

  References:
    Portes, Blalock, Stephenson and Frankle, Fast Benchmarking of Accuracy vs.
    Training Time with Cyclic Learning Rates, 2022, arXiv 2206.00832; BibTeX by
    `optax_stepsize.cite("multiplicative_cyclic_schedule")`.
  """
  name = "multiplicative_cyclic_schedule"
  _check_cycles(name, first_cycle_steps, multiplier)
  core.check_range(name, "peak_value", peak_value, "[0, inf)")
  core.check_range(name, "end_value", end_value, "[0, inf)")
  _cyclical.check_order(name, "end_value", end_value, "peak_value", peak_value)
  core.check_count(name, "warmup_steps", warmup_steps, 0)
  if warmup_steps > first_cycle_steps:
    raise ValueError(
      f"{name}: warmup_steps must be at most"
      f" first_cycle_steps={first_cycle_steps}, got {warmup_steps}."
    )
  core.check_choice(name, "warmup_mode", warmup_mode, ("inside", "before"))
  profile = _profiles.as_profile(name, decay, "decay")
  if multiplier > 1:
    _edges(name, first_cycle_steps, multiplier, np.iinfo(np.int32).max)

  def place(count: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Steps of the cycle that are spent and that are left."""
    dtype = _steps.float_dtype()
    if multiplier == 1:
      length = int(first_cycle_steps)
      step = _cyclical.split_cycle(count, length)[1]
      return step.astype(dtype), (length - step).astype(dtype)
    # Looked up, not computed: a logarithm is wrong next to the boundaries.
    last = int(jnp.iinfo(count.dtype).max)
    edges = _edges(name, first_cycle_steps, multiplier, last)
    starts = jnp.asarray(edges[:-1], count.dtype)
    # The end of the last cycle need not be a count.
    ends = jnp.asarray([*edges[1:-1], last], count.dtype)
    rest = jnp.zeros(ends.shape, dtype).at[-1].set(float(edges[-1] - last))
    cycle = jnp.searchsorted(starts, count, side="right") - 1
    left = (ends[cycle] - count).astype(dtype) + rest[cycle]
    return (count - starts[cycle]).astype(dtype), left

  def schedule(count: chex.Numeric) -> jax.Array:
    count = _steps.as_count(count)
    shift = warmup_steps if warmup_mode == "before" else 0
    spent, left = place(jnp.maximum(count, shift) - shift)
    rate = _cyclical.between(end_value, peak_value, profile.at(spent, left))
    if shift:
      return _steps.warmed_up(
        count,
        rate,
        warmup_steps=warmup_steps,
        init_value=0.0,
        peak_value=peak_value,
      )
    if warmup_steps:
      risen = jnp.minimum(count, warmup_steps)
      rate = rate * _steps.share(risen, warmup_steps)
    return rate

  return schedule


def cycle_ends(
  first_cycle_steps: int, multiplier: float, max_steps: int
) -> tuple[int, ...]:
  """Numbers of updates after which a cycle is complete.

  Those of `multiplicative_cyclic_schedule`: where the model is to be evaluated.
  With a warm-up before the cycles, add its steps.

  Args:
    first_cycle_steps: Steps of the first cycle, >= 1.
    multiplier: Growth of the length, >= 1.
    max_steps: Updates of the run, >= 0; the last end is at most that.

  Returns:
    Increasing integers, none if the run is shorter than a cycle.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> optax_stepsize.cycle_ends(8, 2.0, max_steps=250)
    (8, 24, 56, 120, 248)
  """
  name = "cycle_ends"
  _check_cycles(name, first_cycle_steps, multiplier)
  core.check_count(name, "max_steps", max_steps, 0)
  if multiplier == 1:
    step = int(first_cycle_steps)
    return tuple(range(step, int(max_steps) + 1, step))
  return tuple(_edges(name, first_cycle_steps, multiplier, max_steps)[1:-1])


class CyclePoint(NamedTuple):
  """A point of the curve of accuracy against training time.

  Attributes:
    cycle: Number of the cycle, from 0; -1 for the end of a run that stops
      inside a cycle, where the rate has not decayed: not comparable.
    step: Updates at which the cycle is complete.
    metric: The best metric around that.
  """

  cycle: int
  step: int
  metric: float


def tradeoff_curve(
  eval_steps: Sequence[int],
  metrics: Sequence[float],
  cycle_end_steps: Sequence[int],
  *,
  window: int = 0,
  mode: str = "max",
) -> list[CyclePoint]:
  """The metric at the end of each cycle, of one run with cyclic rates.

  Each point estimates what a run of that length alone would have reached.
  Cycles that end after the last evaluation are left out.

  Args:
    eval_steps: Numbers of updates after which the model was evaluated,
      increasing.
    metrics: The metric of each evaluation.
    cycle_end_steps: Numbers of updates at which cycles end, increasing:
      `cycle_ends`.
    window: Evaluations on either side of an end among which the best counts:
      the best model is not always exactly there.
    mode: "max" if larger metrics are better, else "min".

  Returns:
    A point per cycle, and one with `cycle=-1` if the last evaluation is after
    the last end.

  Raises:
    ValueError: If an argument is out of its range, or if there is no evaluation
      at or around an end.

  Example:
    >>> import optax_stepsize
    >>> ends = optax_stepsize.cycle_ends(2, 2.0, max_steps=7)
    >>> for point in optax_stepsize.tradeoff_curve(
    ...     range(1, 8), [0.1, 0.4, 0.2, 0.3, 0.5, 0.6, 0.2], ends
    ... ):
    ...   print(point)
    CyclePoint(cycle=0, step=2, metric=0.4)
    CyclePoint(cycle=1, step=6, metric=0.6)
    CyclePoint(cycle=-1, step=7, metric=0.2)

  References:
    Portes et al., arXiv 2206.00832.
  """
  name = "tradeoff_curve"
  core.check_count(name, "window", window, 0)
  core.check_choice(name, "mode", mode, ("max", "min"))
  steps = _increasing(name, "eval_steps", eval_steps)
  ends = _increasing(name, "cycle_end_steps", cycle_end_steps)
  values = np.asarray(metrics, np.float64)
  if values.shape != (len(steps),) or not steps:
    raise ValueError(
      f"{name}: metrics must have one number for each of eval_steps, of which"
      f" there must be one at least, got the shapes {values.shape} and"
      f" {(len(steps),)}."
    )
  # A run that diverged for a while has a best metric all the same.
  best = np.fmax.reduce if mode == "max" else np.fmin.reduce
  points = []
  reached = [end for end in ends if end <= steps[-1]]
  for cycle, end in enumerate(reached):
    low = bisect.bisect_left(steps, end)
    high = bisect.bisect_right(steps, end)
    near = values[max(low - window, 0) : high + window]
    if not near.size:
      raise ValueError(
        f"{name}: eval_steps must have the end of each cycle, or window must be"
        f" positive, got no evaluation at step {end}."
      )
    points.append(CyclePoint(cycle, end, float(best(near))))
  if not reached or steps[-1] > reached[-1]:
    points.append(CyclePoint(-1, steps[-1], float(values[-1])))
  return points


def _increasing(name: str, argument: str, steps: Sequence[int]) -> list[int]:
  for step in steps:
    core.check_count(name, argument, step, 0)
  found = [int(step) for step in steps]
  if any(low >= high for low, high in itertools.pairwise(found)):
    raise ValueError(f"{name}: {argument} must be increasing, got {found}.")
  return found
