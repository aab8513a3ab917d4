# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Double precision for as long as a law is worked with, and no longer."""

from contextlib import AbstractContextManager

import jax


def enable_x64() -> AbstractContextManager:
  """A context in which JAX computes in float64, whatever its setting is."""
  if hasattr(jax, "enable_x64"):
    return jax.enable_x64(True)
  from jax.experimental import enable_x64 as context  # before jax 0.8

  return context()
