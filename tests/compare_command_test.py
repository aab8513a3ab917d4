# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `optax-stepsize compare`."""

import contextlib
import csv
import io
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from optax_stepsize import cli
from optax_stepsize import compare

# What a script starts in the background ignores interrupts, and so do its
# children.
_PROGRAM = """
import signal
from optax_stepsize import cli
signal.signal(signal.SIGINT, signal.default_int_handler)
cli.run()
"""
_QUICK = (
  "--workload=river_valley,noisy_quadratic",
  "--methods=dog,sps",
  "--baselines=adamw,sgd",
  "--values=3",
  "--seeds=2",
  "--steps=30",
)
_FILES = (
  "comparison.html",
  "curves.csv",
  "noisy_quadratic.png",
  "profile.png",
  "race.json",
  "river_valley.png",
  "runs",
)


def _run(*argv: str) -> tuple[int, str, str]:
  """Exit code, standard output and standard error of the command."""
  out, err = io.StringIO(), io.StringIO()
  with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
    code = cli.main(["compare", *argv])
  return code, out.getvalue(), err.getvalue()


def _rows(folder: pathlib.Path) -> list[dict[str, str]]:
  with open(folder / "curves.csv", newline="", encoding="utf-8") as file:
    return list(csv.DictReader(file))


def _runs(folder: pathlib.Path) -> dict[tuple[str, ...], list[dict[str, str]]]:
  runs: dict[tuple[str, ...], list[dict[str, str]]] = {}
  for row in _rows(folder):
    names = ("workload", "entry", "argument", "value", "seed")
    runs.setdefault(tuple(row[name] for name in names), []).append(row)
  return runs


def _assert_close(test, folder, other):
  """The same curves, up to the rounding of another layout."""
  runs, others = _runs(folder), _runs(other)
  test.assertEqual(list(runs), list(others))
  compared = 0
  for run, lines in runs.items():
    first, last = (float(lines[place]["eval_loss"]) for place in (0, -1))
    if not last <= first:
      continue  # it diverges, and rounding grows without bound
    compared += 1
    for line, same in zip(lines, others[run], strict=True):
      test.assertEqual(line["step"], same["step"])
      for name in ("train_loss", "eval_loss", "step_size"):
        one, another = (float(x[name] or "0") for x in (line, same))
        np.testing.assert_allclose(one, another, rtol=1e-3, err_msg=str(run))
  test.assertGreater(compared, len(runs) // 2)


def _made_up(
  name: str = "made_up", seeds: int = 2, **kwargs
) -> compare.Comparison:
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
    step_seconds=1.0,
    state_bytes=8,
  )
  return compare.Comparison(name, 10, 1, seeds, (curves,), **kwargs)


class ErrorsTest(parameterized.TestCase):
  def _fails(self, *argv):
    trains = AssertionError("trained")
    with mock.patch.object(compare, "run_heats", side_effect=trains):
      code, out, err = _run(*argv)
    self.assertEqual(code, 2)
    self.assertEmpty(out)
    self.assertLen(err.splitlines(), 1)
    self.assertStartsWith(err, "optax-stepsize: ")
    return err

  @parameterized.parameters(
    (["--methods=dog,shedule_free"], "Did you mean schedule_free"),
    (["--methods=adam_w"], "Did you mean adamw"),
    (["--methods=minimax_schedule"], "no argument to tune"),
    (["--methods=,"], "must name at least one"),
    (["--methods=optax.lionn"], "lion"),
    (["--methods=uba_schedule", "--base=adm"], "unknown base optimizer 'adm'"),
    (["--baselines=adam"], "baselines must be one of 'adamw'"),
    (["--steps=0"], "--steps: must be an integer >= 1, got '0'"),
    (["--seeds=-1"], "--seeds: must be an integer >= 1"),
    (["--values=two"], "--values: must be an integer >= 1"),
    (["--values=0"], "--values: must be an integer >= 1"),
    (
      ["--workload=digits_mlp", "--batch_size=2000"],
      "batch_size must be in [1, 1437]",
    ),
    (["--workload=logistic", "--batch_size=0"], "--batch_size"),
    (["--batch_size=8"], "river_valley: batch_size cannot be chosen"),
    (["--workload=river_vally"], "Did you mean river_valley"),
    (["--workload=json:dumps"], "'json:dumps'"),
    (["--workload=river_valley,river_valley,logistik"], "logistic"),
    (["--layout=rows"], "--layout: invalid choice: 'rows'"),
    (["--stepz=3"], "--stepz"),
    (["--coordinator=localhost:1"], "--process_id go together"),
  )
  def test_bad_input(self, argv, message):
    folder = self.create_tempdir().full_path
    self.assertIn(message, self._fails(*argv, f"--output_dir={folder}"))
    self.assertEmpty(os.listdir(folder))

  def test_an_unwritable_folder_is_found_before_training(self):
    # Below a file, since root may write anywhere else.
    file = self.create_tempfile().full_path
    err = self._fails(f"--output_dir={file}/below")
    self.assertIn(f"cannot write to {file}/below", err)

  def test_a_folder_in_place_of_a_file_is_found_before_training(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    (folder / "logistic.png").mkdir()
    self.assertIn("logistic.png", self._fails(f"--output_dir={folder}"))

  @parameterized.parameters("flax", "matplotlib", "rich", "sklearn")
  def test_a_missing_extra_is_named_with_the_fix(self, module):
    with mock.patch.dict(sys.modules, {module: None}):
      err = self._fails()
    self.assertIn('pip install "optax-stepsize[compare]"', err)

  def test_resume(self):
    folder = self.create_tempdir().full_path
    self.assertIn("there is no race", self._fails(f"--resume={folder}"))
    err = self._fails(f"--resume={folder}", "--steps=3", "--output_dir=x")
    self.assertIn("leave out --steps, --output_dir", err)

  def test_losses_that_are_not_finite_at_the_start(self):
    folder = self.create_tempdir().full_path
    error = ValueError("workload mine: eval_fn must return a finite loss")
    with mock.patch.object(compare, "run_heats", side_effect=error):
      code, _, err = _run(f"--output_dir={folder}", "--workload=river_valley")
    self.assertEqual((code, len(err.splitlines())), (2, 1))
    self.assertIn("mine: eval_fn", err)

  def test_interrupt_before_anything_is_finished(self):
    folder = self.create_tempdir().full_path
    with mock.patch.object(compare, "run_heats", side_effect=KeyboardInterrupt):
      code, _, err = _run(f"--output_dir={folder}")
    self.assertEqual(code, 130)
    self.assertIn("nothing was finished", err)
    self.assertEqual(os.listdir(folder), ["race.json"])


class FilesTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path) / "new"

  def _run_with(self, race):
    with mock.patch.object(compare, "run_heats", return_value=race):
      return _run("--workload=river_valley", f"--output_dir={self.folder}")

  def test_after_an_interrupt_what_is_finished_is_written(self):
    race = compare.Race((_made_up(interrupted=True),), interrupted=True)
    code, out, _ = self._run_with(race)
    self.assertEqual(code, 130)
    self.assertIn("Interrupted", out)
    self.assertIn(f"compare --resume={self.folder}", out)
    self.assertEqual({row["entry"] for row in _rows(self.folder)}, {"sgd"})
    self.assertIn("Interrupted", (self.folder / "comparison.html").read_text())

  def test_a_full_disk_loses_no_table(self):
    full = OSError("No space left on device")
    with mock.patch.object(compare, "write_csv", side_effect=full):
      code, out, err = self._run_with(compare.Race((_made_up(),)))
    self.assertEqual(code, 2)
    self.assertIn("sgd", out)
    self.assertIn("no curves.csv: No space left on device", err)
    self.assertTrue((self.folder / "made_up.png").exists())
    self.assertTrue((self.folder / "comparison.html").exists())

  def test_runs_that_could_not_be_kept_are_reported(self):
    def run_heats(*args, store, **kwargs):
      store.error = OSError("No space left on device")
      return compare.Race((_made_up(),))

    with mock.patch.object(compare, "run_heats", run_heats):
      code, _, err = _run(
        "--workload=river_valley", f"--output_dir={self.folder}"
      )
    self.assertEqual(code, 2)
    self.assertIn("could not be kept: No space left on device", err)

  def test_an_unfinished_race_is_given_up_on_demand_only(self):
    compare.check_output_dir(self.folder)
    compare.Store.create(self.folder, {"some": "settings"})
    run = self.folder / "runs" / "river_valley" / "dog" / "00000.npz"
    run.parent.mkdir(parents=True)
    run.write_bytes(b"")
    argv = ["--workload=river_valley", f"--output_dir={self.folder}"]
    race = compare.Race((_made_up(),))
    with mock.patch.object(compare, "run_heats", return_value=race):
      code, _, err = _run(*argv)
      self.assertEqual(code, 2)
      self.assertIn("give it up by --overwrite", err)
      self.assertTrue(run.exists())
      self.assertEqual(
        compare.Store.open(self.folder).settings, {"some": "settings"}
      )
      self.assertEqual(_run(*argv, "--overwrite")[0], 0)
    self.assertFalse(run.exists())
    settings = compare.Store.open(self.folder).settings
    self.assertEqual(settings["workload"], ["river_valley"])

  def test_a_refused_picture_is_no_failure(self):
    race = compare.Race((_made_up("a", seeds=1), _made_up("b:c/d", seeds=1)))
    code, out, err = self._run_with(race)
    self.assertEqual(code, 0)
    self.assertIn("curves.csv", out)
    self.assertNotIn("a.png", out)
    self.assertIn("no a.png: one seed has no spread", err)
    self.assertIn("no b_c_d.png: one seed has no spread", err)
    self.assertIn("no profile.png: one seed has no spread", err)
    page = (self.folder / "comparison.html").read_text()
    self.assertIn("No picture: one seed has no spread", page)
    self.assertNotIn("<img", page)


class RaceTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path) / "new"

  def test_table_and_files(self):
    code, out, err = _run(*_QUICK, f"--output_dir={self.folder}")
    self.assertEqual(code, 0)
    order = [
      f"{workload} {entry}"
      for workload in ("river_valley", "noisy_quadratic")
      for entry in ("dog", "sps", "adamw", "sgd")
    ]
    self.assertEqual(
      err.splitlines(), [f"{i}/8 {name}" for i, name in enumerate(order, 1)]
    )
    self.assertIn("3 values of the tuned argument x 2 seeds = 6 runs", out)
    self.assertRegex(out, r"river_valley, .*, 30 steps")
    self.assertRegex(out, r"noisy_quadratic, .*, 30 steps")
    self.assertIn("As multiples of the least", out)
    for line in (
      r"dog +reps_rel .* [0-3]/3 +\d/6 +\d+ B +\d+\.\d\dx",
      r"adamw +learning_rate .* [0-3]/3 +\d/6 +\d+ B +1\.00x",
    ):
      self.assertLen(re.findall(line, out), 2)
    rows = _rows(self.folder)
    points = len({row["step"] for row in rows})
    self.assertLen(rows, 2 * 4 * 3 * 2 * points)
    self.assertEqual(max(int(row["step"]) for row in rows), 30)
    self.assertCountEqual(os.listdir(self.folder), _FILES)
    for name in ("river_valley.png", "noisy_quadratic.png", "profile.png"):
      self.assertStartsWith((self.folder / name).read_bytes(), b"\x89PNG")

    # Nothing is left to run: the files are written once more, and the same.
    again = AssertionError("trained again")
    with mock.patch.object(compare.Store, "save", side_effect=again):
      code, _, err = _run(f"--resume={self.folder}")
    self.assertEqual((code, err), (0, ""))
    self.assertEqual(_rows(self.folder), rows)

  def test_all_names_every_workload(self):
    prepared = []

    def prepare(methods, workloads, **kwargs):
      prepared.extend(workload.name for workload in workloads)
      raise ValueError("enough")

    with mock.patch.object(compare, "prepare", prepare):
      code, _, _ = _run("--workload=all", f"--output_dir={self.folder}")
    self.assertEqual(code, 2)
    self.assertEqual(tuple(prepared), compare.WORKLOADS)

  def _start(self, *argv, flags="--xla_force_host_platform_device_count=2"):
    """The command in a process of its own."""
    log = self.create_tempfile(mode="w").full_path
    with open(log, "w", encoding="utf-8") as file:
      process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, "compare", *argv],
        stdout=file,
        stderr=subprocess.STDOUT,
        env=os.environ | {"XLA_FLAGS": flags},
      )
    self.addCleanup(process.wait)
    self.addCleanup(process.kill)
    return process, pathlib.Path(log)

  def test_a_race_that_was_killed_goes_on(self):
    argv = [*_QUICK, "--layout=grid"]
    process, log = self._start(*argv, f"--output_dir={self.folder}")
    runs = self.folder / "runs"
    deadline = time.monotonic() + 120
    while len(finished := list(runs.glob("*/*/0*.npz"))) < 2:
      self.assertIsNone(process.poll(), log.read_text())
      self.assertLess(time.monotonic(), deadline, log.read_text())
      time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    times = {path: path.stat().st_mtime_ns for path in finished}
    self.assertFalse(
      json.loads((self.folder / "race.json").read_text())["finished"]
    )

    code, _, err = _run(f"--output_dir={self.folder}", "--steps=7")
    self.assertEqual(code, 2)
    self.assertIn(
      f"unfinished race: go on with it by --resume={self.folder}", err
    )
    code, out, err = _run(f"--resume={self.folder}")
    self.assertEqual(code, 0)
    self.assertNotIn("1/8", err)
    self.assertIn("8/8 noisy_quadratic sgd", err)
    self.assertIn("30 steps", out)
    # Not one that was finished was run again.
    self.assertEqual(
      {path: path.stat().st_mtime_ns for path in finished}, times
    )
    other = self.folder.with_name("other")
    self.assertEqual(_run(*argv, f"--output_dir={other}")[0], 0)
    _assert_close(self, self.folder, other)

  def test_an_interrupt_leaves_all_that_is_finished(self):
    process, log = self._start(
      *_QUICK, "--layout=loop", f"--output_dir={self.folder}"
    )
    runs = self.folder / "runs"
    deadline = time.monotonic() + 120
    while not list(runs.glob("*/sps/0*.npz")):
      self.assertIsNone(process.poll(), log.read_text())
      self.assertLess(time.monotonic(), deadline, log.read_text())
      time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    self.assertEqual(process.wait(), 130, log.read_text())
    self.assertIn("Interrupted", log.read_text())
    self.assertIn("dog", {row["entry"] for row in _rows(self.folder)})
    self.assertTrue((self.folder / "comparison.html").exists())

  def test_a_cpu_device_for_each_core(self):
    process, log = self._start(
      "--workload=noisy_quadratic",
      "--methods=dog",
      "--baselines=none",
      "--values=1",
      "--seeds=2",
      "--steps=3",
      f"--output_dir={self.folder}",
      flags="",
    )
    self.assertEqual(process.wait(timeout=240), 0, log.read_text())
    layouts = json.loads((self.folder / "race.json").read_text())["layouts"]
    cores = len(os.sched_getaffinity(0))
    self.assertEqual(layouts["noisy_quadratic"]["devices"], cores)
    self.assertIn("there is no baseline", log.read_text())

  def test_two_hosts_share_the_runs(self):
    with socket.socket() as free:
      free.bind(("127.0.0.1", 0))
      address = f"127.0.0.1:{free.getsockname()[1]}"
    processes = [
      self._start(
        *_QUICK,
        f"--output_dir={self.folder}",
        f"--coordinator={address}",
        "--num_processes=2",
        f"--process_id={host}",
      )
      for host in range(2)
    ]
    for process, log in processes:
      self.assertEqual(process.wait(timeout=240), 0, log.read_text())
    first, second = (log.read_text() for _, log in processes)
    self.assertIn("Written:", first)
    self.assertNotIn("Written:", second)
    self.assertCountEqual(os.listdir(self.folder), _FILES)
    layouts = json.loads((self.folder / "race.json").read_text())["layouts"]
    # Six runs: three on each host, of two devices.
    for layout in layouts.values():
      self.assertIn((layout["lanes"], layout["devices"]), [(1, 2), (2, 2)])
    alone = self.folder.with_name("alone")
    self.assertEqual(_run(*_QUICK, f"--output_dir={alone}")[0], 0)
    _assert_close(self, self.folder, alone)


class PageTest(absltest.TestCase):
  def test_one_file_with_everything(self):
    path = pathlib.Path(self.create_tempdir().full_path) / "page.html"
    race = compare.Race(
      (
        _made_up("a<b>&", target=0.7, notes=("careful: <script>",)),
        _made_up("other", target=0.1, description="what it is"),
      )
    )
    compare.write_page(race, path, {"device": "one & only"})
    page = path.read_text()
    self.assertStartsWith(page, "<!DOCTYPE html>")
    for text in (
      "a&lt;b&gt;&amp;",
      "careful: &lt;script&gt;",
      "one &amp; only",
      "what it is",
      "Tuning budget, the same for every entry",
      "<td>10</td>",  # steps to the target
      "<td>missed</td>",
    ):
      self.assertIn(text, page)
    self.assertNotIn("<script", page)
    self.assertEqual(page.count("data:image/png;base64,"), 3)
    # It loads nothing.
    self.assertNotRegex(page, r'(src|href)="(?!data:)')
    self.assertNotIn("url(", page)

  def test_a_failed_write_leaves_the_file_as_it_was(self):
    path = pathlib.Path(self.create_tempdir().full_path) / "page.html"
    path.write_text("before")
    full = OSError("No space left on device")
    with mock.patch.object(os, "replace", side_effect=full):
      with self.assertRaisesRegex(OSError, "No space"):
        compare.write_page(compare.Race((_made_up(),)), path)
    self.assertEqual(path.read_text(), "before")
    self.assertEqual(os.listdir(path.parent), ["page.html"])


if __name__ == "__main__":
  absltest.main()
