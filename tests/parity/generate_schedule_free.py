# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trajectories of Schedule-Free optimizers from the package `schedulefree`."""

from collections.abc import Iterable
import itertools
from typing import Any

import schedulefree

from tests.parity import problem as problems
from tests.parity import recording
from tests.parity import torch_problem

STEPS = problems.STEPS
DECAY = [0.2 * (1 - k / STEPS) for k in range(STEPS)]
CYCLE = [0.02 * (1 + k % 10) for k in range(STEPS)]
# Rates of zero: at the start, in the middle and at the end.
PAUSES = [0.0 if k in (0, 1, 20, 21, 49) else 0.1 for k in range(STEPS)]
MASK = {"matrix": True, "vector": False, "scalar": True}


def case(
  name: str,
  schedule: list[float] | None = None,
  zeros: list[int] | None = None,
  **options: Any,
) -> dict:
  """A case whose rate is 0.1 if it says nothing else."""
  options = {"learning_rate": 0.1} | options
  result = {"name": name, "options": options}
  if schedule is not None:
    del options["learning_rate"]
    result["schedule"] = schedule
  if zeros is not None:
    result["zero_gradient_steps"] = zeros
  return result


def combinations(**choices: Iterable[Any]) -> list[dict]:
  """All combinations of two values of each option, and two schedules."""
  found = []
  for index, values in enumerate(itertools.product(*choices.values())):
    options = dict(zip(choices, values, strict=True))
    for name, schedule in (("constant", None), ("cycle", CYCLE)):
      made = case(f"combined_{index}_{name}", schedule=schedule, **options)
      # The numbers of every step tell the rest.
      made["recorded_steps"] = [10, 50]
      found.append(made)
  return found


def cases() -> list[dict]:
  """Every option alone and with others."""
  return [
    {"name": "defaults", "options": {}},
    case("learning_rate"),
    case("b1_small", b1=0.3),
    case("b1_large", b1=0.98),
    case("b2", b2=0.9),
    case("b2_zero", b2=0.0),
    case("eps", eps=0.1),
    case("weight_decay", weight_decay=0.2),
    case("mask", weight_decay=0.2, mask=MASK),
    case("warmup", warmup_steps=10),
    case("warmup_longer_than_run", warmup_steps=80),
    case("warmup_one", warmup_steps=1),
    case("r_one", r=1.0),
    case("r_fraction", r=0.5, warmup_steps=10),
    case("power_zero", weight_lr_power=0.0, warmup_steps=10),
    case("power_one", weight_lr_power=1.0, warmup_steps=10),
    case("power_and_r", weight_lr_power=0.5, r=2.0, warmup_steps=5),
    case("decaying_rate", schedule=DECAY),
    case("cyclic_rate", schedule=CYCLE, weight_decay=0.1, r=1.0),
    case("cyclic_rate_warmup", schedule=CYCLE, warmup_steps=15, b1=0.6),
    case("rate_zero", schedule=PAUSES, weight_decay=0.1),
    case("rate_zero_power_zero", schedule=PAUSES, weight_lr_power=0.0),
    case("zeros_at_start", zeros=[0, 1, 2]),
    case("zeros_at_start_decay", zeros=[0, 1, 2], weight_decay=0.2),
    case("zeros_in_the_middle", zeros=[10, 11, 30], warmup_steps=20),
    case("zeros_only", zeros=list(range(STEPS))),
    case("zeros_only_decay", zeros=list(range(STEPS)), weight_decay=0.2),
    case(
      "all_options",
      schedule=CYCLE,
      b1=0.7,
      b2=0.95,
      eps=1e-3,
      weight_decay=0.1,
      warmup_steps=7,
      r=1.5,
      weight_lr_power=1.5,
    ),
    *combinations(
      b1=(0.9, 0.6),
      weight_decay=(0.0, 0.2),
      warmup_steps=(0, 8),
      r=(0.0, 1.5),
      weight_lr_power=(2.0, 0.5),
    ),
  ]


def sgd_cases() -> list[dict]:
  """The same of SGD, which has no second moment."""
  # The largest curvature is 20, and steps of SGD grow with it.
  lower = {"learning_rate": 0.02}
  found = []
  for made in cases():
    options = {
      k: v for k, v in made["options"].items() if k not in ("b2", "eps")
    }
    if "schedule" in made:
      made["schedule"] = [rate / 5 for rate in made["schedule"]]
      options.pop("learning_rate", None)
    else:
      options |= lower
    if made["name"] not in ("b2", "b2_zero", "eps"):
      found.append(made | {"options": options})
  return found


def radam_cases() -> list[dict]:
  """The same of RAdam, with and without its silent phase."""
  found = [
    made
    for made in cases()
    if not made["options"].get("warmup_steps") and made["name"] != "b2_zero"
  ]
  found = [
    made
    | {
      "options": {
        key: value
        for key, value in made["options"].items()
        if key != "warmup_steps"
      }
    }
    for made in found
  ]
  loud = [
    made
    | {
      "name": f"{made['name']}_not_silent",
      "options": made["options"] | {"silent_sgd_phase": False},
    }
    for made in found
  ]
  loud += [
    case(
      f"b2_{b2}_not_silent",
      b2=b2,
      silent_sgd_phase=False,
      learning_rate=0.02,
      weight_decay=0.1,
    )
    for b2 in (0.0, 0.5, 0.7)
  ]
  short = [case(f"b2_{b2}", b2=b2) for b2 in (0.7, 0.95, 0.99)]
  never = case("silent_for_ever", b2=0.5, weight_decay=0.2)
  never["differs"] = (
    "With b2 <= 0.6 the length of the average never exceeds four, and a silent"
    " run never moves. We refuse to start it."
  )
  return [*found, *short, *loud, never]


def paper_cases() -> list[dict]:
  """The same in the form of the published experiments."""
  paper = {"paper_bias_correction": True}
  return [case | {"options": case["options"] | paper} for case in cases()]


def run(problem: dict, case: dict) -> dict:
  """Runs the optimizer that the options of the case belong to."""
  options = case["options"]
  if options.get("paper_bias_correction"):
    optimizer_class = schedulefree.AdamWScheduleFreePaper
  else:
    optimizer_class = schedulefree.AdamWScheduleFree
  return _run(optimizer_class, problem, case)


def run_sgd(problem: dict, case: dict) -> dict:
  """Runs schedulefree.SGDScheduleFree."""
  return _run(schedulefree.SGDScheduleFree, problem, case)


def run_radam(problem: dict, case: dict) -> dict:
  """Runs schedulefree.RAdamScheduleFree."""
  return _run(schedulefree.RAdamScheduleFree, problem, case)


def _run(optimizer_class: Any, problem: dict, case: dict) -> dict:
  """Returns the case with its recordings."""
  options = case["options"]
  has_moment = optimizer_class is not schedulefree.SGDScheduleFree
  keywords = {
    {"learning_rate": "lr"}.get(key, key): value
    for key, value in options.items()
    if key not in ("b1", "b2", "mask", "paper_bias_correction")
  }
  if has_moment:
    keywords["betas"] = (options.get("b1", 0.9), options.get("b2", 0.999))
  else:
    keywords["momentum"] = options.get("b1", 0.9)
  params = torch_problem.parameters(problem)
  groups = torch_problem.parameter_groups(params, options)
  optimizer = optimizer_class(groups, **keywords)
  optimizer.train()
  group = optimizer.param_groups[0]
  recorder = recording.Recorder(case)
  for step in range(STEPS):
    torch_problem.set_rate(optimizer, case, step)
    torch_problem.set_gradients(params, problem, case, step)
    optimizer.step()
    y = torch_problem.values(params)
    z = {name: optimizer.state[p]["z"] for name, p in params.items()}
    recorder.tree("params", step, y)
    recorder.tree("z", step, torch_problem.values(z))
    recorder.number("step_size", group["scheduled_lr"])
    recorder.number("max_rate", group["lr_max"])
    recorder.number("weight_sum", group["weight_sum"])
    recorder.number("count", group["k"])
    # Back from eval mode y would be rounded; the copy is not.
    optimizer.eval()
    recorder.tree("x", step, torch_problem.values(params))
    optimizer.train()
    torch_problem.assign(params, y)
  if not has_moment:
    return recorder.result(case)
  nu = {
    name: optimizer.state[p]["exp_avg_sq"].tolist()
    for name, p in params.items()
  }
  return recorder.result(case, final={"nu": nu})


def generate() -> dict[str, dict]:
  """File name -> content."""
  problem = problems.make_problem()
  reference = recording.release("schedulefree")
  return {
    name: recording.record(reference, problem, cases, run)
    for name, cases, run in (
      ("schedule_free_adamw", cases(), run),
      ("schedule_free_adamw_paper", paper_cases(), run),
      ("schedule_free_radam", radam_cases(), run_radam),
      ("schedule_free_sgd", sgd_cases(), run_sgd),
    )
  }
