# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the steps to a target against the batch size."""

import math

from absl.testing import absltest
from absl.testing import parameterized
import hypothesis
from hypothesis import strategies as st
import numpy as np

import optax_stepsize
from optax_stepsize import laws

LAW = laws.StepsLaw(A=2000.0, B=1.5, E=0.5)
BATCHES = np.array([4.0, 8.0, 16.0, 32.0, 64.0])
STEPS = np.array([16000.0, 6400.0, 4923.0769, 4413.7931, 4196.7213])


class LawTest(parameterized.TestCase):
  def test_figures(self):
    np.testing.assert_allclose(LAW.predict(BATCHES), STEPS, rtol=1e-7)
    np.testing.assert_allclose(
      LAW.sfo([4, 8, 16]), [64000, 51200, 78769.23], rtol=1e-7
    )
    self.assertEqual(LAW.critical_batch, 6.0)
    self.assertEqual(LAW.min_sfo, 48000.0)
    self.assertEqual(LAW.sfo(6), 48000.0)
    self.assertEqual(LAW.predict(6), 8000.0)

  def test_only_ratios_matter(self):
    same = laws.StepsLaw(A=4000.0, B=3.0)
    np.testing.assert_allclose(same.predict(BATCHES), LAW.predict(BATCHES))
    self.assertEqual(same.critical_batch, LAW.critical_batch)
    self.assertEqual(same.min_sfo, LAW.min_sfo)

  @hypothesis.settings(deadline=None, max_examples=50)
  @hypothesis.given(
    a=st.floats(1.0, 1e6), b=st.floats(1e-2, 1e3), e=st.floats(1e-3, 10.0)
  )
  def test_falling_convex_and_least_at_the_critical_batch(self, a, b, e):
    law = laws.StepsLaw(a, b, e)
    batches = b / e * np.linspace(1.1, 9.0, 200)
    steps, cost = law.predict(batches), law.sfo(batches)
    self.assertTrue(np.all(np.diff(steps) < 0))
    # Beyond the rounding of second differences.
    self.assertTrue(np.all(np.diff(steps, 2) > -1e-12 * steps[0]))
    self.assertTrue(np.all(np.diff(cost, 2) > -1e-12 * cost[0]))
    np.testing.assert_allclose(law.sfo(law.critical_batch), law.min_sfo)
    self.assertGreaterEqual(np.min(cost), law.min_sfo * (1 - 1e-12))
    np.testing.assert_allclose(law.predict(1e12 * b / e), a / e, rtol=1e-9)

  def test_too_small_a_batch_never_gets_there(self):
    self.assertEqual(LAW.predict([1.0, 3.0]).tolist(), [math.inf, math.inf])
    self.assertTrue(np.isfinite(LAW.predict(3.0001)))

  def test_a_strict_target_wants_a_larger_batch(self):
    strict = laws.StepsLaw(A=2000.0, B=1.5, E=0.25)
    self.assertGreater(strict.critical_batch, LAW.critical_batch)

  def test_json(self):
    self.assertEqual(laws.Law.from_json(LAW.to_json()), LAW)

  def test_bad_input(self):
    with self.assertRaisesRegex(ValueError, "StepsLaw.predict: batch must be"):
      LAW.predict([1.0, 0.0])


class FitTest(parameterized.TestCase):
  def test_exact_data(self):
    fit = laws.fit_steps_law(BATCHES, LAW.predict(BATCHES))
    np.testing.assert_allclose(
      [fit.law.A, fit.law.B, fit.law.E], [4000.0, 3.0, 1.0], rtol=1e-8
    )
    self.assertEqual(fit.warnings, ())
    self.assertIsNone(fit.intervals["E"])
    self.assertIsNotNone(fit.intervals["B"])

  def test_intervals_cover(self):
    rng = np.random.default_rng(0)
    batches = np.repeat(BATCHES, 2)
    exact = LAW.predict(batches)
    hits = np.zeros(3)
    for _ in range(200):
      fit = laws.fit_steps_law(
        batches, exact * np.exp(0.03 * rng.standard_normal(len(exact)))
      )
      (a_low, a_high), (b_low, b_high) = (fit.intervals[name] for name in "AB")
      low, high = fit.predict_interval(10.0)
      hits += (
        a_low <= 4000 <= a_high,
        b_low <= 3 <= b_high,
        low <= LAW.predict(10.0) <= high,
      )
    self.assertBetween(min(hits) / 200, 0.90, 0.99)
    self.assertBetween(max(hits) / 200, 0.90, 0.99)

  def test_one_wild_run_counts_little(self):
    batches = 4 * 2.0 ** np.arange(8)
    steps = LAW.predict(batches)
    steps[4] *= 3
    robust = laws.fit_steps_law(batches, steps).law
    plain = laws.fit_steps_law(batches, steps, huber_delta=math.inf).law
    self.assertLess(abs(robust.A / 4000 - 1), 0.03)
    self.assertGreater(abs(plain.A / 4000 - 1), 0.1)

  def test_weights(self):
    steps = np.where(BATCHES == 16, 9e9, STEPS)
    fit = laws.fit_steps_law(BATCHES, steps, weights=BATCHES != 16)
    np.testing.assert_allclose([fit.law.A, fit.law.B], [4000, 3], rtol=1e-6)

  @parameterized.parameters(math.inf, math.nan)
  def test_missed_targets_are_left_out_and_reported(self, missed):
    batches, steps = np.append(BATCHES, 2.0), np.append(STEPS, missed)
    fit = laws.fit_steps_law(batches, steps)
    np.testing.assert_allclose(fit.law.B, 3.0, rtol=1e-6)
    self.assertEqual(
      fit.warnings, ("left out the runs that missed the target, at batch 2",)
    )

  def test_no_noise_to_be_seen(self):
    noise = np.array([1.001, 0.999, 1.0, 1.002, 0.998])
    fit = laws.fit_steps_law(BATCHES, 4000 * noise)
    told = " ".join(fit.warnings)
    self.assertRegex(told, "do not tell B|B ended at a bound")
    self.assertIn("the critical batch is at most 4. Fix: add smaller", told)
    self.assertIsNone(fit.intervals["B"])
    np.testing.assert_allclose(fit.law.A, 4000, rtol=0.01)

  def test_critical_batch_above_the_range(self):
    # Steps in proportion to 1 / b ** 1.2, so that cost falls all along.
    fit = laws.fit_steps_law(BATCHES, 1e6 / BATCHES**1.2)
    self.assertRegex(
      " ".join(fit.warnings), "above the range, at least 64. Fix: add larger"
    )

  @parameterized.named_parameters(
    ("two", {"batches": [4, 8, 8], "steps": [3.0, 2.0, 2.0]}, "at least 3"),
    ("missed", {"steps": [math.nan] * 3 + [1.0, 2.0]}, "at least 3.*got 2"),
    ("zero", {"steps": [0.0] * 5}, "steps must be in"),
    ("batch", {"batches": -BATCHES}, "batches must be in"),
    ("lengths", {"batches": BATCHES[:3]}, "batches 3, steps 5"),
    ("weights", {"weights": [1.0]}, "weights must have one entry"),
    ("huber_delta", {"huber_delta": 0.0}, "huber_delta must be in"),
  )
  def test_bad_input(self, given, message):
    with self.assertRaisesRegex(ValueError, f"fit_steps_law: .*{message}"):
      laws.fit_steps_law(**{"batches": BATCHES, "steps": STEPS} | given)


class MeasuredTest(parameterized.TestCase):
  def test_neighbours_and_parabola(self):
    found = optax_stepsize.measured_critical_batch(BATCHES, STEPS)
    self.assertEqual((found.low, found.high), (4.0, 16.0))
    self.assertBetween(found.batch, 4.0, 16.0)
    self.assertLess(found.sfo, 8 * 6400)
    self.assertEqual(found.warning, "")

  def test_a_parabola_is_found_again(self):
    logs = np.log(BATCHES)
    cost = np.exp(11 + 0.3 * (logs - math.log(13.0)) ** 2)
    found = laws.measured_critical_batch(BATCHES[::-1], (cost / BATCHES)[::-1])
    np.testing.assert_allclose(found.batch, 13.0, rtol=1e-9)
    np.testing.assert_allclose(found.sfo, math.exp(11), rtol=1e-9)

  def test_a_fine_grid_agrees_with_the_law(self):
    batches = 3.5 * 1.02 ** np.arange(100)
    found = laws.measured_critical_batch(batches, LAW.predict(batches))
    np.testing.assert_allclose(found.batch, 6.0, rtol=1e-3)
    np.testing.assert_allclose(found.sfo, 48000.0, rtol=1e-5)

  def test_seeds_are_averaged(self):
    batches, steps = np.repeat(BATCHES, 2), np.repeat(STEPS, 2)
    steps *= np.tile([1.1, 1 / 1.1], 5)
    once = laws.measured_critical_batch(BATCHES, STEPS)
    twice = laws.measured_critical_batch(batches, steps)
    np.testing.assert_allclose(twice.batch, once.batch, rtol=1e-9)

  def test_above_and_below_the_range(self):
    above = laws.measured_critical_batch([4, 8, 16], [1000, 450, 200])
    self.assertEqual((above.batch, above.low, above.high), (16, 8, math.inf))
    self.assertIn("at least 16", above.warning)
    below = laws.measured_critical_batch([4, 8, 16], [100, 90, 80])
    self.assertEqual((below.batch, below.low, below.high), (4, 0, 8))
    self.assertIn("at most 4", below.warning)

  def test_a_missed_target_is_a_neighbour(self):
    found = laws.measured_critical_batch([2, 4, 8], [math.inf, 100, 90])
    self.assertEqual((found.batch, found.low, found.high), (4, 2, 8))
    self.assertEqual(found.warning, "")

  def test_no_run_got_there(self):
    with self.assertRaisesRegex(ValueError, "measured_critical_batch: steps"):
      laws.measured_critical_batch([2, 4], [math.inf, math.nan])


if __name__ == "__main__":
  absltest.main()
