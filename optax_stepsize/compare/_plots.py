# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The picture of a race."""

import os
from typing import Any

import numpy as np

from optax_stepsize.compare import _extras
from optax_stepsize.compare import _report
from optax_stepsize.compare import _results

# Okabe and Ito's colours, which colour-blind people can tell apart; yellow is
# too pale for lines on white. With more entries than colours, the pair of
# colour and dashes stays unique.
_COLOURS = (
  "#0072B2",
  "#D55E00",
  "#009E73",
  "#CC79A7",
  "#56B4E9",
  "#E69F00",
  "#000000",
)
_MARKERS = "osD^vPX<>*hp"
_METHOD_DASHES = ("solid", (0, (7, 1.5)))
_BASELINE_DASHES = ((0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))
_BASELINE_GREYS = ("#333333", "#8c8c8c")


def _styles(comparison: _results.Comparison) -> dict[str, dict[str, Any]]:
  """By entry: colours for methods, greys for baselines."""
  styles: dict[str, dict[str, Any]] = {}
  methods = baselines = 0
  for place, curves in enumerate(comparison.curves):
    if curves.entry.baseline:
      colour = _BASELINE_GREYS[baselines // 2 % 2]
      dashes: Any = _BASELINE_DASHES[baselines % 2]
      baselines += 1
    else:
      colour = _COLOURS[methods % len(_COLOURS)]
      dashes = _METHOD_DASHES[methods // len(_COLOURS) % 2]
      methods += 1
    styles[curves.entry.name] = {
      "color": colour,
      "linestyle": dashes,
      "marker": _MARKERS[place % len(_MARKERS)],
    }
  return styles


def _draw_curves(axes, comparison, styles) -> None:
  for place, curves in enumerate(comparison.curves):
    if curves.best is None:
      continue
    loss = curves.eval_loss[curves.best]
    loss = np.where(np.isfinite(loss), loss, np.nan)
    style = styles[curves.entry.name]
    every = max(len(curves.steps) // 5, 1)
    axes.plot(
      curves.steps,
      np.nanmedian(loss, axis=0),
      linewidth=1.8,
      markersize=6,
      markevery=(place % every, every),
      **style,
    )
    axes.fill_between(
      curves.steps,
      np.nanmin(loss, axis=0),
      np.nanmax(loss, axis=0),
      color=style["color"],
      alpha=0.13,
      linewidth=0,
    )
  axes.set_yscale("log")
  axes.set_xlim(0, comparison.steps)
  axes.set_xlabel("step")
  axes.set_ylabel("evaluation loss")
  axes.set_title("Best value: median and range over seeds", fontsize=11)


def _draw_sweep(axes, comparison, styles) -> None:
  medians = np.concatenate([curves.medians for curves in comparison.curves])
  finite = medians[np.isfinite(medians)]
  low, high = (finite.min(), finite.max()) if finite.size else (0.5, 1.0)
  # Diverged medians are infinite: they get a line above all others.
  top = high * max((high / low) ** 0.15, 1.1)
  diverged_at: dict[float, int] = {}
  for curves in comparison.curves:
    style = styles[curves.entry.name]
    multiples = curves.values / curves.entry.default
    fine = np.isfinite(curves.medians)
    places = multiples.copy()
    for i in np.flatnonzero(~fine):
      # Side by side where several entries diverge at the same multiple.
      place = diverged_at.get(multiples[i].round(9), 0)
      diverged_at[multiples[i].round(9)] = place + 1
      octaves = 0.13 * ((place + 1) // 2) * (1 if place % 2 else -1)
      places[i] *= 2**octaves
    heights = np.where(fine, curves.medians, top)
    axes.plot(places, heights, linewidth=1.8, **{**style, "marker": ""})
    axes.plot(
      places[fine], heights[fine], **{**style, "linestyle": ""}, markersize=6
    )
    axes.plot(
      places[~fine],
      heights[~fine],
      **{**style, "linestyle": ""},
      markersize=6,
      markerfacecolor="white",
    )
  axes.set_xscale("log", base=2)
  axes.set_yscale("log")
  if diverged_at:
    axes.axhline(top, color="0.75", linewidth=0.8, zorder=0)
    axes.annotate(
      "diverged",
      (0.01, top),
      xycoords=axes.get_yaxis_transform(),
      xytext=(0, 5),
      textcoords="offset points",
      fontsize=8.5,
      color="0.35",
      va="bottom",
    )
    axes.set_ylim(top=top * (top / low) ** 0.1)
  ticks = np.unique(
    [
      tick
      for curves in comparison.curves
      for tick in (curves.values / curves.entry.default).round(12)
    ]
  )
  ticks = ticks[:: -(-len(ticks) // 9)]
  axes.set_xticks(ticks, [_report.multiple_text(tick) for tick in ticks])
  axes.set_xlabel("tuned argument, in multiples of its default")
  axes.set_ylabel("final evaluation loss, median over seeds")
  axes.set_title("How much tuning it needs", fontsize=11)


def write_picture(
  comparison: _results.Comparison, path: str | os.PathLike[str]
) -> None:
  """Draws loss curves at the best values, and losses against the values.

  Args:
    comparison: What to draw.
    path: The PNG file, which is replaced only when all is drawn.

  Raises:
    MissingExtraError: If matplotlib is not installed.
    ValueError: If there is only one seed or no baseline: such a picture claims
      more than was measured.
  """
  if comparison.seeds < 2:
    raise ValueError("one seed has no spread; use two or more")
  if not any(curves.entry.baseline for curves in comparison.curves):
    raise ValueError("there is no baseline to compare with")
  _extras.require("matplotlib")
  # The canvas is chosen here, so that pyplot's backend is left alone.
  from matplotlib import lines
  from matplotlib import ticker
  from matplotlib.backends import backend_agg
  from matplotlib.figure import Figure

  figure = Figure(figsize=(12, 5.9), layout="constrained")
  canvas = backend_agg.FigureCanvasAgg(figure)
  left, right = figure.subplots(1, 2)
  styles = _styles(comparison)
  _draw_curves(left, comparison, styles)
  _draw_sweep(right, comparison, styles)
  for axes in (left, right):
    axes.grid(color="0.9", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axes.yaxis.set_minor_locator(ticker.NullLocator())
  handles = []
  for curves in comparison.curves:
    label = f"{curves.entry.name} ({curves.entry.argument})"
    if curves.best is None:
      label += ": all diverged"
    handles.append(
      lines.Line2D(
        [], [], linewidth=1.8, label=label, **styles[curves.entry.name]
      )
    )
  figure.legend(
    handles=handles,
    loc="outside lower center",
    ncols=min(len(handles), 3),
    frameon=False,
    fontsize=9.5,
    handlelength=4,
  )
  right.xaxis.set_minor_locator(ticker.NullLocator())
  figure.suptitle(
    f"{comparison.workload}: {comparison.steps} steps,"
    f" {comparison.values} values x {comparison.seeds} seeds for each entry",
    fontsize=12,
  )
  _report.write_atomically(path, lambda file: canvas.print_png(file))
