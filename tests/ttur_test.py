# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of two players with a transformation each."""

from absl.testing import absltest
from absl.testing import parameterized
import chex
import jax
import jax.numpy as jnp
import optax

import optax_stepsize

PARAMS = {
  "generator": {"w": jnp.ones((3, 2)), "b": jnp.zeros(2)},
  "discriminator": [jnp.full(4, 2.0)],
}
GRADS = jax.tree.map(lambda p: jnp.cos(p + 0.3), PARAMS)


# Adam of Optax relies on implicit promotion.
@jax.numpy_dtype_promotion("standard")
def updated(tx, grads, state, params, **extra_args):
  return jax.jit(tx.update)(grads, state, params, **extra_args)


class TturTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("sgd", optax.sgd(1e-4), optax.sgd(4e-4)),
    ("momentum", optax.sgd(1e-4, momentum=0.9), optax.sgd(4e-4)),
    ("adam", optax.adam(1e-4, b1=0.5), optax.rmsprop(4e-4)),
  )
  def test_is_each_on_its_own_subtree(self, generator_tx, discriminator_tx):
    tx = optax_stepsize.ttur(generator_tx, discriminator_tx)
    alone = {"generator": generator_tx, "discriminator": discriminator_tx}
    state = tx.init(PARAMS)
    states = {name: alone[name].init(PARAMS[name]) for name in alone}
    structure = jax.tree.structure(state)
    for step in range(3):
      grads = optax.tree.scale(1.0 + step, GRADS)
      updates, state = updated(tx, grads, state, PARAMS)
      self.assertEqual(jax.tree.structure(state), structure)
      for name, own in alone.items():
        expected, states[name] = updated(
          own, grads[name], states[name], PARAMS[name]
        )
        chex.assert_trees_all_equal(updates[name], expected)

  def test_state_avals_stay(self):
    tx = optax_stepsize.ttur(optax.adam(1e-4), optax.adam(4e-4))
    state = tx.init(PARAMS)
    _, after = updated(tx, GRADS, state, PARAMS)
    chex.assert_trees_all_equal_shapes_and_dtypes(after, state)

  @parameterized.named_parameters(
    ("tree", ("generator", ["discriminator", "generator"])),
    (
      "function",
      lambda tree: jax.tree.map(
        lambda x: "generator" if x.ndim == 1 else "discriminator", tree
      ),
    ),
  )
  def test_labels(self, labels):
    params = (jnp.ones(2), [jnp.ones((2, 2)), jnp.ones(3)])
    tx = optax_stepsize.ttur(optax.sgd(1.0), optax.sgd(4.0), labels=labels)
    updates, _ = tx.update(params, tx.init(params), params)
    chex.assert_trees_all_equal(
      updates, (-jnp.ones(2), [jnp.full((2, 2), -4.0), -jnp.ones(3)])
    )

  def test_an_unknown_label(self):
    tx = optax_stepsize.ttur(
      optax.sgd(1.0), optax.sgd(1.0), labels=("generator", "critic")
    )
    with self.assertRaisesRegex(ValueError, "critic"):
      tx.init((jnp.ones(1), jnp.ones(1)))

  def test_methods_of_this_library_and_their_inputs(self):
    tx = optax_stepsize.ttur(optax_stepsize.sps(), optax_stepsize.dog())
    state = tx.init(PARAMS)
    updates, state = tx.update(GRADS, state, PARAMS, value=jnp.float32(1.0))
    self.assertTrue(
      all(bool(jnp.any(u != 0)) for u in jax.tree.leaves(updates))
    )
    self.assertLen(optax_stepsize.step_sizes(state), 2)

  def test_two_time_scales_settle_where_one_does_not(self):
    # The answer of the discriminator, y = x, turns a hill of the generator into
    # a valley, if it keeps up: at rates g and d both eigenvalues of a step have
    # the squared modulus 1 + g - d + g d.
    def distance(generator_lr, discriminator_lr):
      tx = optax_stepsize.ttur(
        optax.sgd(generator_lr), optax.sgd(discriminator_lr)
      )
      params = {"generator": jnp.ones(()), "discriminator": jnp.zeros(())}

      def step(carry, _):
        params, state = carry
        x, y = params["generator"], params["discriminator"]
        grads = {"generator": -x + 2.0 * y, "discriminator": y - x}
        updates, state = tx.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), None

      (params, _), _ = jax.lax.scan(step, (params, tx.init(params)), length=400)
      return float(sum(abs(p) for p in params.values()))

    self.assertLess(distance(0.05, 0.2), 1e-6)
    self.assertGreater(distance(0.2, 0.05), 1e3)
    self.assertGreater(distance(0.1, 0.1), 2)


if __name__ == "__main__":
  absltest.main()
