# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the options of D-Adaptation."""

from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

METHODS = ("sgd", "adagrad", "adam", "adamw", "adan", "lion")
GROWING = METHODS[:-1]
START = {"m": np.arange(6.0).reshape(2, 3) - 2, "s": np.array(2.0)}


def make(name, **options):
  return getattr(optax_stepsize, f"dadapt_{name}")(**options)


PROGRAMS = {}


def program(name, static):
  """A jitted run, shared by what differs in floats only."""

  def run(floats, start, grads):
    tx = make(name, **static, **floats)

    def step(carry, grad):
      params, state = carry
      updates, state = tx.update(grad, state, params)
      params = optax.apply_updates(params, updates)
      return (params, state), (params, updates, state.inner_state)

    return jax.lax.scan(step, (start, tx.init(start)), grads)[1]

  return PROGRAMS.setdefault((name, repr(static)), jax.jit(run))


def feed(name, grads, start=START, **options):
  """Parameters, updates and states after each gradient, in float64."""
  floats = {"d0": 0.1, "weight_decay": 0.0}
  if name in GROWING:
    floats["growth_rate"] = np.inf
  floats |= {k: v for k, v in options.items() if isinstance(v, float)}
  static = {k: v for k, v in options.items() if k not in floats}
  with core.enable_x64(True):
    return jax.device_get(program(name, static)(floats, start, grads))


def noise(steps, seed=0):
  rng = np.random.RandomState(seed)
  return {
    "m": 0.3 + rng.standard_normal((steps, 2, 3)),
    "s": 0.3 + rng.standard_normal(steps),
  }


def constant(steps):
  return jax.tree.map(lambda g: np.repeat(g[:1], steps, axis=0), noise(1))


class OptionsTest(parameterized.TestCase):
  @parameterized.parameters({}, {"layer_scale": {"m": 0.5, "s": 2.0}})
  def test_accelerators_do_what_a_cpu_does(self, **options):
    grads = noise(30)
    for leaf in grads.values():
      leaf[:3] = leaf[10:12] = 0
      leaf[20] = np.nan
    here = feed("adam", grads, **options)

    def elsewhere(*args, cpu, default):
      del cpu
      return default(*args)

    with (
      mock.patch.dict(PROGRAMS, clear=True),
      mock.patch.object(jax.lax, "platform_dependent", elsewhere),
    ):
      there = feed("adam", grads, **options)
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), here, there
    )
    self.assertGreater(there[2].distance[-1], 0.1)

  @parameterized.parameters(*GROWING)
  def test_growth_rate_is_the_largest_factor(self, name):
    free = feed(name, constant(60), d0=1e-3)[2].distance
    held = feed(name, constant(60), d0=1e-3, growth_rate=1.05)[2].distance
    held = np.array([1e-3, *held])
    ratio = held[1:] / held[:-1]
    self.assertLessEqual(np.max(ratio), 1.05 * (1 + 1e-14))
    self.assertAlmostEqual(np.max(ratio), 1.05, delta=1e-12)
    self.assertGreater(free[-1], held[-1])

  @parameterized.parameters(*METHODS)
  def test_mask_chooses_what_decays(self, name):
    grads = noise(1)
    plain = feed(name, grads)[1]
    every = feed(name, grads, weight_decay=0.5)[1]
    for mask in (
      {"m": True, "s": False},
      lambda p: jax.tree.map(lambda x: np.ndim(x) > 1, p),
    ):
      found = feed(name, grads, weight_decay=0.5, mask=mask)[1]
      np.testing.assert_array_equal(found["s"], plain["s"])
      np.testing.assert_array_equal(found["m"], every["m"])
      self.assertGreater(np.max(np.abs(found["m"] - plain["m"])), 1e-4)

  def test_decoupled_decay_is_times_the_step_size(self):
    grads = noise(1)
    for name, factor in (
      ("adamw", -0.05),
      ("lion", -0.05),
      ("adan", 1 / 1.05 - 1),
    ):
      plain, found = (
        feed(name, grads, weight_decay=w)[0]["s"] for w in (0.0, 0.5)
      )
      # Before the step, but for the proximal form of Adan.
      base = plain if name == "adan" else START["s"]
      np.testing.assert_allclose(found - plain, factor * base, err_msg=name)
    plain, found = (
      feed("adan", grads, weight_decay=w, no_prox=True)[0]["s"]
      for w in (0.0, 0.5)
    )
    np.testing.assert_allclose(found - plain, -0.05 * START["s"])

  @parameterized.parameters("adam", "adamw")
  def test_layer_scale(self, name):
    grads = noise(20)
    plain = feed(name, grads)
    ones = feed(name, grads, layer_scale={"m": 1.0, "s": 1.0})
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(ones), strict=True):
      np.testing.assert_allclose(a, b, rtol=1e-12)
    # One number for all leaves scales the steps and not the estimate.
    halved = feed(name, grads, layer_scale=0.5)
    np.testing.assert_allclose(halved[1]["m"], 0.5 * plain[1]["m"], rtol=1e-9)
    np.testing.assert_allclose(halved[2].distance, plain[2].distance)
    # A leaf of small weight does not count in the estimate.
    tiny = feed(name, grads, layer_scale={"m": 1.0, "s": 1e-9})
    alone = feed(name, {"m": grads["m"]}, {"m": START["m"]})
    np.testing.assert_allclose(tiny[2].distance, alone[2].distance, rtol=1e-6)

  def test_layer_scale_may_be_traced(self):
    @jax.jit
    @jax.vmap
    def first(scale):
      tx = make("adam", layer_scale={"m": scale, "s": 1.0})
      grads = jax.tree.map(lambda p: jnp.ones_like(p, jnp.float32), START)
      return tx.update(grads, tx.init(grads), grads)[0]

    found = first(jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(found["m"][1], 2 * found["m"][0], rtol=1e-6)
    np.testing.assert_array_equal(found["s"][1], found["s"][0])

  @parameterized.parameters("sgd", "adagrad")
  def test_momentum_averages_points(self, name):
    grads = constant(6)
    points = feed(name, grads, growth_rate=1.0)[0]["s"]
    found = feed(name, grads, growth_rate=1.0, momentum=0.9)[0]["s"]
    wanted = START["s"]
    for k, point in enumerate(points):
      wanted = 0.9 * wanted + 0.1 * point
      np.testing.assert_allclose(found[k], wanted, rtol=1e-12)

  @parameterized.parameters("sgd", "adagrad")
  def test_points_are_rebuilt_from_the_start(self, name):
    # The start is in the state: parameters moved by others come back.
    tx = make(name, d0=0.1)
    params = jnp.array([1.0, -2.0])
    state = tx.init(params)
    updates, _ = tx.update(jnp.ones(2), state, params + 5)
    wanted, _ = tx.update(jnp.ones(2), state, params)
    np.testing.assert_allclose(updates + 5, wanted, rtol=1e-5)

  @parameterized.parameters(*METHODS)
  def test_state_dtype(self, name):
    params = {"m": jnp.ones((2, 3)), "s": jnp.ones(())}
    state = jax.eval_shape(
      make(name, state_dtype=jnp.bfloat16).init, params
    ).inner_state
    for field in ("step_size", "distance", "numerator"):
      self.assertEqual(getattr(state, field).dtype, jnp.float32, field)
    fields = ("grad_sum", "mu", "nu", "mu_diff", "last_grad")
    kept = [getattr(state, field) for field in fields]
    self.assertGreaterEqual(len(jax.tree.leaves((kept, state.anchor))), 4)
    for leaf in jax.tree.leaves(kept):
      self.assertEqual(leaf.dtype, jnp.bfloat16)
    # Parameters are drawn to it.
    for leaf in jax.tree.leaves(state.anchor):
      self.assertEqual(leaf.dtype, jnp.float32)
    narrow = jax.tree.map(lambda p: p.astype(jnp.bfloat16), params)
    state = jax.eval_shape(make(name).init, narrow).inner_state
    for leaf in jax.tree.leaves(state.grad_sum):
      self.assertEqual(leaf.dtype, jnp.float32)

  @parameterized.parameters("sgd", "adagrad")
  def test_narrow_state_does_not_round_the_parameters(self, name):
    params = jnp.full(4, 1.001)
    tx = make(name, state_dtype=jnp.bfloat16)
    updates, _ = tx.update(jnp.full(4, 1e-3), tx.init(params), params)
    self.assertLess(np.max(np.abs(updates)), 1e-5)

  @parameterized.parameters(*METHODS)
  def test_narrow_state_changes_little(self, name):
    expected = feed(name, constant(12), d0=0.02)[2].distance[-1]
    found = feed(name, constant(12), d0=0.02, state_dtype=jnp.bfloat16)[2]
    self.assertNotEqual(found.distance[-1], expected)
    self.assertLess(abs(found.distance[-1] / expected - 1), 0.1)

  @parameterized.parameters(*METHODS)
  def test_compensate(self, name):
    params = jnp.ones(3, jnp.bfloat16)
    with_residual = make(name).init(params)
    self.assertIsInstance(with_residual, optax_stepsize.CompensatedState)
    without = make(name, compensate=False).init(params)
    self.assertIsInstance(without, optax_stepsize.DAdaptationState)

  @parameterized.parameters(*METHODS)
  def test_axis_name_sums_over_shards(self, name):
    if jax.device_count() < 8:
      self.skipTest("needs 8 devices")
    params = jnp.linspace(-1, 1, 16)
    grads = jnp.cos(jnp.arange(48.0)).reshape(3, 16)
    mesh = jax.make_mesh((8,), ("x",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.PartitionSpec("x")

    def run(params, grads, **options):
      tx = make(name, d0=0.1, **options)
      state = tx.init(params)
      for i in range(3):
        updates, state = tx.update(grads[i], state, params)
        params = optax.apply_updates(params, updates)
      return params, state.inner_state.distance

    whole = jax.jit(run)(params, grads)
    shards = jax.jit(
      jax.shard_map(
        lambda p, g: run(p, g, axis_name="x"),
        mesh=mesh,
        in_specs=(spec, jax.sharding.PartitionSpec(None, "x")),
        out_specs=(spec, jax.sharding.PartitionSpec()),
      )
    )(params, grads)
    for a, b in zip(shards, whole, strict=True):
      np.testing.assert_allclose(a, b, rtol=1e-5)

  @parameterized.named_parameters(
    ("b1", "adam", {"b1": 1.0}, "b1 must be in [0, 1), got 1.0."),
    ("b2", "lion", {"b2": -0.1}, "b2 must be in [0, 1), got -0.1."),
    ("b3", "adan", {"b3": 1.1}, "b3 must be in [0, 1), got 1.1."),
    ("d0", "sgd", {"d0": 0.0}, "d0 must be in (0, inf), got 0.0."),
    ("eps", "adagrad", {"eps": -1}, "eps must be in [0, inf), got -1."),
    (
      "momentum",
      "sgd",
      {"momentum": 1.0},
      "momentum must be in [0, 1), got 1.0.",
    ),
    (
      "growth",
      "adan",
      {"growth_rate": 0.9},
      "growth_rate must be in [1, inf]",
    ),
    (
      "layers",
      "adamw",
      {"layer_scale": {"m": 0.0}},
      "layer_scale must be in (0, inf), got 0.0.",
    ),
    ("decay", "lion", {"weight_decay": -1}, "weight_decay must be in [0, inf)"),
    ("rate", "sgd", {"learning_rate": -1}, "learning_rate must be in [0, inf)"),
  )
  def test_ranges(self, name, options, text):
    with self.assertRaises(ValueError) as error:
      make(name, **options)
    self.assertStartsWith(str(error.exception), f"dadapt_{name}: {text}")


if __name__ == "__main__":
  absltest.main()
