# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Exp3, and the rate of an Exp3 learner from what it chose and lost.

Computed from the arms that it played and the losses that it saw.
"""

from collections.abc import Callable
import dataclasses
import functools
import math
from typing import Any, NamedTuple, TypeAlias

import chex
import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from optax_stepsize import core

# Of the paper:
#   K      number of arms                    n      length of the record
#   eta    rate, theta n**-alpha             theta  what is estimated
#   p_t    softmax(-eta Lhat_t)              Lhat   estimated sums of losses
#   eps    least probability                 T      horizon
# After arm I_t with loss l_t, Lhat[I_t] += l_t / p_t[I_t].

# From a key and the step to the losses of all arms.
LossFn: TypeAlias = Callable[[chex.PRNGKey, chex.Array], chex.Array]


class Exp3Record(NamedTuple):
  """What an Exp3 learner did.

  Attributes:
    arms: Int32 `(n,)`: the arms that it played.
    losses: `(n,)`: the losses that it saw.
    probabilities: `(n, K)`: those of all arms at each step.
  """

  arms: chex.Array
  losses: chex.Array
  probabilities: chex.Array


@dataclasses.dataclass(frozen=True)
class Exp3Fit:
  """The likeliest rate of an Exp3 learner.

  Attributes:
    theta: The rate times n**alpha.
    eta: The rate.
    log_likelihood: At that rate, of the steps up to the horizon.
    horizon: Number of steps that were used.
    curvature: Minus the second derivative of the log-likelihood in eta; one
      over its root is the standard error of eta, if there are many steps.
    warning: What the user should know before using `theta`, or "".
  """

  theta: float
  eta: float
  log_likelihood: float
  horizon: int
  curvature: float
  warning: str


def _log_probabilities(eta: jax.Array, sums: jax.Array) -> jax.Array:
  # Of differences to the least, so that sums at their largest stay numbers.
  return jax.nn.log_softmax(-eta * (sums - jnp.min(sums)))


def _added(sums, log_p, arm, loss):
  """The sums after a step, and whether its weight was a finite number."""
  # Zero over a vanishing probability is zero: nothing was lost.
  chosen = jnp.where(loss > 0, log_p[arm], 0)
  weight = loss * jnp.exp(-chosen)
  top = jnp.finfo(sums.dtype).max
  one = jax.nn.one_hot(arm, len(sums), dtype=sums.dtype)
  return (
    jnp.minimum(sums + jnp.minimum(weight, top) * one, top),
    jnp.isfinite(weight),
  )


@functools.partial(jax.jit, static_argnames="num_arms")
def _replayed(eta, arms, losses, *, num_arms):
  """Log-probabilities of the arms, and whether all weights are finite."""

  def step(sums, seen):
    arm, loss = seen
    log_p = _log_probabilities(eta, sums)
    sums, finite = _added(sums, log_p, arm, loss)
    return sums, (log_p, finite)

  start = jnp.zeros(num_arms, losses.dtype)
  _, (log_p, finite) = lax.scan(step, start, (arms, losses))
  return log_p, finite


@functools.partial(jax.jit, static_argnames="num_arms")
def _log_likelihood(eta, arms, losses, *, num_arms):
  """As a sum carried along: over a grid of rates, the rows would not fit."""

  def step(carry, seen):
    sums, total, good = carry
    arm, loss = seen
    log_p = _log_probabilities(eta, sums)
    sums, finite = _added(sums, log_p, arm, loss)
    return (sums, total + log_p[arm], good & finite), None

  dtype = losses.dtype
  start = jnp.zeros(num_arms, dtype), jnp.zeros((), dtype), jnp.asarray(True)
  (_, total, good), _ = lax.scan(step, start, (arms, losses))
  return jnp.where(good & ~jnp.isnan(total), total, -jnp.inf)


@functools.partial(jax.jit, static_argnames="num_arms")
def _over_rates(rates, arms, losses, *, num_arms):
  return jax.vmap(
    lambda eta: _log_likelihood(eta, arms, losses, num_arms=num_arms)
  )(rates)


def _check_record(
  method: str, arms: Any, losses: Any, num_arms: int
) -> tuple[Any, Any]:
  """The record with its shapes checked, and its values where concrete."""
  core.check_count(method, "num_arms", num_arms, 2)
  if isinstance(arms, (list, tuple)):
    arms = np.asarray(arms)
  if isinstance(losses, (list, tuple)):
    losses = np.asarray(losses, np.float64)
  if jnp.ndim(arms) != 1 or not len(arms) or jnp.shape(losses) != arms.shape:
    raise ValueError(
      f"{method}: arms and losses must have one entry for each step, got shapes"
      f" {jnp.shape(arms)} and {jnp.shape(losses)}."
    )
  if not jnp.issubdtype(arms.dtype, jnp.integer):
    raise ValueError(
      f"{method}: arms must be integers, got an array of {arms.dtype}."
    )
  if not isinstance(arms, jax.core.Tracer):
    played = np.asarray(arms)
    if np.min(played) < 0 or np.max(played) >= num_arms:
      raise ValueError(
        f"{method}: arms must be in [0, {num_arms - 1}], got values from"
        f" {np.min(played)} to {np.max(played)}. Fix: count arms from zero."
      )
  core.check_range(method, "losses", losses, "[0, 1]")
  return arms, losses


def _in_double(function: Callable[..., Any], *arrays: Any) -> Any:
  """Calls `function` in float64, or, on tracers, in JAX's default float."""

  def call():
    return function(
      *(
        x.astype(jnp.int32)
        if jnp.issubdtype(x.dtype, jnp.integer)
        else x.astype(jnp.result_type(float))
        for x in map(jnp.asarray, arrays)
      )
    )

  if any(isinstance(x, jax.core.Tracer) for x in arrays):
    return call()
  with core.enable_x64():
    return jax.tree.map(np.asarray, call())


def exp3_probabilities(
  eta: chex.Numeric, arms: chex.Array, losses: chex.Array, num_arms: int
) -> chex.Array:
  r"""The probabilities that Exp3 gives its arms, replayed on a record.

  .. math::
    p_t = \mathrm{softmax}(-\eta \hat L_t), \qquad
    \hat L_{t+1}[I_t] = \hat L_t[I_t] + \ell_t / p_t[I_t]

  from :math:`\hat L_1 = 0`, with no uniform part mixed in. No probability falls
  by more than :math:`\eta` in one step.

  Args:
    eta: Rate, >= 0, `()`.
    arms: Arms that were played, integers `(n,)` in [0, num_arms).
    losses: Losses that were seen, `(n,)` in [0, 1].
    num_arms: Number of arms, >= 2. Static.

  Returns:
    `(n, num_arms)`: in row t the probabilities from which arm t was drawn.
    Float64 NumPy; under a transformation such as `jax.vmap`, a JAX array of the
    default dtype.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> rows = optax_stepsize.exp3_probabilities(0.1, [0, 1], [1.0, 0.0], 3)
    >>> rows[1].round(6)
    array([0.270291, 0.364855, 0.364855])

  References:
    Aubert, Lehéricy and Reynaud-Bouret, On the convergence of the MLE as an
    estimator of the learning rate in the Exp3 algorithm, ICML 2023, arXiv
    2305.06660; BibTeX by `optax_stepsize.cite("fit_exp3_learning_rate")`.
  """
  method = "exp3_probabilities"
  core.check_range(method, "eta", eta, "[0, inf)")
  arms, losses = _check_record(method, arms, losses, num_arms)

  def rows(eta, arms, losses):
    return jnp.exp(_replayed(eta, arms, losses, num_arms=num_arms)[0])

  return _in_double(rows, eta, arms, losses)


def exp3_log_likelihood(
  eta: chex.Numeric,
  arms: chex.Array,
  losses: chex.Array,
  num_arms: int,
  *,
  horizon: int | None = None,
) -> chex.Array:
  r"""The log-likelihood of a rate of Exp3, given what was played and lost.

  .. math::
    \sum_{t \le T} \log p_t^\eta[I_t]

  where the estimated losses are those that a learner of rate :math:`\eta` would
  have had: they depend on the rate through its own probabilities. The horizon
  must not depend on the rate, or rates that stop early are favoured.

  Args:
    eta: Rate, >= 0, `()`.
    arms: Arms that were played, integers `(n,)` in [0, num_arms).
    losses: Losses that were seen, `(n,)` in [0, 1].
    num_arms: Number of arms, >= 2. Static.
    horizon: Number of steps that count, in [1, n]; all by default. Static.

  Returns:
    `()`, at most zero; minus infinity where estimated losses overflow. Float64
    NumPy; under a transformation such as `jax.grad`, a JAX array of the default
    dtype, of which float32 is good for a few hundred steps.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> record = [0, 1, 0, 0, 1, 2], [1, 0, 1, 0.5, 1, 0]
    >>> value = optax_stepsize.exp3_log_likelihood(0.1, *record, 3)
    >>> round(float(value), 9)
    -6.664197384

  References:
    Aubert, Lehéricy and Reynaud-Bouret, On the convergence of the MLE as an
    estimator of the learning rate in the Exp3 algorithm, ICML 2023, arXiv
    2305.06660; BibTeX by `optax_stepsize.cite("fit_exp3_learning_rate")`.
  """
  method = "exp3_log_likelihood"
  core.check_range(method, "eta", eta, "[0, inf)")
  arms, losses = _check_record(method, arms, losses, num_arms)
  if horizon is not None:
    core.check_count(method, "horizon", horizon, 1)
    if horizon > len(arms):
      raise ValueError(
        f"{method}: horizon must be at most {len(arms)}, the length of the"
        f" record, got {horizon}."
      )
  return _in_double(
    functools.partial(_log_likelihood, num_arms=num_arms),
    eta,
    arms[:horizon],
    losses[:horizon],
  )


def exp3_safe_horizon(max_eta: float, num_arms: int, min_prob: float) -> int:
  r"""Steps for which Exp3 cannot give an arm less than some probability.

  One step lowers a probability by :math:`\eta` at most, whatever the loss in
  [0, 1], so that

  .. math::
    p_t \ge 1/K - \eta (t - 1) \ge \epsilon \quad \text{for} \quad
    t \le T = \lfloor (1/K - \epsilon) / \eta \rfloor + 1

  Args:
    max_eta: Largest rate, > 0.
    num_arms: Number of arms K, >= 2.
    min_prob: The probability, in (0, 1/K).

  Returns:
    The number of steps, >= 1.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> optax_stepsize.exp3_safe_horizon(0.01, num_arms=2, min_prob=0.1)
    41

  References:
    Aubert, Lehéricy and Reynaud-Bouret, On the convergence of the MLE as an
    estimator of the learning rate in the Exp3 algorithm, ICML 2023, arXiv
    2305.06660; BibTeX by `optax_stepsize.cite("fit_exp3_learning_rate")`.
  """
  method = "exp3_safe_horizon"
  core.check_range(method, "max_eta", max_eta, "(0, inf)")
  core.check_count(method, "num_arms", num_arms, 2)
  core.check_range(method, "min_prob", min_prob, f"(0, {1 / num_arms!r})")
  return math.floor((1 / num_arms - min_prob) / max_eta) + 1


# Second derivatives through the scan: one number in, so forward over forward.
_curvature = jax.jacfwd(jax.jacfwd(_log_likelihood))


def fit_exp3_learning_rate(
  arms: chex.Array,
  losses: chex.Array,
  num_arms: int,
  *,
  alpha: float = 0.0,
  theta_bounds: tuple[float, float] = (0.05, 20.0),
  min_prob: float | None = None,
  num_grid: int = 2001,
) -> Exp3Fit:
  r"""The rate with which an Exp3 learner most likely learnt.

  It is :math:`\eta = \theta n^{-\alpha}`, the same at all of the n steps of the
  record. With a constant rate (:math:`\alpha = 0`) a learner soon plays its
  best arm only, and later choices say nothing; with :math:`\alpha = 1/2`, the
  order of least regret, the error falls polynomially with n.

  The likelihood has sharp peaks, sharper the longer the record, and a learner
  with a large rate may be all but certain of its choice. `min_prob` leaves out
  the steps from which on any of the rates could be. A geometric grid of rates
  finds the highest peak, and the same grid between the neighbours of the best,
  twice more, its top.

  Args:
    arms: Arms that were played, integers `(n,)` in [0, num_arms).
    losses: Losses that were seen, `(n,)` in [0, 1].
    num_arms: Number of arms, >= 2.
    alpha: Exponent, in [0, 1).
    theta_bounds: Least and largest theta, 0 < low < high.
    min_prob: Least probability of an arm that a rate within the bounds may
      have at the steps that count, in (0, 1 / num_arms); None to count all.
    num_grid: Rates in the grid, >= 200; more for more than 1000 steps.

  Returns:
    The rate. A warning tells if it is at a bound, or if the record says nothing
    of it.

  Raises:
    ValueError: If an argument is out of its range, or no rate of the grid
      explains the record, as for a long one whose peak lies between two.

  Example:
    >>> import jax
    >>> import optax_stepsize
    >>> arms, losses, _ = optax_stepsize.simulate_exp3(
    ...   jax.random.key(0), 0.05, 400, [0.2, 0.8]
    ... )
    >>> fit = optax_stepsize.fit_exp3_learning_rate(
    ...   arms, losses, 2, alpha=0.5, num_grid=401
    ... )
    >>> assert abs(fit.eta - 0.05) < 0.003 and fit.eta == fit.theta / 20

  References:
    Aubert, Lehéricy and Reynaud-Bouret, On the convergence of the MLE as an
    estimator of the learning rate in the Exp3 algorithm, ICML 2023, arXiv
    2305.06660; BibTeX by `optax_stepsize.cite("fit_exp3_learning_rate")`.
  """
  method = "fit_exp3_learning_rate"
  arms, losses = _check_record(method, arms, losses, num_arms)
  core.check_range(method, "alpha", alpha, "[0, 1)")
  core.check_range(method, "theta_bounds", theta_bounds, "(0, inf)")
  if len(theta_bounds) != 2 or theta_bounds[0] >= theta_bounds[1]:
    raise ValueError(
      f"{method}: theta_bounds must be (low, high) with low < high, got"
      f" {theta_bounds}."
    )
  core.check_count(method, "num_grid", num_grid, 200)
  factor = float(len(arms)) ** -alpha
  low, high = (float(theta) * factor for theta in theta_bounds)
  horizon = len(arms)
  if min_prob is not None:
    horizon = min(horizon, exp3_safe_horizon(high, num_arms, min_prob))
  with core.enable_x64():
    arms = jnp.asarray(np.asarray(arms[:horizon], np.int32))
    losses = jnp.asarray(np.asarray(losses[:horizon], np.float64))
    ends = low, high
    for _ in range(3):
      rates = np.geomspace(*ends, num_grid)
      values = np.asarray(
        _over_rates(jnp.asarray(rates), arms, losses, num_arms=num_arms)
      )
      at = int(np.argmax(values))
      ends = rates[max(at - 1, 0)], rates[min(at + 1, num_grid - 1)]
      if not np.isfinite(values[at]):
        raise ValueError(
          f"{method}: no rate in a grid from {low:g} to {high:g} explains the"
          " record: all estimated losses overflow. Fix: give min_prob or fewer"
          " steps, lower theta_bounds, or a larger num_grid."
        )
    eta = float(rates[at])
    curvature = -float(
      _curvature(jnp.asarray(eta), arms, losses, num_arms=num_arms)
    )
  warnings = []
  if not np.any(np.asarray(losses)[:-1] > 0):
    warnings.append(
      "no loss before the last step is above zero: all rates are equally likely"
    )
  elif min(eta / low, high / eta) < 1 + 1e-6:
    side = "lower" if eta < math.sqrt(low * high) else "higher"
    warnings.append(
      f"theta is at a bound of the search. Fix: a {side} theta_bounds, or a"
      " larger num_grid if a peak was missed"
    )
  return Exp3Fit(
    theta=eta / factor,
    eta=eta,
    log_likelihood=float(values[at]),
    horizon=horizon,
    curvature=curvature,
    warning="; ".join(warnings),
  )


def simulate_exp3(
  key: chex.PRNGKey,
  eta: chex.Numeric,
  num_steps: int,
  loss_fn_or_means: LossFn | chex.Array,
) -> Exp3Record:
  """A record of an Exp3 learner.

  Args:
    key: PRNG key.
    eta: Rate, >= 0, `()`.
    num_steps: Number of steps, >= 1. Static.
    loss_fn_or_means: Probabilities `(K,)` with which arms lose 1 rather than 0,
      or a function from a key and the step, `()` int32, to the losses of all
      arms, `(K,)` in [0, 1]; it may depend on the step.

  Returns:
    The arms, the losses and the probabilities. Float64 NumPy; under a
    transformation such as `jax.vmap`, JAX arrays of the default dtype.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import jax
    >>> import optax_stepsize
    >>> record = optax_stepsize.simulate_exp3(
    ...   jax.random.key(0), 0.1, 500, [0.2, 0.8]
    ... )
    >>> record.probabilities.shape, bool(record.probabilities[-1, 0] > 0.9)
    ((500, 2), True)

  References:
    Aubert, Lehéricy and Reynaud-Bouret, On the convergence of the MLE as an
    estimator of the learning rate in the Exp3 algorithm, ICML 2023, arXiv
    2305.06660; BibTeX by `optax_stepsize.cite("fit_exp3_learning_rate")`.
  """
  method = "simulate_exp3"
  core.check_range(method, "eta", eta, "[0, inf)")
  core.check_count(method, "num_steps", num_steps, 1)
  core.check_range(
    method, "loss_fn_or_means", loss_fn_or_means, "[0, 1] or a function"
  )
  numbers = [eta]
  if isinstance(loss_fn_or_means, (list, tuple)):
    numbers.append(np.asarray(loss_fn_or_means, np.float64))
  elif not callable(loss_fn_or_means):
    numbers.append(loss_fn_or_means)

  def run(eta, *means):
    def draw(key, step):
      if means:
        return jax.random.bernoulli(key, means[0])
      return loss_fn_or_means(key, step)

    shape = jax.eval_shape(draw, key, jnp.zeros((), jnp.int32)).shape
    if len(shape) != 1 or shape[0] < 2:
      raise ValueError(
        f"{method}: loss_fn_or_means must be, or return, an array with one"
        f" entry for each of at least two arms, got shape {shape}."
      )

    def step(sums, seen):
      key, count = seen
      draw_key, arm_key = jax.random.split(key)
      log_p = _log_probabilities(eta, sums)
      arm = jax.random.categorical(arm_key, log_p).astype(jnp.int32)
      loss = draw(draw_key, count)[arm].astype(sums.dtype)
      return _added(sums, log_p, arm, loss)[0], (arm, loss, jnp.exp(log_p))

    counts = jnp.arange(num_steps, dtype=jnp.int32)
    start = jnp.zeros(shape, eta.dtype)
    keys = jax.random.split(key, num_steps)
    return Exp3Record(*lax.scan(step, start, (keys, counts))[1])

  if isinstance(key, jax.core.Tracer):
    dtype = jnp.result_type(float)
    return run(*(jnp.asarray(x).astype(dtype) for x in numbers))
  return _in_double(run, *numbers)
