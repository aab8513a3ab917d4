# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`optax-stepsize show`."""

import argparse
import ast
from collections.abc import Callable
import difflib
import importlib.util
import inspect
import pathlib
import re
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import catalogue
from optax_stepsize import compare
from optax_stepsize import schedules
from optax_stepsize.commands import _common

# Steps that are drawn, at most.
_POINTS = 4001


class _Shown(NamedTuple):
  """A schedule as it was asked for: label, steps, rates, momentum or None."""

  label: str
  steps: np.ndarray
  rates: np.ndarray
  momentum: np.ndarray | None


def _names() -> dict[str, Callable[..., Any]]:
  """The functions of the room that make schedules."""
  return {
    name: function
    for name, function in inspect.getmembers(schedules, inspect.isfunction)
    if inspect.get_annotations(function).get("return")
    in (optax.Schedule, schedules.OneCycle)
  }


def _find(name: str) -> Callable[..., Any]:
  """What makes a schedule, or is one."""
  if ":" in name:
    return compare.load_object(name)
  names = _names()
  if name.startswith("optax."):
    found = getattr(optax, name.removeprefix("optax."), None)
    if found is not None:
      return found
    names = {
      f"optax.{key}": value
      for key, value in vars(optax).items()
      if key.endswith("schedule")
    }
  if name in names:
    return names[name]
  near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
  hint = f" Did you mean {' or '.join(near)}?" if near else ""
  raise ValueError(
    f"unknown schedule {name!r}.{hint} There are {', '.join(_names())},"
    " optax.NAME and module:object."
  )


def _value(text: str) -> Any:
  """A number, a tuple or the like; all else is itself."""
  try:
    return ast.literal_eval(text)
  except (ValueError, SyntaxError):
    return text


def _fitted(total_steps: int, peak: float) -> dict[str, Any]:
  """Arguments without a default, for a run of that length and rate."""
  return {
    "peak_value": peak,
    "max_value": peak,
    "base_value": peak / 4,
    "value": peak,
    "k0": peak / 4,
    "k1": peak,
    "total_steps": total_steps,
    "decay_steps": total_steps,
    "transition_steps": total_steps,
    "warmup_steps": total_steps // 10,
    "step_size_up": max(total_steps // 10, 1),
    "l": max(total_steps // 10, 1),
    # Four cycles, each twice as long as that before it.
    "first_cycle_steps": max(total_steps // 15, 1),
    "budgets": tuple(sorted({-(-total_steps // k) for k in (4, 2, 1)})),
    "end_value": 0.0,
    "decay_rate": 0.1,
    "power": 1.0,
  }


def _make(name: str, given: dict[str, Any], total_steps: int, peak: float):
  """Calls a factory with what was given and what it needs besides."""
  make = _find(name)
  if not callable(make):
    raise ValueError(f"{name} is not a function: it can be no schedule.")
  parameters = inspect.signature(make).parameters
  required = [
    key
    for key, parameter in parameters.items()
    if parameter.default is parameter.empty
    and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
  ]
  if not given and required in (["count"], ["step"], ["steps"]):
    return make  # a schedule, and not what makes one
  if unknown := [key for key in given if key not in parameters]:
    raise ValueError(
      f"{name} has no argument {unknown[0]}; it has {', '.join(parameters)}."
    )
  fitted = _fitted(total_steps, peak)
  # The start of a warm-up, or else of the decay.
  fitted["init_value"] = 0.0 if "peak_value" in parameters else peak
  example = catalogue.get(name).example if name in catalogue.ROWS else {}
  # What is optional is left at its default; of an example, all goes together.
  wanted = required if given else [*required, *example]
  wanted += ["total_steps"] * ("total_steps" in parameters)
  fitted = {**example, **fitted}
  arguments = {key: fitted[key] for key in wanted if key in fitted} | given
  if missing := [key for key in required if key not in arguments]:
    raise ValueError(
      f"{name} needs {missing[0]}: say {name}@{missing[0]}=VALUE."
    )
  return make(**arguments)


def _parse(spec: str) -> tuple[str, dict[str, Any]]:
  name, *pairs = spec.split("@")
  given = {}
  for pair in pairs:
    key, equals, text = pair.partition("=")
    if not (key and equals and text):
      raise ValueError(
        f"{spec!r} must have the form NAME or NAME@ARGUMENT=VALUE@..., got"
        f" {pair!r}."
      )
    given[key] = _value(text)
  return name, given


def _evaluate(spec: str, total_steps: int, peak: float) -> _Shown:
  name, given = _parse(spec)
  try:
    made = _make(name, given, total_steps, peak)
  except TypeError as error:
    raise ValueError(f"{spec}: {error}.") from error
  rate, momentum = made, None
  if isinstance(made, schedules.OneCycle):
    rate, momentum = made
  # The budget's end belongs to it: what a schedule says from there on.
  count = min(total_steps + 1, _POINTS)
  steps = np.unique(np.linspace(0, total_steps, count).round().astype(np.int32))

  def values(schedule):
    try:
      found = np.asarray(jax.vmap(schedule)(jnp.asarray(steps)))
    except Exception as error:
      # Whatever the user's function raises; the first line says what.
      line = (str(error).strip().splitlines() or [""])[0]
      raise ValueError(
        f"{spec} is no schedule: it fails for a step count:"
        f" {type(error).__name__}: {line}"
      ) from error
    if found.shape != steps.shape:
      raise ValueError(
        f"{spec} is no schedule: it returns shape {found.shape[1:]}, and not a"
        " number."
      )
    return found

  # What is not ours may rely on JAX's own rules of promotion.
  with jax.numpy_dtype_promotion("standard"):
    rates = values(rate)
    return _Shown(spec, steps, rates, momentum and values(momentum))


def _number(value: float) -> str:
  return f"{value:.6g}"


def _key_places(shown: _Shown) -> list[int]:
  last = len(shown.steps) - 1
  return sorted({0, last // 4, last // 2, 3 * last // 4, last - 1, last})


def _lines(shown: _Shown) -> list[list[str]]:
  """Key values of the rate, and of the momentum if there is one."""
  lines = []
  for what, values in (("rate", shown.rates), ("momentum", shown.momentum)):
    if values is None:
      continue
    top = int(values.argmax())
    lines.append(
      [
        shown.label,
        what,
        *(_number(values[place]) for place in _key_places(shown)),
        f"{_number(values[top])} at {shown.steps[top]}",
        _number(values[:-1].mean()),
      ]
    )
  return lines


def _draw(shown: list[_Shown], path: pathlib.Path, log: bool) -> None:
  from matplotlib.backends import backend_agg
  from matplotlib.figure import Figure

  with_momentum = [one for one in shown if one.momentum is not None]
  panels = 2 if with_momentum else 1
  figure = Figure(figsize=(9, 4.2 * panels), layout="constrained")
  canvas = backend_agg.FigureCanvasAgg(figure)
  all_axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
  dashes = ("solid", (0, (6, 2)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
  for place, one in enumerate(shown):
    style: dict[str, Any] = {
      "color": f"C{place % 10}",
      "linestyle": dashes[place // 10 % len(dashes)],
      "linewidth": 1.6,
      "label": one.label,
    }
    all_axes[0].plot(one.steps, one.rates, **style)
    if one.momentum is not None:
      all_axes[1].plot(one.steps, one.momentum, **style)
  all_axes[0].set_ylabel("rate")
  if log:
    all_axes[0].set_yscale("log")
  if with_momentum:
    all_axes[1].set_ylabel("momentum")
  all_axes[-1].set_xlabel("step")
  for axes in all_axes:
    axes.grid(color="0.9", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.margins(x=0)
    axes.spines[["top", "right"]].set_visible(False)
  handles, labels = all_axes[0].get_legend_handles_labels()
  figure.legend(
    handles,
    labels,
    loc="outside lower center",
    ncols=min(len(handles), 3),
    frameon=False,
    fontsize=9,
  )
  compare.write_atomically(path, lambda file: canvas.print_png(file))


def _show(args: argparse.Namespace) -> int:
  try:
    if not args.name:
      raise ValueError("show: name at least one schedule.")
    shown = [
      _evaluate(spec, args.total_steps, args.peak_value) for spec in args.name
    ]
    if args.out is not None:
      compare.require("matplotlib")
      _draw(shown, pathlib.Path(args.out), args.log)
  except (ValueError, compare.MissingExtraError) as error:
    raise _common.UsageError(str(error)) from error
  except OSError as error:
    raise _common.UsageError(f"cannot write {args.out}: {error}") from error
  steps = [f"step {shown[0].steps[place]}" for place in _key_places(shown[0])]
  headers = ["schedule", "", *steps, "greatest", "mean"]
  _print(headers, [line for one in shown for line in _lines(one)])
  if args.out is not None:
    print(f"Written: {args.out}")
  return 0


def _print(headers: list[str], lines: list[list[str]]) -> None:
  if importlib.util.find_spec("rich") is None:
    for line in (headers, *lines):
      print("\t".join(line))
    return
  from rich import box
  from rich.console import Console
  from rich.table import Table

  console = Console(highlight=False)
  if not console.is_terminal:
    console = Console(highlight=False, width=160)
  table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
  for place, header in enumerate(headers):
    table.add_column(
      header, justify="left" if place < 2 else "right", overflow="fold"
    )
  for line in lines:
    table.add_row(*line)
  console.print(table)


def _specs(text: str) -> tuple[str, ...]:
  """Names with commas between them, not counting those in brackets."""
  return tuple(
    filter(None, map(str.strip, re.split(r",(?![^(\[]*[)\]])", text)))
  )


def add(commands: Any) -> None:
  """Adds the command."""
  command = _common.add_command(
    commands,
    "show",
    _show,
    "Show schedules, and the momentum that belongs to them: key values, and a"
    " picture.",
  )
  command.add_argument(
    "name",
    type=_specs,
    metavar="NAME[,NAME...]",
    help=(
      "NAME[@ARGUMENT=VALUE]...: a schedule of ours (see `optax-stepsize"
      " list`), optax.NAME, or module:object for one of your own; arguments"
      " without a default are fitted to the flags"
    ),
  )
  command.add_argument(
    "--total_steps",
    type=_common.integer(1),
    default=1000,
    metavar="N",
    help="budget (default: %(default)s)",
  )
  command.add_argument(
    "--peak_value",
    type=float,
    default=1.0,
    metavar="X",
    help="greatest rate (default: %(default)s)",
  )
  command.add_argument(
    "--out", metavar="FILE.png", help="where to write the picture, if at all"
  )
  command.add_argument(
    "--log", action="store_true", help="draw rates on a logarithmic axis"
  )
