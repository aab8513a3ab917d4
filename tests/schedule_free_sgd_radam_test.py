# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `schedule_free_sgd` and `schedule_free_radam`."""

from fractions import Fraction
import functools
import math

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
METHODS = {
  "sgd": optax_stepsize.schedule_free_sgd,
  "radam": optax_stepsize.schedule_free_radam,
}


@functools.partial(jax.jit, static_argnums=(0, 1))
def _run(name, static, floats, rates, grads):
  tx = METHODS[name](lambda count: rates[count], **dict(static), **floats)

  def step(carry, grad):
    params, state = carry
    updates, state = tx.update(grad, state, params)
    params = optax.apply_updates(params, updates)
    average = optax_stepsize.eval_params(state, params)
    return (params, state), (params, average, state)

  return jax.lax.scan(step, (START, tx.init(START)), grads)[1]


def feed(name, grads, rates=0.1, **options):
  """y, x and states after each gradient, in float64."""
  floats = {k: v for k, v in options.items() if isinstance(v, float)}
  static = {k: v for k, v in options.items() if k not in floats}
  rates = np.broadcast_to(np.float64(rates), len(grads["b"]))
  with core.enable_x64(True):
    found = _run(name, tuple(static.items()), floats, rates, grads)
    return jax.device_get(found)


def oracle(
  name,
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
  silent_sgd_phase=True,
):
  """y and x of one leaf by the rule of the paper, with x and z kept."""
  x = z = y = start
  v = total = top = 0.0
  found = []
  for k, (g, gamma) in enumerate(zip(grads, rates, strict=True), start=1):
    u = g
    if name == "radam":
      v = b2 * v + (1 - b2) * g**2
      rho, limit = length(b2, k), 2 / (1 - b2) - 1
      if rho > 4:
        u = g / (np.sqrt(v / (1 - b2**k)) + eps)
        gamma *= rectification(rho, limit)
      else:
        gamma *= not silent_sgd_phase
    elif warmup_steps:
      gamma = gamma * min(1, k / warmup_steps)
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


def length(b2, k):
  """RAdam's rho, exactly, of the number that `b2` is."""
  b = Fraction(b2)
  return float((1 + b) / (1 - b) - 2 * k * b**k / (1 - b**k))


def rectification(rho, limit):
  return math.sqrt(
    (rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)
  )


class SgdNumbersTest(absltest.TestCase):
  def test_constant_gradient(self):
    y, x, state = feed("sgd", CONSTANT)
    np.testing.assert_allclose(
      state.z["a"][:, 0], 1 - 0.1 * np.arange(1, 13), atol=1e-14
    )
    np.testing.assert_allclose(x["a"][3, 0], 0.75, rtol=1e-12)
    np.testing.assert_allclose(
      y["a"][:4, 0], [0.9, 0.845, 0.79, 0.735], rtol=1e-12
    )

  def test_decay_warmup_and_weights(self):
    y, x, _ = feed("sgd", VARIED, weight_decay=0.1, warmup_steps=4, r=1.0)
    np.testing.assert_allclose(y["a"][3], [0.863380505, -2.12553468], rtol=5e-9)
    np.testing.assert_allclose(y["b"][3], 1.85140638, rtol=5e-9)
    np.testing.assert_allclose(x["a"][3], [0.870357762, -2.12867302], rtol=5e-9)
    np.testing.assert_allclose(x["b"][3], 1.85716102, rtol=5e-9)
    np.testing.assert_allclose(y["a"][4], [0.781154576, -2.20235366], rtol=5e-9)


class RadamNumbersTest(parameterized.TestCase):
  def test_silent_phase(self):
    y, x, state = feed("radam", CONSTANT)
    for k in range(4):
      np.testing.assert_allclose(y["a"][k], START["a"], rtol=1e-14)
      np.testing.assert_allclose(x["a"][k], START["a"], rtol=1e-14)
    np.testing.assert_array_equal(state.weight_sum[:4], 0)
    np.testing.assert_array_equal(state.step_size[:4], 0)
    np.testing.assert_allclose(y["a"][4, 0], 0.99826885, rtol=5e-9)
    np.testing.assert_allclose(y["a"][7, 0], 0.991548502, rtol=5e-9)
    np.testing.assert_allclose(x["a"][7, 0], 0.991882888, rtol=5e-9)
    # The second moment was gathered all the while.
    np.testing.assert_allclose(
      state.moments.nu["a"][:, 0], 1 - 0.999 ** np.arange(1, 13), rtol=1e-10
    )

  def test_without_it_the_first_steps_are_those_of_sgd(self):
    y, x, _ = feed("radam", CONSTANT, silent_sgd_phase=False)
    np.testing.assert_allclose(y["a"][3, 0], 0.735, rtol=1e-12)
    np.testing.assert_allclose(y["a"][7, 0], 0.663530994, rtol=5e-9)
    sgd = feed("sgd", CONSTANT)
    np.testing.assert_allclose(y["a"][:4], sgd[0]["a"][:4], rtol=1e-12)
    np.testing.assert_allclose(x["a"][:4], sgd[1]["a"][:4], rtol=1e-12)

  @parameterized.parameters(
    (0.9, 0.156111), (0.95, 0.118140), (0.99, 0.054471), (0.999, 0.017312)
  )
  def test_first_rate(self, b2, rectified):
    state = feed("radam", VARIED, rates=1.0, b2=b2)[2]
    np.testing.assert_array_equal(state.step_size[:4], 0)
    np.testing.assert_allclose(state.step_size[4], rectified, rtol=3e-5)

  @parameterized.parameters(0.61, 0.7, 0.9, 0.99, 0.999, 0.9999, 0.99999)
  def test_rate_in_float32_is_exact(self, b2):
    # With the textbook's difference of two large numbers, the rate of the first
    # step is off by 1 % with 0.999, and the step itself missed with 0.9999.
    tx = optax_stepsize.schedule_free_radam(1.0, b2=b2)
    params = jnp.ones(2)
    counts = np.concatenate([np.arange(40), 2 ** np.arange(6, 22)])

    @jax.jit
    @jax.vmap
    def rate(count):
      state = tx.init(params)._replace(count=count)
      return tx.update(params, state, params)[1].step_size

    found = rate(jnp.asarray(counts, jnp.int32))
    self.assertEqual(found.dtype, jnp.float32)
    b2 = float(np.float32(b2))
    for count, value in zip(counts, np.asarray(found), strict=True):
      if count > 2000:
        grown = min(-(count + 1) * math.log(b2), 700)
        rho = (1 + b2) / (1 - b2) - 2 * (count + 1) / math.expm1(grown)
      else:
        rho = length(b2, int(count) + 1)
      limit = (1 + b2) / (1 - b2)
      wanted = rectification(rho, limit) if rho > 4 else 0.0
      np.testing.assert_allclose(value, wanted, rtol=2e-4, err_msg=str(count))

  def test_differs_from_the_reference_silent_for_ever_is_an_error(self):
    for b2 in (0.0, 0.5, 0.6):
      with self.assertRaisesRegex(ValueError, r"b2 must be in \(0.6, 1\)"):
        optax_stepsize.schedule_free_radam(b2=b2)
      # In its loud form it is SGD.
      y, _, state = feed("radam", VARIED, b2=b2, silent_sgd_phase=False)
      np.testing.assert_allclose(y["a"], feed("sgd", VARIED)[0]["a"])
      np.testing.assert_allclose(state.step_size, 0.1)


class RuleTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("sgd", "sgd", {}, False),
    ("sgd_warmup", "sgd", {"warmup_steps": 5, "weight_decay": 0.1}, False),
    ("sgd_weights", "sgd", {"r": 1.5, "weight_lr_power": 1.0}, True),
    ("sgd_unweighted", "sgd", {"weight_lr_power": 0.0, "b1": 0.5}, True),
    ("radam", "radam", {}, False),
    ("radam_decay", "radam", {"weight_decay": 0.1, "b2": 0.9}, True),
    ("radam_weights", "radam", {"r": 1.5, "weight_lr_power": 1.0}, True),
    (
      "radam_loud",
      "radam",
      {"silent_sgd_phase": False, "b2": 0.95, "eps": 0.1, "b1": 0.6},
      True,
    ),
  )
  def test_against_the_rule_with_x_kept(self, name, options, varying):
    rates = 0.1 * (1.5 + np.cos(np.arange(12))) if varying else [0.1] * 12
    for store_x in (None, True):
      y, x, _ = feed(name, VARIED, rates=rates, store_x=store_x, **options)
      for leaf, start in START.items():
        wanted = oracle(name, VARIED[leaf], rates, start=start, **options)
        np.testing.assert_allclose(y[leaf], wanted[0], atol=1e-12)
        np.testing.assert_allclose(x[leaf], wanted[1], atol=1e-12)

  @parameterized.parameters(
    (0.0, 2.0, lambda k: 1 / (k + 1)),
    (0.0, 0.0, lambda k: 1 / (k + 1)),
    (1.0, 2.0, lambda k: 2 / (k + 2)),
  )
  def test_averaging_weights(self, r, power, formula):
    state = feed("sgd", VARIED, r=r, weight_lr_power=power)[2]
    weights = np.diff(state.weight_sum, prepend=0)
    np.testing.assert_allclose(
      weights / state.weight_sum, formula(np.arange(12)), rtol=1e-12
    )

  def test_a_rate_that_halves_does_not_lower_the_weights(self):
    rates = np.where(np.arange(12) < 10, 0.1, 0.05)
    _, x, state = feed("sgd", VARIED, rates=rates)
    means = np.cumsum(state.z["a"], axis=0) / np.arange(1, 13)[:, None]
    np.testing.assert_allclose(x["a"], means, rtol=1e-12)

  @parameterized.parameters("sgd", "radam")
  def test_storing_x_changes_nothing(self, name):
    kept, rebuilt = (
      feed(name, VARIED, store_x=s, b1=0.3, r=1.0) for s in (True, False)
    )
    for leaf in START:
      for which in (0, 1):
        np.testing.assert_allclose(
          kept[which][leaf], rebuilt[which][leaf], rtol=1e-12, atol=1e-12
        )

  @parameterized.parameters("sgd", "radam")
  def test_the_two_views_are_inverse(self, name):
    y, x, state = feed(name, VARIED, weight_decay=0.1)
    for leaf in START:
      mixed = 0.9 * x[leaf] + 0.1 * state.z[leaf]
      np.testing.assert_allclose(mixed, y[leaf], rtol=1e-14)

  def test_b1_towards_one_is_primal_averaging(self):
    # Gradients at the average itself.
    y, x, _ = feed("sgd", VARIED, b1=1 - 1e-9)
    np.testing.assert_allclose(y["a"], x["a"], atol=1e-8)

  def test_b1_zero_is_the_average_of_sgd(self):
    y, x, _ = feed("sgd", VARIED, b1=0.0, store_x=True)
    points = START["a"] - 0.1 * np.cumsum(VARIED["a"], axis=0)
    np.testing.assert_allclose(y["a"], points, rtol=1e-12)
    means = np.cumsum(points, axis=0) / np.arange(1, 13)[:, None]
    np.testing.assert_allclose(x["a"], means, rtol=1e-12)

  @parameterized.parameters("sgd", "radam")
  def test_rates_that_start_with_zeros(self, name):
    rates = np.concatenate([np.zeros(6), np.full(6, 0.1)])
    y, x, state = feed(name, VARIED, rates=rates)
    np.testing.assert_allclose(y["a"][5], START["a"], rtol=1e-14)
    np.testing.assert_allclose(x["a"][6], state.z["a"][6], rtol=1e-9)
    for leaf in jax.tree.leaves((y, x, state)):
      self.assertTrue(np.all(np.isfinite(leaf)))

  @parameterized.parameters("sgd", "radam")
  def test_zero_gradients_move_by_decay_only(self, name):
    still = jax.tree.map(np.zeros_like, VARIED)
    y = feed(name, still)[0]
    np.testing.assert_allclose(y["a"], np.tile(START["a"], (12, 1)), rtol=1e-13)
    y = feed(name, still, weight_decay=0.1)[0]
    self.assertTrue(np.all(np.isfinite(y["a"])))
    self.assertLess(y["b"][-1], START["b"])


class OptaxTest(parameterized.TestCase):
  """Where Optax's counterparts agree, and where they deviate."""

  def _points(self, tx, eval_params, grads=VARIED):
    def step(carry, grad):
      params, state = carry
      updates, state = tx.update(grad, state, params)
      params = optax.apply_updates(params, updates)
      return (params, state), (params, eval_params(state, params))

    with core.enable_x64(True), jax.numpy_dtype_promotion("standard"):
      start = jax.tree.map(jnp.asarray, START)
      run = jax.jit(lambda p, g: jax.lax.scan(step, (p, tx.init(p)), g)[1])
      return jax.device_get(run(start, grads))

  def test_sgd_with_a_constant_rate_is_that_of_optax(self):
    theirs = self._points(
      optax.contrib.schedule_free_sgd(0.1, weight_decay=0.1),
      optax.contrib.schedule_free_eval_params,
    )
    ours = feed("sgd", VARIED, weight_decay=0.1)
    for leaf in START:
      np.testing.assert_allclose(ours[0][leaf], theirs[0][leaf], rtol=1e-12)
      np.testing.assert_allclose(ours[1][leaf], theirs[1][leaf], rtol=1e-12)

  def test_warmup_of_optax_is_off_by_one(self):
    grads = jax.tree.map(lambda g: np.concatenate([g] * 4)[:40], VARIED)

    def warmup(k):
      return 0.3 * jnp.minimum(1, (jnp.asarray(k, jnp.float64) + 1) / 10)

    def points(base_schedule):
      return self._points(
        optax.contrib.schedule_free(
          optax.sgd(base_schedule), lambda k: warmup(k - 1), b1=0.9
        ),
        optax.contrib.schedule_free_eval_params,
        grads,
      )

    ours = feed("sgd", grads, rates=0.3, warmup_steps=10)
    # Its weights read the schedule one step later than its base does.
    np.testing.assert_allclose(points(warmup)[0]["a"], ours[0]["a"], rtol=1e-12)
    late = points(lambda k: warmup(k - 1))
    self.assertGreater(np.max(np.abs(late[0]["a"] - ours[0]["a"])), 0.05)

  def test_optax_knows_no_rectified_weights_and_no_silent_phase(self):
    theirs = self._points(
      optax.contrib.schedule_free(optax.radam(0.1, b1=0.0), 0.1, b1=0.9),
      optax.contrib.schedule_free_eval_params,
    )
    for silent in (True, False):
      ours = feed("radam", VARIED, silent_sgd_phase=silent)
      difference = np.max(np.abs(theirs[1]["a"] - ours[1]["a"]))
      self.assertGreater(difference, 0.01)


class OptionsTest(parameterized.TestCase):
  @parameterized.parameters("sgd", "radam")
  def test_mask_chooses_what_decays(self, name):
    options = {"b2": 0.9} if name == "radam" else {}
    plain = feed(name, VARIED, **options)[0]
    every = feed(name, VARIED, weight_decay=0.5, **options)[0]
    tx = METHODS[name](
      0.1, weight_decay=0.5, mask={"a": True, "b": False}, **options
    )

    def step(carry, grad):
      params, state = carry
      updates, state = tx.update(grad, state, params)
      params = optax.apply_updates(params, updates)
      return (params, state), params

    with core.enable_x64(True):
      found = jax.jit(lambda p, g: jax.lax.scan(step, (p, tx.init(p)), g)[1])(
        START, VARIED
      )
    np.testing.assert_allclose(found["a"], every["a"], rtol=1e-12)
    np.testing.assert_allclose(found["b"], plain["b"], rtol=1e-12)
    self.assertGreater(np.max(np.abs(every["b"] - plain["b"])), 1e-3)

  def test_state_bytes(self):
    params = {"w": jnp.ones(2)}
    state = optax_stepsize.schedule_free_sgd().init(params)
    self.assertIsNone(state.moments)
    state = optax_stepsize.schedule_free_radam(state_dtype=jnp.bfloat16).init(
      params
    )
    self.assertIsNone(state.moments.mu)
    self.assertEqual(state.moments.nu["w"].dtype, jnp.bfloat16)
    self.assertEqual(state.z["w"].dtype, jnp.bfloat16)
    self.assertTrue(core.is_absent(state.x["w"]))

  @parameterized.parameters(
    ("sgd", {"b1": 0.0}, "b1 must be in (0, 1), got 0.0."),
    ("sgd", {"weight_decay": -1}, "weight_decay must be in [0, inf), got -1."),
    ("sgd", {"warmup_steps": 1.5}, "warmup_steps must be an integer >= 0,"),
    (
      "sgd",
      {"learning_rate": -1},
      "learning_rate must be in [0, inf), got -1.",
    ),
    ("radam", {"b2": 1.0}, "b2 must be in (0.6, 1), got 1.0."),
    ("radam", {"b2": -0.1, "silent_sgd_phase": False}, "b2 must be in [0, 1),"),
    ("radam", {"eps": -1.0}, "eps must be in [0, inf), got -1.0."),
    ("radam", {"r": -1.0}, "r must be in [0, inf), got -1.0."),
  )
  def test_ranges(self, name, options, text):
    with self.assertRaises(ValueError) as error:
      METHODS[name](**options)
    self.assertStartsWith(str(error.exception), f"schedule_free_{name}: {text}")


if __name__ == "__main__":
  absltest.main()
