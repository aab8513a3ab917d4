# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""LRBench's figures for a trained model, by which policies are ranked.

Computed on the host, from losses and from the probabilities of a test set.
"""

from collections.abc import Mapping, Sequence
import math
from typing import NamedTuple

import chex
import numpy as np

from optax_stepsize import core


class PolicyScore(NamedTuple):
  """What a policy made of a model.

  Attributes:
    accuracy: Share of test samples whose likeliest class is right.
    top5: Share of test samples whose class is among the likeliest five.
    cost_steps: Steps, or seconds, until the target accuracy: inf if it was
      never reached, NaN without a target or history. Lower is better.
    loss_difference: Test loss - training loss. Lower is better.
    avg_confidence: Mean probability of the likeliest class where it is right;
      NaN if it never is.
    conf_deviation: Standard deviation of the same; NaN likewise. Lower is
      better.
    conf_deviation_across_classes: Standard deviation, over all classes, of the
      mean confidence in a class, 0 for one that is never right. Lower is
      better.
  """

  accuracy: float
  top5: float
  cost_steps: float
  loss_difference: float
  avg_confidence: float
  conf_deviation: float
  conf_deviation_across_classes: float


_LOWER_IS_BETTER = (
  "cost_steps",
  "loss_difference",
  "conf_deviation",
  "conf_deviation_across_classes",
)


def _check_predictions(
  probs: chex.Array, labels: chex.Array
) -> tuple[np.ndarray, np.ndarray]:
  name = "score_policy"
  values, classes = np.asarray(probs, np.float64), np.asarray(labels)
  if values.ndim != 2 or not values.size:
    raise ValueError(
      f"{name}: probs must have the shape (samples, classes), both positive,"
      f" got {values.shape}."
    )
  core.check_range(name, "probs", values, "[0, 1]")
  if classes.shape != values.shape[:1]:
    raise ValueError(
      f"{name}: labels must have the shape {values.shape[:1]}, an entry for"
      f" each of probs, got {classes.shape}."
    )
  top = values.shape[1] - 1
  if not np.issubdtype(classes.dtype, np.integer) or not np.all(
    (classes >= 0) & (classes <= top)
  ):
    raise ValueError(
      f"{name}: labels must be integers in [0, {top}], got {classes}."
    )
  return values, classes


def _cost(
  target: float | None,
  metric_history: Sequence[tuple[float, float]] | None,
) -> float:
  if target is None or metric_history is None:
    return math.nan
  reached = (step for step, accuracy in metric_history if accuracy >= target)
  return float(next(reached, math.inf))


def score_policy(
  train_loss: float,
  test_loss: float,
  probs: chex.Array,
  labels: chex.Array,
  *,
  target: float | None = None,
  metric_history: Sequence[tuple[float, float]] | None = None,
) -> PolicyScore:
  """Utility, cost and robustness of a trained classifier.

  Args:
    train_loss: Mean training loss at the end.
    test_loss: Mean test loss at the end.
    probs: Probabilities of the classes for each test sample, after softmax,
      (samples, classes).
    labels: The right class of each sample, integers, (samples,).
    target: Accuracy whose first time is the cost, in [0, 1].
    metric_history: Pairs (step or seconds, accuracy), in order of time.

  Returns:
    The figures.

  Raises:
    ValueError: If an argument is out of its range or of the wrong shape.

  Example:
    >>> import optax_stepsize
    >>> score = optax_stepsize.score_policy(
    ...     0.25,
    ...     0.5,
    ...     probs=[[0.75, 0.25], [0.5, 0.5], [0.75, 0.25]],
    ...     labels=[0, 0, 1],
    ...     target=0.6,
    ...     metric_history=[(100, 0.5), (200, 0.65)],
    ... )
    >>> round(score.accuracy, 3), score.cost_steps, score.loss_difference
    (0.667, 200.0, 0.25)
    >>> score.avg_confidence, score.conf_deviation
    (0.625, 0.125)

  References:
    Jin, Wei, Wang, Zhang and Wu, Rethinking Learning Rate Tuning in the Era of
    Large Language Models, 2023, arXiv 2309.08859; BibTeX by
    `optax_stepsize.cite("score_policy")`.
  """
  core.check_range("score_policy", "target", target, "[0, 1] or None")
  values, classes = _check_predictions(probs, labels)
  # Equal probabilities: the first class counts, as with argmax.
  ranked = np.argsort(-values, axis=1, kind="stable")
  right = ranked[:, 0] == classes
  confidences = values.max(axis=1)[right]
  # Differs from the reference: it calls the test loss the training loss and
  # reverse, and leaves out classes by their number, not by their absence.
  per_class = np.zeros(values.shape[1])
  for label in np.unique(classes[right]):
    per_class[label] = np.mean(confidences[classes[right] == label])
  any_right = confidences.size > 0
  return PolicyScore(
    accuracy=float(np.mean(right)),
    top5=float(np.mean(np.any(ranked[:, :5] == classes[:, None], axis=1))),
    cost_steps=_cost(target, metric_history),
    loss_difference=float(test_loss) - float(train_loss),
    avg_confidence=float(np.mean(confidences)) if any_right else math.nan,
    conf_deviation=float(np.std(confidences)) if any_right else math.nan,
    conf_deviation_across_classes=float(np.std(per_class)),
  )


def rank_policies(
  scores: Mapping[str, PolicyScore], by: str = "accuracy"
) -> list[str]:
  """Names of policies, best first by one figure.

  Args:
    scores: Name -> figures.
    by: A field of `PolicyScore`.

  Returns:
    The names. Those that are equal stay in their order, and NaN comes last.

  Raises:
    ValueError: If there is no such figure.

  Example:
    >>> import optax_stepsize
    >>> scores = {
    ...     name: optax_stepsize.score_policy(
    ...         0.1, loss, [[0.9, 0.1], [confidence, 1 - confidence]], [0, 0]
    ...     )
    ...     for name, loss, confidence in (("FIX", 0.3, 0.4), ("TRI", 0.2, 0.8))
    ... }
    >>> optax_stepsize.rank_policies(scores)
    ['TRI', 'FIX']

  References:
    Jin et al., arXiv 2309.08859.
  """
  core.check_choice("rank_policies", "by", by, PolicyScore._fields)
  sign = 1 if by in _LOWER_IS_BETTER else -1

  def place(name: str) -> tuple[bool, float]:
    figure = getattr(scores[name], by)
    return (True, 0.0) if math.isnan(figure) else (False, sign * figure)

  return sorted(scores, key=place)
