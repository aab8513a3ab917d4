# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the benchmarks that need no clock."""

from unittest import mock

from absl import app
from absl.testing import absltest
from absl.testing import parameterized
import jax
import numpy as np

from benchmarks import against_torch
from benchmarks import on_device
from benchmarks import updates

GRADS = {
  "bias": np.linspace(-1, 2, 5, dtype=np.float32),
  "kernel": np.linspace(3, -1, 30, dtype=np.float32).reshape(6, 5),
}
# Small, because first steps of 1e-6 would be rounded in larger ones.
PARAMS = jax.tree.map(lambda leaf: 0.01 * leaf[::-1], GRADS)


class BenchmarkTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    # Optax mixes dtypes.
    self.enter_context(jax.numpy_dtype_promotion("standard"))
    self.enter_context(jax.numpy_rank_promotion("allow"))


class AgainstTorchTest(BenchmarkTest):
  @parameterized.parameters(*against_torch.CONTESTS)
  def test_the_programs_of_a_method_do_the_same(self, name):
    contest = against_torch.CONTESTS[name]
    runs = against_torch.programs(contest, PARAMS, [GRADS])
    self.assertEqual("torch" in runs, against_torch.installed(contest))
    moved = {}
    for key, program in runs.items():
      for number in range(20):
        self.assertGreater(program.run(number), 0)
      moved[key] = [
        leaf - start
        for leaf, start in zip(
          program.leaves(), jax.tree.leaves(PARAMS), strict=True
        )
      ]
    for key, leaves in moved.items():
      for leaf, ours in zip(leaves, moved["ours"], strict=True):
        self.assertGreater(np.max(np.abs(ours)), 1e-5)
        np.testing.assert_allclose(leaf, ours, rtol=1e-3, err_msg=key)

  def test_prints_all_rows(self):
    missing = against_torch.CONTESTS["dog"]._replace(module="no_such_module")
    contests = {**against_torch.CONTESTS, "dog": missing}
    with (
      mock.patch.object(against_torch, "CONTESTS", contests),
      mock.patch.object(against_torch, "WARM_UP", 0),
    ):
      table = list(against_torch.rows(PARAMS, repeats=2))
    _, _, *rows = table
    self.assertLen({line.count("|") for line in table}, 1)
    for (name, contest), row in zip(contests.items(), rows, strict=True):
      self.assertStartsWith(row, f"| `{name}` | `{contest.peer}` | ")
      self.assertEqual(
        "not installed: `pip install" in row,
        not against_torch.installed(contest),
      )
    self.assertIn("not installed", rows[list(contests).index("dog")])

  def test_tree_has_about_the_parameters_asked_for(self):
    leaves = jax.tree.leaves(updates.tree(400_000))
    self.assertLen(leaves, 76)
    self.assertBetween(sum(leaf.size for leaf in leaves), 360_000, 440_000)


class OnDeviceTest(BenchmarkTest):
  def test_methods_that_evaluate_the_model_are_left_out(self):
    names = on_device.names()
    self.assertContainsSubset({"dog", "sps", "twin_polyak"}, names)
    self.assertNotIn("smb", names)
    with self.assertRaisesRegex(
      app.UsageError, "METHOD must .* got cosine, smb"
    ):
      on_device.main(["on_device", "smb", "dog", "cosine"])

  def test_a_run_can_be_repeated_and_started_again(self):
    params = jax.tree.map(np.copy, GRADS)
    start = on_device.compiled(on_device.cost.find("prodigy"), params)
    for _ in range(2):
      run = start(params, GRADS)
      self.assertGreater(run(), 0)
      self.assertGreater(run(), 0)
    jax.tree.map(np.testing.assert_array_equal, params, GRADS)

  def test_prints_all_rows(self):
    names = ["dog", "policy_polyak", "twin_polyak", "lookahead"]
    with mock.patch.object(on_device, "UPDATES", 2):
      first, head, _, *rows = on_device.rows(names, GRADS, rounds=1)
    self.assertRegex(first, r"^Copying: \d+\.\d\d TB/s")
    for name, row in zip(names, rows, strict=True):
      self.assertStartsWith(row, f"| `{name}` | ")
      self.assertEqual(row.count("|"), head.count("|"))
      self.assertNotIn("nan", row)
    self.assertIn("optax.contrib.dog", rows[0])
    self.assertIn("| none |", rows[2])


if __name__ == "__main__":
  absltest.main()
