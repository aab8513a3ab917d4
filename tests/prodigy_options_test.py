# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `prodigy`: the bound of its estimate, and its options."""

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

SIZE = 4


@functools.partial(jax.jit, static_argnums=(0, 1))
def _estimates(slice_p, safeguard_warmup, problems, floats):
  """Estimates along 80 steps on each of a batch of convex problems."""

  def run(problem, floats):
    rate = floats["learning_rate"]
    tx = optax_stepsize.prodigy(
      # A rate that varies, to zero and back.
      lambda k: rate * (1 + jnp.cos(0.3 * k.astype(rate.dtype))),
      **{k: v for k, v in floats.items() if k != "learning_rate"},
      slice_p=slice_p,
      safeguard_warmup=safeguard_warmup,
    )
    matrix, target = problem["matrix"], problem["target"]

    def step(carry, _):
      params, state = carry
      image = matrix @ (params - target)
      # f = sum h(image), h(x) = x^2 / 2 or log cosh x.
      slope = jnp.where(problem["quadratic"], image, jnp.tanh(image))
      updates, state = tx.update(matrix.T @ slope, state, params)
      params = optax.apply_updates(params, updates)
      return (params, state), state.inner_state.distance

    start = (problem["start"], tx.init(problem["start"]))
    return jax.lax.scan(step, start, length=80)[1]

  return jax.vmap(run)(problems, floats)


def random_problem(seed):
  """A convex problem and its largest coordinate distance to the solution."""
  rng = np.random.RandomState(seed)
  matrix = rng.standard_normal((SIZE, SIZE)) * 10 ** rng.uniform(-2, 1, SIZE)
  start, target = rng.standard_normal((2, SIZE)) * 10 ** rng.uniform(-1, 1)
  problem = {
    "matrix": matrix,
    "start": start,
    "target": target,
    "quadratic": seed % 3 > 0,
  }
  return problem, np.max(np.abs(start - target))


PROBLEMS = [random_problem(seed) for seed in range(200)]


def estimates(drawn, slice_p=1, safeguard_warmup=False, **options):
  """Estimates of each problem and step, relative to the distance."""
  problems = jax.tree.map(lambda *x: np.stack(x), *[p for p, _ in drawn])
  floats = {"learning_rate": 0.5, "b3": 0.999**0.5, "d0": 1e-3, "d_coef": 1.0}
  floats = jax.tree.map(
    lambda x: np.broadcast_to(np.float64(x), len(drawn)), floats | options
  )
  with core.enable_x64(True):
    found = _estimates(slice_p, safeguard_warmup, problems, floats)
    found = np.asarray(found)
  return found / np.array([[d] for _, d in drawn])


class BoundTest(parameterized.TestCase):
  @hypothesis.settings(max_examples=60, deadline=None, database=None)
  @hypothesis.given(
    seed=st.integers(0, 2**31 - 1),
    b3=st.sampled_from([0.0, 0.5, 0.9, 0.999**0.5, 1.0]),
    learning_rate=st.floats(0.01, 3),
    d0=st.sampled_from([1e-6, 1e-2, 1.0, 100.0]),
  )
  def test_estimate_is_a_lower_bound(self, seed, b3, learning_rate, d0):
    problem, distance = random_problem(seed)
    found = estimates(
      [(problem, distance)], b3=b3, learning_rate=learning_rate, d0=d0
    )
    bound = max(d0, distance) / distance
    self.assertLessEqual(np.max(found), bound * (1 + 1e-9))

  def test_usual_size_of_the_estimate(self):
    last = estimates(PROBLEMS)[:, -1]
    self.assertBetween(np.median(last), 0.05, 0.6)
    self.assertLess(np.mean(last > 0.6), 0.05)

  def test_the_bound_is_tight_with_short_memory(self):
    # All coordinates walk down a cone together.
    cone = random_problem(0)[0] | {"target": np.zeros(SIZE)}
    cone["start"] = np.ones(SIZE)
    cones = [
      (cone | {"matrix": (1 + 10 * i) * np.eye(SIZE)}, 1.0) for i in range(200)
    ]
    last = estimates(cones, b3=0.5, learning_rate=0.05, d0=1e-2)[:, -1]
    self.assertBetween(np.max(last), 0.995, 1 + 1e-9)

  def test_twice_the_factor_gives_at_most_twice_the_bound(self):
    last = estimates(PROBLEMS, b3=0.5, d_coef=2.0)[:, -1]
    self.assertBetween(np.max(last), 1.5, 2 + 1e-9)

  def test_the_bound_needs_every_entry(self):
    found = estimates(PROBLEMS, slice_p=2, b3=0.5)
    self.assertGreater(np.max(found), 1.2)

  def test_the_bound_needs_equal_weights(self):
    found = estimates(PROBLEMS, safeguard_warmup=True, b3=0.5)
    self.assertGreater(np.max(found), 1.05)


START = {"m": np.arange(6.0).reshape(2, 3) - 2, "s": np.array(2.0)}


def feed(grads, start=START, **options):
  """Parameters, updates and states after each gradient, in float64."""
  tx = optax_stepsize.prodigy(**({"d0": 0.1} | options))

  def step(carry, grad):
    params, state = carry
    updates, state = tx.update(grad, state, params)
    params = optax.apply_updates(params, updates)
    return (params, state), (params, updates, state.inner_state)

  def run(start, grads):
    return jax.lax.scan(step, (start, tx.init(start)), grads)[1]

  with core.enable_x64(True):
    return jax.device_get(jax.jit(run)(start, grads))


def noise(steps, seed=0):
  rng = np.random.RandomState(seed)
  return {
    "m": 0.3 + rng.standard_normal((steps, 2, 3)),
    "s": 0.3 + rng.standard_normal(steps),
  }


class OptionsTest(parameterized.TestCase):
  def test_growth_rate_holds_all_growth_but_the_first(self):
    grads = jax.tree.map(lambda g: np.repeat(g[:1], 60, axis=0), noise(1))
    state = feed(grads, growth_rate=1.02)[2]
    distance = np.array([0.1, *state.distance])
    ratio = distance[1:] / distance[:-1]
    first = np.flatnonzero(ratio > 1)[0]
    self.assertGreater(ratio[first], 1.02)  # the reference does not cap it
    self.assertLessEqual(np.max(ratio[first + 1 :]), 1.02 * (1 + 1e-14))
    self.assertGreater(state.distance_target[-1], 1.5 * state.distance[-1])

  def test_held_back_estimate_climbs_to_its_target(self):
    one = jax.tree.map(lambda g: np.repeat(g[:1], 40, axis=0), noise(1))
    still = jax.tree.map(np.zeros_like, one)
    grads = jax.tree.map(lambda a, b: np.concatenate([a, b]), one, still)
    # Gradients stop; what was seen by then is reached all the same.
    state = feed(grads, growth_rate=1.2)[2]
    self.assertLess(state.distance[40], 0.99 * state.distance_target[40])
    self.assertEqual(state.distance[-1], state.distance_target[-1])
    steps = np.diff(np.log(state.distance[40:]))
    np.testing.assert_allclose(steps[0], np.log(1.2), rtol=1e-12)

  @parameterized.named_parameters(
    ("tree", {"m": True, "s": False}, True),
    ("callable", lambda p: jax.tree.map(lambda x: np.ndim(x) > 1, p), True),
    ("tree_coupled", {"m": True, "s": False}, False),
  )
  def test_mask_chooses_what_decays(self, mask, decouple):
    options = {"decouple": decouple, "d0": 0.1}
    grads = noise(1)
    plain = feed(grads, **options)[1]
    found = feed(grads, weight_decay=0.5, mask=mask, **options)[1]
    every = feed(grads, weight_decay=0.5, **options)[1]
    np.testing.assert_array_equal(found["s"], plain["s"])
    np.testing.assert_array_equal(found["m"], every["m"])
    self.assertGreater(np.max(np.abs(found["m"] - plain["m"])), 1e-3)
    if decouple:
      np.testing.assert_allclose(
        (every["s"] - plain["s"])[0], -0.5 * 0.1 * START["s"]
      )

  def test_slices_of_the_flattened_leaf(self):
    grads = noise(8)
    state = feed(grads, slice_p=4)[2]
    np.testing.assert_array_equal(state.anchor["m"][0], [-2, 2])
    np.testing.assert_array_equal(state.anchor["s"][0], [2])
    self.assertEqual(state.nu["m"].shape, (8, 2, 3))
    # The estimate is that of the sampled entries alone, whose updates it sets.
    sample = {"m": START["m"].reshape(-1)[::4], "s": START["s"]}
    sampled = {"m": grads["m"].reshape(8, -1)[:, ::4], "s": grads["s"]}
    alone = feed(sampled, sample)[2]
    np.testing.assert_allclose(state.distance, alone.distance, rtol=1e-12)
    self.assertGreater(alone.distance[-1], 0.11)

  def test_slices_along_an_axis(self):
    grads = noise(8)
    state = feed(grads, slice_p=2, slice_axis=-1)[2]
    np.testing.assert_array_equal(state.anchor["m"][0], START["m"][:, ::2])
    self.assertEqual(state.anchor["s"][0].shape, ())
    sample = {"m": START["m"][:, ::2], "s": START["s"]}
    alone = feed({"m": grads["m"][:, :, ::2], "s": grads["s"]}, sample)[2]
    np.testing.assert_allclose(state.distance, alone.distance, rtol=1e-12)
    self.assertGreater(alone.distance[-1], 0.11)

  def test_state_dtype(self):
    params = {"m": jnp.ones((2, 3)), "s": jnp.ones(())}
    state = jax.eval_shape(
      optax_stepsize.prodigy(state_dtype=jnp.bfloat16).init, params
    ).inner_state
    for name in ("mu", "nu", "grad_sum", "anchor"):
      for leaf in jax.tree.leaves(getattr(state, name)):
        self.assertEqual(leaf.dtype, jnp.bfloat16)
    for name in ("distance", "distance_target", "numerator", "step_size"):
      self.assertEqual(getattr(state, name).dtype, jnp.float32)
    narrow = jax.tree.map(lambda p: p.astype(jnp.bfloat16), params)
    state = jax.eval_shape(optax_stepsize.prodigy().init, narrow).inner_state
    for leaf in jax.tree.leaves((state.mu, state.nu, state.grad_sum)):
      self.assertEqual(leaf.dtype, jnp.float32)

  def test_narrow_moments_change_little(self):
    expected = feed(noise(30))[2].distance[-1]
    found = feed(noise(30), state_dtype=jnp.bfloat16)[2].distance[-1]
    self.assertNotEqual(found, expected)
    self.assertLess(abs(found / expected - 1), 0.1)

  def test_safeguard_keeps_the_rate_out_of_the_denominator(self):
    # A warm-up from small rates inflates the estimate unless it is on.
    def schedule(count):
      return jnp.minimum(1.0, (count.astype(jnp.float64) + 1) / 40)

    grads = jax.tree.map(lambda g: np.repeat(g[:1], 8, axis=0), noise(1))
    safe = feed(grads, learning_rate=schedule, safeguard_warmup=True)[2]
    scale, weight = 1.0, 0.1
    # s after the first step is (d / d0) d g, free of the rate.
    np.testing.assert_allclose(
      safe.grad_sum["s"][0], scale * weight * grads["s"][0]
    )
    loose = feed(grads, learning_rate=schedule)[2]
    np.testing.assert_allclose(
      loose.grad_sum["s"][0], scale * weight / 40 * grads["s"][0]
    )
    self.assertLess(safe.distance[-1], loose.distance[-1])

  @parameterized.named_parameters(
    ("b1", {"b1": 1.0}, "b1 must be in [0, 1), got 1.0."),
    ("b2", {"b2": -0.1}, "b2 must be in [0, 1), got -0.1."),
    ("b3", {"b3": 1.1}, "b3 must be in [0, 1], got 1.1."),
    ("d0", {"d0": 0.0}, "d0 must be in (0, inf), got 0.0."),
    ("d_coef", {"d_coef": 0}, "d_coef must be in (0, inf), got 0."),
    ("eps", {"eps": -1}, "eps must be in [0, inf), got -1."),
    (
      "growth",
      {"growth_rate": 0.9},
      "growth_rate must be in [1, inf]",
    ),
    (
      "decay",
      {"weight_decay": -1},
      "weight_decay must be in [0, inf)",
    ),
    (
      "rate",
      {"learning_rate": -1},
      "learning_rate must be in [0, inf)",
    ),
    ("slice_p", {"slice_p": 0}, "slice_p must be an integer >= 1, got 0."),
  )
  def test_ranges(self, options, text):
    with self.assertRaises(ValueError) as error:
      optax_stepsize.prodigy(**options)
    self.assertStartsWith(str(error.exception), f"prodigy: {text}")


if __name__ == "__main__":
  absltest.main()
