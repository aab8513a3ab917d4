# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Choosing a second phase of training by its laws on old and on new data.

Computed from the fitted laws, or from losses on several validation sets.
"""

from collections.abc import Mapping
import dataclasses
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from optax_stepsize import core
from optax_stepsize.laws import _curve
from optax_stepsize.laws import _fit
from optax_stepsize.laws import _law


class Balance(NamedTuple):
  """What a second phase does to both losses.

  Attributes:
    name: The candidate.
    score: The weighted sum of the changes; the lower, the better.
    general_change: Predicted change of the loss on general data, the old ones.
    domain_change: Predicted change of the loss on the new data.
  """

  name: str
  score: float
  general_change: float
  domain_change: float


def balance(
  law_general: Any,
  law_domain: Any,
  candidates: Mapping[str, Mapping[str, Any]],
  weight_general: float,
) -> list[Balance]:
  """Ranks second phases by what they do to general and to new abilities.

  The score is w times the change of the loss on general data and 1 - w times
  that on the new data, from the start of the second phase to its end. Where
  candidates start from different checkpoints, all changes are from that of the
  first one, so that the ranking is that of the final losses.

  Args:
    law_general: A `CPTLaw`, `CPTReplayLaw` or `CPTSizeLaw`, or its fit, of a
      validation set of the old data.
    law_domain: The same of the new data.
    candidates: Name -> `schedule` and `total_steps` of the second phase, and
      all else that `predict` of both laws wants by name, such as `pt_schedule`,
      `replay` or `size`.
    weight_general: w, in [0, 1].

  Returns:
    The candidates, best first; those of equal scores in the order given.

  Raises:
    ValueError: If there is no candidate, one is not complete, or an argument is
      out of its range.

  Example:
    >>> import numpy as np
    >>> import optax_stepsize
    >>> rest = dict(L0=3.0, A=0.5, alpha=0.5, C1=0.3, C2=0.3, beta=0.2)
    >>> old = optax_stepsize.CPTLaw(B=0.4, E=30.0, **rest)
    >>> new = optax_stepsize.CPTLaw(B=-0.6, E=300.0, **rest)
    >>> candidates = {
    ...     f"peak {peak:g}": {
    ...         "schedule": np.linspace(peak, 0, 1000),
    ...         "total_steps": 1000,
    ...         "pt_schedule": np.full(5000, 2e-4),
    ...     }
    ...     for peak in (5e-5, 2e-4, 8e-4)
    ... }
    >>> [
    ...     optax_stepsize.balance(old, new, candidates, weight)[0].name
    ...     for weight in (0.0, 1.0)
    ... ]
    ['peak 0.0008', 'peak 5e-05']

  References:
    Wang et al., arXiv 2505.07796.
  """
  method = "balance"
  core.check_range(method, "weight_general", weight_general, "[0, 1]")
  if not candidates:
    raise ValueError(f"{method}: candidates must not be empty.")
  laws = [getattr(fit, "law", fit) for fit in (law_general, law_domain)]
  changes, references = [], None
  for name, candidate in candidates.items():
    missing = sorted({"schedule", "total_steps"} - set(candidate))
    if missing:
      raise ValueError(
        f"{method}: candidates must have a schedule and total_steps, but"
        f" {name!r} has no {missing[0]}."
      )
    options = dict(candidate)
    schedule, total_steps = options.pop("schedule"), options.pop("total_steps")
    core.check_count(method, "total_steps", total_steps, 1)
    if references is None:
      references = [law.transfer_loss(**options) for law in laws]
    changes.append(
      [
        float(law.predict(schedule, total_steps - 1, **options)[0]) - reference
        for law, reference in zip(laws, references, strict=True)
      ]
    )
  w = float(weight_general)
  ranked = [
    Balance(name, w * general + (1 - w) * domain, general, domain)
    for name, (general, domain) in zip(candidates, changes, strict=True)
  ]
  return sorted(ranked, key=lambda found: found.score)


def loss_potential(
  schedule: _curve.ScheduleOrRates, total_steps: int | None = None
) -> float:
  """The last rate of a run over its largest: how much annealing is left to do.

  A checkpoint of a high potential, one that has not been annealed, learns new
  data better.

  Args:
    schedule: The rates of all steps, or a function of the step.
    total_steps: Steps of the run; by default the length of the array.

  Returns:
    A number in [0, 1].

  Raises:
    ValueError: If no rate is positive, or an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> optax_stepsize.loss_potential([1e-4, 2e-4, 5e-5])
    0.25

  References:
    Wang et al., arXiv 2505.07796.
  """
  method = "loss_potential"
  if total_steps is None:
    if callable(schedule):
      raise ValueError(
        f"{method}: total_steps must be given with a schedule, got None."
      )
    total_steps = max(np.size(schedule), 1)
  rates = _curve.as_rates(method, schedule, total_steps)
  peak = float(np.max(rates))
  if peak == 0:
    raise ValueError(f"{method}: schedule must be > 0 somewhere, got zeros.")
  return float(rates[-1]) / peak


@dataclasses.dataclass(frozen=True)
class DomainMixture(_law.Law):
  """The loss on a third validation set, from those on old and new data.

  Attributes:
    old: Weight of the loss on the old data.
    new: Weight of the loss on the new data.
  """

  old: float
  new: float

  def predict(
    self, old_losses: npt.ArrayLike, new_losses: npt.ArrayLike
  ) -> np.ndarray:
    """The losses where those on old and new data are these."""
    first, second = (
      np.asarray(x, np.float64) for x in (old_losses, new_losses)
    )
    return self.old * first + self.new * second


def _mixture_residuals(values, data):
  mixed = values["old"] * data["old"] + values["new"] * data["new"]
  return mixed - data["losses"]


def fit_domain_mixture(
  losses: npt.ArrayLike,
  old_losses: npt.ArrayLike,
  new_losses: npt.ArrayLike,
  *,
  confidence: float = 0.95,
) -> _fit.FitResult[DomainMixture]:
  """Fits the loss on any validation set by those on old and on new data.

  Losses of other domains are close to a weighted sum of both. With the weights
  of one run and the laws of both losses, that of the third is predicted for any
  schedule.

  Args:
    losses: Losses on the validation set in question, `(M,)`, at some steps of
      a second phase.
    old_losses: Losses on the old data at the same steps, `(M,)`.
    new_losses: Losses on the new data at the same steps, `(M,)`.
    confidence: Of the intervals, in (0, 1).

  Returns:
    The weights, by linear least squares.

  Raises:
    ValueError: If shapes differ, or a loss is not finite.

  Example:
    >>> import optax_stepsize
    >>> fit = optax_stepsize.fit_domain_mixture(
    ...     [3.3, 3.24, 3.2, 3.1], [3.0, 3.1, 3.2, 3.1], [3.6, 3.38, 3.2, 3.1]
    ... )
    >>> round(fit.law.old, 6), round(fit.law.new, 6)
    (0.5, 0.5)

  References:
    Wang et al., arXiv 2505.07796.
  """
  method = "fit_domain_mixture"
  data = {
    "losses": np.asarray(losses, np.float64),
    "old": np.asarray(old_losses, np.float64),
    "new": np.asarray(new_losses, np.float64),
  }
  shape = data["losses"].shape
  for name, values in data.items():
    argument = name if name == "losses" else f"{name}_losses"
    if values.shape != shape or values.ndim != 1:
      raise ValueError(
        f"{method}: {argument} must have one axis and the shape of losses,"
        f" {shape}, got {values.shape}."
      )
    if not np.all(np.isfinite(values)):
      raise ValueError(
        f"{method}: {argument} must be finite, got"
        f" {values[~np.isfinite(values)][0]}."
      )
  return _fit.robust_fit(
    DomainMixture,
    _mixture_residuals,
    [{"old": 0.5, "new": 0.5}],
    data,
    method=method,
    huber_delta=float("inf"),
    positive=False,
    groups=[len(data["losses"])],
    confidence=confidence,
  )
