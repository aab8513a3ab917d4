# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `record_gradient_norms` and `recorded_norms`."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

PARAMS = {"w": jnp.zeros((3, 4)), "none": None, "b": jnp.zeros(())}


def gradients(steps, dtype=np.float32):
  rng = np.random.RandomState(1)
  return [
    {
      "w": rng.standard_normal((3, 4)).astype(dtype),
      "none": None,
      "b": np.asarray(rng.standard_normal(), dtype),
    }
    for _ in range(steps)
  ]


def norms(grads, order):
  """In float64."""
  flat = [np.append(g["w"].ravel(), g["b"]).astype(np.float64) for g in grads]
  return np.array([np.linalg.norm(x, order) for x in flat])


def run(tx, grads, params=PARAMS):
  state = tx.init(params)
  update = jax.jit(tx.update)
  for grad in grads:
    _, state = update(grad, state, params)
  return state


class NormsTest(parameterized.TestCase):
  @parameterized.product(order=(1, 2), ring=(False, True))
  def test_all_are_kept_below_capacity(self, order, ring):
    grads = gradients(5)
    tx = optax_stepsize.record_gradient_norms(8, order, ring=ring)
    for steps in (0, 1, 5):
      state = run(tx, grads[:steps])
      found = optax_stepsize.recorded_norms(state)
      self.assertIsInstance(found, np.ndarray)
      self.assertEqual((found.dtype, found.shape), (np.float32, (steps,)))
      np.testing.assert_allclose(found, norms(grads[:steps], order), rtol=1e-6)
      self.assertEqual(state.count, steps)
      self.assertEqual(state.norms.shape, (8,))

  @parameterized.parameters(1, 3, 4, 11, 12)
  def test_beyond_capacity(self, capacity):
    grads = gradients(12)
    wanted = norms(grads, 2)
    for ring, kept in ((False, wanted[:capacity]), (True, wanted[-capacity:])):
      tx = optax_stepsize.record_gradient_norms(capacity, ring=ring)
      state = run(tx, grads)
      found = optax_stepsize.recorded_norms(state)
      np.testing.assert_allclose(found, kept, rtol=1e-6)
      self.assertEqual(state.count, 12)

  def test_ring_goes_on_when_the_count_has_stopped(self):
    tx = optax_stepsize.record_gradient_norms(3, ring=True)
    state = tx.init(jnp.zeros(1))
    state = state._replace(count=jnp.asarray(2**31 - 2, jnp.int32))
    update = jax.jit(tx.update)
    for step in range(1, 8):
      _, state = update(jnp.full(1, step, jnp.float32), state)
    np.testing.assert_array_equal(
      optax_stepsize.recorded_norms(state), [5, 6, 7]
    )

  def test_updates_pass_unchanged(self):
    tx = optax_stepsize.record_gradient_norms(2)
    for dtype in (jnp.bfloat16, jnp.float32):
      grads = jax.tree.map(lambda x, d=dtype: x.astype(d), gradients(1)[0])
      params = jax.tree.map(lambda x, d=dtype: x.astype(d), PARAMS)
      updates, _ = jax.jit(tx.update)(grads, tx.init(params), params)
      chex.assert_trees_all_equal(updates, grads)
      chex.assert_trees_all_equal_dtypes(updates, grads)

  @parameterized.parameters(1, 2)
  def test_narrow_gradients_are_summed_in_float32(self, order):
    # A bfloat16 sum of these would stop at 256.
    grads = jnp.full(4096, 1.0, jnp.bfloat16)
    tx = optax_stepsize.record_gradient_norms(1, order)
    _, state = jax.jit(tx.update)(grads, tx.init(grads))
    self.assertEqual(state.norms.dtype, jnp.float32)
    self.assertEqual(state.norms[0], 4096 if order == 1 else 64)

  def test_wide_gradients(self):
    with core.enable_x64(True):
      grads = jnp.full(4, 1e-30, jnp.float64)
      tx = optax_stepsize.record_gradient_norms(1)
      _, state = tx.update(grads, tx.init(grads))
      self.assertEqual(state.norms.dtype, jnp.float32)
      self.assertAlmostEqual(float(state.norms[0]) / 2e-30, 1, delta=1e-6)

  def test_what_is_not_finite_is_recorded_as_it_is(self):
    tx = optax_stepsize.record_gradient_norms(3)
    state = tx.init(jnp.zeros(2))
    for entry in (1.0, jnp.nan, jnp.inf):
      _, state = tx.update(jnp.array([entry, 0.0]), state)
    np.testing.assert_array_equal(
      optax_stepsize.recorded_norms(state), [1, np.nan, np.inf]
    )

  @parameterized.parameters(1, 2)
  def test_shards_count_together(self, order):
    if jax.device_count() < 4:
      self.skipTest("Four devices are needed.")
    mesh = jax.sharding.Mesh(jax.devices()[:4], "x")
    spec = jax.sharding.PartitionSpec
    tx = optax_stepsize.record_gradient_norms(2, order, axis_name="x")
    grads = {
      "sharded": jnp.arange(8.0).reshape(2, 4),
      "copied": jnp.array([3.0]),
    }
    specs = {"sharded": spec(None, "x"), "copied": spec()}

    @jax.jit
    @functools.partial(
      jax.shard_map, mesh=mesh, in_specs=(specs,), out_specs=spec()
    )
    def norm(grads):
      return tx.update(grads, tx.init(grads))[1].norms[0]

    wanted = 28 + 3 if order == 1 else np.sqrt(140 + 9)
    self.assertAlmostEqual(float(norm(grads)), wanted, delta=1e-5)


class ReadingTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("bare", lambda tx: tx),
    ("chain", lambda tx: optax.chain(tx, optax.clip(0.1), optax.adam(0.1))),
    ("masked", lambda tx: optax.masked(tx, {"w": True, "b": True})),
    ("multi_steps", lambda tx: optax.MultiSteps(tx, 1)),
    ("if_finite", lambda tx: optax.apply_if_finite(tx, 3)),
    (
      "injected",
      lambda tx: optax.inject_hyperparams(
        lambda rate: optax.chain(tx, optax.scale(rate))
      )(0.1),
    ),
    (
      "compensated",
      lambda tx: optax_stepsize.compensated(optax.chain(tx, optax.sgd(0.1))),
    ),
    ("before_dog", lambda tx: optax.chain(tx, optax_stepsize.dog())),
  )
  def test_it_is_found_anywhere(self, wrap):
    params = {name: x for name, x in PARAMS.items() if x is not None}
    grads = gradients(4)
    for grad in grads:
      del grad["none"]
    tx = wrap(optax_stepsize.record_gradient_norms(10))
    with jax.numpy_dtype_promotion("standard"):
      state = run(tx, grads, params)
    np.testing.assert_allclose(
      optax_stepsize.recorded_norms(state), norms(grads, 2), rtol=1e-6
    )

  def test_it_sees_what_comes_before_clipping(self):
    record = functools.partial(optax_stepsize.record_gradient_norms, 1)
    clip = optax.clip_by_global_norm(1.0)
    grads = gradients(1)
    first = run(optax.chain(record(), clip), grads)
    last = run(optax.chain(clip, record()), grads)
    np.testing.assert_allclose(
      optax_stepsize.recorded_norms(first), norms(grads, 2), rtol=1e-6
    )
    np.testing.assert_allclose(
      optax_stepsize.recorded_norms(last), 1, rtol=1e-6
    )

  def test_not_one_recorder(self):
    params = jnp.zeros(2)
    record = optax_stepsize.record_gradient_norms(1)
    for tx, number in ((optax.sgd(0.1), 0), (optax.chain(record, record), 2)):
      with self.assertRaisesRegex(
        ValueError, f"^recorded_norms:.*got {number}"
      ):
        optax_stepsize.recorded_norms(tx.init(params))

  def test_several_runs(self):
    record = optax_stepsize.record_gradient_norms(3)
    state = jax.vmap(record.init)(jnp.zeros((5, 2)))
    _, state = jax.vmap(record.update)(jnp.ones((5, 2)), state)
    with self.assertRaisesRegex(ValueError, r"^recorded_norms:.*shape \(5,\)"):
      optax_stepsize.recorded_norms(state)
    one = jax.tree.map(lambda x: x[0], state)
    np.testing.assert_allclose(
      optax_stepsize.recorded_norms(one), [np.sqrt(2)], rtol=1e-6
    )

  def test_bytes(self):
    params = jnp.zeros(1000)
    for capacity in (1, 100):
      state = optax_stepsize.record_gradient_norms(capacity).init(params)
      leaves = jax.tree.leaves(state)
      self.assertEqual(sum(x.nbytes for x in leaves), 4 * capacity + 8)


class ErrorsTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"capacity": 0}, "capacity must be an integer >= 1, got 0."),
    ({"capacity": 2.0}, "capacity must be an integer >= 1, got 2.0."),
    ({"ord": 3}, "ord must be one of 1, 2, got 3."),
    ({"ring": "yes"}, "ring must be one of False, True, got 'yes'."),
  )
  def test_ranges(self, options, text):
    with self.assertRaises(ValueError) as error:
      optax_stepsize.record_gradient_norms(**{"capacity": 4} | options)
    self.assertEqual(str(error.exception), f"record_gradient_norms: {text}")


if __name__ == "__main__":
  absltest.main()
