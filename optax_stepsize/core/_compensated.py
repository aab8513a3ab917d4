# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compensated updates: training in bfloat16 as if it were float32.

A first step of size 1e-6 added to a bfloat16 parameter is rounded away, the
parameter stays where it was, and a method that measures the distance travelled
sees none. `compensated` keeps what rounding took away, hands the method the sum
of parameter and residual in float32, and emits moves that the parameter can
hold. This is compensated (Kahan) summation over training steps.
"""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize.core import _hyperparameters
from optax_stepsize.core import _precision
from optax_stepsize.core import _transformation


def mask_like(tree: chex.ArrayTree, like: chex.ArrayTree) -> chex.ArrayTree:
  """`tree`, with `optax.MaskedNode` wherever `like` has one."""
  return jax.tree.map(
    lambda masked, t: masked if isinstance(masked, optax.MaskedNode) else t,
    like,
    tree,
    is_leaf=lambda node: isinstance(node, optax.MaskedNode),
  )


class CompensatedState(NamedTuple):
  """State of `compensated`.

  Attributes:
    residual: Like the parameters and in their dtype: exact parameter minus the
      rounded one, changed by every update. A leaf that is not narrower than
      float32 has none; a `()` False stands in for it.
    inner_state: State of the inner transformation.
  """

  residual: Any
  inner_state: Any

  def widen(self, params: optax.Params) -> optax.Params:
    """The parameters that the inner transformation works on."""
    return _widen(mask_like(params, self.residual), self.residual)


def _widen(params, residual):
  def add(p, r):
    if not _precision.is_narrow(p):
      return p
    return _precision.widen(p) + _precision.widen(r)

  return jax.tree.map(add, params, residual)


def compensated(
  tx: optax.GradientTransformation,
) -> optax.GradientTransformationExtraArgs:
  r"""Runs `tx` in float32 on parameters that are stored in fewer bits.

  With stored parameter :math:`p`, residual :math:`r` (zero at first) and the
  move :math:`u` that `tx` wants at :math:`p + r`,

  .. math::
    u' = \mathrm{round}(r + u), \quad p' = \mathrm{round}(p + u'), \quad
    r' = \mathrm{round}((p + r + u) - p'),

  where rounding is to the dtype of the parameter; :math:`u'` is returned and
  :math:`p'` is what `optax.apply_updates` makes of it. Leaves of float32 and
  float64 pass through unchanged.

  It must be outermost: :math:`r'` is right if the returned move is applied as
  it is. The ready-made distance optimizers apply it by themselves.

  Needs: params.
  State: 2 bytes per bfloat16 or float16 parameter, 0 per float32 parameter; the
  state of `tx` is that of float32 parameters.

  Args:
    tx: Any transformation whose updates are added to the parameters.

  Returns:
    The compensated transformation, with updates in the parameters' dtype.

  Example:
    Steps of 1e-3 are below the resolution of bfloat16 at 1, yet they add up:

    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> tx = optax_stepsize.compensated(optax.sgd(1e-3))
    >>> params = jnp.ones(3, jnp.bfloat16)
    >>> state = tx.init(params)
    >>> for _ in range(100):
    ...   updates, state = tx.update(jnp.ones_like(params), state, params)
    ...   params = optax.apply_updates(params, updates)
    >>> assert jnp.all(jnp.abs(params - 0.9) < 0.004)

  References:
    Kahan, Further remarks on reducing truncation errors, Communications of the
    ACM 8(1), 1965.
  """
  return _compensated("compensated", tx)


def _compensated(
  method: str, tx: optax.GradientTransformation
) -> optax.GradientTransformationExtraArgs:
  """`compensated(tx)`, whose errors name `method`."""
  inner = optax.with_extra_args_support(tx)

  def init(params):
    residual = jax.tree.map(
      lambda p: (
        jnp.zeros_like(p) if _precision.is_narrow(p) else _precision.absent()
      ),
      params,
    )
    # Copies, because the inner state may keep what it is given.
    wide = _precision.copies(_widen(params, residual), None)
    return CompensatedState(residual, inner.init(wide))

  def update(updates, state, params, **extra_args):
    wide = _widen(params, state.residual)
    updates, inner_state = inner.update(
      _precision.cast_like(updates, wide),
      state.inner_state,
      wide,
      **extra_args,
    )

    def emit(u, w, p):
      if not _precision.is_narrow(p):
        return u
      return _precision.round_to(
        w + _precision.widen(u) - _precision.widen(p), p.dtype
      )

    def remember(u, emitted, w, p, r):
      if not _precision.is_narrow(p):
        return r
      stored = _precision.round_to(_precision.widen(p) + emitted, p.dtype)
      return (w + _precision.widen(u) - stored).astype(r.dtype)

    emitted = jax.tree.map(emit, updates, wide, params)
    residual = jax.tree.map(
      remember, updates, emitted, wide, params, state.residual
    )
    return emitted, CompensatedState(residual, inner_state)

  return _transformation.transformation(method, init, update, needs=("params",))


def compensate_if(
  method: str,
  tx: optax.GradientTransformationExtraArgs,
  compensate: bool | None,
) -> optax.GradientTransformationExtraArgs:
  """`compensated(tx)` in the name of `method`, unless `compensate` is False.

  None and True are the same: leaves that need no residual get none anyway, and
  the structure of the state must not depend on dtypes.
  """
  _hyperparameters.check_choice(
    method, "compensate", compensate, (None, True, False)
  )
  unwanted = compensate is not None and not compensate
  return tx if unwanted else _compensated(method, tx)
