# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""ALR-MAG and ALR-HB, slowly: one flat vector of float64 numbers.

Letters of the paper (arXiv 2305.12939): d_k is the direction, eta_k the step
size, beta the momentum, f_star the lower bound. Shares nothing with the
library.
"""

from collections.abc import Callable

import numpy as np

Batch = Callable[[int, np.ndarray], tuple[float, np.ndarray]]
TINY = 1e-30


def dot(a: np.ndarray, b: np.ndarray) -> float:
  """Inner product, term by term."""
  total = 0.0
  for x, y in zip(a, b, strict=True):
    total += float(x) * float(y)
  return total


def moving_gradient(
  x: np.ndarray,
  batch: Batch,
  iterations: int,
  *,
  f_star: Callable[[int], float] = lambda k: 0.0,
  beta: float = 0.9,
  c: float = 1.0,
  eta_max: float | None = None,
  decay: float = 0.0,
  decays: np.ndarray | None = None,
  eps: float = 0.0,
) -> tuple[list[np.ndarray], list[float], list[np.ndarray]]:
  """Points, step sizes and directions of ALR-(S)MAG.

  `decays` has one for each entry of x that decays, and zero for the others.
  """
  x = x.copy()
  d = np.zeros_like(x)
  decays = np.ones_like(x) if decays is None else decays
  points, steps, directions = [], [], []
  for k in range(iterations):
    f, g = batch(k, x)
    d = beta * d + g
    norm = dot(d, d)
    eta = 0.0
    if norm >= TINY and f > f_star(k):
      eta = (f - f_star(k)) / (c * norm + eps)
      if eta_max is not None and eta > eta_max:
        eta = eta_max
    x = (1 - decay * eta * decays) * x - eta * d
    points.append(x)
    steps.append(eta)
    directions.append(d)
  return points, steps, directions


def heavy_ball(
  x: np.ndarray,
  batch: Batch,
  iterations: int,
  *,
  f_star: Callable[[int], float] = lambda k: 0.0,
  beta: float = 0.9,
  c: float = 1.0,
  eta_max: float | None = None,
  eps: float = 0.0,
  clip: bool = True,
) -> tuple[list[np.ndarray], list[float], list[np.ndarray]]:
  """Points, step sizes and points before of ALR-(S)HB."""
  before = x.copy()
  points, steps, previous = [], [], []
  for k in range(iterations):
    f, g = batch(k, x)
    norm = dot(g, g)
    eta = 0.0
    if norm >= TINY:
      eta = (f - f_star(k)) / (c * norm + eps)
      eta += beta * dot(g, x - before) / (norm + eps)
      if clip and eta < 0:
        eta = 0.0
      if eta_max is not None and eta > eta_max:
        eta = eta_max
    x, before = x - eta * g + beta * (x - before), x
    points.append(x)
    steps.append(eta)
    previous.append(before)
  return points, steps, previous
