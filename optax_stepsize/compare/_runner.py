# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trains runs of an entry, many in one compiled program.

A run is one value of the tuned argument with one seed. A program trains a group
of them: a number of lanes on each device of a mesh. One lane is a loop over
runs, as many as there are runs is the whole grid at once. Which is faster
depends on the model and on the platform, so it is measured.
"""

from collections.abc import Callable, Sequence
import contextlib
import functools
import math
import os
import time

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core
from optax_stepsize.compare import _entries
from optax_stepsize.compare import _hosts
from optax_stepsize.compare import _results
from optax_stepsize.compare import _workloads

# Name of the entry, finished steps of its runs, all of these steps.
Progress = Callable[[str, int, int], None]

_AXIS = "runs"
_P = jax.sharding.PartitionSpec
# Batches that are made at a time, of all seeds, or kept for all entries.
_BATCH_BYTES = 2**28
# Share of a device's memory that a group of runs may take.
_MEMORY_SHARE = 0.4
# Time to measure a layout for, at least, after it is compiled.
_TIMED_SECONDS = 0.2

LAYOUTS = ("auto", "grid", "loop")


@contextlib.contextmanager
def _default_promotion():
  # Optax and other people's optimizers rely on JAX's defaults.
  with jax.numpy_dtype_promotion("standard"):
    with jax.numpy_rank_promotion("allow"):
      yield


def _step_size(opt_state: optax.OptState) -> jax.Array:
  sizes = core.step_sizes(opt_state)
  if not sizes:
    return jnp.full((), jnp.nan, jnp.float32)
  leaves = jax.tree.leaves(next(iter(sizes.values())))
  means = [jnp.mean(leaf.astype(jnp.float32)) for leaf in leaves]
  return jnp.mean(jnp.stack(means))


def _bytes(tree: chex.ArrayTree) -> int:
  return sum(
    math.prod(leaf.shape) * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(tree)
  )


def _chunks(steps: int, most: int) -> tuple[int, ...]:
  """Steps between evaluations: 10 to 40 equal parts if that can be, else 20.

  Args:
    steps: Steps of a run.
    most: Largest number between two evaluations.
  """
  counts = [n for n in range(min(10, steps), 41) if steps % n == 0]
  if counts:
    count = min(counts, key=lambda n: abs(n - 20))
    size = steps // count
  else:
    size = -(-steps // 20)
  size = min(size, most)
  whole, rest = divmod(steps, size)
  return (size,) * whole + (rest,) * (rest > 0)


def _batch_bytes(workload: _workloads.Workload, seeds: int) -> int:
  """What all seeds need for a step."""
  keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), seeds))
  step = jax.ShapeDtypeStruct((), jnp.int32)
  batches = jax.eval_shape(jax.vmap(workload.batch_fn, (0, None)), keys, step)
  return max(_bytes(batches), 1)


def chunks(
  workload: _workloads.Workload, seeds: int, steps: int
) -> tuple[int, ...]:
  """Steps between the evaluations of a run."""
  return _chunks(steps, max(_BATCH_BYTES // _batch_bytes(workload, seeds), 1))


class Setup:
  """What the entries of a race share: initial parameters and batches.

  Attributes:
    workload: What is trained.
    chunks: Steps between evaluations.
    mesh: The devices of this host, along one axis.
    initial: Evaluation loss and accuracy of the initial parameters, `(seeds,)`.
    params: Initial parameters, with an axis for the seeds in front.
  """

  def __init__(
    self,
    workload: _workloads.Workload,
    seeds: int,
    steps: int,
    devices: Sequence[jax.Device] | None = None,
  ):
    self.workload = workload
    devices = jax.local_devices() if devices is None else devices
    self.mesh = jax.sharding.Mesh(np.array(devices), (_AXIS,))
    self._everywhere = jax.sharding.NamedSharding(self.mesh, _P())
    keys = jnp.stack([jax.random.key(seed) for seed in range(seeds)])
    split = jax.vmap(functools.partial(jax.random.split, num=2))(keys)
    self._batch_keys = split[:, 1]
    params = jax.jit(jax.vmap(workload.init_fn))(split[:, 0])
    self.initial = jax.device_get(jax.jit(jax.vmap(workload.eval_fn))(params))
    for seed, loss in enumerate(self.initial[0]):
      if not np.isfinite(loss):
        raise ValueError(
          f"workload {workload.name}: eval_fn must return a finite loss for the"
          f" initial parameters, got {loss} with seed {seed}."
        )
    self.params = jax.device_put(params, self._everywhere)
    # One program for all entries, apart from theirs: in it, it would be
    # compiled for each.
    self._batches = jax.jit(
      jax.vmap(jax.vmap(workload.batch_fn, (0, None)), (None, 0))
    )
    self.chunks = chunks(workload, seeds, steps)
    self._kept: dict[int, chex.ArrayTree] = {}
    self._keeps = _batch_bytes(workload, seeds) * steps <= _BATCH_BYTES

  def batches(self, first: int) -> chex.ArrayTree:
    """Batches for a chunk of steps: axes step and seed in front."""
    if first in self._kept:
      return self._kept[first]
    steps = jnp.arange(first, first + max(self.chunks), dtype=jnp.int32)
    batches = self._batches(self._batch_keys, steps)
    batches = jax.device_put(batches, self._everywhere)
    if self._keeps:
      self._kept[first] = batches
    return batches

  def lanes(self, array: np.ndarray) -> jax.Array:
    """An array with an axis for the runs, which goes over all devices."""
    sharding = jax.sharding.NamedSharding(self.mesh, _P(_AXIS))
    return jax.device_put(array, sharding)


def _mapped(function, lanes: int, mapped: int):
  """Maps over the leading axis, of length `lanes`, of the first arguments.

  A single lane is not mapped at all: a convolution or a scatter with a batch of
  one kernel is slower than without.
  """

  def apply(*args):
    runs, shared = args[:mapped], args[mapped:]
    if lanes > 1:
      return jax.vmap(lambda *runs: function(*runs, *shared))(*runs)
    first = jax.tree.map(lambda leaf: leaf[0], runs)
    made = function(*first, *shared)
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], made)

  return apply


class Program:
  """Trains groups of runs of an entry: `lanes` on each device.

  Attributes:
    lanes: Runs that a device trains at once.
    size: Runs of a group, on all devices of this host.
    state_bytes: Bytes of the optimizer state of one run.
    compile_seconds: Time that it took to compile it.
  """

  def __init__(self, entry: _entries.Entry, setup: Setup, lanes: int):
    started = time.perf_counter()
    self.lanes = lanes
    self.size = lanes * setup.mesh.size
    self._entry = entry
    self._setup = setup
    workload = setup.workload
    longest = max(setup.chunks)

    def make(value):
      return optax.with_extra_args_support(entry.factory(value))

    def init(value, seed, params):
      with _default_promotion():
        # A copy, since the state may not share buffers with what is donated.
        params = jax.tree.map(lambda p: jnp.array(p[seed], copy=True), params)
        return params, make(value).init(params)

    def step(value, batch, params, state):
      def loss_fn(params):
        return workload.loss_fn(params, batch)

      loss, grads = jax.value_and_grad(loss_fn)(params)
      with _default_promotion():
        updates, state = make(value).update(
          grads,
          state,
          params,
          value=loss,
          grad=grads,
          value_fn=loss_fn,
          value_and_grad_fn=jax.value_and_grad(loss_fn),
          hvp_fn=lambda v: jax.jvp(jax.grad(loss_fn), (params,), (v,))[1],
        )
        return optax.apply_updates(params, updates), state, loss

    def advance(params, state, value, seed, batches, count):
      def body(turn, carry):
        params, state, total = carry
        # When it is timed, it goes around several times.
        place = turn % longest
        batch = jax.tree.map(lambda b: b[place, seed], batches)
        params, state, loss = step(value, batch, params, state)
        return params, state, total + loss.astype(total.dtype)

      start = params, state, jnp.zeros((), jnp.result_type(float))
      params, state, total = jax.lax.fori_loop(0, count, body, start)
      mean = total / count.astype(total.dtype)
      loss, accuracy = workload.eval_fn(core.eval_params(state, params))
      point = _results.Point(mean, loss, accuracy, _step_size(state))
      return params, state, point

    def over_devices(function, mapped, shared):
      return jax.shard_map(
        _mapped(function, lanes, mapped),
        mesh=setup.mesh,
        in_specs=(_P(_AXIS),) * mapped + (_P(),) * shared,
        out_specs=_P(_AXIS),
        # The runs have nothing to do with each other.
        check_vma=False,
      )

    self._init = jax.jit(over_devices(init, 2, 1))
    values, seeds = self._arrays(np.ones(1), np.zeros(1, np.int32))
    params, state = self._init(values, seeds, setup.params)
    self.state_bytes = _bytes(state) // self.size
    self._advance = (
      jax.jit(over_devices(advance, 4, 2), donate_argnums=(0, 1))
      .lower(
        params, state, values, seeds, setup.batches(0), jnp.zeros((), jnp.int32)
      )
      .compile()
    )
    self.compile_seconds = time.perf_counter() - started

  def _arrays(self, values, seeds):
    """On the devices, filled up with copies of the last run."""

    def filled(array, dtype):
      array = np.asarray(array, dtype)
      return np.pad(array, (0, self.size - len(array)), mode="edge")

    dtype = jnp.result_type(float)
    return (
      self._setup.lanes(filled(values, dtype)),
      self._setup.lanes(filled(seeds, np.int32)),
    )

  def lane_bytes(self) -> int:
    """Bytes of a device's memory that each lane takes."""
    memory = self._advance.memory_analysis()
    if memory is None:
      return 0
    return (
      memory.temp_size_in_bytes + memory.output_size_in_bytes
    ) // self.lanes

  def run(
    self,
    values: np.ndarray,
    seeds: np.ndarray,
    progress: Callable[[int], None],
  ) -> tuple[_results.Point, float]:
    """Trains a group.

    Args:
      values: `(n,)` values of the tuned argument, at most `size`.
      seeds: `(n,)` seeds.
      progress: Called with the finished steps.

    Returns:
      What was measured, `(n, evaluations)`, the first before training; and the
      least time that a step of one run took, in seconds.
    """
    value, seed = self._arrays(values, seeds)
    params, state = self._init(value, seed, self._setup.params)
    loss, accuracy = (np.asarray(x)[seeds] for x in self._setup.initial)
    unknown = np.full_like(loss, np.nan)
    points = [_results.Point(unknown, loss, accuracy, unknown)]
    done, least = 0, np.inf
    for count in self._setup.chunks:
      batches = jax.block_until_ready(self._setup.batches(done))
      started = time.perf_counter()
      params, state, point = self._advance(
        params, state, value, seed, batches, jnp.asarray(count, jnp.int32)
      )
      point = jax.device_get(point)
      # Of the least: what else the machine does can only add to it.
      least = min(least, (time.perf_counter() - started) / count / self.size)
      points.append(jax.tree.map(lambda x: x[: len(values)], point))
      done += count
      progress(done)
    return jax.tree.map(lambda *leaves: np.stack(leaves, -1), *points), least

  def seconds_per_step(self) -> float:
    """Time for a step of one run, measured."""
    value, seed = self._arrays([self._entry.default], [0])
    params, state = self._init(value, seed, self._setup.params)
    batches = self._setup.batches(0)

    def timed(params, state, count):
      started = time.perf_counter()
      params, state, point = self._advance(
        params, state, value, seed, batches, jnp.asarray(count, jnp.int32)
      )
      jax.block_until_ready(point)
      return params, state, time.perf_counter() - started

    # Ever more steps, until an evaluation and the noise count for little.
    seconds, count = 0.0, 1
    while True:
      params, state, seconds = timed(params, state, count)
      if (seconds > _TIMED_SECONDS and count > 1) or count > 2**28:
        return seconds / count / self.size
      count *= 4


def _memory(device: jax.Device) -> float:
  """Bytes that a device has; those of the host are shared by its devices."""
  limit = (device.memory_stats() or {}).get("bytes_limit")
  if limit:
    return limit
  pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
  return pages / len(jax.local_devices())


def choose_layout(
  entry: _entries.Entry, setup: Setup, runs: int, layout: str
) -> tuple[_results.Layout, Program]:
  """How many runs a device trains at once, and a program of that kind.

  Args:
    entry: Whose program is measured.
    setup: What the entries share.
    runs: Runs of an entry.
    layout: One of `LAYOUTS`. "auto" takes the faster.
  """
  loop = Program(entry, setup, 1)
  share = -(-runs // (setup.mesh.size * jax.process_count()))
  fitting = _MEMORY_SHARE * _memory(setup.mesh.devices.flat[0])
  lanes = int(min(share, max(fitting // max(loop.lane_bytes(), 1), 1)))
  # As few groups as fit, of equal size.
  lanes = -(-share // -(-share // lanes))
  lanes = int(_hosts.agreed(np.asarray(lanes)))
  if lanes == 1 or layout == "loop":
    return _results.Layout(1, setup.mesh.size), loop
  grid = Program(entry, setup, lanes)
  if layout == "grid":
    return _results.Layout(lanes, setup.mesh.size), grid
  seconds = np.array([loop.seconds_per_step(), grid.seconds_per_step()])
  of_loop, of_grid = map(float, _hosts.agreed(seconds))
  chosen = grid if of_grid < of_loop else loop
  return (
    _results.Layout(chosen.lanes, setup.mesh.size, of_loop, of_grid),
    chosen,
  )


def run_entry(
  entry: _entries.Entry,
  program: Program,
  block: _results.Block,
  *,
  steps: int,
  progress: Progress | None,
  save: Callable[[np.ndarray, float], None] | None,
) -> None:
  """Trains the runs of an entry that are missing in its block.

  Args:
    entry: What to train.
    program: Its program.
    block: Where the results go.
    steps: Steps of every run.
    progress: Called with the entry's name, finished and all steps.
    save: Called with the places of runs in the block when they are finished,
      and the seconds that they took.
  """
  missing = np.flatnonzero(~block.finished)
  group = program.size * jax.process_count()
  rounds = -(-len(missing) // group)

  def report(turn, done):
    if progress is not None:
      progress(entry.name, turn * steps + done, rounds * steps)

  report(0, 0)
  for turn in range(rounds):
    started = time.perf_counter()
    cells = missing[turn * group : (turn + 1) * group]
    # All hosts have the same number, some of which may be trained twice.
    filled = np.pad(cells, (0, group - len(cells)), mode="edge")
    mine = filled.reshape(-1, program.size)[jax.process_index()]
    values, seeds = np.divmod(mine, block.seeds)
    point, per_step = program.run(
      block.values[values], seeds, functools.partial(report, turn)
    )
    point = _results.Point(
      *(
        leaf.reshape(-1, leaf.shape[-1])[: len(cells)]
        for leaf in _hosts.gathered(point)
      )
    )
    # Those that only fill a group up do not count.
    seconds = (time.perf_counter() - started) * len(cells) / group
    block.add(cells, point, seconds)
    block.step_seconds = min(block.step_seconds, per_step)
    if save is not None:
      save(cells, seconds)
