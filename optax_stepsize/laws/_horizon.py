# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The best rate against the number of tokens, at a fixed batch size."""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from optax_stepsize import core
from optax_stepsize.laws import _fit
from optax_stepsize.laws import _law
from optax_stepsize.laws import _points

# Of the paper:
#   D      tokens of a run           N      parameters without embeddings
#   lr*    best rate                 B, C   rate at D = 1 and at N = D = 1
#   beta   exponent of D             alpha  exponent of N


@dataclasses.dataclass(frozen=True)
class SweepOptimum:
  """The best rate of a sweep.

  Attributes:
    lr: The best rate: that of the vertex of the parabola if `interior`, else
      that of the least loss measured.
    loss: The loss there.
    curvature: Second derivative of the loss in the natural logarithm of the
      rate; NaN where there was no parabola to fit.
    interior: Whether the parabola has a minimum within the sweep.
    boot_lo: Lower end of the interval of the best rate; zero if the data allow
      any small one, None if there is no interval.
    boot_hi: Upper end; infinite if the data allow any large one.
    used: Positions of the runs that the parabola is fitted to.
    dropped: Positions of the runs that diverged and were left out.
    warning: What the user should know before using `lr`, or "".
  """

  lr: float
  loss: float
  curvature: float
  interior: bool
  boot_lo: float | None
  boot_hi: float | None
  used: tuple[int, ...]
  dropped: tuple[int, ...]
  warning: str


@dataclasses.dataclass(frozen=True)
class HorizonLaw(_law.Law):
  """Best rate = B / tokens**beta, at one size and one batch.

  Attributes:
    B: Rate at one token, > 0; its value depends on the unit of tokens.
    beta: Exponent.
  """

  B: float
  beta: float

  def predict(self, tokens: npt.ArrayLike) -> np.ndarray:
    """The best rate for `tokens` > 0 of any shape, in float64."""
    tokens = _points.positive("HorizonLaw.predict", "tokens", tokens)
    return np.exp(math.log(self.B) - self.beta * np.log(tokens))


@dataclasses.dataclass(frozen=True)
class HorizonSizeLaw(_law.Law):
  """Best rate = C / (size**alpha tokens**beta), at one batch.

  Attributes:
    C: Rate of one parameter at one token, > 0; its value depends on the units.
    alpha: Exponent of the size.
    beta: Exponent of the tokens.
  """

  C: float
  alpha: float
  beta: float

  def predict(self, size: npt.ArrayLike, tokens: npt.ArrayLike) -> np.ndarray:
    """The best rate for sizes and tokens > 0 that broadcast, in float64."""
    where = "HorizonSizeLaw.predict"
    size = _points.positive(where, "size", size)
    tokens = _points.positive(where, "tokens", tokens)
    logs = self.alpha * np.log(size) + self.beta * np.log(tokens)
    return np.exp(math.log(self.C) - logs)


def _near_the_best(
  rates: np.ndarray, losses: np.ndarray, kept: np.ndarray, window: int
) -> np.ndarray:
  """Positions of the runs at the best rate and at `window` on either side."""
  place = np.unique(rates[kept], return_inverse=True)[1]
  means = np.bincount(place, losses[kept]) / np.bincount(place)
  return kept[np.abs(place - np.argmin(means)) <= window]


def _vertex_interval(
  coefficients: np.ndarray,
  design: np.ndarray,
  rms: float,
  n_boot: int,
  seed: int,
  confidence: float,
) -> tuple[float, float]:
  """Quantiles of the vertex over draws of the noise.

  A fit to the losses plus noise is the fit plus that of the noise, so draws
  need no refit. So few points leave the size of the noise in doubt as well; it
  is drawn with it, as in Student's distribution. A draw that opens downwards
  has its least loss beyond the sweep, where it falls.
  """
  rng = np.random.default_rng(seed)
  freedom = len(design) - 3
  root = np.linalg.cholesky(np.linalg.inv(design.T @ design))
  scale = rms * np.sqrt(freedom / rng.chisquare(freedom, n_boot))
  noise = rng.standard_normal((n_boot, 3)) @ root.T
  a, b, _ = (coefficients + scale[:, None] * noise).T
  beyond = np.where(b < 0, math.inf, -math.inf)
  vertex = np.where(a > 0, -b / np.where(a > 0, 2 * a, 1), beyond)
  tail = (1 - confidence) / 2
  # Of infinite draws there is no mean to interpolate to.
  low, high = np.quantile(vertex, (tail, 1 - tail), method="nearest")
  return float(low), float(high)


def optimal_lr_from_sweep(
  learning_rates: npt.ArrayLike,
  losses: npt.ArrayLike,
  *,
  window: int = 2,
  max_excess: float = 0.5,
  n_boot: int = 0,
  confidence: float = 0.95,
  seed: int = 0,
) -> SweepOptimum:
  r"""The best rate of a sweep, by a parabola in the logarithm of the rate.

  Near its minimum the final loss is close to :math:`a (\log \gamma)^2 + b \log
  \gamma + c`, whose least value lies at :math:`\log \gamma^* = -b / 2a`. The
  parabola is fitted by least squares to the best rate and to `window` rates on
  either side; `fit_lr_sweep` fits another shape to all of them, and what the
  two differ by is what the choice of a shape matters.

  Args:
    learning_rates: Rates, > 0, `(N,)` and in any order; rates may repeat, for
      several seeds.
    losses: Their final losses, `(N,)`. Those that are not finite, or too large,
      are of runs that diverged, and are left out.
    window: Rates on either side of the best one that are used, >= 1.
    max_excess: Largest difference to the least loss, > 0; that of losses in
      nats by default, infinite to keep all that are finite.
    n_boot: Draws of the noise for the interval of the best rate, >= 0; a
      thousand is enough. Zero for no interval.
    confidence: Share of such sweeps whose interval holds the best rate, in
      (0, 1), if losses follow the parabola with independent noise.
    seed: Of the draws.

  Returns:
    The best rate, and whether it lies within the sweep.

  Raises:
    ValueError: If an argument is out of its range, or fewer than 3 different
      rates are left.

  Example:
    >>> import optax_stepsize
    >>> best = optax_stepsize.optimal_lr_from_sweep(
    ...   [1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3], [3.02, 3.0, 2.995, 3.012, 7.5]
    ... )
    >>> round(best.lr, 10), best.interior, best.dropped
    (0.0003153069, True, (4,))

  References:
    Bjorck, Benhaim, Chaudhary, Wei and Song, Scaling Optimal LR Across Token
    Horizons, ICLR 2025, arXiv 2409.19913; BibTeX by
    `optax_stepsize.cite("optimal_lr_from_sweep")`.
  """
  method = "optimal_lr_from_sweep"
  core.check_count(method, "window", window, 1)
  core.check_count(method, "n_boot", n_boot, 0)
  core.check_count(method, "seed", seed, 0)
  core.check_range(method, "max_excess", max_excess, "(0, inf]")
  core.check_range(method, "confidence", confidence, "(0, 1)")
  rates = _points.column(method, "learning_rates", learning_rates)
  values = _points.column(method, "losses", losses, _points.ANY)
  _points.check_lengths(method, learning_rates=rates, losses=values)
  finite = np.isfinite(values)
  least = np.min(values, where=finite, initial=math.inf)
  good = finite & (values <= least + max_excess)
  kept = np.flatnonzero(good)
  _points.check_different(
    method, "learning_rates of runs that did not diverge", rates[kept], 3
  )
  used = _near_the_best(rates, values, kept, window)
  low, high = np.min(rates[kept]), np.max(rates[kept])
  at_best = used[np.argmin(values[used])]
  best, loss = float(rates[at_best]), float(values[at_best])
  curvature, interior, interval = math.nan, False, None
  if np.unique(rates[used]).size >= 3:
    # Centred, the columns of the design are nearly orthogonal.
    center = np.mean(np.log(rates[used]))
    x = np.log(rates[used]) - center
    design = np.stack([x**2, x, np.ones_like(x)], axis=1)
    fit = np.linalg.lstsq(design, values[used])[0]
    a, b, c = (float(coefficient) for coefficient in fit)
    curvature = 2 * a
    vertex = math.exp(center - b / (2 * a)) if a > 0 else math.nan
    interior = bool(low < vertex < high)
    if interior:
      best, loss = vertex, c - b**2 / (4 * a)
    if n_boot and len(used) > 3:
      rms = math.sqrt(
        np.sum((design @ fit - values[used]) ** 2) / (len(used) - 3)
      )
      ends = _vertex_interval(fit, design, rms, n_boot, seed, confidence)
      interval = tuple(float(np.exp(center + end)) for end in ends)
  warnings = []
  if not interior:
    side = "larger" if best * best > low * high else "smaller"
    warnings.append(
      f"no parabola with a minimum between {low:g} and {high:g}; lr is the rate"
      f" of the least loss. Fix: add {side} rates, or more about it"
    )
  if n_boot and interval is None:
    warnings.append(
      f"{len(used)} runs leave nothing to judge the noise by, so there is no"
      " interval. Fix: add rates or seeds, or widen the window"
    )
  boot_lo, boot_hi = interval or (None, None)
  return SweepOptimum(
    lr=best,
    loss=loss,
    curvature=curvature,
    interior=interior,
    boot_lo=boot_lo,
    boot_hi=boot_hi,
    used=tuple(used.tolist()),
    dropped=tuple(np.flatnonzero(~good).tolist()),
    warning="; ".join(warnings),
  )


# Both take logarithms of sizes, tokens and rates. Their constants are rates at
# a single token, so far from the data that a factor of e in them says nothing
# of how well rates are told where they matter.


def _horizon_residuals(values, data):
  logs = jnp.log(values["B"]) - values["beta"] * data["tokens"]
  return data["root_weights"] * (logs - data["best_lrs"])


def _size_residuals(values, data):
  logs = (
    jnp.log(values["C"])
    - values["alpha"] * data["sizes"]
    - values["beta"] * data["tokens"]
  )
  return logs - data["best_lrs"]


def fit_horizon_law(
  tokens: npt.ArrayLike,
  best_lrs: npt.ArrayLike,
  *,
  weights: npt.ArrayLike | None = None,
  confidence: float = 0.95,
) -> _fit.FitResult[HorizonLaw]:
  r"""How the best rate falls with the number of tokens.

  .. math::
    \gamma^*(D) = B D^{-\beta}

  by least squares of logarithms. It holds where the batch size and the shape of
  the schedule stay the same and the number of tokens alone changes; where the
  batch grows with the tokens, the best rate may even grow. What it says of a
  width of the network does not come out of it, nor out of the rules that keep
  the best rate the same at all widths: multiply by both factors.

  Args:
    tokens: Tokens of the runs, > 0, `(N,)`, at least two different ones.
    best_lrs: Their best rates, > 0, `(N,)`, as `optimal_lr_from_sweep` finds.
    weights: Weights of the squares, >= 0, `(N,)`; equal by default.
    confidence: Of the intervals, in (0, 1).

  Returns:
    The law, with intervals if there are more than two runs.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> fit = optax_stepsize.fit_horizon_law(
    ...   [25e9, 50e9, 100e9, 200e9], [1.34e-3, 1.02e-3, 6.60e-4, 4.12e-4]
    ... )
    >>> round(fit.law.beta, 4), f"{float(fit.predict(800e9)):.3e}"
    (0.5733, '1.943e-04')

  References:
    Bjorck, Benhaim, Chaudhary, Wei and Song, Scaling Optimal LR Across Token
    Horizons, ICLR 2025, arXiv 2409.19913; BibTeX by
    `optax_stepsize.cite("fit_horizon_law")`.
  """
  method = "fit_horizon_law"
  log_tokens = np.log(_points.column(method, "tokens", tokens))
  log_lrs = np.log(_points.column(method, "best_lrs", best_lrs))
  _points.check_lengths(method, tokens=log_tokens, best_lrs=log_lrs)
  _points.check_different(method, "tokens", log_tokens, 2)
  roots = _points.root_weights(method, weights, len(log_lrs))
  slope, level = np.polyfit(log_tokens, log_lrs, 1, w=roots)
  return _fit.robust_fit(
    HorizonLaw,
    _horizon_residuals,
    [{"B": math.exp(level), "beta": -slope}],
    {"tokens": log_tokens, "best_lrs": log_lrs, "root_weights": roots},
    method=method,
    huber_delta=math.inf,
    positive=("B",),
    confidence=confidence,
    vague_error=math.inf,
  )


def fit_horizon_size_law(
  sizes: npt.ArrayLike,
  tokens: npt.ArrayLike,
  best_lrs: npt.ArrayLike,
  *,
  confidence: float = 0.95,
) -> _fit.FitResult[HorizonSizeLaw]:
  r"""How the best rate falls with the size of a model and with its tokens.

  .. math::
    \gamma^*(N, D) = C N^{-\alpha} D^{-\beta}

  by least squares of logarithms, at one batch size. Of models from 760 million
  parameters on, the paper finds :math:`\alpha = 0.23` and :math:`\beta = 0.32`;
  in smaller ones the rate falls faster with the tokens.

  Args:
    sizes: Parameters without embeddings, > 0, `(N,)`.
    tokens: Tokens of the runs, > 0, `(N,)`.
    best_lrs: Their best rates, > 0, `(N,)`, as `optimal_lr_from_sweep` finds.
    confidence: Of the intervals, in (0, 1).

  Returns:
    The law, with intervals if there are more than three runs.

  Raises:
    ValueError: If an argument is out of its range, or sizes and tokens do not
      vary independently.

  Example:
    >>> import numpy as np
    >>> import optax_stepsize
    >>> law = optax_stepsize.HorizonSizeLaw(C=500.0, alpha=0.23, beta=0.32)
    >>> sizes, tokens = np.array([[1e9, 1e9, 3e9], [2e10, 1e11, 1e11]])
    >>> fit = optax_stepsize.fit_horizon_size_law(
    ...   sizes, tokens, law.predict(sizes, tokens)
    ... )
    >>> round(fit.law.alpha, 6), round(fit.law.beta, 6)
    (0.23, 0.32)

  References:
    Bjorck, Benhaim, Chaudhary, Wei and Song, Scaling Optimal LR Across Token
    Horizons, ICLR 2025, arXiv 2409.19913; BibTeX by
    `optax_stepsize.cite("fit_horizon_law")`.
  """
  method = "fit_horizon_size_law"
  given = {
    "sizes": _points.column(method, "sizes", sizes),
    "tokens": _points.column(method, "tokens", tokens),
    "best_lrs": _points.column(method, "best_lrs", best_lrs),
  }
  _points.check_lengths(method, **given)
  data = {name: np.log(values) for name, values in given.items()}
  columns = (np.ones_like(data["sizes"]), -data["sizes"], -data["tokens"])
  (level, alpha, beta), _, rank, _ = np.linalg.lstsq(
    np.stack(columns, axis=1), data["best_lrs"]
  )
  if rank < 3:
    raise ValueError(
      f"{method}: sizes and tokens must vary independently, got sizes"
      f" {given['sizes']} and tokens {given['tokens']}. Fix: add a run of"
      " another number of tokens at one size."
    )
  return _fit.robust_fit(
    HorizonSizeLaw,
    _size_residuals,
    [{"C": math.exp(level), "alpha": alpha, "beta": beta}],
    data,
    method=method,
    huber_delta=math.inf,
    positive=("C",),
    confidence=confidence,
    vague_error=math.inf,
  )


def transfer_lr(
  lr: float, tokens_from: float, tokens_to: float, *, beta: float = 0.32
) -> float:
  """The rate for a run of other length, from one that was tuned.

  The rate times `(tokens_from / tokens_to) ** beta`: four fifths at twice the
  tokens. The batch size and the shape of the schedule have to be the same. For
  another shape see `transfer_base_lr`, for another batch `scale_learning_rate`.

  Args:
    lr: The best rate of a run of `tokens_from` tokens, > 0.
    tokens_from: Tokens of that run, > 0.
    tokens_to: Tokens of the run to come, > 0, in the same unit.
    beta: Exponent, >= 0, as `fit_horizon_law` finds. The default is that of
      models from 760 million parameters on; the paper has 0.38 at 350 million,
      0.65 at 125 million and 0.7 at 50 million.

  Returns:
    The rate.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> round(optax_stepsize.transfer_lr(3e-4, 1e11, 2e11), 9)
    0.000240321

  References:
    Bjorck, Benhaim, Chaudhary, Wei and Song, Scaling Optimal LR Across Token
    Horizons, ICLR 2025, arXiv 2409.19913; BibTeX by
    `optax_stepsize.cite("fit_horizon_law")`.
  """
  for name, value in (
    ("lr", lr),
    ("tokens_from", tokens_from),
    ("tokens_to", tokens_to),
  ):
    core.check_range("transfer_lr", name, value, "(0, inf)")
  core.check_range("transfer_lr", "beta", beta, "[0, inf)")
  return float(lr) * (float(tokens_from) / float(tokens_to)) ** float(beta)
