# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Flax linen training state that passes the loss on to the optimizer.

Needs Flax, which the rest of the library does not; `import
optax_stepsize.linen` when you use it. With `flax.nnx` nothing is needed:
`nnx.Optimizer.update(model, grads, value=loss)` passes extra arguments on.
"""

from collections.abc import Mapping
import dataclasses
from typing import Any

from flax.training import train_state
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
