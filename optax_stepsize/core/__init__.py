# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What every method stands on; imports nothing else of this library."""

from optax_stepsize.core._accumulate import accumulate
from optax_stepsize.core._accumulate import AccumulateState
from optax_stepsize.core._compensated import compensate_if
from optax_stepsize.core._compensated import compensated
from optax_stepsize.core._compensated import CompensatedState
from optax_stepsize.core._compensated import mask_like
from optax_stepsize.core._decay import add_decayed_weights
from optax_stepsize.core._decay import decayed
from optax_stepsize.core._decay import Mask
from optax_stepsize.core._hyperparameters import as_scalar
from optax_stepsize.core._hyperparameters import check_choice
from optax_stepsize.core._hyperparameters import check_count
from optax_stepsize.core._hyperparameters import check_range
from optax_stepsize.core._hyperparameters import rate_at
from optax_stepsize.core._hyperparameters import ScalarOrSchedule
from optax_stepsize.core._precision import absent
from optax_stepsize.core._precision import accumulator_dtype
from optax_stepsize.core._precision import cast_like
from optax_stepsize.core._precision import copies
from optax_stepsize.core._precision import enable_x64
from optax_stepsize.core._precision import is_absent
from optax_stepsize.core._precision import is_narrow
from optax_stepsize.core._precision import safe_divide
from optax_stepsize.core._precision import select
from optax_stepsize.core._precision import wide_dtype
from optax_stepsize.core._precision import widen
from optax_stepsize.core._precision import zeros
from optax_stepsize.core._reading import eval_params
from optax_stepsize.core._reading import has_eval_params
from optax_stepsize.core._reading import step_sizes
from optax_stepsize.core._reduce import AxisName
from optax_stepsize.core._reduce import global_sums
from optax_stepsize.core._reduce import inner_product
from optax_stepsize.core._reduce import KeptAxes
from optax_stepsize.core._reduce import leaf_abs
from optax_stepsize.core._reduce import leaf_dots
from optax_stepsize.core._reduce import leaf_squares
from optax_stepsize.core._reduce import per_leaf_sums
from optax_stepsize.core._reduce import squared_norm
from optax_stepsize.core._sharding import state_sharding
from optax_stepsize.core._transformation import check_inputs
from optax_stepsize.core._transformation import check_leaves
from optax_stepsize.core._transformation import INPUTS
from optax_stepsize.core._transformation import transformation
