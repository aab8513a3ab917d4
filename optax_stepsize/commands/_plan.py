# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`optax-stepsize plan`."""

import argparse
from collections.abc import Callable, Iterator
import contextlib
import dataclasses
import functools
import math
import pathlib
import sys
from typing import Any, NamedTuple

import numpy as np

from optax_stepsize import compare
from optax_stepsize import laws
from optax_stepsize import schedules
from optax_stepsize.commands import _common
from optax_stepsize.commands import _plan_plots
from optax_stepsize.commands import _specs

_LAWS: dict[str, Callable[..., laws.FitResult[Any]]] = {
  "multi_power": laws.fit_multi_power_law,
  "annealing": laws.fit_annealing_law,
}
_SHAPES = ("fixed", "free", "early_stopped")
_OPTIMIZED, _BEST_WSD = "optimized", "best_wsd"
_DEFAULT = ("constant", "cosine", "linear", "wsd:shape=linear:end_value=0.0")

_LAW, _FIT, _PLAN = "law.json", "fit.png", "plan.png"
_SCHEDULE = "schedule.csv"
# Peaks further apart than this factor are not those of one run.
_FACTOR = 2.0


class _Candidate(NamedTuple):
  """A schedule and the loss that the law predicts for it.

  Attributes:
    name: As it was asked for.
    rates: Its step sizes.
    loss: Predicted at the last step.
    interval: Of that; NaN where the data do not tell it.
    behind: Loss minus that of the best.
    error: Half the width of the interval of `behind`, within which errors that
      both share cancel.
  """

  name: str
  rates: np.ndarray
  loss: float
  interval: tuple[float, float]
  behind: float
  error: float


def _read(args: argparse.Namespace) -> list[laws.Curve]:
  """The curves of all files, which must be of one workload and peak."""
  curves = []
  for path in args.curves:
    curves += laws.read_curves(
      path,
      loss=args.loss,
      select=dict(args.select),
      warmup_steps=args.warmup_steps,
    )
  curves = [_from_step(curve, args.first_step) for curve in curves]
  workloads = {curve.workload for curve in curves}
  if len(workloads) > 1:
    raise ValueError(
      "the files have curves of several workloads:"
      f" {', '.join(sorted(workloads))}. Fix: choose one, by --select"
      " workload=NAME."
    )
  peaks = [float(np.max(curve.rates)) for curve in curves]
  if max(peaks) > _FACTOR * min(peaks):
    low, high = (curves[f(peaks)].name for f in (np.argmin, np.argmax))
    raise ValueError(
      f"the peaks of the curves differ too much for one law: {min(peaks):g}"
      f" ({low}) to {max(peaks):g} ({high}). Fix: choose runs of one peak, by"
      " --select COLUMN=VALUE."
    )
  if len(laws.distinct_rates(curves)) < 2:
    raise ValueError(
      f"{len(curves)} curve{'s' * (len(curves) > 1)} of one schedule shape"
      " cannot tell what decay does: at least two shapes are needed, such as a"
      " constant rate and one that decays."
    )
  return curves


def _from_step(curve: laws.Curve, first: int) -> laws.Curve:
  """The curve without its points before a step."""
  later = curve.steps >= first
  if not np.any(later):
    raise ValueError(
      f"{curve.name} ends at step {curve.steps[-1]}, before"
      f" --first_step={first}."
    )
  return dataclasses.replace(
    curve,
    steps=curve.steps[later],
    losses=curve.losses[later],
    schedule=curve.rates,
  )


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
  """A bar, or a line for each part where there is no terminal."""
  from rich import progress
  from rich.console import Console

  console = Console(stderr=True, highlight=False)
  with progress.Progress(
    progress.SpinnerColumn(),
    progress.TextColumn("{task.description:<32}"),
    progress.BarColumn(),
    progress.TimeElapsedColumn(),
    console=console,
    transient=True,
    disable=not console.is_terminal,
  ) as bar:
    task = bar.add_task("", total=total)
    begun = 0

    def begin(what: str) -> None:
      nonlocal begun
      bar.update(task, completed=begun, description=what)
      begun += 1
      if not console.is_terminal:
        console.print(f"{begun}/{total} {what}")

    yield begin


def _fit(args: argparse.Namespace, curves: list[laws.Curve]) -> laws.FitResult:
  options: dict[str, Any] = {}
  if args.shape is not None:
    if args.law != "multi_power":
      raise ValueError(f"--shape belongs to --law=multi_power, not {args.law}.")
    options["shape"] = args.shape
  return _LAWS[args.law](curves, **options)


def _rates(
  spec: str, args: argparse.Namespace, fit: laws.FitResult, peak: float
) -> np.ndarray:
  """The step sizes of a candidate."""
  steps, warmup = args.horizon, args.warmup_steps
  if spec == _OPTIMIZED:
    return laws.optimize_schedule(fit.law, steps, peak, warmup_steps=warmup)[1]
  if spec == _BEST_WSD:
    fraction, _ = laws.best_cooldown_fraction(
      fit.law, steps, peak, warmup_steps=warmup
    )
    made = schedules.wsd_schedule(
      peak,
      steps,
      warmup_steps=warmup,
      decay_fraction=fraction,
      shape="linear",
      end_value=0.0,
    )
  else:
    made = _specs.make(spec, steps, peak, warmup)
    if isinstance(made, schedules.OneCycle):
      made = made.learning_rate
  try:
    return laws.rates_of(made, steps)
  except Exception as error:
    # Whatever the user's function raises; the first line says what.
    line = (str(error).strip().splitlines() or [""])[0]
    raise ValueError(f"{spec} is no schedule: {line}") from error


def _rank(
  fit: laws.FitResult, named: dict[str, np.ndarray], warmup_steps: int
) -> list[_Candidate]:
  """Candidates from the lowest predicted loss to the highest."""

  def at_end(predict: Callable[..., Any], name: str) -> Any:
    rates = named[name]
    return predict(rates, len(rates) - 1, warmup_steps=warmup_steps)

  losses = {name: float(at_end(fit.predict, name)[0]) for name in named}
  best = min(losses, key=losses.__getitem__)
  found = []
  for name in sorted(losses, key=losses.__getitem__):

    def lag(law: Any, name: str = name) -> np.ndarray:
      return at_end(law.predict, name) - at_end(law.predict, best)

    low, high = at_end(fit.predict_interval, name)
    found.append(
      _Candidate(
        name,
        named[name],
        losses[name],
        (float(low[0]), float(high[0])),
        losses[name] - losses[best],
        float(fit.half_width(lag)[0]),
      )
    )
  return found


def _interval(low: float, high: float, digits: str = ".5g") -> str:
  if math.isnan(low):
    return "not told by the data"
  return f"{low:{digits}} .. {high:{digits}}"


def _show(
  fit: laws.FitResult,
  curves: list[laws.Curve],
  candidates: list[_Candidate],
  args: argparse.Namespace,
) -> None:
  """Tables of the curves, the parameters and the candidates."""
  name = type(fit.law).__name__
  _common.print_table(
    ["curve", "points", "last step", "R2", "mean error", "worst error"],
    [
      [
        curve.name,
        str(len(curve.steps)),
        str(curve.steps[-1]),
        f"{errors.r2:.5f}",
        f"{errors.mae:.5f}",
        f"{100 * errors.worst_relative_error:.3f} %",
      ]
      for curve, errors in zip(curves, fit.metrics, strict=True)
    ],
    left=1,
  )
  _common.print_table(
    [name, "value", f"{100 * fit.confidence:g} % interval"],
    [
      [
        parameter,
        f"{getattr(fit.law, parameter):.6g}",
        "held"
        if parameter not in fit.names
        else _interval(*(interval or (math.nan, math.nan))),
      ]
      for parameter, interval in fit.intervals.items()
    ],
    left=1,
  )
  _common.print_table(
    ["schedule", f"loss at {args.horizon}", "interval", "behind", "+-"],
    [
      [
        one.name,
        f"{one.loss:.5f}",
        _interval(*one.interval, ".5f"),
        f"{one.behind:.5f}",
        "" if math.isnan(one.error) else f"{one.error:.5f}",
      ]
      for one in candidates
    ],
    left=1,
  )
  longest = max(int(curve.steps[-1]) + 1 for curve in curves)
  notes = [
    f"Objective {fit.objective:.4g}, condition number"
    f" {fit.condition_number:.2g}, {fit.num_evals} evaluations.",
    "Intervals are those of the fit alone, and not of a law that is wrong.",
  ]
  if args.horizon > 1.01 * longest:
    notes.append(
      f"The horizon is {args.horizon / longest:.3g} times the longest run."
    )
  notes += [f"Warning: {warning}." for warning in fit.warnings]
  for note in notes:
    print(note)


def _write(
  fit: laws.FitResult,
  curves: list[laws.Curve],
  candidates: list[_Candidate],
  folder: pathlib.Path,
) -> int:
  """Writes all files; one that fails does not keep the others from it."""
  draw_fit = functools.partial(_plan_plots.draw_fit, fit, curves)
  draw_plan = functools.partial(_plan_plots.draw_plan, fit, curves, candidates)
  # What was designed; without it, the best of the others.
  designed = next(
    (one for one in candidates if one.name == _OPTIMIZED), candidates[0]
  )
  writes: list[tuple[str, Callable[[pathlib.Path], None]]] = [
    (_SCHEDULE, lambda path: schedules.to_csv(path, designed.rates)),
    (
      _LAW,
      lambda path: compare.write_atomically(
        path, lambda file: file.write(f"{fit.law.to_json()}\n".encode())
      ),
    ),
    (_FIT, lambda path: compare.write_atomically(path, draw_fit)),
    (_PLAN, lambda path: compare.write_atomically(path, draw_plan)),
  ]
  code = 0
  for name, write in writes:
    try:
      write(folder / name)
      what = f" ({designed.name})" if name == _SCHEDULE else ""
      print(f"Written: {folder / name}{what}")
    except OSError as error:
      print(f"optax-stepsize: no {name}: {error}", file=sys.stderr)
      code = 2
  return code


def _check(args: argparse.Namespace) -> None:
  """What can be wrong before a curve is read."""
  compare.require("matplotlib", "rich", "scipy")
  if not args.schedules:
    raise ValueError("--schedules must name at least one schedule.")
  if args.horizon <= args.warmup_steps:
    raise ValueError(
      f"--horizon={args.horizon} must be longer than the warm-up of"
      f" {args.warmup_steps} steps."
    )
  peak = args.peak_value
  if peak is not None and not (math.isfinite(peak) and peak > 0):
    raise ValueError(f"--peak_value must be a number > 0, got {peak}.")
  if args.law == "annealing" and _OPTIMIZED in args.schedules:
    raise ValueError(
      "the annealing law has no best schedule: it rewards a huge rate followed"
      f" by zeros. Fix: --law=multi_power, or {_BEST_WSD} in the place of"
      f" {_OPTIMIZED}."
    )


def _default_schedules(law: str) -> tuple[str, ...]:
  return (*_DEFAULT, _BEST_WSD if law == "annealing" else _OPTIMIZED)


def _plan(args: argparse.Namespace) -> int:
  if args.schedules is None:
    args.schedules = _default_schedules(args.law)
  names = tuple(dict.fromkeys(args.schedules))
  try:
    _check(args)
    for spec in names:  # That they exist, before anything takes time.
      if spec not in (_OPTIMIZED, _BEST_WSD):
        _specs.make(spec, args.horizon, 1.0, args.warmup_steps)
    curves = _read(args)
    folder = compare.check_output_dir(
      args.output_dir, _SCHEDULE, _LAW, _FIT, _PLAN
    )
    with _progress(len(names) + 2) as begin:
      begin(f"fit {len(curves)} curves")
      fit = _fit(args, curves)
      peak = args.peak_value or max(float(np.max(c.rates)) for c in curves)
      named = {}
      for name in names:
        begin(f"predict {name}")
        named[name] = _rates(name, args, fit, peak)
      begin("rank")
      candidates = _rank(fit, named, args.warmup_steps)
  except (ValueError, compare.MissingExtraError) as error:
    raise _common.UsageError(str(error)) from error
  except OSError as error:
    raise _common.UsageError(str(error)) from error
  _show(fit, curves, candidates, args)
  return _write(fit, curves, candidates, folder)


def _pair(text: str) -> tuple[str, str]:
  column, equals, value = text.partition("=")
  if not (column and equals and value):
    raise argparse.ArgumentTypeError(f"must be COLUMN=VALUE, got {text!r}")
  return column, value


def add(commands: Any) -> None:
  """Adds the command."""
  command = _common.add_command(
    commands,
    "plan",
    _plan,
    "Fit a law to the loss curves of short runs, predict the loss of schedules"
    " at another horizon, and design the best one.",
  )
  command.add_argument(
    "curves",
    nargs="+",
    metavar="CURVES.csv",
    help=(
      "curves.csv of `optax-stepsize compare`, or one run with the columns"
      " step, loss and step_size; together they need two schedule shapes of one"
      " peak"
    ),
  )
  command.add_argument(
    "--horizon",
    type=_common.integer(2),
    required=True,
    metavar="N",
    help="steps of the run that is planned",
  )
  command.add_argument(
    "--law",
    choices=tuple(_LAWS),
    default="multi_power",
    help="what is fitted (default: %(default)s)",
  )
  command.add_argument(
    "--shape",
    choices=_SHAPES,
    help=(
      "of the multi-power law: fixed holds C and beta, free fits all,"
      " early_stopped is the recipe of its authors (default: fixed)"
    ),
  )
  command.add_argument(
    "--schedules",
    type=_specs.split,
    metavar="A,B",
    help=(
      f"candidates: {_OPTIMIZED}, which is designed for the law; {_BEST_WSD},"
      " with the best cooldown; and NAME[:ARGUMENT=VALUE]... as for `show`"
      f" (default: {','.join(_default_schedules('multi_power'))})"
    ),
  )
  command.add_argument(
    "--warmup_steps",
    type=_common.integer(0),
    default=0,
    metavar="N",
    help=(
      "linear warm-up of the runs in the files and of the one that is planned"
      " (default: %(default)s)"
    ),
  )
  command.add_argument(
    "--first_step",
    type=_common.integer(0),
    default=0,
    metavar="N",
    help=(
      "leave out points before this step: no law describes how a model learns"
      " its first features (default: %(default)s)"
    ),
  )
  command.add_argument(
    "--peak_value",
    type=float,
    metavar="X",
    help="greatest rate of the candidates (default: that of the curves)",
  )
  command.add_argument(
    "--loss",
    metavar="COLUMN",
    help=(
      "column of the loss (default: loss, eval_loss, val_loss or train_loss,"
      " the first there is)"
    ),
  )
  command.add_argument(
    "--select",
    type=_pair,
    action="append",
    default=[],
    metavar="COLUMN=VALUE",
    help="read only such lines; may be given more than once",
  )
  command.add_argument(
    "--output_dir",
    default="optax_stepsize_plan",
    metavar="DIR",
    help=(
      f"folder for {_SCHEDULE}, which optax_stepsize.schedules.from_csv loads,"
      f" {_LAW}, {_FIT} and {_PLAN} (default: %(default)s)"
    ),
  )
