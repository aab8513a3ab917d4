# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rates of torch's CosineAnnealingWarmRestarts."""

from torch.optim import lr_scheduler

from tests.parity import torch_schedules


def cases() -> list[dict]:
  """Growing and constant periods."""

  def case(name, first, multiplier, steps=130, peak=1.0, end=0.0):
    return {
      "name": name,
      "steps": steps,
      "options": {
        "peak_value": peak,
        "first_cycle_steps": first,
        "multiplier": multiplier,
        "end_value": end,
      },
    }

  return [
    case("doubling", 4, 2),
    case("doubling_long", 8, 2, steps=700),
    case("to_an_end", 4, 2, peak=0.3, end=0.01),
    case("tripling", 5, 3, end=1e-3),
    case("tenfold", 2, 10, steps=300),
    case("from_one_step", 1, 2, end=0.1),
    case("constant", 7, 1),
    case("constant_one_step", 1, 1, steps=10),
    case("one_cycle_is_not_over", 200, 2),
  ]


def _run(case):
  options = case["options"]

  def make(optimizer):
    return lr_scheduler.CosineAnnealingWarmRestarts(
      optimizer,
      T_0=options["first_cycle_steps"],
      T_mult=options["multiplier"],
      eta_min=options["end_value"],
    )

  followed = torch_schedules.follow(make, case["steps"], options["peak_value"])
  return case | {"rates": followed["rates"]}


def generate() -> dict[str, dict]:
  return {"multiplicative_cyclic": torch_schedules.content(map(_run, cases()))}
