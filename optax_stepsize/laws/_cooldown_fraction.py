# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The length of a cooldown, chosen by a law of loss curves.

Computed from a fitted law, the budget and the peak rate.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from optax_stepsize import core
from optax_stepsize import schedules
from optax_stepsize.laws import _curve


class LossLaw(Protocol):
  """A law of loss curves, or the result of its fit."""

  def predict(
    self, schedule: _curve.ScheduleOrRates, steps: Any, /, **kwargs: Any
  ) -> np.ndarray:
    """The losses after some steps."""


class CooldownFraction(NamedTuple):
  """The best share of a budget to decay in.

  Attributes:
    fraction: For `wsd_schedule(..., decay_fraction=)`; 1 is a decay from the
      first step, `decay_steps=total_steps`.
    loss: What the law predicts at the end of the run.
  """

  fraction: float
  loss: float


def best_cooldown_fraction(
  law: LossLaw,
  total_steps: int,
  peak_value: float,
  *,
  warmup_steps: int = 0,
  shape: str = "linear",
  end_value: float = 0.0,
  grid: Sequence[float] | None = None,
  force: bool = False,
) -> CooldownFraction:
  """The share of a budget in which the rate should decay, by a law.

  Compares the schedules of `wsd_schedule` that differ in nothing else. The
  optimum is flat: what it says is whether to decay over a tenth, a fifth or all
  of the run, and not which percent of it.

  Args:
    law: An `AnnealingLaw` or another law of loss curves, or its fit.
    total_steps: The budget, >= 2.
    peak_value: The rate before the decay, > 0, near the one of the runs that
      the law was fitted to.
    warmup_steps: Steps of the linear warm-up, fewer than `total_steps`.
    shape: The curve of the decay, see `cooldown`; no function, because the
      annealing law has no optimum among all schedules.
    end_value: Rate after the decay, from 0 to the peak, but > 0 for "inverse"
      and "exponential".
    grid: Shares to compare, in [0, 1]; by default 0.02, 0.04, ..., 1. Those
      that warm-up leaves no room for are left out, and a share of zero is a
      decay in one step.
    force: Passed on to `law.predict` if True: whether to go beyond the peak
      rates of the fit.

  Returns:
    The best share and its loss; the smallest one of equals.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> law = optax_stepsize.AnnealingLaw(
    ...     L0=2.6278, A=0.429665, C=0.410772, alpha=0.549846
    ... )
    >>> best = optax_stepsize.best_cooldown_fraction(law, 5000, 2e-4)
    >>> round(best.fraction, 2), round(best.loss, 3)
    (0.14, 3.052)

  References:
    Tissue, Wang and Wang, Scaling Law with Learning Rate Annealing, arXiv
    2408.11029; BibTeX by `optax_stepsize.cite("best_cooldown_fraction")`.
  """
  method = "best_cooldown_fraction"
  core.check_count(method, "total_steps", total_steps, 2)
  core.check_count(method, "warmup_steps", warmup_steps, 0)
  core.check_range(method, "peak_value", peak_value, "(0, inf)")
  core.check_range(method, "end_value", end_value, "[0, inf)")
  if warmup_steps >= total_steps:
    raise ValueError(
      f"{method}: warmup_steps must be fewer than total_steps={total_steps},"
      f" got {warmup_steps}."
    )
  if callable(shape):
    raise ValueError(
      f"{method}: shape must be a name, see cooldown, got {shape!r}. Fix: to"
      " design the decay step by step, use the multi-power law."
    )
  if grid is None:
    grid = np.arange(1, 51) / 50  # type: ignore[assignment]
  shares = np.unique(np.asarray(grid, np.float64))
  core.check_range(method, "grid", shares, "[0, 1]")
  shares = shares[shares * total_steps <= total_steps - warmup_steps]
  if not shares.size:
    raise ValueError(
      f"{method}: grid must have a share that warmup_steps={warmup_steps}"
      f" leaves room for, got {grid!r}."
    )

  # A share that is traced makes all schedules one compiled program.
  @jax.jit
  def rates(share):
    schedule = schedules.wsd_schedule(
      peak_value,
      total_steps,
      warmup_steps=warmup_steps,
      decay_fraction=share,
      shape=shape,
      end_value=end_value,
    )
    return jax.vmap(schedule)(jnp.arange(total_steps))

  options = {"warmup_steps": warmup_steps} | ({"force": True} if force else {})
  losses = []
  for share in shares:
    with core.enable_x64():
      every = np.asarray(rates(jnp.asarray(share)), np.float64)
    losses.append(float(law.predict(every, total_steps - 1, **options)[0]))
  best = int(np.argmin(losses))
  return CooldownFraction(float(shares[best]), losses[best])
