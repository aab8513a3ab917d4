# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `uba_schedule` as a schedule: oracles, composition, errors."""

import functools
import math

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

LARGE = 2**24 + 5
LARGEST = 2**31 - 1


def oracle(
  step,
  *,
  peak_value,
  total_steps,
  phi,
  end_value=0.0,
  warmup_steps=0,
  init_value=0.0,
  boundaries=None,
  grid="midpoint",
):
  """The rate of one step in float64, from exact integers."""
  length = total_steps - warmup_steps
  boundaries = boundaries or [0, length]
  phases = len(boundaries) - 1
  peaks, ends, phis = (
    list(x) if isinstance(x, (tuple, list)) else [x] * phases
    for x in (peak_value, end_value, phi)
  )
  if step >= total_steps:
    return ends[-1]
  if step < warmup_steps:
    return init_value + (peaks[0] - init_value) * step / warmup_steps
  n = step - warmup_steps
  k = max(k for k in range(phases) if boundaries[k] <= n)
  left, size = boundaries[k + 1] - n, boundaries[k + 1] - boundaries[k]
  half = 2 * left - 1 if grid == "midpoint" else 2 * left
  angle = math.pi * half / (4 * size)
  rising, falling = math.sin(angle) ** 2, math.cos(angle) ** 2
  share = rising / (rising + phis[k] / 2 * falling)
  return ends[k] + (peaks[k] - ends[k]) * share


def split(length, phases):
  return [k * length // phases for k in range(phases + 1)]


class OracleTest(parameterized.TestCase):
  @parameterized.product(
    total_steps=(10, 1000, LARGE, LARGEST),
    grid=("midpoint", "endpoint"),
    warm=(False, True),
  )
  def test_float32_at_extreme_steps(self, total_steps, grid, warm):
    options = {"total_steps": total_steps, "grid": grid}
    if warm:
      options |= {"warmup_steps": total_steps // 3 + 1, "init_value": 1e-5}
    steps = {0, 1, total_steps - 1, total_steps, total_steps + 1}
    steps |= {total_steps // 2, 3, 2**24 + 1, 2**31 - 2}
    steps = sorted(step for step in steps if step < 2**31)

    @jax.jit
    def rates(peak_value, phi, end_value):
      schedule = optax_stepsize.uba_schedule(
        peak_value, phi=phi, end_value=end_value, **options
      )
      return jnp.stack([schedule(jnp.int32(step)) for step in steps])

    for phi, end in ((0.25, 0.0), (2.0, 0.01), (10.0, 0.0)):
      for step, rate in zip(steps, rates(0.3, phi, end), strict=True):
        wanted = oracle(step, peak_value=0.3, phi=phi, end_value=end, **options)
        self.assertEqual(rate.dtype, jnp.float32)
        self.assertLessEqual(
          abs(float(rate) - wanted), 1e-6 * wanted, (phi, end, step)
        )

  @parameterized.parameters(*range(1, 11))
  def test_all_small_budgets(self, total_steps):
    # Every warm-up and number of phases that fit.
    for warmup in range(total_steps):
      for phases in range(1, total_steps - warmup + 1):
        options = {
          "peak_value": 1.0,
          "total_steps": total_steps,
          "phi": 1.5,
          "end_value": 0.25,
          "warmup_steps": warmup,
          "init_value": 0.125,
        }
        boundaries = split(total_steps - warmup, phases)
        with jax.numpy_rank_promotion("allow"):
          found = optax_stepsize.uba_schedule(num_phases=phases, **options)(
            np.arange(14, dtype=np.int32)
          )
        wanted = [
          oracle(step, boundaries=boundaries, **options) for step in range(14)
        ]
        message = f"warmup_steps={warmup} num_phases={phases}"
        np.testing.assert_allclose(found, wanted, rtol=1e-6, err_msg=message)
        np.testing.assert_array_equal(found[total_steps:], 0.25)
        self.assertEqual(found[0] == 0.125, warmup > 0)

  def test_one_entry_per_phase(self):
    options = {
      "peak_value": [1.0, 0.5, 0.7],
      "total_steps": 20,
      "phi": [0.5, 2.0, 8.0],
      "end_value": (0.1, 0.2, 0.0),
      "warmup_steps": 5,
    }
    schedule = optax_stepsize.uba_schedule(phase_boundaries=[3, 4], **options)
    for step in (0, 4, 5, 7, 8, 9, 14, 19, 20, 99):
      np.testing.assert_allclose(
        schedule(step),
        oracle(step, boundaries=[0, 3, 4, 15], **options),
        rtol=1e-6,
      )
    # Boundaries override the number of phases.
    other = optax_stepsize.uba_schedule(
      phase_boundaries=[3, 4], num_phases=7, **options
    )
    self.assertEqual(other(8), schedule(8))

  def test_small_warmup_from_zero_and_first_rate(self):
    schedule = optax_stepsize.uba_schedule(1.0, 10, 1.0, grid="endpoint")
    self.assertEqual(schedule(0), 1)
    schedule = optax_stepsize.uba_schedule(1.0, 10, 1.0, warmup_steps=4)
    np.testing.assert_allclose(
      [schedule(t) for t in range(4)], [0, 0.25, 0.5, 0.75]
    )

  def test_ends_are_hit_exactly(self):
    for peak, end in ((0.1, 0.01), (3e-4, 7e-6)):
      schedule = optax_stepsize.uba_schedule(
        peak, 7, 0.3, end_value=end, grid="endpoint"
      )
      self.assertEqual(schedule(0), np.float32(peak))
      self.assertEqual(schedule(7), np.float32(end))

  def test_negative_steps_count_as_zero(self):
    schedule = optax_stepsize.uba_schedule(1.0, 9, 1.0, warmup_steps=2)
    self.assertEqual(schedule(-3), schedule(0))

  @parameterized.parameters(
    int, np.int32, np.int64, np.uint32, jnp.int32, jnp.uint32, jnp.int16
  )
  def test_any_integer_counts(self, dtype):
    schedule = optax_stepsize.uba_schedule(1.0, 9, 1.0, warmup_steps=2)
    for step in (0, 1, 2, 8, 9, 10):
      found = schedule(dtype(step))
      self.assertEqual((found.dtype, found.shape), (jnp.float32, ()))
      self.assertEqual(found, schedule(step))

  def test_int64_counts(self):
    with core.enable_x64(True):
      schedule = optax_stepsize.uba_schedule(1.0, 100, 1.0)
      self.assertEqual(schedule(jnp.int64(2**40)), 0)
      self.assertEqual(schedule(jnp.int64(3)).dtype, jnp.float64)

  def test_array_of_counts(self):
    # With rank promotion forbidden, as everywhere in these tests.
    for options in ({}, {"num_phases": 3, "warmup_steps": 2}):
      schedule = optax_stepsize.uba_schedule(1.0, 11, 1.0, **options)
      for shape in ((12,), (3, 4)):
        found = schedule(jnp.arange(12).reshape(shape))
        self.assertEqual(found.shape, shape)
        one_by_one = [schedule(step) for step in range(12)]
        np.testing.assert_allclose(np.ravel(found), one_by_one, rtol=1e-6)


class CompositionTest(parameterized.TestCase):
  def test_scale_by_schedule_starts_at_step_zero(self):
    schedule = optax_stepsize.uba_schedule(1.0, 6, 1.0, warmup_steps=2)
    tx = optax.scale_by_schedule(schedule)

    def step(state, _):
      return tx.update(jnp.ones(2), state)[::-1]

    found = jax.jit(
      lambda: jax.lax.scan(step, tx.init(jnp.ones(2)), length=8)[1]
    )()
    wanted = [schedule(t) for t in range(8)]
    np.testing.assert_allclose(found[:, 0], wanted, rtol=1e-6)

  def test_join_schedules(self):
    first = optax_stepsize.uba_schedule(1.0, 5, 1.0)
    second = optax_stepsize.uba_schedule(0.5, 4, 3.0)
    joined = optax.join_schedules([first, second], [5])
    wanted = [*(first(t) for t in range(5)), *(second(t) for t in range(6))]
    found = [joined(jnp.asarray(t)) for t in range(11)]
    np.testing.assert_array_equal(found, wanted)

  def test_inject_hyperparams(self):
    # As a schedule that is injected, and as a schedule of injected numbers.
    @functools.partial(optax.inject_hyperparams, hyperparam_dtype=jnp.float32)
    def injected(peak, phi):
      schedule = optax_stepsize.uba_schedule(peak, 6, phi, warmup_steps=2)
      return optax.scale_by_schedule(schedule)

    schedule = optax_stepsize.uba_schedule(0.2, 6, 5.0, warmup_steps=2)
    outer = optax.inject_hyperparams(optax.scale)(step_size=schedule)
    grads = jnp.ones(2)
    for tx in (injected(0.2, 5.0), outer):
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
    def rates(peak, phi, end, init):
      traces.append(1)
      schedule = optax_stepsize.uba_schedule(
        peak, 8, phi, end_value=end, init_value=init, warmup_steps=3
      )
      return jnp.stack([schedule(jnp.asarray(t)) for t in range(10)])

    peaks, phis = jnp.array([1.0, 2.0, 0.5]), jnp.array([0.25, 2.0, 8.0])
    ends, inits = jnp.array([0.0, 0.1, 0.2]), jnp.array([0.0, 0.3, 0.1])
    found = rates(peaks, phis, ends, inits)
    rates(2 * peaks, phis, ends, inits)
    self.assertLen(traces, 1)
    for i, row in enumerate(found):
      for step, rate in enumerate(row):
        wanted = oracle(
          step,
          peak_value=float(peaks[i]),
          total_steps=8,
          phi=float(phis[i]),
          end_value=float(ends[i]),
          init_value=float(inits[i]),
          warmup_steps=3,
        )
        self.assertAlmostEqual(rate, wanted, delta=1e-6)

  def test_traced_entries_of_phases(self):
    @jax.jit
    def rate(peaks, first_phi):
      schedule = optax_stepsize.uba_schedule(
        peaks, 8, [first_phi, 2.0], num_phases=2
      )
      return schedule(5)

    wanted = optax_stepsize.uba_schedule([1.0, 3.0], 8, 2.0, num_phases=2)(5)
    self.assertAlmostEqual(rate(jnp.array([1.0, 3.0]), 0.5), wanted, delta=1e-6)

  def test_in_a_method_it_is_called_once_per_update(self):
    calls = []
    schedule = optax_stepsize.uba_schedule(1.0, 6, 1.0)

    def recorded(count):
      calls.append(int(count))
      return schedule(count)

    tx = optax_stepsize.scale_by_dog(recorded)
    params = jnp.ones(2)
    state = tx.init(params)
    for _ in range(3):
      _, state = tx.update(params, state, params)
    self.assertEqual(calls, [0, 1, 2])


class HelpersTest(parameterized.TestCase):
  def test_profile_clips_progress_and_keeps_its_shape(self):
    progress = jnp.array([[-0.5, 0.0], [1.0, 1.5]])
    found = optax_stepsize.uba_profile(progress, 3.0)
    np.testing.assert_array_equal(found, [[1, 1], [0, 0]])

  def test_profile_is_the_endpoint_grid(self):
    schedule = optax_stepsize.uba_schedule(1.0, 8, 3.0, grid="endpoint")
    for step in range(9):
      found = optax_stepsize.uba_profile(step / 8, 3.0)
      self.assertAlmostEqual(found, schedule(step), delta=1e-7)

  def test_mean_of_arrays(self):
    found = jax.vmap(optax_stepsize.uba_mean_factor)(jnp.array([2.0, 8.0]))
    np.testing.assert_allclose(found, [1 / 2, 1 / 3], rtol=1e-6)
    self.assertIsInstance(optax_stepsize.uba_mean_factor(2), float)

  @parameterized.parameters((1.0, 2.0), (3.0, 6.0), (5.0, 10.0), (80.0, 10.0))
  def test_shape_from_a_condition_number(self, kappa, phi):
    make = optax_stepsize.uba_phi_from_condition_number
    self.assertEqual(make(kappa), phi)
    self.assertEqual(jax.jit(make)(kappa), phi)
    self.assertEqual(make(jnp.asarray(kappa), maximum=4.0), min(phi, 4))
    self.assertEqual(make(kappa, minimum=7.0), max(phi, 7))

  @parameterized.parameters(
    (lambda: optax_stepsize.uba_profile(0.5, 0.0), "uba_profile: phi must be "),
    (lambda: optax_stepsize.uba_mean_factor(-1), "uba_mean_factor: phi must"),
    (
      lambda: optax_stepsize.uba_phi_from_condition_number(0.5),
      "uba_phi_from_condition_number: kappa must be in [1, inf), got 0.5.",
    ),
  )
  def test_ranges(self, call, text):
    with self.assertRaises(ValueError) as error:
      call()
    self.assertStartsWith(str(error.exception), text)


class ErrorsTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"phi": 0.0}, "phi must be in (0, inf), got 0.0."),
    ({"phi": float("inf")}, "phi must be in (0, inf), got inf."),
    ({"phi": [1.0, -1.0], "num_phases": 2}, "phi must be in (0, inf), got -1."),
    ({"peak_value": -1.0}, "peak_value must be in [0, inf), got -1.0."),
    ({"end_value": -1.0}, "end_value must be in [0, inf), got -1.0."),
    ({"init_value": -1.0}, "init_value must be in [0, inf), got -1.0."),
    (
      {"end_value": 2.0},
      "peak_value must be >= end_value, got peak_value=1.0 and end_value=2.0.",
    ),
    (
      {"peak_value": [1.0, 0.1], "end_value": 0.5, "num_phases": 2},
      "peak_value must be >= end_value",
    ),
    ({"total_steps": 0}, "total_steps must be an integer >= 1, got 0."),
    ({"total_steps": 10.0}, "total_steps must be an integer >= 1, got 10.0."),
    ({"warmup_steps": -1}, "warmup_steps must be an integer >= 0, got -1."),
    ({"warmup_steps": 10}, "total_steps must be an integer >= 11, got 10."),
    ({"num_phases": 0}, "num_phases must be an integer >= 1, got 0."),
    (
      {"num_phases": 7, "warmup_steps": 4},
      "num_phases must be at most the number of steps after warm-up, 6, got 7.",
    ),
    (
      {"phase_boundaries": [3, 3]},
      "phase_boundaries must be increasing and below the number of steps after"
      " warm-up, 10, got [3, 3].",
    ),
    ({"phase_boundaries": [3, 10]}, "phase_boundaries must be increasing"),
    ({"phase_boundaries": [0]}, "phase_boundaries must be an integer >= 1"),
    (
      {"peak_value": [1.0, 2.0, 3.0], "num_phases": 2},
      "peak_value must be a scalar or have one entry for each of the 2 phases,"
      " got shape (3,).",
    ),
    ({"grid": "middle"}, "grid must be one of 'midpoint', 'endpoint', got 'mi"),
  )
  def test_made_with_a_bad_argument(self, options, text):
    options = {"peak_value": 1.0, "total_steps": 10, "phi": 1.0} | options
    with self.assertRaises(ValueError) as error:
      optax_stepsize.uba_schedule(**options)
    self.assertStartsWith(str(error.exception), f"uba_schedule: {text}")

  def test_the_shape_has_no_default(self):
    with self.assertRaisesRegex(TypeError, "phi"):
      optax_stepsize.uba_schedule(1.0, 10)


if __name__ == "__main__":
  absltest.main()
