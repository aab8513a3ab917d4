# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The learning-rate-annealing law of loss curves.

Computed from the rates of all steps and the losses of one or two short runs.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import itertools
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from optax_stepsize import core
from optax_stepsize.laws import _curve
from optax_stepsize.laws import _fit
from optax_stepsize.laws import _law

# Of the paper (steps i = 0, 1, ...):
#   eta_i   rate of step i            lam  `lam`, memory of the annealing
#   S_1(s) = sum of eta_i over i <= s: the forward area
#   m_i = lam m_{i-1} + eta_{i-1} - eta_i, m_0 = 0
#   S_2(s) = sum of m_i over i <= s: the annealing area
#   L(s) = L_0 + A S_1(s)^-alpha - C S_2(s)
#   L(s, N) = L_0 + A S_1(s)^-alpha + B N^-beta - C N^gamma S_2(s)

WARMUPS = ("actual", "peak")
# The largest ratio of a rate to the one fitted for which the law is trusted.
_REACH = 2.0
_LEAST_LOSS = 1e-10

# The grid of the authors.
_GRID = {
  "L0": (0.1, 2.1),
  "A": (1.0, 11.5, 22.0),
  "C": (1.0, 11.5, 22.0),
  "alpha": (0.0, 0.4, 0.8),
}
# What the terms of the size are started at, besides the fit without them.
_SIZE_GRID = {"B": (1.0, 5.0), "beta": (0.1, 0.3, 0.6), "gamma": (0.1,)}


class AnnealingAreas(NamedTuple):
  """The two areas that the law is a function of, float64 `(T,)` each.

  Attributes:
    forward: Sum of the rates up to a step and with it.
    annealing: Sum of the momentum of the decay up to a step: grows while rates
      fall and for a while after it, and falls while they rise.
  """

  forward: np.ndarray
  annealing: np.ndarray


def momentum(rates: np.ndarray, lam: float) -> np.ndarray:
  """The momentum of the decay at every step."""
  from scipy import signal

  falls = -np.diff(rates, prepend=rates[:1])
  return signal.lfilter([1.0], [1.0, -lam], falls)


def _check(method: str, lam: float, warmup: str) -> None:
  core.check_range(method, "lam", lam, "(0, 1)")
  core.check_choice(method, "warmup", warmup, WARMUPS)


def annealing_areas(
  rates: _curve.ScheduleOrRates,
  *,
  total_steps: int | None = None,
  lam: float = 0.999,
  warmup_steps: int = 0,
  warmup: str = "actual",
) -> AnnealingAreas:
  r"""The forward and the annealing area of a schedule, at every step.

  .. math::
    S_1(s) = \sum_{i \le s} \eta_i, \qquad
    S_2(s) = \sum_{i \le s} m_i, \quad
    m_i = \lambda m_{i-1} + \eta_{i-1} - \eta_i, \quad m_0 = 0

  A drop by d adds up to :math:`d / (1 - \lambda)` in the annealing area, over
  a few times :math:`1 / (1 - \lambda)` steps. Takes time and memory in
  proportion to the steps.

  Args:
    rates: Rates of the steps, `(T,)` and >= 0, or a schedule.
    total_steps: Steps that count, the first ones; by default all. Needed with
      a schedule.
    lam: Memory of the annealing, in (0, 1); 0.99 to 0.9995 are sensible.
    warmup_steps: Steps of the warm-up, >= 0.
    warmup: "actual" takes the rates of the warm-up as they are, "peak" as the
      largest of all rates, which then adds nothing to the annealing area.

  Returns:
    The areas after each step.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> rates = [1e-3, 1e-3, 1e-3, 5e-4, 5e-4, 2.5e-4]
    >>> forward, annealing = optax_stepsize.annealing_areas(rates, lam=0.9)
    >>> annealing.round(6).tolist()
    [0.0, 0.0, 0.0, 0.0005, 0.00095, 0.001605]

  References:
    Tissue, Wang and Wang, Scaling Law with Learning Rate Annealing, arXiv
    2408.11029.
  """
  method = "annealing_areas"
  _check(method, lam, warmup)
  core.check_count(method, "warmup_steps", warmup_steps, 0)
  if total_steps is None:
    if callable(rates):
      raise ValueError(
        f"{method}: total_steps must be given with a schedule, got None."
      )
    total_steps = max(np.size(rates), 1)
  rates = _curve.as_rates(method, rates, total_steps)
  if warmup == "peak":
    in_warmup = np.arange(total_steps) < warmup_steps
    rates = np.where(in_warmup, np.max(rates), rates)
  return AnnealingAreas(np.cumsum(rates), np.cumsum(momentum(rates, lam)))


def areas_at(
  method: str,
  rates: np.ndarray,
  steps: np.ndarray,
  lam: float,
  warmup_steps: int,
  warmup: str,
) -> AnnealingAreas:
  """The areas after some of the steps, where the law has a value."""
  forward, annealing = (
    area[steps]
    for area in annealing_areas(
      rates, lam=lam, warmup_steps=warmup_steps, warmup=warmup
    )
  )
  if not np.all(forward > 0):
    raise ValueError(
      f"{method}: steps must come after one with a rate > 0, but all rates up"
      f" to step {steps[np.argmin(forward)]} are zero."
    )
  return AnnealingAreas(forward, annealing)


def log_residuals(predicted: Any, losses: Any) -> Any:
  """What laws of the loss are fitted by; finite for any prediction."""
  return jnp.log(jnp.maximum(predicted, _LEAST_LOSS)) - jnp.log(losses)


def grid(values: Mapping[str, Sequence[float]]) -> list[dict[str, float]]:
  """All combinations of the values of each parameter."""
  return [
    dict(zip(values, point, strict=True))
    for point in itertools.product(*values.values())
  ]


@dataclasses.dataclass(frozen=True)
class AnnealingLaw(_law.Law):
  r"""The loss as a function of the areas under and above a schedule.

  .. math:: L(s) = L_0 + A\, S_1(s)^{-\alpha} - C\, S_2(s)

  The areas are those of `annealing_areas`. A law holds for one peak rate, one
  batch size and one data set. It is for comparing schedules of a few
  parameters, such as in `best_cooldown_fraction`: steps of rate zero go on to
  lower the loss that it predicts, so that the best schedule of all, by this
  law, is an absurd one. To design a schedule step by step take the multi-power
  law.

  Attributes:
    L0: Loss after infinitely many steps of a constant rate, > 0.
    A: Size of the power law, > 0.
    C: Gain per annealing area, > 0.
    alpha: Exponent of the power law, > 0.
    lam: Memory of the annealing, in (0, 1).
    warmup: How rates of the warm-up count, "actual" or "peak".
    peak: Largest rate of the runs that it was fitted to; None: not known, and
      predictions are not checked against it.
  """

  L0: float
  A: float
  C: float
  alpha: float
  lam: float = 0.999
  warmup: str = "actual"
  peak: float | None = None

  def __post_init__(self):
    _check(type(self).__name__, self.lam, self.warmup)

  def predict(
    self,
    schedule: _curve.ScheduleOrRates,
    steps: Any,
    *,
    warmup_steps: int = 0,
    force: bool = False,
  ) -> np.ndarray:
    """The losses after some steps of a run.

    Args:
      schedule: Function of the step, or the rates of all steps.
      steps: Integers, counted from zero, in or after the warm-up.
      warmup_steps: Steps of the warm-up; matter where `warmup` is "peak".
      force: Whether to predict for a peak rate that is more than twice or less
        than half of the one fitted.

    Returns:
      Float64 array of the shape of `steps`, which has at least one axis.

    Raises:
      ValueError: If an argument is out of its range, or the peak is, or a step
        has only rates of zero up to it.
    """
    method = f"{type(self).__name__}.predict"
    steps = _curve.as_steps(method, steps)
    rates = _curve.as_rates(method, schedule, int(np.max(steps)) + 1)
    if not force:
      check_reach(method, "schedule", float(np.max(rates)), self.peak)
    areas = areas_at(method, rates, steps, self.lam, warmup_steps, self.warmup)
    return _losses(dataclasses.asdict(self), *areas)


def check_reach(method: str, name: str, rate: float, peak: float | None):
  """Raises ValueError for a peak rate far from the fitted one."""
  if peak is not None and not peak / _REACH <= rate <= peak * _REACH:
    raise ValueError(
      f"{method}: {name} must have a peak within a factor of {_REACH:g} of"
      f" {peak:g}, the one fitted, got {rate:g}. Fix: fit runs of that peak, or"
      " force=True."
    )


def _losses(values, forward, annealing):
  return (
    values["L0"]
    + values["A"] * forward ** -values["alpha"]
    - values["C"] * annealing
  )


def _residuals(values, data):
  predicted = _losses(values, data["forward"], data["annealing"])
  return log_residuals(predicted, data["losses"])


def common_peak(method: str, curves: Sequence[_curve.Curve]) -> float:
  """The largest rate of all runs, if those of each are much the same."""
  peaks = [float(np.max(curve.rates)) for curve in curves]
  if max(peaks) > _REACH * min(peaks):
    raise ValueError(
      f"{method}: curves must have much the same peak rate, got"
      f" {min(peaks):g} to {max(peaks):g}. Fix: fit a law for each."
    )
  return max(peaks)


def fit_data(
  method: str, curves: Sequence[_curve.Curve], lam: float, warmup: str
) -> dict[str, np.ndarray]:
  """Areas and losses of all points, one curve after the other."""
  areas = [
    areas_at(method, c.rates, c.steps, lam, c.warmup_steps, warmup)
    for c in curves
  ]
  forward, annealing = map(np.concatenate, zip(*areas, strict=True))
  losses = np.concatenate([curve.losses for curve in curves])
  return {"forward": forward, "annealing": annealing, "losses": losses}


def lengths(curves: Sequence[_curve.Curve]) -> list[int]:
  """How many points each curve has."""
  return [len(curve.losses) for curve in curves]


def fit_annealing_law(
  curves: Sequence[_curve.Curve],
  *,
  lam: float = 0.999,
  warmup: str = "actual",
  huber_delta: float = 1e-3,
  inits: Sequence[Mapping[str, float]] | None = None,
  confidence: float = 0.95,
) -> _fit.FitResult[AnnealingLaw]:
  """Fits the annealing law to the loss curves of one model.

  Two runs of different shapes tell all of it, such as a constant rate and a
  cosine. `robust_fit` fits the logarithm of the loss.

  Args:
    curves: Runs of one model, data set, batch size and peak rate.
    lam: Memory of the annealing, in (0, 1). It is not fitted; to choose it,
      compare the objectives of some.
    warmup: "actual" or "peak", as in `annealing_areas`. Where the warm-up is
      long, "actual" fits better.
    huber_delta: Relative error beyond which a loss counts less, > 0.
    inits: Starts, dictionaries with L0, A, C and alpha; by default a grid of
      54.
    confidence: Of the intervals, in (0, 1).

  Returns:
    The law and how well the curves tell it.

  Raises:
    ValueError: If an argument is out of its range, or peak rates differ by more
      than a factor of two.

  Example:
    >>> import numpy as np
    >>> import optax
    >>> import optax_stepsize
    >>> true = optax_stepsize.AnnealingLaw(L0=2.0, A=0.5, C=0.4, alpha=0.5)
    >>> steps = np.arange(100, 5000, 100)
    >>> schedules = (
    ...     optax.constant_schedule(1e-3),
    ...     optax.cosine_decay_schedule(1e-3, 5000),
    ... )
    >>> curves = [
    ...     optax_stepsize.Curve(steps, true.predict(schedule, steps), schedule)
    ...     for schedule in schedules
    ... ]
    >>> fit = optax_stepsize.fit_annealing_law(curves)
    >>> [round(x, 4) for x in (fit.law.L0, fit.law.A, fit.law.C, fit.law.alpha)]
    [2.0, 0.5, 0.4, 0.5]

  References:
    Tissue, Wang and Wang, Scaling Law with Learning Rate Annealing, arXiv
    2408.11029; BibTeX by `optax_stepsize.cite("fit_annealing_law")`.
  """
  method = "fit_annealing_law"
  _check(method, lam, warmup)
  curves = _curve.check_curves(method, curves)
  peak = common_peak(method, curves)

  def law(**values):
    return AnnealingLaw(**values, lam=lam, warmup=warmup, peak=peak)

  fit = _fit.robust_fit(
    law,
    _residuals,
    grid(_GRID) if inits is None else inits,
    fit_data(method, curves, lam, warmup),
    method=method,
    huber_delta=huber_delta,
    groups=lengths(curves),
    confidence=confidence,
  )
  return _fit.with_metrics(fit, curves)


@dataclasses.dataclass(frozen=True)
class AnnealingLawN(_law.Law):
  r"""The annealing law of models of several sizes.

  .. math::
    L(s, N) = L_0 + A\, S_1(s)^{-\alpha} + B N^{-\beta} - C N^\gamma S_2(s)

  with N in millions of parameters, those of embeddings left out.

  Attributes:
    L0: Loss of an infinitely large model after infinitely many steps, > 0.
    A: Size of the power law of the steps, > 0.
    B: Size of the power law of the model, > 0.
    C: Gain per annealing area of a model of a million parameters, > 0.
    alpha: Exponent of the steps, > 0.
    beta: Exponent of the model size, > 0.
    gamma: By which power of the size annealing gains.
    lam: As in `AnnealingLaw`.
    warmup: As in `AnnealingLaw`.
    peak: As in `AnnealingLaw`.
  """

  L0: float
  A: float
  B: float
  C: float
  alpha: float
  beta: float
  gamma: float
  lam: float = 0.999
  warmup: str = "actual"
  peak: float | None = None

  def __post_init__(self):
    _check(type(self).__name__, self.lam, self.warmup)

  def at_size(self, size: float) -> AnnealingLaw:
    """The law of models of `size` million parameters."""
    check_sizes("AnnealingLawN", "size", size)
    return AnnealingLaw(
      L0=self.L0 + self.B * float(size) ** -self.beta,
      A=self.A,
      C=self.C * float(size) ** self.gamma,
      alpha=self.alpha,
      lam=self.lam,
      warmup=self.warmup,
      peak=self.peak,
    )

  def predict(
    self,
    schedule: _curve.ScheduleOrRates,
    steps: Any,
    *,
    size: float,
    warmup_steps: int = 0,
    force: bool = False,
  ) -> np.ndarray:
    """The losses of a model of `size` million parameters."""
    return self.at_size(size).predict(
      schedule, steps, warmup_steps=warmup_steps, force=force
    )


def check_sizes(method: str, name: str, sizes: Any) -> None:
  """Raises ValueError for sizes that cannot be meant in millions."""
  try:
    core.check_range(method, name, sizes, "(0, 1e7)")
  except ValueError as error:
    raise ValueError(f"{error} It is in millions of parameters.") from None


def _residuals_n(values, data):
  size = data["size"]
  predicted = (
    values["L0"]
    + values["A"] * data["forward"] ** -values["alpha"]
    + values["B"] * size ** -values["beta"]
    - values["C"] * size ** values["gamma"] * data["annealing"]
  )
  return log_residuals(predicted, data["losses"])


def fit_annealing_law_n(
  curves: Sequence[_curve.Curve],
  sizes: Sequence[float],
  *,
  lam: float = 0.999,
  warmup: str = "actual",
  huber_delta: float = 1e-3,
  inits: Sequence[Mapping[str, float]] | None = None,
  confidence: float = 0.95,
) -> _fit.FitResult[AnnealingLawN]:
  """Fits the annealing law to the loss curves of models of several sizes.

  Three sizes and, of one of them, two shapes of schedules tell all of it.

  Args:
    curves: Runs on one data set, with one batch size and peak rate.
    sizes: One for each curve: parameters of the model without embeddings, in
      millions.
    lam: As in `fit_annealing_law`.
    warmup: As in `fit_annealing_law`.
    huber_delta: As in `fit_annealing_law`.
    inits: Starts, dictionaries with all fields up to gamma; by default a few
      around the law without sizes.
    confidence: Of the intervals, in (0, 1).

  Returns:
    The law and how well the curves tell it.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import numpy as np
    >>> import optax
    >>> import optax_stepsize
    >>> true = optax_stepsize.AnnealingLawN(
    ...     L0=1.5, A=0.5, B=3.0, C=0.1, alpha=0.5, beta=0.2, gamma=0.2
    ... )
    >>> steps = np.arange(100, 5000, 100)
    >>> schedule = optax.cosine_decay_schedule(1e-3, 5000)
    >>> sizes = (25, 100, 400)
    >>> curves = [
    ...     optax_stepsize.Curve(
    ...         steps, true.predict(schedule, steps, size=size), schedule
    ...     )
    ...     for size in sizes
    ... ]
    >>> fit = optax_stepsize.fit_annealing_law_n(curves, sizes)
    >>> [round(x, 3) for x in (fit.law.L0, fit.law.beta, fit.law.gamma)]
    [1.5, 0.2, 0.2]

  References:
    Tissue, Wang and Wang, arXiv 2408.11029; Wang et al., arXiv 2505.07796, for
    this form.
  """
  method = "fit_annealing_law_n"
  _check(method, lam, warmup)
  curves = _curve.check_curves(method, curves)
  check_sizes(method, "sizes", sizes)
  if np.shape(sizes) != (len(curves),):
    raise ValueError(
      f"{method}: sizes must have one entry for each of the {len(curves)}"
      f" curves, got {sizes!r}."
    )
  peak = common_peak(method, curves)
  data = fit_data(method, curves, lam, warmup)
  data["size"] = np.repeat(np.asarray(sizes, np.float64), lengths(curves))
  if inits is None:
    inits = [
      {"A": 0.5, "alpha": 0.5, "C": c, "L0": low} | point
      for c, low in ((0.1, 0.5), (1.0, 2.0))
      for point in grid(_SIZE_GRID)
    ]

  def law(**values):
    return AnnealingLawN(**values, lam=lam, warmup=warmup, peak=peak)

  fit = _fit.robust_fit(
    law,
    _residuals_n,
    inits,
    data,
    method=method,
    huber_delta=huber_delta,
    positive=("L0", "A", "B", "C", "alpha", "beta"),
    groups=lengths(curves),
    confidence=confidence,
  )
  errors = [
    _fit.with_metrics(
      dataclasses.replace(fit, law=fit.law.at_size(size)),
      [curve],
    ).metrics[0]
    for curve, size in zip(curves, sizes, strict=True)
  ]
  return dataclasses.replace(fit, metrics=tuple(errors))
