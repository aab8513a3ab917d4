# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `optax-stepsize show`."""

import contextlib
import inspect
import io
import os
import pathlib
import sys
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import catalogue
from optax_stepsize import cli
from optax_stepsize import schedules


def _run(*argv: str) -> tuple[int, str, str]:
  """Exit code, standard output and standard error of the command."""
  out, err = io.StringIO(), io.StringIO()
  with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
    code = cli.main(["show", *argv])
  return code, out.getvalue(), err.getvalue()


def _cells(out: str, name: str, what: str = "rate") -> list[str]:
  (line,) = (
    line.split()
    for line in out.splitlines()
    if line.split()[:2] == [name, what]
  )
  return line[2:]


def own_schedule(count):
  return 3.0 - 2.0 * jnp.minimum(count, 10) / 10


def own_factory(peak_value, floor=0.5):
  return lambda count: jnp.maximum(peak_value / (1.0 + count), floor)


def fails(count):
  raise RuntimeError("no luck")


def not_scalar(count):
  return jnp.stack([count, count])


class ShowTest(parameterized.TestCase):
  def test_key_values_are_those_of_the_schedule(self):
    code, out, err = _run("rex_schedule,uba_schedule@phi=0.5,one_cycle")
    self.assertEqual((code, err), (0, ""))
    for name, schedule in (
      ("rex_schedule", schedules.rex_schedule(1.0, 1000)),
      ("uba_schedule@phi=0.5", schedules.uba_schedule(1.0, 1000, 0.5)),
      ("one_cycle", schedules.one_cycle(1.0, 1000).learning_rate),
    ):
      *values, greatest, at, step, mean = _cells(out, name)
      expected = [float(schedule(k)) for k in (0, 250, 500, 750, 999, 1000)]
      np.testing.assert_allclose(
        [float(text) for text in values], expected, rtol=1e-5
      )
      rates = np.asarray(schedule(jnp.arange(1000)))
      self.assertAlmostEqual(float(greatest), rates.max(), places=5)
      self.assertEqual((at, int(step)), ("at", rates.argmax()))
      self.assertAlmostEqual(float(mean), rates.mean(), places=4)
    momentum = _cells(out, "one_cycle", "momentum")
    self.assertEqual(momentum[0], "0.95")

  def test_schedules_of_files_profiles_and_short_names(self):
    path = self.create_tempdir().full_path + "/rates.csv"
    schedules.to_csv(path, [0.25, 0.75], steps=[0, 1000])
    code, out, err = _run(f"from_csv:path={path},cosine:warmup_steps=10,wsd")
    self.assertEqual((code, err), (0, ""))
    self.assertIn("0.375", out)
    rows = {
      line.split()[0].split(":")[0]: line.split()
      for line in out.splitlines()
      if line.strip()
    }
    self.assertContainsSubset(("from_csv", "cosine", "wsd"), rows)

  def test_all_schedules_of_the_catalogue_can_be_shown(self):
    names = [
      name
      for name in vars(schedules)
      if inspect.isfunction(getattr(schedules, name))
      and inspect.get_annotations(getattr(schedules, name)).get("return")
      in (optax.Schedule, schedules.OneCycle)
      and name not in ("composite_policy", "from_csv")  # of objects, of a file
    ]
    rows = [r.name for r in catalogue.ROWS.values() if r.kind == "schedule"]
    self.assertContainsSubset(rows, names)
    folder = pathlib.Path(self.create_tempdir().full_path)
    path = folder / "all.png"
    for steps in ("100", "1"):
      short = [n for n in names if steps == "100" or n.startswith("u")]
      code, out, err = _run(
        ",".join(short), f"--total_steps={steps}", f"--out={path}"
      )
      self.assertEqual((code, err), (0, ""))
      for name in short:
        self.assertIn(name, out)
      self.assertStartsWith(path.read_bytes(), b"\x89PNG")
    self.assertEqual(os.listdir(folder), ["all.png"])

  def test_budget_and_peak(self):
    _, out, _ = _run("linear_decay_schedule", "--total_steps=8", "--peak=0.5")
    self.assertEqual(
      _cells(out, "linear_decay_schedule")[:6],
      ["0.5", "0.375", "0.25", "0.125", "0.0625", "0"],
    )

  def test_arguments_with_commas_and_words(self):
    code, out, _ = _run(
      "wsd_s_schedule@budgets=(20,50)@shape=linear,cyclical_schedule"
      "@mode=exp_range@gamma=0.9",
      "--total_steps=50",
    )
    self.assertEqual(code, 0)
    self.assertIn("wsd_s_schedule@budgets=(20,50)@shape=linear", out)
    self.assertIn("cyclical_schedule@mode=exp_range@gamma=0.9", out)

  def test_schedules_of_others(self):
    code, out, err = _run(
      "optax.cosine_decay_schedule,tests.show_command_test:own_schedule,"
      "tests.show_command_test:own_factory",
      "--total_steps=20",
    )
    self.assertEqual((code, err), (0, ""))
    self.assertEqual(
      _cells(out, "tests.show_command_test:own_schedule")[:3], ["3", "2", "1"]
    )
    self.assertEqual(
      _cells(out, "tests.show_command_test:own_factory")[:2], ["1", "0.5"]
    )
    self.assertEqual(_cells(out, "optax.cosine_decay_schedule")[2], "0.5")

  @parameterized.parameters(
    ("rex_shedule", "unknown schedule 'rex_shedule'. Did you mean rex_sched"),
    ("optax.cosine_schedule", "Did you mean optax."),
    ("prodigy", "unknown schedule 'prodigy'"),
    ("rex_schedule@beta=2", "beta must be in (-inf, 1), got 2"),
    ("rex_schedule@gamma=2", "rex_schedule has no argument gamma; it has peak"),
    ("rex_schedule@beta", "must have the form NAME or NAME:ARGUMENT=VALUE"),
    ("composite_policy", "composite_policy needs policies: say composite_pol"),
    ("optax.adam", "optax.adam needs learning_rate"),
    ("optax.__version__", "is not a function"),
    ("json:nothing", "has no 'nothing'"),
    ("tests.show_command_test:fails", "it fails for a step count: RuntimeErr"),
    ("tests.show_command_test:not_scalar", "it returns shape (2,)"),
    (",", "name at least one schedule"),
  )
  def test_bad_input(self, name, message):
    path = pathlib.Path(self.create_tempdir().full_path) / "x.png"
    code, out, err = _run(name, f"--out={path}")
    self.assertEqual((code, out), (2, ""))
    self.assertLen(err.splitlines(), 1)
    self.assertIn(message, err)
    self.assertFalse(path.exists())

  def test_files_that_cannot_be_written(self):
    file = self.create_tempfile().full_path
    code, _, err = _run("rex_schedule", f"--out={file}/below.png")
    self.assertEqual(code, 2)
    self.assertIn(f"cannot write {file}/below.png", err)

  def test_without_the_extra(self):
    with mock.patch.dict(sys.modules, {"matplotlib": None}):
      code, _, err = _run("rex_schedule", "--out=never.png")
      self.assertEqual(code, 2)
      self.assertIn('pip install "optax-stepsize[compare]"', err)
      # Key values need no picture.
      self.assertEqual(_run("rex_schedule")[0], 0)


if __name__ == "__main__":
  absltest.main()
