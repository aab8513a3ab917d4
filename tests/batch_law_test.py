# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the largest rate against the batch size."""

import math

from absl.testing import absltest
from absl.testing import parameterized
import hypothesis
from hypothesis import strategies as st
import numpy as np
from scipy.sparse import linalg

import optax_stepsize
from optax_stepsize import laws

# An outlier of 10 in 10000 parameters: the critical batch is 1.
SPIKE = {"lam": 10.0, "noise": 0.1, "num_params": 10_000}
BATCHES = np.array([1.0, 2.0, 4.0, 8.0, 64.0])
RATES = np.array([0.1, 0.133333, 0.16, 0.177778, 0.196923])


def largest(batch, **kwargs):
  return laws.max_learning_rate(batch=batch, **SPIKE | kwargs)


def top_eigenvalue(matrix):
  start = np.ones(len(matrix))
  values, _ = linalg.eigsh(matrix, k=1, which="LA", v0=start, tol=1e-4)
  return values[0]


class EffectiveBatchTest(parameterized.TestCase):
  def test_figures(self):
    self.assertEqual(laws.effective_batch(4), 4.0)
    self.assertAlmostEqual(laws.effective_batch(4, 2048), 4.007828, delta=1e-6)
    self.assertEqual(laws.effective_batch(2048, 2048), math.inf)

  @parameterized.parameters((0, None), (5, 4), (-1, 10), (math.nan, None))
  def test_bad_input(self, batch, size):
    with self.assertRaisesRegex(ValueError, "effective_batch: batch must be"):
      laws.effective_batch(batch, size)


class EdgeTest(parameterized.TestCase):
  @parameterized.parameters((3.0, 3.125), (1.0, 1.375), (0.4, 1.224745))
  def test_figures(self, lam, edge):
    for sign in (1, -1):  # by symmetry
      found = laws.batch_hessian_edge(sign * lam, 4, 0.05, 600)
      self.assertAlmostEqual(found, sign * edge, delta=1e-6)

  def test_is_continuous_where_the_outlier_leaves_the_bulk(self):
    threshold = 0.05 * math.sqrt(600 / 4)
    self.assertAlmostEqual(threshold, 0.612372, delta=1e-6)
    spike = 0.05**2 * (1 + math.sqrt(600 / 4))
    for at, kind in ((threshold, "wigner"), (spike, "ggn")):
      inside, outside = (
        laws.batch_hessian_edge(at * scale, 4, 0.05, 600, kind=kind)
        for scale in (1 - 1e-9, 1 + 1e-9)
      )
      self.assertAlmostEqual(inside, outside, delta=1e-8)

  @parameterized.parameters(3.0, 1.0, 0.4)
  def test_random_matrices(self, lam):
    # Fluctuations are of the order sigma / sqrt(b), a few hundredths.
    rng, size, noise = np.random.default_rng(0), 600, 0.05 / math.sqrt(4)
    found = []
    for _ in range(3):
      lower = np.tril(rng.normal(0, noise, (size, size)), -1)
      matrix = lower + lower.T + np.diag(rng.normal(0, noise, size))
      matrix[0, 0] += lam
      found.append(top_eigenvalue(matrix))
    edge = laws.batch_hessian_edge(lam, 4, 0.05, size)
    self.assertAlmostEqual(np.mean(found), edge, delta=0.05)

  @parameterized.parameters(6.0, 0.5)
  def test_random_covariances(self, lam):
    # One direction of variance lam among those of variance sigma^2.
    rng, size, batch, noise = np.random.default_rng(0), 400, 800, 1.0
    spread = np.full(size, noise)
    spread[0] = math.sqrt(lam) if lam > 1 else noise
    found = []
    for _ in range(3):
      data = rng.standard_normal((batch, size)) * spread
      found.append(top_eigenvalue(data.T @ data / batch))
    edge = laws.batch_hessian_edge(lam, batch, noise, size, kind="ggn")
    self.assertAlmostEqual(np.mean(found), edge, delta=0.05 * edge)

  def test_the_whole_data_set_has_no_noise(self):
    for kind in ("wigner", "ggn"):
      edge = laws.batch_hessian_edge(
        3.0, 64, 0.05, 600, dataset_size=64, kind=kind
      )
      self.assertEqual(edge, 3.0)

  @parameterized.named_parameters(
    ("kind", {"kind": "marchenko"}, "kind must be one of 'wigner', 'ggn'"),
    ("noise", {"noise": -1.0}, "noise must be in"),
    ("num_params", {"num_params": 0}, "num_params must be in"),
    ("lam", {"lam": math.inf}, "lam must be in"),
    ("ggn", {"lam": -1.0, "kind": "ggn"}, "lam must be in"),
    ("dataset_size", {"dataset_size": 0}, "dataset_size must be in"),
    ("batch", {"dataset_size": 2}, "batch must be in"),
  )
  def test_bad_input(self, given, message):
    good = {"lam": 1.0, "batch": 4, "noise": 0.1, "num_params": 10}
    with self.assertRaisesRegex(ValueError, f"batch_hessian_edge: {message}"):
      laws.batch_hessian_edge(**good | given)


class MaxRateTest(parameterized.TestCase):
  def test_figures(self):
    found = [largest(batch) for batch in BATCHES]
    np.testing.assert_allclose(found, RATES, atol=1e-6)
    self.assertAlmostEqual(largest(4, dataset_size=2048), 0.160063, delta=1e-6)
    self.assertEqual(largest(2048, dataset_size=2048), 0.2)
    self.assertAlmostEqual(largest(1e12), 0.2, delta=1e-9)

  def test_strict_is_a_square_root_below_the_critical_batch(self):
    batches = np.array([0.01, 0.04, 0.16])
    strict, loose = (
      np.array([largest(batch, strict=s) for batch in batches])
      for s in (True, False)
    )
    np.testing.assert_allclose(strict, np.sqrt(batches / 10_000) / 0.1)
    np.testing.assert_allclose(loose, 0.2 / (1 + 1 / batches))

  def test_adaptive_is_a_square_root_everywhere(self):
    for batch in (0.01, 1.0, 1e4):
      rate = largest(batch, optimizer="adaptive")
      self.assertAlmostEqual(rate, math.sqrt(batch / 10_000) / 0.1, delta=1e-9)
    whole = largest(64, optimizer="adaptive", dataset_size=64)
    self.assertEqual(whole, math.inf)

  def test_is_two_over_the_edge(self):
    for batch in (0.3, 3.0, 30.0):
      edge = laws.batch_hessian_edge(batch=batch, **SPIKE)
      self.assertAlmostEqual(largest(batch), 2 / edge, delta=1e-12)

  def test_bad_input(self):
    for name, value in (("lam", 0.0), ("noise", -1.0), ("optimizer", "adam")):
      with self.assertRaisesRegex(
        ValueError, f"max_learning_rate: {name} must"
      ):
        largest(1, **{name: value})


class ScaleTest(parameterized.TestCase):
  def scaled(self, rule, batch=1024, **kwargs):
    return optax_stepsize.scale_learning_rate(
      0.1, 256, batch, rule=rule, **kwargs
    )

  def test_fourfold(self):
    self.assertAlmostEqual(self.scaled("linear"), 0.4, delta=1e-15)
    self.assertAlmostEqual(self.scaled("sqrt"), 0.2, delta=1e-15)

  def test_rules_use_effective_batches(self):
    old, new = (laws.effective_batch(b, 4096) for b in (256, 1024))
    for rule, power in (("linear", 1), ("sqrt", 0.5)):
      rate = self.scaled(rule, dataset_size=4096)
      self.assertAlmostEqual(rate, 0.1 * (new / old) ** power, delta=1e-15)

  @hypothesis.settings(deadline=None, max_examples=50)
  @hypothesis.given(batch=st.floats(1.0, 1e6), critical=st.floats(1e-3, 1e9))
  def test_saturating_is_the_largest_rate(self, batch, critical):
    # With lambda = 1 and unit noise the critical batch is that of parameters.
    old, new = (
      laws.max_learning_rate(1.0, b, 1.0, critical, strict=False)
      for b in (256, batch)
    )
    rate = self.scaled("saturating", batch, critical_batch=critical)
    np.testing.assert_allclose(rate, 0.1 * new / old, rtol=1e-9)

  def test_saturating_has_both_limits(self):
    small = self.scaled("saturating", critical_batch=1e9)
    self.assertAlmostEqual(small, 0.4, delta=1e-6)
    large = self.scaled("saturating", critical_batch=1e-6)
    self.assertAlmostEqual(large, 0.1, delta=1e-9)
    whole = self.scaled(
      "saturating", 1024, critical_batch=100.0, dataset_size=1024
    )
    old = laws.effective_batch(256, 1024)
    self.assertAlmostEqual(whole, 0.1 * (1 + 100 / old), delta=1e-12)

  @parameterized.named_parameters(
    ("rule", {"rule": "cubic"}, "rule must be one of"),
    ("critical", {"rule": "saturating"}, "needs critical_batch"),
    ("zero", {"rule": "saturating", "critical_batch": 0.0}, "critical_batch"),
    ("whole", {"rule": "sqrt", "dataset_size": 1024}, "Fix: rule='saturating'"),
  )
  def test_bad_input(self, given, message):
    with self.assertRaisesRegex(ValueError, f"scale_learning_rate.*{message}"):
      self.scaled(**given)


class FitTest(parameterized.TestCase):
  @parameterized.parameters(None, 2048)
  def test_exact_data(self, size):
    rates = [largest(batch, dataset_size=size) for batch in BATCHES]
    fit = laws.fit_batch_law(BATCHES, rates, dataset_size=size)
    np.testing.assert_allclose(
      [fit.law.lr_inf, fit.law.critical_batch], [0.2, 1.0], atol=1e-10
    )
    np.testing.assert_allclose(fit.predict(BATCHES), rates, rtol=1e-9)
    self.assertEqual(fit.warnings, ())

  def test_the_whole_data_set_may_be_a_batch(self):
    rates = [largest(batch, dataset_size=64) for batch in BATCHES]
    fit = laws.fit_batch_law(BATCHES, rates, dataset_size=64)
    np.testing.assert_allclose(fit.predict(64), 0.2, atol=1e-10)

  @parameterized.parameters(("linear", 1.0), ("sqrt", 0.5))
  def test_rules_without_a_limit(self, rule, power):
    fit = laws.fit_batch_law(BATCHES, 0.03 * BATCHES**power, rule=rule)
    self.assertEqual(fit.law.rule, rule)
    self.assertEqual(fit.law.lr_inf, math.inf)
    np.testing.assert_allclose(fit.law.slope, 0.03, rtol=1e-9)
    np.testing.assert_allclose(fit.predict(256.0), 0.03 * 256.0**power)

  def test_no_saturation_to_be_seen(self):
    fit = laws.fit_batch_law(BATCHES, 0.01 * BATCHES**1.1)
    self.assertEqual(fit.law.rule, "linear")
    self.assertEqual(fit.law.lr_inf, math.inf)
    self.assertEqual(fit.law.critical_batch, math.inf)
    self.assertIn("no limit is to be seen", fit.warnings[0])
    np.testing.assert_allclose(fit.predict(8.0) / fit.predict(4.0), 2.0)

  def test_intervals_cover(self):
    rng = np.random.default_rng(0)
    batches = 2.0 ** np.arange(-3, 7)
    law = laws.BatchLaw(lr_inf=0.2, critical_batch=1.0)
    exact = law.predict(batches)
    hits = np.zeros(3)
    for _ in range(200):
      rates = exact * np.exp(0.05 * rng.standard_normal(len(exact)))
      fit = laws.fit_batch_law(batches, rates)
      low, high = fit.predict_interval(256.0)
      hits += (
        fit.intervals["lr_inf"][0] <= 0.2 <= fit.intervals["lr_inf"][1],
        np.prod(np.subtract(fit.intervals["critical_batch"], 1.0)) <= 0,
        low <= law.predict(256.0) <= high,
      )
    self.assertBetween(min(hits) / 200, 0.90, 0.99)
    self.assertBetween(max(hits) / 200, 0.90, 0.99)

  def test_far_below_the_critical_batch_the_limit_is_not_told(self):
    batches = 1e-4 * BATCHES
    noise = np.array([1.02, 0.98, 1.01, 1.0, 0.99])
    exact = laws.BatchLaw(0.2, 1.0).predict(batches)
    fit = laws.fit_batch_law(batches, exact * noise)
    self.assertEqual(fit.law.rule, "saturating")
    self.assertRegex(fit.warnings[0], "do not tell lr_inf, critical_batch")
    self.assertIsNone(fit.intervals["critical_batch"])

  def test_rates_that_do_not_grow(self):
    fit = laws.fit_batch_law(BATCHES, [0.2, 0.201, 0.199, 0.2, 0.198])
    self.assertRegex(fit.warnings[0], "do not tell critical_batch")
    np.testing.assert_allclose(fit.law.lr_inf, 0.2, rtol=0.01)

  @parameterized.named_parameters(
    ("rule", {"rule": "cubic"}, "rule must be one of"),
    ("one_batch", {"batches": [4] * 5}, "batches must have at least 2"),
    ("nan", {"max_lrs": [math.nan] * 5}, "max_lrs must be in"),
    ("lengths", {"max_lrs": RATES[:3]}, "batches 5, max_lrs 3"),
    ("size", {"dataset_size": 32}, "batch must be in"),
    ("whole", {"rule": "linear", "dataset_size": 64}, "Fix: rule='saturating'"),
  )
  def test_bad_input(self, given, message):
    with self.assertRaisesRegex(ValueError, f"fit_batch_law: .*{message}"):
      laws.fit_batch_law(**{"batches": BATCHES, "max_lrs": RATES} | given)

  @parameterized.parameters(
    laws.BatchLaw(0.2, 1.0, dataset_size=2048.0),
    laws.BatchLaw(math.inf, math.inf, slope=0.1, rule="sqrt"),
  )
  def test_json(self, law):
    self.assertEqual(laws.Law.from_json(law.to_json()), law)


if __name__ == "__main__":
  absltest.main()
