# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `linen.TrainState`, and of the recipe for `flax.nnx`."""

from typing import Any

from absl.testing import absltest
from absl.testing import parameterized
import chex
from flax import nnx
from flax.training import train_state
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import linen

PARAMS = {"w": np.float32([1.0, 2.0])}
GRADS = {"w": np.float32([0.6, 0.8])}


def recorder():
  """Plain SGD whose state is the extra arguments of the last update."""

  def update(updates, state, params, **extra_args):
    del params
    seen = {k: jnp.asarray(extra_args.get(k, -1.0)) for k in state}
    return jax.tree.map(jnp.negative, updates), seen

  return optax.GradientTransformationExtraArgs(
    lambda _: {"value": jnp.zeros(()), "batch_stats": jnp.zeros(())}, update
  )


class WithStats(linen.TrainState):
  """A training state with one field more."""

  batch_stats: Any


class TrainStateTest(parameterized.TestCase):
  def test_the_loss_reaches_the_method(self):
    state = linen.TrainState.create(
      apply_fn=None, params=PARAMS, tx=optax_stepsize.sps(1.0, eps=0.0)
    )

    @jax.jit
    def step(state, value):
      return state.apply_gradients(grads=GRADS, value=value)

    new = step(state, 0.25)
    np.testing.assert_allclose(
      new.params["w"], PARAMS["w"] - 0.25 * GRADS["w"], rtol=1e-6
    )
    self.assertEqual(new.step, 1)
    self.assertEqual(step(new, 0.25).step, 2)

  def test_the_stock_class_cannot_do_it(self):
    state = train_state.TrainState.create(
      apply_fn=None, params=PARAMS, tx=optax_stepsize.sps()
    )
    with self.assertRaisesRegex(ValueError, "sps: update.. needs `value`"):
      state.apply_gradients(grads=GRADS)

  def test_a_missing_loss_is_named(self):
    state = linen.TrainState.create(
      apply_fn=None, params=PARAMS, tx=optax_stepsize.sps()
    )
    with self.assertRaisesRegex(ValueError, "sps: update.. needs `value`"):
      state.apply_gradients(grads=GRADS)

  def test_fields_are_replaced_and_not_passed_on(self):
    state = WithStats.create(
      apply_fn=None, params=PARAMS, tx=recorder(), batch_stats=1.0
    )
    new = state.apply_gradients(grads=GRADS, batch_stats=5.0, value=3.0)
    self.assertIsInstance(new, WithStats)
    self.assertEqual(new.batch_stats, 5)
    self.assertEqual(new.opt_state, {"value": 3.0, "batch_stats": -1.0})
    kept = new.apply_gradients(grads=GRADS)
    self.assertEqual((kept.batch_stats, kept.step), (5, 2))

  @parameterized.parameters(False, True)
  def test_without_extra_arguments_it_is_the_stock_class(self, overwritten):
    # Leaves that gradients overwrite, as fp8 scales, included.
    name = train_state.OVERWRITE_WITH_GRADIENT if overwritten else "other"
    params = {"params": PARAMS, name: {"scale": jnp.ones(())}}
    grads = {"params": GRADS, name: {"scale": jnp.full((), 7.0)}}
    options = {"apply_fn": None, "params": params, "tx": optax.sgd(0.1)}
    found, wanted = (
      base.create(**options).apply_gradients(grads=grads)
      for base in (linen.TrainState, train_state.TrainState)
    )
    chex.assert_trees_all_equal(found.params, wanted.params)
    self.assertEqual(found.params[name]["scale"] == 7, overwritten)

  def test_plain_transformations_ignore_the_loss(self):
    state = linen.TrainState.create(
      apply_fn=None, params=PARAMS, tx=optax.sgd(1.0)
    )
    new = state.apply_gradients(grads=GRADS, value=3.0)
    np.testing.assert_allclose(new.params["w"], PARAMS["w"] - GRADS["w"])

  def test_structure_stays(self):
    # What a scan over steps, a checkpoint and a jit cache need.
    state = linen.TrainState.create(
      apply_fn=None, params=PARAMS, tx=optax_stepsize.sps()
    )
    new = state.apply_gradients(grads=GRADS, value=1.0)
    self.assertEqual(jax.tree.structure(new), jax.tree.structure(state))
    self.assertIs(new.tx, state.tx)

  def test_eval_params(self):
    options = {"apply_fn": None, "params": PARAMS}
    state = linen.TrainState.create(tx=optax.sgd(0.1), **options)
    self.assertIs(state.eval_params["w"], PARAMS["w"])
    tx = optax_stepsize.schedule_free_adamw(0.1)
    state = linen.TrainState.create(tx=tx, **options)
    for _ in range(3):
      state = state.apply_gradients(grads=GRADS)
    wanted = optax_stepsize.eval_params(state.opt_state, state.params)
    np.testing.assert_array_equal(state.eval_params["w"], wanted["w"])
    self.assertNotEqual(state.eval_params["w"][0], state.params["w"][0])

  def test_eval_params_beside_leaves_that_gradients_overwrite(self):
    name = train_state.OVERWRITE_WITH_GRADIENT
    params = {"params": PARAMS, name: {"scale": jnp.ones(())}}
    grads = {"params": GRADS, name: {"scale": jnp.full((), 7.0)}}
    state = linen.TrainState.create(
      apply_fn=None, params=params, tx=optax_stepsize.schedule_free_adamw(0.1)
    )
    for _ in range(3):
      state = state.apply_gradients(grads=grads)
    inner = state.params["params"]
    wanted = optax_stepsize.eval_params(state.opt_state, inner)
    found = state.eval_params
    np.testing.assert_array_equal(found["params"]["w"], wanted["w"])
    self.assertEqual(found[name]["scale"], 7)

  def test_readers_take_the_optimizer_state(self):
    state = linen.TrainState.create(
      apply_fn=None, params=PARAMS, tx=optax_stepsize.sps(1.0, eps=0.0)
    )
    state = state.apply_gradients(grads=GRADS, value=0.25)
    (step_size,) = optax_stepsize.step_sizes(state.opt_state).values()
    np.testing.assert_allclose(step_size, 0.25, rtol=1e-6)


class NnxTest(absltest.TestCase):
  def test_nnx_passes_the_loss_on(self):
    class Model(nnx.Module):
      def __init__(self):
        self.w = nnx.Param(jnp.asarray(PARAMS["w"]))

    model = Model()
    optimizer = nnx.Optimizer(
      model, optax_stepsize.sps(1.0, eps=0.0), wrt=nnx.Param
    )
    with jax.numpy_dtype_promotion("standard"):
      grads = nnx.grad(lambda m: jnp.sum(m.w[...] * GRADS["w"]))(model)
      optimizer.update(model, grads, value=jnp.asarray(0.25))
    np.testing.assert_allclose(
      model.w[...], PARAMS["w"] - 0.25 * GRADS["w"], rtol=1e-6
    )


if __name__ == "__main__":
  absltest.main()
