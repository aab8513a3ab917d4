# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""D-Adaptation against the authors' package, and a transcription."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import jax
import numpy as np
import optax

import optax_stepsize
from tests.parity import d_adaptation_reference as transcription
from tests.parity import problem as problems

METHODS = ("sgd", "adagrad", "adam", "adan", "lion")
TRANSCRIBED = problems.load("dadapt_sgd_transcribed")


@functools.cache
def load(name):
  return problems.load(f"dadapt_{name}")


def named_cases():
  for name in METHODS:
    for case in problems.named_cases(load(name)):
      title = f"{name}_{case['testcase_name']}"
      yield {"testcase_name": title, "name": name, "case": case["case"]}


def read(state, params):
  return {"params": params, **state.inner_state._asdict()}


class AuthorsTest(parameterized.TestCase):
  @parameterized.named_parameters(named_cases())
  def test_trajectory(self, name, case):
    make = getattr(optax_stepsize, f"dadapt_{name}")
    ours = problems.replay(make, read, load(name), case)
    problems.assert_matches(ours, load(name), case)

  def test_adamw_is_adam_with_decay_apart(self):
    for case in load("adam")["cases"]:
      if case["name"] == "decoupled_bias_correction":
        options = {k: v for k, v in case["options"].items() if k != "decouple"}
        case = case | {"options": options}
        ours = problems.replay(
          optax_stepsize.dadapt_adamw, read, load("adam"), case
        )
        problems.assert_matches(ours, load("adam"), case)
        return
    self.fail("no such case")

  @parameterized.parameters(*METHODS)
  def test_estimates_grow(self, name):
    # Otherwise equality would show little.
    ends = [case["sequences"]["distance"] for case in load(name)["cases"]]
    self.assertGreater(np.median([d[-1] / d[0] for d in ends]), 10)


class TranscriptionTest(parameterized.TestCase):
  @parameterized.named_parameters(problems.named_cases(TRANSCRIBED))
  def test_differs_sgd_waits_for_a_first_gradient(self, case):
    ours = problems.replay(optax_stepsize.dadapt_sgd, read, TRANSCRIBED, case)
    problems.assert_matches(ours, TRANSCRIBED, case)

  def test_it_is_the_authors_rule(self):
    (one,) = [c for c in TRANSCRIBED["cases"] if c.get("authors")]
    (other,) = [c for c in load("sgd")["cases"] if c["name"] == one["name"]]
    for key in ("trees", "sequences"):
      self.assertEqual(one[key].keys(), other[key].keys())
      for a, b in zip(
        jax.tree.leaves(one[key]), jax.tree.leaves(other[key]), strict=True
      ):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)

  def test_worked_example(self):
    state = transcription.Sgd(
      {"a": np.array([1.0, -2.0]), "b": np.array(2.0)},
      decay={"a": 0.1, "b": 0.1},
      d0=0.1,
      momentum=0.9,
    )
    for a, b in (
      ([1.0, 2.0], -2.0),
      ([0.5, 1.0], -1.0),
      ([-1.0, 2.0], 2.0),
      ([2.0, -1.0], 1.0),
    ):
      state.step({"a": np.array(a), "b": np.array(b)}, 1.0)
    np.testing.assert_allclose(state.p["a"], [0.980682901, -2.03523723])
    np.testing.assert_allclose(state.p["b"], 2.00990834)


class OptaxTest(parameterized.TestCase):
  def _run(self, tx, first=1.0, steps=50):
    recorded = load("adam")["problem"]
    params, curvature, target = (
      problems.leaves_of(recorded, key)
      for key in ("params", "curvature", "target")
    )
    noise = jax.tree.map(
      jax.numpy.asarray, problems.leaves_of(recorded, "noise")
    )

    def step(carry, k):
      params, state = carry
      scale = jax.numpy.where(k == 0, first, 1.0)
      grads = jax.tree.map(
        lambda h, p, t, n: scale * (h * (p - t) + n[k]),
        curvature,
        params,
        target,
        noise,
      )
      updates, state = tx.update(grads, state, params)
      params = optax.apply_updates(params, updates)
      return (params, state), params

    def run(params):
      carry = (params, tx.init(params))
      return jax.lax.scan(step, carry, jax.numpy.arange(steps))

    return jax.device_get(jax.jit(run)(params))

  def test_trajectory(self):
    with (
      optax_stepsize.core.enable_x64(True),
      jax.numpy_dtype_promotion("standard"),
    ):
      theirs = self._run(
        optax.contrib.dadapt_adamw(
          1.0, estim_lr0=1e-2, weight_decay=0.1, eps=1e-8
        )
      )
      ours = self._run(
        optax_stepsize.dadapt_adam(
          d0=1e-2, weight_decay=0.1, use_bias_correction=True, decouple=True
        )
      )
    for name, value in theirs[1].items():
      np.testing.assert_allclose(ours[1][name], value, rtol=1e-10)
    distance = optax.tree.get(theirs[0][1], "estim_lr")
    self.assertGreater(distance, 0.1)
    np.testing.assert_allclose(
      optax.tree.get(ours[0][1], "distance"), distance, rtol=1e-10
    )

  def test_differs_zero_first_gradient_leaves_no_nan(self):
    with (
      optax_stepsize.core.enable_x64(True),
      jax.numpy_dtype_promotion("standard"),
    ):
      theirs = self._run(optax.contrib.dadapt_adamw(1.0), first=0.0)
      ours = self._run(
        optax_stepsize.dadapt_adamw(use_bias_correction=True), first=0.0
      )
    for name in ours[1]:
      self.assertTrue(np.all(np.isnan(theirs[1][name][-1])))
      self.assertTrue(np.all(np.isfinite(ours[1][name])))


if __name__ == "__main__":
  absltest.main()
