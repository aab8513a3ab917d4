# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Step sizes from the distance travelled and the norms of gradients."""

from optax_stepsize.distance._dog import dog as dog
from optax_stepsize.distance._dog import DoGState as DoGState
from optax_stepsize.distance._dog import ldog as ldog
from optax_stepsize.distance._dog import scale_by_dog as scale_by_dog
from optax_stepsize.distance._prodigy import prodigy as prodigy
from optax_stepsize.distance._prodigy import ProdigyState as ProdigyState
