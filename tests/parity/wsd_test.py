# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`wsd_schedule` against pytorch_optimizer, torch and levanter's schedule."""

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

import optax_stepsize
from tests.parity import problem as problems
from tests.parity import schedule_problem

RECORDED = problems.load("wsd")
SHAPES = {
  "cosine": "cosine",
  "linear": "linear",
  "1-sqrt": "one_minus_sqrt",
  "1-square": "one_minus_square",
}


def ours(case):
  """The rates of a recorded case, in float64."""
  warmup, stable, decay = case["phases"]

  def make():
    return optax_stepsize.wsd_schedule(
      case["peak"],
      warmup + stable + decay,
      warmup_steps=warmup,
      decay_steps=decay,
      shape=SHAPES[case["cooldown_type"]],
      end_value=case["min_lr_ratio"] * case["peak"],
    )

  return schedule_problem.values(make, len(case["rates"]))


def levanter(step, *, peak, end, warmup, cycles, decay, rewarmup, quirk):
  """The authors' schedule with `lr_schedule: inv`, transcribed.

  In each cycle: a linear rise, the peak, and a decay over a share of the cycle
  that is linear in the reciprocal of the rate. `quirk` counts as they do.
  """
  start = 0
  for place, stop in enumerate(cycles):
    length = stop - start
    decay_steps = round(decay * length)
    rise, low = (warmup, 0.0) if place == 0 else (rewarmup, end)
    if step < stop:
      count = step - start
      if count < rise:
        return low + (peak - low) * count / rise
      if count < length - decay_steps:
        return peak
      count -= length - decay_steps
      if quirk:
        count = max(count, 1)
      return 1 / (count / decay_steps * (1 / end - 1 / peak) + 1 / peak)
    start = stop
  return end


class WsdTest(parameterized.TestCase):
  @parameterized.named_parameters(
    (case["name"], case)
    for case in RECORDED["cases"]
    if case["min_lr_ratio"] == 0 or case["cooldown_type"] == "cosine"
  )
  def test_rates(self, case):
    np.testing.assert_allclose(ours(case), case["rates"], rtol=0, atol=1e-15)

  @parameterized.named_parameters(
    (case["name"], case)
    for case in RECORDED["cases"]
    if case["min_lr_ratio"] and case["cooldown_type"] != "cosine"
  )
  def test_differs_the_decay_ends_at_the_floor(self, case):
    # Differs from the reference: it decays to zero whatever the floor is, and
    # jumps to the floor, here upwards, when the decay is over. Ours is the mean
    # of peak and floor with its weights.
    warmup, stable, decay = case["phases"]
    total, floor = sum(case["phases"]), case["min_lr_ratio"] * case["peak"]
    theirs, found = np.array(case["rates"]), ours(case)
    before = slice(0, warmup + stable + 1)
    np.testing.assert_allclose(found[before], theirs[before], atol=1e-15)
    np.testing.assert_allclose(found[total:], theirs[total:], atol=1e-15)
    self.assertLess(theirs[total - 1], theirs[total])
    self.assertLessEqual(np.max(np.diff(found[warmup:])), 0)
    during = slice(warmup + stable, total)
    weight = theirs[during] / case["peak"]
    np.testing.assert_allclose(
      found[during],
      weight * case["peak"] + (1 - weight) * floor,
      rtol=1e-13,
    )
    self.assertGreater(np.max(np.abs(found - theirs)), 0.01 * case["peak"])
    self.assertGreater(decay, 1)

  def test_recorded_cases_cover_all_shapes(self):
    found = {(c["cooldown_type"], c["min_lr_ratio"]) for c in RECORDED["cases"]}
    self.assertEqual(found, {(s, r) for s in SHAPES for r in (0.0, 0.3)})


class LevanterTest(parameterized.TestCase):
  CYCLES = (40, 100, 220)

  def _both(self, rewarmup, decay=0.25, peak=0.3, end=0.03):
    options = {"peak": peak, "end": end, "decay": decay, "cycles": self.CYCLES}
    options |= {"rewarmup": rewarmup, "warmup": 7}

    def make():
      return optax_stepsize.wsd_s_schedule(
        peak,
        self.CYCLES,
        warmup_steps=7,
        decay_fraction=decay,
        rewarmup_steps=rewarmup,
        end_value=end,
      )

    found = schedule_problem.values(make, 230)
    return found, [
      np.array([levanter(t, quirk=quirk, **options) for t in range(230)])
      for quirk in (False, True)
    ]

  @parameterized.parameters(0, 5)
  def test_cycles(self, rewarmup):
    found, (wanted, _) = self._both(rewarmup)
    np.testing.assert_allclose(found, wanted, rtol=1e-13)

  @parameterized.parameters(0, 5)
  def test_differs_the_decay_starts_at_the_peak(self, rewarmup):
    # Differs from the reference: its decay skips its first position, so that
    # its first two steps have one rate. Ours has the peak at the first.
    found, (_, theirs) = self._both(rewarmup)
    starts = [30, 85, 190]
    others = np.setdiff1d(np.arange(230), starts)
    np.testing.assert_allclose(found[others], theirs[others], rtol=1e-13)
    for start in starts:
      self.assertEqual(theirs[start], theirs[start + 1])
      self.assertEqual(found[start], 0.3)
      self.assertLess(theirs[start], 0.3)

  def test_differs_in_figures(self):
    # Four steps of decay from 1 to 0.1: .3077 twice.
    found = schedule_problem.values(
      lambda: optax_stepsize.wsd_schedule(1.0, 8, decay_steps=4), 9
    )[4:]
    theirs = [
      levanter(
        t, peak=1, end=0.1, warmup=0, cycles=[8], decay=0.5, rewarmup=0, quirk=1
      )
      for t in range(4, 9)
    ]
    quarters = [0.307692308, 0.181818182, 0.129032258, 0.1]
    np.testing.assert_allclose(found, [1, *quarters], atol=1e-9)
    np.testing.assert_allclose(theirs, [quarters[0], *quarters], atol=1e-9)


class TorchTest(absltest.TestCase):
  def test_cyclic_cosine_is_one_cosine_after_the_other(self):
    try:
      import torch
    except ImportError:
      self.skipTest("torch is not installed")
    budgets, wanted = [6, 20, 50], []
    for length in np.diff([0, *budgets]).tolist():
      weight = torch.zeros(1, requires_grad=True)
      sgd = torch.optim.SGD([weight], lr=0.2)
      cosine = torch.optim.lr_scheduler.CosineAnnealingLR(
        sgd, length, eta_min=0.02
      )
      for _ in range(length):
        wanted.append(sgd.param_groups[0]["lr"])
        sgd.step()
        cosine.step()
    found = schedule_problem.values(
      lambda: optax_stepsize.cyclic_cosine_schedule(0.2, budgets), 51
    )
    np.testing.assert_allclose(found, [*wanted, 0.02], rtol=1e-12)


if __name__ == "__main__":
  absltest.main()
