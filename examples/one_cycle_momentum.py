# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""1cycle drives the rate and the momentum of SGD, on handwritten digits.

`optax.inject_hyperparams` evaluates one schedule per hyperparameter: the rate
rises and falls while the momentum falls and rises.

  python examples/one_cycle_momentum.py --steps=500
"""

from absl import app
from absl import flags
import jax
import jax.numpy as jnp
import optax

import optax_stepsize
from optax_stepsize import compare

_STEPS = flags.DEFINE_integer("steps", 500, "Number of updates.", lower_bound=2)
_PEAK_VALUE = flags.DEFINE_float("peak_value", 0.2, "Highest rate.")
_SEED = flags.DEFINE_integer("seed", 0, "Seed of model and batches.")


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments: {argv[1:]}")
  workload = compare.digits_mlp()
  cycle = optax_stepsize.one_cycle(_PEAK_VALUE.value, _STEPS.value)
  tx = optax.inject_hyperparams(optax.sgd)(
    learning_rate=cycle.learning_rate, momentum=cycle.momentum
  )
  key = jax.random.key(_SEED.value)

  @jax.jit
  def train_step(params, state, step):
    batch = workload.batch_fn(key, step)
    grads = jax.grad(workload.loss_fn)(params, batch)
    updates, state = tx.update(grads, state, params)
    return optax.apply_updates(params, updates), state

  evaluate = jax.jit(workload.eval_fn)
  params = workload.init_fn(key)
  state = tx.init(params)
  first_loss, accuracy = evaluate(params)
  print(f"step     0  test loss {first_loss:.4f}  accuracy {accuracy:.3f}")
  every = max(_STEPS.value // 10, 1)
  for step in range(_STEPS.value):
    params, state = train_step(params, state, jnp.asarray(step))
    if (step + 1) % every == 0:
      loss, accuracy = evaluate(params)
      used = state.hyperparams
      print(
        f"step {step + 1:5d}  test loss {loss:.4f}  accuracy {accuracy:.3f}"
        f"  rate {used['learning_rate']:.2e}  momentum {used['momentum']:.3f}"
      )

  loss, accuracy = evaluate(params)
  print(f"test accuracy {accuracy:.3f}")
  if _STEPS.value >= 100:
    assert loss < first_loss / 4 and accuracy > 0.9, "it did not learn"


if __name__ == "__main__":
  app.run(main)
