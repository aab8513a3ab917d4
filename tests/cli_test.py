# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the command `optax-stepsize`."""

import contextlib
import csv
import io
import os
import pathlib
import subprocess
import sys
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from optax_stepsize import catalogue
from optax_stepsize import cli
from optax_stepsize import compare


class _Terminal(io.StringIO):
  def isatty(self):
    return True


def _run(*argv: str, terminal: bool = False) -> tuple[int, str, str]:
  """Exit code, standard output and standard error of a command."""
  out, err = (_Terminal if terminal else io.StringIO)(), io.StringIO()
  with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
    code = cli.main(argv)
  return code, out.getvalue(), err.getvalue()


def _made_up(seeds: int = 2, **kwargs) -> compare.Comparison:
  """A result without training: one value, losses from 1.0 to 0.5."""
  loss = np.tile([1.0, 0.5], (1, seeds, 1))
  curves = compare.Curves(
    entry=compare.make_entry("sgd", total_steps=10),
    values=np.array([0.1]),
    steps=np.array([0, 10]),
    train_loss=loss,
    eval_loss=loss,
    eval_accuracy=loss,
    step_size=loss,
    compile_seconds=1.0,
    run_seconds=1.0,
  )
  return compare.Comparison("made_up", 10, 1, seeds, (curves,), **kwargs)


class ListTest(parameterized.TestCase):
  def test_rows_are_those_of_the_catalogue(self):
    code, out, _ = _run("list")
    header, *lines = out.splitlines()
    self.assertEqual(code, 0)
    self.assertLen(lines, len(catalogue.ROWS))
    for line, row in zip(lines, catalogue.ROWS.values(), strict=True):
      for column, text in (
        ("name", row.name),
        ("family", row.family),
        ("computed from", row.computed_from),
        ("needs", ", ".join(row.needs) or "-"),
        ("static arguments", ", ".join(row.static) or "-"),
        ("bytes/param", f"{row.state_bytes:g}"),
        ("collectives", row.reductions),
      ):
        # Aligned under its heading.
        self.assertStartsWith(line[header.index(column) :], text)
      self.assertIn(f"arXiv {row.paper.arxiv}", line)

  def test_markdown(self):
    _, out, _ = _run("list", "--markdown")
    lines = out.splitlines()
    self.assertLen(lines, len(catalogue.ROWS) + 2)
    self.assertLen({line.count("|") for line in lines}, 1)
    for line, name in zip(lines[2:], catalogue.ROWS, strict=True):
      self.assertStartsWith(line, f"| {name} |")

  def test_terminals_get_a_table(self):
    _, rich_out, _ = _run("list", terminal=True)
    with mock.patch.dict(sys.modules, {"rich": None}):
      code, plain_out, _ = _run("list", terminal=True)
    self.assertEqual(code, 0)
    self.assertEqual(plain_out, _run("list")[1])
    self.assertNotEqual(rich_out, plain_out)
    for name in catalogue.ROWS:
      self.assertIn(name, rich_out)

  def test_cite(self):
    code, out, _ = _run("cite", "prodigy", "dog", "ldog")
    self.assertEqual(code, 0)
    for name in ("prodigy", "dog"):
      self.assertIn(catalogue.cite(name), out)
    self.assertEqual(out.count("@"), 2)

  def test_neither_imports_the_extras(self):
    program = (
      "import sys\n"
      "from optax_stepsize import cli, compare\n"
      "assert cli.main(['list']) == 0\n"
      "loaded = {'flax', 'matplotlib', 'rich', 'sklearn'} & set(sys.modules)\n"
      "assert not loaded, loaded\n"
      "from absl import flags\n"
      "own = [m for m in flags.FLAGS.flags_by_module_dict()\n"
      "       if m.startswith('optax_stepsize')]\n"
      "assert not own, own\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


class ErrorsTest(parameterized.TestCase):
  def _fails(self, *argv):
    trains = AssertionError("trained")
    with mock.patch.object(compare, "compare", side_effect=trains):
      code, out, err = _run(*argv)
    self.assertEqual(code, 2)
    self.assertEmpty(out)
    self.assertLen(err.splitlines(), 1)
    self.assertStartsWith(err, "optax-stepsize: ")
    return err

  @parameterized.parameters(
    (["cite", "prodgy"], "unknown method 'prodgy'. Did you mean prodigy"),
    (["compare", "--methods=dog,shedule_free"], "schedule_free_adamw"),
    (["compare", "--methods=adam_w"], "Did you mean adamw"),
    (["compare", "--methods=minimax_schedule"], "no argument to tune"),
    (["compare", "--methods=,"], "must name at least one"),
    (["compare", "--steps=0"], "--steps: must be an integer >= 1, got '0'"),
    (["compare", "--seeds=-1"], "--seeds: must be an integer >= 1"),
    (["compare", "--values=two"], "--values: must be an integer >= 1"),
    (["compare", "--batch_size=2000"], "batch_size must be in [1, 1437]"),
    (["compare", "--stepz=3"], "--stepz"),
    (["compare", "--workload=river_vally"], "Did you mean river_valley"),
    (["compare", "--workload=json:dumps"], "'json:dumps'"),
    (["compare", "--workload=logistic", "--batch_size=0"], "--batch_size"),
    (["compare", "--methods=optax.lionn"], "lion"),
    (["race"], "race"),
    ([], "COMMAND"),
  )
  def test_bad_input(self, argv, message):
    folder = self.create_tempdir().full_path
    if argv[:1] == ["compare"]:
      argv = [*argv, f"--output_dir={folder}"]
    self.assertIn(message, self._fails(*argv))
    self.assertEmpty(os.listdir(folder))

  def test_an_unwritable_folder_is_found_before_training(self):
    # Below a file, since root may write anywhere else.
    file = self.create_tempfile().full_path
    err = self._fails("compare", f"--output_dir={file}/below")
    self.assertIn(f"cannot write to {file}/below", err)

  def test_a_folder_in_place_of_a_file_is_found_before_training(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    (folder / "comparison.png").mkdir()
    err = self._fails("compare", f"--output_dir={folder}")
    self.assertIn("comparison.png", err)

  @parameterized.parameters("flax", "matplotlib", "rich", "sklearn")
  def test_a_missing_extra_is_named_with_the_fix(self, module):
    with mock.patch.dict(sys.modules, {module: None}):
      err = self._fails("compare")
    self.assertIn('pip install "optax-stepsize[compare]"', err)

  def test_interrupt_before_anything_is_finished(self):
    folder = self.create_tempdir().full_path
    with mock.patch.object(compare, "compare", side_effect=KeyboardInterrupt):
      code, _, err = _run("compare", f"--output_dir={folder}")
    self.assertEqual(code, 130)
    self.assertIn("nothing was finished", err)
    self.assertEmpty(os.listdir(folder))

  def test_console_script(self):
    def script(*argv, before=""):
      program = f"from optax_stepsize import cli\n{before}\ncli.run()"
      return subprocess.run(
        [sys.executable, "-c", program, *argv],
        capture_output=True,
        text=True,
        check=False,
      )

    failed = script("cite", "prodgy")
    self.assertEqual(failed.returncode, 2)
    self.assertLen(failed.stderr.splitlines(), 1)
    shown = script("--verbosity=0", "cite", "prodigy")
    self.assertEqual(shown.returncode, 0)
    self.assertEqual(shown.stdout.strip(), catalogue.cite("prodigy"))
    interrupt = (
      "def stop(args): raise KeyboardInterrupt\n"
      "from optax_stepsize.commands import _list\n_list._list = stop"
    )
    stopped = script("list", before=interrupt)
    self.assertEqual(stopped.returncode, 130)
    self.assertIn("interrupted", stopped.stderr)


class CompareTest(parameterized.TestCase):
  def test_table_and_files(self):
    folder = pathlib.Path(self.create_tempdir().full_path) / "new"
    code, out, err = _run(
      "compare",
      "--methods=sps,prodigy,sgd,sps",
      "--steps=30",
      "--values=3",
      "--seeds=2",
      "--batch_size=32",
      f"--output_dir={folder}",
    )
    self.assertEqual(code, 0)
    self.assertEqual(err.split(), "1/3 sps 2/3 prodigy 3/3 sgd".split())
    self.assertIn("digits_mlp, 30 steps", out)
    self.assertIn("3 values of the tuned argument x 2 seeds = 6 runs", out)
    for line in (
      r"prodigy +d_coef .* \d+/6 +[123]/3 ",
      r"sps +c .* \d+/6 +[123]/3 ",
      r"sgd +learning_rate .* \d+/6 +[123]/3 ",
    ):
      self.assertRegex(out, line)
    with open(folder / "curves.csv", newline="", encoding="utf-8") as file:
      rows = list(csv.DictReader(file))
    points = len({row["step"] for row in rows})
    self.assertLen(rows, 3 * 3 * 2 * points)
    self.assertIn("30", {row["step"] for row in rows})
    self.assertStartsWith((folder / "comparison.png").read_bytes(), b"\x89PNG")
    self.assertCountEqual(os.listdir(folder), ["curves.csv", "comparison.png"])
    # It trains: of the values of each method, one at least.
    for name in ("sps", "prodigy", "sgd"):
      losses = [
        float(row["eval_loss"])
        for row in rows
        if row["entry"] == name and row["step"] == "30"
      ]
      self.assertLess(min(losses), 1.5)

  def test_another_workload_with_its_own_steps(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    code, out, _ = _run(
      "compare",
      "--workload=river_valley",
      "--methods=dog,optax.lion,sgd",
      "--values=2",
      "--seeds=2",
      f"--output_dir={folder}",
    )
    self.assertEqual(code, 0)
    steps = compare.river_valley().steps
    self.assertIn(f"river_valley, {steps} steps", out)
    with open(folder / "curves.csv", newline="", encoding="utf-8") as file:
      rows = list(csv.DictReader(file))
    self.assertEqual({row["workload"] for row in rows}, {"river_valley"})
    self.assertEqual(
      {row["entry"] for row in rows}, {"dog", "optax.lion", "sgd"}
    )

  def _run_with(self, result, folder):
    with mock.patch.object(compare, "compare", return_value=result):
      return _run("compare", "--methods=sgd", f"--output_dir={folder}")

  def test_after_an_interrupt_what_is_finished_is_written(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    code, out, _ = self._run_with(_made_up(interrupted=True), folder)
    self.assertEqual(code, 130)
    self.assertIn("Interrupted", out)
    with open(folder / "curves.csv", newline="", encoding="utf-8") as file:
      self.assertEqual({row["entry"] for row in csv.DictReader(file)}, {"sgd"})

  def test_a_full_disk_loses_no_table(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    full = OSError("No space left on device")
    with mock.patch.object(compare, "write_csv", side_effect=full):
      code, out, err = self._run_with(_made_up(), folder)
    self.assertEqual(code, 2)
    self.assertIn("sgd", out)
    self.assertIn("no curves.csv: No space left on device", err)
    self.assertTrue((folder / "comparison.png").exists())

  def test_a_refused_picture_is_no_failure(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    code, out, err = self._run_with(_made_up(seeds=1), folder)
    self.assertEqual(code, 0)
    self.assertIn("curves.csv", out)
    self.assertNotIn("comparison.png", out)
    self.assertIn("no comparison.png: one seed has no spread", err)


if __name__ == "__main__":
  absltest.main()
