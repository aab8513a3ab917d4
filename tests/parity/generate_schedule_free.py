# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trajectories of Schedule-Free AdamW from the package `schedulefree`."""

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


def cases() -> list[dict]:
  """Every option alone and with others."""

  def case(name, schedule=None, zeros=None, **options):
    options = {"learning_rate": 0.1} | options
    result = {"name": name, "options": options}
    if schedule is not None:
      del options["learning_rate"]
      result["schedule"] = schedule
    if zeros is not None:
      result["zero_gradient_steps"] = zeros
    return result

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
  ]


def paper_cases() -> list[dict]:
  """The same in the form of the published experiments."""
  paper = {"paper_bias_correction": True}
  return [case | {"options": case["options"] | paper} for case in cases()]


def run(problem: dict, case: dict) -> dict:
  """Runs schedulefree.AdamWScheduleFree or its paper version."""
  options = case["options"]
  keywords = {
    {"learning_rate": "lr"}.get(key, key): value
    for key, value in options.items()
    if key not in ("b1", "b2", "mask", "paper_bias_correction")
  }
  keywords["betas"] = (options.get("b1", 0.9), options.get("b2", 0.999))
  if options.get("paper_bias_correction"):
    optimizer_class = schedulefree.AdamWScheduleFreePaper
  else:
    optimizer_class = schedulefree.AdamWScheduleFree
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
    for name, cases in (
      ("schedule_free_adamw", cases()),
      ("schedule_free_adamw_paper", paper_cases()),
    )
  }
