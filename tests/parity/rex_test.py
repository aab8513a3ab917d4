# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`rex_schedule` against pytorch_optimizer's REXScheduler."""

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

import optax_stepsize
from tests.parity import problem as problems
from tests.parity import schedule_problem

RECORDED = problems.load("rex")


def rates(case):
  return schedule_problem.values(
    lambda: optax_stepsize.rex_schedule(**case["options"]), case["steps"]
  )


class RexTest(parameterized.TestCase):
  @parameterized.named_parameters(problems.named_cases(RECORDED))
  def test_rates(self, case):
    np.testing.assert_allclose(
      rates(case), case["rates"], rtol=schedule_problem.TOLERANCE
    )
    self.assertEqual(case["rates"][0], case["options"]["peak_value"])

  # Differs from the reference: as torch drives it, its first update has the
  # last rate, by default zero, and the peak is never used.
  @parameterized.named_parameters(problems.named_cases(RECORDED, differs=True))
  def test_differs_in_the_first_rate(self, case):
    ours, theirs, options = rates(case), case["rates"], case["options"]
    self.assertEqual(ours[0], options["peak_value"])
    self.assertEqual(theirs[0], options.get("end_value", 0.0))
    self.assertLess(max(theirs), options["peak_value"])
    np.testing.assert_allclose(
      ours[1:], theirs[1:], rtol=schedule_problem.TOLERANCE
    )


if __name__ == "__main__":
  absltest.main()
