# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What commands share."""

import argparse
from collections.abc import Callable
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


def start_cpus(devices: int) -> None:
  """Lets JAX start with the CPU alone, in as many devices; later, nothing."""
  flag = f"--xla_force_host_platform_device_count={devices}"
  # Of a flag that is there twice, the last one holds.
  os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()
  jax.config.update("jax_platforms", "cpu")
