# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`multiplicative_cyclic_schedule` against torch's warm restarts."""

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

import optax_stepsize
from tests.parity import problem as problems
from tests.parity import schedule_problem

RECORDED = problems.load("multiplicative_cyclic")


class MultiplicativeCyclicTest(parameterized.TestCase):
  @parameterized.named_parameters(problems.named_cases(RECORDED))
  def test_rates(self, case):
    options = case["options"]
    found = schedule_problem.values(
      lambda: optax_stepsize.multiplicative_cyclic_schedule(**options),
      case["steps"],
    )
    # 1 + cos loses digits next to the end, where torch is less exact.
    np.testing.assert_allclose(
      found, case["rates"], rtol=schedule_problem.TOLERANCE, atol=1e-16
    )


if __name__ == "__main__":
  absltest.main()
