# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Gradient accumulation that averages the loss together with the gradients."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize.core import _hyperparameters
from optax_stepsize.core import _precision
from optax_stepsize.core import _transformation

_LIKE_PARAMS = "params"


class AccumulateState(NamedTuple):
  """State of `accumulate`.

  Attributes:
    mini_step: `()` int32: micro-batches seen since the last applied update.
    grad_sum: Like the parameters, float32 or float64: sum of their gradients.
    sums: Dictionary from the names of the averaged inputs to their sums: arrays
      of the scalar dtype, or trees like `grad_sum`.
    inner_state: State of the inner transformation; changes every k-th call.
  """

  mini_step: jax.Array
  grad_sum: Any
  sums: dict[str, Any]
  inner_state: Any


def _added(name: str, total: Any, given: Any) -> Any:
  """`total + given`, of arrays or of trees, in the dtype of `total`."""
  if isinstance(total, jax.Array) and jnp.shape(given) != total.shape:
    raise ValueError(
      f"accumulate: {name} must have the shape {total.shape}, got"
      f" {jnp.shape(given)}. Fix: average it over the micro-batch, or say"
      f" averaged={{{name!r}: {jnp.shape(given)}}}."
    )
  return jax.tree.map(
    lambda t, x: t + jnp.asarray(x).astype(t.dtype), total, given
  )


def accumulate(
  tx: optax.GradientTransformation,
  k: int,
  *,
  averaged: tuple[str, ...] | Mapping[str, Any] = ("value",),
) -> optax.GradientTransformationExtraArgs:
  """Calls `tx` once per `k` micro-batches, with the mean of their gradients.

  `optax.MultiSteps` averages gradients but passes on the `value` of the last
  micro-batch, so that a step that is computed from the loss comes out wrong.
  Here `value` is averaged as well: k micro-batches give the same update as one
  batch of all of them. They count alike; where sizes differ, multiply gradients
  and value of each with its size over the mean size.

  All arguments that are not averaged are passed on as the k-th call has them.
  A function of the parameters, such as `value_and_grad_fn` or `hvp_fn`, has to
  be that of all k micro-batches there, which `mean_over_batches` makes; it is
  not called before. One of the last micro-batch alone looks the same and gives
  another step. What is not finite in one micro-batch makes the mean so, and is
  for `tx` to deal with: methods of this library then skip one update.

  Needs: what `tx` needs.
  State: 4 bytes per parameter more than `tx`, and 4 for each averaged tree.

  Args:
    tx: Any transformation.
    k: Number of micro-batches, at least 1. Static.
    averaged: Extra arguments of `update` that are averaged over the
      micro-batches when they are given: names of scalars, or a mapping from
      names to the shapes of arrays. "params" in place of a shape is a tree like
      the parameters, such as `grad`, `hessian_diag` or, if all micro-batches
      have the same `probe`, `hvp`.

  Returns:
    A transformation that returns zero updates and leaves the state of `tx`
    unchanged on all but every k-th call.

  Raises:
    ValueError: If `k` is not a positive integer, or in `update`, if an averaged
      argument has another shape.

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
  if not isinstance(averaged, Mapping):
    averaged = dict.fromkeys(averaged, ())
  shapes = dict(averaged)

  def init(params):
    dtype = _precision.accumulator_dtype(params)
    return AccumulateState(
      mini_step=jnp.zeros((), jnp.int32),
      grad_sum=_precision.zeros(params, None),
      sums={
        name: _precision.zeros(params, None)
        if shape == _LIKE_PARAMS
        else jnp.zeros(shape, dtype)
        for name, shape in shapes.items()
      },
      inner_state=inner.init(params),
    )

  def update(updates, state, params, **extra_args):
    grad_sum = jax.tree.map(
      lambda total, g: total + g.astype(total.dtype), state.grad_sum, updates
    )
    given = [n for n in shapes if extra_args.get(n) is not None]
    sums = state.sums | {
      name: _added(name, state.sums[name], extra_args[name]) for name in given
    }

    def mean_like(totals, like):
      return jax.tree.map(
        lambda total, x: (total / k).astype(x.dtype), totals, like
      )

    def apply(inner_state):
      means = {
        name: mean_like(sums[name], extra_args[name])
        if shapes[name] == _LIKE_PARAMS
        else sums[name] / k
        for name in given
      }
      emitted, inner_state = inner.update(
        mean_like(grad_sum, updates),
        inner_state,
        params,
        **(extra_args | means),
      )
      return _precision.cast_like(emitted, like), inner_state

    def skip(inner_state):
      return jax.tree.map(jnp.zeros_like, like), inner_state

    like = updates if params is None else params
    last = state.mini_step == k - 1
    emitted, inner_state = jax.lax.cond(last, apply, skip, state.inner_state)
    zero = jax.tree.map(jnp.zeros_like, (grad_sum, sums))
    grad_sum, sums = _precision.select(last, zero, (grad_sum, sums))
    mini_step = jnp.where(last, 0, state.mini_step + 1)
    return emitted, AccumulateState(mini_step, grad_sum, sums, inner_state)

  return _transformation.transformation("accumulate", init, update)


def mean_over_batches(
  fn: Callable[[Any, Any], chex.ArrayTree], batches: chex.ArrayTree
) -> Callable[[Any], chex.ArrayTree]:
  """The mean of `fn` over micro-batches, as a function of its first argument.

  With it a function that a method calls, such as `value_and_grad_fn`, `hvp_fn`
  or `value_fn`, is that of all micro-batches in the memory of one: they are
  gone through in a loop. It also accumulates by itself, where all micro-batches
  are at hand in one call: `value, grads = mean_over_batches(...)(params)`.

  Args:
    fn: From its argument, such as parameters, and a micro-batch to an array or
      a tree of arrays that are means over the examples, such as a loss and its
      gradient.
    batches: Micro-batches of equal size, stacked: a tree of arrays with a first
      axis of equal length, at least 1.

  Returns:
    A function from the argument to the mean. Sums are float32 or float64; what
    is returned has the dtypes that `fn` returns.

  Raises:
    ValueError: If `batches` have no common first axis, or none of its length.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> def loss_fn(params, batch):
    ...   inputs, targets = batch
    ...   return jnp.mean((inputs @ params - targets) ** 2)
    >>> inputs = jax.random.normal(jax.random.key(0), (4, 8, 3))
    >>> batches = inputs, inputs @ jnp.array([1.0, -2.0, 0.5])  # 4 of 8
    >>> value_and_grad_fn = optax_stepsize.mean_over_batches(
    ...     jax.value_and_grad(loss_fn), batches
    ... )
    >>> tx = optax_stepsize.smb()
    >>> params = jnp.zeros(3)
    >>> state = tx.init(params)
    >>> @jax.jit
    ... def step(params, state):
    ...   value, grads = value_and_grad_fn(params)
    ...   updates, state = tx.update(
    ...       grads, state, params, value=value,
    ...       value_and_grad_fn=value_and_grad_fn,
    ...   )
    ...   return params + updates, state
    >>> for _ in range(50):
    ...   params, state = step(params, state)
    >>> assert jnp.allclose(params, jnp.array([1.0, -2.0, 0.5]), atol=1e-3)
  """
  shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(batches)]
  lengths = {shape[:1] for shape in shapes}
  if len(lengths) != 1 or not lengths.isdisjoint({(), (0,)}):
    raise ValueError(
      "mean_over_batches: batches must be arrays with a first axis of equal"
      f" length, at least 1, got shapes {shapes}. Fix: stack the micro-batches."
    )
  ((number,),) = lengths

  def mean(argument):
    outputs = jax.eval_shape(
      lambda x, stacked: fn(x, jax.tree.map(lambda leaf: leaf[0], stacked)),
      argument,
      batches,
    )

    def add(totals, batch):
      found = fn(argument, batch)
      return jax.tree.map(
        lambda total, x: total + x.astype(total.dtype), totals, found
      ), None

    totals, _ = jax.lax.scan(add, _precision.zeros(outputs, None), batches)
    return jax.tree.map(
      lambda total, out: (total / number).astype(out.dtype), totals, outputs
    )

  return mean
