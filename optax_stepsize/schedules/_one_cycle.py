# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""1cycle: one rise and fall of the rate, with the momentum opposite.

Computed from the step count and the budget.
"""

from collections.abc import Sequence
import itertools
import math
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize import core
from optax_stepsize.schedules import _cyclical
from optax_stepsize.schedules import _steps


class OneCycle(NamedTuple):
  """What a cycle drives, for `optax.inject_hyperparams`.

  Attributes:
    learning_rate: From the step count to the rate.
    momentum: From the step count to the momentum, or to `b1` of Adam.
  """

  learning_rate: optax.Schedule
  momentum: optax.Schedule


def _annealed(
  count: chex.Numeric,
  values: Sequence[chex.Numeric],
  edges: Sequence[_steps.Pair],
  anneal: str,
) -> jax.Array:
  """From `values[i]` at `edges[i]` to the next, constant outside.

  A step belongs to the first phase that ends at or after it. Shares of a phase
  that are spent and left are each made from differences of positions, so that
  both ends are exact and keep their digits nearby.
  """
  position = _steps.as_pair(_steps.as_count(count))
  dtype = position[0].dtype
  values = [core.as_scalar(value, dtype) for value in values]
  result = jnp.broadcast_to(values[-1], position[0].shape)
  spans = itertools.pairwise(edges)
  phases = list(zip(spans, itertools.pairwise(values), strict=True))
  for (start, end), (first, last) in reversed(phases):
    length = _steps.difference(end, start)
    filled = length > 0
    length = jnp.where(filled, length, 1)
    to_end = _steps.difference(end, position)
    spent = _steps.difference(position, start) / length
    spent, left = (jnp.clip(x, 0, 1) for x in (spent, to_end / length))
    if anneal == "cos":
      spent, left = (jnp.sin(math.pi / 2 * x) ** 2 for x in (spent, left))
    inside = (to_end >= 0) & filled
    low, high = jnp.minimum(first, last), jnp.maximum(first, last)
    mean = jnp.clip(first * left + last * spent, low, high)
    result = jnp.where(inside, mean, result)
  return result


def _check(
  name: str,
  peak_value: chex.Numeric,
  div_factor: chex.Numeric,
  final_div_factor: chex.Numeric,
  base_momentum: chex.Numeric,
  max_momentum: chex.Numeric,
) -> None:
  core.check_range(name, "peak_value", peak_value, "(0, inf)")
  core.check_range(name, "div_factor", div_factor, "(0, inf)")
  core.check_range(name, "final_div_factor", final_div_factor, "(0, inf)")
  core.check_range(name, "base_momentum", base_momentum, "[0, 1)")
  core.check_range(name, "max_momentum", max_momentum, "[0, 1)")
  _cyclical.check_order(
    name, "base_momentum", base_momentum, "max_momentum", max_momentum
  )


def _check_three_phases(pct_start: chex.Numeric, total_steps: int) -> None:
  if isinstance(pct_start, jax.core.Tracer):
    return
  rise = float(pct_start) * total_steps
  if not 1 < rise < (total_steps + 1) / 2:
    raise ValueError(
      "one_cycle: three_phase needs pct_start * total_steps in"
      f" (1, {(total_steps + 1) / 2}), got pct_start={pct_start} and"
      f" total_steps={total_steps}."
    )


def one_cycle(
  peak_value: chex.Numeric,
  total_steps: int,
  *,
  pct_start: chex.Numeric = 0.3,
  anneal: str = "cos",
  three_phase: bool = False,
  div_factor: chex.Numeric = 25.0,
  final_div_factor: chex.Numeric = 1e4,
  base_momentum: chex.Numeric = 0.85,
  max_momentum: chex.Numeric = 0.95,
) -> OneCycle:
  r"""1cycle as PyTorch has it: up, then all the way down.

  The rate goes from peak / `div_factor` to the peak at step `pct_start` *
  `total_steps` - 1, and to its end, the first rate / `final_div_factor`, at
  step `total_steps` - 1. With `three_phase`, it falls as fast as it rose to the
  first rate, and then to the end. The momentum falls while the rate rises, and
  rises as it falls, until it stays at its maximum in a third phase.

  What else goes with it: a weight decay that is constant, chosen by short
  cycles (1e-3 to 1e-6 and 0, then between the best), smaller for larger peaks;
  and the largest batch that fits. See `smith_one_cycle` for the original form.

  Args:
    peak_value: Highest rate, > 0, from a range test.
    total_steps: Budget, >= 2. Static.
    pct_start: Share of the budget in which the rate rises, in (0, 1). The peak
      is a step of its own where this share is a whole number of steps. If it is
      a step or less, the run starts at the peak. With `three_phase`, it is more
      than a step and 2 `pct_start` `total_steps` < `total_steps` + 1.
    anneal: "cos" or "linear", the form of each phase. Static.
    three_phase: Whether the rate stops at its first value on the way. Static.
    div_factor: Peak / first rate, > 0.
    final_div_factor: First / last rate, > 0.
    base_momentum: Momentum at the peak, in [0, 1).
    max_momentum: Momentum at low rates, in [0, 1), >= `base_momentum`.

  Returns:
    Two functions of the step count, a scalar or array: `learning_rate` and
    `momentum`. Steps after the last have its values.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax
    >>> import optax_stepsize
    >>> cycle = optax_stepsize.one_cycle(1.0, total_steps=10)
    >>> tx = optax.inject_hyperparams(optax.sgd)(
    ...     learning_rate=cycle.learning_rate, momentum=cycle.momentum
    ... )
    >>> [round(float(cycle.learning_rate(step)), 6) for step in (0, 2, 9)]
    [0.04, 1.0, 4e-06]
    >>> [round(float(cycle.momentum(step)), 6) for step in (0, 2, 9)]
    [0.95, 0.85, 0.95]

  References:
    Smith, A disciplined approach to neural network hyper-parameters: Part 1,
    2018, arXiv 1803.09820; Smith and Topin, Super-Convergence, 2019, arXiv
    1708.07120. BibTeX by `optax_stepsize.cite("one_cycle")`.
  """
  name = "one_cycle"
  core.check_count(name, "total_steps", total_steps, 2)
  core.check_range(name, "pct_start", pct_start, "(0, 1)")
  core.check_choice(name, "anneal", anneal, ("cos", "linear"))
  core.check_choice(name, "three_phase", three_phase, (False, True))
  _check(
    name,
    peak_value,
    div_factor,
    final_div_factor,
    base_momentum,
    max_momentum,
  )
  if three_phase:
    _check_three_phases(pct_start, total_steps)

  def edges() -> list[_steps.Pair]:
    rise = _steps.times(_steps.as_pair(pct_start), _steps.as_pair(total_steps))
    # A rise that is one step but for rounding is one step.
    rise = rise[0], jnp.where(rise[0] == 1, 0, rise[1])
    peak = _steps.add(rise, _steps.as_pair(-1))
    inner = [peak, _steps.add(peak, peak)] if three_phase else [peak]
    return [_steps.as_pair(0), *inner, _steps.as_pair(total_steps - 1)]

  # Differs from the reference: torch divides by zero where the rise is one step
  # and, one step after the last, leaves the range of values. Here the rise is
  # then empty, and the last values stay.
  def learning_rate(count: chex.Numeric) -> jax.Array:
    first = peak_value / div_factor
    inner = [peak_value, first] if three_phase else [peak_value]
    values = [first, *inner, first / final_div_factor]
    return _annealed(count, values, edges(), anneal)

  def momentum(count: chex.Numeric) -> jax.Array:
    inner = [base_momentum, max_momentum] if three_phase else [base_momentum]
    values = [max_momentum, *inner, max_momentum]
    return _annealed(count, values, edges(), anneal)

  return OneCycle(learning_rate, momentum)


def _half(cycle_fraction: chex.Numeric, total_steps: int) -> jax.Array:
  """Whole steps of half a cycle."""
  if isinstance(cycle_fraction, (int, float)):
    return jnp.asarray(math.floor(cycle_fraction * total_steps / 2))
  dtype = _steps.float_dtype()
  steps = core.as_scalar(cycle_fraction, dtype) * total_steps / 2
  return jnp.floor(steps).astype(int)


def smith_one_cycle(
  peak_value: chex.Numeric,
  total_steps: int,
  *,
  cycle_fraction: chex.Numeric = 0.9,
  div_factor: chex.Numeric = 10.0,
  final_div_factor: chex.Numeric = 100.0,
  base_momentum: chex.Numeric = 0.85,
  max_momentum: chex.Numeric = 0.95,
) -> OneCycle:
  r"""1cycle as its paper has it: a symmetric cycle, then a final descent.

  The cycle, a bit shorter than the run, has the even number of steps
  :math:`C = 2 \lfloor f T / 2 \rfloor` for the `cycle_fraction` f and the
  budget T: a linear rise from peak / `div_factor` to the peak in half of them,
  and back in the other. In the steps that are left the rate falls linearly, by
  the factor `final_div_factor`. The momentum mirrors the cycle.

  Args:
    peak_value: Highest rate, > 0, from a range test.
    total_steps: Budget, >= 2. Static.
    cycle_fraction: Share of the budget that the cycle takes, in (0, 1]; at
      least two steps.
    div_factor: Peak / first rate, > 0; 10 to 20.
    final_div_factor: First / last rate, > 0.
    base_momentum: Momentum at the peak, in [0, 1).
    max_momentum: Momentum at low rates, in [0, 1), >= `base_momentum`.

  Returns:
    Two functions of the step count, a scalar or array: `learning_rate` and
    `momentum`. Steps after the last have its values.

  Raises:
    ValueError: If an argument is out of its range, or if the cycle has no step.

  Example:
    >>> import optax_stepsize
    >>> cycle = optax_stepsize.smith_one_cycle(1.0, total_steps=20)
    >>> [round(float(cycle.learning_rate(step)), 6) for step in (0, 9, 18, 19)]
    [0.1, 1.0, 0.1, 0.001]
    >>> [round(float(cycle.momentum(step)), 6) for step in (0, 9, 18, 19)]
    [0.95, 0.85, 0.95, 0.95]

  References:
    Smith, A disciplined approach to neural network hyper-parameters: Part 1,
    2018, arXiv 1803.09820.
  """
  name = "smith_one_cycle"
  core.check_count(name, "total_steps", total_steps, 2)
  core.check_range(name, "cycle_fraction", cycle_fraction, "(0, 1]")
  _check(
    name,
    peak_value,
    div_factor,
    final_div_factor,
    base_momentum,
    max_momentum,
  )
  traced = isinstance(cycle_fraction, jax.core.Tracer)
  if not traced and cycle_fraction * total_steps < 2:
    raise ValueError(
      "smith_one_cycle: cycle_fraction * total_steps must be >= 2, got"
      f" cycle_fraction={cycle_fraction} and total_steps={total_steps}."
    )

  def follow(count: chex.Numeric, values: list[chex.Numeric]) -> jax.Array:
    count = jnp.minimum(_steps.as_count(count), total_steps - 1)
    half = _half(cycle_fraction, total_steps)
    last = jnp.maximum(2 * half, total_steps - 1)
    edges = [_steps.as_pair(step) for step in (0, half, 2 * half, last)]
    return _annealed(count, values, edges, "linear")

  def learning_rate(count: chex.Numeric) -> jax.Array:
    first = peak_value / div_factor
    return follow(count, [first, peak_value, first, first / final_div_factor])

  def momentum(count: chex.Numeric) -> jax.Array:
    return follow(
      count, [max_momentum, base_momentum, max_momentum, max_momentum]
    )

  return OneCycle(learning_rate, momentum)
