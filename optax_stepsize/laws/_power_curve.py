# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Learning curves of one run or of growing data, as powers of their size."""

from collections.abc import Mapping
import dataclasses
import functools
import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from optax_stepsize import core
from optax_stepsize.laws import _fit
from optax_stepsize.laws import _law
from optax_stepsize.laws import _points

# Of the paper:
#   x  size of the data, or steps          c  asymptote, alpha in the paper
#   y  accuracy, c - a x**-b               a, b > 0

EXPONENTS = (1e-3, 5.0)
# Exponents at which the rest of the fit is solved, before the best is refined.
_GRID = 41


@dataclasses.dataclass(frozen=True)
class PowerCurve(_law.Law):
  """y = c + sign a x**-b.

  Attributes:
    a: > 0, the distance to the asymptote at x = 1.
    b: > 0, the exponent.
    c: The asymptote.
    sign: -1 for what rises, such as an accuracy, 1 for what falls, such as a
      loss.
  """

  a: float
  b: float
  c: float
  sign: int = -1

  def predict(self, x: npt.ArrayLike) -> np.ndarray:
    """The curve at x > 0 of any shape, in float64; at infinity it is c."""
    core.check_range("PowerCurve.predict", "x", x, "(0, inf]")
    # As one exponential: a alone may be larger than a x**-b by any factor.
    logs = math.log(self.a) - self.b * np.log(np.asarray(x, np.float64))
    return self.c + self.sign * np.exp(logs)


class Trend(NamedTuple):
  """The least-squares curve.

  Attributes:
    curve: The curve.
    rms: What its residuals say of the noise; zero where they cannot.
    at_bound: Whether the exponent is the least or the largest allowed, because
      the points follow no power.
  """

  curve: PowerCurve
  rms: float
  at_bound: bool


def least_squares(
  x: np.ndarray,
  y: np.ndarray,
  sign: int,
  exponents: tuple[float, float] = EXPONENTS,
  anchor: float | None = None,
  weight: float = 1.0,
) -> Trend | None:
  """The curve of least squares, or None where there is none with a > 0.

  For a given b the curve is linear in a and c, which leaves a function of b
  alone: its least value on a grid, then between the neighbours. The anchor is a
  point at infinite x, where x**-b is zero.
  """
  from scipy import optimize

  if np.ptp(y) == 0:
    return None
  # x**-b in units of the first x neither overflows nor vanishes.
  logs = np.log(x / x[0])
  weights = np.ones_like(y)
  if anchor is not None:
    logs, y = np.append(logs, math.inf), np.append(y, anchor)
    weights = np.append(weights, weight)
  shares = weights / np.sum(weights)
  level = y @ shares
  flat = (y - level) ** 2 @ weights

  def solve(b):
    """Costs, slopes and asymptotes at each of the exponents `b`."""
    powers = np.exp(-b[:, None] * logs)
    centred = powers - (powers @ shares)[:, None]
    slopes = centred @ (shares * (y - level)) / (centred**2 @ shares)
    errors = y - level - slopes[:, None] * centred
    # Of the wrong sign, no slope is better.
    costs = np.where(sign * slopes > 0, errors**2 @ weights, flat)
    return costs, slopes, level - slopes * (powers @ shares)

  low, high = (math.log(b) for b in exponents)
  grid = np.linspace(low, high, _GRID)
  costs = solve(np.exp(grid))[0]
  at = int(np.argmin(costs))
  if not costs[at] < flat:
    return None
  found = optimize.minimize_scalar(
    lambda z: solve(np.exp([z]))[0][0],
    bounds=(grid[max(at - 1, 0)], grid[min(at + 1, _GRID - 1)]),
    method="bounded",
    options={"xatol": 1e-10},
  )
  best = found.x if found.fun < costs[at] else grid[at]
  cost, slope, asymptote = (float(v[0]) for v in solve(np.exp([best])))
  b = math.exp(best)
  a = sign * slope * float(x[0]) ** b
  freedom = len(y) - 3
  return Trend(
    PowerCurve(a, b, asymptote, sign),
    rms=math.sqrt(cost / freedom) if freedom else 0.0,
    at_bound=min(best - low, high - best) < 1e-6,
  )


def _residuals(values, data):
  """In units of the range of y, which tolerances then fit whatever it is."""
  powers = jnp.exp(jnp.log(values["a"]) - values["b"] * data["log_x"])
  return (values["c"] + data["sign"] * powers - data["y"]) / data["range"]


def _anchored_residuals(values, data):
  error = data["root_weight"] * (values["c"] - data["anchor"]) / data["range"]
  return jnp.append(_residuals(values, data), error)


def check_sign(method: str, sign: int) -> None:
  """Raises ValueError unless `sign` is -1 or 1."""
  core.check_choice(method, "sign", sign, (-1, 1))


def fit_power_curve(
  x: npt.ArrayLike,
  y: npt.ArrayLike,
  *,
  sign: int = -1,
  anchor: float | None = None,
  anchor_weight: float = 1.0,
  bounds: Mapping[str, tuple[float, float]] | None = None,
  huber_delta: float = math.inf,
  confidence: float = 0.95,
) -> _fit.FitResult[PowerCurve]:
  r"""The power law of a learning curve.

  .. math::
    y(x) = c \mp a x^{-b}

  of an accuracy (`sign=-1`) or a loss (`sign=1`) against the size of the
  training data, or against the steps of a phase of constant rate: where the
  rate falls the loss falls with it, and this curve does not hold.

  Few points leave the asymptote in doubt. An anchor draws it towards a bound of
  what can be reached, such as an accuracy of 1, as one more point at infinite x
  would; intervals take it for a measured one.

  Args:
    x: Sizes or steps, > 0, `(N,)`, three different ones at least.
    y: Accuracies or losses there, finite, `(N,)`.
    sign: -1 where y rises to its asymptote, 1 where it falls to it.
    anchor: Value of y at infinity, or None for no anchor.
    anchor_weight: Points that the anchor counts for, > 0.
    bounds: Parameter -> (low, high); by default b is in [1e-3, 5].
    huber_delta: Residual, in the unit of y, from which on it counts for less,
      > 0; infinite for least squares.
    confidence: Of the intervals, in (0, 1).

  Returns:
    The curve; `predict(x)` extrapolates it.

  Raises:
    ValueError: If an argument is out of its range, y is constant, or y moves
      the other way than `sign` says.

  Example:
    >>> import optax_stepsize
    >>> steps = [1000, 2000, 4000, 8000]
    >>> losses = [3.0, 2.75, 2.625, 2.5625]
    >>> fit = optax_stepsize.fit_power_curve(steps, losses, sign=1)
    >>> round(fit.law.b, 6), round(fit.law.c, 6)
    (1.0, 2.5)
    >>> round(float(fit.predict(16000)), 6)
    2.53125

  References:
    Vilares Ferro, Darriba Bilbao and Ribadas Pena, Modeling of learning curves
    with applications to POS tagging, 2017, arXiv 2402.02515; BibTeX by
    `optax_stepsize.cite("fit_power_curve")`.
  """
  method = "fit_power_curve"
  check_sign(method, sign)
  core.check_range(method, "anchor", anchor, "(-inf, inf) or None")
  core.check_range(method, "anchor_weight", anchor_weight, "(0, inf)")
  core.check_range(method, "huber_delta", huber_delta, "(0, inf]")
  sizes = _points.column(method, "x", x)
  values = _points.column(method, "y", y, "(-inf, inf)")
  _points.check_lengths(method, x=sizes, y=values)
  _points.check_different(method, "x", sizes, 3)
  _points.check_different(method, "y", values, 2)
  limits = {"b": EXPONENTS} | dict(bounds or {})
  core.check_range(method, "bounds of b", limits["b"], "(0, inf)")
  # Neighbours in x are neighbours of one run.
  order = np.argsort(sizes, kind="stable")
  sizes, values = sizes[order], values[order]
  start = least_squares(sizes, values, sign, limits["b"], anchor, anchor_weight)
  if start is None:
    way = "rise" if sign < 0 else "fall"
    raise ValueError(
      f"{method}: y must {way} with x where sign is {sign}, but no such curve"
      f" is better than a constant. Fix: sign={-sign}, or more points."
    )
  data = {
    "log_x": np.log(sizes),
    "y": values,
    "sign": np.float64(sign),
    "range": np.ptp(values),
    "anchor": np.float64(0 if anchor is None else anchor),
    "root_weight": np.float64(math.sqrt(anchor_weight)),
  }
  free = anchor is None
  return _fit.robust_fit(
    functools.partial(PowerCurve, sign=sign),
    _residuals if free else _anchored_residuals,
    [{name: getattr(start.curve, name) for name in "abc"}],
    data,
    method=method,
    huber_delta=huber_delta / float(np.ptp(values)),
    positive=("a", "b"),
    bounds=limits,
    groups=(len(sizes),) if free else (len(sizes), 1),
    confidence=confidence,
  )
