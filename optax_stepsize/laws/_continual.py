# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The law of continual pre-training: what a second phase does to a loss.

Computed from the rates of both phases and the losses of some runs.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from optax_stepsize import core
from optax_stepsize.laws import _annealing
from optax_stepsize.laws import _curve
from optax_stepsize.laws import _fit
from optax_stepsize.laws import _law

# Of the paper (pt: pre-training, cpt: the continual phase, t its steps):
#   S_1, S_2   areas of the annealing law, `forward` and `annealing`
#   L(t) = L_0 + A (S_1pt + S_1cpt)^-alpha - C_1 S_2pt - C_2 S_2cpt
#          + B (1 - (1 + E S_1cpt)^-beta)
# The last term is that of the shift between the two distributions.

SIGNS = ("auto", "+", "-")
# B, E and beta make much the same curves in many ways; the search stays where
# they mean something.
_BOUNDS = {"B": (0.0, 5.0), "beta": (0.01, float("inf"))}
_SHIFTS = _annealing.grid(
  {"B": (0.1, 0.5, 1.5), "E": (10.0, 100.0, 5000.0), "beta": (0.1, 0.2, 0.4)}
)
_FEW_SHIFTS = _annealing.grid(
  {"B": (0.5,), "E": (10.0, 100.0, 5000.0), "beta": (0.2,)}
)
# Where pre-training is not known; L0 is in units of the least loss.
_UNKNOWN = [
  {"L0": 0.9, "A": 0.5, "alpha": 0.5, "C2": 0.3, "pt_area": area, **shift}
  for area in (0.3, 3.0, 30.0)
  for shift in _FEW_SHIFTS
]

# From parameters, data and NumPy or jax.numpy to losses.
Model = Callable[[Mapping[str, Any], Mapping[str, Any], Any], Any]


class ContinualAreas(NamedTuple):
  """The areas of both phases, after each step of the second one.

  Attributes:
    pt_forward: `(T,)`: sum of the rates of pre-training, the same at all steps.
    forward: `(T,)`: sum of the rates of the second phase.
    pt_annealing: `(T,)`: annealing area of pre-training; grows on where its
      momentum is carried over.
    annealing: `(T,)`: annealing area of the second phase, the change from the
      last rate of pre-training included: a rise lowers it.
  """

  pt_forward: np.ndarray
  forward: np.ndarray
  pt_annealing: np.ndarray
  annealing: np.ndarray


def continual_areas(
  pt_rates: npt.ArrayLike | None,
  rates: npt.ArrayLike,
  *,
  lam: float = 0.999,
  carry_momentum: bool = False,
) -> ContinualAreas:
  """The areas that `CPTLaw` is a function of.

  Args:
    pt_rates: Rates of all steps of pre-training, `(n,)`; None: not known, and
      taken for none at all.
    rates: Rates of the second phase, `(T,)`.
    lam: Memory of the annealing, in (0, 1).
    carry_momentum: Whether the momentum of pre-training decays on in the second
      phase, so that both areas together are those of one run. By default its
      area stays what it was at the end.

  Returns:
    The areas.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> areas = optax_stepsize.continual_areas([2.0, 1.0], [2.0, 1.0], lam=0.5)
    >>> areas.pt_forward.tolist(), areas.forward.tolist()
    ([3.0, 3.0], [2.0, 3.0])
    >>> areas.pt_annealing.tolist(), areas.annealing.tolist()
    ([1.0, 1.0], [-1.0, -0.5])

  References:
    Wang et al., arXiv 2505.07796.
  """
  method = "continual_areas"
  core.check_range(method, "lam", lam, "(0, 1)")
  rates = _curve.as_rates(method, rates, max(np.size(rates), 1))
  steps = len(rates)
  last, pt_forward, pt_annealing = 0.0, np.zeros(steps), np.zeros(steps)
  if pt_rates is not None:
    pt_rates = _curve.as_rates(method, pt_rates, max(np.size(pt_rates), 1))
    speed = _annealing.momentum(pt_rates, lam)
    last, pt_forward = pt_rates[-1], np.full(steps, np.sum(pt_rates))
    pt_annealing = np.full(steps, np.sum(speed))
    if carry_momentum:
      taken = np.arange(1, steps + 1)
      pt_annealing += speed[-1] * lam * (1 - lam**taken) / (1 - lam)
  annealing = np.cumsum(_annealing.momentum(np.append(last, rates), lam))[1:]
  return ContinualAreas(pt_forward, np.cumsum(rates), pt_annealing, annealing)


@dataclasses.dataclass(frozen=True, eq=False)
class ContinualCurve(_curve.Curve):
  """Losses measured in a second phase of training.

  `steps`, `schedule` and `warmup_steps` are those of this phase alone and count
  from its first step. The rise of the rate is part of the law: give no
  `warmup_steps` unless its points are to be left out.

  Attributes:
    pt_schedule: The rates of pre-training: an array, or a function of the step.
      None: not known.
    pt_steps: Steps of pre-training; by default the length of the array.
  """

  pt_schedule: _curve.ScheduleOrRates | None = dataclasses.field(
    default=None, kw_only=True
  )
  pt_steps: int | None = dataclasses.field(default=None, kw_only=True)

  def __post_init__(self):
    super().__post_init__()
    where = f"ContinualCurve {self.name!r}" if self.name else "ContinualCurve"
    rates = pt_rates(where, self.pt_schedule, self.pt_steps)
    object.__setattr__(self, "pt_schedule", rates)

  @property
  def pt_rates(self) -> np.ndarray | None:
    """Float64 array: the rates of pre-training, None if not known."""
    return self.pt_schedule  # type: ignore[return-value]


def pt_rates(
  method: str,
  schedule: _curve.ScheduleOrRates | None,
  total_steps: int | None,
) -> np.ndarray | None:
  """The rates of all steps of pre-training, None where they are not known."""
  if schedule is None:
    return None
  if total_steps is None:
    if callable(schedule):
      raise ValueError(
        f"{method}: pt_steps must be given where pt_schedule is a function, got"
        " None."
      )
    total_steps = max(np.size(schedule), 1)
  core.check_count(method, "pt_steps", total_steps, 1)
  return _curve.as_rates(method, schedule, total_steps)


def base_model(values, data, xp):
  """The law, of NumPy or of jax.numpy numbers."""
  forward = data["forward"]
  before = data["pt_forward"] + values.get("pt_area", 0.0)
  shift = -xp.expm1(-values["beta"] * xp.log1p(values["E"] * forward))
  return (
    values["L0"]
    + values["A"] * (before + forward) ** -values["alpha"]
    - values["C1"] * data["pt_annealing"]
    - values["C2"] * data["annealing"]
    + values["B"] * shift
  )


@dataclasses.dataclass(frozen=True)
class CPTLaw(_law.Law):
  r"""The loss on one validation set while a model is trained on other data.

  .. math::
    L(t) = L_0 + A (S_1^{pt} + S_1^{cpt})^{-\alpha} - C_1 S_2^{pt} -
    C_2 S_2^{cpt} + B \left(1 - (1 + E S_1^{cpt})^{-\beta}\right)

  The areas are those of `continual_areas`. The last term is the shift of the
  distribution: it is zero before the second phase, raises the loss on data like
  the old and lowers it on data like the new. Each validation set has a law of
  its own.

  Attributes:
    L0: Loss after infinitely many steps of a constant rate, without shift, > 0.
    A: Size of the power law, > 0.
    alpha: Exponent of the power law, > 0.
    C1: Gain per annealing area in pre-training.
    C2: Gain per annealing area in the second phase.
    B: Largest shift of the loss, > 0 where it is forgetting, < 0 where it is
      learning.
    E: How fast the shift comes, per sum of rates, > 0.
    beta: Exponent of the shift, > 0.
    lam: Memory of the annealing, in (0, 1).
    pt_area: Sum of the rates of a pre-training that is not known; None: it is
      known, and `predict` wants its rates.
    carry_momentum: As in `continual_areas`.
  """

  L0: float
  A: float
  alpha: float
  C1: float
  C2: float
  B: float
  E: float
  beta: float
  lam: float = 0.999
  pt_area: float | None = None
  carry_momentum: bool = False

  def __post_init__(self):
    core.check_range(type(self).__name__, "lam", self.lam, "(0, 1)")

  def pre_training(self) -> _annealing.AnnealingLaw:
    """The law of the first phase alone."""
    return _annealing.AnnealingLaw(
      self.L0, self.A, self.C1, self.alpha, lam=self.lam
    )

  def loss_at(self, areas: ContinualAreas) -> np.ndarray:
    """The losses where the areas are these, numbers or arrays."""
    values = dataclasses.asdict(self)
    if self.pt_area is None:
      del values["pt_area"]
    return np.asarray(base_model(values, areas._asdict(), np), np.float64)

  def _pt_rates(self, method, pt_schedule, pt_steps):
    rates = pt_rates(method, pt_schedule, pt_steps)
    if (rates is None) != (self.pt_area is not None):
      what = "left out, for" if rates is not None else "given, unless"
      raise ValueError(
        f"{method}: pt_schedule must be {what} the law was fitted without it"
        f" (fit_pt_area=True), got {pt_schedule!r}."
      )
    return rates

  def transfer_loss(
    self,
    *,
    pt_schedule: _curve.ScheduleOrRates | None = None,
    pt_steps: int | None = None,
  ) -> float:
    """The loss at the end of pre-training, with arguments as in `predict`."""
    rates = self._pt_rates("CPTLaw.transfer_loss", pt_schedule, pt_steps)
    areas = continual_areas(rates, np.zeros(1), lam=self.lam)
    zero = np.zeros(1)
    return float(self.loss_at(areas._replace(forward=zero, annealing=zero))[0])

  def predict(
    self,
    schedule: _curve.ScheduleOrRates,
    steps: Any,
    *,
    pt_schedule: _curve.ScheduleOrRates | None = None,
    pt_steps: int | None = None,
  ) -> np.ndarray:
    """The losses after some steps of the second phase.

    Args:
      schedule: The second phase: a function of its steps, or their rates.
      steps: Integers, counted from zero at its first step.
      pt_schedule: Pre-training, likewise. None for a law that was fitted
        without it.
      pt_steps: Steps of pre-training; by default the length of an array.

    Returns:
      Float64 array of the shape of `steps`, which has at least one axis.

    Raises:
      ValueError: If an argument is out of its range.
    """
    method = "CPTLaw.predict"
    steps = _curve.as_steps(method, steps)
    rates = _curve.as_rates(method, schedule, int(np.max(steps)) + 1)
    areas = continual_areas(
      self._pt_rates(method, pt_schedule, pt_steps),
      rates,
      lam=self.lam,
      carry_momentum=self.carry_momentum,
    )
    return self.loss_at(areas)[steps]


def _base_residuals(values, data):
  return signed_residuals(base_model, values, data)


def signed_residuals(model: Model, values, data):
  """Residuals where B is the size of the shift, and its sign is data."""
  values = values | {"B": values["B"] * data["sign"]}
  return _annealing.log_residuals(model(values, data, jnp), data["losses"])


class Points(NamedTuple):
  """Checked curves and what laws of them are fitted to."""

  pt_curves: list[_curve.Curve]
  cpt_curves: list[ContinualCurve]
  data: dict[str, np.ndarray]


def points(
  method: str,
  pt_curves: Sequence[_curve.Curve],
  cpt_curves: Sequence[ContinualCurve],
  lam: float,
  carry_momentum: bool,
  known: bool = True,
) -> Points:
  """Areas and losses of all points, of pre-training first."""
  core.check_range(method, "lam", lam, "(0, 1)")
  pt = _curve.check_curves(method, pt_curves, 1 if known else 0)
  given = _curve.check_curves(method, cpt_curves)
  cpt = [curve for curve in given if isinstance(curve, ContinualCurve)]
  if len(cpt) < len(given):
    raise ValueError(
      f"{method}: cpt_curves must be of the class ContinualCurve, with"
      " pt_schedule, but some are no more than a Curve."
    )
  if not known and pt:
    raise ValueError(
      f"{method}: pt_curves must be empty with fit_pt_area=True, got {len(pt)}."
    )
  for curve in cpt:
    if (curve.pt_schedule is not None) != known:
      raise ValueError(
        f"{method}: cpt_curves must have a pt_schedule if and only if"
        f" fit_pt_area=False, got {curve.pt_schedule!r} in {curve.name!r}."
      )
  columns = []
  for run in pt:
    forward, annealing = _annealing.areas_at(
      method, run.rates, _curve.as_steps(method, run.steps), lam, 0, "actual"
    )
    zero = np.zeros(len(forward))
    columns.append(ContinualAreas(forward, zero, annealing, zero))
  for curve in cpt:
    areas = continual_areas(
      curve.pt_rates, curve.rates, lam=lam, carry_momentum=carry_momentum
    )
    columns.append(ContinualAreas(*(area[curve.steps] for area in areas)))
  data = {
    name: np.concatenate(parts)
    for name, parts in zip(
      ContinualAreas._fields, zip(*columns, strict=True), strict=True
    )
  }
  data["losses"] = np.concatenate([c.losses for c in (*pt, *cpt)])
  return Points(pt, cpt, data)


def _one_schedule(curves: Sequence[ContinualCurve]) -> bool:
  """Whether the second phases have the same rates, as far as they go."""
  first = curves[0].rates
  common = [min(len(first), len(c.rates)) for c in curves]
  return all(
    np.allclose(first[:n], c.rates[:n], rtol=1e-6, atol=0)
    for n, c in zip(common, curves, strict=True)
  )


def shift_starts(
  start: Mapping[str, float], few: bool = False
) -> list[dict[str, float]]:
  """Starts of the shift, all or a few, joined to one of the rest."""
  return [{**start, **shift} for shift in (_FEW_SHIFTS if few else _SHIFTS)]


def known_starts(
  found: Points,
  lam: float,
  huber_delta: float,
  more: Mapping[str, float] | None = None,
) -> list[dict[str, float]]:
  """Starts around the annealing law of pre-training."""
  first = _annealing.fit_annealing_law(
    found.pt_curves,
    lam=lam,
    huber_delta=huber_delta,
    inits=[{"L0": 2.1, "A": 1.0, "C": 1.0, "alpha": 0.4}],
  ).law
  gains = {"C1": first.C, "C2": first.C}
  start = {"L0": first.L0, "A": first.A, "alpha": first.alpha}
  return shift_starts({**start, **gains, **(more or {})}, few=bool(more))


def signed_fit(
  method: str,
  law: Callable[..., Any],
  model: Model,
  residuals: Callable[..., Any],
  starts: Sequence[Mapping[str, float]],
  found: Points,
  *,
  sign: str,
  bounds: Mapping[str, tuple[float, float]] | None,
  **options: Any,
) -> _fit.FitResult[Any]:
  """Fits with B > 0, B < 0 or both, and keeps the better fit."""
  core.check_choice(method, "sign", sign, SIGNS)
  curves = [*found.pt_curves, *found.cpt_curves]
  groups = _annealing.lengths(curves)
  fits = []
  for factor in {"+": (1.0,), "-": (-1.0,), "auto": (1.0, -1.0)}[sign]:

    def signed(factor=factor, **values):
      return law(**values | {"B": factor * values["B"]})

    fit = _fit.robust_fit(
      signed,
      residuals,
      starts,
      found.data | {"sign": np.asarray(factor)},
      method=method,
      bounds=_BOUNDS | dict(bounds or {}),
      groups=groups,
      **options,
    )
    ends = fit.intervals.get("B")
    if factor < 0 and ends is not None:
      turned = {"B": (-ends[1], -ends[0])}
      fit = dataclasses.replace(fit, intervals={**fit.intervals, **turned})
    fits.append(fit)
  best = min(fits, key=lambda fit: fit.objective)
  warnings = best.warnings
  intervals = dict(best.intervals)
  if _one_schedule(found.cpt_curves):
    intervals["E"] = None
    warnings += (
      "all second phases have the same rates, which leaves open whether the"
      " shift comes with rates or with steps, and so E. Add one of other rates",
    )
  values = {
    name: value
    for name, value in dataclasses.asdict(best.law).items()
    if value is not None
  }
  parts = np.cumsum(groups)[:-1]
  predicted = np.split(model(values, found.data, np), parts)
  return dataclasses.replace(
    best,
    intervals=intervals,
    warnings=warnings,
    metrics=tuple(
      _fit.metrics(curve.losses, losses)
      for curve, losses in zip(curves, predicted, strict=True)
    ),
    optima=tuple(x for fit in fits for x in fit.optima),
    num_evals=sum(fit.num_evals for fit in fits),
  )


def fit_cpt_law(
  pt_curves: Sequence[_curve.Curve],
  cpt_curves: Sequence[ContinualCurve],
  *,
  lam: float = 0.999,
  sign: str = "auto",
  fit_pt_area: bool = False,
  carry_momentum: bool = False,
  huber_delta: float = 1e-3,
  inits: Sequence[Mapping[str, float]] | None = None,
  bounds: Mapping[str, tuple[float, float]] | None = None,
  confidence: float = 0.95,
) -> _fit.FitResult[CPTLaw]:
  """Fits the law of continual pre-training to the losses on one validation set.

  All curves are fitted together. B, E and beta trade off against each other:
  predictions are surer than they are. Second phases of different rates tell
  them best.

  Args:
    pt_curves: Runs of the first phase; empty with `fit_pt_area`.
    cpt_curves: Runs of the second phase, one at least.
    lam: Memory of the annealing, in (0, 1).
    sign: Of B: "+" for data like the old, "-" for data like the new, "auto" for
      the one that fits better.
    fit_pt_area: Whether pre-training is not known, as of a published
      checkpoint: the sum of its rates is fitted, its annealing is part of L0,
      and its last rate is taken for zero. The validation set of the old data is
      then best of text from the web.
    carry_momentum: As in `continual_areas`.
    huber_delta: Relative error beyond which a loss counts less, > 0.
    inits: Starts, dictionaries of the fields of the law up to beta, of which B
      is its size; where `pt_area` is fitted, it stands in for C1. By default 27
      for each sign, around the annealing law of `pt_curves`.
    bounds: Parameter -> (low, high), of B the size. By default the size of B is
      at most 5 and beta at least 0.01.
    confidence: Of the intervals, in (0, 1).

  Returns:
    The law and how well the curves tell it; metrics of `pt_curves` first.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import numpy as np
    >>> import optax_stepsize
    >>> true = optax_stepsize.CPTLaw(
    ...     L0=3.0, A=0.5, alpha=0.5, C1=0.3, C2=0.3, B=0.4, E=30.0, beta=0.2
    ... )
    >>> pt, steps = np.linspace(2e-4, 2e-5, 4000), np.arange(50, 2000, 50)
    >>> pt_curve = optax_stepsize.Curve(
    ...     2 * steps, true.pre_training().predict(pt, 2 * steps), pt
    ... )
    >>> rates = [np.linspace(peak, 0, 2000) for peak in (1e-4, 3e-4)]
    >>> cpt_curves = [
    ...     optax_stepsize.ContinualCurve(
    ...         steps, true.predict(r, steps, pt_schedule=pt), r, pt_schedule=pt
    ...     )
    ...     for r in rates
    ... ]
    >>> fit = optax_stepsize.fit_cpt_law([pt_curve], cpt_curves)
    >>> round(fit.law.B, 3), round(fit.law.C2, 3)
    (0.4, 0.3)

  References:
    Wang, Tissue, Wang, Li and Zeng, Learning Dynamics in Continual Pre-Training
    for Large Language Models, ICML 2025, arXiv 2505.07796; BibTeX by
    `optax_stepsize.cite("fit_cpt_law")`.
  """
  method = "fit_cpt_law"
  found = points(
    method, pt_curves, cpt_curves, lam, carry_momentum, not fit_pt_area
  )
  if inits is None:
    inits = (
      _unknown_starts(found)
      if fit_pt_area
      else known_starts(found, lam, huber_delta)
    )

  def law(**values):
    return CPTLaw(**values, lam=lam, carry_momentum=carry_momentum)

  return signed_fit(
    method,
    law,
    base_model,
    _base_residuals,
    inits,
    found,
    sign=sign,
    bounds=bounds,
    huber_delta=huber_delta,
    held={"C1": 0.0} if fit_pt_area else None,
    confidence=confidence,
  )


def _unknown_starts(found: Points) -> list[dict[str, float]]:
  least = float(np.min(found.data["losses"]))
  return [start | {"L0": least * start["L0"]} for start in _UNKNOWN]
