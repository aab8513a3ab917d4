# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`schedule_free_adamw` against the authors' package."""

from absl.testing import absltest
from absl.testing import parameterized
import optax

import optax_stepsize
from tests.parity import problem as problems

RECORDED = problems.load("schedule_free_adamw")
PAPER = problems.load("schedule_free_adamw_paper")
NAMES = ("count", "step_size", "weight_sum", "max_rate", "z", "nu")


def read(state, params):
  x = optax_stepsize.eval_params(state, params)
  found = {name: optax.tree.get(state, name) for name in NAMES}
  return {"params": params, "x": x, **found}


class ScheduleFreeTest(parameterized.TestCase):
  @parameterized.named_parameters(problems.named_cases(RECORDED))
  def test_trajectory(self, case):
    ours = problems.replay(
      optax_stepsize.schedule_free_adamw, read, RECORDED, case
    )
    problems.assert_matches(ours, RECORDED, case)

  @parameterized.named_parameters(problems.named_cases(PAPER))
  def test_paper(self, case):
    ours = problems.replay(
      optax_stepsize.schedule_free_adamw, read, PAPER, case
    )
    problems.assert_matches(ours, PAPER, case)


if __name__ == "__main__":
  absltest.main()
