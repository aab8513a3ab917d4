# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `one_cycle` and `smith_one_cycle`."""

from fractions import Fraction
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

LARGE = 2**24 + 5
LARGEST = 2**31 - 1


def anneal(first, last, share, form):
  """In float64, from an exact share."""
  if form == "linear":
    return first * float(1 - share) + last * float(share)
  rest = math.sin(math.pi / 2 * float(1 - share)) ** 2
  return first * rest + last * math.sin(math.pi / 2 * float(share)) ** 2


def follow(step, ends, values, form):
  """The value of one step; `ends` are rationals, the first phase from 0."""
  start = Fraction(0)
  for i, end in enumerate(ends):
    if step <= end and end > start:
      share = (step - start) / (end - start)
      return anneal(values[i], values[i + 1], share, form)
    start = end
  return values[-1]


def oracle(step, total, pct, *, form="cos", three=False, div=25.0, final=1e4):
  """The rate for a peak of one."""
  rise = Fraction(pct) * total
  if float(np.float32(float(rise))) == 1:  # one step, in float32
    rise = Fraction(1)
  first = 1 / div
  inner, values = [rise - 1], [first, 1.0]
  if three:
    inner.append(2 * rise - 2)
    values.append(first)
  return follow(step, [*inner, total - 1], [*values, first / final], form)


def smith_oracle(step, total, half, *, div=10.0, final=100.0):
  first = 1 / div
  step = min(step, total - 1)
  return follow(
    step,
    [half, 2 * half, max(total - 1, 2 * half)],
    [first, 1.0, first, first / final],
    "linear",
  )


def values(schedule, steps):
  return np.asarray(schedule(jnp.asarray(steps)))


class OracleTest(parameterized.TestCase):
  @parameterized.product(
    total=(10, 1000, LARGE, LARGEST),
    form=("cos", "linear"),
    three=(False, True),
  )
  def test_float32_at_extreme_steps(self, total, form, three):
    @jax.jit
    def rates(pct, steps):
      return optax_stepsize.one_cycle(
        1.0, total, pct_start=pct, anneal=form, three_phase=three
      ).learning_rate(steps)

    shares = (0.3, 0.11, 0.4999) if three else (0.3, 0.11, 0.5, 0.97)
    for share in shares:
      pct = np.float32(share)
      rise = int(float(pct) * total)
      steps = {0, 1, total - 2, total - 1, total, total + 1, 2**24 + 1}
      steps |= {2**31 - 2, rise // 2, total // 2, 2 * total // 3}
      steps |= {k * rise + d for k in (1, 2) for d in range(-4, 3)}
      steps = sorted(step for step in steps if 0 <= step < 2**31 - 1)
      padded = np.resize(np.asarray(steps, np.int32), 30)
      found = rates(jnp.asarray(pct), padded)
      self.assertEqual(found.dtype, jnp.float32)
      wanted = [
        oracle(int(step), total, float(pct), form=form, three=three)
        for step in padded
      ]
      np.testing.assert_allclose(found, wanted, rtol=1e-6, err_msg=str(share))

  @parameterized.product(form=("cos", "linear"), three=(False, True))
  def test_all_small_budgets(self, form, three):
    steps = np.arange(14)
    for total in range(2, 13):
      for pct in (0.02, 0.1, 0.125, 0.25, 1 / 3, 0.45, 0.5, 0.9):
        if three and not 1 < pct * total < (total + 1) / 2:
          continue
        cycle = optax_stepsize.one_cycle(
          1.0, total, pct_start=pct, anneal=form, three_phase=three
        )
        found = values(cycle.learning_rate, steps)
        wanted = [
          oracle(int(step), total, pct, form=form, three=three)
          for step in steps
        ]
        message = f"total_steps={total} pct_start={pct}"
        np.testing.assert_allclose(found, wanted, rtol=1e-6, err_msg=message)
        end = np.float32(1 / 25) / np.float32(1e4)
        np.testing.assert_array_equal(found[total - 1 :], end)
        if pct * total > 1:
          self.assertEqual(found[0], np.float32(1 / 25))

  def test_smith_all_small_budgets(self):
    steps = np.arange(15)
    for total in range(2, 13):
      for fraction in (0.3, 0.5, 0.9, 1.0):
        half = math.floor(fraction * total / 2)
        if not half:
          continue
        cycle = optax_stepsize.smith_one_cycle(
          1.0, total, cycle_fraction=fraction
        )
        found = values(cycle.learning_rate, steps)
        wanted = [smith_oracle(int(step), total, half) for step in steps]
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
        self.assertEqual(found[0], np.float32(0.1))
        np.testing.assert_array_equal(found[total - 1 :], found[total - 1])

  @parameterized.parameters(20, LARGE, LARGEST)
  def test_smith_at_extreme_steps(self, total):
    half = math.floor(0.9 * total / 2)
    steps = {0, 1, half - 1, half, half + 1, 2 * half - 1, 2 * half}
    steps |= {2 * half + 1, total - 2, total - 1, total, 2**24 + 1, 2**31 - 2}
    steps = sorted(step for step in steps if step < 2**31 - 1)
    cycle = optax_stepsize.smith_one_cycle(1.0, total)
    wanted = [smith_oracle(step, total, half) for step in steps]
    np.testing.assert_allclose(
      values(cycle.learning_rate, steps), wanted, rtol=1e-6
    )

  @hypothesis.given(
    step=st.integers(0, 999),
    pct=st.floats(0.0625, 0.46875, width=32),
    linear=st.booleans(),
    three=st.booleans(),
  )
  @hypothesis.settings(max_examples=80, deadline=None, database=None)
  def test_momentum_goes_against_the_rate(self, step, pct, linear, three):
    cycle = optax_stepsize.one_cycle(
      0.7,
      1000,
      pct_start=pct,
      anneal="linear" if linear else "cos",
      three_phase=three,
    )
    rate = np.diff(values(cycle.learning_rate, [step, step + 1]))[0]
    momentum = np.diff(values(cycle.momentum, [step, step + 1]))[0]
    # But for the step in which the peak lies.
    if not math.floor(pct * 1000 - 1) <= step <= math.ceil(pct * 1000 - 1):
      self.assertLessEqual(float(rate) * float(momentum), 0)
      if step < pct * 1000 - 2:
        self.assertGreater(rate, 0)


class FactsTest(parameterized.TestCase):
  @parameterized.parameters(
    (
      {},
      ".04 .52 1 .950484632 .811745654 .611262022 .388741978 .188258346"
      " .049519368 .000004",
      ".95 .9 .85 .854951557 .868825510 .888873953 .911126047 .931174490"
      " .945048443 .95",
    ),
    (
      {"three_phase": True},
      ".04 .52 1 .52 .04 .036180722 .026181722 .013822278 .003823278 .000004",
      ".95 .9 .85 .9 .95 .95 .95 .95 .95 .95",
    ),
    (
      {"anneal": "linear"},
      ".04 .52 1 .857143429 .714286857 .571430286 .428573714 .285717143"
      " .142860571 .000004",
      ".95 .9 .85 .864285714 .878571429 .892857143 .907142857 .921428571"
      " .935714286 .95",
    ),
    (
      {"anneal": "linear", "three_phase": True},
      ".04 .52 1 .52 .04 .0320008 .0240016 .0160024 .0080032 .000004",
      ".95 .9 .85 .9 .95 .95 .95 .95 .95 .95",
    ),
  )
  def test_worked_examples(self, options, rates, momenta):
    cycle = optax_stepsize.one_cycle(1.0, 10, **options)
    for schedule, numbers in zip(cycle, (rates, momenta), strict=True):
      wanted = [float(x) for x in numbers.split()]
      found = values(schedule, range(10))
      np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=6e-10)

  def test_constant_momentum_is_exact(self):
    cycle = optax_stepsize.one_cycle(1.0, 100, three_phase=True)
    np.testing.assert_array_equal(
      values(cycle.momentum, range(60, 110)), np.float32(0.95)
    )

  def test_optax_is_a_step_late_after_the_peak_and_another_before(self):
    ours = optax_stepsize.one_cycle(1.0, 10).learning_rate
    theirs = optax.cosine_onecycle_schedule(10, 1.0)
    with jax.numpy_dtype_promotion("standard"):
      other = [theirs(step) for step in range(11)]
    np.testing.assert_allclose(
      other[:5], [0.04, 0.28, 0.76, 1, 0.950484632], rtol=1e-6
    )
    np.testing.assert_allclose(values(ours, range(2, 10)), other[3:], rtol=1e-5)
    self.assertGreater(abs(ours(1) - other[2]), 0.2)

  def test_empty_rise(self):
    # Of one step: the run starts exactly at the peak. Of less: past it.
    for pct, first in ((0.1, 1.0), (0.05, 0.99318063)):
      cycle = optax_stepsize.one_cycle(1.0, 10, pct_start=pct)
      self.assertAlmostEqual(cycle.learning_rate(0), first, delta=1e-6)
    cycle = optax_stepsize.one_cycle(0.7, 10, pct_start=0.1)
    self.assertEqual(cycle.learning_rate(0), np.float32(0.7))
    self.assertEqual(cycle.momentum(0), np.float32(0.85))

    @jax.jit
    def first(pct):
      return optax_stepsize.one_cycle(1.0, 10, pct_start=pct).learning_rate(0)

    self.assertEqual(first(0.1), 1)
    # No phase divides by its length of zero, also backwards.
    slope = jax.grad(
      lambda peak: optax_stepsize.one_cycle(
        peak, 10, pct_start=0.1
      ).learning_rate(4)
    )(1.0)
    self.assertAlmostEqual(slope, cycle.learning_rate(4) / 0.7, delta=1e-5)

  def test_every_share_of_one_step_is_one_step(self):
    for total in range(2, 200):
      cycle = optax_stepsize.one_cycle(1.0, total, pct_start=1 / total)
      self.assertAlmostEqual(cycle.learning_rate(0), 1.0, delta=1e-6)

  def test_smith(self):
    cycle = optax_stepsize.smith_one_cycle(1.0, 20)
    np.testing.assert_allclose(
      values(cycle.learning_rate, [0, 9, 18, 19, 20, 99]),
      [0.1, 1.0, 0.1, 0.001, 0.001, 0.001],
      rtol=1e-6,
    )
    np.testing.assert_allclose(
      values(cycle.momentum, [0, 9, 18, 19]), [0.95, 0.85, 0.95, 0.95], 1e-6
    )

  def test_smith_without_a_tail(self):
    cycle = optax_stepsize.smith_one_cycle(1.0, 10, cycle_fraction=1.0)
    rates = values(cycle.learning_rate, range(13))
    np.testing.assert_allclose(rates[5], 1)
    np.testing.assert_allclose(rates[9:], 0.1 + 0.9 * 0.2, rtol=1e-6)


class CompositionTest(parameterized.TestCase):
  def test_traced_numbers(self):
    def both(peak, pct, div, final, low, high):
      cycle = optax_stepsize.one_cycle(
        peak,
        20,
        pct_start=pct,
        div_factor=div,
        final_div_factor=final,
        base_momentum=low,
        max_momentum=high,
      )
      return [schedule(jnp.arange(22)) for schedule in cycle]

    arguments = [
      jnp.array(x, jnp.float32)
      for x in (
        [1.0, 0.1],
        [0.25, 0.04],
        [25.0, 5.0],
        [1e4, 10.0],
        [0.85, 0.1],
        [0.95, 0.2],
      )
    ]
    found = jax.jit(jax.vmap(both))(*arguments)
    for i in range(2):
      wanted = both(*(float(x[i]) for x in arguments))
      for ours, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours[i], other, rtol=1e-6)

  def test_smith_traced_numbers(self):
    def both(peak, fraction, div, final):
      cycle = optax_stepsize.smith_one_cycle(
        peak,
        20,
        cycle_fraction=fraction,
        div_factor=div,
        final_div_factor=final,
      )
      return [schedule(jnp.arange(22)) for schedule in cycle]

    arguments = [
      jnp.array(x, jnp.float32)
      for x in ([1.0, 0.1], [0.9, 0.7], [10.0, 5.0], [100.0, 7.0])
    ]
    found = jax.jit(jax.vmap(both))(*arguments)
    plain = ((1.0, 0.9, 10.0, 100.0), (0.1, 0.7, 5.0, 7.0))
    for i, given in enumerate(plain):
      for ours, other in zip(found, both(*given), strict=True):
        np.testing.assert_allclose(ours[i], other, rtol=1e-6)

  @parameterized.parameters(
    optax_stepsize.one_cycle, optax_stepsize.smith_one_cycle
  )
  def test_drives_rate_and_momentum(self, make):
    rate, momentum = make(0.1, 12)
    tx = optax.inject_hyperparams(optax.sgd)(
      learning_rate=rate, momentum=momentum
    )
    adam = optax.inject_hyperparams(optax.adam)(learning_rate=rate, b1=momentum)
    with jax.numpy_dtype_promotion("standard"):
      adam.update(jnp.ones(2), adam.init(jnp.ones(2)))
      state, update = tx.init(jnp.ones(2)), jax.jit(tx.update)
      trace = np.zeros(2)
      for step in range(14):
        updates, state = update(jnp.ones(2), state)
        trace = 1 + float(momentum(step)) * trace
        np.testing.assert_allclose(updates, -float(rate(step)) * trace, 1e-5)

  def test_scale_by_schedule_and_join_schedules(self):
    schedule = optax_stepsize.one_cycle(1.0, 5).learning_rate
    tx = optax.scale_by_schedule(schedule)
    state = tx.init(jnp.ones(2))
    for step in range(7):
      updates, state = tx.update(jnp.ones(2), state)
      np.testing.assert_allclose(updates, schedule(step), rtol=1e-6)
    joined = optax.join_schedules([schedule, schedule], [5])
    for step in range(12):
      wanted = schedule(step % 5 if step < 10 else step - 5)
      self.assertEqual(joined(jnp.asarray(step)), wanted)

  def test_counts_of_any_kind(self):
    for make in (optax_stepsize.one_cycle, optax_stepsize.smith_one_cycle):
      for schedule in make(1.0, 9):
        line = schedule(jnp.arange(12))
        square = schedule(jnp.arange(12).reshape(3, 4))
        np.testing.assert_array_equal(square, line.reshape(3, 4))
        for kind in (int, np.int64, jnp.int32, jnp.uint32, jnp.int16):
          found = schedule(kind(7))
          self.assertEqual((found.dtype, found.shape), (jnp.float32, ()))
          self.assertAlmostEqual(found, line[7], delta=1e-7)
        self.assertEqual(schedule(-5), schedule(0))


class ErrorTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"peak_value": 0.0}, "peak_value must be in (0, inf), got 0.0."),
    ({"total_steps": 1}, "total_steps must be an integer >= 2, got 1."),
    ({"pct_start": 0.0}, "pct_start must be in (0, 1), got 0.0."),
    ({"pct_start": 1.0}, "pct_start must be in (0, 1), got 1.0."),
    ({"anneal": "exp"}, "anneal must be one of 'cos', 'linear', got 'exp'."),
    ({"three_phase": 2}, "three_phase must be one of False, True, got 2."),
    ({"div_factor": 0.0}, "div_factor must be in (0, inf), got 0.0."),
    (
      {"final_div_factor": -1.0},
      "final_div_factor must be in (0, inf), got -1.0.",
    ),
    ({"base_momentum": -0.1}, "base_momentum must be in [0, 1), got -0.1."),
    ({"max_momentum": 1.0}, "max_momentum must be in [0, 1), got 1.0."),
    (
      {"max_momentum": 0.5},
      "max_momentum must be >= base_momentum=0.85, got 0.5.",
    ),
    (
      {"three_phase": True, "pct_start": 0.1},
      "three_phase needs pct_start * total_steps in (1, 5.5), got"
      " pct_start=0.1 and total_steps=10.",
    ),
    (
      {"three_phase": True, "pct_start": 0.55},
      "three_phase needs pct_start * total_steps in (1, 5.5), got"
      " pct_start=0.55 and total_steps=10.",
    ),
  )
  def test_one_cycle(self, wrong, text):
    options = {"peak_value": 1.0, "total_steps": 10}
    with self.assertRaises(ValueError) as error:
      optax_stepsize.one_cycle(**options | wrong)
    self.assertEqual(str(error.exception), f"one_cycle: {text}")

  @parameterized.parameters(
    ({"peak_value": -1.0}, "peak_value must be in (0, inf), got -1.0."),
    ({"total_steps": 1}, "total_steps must be an integer >= 2, got 1."),
    ({"cycle_fraction": 0.0}, "cycle_fraction must be in (0, 1], got 0.0."),
    ({"cycle_fraction": 1.5}, "cycle_fraction must be in (0, 1], got 1.5."),
    (
      {"cycle_fraction": 0.1},
      "cycle_fraction * total_steps must be >= 2, got cycle_fraction=0.1 and"
      " total_steps=10.",
    ),
    ({"base_momentum": 1.0}, "base_momentum must be in [0, 1), got 1.0."),
  )
  def test_smith(self, wrong, text):
    options = {"peak_value": 1.0, "total_steps": 10}
    with self.assertRaises(ValueError) as error:
      optax_stepsize.smith_one_cycle(**options | wrong)
    self.assertEqual(str(error.exception), f"smith_one_cycle: {text}")


if __name__ == "__main__":
  absltest.main()
