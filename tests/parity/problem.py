# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The problem all parity trajectories run on, and our side of the comparison.

The gradient of update t (0, 1, ...) is `curvature * (params - target) +
noise[t]`, elementwise, and zero where a case says so. It depends on the
parameters, so that a deviation grows, and needs nothing but stored numbers.

A file `<method>.json` holds the problem and a list of cases:

  name: names the test.
  options: keyword arguments of our method; what is missing has its default,
    here as in the reference.
  schedule: the learning rate of each update, where it is not constant.
  zero_gradient_steps: updates whose gradient is zero.
  recorded_steps: numbers of updates after which a tree is recorded, if not
    those of the file.
  trees: name -> leaf -> one array per recorded step.
  final: name -> leaf -> array after the last update.
  sequences: name -> one number per update, or leaf -> one number per update.
  differs: why our method deliberately departs from this trajectory.
"""

from collections.abc import Callable
import functools
import inspect
import json
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core

STEPS = 50
RECORDED_STEPS = [1, 2, 3, 5, 10, 20, 30, 40, 50]
SHAPES = {"matrix": (2, 3), "vector": (4,), "scalar": ()}
TOLERANCE = 1e-10

_DIRECTORY = pathlib.Path(__file__).parent


def make_problem(
  shapes: dict[str, tuple[int, ...]] | None = None, spread: float = 1.3
) -> dict:
  """A badly conditioned problem with its minimum away from the origin.

  The scalar starts at zero: a leaf of zeros is a special case of some codes.

  Args:
    shapes: Shape of each leaf, by default `SHAPES`.
    spread: Curvatures lie between 10^-spread and 10^spread.

  Returns:
    Nested lists of short decimal numbers, ready for JSON.
  """
  # RandomState, unlike default_rng, promises the same numbers for ever.
  rng = np.random.RandomState(2026)
  result = {"params": {}, "curvature": {}, "target": {}, "noise": {}}
  for name, shape in (shapes or SHAPES).items():
    start = rng.uniform(-2, 2, shape) * (shape != ()) + 0.0  # not -0.0
    away = rng.uniform(1, 3, shape) * rng.choice([-1, 1], shape)
    leaves = {
      "params": start,
      "curvature": 10 ** rng.uniform(-spread, spread, shape),
      "target": start + away,
      "noise": rng.uniform(-0.5, 0.5, (STEPS, *shape)),
    }
    for key, leaf in leaves.items():
      result[key][name] = np.round(leaf, 3).tolist()
  return result


def leaves_of(problem: dict, key: str) -> dict[str, np.ndarray]:
  """One tree of the problem, in float64."""
  return {k: np.asarray(v, np.float64) for k, v in problem[key].items()}


def gradient(problem: dict, case: dict, params: dict, step: int) -> dict:
  """The gradient of update `step` (0, 1, ...), in NumPy."""
  if step in case.get("zero_gradient_steps", ()):
    return {name: np.zeros_like(p) for name, p in params.items()}
  curvature, target, noise = (
    leaves_of(problem, key) for key in ("curvature", "target", "noise")
  )
  return {
    name: curvature[name] * (p - target[name]) + noise[name][step]
    for name, p in params.items()
  }


def load(method: str) -> dict:
  """The recorded trajectories of a method."""
  return json.loads((_DIRECTORY / f"{method}.json").read_text())


def named_cases(recorded: dict, differs: bool = False) -> list[dict[str, Any]]:
  """The cases for `parameterized.named_parameters`."""
  return [
    {"testcase_name": case["name"], "case": case}
    for case in recorded["cases"]
    if ("differs" in case) == differs
  ]


def plain_update(tx, grads, state, params, inputs):
  """`tx.update` for methods that need gradients and parameters only."""
  del inputs
  return tx.update(grads, state, params)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _replay(make, read, update, static, floats, problem, inputs):
  """All updates in one program, shared by cases that differ in floats only."""
  if "schedule" in inputs:
    schedule = inputs["schedule"]
    floats = floats | {"learning_rate": lambda count: schedule[count]}
  tx = make(**json.loads(static), **floats)
  curvature, target = problem["curvature"], problem["target"]

  def step(carry, inputs):
    params, state = carry
    grads = jax.tree.map(
      lambda h, p, t, n: jnp.where(inputs["active"], h * (p - t) + n, 0.0),
      curvature,
      params,
      target,
      inputs["noise"],
    )
    updates, state = update(tx, grads, state, params, inputs)
    params = optax.apply_updates(params, updates)
    return (params, state), read(state, params)

  start = (problem["params"], tx.init(problem["params"]))
  return jax.lax.scan(step, start, inputs)[1]


def replay(
  make: Callable[..., optax.GradientTransformation],
  read: Callable[[Any, Any], dict],
  recorded: dict,
  case: dict,
  *,
  update: Callable[..., Any] = plain_update,
  inputs: dict | None = None,
) -> dict:
  """Runs our method in float64 on a recorded case.

  Args:
    make: Our method. Its float arguments are passed traced, everything else as
      it stands in the case.
    read: `(state, params) -> {name: array or tree}` after each update.
    recorded: The content of the JSON file.
    case: One of its cases.
    update: `(tx, grads, state, params, inputs) -> (updates, state)`.
    inputs: More arrays with one entry per update, for `update`.

  Returns:
    What `read` returned, as NumPy arrays with a leading axis of updates.
  """
  # With the defaults, so that cases which spell one out share a program.
  options = {
    name: parameter.default
    for name, parameter in inspect.signature(make).parameters.items()
    if parameter.default is not inspect.Parameter.empty
  }
  options |= case["options"]
  if "schedule" in case:
    options.pop("learning_rate", None)
  floats = {k: v for k, v in options.items() if isinstance(v, float)}
  static = {k: v for k, v in options.items() if k not in floats}
  active = np.ones(STEPS, bool)
  active[case.get("zero_gradient_steps", [])] = False
  keys = ("params", "curvature", "target")
  problem = {key: leaves_of(recorded["problem"], key) for key in keys}
  inputs = dict(inputs or {}, active=active)
  inputs["noise"] = leaves_of(recorded["problem"], "noise")
  if "schedule" in case:
    inputs["schedule"] = np.asarray(case["schedule"], np.float64)
  with core.enable_x64(True):
    out = _replay(
      make, read, update, json.dumps(static), floats, problem, inputs
    )
    return jax.tree.map(np.asarray, out)


def _deviations(ours, theirs, name, labels):
  """Yields (deviation, where) of each tensor, relative to its largest entry."""
  if isinstance(theirs, dict):
    for leaf, value in theirs.items():
      yield from _deviations(ours[leaf], value, f"{name}[{leaf!r}]", labels)
    return
  theirs = np.asarray(theirs, np.float64)
  if ours.dtype not in (np.float64, np.int32):
    raise AssertionError(f"{name} has dtype {ours.dtype}.")
  if ours.shape != theirs.shape:
    raise AssertionError(f"{name}: shapes {ours.shape} and {theirs.shape}.")
  for label, a, b in zip(labels, ours, theirs, strict=True):
    scale = max(np.max(np.abs(b)), np.finfo(np.float64).tiny)
    yield np.max(np.abs(a - b)) / scale, f"{name} {label}"


def deviations(ours: dict, recorded: dict, case: dict) -> list:
  """(relative deviation, where) of every recorded tensor."""
  steps = case.get("recorded_steps", recorded["recorded_steps"])
  found = []
  for name, tree in case["trees"].items():
    chosen = jax.tree.map(lambda x: x[np.asarray(steps) - 1], ours[name])
    labels = [f"after update {step}" for step in steps]
    found += _deviations(chosen, tree, name, labels)
  for name, sequence in case["sequences"].items():
    labels = [f"after update {step + 1}" for step in range(STEPS)]
    found += _deviations(ours[name], sequence, name, labels)
  for name, tree in case.get("final", {}).items():
    last = jax.tree.map(lambda x: x[-1:], ours[name])
    tree = {leaf: [value] for leaf, value in tree.items()}
    found += _deviations(last, tree, name, ["at the end"])
  return found


def assert_matches(ours: dict, recorded: dict, case: dict) -> None:
  """Raises AssertionError unless every recorded tensor is ours."""
  found = deviations(ours, recorded, case)
  # Not `>`: a NaN must fail as well.
  wrong = [item for item in found if not item[0] <= TOLERANCE]
  if wrong:
    lines = "\n".join(f"  {where}: {value:.2e}" for value, where in wrong[:12])
    raise AssertionError(
      f"{case['name']}: {len(wrong)} of {len(found)} tensors deviate by more"
      f" than {TOLERANCE}, relatively:\n{lines}"
    )
