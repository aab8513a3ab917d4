# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `prodigy`: known numbers, identities and options."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

START = {"a": np.array([1.0, -2.0]), "b": np.array(2.0)}
CONSTANT = {"a": np.tile([1.0, 2.0], (8, 1)), "b": np.full(8, -2.0)}
VARIED = {
  "a": np.array([[1.0, 2.0], [0.5, 1.0], [-1.0, 2.0], [2.0, -1.0]] * 2),
  "b": np.array([-2.0, -1.0, 2.0, 1.0] * 2),
}
FLOATS = {
  "b1": 0.9,
  "b2": 0.999,
  "eps": 1e-8,
  "weight_decay": 0.0,
  "d0": 0.1,
  "d_coef": 1.0,
  "growth_rate": np.inf,
}


@functools.partial(jax.jit, static_argnums=0)
def _run(static, floats, rates, start, grads):
  tx = optax_stepsize.prodigy(
    lambda count: rates[count], **dict(static), **floats
  )

  def step(carry, grad):
    params, state = carry
    updates, state = tx.update(grad, state, params)
    params = optax.apply_updates(params, updates)
    return (params, state), (params, updates, state.inner_state)

  return jax.lax.scan(step, (start, tx.init(start)), grads)[1]


def feed(grads, start=START, rates=1.0, **options):
  """Parameters, updates and states after each gradient, in float64."""
  floats = FLOATS | {k: v for k, v in options.items() if isinstance(v, float)}
  static = {k: v for k, v in options.items() if k not in floats}
  if "b1" in options and options["b1"] is None:
    static["b1"] = floats.pop("b1") and None
  length = len(jax.tree.leaves(grads)[0])
  rates = np.broadcast_to(np.float64(rates), length)
  with core.enable_x64(True):
    return jax.device_get(
      _run(tuple(static.items()), floats, rates, start, grads)
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
    (
      "defaults",
      CONSTANT,
      {},
      [0.1, 0.158153401, 0.482240794, 1.34960928],
      ([-2.77098928, -5.7709906], 5.7709906),
    ),
    (
      "bias_correction",
      CONSTANT,
      {"use_bias_correction": True},
      [0.1, 0.1, 0.1, 0.127089166],
      ([0.600000092, -2.39999995], 2.39999995),
    ),
    (
      "decay",
      VARIED,
      {"use_bias_correction": True, "weight_decay": 0.1, "d_coef": 2.0},
      [0.1] * 4,
      ([0.735414062, -2.32610729], 2.17482977),
    ),
    (
      "coupled_decay_sliced_and_held_back",
      CONSTANT,
      {
        "use_bias_correction": True,
        "weight_decay": 0.1,
        "decouple": False,
        "growth_rate": 1.1,
        "slice_p": 2,
      },
      [0.1, 0.1, 0.1, 0.126192442],
      ([0.60021655, -2.39987041], 2.39987041),
    ),
  )
  def test_four_steps(self, grads, options, distances, end):
    params, _, state = feed(grads, **options)
    np.testing.assert_allclose(state.distance[:4], distances, rtol=5e-9)
    np.testing.assert_allclose(params["a"][3], end[0], rtol=5e-9)
    np.testing.assert_allclose(params["b"][3], end[1], rtol=5e-9)

  def test_first_step(self):
    # d0 (1 - b1) / sqrt(1 - b2) in every entry.
    _, updates, state = feed(CONSTANT, eps=0.0)
    size = 0.1 * (1 - 0.9) / np.sqrt(1 - 0.999)
    self.assertAlmostEqual(size, 0.316228, places=6)
    first = np.array([*updates["a"][0], updates["b"][0]])
    np.testing.assert_allclose(first, [-size, -size, size], rtol=1e-12)
    np.testing.assert_allclose(state.step_size[0], 0.1)

  def test_ill_conditioned_quadratic(self):
    curvature = jnp.array([0.1, 0.5, 1.0, 3.0])
    tx = optax_stepsize.prodigy()

    def step(carry, _):
      params, state = carry
      grads = curvature.astype(params.dtype) * params
      updates, state = tx.update(grads, state, params)
      params = optax.apply_updates(params, updates)
      return (params, state), params

    with core.enable_x64(True):
      start = jnp.array([2.0, 1.0, 2.0, 1.0])
      points = jax.jit(
        lambda p: jax.lax.scan(step, (p, tx.init(p)), length=200)[1]
      )(start)
      points = np.asarray(points)
    losses = np.sum(np.float64([0.1, 0.5, 1, 3]) * points**2, axis=1) / 2
    self.assertAlmostEqual(np.sum([0.1 * 4, 0.5, 4, 3]) / 2, 3.95, places=12)
    for steps, loss in ((50, 3.4e-2), (100, 1.9e-4), (200, 9.8e-10)):
      self.assertAlmostEqual(losses[steps - 1] / loss, 1, delta=0.03)


class IdentitiesTest(parameterized.TestCase):
  @parameterized.parameters(1e-3, 1.0, 1e3)
  def test_the_first_step_never_changes_the_estimate(self, scale):
    grads = jax.tree.map(lambda g: scale * g, VARIED)
    self.assertEqual(feed(grads)[2].distance[0], 0.1)

  def test_the_estimate_never_falls(self):
    rng = np.random.RandomState(0)
    grads = {"a": rng.standard_normal((200, 2)), "b": rng.standard_normal(200)}
    grads = jax.tree.map(lambda g: g + 0.3, grads)
    state = feed(grads)[2]
    self.assertGreaterEqual(np.min(np.diff(state.distance)), 0)
    self.assertGreater(state.distance[-1], 0.2)

  def test_the_scale_of_gradients_does_not_matter(self):
    scaled = jax.tree.map(lambda g: 100 * g, CONSTANT)
    found, expected = (part(feed(g)[0], 0, 4) for g in (scaled, CONSTANT))
    gap = max(np.max(np.abs(found[k] / expected[k] - 1)) for k in ("a", "b"))
    self.assertBetween(gap, 1e-7, 3.4e-6)
    exact = [feed(g, eps=0.0)[0] for g in (scaled, CONSTANT)]
    assert_same(*exact, rtol=1e-11)

  @parameterized.parameters((1.0, 0.158153401), (2.0, 0.316306802), (0.5, 0.1))
  def test_d_coef_multiplies_the_estimate(self, d_coef, second):
    state = feed(CONSTANT, d_coef=d_coef)[2]
    self.assertAlmostEqual(state.distance[1], second, delta=1e-9)

  @parameterized.named_parameters(
    ("zero_gradients", 0.0, 0.7, {}),
    ("zero_gradients_and_decay", 0.0, 0.7, {"weight_decay": 0.1}),
    ("zero_rates", 17.0, 0.0, {"weight_decay": 0.1}),
    ("zero_rates_correction", 17.0, 0.0, {"use_bias_correction": True}),
    ("zero_rates_safeguard", 17.0, 0.0, {"safeguard_warmup": True}),
  )
  def test_leading_steps_without_information_leave_no_trace(
    self, scale, rate, options
  ):
    padding = part(jax.tree.map(lambda g: scale * g, VARIED), 0, 4)
    late = feed(
      join(padding, part(VARIED, 0, 4)),
      rates=[rate] * 4 + [0.7] * 4,
      **options,
    )
    expected = feed(VARIED, rates=0.7, **options)
    for found, wanted in zip(late[:2], expected[:2], strict=True):
      assert_same(part(found, 4), part(wanted, 0, 4))
    np.testing.assert_array_equal(late[1]["a"][:4], 0)
    late, expected = late[2], expected[2]
    np.testing.assert_array_equal(late.count, np.arange(1, 9))
    assert_same(
      part(late, 4)._replace(count=0),
      part(expected, 0, 4)._replace(count=0),
    )

  def test_gradients_that_are_zero_in_between_are_updates(self):
    grads = jax.tree.map(np.copy, VARIED)
    for leaf in grads.values():
      leaf[2:6] = 0
    state = feed(grads)[2]
    for leaf in jax.tree.leaves(state):
      self.assertTrue(np.all(np.isfinite(leaf)))
    np.testing.assert_array_equal(state.effective_count, np.arange(1, 9))
    np.testing.assert_allclose(
      state.nu["b"][5], 0.999**4 * state.nu["b"][1], rtol=1e-12
    )

  def test_a_leaf_without_gradients_stays(self):
    params, _, state = feed(VARIED | {"b": np.zeros(8)})
    np.testing.assert_array_equal(params["b"], START["b"])
    alone = feed({"a": VARIED["a"]}, {"a": START["a"]})
    assert_same(params["a"], alone[0]["a"])
    assert_same(state.distance, alone[2].distance)

  def test_rates_multiply_the_estimate(self):
    rates = np.array([0.5, 1.0, 0.0, 2.0, 1.0, 0.3, 0.0, 1.0])
    state = feed(CONSTANT, rates=rates)[2]
    before = np.concatenate([[0.1], state.distance[:-1]])
    taken = rates > 0
    np.testing.assert_allclose(state.step_size[taken], (rates * before)[taken])
    # A step that is not taken leaves the number as it was.
    self.assertEqual(state.step_size[2], state.step_size[1])

  def test_rate_of_zero_is_a_step_without_information(self):
    state = feed(CONSTANT, rates=0.0)[2]
    np.testing.assert_array_equal(state.effective_count, 0)
    np.testing.assert_array_equal(state.count, np.arange(1, 9))
    np.testing.assert_array_equal(state.nu["a"], 0)
    np.testing.assert_array_equal(state.distance, 0.1)

  @parameterized.parameters(np.nan, np.inf, -np.inf)
  def test_differs_non_finite_sum_is_no_information(self, bad):
    grads = join(VARIED)
    grads["a"][3, 1] = bad
    params, updates, state = feed(grads, weight_decay=0.1)
    np.testing.assert_array_equal(updates["a"][3], 0)
    np.testing.assert_array_equal(updates["b"][3], 0)
    after, before = (
      part(state, k, k + 1)._replace(count=0, grad_sum=0) for k in (3, 2)
    )
    assert_same(after, before)
    # The sum of gradients takes up what is finite.
    total, old = state.grad_sum["a"][3], state.grad_sum["a"][2]
    self.assertEqual(total[1], old[1])
    weight = state.distance[2] ** 2 / 0.1
    np.testing.assert_allclose(
      total[0], 0.999**0.5 * old[0] + weight * grads["a"][3, 0], rtol=1e-12
    )
    for leaf in jax.tree.leaves((params, updates, state)):
      self.assertTrue(np.all(np.isfinite(leaf)))
    self.assertNotEqual(np.max(np.abs(updates["a"][4])), 0)
    np.testing.assert_array_equal(state.count, np.arange(1, 9))
    np.testing.assert_array_equal(
      state.effective_count, [1, 2, 3, 3, 4, 5, 6, 7]
    )

  def test_differs_without_first_moment_the_step_has_the_old_estimate(self):
    none = feed(CONSTANT, b1=None, eps=0.0)
    zero = feed(CONSTANT, b1=0.0, eps=0.0)
    tiny = feed(CONSTANT, b1=1e-13, eps=0.0)
    self.assertIsNone(none[2].mu)
    self.assertGreater(none[2].distance[-1], 2 * none[2].distance[0])
    assert_same(none[:2], zero[:2])
    assert_same(none[:2], tiny[:2], rtol=1e-11)
    # lambda d g / sqrt(v), with d before the step.
    before = np.concatenate([[0.1], none[2].distance[:-1]])
    wanted = -(before**2) / np.sqrt(none[2].nu["a"][:, 0])
    np.testing.assert_allclose(none[1]["a"][:, 0], wanted, rtol=1e-12)


if __name__ == "__main__":
  absltest.main()
