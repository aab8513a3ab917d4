# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the momentum Polyak steps: known numbers, identities and options."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

QUADRATIC = {
  "matrix": np.diag([1.0, 10.0**0.5]),
  "target": np.zeros(2),
  "start": np.ones(2),
  "scale": 1.0,
}
BOTH = ("polyak_moving_gradient", "polyak_heavy_ball")


def read(state):
  return getattr(state, "inner_state", state)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _descend(name, static, power, steps, floats, problem):
  """Points, step sizes and losses on scale * sum |A (x - target)|^p / p."""
  tx = getattr(optax_stepsize, name)(**dict(static), **floats)

  def loss(x):
    image = problem["matrix"] @ (x - problem["target"])
    return problem["scale"] * jnp.sum(image**power) / power

  def step(carry, _):
    x, state = carry
    value, grads = jax.value_and_grad(loss)(x)
    updates, state = tx.update(grads, state, x, value=value)
    x = optax.apply_updates(x, updates)
    sizes = next(iter(core.step_sizes(state).values()))
    return (x, state), (x, sizes, loss(x))

  start = problem["start"]
  return jax.lax.scan(step, (start, tx.init(start)), length=steps)[1]


def descend(name, problem=QUADRATIC, steps=3, static=(), power=2, **options):
  """Points, step sizes and losses, in float64."""
  problem, floats = jax.tree.map(np.float64, (problem, options))
  with core.enable_x64(True):
    return jax.device_get(_descend(name, static, power, steps, floats, problem))


def random_problem(seed, size=3):
  rng = np.random.RandomState(seed)
  matrix = rng.standard_normal((size, size)) * 10 ** rng.uniform(-1, 1, size)
  start, target = rng.standard_normal((2, size))
  return QUADRATIC | {"matrix": matrix, "start": start, "target": target}


class NumbersTest(absltest.TestCase):
  def test_moving_gradient(self):
    points, steps, _ = descend("polyak_moving_gradient", b1=0.9, c=1.0)
    np.testing.assert_allclose(
      steps, [0.0544554455, 0.0079313100, 0.0041127996], rtol=1e-8
    )
    expected = [
      (0.9455445545, 0.4554455446),
      (0.9309069684, 0.3479409560),
      (0.9202470152, 0.2834587589),
    ]
    np.testing.assert_allclose(points, expected, rtol=1e-9)

  def test_moving_gradient_with_a_cap(self):
    points, steps, _ = descend(
      "polyak_moving_gradient", b1=0.9, c=0.5, max_step_size=0.05
    )
    np.testing.assert_allclose(
      steps, [0.05, 0.0170617658, 0.0064078149], rtol=1e-8
    )
    np.testing.assert_allclose(
      points[-1], [0.9018815552, 0.1636637450], rtol=1e-9
    )

  def test_heavy_ball_clips_a_negative_step(self):
    points, steps, _ = descend("polyak_heavy_ball", b1=0.9, c=1.0)
    np.testing.assert_allclose(
      steps, [0.0544554455, 0, 0.5641532623], rtol=1e-8
    )
    expected = [
      (0.9455445545, 0.4554455446),
      (0.8965346535, -0.0346534653),
      (0.3466427931, -0.2802439190),
    ]
    np.testing.assert_allclose(points, expected, rtol=2e-9)
    raw = descend(
      "polyak_heavy_ball", static=(("clip_negative", False),), b1=0.9, c=1.0
    )[1]
    self.assertLess(raw[1], 0)

  def test_heavy_ball(self):
    points, steps, _ = descend("polyak_heavy_ball", b1=0.5, c=0.5)
    np.testing.assert_allclose(
      steps, [0.1089108911, 0.825, 0.1633663366], rtol=1e-9
    )
    np.testing.assert_allclose(
      points[-1], [-0.3098960886, 0.0309896089], rtol=2e-9
    )

  def test_heavy_ball_with_a_cap(self):
    points, _, _ = descend(
      "polyak_heavy_ball", steps=4, b1=0.5, c=0.5, max_step_size=0.08
    )
    np.testing.assert_allclose(
      points[-1], [0.5696249600, -0.0664000000], rtol=1e-9
    )

  def test_momentum_hardly_matters(self):
    problem = {
      "matrix": np.diag(np.logspace(-2, 0, 20) ** 0.5),
      "target": np.zeros(20),
      "start": np.ones(20),
      "scale": 1.0,
    }
    # Orders of magnitude; below 1e-30 a norm gives no step, and momentum alone
    # moves on.
    exponents = {
      "polyak_heavy_ball": (-10.7, -18.5, -30, -30, -22.9),
      "polyak_moving_gradient": (-10.7, -30, -30, -30, -24.9),
    }
    for name, wanted in exponents.items():
      for b1, exponent in zip((0, 0.3, 0.5, 0.7, 0.9), wanted, strict=True):
        _, _, losses = descend(name, problem, steps=500, b1=b1, c=0.5)
        with self.subTest(name=name, b1=b1):
          if exponent == -30:
            self.assertLess(losses[-1], 1e-27)
          else:
            self.assertAlmostEqual(np.log10(losses[-1]), exponent, delta=1)


class IdentitiesTest(parameterized.TestCase):
  @parameterized.product(name=BOTH, seed=(0, 1))
  def test_without_momentum_it_is_sps(self, name, seed):
    problem = random_problem(seed)
    options = {"c": 0.7, "f_min": 0.1, "max_step_size": 0.4}
    found, steps, _ = descend(name, problem, steps=20, b1=0.0, **options)
    wanted, taken, _ = descend("sps", problem, steps=20, eps=0.0, **options)
    np.testing.assert_allclose(found, wanted, rtol=1e-8)
    moving = steps > 0  # `sps` keeps the last step
    np.testing.assert_allclose(steps[moving], taken[moving], rtol=1e-8)

  @parameterized.parameters(0.0, 0.5, 0.9)
  def test_moving_gradient_is_momo_that_is_corrected_and_not_capped(self, b1):
    problem = random_problem(2)
    found, _, _ = descend(
      "polyak_moving_gradient", problem, steps=15, b1=b1, f_min=0.02
    )
    wanted, _, _ = descend(
      "momo",
      problem,
      steps=15,
      static=(("bias_correction", True),),
      b1=b1,
      f_min=0.02,
      learning_rate=1e9,
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-7)

  @parameterized.parameters(*BOTH)
  def test_scale_of_the_loss_does_not_matter(self, name):
    problem = random_problem(3)
    options = {"b1": 0.6, "c": 0.5, "steps": 12}
    expected, steps, _ = descend(name, problem, **options)
    found, scaled, _ = descend(name, problem | {"scale": 50.0}, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    np.testing.assert_allclose(scaled, steps / 50, rtol=1e-8, atol=1e-16)

  @parameterized.parameters(*BOTH)
  def test_rotation_does_not_matter_but_scales_of_coordinates_do(self, name):
    problem = random_problem(4)
    options = {"b1": 0.6, "c": 0.5, "steps": 12}
    expected, _, losses = descend(name, problem, **options)
    rotation, _ = np.linalg.qr(np.random.RandomState(5).standard_normal((3, 3)))
    stretch = np.diag([1.0, 3.0, 10.0])
    changed = [
      descend(
        name,
        problem
        | {
          "matrix": problem["matrix"] @ np.linalg.inv(change),
          "start": change @ problem["start"],
          "target": change @ problem["target"],
        },
        **options,
      )
      for change in (rotation, stretch)
    ]
    np.testing.assert_allclose(changed[0][0] @ rotation, expected, rtol=1e-7)
    self.assertGreater(np.max(np.abs(changed[1][2] / losses - 1)), 0.1)

  @hypothesis.settings(max_examples=60, deadline=None, database=None)
  @hypothesis.given(
    seed=st.integers(0, 2**31 - 1),
    b1=st.floats(0, 0.99),
    cap=st.floats(1e-3, 9),
    power=st.sampled_from((2, 4)),
  )
  def test_distance_never_grows_along_moving_gradients(
    self, seed, b1, cap, power
  ):
    problem = random_problem(seed)
    points, _, _ = descend(
      "polyak_moving_gradient",
      problem,
      steps=20,
      power=power,
      b1=b1,
      c=1.0,
      max_step_size=cap,
    )
    points = np.concatenate([problem["start"][None], points])
    distance = np.linalg.norm(points - problem["target"], axis=1)
    ends = distance[1:] <= distance[:-1] * (1 + 1e-9) + 1e-12
    self.assertTrue(np.all(ends))

  def test_distance_may_grow_with_the_heavy_ball(self):
    grown = []
    for seed in range(10):
      problem = random_problem(seed)
      points, _, _ = descend("polyak_heavy_ball", problem, steps=20, b1=0.9)
      distance = np.linalg.norm(points - problem["target"], axis=1)
      grown.append(np.any(np.diff(distance) > 1e-6))
    self.assertTrue(any(grown))

  @hypothesis.settings(max_examples=40, deadline=None, database=None)
  @hypothesis.given(seed=st.integers(0, 2**31 - 1), b1=st.floats(0, 0.95))
  def test_heavy_ball_minimises_the_distance_on_quadratics(self, seed, b1):
    # Of the points that differ in the step, the nearest one: what is left is
    # orthogonal to the gradient.
    problem = random_problem(seed)
    points, steps, _ = descend(
      "polyak_heavy_ball", problem, steps=8, b1=b1, c=0.5
    )
    points = np.concatenate([problem["start"][None], points])
    hessian = problem["matrix"].T @ problem["matrix"]
    away = points - problem["target"]
    for k in np.flatnonzero(steps > 0):
      grad = hessian @ away[k]
      sizes = np.linalg.norm(grad) * np.max(np.linalg.norm(away, axis=1))
      self.assertLess(abs(grad @ away[k + 1]), 1e-10 * sizes + 1e-14)


def step(tx, grads, state=None, params=None, **inputs):
  """One update in float32: the updates and the new state."""
  params = grads if params is None else params
  state = tx.init(params) if state is None else state
  return tx.update(grads, state, params, **inputs)


class OptionsTest(parameterized.TestCase):
  @parameterized.parameters(*BOTH)
  def test_bound_of_the_call_overrides(self, name):
    tx = getattr(optax_stepsize, name)(f_min=0.5)
    grads = jnp.ones(2)
    np.testing.assert_allclose(step(tx, grads, value=4.0)[0], -3.5 / 2)
    for bound, move in ((jnp.asarray(2.0), -1), (0, -2)):
      updates, _ = step(tx, grads, value=4.0, f_min=bound)
      np.testing.assert_allclose(updates, move)

  def test_differs_loss_below_its_bound_gives_no_step(self):
    # Of the third-party code, which ascends.
    grads = jnp.ones(2)
    tx = optax_stepsize.polyak_moving_gradient(f_min=2.0)
    updates, state = step(tx, grads, value=1.0)
    np.testing.assert_array_equal(updates, 0)
    self.assertEqual(state.step_size, 0)
    np.testing.assert_array_equal(state.grad_sum, grads)
    tx = optax_stepsize.polyak_heavy_ball(f_min=2.0)
    np.testing.assert_array_equal(step(tx, grads, value=1.0)[0], 0)
    tx = optax_stepsize.polyak_heavy_ball(f_min=2.0, clip_negative=False)
    np.testing.assert_allclose(step(tx, grads, value=1.0)[0], 0.5)

  @parameterized.parameters(np.nan, np.inf, -np.inf)
  def test_what_is_not_finite_moves_nothing(self, bad):
    for name in BOTH:
      tx = getattr(optax_stepsize, name)(0.5)
      grads, params = jnp.array([1.0, 2.0]), jnp.array([3.0, 4.0])
      updates, state = step(tx, grads, params=params, value=0.1)
      params = params + updates
      for inputs in ({"value": bad}, {"value": 1.0, "f_min": bad}):
        moves, new = step(tx, grads, state, params, **inputs)
        np.testing.assert_array_equal(moves, 0)
        self.assertEqual(read(new).count, 2)
        same = read(new)._replace(count=read(state).count)
        for x, y in zip(
          jax.tree.leaves(same), jax.tree.leaves(read(state)), strict=True
        ):
          np.testing.assert_array_equal(x, y)
      poisoned = jnp.array([1.0, bad])
      moves, new = step(tx, poisoned, state, params, value=1.0)
      np.testing.assert_array_equal(moves, 0)
      self.assertEqual(read(new).step_size, read(state).step_size)
      for leaf in jax.tree.leaves(new):
        self.assertTrue(np.all(np.isfinite(leaf)))
    # All of the heavy ball's state is kept, of the sum only that entry.
    np.testing.assert_array_equal(
      read(new).prev_params, read(state).prev_params
    )

  @parameterized.parameters(0.0, 1e-16)
  def test_zero_gradient(self, size):
    grads, params = jnp.ones(2), jnp.full(2, 3.0)
    tx = optax_stepsize.polyak_moving_gradient(0.0, weight_decay=0.1)
    updates, state = step(tx, size * grads, params=params, value=1.0)
    np.testing.assert_array_equal(updates, 0)
    self.assertEqual(state.step_size, 0)
    tx = optax_stepsize.polyak_heavy_ball(0.5)
    updates, state = step(tx, grads, params=params, value=1.0)
    coast, state = step(tx, size * grads, state, params + updates, value=1.0)
    np.testing.assert_allclose(coast, 0.5 * updates, rtol=1e-6)
    self.assertEqual(read(state).step_size, 0)

  @parameterized.named_parameters(
    ("everywhere", None, True),
    ("prefix", True, True),
    ("tree", {"a": True, "b": False}, False),
    ("callable", lambda p: jax.tree.map(lambda x: x.ndim > 0, p), False),
  )
  def test_decay_is_multiplied_by_the_step(self, mask, b_decays):
    params = {"a": jnp.full(2, 3.0), "b": jnp.array(-2.0)}
    grads = {"a": jnp.ones(2), "b": jnp.array(2.0)}
    tx = optax_stepsize.polyak_moving_gradient(weight_decay=0.1, mask=mask)
    updates, state = step(tx, grads, params=params, value=3.0)
    eta = 3 / 6
    self.assertEqual(state.step_size, eta)
    np.testing.assert_allclose(updates["a"], -eta * (1 + 0.1 * 3))
    np.testing.assert_allclose(updates["b"], -eta * (2 - 0.2 * b_decays))

  def test_displacement_is_measured(self):
    # Another transformation halves the first move.
    tx = optax_stepsize.polyak_heavy_ball(0.5)
    params = jnp.full(2, 3.0)
    updates, state = step(tx, jnp.ones(2), params=params, value=1.0)
    moved = params + 0.5 * updates
    coast, _ = step(tx, jnp.zeros(2), state, moved, value=1.0)
    np.testing.assert_allclose(coast, 0.25 * updates)

  @parameterized.parameters(jnp.bfloat16, jnp.float16)
  def test_narrow_parameters_do_what_wide_ones_do(self, dtype):
    # In bfloat16 alone displacements are rounding.
    target = jnp.linspace(-2.3, 3.1, 8)
    curvature = jnp.geomspace(0.1, 3, 8)

    @functools.partial(jax.jit, static_argnums=(0, 1))
    def run(dtype, compensate):
      tx = optax_stepsize.polyak_heavy_ball(
        0.9, c=0.5, max_step_size=0.02, compensate=compensate
      )

      def one(carry, _):
        params, state = carry
        wide = params.astype(jnp.float32)
        if compensate is None:
          wide = wide + (
            0 if dtype == jnp.float32 else state.residual.astype(jnp.float32)
          )
        grads = curvature * (wide - target)
        value = jnp.sum(grads * (wide - target)) / 2
        updates, state = tx.update(grads, state, params, value=value)
        return (optax.apply_updates(params, updates), state), value

      params = jnp.full(8, 0.75, dtype)
      return jax.lax.scan(one, (params, tx.init(params)), length=100)[1]

    wanted = run(jnp.float32, None)
    np.testing.assert_allclose(run(dtype, None), wanted, rtol=0.01)
    plain = run(dtype, False)
    self.assertGreater(np.max(np.abs(plain / wanted - 1)), 0.05)

  def test_dtypes_of_the_state(self):
    params = {"a": jnp.ones(2, jnp.bfloat16), "b": jnp.ones(2)}
    for name, field in zip(BOTH, ("grad_sum", "prev_params"), strict=True):
      make = getattr(optax_stepsize, name)
      found = getattr(read(make().init(params)), field)
      self.assertEqual(found["a"].dtype, jnp.float32)
      tx = make(state_dtype=jnp.bfloat16)
      found = getattr(read(tx.init(params)), field)
      self.assertEqual(found["b"].dtype, jnp.bfloat16)
      updates, new = tx.update(params, tx.init(params), params, value=1.0)
      self.assertEqual(getattr(read(new), field)["b"].dtype, jnp.bfloat16)
      self.assertEqual(updates["a"].dtype, jnp.bfloat16)

  @parameterized.parameters(*BOTH)
  def test_missing_inputs_are_named(self, name):
    tx = getattr(optax_stepsize, name)()
    grads = jnp.ones(2)
    with self.assertRaisesRegex(
      ValueError, rf"^{name}: update\(\) needs `value`.*Fix: tx"
    ):
      tx.update(grads, tx.init(grads), grads)
    with self.assertRaisesRegex(ValueError, f"^{name}: value must be a scalar"):
      step(tx, grads, value=jnp.ones(1))
    decays = optax_stepsize.polyak_moving_gradient(weight_decay=0.1)
    for needing in (optax_stepsize.polyak_heavy_ball(), decays):
      with self.assertRaisesRegex(ValueError, "needs `params`.*Fix: tx"):
        needing.update(grads, needing.init(grads), value=1.0)
    free = optax_stepsize.polyak_moving_gradient()
    free.update(grads, free.init(grads), value=1.0)

  @parameterized.parameters(
    ({"b1": 1.0}, r"b1 must be in \[0, 1\), got 1.0"),
    ({"c": 0.0}, r"c must be in \(0, inf\), got 0.0"),
    ({"f_min": np.nan}, r"f_min must be in \(-inf, inf\), got nan"),
    ({"max_step_size": 0}, r"max_step_size must be in \(0, inf\], got 0"),
    ({"eps": -1}, r"eps must be in \[0, inf\), got -1"),
    ({"weight_decay": -1}, r"weight_decay must be in \[0, inf\), got -1"),
    ({"clip_negative": 3}, "clip_negative must be one of True, False, got 3"),
  )
  def test_ranges(self, options, text):
    for name in BOTH:
      own = {"weight_decay": BOTH[0], "clip_negative": BOTH[1]}
      if own.get(next(iter(options)), name) == name:
        with self.assertRaisesRegex(ValueError, f"^{name}: {text}"):
          getattr(optax_stepsize, name)(**options)


if __name__ == "__main__":
  absltest.main()
