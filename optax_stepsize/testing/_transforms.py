# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Properties of shapes, program transformations and hyperparameters."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optax_stepsize.testing import _subject as subjects
from optax_stepsize.testing._report import Failure
from optax_stepsize.testing._report import NotApplicable
from optax_stepsize.testing._subject import Subject

# float32 rounding, amplified by three steps of an adaptive method.
TOLERANCE = 2e-3


def require_same_avals(old: Any, new: Any, what: str) -> None:
  """Raises Failure unless two trees agree in structure, shapes and dtypes."""
  if subjects.structure(old) != subjects.structure(new):
    raise Failure(
      f"the structure of the state {what}: {subjects.structure(old)} became"
      f" {subjects.structure(new)}"
    )
  for (path, a), b in zip(
    jax.tree_util.tree_leaves_with_path(old), jax.tree.leaves(new), strict=True
  ):
    if not isinstance(a, (jax.Array, jax.ShapeDtypeStruct)):
      raise Failure(f"{subjects.leaf_name(path)} is {a!r}, not an array")
    a, b = jax.typeof(a), jax.typeof(b)
    if subjects.describe(a) != subjects.describe(b):
      raise Failure(
        f"{subjects.leaf_name(path)} {what}: {subjects.describe(a)} became"
        f" {subjects.describe(b)}"
      )


def require_close(actual: Any, expected: Any, what: str) -> None:
  """Raises Failure if two stacks of updates differ by more than rounding."""
  error = subjects.distance(actual, expected)
  if not error <= TOLERANCE:
    raise Failure(f"updates {what} differ by {error:.2g} of their norm")


def avals(subject: Subject) -> None:
  """`init` and `update` return states of identical shapes and dtypes."""
  params = subject.problem.init()
  state = subject.tx.init(params)
  for _ in range(2):
    _, new_state, updates = subject.jitted_step(params, state)
    require_same_avals(state, new_state, "changes in update")
    if subjects.structure(updates) != subjects.structure(params):
      raise Failure("updates do not have the structure of the parameters")
    for u, p in zip(
      jax.tree.leaves(updates), jax.tree.leaves(params), strict=True
    ):
      if u.shape != p.shape:
        raise Failure(f"an update has shape {u.shape}, its parameter {p.shape}")
    state = new_state


def donation(subject: Subject) -> None:
  """Parameters and a fresh state can be donated; they share no buffer."""
  params = subject.problem.init()
  state = subject.tx.init(params)

  def buffers(tree):
    return {
      leaf.unsafe_buffer_pointer(): path
      for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
      if isinstance(leaf, jax.Array) and leaf.size
    }

  owners = buffers(params)
  for pointer, path in buffers(state).items():
    if pointer in owners:
      raise Failure(
        f"{subjects.leaf_name(path)} shares its buffer with"
        f" {subjects.leaf_name(owners[pointer], 'params')}: init must copy it"
      )
  donating = subjects.compiled(subject.step, donate_argnums=(0, 1))
  for _ in range(2):
    params, state, _ = donating(params, state)
  jax.block_until_ready(params)


def jit(subject: Subject) -> None:
  """Jitted and eager updates agree."""

  def step(params, state):
    return subject.step(params, state, problem=subject.small)

  runs = []
  for one_step in (step, subjects.compiled(step)):
    params = subject.small.init()
    state, moves = subject.tx.init(params), []
    for _ in range(3):
      params, state, updates = one_step(params, state)
      moves.append(updates)
    runs.append(jax.tree.map(lambda *u: jnp.stack(u), *moves))
  require_close(runs[0], runs[1], "eagerly and under jit")


def scan(subject: Subject) -> None:
  """A scan over steps and a loop over a jitted step agree."""

  def body(carry, _):
    params, state, updates = subject.step(*carry)
    return (params, state), updates

  @subjects.compiled
  def run(params):
    start = params, subject.tx.init(params)
    return jax.lax.scan(body, start, None, length=3)[1]

  require_close(
    run(subject.problem.init()),
    subject.reference_moves,
    "in scan and in a loop",
  )


def vmap(subject: Subject) -> None:
  """A batch of two runs equals two runs."""
  params = subject.problem.init()
  both = jax.tree.map(lambda p: jnp.stack([p, p]), params)
  batched = subjects.compiled(jax.vmap(lambda p: subject.moves(subject.tx, p)))(
    both
  )
  for i in range(2):
    one = jax.tree.map(lambda u, i=i: u[i], batched)
    require_close(one, subject.reference_moves, "under vmap and alone")


def retrace(subject: Subject) -> None:
  """A jitted training step is traced once."""
  traces: list[None] = []

  @subjects.compiled
  def step(params, state):
    traces.append(None)
    return subject.step(params, state)[:2]

  params = subject.problem.init()
  state = subject.tx.init(params)
  for _ in range(3):
    params, state = step(params, state)
  if len(traces) != 1:
    raise Failure(f"three equal steps were traced {len(traces)} times")


def abstract(subject: Subject) -> None:
  """`init` takes `jax.ShapeDtypeStruct` and gives the same shapes."""
  params = subject.problem.init()
  shapes = jax.tree.map(
    lambda p: jax.ShapeDtypeStruct(p.shape, p.dtype), params
  )
  concrete = jax.eval_shape(subject.tx.init, params)
  require_same_avals(concrete, subject.tx.init(shapes), "on abstract leaves")


def float_hyperparameters(subject: Subject) -> dict[str, float]:
  """The arguments that are floats and not declared static."""
  found = {}
  for name, parameter in subject.parameters.items():
    value = subject.hyperparameters.get(name, parameter.default)
    if name not in subject.static and isinstance(value, (float, np.floating)):
      found[name] = float(value)
  return found


def traced(subject: Subject) -> None:
  """All float hyperparameters can vary within one vmapped program."""
  floats = float_hyperparameters(subject)
  if not floats:
    raise NotApplicable("no float hyperparameter")
  # One row per hyperparameter: 0.9 times its value, or a little if it is zero.
  rows = np.tile(np.array(list(floats.values()), np.float32), (len(floats), 1))
  for i, value in enumerate(floats.values()):
    rows[i, i] = 0.9 * value if value else 1e-3
  batch = {name: jnp.asarray(rows[:, i]) for i, name in enumerate(floats)}
  params = subject.problem.init()

  def run(values):
    return subject.moves(subject.make(**values), params)

  batched = subjects.compiled(jax.vmap(run))(batch)
  single = subjects.compiled(run)
  for i, name in enumerate(floats):
    one = single({key: value[i] for key, value in batch.items()})
    require_close(
      jax.tree.map(lambda u, i=i: u[i], batched),
      one,
      f"with another {name}, vmapped and alone,",
    )
  # A traced value must mean what the same concrete value means.
  given = {
    name: jnp.asarray(value, jnp.float32) for name, value in floats.items()
  }
  require_close(
    single(given), subject.reference_moves, "with traced and concrete values"
  )
