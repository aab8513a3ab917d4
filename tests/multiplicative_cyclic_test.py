# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `multiplicative_cyclic_schedule`, `cycle_ends`, `tradeoff_curve`."""

import itertools
import math

from absl.testing import absltest
from absl.testing import parameterized
import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize

make = optax_stepsize.multiplicative_cyclic_schedule
PEAK, END = (float(np.float32(x)) for x in (0.3, 0.001))


def cycle_of(step, first, multiplier):
  """Step in the cycle and its length, by walking through all of them."""
  number = 0
  while True:
    length = round(first * multiplier**number)
    if step < length:
      return step, length
    step -= length
    number += 1


def oracle(step, first, multiplier, *, peak=1.0, end=0.0, warmup=0, mode=None):
  if mode == "before":
    if step < warmup:
      return peak * step / warmup
    step -= warmup
  k, length = cycle_of(step, first, multiplier)
  share = math.sin(math.pi / 2 * (length - k) / length) ** 2
  rise = min(step / warmup, 1) if mode == "inside" and warmup else 1
  return rise * (end + (peak - end) * share)


def rates(schedule, steps):
  return np.asarray(schedule(jnp.asarray(steps)))


class OracleTest(parameterized.TestCase):
  @parameterized.parameters(
    (4, 2.0),
    (1, 2.0),
    (6, 1.5),
    (7, 1.01),
    (3, 10.0),
    (2**24 + 5, 2.0),
    (2**31 - 3, 2.0),
    (2**31 - 1, 3.0),
    (1000, 3.0),
  )
  def test_float32_at_extreme_steps(self, first, multiplier):
    ends = optax_stepsize.cycle_ends(first, multiplier, 2**31 - 2)
    steps = {0, 1, 2**24 + 1, 2**30, 2**31 - 3, 2**31 - 2}
    steps |= {end + d for end in ends[-40:] for d in (-2, -1, 0, 1)}
    steps = sorted(step for step in steps if 0 <= step < 2**31 - 1)
    for end in (0.0, END):
      schedule = make(PEAK, first, multiplier=multiplier, end_value=end)
      found = rates(schedule, steps)
      self.assertEqual(found.dtype, np.float32)
      wanted = [
        oracle(step, first, multiplier, peak=PEAK, end=end) for step in steps
      ]
      np.testing.assert_allclose(found, wanted, rtol=1e-6)

  def test_constant_period_at_extreme_steps(self):
    for first in (1, 7, 2**24 + 5, 2**31 - 1):
      steps = [0, 1, 2**24 + 1, 2**31 - 3, 2**31 - 2]
      wanted = [
        math.sin(math.pi / 2 * (1 - step % first / first)) ** 2
        for step in steps
      ]
      found = rates(make(1.0, first, multiplier=1.0), steps)
      np.testing.assert_allclose(found, wanted, rtol=1e-6, err_msg=str(first))

  def test_all_short_cycles(self):
    steps = np.arange(60)
    for first in range(1, 9):
      for multiplier in (1, 1.25, 2, 3.0):
        schedule = make(PEAK, first, multiplier=multiplier, end_value=END)
        found = rates(schedule, steps)
        wanted = [
          oracle(int(step), first, multiplier, peak=PEAK, end=END)
          for step in steps
        ]
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
        ends = optax_stepsize.cycle_ends(first, multiplier, 59)
        # Each cycle starts at the peak, exactly.
        np.testing.assert_array_equal(found[[0, *ends]], np.float32(PEAK))
        places = [cycle_of(int(step), first, multiplier)[0] for step in steps]
        self.assertEqual(ends, tuple(s for s in range(1, 60) if places[s] == 0))

  @parameterized.parameters("inside", "before")
  def test_all_warmups(self, mode):
    steps = np.arange(30)
    for first in (1, 4, 6):
      for warmup in range(first + 1):
        schedule = make(
          PEAK, first, end_value=END, warmup_steps=warmup, warmup_mode=mode
        )
        options = {"peak": PEAK, "end": END, "warmup": warmup, "mode": mode}
        wanted = [oracle(int(s), first, 2.0, **options) for s in steps]
        np.testing.assert_allclose(rates(schedule, steps), wanted, rtol=1e-6)

  @hypothesis.given(
    first=st.integers(1, 10**6),
    multiplier=st.floats(1.05, 4),
    step=st.integers(0, 2**31 - 3),
  )
  @hypothesis.settings(max_examples=25, deadline=None, database=None)
  def test_falls_in_a_cycle_and_restarts_at_the_peak(
    self, first, multiplier, step
  ):
    schedule = make(1.0, first, multiplier=multiplier, end_value=0.125)
    now, then = rates(schedule, [step, step + 1])
    k, length = cycle_of(step, first, multiplier)
    if k + 1 == length:
      self.assertEqual(then, 1)
    else:
      self.assertLessEqual(then, now)
    self.assertBetween(now, 0.125, 1)


class FactsTest(parameterized.TestCase):
  def test_worked_example(self):
    wanted = (
      "1 .853553391 .5 .146446609 1 .961939766 .853553391 .691341716 .5"
      " .308658284 .146446609 .038060234 1"
    )
    np.testing.assert_allclose(
      rates(make(1.0, 4), range(13)),
      [float(x) for x in wanted.split()],
      rtol=1e-6,
    )

  def test_ends(self):
    ends = optax_stepsize.cycle_ends
    self.assertEqual(ends(8, 2, 248), (8, 24, 56, 120, 248))
    self.assertEqual(ends(8, 2.0, 247), (8, 24, 56, 120))
    self.assertEqual(ends(6, 1.5, 79), (6, 15, 29, 49, 79))
    self.assertEqual(ends(3, 1, 10), (3, 6, 9))
    self.assertEqual(ends(8, 2, 7), ())
    self.assertEqual(ends(8, 2, 0), ())
    # One run in place of five.
    self.assertEqual(sum(ends(8, 2, 248)), 456)

  @parameterized.product(
    first=(1, 4, 7), multiplier=(1, 1.5, 2), end=(0.0, 0.2)
  )
  def test_mean_of_a_cycle(self, first, multiplier, end):
    found = rates(
      make(1.0, first, multiplier=multiplier, end_value=end), range(100)
    )
    edges = [0, *optax_stepsize.cycle_ends(first, multiplier, 99)]
    for low, high in itertools.pairwise(edges):
      mean = end + (1 - end) * (0.5 + 0.5 / (high - low))
      np.testing.assert_allclose(
        np.mean(found[low:high], dtype=np.float64), mean, rtol=1e-6
      )

  def test_constant_period_is_a_sawtooth_of_cosines(self):
    found = rates(make(1.0, 6, multiplier=1), range(18)).reshape(3, 6)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])

  def test_first_cycle_is_cosine_decay(self):
    cosine = optax.cosine_decay_schedule(1.0, 8, alpha=0.1)
    ours = make(1.0, 8, end_value=0.1)
    wanted = [float(cosine(step)) for step in range(8)]
    np.testing.assert_allclose(rates(ours, range(8)), wanted, rtol=1e-6)
    self.assertAlmostEqual(float(cosine(8)), 0.1, delta=1e-7)
    self.assertEqual(ours(8), 1)


class DecayTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("callable", lambda p: 1 - p),
    ("name", "linear"),
    ("profile", optax_stepsize.linear_profile()),
  )
  def test_linear(self, decay):
    found = rates(make(1.0, 4, end_value=0.2, decay=decay), range(12))
    left = [*np.arange(4, 0, -1) / 4, *np.arange(8, 0, -1) / 8]
    np.testing.assert_allclose(found, 0.2 + 0.8 * np.array(left), rtol=1e-6)

  def test_every_profile_starts_at_the_peak(self):
    for profile in (
      optax_stepsize.rex_profile(),
      optax_stepsize.uba_profile(phi=1.0),
      optax_stepsize.polynomial_profile(2.0),
      optax_stepsize.exponential_profile(0.01),
      optax_stepsize.one_minus_sqrt_profile(),
    ):
      found = rates(make(0.7, 50, decay=profile), range(150))
      np.testing.assert_array_equal(found[[0, 50]], np.float32(0.7))
      steps = jnp.arange(100)
      wanted = 0.7 * np.asarray(profile.at(steps, 100 - steps))
      np.testing.assert_allclose(found[50:], wanted, rtol=1e-6)

  def test_unknown(self):
    with self.assertRaisesRegex(ValueError, "Did you mean 'cosine'"):
      make(1.0, 4, decay="cosin")


class CompositionTest(parameterized.TestCase):
  @parameterized.product(mode=("inside", "before"), multiplier=(1, 2))
  def test_traced_numbers(self, mode, multiplier):
    def rate(peak, end, counts):
      return make(
        peak,
        4,
        multiplier=multiplier,
        end_value=end,
        warmup_steps=3,
        warmup_mode=mode,
      )(counts)

    counts = jnp.arange(16)
    peaks, ends = jnp.array([1.0, 0.5]), jnp.array([0.0, 0.2])
    found = jax.jit(jax.vmap(rate, (0, 0, None)))(peaks, ends, counts)
    for i in range(2):
      wanted = rate(float(peaks[i]), float(ends[i]), counts)
      np.testing.assert_allclose(found[i], wanted, rtol=1e-6)

  def test_counts_of_any_kind(self):
    schedule = make(1.0, 3, end_value=0.1)
    line = schedule(jnp.arange(12))
    np.testing.assert_allclose(
      schedule(jnp.arange(12).reshape(3, 4)), line.reshape(3, 4), rtol=1e-6
    )
    for kind in (int, np.int64, jnp.int32, jnp.uint32, jnp.int16):
      found = schedule(kind(7))
      self.assertEqual((found.dtype, found.shape), (jnp.float32, ()))
      self.assertAlmostEqual(float(found), float(line[7]), delta=1e-7)
    self.assertEqual(schedule(-5), schedule(0))

  def test_optax(self):
    schedule = make(1.0, 2)
    tx = optax.scale_by_schedule(schedule)
    outer = optax.inject_hyperparams(optax.scale)(step_size=schedule)
    with jax.numpy_dtype_promotion("standard"):
      state, injected = tx.init(jnp.ones(2)), outer.init(jnp.ones(2))
      for step in range(7):
        updates, state = tx.update(jnp.ones(2), state)
        np.testing.assert_allclose(updates, schedule(step), rtol=1e-6)
        updates, injected = outer.update(jnp.ones(2), injected)
        np.testing.assert_allclose(updates, schedule(step), rtol=1e-6)
    joined = optax.join_schedules([schedule, schedule], [3])
    for step in range(8):
      wanted = schedule(step if step < 3 else step - 3)
      self.assertEqual(joined(jnp.asarray(step)), wanted)


class TradeoffCurveTest(parameterized.TestCase):
  def test_ends_and_a_run_that_stops_inside_a_cycle(self):
    steps, metrics = range(1, 31), np.linspace(0, 1, 30)
    ends = optax_stepsize.cycle_ends(8, 2, 100)
    found = optax_stepsize.tradeoff_curve(steps, metrics, ends)
    point = optax_stepsize.CyclePoint
    self.assertEqual(
      found,
      [point(0, 8, metrics[7]), point(1, 24, metrics[23]), point(-1, 30, 1.0)],
    )
    found = optax_stepsize.tradeoff_curve(steps[:24], metrics[:24], ends)
    self.assertEqual([(p.cycle, p.step) for p in found], [(0, 8), (1, 24)])
    found = optax_stepsize.tradeoff_curve(steps[:5], metrics[:5], ends)
    self.assertEqual(found, [point(-1, 5, metrics[4])])

  @parameterized.parameters(
    ("max", 0, 0.5), ("max", 1, 0.9), ("min", 0, 0.5), ("min", 2, 0.1)
  )
  def test_window(self, mode, window, wanted):
    steps = [2, 4, 6, 8, 10, 12]
    metrics = [0.1, 0.3, 0.9, 0.5, 0.4, 0.1]
    found = optax_stepsize.tradeoff_curve(
      steps, metrics, [8], window=window, mode=mode
    )
    self.assertEqual(found[0], (0, 8, wanted))

  def test_window_stops_at_the_ends_of_the_run(self):
    found = optax_stepsize.tradeoff_curve([1, 2], [0.2, 0.1], [1, 2], window=9)
    self.assertEqual([p.metric for p in found], [0.2, 0.2])

  def test_evaluations_around_an_end(self):
    found = optax_stepsize.tradeoff_curve(
      [5, 10, 15], [0.1, 0.2, 0.4], [8], window=1
    )
    self.assertEqual(found[0], (0, 8, 0.2))

  def test_a_metric_that_is_not_a_number_is_passed_over(self):
    found = optax_stepsize.tradeoff_curve(
      [1, 2, 3], [0.5, math.nan, 0.4], [2, 3], window=1
    )
    self.assertEqual([p.metric for p in found], [0.5, 0.4])


class ErrorTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"peak_value": -1.0}, "peak_value must be in [0, inf), got -1.0."),
    ({"end_value": -1.0}, "end_value must be in [0, inf), got -1.0."),
    ({"end_value": 2.0}, "peak_value must be >= end_value=2.0, got 1.0."),
    (
      {"first_cycle_steps": 0},
      "first_cycle_steps must be an integer >= 1, got 0.",
    ),
    ({"multiplier": 0.5}, "multiplier must be in [1, inf), got 0.5."),
    ({"multiplier": math.inf}, "multiplier must be in [1, inf), got inf."),
    ({"warmup_steps": -1}, "warmup_steps must be an integer >= 0, got -1."),
    (
      {"warmup_steps": 5},
      "warmup_steps must be at most first_cycle_steps=4, got 5.",
    ),
    (
      {"warmup_mode": "after"},
      "warmup_mode must be one of 'inside', 'before', got 'after'.",
    ),
    (
      {"multiplier": 1.0000001},
      "multiplier must be 1, or so large that there are at most 65536 cycles in"
      " 2147483647 steps, got 1.0000001 with first_cycle_steps=4.",
    ),
  )
  def test_schedule(self, wrong, text):
    options = {"peak_value": 1.0, "first_cycle_steps": 4}
    with self.assertRaises(ValueError) as error:
      make(**options | wrong)
    self.assertEqual(
      str(error.exception), f"multiplicative_cyclic_schedule: {text}"
    )

  def test_multiplier_is_static(self):
    with self.assertRaisesRegex(ValueError, "must be a Python number"):
      jax.jit(lambda m: make(1.0, 4, multiplier=m)(0))(2.0)

  @parameterized.parameters(
    ((0, 2, 9), "first_cycle_steps must be an integer >= 1, got 0."),
    ((4, 0.5, 9), "multiplier must be in [1, inf), got 0.5."),
    ((4, 2, -1), "max_steps must be an integer >= 0, got -1."),
  )
  def test_ends(self, given, text):
    with self.assertRaises(ValueError) as error:
      optax_stepsize.cycle_ends(*given)
    self.assertEqual(str(error.exception), f"cycle_ends: {text}")

  @parameterized.parameters(
    (([1, 2], [0.1], [2]), {}, "metrics must have one number for each"),
    (([], [], [2]), {}, "metrics must have one number for each"),
    (([2, 1], [0.1, 0.2], [2]), {}, "eval_steps must be increasing"),
    (([1, 2], [0.1, 0.2], [2, 2]), {}, "cycle_end_steps must be increasing"),
    (([1, 2.5], [0.1, 0.2], [2]), {}, "eval_steps must be an integer >= 0"),
    (([1, 3], [0.1, 0.2], [2]), {}, "got no evaluation at step 2"),
    (([1, 2], [0.1, 0.2], [2]), {"window": -1}, "window must be an integer"),
    (([1, 2], [0.1, 0.2], [2]), {"mode": "best"}, "mode must be one of"),
  )
  def test_curve(self, given, options, text):
    with self.assertRaisesRegex(ValueError, f"tradeoff_curve: .*{text}"):
      optax_stepsize.tradeoff_curve(*given, **options)


if __name__ == "__main__":
  absltest.main()
