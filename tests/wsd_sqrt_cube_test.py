# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of WSD with a decay by the square root of a cube."""

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import optax_stepsize
from optax_stepsize import core


def oracle(steps, peak, total_steps, warmup_steps, decay_fraction, end):
  """The rates in float64."""
  decay = max(1, int(decay_fraction * (total_steps - warmup_steps)))
  share = np.clip((steps - (total_steps - decay)) / decay, 0, 1)
  rates = end + (peak - end) * (1 - share) ** 1.5
  rise = steps / max(warmup_steps, 1)
  return np.where(steps < warmup_steps, peak * rise, rates)


class WsdSqrtCubeTest(parameterized.TestCase):
  @parameterized.product(
    shape=((1, 0), (2, 1), (24_000, 2160), (100, 99)),
    decay_fraction=(0.17, 0.999, 1e-6),
    end=(0.0, 0.03),
  )
  def test_rates(self, shape, decay_fraction, end):
    total_steps, warmup_steps = shape
    steps = np.arange(total_steps + 3)
    with core.enable_x64():
      schedule = optax_stepsize.wsd_sqrt_cube_schedule(
        0.3,
        total_steps,
        warmup_steps=warmup_steps,
        decay_fraction=decay_fraction,
        end_value=end,
      )
      rates = np.asarray(schedule(jnp.asarray(steps)))
    wanted = oracle(steps, 0.3, *shape, decay_fraction, end)
    np.testing.assert_allclose(rates, wanted, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(rates[-3:], end)

  def test_the_decay_is_a_share_of_the_steps_after_the_warm_up(self):
    schedule = optax_stepsize.wsd_sqrt_cube_schedule(
      1.0, 24_000, warmup_steps=2160
    )
    first = 24_000 - int(0.17 * 21_840)
    self.assertEqual(schedule(2160), 1.0)
    self.assertEqual(schedule(first), 1.0)
    self.assertLess(schedule(first + 1), 1.0)

  def test_one_program_for_many_values(self):
    steps = np.arange(1001)

    @jax.jit
    def rates(peak, fraction, end):
      schedule = optax_stepsize.wsd_sqrt_cube_schedule(
        peak, 1000, warmup_steps=10, decay_fraction=fraction, end_value=end
      )
      return schedule(jnp.arange(1001))

    for peak, fraction, end in ((0.1, 0.25, 0.0), (1.0, 0.5, 0.5)):
      np.testing.assert_allclose(
        rates(peak, fraction, end),
        oracle(steps, peak, 1000, 10, fraction, end),
        rtol=2e-6,
        atol=1e-9,
      )
    self.assertEqual(rates._cache_size(), 1)

  @parameterized.parameters(jnp.int32, jnp.uint32, jnp.uint8)
  def test_any_integer_counts(self, dtype):
    schedule = optax_stepsize.wsd_sqrt_cube_schedule(1.0, 2**31 - 1)
    self.assertEqual(schedule(jnp.asarray(200, dtype)), 1.0)
    schedule = optax_stepsize.wsd_sqrt_cube_schedule(1.0, 100)
    self.assertEqual(schedule(jnp.asarray(200, dtype)), 0.0)

  @parameterized.parameters(
    ({"peak_value": -1.0}, "peak_value must be in [0, inf), got -1.0."),
    ({"end_value": 2.0}, "peak_value must be >= end_value=2.0, got 1.0."),
    ({"total_steps": 0}, "total_steps must be an integer >= 1, got 0."),
    ({"warmup_steps": 9}, "warmup_steps must be below total_steps=9, got 9."),
    ({"decay_fraction": 1.0}, "decay_fraction must be in (0, 1), got 1.0."),
  )
  def test_bad_input(self, options, text):
    options = {"peak_value": 1.0, "total_steps": 9} | options
    with self.assertRaises(ValueError) as error:
      optax_stepsize.wsd_sqrt_cube_schedule(**options)
    self.assertStartsWith(
      str(error.exception), f"wsd_sqrt_cube_schedule: {text}"
    )


if __name__ == "__main__":
  absltest.main()
