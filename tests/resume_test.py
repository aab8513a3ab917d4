# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests that a restored run is the run that was not interrupted, to the bit."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import chex
import flax.serialization
import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec
import numpy as np
import optax
import orbax.checkpoint

import optax_stepsize
from optax_stepsize import core

SEGMENT = 10
SHAPES = {"w": (3, 8), "b": ()}

METHODS = {
  "dog": lambda: optax.chain(
    optax_stepsize.dog(reps_rel=1e-2),
    optax_stepsize.polynomial_decay_averaging(),
  ),
  "ldog_first_step": lambda: optax_stepsize.ldog(init_eta=1e-2),
  "ldog_tamed": lambda: optax_stepsize.ldog(reps_rel=1e-2, tamed=True),
  "prodigy": lambda: optax_stepsize.prodigy(d0=1e-2, growth_rate=1.1),
  "prodigy_without_momentum": lambda: optax_stepsize.prodigy(
    lambda count: 1 / (count.astype(jnp.float32) + 1), b1=None, d0=1e-2
  ),
  "schedule_free": lambda: optax_stepsize.schedule_free_adamw(
    0.1, warmup_steps=15, inner_momentum=0.5
  ),
  "sps": lambda: optax_stepsize.sps(
    smoothing=2.0, steps_per_epoch=7, init_step_size=0.01
  ),
  # The checkpoint is in the middle of a batch.
  "accumulate": lambda: core.accumulate(optax_stepsize.sps(), 3),
  "wrapped": lambda: optax.apply_if_finite(
    optax.chain(optax.clip(1.0), optax_stepsize.schedule_free_adamw(0.1)), 3
  ),
}
DTYPES = {"prodigy": jnp.bfloat16, "schedule_free": jnp.bfloat16}


def on_one_device(tree):
  """So that all calls share one program, wherever their arguments are from."""
  return jax.device_put(tree, jax.devices()[0])


@functools.cache
def run_of(name):
  """A function that makes SEGMENT steps, and what it was called with."""
  tx = optax.with_extra_args_support(METHODS[name]())
  rng = np.random.RandomState(0)
  start, target = (
    {
      k: jnp.asarray(rng.standard_normal(s), DTYPES.get(name, jnp.float32))
      for k, s in SHAPES.items()
    }
    for _ in range(2)
  )

  def step(carry, noise):
    params, state = carry
    grads = jax.tree.map(lambda p, t, n: p - t + n, params, target, noise)
    value = core.squared_norm(grads) / 2
    updates, state = tx.update(grads, state, params, value=value)
    return (optax.apply_updates(params, updates), state), None

  jitted = jax.jit(lambda carry, noise: jax.lax.scan(step, carry, noise)[0])

  def segment(carry, seed):
    rng = np.random.RandomState(1 + seed)
    noise = jax.tree.map(
      lambda p: np.asarray(
        0.1 * rng.standard_normal((SEGMENT, *p.shape)), p.dtype
      ),
      start,
    )
    with jax.numpy_dtype_promotion("standard"):  # for Optax's wrappers
      return jitted(carry, noise)

  fresh = on_one_device((start, tx.init(start)))
  middle = segment(fresh, 0)
  return segment, fresh, tx, middle, segment(middle, 1)


def assert_identical(found, wanted):
  chex.assert_trees_all_equal_structs(found, wanted)
  for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
    a, b = np.asarray(a), np.asarray(b)
    assert (a.dtype, a.tobytes()) == (b.dtype, b.tobytes()), (a, b)


def template_of(name):
  """What a new process knows: the shapes of parameters and state."""
  _, (start, _), tx, _, _ = run_of(name)
  shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), start)
  return shapes, jax.eval_shape(tx.init, shapes)


class ResumeTest(parameterized.TestCase):
  @parameterized.parameters(*METHODS)
  def test_msgpack(self, name):
    segment, fresh, _, middle, end = run_of(name)
    data = flax.serialization.to_bytes(middle)
    restored = flax.serialization.from_bytes(fresh, data)
    assert_identical(restored, middle)
    assert_identical(segment(on_one_device(restored), 1), end)

  @parameterized.parameters(*METHODS)
  def test_orbax(self, name):
    segment, _, _, middle, end = run_of(name)
    path = self.create_tempdir().full_path + "/checkpoint"
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
      checkpointer.save(path, middle)
      checkpointer.wait_until_finished()
      restored = checkpointer.restore(path, template_of(name))
    assert_identical(restored, middle)
    assert_identical(segment(on_one_device(restored), 1), end)

  @parameterized.parameters(*METHODS)
  def test_a_fresh_state_is_no_resumption(self, name):
    segment, fresh, _, middle, end = run_of(name)
    restarted = segment((middle[0], fresh[1]), 1)
    gap = max(
      np.max(np.abs(np.float32(a) - np.float32(b)))
      for a, b in zip(
        jax.tree.leaves(restarted[0]), jax.tree.leaves(end[0]), strict=True
      )
    )
    self.assertGreater(gap, 1e-4)

  def test_sharded(self):
    if jax.device_count() < 8:
      self.skipTest("needs 8 devices")
    mesh = jax.make_mesh((8,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    segment, _, tx, middle, _ = run_of("prodigy")
    shardings = {
      "w": NamedSharding(mesh, PartitionSpec(None, "d")),
      "b": NamedSharding(mesh, PartitionSpec()),
    }
    shapes, state_shapes = template_of("prodigy")
    both = (shardings, core.state_sharding(tx, shapes, shardings))
    sharded = jax.device_put(middle, both)
    end = segment(sharded, 1)
    path = self.create_tempdir().full_path + "/checkpoint"
    template = jax.tree.map(
      lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s),
      (shapes, state_shapes),
      both,
    )
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
      checkpointer.save(path, sharded)
      checkpointer.wait_until_finished()
      restored = checkpointer.restore(path, template)
      whole = checkpointer.restore(path, template_of("prodigy"))
    assert_identical(restored, middle)
    assert_identical(whole, middle)  # on another mesh
    self.assertEqual(restored[0]["w"].sharding, shardings["w"])
    assert_identical(segment(restored, 1), end)


if __name__ == "__main__":
  chex.set_n_cpu_devices(8)
  absltest.main()
