# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the best rate against batch size and token budget."""

import dataclasses
import math

from absl.testing import absltest
from absl.testing import parameterized
import hypothesis
from hypothesis import strategies as st
import numpy as np

import optax_stepsize
from optax_stepsize import laws

LAW = laws.TimeTransferLaw(
  eta_crit=0.01, eta_exponent=-0.1, b_crit_ref=1e6, t_ref=1e10, b_exponent=0.8
)
BUDGETS, BATCHES = (
  x.ravel()
  for x in np.meshgrid([1e9, 4e9, 1.6e10, 6.4e10], 1e4 * 4.0 ** np.arange(8))
)
FIELDS = ("eta_crit", "eta_exponent", "b_crit_ref", "b_exponent")


class SurgeTest(parameterized.TestCase):
  def test_figures(self):
    np.testing.assert_allclose(
      laws.surge_lr([1e4, 1e5, 1e6, 1e7], 1e6, 0.01),
      [0.0019801980, 0.0057495957, 0.01, 0.0057495957],
      atol=5e-11,
    )

  @hypothesis.settings(deadline=None, max_examples=100)
  @hypothesis.given(size=st.floats(-14.0, 14.0), center=st.floats(0.0, 20.0))
  def test_both_closed_forms(self, size, center):
    b_crit, batch = math.exp(center), math.exp(center + size)
    rate = laws.surge_lr(batch, b_crit, 0.3)
    ratio = math.sqrt(batch / b_crit)
    np.testing.assert_allclose(rate, 0.6 / (ratio + 1 / ratio), rtol=1e-12)
    half = math.log(batch / b_crit) / 2
    np.testing.assert_allclose(rate, 0.3 / math.cosh(half), rtol=1e-12)
    mirrored = laws.surge_lr(b_crit / (batch / b_crit), b_crit, 0.3)
    np.testing.assert_allclose(mirrored, rate, rtol=1e-12)
    self.assertLessEqual(rate, 0.3)

  def test_far_away_is_no_overflow(self):
    rates = laws.surge_lr([1e-300, 1e300], 1.0, 1.0)
    np.testing.assert_allclose(rates, 2e-150, rtol=1e-12)

  @parameterized.parameters("batch", "b_crit", "eta_crit")
  def test_bad_input(self, name):
    good = {"batch": 1.0, "b_crit": 1.0, "eta_crit": 1.0}
    with self.assertRaisesRegex(ValueError, f"surge_lr: {name} must be in"):
      laws.surge_lr(**good | {name: 0.0})


class LawTest(parameterized.TestCase):
  def test_three_regimes(self):
    law = laws.TimeTransferLaw(0.01, 0.0, 1e6, 1e10)
    for share, ratio in ((1e-4, 0.50004), (1e4, 1.9994)):
      batch = share * 1e6
      factor = law.predict(4e10, batch) / law.predict(1e10, batch)
      np.testing.assert_allclose(factor, ratio, rtol=2e-5)
    # A batch that grows with the budget keeps its rate.
    np.testing.assert_allclose(
      law.predict([1e10, 4e10, 1.6e11], [3e5, 1.2e6, 4.8e6]),
      law.predict(1e10, 3e5) * np.ones(3),
      rtol=1e-12,
    )

  def test_b_crit(self):
    np.testing.assert_allclose(LAW.b_crit(1e10), 1e6)
    np.testing.assert_allclose(LAW.b_crit(1e11), 1e6 * 10**0.8)
    np.testing.assert_allclose(
      LAW.predict(1e11, LAW.b_crit(1e11)), 0.01 * 10**-0.1
    )

  def test_scale_lr(self):
    places = {
      "budget_from": 1e9,
      "budget_to": 3e10,
      "batch_from": 2e5,
      "batch_to": 7e6,
    }
    old, new = float(LAW.predict(1e9, 2e5)), float(LAW.predict(3e10, 7e6))
    self.assertAlmostEqual(LAW.scale_lr(old, **places), new, delta=1e-15)
    with self.assertRaisesRegex(ValueError, "scale_lr: lr must be in"):
      LAW.scale_lr(-1.0, **places)
    with self.assertRaisesRegex(ValueError, "batch must be in"):
      LAW.scale_lr(1.0, **places | {"batch_to": 0.0})

  def test_json(self):
    self.assertEqual(laws.Law.from_json(LAW.to_json()), LAW)


class FitTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("usual", 0.0, 1.0, 1e6),
    ("both_free", -0.1, 0.8, 1e6),
    ("critical_beyond_the_median", 0.2, 0.3, 3e7),
  )
  def test_exact_data(self, eta_exponent, b_exponent, center):
    law = dataclasses.replace(
      LAW,
      eta_exponent=eta_exponent,
      b_exponent=b_exponent,
      b_crit_ref=center,
    )
    rates = law.predict(BUDGETS, BATCHES)
    fit = laws.fit_time_transfer(BUDGETS, BATCHES, rates, t_ref=1e10)
    self.assertEqual(fit.warnings, ())
    for name in FIELDS:
      np.testing.assert_allclose(
        getattr(fit.law, name), getattr(law, name), rtol=1e-6, atol=1e-6
      )

  def test_the_reference_budget_changes_no_prediction(self):
    rates = LAW.predict(BUDGETS, BATCHES)
    fit = laws.fit_time_transfer(BUDGETS, BATCHES, rates)
    np.testing.assert_allclose(fit.law.t_ref, 8e9, rtol=1e-12)
    np.testing.assert_allclose(
      fit.predict(1e12, [1e4, 1e8]), LAW.predict(1e12, [1e4, 1e8]), rtol=1e-6
    )

  def test_intervals_cover(self):
    rng = np.random.default_rng(0)
    exact = LAW.predict(BUDGETS, BATCHES)
    hits = dict.fromkeys(FIELDS, 0)
    for _ in range(200):
      rates = exact * np.exp(0.05 * rng.standard_normal(len(exact)))
      fit = laws.fit_time_transfer(BUDGETS, BATCHES, rates, t_ref=1e10)
      for name in FIELDS:
        low, high = fit.intervals[name]
        hits[name] += low <= getattr(LAW, name) <= high
    for name, count in hits.items():
      self.assertBetween(count / 200, 0.90, 0.99, name)

  def test_fixed_exponents_are_held(self):
    rates = LAW.predict(BUDGETS, BATCHES)
    fit = laws.fit_time_transfer(
      BUDGETS, BATCHES, rates, fix_b_exponent=0.8, t_ref=1e10
    )
    self.assertEqual(fit.law.b_exponent, 0.8)
    self.assertIsNone(fit.intervals["b_exponent"])
    np.testing.assert_allclose(fit.law.eta_exponent, -0.1, atol=1e-7)
    both = laws.fit_time_transfer(
      BUDGETS, BATCHES, rates, fix_b_exponent=0.8, fix_eta_exponent=-0.1
    )
    self.assertEqual(both.names, ("eta_crit", "b_crit_ref"))
    self.assertEqual(both.warnings, ())

  def test_weights(self):
    rates = LAW.predict(BUDGETS, BATCHES)
    wild = np.arange(len(rates)) == 5
    fit = laws.fit_time_transfer(
      BUDGETS, BATCHES, np.where(wild, 1.0, rates), weights=1.0 - wild
    )
    np.testing.assert_allclose(fit.law.b_exponent, 0.8, rtol=1e-6)

  @parameterized.named_parameters(
    ("one_budget", [1e9] * 5, [1e4, 1e5, 1e6, 1e7, 1e8], "the same budget"),
    (
      "two_batches_each",
      [1e9, 1e9, 4e9, 4e9, 1.6e10, 1.6e10],
      [1e4, 1e7, 1e4, 1e7, 1e4, 1e7],
      "at no budget are there three batches",
    ),
    ("three_runs", [1e9, 4e9, 1e9], [1e4, 1e6, 1e7], "3 runs are fewer"),
  )
  def test_too_few_batches_hold_the_exponents(self, budgets, batches, why):
    law = laws.TimeTransferLaw(0.01, 0.0, 3e5, 1e9)
    rates = law.predict(budgets, batches)
    fit = laws.fit_time_transfer(budgets, batches, rates)
    self.assertRegex(
      fit.warnings[0], f"held b_exponent=1, eta_exponent=0, because.*{why}"
    )
    self.assertEqual((fit.law.b_exponent, fit.law.eta_exponent), (1.0, 0.0))
    self.assertIsNone(fit.intervals["b_exponent"])
    np.testing.assert_allclose(fit.law.b_crit(1e9), 3e5, rtol=1e-5)

  def test_one_fixed_and_too_few_batches(self):
    law = laws.TimeTransferLaw(0.01, 0.2, 3e5, 1e9)
    budgets, batches = [1e9, 1e9, 4e9, 4e9], [1e4, 1e7, 1e4, 1e7]
    fit = laws.fit_time_transfer(
      budgets, batches, law.predict(budgets, batches), fix_eta_exponent=0.2
    )
    self.assertRegex(fit.warnings[0], "held b_exponent=1, because")
    self.assertEqual(fit.law.eta_exponent, 0.2)

  def test_far_below_the_peak_it_is_not_told(self):
    rng = np.random.default_rng(0)
    law = laws.TimeTransferLaw(0.01, 0.0, 1e9, 1e9)
    rates = law.predict(BUDGETS, BATCHES / 100)
    rates *= np.exp(0.05 * rng.standard_normal(len(rates)))
    fit = laws.fit_time_transfer(BUDGETS, BATCHES / 100, rates)
    told = " ".join(fit.warnings)
    self.assertIn("both sides of the critical", told)
    self.assertRegex(told, "do not tell eta_crit, b_crit_ref|bound")
    self.assertIsNone(fit.intervals["b_crit_ref"])

  @parameterized.named_parameters(
    ("lengths", {"budgets": [1e9]}, "budgets 1, batches 32, best_lrs 32"),
    ("nan", {"best_lrs": BATCHES * math.nan}, "best_lrs must be in"),
    ("batch", {"batches": -BATCHES}, "batches must be in"),
    ("one_batch", {"batches": BATCHES * 0 + 1}, "batches must have at least 2"),
    ("b_exponent", {"fix_b_exponent": 3.0}, "fix_b_exponent must be in"),
    ("eta_exponent", {"fix_eta_exponent": -2.0}, "fix_eta_exponent must be"),
    ("t_ref", {"t_ref": 0.0}, "t_ref must be in"),
    ("weights", {"weights": [1.0]}, "weights must have one entry"),
  )
  def test_bad_input(self, given, message):
    good = {"budgets": BUDGETS, "batches": BATCHES, "best_lrs": BATCHES}
    with self.assertRaisesRegex(ValueError, f"fit_time_transfer: .*{message}"):
      laws.fit_time_transfer(**good | given)


class SensitivityTest(parameterized.TestCase):
  def test_is_the_second_derivative(self):
    rates = 1e-3 * 2.0 ** np.arange(-2, 3)
    losses = 3.0 + 0.5 * 0.07 * np.log(rates / 1.3e-3) ** 2
    np.testing.assert_allclose(
      optax_stepsize.lr_sensitivity(rates, losses), 0.07, rtol=1e-9
    )

  def test_no_minimum(self):
    with self.assertRaisesRegex(ValueError, "lr_sensitivity.*add larger rates"):
      laws.lr_sensitivity([1.0, 2.0, 4.0], [3.2, 3.1, 3.0])


if __name__ == "__main__":
  absltest.main()
