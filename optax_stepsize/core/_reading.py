# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Reading a nested state: evaluation points, step sizes, stuck estimates."""

from collections.abc import Iterable, Iterator
import sys
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize.core import _compensated
from optax_stepsize.core import _hyperparameters


def _pure(tree: chex.ArrayTree) -> chex.ArrayTree:
  """`tree` without the variables that `flax.nnx` wraps arrays in.

  Who passes such a tree has imported `flax.nnx`; nobody else has to.
  """
  nnx: Any = sys.modules.get("flax.nnx")
  if nnx is None:
    return tree
  # Renamed after Flax 0.12.0.
  return nnx.as_pure(tree) if hasattr(nnx, "as_pure") else nnx.pure(tree)


def _has_view(node: Any) -> bool:
  return callable(getattr(type(node), "eval_params", None))


def _views(
  opt_state: optax.OptState, params: optax.Params
) -> Iterator[optax.Params]:
  """Evaluation points of the outermost states that have one."""

  def stop(node):
    return _has_view(node) or isinstance(node, _compensated.CompensatedState)

  for node in jax.tree.leaves(opt_state, is_leaf=stop):
    if _has_view(node):
      yield node.eval_params(params)
    elif isinstance(node, _compensated.CompensatedState):
      yield from _views(node.inner_state, node.widen(params))


def has_eval_params(opt_state: optax.OptState) -> bool:
  """True if `eval_params` would not simply return the parameters.

  Args:
    opt_state: The state of any transformation, however nested.

  Example:
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> params = jnp.ones(3)
    >>> optax_stepsize.has_eval_params(optax.adam(1e-3).init(params))
    False
    >>> tx = optax_stepsize.schedule_free_adamw()
    >>> optax_stepsize.has_eval_params(tx.init(params))
    True
  """

  def stop(node):
    return _has_view(node)

  return any(map(_has_view, jax.tree.leaves(opt_state, is_leaf=stop)))


def eval_params(
  opt_state: optax.OptState, params: optax.Params
) -> optax.Params:
  """The parameters to evaluate, export and stop early by.

  Averaging methods take gradients at one point and are evaluated at another.
  The training loop always holds the former; this function gives the latter. It
  finds the states of averaging methods anywhere in `opt_state`: inside
  `optax.chain`, `masked`, `partition`, `MultiSteps`, `apply_if_finite` and
  `inject_hyperparams`. Of nested averaging methods the outermost decides. It is
  pure and can be jitted; without an averaging method it returns `params`.

  Args:
    opt_state: The state of any transformation, however nested.
    params: The parameters held by the training loop, at which gradients are
      taken. With `flax.nnx`: `nnx.state(model, nnx.Param)`, and the `opt_state`
      of the `nnx.Optimizer`.

  Returns:
    A tree like `params`, of the same shapes and dtypes. Leaves that no
    averaging method owns are those of `params`.

  Raises:
    ValueError: If two averaging methods own the same leaf.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> tx = optax.chain(
    ...     optax.clip_by_global_norm(1.0),
    ...     optax_stepsize.schedule_free_adamw(0.1),
    ... )
    >>> curvature, target = jnp.array([1.0, 10.0]), jnp.array([3.0, -2.0])
    >>> loss = lambda p: 0.5 * jnp.sum(curvature * (p - target) ** 2)
    >>> params = jnp.zeros(2)
    >>> state = tx.init(params)
    >>> for _ in range(300):
    ...   updates, state = tx.update(jax.grad(loss)(params), state, params)
    ...   params = optax.apply_updates(params, updates)
    >>> assert loss(optax_stepsize.eval_params(state, params)) < 1e-2
  """
  treedef: Any
  leaves, treedef = jax.tree.flatten(params)
  owned = [False] * len(leaves)
  pure: Any = _pure(params)
  places: Any = jax.tree.structure(pure)
  for view in _views(_pure(opt_state), pure):
    for i, leaf in enumerate(places.flatten_up_to(view)):
      if isinstance(leaf, optax.MaskedNode):
        continue
      if owned[i]:
        path = jax.tree_util.tree_leaves_with_path(params)[i][0]
        raise ValueError(
          "eval_params: two averaging methods in this state own the leaf"
          f" params{jax.tree_util.keystr(path)}, so that its evaluation point"
          " is not defined. Fix: average each leaf with one method only."
        )
      owned[i] = True
      # A copy, which outlives a state that is donated.
      leaves[i] = jnp.array(leaf, dtype=leaves[i].dtype, copy=True)
  return jax.tree.unflatten(treedef, leaves)


def step_sizes(opt_state: optax.OptState) -> dict[str, chex.ArrayTree]:
  """Every step size in a state, by its path.

  Args:
    opt_state: The state of any transformation, however nested.

  Returns:
    A dictionary from the path of each `step_size` field (its parts joined with
    slashes) to its value: the step size that the last update applied, schedule
    included. It is a `()` array, or a tree with one number per leaf for
    layer-wise methods. Empty when no state has such a field.

  Example:
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> tx = optax.chain(optax.clip(1.0), optax_stepsize.dog())
    >>> params = jnp.ones(3)
    >>> grads, state = jnp.full(3, 0.5), tx.init(params)
    >>> _, state = tx.update(grads, state, params)
    >>> [float(step) > 0 for step in optax_stepsize.step_sizes(state).values()]
    [True]
  """
  # Not what belongs to a parameter of that name.
  found = optax.tree_utils.tree_get_all_with_path(
    _pure(opt_state),
    "step_size",
    filtering=lambda path, _: isinstance(
      path[-1], optax.tree_utils.NamedTupleKey
    ),
  )
  return {path_name(path, "/"): value for path, value in found}


def _tells_stuck(node: Any) -> bool:
  return callable(getattr(type(node), "is_stuck", None))


def is_stuck(
  opt_state: optax.OptState, *, patience: int = 100, by_path: bool = False
) -> jax.Array | dict[str, chex.ArrayTree]:
  """Whether an estimate of the distance never left its start.

  Distance methods begin with a distance, `d0` or `reps_rel`, that is far too
  small, and grow it from what gradients show. One that begins too small for the
  precision of the parameters, or for the noise, does not grow, and nothing is
  learned. Ask after some hundred steps, and raise that argument a hundredfold,
  or see to the precision, where the answer is yes. The function is pure and can
  be jitted.

  Args:
    opt_state: The state of any transformation, however nested. The states of
      distance methods are found by their method `is_stuck(patience)`.
    patience: Updates that an estimate is given to move. Before its first
      nonzero gradient it is never stuck.
    by_path: Whether to answer for each estimate.

  Returns:
    `()` bool: whether any is stuck; False where there is none. With `by_path`
    a dictionary from the path of each state, as for `step_sizes`, to its
    answer: `()` bool, or a tree with one per leaf for layer-wise methods.

  Example:
    Steps of 1e-6 beside parameters of bfloat16 are lost unless their rounding
    is compensated:

    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> params = jnp.ones(3, jnp.bfloat16)
    >>> for compensate in (False, None):
    ...   tx = optax_stepsize.prodigy(compensate=compensate)
    ...   point, state = params, tx.init(params)
    ...   for _ in range(20):
    ...     updates, state = tx.update(point - 3, state, point)
    ...     point = optax.apply_updates(point, updates)
    ...   print(optax_stepsize.is_stuck(state, patience=10))
    True
    False
  """
  _hyperparameters.check_count("is_stuck", "patience", patience, 0)
  found = {
    path_name(path, "/"): node.is_stuck(patience)
    for path, node in jax.tree_util.tree_leaves_with_path(
      _pure(opt_state), is_leaf=_tells_stuck
    )
    if _tells_stuck(node)
  }
  if by_path:
    return found
  answers = [jnp.any(answer) for answer in jax.tree.leaves(found)]
  return jnp.any(jnp.asarray(answers, jnp.bool_))


def path_name(path: Iterable[Any], separator: str) -> str:
  """The keys of a path, joined."""
  return separator.join(map(_key_name, path))


def _key_name(key: Any) -> str:
  for attribute in ("name", "key", "idx"):
    if hasattr(key, attribute):
      return str(getattr(key, attribute))
  return str(key)
