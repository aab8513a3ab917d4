# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests that training in bfloat16 does what it does in float32."""

import functools
import warnings

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

STEPS = 200
CURVATURE = {
  "w": np.geomspace(0.1, 3, 12, dtype=np.float32).reshape(3, 4),
  "b": np.float32(0.5),
}
TARGET = {
  "w": np.linspace(-2.3, 3.1, 12, dtype=np.float32).reshape(3, 4),
  "b": np.float32(-1.7),
}
# Exact in bfloat16.
START = {"w": np.full((3, 4), 0.75, np.float32), "b": np.float32(1.0)}


def loss(params):
  terms = jax.tree.map(
    lambda p, c, t: np.sum(c * (np.float32(p) - t) ** 2) / 2,
    params,
    CURVATURE,
    TARGET,
  )
  return sum(jax.tree.leaves(terms))


def train(make, dtype, grad_dtype=None):
  """Points of training and evaluation and the step size after STEPS steps."""
  tx = make()

  def step(carry, _):
    params, state = carry
    grads = jax.tree.map(
      lambda p, c, t: (c * (p.astype(jnp.float32) - t)).astype(
        grad_dtype or dtype
      ),
      params,
      CURVATURE,
      TARGET,
    )
    updates, state = tx.update(grads, state, params)
    return (optax.apply_updates(params, updates), state), None

  def run(params):
    carry = (params, tx.init(params))
    params, state = jax.lax.scan(step, carry, length=STEPS)[0]
    steps = list(core.step_sizes(state).values())
    return params, core.eval_params(state, params), steps, state

  return jax.jit(run)(jax.tree.map(lambda x: jnp.asarray(x, dtype), START))


METHODS = {
  "dog": optax_stepsize.dog,
  "dog_decay": lambda: optax_stepsize.dog(weight_decay=1e-3),
  "ldog": optax_stepsize.ldog,
  "prodigy": optax_stepsize.prodigy,
  "prodigy_decay": lambda: optax_stepsize.prodigy(weight_decay=1e-3),
  "prodigy_sliced": lambda: optax_stepsize.prodigy(slice_p=3),
  # At half the rate, because at one SGD is at the edge of stability on these
  # curvatures, by its own rule.
  "dadapt_sgd": lambda: optax_stepsize.dadapt_sgd(0.5),
  "dadapt_adagrad": optax_stepsize.dadapt_adagrad,
  "dadapt_adam": optax_stepsize.dadapt_adam,
  "dadapt_adamw": lambda: optax_stepsize.dadapt_adamw(weight_decay=1e-3),
  # At one the estimate of Adan overshoots many times, by its own rule, and
  # amplifies whatever is rounded.
  "dadapt_adan": lambda: optax_stepsize.dadapt_adan(0.1, weight_decay=0.0),
  "dadapt_lion": optax_stepsize.dadapt_lion,
}


@functools.cache
def wide(name):
  return train(METHODS[name], jnp.float32)


class DistanceTest(parameterized.TestCase):
  @parameterized.product(name=tuple(METHODS), dtype=(jnp.bfloat16, jnp.float16))
  def test_step_size_is_that_of_float32(self, name, dtype):
    # Gradients in float32, of the rounded parameters.
    params, _, steps, _ = train(METHODS[name], dtype, jnp.float32)
    wanted_params, _, wanted, _ = wide(name)
    for found, right in zip(
      jax.tree.leaves(steps), jax.tree.leaves(wanted), strict=True
    ):
      self.assertEqual(found.dtype, jnp.float32)
      np.testing.assert_allclose(found, right, rtol=0.02)
    self.assertLess(loss(wanted_params), 0.1 * loss(START))
    np.testing.assert_allclose(
      loss(params), loss(wanted_params), atol=1e-3 * loss(START), rtol=0.1
    )

  @parameterized.parameters("dog", "ldog", "prodigy")
  def test_gradients_in_bfloat16_will_do(self, name):
    _, _, steps, _ = train(METHODS[name], jnp.bfloat16)
    for found, right in zip(
      jax.tree.leaves(steps), jax.tree.leaves(wide(name)[2]), strict=True
    ):
      np.testing.assert_allclose(found, right, rtol=0.05)

  @parameterized.parameters("dog", "ldog")
  def test_without_compensation_there_is_a_warning(self, name):
    def make():
      return getattr(optax_stepsize, name)(compensate=False)

    with self.assertWarnsRegex(UserWarning, "dog: .* are rounded away"):
      train(make, jnp.bfloat16)

  @parameterized.parameters("dog", "ldog", "prodigy")
  def test_without_compensation_the_step_size_is_wrong(self, name):
    def make():
      return getattr(optax_stepsize, name)(compensate=False)

    with warnings.catch_warnings():
      warnings.simplefilter("ignore")
      params, _, steps, _ = train(make, jnp.bfloat16)
    for found, right in zip(
      jax.tree.leaves(steps), jax.tree.leaves(wide(name)[2]), strict=True
    ):
      self.assertLess(found, 0.02 * right)
    self.assertGreater(loss(params), 0.5 * loss(START))

  def test_estimate_of_prodigy(self):
    # In bfloat16 alone it stays at its start.
    found, wanted = (
      optax.tree.get(run[3], "distance")
      for run in (train(METHODS["prodigy"], jnp.bfloat16), wide("prodigy"))
    )
    np.testing.assert_allclose(found, wanted, rtol=0.05)
    self.assertGreater(found, 1e5 * 1e-6)


class ScheduleFreeTest(parameterized.TestCase):
  @parameterized.parameters(jnp.bfloat16, jnp.float16)
  def test_average_is_close_to_that_of_float32(self, dtype):
    def make():
      return optax_stepsize.schedule_free_adamw(0.1, warmup_steps=10)

    _, average, _, state = train(make, dtype, jnp.float32)
    _, wanted, _, _ = train(make, jnp.float32)
    for name in START:
      self.assertEqual(state.x[name].dtype, jnp.float32)
      np.testing.assert_allclose(state.x[name], wanted[name], atol=0.02)
    self.assertLess(loss(average), 0.02 * loss(START))

  @parameterized.named_parameters(
    ("adamw", optax_stepsize.schedule_free_adamw),
    ("radam", optax_stepsize.schedule_free_radam),
    ("sgd", optax_stepsize.schedule_free_sgd),
    (
      "wrapper",
      functools.partial(optax_stepsize.schedule_free, optax.sgd),
    ),
  )
  def test_average_beside_a_float64_oracle(self, make):
    # 3000 noisy steps; the same gradients for every precision.
    rng = np.random.RandomState(0)
    start = np.ones(256, np.float32)
    noise = np.float32(0.5 * rng.standard_normal((3000, 256)))
    drift = np.float32(np.exp(-np.arange(3000) / 50))[:, None] * (start - 0.3)
    grads = noise + drift

    def average(dtype, store_x=None):
      tx = make(0.05, store_x=store_x)

      def step(carry, grad):
        params, state = carry
        updates, state = tx.update(grad, state, params)
        return (optax.apply_updates(params, updates), state), None

      def run(params, grads):
        carry = (params, tx.init(params))
        params, state = jax.lax.scan(step, carry, grads)[0]
        # The view in the precision that the state allows.
        return state.eval_params(params.astype(core.wide_dtype(params.dtype)))

      found = jax.jit(run)(jnp.asarray(start, dtype), jnp.asarray(grads))
      return np.asarray(found, np.float64)

    with core.enable_x64(True):
      oracle = average(jnp.float64)

    def error(found):
      return np.sqrt(np.mean((found - oracle) ** 2))

    float32 = error(average(jnp.float32))
    narrow = error(average(jnp.bfloat16))
    rebuilt = error(average(jnp.bfloat16, store_x=False))
    self.assertLess(float32, 1e-4)
    self.assertLess(narrow, 2 * float32)
    self.assertGreater(rebuilt, 20 * narrow)

  def test_weights_do_not_stop(self):
    # In bfloat16 a sum of equal weights stops at 256.
    tx = optax_stepsize.schedule_free_adamw(1.0, weight_lr_power=0.0)
    params = jnp.ones(2, jnp.bfloat16)

    @jax.jit
    def run(params):
      def step(state, _):
        return tx.update(params, state, params)[1], None

      return jax.lax.scan(step, tx.init(params), length=400)[0]

    self.assertEqual(run(params).weight_sum, 400)


if __name__ == "__main__":
  absltest.main()
