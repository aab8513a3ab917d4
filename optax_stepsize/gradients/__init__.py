# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Step sizes from the history of gradients, and what records it."""

from optax_stepsize.gradients._record import (
  GradientNormsState as GradientNormsState,
)
from optax_stepsize.gradients._record import (
  record_gradient_norms as record_gradient_norms,
)
from optax_stepsize.gradients._record import recorded_norms as recorded_norms
