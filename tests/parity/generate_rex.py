# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rates of pytorch_optimizer's REXScheduler: formula, and what torch does."""

import pytorch_optimizer
import torch

from tests.parity import recording
from tests.parity import torch_schedules

_NAMES = {"peak_value": "max_lr", "end_value": "min_lr"}


def cases() -> list[dict]:
  """Short and long budgets, with and without a floor."""

  def case(name, total_steps, differs=None, **options):
    options = {"peak_value": 1.0, "total_steps": total_steps} | options
    result = {"name": name, "steps": total_steps + 3, "options": options}
    return result | ({} if differs is None else {"differs": differs})

  floor = {"peak_value": 0.3, "end_value": 0.02}
  first = "The first update of the reference has the last rate, not the peak."
  return [
    case("one_step", 1),
    case("eight_steps", 8),
    case("floor", 30, **floor),
    case("long", 700, peak_value=1e-3),
    case("driven", 8, differs=first),
    case("driven_with_floor", 30, differs=first, **floor),
  ]


def _run(case):
  options = {_NAMES.get(k, k): v for k, v in case["options"].items()}

  def make(optimizer):
    return pytorch_optimizer.REXScheduler(optimizer, **options)

  if "differs" in case:
    return case | torch_schedules.follow(make, case["steps"])
  # The formula by itself, at each step.
  parameter = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))
  scheduler = make(torch.optim.SGD([parameter], lr=1.0))
  rates = []
  for step in range(case["steps"]):
    scheduler.step_t = step
    rates.append(scheduler.get_linear_lr())
  return case | {"rates": rates}


def generate() -> dict[str, dict]:
  content = torch_schedules.content(map(_run, cases()))
  return {
    "rex": content | {"reference": recording.release("pytorch_optimizer")}
  }
