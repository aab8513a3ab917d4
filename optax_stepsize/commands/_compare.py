# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`optax-stepsize compare`."""

import argparse
from collections.abc import Callable, Iterator
import contextlib
import sys
from typing import Any

from optax_stepsize import compare
from optax_stepsize.commands import _common

_CSV = "curves.csv"
_PNG = "comparison.png"


@contextlib.contextmanager
def _progress(entries: int, steps: int) -> Iterator[Callable[[str, int], None]]:
  """A bar, or a line for each entry where there is no terminal."""
  from rich import progress
  from rich.console import Console

  console = Console(stderr=True, highlight=False)
  finished = 0
  with progress.Progress(
    progress.TextColumn("{task.description:<20}"),
    progress.BarColumn(),
    progress.MofNCompleteColumn(),
    progress.TextColumn("steps"),
    progress.TimeElapsedColumn(),
    console=console,
    transient=True,
    disable=not console.is_terminal,
  ) as bar:
    task = bar.add_task("", total=entries * steps)

    def report(name: str, done: int) -> None:
      nonlocal finished
      place = finished * steps + done
      bar.update(task, completed=place, description=name)
      if done == steps:
        finished += 1
        if not console.is_terminal:
          console.print(f"{finished}/{entries} {name}")

    yield report


def _compare(args: argparse.Namespace) -> int:
  # All that can be wrong is found before anything is trained.
  try:
    compare.require()
    workload = compare.workload(args.workload, batch_size=args.batch_size)
    compare.validate(workload)
    steps = args.steps or workload.steps or compare.DEFAULT_STEPS
    entries = compare.select_entries(
      args.methods,
      total_steps=steps,
      steps_per_epoch=workload.steps_per_epoch,
    )
    folder = compare.check_output_dir(args.output_dir, _CSV, _PNG)
  except OSError as error:
    raise _common.UsageError(
      f"cannot write to {args.output_dir}: {error}"
    ) from error
  except (ValueError, compare.MissingExtraError) as error:
    raise _common.UsageError(str(error)) from error

  from rich.console import Console

  with _progress(len(entries), steps) as progress:
    result = compare.compare(
      entries,
      workload=workload,
      steps=steps,
      values=args.values,
      seeds=args.seeds,
      progress=progress,
    )
  # rich assumes 80 columns where there is no terminal, which cuts numbers.
  console = Console(highlight=False)
  if not console.is_terminal:
    console = Console(highlight=False, width=120)
  console.print(compare.table(result, narrow=console.width < 112))
  code = _common.INTERRUPTED if result.interrupted else 0
  for write, name in (
    (compare.write_csv, _CSV),
    (compare.write_picture, _PNG),
  ):
    try:
      write(result, folder / name)
      print(f"Written: {folder / name}")
    except (OSError, ValueError) as error:
      print(f"optax-stepsize: no {name}: {error}", file=sys.stderr)
      # A picture that would claim too much is refused; that is no failure.
      code = code or (2 if isinstance(error, OSError) else 0)
  return code


def add(commands: Any) -> None:
  """Adds the command."""
  command = _common.add_command(
    commands,
    "compare",
    _compare,
    "Train a small network with several methods, each tuned with the same"
    " effort, and show which did best.",
  )
  command.add_argument(
    "--workload",
    default="digits_mlp",
    metavar="NAME",
    help=(
      f"what to train: {', '.join(compare.WORKLOADS)}, or module:object for one"
      " of your own (default: %(default)s)"
    ),
  )
  command.add_argument(
    "--methods",
    type=_common.names,
    default=compare.DEFAULT_METHODS,
    metavar="A,B",
    help=(
      "METHOD[+BASE][@ARGUMENT=DEFAULT]: names from `optax-stepsize list`,"
      " optax.NAME, module:factory, and baselines"
      f" ({', '.join(compare.BASELINES)}); +BASE is the optimizer that a"
      " schedule sets the rate of, and ARGUMENT what is tuned; if none is a"
      " baseline, all baselines are added (default:"
      f" {','.join(compare.DEFAULT_METHODS)})"
    ),
  )
  for flag, default, text in (
    ("steps", None, "steps of every run"),
    ("values", 5, "values of each method's tuned argument"),
    ("seeds", 3, "seeds for each value"),
    ("batch_size", None, "examples per step"),
  ):
    shown = "what the workload says" if default is None else default
    command.add_argument(
      f"--{flag}",
      type=_common.integer(1),
      default=default,
      metavar="N",
      help=f"{text} (default: {shown})",
    )
  command.add_argument(
    "--output_dir",
    default="optax_stepsize_compare",
    metavar="DIR",
    help=f"folder for {_CSV} and {_PNG} (default: %(default)s)",
  )
