# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trajectories of Lookahead from the package `pytorch_optimizer`.

Its release 4.1.0 copies the slow momentum, as it should.
"""

import itertools

import pytorch_optimizer
import torch

from tests.parity import problem as problems
from tests.parity import recording
from tests.parity import torch_problem

STEPS = problems.STEPS
INNERS = ("sgd", "sgd_momentum", "adam")


def _inner(
  name: str, params: list[torch.nn.Parameter]
) -> torch.optim.Optimizer:
  made = {
    "sgd": lambda: torch.optim.SGD(params, lr=0.03),
    "sgd_momentum": lambda: torch.optim.SGD(params, lr=0.01, momentum=0.9),
    "adam": lambda: torch.optim.Adam(params, lr=0.1),
  }
  return made[name]()


def cases() -> list[dict]:
  """Every treatment of momentum with every period and slow step size."""
  found = []
  for inner, period, alpha in itertools.product(
    INNERS, (1, 3, 5), (0.0, 0.5, 0.8)
  ):
    # Only the momentum of SGD is known to the reference.
    momenta = ("none", "reset", "pullback")
    for momentum in momenta if inner == "sgd_momentum" else momenta[:1]:
      options = {
        "inner": inner,
        "sync_period": period,
        "slow_step_size": alpha,
        "momentum": momentum,
      }
      name = f"{inner}_{period}_{alpha}_{momentum}"
      found.append({"name": name, "options": options})
  options = {"inner": "sgd_momentum", "momentum": "pullback"}
  still = {"name": "zeros", "options": options}
  found.append(still | {"zero_gradient_steps": [0, 1, 14, 15, 16]})
  for momentum in ("reset", "pullback"):
    options = {"inner": "adam", "momentum": momentum}
    found.append(
      {
        "name": f"adam_{momentum}",
        "options": options,
        "differs": (
          "The reference knows the momentum of SGD only: that of Adam stays as"
          " it is, silently. We treat it like any other."
        ),
      }
    )
  return found


def run(problem: dict, case: dict) -> dict:
  """Runs pytorch_optimizer.Lookahead; returns the case with its recordings."""
  options = case["options"]
  params = torch_problem.parameters(problem)
  inner = _inner(options["inner"], list(params.values()))
  optimizer = pytorch_optimizer.Lookahead(
    inner,
    k=options.get("sync_period", 5),
    alpha=options.get("slow_step_size", 0.5),
    pullback_momentum=options.get("momentum", "none"),
  )
  fields = {"sgd_momentum": "momentum_buffer", "adam": "exp_avg"}
  field = fields.get(options["inner"])
  recorder = recording.Recorder(case)
  for step in range(STEPS):
    torch_problem.set_gradients(params, problem, case, step)
    optimizer.step()
    recorder.tree("params", step, torch_problem.values(params))
    states = {name: optimizer.state[p] for name, p in params.items()}
    slow = {name: state["slow_params"] for name, state in states.items()}
    recorder.tree("slow", step, torch_problem.values(slow))
    recorder.number("count", optimizer.param_groups[0]["counter"])
    if options.get("momentum") == "pullback" and "differs" not in case:
      pulled = {name: state["slow_momentum"] for name, state in states.items()}
      recorder.tree("slow_momentum", step, torch_problem.values(pulled))
    if field:
      moment = {name: inner.state[p][field] for name, p in params.items()}
      recorder.tree("moment", step, torch_problem.values(moment))
  return recorder.result(case)


def generate() -> dict[str, dict]:
  """File name -> content."""
  problem = problems.make_problem()
  reference = recording.release("pytorch_optimizer")
  return {"lookahead": recording.record(reference, problem, cases(), run)}
