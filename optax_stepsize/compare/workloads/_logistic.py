# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Logistic regression on the breast-cancer data."""

import jax
import jax.numpy as jnp
import numpy as np

from optax_stepsize.compare import _extras
from optax_stepsize.compare.workloads import _base

_NUM_TEST = 114
_L2 = 1e-2


def _least(inputs: np.ndarray, signs: np.ndarray) -> float:
  """The minimum of the objective, by Newton's method in float64."""
  inputs = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
  inputs = inputs.astype(np.float64) * signs[:, None]
  penalty = np.full(inputs.shape[1], _L2)
  penalty[-1] = 0.0  # the bias
  point = np.zeros(inputs.shape[1])

  def objective(point):
    losses = np.logaddexp(0.0, -inputs @ point)
    return losses.mean() + 0.5 * (penalty * point**2).sum()

  for _ in range(100):
    wrong = 1 / (1 + np.exp(inputs @ point))
    gradient = penalty * point - inputs.T @ wrong / len(inputs)
    weights = wrong * (1 - wrong) / len(inputs)
    hessian = (inputs.T * weights) @ inputs + np.diag(penalty)
    step = np.linalg.solve(hessian, gradient)
    length = 1.0
    while objective(point - length * step) > objective(point) and length > 1e-9:
      length /= 2
    point = point - length * step
  return float(objective(point))


def logistic(batch_size: int = 64) -> _base.Workload:
  """Logistic regression with an L2 penalty on the breast-cancer data.

  A convex problem whose optimum is known: 455 tumours to train with, thirty
  standardised features, half of 0.01 times the squared weights (not the bias)
  added to the mean loss. The evaluation loss is this objective over all of the
  training set, the accuracy is that on 114 other tumours.

  Args:
    batch_size: Tumours per step, from 1 to 455.

  Returns:
    The workload.

  Raises:
    MissingExtraError: If scikit-learn is not installed.
    ValueError: If `batch_size` is out of its range.
  """
  _extras.require("sklearn")
  from sklearn import datasets
  from sklearn import model_selection

  data = datasets.load_breast_cancer()
  train_inputs, test_inputs, train_labels, test_labels = (
    model_selection.train_test_split(
      data.data,
      2.0 * data.target - 1.0,
      test_size=_NUM_TEST,
      stratify=data.target,
      random_state=0,
    )
  )
  mean, deviation = train_inputs.mean(axis=0), train_inputs.std(axis=0)
  inputs, test_inputs = (
    ((array - mean) / deviation).astype(np.float32)
    for array in (train_inputs, test_inputs)
  )
  signs, test_signs = (
    labels.astype(np.float32) for labels in (train_labels, test_labels)
  )
  batch_fn, steps_per_epoch = _base.epochs(
    "logistic", (inputs, signs), batch_size
  )

  def init_fn(key):
    weights = jax.random.normal(key, inputs.shape[1:]) / inputs.shape[1] ** 0.5
    return {"weights": weights, "bias": jnp.zeros(())}

  def scores(params, inputs):
    return inputs @ params["weights"] + params["bias"]

  def loss_fn(params, batch):
    inputs, signs = batch
    losses = jax.nn.softplus(-signs * scores(params, inputs))
    return losses.mean() + 0.5 * _L2 * jnp.sum(params["weights"] ** 2)

  def eval_fn(params):
    hits = scores(params, test_inputs) * test_signs > 0
    return loss_fn(params, (inputs, signs)), hits.mean()

  return _base.Workload(
    name="logistic",
    init_fn=init_fn,
    loss_fn=loss_fn,
    batch_fn=batch_fn,
    eval_fn=eval_fn,
    steps_per_epoch=steps_per_epoch,
    steps=300,
    target=0.103,
    optimum=_least(inputs, signs),
    description="logistic regression, 31 parameters, on breast-cancer data",
  )
