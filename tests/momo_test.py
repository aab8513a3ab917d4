# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `momo` and `momo_adam`: known numbers, corrections and options."""

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

BOTH = ("momo", "momo_adam")
CURVATURE = np.array([1.0, 10.0])


def descend(tx, steps=3):
  """Points and states on (x1^2 + 10 x2^2) / 2 from (1, 1), in float64."""

  def one(carry, _):
    x, state = carry
    value = jnp.sum(CURVATURE * x**2) / 2
    updates, state = tx.update(CURVATURE * x, state, x, value=value)
    x = optax.apply_updates(x, updates)
    return (x, state), (x, state)

  def run(x):
    return jax.lax.scan(one, (x, tx.init(x)), length=steps)[1]

  with core.enable_x64(True):
    return jax.device_get(jax.jit(run)(np.ones(2)))


class NumbersTest(parameterized.TestCase):
  def test_momo(self):
    points, _ = descend(optax_stepsize.momo())
    expected = [
      (0.9455445545, 0.4554455446),
      (0.9439116046, 0.4399207352),
      (0.9421869973, 0.4243218657),
    ]
    np.testing.assert_allclose(points, expected, rtol=2e-10)

  def test_corrected_averages(self):
    points, _ = descend(optax_stepsize.momo(bias_correction=True))
    expected = [(0.9309069684, 0.3479409560), (0.9202470152, 0.2834587589)]
    np.testing.assert_allclose(points[1:], expected, rtol=2e-10)

  def test_decay(self):
    tx = optax_stepsize.momo(0.02, weight_decay=0.1)
    expected = [
      (0.9780439122, 0.7984031936),
      (0.9561754734, 0.6012326644),
      (0.9366685110, 0.4331981843),
    ]
    np.testing.assert_allclose(descend(tx)[0], expected, rtol=2e-10)

  def test_differs_decay_divides_the_step_as_well(self):
    # Of Optax, whose first point is this one; the authors' code agrees with us.
    other = optax.contrib.momo(0.02, weight_decay=0.1)
    with jax.numpy_dtype_promotion("standard"):
      found = descend(other, 1)[0][0]
    np.testing.assert_allclose(found, [0.9780039920, 0.7980039920], rtol=2e-10)

  def test_estimated_bound(self):
    tx = optax_stepsize.momo(f_min=-1.0, adapt_lower_bound=True)
    points, states = descend(tx)
    np.testing.assert_allclose(
      states.lower_bound, [2.25, -0.7927053720, -0.6994227894], rtol=2e-10
    )
    np.testing.assert_allclose(
      points[-1], [0.9332814173, 0.3354458837], rtol=2e-10
    )

  def test_momo_adam(self):
    points, _ = descend(optax_stepsize.momo_adam(0.1), 2)
    expected = [(0.9, 0.9), (0.8004122297, 0.8004122279)]
    np.testing.assert_allclose(points, expected, rtol=2e-9)

  @parameterized.parameters(
    (True, (0.8910891099, 0.8910891090)), (False, (0.8900000010, 0.8900000001))
  )
  def test_momo_adam_decay(self, proximal, expected):
    tx = optax_stepsize.momo_adam(
      0.1, weight_decay=0.1, proximal_decay=proximal
    )
    np.testing.assert_allclose(descend(tx, 1)[0][0], expected, rtol=2e-10)


def step(tx, grads, state=None, params=None, **inputs):
  """One update in float32: the updates and the new state."""
  params = grads if params is None else params
  state = tx.init(params) if state is None else state
  return tx.update(grads, state, params, **inputs)


class OptionsTest(parameterized.TestCase):
  def test_bound_of_the_call_overrides(self):
    tx = optax_stepsize.momo(f_min=0.5)
    grads, params = jnp.ones(2), jnp.zeros(2)
    for inputs, wanted in (
      ({}, 0.5),
      ({"f_min": jnp.asarray(0.75)}, 0.75),
      ({"f_min": -0.5}, -0.5),
    ):
      updates, state = step(tx, grads, params=params, value=1.0, **inputs)
      np.testing.assert_allclose(updates, -(1 - wanted) / 2)
      self.assertEqual(state.lower_bound, wanted)
      self.assertEqual(state.step_size, (1 - wanted) / 2)

  def test_estimate_does_not_fall_below_the_bound_of_the_call(self):
    tx = optax_stepsize.momo(f_min=-9.0, adapt_lower_bound=True)
    grads, params = jnp.ones(2), jnp.zeros(2)
    _, state = step(tx, grads, params=params, value=1.0)
    self.assertEqual(state.lower_bound, 0)
    for bound, wanted in ((-9.0, 0.5), (0.75, 0.875), (1.5, 1.5)):
      _, new = step(tx, grads, state, params, value=1.0, f_min=bound)
      self.assertEqual(new.lower_bound, wanted)

  @parameterized.parameters(*BOTH)
  def test_loss_below_its_bound_gives_no_step(self, name):
    tx = getattr(optax_stepsize, name)(f_min=2.0)
    updates, state = step(tx, jnp.ones(2), value=1.0)
    np.testing.assert_array_equal(updates, 0)
    self.assertEqual((state.step_size, state.effective_count), (0, 1))

  @parameterized.parameters(*BOTH)
  def test_differs_zero_gradient_gives_no_step(self, name):
    # In the authors' code it is a division by zero.
    tx = getattr(optax_stepsize, name)()
    for value in (0.0, 1.0):
      updates, state = step(tx, jnp.zeros(2), params=jnp.ones(2), value=value)
      np.testing.assert_array_equal(updates, 0)
      self.assertEqual(state.step_size, 0)

  @parameterized.product(name=BOTH, bad=(np.nan, np.inf, -np.inf))
  def test_what_is_not_finite_moves_nothing(self, name, bad):
    tx = getattr(optax_stepsize, name)(0.1)
    grads, params = jnp.array([1.0, 2.0]), jnp.array([3.0, 4.0])
    _, state = step(tx, grads, params=params, value=10.0)
    for inputs in ({"value": bad}, {"value": 1.0, "f_min": bad}):
      moves, new = step(tx, grads, state, params, **inputs)
      np.testing.assert_array_equal(moves, 0)
      self.assertEqual(new.count, 2)
      for x, y in zip(
        jax.tree.leaves(new._replace(count=state.count)),
        jax.tree.leaves(state),
        strict=True,
      ):
        np.testing.assert_array_equal(x, y)
    # A gradient is left out of the scalars, and of the moments where it is bad.
    moves, new = step(tx, jnp.array([1.0, bad]), state, params, value=1.0)
    np.testing.assert_array_equal(moves, 0)
    self.assertEqual(new.effective_count, 1)
    for field in ("step_size", "value_avg", "product_avg", "lower_bound"):
      self.assertEqual(getattr(new, field), getattr(state, field))
    self.assertEqual(new.mu[1], state.mu[1])
    for leaf in jax.tree.leaves(new):
      self.assertTrue(np.all(np.isfinite(leaf)))

  def test_a_bad_first_loss_does_not_start_the_averages(self):
    tx = optax_stepsize.momo()
    grads, params = jnp.array([1.0, 2.0]), jnp.array([3.0, 4.0])
    _, state = step(tx, grads, params=params, value=np.nan)
    found, _ = step(tx, grads, state, params, value=10.0)
    wanted, _ = step(tx, grads, params=params, value=10.0)
    np.testing.assert_array_equal(found, wanted)

  @parameterized.parameters(*BOTH)
  def test_one_narrow_leaf_leaves_the_scalars_wide(self, name):
    params = {"a": jnp.full(3, 100.0), "b": jnp.ones(2, jnp.bfloat16)}
    grads = {"a": jnp.full(3, 1.001), "b": jnp.ones(2, jnp.bfloat16)}
    tx = getattr(optax_stepsize, name)()
    updates, state = step(tx, grads, params=params, value=3.0)
    updates, state = step(tx, grads, state, params, value=3.0)
    self.assertEqual(state.product_avg.dtype, jnp.float32)
    weight = 1 - 0.9**2 if name == "momo_adam" else 1
    wanted = weight * (3 * 100 * 1.001 + 2)
    np.testing.assert_allclose(state.product_avg, wanted, rtol=1e-6)
    self.assertEqual(updates["b"].dtype, jnp.bfloat16)

  @parameterized.parameters(*BOTH)
  def test_state_dtype(self, name):
    params = {"a": jnp.ones(3), "b": jnp.ones(2, jnp.bfloat16)}
    make = getattr(optax_stepsize, name)
    self.assertEqual(make().init(params).mu["b"].dtype, jnp.float32)
    tx = make(state_dtype=jnp.bfloat16)
    _, state = step(tx, params, params=params, value=1.0)
    moments = jax.tree.leaves((state.mu, state.nu))
    self.assertEqual({x.dtype for x in moments}, {jnp.dtype("bfloat16")})

  @parameterized.parameters(*BOTH)
  def test_missing_inputs_are_named(self, name):
    tx = getattr(optax_stepsize, name)()
    grads = jnp.ones(2)
    with self.assertRaisesRegex(ValueError, f"^{name}: .*needs `value`.*Fix"):
      tx.update(grads, tx.init(grads), grads)
    with self.assertRaisesRegex(ValueError, f"^{name}: .*needs `params`.*Fix"):
      tx.update(grads, tx.init(grads), value=1.0)
    with self.assertRaisesRegex(ValueError, f"^{name}: value must be a scalar"):
      step(tx, grads, value=jnp.ones(1))

  @parameterized.parameters(
    ({"learning_rate": -1.0}, r"learning_rate must be in \[0, inf\), got -1.0"),
    ({"b1": 1.0}, r"b1 must be in \[0, 1\), got 1.0"),
    ({"b2": 1.0}, r"b2 must be in \[0, 1\), got 1.0"),
    ({"eps": -1}, r"eps must be in \[0, inf\), got -1"),
    ({"f_min": np.inf}, r"f_min must be in \(-inf, inf\), got inf"),
    ({"weight_decay": -1}, r"weight_decay must be in \[0, inf\), got -1"),
    ({"adapt_lower_bound": 2}, "adapt_lower_bound must be one of True, False"),
    ({"bias_correction": 2}, "bias_correction must be one of True, False"),
    ({"proximal_decay": 2}, "proximal_decay must be one of True, False"),
  )
  def test_ranges(self, options, text):
    own = {"b2": BOTH[1], "eps": BOTH[1], "proximal_decay": BOTH[1]}
    own["bias_correction"] = BOTH[0]
    for name in BOTH:
      if own.get(next(iter(options)), name) == name:
        with self.assertRaisesRegex(ValueError, f"^{name}: {text}"):
          getattr(optax_stepsize, name)(**options)


if __name__ == "__main__":
  absltest.main()
