# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""SMB and SMBi, slowly: dictionaries of float64 arrays, number by number.

Letters of the paper (arXiv 2111.07058): s is the step, y the change of the
gradient, c_s, c_g and c_y are the coefficients of the model's step. Shares
nothing with the library.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Leaves = dict[str, np.ndarray]
Batch = Callable[[int, Leaves], tuple[float, Leaves]]
TINY = 1e-8


class Auto(NamedTuple):
  """The auto schedule, by the names of the authors' code."""

  n_batches: int
  gamma: float = 0.05
  beta: float = 0.9
  lr_max: float = 20.0


def dot(a: Leaves, b: Leaves, names: list[str]) -> float:
  """Inner product over some leaves, term by term."""
  total = 0.0
  for name in names:
    for x, y in zip(a[name].reshape(-1), b[name].reshape(-1), strict=True):
      total += float(x) * float(y)
  return total


def model(
  s: Leaves, g: Leaves, p: Leaves, y: Leaves, eta: float, names: list[str]
) -> tuple[Leaves, dict[str, float]]:
  """The step of a group for the gradient p, and its numbers."""
  ss, gg, yy = dot(s, s, names), dot(g, g, names), dot(y, y, names)
  ys, yp, sp = dot(y, s, names), dot(y, p, names), dot(s, p, names)
  if gg == 0:
    return {n: np.zeros_like(s[n]) for n in names}, {}
  sigma = 0.5 * (np.sqrt(ss) * (np.sqrt(yy) + np.sqrt(gg) / eta) - ys)
  theta = (ys + 2 * sigma) ** 2 - ss * yy
  c_g = -ss / (2 * sigma)
  c_s = c_g / theta * (-(ys + 2 * sigma) * yp + yy * sp)
  c_y = c_g / theta * (-(ys + 2 * sigma) * sp + ss * yp)
  step = {n: c_s * s[n] + c_g * p[n] + c_y * y[n] for n in names}
  numbers = {"sigma": sigma, "theta": theta, "c_g": c_g, "c_s": c_s, "c_y": c_y}
  return step, numbers


def trajectory(
  x: Leaves,
  batch: Batch,
  iterations: int,
  *,
  lr: Callable[[int], float] = lambda k: 0.5,
  eta: float = 0.99,
  c: float = 0.1,
  independent_batch: bool = False,
  groups: list[list[str]] | None = None,
  auto: Auto | None = None,
  decay: float = 0.0,
  decayed: dict[str, bool] | None = None,
) -> list[dict]:
  """What is known after each update: the point, and all of the state.

  Args:
    x: Where to start.
    batch: From the number of the batch and a point to loss and gradient.
    iterations: How many updates.
    lr: Rate of each update, before the auto schedule.
    eta: As in the paper.
    c: As in the paper.
    independent_batch: Whether it is SMBi.
    groups: Leaves that share a model; by default each has its own.
    auto: The auto schedule.
    decay: Decoupled weight decay, times the rate.
    decayed: Which leaves decay; by default all.
  """
  names = list(x)
  groups = [[n] for n in names] if groups is None else groups
  decayed = dict.fromkeys(names, True) if decayed is None else decayed
  g_prev = {n: np.zeros_like(v) for n, v in x.items()}
  factor, calls, models, pending = 1.0, 0, 0, False
  history = []
  for k in range(iterations):
    f, g = batch(k, x)
    rate = lr(k) * factor
    s = {n: -rate * g[n] for n in names}
    x_t = {n: x[n] + s[n] for n in names}
    square = dot(g, g, names)
    moves, modelled = True, False
    if independent_batch and pending:
      modelled, p = True, g_prev
    else:
      f_t, p = batch(k, x_t)[0], g
      if f_t > f - c * rate * square and np.sqrt(square) >= TINY:
        modelled, moves = not independent_batch, not independent_batch
    step = s
    if modelled:
      g_t = batch(k, x_t)[1]
      y = {n: g_t[n] - g[n] for n in names}
      step = {}
      for group in groups:
        step |= model(s, g, p, y, eta, group)[0]
    if moves:
      x = {n: x[n] + step[n] - rate * decay * decayed[n] * x[n] for n in names}
    elif independent_batch:
      g_prev = g
    pending = not moves

    calls, models = calls + 1, models + modelled
    if auto is not None and calls == auto.n_batches:
      share = auto.gamma / 2 if independent_batch else auto.gamma
      if models / auto.n_batches > share:
        factor *= auto.beta
      elif rate / auto.beta <= auto.lr_max:
        factor /= auto.beta
      calls = models = 0
    history.append(
      {
        "params": x,
        "step_size": rate,
        "model_step": int(modelled),
        "rate_factor": factor,
        "window_count": calls,
        "model_count": models,
        "pending": int(pending),
        "prev_grad": g_prev,
      }
    )
  return history
