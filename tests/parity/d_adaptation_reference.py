# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""D-Adaptation of SGD, slowly: loops over float64 numbers.

Letters of the paper (arXiv 2301.07733): p are the parameters and x0 their
start, s is the weighted sum of gradients, d the estimate of the distance, g0
the norm of the first nonzero gradient, k the number of steps. Written from the
rule for the tests; shares nothing with the library. It goes on where the
authors' code stops: at a zero first gradient, and at a rate of zero.
"""

import math

import numpy as np

Tree = dict[str, np.ndarray]


class Sgd:
  """State and step.

  Args:
    p: The start.
    decay: Leaf -> its L2 decay.
    d0: First estimate.
    momentum: Weight of the old point.
    growth_rate: Largest factor of growth.
  """

  def __init__(
    self,
    p: Tree,
    *,
    decay: dict[str, float],
    d0: float = 1e-6,
    momentum: float = 0.0,
    growth_rate: float = math.inf,
  ):
    self.p = {name: leaf.copy() for name, leaf in p.items()}
    self.x0 = {name: leaf.copy() for name, leaf in p.items()}
    self.s = {name: np.zeros_like(leaf) for name, leaf in p.items()}
    self.decay = decay
    self.momentum = momentum
    self.growth_rate = growth_rate
    self.d = d0
    self.g0 = 0.0
    self.numerator = 0.0
    self.k = 0

  def _entries(self):
    for name, leaf in self.p.items():
      for index in np.ndindex(*leaf.shape):
        yield name, index

  def step(self, gradient: Tree, lr: float) -> None:
    """One step; none at a rate of zero or before a nonzero gradient."""
    if lr == 0:
      return
    if self.g0 == 0:
      total = 0.0
      for name, index in self._entries():
        total += float(gradient[name][index]) ** 2
      self.g0 = math.sqrt(total)
    if self.g0 == 0:
      return
    weight = self.d * lr / self.g0
    sum_sq = 0.0
    for name, index in self._entries():
      g = gradient[name][index] + self.decay[name] * self.p[name][index]
      self.numerator += weight * g * self.s[name][index]
      self.s[name][index] += weight * g
      sum_sq += float(self.s[name][index]) ** 2
    for name, index in self._entries():
      z = self.x0[name][index] - self.s[name][index]
      self.p[name][index] = (
        self.momentum * self.p[name][index] + (1 - self.momentum) * z
      )
    if sum_sq > 0:
      estimate = 2 * self.numerator / math.sqrt(sum_sq)
      self.d = max(self.d, min(estimate, self.growth_rate * self.d))
    self.k += 1
