# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Readers take the states and parameters of `flax.nnx` as they are."""

from absl.testing import absltest
from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize


class NnxTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    self.tx = optax.chain(
      optax.clip_by_global_norm(1.0), optax_stepsize.schedule_free_adamw(0.1)
    )
    self.optimizer = nnx.Optimizer(self.model, self.tx, wrt=nnx.Param)
    # The same run on plain trees.
    self.params = nnx.to_pure_dict(nnx.state(self.model, nnx.Param))
    self.state = self.tx.init(self.params)
    for scale in (1.0, 0.5, 0.25):
      grads = jax.tree.map(lambda p, s=scale: jnp.full_like(p, s), self.params)
      variables = nnx.state(self.model, nnx.Param)
      nnx.replace_by_pure_dict(variables, grads)
      self.optimizer.update(self.model, variables, value=jnp.ones(()))
      updates, self.state = self.tx.update(grads, self.state, self.params)
      self.params = optax.apply_updates(self.params, updates)

  def test_step_sizes(self):
    found = optax_stepsize.step_sizes(self.optimizer.opt_state)
    self.assertEqual(list(found), ["1/step_size"])
    self.assertAlmostEqual(float(found["1/step_size"]), 0.1)

  def test_eval_params_updates_the_model(self):
    variables = nnx.state(self.model, nnx.Param)
    averaged = optax_stepsize.eval_params(self.optimizer.opt_state, variables)
    nnx.update(self.model, averaged)
    wanted = optax_stepsize.eval_params(self.state, self.params)
    self.assertGreater(
      np.abs(wanted["kernel"] - self.params["kernel"]).max(), 1e-3
    )
    np.testing.assert_allclose(
      self.model.kernel[...], wanted["kernel"], rtol=1e-6
    )
    np.testing.assert_allclose(self.model.bias[...], wanted["bias"], rtol=1e-6)

  def test_has_eval_params(self):
    self.assertTrue(optax_stepsize.has_eval_params(self.optimizer.opt_state))


if __name__ == "__main__":
  absltest.main()
