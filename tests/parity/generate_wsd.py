# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Records the rates of pytorch_optimizer's warmup-stable-decay schedule."""

from typing import Any

from tests.parity import recording

PEAK = 0.3
# Steps of warm-up, stable rate and decay.
PHASES = {"all": (5, 9, 12), "no_warmup": (0, 4, 7), "no_stable": (3, 0, 10)}


def run(case: dict) -> list[float]:
  """The rates of a case, until four steps after the decay."""
  from pytorch_optimizer.lr_scheduler import wsd
  import torch

  weight = torch.zeros(1, requires_grad=True)
  sgd = torch.optim.SGD([weight], lr=case["peak"])
  scheduler = wsd.get_wsd_schedule(
    sgd,
    *case["phases"],
    min_lr_ratio=case["min_lr_ratio"],
    cooldown_type=case["cooldown_type"],
  )
  rates = []
  for _ in range(sum(case["phases"]) + 4):
    rates.append(sgd.param_groups[0]["lr"])
    sgd.step()
    scheduler.step()
  return rates


def generate() -> dict[str, dict[str, Any]]:
  """File name -> content."""
  cases = []
  for name, phases in PHASES.items():
    for kind in ("cosine", "linear", "1-sqrt", "1-square"):
      for ratio in (0.0, 0.3):
        case = {
          "name": f"{name}_{kind.replace('-', '_')}_{ratio:g}".replace(
            ".", "_"
          ),
          "peak": PEAK,
          "phases": list(phases),
          "cooldown_type": kind,
          "min_lr_ratio": ratio,
        }
        cases.append(case | {"rates": run(case)})
  reference = recording.release("pytorch_optimizer")
  return {"wsd": {"reference": reference, "problem": {}, "cases": cases}}
