# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `lookahead` and `optimal_slow_step_size`."""

import functools
from typing import Any, NamedTuple

from absl.testing import absltest
from absl.testing import parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import catalogue
from optax_stepsize import core

# The problem below is that of one copy of the parameters.
WRAPPED = tuple(
  row
  for row in catalogue.ROWS.values()
  if row.kind not in ("schedule", "tool", "twins")
)
MODES = ("none", "reset", "pullback")
# On x^2 / 2 + 3 y^2 / 2 from (1, -2), by SGD of rate 0.1 and momentum 0.9, with
# k = 3 and a half: fast weights after steps 4 to 7.
FIRST = [[0.9, -1.4], [0.72, -0.44], [0.743, -0.722]]
FAST = {
  "none": [
    [0.4581, 0.391],
    [0.15588, 1.2754],
    [0.305647, 0.48337],
    [0.0162549, 0.710365],
  ],
  "reset": [
    [0.6687, -0.5054],
    [0.53496, -0.15884],
    [0.552049, -0.260642],
    [0.4968441, -0.1824494],
  ],
  "pullback": [
    [0.5634, -0.0572],
    [0.34542, 0.55828],
    [0.428848, 0.111364],
    [0.2294874, 0.4759564],
  ],
}


def descend(tx, steps, start=(1.0, -2.0), curvature=(1.0, 3.0), dtype=None):
  """Points, slow weights and states of a quadratic, in float64."""
  tx = optax.with_extra_args_support(tx)

  def step(carry, _):
    params, state = carry
    grads = jnp.asarray(curvature, params.dtype) * params
    updates, state = tx.update(grads, state, params)
    params = optax.apply_updates(params, updates)
    slow = core.eval_params(state, params)
    return (params, state), (params, slow, state)

  def run(params):
    carry = (params, tx.init(params))
    return jax.lax.scan(step, carry, length=steps)[1]

  # The rules of Optax's optimizers are looser than ours.
  with core.enable_x64(True), jax.numpy_dtype_promotion("standard"):
    found = jax.jit(run)(jnp.asarray(start, dtype or jnp.float64))
    return jax.device_get(found)


def heavy_ball(**options):
  return optax_stepsize.lookahead(optax.sgd(0.1, momentum=0.9), 3, **options)


class NumbersTest(parameterized.TestCase):
  @parameterized.parameters(*MODES)
  def test_fast_weights(self, momentum):
    points, slow, state = descend(heavy_ball(momentum=momentum), 7)
    np.testing.assert_allclose(points[:3], FIRST, rtol=1e-12)
    np.testing.assert_allclose(points[3:], FAST[momentum], rtol=2e-6)
    np.testing.assert_array_equal(state.count, [1, 2, 0, 1, 2, 0, 1])
    np.testing.assert_array_equal(state.num_syncs, [0, 0, 1, 1, 1, 2, 2])
    for k in (2, 5):
      np.testing.assert_array_equal(points[k], slow[k])
    np.testing.assert_array_equal(slow[0], [1, -2])
    np.testing.assert_array_equal(slow[3], slow[2])

  def test_first_pullback_halves_momentum(self):
    traces = [
      optax.tree.get(
        descend(heavy_ball(momentum=m), 3)[2].inner_state, "trace"
      )[2]
      for m in ("none", "pullback")
    ]
    np.testing.assert_allclose(traces[1], traces[0] / 2, rtol=1e-14)

  def test_one_for_the_slow_step_is_the_inner_optimizer(self):
    for inner in (optax.sgd(0.1, momentum=0.9), optax.adam(0.1)):
      points = descend(optax_stepsize.lookahead(inner, 3, 1.0), 9)[0]
      np.testing.assert_allclose(points, descend(inner, 9)[0], rtol=1e-12)

  def test_period_of_one_scales_the_rate_of_sgd(self):
    points = descend(optax_stepsize.lookahead(optax.sgd(0.1), 1, 0.3), 9)[0]
    wanted = descend(optax.sgd(0.03), 9)[0]
    np.testing.assert_allclose(points, wanted, rtol=1e-12)

  def test_zero_for_the_slow_step_keeps_the_slow_weights(self):
    points, slow, _ = descend(heavy_ball(slow_step_size=0.0), 9)
    np.testing.assert_array_equal(slow, np.tile([1.0, -2.0], (9, 1)))
    np.testing.assert_allclose(points[5], [1, -2], rtol=1e-14)

  def test_zero_gradients_still_pull_the_fast_weights_back(self):
    points, slow, _ = descend(heavy_ball(), 3, curvature=(0.0, 0.0))
    np.testing.assert_array_equal(points, np.tile([1.0, -2.0], (3, 1)))
    np.testing.assert_array_equal(slow, points)

  def test_after_a_synchronisation_weights_are_equal_to_the_bit(self):
    # Far apart: the difference of fast and slow weights is not exact.
    rng = np.random.RandomState(0)
    start = np.float32(10 ** rng.uniform(-3, 3, 500))
    tx = optax_stepsize.lookahead(optax.sgd(1.0), 2, 0.3)

    @jax.jit
    def step(params, state, grads):
      updates, state = tx.update(grads, state, params)
      return updates, state

    params, state = jnp.asarray(start), tx.init(jnp.asarray(start))
    for _ in range(6):
      grads = jnp.asarray(rng.standard_normal(500) * 1e3, jnp.float32)
      updates, state = step(params, state, grads)
      params = optax.apply_updates(params, updates)
      if state.count == 0:
        np.testing.assert_array_equal(params, state.slow)

  def test_contraction_of_the_mean(self):
    # Of a quadratic with rate times curvature 0.1: 1 - a + a (1 - 0.1)^k.
    tx = optax_stepsize.lookahead(optax.sgd(0.1))
    _, slow, _ = descend(tx, 10, start=(1.0,), curvature=(1.0,))
    np.testing.assert_allclose(slow[4], 0.795245, rtol=1e-6)
    np.testing.assert_allclose(slow[9], 0.795245**2, rtol=2e-6)

  def test_variance_on_a_noisy_quadratic(self):
    tx = optax_stepsize.lookahead(optax.sgd(0.1))
    plain = optax.sgd(0.1)

    @functools.partial(jax.jit, static_argnums=0)
    def variance(which, key):
      tx_ = (plain, tx)[which]

      def step(carry, key):
        params, state = carry
        grads = params - jax.random.normal(key, params.shape)
        updates, state = tx_.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        slow = core.eval_params(state, params)
        return (params, state), jnp.mean(slow * slow)

      params = jnp.zeros(4000)
      carry = (params, tx_.init(params))
      keys = jax.random.split(key, 400)
      return jnp.mean(jax.lax.scan(step, carry, keys)[1][200:])

    key = jax.random.key(0)
    np.testing.assert_allclose(variance(0, key), 0.0526316, rtol=0.01)
    np.testing.assert_allclose(variance(1, key), 0.0233144, rtol=0.015)


class ScheduleTest(absltest.TestCase):
  def test_schedule_is_one_of_completed_synchronisations(self):
    parts = np.array([0.5, 0.25, 1.0, 0.0])
    points, slow, _ = descend(
      heavy_ball(slow_step_size=lambda count: jnp.asarray(parts)[count]), 12
    )
    fixed = descend(heavy_ball(slow_step_size=0.5), 3)
    np.testing.assert_allclose(points[:3], fixed[0], rtol=1e-12)
    # From the update of the third step on, by hand.
    x, v, phi = np.array([1.0, -2.0]), np.zeros(2), np.array([1.0, -2.0])
    for k in range(12):
      v = 0.9 * v + np.array([1.0, 3.0]) * x
      x = x - 0.1 * v
      if k % 3 == 2:
        alpha = parts[k // 3]
        x = phi = alpha * x + (1 - alpha) * phi
      np.testing.assert_allclose(points[k], x, rtol=1e-12)
      np.testing.assert_allclose(slow[k], phi, rtol=1e-12)


class PeriodTest(parameterized.TestCase):
  def test_vmap_over_the_period_equals_a_loop(self):
    def run(period, alpha):
      tx = optax_stepsize.lookahead(
        optax.sgd(0.1, momentum=0.9), period, alpha, momentum="pullback"
      )

      def step(carry, _):
        params, state = carry
        grads = jnp.array([1.0, 3.0]) * params
        updates, state = tx.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), params

      params = jnp.array([1.0, -2.0])
      return jax.lax.scan(step, (params, tx.init(params)), length=20)[1]

    periods, parts = np.array([1, 2, 5, 7], np.int32), np.float32([1, 0.5, 0.2])
    swept = jax.jit(
      jax.vmap(jax.vmap(run, in_axes=(None, 0)), in_axes=(0, None))
    )(periods, parts)
    for i, period in enumerate(periods):
      for j, part in enumerate(parts):
        one = jax.jit(functools.partial(run, int(period), float(part)))()
        np.testing.assert_allclose(swept[i, j], one, rtol=1e-5, atol=1e-6)

  def test_inject_hyperparams(self):
    tx = optax.inject_hyperparams(
      optax_stepsize.lookahead,
      static_args=("inner", "momentum", "momentum_fields"),
      hyperparam_dtype=jnp.float32,
    )(optax.sgd(0.1, momentum=0.9), sync_period=3, slow_step_size=0.5)
    points = descend(tx, 7)[0]
    np.testing.assert_allclose(points[3:], FAST["none"], rtol=2e-6)

  def test_whole_numbers(self):
    for period in (1, np.int64(2), jnp.asarray(3), jnp.asarray(4.0)):
      optax_stepsize.lookahead(optax.sgd(0.1), period)

  def test_others(self):
    for period in (0, -1, 2.5, True, "5", np.array(0), jnp.array(1.5), None):
      with self.assertRaisesRegex(
        ValueError, "^lookahead: sync_period must be"
      ):
        optax_stepsize.lookahead(optax.sgd(0.1), period)


class _Gauss(NamedTuple):
  mu: Any
  rho: Any


class _Moments(NamedTuple):
  count: Any
  mu: Any
  nu: Any


class MomentumTest(parameterized.TestCase):
  @parameterized.parameters("reset", "pullback")
  def test_first_moments_only(self, momentum):
    # On the third step Adam's second moment and count stay what they are.
    inner = optax.adam(0.1)
    plain = descend(optax_stepsize.lookahead(inner, 3), 3)[2].inner_state[0]
    changed = descend(optax_stepsize.lookahead(inner, 3, momentum=momentum), 3)[
      2
    ].inner_state[0]
    factor = 0.0 if momentum == "reset" else 0.5
    np.testing.assert_allclose(changed.mu[2], factor * plain.mu[2], rtol=1e-14)
    np.testing.assert_array_equal(changed.mu[:2], plain.mu[:2])
    np.testing.assert_array_equal(changed.nu, plain.nu)
    np.testing.assert_array_equal(changed.count, plain.count)

  def test_differs_from_the_reference_slow_momentum_is_a_copy(self):
    tx = heavy_ball(momentum="pullback")
    _, _, state = descend(tx, 6)
    trace = optax.tree.get(state.inner_state, "trace")
    slow = optax.tree.get(state.slow_momentum, "trace")
    np.testing.assert_array_equal(slow[2], trace[2])
    np.testing.assert_array_equal(slow[4], slow[2])
    self.assertGreater(np.max(np.abs(trace[4] - slow[4])), 0.1)
    # At the second synchronisation the old one takes part, where an alias would
    # scale the momentum by a (2 - a).
    points = descend(heavy_ball(), 0)[0]
    self.assertEmpty(points)
    before = 0.9 * trace[4] + np.array([1.0, 3.0]) * descend(tx, 5)[0][4]
    np.testing.assert_allclose(trace[5], (before + slow[4]) / 2, rtol=1e-12)
    alias = 0.5 * 1.5 * before
    self.assertGreater(np.max(np.abs(trace[5] - alias)), 0.01)

  def test_differs_from_the_reference_reset_is_not_silent(self):
    # There it does nothing with Adam, and fails or does nothing without
    # momentum.
    for momentum in ("reset", "pullback"):
      with self.assertRaises(ValueError) as error:
        optax_stepsize.lookahead(optax.sgd(0.1), momentum=momentum).init(
          jnp.ones(2)
        )
      self.assertEqual(
        str(error.exception),
        "lookahead: momentum must be 'none' for this inner transformation, got"
        f" {momentum!r}: its state has no field named trace or mu. Fix: name it"
        " in momentum_fields.",
      )
    reset = optax_stepsize.lookahead(optax.adam(0.1), momentum="reset")
    plain = optax_stepsize.lookahead(optax.adam(0.1))
    difference = descend(reset, 8)[0] - descend(plain, 8)[0]
    self.assertGreater(np.max(np.abs(difference)), 1e-2)

  def test_differs_from_optax_reset_keeps_second_moments_and_counts(self):
    tx = optax.lookahead(optax.adam(0.1), 3, 0.5, reset_state=True)
    pair = optax.LookaheadParams.init_synced(jnp.ones(2))
    state = tx.init(pair)
    for _ in range(3):
      with jax.numpy_dtype_promotion("standard"):
        _, state = tx.update(jnp.ones(2), state, pair)
    self.assertEqual(optax.tree.get(state.fast_state, "count"), 0)
    ours = descend(
      optax_stepsize.lookahead(optax.adam(0.1), 3, momentum="reset"), 3
    )[2]
    self.assertEqual(optax.tree.get(ours.inner_state, "count")[2], 3)

  def test_differs_from_the_tensorflow_file_in_start_and_period(self):
    # It starts the slow weights at zero, and synchronises every k + 1 steps.
    state = heavy_ball().init(jnp.array([1.0, -2.0]))
    np.testing.assert_array_equal(state.slow, [1, -2])
    np.testing.assert_array_equal(
      descend(heavy_ball(), 4)[2].num_syncs, [0, 0, 1, 1]
    )

  def test_fields_by_name(self):
    def init(params):
      return _Moments(jnp.zeros(()), params, params)

    def update(updates, state, params=None):
      del params
      return updates, _Moments(state.count + 1, updates, updates)

    inner = optax.GradientTransformation(init, update)
    grads = {"mu": jnp.ones(2), "w": jnp.full(3, 2.0)}
    for fields, names in (
      (("mu",), {"mu"}),
      (("nu", "count"), {"nu", "count"}),
    ):
      tx = optax_stepsize.lookahead(
        inner, 1, momentum="reset", momentum_fields=fields
      )
      _, state = tx.update(grads, tx.init(grads), grads)
      for name in _Moments._fields:
        leaves = jax.tree.leaves(getattr(state.inner_state, name))
        zero = all(bool(jnp.all(leaf == 0)) for leaf in leaves)
        # A parameter that is called mu is no field.
        self.assertEqual(zero, name in names)

  def test_nested_states_and_absent_leaves(self):
    inner = optax.chain(
      optax.clip(1.0),
      optax.masked(optax.adam(0.1), {"w": True, "b": False, "none": None}),
    )
    tx = optax_stepsize.lookahead(inner, 2, momentum="pullback")
    params = {"w": jnp.ones(2), "b": jnp.ones(3), "none": None}
    state = tx.init(params)
    with jax.numpy_dtype_promotion("standard"):
      for _ in range(2):
        updates, new = tx.update(params, state, params)
        chex.assert_trees_all_equal_shapes_and_dtypes(state, new)
        state = new
    self.assertIsNone(updates["none"])
    pulled = [x for x in jax.tree.leaves(state.slow_momentum) if x.ndim]
    self.assertLen(pulled, 1)
    self.assertTrue(bool(jnp.all(pulled[0] != 0)))

  @parameterized.parameters("reset", "pullback")
  def test_parameters_may_have_the_names_of_momentum(self, momentum):
    tx = optax_stepsize.lookahead(optax.adam(0.1), 2, 0.5, momentum=momentum)

    def train(params):
      state = tx.init(params)
      for _ in range(7):
        grads = jax.tree.map(lambda p: 3 * p, params)
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
      return params

    start = jnp.array([1.0, -2.0])
    with jax.numpy_dtype_promotion("standard"):
      named = train(_Gauss(start, 2 * start))
      plain = train((start, 2 * start))
    np.testing.assert_array_equal(np.stack(named), np.stack(plain))
    inner = optax.rmsprop(0.1)
    with self.assertRaisesRegex(ValueError, "no field named"):
      optax_stepsize.lookahead(inner, momentum=momentum).init(named)


class WrapperTest(parameterized.TestCase):
  @parameterized.named_parameters((row.name, row) for row in WRAPPED)
  def test_wraps_every_method(self, row):
    # The same training loop, loss and all; with one for the slow step size,
    # the same trajectory.
    inner = row.factory(**row.example)
    params = {"w": jnp.array([1.0, 2.0]), "b": jnp.array(0.5)}

    def loss(params):
      return (
        jnp.sum(0.1 * (params["w"] - 3) ** 2) + 0.2 * (params["b"] + 1) ** 2
      )

    def train(tx):
      def step(carry, _):
        params, state = carry
        value, grads = jax.value_and_grad(loss)(params)
        updates, state = tx.update(
          grads,
          state,
          params,
          value=value,
          target_value=2 * value,
          value_and_grad_fn=jax.value_and_grad(loss),
        )
        return (optax.apply_updates(params, updates), state), params

      carry = (params, tx.init(params))
      return jax.lax.scan(step, carry, length=11)

    @jax.jit
    def all_of_them():
      wrapped = jax.vmap(
        lambda part: train(optax_stepsize.lookahead(inner, 2, part))
      )
      return train(inner)[1], wrapped(jnp.array([1.0, 0.5]))

    alone, ((last, state), points) = all_of_them()
    whole = jax.tree.map(lambda x: x[0], points)
    chex.assert_trees_all_close(alone, whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(state.num_syncs, [5, 5])
    slow = optax_stepsize.eval_params(state, last)
    chex.assert_trees_all_equal(slow, state.slow)
    # The step sizes are those of what is wrapped.
    self.assertLen(
      optax_stepsize.step_sizes(state),
      len(optax_stepsize.step_sizes(state.inner_state)),
    )
    for leaf in jax.tree.leaves((last, slow)):
      self.assertTrue(bool(jnp.all(jnp.isfinite(leaf))))

  def test_step_size_is_found(self):
    tx = optax_stepsize.lookahead(optax_stepsize.prodigy())
    found = optax_stepsize.step_sizes(tx.init(jnp.ones(2)))
    self.assertEqual(list(found), ["inner_state/inner_state/step_size"])

  def test_the_outermost_evaluation_point_decides(self):
    tx = optax_stepsize.lookahead(optax_stepsize.schedule_free_sgd(0.1), 3)
    points, slow, state = descend(tx, 5)
    np.testing.assert_array_equal(slow[4], points[2])
    np.testing.assert_array_equal(state.slow[4], points[2])

  def test_missing_loss_is_named(self):
    tx = optax_stepsize.lookahead(optax_stepsize.sps())
    params = jnp.ones(2)
    with self.assertRaisesRegex(ValueError, "sps: update.. needs `value`"):
      tx.update(params, tx.init(params), params)

  @parameterized.parameters(
    ({"slow_step_size": -0.1}, "slow_step_size must be in [0, 1], got -0.1."),
    ({"slow_step_size": 1.5}, "slow_step_size must be in [0, 1], got 1.5."),
    (
      {"momentum": "pull"},
      "momentum must be one of 'none', 'reset', 'pullback', got 'pull'.",
    ),
  )
  def test_ranges(self, options, text):
    with self.assertRaises(ValueError) as error:
      optax_stepsize.lookahead(optax.sgd(0.1), **options)
    self.assertEqual(str(error.exception), f"lookahead: {text}")


class PrecisionTest(parameterized.TestCase):
  def test_slow_weights_are_kept_in_float32(self):
    params = jnp.ones(2, jnp.bfloat16)
    for slow_dtype, wanted in ((None, jnp.float32), (jnp.bfloat16,) * 2):
      tx = optax_stepsize.lookahead(optax.sgd(0.1), slow_dtype=slow_dtype)
      state = tx.init(params)
      self.assertEqual(state.slow.dtype, wanted)
      view = optax_stepsize.eval_params(state, params)
      self.assertEqual(view.dtype, jnp.bfloat16)

  def test_bfloat16_arrives_at_the_rounded_slow_weights(self):
    tx = optax_stepsize.lookahead(optax.sgd(0.1), 2, 0.3)
    points, slow, state = descend(
      tx, 8, start=np.linspace(0.5, 2, 64), curvature=1.0, dtype=jnp.bfloat16
    )
    for k in (1, 3, 5, 7):
      np.testing.assert_array_equal(
        points[k], state.slow[k].astype(jnp.bfloat16)
      )
      np.testing.assert_array_equal(slow[k], points[k])

  def test_compensated_bfloat16_is_float32(self):
    # Steps below the resolution of bfloat16 at one.
    def last(dtype, wrap=lambda tx: tx):
      tx = wrap(optax_stepsize.lookahead(optax.sgd(1e-3), 5, 0.5))
      return descend(tx, 200, (1.0, -2.0), (1.0, 1.0), dtype)[1][-1]

    wanted = np.float32(last(jnp.float32))
    np.testing.assert_allclose(
      np.float32(last(jnp.bfloat16, core.compensated)), wanted, rtol=4e-3
    )
    lost = np.float32(last(jnp.bfloat16))
    self.assertGreater(np.max(np.abs(lost - wanted)), 0.05)


class OptimalTest(absltest.TestCase):
  def test_against_the_formula(self):
    rng = np.random.RandomState(0)
    root = rng.standard_normal((5, 5))
    hessian = root @ root.T
    target, slow, fast = rng.standard_normal((3, 5))
    wanted = (slow - target) @ hessian @ (slow - fast)
    wanted /= (slow - fast) @ hessian @ (slow - fast)
    with core.enable_x64(True):
      trees = [
        {"a": jnp.asarray(x[:2]), "b": jnp.asarray(x[2:])}
        for x in (
          slow,
          fast,
          hessian @ (slow - target),
          hessian @ (fast - target),
        )
      ]
      found = optax_stepsize.optimal_slow_step_size(*trees)
    self.assertEqual(found.dtype, jnp.float64)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)

  def test_it_is_lowest_there(self):
    def loss(part):
      at = np.array([1.0, -2.0]) * (1 - part) + np.array([0.3, 1.0]) * part
      return at @ (np.array([1.0, 3.0]) * at)

    slow, fast = jnp.array([1.0, -2.0]), jnp.array([0.3, 1.0])
    curvature = jnp.array([1.0, 3.0])
    best = float(
      optax_stepsize.optimal_slow_step_size(
        slow, fast, curvature * slow, curvature * fast
      )
    )
    self.assertLess(loss(best), min(loss(best - 1e-2), loss(best + 1e-2)))

  def test_no_way_is_no_step(self):
    same = jnp.ones(3)
    found = optax_stepsize.optimal_slow_step_size(same, same, same, same)
    self.assertEqual(found, 0)


if __name__ == "__main__":
  absltest.main()
