# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `eval_params` and `has_eval_params`: finding the average."""

import functools
from typing import Any, NamedTuple

from absl.testing import absltest
from absl.testing import parameterized
import chex
import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core
from optax_stepsize import linen

PARAMS = {"w": np.float32([3.0, -2.0]), "b": np.float32(0.5)}
GRADS = {"w": np.float32([1.0, 0.5]), "b": np.float32(-2.0)}
LABELS = {"w": "average", "b": "other"}
ONLY_W = {"w": True, "b": False}


def averaging(gamma=0.0):
  """SGD of which the plain mean of the points is evaluated."""
  return optax.chain(
    optax.scale(-0.5), optax_stepsize.polynomial_decay_averaging(gamma)
  )


def schedule_free(**options):
  return optax_stepsize.schedule_free_adamw(0.1, **options)


def train(tx, steps=3, grads=GRADS, params=PARAMS):
  """Parameters and state after some equal gradients."""
  params, grads = jax.tree.map(jnp.asarray, (params, grads))
  tx = optax.with_extra_args_support(tx)

  def step(carry, _):
    params, state = carry
    updates, state = tx.update(grads, state, params, value=jnp.ones(()))
    return (optax.apply_updates(params, updates), state), None

  def run(params):
    return jax.lax.scan(step, (params, tx.init(params)), length=steps)[0]

  # The rules of Optax's own wrappers are looser than ours.
  with jax.numpy_dtype_promotion("standard"):
    return jax.jit(run)(params)


def means(steps):
  """Mean of the points of `averaging` after each of `steps` updates."""
  # Points p - 0.5 g k for k = 1, ..., steps.
  return jax.tree.map(lambda p, g: p - 0.25 * (steps + 1) * g, PARAMS, GRADS)


WRAPPERS = (
  ("bare", lambda tx: tx, 1),
  ("chain", lambda tx: optax.chain(optax.clip(9.0), tx), 1),
  ("named_chain", lambda tx: optax.named_chain(("a", tx)), 1),
  (
    "masked",
    lambda tx: optax.masked(tx, jax.tree.map(lambda _: True, PARAMS)),
    1,
  ),
  ("apply_if_finite", lambda tx: optax.apply_if_finite(tx, 3), 1),
  (
    "multi_steps",
    lambda tx: optax.MultiSteps(tx, 2).gradient_transformation(),
    2,
  ),
  ("accumulate", lambda tx: core.accumulate(tx, 2), 2),
  ("compensated", core.compensated, 1),
  ("partition", lambda tx: optax.partition({"all": tx}, "all"), 1),
  (
    "two_levels",
    lambda tx: optax.apply_if_finite(
      core.accumulate(optax.chain(optax.clip(9.0), tx), 2), 3
    ),
    2,
  ),
)


class WrappersTest(parameterized.TestCase):
  @parameterized.named_parameters(*WRAPPERS)
  def test_average_is_found_inside(self, wrap, period):
    tx = wrap(averaging())
    params, state = train(tx, 3 * period)
    self.assertTrue(optax_stepsize.has_eval_params(state))
    found = optax_stepsize.eval_params(state, params)
    chex.assert_trees_all_close(found, means(3), rtol=1e-6)
    self.assertGreater(np.max(np.abs(found["w"] - params["w"])), 0.1)
    chex.assert_trees_all_equal_shapes_and_dtypes(found, params)

  @parameterized.named_parameters(*WRAPPERS)
  def test_view_that_reads_the_parameters_is_found_inside(self, wrap, period):
    bare_params, bare_state = train(schedule_free(), 3)
    wanted = optax_stepsize.eval_params(bare_state, bare_params)
    params, state = train(wrap(schedule_free()), 3 * period)
    chex.assert_trees_all_close(params, bare_params, rtol=1e-6)
    found = optax_stepsize.eval_params(state, params)
    chex.assert_trees_all_close(found, wanted, rtol=1e-5)
    self.assertGreater(np.max(np.abs(found["w"] - params["w"])), 1e-3)

  def test_inject_hyperparams(self):
    tx = optax.inject_hyperparams(
      optax_stepsize.schedule_free_adamw,
      static_args=("warmup_steps",),
      hyperparam_dtype=jnp.float32,
    )(learning_rate=0.1)
    params, state = train(tx)
    bare_params, bare_state = train(schedule_free())
    wanted = optax_stepsize.eval_params(bare_state, bare_params)
    found = optax_stepsize.eval_params(state, params)
    chex.assert_trees_all_close(found, wanted, rtol=1e-5)

  @parameterized.named_parameters(
    ("masked", lambda tx: optax.masked(tx, ONLY_W)),
    (
      "nested_masked",
      lambda tx: optax.masked(
        optax.chain(
          optax.masked(tx, lambda p: jax.tree.map(lambda _: True, p))
        ),
        ONLY_W,
      ),
    ),
    (
      "partition",
      lambda tx: optax.partition(
        {"average": tx, "other": optax.set_to_zero()}, LABELS
      ),
    ),
    (
      "compensated_partition",
      lambda tx: core.compensated(
        optax.partition({"average": tx, "other": optax.sgd(1.0)}, LABELS)
      ),
    ),
  )
  def test_leaves_of_others_are_those_of_the_parameters(self, wrap):
    for inner in (averaging(), schedule_free(), schedule_free(store_x=True)):
      tx = wrap(inner)
      params, state = train(tx)
      found = optax_stepsize.eval_params(state, params)
      self.assertIs(found["b"], params["b"])
      bare_params, bare_state = train(inner)
      wanted = optax_stepsize.eval_params(bare_state, bare_params)
      np.testing.assert_allclose(found["w"], wanted["w"], rtol=1e-5)

  def test_two_methods_on_disjoint_leaves_are_merged(self):
    tx = optax.partition(
      {"average": averaging(), "other": schedule_free()}, LABELS
    )
    params, state = train(tx)
    found = optax_stepsize.eval_params(state, params)
    np.testing.assert_allclose(found["w"], means(3)["w"], rtol=1e-6)
    bare_params, bare_state = train(schedule_free())
    wanted = optax_stepsize.eval_params(bare_state, bare_params)
    np.testing.assert_allclose(found["b"], wanted["b"], rtol=1e-5)

  @parameterized.named_parameters(
    ("chain", lambda: optax.chain(averaging(), averaging(8.0)), "['b']"),
    (
      "masked",
      lambda: optax.chain(averaging(), optax.masked(averaging(), ONLY_W)),
      "['w']",
    ),
    (
      "compensated",
      lambda: core.compensated(optax.chain(averaging(), averaging())),
      "['b']",
    ),
  )
  def test_two_methods_on_the_same_leaf(self, make, path):
    params, state = train(make())
    with self.assertRaises(ValueError) as error:
      optax_stepsize.eval_params(state, params)
    self.assertEqual(
      str(error.exception),
      "eval_params: two averaging methods in this state own the leaf"
      f" params{path}, so that its evaluation point is not defined. Fix:"
      " average each leaf with one method only.",
    )


class OuterState(NamedTuple):
  """A view around another one."""

  inner: Any

  def eval_params(self, params):
    return jax.tree.map(lambda p: p + 1, params)


class ConventionTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("adam", lambda: optax.adam(0.1)),
    ("prodigy", optax_stepsize.prodigy),
    ("dog", optax_stepsize.dog),
    ("sps", optax_stepsize.sps),
    ("lookahead_free_chain", lambda: optax.chain(optax.clip(1.0))),
  )
  def test_without_an_average_the_leaves_are_the_same(self, make):
    params = jax.tree.map(jnp.asarray, PARAMS)
    state = make().init(params)
    self.assertFalse(optax_stepsize.has_eval_params(state))
    found = optax_stepsize.eval_params(state, params)
    for old, new in zip(
      jax.tree.leaves(params), jax.tree.leaves(found), strict=True
    ):
      self.assertIs(old, new)

  def test_the_outermost_decides(self):
    params, state = train(averaging())
    outer = (OuterState(state),)
    self.assertTrue(optax_stepsize.has_eval_params(outer))
    found = optax_stepsize.eval_params(outer, params)
    np.testing.assert_allclose(found["w"], params["w"] + 1)

  def test_names_of_fields_do_not_matter(self):
    class Lookalike(NamedTuple):
      z: Any
      x: Any
      average: Any

    params = jax.tree.map(jnp.asarray, PARAMS)
    state = Lookalike(params, params, params)
    self.assertFalse(optax_stepsize.has_eval_params(state))
    self.assertIs(optax_stepsize.eval_params(state, params)["w"], params["w"])

  def test_it_is_pure_and_can_be_jitted(self):
    params, state = train(schedule_free())
    before = jax.tree.map(np.array, (params, state))
    found = jax.jit(optax_stepsize.eval_params)(state, params)
    chex.assert_trees_all_close(
      found, optax_stepsize.eval_params(state, params), rtol=1e-6
    )
    chex.assert_trees_all_equal(before, jax.tree.map(np.array, (params, state)))

  @parameterized.product(
    dtype=(jnp.bfloat16, jnp.float16),
    make=(
      averaging,
      schedule_free,
      lambda: core.compensated(averaging()),
      lambda: core.compensated(schedule_free()),
      lambda: optax.chain(
        optax_stepsize.dog(), optax_stepsize.polynomial_decay_averaging()
      ),
    ),
  )
  def test_dtypes_are_those_of_the_parameters(self, dtype, make):
    params, grads = (
      jax.tree.map(lambda x: jnp.asarray(x, dtype), t) for t in (PARAMS, GRADS)
    )
    params, state = train(make(), 3, grads, params)
    found = optax_stepsize.eval_params(state, params)
    chex.assert_trees_all_equal_shapes_and_dtypes(found, params)

  def test_average_inside_compensation_is_that_of_exact_points(self):
    # Points p + residual, which bfloat16 does not hold.
    params = jnp.ones(2, jnp.bfloat16)
    tx = core.compensated(
      optax.chain(
        optax.sgd(1e-3), optax_stepsize.polynomial_decay_averaging(0.0)
      )
    )
    _, state = train(tx, 100, jnp.ones_like(params), params)
    average = optax.tree.get(state, "average")
    np.testing.assert_allclose(average, 1 - 1e-3 * 101 / 2, atol=1e-4)

  def test_sharding_is_that_of_the_parameters(self):
    if jax.device_count() < 8:
      self.skipTest("needs 8 devices")
    mesh = jax.make_mesh((8,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    rows = NamedSharding(mesh, PartitionSpec("d"))
    params = jax.device_put(jnp.ones((8, 2)), rows)
    for tx in (averaging(), schedule_free(), schedule_free(store_x=True)):
      shardings = core.state_sharding(tx, params)
      state = jax.jit(tx.init, out_shardings=shardings)(params)
      found = jax.jit(core.eval_params, out_shardings=rows)(state, params)
      self.assertEqual(found.sharding, rows)
      self.assertEqual(core.eval_params(state, params).sharding.spec, rows.spec)

  def test_it_outlives_a_donated_state(self):
    for tx in (
      schedule_free(store_x=True),
      averaging(),
      optax_stepsize.lookahead(optax.sgd(0.1)),
    ):
      params, state = train(tx)

      def step(params, state, tx=tx):
        updates, state = tx.update(GRADS, state, params)
        return optax.apply_updates(params, updates), state

      found = optax_stepsize.eval_params(state, params)
      expected = jax.device_get(found)
      jax.jit(step, donate_argnums=(0, 1))(params, state)
      chex.assert_trees_all_equal(found, expected)

  def test_placeholders_survive_arithmetic_on_states(self):
    found = []
    for store_x in (None, True):
      tx = optax.contrib.sam(
        optax_stepsize.schedule_free_sgd(0.3, store_x=store_x),
        optax.chain(optax.contrib.normalize(), optax.sgd(0.01)),
      )
      params = jnp.zeros(2)
      state = tx.init(params)
      with jax.numpy_dtype_promotion("standard"):
        for _ in range(20):
          updates, state = tx.update(params - 2.0, state, params)
          params = optax.apply_updates(params, updates)
      found.append(optax_stepsize.eval_params(state, params))
    self.assertGreater(np.min(found[0]), 1)
    np.testing.assert_allclose(*found, rtol=1e-5)

  def test_a_parameter_may_be_called_step_size(self):
    params = {"step_size": jnp.ones(3), "w": jnp.ones(2)}
    for make, number in (
      (optax_stepsize.prodigy, 1),
      (optax_stepsize.dog, 1),
      (optax_stepsize.ldog, 1),
      (functools.partial(optax.adam, 0.1), 0),
    ):
      self.assertLen(core.step_sizes(make().init(params)), number)

  def test_what_is_evaluated_is_what_is_exported(self):
    # Training point and exported point have different losses.
    def loss(params):
      return jnp.sum((params["w"] - 3.0) ** 2)

    state = linen.TrainState.create(
      apply_fn=None, params={"w": jnp.zeros(2)}, tx=schedule_free()
    )

    @jax.jit
    def step(state):
      return state.apply_gradients(grads=jax.grad(loss)(state.params))

    for _ in range(5):
      state = step(state)
    exported = state.eval_params
    chex.assert_trees_all_equal(
      exported, optax_stepsize.eval_params(state.opt_state, state.params)
    )
    self.assertNotEqual(loss(exported), loss(state.params))


if __name__ == "__main__":
  chex.set_n_cpu_devices(8)
  absltest.main()
