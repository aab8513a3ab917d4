# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`cyclical_schedule` and its momentum against torch's CyclicLR."""

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

import optax_stepsize
from tests.parity import problem as problems
from tests.parity import schedule_problem

RECORDED = problems.load("cyclical")


def schedules(case):
  options = dict(case["options"])
  if "scale_fn" in options:
    options["scale_fn"] = schedule_problem.SCALES[options["scale_fn"]]
  bounds = {k: options.pop(k) for k in ("base_value", "max_value")}
  momenta = {
    k: options.pop(k) for k in ("base_momentum", "max_momentum") if k in options
  }
  return (
    optax_stepsize.cyclical_schedule(**bounds, **options),
    optax_stepsize.cyclical_momentum_schedule(**momenta, **options),
  )


class CyclicalTest(parameterized.TestCase):
  @parameterized.named_parameters(problems.named_cases(RECORDED))
  def test_values(self, case):
    for place, name in enumerate(("rates", "momenta")):
      found = schedule_problem.values(
        lambda place=place: schedules(case)[place], case["steps"]
      )
      np.testing.assert_allclose(
        found, case[name], rtol=schedule_problem.TOLERANCE, err_msg=name
      )

  @parameterized.named_parameters(problems.named_cases(RECORDED))
  def test_descent(self, case):
    points = schedule_problem.descend(lambda: schedules(case), case["steps"])
    np.testing.assert_allclose(
      points[-1], case["last_point"], rtol=0, atol=schedule_problem.TOLERANCE
    )


if __name__ == "__main__":
  absltest.main()
