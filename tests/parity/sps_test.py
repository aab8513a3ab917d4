# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`sps` against the authors' code, and against a slow transcription."""

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from tests.parity import generate_sps
from tests.parity import problem as problems
from tests.parity import sps_reference

RECORDED = problems.load("sps")
CURVATURE = problems.leaves_of(RECORDED["problem"], "curvature")
TARGET = problems.leaves_of(RECORDED["problem"], "target")
# Step sizes and the last point of f = (x1^2 + 10 x2^2) / 2 from (1, 1).
CAPPED = (0.1089108911, 0.55, 0.1089108911, 0.55, [0.1607930595, 0.1607930595])
LOWER_BOUND = (
  0.0445544554,
  0.0313866228,
  0.0099074128,
  [0.9162884477, 0.3427397754],
)
SMOOTHED = (
  0.0282842712,
  0.04,
  0.0565685425,
  0.08,
  [0.8096711149, 0.0373766235],
)


def read(state, params):
  return {"params": params, "step_size": optax.tree.get(state, "step_size")}


def update_with_loss(tx, grads, state, params, inputs):
  def leaf_loss(h, p, t, n):
    return jnp.sum((h * (p - t) + n) ** 2 / (2 * h))

  losses = jax.tree.map(leaf_loss, CURVATURE, params, TARGET, inputs["noise"])
  bound = {"f_min": inputs["f_min"]} if "f_min" in inputs else {}
  value = sum(jax.tree.leaves(losses)) + inputs["value_offset"]
  return tx.update(grads, state, params, value=value, **bound)


def replay(case):
  inputs = {"value_offset": np.zeros(problems.STEPS)}
  for name in ("value_offset", "f_min"):
    if name in case:
      inputs[name] = np.asarray(case[name], np.float64)
  return problems.replay(
    optax_stepsize.sps,
    read,
    RECORDED,
    case,
    update=update_with_loss,
    inputs=inputs,
  )


class SpsTest(parameterized.TestCase):
  @parameterized.named_parameters(problems.named_cases(RECORDED))
  def test_trajectory(self, case):
    problems.assert_matches(replay(case), RECORDED, case)

  @parameterized.named_parameters(problems.named_cases(RECORDED, differs=True))
  def test_differs(self, case):
    found = problems.deviations(replay(case), RECORDED, case)
    self.assertGreater(max(deviation for deviation, _ in found), 1e-4)
    # What it is instead: the same case from the transcription.
    ignored = ("name", "source", "differs", "trees", "sequences")
    inputs = {k: v for k, v in case.items() if k not in ignored}
    twins = [
      other
      for other in RECORDED["cases"]
      if inputs == {k: v for k, v in other.items() if k not in ignored}
      and "differs" not in other
    ]
    self.assertLen(twins, 1)
    problems.assert_matches(replay(case), RECORDED, twins[0])


class TranscriptionTest(parameterized.TestCase):
  """The slow transcription, against worked examples and the authors' code."""

  @parameterized.named_parameters(problems.named_cases(RECORDED))
  def test_recorded(self, case):
    again = generate_sps.run_transcription(RECORDED["problem"], case)
    for leaf, value in case["trees"]["params"].items():
      np.testing.assert_allclose(
        again["trees"]["params"][leaf], value, rtol=1e-11, atol=1e-11
      )
    np.testing.assert_allclose(
      again["sequences"]["step_size"],
      case["sequences"]["step_size"],
      rtol=1e-11,
    )

  @parameterized.named_parameters(
    ("capped", {"gamma_b": 1.0}, CAPPED),
    (
      "lower_bound",
      {"c": 1.0, "gamma_b": 0.05, "f_k_star": lambda k: 1.0},
      LOWER_BOUND,
    ),
    (
      "smoothed",
      {"tau": 2.0, "batches_per_epoch": 2, "gamma_0": 0.02},
      SMOOTHED,
    ),
  )
  def test_worked_example(self, options, expected):
    *step_sizes, last = expected
    curvature = np.array([1.0, 10.0])

    def batch(k, x):
      del k
      return np.sum(curvature * x["x"] ** 2) / 2, {"x": curvature * x["x"]}

    points, taken = sps_reference.trajectory(
      {"x": np.ones(2)}, batch, len(step_sizes), eps=0.0, **options
    )
    np.testing.assert_allclose(taken, step_sizes, rtol=0, atol=6e-11)
    np.testing.assert_allclose(points[-1]["x"], last, rtol=0, atol=6e-11)

  def test_centred(self):
    kernel = np.arange(12.0).reshape(2, 2, 3) ** 2
    centred = sps_reference.centred(kernel)
    np.testing.assert_allclose(np.sum(centred, (0, 1)), np.zeros(3), atol=1e-12)
    np.testing.assert_allclose(
      kernel - centred, np.broadcast_to(kernel.mean((0, 1)), (2, 2, 3))
    )


if __name__ == "__main__":
  absltest.main()
