# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The rows of `docs/migration.md`, and the problem that they are run on."""

import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

_DOCS = pathlib.Path(__file__).parents[2] / "docs" / "migration.md"
_ROW = re.compile(r"^\| `(.+?)` \| `(.+?)` \| (.*) \|$", re.MULTILINE)
STEPS = 60
TOLERANCE = 1e-10
_RNG = np.random.RandomState(0)
START = {
  "w": _RNG.uniform(-2, 2, (2, 3)),
  "b": _RNG.uniform(-2, 2, 3),
  "s": np.array([0.5]),
}
CURVATURE = jax.tree.map(
  lambda p: 10 ** _RNG.uniform(-1.0, 0.5, p.shape), START
)
TARGET = jax.tree.map(lambda p: p + _RNG.uniform(1, 3, p.shape), START)
NOISE = jax.tree.map(
  lambda p: _RNG.uniform(-0.3, 0.3, (STEPS, *p.shape)), START
)
# What the table does not spell out.
NAMES = {
  "optax": optax,
  "ours": optax_stepsize,
  "norm": np.sqrt(sum(np.sum(p**2) for p in START.values())),
  "mask": {"w": True, "b": False, "s": True},
  "warmup": lambda count: jnp.minimum((count + 1) / 10, 1.0),
}


def rows(section):
  """(theirs, ours, note) of the rows of a section."""
  text = _DOCS.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
  return _ROW.findall(text)


def made(expression):
  """The transformation of a cell of the table."""
  with core.enable_x64(True):
    return eval(expression, dict(NAMES))


def gradient(params, noise):
  return jax.tree.map(
    lambda h, p, t, n: h * (p - t) + n, CURVATURE, params, TARGET, noise
  )


def train(tx, paired=False):
  """Parameters, and points of evaluation, after each step.

  Args:
    tx: What to train with.
    paired: Whether it works on pairs of fast and slow parameters.
  """
  tx = optax.with_extra_args_support(tx)

  def step(carry, noise):
    params, state = carry
    point = params.fast if paired else params
    updates, state = tx.update(gradient(point, noise), state, params)
    params = optax.apply_updates(params, updates)
    seen = params.fast if paired else params
    if isinstance(state, optax.contrib.ScheduleFreeState):
      average = optax.contrib.schedule_free_eval_params(state, params)
    else:
      average = params.slow if paired else core.eval_params(state, params)
    return (params, state), (seen, average)

  def run(start, noise):
    if paired:
      start = optax.LookaheadParams.init_synced(start)
    return jax.lax.scan(step, (start, tx.init(start)), noise)[1]

  # Optax relies on JAX's defaults.
  with (
    core.enable_x64(True),
    jax.numpy_dtype_promotion("standard"),
    jax.numpy_rank_promotion("allow"),
  ):
    return jax.device_get(jax.jit(run)(START, NOISE))


def deviation(found, wanted):
  """Largest difference, relative to the largest entry of each leaf."""
  leaves = zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True)
  return max(np.max(np.abs(a - b)) / np.max(np.abs(b)) for a, b in leaves)
