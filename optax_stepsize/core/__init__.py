# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What every method stands on; imports nothing else of this library."""

from optax_stepsize.core._accumulate import accumulate as accumulate
from optax_stepsize.core._accumulate import AccumulateState as AccumulateState
from optax_stepsize.core._accumulate import (
  mean_over_batches as mean_over_batches,
)
from optax_stepsize.core._compensated import compensate_if as compensate_if
from optax_stepsize.core._compensated import compensated as compensated
from optax_stepsize.core._compensated import (
  CompensatedState as CompensatedState,
)
from optax_stepsize.core._compensated import mask_like as mask_like
from optax_stepsize.core._decay import (
  add_decayed_weights as add_decayed_weights,
)
from optax_stepsize.core._decay import decayed as decayed
from optax_stepsize.core._decay import is_known_zero as is_known_zero
from optax_stepsize.core._decay import Mask as Mask
from optax_stepsize.core._groups import group_names as group_names
from optax_stepsize.core._groups import grouped as grouped
from optax_stepsize.core._groups import GroupedState as GroupedState
from optax_stepsize.core._groups import PerGroup as PerGroup
from optax_stepsize.core._hyperparameters import as_scalar as as_scalar
from optax_stepsize.core._hyperparameters import check_choice as check_choice
from optax_stepsize.core._hyperparameters import check_count as check_count
from optax_stepsize.core._hyperparameters import check_dtype as check_dtype
from optax_stepsize.core._hyperparameters import check_range as check_range
from optax_stepsize.core._hyperparameters import rate_at as rate_at
from optax_stepsize.core._hyperparameters import (
  ScalarOrSchedule as ScalarOrSchedule,
)
from optax_stepsize.core._precision import absent as absent
from optax_stepsize.core._precision import (
  accumulator_dtype as accumulator_dtype,
)
from optax_stepsize.core._precision import cast_like as cast_like
from optax_stepsize.core._precision import copies as copies
from optax_stepsize.core._precision import enable_x64 as enable_x64
from optax_stepsize.core._precision import is_absent as is_absent
from optax_stepsize.core._precision import is_narrow as is_narrow
from optax_stepsize.core._precision import round_to as round_to
from optax_stepsize.core._precision import safe_divide as safe_divide
from optax_stepsize.core._precision import select as select
from optax_stepsize.core._precision import wide_dtype as wide_dtype
from optax_stepsize.core._precision import widen as widen
from optax_stepsize.core._precision import zeros as zeros
from optax_stepsize.core._reading import eval_params as eval_params
from optax_stepsize.core._reading import has_eval_params as has_eval_params
from optax_stepsize.core._reading import is_stuck as is_stuck
from optax_stepsize.core._reading import step_sizes as step_sizes
from optax_stepsize.core._reduce import AxisName as AxisName
from optax_stepsize.core._reduce import global_sums as global_sums
from optax_stepsize.core._reduce import inner_product as inner_product
from optax_stepsize.core._reduce import KeptAxes as KeptAxes
from optax_stepsize.core._reduce import leaf_abs as leaf_abs
from optax_stepsize.core._reduce import leaf_dots as leaf_dots
from optax_stepsize.core._reduce import leaf_squares as leaf_squares
from optax_stepsize.core._reduce import per_leaf_sums as per_leaf_sums
from optax_stepsize.core._reduce import squared_norm as squared_norm
from optax_stepsize.core._reduce import summed_axes as summed_axes
from optax_stepsize.core._sharding import placed_like as placed_like
from optax_stepsize.core._sharding import replicated as replicated
from optax_stepsize.core._sharding import state_sharding as state_sharding
from optax_stepsize.core._transformation import check_inputs as check_inputs
from optax_stepsize.core._transformation import check_leaves as check_leaves
from optax_stepsize.core._transformation import INPUTS as INPUTS
from optax_stepsize.core._transformation import transformation as transformation
