# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of power curves."""

import math

from absl.testing import absltest
from absl.testing import parameterized
import hypothesis
from hypothesis import strategies as st
import numpy as np
from scipy import optimize

from optax_stepsize import laws
from tests import real_curves

X = np.arange(1.0, 11.0)
TRUE = laws.PowerCurve(a=0.8, b=0.5, c=0.97)


def values_of(law):
  return np.array([law.a, law.b, law.c])


class CurveTest(parameterized.TestCase):
  def test_figures(self):
    np.testing.assert_allclose(
      TRUE.predict([1.0, 4.0, 16.0, math.inf]), [0.17, 0.57, 0.77, 0.97]
    )
    loss = laws.PowerCurve(a=0.8, b=0.5, c=0.97, sign=1)
    np.testing.assert_allclose(loss.predict([[4.0], [16.0]]), [[1.37], [1.17]])
    self.assertEqual(TRUE.predict(4.0).dtype, np.float64)

  def test_neither_factor_overflows_alone(self):
    law = laws.PowerCurve(a=1e300, b=40.0, c=0.0, sign=1)
    np.testing.assert_allclose(law.predict(1e9), 1e-60, rtol=1e-10)

  def test_json(self):
    for sign in (-1, 1):
      law = laws.PowerCurve(0.8, 0.5, 0.97, sign)
      same = laws.Law.from_json(law.to_json())
      self.assertEqual(same, law)
      self.assertIsInstance(same.sign, int)

  @parameterized.parameters(0.0, -1.0, math.nan)
  def test_bad_input(self, x):
    with self.assertRaisesRegex(ValueError, "PowerCurve.predict: x must be in"):
      TRUE.predict([1.0, x])


class FitTest(parameterized.TestCase):
  @parameterized.parameters(*range(3, 11))
  def test_exact_data_at_every_level(self, level):
    fit = laws.fit_power_curve(X[:level], TRUE.predict(X[:level]))
    np.testing.assert_allclose(values_of(fit.law), [0.8, 0.5, 0.97], rtol=1e-6)
    self.assertEqual(fit.law.sign, -1)
    if level == 3:
      self.assertRegex(fit.warnings[0], "3 points determine 3 parameters")
    else:
      self.assertEqual(fit.warnings, ())

  @hypothesis.settings(deadline=None, max_examples=30)
  @hypothesis.given(
    a=st.floats(0.1, 10.0),
    b=st.floats(0.1, 3.0),
    c=st.floats(-2.0, 2.0),
    scale=st.sampled_from([1e-6, 1.0, 1e9]),
    unit=st.sampled_from([1e-6, 1.0, 1e6]),
    sign=st.sampled_from([-1, 1]),
  )
  def test_any_curve_in_any_unit(self, a, b, c, scale, unit, sign):
    true = laws.PowerCurve(a * unit * scale**b, b, c * unit, sign)
    fit = laws.fit_power_curve(
      scale * X, true.predict(scale * X), sign=sign
    ).law
    np.testing.assert_allclose(fit.b, true.b, rtol=1e-5)
    np.testing.assert_allclose(fit.a, true.a, rtol=1e-3)
    np.testing.assert_allclose(fit.c, true.c, rtol=1e-6, atol=1e-6 * unit * a)

  def test_losses_are_accuracies_upside_down(self):
    y = TRUE.predict(X) + 0.01 * np.random.default_rng(0).standard_normal(10)
    up = laws.fit_power_curve(X, y)
    down = laws.fit_power_curve(X, -y, sign=1)
    np.testing.assert_allclose(
      values_of(down.law) * [1, 1, -1], values_of(up.law), rtol=1e-6
    )
    np.testing.assert_allclose(down.objective, up.objective, rtol=1e-9)

  def test_order_does_not_matter(self):
    y = TRUE.predict(X) + 0.01 * np.random.default_rng(1).standard_normal(10)
    fit = laws.fit_power_curve(X, y)
    again = laws.fit_power_curve(X[::-1], y[::-1])
    self.assertEqual(again.law, fit.law)
    self.assertEqual(again.intervals, fit.intervals)

  @parameterized.parameters(*range(5))
  def test_it_is_the_best_of_all_curves(self, seed):
    # SciPy's curve fitting, from many starts.
    rng = np.random.default_rng(seed)
    y = TRUE.predict(X) + 0.02 * rng.standard_normal(10)
    fit = laws.fit_power_curve(X, y)
    least = min(
      optimize.least_squares(
        lambda p: p[2] - p[0] * X ** -p[1] - y,
        [a, b, 1.0],
        bounds=([0, 1e-3, -math.inf], [math.inf, 5, math.inf]),
      ).cost
      for a in (0.3, 3.0)
      for b in (0.02, 0.5, 2.0)
    )
    cost = np.sum((fit.predict(X) - y) ** 2) / 2
    self.assertLessEqual(cost, least * (1 + 1e-6))
    np.testing.assert_allclose(fit.objective, cost / np.ptp(y) ** 2, rtol=1e-9)

  def test_intervals_cover(self):
    rng = np.random.default_rng(2)
    x = np.geomspace(1.0, 100.0, 30)
    hits = np.zeros(4)
    for _ in range(200):
      y = TRUE.predict(x) + 0.01 * rng.standard_normal(len(x))
      fit = laws.fit_power_curve(x, y)
      low, high = fit.predict_interval(1000.0)
      hits += [
        *(
          fit.intervals[name][0]
          <= getattr(TRUE, name)
          <= fit.intervals[name][1]
          for name in "abc"
        ),
        low <= TRUE.predict(1000.0) <= high,
      ]
    self.assertTrue(np.all((0.9 <= hits / 200) & (hits / 200 <= 0.99)), hits)

  def test_a_straight_line_has_no_asymptote(self):
    x = np.linspace(10.0, 11.0, 20)
    y = 0.5 + 0.01 * x + 1e-3 * np.random.default_rng(3).standard_normal(20)
    fit = laws.fit_power_curve(x, y)
    self.assertNotEmpty(fit.warnings)
    self.assertIsNone(fit.intervals["b"])

  def test_bounds(self):
    fit = laws.fit_power_curve(X, TRUE.predict(X), bounds={"b": (0.6, 2.0)})
    self.assertAlmostEqual(fit.law.b, 0.6, places=5)
    self.assertRegex(fit.warnings[0], "b ended at a bound")
    fit = laws.fit_power_curve(X, TRUE.predict(X), bounds={"c": (0.0, 0.9)})
    self.assertAlmostEqual(fit.law.c, 0.9, places=5)
    self.assertGreater(fit.law.b, 0.5)

  def test_one_wild_point_counts_little(self):
    y = TRUE.predict(X)
    y[6] += 0.2
    robust = laws.fit_power_curve(X, y, huber_delta=1e-3).law
    plain = laws.fit_power_curve(X, y).law
    self.assertLess(abs(robust.c - 0.97), 0.01)
    self.assertGreater(abs(plain.c - 0.97), 0.1)

  @parameterized.named_parameters(
    ("sign", {"sign": 0}, "sign must be one of -1, 1"),
    ("few", {"x": [1, 2], "y": [1.0, 2.0]}, "x must have at least 3 diff"),
    ("same", {"x": [1, 2, 2] * 4, "y": [0.1, 0.3, 0.2] * 4}, "x must have at"),
    ("constant", {"y": np.ones(10)}, "y must have at least 2 different"),
    ("zero", {"x": X - 1}, "x must be in"),
    ("nan", {"y": np.append(X[:9], math.nan)}, "y must be in"),
    ("lengths", {"x": X[:9]}, "x 9, y 10"),
    ("falls", {"y": 1 / X}, r"y must rise with x.*Fix: sign=1"),
    ("rises", {"sign": 1}, r"y must fall with x.*Fix: sign=-1"),
    ("anchor", {"anchor": math.inf}, "anchor must be in"),
    ("anchor_weight", {"anchor_weight": 0.0}, "anchor_weight must be in"),
    ("huber_delta", {"huber_delta": 0.0}, "huber_delta must be in"),
    ("bounds", {"bounds": {"b": (0.0, 1.0)}}, "bounds of b must be in"),
    ("confidence", {"confidence": 1.0}, "confidence must be in"),
  )
  def test_bad_input(self, given, message):
    right = {"x": X, "y": TRUE.predict(X)}
    with self.assertRaisesRegex(ValueError, f"fit_power_curve: .*{message}"):
      laws.fit_power_curve(**right | given)


class AnchorTest(parameterized.TestCase):
  @hypothesis.settings(deadline=None, max_examples=50)
  @hypothesis.given(seed=st.integers(0, 10**6), above=st.floats(0.0, 1.0))
  def test_it_draws_the_asymptote_towards_it(self, seed, above):
    noise = np.random.default_rng(seed).standard_normal(10)
    y = TRUE.predict(X) + 0.01 * noise
    free = laws.fit_power_curve(X, y).law.c
    slack = 1e-6
    # Above the asymptote it never lowers it; below, it never raises it.
    anchor = free + above
    drawn = laws.fit_power_curve(X, y, anchor=anchor).law.c
    self.assertBetween(drawn, free - slack, anchor + slack)
    anchor = max(free - above, np.max(y) + 1e-3)
    drawn = laws.fit_power_curve(X, y, anchor=anchor).law.c
    if anchor <= free:
      self.assertBetween(drawn, anchor - slack, free + slack)

  def test_at_the_asymptote_it_changes_nothing(self):
    fit = laws.fit_power_curve(X, TRUE.predict(X), anchor=0.97)
    np.testing.assert_allclose(values_of(fit.law), values_of(TRUE), rtol=1e-7)

  def test_it_is_a_point_at_infinity(self):
    y = TRUE.predict(X) + 0.01 * np.random.default_rng(4).standard_normal(10)
    fit = laws.fit_power_curve(X, y, anchor=1.0)
    far = np.append(X, 1e30)
    same = laws.fit_power_curve(far, np.append(y, 1.0))
    np.testing.assert_allclose(
      values_of(fit.law), values_of(same.law), rtol=1e-6
    )

  def test_a_weight_of_two_is_two_points(self):
    y = TRUE.predict(X) + 0.01 * np.random.default_rng(5).standard_normal(10)
    fit = laws.fit_power_curve(X, y, anchor=1.0, anchor_weight=2.0)
    same = laws.fit_power_curve(
      np.append(X, [1e30, 2e30]), np.append(y, [1.0, 1.0])
    )
    np.testing.assert_allclose(
      values_of(fit.law), values_of(same.law), rtol=1e-6
    )
    heavy = laws.fit_power_curve(X, y, anchor=1.0, anchor_weight=1e8)
    self.assertAlmostEqual(heavy.law.c, 1.0, places=5)


class RealTest(absltest.TestCase):
  @real_curves.needs_curves
  def test_constant_phases_of_language_models(self):
    for size in real_curves.SIZES:
      short = real_curves.curve(size, "constant_24000").after_warmup()
      fit = laws.fit_power_curve(short.steps, short.losses, sign=1)
      long = real_curves.curve(size, "constant_72000").after_warmup()
      found = laws.metrics(long.losses, fit.predict(long.steps))
      self.assertGreater(found.r2, 0.95)
      self.assertLess(found.mean_relative_error, 0.007)
      self.assertLess(found.worst_relative_error, 0.015)


if __name__ == "__main__":
  absltest.main()
