# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The property of checkpoints: save, restore, and go on bit by bit."""

import pathlib
import tempfile
from typing import Any

import jax
import numpy as np

from optax_stepsize.testing import _subject as subjects
from optax_stepsize.testing._report import Failure
from optax_stepsize.testing._report import NotApplicable
from optax_stepsize.testing._subject import Subject


def _require_equal(actual: Any, expected: Any, what: str) -> None:
  if subjects.structure(actual) != subjects.structure(expected):
    raise Failure(f"{what}: the structure of the state is another")
  for (path, a), b in zip(
    jax.tree_util.tree_leaves_with_path(actual),
    jax.tree.leaves(expected),
    strict=True,
  ):
    same = a.dtype == b.dtype and np.array_equal(
      np.asarray(a), np.asarray(b), equal_nan=True
    )
    if not same:
      raise Failure(f"{what}: {subjects.leaf_name(path)} is not the same")


def serialization(subject: Subject) -> None:
  """Flax msgpack and Orbax round trips; a resumed run is bit-equal."""
  try:
    from flax import serialization as flax_serialization
    import orbax.checkpoint as ocp
  except ImportError as error:
    raise NotApplicable(
      f"flax and orbax-checkpoint are needed: {error}"
    ) from None

  params = subject.problem.init()
  state = subject.tx.init(params)
  for _ in range(2):
    params, state, _ = subject.jitted_step(params, state)
  saved = (params, state)
  uninterrupted = saved
  for _ in range(2):
    uninterrupted = subject.jitted_step(*uninterrupted)[:2]

  def resume(restored, name):
    _require_equal(restored, saved, f"{name} round trip")
    for _ in range(2):
      restored = subject.jitted_step(*restored)[:2]
    _require_equal(restored, uninterrupted, f"run resumed from {name}")

  try:
    packed = flax_serialization.to_bytes(saved)
    blank = jax.tree.map(jax.numpy.zeros_like, saved)
    restored = flax_serialization.from_bytes(blank, packed)
  except (TypeError, ValueError) as error:
    raise Failure(f"flax msgpack cannot hold the state: {error}") from None
  resume(jax.tree.map(jax.numpy.asarray, restored), "msgpack")

  with tempfile.TemporaryDirectory() as directory:
    path = pathlib.Path(directory) / "checkpoint"
    with ocp.StandardCheckpointer() as checkpointer:
      checkpointer.save(path, saved)
      checkpointer.wait_until_finished()
      target = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding),
        saved,
      )
      resume(checkpointer.restore(path, target), "Orbax")
