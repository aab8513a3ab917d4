# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`policy_polyak` and `twin_polyak` against a slow transcription."""

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import optax_stepsize
from tests.parity import generate_policy_polyak as generator
from tests.parity import policy_polyak_reference as reference
from tests.parity import problem as problems

POLICY = problems.load("policy_polyak")
TWINS = problems.load("twin_polyak")


def losses(recorded, params, inputs, axes):
  """The loss, summed over all axes of a leaf but the first `axes`."""
  curvature, target = (
    problems.leaves_of(recorded["problem"], key)
    for key in ("curvature", "target")
  )
  terms = jax.tree.map(
    lambda h, p, t, n: jnp.sum(
      (h * (p - t) + n) ** 2 / (2 * h), axis=tuple(range(axes, p.ndim))
    ),
    curvature,
    params,
    target,
    inputs["noise"],
  )
  return sum(jax.tree.leaves(terms)) + inputs["missing"]


def update_policy(tx, grads, state, params, inputs):
  value = -losses(POLICY, params, inputs, 0)
  return tx.update(
    grads, state, params, value=value, target_value=inputs["target_value"]
  )


def update_twins(tx, grads, state, params, inputs):
  value = -losses(TWINS, params, inputs, 1)
  return tx.update(grads, state, params, value=value)


def read_policy(state, params):
  return {"params": params, "step_size": state.step_size}


def read_twins(state, params):
  found = read_policy(state, params) | {"updated": state.updated}
  if state.mean_grad is not None:
    found["mean_grad"] = state.mean_grad
    for name in ("mean_loss", "mean_slope"):
      first, second = getattr(state, name)
      found[name] = {"first": first, "second": second}
  return found


def inputs(case):
  """NaN where the return is missing, and the target of each update."""
  missing = np.zeros(problems.STEPS)
  missing[case.get("missing_returns", [])] = np.nan
  target = np.asarray(case.get("target_value", np.zeros(problems.STEPS)))
  return {"missing": missing, "target_value": target}


class PolicyPolyakTest(parameterized.TestCase):
  @parameterized.named_parameters(problems.named_cases(POLICY))
  def test_trajectory(self, case):
    found = problems.replay(
      optax_stepsize.policy_polyak,
      read_policy,
      POLICY,
      case,
      update=update_policy,
      inputs=inputs(case),
    )
    problems.assert_matches(found, POLICY, case)

  @parameterized.named_parameters(problems.named_cases(TWINS))
  def test_trajectory_of_twins(self, case):
    found = problems.replay(
      optax_stepsize.twin_polyak,
      read_twins,
      TWINS,
      case,
      update=update_twins,
      inputs=inputs(case),
    )
    problems.assert_matches(found, TWINS, case)


class TranscriptionTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("policy", POLICY, generator.run_policy, generator.policy_cases()),
    ("twins", TWINS, generator.run_twins, generator.twin_cases()),
  )
  def test_recorded(self, recorded, run, cases):
    names = [case["name"] for case in recorded["cases"]]
    self.assertEqual(names, [case["name"] for case in cases])
    for case in cases[::3]:
      again = run(recorded["problem"], case)
      (old,) = (c for c in recorded["cases"] if c["name"] == case["name"])
      jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11),
        (again["trees"], again["sequences"]),
        (old["trees"], old["sequences"]),
      )

  def test_worked_example(self):
    def bandit(k, i, x):
      del k, i
      p = 1 / (1 + np.exp(-x["x"]))
      return float(p), {"x": -p * (1 - p)}

    start = [{"x": np.array(0.0)}, {"x": np.array(1.0)}]
    found = reference.twin_polyak(start, bandit, 8, eps=0.0, gamma_b=5.0)
    np.testing.assert_allclose(
      found["gamma"][:3], [5, 2.392435, 2.390465], 1e-6
    )
    self.assertEqual(found["w"], [0, 1] * 4)
    values = [bandit(0, i, found["x"][-1][i])[0] for i in (0, 1)]
    np.testing.assert_allclose(values, [0.90386049, 0.91300001], rtol=1e-8)


if __name__ == "__main__":
  absltest.main()
