# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Laws: fit what short runs show, predict and plan longer ones."""

from optax_stepsize.laws._curve import Curve as Curve
from optax_stepsize.laws._fit import FitResult as FitResult
from optax_stepsize.laws._fit import Metrics as Metrics
from optax_stepsize.laws._fit import metrics as metrics
from optax_stepsize.laws._fit import robust_fit as robust_fit
from optax_stepsize.laws._law import Law as Law
