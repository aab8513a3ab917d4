# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a workload is, and what several have in common."""

from collections.abc import Callable, Sequence
import dataclasses
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax


@dataclasses.dataclass(frozen=True)
class Workload:
  """A model with its data, as pure functions that JAX can transform.

  All four functions are mapped over seeds and over values of a tuned argument,
  and run inside a compiled loop: no Python side effects, no branches on values.
  `validate` checks that they fit together.

  Attributes:
    name: Name in tables and files.
    init_fn: From a PRNG key to initial parameters.
    loss_fn: From parameters and a batch to the mean training loss, a scalar.
    batch_fn: From a PRNG key and the step count, a `()` int32, to the batch of
      that step. The key stays the same during a run: the order of the data is a
      function of the seed alone, and all entries see the same batches.
    eval_fn: From parameters to the evaluation loss and accuracy, two scalars.
      Without an accuracy, return NaN for it.
    steps_per_epoch: Steps per pass over the data, for methods that ask for it.
      None: not defined.
    steps: Steps that a run should have unless told otherwise.
    target: Evaluation loss whose first step is counted; set in advance, from
      runs of others than those that race. None: no such figure.
    optimum: Least value that the evaluation loss can have. None: not known.
    description: What it is, in one line.
    notes: What a reader of results must know, such as that data differ.
  """

  name: str
  init_fn: Callable[[chex.PRNGKey], chex.ArrayTree]
  loss_fn: Callable[[chex.ArrayTree, chex.ArrayTree], jax.Array]
  batch_fn: Callable[[chex.PRNGKey, jax.Array], chex.ArrayTree]
  eval_fn: Callable[[chex.ArrayTree], tuple[jax.Array, jax.Array]]
  steps_per_epoch: int | None = None
  steps: int | None = None
  target: float | None = None
  optimum: float | None = None
  description: str = ""
  notes: tuple[str, ...] = ()


def check_batch_size(name: str, batch_size: int, size: int) -> None:
  """Raises ValueError unless a batch can be made of `size` examples."""
  if not 1 <= batch_size <= size:
    raise ValueError(
      f"{name}: batch_size must be in [1, {size}], got {batch_size}."
    )


def epochs(
  name: str, arrays: Sequence[np.ndarray], batch_size: int
) -> tuple[Callable[[chex.PRNGKey, jax.Array], tuple[jax.Array, ...]], int]:
  """Batches that pass over data again and again, each time in another order.

  What is left of an epoch after the last full batch is dropped.

  Args:
    name: The workload, for errors.
    arrays: Data with examples along the first axis.
    batch_size: Examples per batch.

  Returns:
    The `batch_fn`, and the steps per epoch.
  """
  size = len(arrays[0])
  check_batch_size(name, batch_size, size)
  steps_per_epoch = size // batch_size

  def batch_fn(key, step):
    epoch, place = jnp.divmod(step, steps_per_epoch)
    order = jax.random.permutation(jax.random.fold_in(key, epoch), size)
    chosen = jax.lax.dynamic_slice_in_dim(order, place * batch_size, batch_size)
    return tuple(jnp.asarray(array)[chosen] for array in arrays)

  return batch_fn, steps_per_epoch


@dataclasses.dataclass(frozen=True)
class Split:
  """Examples with labels, to train and to test with, as NumPy arrays.

  Attributes:
    train: Inputs, float32, and labels, int32.
    test: The same.
  """

  train: tuple[np.ndarray, np.ndarray]
  test: tuple[np.ndarray, np.ndarray]


def classification(
  name: str,
  init_fn: Callable[[chex.PRNGKey], chex.ArrayTree],
  logits_fn: Callable[[Any, Any], jax.Array],
  data: Split,
  batch_size: int,
  **fields: Any,
) -> Workload:
  """A classifier trained with cross-entropy, judged by it on the test set.

  Args:
    name: Its name.
    init_fn: From a PRNG key to parameters.
    logits_fn: From parameters and inputs to logits.
    data: The examples.
    batch_size: Examples per step.
    **fields: More fields of the workload.
  """
  batch_fn, steps_per_epoch = epochs(name, data.train, batch_size)
  test_inputs, test_labels = data.test

  def mean_loss(logits, labels):
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return losses.mean()

  def loss_fn(params, batch):
    inputs, labels = batch
    return mean_loss(logits_fn(params, inputs), labels)

  def eval_fn(params):
    logits = logits_fn(params, test_inputs)
    hits = logits.argmax(-1) == test_labels
    return mean_loss(logits, test_labels), hits.mean()

  return Workload(
    name=name,
    init_fn=init_fn,
    loss_fn=loss_fn,
    batch_fn=batch_fn,
    eval_fn=eval_fn,
    steps_per_epoch=steps_per_epoch,
    **fields,
  )
