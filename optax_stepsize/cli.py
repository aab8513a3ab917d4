# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command `optax-stepsize`."""

import argparse
from collections.abc import Callable, Sequence
import os
import sys
from typing import NoReturn

from absl import app
from absl import flags
from absl import logging
from absl.flags import argparse_flags

from optax_stepsize import commands


class _Parser(argparse_flags.ArgumentParser):
  def error(self, message: str) -> NoReturn:
    raise commands.UsageError(message)


def _parser() -> _Parser:
  parser = _Parser(
    prog="optax-stepsize", description="Step-size methods for JAX."
  )
  added = parser.add_subparsers(required=True, metavar="COMMAND")
  for add in commands.ADD:
    add(added)
  return parser


def _guarded(call: Callable[[], int]) -> int:
  """Shows what the user can mend as one line, without a traceback."""
  try:
    return call()
  except commands.UsageError as error:
    line = " ".join(str(error).split())
    print(f"optax-stepsize: {line}", file=sys.stderr)
    return 2
  except KeyboardInterrupt:
    print("optax-stepsize: interrupted, nothing was finished", file=sys.stderr)
    return commands.INTERRUPTED
  except BrokenPipeError:
    # The reader, such as `head`, has enough. Python would complain once more
    # when it flushes at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def main(argv: Sequence[str] | None = None) -> int:
  """Runs a command.

  Args:
    argv: Arguments without the name of the program; by default those of the
      process.

  Returns:
    The exit code: 0, 2 if the input or the output is at fault, 130 after an
    interrupt.
  """

  def call() -> int:
    try:
      args = _parser().parse_args(argv)
    except SystemExit as stop:  # --help
      return int(stop.code or 0)
    return args.run(args)

  return _guarded(call)


def run() -> None:
  """The console script: `main` as an absl application."""

  def parse(argv: list[str]) -> argparse.Namespace:
    args = _parser().parse_args(argv[1:])
    if flags.FLAGS["verbosity"].using_default_value:
      # Else absl shows what JAX and matplotlib have to say of themselves.
      logging.set_verbosity(logging.WARNING)
    return args

  def call() -> int:
    try:
      app.run(lambda args: args.run(args), flags_parser=parse)
    except SystemExit as stop:
      return int(stop.code or 0)
    return 0

  code = _guarded(call)
  if code == commands.INTERRUPTED:
    # JAX may still be compiling in a thread, and crash when the interpreter is
    # taken down under it.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
  sys.exit(code)
