# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The table and the files of a race."""

from collections.abc import Callable, Iterator, Sequence
import csv
import io
import math
import os
import pathlib
import tempfile
from typing import Any, IO, TYPE_CHECKING

from optax_stepsize.compare import _extras
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


def check_output_dir(path: str | os.PathLike[str], *names: str) -> pathlib.Path:
  """Makes a folder and checks that files can be written to it.

  Args:
    path: The folder; parents are made as well.
    *names: Names of files that will be written, or replaced.

  Returns:
    The folder.

  Raises:
    OSError: If it cannot be made or written to, or one of the names belongs to
      a folder.
  """
  folder = pathlib.Path(path)
  folder.mkdir(parents=True, exist_ok=True)
  with tempfile.NamedTemporaryFile(dir=folder) as file:
    file.write(b"probe")
  for name in names:
    if (folder / name).is_dir():
      raise IsADirectoryError(21, "Is a directory", str(folder / name))
  return folder


def write_atomically(
  path: str | os.PathLike[str], write: Callable[[IO[bytes]], Any]
) -> None:
  """Writes a file that is there in full or, after an error, as it was before.

  Args:
    path: The file.
    write: Given a binary file to write to.
  """
  path = pathlib.Path(path)
  handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
  try:
    with os.fdopen(handle, "wb") as file:
      write(file)
    # As open() would make it; mkstemp makes files that are private.
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(name, 0o666 & ~umask)
    os.replace(name, path)
  except BaseException:
    os.unlink(name)
    raise


def _records(comparison: _results.Comparison) -> Iterator[tuple[Any, ...]]:
  for curves in comparison.curves:
    for v, value in enumerate(curves.values):
      for seed in range(comparison.seeds):
        for k, step in enumerate(curves.steps):
          # Before the first step there is nothing, rather than NaN.
          trained = k > 0
          yield (
            comparison.workload,
            curves.entry.name,
            curves.entry.argument,
            f"{value:.9g}",
            seed,
            step,
            f"{curves.train_loss[v, seed, k]:.9g}" if trained else "",
            f"{curves.eval_loss[v, seed, k]:.9g}",
            f"{curves.eval_accuracy[v, seed, k]:.9g}",
            f"{curves.step_size[v, seed, k]:.9g}" if trained else "",
          )


def write_csv(
  comparison: _results.Comparison, path: str | os.PathLike[str]
) -> None:
  """Writes every curve, one line per run and evaluation.

  The columns are workload, entry, argument, value, seed, step, train_loss (mean
  since the line before), eval_loss, eval_accuracy and step_size. Losses of runs
  that diverge are as they were measured.

  Args:
    comparison: What to write.
    path: The file, which is replaced only when all is written.
  """

  def write(file):
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_records(comparison))
    text.flush()
    text.detach()

  write_atomically(path, write)


def _plural(count: int, noun: str) -> str:
  return f"{count} {noun}{'' if count == 1 else 's'}"


def _loss(value: float) -> str:
  return f"{value:.3g}" if math.isfinite(value) else "inf"


def multiple_text(multiple: float) -> str:
  """A power of four as a factor: 16x, 1x, 1/16x."""
  if multiple >= 1:
    return f"{multiple:g}x"
  return f"1/{1 / multiple:g}x"


def _cells(row: _results.TableRow, seeds: int) -> list[str]:
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
  return [
    row.name,
    row.argument,
    best,
    multiple,
    loss,
    spread,
    accuracy,
    f"{row.diverged}/{row.runs}",
    f"{row.close}/{row.values}",
    f"{row.seconds:.1f}",
  ]


def _stacked(cells: Sequence[str]) -> list[str]:
  """Puts three pairs of cells on two lines each: for 80 columns."""
  name, argument, best, multiple, loss, spread, *others = cells
  return [
    f"{name}\n  {argument}",
    f"{best}\n{multiple.strip()}",
    f"{loss}\n{spread}",
    *others,
  ]


def table(comparison: _results.Comparison, *, narrow: bool = False) -> "Table":
  """The table of a race for rich's `print`.

  Args:
    comparison: What to show.
    narrow: Two lines for each entry, which fit 80 columns; one takes more.

  Raises:
    MissingExtraError: If rich is not installed.
  """
  _extras.require("rich")
  from rich import box
  from rich.table import Table

  runs = comparison.values * comparison.seeds
  rows = comparison.rows
  caption = [
    f"Every entry: {_plural(comparison.values, 'value')} of the tuned argument"
    f" x {_plural(comparison.seeds, 'seed')} ="
    f" {_plural(runs, 'run')} of {_plural(comparison.steps, 'step')}.",
    "best: the value of least loss; times: as a multiple of the default."
    + (" !: edge of the grid." if any(row.at_edge for row in rows) else ""),
    "loss: final evaluation loss, median over seeds at the best value; min..max"
    " over seeds. Diverged runs count as infinite.",
    "near: values with a loss within 5 % of the way from the start to the best;"
    " many need little tuning.",
    "sec.: compiling and all runs.",
  ]
  if comparison.seeds == 1:
    caption.append("One seed has no spread: this ranks nothing.")
  elif any(row.tied for row in rows):
    caption.append("*: the first is better on some seeds, not on all.")
  settings = [f"{row.name} ({row.settings})" for row in rows if row.settings]
  if settings:
    caption.append(f"Fixed: {', '.join(settings)}.")
  if comparison.interrupted:
    caption.append("Interrupted: entries that were not finished are missing.")
  result = Table(
    title=f"{comparison.workload}, {_plural(comparison.steps, 'step')}",
    caption="\n".join(caption),
    caption_justify="left",
    box=box.SIMPLE_HEAD,
    padding=(0, 1, 0, 0),
    pad_edge=False,
  )
  arrange = _stacked if narrow else list
  headers = arrange(
    [
      "entry",
      "tuned",
      "best",
      "times",
      "loss ",
      "min..max",
      "accuracy",
      "diverged",
      "near",
      "sec.",
    ]
  )
  for place, header in enumerate(headers):
    left = header.startswith(("entry", "tuned"))
    result.add_column(
      header,
      justify="left" if left else "right",
      no_wrap=place == 0,
      overflow="fold",
    )
  for row in rows:
    style = "red" if row.best_value is None else ""
    result.add_row(*arrange(_cells(row, comparison.seeds)), style=style)
  return result
