# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs what the table for PyTorch in `docs/migration.md` says."""

import contextlib
import importlib.util
import io
import logging
from typing import Any
import unittest

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

import optax_stepsize
from tests.parity import migration_rows

ROWS = migration_rows.rows("PyTorch")
PACKAGES = ("torch", "prodigyopt", "dog", "dadaptation", "schedulefree")


def optimizers() -> dict[str, Any]:
  """The names of the table."""
  import dadaptation
  import dog
  import prodigyopt
  import schedulefree

  logging.getLogger("dog").setLevel(logging.ERROR)
  return {
    name: getattr(package, name)
    for package in (prodigyopt, dog, dadaptation, schedulefree)
    for name in dir(package)
    if isinstance(getattr(package, name), type)
  }


def train(expression: str) -> dict[str, np.ndarray]:
  """Parameters after the last step of a torch optimizer."""
  import torch

  params = {
    name: torch.nn.Parameter(torch.tensor(leaf))
    for name, leaf in migration_rows.START.items()
  }
  names = optimizers() | {"params": list(params.values())}
  with contextlib.redirect_stdout(io.StringIO()):
    optimizer = eval(expression, names)
  if hasattr(optimizer, "train"):
    optimizer.train()
  for step in range(migration_rows.STEPS):
    point = {k: p.detach().numpy() for k, p in params.items()}
    noise = {k: leaf[step] for k, leaf in migration_rows.NOISE.items()}
    grads = migration_rows.gradient(point, noise)
    for name, p in params.items():
      p.grad = torch.tensor(grads[name])
    optimizer.step()
  return {k: np.array(p.detach().numpy()) for k, p in params.items()}


@unittest.skipIf(
  any(importlib.util.find_spec(package) is None for package in PACKAGES),
  "The references need the parity extra.",
)
class PyTorchTest(parameterized.TestCase):
  @parameterized.parameters(*ROWS)
  def test_row(self, theirs, ours, note):
    self.assertEqual(note, "same")
    name = ours.removeprefix("ours.").partition("(")[0]
    self.assertTrue(hasattr(optax_stepsize, name), name)
    wanted = train(theirs)
    points, _ = migration_rows.train(migration_rows.made(ours))
    found = {name: leaf[-1] for name, leaf in points.items()}
    moved = migration_rows.deviation(wanted, migration_rows.START)
    self.assertGreater(moved, 1e-3)
    self.assertLess(
      migration_rows.deviation(found, wanted), migration_rows.TOLERANCE
    )

  def test_every_optimizer_has_a_row(self):
    rows = {theirs.split("(")[0] for theirs, _, _ in ROWS}
    self.assertEqual(
      rows,
      {
        "Prodigy", "DoG", "LDoG", "DAdaptSGD", "DAdaptAdaGrad", "DAdaptAdam",
        "DAdaptAdan", "DAdaptLion", "AdamWScheduleFree", "SGDScheduleFree",
        "RAdamScheduleFree",
      },
    )  # fmt: skip


if __name__ == "__main__":
  absltest.main()
