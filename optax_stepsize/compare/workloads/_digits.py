# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's handwritten digits, for the MLP and the CNN."""

from optax_stepsize.compare.workloads import _base

_NUM_TEST = 360


def load_digits() -> _base.Split:
  """1437 images of 8x8 to train with, 360 to test with, always the same ones.

  Each is a row of 64 numbers, scaled to [0, 1].
  """
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
  return _base.Split((train_images, train_labels), (test_images, test_labels))
