# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks of updates share: the parameters, and who is compared."""

import contextlib
import importlib.metadata
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optax_stepsize import cost


def tree(parameters: int) -> Any:
  """Parameters of the GPT-like tree of `cost`, scaled to about that number."""
  layers, rows = 6, 20
  width = math.sqrt(parameters / (12 * layers + rows + 1))
  width = max(8, 8 * round(width / 8))
  shapes = cost.gpt_params(
    width=width, layers=layers, vocabulary=rows * width, positions=width
  )
  draw = np.random.default_rng(0).standard_normal
  return jax.tree.map(
    lambda leaf: jnp.asarray(draw(leaf.shape), leaf.dtype), shapes
  )


def versions(*more: str) -> str:
  """What is compared, with those of `more` that are installed."""
  packages = ["optax_stepsize", "optax", "jax", *more]
  found = []
  for package in packages:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
      found.append(f"{package} {importlib.metadata.version(package)}")
  return ", ".join(found)
