# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Step sizes from the loss value."""

from optax_stepsize.polyak._hutchinson import (
  hutchinson_diagonal as hutchinson_diagonal,
)
from optax_stepsize.polyak._hutchinson import make_hvp_fn as make_hvp_fn
from optax_stepsize.polyak._momentum_polyak import (
  polyak_heavy_ball as polyak_heavy_ball,
)
from optax_stepsize.polyak._momentum_polyak import (
  polyak_moving_gradient as polyak_moving_gradient,
)
from optax_stepsize.polyak._momentum_polyak import (
  PolyakHeavyBallState as PolyakHeavyBallState,
)
from optax_stepsize.polyak._momentum_polyak import (
  PolyakMovingGradientState as PolyakMovingGradientState,
)
from optax_stepsize.polyak._momo import momo as momo
from optax_stepsize.polyak._momo import momo_adam as momo_adam
from optax_stepsize.polyak._momo import MomoState as MomoState
from optax_stepsize.polyak._policy_gradient import (
  entropy_regularised_return as entropy_regularised_return,
)
from optax_stepsize.polyak._policy_gradient import (
  gpomdp_surrogate as gpomdp_surrogate,
)
from optax_stepsize.polyak._policy_polyak import policy_polyak as policy_polyak
from optax_stepsize.polyak._policy_polyak import (
  PolicyPolyakState as PolicyPolyakState,
)
from optax_stepsize.polyak._policy_polyak import (
  scale_by_policy_polyak as scale_by_policy_polyak,
)
from optax_stepsize.polyak._policy_polyak import twin_polyak as twin_polyak
from optax_stepsize.polyak._policy_polyak import (
  TwinPolyakState as TwinPolyakState,
)
from optax_stepsize.polyak._preconditioned_polyak import psps as psps
from optax_stepsize.polyak._preconditioned_polyak import PSPSState as PSPSState
from optax_stepsize.polyak._smb import smb as smb
from optax_stepsize.polyak._smb import SmbAutoSchedule as SmbAutoSchedule
from optax_stepsize.polyak._smb import SmbState as SmbState
from optax_stepsize.polyak._sps import scale_by_sps as scale_by_sps
from optax_stepsize.polyak._sps import sps as sps
from optax_stepsize.polyak._sps import SPSState as SPSState
