# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `smb`: numbers, theory, options."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import chex
import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

CURVATURE = np.array([1.0, 10.0])
Auto = optax_stepsize.SmbAutoSchedule


def inner(state):
  """The state below that of `compensated`."""
  return state.inner_state


def descend(tx, params, value_and_grad_fn, steps):
  """Parameters, states and losses of updates, in float64."""

  def one(carry, _):
    params, state = carry
    value, grads = value_and_grad_fn(params)
    updates, state = tx.update(
      grads, state, params, value=value, value_and_grad_fn=value_and_grad_fn
    )
    params = optax.apply_updates(params, updates)
    return (params, state), (params, inner(state), value)

  with core.enable_x64(True):
    params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), params)
    run = jax.jit(lambda p: jax.lax.scan(one, (p, tx.init(p)), length=steps)[1])
    return jax.device_get(run(params))


def quadratic(params):
  """Half of x1^2 + 10 x2^2, of an array of two or of two arrays of one."""
  x = jnp.concatenate(jax.tree.leaves(params))
  grads = jax.tree.map(lambda p: p, params)
  scaled = CURVATURE * x
  if isinstance(params, dict):
    grads = {"a": scaled[:1], "b": scaled[1:]}
  else:
    grads = scaled
  return jnp.sum(CURVATURE * x**2) / 2, grads


class NumbersTest(parameterized.TestCase):
  def test_one_group(self):
    points, states, values = descend(
      optax_stepsize.smb(), np.ones(2), quadratic, 3
    )
    expected = [
      (0.7522719180, 0.5549297554),
      (0.5659124008, 0.3121346701),
      (0.4257187027, 0.1796161277),
    ]
    np.testing.assert_allclose(points, expected, atol=1e-10)
    np.testing.assert_allclose(values[1:], [1.8226916863, 0.6472686839])
    step = np.linalg.norm(points[0] - 1) / np.linalg.norm(0.5 * CURVATURE)
    self.assertAlmostEqual(step, 0.1013682094, delta=1e-10)
    np.testing.assert_array_equal(states.model_step, True)
    np.testing.assert_array_equal(states.step_size, 0.5)

  def test_two_groups(self):
    start = {"a": np.ones(1), "b": np.ones(1)}
    points, _, _ = descend(optax_stepsize.smb(), start, quadratic, 3)
    expected = {
      0: (0.7512562814, 0.5458715596),
      2: (0.4239985279, 0.1626564926),
    }
    for k, (a, b) in expected.items():
      np.testing.assert_allclose(points["a"][k], a, atol=1e-10)
      np.testing.assert_allclose(points["b"][k], b, atol=1e-10)
    whole, _, _ = descend(optax_stepsize.smb(), np.ones(2), quadratic, 3)
    for labels in (None, "x", lambda p: {"a": 1, "b": 1}):
      labels = {"a": "x", "b": "x"} if labels == "x" else labels
      tx = optax_stepsize.smb(per_group=labels)
      together, _, _ = descend(tx, start, quadratic, 3)
      found = np.concatenate([together["a"], together["b"]], axis=-1)
      np.testing.assert_allclose(found, whole, rtol=1e-12)

  def test_small_rate_is_accepted(self):
    points, states, _ = descend(
      optax_stepsize.smb(0.1), np.ones(2), quadratic, 2
    )
    np.testing.assert_allclose(points, [(0.9, 0), (0.81, 0)], atol=1e-15)
    np.testing.assert_array_equal(states.model_step, False)

  def test_independent_batch_takes_two_updates(self):
    tx = optax_stepsize.smb(independent_batch=True)
    points, states, _ = descend(tx, np.ones(2), quadratic, 4)
    one, two = (0.7522719180, 0.5549297554), (0.5659124008, 0.3121346701)
    np.testing.assert_allclose(points, [(1, 1), one, one, two], atol=1e-10)
    np.testing.assert_array_equal(states.pending, [1, 0, 1, 0])
    np.testing.assert_array_equal(states.model_step, [0, 1, 0, 1])

  def test_linear_loss(self):
    # Accepted if it decreases; here it is said not to.
    slope = np.array([1.0, 2.0])
    values = iter((0.0, 1.0))
    tx = optax_stepsize.smb(0.5)
    with core.enable_x64(True):
      x = jnp.zeros(2, jnp.float64)
      updates, _ = tx.update(
        jnp.asarray(slope),
        tx.init(x),
        x,
        value=next(values),
        value_and_grad_fn=lambda p: (jnp.ones(()), jnp.asarray(slope)),
      )
    np.testing.assert_allclose(updates, (-0.495, -0.99), rtol=1e-14)


SIZE = 5
VECTORS = st.lists(
  st.floats(-10, 10, allow_subnormal=False), min_size=SIZE, max_size=SIZE
).map(np.array)


@functools.partial(jax.jit, static_argnums=0)
def model_step(independent, g, y, p, rate, eta):
  """The step of the model for given gradients; p is from the batch before."""
  tx = optax_stepsize.smb(rate, eta=eta, independent_batch=independent)
  state = tx.init(g)
  inputs = {
    "value": 0.0,
    "value_and_grad_fn": lambda point: (jnp.ones(()), g + y),
  }
  if independent:
    _, state = tx.update(p, state, g, **inputs)
  return tx.update(g, state, g, **inputs)[0]


class TheoryTest(parameterized.TestCase):
  def quantities(self, independent, g, y, p, rate, eta):
    """The step, the trial step s and the matrix of the model."""
    with core.enable_x64(True):
      step = np.asarray(model_step(independent, g, y, p, rate, eta))
    s = -rate * g
    n = np.linalg.norm
    sigma = (n(s) * (n(y) + n(g) / eta) - s @ y) / 2
    outer = np.outer(s, y) + np.outer(y, s)
    return step, s, (2 * sigma * np.eye(SIZE) + outer) / (s @ s)

  @hypothesis.settings(max_examples=200, deadline=None)
  @hypothesis.given(
    VECTORS, VECTORS, st.floats(1e-3, 10.0), st.floats(0.05, 0.99)
  )
  def test_step_is_a_bounded_descent(self, g, y, rate, eta):
    hypothesis.assume(np.linalg.norm(g) > 1e-3)
    step, s, model = self.quantities(False, g, y, g, rate, eta)
    self.assertLess(g @ step, 0)
    length = eta * np.linalg.norm(s)
    self.assertLessEqual(np.linalg.norm(step), length * (1 + 1e-14))
    # It minimises the model.
    scale = np.linalg.norm(model) * np.linalg.norm(step) + np.linalg.norm(g)
    self.assertLess(np.linalg.norm(model @ step + g), 1e-13 * scale)
    # Sigma makes it convex enough.
    least = np.linalg.norm(g) / (eta * np.linalg.norm(s))
    error = 1e-13 * np.linalg.norm(model)
    self.assertGreater(np.linalg.eigvalsh(model)[0], least - error)

  @hypothesis.settings(max_examples=200, deadline=None)
  @hypothesis.given(
    VECTORS, VECTORS, VECTORS, st.floats(1e-3, 10.0), st.floats(0.05, 0.99)
  )
  def test_independent_step_minimises_its_model(self, g, y, p, rate, eta):
    hypothesis.assume(np.linalg.norm(g) > 1e-3)
    hypothesis.assume(np.linalg.norm(p) > 1e-3)
    step, s, model = self.quantities(True, g, y, p, rate, eta)
    self.assertLess(p @ step, 0)
    # Times the length of the gradient it is for, by that of the model's own.
    length = eta * np.linalg.norm(s) * np.linalg.norm(p) / np.linalg.norm(g)
    self.assertLessEqual(np.linalg.norm(step), length * (1 + 1e-12))
    scale = np.linalg.norm(model) * np.linalg.norm(step) + np.linalg.norm(p)
    self.assertLess(np.linalg.norm(model @ step + p), 1e-13 * scale)

  def test_independent_step_for_its_own_gradient_is_that_of_smb(self):
    rng = np.random.RandomState(0)
    for _ in range(10):
      g, y = rng.standard_normal((2, SIZE))
      with core.enable_x64(True):
        own = model_step(False, g, y, g, 0.7, 0.9)
        found = model_step(True, g, y, g, 0.7, 0.9)
      np.testing.assert_allclose(found, own, rtol=1e-12)

  @parameterized.product(independent=(False, True), sign=(-1.0, 1.0))
  def test_extremes(self, independent, sign):
    # Products of these overflow in float32; quotients need not.
    g = np.float32([3.0, -4.0, 0.0, 0.0, 0.0])
    for size in (1e-7, 1.0, 1e15):
      for change in (1e-15, 1.0, 1e15):
        step = model_step(
          independent,
          np.float32(size) * g,
          np.float32(sign * change) * g[::-1] + np.float32(sign * size) * g,
          np.float32(size) * g,
          np.float32(1.0),
          np.float32(0.99),
        )
        chex.assert_tree_all_finite(step)
        self.assertLessEqual(
          np.linalg.norm(np.float64(step)), 0.9901 * size * 5
        )


def step(tx, grads, state=None, params=None, value=1.0, **inputs):
  """One update; by default of a trial that is refused."""
  params = grads if params is None else params
  state = tx.init(params) if state is None else state
  inputs.setdefault(
    "value_and_grad_fn",
    lambda p: (jnp.full((), 2.0), jax.tree.map(lambda x: -x, p)),
  )
  return tx.update(grads, state, params, value=value, **inputs)


def accepts(params):
  return jnp.full((), -1e6), params


class OptionsTest(parameterized.TestCase):
  def test_schedule_and_auto_schedule_compose(self):
    rates = np.array([1.0, 0.5, 0.25, 0.25, 0.5, 1.0])
    tx = optax_stepsize.smb(
      lambda count: jnp.asarray(rates)[count],
      auto_schedule=Auto(2, 0.0, 0.5, 2.0),
    )
    grads = jnp.ones(2)
    state, found, counts = tx.init(grads), [], []
    # Model steps in the first window only; then it grows as it may.
    for k in range(6):
      more = {} if k == 1 else {"value_and_grad_fn": accepts}
      _, state = step(tx, grads, state, **more)
      now = inner(state)
      found.append((float(now.step_size), float(now.rate_factor)))
      counts.append((int(now.window_count), int(now.model_count)))
    factors = [1.0, 0.5, 0.5, 1.0, 1.0, 2.0]
    before = [1.0, 1.0, 0.5, 0.5, 1.0, 1.0]
    np.testing.assert_allclose(
      found, np.stack([rates * before, factors], axis=1)
    )
    self.assertEqual(counts, [(1, 0), (0, 0)] * 3)

  def test_largest_rate(self):
    for most, factor in ((0.99, 1.0), (1.0, 2.0)):
      tx = optax_stepsize.smb(0.5, auto_schedule=Auto(1, 0.5, 0.5, most))
      _, state = step(tx, jnp.ones(2), value_and_grad_fn=accepts)
      self.assertEqual(inner(state).rate_factor, factor)

  @parameterized.parameters(
    # The share must be exceeded; of SMBi half of it.
    (False, 4, 0.25, [1, 0, 0, 0], 2.0),
    (False, 4, 0.25, [1, 1, 0, 0], 0.5),
    (True, 4, 0.5, [1, 0, 0, 0], 2.0),
    (True, 4, 0.49, [1, 0, 0, 0], 0.5),
  )
  def test_share_of_the_window(
    self, independent, window, share, models, factor
  ):
    tx = optax_stepsize.smb(
      0.5,
      independent_batch=independent,
      auto_schedule=Auto(window, share, 0.5),
    )
    grads = jnp.ones(2)
    state = tx.init(grads)
    for refused in models:
      more = {} if refused else {"value_and_grad_fn": accepts}
      _, state = step(tx, grads, state, **more)
    self.assertEqual(inner(state).rate_factor, factor)
    self.assertEqual(inner(state).window_count, 0)

  def test_window_may_end_while_a_step_is_pending(self):
    tx = optax_stepsize.smb(
      independent_batch=True, auto_schedule=Auto(1, 0.0, 0.5)
    )
    grads = jnp.array([1.0, -2.0])
    nothing, state = step(tx, grads)
    np.testing.assert_array_equal(nothing, 0)
    self.assertTrue(inner(state).pending)
    np.testing.assert_array_equal(inner(state).prev_grad, grads)
    self.assertEqual(inner(state).rate_factor, 2)
    moved, state = step(tx, 2 * grads, state)
    self.assertTrue(np.all(moved * grads < 0))
    self.assertFalse(inner(state).pending)
    np.testing.assert_array_equal(inner(state).prev_grad, grads)
    self.assertEqual((inner(state).step_size, inner(state).rate_factor), (1, 1))

  def test_fields_that_are_not_needed_are_none(self):
    state = inner(optax_stepsize.smb().init(jnp.ones(2)))
    absent = [k for k, v in state._asdict().items() if v is None]
    self.assertEqual(
      absent,
      ["rate_factor", "window_count", "model_count", "pending", "prev_grad"],
    )

  @parameterized.parameters(True, False)
  def test_weight_decay(self, accepted):
    more = {"value_and_grad_fn": accepts} if accepted else {}
    grads = {"a": jnp.array([1.0, 2.0]), "b": jnp.array([3.0])}
    params = {"a": jnp.array([5.0, 6.0]), "b": jnp.array([7.0])}
    plain, _ = step(optax_stepsize.smb(0.5), grads, params=params, **more)
    for mask in ({"a": True, "b": False}, lambda p: {"a": True, "b": False}):
      tx = optax_stepsize.smb(0.5, weight_decay=0.1, mask=mask)
      found, _ = step(tx, grads, params=params, **more)
      chex.assert_trees_all_close(
        found, {"a": plain["a"] - 0.05 * params["a"], "b": plain["b"]}
      )
    tx = optax_stepsize.smb(weight_decay=0.1, independent_batch=True)
    waits, _ = step(tx, grads, params=params)
    chex.assert_trees_all_equal(waits, jax.tree.map(jnp.zeros_like, grads))

  def test_gradient_of_zeros(self):
    tx = optax_stepsize.smb(auto_schedule=Auto())
    updates, state = step(tx, jnp.zeros(3), value_and_grad_fn=accepts)
    np.testing.assert_array_equal(updates, 0)
    # Whatever the loss there: rounding alone may make it larger.
    updates, state = step(tx, jnp.full(3, 1e-9), state)
    np.testing.assert_allclose(updates, -0.5e-9, rtol=1e-6)
    self.assertFalse(inner(state).model_step)

  @parameterized.parameters(False, True)
  def test_differs_group_without_gradient_has_no_step(self, independent):
    tx = optax_stepsize.smb(independent_batch=independent)
    grads = {"a": jnp.array([1.0, 2.0]), "b": jnp.zeros(3)}
    state = tx.init(grads)
    if independent:
      _, state = step(tx, {"a": grads["a"], "b": jnp.ones(3)}, state)

    def value_and_grad_fn(params):
      return jnp.full((), 2.0), jax.tree.map(lambda x: x + 1, params)

    updates, state = step(tx, grads, state, value_and_grad_fn=value_and_grad_fn)
    np.testing.assert_array_equal(updates["b"], 0)
    self.assertTrue(np.all(np.isfinite(updates["a"]) & (updates["a"] != 0)))
    self.assertTrue(inner(state).model_step)

  @parameterized.product(
    independent=(False, True), waited=(False, True), bad=(np.nan, np.inf)
  )
  def test_what_is_not_finite_changes_nothing(self, independent, waited, bad):
    tx = optax_stepsize.smb(
      independent_batch=independent,
      auto_schedule=Auto(),
      weight_decay=0.1,
    )
    grads = jnp.array([1.0, 2.0])
    _, state = step(tx, grads)
    if independent and not waited:
      _, state = step(tx, grads, state)
    poisons = [{"value": bad}, {"grads": jnp.array([1.0, bad])}]
    if waited or not independent:
      trial = lambda p: (jnp.full((), 2.0), jnp.array([1.0, bad]))  # noqa: E731
      poisons.append({"value_and_grad_fn": trial})
    for poison in poisons:
      given = {"grads": grads, "params": grads} | poison
      updates, new = step(tx, state=state, **given)
      np.testing.assert_array_equal(updates, 0)
      now = inner(new)
      self.assertEqual(now.count, inner(state).count + 1)
      chex.assert_trees_all_equal(
        now._replace(count=inner(state).count), inner(state)
      )

  @parameterized.product(
    independent=(False, True), bad=(np.nan, np.inf, -np.inf)
  )
  def test_differs_trial_that_is_not_finite_is_refused(self, independent, bad):
    # In the authors' code SMBi accepts a loss that is not a number.
    tx = optax_stepsize.smb(independent_batch=independent)
    grads = jnp.array([1.0, 2.0])
    updates, state = step(
      tx, grads, value_and_grad_fn=lambda p: (jnp.full((), bad), p)
    )
    if independent:
      np.testing.assert_array_equal(updates, 0)
      self.assertTrue(inner(state).pending)
    else:
      self.assertTrue(inner(state).model_step)
      self.assertLess(np.linalg.norm(updates), 0.5 * np.linalg.norm(grads))

  def test_missing_inputs_are_named(self):
    tx, grads = optax_stepsize.smb(), jnp.ones(2)
    state = tx.init(grads)
    with self.assertRaisesRegex(ValueError, "^smb: .*`value_and_grad_fn`.*Fix"):
      tx.update(grads, state, grads, value=1.0)
    with self.assertRaisesRegex(ValueError, "^smb: .*needs `value`.*Fix"):
      tx.update(grads, state, grads, value_and_grad_fn=accepts)
    with self.assertRaisesRegex(ValueError, "^smb: .*needs `params`.*Fix"):
      tx.update(grads, state, value=1.0, value_and_grad_fn=accepts)

  def test_losses_are_scalars(self):
    tx, grads = optax_stepsize.smb(), jnp.ones(2)
    with self.assertRaisesRegex(ValueError, "^smb: value must be a scalar"):
      step(tx, grads, value=jnp.ones(1))
    for wrong in (jnp.ones(1), (jnp.ones(()), {"aux": 1})):
      with self.assertRaisesRegex(
        ValueError, "^smb: value_and_grad_fn must re"
      ):
        step(tx, grads, value_and_grad_fn=lambda p, w=wrong: (w, p))

  @parameterized.parameters(
    ({"learning_rate": -1.0}, r"learning_rate must be in \[0, inf\), got -1.0"),
    ({"eta": 1.0}, r"eta must be in \(0, 1\), got 1.0"),
    ({"c": 0.0}, r"c must be in \(0, 1\), got 0.0"),
    ({"independent_batch": 2}, "independent_batch must be one of True, False"),
    ({"weight_decay": -1.0}, r"weight_decay must be in \[0, inf\), got -1.0"),
    (
      {"auto_schedule": True},
      "auto_schedule must be an SmbAutoSchedule, got T",
    ),
    (
      {"auto_schedule": Auto(0)},
      "auto_schedule.window must be an integer >= 1",
    ),
    (
      {"auto_schedule": Auto(model_share=1.0)},
      r"auto_schedule.model_share must be in \[0, 1\), got 1.0",
    ),
    (
      {"auto_schedule": Auto(factor=1.0)},
      r"auto_schedule.factor must be in \(0, 1\), got 1.0",
    ),
    (
      {"auto_schedule": Auto(max_learning_rate=0.0)},
      r"auto_schedule.max_learning_rate must be in \(0, inf\], got 0.0",
    ),
  )
  def test_ranges(self, options, text):
    with self.assertRaisesRegex(ValueError, f"^smb: {text}"):
      optax_stepsize.smb(**options)

  def test_labels_are_checked(self):
    with self.assertRaisesRegex(ValueError, "^smb: per_group must be a tree"):
      step(optax_stepsize.smb(per_group="leaves"), jnp.ones(2))

  def test_numbers_of_the_auto_schedule_can_be_traced(self):
    def rate(share, factor):
      tx = optax_stepsize.smb(auto_schedule=Auto(1, share, factor, 1.0))
      state = step(tx, jnp.ones(2), value_and_grad_fn=accepts)[1]
      return inner(state).rate_factor

    found = jax.vmap(rate)(jnp.array([0.1, 0.2]), jnp.array([0.5, 0.8]))
    np.testing.assert_allclose(found, [2, 1.25])

  def test_inject_hyperparams(self):
    tx = optax.inject_hyperparams(
      optax_stepsize.smb,
      static_args=("independent_batch", "per_group", "auto_schedule"),
      hyperparam_dtype=jnp.float32,
    )(learning_rate=lambda count: jnp.array([0.5, 0.25])[count])
    grads = jnp.ones(2)
    updates, state = step(tx, grads, value_and_grad_fn=accepts)
    np.testing.assert_allclose(updates, -0.5)
    updates, _ = step(tx, grads, state, value_and_grad_fn=accepts)
    np.testing.assert_allclose(updates, -0.25)

  @parameterized.parameters(False, True)
  def test_trees_with_nothing_in_them(self, independent):
    tx = optax_stepsize.smb(independent_batch=independent)
    for params in ({}, {"a": [jnp.ones(3), None], "b": (jnp.ones(()),)}):
      updates, _ = step(tx, params)
      self.assertEqual(jax.tree.structure(updates), jax.tree.structure(params))


if __name__ == "__main__":
  absltest.main()
