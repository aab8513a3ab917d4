# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trajectories of SMB and SMBi, from the authors' class where it has the rule.

That class is in no package index: the folder `source` of the repository
github.com/sibirbil/SMB must be on the path. What the authors' code does not
have is recorded from `smb_reference`, and each case says where it is from.
"""

import logging
import sys
import types

import numpy as np

from tests.parity import problem as problems
from tests.parity import recording
from tests.parity import smb_reference

STEPS = problems.STEPS
AUTHORS = "sibirbil/SMB at 17fb8ba4f440a5e36e66d701385ecdef6cb05723"
TRANSCRIPTION = "smb_reference.py"
NAMES = tuple(problems.SHAPES)
MASK = {"matrix": True, "vector": False, "scalar": True}
TOGETHER = dict.fromkeys(NAMES, "all")
PAIRED = {"matrix": "large", "vector": "small", "scalar": "small"}
WARMUP = [round(2.0 * min(1, (k + 1) / 10), 3) for k in range(STEPS)]
# Names in the state that only some options have.
AUTO = ("rate_factor", "window_count", "model_count")


def cases() -> list[dict]:
  """All options, those of the authors' code and ours."""

  def case(name, *, zeros=None, schedule=None, ours=False, **options):
    result = {"name": name, "options": options}
    result["source"] = TRANSCRIPTION if ours else AUTHORS
    extras = {"zero_gradient_steps": zeros, "schedule": schedule}
    return result | {k: v for k, v in extras.items() if v is not None}

  def both(name, **options):
    yield case(name, **options)
    yield case(f"independent_{name}", independent_batch=True, **options)

  window = {"window": 5, "model_share": 0.3}
  return [
    *both("defaults"),
    *both("small_rate", learning_rate=0.1),
    *both("large_rate", learning_rate=1.0),
    *both("huge_rate", learning_rate=5.0),
    *both("eta", eta=0.5, learning_rate=0.6),
    *both("c", c=0.45, learning_rate=0.6),
    *both("together", per_group=TOGETHER, learning_rate=1.0),
    *both("labels", per_group=PAIRED, learning_rate=1.0),
    *both("schedule", schedule=WARMUP),
    *both("auto", learning_rate=1.0, **window),
    *both("auto_grows", learning_rate=0.1, max_learning_rate=0.15, **window),
    *both(
      "auto_labels", per_group=PAIRED, factor=0.7, learning_rate=2.0, **window
    ),
    *both("auto_schedule", schedule=WARMUP, ours=True, **window),
    *both("zeros_at_start", zeros=[0, 1], learning_rate=1.0, ours=True),
    *both("zeros", zeros=[3, 10, 11, 30], learning_rate=1.0, ours=True),
    *both("decay", weight_decay=0.05, learning_rate=0.6, ours=True),
    *both(
      "decay_masked",
      weight_decay=0.2,
      mask=MASK,
      per_group=PAIRED,
      learning_rate=1.0,
      ours=True,
      **window,
    ),
  ]


def blocks(case: dict) -> list[list[str]]:
  """The leaves of each group."""
  labels = case["options"].get("per_group", {n: n for n in NAMES})
  return [
    [n for n in NAMES if labels[n] == label]
    for label in dict.fromkeys(labels.values())
  ]


def rate(case: dict, step: int) -> float:
  """The rate of update `step`, without the auto schedule."""
  if "schedule" in case:
    return case["schedule"][step]
  return case["options"].get("learning_rate", 0.5)


def record(recorder: recording.Recorder, case: dict, step: int, found: dict):
  """Records what a state with these options has, after an update."""
  options = case["options"]
  recorder.tree("params", step, found["params"])
  numbers = ["step_size", "model_step"]
  numbers += AUTO if "window" in options else ()
  if "independent_batch" in options:
    recorder.tree("prev_grad", step, found["prev_grad"])
    numbers.append("pending")
  for name in numbers:
    recorder.number(name, found[name])


def authors_class() -> type:
  """The authors' class, without the log file that its module opens."""
  log = types.ModuleType("smbexperiments.experimentlogger")
  log.get_logger = logging.getLogger
  package = types.ModuleType("smbexperiments")
  sys.modules.setdefault("smbexperiments", package)
  sys.modules.setdefault("smbexperiments.experimentlogger", log)
  from smbsolve import smb

  return smb.SMB


class _Flat:
  """The problem as the authors' class sees it: a tensor for each group."""

  def __init__(self, problem, case):
    import torch

    self._torch = torch
    self.blocks = blocks(case)
    self._problem = {
      key: problems.leaves_of(problem, key)
      for key in ("params", "curvature", "target", "noise")
    }
    self.params = [
      torch.nn.Parameter(t) for t in self._tensors(self._problem["params"])
    ]
    self.backwards = 0

  def _tensors(self, tree):
    return [
      self._torch.tensor(np.concatenate([tree[n].reshape(-1) for n in names]))
      for names in self.blocks
    ]

  def tree(self, tensors) -> dict[str, np.ndarray]:
    """Tensors of the groups, as leaves."""
    found = {}
    for names, tensor in zip(self.blocks, tensors, strict=True):
      numbers, at = np.array(tensor.detach().numpy()), 0
      for name in names:
        shape = problems.SHAPES[name]
        size = int(np.prod(shape))
        found[name] = numbers[at : at + size].reshape(shape)
        at += size
    return {name: found[name] for name in NAMES}

  def closure(self, step):
    """The loss of update `step`, whose backward passes are counted."""
    curvature, target = (
      self._tensors(self._problem[key]) for key in ("curvature", "target")
    )
    noise = self._tensors(
      {name: leaf[step] for name, leaf in self._problem["noise"].items()}
    )

    def count(grad):
      self.backwards += 1
      return grad

    def evaluate():
      for p in self.params:
        p.grad = None
      terms = [
        self._torch.sum((h * (p - t) + n) ** 2 / (2 * h))
        for p, h, t, n in zip(
          self.params, curvature, target, noise, strict=True
        )
      ]
      loss = sum(terms)
      loss.register_hook(count)
      return loss

    return evaluate


def run_authors(problem: dict, case: dict) -> dict:
  """Runs the authors' class; returns the case with its recordings."""
  options = case["options"]
  renamed = {
    "eta": "eta",
    "c": "c",
    "independent_batch": "independent_batch",
    "window": "n_batches_per_epoch",
    "model_share": "gamma",
    "factor": "beta",
    "max_learning_rate": "lr_max",
  }
  keywords = {renamed[k]: v for k, v in options.items() if k in renamed}
  flat = _Flat(problem, case)
  start = rate(case, 0)
  optimizer = authors_class()(
    flat.params, lr=start, autoschedule="window" in options, **keywords
  )
  recorder = recording.Recorder(case)
  prev_grad = {n: np.zeros(problems.SHAPES[n]) for n in NAMES}
  waits = False
  for step in range(STEPS):
    (group,) = optimizer.param_groups
    if "schedule" in case:
      group["lr"] = rate(case, step)
    taken, flat.backwards, waited = group["lr"], 0, waits
    optimizer.step(flat.closure(step))
    modelled = flat.backwards == 2
    if "independent_batch" in options:
      assert modelled == waited
      waits = optimizer.state["model_step"]
      if waits:
        kept = [optimizer.state[p]["grad_prev"] for p in flat.params]
        prev_grad = flat.tree(kept)
    steps = optimizer.state["model_step_list"]
    found = {
      "params": flat.tree(flat.params),
      "step_size": taken,
      "model_step": modelled,
      "rate_factor": group["lr"] / start,
      "window_count": len(steps),
      "model_count": sum(steps),
      "pending": waits,
      "prev_grad": prev_grad,
    }
    record(recorder, case, step, found)
  return recorder.result(case)


def batch(problem: dict, case: dict):
  """Loss and gradient of each batch; zero gradients have their loss too."""
  curvature = problems.leaves_of(problem, "curvature")
  moving = {"zero_gradient_steps": ()}

  def evaluate(k, x):
    grads = problems.gradient(problem, moving, x, k)
    total = sum(np.sum(g**2 / (2 * curvature[n])) for n, g in grads.items())
    return float(total), problems.gradient(problem, case, x, k)

  return evaluate


def run_transcription(problem: dict, case: dict) -> dict:
  """Runs `smb_reference`; returns the case with its recordings."""
  options = case["options"]
  renamed = {
    "window": "n_batches",
    "model_share": "gamma",
    "factor": "beta",
    "max_learning_rate": "lr_max",
  }
  auto = {renamed[k]: v for k, v in options.items() if k in renamed}
  same = ("eta", "c", "independent_batch")
  history = smb_reference.trajectory(
    problems.leaves_of(problem, "params"),
    batch(problem, case),
    STEPS,
    lr=lambda k: rate(case, k),
    groups=blocks(case),
    auto=smb_reference.Auto(**auto) if auto else None,
    decay=options.get("weight_decay", 0.0),
    decayed=options.get("mask"),
    **{k: v for k, v in options.items() if k in same},
  )
  recorder = recording.Recorder(case)
  for step, found in enumerate(history):
    record(recorder, case, step, found)
  return recorder.result(case)


def run(problem: dict, case: dict) -> dict:
  """Runs the source that the case names."""
  authors = case["source"] == AUTHORS
  return (run_authors if authors else run_transcription)(problem, case)


def generate() -> dict[str, dict]:
  """File name -> content."""
  # Steps that bounce blow rounding up, and worse the worse the conditioning.
  problem = problems.make_problem(spread=0.7)
  return {"smb": recording.record(AUTHORS, problem, cases(), run)}
