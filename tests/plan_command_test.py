# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command `optax-stepsize plan`."""

import contextlib
import io
import os
import pathlib
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from optax_stepsize import cli
from optax_stepsize import laws
from optax_stepsize import schedules

_STEPS, _WARMUP, _PEAK = 400, 40, 1e-3
_TRUE = laws.MultiPowerLaw(
  L0=2.0, A=0.3, alpha=0.5, B=80.0, C=2.0, beta=0.6, gamma=0.4
)
_FILES = ["fit.png", "law.json", "plan.png", "schedule.csv"]


def _run(*args):
  out, err = io.StringIO(), io.StringIO()
  with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
    code = cli.main(["plan", *map(str, args)])
  return code, out.getvalue(), err.getvalue()


def _rates(profile, steps=_STEPS, peak=_PEAK):
  made = schedules.budgeted(
    profile, peak_value=peak, total_steps=steps, warmup_steps=_WARMUP
  )
  return laws.rates_of(made, steps)


def _table(profile, *, noise=1e-4, steps=_STEPS, peak=_PEAK):
  """A run of the true law as lines of a file."""
  rates = _rates(profile, steps, peak)
  at = np.arange(_WARMUP, steps, 4)
  rng = np.random.default_rng(len(profile))
  losses = _TRUE.predict(rates, at, warmup_steps=_WARMUP)
  losses = losses * np.exp(noise * rng.normal(size=len(at)))
  lines = [
    f"{s},{rates[s]!r},{loss!r}" for s, loss in zip(at, losses, strict=True)
  ]
  return "\n".join(["step,step_size,loss", *lines]).replace("np.float64", "")


class PlanTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.out = self.folder / "plan"
    self.common = (
      f"--warmup_steps={_WARMUP}",
      f"--output_dir={self.out}",
    )

  def _file(self, name, text):
    path = self.folder / name
    path.write_text(text.replace("(", "").replace(")", ""), encoding="utf-8")
    return path

  def _files(self):
    return [
      self._file(f"{name}.csv", _table(name))
      for name in ("constant", "cosine", "rex")
    ]

  def test_fit_prediction_design_and_files(self):
    horizon = 4 * _STEPS
    code, out, err = _run(
      *self._files(),
      f"--horizon={horizon}",
      "--schedules=constant,cosine,optimized,uba:phi=1",
      *self.common,
    )
    self.assertEqual(code, 0, err)
    for line in ("1/6 fit 3 curves", "4/6 predict optimized", "6/6 rank"):
      self.assertIn(line, err)
    self.assertEqual(sorted(os.listdir(self.out)), _FILES)
    # What was planned is what the true law says.
    law = laws.Law.from_json((self.out / "law.json").read_text())
    self.assertIsInstance(law, laws.MultiPowerLaw)
    rows = [line.split() for line in out.splitlines()]
    losses = {row[0]: float(row[1]) for row in rows if row[1:2] and ".." in row}
    for name in ("constant", "cosine"):
      true = _TRUE.predict(
        _rates(name, horizon), horizon - 1, warmup_steps=_WARMUP
      )
      self.assertAlmostEqual(losses[name], true[0], delta=2e-3)
    order = [
      name
      for name in losses
      if name in ("constant", "cosine", "optimized", "uba:phi=1")
    ]
    self.assertLen(order, 4)
    self.assertEqual(order[0], "optimized")
    self.assertEqual(order, sorted(order, key=losses.__getitem__))
    self.assertIn("times the longest run", out)
    # The designed schedule is in the file, and as good as was said.
    rates = laws.rates_of(
      schedules.from_csv(self.out / "schedule.csv"), horizon
    )
    loss = law.predict(rates, horizon - 1, warmup_steps=_WARMUP)[0]
    self.assertAlmostEqual(loss, losses["optimized"], delta=1e-4)
    self.assertLess(loss, losses["cosine"])
    for name in ("fit.png", "plan.png"):
      self.assertStartsWith((self.out / name).read_bytes(), b"\x89PNG")

  def test_intervals_hold_the_parameters(self):
    code, out, err = _run(
      *self._files(),
      f"--horizon={_STEPS}",
      "--schedules=cosine",
      *self.common,
    )
    self.assertEqual(code, 0, err)
    rows = {
      line.split()[0]: line.split() for line in out.splitlines() if line.strip()
    }
    for name in ("L0", "A", "alpha"):
      low, high = float(rows[name][2]), float(rows[name][4])
      # Wider than the interval: that holds in 95 % of draws alone.
      room = high - low
      self.assertBetween(getattr(_TRUE, name), low - room, high + room)
    self.assertEqual(rows["C"][2], "held")
    self.assertEqual(rows["beta"][2], "held")

  def test_annealing_law_and_its_best_cooldown(self):
    files = self._files()
    code, out, err = _run(
      *files, f"--horizon={_STEPS}", "--law=annealing", *self.common
    )
    self.assertEqual(code, 0, err)
    self.assertIn("best_wsd", out)
    law = laws.Law.from_json((self.out / "law.json").read_text())
    self.assertIsInstance(law, laws.AnnealingLaw)
    code, _, err = _run(
      *files,
      f"--horizon={_STEPS}",
      "--law=annealing",
      "--schedules=optimized",
      *self.common,
    )
    self.assertEqual(code, 2)
    self.assertIn("the annealing law has no best schedule", err)

  def test_all_shapes_of_the_multi_power_law(self):
    files = self._files()
    for shape in ("free", "early_stopped"):
      code, out, err = _run(
        *files,
        f"--horizon={_STEPS}",
        f"--shape={shape}",
        "--schedules=cosine,best_wsd",
        *self.common,
      )
      self.assertEqual(code, 0, err)
      self.assertIn("MultiPowerLaw", out)

  def test_points_before_the_first_step_are_left_out(self):
    files = self._files()
    args = (f"--horizon={_STEPS}", "--schedules=cosine", *self.common)
    for first, points in ((0, 90), (200, 50)):
      code, out, err = _run(*files, *args, f"--first_step={first}")
      self.assertEqual(code, 0, err)
      (row,) = (r.split() for r in out.splitlines() if r.startswith(" rex "))
      self.assertEqual(row[1], str(points))
    code, _, err = _run(*files, *args, "--first_step=1000")
    self.assertEqual(code, 2)
    self.assertIn("ends at step 396, before --first_step=1000", err)

  def test_curves_of_a_race(self):
    lines = ["workload,entry,argument,value,seed,step,eval_loss,step_size"]
    for place, name in enumerate(("constant", "cosine")):
      for line in _table(name).replace("(", "").replace(")", "").split()[1:]:
        step, rate, loss = line.split(",")
        run = f"lm,{name},power,{place},0"
        lines.append(f"{run},{int(step) + 1},{loss},{rate}")
    path = self._file("curves.csv", "\n".join(lines))
    code, out, err = _run(
      path, f"--horizon={_STEPS}", "--schedules=linear", *self.common
    )
    self.assertEqual(code, 0, err)
    self.assertIn("constant power=0", out)
    # One of them alone is one shape.
    code, _, err = _run(
      path,
      f"--horizon={_STEPS}",
      "--select=entry=cosine",
      *self.common,
    )
    self.assertEqual(code, 2)
    self.assertIn("1 curve of one schedule shape cannot tell", err)

  def test_a_file_that_cannot_be_written_does_not_keep_others(self):
    full = OSError(28, "No space left on device")
    with mock.patch.object(schedules, "to_csv", side_effect=full):
      code, _, err = _run(
        *self._files(),
        f"--horizon={_STEPS}",
        "--schedules=cosine",
        *self.common,
      )
    self.assertEqual(code, 2)
    self.assertIn("no schedule.csv: [Errno 28] No space left", err)
    self.assertEqual(
      sorted(os.listdir(self.out)), [f for f in _FILES if "csv" not in f]
    )

  @parameterized.named_parameters(
    ("missing_file", ("none.csv",), (), "No such file"),
    ("missing_column", ("columns",), (), "no column for the step size"),
    ("nan", ("constant", "nan"), (), "has the loss nan"),
    ("unsorted", ("constant", "unsorted"), (), "follows step 12"),
    ("repeated", ("constant", "repeated"), (), "step 8 is there twice"),
    ("flat", ("cosine", "flat"), (), "at all of its points"),
    ("one_shape", ("constant",), (), "1 curve of one schedule shape"),
    ("twice_one_shape", ("constant", "longer"), (), "2 curves of one schedule"),
    ("peaks", ("constant", "peaks"), (), "the peaks of the curves differ"),
    ("select", ("constant",), ("--select=seed=1",), "no column for the select"),
    ("form", ("constant",), ("--select=seed",), "must be COLUMN=VALUE"),
    ("horizon", ("constant",), ("--horizon=30",), "longer than the warm-up"),
    ("number", ("constant",), ("--horizon=few",), "must be an integer >= 2"),
    ("law", ("constant",), ("--law=moore",), "invalid choice: 'moore'"),
    ("spec", ("constant",), ("--schedules=cosin",), "Did you mean cosine"),
    ("none", ("constant",), ("--schedules=,",), "at least one schedule"),
    ("peak", ("constant",), ("--peak_value=0",), "--peak_value must be a"),
    (
      "shape",
      ("constant", "cosine"),
      ("--law=annealing", "--shape=free"),
      "--shape belongs to --law=multi_power",
    ),
    (
      "no_schedule",
      ("constant", "cosine"),
      ("--schedules=json:dumps",),
      "json:dumps",
    ),
  )
  def test_bad_input_writes_nothing(self, names, options, message):
    texts = {
      "columns": "step,loss\n1,1\n",
      "nan": "step,step_size,loss\n44,0.001,nan\n",
      "unsorted": "step,step_size,loss\n12,0.001,3\n8,0.001,3\n",
      "repeated": "step,step_size,loss\n8,0.001,3\n8,0.001,3\n",
      "flat": "step,step_size,loss\n44,0.001,3\n48,0.001,3\n",
    }
    paths = []
    for name in names:
      if name in texts:
        text = texts[name]
      elif name == "longer":
        text = _table("constant", steps=2 * _STEPS)
      elif name == "peaks":
        text = _table("cosine", peak=3 * _PEAK)
      elif name.endswith(".csv"):
        paths.append(self.folder / name)
        continue
      else:
        text = _table(name)
      paths.append(self._file(f"{name}.csv", text))
    horizon = [] if "--horizon" in "".join(options) else [f"--horizon={_STEPS}"]
    code, out, err = _run(*paths, *horizon, *options, *self.common)
    self.assertEqual((code, out), (2, ""))
    self.assertIn(message, err)
    self.assertNotIn("Traceback", err)
    self.assertEqual(list(self.out.glob("*")), [])


if __name__ == "__main__":
  absltest.main()
