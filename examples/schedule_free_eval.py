# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Evaluating an averaging method at the right point, wherever it is nested.

Schedule-Free trains at one point and promises its result at another, an average
that lives in the optimizer state. `eval_params` finds it inside any chain; here
the loss of both points is printed for a regression with noisy gradients.

  python examples/schedule_free_eval.py --steps=2000
"""

from absl import app
from absl import flags
import jax
import jax.numpy as jnp
import optax

import optax_stepsize

_STEPS = flags.DEFINE_integer(
  "steps", 2000, "Number of updates.", lower_bound=1
)
_LEARNING_RATE = flags.DEFINE_float("learning_rate", 0.5, "Constant rate.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 8, "Examples per update.")
_SEED = flags.DEFINE_integer("seed", 0, "Seed of data and batches.")
_EXAMPLES, _FEATURES = 512, 32


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments: {argv[1:]}")
  keys = jax.random.split(jax.random.key(_SEED.value), 4)
  # Features of very different scale, and targets that no weights fit exactly.
  scale = jnp.logspace(0, -1, _FEATURES)
  inputs = scale * jax.random.normal(keys[0], (_EXAMPLES, _FEATURES))
  weights = 1 + jax.random.normal(keys[1], (_FEATURES,))
  targets = inputs @ weights + jax.random.normal(keys[2], (_EXAMPLES,))
  best = jnp.linalg.lstsq(inputs, targets)[0]

  def loss_fn(params, rows=slice(None)):
    return jnp.mean((inputs[rows] @ params - targets[rows]) ** 2)

  tx = optax.chain(
    optax.clip_by_global_norm(10.0),
    optax_stepsize.schedule_free_adamw(_LEARNING_RATE.value),
  )

  @jax.jit
  def train_step(params, state, key):
    rows = jax.random.randint(key, (_BATCH_SIZE.value,), 0, _EXAMPLES)
    grads = jax.grad(loss_fn)(params, rows)
    updates, state = tx.update(grads, state, params)
    return optax.apply_updates(params, updates), state

  params = jnp.zeros(_FEATURES)
  state = tx.init(params)
  print(f"loss of the least-squares solution: {loss_fn(best):.4f}")
  for step in range(1, _STEPS.value + 1):
    params, state = train_step(params, state, jax.random.fold_in(keys[3], step))
    if step % max(_STEPS.value // 10, 1) == 0:
      averaged = optax_stepsize.eval_params(state, params)
      print(
        f"step {step:5d}  loss where it trains {loss_fn(params):.4f}"
        f"  at eval_params {loss_fn(averaged):.4f}"
      )


if __name__ == "__main__":
  app.run(main)
