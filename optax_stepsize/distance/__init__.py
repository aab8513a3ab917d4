# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Step sizes from the distance travelled and the norms of gradients."""

from optax_stepsize.distance._d_adaptation import (
  DAdaptationState as DAdaptationState,
)
from optax_stepsize.distance._d_adaptation_adam import (
  dadapt_adam as dadapt_adam,
)
from optax_stepsize.distance._d_adaptation_adam import (
  dadapt_adamw as dadapt_adamw,
)
from optax_stepsize.distance._d_adaptation_adan import (
  dadapt_adan as dadapt_adan,
)
from optax_stepsize.distance._d_adaptation_lion import (
  dadapt_lion as dadapt_lion,
)
from optax_stepsize.distance._d_adaptation_sgd import (
  dadapt_adagrad as dadapt_adagrad,
)
from optax_stepsize.distance._d_adaptation_sgd import dadapt_sgd as dadapt_sgd
from optax_stepsize.distance._dog import dog as dog
from optax_stepsize.distance._dog import DoGState as DoGState
from optax_stepsize.distance._dog import ldog as ldog
from optax_stepsize.distance._dog import scale_by_dog as scale_by_dog
from optax_stepsize.distance._prodigy import prodigy as prodigy
from optax_stepsize.distance._prodigy import ProdigyState as ProdigyState
