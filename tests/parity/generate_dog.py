# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trajectories of DoG, L-DoG and the averager from `dog-optimizer`."""

import logging

import dog
import torch

from tests.parity import problem as problems
from tests.parity import recording
from tests.parity import torch_problem

STEPS = problems.STEPS
WARMUP = [min(1.0, (k + 1) / 10) for k in range(STEPS)]
DECAY = [1 - k / STEPS for k in range(STEPS)]
MASK = {"matrix": True, "vector": False, "scalar": True}
STUCK = (
  "After a zero first gradient the reference has used up init_eta without"
  " moving, and its step size stays zero."
)


def _case(name, schedule=None, zeros=None, **options):
  result = {"name": name, "options": options}
  if schedule is not None:
    result["schedule"] = schedule
  if zeros is not None:
    result["zero_gradient_steps"] = zeros
  return result


def _shared_cases():
  decay = {"reps_rel": 1e-2, "weight_decay": 0.2}
  stuck = _case("init_eta_zeros_at_start", zeros=[0, 1], init_eta=0.05)
  return [
    _case("defaults"),
    _case("reps_rel_small", reps_rel=1e-3),
    _case("reps_rel_large", reps_rel=0.1),
    _case("eps", reps_rel=1e-2, eps=10.0),
    _case("learning_rate", reps_rel=1e-2, learning_rate=0.5),
    _case("warmup", schedule=WARMUP, reps_rel=1e-2),
    _case("decaying_rate", schedule=DECAY, reps_rel=1e-2),
    _case("init_eta", init_eta=0.05),
    _case("init_eta_learning_rate", init_eta=0.05, learning_rate=0.5),
    _case("init_eta_warmup", schedule=WARMUP, init_eta=0.01, eps=0.1),
    _case("init_eta_decay", init_eta=0.05, weight_decay=0.2),
    _case("weight_decay", **decay),
    _case("weight_decay_schedule", DECAY, eps=1.0, **decay),
    _case("zeros_at_start", zeros=[0, 1, 2], reps_rel=1e-2),
    _case("zeros_at_start_decay", zeros=[0, 1, 2], **decay),
    _case("zeros_in_the_middle", zeros=[10, 11, 30], reps_rel=1e-2),
    _case("zeros_only", zeros=list(range(STEPS))),
    _case("zeros_only_decay", zeros=list(range(STEPS)), **decay),
    stuck | {"differs": STUCK},
  ]


def dog_cases() -> list[dict]:
  """Every option alone, and combinations that share a formula."""
  return _shared_cases()


def ldog_cases() -> list[dict]:
  """Those of DoG, and masks: a group of parameters is a block anyway."""
  mask = {"mask": MASK, "weight_decay": 0.2}
  return [
    *_shared_cases(),
    _case("mask", reps_rel=1e-2, **mask),
    _case("mask_init_eta", schedule=WARMUP, init_eta=0.05, **mask),
  ]


def averaging_cases() -> list[dict]:
  """The options are those of DoG, and the averager's gamma."""
  return [
    _case("uniform", gamma=0.0, reps_rel=1e-2),
    _case("linear", gamma=1.0, reps_rel=1e-2),
    _case("defaults", reps_rel=1e-2),
    _case("fraction", gamma=2.5, reps_rel=1e-2, weight_decay=0.1),
    _case("zeros", zeros=[0, 1, 20], reps_rel=0.1, weight_decay=1.0),
  ]


def _optimizer(optimizer_class, params, options):
  keywords = {
    {"learning_rate": "lr"}.get(key, key): value
    for key, value in options.items()
    if key not in ("mask", "gamma")
  }
  logging.getLogger("dog").setLevel(logging.ERROR)
  groups = torch_problem.parameter_groups(params, options)
  return optimizer_class(groups, **keywords)


def run_dog(problem: dict, case: dict) -> dict:
  """Runs dog.DoG; returns the case with its recordings."""
  params = torch_problem.parameters(problem)
  optimizer = _optimizer(dog.DoG, params, case["options"])
  (group,) = optimizer.param_groups
  recorder = recording.Recorder(case)
  for step in range(STEPS):
    torch_problem.set_rate(optimizer, case, step)
    torch_problem.set_gradients(params, problem, case, step)
    optimizer.step()
    recorder.tree("params", step, torch_problem.values(params))
    recorder.number("step_size", group["eta"][0])
    recorder.number("max_distance", group["rbar"])
    recorder.number("grad_sq_sum", group["G"])
  return recorder.result(case)


def run_ldog(problem: dict, case: dict) -> dict:
  """Runs dog.LDoG; returns the case with its recordings."""
  params = torch_problem.parameters(problem)
  optimizer = _optimizer(dog.LDoG, params, case["options"])
  names = {id(p): name for name, p in params.items()}
  recorder = recording.Recorder(case)
  for step in range(STEPS):
    torch_problem.set_rate(optimizer, case, step)
    torch_problem.set_gradients(params, problem, case, step)
    optimizer.step()
    recorder.tree("params", step, torch_problem.values(params))
    for name, key in (
      ("step_size", "eta"),
      ("max_distance", "rbar"),
      ("grad_sq_sum", "G"),
    ):
      blocks = {
        names[id(p)]: value
        for group in optimizer.param_groups
        for p, value in zip(group["params"], group[key], strict=True)
      }
      recorder.number(name, blocks)
  return recorder.result(case)


def run_averaging(problem: dict, case: dict) -> dict:
  """Runs dog.DoG with dog.PolynomialDecayAverager."""
  params = torch_problem.parameters(problem)
  model = torch.nn.ParameterDict(params)
  params = dict(model.items())
  optimizer = _optimizer(dog.DoG, params, case["options"])
  keywords = {k: v for k, v in case["options"].items() if k == "gamma"}
  averager = dog.PolynomialDecayAverager(model, **keywords)
  recorder = recording.Recorder(case)
  for step in range(STEPS):
    torch_problem.set_gradients(params, problem, case, step)
    optimizer.step()
    averager.step()
    average = dict(averager.averaged_model.items())
    recorder.tree("params", step, torch_problem.values(params))
    recorder.tree("average", step, torch_problem.values(average))
  return recorder.result(case)


def generate() -> dict[str, dict]:
  """File name -> content."""
  problem = problems.make_problem()
  reference = recording.release("dog-optimizer")
  runs = {
    "dog": (dog_cases, run_dog),
    "ldog": (ldog_cases, run_ldog),
    "polynomial_decay_averaging": (averaging_cases, run_averaging),
  }
  return {
    name: recording.record(reference, problem, cases(), run)
    for name, (cases, run) in runs.items()
  }
