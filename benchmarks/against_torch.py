# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Seconds of one update beside Optax and the authors' PyTorch, as a table.

Every method is run three times with options that mean the same, by turns in one
process, and Optax's once more: two programs that are equal show how far ratios
can be trusted. The authors' packages come with
`pip install "optax-stepsize[parity]"`. From the root of the repository:

  python -m benchmarks.against_torch

Where other programs hold cores, PyTorch's threads wait for each other at every
operation, and its figures say nothing. One core is more robust:

  taskset -c 0 python -m benchmarks.against_torch

On a GPU, with a PyTorch for it, and enough parameters to keep it busy:

  python -m benchmarks.against_torch --device=cuda --parameters=400_000_000
"""

from collections.abc import Callable, Iterator
import contextlib
import datetime
import importlib
import importlib.util
import io
import os
import time
from typing import Any, NamedTuple

from absl import app
from absl import flags
import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import updates
import optax_stepsize

_PARAMETERS = flags.DEFINE_integer(
  "parameters", 24_400_000, "About how many parameters to update.", 1
)
_REPEATS = flags.DEFINE_integer(
  "repeats", 10, "Rounds with programs made in the same order.", 1
)
_DEVICE = flags.DEFINE_enum(
  "device", "cpu", ["cpu", "cuda"], "Where JAX and PyTorch run."
)

WARM_UP = 5
ORDERS = 4  # as there are programs
_INSTALL = 'pip install "optax-stepsize[parity]"'
_DECAY = {"weight_decay": 0.01}


class Contest(NamedTuple):
  """A method in three libraries.

  Attributes:
    method: Name of ours.
    ours: Options of ours.
    peer: Name in `optax.contrib`.
    peer_options: Options there.
    package: Name of the authors' package, for pip.
    module: Name of the authors' package, for Python.
    optimizer: Name in it.
    optimizer_options: Options there.
  """

  method: str
  ours: dict[str, Any]
  peer: str
  peer_options: dict[str, Any]
  package: str
  module: str
  optimizer: str
  optimizer_options: dict[str, Any]


# Optax's methods of the first two correct bias and decouple the decay always.
_DEFAULTS = (
  Contest(
    "prodigy",
    {"use_bias_correction": True, **_DECAY},
    "prodigy",
    _DECAY,
    "prodigyopt",
    "prodigyopt",
    "Prodigy",
    {"use_bias_correction": True, **_DECAY},
  ),
  Contest(
    "dadapt_adam",
    {"use_bias_correction": True, "decouple": True, **_DECAY},
    "dadapt_adamw",
    _DECAY,
    "dadaptation",
    "dadaptation",
    "DAdaptAdam",
    {"use_bias_correction": True, "decouple": True, **_DECAY},
  ),
  Contest("dog", {}, "dog", {}, "dog-optimizer", "dog", "DoG", {}),
  Contest(
    "schedule_free_adamw",
    _DECAY,
    "schedule_free_adamw",
    _DECAY,
    "schedulefree",
    "schedulefree",
    "AdamWScheduleFree",
    _DECAY,
  ),
)
# The others do not compensate for narrow parameters. Of ours, Schedule-Free has
# no such option.
CONTESTS = {
  **{
    f"{contest.method}(compensate=False)": contest._replace(
      ours={"compensate": False, **contest.ours}
    )
    for contest in _DEFAULTS
    if contest.method != "schedule_free_adamw"
  },
  **{contest.method: contest for contest in _DEFAULTS},
}


class Program(NamedTuple):
  """An update that can be run again and again.

  Attributes:
    run: Makes an update with the gradients of that number; returns seconds.
    leaves: The parameters now, as NumPy arrays.
  """

  run: Callable[[int], float]
  leaves: Callable[[], list[np.ndarray]]


def jax_program(
  tx: optax.GradientTransformation, params: Any, grads: list[Any]
) -> Program:
  """Of an Optax transformation: jitted, parameters and state donated."""
  # Some states alias the parameters, which can be donated only once.
  params = jax.tree.map(jnp.copy, params)
  state = jax.tree.map(jnp.copy, tx.init(params))

  def step(params, state, grads):
    updates, state = tx.update(grads, state, params)
    return optax.apply_updates(params, updates), state

  step = jax.jit(step, donate_argnums=(0, 1))

  def run(number):
    nonlocal params, state
    start = time.perf_counter()
    params, state = step(params, state, grads[number % len(grads)])
    jax.block_until_ready((params, state))
    return time.perf_counter() - start

  return Program(run, lambda: jax.tree.leaves(jax.device_get(params)))


def torch_program(
  contest: Contest, params: Any, grads: list[Any], device: str
) -> Program:
  """Of the authors' package, as it is used: not compiled."""
  torch = importlib.import_module("torch")

  def tensors(tree):
    return [
      torch.tensor(np.asarray(leaf), device=device)
      for leaf in jax.tree.leaves(tree)
    ]

  copies = [tensors(tree) for tree in grads]
  parameters = [torch.nn.Parameter(leaf) for leaf in tensors(params)]
  for p in parameters:
    p.grad = torch.empty_like(p)
  make = getattr(importlib.import_module(contest.module), contest.optimizer)
  with contextlib.redirect_stdout(io.StringIO()):  # they say what is decayed
    optimizer = make(parameters, **contest.optimizer_options)
  if hasattr(optimizer, "train"):
    optimizer.train()

  def prepare(number):
    with torch.no_grad():
      for p, grad in zip(parameters, copies[number % len(copies)], strict=True):
        p.grad.copy_(grad)

  def wait():
    if device == "cuda":
      torch.cuda.synchronize()

  def run(number):
    with torch.no_grad():
      start = time.perf_counter()
      optimizer.step()
      wait()
      seconds = time.perf_counter() - start
    # Here, because a step may write on them, and not before it, because they
    # would still be in the caches.
    prepare(number + 1)
    wait()
    return seconds

  prepare(0)
  return Program(run, lambda: [p.detach().cpu().numpy() for p in parameters])


def installed(contest: Contest) -> bool:
  """Whether the authors' package can be run."""
  return all(map(importlib.util.find_spec, ("torch", contest.module)))


def programs(
  contest: Contest,
  params: Any,
  grads: list[Any],
  device: str = "cpu",
  first: int = 0,
) -> dict[str, Program]:
  """Of a method: ours, Optax's twice and, if installed, the authors' program.

  They are made one after the other, beginning with number `first`.
  """
  ours = getattr(optax_stepsize, contest.method)(**contest.ours)
  peer = getattr(optax.contrib, contest.peer)(**contest.peer_options)
  makers = {
    "ours": lambda: jax_program(ours, params, grads),
    "optax": lambda: jax_program(peer, params, grads),
    "optax again": lambda: jax_program(peer, params, grads),
  }
  if installed(contest):
    makers["torch"] = lambda: torch_program(contest, params, grads, device)
  names = list(makers)
  first %= len(names)
  return {name: makers[name]() for name in names[first:] + names[:first]}


def measure(runs: dict[str, Program], repeats: int) -> dict[str, np.ndarray]:
  """Seconds of each program in each round, without those that warm up."""
  rng = np.random.default_rng(0)
  # To read it empties the caches, and takes long enough for the threads of the
  # library that ran before to go to sleep.
  large = np.ones(2**25, np.float32)
  seconds = {name: [] for name in runs}
  for number in range(WARM_UP + repeats):
    for name in rng.permutation(list(runs)):
      large.sum()
      seconds[name].append(runs[name].run(number))
  return {name: np.array(s[WARM_UP:]) for name, s in seconds.items()}


def _median(ratios: np.ndarray) -> str:
  low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
  return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def _cells(seconds: np.ndarray, ours: np.ndarray) -> str:
  fastest = np.min(seconds) / np.min(ours)
  return f"{_median(seconds / ours)} | {fastest:.2f}"


def rows(params: Any, repeats: int, device: str = "cpu") -> Iterator[str]:
  """The table, line by line."""
  yield (
    "| method | Optax | median | fastest | Optax itself |"
    " PyTorch | median | fastest |"
  )
  yield "| --- | --- | ---: | ---: | ---: | --- | ---: | ---: |"
  # Opposite gradients by turns: no method's estimate grows without end.
  opposite = jax.tree.map(jnp.negative, params)
  for name, contest in CONTESTS.items():
    # On a CPU the one that is made first is about 1 % slower.
    grads = [params, opposite]
    turns = [
      measure(programs(contest, params, grads, device, i), repeats)
      for i in range(ORDERS)
    ]
    seconds = {
      key: np.concatenate([turn[key] for turn in turns]) for key in turns[0]
    }
    ours = seconds["ours"]
    peer = f"`{contest.peer}` | {_cells(seconds['optax'], ours)}"
    itself = _median(seconds["optax again"] / seconds["optax"])
    theirs = f"`{contest.optimizer}` | " + (
      _cells(seconds["torch"], ours)
      if "torch" in seconds
      else f"not installed: `{_INSTALL}` | "
    )
    yield f"| `{name}` | {peer} | {itself} | {theirs} |"


def main(argv: list[str]) -> None:
  """Prints the table and what it was measured on."""
  del argv
  jax.config.update("jax_platforms", _DEVICE.value)
  os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch's
  params = updates.tree(_PARAMETERS.value)
  leaves = jax.tree.leaves(params)
  for row in rows(params, _REPEATS.value, _DEVICE.value):
    print(row, flush=True)
  packages = [contest.package for contest in _DEFAULTS]
  versions = updates.versions("torch", *packages)
  print(
    f"\n{datetime.date.today().isoformat()}; {jax.devices()[0].device_kind},"
    f" cores: {len(os.sched_getaffinity(0))}; {ORDERS * _REPEATS.value} rounds;"
    f" {len(leaves)} leaves,"
    f" {sum(leaf.size for leaf in leaves):,} float32 parameters;"
    f" {versions}."
  )


if __name__ == "__main__":
  app.run(main)
