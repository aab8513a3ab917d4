# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The conformance kit: `check` puts any transformation to its contract."""

from optax_stepsize.testing._check import check as check
from optax_stepsize.testing._check import PROPERTIES as PROPERTIES
from optax_stepsize.testing._hlo import collectives_in as collectives_in
from optax_stepsize.testing._report import Report as Report
