# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trajectories of `policy_polyak` and `twin_polyak`, from a transcription.

The authors have published no code. Returns are minus the losses of the problem:
the best return of every update is zero, but for what a case adds.
"""

import numpy as np

from tests.parity import policy_polyak_reference as reference
from tests.parity import problem as problems
from tests.parity import recording

STEPS = problems.STEPS
SHAPES = problems.SHAPES
MASK = {"matrix": True, "vector": False, "scalar": True}
TARGETS = [round(float(np.cos(k)), 3) for k in range(STEPS)]
POOR_TARGETS = [-1e3 if k in (0, 9, 10) else 0.5 for k in range(STEPS)]
ZEROS = [0, 10, 11, 30]
RENAMED = {
  "max_step_size": "gamma_b",
  "weight_decay": "decay",
  "mask": "decays",
  "b1": "beta",
}


def _case(name, zeros=None, targets=None, missing=None, **options):
  extras = {
    "zero_gradient_steps": zeros,
    "target_value": targets,
    "missing_returns": missing,
  }
  case = {"name": name, "options": options}
  return case | {k: v for k, v in extras.items() if v is not None}


def policy_cases() -> list[dict]:
  """Cases of one policy. A missing return is not a number."""
  return [
    _case("defaults"),
    _case("uncapped", max_step_size=None),
    _case("capped_low", max_step_size=0.05),
    _case("c", c=1.0, max_step_size=None),
    _case("c_capped", c=0.3, max_step_size=0.4),
    _case("eps_zero", eps=0.0, c=0.8),
    _case("eps_large", eps=3.0, max_step_size=None),
    _case("targets", targets=TARGETS, max_step_size=None),
    _case("poor_targets", targets=POOR_TARGETS),
    _case("zeros", zeros=ZEROS),
    _case("zeros_eps_zero", zeros=ZEROS, eps=0.0, max_step_size=None),
    _case("missing", missing=[0, 20, 21]),
    _case("decay", weight_decay=0.1),
    _case("decay_uncapped", weight_decay=0.3, max_step_size=None, c=0.7),
    _case("decay_masked", weight_decay=0.3, mask=MASK, targets=TARGETS),
    _case("decay_zeros", weight_decay=0.1, zeros=ZEROS, max_step_size=0.1),
  ]


def twin_cases() -> list[dict]:
  """Cases of twins, without and with averages."""
  return [
    _case(f"{name}_{b1}".replace(".", "") if b1 else name, b1=b1, **options)
    for b1 in (None, 0.5, 0.9)
    for name, options in (
      ("defaults", {}),
      ("uncapped", {"max_step_size": None}),
      ("capped_low", {"max_step_size": 0.05}),
      ("c", {"c": 1.0, "max_step_size": None}),
      ("c_capped", {"c": 0.7, "max_step_size": 0.3}),
      ("eps_zero", {"eps": 0.0, "c": 0.8}),
      ("eps_large", {"eps": 3.0, "max_step_size": None}),
      ("zeros", {"zeros": ZEROS}),
      ("zeros_eps_zero", {"zeros": ZEROS, "eps": 0.0, "max_step_size": None}),
      ("missing", {"missing": [0, 20, 21]}),
    )
  ]


def _evaluate(problem, case, params, step):
  """The return at `params`, and the gradient of its negative."""
  moving = case | {"zero_gradient_steps": ()}
  curvature = problems.leaves_of(problem, "curvature")
  slopes = problems.gradient(problem, moving, params, step)
  loss = sum(np.sum(g**2 / (2 * curvature[n])) for n, g in slopes.items())
  missing = step in case.get("missing_returns", ())
  grads = problems.gradient(problem, case, params, step)
  return (float("nan") if missing else -float(loss)), grads


def _keywords(case):
  return {RENAMED.get(k, k): v for k, v in case["options"].items()}


def run_policy(problem: dict, case: dict) -> dict:
  """The case with its recordings."""
  points, steps = reference.policy_polyak(
    problems.leaves_of(problem, "params"),
    lambda k, x: _evaluate(problem, case, x, k),
    lambda k: case.get("target_value", [0.0] * STEPS)[k],
    STEPS,
    **_keywords(case),
  )
  recorder = recording.Recorder(case)
  for k in range(STEPS):
    recorder.tree("params", k, points[k])
    recorder.number("step_size", steps[k])
  return recorder.result(case)


def _one(tree: dict, twin: int) -> dict:
  """The problem of one twin."""
  return {
    key: {
      name: np.asarray(leaf)[:, twin] if key == "noise" else leaf[twin]
      for name, leaf in leaves.items()
    }
    for key, leaves in tree.items()
  }


def _stacked(twins: list[dict]) -> dict:
  return {name: np.stack([twin[name] for twin in twins]) for name in twins[0]}


def run_twins(problem: dict, case: dict) -> dict:
  """The case with its recordings."""
  each = [_one(problem, twin) for twin in (0, 1)]
  found = reference.twin_polyak(
    [problems.leaves_of(one, "params") for one in each],
    lambda k, i, x: _evaluate(each[i], case, x, k),
    STEPS,
    **_keywords(case),
  )
  recorder = recording.Recorder(case)
  for k in range(STEPS):
    recorder.tree("params", k, _stacked(found["x"][k]))
    recorder.number("step_size", found["gamma"][k])
    recorder.number("updated", found["w"][k])
    if "F" in found:
      recorder.tree("mean_grad", k, _stacked(found["G"][k]))
      for name, letter in (("mean_loss", "F"), ("mean_slope", "Q")):
        first, second = found[letter][k]
        recorder.number(name, {"first": first, "second": second})
  return recorder.result(case)


def generate() -> dict[str, dict]:
  """File name -> content."""
  problem = problems.make_problem(spread=0.5)
  twins = problems.make_problem(
    {name: (2, *shape) for name, shape in SHAPES.items()}, spread=0.5
  )
  source = "policy_polyak_reference.py"

  def record(problem, cases, run):
    content = recording.record(source, problem, cases, run)
    del content["torch"]  # nothing was computed with it
    return content

  return {
    "policy_polyak": record(problem, policy_cases(), run_policy),
    "twin_polyak": record(twins, twin_cases(), run_twins),
  }
