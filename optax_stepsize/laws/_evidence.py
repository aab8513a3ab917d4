# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the residuals of a fit tell of its parameters, and what they do not."""

import math
from typing import NamedTuple

import numpy as np

# A direction in which the residuals change by this share of what they change by
# in another is not seen: its square is the rounding error of float64.
_FLAT = 1e-7


def quantile(confidence: float, degrees_of_freedom: int) -> float:
  """The two-sided quantile of Student's distribution."""
  from scipy import special

  return float(special.stdtrit(degrees_of_freedom, (1 + confidence) / 2))


class Told(NamedTuple):
  """As in `FitResult`."""

  intervals: dict[str, tuple[float, float] | None]
  covariance: np.ndarray | None
  condition_number: float
  warnings: tuple[str, ...]
  degrees_of_freedom: int


def what_data_tell(
  names,
  log,
  z,
  jac,
  residuals,
  huber_delta,
  groups,
  confidence,
  vague_error,
  at_bound,
) -> Told:
  """Covariance of the parameters and which of them the data tell."""
  count, freedom = len(residuals), max(len(residuals) - len(names), 1)
  # Parameters that are no logarithms have units; their columns are compared in
  # units of themselves.
  units = np.array(
    [
      1.0 if name in log else max(abs(x), 1e-3)
      for name, x in zip(names, z, strict=True)
    ]
  )
  sizes = np.linalg.svd(jac * units, compute_uv=False)
  condition = (sizes[0] / sizes[-1]) ** 2 if sizes[-1] > 0 else math.inf
  # Columns of one length, so that a parameter of almost no effect, such as a
  # floor fitted to zero, is not taken for known: what it leaves open widens the
  # intervals of those that could stand in for it.
  lengths = np.linalg.norm(jac, axis=0)
  lengths = np.where(lengths > 0, lengths, 1.0)
  _, sizes, directions = np.linalg.svd(jac / lengths, full_matrices=False)
  seen = sizes > _FLAT * max(sizes[0], 1.0)
  inverse = (directions[seen].T / sizes[seen] ** 2) @ directions[seen]
  inverse = inverse / lengths[:, None] / lengths
  covariance = inverse * _scale(residuals, huber_delta, len(names), groups)
  unseen = set(at_bound)
  # Such a direction takes along what has a part in it, be it of what columns do
  # or of what parameters change.
  for scale in (1.0, lengths * units):
    for direction in np.abs(directions[~seen] / scale):
      parts = zip(names, direction / np.max(direction), strict=True)
      unseen |= {name for name, part in parts if part > 0.01}
  errors = np.sqrt(np.diag(covariance))
  unseen |= {
    name
    for name, error in zip(names, errors, strict=True)
    if name in log and error > vague_error
  }
  warnings = []
  if at_bound:
    warnings.append(
      f"{_listed(at_bound)} ended at a bound of the search, which then decides"
      " the value"
    )
  vague = [n for n in names if n in unseen and n not in at_bound]
  if vague:
    warnings.append(
      f"the data do not tell {_listed(vague)} (condition number"
      f" {condition:.1e}); other values fit as well. Hold them, or add runs"
      " that differ more"
    )
  reach = quantile(confidence, freedom) * errors
  intervals = {
    name: None
    if name in unseen
    else (math.exp(x - r), math.exp(x + r))
    if name in log
    else (float(x - r), float(x + r))
    for name, x, r in zip(names, z, reach, strict=True)
  }
  if count <= len(names):
    warnings.append(
      f"{count} points determine {len(names)} parameters exactly and leave"
      " nothing to judge the fit by"
    )
    intervals = dict.fromkeys(names)
  known = bool(np.all(seen)) and count > len(names)
  return Told(
    intervals,
    covariance if known else None,
    float(condition),
    tuple(warnings),
    freedom,
  )


def _listed(names) -> str:
  return ", ".join(names)


def _scale(residuals, huber_delta, num_parameters, groups) -> float:
  """The factor of inv(J'J) in the covariance of Huber's estimate.

  E[psi^2] / E[psi']^2 with psi(r) = clip(r, -delta, delta). The slope psi' is
  one within delta and zero beyond, and where delta is below the noise few
  residuals lie within: it is counted on a smoothed distribution of them.
  """
  from scipy import special

  count = len(residuals)
  freedom = max(count - num_parameters, 1)
  psi = np.clip(residuals, -huber_delta, huber_delta)
  square = np.sum(psi**2) / freedom
  width = min(
    np.std(residuals),
    np.subtract(*np.quantile(residuals, (0.75, 0.25))) / 1.349,
  )
  slope = 1.0
  if width > 0 and math.isfinite(huber_delta):
    width *= 0.9 * count**-0.2  # Silverman's rule
    ends = special.ndtr((huber_delta - residuals) / width)
    slope = np.mean(ends - special.ndtr((-huber_delta - residuals) / width))
    # Huber's correction for few points, the first term of a series that is no
    # good where most residuals lie beyond delta.
    spread = min((1 - slope) / slope, 1.0)
    square *= (1 + num_parameters / count * spread) ** 2
  return float(square / slope**2 * _inflation(psi, groups))


def _inflation(psi, groups) -> float:
  """By how much correlated neighbours widen a variance.

  n residuals of an autoregression with coefficient rho say as much as
  n (1 - rho) / (1 + rho) independent ones. An estimate of rho that independent
  residuals would give is taken for zero.
  """
  parts = np.split(psi, np.cumsum(groups)[:-1]) if len(groups) else []
  pairs = [(p[:-1], p[1:]) for p in parts if len(p) > 1]
  total = sum(float(np.sum(p**2)) for p in parts)
  if not pairs or not total > 0:
    return 1.0
  rho = sum(float(np.sum(a * b)) for a, b in pairs) / total
  if rho < 2 / math.sqrt(len(psi)):
    return 1.0
  rho = min(rho, 0.999)
  return (1 + rho) / (1 - rho)
