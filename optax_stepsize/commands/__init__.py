# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The commands of `optax-stepsize`, one file each."""

from optax_stepsize.commands import _compare
from optax_stepsize.commands import _cost
from optax_stepsize.commands import _list
from optax_stepsize.commands import _plan
from optax_stepsize.commands import _probe
from optax_stepsize.commands import _show
from optax_stepsize.commands._common import INTERRUPTED as INTERRUPTED
from optax_stepsize.commands._common import UsageError as UsageError

# Each adds its commands, in the order of the help text.
ADD = (_list.add, _show.add, _compare.add, _plan.add, _probe.add, _cost.add)
