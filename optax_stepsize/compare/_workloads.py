# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is trained in a race."""

from collections.abc import Callable
import dataclasses

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize.compare import _extras

_NUM_TEST = 360


@dataclasses.dataclass(frozen=True)
class Workload:
  """A model with its data, as pure functions that JAX can transform.

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
  """

  name: str
  init_fn: Callable[[chex.PRNGKey], chex.ArrayTree]
  loss_fn: Callable[[chex.ArrayTree, chex.ArrayTree], jax.Array]
  batch_fn: Callable[[chex.PRNGKey, jax.Array], chex.ArrayTree]
  eval_fn: Callable[[chex.ArrayTree], tuple[jax.Array, jax.Array]]
  steps_per_epoch: int | None = None


def digits_mlp(batch_size: int = 64) -> Workload:
  """A Flax linen MLP on scikit-learn's handwritten digits.

  Two hidden layers of 128, 1437 images of 8x8 to train with and 360 to test
  with, always the same ones, scaled to [0, 1]. Every epoch shuffles anew.

  Args:
    batch_size: Images per step, from 1 to 1437. What is left of an epoch after
      the last full batch is dropped.

  Returns:
    The workload.

  Raises:
    MissingExtraError: If Flax or scikit-learn is not installed.
    ValueError: If `batch_size` is out of its range.
  """
  _extras.require("flax", "sklearn")
  from flax import linen as nn
  from sklearn import datasets
  from sklearn import model_selection

  digits = datasets.load_digits()
  train_images, test_images, train_labels, test_labels = (
    model_selection.train_test_split(
      (digits.data / 16).astype("float32"),
      digits.target.astype("int32"),
      test_size=_NUM_TEST,
      stratify=digits.target,
      random_state=0,
    )
  )
  size = len(train_labels)
  if not 1 <= batch_size <= size:
    raise ValueError(
      f"digits_mlp: batch_size must be in [1, {size}], got {batch_size}."
    )
  steps_per_epoch = size // batch_size

  class MLP(nn.Module):
    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
      hidden = nn.relu(nn.Dense(128)(images))
      hidden = nn.relu(nn.Dense(128)(hidden))
      return nn.Dense(10)(hidden)

  model = MLP()

  def logits_of(params, images) -> jax.Array:
    return jnp.asarray(model.apply(params, images))

  def init_fn(key):
    return model.init(key, jnp.zeros((1, train_images.shape[1])))

  def mean_loss(logits, labels):
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return losses.mean()

  def loss_fn(params, batch):
    images, labels = batch
    return mean_loss(logits_of(params, images), labels)

  def batch_fn(key, step):
    epoch, place = jnp.divmod(step, steps_per_epoch)
    order = jax.random.permutation(jax.random.fold_in(key, epoch), size)
    chosen = jax.lax.dynamic_slice_in_dim(order, place * batch_size, batch_size)
    return jnp.asarray(train_images)[chosen], jnp.asarray(train_labels)[chosen]

  def eval_fn(params):
    logits = logits_of(params, test_images)
    hits = logits.argmax(-1) == test_labels
    return mean_loss(logits, test_labels), hits.mean()

  return Workload(
    name="digits_mlp",
    init_fn=init_fn,
    loss_fn=loss_fn,
    batch_fn=batch_fn,
    eval_fn=eval_fn,
    steps_per_epoch=steps_per_epoch,
  )
