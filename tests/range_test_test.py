# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the learning-rate range test."""

import io
import math
import pathlib
import sys
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import optax_stepsize
from optax_stepsize import core

CURVATURE = 10.5
FIRST = (5.25, 5.25, 4.20538125, 2.62457844, 1.23151782, 0.414282594)


@jax.jit
def descend(x, batch, rate):
  """Gradient descent on a quadratic; a batch scales the loss that is shown."""
  return x - rate * CURVATURE * x, batch * CURVATURE / 2 * x**2


def quadratic(scale=1.0, *, scan=False, **options):
  options = {"min_value": 0.0, "max_value": 1.0, "num_steps": 101} | options
  steps = options["num_steps"]
  batches = np.full(steps, scale, np.float32)
  return optax_stepsize.lr_range_test(
    descend,
    jnp.float32(1.0),
    batches if scan else iter(batches),
    scan=scan,
    **options,
  )


def replayed(losses, scan=False, **options):
  """A test whose losses are given: the state counts, the rates do nothing."""
  losses = np.asarray(losses, np.float32)

  def step(state, loss, rate):
    del rate
    return state + 1, loss

  return optax_stepsize.lr_range_test(
    step,
    jnp.int32(0),
    losses,
    scan=scan,
    **{"min_value": 0.0, "max_value": 1.0, "num_steps": len(losses)} | options,
  )


class ScheduleTest(parameterized.TestCase):
  @parameterized.parameters(
    ((0.0, 0.02, 5), (0, 0.005, 0.01, 0.015, 0.02)),
    ((1e-4, 1.0, 5, "exponential"), (1e-4, 0.001, 0.01, 0.1, 1)),
    ((0.3, 0.5, 1), (0.3,)),
    ((0.3, 0.5, 1, "exponential"), (0.3,)),
    ((0.3, 0.5, 2), (0.3, 0.5)),
  )
  def test_numbers(self, arguments, wanted):
    schedule = optax_stepsize.range_test_schedule(*arguments)
    steps = np.arange(len(wanted))
    found = schedule(steps)
    np.testing.assert_allclose(found, wanted, rtol=3e-7)
    # Both ends are exact, and the rate stays at the last one.
    self.assertEqual(found[0], np.float32(wanted[0]))
    self.assertEqual(schedule(2**31 - 2), np.float32(wanted[-1]))
    self.assertEqual(schedule(-1), np.float32(wanted[0]))

  @parameterized.parameters(
    (1e-8, 10.0, 1000), (1e-37, 1e38, 2**22), (0.9, 1.1, 2**22), (3e-5, 7.0, 3)
  )
  def test_float32(self, low, high, steps):
    counts = np.unique(np.linspace(0, steps - 1, 500).astype(np.int32))
    low, high = np.float32(low), np.float32(high)
    share = counts / (steps - 1)
    for mode, wanted in (
      ("linear", float(low) * (1 - share) + float(high) * share),
      ("exponential", float(low) ** (1 - share) * float(high) ** share),
    ):
      schedule = optax_stepsize.range_test_schedule(low, high, steps, mode)
      found = np.asarray(schedule(counts), np.float64)
      np.testing.assert_allclose(found, wanted, rtol=1e-6)
      self.assertGreaterEqual(np.min(np.diff(found)), 0)

  def test_rates_can_be_traced(self):
    make = optax_stepsize.range_test_schedule
    lows, highs = jnp.array([1e-4, 0.1]), jnp.array([1.0, 0.3])
    for mode in ("linear", "exponential"):
      found = jax.jit(
        jax.vmap(lambda a, b, m=mode: make(a, b, 9, m)(jnp.arange(11)))
      )(lows, highs)
      for row, low, high in zip(found, lows, highs, strict=True):
        wanted = make(float(low), float(high), 9, mode)(np.arange(11))
        np.testing.assert_allclose(row, wanted, rtol=1e-6)

  def test_float64(self):
    with core.enable_x64(True):
      schedule = optax_stepsize.range_test_schedule(
        1e-6, 2.0, 77, "exponential"
      )
      found = schedule(np.arange(77))
    wanted = 1e-6 * 2e6 ** (np.arange(77) / 76)
    np.testing.assert_allclose(found, wanted, rtol=1e-14)


class QuadraticTest(parameterized.TestCase):
  """Gradient descent contracts exactly while the rate is below 2 / h."""

  @parameterized.parameters(False, True)
  def test_figures(self, scan):
    result = quadratic(scan=scan)
    np.testing.assert_allclose(result.losses[:6], FIRST, rtol=1e-6)
    self.assertEqual(np.argmin(result.losses[:24]), 20)
    self.assertAlmostEqual(result.suggested_max, 0.2, places=6)
    self.assertAlmostEqual(result.suggested_base, 0.05, places=6)
    self.assertEqual(result.diverged_at, 24)
    # Losses are those before the update: one step after the last contraction.
    self.assertLess(result.rates[19], 2 / CURVATURE)
    self.assertGreater(result.rates[20], 2 / CURVATURE)
    for array in result[:3]:
      self.assertEqual((array.shape, array.dtype), ((101,), np.float32))
      self.assertIsInstance(array, np.ndarray)
    self.assertTrue(np.all(np.isnan(result.losses[25:])))
    self.assertTrue(np.all(np.isnan(result.smoothed[25:])))
    np.testing.assert_array_equal(result.losses[:25], result.smoothed[:25])

  @parameterized.parameters(1e-6, 3.0, 1e8)
  def test_the_scale_of_the_loss_does_not_matter(self, scale):
    base, scaled = quadratic(smoothing=0.3), quadratic(scale, smoothing=0.3)
    self.assertEqual(scaled[3:], base[3:])

  def test_a_range_that_is_too_small(self):
    result = quadratic(max_value=0.01)
    self.assertEqual(result.diverged_at, -1)
    self.assertEqual(result.suggested_max, result.rates[-1])

  def test_exponential(self):
    result = quadratic(mode="exponential", min_value=1e-4, num_steps=60)
    self.assertGreaterEqual(result.suggested_max, 2 / CURVATURE)
    self.assertLess(result.suggested_max, 1.2 * 2 / CURVATURE)

  def test_one_step(self):
    result = quadratic(num_steps=1, min_value=0.3)
    self.assertEqual(result.suggested_max, np.float32(0.3))

  @parameterized.product(
    smoothing=(0.0, 0.9),
    divergence_factor=(1.5, 4.0, 1e9),
    mode=("linear", "exponential"),
  )
  def test_scan_is_the_loop(self, smoothing, divergence_factor, mode):
    options = {
      "min_value": 1e-3,
      "smoothing": smoothing,
      "divergence_factor": divergence_factor,
      "mode": mode,
    }
    loop, scan = quadratic(**options), quadratic(scan=True, **options)
    self.assertEqual(scan[3:], loop[3:])
    for a, b in zip(scan[:3], loop[:3], strict=True):
      # Losses near zero are rounding errors of x, which XLA fuses otherwise.
      np.testing.assert_allclose(a, b, rtol=1e-4)

  def test_scan_ignores_batches_that_are_not_needed(self):
    batches = np.ones(200, np.float32)
    options = {"min_value": 0.0, "max_value": 1.0, "num_steps": 101}
    found = optax_stepsize.lr_range_test(
      descend, jnp.float32(1), batches, scan=True, **options
    )
    self.assertEqual(found[3:], quadratic()[3:])


class JudgementTest(parameterized.TestCase):
  @parameterized.parameters(False, True)
  def test_smoothing_corrects_its_bias(self, scan):
    losses = [4.0, 2.0, 3.0, 1.0, 0.5, 2.5]
    result = replayed(losses, scan, smoothing=0.7)
    average, wanted = 0.0, []
    for i, loss in enumerate(losses):
      average = 0.7 * average + 0.3 * loss
      wanted.append(average / (1 - 0.7 ** (i + 1)))
    np.testing.assert_allclose(result.smoothed, wanted, rtol=1e-6)
    np.testing.assert_array_equal(result.losses, np.float32(losses))
    self.assertEqual(result.suggested_max, result.rates[np.argmin(wanted)])

  @parameterized.parameters(False, True)
  def test_the_first_five_losses_stop_only_if_not_finite(self, scan):
    early = [1.0, 0.1, 9.0, 9.0, 9.0]
    self.assertEqual(replayed([*early, 0.2, 0.2], scan).diverged_at, -1)
    self.assertEqual(replayed([*early, 9.0, 0.2], scan).diverged_at, 5)
    for bad in (math.nan, math.inf, -math.inf):
      result = replayed([1.0, bad, 0.5], scan)
      self.assertEqual(result.diverged_at, 1)
      self.assertEqual(result.suggested_max, 0.0)
      self.assertTrue(np.isnan(result.losses[2]))

  @parameterized.parameters(False, True)
  def test_exactly_the_factor_is_no_divergence(self, scan):
    losses = [1.0] * 6 + [4.0, 4.0, math.nextafter(4.0, 5.0) * 1.01]
    self.assertEqual(replayed(losses, scan).diverged_at, 8)
    self.assertEqual(replayed(losses, scan, smoothing=0.5).diverged_at, -1)

  @parameterized.parameters(False, True)
  def test_negative_losses(self, scan):
    losses = [1.0, 0.0, -1.0, -2.0, -3.0, -2.5, -1.0, 5.0]
    result = replayed(losses, scan)
    self.assertEqual(result.diverged_at, -1)
    self.assertEqual(result.suggested_max, result.rates[4])

  def test_suggest_bounds(self):
    result = quadratic()
    found = optax_stepsize.suggest_bounds(
      result.rates, result.losses, smoothing=0.0
    )
    self.assertEqual(found, (result.suggested_base, result.suggested_max))
    # Nothing of the result is changed, and what follows a NaN is not seen.
    losses = [3.0, 2.0, 1.0, math.nan, 0.0]
    rates = [0.1, 0.2, 0.3, 0.4, 0.5]
    base, most = optax_stepsize.suggest_bounds(
      rates, losses, smoothing=0.0, base_ratio=0.1
    )
    self.assertAlmostEqual(most, 0.3, places=6)
    self.assertAlmostEqual(base, 0.03, places=6)
    self.assertEqual(losses[4], 0.0)
    again = optax_stepsize.LrRangeResult.from_losses(rates, losses)
    self.assertEqual(again.diverged_at, 3)

  def test_noise_needs_smoothing(self):
    rates = np.linspace(0, 1, 2000)
    best = 0.6
    clean = np.maximum(best - rates, 3 * (rates - best)) + 1
    errors = {0.0: [], 0.98: []}
    for seed in range(8):
      noise = np.random.default_rng(seed).standard_normal(2000)
      for smoothing, found in errors.items():
        _, most = optax_stepsize.suggest_bounds(
          rates, clean + 0.1 * noise, smoothing=smoothing, divergence_factor=1e9
        )
        found.append(abs(most - best))
    self.assertLess(np.mean(errors[0.98]), 0.04)
    self.assertGreater(np.mean(errors[0.0]), 1.5 * np.mean(errors[0.98]))


class ErrorsTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"min_value": -0.1}, "min_value must be in [0, inf), got -0.1."),
    (
      {"min_value": 0.0, "mode": "exponential"},
      "min_value must be in (0, inf), got 0.0.",
    ),
    ({"max_value": 0.0}, "max_value must be in (0, inf), got 0.0."),
    ({"min_value": 2.0}, "min_value must be below max_value=1.0, got 2.0."),
    ({"min_value": 1.0}, "min_value must be below max_value=1.0, got 1.0."),
    ({"max_value": math.nan}, "max_value must be in (0, inf), got nan."),
    ({"num_steps": 0}, "num_steps must be an integer >= 1, got 0."),
    ({"num_steps": 2.0}, "num_steps must be an integer >= 1, got 2.0."),
    ({"num_steps": 2**23}, "num_steps must be at most 4194304, got 8388608."),
    ({"mode": "log"}, "mode must be one of 'linear', 'exponential', got 'log'"),
    ({"smoothing": 1.0}, "smoothing must be in [0, 1), got 1.0."),
    (
      {"divergence_factor": 1.0},
      "divergence_factor must be in (1, inf), got 1.0.",
    ),
    ({"base_ratio": 0.0}, "base_ratio must be in (0, 1], got 0.0."),
    ({"base_ratio": 1.5}, "base_ratio must be in (0, 1], got 1.5."),
  )
  def test_bad_arguments(self, options, text):
    options = {"min_value": 0.0, "max_value": 1.0, "num_steps": 10} | options
    for scan in (False, True):
      with self.assertRaises(ValueError) as error:
        optax_stepsize.lr_range_test(
          descend, jnp.float32(1), np.ones(10), scan=scan, **options
        )
      self.assertStartsWith(str(error.exception), f"lr_range_test: {text}")

  @parameterized.parameters(0, 7)
  def test_too_few_batches(self, size):
    batches = np.ones(size, np.float32)
    with self.assertRaisesRegex(
      ValueError, f"batches must hold num_steps=10 or more, got {size}"
    ):
      replayed(batches, num_steps=10)
    with self.assertRaisesRegex(
      ValueError, rf"first axis of num_steps=10 or more, got shapes \({size},\)"
    ):
      replayed(batches, scan=True, num_steps=10)

  def test_batches_that_are_not_stacked(self):
    for batches, got in (
      ((), "none"),
      (jnp.float32(1), r"\(\)"),
      ((np.ones(10), np.ones(11)), r"\(10,\), \(11,\)"),
    ):
      with self.assertRaisesRegex(ValueError, f"got shapes {got}"):
        optax_stepsize.lr_range_test(
          descend,
          jnp.float32(1),
          batches,
          min_value=0.0,
          max_value=1.0,
          num_steps=10,
          scan=True,
        )

  @parameterized.product(
    case=(
      (lambda s, b, r: (s, jnp.ones(3)), r"scalar.*got float32\[3\]"),
      (lambda s, b, r: (s, jnp.int32(1)), r"scalar.*got int32\[\]"),
      (lambda s, b, r: (s, jnp.complex64(1)), r"scalar.*got complex64\[\]"),
      (lambda s, b, r: s, r"\(state, loss\), got an object of"),
      (lambda s, b, r: (s, 1.0, 2), r"\(state, loss\), got an obj"),
    ),
    scan=(False, True),
  )
  def test_steps_that_return_something_else(self, case, scan):
    step, text = case
    with self.assertRaisesRegex(
      ValueError, f"lr_range_test: step_fn must return.*{text}"
    ):
      optax_stepsize.lr_range_test(
        step,
        jnp.float32(1),
        np.ones(3, np.float32),
        min_value=0.0,
        max_value=1.0,
        num_steps=3,
        scan=scan,
      )

  @parameterized.parameters(False, True)
  def test_a_first_loss_that_is_not_finite(self, scan):
    with self.assertRaisesRegex(
      ValueError, "lr_range_test: the first loss.*must be finite, got nan"
    ):
      replayed([math.nan, 1.0], scan)

  def test_suggest_bounds(self):
    for rates, losses, text in (
      ([], [], r"length >= 1, got shapes \(0,\)"),
      ([0.1], [1.0, 2.0], r"got shapes \(1,\) and \(2,\)"),
      ([[0.1]], [[1.0]], r"got shapes \(1, 1\)"),
      ([0.1, math.nan], [1.0, 2.0], "rates must be finite"),
      ([0.1, 0.2], [math.inf, 2.0], "first loss.* must be finite, got inf"),
    ):
      with self.assertRaisesRegex(ValueError, f"suggest_bounds: .*{text}"):
        optax_stepsize.suggest_bounds(rates, losses)
    with self.assertRaisesRegex(ValueError, "suggest_bounds: smoothing must"):
      optax_stepsize.suggest_bounds([0.1], [1.0], smoothing=-0.1)

  def test_schedule(self):
    with self.assertRaisesRegex(ValueError, "^range_test_schedule: mode must"):
      optax_stepsize.range_test_schedule(0.0, 1.0, 5, "cosine")


class PlotTest(parameterized.TestCase):
  @parameterized.parameters(
    ({}, "linear", "log"),
    ({"mode": "exponential", "min_value": 1e-4}, "log", "log"),
    ({"max_value": 0.001}, "linear", "linear"),
    ({"num_steps": 1}, "linear", "linear"),
    ({"smoothing": 0.9}, "linear", "log"),
  )
  def test_axes_and_marks(self, options, x_scale, y_scale):
    from matplotlib import figure

    made = []
    subplots = figure.Figure.subplots

    def spy(self):
      made.append(subplots(self))
      return made[-1]

    result = quadratic(**options)
    path = pathlib.Path(self.create_tempdir().full_path) / "range.png"
    with mock.patch.object(figure.Figure, "subplots", spy):
      optax_stepsize.plot_range_test(result, path)
    self.assertStartsWith(path.read_bytes(), b"\x89PNG")
    (axes,) = made
    self.assertEqual((axes.get_xscale(), axes.get_yscale()), (x_scale, y_scale))
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    self.assertEqual("smoothed" in labels, "smoothing" in options)
    self.assertIn(f"suggested base {result.suggested_base:.3g}", labels)
    joined = "\n".join(labels)
    self.assertIn(f"suggested max {result.suggested_max:.3g}", joined)
    self.assertEqual("diverged" in joined, result.diverged_at >= 0)
    self.assertEqual("try larger" in joined, result.diverged_at < 0)

  def test_a_file_that_is_open(self):
    file = io.BytesIO()
    optax_stepsize.plot_range_test(quadratic(), file)
    self.assertStartsWith(file.getvalue(), b"\x89PNG")

  def test_a_missing_matplotlib_is_named_with_the_fix(self):
    hidden = {name: None for name in sys.modules if "matplotlib" in name}
    with mock.patch.dict(sys.modules, hidden | {"matplotlib": None}):
      with self.assertRaisesRegex(
        ImportError, r'matplotlib: pip install "optax-stepsize\[compare\]"'
      ):
        optax_stepsize.plot_range_test(quadratic(), "nowhere.png")

  def test_a_folder_that_is_not_there(self):
    folder = self.create_tempdir().full_path
    with self.assertRaises(OSError):
      optax_stepsize.plot_range_test(quadratic(), f"{folder}/none/range.png")


if __name__ == "__main__":
  absltest.main()
