# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Step sizes from past points: averages and what is evaluated at them."""

from optax_stepsize.iterates._lookahead import lookahead as lookahead
from optax_stepsize.iterates._lookahead import LookaheadState as LookaheadState
from optax_stepsize.iterates._lookahead import (
  optimal_slow_step_size as optimal_slow_step_size,
)
from optax_stepsize.iterates._polynomial_decay_averaging import (
  polynomial_decay_averaging as polynomial_decay_averaging,
)
from optax_stepsize.iterates._polynomial_decay_averaging import (
  PolynomialDecayAverage as PolynomialDecayAverage,
)
from optax_stepsize.iterates._polynomial_decay_averaging import (
  PolynomialDecayAveragingState as PolynomialDecayAveragingState,
)
from optax_stepsize.iterates._schedule_free import (
  ScheduleFreeState as ScheduleFreeState,
)
from optax_stepsize.iterates._schedule_free_adam import (
  AdamMoments as AdamMoments,
)
from optax_stepsize.iterates._schedule_free_adam import (
  schedule_free_adamw as schedule_free_adamw,
)
from optax_stepsize.iterates._schedule_free_adam import (
  schedule_free_radam as schedule_free_radam,
)
from optax_stepsize.iterates._schedule_free_sgd import (
  schedule_free_sgd as schedule_free_sgd,
)
from optax_stepsize.iterates._schedule_free_wrapper import (
  schedule_free as schedule_free,
)
