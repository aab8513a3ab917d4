# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The pictures of a race."""

import os
from typing import Any

import numpy as np

from optax_stepsize.compare import _extras
from optax_stepsize.compare import _files
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
    loss = curves.eval_loss[curves.best] - (comparison.optimum or 0.0)
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
  if comparison.target is not None:
    level = comparison.target - (comparison.optimum or 0.0)
    axes.axhline(level, color="0.45", linewidth=1, dashes=(6, 3), zorder=1)
    axes.annotate(
      "target",
      (0.99, level),
      xycoords=axes.get_yaxis_transform(),
      xytext=(0, 2),
      textcoords="offset points",
      fontsize=8.5,
      color="0.35",
      ha="right",
    )
  axes.set_yscale("log")
  axes.set_xlim(0, comparison.steps)
  axes.set_xlabel("step")
  axes.set_ylabel(_loss_label(comparison))
  axes.set_title("Best value: median and range over seeds", fontsize=11)


def _loss_label(comparison) -> str:
  if comparison.optimum:
    return f"evaluation loss - {comparison.optimum:g}"
  return "evaluation loss"


def _draw_step_sizes(axes, comparison, styles) -> None:
  for place, curves in enumerate(comparison.curves):
    if curves.best is None:
      continue
    sizes = curves.step_size[curves.best][:, 1:]
    # Zero, as at the start of a warm-up, has no place on a logarithmic axis.
    sizes = np.where(np.isfinite(sizes) & (sizes > 0), sizes, np.nan)
    shown = ~np.isnan(sizes).all(axis=0)
    if not shown.any():
      continue
    style = styles[curves.entry.name]
    every = max(len(curves.steps) // 5, 1)
    steps, sizes = curves.steps[1:][shown], sizes[:, shown]
    axes.plot(
      steps,
      np.nanmedian(sizes, axis=0),
      linewidth=1.8,
      markersize=6,
      markevery=(place % every, every),
      **style,
    )
    axes.fill_between(
      steps,
      np.nanmin(sizes, axis=0),
      np.nanmax(sizes, axis=0),
      color=style["color"],
      alpha=0.13,
      linewidth=0,
    )
  axes.set_yscale("log")
  axes.set_xlim(0, comparison.steps)
  axes.set_xlabel("step")
  axes.set_ylabel("step size, mean over layers")
  axes.set_title("Step size over time", fontsize=11)


def _draw_sweep(axes, comparison, styles) -> None:
  optimum = comparison.optimum or 0.0
  medians = np.concatenate([curves.medians for curves in comparison.curves])
  medians = medians - optimum
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
    heights = np.where(fine, curves.medians - optimum, top)
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
  axes.set_ylabel(f"final {_loss_label(comparison)}, median over seeds")
  axes.set_title("How much tuning it needs", fontsize=11)


def _figure(width: float, height: float) -> tuple[Any, Any]:
  """A figure and its canvas, which leaves pyplot's backend alone."""
  _extras.require("matplotlib")
  from matplotlib.backends import backend_agg
  from matplotlib.figure import Figure

  figure = Figure(figsize=(width, height), layout="constrained")
  return figure, backend_agg.FigureCanvasAgg(figure)


def _legend(figure, labels, styles) -> None:
  from matplotlib import lines

  handles = [
    lines.Line2D([], [], linewidth=1.8, label=label, **styles[name])
    for name, label in labels.items()
  ]
  figure.legend(
    handles=handles,
    loc="outside lower center",
    ncols=min(len(handles), 4),
    frameon=False,
    fontsize=9.5,
    handlelength=4,
  )


def _check_claim(comparison: _results.Comparison) -> None:
  if comparison.seeds < 2:
    raise ValueError("one seed has no spread; use two or more")
  if not any(curves.entry.baseline for curves in comparison.curves):
    raise ValueError("there is no baseline to compare with")


def write_picture(
  comparison: _results.Comparison, path: str | os.PathLike[str]
) -> None:
  """Draws losses and step sizes over time, and losses against the values.

  Args:
    comparison: What to draw.
    path: The PNG file, which is replaced only when all is drawn.

  Raises:
    MissingExtraError: If matplotlib is not installed.
    ValueError: If there is only one seed or no baseline: such a picture claims
      more than was measured.
  """
  _check_claim(comparison)
  figure, canvas = _figure(16, 5.9)
  from matplotlib import ticker

  panels = figure.subplots(1, 3)
  styles = _styles(comparison)
  for axes, draw in zip(
    panels, (_draw_curves, _draw_sweep, _draw_step_sizes), strict=True
  ):
    draw(axes, comparison, styles)
    axes.grid(color="0.9", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    low, high = axes.get_ylim()
    wide = high / low > 1e4
    axes.yaxis.set_major_locator(
      ticker.LogLocator(subs=(1,) if wide else (1, 2, 5))
    )
    axes.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axes.yaxis.set_minor_locator(ticker.NullLocator())
  panels[1].xaxis.set_minor_locator(ticker.NullLocator())
  labels = {}
  for curves in comparison.curves:
    label = f"{curves.entry.name} ({curves.entry.argument})"
    labels[curves.entry.name] = label + (
      ": all diverged" if curves.best is None else ""
    )
  _legend(figure, labels, styles)
  figure.suptitle(
    f"{comparison.workload}: {comparison.steps} steps,"
    f" {comparison.values} values x {comparison.seeds} seeds for each entry",
    fontsize=12,
  )
  _files.write_atomically(path, lambda file: canvas.print_png(file))


# Ratios beyond are drawn as misses are: not at all.
_MOST = 8.0


def write_profile(race: _results.Race, path: str | os.PathLike[str]) -> None:
  """Draws the performance profile: how often an entry is how near the fastest.

  Args:
    race: What to draw.
    path: The PNG file, which is replaced only when all is drawn.

  Raises:
    MissingExtraError: If matplotlib is not installed.
    ValueError: If there is one seed, no baseline, or fewer than two workloads
      with a target: such a picture claims more than was measured.
  """
  for comparison in race.comparisons:
    _check_claim(comparison)
  ratios = race.ratios()
  count = len(next(iter(ratios.values()), ()))
  if count < 2:
    raise ValueError("a profile takes two workloads with a target or more")
  figure, canvas = _figure(8, 5.6)
  from matplotlib import ticker

  axes = figure.subplots()
  styles = _styles(race.comparisons[0])
  for place, (name, of_entry) in enumerate(ratios.items()):
    steps = np.sort(of_entry[of_entry <= _MOST])
    # From the first ratio on a staircase, to the right edge.
    places = np.concatenate([[1.0], steps, [_MOST]])
    heights = np.concatenate([[0], np.arange(1, len(steps) + 1), [len(steps)]])
    axes.step(
      places,
      # Shifted a little, so that none hides another.
      heights / count + 0.006 * (place - len(ratios) / 2),
      where="post",
      linewidth=1.8,
      markersize=6,
      **styles[name],
    )
  axes.set_xscale("log", base=2)
  axes.xaxis.set_major_formatter(ticker.FormatStrFormatter("%gx"))
  axes.set_xlim(1.0, _MOST)
  axes.set_ylim(-0.06, 1.06)
  axes.set_xlabel("steps to target, at most this multiple of the least")
  axes.set_ylabel(f"share of the {count} workloads")
  axes.grid(color="0.9", linewidth=0.7)
  axes.set_axisbelow(True)
  axes.spines[["top", "right"]].set_visible(False)
  _legend(figure, {name: name for name in ratios}, styles)
  figure.suptitle("Performance profile", fontsize=12)
  _files.write_atomically(path, lambda file: canvas.print_png(file))
