# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""A Transformer that predicts the bytes of Python's standard library."""

import hashlib
import importlib.util
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize.compare import _extras
from optax_stepsize.compare.workloads import _base
from optax_stepsize.compare.workloads import _nnx

# They are the same, byte for byte, in Python 3.11, 3.12 and 3.13.
_MODULES = (
  "difflib",
  "optparse",
  "heapq",
  "weakref",
  "tracemalloc",
  "_markupbase",
  "stringprep",
  "string",
  "pyclbr",
  "graphlib",
)
_SHA256 = "1a7af189373c3a1f9eafed78b60ebf26d02e0629b484bb611b01c96f926038f2"
_SYMBOLS = 128
_LENGTH = 64
_WIDTH = 64
_HEADS = 4
_NUM_TEST = 128


class DifferentTextWarning(UserWarning):
  """The text of `byte_lm` is not the one that its target was set with."""


def _sources() -> list[bytes]:
  """The source text of every module."""
  sources = []
  for name in _MODULES:
    spec = importlib.util.find_spec(name)
    read = getattr(spec and spec.loader, "get_data", None)
    origin = spec.origin if spec else None
    if read is None or origin is None or not origin.endswith(".py"):
      raise ValueError(
        f"byte_lm: this Python has no source text of its module {name!r}, got"
        f" {origin}."
      )
    sources.append(read(origin))
  return sources


def _spread(size: int, count: int) -> np.ndarray:
  """Starts of `count` windows spread evenly over `size` symbols."""
  return np.linspace(0, size - _LENGTH - 1, count).astype(np.int32)


def byte_lm(batch_size: int = 16) -> _base.Workload:
  """A Transformer (Flax nnx) on the bytes of ten standard-library modules.

  Two layers of width 64 with four heads, before which the input is normalised,
  120,704 parameters, windows of 64 bytes. The last tenth of every module is to
  test with, 128 windows of it.

  The text should be that of Python 3.11 to 3.13. Another one is trained on as
  well, but its losses cannot be compared with the target or with those of other
  machines: there is a `DifferentTextWarning` then, and a note in `notes`.

  Args:
    batch_size: Windows per step, 1 or more.

  Returns:
    The workload.

  Raises:
    MissingExtraError: If Flax is not installed.
    ValueError: If `batch_size` is out of its range or Python comes without its
      sources.
  """
  _extras.require("flax")
  from flax import nnx

  sources = _sources()
  digest = hashlib.sha256(b"".join(sources)).hexdigest()
  notes: tuple[str, ...] = ()
  if digest != _SHA256:
    note = (
      "byte_lm: this Python's standard library has another text (sha256"
      f" {digest[:12]}... instead of {_SHA256[:12]}...), so that losses compare"
      " neither with the target nor with those from elsewhere"
    )
    warnings.warn(note, DifferentTextWarning, stacklevel=2)
    notes = (note,)
  train, test = (
    np.minimum(np.frombuffer(b"".join(parts), np.uint8), np.uint8(_SYMBOLS - 1))
    for parts in (
      [text[: len(text) * 9 // 10] for text in sources],
      [text[len(text) * 9 // 10 :] for text in sources],
    )
  )
  starts = len(train) - _LENGTH
  _base.check_batch_size("byte_lm", batch_size, starts)

  class Block(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
      self.norm = nnx.LayerNorm(_WIDTH, rngs=rngs)
      self.to_heads = nnx.Linear(_WIDTH, 3 * _WIDTH, rngs=rngs)
      self.from_heads = nnx.Linear(_WIDTH, _WIDTH, rngs=rngs)
      self.inner_norm = nnx.LayerNorm(_WIDTH, rngs=rngs)
      self.widen = nnx.Linear(_WIDTH, 4 * _WIDTH, rngs=rngs)
      self.narrow = nnx.Linear(4 * _WIDTH, _WIDTH, rngs=rngs)

    def attend(self, hidden: jax.Array) -> jax.Array:
      heads = self.to_heads(hidden)
      heads = heads.reshape(-1, _LENGTH, 3, _HEADS, _WIDTH // _HEADS)
      query, key, value = (heads[:, :, i] for i in range(3))
      weights = jnp.einsum("bqhd,bkhd->bhqk", query, key)
      weights = weights * (_WIDTH // _HEADS) ** -0.5
      past = np.tri(_LENGTH, dtype=bool)[None, None]
      weights = jax.nn.softmax(jnp.where(past, weights, -1e9), axis=-1)
      mixed = jnp.einsum("bhqk,bkhd->bqhd", weights, value)
      return self.from_heads(mixed.reshape(hidden.shape))

    def __call__(self, hidden: jax.Array) -> jax.Array:
      hidden = hidden + self.attend(self.norm(hidden))
      inner = nnx.relu(self.widen(self.inner_norm(hidden)))
      return hidden + self.narrow(inner)

  class Transformer(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
      self.symbols = nnx.Embed(_SYMBOLS, _WIDTH, rngs=rngs)
      self.places = nnx.Embed(_LENGTH, _WIDTH, rngs=rngs)
      self.first = Block(rngs)
      self.second = Block(rngs)
      self.norm = nnx.LayerNorm(_WIDTH, rngs=rngs)
      self.last = nnx.Linear(_WIDTH, _SYMBOLS, rngs=rngs)

    def __call__(self, symbols: jax.Array) -> jax.Array:
      places = self.places(jnp.arange(_LENGTH))
      hidden = self.symbols(symbols) + places[None]
      # All bytes of all windows along one axis: on the CPU, products of two
      # matrices take half the time of those with a third axis.
      hidden = hidden.reshape(-1, _WIDTH)
      hidden = self.norm(self.second(self.first(hidden)))
      return self.last(hidden).reshape(*symbols.shape, _SYMBOLS)

  init_fn, apply = _nnx.functional(Transformer)

  def windows(text, first):
    within = jnp.arange(_LENGTH + 1, dtype=jnp.int32)
    return jnp.asarray(text)[first[:, None] + within[None]].astype(jnp.int32)

  def batch_fn(key, step):
    key = jax.random.fold_in(key, step)
    return windows(train, jax.random.randint(key, (batch_size,), 0, starts))

  def judge(params, batch):
    logits = apply(params, batch[:, :-1])
    following = batch[:, 1:]
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, following)
    return losses.mean(), (logits.argmax(-1) == following).mean()

  test_batches = windows(test, _spread(len(test), _NUM_TEST))
  test_batches = test_batches.reshape(_NUM_TEST // 16, 16, _LENGTH + 1)

  def eval_fn(params):
    # In parts, which a cache can hold.
    loss, accuracy = jax.lax.map(lambda b: judge(params, b), test_batches)
    return loss.mean(), accuracy.mean()

  return _base.Workload(
    name="byte_lm",
    init_fn=init_fn,
    loss_fn=lambda params, batch: judge(params, batch)[0],
    batch_fn=batch_fn,
    eval_fn=eval_fn,
    steps_per_epoch=max(starts // (batch_size * _LENGTH), 1),
    steps=300,
    target=2.53,
    description="Flax nnx Transformer, 120,704 parameters, on Python's sources",
    notes=notes,
  )
