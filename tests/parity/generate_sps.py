# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trajectories of SPS, from the authors' class where the rule is theirs.

That class is in no package index: the repository github.com/IssamLaradji/sps
must be on the path, as the module `sps`. What the authors' code does not have
is recorded from `sps_reference`, and each case says where it is from.
"""

import numpy as np

from tests.parity import problem as problems
from tests.parity import recording
from tests.parity import sps_reference

STEPS = problems.STEPS
AUTHORS = "IssamLaradji/sps at 6d112a1da97a4a2195c01cd51e96e3f0fbdd0c5b"
TRANSCRIPTION = "sps_reference.py"
SHAPES = problems.SHAPES | {"kernel": (2, 2, 3)}
BOUNDS = [round(0.3 * abs(np.sin(k)), 3) for k in range(STEPS)]
HIGH_BOUNDS = [1000.0 if k in (0, 9, 10) else 0.1 for k in range(STEPS)]
LOW_LOSSES = [-1000.0 if k == 45 else 0.0 for k in range(STEPS)]


def cases() -> list[dict]:
  """All options, those of the authors' code and ours."""

  def case(
    name,
    *,
    zeros=None,
    bounds=None,
    offsets=None,
    ours=False,
    differs=None,
    **options,
  ):
    result = {"name": name, "options": options}
    result["source"] = TRANSCRIPTION if ours else AUTHORS
    extras = {
      "zero_gradient_steps": zeros,
      "f_min": bounds,
      "value_offset": offsets,
      "differs": differs,
    }
    return result | {k: v for k, v in extras.items() if v is not None}

  smooth = {"smoothing": 2.0, "steps_per_epoch": 10}
  freeze = {"on_zero_gradient": "freeze"}
  start, middle = [0, 1], [10, 11, 30]
  return [
    case("defaults"),
    case("c_one", c=1.0),
    case("c_small_capped", c=0.4, max_step_size=0.6),
    case("capped", max_step_size=0.6),
    case("cap_never_met", max_step_size=100.0, c=1.0),
    case("f_min", f_min=0.5, c=1.0),
    case("f_min_capped", f_min=0.5, max_step_size=0.4),
    case("f_min_negative", f_min=-2.0, max_step_size=0.6),
    case("f_min_per_call", bounds=BOUNDS, max_step_size=0.6),
    case("f_min_above_loss", bounds=HIGH_BOUNDS, max_step_size=0.6, **freeze),
    case("eps_zero", eps=0.0),
    case("eps_large", eps=3.0),
    case("centralize", centralize=True, eps=10.0),
    case("centralize_capped", centralize=True, max_step_size=0.1),
    case("zeros_at_start", zeros=start, c=1.0, **freeze),
    case("zeros_in_the_middle", zeros=middle, c=1.0, **freeze),
    case("smooth", **smooth),
    case("smooth_paper", c=0.2, smoothing=2.0, steps_per_epoch=20),
    case("smooth_long_epoch", smoothing=2.0, steps_per_epoch=500),
    case("smooth_one_step_epoch", smoothing=1.5, steps_per_epoch=1, c=1.0),
    case("smooth_constant", smoothing=1.0, steps_per_epoch=7, c=1.0),
    case("smooth_init_step_size", init_step_size=0.02, **smooth),
    case("smooth_eps", eps=3.0, **smooth),
    case("smooth_centralize", centralize=True, init_step_size=0.1, **smooth),
    case("smooth_freeze_at_start", zeros=start, **smooth, **freeze),
    case("smooth_freeze_in_the_middle", zeros=middle, **smooth, **freeze),
    case("smooth_keep_at_start", ours=True, zeros=start, **smooth),
    case(
      "smooth_keep_in_the_middle",
      ours=True,
      zeros=middle,
      init_step_size=0.05,
      **smooth,
    ),
    case("keep_capped", ours=True, zeros=middle, max_step_size=0.6),
    case(
      "grad_norm_floor",
      ours=True,
      grad_norm_floor=2.0,
      max_step_size=0.2,
    ),
    case(
      "smooth_grad_norm_floor",
      ours=True,
      grad_norm_floor=2.0,
      init_step_size=0.05,
      **smooth,
    ),
    case("smooth_f_min", ours=True, f_min=0.5, **smooth),
    case(
      "smooth_f_min_per_call",
      ours=True,
      bounds=BOUNDS,
      init_step_size=0.05,
      **smooth,
    ),
    case(
      "smooth_f_min_above_loss",
      ours=True,
      bounds=HIGH_BOUNDS,
      init_step_size=0.05,
      **smooth,
    ),
    case(
      "smooth_loss_below_f_min",
      ours=True,
      offsets=LOW_LOSSES,
      init_step_size=0.05,
      **smooth,
    ),
    case("smooth_capped", ours=True, max_step_size=0.45, c=1.0, **smooth),
    case(
      "smooth_cap_ignored",
      differs="The reference ignores the cap when smoothing.",
      max_step_size=0.45,
      c=1.0,
      **smooth,
    ),
    case(
      "smooth_f_min_ignored",
      differs="The reference ignores f_min when smoothing.",
      f_min=0.5,
      **smooth,
    ),
    case(
      "smooth_ascent",
      differs=(
        "A loss below f_min makes the smoothed step of the reference"
        " negative, and it ascends."
      ),
      offsets=LOW_LOSSES,
      init_step_size=0.05,
      **smooth,
    ),
    case(
      "smooth_zero_gradient",
      differs=(
        "After a zero gradient the reference remembers a step size of"
        " zero, and its smoothed step stays zero."
      ),
      zeros=middle,
      init_step_size=0.05,
      **smooth,
    ),
  ]


def loss(problem: dict, case: dict, params: dict, step: int) -> float:
  """The loss of update `step`; its minimum is `value_offset`, or zero."""
  moving = case | {"zero_gradient_steps": ()}
  grads = problems.gradient(problem, moving, params, step)
  curvature = problems.leaves_of(problem, "curvature")
  total = sum(np.sum(g**2 / (2 * curvature[k])) for k, g in grads.items())
  return float(total + case.get("value_offset", [0.0] * STEPS)[step])


def f_min(case: dict, step: int) -> float:
  """The lower bound that update `step` is told."""
  if "f_min" in case:
    return case["f_min"][step]
  return case["options"].get("f_min", 0.0)


def _authors_layout(leaf: np.ndarray) -> np.ndarray:
  """Last axis, that of the output, first; the same function undoes it."""
  return np.array(leaf.transpose(), order="C")


def run_authors(problem: dict, case: dict) -> dict:
  """Runs the authors' class; returns the case with its recordings."""
  import sps  # The authors' module; see above.
  import torch

  from tests.parity import torch_problem

  renamed = {
    "c": "c",
    "max_step_size": "eta_max",
    "smoothing": "gamma",
    "steps_per_epoch": "n_batches_per_epoch",
    "init_step_size": "init_step_size",
    "eps": "eps",
    "centralize": "centralize_grad",
  }
  options = case["options"]
  keywords = {renamed[k]: v for k, v in options.items() if k in renamed}
  smooth = "smoothing" in options
  keywords["adapt_flag"] = "smooth_iter" if smooth else "constant"
  params = {
    name: torch.nn.Parameter(torch.tensor(_authors_layout(leaf)))
    for name, leaf in problems.leaves_of(problem, "params").items()
  }
  optimizer = sps.Sps(params.values(), fstar_flag=True, **keywords)
  read = lambda: {  # noqa: E731
    name: _authors_layout(leaf)
    for name, leaf in torch_problem.values(params).items()
  }
  recorder = recording.Recorder(case)
  for step in range(STEPS):
    x = read()
    for name, grad in problems.gradient(problem, case, x, step).items():
      params[name].grad = torch.tensor(_authors_layout(grad))
    value = torch.tensor(loss(problem, case, x, step), dtype=torch.float64)
    bound = torch.tensor(f_min(case, step), dtype=torch.float64)
    optimizer.step(loss=value, batch={"meta": {"fstar": bound}})
    recorder.tree("params", step, read())
    recorder.number("step_size", optimizer.state["step_size"])
  return recorder.result(case)


def run_transcription(problem: dict, case: dict) -> dict:
  """Runs `sps_reference`; returns the case with its recordings."""
  renamed = {
    "max_step_size": "gamma_b",
    "smoothing": "tau",
    "steps_per_epoch": "batches_per_epoch",
    "init_step_size": "gamma_0",
    "grad_norm_floor": "floor",
  }
  keywords = {
    renamed.get(key, key): value
    for key, value in case["options"].items()
    if key != "f_min"
  }

  def batch(k, x):
    return loss(problem, case, x, k), problems.gradient(problem, case, x, k)

  points, step_sizes = sps_reference.trajectory(
    problems.leaves_of(problem, "params"),
    batch,
    STEPS,
    f_k_star=lambda k: f_min(case, k),
    **keywords,
  )
  recorder = recording.Recorder(case)
  for step, (point, step_size) in enumerate(
    zip(points, step_sizes, strict=True)
  ):
    recorder.tree("params", step, point)
    recorder.number("step_size", step_size)
  return recorder.result(case)


def run(problem: dict, case: dict) -> dict:
  """Runs the source that the case names."""
  authors = case["source"] == AUTHORS
  return (run_authors if authors else run_transcription)(problem, case)


def generate() -> dict[str, dict]:
  """File name -> content."""
  # Polyak steps bounce, and worse the worse the conditioning: with the default
  # spread they blow rounding up to 1e-6 within the run.
  problem = problems.make_problem(SHAPES, spread=0.5)
  return {"sps": recording.record(AUTHORS, problem, cases(), run)}
