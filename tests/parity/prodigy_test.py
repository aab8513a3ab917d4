# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`prodigy` against the authors' package."""

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from tests.parity import problem as problems

RECORDED = problems.load("prodigy")
NUMBERS = ("distance", "distance_target", "numerator", "effective_count")


def read(state, params):
  found = {name: optax.tree.get(state, name) for name in NUMBERS}
  # The reference keeps this sum flat.
  grad_sum = jax.tree.map(jnp.ravel, optax.tree.get(state, "grad_sum"))
  moments = {name: optax.tree.get(state, name) for name in ("mu", "nu")}
  return {"params": params, "grad_sum": grad_sum, **moments, **found}


class ProdigyTest(parameterized.TestCase):
  @parameterized.named_parameters(problems.named_cases(RECORDED))
  def test_trajectory(self, case):
    ours = problems.replay(optax_stepsize.prodigy, read, RECORDED, case)
    problems.assert_matches(ours, RECORDED, case)

  def test_estimates_grow(self):
    # Otherwise equality would show little.
    grown = [
      case["sequences"]["distance"][-1] / case["sequences"]["distance"][0]
      for case in RECORDED["cases"]
    ]
    self.assertGreater(np.median(grown), 30)

  def test_differs_no_first_moment(self):
    (case,) = problems.named_cases(RECORDED, differs=True)
    case = case["case"]
    ours = problems.replay(optax_stepsize.prodigy, read, RECORDED, case)
    distance = np.asarray(case["sequences"]["distance"])
    start = problems.leaves_of(RECORDED["problem"], "params")
    first = np.flatnonzero(np.diff(distance, prepend=distance[0]))[0]
    for leaf, theirs in case["trees"]["params"].items():
      theirs = np.asarray([start[leaf], *theirs])
      mine = np.concatenate([start[leaf][None], ours["params"][leaf]])
      # Equal until the first growth; there their move has the new estimate.
      np.testing.assert_allclose(
        mine[: first + 1], theirs[: first + 1], rtol=1e-10
      )
      jump = distance[first] / distance[first - 1]
      np.testing.assert_allclose(
        (mine[first + 1] - mine[first]) * jump,
        theirs[first + 1] - theirs[first],
        rtol=1e-10,
      )
    np.testing.assert_allclose(
      ours["distance"][: first + 1], distance[: first + 1], rtol=1e-10
    )
    self.assertGreater(jump, 1.5)


if __name__ == "__main__":
  absltest.main()
