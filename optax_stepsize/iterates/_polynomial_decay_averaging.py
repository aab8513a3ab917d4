# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Polynomial-decay averaging: the point at which DoG is evaluated.

Computed from past points. Needs the parameters.
"""

import dataclasses
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize import core


class PolynomialDecayAveragingState(NamedTuple):
  """State of `polynomial_decay_averaging`; holds the evaluation point.

  Attributes:
    count: `()` int32: points averaged; grows by one per update.
    average: Like the parameters, in the accumulator dtype; the initial
      parameters before the first update.
  """

  count: jax.Array  # type: ignore[assignment]
  average: Any

  def eval_params(self, params: optax.Params) -> optax.Params:
    """The average, in the dtypes of `params`."""
    return core.cast_like(self.average, core.mask_like(params, self.average))


@dataclasses.dataclass(frozen=True)
class PolynomialDecayAverage:
  r"""Running average of any tree, such as Flax `batch_stats`.

  The t-th point (t = 1, 2, ...) enters with weight

  .. math::
    a_t = \frac{\gamma + 1}{\gamma + t}, \qquad
    \bar x \leftarrow (1 - a_t)\, \bar x + a_t x_t.

  The first one is copied. Leaves that are not floating are copied each time.

  Attributes:
    gamma: Zero is the plain mean; larger values favour recent points; >= 0.
    accumulator_dtype: Dtype of the average; by default float32, and float64 for
      float64 leaves.

  Example:
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> average = optax_stepsize.PolynomialDecayAverage(gamma=8.0)
    >>> state = average.init({"mean": jnp.zeros(())})
    >>> for point in [1.0, 2.0, 3.0, 4.0]:
    ...   state = average.update(state, {"mean": jnp.asarray(point)})
    >>> assert jnp.allclose(average.value(state)["mean"], 3.7)
  """

  gamma: chex.Numeric = 8.0
  accumulator_dtype: Any | None = None

  def __post_init__(self):
    method = "polynomial_decay_averaging"
    core.check_range(method, "gamma", self.gamma, "[0, inf)")
    core.check_dtype(method, "accumulator_dtype", self.accumulator_dtype)

  def init(self, tree: chex.ArrayTree) -> PolynomialDecayAveragingState:
    """The state before any point, with a copy of `tree` in place of a mean."""

    def copy(x):
      dtype = x.dtype
      if jnp.issubdtype(dtype, jnp.floating):
        dtype = self.accumulator_dtype or core.wide_dtype(dtype)
      return jnp.array(x, dtype=dtype, copy=True)

    return PolynomialDecayAveragingState(
      jnp.zeros((), jnp.int32), jax.tree.map(copy, tree)
    )

  def update(
    self, state: PolynomialDecayAveragingState, tree: chex.ArrayTree
  ) -> PolynomialDecayAveragingState:
    """The state after the point `tree`."""
    count = optax.safe_increment(state.count)

    def mix(average, x):
      if not jnp.issubdtype(average.dtype, jnp.floating):
        return x.astype(average.dtype)
      dtype = core.wide_dtype(average.dtype)
      gamma = core.as_scalar(self.gamma, dtype)
      weight = (gamma + 1) / (gamma + count.astype(dtype))
      mixed = (1 - weight) * average.astype(dtype) + weight * x.astype(dtype)
      return mixed.astype(average.dtype)

    return PolynomialDecayAveragingState(
      count, jax.tree.map(mix, state.average, tree)
    )

  def value(self, state: PolynomialDecayAveragingState) -> chex.ArrayTree:
    """The average, in the accumulator dtype."""
    return state.average


def polynomial_decay_averaging(
  gamma: chex.Numeric = 8.0, *, accumulator_dtype: Any | None = None
) -> optax.GradientTransformationExtraArgs:
  r"""Averages the parameters with polynomially decaying memory.

  Put it last in a chain: it averages `params + updates`, as
  `optax.apply_updates` rounds them, and returns the updates unchanged. Read the
  average with `eval_params`; average batch statistics, which are not
  parameters, with `PolynomialDecayAverage` of the same `gamma`.

  Needs: params.
  State: 4 bytes per parameter.

  Args:
    gamma: Zero is the plain mean; larger values favour recent points; >= 0.
    accumulator_dtype: Dtype of the average; by default float32, and float64 for
      float64 parameters.

  Returns:
    A transformation that leaves updates as they are.

  Raises:
    ValueError: If `gamma` is negative, `params` are not given to `update`, or a
      leaf is not floating.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> target = jnp.array([1.0, -2.0])
    >>> loss = lambda p: 0.5 * jnp.sum((p - target) ** 2)
    >>> tx = optax.chain(
    ...     optax_stepsize.dog(), optax_stepsize.polynomial_decay_averaging()
    ... )
    >>> params = jnp.zeros(2)
    >>> state = tx.init(params)
    >>> @jax.jit
    ... def step(params, state):
    ...   updates, state = tx.update(jax.grad(loss)(params), state, params)
    ...   return optax.apply_updates(params, updates), state
    >>> for _ in range(200):
    ...   params, state = step(params, state)
    >>> averaged = optax_stepsize.eval_params(state, params)
    >>> assert jnp.max(jnp.abs(averaged - target)) < 0.05

  References:
    Shamir and Zhang, Stochastic Gradient Descent for Non-smooth Optimization,
    ICML 2013, arXiv 1212.1824; used by Ivgi, Hinder and Carmon, arXiv
    2302.12022.
  """
  average = PolynomialDecayAverage(gamma, accumulator_dtype)

  def update(updates, state, params, **extra_args):
    del extra_args

    # A cast to the parameters' dtype alone may be left out by XLA, as this sum
    # is widened right after.
    def move(p, u):
      if not core.is_narrow(p):
        return p + u.astype(p.dtype)
      u = core.round_to(core.widen(u), p.dtype)
      return core.round_to(core.widen(p) + u, p.dtype)

    moved = jax.tree.map(move, params, updates)
    return updates, average.update(state, moved)

  return core.transformation(
    "polynomial_decay_averaging", average.init, update, needs=("params",)
  )
