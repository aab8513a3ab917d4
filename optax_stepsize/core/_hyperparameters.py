# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hyperparameters: range checks of concrete values, rates and their schedules.

A float may be a Python, NumPy or JAX number, or a tracer: nothing branches on
its value, and only concrete values are checked. A count or a choice is static.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import chex
import jax
import jax.numpy as jnp
import numpy as np

ScalarOrSchedule: TypeAlias = (
  chex.Numeric | Callable[[chex.Numeric], chex.Numeric]
)


def check_range(method: str, name: str, value: Any, allowed: str) -> None:
  """Raises ValueError unless `value` is one of the `allowed`.

  Args:
    method: Name of the method, for the message.
    name: Name of the argument, for the message.
    value: A number or an array of numbers. Tracers pass.
    allowed: An interval in mathematical notation, such as "[0, 1)" or
      "(0, inf)". It is followed by " or a schedule" or another word for
      functions, and by " or None", where these pass too.
  """
  if isinstance(value, jax.core.Tracer):
    return
  interval, *others = allowed.split(" or ")
  if value is None and "None" in others:
    return
  if callable(value) and set(others) - {"None"}:
    return
  low, high = (float(end) for end in interval[1:-1].split(","))
  try:
    if value is None or isinstance(value, str):
      raise ValueError
    number = np.asarray(value, dtype=np.float64)
  except (TypeError, ValueError):
    raise ValueError(
      f"{method}: {name} must be a number in {allowed}, got {value!r}."
    ) from None
  above = number >= low if interval[0] == "[" else number > low
  below = number <= high if interval[-1] == "]" else number < high
  if not np.all(above & below):
    hint = ""
    if getattr(value, "dtype", None) in (jnp.bfloat16, jnp.float16):
      hint = (
        f" It was rounded to {value.dtype}: with optax.inject_hyperparams, pass"
        " hyperparam_dtype=jnp.float32."
      )
    raise ValueError(
      f"{method}: {name} must be in {interval}, got {value}.{hint}"
    )


# Step counts are int32.
_MOST = 2**31 - 1


def check_count(method: str, name: str, value: Any, minimum: int) -> None:
  """Raises ValueError unless `value` is a static int32 >= `minimum`."""
  if isinstance(value, jax.Array):
    raise ValueError(
      f"{method}: {name} sets the structure of the program and must be a"
      f" Python integer, got {value}. With optax.inject_hyperparams, list it"
      " in static_args."
    )
  integral = isinstance(value, (int, np.integer)) and not isinstance(
    value, bool
  )
  if not integral or value < minimum:
    raise ValueError(
      f"{method}: {name} must be an integer >= {minimum}, got {value!r}."
    )
  if value > _MOST:
    raise ValueError(
      f"{method}: {name} must be an integer <= {_MOST}, got {value!r}."
    )


def check_choice(
  method: str, name: str, value: Any, choices: Iterable[Any]
) -> None:
  """Raises ValueError unless `value` is one of `choices`."""
  choices = tuple(choices)
  if not any(value is choice or value == choice for choice in choices):
    listed = ", ".join(repr(choice) for choice in choices)
    raise ValueError(
      f"{method}: {name} must be one of {listed}, got {value!r}."
    )


def check_dtype(method: str, name: str, value: Any) -> None:
  """Raises ValueError unless `value` is a floating dtype or None."""
  if value is None:
    return
  try:
    floating = jnp.issubdtype(jnp.dtype(value), jnp.floating)
  except TypeError:
    floating = False
  if not floating:
    raise ValueError(
      f"{method}: {name} must be a floating dtype such as jnp.bfloat16, or"
      f" None, got {value!r}."
    )


def as_scalar(value: chex.Numeric, dtype: Any) -> jax.Array:
  """`value` as a `()` array of `dtype`, never weakly typed."""
  return jnp.asarray(value).astype(dtype)


def rate_at(
  learning_rate: ScalarOrSchedule, count: jax.Array, dtype: Any
) -> jax.Array:
  """The rate of update number `count` (0, 1, ...), as a `()` array.

  A schedule is called once, with `count` itself.
  """
  rate = learning_rate(count) if callable(learning_rate) else learning_rate
  return as_scalar(rate, dtype)
