# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The multi-power law: the loss of any schedule, from three short runs.

Computed from the step size of every step.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

from optax_stepsize import core
from optax_stepsize.laws import _curve
from optax_stepsize.laws import _fit
from optax_stepsize.laws import _law

# Of the paper (steps t = 0..T-1):
#   eta_t    rate of step t            S_1(t)  `area`, the rates up to t summed
#   LD(t)    `_drop`                   S_k(t)  = S_1(t) - S_1(k-1), `gone`
#   eta_{k-1} - eta_k  `gap` of the change k, S_1(k-1) is its `before`
#   G(x) = 1 - (C x + 1)^-beta, of x = eta_k^-gamma S_k(t)

_NAMES = ("L0", "A", "alpha", "B", "C", "beta", "gamma")
_SHAPES = ("fixed", "free", "early_stopped")
# Rates below count as this one in eta^-gamma.
_LEAST_RATE = 1e-10
# Predicted losses below count as this one in logarithms.
_LEAST_LOSS = 1e-10
# Pairs of a point and a change that are looked at together: some megabytes.
_PAIRS = 2**18

# What a fit starts from besides its pre-fit.
_SHAPE_START = {"C": 1.0, "beta": 0.5, "gamma": 0.5}
_EXPONENTS = (0.1, 0.3, 0.5, 0.7, 1.0)

# The recipe of the authors: AdamW on the parameters themselves.
_RECIPE_RATES = {
  name: 5e-2 if name in ("L0", "A", "B", "C") else 5e-3 for name in _NAMES
}
_RECIPE = optax.adamw(1.0, weight_decay=0.01)
_recipe_moves = jax.jit(_RECIPE.update)
# At most so many steps, without progress for so many, down to such a gradient.
_RECIPE_STEPS, _RECIPE_PATIENCE, _RECIPE_FLAT = 200, 20, 1e-5


def losses(
  values: Mapping[str, Any], area: jax.Array, changes: Mapping[str, jax.Array]
) -> jax.Array:
  """The law, pure JAX.

  Args:
    values: The parameters.
    area: `(M,)`: sums of the rates up to the points that are asked for.
    changes: Arrays `(N, K)`, of N times K changes of the rate: `gap`, by how
      much it falls; `log_rate`, its logarithm after it; `before`, the sum of
      the rates up to it.

  Returns:
    `(M,)`.
  """
  rate = values["A"] * area ** -values["alpha"]
  return values["L0"] + rate - values["B"] * _drop(values, area, changes)


def _drop(values, area, changes):
  """What falling rates have gained, over B: N rounds of M times K numbers."""

  def add(total, part):
    gap, scale, before = (x[None, :] for x in part)
    # Nothing is gone before a change that is still to come.
    gone = jnp.maximum(area[:, None] - before, 0)
    share = -jnp.expm1(-values["beta"] * jnp.log1p(scale * gone))
    return total + jnp.sum(gap * share, axis=1), None

  scale = values["C"] * jnp.exp(-values["gamma"] * changes["log_rate"])
  parts = (changes["gap"], scale, changes["before"])
  # Not by zeros_like: the sum depends on the parameters where `area` does not.
  zero = jnp.zeros(len(area), jnp.result_type(area, scale))
  return jax.lax.scan(add, zero, parts)[0]


_losses = jax.jit(losses)


def _changes(
  rates: np.ndarray, first: int, block: int, points: int
) -> dict[str, np.ndarray]:
  """The changes of the rate from step `first` on, for so many points.

  Args:
    rates: Of all steps.
    first: The first step whose rate is compared with the one before.
    block: So many neighbouring changes of the same sign are put together.
    points: M, which sets the shape: rounds of at most `_PAIRS` pairs.
  """
  gap = rates[first - 1 : -1] - rates[first:]
  place = np.flatnonzero(gap)
  gap, at = gap[place], place + first
  # A run of neighbours of one sign, and the place in it.
  new = np.ones(len(at), bool)
  new[1:] = (np.diff(at) != 1) | (np.diff(np.sign(gap)) != 0)
  order = np.arange(len(at))
  spent = order - np.maximum.accumulate(np.where(new, order, 0))
  starts = np.flatnonzero(spent % block == 0)
  found = {
    "gap": gap,
    "log_rate": np.log(np.maximum(rates[at], _LEAST_RATE)),
    "before": np.cumsum(rates)[at - 1],
  }
  if block > 1 and len(starts):
    weight = np.abs(gap)
    total = np.add.reduceat(weight, starts)
    found = {
      name: np.add.reduceat(x if name == "gap" else weight * x, starts)
      / (1 if name == "gap" else total)
      for name, x in found.items()
    }
  count = len(starts)
  # Powers of two, so that schedules alike in length share a program.
  most = max(1, _PAIRS // points)
  size = 1 << min(most.bit_length() - 1, max(0, count - 1).bit_length())
  rounds = -(-count // size)
  # A gap of zero adds nothing.
  return {
    name: np.pad(x, (0, rounds * size - count)).reshape(rounds, size)
    for name, x in found.items()
  }


def _area(method: str, rates: np.ndarray, steps: np.ndarray) -> np.ndarray:
  """Sums of the rates up to `steps`."""
  area = np.cumsum(rates)[steps]
  if np.any(area <= 0):
    raise ValueError(
      f"{method}: schedule must be > 0 at some step up to"
      f" {int(np.min(steps[area <= 0]))}, where the loss is asked for, but is"
      " zero at all of them."
    )
  return area


@dataclasses.dataclass(frozen=True)
class MultiPowerLaw(_law.Law):
  r"""The loss of a run, from the step sizes :math:`\eta_0, \eta_1, \dots`.

  .. math::
    L(t) = L_0 + A S_1(t)^{-\alpha} - B \sum_{k \le t} (\eta_{k-1} - \eta_k)
    \left(1 - \left(1 + C \eta_k^{-\gamma} S_k(t)\right)^{-\beta}\right),
    \qquad S_k(t) = \sum_{i=k}^t \eta_i,

  where the sum over k begins after the warm-up. Each fall of the rate lowers
  the loss, at a pace that its own power law sets; `fit_multi_power_law` finds
  the numbers, `optimize_schedule` the rates with the least loss at the end.

  Attributes:
    L0: The loss that is left after infinitely many steps at a constant rate.
    A: Size of what a constant rate gains, loss times rate^alpha.
    alpha: Its exponent.
    B: Size of what falling rates gain, loss per rate.
    C: How fast they gain it, rate^(gamma - 1).
    beta: The exponent of that.
    gamma: How much slower a gain is after a fall to a larger rate.
    drop_in_warmup: Whether the sum over k takes the rises of the warm-up in.
      Parameters belong to one answer: L0 differs by about B times the peak.
  """

  L0: float
  A: float
  alpha: float
  B: float
  C: float
  beta: float
  gamma: float
  drop_in_warmup: bool = False

  def __post_init__(self):
    for name in _NAMES:
      core.check_range("MultiPowerLaw", name, getattr(self, name), "[0, inf)")

  def predict(
    self,
    schedule: _curve.ScheduleOrRates,
    steps: npt.ArrayLike,
    *,
    warmup_steps: int = 0,
    block: int = 1,
  ) -> np.ndarray:
    """The loss after some steps of a run.

    Args:
      schedule: A function of the step, or the rates of at least as many steps
        as are asked for.
      steps: Integers `(M,)`, counted from zero.
      warmup_steps: Steps of the warm-up; the first rate that can be a fall is
        that of the step after them.
      block: So many neighbouring falls count as one, >= 1; 1 is exact. Of a
        schedule that changes all the time, time is proportional to M times the
        changes over `block`; memory is not.

    Returns:
      Float64 array `(M,)`.

    Raises:
      ValueError: If an argument is out of its range, or all rates up to one of
        the steps are zero.
    """
    method = "MultiPowerLaw.predict"
    core.check_count(method, "warmup_steps", warmup_steps, 0)
    core.check_count(method, "block", block, 1)
    counts = _curve.as_steps(method, steps)
    rates = _curve.as_rates(method, schedule, int(np.max(counts)) + 1)
    area = _area(method, rates, counts)
    first = 1 if self.drop_in_warmup else warmup_steps + 1
    changes = _changes(rates, first, block, len(counts))
    with core.enable_x64():
      return np.asarray(_losses(as_values(self), area, changes))


def as_values(law: MultiPowerLaw) -> dict[str, jax.Array]:
  """The parameters as `losses` takes them."""
  return {name: jnp.asarray(float(getattr(law, name))) for name in _NAMES}


def _run(method, curve, drop_in_warmup, block) -> dict[str, Any]:
  """A curve as the residuals take it."""
  area = _area(method, curve.rates, curve.steps)
  first = 1 if drop_in_warmup else curve.warmup_steps + 1
  return {
    "area": area,
    "fall": np.max(curve.rates) - curve.rates[curve.steps],
    "log_losses": np.log(curve.losses),
    "changes": _changes(curve.rates, first, block, len(area)),
  }


def _log_residuals(values, runs):
  """Of all curves, one after another."""
  parts = []
  for run in runs:
    predicted = losses(values, run["area"], run["changes"])
    predicted = jnp.log(jnp.maximum(predicted, _LEAST_LOSS))
    parts.append(predicted - run["log_losses"])
  return jnp.concatenate(parts)


def _start_residuals(values, data):
  """Of the law whose falls gain in full at once."""
  rate = values["A"] * data["area"] ** -values["alpha"]
  predicted = values["L0"] + rate - values["B"] * data["fall"]
  return jnp.log(jnp.maximum(predicted, _LEAST_LOSS)) - data["log_losses"]


def _pre_fit(method, runs, huber_delta) -> dict[str, float]:
  """L0, A, alpha and B of the law whose falls gain in full at once.

  That law is linear for a given alpha. Its least squares, which need no start,
  are where the robust fit of all four starts.
  """
  from scipy import optimize

  data = {
    name: np.concatenate([run[name] for run in runs])
    for name in ("area", "fall", "log_losses")
  }
  starts = []
  for alpha in _EXPONENTS:
    columns = np.stack(
      [np.ones_like(data["area"]), data["area"] ** -alpha, -data["fall"]]
    )
    # Relative errors, and columns of like size.
    columns = columns * np.exp(-data["log_losses"])
    sizes = np.linalg.norm(columns, axis=1)
    sizes = np.where(sizes > 0, sizes, 1)
    found, error = optimize.nnls(columns.T / sizes, np.ones(columns.shape[1]))
    start = dict(zip(("L0", "A", "B"), map(float, found / sizes), strict=True))
    starts.append((error, alpha, start))
  # Two, because the best of the grid may lie on either side of the minimum.
  return _fit.robust_fit(
    dict,  # type: ignore[type-var]
    _start_residuals,
    [start | {"alpha": alpha} for _, alpha, start in sorted(starts)[:2]],
    data,
    method=method,
    huber_delta=huber_delta,
  ).law


def _huber(values, runs, delta):
  size = jnp.abs(_log_residuals(values, runs))
  square = size**2 / 2
  return jnp.sum(jnp.where(size < delta, square, delta * (size - delta / 2)))


@jax.jit
def _slope(values, runs, delta):
  """The objective and its gradient, forward for the sake of memory."""

  def twice(values):
    objective = _huber(values, runs, delta)
    return objective, objective

  gradient, objective = jax.jacfwd(twice, has_aux=True)(values)
  return objective, gradient


def _early_stopped(start, runs, huber_delta):
  """The recipe of the authors.

  Returns:
    The parameters, the least objective that was seen, and the steps.
  """
  # They descend by AdamW on the parameters themselves, two groups of which have
  # rates of their own, and stop where the objective has not fallen for a while.
  best, since, steps = math.inf, 0, 0
  with core.enable_x64(), jax.numpy_dtype_promotion("standard"):
    runs = jax.tree.map(jnp.asarray, runs)
    delta = jnp.asarray(huber_delta, jnp.float64)
    values = {name: jnp.asarray(start[name], jnp.float64) for name in _NAMES}
    state, kept = _RECIPE.init(values), values
    while steps < _RECIPE_STEPS and since < _RECIPE_PATIENCE:
      objective, gradient = jax.device_get(_slope(values, runs, delta))
      moves, state = _recipe_moves(gradient, state, values)
      values = {n: values[n] + _RECIPE_RATES[n] * moves[n] for n in _NAMES}
      if not min(map(float, values.values())) > 0:
        break
      steps, since = steps + 1, since + 1
      if objective < best:
        # The parameters after the step whose objective before it is the best:
        # the authors' tables are of these.
        best, since, kept = float(objective), 0, values
      if not math.hypot(*map(float, gradient.values())) >= _RECIPE_FLAT:
        break
  return {n: float(x) for n, x in kept.items()}, best, steps


def _told(fit, warnings, unknown):
  """The fit with warnings, and without what it cannot know."""
  return dataclasses.replace(
    fit,
    warnings=(*warnings, *fit.warnings),
    intervals={
      name: None if name in unknown else interval
      for name, interval in fit.intervals.items()
    },
    covariance=None if unknown else fit.covariance,
  )


def fit_multi_power_law(
  curves: Sequence[_curve.Curve],
  *,
  shape: str = "fixed",
  C: float = 2.0,  # noqa: N803
  beta: float = 0.6,
  drop_in_warmup: bool | None = None,
  huber_delta: float = 1e-3,
  block: int = 8,
  starts: Sequence[Mapping[str, float]] | None = None,
  confidence: float = 0.95,
) -> _fit.FitResult[MultiPowerLaw]:
  r"""Fits `MultiPowerLaw` to the loss curves of a few short runs.

  The runs have the same model, data and batch, and schedules that decay in at
  least two ways: a cosine, a constant rate and one sudden fall are a good set.
  With fewer ways the law may fit, but what a fall gains and how fast is not
  told apart; a warning says so.

  Args:
    curves: Of the runs. Points in the warm-up are left out.
    shape: How C, beta and gamma are found, which the data hardly tell. "fixed":
      C and beta are held, and the rest is the minimum; of all it depends the
      least on luck. "free": the minimum in all seven parameters, which fits the
      curves best and predicts longer runs worse. "early_stopped": the authors'
      recipe, 200 steps of AdamW at most, for comparison with their figures;
      its parameters are no minimum and have no intervals.
    C: Held with "fixed", > 0.
    beta: Held with "fixed", > 0.
    drop_in_warmup: Whether the law counts rises of the warm-up. None: as in the
      paper not, but with "early_stopped" yes, as the recipe has it.
    huber_delta: Size of a residual of log losses above which it is taken for an
      outlier, > 0.
    block: So many neighbouring changes of the rate count as one during the fit,
      >= 1. Eight change the fifth digit; 1 is exact.
    starts: Dictionaries of parameters to start from, by name. What they lack
      comes from a pre-fit of a simpler law, and C = 1, beta = gamma = 0.5.
      None: one start, with all of it from there. "early_stopped" has one.
    confidence: Of the intervals, in (0, 1).

  Returns:
    The law and what the data tell of it. With "early_stopped", `objective` is
    the least that was seen, `optima` has that of the law, one step later, and
    `num_evals` are the steps.

  Raises:
    ValueError: If an argument is out of its range, there are fewer points than
      parameters, or a loss does not change.

  Example:
    >>> import numpy as np
    >>> import optax
    >>> import optax_stepsize
    >>> truth = optax_stepsize.MultiPowerLaw(
    ...   L0=2.5, A=0.6, alpha=0.45, B=400.0, C=2.0, beta=0.6, gamma=0.4
    ... )
    >>> steps = np.arange(20, 1000, 20)
    >>> schedules = [
    ...   optax.constant_schedule(1e-3),
    ...   optax_stepsize.linear_decay_schedule(1e-3, 1000),
    ...   np.where(np.arange(1000) < 400, 1e-3, 3e-4),
    ... ]
    >>> curves = [
    ...   optax_stepsize.Curve(steps, truth.predict(schedule, steps), schedule)
    ...   for schedule in schedules
    ... ]
    >>> fit = optax_stepsize.fit_multi_power_law(curves, block=1)
    >>> round(fit.law.B, 2), round(fit.law.gamma, 4)
    (400.0, 0.4)

  References:
    Luo et al., `A Multi-Power Law for Loss Curve Prediction Across Learning
    Rate Schedules <https://arxiv.org/abs/2503.12811>`_, 2025.
    `optax_stepsize.cite("fit_multi_power_law")`.
  """
  method = "fit_multi_power_law"
  core.check_choice(method, "shape", shape, _SHAPES)
  core.check_choice(
    method, "drop_in_warmup", drop_in_warmup, (None, False, True)
  )
  core.check_range(method, "C", C, "(0, inf)")
  core.check_range(method, "beta", beta, "(0, inf)")
  core.check_range(method, "huber_delta", huber_delta, "(0, inf]")
  core.check_count(method, "block", block, 1)
  curves = _curve.check_curves(method, curves)
  early = shape == "early_stopped"
  if drop_in_warmup is None:
    drop_in_warmup = early

  runs = tuple(
    _run(method, curve, bool(drop_in_warmup), block) for curve in curves
  )
  start = _pre_fit(method, runs, huber_delta) | _SHAPE_START
  begins = [
    start | dict(given) for given in _check_starts(method, shape, starts)
  ]
  if early:
    law, objective, steps = _early_stopped(begins[0], runs, huber_delta)
    begins = [law]
  fit = _fit.robust_fit(
    functools.partial(MultiPowerLaw, drop_in_warmup=bool(drop_in_warmup)),
    _log_residuals,
    [{name: begin[name] for name in _NAMES} for begin in begins],
    runs,
    method=method,
    huber_delta=huber_delta,
    held={"C": C, "beta": beta} if shape == "fixed" else None,
    groups=[len(run["area"]) for run in runs],
    # One evaluation goes nowhere.
    max_evals=1 if early else 400,
    confidence=confidence,
  )
  warnings, unknown = [], set()
  if early:
    fit = dataclasses.replace(
      fit, objective=objective, num_evals=steps, converged=True, warnings=()
    )
    warnings.append(
      f"the fit was stopped early, after {steps} steps, as the recipe has it:"
      " its parameters are no minimum and have no intervals"
    )
    unknown |= set(_NAMES)
  decays = [r for r in _curve.distinct_rates(curves) if np.ptp(r) > 0]
  if len(decays) < 2:
    warnings.append(
      "the curves decay in fewer than two ways, which do not tell B, C, beta"
      " and gamma; other schedules may be predicted wrong. Fix: add a run with"
      " another decay"
    )
    unknown |= {"B", "C", "beta", "gamma"}
  return _fit.with_metrics(_told(fit, warnings, unknown), curves)


def _check_starts(method, shape, starts):
  if starts is None:
    return [{}]
  if not starts or (shape == "early_stopped" and len(starts) > 1):
    most = " and just one with shape='early_stopped'"
    raise ValueError(
      f"{method}: starts must have at least one entry{most}, got {len(starts)}."
    )
  for start in starts:
    for name, value in start.items():
      core.check_choice(method, "names in starts", name, _NAMES)
      core.check_range(method, f"{name} in starts", value, "[0, inf)")
  return list(starts)
