# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What commands share."""

import argparse
from collections.abc import Callable, Sequence
import importlib.util
import os
from typing import Any

import jax

INTERRUPTED = 130  # what shells report after Ctrl-C


class UsageError(Exception):
  """What the user can mend; its text is the one line that is shown."""


def add_command(
  commands: Any,
  name: str,
  run: Callable[[argparse.Namespace], int],
  summary: str,
) -> argparse.ArgumentParser:
  """Adds a command whose arguments go to `run`, which returns the exit code."""
  command = commands.add_parser(
    name,
    help=summary,
    description=summary,
    # They go before the command; here their names could clash with its own.
    inherited_absl_flags=None,
  )
  command.set_defaults(run=run)
  return command


def integer(minimum: int) -> Callable[[str], int]:
  """An argument that is an integer of at least `minimum`."""

  def parse(text: str) -> int:
    try:
      value = int(text)
    except ValueError:
      value = None
    if value is None or value < minimum:
      raise argparse.ArgumentTypeError(
        f"must be an integer >= {minimum}, got {text!r}"
      )
    return value

  return parse


def names(text: str) -> tuple[str, ...]:
  """An argument that is a list of names with commas between them."""
  found = tuple(name.strip() for name in text.split(",") if name.strip())
  if not found:
    raise argparse.ArgumentTypeError("must name at least one method")
  return tuple(dict.fromkeys(found))


def print_table(
  headers: Sequence[str], lines: Sequence[Sequence[str]], *, left: int
) -> None:
  """Prints a table, of which the first `left` columns are texts."""
  if importlib.util.find_spec("rich") is None:
    for line in (headers, *lines):
      print("\t".join(line))
    return
  from rich import box
  from rich.console import Console
  from rich.table import Table

  console = Console(highlight=False)
  if not console.is_terminal:
    # rich assumes 80 columns there, which cuts numbers.
    console = Console(highlight=False, width=160)
  table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
  for place, header in enumerate(headers):
    table.add_column(
      header, justify="left" if place < left else "right", overflow="fold"
    )
  for line in lines:
    table.add_row(*line)
  console.print(table)


_DEVICES = "--xla_force_host_platform_device_count"


def start_cpus(devices: int) -> None:
  """Lets JAX start with the CPU alone, in as many devices; later, nothing."""
  # Of a flag that is there twice, the last one holds.
  given = os.environ.get("XLA_FLAGS", "")
  os.environ["XLA_FLAGS"] = f"{given} {_DEVICES}={devices}".strip()
  jax.config.update("jax_platforms", "cpu")


def use_all_cores() -> None:
  """Lets JAX start with a CPU device for each core, unless told otherwise.

  It has no effect on other platforms, nor once JAX has started.
  """
  given = os.environ.get("XLA_FLAGS", "")
  if _DEVICES not in given:
    # Those that this process may use, which containers restrict.
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    os.environ["XLA_FLAGS"] = f"{given} {_DEVICES}={cores}".strip()


def add_hosts(command: argparse.ArgumentParser) -> None:
  """Adds the arguments of `join_hosts`."""
  command.add_argument(
    "--distributed",
    action="store_true",
    help=(
      "share the runs with the other hosts of this TPU pod, SLURM job or other"
      " cluster that JAX knows; start the same command on each"
    ),
  )
  command.add_argument(
    "--coordinator",
    metavar="HOST:PORT",
    help="elsewhere: address of the first process, with the two that follow",
  )
  for flag, minimum, text in (
    ("num_processes", 1, "number of processes"),
    ("process_id", 0, "number of this process, 0 for the first"),
  ):
    command.add_argument(
      f"--{flag}", type=integer(minimum), metavar="N", help=text
    )


def join_hosts(args: argparse.Namespace) -> None:
  """Starts `jax.distributed` if the arguments of `add_hosts` ask for it.

  Raises:
    ValueError: If some are missing, or the hosts do not find each other.
  """
  three = (args.coordinator, args.num_processes, args.process_id)
  if not args.distributed and three == (None, None, None):
    return
  if None in three and three != (None, None, None):
    raise ValueError(
      "--coordinator, --num_processes and --process_id go together: give all"
      " three, or --distributed alone"
    )
  try:
    jax.distributed.initialize(*three)
  except (RuntimeError, ValueError) as error:
    raise ValueError(f"the hosts do not find each other: {error}") from error
