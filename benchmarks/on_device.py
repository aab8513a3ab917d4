# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Seconds of one update where JAX runs, beside those of copying as many bytes.

An update that moves what its row of the catalogue states and no more, as fast
as this device copies, is at 1.00. From the root of the repository:

  python -m benchmarks.on_device [METHOD ...]
"""

from collections.abc import Callable, Iterator
import concurrent.futures
import datetime
import time
from typing import Any

from absl import app
from absl import flags
import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import updates
from optax_stepsize import catalogue
from optax_stepsize import cost

_PARAMETERS = flags.DEFINE_integer(
  "million", 400, "About how many millions of parameters to update.", 1
)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "How often to time a method.", 1)

# So many keep the device busy while the host prepares the next one.
UPDATES = 10
_INPUTS = {"value": 1.0, "target_value": 0.0}
_COMPILERS = 8  # threads

Run = Callable[[], float]


def names() -> list[str]:
  """Methods whose row states the bytes of all that an update does."""
  return [
    name
    for name, row in catalogue.ROWS.items()
    # Some evaluate the model.
    if row.min_bytes and not any(need.endswith("_fn") for need in row.needs)
  ]


def compiled(method: cost.Method, params: Any) -> Callable[[Any, Any], Run]:
  """What starts runs of a method, from parameters and with gradients."""
  tx = optax.with_extra_args_support(method.make())
  needs = method.needs if method.row else ("value",)
  inputs = {
    name: np.full((2,) if method.twins else (), _INPUTS[name], np.float32)
    for name in needs
    if name in _INPUTS
  }

  def prepare(params, grads):
    if method.twins:
      params, grads = jax.tree.map(lambda x: jnp.stack([x, x]), (params, grads))
    # Compiled, this returns copies, so that parameters can be donated.
    return params, tx.init(params), grads, jax.tree.map(jnp.negative, grads)

  def step(params, state, grads, inputs):
    updates, state = tx.update(grads, state, params, **inputs)
    return optax.apply_updates(params, updates), state

  *shapes, _ = jax.eval_shape(prepare, params, params)
  jitted = jax.jit(step, donate_argnums=(0, 1))
  compiled_step = jitted.lower(*shapes, inputs).compile()

  def start(params: Any, grads: Any) -> Run:
    params, state, *grads = jax.jit(prepare)(params, grads)

    def run() -> float:
      nonlocal params, state
      start = time.perf_counter()
      for number in range(UPDATES):
        # Opposite gradients by turns: no method's estimate grows without end.
        params, state = compiled_step(params, state, grads[number % 2], inputs)
      jax.block_until_ready((params, state))
      return (time.perf_counter() - start) / UPDATES

    return run

  return start


def copying(size: int) -> Run:
  """Reads and writes an array of float32."""
  step = jax.jit(jnp.negative, donate_argnums=0)
  numbers = jnp.ones(size)

  def run() -> float:
    nonlocal numbers
    start = time.perf_counter()
    for _ in range(UPDATES):
      numbers = step(numbers)
    numbers.block_until_ready()
    return (time.perf_counter() - start) / UPDATES

  return run


def medians(runs: list[Run], rounds: int) -> np.ndarray:
  """Seconds of each, by turns, after one round to warm up."""
  seconds = [[run() for run in runs] for _ in range(1 + rounds)]
  return np.median(seconds[1:], axis=0)


def rows(wanted: list[str], params: Any, rounds: int) -> Iterator[str]:
  """The table, line by line."""
  size = sum(leaf.size for leaf in jax.tree.leaves(params))
  (copy,) = medians([copying(size)], rounds)
  yield f"Copying: {8 * size / copy / 1e12:.2f} TB/s, read and written.\n"
  yield "| method | least bytes | ms | copying / ours | Optax | Optax / ours |"
  yield "| --- | ---: | ---: | ---: | --- | ---: |"
  methods = [cost.find(name) for name in wanted]
  peers = [cost.counterpart(method) for method in methods]
  with concurrent.futures.ThreadPoolExecutor(_COMPILERS) as pool:
    futures = {
      one.name: pool.submit(compiled, one, params)
      for one in (*methods, *peers)
      if one
    }
    for method, peer in zip(methods, peers, strict=True):
      assert method.row is not None and method.row.min_bytes is not None
      pair = [one for one in (method, peer) if one]
      runs = [futures[one.name].result()(params, params) for one in pair]
      ours, *theirs = medians(runs, rounds)
      least = method.row.min_bytes * size * (2 if method.twins else 1)
      ratio = least / (8 * size / copy) / ours
      beside = f"`{peer.name}` | {theirs[0] / ours:.2f}" if peer else "none | "
      yield (
        f"| `{method.name}` | {method.row.min_bytes:.0f} | {1e3 * ours:.2f}"
        f" | {ratio:.2f} | {beside} |"
      )


def main(argv: list[str]) -> None:
  """Prints the table and what it was measured on."""
  unknown = ", ".join(sorted(set(argv[1:]) - set(names())))
  if unknown:
    raise app.UsageError(
      f"METHOD must be in {', '.join(names())}; got {unknown}"
    )
  params = updates.tree(1_000_000 * _PARAMETERS.value)
  for row in rows(argv[1:] or names(), params, _ROUNDS.value):
    print(row, flush=True)
  leaves = jax.tree.leaves(params)
  print(
    f"\n{datetime.date.today().isoformat()}; {jax.devices()[0].device_kind};"
    f" medians of {_ROUNDS.value} rounds of {UPDATES} updates; {len(leaves)}"
    f" leaves, {sum(leaf.size for leaf in leaves):,} float32 parameters;"
    f" {updates.versions()}."
  )


if __name__ == "__main__":
  app.run(main)
