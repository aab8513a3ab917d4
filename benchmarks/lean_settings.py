# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What it costs to keep less state: prints a Markdown table.

Trains the digits MLP with each lean setting and with the defaults, on the same
batches, and compares. From the root of the repository:

  python -m benchmarks.lean_settings
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import compare

STEPS = 400
SEEDS = 5
_NARROW = {"state_dtype": jnp.bfloat16}
# Method -> what is the same in all its rows, and the lean settings.
SETTINGS: dict[str, tuple[dict[str, Any], dict[str, dict[str, Any]]]] = {
  "dog": ({}, {"state_dtype=bfloat16": _NARROW}),
  "ldog": ({}, {"state_dtype=bfloat16": _NARROW}),
  "prodigy": (
    {},
    {
      "b1=None": {"b1": None},
      "slice_p=11": {"slice_p": 11},
      "state_dtype=bfloat16": _NARROW,
      "b1=None, slice_p=11, state_dtype=bfloat16": {
        "b1": None,
        "slice_p": 11,
        **_NARROW,
      },
    },
  ),
  "dadapt_adam": (
    {"learning_rate": 0.5},
    {"state_dtype=bfloat16": _NARROW},
  ),
  "schedule_free_adamw": (
    {"learning_rate": 0.01, "warmup_steps": 20},
    {"state_dtype=bfloat16": _NARROW},
  ),
}


def _bytes(tree: Any) -> int:
  return sum(
    math.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(tree)
  )


def measure(
  tx: optax.GradientTransformationExtraArgs, workload: compare.Workload
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
  """Bytes of state per parameter; loss, accuracy and last step of each seed."""

  def run(key):
    params_key, batch_key = jax.random.split(key)
    params = workload.init_fn(params_key)

    def step(carry, count):
      params, state = carry
      batch = workload.batch_fn(batch_key, count)
      grads = jax.grad(workload.loss_fn)(params, batch)
      updates, state = tx.update(grads, state, params)
      return (optax.apply_updates(params, updates), state), None

    carry = params, tx.init(params)
    params, state = jax.lax.scan(step, carry, jnp.arange(STEPS))[0]
    point = optax_stepsize.eval_params(state, params)
    sizes = jax.tree.leaves(optax_stepsize.step_sizes(state))
    return *workload.eval_fn(point), jnp.mean(jnp.stack(sizes))

  keys = jax.random.split(jax.random.key(0), SEEDS)
  measured = jax.jit(lambda keys: jax.lax.map(run, keys))(keys)
  params = jax.eval_shape(workload.init_fn, keys[0])
  held = _bytes(jax.eval_shape(tx.init, params)) / (_bytes(params) / 4)
  return held, *jax.device_get(measured)


def main() -> None:
  """Prints the table."""
  workload = compare.workload("digits_mlp")
  print(
    "| method | setting | state, bytes per parameter | evaluation loss |"
    " accuracy | last step size, of the default |"
  )
  print("| --- | --- | ---: | ---: | ---: | ---: |")
  for name, (common, lean) in SETTINGS.items():
    make = functools.partial(getattr(optax_stepsize, name), **common)
    base = measure(make(), workload)
    for setting, options in {"default": {}, **lean}.items():
      found = measure(make(**options), workload) if options else base
      held, loss, accuracy, step = found
      print(
        f"| `{name}` | {f'`{setting}`' if options else setting} | {held:.2f} |"
        f" {np.mean(loss):.3f} ± {np.std(loss):.3f} |"
        f" {np.mean(accuracy):.2%} | {np.mean(step / base[-1]):.2f} |",
        flush=True,
      )


if __name__ == "__main__":
  main()
