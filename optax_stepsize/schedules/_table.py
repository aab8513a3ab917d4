# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Schedules that are a table of numbers, and the files that keep them."""

import csv
import os
import pathlib
import tempfile

import chex
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

from optax_stepsize import core
from optax_stepsize.schedules import _steps

_STEP, _RATE = "step", "step_size"


def _checked(
  where: str, values: npt.ArrayLike, steps: npt.ArrayLike | None
) -> tuple[np.ndarray, np.ndarray]:
  """Rates in float64, and their steps in int64."""
  if isinstance(values, jax.core.Tracer):
    raise ValueError(
      f"{where}: values are a table and must be concrete, got a traced array."
    )
  rates = np.asarray(values, np.float64)
  if rates.ndim != 1 or not rates.size:
    raise ValueError(
      f"{where}: values must be an array with one axis and at least one entry,"
      f" got shape {rates.shape}."
    )
  core.check_range(where, "values", rates, "[0, inf)")
  if steps is None:
    return rates, np.arange(len(rates))
  places = np.asarray(steps)
  if places.shape != rates.shape or places.dtype.kind not in "iu":
    raise ValueError(
      f"{where}: steps must be integers, one for each of the {len(rates)}"
      f" values, got shape {places.shape} and dtype {places.dtype}."
    )
  places = places.astype(np.int64)
  if places[0] < 0 or places[-1] >= 2**31:
    raise ValueError(
      f"{where}: steps must be in [0, 2^31), got {places[0]} to {places[-1]}."
    )
  wrong = np.flatnonzero(np.diff(places) <= 0)
  if len(wrong):
    raise ValueError(
      f"{where}: steps must increase, but {places[wrong[0] + 1]} follows"
      f" {places[wrong[0]]}."
    )
  return rates, places


def _tabulated(where, values, steps) -> optax.Schedule:
  rates, places = _checked(where, values, steps)
  widths = np.diff(places, append=places[-1] + 1)
  following = np.append(rates[1:], rates[-1])

  def schedule(count: chex.Numeric) -> jax.Array:
    dtype = _steps.float_dtype()
    count = _steps.as_count(count)
    at = jnp.asarray(places, count.dtype)
    count = jnp.clip(count, at[0], at[-1])
    place = jnp.searchsorted(at, count, side="right") - 1
    width = jnp.asarray(widths, count.dtype)[place]
    spent = count - at[place]
    rate = jnp.asarray(rates, dtype)[place] * _steps.share(width - spent, width)
    return rate + jnp.asarray(following, dtype)[place] * _steps.share(
      spent, width
    )

  return schedule


def tabulated_schedule(
  values: npt.ArrayLike, *, steps: npt.ArrayLike | None = None
) -> optax.Schedule:
  """A schedule that is read from a table.

  Between the steps of the table the rate is a straight line; before the first
  and after the last of them it is that of the first and the last.

  Args:
    values: The rates, an array of one axis, >= 0. Static.
    steps: Their steps: integers in [0, 2^31), increasing; by default 0, 1, 2
      and so on. Static.

  Returns:
    A function from the step count, a scalar or array, to the rate.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> schedule = optax_stepsize.tabulated_schedule(
    ...   [0.0, 0.5, 0.25], steps=[0, 10, 20]
    ... )
    >>> [float(schedule(step)) for step in (5, 10, 15, 1000)]
    [0.25, 0.5, 0.375, 0.25]

  References:
    Luo et al., A Multi-Power Law for Loss Curve Prediction Across Learning Rate
    Schedules, ICLR 2025, arXiv 2503.12811, for schedules that are designed;
    BibTeX by `optax_stepsize.cite("tabulated_schedule")`.
  """
  return _tabulated("tabulated_schedule", values, steps)


def from_csv(path: str | os.PathLike[str]) -> optax.Schedule:
  """The schedule in a file, as `to_csv` and `optax-stepsize plan` write it.

  Args:
    path: A CSV file with the columns `step` and `step_size`; others are left
      out. Steps increase and may have gaps, which straight lines fill.

  Returns:
    A function from the step count, a scalar or array, to the rate.

  Raises:
    OSError: If it cannot be read.
    ValueError: If it is no such table; says which line is wrong.

  Example:
    >>> import os, tempfile
    >>> import optax_stepsize
    >>> with tempfile.TemporaryDirectory() as folder:
    ...   path = os.path.join(folder, "schedule.csv")
    ...   optax_stepsize.to_csv(path, [0.25, 0.5, 0.125])
    ...   schedule = optax_stepsize.from_csv(path)
    >>> [float(schedule(step)) for step in range(4)]
    [0.25, 0.5, 0.125, 0.125]
  """
  where = f"from_csv: {path}"
  steps, rates = [], []
  with open(path, newline="", encoding="utf-8") as file:
    reader = csv.DictReader(file)
    missing = [n for n in (_STEP, _RATE) if n not in (reader.fieldnames or ())]
    if missing:
      raise ValueError(
        f"{where}: column {missing[0]!r} is missing; the file must have the"
        f" columns {_STEP} and {_RATE}, got {reader.fieldnames}."
      )
    for line in reader:
      try:
        steps.append(int(line[_STEP]))
        rates.append(float(line[_RATE]))
      except (TypeError, ValueError):
        raise ValueError(
          f"{where}: line {reader.line_num} must have an integer {_STEP} and a"
          f" number {_RATE}, got {line[_STEP]!r} and {line[_RATE]!r}."
        ) from None
  return _tabulated(where, rates, np.array(steps, np.int64))


def to_csv(
  path: str | os.PathLike[str],
  values: npt.ArrayLike,
  *,
  steps: npt.ArrayLike | None = None,
) -> None:
  """Writes a table of rates that `from_csv` reads.

  Args:
    path: The file; written in full or not at all. One that is there is
      replaced.
    values: As for `tabulated_schedule`.
    steps: As for `tabulated_schedule`.

  Raises:
    OSError: If it cannot be written.
    ValueError: If an argument is out of its range.

  Example:
    >>> import pathlib, tempfile
    >>> import optax_stepsize
    >>> with tempfile.TemporaryDirectory() as folder:
    ...   path = pathlib.Path(folder) / "schedule.csv"
    ...   optax_stepsize.to_csv(path, [0.1, 0.05], steps=[0, 100])
    ...   print(path.read_text().split())
    ['step,step_size', '0,0.1', '100,0.05']
  """
  rates, places = _checked("to_csv", values, steps)
  path = pathlib.Path(path)
  with tempfile.TemporaryDirectory(dir=path.parent) as folder:
    draft = pathlib.Path(folder) / path.name
    with open(draft, "w", newline="", encoding="utf-8") as file:
      writer = csv.writer(file, lineterminator="\n")
      writer.writerow((_STEP, _RATE))
      writer.writerows(zip(places.tolist(), rates.tolist(), strict=True))
    os.replace(draft, path)
