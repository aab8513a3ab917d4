# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""A recorder of gradient norms, which `refined_schedule` is made from."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core


class GradientNormsState(NamedTuple):
  """State of `record_gradient_norms`; read it with `recorded_norms`.

  Attributes:
    count: `()` int32: gradients seen; grows by one per update.
    oldest: `()` int32: where the earliest of the kept norms is; moves on when
      a ring is full.
    norms: `(capacity,)` float32: the norms; one is written per update.
  """

  count: jax.Array  # type: ignore[assignment]
  oldest: jax.Array
  norms: jax.Array


def _norm(
  tree: chex.ArrayTree, order: int, axis_name: core.AxisName
) -> jax.Array:
  if order == 2:
    return jnp.sqrt(core.squared_norm(tree, axis_name=axis_name))
  sums = core.leaf_abs(tree)
  dtype = core.accumulator_dtype(tree)
  return core.global_sums(sums, axis_name=axis_name, dtype=dtype)[0]


def record_gradient_norms(
  capacity: int,
  ord: int = 2,
  *,
  ring: bool = False,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""Keeps the norm of each gradient and leaves the gradients as they are.

  Put it first in a chain, before clipping: it sees what comes in. The norm is

  .. math:: \|g_t\|_p = \Bigl(\sum_i |g_{t,i}|^p\Bigr)^{1/p}

  over all leaves. Squares are summed in float32: what is below 1e-19 counts as
  zero, and a norm above 1e19 as infinite. A gradient that is not finite leaves
  a norm that is not, which `refined_schedule` drops. Read the norms with
  `recorded_norms`.

  Needs: nothing but gradients.
  State: 4 bytes per entry of `capacity`, none per parameter.

  Args:
    capacity: How many norms to keep, >= 1; the number of steps of the run, to
      keep them all. Static.
    ord: The norm's p, 2 for runs of SGD or 1 for runs of Adam. Static.
    ring: Whether the last norms are kept rather than the first, when there are
      more than `capacity`. Static.
    axis_name: Mesh axes that gradients are sharded over inside
      `jax.shard_map`. Static.

  Returns:
    A transformation that leaves updates as they are.

  Raises:
    ValueError: If an argument is out of its range, or a leaf is not floating.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> curvature, target = jnp.array([1.0, 10.0]), jnp.array([3.0, -2.0])
    >>> loss = lambda p: 0.5 * jnp.sum(curvature * (p - target) ** 2)
    >>> tx = optax.chain(
    ...     optax_stepsize.record_gradient_norms(100), optax.sgd(0.1)
    ... )
    >>> params = jnp.zeros(2)
    >>> state = tx.init(params)
    >>> for _ in range(100):
    ...   updates, state = tx.update(jax.grad(loss)(params), state, params)
    ...   params = optax.apply_updates(params, updates)
    >>> norms = optax_stepsize.recorded_norms(state)
    >>> assert len(norms) == 100 and norms[0] > 20 and norms[-1] < 1e-3

  References:
    Defazio, Cutkosky, Mehta and Mishchenko, When, Why and How Much? Adaptive
    Learning Rate Scheduling by Refinement, 2023, arXiv 2310.07831; BibTeX by
    `optax_stepsize.cite("record_gradient_norms")`.
  """
  method = "record_gradient_norms"
  core.check_count(method, "capacity", capacity, 1)
  core.check_choice(method, "ord", ord, (1, 2))
  core.check_choice(method, "ring", ring, (False, True))

  def init(params):
    del params
    return GradientNormsState(
      count=jnp.zeros((), jnp.int32),
      oldest=jnp.zeros((), jnp.int32),
      norms=jnp.zeros(capacity, jnp.float32),
    )

  def update(updates, state, params, **extra_args):
    del params, extra_args
    norm = _norm(updates, ord, axis_name).astype(jnp.float32)
    place, oldest = state.count, state.oldest
    if ring:
      # Not `count % capacity`: the count stops at its largest value.
      kept = jnp.minimum(state.count, capacity)
      place = (oldest + kept) % capacity
      oldest = jnp.where(kept == capacity, (oldest + 1) % capacity, oldest)
    return updates, GradientNormsState(
      count=optax.safe_increment(state.count),
      oldest=oldest,
      norms=state.norms.at[place].set(norm, mode="drop"),
    )

  return core.transformation(method, init, update)


def recorded_norms(opt_state: optax.OptState) -> np.ndarray:
  """The norms that `record_gradient_norms` has kept, earliest first.

  It finds the recorder anywhere in an optimizer state: inside `optax.chain`,
  `masked`, `MultiSteps`, `apply_if_finite` and `inject_hyperparams`.

  Args:
    opt_state: The state of any transformation, however nested, with one
      recorder in it.

  Returns:
    Float32 array, as long as the number of norms kept so far.

  Raises:
    ValueError: If there is not exactly one recorder, or it is that of several
      runs at a time.

  Example:
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> tx = optax_stepsize.record_gradient_norms(10)
    >>> state = tx.init(jnp.zeros(2))
    >>> _, state = tx.update(jnp.array([3.0, 4.0]), state)
    >>> optax_stepsize.recorded_norms(state)
    array([5.], dtype=float32)
  """

  def is_recorder(node):
    return isinstance(node, GradientNormsState)

  nodes = jax.tree.leaves(opt_state, is_leaf=is_recorder)
  found = list(filter(is_recorder, nodes))
  if len(found) != 1:
    raise ValueError(
      "recorded_norms: opt_state must hold one state of record_gradient_norms,"
      f" got {len(found)}. Fix: chain the recorder, or pass a part of the"
      " state."
    )
  count, oldest, norms = (np.asarray(array) for array in found[0])
  if count.ndim:
    raise ValueError(
      "recorded_norms: opt_state must be that of one run, got one of shape"
      f" {count.shape}. Fix: jax.tree.map(lambda x: x[0], opt_state)."
    )
  return np.roll(norms, -oldest)[: min(int(count), len(norms))]
