# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Step sizes from the step count and the budget."""

from optax_stepsize.schedules._budgeted import budgeted as budgeted
from optax_stepsize.schedules._budgeted import (
  linear_decay_schedule as linear_decay_schedule,
)
from optax_stepsize.schedules._budgeted import rex_schedule as rex_schedule
from optax_stepsize.schedules._cooldown import cooldown as cooldown
from optax_stepsize.schedules._cyclical import (
  cycle_end_steps as cycle_end_steps,
)
from optax_stepsize.schedules._cyclical import (
  cyclical_momentum_schedule as cyclical_momentum_schedule,
)
from optax_stepsize.schedules._cyclical import (
  cyclical_schedule as cyclical_schedule,
)
from optax_stepsize.schedules._multiplicative_cyclic import (
  cycle_ends as cycle_ends,
)
from optax_stepsize.schedules._multiplicative_cyclic import (
  CyclePoint as CyclePoint,
)
from optax_stepsize.schedules._multiplicative_cyclic import (
  multiplicative_cyclic_schedule as multiplicative_cyclic_schedule,
)
from optax_stepsize.schedules._multiplicative_cyclic import (
  tradeoff_curve as tradeoff_curve,
)
from optax_stepsize.schedules._one_cycle import one_cycle as one_cycle
from optax_stepsize.schedules._one_cycle import OneCycle as OneCycle
from optax_stepsize.schedules._one_cycle import (
  smith_one_cycle as smith_one_cycle,
)
from optax_stepsize.schedules._policies import (
  composite_policy as composite_policy,
)
from optax_stepsize.schedules._policies import policy as policy
from optax_stepsize.schedules._policies import POLICY_NAMES as POLICY_NAMES
from optax_stepsize.schedules._policy_scores import PolicyScore as PolicyScore
from optax_stepsize.schedules._policy_scores import (
  rank_policies as rank_policies,
)
from optax_stepsize.schedules._policy_scores import score_policy as score_policy
from optax_stepsize.schedules._profiles import (
  constant_profile as constant_profile,
)
from optax_stepsize.schedules._profiles import cosine_profile as cosine_profile
from optax_stepsize.schedules._profiles import (
  exponential_profile as exponential_profile,
)
from optax_stepsize.schedules._profiles import (
  inverse_profile as inverse_profile,
)
from optax_stepsize.schedules._profiles import linear_profile as linear_profile
from optax_stepsize.schedules._profiles import (
  one_minus_sqrt_profile as one_minus_sqrt_profile,
)
from optax_stepsize.schedules._profiles import (
  polynomial_profile as polynomial_profile,
)
from optax_stepsize.schedules._profiles import Profile as Profile
from optax_stepsize.schedules._profiles import rex_profile as rex_profile
from optax_stepsize.schedules._profiles import uba_profile as uba_profile
from optax_stepsize.schedules._refined import refine_schedule as refine_schedule
from optax_stepsize.schedules._refined import (
  refined_schedule as refined_schedule,
)
from optax_stepsize.schedules._table import from_csv as from_csv
from optax_stepsize.schedules._table import (
  tabulated_schedule as tabulated_schedule,
)
from optax_stepsize.schedules._table import to_csv as to_csv
from optax_stepsize.schedules._uba import minimax_schedule as minimax_schedule
from optax_stepsize.schedules._uba import uba_mean_factor as uba_mean_factor
from optax_stepsize.schedules._uba import (
  uba_phi_from_condition_number as uba_phi_from_condition_number,
)
from optax_stepsize.schedules._uba import uba_schedule as uba_schedule
from optax_stepsize.schedules._wsd import Branch as Branch
from optax_stepsize.schedules._wsd import (
  cyclic_cosine_schedule as cyclic_cosine_schedule,
)
from optax_stepsize.schedules._wsd import wsd_branches as wsd_branches
from optax_stepsize.schedules._wsd import wsd_s_schedule as wsd_s_schedule
from optax_stepsize.schedules._wsd import wsd_schedule as wsd_schedule
from optax_stepsize.schedules._wsd import (
  wsd_sqrt_cube_schedule as wsd_sqrt_cube_schedule,
)
