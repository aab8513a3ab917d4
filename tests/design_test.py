# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of schedules designed by a law."""

import dataclasses

from absl.testing import absltest
from absl.testing import parameterized
import jax.numpy as jnp
import numpy as np

import optax_stepsize
from optax_stepsize import laws

# The authors' parameters of three sizes of a language model, and the losses
# that they give after 24,000 steps: of the designed schedule, of a cosine to a
# tenth, of a constant rate, and of decays at the end, linear and sqrt-cube.
SIZES = {
  "25M": (3.04045, 0.52469, 0.50787, 363.788, 2.06561, 0.58279, 0.64142),
  "100M": (2.65145, 0.60115, 0.45296, 437.946, 2.13246, 0.59785, 0.65524),
  "400M": (2.37474, 0.65421, 0.42879, 523.424, 2.02463, 0.59351, 0.63473),
}
LOSSES = {
  "25M": (3.14970, 3.20720, 3.23753, 3.15160, 3.15085),
  "100M": (2.79413, 2.85977, 2.90247, 2.79641, 2.79548),
  "400M": (2.53325, 2.60164, 2.66095, 2.53526, 2.53411),
}
PEAK, STEPS, WARMUP = 3e-4, 24_000, 2160
LAW = optax_stepsize.MultiPowerLaw(*SIZES["100M"])


def usual_schedules():
  """A cosine, a constant rate, a linear decay and sqrt-cube."""
  options = {"warmup_steps": WARMUP}
  wsd = optax_stepsize.wsd_schedule
  after = STEPS - WARMUP
  return (
    wsd(PEAK, STEPS, decay_steps=after, shape="cosine", **options),
    wsd(PEAK, STEPS, decay_steps=0, **options),
    wsd(
      PEAK,
      STEPS,
      decay_steps=after // 5,
      shape="linear",
      end_value=0.0,
      **options,
    ),
    optax_stepsize.wsd_sqrt_cube_schedule(PEAK, STEPS, **options),
  )


class DesignTest(parameterized.TestCase):
  @parameterized.parameters(*SIZES)
  def test_numbers(self, size):
    law = optax_stepsize.MultiPowerLaw(*SIZES[size])
    schedule, rates, loss = optax_stepsize.optimize_schedule(
      law, STEPS, PEAK, warmup_steps=WARMUP
    )
    losses = [
      law.predict(usual, STEPS - 1, warmup_steps=WARMUP)[0]
      for usual in usual_schedules()
    ]
    np.testing.assert_allclose([loss, *losses], LOSSES[size], atol=2e-4, rtol=0)
    self.assertLess(loss, min(losses))
    (again,) = law.predict(schedule, STEPS - 1, warmup_steps=WARMUP)
    self.assertAlmostEqual(again, loss, places=12)

    after = rates[WARMUP:] / PEAK
    stable = np.argmax(after < 0.999)
    self.assertBetween(stable / len(after), 0.87, 0.9)
    np.testing.assert_allclose(after[:stable], 1, atol=1e-3)
    self.assertBetween(after[-1], 0.004, 0.006)
    # About a power of what is left of the decay.
    left = 1 - np.arange(len(after) - stable) / (len(after) - stable)
    middle = (left > 0.1) & (left < 0.9)
    power = np.polyfit(np.log(left[middle]), np.log(after[stable:][middle]), 1)
    self.assertBetween(power[0], 1.2, 1.7)

  @parameterized.parameters(False, True)
  def test_no_schedule_beats_it(self, drop_in_warmup):
    law = dataclasses.replace(LAW, drop_in_warmup=drop_in_warmup)
    rng = np.random.default_rng(0)
    steps, warmup, peak = 300, 20, 1e-3
    best = optax_stepsize.optimize_schedule(
      law, steps, peak, warmup_steps=warmup, knots=93
    )
    rivals = [
      optax_stepsize.wsd_schedule(
        peak,
        steps,
        warmup_steps=warmup,
        decay_fraction=fraction,
        shape=shape,
        end_value=end * peak,
      )
      for shape in ("linear", "cosine", "exponential", "one_minus_sqrt")
      for fraction in (0.1, 0.2, 0.4)
      for end in (0.003, 0.03)
    ]
    for size in (1e-3, 1e-2, 1e-1):
      after = best.rates[warmup:] * np.exp(-size * rng.random(steps - warmup))
      after = np.minimum.accumulate(after)
      rivals.append(np.concatenate([best.rates[:warmup], after]))
    for rival in rivals:
      (loss,) = law.predict(rival, steps - 1, warmup_steps=warmup)
      self.assertGreater(loss, best.loss)

  def test_warms_up_and_never_rises_again(self):
    best = optax_stepsize.optimize_schedule(LAW, 500, PEAK, warmup_steps=50)
    wsd = optax_stepsize.wsd_schedule(PEAK, 500, warmup_steps=50)
    np.testing.assert_allclose(best.rates[:51], wsd(jnp.arange(51)), rtol=1e-6)
    self.assertTrue(np.all(np.diff(best.rates[50:]) <= 0))
    self.assertGreater(best.rates[-1], 0)
    self.assertEqual(best.rates.dtype, np.float64)
    self.assertLen(best.rates, 500)
    # The schedule is the rates, and then the last of them.
    rates = best.schedule(jnp.arange(500))
    np.testing.assert_array_equal(rates, best.rates.astype(np.float32))
    self.assertEqual(best.schedule(10_000), rates[-1])

  def test_least_rate(self):
    free = optax_stepsize.optimize_schedule(LAW, 1000, PEAK)
    held = optax_stepsize.optimize_schedule(LAW, 1000, PEAK, min_value=6e-5)
    self.assertLess(free.rates[-1], 5e-5)
    self.assertEqual(held.rates[-1], 6e-5)
    self.assertGreater(held.loss, free.loss)
    rival = optax_stepsize.wsd_schedule(
      PEAK, 1000, decay_fraction=0.2, shape="linear", end_value=6e-5
    )
    self.assertLess(held.loss, LAW.predict(rival, 999)[0])
    all_of_it = optax_stepsize.optimize_schedule(
      LAW, 1000, PEAK, min_value=PEAK
    )
    np.testing.assert_array_equal(all_of_it.rates, PEAK)

  def test_knots(self):
    few, many = (
      optax_stepsize.optimize_schedule(LAW, 1000, PEAK, knots=knots).loss
      for knots in (20, 160)
    )
    self.assertBetween(few - many, 1e-4, 1e-2)
    # No more of them than steps.
    self.assertLen(optax_stepsize.optimize_schedule(LAW, 2, PEAK).rates, 2)

  def test_where_falls_gain_nothing_the_rate_stays(self):
    law = dataclasses.replace(LAW, B=0.0)
    best = optax_stepsize.optimize_schedule(law, 100, PEAK)
    np.testing.assert_allclose(best.rates, PEAK, rtol=1e-6)

  def test_refuses_other_laws(self):
    other = laws.fit_lr_sweep((1e-3, 2e-3, 4e-3), (3.1, 3.0, 3.05))
    with self.assertRaisesRegex(
      ValueError,
      "optimize_schedule: law must be a MultiPowerLaw, got LrSweepFit. By the"
      " annealing law free schedules have no least loss: it falls without bound"
      ".*Fix: pass fit_multi_power_law",
    ):
      optax_stepsize.optimize_schedule(other, 1000, PEAK)

  @parameterized.parameters(
    ({"total_steps": 1}, "total_steps must be an integer >= 2, got 1."),
    ({"total_steps": 2.0}, "total_steps must be an integer >= 2, got 2.0."),
    (
      {"warmup_steps": 99},
      "warmup_steps must be at most 98, so that there are",
    ),
    ({"warmup_steps": -1}, "warmup_steps must be an integer >= 0, got -1."),
    ({"knots": 0}, "knots must be an integer >= 1, got 0."),
    ({"peak_value": 0.0}, "peak_value must be in (0, inf), got 0.0."),
    ({"peak_value": np.nan}, "peak_value must be in (0, inf), got nan."),
    ({"min_value": 0.0}, "min_value must be in (0, 0.001], got 0.0."),
    ({"min_value": 0.1}, "min_value must be in (0, 0.001], got 0.1."),
  )
  def test_bad_input(self, options, text):
    options = {"total_steps": 100, "peak_value": 1e-3} | options
    with self.assertRaises(ValueError) as error:
      optax_stepsize.optimize_schedule(LAW, **options)
    self.assertEqual(
      str(error.exception)[: len("optimize_schedule: " + text)],
      f"optimize_schedule: {text}",
    )


if __name__ == "__main__":
  absltest.main()
