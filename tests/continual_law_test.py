# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the law of continual pre-training and of what is chosen by it."""

import dataclasses
import itertools

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import laws

NAMES = ("L0", "A", "alpha", "C1", "C2", "B", "E", "beta")
OLD = laws.CPTLaw(
  L0=3.0, A=0.5, alpha=0.5, C1=0.3, C2=0.3, B=0.4, E=30.0, beta=0.2
)
# Fits that the paper prints, of a model of 106M parameters and peak 2e-4.
PILE_OLD = laws.CPTLaw(
  L0=3.057, A=0.490, alpha=0.497, C1=0.299, C2=0.298, B=0.366, E=28, beta=0.189
)
PILE_NEW = laws.CPTLaw(
  L0=3.024, A=0.412, alpha=0.677, C1=0.278, C2=0.324, B=-0.666, E=5662,
  beta=0.146,
)  # fmt: skip
LAW_OLD = laws.CPTLaw(
  L0=3.064, A=0.482, alpha=0.511, C1=0.294, C2=0.264, B=1.353, E=37, beta=0.262
)
LAW_NEW = laws.CPTLaw(
  L0=2.978, A=0.485, alpha=0.701, C1=0.274, C2=0.298, B=-1.409, E=383,
  beta=0.368,
)  # fmt: skip
PUBLISHED = (PILE_OLD, PILE_NEW, LAW_OLD, LAW_NEW)

PT = 2e-4 * np.minimum(1, np.arange(1, 6001) / 200)
PT_ANNEALED = np.concatenate([PT[:4000], np.linspace(2e-4, 1e-5, 2000)])
STEPS = np.arange(40, 2000, 40)
RATES = tuple(np.linspace(peak, 0.1 * peak, 2000) for peak in (1e-4, 3e-4))


def transcription(law, pt, rates):
  """The losses of all steps, by the sums of the definition."""

  def momentum(r):
    m = [0.0]
    for before, after in itertools.pairwise(r):
      m.append(law.lam * m[-1] + before - after)
    return np.array(m)

  forward = np.cumsum(rates)
  annealing = np.cumsum(momentum([pt[-1], *rates])[1:])
  shift = law.B * (1 - (1 + law.E * forward) ** -law.beta)
  return (
    law.L0
    + law.A * (np.sum(pt) + forward) ** -law.alpha
    - law.C1 * np.sum(momentum(pt))
    - law.C2 * annealing
    + shift
  )


def pt_curves(law, noise=0.0, rng=None, pts=(PT, PT_ANNEALED)):
  steps = 3 * STEPS
  return [
    laws.Curve(
      steps, noisy(law.pre_training().predict(pt, steps), noise, rng), pt
    )
    for pt in pts
  ]


def noisy(losses, noise, rng):
  return (
    losses * np.exp(noise * rng.normal(size=len(losses))) if rng else losses
  )


def cpt_curves(law, noise=0.0, rng=None, every=RATES, **options):
  return [
    laws.ContinualCurve(
      STEPS,
      noisy(law.predict(rates, STEPS, pt_schedule=pt, **options), noise, rng),
      rates,
      pt_schedule=pt,
    )
    for pt in (PT, PT_ANNEALED)
    for rates in every
  ]


def covered(fit, law, names=NAMES):
  return [
    fit.intervals[name][0] <= getattr(law, name) <= fit.intervals[name][1]
    for name in names
  ]


def start(law, names=NAMES):
  """Where a fit may start: near the law."""
  return [{name: 1.05 * abs(getattr(law, name)) for name in names}]


class LawTest(parameterized.TestCase):
  @parameterized.parameters(
    ((1, 0, 0.1, 0), 3.470000),
    ((1, 0.1, 0.1, -0.05), 3.558588),
    ((1, 1, 0.1, 0.05), 3.507279),
  )
  def test_by_hand(self, areas, loss):
    found = OLD.loss_at(laws.ContinualAreas(*map(np.asarray, areas)))
    self.assertAlmostEqual(float(found), loss, delta=5e-7)

  @parameterized.parameters(*PUBLISHED)
  def test_against_a_transcription(self, law):
    rates = np.concatenate([np.linspace(0, 2e-4, 50), np.full(50, 1e-4)])
    expected = transcription(law, PT_ANNEALED, rates)
    found = law.predict(rates, np.arange(100), pt_schedule=PT_ANNEALED)
    np.testing.assert_allclose(found, expected, rtol=1e-12)

  def test_one_momentum_and_no_shift_is_the_annealing_law(self):
    both = np.concatenate([PT_ANNEALED, RATES[1]])
    after = len(PT_ANNEALED) + STEPS
    law = dataclasses.replace(OLD, B=0.0, carry_momentum=True)
    one = laws.AnnealingLaw(L0=3.0, A=0.5, C=0.3, alpha=0.5)
    np.testing.assert_allclose(
      law.predict(RATES[1], STEPS, pt_schedule=PT_ANNEALED),
      one.predict(both, after),
      rtol=1e-12,
    )

  def test_frozen_areas_differ_by_the_momentum_that_is_left(self):
    frozen = laws.continual_areas(PT_ANNEALED, RATES[0])
    carried = laws.continual_areas(PT_ANNEALED, RATES[0], carry_momentum=True)
    area = laws.annealing_areas(PT_ANNEALED).annealing
    last, taken = area[-1] - area[-2], np.arange(1, 2001)
    np.testing.assert_allclose(
      carried.pt_annealing - frozen.pt_annealing,
      last * 0.999 * (1 - 0.999**taken) / 0.001,
      rtol=1e-9,
    )
    np.testing.assert_array_equal(carried.annealing, frozen.annealing)
    both = np.concatenate([PT_ANNEALED, RATES[0]])
    np.testing.assert_allclose(
      carried.pt_annealing + carried.annealing,
      laws.annealing_areas(both).annealing[len(PT_ANNEALED) :],
      rtol=1e-9,
    )

  def test_a_rise_of_the_rate_lowers_the_area(self):
    areas = laws.continual_areas([1e-4, 1e-5], np.full(9, 2e-4))
    self.assertAlmostEqual(areas.annealing[0], -1.9e-4, delta=1e-18)
    self.assertAlmostEqual(areas.forward[0], 2e-4, delta=1e-18)

  def test_nothing_has_shifted_at_the_transfer(self):
    found = OLD.transfer_loss(pt_schedule=PT_ANNEALED)
    one = OLD.pre_training().predict(PT_ANNEALED, len(PT_ANNEALED) - 1)
    self.assertAlmostEqual(found, one[0], delta=1e-12)
    # Neither does it where the second phase has no rate yet.
    areas = laws.continual_areas(PT_ANNEALED, np.zeros(1))
    self.assertEqual(float(areas.forward[0]), 0.0)

  @parameterized.parameters((PILE_OLD, PILE_NEW), (LAW_OLD, LAW_NEW))
  def test_of_higher_peaks_more_is_learned_and_forgotten(self, old, new):
    last, peaks = 1999, (5e-5, 1e-4, 2e-4, 4e-4)
    losses = [
      [
        law.predict(np.linspace(p, 0, 2000), last, pt_schedule=PT_ANNEALED)[0]
        for p in peaks
      ]
      for law in (old, new)
    ]
    self.assertTrue(np.all(np.diff(losses[0]) > 0))
    self.assertTrue(np.all(np.diff(losses[1]) < 0))

  def test_of_a_higher_potential_more_is_learned(self):
    losses, potentials = [], []
    for end in (2e-4, 1e-4, 1e-5):
      pt = np.concatenate([PT[:4000], np.linspace(2e-4, end, 2000)])
      rates = np.linspace(end, 0, 4000)
      losses.append(PILE_NEW.predict(rates, 3999, pt_schedule=pt)[0])
      potentials.append(laws.loss_potential(pt))
    np.testing.assert_allclose(potentials, [1.0, 0.5, 0.05], rtol=1e-12)
    self.assertTrue(np.all(np.diff(losses) > 0))

  def test_the_shift_is_a_power_of_the_steps_at_a_constant_rate(self):
    # The paper's fit: 0.368 (1 - (0.008 t + 1)^-0.173).
    law = dataclasses.replace(OLD, B=0.368, E=0.008 / 2e-4, beta=0.173)
    rates, steps = np.full(5000, 2e-4), np.arange(5000)
    none = dataclasses.replace(law, B=0.0)
    shift = law.predict(rates, steps, pt_schedule=PT) - none.predict(
      rates, steps, pt_schedule=PT
    )
    expected = 0.368 * (1 - (0.008 * (steps + 1) + 1) ** -0.173)
    np.testing.assert_allclose(shift, expected, atol=1e-12)

  def test_a_schedule_is_its_rates(self):
    schedule = optax_stepsize.wsd_schedule(2e-4, 200, decay_fraction=0.5)
    rates = np.asarray(schedule(np.arange(200)), np.float64)
    steps = [0, 50, 199]
    found = OLD.predict(schedule, steps, pt_schedule=schedule, pt_steps=100)
    expected = OLD.predict(rates, steps, pt_schedule=rates[:100])
    np.testing.assert_allclose(found, expected, rtol=1e-6)

  @parameterized.parameters(*PUBLISHED)
  def test_json(self, law):
    for one in (law, dataclasses.replace(law, pt_area=3.0)):
      self.assertEqual(laws.Law.from_json(one.to_json()), one)


class FitTest(parameterized.TestCase):
  @parameterized.parameters(OLD, PILE_NEW)
  def test_an_exact_law_is_recovered_with_its_sign(self, law):
    fit = laws.fit_cpt_law(pt_curves(law), cpt_curves(law))
    self.assert_close(fit.law, law, 1e-5)
    self.assertLess(*fit.intervals["B"])
    self.assertLen(fit.metrics, 6)
    self.assertLen(fit.optima, 54)
    self.assertLess(fit.metrics[5].worst_relative_error, 1e-8)

  @parameterized.parameters(*PUBLISHED)
  def test_published_laws_are_recovered_from_nearby(self, law):
    fit = laws.fit_cpt_law(pt_curves(law), cpt_curves(law), inits=start(law))
    self.assert_close(fit.law, law, 1e-5)

  def assert_close(self, found, law, delta):
    for name in NAMES:
      self.assertAlmostEqual(
        getattr(found, name) / getattr(law, name), 1, delta=delta, msg=name
      )

  @parameterized.parameters(OLD, PILE_NEW)
  def test_intervals_cover_the_truth(self, law):
    hits, rng = [], np.random.default_rng(0)
    every = tuple(
      np.linspace(peak, 0.1 * peak, 2000) for peak in (3e-5, 3e-4, 3e-3)
    )
    for _ in range(200):
      fit = laws.fit_cpt_law(
        pt_curves(law, 2e-4, rng),
        cpt_curves(law, 2e-4, rng, every),
        sign="+" if law.B > 0 else "-",
        inits=start(law),
        huber_delta=1e-3,
      )
      hits.append(covered(fit, law))
    for name, share in zip(NAMES, np.mean(hits, axis=0), strict=True):
      self.assertBetween(share, 0.90, 0.99, name)

  def test_carried_momentum(self):
    law = dataclasses.replace(OLD, carry_momentum=True)
    fit = laws.fit_cpt_law(
      pt_curves(law), cpt_curves(law), carry_momentum=True, inits=start(law)
    )
    self.assertTrue(fit.law.carry_momentum)
    self.assertAlmostEqual(fit.law.C2, 0.3, delta=1e-6)

  def test_pre_training_may_be_unknown(self):
    law = dataclasses.replace(OLD, C1=0.0, pt_area=1.5)
    curves = [
      laws.ContinualCurve(STEPS, law.predict(rates, STEPS), rates)
      for rates in (*RATES, np.full(2000, 1e-3))
    ]
    fit = laws.fit_cpt_law([], curves, fit_pt_area=True, sign="+")
    self.assertIn("pt_area", fit.names)
    self.assertEqual(fit.law.C1, 0.0)
    for curve, errors in zip(curves, fit.metrics, strict=True):
      self.assertLess(errors.worst_relative_error, 1e-5)
      np.testing.assert_allclose(
        fit.predict(curve.rates, STEPS), curve.losses, rtol=1e-5
      )
    self.assertAlmostEqual(fit.law.B, 0.4, delta=0.02)

  def test_the_shift_and_pre_training_are_told_apart_in_predictions(self):
    rng = np.random.default_rng(1)
    fit = laws.fit_cpt_law(
      pt_curves(OLD, 1e-3, rng), cpt_curves(OLD, 1e-3, rng), inits=start(OLD)
    )
    rates = np.full(4000, 1e-4)
    truth = OLD.predict(rates, 3999, pt_schedule=PT)
    found = fit.predict(rates, 3999, pt_schedule=PT)
    np.testing.assert_allclose(found, truth, rtol=3e-3)

  def test_a_bound_that_decides_is_reported(self):
    law = dataclasses.replace(OLD, B=8.0, beta=0.3)
    near = {"sign": "+", "inits": start(dataclasses.replace(law, B=4.0))}
    fit = laws.fit_cpt_law(pt_curves(law), cpt_curves(law), **near)
    self.assertAlmostEqual(fit.law.B, 5.0, delta=1e-3)
    self.assertIsNone(fit.intervals["B"])
    self.assertTrue(any("B ended at a bound" in w for w in fit.warnings))
    wide = laws.fit_cpt_law(
      pt_curves(law), cpt_curves(law), bounds={"B": (0, 30)}, **near
    )
    self.assertAlmostEqual(wide.law.B, 8.0, delta=1e-3)

  def test_second_phases_of_one_schedule_leave_the_rate_of_the_shift_open(self):
    curves = cpt_curves(OLD, every=RATES[:1])
    fit = laws.fit_cpt_law(pt_curves(OLD), curves, inits=start(OLD))
    self.assertIsNone(fit.intervals["E"])
    self.assertTrue(any("the same rates" in w for w in fit.warnings))

  def test_no_shift_is_not_told(self):
    law = dataclasses.replace(OLD, B=0.0)
    rng = np.random.default_rng(0)
    fit = laws.fit_cpt_law(
      pt_curves(law, 1e-3, rng), cpt_curves(law, 1e-3, rng), sign="+"
    )
    self.assertIsNone(fit.intervals["B"])
    self.assertNotEmpty(fit.warnings)

  def test_bad_input(self):
    pt, cpt = pt_curves(OLD), cpt_curves(OLD)
    unknown = dataclasses.replace(cpt[0], pt_schedule=None)
    for arguments, options, message in (
      ((pt, cpt), {"sign": "both"}, "sign must be one of"),
      ((pt, cpt), {"lam": 0.0}, "lam must be in"),
      (([], cpt), {}, "at least 1"),
      ((pt, []), {}, "at least 1"),
      ((pt, pt), {}, "of the class ContinualCurve"),
      ((pt, cpt), {"fit_pt_area": True}, "pt_curves must be empty"),
      (([], cpt), {"fit_pt_area": True}, "pt_schedule if and only if"),
      ((pt, [unknown]), {}, "pt_schedule if and only if"),
    ):
      with self.assertRaisesRegex(ValueError, f"fit_cpt_law: .*{message}"):
        laws.fit_cpt_law(*arguments, **options)

  def test_bad_pre_training(self):
    schedule = optax.constant_schedule(1e-4)
    with self.assertRaisesRegex(ValueError, "pt_steps must be given"):
      laws.ContinualCurve(
        [1, 2], [3.0, 2.0], schedule, name="x", pt_schedule=schedule
      )
    with self.assertRaisesRegex(ValueError, "must be given, unless"):
      OLD.predict(schedule, 3)
    with self.assertRaisesRegex(ValueError, "must be left out, for"):
      dataclasses.replace(OLD, pt_area=1.0).predict(schedule, 3, pt_schedule=PT)
    with self.assertRaisesRegex(ValueError, "finite and >= 0"):
      OLD.predict(schedule, 3, pt_schedule=[1.0, np.nan])


class ReplayTest(parameterized.TestCase):
  SHARES = (0.0, 0.3, 0.7)

  def law(self, domain):
    values = {n: abs(getattr(OLD, n)) for n in NAMES}
    values["B"] *= 1 if domain == "old" else -1
    return laws.CPTReplayLaw(**values, a1=0.4, a2=1.2, domain=domain)

  def curves(self, law):
    found, shares = [], []
    for share in self.SHARES:
      found += cpt_curves(law.at_replay(share))
      shares += [share] * 4
    return found, shares

  def test_by_hand(self):
    old, new = self.law("old").at_replay(0.25), self.law("new").at_replay(0.25)
    self.assertAlmostEqual(old.C2, 0.3 * np.exp(0.1), delta=1e-12)
    self.assertAlmostEqual(old.B, 0.4 * (1 - np.exp(-0.9)), delta=1e-12)
    self.assertAlmostEqual(new.C2, 0.3 * np.exp(0.3), delta=1e-12)
    self.assertAlmostEqual(new.B, -0.4 * (np.exp(0.9) - 1), delta=1e-12)

  @parameterized.parameters(*("old", "new"))
  def test_replay_lowers_the_shift_and_ends_it(self, domain):
    law = self.law(domain)
    shifts = [abs(law.at_replay(r).B) for r in (0.0, 0.3, 0.6, 0.9)]
    self.assertTrue(np.all(np.diff(shifts) < 0))
    self.assertEqual(law.at_replay(1.0).B, 0.0)

  @parameterized.parameters(*("old", "new"))
  def test_an_exact_law_is_recovered(self, domain):
    law = self.law(domain)
    curves, shares = self.curves(law)
    fit = laws.fit_cpt_replay_law(
      pt_curves(law.at_replay(0.0)), curves, shares, domain=domain
    )
    for name in (*NAMES, "a1", "a2"):
      self.assertAlmostEqual(
        getattr(fit.law, name), getattr(law, name), delta=1e-3, msg=name
      )
    self.assertEqual(laws.Law.from_json(fit.law.to_json()), fit.law)
    np.testing.assert_allclose(
      fit.predict(RATES[0], STEPS, replay=0.5, pt_schedule=PT),
      law.predict(RATES[0], STEPS, replay=0.5, pt_schedule=PT),
      rtol=1e-6,
    )

  def test_one_share_does_not_tell_what_replay_does(self):
    law = self.law("old")
    fit = laws.fit_cpt_replay_law(
      pt_curves(law.at_replay(0.0)),
      cpt_curves(law.at_replay(0.3)),
      [0.3] * 4,
      domain="old",
    )
    self.assertIsNone(fit.intervals["a2"])
    self.assertNotEmpty(fit.warnings)

  @parameterized.parameters(
    ([0.3], "old", "one entry for each of the 4"),
    ([0.3, 0.3, 0.3, 1.2], "old", "replays must be in"),
    ([0.3] * 4, "other", "domain must be one of"),
  )
  def test_bad_input(self, shares, domain, message):
    with self.assertRaisesRegex(ValueError, message):
      laws.fit_cpt_replay_law(
        pt_curves(OLD), cpt_curves(OLD), shares, domain=domain
      )


class SizeTest(parameterized.TestCase):
  # As the paper prints it, for the old data.
  LAW = laws.CPTSizeLaw(
    L0=1.829, A=0.504, alpha=0.537, C1=0.090, C2=0.103, B=0.278, E=12.0,
    beta=0.359, F=3.072, g1=0.235, g2=0.199, g3=0.195,
  )  # fmt: skip
  SIZES = (106, 594, 1720)

  def test_at_a_size_it_is_the_law(self):
    law = self.LAW.at_size(106)
    self.assertAlmostEqual(law.L0, 1.829 + 3.072 * 106**-0.195, delta=1e-12)
    # Near the law that the paper fits to this size alone.
    self.assertAlmostEqual(law.L0, PILE_OLD.L0, delta=0.02)
    self.assertAlmostEqual(law.C1, PILE_OLD.C1, delta=0.04)
    self.assertAlmostEqual(law.C2, PILE_OLD.C2, delta=0.04)
    np.testing.assert_array_equal(
      law.predict(RATES[0], STEPS, pt_schedule=PT),
      self.LAW.predict(RATES[0], STEPS, size=106, pt_schedule=PT),
    )

  def test_an_exact_law_is_recovered(self):
    pt, cpt, pt_sizes, cpt_sizes = [], [], [], []
    for size in self.SIZES:
      law = self.LAW.at_size(size)
      pt += pt_curves(law)
      cpt += cpt_curves(law)
      pt_sizes += [size] * 2
      cpt_sizes += [size] * 4
    fit = laws.fit_cpt_size_law(pt, cpt, pt_sizes, cpt_sizes, sign="+")
    for name in (*NAMES, "F", "g1", "g2", "g3"):
      self.assertAlmostEqual(
        getattr(fit.law, name) / getattr(self.LAW, name),
        1,
        delta=1e-3,
        msg=name,
      )
    self.assertEqual(laws.Law.from_json(fit.law.to_json()), fit.law)
    with self.assertRaisesRegex(ValueError, "pt_sizes must have one entry"):
      laws.fit_cpt_size_law(pt, cpt, [106], cpt_sizes)
    with self.assertRaisesRegex(ValueError, "in millions"):
      laws.fit_cpt_size_law(pt, cpt, pt_sizes, [1e9] * len(cpt))


class ChoiceTest(parameterized.TestCase):
  def candidates(self, **options):
    return {
      f"{peak:g}": {
        "schedule": np.linspace(peak, 0, 1000),
        "total_steps": 1000,
        "pt_schedule": PT,
        **options,
      }
      for peak in (5e-5, 2e-4, 8e-4)
    }

  def test_balance(self):
    ranked = laws.balance(PILE_OLD, PILE_NEW, self.candidates(), 0.3)
    scores = [found.score for found in ranked]
    self.assertEqual(scores, sorted(scores))
    for found in ranked:
      candidate = self.candidates()[found.name]
      for law, change in (
        (PILE_OLD, found.general_change),
        (PILE_NEW, found.domain_change),
      ):
        last = law.predict(candidate["schedule"], 999, pt_schedule=PT)[0]
        before = law.transfer_loss(pt_schedule=PT)
        self.assertAlmostEqual(change, last - before, delta=1e-12)
      self.assertAlmostEqual(
        found.score,
        0.3 * found.general_change + 0.7 * found.domain_change,
        delta=1e-12,
      )

  def test_who_weighs_the_new_data_takes_high_rates(self):
    candidates = self.candidates(pt_schedule=PT_ANNEALED)
    best = [
      laws.balance(LAW_OLD, LAW_NEW, candidates, w)[0].name for w in (0, 1)
    ]
    self.assertEqual(best, ["0.0008", "5e-05"])

  def test_shares_of_replay(self):
    values = {n: getattr(LAW_OLD, n) for n in NAMES}
    old = laws.CPTReplayLaw(**values, a1=0.1, a2=2.0, domain="old")
    values = {n: getattr(LAW_NEW, n) for n in NAMES}
    new = laws.CPTReplayLaw(**values, a1=0.1, a2=0.7, domain="new")
    same = self.candidates(pt_schedule=PT_ANNEALED)["0.0002"]
    candidates = {str(r): same | {"replay": r} for r in (0.1, 0.5, 0.9)}
    best = [laws.balance(old, new, candidates, w)[0].name for w in (0, 1)]
    self.assertEqual(best, ["0.1", "0.9"])

  def test_bad_candidates(self):
    with self.assertRaisesRegex(ValueError, "must not be empty"):
      laws.balance(OLD, OLD, {}, 0.5)
    with self.assertRaisesRegex(ValueError, "'a' has no total_steps"):
      laws.balance(OLD, OLD, {"a": {"schedule": PT}}, 0.5)
    with self.assertRaisesRegex(ValueError, "weight_general must be in"):
      laws.balance(OLD, OLD, self.candidates(), 1.5)

  def test_loss_potential(self):
    schedule = optax.exponential_decay(2.0, 100, 0.25)
    self.assertAlmostEqual(laws.loss_potential(schedule, 101), 0.25, delta=1e-6)
    with self.assertRaisesRegex(ValueError, "total_steps must be given"):
      laws.loss_potential(schedule)
    with self.assertRaisesRegex(ValueError, "> 0 somewhere"):
      laws.loss_potential(np.zeros(3))

  def test_other_domains_are_a_mixture(self):
    old = PILE_OLD.predict(RATES[0], STEPS, pt_schedule=PT)
    new = PILE_NEW.predict(RATES[0], STEPS, pt_schedule=PT)
    fit = laws.fit_domain_mixture(0.7 * old + 0.4 * new, old, new)
    self.assertAlmostEqual(fit.law.old, 0.7, delta=1e-9)
    # The weights hold for another schedule.
    old, new = (
      law.predict(RATES[1], STEPS, pt_schedule=PT)
      for law in (PILE_OLD, PILE_NEW)
    )
    np.testing.assert_allclose(
      fit.predict(old, new), 0.7 * old + 0.4 * new, rtol=1e-9
    )
    self.assertEqual(laws.Law.from_json(fit.law.to_json()), fit.law)

  def test_a_mixture_is_by_least_squares(self):
    rng = np.random.default_rng(0)
    a, b, y = rng.uniform(2, 4, (3, 30))
    fit = laws.fit_domain_mixture(y, a, b)
    expected = np.linalg.lstsq(np.stack([a, b], 1), y, rcond=None)[0]
    np.testing.assert_allclose([fit.law.old, fit.law.new], expected, rtol=1e-6)

  def test_one_domain_twice_is_not_told_apart(self):
    a = np.linspace(3, 4, 20)
    fit = laws.fit_domain_mixture(a, a, a)
    self.assertEqual(set(fit.intervals.values()), {None})
    with self.assertRaisesRegex(ValueError, "old_losses must have one axis"):
      laws.fit_domain_mixture(a, a[1:], a)
    with self.assertRaisesRegex(ValueError, "new_losses must be finite"):
      laws.fit_domain_mixture(a, a, np.where(a > 3.5, np.nan, a))


if __name__ == "__main__":
  absltest.main()
