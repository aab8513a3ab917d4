# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests that Optax's parameter-free methods can be raced beside ours."""

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import compare

# Name -> bytes of state per parameter, besides scalars.
PEERS = {
  "optax.contrib.cocob": 20,
  "optax.contrib.dadapt_adamw": 12,
  "optax.contrib.dog": 4,
  "optax.contrib.dowg": 4,
  "optax.contrib.mechanize+adamw": 12,
  "optax.contrib.mechanize+sgd@s_init=1e-3": 8,
  "optax.contrib.momo": 4,
  "optax.contrib.momo_adam": 8,
  "optax.contrib.prodigy": 16,
  "optax.contrib.schedule_free+sgd": 8,
  "optax.contrib.schedule_free_adamw": 8,
  "optax.contrib.schedule_free_sgd": 4,
}
# DoG is raced averaged, as its authors say.
OURS = {"dog": 8, "prodigy": 16, "schedule_free_adamw": 8}
STEPS = 40
PARAMETERS = 64


def race(name):
  workload = compare.workload("noisy_quadratic")
  (heat,) = compare.prepare([name], [workload], steps=STEPS, baselines=())
  (comparison,) = compare.run_heats(
    [heat], values=2, seeds=1, layout="grid"
  ).comparisons
  return comparison.curves[0]


class PeersTest(parameterized.TestCase):
  @parameterized.parameters(*(PEERS | OURS).items())
  def test_trains_and_says_what_its_state_holds(self, name, state_bytes):
    curves = race(name)
    # Some grow for hundreds of steps from a first one of 1e-6.
    self.assertTrue(np.all(np.isfinite(curves.eval_loss)), name)
    best = np.min(curves.eval_loss[..., -1])
    self.assertLess(best, curves.eval_loss[0, 0, 0])
    held = curves.state_bytes / PARAMETERS
    self.assertBetween(held, state_bytes, state_bytes + 2, name)

  def test_alias_of_the_parameters_can_be_donated(self):
    # The race copies; by itself the first donation of such a state fails.
    params = {"x": jnp.ones(3)}
    state = optax.contrib.dog().init(params)
    (anchor,) = (leaf for leaf in jax.tree.leaves(state) if leaf.ndim)
    self.assertIs(anchor, params["x"])
    self.assertTrue(np.all(np.isfinite(race("optax.contrib.dog").eval_loss)))

  def test_wrappers_are_tuned_by_the_rate_of_their_base(self):
    def entry(name):
      return compare.make_entry(name, total_steps=STEPS)

    mechanize = entry("optax.contrib.mechanize+adamw")
    self.assertEqual(mechanize.argument, "learning_rate")
    self.assertEqual(mechanize.default, entry("adamw").default)
    self.assertEqual(mechanize.settings, "AdamW")
    other = entry("optax.contrib.mechanize+optax.lion@s_init=1e-3")
    self.assertEqual((other.argument, other.default), ("s_init", 1e-3))
    self.assertEqual(other.settings, "optax.lion, rate 0.0003")
    free = entry("optax.contrib.schedule_free+sgd@b1=0.8")
    self.assertIn("SGD", free.settings)
    params = {"x": jnp.ones(3)}
    # Base and wrapper have the same rate.
    with jax.numpy_dtype_promotion("standard"):
      ours = entry("optax.contrib.schedule_free+optax.sgd").factory(0.5)
      theirs = optax.contrib.schedule_free(optax.sgd(0.5), 0.5)
      found, _ = ours.update(params, ours.init(params), params)
      wanted, _ = theirs.update(params, theirs.init(params), params)
    np.testing.assert_array_equal(found["x"], wanted["x"])

  @parameterized.parameters(
    (
      "optax.contrib.mechanize",
      "demands base_optimizer as well: write a function .* as module:function."
      " If it wraps an optimizer, say optax.contrib.mechanize.adamw",
    ),
    ("optax.contrib.dowg+adamw", "optimizer by itself and takes no base"),
    ("optax.contrib.mechanize+adam", "unknown base optimizer 'adam'"),
    ("optax.contrib.mechanize+adamw@s=1", "has no argument s; it has base_opt"),
    ("optax.contrib.sam+adamw", "demands adv_optimizer as well"),
  )
  def test_errors_say_what_to_type(self, name, text):
    with self.assertRaisesRegex(ValueError, text):
      compare.make_entry(name, total_steps=STEPS)


if __name__ == "__main__":
  absltest.main()
