# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Objectives of policy gradient: one whose gradient is the GPOMDP estimate."""

import chex
import jax
import jax.numpy as jnp

from optax_stepsize import core


def _mean(x: jax.Array, mask: chex.Array | None) -> jax.Array:
  """Mean of the entries that `mask` selects; zero where there are none."""
  if mask is None:
    return jnp.mean(x)
  valid = jnp.asarray(mask).astype(bool)
  total = jnp.sum(jnp.where(valid, x, 0))
  return core.safe_divide(total, jnp.sum(valid).astype(total.dtype))


def gpomdp_surrogate(
  log_probs: chex.Array,
  rewards: chex.Array,
  discount: chex.Numeric,
  mask: chex.Array,
  baseline: chex.Array | None = None,
) -> jax.Array:
  r"""A scalar whose gradient is the GPOMDP estimate of that of the return.

  For N trajectories with rewards r and probabilities :math:`\pi` of the actions
  that were taken,

  .. math::
    \frac{1}{N} \sum_{n, u} \log \pi_{n, u} \left( \sum_{t \ge u} \gamma^t
    r_{n, t} - \gamma^u b_{n, u} \right),

  in which the bracket is a constant to differentiation. An action is credited
  with the rewards from then on. The value of this scalar means nothing: that of
  the policy is the mean of :math:`\sum_t \gamma^t r_t`.

  Args:
    log_probs: Logarithms of the probabilities of the actions taken, a function
      of the parameters: `(..., T)`, with time last. The axes before count
      trajectories.
    rewards: Rewards of those actions, of the same shape.
    discount: Factor :math:`\gamma` per step, in (0, 1].
    mask: Of the same shape; zero or False after the end of a trajectory, where
      nothing counts, whatever the other arguments are there.
    baseline: What to expect of the rewards from each step on, discounted to
      that step: of the same shape, or broadcast to it. Any that does not depend
      on the action leaves the expected gradient as it is. None: zero.

  Returns:
    A `()` array. Its gradient ascends: differentiate its negative for a loss.

  Raises:
    ValueError: If `discount` is out of its range, or shapes differ.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> def surrogate(logits):  # two steps, of which one action is certain
    ...   log_probs = jnp.stack([jax.nn.log_sigmoid(logits), jnp.zeros(())])
    ...   rewards, mask = jnp.array([1.0, 4.0]), jnp.ones(2)
    ...   return optax_stepsize.gpomdp_surrogate(log_probs, rewards, 0.5, mask)
    >>> print(jax.grad(surrogate)(jnp.zeros(())))  # (1 + 0.5 * 4) * 0.5
    1.5

  References:
    Baxter and Bartlett, Infinite-Horizon Policy-Gradient Estimation, JAIR 15,
    2001, arXiv 1106.0665.
  """
  core.check_range("gpomdp_surrogate", "discount", discount, "(0, 1]")
  log_probs = core.widen(jnp.asarray(log_probs))
  shape = log_probs.shape
  for name, array in (("rewards", rewards), ("mask", mask)):
    if jnp.shape(array) != shape or not shape:
      raise ValueError(
        f"gpomdp_surrogate: {name} must have the shape (..., T) of log_probs,"
        f" got {jnp.shape(array)} and {shape}. Fix: pad all trajectories to the"
        " same length, and mask the rest."
      )
  dtype = log_probs.dtype
  valid = jnp.asarray(mask).astype(bool)
  powers = core.as_scalar(discount, dtype) ** jnp.arange(shape[-1], dtype=dtype)
  powers = jnp.broadcast_to(powers, shape)
  gains = jnp.where(valid, powers * jnp.asarray(rewards).astype(dtype), 0)
  weights = jax.lax.cumsum(gains, axis=len(shape) - 1, reverse=True)
  if baseline is not None:
    expected = jnp.broadcast_to(jnp.asarray(baseline).astype(dtype), shape)
    weights = weights - powers * expected
  terms = jnp.where(valid, log_probs * jax.lax.stop_gradient(weights), 0)
  return jnp.mean(jnp.sum(terms, axis=-1))


def entropy_regularised_return(
  returns: chex.Array,
  entropies: chex.Array,
  coef: chex.Numeric,
  mask: chex.Array | None = None,
) -> jax.Array:
  r"""The mean return plus `coef` times the mean entropy of the policy.

  Near a policy that is certain of its actions gradients vanish faster than the
  gap to the best return, and a Polyak step explodes. Entropy in the objective
  keeps policies away from there. It has to be in value and gradient alike: the
  former is this function of returns, the latter its derivative with
  `gpomdp_surrogate` in their place.

  Args:
    returns: One number for each trajectory, or their mean.
    entropies: Entropies of the policy in the states that were visited, in nats.
    coef: Weight of the entropy, >= 0; 0.01 is usual.
    mask: Of the shape of `entropies`; zero or False where one does not count.
      None: all count.

  Returns:
    A `()` array.

  Raises:
    ValueError: If `coef` is out of its range.

  Example:
    >>> import jax.numpy as jnp
    >>> from optax_stepsize import entropy_regularised_return
    >>> returns, entropies = jnp.array([10.0, 20.0]), jnp.array([0.6, 0.2])
    >>> print(entropy_regularised_return(returns, entropies, coef=0.5))
    15.2

  References:
    Li, Yuan, Fan, Schmidt, Horvath, Gower and Takac, Enhancing Policy Gradient
    with the Polyak Step-Size Adaption, 2024, arXiv 2404.07525.
  """
  core.check_range("entropy_regularised_return", "coef", coef, "[0, inf)")
  returns, entropies = map(jnp.asarray, (returns, entropies))
  dtype = core.accumulator_dtype(returns, entropies)
  entropy = _mean(entropies.astype(dtype), mask)
  weight = core.as_scalar(coef, dtype)
  return _mean(returns.astype(dtype), None) + weight * entropy
