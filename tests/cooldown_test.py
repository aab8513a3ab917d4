# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the curves of cooldowns."""

import math

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import optax_stepsize
from optax_stepsize import core

# From progress, peak and end to the rate, in float64.
CURVES = {
  "inverse": lambda s, p, e: 1 / (s / e + (1 - s) / p),
  "exponential": lambda s, p, e: p * (e / p) ** s,
  "linear": lambda s, p, e: p + (e - p) * s,
  "cosine": lambda s, p, e: e + (p - e) * (1 + np.cos(np.pi * s)) / 2,
  "one_minus_sqrt": lambda s, p, e: e + (p - e) * (1 - np.sqrt(s)),
  "one_minus_square": lambda s, p, e: e + (p - e) * (1 - s**2),
  "sqrt_mirror": lambda s, p, e: e + (p - e) * np.sqrt(1 - s),
}
POSITIVE = ("inverse", "exponential")
PROGRESS = np.linspace(0, 1, 101)


def rates(shape, progress, peak, end):
  """The curve in float64."""
  with core.enable_x64(True):
    return np.asarray(optax_stepsize.cooldown(shape)(progress, peak, end))


class CooldownTest(parameterized.TestCase):
  @parameterized.parameters(
    ("inverse", 0.1, "1 .357142857 .217391304 .15625 .121951220 .1"),
    ("linear", 0.1, "1 .82 .64 .46 .28 .1"),
  )
  def test_numbers_at_fifths(self, shape, end, numbers):
    wanted = [float(x) for x in numbers.split()]
    found = rates(shape, np.linspace(0, 1, 6), 1.0, end)
    np.testing.assert_allclose(found, wanted, atol=6e-10)

  @parameterized.parameters(
    ("one_minus_sqrt", ".5 .292893219 .133974596"),
    ("one_minus_square", ".9375 .75 .4375"),
  )
  def test_numbers_at_quarters(self, shape, numbers):
    wanted = [float(x) for x in numbers.split()]
    found = rates(shape, np.array([0.25, 0.5, 0.75]), 1.0, 0.0)
    np.testing.assert_allclose(found, wanted, atol=6e-10)

  @parameterized.parameters(*CURVES)
  def test_definition(self, shape):
    for peak, end in ((1.0, 0.1), (3e-4, 7e-6), (0.2, 0.2)):
      np.testing.assert_allclose(
        rates(shape, PROGRESS, peak, end),
        CURVES[shape](PROGRESS, peak, end),
        rtol=1e-13,
      )

  @parameterized.parameters(*CURVES)
  def test_float32(self, shape):
    progress = np.concatenate(
      [PROGRESS, [1e-7, 1e-4, 0.999, 1 - 2.0**-24]]
    ).astype(np.float32)
    for peak, end in ((1.0, 0.1), (3e-4, 1e-9), (2.0, 1e-3)):
      peak, end = np.float32(peak), np.float32(end)
      found = optax_stepsize.cooldown(shape)(progress, peak, end)
      self.assertEqual(found.dtype, jnp.float32)
      exact = CURVES[shape](np.float64(progress), float(peak), float(end))
      np.testing.assert_allclose(found, exact, rtol=1e-6)

  @parameterized.product(shape=tuple(CURVES), peak=(0.1, 3e-4, 7.7))
  def test_both_ends_are_exact(self, shape, peak):
    end = peak / 7
    curve = optax_stepsize.cooldown(shape)
    found = curve(np.array([-1.0, 0.0, 1.0, 2.0]), peak, end)
    peak, end = np.float32(peak), np.float32(end)
    np.testing.assert_array_equal(found, [peak, peak, end, end])

  def test_mean_of_the_inverse(self):
    # E P / (P - E) ln(P / E), by the midpoint rule.
    middles = (np.arange(20000) + 0.5) / 20000
    mean = np.mean(rates("inverse", middles, 1.0, 0.1))
    self.assertAlmostEqual(mean, 0.255842788, places=8)
    self.assertAlmostEqual(mean, 0.1 / 0.9 * math.log(10), places=8)

  @parameterized.parameters((1.0, 0.1), (5.0, 1e-3))
  def test_harmonic_geometric_and_arithmetic_mean(self, peak, end):
    inside = PROGRESS[1:-1]
    inverse, exponential, linear = (
      rates(shape, inside, peak, end)
      for shape in ("inverse", "exponential", "linear")
    )
    self.assertTrue(np.all(inverse < exponential))
    self.assertTrue(np.all(exponential < linear))

  @parameterized.parameters(*CURVES)
  def test_falls_all_the_way(self, shape):
    self.assertLess(np.max(np.diff(rates(shape, PROGRESS, 1.0, 0.1))), 0)

  @parameterized.parameters(*sorted(set(CURVES) - set(POSITIVE)))
  def test_is_a_profile_by_default(self, shape):
    found = optax_stepsize.cooldown(shape)(PROGRESS)
    wanted = CURVES[shape](PROGRESS, 1.0, 0.0)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)
    self.assertEqual((found[0], found[-1]), (1, 0))

  def test_inverse_is_the_greedy_optimum_of_a_noisy_hill(self):
    # v <- (1 - eta h)^2 v + eta^2 noise; the best eta has 1 / eta growing by h.
    curvature, noise, variance = 2.0, 0.3, 1.0
    steps = []
    for _ in range(20):
      rate = curvature * variance / (curvature**2 * variance + noise)
      variance = (1 - rate * curvature) ** 2 * variance + rate**2 * noise
      steps.append(rate)
    np.testing.assert_allclose(np.diff(1 / np.array(steps)), curvature)
    progress = np.linspace(0, 1, 20)
    found = rates("inverse", progress, steps[0], steps[-1])
    np.testing.assert_allclose(found, steps, rtol=1e-12)

  @parameterized.parameters(*CURVES)
  def test_everything_can_be_traced(self, shape):
    curve = jax.jit(jax.vmap(optax_stepsize.cooldown(shape)))
    peaks, ends = jnp.array([1.0, 2.0, 0.0]), jnp.array([0.1, 0.5, 0.0])
    found = curve(jnp.full(3, 0.25), peaks, ends)
    wanted = [CURVES[shape](0.25, 1.0, 0.1), CURVES[shape](0.25, 2.0, 0.5), 0]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)

  def test_bad_arguments(self):
    with self.assertRaisesRegex(ValueError, "cooldown: shape must be one of"):
      optax_stepsize.cooldown("quadratic")
    for shape in POSITIVE:
      with self.assertRaisesRegex(
        ValueError, r"end_value must be in \(0, inf\), got 0.0.*no way to"
      ):
        optax_stepsize.cooldown(shape)(0.5)
    with self.assertRaisesRegex(ValueError, r"end_value must be in \[0, inf\)"):
      optax_stepsize.cooldown("linear")(0.5, 1.0, -0.1)
    with self.assertRaisesRegex(ValueError, "peak_value must be in"):
      optax_stepsize.cooldown("linear")(0.5, -1.0)
    with self.assertRaisesRegex(
      ValueError, "peak_value must be >= end_value=0.3"
    ):
      optax_stepsize.cooldown("linear")(0.5, 0.1, 0.3)


if __name__ == "__main__":
  absltest.main()
