# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The one way in which laws are fitted, and what a fit says of itself.

SciPy's trust-region least squares with a Huber loss and Jacobians from JAX, in
float64 on the host, in the logarithms of the parameters that are positive.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import functools
import math
from typing import Any, Generic, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from optax_stepsize import core
from optax_stepsize.laws import _curve
from optax_stepsize.laws import _evidence
from optax_stepsize.laws import _law

LawT = TypeVar("LawT", bound=_law.Law)
# Parameter -> its value.
Values = Mapping[str, Any]
ResidualFn = Callable[[Values, Any], jax.Array]

# Where a start of zero is put on a logarithmic axis.
_SMALL = 1e-3


class Metrics(NamedTuple):
  """How far predicted losses are from measured ones.

  Attributes:
    r2: 1 - (sum of squared errors) / (sum of squares about the mean).
    mae: Mean absolute error.
    rmse: Root of the mean squared error.
    mean_relative_error: Mean of |error| / loss.
    worst_relative_error: Maximum of |error| / loss.
  """

  r2: float
  mae: float
  rmse: float
  mean_relative_error: float
  worst_relative_error: float


def metrics(losses: npt.ArrayLike, predicted: npt.ArrayLike) -> Metrics:
  """Compares predicted with measured losses, arrays of the same shape.

  Example:
    >>> from optax_stepsize import laws
    >>> laws.metrics([1.0, 2.0, 4.0], [1.0, 2.0, 3.0]).worst_relative_error
    0.25
  """
  y = np.asarray(losses, np.float64)
  error = np.asarray(predicted, np.float64) - y
  total = np.sum((y - np.mean(y)) ** 2)
  squares = np.sum(error**2)
  relative = np.abs(error) / np.abs(y)
  return Metrics(
    r2=float(1 - squares / total) if total > 0 else math.nan,
    mae=float(np.mean(np.abs(error))),
    rmse=float(np.sqrt(np.mean(error**2))),
    mean_relative_error=float(np.mean(relative)),
    worst_relative_error=float(np.max(relative)),
  )


@dataclasses.dataclass(frozen=True, eq=False)
class FitResult(Generic[LawT]):
  """A fitted law and how well the data tell it.

  Attributes:
    law: The law.
    objective: Sum of the Huber losses of the residuals at the law.
    intervals: Parameter -> its confidence interval (low, high), or None where
      the data do not tell it; a held parameter has none.
    confidence: Share of the draws of noise in which an interval holds the true
      value, by the theory of many independent residuals. Where neighbouring
      residuals are correlated, intervals are widened accordingly.
    condition_number: Of J'J, where J is the Jacobian of the residuals with
      respect to the (logarithms of the) fitted parameters.
    warnings: What the user should know before using the law.
    metrics: One for each curve, in the order given; empty where the data are
      no curves.
    optima: Objective reached from each start, in the order of the starts;
      infinite where a start led nowhere.
    num_evals: Evaluations of the residuals, all starts together.
    converged: Whether the best start ended in a minimum.
    names: The fitted parameters, in the order of `covariance`.
    positive: Those of them that were fitted as logarithms.
    covariance: Of the (logarithms of the) parameters, float64 `(P, P)`; None
      where some direction of them is not told by the data.
  """

  law: LawT
  objective: float
  intervals: Mapping[str, tuple[float, float] | None]
  confidence: float
  condition_number: float
  warnings: tuple[str, ...]
  metrics: tuple[Metrics, ...]
  optima: tuple[float, ...]
  num_evals: int
  converged: bool
  names: tuple[str, ...]
  positive: frozenset[str]
  covariance: np.ndarray | None
  degrees_of_freedom: int

  def predict(self, *args: Any, **kwargs: Any) -> np.ndarray:
    """What `law.predict` says."""
    return self.law.predict(*args, **kwargs)  # type: ignore[attr-defined]

  def predict_interval(
    self, *args: Any, **kwargs: Any
  ) -> tuple[np.ndarray, np.ndarray]:
    """The confidence interval of `predict`, from that of the parameters.

    Of a positive prediction it is that of the logarithm, which cannot reach
    zero, and of which wide ones are less wrong.

    Args:
      *args: As for `predict`.
      **kwargs: As for `predict`.

    Returns:
      Arrays of the lower and the upper ends; NaN where the data do not tell the
      parameters that the prediction depends on. It is the uncertainty of the
      fit alone: that of a law that is wrong for the schedule comes on top.
    """
    center = self.predict(*args, **kwargs)
    error = self.half_width(
      lambda law: law.predict(*args, **kwargs)  # type: ignore[attr-defined]
    )
    positive = center > 0
    with np.errstate(over="ignore"):  # an infinite end is one
      factor = np.exp(error / np.where(positive, center, 1))
    return (
      np.where(positive, center / factor, center - error),
      np.where(positive, center * factor, center + error),
    )

  def half_width(self, function: Callable[[LawT], npt.ArrayLike]) -> np.ndarray:
    """Half the width of the confidence interval of a function of the law.

    Of the difference of two predictions it is narrower than that of each, since
    errors that they share cancel.

    Args:
      function: From a law to a number or array.

    Returns:
      Float64 array of the shape of what `function` returns.
    """
    error = self.standard_error(function)
    return error * _evidence.quantile(self.confidence, self.degrees_of_freedom)

  def standard_error(
    self, function: Callable[[LawT], npt.ArrayLike]
  ) -> np.ndarray:
    """The standard error of a function of the law, by the delta method.

    Args:
      function: From a law to a number or array.

    Returns:
      Float64 array of the shape of what `function` returns.
    """
    shape = np.shape(function(self.law))
    if self.covariance is None:
      return np.full(shape, np.nan)
    slopes = []
    for name in self.names:
      value = getattr(self.law, name)
      # Near the step at which rounding and curvature cost the same.
      step = 1e-5 * (1.0 if name in self.positive else max(abs(value), 1e-3))
      low, high = (
        np.asarray(
          function(
            dataclasses.replace(
              self.law,
              **{
                name: value * math.exp(h)
                if name in self.positive
                else value + h
              },
            )
          ),
          np.float64,
        )
        for h in (-step, step)
      )
      slopes.append((high - low) / (2 * step))
    slope = np.stack(slopes)
    variance = np.einsum("i...,ij,j...->...", slope, self.covariance, slope)
    return np.sqrt(np.maximum(variance, 0))


def with_metrics(
  fit: FitResult[LawT], curves: Sequence[_curve.Curve]
) -> FitResult[LawT]:
  """The fit of a law of loss curves, with its errors on each curve."""
  predicted = (
    fit.predict(curve.rates, curve.steps, warmup_steps=curve.warmup_steps)
    for curve in curves
  )
  return dataclasses.replace(
    fit,
    metrics=tuple(
      metrics(curve.losses, losses)
      for curve, losses in zip(curves, predicted, strict=True)
    ),
  )


# The residual function, the names and which are logarithms are static, so that
# one fit after another of the same law is one compiled program.
_STATIC = ("residual_fn", "names", "positive")


def _values(z, names, positive, held):
  free = {
    name: jnp.exp(x) if name in positive else x
    for name, x in zip(names, z, strict=True)
  }
  return held | free


@functools.partial(jax.jit, static_argnames=_STATIC)
def _residuals(z, held, data, *, residual_fn, names, positive):
  return residual_fn(_values(z, names, positive, held), data)


@functools.partial(jax.jit, static_argnames=_STATIC)
def _jacobian(z, held, data, *, residual_fn, names, positive):
  # Few parameters, many residuals: forward mode.
  return jax.jacfwd(
    lambda z: residual_fn(_values(z, names, positive, held), data)
  )(z)


def robust_fit(
  law: Callable[..., LawT],
  residual_fn: ResidualFn,
  starts: Sequence[Mapping[str, float]],
  data: Any = None,
  *,
  method: str = "robust_fit",
  huber_delta: float = 1e-3,
  positive: bool | Sequence[str] = True,
  held: Mapping[str, float] | None = None,
  bounds: Mapping[str, tuple[float, float]] | None = None,
  groups: Sequence[int] = (),
  max_evals: int = 400,
  confidence: float = 0.95,
  vague_error: float = 1.0,
) -> FitResult[LawT]:
  r"""Fits a law by robust least squares from several starts.

  Minimises :math:`\sum_i H_\delta(r_i)` with Huber's :math:`H_\delta(r) = r^2 /
  2` for :math:`|r| \le \delta` and :math:`\delta (|r| - \delta / 2)` beyond.
  Laws of the loss take :math:`r = \log \hat L - \log L`.

  Args:
    law: Called with all parameters by name; makes the law.
    residual_fn: Pure JAX function from a dictionary of `()` float64 parameters
      and `data` to the residuals, a vector. A function of a module, rather than
      one made anew for each call, is compiled once.
    starts: Dictionaries of the parameters at which to start. The lowest
      objective wins, ties go to the first. Zero starts of positive parameters
      are put at 1e-3.
    data: Pytree of arrays, the second argument of `residual_fn`. What is closed
      over instead is compiled into the program, which can take minutes.
    method: Name for messages.
    huber_delta: Where Huber's loss turns linear, > 0; infinite for ordinary
      least squares.
    positive: Whether parameters are > 0 and fitted as logarithms: all, none, or
      those named.
    held: Parameters that are not fitted, and their values. Starts need not name
      them.
    bounds: Parameter -> (low, high).
    groups: Lengths of the parts of the residuals within which neighbours may be
      correlated, such as curves; by default none are.
    max_evals: Evaluations per start, >= 1.
    confidence: Of the intervals, in (0, 1).
    vague_error: Standard error of the logarithm of a positive parameter beyond
      which the data do not tell it, > 0; infinite for constants that stand for
      a place far from the data.

  Returns:
    The law and what the data tell of it.

  Raises:
    ValueError: If there are fewer residuals than parameters, or no start has a
      finite objective.

  Example:
    >>> import dataclasses
    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> from optax_stepsize import laws
    >>> @dataclasses.dataclass(frozen=True)
    ... class Decay(laws.Law):
    ...   rate: float
    >>> def residuals(values, data):
    ...   return -values["rate"] * data["time"] - jnp.log(data["left"])
    >>> time = np.arange(1.0, 9.0)
    >>> fit = laws.robust_fit(
    ...   Decay, residuals, [{"rate": 1.0}],
    ...   {"time": time, "left": np.exp(-0.25 * time)},
    ... )
    >>> round(fit.law.rate, 6)
    0.25

  References:
    Huber, Robust Estimation of a Location Parameter, 1964, for loss and
    intervals.
  """
  from scipy import optimize

  core.check_range(method, "huber_delta", huber_delta, "(0, inf]")
  core.check_range(method, "confidence", confidence, "(0, 1)")
  core.check_range(method, "vague_error", vague_error, "(0, inf]")
  core.check_count(method, "max_evals", max_evals, 1)
  held = {name: float(value) for name, value in (held or {}).items()}
  names = tuple(name for name in starts[0] if name not in held)
  if positive is True:
    positive = names
  log = frozenset(positive or ()) & frozenset(names)
  low, high = _limits(names, log, bounds or {})
  static = {"residual_fn": residual_fn, "names": names, "positive": log}
  delta = huber_delta if math.isfinite(huber_delta) else 1.0
  solve = functools.partial(
    optimize.least_squares,
    bounds=(low, high),
    method="trf",
    loss="huber" if math.isfinite(huber_delta) else "linear",
    f_scale=delta,
    ftol=1e-12,
    xtol=1e-12,
    gtol=1e-14,
    max_nfev=max_evals,
  )
  with core.enable_x64():
    data = jax.tree.map(jnp.asarray, data)
    known = {name: jnp.asarray(value) for name, value in held.items()}

    # Copies: some releases of SciPy scale both in place, and what JAX gives
    # out cannot be written to.
    def residuals(z):
      return np.array(_residuals(z, known, data, **static))

    def jacobian(z):
      return np.array(_jacobian(z, known, data, **static))

    best, optima, num_evals = None, [], 0
    for start in starts:
      z = _start(start, names, log, low, high)
      first = residuals(z)
      if first.size < len(names):
        raise ValueError(
          f"{method}: {len(names)} parameters need at least as many points, got"
          f" {first.size}. Fix: add points, or hold parameters."
        )
      if not (np.all(np.isfinite(first)) and np.all(np.isfinite(jacobian(z)))):
        optima.append(math.inf)
        num_evals += 1
        continue
      found = solve(residuals, z, jac=jacobian)
      optima.append(float(found.cost))
      num_evals += found.nfev
      if best is None or found.cost < best.cost:
        best = found
    if best is None:
      raise ValueError(
        f"{method}: none of the {len(starts)} starts gives finite residuals."
        " Fix: check the data for values that the law cannot have."
      )
    fitted = _values(best.x, names, log, {})
    values = held | {name: float(value) for name, value in fitted.items()}
    jac, last = jacobian(best.x), residuals(best.x)
  at_bound = [
    name
    for name, z, a, b in zip(names, best.x, low, high, strict=True)
    if min(z - a, b - z) < 1e-6 * max(1.0, abs(z))
  ]
  told = _evidence.what_data_tell(
    names,
    log,
    best.x,
    jac,
    last,
    huber_delta,
    groups,
    confidence,
    vague_error,
    at_bound,
  )
  warnings = list(told.warnings)
  if best.status == 0:
    warnings.append(
      f"the fit did not converge in {max_evals} evaluations; it may be far from"
      " the minimum"
    )
  return FitResult(
    law=law(**values),
    objective=float(best.cost),
    intervals={name: told.intervals.get(name) for name in values},
    confidence=confidence,
    condition_number=told.condition_number,
    warnings=tuple(warnings),
    metrics=(),
    optima=tuple(optima),
    num_evals=num_evals,
    converged=best.status > 0,
    names=names,
    positive=log,
    covariance=told.covariance,
    degrees_of_freedom=told.degrees_of_freedom,
  )


def _limits(names, log, bounds):
  """Bounds of the coordinates that are optimised."""
  low, high = [], []
  for name in names:
    a, b = bounds.get(name, (0.0 if name in log else -math.inf, math.inf))
    if name in log:
      a, b = (math.log(x) if x > 0 else -math.inf for x in (a, b))
    low.append(a)
    high.append(b)
  return np.array(low), np.array(high)


def _start(start, names, log, low, high):
  z = np.array(
    [
      math.log(start[name] if start[name] > 0 else _SMALL)
      if name in log
      else start[name]
      for name in names
    ],
    np.float64,
  )
  # A start on its bound would stay there.
  width = np.where(np.isfinite(high - low), high - low, 1.0)
  return np.clip(z, low + 1e-3 * width, high - 1e-3 * width)
