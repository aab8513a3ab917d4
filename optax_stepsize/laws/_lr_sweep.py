# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The best rate of a sweep, by the shape that the convex bound has in it."""

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from optax_stepsize import core
from optax_stepsize.laws import _law


@dataclasses.dataclass(frozen=True)
class LrSweepFit(_law.Law):
  """Final loss as a function of the rate: a / rate + b * rate + c.

  Attributes:
    inverse: a >= 0, loss times rate.
    slope: b >= 0, loss per rate.
    floor: c >= 0, loss.
    best_lr: The rate of least loss, sqrt(a / b); where a or b is zero, the
      least or the largest of the rates, and with both zero the one of the least
      loss measured.
    best_loss: The loss there.
    interior: Whether losses rise on both sides of `best_lr` within the sweep.
    rms_error: Root of the mean squared error of the losses that were used; zero
      if there are only three rates.
    num_used: Rows that the fit is of.
    warning: What the user should know before using `best_lr`, or "".
  """

  inverse: float
  slope: float
  floor: float
  best_lr: float
  best_loss: float
  interior: bool
  rms_error: float
  num_used: int
  warning: str

  def predict(self, learning_rate: npt.ArrayLike) -> np.ndarray:
    """The loss at rates > 0 of any shape, in float64."""
    core.check_range(
      "LrSweepFit.predict", "learning_rate", learning_rate, "(0, inf)"
    )
    rate = np.asarray(learning_rate, np.float64)
    return self.inverse / rate + self.slope * rate + self.floor


def _rows(
  method: str,
  learning_rates: npt.ArrayLike,
  losses: npt.ArrayLike,
  max_excess: float,
) -> tuple[np.ndarray, np.ndarray]:
  """The rows to fit, those of runs that did not diverge."""
  try:
    rates, values = (
      np.asarray(x, np.float64) for x in (learning_rates, losses)
    )
  except (TypeError, ValueError):
    raise ValueError(
      f"{method}: learning_rates and losses must be numbers, got"
      f" {learning_rates!r} and {losses!r}."
    ) from None
  if rates.ndim != 1 or rates.shape != values.shape:
    raise ValueError(
      f"{method}: learning_rates and losses must be two lists of the same"
      f" length, got shapes {rates.shape} and {values.shape}."
    )
  core.check_range(method, "max_excess", max_excess, "(0, inf]")
  finite = np.isfinite(rates) & np.isfinite(values)
  rates, values = rates[finite], values[finite]
  if rates.size:
    core.check_range(method, "learning_rates", np.min(rates), "(0, inf)")
    kept = values <= np.min(values) + max_excess
    rates, values = rates[kept], values[kept]
  if np.unique(rates).size < 3:
    raise ValueError(
      f"{method}: learning_rates must have at least 3 different entries whose"
      f" losses are finite and at most max_excess={max_excess} above the least,"
      f" got {np.unique(rates).size}."
    )
  return rates, values


def fit_lr_sweep(
  learning_rates: npt.ArrayLike,
  losses: npt.ArrayLike,
  *,
  max_excess: float = 0.5,
) -> LrSweepFit:
  r"""The best rate of a sweep, from runs that differ in nothing but the rate.

  The last-iterate bound of a shape is :math:`a / \gamma + b \gamma` in its base
  rate, see `optimal_base_lr`; this fits :math:`a / \gamma + b \gamma + c` with
  :math:`a, b, c \geq 0` to final losses by least squares, on the host. A rate
  between those of the grid comes out of it, and `transfer_base_lr` carries it
  to another schedule or length.

  Runs that diverged say nothing of the shape: rows that are not finite are left
  out, and so are those whose loss is more than `max_excess` above the least.
  Far from the best rate losses need not follow the law: leave out rates a
  hundred times smaller.

  Args:
    learning_rates: Base rates, > 0, `(N,)` and in any order; rates may repeat,
      for several seeds.
    losses: Their final losses, `(N,)`.
    max_excess: Largest difference to the least loss, > 0; that of losses in
      nats by default, infinite to keep all that are finite.

  Returns:
    The fit, with `best_lr`. If the best rate is outside of the sweep,
    `interior` is False and `warning` says what to do.

  Raises:
    ValueError: If an argument is out of its range, or fewer than 3 different
      rates are left.

  Example:
    >>> import optax_stepsize
    >>> rates = [5e-4, 1e-3, 2e-3, 3e-3, 5e-3]
    >>> losses = [2.9824, 2.9635, 2.9534, 2.9693, 7.5850]
    >>> fit = optax_stepsize.fit_lr_sweep(rates, losses)
    >>> fit.num_used, fit.interior, round(fit.best_lr, 5)
    (4, True, 0.00149)

  References:
    Schaipp, Hägele, Taylor, Simsekli and Bach, The Surprising Agreement Between
    Convex Optimization Theory and Learning-Rate Scheduling for Large Model
    Training, ICML 2025, arXiv 2501.18965; BibTeX by
    `optax_stepsize.cite("fit_lr_sweep")`.
  """
  from scipy import optimize

  rates, values = _rows("fit_lr_sweep", learning_rates, losses, max_excess)
  # Columns of like size: rates in units of their geometric mean.
  unit = math.exp(np.mean(np.log(rates)))
  x = rates / unit
  columns = np.stack([1 / x, x, np.ones_like(x)], axis=1)
  (a, b, c), residual = optimize.nnls(columns, values)
  # What changes the losses by no more than rounding does is no slope.
  rounding = 1e-12 * np.max(np.abs(values))
  a, b = (
    value if value * np.ptp(column) > rounding else 0.0
    for value, column in zip((a, b), columns.T[:2], strict=True)
  )
  low, high = float(np.min(rates)), float(np.max(rates))
  warning = ""
  if a > 0 and b > 0:
    best = unit * math.sqrt(a / b)
  elif a > 0:
    best = high
  elif b > 0:
    best = low
  else:
    best = float(rates[np.argmin(values)])
  interior = bool(a > 0 and b > 0 and low < best < high)
  if a == b == 0:
    warning = (
      "the losses do not depend on the rate as the law has it; best_lr is the"
      " rate of the least loss"
    )
  elif not interior:
    side, end = ("larger", high) if best >= high else ("smaller", low)
    warning = (
      f"losses still fall at {end:g}, the end of the sweep, and best_lr is no"
      f" more than a guess. Fix: add {side} rates"
    )
  return LrSweepFit(
    inverse=float(a * unit),
    slope=float(b / unit),
    floor=float(c),
    best_lr=best,
    best_loss=float(a * unit / best + b / unit * best + c),
    interior=interior,
    rms_error=float(residual / math.sqrt(len(rates))),
    num_used=len(rates),
    warning=warning,
  )
