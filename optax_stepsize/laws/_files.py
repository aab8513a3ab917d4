# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Loss curves from files."""

from collections.abc import Mapping
import csv
import dataclasses
import math
import os
import pathlib

import numpy as np

from optax_stepsize import core
from optax_stepsize.laws import _curve

_LOSSES = ("loss", "eval_loss", "val_loss", "train_loss")
_RATES = ("step_size", "learning_rate", "lr")
# What tells the runs in a file apart; losses are averaged over seeds.
_RUN = ("workload", "entry", "argument", "value")
_SEED = "seed"


def _column(where: str, names, wanted: tuple[str, ...], what: str) -> str:
  for name in wanted:
    if name in names:
      return name
  raise ValueError(
    f"{where}: there is no column for the {what}: it must have one of"
    f" {', '.join(wanted)}, got {', '.join(names) or 'an empty file'}."
  )


def _number(where: str, line: int, name: str, text: str | None) -> float:
  try:
    return float(text)  # type: ignore[arg-type]
  except (TypeError, ValueError):
    raise ValueError(
      f"{where}: line {line} must have a number in column {name}, got {text!r}."
    ) from None


def _rates(
  points: np.ndarray, rates: np.ndarray, warmup_steps: int
) -> np.ndarray:
  """The rate of every step, from those of some of them."""
  if warmup_steps and points[0] > 0:
    # The warm-up reaches the first rate that was measured after it.
    reached = rates[np.argmax(points >= warmup_steps)]
    points, first = np.unique(
      np.concatenate([[0, warmup_steps], points]), return_index=True
    )
    rates = np.concatenate([[0.0, reached], rates])[first]
  return np.interp(np.arange(points[-1] + 1), points, rates)


def read_curves(
  path: str | os.PathLike[str],
  *,
  loss: str | None = None,
  select: Mapping[str, str] | None = None,
  warmup_steps: int = 0,
) -> list[_curve.Curve]:
  r"""Reads the loss curves in a CSV file, such as one of `compare`.

  A file with the columns `step` and of loss and step size is one curve. One
  that also has some of `workload`, `entry`, `argument` and `value` holds a
  curve for each combination of them; where it has `seed`, the losses are the
  means over seeds.

  The step size of steps between two points is read off the straight line
  between theirs, so a file should have points on both sides of every kink.

  Args:
    path: The file. `step` counts from zero, and a loss is that after the update
      with the step size of its line. In a file of `compare`, which has `entry`,
      `step` counts the updates made, and lines of step zero are left out.
    loss: Column of the loss; by default the first there is of loss, eval_loss,
      val_loss and train_loss. That of the step size is step_size, learning_rate
      or lr.
    select: Column -> the value that lines must have to be read, as text or as
      the same number.
    warmup_steps: Steps of the linear warm-up from zero, >= 0. Points in it give
      the rate, and no loss to fit. Without it the rate before the first point
      is that of the first point.

  Returns:
    The curves, in the order of their first lines.

  Raises:
    OSError: If the file cannot be read.
    ValueError: If it is no such file, a line is not complete or a loss not
      finite, or nothing is selected.

  Example:
    >>> import os, tempfile
    >>> from optax_stepsize import laws
    >>> text = "step,lr,loss\n0,0.1,5.0\n2,0.1,4.0\n4,0.0,3.5\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...   path = os.path.join(folder, "run.csv")
    ...   with open(path, "w") as file:
    ...     _ = file.write(text)
    ...   (curve,) = laws.read_curves(path)
    >>> curve.name, curve.rates.tolist()
    ('run', [0.1, 0.1, 0.1, 0.05, 0.0])
  """
  where = f"read_curves: {path}"
  core.check_count("read_curves", "warmup_steps", warmup_steps, 0)
  runs: dict[tuple[str, ...], dict[str, list[tuple[int, float, float]]]] = {}
  with open(path, newline="", encoding="utf-8") as file:
    reader = csv.DictReader(file)
    names = tuple(reader.fieldnames or ())
    _column(where, names, ("step",), "step")
    wanted = (loss,) if loss else _LOSSES
    loss_name = _column(where, names, wanted, "loss")
    rate_name = _column(where, names, _RATES, "step size")
    for name in select or {}:
      _column(where, names, (name,), "selection")
    told_apart = [name for name in _RUN if name in names]
    counts_updates = "entry" in names
    for line in reader:
      if not all(_same(line[k], v) for k, v in (select or {}).items()):
        continue
      at = reader.line_num
      step = _number(where, at, "step", line["step"])
      if not step.is_integer():
        raise ValueError(
          f"{where}: line {at} must have an integer in column step, got"
          f" {line['step']!r}."
        )
      if counts_updates:
        if step == 0:
          continue
        step -= 1
      value = _number(where, at, loss_name, line[loss_name])
      rate = _number(where, at, rate_name, line[rate_name])
      if not (math.isfinite(value) and math.isfinite(rate)):
        raise ValueError(
          f"{where}: line {at} has the loss {value} and the step size {rate}."
          " Fix: leave out runs that diverged, by selecting others."
        )
      key = tuple(line[name] for name in told_apart)
      seed = line.get(_SEED) or ""
      runs.setdefault(key, {}).setdefault(seed, []).append(
        (int(step), value, rate)
      )
  if not runs:
    chosen = ", ".join(f"{k}={v}" for k, v in (select or {}).items())
    raise ValueError(
      f"{where}: no line to read" + (f" has {chosen}." if chosen else ".")
    )
  stem = pathlib.Path(path).stem
  curves = []
  for key, seeds in runs.items():
    run = dict(zip(told_apart, key, strict=True))
    curve = _as_curve(where, _name(stem, run), seeds, warmup_steps)
    curves.append(
      dataclasses.replace(curve, workload=run.get("workload") or "")
    )
  return curves


def _same(text: str | None, wanted: str) -> bool:
  if text == wanted:
    return True
  try:
    return float(text) == float(wanted)  # type: ignore[arg-type]
  except (TypeError, ValueError):
    return False


def _name(stem: str, run: dict[str, str]) -> str:
  """How a run is called: entry argument=value."""
  argument = run.get("argument", "value")
  setting = f"{argument}={run['value']}" if run.get("value") else ""
  return " ".join(filter(None, (run.get("entry"), setting))) or stem


def _as_curve(
  where: str,
  name: str,
  seeds: dict[str, list[tuple[int, float, float]]],
  warmup_steps: int,
) -> _curve.Curve:
  tables = [np.array(rows) for rows in seeds.values()]
  steps = tables[0][:, 0]
  for seed, table in zip(seeds, tables, strict=True):
    _check_steps(f"{where}: {name}", table[:, 0])
    if not np.array_equal(table[:, 0], steps):
      raise ValueError(
        f"{where}: {name} has other steps for seed {seed!r} than for seed"
        f" {next(iter(seeds))!r}. Fix: select one of them."
      )
  _, losses, rates = np.mean(tables, axis=0).T
  points = steps.astype(np.int64)
  if warmup_steps > points[-1]:
    raise ValueError(
      f"{where}: {name} ends at step {points[-1]}, within the warm-up of"
      f" {warmup_steps} steps. Fix: give its true warmup_steps, or a longer"
      " run."
    )
  return _curve.Curve(
    points, losses, _rates(points, rates, warmup_steps), warmup_steps, name
  )


def _check_steps(where: str, steps: np.ndarray) -> None:
  wrong = np.flatnonzero(np.diff(steps) <= 0)
  if len(wrong):
    before, after = steps[wrong[0] : wrong[0] + 2].astype(int)
    what = "is there twice" if before == after else f"follows step {before}"
    raise ValueError(
      f"{where}: steps must increase, but step {after} {what}. Fix: sort the"
      " lines, and give each run a file or a name of its own."
    )
