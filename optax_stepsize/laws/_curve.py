# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Loss curves, and the step size of every step that made them."""

from collections.abc import Sequence
import dataclasses
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

from optax_stepsize import core

# A function of the step, or the step size of every step of a run.
ScheduleOrRates: TypeAlias = optax.Schedule | npt.ArrayLike


def as_rates(
  method: str, schedule: ScheduleOrRates, total_steps: int
) -> np.ndarray:
  """The step sizes of the steps 0 .. total_steps - 1, in float64.

  Args:
    method: Name for messages.
    schedule: A function of the step, or an array of at least `total_steps`
      step sizes, of which the rest is left out.
    total_steps: How many.

  Returns:
    Float64 array `(total_steps,)`.

  Raises:
    ValueError: If they are too few, negative or not finite.
  """
  core.check_count(method, "total_steps", total_steps, 1)
  if callable(schedule):
    # What is not ours may rely on JAX's own rules of promotion.
    with core.enable_x64(), jax.numpy_dtype_promotion("standard"):
      counts = jnp.arange(total_steps)
      rates = np.asarray(jax.jit(jax.vmap(schedule))(counts), np.float64)
    # A decay to zero may end within rounding of it.
    tiny = 1e-12 * np.max(np.abs(rates), initial=0.0)
    rates = np.where(np.abs(rates) <= tiny, 0.0, rates)
  else:
    rates = np.asarray(schedule, np.float64)
    if rates.ndim != 1 or len(rates) < total_steps:
      raise ValueError(
        f"{method}: schedule must be a function of the step, or an array with"
        f" the step size of each of the {total_steps} steps, got an array of"
        f" shape {rates.shape}."
      )
    rates = rates[:total_steps]
  if not np.all(np.isfinite(rates) & (rates >= 0)):
    step = int(np.argmin(np.isfinite(rates) & (rates >= 0)))
    raise ValueError(
      f"{method}: schedule must be finite and >= 0, but is {rates[step]} at"
      f" step {step}."
    )
  return rates


def rates_of(schedule: ScheduleOrRates, total_steps: int) -> np.ndarray:
  """The step sizes of all steps of a run, in float64.

  Args:
    schedule: A function of the step that `jax.vmap` can take, or an array of at
      least `total_steps` step sizes, of which the rest is left out.
    total_steps: Number of steps, >= 1.

  Returns:
    Float64 array `(total_steps,)`.

  Raises:
    ValueError: If they are too few, negative or not finite.

  Example:
    >>> import optax
    >>> from optax_stepsize import laws
    >>> laws.rates_of(optax.linear_schedule(1.0, 0.0, 4), 4)
    array([1.  , 0.75, 0.5 , 0.25])
  """
  return as_rates("rates_of", schedule, total_steps)


def as_steps(method: str, steps: npt.ArrayLike) -> np.ndarray:
  """Steps at which a loss is asked for: an int64 array of one axis."""
  counts = np.atleast_1d(np.asarray(steps))
  if counts.ndim != 1 or not len(counts) or counts.dtype.kind not in "iu":
    raise ValueError(
      f"{method}: steps must be an integer or an array of integers with one"
      f" axis, got {steps!r}."
    )
  if np.any(counts < 0):
    raise ValueError(
      f"{method}: steps must be >= 0, got {int(np.min(counts))}."
    )
  return counts.astype(np.int64)


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
  """Losses measured during one run.

  Attributes:
    steps: Int array `(M,)`, strictly increasing: the steps, counted from zero,
      after which the loss was measured.
    losses: Float array `(M,)`: the losses, finite and > 0.
    schedule: The step size of every step of the run, whether measured or not: a
      function of the step, or an array with more than `steps[-1]` entries.
    warmup_steps: Steps of the warm-up, in which laws do not hold. Points in it
      are left out of every fit.
    name: For reports.
    workload: What was trained, for reports and checks.
  """

  steps: np.ndarray
  losses: np.ndarray
  schedule: ScheduleOrRates
  warmup_steps: int = 0
  name: str = ""
  workload: str = ""

  def __post_init__(self):
    where = f"Curve {self.name!r}" if self.name else "Curve"
    steps = as_steps(where, self.steps)
    losses = np.atleast_1d(np.asarray(self.losses, np.float64))
    if losses.shape != steps.shape:
      raise ValueError(
        f"{where}: losses must have one entry for each of the {len(steps)}"
        f" steps, got shape {losses.shape}."
      )
    if np.any(np.diff(steps) <= 0):
      at = int(np.argmax(np.diff(steps) <= 0))
      what = "repeats" if steps[at + 1] == steps[at] else "falls to"
      raise ValueError(
        f"{where}: steps must increase, but step {steps[at]} at position {at}"
        f" {what} {steps[at + 1]}. Fix: sort the points and keep one of each."
      )
    good = np.isfinite(losses) & (losses > 0)
    if not np.all(good):
      at = int(np.argmin(good))
      raise ValueError(
        f"{where}: losses must be finite and > 0, but the loss at step"
        f" {steps[at]} is {losses[at]}. Fix: drop such points."
      )
    core.check_count(where, "warmup_steps", self.warmup_steps, 0)
    object.__setattr__(self, "steps", steps)
    object.__setattr__(self, "losses", losses)
    rates = as_rates(where, self.schedule, int(steps[-1]) + 1)
    object.__setattr__(self, "_rates", rates)

  @property
  def rates(self) -> np.ndarray:
    """Float64 array: the step sizes of the steps 0 .. steps[-1]."""
    return self._rates  # type: ignore[attr-defined]

  def after_warmup(self) -> "Curve":
    """The curve without its points in the warm-up."""
    later = self.steps >= self.warmup_steps
    if not np.any(later):
      raise ValueError(
        f"Curve {self.name!r}: all points lie in the warm-up of"
        f" {self.warmup_steps} steps. Fix: measure later, or give the true"
        " warmup_steps."
      )
    return dataclasses.replace(
      self,
      steps=self.steps[later],
      losses=self.losses[later],
      schedule=self.rates,
    )


def check_curves(method: str, curves: Any, least: int = 1) -> list[Curve]:
  """The curves without their warm-ups."""
  if isinstance(curves, Curve):
    curves = [curves]
  if not isinstance(curves, Sequence) or not all(
    isinstance(curve, Curve) for curve in curves
  ):
    raise ValueError(
      f"{method}: curves must be a sequence of Curve, got {curves!r}."
    )
  if len(curves) < least:
    raise ValueError(
      f"{method}: curves must be at least {least}, got {len(curves)}."
    )
  for curve in curves:
    if len(curve.losses) > 1 and np.ptp(curve.losses) == 0:
      raise ValueError(
        f"{method}: the loss of curve {curve.name!r} is"
        f" {curve.losses[0]} at all of its points; there is nothing to fit."
      )
  return [curve.after_warmup() for curve in curves]


def distinct_rates(curves: Sequence[Curve]) -> list[np.ndarray]:
  """The schedules that curves were measured under, each once.

  What decay does can only be told from schedules that differ.

  Args:
    curves: The curves.

  Returns:
    The rates after the warm-up, float64, from the longest to the shortest. One
    that follows a longer one up to its own end, to a thousandth of its largest
    rate, is left out.

  Example:
    >>> import numpy as np
    >>> import optax_stepsize
    >>> steps, losses = [0, 50, 99], [3.0, 2.5, 2.4]
    >>> short = optax_stepsize.Curve(steps[:2], losses[:2], np.ones(51))
    >>> long = optax_stepsize.Curve(steps, losses, np.ones(100))
    >>> falling = optax_stepsize.Curve(steps, losses, np.linspace(1, 0, 100))
    >>> len(optax_stepsize.distinct_rates([short, long, falling]))
    2
  """
  found: list[np.ndarray] = []
  for rates in sorted(
    (curve.rates[curve.warmup_steps :] for curve in curves), key=len
  )[::-1]:
    near = 1e-3 * np.max(rates, initial=0.0)
    if not any(
      np.allclose(rates, longer[: len(rates)], rtol=0, atol=near)
      for longer in found
    ):
      found.append(rates)
  return found
