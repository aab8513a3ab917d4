# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`policy` and `composite_policy` against LRBench."""

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

import optax_stepsize
from tests.parity import problem as problems
from tests.parity import schedule_problem

RECORDED = problems.load("policies")


def is_restart(case):
  return "rsw" in case["name"]


def make(case, **more):
  if "policies" in case:
    policies = list(case["policies"].values())
    return optax_stepsize.composite_policy(policies, case["boundaries"])
  return optax_stepsize.policy(**case["options"], **more)


def find(case, **more):
  return schedule_problem.values(lambda: make(case, **more), case["steps"])


class PoliciesTest(parameterized.TestCase):
  def test_all_are_compared(self):
    names = {case["options"]["name"] for case in RECORDED["cases"][:-3]}
    self.assertEqual(names, set(optax_stepsize.POLICY_NAMES))

  @parameterized.named_parameters(problems.named_cases(RECORDED))
  def test_rates(self, case):
    more = {"restart_at_peak": False} if is_restart(case) else {}
    # Where ours is zero, the sine of theirs is that of pi, rounded.
    np.testing.assert_allclose(
      find(case, **more),
      case["rates"],
      rtol=schedule_problem.TOLERANCE,
      atol=1e-16,
    )

  @parameterized.named_parameters(
    item for item in problems.named_cases(RECORDED) if is_restart(item["case"])
  )
  def test_differs_restart_at_peak(self, case):
    ours, theirs = find(case), np.asarray(case["rates"])
    options = case["options"]
    restarts = np.arange(case["steps"]) % options["l"] == 0
    np.testing.assert_allclose(
      ours[~restarts], theirs[~restarts], rtol=schedule_problem.TOLERANCE
    )
    np.testing.assert_array_equal(theirs[restarts], options["k0"])
    number = np.arange(np.sum(restarts))
    scale = {"2": 2.0**-number, "P": options.get("gamma", 1) ** (6.0 * number)}
    amplitude = (options["k1"] - options["k0"]) * scale.get(
      options["name"][-1], np.ones(number.shape)
    )
    np.testing.assert_allclose(
      ours[restarts], options["k0"] + amplitude, rtol=1e-12
    )


if __name__ == "__main__":
  absltest.main()
