# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of WSD, WSD-S and Cyclic-Cosine."""

import fractions
import functools
import itertools
import math

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

SHAPES = (
  "inverse",
  "exponential",
  "linear",
  "cosine",
  "one_minus_sqrt",
  "one_minus_square",
  "sqrt_mirror",
)
LARGE = 2**24 + 5
LARGEST = 2**31 - 1


def curve(shape, s, peak, end):
  """The curve in float64, of an exact share s in (0, 1)."""
  left, s = float(1 - s), float(s)
  match shape:
    case "inverse":
      return 1 / (s / end + left / peak)
    case "exponential":
      return peak**left * end**s
    case "linear":
      return peak * left + end * s
    case "cosine":
      weight = math.sin(math.pi / 2 * left) ** 2
    case "one_minus_sqrt":
      weight = left / (1 + math.sqrt(s))
    case "one_minus_square":
      weight = left * (1 + s)
    case "sqrt_mirror":
      weight = math.sqrt(left)
  return end + (peak - end) * weight


def oracle(step, budgets, rises, decays, *, shape, peak, end, init=0.0):
  """The rate of one step, from exact positions."""
  start = 0
  for place, (budget, rise, decay) in enumerate(
    zip(budgets, rises, decays, strict=True)
  ):
    if step < budget:
      low = end if place else init
      spent = step - start
      if spent < rise:
        share = fractions.Fraction(spent, rise)
        return float(share) * peak + float(1 - share) * low
      if step <= budget - decay:
        return peak
      s = fractions.Fraction(step - (budget - decay), decay)
      return curve(shape, s, peak, end)
    start = budget
  return end


def half_even(share, base):
  return max(1, round(share * base))


class NumbersTest(parameterized.TestCase):
  def test_wsd_s(self):
    numbers = (
      "0 .5 1 1 1 1 .25 .142857143 1 1 1 1 1 1 1 .307692308 .181818182"
      " .129032258 .1"
    )
    with core.enable_x64(True):
      schedule = optax_stepsize.wsd_s_schedule(
        1.0, [8, 18], warmup_steps=2, decay_steps=[3, 4], end_value=0.1
      )
      found = np.asarray(schedule(np.arange(19)))
    wanted = [float(x) for x in numbers.split()]
    np.testing.assert_allclose(found, wanted, atol=6e-10)

  def test_cyclic_cosine(self):
    numbers = (
      "1 .868198052 .55 .231801948 1 .939711432 .775 .55 .325 .160288568 .1"
    )
    with core.enable_x64(True):
      schedule = optax_stepsize.cyclic_cosine_schedule(1.0, [4, 10])
      found = np.asarray(schedule(np.arange(11)))
    wanted = [float(x) for x in numbers.split()]
    np.testing.assert_allclose(found, wanted, atol=6e-10)

  def test_one_budget_is_plain_wsd(self):
    options = {"warmup_steps": 3, "decay_fraction": 0.3, "init_value": 0.2}
    steps = np.arange(25)
    for shape in SHAPES:
      one = optax_stepsize.wsd_s_schedule(0.7, [20], shape=shape, **options)
      plain = optax_stepsize.wsd_schedule(0.7, 20, shape=shape, **options)
      np.testing.assert_array_equal(one(steps), plain(steps))

  def test_the_end_is_a_tenth_of_the_peak(self):
    for peak in (0.3, np.float32(0.3), jnp.float32(0.3)):
      schedule = optax_stepsize.wsd_schedule(peak, 20)
      np.testing.assert_allclose(schedule(20), 0.03, rtol=1e-7)

  def test_halves_round_to_even(self):
    for budget, decay in ((5, 2), (7, 4), (9, 4), (1, 1), (3, 2)):
      schedule = optax_stepsize.wsd_schedule(
        1.0, budget, decay_fraction=0.5, shape="linear", end_value=0.0
      )
      found = np.asarray(schedule(np.arange(10)))[: budget + 1]
      self.assertEqual(np.sum(found < 1), decay, budget)
      branch = optax_stepsize.wsd_branches([budget], 0.5)[0]
      self.assertEqual(branch.end_step - branch.start_step, decay)


class OracleTest(parameterized.TestCase):
  def test_all_small_wsd(self):
    # All warm-ups, plateaus and decays of at most 12 steps together.
    steps = np.arange(15)
    for shape, (warmup, stable, decay) in itertools.product(
      ("inverse", "cosine"), itertools.product(range(13), repeat=3)
    ):
      total = warmup + stable + decay
      if not 1 <= total <= 12:
        continue
      schedule = optax_stepsize.wsd_schedule(
        0.5,
        total,
        warmup_steps=warmup,
        decay_steps=decay,
        shape=shape,
        end_value=0.125,
        init_value=0.25,
      )
      found = np.asarray(schedule(steps))
      wanted = [
        oracle(
          step,
          [total],
          [warmup],
          [decay],
          shape=shape,
          peak=0.5,
          end=0.125,
          init=0.25,
        )
        for step in steps
      ]
      message = f"{shape} {warmup} {stable} {decay}"
      np.testing.assert_allclose(found, wanted, rtol=1e-6, err_msg=message)
      np.testing.assert_array_equal(found[total:], 0.125)
      self.assertEqual(found[0], 0.25 if warmup else 0.5, message)

  def test_all_small_wsd_s(self):
    # All budgets up to 7, with every rise of up to 2 steps.
    steps = np.arange(10)
    refused = 0
    for size in (1, 2, 3):
      for budgets, warmup, rewarmup, of in itertools.product(
        itertools.combinations(range(1, 8), size),
        range(3),
        range(3),
        ("segment", "budget"),
      ):
        lengths = np.diff((0, *budgets)).tolist()
        rises = [warmup] + [rewarmup] * (size - 1)
        bases = budgets if of == "budget" else lengths
        decays = [half_even(0.5, base) for base in bases]
        make = functools.partial(
          optax_stepsize.wsd_s_schedule,
          0.5,
          list(budgets),
          warmup_steps=warmup,
          rewarmup_steps=rewarmup,
          decay_fraction=0.5,
          decay_of=of,
        )
        message = f"{budgets} {warmup} {rewarmup} {of}"
        if any(
          r + d > n for r, d, n in zip(rises, decays, lengths, strict=True)
        ):
          refused += 1
          with self.assertRaises(ValueError, msg=message):
            make()
          continue
        found = np.asarray(make()(steps))
        wanted = [
          oracle(
            step, budgets, rises, decays, shape="inverse", peak=0.5, end=0.05
          )
          for step in steps
        ]
        np.testing.assert_allclose(found, wanted, rtol=1e-6, err_msg=message)
    self.assertBetween(refused, 200, 900)

  def test_all_small_cyclic_cosines(self):
    steps = np.arange(10)
    for size in (1, 2, 3):
      for budgets in itertools.combinations(range(1, 8), size):
        for warmup in range(budgets[0]):
          lengths = np.diff((0, *budgets)).tolist()
          rises = [warmup] + [0] * (size - 1)
          schedule = optax_stepsize.cyclic_cosine_schedule(
            0.5, budgets, warmup_steps=warmup, end_value=0.0, init_value=0.1
          )
          wanted = [
            oracle(
              step,
              budgets,
              rises,
              [n - r for n, r in zip(lengths, rises, strict=True)],
              shape="cosine",
              peak=0.5,
              end=0.0,
              init=0.1,
            )
            for step in steps
          ]
          np.testing.assert_allclose(
            schedule(steps), wanted, rtol=1e-6, err_msg=f"{budgets} {warmup}"
          )

  @parameterized.product(total_steps=(10, LARGE, LARGEST), shape=SHAPES)
  def test_float32_at_extreme_steps(self, total_steps, shape):
    warmup, decay = total_steps // 3 + 1, total_steps // 4 + 1
    steps = {0, 1, 3, warmup - 1, warmup, warmup + 1, total_steps - decay}
    steps |= {total_steps - k for k in (-1, 0, 1, 2, decay - 1, decay // 2)}
    steps |= {2**24 + 1, 2**31 - 2}
    steps = sorted(step for step in steps if step < 2**31)

    @jax.jit
    def rates(peak, end, init):
      schedule = optax_stepsize.wsd_schedule(
        peak,
        total_steps,
        warmup_steps=warmup,
        decay_steps=decay,
        shape=shape,
        end_value=end,
        init_value=init,
      )
      return schedule(np.array(steps, np.int32))

    for floats in ((0.3, 0.03, 1e-5), (2e-4, 1e-7, 0.0)):
      peak, end, init = map(np.float32, floats)
      found = rates(peak, end, init)
      self.assertEqual(found.dtype, jnp.float32)
      for step, rate in zip(steps, found, strict=True):
        wanted = oracle(
          step,
          [total_steps],
          [warmup],
          [decay],
          shape=shape,
          peak=float(peak),
          end=float(end),
          init=float(init),
        )
        self.assertLessEqual(abs(float(rate) - wanted), 1e-6 * wanted, step)
      self.assertEqual(found[steps.index(total_steps - decay)], peak)
      if total_steps < 2**31 - 1:
        self.assertEqual(found[steps.index(total_steps)], end)

  def test_wsd_s_at_extreme_steps(self):
    budgets = [LARGE, 2**26, LARGEST]
    options = {"rewarmup_steps": 1000, "decay_steps": [7, 10**6, 10**9]}
    schedule = optax_stepsize.wsd_s_schedule(0.5, budgets, **options)
    steps = [LARGE - 1, LARGE, LARGE + 1, 2**26 - 1, 2**26, 2**26 + 999]
    steps += [2**26 + 1000, LARGEST - 10**9 + 1, LARGEST - 1]
    wanted = [
      oracle(
        step,
        budgets,
        [0, 1000, 1000],
        options["decay_steps"],
        shape="inverse",
        peak=0.5,
        end=float(np.float32(0.05)),
      )
      for step in steps
    ]
    found = schedule(np.array(steps, np.int32))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)

  @parameterized.parameters(int, np.int32, np.uint32, jnp.int32, jnp.uint32)
  def test_any_integer_counts(self, dtype):
    schedule = optax_stepsize.wsd_s_schedule(
      1.0, [6, 12], warmup_steps=2, rewarmup_steps=1
    )
    several = schedule(np.arange(14))
    for step in range(14):
      found = schedule(dtype(step))
      self.assertEqual((found.dtype, found.shape), (jnp.float32, ()))
      self.assertEqual(found, several[step])

  def test_counts_in_any_arrangement(self):
    schedule = optax_stepsize.wsd_s_schedule(1.0, [6, 12], warmup_steps=2)
    table = schedule(jnp.arange(12).reshape(3, 4))
    np.testing.assert_array_equal(np.ravel(table), schedule(jnp.arange(12)))
    self.assertEqual(schedule(-3), schedule(0))
    with core.enable_x64(True):
      self.assertEqual(schedule(jnp.int64(2**40)).dtype, jnp.float64)


class CompositionTest(parameterized.TestCase):
  def test_inside_optax(self):
    schedule = optax_stepsize.wsd_s_schedule(1.0, [5, 9], warmup_steps=2)
    wanted = schedule(np.arange(11))
    grads = jnp.ones(2)
    for tx in (
      optax.scale_by_schedule(schedule),
      optax.inject_hyperparams(optax.scale)(step_size=schedule),
      optax.scale_by_schedule(optax.join_schedules([schedule, schedule], [20])),
    ):

      def step(state, _, tx=tx):
        return tx.update(grads, state)[::-1]

      with jax.numpy_dtype_promotion("standard"):
        found = jax.lax.scan(step, tx.init(grads), length=11)[1]
      np.testing.assert_allclose(found[:, 0], wanted, rtol=1e-6)

  def test_one_program_for_many_values(self):
    traces = []

    @jax.jit
    @jax.vmap
    def rates(peak, end, init, fraction):
      traces.append(1)
      schedule = optax_stepsize.wsd_s_schedule(
        peak,
        [10, 20],
        warmup_steps=2,
        decay_fraction=fraction,
        end_value=end,
        init_value=init,
      )
      return schedule(jnp.arange(22))

    values = (
      jnp.array([1.0, 2.0, 0.5]),
      jnp.array([0.1, 0.5, 0.2]),
      jnp.array([0.0, 0.3, 0.1]),
      jnp.array([0.1, 0.25, 0.7]),
    )
    found = rates(*values)
    rates(*(0.5 * value for value in values))
    self.assertLen(traces, 1)
    for row, peak, end, init, fraction in zip(found, *values, strict=True):
      decay = half_even(float(fraction), 10)
      wanted = [
        oracle(
          step,
          [10, 20],
          [2, 0],
          [decay, decay],
          shape="inverse",
          peak=float(peak),
          end=float(end),
          init=float(init),
        )
        for step in range(22)
      ]
      np.testing.assert_allclose(row, wanted, rtol=1e-6)

  def test_a_traced_fraction_is_cut_to_what_fits(self):
    @jax.jit
    def rates(fraction):
      return optax_stepsize.wsd_schedule(
        1.0, 10, warmup_steps=6, decay_fraction=fraction, shape="linear"
      )(jnp.arange(10))

    for fraction, decay in ((0.9, 4), (1e-6, 1)):
      fixed = optax_stepsize.wsd_schedule(
        1.0, 10, warmup_steps=6, decay_steps=decay, shape="linear"
      )
      np.testing.assert_allclose(
        rates(fraction), fixed(np.arange(10)), rtol=1e-6
      )


class BranchesTest(parameterized.TestCase):
  @parameterized.parameters(
    ({}, [(9, 10), (23, 25), (90, 100)]),
    ({"decay_fraction": 0.5}, [(5, 10), (13, 25), (50, 100)]),
    ({"decay_steps": 4}, [(6, 10), (21, 25), (96, 100)]),
    ({"decay_steps": [0, 1, 60]}, [(10, 10), (24, 25), (40, 100)]),
  )
  def test_branches(self, options, wanted):
    found = optax_stepsize.wsd_branches([10, 25, 100], **options)
    self.assertEqual(found, [optax_stepsize.Branch(*pair) for pair in wanted])

  def test_a_branch_continues_the_trunk_as_a_run_of_its_own(self):
    budgets, warmup = [10, 25, 60], 4
    steps = np.arange(61)
    make = functools.partial(
      optax_stepsize.wsd_schedule, 0.3, warmup_steps=warmup
    )
    trunk = make(budgets[-1])(steps)
    spent = budgets[-1]
    for branch in optax_stepsize.wsd_branches(budgets, warmup_steps=warmup):
      own = np.asarray(make(branch.end_step)(steps))
      start, end = branch
      np.testing.assert_array_equal(own[: start + 1], trunk[: start + 1])
      self.assertEqual(own[start], np.float32(0.3))
      self.assertLess(np.max(np.diff(own[start : end + 1])), 0)
      if end < budgets[-1]:
        spent += end - start
    # All budgets for the last one and the other decays; WSD-S needs but that.
    self.assertEqual(spent, 60 + 1 + 2)

  def test_river_valley(self):
    # f = -0.1 x + 5 y^2 with noise in the gradient of y: y's variance is
    # rate noise^2 / (h (2 - rate h)), about proportional to the rate.
    hill, slope, noise, walkers = 10.0, 0.1, 1.0, 4000
    variances, progress = {}, {}
    for peak in (0.01, 0.02):
      schedule = optax_stepsize.wsd_schedule(
        peak, 400, decay_fraction=0.25, end_value=peak / 10
      )

      def step(carry, inputs):
        x, y = carry
        rate, key = inputs
        pushed = hill * y + noise * jax.random.normal(key, y.shape)
        carry = (x + rate * slope, y - rate * pushed)
        return carry, (carry[0], jnp.mean(carry[1] ** 2))

      rates = schedule(jnp.arange(400))
      keys = jax.random.split(jax.random.key(0), 400)
      start = (jnp.zeros(()), jnp.zeros(walkers))
      _, (x, variance) = jax.lax.scan(step, start, (rates, keys))
      stable = float(jnp.mean(variance[250:300]))
      exact = peak * noise**2 / (hill * (2 - peak * hill))
      self.assertAlmostEqual(stable / exact, 1, delta=0.02)
      variances[peak] = stable
      # Along the river, every step of the plateau gains rate * slope.
      np.testing.assert_allclose(np.diff(x[:300]), peak * slope, rtol=2e-3)
      progress[peak] = float(x[299])
      # The decay quiets y, and keeps what x has gained.
      self.assertLess(variance[-1], 0.3 * stable)
      self.assertGreater(x[-1], x[299])
    self.assertAlmostEqual(progress[0.02] / progress[0.01], 2, places=4)
    self.assertAlmostEqual(variances[0.02] / variances[0.01], 2, delta=0.15)


class ErrorsTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"peak_value": -1.0}, r"peak_value must be in [0, inf), got -1.0."),
    ({"end_value": 0.0}, "end_value must be in (0, inf), got 0.0."),
    (
      {"end_value": -1.0, "shape": "cosine"},
      "end_value must be in [0, inf), got -1.0.",
    ),
    ({"init_value": -0.1}, "init_value must be in [0, inf), got -0.1."),
    ({"total_steps": 0}, "total_steps must be an integer >= 1, got 0."),
    ({"warmup_steps": -1}, "warmup_steps must be an integer >= 0, got -1."),
    (
      {"warmup_steps": 11},
      "warmup_steps must be at most total_steps=10, got 11.",
    ),
    (
      {"warmup_steps": 10},
      "decay_steps must be at most 0, the steps that the rise of the rate"
      " leaves, got 1.",
    ),
    (
      {"warmup_steps": 4, "decay_steps": 7},
      "decay_steps must be at most 6, the steps that the rise of the rate"
      " leaves, got 7.",
    ),
    ({"decay_steps": -1}, "decay_steps must be an integer >= 0, got -1."),
    ({"decay_steps": 1.5}, "decay_steps must be an integer >= 0, got 1.5."),
    ({"decay_fraction": 0.0}, "decay_fraction must be in (0, 1), got 0.0."),
    ({"decay_fraction": 1.0}, "decay_fraction must be in (0, 1), got 1.0."),
    ({"shape": "flat"}, "shape must be one of 'inverse', 'exponential', 'lin"),
  )
  def test_wsd(self, options, text):
    options = {"peak_value": 1.0, "total_steps": 10} | options
    with self.assertRaises(ValueError) as error:
      optax_stepsize.wsd_schedule(**options)
    self.assertStartsWith(str(error.exception), f"wsd_schedule: {text}")

  @parameterized.parameters(
    ({"budgets": []}, "budgets must be a sequence of one or more numbers of"),
    ({"budgets": 10}, "budgets must be a sequence of one or more numbers of"),
    ({"budgets": [0, 5]}, "budgets must be an integer >= 1, got 0."),
    ({"budgets": [5, 5]}, "budgets must be increasing, got [5, 5]."),
    ({"budgets": [9, 5]}, "budgets must be increasing, got [9, 5]."),
    ({"decay_of": "run"}, "decay_of must be one of 'segment', 'budget', got"),
    ({"decay_steps": 0}, "decay_steps must be an integer >= 1, got 0."),
    (
      {"decay_steps": [1, 2, 3]},
      "decay_steps must be an integer or have one entry for each of the 2"
      " budgets, got [1, 2, 3].",
    ),
    (
      {"decay_steps": [3, 13], "rewarmup_steps": 3},
      "decay_steps must be at most 12 before budget number 2, the steps that"
      " the rise of the rate leaves, got 13.",
    ),
    (
      {"rewarmup_steps": 15},
      "rewarmup_steps must be below 15, the steps before budget number 2, got",
    ),
    (
      {"warmup_steps": 5},
      "warmup_steps must be below 5, the steps before budget number 1, got 5.",
    ),
    (
      {"decay_of": "budget", "decay_fraction": 0.8},
      "decay_steps must be at most 15 before budget number 2, the steps that",
    ),
    ({"rewarmup_steps": -1}, "rewarmup_steps must be an integer >= 0, got -1."),
  )
  def test_wsd_s(self, options, text):
    options = {"peak_value": 1.0, "budgets": [5, 20]} | options
    with self.assertRaises(ValueError) as error:
      optax_stepsize.wsd_s_schedule(**options)
    self.assertStartsWith(str(error.exception), f"wsd_s_schedule: {text}")

  def test_cyclic_cosine_and_branches(self):
    with self.assertRaisesRegex(
      ValueError, "cyclic_cosine_schedule: warmup_steps must be below the first"
    ):
      optax_stepsize.cyclic_cosine_schedule(1.0, [4, 8], warmup_steps=4)
    with self.assertRaisesRegex(
      ValueError, r"wsd_branches: budgets must be increasing, got \[4, 4\]"
    ):
      optax_stepsize.wsd_branches([4, 4])
    with self.assertRaisesRegex(
      ValueError, "wsd_branches: decay_steps must be at most 1 before budget"
    ):
      optax_stepsize.wsd_branches([4, 8], decay_steps=2, warmup_steps=3)


if __name__ == "__main__":
  absltest.main()
