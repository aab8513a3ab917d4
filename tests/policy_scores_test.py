# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `score_policy` and `rank_policies`."""

import math

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

import optax_stepsize

score_policy = optax_stepsize.score_policy
PROBS = [
  [0.7, 0.2, 0.1],  # right
  [0.5, 0.3, 0.2],  # right
  [0.1, 0.8, 0.1],  # right
  [0.6, 0.3, 0.1],  # wrong
]
LABELS = [0, 0, 1, 2]


class ScoreTest(parameterized.TestCase):
  def test_by_hand(self):
    score = score_policy(0.3, 0.5, PROBS, LABELS)
    self.assertEqual(score.accuracy, 0.75)
    self.assertEqual(score.top5, 1.0)  # of three classes
    self.assertAlmostEqual(score.loss_difference, 0.2)
    right = [0.7, 0.5, 0.8]
    self.assertAlmostEqual(score.avg_confidence, np.mean(right))
    self.assertAlmostEqual(score.conf_deviation, np.std(right))
    self.assertAlmostEqual(
      score.conf_deviation_across_classes, np.std([0.6, 0.8, 0.0])
    )
    self.assertTrue(math.isnan(score.cost_steps))
    for figure in score:
      self.assertIsInstance(figure, float)

  def test_differs_classes_are_counted_by_absence(self):
    # The reference loops over as many classes as were hit, from the first on,
    # and so takes the two middle ones of [0, 0.8, 0, 0.6] for all.
    probs = [[0.1, 0.8, 0.1, 0.0], [0.2, 0.1, 0.1, 0.6]]
    score = score_policy(0.3, 0.5, probs, [1, 3])
    self.assertAlmostEqual(
      score.conf_deviation_across_classes, np.std([0, 0.8, 0, 0.6])
    )

  def test_differs_loss_difference_is_test_minus_training(self):
    self.assertGreater(score_policy(0.1, 0.9, PROBS, LABELS).loss_difference, 0)

  def test_top5(self):
    probs = np.tile(np.array([0.3, 0.2, 0.15, 0.12, 0.1, 0.08, 0.05]), (7, 1))
    score = score_policy(0.0, 0.0, probs, np.arange(7))
    self.assertAlmostEqual(score.accuracy, 1 / 7)
    self.assertAlmostEqual(score.top5, 5 / 7)

  def test_equal_probabilities(self):
    # The first class counts, once.
    score = score_policy(0.0, 0.0, np.full((7, 7), 1 / 7), np.arange(7))
    self.assertAlmostEqual(score.accuracy, 1 / 7)
    self.assertAlmostEqual(score.top5, 5 / 7)

  @parameterized.parameters(
    (0.5, [(10, 0.2), (20, 0.5), (30, 0.4)], 20.0),
    (0.3, [(1.5, 0.4), (2.5, 0.9)], 1.5),
    (0.95, [(10, 0.2)], math.inf),
    (0.5, [], math.inf),
    (None, [(10, 0.2)], math.nan),
    (0.5, None, math.nan),
  )
  def test_cost(self, target, history, wanted):
    score = score_policy(
      0, 0, PROBS, LABELS, target=target, metric_history=history
    )
    np.testing.assert_equal(score.cost_steps, wanted)

  def test_none_is_right(self):
    score = score_policy(0.0, 0.0, [[0.9, 0.1]], [1])
    self.assertEqual((score.accuracy, score.top5), (0, 1))
    self.assertTrue(math.isnan(score.avg_confidence))
    self.assertTrue(math.isnan(score.conf_deviation))
    self.assertEqual(score.conf_deviation_across_classes, 0)

  @parameterized.parameters(
    ({"probs": [0.5, 0.5]}, "probs must have the shape"),
    ({"probs": np.zeros((0, 3)), "labels": []}, "probs must have the shape"),
    ({"probs": [[3.0, -1.0]] * 4}, r"probs must be in \[0, 1\]"),
    ({"probs": [[np.nan, 1.0]] * 4}, r"probs must be in \[0, 1\]"),
    ({"labels": [0, 1]}, r"labels must have the shape \(4,\)"),
    ({"labels": [0, 1, 2, 3]}, r"labels must be integers in \[0, 2\]"),
    ({"labels": [0, 1, 2, -1]}, r"labels must be integers in \[0, 2\]"),
    ({"labels": [0.0, 1.0, 2.0, 0.0]}, r"labels must be integers in \[0, 2\]"),
    ({"target": 75.0}, r"target must be in \[0, 1\], got 75.0"),
  )
  def test_errors(self, wrong, text):
    options = {"probs": PROBS, "labels": LABELS}
    with self.assertRaisesRegex(ValueError, f"score_policy: {text}"):
      score_policy(0.1, 0.2, **options | wrong)


def scores(**figures):
  blank = optax_stepsize.PolicyScore(*[0.0] * 7)
  field, values = next(iter(figures.items()))
  return {name: blank._replace(**{field: v}) for name, v in values.items()}


class RankTest(parameterized.TestCase):
  @parameterized.parameters("accuracy", "top5", "avg_confidence")
  def test_higher_is_better(self, by):
    found = scores(**{by: {"a": 0.1, "b": math.nan, "c": 0.9, "d": 0.1}})
    ranked = optax_stepsize.rank_policies(found, by)
    self.assertEqual(ranked, ["c", "a", "d", "b"])

  @parameterized.parameters(
    "cost_steps",
    "loss_difference",
    "conf_deviation",
    "conf_deviation_across_classes",
  )
  def test_lower_is_better(self, by):
    found = scores(**{by: {"a": math.inf, "b": math.nan, "c": 3.0, "d": 1.0}})
    ranked = optax_stepsize.rank_policies(found, by)
    self.assertEqual(ranked, ["d", "c", "a", "b"])

  def test_by_accuracy_by_default(self):
    found = scores(accuracy={"a": 0.1, "b": 0.2})
    self.assertEqual(optax_stepsize.rank_policies(found), ["b", "a"])
    self.assertEqual(optax_stepsize.rank_policies({}), [])

  def test_unknown_figure(self):
    with self.assertRaisesRegex(ValueError, "by must be one of 'accuracy'"):
      optax_stepsize.rank_policies({}, "speed")


if __name__ == "__main__":
  absltest.main()
