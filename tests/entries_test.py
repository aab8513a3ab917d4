# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of what can be entered in a race by name."""

import importlib
import inspect
import itertools
import os
import pathlib
import sys

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import catalogue
from optax_stepsize import compare
from optax_stepsize import core


class RegistryTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    # A module of the user's, in the working folder.
    folder = self.create_tempdir()
    self._module = f"own_{abs(hash(folder.full_path))}"
    pathlib.Path(folder.full_path, f"{self._module}.py").write_text(
      "import optax\n"
      "from optax_stepsize import compare\n"
      "def make():\n"
      "  return compare.noisy_quadratic()\n"
      "made = make()\n"
      "number = 3\n"
      "def broken():\n"
      "  return 1 / 0\n"
      "def other():\n"
      "  return 'digits'\n"
      "def sgd(learning_rate=0.05, total_steps=None):\n"
      "  assert total_steps == 10\n"
      "  return optax.sgd(learning_rate)\n"
      "def branch(learning_rate):\n"
      "  return optax.sgd(learning_rate if learning_rate > 0 else 1.0)\n"
      "def demanding(learning_rate, model):\n"
      "  return optax.sgd(learning_rate)\n"
      "def clip(largest=2.0):\n"
      "  return optax.chain(optax.clip(largest), optax.sgd(0.1))\n"
      "entry = compare.Entry('mine', optax.sgd, 'learning_rate', 0.1)\n"
    )
    pathlib.Path(folder.full_path, f"{self._module}_bad.py").write_text("1 +")
    before = os.getcwd()
    os.chdir(folder.full_path)
    self.addCleanup(os.chdir, before)
    importlib.invalidate_caches()

  def test_unknown_names_get_the_nearest_offered(self):
    with self.assertRaisesRegex(
      ValueError, "unknown workload 'digit_cnn'. Did you mean digits_cnn"
    ):
      compare.workload("digit_cnn")
    with self.assertRaisesRegex(ValueError, "There are logistic, .*module:obj"):
      compare.workload("0000")
    with self.assertRaisesRegex(ValueError, "batch_size cannot be chosen"):
      compare.workload("river_valley", batch_size=3)

  def test_own_ones_are_loaded(self):
    path = list(sys.path)
    for name in ("make", "made"):
      for call in (compare.load, compare.workload):
        workload = call(f"{self._module}:{name}")
        self.assertEqual(workload.name, "noisy_quadratic")
    self.assertEqual(sys.path, path)

  @parameterized.parameters(
    ("no_such_module:x", "'no_such_module' cannot be imported: ModuleNotFound"),
    ("{}_bad:x", "cannot be imported: SyntaxError"),
    ("{}:absent", "has no 'absent'"),
    ("{}:number", "must be a Workload or a function .* type int"),
    ("{}:broken", "without arguments, fails: ZeroDivisionError"),
    ("{}:other", "must return a Workload, got .* type str"),
    ("{}:", "must have the form module:object"),
    ("digits_mlp", "must have the form module:object"),
  )
  def test_what_cannot_be_loaded_is_named(self, spec, message):
    with self.assertRaisesRegex(ValueError, message):
      compare.load(spec.format(self._module))

  def _entry(self, name, **kwargs):
    name = name.format(self._module)
    return compare.make_entry(name, total_steps=10, **kwargs)

  def _trained(self, entry, steps=3):
    """The state and parameters after some steps on a small quadratic."""
    params = {"x": jnp.ones((2, 3))}
    tx = optax.with_extra_args_support(
      entry.factory(jnp.float32(entry.default))
    )
    state = tx.init(params)
    with jax.numpy_dtype_promotion("standard"):
      for _ in range(steps):
        updates, state = tx.update(params, state, params, value=1.0)
        params = optax.apply_updates(params, updates)
    return state, params

  @parameterized.parameters(
    ("optax.lion", "learning_rate", 3e-4),
    ("optax.adam", "learning_rate", 3e-3),
    ("optax.sgd", "learning_rate", 0.1),
    ("optax.contrib.muon", "learning_rate", 2e-2),
    ("optax.contrib.prodigy", "learning_rate", 1.0),
    ("optax.contrib.schedule_free_adamw", "learning_rate", 0.0025),
    ("optax.polyak_sgd@max_learning_rate=2", "max_learning_rate", 2.0),
    ("optax.adam@learning_rate=1e-2", "learning_rate", 0.01),
    ("optax.adam@b1=0.5", "b1", 0.5),
    ("{}:sgd", "learning_rate", 0.05),
    ("{}:clip@largest=2", "largest", 2.0),
    ("{}:entry", "learning_rate", 0.1),
    ("sps@max_step_size=1.5", "max_step_size", 1.5),
    ("uba_schedule+sgd", "phi", 2.0),
    ("uba_schedule@peak_value=0.01", "peak_value", 0.01),
    ("uba_schedule+optax.lion", "phi", 2.0),
    ("polynomial_decay_averaging+sgd", "gamma", 8.0),
    ("minimax_schedule+sgd@lambda_max=10", "lambda_max", 10.0),
    ("adamw_cosine@learning_rate=0.01", "learning_rate", 0.01),
  )
  def test_what_is_swept_is_declared(self, name, argument, default):
    entry = self._entry(name)
    self.assertEqual((entry.argument, entry.default), (argument, default))
    _, params = self._trained(entry)
    self.assertLess(float(jnp.abs(params["x"]).mean()), 1.0)

  @parameterized.parameters(
    ("optax.lionn", "Optax has no optax.lionn. Did you mean optax.lion"),
    ("optax.contrib.muonn", "Did you mean optax.contrib.muon"),
    ("optax.polyak_sgd", "no learning_rate: .*optax.polyak_sgd@max_learning"),
    ("optax.adam@rate=1", "has no argument rate; it has learning_rate, b1"),
    ("optax.adam@b1=zero", "default of b1 must be a number in .*'zero'"),
    ("optax.adam@b1=-1", r"default of b1 must be in \(0, inf\)"),
    ("optax.adam@b1", "must have the form METHOD"),
    ("optax.constant_schedule@value=1", "must make .*GradientTransformation"),
    ("optax.adam+sgd", "takes no base"),
    ("prodigy+sgd", "prodigy is an optimizer by itself"),
    ("uba_schedule+sgdd", "unknown base optimizer 'sgdd'"),
    ("sps@steps_per_epoch=3", "no argument steps_per_epoch that can be tuned"),
    ("sgd@momentum=1", "sgd is tuned by its learning_rate, got momentum"),
    ("{}:number", "must be a function that makes an optimizer"),
    ("{}:branch", "fails with a traced learning_rate.*Tracer"),
    ("{}:demanding", "demands model as well"),
    ("minimax_schedule", r"minimax_schedule@ARGUMENT=DEFAULT"),
  )
  def test_what_cannot_be_raced_is_named(self, name, message):
    with self.assertRaisesRegex(ValueError, message):
      self._entry(name)

  def test_names_tell_entries_apart(self):
    names = [
      "uba_schedule",
      "uba_schedule+sgd",
      "uba_schedule@peak_value=1",
      "sps",
      "sps@max_step_size=1",
    ]
    entries = compare.select_entries(names, total_steps=10)
    self.assertEqual(
      [entry.name for entry in entries[: len(names)]],
      [name.partition("=")[0] for name in names],
    )

  def test_schedules_and_averages_on_a_base(self):
    for base, words in (("adamw", "AdamW"), ("sgd", "SGD"), ("optax.lion", "")):
      entry = self._entry("uba_schedule", base=base)
      self.assertStartsWith(entry.settings, words or base)
      state, _ = self._trained(entry)
      (rate,) = core.step_sizes(state).values()
      peak = {"adamw": 3e-3, "sgd": 0.1, "optax.lion": 3e-4}[base]
      self.assertBetween(float(rate), 0.5 * peak, peak)

  def test_optax_is_evaluated_where_it_says(self):
    name = "optax.contrib.schedule_free_sgd@learning_rate=0.1"
    entry = self._entry(name)
    state, params = self._trained(entry, steps=8)
    average = core.eval_params(state, params)
    self.assertFalse(np.allclose(average["x"], params["x"], rtol=1e-3))


class RecommendedTest(parameterized.TestCase):
  @parameterized.parameters(
    *(name for name, row in catalogue.ROWS.items() if row.race)
  )
  def test_recommendations_are_arguments(self, name):
    row = catalogue.get(name)
    known = inspect.signature(row.factory).parameters
    for steps_per_epoch in (None, 7):
      recommended = row.race(40, steps_per_epoch)
      self.assertContainsSubset(recommended.options, known)
      # What is done is told.
      done = bool(recommended.options) or recommended.wrap is not None
      self.assertEqual(bool(recommended.settings), done)
      entry = compare.make_entry(
        name, total_steps=40, steps_per_epoch=steps_per_epoch
      )
      self.assertIn(recommended.settings, entry.settings)

  def test_they_are_followed(self):
    def step_sizes(name, steps):
      entry = compare.make_entry(name, total_steps=steps, steps_per_epoch=2)
      params = {"x": jnp.ones(2)}
      tx = optax.with_extra_args_support(entry.factory(entry.default))
      state = tx.init(params)
      sizes = []
      for _ in range(steps):
        updates, state = tx.update(params, state, params, value=3.0)
        params = optax.apply_updates(params, updates)
        sizes.append(float(next(iter(core.step_sizes(state).values()))))
      return sizes, core.has_eval_params(state)

    sizes, averaged = step_sizes("dog", 4)
    self.assertTrue(averaged)
    sizes, _ = step_sizes("prodigy", 40)
    self.assertLess(sizes[-1], 0.05 * max(sizes))
    sizes, _ = step_sizes("schedule_free_adamw", 60)
    self.assertLess(sizes[0], 0.5 * sizes[5])
    sizes, _ = step_sizes("sps", 6)
    self.assertLess(max(b / a for a, b in itertools.pairwise(sizes)), 2**0.51)


if __name__ == "__main__":
  absltest.main()
