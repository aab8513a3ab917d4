# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `policy_polyak`, `twin_polyak` and the objectives they go with."""

import functools
import itertools

from absl.testing import absltest
from absl.testing import parameterized
import chex
import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core
from optax_stepsize import testing


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _climb(objective, steps, static, floats, start):
  tx = optax_stepsize.twin_polyak(**dict(static), **floats)

  def step(carry, _):
    x, state = carry
    values, grads = jax.vmap(jax.value_and_grad(objective))(x)
    updates, state = tx.update(-grads, state, x, value=values)
    x = optax.apply_updates(x, updates)
    return (x, state), (x, state, jax.vmap(objective)(x))

  return jax.lax.scan(step, (start, tx.init(start)), length=steps)[1]


def climb(objective, start, steps, *, static=(), **floats):
  """Points, states and values after each step of twins, in float64."""
  floats = jax.tree.map(np.float64, {"eps": 0.0} | floats)
  start = np.asarray(start, np.float64)
  with core.enable_x64(True):
    return jax.device_get(_climb(objective, steps, static, floats, start))


def bandit(theta):
  return jax.nn.sigmoid(theta)


def hill(x):
  return -0.5 * jnp.sum(jnp.asarray([1.0, 10.0], x.dtype) * x**2)


UNCAPPED = (("max_step_size", None),)
HILL_START = [[1.0, 1.0], [0.5, -1.0]]


class OnePolicyTest(parameterized.TestCase):
  def test_known_numbers(self):
    grads = jnp.array([-1.0, -2.0])
    for cap, gamma in ((0.3, 0.3), (None, 0.4), (1.0, 0.4)):
      tx = optax_stepsize.scale_by_policy_polyak(1.0, max_step_size=cap)
      updates, state = tx.update(
        grads, tx.init(grads), value=1.0, target_value=3.0
      )
      np.testing.assert_allclose(state.step_size, gamma, rtol=1e-6)
      np.testing.assert_allclose(updates, [gamma, 2 * gamma], rtol=1e-6)

  def test_step_explodes_near_a_policy_that_is_certain(self):
    # The bandit: gap 1 - p, gradient p (1 - p).
    tx = optax_stepsize.scale_by_policy_polyak(1.0, max_step_size=None, eps=0.0)
    with core.enable_x64(True):
      for p, gamma in ((0.9, 12.3457), (0.99, 102.0304), (0.999, 1002.0030)):
        grads = jnp.asarray(-p * (1 - p))
        _, state = tx.update(grads, tx.init(grads), value=p, target_value=1.0)
        np.testing.assert_allclose(state.step_size, gamma, atol=5e-5)
        np.testing.assert_allclose(state.step_size, 1 / (p**2 * (1 - p)))

  @hypothesis.settings(max_examples=40, deadline=None, database=None)
  @hypothesis.given(
    seed=st.integers(0, 2**31 - 1), c=st.floats(0.1, 2), gap=st.floats(0.01, 9)
  )
  def test_is_sps_of_the_negative_return(self, seed, c, gap):
    grads = jnp.float32(np.random.RandomState(seed).standard_normal(5))
    ours = optax_stepsize.policy_polyak(c, max_step_size=2.0, weight_decay=0.1)
    sps = optax_stepsize.sps(c, max_step_size=2.0, weight_decay=0.1)
    found, _ = ours.update(
      grads, ours.init(grads), grads, value=1.5, target_value=1.5 + gap
    )
    wanted, _ = sps.update(grads, sps.init(grads), grads, value=gap)
    np.testing.assert_allclose(found, wanted, rtol=1e-4)

  def test_target_that_is_reached_stops(self):
    tx = optax_stepsize.policy_polyak()
    grads = jnp.ones(3)
    for value in (2.0, 5.0):
      updates, state = tx.update(
        grads, tx.init(grads), value=value, target_value=2.0
      )
      np.testing.assert_array_equal(updates, 0)
      self.assertEqual(state.step_size, 0)

  @parameterized.parameters(0.0, 1e-8)
  def test_zero_gradient(self, eps):
    grads = jnp.zeros(3)
    for cap, stored in ((1.0, 1.0), (None, 1 / 1e-8)):
      tx = optax_stepsize.policy_polyak(max_step_size=cap, eps=eps)
      updates, state = tx.update(
        grads, tx.init(grads), value=0.0, target_value=1.0
      )
      np.testing.assert_array_equal(updates, 0)
      np.testing.assert_allclose(state.step_size, stored if eps else 0)

  @parameterized.parameters(np.nan, np.inf, -np.inf)
  def test_what_is_not_finite_changes_nothing_but_the_count(self, bad):
    tx = optax_stepsize.policy_polyak(weight_decay=0.1)
    grads = jnp.ones(2)
    given = {"value": 1.0, "target_value": 1.5}
    _, state = tx.update(grads, tx.init(grads), grads, **given)
    for name in ("value", "target_value", "grads"):
      inputs = given | {name: bad}
      g = grads * inputs.pop("grads", 1.0)
      updates, new = tx.update(g, state, grads, **inputs)
      np.testing.assert_array_equal(updates, 0)
      self.assertEqual((new.count, new.step_size), (2, state.step_size))

  def test_decay_is_multiplied_by_the_step_alone(self):
    params = {"a": jnp.full(2, 3.0), "b": jnp.array(-2.0)}
    grads = {"a": jnp.ones(2), "b": jnp.array(2.0)}
    tx = optax_stepsize.policy_polyak(
      1.0, eps=0.0, weight_decay=0.1, mask={"a": True, "b": False}
    )
    updates, state = tx.update(
      grads, tx.init(params), params, value=1.0, target_value=4.0
    )
    self.assertEqual(state.step_size, 3 / 6)
    np.testing.assert_allclose(updates["a"], -0.5 * (1 + 0.1 * 3))
    np.testing.assert_allclose(updates["b"], -0.5 * 2)
    with self.assertRaisesRegex(ValueError, "policy_polyak: .*`params`"):
      tx.update(grads, tx.init(params), value=1.0, target_value=4.0)


class TwinsTest(parameterized.TestCase):
  def test_bandit(self):
    points, states, values = climb(bandit, [0.0, 1.0], 8, max_step_size=5.0)
    self.assertEqual(states.updated.tolist(), [0, 1] * 4)
    np.testing.assert_allclose(
      states.step_size[:3], [5, 2.392435, 2.390465], atol=5e-7
    )
    np.testing.assert_allclose(points[0], [1.25, 1])
    np.testing.assert_allclose(points[1], [1.25, 1.47038124], atol=5e-9)
    np.testing.assert_allclose(points[2, 0], 1.66380097, atol=5e-9)
    np.testing.assert_allclose(values[-1], [0.90386049, 0.91300001], atol=5e-9)

  def test_bandit_stalls_with_a_factor_of_one(self):
    points, states, values = climb(
      bandit, [0.0, 1.0], 20, c=1.0, max_step_size=5.0
    )
    np.testing.assert_allclose(states.step_size[0], 3.6969372581, atol=5e-11)
    np.testing.assert_allclose(
      points[:3, 0], [0.9242343145, 0.9987454965, 0.9999996367], atol=5e-11
    )
    np.testing.assert_array_equal(points[:, 1], 1)
    np.testing.assert_allclose(points[-1], 1)
    np.testing.assert_allclose(values[-1], 0.7310585786, atol=5e-11)

  def test_quadratic_stalls_with_a_factor_of_one_only(self):
    _, _, stalled = climb(hill, HILL_START, 60, static=UNCAPPED, c=1.0)
    np.testing.assert_allclose(stalled[-1], [-5.125, -5.125])
    _, _, values = climb(hill, HILL_START, 60, static=UNCAPPED, c=0.5)
    np.testing.assert_allclose(
      -values[-1], [0.2794963508, 0.2735179505], atol=5e-11
    )

  @hypothesis.settings(max_examples=40, deadline=None, database=None)
  @hypothesis.given(seed=st.integers(0, 2**31 - 1), c=st.floats(1, 3))
  def test_factors_from_one_on_never_overtake(self, seed, c):
    # For concave objectives J(x + s g) <= J(x) + s |g|^2.
    start = np.random.RandomState(seed).standard_normal((2, 2))
    _, _, values = climb(hill, start, 20, static=UNCAPPED, c=c)
    best = max(-0.5 * np.sum([1, 10] * start**2, axis=1))
    self.assertLessEqual(np.max(values), best + 1e-9)

  def test_twins_that_start_equal_never_move(self):
    for b1 in (None, 0.9):
      static = (("b1", None),) if b1 is None else ()
      floats = {} if b1 is None else {"b1": b1}
      points, states, _ = climb(bandit, [0.3, 0.3], 5, static=static, **floats)
      np.testing.assert_array_equal(points, 0.3)
      np.testing.assert_array_equal(states.step_size, 0)
      # Of equals, the second.
      np.testing.assert_array_equal(states.updated, 1)

  def test_scale_of_the_return_does_not_matter(self):
    def scaled(x):
      return 50 * hill(x)

    points, states, _ = climb(hill, HILL_START, 12, static=UNCAPPED)
    found, other, _ = climb(scaled, HILL_START, 12, static=UNCAPPED)
    np.testing.assert_allclose(found, points, rtol=1e-9)
    np.testing.assert_allclose(other.step_size * 50, states.step_size)

  def test_order_of_the_twins_does_not_matter(self):
    for static in (UNCAPPED, (*UNCAPPED, ("b1", 0.5))):
      points, _, _ = climb(hill, HILL_START, 12, static=static)
      found, _, _ = climb(hill, HILL_START[::-1], 12, static=static)
      np.testing.assert_array_equal(found, points[:, ::-1])

  def test_is_one_policy_with_the_better_as_target(self):
    rng = np.random.RandomState(0)
    params, grads = jnp.float32(rng.standard_normal((2, 2, 3)))
    twins = optax_stepsize.twin_polyak(0.7)
    one = optax_stepsize.policy_polyak(0.7)
    for worse, values in ((0, [1.0, 1.4]), (1, [1.4, 1.0])):
      updates, state = twins.update(
        grads, twins.init(params), params, value=jnp.array(values)
      )
      wanted, own = one.update(
        grads[worse], one.init(params[worse]), value=1.0, target_value=1.4
      )
      np.testing.assert_allclose(updates[worse], wanted, rtol=1e-6)
      np.testing.assert_array_equal(updates[1 - worse], 0)
      np.testing.assert_allclose(state.step_size, own.step_size, rtol=1e-6)
      self.assertEqual(state.updated, worse)

  def test_gradient_of_the_better_does_not_count(self):
    tx = optax_stepsize.twin_polyak()
    grads = jnp.array([[1.0, 2.0], [3.0, 4.0]])
    values = jnp.array([0.5, 1.0])
    wanted, _ = tx.update(grads, tx.init(grads), value=values)
    for other in (0.0, np.nan):
      found, _ = tx.update(grads.at[1].set(other), tx.init(grads), value=values)
      np.testing.assert_array_equal(found, wanted)

  @parameterized.parameters(None, 0.9)
  def test_what_is_not_finite_changes_nothing_but_the_count(self, b1):
    tx = optax_stepsize.twin_polyak(b1=b1)
    params = jnp.array([[1.0, -2.0], [0.5, 3.0]])
    values = jnp.array([1.0, 2.0])
    _, state = tx.update(params, tx.init(params), params, value=values)
    for bad, place in itertools.product((np.nan, np.inf, -np.inf), (0, 1)):
      cases = [(params, values.at[place].set(bad))]
      if b1 is not None or place == 0:
        cases.append((params.at[place, 0].set(bad), values))
      for grads, value in cases:
        updates, new = tx.update(grads, state, params, value=value)
        np.testing.assert_array_equal(updates, 0)
        chex.assert_trees_all_equal(new, state._replace(count=new.count))
        self.assertEqual(new.count, 2)

  def test_averages_with_no_memory_are_the_plain_method(self):
    # The two inner products of the model then cancel.
    plain, states, _ = climb(hill, HILL_START, 15, static=UNCAPPED)
    averaged, others, _ = climb(hill, HILL_START, 15, static=UNCAPPED, b1=0.0)
    np.testing.assert_allclose(averaged, plain, rtol=1e-9)
    np.testing.assert_allclose(others.step_size, states.step_size, rtol=1e-8)
    np.testing.assert_array_equal(others.updated, states.updated)

  def test_averages_by_hand(self):
    tx = optax_stepsize.twin_polyak(
      0.5, b1=0.5, eps=0.0, max_step_size=None, state_dtype=jnp.float32
    )
    params, grads = jnp.array([2.0, 3.0]), jnp.array([4.0, 1.0])
    updates, state = tx.update(
      grads, tx.init(params), params, value=jnp.array([-6.0, -1.0])
    )
    # F = (3, 0.5), G = (2, 0.5), Q = <G, x>, so h = F: the first moves.
    np.testing.assert_allclose(state.mean_loss, [3, 0.5])
    np.testing.assert_allclose(state.mean_grad, [2, 0.5])
    np.testing.assert_allclose(state.mean_slope, [4, 1.5])
    np.testing.assert_allclose(state.step_size, 2.5 / (0.5 * 4))
    np.testing.assert_allclose(updates, [-2.5, 0])
    params += updates
    updates, state = tx.update(
      grads, state, params, value=jnp.array([0.0, -8.0])
    )
    # F = (1.5, 4.25), G = (3, 0.75), <g, x> = (-2, 3), Q = (1, 2.25) and so
    # h = (1.5 - 1.5 - 1, 4.25 + 2.25 - 2.25): the second moves.
    np.testing.assert_allclose(state.mean_slope, [1, 2.25])
    self.assertEqual(state.updated, 1)
    gamma = (4.25 + 1) / (0.5 * 0.75**2)
    np.testing.assert_allclose(updates, [0, -gamma * 0.75], rtol=1e-6)

  def test_structure_is_set_by_the_averages(self):
    params = {"w": jnp.ones((2, 3), jnp.bfloat16)}
    state = optax_stepsize.twin_polyak().init(params)
    self.assertLen(jax.tree.leaves(state), 3)
    self.assertEqual(state.updated, -1)
    state = optax_stepsize.twin_polyak(b1=0.9).init(params)
    self.assertEqual(state.mean_grad["w"].dtype, jnp.float32)
    narrow = optax_stepsize.twin_polyak(b1=0.9, state_dtype=jnp.bfloat16)
    self.assertEqual(narrow.init(params).mean_grad["w"].dtype, jnp.bfloat16)


class ContractTest(parameterized.TestCase):
  def test_conformance_with_averages(self):
    # What the averages may spoil.
    only = ("avals", "donation", "zero", "nonfinite", "scalar_dtype")
    only += ("bfloat16", "traced", "leaves", "needs", "sharding", "explicit")
    only += ("serialization", "promotion", "rank")
    report = testing.check(
      optax_stepsize.twin_polyak,
      {"b1": 0.9},
      needs=("params", "value"),
      only=only,
    )
    self.assertTrue(report, str(report))
    self.assertEmpty(report.not_applicable)

  def test_accumulated(self):
    # Two halves of the returns and gradients are the whole.
    tx = optax_stepsize.twin_polyak(b1=0.9)
    halves = optax_stepsize.accumulate(tx, 2, averaged={"value": (2,)})
    params = jnp.array([[1.0, 2.0], [3.0, -1.0]])
    values, offset = jnp.array([3.0, 1.0]), jnp.array([1.5, -4.0])
    state = halves.init(params)
    for sign in (1.0, -1.0):
      found, state = halves.update(
        params + sign, state, params, value=values + sign * offset
      )
    wanted, _ = tx.update(params, tx.init(params), params, value=values)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)

  @parameterized.parameters(None, 0.5)
  def test_in_shard_map_equals_one_device(self, b1):
    rng = np.random.RandomState(0)
    params, grads = (
      {"w": rng.standard_normal((2, 4, 8)), "b": rng.standard_normal(2)}
      for _ in range(2)
    )
    params, grads = jax.tree.map(np.float32, (params, grads))
    values = jnp.array([0.3, 0.1])
    mesh = Mesh(np.array(jax.devices()[:8]).reshape(4, 2), ("x", "y"))
    specs = {"w": P(None, "x", "y"), "b": P()}

    def run(params, grads, axis_name=None):
      tx = optax_stepsize.twin_polyak(b1=b1, axis_name=axis_name)
      state = tx.init(params)
      moves = []
      for value in (values, values[::-1]):
        updates, state = tx.update(grads, state, params, value=value)
        params = optax.apply_updates(params, updates)
        moves.append(updates)
      return *moves, state.step_size

    sharded = jax.shard_map(
      functools.partial(run, axis_name=("x", "y")),
      mesh=mesh,
      in_specs=(specs, specs),
      out_specs=(specs, specs, P()),
    )
    found = jax.jit(sharded)(params, grads)
    wanted = jax.jit(run)(params, grads)
    # The gap of the averaged models is a difference of sums ten times it.
    chex.assert_trees_all_close(
      jax.device_get(found), jax.device_get(wanted), rtol=1e-4
    )

  @parameterized.parameters(None, 0.9)
  def test_sharded_update_sums_scalars_once(self, b1):
    mesh = Mesh(np.array(jax.devices()[:8]), ("x",))
    sharding = NamedSharding(mesh, P(None, None, "x"))
    params = jax.ShapeDtypeStruct((2, 3, 16), jnp.float32, sharding=sharding)
    tx = optax_stepsize.twin_polyak(b1=b1)
    state = jax.tree.map(
      lambda s, x: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=x),
      jax.eval_shape(tx.init, params),
      core.state_sharding(tx, params),
    )
    step = jax.jit(
      lambda g, s, p, v: tx.update(g, s, p, value=v),
      out_shardings=(sharding, core.state_sharding(tx, params)),
    )
    values = jax.ShapeDtypeStruct((2,), jnp.float32)
    text = step.lower(params, state, params, values).compile().as_text()
    (reduction,) = testing.collectives_in(text)
    self.assertEqual(reduction[0], "all-reduce")
    self.assertEqual(reduction[2], 4 * (2 if b1 is None else 6))

  @parameterized.named_parameters(
    ("c", {"c": 0.0}, "c must be in"),
    ("cap", {"max_step_size": 0.0}, "max_step_size must be in"),
    ("eps", {"eps": -1.0}, "eps must be in"),
    ("b1", {"b1": 1.0}, "b1 must be in"),
    ("decay", {"weight_decay": -0.1}, "weight_decay must be in"),
  )
  def test_bad_hyperparameters(self, options, message):
    for name in ("policy_polyak", "scale_by_policy_polyak", "twin_polyak"):
      make = getattr(optax_stepsize, name)
      try:
        make(**options)
      except TypeError:
        self.assertNotIn("c", options)  # not an argument of this one
      except ValueError as error:
        self.assertStartsWith(str(error), f"{name}: {message}")
      else:
        self.fail(f"{name} takes {options}")

  def test_bad_input(self):
    grads = jnp.ones((2, 3))
    twins, one = optax_stepsize.twin_polyak(), optax_stepsize.policy_polyak()
    for bad in (1.0, jnp.ones(3)):
      with self.assertRaisesRegex(
        ValueError, r"twin_polyak: value must .*\(2,"
      ):
        twins.update(grads, twins.init(grads), value=bad)
    with self.assertRaisesRegex(ValueError, "policy_polyak: value must be"):
      one.update(grads, one.init(grads), value=jnp.ones(2), target_value=1.0)
    with self.assertRaisesRegex(ValueError, "target_value must be a scalar"):
      one.update(grads, one.init(grads), value=1.0, target_value=jnp.ones(2))
    with self.assertRaisesRegex(ValueError, "needs `target_value`.*Fix: tx"):
      one.update(grads, one.init(grads), value=1.0)
    with self.assertRaisesRegex(
      ValueError, r"params\['b'\] must hold two twin"
    ):
      twins.init({"a": jnp.ones((2, 3)), "b": jnp.ones(3)})
    averaged = optax_stepsize.twin_polyak(b1=0.9)
    with self.assertRaisesRegex(ValueError, "twin_polyak: .*`params`"):
      averaged.update(grads, averaged.init(grads), value=jnp.ones(2))


class ObjectivesTest(parameterized.TestCase):
  def trajectories(self, seed=0):
    rng = np.random.RandomState(seed)
    lengths = rng.randint(1, 7, 4)
    mask = np.arange(6) < lengths[:, None]
    return rng.standard_normal((4, 6, 3)), rng.standard_normal((4, 6)), mask

  @parameterized.parameters((1.0, False), (0.9, False), (0.9, True))
  def test_gradient_is_that_of_the_definition(self, discount, with_baseline):
    # Mean of sum_t d^t r_t sum_{u <= t} grad log pi_u, term by term.
    features, rewards, mask = self.trajectories()
    baseline = np.linspace(-1, 2, 6) if with_baseline else None
    wanted = np.zeros(3)
    for f, r, m in zip(features, rewards, mask, strict=True):
      for t in range(6):
        for u in range(t + 1):
          wanted += m[t] * discount**t * r[t] * f[u] / 4
      if with_baseline:
        for u in range(6):
          wanted -= m[u] * discount**u * baseline[u] * f[u] / 4

    def surrogate(theta):  # grad log pi_u is the feature
      return optax_stepsize.gpomdp_surrogate(
        features @ theta, rewards, discount, mask, baseline
      )

    with core.enable_x64(True):
      found = jax.grad(surrogate)(jnp.zeros(3, jnp.float64))
    np.testing.assert_allclose(found, wanted, rtol=1e-12)

  def test_is_unbiased(self):
    # All four ways through two coin flips, weighted by their probabilities.
    theta = jnp.float32(0.3)
    actions = jnp.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    rewards = jnp.where(actions == 1, 1.0, jnp.array([[0.5, -1.0]] * 4))
    signs = jnp.where(actions == 1, 1.0, -1.0)

    def value(theta):
      chances = jnp.prod(jax.nn.sigmoid(theta * signs), axis=1)
      return jnp.sum(chances * (rewards @ jnp.array([1.0, 0.8])))

    def surrogate(theta, baseline):
      chances = jnp.prod(jax.nn.sigmoid(theta * signs), axis=1)
      each = jax.vmap(
        lambda log_probs, r: optax_stepsize.gpomdp_surrogate(
          log_probs, r, 0.8, jnp.ones(2), baseline
        )
      )(jax.nn.log_sigmoid(theta * signs), rewards)
      return jnp.sum(jax.lax.stop_gradient(chances) * each)

    for baseline in (None, jnp.array([0.7, -0.4])):
      np.testing.assert_allclose(
        jax.grad(surrogate)(theta, baseline), jax.grad(value)(theta), rtol=1e-5
      )

  def test_what_is_masked_does_not_count(self):
    features, rewards, mask = self.trajectories(1)

    def run(fill):
      def surrogate(theta):
        log_probs = jnp.where(mask, features @ theta, fill)
        return optax_stepsize.gpomdp_surrogate(
          log_probs, np.where(mask, rewards, fill), 0.9, mask
        )

      return jax.value_and_grad(surrogate)(jnp.ones(3))

    with jax.numpy_dtype_promotion("standard"):
      for a, b in zip(run(0.0), run(np.nan), strict=True):
        np.testing.assert_array_equal(a, b)

  def test_regularised_return(self):
    returns, entropies = (
      jnp.array([10.0, 20.0]),
      jnp.array([[0.6, 9], [0.2, 0]]),
    )
    mask = jnp.array([[1, 0], [1, 0]])
    regularised = optax_stepsize.entropy_regularised_return
    np.testing.assert_allclose(regularised(returns, entropies, 0.5, mask), 15.2)
    np.testing.assert_allclose(regularised(returns, entropies, 0.0), 15)
    np.testing.assert_allclose(
      regularised(returns, entropies, 2.0, jnp.zeros_like(mask)), 15
    )

  def test_bad_input(self):
    x = jnp.ones((2, 3))
    surrogate = optax_stepsize.gpomdp_surrogate
    for discount in (0.0, 1.1):
      with self.assertRaisesRegex(ValueError, "gpomdp_surrogate: discount"):
        surrogate(x, x, discount, x)
    with self.assertRaisesRegex(ValueError, "gpomdp_surrogate: rewards must"):
      surrogate(x, jnp.ones(3), 0.9, x)
    with self.assertRaisesRegex(ValueError, "gpomdp_surrogate: mask must"):
      surrogate(x, x, 0.9, x[:1])
    with self.assertRaisesRegex(ValueError, "regularised_return: coef must"):
      optax_stepsize.entropy_regularised_return(x, x, -0.1)


if __name__ == "__main__":
  absltest.main()
