# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Batch normalisation at an average of weights: statistics that fit it.

Schedule-Free trains at y and is evaluated at the average x. The running
statistics of BatchNorm were gathered at y, slowly, and do not fit x, so that a
good average looks like a bad one. `refresh_batch_stats` takes them afresh at x,
from some training batches and without gradients.

  python examples/schedule_free_batch_norm.py --steps=100
"""

import functools

from absl import app
from absl import flags
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn import datasets

import optax_stepsize
from optax_stepsize import linen

_STEPS = flags.DEFINE_integer("steps", 100, "Number of updates.", lower_bound=1)
_LEARNING_RATE = flags.DEFINE_float("learning_rate", 3.0, "Constant rate.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 64, "Images per update.")
_BATCHES = flags.DEFINE_integer("batches", 50, "Batches for the statistics.")
_SEED = flags.DEFINE_integer("seed", 0, "Seed of model, data and batches.")
_TEST_IMAGES = 360


class Network(nn.Module):
  """Four hidden layers with batch normalisation."""

  @nn.compact
  def __call__(self, hidden: jax.Array, train: bool) -> jax.Array:
    for _ in range(4):
      hidden = nn.Dense(64, use_bias=False)(hidden)
      hidden = nn.relu(nn.BatchNorm(use_running_average=not train)(hidden))
    return nn.Dense(10)(hidden)


class TrainState(linen.TrainState):
  batch_stats: dict


@jax.jit
def train_step(state: TrainState, images, labels) -> TrainState:
  def loss_fn(params):
    variables = {"params": params, "batch_stats": state.batch_stats}
    logits, changed = state.apply_fn(
      variables, images, train=True, mutable=["batch_stats"]
    )
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return losses.mean(), changed["batch_stats"]

  grads, batch_stats = jax.grad(loss_fn, has_aux=True)(state.params)
  return state.apply_gradients(grads=grads, batch_stats=batch_stats)


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments: {argv[1:]}")
  rng = np.random.default_rng(_SEED.value)
  digits = datasets.load_digits()
  order = rng.permutation(len(digits.target))
  images = jnp.asarray(digits.data[order] / 16, jnp.float32)
  labels = jnp.asarray(digits.target[order])
  train_images, train_labels = images[_TEST_IMAGES:], labels[_TEST_IMAGES:]

  model = Network()
  variables = model.init(jax.random.key(_SEED.value), images[:1], train=False)
  state = TrainState.create(
    apply_fn=model.apply,
    tx=optax_stepsize.schedule_free_sgd(
      _LEARNING_RATE.value, warmup_steps=_STEPS.value // 20
    ),
    **variables,
  )
  for _ in range(_STEPS.value):
    batch = rng.integers(len(train_labels), size=_BATCH_SIZE.value)
    state = train_step(state, train_images[batch], train_labels[batch])

  def accuracy(batch_stats):
    fitted = {"params": state.eval_params, "batch_stats": batch_stats}
    logits = model.apply(fitted, images[:_TEST_IMAGES], train=False)
    return jnp.mean(logits.argmax(-1) == labels[:_TEST_IMAGES])

  batches = rng.integers(
    len(train_labels), size=(_BATCHES.value, _BATCH_SIZE.value)
  )
  refreshed = linen.refresh_batch_stats(
    functools.partial(model.apply, train=True),
    state.eval_params,
    state.batch_stats,
    (train_images[batch] for batch in batches),
  )
  before, after = accuracy(state.batch_stats), accuracy(refreshed)
  print(f"test accuracy with the statistics of training: {before:.3f}")
  print(f"test accuracy with refreshed statistics:       {after:.3f}")
  if _STEPS.value >= 50:
    assert after > before


if __name__ == "__main__":
  app.run(main)
