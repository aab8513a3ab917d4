# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trajectories of MoMo and MoMo-Adam, from the authors' package momo-opt."""

import functools

import torch

from tests.parity import flat_problem
from tests.parity import problem as problems
from tests.parity import recording
from tests.parity import torch_problem

STEPS = problems.STEPS
RATES = [round(0.05 + 0.95 * (k + 1) / STEPS, 3) for k in range(STEPS)]
RENAMED = {
  "learning_rate": "lr",
  "b1": "beta",
  "f_min": "lb",
  "adapt_lower_bound": "use_fstar",
  "proximal_decay": "divide",
}


def cases(adam: bool) -> list[dict]:
  """All options of the authors' code, and what they combine to."""

  def case(name, schedule=None, zeros=None, **options):
    result = {"name": name, "options": options}
    extras = {"schedule": schedule, "zero_gradient_steps": zeros}
    return result | {k: v for k, v in extras.items() if v is not None}

  slow = 0.05 if adam else 0.2
  found = [
    case("defaults"),
    case("slow", learning_rate=slow),
    case("fast", learning_rate=3.0),
    case("b1", b1=0.5, learning_rate=slow),
    case("b1_zero", b1=0.0),
    case("f_min", f_min=0.5, learning_rate=1.0),
    case("f_min_negative", f_min=-2.0, learning_rate=slow),
    case("schedule", schedule=RATES),
    case("schedule_decay", schedule=RATES, weight_decay=0.1),
    case("decay", weight_decay=0.1, learning_rate=slow),
    case("decay_fast", weight_decay=0.3, learning_rate=1.0),
    case("zeros", zeros=[10, 11, 30], learning_rate=slow),
    case("adapt", adapt_lower_bound=True, f_min=-1.0, learning_rate=1.0),
    case("adapt_slow", adapt_lower_bound=True, learning_rate=slow),
    case(
      "adapt_decay",
      adapt_lower_bound=True,
      f_min=-3.0,
      weight_decay=0.2,
      learning_rate=1.0,
    ),
  ]
  if adam:
    found += [
      case("b2_eps", b2=0.9, eps=1e-3),
      case("plain_decay", proximal_decay=False, weight_decay=0.1),
      case(
        "plain_decay_adapt",
        proximal_decay=False,
        weight_decay=0.1,
        adapt_lower_bound=True,
        learning_rate=1.0,
      ),
    ]
  else:
    more = [
      ("corrected", {}),
      ("corrected_slow", {"learning_rate": slow}),
      ("corrected_decay", {"weight_decay": 0.2}),
      ("corrected_adapt", {"adapt_lower_bound": True, "f_min": -1.0}),
    ]
    found += [case(n, bias_correction=True, **o) for n, o in more]
  return found


def _optimizer(params, options, adam):
  import momo

  options = dict(options)
  if adam:
    options["betas"] = (options.pop("b1", 0.9), options.pop("b2", 0.999))
  keywords = {RENAMED.get(k, k): v for k, v in options.items()}
  return (momo.MomoAdam if adam else momo.Momo)(params.values(), **keywords)


def run(problem: dict, case: dict, adam: bool) -> dict:
  """Runs the authors' class; returns the case with its recordings."""
  params = torch_problem.parameters(problem)
  optimizer = _optimizer(params, case["options"], adam)
  recorder = recording.Recorder(case)
  # Their scalars have the default dtype.
  torch.set_default_dtype(torch.float64)
  try:
    for step in range(STEPS):
      torch_problem.set_rate(optimizer, case, step)
      zeros = tuple(case.get("zero_gradient_steps", ()))
      point = flat_problem.flat(torch_problem.values(params))
      value, _ = flat_problem.batch(zeros)(step, point)
      torch_problem.set_gradients(params, problem, case, step)
      optimizer.step(loss=torch.tensor(value))
      recorder.tree("params", step, torch_problem.values(params))
      states = {name: optimizer.state[p] for name, p in params.items()}
      moments = {"mu": "grad_avg"} | ({"nu": "grad_avg_sq"} if adam else {})
      for ours, theirs in moments.items():
        recorder.tree(
          ours,
          step,
          torch_problem.values({n: s[theirs] for n, s in states.items()}),
        )
      recorder.number("value_avg", optimizer.loss_avg)
      products = [float(s["grad_dot_w"]) for s in states.values()]
      recorder.number("product_avg", sum(products))
      recorder.number("lower_bound", optimizer.lb)
  finally:
    torch.set_default_dtype(torch.float32)
  return recorder.result(case)


def generate() -> dict[str, dict]:
  """File name -> content."""
  reference = recording.release("momo-opt")
  return {
    name: recording.record(
      reference,
      flat_problem.PROBLEM,
      cases(adam),
      functools.partial(run, adam=adam),
    )
    for name, adam in (("momo", False), ("momo_adam", True))
  }
