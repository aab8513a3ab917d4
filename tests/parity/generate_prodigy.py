# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trajectories of Prodigy from the authors' package `prodigyopt`."""

import contextlib
import io
import itertools

import prodigyopt

from tests.parity import problem as problems
from tests.parity import recording
from tests.parity import torch_problem

STEPS = problems.STEPS
CONSTANT = [1.0] * STEPS
WARMUP = [min(1.0, (k + 1) / 10) for k in range(STEPS)]
DECAY = [1 - k / STEPS for k in range(STEPS)]
RESTART = [1 - k % 25 / 25 for k in range(STEPS)]
# Rates of zero: at the start, in the middle and at the end.
PAUSES = [0.0 if k in (0, 1, 20, 21, 49) else 1.0 for k in range(STEPS)]
MASK = {"matrix": True, "vector": False, "scalar": True}


def cases() -> list[dict]:
  """Every option alone, and all combinations of the discrete ones."""

  def case(name, schedule=None, zeros=None, **options):
    result = {"name": name, "options": options}
    if schedule is not None:
      result["schedule"] = schedule
    if zeros is not None:
      result["zero_gradient_steps"] = zeros
    return result

  found = [
    case("defaults"),
    case("d0_small", d0=1e-4),
    case("d0_large", d0=0.1),
    case("d0_above_distance", d0=10.0),
    case("learning_rate", d0=1e-3, learning_rate=0.5),
    case("d_coef_half", d0=1e-3, d_coef=0.5),
    case("d_coef_two", d0=1e-3, d_coef=2.0),
    case("d_coef_ten", d0=1e-2, d_coef=10.0),
    case("growth_rate_soft", d0=1e-2, growth_rate=1.02),
    case("growth_rate_hard", d0=1e-3, growth_rate=1.5),
    case("eps", d0=1e-2, eps=1e-2),
    case("b1", d0=1e-2, b1=0.5),
    case("b2", d0=1e-2, b2=0.9),
    case("b2_short", d0=1e-2, b2=0.5),
    case("b3_short", d0=1e-2, b3=0.5),
    case("b3_one", d0=1e-2, b3=1.0),
    case("b3_zero", d0=1e-2, b3=0.0),
    case("decay_decoupled", d0=1e-2, weight_decay=0.2),
    case("decay_coupled", d0=1e-2, weight_decay=0.2, decouple=False),
    case(
      "mask_decoupled",
      schedule=DECAY,
      d0=1e-2,
      weight_decay=0.2,
      mask=MASK,
    ),
    case("mask_coupled", d0=1e-2, weight_decay=0.2, decouple=False, mask=MASK),
    case("bias_correction", d0=1e-2, use_bias_correction=True),
    case("safeguard", d0=1e-2, safeguard_warmup=True),
    case("slice_2", d0=1e-2, slice_p=2),
    case("slice_11", d0=1e-2, slice_p=11),
    case("warmup", schedule=WARMUP, d0=1e-2),
    case("restart", schedule=RESTART, d0=1e-2),
    case("restart_safeguard", RESTART, d0=1e-2, safeguard_warmup=True),
    case("rate_zero", schedule=PAUSES, d0=1e-2, weight_decay=0.1),
    case(
      "rate_zero_coupled",
      schedule=PAUSES,
      d0=1e-2,
      weight_decay=0.1,
      decouple=False,
      use_bias_correction=True,
      safeguard_warmup=True,
    ),
    case("zeros_at_start", zeros=[0, 1, 2], d0=1e-2, weight_decay=0.1),
    case(
      "zeros_at_start_bias_correction",
      schedule=WARMUP,
      zeros=[0, 1, 2],
      d0=1e-2,
      use_bias_correction=True,
      safeguard_warmup=True,
    ),
    case(
      "zeros_at_start_coupled",
      zeros=[0, 1, 2],
      d0=1e-2,
      weight_decay=0.1,
      decouple=False,
    ),
    case("zeros_in_the_middle", zeros=[10, 11, 30], d0=1e-2, weight_decay=0.1),
    case("zeros_only", zeros=list(range(STEPS)), weight_decay=0.1),
  ]
  # All combinations of the discrete options; the continuous ones take turns, at
  # periods that have no factor in common with those of the discrete ones.
  schedules = itertools.cycle([WARMUP, DECAY, CONSTANT, CONSTANT, RESTART])
  growths = itertools.cycle([float("inf"), 1.3, 1.05, float("inf"), 2.0])
  coefficients = itertools.cycle([1.0, 2.0, 1.0, 0.5, 1.0, 3.0, 1.0])
  booleans = (True, False)
  for slice_p, decouple, bias_correction, safeguard in itertools.product(
    (1, 2, 11), booleans, booleans, booleans
  ):
    name = f"slice_{slice_p}"
    name += "_decoupled" if decouple else "_coupled"
    name += "_bias_correction" * bias_correction
    name += "_safeguard" * safeguard
    options = {
      "d0": 1e-2,
      "weight_decay": 0.1,
      "d_coef": next(coefficients),
      "slice_p": slice_p,
      "decouple": decouple,
      "use_bias_correction": bias_correction,
      "safeguard_warmup": safeguard,
    }
    if (growth_rate := next(growths)) != float("inf"):
      options["growth_rate"] = growth_rate
    found.append(case(name, schedule=next(schedules), **options))
  no_moment = case("no_first_moment", d0=1e-2, b1=0.0)
  no_moment["differs"] = (
    "With b1=0 the reference multiplies the gradient with the new estimate,"
    " where the limit of b1 -> 0 has the old one."
  )
  no_moment["recorded_steps"] = list(range(1, STEPS + 1))
  return [*found, no_moment]


def run(problem: dict, case: dict) -> dict:
  """Runs prodigyopt.Prodigy; returns the case with its recordings."""
  renamed = {"learning_rate": "lr", "b3": "beta3"}
  options = case["options"]
  keywords = {
    renamed.get(key, key): value
    for key, value in options.items()
    if key not in ("b1", "b2", "mask")
  }
  keywords["betas"] = (options.get("b1", 0.9), options.get("b2", 0.999))
  params = torch_problem.parameters(problem)
  with contextlib.redirect_stdout(io.StringIO()):
    optimizer = prodigyopt.Prodigy(
      torch_problem.parameter_groups(params, options), **keywords
    )
  group = optimizer.param_groups[0]
  recorder = recording.Recorder(case)
  for step in range(STEPS):
    torch_problem.set_rate(optimizer, case, step)
    torch_problem.set_gradients(params, problem, case, step)
    optimizer.step()
    recorder.tree("params", step, torch_problem.values(params))
    recorder.number("distance", group["d"])
    recorder.number("distance_target", group["d_max"])
    recorder.number("numerator", group["d_numerator"])
    recorder.number("effective_count", group["k"])
  state = {name: optimizer.state[p] for name, p in params.items()}
  names = {"nu": "exp_avg_sq", "grad_sum": "s"}
  if options.get("b1") != 0.0:
    names["mu"] = "exp_avg"
  final = {
    ours: {leaf: value[theirs].tolist() for leaf, value in state.items()}
    for ours, theirs in names.items()
  }
  return recorder.result(case, final=final)


def generate() -> dict[str, dict]:
  """File name -> content."""
  problem = problems.make_problem()
  reference = recording.release("prodigyopt")
  return {"prodigy": recording.record(reference, problem, cases(), run)}
