# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`smb` against the authors' code, and against a slow transcription."""

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import optax_stepsize
from tests.parity import generate_smb
from tests.parity import problem as problems
from tests.parity import smb_reference

RECORDED = problems.load("smb")
CURVATURE = problems.leaves_of(RECORDED["problem"], "curvature")
TARGET = problems.leaves_of(RECORDED["problem"], "target")
FLAGS = ("model_step", "pending")


def make(
  learning_rate=0.5,
  eta=0.99,
  c=0.1,
  independent_batch=False,
  per_group="leaf",
  window=None,
  model_share=0.05,
  factor=0.9,
  max_learning_rate=20.0,
  weight_decay=0.0,
  mask=None,
):
  """Our method, with the auto schedule's arguments as its own."""
  auto = None
  if window is not None:
    auto = optax_stepsize.SmbAutoSchedule(
      window, model_share, factor, max_learning_rate
    )
  return optax_stepsize.smb(
    learning_rate,
    eta=eta,
    c=c,
    independent_batch=independent_batch,
    per_group=per_group,
    auto_schedule=auto,
    weight_decay=weight_decay,
    mask=mask,
  )


def read(state, params):
  state = state.inner_state
  fields = {k: v for k, v in state._asdict().items() if v is not None}
  flags = {k: fields[k].astype(jnp.int32) for k in FLAGS if k in fields}
  return {"params": params} | fields | flags


def update_with_loss(tx, grads, state, params, inputs):
  def value_and_grad_fn(point):
    slopes = jax.tree.map(
      lambda h, p, t, n: h * (p - t) + n,
      CURVATURE,
      point,
      TARGET,
      inputs["noise"],
    )
    losses = jax.tree.map(
      lambda h, g: jnp.sum(g**2 / (2 * h)), CURVATURE, slopes
    )
    still = jax.tree.map(lambda g: jnp.where(inputs["active"], g, 0.0), slopes)
    return sum(jax.tree.leaves(losses)), still

  value, _ = value_and_grad_fn(params)
  return tx.update(
    grads, state, params, value=value, value_and_grad_fn=value_and_grad_fn
  )


class SmbTest(parameterized.TestCase):
  @parameterized.named_parameters(problems.named_cases(RECORDED))
  def test_trajectory(self, case):
    ours = problems.replay(make, read, RECORDED, case, update=update_with_loss)
    problems.assert_matches(ours, RECORDED, case)

  def test_both_kinds_of_steps_are_recorded(self):
    for case in RECORDED["cases"]:
      models = np.sum(case["sequences"]["model_step"])
      name = case["name"].removeprefix("independent_")
      if name not in ("small_rate", "auto_grows"):
        self.assertGreater(models, 1, name)
      if name != "huge_rate":
        self.assertLess(models, problems.STEPS - 1, name)


class TranscriptionTest(parameterized.TestCase):
  """The slow transcription, against the authors' code and worked examples."""

  @parameterized.named_parameters(problems.named_cases(RECORDED))
  def test_recorded(self, case):
    again = generate_smb.run_transcription(RECORDED["problem"], case)
    self.assertEqual(again["trees"].keys(), case["trees"].keys())
    for tree, leaves in case["trees"].items():
      for leaf, value in leaves.items():
        np.testing.assert_allclose(
          again["trees"][tree][leaf], value, rtol=1e-10, atol=1e-10
        )
    self.assertEqual(again["sequences"].keys(), case["sequences"].keys())
    for name, sequence in case["sequences"].items():
      np.testing.assert_allclose(
        again["sequences"][name], sequence, rtol=1e-12, err_msg=name
      )

  def test_worked_example(self):
    curvature = np.array([1.0, 10.0])
    x = {"x": np.ones(2)}
    g = {"x": curvature}
    s = {"x": -0.5 * curvature}
    y = {"x": curvature * s["x"]}
    step, found = smb_reference.model(s, g, g, y, 0.99, ["x"])
    expected = {
      "sigma": 26.0097767843,
      "c_g": -0.4853944001,
      "c_s": -0.4301724013,
      "c_y": -0.0451602350,
    }
    for name, number in expected.items():
      self.assertAlmostEqual(found[name], number, delta=1e-10)
    ratio = np.linalg.norm(step["x"]) / np.linalg.norm(s["x"])
    self.assertAlmostEqual(ratio, 0.1013682094, delta=1e-10)
    np.testing.assert_allclose(
      x["x"] + step["x"], (0.7522719180, 0.5549297554), atol=1e-10
    )


if __name__ == "__main__":
  absltest.main()
