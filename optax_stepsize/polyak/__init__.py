# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Step sizes from the loss value."""

from optax_stepsize.polyak._sps import scale_by_sps as scale_by_sps
from optax_stepsize.polyak._sps import sps as sps
from optax_stepsize.polyak._sps import SPSState as SPSState
