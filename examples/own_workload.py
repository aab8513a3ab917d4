# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""A workload of your own in a race: a small network that learns a sine.

python examples/own_workload.py --steps=300

or, in the folder of this file, with all that the command writes:

optax-stepsize compare --workload=own_workload:sine
"""

from absl import app
from absl import flags
import jax
import jax.numpy as jnp
from rich import console

from optax_stepsize import compare

_STEPS = flags.DEFINE_integer("steps", 300, "Steps of a run.", lower_bound=1)
_WIDTH = 256
_GRID = jnp.linspace(-3.0, 3.0, 101)[:, None]


def init_fn(key):
  inner, outer = jax.random.normal(key, (2, _WIDTH))
  bias = jnp.linspace(-3.0, 3.0, _WIDTH)
  return {"inner": inner, "bias": bias, "outer": outer / _WIDTH**0.5}


def loss_fn(params, inputs):
  hidden = jnp.tanh(inputs * params["inner"][None] + params["bias"][None])
  return jnp.mean((hidden @ params["outer"] - jnp.sin(2 * inputs[:, 0])) ** 2)


def batch_fn(key, step):
  # A function of the key and the step alone, so that all see the same batches.
  key = jax.random.fold_in(key, step)
  return jax.random.uniform(key, (32, 1), minval=-3.0, maxval=3.0)


def eval_fn(params):
  return loss_fn(params, _GRID), jnp.nan  # a loss, and no accuracy


def sine() -> compare.Workload:
  return compare.Workload("sine", init_fn, loss_fn, batch_fn, eval_fn)


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments: {argv[1:]}")
  methods = ("prodigy", "optax.lion", "adamw", "adamw_cosine")
  race = compare.compare(methods, workload=sine(), steps=_STEPS.value)
  console.Console().print(compare.table(race, narrow=True))


if __name__ == "__main__":
  app.run(main)
