# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `dog` and `ldog`: known numbers and identities."""

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
FLOATS = {"reps_rel": 0.1, "eps": 1e-8, "weight_decay": 0.0}


@functools.partial(jax.jit, static_argnums=(0, 1))
def _run(factory, static, floats, rates, start, grads):
  tx = factory(lambda count: rates[count], **dict(static), **floats)

  def step(carry, grad):
    params, state = carry
    updates, state = tx.update(grad, state, params)
    params = optax.apply_updates(params, updates)
    return (params, state), (params, updates, state.inner_state[1])

  return jax.lax.scan(step, (start, tx.init(start)), grads)[1]


def feed(grads, start=START, rates=1.0, factory=optax_stepsize.dog, **options):
  """Parameters, updates and states after each gradient, in float64."""
  floats = {k: v for k, v in options.items() if isinstance(v, float)}
  static = {k: v for k, v in options.items() if k not in floats}
  length = len(jax.tree.leaves(grads)[0])
  rates = np.broadcast_to(np.float64(rates), length)
  with core.enable_x64(True):
    return jax.device_get(
      _run(factory, tuple(static.items()), FLOATS | floats, rates, start, grads)
    )


def both():
  return parameterized.named_parameters(
    ("dog", optax_stepsize.dog), ("ldog", optax_stepsize.ldog)
  )


def assert_same(actual, expected, rtol=1e-12):
  for a, b in zip(
    jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True
  ):
    np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-300)


def part(stream, start, stop=None):
  return jax.tree.map(lambda g: g[start:stop], stream)


def join(*streams):
  return jax.tree.map(lambda *g: np.concatenate(g), *streams)


class NumbersTest(parameterized.TestCase):
  def test_dog(self):
    params, _, state = feed(CONSTANT)
    np.testing.assert_allclose(
      state.step_size[:4],
      [0.133333333, 0.0942809041, 0.131413141, 0.179513689],
      rtol=4e-9,
    )
    np.testing.assert_allclose(
      state.step_size[:3],
      [0.4 / 3, 0.4 / 18**0.5, (0.4 + 3 * 0.4 / 18**0.5) / 27**0.5],
      rtol=2e-9,
    )
    np.testing.assert_allclose(
      params["a"][3], [0.461458932, -3.07708214], rtol=4e-9
    )
    np.testing.assert_allclose(params["b"][3], 3.07708214, rtol=4e-9)

  def test_ldog(self):
    params, _, state = feed(CONSTANT, factory=optax_stepsize.ldog)
    np.testing.assert_allclose(
      state.step_size["a"][:4],
      [0.144721359, 0.102333455, 0.142637163, 0.194845989],
      rtol=5e-9,
    )
    np.testing.assert_allclose(
      state.step_size["b"][:4],
      [0.15, 0.106066017, 0.147839784, 0.2019529],
      rtol=5e-9,
    )
    np.testing.assert_allclose(
      params["a"][3], [0.415462034, -3.16907593], rtol=4e-9
    )
    np.testing.assert_allclose(params["b"][3], 3.2117174, rtol=5e-9)

  def test_weight_decay(self):
    params, _, state = feed(VARIED, weight_decay=0.1)
    np.testing.assert_allclose(
      state.step_size[:4],
      [0.144243689, 0.131665345, 0.131984493, 0.120320388],
      rtol=5e-9,
    )
    np.testing.assert_allclose(
      params["a"][3], [0.635012174, -2.44281679], rtol=5e-9
    )
    np.testing.assert_allclose(params["b"][3], 1.92123099, rtol=5e-9)

  def test_first_step_given(self):
    params, _, state = feed(VARIED, init_eta=0.05)
    np.testing.assert_allclose(
      state.step_size[:4],
      [0.05, 0.0447213595, 0.0482404532, 0.0482404532],
      rtol=5e-9,
    )
    np.testing.assert_allclose(
      params["a"][3], [0.879398867, -2.19296181], rtol=5e-9
    )
    np.testing.assert_allclose(params["b"][3], 2, rtol=1e-9)

  def test_ill_conditioned_quadratic(self):
    curvature = np.array([0.1, 0.5, 1.0, 3.0])
    tx = optax_stepsize.dog()

    def step(carry, _):
      params, state = carry
      grads = jnp.asarray(curvature) * params
      updates, state = tx.update(grads, state, params)
      params = optax.apply_updates(params, updates)
      return (params, state), params

    with core.enable_x64(True):
      start = jnp.array([2.0, 1.0, 2.0, 1.0])
      points = jax.jit(
        lambda p: jax.lax.scan(step, (p, tx.init(p)), length=800)[1]
      )(start)
      points = np.asarray(points)
    losses = np.sum(curvature * points**2, axis=1) / 2
    self.assertAlmostEqual(
      np.sum(curvature * np.array([4, 1, 4, 1])) / 2, 3.95, places=12
    )
    for steps, loss in ((100, 2.1e-1), (200, 2.3e-2), (400, 3.7e-4)):
      self.assertAlmostEqual(losses[steps - 1] / loss, 1, delta=0.03)
    self.assertAlmostEqual(losses[-1] / 6.2e-8, 1, delta=0.03)


class IdentitiesTest(parameterized.TestCase):
  @both()
  def test_the_scale_of_gradients_does_not_matter(self, factory):
    scaled = jax.tree.map(lambda g: 100 * g, VARIED)
    found, expected = (feed(g, factory=factory)[0] for g in (scaled, VARIED))
    for name in START:
      np.testing.assert_allclose(found[name], expected[name], atol=1e-8)
    self.assertGreater(np.max(np.abs(found["a"] / expected["a"] - 1)), 1e-12)
    exact = [feed(g, eps=1e-30, factory=factory)[0] for g in (scaled, VARIED)]
    assert_same(*exact)

  @both()
  def test_movement_and_sum_never_fall(self, factory):
    rng = np.random.RandomState(0)
    grads = {"a": rng.standard_normal((100, 2)), "b": rng.standard_normal(100)}
    state = feed(grads, factory=factory)[2]
    for tree in (state.max_distance, state.grad_sq_sum):
      for leaf in jax.tree.leaves(tree):
        self.assertGreaterEqual(np.min(np.diff(leaf)), 0)
        self.assertGreater(leaf[-1], leaf[0])

  def test_one_leaf_makes_both_the_same(self):
    start, grads = {"a": START["a"]}, {"a": VARIED["a"]}
    options = {"weight_decay": 0.1}
    one = feed(grads, start, **options)
    layerwise = feed(grads, start, factory=optax_stepsize.ldog, **options)
    assert_same(layerwise[:2], one[:2])
    assert_same(layerwise[2].step_size["a"], one[2].step_size)

  def test_splitting_a_leaf_matters_to_ldog_only(self):
    start = {"a": START["a"][:1], "c": START["a"][1:], "b": START["b"]}
    grads = {"a": VARIED["a"][:, :1], "c": VARIED["a"][:, 1:], "b": VARIED["b"]}
    for factory, equal in ((optax_stepsize.dog, 1), (optax_stepsize.ldog, 0)):
      whole = feed(VARIED, factory=factory)[0]["a"]
      split = feed(grads, start, factory=factory)[0]
      split = np.concatenate([split["a"], split["c"]], axis=1)
      if equal:
        np.testing.assert_allclose(split, whole, rtol=1e-12)
      else:
        self.assertGreater(np.max(np.abs(split - whole)), 1e-3)

  @both()
  def test_updates_are_the_step_times_the_gradient(self, factory):
    _, updates, state = feed(
      VARIED, rates=np.linspace(0, 2, 8), factory=factory
    )
    steps = state.step_size
    if factory is optax_stepsize.dog:
      steps = {"a": steps, "b": steps}
    np.testing.assert_allclose(
      updates["a"], -steps["a"][:, None] * VARIED["a"], rtol=1e-12
    )
    np.testing.assert_allclose(
      updates["b"], -steps["b"] * VARIED["b"], rtol=1e-12
    )

  @both()
  def test_rate_multiplies_the_step_and_nothing_else(self, factory):
    # Afterwards the distances differ.
    full = feed(CONSTANT, factory=factory)[1]
    half = feed(CONSTANT, rates=[0.5] * 8, factory=factory)[1]
    assert_same(
      jax.tree.map(lambda u: 2 * u[0], half), jax.tree.map(lambda u: u[0], full)
    )
    rates = [1.0, 0.5] + [1.0] * 6
    found = feed(CONSTANT, rates=rates, factory=factory)[1]
    assert_same(
      jax.tree.map(lambda u: 2 * u[1], found),
      jax.tree.map(lambda u: u[1], full),
    )

  @both()
  def test_zero_gradients_first(self, factory):
    # No move, finite, and afterwards eps alone could tell.
    still = part(jax.tree.map(np.zeros_like, VARIED), 0, 4)
    params, updates, state = feed(
      join(still, part(VARIED, 0, 4)), factory=factory
    )
    self.assertEqual(np.max(np.abs(updates["a"][:4])), 0)
    for leaf in jax.tree.leaves(state):
      self.assertTrue(np.all(np.isfinite(leaf)))
    expected = feed(VARIED, factory=factory)
    assert_same(part(params, 4), part(expected[0], 0, 4))
    assert_same(part(state.grad_sq_sum, 4), part(expected[2].grad_sq_sum, 0, 4))

  def test_zero_gradients_in_one_leaf_or_in_between(self):
    for factory in (optax_stepsize.dog, optax_stepsize.ldog):
      one = VARIED | {"b": np.zeros(8)}
      params, _, state = feed(one, factory=factory)
      np.testing.assert_array_equal(params["b"], START["b"])
      for leaf in jax.tree.leaves(state):
        self.assertTrue(np.all(np.isfinite(leaf)))
      middle = jax.tree.map(np.copy, VARIED)
      for leaf in middle.values():
        leaf[3:6] = 0
      params = feed(middle, factory=factory)[0]
      np.testing.assert_array_equal(params["a"][2:6], params["a"][[2] * 4])

  @both()
  def test_decay_enters_every_norm(self, factory):
    # The same as adding it to the gradients by hand.
    params, updates, _ = feed(VARIED, weight_decay=0.3, factory=factory)
    before = jax.tree.map(
      lambda s, p: np.concatenate([s[None], p[:-1]]), START, params
    )
    grads = jax.tree.map(lambda g, p: g + 0.3 * p, VARIED, before)
    assert_same(feed(grads, factory=factory)[1], updates, rtol=1e-10)

  @both()
  def test_differs_first_step_waits_for_a_gradient(self, factory):
    # Otherwise the movement would stay zero and training stuck for ever.
    still = part(jax.tree.map(np.zeros_like, VARIED), 0, 4)
    grads = join(still, part(VARIED, 0, 4))
    params, _, state = feed(grads, init_eta=0.05, factory=factory)
    expected = feed(VARIED, init_eta=0.05, factory=factory)[0]
    assert_same(part(params, 4), part(expected, 0, 4), rtol=1e-12)
    tried = np.stack(jax.tree.leaves(state.effective_count))
    np.testing.assert_array_equal(
      tried, np.tile([0, 0, 0, 0, 1, 2, 3, 4], (len(tried), 1))
    )

  def test_first_step_is_given_to_each_leaf(self):
    grads = VARIED | {"b": np.where(np.arange(8) < 3, 0, VARIED["b"])}
    _, updates, state = feed(grads, init_eta=0.05, factory=optax_stepsize.ldog)
    np.testing.assert_allclose(updates["a"][0], -0.05 * grads["a"][0])
    np.testing.assert_array_equal(state.effective_count["a"], np.arange(1, 9))
    np.testing.assert_allclose(updates["b"][3], -0.05 * grads["b"][3])
    self.assertNotEqual(updates["b"][4], -0.05 * grads["b"][4])

  @both()
  def test_first_step_is_not_multiplied_by_the_rate(self, factory):
    rates = [0.0] + [0.5] * 7
    _, updates, _ = feed(VARIED, rates=rates, init_eta=0.05, factory=factory)
    np.testing.assert_allclose(updates["a"][0], -0.05 * VARIED["a"][0])
    full = feed(VARIED, init_eta=0.05, factory=factory)[1]
    np.testing.assert_allclose(2 * updates["a"][1], full["a"][1])

  @parameterized.parameters(np.nan, np.inf, -np.inf)
  def test_non_finite_gradient_changes_nothing_but_the_count(self, bad):
    grads = jax.tree.map(np.copy, VARIED)
    grads["a"][3, 1] = bad
    params, updates, state = feed(grads)
    self.assertEqual((updates["a"][3].any(), updates["b"][3]), (False, 0))
    assert_same(
      part(state, 3, 4)._replace(count=0), part(state, 2, 3)._replace(count=0)
    )
    np.testing.assert_array_equal(state.count, np.arange(1, 9))
    without = join(part(VARIED, 0, 3), part(VARIED, 4), part(VARIED, 0, 1))
    assert_same(part(params, 4), part(feed(without)[0], 3, 7))

  def test_non_finite_gradient_holds_its_own_leaf(self):
    grads = jax.tree.map(np.copy, VARIED)
    grads["a"][3, 1] = np.nan
    found = feed(grads, factory=optax_stepsize.ldog)
    plain = feed(VARIED, factory=optax_stepsize.ldog)
    np.testing.assert_array_equal(found[1]["a"][3], 0)
    assert_same(found[0]["b"], plain[0]["b"])


if __name__ == "__main__":
  absltest.main()
