# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the options of `dog`, `ldog` and `scale_by_dog`."""

import warnings

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

START = {"m": np.arange(6.0).reshape(2, 3) - 2, "s": np.array(2.0)}


def noise(steps, seed=0):
  rng = np.random.RandomState(seed)
  return {
    "m": 0.3 + rng.standard_normal((steps, 2, 3)),
    "s": 0.3 + rng.standard_normal(steps),
  }


def feed(tx, grads, start=START):
  """Parameters, updates and states after each gradient, in float64."""

  def step(carry, grad):
    params, state = carry
    updates, state = tx.update(grad, state, params)
    params = optax.apply_updates(params, updates)
    return (params, state), (params, updates, state)

  def run(start, grads):
    return jax.lax.scan(step, (start, tx.init(start)), grads)[1]

  with core.enable_x64(True):
    return jax.device_get(jax.jit(run)(start, grads))


def inner(state):
  """The state of the rule within that of a ready-made optimizer."""
  return state.inner_state[1]


def tamed_steps(points, grads, movement, scale):
  """Step sizes of T-DoG for the gradients of one scope, by its formula."""
  top = first = total = 0.0
  steps = []
  for t, (point, grad) in enumerate(zip(points, grads, strict=True)):
    movement = max(movement, np.linalg.norm(point - points[0]))
    top = max(top, np.linalg.norm(grad))
    first = first or top
    if top:
      log = 1 + np.log(1 + t * top**2 / first**2)
      steps.append(movement / np.sqrt(scale * log**2 * (total + 16 * top**2)))
    else:
      steps.append(0.0)
    total += np.sum(grad**2)
  return np.array(steps)


class TamedTest(parameterized.TestCase):
  @parameterized.parameters(1.0, 50.0)
  def test_dog_against_the_rule(self, scale):
    grads = jax.tree.map(np.copy, noise(12))
    for leaf in grads.values():
      leaf[:2] = 0  # the rule waits for the first gradient
      leaf[6] *= 10  # the maximum jumps
    tx = optax_stepsize.dog(reps_rel=0.1, tamed=True, tamed_scale=scale)
    params, _, state = feed(tx, grads)
    flat = [
      np.concatenate([tree["m"].reshape(-1, 6), tree["s"][:, None]], axis=1)
      for tree in (params, grads)
    ]
    start = np.append(START["m"].reshape(-1), START["s"])
    points = np.concatenate([start[None], flat[0][:-1]])
    movement = 0.1 * (1 + np.linalg.norm(start))
    expected = tamed_steps(points, flat[1], movement, scale)
    np.testing.assert_allclose(inner(state).step_size, expected, rtol=1e-11)
    np.testing.assert_array_equal(params["m"][1], START["m"])

  def test_ldog_against_the_rule(self):
    grads = noise(12) | {"s": np.where(np.arange(12) < 3, 0, noise(12)["s"])}
    tx = optax_stepsize.ldog(reps_rel=0.1, tamed=True)
    params, _, state = feed(tx, grads)
    for name, start in START.items():
      points = np.concatenate([start[None], params[name][:-1]])
      movement = 0.1 * (1 + np.linalg.norm(start))
      expected = tamed_steps(points, grads[name], movement, 1.0)
      np.testing.assert_allclose(
        inner(state).step_size[name], expected, rtol=1e-11
      )

  def test_steps_are_smaller_than_those_of_dog(self):
    def steps(**options):
      tx = optax_stepsize.dog(reps_rel=0.1, **options)
      return inner(feed(tx, noise(12))[2]).step_size

    self.assertTrue(np.all(steps(tamed=True) < 0.5 * steps()))

  def test_state_is_kept_only_when_it_is_needed(self):
    params = {"w": jnp.ones(2)}
    plain = optax_stepsize.scale_by_dog().init(params)
    self.assertIsNone(plain.max_grad_sq)
    tamed = optax_stepsize.scale_by_dog(tamed=True).init(params)
    self.assertEqual(tamed.max_grad_sq, 0)
    self.assertEqual(tamed.grad_sq_sum, 0)  # without eps


class BlockTest(parameterized.TestCase):
  def test_each_layer_of_a_stack_is_a_leaf_of_its_own(self):
    grads = noise(10)
    apart = {"0": START["m"][0], "1": START["m"][1], "s": START["s"]}
    apart_grads = {
      "0": grads["m"][:, 0], "1": grads["m"][:, 1], "s": grads["s"]
    }  # fmt: skip
    options = {"reps_rel": 0.1, "weight_decay": 0.1}
    stacked = optax_stepsize.ldog(
      block_axes=lambda path, leaf: (0,) if leaf.ndim > 1 else (), **options
    )
    params, _, state = feed(stacked, grads)
    expected, _, apart_state = feed(
      optax_stepsize.ldog(**options), apart_grads, apart
    )
    steps = inner(state).step_size["m"]
    self.assertEqual(steps.shape, (10, 2, 1))
    for layer in (0, 1):
      np.testing.assert_allclose(
        params["m"][:, layer], expected[str(layer)], rtol=1e-12
      )
      np.testing.assert_allclose(
        steps[:, layer, 0],
        inner(apart_state).step_size[str(layer)],
        rtol=1e-12,
      )
    np.testing.assert_allclose(params["s"], expected["s"], rtol=1e-12)
    self.assertGreater(np.ptp(steps[-1]), 1e-3)

  def test_axes_may_count_from_the_end(self):
    def make(axes):
      return optax_stepsize.scale_by_dog(
        layerwise=True, block_axes=lambda path, leaf: axes
      )

    params = jnp.ones((2, 3, 4))
    for axes, shape in (((1,), (1, 3, 1)), ((-1, 0), (2, 1, 4))):
      state = jax.eval_shape(make(axes).init, params)
      self.assertEqual(state.step_size.shape, shape)

  def test_scalar_leaf_beside_a_stack(self):
    # The documented function asks for axis 0 of every leaf.
    tx = optax_stepsize.ldog(block_axes=lambda path, leaf: (0,))
    params = {"stack": jnp.ones((2, 3)), "scale": jnp.ones(())}
    state = jax.eval_shape(tx.init, params)
    self.assertEqual(inner(state).step_size["scale"].shape, ())

  def test_blocks_need_layers(self):
    with self.assertRaisesRegex(
      ValueError, "dog: block_axes must be None without layerwise=True"
    ):
      optax_stepsize.scale_by_dog(block_axes=lambda path, leaf: (0,))


class OptionsTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("tree", {"m": True, "s": False}),
    ("callable", lambda p: jax.tree.map(lambda x: np.ndim(x) > 1, p)),
  )
  def test_mask_chooses_what_decays(self, mask):
    # A layer-wise method shows which leaf was decayed.
    def updates(**options):
      tx = optax_stepsize.ldog(reps_rel=0.1, **options)
      return feed(tx, noise(2))[1]

    plain = updates()
    every = updates(weight_decay=0.5)
    found = updates(weight_decay=0.5, mask=mask)
    np.testing.assert_array_equal(found["s"], plain["s"])
    np.testing.assert_array_equal(found["m"], every["m"])
    self.assertGreater(np.max(np.abs(found["m"] - plain["m"])), 1e-3)

  def test_building_block_does_not_flip_the_sign(self):
    block = feed(optax_stepsize.scale_by_dog(0.5, reps_rel=0.1), noise(1))[1]
    ready = feed(optax_stepsize.dog(0.5, reps_rel=0.1), noise(1))[1]
    np.testing.assert_array_equal(block["m"], -ready["m"])
    self.assertEqual(np.sign(block["s"]), np.sign(noise(1)["s"]))

  def test_first_movement_is_relative_to_the_norm(self):
    norm = np.sqrt(np.sum(START["m"] ** 2) + START["s"] ** 2)
    state = inner(feed(optax_stepsize.dog(reps_rel=1e-3), noise(1))[2])
    np.testing.assert_allclose(state.max_distance, 1e-3 * (1 + norm))
    state = inner(feed(optax_stepsize.dog(init_eta=0.1), noise(1))[2])
    np.testing.assert_array_equal(state.max_distance, 0)

  def test_eps_is_the_first_sum(self):
    grads = jax.tree.map(np.zeros_like, noise(1))
    state = inner(feed(optax_stepsize.dog(eps=0.25), grads)[2])
    np.testing.assert_array_equal(state.grad_sq_sum, 0.25)

  def test_anchor_is_a_copy_and_keeps_its_dtype(self):
    params = {"w": jnp.ones(3), "h": jnp.ones(2, jnp.float16)}
    state = optax_stepsize.scale_by_dog(reps_rel=1e-2).init(params)
    self.assertEqual(state.anchor["h"].dtype, jnp.float16)
    self.assertNotEqual(
      state.anchor["w"].unsafe_buffer_pointer(),
      params["w"].unsafe_buffer_pointer(),
    )
    self.assertEqual(state.step_size.dtype, jnp.float32)
    state = optax_stepsize.dog(state_dtype=jnp.bfloat16).init(params)
    self.assertEqual(inner(state).anchor["w"].dtype, jnp.bfloat16)
    # Where rounding is compensated, the anchor is that of float32 parameters.
    state = optax_stepsize.dog().init(params)
    self.assertEqual(inner(state).anchor["h"].dtype, jnp.float32)

  def test_narrow_anchor(self):
    # START is exact in bfloat16: the distances are the same.
    options = {"reps_rel": 0.1}
    expected = feed(optax_stepsize.dog(**options), noise(5))[0]
    tx = optax_stepsize.dog(state_dtype=jnp.bfloat16, **options)
    np.testing.assert_allclose(
      feed(tx, noise(5))[0]["m"], expected["m"], rtol=1e-12
    )

  def test_sum_of_squares_beside_a_float64_oracle(self):
    # In bfloat16 it would stop at 4096.
    params = jnp.ones(64, jnp.bfloat16)
    grads = jnp.full(64, 0.5, jnp.bfloat16)
    tx = optax_stepsize.dog()

    @jax.jit
    def run(params):
      def step(state, _):
        return tx.update(grads, state, params)[1], None

      return jax.lax.scan(step, tx.init(params), length=400)[0]

    total = inner(run(params)).grad_sq_sum
    self.assertAlmostEqual(float(total) / 6400, 1, delta=1e-3)

  @parameterized.parameters(
    ({}, True),
    ({"reps_rel": 1e-4}, True),
    ({"reps_rel": 1e-2}, False),
    ({"init_eta": 1e-2}, False),
  )
  def test_warning_about_swallowed_steps(self, options, warned):
    params = {"w": jnp.ones(3), "h": jnp.ones(2, jnp.bfloat16)}
    tx = optax_stepsize.dog(compensate=False, **options)
    with warnings.catch_warnings(record=True) as caught:
      warnings.simplefilter("always")
      jax.eval_shape(tx.init, params)
      jax.eval_shape(tx.init, {"w": params["w"]})
      jax.eval_shape(optax_stepsize.dog(**options).init, params)
    self.assertLen(caught, int(warned))
    if warned:
      rate = options.get("reps_rel", 1e-6)
      self.assertEqual(
        str(caught[0].message),
        "dog: with parameters narrower than float32, first moves of relative"
        f" size reps_rel={rate} are rounded away and the step size never"
        " grows. Fix: compensate=None (the default of dog and ldog), float32"
        " parameters, or reps_rel >= 1e-3.",
      )

  def test_array_option_when_init_is_jitted(self):
    tx = optax_stepsize.scale_by_dog(reps_rel=jnp.asarray(1e-2))
    state = jax.jit(tx.init)(jnp.zeros(2, jnp.bfloat16))
    np.testing.assert_allclose(state.max_distance, 1e-2)

  @parameterized.named_parameters(
    ("rate", {"learning_rate": -1}, "learning_rate must be in [0, inf)"),
    ("reps_rel", {"reps_rel": 0}, "reps_rel must be in (0, inf), got 0."),
    ("eps", {"eps": 0.0}, "eps must be in (0, inf), got 0.0."),
    ("init_eta", {"init_eta": 0}, "init_eta must be in (0, inf), got 0."),
    ("scale", {"tamed_scale": -1}, "tamed_scale must be in (0, inf), got -1."),
    ("decay", {"weight_decay": -1}, "weight_decay must be in [0, inf)"),
  )
  def test_ranges(self, options, text):
    for factory in (optax_stepsize.dog, optax_stepsize.ldog):
      with self.assertRaises(ValueError) as error:
        factory(**options)
      name = factory.__name__
      self.assertStartsWith(str(error.exception), f"{name}: {text}")


if __name__ == "__main__":
  absltest.main()
