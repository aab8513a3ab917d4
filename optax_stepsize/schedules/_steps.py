# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What schedules share: exact positions, powers and the warm-up.

A step count is an integer up to 2^31 - 2, float32 tells integers apart up to
2^24. So positions are integers until they are differences, and what multiplies
a large count is kept as the sum of two floats, a number and its rounding error.
"""

from typing import TypeAlias

import chex
import jax
import jax.numpy as jnp
import numpy as np

from optax_stepsize import core

# A number to twice the digits: a float and its rounding error.
Pair: TypeAlias = tuple[jax.Array, jax.Array]


def float_dtype() -> np.dtype:
  """float32, or float64 under `jax_enable_x64`: the dtype of all rates."""
  return jnp.result_type(float)


def as_count(count: chex.Numeric) -> jax.Array:
  """A step count as an array that is not negative."""
  count = jnp.asarray(count)
  if count.dtype.itemsize < 4:  # The budget need not fit into it.
    count = count.astype(jnp.int32)
  return jnp.maximum(count, 0)


def share(part: jax.Array, whole: chex.Numeric) -> jax.Array:
  """`part / whole`, of integers."""
  dtype = float_dtype()
  return jnp.asarray(part).astype(dtype) / core.as_scalar(whole, dtype)


def warmed_up(
  count: jax.Array,
  rate: jax.Array,
  *,
  warmup_steps: int,
  init_value: chex.Numeric,
  peak_value: chex.Numeric,
) -> jax.Array:
  """`rate`, after a linear rise from `init_value` to `peak_value`."""
  if not warmup_steps:
    return rate
  dtype = float_dtype()
  spent = jnp.minimum(count, warmup_steps)
  rising = core.as_scalar(peak_value, dtype) * share(spent, warmup_steps)
  start = core.as_scalar(init_value, dtype)
  rising = rising + start * share(warmup_steps - spent, warmup_steps)
  return jnp.where(count < warmup_steps, rising, rate)


def _sum(a, b):
  """The sum and its rounding error (Knuth)."""
  total = a + b
  of_b = total - a
  return total, (a - (total - of_b)) + (b - of_b)


def _halves(a):
  """Two numbers of half as many digits whose sum is a (Veltkamp)."""
  digits = jnp.finfo(a.dtype).nmant + 1
  scaled = a * (2 ** ((digits + 1) // 2) + 1)
  high = scaled - (scaled - a)
  return high, a - high


def _product(a, b):
  """The product and its rounding error (Dekker)."""
  product = a * b
  (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
  error = a_high * b_high - product
  return product, error + a_high * b_low + a_low * b_high + a_low * b_low


def times(x: Pair, y: Pair) -> Pair:
  """Their product."""
  high, low = _product(x[0], y[0])
  return _sum(high, low + x[0] * y[1] + x[1] * y[0])


def _split_integer(count):
  """A count as a float and the rest."""
  dtype = float_dtype()
  # A multiple of 2^12 below 2^31 has at most 19 digits, so it and the rest are
  # exact, and so is their sum as two floats.
  low = jnp.remainder(count, 4096)
  return _sum((count - low).astype(dtype), low.astype(dtype))


def as_pair(value: chex.Numeric) -> Pair:
  """An integer, or a float, of which only Python's have more digits."""
  dtype = float_dtype()
  if isinstance(value, float):
    rounded = np.asarray(value, dtype)
    rest = np.asarray(value - float(rounded), dtype)
    return jnp.asarray(rounded), jnp.asarray(rest)
  number = jnp.asarray(value)
  if jnp.issubdtype(number.dtype, jnp.integer):
    return _split_integer(number)
  high = number.astype(dtype)
  return high, jnp.zeros_like(high)


def add(x: Pair, y: Pair) -> Pair:
  """Their sum."""
  high, low = _sum(x[0], y[0])
  return _sum(high, low + (x[1] + y[1]))


def difference(x: Pair, y: Pair) -> jax.Array:
  """Their difference, rounded once."""
  return add(x, (-y[0], -y[1]))[0]


def power(base: chex.Numeric, count: chex.Numeric) -> jax.Array:
  """`base**count` for an integer count, right to the last digits.

  exp(count * log(base)) loses as many digits as count * log(base) has before
  its point, and the square of a rounded number doubles its error; the squares
  here carry their errors along.

  Args:
    base: From 0 to 1, a scalar.
    count: Integers >= 0 of any shape.
  """
  dtype = float_dtype()
  count = jnp.asarray(count)
  square = (core.as_scalar(base, dtype), jnp.zeros((), dtype))
  high, low = jnp.ones(count.shape, dtype), jnp.zeros(count.shape, dtype)
  for bit in range(31):
    chosen = (count >> bit) & 1 == 1
    longer = times((high, low), square)
    high = jnp.where(chosen, longer[0], high)
    low = jnp.where(chosen, longer[1], low)
    square = times(square, square)
  return high


def _quotient(part, whole):
  """`part / whole` and its rounding error."""
  # One Newton step makes the quotient good to twice the digits.
  numerator, divisor = _split_integer(part), _split_integer(jnp.asarray(whole))
  first = numerator[0] / divisor[0]
  back = times((first, jnp.zeros_like(first)), divisor)
  rest = (numerator[0] - back[0]) + (numerator[1] - back[1])
  return _sum(first, rest / divisor[0])


def share_power(
  part: jax.Array, whole: chex.Numeric, exponent: chex.Numeric
) -> jax.Array:
  """`(part / whole)**exponent`, of integers, right to the last digits.

  Args:
    part: Integers from 0 to `whole`, of any shape.
    whole: Positive integer.
    exponent: Positive, a scalar.
  """
  exponent = core.as_scalar(exponent, float_dtype())
  high, low = _quotient(part, whole)
  # (high + low)^k = high^k (1 + k low / high) to first order in low.
  missing = exponent * low / jnp.where(high > 0, high, 1)
  return jnp.power(high, exponent) * (1 + missing)


def fractional_power(
  base: chex.Numeric, part: jax.Array, whole: chex.Numeric
) -> jax.Array:
  """`base**(part / whole)`, of integers, right to the last digits.

  Args:
    base: Positive, a scalar.
    part: Integers of any shape.
    whole: Positive integer.
  """
  dtype = float_dtype()
  base = core.as_scalar(base, dtype)
  # log(base) = e log 2 + log m with m near 1: the large term is known to twice
  # the digits, and the other one is small.
  mantissa, exponent = jnp.frexp(base)
  low = mantissa < np.sqrt(0.5).astype(dtype)
  mantissa = jnp.where(low, 2 * mantissa, mantissa)
  exponent = jnp.where(low, exponent - 1, exponent).astype(dtype)
  ln2 = float(np.log(2.0))
  ln2_high = np.asarray(ln2, dtype)
  ln2_low = np.asarray(ln2 - float(ln2_high), dtype)
  high, error = _product(exponent, jnp.asarray(ln2_high))
  log = _sum(high, error + exponent * ln2_low + jnp.log(mantissa))
  high, low = times(log, _quotient(part, whole))
  return jnp.exp(high) * (1 + low)
