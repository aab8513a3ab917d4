# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Groups of parameters with an estimate of their own.

A method that estimates one number for all parameters is run once for each
group, on its leaves alone, so that a group is what a run of its own would be.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize.core import _hyperparameters
from optax_stepsize.core import _precision
from optax_stepsize.core import _reading
from optax_stepsize.core import _transformation

PerGroup = Any | Callable[[optax.Params], Any] | None

_LEAF = "leaf"


class GroupedState(NamedTuple):
  """State of a method with `per_group`.

  Attributes:
    count: `()` int32: calls of `update`.
    inner_states: Dictionary from the name of each group, its label as a string,
      to the method's state, in which `optax.MaskedNode` stands for the leaves
      of other groups.
  """

  count: jax.Array  # type: ignore[assignment]
  inner_states: Any


def _labelled(method: str, labels: Any) -> dict[Any, Any]:
  """Path -> label of each label, all of which are hashable."""
  found: dict[Any, Any] = dict(jax.tree_util.tree_leaves_with_path(labels))
  names: dict[str, Any] = {}
  for path, label in found.items():
    where = f"{method}: per_group{jax.tree_util.keystr(path)}"
    try:
      hash(label)
    except TypeError:
      raise ValueError(
        f"{where} must be a hashable label, got an object of type"
        f" {type(label).__name__}. Fix: use a string."
      ) from None
    if names.setdefault(str(label), label) != label:
      raise ValueError(
        f"{where} must differ from other labels as a string, got {label!r}"
        f" beside {names[str(label)]!r}. Fix: use strings."
      )
  return found


def _is_placeholder(params: optax.Params) -> bool:
  """Whether these stand for parameters in `optax.tree.map_params`."""
  kinds: list[type] = []
  optax.tree_utils.tree_map_params(
    lambda placeholder: kinds.append(type(placeholder)), lambda leaf: leaf, None
  )
  return isinstance(params, kinds[0])


def _names(method: str, labels: Any, params: optax.Params) -> chex.ArrayTree:
  """The name of each leaf's group."""
  paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(params)]
  if isinstance(labels, str):
    if labels != _LEAF:
      raise ValueError(
        f"{method}: per_group must be a tree of labels, a function that makes"
        f" one, or {_LEAF!r}, got {labels!r}. Fix: None, for one estimate of"
        " all parameters."
      )
    labelled = {path: _reading.path_name(path, ".") or "all" for path in paths}
    if len(set(labelled.values())) < len(paths):
      labelled = {path: jax.tree_util.keystr(path) for path in paths}
  else:
    labelled = _labelled(method, labels)
  names, used = {}, set()
  for path in paths:
    above = [path[:n] for n in range(len(path) + 1) if path[:n] in labelled]
    if not above:
      raise ValueError(
        f"{method}: per_group has no label for params"
        f"{jax.tree_util.keystr(path)}. Fix: add one for it, or for a branch"
        " that it is on."
      )
    names[path] = str(labelled[above[0]])
    used.add(above[0])
  # Leaves that are not there, or that a wrapper keeps from the method, may have
  # labels and need none.
  absent = [
    path
    for path, _ in jax.tree_util.tree_leaves_with_path(
      params, is_leaf=lambda x: x is None or isinstance(x, optax.MaskedNode)
    )
    if path not in names
  ]
  for path in labelled.keys() - used if paths else ():
    if not any(a[: len(path)] == path[: len(a)] for a in absent):
      raise ValueError(
        f"{method}: per_group{jax.tree_util.keystr(path)} is the label of no"
        " leaf of params. Fix: remove it, or correct its path."
      )
  return (
    jax.tree_util.tree_map_with_path(lambda path, _: names[path], params),
    {str(label) for label in labelled.values()},
  )


def group_names(
  method: str, per_group: PerGroup, params: optax.Params
) -> chex.ArrayTree:
  """A tree like `params` of the names of their groups, strings.

  For methods that sum over groups but are run once, on all leaves.

  Args:
    method: Name that errors mention.
    per_group: As for `grouped`; None puts all leaves into one group.
    params: Parameters, or what has their structure.
  """
  if per_group is None:
    return jax.tree.map(lambda _: "all", params)
  labels = per_group(params) if callable(per_group) else per_group
  return _names(method, labels, params)[0]


def grouped(
  method: str,
  init: Callable[[optax.Params], Any],
  update: Callable[..., tuple[optax.Updates, Any]],
  learning_rate: _hyperparameters.ScalarOrSchedule,
  per_group: PerGroup,
) -> optax.GradientTransformationExtraArgs:
  """A method with an estimate for each group, in the common frame.

  Args:
    method: Name that errors mention.
    init: As for `transformation`; the state has a `count` of all updates.
    update: Called as `update(updates, state, params, rate=..., **extra_args)`
      with the rate of this update, `()` in the dtype of scalars.
    learning_rate: A float or schedule; called once, whatever groups there are.
    per_group: Which leaves share an estimate:

      - None: all, and nothing else is different;
      - `"leaf"`: each has its own;
      - a tree of hashable labels like the parameters, or a prefix of one: those
        with equal labels;
      - a function from parameters to such a tree. It may look at structure,
        shapes and dtypes, which are float32 for parameters with a residual (see
        `compensated`).

  Returns:
    A transformation that needs params. Its state is that of the method, or with
    `per_group` a `GroupedState` of those. `optax.tree.map_params` finds what is
    like the parameters in it where `per_group` is a tree; otherwise it leaves
    all `inner_states` alone. `state_sharding` does either way.
  """

  def at(learning_rate):
    def update_at(updates, state, params, **extra_args):
      dtype = _precision.accumulator_dtype(params)
      rate = _hyperparameters.rate_at(learning_rate, state.count, dtype)
      return update(updates, state, params, rate=rate, **extra_args)

    return _transformation.transformation(
      method, init, update_at, needs=("params",)
    )

  if per_group is None:
    return at(learning_rate)

  def split(params, rate):
    labels = per_group(params) if callable(per_group) else per_group
    names, groups = _names(method, labels, params)
    return optax.partition(dict.fromkeys(sorted(groups), at(rate)), names)

  def grouped_init(params):
    count = jnp.zeros((), jnp.int32)
    unknown = callable(per_group) or isinstance(per_group, str)
    if unknown and _is_placeholder(params):
      # There is no saying which groups there are: one leaf stands for them.
      return GroupedState(count, _precision.absent())
    # Of a rate, a state keeps at most what has been applied.
    return GroupedState(count, split(params, 0.0).init(params).inner_states)

  def grouped_update(updates, state, params, **extra_args):
    rate = learning_rate
    if callable(learning_rate):
      rate = learning_rate(state.count)
    updates, inner = split(params, rate).update(
      updates, optax.PartitionState(state.inner_states), params, **extra_args
    )
    count = optax.safe_increment(state.count)
    return updates, GroupedState(count, inner.inner_states)

  return _transformation.transformation(
    method, grouped_init, grouped_update, needs=("params",)
  )
