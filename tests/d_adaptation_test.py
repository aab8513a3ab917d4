# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of D-Adaptation: known numbers, identities and updates without news."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import jax
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

METHODS = ("sgd", "adagrad", "adam", "adamw", "adan", "lion")
START = {"a": np.array([1.0, -2.0]), "b": np.array(2.0)}
CONSTANT = {"a": np.tile([1.0, 2.0], (8, 1)), "b": np.full(8, -2.0)}
VARIED = {
  "a": np.array([[1.0, 2.0], [0.5, 1.0], [-1.0, 2.0], [2.0, -1.0]] * 2),
  "b": np.array([-2.0, -1.0, 2.0, 1.0] * 2),
}


@functools.partial(jax.jit, static_argnums=(0, 1))
def _run(name, static, floats, rates, start, grads):
  tx = getattr(optax_stepsize, f"dadapt_{name}")(
    lambda count: rates[count], **dict(static), **floats
  )

  def step(carry, grad):
    params, state = carry
    updates, state = tx.update(grad, state, params)
    params = optax.apply_updates(params, updates)
    return (params, state), (params, updates, state.inner_state)

  return jax.lax.scan(step, (start, tx.init(start)), grads)[1]


def feed(name, grads, start=START, rates=1.0, **options):
  """Parameters, updates and states after each gradient, in float64."""
  options = {"d0": 0.1, "weight_decay": 0.0} | options
  floats = {k: v for k, v in options.items() if isinstance(v, float)}
  static = {k: v for k, v in options.items() if k not in floats}
  length = len(jax.tree.leaves(grads)[0])
  rates = np.broadcast_to(np.float64(rates), length)
  with core.enable_x64(True):
    return jax.device_get(
      _run(name, tuple(static.items()), floats, rates, start, grads)
    )


def join(*streams):
  return jax.tree.map(lambda *g: np.concatenate(g), *streams)


def part(stream, start, stop=None):
  return jax.tree.map(lambda g: g[start:stop], stream)


def assert_same(actual, expected, rtol=1e-12):
  for a, b in zip(
    jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True
  ):
    np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-300)


class NumbersTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("sgd", "sgd", VARIED, {}, [0.1] * 4, ([0.916666667, -2.13333333], 2.0)),
    (
      "sgd_momentum",
      "sgd",
      VARIED,
      {"momentum": 0.9, "weight_decay": 0.1},
      None,
      ([0.980682901, -2.03523723], 2.00990834),
    ),
    (
      "adagrad",
      "adagrad",
      CONSTANT,
      {},
      [0.1, 0.1, 0.1, 0.130388543],
      ([0.800000125, -2.19999994], 2.19999994),
    ),
    (
      "adam",
      "adam",
      CONSTANT,
      {},
      [0.1, 1.58153401, 4.14784432, 24.0126307],
      ([-12.0014695, None], None),
    ),
    (
      "adam_bias_correction",
      "adam",
      CONSTANT,
      {"use_bias_correction": True},
      [0.1, 0.426772781, 0.918750701, 1.82407996],
      ([0.0841891208, -2.91581097], None),
    ),
    (
      "adam_decoupled",
      "adam",
      VARIED,
      {"use_bias_correction": True, "decouple": True, "weight_decay": 0.1},
      [0.1, 0.271272196, 0.271272196, 0.271272196],
      ([0.706799156, -2.48463044], 2.0571537),
    ),
    (
      "adamw",
      "adamw",
      VARIED,
      {"use_bias_correction": True, "weight_decay": 0.1},
      [0.1, 0.271272196, 0.271272196, 0.271272196],
      ([0.706799156, -2.48463044], 2.0571537),
    ),
    (
      "adan",
      "adan",
      VARIED,
      {"weight_decay": 0.02},
      [0.1, 0.663373729, 0.663373729, 0.663373729],
      ([1.11780703, -1.98646215], 1.38205087),
    ),
    (
      "lion",
      "lion",
      CONSTANT,
      {},
      [0.1, 0.1, 0.100167084, 0.150186785],
      ([0.599832916, -2.40016708], None),
    ),
    (
      "lion_decay",
      "lion",
      VARIED,
      {"weight_decay": 0.1},
      None,
      ([0.76455611, -2.11523192], 1.91723192),
    ),
  )
  def test_four_steps(self, name, grads, options, distances, end):
    params, _, state = feed(name, grads, **options)
    if distances is not None:
      np.testing.assert_allclose(state.distance[:4], distances, rtol=5e-9)
    found = [*params["a"][3], params["b"][3]]
    for value, wanted in zip(found, [*end[0], end[1]], strict=True):
      if wanted is not None:
        np.testing.assert_allclose(value, wanted, rtol=5e-9)


class IdentitiesTest(parameterized.TestCase):
  @parameterized.product(name=METHODS, scale=(1e-3, 1.0, 1e3))
  def test_the_first_step_never_changes_the_estimate(self, name, scale):
    grads = jax.tree.map(lambda g: scale * g, VARIED)
    self.assertEqual(feed(name, grads)[2].distance[0], 0.1)

  @parameterized.parameters(*METHODS)
  def test_the_estimate_never_falls(self, name):
    rng = np.random.RandomState(0)
    grads = {"a": rng.standard_normal((200, 2)), "b": rng.standard_normal(200)}
    grads = jax.tree.map(lambda g: g + 0.3, grads)
    distance = feed(name, grads, d0=1e-3)[2].distance
    self.assertGreaterEqual(np.min(np.diff(distance)), 0)
    self.assertGreater(distance[-1], 2e-3)

  @parameterized.parameters(
    ("sgd", 1e-13, {}),
    ("lion", 0.0, {}),
    ("adam", 1e-11, {"eps": 0.0}),
    ("adan", 1e-11, {"eps": 0.0}),
    # Its constant of 1e-6 has a scale.
    ("adagrad", 1e-5, {"eps": 0.0}),
    ("adam", 1e-4, {}),
    ("adan", 1e-4, {}),
  )
  def test_the_scale_of_gradients_does_not_matter(self, name, rtol, options):
    scaled = jax.tree.map(lambda g: 100 * g, VARIED)
    found, expected = (feed(name, g, **options) for g in (scaled, VARIED))
    assert_same(found[0], expected[0], rtol)
    assert_same(found[2].distance, expected[2].distance, rtol)

  @parameterized.parameters(*METHODS)
  def test_rates_multiply_the_estimate(self, name):
    rates = np.array([0.5, 1.0, 0.25, 2.0, 1.0, 0.3, 0.7, 1.0])
    state = feed(name, CONSTANT, rates=rates)[2]
    before = np.concatenate([[0.1], state.distance[:-1]])
    norm = 3.0 if name == "sgd" else 1.0
    np.testing.assert_allclose(state.step_size, rates * before / norm)

  @parameterized.parameters("adam", "adamw")
  def test_bias_correction_is_in_the_step_size(self, name):
    state = feed(name, VARIED, use_bias_correction=True)[2]
    k = np.arange(1, 9)
    before = np.concatenate([[0.1], state.distance[:-1]])
    correction = np.sqrt(1 - 0.999**k) / (1 - 0.9**k)
    np.testing.assert_allclose(state.step_size, before * correction)

  def test_sgd_is_bounded_by_twice_the_distance(self):
    above, counts = 0, 0

    @jax.jit
    @jax.vmap
    def run(matrix, target, d0):
      tx = optax_stepsize.dadapt_sgd(0.7, d0=d0)

      def step(carry, _):
        params, state = carry
        image = matrix @ (params - target)
        grad = matrix.T @ jax.numpy.tanh(image)
        updates, state = tx.update(grad, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), state.inner_state.distance

      start = jax.numpy.zeros_like(target)
      return jax.lax.scan(step, (start, tx.init(start)), length=100)[1]

    rng = np.random.RandomState(0)
    matrix = rng.standard_normal((100, 4, 4))
    matrix *= 10 ** rng.uniform(-1, 0.5, (100, 1, 4))
    target = rng.standard_normal((100, 4))
    d0 = np.where(np.arange(100) % 2, 1e-3, 0.5)
    with core.enable_x64(True):
      found = np.asarray(run(matrix, target, d0))
    distance = np.linalg.norm(target, axis=1)
    bound = np.maximum(d0, 2 * distance)
    self.assertLessEqual(np.max(found / bound[:, None]), 1 + 1e-9)
    above = np.sum(found[:, -1] > distance)
    counts = np.sum(found[:, -1] > 0.2 * distance)
    self.assertGreater(above, 0)
    self.assertGreater(counts, 60)


class NoNewsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("sgd", {"weight_decay": 0.1}),
    ("sgd", {"momentum": 0.9}),
    ("adagrad", {"momentum": 0.9}),
    ("adam", {"use_bias_correction": True}),
    ("adam", {"decouple": True, "weight_decay": 0.1}),
    ("adamw", {"weight_decay": 0.1}),
    ("adan", {"weight_decay": 0.1}),
    ("adan", {"weight_decay": 0.1, "no_prox": True}),
    ("lion", {}),
  )
  def test_leading_zero_gradients_leave_no_trace(self, name, options):
    zeros = part(jax.tree.map(np.zeros_like, VARIED), 0, 4)
    late = feed(name, join(zeros, part(VARIED, 0, 4)), **options)
    expected = feed(name, VARIED, **options)
    for found, wanted in zip(late[:2], expected[:2], strict=True):
      assert_same(part(found, 4), part(wanted, 0, 4))
    np.testing.assert_array_equal(late[1]["a"][:4], 0)
    np.testing.assert_array_equal(late[2].count, np.arange(1, 9))
    assert_same(
      part(late[2], 4)._replace(count=0),
      part(expected[2], 0, 4)._replace(count=0),
    )

  @parameterized.parameters(
    ("sgd", {"weight_decay": 0.1, "momentum": 0.5}),
    ("adam", {"weight_decay": 0.1, "use_bias_correction": True}),
    ("adam", {"weight_decay": 0.1, "decouple": True}),
    ("adamw", {"weight_decay": 0.1}),
  )
  def test_rates_of_zero_leave_no_trace(self, name, options):
    order = [0, 0, 1, 1, 0, 1, 1, 0]
    late = feed(name, VARIED, rates=np.array(order), **options)
    taken = np.flatnonzero(order)
    kept = jax.tree.map(lambda g: g[[*taken, *taken]], VARIED)
    expected = feed(name, kept, **options)
    assert_same(
      jax.tree.map(lambda x: x[taken], late[0]), part(expected[0], 0, 4)
    )
    assert_same(
      jax.tree.map(lambda x: x[taken], late[2])._replace(count=0),
      part(expected[2], 0, 4)._replace(count=0),
    )

  @parameterized.parameters("adagrad", "adan", "lion")
  def test_at_a_rate_of_zero_averages_go_on(self, name):
    rates = np.array([1.0, 1, 1, 0, 0, 0, 0, 1])
    params, _, state = feed(name, CONSTANT, rates=rates)
    np.testing.assert_array_equal(state.step_size[3:7], 0)
    self.assertEqual(state.distance[2], state.distance[6])
    np.testing.assert_array_equal(state.effective_count, np.arange(1, 9))
    if name == "adagrad":
      np.testing.assert_allclose(state.nu["b"], 1e-6 + 4 * np.arange(1, 9))
      self.assertGreater(abs(params["b"][6] - params["b"][2]), 1e-3)
    else:
      decay = 0.99 if name == "adan" else 0.99**0.5
      sums = state.grad_sum["b"]
      np.testing.assert_allclose(sums[6], decay**4 * sums[2])

  @parameterized.product(name=("adagrad", "adan"), first=(1, 3))
  def test_second_moments_learn_at_leading_rates_of_zero(self, name, first):
    rates = np.array([0.0] * first + [1.0] * (8 - first))
    _, updates, state = feed(name, CONSTANT, rates=rates, weight_decay=0.1)
    np.testing.assert_array_equal(updates["a"][:first], 0)
    np.testing.assert_array_equal(state.effective_count[:first], 0)
    np.testing.assert_array_equal(state.grad_sum["a"][:first], 0)
    self.assertGreater(np.min(state.nu["a"][0]), 0.001)
    self.assertTrue(np.all(updates["a"][first] != 0))

  @parameterized.product(name=METHODS, first=(0, 3))
  def test_fifty_zero_gradients(self, name, first):
    grads = jax.tree.map(lambda g: np.concatenate([g] * 8), VARIED)
    for leaf in grads.values():
      leaf[first : first + 50] = 0
    params, updates, state = feed(name, grads, weight_decay=0.01)
    for leaf in jax.tree.leaves((params, updates, state)):
      self.assertTrue(np.all(np.isfinite(leaf)))
    self.assertNotEqual(np.max(np.abs(updates["a"][54])), 0)

  @parameterized.parameters(*METHODS)
  def test_a_leaf_without_gradients_stays(self, name):
    params, _, state = feed(name, VARIED | {"b": np.zeros(8)})
    np.testing.assert_array_equal(params["b"], START["b"])
    alone = feed(name, {"a": VARIED["a"]}, {"a": START["a"]})
    assert_same(params["a"], alone[0]["a"])
    assert_same(state.distance, alone[2].distance)

  def test_lion_decays_without_gradients(self):
    zeros = jax.tree.map(np.zeros_like, VARIED)
    params, _, state = feed("lion", zeros, weight_decay=0.5)
    np.testing.assert_allclose(params["b"], 2 * 0.95 ** np.arange(1, 9))
    np.testing.assert_array_equal(state.effective_count, 0)
    np.testing.assert_array_equal(state.step_size, 0.1)

  def test_differs_gradients_that_cancel_leave_a_step(self):
    grads = {"a": np.array([[1.0, 2.0], [-1.0, -2.0]] * 4)}
    grads["b"] = np.array([-2.0, 2.0] * 4)
    params, _, state = feed("sgd", grads)
    np.testing.assert_array_equal(state.grad_sum["a"][1], 0)
    np.testing.assert_array_equal(params["a"][1], START["a"])
    np.testing.assert_array_equal(state.distance, 0.1)
    np.testing.assert_array_equal(state.effective_count, np.arange(1, 9))

  @parameterized.product(
    name=("sgd", "adagrad", "adam", "adamw", "adan"),
    bad=(np.nan, np.inf, -np.inf),
  )
  def test_a_gradient_that_is_not_finite_changes_nothing(self, name, bad):
    grads = join(VARIED)
    grads["a"][3, 1] = bad
    _, updates, state = feed(name, grads, weight_decay=0.1)
    for leaf in updates.values():
      np.testing.assert_array_equal(leaf[3], 0)
    assert_same(*(part(state, k, k + 1)._replace(count=0) for k in (3, 2)))
    for leaf in jax.tree.leaves((updates, state)):
      self.assertTrue(np.all(np.isfinite(leaf)))
    self.assertNotEqual(np.max(np.abs(updates["a"][4])), 0)

  @parameterized.parameters(np.nan, np.inf, -np.inf)
  def test_lion_leaves_out_entries_that_are_not_finite(self, bad):
    grads = join(VARIED)
    grads["a"][3, 1] = bad
    _, updates, state = feed("lion", grads)
    self.assertEqual(updates["a"][3, 1], 0)
    self.assertNotEqual(updates["a"][3, 0], 0)
    self.assertEqual(state.mu["a"][3, 1], state.mu["a"][2, 1])
    for leaf in jax.tree.leaves((updates, state)):
      self.assertTrue(np.all(np.isfinite(leaf)))


if __name__ == "__main__":
  absltest.main()
