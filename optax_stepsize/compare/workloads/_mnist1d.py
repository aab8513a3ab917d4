# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Noisy one-dimensional shapes, made on the spot."""

import jax
import numpy as np

from optax_stepsize.compare import _extras
from optax_stepsize.compare.workloads import _base
from optax_stepsize.compare.workloads import _nnx

_CLASSES = 10
_KNOTS = 12
_LENGTH = 40
_NUM_TRAIN, _NUM_TEST = 4000, 1000


def make_shapes(seed: int = 0) -> _base.Split:
  """Ten random shapes, each drawn many times in another way.

  A shape is a line through twelve random heights. A drawing stretches it to a
  third or up to two thirds of forty points, puts it somewhere, scales it, adds
  a slope, smooth noise and noise. The idea is that of MNIST-1D (Greydanus and
  Kobak, arXiv 2011.14439), whose data and generator are not used.

  Args:
    seed: Seed of shapes and drawings; the same one gives the same data.

  Returns:
    4000 drawings of mean zero and variance one to train with, 1000 to test
    with.
  """
  rng = np.random.default_rng(seed)
  heights = rng.normal(size=(_CLASSES, _KNOTS))
  heights -= heights.mean(axis=1, keepdims=True)
  count = _NUM_TRAIN + _NUM_TEST
  labels = (np.arange(count) % _CLASSES).astype(np.int32)
  length = rng.uniform(_LENGTH / 3, _LENGTH * 2 / 3, size=(count, 1))
  start = rng.uniform(0, _LENGTH - length)
  # Where on its shape every point of a drawing lies, in knots.
  places = (np.arange(_LENGTH) - start) / length * (_KNOTS - 1)
  left = np.clip(np.floor(places).astype(int), 0, _KNOTS - 2)
  right_share = places - left
  own = heights[labels]
  drawn = (1 - right_share) * np.take_along_axis(own, left, axis=1)
  drawn += right_share * np.take_along_axis(own, left + 1, axis=1)
  drawn *= (places >= 0) & (places <= _KNOTS - 1)
  drawn *= rng.uniform(0.6, 1.4, size=(count, 1))
  drawn += rng.normal(scale=0.4, size=(count, 1)) * np.linspace(-1, 1, _LENGTH)
  rough = rng.normal(size=(count, _LENGTH + 8))
  smooth = np.stack([rough[:, i : i + _LENGTH] for i in range(9)]).mean(axis=0)
  drawn += 0.6 * smooth + rng.normal(scale=0.1, size=drawn.shape)
  drawn -= drawn.mean(axis=1, keepdims=True)
  drawn /= drawn.std(axis=1, keepdims=True)
  signals = drawn.astype(np.float32)
  return _base.Split(
    (signals[:_NUM_TRAIN], labels[:_NUM_TRAIN]),
    (signals[_NUM_TRAIN:], labels[_NUM_TRAIN:]),
  )


def mnist1d(batch_size: int = 64) -> _base.Workload:
  """A small convolutional network on noisy one-dimensional shapes.

  Three convolutions of extent 5 and stride 2 with 25 channels (Flax nnx), 4000
  signals of forty numbers in ten classes to train with and 1000 to test with,
  like those of MNIST-1D.

  Args:
    batch_size: Signals per step, from 1 to 4000.

  Returns:
    The workload.

  Raises:
    MissingExtraError: If Flax is not installed.
    ValueError: If `batch_size` is out of its range.
  """
  _extras.require("flax")
  from flax import nnx

  class CNN(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
      self.first = nnx.Linear(5, 25, rngs=rngs)
      self.second = nnx.Linear(5 * 25, 25, rngs=rngs)
      self.third = nnx.Linear(5 * 25, 25, rngs=rngs)
      self.last = nnx.Linear(25 * _LENGTH // 8, _CLASSES, rngs=rngs)

    def __call__(self, signals: jax.Array) -> jax.Array:
      hidden = signals[..., None]
      for layer in (self.first, self.second, self.third):
        hidden = nnx.relu(layer(_nnx.patches(hidden, 5, stride=2)))
      return self.last(_nnx.flat(hidden))

  return _base.classification(
    "mnist1d",
    *_nnx.functional(CNN),
    make_shapes(),
    batch_size,
    steps=500,
    target=0.168,
    description="Flax nnx CNN, 7,710 parameters, on noisy 1-D shapes",
  )
