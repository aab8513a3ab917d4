# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `polynomial_decay_averaging` and `PolynomialDecayAverage`."""

from absl.testing import absltest
from absl.testing import parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core


def averages(points, **options):
  """The average after each point."""
  average = optax_stepsize.PolynomialDecayAverage(**options)

  def step(state, point):
    state = average.update(state, point)
    return state, average.value(state)

  first = jax.tree.map(lambda x: jnp.ones_like(x[0]), points)
  return jax.jit(lambda: jax.lax.scan(step, average.init(first), points)[1])()


def oracle(points, gamma):
  """The average after each point, in float64."""
  found, average = [], np.zeros_like(points[0])
  for t, point in enumerate(points, start=1):
    weight = (gamma + 1) / (gamma + t)
    average = (1 - weight) * average + weight * point
    found.append(average)
  return np.stack(found)


def walk(tx, params, moves):
  """Parameters and evaluation points after each of a stream of updates."""

  def step(carry, move):
    params, state = carry
    updates, state = tx.update(move, state, params)
    params = optax.apply_updates(params, updates)
    return (params, state), (params, optax_stepsize.eval_params(state, params))

  def run(params, moves):
    return jax.lax.scan(step, (params, tx.init(params)), moves)[1]

  return jax.jit(run)(params, moves)


class PolynomialDecayAverageTest(parameterized.TestCase):
  def test_weights(self):
    # The average of points that are zero but for one shows its weight.
    with core.enable_x64(True):
      points = jnp.eye(4)
      weights = [averages(points)[t, t] for t in range(4)]
    np.testing.assert_allclose(weights, [1, 0.9, 9 / 11, 0.75], rtol=1e-14)

  def test_small_numbers(self):
    found = averages(jnp.array([1.0, 2.0, 3.0, 4.0]))
    np.testing.assert_allclose(found, [1, 1.9, 2.8, 3.7], rtol=1e-6)

  def test_zero_gamma_is_the_plain_mean(self):
    points = np.random.RandomState(0).standard_normal((50, 3))
    found = averages(jnp.float32(points), gamma=0.0)
    means = np.cumsum(points, axis=0) / np.arange(1, 51)[:, None]
    np.testing.assert_allclose(found, means, atol=1e-6)

  @parameterized.parameters(0.0, 3.5, 8.0)
  def test_against_float64(self, gamma):
    points = np.random.RandomState(0).standard_normal((3000, 2)) + 5
    found = averages(jnp.float32(points), gamma=gamma)
    np.testing.assert_allclose(found, oracle(points, gamma), rtol=3e-6)

  def test_traced_gamma(self):
    points = jnp.float32(np.random.RandomState(0).standard_normal((9, 2)))
    gammas = jnp.array([0.0, 1.0, 8.0])
    found = jax.vmap(lambda gamma: averages(points, gamma=gamma))(gammas)
    for gamma, each in zip(gammas, found, strict=True):
      np.testing.assert_allclose(each, oracle(points, gamma), atol=1e-6)

  def test_first_point_replaces_what_was_there(self):
    average = optax_stepsize.PolynomialDecayAverage()
    state = average.init({"mean": jnp.full(2, 1e30)})
    state = average.update(state, {"mean": jnp.ones(2)})
    np.testing.assert_array_equal(average.value(state)["mean"], 1)

  def test_leaves_that_are_not_floating_are_copied(self):
    points = {
      "count": jnp.array([3, 5, 7], jnp.int32),
      "seen": jnp.array([True, True, False]),
      "mean": jnp.array([1.0, 2.0, 3.0]),
    }
    found = averages(points)
    np.testing.assert_array_equal(found["count"], points["count"])
    np.testing.assert_array_equal(found["seen"], points["seen"])
    np.testing.assert_allclose(found["mean"], [1, 1.9, 2.8], rtol=1e-6)
    chex.assert_trees_all_equal_dtypes(found, points)

  @parameterized.parameters(
    (jnp.bfloat16, None, jnp.float32),
    (jnp.float32, None, jnp.float32),
    (jnp.float32, jnp.bfloat16, jnp.bfloat16),
  )
  def test_accumulator_dtype(self, dtype, accumulator_dtype, expected):
    average = optax_stepsize.PolynomialDecayAverage(
      accumulator_dtype=accumulator_dtype
    )
    state = average.init(jnp.ones(2, dtype))
    self.assertEqual(average.value(state).dtype, expected)
    state = jax.eval_shape(average.update, state, jnp.ones(2, dtype))
    self.assertEqual(state.average.dtype, expected)

  def test_init_copies(self):
    tree = {"mean": jnp.ones(3)}
    state = optax_stepsize.PolynomialDecayAverage().init(tree)
    self.assertNotEqual(
      state.average["mean"].unsafe_buffer_pointer(),
      tree["mean"].unsafe_buffer_pointer(),
    )

  def test_range(self):
    for make in (
      optax_stepsize.PolynomialDecayAverage,
      optax_stepsize.polynomial_decay_averaging,
    ):
      with self.assertRaises(ValueError) as error:
        make(-1.0)
      self.assertEqual(
        str(error.exception),
        "polynomial_decay_averaging: gamma must be in [0, inf), got -1.0.",
      )


class PolynomialDecayAveragingTest(parameterized.TestCase):
  def test_averages_the_points_after_each_update(self):
    tx = optax.chain(
      optax.scale(-0.5), optax_stepsize.polynomial_decay_averaging(3.0)
    )
    rng = np.random.RandomState(1)
    start = {"w": jnp.float32(rng.standard_normal((2, 3))), "b": jnp.ones(())}
    moves = jax.tree.map(
      lambda p: jnp.float32(rng.standard_normal((12, *p.shape))), start
    )
    params, averaged = walk(tx, start, moves)
    for name in start:
      expected = oracle(np.asarray(params[name], np.float64), 3.0)
      np.testing.assert_allclose(averaged[name], expected, atol=2e-6)
      self.assertGreater(np.max(np.abs(averaged[name] - params[name])[1:]), 0.1)

  def test_before_the_first_update_it_is_the_initial_point(self):
    tx = optax_stepsize.polynomial_decay_averaging()
    params = jnp.array([1.0, 2.0])
    found = optax_stepsize.eval_params(tx.init(params), params)
    np.testing.assert_array_equal(found, params)

  def test_updates_are_returned_as_they_are(self):
    tx = optax_stepsize.polynomial_decay_averaging()
    params = {"w": jnp.ones(3)}
    grads = {"w": jnp.array([1.0, jnp.nan, -2.0])}
    updates, _ = tx.update(grads, tx.init(params), params)
    np.testing.assert_array_equal(updates["w"], grads["w"])

  def test_equals_the_class_on_the_points(self):
    moves = jnp.float32(np.random.RandomState(2).standard_normal((7, 3)))
    params, averaged = walk(
      optax_stepsize.polynomial_decay_averaging(), jnp.zeros(3), moves
    )
    np.testing.assert_allclose(averaged, averages(params), rtol=1e-6)

  @parameterized.parameters(jnp.bfloat16, jnp.float16)
  def test_points_are_rounded_as_apply_updates_rounds_them(self, dtype):
    # These moves are lost on the parameters, and so must be on the average.
    tx = optax_stepsize.polynomial_decay_averaging()
    moves = jnp.full((20, 3), 2e-4, dtype)
    params, averaged = walk(tx, jnp.ones(3, dtype), moves)
    np.testing.assert_array_equal(np.float32(params), 1)
    self.assertEqual(averaged.dtype, dtype)

    @jax.jit
    def one(params, move):
      return tx.update(move, tx.init(params), params)[1].average

    np.testing.assert_array_equal(one(jnp.ones(3, dtype), moves[0]), 1)

  def test_average_of_bfloat16_parameters_keeps_float32(self):
    tx = optax_stepsize.polynomial_decay_averaging(0.0)
    params = jnp.ones(1, jnp.bfloat16)
    state = tx.init(params)
    for _ in range(3):
      updates, state = tx.update(
        jnp.full(1, 2**-7, jnp.bfloat16), state, params
      )
      params = optax.apply_updates(params, updates)
    self.assertEqual(state.average.dtype, jnp.float32)
    np.testing.assert_allclose(state.average, 1 + 2**-6, rtol=1e-6)

  def test_float64(self):
    with core.enable_x64(True):
      moves = jnp.full((5, 1), 1e-12)
      tx = optax_stepsize.polynomial_decay_averaging(0.0)
      averaged = walk(tx, jnp.ones(1), moves)[1]
      np.testing.assert_allclose(averaged[-1] - 1, 3e-12, rtol=1e-3)
      self.assertEqual(averaged.dtype, jnp.float64)

  def test_dog_is_evaluated_at_its_average(self):
    # Noisy gradients: the average is nearer to the solution.
    target = jnp.array([3.0, -1.0, 0.5, 2.0])
    noise = jnp.float32(np.random.RandomState(3).standard_normal((400, 4)))
    tx = optax.chain(
      optax_stepsize.dog(reps_rel=1e-2),
      optax_stepsize.polynomial_decay_averaging(),
    )

    def step(carry, noise):
      params, state = carry
      updates, state = tx.update(params - target + noise, state, params)
      params = optax.apply_updates(params, updates)
      points = (params, optax_stepsize.eval_params(state, params))
      return (params, state), points

    points = jax.jit(lambda p: jax.lax.scan(step, (p, tx.init(p)), noise)[1])(
      jnp.zeros(4)
    )
    last, averaged = (np.mean((p[200:] - target[None]) ** 2) for p in points)
    self.assertLess(averaged, 0.6 * last)

  def test_errors_name_the_method(self):
    tx = optax_stepsize.polynomial_decay_averaging()
    params = jnp.ones(2)
    with self.assertRaisesRegex(
      ValueError, "polynomial_decay_averaging: update.. needs `params`"
    ):
      tx.update(params, tx.init(params))
    with self.assertRaisesRegex(
      ValueError, r"polynomial_decay_averaging: params\['n'\] has dtype int32"
    ):
      tx.init({"n": jnp.arange(2)})


if __name__ == "__main__":
  absltest.main()
