# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the best rate of a sweep, and of its law in tokens and size."""

import csv
import math
import os
import pathlib
import unittest

from absl.testing import absltest
from absl.testing import parameterized
import hypothesis
from hypothesis import strategies as st
import numpy as np

import optax_stepsize
from optax_stepsize import laws

SWEEPS = os.environ.get("OPTAX_STEPSIZE_LR_SWEEPS", "")

# Best rates of a model of 125 million parameters, at batches of half a million.
TOKENS = np.array([25e9, 50e9, 100e9, 200e9, 400e9, 800e9])
BEST = np.array([1.34e-3, 1.02e-3, 6.60e-4, 4.12e-4, 2.51e-4, 1.98e-4])


def parabola(rates, best=1e-3, curvature=0.04, floor=3.0):
  return floor + curvature / 2 * np.log(np.asarray(rates) / best) ** 2


def within(interval, value):
  return interval is not None and interval[0] <= value <= interval[1]


class SweepTest(parameterized.TestCase):
  def test_four_rates(self):
    best = laws.optimal_lr_from_sweep(
      [1e-4, 2e-4, 4e-4, 8e-4], [3.02, 3.00, 2.995, 3.012]
    )
    np.testing.assert_allclose(best.lr, 3.153069e-4, rtol=1e-6)
    np.testing.assert_allclose(best.curvature / 2, 0.0192527, rtol=1e-5)
    self.assertTrue(best.interior)
    self.assertEqual(best.warning, "")
    self.assertEqual((best.boot_lo, best.boot_hi), (None, None))

  @hypothesis.settings(deadline=None, max_examples=50)
  @hypothesis.given(
    best=st.floats(-18.0, 3.0),
    curvature=st.floats(1e-3, 1.0),
    ratio=st.floats(1.2, 4.0),
    floor=st.floats(-2.0, 9.0),
  )
  def test_a_parabola_is_found_again(self, best, curvature, ratio, floor):
    best = math.exp(best)
    rates = best * ratio ** np.array([1.4, -0.6, -1.6, 0.4, 2.4, -2.6])
    losses = parabola(rates, best, curvature, floor)
    found = laws.optimal_lr_from_sweep(rates, losses, max_excess=math.inf)
    self.assertTrue(found.interior)
    np.testing.assert_allclose(found.lr, best, rtol=1e-6)
    np.testing.assert_allclose(found.curvature, curvature, rtol=1e-6)
    np.testing.assert_allclose(found.loss, floor, atol=1e-9)

  def test_the_window_leaves_out_what_is_far(self):
    rates = 1e-3 * 2.0 ** np.arange(-5, 6)
    losses = parabola(rates, 1.1e-3)
    wild = losses + 0.2 * (np.abs(np.log2(rates / 1e-3)) > 2.5)
    for window, used in ((1, (4, 5, 6)), (2, (3, 4, 5, 6, 7))):
      found = laws.optimal_lr_from_sweep(rates, wild, window=window)
      self.assertEqual(found.used, used)
      np.testing.assert_allclose(found.lr, 1.1e-3, rtol=1e-9)
    wide = laws.optimal_lr_from_sweep(rates, wild, window=5)
    self.assertLen(wide.used, 11)
    self.assertGreater(abs(math.log(wide.lr / 1.1e-3)), 1e-3)

  def test_runs_that_diverged_are_reported(self):
    rates = [1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3, 3.2e-3, 6.4e-3]
    losses = [3.02, 3.00, 2.995, 3.012, 3.6, math.nan, math.inf]
    found = laws.optimal_lr_from_sweep(rates, losses)
    self.assertEqual(found.dropped, (4, 5, 6))
    self.assertEqual(found.used, (0, 1, 2, 3))
    np.testing.assert_allclose(found.lr, 3.153069e-4, rtol=1e-6)
    kept = laws.optimal_lr_from_sweep(rates, losses, max_excess=math.inf)
    self.assertEqual(kept.dropped, (5, 6))
    self.assertIn(4, kept.used)

  def test_seeds_count_together(self):
    rates = np.repeat([5e-4, 1e-3, 2e-3, 4e-3], 3)
    noise = np.tile([0.01, -0.01, 0.0], 4)
    found = laws.optimal_lr_from_sweep(rates, parabola(rates, 1.2e-3) + noise)
    self.assertLen(found.used, 12)
    np.testing.assert_allclose(found.lr, 1.2e-3, rtol=1e-9)

  @parameterized.named_parameters(
    ("at_the_high_end", 1.0, 4e-3, "larger"),
    ("at_the_low_end", 1e-5, 5e-4, "smaller"),
  )
  def test_minimum_beyond_the_sweep(self, best, end, side):
    rates = [5e-4, 1e-3, 2e-3, 4e-3]
    found = laws.optimal_lr_from_sweep(rates, parabola(rates, best, 0.01))
    self.assertFalse(found.interior)
    self.assertEqual(found.lr, end)
    self.assertRegex(found.warning, f"between 0.0005 and 0.004.*add {side}")

  def test_a_hill_has_no_minimum(self):
    rates = [1e-3, 2e-3, 4e-3, 8e-3]
    found = laws.optimal_lr_from_sweep(rates, [3.0, 3.1, 3.1, 3.05], window=3)
    self.assertFalse(found.interior)
    self.assertLess(found.curvature, 0)
    self.assertEqual(found.lr, 1e-3)

  def test_two_rates_in_the_window_are_too_few_for_a_parabola(self):
    rates = [1e-3, 2e-3, 4e-3]
    found = laws.optimal_lr_from_sweep(rates, [3.2, 3.1, 3.0], window=1)
    self.assertFalse(found.interior)
    self.assertTrue(math.isnan(found.curvature))
    self.assertEqual((found.lr, found.loss), (4e-3, 3.0))

  @parameterized.named_parameters(("five", 5, 2), ("nine", 9, 4))
  def test_intervals_cover(self, count, window):
    rng = np.random.default_rng(0)
    rates = 1e-3 * 2.0 ** (np.arange(count) - count // 2)
    truth, hits = 1.2e-3, 0
    for seed in range(200):
      losses = parabola(rates, truth) + 0.002 * rng.standard_normal(count)
      found = laws.optimal_lr_from_sweep(
        rates, losses, window=window, n_boot=400, seed=seed
      )
      self.assertLess(found.boot_lo, found.lr)
      self.assertGreater(found.boot_hi, found.lr)
      hits += found.boot_lo <= truth <= found.boot_hi
    self.assertBetween(hits / 200, 0.90, 0.99)

  def test_what_the_noise_hides_has_a_boundless_interval(self):
    rates = 1e-3 * 2.0 ** np.arange(-2, 3)
    noise = np.array([0.1, 0.3, -0.2, 0.25, -0.1])
    found = laws.optimal_lr_from_sweep(
      rates, parabola(rates) + noise, window=4, max_excess=9.0, n_boot=1000
    )
    self.assertEqual((found.boot_lo, found.boot_hi), (0.0, math.inf))

  def test_three_rates_have_no_interval(self):
    rates = [5e-4, 1e-3, 2e-3]
    found = laws.optimal_lr_from_sweep(rates, parabola(rates), n_boot=100)
    self.assertTrue(found.interior)
    self.assertIsNone(found.boot_lo)
    self.assertIn("3 runs leave nothing to judge the noise by", found.warning)

  @parameterized.named_parameters(
    ("lengths", {"losses": [3.0, 3.1]}, "one entry for each run"),
    ("rate", {"learning_rates": [-1.0, 1.0, 2.0, 4.0]}, "learning_rates.*inf"),
    ("nan_rate", {"learning_rates": [math.nan, 1.0, 2.0, 4.0]}, "nan"),
    ("few", {"losses": [3.0, 3.1, math.nan, math.nan]}, "at least 3.*got 2"),
    ("none", {"losses": [math.nan] * 4}, "at least 3.*got 0"),
    ("window", {"window": 0}, "window must be an integer >= 1"),
    ("excess", {"max_excess": 0.0}, "max_excess"),
    ("n_boot", {"n_boot": -1}, "n_boot"),
    ("confidence", {"confidence": 1.0}, "confidence"),
    ("text", {"losses": ["a", "b", "c", "d"]}, "losses must be a list"),
    ("axes", {"losses": [[3.0, 3.1, 3.2, 3.3]]}, "shape"),
  )
  def test_bad_input(self, given, message):
    good = {
      "learning_rates": [1e-4, 2e-4, 4e-4, 8e-4],
      "losses": [3.02, 3.0, 2.995, 3.012],
    }
    with self.assertRaisesRegex(
      ValueError, f"optimal_lr_from_sweep.*{message}"
    ):
      laws.optimal_lr_from_sweep(**good | given)


class HorizonLawTest(parameterized.TestCase):
  def test_all_six_horizons(self):
    fit = laws.fit_horizon_law(TOKENS, BEST)
    np.testing.assert_allclose(fit.law.beta, 0.586902, rtol=2e-6)
    np.testing.assert_allclose(fit.law.B, 1800.261, rtol=1e-6)
    r2 = laws.metrics(np.log(BEST), np.log(fit.predict(TOKENS))).r2
    np.testing.assert_allclose(r2, 0.990789, rtol=1e-6)

  def test_the_first_four_predict_the_others(self):
    fit = laws.fit_horizon_law(TOKENS[:4], BEST[:4])
    np.testing.assert_allclose(fit.law.beta, 0.573258, rtol=2e-6)
    np.testing.assert_allclose(
      fit.predict(TOKENS[4:]), [2.8915e-4, 1.9433e-4], rtol=3e-5
    )
    low, high = fit.predict_interval(TOKENS[4:])
    np.testing.assert_array_less(low, BEST[4:])
    np.testing.assert_array_less(BEST[4:], high)

  @parameterized.parameters(False, True)
  def test_is_weighted_least_squares(self, weighted):
    weights = np.array([1.0, 4.0, 0.5, 2.0, 0.0, 1.0]) if weighted else None
    roots = np.sqrt(weights) if weighted else np.ones(6)
    design = np.stack([np.ones(6), -np.log(TOKENS)], axis=1)
    level, beta = np.linalg.lstsq(
      roots[:, None] * design, roots * np.log(BEST)
    )[0]
    fit = laws.fit_horizon_law(TOKENS, BEST, weights=weights)
    np.testing.assert_allclose(fit.law.beta, beta, rtol=1e-8)
    np.testing.assert_allclose(math.log(fit.law.B), level, rtol=1e-8)

  def test_interval_is_that_of_least_squares(self):
    from scipy import stats

    line = stats.linregress(np.log(TOKENS), np.log(BEST))
    reach = stats.t.ppf(0.975, 4) * line.stderr
    interval = laws.fit_horizon_law(TOKENS, BEST).intervals["beta"]
    np.testing.assert_allclose(
      interval, [-line.slope - reach, -line.slope + reach], rtol=1e-6
    )

  def test_intervals_cover(self):
    rng = np.random.default_rng(0)
    law = laws.HorizonLaw(B=5.0, beta=0.32)
    hits = np.zeros(3)
    for _ in range(200):
      noise = np.exp(0.15 * rng.standard_normal(6))
      fit = laws.fit_horizon_law(TOKENS, law.predict(TOKENS) * noise)
      low, high = fit.predict_interval(1e11)
      hits += (
        within(fit.intervals["beta"], law.beta),
        within(fit.intervals["B"], law.B),
        low <= law.predict(1e11) <= high,
      )
    self.assertBetween(min(hits) / 200, 0.90, 0.99)
    self.assertBetween(max(hits) / 200, 0.90, 0.99)

  def test_two_horizons_give_a_line_and_no_interval(self):
    fit = laws.fit_horizon_law(TOKENS[:2], BEST[:2])
    np.testing.assert_allclose(fit.predict(TOKENS[:2]), BEST[:2], rtol=1e-9)
    self.assertEqual(fit.intervals, {"B": None, "beta": None})
    self.assertIn("2 points determine 2 parameters", " ".join(fit.warnings))
    self.assertTrue(math.isnan(fit.predict_interval(1e12)[0]))

  def test_a_vague_constant_does_not_spoil_predictions(self):
    rates = 1e-3 * np.array([1.0, 1.3, 0.5, 0.8])
    fit = laws.fit_horizon_law([1e10, 1.2e10, 1.5e10, 1.7e10], rates)
    low, high = fit.intervals["B"]
    self.assertGreater(high, 1e9 * low)
    self.assertEqual(fit.warnings, ())
    low, high = fit.predict_interval(1.3e10)
    self.assertBetween(low, 1e-5, fit.predict(1.3e10))
    self.assertBetween(high, fit.predict(1.3e10), 3e-3)

  @parameterized.named_parameters(
    ("one_horizon", {"tokens": [1e9] * 6}, "tokens must have at least 2"),
    ("negative", {"best_lrs": -BEST}, "best_lrs must be in"),
    ("nan", {"best_lrs": BEST * math.nan}, "best_lrs must be in"),
    ("lengths", {"tokens": TOKENS[:4]}, "tokens 4, best_lrs 6"),
    ("weights", {"weights": [1.0]}, "weights must have one entry for each"),
    ("no_weight", {"weights": [0.0] * 6}, "must not all be zero"),
    ("negative_weight", {"weights": [-1.0] * 6}, "weights must be in"),
  )
  def test_bad_input(self, given, message):
    with self.assertRaisesRegex(ValueError, f"fit_horizon_law: .*{message}"):
      laws.fit_horizon_law(**{"tokens": TOKENS, "best_lrs": BEST} | given)

  def test_json(self):
    for law in (
      laws.HorizonLaw(1800.261, 0.586902),
      laws.HorizonSizeLaw(500.0, 0.23, 0.32),
    ):
      self.assertEqual(laws.Law.from_json(law.to_json()), law)


class HorizonSizeLawTest(parameterized.TestCase):
  law = laws.HorizonSizeLaw(C=500.0, alpha=0.23, beta=0.32)
  sizes, tokens = (
    x.ravel() for x in np.meshgrid([7.6e8, 1.3e9, 2.7e9], TOKENS[:4])
  )

  def test_exact_data(self):
    rates = self.law.predict(self.sizes, self.tokens)
    fit = laws.fit_horizon_size_law(self.sizes, self.tokens, rates)
    np.testing.assert_allclose(
      [fit.law.C, fit.law.alpha, fit.law.beta], [500.0, 0.23, 0.32], rtol=1e-7
    )

  def test_predict_broadcasts(self):
    rates = self.law.predict([[1e9], [2e9]], [1e10, 1e11, 1e12])
    self.assertEqual(rates.shape, (2, 3))
    np.testing.assert_allclose(rates[0] / rates[1], 2**0.23)
    np.testing.assert_allclose(rates[:, 0] / rates[:, 1], 10**0.32)

  def test_units_change_the_constant_alone(self):
    rates = self.law.predict(self.sizes, self.tokens)
    fit = laws.fit_horizon_size_law(self.sizes / 1e6, self.tokens / 1e9, rates)
    np.testing.assert_allclose(fit.law.alpha, 0.23, rtol=1e-7)
    np.testing.assert_allclose(
      fit.predict(7e3, 1e3), self.law.predict(7e9, 1e12), rtol=1e-7
    )

  def test_intervals_cover(self):
    rng = np.random.default_rng(1)
    exact = self.law.predict(self.sizes, self.tokens)
    hits = np.zeros(3)
    for _ in range(200):
      rates = exact * np.exp(0.1 * rng.standard_normal(len(exact)))
      fit = laws.fit_horizon_size_law(self.sizes, self.tokens, rates)
      hits += [
        within(fit.intervals[name], getattr(self.law, name))
        for name in ("C", "alpha", "beta")
      ]
    self.assertBetween(min(hits) / 200, 0.90, 0.99)
    self.assertBetween(max(hits) / 200, 0.90, 0.99)

  @parameterized.named_parameters(
    ("one_size", [1e9] * 4, [1e9, 2e9, 4e9, 8e9]),
    ("twenty_tokens_each", [1e9, 2e9, 4e9, 8e9], [2e10, 4e10, 8e10, 1.6e11]),
  )
  def test_what_does_not_vary_independently(self, sizes, tokens):
    with self.assertRaisesRegex(ValueError, "must vary independently"):
      laws.fit_horizon_size_law(sizes, tokens, [4e-3, 3e-3, 2e-3, 1e-3])


class TransferTest(parameterized.TestCase):
  def test_figures(self):
    transfer = optax_stepsize.transfer_lr
    self.assertAlmostEqual(transfer(3e-4, 1e11, 2e11), 2.40321e-4, delta=1e-9)
    self.assertAlmostEqual(transfer(1.0, 1.0, 2.0), 0.801070, delta=1e-6)
    self.assertAlmostEqual(transfer(1.0, 1.0, 10.0), 0.478630, delta=1e-6)

  def test_is_the_law(self):
    law = laws.HorizonLaw(B=7.0, beta=0.4)
    rate = laws.transfer_lr(float(law.predict(1e10)), 1e10, 7e11, beta=0.4)
    np.testing.assert_allclose(rate, law.predict(7e11))

  @parameterized.parameters("lr", "tokens_from", "tokens_to")
  def test_bad_input(self, name):
    good = {"lr": 1e-3, "tokens_from": 1e9, "tokens_to": 2e9}
    with self.assertRaisesRegex(ValueError, f"transfer_lr: {name} must be"):
      laws.transfer_lr(**good | {name: 0.0})
    with self.assertRaisesRegex(ValueError, "transfer_lr: beta must be"):
      laws.transfer_lr(**good, beta=-0.3)


@unittest.skipUnless(SWEEPS, "OPTAX_STEPSIZE_LR_SWEEPS names no folder of runs")
class RealSweepTest(parameterized.TestCase):
  """Runs of 124 million parameters, at a batch of 102400 tokens."""

  def sweep(self, steps, **kept):
    path = pathlib.Path(SWEEPS) / "llama124m_slimpajama.csv"
    with path.open() as file:
      rows = [
        (float(row["base_lr"]), float(row["final_val_loss"]))
        for row in csv.DictReader(file)
        if int(row["steps"]) == steps
        and all(row[name] == value for name, value in kept.items())
      ]
    return zip(*rows, strict=True)

  def wsd(self, steps):
    return self.sweep(
      steps, schedule="wsd", cooldown_shape="linear", cooldown_fraction="0.2"
    )

  def exponent(self, best):
    steps = np.array([15_000, 25_000, 50_000])
    rates = [best(*self.wsd(count)) for count in steps.tolist()]
    return laws.fit_horizon_law(102_400.0 * steps, rates).law.beta

  def test_exponent_by_the_shape_of_the_bound(self):
    beta = self.exponent(lambda *sweep: laws.fit_lr_sweep(*sweep).best_lr)
    self.assertAlmostEqual(beta, 0.33, delta=0.01)

  def test_exponent_by_parabolas(self):
    # With three to five rates for each, the two shapes differ by this much.
    beta = self.exponent(lambda *sweep: laws.optimal_lr_from_sweep(*sweep).lr)
    self.assertAlmostEqual(beta, 0.27, delta=0.01)

  def test_the_run_that_diverged_is_dropped(self):
    rates, losses = self.sweep(50_000, schedule="cosine_to_zero")
    found = laws.optimal_lr_from_sweep(rates, losses)
    self.assertEqual([rates[i] for i in found.dropped], [0.005])
    self.assertTrue(found.interior)
    self.assertBetween(found.lr, 1e-3, 2e-3)


if __name__ == "__main__":
  absltest.main()
