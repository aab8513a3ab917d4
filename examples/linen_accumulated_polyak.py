# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""A linen MLP on handwritten digits: a Polyak step of several micro-batches.

The step is computed from the loss, so that the loss has to reach the method and
has to be that of the whole batch: `linen.TrainState` passes it on, `accumulate`
averages it together with the gradients. The first updates are compared with
those of whole batches.

  python examples/linen_accumulated_polyak.py --steps=300
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
  "steps", 300, "Number of updates.", lower_bound=20
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 16, "Of a micro-batch.")
_MICRO_BATCHES = flags.DEFINE_integer(
  "micro_batches", 4, "Micro-batches per update.", lower_bound=1
)
_MAX_STEP_SIZE = flags.DEFINE_float(
  "max_step_size", 0.1, "Largest step, along a sum of gradients."
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of model and batches.")
_COMPARED = 5


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
  """One micro-batch; returns the new state and its loss."""

  def loss_fn(params):
    logits = state.apply_fn(params, images)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return losses.mean()

  loss, grads = jax.value_and_grad(loss_fn)(state.params)
  return state.apply_gradients(grads=grads, value=loss), loss


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments: {argv[1:]}")
  digits = datasets.load_digits()
  images = jnp.asarray(digits.data / 16, jnp.float32)
  labels = jnp.asarray(digits.target)
  k, size = _MICRO_BATCHES.value, _BATCH_SIZE.value
  rng = np.random.default_rng(_SEED.value)
  batches = rng.integers(len(labels), size=(_STEPS.value, k, size))

  model = MLP()
  params = model.init(jax.random.key(_SEED.value), images[:1])
  method = optax_stepsize.polyak_moving_gradient(
    max_step_size=_MAX_STEP_SIZE.value
  )

  def fresh(tx):
    return linen.TrainState.create(apply_fn=model.apply, params=params, tx=tx)

  state = fresh(optax_stepsize.accumulate(method, k))
  losses = []
  for step, batch in enumerate(batches, 1):
    total = 0.0
    for micro in batch:
      state, loss = train_step(state, images[micro], labels[micro])
      total += float(loss)
    losses.append(total / k)
    if step == _COMPARED:
      accumulated = state.params
    if step % max(_STEPS.value // 10, 1) == 0:
      (size,) = optax_stepsize.step_sizes(state.opt_state).values()
      print(f"step {step:5d}  loss {losses[-1]:.4f}  step size {size:.2e}")
  first, last = np.mean(losses[:5]), np.mean(losses[-5:])
  assert last < first, f"the loss went from {first:.3f} to {last:.3f}"

  whole = fresh(method)
  for batch in batches[:_COMPARED].reshape(_COMPARED, -1):
    whole, _ = train_step(whole, images[batch], labels[batch])
  apart = optax.tree.norm(optax.tree.sub(accumulated, whole.params))
  moved = optax.tree.norm(optax.tree.sub(whole.params, params))
  print(
    f"after {_COMPARED} updates, whole batches are {apart / moved:.1e} away"
  )
  assert apart < 1e-4 * moved, "micro-batches gave other parameters"


if __name__ == "__main__":
  app.run(main)
