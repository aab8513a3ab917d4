# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Budgets: a warm-up, then phases of decay that each start afresh."""

from collections.abc import Callable, Sequence
import dataclasses
import itertools
from typing import Any, TypeAlias

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core
from optax_stepsize.schedules import _steps

PerPhase: TypeAlias = chex.Numeric | Sequence[chex.Numeric]
# From phase, steps spent and steps left in it to the share of the peak.
Factor: TypeAlias = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


def _entries(value: Any) -> Sequence[Any]:
  return value if isinstance(value, (list, tuple)) else (value,)


def _boundaries(
  method: str,
  length: int,
  num_phases: int,
  phase_boundaries: Sequence[int] | None,
) -> tuple[int, ...]:
  if phase_boundaries is None:
    core.check_count(method, "num_phases", num_phases, 1)
    if num_phases > length:
      raise ValueError(
        f"{method}: num_phases must be at most the number of steps after"
        f" warm-up, {length}, got {num_phases}."
      )
    return tuple(k * length // num_phases for k in range(num_phases + 1))
  for boundary in phase_boundaries:
    core.check_count(method, "phase_boundaries", boundary, 1)
  boundaries = (0, *map(int, phase_boundaries), length)
  if any(low >= high for low, high in itertools.pairwise(boundaries)):
    raise ValueError(
      f"{method}: phase_boundaries must be increasing and below the number of"
      f" steps after warm-up, {length}, got {list(phase_boundaries)}."
    )
  return boundaries


@dataclasses.dataclass(frozen=True)
class Phases:
  """How a budget is divided.

  Attributes:
    method: Whose budget it is, for errors.
    total_steps: All of it.
    warmup_steps: Steps of a linear rise, before the first phase.
    boundaries: Steps after warm-up, 0 = b_0 < ... < b_K: where phases begin and
      where the last one ends.
  """

  method: str
  total_steps: int
  warmup_steps: int
  boundaries: tuple[int, ...]

  @classmethod
  def divide(
    cls,
    method: str,
    total_steps: int,
    warmup_steps: int,
    num_phases: int = 1,
    phase_boundaries: Sequence[int] | None = None,
  ) -> "Phases":
    """Checks the counts and divides the budget."""
    core.check_count(method, "warmup_steps", warmup_steps, 0)
    core.check_count(method, "total_steps", total_steps, warmup_steps + 1)
    boundaries = _boundaries(
      method, total_steps - warmup_steps, num_phases, phase_boundaries
    )
    return cls(method, total_steps, warmup_steps, boundaries)

  @property
  def lengths(self) -> tuple[int, ...]:
    """Steps of each phase."""
    return tuple(
      high - low for low, high in itertools.pairwise(self.boundaries)
    )

  def check(self, name: str, values: PerPhase, interval: str) -> None:
    """Raises ValueError unless all entries lie in `interval`."""
    for value in _entries(values):
      core.check_range(self.method, name, value, interval)

  def per_phase(self, name: str, value: PerPhase) -> jax.Array:
    """One entry per phase, of which a scalar is the same for all."""
    dtype, phases = _steps.float_dtype(), len(self.lengths)
    if isinstance(value, (list, tuple)):
      value = jnp.stack([core.as_scalar(entry, dtype) for entry in value])
    array = jnp.asarray(value).astype(dtype)
    if array.shape not in ((), (phases,)):
      raise ValueError(
        f"{self.method}: {name} must be a scalar or have one entry for each of"
        f" the {phases} phases, got shape {array.shape}."
      )
    return jnp.broadcast_to(array, (phases,))

  def locate(self, count: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Phase of a step, and the steps spent and left in it.

    Steps after the budget are at the very end of the last phase.
    """
    step = jnp.clip(count, self.warmup_steps, self.total_steps)
    step = step - self.warmup_steps
    bounds = jnp.asarray(self.boundaries, step.dtype)
    starts = bounds[1:-1].reshape((1,) * step.ndim + (-1,))
    phase = jnp.sum(jnp.expand_dims(step, -1) >= starts, axis=-1)
    return phase, step - bounds[phase], bounds[phase + 1] - step

  def schedule(
    self,
    factor: Factor,
    *,
    peak_value: PerPhase,
    end_value: PerPhase,
    init_value: chex.Numeric,
  ) -> optax.Schedule:
    """Rates between peak and end, as `factor` says, after the warm-up."""
    core.check_range(self.method, "init_value", init_value, "[0, inf)")
    self.check("peak_value", peak_value, "[0, inf)")
    self.check("end_value", end_value, "[0, inf)")
    self._check_order(peak_value, end_value)

    def schedule(count: chex.Numeric) -> jax.Array:
      peaks = self.per_phase("peak_value", peak_value)
      ends = self.per_phase("end_value", end_value)
      count = _steps.as_count(count)
      phase, spent, left = self.locate(count)
      share = factor(phase, spent, left)
      # A mean with weights: it hits both ends exactly.
      rate = peaks[phase] * share + ends[phase] * (1 - share)
      return _steps.warmed_up(
        count,
        rate,
        warmup_steps=self.warmup_steps,
        init_value=init_value,
        peak_value=peaks[0],
      )

    # Shapes are checked when the schedule is made, not when it is first called.
    jax.eval_shape(schedule, jax.ShapeDtypeStruct((), jnp.int32))
    return schedule

  def _check_order(self, peak_value: PerPhase, end_value: PerPhase) -> None:
    flat = (*_entries(peak_value), *_entries(end_value))
    if any(isinstance(x, jax.core.Tracer) for x in flat):
      return
    peaks, ends = (
      np.asarray(v, dtype=np.float64) for v in (peak_value, end_value)
    )
    shapes = {peaks.shape, ends.shape} - {()}
    if len(shapes) < 2 and np.any(peaks < ends):
      raise ValueError(
        f"{self.method}: peak_value must be >= end_value, got"
        f" peak_value={peak_value} and end_value={end_value}."
      )
