# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs a race: one compiled program for all runs of an entry."""

from collections.abc import Callable, Sequence
import contextlib
import functools
import time
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core
from optax_stepsize.compare import _entries
from optax_stepsize.compare import _results
from optax_stepsize.compare import _workloads

# Name of the entry, finished steps of each of its runs.
Progress = Callable[[str, int], None]

# Host devices are not forced: with one device, XLA spreads the grid's matrix
# products over the cores, and a race took no longer than with an entry on each
# of two devices at a time.


class _Measured(NamedTuple):
  train_loss: Any
  eval_loss: Any
  eval_accuracy: Any
  step_size: Any


# Steps of a run of a workload that says nothing else.
DEFAULT_STEPS = 300


def select_entries(
  methods: Sequence[str | _entries.Entry],
  *,
  total_steps: int,
  steps_per_epoch: int | None = None,
) -> tuple[_entries.Entry, ...]:
  """The entries of a race: those asked for, and baselines.

  Args:
    methods: Names and entries.
    total_steps: Steps of a run.
    steps_per_epoch: Steps per pass over the data.

  Returns:
    One entry for each name, in the order given. If none of them is a baseline,
    all baselines follow.

  Raises:
    ValueError: If there are none, two of the same name, or an unknown one.
  """
  if not methods:
    raise ValueError("compare: methods must name at least one, got none.")

  def make(method):
    if isinstance(method, _entries.Entry):
      return method
    return _entries.make_entry(
      method, total_steps=total_steps, steps_per_epoch=steps_per_epoch
    )

  entries = [make(method) for method in methods]
  if not any(entry.baseline for entry in entries):
    # What a method is worth shows only beside what one would use otherwise.
    entries += [make(name) for name in _entries.BASELINES]
  names = [entry.name for entry in entries]
  for name in names:
    if names.count(name) > 1:
      raise ValueError(f"compare: {name} is among the methods more than once.")
  return tuple(entries)


def _chunks(steps: int) -> list[int]:
  """Steps between evaluations: 10 to 40 equal parts if that can be, else 20."""
  counts = [n for n in range(min(10, steps), 41) if steps % n == 0]
  if counts:
    count = min(counts, key=lambda n: abs(n - 20))
    return [steps // count] * count
  size = -(-steps // 20)
  whole, rest = divmod(steps, size)
  return [size] * whole + [rest] * (rest > 0)


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


def _over_runs(function, in_axes):
  """Maps over the leading axes seed and value of arguments.

  Args:
    function: Of one run.
    in_axes: For each argument, which axes it has: "sv", "s" or "v".
  """
  values = tuple(0 if "v" in axes else None for axes in in_axes)
  seeds = tuple(0 if "s" in axes else None for axes in in_axes)
  # Seeds outside: what does not depend on the value, above all the batch, is
  # then made once for all values.
  return jax.vmap(jax.vmap(function, values), seeds)


class Setup:
  """What the entries of a race share: initial parameters and batches."""

  def __init__(self, workload: _workloads.Workload, seeds: int):
    self.workload = workload
    keys = jnp.stack([jax.random.key(seed) for seed in range(seeds)])
    split = jax.vmap(functools.partial(jax.random.split, num=2))(keys)
    self._batch_keys = split[:, 1]
    self.params = jax.jit(jax.vmap(workload.init_fn))(split[:, 0])
    # One program for all entries, apart from theirs: in it, it would be
    # compiled for each.
    self._batches = jax.jit(
      lambda keys, steps: jax.vmap(
        jax.vmap(workload.batch_fn, (0, None)), (None, 0)
      )(keys, steps)
    )
    self.initial = jax.jit(jax.vmap(workload.eval_fn))(self.params)

  def batches(self, first: int, count: int) -> chex.ArrayTree:
    """Batches of all seeds for some steps, with axes step and seed in front."""
    return self._batches(
      self._batch_keys, jnp.arange(first, first + count, dtype=jnp.int32)
    )


def run_entry(
  entry: _entries.Entry,
  setup: Setup,
  *,
  steps: int,
  values: int,
  progress: Progress | None = None,
) -> _results.Curves:
  """Trains an entry with all values and seeds.

  Args:
    entry: What to train.
    setup: What the entries of the race share.
    steps: Steps of every run.
    values: Values of the tuned argument.
    progress: Called with the entry's name and the finished steps.
  """
  if progress is not None:
    progress(entry.name, 0)
  workload = setup.workload
  grid = entry.grid(values)
  tuned = jnp.asarray(grid, dtype=jnp.result_type(float))

  def make(value):
    return optax.with_extra_args_support(entry.factory(value))

  def init(value, params):
    with _default_promotion():
      # A copy, since the state may not share buffers with what is donated.
      params = jax.tree.map(lambda p: jnp.array(p, copy=True), params)
      return params, make(value).init(params)

  def step(value, batch, params, state):
    loss, grads = jax.value_and_grad(workload.loss_fn)(params, batch)
    with _default_promotion():
      updates, state = make(value).update(grads, state, params, value=loss)
      return optax.apply_updates(params, updates), state, loss

  def measure(params, state, losses):
    loss, accuracy = workload.eval_fn(core.eval_params(state, params))
    return _Measured(losses.mean(), loss, accuracy, _step_size(state))

  def advance(params, state, values, batches):
    def body(carry, batch):
      *carry, loss = _over_runs(step, ("v", "s", "sv", "sv"))(
        values, batch, *carry
      )
      return tuple(carry), loss

    (params, state), losses = jax.lax.scan(body, (params, state), batches)
    losses = jnp.moveaxis(losses, 0, -1)
    measured = _over_runs(measure, ("sv", "sv", "sv"))(params, state, losses)
    return params, state, measured

  started = time.perf_counter()
  params, state = jax.jit(_over_runs(init, ("v", "s")))(tuned, setup.params)
  chunks = _chunks(steps)
  jitted = jax.jit(advance, donate_argnums=(0, 1))
  programs = {
    size: jitted.lower(params, state, tuned, setup.batches(0, size)).compile()
    for size in sorted(set(chunks))
  }
  compiled = time.perf_counter()

  measured, done = [], 0
  for size in chunks:
    params, state, point = programs[size](
      params, state, tuned, setup.batches(done, size)
    )
    measured.append(jax.device_get(point))
    done += size
    if progress is not None:
      progress(entry.name, done)
  finished = time.perf_counter()

  loss, accuracy = (
    np.broadcast_to(np.asarray(x)[:, None], (len(x), values))
    for x in jax.device_get(setup.initial)
  )
  unknown = np.full_like(loss, np.nan)
  measured.insert(0, _Measured(unknown, loss, accuracy, unknown))
  # From a list over evaluations of (seed, value) to (value, seed, evaluation).
  arrays = jax.tree.map(
    lambda *points: np.stack(points, -1).swapaxes(0, 1), *measured
  )
  return _results.Curves(
    entry=entry,
    values=grid,
    steps=np.cumsum([0, *chunks]),
    train_loss=arrays.train_loss,
    eval_loss=arrays.eval_loss,
    eval_accuracy=arrays.eval_accuracy,
    step_size=arrays.step_size,
    compile_seconds=compiled - started,
    run_seconds=finished - compiled,
  )


def check_counts(**counts: int) -> None:
  """Raises ValueError unless all are positive integers."""
  for name, count in counts.items():
    core.check_count("compare", name, count, 1)


def compare(
  methods: Sequence[str | _entries.Entry] = _entries.DEFAULT_METHODS,
  *,
  workload: _workloads.Workload | str = "digits_mlp",
  steps: int | None = None,
  values: int = 5,
  seeds: int = 3,
  progress: Progress | None = None,
) -> _results.Comparison:
  """Trains a model with several methods, each tuned with the same effort.

  Every entry runs with `values` values of the one argument that its catalogue
  row says to tune first, and each of these with `seeds` seeds: the same initial
  parameters and batches for all. It is judged by the evaluation loss after
  `steps` steps at its `eval_params`, by the median over seeds at the best
  value. Runs that diverge count as infinite.

  An interrupt (Ctrl-C) ends the race with what is finished.

  Args:
    methods: Names from the catalogue or of `BASELINES`, or entries. If none is
      a baseline, all baselines take part as well.
    workload: What to train, or its name in `WORKLOADS`.
    steps: Steps of every run; by default what the workload says, or else 300.
    values: Values of the tuned argument: its default times powers of four.
    seeds: Seeds for each value.
    progress: Called with the name of an entry and its finished steps, about
      twenty times per entry.

  Returns:
    The measured curves, and the table that follows from them.

  Raises:
    MissingExtraError: If the workload lacks a package that it needs.
    ValueError: If an argument is out of its range or a name is unknown.
    KeyboardInterrupt: If interrupted before any entry is finished.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from optax_stepsize import compare
    >>> def loss(params, shift=0.0):
    ...   return jnp.sum(jnp.array([1.0, 10.0]) * (params - 3.0 - shift) ** 2)
    >>> quadratic = compare.Workload(
    ...     name="quadratic",
    ...     init_fn=lambda key: jnp.zeros(2),
    ...     loss_fn=loss,
    ...     batch_fn=lambda key, step: 0.1 * jax.random.normal(
    ...         jax.random.fold_in(key, step)
    ...     ),
    ...     eval_fn=lambda params: (loss(params), jnp.nan),
    ... )
    >>> result = compare.compare(
    ...     ["dog", "sgd"], workload=quadratic, steps=50, values=3, seeds=2
    ... )
    >>> sorted(row.name for row in result.rows)
    ['dog', 'sgd']
    >>> assert result.rows[0].loss < 1.0
  """
  if isinstance(workload, str):
    workload = _workloads.workload(workload)
  _workloads.validate(workload)
  steps = workload.steps or DEFAULT_STEPS if steps is None else steps
  check_counts(steps=steps, values=values, seeds=seeds)
  entries = select_entries(
    methods, total_steps=steps, steps_per_epoch=workload.steps_per_epoch
  )
  finished: list[_results.Curves] = []
  interrupted = False
  try:
    setup = Setup(workload, seeds)
    for entry in entries:
      finished.append(
        run_entry(entry, setup, steps=steps, values=values, progress=progress)
      )
  except KeyboardInterrupt:
    if not finished:
      raise
    interrupted = True
  return _results.Comparison(
    workload=workload.name,
    steps=steps,
    values=values,
    seeds=seeds,
    curves=tuple(finished),
    interrupted=interrupted,
  )
