# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The final loss against the number of parameters and of tokens."""

import dataclasses
import itertools
import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from optax_stepsize import core
from optax_stepsize.laws import _fit
from optax_stepsize.laws import _law
from optax_stepsize.laws import _points

# Of the papers:
#   N      parameters                D      tokens
#   E      loss of infinite both     A, B   what one parameter, one token add
#   alpha  exponent of N             beta   exponent of D
#   C      floating-point operations of a run, 6 N D

# Exponents at which the rest of the law is solved, and how many of the best of
# those pairs start a fit.
_EXPONENTS = np.geomspace(0.05, 1.5, 12)
_STARTS = 6


class ComputeOptimal(NamedTuple):
  """The best use of a budget of floating-point operations.

  Attributes:
    size: Parameters, float64 of the shape of the budget.
    tokens: Tokens.
    loss: The loss that the law predicts there.
  """

  size: np.ndarray
  tokens: np.ndarray
  loss: np.ndarray


@dataclasses.dataclass(frozen=True)
class Chinchilla(_law.Law):
  """Final loss = E + A / size**alpha + B / tokens**beta.

  Attributes:
    E: Loss of an infinite model after infinite data, >= 0.
    A: > 0; its value depends on the unit of sizes.
    alpha: Exponent of the size, > 0.
    B: > 0; its value depends on the unit of tokens.
    beta: Exponent of the tokens, > 0.
  """

  E: float
  A: float
  alpha: float
  B: float
  beta: float

  def predict(self, size: npt.ArrayLike, tokens: npt.ArrayLike) -> np.ndarray:
    """The loss at sizes and tokens > 0 that broadcast, in float64."""
    where = "Chinchilla.predict"
    size = _points.positive(where, "size", size)
    tokens = _points.positive(where, "tokens", tokens)
    return (
      self.E
      + np.exp(math.log(self.A) - self.alpha * np.log(size))
      + np.exp(math.log(self.B) - self.beta * np.log(tokens))
    )

  def compute_optimal(
    self, budget: npt.ArrayLike, *, per_token_and_parameter: float = 6.0
  ) -> ComputeOptimal:
    """The size and the tokens of least loss that a budget pays for.

    Args:
      budget: Floating-point operations of the whole run, > 0, of any shape.
      per_token_and_parameter: Operations that a token costs per parameter, > 0:
        2 of the forward pass and 4 of the backward pass.

    Returns:
      The size, the tokens, and their loss.
    """
    where = "Chinchilla.compute_optimal"
    budget = _points.positive(where, "budget", budget)
    core.check_range(
      where, "per_token_and_parameter", per_token_and_parameter, "(0, inf)"
    )
    product = np.log(budget / per_token_and_parameter)
    # On log size + log tokens = const. both terms fall equally fast:
    # alpha A / size**alpha = beta B / tokens**beta.
    ratio = math.log(self.alpha * self.A) - math.log(self.beta * self.B)
    log_size = (ratio + self.beta * product) / (self.alpha + self.beta)
    size, tokens = np.exp(log_size), np.exp(product - log_size)
    return ComputeOptimal(size, tokens, self.predict(size, tokens))


def _residuals(values, data):
  size = jnp.log(values["A"]) - values["alpha"] * data["log_sizes"]
  tokens = jnp.log(values["B"]) - values["beta"] * data["log_tokens"]
  loss = values["E"] + jnp.exp(size) + jnp.exp(tokens)
  return jnp.log(loss) - data["log_losses"]


def _starts(
  log_sizes: np.ndarray, log_tokens: np.ndarray, losses: np.ndarray
) -> list[dict[str, float]]:
  """The best pairs of exponents on a grid, with all else solved for.

  Given the exponents the law is linear in E, A and B, which are >= 0; relative
  errors are nearly those of logarithms.
  """
  from scipy import optimize

  middle = np.mean(log_sizes), np.mean(log_tokens)
  x, y = log_sizes - middle[0], log_tokens - middle[1]
  found = []
  for alpha, beta in itertools.product(_EXPONENTS, repeat=2):
    columns = np.stack([np.ones_like(x), np.exp(-alpha * x), np.exp(-beta * y)])
    parts, error = optimize.nnls((columns / losses).T, np.ones_like(losses))
    # What vanishes here may grow again with better exponents.
    least = 1e-3 * np.mean(losses)
    e, size, tokens = np.maximum(parts, least)
    start = {
      "E": e,
      "A": size * math.exp(alpha * middle[0]),
      "alpha": alpha,
      "B": tokens * math.exp(beta * middle[1]),
      "beta": beta,
    }
    found.append((error, start))
  found.sort(key=lambda pair: pair[0])
  return [start for _, start in found[:_STARTS]]


def fit_chinchilla(
  sizes: npt.ArrayLike,
  tokens: npt.ArrayLike,
  losses: npt.ArrayLike,
  *,
  huber_delta: float = 1e-3,
  confidence: float = 0.95,
) -> _fit.FitResult[Chinchilla]:
  r"""The final loss of runs of several sizes and lengths.

  .. math::
    L(N, D) = E + A N^{-\alpha} + B D^{-\beta}

  by robust least squares of logarithms, from several starts. A ladder of small
  models, each trained for several multiples of the usual number of tokens, then
  says what a large one will reach, and how to divide a budget:
  `law.compute_optimal`. Every run must have ended its own schedule, with the
  rate of its size and horizon; losses from the middle of a run are too high.

  Both sizes and tokens must vary, and not together: where all runs have the
  same tokens per parameter, the two exponents are hardly told apart. Two sizes
  do not tell the exponent from the loss of an infinite model.

  Args:
    sizes: Parameters of the models, > 0, `(M,)`; without or with embeddings,
      but all alike. Three different ones at least, of five runs or more.
    tokens: Tokens that each was trained on, > 0, `(M,)`, three different ones
      at least.
    losses: Their final losses, > 0, `(M,)`.
    huber_delta: Relative error of a loss from which on it counts for less, > 0;
      infinite for least squares.
    confidence: Of the intervals, in (0, 1).

  Returns:
    The law.

  Raises:
    ValueError: If an argument is out of its range, losses are constant, or
      runs are too few.

  Example:
    >>> import numpy as np
    >>> import optax_stepsize
    >>> sizes = np.repeat([1.9e8, 3.7e8, 7.6e8, 1.3e9], 4)
    >>> tokens = 20 * sizes * np.tile([1, 2, 5, 10], 4)
    >>> losses = 1.7 + 400 / sizes**0.34 + 410 / tokens**0.28
    >>> fit = optax_stepsize.fit_chinchilla(sizes, tokens, losses)
    >>> round(fit.law.alpha, 4), round(fit.law.beta, 4)
    (0.34, 0.28)
    >>> round(float(fit.predict(7e9, 4e12)), 4)
    2.0012

  References:
    Bhagia, Liu, Wettig, Heineman, Tafjord, Jha, Soldaini, Smith, Groeneveld,
    Koh, Dodge and Hajishirzi, Establishing Task Scaling Laws via
    Compute-Efficient Model Ladders, 2024, arXiv 2412.04403, for ladders and
    fit; Hoffmann et al., Training Compute-Optimal Large Language Models, 2022,
    arXiv 2203.15556, for the law; BibTeX by
    `optax_stepsize.cite("fit_chinchilla")`.
  """
  method = "fit_chinchilla"
  log_sizes = np.log(_points.column(method, "sizes", sizes))
  log_tokens = np.log(_points.column(method, "tokens", tokens))
  values = _points.column(method, "losses", losses)
  _points.check_lengths(
    method, sizes=log_sizes, tokens=log_tokens, losses=values
  )
  _points.check_different(method, "sizes", log_sizes, 3)
  _points.check_different(method, "tokens", log_tokens, 3)
  _points.check_different(method, "losses", values, 2)
  return _fit.robust_fit(
    Chinchilla,
    _residuals,
    _starts(log_sizes, log_tokens, values),
    {
      "log_sizes": log_sizes,
      "log_tokens": log_tokens,
      "log_losses": np.log(values),
    },
    method=method,
    huber_delta=huber_delta,
    confidence=confidence,
  )
