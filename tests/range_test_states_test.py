# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests that a range test takes any functional state, and leaves it alone."""

import functools
import itertools

from absl.testing import absltest
from absl.testing import parameterized
from flax import linen as nn
from flax import nnx
from flax.training import train_state
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize

CURVATURE = 10.5
# Losses of gradient descent from one, with rates 0, 0.01, 0.02, ...
FIRST = (5.25, 5.25, 4.20538125, 2.62457844, 1.23151782, 0.414282594)


@jax.jit
def descend(x, batch, rate):
  """Gradient descent on a quadratic."""
  del batch
  return x - rate * CURVATURE * x, CURVATURE / 2 * x**2


class Mlp(nn.Module):
  @nn.compact
  def __call__(self, x):
    return nn.Dense(1)(nn.tanh(nn.Dense(8)(x)))


INPUTS = jnp.linspace(-1, 1, 32).reshape(16, 2)
TARGETS = jnp.sin(3 * INPUTS.sum(axis=1, keepdims=True))


def bare():
  params = {"w": jnp.zeros((2, 1)), "none": None}

  def loss_fn(params, batch):
    inputs, targets = batch
    return jnp.mean((inputs @ params["w"] - targets) ** 2)

  def step(params, batch, rate):
    loss, grads = jax.value_and_grad(loss_fn)(params, batch)
    moved = jax.tree.map(lambda p, g: p - rate * g, params, grads)
    return moved, loss

  return step, params


def optimizer_state():
  model = Mlp()
  params = model.init(jax.random.key(0), INPUTS)

  def step(state, batch, rate):
    params, opt_state = state
    loss, grads = jax.value_and_grad(
      lambda p: jnp.mean((model.apply(p, batch[0]) - batch[1]) ** 2)
    )(params)
    updates, opt_state = optax.sgd(rate, 0.9).update(grads, opt_state, params)
    return (optax.apply_updates(params, updates), opt_state), loss

  return step, (params, optax.sgd(0.1, 0.9).init(params))


def linen_state():
  model = Mlp()
  state = train_state.TrainState.create(
    apply_fn=model.apply,
    params=model.init(jax.random.key(0), INPUTS),
    tx=optax.inject_hyperparams(optax.sgd)(learning_rate=0.0),
  )

  def step(state, batch, rate):
    hyperparams = {**state.opt_state.hyperparams, "learning_rate": rate}
    state = state.replace(
      opt_state=state.opt_state._replace(hyperparams=hyperparams)
    )
    loss, grads = jax.value_and_grad(
      lambda p: jnp.mean((state.apply_fn(p, batch[0]) - batch[1]) ** 2)
    )(state.params)
    return state.apply_gradients(grads=grads), loss

  return step, state


def nnx_state():
  class Net(nnx.Module):
    def __init__(self, rngs):
      self.first = nnx.Linear(2, 8, rngs=rngs)
      self.last = nnx.Linear(8, 1, rngs=rngs)

    def __call__(self, x):
      return self.last(jnp.tanh(self.first(x)))

  def step(state, batch, rate):
    model = nnx.merge(*state)
    loss, grads = nnx.value_and_grad(
      lambda m: jnp.mean((m(batch[0]) - batch[1]) ** 2)
    )(model)
    params = nnx.state(model, nnx.Param)
    moved = jax.tree.map(lambda p, g: p - rate * g, params, grads)
    nnx.update(model, moved)
    return nnx.split(model), loss

  return step, nnx.split(Net(nnx.Rngs(0)))


STATES = {
  "bare": bare,
  "optimizer_state": optimizer_state,
  "linen": linen_state,
  "nnx": nnx_state,
}


class StatesTest(parameterized.TestCase):
  @parameterized.parameters(
    ("bare", "eager"), *itertools.product(STATES, ("jit", "donate", "scan"))
  )
  def test_any_functional_state_stays_as_it_is(self, kind, run):
    with jax.numpy_dtype_promotion("standard"):
      step, state = STATES[kind]()
      before = jax.tree.map(np.array, state)
      if run in ("jit", "donate"):
        donated = (0,) if run == "donate" else ()
        step = jax.jit(step, donate_argnums=donated)
      batch = (INPUTS, TARGETS)
      if run == "scan":
        batches = jax.tree.map(lambda x: jnp.stack([x] * 12), batch)
      else:
        batches = itertools.repeat(batch)
      result = optax_stepsize.lr_range_test(
        step,
        state,
        batches,
        min_value=0.01,
        max_value=0.3,
        num_steps=12,
        scan=run == "scan",
      )
      after = jax.tree.map(np.array, state)  # fails if a buffer was donated
    self.assertEqual(jax.tree.structure(after), jax.tree.structure(before))
    for a, b in zip(*map(jax.tree.leaves, (after, before)), strict=True):
      self.assertEqual((a.dtype, a.tobytes()), (b.dtype, b.tobytes()))
    # It has trained all the same, and the same in all ways.
    self.assertEqual(result.diverged_at, -1)
    self.assertLess(np.min(result.losses), 0.97 * result.losses[0])
    reference = self._losses(kind)
    np.testing.assert_allclose(result.losses, reference, rtol=2e-4)

  @staticmethod
  @functools.cache
  def _losses(kind):
    step, state = STATES[kind]()
    step = jax.jit(step)
    losses = []
    for rate in np.linspace(0.01, 0.3, 12, dtype=np.float32):
      state, loss = step(state, (INPUTS, TARGETS), rate)
      losses.append(float(loss))
    return losses

  def test_a_step_that_changes_an_nnx_module(self):
    model = nnx.Linear(2, 1, rngs=nnx.Rngs(0))
    before = np.array(model.kernel[...])

    @nnx.jit
    def train(model, batch, rate):
      loss, grads = nnx.value_and_grad(
        lambda m: jnp.mean((m(batch[0]) - batch[1]) ** 2)
      )(model)
      params = nnx.state(model, nnx.Param)
      nnx.update(model, jax.tree.map(lambda p, g: p - rate * g, params, grads))
      return loss

    def step(model, batch, rate):
      return model, train(model, batch, rate)

    found = optax_stepsize.lr_range_test(
      step,
      model,
      itertools.repeat((INPUTS, TARGETS)),
      min_value=0.0,
      max_value=0.3,
      num_steps=10,
    )
    self.assertLess(found.losses[-1], 0.9 * found.losses[0])
    np.testing.assert_array_equal(model.kernel[...], before)

  def test_shardings_stay(self):
    if jax.device_count() < 8:
      self.skipTest("needs 8 devices")
    mesh = jax.make_mesh((8,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    wanted = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("d"))
    seen = []

    def step(x, batch, rate):
      seen.append(x.sharding.is_equivalent_to(wanted, 1))
      return x - rate * x, jnp.mean(x**2)

    optax_stepsize.lr_range_test(
      step,
      jax.device_put(jnp.ones(16), wanted),
      range(3),
      min_value=0.0,
      max_value=0.1,
      num_steps=3,
    )
    self.assertEqual(seen, [True] * 3)

  def test_a_step_that_overwrites_numpy_arrays(self):
    def step(state, batch, rate):
      loss = np.float64(CURVATURE / 2 * state["x"][0] ** 2)
      state["x"] -= np.float64(rate) * CURVATURE * state["x"]
      return state, loss

    state = {"x": np.ones(1)}
    found = optax_stepsize.lr_range_test(
      step, state, range(50), min_value=0.0, max_value=0.1, num_steps=11
    )
    np.testing.assert_allclose(found.losses[:6], FIRST, rtol=1e-6)
    np.testing.assert_array_equal(state["x"], 1)

  def test_keys_and_other_leaves(self):
    state = {"key": jax.random.key(3), "x": jnp.float32(1), "epoch": 2}

    def step(state, batch, rate):
      x, loss = descend(state["x"], jnp.float32(1), rate)
      key = jax.random.split(state["key"])[0]
      return {"key": key, "x": x, "epoch": state["epoch"]}, loss

    found = optax_stepsize.lr_range_test(
      step, state, range(9), min_value=0.0, max_value=0.08, num_steps=9
    )
    np.testing.assert_allclose(found.losses[:6], FIRST, rtol=1e-6)

  def test_the_rate_is_float32_and_the_loss_may_be_narrow(self):
    seen = []

    def step(state, batch, rate):
      seen.append((rate.dtype, rate.shape))
      return state, jnp.bfloat16(1.5)

    found = optax_stepsize.lr_range_test(
      step,
      jnp.zeros(3, jnp.bfloat16),
      range(4),
      min_value=0.0,
      max_value=1.0,
      num_steps=4,
    )
    self.assertEqual(set(seen), {(jnp.dtype(jnp.float32), ())})
    np.testing.assert_array_equal(found.losses, np.float32([1.5] * 4))

  def test_no_more_batches_are_drawn_than_needed(self):
    source = iter(np.ones(200, np.float32))
    optax_stepsize.lr_range_test(
      descend,
      jnp.float32(1),
      source,
      min_value=0.0,
      max_value=1.0,
      num_steps=101,
    )
    self.assertLen(list(source), 200 - 25)


if __name__ == "__main__":
  absltest.main()
