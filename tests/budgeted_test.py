# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `budgeted`, `rex_schedule`, `linear_decay_schedule`."""

from fractions import Fraction
import functools
import math

from absl.testing import absltest
from absl.testing import parameterized
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

LARGE = 2**24 + 5
LARGEST = 2**31 - 1
# One shape for most calls: every new one is compiled.
COUNTS = np.arange(101, dtype=np.int32)
# What the named samplings mean, written out.
POINTS = {
  "50-75": [Fraction(1, 2), Fraction(3, 4)],
  "33-66": [Fraction(1, 3), Fraction(2, 3)],
  "25-50-75": [Fraction(1, 4), Fraction(1, 2), Fraction(3, 4)],
  "30-60-90": [Fraction(3, 10), Fraction(6, 10), Fraction(9, 10)],
  "10-10": [Fraction(k, 10) for k in range(1, 10)],
  "5-5": [Fraction(k, 20) for k in range(1, 20)],
  "1-1": [Fraction(k, 100) for k in range(1, 100)],
  "30-30": [Fraction(k, 10) for k in (3, 6, 9)],
  "80": [Fraction(8, 10)],
}


def rates(schedule, steps):
  """The rates of steps 0, 1, ..."""
  return np.asarray(schedule(COUNTS))[:steps]


def exact(x):
  return Fraction(float(np.float32(x)))


def rex(p, beta=Fraction(1, 2)):
  return (1 - p) / ((1 - beta) + beta * (1 - p))


def progress(n, length, sampling):
  """Where the profile is read at step n of `length`, an exact fraction."""
  if n >= length:
    return Fraction(1)
  if sampling == "every":
    return Fraction(n, length)
  if isinstance(sampling, int):
    return Fraction(n // sampling * sampling, length)
  points = POINTS.get(sampling, sampling)
  reached = [s for s in points if math.ceil(s * length - 1e-9) <= n]
  return Fraction(max(reached, default=0))


def oracle(
  step,
  *,
  peak_value,
  total_steps,
  profile=rex,
  sampling="every",
  end_value=0.0,
  warmup_steps=0,
  init_value=0.0,
  boundaries=None,
):
  """The rate of one step, an exact fraction of the float32 inputs."""
  length = total_steps - warmup_steps
  boundaries = boundaries or [0, length]
  phases = len(boundaries) - 1
  peaks, ends = (
    [exact(x) for x in (v if isinstance(v, list) else [v] * phases)]
    for v in (peak_value, end_value)
  )
  if step < warmup_steps:
    start = exact(init_value)
    return start + (peaks[0] - start) * Fraction(step, warmup_steps)
  n = min(step - warmup_steps, length)
  k = max(k for k in range(phases) if boundaries[k] <= n)
  size = boundaries[k + 1] - boundaries[k]
  share = profile(progress(n - boundaries[k], size, sampling))
  return ends[k] + (peaks[k] - ends[k]) * share


class NumbersTest(parameterized.TestCase):
  @parameterized.parameters(
    (0.5, "1 .9333333 .8571429 .7692308 .6666667 .5454545 .4 .2222222 0"),
    (
      0.9,
      "1 .9859155 .9677419 .9433962 .9090909 .8571429 .7692308 .5882353 0",
    ),
  )
  def test_rex(self, beta, numbers):
    wanted = [float(x) for x in numbers.split()]
    schedule = optax_stepsize.rex_schedule(1.0, 8, beta=beta)
    np.testing.assert_allclose(rates(schedule, 9), wanted, atol=2e-7)

  def test_rex_at_half_and_three_quarters(self):
    # 0.75 * 10 = 7.5, so that the rate drops at step 8.
    schedule = optax_stepsize.budgeted(
      "rex", "50-75", peak_value=1.0, total_steps=10
    )
    wanted = [1.0] * 5 + [2 / 3] * 3 + [0.4] * 2 + [0.0] * 2
    np.testing.assert_allclose(rates(schedule, 12), wanted, rtol=2e-7)

  def test_linear_in_thirds(self):
    schedule = optax_stepsize.budgeted(
      "linear", "33-66", peak_value=1.0, total_steps=9
    )
    wanted = [1.0] * 3 + [2 / 3] * 3 + [1 / 3] * 3 + [0.0]
    np.testing.assert_allclose(rates(schedule, 10), wanted, rtol=2e-7)

  def test_step_decay(self):
    # Divided by ten at 30, 60 and 90 per cent.
    profile = optax_stepsize.exponential_profile(0.001 ** (1 / 0.9))
    schedule = optax_stepsize.budgeted(
      profile, "30-60-90", peak_value=1.0, total_steps=20
    )
    wanted = [1.0] * 6 + [0.1] * 6 + [0.01] * 6 + [0.001] * 2
    np.testing.assert_allclose(rates(schedule, 20), wanted, rtol=1e-6)

  def test_without_bend_it_is_optax_linear(self):
    for other in (
      optax_stepsize.rex_schedule(0.3, 17, beta=0.0),
      optax_stepsize.linear_decay_schedule(0.3, 17),
      optax_stepsize.budgeted("linear", peak_value=0.3, total_steps=17),
    ):
      wanted = [optax.linear_schedule(0.3, 0.0, 17)(t) for t in range(20)]
      np.testing.assert_allclose(rates(other, 20), wanted, atol=3e-8)

  def test_linear_decay(self):
    make = optax_stepsize.linear_decay_schedule
    for schedule, wanted in (
      (make(1.0, 4), [1, 0.75, 0.5, 0.25, 0]),
      (make(1.0, 4, offset=1), [0.75, 0.5, 0.25, 0, 0]),
      (make(2.0, 6, warmup_steps=2), [0, 1, 2, 1.5, 1, 0.5, 0]),
      (make(2.0, 6, warmup_steps=2, offset=1), [0, 1, 1.5, 1, 0.5, 0, 0]),
      (make(1.0, 4, offset=3), [0.25, 0, 0, 0, 0]),
      (make(1.0, 4, offset=2**31 - 1), [0, 0, 0, 0, 0]),
      (make(1.0, 1), [1, 0, 0, 0]),
    ):
      np.testing.assert_array_equal(rates(schedule, len(wanted)), wanted)

  def test_uba_is_one_of_the_profiles(self):
    for phases in ({}, {"num_phases": 3}, {"phase_boundaries": [2, 9]}):
      options = {"end_value": 0.1, "warmup_steps": 3, "init_value": 0.2}
      options |= phases
      found = optax_stepsize.budgeted(
        optax_stepsize.uba_profile(0.7),
        peak_value=1.5,
        total_steps=20,
        **options,
      )
      wanted = optax_stepsize.uba_schedule(
        1.5, 20, 0.7, grid="endpoint", **options
      )
      np.testing.assert_allclose(rates(found, 25), rates(wanted, 25), rtol=1e-7)

  def test_a_function_of_progress(self):
    calls = []

    def square(progress):
      calls.append(progress.dtype)
      return 1 - progress**2

    schedule = optax_stepsize.budgeted(
      square, "25-50-75", peak_value=2.0, total_steps=8, end_value=1.0
    )
    wanted = [2, 2, 2 - 1 / 16, 2 - 1 / 16, 1.75, 1.75, 2 - 9 / 16, 2 - 9 / 16]
    np.testing.assert_allclose(rates(schedule, 9), [*wanted, 1], rtol=1e-7)
    self.assertEqual(set(calls), {jnp.dtype(jnp.float32)})


class OracleTest(parameterized.TestCase):
  @parameterized.parameters(*range(1, 13))
  def test_all_small_budgets(self, total_steps):
    # Every warm-up and length that sum up to it.
    samplings = ("every", "33-66", "10-10", 3, (0.1, 0.7))
    for warmup in range(total_steps):
      for sampling in samplings:
        options = {
          "peak_value": 1.0,
          "total_steps": total_steps,
          "end_value": 0.3,
          "warmup_steps": warmup,
          "init_value": 0.1,
          "sampling": sampling,
        }
        found = rates(optax_stepsize.budgeted("rex", **options), 14)
        wanted = [float(oracle(step, **options)) for step in range(14)]
        message = f"warmup_steps={warmup} sampling={sampling}"
        np.testing.assert_allclose(found, wanted, rtol=1e-6, err_msg=message)
        np.testing.assert_array_equal(found[total_steps:], np.float32(0.3))
        self.assertEqual(found[0], np.float32(0.1 if warmup else 1.0))

  @parameterized.parameters(*range(1, 13))
  def test_all_small_linear_decays(self, total_steps):
    for warmup in range(total_steps):
      for offset in (0, 1, 2):
        schedule = optax_stepsize.linear_decay_schedule(
          0.7, total_steps, warmup_steps=warmup, offset=offset
        )
        peak, length = exact(0.7), total_steps - warmup
        wanted = [
          peak * Fraction(t, warmup)
          if t < warmup
          else peak * max(0, 1 - Fraction(t - warmup + offset, length))
          for t in range(14)
        ]
        np.testing.assert_allclose(
          rates(schedule, 14), np.array(wanted, np.float64), rtol=1e-6
        )

  @parameterized.parameters("every", "33-66", "5-5", 2, ((0.3, 0.6),))
  def test_phases(self, sampling):
    options = {
      "peak_value": [1.0, 0.5, 0.8],
      "total_steps": 34,
      "end_value": [0.1, 0.0, 0.2],
      "warmup_steps": 3,
      "sampling": sampling,
    }
    for phases, boundaries in (
      ({"num_phases": 3}, [0, 10, 20, 31]),
      ({"phase_boundaries": [1, 12], "num_phases": 9}, [0, 1, 12, 31]),
    ):
      schedule = optax_stepsize.budgeted("rex", **options, **phases)
      wanted = [
        float(oracle(step, boundaries=boundaries, **options))
        for step in range(40)
      ]
      np.testing.assert_allclose(rates(schedule, 40), wanted, rtol=1e-6)

  @parameterized.product(
    total_steps=(10, LARGE, LARGEST),
    sampling=("every", "50-75", "33-66", "1-1", 7, 10**6),
    warm=(False, True),
  )
  def test_float32_at_extreme_steps(self, total_steps, sampling, warm):
    options = {"total_steps": total_steps, "sampling": sampling}
    if warm:
      options |= {"warmup_steps": total_steps // 3 + 1, "init_value": 1e-5}
    steps = {0, 1, total_steps - 1, total_steps, total_steps + 1}
    steps |= {total_steps // 2, 3, 2**24 + 1, 2**31 - 2}
    # Around the changes of the rate.
    start = options.get("warmup_steps", 0)
    for point in POINTS.get(sampling, ()):
      change = start + math.ceil(point * (total_steps - start))
      steps |= {change - 1, change}
    steps = np.array(sorted(s for s in steps if s < 2**31), np.int64)

    @jax.jit
    def at_steps(peak, end, beta, counts):
      return optax_stepsize.budgeted(
        optax_stepsize.rex_profile(beta),
        peak_value=peak,
        end_value=end,
        **options,
      )(counts)

    for beta, end in ((0.5, 0.0), (0.99, 0.01), (-30.0, 0.0)):
      found = at_steps(0.3, end, beta, steps.astype(np.int32))
      self.assertEqual(found.dtype, jnp.float32)
      profile = functools.partial(rex, beta=exact(beta))
      for step, rate in zip(steps.tolist(), found, strict=True):
        wanted = float(
          oracle(
            step, peak_value=0.3, end_value=end, profile=profile, **options
          )
        )
        message = f"beta={beta} step={step}"
        self.assertLessEqual(abs(float(rate) - wanted), 1e-6 * wanted, message)

  def test_linear_decay_at_extreme_steps(self):
    peak = exact(0.3)
    for total, warmup, offset in ((LARGEST, 0, 1), (LARGEST, 2**30, 0)):
      schedule = optax_stepsize.linear_decay_schedule(
        0.3, total, warmup_steps=warmup, offset=offset
      )
      for step in (0, 1, 2**24 + 1, 2**30 + 1, total - 3, 2**31 - 2):
        wanted = (
          peak * Fraction(step, warmup)
          if step < warmup
          else peak * (1 - Fraction(step - warmup + offset, total - warmup))
        )
        found = float(schedule(jnp.int32(step)))
        self.assertLessEqual(abs(found - wanted), 1e-6 * wanted, step)

  def test_float64_of_every_profile(self):
    with core.enable_x64(True):
      for name in ("cosine", "exponential", "constant"):
        schedule = optax_stepsize.budgeted(
          name, peak_value=0.3, total_steps=12, end_value=0.1
        )
        profile = getattr(optax_stepsize, f"{name}_profile")()
        found = schedule(jnp.arange(13))
        self.assertEqual(found.dtype, jnp.float64)
        wanted = 0.1 + 0.2 * np.asarray(profile(np.arange(13) / 12))
        np.testing.assert_allclose(found, wanted, rtol=1e-13)
      self.assertEqual(schedule(jnp.int64(2**40)), 0.3)

  @parameterized.parameters(
    int, np.int32, np.int64, np.uint32, jnp.int32, jnp.uint32, jnp.int16
  )
  def test_any_integer_counts(self, dtype):
    schedule = optax_stepsize.rex_schedule(1.0, 10**5, warmup_steps=2)
    sampled = optax_stepsize.budgeted(
      "rex", "1-1", peak_value=1.0, total_steps=10**5, warmup_steps=2
    )
    for step in (0, 1, 2, 8, 9, 10, 3000):
      for each in (schedule, sampled):
        found = each(dtype(step))
        self.assertEqual((found.dtype, found.shape), (jnp.float32, ()))
        self.assertEqual(found, each(step))
    self.assertEqual(schedule(-3), schedule(0))

  def test_array_of_counts(self):
    for sampling in ("every", "33-66", 2):
      schedule = optax_stepsize.budgeted(
        "cosine", sampling, peak_value=1.0, total_steps=11, num_phases=2
      )
      found = schedule(jnp.arange(12).reshape(3, 4))
      self.assertEqual(found.shape, (3, 4))
      one_by_one = [schedule(step) for step in range(12)]
      np.testing.assert_allclose(np.ravel(found), one_by_one, rtol=1e-6)


class PropertiesTest(parameterized.TestCase):
  @parameterized.parameters("rex", "linear", "cosine", "exponential", "inverse")
  def test_sampling_never_lowers_the_rate(self, profile):
    options = {"peak_value": 1.0, "total_steps": 30}
    every = rates(optax_stepsize.budgeted(profile, **options), 30)
    for sampling in (*POINTS, 1, 4):
      held = optax_stepsize.budgeted(profile, sampling, **options)
      lowest = np.min(rates(held, 30) - every * (1 - 1e-6))
      self.assertGreaterEqual(lowest, 0, sampling)

  def test_every_per_cent_of_a_hundred_steps_is_every_step(self):
    options = {"peak_value": 0.7, "total_steps": 100, "end_value": 0.1}
    for profile in ("rex", "linear", "cosine"):
      every = optax_stepsize.budgeted(profile, **options)
      for sampling in ("1-1", 1):
        held = optax_stepsize.budgeted(profile, sampling, **options)
        np.testing.assert_allclose(
          rates(held, 101), rates(every, 101), rtol=3e-7
        )

  def test_it_falls(self):
    @settings(deadline=None, max_examples=12, derandomize=True)
    @given(
      profile=strategies.sampled_from(["rex", "cosine", "one_minus_sqrt"]),
      sampling=strategies.sampled_from(["33-66", "10-10", "every", 5]),
      total=strategies.integers(1, LARGEST),
      counts=strategies.lists(
        strategies.integers(0, 2**31 - 2), min_size=6, max_size=6
      ),
      end=strategies.floats(0, 1),
    )
    def falls(profile, sampling, total, counts, end):
      schedule = optax_stepsize.budgeted(
        profile, sampling, peak_value=1.0, total_steps=total, end_value=end
      )
      counts = sorted(count % (total + 2) for count in counts)
      found = np.asarray(schedule(np.array(counts, np.int32)), np.float64)
      # To the rounding of float32.
      self.assertTrue(np.all(found[1:] <= found[:-1] * (1 + 1e-6)))

    falls()

  def test_points_may_be_fractions_or_an_array(self):
    options = {"peak_value": 1.0, "total_steps": 9}
    wanted = rates(optax_stepsize.budgeted("rex", "33-66", **options), 9)
    for points in (
      [Fraction(1, 3), Fraction(2, 3)],
      (1 / 3, 2 / 3),
      np.array([1, 2]) / 3,
    ):
      found = rates(optax_stepsize.budgeted("rex", points, **options), 9)
      np.testing.assert_allclose(found, wanted, rtol=3e-7)
    # No point: held to the end.
    held = rates(optax_stepsize.budgeted("rex", [], **options), 10)
    np.testing.assert_array_equal(held, [1] * 9 + [0])


class CompositionTest(parameterized.TestCase):
  def test_optax_runs_it(self):
    first = optax_stepsize.rex_schedule(1.0, 5, warmup_steps=2)
    second = optax_stepsize.linear_decay_schedule(0.5, 4)
    joined = optax.join_schedules([first, second], [5])
    wanted = [*(first(t) for t in range(5)), *(second(t) for t in range(6))]
    np.testing.assert_array_equal(
      [joined(jnp.asarray(t)) for t in range(11)], wanted
    )
    tx = optax.scale_by_schedule(joined)

    def step(state, _):
      return tx.update(jnp.ones(2), state)[::-1]

    found = jax.lax.scan(step, tx.init(jnp.ones(2)), length=9)[1]
    np.testing.assert_allclose(found[:, 0], wanted[:9], rtol=1e-6)

  def test_inject_hyperparams(self):
    @functools.partial(optax.inject_hyperparams, hyperparam_dtype=jnp.float32)
    def injected(peak, beta):
      schedule = optax_stepsize.rex_schedule(peak, 6, beta=beta)
      return optax.scale_by_schedule(schedule)

    schedule = optax_stepsize.rex_schedule(0.2, 6, beta=0.7)
    outer = optax.inject_hyperparams(optax.scale)(step_size=schedule)
    grads = jnp.ones(2)
    for tx in (injected(0.2, 0.7), outer):
      with jax.numpy_dtype_promotion("standard"):
        state = tx.init(grads)
        update = jax.jit(tx.update)
        for step in range(7):
          updates, state = update(grads, state)
          np.testing.assert_allclose(updates, schedule(step), rtol=1e-6)

  def test_one_program_for_many_values(self):
    traces = []

    @jax.jit
    @jax.vmap
    def many(peak, beta, end, init):
      traces.append(1)
      schedule = optax_stepsize.rex_schedule(
        peak, 8, beta=beta, end_value=end, init_value=init, warmup_steps=3
      )
      return schedule(jnp.arange(10))

    peaks, betas = jnp.array([1.0, 2.0, 0.5]), jnp.array([0.25, -2.0, 0.9])
    ends, inits = jnp.array([0.0, 0.1, 0.2]), jnp.array([0.0, 0.3, 0.1])
    found = many(peaks, betas, ends, inits)
    many(2 * peaks, betas, ends, inits)
    self.assertLen(traces, 1)
    for i, row in enumerate(found):
      wanted = [
        float(
          oracle(
            step,
            peak_value=peaks[i],
            total_steps=8,
            profile=functools.partial(rex, beta=exact(betas[i])),
            end_value=ends[i],
            init_value=inits[i],
            warmup_steps=3,
          )
        )
        for step in range(10)
      ]
      np.testing.assert_allclose(row, wanted, rtol=1e-6)


class ErrorsTest(parameterized.TestCase):
  @parameterized.parameters(
    (
      {"profile": "rexx"},
      "profile must be callable or one of rex, linear, cosine, exponential,"
      " constant, inverse, one_minus_sqrt, polynomial, uba, got 'rexx'. Did you"
      " mean 'rex'?",
    ),
    ({"profile": 3}, "profile must be callable or one of rex"),
    (
      {"profile": "polynomial"},
      "profile 'polynomial' has no default shape; pass the callable"
      " polynomial_profile(power) in place of the name.",
    ),
    (
      {"profile": "uba"},
      "profile 'uba' has no default shape; pass the callable uba_profile(phi)"
      " in place of the name.",
    ),
    *(
      (
        {"sampling": sampling},
        'sampling must be "every", increasing percentages in (0, 100) such as'
        ' "50-75", "k-k" for every k per cent, increasing fractions in (0, 1),'
        f" or a number of steps, got {sampling!r}.",
      )
      for sampling in (
        "often",
        "75-50",
        "0-50",
        "0-0",
        "100",
        "50-75-75",
        [0.5, 0.5],
        [0.0, 0.5],
        [0.5, 1.0],
        [float("nan")],
        0.5,
        None,
      )
    ),
    ({"sampling": 0}, "sampling must be an integer >= 1, got 0."),
    ({"sampling": True}, "sampling must be an integer >= 1, got True."),
    ({"peak_value": -1.0}, "peak_value must be in [0, inf), got -1.0."),
    ({"end_value": 2.0}, "peak_value must be >= end_value, got peak_value=1.0"),
    ({"init_value": -1.0}, "init_value must be in [0, inf), got -1.0."),
    ({"total_steps": 0}, "total_steps must be an integer >= 1, got 0."),
    ({"warmup_steps": 10}, "total_steps must be an integer >= 11, got 10."),
    ({"num_phases": 11}, "num_phases must be at most the number of steps"),
    ({"phase_boundaries": [5, 5]}, "phase_boundaries must be increasing"),
    (
      {"peak_value": [1.0, 2.0]},
      "peak_value must be a scalar or have one entry for each of the 1 phases",
    ),
  )
  def test_made_with_a_bad_argument(self, options, text):
    options = {"profile": "rex", "peak_value": 1.0, "total_steps": 10} | options
    with self.assertRaises(ValueError) as error:
      optax_stepsize.budgeted(**options)
    self.assertStartsWith(str(error.exception), f"budgeted: {text}")

  @parameterized.parameters(
    ("rex_schedule", {"beta": 1.0}, "beta must be in (-inf, 1), got 1.0."),
    ("rex_schedule", {"peak_value": -1.0}, "peak_value must be in [0, inf)"),
    ("linear_decay_schedule", {"offset": -1}, "offset must be an integer >= 0"),
    ("linear_decay_schedule", {"offset": 0.5}, "offset must be an integer"),
    ("linear_decay_schedule", {"total_steps": 0}, "total_steps must be an in"),
    ("linear_decay_schedule", {"peak_value": -1.0}, "peak_value must be in"),
  )
  def test_errors_name_the_function(self, name, options, text):
    options = {"peak_value": 1.0, "total_steps": 10} | options
    with self.assertRaises(ValueError) as error:
      getattr(optax_stepsize, name)(**options)
    self.assertStartsWith(str(error.exception), f"{name}: {text}")


if __name__ == "__main__":
  absltest.main()
