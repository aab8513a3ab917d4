# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of profiles: values, means, identities, digits, errors."""

from fractions import Fraction
import math

from absl.testing import absltest
from absl.testing import parameterized
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies
import jax
import jax.numpy as jnp
import numpy as np

import optax_stepsize
from optax_stepsize import core

SHAPES = np.array([-8.0, -1.0, 0.0, 0.3, 0.5, 0.9, 0.999])
PROGRESS = np.linspace(0, 1, 101)


def f32(x):
  return float(np.float32(x))


def exact(x):
  return Fraction(f32(x))


# Profile -> (arguments, its rule in exact spent and left shares, mean).
PROFILES = {
  "rex": (
    optax_stepsize.rex_profile,
    (0.5,),
    lambda p, q, b: q / ((1 - b) + b * q),
    2 * (1 - math.log(2)),
  ),
  "linear": (optax_stepsize.linear_profile, (), lambda p, q: q, 0.5),
  "cosine": (
    optax_stepsize.cosine_profile,
    (),
    lambda p, q: math.sin(math.pi / 2 * q) ** 2,
    0.5,
  ),
  "exponential": (
    optax_stepsize.exponential_profile,
    (0.01,),
    lambda p, q, g: float(g) ** float(p),
    (0.01 - 1) / math.log(0.01),
  ),
  "steep_exponential": (
    optax_stepsize.exponential_profile,
    (1e-6,),
    lambda p, q, g: float(g) ** float(p),
    (1e-6 - 1) / math.log(1e-6),
  ),
  "square": (
    optax_stepsize.polynomial_profile,
    (2.0,),
    lambda p, q, k: q**2,
    1 / 3,
  ),
  "root": (
    optax_stepsize.polynomial_profile,
    (0.5,),
    lambda p, q, k: float(q) ** 0.5,
    2 / 3,
  ),
  "steep_polynomial": (
    optax_stepsize.polynomial_profile,
    (9.5,),
    lambda p, q, k: float(q) ** 9.5,
    1 / 10.5,
  ),
  "inverse": (
    optax_stepsize.inverse_profile,
    (0.1,),
    lambda p, q, r: 1 / (q + p / r),
    0.1 * math.log(10) / 0.9,
  ),
  "one_minus_sqrt": (
    optax_stepsize.one_minus_sqrt_profile,
    (),
    lambda p, q: float(q) / (1 + math.sqrt(p)),
    1 / 3,
  ),
  "uba": (
    optax_stepsize.uba_profile,
    (1.0,),
    lambda p, q, phi: (
      1
      / (
        1
        + float(phi)
        / 2
        * (math.sin(math.pi / 2 * p) / math.sin(math.pi / 2 * q)) ** 2
      )
      if q
      else 0.0
    ),
    1 / (1 + math.sqrt(0.5)),
  ),
  "constant": (
    optax_stepsize.constant_profile,
    (),
    lambda p, q: 1.0,
    1.0,
  ),
}
FINAL = {"exponential": 0.01, "steep_exponential": 1e-6, "inverse": 0.1}
NAMES = parameterized.named_parameters((name, name) for name in PROFILES)


class ValuesTest(parameterized.TestCase):
  @NAMES
  def test_ends_are_exact(self, name):
    factory, arguments, _, _ = PROFILES[name]
    profile = factory(*arguments)
    final = 1.0 if name == "constant" else FINAL.get(name, 0.0)
    self.assertEqual(profile(0.0), 1)
    self.assertEqual(profile(1.0), np.float32(final))
    # Out of [0, 1] is clipped.
    np.testing.assert_array_equal(
      profile(jnp.array([[-0.5], [1.5]])), [[1], [np.float32(final)]]
    )

  @NAMES
  def test_mean(self, name):
    factory, arguments, _, mean = PROFILES[name]
    with core.enable_x64(True):
      middles = (np.arange(20000) + 0.5) / 20000
      found = np.mean(np.asarray(jax.jit(factory(*arguments))(middles)))
    self.assertAlmostEqual(found, mean, delta=3e-6)  # of the midpoint rule

  def test_means_with_digits(self):
    self.assertAlmostEqual(PROFILES["rex"][3], 0.613706, delta=5e-7)

  @NAMES
  def test_digits_of_amounts(self, name):
    # From the float32 arguments, and exact shares of integers.
    factory, arguments, rule, _ = PROFILES[name]
    profile = factory(*arguments)
    length = 2**31 - 2
    spent = {0, 1, 3, length - 3, length - 1, length, 2**24 + 1, 2**30 + 1}
    spent |= {k * length // 97 for k in range(97)}
    spent = np.array(sorted(spent), np.int32)
    found = jax.jit(profile.at)(spent, length - spent)
    self.assertEqual(found.dtype, jnp.float32)
    for n, value in zip(spent.tolist(), found, strict=True):
      p = Fraction(n, length)
      wanted = float(rule(p, 1 - p, *map(exact, arguments)))
      # Besides what is below the normal numbers of float32.
      allowed = max(1e-6 * wanted, 1.2e-38)
      self.assertLessEqual(abs(float(value) - wanted), allowed, n)

  @NAMES
  def test_float64(self, name):
    factory, arguments, rule, _ = PROFILES[name]
    with core.enable_x64(True):
      found = jax.jit(factory(*arguments))(PROGRESS)
      self.assertEqual(found.dtype, jnp.float64)
      found = np.asarray(found)
    wanted = [float(rule(p, 1 - p, *arguments)) for p in PROGRESS.tolist()]
    np.testing.assert_allclose(found, wanted, rtol=1e-14, atol=1e-300)

  @NAMES
  def test_falls(self, name):
    factory, arguments, _, _ = PROFILES[name]

    @settings(deadline=None, max_examples=30, derandomize=True)
    @given(
      strategies.lists(
        strategies.integers(0, 2**31 - 2), min_size=8, max_size=8
      )
    )
    def falls(spent):
      spent = np.array(sorted(spent), np.int32)
      found = np.asarray(at(spent, 2**31 - 2 - spent), np.float64)
      # To the rounding of float32.
      self.assertTrue(np.all(found[1:] <= found[:-1] * (1 + 1e-6)))

    at = jax.jit(factory(*arguments).at)
    falls()


class IdentitiesTest(parameterized.TestCase):
  def test_rex_of_the_paper(self):
    eighths = np.arange(9, dtype=np.float32) / 8
    for beta, numbers in (
      (
        0.5,
        "1 .9333333 .8571429 .7692308 .6666667 .5454545 .4 .2222222 0",
      ),
      (
        0.9,
        "1 .9859155 .9677419 .9433962 .9090909 .8571429 .7692308 .5882353 0",
      ),
    ):
      wanted = [float(x) for x in numbers.split()]
      found = optax_stepsize.rex_profile(beta)(eighths)
      np.testing.assert_allclose(found, wanted, atol=2e-7)
    np.testing.assert_allclose(
      optax_stepsize.rex_profile()(PROGRESS),
      2 * (1 - PROGRESS) / (2 - PROGRESS),
      atol=2e-7,
    )

  def test_rex_with_zero_is_linear(self):
    with core.enable_x64(True):
      found = np.asarray(optax_stepsize.rex_profile(0.0)(PROGRESS))
    np.testing.assert_allclose(found, 1 - PROGRESS, rtol=1e-15)

  def test_bends(self):
    # Above linear for positive beta and towards one constant, else below.
    with core.enable_x64(True):
      every = jax.vmap(lambda beta: optax_stepsize.rex_profile(beta)(PROGRESS))
      found = np.asarray(jax.jit(every)(SHAPES))
    self.assertGreater(np.min(np.diff(found[:, 1:-1], axis=0)), 0)
    np.testing.assert_allclose(found[2], 1 - PROGRESS, rtol=1e-14)
    self.assertGreater(found[-1, 90], 0.98)

  def test_inverse_of_the_rex_map(self):
    # F(x) of x = 1 - p, with the bend -beta / (1 - beta).
    with core.enable_x64(True):
      for beta in SHAPES:
        there = optax_stepsize.rex_profile(beta)
        back = optax_stepsize.rex_profile(-beta / (1 - beta))
        found = back(1 - there(PROGRESS))
        np.testing.assert_allclose(found, 1 - PROGRESS, atol=1e-12)

  @parameterized.parameters(0.25, 1.0, 5.0)
  def test_uba_is_rex_of_cosine(self, phi):
    with core.enable_x64(True):
      cosine = optax_stepsize.cosine_profile()(PROGRESS)
      rex = optax_stepsize.rex_profile(1 - phi / 2)
      found = optax_stepsize.uba_profile(PROGRESS, phi)
      np.testing.assert_allclose(found, rex(1 - cosine), atol=1e-15)

  def test_uba_crosses_rex_in_the_middle(self):
    with core.enable_x64(True):
      uba = np.asarray(optax_stepsize.uba_profile(PROGRESS, 1.0))
      rex = np.asarray(optax_stepsize.rex_profile()(PROGRESS))
    self.assertGreater(np.min((uba - rex)[1:50]), 0)
    self.assertLess(np.max((uba - rex)[51:-1]), 0)
    np.testing.assert_allclose([uba[50], rex[50]], 2 / 3, rtol=1e-14)

  def test_steep_uba_keeps_its_digits_at_the_start(self):
    # phi / 2 tan^2 of a small angle is of order one.
    n, length, phi = 13, 20000, 1e6
    angle = math.pi / 2 * n / length
    wanted = 1 / (1 + phi / 2 * math.tan(angle) ** 2)
    found = optax_stepsize.uba_profile(phi=phi).at(n, length - n)
    self.assertAlmostEqual(float(found) / wanted, 1, delta=1e-6)


class ValueObjectTest(parameterized.TestCase):
  def test_equal_by_value(self):
    self.assertEqual(
      optax_stepsize.rex_profile(0.3), optax_stepsize.rex_profile(0.3)
    )
    self.assertNotEqual(
      optax_stepsize.rex_profile(0.3), optax_stepsize.rex_profile(0.4)
    )
    self.assertLen({optax_stepsize.cosine_profile() for _ in range(2)}, 1)
    with self.assertRaises(AttributeError):
      optax_stepsize.rex_profile().name = "other"

  def test_amounts_have_any_unit(self):
    for factory, arguments, _, _ in PROFILES.values():
      profile = factory(*arguments)
      found = [profile.at(3, 1), profile.at(0.75, 0.25), profile(0.75)]
      np.testing.assert_allclose(found, found[0], rtol=3e-7)

  def test_forms_of_uba(self):
    progress = jnp.array([0.0, 0.25, 1.0])
    wanted = optax_stepsize.uba_profile(progress, 2.0)
    by_name = optax_stepsize.uba_profile(progress=progress, phi=2.0)
    np.testing.assert_array_equal(by_name, wanted)
    for profile in (
      optax_stepsize.uba_profile(2.0),
      optax_stepsize.uba_profile(phi=2.0),
    ):
      self.assertIsInstance(profile, optax_stepsize.Profile)
      np.testing.assert_array_equal(profile(progress), wanted)

  def test_traced_parameters(self):
    @jax.jit
    @jax.vmap
    def values(x):
      return jnp.stack(
        [
          factory(x)(0.25)
          for factory in (
            optax_stepsize.rex_profile,
            optax_stepsize.exponential_profile,
            optax_stepsize.polynomial_profile,
            optax_stepsize.inverse_profile,
            optax_stepsize.uba_profile,
          )
        ]
      )

    for row, x in zip(values(jnp.array([0.2, 0.7])), (0.2, 0.7), strict=True):
      wanted = [
        0.75 / (1 - 0.25 * x),
        x**0.25,
        0.75**x,
        1 / (0.75 + 0.25 / x),
        1 / (1 + x / 2 * math.tan(math.pi / 8) ** 2),
      ]
      np.testing.assert_allclose(row, wanted, rtol=1e-6)

  @parameterized.parameters(
    ("rex_profile", 1.0, "beta must be in (-inf, 1), got 1.0."),
    ("rex_profile", float("nan"), "beta must be in (-inf, 1), got nan."),
    ("exponential_profile", 0.0, "final_factor must be in (0, 1], got 0.0."),
    ("exponential_profile", 1.5, "final_factor must be in (0, 1], got 1.5."),
    ("polynomial_profile", 0.0, "power must be in (0, inf), got 0.0."),
    ("inverse_profile", 0.0, "end_ratio must be in (0, 1], got 0.0."),
    ("inverse_profile", 2.0, "end_ratio must be in (0, 1], got 2.0."),
    ("uba_profile", 0.0, "phi must be in (0, inf), got 0.0."),
    ("uba_profile", None, "phi must be a number in (0, inf), got None."),
  )
  def test_ranges(self, name, value, text):
    with self.assertRaises(ValueError) as error:
      getattr(optax_stepsize, name)(value)
    self.assertEqual(str(error.exception), f"{name}: {text}")


if __name__ == "__main__":
  absltest.main()
