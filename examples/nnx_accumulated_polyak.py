# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""An nnx MLP on handwritten digits: a function of several micro-batches.

SMB asks for loss and gradient at other parameters, on the whole batch. With
`accumulate`, each call brings one micro-batch, and the function is that of all:
`mean_over_batches` makes it, and needs the memory of one micro-batch. Arguments
that `nnx.Optimizer.update` does not know reach the method. The first updates
are compared with those of whole batches.

  python examples/nnx_accumulated_polyak.py --steps=200
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
  "steps", 200, "Number of updates.", lower_bound=20
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 16, "Of a micro-batch.")
_MICRO_BATCHES = flags.DEFINE_integer(
  "micro_batches", 4, "Micro-batches per update.", lower_bound=1
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of model and batches.")
_COMPARED = 5


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
  """One update of micro-batches, stacked; returns the loss before it."""
  graphdef, params, rest = nnx.split(model, nnx.Param, ...)

  def loss_fn(params, batch):
    images, labels = batch
    logits = nnx.merge(graphdef, params, rest)(images)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return losses.mean()

  batches = images, labels
  value_and_grad = jax.value_and_grad(loss_fn)
  of_all = optax_stepsize.mean_over_batches(value_and_grad, batches)
  losses = []
  for micro in zip(images, labels, strict=True):
    loss, grads = value_and_grad(params, micro)
    optimizer.update(model, grads, value=loss, value_and_grad_fn=of_all)
    losses.append(loss)
  return jnp.stack(losses).mean()


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments: {argv[1:]}")
  digits = datasets.load_digits()
  images = jnp.asarray(digits.data / 16, jnp.float32)
  labels = jnp.asarray(digits.target)
  rng = np.random.default_rng(_SEED.value)
  k = _MICRO_BATCHES.value

  def fresh(number):
    model = MLP(nnx.Rngs(_SEED.value))
    tx = optax_stepsize.accumulate(optax_stepsize.smb(), number)
    return model, nnx.Optimizer(model, tx, wrt=nnx.Param)

  (model, optimizer), whole = fresh(k), fresh(1)
  start = nnx.to_pure_dict(nnx.state(model, nnx.Param))
  losses = []
  for step in range(1, _STEPS.value + 1):
    batch = rng.integers(len(labels), size=(k, _BATCH_SIZE.value))
    loss = train_step(model, optimizer, images[batch], labels[batch])
    losses.append(float(loss))
    if step % max(_STEPS.value // 10, 1) == 0:
      print(f"step {step:5d}  loss {losses[-1]:.4f}")
    if step <= _COMPARED:
      batch = batch.reshape(1, -1)
      train_step(*whole, images[batch], labels[batch])
    if step == _COMPARED:
      found, wanted = (
        nnx.to_pure_dict(nnx.state(m, nnx.Param)) for m in (model, whole[0])
      )
      apart = optax.tree.norm(optax.tree.sub(found, wanted))
      moved = optax.tree.norm(optax.tree.sub(wanted, start))
      print(f"step {step:5d}  whole batches are {apart / moved:.1e} away")
      assert apart < 1e-4 * moved, "micro-batches gave other parameters"
  first, last = np.mean(losses[:5]), np.mean(losses[-5:])
  assert last < first, f"the loss went from {first:.3f} to {last:.3f}"


if __name__ == "__main__":
  app.run(main)
