# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Races on several hosts: each trains its share of the runs, all get all."""

from typing import Any

import jax
from jax.experimental import multihost_utils
import numpy as np

from optax_stepsize.compare import _results


def agreed(tree: Any) -> Any:
  """The first host's NumPy arrays, on all hosts."""
  if jax.process_count() == 1:
    return tree
  return multihost_utils.broadcast_one_to_all(tree)


def agreed_layout(layout: _results.Layout | None) -> _results.Layout | None:
  """The first host's layout, if it has one."""
  lanes, devices = layout[:2] if layout else (0, 0)
  lanes, devices = map(int, agreed(np.array([lanes, devices])))
  return layout or (_results.Layout(lanes, devices) if lanes else None)


def gathered(tree: Any) -> Any:
  """NumPy arrays of all hosts, `(hosts, ...)`, on all hosts."""
  if jax.process_count() == 1:
    return jax.tree.map(lambda leaf: np.asarray(leaf)[None], tree)
  return multihost_utils.process_allgather(tree)


def is_first() -> bool:
  """Whether this host writes and prints."""
  return jax.process_index() == 0
