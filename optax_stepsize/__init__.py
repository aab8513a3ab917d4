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
from optax_stepsize.core import GroupedState as GroupedState
from optax_stepsize.core import has_eval_params as has_eval_params
from optax_stepsize.core import is_stuck as is_stuck
from optax_stepsize.core import mean_over_batches as mean_over_batches
from optax_stepsize.core import state_sharding as state_sharding
from optax_stepsize.core import step_sizes as step_sizes
from optax_stepsize.distance import dadapt_adagrad as dadapt_adagrad
from optax_stepsize.distance import dadapt_adam as dadapt_adam
from optax_stepsize.distance import dadapt_adamw as dadapt_adamw
from optax_stepsize.distance import dadapt_adan as dadapt_adan
from optax_stepsize.distance import dadapt_lion as dadapt_lion
from optax_stepsize.distance import dadapt_sgd as dadapt_sgd
from optax_stepsize.distance import DAdaptationState as DAdaptationState
from optax_stepsize.distance import dog as dog
from optax_stepsize.distance import DoGState as DoGState
from optax_stepsize.distance import ldog as ldog
from optax_stepsize.distance import prodigy as prodigy
from optax_stepsize.distance import ProdigyState as ProdigyState
from optax_stepsize.distance import scale_by_dog as scale_by_dog
from optax_stepsize.gradients import GradientNormsState as GradientNormsState
from optax_stepsize.gradients import (
  record_gradient_norms as record_gradient_norms,
)
from optax_stepsize.gradients import recorded_norms as recorded_norms
from optax_stepsize.iterates import AdamMoments as AdamMoments
from optax_stepsize.iterates import lookahead as lookahead
from optax_stepsize.iterates import LookaheadState as LookaheadState
from optax_stepsize.iterates import (
  optimal_slow_step_size as optimal_slow_step_size,
)
from optax_stepsize.iterates import (
  polynomial_decay_averaging as polynomial_decay_averaging,
)
from optax_stepsize.iterates import (
  PolynomialDecayAverage as PolynomialDecayAverage,
)
from optax_stepsize.iterates import (
  PolynomialDecayAveragingState as PolynomialDecayAveragingState,
)
from optax_stepsize.iterates import schedule_free as schedule_free
from optax_stepsize.iterates import schedule_free_adamw as schedule_free_adamw
from optax_stepsize.iterates import schedule_free_radam as schedule_free_radam
from optax_stepsize.iterates import schedule_free_sgd as schedule_free_sgd
from optax_stepsize.iterates import ScheduleFreeState as ScheduleFreeState
from optax_stepsize.laws import annealing_areas as annealing_areas
from optax_stepsize.laws import AnnealingAreas as AnnealingAreas
from optax_stepsize.laws import AnnealingLaw as AnnealingLaw
from optax_stepsize.laws import AnnealingLawN as AnnealingLawN
from optax_stepsize.laws import Balance as Balance
from optax_stepsize.laws import balance as balance
from optax_stepsize.laws import batch_hessian_edge as batch_hessian_edge
from optax_stepsize.laws import BatchLaw as BatchLaw
from optax_stepsize.laws import best_cooldown_fraction as best_cooldown_fraction
from optax_stepsize.laws import bound_curve as bound_curve
from optax_stepsize.laws import bound_terms as bound_terms
from optax_stepsize.laws import BoundTerms as BoundTerms
from optax_stepsize.laws import Chinchilla as Chinchilla
from optax_stepsize.laws import ComputeOptimal as ComputeOptimal
from optax_stepsize.laws import continual_areas as continual_areas
from optax_stepsize.laws import ContinualAreas as ContinualAreas
from optax_stepsize.laws import ContinualCurve as ContinualCurve
from optax_stepsize.laws import CooldownFraction as CooldownFraction
from optax_stepsize.laws import CPTLaw as CPTLaw
from optax_stepsize.laws import CPTReplayLaw as CPTReplayLaw
from optax_stepsize.laws import CPTSizeLaw as CPTSizeLaw
from optax_stepsize.laws import Curve as Curve
from optax_stepsize.laws import distinct_rates as distinct_rates
from optax_stepsize.laws import DomainMixture as DomainMixture
from optax_stepsize.laws import effective_batch as effective_batch
from optax_stepsize.laws import exp3_log_likelihood as exp3_log_likelihood
from optax_stepsize.laws import exp3_probabilities as exp3_probabilities
from optax_stepsize.laws import exp3_safe_horizon as exp3_safe_horizon
from optax_stepsize.laws import Exp3Fit as Exp3Fit
from optax_stepsize.laws import Exp3Record as Exp3Record
from optax_stepsize.laws import extend_wsd as extend_wsd
from optax_stepsize.laws import fit_annealing_law as fit_annealing_law
from optax_stepsize.laws import fit_annealing_law_n as fit_annealing_law_n
from optax_stepsize.laws import fit_batch_law as fit_batch_law
from optax_stepsize.laws import fit_chinchilla as fit_chinchilla
from optax_stepsize.laws import fit_cpt_law as fit_cpt_law
from optax_stepsize.laws import fit_cpt_replay_law as fit_cpt_replay_law
from optax_stepsize.laws import fit_cpt_size_law as fit_cpt_size_law
from optax_stepsize.laws import fit_domain_mixture as fit_domain_mixture
from optax_stepsize.laws import fit_exp3_learning_rate as fit_exp3_learning_rate
from optax_stepsize.laws import fit_horizon_law as fit_horizon_law
from optax_stepsize.laws import fit_horizon_size_law as fit_horizon_size_law
from optax_stepsize.laws import fit_lr_sweep as fit_lr_sweep
from optax_stepsize.laws import fit_multi_power_law as fit_multi_power_law
from optax_stepsize.laws import fit_power_curve as fit_power_curve
from optax_stepsize.laws import fit_steps_law as fit_steps_law
from optax_stepsize.laws import fit_time_transfer as fit_time_transfer
from optax_stepsize.laws import FitResult as FitResult
from optax_stepsize.laws import HorizonLaw as HorizonLaw
from optax_stepsize.laws import HorizonSizeLaw as HorizonSizeLaw
from optax_stepsize.laws import last_iterate_bound as last_iterate_bound
from optax_stepsize.laws import Law as Law
from optax_stepsize.laws import LearningTrace as LearningTrace
from optax_stepsize.laws import loss_potential as loss_potential
from optax_stepsize.laws import lr_sensitivity as lr_sensitivity
from optax_stepsize.laws import LrSweepFit as LrSweepFit
from optax_stepsize.laws import max_learning_rate as max_learning_rate
from optax_stepsize.laws import (
  measured_critical_batch as measured_critical_batch,
)
from optax_stepsize.laws import MeasuredCriticalBatch as MeasuredCriticalBatch
from optax_stepsize.laws import Metrics as Metrics
from optax_stepsize.laws import metrics as metrics
from optax_stepsize.laws import MultiPowerLaw as MultiPowerLaw
from optax_stepsize.laws import optimal_base_lr as optimal_base_lr
from optax_stepsize.laws import optimal_lr_from_sweep as optimal_lr_from_sweep
from optax_stepsize.laws import OptimalBaseLr as OptimalBaseLr
from optax_stepsize.laws import optimize_schedule as optimize_schedule
from optax_stepsize.laws import OptimizedSchedule as OptimizedSchedule
from optax_stepsize.laws import PowerCurve as PowerCurve
from optax_stepsize.laws import rates_of as rates_of
from optax_stepsize.laws import read_curves as read_curves
from optax_stepsize.laws import robust_fit as robust_fit
from optax_stepsize.laws import scale_learning_rate as scale_learning_rate
from optax_stepsize.laws import should_stop as should_stop
from optax_stepsize.laws import simulate_exp3 as simulate_exp3
from optax_stepsize.laws import StepsLaw as StepsLaw
from optax_stepsize.laws import StopDecision as StopDecision
from optax_stepsize.laws import surge_lr as surge_lr
from optax_stepsize.laws import SweepOptimum as SweepOptimum
from optax_stepsize.laws import TimeTransferLaw as TimeTransferLaw
from optax_stepsize.laws import TraceState as TraceState
from optax_stepsize.laws import transfer_base_lr as transfer_base_lr
from optax_stepsize.laws import transfer_lr as transfer_lr
from optax_stepsize.laws import ttur as ttur
from optax_stepsize.polyak import (
  entropy_regularised_return as entropy_regularised_return,
)
from optax_stepsize.polyak import gpomdp_surrogate as gpomdp_surrogate
from optax_stepsize.polyak import hutchinson_diagonal as hutchinson_diagonal
from optax_stepsize.polyak import make_hvp_fn as make_hvp_fn
from optax_stepsize.polyak import momo as momo
from optax_stepsize.polyak import momo_adam as momo_adam
from optax_stepsize.polyak import MomoState as MomoState
from optax_stepsize.polyak import policy_polyak as policy_polyak
from optax_stepsize.polyak import PolicyPolyakState as PolicyPolyakState
from optax_stepsize.polyak import polyak_heavy_ball as polyak_heavy_ball
from optax_stepsize.polyak import (
  polyak_moving_gradient as polyak_moving_gradient,
)
from optax_stepsize.polyak import PolyakHeavyBallState as PolyakHeavyBallState
from optax_stepsize.polyak import (
  PolyakMovingGradientState as PolyakMovingGradientState,
)
from optax_stepsize.polyak import psps as psps
from optax_stepsize.polyak import PSPSState as PSPSState
from optax_stepsize.polyak import (
  scale_by_policy_polyak as scale_by_policy_polyak,
)
from optax_stepsize.polyak import scale_by_sps as scale_by_sps
from optax_stepsize.polyak import smb as smb
from optax_stepsize.polyak import SmbAutoSchedule as SmbAutoSchedule
from optax_stepsize.polyak import SmbState as SmbState
from optax_stepsize.polyak import sps as sps
from optax_stepsize.polyak import SPSState as SPSState
from optax_stepsize.polyak import twin_polyak as twin_polyak
from optax_stepsize.polyak import TwinPolyakState as TwinPolyakState
from optax_stepsize.probes import lr_range_test as lr_range_test
from optax_stepsize.probes import LrRangeResult as LrRangeResult
from optax_stepsize.probes import plot_range_test as plot_range_test
from optax_stepsize.probes import range_test_schedule as range_test_schedule
from optax_stepsize.probes import suggest_bounds as suggest_bounds
from optax_stepsize.schedules import Branch as Branch
from optax_stepsize.schedules import budgeted as budgeted
from optax_stepsize.schedules import composite_policy as composite_policy
from optax_stepsize.schedules import constant_profile as constant_profile
from optax_stepsize.schedules import cooldown as cooldown
from optax_stepsize.schedules import cosine_profile as cosine_profile
from optax_stepsize.schedules import cycle_end_steps as cycle_end_steps
from optax_stepsize.schedules import cycle_ends as cycle_ends
from optax_stepsize.schedules import CyclePoint as CyclePoint
from optax_stepsize.schedules import (
  cyclic_cosine_schedule as cyclic_cosine_schedule,
)
from optax_stepsize.schedules import (
  cyclical_momentum_schedule as cyclical_momentum_schedule,
)
from optax_stepsize.schedules import cyclical_schedule as cyclical_schedule
from optax_stepsize.schedules import exponential_profile as exponential_profile
from optax_stepsize.schedules import from_csv as from_csv
from optax_stepsize.schedules import inverse_profile as inverse_profile
from optax_stepsize.schedules import (
  linear_decay_schedule as linear_decay_schedule,
)
from optax_stepsize.schedules import linear_profile as linear_profile
from optax_stepsize.schedules import minimax_schedule as minimax_schedule
from optax_stepsize.schedules import (
  multiplicative_cyclic_schedule as multiplicative_cyclic_schedule,
)
from optax_stepsize.schedules import one_cycle as one_cycle
from optax_stepsize.schedules import (
  one_minus_sqrt_profile as one_minus_sqrt_profile,
)
from optax_stepsize.schedules import OneCycle as OneCycle
from optax_stepsize.schedules import policy as policy
from optax_stepsize.schedules import POLICY_NAMES as POLICY_NAMES
from optax_stepsize.schedules import PolicyScore as PolicyScore
from optax_stepsize.schedules import polynomial_profile as polynomial_profile
from optax_stepsize.schedules import Profile as Profile
from optax_stepsize.schedules import rank_policies as rank_policies
from optax_stepsize.schedules import refine_schedule as refine_schedule
from optax_stepsize.schedules import refined_schedule as refined_schedule
from optax_stepsize.schedules import rex_profile as rex_profile
from optax_stepsize.schedules import rex_schedule as rex_schedule
from optax_stepsize.schedules import score_policy as score_policy
from optax_stepsize.schedules import smith_one_cycle as smith_one_cycle
from optax_stepsize.schedules import tabulated_schedule as tabulated_schedule
from optax_stepsize.schedules import to_csv as to_csv
from optax_stepsize.schedules import tradeoff_curve as tradeoff_curve
from optax_stepsize.schedules import uba_mean_factor as uba_mean_factor
from optax_stepsize.schedules import (
  uba_phi_from_condition_number as uba_phi_from_condition_number,
)
from optax_stepsize.schedules import uba_profile as uba_profile
from optax_stepsize.schedules import uba_schedule as uba_schedule
from optax_stepsize.schedules import wsd_branches as wsd_branches
from optax_stepsize.schedules import wsd_s_schedule as wsd_s_schedule
from optax_stepsize.schedules import wsd_schedule as wsd_schedule
from optax_stepsize.schedules import (
  wsd_sqrt_cube_schedule as wsd_sqrt_cube_schedule,
)

__version__ = "0.1.0"
