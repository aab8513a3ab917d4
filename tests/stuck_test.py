# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `is_stuck`."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize

# Parameters that a first step of 1e-8 or 1e-6 leaves where they are.
LARGE = {"w": np.full(3, 1e3, np.float32), "b": np.full(2, 1e3, np.float32)}
DOG = functools.partial(optax_stepsize.dog, reps_rel=1e-9)
LDOG = functools.partial(optax_stepsize.ldog, reps_rel=1e-9)
STUCK = {"dog": DOG, "ldog": LDOG, "prodigy": optax_stepsize.prodigy}
MOVING = {
  "dog": optax_stepsize.dog,
  "ldog": optax_stepsize.ldog,
  "prodigy": functools.partial(optax_stepsize.prodigy, d0=1e-2),
}
GRADS = {"w": np.float32([1, -2, 0.5]), "b": np.float32([1, 1])}


def state_after(tx, grads=GRADS, steps=20, params=LARGE):
  tx = optax.with_extra_args_support(tx)

  def step(carry, _):
    params, state = carry
    updates, state = tx.update(grads, state, params, value=jnp.ones(()))
    return (optax.apply_updates(params, updates), state), None

  def run(params):
    return jax.lax.scan(step, (params, tx.init(params)), length=steps)[0][1]

  with jax.numpy_dtype_promotion("standard"):
    return jax.jit(run)(params)


class StuckTest(parameterized.TestCase):
  @parameterized.parameters(*STUCK)
  def test_tells_what_moves_from_what_does_not(self, name):
    ask = functools.partial(optax_stepsize.is_stuck, patience=10)
    self.assertTrue(ask(state_after(STUCK[name]())))
    self.assertFalse(ask(state_after(MOVING[name]())))
    # Not before its time, and never without a gradient.
    self.assertFalse(ask(state_after(STUCK[name](), steps=9)))
    zero = jax.tree.map(np.zeros_like, GRADS)
    self.assertFalse(ask(state_after(STUCK[name](), zero)))
    self.assertFalse(ask(STUCK[name]().init(LARGE)))
    self.assertFalse(optax_stepsize.is_stuck(state_after(STUCK[name]())))
    fresh = STUCK[name]().init(LARGE)
    self.assertFalse(optax_stepsize.is_stuck(fresh, patience=0))

  @parameterized.parameters("dog", "ldog")
  def test_what_waits_for_a_gradient_or_a_rate_is_given_its_time(self, name):
    # Thirty updates in which nothing can move, and then five.
    late = np.arange(35) >= 30
    for rates, grads in ((np.ones(35), late), (late, np.ones(35))):
      rates = jnp.asarray(rates, jnp.float32)
      tx = STUCK[name](lambda count, rates=rates: rates[count])
      params, state = LARGE, tx.init(LARGE)
      update = jax.jit(tx.update)
      for size in np.asarray(grads, np.float32):
        scaled = jax.tree.map(lambda g, size=size: size * g, GRADS)
        updates, state = update(scaled, state, params)
        params = optax.apply_updates(params, updates)
      self.assertFalse(optax_stepsize.is_stuck(state, patience=6))
      self.assertTrue(optax_stepsize.is_stuck(state, patience=5))

  @parameterized.parameters(
    "dadapt_sgd", "dadapt_adagrad", "dadapt_adam", "dadapt_adan", "dadapt_lion"
  )
  def test_d_adaptation_is_where_gradients_only_fluctuate(self, name):
    tx = getattr(optax_stepsize, name)(d0=0.1)

    def run(signs):
      def step(state, sign):
        grads = jax.tree.map(lambda g: sign * g, GRADS)
        return tx.update(grads, state, LARGE)[1], None

      return jax.lax.scan(step, tx.init(LARGE), signs)[0]

    with jax.numpy_dtype_promotion("standard"):
      still, moving = (
        jax.jit(run)(np.tile(np.float32(pair), 20))
        for pair in ([1, -1], [1, 1])
      )
    self.assertTrue(optax_stepsize.is_stuck(still, patience=10))
    self.assertFalse(optax_stepsize.is_stuck(still, patience=50))
    self.assertFalse(optax_stepsize.is_stuck(moving, patience=10))

  @parameterized.named_parameters(
    ("chain", lambda tx: optax.chain(optax.clip(9.0), tx)),
    ("masked", lambda tx: optax.masked(tx, True)),
    ("partition", lambda tx: optax.partition({"a": tx}, "a")),
    ("finite", lambda tx: optax.apply_if_finite(tx, 3)),
    ("accumulate", lambda tx: optax_stepsize.accumulate(tx, 1)),
    (
      "multi_steps",
      lambda tx: optax.MultiSteps(tx, 1).gradient_transformation(),
    ),
  )
  def test_is_found_in_any_wrapper(self, wrap):
    for factories, wanted in ((STUCK, True), (MOVING, False)):
      state = state_after(wrap(factories["prodigy"]()))
      found = optax_stepsize.is_stuck(state, patience=10, by_path=True)
      self.assertEqual(list(map(bool, found.values())), [wanted])
      (path,) = found
      self.assertIn(f"{path}/step_size", optax_stepsize.step_sizes(state))

  def test_which_one(self):
    tx = optax.partition(
      {"a": STUCK["prodigy"](), "b": MOVING["dog"]()}, {"w": "a", "b": "b"}
    )
    state = state_after(tx)
    ask = jax.jit(
      functools.partial(optax_stepsize.is_stuck, patience=10, by_path=True)
    )
    found = {path.split("/")[1]: bool(x) for path, x in ask(state).items()}
    self.assertEqual(found, {"a": True, "b": False})
    self.assertTrue(optax_stepsize.is_stuck(state, patience=10))

  def test_each_leaf_and_each_group(self):
    # Small parameters move where large ones cannot.
    params = LARGE | {"b": np.full(2, 1e-3, np.float32)}
    state = state_after(LDOG(), params=params)
    (found,) = optax_stepsize.is_stuck(
      state, patience=10, by_path=True
    ).values()
    self.assertEqual(jax.tree.map(bool, found), {"w": True, "b": False})
    tx = optax_stepsize.prodigy(per_group="leaf")
    found = optax_stepsize.is_stuck(
      state_after(tx, params=params), patience=10, by_path=True
    )
    found = {path.split("/")[2]: bool(x) for path, x in found.items()}
    self.assertEqual(found, {"w": True, "b": False})

  def test_nothing_to_find(self):
    state = optax.adam(1.0).init(LARGE)
    self.assertFalse(optax_stepsize.is_stuck(state))
    self.assertEqual(optax_stepsize.is_stuck(state).dtype, jnp.bool_)
    self.assertEqual(optax_stepsize.is_stuck(state, by_path=True), {})

  def test_patience(self):
    for bad in (-1, 1.5, None):
      with self.assertRaisesRegex(ValueError, "^is_stuck: patience must be an"):
        optax_stepsize.is_stuck(optax.EmptyState(), patience=bad)


if __name__ == "__main__":
  absltest.main()
