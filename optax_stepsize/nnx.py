# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Flax NNX: batch statistics at the evaluation point.

Needs Flax, which the rest of the library does not; `import optax_stepsize.nnx`
when you use it. Training needs nothing of it: `nnx.Optimizer.update(model,
grads, value=loss)` passes extra arguments on.
"""

from collections.abc import Callable, Iterable
from typing import Any

from flax import nnx
import jax
import jax.numpy as jnp


def _call(model: Any, batch: Any) -> Any:
  return model(batch)


def refresh_batch_stats(
  model: nnx.Module,
  batches: Iterable[Any],
  *,
  forward: Callable[[Any, Any], Any] = _call,
) -> None:
  """Takes the statistics of `flax.nnx.BatchNorm` afresh, in place.

  As `optax_stepsize.linen.refresh_batch_stats`: the plain mean, over the
  batches, of each batch's mean and variance at the parameters that the model
  has. Put those to be evaluated into it first; keep the old ones, and the
  model's state, if training is to go on.

  Args:
    model: The model, whose `BatchNorm` layers change. Other layers, such as
      dropout, run in the mode that they are in.
    batches: Inputs, as in training; 50 batches are the advice of the authors of
      Schedule-Free. Equal shapes save compilations.
    forward: Called, under `nnx.jit`, as `forward(model, batch)`, by default
      `model(batch)`. It must leave `use_running_average` to the layers.

  Raises:
    ValueError: If there is no batch or no `BatchNorm`.

  Example:
    >>> from flax import nnx
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> from optax_stepsize import nnx as stepsize_nnx
    >>> rngs = nnx.Rngs(0)
    >>> model = nnx.Sequential(
    ...     nnx.Linear(2, 3, rngs=rngs), nnx.BatchNorm(3, rngs=rngs)
    ... )
    >>> tx = optax_stepsize.schedule_free_sgd(0.1)
    >>> optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    >>> trained = nnx.state(model, nnx.Param)
    >>> averaged = optax_stepsize.eval_params(optimizer.opt_state, trained)
    >>> nnx.update(model, averaged)
    >>> x = jax.random.normal(jax.random.key(0), (8, 2))
    >>> stepsize_nnx.refresh_batch_stats(model, [x[:4], x[4:]])
    >>> hidden = model.layers[0](x)
    >>> found = model.layers[1].mean[...]
    >>> assert jnp.allclose(found, hidden.mean(axis=0), atol=1e-6)

  References:
    Defazio, Yang, Mehta, Mishchenko, Khaled and Cutkosky, The Road Less
    Scheduled, NeurIPS 2024, arXiv 2405.15682.
  """
  layers = [
    node for _, node in nnx.iter_graph(model) if isinstance(node, nnx.BatchNorm)
  ]
  if not layers:
    raise ValueError(
      "refresh_batch_stats: the model has no flax.nnx.BatchNorm."
    )
  modes = [(layer.momentum, layer.use_running_average) for layer in layers]

  def statistics():
    return [(layer.mean[...], layer.var[...]) for layer in layers]

  run = nnx.jit(lambda model, batch: (forward(model, batch), None)[1])
  total, count = None, 0
  try:
    for layer in layers:
      # Without memory, the running statistics are those of the last batch.
      layer.momentum, layer.use_running_average = 0.0, False
    for batch in batches:
      run(model, batch)
      new = statistics()
      total = new if total is None else jax.tree.map(jnp.add, total, new)
      count += 1
  finally:
    for layer, mode in zip(layers, modes, strict=True):
      layer.momentum, layer.use_running_average = mode
  if total is None:
    raise ValueError("refresh_batch_stats: batches must not be empty.")
  for layer, (mean, var) in zip(layers, total, strict=True):
    layer.mean[...], layer.var[...] = mean / count, var / count
