# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Races: every entry on every workload, each tuned with the same effort."""

from collections.abc import Callable, Sequence
import dataclasses
import functools

import jax
import numpy as np

from optax_stepsize import core
from optax_stepsize.compare import _entries
from optax_stepsize.compare import _hosts
from optax_stepsize.compare import _results
from optax_stepsize.compare import _runner
from optax_stepsize.compare import _store
from optax_stepsize.compare import _workloads

DEFAULT_WORKLOADS = ("logistic", "digits_mlp", "river_valley")
# Steps of a run of a workload that says nothing else.
DEFAULT_STEPS = 300

# Name of the workload and of the entry, finished steps, all of these steps.
Progress = Callable[[str, str, int, int], None]


def select_entries(
  methods: Sequence[str | _entries.Entry],
  *,
  total_steps: int,
  steps_per_epoch: int | None = None,
  base: str = "adamw",
  baselines: Sequence[str] = _entries.BASELINES,
) -> tuple[_entries.Entry, ...]:
  """The entries of a race: those asked for, and the baselines.

  Args:
    methods: Names and entries.
    total_steps: Steps of a run.
    steps_per_epoch: Steps per pass over the data.
    base: What schedules and averages are raced on, see `make_entry`.
    baselines: Names that take part whether they are asked for or not.

  Returns:
    One entry for each method, in the order given, then the other baselines.

  Raises:
    ValueError: If there are none, two of the same name, or an unknown one.
  """
  if not methods and not baselines:
    raise ValueError("compare: methods must name at least one, got none.")

  def make(method):
    if isinstance(method, _entries.Entry):
      return method
    return _entries.make_entry(
      method,
      total_steps=total_steps,
      steps_per_epoch=steps_per_epoch,
      base=base,
    )

  entries = [make(method) for method in methods]
  names = [entry.name for entry in entries]
  for name in names:
    if names.count(name) > 1:
      raise ValueError(f"compare: {name} is among the methods more than once.")
  for name in baselines:
    core.check_choice("compare", "baselines", name, _entries.BASELINES)
    if name not in names:
      # What a method is worth shows only beside what one would use otherwise.
      entries.append(make(name))
      names.append(name)
  return tuple(entries)


@dataclasses.dataclass(frozen=True)
class Heat:
  """One workload with all that races on it."""

  workload: _workloads.Workload
  steps: int
  entries: tuple[_entries.Entry, ...]


def prepare(
  methods: Sequence[str | _entries.Entry],
  workloads: Sequence[_workloads.Workload | str],
  *,
  steps: int | None = None,
  base: str = "adamw",
  baselines: Sequence[str] = _entries.BASELINES,
) -> tuple[Heat, ...]:
  """Checks everything that can be checked before anything is trained.

  Args:
    methods: See `race`.
    workloads: See `race`.
    steps: See `race`.
    base: See `race`.
    baselines: See `race`.

  Raises:
    MissingExtraError: If a workload lacks a package that it needs.
    ValueError: If an argument is out of its range or a name is unknown.
  """
  if not workloads:
    raise ValueError("compare: workloads must name at least one, got none.")
  if steps is not None:
    core.check_count("compare", "steps", steps, 1)
  heats: list[Heat] = []
  for workload in workloads:
    if isinstance(workload, str):
      workload = _workloads.workload(workload)
    _workloads.validate(workload)
    if any(heat.workload.name == workload.name for heat in heats):
      raise ValueError(
        f"compare: {workload.name} is among the workloads more than once."
      )
    total = steps or workload.steps or DEFAULT_STEPS
    entries = select_entries(
      methods,
      total_steps=total,
      steps_per_epoch=workload.steps_per_epoch,
      base=base,
      baselines=baselines,
    )
    heats.append(Heat(workload, total, entries))
  return tuple(heats)


def _run_heat(
  heat: Heat,
  *,
  values: int,
  seeds: int,
  layout: str,
  devices: Sequence[jax.Device] | None,
  store: _store.Store | None,
  progress: Progress | None,
) -> _results.Comparison:
  """Races on one workload."""
  name = heat.workload.name
  steps = np.cumsum([0, *_runner.chunks(heat.workload, seeds, heat.steps)])
  chosen = _hosts.agreed_layout(store.layout(name) if store else None)
  setup: _runner.Setup | None = None
  finished: list[_results.Curves] = []
  interrupted = False
  try:
    for entry in heat.entries:
      block = _results.Block(entry, values, seeds, steps)
      if store:
        store.fill(name, block)
      block.restore(_hosts.agreed(block.record()))
      if not block.finished.all():
        if setup is None:
          setup = _runner.Setup(heat.workload, seeds, heat.steps, devices)
        program = None
        if chosen is None:
          chosen, program = _runner.choose_layout(
            entry, setup, values * seeds, layout
          )
          if store:
            store.save_layout(name, chosen)
        if program is None:
          program = _runner.Program(entry, setup, chosen.lanes)
        block.compile_seconds += program.compile_seconds
        block.state_bytes = program.state_bytes
        _runner.run_entry(
          entry,
          program,
          block,
          steps=heat.steps,
          progress=progress and functools.partial(progress, name),
          save=functools.partial(store.save, name, block) if store else None,
        )
      finished.append(block.curves())
  except KeyboardInterrupt:
    interrupted = True
  return _results.Comparison(
    workload=name,
    steps=heat.steps,
    values=values,
    seeds=seeds,
    curves=tuple(finished),
    interrupted=interrupted,
    target=heat.workload.target,
    optimum=heat.workload.optimum,
    description=heat.workload.description,
    notes=heat.workload.notes,
    layout=chosen,
  )


def run_heats(
  heats: Sequence[Heat],
  *,
  values: int = 5,
  seeds: int = 3,
  layout: str = "auto",
  devices: Sequence[jax.Device] | None = None,
  store: _store.Store | None = None,
  progress: Progress | None = None,
) -> _results.Race:
  """Runs what `prepare` made; see `race`."""
  for name, count in (("values", values), ("seeds", seeds)):
    core.check_count("compare", name, count, 1)
  core.check_choice("compare", "layout", layout, _runner.LAYOUTS)
  comparisons: list[_results.Comparison] = []
  interrupted = False
  for heat in heats:
    comparison = _run_heat(
      heat,
      values=values,
      seeds=seeds,
      layout=layout,
      devices=devices,
      store=store,
      progress=progress,
    )
    interrupted = comparison.interrupted
    if comparison.curves:
      comparisons.append(comparison)
    if interrupted:
      break
  if not comparisons:
    raise KeyboardInterrupt
  if store and not interrupted:
    store.finish()
  return _results.Race(tuple(comparisons), interrupted)


def race(
  methods: Sequence[str | _entries.Entry] = _entries.DEFAULT_METHODS,
  *,
  workloads: Sequence[_workloads.Workload | str] = DEFAULT_WORKLOADS,
  steps: int | None = None,
  values: int = 5,
  seeds: int = 3,
  base: str = "adamw",
  baselines: Sequence[str] = _entries.BASELINES,
  layout: str = "auto",
  devices: Sequence[jax.Device] | None = None,
  progress: Progress | None = None,
) -> _results.Race:
  """Trains models with several methods, each tuned with the same effort.

  On each workload, every entry runs with `values` values of the one argument
  that its catalogue row says to tune first, and each of these with `seeds`
  seeds: the same initial parameters and batches for all. It is judged by the
  evaluation loss after `steps` steps at its `eval_params`, by the median over
  seeds at the best value. Runs that diverge count as infinite.

  All runs of an entry are one compiled program, laid over the devices, or as
  many at a time as fit into memory; or one on each device at a time, where that
  was measured to be faster. Under `jax.distributed` the hosts share the runs,
  and all return the same.

  An interrupt (Ctrl-C) ends the race with what is finished.

  Args:
    methods: Names, see `make_entry`, or entries.
    workloads: What to train, or names, see `workload`.
    steps: Steps of every run; by default what the workload says, or else 300.
    values: Values of the tuned argument: its default times powers of four.
    seeds: Seeds for each value.
    base: What schedules and averages are raced on: `adamw`, `sgd`, one of
      Optax, or `module:factory`.
    baselines: Which of `BASELINES` take part although not asked for.
    layout: "grid" for as many runs at once as fit, "loop" for one on each
      device, "auto" for the faster, measured on each workload.
    devices: Devices of this host to use; by default all.
    progress: Called with the names of a workload and of an entry and its
      finished and all steps, about twenty times per entry.

  Returns:
    The measured curves, and the tables that follow from them.

  Raises:
    MissingExtraError: If a workload lacks a package that it needs.
    ValueError: If an argument is out of its range, a name is unknown, or the
      initial parameters of a workload have no finite loss.
    KeyboardInterrupt: If interrupted before any entry is finished.

  Example:
    >>> from optax_stepsize import compare
    >>> result = compare.race(
    ...     ["dog"], workloads=["noisy_quadratic", "river_valley"], steps=40,
    ...     values=3, seeds=2, baselines=["sgd"],
    ... )
    >>> [len(comparison.rows) for comparison in result.comparisons]
    [2, 2]
  """
  heats = prepare(
    methods, workloads, steps=steps, base=base, baselines=baselines
  )
  return run_heats(
    heats,
    values=values,
    seeds=seeds,
    layout=layout,
    devices=devices,
    progress=progress,
  )


def compare(
  methods: Sequence[str | _entries.Entry] = _entries.DEFAULT_METHODS,
  *,
  workload: _workloads.Workload | str = "digits_mlp",
  steps: int | None = None,
  values: int = 5,
  seeds: int = 3,
  base: str = "adamw",
  baselines: Sequence[str] = _entries.BASELINES,
  layout: str = "auto",
  devices: Sequence[jax.Device] | None = None,
  progress: Progress | None = None,
) -> _results.Comparison:
  """A `race` on one workload.

  Args:
    methods: See `race`, as all that follow.
    workload: What to train, or its name.
    steps: Steps of every run.
    values: Values of the tuned argument.
    seeds: Seeds for each value.
    base: What schedules and averages are raced on.
    baselines: Which of `BASELINES` take part although not asked for.
    layout: How runs are laid out.
    devices: Devices of this host to use.
    progress: Called in between.

  Returns:
    The measured curves, and the table that follows from them.

  Raises:
    MissingExtraError: If the workload lacks a package that it needs.
    ValueError: If an argument is out of its range, a name is unknown, or the
      initial parameters of the workload have no finite loss.
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
    ...     ["dog"], workload=quadratic, steps=50, values=3, seeds=2,
    ...     baselines=["sgd"],
    ... )
    >>> sorted(row.name for row in result.rows)
    ['dog', 'sgd']
    >>> assert result.rows[0].loss < 1.0
  """
  (result,) = race(
    methods,
    workloads=[workload],
    steps=steps,
    values=values,
    seeds=seeds,
    base=base,
    baselines=baselines,
    layout=layout,
    devices=devices,
    progress=progress,
  ).comparisons
  return result
