# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Gradient accumulation that averages the loss together with the gradients."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from optax_stepsize.core import _hyperparameters
from optax_stepsize.core import _precision
from optax_stepsize.core import _transformation


class AccumulateState(NamedTuple):
  """State of `accumulate`.

  Attributes:
    mini_step: `()` int32: micro-batches seen since the last applied update.
    grad_sum: Like the parameters, float32 or float64: sum of their gradients.
    scalar_sums: Dictionary of `()` arrays: sums of the averaged inputs.
    inner_state: State of the inner transformation; changes every k-th call.
  """

  mini_step: jax.Array
  grad_sum: Any
  scalar_sums: dict[str, jax.Array]
  inner_state: Any


def accumulate(
  tx: optax.GradientTransformation,
  k: int,
  *,
  averaged: tuple[str, ...] = ("value",),
) -> optax.GradientTransformationExtraArgs:
  """Calls `tx` once per `k` micro-batches, with the mean of their gradients.

  `optax.MultiSteps` averages gradients but passes on the `value` of the last
  micro-batch, so that a step that is computed from the loss comes out wrong.
  Here `value` is averaged as well: k micro-batches of equal size give the same
  update as one batch of all of them.

  Needs: what `tx` needs.
  State: 4 bytes per parameter more than `tx`.

  Args:
    tx: Any transformation.
    k: Number of micro-batches, at least 1. Static.
    averaged: Names of scalar extra arguments of `update` that are averaged over
      the micro-batches, when they are given. Other extra arguments are passed
      on as the k-th call has them.

  Returns:
    A transformation that returns zero updates and leaves the state of `tx`
    unchanged on all but every k-th call.

  Raises:
    ValueError: If `k` is not a positive integer.

  Example:
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> tx = optax_stepsize.accumulate(optax_stepsize.sps(), k=2)
    >>> params = jnp.array([1.0, 2.0])
    >>> state = tx.init(params)
    >>> grads = jnp.array([0.6, 0.8])
    >>> first, state = tx.update(grads, state, params, value=1.0)
    >>> second, state = tx.update(grads, state, params, value=3.0)
    >>> assert jnp.all(first == 0)
    >>> assert jnp.allclose(second, -4.0 * grads)  # (1 + 3) / 2 / (0.5 * 1)
  """
  _hyperparameters.check_count("accumulate", "k", k, 1)
  inner = optax.with_extra_args_support(tx)

  def init(params):
    dtype = _precision.accumulator_dtype(params)
    return AccumulateState(
      mini_step=jnp.zeros((), jnp.int32),
      grad_sum=_precision.zeros(params, None),
      scalar_sums={name: jnp.zeros((), dtype) for name in averaged},
      inner_state=inner.init(params),
    )

  def update(updates, state, params, **extra_args):
    grad_sum = jax.tree.map(
      lambda total, g: total + g.astype(total.dtype), state.grad_sum, updates
    )
    given = [n for n in averaged if extra_args.get(n) is not None]
    scalar_sums = dict(state.scalar_sums)
    for name in given:
      total = scalar_sums[name]
      scalar_sums[name] = total + _hyperparameters.as_scalar(
        extra_args[name], total.dtype
      )

    def apply(inner_state):
      mean = jax.tree.map(
        lambda total, g: (total / k).astype(g.dtype), grad_sum, updates
      )
      means = {name: scalar_sums[name] / k for name in given}
      emitted, inner_state = inner.update(
        mean, inner_state, params, **(extra_args | means)
      )
      return _precision.cast_like(emitted, like), inner_state

    def skip(inner_state):
      return jax.tree.map(jnp.zeros_like, like), inner_state

    like = updates if params is None else params
    last = state.mini_step == k - 1
    emitted, inner_state = jax.lax.cond(last, apply, skip, state.inner_state)
    zero = jax.tree.map(jnp.zeros_like, (grad_sum, scalar_sums))
    grad_sum, scalar_sums = _precision.select(
      last, zero, (grad_sum, scalar_sums)
    )
    mini_step = jnp.where(last, 0, state.mini_step + 1)
    return emitted, AccumulateState(
      mini_step, grad_sum, scalar_sums, inner_state
    )

  return _transformation.transformation("accumulate", init, update)
