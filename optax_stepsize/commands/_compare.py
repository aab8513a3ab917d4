# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`optax-stepsize compare`."""

import argparse
from collections.abc import Callable, Iterator, Sequence
import contextlib
import datetime
import functools
import pathlib
import platform
import shlex
import sys
from typing import Any

import jax

from optax_stepsize import compare
from optax_stepsize.commands import _common

_CSV = "curves.csv"
_PAGE = "comparison.html"
_PROFILE = "profile.png"
# What makes a race, and what it is unless told otherwise.
_SETTINGS: dict[str, Any] = {
  "workload": compare.DEFAULT_WORKLOADS,
  "methods": compare.DEFAULT_METHODS,
  "base": "adamw",
  "baselines": compare.BASELINES,
  "steps": None,
  "values": 5,
  "seeds": 3,
  "batch_size": None,
  "layout": "auto",
}


def _picture(workload: str) -> str:
  """Name of the picture of a workload; own ones may be called anything."""
  kept = (c if c.isalnum() or c in "._-" else "_" for c in workload)
  return f"{''.join(kept)}.png"


@contextlib.contextmanager
def _progress(heats: Sequence[compare.Heat]) -> Iterator[compare.Progress]:
  """A bar, or a line for each entry where there is no terminal."""
  from rich import progress
  from rich.console import Console

  console = Console(stderr=True, highlight=False)
  order = [(h.workload.name, e.name) for h in heats for e in h.entries]
  with progress.Progress(
    progress.TextColumn("{task.description:<32}"),
    progress.BarColumn(),
    progress.TaskProgressColumn(),
    progress.TimeElapsedColumn(),
    console=console,
    transient=True,
    disable=not console.is_terminal,
  ) as bar:
    task = bar.add_task("", total=len(order))

    def report(workload: str, entry: str, done: int, steps: int) -> None:
      place = order.index((workload, entry))
      bar.update(
        task,
        completed=place + done / steps,
        description=f"{workload} {entry}",
      )
      if done == steps and not console.is_terminal:
        console.print(f"{place + 1}/{len(order)} {workload} {entry}")

    yield report


def _settings(args: argparse.Namespace) -> dict[str, Any]:
  """What was asked for, with defaults filled in."""
  given = {
    name: getattr(args, name)
    for name in _SETTINGS
    if getattr(args, name) is not None
  }
  if args.resume is not None:
    if given or args.output_dir is not None:
      named = sorted(given) + ["output_dir"] * (args.output_dir is not None)
      raise _common.UsageError(
        f"--resume goes on with the settings of the race in {args.resume}:"
        f" leave out {', '.join(f'--{name}' for name in named)}"
      )
    return compare.Store.open(args.resume).settings
  settings = _SETTINGS | given
  if settings["baselines"] == ("none",):
    settings["baselines"] = ()
  if settings["workload"] == ("all",):
    settings["workload"] = compare.WORKLOADS
  return settings


def _prepare(settings: dict[str, Any]) -> tuple[compare.Heat, ...]:
  workloads = [
    compare.workload(name, batch_size=settings["batch_size"])
    for name in settings["workload"]
  ]
  return compare.prepare(
    settings["methods"],
    workloads,
    steps=settings["steps"],
    base=settings["base"],
    baselines=settings["baselines"],
  )


def _open_store(
  args: argparse.Namespace,
  settings: dict[str, Any],
  heats: Sequence[compare.Heat],
) -> compare.Store | None:
  """The folder of the race; only the first host has one."""
  if jax.process_index():
    return None
  path = args.resume or args.output_dir or "optax_stepsize_compare"
  try:
    pictures = [_picture(heat.workload.name) for heat in heats]
    compare.check_output_dir(path, _CSV, _PAGE, _PROFILE, *pictures)
    if args.resume:
      return compare.Store.open(path)
    if compare.Store.unfinished(path) and not args.overwrite:
      raise _common.UsageError(
        f"{path} holds an unfinished race: go on with it by --resume={path},"
        " choose another --output_dir, or give it up by --overwrite"
      )
    return compare.Store.create(path, settings)
  except OSError as error:
    raise _common.UsageError(f"cannot write to {path}: {error}") from error


def _facts() -> dict[str, str]:
  """How a race was made, for its page."""
  # Of the day, not of the race: a race that is continued has several.
  today = datetime.date.today().isoformat()
  devices = jax.devices()
  return {
    "written": today,
    "command": shlex.join(["optax-stepsize", *sys.argv[1:]]),
    "devices": f"{len(devices)} x {devices[0].device_kind}",
    "hosts": str(jax.process_count()),
    "Python, JAX": f"{platform.python_version()}, {jax.__version__}",
  }


def _write(race: compare.Race, folder: pathlib.Path) -> int:
  """Writes all files; one that fails does not keep the others from it."""
  writes: list[tuple[Callable[..., None], Any, str]] = [
    (compare.write_csv, race, _CSV)
  ]
  for comparison in race.comparisons:
    name = _picture(comparison.workload)
    writes.append((compare.write_picture, comparison, name))
  if len(race.comparisons) > 1:
    writes.append((compare.write_profile, race, _PROFILE))
  page = functools.partial(compare.write_page, facts=_facts())
  writes.append((page, race, _PAGE))
  code = 0
  for write, what, name in writes:
    try:
      write(what, folder / name)
      print(f"Written: {folder / name}")
    except (OSError, ValueError) as error:
      print(f"optax-stepsize: no {name}: {error}", file=sys.stderr)
      # A picture that would claim too much is refused; that is no failure.
      code = code or (2 if isinstance(error, OSError) else 0)
  return code


def _show(race: compare.Race) -> None:
  from rich.console import Console

  # rich assumes 80 columns where there is no terminal, which cuts numbers.
  console = Console(highlight=False)
  if not console.is_terminal:
    console = Console(highlight=False, width=140)
  for comparison in race.comparisons:
    console.print(compare.table(comparison, narrow=console.width < 132))
  if len(race.comparisons) > 1 and race.ratios():
    console.print(compare.profile_table(race))


def _compare(args: argparse.Namespace) -> int:
  _common.use_all_cores()
  # All that can be wrong is found before anything is trained.
  try:
    compare.require()
    settings = _settings(args)
    _common.join_hosts(args)
    heats = _prepare(settings)
    store = _open_store(args, settings, heats)
  except (ValueError, compare.MissingExtraError) as error:
    raise _common.UsageError(str(error)) from error

  with contextlib.ExitStack() as stack:
    progress = stack.enter_context(_progress(heats)) if store else None
    try:
      race = compare.run_heats(
        heats,
        values=settings["values"],
        seeds=settings["seeds"],
        layout=settings["layout"],
        store=store,
        progress=progress,
      )
    except ValueError as error:
      raise _common.UsageError(str(error)) from error
  if store is None:
    return 0
  _show(race)
  code = _write(race, store.folder)
  if store.error is not None:
    print(
      f"optax-stepsize: finished runs could not be kept: {store.error}",
      file=sys.stderr,
    )
    code = code or 2
  if race.interrupted:
    print(f"Go on with: optax-stepsize compare --resume={store.folder}")
    return _common.INTERRUPTED
  return code


def add(commands: Any) -> None:
  """Adds the command."""
  command = _common.add_command(
    commands,
    "compare",
    _compare,
    "Train models with several methods, each tuned with the same effort, and"
    " show which did best.",
  )
  command.add_argument(
    "--workload",
    type=_common.names,
    metavar="A,B",
    help=(
      f"what to train: {', '.join(compare.WORKLOADS)}, module:object for one of"
      " your own, or all (default:"
      f" {','.join(compare.DEFAULT_WORKLOADS)})"
    ),
  )
  command.add_argument(
    "--methods",
    type=_common.names,
    metavar="A,B",
    help=(
      "METHOD[+BASE][@ARGUMENT=DEFAULT]: names from `optax-stepsize list`,"
      " optax.NAME, module:factory, or baselines; +BASE is the optimizer that a"
      " schedule sets the rate of or optax.NAME wraps, and ARGUMENT what is"
      " tuned (default:"
      f" {','.join(compare.DEFAULT_METHODS)})"
    ),
  )
  command.add_argument(
    "--base",
    metavar="NAME",
    help=(
      "the optimizer that schedules and averages are raced on: adamw, sgd,"
      f" optax.NAME or module:factory (default: {_SETTINGS['base']})"
    ),
  )
  command.add_argument(
    "--baselines",
    type=_common.names,
    metavar="A,B",
    help=(
      "which baselines take part as well; none for no others (default:"
      f" {','.join(compare.BASELINES)})"
    ),
  )
  for flag, text in (
    ("steps", "steps of every run"),
    ("values", "values of each method's tuned argument"),
    ("seeds", "seeds for each value"),
    ("batch_size", "examples per step"),
  ):
    command.add_argument(
      f"--{flag}",
      type=_common.integer(1),
      metavar="N",
      help=f"{text} (default: {_SETTINGS[flag] or 'what the workload says'})",
    )
  command.add_argument(
    "--layout",
    choices=compare.LAYOUTS,
    help=(
      "grid: as many runs at once as fit, in one program; loop: one on each"
      " device; auto: the faster, which is measured on each workload (default:"
      f" {_SETTINGS['layout']})"
    ),
  )
  command.add_argument(
    "--output_dir",
    metavar="DIR",
    help=(
      "folder for curves, pictures, a page with all of it, and finished runs"
      " (default: optax_stepsize_compare)"
    ),
  )
  command.add_argument(
    "--resume",
    metavar="DIR",
    help="go on with the race in this folder, with its settings",
  )
  command.add_argument(
    "--overwrite",
    action="store_true",
    help="give up an unfinished race in the folder",
  )
  _common.add_hosts(command)
