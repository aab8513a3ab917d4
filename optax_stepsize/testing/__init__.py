# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The conformance kit: `check` any Optax transformation against its contract."""

from optax_stepsize.testing._check import check
from optax_stepsize.testing._check import PROPERTIES
from optax_stepsize.testing._hlo import collectives_in
from optax_stepsize.testing._report import Report
