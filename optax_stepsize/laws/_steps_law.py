# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Steps to a target against the batch size, and the critical batch size."""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from optax_stepsize import core
from optax_stepsize.laws import _fit
from optax_stepsize.laws import _law
from optax_stepsize.laws import _points

# Of the paper: after N steps at batch b the mean square of gradient norms is at
# most A / N + B / b + C. To be at most eps^2 it takes, with E = eps^2 - C,
#   N >= K(b) = A b / (E b - B)      and    S(b) = K(b) b gradients,
# which are least at b* = 2 B / E, where S = 4 A B / E^2 and K = 2 A / E.


@dataclasses.dataclass(frozen=True)
class StepsLaw(_law.Law):
  """Steps to a target = A batch / (E batch - B).

  Steps fall with the batch towards A / E, and no number of steps suffices at
  batches up to B / E. Only A / E and B / E can be told from counts of steps.

  Attributes:
    A: > 0, of the way to the target.
    B: >= 0, of the noise of gradients.
    E: > 0, of how close to a minimum the target is: small if it is strict.
  """

  A: float
  B: float
  E: float = 1.0

  def predict(self, batch: npt.ArrayLike) -> np.ndarray:
    """Steps at batches > 0 of any shape, in float64; infinite up to B / E."""
    batch = _points.positive("StepsLaw.predict", "batch", batch)
    margin = self.E * batch - self.B
    reached = margin > 0
    return np.where(
      reached, self.A * batch / np.where(reached, margin, 1), math.inf
    )

  def sfo(self, batch: npt.ArrayLike) -> np.ndarray:
    """Gradients of single examples to the target: steps times batch."""
    return self.predict(batch) * np.asarray(batch, np.float64)

  @property
  def critical_batch(self) -> float:
    """The batch at which the target costs the fewest gradients, 2 B / E."""
    return 2 * self.B / self.E

  @property
  def min_sfo(self) -> float:
    """The gradients that the target costs there, 4 A B / E**2."""
    return 4 * self.A * self.B / self.E**2


@dataclasses.dataclass(frozen=True)
class MeasuredCriticalBatch:
  """The batch that reached a target with the fewest gradients.

  Attributes:
    batch: By a parabola through the logarithms of the least and of its
      neighbours; the measured batch where it has not both.
    sfo: Gradients of single examples there, batch times steps.
    low: The neighbour below, which costs more; zero if there is none.
    high: The neighbour above, which costs more; infinite if there is none.
    warning: What the user should know before using `batch`, or "".
  """

  batch: float
  sfo: float
  low: float
  high: float
  warning: str


def _runs(method, batches, steps):
  """Batches and steps; steps that are not finite are of unreached targets."""
  sizes = _points.column(method, "batches", batches)
  counts = _points.column(method, "steps", steps, _points.ANY)
  _points.check_lengths(method, batches=sizes, steps=counts)
  counts = np.where(np.isnan(counts), math.inf, counts)
  core.check_range(method, "steps", counts, "(0, inf]")
  return sizes, counts, np.isfinite(counts)


def _end_warning(batches: np.ndarray, at: int) -> str:
  """What it means that the cost is least at this place of a grid."""
  if 0 < at < len(batches) - 1:
    return ""
  if at:
    return (
      "the cost still falls at the largest batch: the critical batch is above"
      f" the range, at least {batches[at]:g}. Fix: add larger batches"
    )
  return (
    "the cost rises from the smallest batch on: the critical batch is at most"
    f" {batches[at]:g}. Fix: add smaller batches"
  )


def _costs(sizes, counts):
  """The grid of batches, and the logarithm of the mean cost at each."""
  grid, place = np.unique(sizes, return_inverse=True)
  logs = np.log(sizes) + np.log(counts)
  return grid, np.bincount(place, logs) / np.bincount(place)


def measured_critical_batch(
  batches: npt.ArrayLike, steps: npt.ArrayLike
) -> MeasuredCriticalBatch:
  """The batch that costs the fewest gradients, without any law of the steps.

  Args:
    batches: Batch sizes, > 0, `(N,)`, best a geometric grid; they may repeat,
      for several seeds.
    steps: Steps until the target was reached, > 0, `(N,)`; infinite or NaN
      where it never was.

  Returns:
    The batch, with its neighbours on the grid.

  Raises:
    ValueError: If an argument is out of its range, or no run reached the
      target.

  Example:
    >>> import optax_stepsize
    >>> found = optax_stepsize.measured_critical_batch(
    ...   [4, 8, 16, 32], [16000, 6400, 4923, 4414]
    ... )
    >>> found.low, found.high, round(found.batch, 2)
    (4.0, 16.0, 7.17)

  References:
    Sato and Iiduka, Existence and Estimation of Critical Batch Size for
    Training Generative Adversarial Networks with Two Time-Scale Update Rule,
    ICML 2023, arXiv 2201.11989; BibTeX by
    `optax_stepsize.cite("fit_steps_law")`.
  """
  method = "measured_critical_batch"
  sizes, counts, reached = _runs(method, batches, steps)
  if not np.any(reached):
    raise ValueError(
      f"{method}: steps must be finite for some batch, got {steps!r}: no run"
      " reached the target. Fix: take a weaker target, or train for longer."
    )
  grid, logs = _costs(sizes, counts)
  at = int(np.argmin(logs))
  warning = _end_warning(grid, at)
  near = slice(max(at - 1, 0), at + 2)
  shift, log_cost = 0.0, logs[at]
  if not warning and np.all(np.isfinite(logs[near])):
    a, b, c = np.polyfit(np.log(grid[near] / grid[at]), logs[near], 2)
    if a > 0:  # not so only where all three cost the same
      shift, log_cost = -b / (2 * a), c - b**2 / (4 * a)
  return MeasuredCriticalBatch(
    batch=float(grid[at] * math.exp(shift)),
    sfo=math.exp(log_cost),
    low=float(grid[at - 1]) if at else 0.0,
    high=float(grid[at + 1]) if at + 1 < len(grid) else math.inf,
    warning=warning,
  )


def _residuals(values, data):
  margin = values["E"] - values["B"] / data["batches"]
  logs = jnp.log(values["A"]) - jnp.log(margin) - data["log_steps"]
  return data["root_weights"] * logs


def fit_steps_law(
  batches: npt.ArrayLike,
  steps: npt.ArrayLike,
  *,
  weights: npt.ArrayLike | None = None,
  huber_delta: float = 0.1,
  confidence: float = 0.95,
) -> _fit.FitResult[StepsLaw]:
  r"""How many steps a target takes at each batch size.

  .. math::
    K(b) = \frac{A b}{E b - B}

  with E = 1, because steps tell the ratios A / E and B / E alone. Their cost in
  gradients of single examples, b K(b), is least at the critical batch 2 B / E:
  below it a larger batch saves gradients, above it only steps. Players of a
  game have a critical batch each, and the batch to use lies between them.

  It starts from least squares of 1 / K, which is linear in 1 / b, and goes on
  to robust least squares of log K.

  Args:
    batches: Batch sizes, > 0, `(N,)`, three different ones at least.
    steps: Steps until the target was reached, > 0, `(N,)`; infinite or NaN
      where it never was: such runs are left out, and a warning says so.
    weights: Weights of the squares, >= 0, `(N,)`; equal by default.
    huber_delta: Relative error of steps from which on it counts for less, > 0.
    confidence: Of the intervals, in (0, 1).

  Returns:
    The law; `law.critical_batch` is what it is for. Warnings tell where the
    critical batch lies out of the range of the batches.

  Raises:
    ValueError: If an argument is out of its range, or runs at fewer than three
      different batches reached the target.

  Example:
    >>> import optax_stepsize
    >>> fit = optax_stepsize.fit_steps_law(
    ...   [4, 8, 16, 32, 64], [16000.0, 6400.0, 4923.08, 4413.79, 4196.72]
    ... )
    >>> round(fit.law.critical_batch, 3), round(fit.law.min_sfo)
    (6.0, 48000)

  References:
    Sato and Iiduka, Existence and Estimation of Critical Batch Size for
    Training Generative Adversarial Networks with Two Time-Scale Update Rule,
    ICML 2023, arXiv 2201.11989; BibTeX by
    `optax_stepsize.cite("fit_steps_law")`.
  """
  method = "fit_steps_law"
  sizes, counts, reached = _runs(method, batches, steps)
  roots = _points.root_weights(method, weights, len(sizes))
  core.check_range(method, "huber_delta", huber_delta, "(0, inf]")
  warnings = []
  if not np.all(reached):
    lost = ", ".join(f"{size:g}" for size in np.unique(sizes[~reached]))
    warnings.append(
      f"left out the runs that missed the target, at batch {lost}"
    )
  grid, logs = _costs(sizes, counts)
  warnings.append(_end_warning(grid, int(np.argmin(logs))))
  sizes, counts, roots = sizes[reached], counts[reached], roots[reached]
  _points.check_different(
    method, "batches of runs that reached the target", sizes, 3
  )
  # An error of log K is one of 1 / K, relative to it.
  slope, level = np.polyfit(1 / sizes, 1 / counts, 1, w=roots * counts)
  smallest = float(np.min(sizes))
  level = max(level, 1e-3 / np.max(counts))
  ratio = np.clip(-slope / level, 1e-3 * smallest, (1 - 1e-3) * smallest)
  fit = _fit.robust_fit(
    StepsLaw,
    _residuals,
    [{"A": 1 / level, "B": float(ratio)}],
    {"batches": sizes, "log_steps": np.log(counts), "root_weights": roots},
    method=method,
    huber_delta=huber_delta,
    held={"E": 1.0},
    bounds={"B": (0.0, smallest)},
    confidence=confidence,
  )
  told = tuple(warning for warning in warnings if warning)
  return dataclasses.replace(fit, warnings=(*told, *fit.warnings))
