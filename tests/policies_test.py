# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `policy` and `composite_policy`."""

import math

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize

policy = optax_stepsize.policy
NAMES = optax_stepsize.POLICY_NAMES
WAVES = ("TRI", "DTRI", "SIN", "DSIN", "COS", "UPCOS")
RESTARTS = ("RSW", "SINRSW", "COSRSW")
K0, K1, GAMMA = (float(np.float32(x)) for x in (0.1, 0.5, 0.9))


def wave_of(name, t, l):  # noqa: E741
  """Height of a wave and number of halvings, with exact integer remainders."""
  up = (t % (2 * l)) / l
  up = up if up <= 1 else (2 * l - t % (2 * l)) / l
  down = abs(t % (2 * l) - l) / l
  left = (l - t % l) / l
  return {
    "TRI": (up, t // (2 * l)),
    "DTRI": (down, (t + l) // (2 * l)),
    "SIN": (math.sin(math.pi * up / 2), t // (2 * l)),
    "DSIN": (math.sin(math.pi * down / 2), (t + l) // (2 * l)),
    "COS": (math.sin(math.pi * down / 2) ** 2, (t + l) // (2 * l)),
    "UPCOS": (math.sin(math.pi * up / 2) ** 2, t // (2 * l)),
    "RSW": (left, t // l),
    "SINRSW": (math.sin(math.pi * left / 2), t // l),
    "COSRSW": (math.sin(math.pi * left / 2) ** 2, t // l),
  }[name]


def oracle(name, t, *, k0, k1=None, gamma=None, p=None, l=None):  # noqa: E741
  if name == "FIX":
    return k0
  if name == "STEP":
    return k0 * gamma ** (t // l)
  if name == "NSTEP":
    return k0 * gamma ** sum(entry <= t for entry in l)
  if name == "EXP":
    return k0 * gamma**t
  if name == "INV":
    return k0 * (1 + gamma * t) ** -p
  if name == "POLY":
    return k0 + (k1 - k0) * (max(l - t, 0) / l) ** p
  if name == "SIG":
    z = gamma * (t - l)
    return k0 / (1 + math.exp(-z)) if z > -700 else 0.0
  base = name.removesuffix("EXP").removesuffix("2")
  height, halvings = wave_of(base, t, l)
  scale = {"2": 2.0 ** -min(halvings, 1000), "P": (gamma or 1) ** t}
  return k0 + (k1 - k0) * height * scale.get(name[-1], 1.0)


def options_of(name, length=4):
  if name in ("FIX", "EXP", "STEP", "NSTEP"):
    options = {"k0": K0}
  elif name == "INV":
    options = {"k0": K0, "gamma": K0, "p": 0.75}
  elif name == "SIG":
    options = {"k0": K0, "gamma": -0.5, "l": length}
  elif name == "POLY":
    options = {"k0": 0.0, "k1": K0, "p": 2.0, "l": length}
  else:
    options = {"k0": K0, "k1": K1, "l": length}
  if "EXP" in name or "STEP" in name:
    options["gamma"] = GAMMA
  if name == "STEP":
    options["l"] = length
  if name == "NSTEP":
    options["l"] = [length // 2, length, min(3 * length // 2, 2**31 - 1)]
  return options


def rates(schedule, steps):
  return np.asarray(schedule(jnp.asarray(steps)))


class OracleTest(parameterized.TestCase):
  def test_names(self):
    self.assertLen(NAMES, 7 + 9 * 3)
    self.assertLen(set(NAMES), len(NAMES))
    for name in (f"{w}{s}" for w in WAVES + RESTARTS for s in ("", "2", "EXP")):
      self.assertIn(name, NAMES)

  @parameterized.parameters(*NAMES)
  def test_float32_at_extreme_steps(self, name):
    for length in (1, 4, 1000, 2**24 + 5, 2**30 + 3, 2**31 - 1):
      options = options_of(name, length)
      steps = {0, 1, 2, 3, 2**24 + 1, 2**31 - 2}
      steps |= {k * length + d for k in (1, 2, 3, 40) for d in (-1, 0, 1)}
      steps = sorted(step for step in steps if 0 <= step < 2**31 - 1)
      # One shape, so that one program does.
      steps = np.resize(np.asarray(steps, np.int32), 18)
      found = rates(policy(name, **options), steps)
      self.assertEqual(found.dtype, np.float32)
      wanted = [oracle(name, int(step), **options) for step in steps]
      np.testing.assert_allclose(
        found, wanted, rtol=1e-6, atol=1.2e-38, err_msg=f"l={length}"
      )

  @parameterized.parameters("INV", "POLY", "SIG")
  def test_numbers_of_any_size(self, name):
    length, steps = 2**24 + 5, np.array([0, 1, 100, 2**23 + 1, 2**24 + 4])
    for gamma in (1e-6, 0.3, 40.0):
      for p in (0.1, 0.75, 5.0):
        given = {"k0": 0.0 if name == "POLY" else K0}
        if name == "POLY":
          given |= {"k1": K1, "p": float(np.float32(p)), "l": length}
        if name == "INV":
          given |= {
            "gamma": float(np.float32(gamma)),
            "p": float(np.float32(p)),
          }
        if name == "SIG":
          given |= {"gamma": float(np.float32(-gamma / 100)), "l": 2**23}
        found = rates(policy(name, **given), steps)
        wanted = [oracle(name, int(step), **given) for step in steps]
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1.2e-38)

  @parameterized.parameters(*WAVES, *RESTARTS)
  def test_all_short_lengths(self, name):
    steps = np.arange(40)
    for length in range(1, 7):
      for suffix in ("", "2"):
        options = {"k0": K0, "k1": K1, "l": length}
        found = rates(policy(name + suffix, **options), steps)
        wanted = [oracle(name + suffix, int(t), **options) for t in steps]
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
        low = name in ("TRI", "SIN", "UPCOS")
        self.assertEqual(found[0], np.float32(K0 if low else K1))


class FactsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("TRI", 0, ".1 .2 .3 .4 .5 .4 .3 .2 .1"),
    ("TRI2", 8, ".1 .15 .2 .25 .3"),
    ("DTRI2", 0, ".5 .4 .3 .2 .1 .15 .2 .25 .3"),
    ("SIN", 0, ".1 .253073373 .382842712 .469551813 .5"),
    (
      "COS",
      0,
      ".5 .441421356 .3 .158578644 .1 .158578644 .3 .441421356 .5",
    ),
    ("COS2", 8, ".3"),
    ("UPCOS2", 12, ".3"),
    ("RSW", 0, ".5 .4 .3 .2 .5"),
    ("SINRSW", 1, ".469551813"),
    ("COSRSW2", 5, ".270710678"),
    ("TRIEXP", 0, ".1 .19 .262 .3187 .36244"),
    ("DTRIEXP", 4, ".1"),
    ("DTRIEXP", 8, ".272186884"),
    ("COSEXP", 8, ".272186884"),
  )
  def test_waves(self, name, first, numbers):
    gamma = {"gamma": 0.9} if "EXP" in name else {}
    wanted = [float(x) for x in numbers.split()]
    found = rates(
      policy(name, k0=0.1, k1=0.5, l=4, **gamma), first + np.arange(len(wanted))
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-6)

  @parameterized.parameters(
    (
      "STEP",
      {"k0": 0.1, "gamma": 0.5, "l": 4},
      0,
      ".1 .1 .1 .1 .05 .05 .05 .05 .025",
    ),
    (
      "NSTEP",
      {"k0": 0.1, "gamma": 0.5, "l": [3, 5]},
      0,
      ".1 .1 .1 .05 .05 .025",
    ),
    ("INV", {"k0": 0.1, "gamma": 0.1, "p": 0.75}, 1, ".0931012445 .0872195949"),
    (
      "POLY",
      {"k0": 0.0, "k1": 0.1, "p": 2.0, "l": 8},
      0,
      ".1 .0765625 .05625 .0390625 .025",
    ),
    ("SIG", {"k0": 0.1, "gamma": -0.5, "l": 4}, 0, ".0880797078"),
    ("SIG", {"k0": 0.1, "gamma": -0.5, "l": 4}, 4, ".05"),
    ("FIX", {"k0": 0.1}, 0, ".1 .1"),
    ("EXP", {"k0": 0.1, "gamma": 0.5}, 0, ".1 .05 .025"),
  )
  def test_others(self, name, options, first, numbers):
    wanted = [float(x) for x in numbers.split()]
    found = rates(policy(name, **options), first + np.arange(len(wanted)))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)

  def test_polynomial_stays_at_its_end(self):
    schedule = policy("POLY", k0=0.25, k1=0.5, p=1.5, l=8)
    np.testing.assert_array_equal(rates(schedule, [8, 9, 2**31 - 2]), 0.25)

  @parameterized.parameters(*RESTARTS)
  def test_restart_at_the_bound_of_the_reference(self, name):
    options = {"k0": 0.1, "k1": 0.5, "l": 4}
    found = rates(policy(name, restart_at_peak=False, **options), range(9))
    peaks = rates(policy(name, **options), range(9))
    np.testing.assert_array_equal(found[[0, 4, 8]], np.float32(0.1))
    np.testing.assert_array_equal(peaks[[0, 4, 8]], np.float32(0.5))
    np.testing.assert_array_equal(found[1:4], peaks[1:4])

  @parameterized.parameters(
    ("TRI", "triangular"), ("TRI2", "triangular2"), ("TRIEXP", "exp_range")
  )
  def test_triangles_are_cyclical_schedules(self, name, mode):
    gamma = {"gamma": 0.9} if name == "TRIEXP" else {}
    ours = policy(name, k0=0.1, k1=0.5, l=4, **gamma)
    other = optax_stepsize.cyclical_schedule(0.1, 0.5, 4, mode=mode, **gamma)
    np.testing.assert_array_equal(
      rates(ours, range(50)), rates(other, range(50))
    )

  def test_restarts_are_warm_restarts(self):
    for name, decay in (("RSW", "linear"), ("COSRSW", "cosine")):
      ours = policy(name, k0=0.1, k1=0.5, l=4)
      other = optax_stepsize.multiplicative_cyclic_schedule(
        0.5, 4, multiplier=1, end_value=0.1, decay=decay
      )
      np.testing.assert_allclose(
        rates(ours, range(20)), rates(other, range(20)), rtol=1e-6
      )

  def test_half_a_cosine_is_cosine_decay(self):
    cosine = optax.cosine_decay_schedule(0.5, 10, alpha=0.2)
    wanted = [float(cosine(step)) for step in range(11)]
    found = rates(policy("COS", k0=0.1, k1=0.5, l=10), range(11))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)

  @parameterized.parameters("tri2", "Cosine".upper()[:3].lower(), "sinRswExp")
  def test_names_in_any_case(self, name):
    options = options_of(name.upper())
    np.testing.assert_array_equal(
      rates(policy(name, **options), range(9)),
      rates(policy(name.upper(), **options), range(9)),
    )


class CompositeTest(parameterized.TestCase):
  def test_each_has_its_own_steps(self):
    first = policy("TRI", k0=0.1, k1=0.5, l=4)
    second = {"name": "EXP", "k0": 0.2, "gamma": 0.5}
    third = optax.constant_schedule(0.3)
    schedule = optax_stepsize.composite_policy([first, second, third], [8, 11])
    wanted = [*rates(first, range(8)), 0.2, 0.1, 0.05, 0.3, 0.3]
    np.testing.assert_allclose(rates(schedule, range(13)), wanted, rtol=1e-6)
    self.assertEqual(schedule(8), policy(**second)(0))
    for step in (0, 7, 8, 10, 11, 2**31 - 2):
      found = schedule(step)
      self.assertEqual((found.dtype, found.shape), (jnp.float32, ()))
    # Pure: any order of steps.
    self.assertEqual(schedule(9), np.float32(0.1))
    self.assertEqual(schedule(0), np.float32(0.1))

  def test_one_policy(self):
    schedule = optax_stepsize.composite_policy([policy("FIX", k0=0.1)], [])
    self.assertEqual(schedule(5), np.float32(0.1))

  def test_traced(self):
    def rate(k0, gamma, counts):
      return optax_stepsize.composite_policy(
        [
          {"name": "FIX", "k0": k0},
          {"name": "EXP", "k0": k0, "gamma": gamma},
        ],
        [3],
      )(counts)

    k0s, gammas = jnp.array([0.1, 0.2]), jnp.array([0.5, 0.25])
    found = jax.jit(jax.vmap(rate, (0, 0, None)))(k0s, gammas, jnp.arange(5))
    wanted = [[0.1, 0.1, 0.1, 0.1, 0.05], [0.2, 0.2, 0.2, 0.2, 0.05]]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)

  @parameterized.parameters(
    ([1, 0], "boundaries must be an integer >= 1, got 0."),
    ([3, 3], "boundaries must be increasing, got [3, 3]."),
    ([3], "policies must be one more than boundaries, 2, got 3."),
  )
  def test_errors(self, boundaries, text):
    with self.assertRaises(ValueError) as error:
      optax_stepsize.composite_policy([policy("FIX", k0=0.1)] * 3, boundaries)
    self.assertEqual(str(error.exception), f"composite_policy: {text}")

  def test_not_a_schedule(self):
    with self.assertRaisesRegex(ValueError, "schedules or mappings, got 0.1."):
      optax_stepsize.composite_policy([0.1], [])


class CompositionTest(parameterized.TestCase):
  # One of each rule, form, start and suffix: what waves are composed of.
  @parameterized.parameters(
    *NAMES[:7], "TRI", "TRIEXP", "DSIN2", "COS", "SINRSW2", "COSRSW"
  )
  def test_traced_numbers(self, name):
    options = options_of(name)
    numbers = {k: v for k, v in options.items() if k != "l"}
    fixed = {k: v for k, v in options.items() if k == "l"}

    def rate(numbers, counts):
      return policy(name, **numbers, **fixed)(counts)

    batch = {k: jnp.array([v, 0.75 * v]) for k, v in numbers.items()}
    found = jax.jit(jax.vmap(rate, (0, None)))(batch, jnp.arange(12))
    for i in range(2):
      one = {k: float(v[i]) for k, v in batch.items()}
      wanted = [oracle(name, t, **one, **fixed) for t in range(12)]
      np.testing.assert_allclose(found[i], wanted, rtol=2e-6)

  def test_optax(self):
    schedule = policy("DSIN2", k0=0.1, k1=0.5, l=3)
    tx = optax.scale_by_schedule(schedule)
    outer = optax.inject_hyperparams(optax.scale)(step_size=schedule)
    with jax.numpy_dtype_promotion("standard"):
      state, injected = tx.init(jnp.ones(2)), outer.init(jnp.ones(2))
      for step in range(7):
        updates, state = tx.update(jnp.ones(2), state)
        np.testing.assert_allclose(updates, schedule(step), rtol=1e-6)
        updates, injected = outer.update(jnp.ones(2), injected)
        np.testing.assert_allclose(updates, schedule(step), rtol=1e-6)

  @parameterized.parameters("TRI2", "NSTEP", "SIG", "RSWEXP", "POLY", "INV")
  def test_counts_of_any_kind(self, name):
    schedule = policy(name, **options_of(name))
    line = schedule(jnp.arange(12))
    np.testing.assert_allclose(
      schedule(jnp.arange(12).reshape(3, 4)), line.reshape(3, 4), rtol=1e-6
    )
    for kind in (int, jnp.uint32, jnp.int16):
      for step in (2, 9):
        found = schedule(kind(step))
        self.assertEqual((found.dtype, found.shape), (jnp.float32, ()))
        self.assertAlmostEqual(float(found), float(line[step]), delta=1e-7)
    self.assertEqual(schedule(-5), schedule(0))


class ErrorTest(parameterized.TestCase):
  @parameterized.parameters(
    ("TRY", "TRI"), ("COSINERSW", "COSRSW"), ("steps", "STEP")
  )
  def test_unknown_names_offer_the_nearest(self, wrong, near):
    with self.assertRaisesRegex(
      ValueError,
      rf"policy: name must be one of FIX.*got '{wrong}'.*mean.*{near}",
    ):
      policy(wrong, k0=0.1)

  @parameterized.parameters(*NAMES)
  def test_missing_and_superfluous_arguments(self, name):
    options = options_of(name)
    for key in options:
      if key != "k0":
        with self.assertRaisesRegex(ValueError, f"{name} needs {key}"):
          policy(name, **{k: v for k, v in options.items() if k != key})
    for key, value in {"k1": 0.5, "gamma": 0.9, "p": 2.0, "l": 4}.items():
      if key not in options:
        with self.assertRaisesRegex(ValueError, f"{name} does not take {key},"):
          policy(name, **options, **{key: value})
    if not name.startswith(RESTARTS):
      with self.assertRaisesRegex(ValueError, "not take restart_at_peak,"):
        policy(name, restart_at_peak=False, **options)

  @parameterized.parameters(
    ("FIX", {"k0": -1.0}, "k0 must be in [0, inf), got -1.0."),
    ("TRI", {"k1": -1.0}, "k1 must be in [0, inf), got -1.0."),
    ("TRI", {"l": 0}, "l must be an integer >= 1, got 0."),
    ("TRI", {"l": 2.5}, "l must be an integer >= 1, got 2.5."),
    ("TRIEXP", {"gamma": 1.5}, "gamma must be in (0, 1], got 1.5."),
    ("INV", {"gamma": -0.5}, "gamma must be in [0, inf), got -0.5."),
    ("POLY", {"p": 0.0}, "p must be in (0, inf), got 0.0."),
    ("NSTEP", {"l": 4}, "l must be a sequence of integers for NSTEP, got 4."),
    ("NSTEP", {"l": [-1]}, "an entry of l must be an integer >= 0, got -1."),
  )
  def test_ranges(self, name, wrong, text):
    with self.assertRaises(ValueError) as error:
      policy(name, **options_of(name) | wrong)
    self.assertEqual(str(error.exception), f"policy: {text}")


if __name__ == "__main__":
  absltest.main()
