# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the workloads."""

import dataclasses
import functools
import pathlib
import re
import sys
from unittest import mock
import warnings

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn import linear_model

from optax_stepsize import compare
from optax_stepsize.compare.workloads import _byte_lm
from optax_stepsize.compare.workloads import _mnist1d
from optax_stepsize.compare.workloads import _nnx

_ROOT = pathlib.Path(__file__).parent.parent
_KEY = jax.random.key(1)
# AdamW's rate, and steps that are enough to see the loss fall.
_SHORT = {
  "logistic": (3e-2, 20),
  "digits_mlp": (3e-3, 20),
  "digits_cnn": (3e-3, 20),
  "mnist1d": (1e-2, 20),
  "byte_lm": (3e-3, 10),
  "noisy_quadratic": (3e-3, 100),
  "river_valley": (3e-3, 100),
}


@functools.cache
def _workload(name: str) -> compare.Workload:
  # Small batches of text, for the test's sake.
  return compare.workload(name, batch_size=4 if name == "byte_lm" else None)


def _entry(rate: float) -> compare.Entry:
  return dataclasses.replace(
    compare.make_entry("adamw", total_steps=1), default=rate
  )


class WorkloadsTest(parameterized.TestCase):
  @parameterized.parameters(*compare.WORKLOADS)
  def test_all_seeds_train_in_one_program(self, name):
    rate, steps = _SHORT[name]
    workload = _workload(name)
    tx = optax.adam(rate)

    judge = jax.jit(jax.vmap(workload.eval_fn))

    @jax.jit
    @jax.vmap
    def train(key, params):
      def step(carry, count):
        params, state = carry
        batch = workload.batch_fn(key, count)
        loss, grads = jax.value_and_grad(workload.loss_fn)(params, batch)
        with jax.numpy_dtype_promotion("standard"):
          updates, state = tx.update(grads, state, params)
          return (optax.apply_updates(params, updates), state), loss

      carry = params, tx.init(params)
      (params, _), losses = jax.lax.scan(step, carry, jnp.arange(steps))
      return params, losses

    keys = jax.random.split(jax.random.key(0), 2)
    params = jax.jit(jax.vmap(workload.init_fn))(keys)
    before, _ = judge(params)
    params, losses = train(keys, params)
    after, accuracy = judge(params)
    self.assertTrue(np.isfinite(losses).all())
    np.testing.assert_array_less(after, 0.9 * before)
    # The seeds are different runs.
    self.assertLen(set(np.asarray(after).tolist()), 2)
    self.assertEqual(
      np.isnan(accuracy).all(), name in ("noisy_quadratic", "river_valley")
    )

  @parameterized.parameters(*compare.WORKLOADS)
  def test_it_is_valid_and_says_what_it_is(self, name):
    workload = _workload(name)
    compare.validate(workload)
    self.assertEqual(workload.name, name)
    self.assertGreater(workload.steps, 0)
    self.assertGreater(workload.target, 0.0)
    self.assertGreater(workload.target, workload.optimum or 0.0)
    params = jax.eval_shape(workload.init_fn, _KEY)
    if told := re.search(r"([\d,]+) parameters", workload.description):
      count = sum(leaf.size for leaf in jax.tree.leaves(params))
      self.assertEqual(f"{count:,}", told[1])

  @parameterized.parameters(*compare.WORKLOADS)
  def test_batches_depend_on_key_and_step_alone(self, name):
    batch_fn = _workload(name).batch_fn

    def numbers(key, step, function=batch_fn):
      leaves = jax.tree.leaves(function(key, jnp.int32(step)))
      return np.concatenate([np.ravel(leaf) for leaf in leaves])

    first = numbers(_KEY, 3)
    np.testing.assert_array_equal(first, numbers(_KEY, 3))
    np.testing.assert_allclose(first, numbers(_KEY, 3, jax.jit(batch_fn)), 1e-6)
    self.assertFalse(np.array_equal(first, numbers(_KEY, 4)))
    self.assertFalse(np.array_equal(first, numbers(jax.random.key(2), 3)))

  # The loss and accuracy that AdamW is known to reach, and somewhat worse.
  @parameterized.parameters(
    ("logistic", 3e-2, 200, 0.10, 0.95),
    ("digits_mlp", 1e-2, 400, 0.15, 0.96),
    ("mnist1d", 1e-2, 300, 0.35, 0.88),
  )
  def test_adamw_reaches_known_figures(self, name, rate, steps, loss, accuracy):
    workload = _workload(name)
    (row,) = compare.compare(
      [_entry(rate)],
      workload=workload,
      steps=steps,
      values=1,
      seeds=2,
      baselines=(),
    ).rows
    self.assertLess(row.loss + (workload.optimum or 0.0), loss)
    self.assertGreater(row.accuracy, accuracy)

  @parameterized.parameters("logistic", "noisy_quadratic", "river_valley")
  def test_tuned_baselines_reach_the_target(self, name):
    workload = _workload(name)
    result = compare.compare(
      ["sgd_cosine", _entry(1e-6)],
      workload=workload,
      steps=workload.steps,
      values=3,
      seeds=3,
      baselines=(),
    )
    tuned, hopeless = result.rows
    above = workload.target - workload.optimum
    self.assertBetween(tuned.loss, 0, above)
    self.assertLessEqual(tuned.steps_to_target, workload.steps)
    self.assertGreater(hopeless.loss, above)
    self.assertEqual(hopeless.steps_to_target, np.inf)

  @parameterized.parameters(
    ("digits_mlp", 1437), ("digits_cnn", 1437), ("mnist1d", 4000)
  )
  def test_batch_size_is_checked(self, name, size):
    for bad in (0, size + 1):
      with self.assertRaisesRegex(ValueError, rf"{name}: batch_size .*{size}"):
        compare.workload(name, batch_size=bad)
    batch = compare.workload(name, batch_size=7).batch_fn(_KEY, jnp.int32(0))
    self.assertLen(batch[0], 7)


class KnownOptimaTest(absltest.TestCase):
  def test_logistic(self):
    workload = compare.logistic(batch_size=455)
    inputs, signs = workload.batch_fn(_KEY, jnp.int32(0))
    # Its objective is the sum of losses times C plus half the squared norm.
    model = linear_model.LogisticRegression(C=1 / (0.01 * 455), tol=1e-8)
    model.fit(np.asarray(inputs), np.asarray(signs))
    params = {
      "weights": jnp.asarray(model.coef_[0], jnp.float32),
      "bias": jnp.asarray(model.intercept_[0], jnp.float32),
    }
    loss, accuracy = workload.eval_fn(params)
    self.assertAlmostEqual(float(loss), workload.optimum, places=5)
    self.assertGreater(accuracy, 0.95)

  def test_noisy_quadratic(self):
    workload = compare.noisy_quadratic()
    best = {"x": jnp.where(jnp.arange(64) % 2 == 1, -0.5, 0.5)}
    loss, gradient = jax.value_and_grad(lambda p: workload.eval_fn(p)[0])(best)
    self.assertEqual((float(loss), workload.optimum), (0.0, 0.0))
    np.testing.assert_array_equal(gradient["x"], 0.0)
    batches = jax.vmap(workload.batch_fn, (None, 0))(_KEY, jnp.arange(4000))
    gradients = jax.vmap(jax.grad(workload.loss_fn), (None, 0))(best, batches)
    covariance = 0.05**2 / np.arange(1, 65)
    np.testing.assert_allclose(gradients["x"].var(0), covariance, rtol=0.15)

  def test_river_valley(self):
    workload = compare.river_valley()
    bends = 4.0 + 2.0 * np.arange(1, 9)
    point = {
      "x": jnp.float32(0.4),
      "y": jnp.asarray(0.012 * np.sin(bends * 0.4), jnp.float32),
    }

    def evaluate(params):
      return workload.eval_fn(params)[0]

    loss, gradient = jax.value_and_grad(evaluate)(point)
    self.assertAlmostEqual(float(loss), workload.optimum, places=8)
    np.testing.assert_allclose(gradient["x"], 0.0, atol=1e-6)
    hessian = jax.hessian(evaluate)(point)["y"]["y"]
    walls = np.linalg.eigvalsh(hessian)
    np.testing.assert_allclose(walls[[0, -1]], [3.0, 30.0], rtol=1e-4)

    # Along the bed the slope is slow, far from the end.
    def along_bed(x):
      return evaluate({"x": x, "y": 0.012 * jnp.sin(jnp.float32(bends) * x)})

    slope = jax.grad(along_bed)(jnp.float32(0.1))
    np.testing.assert_allclose(slope, -0.01, rtol=0.02)


class DataTest(parameterized.TestCase):
  @parameterized.parameters((1, 5, 2), (2, 3, 1), (2, 3, 2), (2, 5, 1))
  def test_patches_make_convolutions(self, space, size, stride):
    keys = jax.random.split(_KEY)
    shape = (8, 6)[:space]
    inputs = jax.random.normal(keys[0], (3, *shape, 4))
    kernel = jax.random.normal(keys[1], (*(size,) * space, 4, 7))
    axes = "HW"[:space]
    expected = jax.lax.conv_general_dilated(
      inputs,
      kernel,
      (stride,) * space,
      [(size // 2, size // 2)] * space,
      dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
    )
    ours = _nnx.patches(inputs, size, stride) @ kernel.reshape(-1, 7)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)

  def test_shapes_are_a_function_of_the_seed(self):
    first, same, other = (_mnist1d.make_shapes(seed) for seed in (0, 0, 1))
    for ours, again in ((first.train, same.train), (first.test, same.test)):
      np.testing.assert_array_equal(ours[0], again[0])
      np.testing.assert_array_equal(ours[1], again[1])
    self.assertFalse(np.array_equal(first.train[0], other.train[0]))
    signals, labels = first.train
    self.assertEqual(signals.shape, (4000, 40))
    np.testing.assert_array_equal(np.bincount(labels), [400] * 10)
    np.testing.assert_allclose(signals.mean(1), 0.0, atol=1e-5)
    np.testing.assert_allclose(signals.std(1), 1.0, rtol=1e-5)

  def test_another_text_is_told_and_trained_on(self):
    text = b"def f(x):\n  return x + 1\n" * 40
    with mock.patch.object(_byte_lm, "_sources", return_value=[text, text]):
      with self.assertWarnsRegex(
        compare.DifferentTextWarning, "another text .* target"
      ):
        workload = compare.byte_lm(batch_size=2)
    self.assertLen(workload.notes, 1)
    compare.validate(workload)

  def test_text_of_this_python(self):
    with warnings.catch_warnings():
      warnings.simplefilter("error")
      if sys.version_info < (3, 14):
        self.assertEmpty(compare.byte_lm().notes)
    batch = _workload("byte_lm").batch_fn(_KEY, jnp.int32(0))
    self.assertEqual((batch.shape, batch.dtype), ((4, 65), jnp.int32))
    self.assertBetween(int(batch.min()), 9, 127)

  def test_missing_sources_are_named(self):
    with mock.patch.object(
      _byte_lm.importlib.util, "find_spec", return_value=None
    ):
      with self.assertRaisesRegex(ValueError, "no source text of .*'difflib'"):
        _byte_lm._sources()


def _own(**changes) -> compare.Workload:
  fields = {
    "name": "own",
    "init_fn": lambda key: {"x": jax.random.normal(key, (3,))},
    "loss_fn": lambda params, batch: jnp.sum((params["x"] - batch) ** 2),
    "batch_fn": lambda key, step: jax.random.normal(key, (3,)),
    "eval_fn": lambda params: (jnp.sum(params["x"] ** 2), jnp.nan),
  }
  return compare.Workload(**fields | changes)


class ValidateTest(parameterized.TestCase):
  def test_good_ones_pass_and_nothing_is_computed(self):
    compare.validate(_own())
    compare.validate(_own(steps=3, target=0.5, optimum=np.float64(0)))

    computed = []

    def loss_fn(params, batch):
      jax.debug.callback(computed.append, batch[0])
      return jnp.sum((params["x"] - batch) ** 2)

    compare.validate(_own(loss_fn=loss_fn))
    self.assertEmpty(computed)

  @parameterized.named_parameters(
    ("no_params", "init_fn", lambda key: {}, r"init_fn must .* no arrays"),
    (
      "integer_params",
      "init_fn",
      lambda key: {"x": jnp.ones(3), "n": jnp.arange(2)},
      r"init_fn must .* floating-point .*\['n'\]: int32\[2\]",
    ),
    (
      "other_shapes",
      "batch_fn",
      lambda key, step: jax.random.normal(key, (4,)),
      r"loss_fn fails for parameters \['x'\]: float32\[3\]; batch float32\[4\]",
    ),
    (
      "loss_of_examples",
      "loss_fn",
      lambda params, batch: (params["x"] - batch) ** 2,
      r"loss_fn must return the loss, .* scalar, got float32\[3\]",
    ),
    (
      "integer_loss",
      "loss_fn",
      lambda params, batch: jnp.sum(params["x"] > 0),
      r"loss_fn must .*floating-point.* got int32\[\]",
    ),
    (
      "loss_and_more",
      "loss_fn",
      lambda params, batch: (jnp.sum(params["x"]), batch),
      r"loss_fn must return .* got \[0\]: float32\[\], \[1\]: float32\[3\]",
    ),
    (
      "no_gradient",
      "loss_fn",
      lambda params, batch: jax.pure_callback(
        lambda x: x, jax.ShapeDtypeStruct((), jnp.float32), params["x"].sum()
      ),
      r"the gradient of loss_fn fails for .*float32\[3\].*: ValueError",
    ),
    (
      "one_result",
      "eval_fn",
      lambda params: jnp.sum(params["x"]),
      r"eval_fn must return two scalars, .* got float32\[\]",
    ),
    (
      "accuracies",
      "eval_fn",
      lambda params: (jnp.sum(params["x"]), params["x"] > 0),
      r"eval_fn must .* second the accuracy, .* got bool\[3\]",
    ),
    (
      "python_branch",
      "batch_fn",
      lambda key, step: jnp.ones(3) if step > 2 else jnp.zeros(3),
      r"batch_fn fails for key key<fry>\[\]; step int32\[\]: Tracer",
    ),
    (
      "wrong_arguments",
      "batch_fn",
      lambda key: jnp.ones(3),
      r"batch_fn fails .*: TypeError",
    ),
    ("no_function", "eval_fn", 3.0, "eval_fn must be a function, got .*float"),
    ("steps", "steps", 0, "steps must be an integer >= 1 or None, got 0"),
    ("target", "target", np.nan, "target must be a finite number or None"),
  )
  def test_disagreements_are_named(self, field, value, message):
    with self.assertRaisesRegex(ValueError, f"^workload own: {message}"):
      compare.validate(_own(**{field: value}))

  def test_other_types(self):
    with self.assertRaisesRegex(ValueError, "must be a Workload, got .*str"):
      compare.validate("digits_mlp")


class ExampleTest(absltest.TestCase):
  def test_own_workload(self):
    path = _ROOT / "examples" / "own_workload.py"
    self.assertLess(len(path.read_text().splitlines()), 60)
    sys.path.insert(0, str(path.parent))
    self.addCleanup(sys.path.remove, str(path.parent))
    workload = compare.load("own_workload:sine")
    compare.validate(workload)
    result = compare.compare(
      ["adamw", "optax.lion"], workload=workload, steps=60, values=2, seeds=2
    )
    self.assertLess(result.rows[0].loss, 0.6)
    self.assertEqual(result.rows[0].diverged, 0)


if __name__ == "__main__":
  absltest.main()
