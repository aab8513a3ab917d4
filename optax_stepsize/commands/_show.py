# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`optax-stepsize show`."""

import argparse
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from optax_stepsize import compare
from optax_stepsize import schedules
from optax_stepsize.commands import _common
from optax_stepsize.commands import _specs

# Steps that are drawn, at most.
_POINTS = 4001


class _Shown(NamedTuple):
  """A schedule as it was asked for: label, steps, rates, momentum or None."""

  label: str
  steps: np.ndarray
  rates: np.ndarray
  momentum: np.ndarray | None


def _evaluate(spec: str, total_steps: int, peak: float) -> _Shown:
  made = _specs.make(spec, total_steps, peak)
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
  _common.print_table(
    headers, [line for one in shown for line in _lines(one)], left=2
  )
  if args.out is not None:
    print(f"Written: {args.out}")
  return 0


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
    type=_specs.split,
    metavar="NAME[,NAME...]",
    help=(
      "NAME[:ARGUMENT=VALUE]...: a schedule of ours (see `optax-stepsize"
      " list`; `_schedule` may be left out), a profile such as cosine,"
      " optax.NAME, or module:object for one of your own; arguments without a"
      " default are fitted to the flags"
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
