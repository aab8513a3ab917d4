# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `cyclical_schedule`, its momentum and its ends of cycles."""

from absl.testing import absltest
from absl.testing import parameterized
import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize

MODES = ("triangular", "triangular2", "exp_range")
BASE, MAX, GAMMA = (float(np.float32(x)) for x in (0.001, 0.006, 0.99994))


def oracle(step, *, base, top, up, down, mode="triangular", gamma=1.0):
  """The rate of one step, from exact integers."""
  cycle, k = divmod(step, up + down)
  height = k / up if k <= up else (up + down - k) / down
  scale = {"triangular": 1.0, "exp_range": gamma**step}
  scale["triangular2"] = 2.0 ** -min(cycle, 1000)
  return base + (top - base) * height * scale[mode]


def rates(schedule, steps):
  return np.asarray(schedule(jnp.asarray(steps)))


class OracleTest(parameterized.TestCase):
  @parameterized.product(
    lengths=(
      (4, 4),
      (3, 7),
      (1000, 500),
      (2**24 + 5, 7),
      (2**30 + 1, 2**30 - 1),
      (2**31 - 1, 2**31 - 1),
      (1, 2**31 - 2),
    ),
    mode=MODES,
  )
  def test_float32_at_extreme_steps(self, lengths, mode):
    up, down = lengths
    length = up + down
    steps = {0, 1, 2**24 + 1, 2**31 - 2, up - 1, up, up + 1}
    steps |= {k * length + d for k in (1, 2, 30) for d in (-1, 0, 1, up)}
    last = (2**31 - 2) // length * length
    steps |= {last - 1, last, last + 1, last + up}
    steps = sorted(step for step in steps if 0 <= step < 2**31 - 1)
    for base in (0.0, BASE):
      schedule = optax_stepsize.cyclical_schedule(
        base, MAX, up, step_size_down=down, mode=mode, gamma=GAMMA
      )
      found = rates(schedule, steps)
      self.assertEqual(found.dtype, np.float32)
      wanted = [
        oracle(
          step, base=base, top=MAX, up=up, down=down, mode=mode, gamma=GAMMA
        )
        for step in steps
      ]
      # Below the least float32 there is zero only.
      np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1.2e-38)

  def test_all_short_cycles(self):
    steps = np.arange(40)
    for up in range(1, 8):
      for down in range(1, 8):
        found = rates(
          optax_stepsize.cyclical_schedule(BASE, MAX, up, step_size_down=down),
          steps,
        )
        wanted = [
          oracle(step, base=BASE, top=MAX, up=up, down=down) for step in steps
        ]
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
        # Both bounds are hit exactly.
        place = steps % (up + down)
        np.testing.assert_array_equal(found[place == 0], np.float32(BASE))
        np.testing.assert_array_equal(found[place == up], np.float32(MAX))

  @hypothesis.given(
    up=st.integers(1, 2**20),
    down=st.integers(1, 2**20),
    step=st.integers(0, 2**31 - 3),
    top=st.floats(0.125, 1, width=32),
  )
  @hypothesis.settings(max_examples=100, deadline=None, database=None)
  def test_between_bounds_and_monotone_in_each_half(self, up, down, step, top):
    schedule = optax_stepsize.cyclical_schedule(
      0.125, top, up, step_size_down=down
    )
    now, then = rates(schedule, [step, step + 1])
    self.assertBetween(now, 0.125, top)
    if step % (up + down) < up:
      self.assertGreaterEqual(then, now)
    else:
      self.assertLessEqual(then, now)


class FactsTest(parameterized.TestCase):
  @parameterized.parameters(
    ({}, 0, ".001 .00225 .0035 .00475 .006 .00475 .0035 .00225 .001"),
    ({"mode": "triangular2"}, 8, ".001 .001625 .00225 .002875 .0035"),
    ({"mode": "triangular2"}, 17, ".0013125"),
    (
      {"mode": "exp_range", "gamma": 0.9},
      0,
      ".001 .002125 .003025 .00373375 .0042805 .0032143375 .0023286025"
      " .0015978711 .001 .0014842756",
    ),
  )
  def test_worked_examples(self, options, first, numbers):
    wanted = [float(x) for x in numbers.split()]
    schedule = optax_stepsize.cyclical_schedule(0.001, 0.006, 4, **options)
    steps = first + np.arange(len(wanted))
    np.testing.assert_allclose(rates(schedule, steps), wanted, atol=6e-11)

  def test_uneven(self):
    schedule = optax_stepsize.cyclical_schedule(0.0, 1.0, 2, step_size_down=6)
    wanted = [0, 0.5, 1, 5 / 6, 4 / 6, 0.5, 2 / 6, 1 / 6, 0]
    np.testing.assert_allclose(rates(schedule, range(9)), wanted, rtol=1e-6)

  def test_momentum(self):
    schedule = optax_stepsize.cyclical_momentum_schedule(step_size_up=4)
    wanted = [0.9, 0.875, 0.85, 0.825, 0.8, 0.825]
    np.testing.assert_allclose(rates(schedule, range(6)), wanted, rtol=1e-6)

  @parameterized.product(mode=MODES, down=(None, 9))
  def test_momentum_mirrors_the_rate(self, mode, down):
    options = {"step_size_down": down, "mode": mode, "gamma": 0.97}
    rate = optax_stepsize.cyclical_schedule(0.0, 1.0, 4, **options)
    momentum = optax_stepsize.cyclical_momentum_schedule(0.6, 0.9, 4, **options)
    steps = np.arange(50)
    np.testing.assert_allclose(
      rates(momentum, steps), 0.9 - 0.3 * rates(rate, steps), rtol=1e-6
    )

  def test_mean_of_a_cycle(self):
    schedule = optax_stepsize.cyclical_schedule(0.1, 0.7, 5, step_size_down=8)
    np.testing.assert_allclose(
      np.mean(rates(schedule, range(13)), dtype=np.float64), 0.4, rtol=1e-6
    )

  def test_momentum_of_torch_by_default(self):
    schedule = optax_stepsize.cyclical_momentum_schedule()
    np.testing.assert_allclose(
      rates(schedule, [0, 2000, 4000]), [0.9, 0.8, 0.9], rtol=1e-6
    )

  def test_ends(self):
    ends = optax_stepsize.cycle_end_steps
    self.assertEqual(ends(31, 4), (8, 16, 24))
    self.assertEqual(ends(32, 4), (8, 16, 24, 32))
    self.assertEqual(ends(20, 2, step_size_down=6), (8, 16))
    self.assertEqual(ends(7, 4), ())
    schedule = optax_stepsize.cyclical_schedule(0.1, 1.0, 2, step_size_down=6)
    for end in ends(100, 2, step_size_down=6):
      self.assertEqual(schedule(end), np.float32(0.1))


class ScaleTest(parameterized.TestCase):
  def test_receives_cycles_from_one_and_steps_from_zero(self):
    for mode, wanted in (
      ("cycle", np.arange(9) // 4 + 1),
      ("iterations", None),
    ):
      seen = []

      def scale(x, seen=seen):
        seen.append(np.asarray(x))
        return 0.5

      schedule = optax_stepsize.cyclical_schedule(
        0.0, 1.0, 2, scale_fn=scale, scale_mode=mode, mode="triangular2"
      )
      found = rates(schedule, range(9))
      np.testing.assert_allclose(found[:4], [0, 0.25, 0.5, 0.25])
      np.testing.assert_array_equal(
        seen[0], np.arange(9) if wanted is None else wanted
      )

  def test_equals_the_modes(self):
    for mode, scale_mode, scale in (
      ("triangular2", "cycle", lambda c: 0.5 ** (c - 1)),
      ("exp_range", "iterations", lambda t: 0.9**t),
    ):
      ours = optax_stepsize.cyclical_schedule(0.1, 1.0, 3, mode=mode, gamma=0.9)
      other = optax_stepsize.cyclical_schedule(
        0.1, 1.0, 3, scale_fn=scale, scale_mode=scale_mode
      )
      np.testing.assert_allclose(
        rates(ours, range(30)), rates(other, range(30)), rtol=1e-6
      )


class CompositionTest(parameterized.TestCase):
  @parameterized.parameters(*MODES)
  def test_traced_numbers_and_counts(self, mode):
    def rate(base, top, gamma, count):
      return optax_stepsize.cyclical_schedule(
        base, top, 3, step_size_down=4, mode=mode, gamma=gamma
      )(count)

    counts = jnp.arange(20)
    bases, tops = jnp.array([0.0, 0.5]), jnp.array([1.0, 3.0])
    gammas = jnp.array([0.9, 0.5])
    found = jax.jit(jax.vmap(rate, (0, 0, 0, None)))(
      bases, tops, gammas, counts
    )
    for i in range(2):
      wanted = [
        oracle(
          step,
          base=float(bases[i]),
          top=float(tops[i]),
          up=3,
          down=4,
          mode=mode,
          gamma=float(gammas[i]),
        )
        for step in range(20)
      ]
      np.testing.assert_allclose(found[i], wanted, rtol=2e-6)

  def test_counts_of_any_kind(self):
    schedule = optax_stepsize.cyclical_schedule(0.1, 1.0, 3, mode="triangular2")
    line = schedule(jnp.arange(12))
    np.testing.assert_array_equal(
      schedule(jnp.arange(12).reshape(3, 4)), line.reshape(3, 4)
    )
    for kind in (int, np.int64, jnp.int32, jnp.uint32, jnp.int16):
      found = schedule(kind(7))
      self.assertEqual((found.dtype, found.shape), (jnp.float32, ()))
      self.assertAlmostEqual(found, line[7], delta=1e-7)
    self.assertEqual(schedule(-5), schedule(0))

  def test_scale_by_schedule_and_join_schedules(self):
    schedule = optax_stepsize.cyclical_schedule(0.1, 1.0, 2)
    tx = optax.scale_by_schedule(schedule)
    state = tx.init(jnp.ones(2))
    for step in range(6):
      updates, state = tx.update(jnp.ones(2), state)
      np.testing.assert_allclose(updates, schedule(step), rtol=1e-6)
    joined = optax.join_schedules([schedule, schedule], [3])
    wanted = [*range(3), *range(5)]
    self.assertEqual(
      [joined(jnp.asarray(t)) for t in range(8)], [schedule(t) for t in wanted]
    )

  def test_drives_rate_and_momentum(self):
    rate = optax_stepsize.cyclical_schedule(0.01, 0.1, 3)
    momentum = optax_stepsize.cyclical_momentum_schedule(0.5, 0.9, 3)
    tx = optax.inject_hyperparams(optax.sgd)(
      learning_rate=rate, momentum=momentum
    )
    with jax.numpy_dtype_promotion("standard"):
      state, update = tx.init(jnp.ones(2)), jax.jit(tx.update)
      trace = np.zeros(2)
      for step in range(9):
        updates, state = update(jnp.ones(2), state)
        trace = 1 + float(momentum(step)) * trace
        np.testing.assert_allclose(updates, -float(rate(step)) * trace, 1e-5)


class ErrorTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"base_value": -1.0}, "base_value must be in [0, inf), got -1.0."),
    ({"base_value": 2.0}, "max_value must be >= base_value=2.0, got 1.0."),
    ({"max_value": float("nan")}, "max_value must be in [0, inf), got nan."),
    ({"step_size_up": 0}, "step_size_up must be an integer >= 1, got 0."),
    ({"step_size_up": 2.0}, "step_size_up must be an integer >= 1, got 2.0."),
    ({"step_size_down": 0}, "step_size_down must be an integer >= 1, got 0."),
    ({"gamma": 0.0}, "gamma must be in (0, 1], got 0.0."),
    ({"gamma": 1.1}, "gamma must be in (0, 1], got 1.1."),
    (
      {"mode": "square"},
      "mode must be one of 'triangular', 'triangular2', 'exp_range', got"
      " 'square'.",
    ),
    (
      {"scale_mode": "step"},
      "scale_mode must be one of 'cycle', 'iterations', got 'step'.",
    ),
  )
  def test_schedule(self, wrong, text):
    options = {"base_value": 0.1, "max_value": 1.0, "step_size_up": 4}
    with self.assertRaises(ValueError) as error:
      optax_stepsize.cyclical_schedule(**options | wrong)
    self.assertEqual(str(error.exception), f"cyclical_schedule: {text}")

  @parameterized.parameters(
    ({"base_momentum": 1.0}, "base_momentum must be in [0, 1), got 1.0."),
    ({"max_momentum": -0.1}, "max_momentum must be in [0, 1), got -0.1."),
    (
      {"base_momentum": 0.95},
      "max_momentum must be >= base_momentum=0.95, got 0.9.",
    ),
    ({"step_size_up": 0}, "step_size_up must be an integer >= 1, got 0."),
  )
  def test_momentum(self, wrong, text):
    with self.assertRaises(ValueError) as error:
      optax_stepsize.cyclical_momentum_schedule(**wrong)
    self.assertEqual(
      str(error.exception), f"cyclical_momentum_schedule: {text}"
    )

  @parameterized.parameters(
    ((-1, 4), {}, "total_steps must be an integer >= 0, got -1."),
    ((9, 0), {}, "step_size_up must be an integer >= 1, got 0."),
    (
      (9, 1),
      {"step_size_down": 0},
      "step_size_down must be an integer >= 1, got 0.",
    ),
  )
  def test_ends(self, given, options, text):
    with self.assertRaises(ValueError) as error:
      optax_stepsize.cycle_end_steps(*given, **options)
    self.assertEqual(str(error.exception), f"cycle_end_steps: {text}")


if __name__ == "__main__":
  absltest.main()
