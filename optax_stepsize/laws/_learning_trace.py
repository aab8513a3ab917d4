# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""When a learning curve has said where it leads, point by point on the host."""

import dataclasses
import json
import math
from typing import Any, NamedTuple

import numpy as np

from optax_stepsize import core
from optax_stepsize.laws import _power_curve

# Of the paper:
#   level i      the first i points          A_i      their curve, or trend
#   alpha_i      asymptote of A_i            eps_i    layer of convergence
#   tau          convergence threshold

# Asymptotes that differ by this share of the range of y differ by rounding.
_ROUNDING = 1e-6
# Standard errors by which points of a regular curve may be off.
_ERRORS = 2.0


class TraceState(NamedTuple):
  """What a trace says after its last point.

  Attributes:
    level: Points of the last trend; zero before there is one.
    asymptotes: Of all trends so far.
    working_level: First level at which the points behave regularly, or None.
    prediction_level: Level since which asymptotes are possible and close in
      from one side, or None; predictions are to be had from there on.
    converged: Whether trends have stopped to change, so that the prediction
      may be trusted.
    predicted: y at `x_final`, or None.
    gain: By how much that is better than y at the last point, or None.
  """

  level: int
  asymptotes: tuple[float, ...]
  working_level: int | None
  prediction_level: int | None
  converged: bool
  predicted: float | None
  gain: float | None


class StopDecision(NamedTuple):
  """Whether to go on measuring a learning curve.

  Attributes:
    stop: Whether its trends have converged.
    predicted: y at `x_final`, or None before the prediction level.
    layer: Largest difference of the last two trends, at `x_final` and at
      infinity; None before there are two from the prediction level on.
  """

  stop: bool
  predicted: float | None
  layer: float | None


@dataclasses.dataclass(frozen=True)
class _Options:
  """Arguments of `LearningTrace`."""

  sign: int
  x_final: float
  tau: float
  slowdown: float
  lookahead: int
  patience: int
  anchor: float | None
  limit: float | None


class LearningTrace:
  """Power curves through the first 3, 4, ... points of a learning curve.

  With each point the curve is fitted anew. From the working level on points
  rise, or fall, and bend as a power does, and asymptotes change less and less.
  From the prediction level on they are possible and close in from one side, and
  the trends converge; when two of them differ by `tau` at most, no more points
  are needed. A point that breaks the last rule takes the prediction level back.
  Points of which no power curve is better than a constant make no trend.

  To decide when a phase of constant rate has done its work, append the steps
  and losses of evaluations: once `converged`, a `gain` below what the rest of
  the phase is worth says to start the cooldown.

  What the paper calls regular is in words only; the inequalities here are those
  of this library. Rises and bends may be off by two standard errors, by the
  residuals of the trend.

  Args:
    sign: -1 where y rises, such as an accuracy, 1 where it falls, such as a
      loss.
    x_final: Where y is asked for, > 0; infinite for the asymptote.
    tau: Difference of trends that does not matter, in the unit of y, > 0.
    slowdown: Largest ratio of a change of the asymptote to the one before, at
      the working level, > 0.
    lookahead: Levels, the last one included, that the working level needs to be
      regular, as far as there are so many, >= 1.
    patience: Pairs of trends that must differ by `tau` at most, >= 1.
    anchor: Value at infinity that counts as one more point until the prediction
      level, and the last asymptote from there on; such as 1 for an accuracy,
      where few points leave the asymptote in doubt. None for no anchor.
    limit: Best value that y can have: 1 where it rises and 0 where it falls, by
      default.

  Example:
    >>> import optax_stepsize
    >>> trace = optax_stepsize.LearningTrace(sign=1, x_final=64000, tau=1e-2)
    >>> for step in (1000, 2000, 4000, 8000):
    ...   state = trace.append(step, 2.5 + 500 / step)
    >>> state.converged, round(state.predicted, 3), round(state.gain, 3)
    (True, 2.508, 0.055)
    >>> same = optax_stepsize.LearningTrace.from_json(trace.to_json())
    >>> same.state == state
    True
  """

  def __init__(
    self,
    *,
    sign: int = -1,
    x_final: float = math.inf,
    tau: float = 1e-3,
    slowdown: float = 1.0,
    lookahead: int = 5,
    patience: int = 1,
    anchor: float | None = None,
    limit: float | None = None,
  ):
    method = "LearningTrace"
    _power_curve.check_sign(method, sign)
    core.check_range(method, "x_final", x_final, "(0, inf]")
    core.check_range(method, "tau", tau, "(0, inf)")
    core.check_range(method, "slowdown", slowdown, "(0, inf)")
    core.check_count(method, "lookahead", lookahead, 1)
    core.check_count(method, "patience", patience, 1)
    core.check_range(method, "anchor", anchor, "(-inf, inf) or None")
    core.check_range(method, "limit", limit, "[-inf, inf] or None")
    self._options = _Options(
      sign=int(sign),
      x_final=float(x_final),
      tau=float(tau),
      slowdown=float(slowdown),
      lookahead=int(lookahead),
      patience=int(patience),
      anchor=None if anchor is None else float(anchor),
      limit=None if limit is None else float(limit),
    )
    if limit is None:
      limit = 1.0 if sign < 0 else 0.0
    self._sign, self._limit = int(sign), float(limit)
    self._x: list[float] = []
    self._y: list[float] = []
    self._levels: list[int] = []
    self._trends: list[_power_curve.PowerCurve] = []
    self._working_level: int | None = None
    self._prediction_level: int | None = None

  @property
  def state(self) -> TraceState:
    """What the trace says after its last point."""
    decision = should_stop(self)
    gain = None
    if decision.predicted is not None:
      now = float(self._trends[-1].predict(self._x[-1]))
      gain = self._sign * (now - decision.predicted)
    return TraceState(
      level=self._levels[-1] if self._levels else 0,
      asymptotes=tuple(trend.c for trend in self._trends),
      working_level=self._working_level,
      prediction_level=self._prediction_level,
      converged=decision.stop,
      predicted=decision.predicted,
      gain=gain,
    )

  @property
  def trend(self) -> _power_curve.PowerCurve | None:
    """The curve through all points so far, or None before there is one."""
    return self._trends[-1] if self._trends else None

  def append(self, x: float, y: float) -> TraceState:
    """Adds a point.

    Args:
      x: Size or step, > 0 and more than that of the last point.
      y: Accuracy or loss there, finite.

    Returns:
      The state of the trace with it.

    Raises:
      ValueError: If `x` or `y` is out of its range; the trace is unchanged.
    """
    self._add(x, y)
    return self.state

  def _add(self, x: float, y: float) -> None:
    method = "LearningTrace.append"
    core.check_range(method, "x", x, "(0, inf)")
    core.check_range(method, "y", y, "(-inf, inf)")
    if self._x and x <= self._x[-1]:
      raise ValueError(
        f"{method}: x must increase, got {x} after {self._x[-1]}. Fix: append"
        " points in order, and one at each x."
      )
    self._x.append(float(x))
    self._y.append(float(y))
    if len(self._x) < 3:
      return
    anchor = self._options.anchor
    if anchor is not None and self._prediction_level is not None:
      anchor = self._trends[-1].c
    found = _power_curve.least_squares(
      np.array(self._x), np.array(self._y), self._sign, anchor=anchor
    )
    if found is None:
      return
    self._levels.append(len(self._x))
    self._trends.append(found.curve)
    if self._working_level is None and self._is_regular(found):
      self._working_level = self._levels[-1]
    if self._working_level is not None:
      self._update_prediction_level()

  def _rounding(self) -> float:
    return _ROUNDING * float(np.ptp(self._y))

  def _is_regular(self, found: _power_curve.Trend) -> bool:
    """Whether the last points bend as powers do and asymptotes slow down."""
    if found.at_bound:
      return False
    lookahead, slowdown = self._options.lookahead, self._options.slowdown
    # A fitted power curve always rises, or falls, and bends; the points may
    # not.
    points = max(lookahead, 3)
    dx = np.diff(np.array(self._x[-points:]))
    slopes = -self._sign * np.diff(np.array(self._y[-points:])) / dx
    slack = _ERRORS * found.rms
    # Slopes are y times (-1, 1) / dx; their differences have three such terms.
    bends = np.sqrt(
      dx[:-1] ** -2.0 + dx[1:] ** -2.0 + (1 / dx[:-1] + 1 / dx[1:]) ** 2
    )
    if np.any(slopes < -slack * math.sqrt(2) / dx) or np.any(
      np.diff(slopes) > slack * bends + self._rounding() / dx[1:]
    ):
      return False
    asymptotes = [trend.c for trend in self._trends[-lookahead - 2 :]]
    changes = np.abs(np.diff(np.array(asymptotes)))
    return bool(
      np.all(changes[1:] <= slowdown * changes[:-1] + self._rounding())
    )

  def _update_prediction_level(self) -> None:
    """Sets it where all is well, and takes it back where it is not."""
    last = self._trends[-1].c
    # How much better than possible, and than the one before.
    if self._sign * (self._limit - last) > self._rounding():
      self._prediction_level = None
      return
    if self._prediction_level is not None:
      before = self._trends[-2].c
      if self._sign * (before - last) > self._rounding():
        self._prediction_level = None
    if self._prediction_level is None:
      self._prediction_level = self._levels[-1]

  def to_json(self) -> str:
    """The options and points as a JSON object, with all digits."""
    # JSON knows no infinity.
    options = {
      name: str(value)
      if isinstance(value, float) and not math.isfinite(value)
      else value
      for name, value in dataclasses.asdict(self._options).items()
    }
    return json.dumps({"options": options, "x": self._x, "y": self._y})

  @classmethod
  def from_json(cls, text: str) -> "LearningTrace":
    """The trace that `to_json` wrote; its trends are fitted again.

    Args:
      text: What `to_json` returned.

    Returns:
      A trace with the same options, points and state.

    Raises:
      ValueError: If `text` is no trace.
    """
    try:
      fields: dict[str, Any] = json.loads(text)
      options: dict[str, Any] = {
        name: float(value) if isinstance(value, str) else value
        for name, value in fields["options"].items()
      }
      points = list(zip(fields["x"], fields["y"], strict=True))
      trace = cls(**options)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
      raise ValueError(
        "LearningTrace.from_json: text must be what to_json() returned, got"
        f" {text!r}: {error}."
      ) from None
    for x, y in points:
      trace._add(x, y)
    return trace


def should_stop(
  trace: LearningTrace,
  *,
  x_final: float | None = None,
  tau: float | None = None,
) -> StopDecision:
  r"""Whether a learning curve has said where it leads.

  The last two trends differ by

  .. math::
    \epsilon_i = \max(|A_i(x_f) - A_{i-1}(x_f)|, |\alpha_i - \alpha_{i-1}|)

  at the final size and at infinity, between which they differ by no more. The
  answer is yes when that was :math:`\tau` at most for the last `patience`
  pairs of trends, all from the prediction level on: more points would not
  change what is predicted. Whether the predicted gain is worth training for is
  another question, which `LearningTrace.state.gain` answers.

  Args:
    trace: Points so far.
    x_final: Where y is asked for, > 0, infinite for the asymptote; by default
      that of the trace.
    tau: Difference of trends that does not matter, in the unit of y, > 0; by
      default that of the trace.

  Returns:
    The answer, the predicted value and the difference.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> trace = optax_stepsize.LearningTrace()
    >>> for x in (1, 2, 3, 4):
    ...   _ = trace.append(x, 0.97 - 0.8 * x**-0.5)
    >>> stop, predicted, layer = optax_stepsize.should_stop(trace, x_final=100)
    >>> stop, round(predicted, 4), layer < 1e-6
    (True, 0.89, True)

  References:
    Vilares Ferro, Darriba Bilbao and Ribadas Pena, Modeling of learning curves
    with applications to POS tagging, 2017, arXiv 2402.02515; BibTeX by
    `optax_stepsize.cite("should_stop")`.
  """
  method = "should_stop"
  if not isinstance(trace, LearningTrace):
    raise ValueError(f"{method}: trace must be a LearningTrace, got {trace!r}.")
  core.check_range(method, "x_final", x_final, "(0, inf] or None")
  core.check_range(method, "tau", tau, "(0, inf) or None")
  options = trace._options
  x_final = options.x_final if x_final is None else x_final
  tau = options.tau if tau is None else tau
  first = trace._prediction_level
  if first is None:
    return StopDecision(False, None, None)
  trends = [
    trend
    for level, trend in zip(trace._levels, trace._trends, strict=True)
    if level >= first
  ]
  ends = np.array(
    [(float(t.predict(x_final)), t.c) for t in trends[-options.patience - 1 :]]
  )
  layers = np.max(np.abs(np.diff(ends, axis=0)), axis=1)
  return StopDecision(
    stop=len(layers) == options.patience and bool(np.all(layers <= tau)),
    predicted=float(ends[-1, 0]),
    layer=float(layers[-1]) if len(layers) else None,
  )
