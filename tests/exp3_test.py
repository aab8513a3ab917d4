# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of Exp3 and of the estimate of its rate."""

import math

from absl.testing import absltest
from absl.testing import parameterized
import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np

from optax_stepsize import core
from optax_stepsize import laws

ARMS = [0, 1, 0, 0, 1, 2]
LOSSES = [1.0, 0.0, 1.0, 0.5, 1.0, 0.0]
FIGURES = (
  (
    0.1,
    -6.664197384495634,
    (0.33333333, 0.36485455, 0.27029090, 0.20373386, 0.41660410, 0.45725574),
  ),
  (
    0.3,
    -8.289198291757728,
    (0.33333333, 0.41552921, 0.16894157, 0.03328139, 0.49981018, 0.64539191),
  ),
)
MEANS = (0.2, 0.8)


def replayed(eta, arms, losses, num_arms):
  """Probabilities of all steps, by the definition, in NumPy."""
  sums, rows = np.zeros(num_arms), []
  for arm, loss in zip(arms, losses, strict=True):
    p = np.exp(-eta * (sums - np.min(sums)))
    p /= np.sum(p)
    # Where this, unlike logarithms, comes near to underflow.
    hypothesis.assume(np.min(p) > 1e-9)
    rows.append(p)
    sums[arm] += loss / p[arm]
  return np.array(rows)


def simulated(count, eta, steps, means=MEANS, seed=0):
  """Records of so many learners, in float64."""
  with core.enable_x64():
    keys = jax.random.split(jax.random.key(seed), count)
    run = jax.jit(
      jax.vmap(
        lambda key: laws.simulate_exp3(key, eta, steps, jnp.asarray(means))
      )
    )
    return laws.Exp3Record(*map(np.asarray, run(keys)))


def fitted(record, **options):
  """Theta of each record."""
  return np.array(
    [
      laws.fit_exp3_learning_rate(arms, losses, 2, **options).theta
      for arms, losses in zip(record.arms, record.losses, strict=True)
    ]
  )


def rmse(theta, true):
  return np.sqrt(np.mean(np.log(theta / true) ** 2))


class LikelihoodTest(parameterized.TestCase):
  @parameterized.parameters(*FIGURES)
  def test_figures(self, eta, likelihood, chosen):
    rows = laws.exp3_probabilities(eta, ARMS, LOSSES, 3)
    self.assertEqual(rows.dtype, np.float64)
    np.testing.assert_allclose(rows[np.arange(6), ARMS], chosen, atol=5e-9)
    np.testing.assert_allclose(np.sum(rows, axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(
      laws.exp3_log_likelihood(eta, ARMS, LOSSES, 3), likelihood, rtol=1e-14
    )

  def test_figures_of_large_and_of_no_rate(self):
    np.testing.assert_allclose(
      laws.exp3_log_likelihood(1.0, ARMS, LOSSES, 3), -51.2183803445, rtol=1e-12
    )
    np.testing.assert_allclose(
      laws.exp3_log_likelihood(0.0, ARMS, LOSSES, 3),
      -6 * math.log(3),
      rtol=1e-15,
    )

  def test_slope(self):
    def likelihood(eta):
      return laws.exp3_log_likelihood(eta, ARMS, LOSSES, 3)

    with core.enable_x64():
      slope = jax.grad(likelihood)(0.1)
    np.testing.assert_allclose(slope, -2.6598237016, rtol=1e-10)
    np.testing.assert_allclose(
      jax.grad(likelihood)(0.1), -2.6598237016, rtol=1e-5
    )

  @hypothesis.settings(deadline=None, max_examples=50)
  @hypothesis.given(
    seed=st.integers(0, 10**6),
    eta=st.floats(0.0, 0.5),
    num_arms=st.sampled_from([2, 5]),
  )
  def test_is_the_definition(self, seed, eta, num_arms):
    rng = np.random.default_rng(seed)
    arms, losses = rng.integers(0, num_arms, 8), rng.uniform(size=8)
    rows = replayed(eta, arms, losses, num_arms)
    np.testing.assert_allclose(
      laws.exp3_probabilities(eta, arms, losses, num_arms),
      rows,
      rtol=1e-9,
      atol=1e-300,
    )
    total = np.sum(np.log(rows[np.arange(8), arms]))
    np.testing.assert_allclose(
      laws.exp3_log_likelihood(eta, arms, losses, num_arms), total, rtol=1e-9
    )

  @hypothesis.settings(deadline=None, max_examples=50)
  @hypothesis.given(
    seed=st.integers(0, 10**6),
    eta=st.floats(1e-3, 0.1),
    share=st.floats(0.0, 1.0),
  )
  def test_no_probability_falls_by_more_than_the_rate(self, seed, eta, share):
    rng = np.random.default_rng(seed)
    arms = np.where(rng.uniform(size=20) < share, 0, rng.integers(0, 3, 20))
    losses = np.where(rng.uniform(size=20) < share, 1.0, rng.uniform(size=20))
    rows = laws.exp3_probabilities(eta, arms, losses, 3)
    least = 1 / 3 - eta * np.arange(20)
    self.assertTrue(np.all(rows >= least[:, None] - 1e-12))

  def test_horizon(self):
    for horizon in (1, 3, 6):
      np.testing.assert_allclose(
        laws.exp3_log_likelihood(0.3, ARMS, LOSSES, 3, horizon=horizon),
        laws.exp3_log_likelihood(0.3, ARMS[:horizon], LOSSES[:horizon], 3),
        rtol=1e-15,
      )

  def test_overflow(self):
    # The arm that lost is played and loses again and again.
    arms, losses = np.zeros(9, int), np.ones(9)
    for eta in (5.0, 1e3, 1e200):
      self.assertEqual(
        laws.exp3_log_likelihood(eta, arms, losses, 2), -math.inf
      )
      rows = laws.exp3_probabilities(eta, arms, losses, 2)
      self.assertTrue(np.all((rows >= 0) & (rows <= 1)))
      np.testing.assert_allclose(np.sum(rows, axis=1), 1)
    # In float32 it comes sooner.
    single = jax.jit(lambda eta: laws.exp3_log_likelihood(eta, arms, losses, 2))
    self.assertEqual(single(5.0), -math.inf)
    self.assertEqual(single(5.0).dtype, jnp.float32)

  def test_nothing_lost_at_a_vanishing_probability_is_nothing(self):
    # The second arm has a probability of exp(-2000), is played and loses 0.
    arms, losses = [1, 1, 0, 0], [1.0, 0.0, 0.5, 0.0]
    found = laws.exp3_log_likelihood(1e3, arms, losses, 2)
    np.testing.assert_allclose(found, math.log(0.5) - 2000, rtol=1e-12)
    slope = jax.jvp(
      lambda eta: laws.exp3_log_likelihood(eta, arms, losses, 2),
      (1e3,),
      (1.0,),
    )[1]
    self.assertTrue(np.isfinite(slope))

  def test_over_rates_and_records(self):
    rates = jnp.array([0.0, 0.1, 0.3])
    found = jax.vmap(lambda e: laws.exp3_log_likelihood(e, ARMS, LOSSES, 3))(
      rates
    )
    np.testing.assert_allclose(
      found, [-6.5916737, -6.6641974, -8.2891983], rtol=1e-6
    )
    both = jax.vmap(lambda a, x: laws.exp3_log_likelihood(0.1, a, x, 3))(
      jnp.array([ARMS, ARMS[::-1]]), jnp.array([LOSSES, LOSSES[::-1]])
    )
    np.testing.assert_allclose(both[0], -6.6641974, rtol=1e-6)

  @parameterized.named_parameters(
    ("rate", {"eta": -0.1}, "eta must be in"),
    ("num_arms", {"num_arms": 1}, "num_arms must be an integer >= 2"),
    (
      "arms",
      {"arms": [0, 1, 2, 3, 0, 0]},
      "arms must be in .0, 2.*from 0 to 3",
    ),
    ("negative", {"arms": [0, -1, 2, 1, 0, 0]}, "arms must be in .*from -1"),
    ("floats", {"arms": [0.0] * 6}, "arms must be integers"),
    ("short", {"losses": LOSSES[:5]}, r"shapes \(6,\) and \(5,\)"),
    ("empty", {"arms": [], "losses": []}, "one entry for each step"),
    ("large", {"losses": [2.0] * 6}, "losses must be in"),
    ("nan", {"losses": [math.nan] * 6}, "losses must be in"),
  )
  def test_bad_input(self, given, message):
    right = {"eta": 0.1, "arms": ARMS, "losses": LOSSES, "num_arms": 3}
    for function in (laws.exp3_probabilities, laws.exp3_log_likelihood):
      with self.assertRaisesRegex(ValueError, f"exp3_.*: .*{message}"):
        function(**right | given)

  @parameterized.parameters(0, 7, 2.0)
  def test_bad_horizon(self, horizon):
    with self.assertRaisesRegex(ValueError, "horizon must be"):
      laws.exp3_log_likelihood(0.1, ARMS, LOSSES, 3, horizon=horizon)


class SafeHorizonTest(parameterized.TestCase):
  @parameterized.parameters(
    (0.01, 2, 0.1, 41), (1.0, 2, 0.1, 1), (0.1, 4, 0.05, 3), (1e-4, 3, 0.3, 334)
  )
  def test_figures(self, max_eta, num_arms, min_prob, steps):
    self.assertEqual(laws.exp3_safe_horizon(max_eta, num_arms, min_prob), steps)

  def test_all_rates_keep_it(self):
    steps = laws.exp3_safe_horizon(0.02, 2, 0.1)
    arms, losses = np.zeros(steps, int), np.ones(steps)
    for eta in np.geomspace(1e-4, 0.02, 20):
      rows = laws.exp3_probabilities(eta, arms, losses, 2)
      self.assertGreaterEqual(np.min(rows), 0.1)

  @parameterized.parameters(
    ("max_eta", 0.0), ("num_arms", 1), ("min_prob", 0.5), ("min_prob", 0.0)
  )
  def test_bad_input(self, name, value):
    right = {"max_eta": 0.1, "num_arms": 2, "min_prob": 0.1}
    with self.assertRaisesRegex(ValueError, f"safe_horizon: {name} must be"):
      laws.exp3_safe_horizon(**right | {name: value})


class SimulateTest(parameterized.TestCase):
  def test_probabilities_are_those_of_the_record(self):
    record = laws.simulate_exp3(jax.random.key(1), 0.1, 200, MEANS)
    self.assertEqual(record.arms.dtype, np.int32)
    self.assertContainsSubset(np.unique(record.losses), [0.0, 1.0])
    rows = laws.exp3_probabilities(0.1, record.arms, record.losses, 2)
    np.testing.assert_allclose(record.probabilities, rows, rtol=1e-12)

  def test_arms_and_losses_have_their_probabilities(self):
    record = simulated(4000, 0.3, 5)
    for step in range(5):
      expected = np.mean(record.probabilities[:, step, 0])
      found = np.mean(record.arms[:, step] == 0)
      self.assertLess(abs(found - expected), 4 * 0.5 / math.sqrt(4000))
    for arm, mean in enumerate(MEANS):
      drawn = record.losses[record.arms == arm]
      self.assertLess(
        abs(np.mean(drawn) - mean), 4 * 0.4 / math.sqrt(len(drawn))
      )

  def test_a_function_of_the_step(self):
    def losses(key, step):
      del key
      first = (step < 100).astype(jnp.float32)
      return jnp.stack([first, 1 - first, jnp.ones_like(first)])

    record = laws.simulate_exp3(jax.random.key(2), 0.2, 100, losses)
    np.testing.assert_array_equal(record.losses, record.arms != 1)
    self.assertEqual(record.probabilities.shape, (100, 3))
    self.assertGreater(record.probabilities[-1, 1], 0.9)

  def test_keys(self):
    one, other = (
      laws.simulate_exp3(jax.random.key(seed), 0.1, 50, MEANS)
      for seed in (3, 4)
    )
    again = laws.simulate_exp3(jax.random.PRNGKey(3), 0.1, 50, MEANS)
    np.testing.assert_array_equal(one.arms, again.arms)
    self.assertTrue(np.any(one.arms != other.arms))

  @parameterized.named_parameters(
    ("eta", {"eta": -1.0}, "eta must be in"),
    ("steps", {"num_steps": 0}, "num_steps must be an integer >= 1"),
    ("means", {"loss_fn_or_means": [0.5, 1.5]}, "loss_fn_or_means must be in"),
    ("one", {"loss_fn_or_means": [0.5]}, "at least two arms, got shape"),
    (
      "scalar",
      {"loss_fn_or_means": lambda key, step: jnp.ones(())},
      "at least two arms, got shape",
    ),
  )
  def test_bad_input(self, given, message):
    right = {"eta": 0.1, "num_steps": 5, "loss_fn_or_means": MEANS}
    with self.assertRaisesRegex(ValueError, f"simulate_exp3: .*{message}"):
      laws.simulate_exp3(jax.random.key(0), **right | given)


class FitTest(parameterized.TestCase):
  def test_it_is_the_maximum(self):
    record = laws.simulate_exp3(jax.random.key(5), 0.1, 100, MEANS)
    arms, losses, _ = record
    fit = laws.fit_exp3_learning_rate(arms, losses, 2, alpha=0.5, num_grid=401)
    self.assertEqual(fit.warning, "")
    self.assertEqual(fit.horizon, 100)
    np.testing.assert_allclose(fit.theta, 10 * fit.eta, rtol=1e-15)

    def likelihood(eta):
      return float(laws.exp3_log_likelihood(eta, arms, losses, 2))

    np.testing.assert_allclose(
      fit.log_likelihood, likelihood(fit.eta), rtol=1e-13
    )
    for eta in np.geomspace(0.005, 2.0, 60):
      self.assertLessEqual(likelihood(eta), fit.log_likelihood)
    # Of central differences.
    h = 1e-4 * fit.eta
    with core.enable_x64():
      slope = jax.jit(
        jax.grad(lambda e: laws.exp3_log_likelihood(e, arms, losses, 2))
      )
      low, middle, high = (float(slope(fit.eta + d)) for d in (-h, 0.0, h))
    np.testing.assert_allclose(
      fit.curvature, -(high - low) / (2 * h), rtol=1e-4
    )
    # The top to a relative 1e-8 of the rate.
    self.assertLess(abs(middle / fit.curvature), 3e-8 * fit.eta)

  # Root mean squares of log(theta) of 60 records; so many scatter by a third.
  @parameterized.parameters((100, 0.054), (400, 0.006), (1600, 0.001))
  def test_error_falls_with_a_rate_of_least_regret(self, steps, figure):
    record = simulated(60, 1 / math.sqrt(steps), steps)
    theta = fitted(record, alpha=0.5, num_grid=2001 if steps > 1000 else 401)
    self.assertBetween(rmse(theta, 1.0), figure / 4, figure * 2.5)
    self.assertLess(abs(np.median(theta) - 1.018), 0.03)

  # There are rare outliers: the figures are of scatter by a factor of several.
  @parameterized.parameters((100, 0.054), (400, 0.005))
  def test_error_with_a_constant_rate(self, steps, figure):
    record = simulated(60, 0.1, steps)
    theta = fitted(record, theta_bounds=(0.02, 20.0), num_grid=801)
    self.assertBetween(np.median(np.abs(np.log(theta / 0.1))), 1e-5, figure)

  def test_a_horizon_keeps_a_coarse_grid_from_missing_the_peak(self):
    arms, losses, _ = simulated(20, 0.1, 1600)
    options = {"theta_bounds": (0.02, 20.0), "num_grid": 400}
    # All estimated losses overflow but those of rates near the peak.
    missed = 0
    for record in zip(arms, losses, strict=True):
      try:
        laws.fit_exp3_learning_rate(*record, 2, **options)
      except ValueError as error:
        missed += "larger num_grid" in str(error)
    self.assertBetween(missed, 7, 17)
    errors = []
    for horizon in (100, 400):
      cut = laws.Exp3Record(arms[:, :horizon], losses[:, :horizon], losses)
      errors.append(rmse(fitted(cut, **options), 0.1))
    self.assertBetween(errors[0], 0.01, 0.5)
    self.assertLess(errors[1], errors[0])

  def test_common_truncation(self):
    arms, losses, _ = laws.simulate_exp3(jax.random.key(6), 0.05, 400, MEANS)
    fit = laws.fit_exp3_learning_rate(
      arms,
      losses,
      2,
      alpha=0.5,
      theta_bounds=(0.05, 4.0),
      min_prob=0.05,
      num_grid=401,
    )
    self.assertEqual(fit.horizon, laws.exp3_safe_horizon(0.2, 2, 0.05))
    self.assertEqual(fit.horizon, 3)
    np.testing.assert_allclose(
      fit.log_likelihood,
      laws.exp3_log_likelihood(fit.eta, arms, losses, 2, horizon=3),
    )

  def test_rates_at_a_bound(self):
    arms, losses, _ = laws.simulate_exp3(jax.random.key(7), 0.1, 100, MEANS)
    for bounds, side in (((0.11, 5.0), "lower"), ((1e-3, 0.09), "higher")):
      fit = laws.fit_exp3_learning_rate(
        arms, losses, 2, theta_bounds=bounds, num_grid=401
      )
      self.assertIn(f"at a bound of the search. Fix: a {side}", fit.warning)
      self.assertIn(round(fit.theta, 9), bounds)

  def test_a_record_without_losses_tells_nothing(self):
    fit = laws.fit_exp3_learning_rate(
      [0, 1, 1, 0], [0.0, 0.0, 0.0, 1.0], 2, num_grid=401
    )
    self.assertIn("all rates are equally likely", fit.warning)
    self.assertEqual(fit.curvature, 0.0)
    np.testing.assert_allclose(fit.log_likelihood, -4 * math.log(2))

  def test_no_rate_explains_the_record(self):
    with self.assertRaisesRegex(
      ValueError, "no rate in a grid from 5 to 20 ex"
    ):
      laws.fit_exp3_learning_rate(
        [0] * 9, [1.0] * 9, 2, theta_bounds=(5.0, 20.0), num_grid=401
      )

  @parameterized.named_parameters(
    ("alpha", {"alpha": 1.0}, "alpha must be in"),
    ("bounds", {"theta_bounds": (2.0, 1.0)}, "theta_bounds must be .low, high"),
    ("zero", {"theta_bounds": (0.0, 1.0)}, "theta_bounds must be in"),
    ("grid", {"num_grid": 100}, "num_grid must be an integer >= 200"),
    ("arms", {"arms": [5] * 6}, "arms must be in"),
    ("losses", {"losses": [-1.0] * 6}, "losses must be in"),
  )
  def test_bad_input(self, given, message):
    right = {"arms": ARMS, "losses": LOSSES, "num_arms": 3}
    with self.assertRaisesRegex(
      ValueError, f"fit_exp3_learning_rate: .*{message}"
    ):
      laws.fit_exp3_learning_rate(**right | given)

  def test_bad_min_prob(self):
    with self.assertRaisesRegex(ValueError, "min_prob must be in"):
      laws.fit_exp3_learning_rate(ARMS, LOSSES, 3, min_prob=0.4)


if __name__ == "__main__":
  absltest.main()
