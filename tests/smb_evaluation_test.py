# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `smb`: what is evaluated and when, precision, Flax."""

from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import chex
from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core
from optax_stepsize.polyak import _smb

CURVATURE = np.array([1.0, 10.0])


def quadratic(params):
  """Half of x1^2 + 10 x2^2 and its gradient."""
  curvature = CURVATURE.astype(params.dtype)
  return jnp.sum(curvature * params**2) / 2, curvature * params


def step(tx, grads, state, params, gradient):
  """An update of which the trial is refused, with its gradient there."""
  return tx.update(
    grads,
    state,
    params,
    value=1.0,
    value_and_grad_fn=lambda p: (jnp.full((), 2.0), gradient(p)),
  )


def network(params, x):
  for w in params[:-1]:
    x = jnp.tanh(x @ w)
  return x @ params[-1]


class EvaluationTest(parameterized.TestCase):
  """What the function is asked for, and when."""

  def counted(self, rate, independent=False, batched=False):
    """Losses and gradients that four updates really evaluate."""
    counts = {"loss": 0, "gradient": 0}

    def tick(name, x):
      def host(x):
        counts[name] += 1
        return np.asarray(x)

      shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
      # Without side effects for the compiler: what nobody reads is not called.
      return jax.pure_callback(host, shape, x, vmap_method="broadcast_all")

    @jax.custom_vjp
    def probe(x):
      return tick("loss", x)

    probe.defvjp(
      lambda x: (probe(x), None), lambda _, g: (tick("gradient", g),)
    )
    value_and_grad_fn = jax.value_and_grad(lambda p: probe(quadratic(p)[0]))
    tx = optax_stepsize.smb(rate, independent_batch=independent)

    def train(params, state):
      value, grads = quadratic(params)
      updates, state = tx.update(
        grads, state, params, value=value, value_and_grad_fn=value_and_grad_fn
      )
      return optax.apply_updates(params, updates), state

    params = jnp.ones(2)
    if batched:
      params = jnp.ones((3, 2))
      train = jax.vmap(train)
    state = jax.vmap(tx.init)(params) if batched else tx.init(params)
    train = jax.jit(train)
    for _ in range(4):
      params, state = jax.block_until_ready(train(params, state))
    return counts["loss"], counts["gradient"]

  def test_accepted_trial_needs_the_loss_only(self):
    self.assertEqual(self.counted(0.01), (4, 0))
    self.assertEqual(self.counted(0.01, independent=True), (4, 0))

  def test_refused_trial_needs_the_gradient_as_well(self):
    losses, gradients = self.counted(0.5)
    self.assertEqual(gradients, 4)
    self.assertLessEqual(losses, 8)
    # Of two updates, one asks for the loss and one for the gradient.
    losses, gradients = self.counted(0.5, independent=True)
    self.assertEqual(gradients, 2)
    self.assertLessEqual(losses, 4)

  def test_vmap_evaluates_both(self):
    losses, gradients = self.counted(0.01, batched=True)
    self.assertEqual(gradients, 4)
    self.assertLessEqual(losses, 8)

  def test_operations(self):
    # Of the branches by themselves, since the compiler counts the dearest.
    rng = np.random.RandomState(0)
    params = [np.float32(rng.standard_normal((64, 64))) for _ in range(4)]
    x = np.float32(rng.standard_normal((256, 64)))

    def loss(params):
      return jnp.mean(network(params, x) ** 2)

    value_and_grad_fn = jax.value_and_grad(loss)
    tx = optax_stepsize.smb()
    state = tx.init(params)

    def update(params):
      return tx.update(
        params,
        state,
        params,
        value=jnp.ones(()),
        value_and_grad_fn=value_and_grad_fn,
      )

    def flops(function):
      # A new function each time: it is traced again.
      compiled = jax.jit(lambda p: function(p)).lower(params).compile()
      return compiled.cost_analysis()["flops"]

    def branch(number):
      with mock.patch.object(
        _smb.lax, "cond", lambda _, *branches: branches[number]()
      ):
        return flops(update)

    forward, backward = flops(loss), flops(value_and_grad_fn)
    self.assertGreater(backward, 2 * forward)
    size = 16 * sum(p.size for p in params)  # elementwise
    self.assertBetween(branch(1), forward, forward + size)
    self.assertBetween(branch(0), backward, forward + backward + size)
    self.assertLess(size, 0.3 * forward)
    # And they are branches.
    text = jax.jit(update).lower(params).compile().as_text()
    self.assertIn("conditional(", text)


class PrecisionTest(parameterized.TestCase):
  @parameterized.product(compensate=(None, False), independent=(False, True))
  def test_function_gets_the_dtypes_of_parameters(
    self, compensate, independent
  ):
    params = {"a": jnp.ones(3, jnp.bfloat16), "b": jnp.ones(2)}
    seen = []

    def gradient(point):
      seen.append(jax.tree.map(lambda x: str(x.dtype), point))
      return point

    tx = optax_stepsize.smb(
      compensate=compensate, independent_batch=independent
    )
    state = tx.init(params)
    updates, state = step(tx, params, state, params, gradient)
    updates, _ = step(tx, params, state, params, gradient)
    self.assertTrue(seen)
    for found in seen:
      self.assertEqual(found, {"a": "bfloat16", "b": "float32"})
    chex.assert_trees_all_equal_dtypes(updates, params)

  def test_gradients_of_other_dtypes(self):
    with core.enable_x64(True):
      params = {"a": jnp.ones(3, jnp.float64), "b": jnp.ones(2, jnp.float32)}
      grads = jax.tree.map(lambda x: x.astype(jnp.bfloat16), params)
      for independent in (False, True):
        tx = optax_stepsize.smb(independent_batch=independent)
        state = tx.init(params)
        for _ in range(2):
          updates, state = step(tx, grads, state, params, lambda p: grads)
        chex.assert_trees_all_equal_dtypes(updates, params)
        np.testing.assert_allclose(updates["a"], -0.495)

  def test_state_dtype(self):
    tx = optax_stepsize.smb(independent_batch=True, state_dtype=jnp.bfloat16)
    grads = jnp.array([1.0, 2.0])
    _, state = step(tx, grads, tx.init(grads), grads, lambda p: p)
    self.assertEqual(state.inner_state.prev_grad.dtype, jnp.bfloat16)
    updates, _ = step(tx, grads, state, grads, lambda p: p)
    self.assertEqual(updates.dtype, jnp.float32)

  @parameterized.parameters(0.5, 1e-3)
  def test_bfloat16_follows_float32(self, rate):
    # At the smaller rate most steps are too small for bfloat16 to see.
    target = np.linspace(-2, 3, 8, dtype=np.float32)
    curvature = np.linspace(0.5, 4, 8, dtype=np.float32)

    def value_and_grad_fn(p):
      off = p.astype(jnp.float32) - target
      grads = (curvature * off).astype(p.dtype)
      return jnp.sum(curvature * off**2) / 2, grads

    def train(dtype):
      tx = optax_stepsize.smb(rate)

      def one(carry, _):
        params, state = carry
        value, grads = value_and_grad_fn(params)
        updates, state = tx.update(
          grads, state, params, value=value, value_and_grad_fn=value_and_grad_fn
        )
        return (optax.apply_updates(params, updates), state), value

      start = jnp.full(8, 5, dtype)
      run = jax.jit(lambda p: jax.lax.scan(one, (p, tx.init(p)), length=300)[1])
      return run(start)

    narrow, wide = train(jnp.bfloat16), train(jnp.float32)
    drop = wide[0] - wide[-1]
    self.assertGreater(drop, 0.5 * wide[0])
    np.testing.assert_allclose(narrow[-1], wide[-1], atol=0.02 * float(drop))


class FlaxTest(absltest.TestCase):
  def test_nnx_optimizer_forwards_the_function(self):
    model = nnx.Linear(2, 1, rngs=nnx.Rngs(0))
    x, y = jnp.array([[1.0, 2.0], [3.0, -1.0]]), jnp.array([[1.0], [2.0]])
    optimizer = nnx.Optimizer(model, optax_stepsize.smb(), wrt=nnx.Param)

    def loss_fn(model):
      return jnp.mean((model(x) - y) ** 2)

    @nnx.jit
    def train_step(model, optimizer):
      value, grads = nnx.value_and_grad(loss_fn)(model)
      graphdef, _, rest = nnx.split(model, nnx.Param, ...)
      optimizer.update(
        model,
        grads,
        value=value,
        value_and_grad_fn=jax.value_and_grad(
          lambda p: loss_fn(nnx.merge(graphdef, p, rest))
        ),
      )
      return value

    for _ in range(60):
      value = train_step(model, optimizer)
    self.assertLess(value, 1e-4)


if __name__ == "__main__":
  absltest.main()
