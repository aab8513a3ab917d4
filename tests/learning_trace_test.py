# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of learning curves that are followed point by point."""

import json
import math

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

import optax_stepsize
from optax_stepsize import laws
from tests import real_curves

X = np.arange(1, 41)
TRUE = laws.PowerCurve(a=0.8, b=0.5, c=0.97)


def follow(y, x=X, **options):
  """The states of a trace after each point."""
  trace = laws.LearningTrace(**options)
  return [trace.append(*point) for point in zip(x, y, strict=False)]


def first(states, found):
  """The number of points at which a state is first so."""
  return next((i for i, s in enumerate(states, 1) if found(s)), math.inf)


def noisy(seed, scale=1e-3):
  return TRUE.predict(X) + scale * np.random.default_rng(seed).standard_normal(
    len(X)
  )


class ExactTest(parameterized.TestCase):
  @parameterized.parameters(1e-5, 1e-3, 0.1)
  def test_levels(self, tau):
    states = follow(TRUE.predict(X[:10]), tau=tau, x_final=100.0)
    self.assertEqual([s.level for s in states], [0, 0, *range(3, 11)])
    for state in states[2:]:
      np.testing.assert_allclose(state.asymptotes, 0.97, rtol=1e-6)
      self.assertEqual(state.working_level, 3)
      self.assertEqual(state.prediction_level, 3)
      np.testing.assert_allclose(state.predicted, 0.89, rtol=1e-6)
    for points, state in enumerate(states, 1):
      self.assertEqual(state.converged, points >= 4)
    np.testing.assert_allclose(
      states[3].gain, 0.89 - TRUE.predict(4), rtol=1e-6
    )

  def test_before_there_is_a_trend(self):
    trace = laws.LearningTrace()
    empty = laws.TraceState(0, (), None, None, False, None, None)
    self.assertEqual(trace.state, empty)
    self.assertIsNone(trace.trend)
    for x in (1, 2):
      self.assertEqual(trace.append(x, TRUE.predict(x)), empty)
    self.assertEqual(
      laws.should_stop(trace), laws.StopDecision(False, None, None)
    )
    trace.append(3, TRUE.predict(3))
    np.testing.assert_allclose(
      [trace.trend.a, trace.trend.b, trace.trend.c], [0.8, 0.5, 0.97], rtol=1e-6
    )
    # One trend predicts; two are needed to see that they agree.
    stop, predicted, layer = laws.should_stop(trace)
    self.assertFalse(stop)
    self.assertAlmostEqual(predicted, 0.97, places=6)
    self.assertIsNone(layer)

  def test_trends_are_fits_to_the_first_points(self):
    y = noisy(0, 0.01)
    trace = laws.LearningTrace()
    for level, point in enumerate(zip(X, y, strict=True), 1):
      trace.append(*point)
      if level in (4, 10, 40):  # fits of other lengths compile anew
        fit = laws.fit_power_curve(X[:level], y[:level])
        np.testing.assert_allclose(trace.trend.c, fit.law.c, rtol=1e-5)

  def test_patience(self):
    for patience in (1, 3):
      states = follow(TRUE.predict(X[:10]), patience=patience)
      self.assertEqual(first(states, lambda s: s.converged), 3 + patience)

  def test_losses_are_accuracies_upside_down(self):
    y = noisy(1)
    up = follow(y, x_final=200.0)
    down = follow(-y, x_final=200.0, sign=1, limit=-1.0)
    for one, other in zip(up, down, strict=True):
      self.assertEqual(one[2:5], other[2:5])
      np.testing.assert_allclose(one.asymptotes, np.negative(other.asymptotes))
      if one.predicted is not None:
        self.assertAlmostEqual(one.predicted, -other.predicted)
        self.assertAlmostEqual(one.gain, other.gain)


class NoiseTest(parameterized.TestCase):
  def test_it_delays(self):
    predicted, stopped = [], []
    for seed in range(60):
      states = follow(noisy(seed), x_final=200.0)
      predicted.append(first(states, lambda s: s.predicted is not None))
      stopped.append(first(states, lambda s: s.converged))
    self.assertGreaterEqual(min(predicted), 3)
    self.assertGreater(max(predicted), 3)
    self.assertGreaterEqual(min(stopped), 4)
    # Without noise 3 and 4.
    self.assertBetween(np.mean(predicted), 3.1, 6)
    self.assertBetween(np.mean(stopped), 8, 20)

  def test_what_is_predicted_where_it_stops(self):
    errors = []
    for seed in range(60):
      states = follow(noisy(seed), x_final=200.0)
      state = next(s for s in states if s.converged)
      errors.append(state.predicted - TRUE.predict(200.0))
    # Of the spread of 0.72 from the first point to there.
    self.assertLess(np.max(np.abs(errors)), 0.02)
    self.assertLess(np.median(np.abs(errors)), 0.003)

  def test_a_smaller_tau_stops_later(self):
    for seed in range(10):
      points = [
        first(follow(noisy(seed), tau=tau), lambda s: s.converged)
        for tau in (1e-2, 1e-3, 1e-4)
      ]
      self.assertEqual(points, sorted(points))
      self.assertLess(points[0], points[2])


class LevelsTest(parameterized.TestCase):
  def test_a_curve_that_bends_the_wrong_way_does_not_work_yet(self):
    y = TRUE.predict(X)
    y[1] -= 0.2
    states = follow(y, lookahead=3)
    for state in states[:3]:
      self.assertIsNone(state.working_level)
      self.assertIsNone(state.predicted)
    self.assertLess(first(states, lambda s: s.working_level), 30)

  def test_asymptotes_that_speed_up_do_not_work(self):
    y = noisy(6)
    y[1] -= 0.2  # the first levels are too few to see it
    loose, tight = (
      follow(y, lookahead=3, slowdown=slowdown) for slowdown in (100.0, 1e-3)
    )
    self.assertEqual(loose[-1].asymptotes, tight[-1].asymptotes)
    self.assertIsNotNone(loose[-1].working_level)
    self.assertIsNone(tight[-1].working_level)

  def test_impossible_asymptotes_predict_nothing(self):
    high = laws.PowerCurve(a=1.5, b=0.5, c=1.2)
    for state in follow(high.predict(X[:8])):
      self.assertIsNone(state.prediction_level)
      self.assertFalse(state.converged)
    states = follow(high.predict(X[:8]), limit=1.5)
    self.assertEqual(states[-1].prediction_level, 3)
    # Losses below zero as well.
    low = laws.PowerCurve(a=1.5, b=0.5, c=-0.1, sign=1)
    self.assertIsNone(follow(low.predict(X[:8]), sign=1)[-1].predicted)

  def test_a_later_violation_takes_it_back(self):
    y = TRUE.predict(X[:12])
    y[8:] += 0.001  # the asymptote rises
    states = follow(y)
    self.assertEqual(states[7].prediction_level, 3)
    self.assertEqual(states[8].prediction_level, 9)
    self.assertFalse(states[8].converged)
    y[8:] += 0.3  # beyond what is possible
    states = follow(y)
    self.assertIsNone(states[8].prediction_level)
    self.assertIsNone(states[8].predicted)
    self.assertEqual(states[8].working_level, 3)

  def test_a_failed_fit_keeps_the_level(self):
    y = np.append(TRUE.predict(X[:5]), [-3.0, -8.0])
    states = follow(y)
    self.assertEqual([s.level for s in states], [0, 0, 3, 4, 5, 5, 5])
    self.assertEqual(states[-1].asymptotes, states[4].asymptotes)

  def test_constant_points_have_no_trend(self):
    self.assertEqual(follow(np.full(6, 0.5))[-1].level, 0)

  def test_anchor(self):
    y = noisy(2, 0.01)
    free, drawn = follow(y), follow(y, anchor=1.0)
    for one, other in zip(free, drawn, strict=True):
      if other.prediction_level is None and one.level:
        low, high = sorted((one.asymptotes[-1], 1.0))
        self.assertBetween(other.asymptotes[-1], low - 1e-6, high + 1e-6)
    # Few points leave it in doubt: it scatters less.
    self.assertLess(
      np.ptp(drawn[-1].asymptotes[:8]), np.ptp(free[-1].asymptotes[:8])
    )
    # From the prediction level on the asymptotes themselves are the anchors.
    exact = follow(TRUE.predict(X), anchor=0.97)[-1]
    np.testing.assert_allclose(exact.asymptotes, 0.97, rtol=1e-6)
    late = follow(TRUE.predict(X), anchor=1.0)[-1]
    self.assertAlmostEqual(late.asymptotes[-1], 0.97, places=2)


class StopTest(parameterized.TestCase):
  def test_arguments_override_those_of_the_trace(self):
    trace = laws.LearningTrace(x_final=50.0, tau=1e-3)
    for x, y in zip(X[:12], noisy(3), strict=False):
      trace.append(x, y)
    own = laws.should_stop(trace)
    self.assertEqual(laws.should_stop(trace, x_final=50.0, tau=1e-3), own)
    self.assertEqual((own.stop, own.predicted), trace.state[4:6])
    far = laws.should_stop(trace, x_final=1e6)
    self.assertGreater(far.predicted, own.predicted)
    self.assertTrue(laws.should_stop(trace, tau=1e3).stop)
    self.assertFalse(laws.should_stop(trace, tau=1e-12).stop)

  def test_layer_is_the_larger_of_both_ends(self):
    y = noisy(4)
    trace = laws.LearningTrace(limit=math.inf)
    trends = []
    for x in X[:15]:
      trace.append(x, y[x - 1])
      trends.append(trace.trend)
      layer = laws.should_stop(trace, x_final=30.0).layer
      if layer is not None:
        last, before = trends[-1], trends[-2]
        self.assertAlmostEqual(
          layer,
          max(
            abs(last.c - before.c),
            abs(last.predict(30.0) - before.predict(30.0)),
          ),
        )
    self.assertIsNotNone(trace.state.predicted)

  def test_when_to_start_the_cooldown(self):
    # Of a constant phase up to 64,000 steps, which gains little in the end.
    trace = optax_stepsize.LearningTrace(sign=1, x_final=64000, tau=1e-2)
    for step in range(1000, 64001, 1000):
      state = trace.append(step, 2.5 + 500 / step)
      if state.converged and state.gain < 0.02:
        break
    # 500 / step - 500 / 64000 < 0.02
    self.assertEqual(step, 18000)

  @real_curves.needs_curves
  def test_constant_phase_of_language_models(self):
    for size in real_curves.SIZES:
      curve = real_curves.curve(size, "constant_24000").after_warmup()
      trace = laws.LearningTrace(sign=1, x_final=72000, tau=1e-2)
      points = zip(curve.steps[15::16], curve.losses[15::16], strict=True)
      for point in points:
        state = trace.append(*point)
        if state.converged:
          break
      long = real_curves.curve(size, "constant_72000")
      error = state.predicted / np.mean(long.losses[-50:]) - 1
      self.assertLess(abs(error), 0.01)


class SavedTest(parameterized.TestCase):
  @parameterized.parameters(
    {},
    {"sign": -1, "x_final": 300.0, "anchor": 1.0, "patience": 2},
    {"limit": math.inf, "lookahead": 3, "slowdown": 2.0, "tau": 1e-2},
  )
  def test_a_restart_changes_nothing(self, **options):
    y = noisy(5)
    whole, part = (laws.LearningTrace(**options) for _ in range(2))
    for x in X:
      if x % 7 == 0:
        text = part.to_json()
        self.assertNotIn("Infinity", text)
        part = laws.LearningTrace.from_json(text)
        self.assertEqual(part.to_json(), text)
        self.assertEqual(part.state, whole.state)
      self.assertEqual(part.append(x, y[x - 1]), whole.append(x, y[x - 1]))

  @parameterized.parameters(
    "loss",
    "[1]",
    "{}",
    None,
    '{"options": {}, "x": [1.0], "y": []}',
    '{"options": {"speed": 1.0}, "x": [], "y": []}',
  )
  def test_bad_text(self, text):
    with self.assertRaisesRegex(
      ValueError, "LearningTrace.from_json: text must be what to_json"
    ):
      laws.LearningTrace.from_json(text)

  def test_bad_options_in_the_text(self):
    fields = json.loads(laws.LearningTrace().to_json())
    fields["options"]["tau"] = -1.0
    with self.assertRaisesRegex(ValueError, "from_json: .*tau must be in"):
      laws.LearningTrace.from_json(json.dumps(fields))


class InputTest(parameterized.TestCase):
  @parameterized.parameters(
    ("sign", 2),
    ("x_final", 0.0),
    ("tau", 0.0),
    ("tau", math.nan),
    ("slowdown", 0.0),
    ("lookahead", 0),
    ("patience", 1.5),
    ("anchor", math.inf),
    ("limit", math.nan),
  )
  def test_options(self, name, value):
    with self.assertRaisesRegex(ValueError, f"LearningTrace: {name} must be"):
      laws.LearningTrace(**{name: value})

  @parameterized.parameters(
    (0.0, 0.5, "x must be in"),
    (math.inf, 0.5, "x must be in"),
    (5.0, math.nan, "y must be in"),
    (5.0, math.inf, "y must be in"),
    (3.0, 0.5, "x must increase, got 3.0 after 3.0. Fix"),
    (2.0, 0.5, "x must increase, got 2.0 after 3.0. Fix"),
  )
  def test_points(self, x, y, message):
    trace = laws.LearningTrace()
    trace.append(3.0, 0.4)
    before = trace.to_json()
    with self.assertRaisesRegex(ValueError, f"append: {message}"):
      trace.append(x, y)
    self.assertEqual(trace.to_json(), before)

  def test_should_stop(self):
    trace = laws.LearningTrace()
    for options in ({"x_final": 0.0}, {"tau": 0.0}):
      (name,) = options
      with self.assertRaisesRegex(ValueError, f"should_stop: {name} must be"):
        laws.should_stop(trace, **options)
    with self.assertRaisesRegex(ValueError, "trace must be a LearningTrace"):
      laws.should_stop([1.0])


if __name__ == "__main__":
  absltest.main()
