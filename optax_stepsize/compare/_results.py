# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a race measured, and what follows from it."""

import dataclasses
import functools

import numpy as np

from optax_stepsize.compare import _entries

_CLOSE = 0.05


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
    loss: Median over seeds of the final evaluation loss.
    loss_min: Its minimum over seeds.
    loss_max: Its maximum over seeds; infinite if any diverged.
    accuracy: Median over seeds of the final evaluation accuracy.
    diverged: Number of runs that diverged, over all values and seeds.
    runs: Number of runs.
    close: Number of values whose median loss is within 5 % of (initial - best)
      of the best.
    values: Number of values.
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
  diverged: int
  runs: int
  close: int
  values: int
  tied: bool
  seconds: float
  settings: str


def _row(curves: Curves, leader: Curves) -> TableRow:
  best = curves.best
  final = np.full(curves.final.shape[-1], np.inf)
  accuracy = float("nan")
  close = 0
  if best is not None:
    final = curves.final[best]
    accuracy = float(np.median(curves.eval_accuracy[best, :, -1]))
    initial = np.median(curves.eval_loss[..., 0])
    least = curves.medians[best]
    close = int((curves.medians <= least + _CLOSE * (initial - least)).sum())
  tied = False
  if best is not None and leader.best is not None and leader is not curves:
    tied = bool((final <= leader.final[leader.best]).any())
  count = len(curves.values)
  return TableRow(
    name=curves.entry.name,
    argument=curves.entry.argument,
    best_value=None if best is None else float(curves.values[best]),
    multiple=(
      None
      if best is None
      else float(curves.values[best] / curves.entry.default)
    ),
    at_edge=count > 2 and best in (0, count - 1),
    loss=float(np.median(final)),
    loss_min=float(final.min()),
    loss_max=float(final.max()),
    accuracy=accuracy,
    diverged=int(curves.diverged.sum()),
    runs=curves.diverged.size,
    close=close,
    values=count,
    tied=tied,
    seconds=curves.compile_seconds + curves.run_seconds,
    settings=curves.entry.settings,
  )


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
  """The result of a race.

  Attributes:
    workload: Name of what was trained.
    steps: Steps of every run.
    values: Values of the tuned argument that every entry was given.
    seeds: Seeds that every value was run with.
    curves: The entries that were finished, in the order of the race.
    interrupted: Whether the race was stopped before its end.
  """

  workload: str
  steps: int
  values: int
  seeds: int
  curves: tuple[Curves, ...]
  interrupted: bool = False

  @functools.cached_property
  def ranked(self) -> tuple[Curves, ...]:
    """The entries from best to worst; diverged ones last."""

    def key(curves):
      return float("inf") if curves.best is None else min(curves.medians)

    return tuple(sorted(self.curves, key=key))

  @property
  def rows(self) -> tuple[TableRow, ...]:
    """The table, from best to worst."""
    return tuple(_row(curves, self.ranked[0]) for curves in self.ranked)
