# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the tables in `docs/parameter_free.md`: symptoms and their cures."""

import pathlib
import re
import warnings

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize

_DOCS = pathlib.Path(__file__).parent.parent / "docs" / "parameter_free.md"
CURVATURE = np.float32([0.1, 0.5, 1.0, 3.0])
TARGET = np.float32([1.0, -2.0, 3.0, 0.5])
ORIGIN = np.zeros(4, np.float32)


def quadratic(params):
  return 0.5 * jnp.sum(CURVATURE * (params.astype(jnp.float32) - TARGET) ** 2)


def far(params):
  """The same, a thousand away from the origin."""
  return quadratic(params - 1000)


def endless(params):
  return -jnp.sum(params)


def train(tx, loss=quadratic, start=ORIGIN, steps=300, noise=0.0, spike=None):
  """Parameters, state and losses: the first is that of the start."""
  tx = optax.with_extra_args_support(tx)

  def step(carry, count):
    params, state = carry
    value, grads = jax.value_and_grad(loss)(params)
    if noise:
      key = jax.random.fold_in(jax.random.key(0), count)
      grads = jax.tree.map(
        lambda g: g + noise * jax.random.normal(key, g.shape, jnp.float32),
        grads,
      )
    if spike is not None:
      grads = jax.tree.map(lambda g: jnp.where(count == 5, spike * g, g), grads)
    updates, state = tx.update(grads, state, params, value=value)
    return (optax.apply_updates(params, updates), state), value

  def run(params):
    carry = params, tx.init(params)
    (params, state), losses = jax.lax.scan(step, carry, jnp.arange(steps))
    return params, state, jnp.append(losses, loss(params))

  # Optax's own wrappers rely on JAX's defaults.
  with jax.numpy_dtype_promotion("standard"), warnings.catch_warnings():
    warnings.simplefilter("ignore")  # DoG itself warns of some of this
    run = jax.jit(run)
    return jax.device_get(run(jax.tree.map(jnp.asarray, start)))


def distance(state):
  return float(optax.tree.get(state, "distance"))


def ramp(steps):
  """A warm-up to one."""
  return lambda count: jnp.minimum(1.0, (count.astype(jnp.float32) + 1) / steps)


_RNG = np.random.RandomState(0)
_PRODUCT = np.float32(0.1 * _RNG.standard_normal((8, 8)))
# A large layer, and a branch a @ b that is zero at first.
ADAPTER = {
  "base": np.zeros(8, np.float32),
  "a": np.float32(0.35 * _RNG.standard_normal((8, 4))),
  "b": np.zeros((4, 8), np.float32),
}
BRANCH = {"base": "base", "a": "branch", "b": "branch"}


def adapter_loss(params):
  base = 0.5 * jnp.mean((params["base"] - 30.0) ** 2)
  branch = params["a"] @ params["b"]
  return base + 0.5 * jnp.sum((branch - _PRODUCT) ** 2)


class ProdigyTest(absltest.TestCase):
  def test_prodigy_stuck(self):
    start = np.full(4, 1000, np.float32)
    _, state, losses = train(optax_stepsize.prodigy(), far, start)
    self.assertTrue(optax_stepsize.is_stuck(state))
    self.assertEqual(losses[-1], losses[0])
    _, state, losses = train(optax_stepsize.prodigy(d0=1e-3), far, start)
    self.assertFalse(optax_stepsize.is_stuck(state))
    self.assertLess(losses[-1], 1e-4 * losses[0])

  def test_prodigy_unbounded(self):
    grown = distance(train(optax_stepsize.prodigy(), endless)[1])
    self.assertGreater(grown, 1e9)
    limited = train(optax_stepsize.prodigy(d_limit=1.0), endless)[1]
    self.assertEqual(distance(limited), 1.0)
    slow = train(optax_stepsize.prodigy(growth_rate=1.02), endless)[1]
    self.assertLess(distance(slow), 1e-5 * 1.02**300)

  def test_prodigy_bfloat16(self):
    start = np.asarray(jnp.full(4, 0.75, jnp.bfloat16))
    _, state, losses = train(
      optax_stepsize.prodigy(compensate=False), start=start
    )
    self.assertTrue(optax_stepsize.is_stuck(state))
    self.assertGreater(losses[-1], 0.99 * losses[0])
    _, state, losses = train(optax_stepsize.prodigy(), start=start)
    self.assertFalse(optax_stepsize.is_stuck(state))
    self.assertLess(losses[-1], 1e-3 * losses[0])

  def test_prodigy_lora(self):
    losses = train(optax_stepsize.prodigy(), adapter_loss, ADAPTER)[2]
    self.assertGreater(np.max(losses), 10 * losses[0])
    for options in ({"per_group": BRANCH}, {"d_limit": 0.3}):
      tx = optax_stepsize.prodigy(**options)
      losses = train(tx, adapter_loss, ADAPTER)[2]
      self.assertLess(np.max(losses), 1.1 * losses[0], options)
      self.assertLess(losses[-1], 1e-3 * losses[0], options)

  def test_prodigy_groups(self):
    start = {"text": ORIGIN, "image": ORIGIN}

    def text(params):
      return quadratic(params["text"])

    def both(params):
      return text(params) + quadratic(params["image"] / 1000)

    labels = {"text": "text", "image": "image"}
    _, _, losses = train(optax_stepsize.prodigy(), both, start, 600)
    self.assertGreater(np.max(losses), 100 * losses[0])
    tx = optax_stepsize.prodigy(per_group=labels)
    params, _, losses = train(tx, both, start, 600)
    self.assertLess(np.max(losses), 2 * losses[0])
    self.assertLess(text(params), 1e-6)

  def test_prodigy_warmup(self):
    wanted = distance(train(optax_stepsize.prodigy())[1])
    schedule = ramp(100)
    found = distance(train(optax_stepsize.prodigy(schedule))[1])
    self.assertGreater(found, 2 * wanted)
    tx = optax_stepsize.prodigy(schedule, safeguard_warmup=True)
    self.assertLess(distance(train(tx)[1]), 1.2 * wanted)

  def test_prodigy_rescaled(self):
    prodigy = optax_stepsize.prodigy()
    wanted = distance(train(prodigy)[1])
    scaled = train(optax.chain(prodigy, optax.scale(0.1)))[1]
    self.assertGreater(distance(scaled), 2 * wanted)
    losses = train(optax.chain(prodigy, optax.clip(1e-3)))[2]
    self.assertGreater(losses[-1], 0.5 * losses[0])
    _, state, losses = train(optax.chain(optax.clip(1e-3), prodigy))
    self.assertLess(losses[-1], 1e-2 * losses[0])
    self.assertLess(distance(state), 1.2 * wanted)

  def test_prodigy_weight_decay(self):
    # One parameter without a gradient, which shows nothing but the decay.
    def loss(params):
      return quadratic(params[:4])

    def unused(tx):
      params, state, _ = train(tx, loss, np.append(ORIGIN, np.float32(1)))
      return params[4], state

    decay, rate = 0.1, 1e-3
    wanted, _ = unused(optax.adamw(rate, weight_decay=decay))
    found, state = unused(optax_stepsize.prodigy(weight_decay=decay))
    self.assertLess(found, 0.1 * wanted)
    smaller = decay * rate / distance(state)
    found, _ = unused(optax_stepsize.prodigy(weight_decay=smaller))
    np.testing.assert_allclose(found, wanted, atol=0.02)


class DoGTest(absltest.TestCase):
  def test_dog_stuck(self):
    start = np.full(4, 1000, np.float32)
    tx = optax_stepsize.ldog(reps_rel=1e-8)
    _, state, losses = train(tx, far, start, 400)
    self.assertTrue(optax_stepsize.is_stuck(state))
    self.assertEqual(losses[-1], losses[0])
    _, state, losses = train(optax_stepsize.ldog(), far, start, 400)
    self.assertFalse(optax_stepsize.is_stuck(state))
    self.assertLess(losses[-1], 1e-4 * losses[0])

  def test_dog_unbounded(self):
    def steep(params):
      return 100 * quadratic(params)

    _, state, losses = train(optax_stepsize.dog(init_eta=10.0), steep)
    self.assertGreater(np.max(losses), 1e5 * losses[0])
    self.assertGreater(optax.tree.get(state, "max_distance"), 1000)
    for options in ({"init_eta": 1e-3}, {"reps_rel": 1e-4}):
      losses = train(optax_stepsize.dog(**options), steep)[2]
      self.assertLess(np.max(losses), 1.1 * losses[0])
      self.assertLess(losses[-1], 0.01 * losses[0])

  def test_dog_bfloat16(self):
    start = np.asarray(jnp.full(4, 0.75, jnp.bfloat16))
    tx = optax_stepsize.dog(compensate=False)
    _, state, losses = train(tx, start=start, steps=600)
    self.assertTrue(optax_stepsize.is_stuck(state))
    self.assertEqual(losses[-1], losses[0])
    _, state, losses = train(optax_stepsize.dog(), start=start, steps=600)
    self.assertFalse(optax_stepsize.is_stuck(state))
    self.assertLess(losses[-1], 1e-2 * losses[0])

  def test_dog_lora(self):
    def steps(tx):
      _, state, losses = train(tx, adapter_loss, ADAPTER)
      sizes = jax.tree.leaves(optax_stepsize.step_sizes(state))
      return min(sizes), max(sizes), losses[-1] / losses[0]

    least, most, _ = steps(optax_stepsize.ldog())
    self.assertGreater(most, 1000 * least)
    least, most, final = steps(optax_stepsize.dog(per_group=BRANCH))
    self.assertLess(most, 10 * least)
    self.assertLess(final, 1e-3)

  def test_dog_warmup(self):
    late = train(optax_stepsize.dog(ramp(200)), steps=200)[2]
    self.assertGreater(late[-1], 0.9 * late[0])
    soon = train(optax_stepsize.dog(), steps=200)[2]
    self.assertLess(soon[-1], 0.01 * soon[0])

  def test_dog_spike(self):
    losses = train(optax_stepsize.dog(), steps=400, spike=1e4)[2]
    self.assertGreater(losses[-1], 0.99 * losses[0])
    tx = optax.chain(optax.clip_by_global_norm(10.0), optax_stepsize.dog())
    losses = train(tx, steps=400, spike=1e4)[2]
    self.assertLess(losses[-1], 0.01 * losses[0])

  def test_dog_last_point(self):
    tx = optax.chain(
      optax_stepsize.dog(), optax_stepsize.polynomial_decay_averaging()
    )
    params, state, _ = train(tx, steps=400, noise=1.0)
    averaged = optax_stepsize.eval_params(state, params)
    self.assertLess(quadratic(averaged), 0.2 * quadratic(params))


class DAdaptationTest(absltest.TestCase):
  def test_dadapt_constant_rate(self):
    losses = train(optax_stepsize.dadapt_sgd())[2]
    self.assertGreater(losses[-1], 1e6 * losses[0])
    schedule = optax.cosine_decay_schedule(1.0, 300)
    losses = train(optax_stepsize.dadapt_sgd(schedule))[2]
    self.assertLess(losses[-1], 1e-6 * losses[0])

  def test_dadapt_unbounded(self):
    for make in (optax_stepsize.dadapt_sgd, optax_stepsize.dadapt_adam):
      self.assertGreater(distance(train(make(), endless)[1]), 1e9)
      slow = train(make(growth_rate=1.02), endless)[1]
      self.assertLess(distance(slow), 1e-6 * 1.02**301)

  def test_dadapt_slow(self):
    slow = optax_stepsize.dadapt_adam(growth_rate=1.02)
    losses = train(slow, steps=300)[2]
    self.assertGreater(losses[-1], 0.95 * losses[0])
    for options in ({"d0": 1e-3}, {"growth_rate": 1.1}):
      tx = optax_stepsize.dadapt_adam(**{"growth_rate": 1.02, **options})
      losses = train(tx, steps=300)[2]
      self.assertLess(losses[-1], 0.5 * losses[0], options)

  def test_dadapt_bfloat16(self):
    start = jnp.full(4, 2.75, jnp.bfloat16)

    def run(start, **options):
      tx = optax_stepsize.dadapt_adam(0.01, d0=0.01, **options)
      _, state, losses = train(tx, start=np.asarray(start), steps=1500)
      return distance(state), losses[-1] / losses[0]

    exact, _ = run(start.astype(jnp.float32))
    grown, loss = run(start, compensate=False)
    self.assertGreater(grown, 1.5 * exact)
    self.assertGreater(loss, 1e-3)
    cured, loss = run(start)
    self.assertAlmostEqual(cured, exact, delta=0.02 * exact)
    self.assertLess(loss, 1e-4)

  def test_dadapt_lora(self):
    for make in (optax_stepsize.dadapt_adam, optax_stepsize.dadapt_adagrad):
      losses = train(make(), adapter_loss, ADAPTER)[2]
      self.assertGreater(np.max(losses), 1.5 * losses[0])
      losses = train(make(per_group=BRANCH), adapter_loss, ADAPTER)[2]
      self.assertLess(np.max(losses), 1.01 * losses[0])
      self.assertLess(losses[-1], 1e-3 * losses[0])


class ScheduleFreeTest(absltest.TestCase):
  def test_schedule_free_point(self):
    tx = optax_stepsize.schedule_free_adamw(3.0, warmup_steps=50)
    params, state, _ = train(tx, noise=0.5)
    averaged = optax_stepsize.eval_params(state, params)
    self.assertLess(quadratic(averaged), 0.2 * quadratic(params))

  def test_schedule_free_bfloat16(self):
    def average(dtype, **options):
      tx = optax_stepsize.schedule_free_adamw(0.1, warmup_steps=10, **options)
      # Gradients that do not depend on how parameters are rounded.
      start = np.asarray(jnp.asarray(ORIGIN, dtype))
      params, state, _ = train(tx, lambda p: 0 * jnp.sum(p), start, 900, 0.5)
      # In the precision that the state allows.
      return state.eval_params(params.astype(np.float32))

    wanted = average(jnp.float32)

    def error(**options):
      return np.max(np.abs(average(jnp.bfloat16, **options) - wanted))

    self.assertGreater(error(store_x=False), 3 * error())

  def test_schedule_free_warmup(self):
    start = ORIGIN
    losses = train(optax_stepsize.schedule_free_adamw(3.0), start=start)[2]
    self.assertGreater(np.max(losses), 1.3 * losses[0])
    tx = optax_stepsize.schedule_free_adamw(3.0, warmup_steps=50)
    losses = train(tx, start=start)[2]
    self.assertLess(np.max(losses), 1.01 * losses[0])

  def test_schedule_free_rescaled(self):
    def losses(*transformations):
      params, state, _ = train(optax.chain(*transformations))
      averaged = optax_stepsize.eval_params(state, params)
      return quadratic(averaged), quadratic(params)

    free = optax_stepsize.schedule_free_adamw(0.1, warmup_steps=10)
    averaged, last = losses(free, optax.clip(1e-3))
    self.assertGreater(averaged, 3 * last)
    averaged, _ = losses(optax.clip(1e-3), free)
    self.assertLess(averaged, 0.1 * quadratic(ORIGIN))


class TableTest(absltest.TestCase):
  def test_every_row_is_a_test_and_every_test_a_row(self):
    tables = _DOCS.read_text().split("\n## With less memory")[0]
    rows = re.findall(r"^\| `(\w+)` \|", tables, re.MULTILINE)
    self.assertLen(set(rows), len(rows))
    tests = [
      name.removeprefix("test_")
      for case in (ProdigyTest, DoGTest, DAdaptationTest, ScheduleFreeTest)
      for name in absltest.TestLoader().getTestCaseNames(case)
    ]
    self.assertCountEqual(rows, tests)


if __name__ == "__main__":
  absltest.main()
