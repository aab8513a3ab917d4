# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The stochastic Polyak step size, slowly: loops over float64 numbers.

Letters of the paper (arXiv 2002.10542): gamma_k is the step size of iteration
k, gamma_b its upper bound, f_k the loss of batch k, f_k_star its lower bound,
c the constant, tau the factor of the smoothed bound. Written from the paper's
rule for the tests; shares nothing with the library.
"""

from collections.abc import Callable
import math

import numpy as np

Tree = dict[str, np.ndarray]


def centred(gradient: np.ndarray) -> np.ndarray:
  """Removes from each output unit, the last axis, its mean gradient.

  Vectors and scalars are returned as they are.
  """
  if gradient.ndim < 2:
    return gradient
  result = gradient.copy()
  *rest, outputs = gradient.shape
  for unit in range(outputs):
    total = 0.0
    number = 0
    for index in np.ndindex(*rest):
      total += gradient[(*index, unit)]
      number += 1
    for index in np.ndindex(*rest):
      result[(*index, unit)] -= total / number
  return result


def trajectory(
  x_0: Tree,
  batch: Callable[[int, Tree], tuple[float, Tree]],
  iterations: int,
  *,
  f_k_star: Callable[[int], float] = lambda k: 0.0,
  c: float = 0.5,
  gamma_b: float | None = None,
  tau: float | None = None,
  batches_per_epoch: int | None = None,
  gamma_0: float = 1.0,
  eps: float = 1e-8,
  floor: float = 1e-8,
  on_zero_gradient: str = "keep",
  centralize: bool = False,
) -> tuple[list[Tree], list[float]]:
  """Runs the method.

  Args:
    x_0: The start.
    batch: Number of the batch and parameters to its loss and gradient.
    iterations: How many.
    f_k_star: Number of a batch to the lower bound of its loss.
    c: The constant in the denominator.
    gamma_b: Bound of the step size, or none.
    tau: Factor by which the step size may grow per epoch. None: without bound.
    batches_per_epoch: Iterations per epoch.
    gamma_0: The step size before the first, for `tau`.
    eps: Added to c times the squared norm.
    floor: Norm of the gradient below which no step is taken.
    on_zero_gradient: What is remembered when no step is taken, because of such
      a gradient or of a loss at its lower bound: "keep" the step size before,
      "freeze" zero.
    centralize: Whether to centre gradients.

  Returns:
    Parameters after each iteration, and the remembered step sizes.
  """
  x = {name: leaf.copy() for name, leaf in x_0.items()}
  gamma = gamma_0
  points: list[Tree] = []
  gammas: list[float] = []
  for k in range(iterations):
    f_k, g = batch(k, x)
    if centralize:
      g = {name: centred(leaf) for name, leaf in g.items()}
    squared_norm = 0.0
    for leaf in g.values():
      for index in np.ndindex(*leaf.shape):
        squared_norm += float(leaf[index]) ** 2
    gap = f_k - f_k_star(k)
    if math.sqrt(squared_norm) < floor or gap <= 0:
      gamma_k = 0.0
      if on_zero_gradient == "freeze":
        gamma = 0.0
    else:
      gamma_k = gap / (c * squared_norm + eps)
      if tau is not None:
        gamma_k = min(gamma_k, tau ** (1 / batches_per_epoch) * gamma)
      if gamma_b is not None:
        gamma_k = min(gamma_k, gamma_b)
      gamma = gamma_k
    for name, leaf in g.items():
      for index in np.ndindex(*leaf.shape):
        x[name][index] -= gamma_k * leaf[index]
    points.append({name: leaf.copy() for name, leaf in x.items()})
    gammas.append(gamma)
  return points, gammas
