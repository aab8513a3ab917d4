# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Laws: fit what short runs show, predict and plan longer ones."""

from optax_stepsize.laws._annealing import annealing_areas as annealing_areas
from optax_stepsize.laws._annealing import AnnealingAreas as AnnealingAreas
from optax_stepsize.laws._annealing import AnnealingLaw as AnnealingLaw
from optax_stepsize.laws._annealing import AnnealingLawN as AnnealingLawN
from optax_stepsize.laws._annealing import (
  fit_annealing_law as fit_annealing_law,
)
from optax_stepsize.laws._annealing import (
  fit_annealing_law_n as fit_annealing_law_n,
)
from optax_stepsize.laws._batch_law import (
  batch_hessian_edge as batch_hessian_edge,
)
from optax_stepsize.laws._batch_law import BatchLaw as BatchLaw
from optax_stepsize.laws._batch_law import effective_batch as effective_batch
from optax_stepsize.laws._batch_law import fit_batch_law as fit_batch_law
from optax_stepsize.laws._batch_law import (
  max_learning_rate as max_learning_rate,
)
from optax_stepsize.laws._batch_law import (
  scale_learning_rate as scale_learning_rate,
)
from optax_stepsize.laws._chinchilla import Chinchilla as Chinchilla
from optax_stepsize.laws._chinchilla import ComputeOptimal as ComputeOptimal
from optax_stepsize.laws._chinchilla import fit_chinchilla as fit_chinchilla
from optax_stepsize.laws._continual import continual_areas as continual_areas
from optax_stepsize.laws._continual import ContinualAreas as ContinualAreas
from optax_stepsize.laws._continual import ContinualCurve as ContinualCurve
from optax_stepsize.laws._continual import CPTLaw as CPTLaw
from optax_stepsize.laws._continual import fit_cpt_law as fit_cpt_law
from optax_stepsize.laws._continual_choice import Balance as Balance
from optax_stepsize.laws._continual_choice import balance as balance
from optax_stepsize.laws._continual_choice import DomainMixture as DomainMixture
from optax_stepsize.laws._continual_choice import (
  fit_domain_mixture as fit_domain_mixture,
)
from optax_stepsize.laws._continual_choice import (
  loss_potential as loss_potential,
)
from optax_stepsize.laws._continual_forms import CPTReplayLaw as CPTReplayLaw
from optax_stepsize.laws._continual_forms import CPTSizeLaw as CPTSizeLaw
from optax_stepsize.laws._continual_forms import (
  fit_cpt_replay_law as fit_cpt_replay_law,
)
from optax_stepsize.laws._continual_forms import (
  fit_cpt_size_law as fit_cpt_size_law,
)
from optax_stepsize.laws._convex_bound import bound_curve as bound_curve
from optax_stepsize.laws._convex_bound import bound_terms as bound_terms
from optax_stepsize.laws._convex_bound import BoundTerms as BoundTerms
from optax_stepsize.laws._convex_bound import (
  last_iterate_bound as last_iterate_bound,
)
from optax_stepsize.laws._convex_bound import optimal_base_lr as optimal_base_lr
from optax_stepsize.laws._convex_bound import OptimalBaseLr as OptimalBaseLr
from optax_stepsize.laws._convex_bound import (
  transfer_base_lr as transfer_base_lr,
)
from optax_stepsize.laws._cooldown_fraction import (
  best_cooldown_fraction as best_cooldown_fraction,
)
from optax_stepsize.laws._cooldown_fraction import (
  CooldownFraction as CooldownFraction,
)
from optax_stepsize.laws._curve import Curve as Curve
from optax_stepsize.laws._curve import distinct_rates as distinct_rates
from optax_stepsize.laws._curve import rates_of as rates_of
from optax_stepsize.laws._design import optimize_schedule as optimize_schedule
from optax_stepsize.laws._design import OptimizedSchedule as OptimizedSchedule
from optax_stepsize.laws._exp3 import exp3_log_likelihood as exp3_log_likelihood
from optax_stepsize.laws._exp3 import exp3_probabilities as exp3_probabilities
from optax_stepsize.laws._exp3 import exp3_safe_horizon as exp3_safe_horizon
from optax_stepsize.laws._exp3 import Exp3Fit as Exp3Fit
from optax_stepsize.laws._exp3 import Exp3Record as Exp3Record
from optax_stepsize.laws._exp3 import (
  fit_exp3_learning_rate as fit_exp3_learning_rate,
)
from optax_stepsize.laws._exp3 import simulate_exp3 as simulate_exp3
from optax_stepsize.laws._extend_wsd import extend_wsd as extend_wsd
from optax_stepsize.laws._files import read_curves as read_curves
from optax_stepsize.laws._fit import FitResult as FitResult
from optax_stepsize.laws._fit import Metrics as Metrics
from optax_stepsize.laws._fit import metrics as metrics
from optax_stepsize.laws._fit import robust_fit as robust_fit
from optax_stepsize.laws._horizon import fit_horizon_law as fit_horizon_law
from optax_stepsize.laws._horizon import (
  fit_horizon_size_law as fit_horizon_size_law,
)
from optax_stepsize.laws._horizon import HorizonLaw as HorizonLaw
from optax_stepsize.laws._horizon import HorizonSizeLaw as HorizonSizeLaw
from optax_stepsize.laws._horizon import (
  optimal_lr_from_sweep as optimal_lr_from_sweep,
)
from optax_stepsize.laws._horizon import SweepOptimum as SweepOptimum
from optax_stepsize.laws._horizon import transfer_lr as transfer_lr
from optax_stepsize.laws._law import Law as Law
from optax_stepsize.laws._learning_trace import LearningTrace as LearningTrace
from optax_stepsize.laws._learning_trace import should_stop as should_stop
from optax_stepsize.laws._learning_trace import StopDecision as StopDecision
from optax_stepsize.laws._learning_trace import TraceState as TraceState
from optax_stepsize.laws._lr_sweep import fit_lr_sweep as fit_lr_sweep
from optax_stepsize.laws._lr_sweep import LrSweepFit as LrSweepFit
from optax_stepsize.laws._multi_power import (
  fit_multi_power_law as fit_multi_power_law,
)
from optax_stepsize.laws._multi_power import MultiPowerLaw as MultiPowerLaw
from optax_stepsize.laws._power_curve import fit_power_curve as fit_power_curve
from optax_stepsize.laws._power_curve import PowerCurve as PowerCurve
from optax_stepsize.laws._steps_law import fit_steps_law as fit_steps_law
from optax_stepsize.laws._steps_law import (
  measured_critical_batch as measured_critical_batch,
)
from optax_stepsize.laws._steps_law import (
  MeasuredCriticalBatch as MeasuredCriticalBatch,
)
from optax_stepsize.laws._steps_law import StepsLaw as StepsLaw
from optax_stepsize.laws._time_transfer import (
  fit_time_transfer as fit_time_transfer,
)
from optax_stepsize.laws._time_transfer import lr_sensitivity as lr_sensitivity
from optax_stepsize.laws._time_transfer import surge_lr as surge_lr
from optax_stepsize.laws._time_transfer import (
  TimeTransferLaw as TimeTransferLaw,
)
from optax_stepsize.laws._ttur import ttur as ttur
