# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The conformance kit on every row of the catalogue: one device, float32.

Laws, which have no state for the kit to look at, are fitted to the examples of
their rows. For interpreters and releases that the whole test suite is not run
on. It needs the library, Flax and SciPy, and no test package.
"""

import importlib.metadata
import platform
import sys

import jax

from optax_stepsize import catalogue
from optax_stepsize import testing


def main() -> None:
  versions = " ".join(
    f"{name} {importlib.metadata.version(name)}"
    for name in ("jax", "optax", "flax", "chex", "numpy", "scipy", "absl-py")
  )
  print(f"Python {platform.python_version()} {versions}")
  print(f"{jax.device_count()} device, x64 {jax.config.jax_enable_x64}")
  failed = 0
  rows = {n: row for n, row in catalogue.ROWS.items() if row.kind != "tool"}
  for name, row in rows.items():
    report = testing.check(
      row.factory, row.example, needs=row.needs, static=row.static
    )
    print(f"{name}: {'passed' if report else report}", flush=True)
    failed += not report
  laws = {n: row for n, row in catalogue.ROWS.items() if row.family == "laws"}
  for name, row in laws.items():
    row.factory(**row.example)
    print(f"{name}: ran", flush=True)
  # The line that counts the outcome, in the form that test runners use.
  print(f"{len(rows) - failed} passed, {failed} failed")
  if failed or not rows:
    sys.exit(1)


if __name__ == "__main__":
  main()
