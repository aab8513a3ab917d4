# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""PSPS, PSPSL1 and PSPSL2, slowly: loops over float64 numbers.

Letters of the paper (arXiv 2310.02093): D is the smoothed diagonal, alpha its
truncation, beta the smoothing, B the preconditioner, tau the step size, s the
slack, lam its price. Random signs are given. Shares nothing with the library.
"""

from collections.abc import Callable, Iterator
import math

import numpy as np


def hutchinson(
  hessian: Callable[[np.ndarray], np.ndarray],
  probes: Iterator[np.ndarray],
  number: int,
) -> np.ndarray | None:
  """Mean of z * (H z) over so many probes, of those that are finite."""
  total, kept = 0.0, 0
  for _ in range(number):
    z = next(probes)
    estimate = z * hessian(z)
    if np.all(np.isfinite(estimate)):
      total = total + estimate
      kept += 1
  return total / kept if kept else None


def trajectory(
  x: np.ndarray,
  batch: Callable[[int, np.ndarray], tuple[float, np.ndarray]],
  iterations: int,
  *,
  preconditioner: str,
  slack: str | None = None,
  lam: float = 0.01,
  f_star: Callable[[int], float] = lambda k: 0.0,
  tau_max: float | None = None,
  beta: float = 0.999,
  alpha: float = 0.1,
  warmup: int = 100,
  per_step: int = 1,
  beta_2: float = 0.999,
  eps: float = 1e-6,
  hessian: Callable[[int, np.ndarray], np.ndarray] | None = None,
  probes: Iterator[np.ndarray] | None = None,
) -> dict[str, list]:
  """Sequences of points, step sizes, slacks and diagonals."""
  n_entries = len(x)
  x, s = x.copy(), 0.0
  stored = np.zeros(n_entries)
  found = {"params": [], "step_size": [], "slack": [], "diag": []}
  for k in range(iterations):
    f, g = batch(k, x)
    big_b = np.ones(n_entries)
    if preconditioner == "hutchinson":
      at = lambda z, k=k: hessian(k, z)  # noqa: E731
      if k == 0:
        stored = hutchinson(at, probes, warmup)
      fresh = hutchinson(at, probes, per_step)
      if fresh is not None:
        stored = beta * stored + (1 - beta) * fresh
    for i in range(n_entries):
      if preconditioner == "hutchinson":
        big_b[i] = max(abs(stored[i]), alpha)
      elif preconditioner == "adam":
        stored[i] = beta_2 * stored[i] + (1 - beta_2) * g[i] ** 2
        big_b[i] = math.sqrt(stored[i] / (1 - beta_2 ** (k + 1))) + eps
      elif preconditioner == "adagrad":
        stored[i] = stored[i] + g[i] ** 2
        big_b[i] = math.sqrt(stored[i]) + eps
    norm = 0.0
    for i in range(n_entries):
      norm += g[i] ** 2 / big_b[i]
    gap = max(f - f_star(k), 0.0)
    tau = 0.0
    if norm >= 1e-13:
      if slack is None:
        tau = gap / norm
      elif slack == "l1":
        q = max(0.0, gap - s + lam) / (1 + norm)
        tau = min(q, gap / norm)
        s = max(0.0, s - lam + q)
      else:
        tau = max(0.0, gap - s / (1 + lam)) / (norm + 1 / (1 + lam))
        s = (s + tau) / (1 + lam)
      if tau_max is not None:
        tau = min(tau, tau_max)
    x = x - tau * g / big_b
    found["params"].append(x)
    found["step_size"].append(tau)
    found["slack"].append(s)
    found["diag"].append(stored.copy())
  return found
