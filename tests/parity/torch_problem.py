# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The problem of `problem.py` as torch optimizers see it."""

from typing import Any

import numpy as np
import torch

from tests.parity import problem as problems


def parameters(problem: dict) -> dict[str, torch.nn.Parameter]:
  """The initial parameters, as float64 torch parameters."""
  return {
    name: torch.nn.Parameter(torch.tensor(leaf))
    for name, leaf in problems.leaves_of(problem, "params").items()
  }


def values(tensors: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
  """Copies of tensors, in NumPy."""
  return {k: np.array(t.detach().numpy()) for k, t in tensors.items()}


def assign(
  params: dict[str, torch.nn.Parameter], leaves: dict[str, np.ndarray]
) -> None:
  """Sets the values of parameters."""
  with torch.no_grad():
    for name, p in params.items():
      p.copy_(torch.tensor(leaves[name]))


def set_gradients(
  params: dict[str, torch.nn.Parameter], problem: dict, case: dict, step: int
) -> None:
  """Puts the gradient of update `step` where optimizers look for it."""
  grads = problems.gradient(problem, case, values(params), step)
  for name, p in params.items():
    p.grad = torch.tensor(grads[name])


def parameter_groups(
  params: dict[str, torch.nn.Parameter], options: dict
) -> list[dict[str, Any]]:
  """One group; with a mask a second one, which is not decayed."""
  mask = options.get("mask", dict.fromkeys(params, True))
  decayed = [p for name, p in params.items() if mask[name]]
  others = [p for name, p in params.items() if not mask[name]]
  groups = [{"params": decayed}]
  return groups + [{"params": others, "weight_decay": 0.0}] * bool(others)


def set_rate(optimizer: torch.optim.Optimizer, case: dict, step: int) -> None:
  """Sets the learning rate of update `step`, if the case has a schedule."""
  if "schedule" in case:
    for group in optimizer.param_groups:
      group["lr"] = case["schedule"][step]
