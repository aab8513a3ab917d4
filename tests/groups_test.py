# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `per_group`: an estimate for each group of parameters."""

import enum
import functools

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
from optax_stepsize import catalogue
from optax_stepsize import core
from optax_stepsize import testing
from optax_stepsize.testing import _hlo

# Every method that has `per_group`, with a start that leaves 60 steps for more
# than its growth.
STARTS = {"dog": {"reps_rel": 1e-3}}
METHODS = {
  name: functools.partial(row.factory, **STARTS.get(name, {"d0": 1e-3}))
  for name, row in catalogue.ROWS.items()
  # `smb` has no estimate: its groups share inner products.
  if "per_group" in row.static and name != "smb"
}
STEPS = 60
START = {
  "small": {"w": np.linspace(-1, 2, 6).reshape(2, 3), "b": np.array(0.3)},
  "large": {"w": 1e3 * np.linspace(2, -1, 4), "none": None},
}
LABELS = {"small": "text", "large": "image"}


def target():
  return jax.tree.map(lambda p: 0.5 * p - np.mean(np.abs(p)) - 0.1, START)


def gradient(params, goal):
  """Of a loss in which nothing is coupled; curvatures 1, 1/2, 1/3 and so on."""
  return jax.tree.map(
    lambda p, t: (
      (p - t) / np.arange(1, p.size + 1, dtype=p.dtype).reshape(p.shape)
    ),
    params,
    goal,
  )


def train(tx, start, goal, steps=STEPS):
  """Points after each step, and the last state."""

  def step(carry, _):
    params, state = carry
    updates, state = tx.update(gradient(params, goal), state, params)
    params = optax.apply_updates(params, updates)
    return (params, state), params

  (_, state), points = jax.lax.scan(step, (start, tx.init(start)), length=steps)
  return points, state


def run(tx, branch=None):
  start, goal = START, target()
  if branch is not None:
    start, goal = start[branch], goal[branch]
  with core.enable_x64(True):
    return jax.device_get(jax.jit(lambda s, g: train(tx, s, g))(start, goal))


named = parameterized.named_parameters(*METHODS.items())
# Where groups rather than methods are on trial.
few = parameterized.named_parameters(
  (name, METHODS[name]) for name in ("dog", "prodigy")
)


class GroupsTest(parameterized.TestCase):
  @named
  def test_group_is_a_run_of_its_own(self, make):
    points, state = run(make(per_group=LABELS))
    sizes = {}
    for branch, label in LABELS.items():
      alone, alone_state = run(make(), branch)
      chex.assert_trees_all_close(points[branch], alone, rtol=1e-12, atol=0)
      (sizes[label],) = core.step_sizes(alone_state).values()
    found = {
      path.split("inner_states/")[1].split("/")[0]: size
      for path, size in core.step_sizes(state).items()
    }
    chex.assert_trees_all_close(found, sizes, rtol=1e-12)
    # Together they are something else.
    together = run(make())[0]["small"]["w"]
    self.assertGreater(np.max(np.abs(together - points["small"]["w"])), 1e-3)

  @few
  def test_forms_of_labels(self, make):
    wanted = run(make(per_group=LABELS))[0]
    color = enum.Enum("Color", ["RED", "BLUE"])
    forms = [
      {"small": {"w": "text", "b": "text"}, "large": {"w": 1, "none": 1}},
      {"small": color.RED, "large": color.BLUE},
      lambda params: {
        branch: jax.tree.map(lambda _, branch=branch: branch, tree)
        for branch, tree in params.items()
      },
    ]
    for labels in forms:
      points = run(make(per_group=labels))[0]
      chex.assert_trees_all_equal(points, wanted)

  @few
  def test_one_group_is_no_group(self, make):
    alone, state = run(make())
    together, grouped = run(make(per_group={"small": "a", "large": "a"}))
    chex.assert_trees_all_close(together, alone, rtol=1e-12)
    self.assertLen(core.step_sizes(grouped), len(core.step_sizes(state)))

  @parameterized.parameters({}, {"init_eta": 1e-3}, {"weight_decay": 0.1})
  def test_dog_per_leaf_is_ldog(self, **options):
    points, state = run(optax_stepsize.dog(per_group="leaf", **options))
    wanted, layers = run(optax_stepsize.ldog(**options))
    chex.assert_trees_all_close(points, wanted, rtol=1e-12)
    found = {
      path.split("/")[-3]: size for path, size in core.step_sizes(state).items()
    }
    (sizes,) = core.step_sizes(layers).values()
    self.assertEqual(set(found), {"small.w", "small.b", "large.w"})
    self.assertAlmostEqual(found["small.w"], sizes["small"]["w"], delta=1e-12)
    self.assertAlmostEqual(found["large.w"], sizes["large"]["w"], delta=1e-9)

  @few
  def test_mask_of_decay_beside_groups(self, make):
    mask = {"small": {"w": True, "b": False}, "large": True}
    options = {"per_group": LABELS, "weight_decay": 0.3}
    if make.func is not optax_stepsize.dog:
      options["decouple"] = False
    by_tree = run(make(mask=mask, **options))[0]
    every = run(make(**options))[0]
    by_function = run(
      make(
        mask=lambda p: jax.tree.map(lambda x: x.ndim > 0, p),
        **options,
      )
    )[0]
    chex.assert_trees_all_equal(by_tree, by_function)
    chex.assert_trees_all_equal(by_tree["large"], every["large"])
    self.assertGreater(
      np.max(np.abs(by_tree["small"]["b"] - every["small"]["b"])), 1e-6
    )

  @few
  def test_schedule_is_called_once_and_with_the_count(self, make):
    calls = []

    def schedule(count):
      calls.append(int(count))
      return 0.5

    tx = make(schedule, per_group="leaf")
    params = {"a": jnp.ones(2), "b": jnp.ones(3)}
    state = tx.init(params)
    for _ in range(3):
      _, state = tx.update(params, state, params)
    self.assertEqual(calls, [0, 1, 2])


class FormsTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"a.b": 1.0, "a": {"b": 1000.0}},), ({"": 1.0, "all": 2.0},)
  )
  def test_leaves_whose_joined_paths_are_equal_have_their_own(self, params):
    params = jax.tree.map(lambda x: jnp.full(2, x), params)
    state = optax_stepsize.dog(per_group="leaf").init(params)
    self.assertLen(optax_stepsize.step_sizes(state), 2)

  @few
  def test_state_is_known_before_the_parameters(self, make):
    for labels in (LABELS, "leaf"):
      tx = make(per_group=labels)
      for dtype in (jnp.float32, jnp.bfloat16):
        params = jax.tree.map(lambda p, d=dtype: jnp.asarray(p, d), START)
        shapes = jax.eval_shape(lambda p=params: p)
        state = jax.eval_shape(tx.init, params)
        self.assertEqual(tx.init(shapes), state)
        updates, new = jax.eval_shape(tx.update, params, state, params)
        self.assertEqual(new, state)
        chex.assert_trees_all_equal_dtypes(updates, params)

  @few
  def test_scalars_of_a_group_have_its_precision(self, make):
    with core.enable_x64(True):
      params = {"a": jnp.ones(2, jnp.float64), "b": jnp.ones(2, jnp.float32)}
      state = make(per_group="leaf").init(params)
    dtypes = [size.dtype for size in core.step_sizes(state).values()]
    self.assertEqual(dtypes, [jnp.float64, jnp.float32])

  # Adan and SGD at rates at which their own rule does not amplify rounding, as
  # without groups.
  @parameterized.named_parameters(
    ("dog", optax_stepsize.dog, {}),
    ("prodigy", optax_stepsize.prodigy, {}),
    ("dadapt_sgd", optax_stepsize.dadapt_sgd, {"learning_rate": 0.5}),
    ("dadapt_adagrad", optax_stepsize.dadapt_adagrad, {}),
    ("dadapt_adam", optax_stepsize.dadapt_adam, {}),
    ("dadapt_adan", optax_stepsize.dadapt_adan, {"learning_rate": 0.1}),
    ("dadapt_lion", optax_stepsize.dadapt_lion, {}),
  )
  def test_bfloat16_is_as_good_as_float32(self, make, options):
    def sizes(dtype):
      # Exact in bfloat16; of sizes at which its gradients are as well.
      start = {"a": jnp.full(4, 0.75, dtype), "b": jnp.full(3, 64.0, dtype)}
      goal = {"a": jnp.full(4, -1.0), "b": jnp.full(3, -36.0)}

      def step(carry, _):
        params, state = carry
        wide = jax.tree.map(lambda p: p.astype(jnp.float32), params)
        updates, state = tx.update(gradient(wide, goal), state, params)
        return (optax.apply_updates(params, updates), state), None

      tx = make(per_group="leaf", **options)
      return jax.jit(
        lambda: core.step_sizes(
          jax.lax.scan(step, (start, tx.init(start)), length=100)[0][1]
        )
      )()

    found, wanted = sizes(jnp.bfloat16), sizes(jnp.float32)
    for path, size in found.items():
      np.testing.assert_allclose(size, wanted[path], rtol=0.02)

  @few
  def test_vmap_over_what_may_be_traced(self, make):
    name = "reps_rel" if "reps_rel" in make.keywords else "d0"
    values = np.array([1e-3, 1e-2])

    def final(value):
      tx = make(per_group=LABELS, **{name: value})
      return jax.tree.map(lambda x: x[-1], train(tx, START, target())[0])

    with core.enable_x64(True):
      found = jax.jit(jax.vmap(final))(values)
      for i, value in enumerate(values):
        chex.assert_trees_all_close(
          jax.tree.map(lambda x, i=i: x[i], found),
          jax.jit(final)(value),
          rtol=1e-9,
        )

  @few
  def test_wrappers_keep_parameters_from_it(self, make):
    # Labels of the whole tree, of which it is given a part.
    start = jax.tree.map(np.float32, START)
    grads = jax.tree.map(np.ones_like, start)
    tx = optax.partition(
      {"train": make(per_group=LABELS), "freeze": optax.set_to_zero()},
      {"small": "train", "large": "freeze"},
    )
    updates, state = jax.jit(lambda p: tx.update(grads, tx.init(p), p))(start)
    alone = make()
    wanted, _ = jax.jit(
      lambda p: alone.update(grads["small"], alone.init(p), p)
    )(start["small"])
    chex.assert_trees_all_close(updates["small"], wanted, rtol=1e-5)
    np.testing.assert_array_equal(updates["large"]["w"], 0)
    # A group whose parameters are all kept from it has an estimate, unused.
    self.assertLen(core.step_sizes(state), 2)
    fine = optax.masked(make(per_group="leaf"), {"small": True, "large": False})
    state = jax.jit(fine.init)(start)
    self.assertLen(core.step_sizes(state), 2)

  @few
  def test_evaluation_point_and_map_params(self, make):
    tx = optax.chain(
      make(per_group=LABELS), optax_stepsize.polynomial_decay_averaging()
    )
    params = jax.tree.map(lambda p: jnp.asarray(p, jnp.float32), START)
    state = jax.jit(tx.init)(params)
    chex.assert_trees_all_equal(core.eval_params(state, params), params)
    state = make(per_group=LABELS).init(params)
    marked = optax.tree.map_params(
      make(per_group=LABELS), lambda _: True, state,
      transform_non_params=lambda _: False,
    )  # fmt: skip
    for leaf, mark in zip(
      jax.tree.leaves(state), jax.tree.leaves(marked), strict=True
    ):
      self.assertTrue(mark or leaf.shape == ())


class ErrorsTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("name", "leaves", "got 'leaves'. Fix: None, for one estimate of"),
    (
      "missing",
      {"small": {"w": "a"}, "large": "b"},
      "has no label for params['small']['b']. Fix: add one",
    ),
    (
      "unhashable",
      {"small": np.ones(2), "large": "b"},
      "per_group['small'] must be a hashable label, got an object of type"
      " ndarray. Fix: use a string.",
    ),
    (
      "alike",
      {"small": 1, "large": "1"},
      "must differ from other labels as a string, got",
    ),
    (
      "nowhere",
      {"small": "a", "large": "b", "huge": "c"},
      "per_group['huge'] is the label of no leaf of params. Fix: remove it",
    ),
    (
      "too_deep",
      {"small": {"w": {"x": 1}, "b": 1}, "large": 2},
      "has no label for params['small']['w']",
    ),
    ("none", {"small": None, "large": "a"}, "params['small']['b']. Fix"),
  )
  def test_bad_labels(self, labels, text):
    for name, make in METHODS.items():
      for form in (labels, lambda params: labels):
        with self.assertRaises(ValueError) as error:
          jax.eval_shape(make(per_group=form).init, START)
        self.assertStartsWith(str(error.exception), f"{name}: per_group")
        self.assertIn(text, str(error.exception))

  def test_layers_and_groups(self):
    with self.assertRaisesRegex(ValueError, "^ldog: per_group must be None"):
      optax_stepsize.scale_by_dog(layerwise=True, per_group="leaf")


class DevicesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    if jax.device_count() < 8:
      self.skipTest("needs 8 devices")
    self._mesh = jax.make_mesh((8,), ("x",), axis_types=(AxisType.Auto,))
    self._specs = {"a": P(None, "x"), "b": P("x"), "c": P()}
    rng = np.random.RandomState(0)
    shapes = {"a": (4, 8), "b": (16,), "c": ()}
    self._params = {k: np.float32(rng.randn(*s)) for k, s in shapes.items()}
    self._grads = {k: np.float32(rng.randn(*s)) for k, s in shapes.items()}

  def steps(self, tx, params, grads):
    state = tx.init(params)
    for _ in range(3):
      updates, state = tx.update(grads, state, params)
      params = optax.apply_updates(params, updates)
    return params

  @named
  def test_sharded_state_and_scalar_all_reduces(self, make):
    shardings = {
      k: NamedSharding(self._mesh, spec) for k, spec in self._specs.items()
    }
    params = jax.device_put(self._params, shardings)
    for labels in ("leaf", {"a": 1, "b": 1, "c": 2}):
      tx = make(per_group=labels)
      wanted = core.state_sharding(tx, params)
      eager = tx.init(params)
      for leaf, sharding in zip(
        jax.tree.leaves(eager), jax.tree.leaves(wanted), strict=True
      ):
        if leaf.ndim:
          self.assertTrue(leaf.sharding.is_equivalent_to(sharding, leaf.ndim))
          self.assertFalse(sharding.is_fully_replicated)
        else:
          self.assertTrue(sharding.is_fully_replicated)
      state = jax.jit(tx.init, out_shardings=wanted)(params)
      update = jax.jit(tx.update, out_shardings=(shardings, wanted))
      text = update.lower(params, state, params).compile().as_text()
      found = list(_hlo.collectives_in(text))
      self.assertNotEmpty(found)
      for operation, shapes, size in found:
        self.assertEqual(operation, "all-reduce", shapes)
        self.assertLess(size, 128)

  @few
  def test_shard_map_equals_one_device(self, make):
    tx = make(per_group={"a": 1, "b": 2, "c": 2}, axis_name="x")
    run = jax.shard_map(
      functools.partial(self.steps, tx),
      mesh=self._mesh,
      in_specs=(self._specs, self._specs),
      out_specs=self._specs,
    )
    found = jax.jit(run)(self._params, self._grads)
    alone = jax.jit(
      functools.partial(self.steps, make(per_group={"a": 1, "b": 2, "c": 2}))
    )(self._params, self._grads)
    chex.assert_trees_all_close(
      jax.device_get(found), jax.device_get(alone), rtol=1e-5
    )


class KitTest(parameterized.TestCase):
  # What groups could break; the rest is that of the method.
  PROPERTIES = ("avals", "donation", "leaves", "origin", "serialization")

  @parameterized.parameters("dog", "prodigy")
  def test_kit(self, name):
    report = testing.check(
      catalogue.get(name).factory,
      {"per_group": lambda params: jax.tree.map(lambda x: x.ndim, params)},
      only=self.PROPERTIES,
    )
    self.assertTrue(report, str(report))


if __name__ == "__main__":
  absltest.main()
