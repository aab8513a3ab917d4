# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Points that laws of single numbers are fitted to, one for each short run."""

from typing import Any

import numpy as np
import numpy.typing as npt

from optax_stepsize import core

# What a column may hold. A run that came to nothing has no finite number.
POSITIVE, WEIGHTS, ANY = "(0, inf)", "[0, inf)", ""


def column(
  method: str, name: str, values: npt.ArrayLike, interval: str = POSITIVE
) -> np.ndarray:
  """`values` as a float64 array `(N,)` of numbers in `interval`."""
  try:
    numbers = np.asarray(values, np.float64)
  except (TypeError, ValueError):
    raise ValueError(
      f"{method}: {name} must be a list of numbers, got {values!r}."
    ) from None
  if numbers.ndim != 1 or not numbers.size:
    raise ValueError(
      f"{method}: {name} must be a list with one number for each run, got an"
      f" array of shape {numbers.shape}."
    )
  if interval:
    core.check_range(method, name, numbers, interval)
  return numbers


def check_lengths(method: str, **columns: np.ndarray) -> None:
  """Raises ValueError unless all columns have one length."""
  if len({len(values) for values in columns.values()}) > 1:
    lengths = ", ".join(f"{name} {len(v)}" for name, v in columns.items())
    raise ValueError(
      f"{method}: all columns must have one entry for each run, got {lengths}."
    )


def check_different(
  method: str, name: str, values: np.ndarray, least: int
) -> None:
  """Raises ValueError unless `values` has so many different entries."""
  different = np.unique(values).size
  if different < least:
    raise ValueError(
      f"{method}: {name} must have at least {least} different entries, got"
      f" {different}. Fix: add runs."
    )


def root_weights(method: str, weights: Any, count: int) -> np.ndarray:
  """Roots of the weights, of mean square one; ones for None."""
  if weights is None:
    return np.ones(count)
  numbers = column(method, "weights", weights, WEIGHTS)
  if len(numbers) != count or not np.any(numbers):
    raise ValueError(
      f"{method}: weights must have one entry for each of the {count} runs and"
      f" must not all be zero, got {weights!r}."
    )
  return np.sqrt(numbers / np.mean(numbers))


def positive(method: str, name: str, values: npt.ArrayLike) -> np.ndarray:
  """`values` of any shape in float64, all in (0, inf)."""
  core.check_range(method, name, values, POSITIVE)
  return np.asarray(values, np.float64)
