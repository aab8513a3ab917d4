# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`python -m optax_stepsize.testing package.module:factory`."""

import argparse
import ast
from collections.abc import Sequence
import importlib
import os
import pathlib
import sys
from typing import Any

# Devices are counted when JAX first computes something, and read from here.
_FLAG = "--xla_force_host_platform_device_count"
if _FLAG not in os.environ.get("XLA_FLAGS", ""):
  os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_FLAG}=8"

# pylint: disable=g-import-not-at-top
from optax_stepsize import catalogue  # noqa: E402
from optax_stepsize import testing  # noqa: E402


def _load(target: str) -> Any:
  """A catalogue name, or `package.module:factory`."""
  if ":" not in target:
    return catalogue.get(target).factory
  module_name, _, attribute = target.partition(":")
  sys.path.insert(0, str(pathlib.Path.cwd()))
  try:
    found = importlib.import_module(module_name)
    for part in attribute.split("."):
      found = getattr(found, part)
  except (ImportError, AttributeError) as error:
    raise ValueError(f"cannot load {target!r}: {error}") from error
  return found


def _assignment(text: str) -> tuple[str, Any]:
  name, equals, value = text.partition("=")
  if not equals:
    raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
  try:
    return name, ast.literal_eval(value)
  except (SyntaxError, ValueError):
    return name, value


def main(argv: Sequence[str] | None = None) -> int:
  """Checks the named factories; 0 if all pass, 1 if not, 2 on bad input."""
  parser = argparse.ArgumentParser(
    prog="python -m optax_stepsize.testing",
    description="Checks transformations against their contract.",
  )
  parser.add_argument(
    "factory",
    nargs="+",
    help="package.module:factory, or a name of the catalogue",
  )
  parser.add_argument(
    "--set",
    metavar="NAME=VALUE",
    type=_assignment,
    action="append",
    default=[],
    help="an argument of the factory; may be repeated",
  )
  parser.add_argument(
    "--needs",
    default="",
    help="comma-separated inputs of update, such as params,value",
  )
  parser.add_argument(
    "--static", default="", help="comma-separated arguments not to be traced"
  )
  parser.add_argument(
    "--only", default="", help="comma-separated properties; by default all"
  )
  args = parser.parse_args(argv)

  def names(text):
    return tuple(name for name in text.split(",") if name)

  passed = True
  for target in args.factory:
    try:
      report = testing.check(
        _load(target),
        dict(args.set),
        needs=names(args.needs),
        static=names(args.static),
        only=names(args.only),
      )
    except ValueError as error:
      print(f"error: {error}", file=sys.stderr)
      return 2
    print(report, flush=True)
    passed = passed and bool(report)
  return 0 if passed else 1


if __name__ == "__main__":
  sys.exit(main())
