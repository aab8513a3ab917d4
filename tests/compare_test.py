# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `optax_stepsize.compare`."""

import csv
import itertools
import pathlib
import sys
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich import console

from optax_stepsize import catalogue
from optax_stepsize import compare
from optax_stepsize import core

_CURVATURES = np.array([1.0, 4.0], np.float32)


def _loss(params, batch):
  moved = params["x"] - 3.0 - batch
  return 0.5 * jnp.sum(_CURVATURES * moved**2) + 1e-3


def quadratic() -> compare.Workload:
  """Two parameters, noise in the position of the minimum."""
  return compare.Workload(
    name="quadratic",
    init_fn=lambda key: {"x": 0.1 * jax.random.normal(key, (2,))},
    loss_fn=_loss,
    batch_fn=lambda key, step: (
      0.1 * jax.random.normal(jax.random.fold_in(key, step), (2,))
    ),
    eval_fn=lambda params: (_loss(params, 0.0), jnp.nan),
    steps_per_epoch=10,
  )


def _sgd(name="sgd_entry", default=0.1, **kwargs) -> compare.Entry:
  return compare.Entry(name, optax.sgd, "learning_rate", default, **kwargs)


def _curves(final, initial=1.0, name="entry", **kwargs) -> compare.Curves:
  """Made-up curves with these final losses, `(values, seeds)`."""
  final = np.asarray(final, np.float32)
  loss = np.stack([np.full_like(final, initial), final], -1)
  entry = compare.Entry(name, optax.sgd, "rate", 1.0, **kwargs)
  return compare.Curves(
    entry=entry,
    values=entry.grid(len(final)),
    steps=np.array([0, 10]),
    train_loss=np.where(np.arange(2) == 0, np.nan, loss),
    eval_loss=loss,
    eval_accuracy=np.full_like(loss, 0.5),
    step_size=np.full_like(loss, 0.1),
    compile_seconds=1.0,
    run_seconds=2.0,
    step_seconds=3e-4,
    state_bytes=1234,
  )


def _comparison(*curves, **kwargs) -> compare.Comparison:
  values, seeds = curves[0].diverged.shape
  return compare.Comparison("made_up", 10, values, seeds, curves, **kwargs)


def _text(comparison, **kwargs) -> str:
  writer = console.Console(width=120)
  with writer.capture() as capture:
    writer.print(compare.table(comparison, **kwargs))
  return capture.get()


class WorkloadTest(absltest.TestCase):
  def test_batches_are_a_function_of_the_seed_and_cover_an_epoch(self):
    workload = compare.digits_mlp(batch_size=359)
    self.assertEqual(workload.steps_per_epoch, 4)
    key = jax.random.key(3)
    batches = jax.jit(jax.vmap(workload.batch_fn, (None, 0)))
    images, labels = batches(key, jnp.arange(8))
    again, _ = batches(key, jnp.arange(8))
    np.testing.assert_array_equal(images, again)
    self.assertEqual(images.shape, (8, 359, 64))
    first, second = (
      sorted(map(bytes, np.asarray(part).reshape(-1, 64)))
      for part in (images[:4], images[4:])
    )
    # 1437 images in batches of 359: one is dropped, another in each epoch.
    self.assertGreaterEqual(len(set(first) & set(second)), 1430)
    self.assertLen(set(first), len(first))
    self.assertFalse(np.array_equal(images[:4], images[4:]))
    self.assertBetween(float(images.min()), 0.0, 0.0)
    self.assertBetween(float(images.max()), 1.0, 1.0)
    self.assertContainsSubset(np.unique(labels), range(10))

  def test_batch_size_is_checked(self):
    for bad in (0, 1438):
      with self.assertRaisesRegex(ValueError, r"batch_size .*\[1, 1437\]"):
        compare.digits_mlp(bad)

  def test_missing_packages_are_named_with_the_fix(self):
    with mock.patch.dict(sys.modules, {"sklearn": None, "flax": None}):
      with self.assertRaisesRegex(
        compare.MissingExtraError,
        r'flax, scikit-learn: pip install "optax-stepsize\[compare\]"',
      ):
        compare.digits_mlp()


class EntryTest(parameterized.TestCase):
  @parameterized.parameters(
    (1, [1]), (2, [1, 4]), (3, [1 / 4, 1, 4]), (4, [1 / 4, 1, 4, 16])
  )
  def test_grid_is_the_default_times_powers_of_four(self, values, expected):
    np.testing.assert_allclose(
      _sgd(default=0.1).grid(values), 0.1 * np.array(expected)
    )

  @parameterized.parameters(
    *(name for name, row in catalogue.ROWS.items() if row.sweep),
    *compare.BASELINES,
  )
  def test_every_method_makes_an_entry_that_trains(self, name):
    entry = compare.make_entry(name, total_steps=40, steps_per_epoch=10)
    self.assertEqual(entry.name, name)
    self.assertEqual(entry.baseline, name in compare.BASELINES)
    if not entry.baseline:
      sweep = catalogue.ROWS[name].sweep
      self.assertEqual((entry.argument, entry.default), sweep)
    params = {"x": jnp.ones(2)}
    tx = entry.factory(jnp.float32(entry.default))
    state = tx.init(params)
    self.assertNotEmpty(core.step_sizes(state))

  @parameterized.parameters("adamw_cosine", "sgd_cosine")
  def test_cosine_baselines_are_those_of_optax(self, name):
    steps = 10
    entry = compare.make_entry(name, total_steps=steps)
    schedule = optax.cosine_decay_schedule(0.3, steps)
    expected = {
      "adamw_cosine": lambda: optax.adamw(schedule),
      "sgd_cosine": lambda: optax.sgd(schedule, momentum=0.9),
    }[name]()
    ours = entry.factory(0.3)
    params = {"x": jnp.array([1.0, -2.0])}
    states = ours.init(params), expected.init(params)
    with jax.numpy_dtype_promotion("standard"):
      for step in range(steps):
        grads = {"x": jnp.array([1.0 + step, -0.5])}
        update, first = ours.update(grads, states[0], params)
        other, second = expected.update(grads, states[1], params)
        states = first, second
        np.testing.assert_allclose(update["x"], other["x"], rtol=1e-6)
        (rate,) = core.step_sizes(first).values()
        np.testing.assert_allclose(rate, schedule(step), rtol=1e-6)

  def test_unknown_names_get_the_nearest_offered(self):
    with self.assertRaisesRegex(ValueError, "unknown method 'prodgy'.*prodigy"):
      compare.make_entry("prodgy", total_steps=10)
    with self.assertRaisesRegex(ValueError, "adamw_cosine"):
      compare.make_entry("adam_cosine", total_steps=10)

  def test_nothing_to_tune(self):
    with self.assertRaisesRegex(ValueError, "minimax_schedule cannot"):
      compare.make_entry("minimax_schedule", total_steps=10)

  @parameterized.parameters(0.0, -1.0, float("nan"), float("inf"))
  def test_default_must_be_positive(self, default):
    with self.assertRaisesRegex(ValueError, "default of learning_rate"):
      _sgd(default=default)

  def test_baselines_are_always_added(self):
    def names(*methods, **kwargs):
      entries = compare.select_entries(methods, total_steps=10, **kwargs)
      return tuple(entry.name for entry in entries)

    self.assertEqual(names("sps"), ("sps", *compare.BASELINES))
    self.assertEqual(
      names("sps", "sgd"), ("sps", "sgd", "adamw", "adamw_cosine", "sgd_cosine")
    )
    self.assertEqual(names("sps", baselines=["sgd"]), ("sps", "sgd"))
    self.assertEqual(names("sps", baselines=()), ("sps",))
    with self.assertRaisesRegex(ValueError, "sps is among .* more than once"):
      names("sps", "sps")
    with self.assertRaisesRegex(ValueError, "must name at least one"):
      names(baselines=())
    with self.assertRaisesRegex(ValueError, "baselines must be one of"):
      names("sps", baselines=["prodigy"])

  def test_base_is_what_schedules_are_raced_on(self):
    (entry,) = compare.select_entries(
      ["uba_schedule"], total_steps=10, base="sgd", baselines=()
    )
    self.assertIn("SGD", entry.settings)
    (own,) = compare.select_entries(
      ["uba_schedule+optax.lion"], total_steps=10, base="sgd", baselines=()
    )
    self.assertIn("optax.lion", own.settings)


class RunTest(parameterized.TestCase):
  @parameterized.product(
    name=("sps", "schedule_free_adamw", "dog", "adamw_cosine"),
    layout=("grid", "loop"),
  )
  def test_one_program_equals_a_loop_over_runs(self, name, layout):
    steps, values, seeds = 12, 3, 2
    workload = quadratic()
    entry = compare.make_entry(name, total_steps=steps, steps_per_epoch=10)
    (curves,) = compare.compare(
      [entry],
      workload=workload,
      steps=steps,
      values=values,
      seeds=seeds,
      baselines=(),
      layout=layout,
    ).curves

    @jax.jit
    def train_step(value, batch, params, state):
      with jax.numpy_dtype_promotion("standard"):
        tx = optax.with_extra_args_support(entry.factory(value))
        loss, grads = jax.value_and_grad(_loss)(params, batch)
        updates, state = tx.update(grads, state, params, value=loss)
        return optax.apply_updates(params, updates), state, loss

    for (v, value), seed in itertools.product(
      enumerate(entry.grid(values)), range(seeds)
    ):
      init_key, batch_key = jax.random.split(jax.random.key(seed))
      params = workload.init_fn(init_key)
      state = entry.factory(jnp.float32(value)).init(params)
      for step in range(steps):
        batch = workload.batch_fn(batch_key, jnp.int32(step))
        params, state, loss = train_step(
          jnp.float32(value), batch, params, state
        )
        point = list(curves.steps).index(step + 1)
        expected, _ = workload.eval_fn(core.eval_params(state, params))
        (step_size,) = core.step_sizes(state).values()
        for measured, number in (
          (curves.train_loss, loss),
          (curves.eval_loss, expected),
          (curves.step_size, step_size),
        ):
          np.testing.assert_allclose(
            measured[v, seed, point], number, rtol=2e-4, atol=1e-7
          )

  def test_train_loss_is_the_mean_since_the_evaluation_before(self):
    # A rate that is far too small: the loss is that of the initial point.
    entry = _sgd(default=1e-12)
    (curves,) = compare.compare(
      [entry], workload=quadratic(), steps=80, values=1, seeds=1, baselines=()
    ).curves
    self.assertEqual(curves.steps[1], 4)
    workload = quadratic()
    init_key, batch_key = jax.random.split(jax.random.key(0))
    params = workload.init_fn(init_key)
    losses = [
      _loss(params, workload.batch_fn(batch_key, jnp.int32(step)))
      for step in range(80)
    ]
    np.testing.assert_allclose(
      curves.train_loss[0, 0, 1:], np.mean(np.reshape(losses, (20, 4)), 1), 1e-5
    )
    self.assertTrue(np.isnan(curves.train_loss[..., 0]).all())
    # Optax's sgd shows no step size.
    self.assertTrue(np.isnan(curves.step_size).all())

  @parameterized.parameters(1, 7, 23, 47, 100)
  def test_every_step_count_ends_with_an_evaluation(self, steps):
    reports = []
    (curves,) = compare.compare(
      [_sgd()],
      workload=quadratic(),
      steps=steps,
      values=1,
      seeds=1,
      baselines=(),
      progress=lambda *report: reports.append(report),
    ).curves
    self.assertEqual(curves.steps[0], 0)
    self.assertEqual(curves.steps[-1], steps)
    self.assertBetween(len(curves.steps) - 1, min(steps, 10), 40)
    self.assertEqual(
      reports,
      [("quadratic", "sgd_entry", step, steps) for step in curves.steps],
    )

  def test_divergence_is_shown_and_counted(self):
    wild = _sgd("wild", 1e12)
    edge = _sgd("edge", 0.25, baseline=True)
    result = compare.compare(
      [wild, edge],
      workload=quadratic(),
      steps=60,
      values=3,
      seeds=2,
      baselines=(),
    )
    good, bad = result.rows
    self.assertEqual((good.name, bad.name), ("edge", "wild"))
    self.assertIsNone(bad.best_value)
    self.assertEqual((bad.diverged, bad.runs), (6, 6))
    self.assertEqual(bad.loss, np.inf)
    self.assertEqual(bad.close, 0)
    # 4 x 0.25 is beyond the largest stable rate 2 / 4.
    self.assertEqual((good.diverged, good.runs), (2, 6))
    text = _text(result)
    (line,) = (line for line in text.splitlines() if "wild" in line)
    self.assertRegex(line, r"none +inf .* 0/3 +6/6 ")
    folder = pathlib.Path(self.create_tempdir().full_path)
    compare.write_picture(result, folder / "a.png")
    compare.write_csv(result, folder / "a.csv")
    with open(folder / "a.csv", newline="", encoding="utf-8") as file:
      shown = [row["eval_loss"] for row in csv.DictReader(file)]
    self.assertNotEmpty({"nan", "inf"} & set(shown))

  def test_an_interrupt_keeps_what_is_finished(self):
    def stop_at(name):
      def progress(workload, entry, done, steps):
        if (workload, entry, done, steps) == ("quadratic", name, 6, 12):
          raise KeyboardInterrupt

      return progress

    def run(name):
      return compare.compare(
        [_sgd("first"), _sgd("second")],
        workload=quadratic(),
        steps=12,
        values=1,
        seeds=2,
        baselines=(),
        progress=stop_at(name),
      )

    result = run("second")
    self.assertTrue(result.interrupted)
    self.assertEqual([row.name for row in result.rows], ["first"])
    self.assertIn("Interrupted", _text(result))
    with self.assertRaises(KeyboardInterrupt):
      run("first")

  @parameterized.parameters("steps", "values", "seeds")
  def test_counts_are_checked(self, name):
    for bad in (0, -3, 2.5):
      with self.assertRaisesRegex(ValueError, f"{name} must be an integer"):
        compare.compare(["sgd"], workload=quadratic(), **{name: bad})


class ResultTest(parameterized.TestCase):
  def test_best_value_is_that_of_least_median(self):
    # The mean would choose the first, the minimum the last.
    curves = _curves([[0.4, 0.4, 0.4], [0.3, 0.3, 0.9], [0.1, 0.5, 0.5]])
    self.assertEqual(curves.best, 1)
    (row,) = _comparison(curves).rows
    self.assertAlmostEqual(row.loss, 0.3, places=6)
    self.assertAlmostEqual(row.loss_min, 0.3, places=6)
    self.assertAlmostEqual(row.loss_max, 0.9, places=6)
    self.assertEqual((row.best_value, row.multiple), (1.0, 1.0))
    self.assertFalse(row.at_edge)
    self.assertEqual(row.seconds, 3.0)

  @parameterized.parameters(
    ([0.2, 0.2, 0.2], 1), ([0.2, 0.3, 0.2], 0), ([0.3, 0.2, 0.2], 1)
  )
  def test_ties_go_to_the_default_then_to_the_smaller(self, final, best):
    self.assertEqual(_curves([[loss, loss] for loss in final]).best, best)

  def test_worse_than_at_the_start_is_diverged(self):
    nan, inf = np.nan, np.inf
    curves = _curves([[0.5, 1.0, 1.1], [nan, inf, 0.5]])
    np.testing.assert_array_equal(
      curves.diverged, [[False, False, True], [True, True, False]]
    )
    np.testing.assert_array_equal(curves.medians, [1.0, inf])

  def test_a_loss_that_was_not_finite_in_between_is_diverged(self):
    curves = _curves([[0.5, 0.5]])
    curves.train_loss[0, 1, 1] = np.nan
    np.testing.assert_array_equal(curves.diverged, [[False, True]])

  def test_values_near_the_best_are_counted(self):
    # Best 0.2, start 1.0: up to 0.24.
    final = [[0.239], [0.2], [0.241], [1.2]]
    (row,) = _comparison(_curves(final)).rows
    self.assertEqual((row.close, row.values), (2, 4))

  def test_ranking_and_ties_between_entries(self):
    first = _curves([[0.1, 0.2, 0.3]], name="first")
    apart = _curves([[0.2, 0.3, 0.4]], name="apart")
    close = _curves([[0.2, 0.3, 0.3]], name="close")
    lost = _curves([[2.0, 2.0, 2.0]], name="lost")
    rows = _comparison(lost, apart, close, first).rows
    self.assertEqual(
      [row.name for row in rows], ["first", "apart", "close", "lost"]
    )
    self.assertEqual([row.tied for row in rows], [False, False, True, False])
    text = _text(_comparison(lost, apart, close, first))
    self.assertRegex(text, r"close .* 0\.3\*")
    self.assertIn("1 value of the tuned argument x 3 seeds = 3 runs", text)

  def test_one_seed_ranks_nothing(self):
    result = _comparison(_curves([[0.1], [0.2]], baseline=True))
    self.assertIn("One seed has no spread", _text(result))
    with self.assertRaisesRegex(ValueError, "one seed"):
      compare.write_picture(result, "never.png")

  def test_a_picture_needs_a_baseline(self):
    result = _comparison(_curves([[0.1, 0.2]]))
    with self.assertRaisesRegex(ValueError, "no baseline"):
      compare.write_picture(result, "never.png")

  def test_narrow_table_fits_eighty_columns(self):
    names = ("schedule_free_adamw", "sgd")
    result = _comparison(
      *(
        _curves(
          [[0.01234, 0.02345]] * 5, name=name, settings="some words of it"
        )
        for name in names
      )
    )
    writer = console.Console(width=80)
    with writer.capture() as capture:
      writer.print(compare.table(result, narrow=True))
    for line in capture.get().splitlines():
      self.assertLessEqual(len(line.rstrip()), 80)
    self.assertRegex(
      capture.get(), r"schedule_free_adamw .*\n   rate .*0\.0123\.\.0\.023"
    )


class FilesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def test_csv_has_every_run_and_evaluation(self):
    result = _comparison(
      _curves([[0.1, 0.2], [0.3, np.nan]], name="a"),
      _curves([[0.1, 0.2], [0.3, 0.4]], name="b"),
    )
    compare.write_csv(result, self.folder / "curves.csv")
    with open(self.folder / "curves.csv", newline="", encoding="utf-8") as file:
      rows = list(csv.DictReader(file))
    self.assertLen(rows, 2 * 2 * 2 * 2)
    self.assertEqual(
      rows[0],
      {
        "workload": "made_up",
        "entry": "a",
        "argument": "rate",
        "value": "1",
        "seed": "0",
        "step": "0",
        "train_loss": "",
        "eval_loss": "1",
        "eval_accuracy": "0.5",
        "step_size": "",
      },
    )
    by_run = {
      (r["entry"], r["value"], r["seed"]): r for r in rows if r["step"] == "10"
    }
    self.assertEqual(by_run["a", "4", "1"]["eval_loss"], "nan")
    self.assertAlmostEqual(float(by_run["b", "4", "1"]["train_loss"]), 0.4)
    self.assertEqual(list(self.folder.iterdir()), [self.folder / "curves.csv"])

  def test_a_failed_write_leaves_the_file_as_it_was(self):
    path = self.folder / "curves.csv"
    path.write_text("before")
    result = _comparison(_curves([[0.1, 0.2]]))
    with mock.patch.object(csv, "writer", side_effect=OSError("disk full")):
      with self.assertRaisesRegex(OSError, "disk full"):
        compare.write_csv(result, path)
    self.assertEqual(path.read_text(), "before")
    self.assertEqual(list(self.folder.iterdir()), [path])

  @parameterized.parameters(1, 2, 9, 30)
  def test_picture(self, entries):
    curves = [
      _curves(
        [[0.1 + place, 0.2], [np.nan, np.nan], [0.3, 0.5]],
        initial=99.0,
        name=f"entry_{place}",
        baseline=place == 0,
      )
      for place in range(entries)
    ]
    compare.write_picture(_comparison(*curves), self.folder / "a.png")
    content = (self.folder / "a.png").read_bytes()
    self.assertStartsWith(content, b"\x89PNG")
    self.assertEndsWith(content, b"IEND\xaeB`\x82")

  def test_picture_where_all_diverged(self):
    result = _comparison(_curves([[np.nan, 2.0]], baseline=True))
    compare.write_picture(result, self.folder / "a.png")
    self.assertTrue((self.folder / "a.png").exists())

  def test_output_dir(self):
    folder = compare.check_output_dir(self.folder / "a" / "b", "curves.csv")
    self.assertEmpty(list(folder.iterdir()))
    file = self.folder / "file"
    file.write_text("")
    with self.assertRaises(OSError):
      compare.check_output_dir(file / "below")
    (folder / "curves.csv").mkdir()
    with self.assertRaises(IsADirectoryError):
      compare.check_output_dir(folder, "curves.csv")


if __name__ == "__main__":
  absltest.main()
