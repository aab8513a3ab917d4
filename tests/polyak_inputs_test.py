# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of what Polyak methods do with inputs that are bad, or are not there.

Every member of the family is put to the problem of the conformance kit.
"""

import functools
import inspect

from absl.testing import absltest
from absl.testing import parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import catalogue
from optax_stepsize import core

FAMILY = tuple(
  row
  for row in catalogue.ROWS.values()
  if row.family == "polyak" and row.kind in ("transformation", "twins")
)
OPTIONS = {
  "psps": {
    "hutchinson": {"preconditioner": "hutchinson", "warmup_probes": 2},
    "adagrad": {"preconditioner": "adagrad"},
    "identity": {"preconditioner": "identity"},
    "slack_l2": {"slack": "l2"},
  },
  "sps": {"smoothed": {"smoothing": 2.0, "steps_per_epoch": 3}},
  "momo": {"corrected": {"bias_correction": True}},
  "smb": {"independent": {"independent_batch": True}},
  "twin_polyak": {"averaged": {"b1": 0.5}},
}
CASES = {
  "_".join([row.name, label][: 1 + bool(label)]): (row, options)
  for row in FAMILY
  for label, options in ({"": {}} | OPTIONS.get(row.name, {})).items()
}
# Members whose lower bound, or in its place best return, is no `f_min`.
WITHOUT_BOUND = ("smb", "policy_polyak", "twin_polyak")
CURVATURE = {"w": np.float32([0.5, 1.0, 2.0]), "b": np.float32(0.7)}
TARGET = {"w": np.float32([1.0, -2.0, 3.0]), "b": np.float32(-0.5)}


def loss(params):
  terms = jax.tree.map(
    lambda p, c, t: jnp.sum(c * (p - t) ** 2) / 2, params, CURVATURE, TARGET
  )
  return sum(jax.tree.leaves(terms), jnp.zeros(()))


def product(vector):
  return jax.tree.map(jnp.multiply, CURVATURE, vector)


def made(name):
  row, options = CASES[name]
  return row.factory(**row.example | options)


def start(name):
  params = {"w": jnp.zeros(3), "b": jnp.zeros(())}
  if CASES[name][0].kind == "twins":
    return jax.tree.map(lambda p: jnp.stack([p, p + 1]), params)
  return params


@functools.partial(
  jax.jit,
  static_argnums=0,
  compiler_options={"xla_backend_optimization_level": 0},
)
def _step(name, state, params, added, f_min, target_value, scale):
  row, _ = CASES[name]
  value_and_grad = jax.value_and_grad(loss)
  if row.kind == "twins":
    value, grads = jax.vmap(value_and_grad)(params)
  else:
    value, grads = value_and_grad(params)
  if row.kind == "twins" or "target_value" in row.needs:
    value = -value
  return made(name).update(
    jax.tree.map(lambda g: scale * g, grads),
    state,
    params,
    value=value + added,
    f_min=f_min,
    target_value=target_value,
    value_and_grad_fn=value_and_grad,
    hvp_fn=product,
  )


def step(
  name, state, params, added=0.0, f_min=0.0, target_value=0.0, scale=1.0
):
  """One update, with the given number added to the loss."""
  numbers = map(np.float32, (added, f_min, target_value, scale))
  return _step(name, state, params, *numbers)


def trained(name, steps=2):
  """State and parameters after some updates."""
  params = start(name)
  state = made(name).init(params)
  for _ in range(steps):
    updates, state = step(name, state, params)
    params = optax.apply_updates(params, updates)
  return state, params


def every_input(name):
  """All that any member of the family may be given."""
  params = start(name)
  twins = CASES[name][0].kind == "twins"
  return {
    "params": params,
    "value": jnp.ones((2,) if twins else ()),
    "target_value": jnp.zeros(()),
    "value_and_grad_fn": jax.value_and_grad(loss),
    "hvp_fn": product,
  }


def shape_of_update(name, inputs):
  """Raises what `update` raises for these inputs."""
  tx, params = made(name), start(name)
  state = jax.eval_shape(tx.init, params)
  return jax.eval_shape(lambda s: tx.update(params, s, **inputs), state)


def without_counts(state):
  """All of a state but its counters of calls."""
  return [
    leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    if getattr(path[-1], "name", "") != "count"
  ]


class FamilyTest(parameterized.TestCase):
  @parameterized.parameters(*CASES)
  def test_loss_that_is_not_finite_changes_nothing(self, name):
    for steps in (0, 2):
      state, params = trained(name, steps)
      for bad in (np.nan, np.inf, -np.inf):
        changes = ["added"]
        if "target_value" in CASES[name][0].needs:
          changes.append("target_value")
        if "f_min" in inspect.signature(CASES[name][0].factory).parameters:
          changes.append("f_min")
        for change in changes:
          updates, new = step(name, state, params, **{change: bad})
          for leaf in jax.tree.leaves(updates):
            np.testing.assert_array_equal(leaf, 0)
          chex.assert_trees_all_equal(
            without_counts(new), without_counts(state)
          )

  @parameterized.parameters(*CASES)
  def test_gradient_that_is_not_finite_moves_nothing(self, name):
    state, params = trained(name)
    for bad in (np.nan, np.inf):
      updates, new = step(name, state, params, scale=bad)
      for leaf in jax.tree.leaves(updates):
        np.testing.assert_array_equal(leaf, 0)
      chex.assert_tree_all_finite(new)
      # And is forgotten.
      updates, new = step(name, new, params)
      chex.assert_tree_all_finite((updates, new))

  @parameterized.parameters(*CASES)
  def test_zero_gradient_is_no_information(self, name):
    state, params = trained(name, 0)
    for _ in range(3):
      updates, state = step(name, state, params, scale=0.0)
      for leaf in jax.tree.leaves(updates):
        np.testing.assert_array_equal(leaf, 0)
      chex.assert_tree_all_finite(state)
    # Later gradients do their work.
    before = np.sum(jax.vmap(loss)(self.twins(name, params)))
    for _ in range(60):
      updates, state = step(name, state, params)
      params = optax.apply_updates(params, updates)
    after = np.sum(jax.vmap(loss)(self.twins(name, params)))
    self.assertLess(after, before)

  def twins(self, name, params):
    if CASES[name][0].kind == "twins":
      return params
    return jax.tree.map(lambda p: p[None], params)

  @parameterized.parameters(
    *(n for n, (row, _) in CASES.items() if row.name not in WITHOUT_BOUND)
  )
  def test_loss_below_its_bound_gives_no_step(self, name):
    # Of a first update: where there is momentum, it moves on.
    state, params = trained(name, 0)
    updates, new = step(name, state, params, f_min=loss(params) + 1)
    for leaf in jax.tree.leaves(updates):
      np.testing.assert_array_equal(leaf, 0)
    chex.assert_tree_all_finite(new)
    # With another bound there is one.
    updates, _ = step(name, new, params)
    self.assertTrue(np.all(updates["w"] * (TARGET["w"] - params["w"]) > 0))

  def test_others_have_no_bound(self):
    for row in FAMILY:
      bounded = "f_min" in inspect.signature(row.factory).parameters
      self.assertEqual(bounded, row.name not in WITHOUT_BOUND, row.name)

  def test_return_above_its_target_gives_no_step(self):
    state, params = trained("policy_polyak")
    updates, _ = step(
      "policy_polyak", state, params, target_value=-loss(params) - 1
    )
    np.testing.assert_array_equal(updates["w"], 0)

  def test_level_of_the_loss_does_not_matter_without_a_bound(self):
    params = start("smb")
    moves = []
    for level in (0.0, -50.0):

      def value_and_grad_fn(p, level=level):
        value, grads = jax.value_and_grad(loss)(p)
        return value + level, grads

      @jax.jit
      def run(params, value_and_grad_fn=value_and_grad_fn):
        tx = optax_stepsize.smb(2.0)
        value, grads = value_and_grad_fn(params)
        return tx.update(
          grads,
          tx.init(params),
          params,
          value=value,
          value_and_grad_fn=value_and_grad_fn,
        )[0]

      moves.append(run(params))
    chex.assert_trees_all_close(*moves, rtol=1e-5)

  @parameterized.parameters(*CASES)
  def test_missing_inputs_are_named_with_the_fix(self, name):
    row, options = CASES[name]
    needs = list(row.needs)
    if options.get("preconditioner") == "hutchinson":
      needs.append("hvp_fn")
    every = every_input(name)
    for missing in needs:
      inputs = {k: v for k, v in every.items() if k != missing}
      for given in (inputs, inputs | {missing: None}):
        with self.assertRaises(ValueError) as error:
          shape_of_update(name, given)
        what, call = core.INPUTS[missing]
        self.assertEqual(
          str(error.exception),
          f"{row.name}: update() needs `{missing}`, {what}. Fix: {call}.",
        )

  @parameterized.parameters(*CASES)
  def test_loss_of_another_shape_is_refused(self, name):
    text = f"{CASES[name][0].name}: value must .*, got .*Fix: "
    with self.assertRaisesRegex(ValueError, text):
      shape_of_update(name, every_input(name) | {"value": jnp.ones(3)})


if __name__ == "__main__":
  absltest.main()
