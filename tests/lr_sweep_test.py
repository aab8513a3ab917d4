# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the fit of a sweep over rates."""

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

# A folder with llama124m_slimpajama.csv: final losses of a sweep, from
# github.com/fabian-sp/lr-scheduling, with columns schedule, cooldown_shape,
# cooldown_fraction, base_lr, steps and final_val_loss.
_FOLDER = os.environ.get("OPTAX_STEPSIZE_LR_SWEEPS")
RATES = np.array([1e-4, 5e-4, 1e-3, 2e-3, 3e-3])


def losses(rates, a=1e-5, b=10.0, c=3.0):
  return a / rates + b * rates + c


class ExactTest(parameterized.TestCase):
  @hypothesis.given(
    st.floats(1e-7, 1e2), st.floats(1e-2, 1e2), st.floats(0, 10), st.randoms()
  )
  @hypothesis.settings(deadline=None, max_examples=100)
  def test_finds_the_law(self, best, rise, floor, random):
    # Losses rise by `rise` from the best rate to four times it.
    b = rise / (1.25 + 1) / best
    rates = best * np.array([0.25, 0.5, 1.1, 2.5, 4.0])
    rates = np.array(random.sample(list(rates), 5))
    a = b * best**2
    fit = optax_stepsize.fit_lr_sweep(
      rates, losses(rates, a, b, floor), max_excess=math.inf
    )
    scale = rise + floor
    np.testing.assert_allclose(fit.best_lr, best, rtol=1e-9 * scale / rise)
    np.testing.assert_allclose(fit.inverse, a, rtol=1e-9 * scale / rise)
    np.testing.assert_allclose(fit.slope, b, rtol=1e-9 * scale / rise)
    np.testing.assert_allclose(fit.floor, floor, atol=1e-9 * scale)
    np.testing.assert_allclose(fit.best_loss, 2 * b * best + floor, rtol=1e-9)
    self.assertLess(fit.rms_error, 1e-9 * scale)
    self.assertTrue(fit.interior)
    self.assertEqual(fit.warning, "")
    self.assertEqual(fit.num_used, 5)

  def test_prediction(self):
    fit = optax_stepsize.fit_lr_sweep(RATES, losses(RATES))
    self.assertEqual(fit.predict(1e-3).shape, ())
    grid = np.geomspace(1e-4, 1e-2, 6).reshape(2, 3)
    np.testing.assert_allclose(fit.predict(grid), losses(grid), rtol=1e-9)
    self.assertGreaterEqual(np.min(fit.predict(grid)), fit.best_loss)
    with self.assertRaisesRegex(
      ValueError, "LrSweepFit.predict: learning_rate"
    ):
      fit.predict(0.0)

  def test_is_least_squares_with_several_seeds(self):
    rng = np.random.default_rng(0)
    rates = np.repeat(RATES, 3)
    noisy = losses(rates) + 1e-3 * rng.normal(size=rates.size)
    fit = optax_stepsize.fit_lr_sweep(rates, noisy)
    columns = np.stack([1e-3 / rates, 1e3 * rates, np.ones_like(rates)], axis=1)
    (a, b, c), *_ = np.linalg.lstsq(columns, noisy)
    np.testing.assert_allclose(
      (fit.inverse, fit.slope, fit.floor), (1e-3 * a, 1e3 * b, c), rtol=1e-9
    )
    error = fit.predict(rates) - noisy
    np.testing.assert_allclose(
      fit.rms_error, np.sqrt(np.mean(error**2)), rtol=1e-9
    )

  def test_json(self):
    fit = optax_stepsize.fit_lr_sweep(RATES, losses(RATES, b=0.0))
    self.assertEqual(optax_stepsize.Law.from_json(fit.to_json()), fit)


class RobustTest(parameterized.TestCase):
  @parameterized.parameters(7.6, 3.6, 1e30, np.nan, np.inf, -np.inf)
  def test_diverged_runs_are_left_out(self, diverged):
    rates = np.append(RATES, 5e-3)
    values = np.append(losses(RATES), diverged)
    fit = optax_stepsize.fit_lr_sweep(rates, values)
    clean = optax_stepsize.fit_lr_sweep(RATES, losses(RATES))
    self.assertEqual(fit, clean)

  def test_rates_that_are_not_finite_are_left_out(self):
    fit = optax_stepsize.fit_lr_sweep(
      np.append(RATES, [np.nan, np.inf]), np.append(losses(RATES), [3.0, 3.0])
    )
    self.assertEqual(fit.num_used, 5)

  def test_what_counts_as_diverged(self):
    values = losses(RATES)
    values[-1] = np.min(values) + 0.5
    for max_excess, used in ((0.51, 5), (0.49, 4)):
      fit = optax_stepsize.fit_lr_sweep(RATES, values, max_excess=max_excess)
      self.assertEqual(fit.num_used, used)

  @parameterized.named_parameters(
    ("falls", losses(RATES, b=0.0), 3e-3, "still fall at 0.003.*larger"),
    ("rises", losses(RATES, a=0.0), 1e-4, "still fall at 0.0001.*smaller"),
    ("hill", 3 - losses(RATES, c=0), 1e-4, "still fall at 0.0001.*smaller"),
    ("constant", np.full(5, 3.0), 1e-4, "do not depend on the rate"),
  )
  def test_no_minimum(self, values, best, warning):
    fit = optax_stepsize.fit_lr_sweep(RATES, values)
    self.assertFalse(fit.interior)
    self.assertRegex(fit.warning, warning)
    np.testing.assert_allclose(fit.best_lr, best)
    np.testing.assert_allclose(fit.best_loss, fit.predict(fit.best_lr))

  @parameterized.parameters((0.3, "smaller"), (30.0, "larger"))
  def test_minimum_beyond_the_sweep(self, times, side):
    rates = RATES[1:4]
    best = times * 1e-3
    fit = optax_stepsize.fit_lr_sweep(
      rates, losses(rates, a=0.1 * best**2, b=0.1)
    )
    self.assertFalse(fit.interior)
    self.assertIn(f"add {side} rates", fit.warning)
    np.testing.assert_allclose(fit.best_lr, best, rtol=1e-6)

  def test_parameters_are_never_negative(self):
    rng = np.random.default_rng(1)
    for _ in range(100):
      values = rng.normal(scale=0.1, size=5) + rng.choice([-0.2, 0.0, 3.0])
      fit = optax_stepsize.fit_lr_sweep(RATES, values, max_excess=math.inf)
      self.assertGreaterEqual(min(fit.inverse, fit.slope, fit.floor), 0)
      self.assertTrue(math.isfinite(fit.best_lr) and fit.best_lr > 0)
      if fit.interior:
        self.assertBetween(fit.best_lr, 1e-4, 3e-3)
      self.assertEqual(fit.interior, not fit.warning)

  @parameterized.parameters(
    (RATES, RATES[1:], {}, "the same length, got shapes .5,. and .4,."),
    (1e-3, 3.0, {}, "the same length, got shapes"),
    (["a"], [1.0], {}, "must be numbers"),
    (-RATES, losses(RATES), {}, r"learning_rates must be in \(0, inf\)"),
    (RATES[:2], [3.0, 3.1], {}, "at least 3 different.*got 2"),
    (RATES[[0, 1, 1]], [3.0, 3.1, 3.2], {}, "at least 3 different.*got 2"),
    ([], [], {}, "at least 3 different.*got 0"),
    (RATES[:3], [3.0, 3.1, 7.0], {}, "max_excess=0.5.*got 2"),
    (RATES, losses(RATES), {"max_excess": 0.0}, r"max_excess must be in \(0,"),
  )
  def test_bad_input(self, rates, values, options, message):
    with self.assertRaisesRegex(ValueError, f"fit_lr_sweep: .*{message}"):
      optax_stepsize.fit_lr_sweep(rates, values, **options)


@unittest.skipUnless(
  _FOLDER, "OPTAX_STEPSIZE_LR_SWEEPS names no folder with the measured sweeps"
)
class MeasuredTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    path = pathlib.Path(_FOLDER) / "llama124m_slimpajama.csv"
    with path.open() as file:
      self._rows = list(csv.DictReader(file))

  def _sweep(self, steps, fraction="", schedule="wsd", shape="linear"):
    wanted = (schedule, shape, fraction, str(steps))
    columns = ("schedule", "cooldown_shape", "cooldown_fraction", "steps")
    rows = [
      (float(row["base_lr"]), float(row["final_val_loss"]))
      for row in self._rows
      if tuple(row[column] for column in columns) == wanted
    ]
    return tuple(zip(*rows, strict=True))

  def _fit(self, steps, fraction):
    return optax_stepsize.fit_lr_sweep(*self._sweep(steps, fraction))

  @parameterized.parameters(
    ("0.1", 7.42e-4),
    ("0.2", 8.62e-4),
    ("0.4", 1.051e-3),
    ("0.8", 1.428e-3),
    ("0.9", 1.573e-3),
  )
  def test_best_rates_of_cooldowns(self, fraction, expected):
    fit = self._fit(50000, fraction)
    self.assertEqual(fit.num_used, 5)
    self.assertTrue(fit.interior)
    np.testing.assert_allclose(fit.best_lr, expected, rtol=7e-4)

  def test_best_rates_of_lengths(self):
    steps = (15000, 25000, 50000)
    found = [self._fit(n, "0.2").best_lr for n in steps]
    expected = (1.286e-3, 1.141e-3, 8.62e-4)
    np.testing.assert_allclose(found, expected, rtol=7e-4)
    exponent, _ = np.polyfit(np.log(steps), np.log(found), 1)
    # The theory has a half.
    np.testing.assert_allclose(-exponent, 0.33, rtol=0, atol=0.01)

  def test_transfer_from_short_to_long_cooldowns(self):
    short, long = (self._fit(50000, c) for c in ("0.2", "0.8"))
    measured = math.log(long.best_lr / short.best_lr)
    np.testing.assert_allclose(measured, 0.505, rtol=0, atol=5e-4)
    shapes = [
      optax_stepsize.wsd_schedule(
        1.0, 6400, decay_fraction=c, shape="linear", end_value=0.0
      )
      for c in (0.2, 0.8)
    ]
    ratio = optax_stepsize.transfer_base_lr(
      1.0, *shapes, from_steps=6400, to_steps=6400
    )
    np.testing.assert_allclose(math.log(ratio), 0.482, rtol=0, atol=5e-4)

  def test_the_diverged_run(self):
    rates, values = self._sweep(50000, schedule="cosine_to_zero", shape="")
    self.assertGreater(max(values), 7)
    fit = optax_stepsize.fit_lr_sweep(rates, values)
    self.assertEqual(fit.num_used, len(rates) - 1)
    self.assertTrue(fit.interior)
    self.assertBetween(fit.best_lr, 1e-3, 2e-3)
    spoiled = optax_stepsize.fit_lr_sweep(rates, values, max_excess=math.inf)
    self.assertLess(spoiled.best_lr, 0.5 * fit.best_lr)


if __name__ == "__main__":
  absltest.main()
