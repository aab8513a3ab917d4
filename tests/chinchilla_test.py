# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the loss against the number of parameters and of tokens."""

import math

from absl.testing import absltest
from absl.testing import parameterized
import hypothesis
from hypothesis import strategies as st
import numpy as np

from optax_stepsize import laws

NAMES = ("E", "A", "alpha", "B", "beta")
TRUE = laws.Chinchilla(E=1.7, A=400.0, alpha=0.34, B=410.0, beta=0.28)
# Four models, each trained for 20, 40, 100 and 200 tokens per parameter.
SIZES = np.repeat([1.9e8, 3.7e8, 7.6e8, 1.3e9], 4)
TOKENS = 20 * SIZES * np.tile([1, 2, 5, 10], 4)
# Wider, so that noise leaves all parameters told.
WIDE_SIZES = np.repeat(np.geomspace(1e7, 1e10, 6), 6)
WIDE_TOKENS = np.tile(np.geomspace(1e8, 1e12, 6), 6)


def values_of(law):
  return np.array([getattr(law, name) for name in NAMES])


class LawTest(parameterized.TestCase):
  def test_figures(self):
    law = laws.Chinchilla(E=1.0, A=100.0, alpha=0.5, B=1000.0, beta=0.25)
    np.testing.assert_allclose(
      law.predict([[1e4], [1e6]], [1e4, 1e8]),
      [[1 + 1 + 100, 1 + 1 + 10], [1 + 0.1 + 100, 1 + 0.1 + 10]],
    )
    self.assertEqual(law.predict(1e4, 1e8).dtype, np.float64)

  @hypothesis.settings(deadline=None, max_examples=50)
  @hypothesis.given(
    a=st.floats(1.0, 1e4),
    alpha=st.floats(0.1, 1.0),
    b=st.floats(1.0, 1e4),
    beta=st.floats(0.1, 1.0),
    budget=st.floats(1e15, 1e26),
  )
  def test_compute_optimal(self, a, alpha, b, beta, budget):
    law = laws.Chinchilla(1.7, a, alpha, b, beta)
    best = law.compute_optimal(budget)
    np.testing.assert_allclose(6 * best.size * best.tokens, budget, rtol=1e-9)
    self.assertEqual(best.loss, law.predict(best.size, best.tokens))
    for factor in (0.1, 0.9, 1.1, 10.0):
      other = law.predict(best.size * factor, best.tokens / factor)
      self.assertGreaterEqual(other, best.loss * (1 - 1e-15))
    # Both fall at the same rate there.
    np.testing.assert_allclose(
      alpha * a / best.size**alpha, beta * b / best.tokens**beta, rtol=1e-9
    )

  def test_sizes_and_tokens_grow_as_powers_of_the_budget(self):
    law = laws.Chinchilla(1.69, 406.4, 0.34, 410.7, 0.28)
    best = law.compute_optimal([1e20, 1e24])
    slopes = np.diff(np.log(best.size)) / np.log(1e4)
    np.testing.assert_allclose(slopes, 0.28 / 0.62, rtol=1e-9)
    slopes = np.diff(np.log(best.tokens)) / np.log(1e4)
    np.testing.assert_allclose(slopes, 0.34 / 0.62, rtol=1e-9)

  def test_cheaper_operations_buy_more(self):
    cheap = TRUE.compute_optimal(1e20, per_token_and_parameter=2.0)
    same = TRUE.compute_optimal(3e20)
    np.testing.assert_allclose(cheap, same, rtol=1e-12)

  def test_json(self):
    for law in (TRUE, laws.Chinchilla(0.0, 1.0, 0.5, 1e300, 0.1)):
      self.assertEqual(laws.Law.from_json(law.to_json()), law)

  def test_bad_input(self):
    with self.assertRaisesRegex(ValueError, "Chinchilla.predict: size must be"):
      TRUE.predict(0.0, 1e9)
    with self.assertRaisesRegex(ValueError, "predict: tokens must be in"):
      TRUE.predict(1e9, math.nan)
    with self.assertRaisesRegex(ValueError, "compute_optimal: budget must be"):
      TRUE.compute_optimal(-1.0)
    with self.assertRaisesRegex(
      ValueError, "compute_optimal: per_token_and_parameter must be in"
    ):
      TRUE.compute_optimal(1e20, per_token_and_parameter=0.0)


class FitTest(parameterized.TestCase):
  def test_exact_ladder(self):
    fit = laws.fit_chinchilla(SIZES, TOKENS, TRUE.predict(SIZES, TOKENS))
    np.testing.assert_allclose(values_of(fit.law), values_of(TRUE), rtol=1e-4)
    self.assertGreater(len(fit.optima), 1)
    self.assertEqual(fit.objective, min(fit.optima))
    self.assertEqual(fit.warnings, ())
    np.testing.assert_allclose(
      fit.predict(7e9, 4e12), TRUE.predict(7e9, 4e12), rtol=1e-6
    )

  @parameterized.parameters(
    (1.0, 1e3, 0.5, 1e4, 0.4),
    (0.5, 20.0, 0.15, 3e3, 0.45),
    (2.5, 5e4, 0.6, 50.0, 0.2),
    (1.82, 482.0, 0.35, 2085.0, 0.37),
  )
  def test_other_laws(self, *numbers):
    true = laws.Chinchilla(*numbers)
    fit = laws.fit_chinchilla(SIZES, TOKENS, true.predict(SIZES, TOKENS))
    np.testing.assert_allclose(values_of(fit.law), numbers, rtol=1e-4)

  def test_units(self):
    losses = TRUE.predict(SIZES, TOKENS)
    fit = laws.fit_chinchilla(SIZES / 1e9, TOKENS / 1e9, losses).law
    np.testing.assert_allclose(
      [fit.E, fit.alpha, fit.beta], [1.7, 0.34, 0.28], rtol=1e-4
    )
    np.testing.assert_allclose(fit.A, 400 / 1e9**0.34, rtol=1e-4)

  def test_intervals_cover(self):
    rng = np.random.default_rng(0)
    exact = TRUE.predict(WIDE_SIZES, WIDE_TOKENS)
    hits = np.zeros(6)
    for _ in range(200):
      noise = 3e-3 * rng.standard_normal(len(exact))
      fit = laws.fit_chinchilla(WIDE_SIZES, WIDE_TOKENS, exact * np.exp(noise))
      low, high = fit.predict_interval(7e10, 4e12)
      hits += [
        *(
          fit.intervals[name][0]
          <= getattr(TRUE, name)
          <= fit.intervals[name][1]
          for name in NAMES
        ),
        low <= TRUE.predict(7e10, 4e12) <= high,
      ]
    self.assertTrue(np.all((0.9 <= hits / 200) & (hits / 200 <= 0.99)), hits)

  def test_one_wild_run_counts_little(self):
    losses = TRUE.predict(WIDE_SIZES, WIDE_TOKENS)
    losses[14] *= 1.1
    robust = laws.fit_chinchilla(WIDE_SIZES, WIDE_TOKENS, losses)
    plain = laws.fit_chinchilla(
      WIDE_SIZES, WIDE_TOKENS, losses, huber_delta=math.inf
    )
    true = TRUE.predict(7e10, 4e12)
    error = [abs(fit.predict(7e10, 4e12) / true - 1) for fit in (robust, plain)]
    self.assertLess(error[0], 1e-3)
    self.assertLess(error[0], 0.2 * error[1])

  def test_too_narrow_a_ladder(self):
    rng = np.random.default_rng(1)
    sizes = np.repeat([1.0e9, 1.01e9, 1.02e9], 5)
    losses = TRUE.predict(sizes, np.tile(WIDE_TOKENS[:5], 3))
    fit = laws.fit_chinchilla(
      sizes,
      np.tile(WIDE_TOKENS[:5], 3),
      losses * np.exp(1e-3 * rng.standard_normal(15)),
    )
    self.assertNotEmpty(fit.warnings)
    self.assertIsNone(fit.intervals["alpha"])

  def test_same_tokens_per_parameter(self):
    sizes = np.geomspace(1e8, 3e9, 12)
    noise = 3e-3 * np.random.default_rng(2).standard_normal(12)
    losses = TRUE.predict(sizes, 20 * sizes) * np.exp(noise)
    fit = laws.fit_chinchilla(sizes, 20 * sizes, losses)
    self.assertNotEmpty(fit.warnings)
    self.assertIsNone(fit.intervals["A"] and fit.intervals["B"])

  @parameterized.named_parameters(
    (
      "few",
      {
        "sizes": [1e8, 2e8, 4e8, 8e8],
        "tokens": [1e9, 3e9, 2e9, 4e9],
        "losses": [4.0, 3.0, 2.0, 1.0],
      },
      "5 parameters need at least as many points, got 4",
    ),
    ("lengths", {"sizes": SIZES[:9]}, "sizes 9, tokens 16, losses 16"),
    ("zero", {"sizes": 0 * SIZES}, "sizes must be in"),
    ("nan", {"tokens": np.append(TOKENS[:15], math.nan)}, "tokens must be in"),
    ("negative", {"losses": -SIZES}, "losses must be in"),
    ("one_size", {"sizes": np.full(16, 1e9)}, "sizes must have at least 3"),
    ("two_sizes", {"sizes": [1, 2] * 8}, "sizes must have at least 3 diff"),
    ("one_length", {"tokens": np.ones(16)}, "tokens must have at least 3"),
    ("constant", {"losses": np.ones(16)}, "losses must have at least 2 diff"),
    ("huber_delta", {"huber_delta": 0.0}, "huber_delta must be in"),
    ("confidence", {"confidence": 0.0}, "confidence must be in"),
  )
  def test_bad_input(self, given, message):
    right = {
      "sizes": SIZES,
      "tokens": TOKENS,
      "losses": TRUE.predict(SIZES, TOKENS),
    }
    with self.assertRaisesRegex(ValueError, f"fit_chinchilla: .*{message}"):
      laws.fit_chinchilla(**right | given)


if __name__ == "__main__":
  absltest.main()
