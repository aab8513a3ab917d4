# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Step-size methods for JAX, each a pure Optax transformation or schedule."""

from optax_stepsize import catalogue as catalogue
from optax_stepsize import testing as testing
from optax_stepsize.catalogue import cite as cite
from optax_stepsize.core import accumulate as accumulate
from optax_stepsize.core import AccumulateState as AccumulateState
from optax_stepsize.core import compensated as compensated
from optax_stepsize.core import CompensatedState as CompensatedState
from optax_stepsize.core import eval_params as eval_params
from optax_stepsize.core import has_eval_params as has_eval_params
from optax_stepsize.core import state_sharding as state_sharding
from optax_stepsize.core import step_sizes as step_sizes
from optax_stepsize.distance import dog as dog
from optax_stepsize.distance import DoGState as DoGState
from optax_stepsize.distance import ldog as ldog
from optax_stepsize.distance import prodigy as prodigy
from optax_stepsize.distance import ProdigyState as ProdigyState
from optax_stepsize.distance import scale_by_dog as scale_by_dog
from optax_stepsize.iterates import AdamMoments as AdamMoments
from optax_stepsize.iterates import (
  polynomial_decay_averaging as polynomial_decay_averaging,
)
from optax_stepsize.iterates import (
  PolynomialDecayAverage as PolynomialDecayAverage,
)
from optax_stepsize.iterates import (
  PolynomialDecayAveragingState as PolynomialDecayAveragingState,
)
from optax_stepsize.iterates import schedule_free_adamw as schedule_free_adamw
from optax_stepsize.iterates import ScheduleFreeState as ScheduleFreeState
from optax_stepsize.polyak import scale_by_sps as scale_by_sps
from optax_stepsize.polyak import sps as sps
from optax_stepsize.polyak import SPSState as SPSState
from optax_stepsize.schedules import minimax_schedule as minimax_schedule
from optax_stepsize.schedules import uba_mean_factor as uba_mean_factor
from optax_stepsize.schedules import (
  uba_phi_from_condition_number as uba_phi_from_condition_number,
)
from optax_stepsize.schedules import uba_profile as uba_profile
from optax_stepsize.schedules import uba_schedule as uba_schedule

__version__ = "0.1.0"
