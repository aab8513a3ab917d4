# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a race measured, and what follows from it."""

import dataclasses
import functools
from typing import Any, NamedTuple

import numpy as np

from optax_stepsize.compare import _entries

_CLOSE = 0.05


class Point(NamedTuple):
  """What an evaluation measures.

  Attributes:
    train_loss: Mean loss of the batches since the evaluation before.
    eval_loss: Evaluation loss, at the evaluation point.
    eval_accuracy: Evaluation accuracy, there as well.
    step_size: Step size of the last update.
  """

  train_loss: Any
  eval_loss: Any
  eval_accuracy: Any
  step_size: Any


class Layout(NamedTuple):
  """How the runs of an entry were laid out.

  Attributes:
    lanes: Runs that each device trained at once. One is a loop over runs.
    devices: Devices of each host.
    loop_seconds: Time for a step of one run in a loop; None: not measured.
    grid_seconds: The same with several lanes.
  """

  lanes: int
  devices: int
  loop_seconds: float | None = None
  grid_seconds: float | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Curves:
  """All runs of one entry. Arrays have the axes value, seed, evaluation.

  Attributes:
    entry: What was run.
    values: `(V,)` values of its tuned argument, ascending.
    steps: `(K,)` steps after which it was evaluated; the first is 0.
    train_loss: `(V, S, K)` mean loss of the batches since the evaluation
      before; NaN at step 0.
    eval_loss: `(V, S, K)` evaluation loss.
    eval_accuracy: `(V, S, K)` evaluation accuracy.
    step_size: `(V, S, K)` step size of the last update, its mean for
      layer-wise methods; NaN at step 0 and where the state shows none.
    compile_seconds: Time that compiling took.
    run_seconds: Time that all runs together took after that.
    step_seconds: Least time that a step of one run took, one share of its
      group, over all groups and evaluations.
    state_bytes: Bytes of the optimizer state of one run.
  """

  entry: _entries.Entry
  values: np.ndarray
  steps: np.ndarray
  train_loss: np.ndarray
  eval_loss: np.ndarray
  eval_accuracy: np.ndarray
  step_size: np.ndarray
  compile_seconds: float
  run_seconds: float
  step_seconds: float
  state_bytes: int

  @functools.cached_property
  def diverged(self) -> np.ndarray:
    """`(V, S)`: a loss was not finite, or the last one exceeds the first."""
    finite = np.isfinite(self.eval_loss).all(-1)
    finite &= np.isfinite(self.train_loss[..., 1:]).all(-1)
    return ~finite | (self.eval_loss[..., -1] > self.eval_loss[..., 0])

  @functools.cached_property
  def final(self) -> np.ndarray:
    """`(V, S)` final evaluation loss; infinite for diverged runs."""
    return np.where(self.diverged, np.inf, self.eval_loss[..., -1])

  @functools.cached_property
  def medians(self) -> np.ndarray:
    """`(V,)` median of the final loss over seeds."""
    return np.median(self.final, axis=-1)

  @functools.cached_property
  def best(self) -> int | None:
    """Index of the value of least median loss.

    Of equal ones the nearest to the default, then the smaller. None if at every
    value the median is infinite.
    """
    if not np.isfinite(self.medians).any():
      return None
    away = np.abs(np.log(self.values / self.entry.default)).round(6)
    # The last key is the first to sort by.
    order = np.lexsort((self.values, away, self.medians))
    return int(order[0])

  def steps_to(self, target: float) -> np.ndarray:
    """`(V, S)` steps at the first evaluation with that loss or a lower one.

    Infinite where there is none.
    """
    reached = self.eval_loss <= target
    return np.where(
      reached.any(-1), self.steps[reached.argmax(-1)].astype(float), np.inf
    )


class Block:
  """The runs of an entry, as they finish.

  Attributes:
    entry: What is run.
    values: `(V,)` values of its tuned argument.
    seeds: Number of seeds.
    finished: `(V * S,)` which runs are; that of value v and seed s is at place
      v * S + s.
    steps: `(K,)` steps after which runs are evaluated.
    compile_seconds: Time that compiling took.
    run_seconds: Time that runs took.
    step_seconds: Least time that a step of one run took.
    state_bytes: Bytes of the optimizer state of one run.
  """

  def __init__(
    self, entry: _entries.Entry, values: int, seeds: int, steps: np.ndarray
  ):
    self.entry = entry
    self.values = entry.grid(values)
    self.seeds = seeds
    self.steps = steps
    self.finished = np.zeros(values * seeds, bool)
    shape = (values * seeds, len(steps))
    self.point = Point(*(np.full(shape, np.nan, np.float64) for _ in range(4)))
    self.compile_seconds = 0.0
    self.run_seconds = 0.0
    self.step_seconds = float("inf")
    self.state_bytes = 0

  def add(self, cells: np.ndarray, point: Point, seconds: float) -> None:
    """Adds what was measured in some runs, `(n, K)`."""
    for whole, part in zip(self.point, point, strict=True):
      whole[cells] = part
    self.finished[cells] = True
    self.run_seconds += seconds

  def record(self) -> Any:
    """All that changes, as a tree of arrays."""
    numbers = (
      self.compile_seconds,
      self.run_seconds,
      self.step_seconds,
      self.state_bytes,
    )
    return self.finished, self.point, np.array(numbers, np.float64)

  def restore(self, record: Any) -> None:
    """Takes over the `record` of another block of the same runs."""
    finished, point, numbers = record
    # Copies: what came from another host cannot be written to.
    self.finished = np.array(finished)
    self.point = Point(*map(np.array, point))
    self.compile_seconds, self.run_seconds, self.step_seconds = map(
      float, numbers[:3]
    )
    self.state_bytes = int(numbers[3])

  def curves(self) -> Curves:
    """All runs, which must be finished."""
    shape = (len(self.values), self.seeds, len(self.steps))
    return Curves(
      entry=self.entry,
      values=self.values,
      steps=self.steps,
      **{
        name: array.reshape(shape)
        for name, array in self.point._asdict().items()
      },
      compile_seconds=self.compile_seconds,
      run_seconds=self.run_seconds,
      step_seconds=self.step_seconds,
      state_bytes=self.state_bytes,
    )


@dataclasses.dataclass(frozen=True)
class TableRow:
  """One line of the table: an entry at the best value of its argument.

  Attributes:
    name: Name of the entry.
    argument: Its tuned argument.
    best_value: The value of least median loss; None if all diverged, and then
      losses are infinite and the accuracy is NaN.
    multiple: The best value as a multiple of the default.
    at_edge: Whether it is the least or greatest of three or more values, so
      that a wider grid might have a better one.
    loss: Median over seeds of the final evaluation loss, less the optimum of
      the workload if that is known. So are the next two.
    loss_min: Its minimum over seeds.
    loss_max: Its maximum over seeds; infinite if any diverged.
    accuracy: Median over seeds of the final evaluation accuracy.
    steps_to_target: Median over seeds of the steps at the first evaluation that
      meets the workload's target; infinite if missed, None without a target.
    diverged: Number of runs that diverged, over all values and seeds.
    runs: Number of runs.
    close: Number of values whose median loss is within 5 % of (initial - best)
      of the best.
    values: Number of values.
    state_bytes: Bytes of the optimizer state.
    relative_seconds: Time per step, as a multiple of that of `adamw` in the
      same race; None if it did not take part.
    tied: Whether the best entry fails to beat it on every seed.
    seconds: Time for compiling and all runs.
    settings: What was fixed.
  """

  name: str
  argument: str
  best_value: float | None
  multiple: float | None
  at_edge: bool
  loss: float
  loss_min: float
  loss_max: float
  accuracy: float
  steps_to_target: float | None
  diverged: int
  runs: int
  close: int
  values: int
  state_bytes: int
  relative_seconds: float | None
  tied: bool
  seconds: float
  settings: str


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
  """The result of a race on one workload.

  Attributes:
    workload: Name of what was trained.
    steps: Steps of every run.
    values: Values of the tuned argument that every entry was given.
    seeds: Seeds that every value was run with.
    curves: The entries that were finished, in the order of the race.
    interrupted: Whether the race was stopped before its end.
    target: The loss whose first step is counted, if the workload has one.
    optimum: The least possible loss, if it is known.
    description: What the workload is.
    notes: What a reader must know of it.
    layout: How the runs were laid out; None if all came from a file.
  """

  workload: str
  steps: int
  values: int
  seeds: int
  curves: tuple[Curves, ...]
  interrupted: bool = False
  target: float | None = None
  optimum: float | None = None
  description: str = ""
  notes: tuple[str, ...] = ()
  layout: Layout | None = None

  @functools.cached_property
  def ranked(self) -> tuple[Curves, ...]:
    """The entries from best to worst; diverged ones last."""

    def key(curves):
      return float("inf") if curves.best is None else min(curves.medians)

    return tuple(sorted(self.curves, key=key))

  @functools.cached_property
  def rows(self) -> tuple[TableRow, ...]:
    """The table, from best to worst."""
    return tuple(self._row(curves) for curves in self.ranked)

  def _row(self, curves: Curves) -> TableRow:
    best, leader = curves.best, self.ranked[0]
    final = np.full(curves.final.shape[-1], np.inf)
    accuracy, close, value, multiple = float("nan"), 0, None, None
    to_target = None if self.target is None else float("inf")
    tied = False
    if best is not None:
      final = curves.final[best]
      accuracy = float(np.median(curves.eval_accuracy[best, :, -1]))
      initial = np.median(curves.eval_loss[..., 0])
      least = curves.medians[best]
      close = int((curves.medians <= least + _CLOSE * (initial - least)).sum())
      value = float(curves.values[best])
      multiple = value / curves.entry.default
      if self.target is not None:
        to_target = float(np.median(curves.steps_to(self.target)[best]))
      if leader.best is not None and leader is not curves:
        tied = bool((final <= leader.final[leader.best]).any())
    count = len(curves.values)
    adamw = [other for other in self.curves if other.entry.name == "adamw"]
    excess = final - (self.optimum or 0.0)
    return TableRow(
      name=curves.entry.name,
      argument=curves.entry.argument,
      best_value=value,
      multiple=multiple,
      at_edge=count > 2 and best in (0, count - 1),
      loss=float(np.median(excess)),
      loss_min=float(excess.min()),
      loss_max=float(excess.max()),
      accuracy=accuracy,
      steps_to_target=to_target,
      diverged=int(curves.diverged.sum()),
      runs=curves.diverged.size,
      close=close,
      values=count,
      state_bytes=curves.state_bytes,
      relative_seconds=(
        curves.step_seconds / adamw[0].step_seconds if adamw else None
      ),
      tied=tied,
      seconds=curves.compile_seconds + curves.run_seconds,
      settings=curves.entry.settings,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Race:
  """The result of a race on one or more workloads.

  Attributes:
    comparisons: One for each workload of which an entry was finished.
    interrupted: Whether the race was stopped before its end.
  """

  comparisons: tuple[Comparison, ...]
  interrupted: bool = False

  def ratios(self) -> dict[str, np.ndarray]:
    """Steps to the targets, as multiples of the least.

    Returns:
      For each entry that was finished on all workloads with a target, one
      number for each of these: its steps to the target over the least steps
      that any entry took, infinite for a miss. The share of workloads on which
      it is at most t, as a function of t, is the performance profile of Dolan
      and Moré.
    """
    timed = [c for c in self.comparisons if c.target is not None]
    steps = [{row.name: row.steps_to_target for row in c.rows} for c in timed]
    names = [
      curves.entry.name
      for curves in (timed[0].curves if timed else ())
      if all(curves.entry.name in row for row in steps)
    ]
    table = np.array([[row[name] for row in steps] for name in names], float)
    if not table.size:
      return {}
    # Where all miss, nobody is best.
    with np.errstate(invalid="ignore"):
      ratios = table / table.min(axis=0, keepdims=True)
    ratios = np.where(np.isfinite(table), ratios, np.inf)
    return dict(zip(names, ratios, strict=True))
