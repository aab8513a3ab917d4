# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `refresh_batch_stats`, of Flax linen and of NNX."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
from flax import linen as nn
from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import linen
from optax_stepsize import nnx as stepsize_nnx

RNG = np.random.RandomState(0)
BATCHES = [np.float32(RNG.normal(3, 2, (8, 4))) for _ in range(3)]


class Network(nn.Module):
  """Two normalisations, one of them called twice, and a foreign variable."""

  momentum: float = 0.99

  @nn.compact
  def __call__(self, x, train):
    norm = functools.partial(
      nn.BatchNorm, use_running_average=not train, momentum=self.momentum
    )
    count = self.variable("batch_stats", "count", lambda: jnp.zeros((), int))
    if train:
      count.value += 1
    hidden = norm(name="inner")(nn.Dense(3, name="dense")(x))
    shared = norm(name="shared")
    return shared(hidden) + shared(2 * hidden)


def made(**options):
  model = Network(**options)
  variables = model.init(jax.random.key(0), BATCHES[0], train=False)
  apply_fn = functools.partial(model.apply, train=True)
  return model, variables["params"], variables["batch_stats"], apply_fn


def hidden_of(params, batch):
  dense = params["dense"]
  return batch @ np.asarray(dense["kernel"]) + np.asarray(dense["bias"])


class LinenTest(parameterized.TestCase):
  @parameterized.parameters(0.0, 0.9, 0.99, 0.999)
  def test_mean_of_the_statistics_of_batches(self, momentum):
    _, params, stats, apply_fn = made(momentum=momentum)
    found = linen.refresh_batch_stats(apply_fn, params, stats, BATCHES)
    hidden = [hidden_of(params, batch) for batch in BATCHES]
    means = np.mean([h.mean(0) for h in hidden], axis=0)
    variances = np.mean([h.var(0) for h in hidden], axis=0)
    np.testing.assert_allclose(found["inner"]["mean"], means, rtol=1e-4)
    np.testing.assert_allclose(found["inner"]["var"], variances, rtol=1e-4)

  def test_old_statistics_leave_no_trace(self):
    _, params, stats, apply_fn = made()
    other = jax.tree.map(lambda s: s + jnp.asarray(100, s.dtype), stats)
    first, second = (
      linen.refresh_batch_stats(apply_fn, params, old, BATCHES)
      for old in (stats, other)
    )
    np.testing.assert_array_equal(
      first["inner"]["mean"], second["inner"]["mean"]
    )
    np.testing.assert_array_equal(first["inner"]["var"], second["inner"]["var"])
    # Going on with the running mean would keep most of them.
    running = other
    for batch in BATCHES:
      variables = {"params": params, "batch_stats": running}
      running = apply_fn(variables, batch, mutable=["batch_stats"])[1]
      running = running["batch_stats"]
    self.assertGreater(np.min(running["inner"]["mean"]), 90)

  def test_what_is_called_twice_is_averaged_over_calls(self):
    _, params, stats, apply_fn = made()
    found = linen.refresh_batch_stats(apply_fn, params, stats, BATCHES)
    # Its inputs are normalised, and twice that: variances 1 and 4.
    np.testing.assert_allclose(found["shared"]["mean"], 0, atol=1e-4)
    np.testing.assert_allclose(found["shared"]["var"], 2.5, rtol=1e-3)

  def test_other_variables_stay(self):
    _, params, stats, apply_fn = made()
    found = linen.refresh_batch_stats(apply_fn, params, stats, BATCHES)
    self.assertEqual(found["count"], stats["count"])
    self.assertEqual(jax.tree.structure(found), jax.tree.structure(stats))
    for new, old in zip(
      jax.tree.leaves(found), jax.tree.leaves(stats), strict=True
    ):
      self.assertEqual((new.shape, new.dtype), (old.shape, old.dtype))

  def test_layers_of_a_scan_have_their_own(self):
    class Layer(nn.Module):
      @nn.compact
      def __call__(self, x, _):
        return nn.BatchNorm(use_running_average=False)(nn.Dense(4)(x)), None

    stack = nn.scan(
      Layer,
      variable_axes={"params": 0, "batch_stats": 0},
      split_rngs={"params": True},
      length=3,
    )()
    with jax.numpy_dtype_promotion("standard"):
      variables = stack.init(jax.random.key(0), BATCHES[0], None)
      found = linen.refresh_batch_stats(
        lambda variables, x, mutable: stack.apply(
          variables, x, None, mutable=mutable
        ),
        variables["params"],
        variables["batch_stats"],
        BATCHES,
      )
    mean = found["BatchNorm_0"]["mean"]
    self.assertEqual(mean.shape, (3, 4))
    kernel, bias = (
      np.asarray(variables["params"]["Dense_0"][name])
      for name in ("kernel", "bias")
    )
    wanted = np.mean([b @ kernel[0] + bias[0] for b in BATCHES], axis=(0, 1))
    np.testing.assert_allclose(mean[0], wanted, rtol=1e-4)

  def test_errors(self):
    model, params, stats, apply_fn = made()
    with self.assertRaisesRegex(ValueError, "no flax.linen.BatchNorm in train"):
      linen.refresh_batch_stats(
        functools.partial(model.apply, train=False), params, stats, BATCHES
      )
    with self.assertRaisesRegex(ValueError, "batches must not be empty"):
      linen.refresh_batch_stats(apply_fn, params, stats, [])

  def test_the_recipe_makes_the_evaluation_point_fit(self):
    # The loss at the average, with statistics of training and with its own.
    model, params, stats, apply_fn = made()
    weights = np.float32(RNG.standard_normal((4, 3)))
    tx = optax_stepsize.schedule_free_sgd(0.3)

    @jax.jit
    def step(params, stats, state, x):
      def loss(params):
        variables = {"params": params, "batch_stats": stats}
        out, new = apply_fn(variables, x, mutable=["batch_stats"])
        return jnp.mean((out - x @ weights) ** 2), new["batch_stats"]

      grads, stats = jax.grad(loss, has_aux=True)(params)
      updates, state = tx.update(grads, state, params)
      return optax.apply_updates(params, updates), stats, state

    state = tx.init(params)
    for k in range(60):
      x = jnp.asarray(BATCHES[k % 3])
      params, stats, state = step(params, stats, state, x)
    average = optax_stepsize.eval_params(state, params)
    fresh = linen.refresh_batch_stats(apply_fn, average, stats, BATCHES)

    def evaluated(stats):
      x = np.concatenate(BATCHES)
      variables = {"params": average, "batch_stats": stats}
      out = model.apply(variables, x, train=False)
      return float(jnp.mean((out - x @ weights) ** 2))

    self.assertLess(evaluated(fresh), 0.9 * evaluated(stats))


class NnxTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rngs = nnx.Rngs(0)
    self.norm = nnx.BatchNorm(3, momentum=0.99, rngs=rngs)
    self.norm.use_running_average = True
    self.model = nnx.Sequential(nnx.Linear(4, 3, rngs=rngs), self.norm)

  def test_mean_of_the_statistics_of_batches(self):
    hidden = [np.asarray(self.model.layers[0](b)) for b in BATCHES]
    before = nnx.state(self.model, nnx.Param)
    kernel = np.array(self.model.layers[0].kernel[...])
    stepsize_nnx.refresh_batch_stats(self.model, BATCHES)
    np.testing.assert_allclose(
      self.norm.mean[...], np.mean([h.mean(0) for h in hidden], 0), rtol=1e-4
    )
    np.testing.assert_allclose(
      self.norm.var[...], np.mean([h.var(0) for h in hidden], 0), rtol=1e-4
    )
    # All else is as it was.
    self.assertEqual(self.norm.momentum, 0.99)
    self.assertTrue(self.norm.use_running_average)
    np.testing.assert_array_equal(self.model.layers[0].kernel[...], kernel)
    self.assertEqual(
      jax.tree.structure(before),
      jax.tree.structure(nnx.state(self.model, nnx.Param)),
    )

  def test_forward(self):
    def forward(model, batch):
      return model(batch["inputs"])

    stepsize_nnx.refresh_batch_stats(
      self.model, [{"inputs": b} for b in BATCHES], forward=forward
    )
    found = np.array(self.norm.mean[...])
    stepsize_nnx.refresh_batch_stats(self.model, BATCHES)
    np.testing.assert_allclose(found, self.norm.mean[...], rtol=1e-6)

  def test_errors(self):
    mean = np.array(self.norm.mean[...])
    with self.assertRaisesRegex(ValueError, "batches must not be empty"):
      stepsize_nnx.refresh_batch_stats(self.model, [])
    np.testing.assert_array_equal(self.norm.mean[...], mean)
    with self.assertRaisesRegex(ValueError, "has no flax.nnx.BatchNorm"):
      stepsize_nnx.refresh_batch_stats(self.model.layers[0], BATCHES)


if __name__ == "__main__":
  absltest.main()
