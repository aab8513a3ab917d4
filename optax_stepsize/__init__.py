# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Step-size methods for JAX, each a pure Optax transformation or schedule."""

from optax_stepsize.catalogue import cite
from optax_stepsize.core import accumulate
from optax_stepsize.core import AccumulateState
from optax_stepsize.core import compensated
from optax_stepsize.core import CompensatedState
from optax_stepsize.core import eval_params
from optax_stepsize.core import has_eval_params
from optax_stepsize.core import state_sharding
from optax_stepsize.core import step_sizes
from optax_stepsize.distance import dog
from optax_stepsize.distance import DoGState
from optax_stepsize.distance import ldog
from optax_stepsize.distance import prodigy
from optax_stepsize.distance import ProdigyState
from optax_stepsize.distance import scale_by_dog
from optax_stepsize.iterates import AdamMoments
from optax_stepsize.iterates import polynomial_decay_averaging
from optax_stepsize.iterates import PolynomialDecayAverage
from optax_stepsize.iterates import PolynomialDecayAveragingState
from optax_stepsize.iterates import schedule_free_adamw
from optax_stepsize.iterates import ScheduleFreeState
from optax_stepsize.polyak import scale_by_sps
from optax_stepsize.polyak import sps
from optax_stepsize.polyak import SPSState
from optax_stepsize.schedules import minimax_schedule
from optax_stepsize.schedules import uba_mean_factor
from optax_stepsize.schedules import uba_phi_from_condition_number
from optax_stepsize.schedules import uba_profile
from optax_stepsize.schedules import uba_schedule

__version__ = "0.1.0"
