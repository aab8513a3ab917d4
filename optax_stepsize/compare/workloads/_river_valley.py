# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""A river that descends slowly between steep walls."""

import jax
import jax.numpy as jnp
import numpy as np

from optax_stepsize.compare.workloads import _base

_WALLS = 8
_LENGTH = 0.4
_SLOPE = 0.01
_END = 0.03
_BEND = 0.012
_NOISE = 0.005


def river_valley() -> _base.Workload:
  r"""A river that descends slowly between steep walls, in nine dimensions.

  Along the river goes x, across it :math:`y_1 \dots y_8`, and with
  :math:`\xi` standard normal, anew for every step,

  .. math::
    f_\xi(x, y) = 0.01 \Bigl(\sqrt{0.03^2 + (x - 0.4)^2} - 0.03\Bigr)
      + \tfrac12 \sum_{j=1}^8 c_j
        \bigl(y_j - 0.012 \sin((4 + 2 j)\, x) - 0.005\, \xi_j\bigr)^2

  with walls :math:`c_j` from 3 to 30, in equal ratios. The start is in the
  valley near x = 0. Progress is made along the river, whose slope is about a
  hundredth; the noise throws the point up and down the walls, the higher the
  larger the rate (Wen et al., arXiv 2410.05192). The evaluation loss is that
  without noise, whose least value, at the river's end x = 0.4, is zero. There
  is no accuracy.

  Returns:
    The workload.
  """
  walls = np.geomspace(3.0, 30.0, _WALLS).astype(np.float32)
  bends = (4.0 + 2.0 * np.arange(1, _WALLS + 1)).astype(np.float32)

  def bed(x):
    """Where the river is, at x."""
    return _BEND * jnp.sin(bends * x)

  def init_fn(key):
    x, y = jnp.split(_NOISE * jax.random.normal(key, (1 + _WALLS,)), [1])
    return {"x": x[0], "y": bed(x) + y}

  def loss_fn(params, moved):
    ahead = params["x"] - _LENGTH
    river = _SLOPE * (jnp.sqrt(_END**2 + ahead**2) - _END)
    across = params["y"] - bed(params["x"]) - moved
    return river + 0.5 * jnp.sum(walls * across**2)

  def batch_fn(key, step):
    return _NOISE * jax.random.normal(jax.random.fold_in(key, step), (_WALLS,))

  def eval_fn(params):
    return loss_fn(params, jnp.zeros(_WALLS)), jnp.nan

  return _base.Workload(
    name="river_valley",
    init_fn=init_fn,
    loss_fn=loss_fn,
    batch_fn=batch_fn,
    eval_fn=eval_fn,
    steps=400,
    target=0.0001,
    optimum=0.0,
    description="a slow river between walls of curvature 3 to 30, noise",
  )
