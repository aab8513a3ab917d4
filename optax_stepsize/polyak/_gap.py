# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What every Polyak step begins with: a loss and a lower bound of it."""

from typing import Any

import chex
import jax
import jax.numpy as jnp

from optax_stepsize import core


def loss_and_bound(
  method: str, value: chex.Numeric, f_min: chex.Numeric, dtype: Any
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """The loss, its lower bound, and whether both are finite: `()` arrays.

  Args:
    method: Name of the method, for the message.
    value: The loss.
    f_min: Its lower bound.
    dtype: Of the first two results.

  Raises:
    ValueError: If `value` is no scalar: the state would change its shape.
  """
  if jnp.shape(value) != ():
    raise ValueError(
      f"{method}: value must be a scalar, got shape {jnp.shape(value)}. Fix:"
      " average the loss over the batch."
    )
  loss = core.as_scalar(value, dtype)
  bound = core.as_scalar(f_min, dtype)
  return loss, bound, jnp.isfinite(loss) & jnp.isfinite(bound)


def capped(step: jax.Array, max_step_size: chex.Numeric | None) -> jax.Array:
  """`step`, or `max_step_size` where that is given and smaller."""
  if max_step_size is None:
    return step
  return jnp.minimum(step, core.as_scalar(max_step_size, step.dtype))
