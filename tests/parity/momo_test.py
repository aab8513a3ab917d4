# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`momo` and `momo_adam` against the authors' code, and against Optax."""

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from tests.parity import flat_problem
from tests.parity import problem as problems

MOMO = problems.load("momo")
ADAM = problems.load("momo_adam")
CURVATURE = problems.leaves_of(MOMO["problem"], "curvature")
TARGET = problems.leaves_of(MOMO["problem"], "target")
SCALARS = ("value_avg", "product_avg", "lower_bound")


def read(state, params):
  found = {name: getattr(state, name) for name in (*SCALARS, "mu", "nu")}
  return {"params": params} | {k: v for k, v in found.items() if v is not None}


def update_with_loss(tx, grads, state, params, inputs):
  losses = jax.tree.map(
    lambda h, p, t, n: jnp.sum((h * (p - t) + n) ** 2 / (2 * h)),
    CURVATURE,
    params,
    TARGET,
    inputs["noise"],
  )
  return tx.update(grads, state, params, value=sum(jax.tree.leaves(losses)))


def replay(make, recorded, case):
  return problems.replay(make, read, recorded, case, update=update_with_loss)


class AuthorsTest(parameterized.TestCase):
  @parameterized.named_parameters(problems.named_cases(MOMO))
  def test_momo(self, case):
    ours = replay(optax_stepsize.momo, MOMO, case)
    problems.assert_matches(ours, MOMO, case)

  @parameterized.named_parameters(problems.named_cases(ADAM))
  def test_momo_adam(self, case):
    ours = replay(optax_stepsize.momo_adam, ADAM, case)
    problems.assert_matches(ours, ADAM, case)


class OptaxTest(parameterized.TestCase):
  def deviation(self, name, options, **renamed):
    """Of our trajectory from Optax's, relative, over all steps."""
    ours = getattr(optax_stepsize, name)
    other = getattr(optax.contrib, name)
    optaxs = {renamed.get(k, k): v for k, v in options.items()}
    with jax.numpy_dtype_promotion("standard"):
      found = flat_problem.replay(ours, options, lambda state: {})
      wanted = flat_problem.replay(other, optaxs, lambda state: {})
    return max(
      np.max(np.abs(found["params"][n] - wanted["params"][n]))
      for n in problems.SHAPES
    )

  @parameterized.parameters(
    ({},),
    ({"learning_rate": 0.2, "b1": 0.5},),
    ({"f_min": 0.5},),
    ({"f_min": -1.0, "adapt_lower_bound": True},),
  )
  def test_momo_without_decay_is_that_of_optax(self, options):
    found = self.deviation("momo", options, b1="beta", f_min="lower_bound")
    self.assertLess(found, 1e-10)

  @parameterized.parameters(
    ({},),
    ({"learning_rate": 0.2, "b1": 0.5, "b2": 0.9, "eps": 1e-3},),
    ({"f_min": 0.5, "learning_rate": 1.0},),
    ({"f_min": -1.0, "adapt_lower_bound": True, "learning_rate": 1.0},),
  )
  def test_momo_adam_without_decay_is_that_of_optax(self, options):
    found = self.deviation("momo_adam", options, f_min="lower_bound")
    self.assertLess(found, 1e-10)

  @parameterized.parameters("momo", "momo_adam")
  def test_decay_of_optax_leaves_the_step_undivided(self, name):
    options = {"learning_rate": 0.2, "weight_decay": 0.3}
    self.assertGreater(self.deviation(name, options), 1e-3)


if __name__ == "__main__":
  absltest.main()
