# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Recording parity trajectories: numbers in, JSON out."""

from collections.abc import Callable, Iterable
import importlib.metadata
import json
import pathlib
from typing import Any

import numpy as np

from tests.parity import problem as problems


def release(package: str) -> str:
  """Name and installed version of a package."""
  return f"{package} {importlib.metadata.version(package)}"


class Recorder:
  """Collects what a case records.

  Attributes:
    steps: Numbers of updates (1, 2, ...) after which trees are recorded.
  """

  def __init__(self, case: dict):
    self.steps = case.get("recorded_steps", problems.RECORDED_STEPS)
    self._trees: dict = {}
    self._sequences: dict = {}

  def tree(self, name: str, step: int, tree: dict[str, np.ndarray]) -> None:
    """Records a tree after update `step` + 1, if that is to be recorded."""
    if step + 1 in self.steps:
      for leaf, value in tree.items():
        column = self._trees.setdefault(name, {}).setdefault(leaf, [])
        column.append(np.asarray(value).tolist())

  def number(self, name: str, value: Any) -> None:
    """Appends a number, or a number per leaf, to a sequence."""
    if isinstance(value, dict):
      for leaf, number in value.items():
        column = self._sequences.setdefault(name, {}).setdefault(leaf, [])
        column.append(float(number))
    else:
      self._sequences.setdefault(name, []).append(float(value))

  def result(self, case: dict, **more: Any) -> dict:
    """The case with its recordings."""
    recordings = {"trees": self._trees, "sequences": self._sequences}
    return case | recordings | more


def record(
  reference: str,
  problem: dict,
  cases: Iterable[dict],
  run: Callable[[dict, dict], dict],
) -> dict:
  """Runs all cases; returns the content of the JSON file."""
  return {
    "reference": reference,
    "torch": importlib.metadata.version("torch").split("+")[0],
    "recorded_steps": problems.RECORDED_STEPS,
    "problem": problem,
    "cases": [run(problem, case) for case in cases],
  }


def write(path: pathlib.Path, content: dict) -> None:
  """Writes JSON with one case a line; floats survive the round trip."""
  dump = lambda value: json.dumps(value, separators=(",", ":"))  # noqa: E731
  head = [f"{dump(k)}:{dump(v)}" for k, v in content.items() if k != "cases"]
  cases = ",\n".join(map(dump, content["cases"]))
  path.write_text("{" + ",\n".join(head) + ',\n"cases":[\n' + cases + "\n]}\n")
