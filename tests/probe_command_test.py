# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the command `optax-stepsize probe range-test`."""

import contextlib
import csv
import io
import os
import pathlib
import sys
import textwrap
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from optax_stepsize import cli
from optax_stepsize import probes

OWN = textwrap.dedent("""
  import jax.numpy as jnp
  import optax
  from optax_stepsize import compare

  def hill(scale=10.5):
    return compare.Workload(
        name="hill",
        init_fn=lambda key: jnp.float32(1),
        loss_fn=lambda x, batch: scale / 2 * x**2,
        batch_fn=lambda key, step: step,
        eval_fn=lambda x: (scale / 2 * x**2, jnp.nan),
    )

  def broken():
    return hill(jnp.nan)

  def descent(learning_rate):
    return optax.sgd(learning_rate)

  def no_optimizer(learning_rate):
    return 3
""")


def run(*argv):
  """Exit code, standard output and standard error of a range test."""
  out, err = io.StringIO(), io.StringIO()
  with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
    code = cli.main(("probe", "range-test", *argv))
  return code, out.getvalue(), err.getvalue()


class _CommandTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.out = self.folder / "new" / "out"
    (self.folder / "probe_command_own.py").write_text(OWN)
    before = os.getcwd()
    os.chdir(self.folder)
    self.addCleanup(os.chdir, before)
    self.addCleanup(sys.modules.pop, "probe_command_own", None)

  def _run(self, *argv):
    return run(*argv, f"--output_dir={self.out}")

  def _rows(self):
    text = (self.out / "range_test.csv").read_text()
    return list(csv.DictReader(text.splitlines()))

  def _hill(self, *argv):
    return self._run(
      "--workload=probe_command_own:hill",
      "--optimizer=probe_command_own:descent",
      "--num_steps=101",
      "--smoothing=0",
      *argv,
    )


class ProbeTest(_CommandTest):
  def test_a_quadratic(self):
    code, out, err = self._hill()
    self.assertEqual((code, err), (0, ""))
    for line in (
      r"workload +hill",
      r"optimizer +probe_command_own:descent",
      r"rates +0 to 1 in 101 steps",
      r"first loss +5.25",
      r"least loss .*, in step 20",
      r"diverged +at 0.24, in step 24",
      r"suggested base +0.05\n",
      r"suggested max +0.2\n",
    ):
      self.assertRegex(out, line)
    rows = self._rows()
    self.assertLen(rows, 25)
    self.assertEqual(
      list(rows[0]), ["step", "learning_rate", "loss", "smoothed_loss"]
    )
    losses = [float(row["loss"]) for row in rows[:6]]
    np.testing.assert_allclose(
      losses,
      [5.25, 5.25, 4.20538125, 2.62457844, 1.23151782, 0.414282594],
      rtol=1e-6,
    )
    self.assertEqual(float(rows[24]["learning_rate"]), np.float32(0.24))
    picture = (self.out / "range_test.png").read_bytes()
    self.assertStartsWith(picture, b"\x89PNG")
    self.assertCountEqual(
      os.listdir(self.out), ["range_test.csv", "range_test.png"]
    )

  def test_options(self):
    code, out, _ = self._hill(
      "--mode=exponential",
      "--min_value=0.001",
      "--max_value=0.5",
      "--base_ratio=0.1",
      "--divergence_factor=1e9",
    )
    self.assertEqual(code, 0)
    self.assertIn("0.001 to 0.5", out)
    result = {
      line[:14].strip(): float(line.split()[-1])
      for line in out.splitlines()
      if line.startswith("suggested")
    }
    self.assertBetween(result["suggested max"], 2 / 10.5, 0.25)
    self.assertAlmostEqual(
      result["suggested base"], 0.1 * result["suggested max"], delta=1e-4
    )

  def test_a_range_that_is_too_small(self):
    code, out, _ = self._hill("--max_value=0.01")
    self.assertEqual(code, 0)
    self.assertIn("not in 101 steps", out)
    self.assertIn("try a larger --max_value", out)
    self.assertLen(self._rows(), 101)

  @parameterized.parameters("sgd", "adamw", "optax.lion")
  def test_optimizers_by_name(self, name):
    code, out, _ = self._run(
      "--workload=river_valley", f"--optimizer={name}", "--num_steps=30"
    )
    self.assertEqual(code, 0)
    self.assertRegex(out, rf"optimizer +{name}")
    self.assertLessEqual(len(self._rows()), 30)

  def test_digits_with_the_defaults(self):
    code, out, _ = self._run("--num_steps=60")
    self.assertEqual(code, 0)
    self.assertRegex(out, r"workload +digits_mlp")
    rows = self._rows()
    # It learns before it diverges, if it does.
    losses = [float(row["smoothed_loss"]) for row in rows]
    self.assertLess(np.nanmin(losses), 0.7 * losses[0])

  def test_the_seed_sets_parameters_and_batches(self):
    found = []
    for seed in (0, 0, 1):
      self._run("--workload=river_valley", "--num_steps=12", f"--seed={seed}")
      found.append(self._rows())
    self.assertEqual(found[0], found[1])
    self.assertNotEqual(found[0][0]["loss"], found[2][0]["loss"])

  def test_after_an_interrupt_what_there_is_is_written(self):
    test = probes.lr_range_test

    def interrupted(step, state, batches, **options):
      calls = iter(range(13))

      def stopping(*arguments):
        if next(calls, None) is None:
          raise KeyboardInterrupt
        return step(*arguments)

      return test(stopping, state, batches, **options)

    with mock.patch.object(probes, "lr_range_test", interrupted):
      code, out, err = self._hill()
    self.assertEqual(code, 130)
    self.assertIn("interrupted after 13 of 101 steps", err)
    self.assertIn("suggested max", out)
    self.assertLen(self._rows(), 13)
    self.assertTrue((self.out / "range_test.png").exists())

  def test_interrupt_before_the_first_step(self):
    with mock.patch.object(
      probes, "lr_range_test", side_effect=KeyboardInterrupt
    ):
      code, out, err = self._hill()
    self.assertEqual((code, out), (130, ""))
    self.assertIn("nothing was finished", err)
    self.assertEmpty(os.listdir(self.out))

  def test_a_full_disk_loses_no_table(self):
    full = OSError("No space left on device")
    with mock.patch.object(probes, "plot_range_test", side_effect=full):
      code, out, err = self._hill()
    self.assertEqual(code, 2)
    self.assertIn("suggested max", out)
    self.assertIn("no range_test.png: No space left on device", err)
    self.assertEqual(os.listdir(self.out), ["range_test.csv"])


class ErrorsTest(_CommandTest):
  @parameterized.parameters(
    (["--workload=digits"], "Did you mean digits_mlp"),
    (["--workload=json:dumps"], "'json:dumps'"),
    (["--workload=nowhere:thing"], "'nowhere' cannot be imported"),
    (["--optimizer=sdg"], "Did you mean sgd"),
    (["--optimizer=optax.lionn"], "lion"),
    (["--optimizer=prodigy"], "prodigy is tuned by its d_coef: a range test"),
    (["--optimizer=lr_range_test"], "lr_range_test cannot be compared"),
    (
      ["--optimizer=probe_command_own:no_optimizer"],
      "must make an optax.GradientTransformation",
    ),
    (["--min_value=1"], "min_value must be below max_value=1.0, got 1.0"),
    (["--min_value=-1"], "min_value must be in [0, inf), got -1.0"),
    (["--max_value=big"], "--max_value: must be a number, got 'big'"),
    (["--max_value=nan"], "--max_value: must be a number, got 'nan'"),
    (
      ["--mode=exponential", "--min_value=0"],
      "min_value must be in (0, inf), got 0.0",
    ),
    (["--mode=log"], "--mode: invalid choice: 'log'"),
    (["--num_steps=0"], "--num_steps: must be an integer >= 1, got '0'"),
    (["--smoothing=1"], "smoothing must be in [0, 1), got 1.0"),
    (["--divergence_factor=1"], "divergence_factor must be in (1, inf)"),
    (["--base_ratio=2"], "base_ratio must be in (0, 1], got 2.0"),
    (["--seed=-1"], "--seed: must be an integer >= 0"),
    (["--rate=2"], "--rate"),
  )
  def test_bad_input(self, argv, message):
    trains = AssertionError("trained")
    with mock.patch.object(probes, "lr_range_test", side_effect=trains):
      code, out, err = self._run(*argv)
    self.assertEqual((code, out), (2, ""))
    self.assertLen(err.splitlines(), 1)
    self.assertStartsWith(err, "optax-stepsize: ")
    self.assertIn(message, err)
    self.assertFalse(self.out.exists())

  def test_no_probe(self):
    for argv, message in ((("probe",), "PROBE"), (("probe", "ray"), "ray")):
      err = io.StringIO()
      with contextlib.redirect_stderr(err):
        self.assertEqual(cli.main(argv), 2)
      self.assertIn(message, err.getvalue())

  def test_an_unwritable_folder_is_found_before_training(self):
    # Below a file, since root may write anywhere else.
    file = self.create_tempfile().full_path
    trains = AssertionError("trained")
    with mock.patch.object(probes, "lr_range_test", side_effect=trains):
      code, _, err = run(f"--output_dir={file}/below")
    self.assertEqual(code, 2)
    self.assertIn(f"cannot write to {file}/below", err)

  def test_a_folder_in_place_of_a_file(self):
    (self.out / "range_test.png").mkdir(parents=True)
    code, _, err = self._run()
    self.assertEqual(code, 2)
    self.assertIn("range_test.png", err)

  def test_a_missing_extra_is_named_with_the_fix(self):
    with mock.patch.dict(sys.modules, {"matplotlib": None}):
      code, _, err = self._run()
    self.assertEqual(code, 2)
    self.assertIn('pip install "optax-stepsize[compare]"', err)

  def test_a_loss_that_is_not_finite_at_the_start(self):
    code, out, err = self._run("--workload=probe_command_own:broken")
    self.assertEqual((code, out), (2, ""))
    self.assertIn("the first loss, before any update, must be finite", err)


if __name__ == "__main__":
  absltest.main()
