# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Flax linen: a training state that passes on the loss, and batch statistics.

Needs Flax, which the rest of the library does not; `import
optax_stepsize.linen` when you use it. With `flax.nnx`,
`nnx.Optimizer.update(model, grads, value=loss)` passes extra arguments on;
`optax_stepsize.nnx` has its batch statistics.
"""

from collections.abc import Callable, Iterable, Mapping
import dataclasses
from typing import Any

from flax import linen as nn
from flax.training import train_state
import jax
import jax.numpy as jnp
import optax

from optax_stepsize import core


class TrainState(train_state.TrainState):
  """`flax.training.train_state.TrainState` for methods that need the loss.

  The stock `apply_gradients` gives the optimizer gradients and parameters only,
  so that every method that needs `value` fails. This one passes on all keyword
  arguments that are not fields of the state.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> from optax_stepsize import linen
    >>> target = jnp.array([3.0, -2.0])
    >>> loss_fn = lambda params: jnp.sum((params["w"] - target) ** 2)
    >>> state = linen.TrainState.create(
    ...     apply_fn=None, params={"w": jnp.zeros(2)}, tx=optax_stepsize.sps()
    ... )
    >>> @jax.jit
    ... def step(state):
    ...   value, grads = jax.value_and_grad(loss_fn)(state.params)
    ...   return state.apply_gradients(grads=grads, value=value)
    >>> for _ in range(50):
    ...   state = step(state)
    >>> assert loss_fn(state.eval_params) < 1e-6
  """

  def apply_gradients(self, *, grads: Any, **kwargs: Any) -> "TrainState":
    """Updates the parameters, the optimizer state and the step.

    Args:
      grads: Gradients, like `params`.
      **kwargs: Fields of a subclass to replace, such as `batch_stats=`; all
        others are passed on to `tx.update`, such as `value=`.

    Returns:
      The new state.
    """
    fields = {field.name for field in dataclasses.fields(self)}
    replaced = {k: v for k, v in kwargs.items() if k in fields}
    extra_args = {k: v for k, v in kwargs.items() if k not in fields}
    tx = optax.with_extra_args_support(self.tx)

    # The stock method knows more than the update (fp8 leaves, say), so it does
    # its work with an optimizer that has the extra arguments in it already.
    def update(updates, state, params=None):
      return tx.update(updates, state, params, **extra_args)

    forwarding = self.replace(
      tx=optax.GradientTransformation(self.tx.init, update)
    )
    updated = train_state.TrainState.apply_gradients(
      forwarding, grads=grads, **replaced
    )
    return updated.replace(tx=self.tx)

  @property
  def eval_params(self) -> Any:
    """The parameters to evaluate and export, see `eval_params`."""
    beside = train_state.OVERWRITE_WITH_GRADIENT
    if isinstance(self.params, Mapping) and beside in self.params:
      # The optimizer knows nothing of leaves that gradients overwrite.
      trained = core.eval_params(self.opt_state, self.params["params"])
      return {**self.params, "params": trained}
    return core.eval_params(self.opt_state, self.params)


# The variables of `flax.linen.BatchNorm`.
_COLLECTION = "batch_stats"
_STATISTICS = ("mean", "var")


def _is_gathering(module, args, kwargs):
  """Whether a call of `BatchNorm` changes its running statistics."""
  given = args[1] if len(args) > 1 else kwargs.get("use_running_average")
  running = module.use_running_average if given is None else given
  return not running and module.momentum != 1


def _names(path):
  """The keys of a path of dictionaries."""
  return tuple(key.key for key in path if hasattr(key, "key"))


def refresh_batch_stats(
  apply_fn: Callable[..., Any],
  params: Any,
  batch_stats: Any,
  batches: Iterable[Any],
) -> Any:
  """Takes the statistics of `flax.linen.BatchNorm` afresh at given parameters.

  The running statistics belong to the parameters that training took gradients
  at. Where others are evaluated, as with Schedule-Free, Lookahead or any
  average of weights, they do not fit, and accuracy suffers. Going on with the
  running mean would take long: with Flax's momentum of 0.99, after 50 batches
  60 % of it are old. So this is the plain mean, over the batches, of each
  batch's mean and variance.

  Args:
    apply_fn: `model.apply` in training mode, such as
      `functools.partial(model.apply, train=True)`. Called, under `jit`, as
      `apply_fn(variables, batch, mutable=["batch_stats"])`.
    params: The parameters to evaluate: `eval_params(opt_state, params)`.
    batch_stats: The statistics of training, for their structure. What does not
      belong to a `BatchNorm` is returned as it is.
    batches: Inputs of the model, as in training; 50 batches are the advice of
      the authors of Schedule-Free. Equal shapes save compilations.

  Returns:
    A tree like `batch_stats`.

  Raises:
    ValueError: If there is no batch, or none of the model's `BatchNorm` is
      there or in training mode.

  Example:
    >>> import functools
    >>> from flax import linen as nn
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> from optax_stepsize import linen
    >>> class Model(nn.Module):
    ...   @nn.compact
    ...   def __call__(self, x, train):
    ...     return nn.BatchNorm(use_running_average=not train)(nn.Dense(3)(x))
    >>> model, x = Model(), jax.random.normal(jax.random.key(0), (8, 2))
    >>> variables = model.init(jax.random.key(1), x, train=False)
    >>> tx = optax_stepsize.schedule_free_sgd(0.1)
    >>> state = tx.init(variables["params"])
    >>> params = optax_stepsize.eval_params(state, variables["params"])
    >>> batch_stats = linen.refresh_batch_stats(
    ...     functools.partial(model.apply, train=True),
    ...     params,
    ...     variables["batch_stats"],
    ...     [x[:4], x[4:]],
    ... )
    >>> hidden = x @ params["Dense_0"]["kernel"]
    >>> found = batch_stats["BatchNorm_0"]["mean"]
    >>> assert jnp.allclose(found, hidden.mean(axis=0), atol=1e-6)

  References:
    Defazio, Yang, Mehta, Mishchenko, Khaled and Cutkosky, The Road Less
    Scheduled, NeurIPS 2024, arXiv 2405.15682.
  """

  def gather(params, batch_stats, batch):
    # Path of a module -> what its last call left, and how many calls that was.
    calls: dict[tuple[str, ...], tuple[Any, int]] = {}

    def take(next_fun, args, kwargs, context):
      """Leaves in the variables the mean over a module's calls so far."""
      module = context.module
      if not (
        isinstance(module, nn.BatchNorm)
        and context.method_name == "__call__"
        and _is_gathering(module, args, kwargs)
      ):
        return next_fun(*args, **kwargs)
      before: dict[str, jax.Array] = {
        name: module.get_variable(_COLLECTION, name) for name in _STATISTICS
      }
      left, seen = calls.get(module.path, (None, 0))
      if before["mean"] is not left:
        seen = 0  # traced anew, as the body of a scan is
      # From zero, the running mean is the new value times a known factor.
      for name, value in before.items():
        module.put_variable(_COLLECTION, name, jnp.zeros_like(value))
      output = next_fun(*args, **kwargs)
      for name, value in before.items():
        new = module.get_variable(_COLLECTION, name) / (1 - module.momentum)
        mean = (seen * value + new) / (seen + 1) if seen else new
        module.put_variable(_COLLECTION, name, mean)
      left = module.get_variable(_COLLECTION, "mean")
      calls[module.path] = (left, seen + 1)
      return output

    variables = {"params": params, _COLLECTION: batch_stats}
    with nn.intercept_methods(take):
      _, changed = apply_fn(variables, batch, mutable=[_COLLECTION])
    if not calls:
      raise ValueError(
        "refresh_batch_stats: apply_fn called no flax.linen.BatchNorm in"
        " training mode. Fix: pass functools.partial(model.apply, train=True),"
        " or whatever turns its use_running_average off."
      )
    wanted = {(*path, name) for path in calls for name in _STATISTICS}
    leaves = jax.tree_util.tree_leaves_with_path(changed[_COLLECTION])
    return {
      jax.tree_util.keystr(path): core.widen(leaf)
      for path, leaf in leaves
      if _names(path) in wanted
    }

  gather = jax.jit(gather)
  total, count = None, 0
  for batch in batches:
    new = gather(params, batch_stats, batch)
    total = new if total is None else jax.tree.map(jnp.add, total, new)
    count += 1
  if total is None:
    raise ValueError("refresh_batch_stats: batches must not be empty.")

  def renew(path, old):
    name = jax.tree_util.keystr(path)
    return (total[name] / count).astype(old.dtype) if name in total else old

  return jax.tree_util.tree_map_with_path(renew, batch_stats)
