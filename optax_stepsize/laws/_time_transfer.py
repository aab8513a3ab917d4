# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The best rate against batch size and token budget together."""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from optax_stepsize import core
from optax_stepsize.laws import _fit
from optax_stepsize.laws import _horizon
from optax_stepsize.laws import _law
from optax_stepsize.laws import _points

# Of the paper:
#   T  `budget`, tokens of a run    eta*      best peak rate at T and B
#   B  `batch`, tokens of a batch   B_crit    batch of the largest eta*
#                                   eta_crit  that largest eta*
#   eta* = 2 eta_crit / (sqrt(B / B_crit) + sqrt(B_crit / B))
#        = eta_crit / cosh(log(B / B_crit) / 2)

# What is taken where the data do not tell them: the critical batch grows as the
# budget does, and the largest of the best rates stays the same.
_B_EXPONENT, _ETA_EXPONENT = 1.0, 0.0
_EXPONENTS = (-1.0, 2.0)


@dataclasses.dataclass(frozen=True)
class TimeTransferLaw(_law.Law):
  """Best rate of Adam-like methods by token budget and batch size.

  Attributes:
    eta_crit: The best rate at the critical batch of budget `t_ref`, > 0.
    eta_exponent: By which that grows with the budget.
    b_crit_ref: The critical batch at budget `t_ref`, > 0, in tokens.
    t_ref: A budget, > 0, in tokens.
    b_exponent: By which the critical batch grows with the budget.
  """

  eta_crit: float
  eta_exponent: float
  b_crit_ref: float
  t_ref: float
  b_exponent: float = _B_EXPONENT

  def _growth(self, budget: npt.ArrayLike) -> np.ndarray:
    return np.log(
      _points.positive("TimeTransferLaw", "budget", budget) / self.t_ref
    )

  def b_crit(self, budget: npt.ArrayLike) -> np.ndarray:
    """The critical batch for budgets > 0 of any shape, in float64."""
    return self.b_crit_ref * np.exp(self.b_exponent * self._growth(budget))

  def predict(self, budget: npt.ArrayLike, batch: npt.ArrayLike) -> np.ndarray:
    """The best rate for budgets and batches > 0 that broadcast, in float64."""
    peak = self.eta_crit * np.exp(self.eta_exponent * self._growth(budget))
    return surge_lr(batch, self.b_crit(budget), peak)

  def scale_lr(
    self,
    lr: float,
    *,
    budget_from: float,
    budget_to: float,
    batch_from: float,
    batch_to: float,
  ) -> float:
    """The rate for another budget and batch, from one that was tuned.

    Args:
      lr: Best rate, > 0, at budget `budget_from` and batch `batch_from`.
      budget_from: Budget at which it was tuned, in tokens.
      budget_to: Budget of the run to come.
      batch_from: Batch at which it was tuned, in tokens.
      batch_to: Batch of the run to come.

    Returns:
      The rate.

    Raises:
      ValueError: If an argument is not > 0.
    """
    core.check_range("TimeTransferLaw.scale_lr", "lr", lr, "(0, inf)")
    old = self.predict(budget_from, batch_from)
    return float(lr * self.predict(budget_to, batch_to) / old)


def surge_lr(
  batch: npt.ArrayLike, b_crit: npt.ArrayLike, eta_crit: npt.ArrayLike
) -> np.ndarray:
  r"""The best rate of Adam-like methods, which rises and falls with the batch.

  .. math::
    \eta^*(B) = \frac{2 \eta_{crit}}{\sqrt{B / B_{crit}} + \sqrt{B_{crit} / B}}

  Args:
    batch: Batch sizes, > 0, of any shape.
    b_crit: Batch of the largest rate, > 0.
    eta_crit: That rate, > 0.

  Returns:
    The best rates, in float64, of the shape that the arguments broadcast to.

  Raises:
    ValueError: If an argument is not > 0.

  Example:
    >>> import optax_stepsize
    >>> optax_stepsize.surge_lr([1e5, 1e6, 1e7], 1e6, 0.01).round(6).tolist()
    [0.00575, 0.01, 0.00575]

  References:
    Filatov, Ebert, Wang and Kesselheim, Time Transfer: On Optimal Learning Rate
    and Batch Size In The Infinite Data Limit, 2024, arXiv 2410.05838; BibTeX by
    `optax_stepsize.cite("fit_time_transfer")`.
  """
  batch, b_crit, eta_crit = (
    _points.positive("surge_lr", name, value)
    for name, value in (
      ("batch", batch),
      ("b_crit", b_crit),
      ("eta_crit", eta_crit),
    )
  )
  # exp(-|x| / 2) 2 / (1 + exp(-|x|)) is 1 / cosh(x / 2) and does not overflow.
  size = np.abs(np.log(batch) - np.log(b_crit))
  return eta_crit * np.exp(-size / 2) * 2 / (1 + np.exp(-size))


def _residuals(values, data):
  growth = data["log_budgets"] - jnp.log(values["t_ref"])
  peak = jnp.log(values["eta_crit"]) + values["eta_exponent"] * growth
  center = jnp.log(values["b_crit_ref"]) + values["b_exponent"] * growth
  half = (data["log_batches"] - center) / 2
  log_cosh = jnp.logaddexp(half, -half) - math.log(2)
  return data["root_weights"] * (peak - log_cosh - data["log_lrs"])


def _sees_the_peak(
  law: TimeTransferLaw, budgets: np.ndarray, batches: np.ndarray
) -> bool:
  """Whether at one budget three batches lie on both sides of the critical."""
  for budget in np.unique(budgets):
    at = np.unique(batches[budgets == budget])
    if len(at) >= 3 and at[0] < law.b_crit(budget) < at[-1]:
      return True
  return False


def fit_time_transfer(
  budgets: npt.ArrayLike,
  batches: npt.ArrayLike,
  best_lrs: npt.ArrayLike,
  *,
  weights: npt.ArrayLike | None = None,
  fix_b_exponent: float | None = None,
  fix_eta_exponent: float | None = None,
  t_ref: float | None = None,
  confidence: float = 0.95,
) -> _fit.FitResult[TimeTransferLaw]:
  r"""How the best rate moves with the token budget and the batch size.

  At each budget T the best rate rises and falls with the batch as `surge_lr`
  has it, about a critical batch that grows with the budget:

  .. math::
    B_{crit}(T) = B_0 (T / T_0)^p, \qquad \eta_{crit}(T) = \eta_0 (T / T_0)^q

  fitted by least squares of the logarithms of the rates. With p = 1 and q = 0,
  the defaults of what the data do not tell, a batch far below the critical one
  that stays the same wants a rate that falls as :math:`T^{-1/2}`; a batch that
  grows with the budget wants one that stays.

  The paper has few batch sizes to go by, and it fixes no formula for the best
  batch: take this law for an exploration. Its rates are those of Adam-like
  methods. It holds for rates that are parametrised to suit all widths as well.

  Args:
    budgets: Tokens of the runs, > 0, `(N,)`.
    batches: Tokens of their batches, > 0, `(N,)`.
    best_lrs: Their best peak rates, > 0, `(N,)`, as `optimal_lr_from_sweep`
      finds.
    weights: Weights of the squares, >= 0, `(N,)`; equal by default.
    fix_b_exponent: The exponent p, in [-1, 2]; None to fit it.
    fix_eta_exponent: The exponent q, in [-1, 2]; None to fit it.
    t_ref: The budget :math:`T_0`, > 0; None for the geometric mean of
      `budgets`. It changes the constants, not what the law says.
    confidence: Of the intervals, in (0, 1).

  Returns:
    The law, with a warning where the exponents are held because the data do
    not tell them: all at one budget, or at no budget three batches on both
    sides of the critical one.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import numpy as np
    >>> import optax_stepsize
    >>> law = optax_stepsize.TimeTransferLaw(0.01, 0.0, 1e6, 1e10)
    >>> budgets, batches = np.meshgrid([1e10, 4e10], [1e5, 4e5, 2e6, 1e7])
    >>> budgets, batches = budgets.ravel(), batches.ravel()
    >>> rates = law.predict(budgets, batches)
    >>> fit = optax_stepsize.fit_time_transfer(budgets, batches, rates)
    >>> round(fit.law.b_exponent, 6), f"{float(fit.law.b_crit(1e10)):.4g}"
    (1.0, '1e+06')

  References:
    Filatov, Ebert, Wang and Kesselheim, Time Transfer: On Optimal Learning Rate
    and Batch Size In The Infinite Data Limit, 2024, arXiv 2410.05838; BibTeX by
    `optax_stepsize.cite("fit_time_transfer")`.
  """
  method = "fit_time_transfer"
  tokens = _points.column(method, "budgets", budgets)
  sizes = _points.column(method, "batches", batches)
  rates = _points.column(method, "best_lrs", best_lrs)
  _points.check_lengths(method, budgets=tokens, batches=sizes, best_lrs=rates)
  _points.check_different(method, "batches", sizes, 2)
  limits = f"[{_EXPONENTS[0]}, {_EXPONENTS[1]}] or None"
  core.check_range(method, "fix_b_exponent", fix_b_exponent, limits)
  core.check_range(method, "fix_eta_exponent", fix_eta_exponent, limits)
  core.check_range(method, "t_ref", t_ref, "(0, inf) or None")
  reference = math.exp(np.mean(np.log(tokens))) if t_ref is None else t_ref
  data = {
    "log_budgets": np.log(tokens),
    "log_batches": np.log(sizes),
    "log_lrs": np.log(rates),
    "root_weights": _points.root_weights(method, weights, len(rates)),
  }
  given = {"b_exponent": fix_b_exponent, "eta_exponent": fix_eta_exponent}
  usual = {"b_exponent": _B_EXPONENT, "eta_exponent": _ETA_EXPONENT}
  known = {name: value for name, value in given.items() if value is not None}
  # The critical batch may lie anywhere in the sweep, or beyond either end.
  starts = [
    {"eta_crit": np.max(rates), "b_crit_ref": center, **usual}
    for center in (np.median(sizes), np.min(sizes), np.max(sizes))
  ]

  def fit(held):
    return _fit.robust_fit(
      TimeTransferLaw,
      _residuals,
      starts,
      data,
      method=method,
      huber_delta=math.inf,
      positive=("eta_crit", "b_crit_ref"),
      held={"t_ref": reference, **held},
      bounds=dict.fromkeys(usual, _EXPONENTS),
      confidence=confidence,
    )

  if len(known) == len(usual):
    return fit(known)
  if np.unique(tokens).size == 1:
    why = "all runs have the same budget"
  elif len(tokens) < 4 - len(known):
    why = f"{len(tokens)} runs are fewer than what is to be fitted"
  else:
    free = fit(known)
    if _sees_the_peak(free.law, tokens, sizes):
      return free
    why = "at no budget are there three batches on both sides of the critical"
  found = fit(usual | known)
  held = ", ".join(f"{n}={usual[n]:g}" for n in usual if n not in known)
  warning = f"held {held}, because {why}. Fix: add runs, or fix what is known"
  return dataclasses.replace(found, warnings=(warning, *found.warnings))


def lr_sensitivity(
  learning_rates: npt.ArrayLike, losses: npt.ArrayLike, *, window: int = 2
) -> float:
  """How much a sweep's loss suffers from a rate that is not the best one.

  The second derivative of the final loss in the natural logarithm of the rate,
  by the parabola of `optimal_lr_from_sweep`: a rate off by a factor f costs
  half of it times log(f) squared. The paper finds that it falls as the budget
  grows, and that it is the same at all widths.

  Args:
    learning_rates: Rates, > 0, `(N,)`.
    losses: Their final losses, `(N,)`.
    window: Rates on either side of the best one that are used, >= 1.

  Returns:
    The second derivative, > 0, in units of the loss.

  Raises:
    ValueError: If an argument is out of its range, or there is no minimum
      within the sweep.

  Example:
    >>> import optax_stepsize
    >>> round(optax_stepsize.lr_sensitivity(
    ...   [1e-4, 2e-4, 4e-4, 8e-4], [3.02, 3.0, 2.995, 3.012]
    ... ), 6)
    0.038505

  References:
    Filatov, Ebert, Wang and Kesselheim, Time Transfer: On Optimal Learning Rate
    and Batch Size In The Infinite Data Limit, 2024, arXiv 2410.05838; BibTeX by
    `optax_stepsize.cite("fit_time_transfer")`.
  """
  best = _horizon.optimal_lr_from_sweep(learning_rates, losses, window=window)
  if not best.interior:
    raise ValueError(
      "lr_sensitivity: learning_rates and losses must have a minimum between"
      f" the ends, but there is {best.warning}."
    )
  return best.curvature
