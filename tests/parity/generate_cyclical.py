# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rates and momenta of torch's CyclicLR."""

from torch.optim import lr_scheduler

from tests.parity import schedule_problem
from tests.parity import torch_schedules

# torch's names for ours.
_NAMES = {
  "base_value": "base_lr",
  "max_value": "max_lr",
  "scale_fn": "scale_fn",
}


def cases() -> list[dict]:
  """All modes, symmetric or not, with momentum; both kinds of scale."""

  def case(name, steps=60, **options):
    bounds = {"base_value": 0.001, "max_value": 0.006, "step_size_up": 4}
    return {"name": name, "steps": steps, "options": bounds | options}

  momenta = {"base_momentum": 0.6, "max_momentum": 0.97}
  uneven = {"step_size_up": 3, "step_size_down": 7}
  exponential = {"mode": "exp_range", "gamma": 0.97}
  return [
    case("defaults"),
    case("triangular2", mode="triangular2"),
    case("exp_range", **exponential),
    case("uneven", **uneven, **momenta),
    case("uneven_triangular2", mode="triangular2", **uneven, **momenta),
    case("uneven_exp_range", **exponential, **uneven, **momenta),
    case("short_rise", step_size_up=1, step_size_down=9),
    case("short_fall", step_size_up=9, step_size_down=1),
    case("shortest", step_size_up=1, mode="triangular2"),
    case("base_zero", base_value=0.0, max_value=1.0, **uneven),
    case("one_value", base_value=0.3, max_value=0.3),
    case("long", steps=300, step_size_up=37, step_size_down=14),
    case("long_exp", steps=300, step_size_up=37, mode="exp_range", gamma=0.99),
    case("scale_cycle", scale_fn="halves", **uneven, **momenta),
    case("scale_hyperbola", scale_fn="hyperbola", **uneven),
    case("scale_iterations", scale_fn="five", scale_mode="iterations"),
    case(
      "scale_overrides_mode",
      scale_fn="hyperbola",
      scale_mode="iterations",
      **exponential,
    ),
  ]


def _scheduler(options):
  options = {_NAMES.get(k, k): v for k, v in options.items()}
  if "scale_fn" in options:
    options["scale_fn"] = schedule_problem.SCALES[options["scale_fn"]]
  return lambda optimizer: lr_scheduler.CyclicLR(optimizer, **options)


def _run(case):
  make = _scheduler(case["options"])
  points = torch_schedules.descend(make, case["steps"])
  followed = torch_schedules.follow(make, case["steps"])
  return case | followed | {"last_point": points[-1]}


def generate() -> dict[str, dict]:
  return {"cyclical": torch_schedules.content(map(_run, cases()))}
