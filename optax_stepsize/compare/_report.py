# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The table and the files of a race."""

from collections.abc import Iterator, Sequence
import csv
import io
import math
import os
from typing import Any, TYPE_CHECKING

import numpy as np

from optax_stepsize.compare import _extras
from optax_stepsize.compare import _files
from optax_stepsize.compare import _results

if TYPE_CHECKING:
  from rich.table import Table

COLUMNS = (
  "workload",
  "entry",
  "argument",
  "value",
  "seed",
  "step",
  "train_loss",
  "eval_loss",
  "eval_accuracy",
  "step_size",
)


def _records(race: _results.Race) -> Iterator[tuple[Any, ...]]:
  for comparison in race.comparisons:
    for curves in comparison.curves:
      for v, seed, k in np.ndindex(curves.eval_loss.shape):
        # Before the first step there is nothing, rather than NaN.
        trained = k > 0
        yield (
          comparison.workload,
          curves.entry.name,
          curves.entry.argument,
          f"{curves.values[v]:.9g}",
          seed,
          curves.steps[k],
          f"{curves.train_loss[v, seed, k]:.9g}" if trained else "",
          f"{curves.eval_loss[v, seed, k]:.9g}",
          f"{curves.eval_accuracy[v, seed, k]:.9g}",
          f"{curves.step_size[v, seed, k]:.9g}" if trained else "",
        )


def write_csv(
  result: _results.Race | _results.Comparison, path: str | os.PathLike[str]
) -> None:
  """Writes every curve, one line per run and evaluation.

  The columns are workload, entry, argument, value, seed, step, train_loss (mean
  since the line before), eval_loss, eval_accuracy and step_size. Losses of runs
  that diverge are as they were measured.

  Args:
    result: What to write.
    path: The file, which is replaced only when all is written.
  """
  if isinstance(result, _results.Comparison):
    result = _results.Race((result,))

  def write(file):
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_records(result))
    text.flush()
    text.detach()

  _files.write_atomically(path, write)


def _plural(count: int, noun: str) -> str:
  return f"{count} {noun}{'' if count == 1 else 's'}"


def _loss(value: float) -> str:
  return f"{value:.3g}" if math.isfinite(value) else "inf"


def multiple_text(multiple: float) -> str:
  """A power of four as a factor: 16x, 1x, 1/16x."""
  if multiple >= 1:
    return f"{multiple:g}x"
  return f"1/{1 / multiple:g}x"


def _size(count: float) -> str:
  """A number of bytes: 512 B, 1.2 kB."""
  for unit in ("B", "kB", "MB"):
    if count < 999.5:
      return f"{count:.3g} {unit}"
    count /= 1000
  return f"{count:.3g} GB"


def _seconds(seconds: float) -> str:
  """A short time: 12.3 us, 4.5 ms, 2 s."""
  for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
    if seconds >= scale:
      return f"{seconds / scale:.3g} {unit}"
  return f"{seconds / 1e-9:.3g} ns"


# In pairs, which share a column on narrow terminals.
HEADERS = (
  "entry",
  "tuned",
  "best",
  "times",
  "loss",
  "min..max",
  "accuracy",
  "to target",
  "near",
  "diverged",
  "state",
  "time",
)


def cells(row: _results.TableRow, seeds: int) -> list[str]:
  """A line of the table as text, one for each of `HEADERS`."""
  if row.best_value is None or row.multiple is None:
    best, multiple, loss, spread, accuracy = "none", "", "inf ", "-", "-"
  else:
    best = f"{row.best_value:.3g}"
    multiple = multiple_text(row.multiple) + ("!" if row.at_edge else " ")
    loss = _loss(row.loss) + ("*" if row.tied else " ")
    spread = f"{_loss(row.loss_min)}..{_loss(row.loss_max)}"
    if seeds == 1:
      spread = "-"
    accuracy = "-" if math.isnan(row.accuracy) else f"{row.accuracy:.1%}"
  target = "-"
  if row.steps_to_target is not None:
    target = f"{row.steps_to_target:g}"
  return [
    row.name,
    row.argument,
    best,
    multiple,
    loss,
    spread,
    accuracy,
    target,
    f"{row.close}/{row.values}",
    f"{row.diverged}/{row.runs}",
    _size(row.state_bytes),
    "-" if row.relative_seconds is None else f"{row.relative_seconds:.2f}x",
  ]


def title(comparison: _results.Comparison) -> str:
  """The heading of a table."""
  words = [comparison.workload, comparison.description]
  words.append(_plural(comparison.steps, "step"))
  return ", ".join(filter(None, words))


def legend(comparison: _results.Comparison) -> list[str]:
  """What a reader of the table must know, line by line."""
  rows = comparison.rows
  lines = [
    "Tuning budget, the same for every entry:"
    f" {_plural(comparison.values, 'value')} of the tuned argument x"
    f" {_plural(comparison.seeds, 'seed')} ="
    f" {_plural(comparison.values * comparison.seeds, 'run')} of"
    f" {_plural(comparison.steps, 'step')}.",
    "best: the value of least loss; times: as a multiple of the default."
    + (" !: edge of the grid." if any(row.at_edge for row in rows) else ""),
    f"loss: final evaluation loss{_above(comparison)}, median over seeds at"
    " the best value; min..max over seeds. Diverged runs count as infinite.",
  ]
  if comparison.target is not None:
    every = int(comparison.curves[0].steps[1])
    lines.append(
      f"to target: steps to a loss of {comparison.target:g}, which was set in"
      f" advance, median over seeds; evaluated every {_plural(every, 'step')}."
    )
  lines += [
    "near: values with a loss within 5 % of the way from the start to the best;"
    " many need little tuning.",
    "state: of the optimizer; time: per step, relative to adamw.",
  ]
  if comparison.seeds == 1:
    lines.append("One seed has no spread: this ranks nothing.")
  elif any(row.tied for row in rows):
    lines.append("*: the first is better on some seeds, not on all.")
  settings = [f"{row.name} ({row.settings})" for row in rows if row.settings]
  if settings:
    lines.append(f"Fixed: {', '.join(settings)}.")
  if comparison.layout is not None:
    lines.append(_layout_text(comparison.layout))
  if comparison.interrupted:
    lines.append("Interrupted: entries that were not finished are missing.")
  return [*lines, *comparison.notes]


def _above(comparison: _results.Comparison) -> str:
  if comparison.optimum:
    return f" above the optimum {comparison.optimum:g}"
  return ""


def _layout_text(layout: _results.Layout) -> str:
  count = "one" if layout.lanes == 1 else f"{layout.lanes} at once"
  where = "at a time" if layout.lanes == 1 else "on one device"
  if layout.devices > 1:
    where = f"on each of {layout.devices} devices"
  text = f"Runs: {'a loop' if layout.lanes == 1 else 'a grid'}, {count} {where}"
  if layout.loop_seconds and layout.grid_seconds:
    loop, grid = map(_seconds, (layout.loop_seconds, layout.grid_seconds))
    text += f" (a step of a run took {loop} in a loop, {grid} in a grid)"
  return f"{text}."


def _new_table(headers: Sequence[str], left: int, **options: Any) -> "Table":
  """An empty table whose first columns are aligned to the left."""
  _extras.require("rich")
  from rich import box
  from rich.table import Table

  table = Table(
    caption_justify="left",
    box=box.SIMPLE_HEAD,
    padding=(0, 1, 0, 0),
    pad_edge=False,
    **options,
  )
  for place, header in enumerate(headers):
    table.add_column(
      header,
      justify="left" if place < left else "right",
      no_wrap=place == 0,
      overflow="fold",
    )
  return table


def _stacked(texts: Sequence[str]) -> list[str]:
  """Pairs of cells on two lines: for 80 columns."""
  pairs = zip(texts[::2], texts[1::2], strict=True)
  stacked = [f"{a.strip()}\n{b.strip()}" for a, b in pairs]
  return [stacked[0].replace("\n", "\n  "), *stacked[1:]]


def table(comparison: _results.Comparison, *, narrow: bool = False) -> "Table":
  """The table of a race on one workload, for rich's `print`.

  Args:
    comparison: What to show.
    narrow: Two lines for each entry, which fit 80 columns; one takes 130.

  Raises:
    MissingExtraError: If rich is not installed.
  """
  arrange = _stacked if narrow else list
  result = _new_table(
    arrange(HEADERS),
    left=1 if narrow else 2,
    title=title(comparison),
    caption="\n".join(legend(comparison)),
  )
  for row in comparison.rows:
    style = "red" if row.best_value is None else ""
    result.add_row(*arrange(cells(row, comparison.seeds)), style=style)
  return result


def profile_cells(race: _results.Race) -> tuple[list[str], list[list[str]]]:
  """Steps to the target on every workload, as header and lines of text.

  As multiples of the least, best entries first.
  """
  names = [c.workload for c in race.comparisons if c.target is not None]
  ratios = race.ratios()

  def key(name):
    # By what comes first in the profile: many targets met, and met early.
    return np.isinf(ratios[name]).sum(), np.sort(ratios[name]).tolist()

  lines = [
    [name, *(f"{r:.2f}x" if np.isfinite(r) else "missed" for r in ratios[name])]
    for name in sorted(ratios, key=key)
  ]
  return ["entry", *names], lines


def profile_table(race: _results.Race) -> "Table":
  """How fast entries reach the targets of several workloads, for `print`.

  Args:
    race: What to show.

  Raises:
    MissingExtraError: If rich is not installed.
  """
  headers, lines = profile_cells(race)
  result = _new_table(
    headers,
    left=1,
    title="Steps to target",
    caption=PROFILE_LEGEND,
  )
  for line in lines:
    result.add_row(*line)
  return result


PROFILE_LEGEND = (
  "As multiples of the least on each workload; medians over seeds, each at the"
  " value of best final loss."
)
