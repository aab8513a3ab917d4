# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Our side of the comparison of schedules, in float64."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core

TOLERANCE = 1e-9
# Of a quadratic with its minimum at one.
START, CURVATURE = [-1.0, 0.0, 3.5], [0.1, 1.0, 4.0]
# Scales of cycles: functions of floats, here and in torch.
SCALES = {
  "five": lambda x: 1 / (5.0 ** (x * 0.01)),
  "halves": lambda x: 1 / (2.0 ** (x - 1)),
  "hyperbola": lambda x: 1 / (1 + 0.1 * x),
}


def values(make: Callable[[], optax.Schedule], steps: int) -> np.ndarray:
  """The values of the first steps; `make` runs in float64 too."""
  with core.enable_x64(True):
    found = jax.jit(lambda counts: make()(counts))(jnp.arange(steps))
    assert found.dtype == jnp.float64
    return np.asarray(found)


def descend(
  make: Callable[[], tuple[optax.Schedule, optax.Schedule]],
  steps: int,
) -> np.ndarray:
  """Points of SGD with momentum, as of `torch_schedules.descend`."""
  # Optax mixes dtypes in inject_hyperparams.
  with core.enable_x64(True), jax.numpy_dtype_promotion("standard"):
    rate, momentum = make()
    tx = optax.inject_hyperparams(optax.sgd)(
      learning_rate=rate, momentum=momentum
    )
    curvatures = jnp.asarray(CURVATURE)

    def step(carry, _):
      params, state = carry
      updates, state = tx.update(curvatures * (params - 1), state, params)
      params = optax.apply_updates(params, updates)
      return (params, state), params

    params = jnp.asarray(START)
    carry = (params, tx.init(params))
    return np.asarray(jax.lax.scan(step, carry, length=steps)[1])
