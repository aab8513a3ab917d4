# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `psps` and Hutchinson's estimate: numbers, identities, options."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import chex
from flax import linen as nn
from flax import nnx
import jax
import jax.numpy as jnp
from jax.sharding import AxisType
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core
from optax_stepsize import testing

CURVATURE = np.array([1.0, 10.0])
EXACT = {"preconditioner": "hutchinson", "warmup_probes": 1}


def descend(options, steps=3, curvature=CURVATURE, start=(1.0, 1.0), **loss):
  """Points, step sizes, slacks and losses of a quadratic, in float64."""
  static = {k: v for k, v in options.items() if not isinstance(v, float)}
  floats = {k: np.float64(v) for k, v in options.items() if k not in static}
  with core.enable_x64(True):
    return jax.device_get(
      _descend(
        tuple(static.items()),
        steps,
        floats,
        np.asarray(curvature, np.float64),
        np.asarray(start, np.float64),
        np.float64(loss.get("offset", 0.0)),
      )
    )


@functools.partial(jax.jit, static_argnums=(0, 1))
def _descend(static, steps, floats, curvature, start, offset):
  tx = optax_stepsize.psps(**dict(static), **floats)

  def one(carry, _):
    x, state = carry
    value = jnp.sum(curvature * x**2) / 2 + offset
    updates, state = tx.update(
      curvature * x, state, x, value=value, hvp_fn=lambda v: curvature * v
    )
    x = optax.apply_updates(x, updates)
    return (x, state), (x, state.step_size, state.slack, value)

  return jax.lax.scan(one, (start, tx.init(start)), length=steps)[1]


class NumbersTest(parameterized.TestCase):
  def check(self, options, steps=None, slacks=None, last=None, rtol=3e-9):
    points, found, slack, _ = descend(options)
    if steps is not None:
      np.testing.assert_allclose(found[: len(steps)], steps, rtol=rtol)
    if slacks is not None:
      np.testing.assert_allclose(slack[-len(slacks) :], slacks, rtol=rtol)
    if last is not None:
      np.testing.assert_allclose(points[-1], last, rtol=rtol)

  def test_identity(self):
    plain = {"preconditioner": "identity"}
    self.check(
      plain,
      steps=[0.0544554455, 0.0685941820, 0.1736992002],
      last=(0.7277112976, -0.1054166820),
    )
    self.check(
      plain | {"slack": "l1", "lam": 0.1},
      slacks=[0.0544140331],
      last=(0.7446954685, -0.0778318734),
    )
    self.check(
      plain | {"slack": "l2", "lam": 1.0},
      steps=[0.0541871921, 0.0662628331, 0.1324882071],
      slacks=[0.0270935961, 0.0466782146, 0.0895832109],
      last=(0.7661348607, -0.0502135892),
    )

  def test_exact_diagonal(self):
    points, steps, _, _ = descend(EXACT, steps=6)
    np.testing.assert_allclose(steps, 0.5, rtol=1e-12)
    np.testing.assert_allclose(points[-1], 2.0**-6, rtol=1e-12)
    self.check(
      EXACT | {"slack": "l1", "lam": 0.1},
      steps=[0.4666666667, 0.3143164693, 0.1030151165],
      slacks=[0.3666666667, 0.5809831360, 0.5839982525],
      last=[0.3280254730] * 2,
    )
    self.check(
      EXACT | {"slack": "l2", "lam": 1.0},
      steps=[0.4782608696, 0.3942385718, 0.2445881069],
      last=[0.2387475064] * 2,
    )

  def test_second_moments(self):
    self.check(
      {"preconditioner": "adagrad"}, steps=[0.5000000909, 0.5590170853]
    )
    first = descend({"preconditioner": "adagrad"})[0][0]
    np.testing.assert_allclose(first, [0.5000004091, 0.4999999591], rtol=1e-9)
    self.check({"preconditioner": "adam"}, steps=[0.5000000909, 0.3952254716])


class IdentitiesTest(parameterized.TestCase):
  def test_identity_without_slack_is_sps(self):
    for f_min, cap in ((0.0, np.inf), (0.2, 0.06)):
      shared = {"f_min": f_min, "max_step_size": cap}
      found = descend({"preconditioner": "identity"} | shared, offset=f_min)[0]
      tx = optax_stepsize.sps(1.0, eps=0.0, **shared)
      with core.enable_x64(True):
        x = jnp.ones(2)
        state = tx.init(x)
        for point in found:
          value = jnp.sum(CURVATURE * x**2) / 2 + f_min
          updates, state = tx.update(CURVATURE * x, state, x, value=value)
          x = x + updates
          np.testing.assert_allclose(x, point, rtol=1e-12)

  @parameterized.product(slack=(None, "l1", "l2"), seed=(0, 1, 2))
  def test_scales_of_coordinates_do_not_matter(self, slack, seed):
    rng = np.random.RandomState(seed)
    curvature = 10 ** rng.uniform(0, 1, 4)
    start = rng.standard_normal(4)
    scales = 10 ** rng.uniform(-0.5, 0, 4)

    def losses(preconditioner, scales):
      options = {"preconditioner": preconditioner, "warmup_probes": 1}
      return descend(
        options | {"slack": slack},
        steps=10,
        curvature=curvature / scales**2,
        start=start * scales,
      )[3]

    np.testing.assert_allclose(
      losses("hutchinson", scales), losses("hutchinson", 1.0), rtol=1e-9
    )
    for other in ("identity", "adam", "adagrad"):
      found, wanted = losses(other, scales), losses(other, 1.0)
      self.assertGreater(np.max(np.abs(found / wanted - 1)), 0.01, other)

  def test_a_high_floor_is_no_preconditioner(self):
    high = EXACT | {"hutchinson_floor": 50.0}
    plain = {"preconditioner": "identity"}
    np.testing.assert_allclose(
      descend(high, 8)[0], descend(plain, 8)[0], rtol=1e-9
    )
    np.testing.assert_allclose(
      descend(high, 8)[1], 50 * descend(plain, 8)[1], rtol=1e-9
    )
    for slack in ("l1", "l2"):
      found, wanted = (
        descend(o | {"slack": slack, "lam": 1.0}, 8)[0] for o in (high, plain)
      )
      self.assertGreater(np.max(np.abs(found - wanted)), 1e-3)

  @parameterized.product(
    preconditioner=("hutchinson", "adam", "adagrad", "identity"),
    slack=("l1", "l2"),
  )
  def test_dear_slack_is_no_slack(self, preconditioner, slack):
    options = {"preconditioner": preconditioner, "warmup_probes": 1}
    found = descend(options | {"slack": slack, "lam": 1e9}, 6)
    wanted = descend(options, 6)
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-6)
    np.testing.assert_allclose(found[2], 0, atol=1e-8)
    # And where it costs nothing, it takes up what is left of the loss.
    cheap = descend(options | {"slack": slack, "lam": 1e-9}, 6)
    self.assertGreater(cheap[2][-1], 0.1)

  def test_slack_is_what_is_left_of_the_loss(self):
    # L - tau n = s after a step that is not capped.
    tx = optax_stepsize.psps("identity", slack="l2", lam=0.5)
    grads = jnp.array([1.0, -2.0])
    _, state = tx.update(grads, tx.init(grads), grads, value=3.0)
    left = 3.0 - state.step_size * jnp.sum(grads**2)
    np.testing.assert_allclose(state.slack, left, rtol=1e-6)

  @parameterized.parameters("l1", "l2")
  def test_cap_leaves_the_slack_alone(self, slack):
    options = {"preconditioner": "identity", "slack": slack, "lam": 0.1}
    free, capped = (
      descend(options | {"max_step_size": cap}, 1) for cap in (np.inf, 0.01)
    )
    self.assertEqual(capped[1][0], 0.01)
    self.assertEqual(free[2][0], capped[2][0])


def step(tx, grads, state=None, params=None, **inputs):
  """One update in float32: the updates and the new state."""
  params = grads if params is None else params
  state = tx.init(params) if state is None else state
  return tx.update(grads, state, params, **inputs)


class OptionsTest(parameterized.TestCase):
  def test_bound_of_the_call_overrides(self):
    tx = optax_stepsize.psps("identity", f_min=0.5)
    grads = jnp.ones(2)
    np.testing.assert_allclose(step(tx, grads, value=4.0)[0], -3.5 / 2)
    updates, _ = step(tx, grads, value=4.0, f_min=jnp.asarray(2.0))
    np.testing.assert_allclose(updates, -1)

  @parameterized.parameters(None, "l1", "l2")
  def test_differs_loss_below_its_bound_gives_no_step(self, slack):
    # In the authors' code steps without slack and with "l1" go uphill.
    tx = optax_stepsize.psps(slack=slack, f_min=2.0)
    updates, state = step(tx, jnp.ones(2), value=-1.0)
    if slack != "l1":  # whose price moves the first step
      np.testing.assert_array_equal(updates, 0)
    self.assertTrue(np.all(updates <= 0))
    self.assertEqual(state.diag_count, 1)

  @parameterized.parameters("adam", "adagrad", "identity")
  def test_tiny_gradient_gives_no_step(self, preconditioner):
    tx = optax_stepsize.psps(preconditioner, slack="l1")
    grads = jnp.ones(2)
    _, state = step(tx, grads, value=1.0)
    for size in (0.0, 1e-20):
      updates, new = step(tx, size * grads, state, value=1.0, params=grads)
      np.testing.assert_array_equal(updates, 0)
      self.assertEqual((new.step_size, new.slack), (0, state.slack))
      self.assertEqual(new.diag_count, 2)

  @parameterized.product(
    preconditioner=("hutchinson", "adam", "adagrad", "identity"),
    bad=(np.nan, np.inf),
  )
  def test_what_is_not_finite_moves_nothing(self, preconditioner, bad):
    tx = optax_stepsize.psps(preconditioner, slack="l2", warmup_probes=2)
    grads = jnp.array([1.0, 2.0])
    more = {"hvp_fn": lambda v: 2 * v}
    # The very first update too.
    _, start = step(tx, grads, value=bad, **more)
    self.assertEqual((start.count, start.diag_count), (1, 0))
    _, state = step(tx, grads, start, value=3.0, **more)
    if preconditioner == "hutchinson":
      np.testing.assert_allclose(state.diag, 2, rtol=1e-6)
    for inputs in ({"value": bad}, {"value": 1.0, "f_min": bad}):
      moves, new = step(tx, grads, state, **inputs, **more)
      np.testing.assert_array_equal(moves, 0)
      chex.assert_trees_all_equal(new._replace(count=state.count), state)
    poisoned = jnp.array([1.0, bad])
    moves, new = step(tx, poisoned, state, value=1.0, params=grads, **more)
    np.testing.assert_array_equal(moves, 0)
    self.assertEqual(new.slack, state.slack)
    chex.assert_tree_all_finite(new)

  def test_probe_that_is_not_finite_keeps_the_diagonal(self):
    tx = optax_stepsize.psps("hutchinson", warmup_probes=2)
    grads = jnp.array([1.0, 2.0])
    _, state = step(tx, grads, value=3.0, hvp_fn=lambda v: 2 * v)
    for bad in (np.nan, np.inf):
      half = jnp.array([1.0, bad])
      for inputs in (
        {"hvp_fn": lambda v, half=half: half * v},
        {"hessian_diag": half},
      ):
        updates, new = step(tx, grads, state, value=3.0, **inputs)
        np.testing.assert_array_equal(new.diag, state.diag)
        self.assertTrue(np.all(updates != 0))  # with the diagonal as it was
    # A warm-up that gave nothing is tried again.
    nothing, state = step(tx, grads, value=3.0, hvp_fn=lambda v: jnp.nan * v)
    chex.assert_tree_all_finite(nothing)
    _, state = step(tx, grads, state, value=3.0, hvp_fn=lambda v: 2 * v)
    np.testing.assert_allclose(state.diag, 2, rtol=1e-6)

  def test_given_diagonal_takes_the_place_of_probes(self):
    tx = optax_stepsize.psps("hutchinson", hutchinson_decay=0.9)
    grads, given = jnp.array([1.0, 2.0]), jnp.array([-3.0, 0.01])
    updates, state = step(tx, grads, value=3.0, hessian_diag=given)
    np.testing.assert_allclose(state.diag, given, rtol=1e-6)
    n = 1 / 3 + 4 / 0.1  # magnitude and floor
    np.testing.assert_allclose(
      updates, -3 / n * grads / jnp.array([3.0, 0.1]), rtol=1e-6
    )
    _, state = step(tx, grads, state, value=3.0, hessian_diag=2 * given)
    np.testing.assert_allclose(state.diag, 1.1 * given, rtol=1e-6)

  def test_missing_inputs_are_named(self):
    grads = jnp.ones(2)
    tx = optax_stepsize.psps("hutchinson")
    with self.assertRaisesRegex(ValueError, "^psps: .*needs `hvp_fn`.*Fix: tx"):
      step(tx, grads, value=1.0)
    with self.assertRaisesRegex(ValueError, "^psps: .*needs `value`.*Fix: tx"):
      step(tx, grads, hvp_fn=lambda v: v)
    with self.assertRaisesRegex(ValueError, "^psps: value must be a scalar"):
      step(tx, grads, value=jnp.ones(1), hvp_fn=lambda v: v)
    # Parameters need not be given.
    tx.update(grads, tx.init(grads), value=1.0, hvp_fn=lambda v: v)

  def test_state_dtype(self):
    params = {"a": jnp.ones(3), "b": jnp.ones(2, jnp.bfloat16)}
    for name in ("hutchinson", "adam"):
      tx = optax_stepsize.psps(name, state_dtype=jnp.bfloat16)
      updates, state = step(tx, params, value=1.0, hvp_fn=lambda v: v)
      dtypes = {x.dtype for x in jax.tree.leaves(state.diag)}
      self.assertEqual(dtypes, {jnp.dtype("bfloat16")})
      self.assertEqual(updates["b"].dtype, jnp.bfloat16)

  @parameterized.parameters(
    ({"preconditioner": "none"}, "preconditioner must be one of 'hutchinson'"),
    ({"slack": "l3"}, "slack must be one of None, 'l1', 'l2', got 'l3'"),
    ({"lam": 0.0}, r"lam must be in \(0, inf\), got 0.0"),
    ({"f_min": np.inf}, r"f_min must be in \(-inf, inf\), got inf"),
    ({"max_step_size": 0.0}, r"max_step_size must be in \(0, inf\], got 0.0"),
    ({"hutchinson_decay": 1.0}, r"hutchinson_decay must be in \[0, 1\), got 1"),
    ({"hutchinson_floor": 0.0}, r"hutchinson_floor must be in \(0, inf\), got"),
    ({"warmup_probes": 0}, "warmup_probes must be an integer >= 1, got 0"),
    ({"probes_per_step": 0}, "probes_per_step must be an integer >= 1, got 0"),
    ({"b2": 1.0}, r"b2 must be in \[0, 1\), got 1.0"),
    ({"eps": -1.0}, r"eps must be in \[0, inf\), got -1.0"),
    ({"seed": -1}, "seed must be an integer >= 0, got -1"),
  )
  def test_ranges(self, options, text):
    with self.assertRaisesRegex(ValueError, f"^psps: {text}"):
      optax_stepsize.psps(**options)


class HutchinsonTest(parameterized.TestCase):
  def test_mean_and_variance(self):
    rng = np.random.RandomState(0)
    matrix = rng.standard_normal((4, 4))
    hessian = np.float32(matrix @ matrix.T)
    rest = np.sum(hessian**2, axis=1) - np.diag(hessian) ** 2
    single = jax.vmap(
      lambda key: optax_stepsize.hutchinson_diagonal(
        lambda v: hessian @ v, key, jnp.zeros(4), 1
      )
    )(jax.random.split(jax.random.key(1), 4000))
    np.testing.assert_allclose(
      np.mean(single, 0), np.diag(hessian), atol=5 * np.sqrt(rest.max() / 4000)
    )
    np.testing.assert_allclose(np.var(single, 0), rest, rtol=0.1)
    many = optax_stepsize.hutchinson_diagonal(
      lambda v: hessian @ v, jax.random.key(2), jnp.zeros(4), 4000
    )
    np.testing.assert_allclose(
      many, np.diag(hessian), atol=5 * np.sqrt(rest.max() / 4000)
    )

  def test_typed_and_raw_keys_and_bad_counts(self):
    def run(key, number=3):
      return optax_stepsize.hutchinson_diagonal(
        lambda v: jnp.cumsum(v), key, jnp.zeros(5), number
      )

    np.testing.assert_array_equal(
      run(jax.random.key(0)), run(jax.random.PRNGKey(0))
    )
    with self.assertRaisesRegex(ValueError, "hutchinson_diagonal: num_probes"):
      run(jax.random.key(0), 0)

  def test_seed_sets_the_probes(self):
    grads = jnp.ones(8)

    def diag(seed):
      tx = optax_stepsize.psps("hutchinson", seed=seed, warmup_probes=1)
      return step(tx, grads, value=1.0, hvp_fn=lambda v: jnp.cumsum(v))[1].diag

    np.testing.assert_array_equal(diag(3), diag(3))
    self.assertTrue(np.any(diag(3) != diag(4)))

  def test_linen(self):
    model = nn.Dense(3)
    x, y = jnp.ones((4, 2)), jnp.arange(12.0).reshape(4, 3)
    params = model.init(jax.random.key(0), x)

    def loss_fn(params):
      error = model.apply(params, x) - y
      return jnp.mean(error**2), error

    self.check_hessian(
      optax_stepsize.make_hvp_fn(loss_fn, params, has_aux=True),
      lambda p: loss_fn(p)[0],
      params,
    )

  def test_nnx(self):
    model = nnx.Linear(2, 3, rngs=nnx.Rngs(0))
    x, y = jnp.ones((4, 2)), jnp.arange(12.0).reshape(4, 3)
    tx = optax_stepsize.psps("hutchinson", warmup_probes=2, slack="l1")
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)

    def loss_fn(model):
      return jnp.mean((jnp.tanh(model(x)) - y) ** 2)

    @nnx.jit
    def train_step(model, optimizer):
      loss, grads = nnx.value_and_grad(loss_fn)(model)
      graphdef, params, rest = nnx.split(model, nnx.Param, ...)
      hvp_fn = optax_stepsize.make_hvp_fn(
        lambda p: loss_fn(nnx.merge(graphdef, p, rest)), params
      )
      optimizer.update(model, grads, value=loss, hvp_fn=hvp_fn)
      return loss

    losses = [train_step(model, optimizer) for _ in range(20)]
    self.assertLess(losses[-1], losses[0])

  def check_hessian(self, hvp_fn, loss_fn, params):
    flat, unravel = jax.flatten_util.ravel_pytree(params)
    hessian = jax.hessian(lambda v: loss_fn(unravel(v)))(flat)
    vector = jnp.cos(jnp.arange(flat.size))
    found = jax.flatten_util.ravel_pytree(hvp_fn(unravel(vector)))[0]
    np.testing.assert_allclose(found, hessian @ vector, rtol=1e-4, atol=1e-5)


class ShardingTest(parameterized.TestCase):
  @parameterized.parameters(
    ("fsdp", AxisType.Explicit),
    ("tp", AxisType.Auto),
    ("tp", AxisType.Explicit),
  )
  def test_probes_do_not_depend_on_the_mesh(self, layout, axis_type):
    if jax.device_count() < 8:
      self.skipTest("needs 8 devices")
    shape, specs = {
      "fsdp": ((8,), {"w": P(None, "x"), "b": P()}),
      "tp": ((2, 4), {"w": P("x", "y"), "b": P("y")}),
    }[layout]
    mesh = jax.make_mesh(
      shape, ("x", "y")[: len(shape)], axis_types=(axis_type,) * len(shape)
    )
    rng = np.random.RandomState(0)
    params = {
      "w": np.float32(rng.standard_normal((4, 8))),
      "b": np.float32(rng.standard_normal(8)),
    }
    tx = optax_stepsize.psps("hutchinson", warmup_probes=3, slack="l1")

    def loss(p):
      # Its Hessian is far from diagonal: probes matter.
      total = jnp.sum(p["w"]) + jnp.sum(p["b"])
      return total**2 / 2 + sum(jnp.sum(x**4) for x in p.values())

    @jax.jit
    def train(params):
      def one(carry, _):
        params, state = carry
        value, grads = jax.value_and_grad(loss)(params)
        hvp_fn = optax_stepsize.make_hvp_fn(loss, params)
        updates, state = tx.update(
          grads, state, params, value=value, hvp_fn=hvp_fn
        )
        return (optax.apply_updates(params, updates), state), state.step_size

      return jax.lax.scan(one, (params, tx.init(params)), length=3)

    wanted = jax.device_get(train(params))
    shardings = {k: NamedSharding(mesh, s) for k, s in specs.items()}
    with jax.set_mesh(mesh):
      found = train(jax.device_put(params, shardings))
    chex.assert_trees_all_close(
      jax.device_get(found), wanted, rtol=1e-4, atol=1e-5
    )

  def test_shards_of_shard_map_draw_their_own(self):
    if jax.device_count() < 8:
      self.skipTest("needs 8 devices")
    mesh = jax.make_mesh((8,), ("x",), axis_types=(AxisType.Auto,))

    @functools.partial(
      jax.shard_map,
      mesh=mesh,
      in_specs=({"w": P("x"), "b": P()},),
      out_specs={"w": P("x"), "b": P()},
    )
    def run(params):
      def hvp_fn(z):
        ramp = jnp.arange(16.0)
        return {"w": z["w"] * (2 + z["w"] * ramp), "b": z["b"]}

      return optax_stepsize.hutchinson_diagonal(
        hvp_fn, jax.random.key(0), params, 1, axis_name="x"
      )

    found = jax.jit(run)({"w": jnp.ones(128), "b": jnp.ones(3)})
    shards = found["w"].reshape(8, 16)
    self.assertLen(np.unique(shards, axis=0), 8)
    np.testing.assert_array_equal(found["b"], 1)


class KitTest(absltest.TestCase):
  def test_hutchinson(self):
    # The kit runs all of "adam", by its row.
    report = testing.check(
      optax_stepsize.psps,
      {"preconditioner": "hutchinson", "warmup_probes": 2},
      needs=("value", "hvp_fn"),
      only=(
        "avals",
        "donation",
        "nonfinite",
        "dtype",
        "vmap",
        "accumulation",
        "needs",
        "collectives",
        "lowering",
        "promotion",
        "rank",
      ),
    )
    self.assertTrue(bool(report), str(report))


if __name__ == "__main__":
  chex.set_n_cpu_devices(8)
  absltest.main()
