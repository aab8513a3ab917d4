# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of what users trip over elsewhere, on every method of the catalogue."""

import functools
import inspect
import math

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

# Twins, whose parameters are stacked, are left to the conformance kit.
ROWS = tuple(
  r
  for r in catalogue.ROWS.values()
  if r.kind not in ("schedule", "tool", "twins")
)
RATED = tuple(r for r in ROWS if "learning_rate" in r.factory.__annotations__)
STEPS = 60
# What some of them need; others take no notice.
INPUTS = {
  "value": 1.0,
  "target_value": 2.0,
  "value_and_grad_fn": lambda params: (jnp.ones(()), params),
}


def named(rows):
  return parameterized.named_parameters((row.name, row) for row in rows)


def tree(dtype=jnp.float32):
  return {
    "w": jnp.arange(6, dtype=dtype).reshape(2, 3),
    "none": None,
    "b": jnp.ones((), dtype),
  }


def gradient(params):
  return jax.tree.map(lambda p: 2 * (p - jnp.full_like(p, 3)), params)


@functools.cache
def made(name):
  row = catalogue.get(name)
  return row.factory(**row.example)


def step(tx, params, state):
  updates, state = tx.update(gradient(params), state, params, **INPUTS)
  return optax.apply_updates(params, updates), state


@functools.cache
def feed(name):
  """Whether all was finite after each of STEPS gradients."""
  tx = made(name)

  def run(params, grads):
    def one(carry, grad):
      params, state = carry
      updates, state = tx.update(grad, state, params, **INPUTS)
      leaves = jax.tree.leaves((updates, state))
      fine = [jnp.all(jnp.isfinite(x)) for x in leaves]
      params = optax.apply_updates(params, updates)
      return (params, state), jnp.all(jnp.stack(fine))

    return jax.lax.scan(one, (params, tx.init(params)), grads)[1]

  return jax.jit(run)


def refused():
  """Rows, arguments and values that these cannot have."""
  words, function = ("x", math.nan), lambda count: count
  numbers = {
    float: (*words, None, function),
    float | None: (*words, function),
    chex.Numeric: (*words, None, function),
    chex.Numeric | None: (*words, function),
    core.ScalarOrSchedule: (*words, None),
  }
  dtypes = (jnp.int32, "int8", complex, "", "foo", 3)
  for row in catalogue.ROWS.values():
    for name, kind in inspect.get_annotations(row.factory).items():
      values = dtypes if name.endswith("dtype") else numbers.get(kind, ())
      # The losses of a run that diverged are NaN, and score it.
      if values and (row.name, kind) != ("score_policy", float):
        yield f"{row.name}_{name}", row, name, values


class ArgumentsTest(parameterized.TestCase):
  @parameterized.named_parameters(*refused())
  def test_names_the_argument(self, row, name, values):
    for value in values:
      with self.assertRaisesRegex(
        ValueError, rf"^\w+: .*\b{name}\b", msg=repr(value)
      ):
        row.factory(**row.example | {name: value})


class NumbersTest(parameterized.TestCase):
  @named(ROWS)
  def test_zero_gradients_at_any_time(self, row):
    rng = np.random.RandomState(0)
    noise = jax.tree.map(
      lambda p: np.float32(rng.standard_normal((STEPS, *p.shape))), tree()
    )
    for still in ([0], [30], range(5, 55), range(STEPS)):
      grads = jax.tree.map(np.copy, noise)
      for leaf in jax.tree.leaves(grads):
        leaf[np.asarray(still)] = 0
      fine = feed(row.name)(tree(), grads)
      self.assertTrue(bool(jnp.all(fine)), f"zero gradients in {still}")
    one = noise | {"w": np.zeros_like(noise["w"])}
    self.assertTrue(bool(jnp.all(feed(row.name)(tree(), one))))

  @named(RATED)
  def test_the_rate_may_be_given_in_any_form(self, row):
    forms = [0.5, np.float16(0.5), np.float32(0.5), np.float64(0.5)]
    forms += [jnp.asarray(0.5), 1, lambda count: 0.5]
    forms += [lambda count: jnp.asarray(0.5, jnp.bfloat16)]
    for form in forms:
      tx = row.factory(**row.example | {"learning_rate": form})
      for dtype in (jnp.bfloat16, jnp.float16, jnp.float32):
        params = tree(dtype)
        state = jax.eval_shape(tx.init, params)
        updates, new = jax.eval_shape(
          lambda p, s, tx=tx: tx.update(p, s, p, **INPUTS), params, state
        )
        chex.assert_trees_all_equal_dtypes(updates, params)
        self.assertEqual(new, state)

  @named(RATED)
  def test_the_schedule_is_called_once_per_update_from_zero(self, row):
    calls = []

    def schedule(count):
      jax.debug.callback(lambda k: calls.append(int(k)), count)
      return jnp.asarray(0.5)

    tx = row.factory(**row.example | {"learning_rate": schedule})
    params = tree()
    run = jax.jit(lambda params, state: step(tx, params, state)[1])
    state = tx.init(params)
    for _ in range(3):
      state = run(params, state)
      jax.effects_barrier()
    self.assertEqual(calls, [0, 1, 2])


class ContractTest(parameterized.TestCase):
  @named(ROWS)
  def test_fresh_state_can_be_donated_with_the_parameters(self, row):
    tx = made(row.name)
    params = tree()
    state = tx.init(params)
    pointers = [x.unsafe_buffer_pointer() for x in jax.tree.leaves(params)]
    for leaf in jax.tree.leaves(state):
      self.assertNotIn(leaf.unsafe_buffer_pointer(), pointers)
    everything = [
      x.unsafe_buffer_pointer() for x in jax.tree.leaves((params, state))
    ]
    self.assertLen(set(everything), len(everything))
    donating = jax.jit(functools.partial(step, tx), donate_argnums=(0, 1))
    keeping = jax.jit(functools.partial(step, tx))
    wanted = keeping(*keeping(tree(), tx.init(tree())))
    found = donating(*donating(params, state))
    chex.assert_trees_all_close(found, wanted, rtol=1e-6)

  @named(ROWS)
  def test_avals_stay_and_nothing_compiles_twice(self, row):
    tx = made(row.name)
    for dtype in (jnp.float32, jnp.bfloat16):
      params = tree(dtype)
      state = jax.eval_shape(tx.init, params)
      for _ in range(2):
        new = jax.eval_shape(functools.partial(step, tx), params, state)[1]
        self.assertEqual(new, state)
        self.assertFalse(any(x.weak_type for x in jax.tree.leaves(new)))
        state = new
    run = jax.jit(functools.partial(step, tx))
    params, state = tree(), tx.init(tree())
    for _ in range(3):
      params, state = run(params, state)
    self.assertEqual(run._cache_size(), 1)

  @named(ROWS)
  def test_absent_leaves_stay_absent(self, row):
    tx = made(row.name)
    run = jax.jit(lambda p: step(tx, p, tx.init(p)))
    params = jax.eval_shape(run, tree())[0]
    self.assertEqual(jax.tree.structure(params), jax.tree.structure(tree()))
    self.assertIsNone(params["none"])

  @named(ROWS)
  def test_leaf_that_cannot_be_trained_is_named(self, row):
    for bad in (jnp.arange(2), 1.0, jnp.tanh):
      params = {"good": jnp.ones(2), "list": [jnp.ones(1), bad]}
      with self.assertRaisesRegex(
        ValueError, r"^\w+: params\['list'\]\[1\] (is|has).*Fix: "
      ):
        made(row.name).init(params)

  @named(ROWS)
  def test_numpy_arrays_are_parameters_as_well(self, row):
    # NumPy makes float64 unless it is asked not to; JAX takes it for float32.
    for params in (np.ones(2), np.ones(2, np.float32)):
      tx = made(row.name)
      state = tx.init(params)
      updates, _ = tx.update(jnp.ones(2), state, params, **INPUTS)
      self.assertEqual(updates.dtype, jnp.float32)

  @named(ROWS)
  def test_init_on_shapes(self, row):
    shapes = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree(jnp.bfloat16)
    )
    found = made(row.name).init(shapes)
    wanted = jax.eval_shape(made(row.name).init, tree(jnp.bfloat16))
    self.assertEqual(found, wanted)

  @named(ROWS)
  def test_map_params_reaches_what_is_like_the_parameters(self, row):
    tx = made(row.name)
    params = {"w": jnp.ones((2, 3)), "b": jnp.ones(7)}
    state = jax.eval_shape(tx.init, params)
    marked = optax.tree.map_params(
      tx,
      lambda leaf, name: name,
      state,
      {"w": "w", "b": "b"},
      transform_non_params=lambda _: "other",
    )
    shapes = {(2, 3): "w", (7,): "b"}
    for leaf, mark in zip(
      jax.tree.leaves(state), jax.tree.leaves(marked), strict=True
    ):
      if leaf.shape in shapes:
        self.assertEqual(mark, shapes[leaf.shape])
    if row.name == "prodigy":
      inner = marked.inner_state
      self.assertEqual((inner.count, inner.distance), ("other", "other"))
      self.assertEqual(inner.anchor, {"w": "w", "b": "b"})


class StepSizesTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("sps", optax_stepsize.sps, "0/step_size"),
    ("dog", optax_stepsize.dog, "inner_state/1/step_size"),
    ("prodigy", optax_stepsize.prodigy, "inner_state/step_size"),
    (
      "schedule_free",
      lambda: optax_stepsize.schedule_free_adamw(),
      "step_size",
    ),
    (
      "chain",
      lambda: optax.chain(optax.clip(1.0), optax_stepsize.sps()),
      "1/0/step_size",
    ),
    (
      "named_chain",
      lambda: optax.named_chain(
        ("clip", optax.clip(1.0)), ("adapt", optax_stepsize.sps())
      ),
      "adapt/0/step_size",
    ),
    (
      "masked",
      lambda: optax.masked(optax_stepsize.sps(), True),
      "inner_state/0/step_size",
    ),
    (
      "partition",
      lambda: optax.partition({"all": optax_stepsize.sps()}, "all"),
      "inner_states/all/inner_state/0/step_size",
    ),
    (
      "accumulate",
      lambda: core.accumulate(optax_stepsize.sps(), 2),
      "inner_state/0/step_size",
    ),
    (
      "multi_steps",
      lambda: optax.MultiSteps(
        optax_stepsize.sps(), 2
      ).gradient_transformation(),
      "inner_opt_state/0/step_size",
    ),
    (
      "apply_if_finite",
      lambda: optax.apply_if_finite(optax_stepsize.sps(), 2),
      "inner_state/0/step_size",
    ),
    (
      "inject_hyperparams",
      lambda: optax.inject_hyperparams(optax_stepsize.sps)(c=0.5),
      "inner_state/0/step_size",
    ),
  )
  def test_paths(self, make, path):
    state = make().init(tree())
    self.assertEqual(list(optax_stepsize.step_sizes(state)), [path])

  def test_two_methods_have_two_paths(self):
    tx = optax.partition(
      {"a": optax_stepsize.prodigy(), "b": optax_stepsize.dog()},
      {"w": "a", "b": "b", "none": "a"},
    )
    found = optax_stepsize.step_sizes(tx.init(tree()))
    self.assertLen(found, 2)
    self.assertEmpty(optax_stepsize.step_sizes(optax.adam(1.0).init(tree())))

  @parameterized.parameters("dog", "ldog", "sps")
  def test_step_is_the_update_over_the_direction(self, name):
    # One number, or one for each leaf.
    tx = made(name)
    params = tree()

    @jax.jit
    def run(params):
      state = tx.init(params)
      for _ in range(3):
        last, (params, state) = params, step(tx, params, state)
      move = jax.tree.map(jnp.subtract, params, last)
      direction = gradient(last)
      ratio = jax.tree.map(
        lambda u, g: (
          jnp.linalg.norm(u.reshape(-1)) / jnp.linalg.norm(g.reshape(-1))
        ),
        move,
        direction,
      )
      return ratio, state

    with core.enable_x64(True):
      params = jax.tree.map(lambda p: p.astype(jnp.float64), params)
      ratio, state = run(params)
    (steps,) = optax_stepsize.step_sizes(state).values()
    if name != "ldog":
      steps = jax.tree.map(lambda _: steps, ratio)
    chex.assert_trees_all_close(
      jax.device_get(ratio), jax.device_get(steps), rtol=1e-5
    )

  def test_step_of_prodigy_and_of_schedule_free(self):
    def one(tx):
      run = jax.jit(lambda p: step(tx, *step(tx, p, tx.init(p))))
      return run(tree())[1]

    state = one(optax_stepsize.prodigy(lambda count: 0.5)).inner_state
    np.testing.assert_allclose(state.step_size, 0.5 * 1e-6, rtol=1e-6)
    state = one(optax_stepsize.schedule_free_adamw(0.2, warmup_steps=4))
    np.testing.assert_allclose(state.step_size, 0.1, rtol=1e-6)


if __name__ == "__main__":
  absltest.main()
