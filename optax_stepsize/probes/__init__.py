# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Step sizes from measuring a model."""

from optax_stepsize.probes._range_plot import plot_range_test as plot_range_test
from optax_stepsize.probes._range_test import lr_range_test as lr_range_test
from optax_stepsize.probes._range_test import LrRangeResult as LrRangeResult
from optax_stepsize.probes._range_test import (
  range_test_schedule as range_test_schedule,
)
from optax_stepsize.probes._range_test import suggest_bounds as suggest_bounds
