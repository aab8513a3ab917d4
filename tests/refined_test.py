# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `refine_schedule` and `refined_schedule`."""

from fractions import Fraction

from absl.testing import absltest
from absl.testing import parameterized
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

NORMS = (4.0, 2.0, 1.0, 1.0, 1.0, 2.0)
positive_norms = strategies.lists(
  strategies.floats(0.1, 10.0), min_size=2, max_size=40
)


def noisy(size):
  return np.random.RandomState(size).uniform(0.5, 2.0, size)


def literal(norms, power):
  """The rule, term by term, without a filter."""
  weights = [1 / g**power for g in norms]
  steps = range(len(norms))
  return np.array([weights[t] * sum(weights[t + 1 :]) for t in steps])


class RefineTest(parameterized.TestCase):
  def test_known_figures(self):
    raw = optax_stepsize.refine_schedule(NORMS, tau=0.0, normalize=False)
    # By the last weight, 1 / 4.
    np.testing.assert_allclose(raw * 4, [0.875, 3.25, 9, 5, 1, 0])
    np.testing.assert_allclose(
      optax_stepsize.refine_schedule(NORMS, tau=0.0),
      [0.0972222, 0.3611111, 1, 0.5555556, 0.1111111, 0],
      atol=5e-8,
    )
    found = optax_stepsize.refine_schedule(NORMS, norm="l1", tau=0.0)
    np.testing.assert_allclose(found, [0.4, 0.7, 1, 0.6, 0.2, 0], rtol=1e-15)
    self.assertEqual(found.dtype, np.float64)
    self.assertIsInstance(found, np.ndarray)

  @parameterized.parameters("l1", "l2")
  def test_equal_norms_give_linear_decay(self, norm):
    for tau in (0.0, 0.1, 0.9):
      found = optax_stepsize.refine_schedule([3.0] * 6, norm=norm, tau=tau)
      np.testing.assert_allclose(found, [1, 0.8, 0.6, 0.4, 0.2, 0], rtol=1e-15)
      self.assertEqual(found[-1], 0)

  @parameterized.parameters(("l1", 1), ("l2", 2))
  def test_is_the_rule(self, norm, power):
    norms = noisy(50)
    wanted = literal(norms, power)
    options = {"norm": norm, "tau": 0.0}
    found = optax_stepsize.refine_schedule(norms, normalize=False, **options)
    np.testing.assert_allclose(found, wanted, rtol=1e-13)
    found = optax_stepsize.refine_schedule(norms, **options)
    np.testing.assert_allclose(found, wanted / np.max(wanted), rtol=1e-13)

  @parameterized.parameters(("l1", 1), ("l2", 2))
  def test_sum_of_the_rates(self, norm, power):
    # Rates by the sum of weights add up to half of 1 - sum w^2 / (sum w)^2.
    norms = noisy(30)
    weights = norms**-power
    rates = optax_stepsize.refine_schedule(
      norms, norm=norm, tau=0.0, normalize=False
    )
    shares = weights / np.sum(weights)
    self.assertAlmostEqual(
      np.sum(rates) / np.sum(weights) ** 2,
      0.5 * (1 - np.sum(shares**2)),
      places=14,
    )

  def test_scale_does_not_matter(self):
    @settings(deadline=None, derandomize=True)
    @given(positive_norms, strategies.sampled_from(["l1", "l2"]))
    def scaled(norms, norm):
      norms = np.array(norms)
      wanted = optax_stepsize.refine_schedule(norms, norm=norm)
      self.assertEqual(wanted[-1], 0)
      self.assertEqual(np.max(wanted), 1)
      for scale in (1e-100, 1e-3, 1e100):
        found = optax_stepsize.refine_schedule(scale * norms, norm=norm)
        np.testing.assert_allclose(found, wanted, rtol=1e-12)

    scaled()

  def test_where_it_rises(self):
    # It does exactly where 1 / w_t > 1 / w_{t+1} + 1 / (w_{t+2} + ...).
    norms = noisy(60) * np.linspace(3, 1, 60)
    weights = norms**-2.0
    rates = optax_stepsize.refine_schedule(norms, tau=0.0)
    for t in range(58):
      threshold = 1 / weights[t + 1] + 1 / np.sum(weights[t + 2 :])
      self.assertEqual(rates[t + 1] > rates[t], 1 / weights[t] > threshold, t)

  def test_a_warmup_needs_norms_that_fall_fast(self):
    left = 201.0 - np.arange(1, 201)
    fast = np.diff(optax_stepsize.refine_schedule(np.sqrt(left), tau=0.0))
    # From t to t + 1, it rises until t + 1 = 198.
    self.assertTrue(np.all(fast[:197] > 0))
    self.assertTrue(np.all(fast[197:] < 0))
    slow = np.diff(optax_stepsize.refine_schedule(left**0.25, tau=0.0))
    self.assertTrue(np.all(slow < 0))

  def test_non_decreasing_norms_give_a_falling_schedule(self):
    @settings(deadline=None, derandomize=True)
    @given(positive_norms)
    def falls(norms):
      rates = optax_stepsize.refine_schedule(sorted(norms), tau=0.0)
      self.assertTrue(np.all(np.diff(rates) < 0))

    falls()


class FilterTest(parameterized.TestCase):
  @parameterized.parameters(
    (40, 0.1, 5),
    (60, 0.2, 13),
    (37, 0.0, 1),
    (10, 0.1, 1),
    (25, 0.9, 23),
    (2, 0.9, 1),
    (3, 0.9, 3),
  )
  def test_is_that_of_scipy(self, size, tau, width):
    try:
      from scipy import ndimage
    except ImportError:
      self.skipTest("SciPy is not installed.")
    norms = noisy(size)
    padded = np.pad(norms, (0, 2 * width), mode="reflect")
    filtered = ndimage.median_filter(padded, size=width, mode="nearest")
    wanted = optax_stepsize.refine_schedule(filtered[: -2 * width], tau=0.0)
    found = optax_stepsize.refine_schedule(norms, tau=tau)
    np.testing.assert_allclose(found, wanted, rtol=1e-14)

  def test_ends_are_treated_differently(self):
    norms = np.ones(20)
    norms[0] = 9.0
    norms[-4:] = (2.0, 3.0, 4.0, 5.0)
    filtered = np.ones(20)
    # Medians of five: of (1, 1, 2, 3, 4) and so on, and where the end is
    # mirrored without its edge, of (2, 3, 4, 5, 4) and (3, 4, 5, 4, 3).
    filtered[-4:] = (2.0, 3.0, 4.0, 4.0)
    # At the start the first one is repeated: (9, 9, 9, 1, 1), (9, 9, 1, 1, 1).
    filtered[0] = 9.0
    wanted = optax_stepsize.refine_schedule(filtered, tau=0.0)
    found = optax_stepsize.refine_schedule(norms, tau=0.2)
    np.testing.assert_allclose(found, wanted, rtol=1e-14)

  def test_a_long_run(self):
    # More windows than are sorted at a time.
    norms = np.ones(50000)
    norms[25000:] = 2.0
    found = optax_stepsize.refine_schedule(norms, tau=0.01)
    wanted = optax_stepsize.refine_schedule(norms, tau=0.0)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)

  def test_entries_that_are_not_finite_are_dropped(self):
    norms = [np.nan, *NORMS[:3], np.inf, *NORMS[3:], -np.inf]
    np.testing.assert_array_equal(
      optax_stepsize.refine_schedule(norms),
      optax_stepsize.refine_schedule(NORMS),
    )

  def test_number_of_points(self):
    found = optax_stepsize.refine_schedule(NORMS, tau=0.0, num_points=11)
    between = np.interp(np.linspace(0, 5, 11), np.arange(6), NORMS)
    wanted = optax_stepsize.refine_schedule(between, tau=0.0)
    np.testing.assert_allclose(found, wanted, rtol=1e-14)
    # The filter is as wide as the share of the new number.
    found = optax_stepsize.refine_schedule(NORMS, tau=0.3, num_points=11)
    wanted = optax_stepsize.refine_schedule(between, tau=0.3)
    np.testing.assert_allclose(found, wanted, rtol=1e-14)

  def test_a_zero_among_the_norms(self):
    found = optax_stepsize.refine_schedule([1.0, 0.0, 1.0, 1.0], tau=0.0)
    self.assertTrue(np.all(np.isfinite(found)))
    # It counts as 1e-12 of the largest norm.
    wanted = optax_stepsize.refine_schedule([1.0, 1e-12, 1.0, 1.0], tau=0.0)
    np.testing.assert_allclose(found, wanted, rtol=1e-14)


def oracle(rates, step, total_steps, peak):
  """Linear interpolation at exact positions, of the float32 rates."""
  if step >= total_steps:
    return 0.0
  position = Fraction(step * (len(rates) - 1), max(total_steps - 1, 1))
  place = int(position)
  rest = position - place
  value = Fraction(float(rates[place])) * (1 - rest)
  if rest:
    value += Fraction(float(rates[place + 1])) * rest
  return float(value * Fraction(peak))


class ScheduleTest(parameterized.TestCase):
  @parameterized.parameters(1, 2, 3, 5, 6, 7, 11, 12, 100)
  def test_any_length(self, total_steps):
    rates = optax_stepsize.refine_schedule(NORMS, tau=0.0).astype(np.float32)
    schedule = optax_stepsize.refined_schedule(
      NORMS, 0.5, tau=0.0, total_steps=total_steps
    )
    found = schedule(np.arange(110))
    wanted = [oracle(rates, step, total_steps, 0.5) for step in range(110)]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    np.testing.assert_array_equal(found[total_steps:], 0)
    if total_steps > 1:
      self.assertEqual(found[total_steps - 1], 0)
      self.assertEqual(found[0], 0.5 * rates[0])

  def test_by_default_it_is_as_long_as_the_run(self):
    schedule = optax_stepsize.refined_schedule(NORMS, 1.0, tau=0.0)
    found = schedule(np.arange(8))
    wanted = optax_stepsize.refine_schedule(NORMS, tau=0.0)
    np.testing.assert_allclose(found, [*wanted, 0, 0], rtol=1e-7)
    # Dropped entries were steps of the run as well.
    schedule = optax_stepsize.refined_schedule([*NORMS, np.nan], 1.0)
    self.assertGreater(schedule(5), 0)
    self.assertEqual(schedule(6), 0)

  @parameterized.parameters((7, 2**31 - 1), (20001, 2**31 - 1), (3, 2**24 + 5))
  def test_float32_at_extreme_steps(self, size, total_steps):
    norms = noisy(size)
    rates = optax_stepsize.refine_schedule(norms, tau=0.0).astype(np.float32)
    steps = {0, 1, 3, total_steps - 2, total_steps - 1, total_steps}
    steps |= {2**24 + 1, 2**31 - 2, total_steps // 2, total_steps // 3}
    # Around a place where the interval changes.
    change = -(-(total_steps - 1) * (size // 2) // (size - 1))
    steps |= {change - 1, change, change + 1}
    steps = np.array(sorted(s for s in steps if s < 2**31), np.int64)
    schedule = optax_stepsize.refined_schedule(
      norms, 0.3, tau=0.0, total_steps=total_steps
    )
    found = jax.jit(schedule)(steps.astype(np.int32))
    peak = float(np.float32(0.3))
    for step, rate in zip(steps.tolist(), found, strict=True):
      wanted = oracle(rates, step, total_steps, peak)
      self.assertLessEqual(abs(float(rate) - wanted), 1e-6 * wanted, step)

  def test_float64(self):
    norms = noisy(9)
    rates = optax_stepsize.refine_schedule(norms)
    with core.enable_x64(True):
      schedule = optax_stepsize.refined_schedule(norms, 0.3, total_steps=50)
      found = schedule(jnp.arange(52))
      self.assertEqual(found.dtype, jnp.float64)
      found = np.asarray(found)
    wanted = [oracle(rates, step, 50, 0.3) for step in range(52)]
    np.testing.assert_allclose(found, wanted, rtol=1e-13)

  @parameterized.parameters(int, np.int64, np.uint32, jnp.int32, jnp.int16)
  def test_any_integer_counts(self, dtype):
    schedule = optax_stepsize.refined_schedule(NORMS, 1.0, total_steps=10**6)
    for step in (0, 1, 30000):
      found = schedule(dtype(step))
      self.assertEqual((found.dtype, found.shape), (jnp.float32, ()))
      self.assertEqual(found, schedule(step))
    self.assertEqual(schedule(-1), schedule(0))
    self.assertEqual(schedule(jnp.ones((2, 3), jnp.int32)).shape, (2, 3))

  def test_optax_runs_it_with_a_traced_peak(self):
    def peaked(peak):
      return optax_stepsize.refined_schedule(NORMS, peak, norm="l1", tau=0.0)

    @jax.jit
    @jax.vmap
    def run(peak):
      tx = optax.sgd(peaked(peak))

      def step(state, _):
        return tx.update(jnp.ones(()), state)[::-1]

      return jax.lax.scan(step, tx.init(jnp.ones(())), length=7)[1]

    found = run(jnp.array([1.0, 3.0]))
    wanted = np.array([0.4, 0.7, 1, 0.6, 0.2, 0, 0])
    np.testing.assert_allclose(found, [-wanted, -3 * wanted], rtol=1e-6)
    joined = optax.join_schedules([peaked(1.0), peaked(2.0)], [6])
    self.assertAlmostEqual(joined(7), 1.4, delta=1e-6)
    injected = optax.inject_hyperparams(optax.sgd)(learning_rate=peaked(1.0))
    with jax.numpy_dtype_promotion("standard"):
      state = injected.init(jnp.ones(2))
    self.assertAlmostEqual(state.hyperparams["learning_rate"], 0.4, delta=1e-6)


class LoopTest(parameterized.TestCase):
  def test_from_a_recorded_run(self):
    # Linear decay, norms, refinement: as the first run of the procedure.
    curvature = jnp.array([0.1, 1.0])
    tx = optax.chain(
      optax_stepsize.record_gradient_norms(50),
      optax.sgd(optax_stepsize.linear_decay_schedule(0.5, 50)),
    )

    def step(carry, _):
      params, state = carry
      grads = curvature * (params - 1)
      updates, state = tx.update(grads, state, params)
      return (optax.apply_updates(params, updates), state), jnp.sqrt(
        jnp.sum(grads**2)
      )

    params = jnp.array([4.0, -7.0])
    (_, state), norms = jax.lax.scan(step, (params, tx.init(params)), length=50)
    found = optax_stepsize.recorded_norms(state)
    np.testing.assert_allclose(found, norms, rtol=1e-6)
    rates = optax_stepsize.refine_schedule(found)
    # Norms that fall fast at first: a warm-up emerges, then it decays.
    self.assertLess(rates[0], 0.2)
    self.assertBetween(int(np.argmax(rates)), 3, 40)


class ErrorsTest(parameterized.TestCase):
  @parameterized.parameters(
    ([], {}, "grad_norms must have at least 2 finite entries, got 0 among 0."),
    (
      [1.0, np.nan, np.inf],
      {},
      "grad_norms must have at least 2 finite entries, got 1 among 3.",
    ),
    ([1.0, -2.0], {}, "grad_norms must be in [0, inf), got -2.0."),
    (
      [0.0, 0.0, 0.0],
      {},
      "grad_norms must not all be 0 after the median filter.",
    ),
    ([[1.0], [2.0]], {}, "grad_norms must have one axis, that of the steps,"),
    (["a", "b"], {}, "grad_norms must be numbers, got ['a', 'b']."),
    (NORMS, {"norm": "linf"}, "norm must be one of 'l2', 'l1', got 'linf'."),
    (NORMS, {"tau": 1.0}, "tau must be in [0, 1), got 1.0."),
    (NORMS, {"tau": -0.1}, "tau must be in [0, 1), got -0.1."),
  )
  def test_both_functions(self, norms, options, text):
    for name, call in (
      (
        "refine_schedule",
        lambda: optax_stepsize.refine_schedule(norms, **options),
      ),
      (
        "refined_schedule",
        lambda: optax_stepsize.refined_schedule(norms, 1.0, **options),
      ),
    ):
      with self.assertRaises(ValueError) as error:
        call()
      self.assertStartsWith(str(error.exception), f"{name}: {text}")

  def test_other_arguments(self):
    for call, text in (
      (
        lambda: optax_stepsize.refine_schedule(NORMS, num_points=1),
        "refine_schedule: num_points must be an integer >= 2, got 1.",
      ),
      (
        lambda: optax_stepsize.refined_schedule(NORMS, -1.0),
        "refined_schedule: peak_value must be in [0, inf), got -1.0.",
      ),
      (
        lambda: optax_stepsize.refined_schedule(NORMS, 1.0, total_steps=0),
        "refined_schedule: total_steps must be an integer >= 1, got 0.",
      ),
      (
        lambda: jax.jit(optax_stepsize.refine_schedule)(jnp.ones(5)),
        "refine_schedule: grad_norms are worked on by the host and must be"
        " concrete, got a traced array. Fix: call it outside of jit.",
      ),
    ):
      with self.assertRaises(ValueError) as error:
        call()
      self.assertEqual(str(error.exception), text)


if __name__ == "__main__":
  absltest.main()
