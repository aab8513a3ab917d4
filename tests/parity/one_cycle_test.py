# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`one_cycle` against torch's OneCycleLR."""

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

import optax_stepsize
from tests.parity import problem as problems
from tests.parity import schedule_problem

RECORDED = problems.load("one_cycle")
FIELDS = {"rates": "learning_rate", "momenta": "momentum"}


def find(case, field):
  return schedule_problem.values(
    lambda: getattr(optax_stepsize.one_cycle(**case["options"]), field),
    case["steps"],
  )


def differing(kind):
  return [
    item
    for item in problems.named_cases(RECORDED, differs=True)
    if kind in item["testcase_name"]
  ]


class OneCycleTest(parameterized.TestCase):
  @parameterized.named_parameters(problems.named_cases(RECORDED))
  def test_values(self, case):
    for name, field in FIELDS.items():
      np.testing.assert_allclose(
        find(case, field), case[name], rtol=schedule_problem.TOLERANCE
      )

  @parameterized.named_parameters(problems.named_cases(RECORDED))
  def test_descent(self, case):
    points = schedule_problem.descend(
      lambda: optax_stepsize.one_cycle(**case["options"]),
      case["steps"],
    )
    np.testing.assert_allclose(
      points[-1],
      case["last_point"],
      rtol=0,
      atol=schedule_problem.TOLERANCE * np.max(np.abs(case["last_point"])),
    )

  @parameterized.named_parameters(differing("after"))
  def test_differs_after_the_last_step(self, case):
    for name, field in FIELDS.items():
      ours, theirs = find(case, field), np.asarray(case[name])
      np.testing.assert_allclose(
        ours[:-1], theirs[:-1], rtol=schedule_problem.TOLERANCE
      )
      self.assertEqual(ours[-1], ours[-2])
      self.assertGreater(abs(theirs[-1] - theirs[-2]), 1e-3)

  @parameterized.named_parameters(differing("one_step_rise"))
  def test_differs_one_step_rise(self, case):
    self.assertIn("division by zero", case["error"])
    rates, momenta = (find(case, field) for field in FIELDS.values())
    self.assertEqual(rates[0], 1)
    self.assertEqual(momenta[0], 0.85)
    # The fall takes the whole run.
    left = 1 - np.arange(10) / 9
    if case["options"]["anneal"] == "cos":
      left = (1 - np.cos(np.pi * left)) / 2
    end = 1 / 25 / 1e4
    np.testing.assert_allclose(rates, end + (1 - end) * left, rtol=1e-9)
    np.testing.assert_allclose(momenta, 0.95 - 0.1 * left, rtol=1e-9)


if __name__ == "__main__":
  absltest.main()
