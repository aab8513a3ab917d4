# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The picture of a range test."""

import os
from typing import IO

import numpy as np

from optax_stepsize.probes import _range_test

# Okabe and Ito's colours, which colour-blind people can tell apart.
_BLUE, _GREEN, _RED = "#0072B2", "#009E73", "#D55E00"


def _is_exponential(rates: np.ndarray) -> bool:
  """Whether the middle rate is nearer to the geometric mean of both ends."""
  first, middle, last = (float(rates[i]) for i in (0, len(rates) // 2, -1))
  if len(rates) < 3 or first <= 0:
    return False
  return abs(middle - (first * last) ** 0.5) < abs(middle - (first + last) / 2)


def plot_range_test(
  result: _range_test.LrRangeResult, path: str | os.PathLike[str] | IO[bytes]
) -> None:
  """Draws the losses of a range test against the rates, as a PNG.

  The rates have a logarithmic axis if they were exponential, and so have losses
  that are positive and span more than a factor of ten. The suggested rates and
  the divergence are marked.

  Args:
    result: What `lr_range_test` returned.
    path: The file, or a binary file that is open for writing.

  Raises:
    ImportError: If matplotlib is not installed: it is in the extra `compare`.
    OSError: If the file cannot be written.

  Example:
    >>> import tempfile
    >>> import optax_stepsize
    >>> result = optax_stepsize.LrRangeResult.from_losses(
    ...     [0.1, 0.2, 0.3, 0.4], [2.0, 1.0, 0.5, 3.0]
    ... )
    >>> with tempfile.TemporaryFile() as file:
    ...   optax_stepsize.plot_range_test(result, file)
    ...   assert file.tell() > 0
  """
  try:
    # The canvas is chosen here, so that pyplot's backend is left alone.
    from matplotlib import ticker
    from matplotlib.backends import backend_agg
    from matplotlib.figure import Figure
  except ImportError as error:
    raise ImportError(
      'plot_range_test needs matplotlib: pip install "optax-stepsize[compare]".'
    ) from error

  figure = Figure(figsize=(8, 4.8), layout="constrained")
  canvas = backend_agg.FigureCanvasAgg(figure)
  axes = figure.subplots()
  rates, losses, smoothed = result.rates, result.losses, result.smoothed
  same = np.array_equal(losses, smoothed, equal_nan=True)
  finite = losses[np.isfinite(losses)]

  axes.plot(
    rates,
    np.where(np.isfinite(losses), losses, np.nan),
    color=_BLUE,
    alpha=1.0 if same else 0.35,
    linewidth=1.8 if same else 1.0,
    marker="." if len(rates) <= 50 else "",
    label="loss",
  )
  if not same:
    axes.plot(rates, smoothed, color=_BLUE, linewidth=1.8, label="smoothed")
  at_end = result.diverged_at < 0 and result.suggested_max == rates[-1]
  note = ", the last tested: try larger ones" if at_end else ""
  for value, word, dashes in (
    (result.suggested_base, "base", (0, (5, 2))),
    (result.suggested_max, "max", "solid"),
  ):
    axes.axvline(
      value,
      color=_GREEN,
      linestyle=dashes,
      linewidth=1.4,
      label=f"suggested {word} {value:.3g}{note if word == 'max' else ''}",
    )
  if result.diverged_at >= 0:
    rate = rates[result.diverged_at]
    axes.axvline(
      rate,
      color=_RED,
      linestyle=(0, (1.2, 1.2)),
      linewidth=1.4,
      label=f"diverged at {rate:.3g}, step {result.diverged_at}",
    )
  if _is_exponential(rates):
    axes.set_xscale("log")
  if finite.min() > 0 and finite.max() > 10 * finite.min():
    axes.set_yscale("log")
    if finite.max() < 1e3 * finite.min():  # few decades: plain numbers
      axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
      axes.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
      axes.yaxis.set_minor_locator(ticker.NullLocator())
  axes.set_xlabel("learning rate")
  axes.set_ylabel("training loss before the update")
  axes.grid(color="0.9", linewidth=0.7)
  axes.set_axisbelow(True)
  axes.spines[["top", "right"]].set_visible(False)
  axes.set_title(f"Range test, {len(rates)} steps", fontsize=11)
  axes.legend(frameon=False, fontsize=9.5)
  canvas.print_png(path)
