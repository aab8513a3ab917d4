# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Finite gradients and parameters whose squares float32 cannot hold."""

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize

TARGET = 3.0
METHODS = (
  "prodigy",
  "dadapt_sgd",
  "dadapt_adagrad",
  "dadapt_adam",
  "dadapt_adamw",
  "dadapt_adan",
  "dadapt_lion",
  "dog",
  "ldog",
)


def train(tx, steps, spike=None, start=(1.0, 1.0)):
  """Parameters after every step; the first gradient entry is `spike` once."""
  grads = np.zeros((steps, 2), np.float32)
  if spike is not None:
    grads[4, 0] = spike

  def step(carry, extra):
    params, state = carry
    grad = jnp.where(extra != 0, extra, params - TARGET)
    updates, state = tx.update(grad, state, params)
    params = optax.apply_updates(params, updates)
    return (params, state), params

  params = jnp.asarray(start, jnp.float32)
  (_, state), path = jax.jit(lambda *c: jax.lax.scan(step, c, grads))(
    params, tx.init(params)
  )
  return np.asarray(path), state


class HugeGradientsTest(parameterized.TestCase):
  @parameterized.product(name=METHODS, spike=(1e20, 1e25, 3e38))
  def test_one_of_them_stops_nothing(self, name, spike):
    options = {} if "dog" in name else {"d0": 0.1}
    tx = getattr(optax_stepsize, name)(**options)
    path, state = train(tx, 40, spike)
    for leaf in jax.tree.leaves((path, state)):
      self.assertTrue(np.all(np.isfinite(leaf)))
    # Lion takes signs, and DoG remembers for ever what it has seen.
    if name == "dadapt_lion" or ("dog" in name and spike == 1e20):
      return
    moved = np.abs(np.diff(path[5:10, 0]))
    self.assertTrue(np.all(moved > 0), moved)
    self.assertLess(abs(path[-1, 0] - TARGET), 2)

  @parameterized.product(
    name=("dadapt_adagrad", "dadapt_adam", "dadapt_adan"),
    spike=(1e20, 3e38, np.inf),
  )
  def test_one_of_them_is_no_information(self, name, spike):
    tx = getattr(optax_stepsize, name)(d0=0.1)
    path, _ = train(tx, 12, spike)
    np.testing.assert_array_equal(path[4], path[3])
    calm, _ = train(tx, 11)
    np.testing.assert_allclose(path[-1], calm[-1], rtol=1e-6)

  def test_long_steps_are_in_range(self):
    # Of a gradient that is, times a step size that is above one.
    tx = optax_stepsize.dadapt_adam(d0=10.0)
    params = jnp.zeros(2)
    _, state = tx.update(jnp.ones(2), tx.init(params), params)
    updates, _ = tx.update(jnp.array([4e18, 1.0]), state, params)
    self.assertTrue(np.all(np.isfinite(updates)))

  @parameterized.parameters("dog", "ldog")
  def test_parameters_whose_norm_is_out_of_range_stay(self, name):
    tx = getattr(optax_stepsize, name)()
    params = jnp.full(4, 1e20)
    updates, _ = tx.update(jnp.ones(4), tx.init(params), params)
    np.testing.assert_array_equal(updates, 0)

  @parameterized.parameters("dog", "ldog")
  def test_a_rate_that_is_not_finite_moves_nothing(self, name):
    tx = getattr(optax_stepsize, name)(
      lambda count: jnp.where(count == 4, jnp.nan, 1.0)
    )
    path, _ = train(tx, 12)
    np.testing.assert_array_equal(path[4], path[3])
    self.assertTrue(np.all(np.isfinite(path)))
    self.assertNotEqual(path[5, 0], path[4, 0])


if __name__ == "__main__":
  absltest.main()
