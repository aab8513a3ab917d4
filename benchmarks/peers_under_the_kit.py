# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Writes the table of our methods and their peers under the conformance kit.

python benchmarks/peers_under_the_kit.py --output=docs/peers_under_the_kit.md
"""

import datetime
import importlib.metadata
import inspect
import os
import pathlib

# Read when JAX first counts its devices.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")

# pylint: disable=g-import-not-at-top
from absl import app
from absl import flags
import jax
import optax

from optax_stepsize import catalogue
from optax_stepsize import testing

_OUTPUT = flags.DEFINE_string(
  "output", "docs/peers_under_the_kit.md", "File to write."
)

# Factory -> inputs that its update declares in its documentation.
_PEERS = {
  optax.sgd: (),
  optax.adamw: ("params",),
  optax.polyak_sgd: ("value",),
  optax.contrib.cocob: ("params",),
  optax.contrib.dadapt_adamw: ("params",),
  optax.contrib.dog: ("params",),
  optax.contrib.dowg: ("params",),
  optax.contrib.momo: ("params", "value"),
  optax.contrib.momo_adam: ("params", "value"),
  optax.contrib.prodigy: ("params",),
  optax.contrib.schedule_free_adamw: ("params",),
}

_INTRODUCTION = """\
# Peers under the kit

What `optax_stepsize.testing.check` says of the methods of this library and of
Optax's. Written by `benchmarks/peers_under_the_kit.py` on {date}, with
{versions}, on 8 CPU devices.

*Advice* is a rule of this library that Optax does not promise to keep. What the
properties ask for is said by `optax_stepsize.testing.PROPERTIES`:

{properties}

"""


def _summary(reports: dict[str, testing.Report]) -> str:
  lines = [
    "| method | holds | falls short at | advice | not applicable |",
    "|---|---|---|---|---|",
  ]
  for name, report in reports.items():
    listed = (report.failed, report.advisory, report.not_applicable)
    cells = " | ".join(", ".join(names) for names in listed)
    lines.append(f"| {name} | {len(report.passed)} | {cells} |")
  return "\n".join(lines)


def _reasons(reports: dict[str, testing.Report]) -> str:
  lines = []
  for name, report in reports.items():
    if report.failed:
      lines.append(f"\n### {name}\n")
    for check, reason in report.failed.items():
      sentence = reason.splitlines()[0].split(". ")[0]
      lines.append(f"- **{check}**: `{sentence}`")
  return "\n".join(lines)


def main(argv: list[str]) -> None:
  """Runs the kit on every method and writes the page."""
  del argv
  reports = {}
  for row in catalogue.ROWS.values():
    reports[f"`{row.name}`"] = testing.check(row.factory)
  for factory, needs in _PEERS.items():
    home = "optax.contrib" if "contrib" in factory.__module__ else "optax"
    name = f"`{home}.{factory.__name__}`"
    reports[name] = testing.check(factory, needs=needs)
    print(reports[name], flush=True)
  versions = ", ".join(
    f"{package} {importlib.metadata.version(package)}"
    for package in ("optax_stepsize", "optax", "jax")
  )
  text = _INTRODUCTION.format(
    versions=versions,
    date=datetime.date.today().isoformat(),
    properties="\n".join(
      f"- **{name}**: {inspect.getdoc(holds).splitlines()[0]}"
      for name, holds in testing.PROPERTIES.items()
    ),
  )
  text += f"\n{_summary(reports)}\n\n## Reasons\n{_reasons(reports)}\n"
  pathlib.Path(_OUTPUT.value).write_text(text)
  print(f"wrote {_OUTPUT.value} ({jax.device_count()} devices)")


if __name__ == "__main__":
  app.run(main)
