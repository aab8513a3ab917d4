# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""A linen MLP on handwritten digits, trained by Prodigy behind clipping.

There is no learning rate to choose. Clipping comes first in the chain, so that
Prodigy sees the clipped gradients; a schedule may still shape the rate, and
Prodigy expects one that ends in zero.

  python examples/flax_linen_prodigy.py --steps=1000
"""

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

_STEPS = flags.DEFINE_integer(
  "steps", 1000, "Number of updates.", lower_bound=1
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 64, "Images per update.")
_CLIP = flags.DEFINE_float("clip", 1.0, "Largest global norm of a gradient.")
_SEED = flags.DEFINE_integer("seed", 0, "Seed of model, data and batches.")
_TEST_IMAGES = 360


class MLP(nn.Module):
  """Two hidden layers."""

  @nn.compact
  def __call__(self, images: jax.Array) -> jax.Array:
    hidden = nn.relu(nn.Dense(128)(images))
    hidden = nn.relu(nn.Dense(128)(hidden))
    return nn.Dense(10)(hidden)


@jax.jit
def train_step(
  state: linen.TrainState, images: jax.Array, labels: jax.Array
) -> tuple[linen.TrainState, jax.Array]:
  """One update; returns the new state and the loss before it."""

  def loss_fn(params):
    logits = state.apply_fn(params, images)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return losses.mean()

  loss, grads = jax.value_and_grad(loss_fn)(state.params)
  # `value` is not needed by Prodigy, and harmless: any method fits this step.
  return state.apply_gradients(grads=grads, value=loss), loss


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments: {argv[1:]}")
  rng = np.random.default_rng(_SEED.value)
  digits = datasets.load_digits()
  order = rng.permutation(len(digits.target))
  images = jnp.asarray(digits.data[order] / 16, jnp.float32)
  labels = jnp.asarray(digits.target[order])
  train_images, train_labels = images[_TEST_IMAGES:], labels[_TEST_IMAGES:]

  model = MLP()
  tx = optax.chain(
    optax.clip_by_global_norm(_CLIP.value),
    optax_stepsize.prodigy(optax.cosine_decay_schedule(1.0, _STEPS.value)),
  )
  state = linen.TrainState.create(
    apply_fn=model.apply,
    params=model.init(jax.random.key(_SEED.value), images[:1]),
    tx=tx,
  )
  for step in range(1, _STEPS.value + 1):
    batch = rng.integers(len(train_labels), size=_BATCH_SIZE.value)
    state, loss = train_step(state, train_images[batch], train_labels[batch])
    if step % max(_STEPS.value // 10, 1) == 0:
      sizes = optax_stepsize.step_sizes(state.opt_state)
      shown = ", ".join(f"{path} {size:.2e}" for path, size in sizes.items())
      print(f"step {step:5d}  loss {loss:.4f}  step size {shown}")

  logits = model.apply(state.eval_params, images[:_TEST_IMAGES])
  accuracy = jnp.mean(logits.argmax(-1) == labels[:_TEST_IMAGES])
  print(f"test accuracy {accuracy:.3f}")


if __name__ == "__main__":
  app.run(main)
