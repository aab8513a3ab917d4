# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the frame that all transformations stand in, and of decay."""

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core


def plain(needs=(), name="mine"):
  """A transformation in the common frame that returns float32 updates."""

  def update(updates, state, params, **extra_args):
    del params
    updates = jax.tree.map(lambda g: g.astype(jnp.float32) / 3, updates)
    return updates, state | {"seen": jnp.asarray(len(extra_args))}

  def init(params):
    return {"copy": jax.tree.map(jnp.zeros_like, params)}

  return core.transformation(name, init, update, needs=needs)


class TransformationTest(parameterized.TestCase):
  @parameterized.parameters(
    (
      "params",
      "mine: update() needs `params`, the current parameters."
      " Fix: tx.update(grads, state, params).",
    ),
    (
      "value",
      "mine: update() needs `value`, the scalar loss of the same batch at the"
      " same parameters. Fix: tx.update(grads, state, params, value=loss).",
    ),
    (
      "hvp_fn",
      "mine: update() needs `hvp_fn`, a function from a tree like the"
      " parameters to Hessian times tree. Fix: tx.update(grads, state, params,"
      " hvp_fn=lambda v: jax.jvp(jax.grad(loss_fn), (params,), (v,))[1]).",
    ),
  )
  def test_missing_input(self, name, text):
    tx = plain((name,))
    for given in ({}, {name: None}):
      with self.assertRaises(ValueError) as error:
        tx.update(jnp.ones(2), {}, **given)
      self.assertEqual(str(error.exception), text)

  @parameterized.parameters(*core.INPUTS)
  def test_every_fix_names_its_input(self, name):
    with self.assertRaisesRegex(ValueError, f"`{name}`, .*Fix: tx.update"):
      core.check_inputs("mine", (name,))
    self.assertIn(f"{name}", core.INPUTS[name][1])
    core.check_inputs("mine", (name,), **{name: 1.0})

  @parameterized.parameters("value", "unheard_of", "method", "needs", "name")
  def test_any_extra_keyword_is_accepted(self, keyword):
    tx = plain(("params",))
    params = jnp.ones(2)
    _, state = tx.update(params, tx.init(params), params, **{keyword: 1.0})
    self.assertEqual(state["seen"], 1)

  @parameterized.parameters(
    (
      {"a": [1.0, np.arange(3)]},
      "mine: params['a'][0] is 1.0, not an array. Fix: convert it with"
      " jnp.asarray, or take it out of the trained tree.",
    ),
    (
      {"a": jnp.ones(2), "b": (jnp.ones(2), jnp.arange(3))},
      "mine: params['b'][1] has dtype int32; only real floating leaves can be"
      " trained. Fix: convert it, or freeze it with optax.partition and"
      " optax.set_to_zero.",
    ),
  )
  def test_leaf_that_cannot_be_trained(self, params, text):
    with self.assertRaises(ValueError) as error:
      plain().init(params)
    self.assertEqual(str(error.exception), text)

  @parameterized.parameters(jnp.bool_, jnp.complex64, jnp.uint8)
  def test_dtype_that_cannot_be_trained(self, dtype):
    with self.assertRaisesRegex(ValueError, r"params\['x'\] has dtype"):
      plain().init({"x": jnp.ones(2, dtype)})

  def test_callable_leaf_is_named(self):
    with self.assertRaisesRegex(
      ValueError, r"params\['f'\] is <.*not an array"
    ):
      plain().init({"f": jnp.tanh})

  def test_absent_leaves_pass(self):
    params = {"a": jnp.ones(2), "b": None, "c": optax.MaskedNode()}
    state = plain().init(params)
    self.assertEqual(
      jax.tree.structure(state["copy"]), jax.tree.structure(params)
    )

  def test_init_on_shapes_gives_shapes(self):
    shapes = {"a": jax.ShapeDtypeStruct((2, 3), jnp.bfloat16), "b": None}
    state = plain().init(shapes)
    self.assertEqual(state["copy"]["a"], shapes["a"])

  @parameterized.parameters(jnp.bfloat16, jnp.float16, jnp.float32)
  def test_updates_have_the_dtype_of_the_parameters(self, dtype):
    params = jnp.ones(2, dtype)
    updates, _ = plain().update(jnp.ones(2, jnp.float32), {}, params)
    self.assertEqual(updates.dtype, dtype)
    updates, _ = plain().update(jnp.ones(2, dtype), {})
    self.assertEqual(updates.dtype, dtype)


class DecayedTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("everything", None, (2.0, 4.0, 0.0)),
    ("tree", {"a": True, "b": {"c": False, "d": True}}, (2.0, 3.0, 0.0)),
    ("prefix", {"a": False, "b": True}, (1.0, 4.0, 0.0)),
    (
      "callable",
      lambda params: jax.tree.map(lambda p: p.ndim > 0, params),
      (2.0, 3.0, 1.0),
    ),
  )
  def test_mask(self, mask, expected):
    params = {"a": jnp.full(2, 2.0), "b": {"c": jnp.array(2.0), "d": -2.0}}
    params["b"]["d"] = jnp.array(-2.0)
    tree = {"a": jnp.ones(2), "b": {"c": jnp.array(3.0), "d": jnp.array(1.0)}}
    found = core.decayed(tree, params, 0.5, mask)
    self.assertEqual(
      (found["a"][0], found["b"]["c"], found["b"]["d"]), expected
    )

  def test_decay_is_added_in_float32(self):
    # In bfloat16 the decay would be lost.
    leaf = jnp.ones(2, jnp.bfloat16)
    tx = core.add_decayed_weights("mine", 1e-3)
    wide = core.decayed(leaf, leaf, 1e-3)
    np.testing.assert_allclose(wide, 1.001, rtol=1e-6)
    self.assertEqual(tx.update(leaf, tx.init(leaf), leaf)[0].dtype, leaf.dtype)

  def test_negative_decay_is_refused(self):
    with self.assertRaisesRegex(ValueError, "mine: weight_decay must be in"):
      core.add_decayed_weights("mine", -1.0)


if __name__ == "__main__":
  absltest.main()
