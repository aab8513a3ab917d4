# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Longer runs of the same rate: WSD schedules extended by the convex bound.

Computed from the old and the new number of steps. What is planned is made of
`schedules.wsd_schedule`, which is why laws stand on the schedules.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core
from optax_stepsize import schedules

_MODES = ("two_stage", "cooldown")
# The walk that brackets the factor, and where it gives up.
_WALK = 0.9
_LEAST = 1e-9


def _base_lr(decay_steps: int, *plateaus: tuple[float, int]) -> float:
  """The optimal base rate of plateaus and a linear decay, at D = G = 1.

  Args:
    decay_steps: Steps from the last plateau to zero.
    *plateaus: Value and number of rates of each, the last one first.

  Returns:
    What `optimal_base_lr` says of the rates up to the zero, in float64 and in
    closed form: a billion steps cost no more than ten.
  """
  from scipy import special

  # With H, Q and the sum S over k < T of eta_k Q_k / (H_{k+1} H_k) from some
  # step to the end, the base rate is 1 / sqrt(Q + S H).
  # In the decay, m steps before the end: eta = v m / k and
  #   H = v m (m + 1) / 2k, Q = v^2 m (m + 1) (2m + 1) / 6k^2,
  # a term of S is (2v / 3k) (2 + 3 / (m - 1)), and m goes up to k - 1.
  k, v = max(decay_steps, 1), plateaus[0][0]
  total = v * (k - 1) / 2
  square = v**2 * (k - 1) * (2 * k - 1) / (6 * k)
  series = 0.0
  if k > 2:
    harmonic = special.digamma(k - 1) + np.euler_gamma
    series = 2 * v / (3 * k) * (2 * (k - 2) + 3 * harmonic)
  # In a plateau, with a = H / v and q = Q / v^2 of what comes after it, term i
  # is v (q + i) / ((a + i - 1) (a + i))
  #   = v (q + 1 - a) (1 / (a + i - 1) - 1 / (a + i)) + v / (a + i).
  for v, n in plateaus:
    if not total and n:  # The last step of all has no term.
      total, square, n = v, v**2, n - 1
    if n:
      a, q = total / v, square / v**2
      series += v * (q + 1 - a) * (1 / a - 1 / (a + n))
      series += v * (special.digamma(a + n + 1) - special.digamma(a + 1))
      total, square = total + n * v, square + n * v**2
  return float(1 / np.sqrt(square + series * total))


def _wsd_base_lr(steps: int, decay_steps: int) -> float:
  return _base_lr(decay_steps, (1.0, steps + 1 - max(decay_steps, 1)))


def _decay_steps(steps: int, fraction: float) -> int:
  """Steps of the decay, a share of all rates and the zero they end in."""
  return min(int(fraction * (steps + 1)), steps)


def _factor(target, old_steps, new_steps, fraction) -> tuple[int, float]:
  """Step of the drop, and the factor that gives the target as base rate."""
  from scipy import optimize

  drop = int((1 - fraction) * old_steps)
  decay = _decay_steps(new_steps, fraction)
  rest = new_steps + 1 - max(decay, 1) - drop

  def excess(factor):
    return _base_lr(decay, (factor, rest), (1.0, drop)) - target

  # The base rate grows as the factor falls from 1, up to some maximum, and then
  # falls: the root to take is the first one on the way down.
  high = 1.0
  if excess(high) >= 0:
    return drop, high
  while high > _LEAST:
    low = _WALK * high
    if excess(low) >= 0:
      return drop, float(optimize.brentq(excess, low, high, xtol=1e-14))
    high = low
  raise ValueError(
    "extend_wsd: no lower rate of the second stage makes the rate of"
    f" {old_steps} steps the best for {new_steps}. Fix: extend by less, or a"
    " lower rate, see transfer_base_lr."
  )


def _longer_decay(target, new_steps, fraction) -> int:
  """The least number of decay steps with at least the target as base rate."""
  low, high = _decay_steps(new_steps, fraction), new_steps
  if _wsd_base_lr(new_steps, high) < target:
    raise ValueError(
      f"extend_wsd: no cooldown of total_steps={new_steps} is long enough, even"
      " linear decay from the start wants a lower rate. Fix:"
      ' mode="two_stage", or a lower rate, see transfer_base_lr.'
    )
  while low < high:
    middle = (low + high) // 2
    if _wsd_base_lr(new_steps, middle) < target:
      low = middle + 1
    else:
      high = middle
  return high


def extend_wsd(
  peak_value: chex.Numeric,
  old_steps: int,
  total_steps: int,
  *,
  cooldown_fraction: float = 0.2,
  mode: str = "two_stage",
  warmup_steps: int = 0,
  init_value: chex.Numeric = 0.0,
) -> optax.Schedule:
  r"""A longer WSD schedule for which a rate tuned on a shorter one stays best.

  Longer runs want lower rates. Rather than with a new rate, start as the old
  run did, with a rate tuned for `old_steps` and a linear cooldown to zero over
  a share c of them, and make up for the length later, until the last-iterate
  bound calls the same rate optimal:

  - "two_stage": where the cooldown of the old run would have begun, the rate
    drops to :math:`\rho` times itself, with the largest such :math:`\rho \leq
    1`, and the cooldown takes a share c of the new run. A trunk that was kept
    at that step goes on.
  - "cooldown": the rate stays, and the cooldown takes a larger share.

  Args:
    peak_value: The rate tuned for `old_steps`, >= 0.
    old_steps: Steps of the run it was tuned for, warm-up included; greater than
      `warmup_steps`. Static.
    total_steps: Steps of the new run, warm-up included, >= `old_steps`. Static.
    cooldown_fraction: Share c of the steps after warm-up, in (0, 1]. Static.
    mode: "two_stage" or "cooldown". Static.
    warmup_steps: Steps of the linear rise to the peak, the same in both runs;
      the bound is that of the steps after it. Static.
    init_value: Rate of step 0 with a warm-up, >= 0.

  Returns:
    A function from the step count, a scalar or array, to the rate. It is zero
    from `total_steps` on.

  Raises:
    ValueError: If an argument is out of its range, or the run is so much longer
      that the mode has no such schedule: for c = 0.2, a "cooldown" of 3.8 times
      the steps.

  Example:
    >>> import optax_stepsize
    >>> schedule = optax_stepsize.extend_wsd(1e-3, 4000, 8000)
    >>> [round(float(schedule(step)), 6) for step in (0, 3200, 6400, 7200)]
    [0.001, 0.000533, 0.000533, 0.000266]

  References:
    Schaipp, Hägele, Taylor, Simsekli and Bach, The Surprising Agreement Between
    Convex Optimization Theory and Learning-Rate Scheduling for Large Model
    Training, ICML 2025, arXiv 2501.18965; BibTeX by
    `optax_stepsize.cite("extend_wsd")`.
  """
  name = "extend_wsd"
  core.check_choice(name, "mode", mode, _MODES)
  core.check_count(name, "warmup_steps", warmup_steps, 0)
  core.check_count(name, "old_steps", old_steps, warmup_steps + 1)
  core.check_count(name, "total_steps", total_steps, old_steps)
  core.check_range(name, "peak_value", peak_value, "[0, inf)")
  core.check_range(name, "init_value", init_value, "[0, inf)")
  if isinstance(cooldown_fraction, jax.core.Tracer):
    raise ValueError(
      f"{name}: cooldown_fraction is worked on by the host and must be"
      " concrete, got a traced number."
    )
  core.check_range(name, "cooldown_fraction", cooldown_fraction, "(0, 1]")
  fraction = float(cooldown_fraction)
  old, new = (int(n) - int(warmup_steps) for n in (old_steps, total_steps))
  target = _wsd_base_lr(old, _decay_steps(old, fraction))

  def wsd(factor, decay_steps):
    return schedules.wsd_schedule(
      factor * peak_value if factor < 1 else peak_value,
      total_steps,
      warmup_steps=warmup_steps,
      decay_steps=decay_steps,
      shape="linear",
      end_value=0.0,
      init_value=init_value,
    )

  if mode == "cooldown":
    return wsd(1, _longer_decay(target, new, fraction))
  drop, factor = _factor(target, old, new, fraction)
  decay_steps = _decay_steps(new, fraction)
  first, second = wsd(1, decay_steps), wsd(factor, decay_steps)

  def schedule(count: chex.Numeric) -> jax.Array:
    count = jnp.asarray(count)
    if count.dtype.itemsize < 4:  # The steps need not fit into it.
      count = count.astype(jnp.int32)
    started = count < warmup_steps + drop
    return jnp.where(started, first(count), second(count))

  return schedule
