# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `accumulate`."""

from absl.testing import absltest
from absl.testing import parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

K = 4
STEPS = 3


def problem():
  """Inputs and targets of least squares: STEPS batches of K micro-batches."""
  rng = np.random.RandomState(0)
  inputs = rng.standard_normal((STEPS, K, 6, 3))
  targets = inputs @ [1.0, -2.0, 0.5] + 0.1 * rng.standard_normal((STEPS, K, 6))
  return jnp.float32(inputs), jnp.float32(targets)


def loss(params, inputs, targets):
  errors = inputs @ params["w"] + params["b"] - targets
  return jnp.mean(errors**2)


def train(tx, batches):
  """Parameters, updates and values of one update per batch."""

  def step(carry, batch):
    params, state = carry
    value, grads = jax.value_and_grad(loss)(params, *batch)
    updates, state = tx.update(grads, state, params, value=value)
    return (optax.apply_updates(params, updates), state), (updates, value)

  params = {"w": jnp.zeros(3), "b": jnp.zeros(())}
  run = jax.jit(
    lambda params: jax.lax.scan(step, (params, tx.init(params)), batches)
  )
  (params, state), (updates, values) = run(params)
  return params, state, updates, values


def recorder():
  """Returns gradients; keeps the extra arguments that it was given."""

  def update(updates, state, params, **extra_args):
    del params
    return updates, {k: core.as_scalar(extra_args[k], "float32") for k in state}

  names = ("value", "f_min", "other")
  return optax.GradientTransformationExtraArgs(
    lambda _: {name: jnp.zeros(()) for name in names}, update
  )


METHODS = (
  ("sps", optax_stepsize.sps),
  ("dog", lambda: optax_stepsize.dog(reps_rel=0.1)),
  ("prodigy", lambda: optax_stepsize.prodigy(d0=0.1)),
  ("schedule_free", lambda: optax_stepsize.schedule_free_adamw(0.1)),
)


class AccumulateTest(parameterized.TestCase):
  @parameterized.named_parameters(*METHODS)
  def test_micro_batches_equal_one_batch(self, make):
    inputs, targets = problem()
    whole = (inputs.reshape(STEPS, -1, 3), targets.reshape(STEPS, -1))
    micro = (inputs.reshape(-1, 6, 3), targets.reshape(-1, 6))
    expected, bare_state, _, _ = train(make(), whole)
    params, state, updates, values = train(core.accumulate(make(), K), micro)
    chex.assert_trees_all_close(params, expected, rtol=1e-6, atol=1e-6)
    chex.assert_trees_all_close(
      state.inner_state, bare_state, rtol=2e-6, atol=1e-6
    )
    self.assertGreater(np.ptp(values[:K]), 0.1)  # the average matters
    for leaf in jax.tree.leaves(updates):
      moved = np.abs(leaf.reshape(STEPS * K, -1)).max(axis=1) > 0
      np.testing.assert_array_equal(moved, [False, False, False, True] * STEPS)

  def test_multi_steps_sees_the_last_loss_only(self):
    inputs, targets = problem()
    whole = (inputs.reshape(STEPS, -1, 3), targets.reshape(STEPS, -1))
    micro = (inputs.reshape(-1, 6, 3), targets.reshape(-1, 6))
    expected = train(optax_stepsize.sps(), whole)[2]
    multi = optax.MultiSteps(optax_stepsize.sps(), K)
    with jax.numpy_dtype_promotion("standard"):  # which MultiSteps needs
      found = train(multi.gradient_transformation(), micro)[2]
    ratio = found["w"][K - 1] / expected["w"][0]
    self.assertGreater(np.min(np.abs(ratio - 1)), 0.05)

  def test_the_case_that_users_met(self):
    # The mean loss 6.25 and not the last one, 1.
    grads = jnp.ones(2)
    tx = core.accumulate(optax_stepsize.sps(1.0, eps=0.0), K)
    state = tx.init(grads)
    for value in (8.0, 8.0, 8.0, 1.0):
      updates, state = tx.update(grads, state, grads, value=value)
    np.testing.assert_allclose(updates, -6.25 / 2)

  def test_state_waits_for_the_last_micro_batch(self):
    tx = core.accumulate(optax_stepsize.sps(), 2)
    params = jnp.ones(2)
    start = tx.init(params)
    updates, state = tx.update(params, start, params, value=3.0)
    np.testing.assert_array_equal(updates, 0)
    chex.assert_trees_all_equal(state.inner_state, start.inner_state)
    self.assertEqual((state.mini_step, state.sums["value"]), (1, 3))
    np.testing.assert_array_equal(state.grad_sum, params)
    _, state = tx.update(params, state, params, value=3.0)
    self.assertEqual((state.mini_step, state.sums["value"]), (0, 0))
    np.testing.assert_array_equal(state.grad_sum, 0)

  def test_one_micro_batch_is_no_accumulation(self):
    inputs, targets = problem()
    batches = (inputs[:, 0], targets[:, 0])
    bare = train(optax_stepsize.sps(), batches)[2]
    chex.assert_trees_all_close(
      train(core.accumulate(optax_stepsize.sps(), 1), batches)[2], bare
    )

  def test_only_named_scalars_are_averaged(self):
    tx = core.accumulate(recorder(), 2, averaged=("value", "f_min"))
    params = jnp.ones(2)
    state = tx.init(params)
    for number in (1.0, 2.0):
      inputs = {"value": number, "f_min": 10 * number, "other": 100 * number}
      _, state = tx.update(params, state, params, **inputs)
    self.assertEqual(
      state.inner_state, {"value": 1.5, "f_min": 15.0, "other": 200.0}
    )

  def test_average_of_a_lower_bound_reaches_the_method(self):
    sps = optax_stepsize.sps(1.0, eps=0.0)
    tx = core.accumulate(sps, 2, averaged=("value", "f_min"))
    params = jnp.ones(2)
    state = tx.init(params)
    for value, f_min in ((4.0, 0.0), (6.0, 2.0)):
      updates, state = tx.update(
        params, state, params, value=value, f_min=f_min
      )
    np.testing.assert_allclose(updates, -(5 - 1) / 2)

  def test_scalars_that_are_not_given_are_not_passed_on(self):
    tx = core.accumulate(optax_stepsize.sps(), 1)
    params = jnp.ones(2)
    with self.assertRaisesRegex(ValueError, "sps: update.. needs `value`"):
      tx.update(params, tx.init(params), params)
    plain = core.accumulate(optax.sgd(1.0), 1)
    updates, _ = plain.update(params, plain.init(params))
    np.testing.assert_array_equal(updates, -1)

  @parameterized.parameters("value", "grads")
  def test_what_is_not_finite_costs_one_update_only(self, where):
    tx = core.accumulate(optax_stepsize.sps(1.0, eps=0.0), 2)
    params = jnp.ones(2)
    for bad in (np.nan, np.inf, -np.inf):
      state = tx.init(params)
      step = jax.jit(tx.update)
      start = state
      for scale in (bad, 1.0):
        value, grad_scale = (scale, 1.0) if where == "value" else (1.0, scale)
        updates, state = step(grad_scale * params, state, params, value=value)
        np.testing.assert_array_equal(updates, 0)
      old, new = (core.step_sizes(s.inner_state) for s in (start, state))
      self.assertEqual(old, new)
      for _ in range(2):
        updates, state = step(params, state, params, value=4.0)
      np.testing.assert_allclose(updates, -2)

  def test_gradients_are_summed_in_float32(self):
    # In bfloat16 a sum of ones stops at 256.
    params = jnp.zeros(2, jnp.bfloat16)
    tx = core.accumulate(optax.sgd(1.0), 512)
    grads = jnp.ones((512, 2), jnp.bfloat16)

    @jax.jit
    def run(params, grads):
      def step(state, grad):
        updates, state = tx.update(grad, state, params)
        return state, updates

      return jax.lax.scan(step, tx.init(params), grads)[1]

    updates = run(params, grads)
    self.assertEqual(updates.dtype, jnp.bfloat16)
    self.assertEqual(updates[-1, 0], -1)

  def test_avals_stay(self):
    tx = core.accumulate(optax_stepsize.sps(), 2)
    params = {"w": jnp.ones((2, 3), jnp.bfloat16), "none": None}
    state = jax.eval_shape(tx.init, params)
    for value in (1.0, jnp.asarray(1.0), np.float16(1)):
      new = jax.eval_shape(tx.update, params, state, params, value=value)[1]
      self.assertEqual(new, state)
      self.assertFalse(any(x.weak_type for x in jax.tree.leaves(new)))

  def test_wrapped_in_compensation_and_the_reverse(self):
    params = jnp.ones(3, jnp.bfloat16)
    for tx in (
      core.accumulate(core.compensated(optax.sgd(1e-3)), 2),
      core.compensated(core.accumulate(optax.sgd(1e-3), 2)),
    ):

      def step(carry, _, tx=tx):
        params, state = carry
        updates, state = tx.update(jnp.ones_like(params), state, params)
        return (optax.apply_updates(params, updates), state), None

      run = jax.jit(
        lambda p, tx=tx, step=step: jax.lax.scan(
          step, (p, tx.init(p)), length=400
        )[0][0]
      )
      np.testing.assert_allclose(np.float32(run(params)), 0.8, atol=3e-3)

  def test_arrays_and_trees_are_averaged(self):
    def update(updates, state, params, **extra_args):
      del params, state
      return updates, {k: extra_args[k] for k in ("value", "hvp", "probe")}

    def init(params):
      return {"value": jnp.zeros(2), "hvp": params, "probe": params}

    keeper = optax.GradientTransformationExtraArgs(init, update)
    params = {"w": jnp.ones(3), "b": jnp.ones((), jnp.bfloat16)}
    tx = core.accumulate(
      keeper, 2, averaged={"value": (2,), "hvp": "params", "grad": "params"}
    )
    state = tx.init(params)
    self.assertEqual(set(state.sums), {"value", "hvp", "grad"})
    for number in (1.0, 4.0):
      tree = jax.tree.map(lambda p, n=number: n * p, params)
      _, state = tx.update(
        params,
        state,
        params,
        value=jnp.array([number, 0]),
        hvp=tree,
        probe=tree,
      )
    kept = state.inner_state
    np.testing.assert_array_equal(kept["value"], [2.5, 0])
    chex.assert_trees_all_equal(
      kept["hvp"], jax.tree.map(lambda p: 2.5 * p, params)
    )
    chex.assert_trees_all_equal(kept["probe"], tree)
    chex.assert_trees_all_equal_dtypes(kept["hvp"], params)
    chex.assert_trees_all_equal(state.sums, tx.init(params).sums)

  def test_sums_of_trees_are_sharded_like_parameters(self):
    averaged = {"value": (), "hvp": "params"}
    tx = core.accumulate(optax_stepsize.sps(), 2, averaged=averaged)
    params = {"w": jnp.ones(3), "b": jnp.ones(())}
    found = core.state_sharding(tx, params, {"w": "rows", "b": "none"})
    self.assertEqual(found.sums["hvp"]["w"], "rows")

  def test_another_shape_is_refused(self):
    tx = core.accumulate(optax_stepsize.sps(), 2)
    params = jnp.ones(2)
    with self.assertRaises(ValueError) as error:
      tx.update(params, tx.init(params), params, value=jnp.ones(2))
    self.assertEqual(
      str(error.exception),
      "accumulate: value must have the shape (), got (2,). Fix: average it over"
      " the micro-batch, or say averaged={'value': (2,)}.",
    )

  @parameterized.parameters(0, -1, 1.5, True, "2")
  def test_number_of_micro_batches_is_checked(self, k):
    with self.assertRaises(ValueError) as error:
      core.accumulate(optax.sgd(1.0), k)
    self.assertEqual(
      str(error.exception),
      f"accumulate: k must be an integer >= 1, got {k!r}.",
    )


class MeanOverBatchesTest(parameterized.TestCase):
  def test_equals_the_whole_batch(self):
    inputs, targets = problem()
    params = {"w": jnp.array([0.3, -1.0, 2.0]), "b": jnp.ones(())}
    mean = core.mean_over_batches(
      lambda p, batch: jax.value_and_grad(loss)(p, *batch),
      (inputs[0], targets[0]),
    )
    for call in (mean, jax.jit(mean)):
      value, grads = call(params)
      wanted, wanted_grads = jax.value_and_grad(loss)(
        params, inputs[0].reshape(-1, 3), targets[0].reshape(-1)
      )
      np.testing.assert_allclose(value, wanted, rtol=1e-6)
      chex.assert_trees_all_close(grads, wanted_grads, rtol=1e-5)

  def test_sums_are_wide_and_the_mean_is_not(self):
    # In bfloat16 a sum of ones stops at 256.
    batches = jnp.ones((512, 1), jnp.bfloat16)
    mean = core.mean_over_batches(lambda x, batch: x * jnp.sum(batch), batches)
    found = mean(jnp.asarray(3.0, jnp.bfloat16))
    self.assertEqual(found.dtype, jnp.bfloat16)
    self.assertEqual(found, 3)

  def test_takes_the_memory_of_one_micro_batch(self):
    def hidden(x, batch):
      return jnp.sum(jnp.tanh(batch[:, None] * x))

    def memory(number):
      batches = jax.ShapeDtypeStruct((number, 64), jnp.float32)
      x = jax.ShapeDtypeStruct((1, 1000), jnp.float32)
      run = jax.jit(lambda b, x: core.mean_over_batches(jax.grad(hidden), b)(x))
      compiled = run.lower(batches, x).compile()
      return compiled.memory_analysis().temp_size_in_bytes

    self.assertLess(memory(32), 1.1 * memory(2) + 1e4)

  @parameterized.named_parameters(
    ("unequal", (jnp.ones((2, 3)), jnp.ones(3)), r"\[\(2, 3\), \(3,\)\]"),
    ("scalar", jnp.ones(()), r"\[\(\)\]"),
    ("none", (), r"\[\]"),
    ("empty", jnp.ones((0, 3)), r"\[\(0, 3\)\]"),
  )
  def test_batches_are_checked(self, batches, shapes):
    text = rf"^mean_over_batches: batches must .*, got shapes {shapes}. Fix: st"
    with self.assertRaisesRegex(ValueError, text):
      core.mean_over_batches(lambda x, batch: x, batches)


if __name__ == "__main__":
  absltest.main()
