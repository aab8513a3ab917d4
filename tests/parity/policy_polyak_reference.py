# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Polyak steps of one policy and of twins, slowly, in float64 numbers.

Letters of the paper (arXiv 2404.07525), in lower case: j is the return, j_star
its target, gamma the step, gamma_b the largest. Trees are dictionaries of
arrays. Shares nothing with the library.
"""

from collections.abc import Callable
import math

import numpy as np

Tree = dict[str, np.ndarray]


def dot(a: Tree, b: Tree) -> float:
  """Inner product, term by term."""
  total = 0.0
  for name in a:
    for x, y in zip(a[name].ravel(), b[name].ravel(), strict=True):
      total += float(x) * float(y)
  return total


def step(
  gap: float, square: float, c: float, gamma_b: float | None, eps: float
) -> float:
  """The step for a gap and a squared norm; zero for zero over zero."""
  below = c * square + eps
  gamma = gap / below if below > 0 else 0.0
  return gamma if gamma_b is None else min(gamma, gamma_b)


def policy_polyak(
  x: Tree,
  batch: Callable[[int, Tree], tuple[float, Tree]],
  target: Callable[[int], float],
  iterations: int,
  *,
  c: float = 0.5,
  gamma_b: float | None = 1.0,
  eps: float = 1e-8,
  decay: float = 0.0,
  decays: dict[str, bool] | None = None,
) -> tuple[list[Tree], list[float]]:
  """Points and steps; `batch` gives J and the gradient of -J."""
  points, steps = [], []
  gamma = 0.0
  for k in range(iterations):
    j, g = batch(k, x)
    j_star = target(k)
    if math.isfinite(j) and math.isfinite(j_star):
      gamma = step(max(j_star - j, 0.0), dot(g, g), c, gamma_b, eps)
      moved = {}
      for name in x:
        own = decay if decays is None or decays[name] else 0.0
        moved[name] = (1 - gamma * own) * x[name] - gamma * g[name]
      x = moved
    points.append(x)
    steps.append(gamma)
  return points, steps


def twin_polyak(
  x: list[Tree],
  batch: Callable[[int, int, Tree], tuple[float, Tree]],
  iterations: int,
  *,
  c: float = 0.5,
  gamma_b: float | None = 1.0,
  eps: float = 1e-8,
  beta: float | None = None,
) -> dict[str, list]:
  """Every sequence of the twins; `batch(k, i, x_i)` is that of twin i.

  Keys: x, gamma, w (the twin that moved) and, with `beta`, the averages F of
  losses, G of gradients and Q of <g, x>, each a list over iterations.
  """
  found: dict[str, list] = {key: [] for key in ("x", "gamma", "w")}
  if beta is not None:
    found |= {"F": [], "G": [], "Q": []}
  mean_f, mean_q = [0.0, 0.0], [0.0, 0.0]
  mean_g = [{name: np.zeros_like(a) for name, a in twin.items()} for twin in x]
  gamma, w = 0.0, -1
  for k in range(iterations):
    (j_0, g_0), (j_1, g_1) = (batch(k, i, x[i]) for i in (0, 1))
    if math.isfinite(j_0) and math.isfinite(j_1):
      if beta is None:
        h, direction = [-j_0, -j_1], [g_0, g_1]
      else:
        mean_f = [
          beta * mean_f[0] - (1 - beta) * j_0,
          beta * mean_f[1] - (1 - beta) * j_1,
        ]
        mean_g = [
          {n: beta * old[n] + (1 - beta) * new[n] for n in new}
          for old, new in zip(mean_g, (g_0, g_1), strict=True)
        ]
        slopes = [dot(g_0, x[0]), dot(g_1, x[1])]
        mean_q = [beta * mean_q[i] + (1 - beta) * slopes[i] for i in (0, 1)]
        h = [mean_f[i] + dot(mean_g[i], x[i]) - mean_q[i] for i in (0, 1)]
        direction = mean_g
      w = 0 if h[0] > h[1] else 1
      square = dot(direction[w], direction[w])
      gamma = step(h[w] - h[1 - w], square, c, gamma_b, eps)
      moved = {n: x[w][n] - gamma * direction[w][n] for n in x[w]}
      x = [moved, x[1]] if w == 0 else [x[0], moved]
    found["x"].append(x)
    found["gamma"].append(gamma)
    found["w"].append(w)
    if beta is not None:
      found["F"].append(mean_f)
      found["G"].append(mean_g)
      found["Q"].append(mean_q)
  return found
