# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The problem of `problem.py` with a loss, for transcriptions on flat vectors.

The loss of update t is that whose gradient `problem.py` gives: its minimum,
elsewhere for every t, is `offset[t]`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core
from tests.parity import problem as problems

# Polyak steps bounce, and worse the worse the conditioning.
PROBLEM = problems.make_problem(spread=0.5)
STEPS = problems.STEPS
NAMES = tuple(problems.SHAPES)


def flat(tree: dict[str, Any]) -> np.ndarray:
  """The leaves of a tree in the order of NAMES, as one vector."""
  return np.concatenate(
    [np.asarray(tree[name], np.float64).reshape(-1) for name in NAMES]
  )


def start() -> np.ndarray:
  return flat(problems.leaves_of(PROBLEM, "params"))


def curvature() -> np.ndarray:
  return flat(problems.leaves_of(PROBLEM, "curvature"))


def batch(
  zeros: tuple[int, ...] = (), offset: dict[int, float] | None = None
) -> Callable[[int, np.ndarray], tuple[float, np.ndarray]]:
  """The loss and its gradient, as `(k, x) -> (f, g)`."""
  h, target = curvature(), flat(problems.leaves_of(PROBLEM, "target"))
  noise = problems.leaves_of(PROBLEM, "noise")

  def evaluate(k, x):
    g = h * (x - target) + flat({n: v[k] for n, v in noise.items()})
    f = float(np.sum(g**2 / (2 * h))) + (offset or {}).get(k, 0.0)
    return f, np.zeros_like(g) if k in zeros else g

  return evaluate


def replay(
  make: Callable[..., Any],
  options: dict[str, Any],
  read: Callable[[Any], dict],
  *,
  zeros: tuple[int, ...] = (),
  offset: dict[int, float] | None = None,
  inputs: dict[str, Any] | None = None,
  update: Callable[..., Any] | None = None,
) -> dict:
  """Runs our method in float64; what `read(state)` returned, and "params"."""
  h, target = (
    problems.leaves_of(PROBLEM, key) for key in ("curvature", "target")
  )
  offsets = np.zeros(STEPS)
  for k, number in (offset or {}).items():
    offsets[k] = number

  def call(tx, grads, state, params, value, stream):
    stream = {k: stream[k] for k in inputs or {}}
    return tx.update(grads, state, params, value=value, **stream)

  def value_of(params, stream):
    terms = jax.tree.map(
      lambda h, p, t, n: jnp.sum((h * (p - t) + n) ** 2 / (2 * h)),
      h,
      params,
      target,
      stream["noise"],
    )
    return sum(jax.tree.leaves(terms)) + stream["offset"]

  def run(stream):
    tx = make(**options)

    def step(carry, stream):
      params, state = carry
      grads = jax.tree.map(
        lambda h, p, t, n: jnp.where(stream["active"], h * (p - t) + n, 0.0),
        h,
        params,
        target,
        stream["noise"],
      )
      updates, state = (update or call)(
        tx, grads, state, params, value_of(params, stream), stream
      )
      params = optax.apply_updates(params, updates)
      return (params, state), {"params": params} | read(state)

    params = jax.tree.map(jnp.asarray, problems.leaves_of(PROBLEM, "params"))
    return jax.lax.scan(step, (params, tx.init(params)), stream)[1]

  stream = {
    "noise": problems.leaves_of(PROBLEM, "noise"),
    "active": np.isin(np.arange(STEPS), zeros, invert=True),
    "offset": offsets,
  } | (inputs or {})
  with core.enable_x64(True):
    return jax.device_get(jax.jit(run)(stream))


def assert_sequence(ours: Any, theirs: Any, what: str) -> None:
  """Compares a sequence of numbers or trees, each relative to its size."""
  for k, right in enumerate(theirs):
    found = jax.tree.map(lambda x, k=k: x[k], ours)
    found = flat(found) if isinstance(found, dict) else found
    error = np.max(np.abs(found - right))
    size = max(np.max(np.abs(right)), np.finfo(np.float64).tiny)
    if not error <= problems.TOLERANCE * size:
      raise AssertionError(f"{what} after update {k + 1}: off by {error:.2e}")
