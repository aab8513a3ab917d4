# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of WSD schedules that are extended by the convex bound."""

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core
from optax_stepsize.laws import _extend_wsd

OLD = 4000
LARGEST = 2**31 - 1


def rates_of(schedule, steps):
  """All rates but the last zero, in float64."""
  return np.asarray(schedule(jnp.arange(steps)), np.float64)


def base_lr(rates):
  """The optimal base rate, without any closed form."""
  rates = np.asarray(rates, np.float64)
  h, q = (np.cumsum(x[::-1])[::-1] for x in (rates, rates**2))
  series = np.sum(rates[:-1] * q[:-1] / (h[1:] * h[:-1]))
  return 1 / np.sqrt(q[0] + h[0] * series)


def shape(decay_steps, *plateaus):
  """Rates of plateaus, the last one first, and a decay without its zero."""
  value = plateaus[0][0]
  k = max(decay_steps, 1)
  decay = value * (1 - np.arange(1, k) / k)
  return np.concatenate([*(np.full(n, v) for v, n in plateaus[::-1]), decay])


class ClosedFormTest(parameterized.TestCase):
  @parameterized.parameters(
    (0, (1.0, 1)),
    (0, (1.0, 7)),
    (1, (0.5, 7)),
    (2, (1.0, 3)),
    (3, (0.1, 1)),
    (5, (0.3, 0)),
    (5, (0.3, 0), (1.0, 4)),
    (0, (0.3, 2), (1.0, 4)),
    (40, (0.3, 60), (1.0, 100)),
    (1000, (2.0, 1), (1.0, 3000), (0.5, 10)),
  )
  def test_is_that_of_the_sum(self, decay_steps, *plateaus):
    rates = shape(decay_steps, *plateaus)
    closed = _extend_wsd._base_lr(decay_steps, *plateaus)
    np.testing.assert_allclose(closed, base_lr(rates), rtol=1e-12)
    with core.enable_x64():
      best = optax_stepsize.optimal_base_lr(rates)
    np.testing.assert_allclose(closed, best.base_lr, rtol=1e-12)


class NumbersTest(parameterized.TestCase):
  def test_old_run(self):
    old = shape(800, (1.0, 3201))
    self.assertLen(old, OLD)
    np.testing.assert_allclose(base_lr(old), 0.0081182938, rtol=1e-8)

  @parameterized.parameters(
    (1.5, 0.6367), (2, 0.5330), (3, 0.4312), (4, 0.3754)
  )
  def test_factor_of_two_stages(self, times, factor):
    schedule = optax_stepsize.extend_wsd(1.0, OLD, int(times * OLD))
    np.testing.assert_allclose(schedule(3200), factor, rtol=0, atol=5e-5)
    self.assertEqual(schedule(3199), 1)

  @parameterized.parameters((1.5, 0.4459), (2, 0.6327), (3, 0.8763))
  def test_share_of_the_cooldown(self, times, share):
    steps = int(times * OLD)
    schedule = optax_stepsize.extend_wsd(1.0, OLD, steps, mode="cooldown")
    below = np.count_nonzero(rates_of(schedule, steps + 1) < 1)
    np.testing.assert_allclose(below / (steps + 1), share, rtol=0, atol=5e-5)

  def test_bounds_at_twice_the_steps(self):
    steps, rate = 2 * OLD, base_lr(shape(800, (1.0, 3201)))
    runs = {
      mode: optax_stepsize.extend_wsd(rate, OLD, steps, mode=mode)
      for mode in ("two_stage", "cooldown")
    }
    decay = int(0.2 * (steps + 1))
    runs["naive"] = rate * shape(decay, (1.0, steps + 1 - decay))
    expected = {"two_stage": 0.023101, "cooldown": 0.022520, "naive": 0.025628}
    with core.enable_x64():
      for name, rates in runs.items():
        bound = optax_stepsize.last_iterate_bound(rates, total_steps=steps)
        np.testing.assert_allclose(bound, expected[name], rtol=0, atol=5e-7)
      linear = optax_stepsize.optimal_base_lr(1 - np.arange(steps) / steps)
    np.testing.assert_allclose(linear.bound, 0.022372, rtol=0, atol=5e-7)

  def test_where_no_cooldown_is_long_enough(self):
    optax_stepsize.extend_wsd(1.0, OLD, int(3.7 * OLD), mode="cooldown")
    for times in (3.9, 4):
      with self.assertRaisesRegex(
        ValueError, 'extend_wsd: no cooldown of total_steps=.*mode="two_stage"'
      ):
        optax_stepsize.extend_wsd(1.0, OLD, int(times * OLD), mode="cooldown")


class PlanTest(parameterized.TestCase):
  @parameterized.product(
    old_steps=(7, 300, 2000),
    times=(1.5, 2),
    cooldown_fraction=(0.1, 0.2, 0.5),
  )
  def test_the_old_rate_is_the_best_again(
    self, old_steps, times, cooldown_fraction
  ):
    steps = int(times * old_steps)
    options = {"cooldown_fraction": cooldown_fraction}
    old = optax_stepsize.wsd_schedule(
      1.0,
      old_steps,
      decay_steps=int(cooldown_fraction * (old_steps + 1)),
      shape="linear",
      end_value=0.0,
    )
    target = base_lr(rates_of(old, old_steps))
    two_stage = optax_stepsize.extend_wsd(1.0, old_steps, steps, **options)
    found = base_lr(rates_of(two_stage, steps))
    np.testing.assert_allclose(found, target, rtol=2e-6)
    # Of factors with that property it is the largest.
    drop = int((1 - cooldown_fraction) * old_steps)
    factor = float(two_stage(drop))
    decay = int(cooldown_fraction * (steps + 1))
    rest = steps + 1 - max(decay, 1) - drop
    for higher in np.linspace(factor, 1, 20)[1:]:
      self.assertLess(
        base_lr(shape(decay, (higher, rest), (1.0, drop))), target
      )

    cooldown = optax_stepsize.extend_wsd(
      1.0, old_steps, steps, mode="cooldown", **options
    )
    rates = rates_of(cooldown, steps)
    self.assertGreaterEqual(base_lr(rates), target * (1 - 1e-6))
    # One step less of it would be too short.
    below = np.count_nonzero(rates < 1)
    less = shape(below, (1.0, steps + 1 - below))
    np.testing.assert_allclose(base_lr(less), base_lr(less[: len(less)]))
    self.assertLess(base_lr(less), target)

  @parameterized.parameters(1, 2, 10, 1000)
  def test_there_is_always_a_second_stage(self, times):
    for old_steps in (1, 2, 5, 100, 10**5):
      for fraction in (0.01, 0.2, 0.7, 1.0):
        schedule = optax_stepsize.extend_wsd(
          1.0, old_steps, times * old_steps, cooldown_fraction=fraction
        )
        self.assertEqual(schedule(times * old_steps), 0)

  def test_the_search_for_a_second_stage_ends(self):
    with self.assertRaisesRegex(ValueError, "the rate of 100 steps .* for 200"):
      _extend_wsd._factor(1.0, 100, 200, 0.2)

  @parameterized.parameters("two_stage", "cooldown")
  def test_nothing_to_extend(self, mode):
    schedule = optax_stepsize.extend_wsd(0.1, 50, 50, mode=mode)
    same = optax_stepsize.wsd_schedule(
      0.1, 50, decay_steps=10, shape="linear", end_value=0.0
    )
    steps = jnp.arange(52)
    np.testing.assert_allclose(schedule(steps), same(steps), rtol=1e-6)

  def test_the_longest_runs(self):
    old, new = 2**30, LARGEST - 1
    for mode in ("two_stage", "cooldown"):
      schedule = optax_stepsize.extend_wsd(0.5, old, new, mode=mode)
      self.assertEqual(schedule(0), 0.5)
      self.assertEqual(schedule(new), 0)
      self.assertEqual(schedule(LARGEST), 0)
      last = np.asarray(schedule(jnp.array([new - 2, new - 1])))
      np.testing.assert_allclose(last[0], 2 * last[1], rtol=1e-6)
    # Its drop is at a step that float32 does not have.
    drop = int((1 - 0.2) * old)
    self.assertNotEqual(int(np.float32(drop)), drop)
    schedule = optax_stepsize.extend_wsd(0.5, old, new)
    self.assertEqual(schedule(drop - 1), 0.5)
    # Far out the factor depends on the ratio of the steps alone.
    shorter = optax_stepsize.extend_wsd(0.5, 2**20, 2**21)
    np.testing.assert_allclose(schedule(drop), shorter(2**20), rtol=1e-4)


class ScheduleTest(parameterized.TestCase):
  @parameterized.parameters("two_stage", "cooldown")
  def test_warmup(self, mode):
    # The plan is that of the steps after it.
    bare = optax_stepsize.extend_wsd(0.1, 200, 300, mode=mode)
    warm = optax_stepsize.extend_wsd(
      0.1, 220, 320, mode=mode, warmup_steps=20, init_value=0.01
    )
    steps = jnp.arange(302)
    np.testing.assert_array_equal(warm(steps + 20), bare(steps))
    rise = 0.01 + 0.09 * np.arange(20) / 20
    np.testing.assert_allclose(warm(steps[:20]), rise, rtol=1e-6)

  @parameterized.parameters("two_stage", "cooldown")
  def test_counts_of_all_kinds(self, mode):
    schedule = optax_stepsize.extend_wsd(0.1, 400, 600, mode=mode)
    every = np.asarray(schedule(jnp.arange(602)))
    self.assertEqual(every.dtype, np.float32)
    self.assertEqual(schedule(7).shape, ())
    np.testing.assert_array_equal(every[600:], 0)
    np.testing.assert_array_equal(schedule(jnp.array([-3])), every[:1])
    for step in (0, 127, 250):
      self.assertEqual(schedule(jnp.asarray(step, jnp.uint8)), every[step])
    jitted = jax.jit(schedule)
    for step in (319, 320, 321, 599):
      np.testing.assert_allclose(jitted(step), every[step], rtol=1e-6)
    grid = jnp.arange(600).reshape(20, 30)
    np.testing.assert_array_equal(schedule(grid), every[:600].reshape(20, 30))

  def test_rates_may_be_traced(self):
    def rates(peak_value):
      schedule = optax_stepsize.extend_wsd(peak_value, 40, 80)
      return schedule(jnp.arange(80))

    batch = jax.vmap(rates)(jnp.array([0.1, 0.2]))
    np.testing.assert_allclose(batch[1], 2 * batch[0], rtol=1e-6)
    np.testing.assert_allclose(batch[0], rates(0.1), rtol=1e-6)

  def test_in_an_optimizer(self):
    tx = optax.sgd(optax_stepsize.extend_wsd(0.5, 20, 40))
    x = jnp.asarray(3.0)
    state = tx.init(x)
    for _ in range(40):
      updates, state = tx.update(x - 1, state, x)
      x = optax.apply_updates(x, updates)
    np.testing.assert_allclose(x, 1, atol=1e-3)

  @parameterized.parameters(
    ({"mode": "both"}, "mode must be one of 'two_stage', 'cooldown'"),
    ({"peak_value": -1.0}, r"peak_value must be in \[0, inf\), got -1"),
    ({"old_steps": 0}, "old_steps must be an integer >= 1, got 0"),
    ({"old_steps": 1.5}, "old_steps must be an integer >= 1, got 1.5"),
    ({"total_steps": 19}, "total_steps must be an integer >= 20, got 19"),
    ({"warmup_steps": -1}, "warmup_steps must be an integer >= 0, got -1"),
    ({"warmup_steps": 20}, "old_steps must be an integer >= 21, got 20"),
    ({"init_value": -1.0}, r"init_value must be in \[0, inf\)"),
    ({"cooldown_fraction": 0.0}, r"cooldown_fraction must be in \(0, 1\]"),
    ({"cooldown_fraction": 1.1}, r"cooldown_fraction must be in \(0, 1\]"),
  )
  def test_bad_input(self, options, message):
    given = {"peak_value": 0.1, "old_steps": 20, "total_steps": 40}
    with self.assertRaisesRegex(ValueError, f"extend_wsd: {message}"):
      optax_stepsize.extend_wsd(**given | options)

  def test_traced_share(self):
    with self.assertRaisesRegex(ValueError, "cooldown_fraction .* concrete"):
      jax.jit(
        lambda c: optax_stepsize.extend_wsd(0.1, 20, 40, cooldown_fraction=c)(0)
      )(0.2)


if __name__ == "__main__":
  absltest.main()
