# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The frame that every transformation of this library stands in.

A method is an `init` and an `update` that may take for granted: floating
leaves, the inputs it declares, and that its updates are cast to the dtype of
the parameters afterwards. `transformation` sees to all three, and to `init` on
`jax.ShapeDtypeStruct`.
"""

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize.core import _precision

# Input of `update` -> (what it is, how the call should read).
INPUTS = {
  "params": (
    "the current parameters",
    "tx.update(grads, state, params)",
  ),
  "value": (
    "the scalar loss of the same batch at the same parameters",
    "tx.update(grads, state, params, value=loss)",
  ),
  "target_value": (
    "an estimate of the best `value`, a return that is to be maximised",
    "tx.update(grads, state, params, value=mean_return, target_value=best)",
  ),
  "grad": (
    "the gradient of the loss at the parameters, before any transformation",
    "tx.update(grads, state, params, grad=grads)",
  ),
  "value_fn": (
    "a function from parameters to the loss of the same batch",
    "tx.update(grads, state, params, value_fn=loss_fn)",
  ),
  "value_and_grad_fn": (
    "a function from parameters to loss and gradient of the same batch",
    "tx.update(grads, state, params,"
    " value_and_grad_fn=jax.value_and_grad(loss_fn))",
  ),
  "hvp": (
    "the Hessian of the loss times `probe`, a tree like the parameters",
    "tx.update(grads, state, params, hvp=hvp, probe=probe)",
  ),
  "probe": (
    "the tree that the Hessian was multiplied with",
    "tx.update(grads, state, params, hvp=hvp, probe=probe)",
  ),
  "hvp_fn": (
    "a function from a tree like the parameters to Hessian times tree",
    "tx.update(grads, state, params, hvp_fn=lambda v:"
    " jax.jvp(jax.grad(loss_fn), (params,), (v,))[1])",
  ),
  "task_id": (
    "the integer index of the task that the batch belongs to",
    "tx.update(grads, state, params, task_id=task)",
  ),
  "logits_fn": (
    "a function from parameters to the logits of the same batch",
    "tx.update(grads, state, params, logits_fn=logits_fn)",
  ),
}


def check_inputs(method: str, needs: tuple[str, ...], /, **given: Any) -> None:
  """Raises the one error that names a missing input and how to pass it."""
  for name in needs:
    if given.get(name) is None:
      what, call = INPUTS[name]
      raise ValueError(
        f"{method}: update() needs `{name}`, {what}. Fix: {call}."
      )


def check_leaves(method: str, params: chex.ArrayTree) -> None:
  """Raises ValueError with the path of a leaf that cannot be trained."""
  for path, leaf in jax.tree_util.tree_leaves_with_path(params):
    where = f"params{jax.tree_util.keystr(path)}"
    if not hasattr(leaf, "dtype"):
      raise ValueError(
        f"{method}: {where} is {leaf!r}, not an array. Fix: convert it with"
        " jnp.asarray, or take it out of the trained tree."
      )
    if not jnp.issubdtype(leaf.dtype, jnp.floating):
      raise ValueError(
        f"{method}: {where} has dtype {leaf.dtype}; only real floating leaves"
        " can be trained. Fix: convert it, or freeze it with optax.partition"
        " and optax.set_to_zero."
      )


def _as_arrays(tree: chex.ArrayTree) -> chex.ArrayTree:
  """NumPy leaves as JAX arrays, whose dtypes are those that JAX computes in."""
  return jax.tree.map(
    lambda x: jnp.asarray(x) if isinstance(x, np.ndarray | np.generic) else x,
    tree,
  )


def transformation(
  method: str,
  init: Callable[[optax.Params], Any],
  update: Callable[..., tuple[optax.Updates, Any]],
  *,
  needs: tuple[str, ...] = (),
) -> optax.GradientTransformationExtraArgs:
  """Puts a method's `init` and `update` into the common frame.

  Args:
    method: Name that errors mention.
    init: Maps parameters to a state. May assume real floating arrays.
    update: Called as `update(updates, state, params, **extra_args)` with all
      extra keyword arguments. May return updates in any dtype.
    needs: Inputs of `update` without which it cannot work, by the names in
      `INPUTS`.

  Returns:
    A transformation whose `init` also takes `jax.ShapeDtypeStruct` leaves, and
    then returns the abstract state.
  """

  def init_fn(params):
    check_leaves(method, params)
    params = _as_arrays(params)
    leaves = jax.tree.leaves(params)
    if any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in leaves):
      return jax.eval_shape(init, params)
    return init(params)

  def update_fn(updates, state, params=None, **extra_args):
    check_inputs(method, needs, params=params, **extra_args)
    updates, params = _as_arrays((updates, params))
    like = updates if params is None else params
    updates, state = update(updates, state, params, **extra_args)
    return _precision.cast_like(updates, like), state

  return optax.GradientTransformationExtraArgs(init_fn, update_fn)
