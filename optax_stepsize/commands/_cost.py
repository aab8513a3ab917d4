# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`optax-stepsize cost`."""

import argparse
import sys
import textwrap
from typing import Any

from optax_stepsize import cost
from optax_stepsize.commands import _common


def _cost(args: argparse.Namespace) -> int:
  try:
    methods = [cost.find(name) for name in args.method]
    targets = [cost.get_target(name) for name in args.target or cost.TARGETS]
    for target in targets if args.target else ():
      target.require()
  except (ValueError, cost.MissingCompilerError) as error:
    raise _common.UsageError(str(error)) from error

  # Each beside what Optax has in its place, and none twice.
  counted: dict[str, cost.Method] = {}
  for method in methods:
    if method.is_schedule:
      print(
        f"optax-stepsize: {method.name} is a schedule: it has no state, and no"
        " update to count",
        file=sys.stderr,
      )
      continue
    for one in (method, cost.counterpart(method)):
      if one is not None:
        counted.setdefault(one.name, one)
  if not counted:
    return 0

  _common.start_cpus(args.devices)
  for target in targets:
    try:
      target.require()
    except cost.MissingCompilerError as error:
      print(f"optax-stepsize: {error}", file=sys.stderr)
      continue
    try:
      costs = [
        cost.measure(method, target=target.name, devices=args.devices)
        for method in counted.values()
      ]
    except ValueError as error:
      raise _common.UsageError(str(error)) from error
    print(f"### {target.title}\n" if args.markdown else target.title)
    if args.markdown:
      print(cost.markdown(costs))
    else:
      cost.show(costs)
    print(flush=True)
  print(textwrap.fill(cost.LEGEND, 80))
  return 0


def add(commands: Any) -> None:
  """Adds the command."""
  command = _common.add_command(
    commands,
    "cost",
    _cost,
    "Compile one update of a GPT-like tree of 76 leaves and 24.4 million"
    " parameters, run nothing, and show its memory, its traffic and what it"
    " communicates, beside what Optax has in its place.",
  )
  command.add_argument(
    "method",
    nargs="+",
    metavar="METHOD",
    help=(
      "a name from `optax-stepsize list`, an Optax optimizer such as adamw or"
      " optax.contrib.prodigy, or package.module:factory"
    ),
  )
  command.add_argument(
    "--target",
    type=_common.names,
    metavar="A,B",
    help=(
      f"what to compile for, of {','.join(cost.TARGETS)} (default: those whose"
      " compilers are installed)"
    ),
  )
  command.add_argument(
    "--devices",
    type=_common.integer(1),
    default=8,
    metavar="N",
    help=(
      "over how many devices to shard the parameters to count collectives; 1"
      " for none (default: %(default)s)"
    ),
  )
  command.add_argument(
    "--markdown", action="store_true", help="print Markdown tables"
  )
