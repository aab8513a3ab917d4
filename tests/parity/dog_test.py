# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""DoG, L-DoG and polynomial-decay averaging against the authors' package."""

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
import optax

import optax_stepsize
from tests.parity import problem as problems

DOG = problems.load("dog")
LDOG = problems.load("ldog")
AVERAGING = problems.load("polynomial_decay_averaging")
NUMBERS = ("step_size", "max_distance", "grad_sq_sum")


def read(state, params):
  found = {name: optax.tree.get(state, name) for name in NUMBERS}
  return {"params": params, **found}


def averaged_dog(gamma=None, **options):
  averaging = {} if gamma is None else {"gamma": gamma}
  return optax.chain(
    optax_stepsize.dog(**options),
    optax_stepsize.polynomial_decay_averaging(**averaging),
  )


def read_average(state, params):
  average = optax_stepsize.eval_params(state, params)
  return {"params": params, "average": average}


class DogTest(parameterized.TestCase):
  @parameterized.named_parameters(problems.named_cases(DOG))
  def test_dog(self, case):
    ours = problems.replay(optax_stepsize.dog, read, DOG, case)
    problems.assert_matches(ours, DOG, case)

  @parameterized.named_parameters(problems.named_cases(LDOG))
  def test_ldog(self, case):
    ours = problems.replay(optax_stepsize.ldog, read, LDOG, case)
    problems.assert_matches(ours, LDOG, case)

  @parameterized.named_parameters(problems.named_cases(AVERAGING))
  def test_averaging(self, case):
    ours = problems.replay(averaged_dog, read_average, AVERAGING, case)
    problems.assert_matches(ours, AVERAGING, case)

  @parameterized.named_parameters(
    ("dog", optax_stepsize.dog, DOG), ("ldog", optax_stepsize.ldog, LDOG)
  )
  def test_differs_init_eta_zeros_at_start(self, make, recorded):
    ((_, case),) = (
      item.values() for item in problems.named_cases(recorded, differs=True)
    )
    theirs = case["trees"]["params"]["matrix"]
    np.testing.assert_array_equal(theirs, [theirs[0]] * len(theirs))
    ours = problems.replay(make, read, recorded, case)
    # As if the updates with zero gradients had not been.
    idle = len(case["zero_gradient_steps"])
    noise = {
      leaf: value[idle:] + value[:idle]
      for leaf, value in recorded["problem"]["noise"].items()
    }
    later = recorded | {"problem": recorded["problem"] | {"noise": noise}}
    active = case | {"zero_gradient_steps": []}
    expected = problems.replay(make, read, later, active)
    for leaf, value in expected["params"].items():
      np.testing.assert_allclose(
        ours["params"][leaf][idle:], value[:-idle], rtol=1e-10
      )
      self.assertGreater(np.max(np.abs(value[-1] - value[0])), 0.1)


if __name__ == "__main__":
  absltest.main()
