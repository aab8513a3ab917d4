# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of what all laws share: the fit, curves, and their JSON form."""

import dataclasses
import json
import math

from absl.testing import absltest
from absl.testing import parameterized
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import laws

NAMES = ("L0", "A", "alpha")


@dataclasses.dataclass(frozen=True)
class Decay(laws.Law):
  """Loss = L0 + A x**-alpha."""

  L0: float
  A: float
  alpha: float

  def predict(self, x):
    return self.L0 + self.A * np.asarray(x, np.float64) ** -self.alpha


@dataclasses.dataclass(frozen=True)
class Shifted(Decay):
  shift: float = math.inf
  kind: str = "none"


TRUE = Decay(L0=2.0, A=1.5, alpha=0.6)
X = np.geomspace(1.0, 100.0, 60)
START = {"L0": 1.0, "A": 1.0, "alpha": 0.5}


def residuals(values, data):
  loss = values["L0"] + values["A"] * data["x"] ** -values["alpha"]
  return jnp.log(loss) - jnp.log(data["loss"])


def line(values, data):
  return values["slope"] * data["x"] + values["level"] - data["y"]


def double_well(values, data):
  # Minima near -1 and 1, of which the former is lower.
  w = values["w"]
  return jnp.stack([w**2 - 1.0, 0.1 * (w + 1.0)]) + data


def only_a_sum(values, data):
  return (values["a"] + values["b"]) * data["x"] - data["y"]


def root(values, data):
  return jnp.sqrt(values["w"]) - data


def fit_decay(noise=0.0, x=X, starts=(START,), **options):
  losses = TRUE.predict(x) * np.exp(noise)
  return laws.robust_fit(
    Decay, residuals, starts, {"x": x, "loss": losses}, **options
  )


def values_of(law):
  return np.array([getattr(law, name) for name in NAMES])


def autoregressive(rng, size, rho):
  noise = rng.standard_normal(size)
  for i in range(1, size):
    noise[i] = rho * noise[i - 1] + math.sqrt(1 - rho**2) * noise[i]
  return noise


class FitTest(parameterized.TestCase):
  @parameterized.parameters(1e-3, 0.02, math.inf)
  def test_objective_is_the_sum_of_hubers_losses(self, delta):
    noise = 0.02 * np.random.default_rng(0).standard_normal(len(X))
    fit = fit_decay(noise, huber_delta=delta)
    r = np.log(fit.predict(X)) - np.log(TRUE.predict(X)) - noise
    beyond = np.abs(r) > delta
    huber = r**2 / 2
    huber[beyond] = delta * (np.abs(r[beyond]) - delta / 2)
    np.testing.assert_allclose(fit.objective, np.sum(huber), rtol=1e-10)
    self.assertEqual(fit.optima, (fit.objective,))
    # Some lie on either side, where there are two.
    self.assertEqual(0 < np.sum(beyond) < len(X), delta < 1)

  def test_objective_is_least(self):
    noise = 0.02 * np.random.default_rng(1).standard_normal(len(X))
    fit = fit_decay(noise, huber_delta=math.inf)
    target = np.log(TRUE.predict(X)) + noise
    for name in NAMES:
      for factor in (0.999, 1.001):
        moved = dataclasses.replace(
          fit.law, **{name: getattr(fit.law, name) * factor}
        )
        cost = np.sum((np.log(moved.predict(X)) - target) ** 2) / 2
        self.assertGreater(cost, fit.objective)

  def test_exact_data(self):
    fit = fit_decay()
    np.testing.assert_allclose(values_of(fit.law), values_of(TRUE), rtol=1e-9)
    self.assertLess(fit.objective, 1e-25)
    self.assertEqual(fit.warnings, ())
    self.assertTrue(fit.converged)
    self.assertEqual(fit.names, NAMES)
    self.assertEqual(fit.positive, frozenset(NAMES))
    for name, (low, high) in fit.intervals.items():
      self.assertBetween(getattr(fit.law, name), low, high)
      self.assertLess(high - low, 1e-9)

  def test_least_squares_of_a_line(self):
    rng = np.random.default_rng(2)
    x = np.linspace(-1, 3, 12)
    y = 2 * x - 1 + 0.3 * rng.standard_normal(12)
    fit = laws.robust_fit(
      dict,
      line,
      [{"slope": 0.0, "level": 0.0}],
      {"x": x, "y": y},
      huber_delta=math.inf,
      positive=False,
    )
    coefficients, covariance = np.polyfit(x, y, 1, cov=True)
    found = fit.law["slope"], fit.law["level"]
    np.testing.assert_allclose(found, coefficients, rtol=1e-9)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-6)
    low, high = fit.intervals["slope"]
    quantile = 2.2281388519649385  # Student's, of 10 degrees of freedom
    np.testing.assert_allclose(
      high - low, 2 * quantile * math.sqrt(covariance[0, 0]), rtol=1e-6
    )

  @parameterized.parameters((-0.5, 0.5), (0.5, -0.5), (1.1, -1.1, 1.1))
  def test_the_best_of_several_starts_is_kept(self, *starts):
    fit = laws.robust_fit(
      dict,
      double_well,
      [{"w": w} for w in starts],
      np.zeros(2),
      huber_delta=math.inf,
      positive=False,
    )
    self.assertAlmostEqual(fit.law["w"], -1.0, places=6)
    self.assertLen(fit.optima, len(starts))
    for start, optimum in zip(starts, fit.optima, strict=True):
      if start < 0:
        self.assertLess(optimum, 1e-12)
      else:
        self.assertGreater(optimum, 0.01)
    self.assertEqual(fit.objective, min(fit.optima))

  def test_ties_go_to_the_first_start(self):
    fit = laws.robust_fit(
      dict,
      lambda values, data: jnp.atleast_1d(values["w"] ** 2 - data),
      [{"w": 1.5}, {"w": -1.5}],
      1.0,
      positive=False,
      huber_delta=math.inf,
    )
    self.assertEqual(fit.optima[0], fit.optima[1])
    self.assertAlmostEqual(fit.law["w"], 1.0)

  def test_starts_that_lead_nowhere(self):
    options = {"positive": False, "huber_delta": 1.0}
    data = np.array([1.9, 2.0, 2.1])
    fit = laws.robust_fit(
      dict, root, [{"w": -1.0}, {"w": 1.0}], data, **options
    )
    self.assertAlmostEqual(fit.law["w"], 4.0, places=6)
    self.assertEqual(fit.optima[0], math.inf)
    with self.assertRaisesRegex(
      ValueError, "mine: none of the 2 starts gives finite residuals"
    ):
      laws.robust_fit(
        dict, root, [{"w": -1.0}, {"w": -2.0}], data, method="mine", **options
      )

  def test_data_that_are_not_finite(self):
    for wrong in (math.nan, math.inf):
      noise = np.zeros(len(X))
      noise[3] = wrong
      with self.assertRaisesRegex(ValueError, "none of the 1 starts.*Fix"):
        fit_decay(noise)

  def test_zero_starts_of_positive_parameters(self):
    fit = fit_decay(starts=[dict.fromkeys(NAMES, 0.0)])
    np.testing.assert_allclose(values_of(fit.law), values_of(TRUE), rtol=1e-6)

  def test_bounds(self):
    fit = fit_decay(bounds={"alpha": (0.1, 0.4)}, huber_delta=math.inf)
    self.assertAlmostEqual(fit.law.alpha, 0.4, places=5)
    self.assertIsNone(fit.intervals["alpha"])
    self.assertRegex(fit.warnings[0], "^alpha ended at a bound of the search")
    # Bounds that do not bind change nothing, nor does a start on one.
    fit = fit_decay(bounds={"alpha": (0.5, 1.0), "L0": (0.0, 5.0)})
    np.testing.assert_allclose(values_of(fit.law), values_of(TRUE), rtol=1e-8)
    self.assertEqual(fit.warnings, ())

  def test_held(self):
    fit = fit_decay(held={"L0": 2.0})
    np.testing.assert_allclose(values_of(fit.law), values_of(TRUE), rtol=1e-9)
    self.assertEqual(fit.names, ("A", "alpha"))
    self.assertIsNone(fit.intervals["L0"])
    self.assertIsNotNone(fit.intervals["A"])
    self.assertEqual(fit.covariance.shape, (2, 2))
    fit = fit_decay(held={"L0": 1.9}, starts=[{"A": 1.0, "alpha": 0.5}])
    self.assertEqual(fit.law.L0, 1.9)
    self.assertGreater(fit.objective, 1e-8)

  def test_what_only_enters_as_a_sum_is_not_told(self):
    rng = np.random.default_rng(3)
    x = np.linspace(1, 2, 20)
    data = {"x": x, "y": 3 * x + 0.01 * rng.standard_normal(20)}
    fit = laws.robust_fit(dict, only_a_sum, [{"a": 1.0, "b": 1.0}], data)
    self.assertAlmostEqual(fit.law["a"] + fit.law["b"], 3.0, places=1)
    self.assertEqual(fit.intervals, {"a": None, "b": None})
    self.assertRegex(fit.warnings[0], "the data do not tell a, b .*Hold them")
    self.assertIsNone(fit.covariance)
    self.assertGreater(fit.condition_number, 1e13)
    # Held, the other one is told.
    fit = laws.robust_fit(dict, only_a_sum, [{"a": 1.0}], data, held={"b": 1.0})
    self.assertBetween(2.0, *fit.intervals["a"])
    self.assertEqual(fit.warnings, ())

  def test_a_floor_that_is_fitted_to_zero_leaves_the_others_open(self):
    # Without a floor, and with noise for which the least squares have none.
    x = np.geomspace(1.0, 10.0, 30)
    noise = 1e-2 * np.random.default_rng(0).standard_normal(30)
    noise += 0.02 * np.log(x) * np.log(10.0 / x)
    data = {"x": x, "loss": 2.0 * x**-0.3 * np.exp(noise)}
    free = laws.robust_fit(Decay, residuals, [START], data)
    self.assertLess(free.law.L0, 1e-3)
    self.assertIsNone(free.intervals["L0"])
    held = laws.robust_fit(Decay, residuals, [START], data, held={"L0": 0.0})
    for name in ("A", "alpha"):
      self.assertAlmostEqual(
        getattr(free.law, name), getattr(held.law, name), places=3
      )
      low, high = free.intervals[name]
      narrow, wide = held.intervals[name]
      self.assertGreater(high / low, (wide / narrow) ** 3)

  def test_no_interval_of_predictions_without_a_covariance(self):
    fit = fit_decay(x=np.full(10, 3.0), noise=np.linspace(-1, 1, 10) / 100)
    self.assertIsNone(fit.covariance)
    self.assertNotEmpty(fit.warnings)
    low, high = fit.predict_interval([1.0, 10.0])
    self.assertTrue(np.all(np.isnan(low)) and np.all(np.isnan(high)))

  def test_as_many_points_as_parameters(self):
    fit = fit_decay(x=np.array([1.0, 5.0, 30.0]))
    np.testing.assert_allclose(values_of(fit.law), values_of(TRUE), rtol=1e-7)
    self.assertEqual(fit.intervals, dict.fromkeys(NAMES))
    self.assertRegex(
      fit.warnings[-1], "3 points determine 3 parameters exactly"
    )

  def test_fewer_points_than_parameters(self):
    with self.assertRaisesRegex(
      ValueError, "3 parameters need at least as many points, got 2. Fix"
    ):
      fit_decay(x=np.array([1.0, 5.0]))

  def test_too_few_evaluations(self):
    fit = fit_decay(max_evals=2)
    self.assertFalse(fit.converged)
    self.assertRegex(fit.warnings[-1], "did not converge in 2 evaluations")

  @parameterized.parameters(
    ("huber_delta", 0.0), ("confidence", 1.0), ("max_evals", 0)
  )
  def test_bad_options(self, name, value):
    with self.assertRaisesRegex(ValueError, f"robust_fit: {name} must be"):
      fit_decay(**{name: value})


class IntervalTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("normal", lambda rng, n: 0.01 * rng.standard_normal(n), ()),
    ("laplace", lambda rng, n: 0.01 * rng.laplace(size=n), ()),
    ("tiny", lambda rng, n: 1e-7 * rng.standard_normal(n), ()),
    (
      "correlated",
      lambda rng, n: 0.01 * autoregressive(rng, n, 0.6),
      (len(X),),
    ),
  )
  def test_they_cover(self, draw, groups):
    rng = np.random.default_rng(4)
    x = np.tile(X, 3) if groups else X
    hits = np.zeros(4)
    for _ in range(200):
      noise = np.concatenate([draw(rng, len(X)) for _ in range(len(x) // 60)])
      fit = fit_decay(noise, x, groups=groups * (len(x) // 60))
      hits[:3] += [
        low <= getattr(TRUE, name) <= high
        for name, (low, high) in fit.intervals.items()
      ]
      low, high = fit.predict_interval(1000.0)
      hits[3] += low <= TRUE.predict(1000.0) <= high
    self.assertTrue(np.all((0.9 <= hits / 200) & (hits / 200 <= 0.99)), hits)

  def test_groups_widen_what_is_correlated_and_nothing_else(self):
    rng = np.random.default_rng(5)
    ratios = {}
    for rho in (0.0, 0.8):
      noise = 0.01 * autoregressive(rng, 600, rho)
      x = np.geomspace(1, 100, 600)
      alone, grouped = (
        fit_decay(noise, x, groups=groups) for groups in ((), (600,))
      )
      self.assertEqual(alone.law, grouped.law)
      width = [np.diff(f.intervals["L0"])[0] for f in (alone, grouped)]
      ratios[rho] = width[1] / width[0]
    self.assertEqual(ratios[0.0], 1.0)
    # Root of (1 + rho) / (1 - rho) for the clipped residuals, which are less
    # correlated.
    self.assertBetween(ratios[0.8], 1.8, 3.2)

  def test_predictions_scatter_as_the_interval_says(self):
    rng = np.random.default_rng(6)
    x = np.array([2.0, 50.0, 1000.0])
    found, errors = [], []
    for _ in range(200):
      fit = fit_decay(0.01 * rng.standard_normal(len(X)), huber_delta=0.01)
      found.append(fit.predict(x))
      errors.append(fit.standard_error(lambda law: law.predict(x)))
    # The standard deviation of 200 draws is known to 5 %.
    np.testing.assert_allclose(
      np.mean(errors, axis=0), np.std(found, axis=0), rtol=0.15
    )

  def test_confidence_widens(self):
    noise = 0.01 * np.random.default_rng(7).standard_normal(len(X))
    widths = [
      np.diff(fit_decay(noise, confidence=c).intervals["alpha"])[0]
      for c in (0.5, 0.9, 0.99)
    ]
    self.assertLess(widths[0], widths[1])
    self.assertLess(widths[1], widths[2])

  def test_what_two_predictions_share_cancels(self):
    noise = 0.01 * np.random.default_rng(8).standard_normal(len(X))
    fit = fit_decay(noise)
    ends = np.array([1e4, 1.1e4])
    apart = fit.half_width(lambda law: law.predict(ends))
    between = fit.half_width(lambda law: np.diff(law.predict(ends))[0])
    self.assertEqual(np.shape(between), ())
    self.assertLess(between, 0.1 * min(apart))

  def test_intervals_of_what_is_positive_do_not_reach_zero(self):
    noise = 0.5 * np.random.default_rng(9).standard_normal(len(X))
    fit = fit_decay(noise)
    ends = np.geomspace(1, 1e6, 13)
    low, high = fit.predict_interval(ends)
    width = fit.half_width(lambda law: law.predict(ends))
    middle = fit.predict(ends)
    self.assertTrue(np.any(width > middle))
    self.assertTrue(np.all((0 < low) & (low < middle) & (middle < high)))
    np.testing.assert_allclose(low * high, middle**2, rtol=1e-12)
    narrow = fit_decay(1e-6 * noise)
    low, high = narrow.predict_interval(ends)
    width = narrow.half_width(lambda law: law.predict(ends))
    np.testing.assert_allclose(high - low, 2 * width, rtol=1e-5)


class MetricsTest(absltest.TestCase):
  def test_figures(self):
    found = laws.metrics([1.0, 2.0, 4.0], [1.5, 2.0, 3.0])
    squares, about = 0.25 + 1.0, 42 / 9
    self.assertAlmostEqual(found.r2, 1 - squares / about)
    self.assertAlmostEqual(found.mae, 0.5)
    self.assertAlmostEqual(found.rmse, math.sqrt(squares / 3))
    self.assertAlmostEqual(found.mean_relative_error, 0.25)
    self.assertAlmostEqual(found.worst_relative_error, 0.5)

  def test_one_loss_has_no_spread(self):
    self.assertTrue(math.isnan(laws.metrics([2.0], [1.0]).r2))


class CurveTest(parameterized.TestCase):
  def test_fields(self):
    schedule = optax.linear_schedule(1.0, 0.0, 10)
    curve = laws.Curve([0, 4, 8], [3, 2, 1], schedule, name="short")
    self.assertEqual(curve.steps.dtype, np.int64)
    self.assertEqual(curve.losses.dtype, np.float64)
    np.testing.assert_allclose(curve.rates, 1 - np.arange(9) / 10, rtol=1e-14)
    given = laws.Curve([0, 4, 8], [3, 2, 1], 1 - np.arange(20) / 10 * 0.5)
    self.assertLen(given.rates, 9)

  def test_after_warmup(self):
    curve = laws.Curve([0, 4, 8], [3, 2, 1], np.ones(9), warmup_steps=4)
    later = curve.after_warmup()
    self.assertEqual(later.steps.tolist(), [4, 8])
    self.assertEqual(later.losses.tolist(), [2.0, 1.0])
    self.assertLen(later.rates, 9)
    self.assertEqual(later.warmup_steps, 4)

  @parameterized.named_parameters(
    ("nan", {"losses": [3.0, math.nan, 1.0]}, "loss at step 4 is nan. Fix"),
    ("inf", {"losses": [3.0, 2.0, math.inf]}, "loss at step 8 is inf. Fix"),
    ("zero", {"losses": [0.0, 2.0, 1.0]}, "loss at step 0 is 0.0. Fix"),
    ("unsorted", {"steps": [0, 8, 4]}, "8 at position 1 falls to 4. Fix"),
    ("repeated", {"steps": [0, 4, 4]}, "4 at position 1 repeats 4. Fix"),
    ("negative", {"steps": [-1, 4, 8]}, "steps must be >= 0, got -1"),
    ("floats", {"steps": [0.0, 4.0, 8.0]}, "steps must be an integer or"),
    ("axes", {"steps": [[0, 4, 8]]}, "steps must be an integer or"),
    ("none", {"steps": [], "losses": []}, "steps must be an integer or"),
    ("shape", {"losses": [3.0, 2.0]}, "one entry for each of the 3 steps"),
    ("short", {"schedule": np.ones(8)}, "of each of the 9 steps, got"),
    ("table", {"schedule": np.ones((9, 1))}, "of shape .9, 1"),
    ("rate", {"schedule": -np.ones(9)}, "schedule must be finite.*at step 0"),
    ("nan_rate", {"schedule": lambda k: 0.0 / k}, "finite.*nan at step 0"),
    ("warmup", {"warmup_steps": -1}, "warmup_steps must be an integer >= 0"),
  )
  def test_bad_input(self, given, message):
    right = {
      "steps": [0, 4, 8],
      "losses": [3.0, 2.0, 1.0],
      "schedule": np.ones(9),
      "name": "mine",
    }
    with self.assertRaisesRegex(ValueError, f"Curve 'mine': .*{message}"):
      laws.Curve(**right | given)

  @parameterized.named_parameters(
    (
      "warmup",
      laws.Curve([0, 4], [3, 2], np.ones(5), 5, "w"),
      "Curve 'w': all points lie in the warm-up of 5 steps. Fix",
    ),
    (
      "constant",
      laws.Curve([0, 4], [3, 3], np.ones(5), name="c"),
      "the loss of curve 'c' is 3.0 at all of its points",
    ),
    ("other", {"steps": 1}, "curves must be a sequence of Curve"),
    ("none", (), "curves must be at least"),
  )
  def test_curves_that_nothing_can_be_fitted_to(self, curves, message):
    with self.assertRaisesRegex(ValueError, message):
      laws.fit_annealing_law(curves)

  def test_rates_of(self):
    np.testing.assert_array_equal(laws.rates_of([3.0, 2.0, 1.0], 2), [3.0, 2.0])
    with self.assertRaisesRegex(ValueError, "rates_of: total_steps must be"):
      laws.rates_of([3.0, 2.0], 0)

  def test_distinct_rates(self):
    def curve(rates, warmup_steps=0):
      steps = np.array([len(rates) - 2, len(rates) - 1])
      return laws.Curve(steps, [3.0, 2.0], np.array(rates), warmup_steps)

    flat, falling = [1.0] * 6, [1.0, 1.0, 1.0, 1.0, 0.5, 0.2]
    cases = (
      ([flat, flat[:3]], [flat]),
      ([flat[:3], falling, flat], [falling, flat]),
      ([flat, [0.9995] * 4], [flat]),
      ([flat, [0.998] * 4], [flat, [0.998] * 4]),
      ([falling, falling[1:]], [falling, falling[1:]]),
    )
    for given, expected in cases:
      found = laws.distinct_rates([curve(rates) for rates in given])
      self.assertCountEqual([list(rates) for rates in found], expected)
    warmed = laws.distinct_rates([curve(falling), curve([0.1, *falling], 1)])
    self.assertLen(warmed, 1)


class JsonTest(parameterized.TestCase):
  @parameterized.parameters(
    TRUE,
    Decay(L0=1 / 3, A=1e-300, alpha=math.pi),
    Shifted(2.0, 1.0, 0.5),
    Shifted(2.0, 1.0, 0.5, -math.inf, "some"),
  )
  def test_round_trip(self, law):
    text = law.to_json()
    self.assertNotIn("Infinity", text)
    self.assertEqual(json.loads(text)["law"], type(law).__name__)
    for cls in (type(law), Decay, laws.Law):
      same = cls.from_json(text)
      self.assertIs(type(same), type(law))
      self.assertEqual(same, law)

  def test_whole_numbers_become_floats(self):
    text = '{"law": "Decay", "L0": 2, "A": 1, "alpha": 1}'
    self.assertIsInstance(Decay.from_json(text).L0, float)

  def test_fields_with_a_default_may_be_missing(self):
    text = '{"law": "Shifted", "L0": 2.0, "A": 1.0, "alpha": 1.0}'
    self.assertEqual(Shifted.from_json(text), Shifted(2.0, 1.0, 1.0))

  @parameterized.named_parameters(
    ("text", "loss", "text must be what to_json.. returned"),
    ("list", "[1, 2]", "text must be what to_json.. returned"),
    ("no_law", '{"L0": 2.0}', "text must be what to_json.. returned"),
    ("none", None, "text must be what to_json.. returned"),
    (
      "class",
      laws.HorizonLaw(1.0, 0.5).to_json(),
      "text holds the law 'HorizonLaw', but must hold one of Decay, Shifted",
    ),
    (
      "unknown",
      '{"law": "Decay", "L0": 2, "A": 1, "alpha": 1, "beta": 3}',
      r"it lacks \[\] and has \['beta'\] besides",
    ),
    (
      "missing",
      '{"law": "Decay", "L0": 2, "A": 1}',
      r"must have the fields L0, A, alpha; it lacks \['alpha'\]",
    ),
  )
  def test_bad_input(self, text, message):
    with self.assertRaisesRegex(ValueError, f"Decay.from_json: .*{message}"):
      Decay.from_json(text)

  def test_laws_are_frozen(self):
    with self.assertRaises(dataclasses.FrozenInstanceError):
      TRUE.L0 = 1.0


if __name__ == "__main__":
  absltest.main()
