# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests on eight devices: shardings of states, `shard_map`, collectives."""

import functools
import re
import warnings

from absl.testing import absltest
from absl.testing import parameterized
import chex
import jax
import jax.numpy as jnp
from jax.sharding import AxisType
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

SHAPES = {"w": (4, 8), "v": (8,), "b": ()}
# The matrix is sharded on its last axis, the vector along another mesh axis,
# the scalar is on every device.
SPECS = {"w": P(None, ("x", "y")), "v": P("y"), "b": P()}
STEPS = 3

METHODS = (
  ("dog", lambda **o: optax_stepsize.dog(reps_rel=0.1, **o)),
  ("ldog", lambda **o: optax_stepsize.ldog(reps_rel=0.1, **o)),
  ("prodigy", lambda **o: optax_stepsize.prodigy(d0=0.1, **o)),
  ("sps", lambda **o: optax_stepsize.sps(max_step_size=1.0, **o)),
  ("mag", lambda **o: optax_stepsize.polyak_moving_gradient(**o)),
  ("hb", lambda **o: optax_stepsize.polyak_heavy_ball(**o)),
  ("psps", lambda **o: optax_stepsize.psps(slack="l1", **o)),
  (
    "hutchinson",
    lambda **o: optax_stepsize.psps("hutchinson", warmup_probes=3, **o),
  ),
  # At this rate the trial does not decrease the loss enough.
  ("smb", lambda **o: optax_stepsize.smb(1.9, **o)),
  ("smbi", lambda **o: optax_stepsize.smb(1.9, independent_batch=True, **o)),
  ("momo", lambda **o: optax_stepsize.momo(**o)),
  ("adam", lambda **o: optax_stepsize.momo_adam(0.1, **o)),
)


def setUpModule():
  if jax.device_count() < 8:
    raise absltest.SkipTest("needs 8 devices")


@functools.cache
def mesh(axis_type=AxisType.Auto):
  return jax.make_mesh((2, 4), ("x", "y"), axis_types=(axis_type,) * 2)


def leaf(seed, name):
  rng = np.random.RandomState(seed + len(name) + sum(SHAPES[name]))
  return np.float32(rng.standard_normal(SHAPES[name]))


def tree(seed):
  return {name: leaf(seed, name) for name in SHAPES}


def shardings(mesh):
  return {name: NamedSharding(mesh, spec) for name, spec in SPECS.items()}


def train(tx, params, targets, squares):
  """Updates of each step, final parameters and last step sizes.

  The loss is half the squared distance to the targets; `squares` makes it from
  the squared norms of leaves.
  """

  def value_and_grad_fn(params):
    grads = jax.tree.map(jnp.subtract, params, targets)
    return 0.5 * squares(grads), grads

  state = tx.init(params)
  moves = []
  for _ in range(STEPS):
    value, grads = value_and_grad_fn(params)
    updates, state = tx.update(
      grads,
      state,
      params,
      value=value,
      hvp_fn=lambda v: v,
      value_and_grad_fn=value_and_grad_fn,
    )
    params = optax.apply_updates(params, updates)
    moves.append(updates)
  steps = list(core.step_sizes(state).values())
  return jax.tree.map(lambda *u: jnp.stack(u), *moves), params, steps


def plain_squares(grads):
  return sum(jnp.sum(g * g) for g in jax.tree.leaves(grads))


@functools.cache
def one_device(name):
  make = dict(METHODS)[name]
  run = jax.jit(lambda p, t: train(make(), p, t, plain_squares))
  return jax.device_get(run(tree(0), tree(1)))


class ShardMapTest(parameterized.TestCase):
  def run_sharded(self, make, check_vma):
    def squares(grads):
      total = jax.lax.psum(jnp.sum(grads["w"] ** 2), ("x", "y"))
      total = total + jax.lax.psum(jnp.sum(grads["v"] ** 2), "y")
      return total + grads["b"] ** 2

    @jax.jit
    @functools.partial(
      jax.shard_map,
      mesh=mesh(),
      in_specs=(SPECS, SPECS),
      out_specs=(
        jax.tree.map(lambda spec: P(None, *spec), SPECS),
        SPECS,
        P(),
      ),
      check_vma=check_vma,
    )
    def run(params, targets):
      return train(make(axis_name=("x", "y")), params, targets, squares)

    return jax.device_get(run(tree(0), tree(1)))

  @parameterized.named_parameters(*METHODS)
  def test_equals_one_device(self, make):
    # The vector is on every device of the axis x, the scalar on all: they
    # count once.
    name = self._testMethodName.rsplit("_", 1)[1]
    found = self.run_sharded(make, check_vma=True)
    chex.assert_trees_all_close(found, one_device(name), rtol=1e-5, atol=1e-6)
    self.assertGreater(np.max(np.abs(found[0]["w"])), 1e-3)

  @parameterized.named_parameters(*METHODS)
  def test_without_tracking_all_leaves_count_as_shards(self, make):
    # As `pmap` does: right for trees of which every leaf is sharded.
    specs = {"w": P(None, ("x", "y")), "v": P(("x", "y"))}
    params, targets = ({k: tree(s)[k] for k in specs} for s in (0, 1))

    def squares(grads):
      return jax.lax.psum(plain_squares(grads), ("x", "y"))

    @jax.jit
    @functools.partial(
      jax.shard_map,
      mesh=mesh(),
      in_specs=(specs, specs),
      out_specs=(
        {"w": P(None, None, ("x", "y")), "v": P(None, ("x", "y"))},
        specs,
        P(),
      ),
      check_vma=False,
    )
    def run(params, targets):
      return train(make(axis_name=("x", "y")), params, targets, squares)

    wanted = jax.jit(lambda p, t: train(make(), p, t, plain_squares))
    chex.assert_trees_all_close(
      run(params, targets), wanted(params, targets), rtol=1e-5, atol=1e-6
    )

  @parameterized.named_parameters(
    ("dog", lambda: optax_stepsize.dog()),
    ("prodigy", lambda: optax_stepsize.prodigy()),
    ("sps", lambda: optax_stepsize.sps()),
  )
  def test_a_forgotten_axis_name_is_noticed(self, make):
    @functools.partial(
      jax.shard_map, mesh=mesh(), in_specs=(P("x"), P()), out_specs=P("x")
    )
    def run(params, value):
      tx = make()
      return tx.update(params, tx.init(params), params, value=value)[0]

    with warnings.catch_warnings(record=True) as caught:
      warnings.simplefilter("always")
      jax.eval_shape(run, jnp.ones(8), jnp.ones(()))
    texts = {str(warning.message) for warning in caught}
    self.assertEqual(
      texts,
      {
        "a norm is taken over one shard only, along ['x']: pass axis_name= to"
        " the step-size method to take it over all shards"
      },
    )

  @parameterized.parameters(True, False)
  def test_accumulate(self, check_vma):
    # Two micro-batches on two shards each, of which every device has its own.
    tx = core.accumulate(optax_stepsize.sps(1.0, eps=0.0, axis_name="x"), 2)

    @jax.jit
    @functools.partial(
      jax.shard_map,
      mesh=mesh(),
      in_specs=(P("x"), P(None)),
      out_specs=(P(None, "x"), P()),
      check_vma=check_vma,
    )
    def run(params, values):
      state = tx.init(params)
      moves = []
      for value in values:
        updates, state = tx.update(params, state, params, value=value)
        moves.append(updates)
      return jnp.stack(moves), state.inner_state[0].step_size

    moves, step = run(jnp.ones(8), jnp.array([1.0, 3.0, 5.0, 7.0]))
    np.testing.assert_allclose(moves[1], -2 / 8)
    np.testing.assert_allclose(moves[3], -6 / 8)
    np.testing.assert_array_equal(moves[::2], 0)
    self.assertAlmostEqual(step, 6 / 8)

  def test_sums_of_core(self):
    tree = {"w": jnp.arange(8.0), "b": jnp.full((), 3.0)}

    @functools.partial(
      jax.shard_map,
      mesh=mesh(),
      in_specs=({"w": P("y"), "b": P()},),
      out_specs=P(),
    )
    def run(tree):
      apart = core.per_leaf_sums(core.leaf_squares(tree), axis_name=("x", "y"))
      whole = core.squared_norm(tree, axis_name=("x", "y"))
      return apart[0], whole, core.inner_product(tree, tree, axis_name="y")

    apart, whole, product = jax.jit(run)(tree)
    self.assertEqual((apart["w"], apart["b"]), (140, 9))
    self.assertEqual((whole, product), (149, 149))


class MeshTest(parameterized.TestCase):
  @parameterized.product(
    name=(
      "ldog",
      "prodigy",
      "sps",
      "schedule_free",
      "hutchinson",
      "smb",
      "smbi",
      "momo",
    ),
    axis_type=(AxisType.Auto, AxisType.Explicit),
  )
  def test_jit_on_sharded_parameters_equals_one_device(self, name, axis_type):
    makers = dict(METHODS) | {
      "schedule_free": lambda: optax_stepsize.schedule_free_adamw(0.1)
    }
    tx = makers[name]()
    found_mesh = mesh(axis_type)
    params, targets = (
      jax.device_put(tree(s), shardings(found_mesh)) for s in (0, 1)
    )
    run = jax.jit(lambda p, t: train(tx, p, t, plain_squares))
    wanted = run(tree(0), tree(1))
    with jax.set_mesh(found_mesh):
      found = run(params, targets)
    chex.assert_trees_all_close(
      jax.device_get(found), jax.device_get(wanted), rtol=1e-5, atol=1e-6
    )
    self.assertEqual(found[1]["w"].sharding.spec, SPECS["w"])

  @parameterized.parameters(
    ("dog", 8),
    ("prodigy", 8),
    ("sps", 4),
    ("schedule_free", 0),
    ("mag", 8),
    ("hb", 8),
    ("psps", 4),
    ("momo", 12),
    ("adam", 12),
  )
  def test_bytes_of_collectives(self, name, most):
    # Scalars only, whatever the size of the parameters.
    makers = dict(METHODS) | {
      "schedule_free": lambda: optax_stepsize.schedule_free_adamw(0.1)
    }
    tx = makers[name]()
    rows = NamedSharding(mesh(), P(None, ("x", "y")))
    params = jax.ShapeDtypeStruct((16, 64), jnp.float32, sharding=rows)
    states = core.state_sharding(tx, params)
    state = jax.tree.map(
      lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s),
      jax.eval_shape(tx.init, params),
      states,
    )

    def update(params, state, grads, value):
      return tx.update(grads, state, params, value=value)

    text = (
      jax.jit(update, out_shardings=(rows, states))
      .lower(params, state, params, jax.ShapeDtypeStruct((), jnp.float32))
      .compile()
      .as_text()
    )
    total = 0
    for line in text.splitlines():
      called = re.search(
        r"= (.*) (all-reduce|all-gather|all-to-all|collective-permute|"
        r"reduce-scatter)(-start)?\(",
        line,
      )
      if called:
        self.assertEqual(called[2], "all-reduce")
        for shape in re.findall(r"f32\[([\d,]*)\]", called[1]):
          total += 4 * int(np.prod([int(n) for n in shape.split(",") if n]))
    self.assertEqual(total, most)


class StateShardingTest(parameterized.TestCase):
  def test_leaves_follow_their_parameters(self):
    params = jax.device_put(tree(0), shardings(mesh()))
    tx = optax.chain(
      optax_stepsize.prodigy(), optax_stepsize.polynomial_decay_averaging()
    )
    found = core.state_sharding(tx, params)
    prodigy = found[0].inner_state
    for name, sharding in shardings(mesh()).items():
      for field in ("mu", "nu", "grad_sum", "anchor"):
        self.assertEqual(getattr(prodigy, field)[name], sharding)
      self.assertEqual(found[1].average[name], sharding)
      # No residual for float32.
      self.assertEqual(found[0].residual[name].spec, P())
    for scalar in (prodigy.distance, prodigy.count, found[1].count):
      self.assertEqual(scalar, NamedSharding(mesh(), P()))
    state = jax.jit(tx.init, out_shardings=found)(params)
    self.assertEqual(jax.tree.map(lambda x: x.sharding, state), found)

  @parameterized.product(
    slice_axis=(-1, 0, None), spec=(P("data", None), P(None, "data"))
  )
  def test_samples_on_meshes_of_both_kinds(self, slice_axis, spec):
    start = jnp.linspace(-1, 2, 512).reshape(16, 32)
    tx = optax_stepsize.prodigy(slice_p=2, slice_axis=slice_axis, d0=0.1)
    update = jax.jit(tx.update)

    def train(params, state):
      for _ in range(3):
        updates, state = update(params - 3, state, params)
        params = optax.apply_updates(params, updates)
      return np.asarray(params)

    expected = train(start, tx.init(start))
    for kind in (AxisType.Auto, AxisType.Explicit):
      rows = jax.make_mesh((8,), ("data",), axis_types=(kind,))
      params = jax.device_put(start, NamedSharding(rows, spec))
      found = core.state_sharding(tx, params)
      for init in (tx.init, jax.jit(tx.init, out_shardings=found)):
        np.testing.assert_allclose(
          train(params, init(params)), expected, rtol=1e-5
        )

  def test_eager_init_follows_as_well(self):
    params = jax.device_put(tree(0), shardings(mesh()))
    for make in (
      optax_stepsize.prodigy,
      optax_stepsize.dog,
      optax_stepsize.schedule_free_adamw,
      optax_stepsize.polynomial_decay_averaging,
    ):
      state = make().init(params)
      for leaf in jax.tree.leaves(state):
        if leaf.shape == SHAPES["w"]:
          self.assertEqual(leaf.sharding.spec, SPECS["w"])

  def test_other_shapes_are_replicated(self):
    params = jax.device_put(tree(0), shardings(mesh()))
    sliced = core.state_sharding(
      optax_stepsize.prodigy(slice_p=2, slice_axis=-1), params
    ).inner_state
    self.assertEqual(sliced.anchor["w"].spec, P())
    self.assertEqual(sliced.nu["w"].spec, SPECS["w"])
    layers = core.state_sharding(optax_stepsize.ldog(), params)
    steps = layers.inner_state[1].step_size
    self.assertEqual((steps["w"].spec, steps["v"].spec), (P(), P()))

  @parameterized.named_parameters(
    ("masked", lambda tx: optax.masked(tx, {"w": True, "v": True, "b": False})),
    ("accumulate", lambda tx: core.accumulate(tx, 2)),
    (
      "partition",
      lambda tx: optax.partition(
        {"a": tx, "z": optax.set_to_zero()}, {"w": "a", "v": "a", "b": "z"}
      ),
    ),
  )
  def test_through_wrappers(self, wrap):
    params = jax.device_put(tree(0), shardings(mesh()))
    tx = wrap(optax_stepsize.schedule_free_adamw())
    found = core.state_sharding(tx, params)
    state = jax.jit(tx.init, out_shardings=found)(params)
    seen = [x for x in jax.tree.leaves(state) if x.shape == SHAPES["w"]]
    self.assertGreaterEqual(len(seen), 2)
    for leaf in seen:
      self.assertEqual(leaf.sharding.spec, SPECS["w"])

  def test_shapes_and_given_shardings(self):
    wanted = shardings(mesh())
    shapes = {
      k: jax.ShapeDtypeStruct(s, jnp.float32) for k, s in SHAPES.items()
    }
    with_shardings = {
      k: jax.ShapeDtypeStruct(s, jnp.float32, sharding=wanted[k])
      for k, s in SHAPES.items()
    }
    tx = optax_stepsize.schedule_free_adamw()
    given = core.state_sharding(tx, shapes, wanted)
    self.assertEqual(given, core.state_sharding(tx, with_shardings))
    self.assertEqual(given.z, wanted)
    with self.assertRaisesRegex(
      ValueError, "state_sharding: some leaf of params carries no sharding. Fix"
    ):
      core.state_sharding(tx, shapes)

  @parameterized.parameters("dog", "ldog", "prodigy", "sps")
  def test_of_a_method_that_sums_over_mesh_axes(self, name):
    # The specifications of a shard_map are made outside of it.
    params = jax.device_put(tree(0), shardings(mesh()))
    tx = dict(METHODS)[name](axis_name=("x", "y"))
    found = core.state_sharding(tx, params)
    plain = core.state_sharding(dict(METHODS)[name](), params)
    self.assertEqual(found, plain)

  def test_one_device(self):
    params = {"w": jnp.ones((2, 3))}
    found = core.state_sharding(optax_stepsize.prodigy(), params)
    state = jax.jit(optax_stepsize.prodigy().init, out_shardings=found)(params)
    self.assertEqual(state.inner_state.nu["w"].shape, (2, 3))


if __name__ == "__main__":
  chex.set_n_cpu_devices(8)
  absltest.main()
