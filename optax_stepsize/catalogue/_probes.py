# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows of the methods that measure a model."""

from optax_stepsize import probes
from optax_stepsize.catalogue import _row
from optax_stepsize.catalogue import _schedules


def _quadratic_step(x, batch, learning_rate):
  """Gradient descent on 5 x^2, and that."""
  del batch
  return x - learning_rate * 10 * x, 5 * x**2


ROWS = (
  _row.Row(
    name="lr_range_test",
    factory=probes.lr_range_test,
    kind="tool",
    family="probes",
    computed_from="losses of a short run with a growing rate",
    paper=_schedules.CLR,
    needs=(),
    static=(
      "step_fn",
      "state",
      "batches",
      "min_value",
      "max_value",
      "num_steps",
      "mode",
      "smoothing",
      "divergence_factor",
      "base_ratio",
      "scan",
    ),
    state_bytes=0,
    min_bytes=0,
    reductions="none",
    sweep=None,
    evaluation="params",
    parity="closed form of gradient descent on a quadratic",
    parts=(
      "LrRangeResult",
      "plot_range_test",
      "range_test_schedule",
      "suggest_bounds",
    ),
    example={
      "step_fn": _quadratic_step,
      "state": 1.0,
      "batches": range(20),
      "min_value": 0.0,
      "max_value": 0.3,
      "num_steps": 20,
    },
  ),
)
