# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""An nnx MLP on handwritten digits, trained by the stochastic Polyak step size.

SPS computes the step size from the loss of the batch, so that the loss has to
reach it: `nnx.Optimizer.update` passes extra keyword arguments on.

  python examples/nnx_sps.py --steps=1000
"""

from absl import app
from absl import flags
from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn import datasets

import optax_stepsize

_STEPS = flags.DEFINE_integer(
  "steps", 1000, "Number of updates.", lower_bound=1
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 64, "Images per update.")
_MAX_STEP_SIZE = flags.DEFINE_float(
  "max_step_size", 1.0, "Largest step, for batches whose gradient is tiny."
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of model, data and batches.")
_TEST_IMAGES = 360


class MLP(nnx.Module):
  """Two hidden layers."""

  def __init__(self, rngs: nnx.Rngs):
    self.first = nnx.Linear(64, 128, rngs=rngs)
    self.second = nnx.Linear(128, 128, rngs=rngs)
    self.last = nnx.Linear(128, 10, rngs=rngs)

  def __call__(self, images: jax.Array) -> jax.Array:
    return self.last(nnx.relu(self.second(nnx.relu(self.first(images)))))


@nnx.jit
def train_step(
  model: MLP, optimizer: nnx.Optimizer, images: jax.Array, labels: jax.Array
) -> jax.Array:
  """One update of model and optimizer; returns the loss before it."""

  def loss_fn(model):
    losses = optax.softmax_cross_entropy_with_integer_labels(
      model(images), labels
    )
    return losses.mean()

  loss, grads = nnx.value_and_grad(loss_fn)(model)
  optimizer.update(model, grads, value=loss)
  return loss


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments: {argv[1:]}")
  rng = np.random.default_rng(_SEED.value)
  digits = datasets.load_digits()
  order = rng.permutation(len(digits.target))
  images = jnp.asarray(digits.data[order] / 16, jnp.float32)
  labels = jnp.asarray(digits.target[order])
  train_images, train_labels = images[_TEST_IMAGES:], labels[_TEST_IMAGES:]

  model = MLP(nnx.Rngs(_SEED.value))
  tx = optax_stepsize.sps(f_min=0.0, max_step_size=_MAX_STEP_SIZE.value)
  optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
  for step in range(1, _STEPS.value + 1):
    batch = rng.integers(len(train_labels), size=_BATCH_SIZE.value)
    loss = train_step(
      model, optimizer, train_images[batch], train_labels[batch]
    )
    if step % max(_STEPS.value // 10, 1) == 0:
      sizes = optax_stepsize.step_sizes(optimizer.opt_state)
      shown = ", ".join(
        f"{path} {float(size):.2e}" for path, size in sizes.items()
      )
      print(f"step {step:5d}  loss {loss:.4f}  step size {shown}")

  logits = model(images[:_TEST_IMAGES])
  accuracy = jnp.mean(logits.argmax(-1) == labels[:_TEST_IMAGES])
  print(f"test accuracy {accuracy:.3f}")


if __name__ == "__main__":
  app.run(main)
