# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `schedule_free`, the wrapper."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

STEPS = 12
START = {"a": np.array([1.0, -2.0]), "b": np.array(2.0)}
VARIED = {
  "a": np.array([[1.0, 2.0], [0.5, 1.0], [-1.0, 2.0], [2.0, -1.0]] * 3),
  "b": np.array([-2.0, -1.0, 2.0, 1.0] * 3),
}


def feed(tx, start=START, grads=VARIED, **extra_args):
  """y, x and states after each gradient, in float64."""
  tx = optax.with_extra_args_support(tx)

  def step(carry, grad):
    params, state = carry
    updates, state = tx.update(grad, state, params, **extra_args)
    params = optax.apply_updates(params, updates)
    average = optax_stepsize.eval_params(state, params)
    return (params, state), (params, average, state)

  # The rules of Optax's bases are looser than ours.
  with core.enable_x64(True), jax.numpy_dtype_promotion("standard"):
    run = jax.jit(lambda p, g: jax.lax.scan(step, (p, tx.init(p)), g)[1])
    return jax.device_get(run(jax.tree.map(jnp.asarray, start), grads))


def assert_same(found, wanted, rtol=1e-12):
  for which in (0, 1):
    chex.assert_trees_all_close(found[which], wanted[which], rtol=rtol)


class IdentitiesTest(parameterized.TestCase):
  @parameterized.parameters(
    {},
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "mask": {"a": False, "b": True}, "r": 1.0},
    {"warmup_steps": 5, "weight_lr_power": 1.0, "b1": 0.6},
    {"store_x": True, "weight_decay": 0.1},
  )
  def test_around_sgd_it_is_schedule_free_sgd(self, **options):
    wanted = feed(optax_stepsize.schedule_free_sgd(0.1, **options))
    assert_same(
      feed(optax_stepsize.schedule_free(optax.sgd, 0.1, **options)), wanted
    )
    if "warmup_steps" not in options:
      made = optax_stepsize.schedule_free(optax.sgd(0.1), 0.1, **options)
      assert_same(feed(made), wanted)

  def test_around_adam_it_is_schedule_free_adamw(self):
    base = functools.partial(optax.adam, b1=0.0, b2=0.9)
    options = {"weight_decay": 0.1, "warmup_steps": 4, "r": 1.0}
    assert_same(
      feed(optax_stepsize.schedule_free(base, 0.1, **options)),
      feed(optax_stepsize.schedule_free_adamw(0.1, b2=0.9, **options)),
      rtol=1e-9,
    )

  def test_decay_at_z_is_that_of_the_base(self):
    def decaying(rate):
      return optax.chain(optax.add_decayed_weights(0.3), optax.sgd(rate))

    wanted = feed(optax_stepsize.schedule_free(decaying, 0.1))
    found = optax_stepsize.schedule_free(
      optax.sgd, 0.1, weight_decay=0.3, decay_at="z"
    )
    assert_same(feed(found), wanted)
    # At y it is another.
    other = optax_stepsize.schedule_free(optax.sgd, 0.1, weight_decay=0.3)
    difference = feed(other)[0]["a"] - wanted[0]["a"]
    self.assertGreater(np.max(np.abs(difference)), 1e-3)

  def test_base_at_y_decays_there(self):
    def decaying(rate):
      return optax.chain(optax.add_decayed_weights(0.3), optax.sgd(rate))

    found = optax_stepsize.schedule_free(decaying, 0.1, base_params="y")
    wanted = optax_stepsize.schedule_free_sgd(0.1, weight_decay=0.3)
    assert_same(feed(found), feed(wanted))

  def test_base_at_y_is_the_wrapper_of_optax(self):
    # Which decays, and measures distances, where gradients are taken.
    base = optax.chain(optax.add_decayed_weights(0.2), optax.sgd(0.1))
    ours = feed(optax_stepsize.schedule_free(base, 0.1, base_params="y"))
    theirs = optax.contrib.schedule_free(base, 0.1, b1=0.9)

    def step(carry, grad):
      params, state = carry
      updates, state = theirs.update(grad, state, params)
      params = optax.apply_updates(params, updates)
      x = optax.contrib.schedule_free_eval_params(state, params)
      return (params, state), (params, x)

    with core.enable_x64(True), jax.numpy_dtype_promotion("standard"):
      start = jax.tree.map(jnp.asarray, START)
      carry = (start, theirs.init(start))
      wanted = jax.device_get(jax.lax.scan(step, carry, VARIED)[1])
    assert_same(ours, wanted, rtol=1e-10)

  @parameterized.parameters(True, False)
  def test_the_three_points(self, store_x):
    y, x, state = feed(
      optax_stepsize.schedule_free(
        optax.rmsprop, 0.1, weight_decay=0.1, store_x=store_x
      )
    )
    means = np.cumsum(state.z["a"], axis=0) / np.arange(1, 13)[:, None]
    np.testing.assert_allclose(x["a"], means, rtol=1e-12)
    mixed = 0.9 * x["a"] + 0.1 * state.z["a"]
    np.testing.assert_allclose(y["a"], mixed, rtol=1e-13)

  def test_without_interpolation_it_is_the_base(self):
    tx = optax_stepsize.schedule_free(optax.rmsprop, 0.1, b1=0.0, store_x=True)
    y, x, _ = feed(tx)
    points = feed(optax.rmsprop(0.1))[0]
    np.testing.assert_allclose(y["a"], points["a"], rtol=1e-12)
    means = np.cumsum(points["a"], axis=0) / np.arange(1, 13)[:, None]
    np.testing.assert_allclose(x["a"], means, rtol=1e-12)


class BaseTest(parameterized.TestCase):
  def test_base_and_weights_share_one_schedule(self):
    def schedule(count):
      return 0.1 / (jnp.asarray(count, jnp.float64) + 1)

    shared = optax_stepsize.schedule_free(optax.sgd, schedule)
    wanted = feed(optax_stepsize.schedule_free_sgd(schedule))
    assert_same(feed(shared), wanted)
    twice = optax_stepsize.schedule_free(optax.sgd(schedule), schedule)
    assert_same(feed(twice), wanted)
    np.testing.assert_allclose(
      feed(shared)[2].step_size, 0.1 / np.arange(1, 13), rtol=1e-12
    )

  def test_the_schedule_is_called_once(self):
    calls = []

    def schedule(count):
      calls.append(count)
      return jnp.asarray(0.1)

    tx = optax_stepsize.schedule_free(optax.sgd, schedule, weight_decay=0.1)
    state = tx.init(jnp.ones(2))
    self.assertEmpty(calls)
    tx.update(jnp.ones(2), state, jnp.ones(2))
    self.assertLen(calls, 1)

  def test_extra_arguments_reach_the_base(self):
    def init(params):
      del params
      return {"value": jnp.zeros(())}

    def update(updates, state, params=None, *, value, **extra_args):
      del state, params, extra_args
      return updates, {"value": jnp.asarray(value)}

    base = optax.GradientTransformationExtraArgs(init, update)
    tx = optax_stepsize.schedule_free(base, 0.1)
    state = tx.init(jnp.ones(2))
    _, state = tx.update(jnp.ones(2), state, jnp.ones(2), value=3.0, other=1)
    self.assertEqual(state.moments["value"], 3)
    polyak = optax_stepsize.schedule_free(optax_stepsize.sps(), 1.0)
    params = jnp.ones(2)
    with self.assertRaisesRegex(ValueError, "sps: update.. needs `value`"):
      polyak.update(params, polyak.init(params), params)
    updates, _ = polyak.update(params, polyak.init(params), params, value=1.0)
    self.assertTrue(bool(jnp.all(updates != 0)))

  def test_the_base_sees_z_or_y(self):
    def update(updates, state, params):
      del state
      return jax.tree.map(lambda g: -0.1 * g, updates), params

    base = optax.GradientTransformation(lambda params: params, update)
    for which in ("z", "y"):
      tx = optax_stepsize.schedule_free(base, 0.1, base_params=which)
      y, _, state = feed(tx)
      points = state.z["a"] if which == "z" else y["a"]
      seen = state.moments["a"]
      np.testing.assert_array_equal(seen[0], START["a"])
      np.testing.assert_allclose(seen[1:], points[:-1], rtol=1e-14)

  def test_effective_rate_of_prodigy(self):
    def distance(state):
      return optax.tree.get(state, "distance")

    options = {"effective_lr": distance}
    prodigy = functools.partial(optax_stepsize.prodigy, d0=0.01)
    state = feed(optax_stepsize.schedule_free(prodigy, 1.0, **options))[2]
    estimates = distance(state.moments)
    self.assertGreater(estimates[-1], estimates[0])
    np.testing.assert_allclose(state.step_size, estimates, rtol=1e-12)
    np.testing.assert_allclose(
      state.weight_sum, np.cumsum(estimates**2), rtol=1e-12
    )
    plain = feed(optax_stepsize.schedule_free(prodigy, 1.0))[2]
    np.testing.assert_allclose(plain.weight_sum, np.arange(1, 13), rtol=1e-12)
    shown = optax_stepsize.step_sizes(state)
    self.assertLen(shown, 2)
    self.assertIn("step_size", shown)

  @parameterized.parameters(jnp.bfloat16, jnp.float16)
  def test_the_base_works_in_float32(self, dtype):
    params = jnp.ones(2, dtype)
    tx = optax_stepsize.schedule_free(
      functools.partial(optax.adam, b1=0.0), 0.1, weight_decay=0.1
    )
    state = tx.init(params)
    self.assertEqual(optax.tree.get(state, "nu").dtype, jnp.float32)
    self.assertFalse(core.is_absent(state.x))
    with jax.numpy_dtype_promotion("standard"):
      updates, new = tx.update(params, state, params)
    self.assertEqual(updates.dtype, dtype)
    chex.assert_trees_all_equal_shapes_and_dtypes(new, state)

  def test_the_base_may_keep_what_it_is_given(self):
    # Optax's Prodigy keeps the parameters themselves: donated with z, and with
    # those of the training loop, they would be given away twice.
    tx = optax_stepsize.schedule_free(optax.contrib.prodigy(1.0), 1.0)
    params = {"w": jnp.ones(3)}
    leaves = jax.tree.leaves((params, tx.init(params)))
    pointers = [leaf.unsafe_buffer_pointer() for leaf in leaves]
    self.assertLen(set(pointers), len(pointers))

  def test_state_dtype(self):
    tx = optax_stepsize.schedule_free(optax.sgd, 0.1, state_dtype=jnp.bfloat16)
    params = jnp.ones(2)
    state = tx.init(params)
    _, state = tx.update(params, state, params)
    self.assertEqual(state.z.dtype, jnp.bfloat16)
    self.assertEqual(state.weight_sum.dtype, jnp.float32)

  def test_rates_and_decay_can_be_swept(self):
    def last(rate, decay):
      tx = optax_stepsize.schedule_free(optax.sgd, rate, weight_decay=decay)

      def step(carry, grad):
        params, state = carry
        updates, state = tx.update(grad, state, params)
        return (optax.apply_updates(params, updates), state), None

      grads = jax.tree.map(jnp.float32, VARIED)
      start = jax.tree.map(jnp.float32, START)
      carry = (start, tx.init(start))
      return jax.lax.scan(step, carry, grads)[0][0]["a"]

    rates, decays = np.float32([0.1, 0.2]), np.float32([0.0, 0.3])
    swept = jax.jit(jax.vmap(last))(rates, decays)
    for i in range(2):
      one = jax.jit(last)(rates[i], decays[i])
      np.testing.assert_allclose(swept[i], one, rtol=1e-5)


class ErrorsTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"decay_at": "x"}, "decay_at must be one of 'y', 'z', None, got 'x'."),
    ({"base_params": "x"}, "base_params must be one of 'z', 'y', got 'x'."),
    ({"weight_decay": -1.0}, "weight_decay must be in [0, inf), got -1.0."),
    ({"b1": 1.0}, "b1 must be in (0, 1), got 1.0."),
    ({"learning_rate": -1.0}, "learning_rate must be in [0, inf), got -1.0."),
    (
      {"weight_decay": 0.1, "decay_at": None},
      "weight_decay must be 0 with decay_at=None, got 0.1. Fix: decay in the"
      " base, or at 'y' or 'z'.",
    ),
    (
      {"warmup_steps": 5},
      "warmup_steps must be 0 for a base that is already made, whose rate would"
      " not follow, got 5. Fix: pass base as a function of its rate, such as"
      " optax.sgd.",
    ),
  )
  def test_arguments(self, options, text):
    options = {"base": optax.sgd(0.1), "learning_rate": 0.1} | options
    with self.assertRaises(ValueError) as error:
      optax_stepsize.schedule_free(**options)
    self.assertEqual(str(error.exception), f"schedule_free: {text}")


if __name__ == "__main__":
  absltest.main()
