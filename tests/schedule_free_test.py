# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `schedule_free_adamw`: known numbers, identities and options."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

START = {"a": np.array([1.0, -2.0]), "b": np.array(2.0)}
CONSTANT = {"a": np.tile([1.0, 2.0], (12, 1)), "b": np.full(12, -2.0)}
VARIED = {
  "a": np.array([[1.0, 2.0], [0.5, 1.0], [-1.0, 2.0], [2.0, -1.0]] * 3),
  "b": np.array([-2.0, -1.0, 2.0, 1.0] * 3),
}
FLOATS = {
  "b1": 0.9,
  "b2": 0.999,
  "eps": 1e-8,
  "weight_decay": 0.0,
  "r": 0.0,
  "weight_lr_power": 2.0,
}


@functools.partial(jax.jit, static_argnums=0)
def _run(static, floats, rates, start, grads):
  tx = optax_stepsize.schedule_free_adamw(
    lambda count: rates[count], **dict(static), **floats
  )

  def step(carry, grad):
    params, state = carry
    updates, state = tx.update(grad, state, params)
    params = optax.apply_updates(params, updates)
    average = optax_stepsize.eval_params(state, params)
    return (params, state), (params, average, state)

  return jax.lax.scan(step, (start, tx.init(start)), grads)[1]


def feed(grads, start=START, rates=0.1, **options):
  """y, x and states after each gradient, in float64."""
  floats = FLOATS | {k: v for k, v in options.items() if isinstance(v, float)}
  static = {k: v for k, v in options.items() if k not in floats}
  length = len(jax.tree.leaves(grads)[0])
  rates = np.broadcast_to(np.float64(rates), length)
  with core.enable_x64(True):
    return jax.device_get(
      _run(tuple(static.items()), floats, rates, start, grads)
    )


def oracle(
  grads,
  rates,
  *,
  start,
  b1=0.9,
  b2=0.999,
  eps=1e-8,
  warmup_steps=0,
  weight_decay=0.0,
  r=0.0,
  weight_lr_power=2.0,
  inner_momentum=0.0,
  paper_bias_correction=False,
):
  """y and x of one leaf by the rule of the paper, with x and z kept."""
  x = z = y = start
  v = m = total = top = 0.0
  found = []
  for k, (g, gamma) in enumerate(zip(grads, rates, strict=True), start=1):
    if warmup_steps:
      gamma = gamma * min(1, k / warmup_steps)
    v = b2 * v + (1 - b2) * g**2
    m = inner_momentum * m + (1 - inner_momentum) * g
    u = m / (1 - inner_momentum**k)
    if paper_bias_correction:
      u = u / (np.sqrt(v) + eps)
      gamma = gamma * np.sqrt(1 - b2**k)
    else:
      u = u / (np.sqrt(v / (1 - b2**k)) + eps)
    u = u + weight_decay * y
    top = max(top, gamma)
    weight = k**r * top**weight_lr_power
    total += weight
    c = weight / total if total else 0.0
    z = z - gamma * u
    x = (1 - c) * x + c * z
    y = b1 * x + (1 - b1) * z
    found.append((y, x))
  y, x = zip(*found, strict=True)
  return np.stack(y), np.stack(x)


class NumbersTest(absltest.TestCase):
  def test_constant_gradient_is_descent_by_its_sign(self):
    y, x, state = feed(CONSTANT, eps=0.0)
    np.testing.assert_allclose(
      state.z["a"][:, 0], 1 - 0.1 * np.arange(1, 13), atol=1e-14
    )
    np.testing.assert_allclose(x["a"][3, 0], 0.75, rtol=1e-12)
    np.testing.assert_allclose(
      y["a"][:4, 0], [0.9, 0.845, 0.79, 0.735], rtol=1e-12
    )

  def test_decay_and_warmup(self):
    y, x, _ = feed(VARIED, weight_decay=0.1, warmup_steps=4)
    np.testing.assert_allclose(y["a"][3], [0.906188617, -2.05270236], rtol=5e-9)
    np.testing.assert_allclose(y["b"][3], 1.90615974, rtol=5e-9)
    np.testing.assert_allclose(x["a"][3], [0.912911535, -2.05536849], rtol=5e-9)


class RuleTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("defaults", {}, False),
    ("warmup", {"warmup_steps": 5, "weight_decay": 0.1}, False),
    ("weights", {"r": 1.5, "weight_lr_power": 1.0}, True),
    ("unweighted", {"weight_lr_power": 0.0}, True),
    ("momentum", {"inner_momentum": 0.8, "weight_decay": 0.1}, True),
    ("paper", {"paper_bias_correction": True, "warmup_steps": 3}, True),
    ("rates", {"b1": 0.5, "b2": 0.9, "eps": 0.1}, True),
  )
  def test_against_the_rule_with_x_kept(self, options, varying):
    rates = 0.1 * (1.5 + np.cos(np.arange(12))) if varying else [0.1] * 12
    for store_x in (None, True):
      y, x, _ = feed(VARIED, rates=rates, store_x=store_x, **options)
      for name, start in START.items():
        wanted = oracle(VARIED[name], rates, start=start, **options)
        np.testing.assert_allclose(y[name], wanted[0], atol=1e-13)
        np.testing.assert_allclose(x[name], wanted[1], atol=1e-12)

  @parameterized.parameters(
    (0.0, 2.0, lambda k: 1 / (k + 1)),
    (0.0, 0.0, lambda k: 1 / (k + 1)),
    (1.0, 2.0, lambda k: 2 / (k + 2)),
  )
  def test_averaging_weights(self, r, power, formula):
    state = feed(VARIED, r=r, weight_lr_power=power)[2]
    weights = np.diff(state.weight_sum, prepend=0)
    np.testing.assert_allclose(
      weights / state.weight_sum, formula(np.arange(12)), rtol=1e-12
    )

  def test_equal_weights_average_all_base_points(self):
    _, x, state = feed(VARIED)
    means = np.cumsum(state.z["a"], axis=0) / np.arange(1, 13)[:, None]
    np.testing.assert_allclose(x["a"], means, rtol=1e-12)

  def test_a_falling_rate_does_not_lower_the_weights(self):
    rates = np.where(np.arange(12) < 6, 0.1, 0.05)
    _, x, state = feed(VARIED, rates=rates)
    means = np.cumsum(state.z["a"], axis=0) / np.arange(1, 13)[:, None]
    np.testing.assert_allclose(x["a"], means, rtol=1e-12)
    np.testing.assert_allclose(state.max_rate, 0.1)
    np.testing.assert_allclose(state.step_size, rates)

  @parameterized.parameters({}, {"b1": 0.3, "r": 1.0, "weight_decay": 0.1})
  def test_storing_x_changes_nothing(self, **options):
    kept, rebuilt = (
      feed(VARIED, store_x=store_x, **options) for store_x in (True, False)
    )
    for name in START:
      for which in (0, 1):
        np.testing.assert_allclose(
          kept[which][name], rebuilt[which][name], rtol=1e-12, atol=1e-13
        )

  def test_the_two_views_are_inverse(self):
    y, x, state = feed(VARIED, weight_decay=0.1)
    for name in START:
      mixed = 0.9 * x[name] + 0.1 * state.z[name]
      np.testing.assert_allclose(mixed, y[name], rtol=1e-14)

  def test_agrees_with_the_view_of_optax(self):
    # For a bare state with the fields that Optax reads.
    y, x, state = feed(VARIED)
    with core.enable_x64(True), jax.numpy_dtype_promotion("standard"):
      last = jax.tree.map(lambda s: jnp.asarray(s[-1]), (y, state))
      found = optax.contrib.schedule_free_eval_params(last[1], last[0])
    for name in START:
      np.testing.assert_allclose(found[name], x[name][-1], rtol=1e-14)

  def test_without_interpolation_it_is_adam_and_the_mean_of_its_points(self):
    options = {"b1": 0.0, "b2": 0.9, "eps": 1e-6}
    y, x, _ = feed(VARIED, store_x=True, **options)
    adam = optax.adam(0.1, **options)

    def step(carry, grad):
      params, state = carry
      updates, state = adam.update(grad, state, params)
      params = optax.apply_updates(params, updates)
      return (params, state), params

    with core.enable_x64(True), jax.numpy_dtype_promotion("standard"):
      points = jax.jit(
        lambda p, g: jax.lax.scan(step, (p, adam.init(p)), g)[1]
      )(START, VARIED)
      points = jax.device_get(points)
    np.testing.assert_allclose(y["a"], points["a"], rtol=1e-12)
    means = np.cumsum(points["a"], axis=0) / np.arange(1, 13)[:, None]
    np.testing.assert_allclose(x["a"], means, rtol=1e-12)

  @parameterized.parameters(0.9, 1 - 1e-6)
  def test_rates_that_start_with_zeros(self, b1):
    rates = np.concatenate([np.zeros(3), np.full(9, 0.1)])
    for store_x in (True, False):
      y, x, state = feed(VARIED, rates=rates, b1=b1, store_x=store_x)
      np.testing.assert_allclose(y["a"][2], START["a"], rtol=1e-14)
      np.testing.assert_allclose(x["a"][2], START["a"], rtol=1e-9)
      np.testing.assert_array_equal(state.weight_sum[:3], 0)
      # The first move takes up all weight.
      np.testing.assert_allclose(x["a"][3], state.z["a"][3], rtol=1e-9)
      for leaf in jax.tree.leaves((y, x, state)):
        self.assertTrue(np.all(np.isfinite(leaf)))

  def test_zero_rates_with_b1_zero(self):
    rates = np.concatenate([np.zeros(3), np.full(9, 0.1)])
    y, x, state = feed(VARIED, rates=rates, b1=0.0, store_x=True)
    np.testing.assert_array_equal(x["a"][2], START["a"])
    np.testing.assert_allclose(x["a"][3], state.z["a"][3], rtol=1e-12)
    np.testing.assert_allclose(y["a"], state.z["a"], rtol=1e-12)

  def test_zero_gradients_move_by_decay_only(self):
    still = jax.tree.map(np.zeros_like, VARIED)
    y, _, state = feed(still)
    np.testing.assert_allclose(y["a"], np.tile(START["a"], (12, 1)), rtol=1e-14)
    y, _, state = feed(still, weight_decay=0.1)
    for leaf in jax.tree.leaves((y, state)):
      self.assertTrue(np.all(np.isfinite(leaf)))
    self.assertLess(y["b"][-1], START["b"])
    # 0 / 0 is no direction.
    y = feed(still, eps=0.0)[0]
    np.testing.assert_allclose(y["a"], np.tile(START["a"], (12, 1)), rtol=1e-14)

  def test_warmup_does_not_start_with_a_rate_of_zero(self):
    state = feed(VARIED, warmup_steps=4)[2]
    np.testing.assert_allclose(
      state.step_size[:6], [0.025, 0.05, 0.075, 0.1, 0.1, 0.1], rtol=1e-12
    )

  def test_b1_is_neither_shifted_nor_rounded(self):
    # In bfloat16 it would be 0.8984.
    state = optax_stepsize.schedule_free_adamw().init(jnp.ones(2, jnp.bfloat16))
    self.assertEqual(state.b1, np.float32(0.9))


class OptionsTest(parameterized.TestCase):
  def test_b1_may_change(self):
    # Also where the average is made of z and the parameters.
    found = {}
    for store_x in (True, False):
      tx = optax.inject_hyperparams(
        optax_stepsize.schedule_free_sgd,
        static_args=("store_x", "warmup_steps"),
      )(0.5, b1=optax.linear_schedule(0.5, 0.95, 50), store_x=store_x)
      curvature = jnp.array([0.1, 0.5, 1.0, 3.0])
      params = jnp.zeros(4)
      state = tx.init(params)
      update = jax.jit(tx.update)
      for _ in range(100):
        updates, state = update(curvature * (params - 2), state, params)
        params = optax.apply_updates(params, updates)
      found[store_x] = params, optax_stepsize.eval_params(state, params)
    np.testing.assert_allclose(found[True], found[False], rtol=3e-6)

  @parameterized.named_parameters(
    ("tree", {"a": True, "b": False}),
    ("callable", lambda p: jax.tree.map(lambda x: np.ndim(x) > 0, p)),
  )
  def test_mask_chooses_what_decays(self, mask):
    def points(**options):
      tx = optax_stepsize.schedule_free_adamw(0.1, **options)

      def two(params):
        state = tx.init(params)
        for _ in range(2):
          updates, state = tx.update(params, state, params)
          params = optax.apply_updates(params, updates)
        return params

      return jax.jit(two)(jax.tree.map(jnp.float32, START))

    plain, every = points(), points(weight_decay=0.5)
    found = points(weight_decay=0.5, mask=mask)
    np.testing.assert_array_equal(found["b"], plain["b"])
    np.testing.assert_array_equal(found["a"], every["a"])
    self.assertGreater(np.max(np.abs(every["a"] - plain["a"])), 1e-3)
    self.assertGreater(np.abs(every["b"] - plain["b"]), 1e-3)

  @parameterized.parameters(
    (None, jnp.float32, False),
    (None, jnp.bfloat16, True),
    (None, jnp.float16, True),
    (True, jnp.float32, True),
    (False, jnp.bfloat16, False),
  )
  def test_which_leaves_store_x(self, store_x, dtype, stored):
    tx = optax_stepsize.schedule_free_adamw(store_x=store_x)
    state = tx.init({"w": jnp.ones(2, dtype)})
    self.assertEqual(state.x["w"].shape, (2,) if stored else ())
    self.assertEqual(core.is_absent(state.x["w"]), not stored)
    self.assertEqual(state.z["w"].dtype, jnp.float32)
    if stored:
      self.assertEqual(state.x["w"].dtype, jnp.float32)

  def test_state_dtype(self):
    tx = optax_stepsize.schedule_free_adamw(
      state_dtype=jnp.bfloat16, inner_momentum=0.9
    )
    params = {"w": jnp.ones(2)}
    state = tx.init(params)
    _, state = tx.update(params, state, params)
    for leaf in (state.z["w"], state.moments.mu["w"], state.moments.nu["w"]):
      self.assertEqual(leaf.dtype, jnp.bfloat16)
    for leaf in (state.weight_sum, state.max_rate, state.step_size, state.b1):
      self.assertEqual(leaf.dtype, jnp.float32)

  def test_momentum_is_kept_on_request(self):
    params = {"w": jnp.ones(2)}
    plain = optax_stepsize.schedule_free_adamw().init(params)
    self.assertIsNone(plain.moments.mu)
    tx = optax_stepsize.schedule_free_adamw(inner_momentum=0.0)
    self.assertEqual(tx.init(params).moments.mu["w"].shape, (2,))

  @parameterized.parameters(
    ({"b1": 0.0}, "b1 must be in (0, 1), got 0.0."),
    ({"b1": 1.0, "store_x": True}, "b1 must be in [0, 1), got 1.0."),
    ({"b2": 1.0}, "b2 must be in [0, 1), got 1.0."),
    ({"eps": -1.0}, "eps must be in [0, inf), got -1.0."),
    ({"warmup_steps": -1}, "warmup_steps must be an integer >= 0, got -1."),
    ({"r": -1.0}, "r must be in [0, inf), got -1.0."),
    ({"weight_lr_power": -1}, "weight_lr_power must be in [0, inf), got -1."),
    ({"inner_momentum": 1}, "inner_momentum must be in [0, 1), got 1."),
    ({"weight_decay": -1}, "weight_decay must be in [0, inf), got -1."),
    ({"learning_rate": -1}, "learning_rate must be in [0, inf), got -1."),
  )
  def test_ranges(self, options, text):
    with self.assertRaises(ValueError) as error:
      optax_stepsize.schedule_free_adamw(**options)
    self.assertEqual(str(error.exception), f"schedule_free_adamw: {text}")


if __name__ == "__main__":
  absltest.main()
