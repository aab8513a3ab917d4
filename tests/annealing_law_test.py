# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the annealing law and of what is planned by it."""

import dataclasses
import time

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import laws
from tests import real_curves

# The authors' example: 20,001 steps, a warm-up of 500 and a peak of 2e-4.
STEPS = np.arange(1000, 20001, 1000)
_STEP = np.arange(20001)
_RISE = np.minimum(_STEP / 500, 1)
CONSTANT = 2e-4 * _RISE
COSINE = np.where(
  _STEP < 500, CONSTANT, 1e-4 * (1 + np.cos(np.pi * (_STEP - 500) / 19500))
)
COSINE_LOSSES = (
  3.6696358, 3.3254106, 3.1908393, 3.1158533, 3.0604768, 3.020384, 2.9880967,
  2.9612265, 2.9395165, 2.9195616, 2.9030452, 2.8881907, 2.8767889, 2.8654318,
  2.8565135, 2.8489892, 2.843639, 2.8398669, 2.8380618, 2.8376071,
)  # fmt: skip
CONSTANT_LOSSES = (
  3.6714418, 3.325626, 3.1884103, 3.111947, 3.058354, 3.0211415, 2.9874816,
  2.96082, 2.9406552, 2.9241402, 2.9054413, 2.8942103, 2.8807929, 2.8702695,
  2.862175, 2.8530996, 2.8448784, 2.8383856, 2.8326995, 2.8294308,
)  # fmt: skip
EXAMPLE = (
  laws.Curve(STEPS, COSINE_LOSSES, COSINE, 500, "cosine"),
  laws.Curve(STEPS, CONSTANT_LOSSES, CONSTANT, 500, "constant"),
)
FITTED = laws.AnnealingLaw(
  L0=2.627797, A=0.429665, C=0.410772, alpha=0.549846, warmup="peak"
)

TRUE = laws.AnnealingLaw(L0=2.0, A=0.5, C=0.4, alpha=0.5)
POINTS = np.arange(200, 4000, 40)
SCHEDULES = (
  np.full(4000, 1e-3),
  5e-4 * (1 + np.cos(np.pi * np.arange(4000) / 4000)),
)
START = [{"L0": 2.0, "A": 0.6, "C": 0.3, "alpha": 0.4}]


def parameters(law):
  return np.array([law.L0, law.A, law.C, law.alpha])


def curves_of(law, noise=0.0, seed=0):
  rng = np.random.default_rng(seed)
  return [
    laws.Curve(
      POINTS,
      law.predict(rates, POINTS) * np.exp(noise * rng.normal(size=len(POINTS))),
      rates,
    )
    for rates in SCHEDULES
  ]


class AreasTest(parameterized.TestCase):
  def test_by_hand(self):
    rates = 1e-3 * np.array([1, 1, 1, 0.5, 0.5, 0.25])
    forward, annealing = laws.annealing_areas(rates, lam=0.9)
    np.testing.assert_allclose(
      forward, [0.001, 0.002, 0.003, 0.0035, 0.004, 0.00425], rtol=1e-12
    )
    np.testing.assert_allclose(
      annealing, [0, 0, 0, 0.0005, 0.00095, 0.001605], rtol=1e-12
    )
    law = laws.AnnealingLaw(L0=2.0, A=0.5, C=10.0, alpha=0.5, lam=0.9)
    np.testing.assert_allclose(
      law.predict(rates, np.arange(6)),
      [17.811388, 13.180340, 11.128709, 10.446543, 9.896194, 9.653600],
      atol=5e-7,
    )

  @parameterized.parameters(0.5, 0.99, 0.999)
  def test_against_the_double_sum(self, lam):
    rates = np.random.default_rng(0).uniform(0, 1e-3, 60)
    annealing = [
      sum(
        (rates[k - 1] - rates[k]) * lam ** (i - k)
        for i in range(s + 1)
        for k in range(1, i + 1)
      )
      for s in range(60)
    ]
    found = laws.annealing_areas(rates, lam=lam)
    np.testing.assert_allclose(found.annealing, annealing, atol=1e-15)
    np.testing.assert_allclose(found.forward, np.cumsum(rates), rtol=1e-14)

  def test_constant_rates_do_not_anneal(self):
    self.assertFalse(np.any(laws.annealing_areas(np.full(99, 3e-4)).annealing))

  def test_a_drop_adds_up_to_a_thousand_of_it(self):
    rates, step = np.full(20000, 1e-3), 50
    rates[step:] = 4e-4
    annealing = laws.annealing_areas(rates).annealing
    taken = np.arange(20000) - step + 1
    expected = np.where(taken > 0, 6e-4 * (1 - 0.999**taken) / 0.001, 0)
    np.testing.assert_allclose(annealing, expected, rtol=1e-10)
    self.assertAlmostEqual(annealing[-1], 0.6, delta=1e-8)

  def test_of_the_authors(self):
    areas = laws.annealing_areas(COSINE, warmup_steps=500, warmup="peak")
    at = [1000, 10000, 20000]
    np.testing.assert_allclose(
      areas.forward[at], [0.20014578, 1.6703529, 2.0501], rtol=1e-7
    )
    np.testing.assert_allclose(
      areas.annealing[at], [4.80815e-5, 0.08039982, 0.19747384], rtol=1e-6
    )

  def test_actual_warmup_leaves_the_whole_peak_behind(self):
    annealing = laws.annealing_areas(CONSTANT).annealing
    self.assertAlmostEqual(annealing[-1], -2e-4 / 0.001, delta=1e-8)

  def test_a_schedule_is_its_rates(self):
    schedule = optax.linear_schedule(1e-3, 1e-4, 50)
    found = laws.annealing_areas(schedule, total_steps=80)
    rates = np.interp(np.arange(80), [0, 50], [1e-3, 1e-4])
    expected = laws.annealing_areas(rates)
    np.testing.assert_allclose(found, expected, rtol=1e-12)

  def test_a_million_steps(self):
    rates = np.linspace(1e-3, 0, 10**6)
    annealing = laws.annealing_areas(rates).annealing
    # A steady fall by d has the momentum d / (1 - lam) after a while.
    self.assertAlmostEqual(annealing[-1], 1.0, delta=2e-3)


class FitTest(parameterized.TestCase):
  def test_the_authors_example(self):
    fit = laws.fit_annealing_law(EXAMPLE, warmup="peak")
    np.testing.assert_allclose(
      parameters(fit.law), parameters(FITTED), atol=1e-6
    )
    self.assertAlmostEqual(fit.objective, 1.629246e-5, delta=1e-11)
    predicted = [
      fit.predict(c.rates, c.steps, warmup_steps=500) for c in EXAMPLE
    ]
    losses = [c.losses for c in EXAMPLE]
    r2 = laws.metrics(np.concatenate(losses), np.concatenate(predicted)).r2
    self.assertAlmostEqual(r2, 0.999634, delta=1e-6)
    self.assertEmpty(fit.warnings)
    # Every start of the authors' grid gets there.
    self.assertLen(fit.optima, 54)
    np.testing.assert_allclose(fit.optima, fit.objective, rtol=1e-6)

  def test_many_starts_take_seconds(self):
    laws.fit_annealing_law(EXAMPLE, warmup="peak", inits=START)  # compiles
    began = time.process_time()
    laws.fit_annealing_law(EXAMPLE, warmup="peak")
    # Some 3 s of one core; the rest is for a busy machine.
    self.assertLess(time.process_time() - began, 8)

  def test_an_exact_law_is_recovered(self):
    fit = laws.fit_annealing_law(curves_of(TRUE))
    np.testing.assert_allclose(parameters(fit.law), parameters(TRUE), rtol=1e-8)
    self.assertEqual(fit.law.peak, 1e-3)
    self.assertLess(fit.metrics[1].worst_relative_error, 1e-10)

  def test_intervals_cover_the_truth(self):
    names, hits, forecasts = ("L0", "A", "C", "alpha"), [], []
    last = TRUE.predict(SCHEDULES[1], 3999)[0]
    for seed in range(200):
      fit = laws.fit_annealing_law(curves_of(TRUE, 1e-3, seed), inits=START)
      hits.append(
        [
          fit.intervals[n][0] <= getattr(TRUE, n) <= fit.intervals[n][1]
          for n in names
        ]
      )
      low, high = fit.predict_interval(SCHEDULES[1], 3999)
      forecasts.append(low[0] <= last <= high[0])
    for share in (*np.mean(hits, axis=0), np.mean(forecasts)):
      self.assertBetween(share, 0.90, 0.99)

  def test_one_constant_rate_does_not_tell_the_gain_of_annealing(self):
    fit = laws.fit_annealing_law(curves_of(TRUE, 1e-3)[:1], inits=START)
    self.assertIsNone(fit.intervals["C"])
    self.assertTrue(any("do not tell" in w for w in fit.warnings))
    self.assertTrue(np.isnan(fit.predict_interval(SCHEDULES[1], 3999)[0][0]))

  def test_points_in_the_warmup_are_left_out(self):
    steps = np.arange(10, 20001, 10)
    law = dataclasses.replace(FITTED, warmup="actual")
    curves = []
    for rates in (CONSTANT, COSINE):
      losses = law.predict(rates, steps)
      losses[steps < 500] = 100.0
      curves.append(laws.Curve(steps, losses, rates, 500))
    fit = laws.fit_annealing_law(curves, inits=START)
    np.testing.assert_allclose(parameters(fit.law), parameters(law), rtol=1e-6)

  def test_json(self):
    law = laws.fit_annealing_law(EXAMPLE, warmup="peak", inits=START).law
    self.assertEqual(laws.AnnealingLaw.from_json(law.to_json()), law)
    law = dataclasses.replace(law, peak=None)
    self.assertEqual(laws.Law.from_json(law.to_json()), law)


# Of the fits of public curves, in every digit recorded.
REAL_PARAMETERS = {
  "25M": (3.06795, 0.49125, 0.39768, 0.57145),
  "100M": (2.69336, 0.55333, 0.47542, 0.52452),
  "400M": (2.41826, 0.60068, 0.56366, 0.49822),
}
REAL_OBJECTIVES = {"25M": 2.263e-4, "100M": 1.289e-4, "400M": 2.249e-4}
# R2, mean absolute and worst relative error of PREDICT, curve after curve.
REAL_ERRORS = {
  "25M": (
    (0.99453, 0.00747, 0.00481),
    (0.99927, 0.00280, 0.00352),
    (0.99866, 0.00439, 0.00587),
  ),
  "100M": (
    (0.99886, 0.00353, 0.00689),
    (0.99946, 0.00228, 0.00398),
    (0.99830, 0.00427, 0.00861),
  ),
  "400M": (
    (0.99954, 0.00206, 0.00815),
    (0.99958, 0.00224, 0.00397),
    (0.99825, 0.00525, 0.00836),
  ),
}


@real_curves.needs_curves
class RealCurvesTest(parameterized.TestCase):
  """Fits of public curves of three sizes, and what they predict."""

  def fitted(self, size, **options):
    """The fit, and its errors on the curves that it has not seen."""
    fit = laws.fit_annealing_law(
      real_curves.curves(size), inits=START, **options
    )
    unseen = [
      laws.metrics(
        c.losses, fit.predict(c.rates, c.steps, warmup_steps=c.warmup_steps)
      )
      for c in real_curves.curves(size, real_curves.PREDICT)
    ]
    return fit, unseen

  @parameterized.parameters(*real_curves.SIZES)
  def test_parameters_and_predictions(self, size):
    fit, unseen = self.fitted(size)
    np.testing.assert_allclose(
      parameters(fit.law), REAL_PARAMETERS[size], atol=6e-6
    )
    self.assertAlmostEqual(fit.objective, REAL_OBJECTIVES[size], delta=6e-8)
    self.assertEmpty(fit.warnings)
    np.testing.assert_allclose(
      [(m.r2, m.mae, m.worst_relative_error) for m in unseen],
      REAL_ERRORS[size],
      atol=6e-6,
    )

  def test_every_start_of_the_grid_ends_in_the_same_minimum(self):
    fit = laws.fit_annealing_law(real_curves.curves("100M"))
    np.testing.assert_allclose(fit.optima, fit.objective, rtol=1e-6)

  def test_a_warmup_at_its_peak_is_worse(self):
    errors = {"actual": [], "peak": []}
    for size in real_curves.SIZES:
      objective = {}
      for warmup, found in errors.items():
        fit, unseen = self.fitted(size, warmup=warmup)
        objective[warmup] = fit.objective
        found += [m.mae for m in unseen]
      self.assertBetween(objective["peak"] / objective["actual"], 1.4, 2.1)
    self.assertAlmostEqual(np.mean(errors["actual"]), 0.0038, delta=5e-5)
    self.assertAlmostEqual(np.mean(errors["peak"]), 0.0077, delta=5e-5)

  @parameterized.named_parameters(
    ("25M", "25M", True, True),
    ("100M", "100M", False, True),
    ("400M", "400M", False, False),
  )
  def test_the_memory(self, size, fits_better, predicts_better):
    """0.9995 is clearly worse; 0.99 is better in parts."""
    found = {lam: self.fitted(size, lam=lam) for lam in (0.99, 0.999, 0.9995)}
    objective = {lam: fit.objective for lam, (fit, _) in found.items()}
    error = {lam: np.mean([m.mae for m in u]) for lam, (_, u) in found.items()}
    self.assertGreater(objective[0.9995], 1.4 * objective[0.999])
    self.assertGreater(error[0.9995], error[0.999])
    self.assertEqual(objective[0.99] < objective[0.999], fits_better)
    self.assertEqual(error[0.99] < error[0.999], predicts_better)

  def test_a_power_law_of_the_rates_alone_is_much_worse(self):
    errors = []
    for size in real_curves.SIZES:
      # Without annealing: a gain of zero, held.
      curves = [c.after_warmup() for c in real_curves.curves(size)]
      seen, unseen = (
        {
          "x": np.concatenate(
            [np.log(np.cumsum(c.rates)[c.steps]) for c in group]
          ),
          "y": np.concatenate([np.log(c.losses) for c in group]),
        }
        for group in (curves, real_curves.curves(size, real_curves.PREDICT))
      )
      fit = laws.robust_fit(
        dict, _power_law, [{"L0": 2, "A": 1, "a": 0.5}], seen
      )
      law = fit.law
      lengths = [
        len(c.steps) for c in real_curves.curves(size, real_curves.PREDICT)
      ]
      predicted = law["L0"] + law["A"] * np.exp(-law["a"] * unseen["x"])
      parts = np.cumsum(lengths)[:-1]
      errors += [
        laws.metrics(np.exp(y), p)
        for y, p in zip(
          np.split(unseen["y"], parts), np.split(predicted, parts), strict=True
        )
      ]
    self.assertAlmostEqual(np.mean([m.r2 for m in errors]), 0.98, delta=0.01)
    self.assertAlmostEqual(np.mean([m.mae for m in errors]), 0.0156, delta=3e-4)

  def test_three_sizes_in_one_law(self):
    sizes = [n for n in (25, 100, 400) for _ in real_curves.FIT]
    curves = [c for s in real_curves.SIZES for c in real_curves.curves(s)]
    fit = laws.fit_annealing_law_n(curves, sizes)
    self.assertEmpty(fit.warnings)
    self.assertBetween(fit.law.gamma, 0.1, 0.2)
    for errors in fit.metrics:
      self.assertGreater(errors.r2, 0.99)


def _power_law(values, data):
  from jax import numpy as jnp

  curve = values["A"] * jnp.exp(-values["a"] * data["x"])
  return jnp.log(values["L0"] + curve) - data["y"]


class SizesTest(parameterized.TestCase):
  TRUE = laws.AnnealingLawN(
    L0=1.5, A=0.5, B=3.0, C=0.1, alpha=0.5, beta=0.2, gamma=0.2
  )
  SIZES = (25, 25, 100, 100, 400, 400)

  def curves(self, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    found = []
    for i, size in enumerate(self.SIZES):
      rates = SCHEDULES[i % 2]
      losses = self.TRUE.predict(rates, POINTS, size=size)
      losses *= np.exp(noise * rng.normal(size=len(POINTS)))
      found.append(laws.Curve(POINTS, losses, rates))
    return found

  def test_at_a_size_it_is_the_annealing_law(self):
    law = self.TRUE.at_size(100)
    self.assertAlmostEqual(law.L0, 1.5 + 3 * 100**-0.2, delta=1e-12)
    self.assertAlmostEqual(law.C, 0.1 * 100**0.2, delta=1e-12)
    np.testing.assert_array_equal(
      law.predict(SCHEDULES[1], POINTS),
      self.TRUE.predict(SCHEDULES[1], POINTS, size=100),
    )

  def test_an_exact_law_is_recovered(self):
    fit = laws.fit_annealing_law_n(self.curves(), self.SIZES)
    for name in ("L0", "A", "B", "C", "alpha", "beta", "gamma"):
      self.assertAlmostEqual(
        getattr(fit.law, name), getattr(self.TRUE, name), delta=1e-6, msg=name
      )
    self.assertLen(fit.metrics, 6)
    self.assertEqual(laws.Law.from_json(fit.law.to_json()), fit.law)

  def test_intervals_cover_the_truth(self):
    names = ("L0", "A", "B", "C", "alpha", "beta", "gamma")
    start = [{n: getattr(self.TRUE, n) for n in names}]
    hits = []
    for seed in range(200):
      fit = laws.fit_annealing_law_n(
        self.curves(1e-3, seed), self.SIZES, inits=start
      )
      hits.append(
        [
          fit.intervals[n][0] <= getattr(self.TRUE, n) <= fit.intervals[n][1]
          for n in names
        ]
      )
    for name, share in zip(names, np.mean(hits, axis=0), strict=True):
      self.assertBetween(share, 0.90, 0.99, name)

  def test_one_size_does_not_tell_how_it_matters(self):
    fit = laws.fit_annealing_law_n(self.curves(1e-3)[:2], (25, 25))
    self.assertIsNone(fit.intervals["B"])
    self.assertIsNone(fit.intervals["gamma"])
    self.assertNotEmpty(fit.warnings)

  @parameterized.parameters(
    ((25,), "must have one entry for each of the 6 curves"),
    ((25, 25, 100, 100, 0, 400), r"sizes must be in \(0, 1e7\)"),
    ((25e6,) * 6, "in millions of parameters"),
  )
  def test_bad_sizes(self, sizes, message):
    with self.assertRaisesRegex(ValueError, message):
      laws.fit_annealing_law_n(self.curves(), sizes)


class CooldownFractionTest(parameterized.TestCase):
  @parameterized.parameters((5000, 0.14), (20000, 0.24), (60000, 0.20))
  def test_of_the_authors_example(self, total_steps, fraction):
    fractions = np.arange(1, 51) / 50
    best = laws.best_cooldown_fraction(FITTED, total_steps, 2e-4)
    # The optimum is flat: a neighbour may be as good.
    self.assertAlmostEqual(best.fraction, fraction, delta=1e-9)
    self.assertIn(best.fraction, fractions)
    whole = laws.best_cooldown_fraction(FITTED, total_steps, 2e-4, grid=[1.0])
    self.assertGreater(whole.loss, best.loss)

  @parameterized.parameters(
    ("linear", 0.0, 0), ("cosine", 1e-5, 100), ("inverse", 2e-5, 100)
  )
  def test_is_the_best_of_wsd_schedules(self, shape, end_value, warmup_steps):
    shares = (0.1, 0.2, 0.3, 0.5)
    losses = []
    for share in shares:
      schedule = optax_stepsize.wsd_schedule(
        2e-4,
        3000,
        warmup_steps=warmup_steps,
        decay_fraction=share,
        shape=shape,
        end_value=end_value,
      )
      losses.append(
        FITTED.predict(schedule, 2999, warmup_steps=warmup_steps)[0]
      )
    best = laws.best_cooldown_fraction(
      FITTED,
      3000,
      2e-4,
      warmup_steps=warmup_steps,
      shape=shape,
      end_value=end_value,
      grid=shares,
    )
    self.assertEqual(best.fraction, shares[int(np.argmin(losses))])
    self.assertAlmostEqual(best.loss, min(losses), delta=1e-9)

  def test_shares_that_the_warmup_leaves_no_room_for_are_left_out(self):
    best = laws.best_cooldown_fraction(
      FITTED, 100, 2e-4, warmup_steps=60, grid=[0.4, 0.41, 1.0]
    )
    self.assertEqual(best.fraction, 0.4)

  def test_takes_a_fit_and_keeps_its_peak(self):
    fit = laws.fit_annealing_law(EXAMPLE, warmup="peak", inits=START)
    best = laws.best_cooldown_fraction(fit, 5000, 2e-4)
    self.assertAlmostEqual(best.fraction, 0.14)
    with self.assertRaisesRegex(ValueError, "within a factor of 2"):
      laws.best_cooldown_fraction(fit, 5000, 5e-4)
    laws.best_cooldown_fraction(fit, 500, 5e-4, force=True)

  @parameterized.parameters(
    ({"shape": lambda s: 1 - s}, "shape must be a name"),
    ({"shape": "step"}, "shape must be one of"),
    ({"end_value": 3e-4}, "end_value"),
    ({"shape": "inverse"}, "end_value must be in"),
    ({"total_steps": 1}, "total_steps must be an integer >= 2"),
    ({"warmup_steps": 500}, "must be fewer than total_steps=500"),
    ({"grid": [0.5, 1.5]}, "grid must be in"),
    ({"grid": [1.0], "warmup_steps": 9}, "leaves room for"),
    ({"peak_value": 0.0}, "peak_value must be in"),
  )
  def test_bad_arguments(self, change, message):
    arguments = {"total_steps": 500, "peak_value": 2e-4} | change
    with self.assertRaisesRegex(ValueError, message):
      laws.best_cooldown_fraction(FITTED, **arguments)


class BadInputTest(parameterized.TestCase):
  def test_steps_of_rate_zero_go_on_to_lower_the_loss(self):
    """Which is why no schedule is designed freely by this law."""
    padded = np.concatenate([SCHEDULES[0], np.zeros(3000)])
    last = len(padded) - 1
    self.assertLess(
      TRUE.predict(padded, last)[0], TRUE.predict(padded, 4500)[0]
    )
    with self.assertRaises(ValueError):
      optax_stepsize.optimize_schedule(TRUE, 1e-3, 4000)

  @parameterized.parameters(2.1, 1 / 2.1)
  def test_rates_far_from_the_fitted_ones(self, factor):
    law = dataclasses.replace(TRUE, peak=1e-3)
    with self.assertRaisesRegex(ValueError, "force=True"):
      law.predict(factor * SCHEDULES[0], POINTS)
    law.predict(factor * SCHEDULES[0], POINTS, force=True)
    law.predict(np.sqrt(factor) * SCHEDULES[0], POINTS)

  def test_curves_of_different_peaks(self):
    first, second = curves_of(TRUE)
    second = dataclasses.replace(second, schedule=3 * second.rates)
    with self.assertRaisesRegex(ValueError, "much the same peak rate"):
      laws.fit_annealing_law([first, second])

  @parameterized.parameters(
    ({"lam": 1.0}, r"lam must be in \(0, 1\)"),
    ({"warmup": "none"}, "warmup must be one of 'actual', 'peak'"),
    ({"huber_delta": 0.0}, "huber_delta"),
  )
  def test_bad_arguments(self, change, message):
    with self.assertRaisesRegex(ValueError, f"fit_annealing_law: {message}"):
      laws.fit_annealing_law(curves_of(TRUE), **change)

  def test_bad_curves(self):
    flat = laws.Curve([1, 2, 3], [2.0, 2.0, 2.0], np.ones(4))
    for curves, message in (
      ([], "at least 1"),
      ([flat], "nothing to fit"),
      ([laws.Curve([1, 2], [3.0, 2.0], np.ones(4))], "at least as many points"),
      ([(1, 2)], "a sequence of Curve"),
    ):
      with self.assertRaisesRegex(ValueError, message):
        laws.fit_annealing_law(curves, inits=START)

  @parameterized.parameters(
    (0, "must come after one with a rate > 0"),
    (-1, "steps must be >= 0"),
    (0.5, "must be an integer"),
  )
  def test_bad_steps(self, steps, message):
    rates = np.linspace(0, 1e-3, 10)
    with self.assertRaisesRegex(
      ValueError, f"AnnealingLaw.predict: .*{message}"
    ):
      TRUE.predict(rates, steps)

  def test_bad_areas(self):
    with self.assertRaisesRegex(ValueError, "total_steps must be given"):
      laws.annealing_areas(optax.constant_schedule(1.0))
    with self.assertRaisesRegex(ValueError, "finite and >= 0"):
      laws.annealing_areas([1.0, np.nan])
    with self.assertRaisesRegex(ValueError, "lam must be in"):
      laws.AnnealingLaw(2.0, 0.5, 0.4, 0.5, lam=0.0)


if __name__ == "__main__":
  absltest.main()
