# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The pictures of `optax-stepsize plan`."""

from collections.abc import Sequence
from typing import Any, IO

import numpy as np

from optax_stepsize import laws

# Steps at which a prediction is drawn, at most.
_POINTS = 400
_DASHES = ("solid", (0, (6, 2)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.2, 1.5)))


def _figure(panels: int) -> tuple[Any, Any]:
  # The canvas is chosen here, so that pyplot's backend is left alone.
  from matplotlib.backends import backend_agg
  from matplotlib.figure import Figure

  figure = Figure(figsize=(9, 3.8 * panels), layout="constrained")
  return figure, backend_agg.FigureCanvasAgg(figure)


def _style(place: int, label: str) -> dict[str, Any]:
  return {
    "color": f"C{place % 10}",
    "linestyle": _DASHES[place // 10 % len(_DASHES)],
    "linewidth": 1.6,
    "label": label,
  }


def _finish(figure, all_axes) -> None:
  """Grid, frame, and one legend below all panels."""
  for axes in all_axes:
    axes.grid(color="0.9", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.margins(x=0.01)
    axes.spines[["top", "right"]].set_visible(False)
  all_axes[-1].set_xlabel("step")
  handles, labels = all_axes[0].get_legend_handles_labels()
  figure.legend(
    handles,
    labels,
    loc="outside lower center",
    ncols=2,
    frameon=False,
    fontsize=9,
  )


def _places(first: int, last: int) -> np.ndarray:
  return np.unique(np.linspace(first, last, _POINTS).round().astype(np.int64))


def _clip_start(axes, losses: Sequence[np.ndarray]) -> None:
  """Leaves out the start, whose fall would hide all that follows."""
  values = np.concatenate(losses)
  low, high = float(np.min(values)), float(np.quantile(values, 0.95))
  room = 0.08 * (high - low)
  if room > 0:
    axes.set_ylim(low - room, high + room)


def draw_fit(
  fit: laws.FitResult, curves: Sequence[laws.Curve], file: IO[bytes]
) -> None:
  """The measured losses with the law through them, and what it leaves."""
  figure, canvas = _figure(2)
  above, below = figure.subplots(2, 1, sharex=True)
  for place, curve in enumerate(curves):
    curve = curve.after_warmup()
    predicted = fit.predict(
      curve.rates, curve.steps, warmup_steps=curve.warmup_steps
    )
    style = _style(place, curve.name)
    above.plot(curve.steps, predicted, **style)
    points = {"color": style["color"], "marker": ".", "markersize": 3}
    above.plot(curve.steps, curve.losses, linestyle="", **points)
    error = 100 * (predicted / curve.losses - 1)
    below.plot(curve.steps, error, linewidth=0.6, **points)
  _clip_start(above, [curve.after_warmup().losses for curve in curves])
  above.set_ylabel("loss: measured (points), law (lines)")
  below.set_ylabel("law - measured, % of the loss")
  below.axhline(0, color="0.3", linewidth=0.8)
  _finish(figure, (above, below))
  canvas.print_png(file)


def draw_plan(
  fit: laws.FitResult,
  curves: Sequence[laws.Curve],
  candidates: Sequence[Any],
  file: IO[bytes],
) -> None:
  """The predicted loss of each candidate, and its step sizes."""
  figure, canvas = _figure(2)
  above, below = figure.subplots(2, 1, sharex=True)
  warmup = max(curve.warmup_steps for curve in curves)
  drawn = []
  for place, one in enumerate(candidates):
    last = len(one.rates) - 1
    # What a law says of the first steps says little.
    steps = _places(max(warmup, last // 20), last)
    losses = fit.predict(one.rates, steps, warmup_steps=warmup)
    style = _style(place, f"{one.name}: {one.loss:.4f}")
    above.plot(steps, losses, **style)
    drawn.append(losses)
    if np.isfinite(one.interval[0]):
      above.errorbar(
        last,
        one.loss,
        yerr=(one.interval[1] - one.interval[0]) / 2,
        color=style["color"],
        capsize=3,
        linewidth=1,
      )
    steps = _places(0, last)
    below.plot(steps, one.rates[steps], **style)
  _clip_start(above, drawn)
  above.set_ylabel("predicted loss")
  below.set_ylabel("step size")
  _finish(figure, (above, below))
  canvas.print_png(file)
