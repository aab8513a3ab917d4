# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `compensated`."""

from absl.testing import absltest
from absl.testing import parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

STEPS = 1000
NARROW = (("bfloat16", jnp.bfloat16), ("float16", jnp.float16))


def train(tx, params, grads):
  """Parameters and state after a stream of gradients, in one program."""

  def step(carry, grad):
    params, state = carry
    updates, state = tx.update(grad, state, params)
    return (optax.apply_updates(params, updates), state), None

  def run(params, grads):
    return jax.lax.scan(step, (params, tx.init(params)), grads)[0]

  return jax.jit(run)(params, grads)


def spacing(x):
  """Distance between neighbouring numbers of the dtype around `x`."""
  info = jnp.finfo(x.dtype)
  x = np.maximum(np.abs(np.asarray(x, np.float64)), float(info.smallest_normal))
  return 2.0 ** (np.floor(np.log2(x)) - info.nmant)


class CompensatedTest(parameterized.TestCase):
  def test_states_share_no_buffer_with_parameters(self):
    # The state of Optax's DoG holds the parameters that it is given.
    tx = core.compensated(optax.contrib.dog(1.0))
    params = jnp.ones(4)

    def step(params, state):
      updates, state = tx.update(params - 3, state, params)
      return optax.apply_updates(params, updates), state

    with jax.numpy_dtype_promotion("standard"):
      jax.jit(step, donate_argnums=(0, 1))(params, tx.init(params))

  @parameterized.parameters(0, np.False_)
  def test_what_equals_false_is_false(self, value):
    state = optax_stepsize.dog(compensate=value).init(jnp.ones(2))
    self.assertNotIsInstance(state, core.CompensatedState)

  @parameterized.parameters("no", 2.5)
  def test_compensate_is_checked(self, value):
    with self.assertRaisesRegex(ValueError, "dog: compensate must be one of"):
      optax_stepsize.dog(compensate=value)

  @parameterized.named_parameters(*NARROW)
  def test_tiny_steps_add_up(self, dtype):
    rng = np.random.RandomState(0)
    start = jnp.asarray([1.0, -2.0, 0.37, 100.0, 0.0], dtype)
    size = np.array([1.0, 2.0, 0.37, 100.0, 1.0])
    grads = jnp.asarray(size * rng.uniform(0, 2e-4, (STEPS, 5)), dtype)
    exact = np.asarray(start, np.float64) - np.sum(
      np.asarray(grads, np.float64), axis=0
    )
    params, state = train(core.compensated(optax.sgd(1.0)), start, grads)
    held = np.asarray(state.widen(params), np.float64)
    # Each step rounds the residual, half a spacing, to its own precision.
    rounding = 2.0 ** (-2 * jnp.finfo(dtype).nmant - 2)
    error = np.abs(held - exact) / size
    self.assertLess(np.max(error), STEPS**0.5 * rounding)
    stored = np.asarray(params, np.float64)
    np.testing.assert_array_less(np.abs(stored - exact), 0.65 * spacing(params))
    plain, _ = train(optax.sgd(1.0), start, grads)
    plain_error = np.abs(np.asarray(plain, np.float64) - exact)[:-1]
    self.assertGreater(np.min(plain_error / size[:-1]), 20 * np.max(error))

  @parameterized.named_parameters(*NARROW)
  def test_jit_rounds_as_eager_execution_does(self, dtype):
    # XLA may leave out a cast down and up again.
    tx = core.compensated(optax.sgd(1.0))
    rng = np.random.RandomState(1)
    params = jnp.asarray(rng.uniform(-3, 3, 7), dtype)
    grads = jnp.asarray(rng.uniform(-0.02, 0.02, (30, 7)), jnp.float32)
    grads = grads.astype(dtype)
    jitted, jitted_state = train(tx, params, grads)
    state = tx.init(params)
    for grad in grads:
      updates, state = tx.update(grad, state, params)
      params = optax.apply_updates(params, updates)
    np.testing.assert_array_equal(jitted, params)
    np.testing.assert_array_equal(jitted_state.residual, state.residual)

  @parameterized.named_parameters(*NARROW)
  def test_rounding_cannot_be_optimised_away(self, dtype):
    # Not every compiler leaves out casts, so that numbers may not show it.
    tx = core.compensated(optax.sgd(1.0))
    params = jnp.ones(2, dtype)
    program = str(jax.make_jaxpr(tx.update)(params, tx.init(params), params))
    info = jnp.finfo(dtype)
    bits = rf"exponent_bits={info.nexp}\s+mantissa_bits={info.nmant}"
    self.assertRegex(program, rf"reduce_precision\[\s*{bits}")

  @parameterized.named_parameters(*NARROW)
  def test_residual_stays_within_half_a_spacing(self, dtype):
    rng = np.random.RandomState(2)
    params = jnp.asarray(rng.uniform(-3, 3, 50), dtype)
    grads = jnp.asarray(rng.uniform(-2, 2, (50, 50)), dtype)
    params, state = train(core.compensated(optax.sgd(1e-2)), params, grads)
    ratio = np.abs(np.asarray(state.residual, np.float64)) / spacing(params)
    self.assertLessEqual(np.max(ratio), 0.51)
    self.assertGreater(np.max(ratio), 0.3)

  @parameterized.parameters(0.0, 3e-5, 1e-6, -2e-5, 7e-5)
  def test_float16_near_zero(self, start):
    # Below 6.1e-5 float16 numbers are subnormal.
    params = jnp.full(3, start, jnp.float16)
    expected = np.asarray(params, np.float64) + 20 * 1e-6
    grads = jnp.full((20, 3), -1e-6, jnp.float16)
    params, state = train(core.compensated(optax.sgd(1.0)), params, grads)
    np.testing.assert_allclose(state.widen(params), expected, atol=2e-6)

  def test_wide_leaves_pass_through(self):
    params = {"w": jnp.ones(3), "h": jnp.ones(2, jnp.bfloat16)}
    grads = {"w": jnp.full(3, 1e-5), "h": jnp.full(2, 1e-5, jnp.bfloat16)}
    bare = optax.sgd(1e-3, momentum=0.9)
    tx = core.compensated(bare)
    state = tx.init(params)
    self.assertTrue(core.is_absent(state.residual["w"]))
    self.assertEqual(state.residual["h"].dtype, jnp.bfloat16)
    updates, state = tx.update(grads, state, params)
    expected, _ = bare.update(grads, bare.init(params), params)
    chex.assert_trees_all_equal(updates["w"], expected["w"])
    chex.assert_trees_all_equal_dtypes(updates, params)
    self.assertEqual(state.widen(params)["h"].dtype, jnp.float32)
    self.assertIs(state.widen(params)["w"], params["w"])
    # The wrapped method sees float32 parameters and gradients.
    trace = optax.tree.get(state.inner_state, "trace")
    self.assertEqual(trace["h"].dtype, jnp.float32)

  def test_float64_passes_through(self):
    with core.enable_x64(True):
      params = jnp.ones(2)
      tx = core.compensated(optax.sgd(1.0))
      updates, state = tx.update(jnp.full(2, 1e-12), tx.init(params), params)
      np.testing.assert_array_equal(updates, -1e-12)
      self.assertTrue(core.is_absent(state.residual))

  def test_state_costs_two_bytes_per_narrow_parameter(self):
    params = {"w": jnp.ones(100), "h": jnp.ones(100, jnp.bfloat16)}
    state = core.compensated(optax.sgd(1.0)).init(params)
    self.assertLess(sum(x.nbytes for x in jax.tree.leaves(state)), 204)
    self.assertEqual(state.residual["h"].nbytes, 200)

  @parameterized.named_parameters(
    ("chain", lambda tx, labels: optax.chain(optax.clip(1.0), tx)),
    ("masked", lambda tx, labels: optax.masked(tx, labels)),
    (
      "nested_masked",
      lambda tx, labels: optax.masked(
        optax.masked(tx, lambda p: jax.tree.map(lambda _: True, p)), labels
      ),
    ),
    (
      "partition",
      lambda tx, labels: optax.partition(
        {True: tx, False: optax.set_to_zero()}, labels
      ),
    ),
    (
      "around_masked",
      lambda tx, labels: core.compensated(optax.masked(tx, labels)),
    ),
  )
  def test_inside_wrappers(self, wrap):
    params = {"h": jnp.ones(3, jnp.bfloat16), "w": jnp.ones(2)}
    grads = jax.tree.map(lambda p: jnp.full((200, *p.shape), 1e-3), params)
    grads["w"] = 0 * grads["w"]
    grads = core.cast_like(grads, params)
    labels = {"h": True, "w": False}
    tx = wrap(core.compensated(optax.sgd(1.0)), labels)
    params, _ = train(tx, params, grads)
    np.testing.assert_allclose(
      np.asarray(params["h"], np.float32), 0.8, atol=3e-3
    )
    np.testing.assert_array_equal(params["w"], 1.0)

  def test_extra_arguments_reach_the_wrapped_method(self):
    def update(updates, state, params, *, value, **extra_args):
      del params, extra_args
      return jax.tree.map(lambda g: g * value, updates), state

    inner = optax.GradientTransformationExtraArgs(lambda _: (), update)
    tx = core.compensated(inner)
    params = jnp.ones(2, jnp.bfloat16)
    updates, _ = tx.update(params, tx.init(params), params, value=4.0, x=1)
    np.testing.assert_array_equal(np.asarray(updates, np.float32), 4)

  def test_params_are_needed(self):
    tx = core.compensated(optax.sgd(1.0))
    params = jnp.ones(2)
    with self.assertRaisesRegex(ValueError, "compensated: update.. needs `par"):
      tx.update(params, tx.init(params))

  @parameterized.parameters((None, True), (True, True), (False, False))
  def test_compensate_if(self, compensate, compensated):
    tx = core.compensate_if(
      "mine", optax.with_extra_args_support(optax.sgd(1.0)), compensate
    )
    # The structure does not depend on dtypes.
    for dtype in (jnp.float32, jnp.bfloat16):
      state = tx.init(jnp.ones(2, dtype))
      self.assertEqual(isinstance(state, core.CompensatedState), compensated)

  def test_errors_name_the_method_that_compensates(self):
    for name in ("prodigy", "dog", "ldog"):
      tx = getattr(optax_stepsize, name)()
      with self.assertRaisesRegex(ValueError, f"^{name}: params.'ids'. has"):
        tx.init({"ids": jnp.arange(3)})
      with self.assertRaisesRegex(ValueError, f"^{name}: update.. needs `par"):
        tx.update(jnp.ones(2), tx.init(jnp.ones(2)))

  def test_mask_like(self):
    masked = {"a": optax.MaskedNode(), "b": jnp.ones(2)}
    params = {"a": {"c": jnp.ones(1)}, "b": jnp.zeros(2)}
    found = core.mask_like(params, masked)
    self.assertEqual(found["a"], optax.MaskedNode())
    self.assertIs(found["b"], params["b"])


if __name__ == "__main__":
  absltest.main()
