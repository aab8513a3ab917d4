# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Step sizes from the step count and the budget."""

from optax_stepsize.schedules._uba import minimax_schedule as minimax_schedule
from optax_stepsize.schedules._uba import uba_mean_factor as uba_mean_factor
from optax_stepsize.schedules._uba import (
  uba_phi_from_condition_number as uba_phi_from_condition_number,
)
from optax_stepsize.schedules._uba import uba_profile as uba_profile
from optax_stepsize.schedules._uba import uba_schedule as uba_schedule
