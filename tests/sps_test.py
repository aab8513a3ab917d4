# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `sps`: known numbers, identities and options."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

FLOATS = {"c": 0.5, "f_min": 0.0, "eps": 0.0, "max_step_size": np.inf}
QUADRATIC = {
  "matrix": np.diag([1.0, 10.0**0.5]),
  "target": np.zeros(2),
  "start": np.ones(2),
  "offset": 0.0,
  "scale": 1.0,
}


@functools.partial(jax.jit, static_argnums=(0, 1))
def _descend(static, steps, floats, problem):
  """Points and step sizes on scale * (|A (x - target)|^2 / 2 + offset)."""
  tx = optax_stepsize.sps(**dict(static), **floats)

  def loss(x):
    image = problem["matrix"] @ (x - problem["target"])
    return problem["scale"] * (jnp.sum(image**2) / 2 + problem["offset"])

  def step(carry, _):
    x, state = carry
    value, grads = jax.value_and_grad(loss)(x)
    updates, state = tx.update(grads, state, x, value=value)
    x = optax.apply_updates(x, updates)
    return (x, state), (x, state[-2].step_size)

  start = problem["start"]
  return jax.lax.scan(step, (start, tx.init(start)), length=steps)[1]


def descend(problem=QUADRATIC, steps=4, static=(), **options):
  """Points and step sizes, in float64."""
  problem, floats = jax.tree.map(np.float64, (problem, FLOATS | options))
  with core.enable_x64(True):
    return jax.device_get(_descend(static, steps, floats, problem))


def random_problem(seed, size=3):
  rng = np.random.RandomState(seed)
  matrix = rng.standard_normal((size, size)) * 10 ** rng.uniform(-1, 1, size)
  start, target = rng.standard_normal((2, size))
  return QUADRATIC | {"matrix": matrix, "start": start, "target": target}


class NumbersTest(absltest.TestCase):
  def test_capped(self):
    points, steps = descend(max_step_size=1.0)
    np.testing.assert_allclose(
      steps, [0.1089108911, 0.55, 0.1089108911, 0.55], rtol=5e-10
    )
    np.testing.assert_allclose(
      points,
      [
        (0.8910891089, -0.0891089109),
        (0.4009900990, 0.4009900990),
        (0.3573179100, -0.0357317910),
        (0.1607930595, 0.1607930595),
      ],
      rtol=2e-9,
    )

  def test_eps_moves_the_eighth_digit(self):
    exact, moved = (
      descend(max_step_size=1.0, eps=eps)[1][0] for eps in (0.0, 1e-8)
    )
    self.assertBetween(abs(moved - exact), 1e-12, 5e-8)

  def test_lower_bound_and_cap(self):
    points, steps = descend(c=1.0, f_min=1.0, max_step_size=0.05, steps=3)
    np.testing.assert_allclose(
      steps, [0.0445544554, 0.0313866228, 0.0099074128], rtol=5e-9
    )
    np.testing.assert_allclose(
      points[-1], [0.9162884477, 0.3427397754], rtol=1e-9
    )

  def test_smoothed(self):
    static = (("steps_per_epoch", 2),)
    points, steps = descend(static=static, smoothing=2.0, init_step_size=0.02)
    np.testing.assert_allclose(
      steps, [0.0282842712, 0.04, 0.0565685425, 0.08], rtol=2e-9
    )
    np.testing.assert_allclose(
      points[-1], [0.8096711149, 0.0373766235], rtol=2e-9
    )


class IdentitiesTest(parameterized.TestCase):
  @parameterized.parameters(0, 1, 2)
  def test_step_lies_between_the_inverse_curvatures(self, seed):
    problem = random_problem(seed)
    curvature = np.linalg.svd(problem["matrix"])[1] ** 2
    _, half = descend(problem, steps=20)
    self.assertGreaterEqual(np.min(half), 1 / curvature.max() * (1 - 1e-9))
    self.assertLessEqual(np.max(half), 1 / curvature.min() * (1 + 1e-9))
    # From the same point, twice the factor takes half the step.
    np.testing.assert_allclose(
      descend(problem, steps=20, c=1.0)[1][0] * 2, half[0]
    )

  def test_scale_of_the_loss_does_not_matter(self):
    problem = random_problem(3) | {"offset": 0.7}
    expected, steps = descend(problem, f_min=0.7)
    found, scaled = descend(problem | {"scale": 50.0}, f_min=50 * 0.7)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(scaled, steps / 50, rtol=1e-9)

  def test_rotation_does_not_matter(self):
    problem = random_problem(4)
    rotation, _ = np.linalg.qr(np.random.RandomState(5).standard_normal((3, 3)))
    rotated = problem | {
      "matrix": problem["matrix"] @ rotation.T,
      "start": rotation @ problem["start"],
      "target": rotation @ problem["target"],
    }
    found, steps = descend(rotated)
    expected, wanted = descend(problem)
    np.testing.assert_allclose(found @ rotation, expected, rtol=1e-9)
    np.testing.assert_allclose(steps, wanted, rtol=1e-9)

  @hypothesis.settings(max_examples=60, deadline=None, database=None)
  @hypothesis.given(
    seed=st.integers(0, 2**31 - 1), c=st.floats(0.25, 4), cap=st.floats(1e-3, 9)
  )
  def test_distance_never_grows_on_quadratics(self, seed, c, cap):
    problem = random_problem(seed)
    points, _ = descend(problem, steps=20, c=c, max_step_size=cap)
    points = np.concatenate([problem["start"][None], points])
    distance = np.linalg.norm(points - problem["target"], axis=1)
    ends = distance[1:] <= distance[:-1] * (1 + 1e-9) + 1e-12
    self.assertTrue(np.all(ends))

  def test_smaller_factors_may_move_away(self):
    grown = []
    for seed in range(20):
      problem = random_problem(seed)
      points, _ = descend(problem, steps=20, c=0.2)
      points = np.concatenate([problem["start"][None], points])
      distance = np.linalg.norm(points - problem["target"], axis=1)
      grown.append(np.any(np.diff(distance) > 1e-6))
    self.assertTrue(any(grown))

  @hypothesis.settings(max_examples=60, deadline=None, database=None)
  @hypothesis.given(
    seed=st.integers(0, 2**31 - 1), c=st.floats(0.5, 3), cut=st.floats(0.1, 1)
  )
  def test_distance_falls_by_the_bound_on_convex_losses(self, seed, c, cut):
    # f = sum of |a_i x - b_i|^p with p between 1 and 2 and f* = 0, one step.
    rng = np.random.RandomState(seed)
    power = 1 + cut
    rows = rng.standard_normal((5, 3))
    target, x = rng.standard_normal((2, 3))
    image = rows @ (x - target)
    value = np.sum(np.abs(image) ** power)
    grad = rows.T @ (power * np.sign(image) * np.abs(image) ** (power - 1))
    tx = optax_stepsize.sps(c, eps=0.0)
    with core.enable_x64(True):
      params, grads = jnp.asarray(x), jnp.asarray(grad)
      updates = tx.update(grads, tx.init(params), params, value=value)[0]
    moved = x + np.asarray(updates)
    fall = np.sum((x - target) ** 2) - np.sum((moved - target) ** 2)
    bound = value**2 / np.sum(grad**2) * (2 / c - 1 / c**2)
    self.assertGreaterEqual(fall, bound * (1 - 1e-9) - 1e-12)

  @parameterized.parameters((0.5, 1.0), (1.0, 0.05), (0.2, 3.0))
  def test_equals_polyak_sgd_of_optax(self, c, cap):
    polyak = optax.chain(
      optax.scale_by_polyak(max_learning_rate=c * cap, eps=0, variant="sps+"),
      optax.scale(-1 / c),
    )
    scaled = optax.polyak_sgd(
      scaling=c, max_learning_rate=cap / c, eps=0, variant="sps+"
    )
    ours = optax_stepsize.sps(c, max_step_size=cap, eps=0.0)
    rng = np.random.RandomState(6)
    for scale in (0.1, 1.0, 10.0):
      grads = jnp.float32(scale * rng.standard_normal(4))
      value = jnp.float32(scale)
      with jax.numpy_dtype_promotion("standard"):
        found, *expected = (
          tx.update(grads, tx.init(grads), grads, value=value)[0]
          for tx in (ours, polyak, scaled)
        )
      for other in expected:
        np.testing.assert_allclose(found, other, rtol=1e-5)


def step(tx, grads, state=None, params=None, **inputs):
  """One update in float32: the updates and the new state."""
  params = grads if params is None else params
  state = tx.init(params) if state is None else state
  return tx.update(grads, state, params, **inputs)


class OptionsTest(parameterized.TestCase):
  def test_differs_loss_below_its_bound_gives_no_step(self):
    tx = optax_stepsize.scale_by_sps(f_min=2.0)
    grads = jnp.ones(2)
    updates, state = step(tx, grads, value=1.0)
    np.testing.assert_array_equal(updates, 0)
    self.assertEqual(state.step_size, 1)

  def test_differs_smoothed_rule_knows_the_bound(self):
    tx = optax_stepsize.scale_by_sps(
      1.0, f_min=2.0, eps=0.0, smoothing=2.0, steps_per_epoch=1
    )
    grads = jnp.ones(2)
    _, state = step(tx, grads, value=3.0)
    self.assertEqual(state.step_size, (3 - 2) / 2)
    updates, _ = step(tx, grads, value=1.0)
    np.testing.assert_array_equal(updates, 0)

  def test_differs_largest_step_holds_with_smoothing(self):
    options = {"smoothing": 2.0, "steps_per_epoch": 1, "eps": 0.0}
    grads = jnp.ones(2)
    for cap, expected in ((0.3, 0.3), (None, 2.0), (5.0, 2.0)):
      tx = optax_stepsize.scale_by_sps(1.0, max_step_size=cap, **options)
      _, state = step(tx, grads, value=100.0)
      np.testing.assert_allclose(state.step_size, expected, rtol=1e-6)

  def test_differs_zero_step_is_not_stored(self):
    # A stored zero would cap all later steps.
    options = {"smoothing": 2.0, "steps_per_epoch": 1, "init_step_size": 0.25}
    grads = jnp.ones(2)
    for choice, expected in (("keep", 0.5), ("freeze", 0.0)):
      tx = optax_stepsize.scale_by_sps(on_zero_gradient=choice, **options)
      for stop in ({"value": 0.0}, {"value": 1.0, "scale": 1e-9}):
        updates, state = step(
          tx, stop.get("scale", 1.0) * grads, value=stop["value"]
        )
        np.testing.assert_array_equal(updates, 0)
        self.assertEqual(state.step_size, 0.25 if choice == "keep" else 0)
        updates, state = step(tx, grads, state, value=9.0)
        np.testing.assert_allclose(updates, expected)

  def test_gradient_below_the_floor(self):
    grads = jnp.full(4, 0.5)  # of norm one
    for floor, moved in ((0.99, True), (1.01, False)):
      tx = optax_stepsize.scale_by_sps(grad_norm_floor=floor)
      updates, _ = step(tx, grads, value=1.0)
      self.assertEqual(bool(jnp.any(updates != 0)), moved)

  @parameterized.parameters(0.0, 1e-8)
  def test_zero_gradient_leaves_no_nan(self, floor):
    for options in ({}, {"eps": 0.0}, {"weight_decay": 0.1}):
      tx = optax_stepsize.sps(grad_norm_floor=floor, **options)
      updates, state = step(tx, jnp.zeros(2), params=jnp.ones(2), value=1.0)
      self.assertTrue(np.all(np.isfinite(updates)))
      self.assertTrue(np.isfinite(state[-2].step_size))

  def test_bound_of_the_call_overrides(self):
    tx = optax_stepsize.sps(1.0, f_min=0.5, eps=0.0)
    grads = jnp.ones(2)
    np.testing.assert_allclose(step(tx, grads, value=4.0)[0], -3.5 / 2)
    np.testing.assert_allclose(
      step(tx, grads, value=4.0, f_min=jnp.asarray(2.0))[0], -1
    )
    np.testing.assert_allclose(step(tx, grads, value=4.0, f_min=0)[0], -2)

  @parameterized.parameters(np.nan, np.inf, -np.inf)
  def test_what_is_not_finite_changes_nothing_but_the_count(self, bad):
    tx = optax_stepsize.scale_by_sps(smoothing=2.0, steps_per_epoch=3)
    grads = jnp.ones(2)
    _, state = step(tx, grads, value=0.1)
    for inputs in (
      {"value": bad},
      {"value": 1.0, "f_min": bad},
      {"value": 1.0, "scale": bad},
    ):
      scale = inputs.pop("scale", 1.0)
      updates, new = step(tx, scale * grads, state, grads, **inputs)
      np.testing.assert_array_equal(updates, 0)
      self.assertEqual((new.count, new.step_size), (2, state.step_size))

  def test_centralized_gradients(self):
    rng = np.random.RandomState(0)
    grads = {
      "kernel": jnp.float32(rng.standard_normal((2, 3, 4))),
      "bias": jnp.float32(rng.standard_normal(4)),
    }
    mean = jnp.mean(grads["kernel"], axis=(0, 1), keepdims=True)
    centred = grads | {"kernel": grads["kernel"] - mean}
    found, _ = step(optax_stepsize.sps(centralize=True), grads, value=1.0)
    expected, _ = step(optax_stepsize.sps(), centred, value=1.0)
    for name in grads:
      np.testing.assert_allclose(found[name], expected[name], atol=1e-6)
    np.testing.assert_allclose(np.sum(found["kernel"], (0, 1)), 0, atol=1e-5)

  @parameterized.named_parameters(
    ("everywhere", None, True),
    ("prefix", True, True),
    ("tree", {"a": True, "b": False}, False),
    ("callable", lambda p: jax.tree.map(lambda x: x.ndim > 0, p), False),
  )
  def test_decay_is_multiplied_by_the_step_alone(self, mask, b_decays):
    params = {"a": jnp.full(2, 3.0), "b": jnp.array(-2.0)}
    grads = {"a": jnp.ones(2), "b": jnp.array(2.0)}
    tx = optax_stepsize.sps(1.0, eps=0.0, weight_decay=0.1, mask=mask)
    updates, state = step(tx, grads, params=params, value=3.0)
    tau = 3 / 6  # the norm is that of the gradients alone
    self.assertEqual(state[-2].step_size, tau)
    np.testing.assert_allclose(updates["a"], -tau * (1 + 0.1 * 3))
    np.testing.assert_allclose(updates["b"], -tau * (2 - 0.2 * b_decays))

  def test_params_are_needed_for_decay_only(self):
    grads = jnp.ones(2)
    plain = optax_stepsize.sps()
    plain.update(grads, plain.init(grads), value=1.0)
    for decay in (0.1, jnp.asarray(0.0)):
      tx = optax_stepsize.sps(weight_decay=decay)
      with self.assertRaises(ValueError) as error:
        tx.update(grads, tx.init(grads), value=1.0)
      self.assertEqual(
        str(error.exception),
        "sps: update() needs `params`, the current parameters. Fix:"
        " tx.update(grads, state, params).",
      )

  def test_value_that_is_no_scalar_is_refused(self):
    # It would change the shape of the state.
    with self.assertRaisesRegex(ValueError, "value"):
      step(optax_stepsize.sps(), jnp.ones(2), value=jnp.ones(1))

  def test_building_block_does_not_flip_the_sign(self):
    grads = jnp.array([1.0, -2.0])
    block, _ = step(optax_stepsize.scale_by_sps(), grads, value=1.0)
    ready, _ = step(optax_stepsize.sps(), grads, value=1.0)
    np.testing.assert_array_equal(block, -ready)
    self.assertGreater(block[0], 0)

  @parameterized.parameters(
    ({"c": 0.0}, "c must be in (0, inf), got 0.0."),
    ({"max_step_size": 0}, "max_step_size must be in (0, inf], got 0."),
    ({"init_step_size": 0}, "init_step_size must be in (0, inf), got 0."),
    ({"eps": -1}, "eps must be in [0, inf), got -1."),
    ({"f_min": np.inf}, "f_min must be in (-inf, inf), got inf."),
    ({"grad_norm_floor": -1}, "grad_norm_floor must be in [0, inf), got -1."),
    (
      {"smoothing": 0.9, "steps_per_epoch": 2},
      "smoothing must be in [1, inf), got 0.9.",
    ),
    (
      {"smoothing": 2.0},
      "steps_per_epoch must be given with smoothing, got None. Fix:"
      " steps_per_epoch=number_of_examples // batch_size.",
    ),
    ({"steps_per_epoch": 0}, "steps_per_epoch must be an integer >= 1, got 0."),
    (
      {"on_zero_gradient": "stop"},
      "on_zero_gradient must be one of 'keep', 'freeze', got 'stop'.",
    ),
    ({"weight_decay": -1}, "weight_decay must be in [0, inf), got -1."),
  )
  def test_ranges(self, options, text):
    for make in (optax_stepsize.sps, optax_stepsize.scale_by_sps):
      with self.assertRaises(ValueError) as error:
        make(**options)
      self.assertEqual(str(error.exception), f"sps: {text}")


if __name__ == "__main__":
  absltest.main()
