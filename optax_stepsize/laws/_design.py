# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Schedules by design: the rates with the least predicted loss at the end.

Computed from a fitted multi-power law.
"""

from collections.abc import Mapping
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core
from optax_stepsize import schedules
from optax_stepsize.laws import _multi_power

# Falls of the logarithm of the rate where the search starts, over all knots: a
# slow exponential decay.
_START = 3.0
# Where the search ends; a converged one takes 100 to 200.
_MAX_ITERATIONS = 2000


class OptimizedSchedule(NamedTuple):
  """What `optimize_schedule` found.

  Attributes:
    schedule: A function from the step count to the rate, which stays at the
      last rate after the budget.
    rates: Float64 `(total_steps,)`: the rate of every step.
    loss: The loss that the law predicts after the last step.
  """

  schedule: optax.Schedule
  rates: np.ndarray
  loss: float


def _rates(falls: jax.Array, frame: Mapping[str, Any]) -> jax.Array:
  """The rates of all steps, from the falls of their logarithm between knots."""
  falls = jnp.concatenate([jnp.zeros(1, falls.dtype), falls])
  logs, knot, share = -jnp.cumsum(falls), frame["knot"], frame["share"]
  log = logs[knot] - falls[knot + 1] * share
  decayed = jnp.maximum(frame["peak"] * jnp.exp(log), frame["least"])
  return jnp.concatenate([frame["rise"], decayed])


@jax.jit
def _loss_and_slope(falls, law, frame):
  """The loss after the last step, and its gradient."""

  def last_loss(falls):
    rates = _rates(falls, frame)
    area = jnp.cumsum(rates)
    changes = {
      "gap": jnp.where(frame["counts"], rates[:-1] - rates[1:], 0),
      "log_rate": jnp.log(rates[1:]),
      "before": area[:-1],
    }
    changes = jax.tree.map(lambda x: x[None, :], changes)
    return _multi_power.losses(law, area[-1:], changes)[0]

  return jax.value_and_grad(last_loss)(falls)


def optimize_schedule(
  law: _multi_power.MultiPowerLaw,
  total_steps: int,
  peak_value: float,
  *,
  warmup_steps: int = 0,
  knots: int = 160,
  min_value: float = 1e-10,
) -> OptimizedSchedule:
  r"""The schedule that ends in the least loss, by a multi-power law.

  The rate rises linearly from zero over W steps, as in `wsd_schedule`, and
  never rises again: its logarithm is a broken line through equally spaced
  knots, whose falls are found by L-BFGS-B. What comes out is stable for most of
  the budget, and then falls about as :math:`(1 - s)^{1.5}` with the share s of
  the decay, to some thousandths of the peak: `wsd_sqrt_cube_schedule` is that
  in closed form.

  The peak is given and not sought: a law that was fitted at one peak says
  little of others.

  Args:
    law: `law` of what `fit_multi_power_law` returned.
    total_steps: The budget T, warm-up included, >= 2.
    peak_value: Rate after the warm-up, > 0.
    warmup_steps: Steps W of the warm-up, at most T - 2.
    knots: Pieces of the line, >= 1. More take longer and gain little: of 24,000
      steps, 1e-5 beyond 160. Pieces of few steps bend the last of them as no
      measured loss has told.
    min_value: Rates are at least so large, in (0, peak_value]. The law takes
      rates below 1e-10 for that much.

  Returns:
    The schedule, its rates and the predicted loss. It unpacks as a tuple.

  Raises:
    ValueError: If an argument is out of its range, or `law` is another law.
      Free schedules have no least loss by the annealing law: it falls without
      bound after a large rate, through steps of rate zero.

  Example:
    >>> import numpy as np
    >>> import optax_stepsize
    >>> law = optax_stepsize.MultiPowerLaw(
    ...   L0=2.7, A=0.6, alpha=0.45, B=440.0, C=2.0, beta=0.6, gamma=0.65
    ... )
    >>> schedule, rates, loss = optax_stepsize.optimize_schedule(
    ...   law, 2000, peak_value=3e-4, warmup_steps=100
    ... )
    >>> bool(np.all(np.diff(rates[100:]) <= 0))
    True
    >>> constant = law.predict(np.full(2000, 3e-4), 1999)[0]
    >>> round(float(constant - loss), 2)
    0.05

  References:
    Luo et al., `A Multi-Power Law for Loss Curve Prediction Across Learning
    Rate Schedules <https://arxiv.org/abs/2503.12811>`_, 2025.
    `optax_stepsize.cite("optimize_schedule")`.
  """
  from scipy import optimize

  method = "optimize_schedule"
  if not isinstance(law, _multi_power.MultiPowerLaw):
    raise ValueError(
      f"{method}: law must be a MultiPowerLaw, got {type(law).__name__}. By the"
      " annealing law free schedules have no least loss: it falls without bound"
      " after a large rate, through steps of rate zero. Fix: pass"
      " fit_multi_power_law(curves).law."
    )
  core.check_count(method, "total_steps", total_steps, 2)
  core.check_count(method, "warmup_steps", warmup_steps, 0)
  core.check_count(method, "knots", knots, 1)
  core.check_range(method, "peak_value", peak_value, "(0, inf)")
  core.check_range(method, "min_value", min_value, f"(0, {float(peak_value)}]")
  after = total_steps - warmup_steps - 1
  if after < 1:
    raise ValueError(
      f"{method}: warmup_steps must be at most {total_steps - 2}, so that there"
      f" are rates to find, got {warmup_steps}."
    )
  knots = min(knots, after)
  place = np.arange(after + 1) / after * knots
  knot = np.minimum(place.astype(np.int64), knots - 1)
  first = 1 if law.drop_in_warmup else warmup_steps + 1
  frame = {
    "peak": float(peak_value),
    "least": float(min_value),
    "rise": peak_value * np.arange(warmup_steps) / max(warmup_steps, 1),
    "knot": knot,
    "share": place - knot,
    "counts": np.arange(1, total_steps) >= first,
  }
  # Below the least rate nothing depends on the falls.
  start = np.full(knots, min(_START, math.log(peak_value / min_value)) / knots)
  with core.enable_x64():
    frame = jax.tree.map(jnp.asarray, frame)
    values = _multi_power.as_values(law)

    def objective(falls):
      loss, slope = _loss_and_slope(jnp.asarray(falls), values, frame)
      return float(loss), np.asarray(slope)

    found = optimize.minimize(
      objective,
      start,
      jac=True,
      method="L-BFGS-B",
      bounds=[(0, None)] * knots,
      options={"maxiter": _MAX_ITERATIONS, "ftol": 1e-13, "gtol": 1e-10},
    )
    rates = np.array(_rates(jnp.asarray(found.x), frame))
  # Rounding can make a knot a digit lower than the line through it.
  rates[warmup_steps:] = np.minimum.accumulate(rates[warmup_steps:])
  (loss,) = law.predict(rates, total_steps - 1, warmup_steps=warmup_steps)
  return OptimizedSchedule(
    schedules.tabulated_schedule(rates), rates, float(loss)
  )
