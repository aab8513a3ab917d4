# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""An ill-conditioned quadratic with noise in its gradients."""

import jax
import jax.numpy as jnp
import numpy as np

from optax_stepsize.compare.workloads import _base

_SIZE = 64
_NOISE = 0.05


def noisy_quadratic() -> _base.Workload:
  r"""A quadratic of which every batch sees another one, moved at random.

  With 64 curvatures :math:`h_i = 1 / i`, a minimum :math:`x^*` away from the
  origin and :math:`\xi` standard normal, anew for every step,

  .. math::
    f(x) = \tfrac12 \sum_i h_i (x_i - x^*_i)^2, \qquad
    f_\xi(x) = \tfrac12 \sum_i h_i
      \bigl(x_i - x^*_i - 0.05\, \xi_i / \sqrt{h_i}\bigr)^2,

  so that gradients have the covariance :math:`0.05^2\, \mathrm{diag}(h)`, as in
  the model of Zhang et al. (arXiv 1907.04164). The evaluation loss is f itself,
  whose least value is zero. There is no accuracy.

  Returns:
    The workload.
  """
  curvatures = (1 / np.arange(1, _SIZE + 1)).astype(np.float32)
  optimum = np.where(np.arange(_SIZE) % 2, -0.5, 0.5).astype(np.float32)
  noise = (_NOISE / np.sqrt(curvatures)).astype(np.float32)

  def init_fn(key):
    return {"x": 0.1 * jax.random.normal(key, (_SIZE,))}

  def loss_fn(params, moved):
    return 0.5 * jnp.sum(curvatures * (params["x"] - optimum - moved) ** 2)

  def batch_fn(key, step):
    return noise * jax.random.normal(jax.random.fold_in(key, step), (_SIZE,))

  def eval_fn(params):
    return loss_fn(params, jnp.zeros(_SIZE)), jnp.nan

  return _base.Workload(
    name="noisy_quadratic",
    init_fn=init_fn,
    loss_fn=loss_fn,
    batch_fn=batch_fn,
    eval_fn=eval_fn,
    steps=300,
    target=0.0068,
    optimum=0.0,
    description="64 curvatures from 1 to 1/64, noise in the gradients",
  )
