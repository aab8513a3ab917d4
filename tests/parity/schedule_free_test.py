# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Schedule-Free optimizers against the authors' package."""

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
import optax

import optax_stepsize
from tests.parity import problem as problems

RECORDED = problems.load("schedule_free_adamw")
PAPER = problems.load("schedule_free_adamw_paper")
SGD = problems.load("schedule_free_sgd")
RADAM = problems.load("schedule_free_radam")
NAMES = ("count", "step_size", "weight_sum", "max_rate", "z", "nu")


def read(state, params):
  x = optax_stepsize.eval_params(state, params)
  found = {name: optax.tree.get(state, name) for name in NAMES}
  return {"params": params, "x": x, **found}


def check(make, recorded, case):
  ours = problems.replay(make, read, recorded, case)
  problems.assert_matches(ours, recorded, case)


class ScheduleFreeTest(parameterized.TestCase):
  @parameterized.named_parameters(problems.named_cases(RECORDED))
  def test_trajectory(self, case):
    check(optax_stepsize.schedule_free_adamw, RECORDED, case)

  @parameterized.named_parameters(problems.named_cases(PAPER))
  def test_paper(self, case):
    check(optax_stepsize.schedule_free_adamw, PAPER, case)

  @parameterized.named_parameters(problems.named_cases(SGD))
  def test_sgd(self, case):
    check(optax_stepsize.schedule_free_sgd, SGD, case)

  @parameterized.named_parameters(problems.named_cases(RADAM))
  def test_radam(self, case):
    check(optax_stepsize.schedule_free_radam, RADAM, case)

  @parameterized.named_parameters(problems.named_cases(RADAM, differs=True))
  def test_differs_from_the_reference_in_runs_that_never_move(self, case):
    start = problems.leaves_of(RADAM["problem"], "params")
    for name, points in case["trees"]["params"].items():
      for point in points:
        np.testing.assert_array_equal(point, start[name])
    self.assertEqual(set(case["sequences"]["weight_sum"]), {0.0})
    with self.assertRaisesRegex(ValueError, r"b2 must be in \(0.6, 1\), got 0"):
      optax_stepsize.schedule_free_radam(**case["options"])


if __name__ == "__main__":
  absltest.main()
