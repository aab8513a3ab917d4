# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trajectories of the wrapper of the package `schedulefree`.

Its lean form fails for scalar parameters and with bases that look whether their
state is empty; its reference form works if that state is made beforehand.
"""

import contextlib
import io
import itertools
from typing import Any

import prodigyopt
import schedulefree
from schedulefree import wrap_schedulefree_reference
import torch

from tests.parity import problem as problems
from tests.parity import recording
from tests.parity import torch_problem

STEPS = problems.STEPS
WARMUP = [min(1.0, (k + 1) / 10) for k in range(STEPS)]
CYCLE = [(1 + k % 10) / 10 for k in range(STEPS)]
MASK = {"matrix": True, "vector": False, "scalar": True}
# Rates at which the largest curvature, of 20, is no danger.
RATES = {
  "sgd": 0.02,
  "sgd_decay": 0.02,
  "sgd_momentum": 0.005,
  "rmsprop": 0.05,
  "adam": 0.1,
  "adamw": 0.1,
  "prodigy": 1.0,
}
# Internal sequences of the bases: name with us -> in the torch state.
MOMENTS = {
  "sgd_momentum": {"trace": "momentum_buffer"},
  "rmsprop": {"nu": "square_avg"},
  "adam": {"nu": "exp_avg_sq"},
  "adamw": {"nu": "exp_avg_sq"},
  "prodigy": {"nu": "exp_avg_sq", "mu": "exp_avg", "grad_sum": "s"},
}


def _base(name: str, groups: list[dict]) -> torch.optim.Optimizer:
  rate = RATES[name]
  if name == "prodigy":
    with contextlib.redirect_stdout(io.StringIO()):
      return prodigyopt.Prodigy(groups, lr=rate, d0=0.01)
  made = {
    "sgd": lambda: torch.optim.SGD(groups, lr=rate),
    "sgd_decay": lambda: torch.optim.SGD(groups, lr=rate, weight_decay=0.1),
    "sgd_momentum": lambda: torch.optim.SGD(groups, lr=rate, momentum=0.5),
    "rmsprop": lambda: torch.optim.RMSprop(groups, lr=rate),
    "adam": lambda: torch.optim.Adam(groups, lr=rate, betas=(0.0, 0.9)),
    "adamw": lambda: torch.optim.AdamW(
      groups, lr=rate, betas=(0.0, 0.99), weight_decay=0.3
    ),
  }
  return made[name]()


def cases() -> list[dict]:
  """Every base with every option, alone and all combined."""

  def case(name, base, schedule=None, zeros=None, **options):
    result = {"name": f"{base}_{name}", "options": {"base": base, **options}}
    if schedule is None:
      result["options"]["learning_rate"] = RATES[base]
    else:
      result["schedule"] = [RATES[base] * factor for factor in schedule]
    if zeros is not None:
      result["zero_gradient_steps"] = zeros
    return result

  found = []
  for base in RATES:
    found += [
      case("defaults", base),
      case("b1", base, b1=0.6),
      case("decay", base, weight_decay=0.2),
      case("r", base, r=1.5),
      case("power", base, weight_lr_power=0.5, schedule=CYCLE),
      case("warmup", base, schedule=WARMUP),
      case("zeros", base, weight_decay=0.1, zeros=[0, 1, 20]),
    ]
    for decay, r, power in itertools.product(
      (0.0, 0.1), (0.0, 1.0), (0.0, 2.0)
    ):
      options = {"weight_decay": decay, "r": r, "weight_lr_power": power}
      name = f"combined_{decay}_{r}_{power}"
      made = case(name, base, schedule=CYCLE, b1=0.8, **options)
      found.append(made | {"recorded_steps": [10, 50]})
  found.append(case("mask", "sgd", weight_decay=0.2, mask=MASK))
  for made in found:
    options = made["options"]
    if options["base"] == "prodigy" and options.get("weight_decay"):
      made["differs"] = (
        "The base of the reference first sees z after its first decay, and"
        " takes that for the start. Ours knows the start."
      )
  return found


def official_cases() -> list[dict]:
  """Those that the lean form survives: the bases that look for their fields."""
  return [
    made
    for made in cases()
    if made["options"]["base"] in ("sgd", "sgd_decay", "sgd_momentum")
    and "mask" not in made["options"]
  ]


def _prepare(base: torch.optim.Optimizer, name: str) -> None:
  """The empty state of a base, which it would not make beside other fields."""
  for group in base.param_groups:
    for p in group["params"]:
      for field in MOMENTS.get(name, {}).values():
        if name in ("rmsprop", "adam", "adamw"):
          base.state[p]["step"] = torch.zeros(())
          base.state[p][field] = torch.zeros_like(p)
          if name != "rmsprop":
            base.state[p]["exp_avg"] = torch.zeros_like(p)


def _run(problem: dict, case: dict, official: bool) -> dict:
  options = case["options"]
  name = options["base"]
  params = torch_problem.parameters(problem)
  base = _base(name, torch_problem.parameter_groups(params, options))
  keywords: dict[str, Any] = {
    "momentum": options.get("b1", 0.9),
    "weight_decay_at_y": options.get("weight_decay", 0.0),
    "r": options.get("r", 0.0),
    "weight_lr_power": options.get("weight_lr_power", 2.0),
  }
  if official:
    optimizer = schedulefree.ScheduleFreeWrapper(base, **keywords)
  else:
    _prepare(base, name)
    optimizer = wrap_schedulefree_reference.ScheduleFreeWrapperReference(
      base, **keywords
    )
    for group in base.param_groups[1:]:
      group["weight_decay_at_y"] = 0.0
  optimizer.train()
  group = base.param_groups[0]
  recorder = recording.Recorder(case)
  for step in range(STEPS):
    torch_problem.set_rate(base, case, step)
    torch_problem.set_gradients(params, problem, case, step)
    optimizer.step()
    y = torch_problem.values(params)
    z = {leaf: base.state[p]["z"] for leaf, p in params.items()}
    recorder.tree("params", step, y)
    recorder.tree("z", step, torch_problem.values(z))
    recorder.number("step_size", group["lr"] * group.get("d", 1.0))
    recorder.number("max_rate", group["lr_max"])
    if name == "prodigy":
      # Which counts in the same field, so that k grows by two: the weights are
      # larger by a factor that their quotient is free of.
      recorder.number("weight_sum", group["weight_sum"] / 2**optimizer.r)
      recorder.number("distance", group["d"])
    else:
      recorder.number("weight_sum", group["weight_sum"])
      recorder.number("count", group["k"])
    # Back from eval mode y would be rounded; the copy is not.
    optimizer.eval()
    recorder.tree("x", step, torch_problem.values(params))
    optimizer.train()
    torch_problem.assign(params, y)
  final = {
    ours: {
      leaf: base.state[p][theirs].reshape(p.shape).tolist()
      for leaf, p in params.items()
    }
    for ours, theirs in MOMENTS.get(name, {}).items()
  }
  return recorder.result(case, final=final)


def run(problem: dict, case: dict) -> dict:
  """Runs the reference form of the wrapper."""
  return _run(problem, case, official=False)


def run_official(problem: dict, case: dict) -> dict:
  """Runs schedulefree.ScheduleFreeWrapper."""
  return _run(problem, case, official=True)


def generate() -> dict[str, dict]:
  """File name -> content."""
  reference = recording.release("schedulefree")
  shapes = {k: v for k, v in problems.SHAPES.items() if v}
  return {
    "schedule_free_wrapper": recording.record(
      reference, problems.make_problem(), cases(), run
    ),
    "schedule_free_wrapper_lean": recording.record(
      reference, problems.make_problem(shapes), official_cases(), run_official
    ),
  }
