# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of UBA: known numbers, algebra, optimality."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core


@functools.partial(jax.jit, static_argnums=(0, 1))
def _rates(total_steps, static, floats, counts):
  schedule = optax_stepsize.uba_schedule(
    total_steps=total_steps, **dict(static), **floats
  )
  return jax.vmap(schedule)(counts)


def rates(peak_value, total_steps, phi, *, steps=None, end_value=0.0, **static):
  """The rates of steps 0, 1, ..., in float64."""
  steps = total_steps if steps is None else steps
  floats = {"peak_value": peak_value, "phi": phi, "end_value": end_value}
  with core.enable_x64(True):
    found = _rates(total_steps, tuple(static.items()), floats, np.arange(steps))
    return np.asarray(found)


_profiles = jax.jit(jax.vmap(optax_stepsize.uba_profile, (None, 0)))


def profile(progress, phi):
  """`uba_profile` in float64."""
  with core.enable_x64(True):
    return np.asarray(_profiles(progress, np.array([phi])))[0]


def factor(u, phi):
  """The paper's factor as a function of the cosine value u."""
  return profile(1 - 2 / np.pi * np.arcsin(np.sqrt(u)), phi)


U = np.linspace(0.01, 0.99, 99)


class NumbersTest(parameterized.TestCase):
  @parameterized.parameters(
    (
      1.0,
      "midpoint",
      ".995173133 .956014166 .875004644 .748079210 .573929125 .363626538"
      " .155432812 .019031874",
    ),
    (
      5.0,
      "midpoint",
      ".976322813 .812976387 .583343654 .372608201 .212229644 .102560194"
      " .035500975 .003865225",
    ),
    (
      0.25,
      "midpoint",
      ".998788899 .988628399 .965518655 .922348231 .843459162 .695643184"
      " .424014124 .072015712",
    ),
    (
      0.5,
      "endpoint",
      "1 .990205352 .958870939 .899591490 .8 .641043228 .406982720 .136639357"
      " 0",
    ),
  )
  def test_eight_steps(self, phi, grid, numbers):
    wanted = [float(x) for x in numbers.split()]
    found = rates(1.0, 8, phi, steps=len(wanted), grid=grid)
    np.testing.assert_allclose(found, wanted, atol=6e-10)

  def test_warmup_and_two_phases(self):
    numbers = (
      "0 .5 .934003424 .575454557 .264243838 .117459359 .934003424 .575454557"
      " .264243838 .117459359 .1 .1"
    )
    options = {"end_value": 0.1, "warmup_steps": 2, "steps": 12}
    wanted = [float(x) for x in numbers.split()]
    for phases in ({"num_phases": 2}, {"phase_boundaries": (4,)}):
      found = rates(1.0, 10, 4.0, **options, **phases)
      np.testing.assert_allclose(found, wanted, atol=6e-10)

  @parameterized.parameters(
    (0.25, 0.7388, 0.8889),
    (0.5, 0.6667, 0.8),
    (1.0, 0.5858, 0.6667),
    (2.0, 0.5, 0.5),
    (5.0, 0.3874, 0.2857),
    (10.0, 0.3090, 0.1667),
  )
  def test_mean_and_value_in_the_middle(self, phi, mean, middle):
    self.assertAlmostEqual(
      optax_stepsize.uba_mean_factor(phi), mean, delta=5.1e-5
    )
    self.assertAlmostEqual(profile(0.5, phi), middle, delta=5e-5)
    self.assertAlmostEqual(profile(0.5, phi), 2 / (2 + phi), places=14)

  @parameterized.named_parameters(
    ("linear", lambda p: 1 - p, 2.0, 0.105),
    ("rex", lambda p: (1 - p) / (0.5 + 0.5 * (1 - p)), 0.74, 0.127),
    ("square", lambda p: (1 - p) ** 2, 7.93, 0.1),
    ("root", lambda p: np.sqrt(1 - p), 0.45, 0.217),
    ("one_minus_root", lambda p: 1 - np.sqrt(p), 8.9, 0.217),
    ("exponential", lambda p: np.exp(-5 * p), 35.8, 0.122),
    ("cooldown_tenth", lambda p: np.minimum(1, 10 * (1 - p)), 0.0082, 0.14),
    ("cooldown_fifth", lambda p: np.minimum(1, 5 * (1 - p)), 0.034, 0.14),
  )
  def test_shape_nearest_to_another_profile(self, other, phi, gap):
    progress = np.linspace(0, 1, 2001)
    candidates = phi * np.exp(np.linspace(-0.5, 0.5, 401))
    with core.enable_x64(True):
      shapes = _profiles(progress, candidates)
      shapes = np.asarray(shapes)
    errors = np.sum((shapes - other(progress)) ** 2, axis=1)
    best = np.argmin(errors)
    self.assertAlmostEqual(candidates[best] / phi, 1, delta=0.02)
    self.assertAlmostEqual(
      np.max(np.abs(shapes[best] - other(progress))), gap, delta=2e-3
    )


class AlgebraTest(parameterized.TestCase):
  @parameterized.parameters(0.0, 0.05)
  def test_two_is_the_cosine_of_optax(self, end):
    found = rates(0.2, 40, 2.0, steps=45, end_value=end, grid="endpoint")
    with core.enable_x64(True), jax.numpy_dtype_promotion("standard"):
      cosine = optax.cosine_decay_schedule(0.2, 40, alpha=end / 0.2)
      wanted = np.asarray(cosine(jnp.arange(45)))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1.2e-16)

  def test_two_is_the_cosine_of_torch(self):
    try:
      import torch
    except ImportError:
      self.skipTest("torch is not installed")
    weight = torch.zeros(1, requires_grad=True)
    sgd = torch.optim.SGD([weight], lr=0.2)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, 40, eta_min=0.05)
    wanted = []
    for _ in range(41):
      wanted.append(sgd.param_groups[0]["lr"])
      sgd.step()
      cosine.step()
    found = rates(0.2, 40, 2.0, steps=41, end_value=0.05, grid="endpoint")
    np.testing.assert_allclose(found, wanted, rtol=1e-13)

  @parameterized.parameters(0.25, 1.0, 2.0, 7.0)
  def test_inverse_and_mirror_image(self, phi):
    np.testing.assert_allclose(factor(factor(U, phi), 4 / phi), U, rtol=1e-12)
    np.testing.assert_allclose(
      1 - factor(1 - U, phi), factor(U, 4 / phi), rtol=1e-12
    )

  @parameterized.parameters((0.25, 3.0), (1.0, 1.0), (5.0, 10.0))
  def test_shapes_compose(self, p, q):
    np.testing.assert_allclose(
      factor(factor(U, q), p), factor(U, p * q / 2), rtol=1e-12
    )

  def test_definitions_agree(self):
    progress = np.linspace(0.01, 0.99, 99)
    for phi in (0.25, 2.0, 7.0):
      cosine = 1 + np.cos(np.pi * progress)
      literal = 2 * cosine / (2 * phi + (2 - phi) * cosine)
      np.testing.assert_allclose(profile(progress, phi), literal, rtol=1e-12)
      # REX with beta = 1 - phi / 2, of the cosine value.
      beta, u = 1 - phi / 2, cosine / 2
      np.testing.assert_allclose(
        profile(progress, phi), u / (1 - beta + beta * u), rtol=1e-12
      )

  def test_falls_with_the_shape_and_within_a_phase(self):
    with core.enable_x64(True):
      grid = _profiles(np.linspace(0, 1, 101), np.geomspace(0.01, 100, 30))
      grid = np.asarray(grid)
    self.assertLess(np.max(np.diff(grid[:, 1:-1], axis=0)), 0)
    self.assertLess(np.max(np.diff(grid, axis=1)), 0)
    np.testing.assert_array_equal(grid[:, 0], 1)
    np.testing.assert_array_equal(grid[:, -1], 0)
    for mode in ("midpoint", "endpoint"):
      found = rates(1.0, 90, 0.3, num_phases=3, grid=mode).reshape(3, 30)
      self.assertLess(np.max(np.diff(found, axis=1)), 0)
      self.assertGreater(found[1, 0], found[0, -1])

  def test_limits_of_the_shape(self):
    self.assertGreater(profile(0.99, 1e-9), 1 - 1e-5)
    self.assertLess(profile(0.01, 1e9), 1e-5)

  @parameterized.parameters(0.25, 2.0, 10.0)
  def test_mean_over_the_budget(self, phi):
    exact = 1 / (1 + np.sqrt(phi / 2))
    self.assertAlmostEqual(
      optax_stepsize.uba_mean_factor(phi), exact, places=15
    )
    self.assertAlmostEqual(np.mean(rates(1.0, 4000, phi)), exact, places=12)

  def test_mean_of_eight_steps(self):
    gap = abs(
      np.mean(rates(1.0, 8, 10.0)) - optax_stepsize.uba_mean_factor(10.0)
    )
    self.assertBetween(gap, 1.5e-7, 3e-7)


def contraction(steps):
  """The worst of |prod (1 - eta lambda)| for lambda in [1, 10]."""
  curvature = np.linspace(1, 10, 200001)
  product = np.ones_like(curvature)
  for step in steps:
    product *= 1 - step * curvature
  return np.max(np.abs(product))


class MinimaxTest(parameterized.TestCase):
  @parameterized.parameters(
    (20.0, "midpoint", 0.0106086735),
    (15.0, "midpoint", 0.059102),
    (30.0, "midpoint", 0.021822),
    (20.0, "endpoint", 0.536791),
  )
  def test_worst_contraction(self, phi, grid, worst):
    found = contraction(rates(1.0, 8, phi, end_value=0.1, grid=grid))
    self.assertAlmostEqual(found / worst, 1, delta=2e-5)

  def test_it_is_that_of_chebyshev(self):
    with core.enable_x64(True):
      schedule = optax_stepsize.minimax_schedule(1.0, 10.0, 8)
      steps = np.asarray(jax.vmap(schedule)(jnp.arange(8)))
    optimum = 1 / np.cosh(8 * np.arccosh(11 / 9))
    self.assertAlmostEqual(optimum, 0.0106086735, places=10)
    self.assertAlmostEqual(contraction(steps), optimum, places=10)
    nodes = 5.5 + 4.5 * np.cos(np.pi * (2 * np.arange(8) + 1) / 16)
    np.testing.assert_allclose(1 / np.sort(steps), np.sort(nodes)[::-1])
    # No other shape does as well.
    for phi in (18.0, 19.5, 20.5, 22.0):
      self.assertGreater(
        contraction(rates(1.0, 8, phi, end_value=0.1)), optimum
      )

  def test_equal_curvatures(self):
    schedule = optax_stepsize.minimax_schedule(4.0, 4.0, 3)
    found = jax.vmap(schedule)(jnp.arange(4))
    np.testing.assert_allclose(found, 0.25, rtol=1e-6)

  def test_traced_curvatures(self):
    def rate(low, high, count):
      return optax_stepsize.minimax_schedule(low, high, 6)(count)

    every = jax.vmap(jax.vmap(rate, (None, None, 0)), (0, 0, None))
    every = jax.jit(every)
    counts = jnp.arange(7)
    found = every(jnp.array([1.0, 2.0]), jnp.array([5.0, 30.0]), counts)
    for row, (low, high) in zip(found, ((1.0, 5.0), (2.0, 30.0)), strict=True):
      wanted = [rate(low, high, count) for count in range(7)]
      np.testing.assert_allclose(row, wanted, rtol=2e-6)

  @parameterized.parameters(
    (0.0, 1.0, 8, "lambda_min must be in (0, inf), got 0.0."),
    (2.0, 1.0, 8, "lambda_max must be >= lambda_min=2.0, got 1.0."),
    (1.0, 2.0, 0, "total_steps must be an integer >= 1, got 0."),
  )
  def test_ranges(self, low, high, steps, text):
    with self.assertRaises(ValueError) as error:
      optax_stepsize.minimax_schedule(low, high, steps)
    self.assertEqual(str(error.exception), f"minimax_schedule: {text}")


class NoisyQuadraticTest(parameterized.TestCase):
  SHAPES = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)

  def risks(self, total_steps, noise):
    """Final risk for each shape, with the best of 25 peaks."""
    peaks = np.geomspace(0.01, 1.9, 25)

    def rate(peak, phi, count):
      return optax_stepsize.uba_schedule(peak, total_steps, phi)(count)

    every = jax.vmap(rate, (None, None, 0))
    every = jax.vmap(jax.vmap(every, (0, None, None)), (None, 0, None))
    every = jax.jit(every)
    with core.enable_x64(True):
      steps = every(peaks, np.array(self.SHAPES), jnp.arange(total_steps))
      steps = np.asarray(steps)
    curvature = np.logspace(-2, 0, 24)
    error = np.ones((*steps.shape[:2], 24))
    for t in range(total_steps):
      eta = steps[:, :, t, None]
      error = (1 - eta * curvature) ** 2 * error + eta**2 * curvature * noise
    return np.min(0.5 * np.sum(curvature * error, axis=-1), axis=1)

  @parameterized.parameters(
    (30, ".093434 .087845 .082681 .079353 .082119 .090967"),
    (300, ".014617 .013158 .011897 .010825 .009737 .009074"),
  )
  def test_with_noise_long_budgets_ask_for_larger_shapes(self, steps, numbers):
    wanted = [float(x) for x in numbers.split()]
    np.testing.assert_allclose(self.risks(steps, 0.1), wanted, atol=6e-7)

  def test_without_noise_the_smallest_shape_wins(self):
    risks = self.risks(300, 0.0)
    self.assertEqual(np.argmin(risks), 0)
    self.assertAlmostEqual(risks[0] / 1e-6, 1, delta=0.5)  # one digit
    self.assertAlmostEqual(risks[3] / 2.3e-5, 1, delta=0.05)


if __name__ == "__main__":
  absltest.main()
