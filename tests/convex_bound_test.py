# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the last-iterate bound and of what is planned by it."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import optimize

import optax_stepsize
from optax_stepsize import core


def oracle(rates, distance=1.0, norms=1.0):
  """The three terms in float64, by the definition."""
  rates = np.asarray(rates, np.float64)
  squares = (rates * np.asarray(norms, np.float64)) ** 2
  h, q = (np.cumsum(x[::-1])[::-1] for x in (rates, squares))
  last = np.sum(rates[:-1] * q[:-1] / (h[1:] * h[:-1])) / 2
  return np.array([distance**2 / (2 * h[0]), q[0] / (2 * h[0]), last])


# Shapes of T rates, of T + 1 that end in zero.


def constant(steps):
  return np.ones(steps)


def linear(steps):
  return wsd(steps, 1.0)


def wsd(steps, fraction, root=False):
  n = steps + 1
  k = min(int(fraction * n), n - 1)
  share = np.arange(1, k + 1) / max(k, 1)
  return np.append(np.ones(n - k), 1 - (np.sqrt(share) if root else share))[:-1]


def cosine(steps):
  return 0.5 * (1 + np.cos(np.pi * np.arange(steps) / steps))


def x64(test):
  """Runs a test in float64."""

  @functools.wraps(test)
  def wide(*args, **kwargs):
    with core.enable_x64():
      return test(*args, **kwargs)

  return wide


SHAPES = {
  "constant": (constant, 0.0402344370, 0.2485433064, None),
  "linear": (linear, 0.0972552145, 0.2036084162, 0.250358491),
  "wsd": (
    functools.partial(wsd, fraction=0.2),
    0.0495442035,
    0.2230275791,
    0.223036931,
  ),
  "one_minus_sqrt": (
    functools.partial(wsd, fraction=0.2, root=True),
    0.0524268060,
    0.2187131995,
    0.218958892,
  ),
  "cosine": (cosine, 0.0946945059, 0.2091143517, 0.253227427),
}
SHAPE_NAMES = tuple(SHAPES)


class NumbersTest(parameterized.TestCase):
  @parameterized.parameters(*SHAPE_NAMES)
  @x64
  def test_hundred_steps(self, name):
    make, base_lr, least, at_5_percent = SHAPES[name]
    shape = make(100)
    best = optax_stepsize.optimal_base_lr(shape)
    np.testing.assert_allclose(best.base_lr, base_lr, rtol=1e-9)
    np.testing.assert_allclose(best.bound, least, rtol=1e-9)
    tuned = optax_stepsize.last_iterate_bound(best.base_lr * shape)
    np.testing.assert_allclose(tuned, best.bound, rtol=1e-12)
    if at_5_percent is not None:
      bound = optax_stepsize.last_iterate_bound(0.05 * shape)
      np.testing.assert_allclose(bound, at_5_percent, rtol=5e-9)

  @x64
  def test_constant_rate_in_closed_form(self):
    rate, steps, distance, norm = 0.03, 100, 2.0, 1.5
    terms = optax_stepsize.bound_terms(
      np.full(steps, rate), distance=distance, gradient_norm=norm
    )
    harmonic = np.sum(1 / np.arange(1, steps))
    half = rate * norm**2 / 2
    expected = distance**2 / (2 * rate * steps), half, half * harmonic
    np.testing.assert_allclose(terms, expected, rtol=1e-13)
    np.testing.assert_allclose(terms.total, sum(expected), rtol=1e-13)

  @parameterized.parameters(
    (functools.partial(wsd, fraction=0.2), 0.336980133),
    (linear, 0.354950949),
  )
  @x64
  def test_half_way(self, make, expected):
    curve = optax_stepsize.bound_curve(0.05 * make(100))
    np.testing.assert_allclose(curve[49], expected, rtol=5e-9)

  @x64
  def test_falling_gradient_norms(self):
    best = optax_stepsize.optimal_base_lr(
      wsd(100, 0.2),
      distance=2.0,
      gradient_norm=np.arange(1, 101) ** -0.3,
    )
    np.testing.assert_allclose(best.base_lr, 0.3289528468, rtol=1e-9)
    np.testing.assert_allclose(best.bound, 0.1343624032, rtol=1e-9)

  @parameterized.parameters(
    (1.0, 0.99923, 2.00122, 5e-6), (0.2, 0.5138, 2.1623, 5e-5)
  )
  @x64
  def test_many_steps(self, fraction, base_lr, least, digit):
    steps, distance, norm = 6400, 3.0, 0.5
    best = optax_stepsize.optimal_base_lr(
      wsd(steps, fraction), distance=distance, gradient_norm=norm
    )
    root = np.sqrt(steps)
    scaled = best.base_lr * root * norm / distance
    np.testing.assert_allclose(scaled, base_lr, rtol=0, atol=digit)
    scaled = best.bound * root / (distance * norm)
    np.testing.assert_allclose(scaled, least, rtol=0, atol=digit)

  @x64
  def test_without_cooldown_the_bound_grows_by_a_logarithm(self):
    short, long = (
      optax_stepsize.optimal_base_lr(np.ones(n)).bound * np.sqrt(n)
      for n in (1600, 6400)
    )
    np.testing.assert_allclose(long, 3.216, rtol=0, atol=5e-4)
    # The last term is half the rate times ln T, and the square of the bound.
    np.testing.assert_allclose(long**2 - short**2, np.log(4), rtol=1e-3)

  @parameterized.parameters(
    (0.1, 0.7748), (0.2, 0.6652), (0.4, 0.4985), (0.6, 0.3449), (0.8, 0.1835)
  )
  @x64
  def test_shorter_cooldowns_want_lower_rates(self, fraction, expected):
    steps = 6400
    ratio = optax_stepsize.transfer_base_lr(
      1.0, wsd(steps, fraction), linear(steps)
    )
    np.testing.assert_allclose(np.log(ratio), expected, rtol=0, atol=5e-5)

  @x64
  def test_best_rates_of_all_are_nearly_linear_decay(self):
    steps = 100

    @jax.jit
    def objective(log_rates):
      return optax_stepsize.last_iterate_bound(jnp.exp(log_rates))

    found = optimize.minimize(
      jax.value_and_grad(objective),
      np.full(steps, np.log(0.05)),
      jac=True,
      method="L-BFGS-B",
      options={"maxiter": 5000, "maxfun": 10000, "ftol": 1e-15, "gtol": 1e-10},
    )
    np.testing.assert_allclose(found.fun, 0.2001144, rtol=0, atol=5e-8)
    rates = np.exp(found.x)
    np.testing.assert_allclose(rates[0], 0.0981, rtol=0, atol=5e-5)
    ratios = rates[[10, 25, 50, 75, 90]] / rates[0]
    expected = (0.9000, 0.7501, 0.5014, 0.2554, 0.1121)
    np.testing.assert_allclose(ratios, expected, rtol=0, atol=1e-4)
    # Only the last few lie above linear decay.
    above = rates / rates[0] - linear(steps)
    self.assertLess(np.max(above[:75]), 0.01)
    self.assertGreater(np.min(above[90:]), 0.01)


class BoundTest(parameterized.TestCase):
  @parameterized.parameters(*SHAPE_NAMES)
  def test_it_holds(self, name):
    # Subgradient descent on |x| from 1, where D = G = 1.
    shape = SHAPES[name][0](100)
    rates = optax_stepsize.optimal_base_lr(shape).base_lr * shape
    x, gaps = 1.0, []
    for rate in np.asarray(rates, np.float64):
      gaps.append(abs(x))
      x -= rate * np.sign(x)
    curve = optax_stepsize.bound_curve(rates)
    np.testing.assert_array_less(gaps, curve)

  @x64
  def test_curve_is_the_bound_of_all_beginnings(self):
    rng = np.random.default_rng(0)
    rates, norms = rng.exponential(size=(2, 20))
    options = {"distance": 2.0, "gradient_norm": norms}
    curve = optax_stepsize.bound_curve(rates, **options)
    expected = [np.sum(oracle(rates[:n], 2.0, norms[:n])) for n in range(1, 21)]
    np.testing.assert_allclose(curve, expected, rtol=1e-13)
    some = optax_stepsize.bound_curve(rates, [20, 3], **options)
    np.testing.assert_allclose(some, curve[jnp.array([19, 2])], rtol=1e-15)

  def test_curve_is_infinite_where_the_rate_is_zero(self):
    curve = optax_stepsize.bound_curve([0.0, 1.0, 0.0, 0.0, 1.0])
    np.testing.assert_array_equal(np.isinf(curve), [1, 0, 1, 1, 0])

  @parameterized.parameters(
    *SHAPE_NAMES, "random", "noise_at_the_end", "steep_end"
  )
  def test_a_million_steps_in_float32(self, name):
    steps = 10**6
    rng = np.random.default_rng(1)
    norms = 1.0
    match name:
      case "random":
        shape = rng.exponential(size=steps)
      case "noise_at_the_end":
        shape = linear(steps)
        norms = (1 + np.arange(steps)) ** 0.3
      case "steep_end":
        shape = np.exp(np.linspace(0, -30, steps))
      case _:
        shape = SHAPES[name][0](steps)
    terms = optax_stepsize.bound_terms(1e-3 * shape, gradient_norm=norms)
    self.assertEqual(terms.total.dtype, jnp.float32)
    expected = oracle(1e-3 * shape, 1.0, norms)
    np.testing.assert_allclose(terms, expected, rtol=1e-6)
    best = optax_stepsize.optimal_base_lr(shape, gradient_norm=norms)
    one, *two = oracle(shape, 1.0, norms)
    np.testing.assert_allclose(best.base_lr, np.sqrt(one / sum(two)), rtol=1e-6)

  def test_memory_grows_with_the_steps(self):
    steps = 2**12
    for function in (
      optax_stepsize.last_iterate_bound,
      jax.grad(optax_stepsize.last_iterate_bound),
      optax_stepsize.bound_curve,
    ):
      program = jax.jit(function).lower(jnp.ones(steps)).compile()
      used = program.memory_analysis().temp_size_in_bytes
      self.assertLess(used, 60 * 4 * steps)

  @x64
  def test_derivative_with_respect_to_the_rates(self):
    rng = np.random.default_rng(2)
    rates, norms = rng.uniform(0.5, 1.5, size=(2, 12))
    rates[4] = 0.0

    def bound(rates):
      return optax_stepsize.last_iterate_bound(rates, gradient_norm=norms)

    slope = np.asarray(jax.grad(bound)(jnp.asarray(rates)))
    small = 1e-6
    for place in range(12):
      bend = small * np.eye(12)[place]
      high = np.sum(oracle(rates + bend, 1.0, norms))
      low = np.sum(oracle(rates - bend, 1.0, norms))
      np.testing.assert_allclose(
        slope[place], (high - low) / (2 * small), rtol=1e-7, atol=1e-8
      )

  def test_derivatives_are_finite_where_the_bound_is_not(self):
    for rates in (jnp.zeros(4), jnp.array([1.0, 1.0, 0.0, 0.0])):
      slope = jax.grad(optax_stepsize.last_iterate_bound)(rates)
      self.assertTrue(np.all(np.isfinite(slope)))

  def test_jit_and_vmap(self):
    rng = np.random.default_rng(3)
    rates = jnp.asarray(rng.uniform(0.1, 1, size=(4, 8)), jnp.float32)
    distance = jnp.array([0.5, 1, 2, 3])
    norms = jnp.asarray(rng.uniform(0.1, 1, size=(4, 8)), jnp.float32)

    def best(shape, distance, norms):
      return optax_stepsize.optimal_base_lr(
        shape, distance=distance, gradient_norm=norms
      )

    def curve(shape, distance, norms):
      return optax_stepsize.bound_curve(
        shape, distance=distance, gradient_norm=norms
      )

    for function in (best, curve):
      batch = jax.jit(jax.vmap(function))(rates, distance, norms)
      rows = [
        function(*row) for row in zip(rates, distance, norms, strict=True)
      ]
      for got, *single in zip(
        jax.tree.leaves(batch), *map(jax.tree.leaves, rows), strict=True
      ):
        np.testing.assert_allclose(got, np.stack(single), rtol=1e-6)

  def test_traced_numbers_are_not_checked(self):
    bound = jax.jit(optax_stepsize.last_iterate_bound)
    self.assertEqual(bound(jnp.zeros(5)), np.inf)
    self.assertEqual(bound(jnp.array([1.0, 2.0, 0.0])), np.inf)
    best = jax.jit(optax_stepsize.optimal_base_lr)(
      jnp.ones(5), gradient_norm=jnp.asarray(0.0)
    )
    self.assertEqual(best.base_lr, np.inf)

  @hypothesis.given(
    st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8).map(
      lambda x: np.resize(x, 8)
    ),
    st.integers(-20, 20),
    st.floats(1e-3, 1e3),
    st.floats(1e-3, 1e3),
  )
  @hypothesis.settings(deadline=None, max_examples=50)
  def test_units(self, rates, power, distance, norm):
    # Rates in another unit of time, distances and norms in other units.
    unit = 2.0**power
    terms = optax_stepsize.bound_terms(
      unit * rates, distance=distance, gradient_norm=norm
    )
    bare = oracle(rates)
    expected = (
      bare[0] * distance**2 / unit,
      bare[1] * norm**2 * unit,
      bare[2] * norm**2 * unit,
    )
    np.testing.assert_allclose(terms, expected, rtol=3e-6)
    best = optax_stepsize.optimal_base_lr(
      unit * rates, distance=distance, gradient_norm=norm
    )
    one, two, three = bare
    base_lr = np.sqrt(one / (two + three)) * distance / norm / unit
    np.testing.assert_allclose(best.base_lr, base_lr, rtol=3e-6)

  @parameterized.parameters(1e-30, 1e-12, 1e12, 1e30)
  def test_small_and_large_numbers(self, unit):
    for rates in (unit * cosine(50), unit * np.exp(-np.arange(15.0))):
      terms = optax_stepsize.bound_terms(rates, gradient_norm=1e-3)
      expected = oracle(rates, 1.0, 1e-3)
      # 1e-30 times the square of the norm is near the end of float32.
      np.testing.assert_allclose(terms, expected, rtol=1e-5, atol=1e-38)


class InputTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("list", lambda rates: rates.tolist(), 1e-6),
    ("float64", lambda rates: rates, 1e-6),
    ("jax", jnp.asarray, 1e-6),
    # Eight bits, of rates that the sums then have in common.
    ("bfloat16", lambda rates: jnp.asarray(rates, jnp.bfloat16), 1e-2),
    ("longer", lambda rates: np.append(rates, [0.0, 7.0]), 1e-6),
    ("schedule", lambda rates: optax.linear_schedule(0.1, 0.0, 50), 1e-6),
  )
  def test_rates(self, convert, rtol):
    rates = 0.1 * (1 - np.arange(50) / 50)
    bound = optax_stepsize.last_iterate_bound(convert(rates), total_steps=50)
    np.testing.assert_allclose(bound, np.sum(oracle(rates)), rtol=rtol)
    self.assertEqual(bound.dtype, jnp.float32)

  def test_numbers_of_python(self):
    for rates in ([1, 2, 1], optax.constant_schedule(1)):
      total_steps = 3 if callable(rates) else None
      bound = optax_stepsize.last_iterate_bound(rates, total_steps=total_steps)
      expected = oracle([1, 1, 1] if callable(rates) else rates)
      np.testing.assert_allclose(bound, np.sum(expected), rtol=1e-6)

  def test_norms_of_a_longer_run_are_cut_like_its_rates(self):
    norms = [1.0, 2.0, 3.0, 4.0]
    cut = optax_stepsize.last_iterate_bound(
      np.ones(4), total_steps=2, gradient_norm=norms
    )
    np.testing.assert_allclose(
      cut, np.sum(oracle([1, 1], 1, [1, 2])), rtol=1e-6
    )

  def test_no_rate_and_no_norm(self):
    self.assertEqual(optax_stepsize.last_iterate_bound(np.zeros(3)), np.inf)
    terms = optax_stepsize.bound_terms(np.ones(4), gradient_norm=0.0)
    np.testing.assert_allclose(terms, [1 / 8, 0, 0], rtol=1e-6)

  def test_one_step(self):
    terms = optax_stepsize.bound_terms([0.5], distance=3.0, gradient_norm=2.0)
    np.testing.assert_allclose(terms, [9, 1, 0], rtol=1e-6)

  @parameterized.parameters(
    ([[1.0]], {}, "rates must be .* got shape .1, 1"),
    ([], {}, "rates must be .* got shape .0,"),
    ([1.0, -1.0], {}, "rates must be finite and >= 0, got -1.0 at step 1"),
    ([1.0, np.nan], {}, "rates must be finite and >= 0, got nan at step 1"),
    ([1.0, np.inf], {}, "rates must be finite and >= 0, got inf at step 1"),
    ([1.0, 1.0, 0.0, 0.0], {}, "not end in zero.* Fix: total_steps=2"),
    ([1.0], {"total_steps": 2}, "total_steps must be at most 1.* got 2"),
    ([1.0], {"total_steps": 0}, "total_steps must be an integer >= 1, got 0"),
    (lambda t: t, {}, "total_steps must be an integer >= 1, got None"),
    ([1.0], {"distance": -1.0}, r"distance must be in \[0, inf\), got -1"),
    ([1.0], {"gradient_norm": -1.0}, r"gradient_norm must be in \[0, inf\)"),
    ([1.0], {"gradient_norm": np.inf}, r"gradient_norm must be in \[0, inf\)"),
    ([1.0, 1.0], {"gradient_norm": [1.0]}, "each of the 2 steps, got shape .1"),
  )
  def test_bad_input(self, rates, options, message):
    for function in (
      optax_stepsize.last_iterate_bound,
      optax_stepsize.bound_terms,
    ):
      with self.assertRaisesRegex(
        ValueError, f"{function.__name__}: .*{message}"
      ):
        function(rates, **options)

  @parameterized.parameters(
    ([0.0, 0.0], {}, "shape must be positive somewhere"),
    ([1.0, 0.0], {}, "shape must not end in zero"),
    ([1.0], {"gradient_norm": 0.0}, "gradient_norm must be positive somewhere"),
    ([1.0], {"distance": 0.0}, r"distance must be in \(0, inf\)"),
  )
  def test_bad_shapes(self, shape, options, message):
    with self.assertRaisesRegex(ValueError, f"optimal_base_lr: {message}"):
      optax_stepsize.optimal_base_lr(shape, **options)

  @parameterized.parameters(
    ((0.0, [1.0], [1.0]), r"learning_rate must be in \(0, inf\)"),
    ((1.0, [0.0], [1.0]), "from_shape must be positive"),
    ((1.0, [1.0], [1.0, 0.0]), "to_shape must not end in zero"),
  )
  def test_bad_transfers(self, given, message):
    with self.assertRaisesRegex(ValueError, f"transfer_base_lr: {message}"):
      optax_stepsize.transfer_base_lr(*given)

  @parameterized.parameters(
    ([0], r"steps must be in \[1, 3\]"),
    ([4], r"steps must be in \[1, 3\]"),
    ([1.0], "steps must be integers"),
    ([[1]], "steps must be integers with one axis"),
  )
  def test_bad_steps(self, steps, message):
    with self.assertRaisesRegex(ValueError, f"bound_curve: {message}"):
      optax_stepsize.bound_curve(np.ones(3), steps)


class TransferTest(parameterized.TestCase):
  @x64
  def test_goes_with_the_root_of_the_steps(self):
    for make in (linear, functools.partial(wsd, fraction=0.2)):
      rate = optax_stepsize.transfer_base_lr(1.0, make(1600), make(6400))
      np.testing.assert_allclose(rate, 0.5, rtol=5e-3)

  def test_schedules_there_and_back(self):
    shapes = (
      optax_stepsize.linear_decay_schedule(1.0, 50),
      optax.constant_schedule(1.0),
    )
    there = optax_stepsize.transfer_base_lr(
      0.1, *shapes, from_steps=50, to_steps=100
    )
    self.assertLess(there, 0.1)
    back = optax_stepsize.transfer_base_lr(
      there, *shapes[::-1], from_steps=100, to_steps=50
    )
    np.testing.assert_allclose(back, 0.1, rtol=1e-6)


if __name__ == "__main__":
  absltest.main()
