# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of races: layouts of runs, several workloads, and going on later."""

import dataclasses
import json
import pathlib
import types
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import compare
from optax_stepsize.compare import _files
from optax_stepsize.compare import _runner

_CURVATURES = np.array([1.0, 4.0], np.float32)


def _loss(params, batch):
  moved = params["x"] - 3.0 - batch
  return 0.5 * jnp.sum(_CURVATURES * moved**2) + 1e-3


def quadratic(name="quadratic", **kwargs) -> compare.Workload:
  return compare.Workload(
    name=name,
    init_fn=lambda key: {"x": 0.1 * jax.random.normal(key, (2,))},
    loss_fn=_loss,
    batch_fn=lambda key, step: (
      0.1 * jax.random.normal(jax.random.fold_in(key, step), (2,))
    ),
    eval_fn=lambda params: (_loss(params, 0.0), jnp.nan),
    **{"target": 0.5, **kwargs},
  )


def _assert_same(test, first, second, rtol=1e-5):
  test.assertEqual(
    [c.entry.name for c in first.curves], [c.entry.name for c in second.curves]
  )
  for one, other in zip(first.curves, second.curves, strict=True):
    for name in compare.Point._fields:
      np.testing.assert_allclose(
        getattr(one, name), getattr(other, name), rtol=rtol, atol=1e-7
      )


class LayoutTest(parameterized.TestCase):
  def _race(self, **kwargs):
    return compare.compare(
      ["dog"],
      workload=quadratic(),
      steps=20,
      values=3,
      seeds=2,
      baselines=["adamw"],
      **kwargs,
    )

  def test_all_layouts_give_the_same(self):
    one = jax.devices()[:1]
    expected = self._race(layout="loop", devices=one)
    self.assertEqual(expected.layout[:2], (1, 1))
    for layout, devices, lanes in (
      ("grid", one, 6),
      ("grid", jax.devices()[:4], 2),
      ("loop", jax.devices()[:4], 1),
    ):
      result = self._race(layout=layout, devices=devices)
      self.assertEqual(result.layout[:2], (lanes, len(devices)))
      self.assertIsNone(result.layout.loop_seconds)
      _assert_same(self, expected, result)

  def test_groups_are_as_large_as_memory_allows(self):
    one = jax.devices()[:1]
    expected = self._race(layout="grid", devices=one)
    bytes_of_lane = []
    measure = _runner.Program.lane_bytes

    def lane_bytes(program):
      bytes_of_lane.append(measure(program))
      return bytes_of_lane[-1]

    # Room for five of six: two groups of three.
    def memory(device):
      del device
      return 5.5 * bytes_of_lane[-1] / _runner._MEMORY_SHARE

    with (
      mock.patch.object(_runner.Program, "lane_bytes", lane_bytes),
      mock.patch.object(_runner, "_memory", memory),
      mock.patch.object(
        _runner.Program, "run", autospec=True, side_effect=_runner.Program.run
      ) as run,
    ):
      # The number is asked for first, after the program is compiled.
      bytes_of_lane.append(
        measure(_program(layout_entry(), quadratic(), devices=one))
      )
      result = self._race(layout="grid", devices=one)
    self.assertGreater(bytes_of_lane[-1], 0)
    self.assertEqual(result.layout.lanes, 3)
    self.assertLen(run.call_args_list, 2 * len(result.curves))
    _assert_same(self, expected, result)

  def test_auto_takes_the_faster_and_says_so(self):
    for loop, grid, lanes in ((1.0, 2.0, 1), (2.0, 1.0, 6)):
      seconds = {1: loop, 6: grid}
      with mock.patch.object(
        _runner.Program,
        "seconds_per_step",
        lambda program, seconds=seconds: seconds[program.lanes],
      ):
        result = self._race(devices=jax.devices()[:1])
      self.assertEqual(result.layout, compare.Layout(lanes, 1, loop, grid))
      legend = "\n".join(compare.legend(result))
      text = "a loop, one at a time" if lanes == 1 else "a grid, 6 at once"
      self.assertIn(text, legend)
      self.assertIn(f"took {loop:g} s in a loop, {grid:g} s in a grid", legend)

  def test_time_is_measured(self):
    program = _program(layout_entry(), quadratic(), devices=jax.devices()[:1])
    self.assertBetween(program.seconds_per_step(), 1e-9, 1e-2)

  def test_unknown_layout(self):
    with self.assertRaisesRegex(ValueError, "layout must be one of 'auto'"):
      self._race(layout="rows")

  def test_large_batches_are_made_in_parts(self):
    def batches(rows):
      workload = dataclasses.replace(
        quadratic(),
        batch_fn=lambda key, step: jnp.zeros((rows, 1024), jnp.float32),
      )
      return _runner.chunks(workload, seeds=2, steps=100)

    self.assertEqual(batches(1), (5,) * 20)
    # 2 seeds x 2^15 rows x 4 KiB are 2^28 bytes: one step at a time.
    self.assertEqual(batches(2**15), (1,) * 100)
    self.assertEqual(batches(2**17), (1,) * 100)
    self.assertEqual(batches(2**14 // 3), (5,) * 20)
    self.assertEqual(batches(2**14), (2,) * 50)


def layout_entry() -> compare.Entry:
  return compare.make_entry("dog", total_steps=20)


def _program(entry, workload, devices):
  setup = _runner.Setup(workload, 2, 20, devices)
  return _runner.Program(entry, setup, 1)


class InputsTest(absltest.TestCase):
  def test_functions_are_those_of_the_batch(self):
    seen = []

    def init(params):
      return jax.tree.map(jnp.zeros_like, params)

    def update(
      updates,
      state,
      params,
      *,
      value,
      grad,
      value_fn,
      value_and_grad_fn,
      hvp_fn,
    ):
      seen.append(True)
      again, gradient = value_and_grad_fn(params)
      # Zero if all agree, and the Newton step on this quadratic.
      wrong = (
        jnp.abs(value_fn(params) - value)
        + jnp.abs(again - value)
        + jnp.abs(gradient["x"] - updates["x"]).sum()
        + jnp.abs(grad["x"] - updates["x"]).sum()
      )
      curvature = hvp_fn({"x": jnp.ones(2)})["x"]
      return {"x": -updates["x"] / curvature + 1e6 * wrong}, state

    newton = optax.GradientTransformationExtraArgs(init, update)
    entry = compare.Entry(
      "newton", lambda rate: optax.chain(newton, optax.scale(rate)), "rate", 1.0
    )
    quiet = dataclasses.replace(
      quadratic(), batch_fn=lambda key, step: jnp.zeros(2)
    )
    (curves,) = compare.compare(
      [entry], workload=quiet, steps=2, values=1, seeds=1, baselines=()
    ).curves
    self.assertNotEmpty(seen)
    np.testing.assert_allclose(curves.eval_loss[0, 0, 1:], 1e-3, rtol=1e-5)


class ResultsTest(absltest.TestCase):
  def test_steps_to_target_state_and_relative_time(self):
    result = compare.compare(
      ["sgd"], workload=quadratic(), steps=40, values=1, seeds=3, baselines=()
    )
    (row,), (curves,) = result.rows, result.curves
    first = [
      curves.steps[np.flatnonzero(curves.eval_loss[0, seed] <= 0.5)[0]]
      for seed in range(3)
    ]
    self.assertEqual(row.steps_to_target, np.median(first))
    self.assertBetween(row.steps_to_target, 1, 39)
    # Momentum, a count and the rate that is shown.
    self.assertEqual(row.state_bytes, 2 * 4 + 4 + 4)
    self.assertIsNone(row.relative_seconds)
    missed = dataclasses.replace(result, target=1e-9)
    self.assertEqual(missed.rows[0].steps_to_target, np.inf)
    self.assertIsNone(
      dataclasses.replace(result, target=None).rows[0].steps_to_target
    )

  def test_losses_are_shown_above_the_optimum(self):
    result = compare.compare(
      ["sgd"],
      workload=quadratic(optimum=1e-3),
      steps=40,
      values=1,
      seeds=2,
      baselines=(),
    )
    final = result.curves[0].eval_loss[0, :, -1]
    self.assertAlmostEqual(
      result.rows[0].loss_max, final.max() - 1e-3, places=6
    )
    self.assertIn("above the optimum 0.001", "\n".join(compare.legend(result)))

  def test_ratios_are_multiples_of_the_least(self):
    def comparison(steps, target=1.0):
      entries = [types.SimpleNamespace(name=name) for name in "abc"]
      return types.SimpleNamespace(
        rows=[
          types.SimpleNamespace(name=entry.name, steps_to_target=step)
          for entry, step in zip(entries, steps, strict=True)
        ],
        curves=[types.SimpleNamespace(entry=entry) for entry in entries],
        target=target,
      )

    inf = np.inf
    race = compare.Race(
      (
        comparison([10.0, 20.0, inf]),
        comparison([30.0, 15.0, 15.0]),
        comparison([inf, inf, inf]),
        comparison([None, None, None], target=None),
      )
    )
    ratios = race.ratios()
    np.testing.assert_array_equal(ratios["a"], [1, 2, inf])
    np.testing.assert_array_equal(ratios["b"], [2, 1, inf])
    np.testing.assert_array_equal(ratios["c"], [inf, 1, inf])

  def test_a_loss_that_is_not_finite_at_the_start_is_refused(self):
    broken = quadratic()
    broken = dataclasses.replace(
      broken, eval_fn=lambda params: (jnp.log(-1.0 - params["x"][0] ** 2), 0.0)
    )
    with self.assertRaisesRegex(
      ValueError, "quadratic: eval_fn must return a finite loss .* nan"
    ):
      compare.compare(["sgd"], workload=broken, steps=2)

  def test_workloads_are_checked(self):
    with self.assertRaisesRegex(ValueError, "must name at least one"):
      compare.race(["sgd"], workloads=[])
    with self.assertRaisesRegex(ValueError, "more than once"):
      compare.race(["sgd"], workloads=[quadratic(), quadratic()])


class StoreTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def _heats(self):
    return compare.prepare(
      ["dog", "sps"],
      [quadratic("first"), quadratic("second:a/b")],
      steps=20,
      baselines=["sgd"],
    )

  def _run(self, store, stop=None, **kwargs):
    """What was trained, by workload and entry: steps of all groups."""
    trained = {}

    def progress(workload, entry, done, steps):
      trained[workload, entry] = steps
      if (workload, entry, done) == stop:
        raise KeyboardInterrupt

    race = compare.run_heats(
      self._heats(),
      values=3,
      seeds=2,
      devices=jax.devices()[:2],
      store=store,
      progress=progress,
      **{"layout": "loop", **kwargs},
    )
    return race, trained

  @parameterized.parameters("loop", "grid")
  def test_a_race_goes_on_where_it_stopped(self, layout):
    whole, _ = self._run(None, layout=layout)
    store = compare.Store.create(self.folder, {"some": "settings"})
    # In the middle of the second of three groups in a loop.
    stop = ("second:a/b", "dog", 28 if layout == "loop" else 8)
    part, _ = self._run(store, stop, layout=layout)
    self.assertTrue(part.interrupted)
    self.assertLen(part.comparisons, 1)
    self.assertTrue(compare.Store.unfinished(self.folder))

    again = compare.Store.open(self.folder)
    self.assertEqual(again.settings, {"some": "settings"})
    # The layout is the one it began with, whatever is asked for now.
    rest, trained = self._run(again, layout="auto")
    steps = 60 if layout == "loop" else 20
    self.assertEqual(
      trained,
      {
        # Of three groups, the first was finished.
        ("second:a/b", "dog"): 40 if layout == "loop" else 20,
        ("second:a/b", "sps"): steps,
        ("second:a/b", "sgd"): steps,
      },
    )
    self.assertFalse(rest.interrupted)
    self.assertFalse(compare.Store.unfinished(self.folder))
    for one, other in zip(whole.comparisons, rest.comparisons, strict=True):
      self.assertEqual(one.layout, other.layout)
      _assert_same(self, one, other, rtol=0)
      self.assertTrue(all(row.seconds > 0 for row in other.rows))
      self.assertTrue(all(row.state_bytes > 0 for row in other.rows))

    last, trained = self._run(compare.Store.open(self.folder))
    self.assertEmpty(trained)
    for one, other in zip(rest.comparisons, last.comparisons, strict=True):
      _assert_same(self, one, other, rtol=0)

  def test_a_full_disk_does_not_stop_the_race(self):
    store = compare.Store.create(self.folder, {})
    full = OSError(28, "No space left on device")
    with mock.patch.object(_files, "write_atomically", side_effect=full):
      race, _ = self._run(store)
    self.assertLen(race.comparisons, 2)
    self.assertIs(store.error, full)

  def test_a_new_race_deletes_the_runs_of_an_old_one(self):
    self._run(compare.Store.create(self.folder, {}), layout="grid")
    self.assertNotEmpty(list(self.folder.glob("runs/*/*/*.npz")))
    compare.Store.create(self.folder, {})
    self.assertEmpty(list(self.folder.glob("runs/*/*/*.npz")))
    self.assertFalse(compare.Store.unfinished(self.folder))

  def test_bad_folders(self):
    with self.assertRaisesRegex(ValueError, "there is no race in"):
      compare.Store.open(self.folder)
    path = self.folder / "race.json"
    for text in ("{", "[]", "{}"):
      path.write_text(text)
      with self.assertRaisesRegex(ValueError, "race.json cannot be read"):
        compare.Store.open(self.folder)
    path.write_text(json.dumps({"format": 99}))
    with self.assertRaisesRegex(ValueError, "another version: .* 99"):
      compare.Store.open(self.folder)

  def test_bad_runs(self):
    self._run(compare.Store.create(self.folder, {}), layout="grid")
    (path,) = self.folder.glob("runs/first/dog/*.npz")
    store = compare.Store.open(self.folder)
    heats = self._heats()
    with self.assertRaisesRegex(ValueError, "other values, seeds or steps"):
      compare.run_heats(heats, values=4, seeds=2, store=store)
    path.write_bytes(path.read_bytes()[:100])
    with self.assertRaisesRegex(ValueError, "cannot be read.*Delete it"):
      compare.run_heats(heats, values=3, seeds=2, store=store)
    path.unlink()
    _, trained = self._run(store)
    self.assertEqual(list(trained), [("first", "dog")])


if __name__ == "__main__":
  absltest.main()
