# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trajectories of D-Adaptation from the authors' package `dadaptation`."""

import contextlib
import io
import itertools

import dadaptation

from tests.parity import d_adaptation_reference as transcription
from tests.parity import problem as problems
from tests.parity import recording
from tests.parity import torch_problem

STEPS = problems.STEPS
WARMUP = [min(1.0, (k + 1) / 10) for k in range(STEPS)]
DECAY = [1 - k / STEPS for k in range(STEPS)]
# Rates of zero: at the start, in the middle and at the end.
PAUSES = [0.0 if k in (0, 1, 20, 21, 49) else 1.0 for k in range(STEPS)]
# No rate of zero before the last.
LATE_PAUSES = [0.0 if k in (20, 21, 49) else 1.0 for k in range(STEPS)]
MASK = {"matrix": True, "vector": False, "scalar": True}
LAYERS = {"matrix": 0.5, "vector": 1.0, "scalar": 3.0}

OPTIMIZERS = {
  "sgd": dadaptation.DAdaptSGD,
  "adagrad": dadaptation.DAdaptAdaGrad,
  "adam": dadaptation.DAdaptAdam,
  "adan": dadaptation.DAdaptAdan,
  "lion": dadaptation.DAdaptLion,
}
BETAS = {
  "adam": {"b1": 0.9, "b2": 0.999},
  "adan": {"b1": 0.98, "b2": 0.92, "b3": 0.99},
  "lion": {"b1": 0.9, "b2": 0.99},
}
# Our name of a tree -> theirs.
TREES = {
  "sgd": {"grad_sum": "s"},
  "adagrad": {"grad_sum": "sk", "nu": "alphak"},
  "adam": {"grad_sum": "s", "mu": "exp_avg", "nu": "exp_avg_sq"},
  "adan": {
    "grad_sum": "s",
    "mu": "exp_avg",
    "nu": "exp_avg_sq",
    "mu_diff": "exp_avg_diff",
    "last_grad": "pre_grad",
  },
  "lion": {"grad_sum": "s", "mu": "exp_avg"},
}
NUMERATORS = {"adagrad": "gsq_weighted", "adan": "gsq_weighted"}


def case(name, schedule=None, zeros=None, **options):
  result = {"name": name, "options": {"d0": 1e-2} | options}
  if schedule is not None:
    result["schedule"] = schedule
  if zeros is not None:
    result["zero_gradient_steps"] = zeros
  return result


def common(growth=True):
  """What all variants take."""
  found = [
    {"name": "defaults", "options": {}},
    case("d0_large", d0=0.1),
    case("d0_above_distance", d0=10.0),
    case("learning_rate", d0=1e-3, learning_rate=0.5),
    case("decay", weight_decay=0.2),
    case("warmup", WARMUP),
    case("decreasing", DECAY, d0=1e-4),
    case("rate_zero_later", LATE_PAUSES, weight_decay=0.1),
    case("zeros_in_the_middle", zeros=[10, 11, 30], weight_decay=0.1),
    case("zeros_in_the_middle_no_decay", zeros=[10, 11, 30]),
  ]
  if growth:
    found += [
      case("growth_rate_soft", growth_rate=1.02),
      case("growth_rate_hard", d0=1e-3, growth_rate=1.5),
    ]
  return found


def early():
  """What the reference can do but for SGD."""
  return [
    case("mask", weight_decay=0.2, mask=MASK),
    case("rate_zero", PAUSES, weight_decay=0.1),
    case("rate_zero_no_decay", PAUSES, weight_decay=0.0),
    case("zeros_at_start", zeros=[0, 1, 2], weight_decay=0.1),
    case("zeros_at_start_no_decay", zeros=[0, 1, 2], weight_decay=0.0),
    case("zeros_only", zeros=list(range(STEPS)), weight_decay=0.1),
  ]


def cycles():
  """Schedules and limits of growth that combinations take in turn."""
  schedules = itertools.cycle([WARMUP, DECAY, None, PAUSES, DECAY])
  growths = itertools.cycle([float("inf"), 1.3, 1.05])
  return schedules, growths


def momentum_cases():
  return [
    case("momentum", momentum=0.9),
    case("momentum_and_decay", momentum=0.9, weight_decay=0.1),
    case("momentum_everything", DECAY, momentum=0.5, weight_decay=0.1)
    | {"zero_gradient_steps": [10, 11]},
  ]


def adam_cases():
  found = [
    case("b1", b1=0.5),
    case("b1_zero", b1=0.0),
    case("b2_short", b2=0.5),
    case("b2_zero", b2=0.0, zeros=[0, 10, 11], weight_decay=0.1),
    case("eps", eps=1e-2),
    case("layer_scale", layer_scale=LAYERS),
  ]
  schedules, growths = cycles()
  booleans = (False, True)
  for decouple, corrected, layers, masked in itertools.product(
    booleans, booleans, booleans, booleans
  ):
    name = "decoupled" if decouple else "coupled"
    name += "_bias_correction" * corrected + "_layers" * layers
    name += "_masked" * masked
    options = {
      "weight_decay": 0.1,
      "decouple": decouple,
      "use_bias_correction": corrected,
    }
    if layers:
      options["layer_scale"] = LAYERS
    if masked:
      options["mask"] = MASK
    if (growth_rate := next(growths)) != float("inf"):
      options["growth_rate"] = growth_rate
    zeros = [0, 1, 12] if masked else None
    found.append(case(name, next(schedules), zeros, **options))
  return found


def adan_cases():
  found = [
    case("b1", b1=0.9),
    case("b2", b2=0.5),
    case("b3", b3=0.9),
    case("b3_zero", b3=0.0, zeros=[0, 10, 11], d0=1e-3),
    case("eps", eps=1e-2),
  ]
  schedules, growths = cycles()
  for no_prox, decay, masked in itertools.product(
    (False, True), (0.0, 0.1), (False, True)
  ):
    name = ("no_prox" if no_prox else "prox") + "_decay" * bool(decay)
    name += "_masked" * masked
    options = {"no_prox": no_prox, "weight_decay": decay, "d0": 1e-3}
    if masked:
      options["mask"] = MASK
    if (growth_rate := next(growths)) != float("inf"):
      options["growth_rate"] = growth_rate
    zeros = [0, 1, 12] if masked else None
    found.append(case(name, next(schedules), zeros, **options))
  return found


def lion_cases():
  return [
    case("b1", b1=0.5),
    case("b2", b2=0.9),
    case("b2_zero", b2=0.0, zeros=[0, 10, 11], weight_decay=0.1),
    case("everything", PAUSES, [2, 12], b1=0.8, b2=0.95)
    | {"options": {"d0": 1e-2, "weight_decay": 0.1, "mask": MASK}},
  ]


def transcribed_cases():
  """SGD where the authors' code fails, or knows no groups."""
  found = [
    case("zeros_at_start", zeros=[0, 1, 2], weight_decay=0.1),
    case("zeros_at_start_momentum", zeros=[0, 1, 12], momentum=0.5),
    case("zeros_only", zeros=list(range(STEPS)), weight_decay=0.1),
    case("rate_zero", PAUSES, weight_decay=0.1),
    case("rate_zero_later", LATE_PAUSES, momentum=0.9),
    case("rate_and_gradient_zero", PAUSES, [0, 1, 2, 20], momentum=0.5),
    case("mask", weight_decay=0.2, mask=MASK),
    # What the authors' code can do, as a check of the transcription.
    case("everything", WARMUP, [7], momentum=0.5, weight_decay=0.1)
    | {"authors": True},
  ]
  return found


def calmer(cases, factor):
  """At a lower rate: at one, SGD and Adan amplify the last bits."""
  return [
    one | {"options": {"learning_rate": factor} | one["options"]}
    if "schedule" not in one
    else one | {"schedule": [factor * rate for rate in one["schedule"]]}
    for one in cases
  ]


CASES = {
  "sgd": calmer(
    [c for c in common() if c["name"] != "rate_zero_later"]
    + momentum_cases()
    + [transcribed_cases()[-1]],
    0.3,
  ),
  "adagrad": common() + early() + momentum_cases() + [case("eps", eps=1e-2)],
  "adam": common() + early() + adam_cases(),
  "adan": calmer(common() + early() + adan_cases(), 0.1),
  "lion": common(growth=False) + early() + lion_cases(),
}


def run(variant: str, problem: dict, case: dict) -> dict:
  """Runs an optimizer of `dadaptation`; returns the case with recordings."""
  options = dict(case["options"])
  mask, layers = options.pop("mask", MASK | {"vector": True}), {}
  layers = options.pop("layer_scale", layers)
  keywords = {"lr": options.pop("learning_rate", 1.0)}
  if variant in BETAS:
    defaults = BETAS[variant]
    keywords["betas"] = tuple(options.pop(b, defaults[b]) for b in defaults)
  keywords |= options
  params = torch_problem.parameters(problem)
  groups = []
  for name, p in params.items():
    group = {"params": [p]}
    if not mask[name]:
      group["weight_decay"] = 0.0
    if layers:
      group["layer_scale"] = layers[name]
    groups.append(group)
  with contextlib.redirect_stdout(io.StringIO()):
    optimizer = OPTIMIZERS[variant](groups, **keywords)
  group = optimizer.param_groups[0]
  recorder = recording.Recorder(case)
  for step in range(STEPS):
    torch_problem.set_rate(optimizer, case, step)
    torch_problem.set_gradients(params, problem, case, step)
    optimizer.step()
    recorder.tree("params", step, torch_problem.values(params))
    for ours, theirs in TREES[variant].items():
      state = {name: optimizer.state[p][theirs] for name, p in params.items()}
      recorder.tree(ours, step, torch_problem.values(state))
    recorder.number("distance", group["d"])
    recorder.number(
      "numerator", group[NUMERATORS.get(variant, "numerator_weighted")]
    )
    recorder.number("effective_count", group["k"])
    if variant == "sgd":
      recorder.number("first_grad_norm", group["g0_norm"])
  return recorder.result(case)


def run_transcription(problem: dict, case: dict) -> dict:
  """The same from the transcription of the rule."""
  options = dict(case["options"])
  mask = options.pop("mask", MASK | {"vector": True})
  wd = options.pop("weight_decay", 0.0)
  rate = options.pop("learning_rate", 1.0)
  state = transcription.Sgd(
    problems.leaves_of(problem, "params"),
    decay={name: wd * mask[name] for name in mask},
    **options,
  )
  recorder = recording.Recorder(case)
  for step in range(STEPS):
    grads = problems.gradient(problem, case, state.p, step)
    state.step(grads, case["schedule"][step] if "schedule" in case else rate)
    recorder.tree("params", step, state.p)
    recorder.tree("grad_sum", step, state.s)
    recorder.number("distance", state.d)
    recorder.number("numerator", state.numerator)
    recorder.number("effective_count", state.k)
    recorder.number("first_grad_norm", state.g0)
  return recorder.result(case)


def generate() -> dict[str, dict]:
  """File name -> content."""
  # On a worse conditioned problem SGD diverges, by its own rule.
  problem = problems.make_problem(spread=0.5)
  reference = recording.release("dadaptation")
  files = {
    f"dadapt_{variant}": recording.record(
      reference,
      problem,
      cases,
      lambda problem, case, v=variant: run(v, problem, case),
    )
    for variant, cases in CASES.items()
  }
  files["dadapt_sgd_transcribed"] = recording.record(
    "transcription of the rule in NumPy",
    problem,
    calmer(transcribed_cases(), 0.3),
    run_transcription,
  )
  return files
