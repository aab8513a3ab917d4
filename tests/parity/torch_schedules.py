# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What torch's schedulers do to the rate and momentum of an optimizer."""

from collections.abc import Callable, Iterable
import importlib.metadata
from typing import Any

import torch
from torch.optim import lr_scheduler

from tests.parity import schedule_problem

Make = Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]


def follow(make: Make, steps: int, rate: float = 1.0) -> dict[str, list[float]]:
  """Rate and momentum of each update, in float64.

  Args:
    make: From the optimizer to its scheduler.
    steps: Number of updates.
    rate: Rate that the optimizer is made with.
  """
  parameter = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))
  optimizer = torch.optim.SGD([parameter], lr=rate, momentum=0.5)
  scheduler = make(optimizer)
  group = optimizer.param_groups[0]
  rates, momenta = [], []
  for step in range(steps):
    if step:
      optimizer.step()
      scheduler.step()
    rates.append(float(group["lr"]))
    momenta.append(float(group["momentum"]))
  return {"rates": rates, "momenta": momenta}


def descend(make: Make, steps: int) -> list[list[float]]:
  """Points of SGD with momentum on a quadratic with its minimum at one."""
  start, curvatures = (
    torch.tensor(x, dtype=torch.float64)
    for x in (schedule_problem.START, schedule_problem.CURVATURE)
  )
  parameter = torch.nn.Parameter(start)
  optimizer = torch.optim.SGD([parameter], lr=1.0, momentum=0.5)
  scheduler = make(optimizer)
  points = []
  for step in range(steps):
    if step:
      scheduler.step()
    parameter.grad = curvatures * (parameter.detach() - 1)
    optimizer.step()
    points.append(parameter.detach().tolist())
  return points


def content(cases: Iterable[dict[str, Any]]) -> dict[str, Any]:
  """The content of a JSON file."""
  version = importlib.metadata.version("torch").split("+")[0]
  return {
    "reference": f"torch {version}",
    "torch": version,
    "problem": {},
    "cases": list(cases),
  }
