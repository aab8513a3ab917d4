# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What one update costs: memory, traffic, collectives, from the compiler.

Nothing is run or allocated, so that one machine can count for others. The
command line of this is `optax-stepsize cost`.
"""

from optax_stepsize.cost._measure import Collective as Collective
from optax_stepsize.cost._measure import Cost as Cost
from optax_stepsize.cost._measure import measure as measure
from optax_stepsize.cost._methods import counterpart as counterpart
from optax_stepsize.cost._methods import find as find
from optax_stepsize.cost._methods import Method as Method
from optax_stepsize.cost._report import LEGEND as LEGEND
from optax_stepsize.cost._report import markdown as markdown
from optax_stepsize.cost._report import show as show
from optax_stepsize.cost._report import text as text
from optax_stepsize.cost._targets import get_target as get_target
from optax_stepsize.cost._targets import (
  MissingCompilerError as MissingCompilerError,
)
from optax_stepsize.cost._targets import Target as Target
from optax_stepsize.cost._targets import TARGETS as TARGETS
from optax_stepsize.cost._traffic import bytes_accessed as bytes_accessed
from optax_stepsize.cost._tree import fully_sharded as fully_sharded
from optax_stepsize.cost._tree import gpt_params as gpt_params
