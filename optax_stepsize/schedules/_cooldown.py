# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Cooldowns: the curves from one rate down to another.

Computed from the spent share of the way and the two rates.
"""

from typing import Protocol

import chex
import jax
import jax.numpy as jnp

from optax_stepsize import core
from optax_stepsize.schedules import _cyclical
from optax_stepsize.schedules import _profiles
from optax_stepsize.schedules import _steps


def _one_minus_square(spent, left):
  spent, left = (_steps.share(part, spent + left) for part in (spent, left))
  return left * (1 + spent)


# Profiles that end in zero: the rate is their mean of peak and end.
_WEIGHTS = {
  "linear": _profiles.linear_profile(),
  "cosine": _profiles.cosine_profile(),
  "one_minus_sqrt": _profiles.one_minus_sqrt_profile(),
  "one_minus_square": _profiles.Profile("one_minus_square", _one_minus_square),
  "sqrt_mirror": _profiles.polynomial_profile(0.5),
}
# Profiles that end in the ratio of end and peak, which must be positive.
_RATIOS = {
  "inverse": _profiles.inverse_profile,
  "exponential": _profiles.exponential_profile,
}
SHAPES = (*_RATIOS, *_WEIGHTS)


def interpolate(
  shape: str,
  spent: jax.Array,
  left: jax.Array,
  *,
  peak: jax.Array,
  end: jax.Array,
) -> jax.Array:
  """The rate of a cooldown, exactly `peak` and `end` at its ends.

  Args:
    shape: One of `SHAPES`.
    spent: Steps, or share, that the cooldown has taken, >= 0.
    left: What is left of it, >= 0; not both are zero.
    peak: Rate where nothing is spent.
    end: Rate where nothing is left.
  """
  if shape in _WEIGHTS:
    weight = _WEIGHTS[shape].at(spent, left)
    rate = peak * weight + end * (1 - weight)
  else:
    # A peak of zero stays zero.
    ratio = core.safe_divide(end, peak, 1.0)
    rate = peak * _RATIOS[shape](ratio).at(spent, left)
  return jnp.where(left <= 0, end, jnp.where(spent <= 0, peak, rate))


def check_rates(
  name: str,
  shape: str,
  peak_value: chex.Numeric,
  end_value: chex.Numeric | None,
) -> None:
  """Raises ValueError for rates that `shape` does not lead from and to."""
  core.check_choice(name, "shape", shape, SHAPES)
  core.check_range(name, "peak_value", peak_value, "[0, inf)")
  if end_value is None:
    return
  interval = "(0, inf)" if shape in _RATIOS else "[0, inf)"
  try:
    core.check_range(name, "end_value", end_value, interval)
  except ValueError as error:
    hint = f" {shape!r} has no way to zero." if shape in _RATIOS else ""
    raise ValueError(f"{error}{hint}") from None
  _cyclical.check_order(name, "end_value", end_value, "peak_value", peak_value)


class Cooldown(Protocol):
  """A curve between two rates."""

  def __call__(
    self,
    progress: chex.Numeric,
    peak_value: chex.Numeric = 1.0,
    end_value: chex.Numeric = 0.0,
  ) -> jax.Array:
    """The rate at `progress`."""


def cooldown(shape: str) -> Cooldown:
  r"""The curve of a cooldown, as a function of progress.

  At the share s of the way from the peak P to the end E the rate is

  ================== ======================================================
  inverse            :math:`1 / (s / E + (1 - s) / P)`
  exponential        :math:`P\, (E / P)^s`
  linear             :math:`P + (E - P)\, s`
  cosine             :math:`E + (P - E)\, (1 + \cos \pi s) / 2`
  one_minus_sqrt     :math:`E + (P - E)\, (1 - \sqrt s)`
  one_minus_square   :math:`E + (P - E)\, (1 - s^2)`
  sqrt_mirror        :math:`E + (P - E)\, \sqrt{1 - s}`
  ================== ======================================================

  The inverse of the rate grows evenly in `inverse`: on a quadratic of curvature
  h with noisy gradients, the rates that lower the expected loss the most in
  each step have inverses that grow by h.

  Args:
    shape: One of the names above.

  Returns:
    A function of `progress`, clipped to [0, 1] and of any shape, of
    `peak_value`, 1 by default, and of `end_value`, <= `peak_value` and 0 by
    default, but > 0 for `inverse` and `exponential`. With the defaults it is a
    profile from 1 to 0. Both ends are exact.

  Raises:
    ValueError: If there is no such shape; when called, if a rate is out of its
      range.

  Example:
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> curve = optax_stepsize.cooldown("inverse")
    >>> curve(jnp.array([0.0, 0.5, 1.0]), 1.0, 0.1)
    Array([1.        , 0.18181819, 0.1       ], dtype=float32)

  References:
    Wen et al., arXiv 2410.05192, for `inverse`.
  """
  core.check_choice("cooldown", "shape", shape, SHAPES)

  def curve(
    progress: chex.Numeric,
    peak_value: chex.Numeric = 1.0,
    end_value: chex.Numeric = 0.0,
  ) -> jax.Array:
    check_rates("cooldown", shape, peak_value, end_value)
    dtype = _steps.float_dtype()
    spent = jnp.clip(jnp.asarray(progress).astype(dtype), 0, 1)
    peak = core.as_scalar(peak_value, dtype)
    end = core.as_scalar(end_value, dtype)
    return interpolate(shape, spent, 1 - spent, peak=peak, end=end)

  return curve
