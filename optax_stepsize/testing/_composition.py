# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Properties of composition: wrappers, odd trees, inputs and schedules."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import optax

from optax_stepsize import core
from optax_stepsize.testing import _subject as subjects
from optax_stepsize.testing import _transforms
from optax_stepsize.testing._report import Advice
from optax_stepsize.testing._report import Failure
from optax_stepsize.testing._report import NotApplicable
from optax_stepsize.testing._subject import Problem
from optax_stepsize.testing._subject import Subject


def accumulation(subject: Subject) -> None:
  """K micro-batches do what one batch of all of them does.

  Micro-batches differ by noise that sums to zero, in gradients and in `value`.
  Methods that declare no `value` are put into `optax.MultiSteps`, which would
  give those that do the loss of the last micro-batch only; all are put into
  `accumulate`.
  """
  noise = subjects.tree(5, subject.problem.sizes)
  uneven = subject.problem.as_value(jnp.asarray(0.5))
  averaged = {"value": uneven.shape}
  wrappers = {
    "accumulate": lambda: core.accumulate(subject.tx, 2, averaged=averaged)
  }
  if "value" not in subject.needs:
    wrappers["optax.MultiSteps"] = lambda: optax.MultiSteps(
      subject.tx, 2
    ).gradient_transformation()

  for name, wrap in wrappers.items():
    tx = wrap()

    @subjects.compiled
    def run(params, tx=tx):
      def body(carry, sign):
        params, state = carry
        grads = jax.tree.map(
          lambda g, n: g + sign * n, subject.problem.gradient(params), noise
        )
        inputs = subject.problem.inputs(subject.needs, params)
        if "value" in inputs:
          inputs["value"] = inputs["value"] + sign * uneven
        updates, state = tx.update(grads, state, params, **inputs)
        return (optax.apply_updates(params, updates), state), updates

      signs = jnp.array([1.0, -1.0] * 3)
      return subject.repeat(body, (params, tx.init(params)), signs)

    moves = run(subject.problem.init())
    between = jax.tree.map(lambda u: u[0::2], moves)
    applied = jax.tree.map(lambda u: u[1::2], moves)
    if any(bool(jnp.any(u != 0)) for u in jax.tree.leaves(between)):
      raise Failure(f"{name}: an update between two batches is not zero")
    _transforms.require_close(
      applied,
      subject.reference_moves,
      f"through {name} and with whole batches",
    )


def _through(subject: Subject, tx: Any) -> tuple[Any, Any]:
  """Moves of the trained leaves and of the scalar under a wrapper."""
  moves = dict(
    subjects.compiled(lambda p: subject.moves(tx, p))(subject.problem.init())
  )
  return moves, moves.pop("scale")


@functools.lru_cache(maxsize=1)  # Two properties compare with it.
def _alone(subject: Subject) -> Any:
  """Moves when the tree has no scalar in the first place.

  The loss still counts the frozen leaf, as it does under a wrapper.
  """
  frozen = subject.problem.init()["scale"]
  shapes = tuple((k, v) for k, v in subject.problem.shapes if k != "scale")
  trained = Problem(shapes, subject.policies)

  def body(carry, _):
    params, state = carry
    grads = dict(subject.problem.gradient({**params, "scale": frozen}))
    del grads["scale"]
    inputs = trained.inputs(subject.needs, params)
    if "value" in inputs:
      inputs["value"] = subject.problem.value({**params, "scale": frozen})
    updates, state = subject.tx.update(grads, state, params, **inputs)
    return (optax.apply_updates(params, updates), state), updates

  def run(params):
    start = params, subject.tx.init(params)
    return subject.repeat(body, start, jnp.arange(3))

  params = subject.problem.init()
  del params["scale"]
  return subjects.compiled(run)(params)


def _tree_inputs(subject: Subject) -> None:
  """Wrappers of subtrees pass on extra arguments as they are."""
  whole = {"grad", "value_fn", "value_and_grad_fn", "hvp", "probe", "hvp_fn"}
  if found := whole & set(subject.needs):
    raise NotApplicable(
      "Optax passes extra arguments to part of a tree unmasked, so that"
      f" {', '.join(sorted(found))} would not match the leaves"
    )


def masked(subject: Subject) -> None:
  """Inside `optax.masked`, nested too, only the selected leaves count."""
  _tree_inputs(subject)
  mask = {"bias": True, "kernel": True, "scale": False}
  tx = optax.masked(
    optax.masked(subject.tx, lambda tree: jax.tree.map(lambda _: True, tree)),
    mask,
  )
  tx = optax.chain(
    optax.masked(optax.set_to_zero(), {k: not v for k, v in mask.items()}), tx
  )
  trained, frozen = _through(subject, tx)
  if bool(jnp.any(frozen != 0)):
    raise Failure("a leaf that the mask leaves out was changed")
  _transforms.require_close(
    trained, _alone(subject), "under a mask and without the masked leaf"
  )


def partition(subject: Subject) -> None:
  """Inside `optax.partition`, leaves of other labels stay as they are."""
  _tree_inputs(subject)
  labels = {"bias": "train", "kernel": "train", "scale": "freeze"}
  tx = optax.partition(
    {"train": subject.tx, "freeze": optax.set_to_zero()}, labels
  )
  trained, frozen = _through(subject, tx)
  if bool(jnp.any(frozen != 0)):
    raise Failure("a frozen leaf was changed")
  _transforms.require_close(
    trained, _alone(subject), "in a partition and without the frozen leaf"
  )


def leaves(subject: Subject) -> None:
  """None leaves, nested and empty trees work; integers give a named error."""
  inputs = {
    "value": subject.problem.as_value(jnp.ones(())),
    "target_value": jnp.zeros(()),
  }
  if set(subject.needs) <= {"params", *inputs}:
    params = {"a": [jnp.ones(3), None], "b": (jnp.ones(()),), "c": {}}
    for tree in map(subject.problem.stacked, (params, {}, jnp.ones((2, 1)))):
      state = subject.tx.init(tree)
      updates, _ = subjects.compiled(subject.tx.update)(
        jax.tree.map(lambda x: 0.5 * x, tree),
        state,
        tree,
        **{k: v for k, v in inputs.items() if k in subject.needs},
      )
      if subjects.structure(updates) != subjects.structure(tree):
        raise Failure(
          f"updates of {subjects.structure(tree)} have the structure"
          f" {subjects.structure(updates)}"
        )
  params = subject.problem.init()
  state = jax.eval_shape(subject.tx.init, params)
  optax.tree_utils.tree_map_params(subject.tx, lambda leaf: leaf, state)

  if subject.is_schedule:
    return  # Its leaves are those of plain SGD, which is not the subject.
  integers = {"a": {"ids": jnp.arange(3)}}
  try:
    subject.tx.init(integers)
  except (TypeError, ValueError) as error:
    if "ids" in str(error):
      return
    raise Advice(
      f"the error for an integer leaf does not give its path: {error}"
    ) from None
  raise Advice("integer leaves are accepted by init")


def extras(subject: Subject) -> None:
  """`update` accepts extra keyword arguments that it does not know."""

  def run(params):
    inputs = subject.problem.inputs(subject.needs, params)
    state = subject.tx.init(params)
    grads = subject.problem.gradient(params)
    return subject.tx.update(grads, state, params, unknown_extra=1.0, **inputs)

  try:
    jax.eval_shape(run, subject.problem.init())
  except TypeError as error:
    raise Failure(f"an unknown keyword argument raises: {error}") from None


def needs(subject: Subject) -> None:
  """Each declared input, if missing, is named by an error; others may miss."""

  def run(params, missing=None):
    inputs = subject.problem.inputs(subject.needs, params)
    inputs.pop(missing, None)
    given = None if missing == "params" else params
    return subject.tx.update(
      subject.problem.gradient(params), subject.tx.init(params), given, **inputs
    )

  params = subject.problem.init()
  try:
    jax.eval_shape(run, params)
  except (TypeError, ValueError) as error:
    raise Failure(f"with all declared inputs: {error}") from None
  for name in subject.needs:
    try:
      jax.eval_shape(lambda p, name=name: run(p, name), params)
    except (TypeError, ValueError) as error:
      if name not in str(error):
        raise Failure(
          f"the error for a missing {name} does not name it: {error}"
        ) from None
    else:
      raise Failure(f"{name} is declared as needed, but update works without")


def origin(subject: Subject) -> None:
  """The k-th update (k = 0, 1, ...) calls `learning_rate(k)`, and once."""
  if "learning_rate" not in subject.parameters:
    raise NotApplicable("no argument learning_rate")
  calls = []

  def schedule(count):
    calls.append(int(count))
    return 0.01

  tx = subject.make(learning_rate=schedule)
  params = subject.small.init()
  state = tx.init(params)
  del calls[:]
  for _ in range(3):
    params, state, _ = subject.step(params, state, tx, subject.small)
  if calls != [0, 1, 2]:
    raise Failure(f"three updates call the schedule with {calls}")
