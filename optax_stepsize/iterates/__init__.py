# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Step sizes from past points: averages and what is evaluated at them."""

from optax_stepsize.iterates._polynomial_decay_averaging import (
  polynomial_decay_averaging as polynomial_decay_averaging,
)
from optax_stepsize.iterates._polynomial_decay_averaging import (
  PolynomialDecayAverage as PolynomialDecayAverage,
)
from optax_stepsize.iterates._polynomial_decay_averaging import (
  PolynomialDecayAveragingState as PolynomialDecayAveragingState,
)
from optax_stepsize.iterates._schedule_free import AdamMoments as AdamMoments
from optax_stepsize.iterates._schedule_free import (
  schedule_free_adamw as schedule_free_adamw,
)
from optax_stepsize.iterates._schedule_free import (
  ScheduleFreeState as ScheduleFreeState,
)
