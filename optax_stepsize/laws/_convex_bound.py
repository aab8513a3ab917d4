# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The last-iterate bound of convex optimization, as a planner of schedules.

Computed from the rates of all steps and a level of gradient norms.
"""

import functools
from typing import NamedTuple, TypeAlias

import chex
import jax
from jax import lax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core

# One rate for each step, or a function from the step count to it.
Rates: TypeAlias = chex.Array | optax.Schedule

# Of the paper (steps t = 1..T):
#   eta_t    rate of step t              D   `distance`, |x_1 - x*|
#   gamma    base rate of a shape        G_t `gradient_norm`
#   Omega_T  the bound = T1 + T2 + T3
#   H_k = sum of eta_t over t >= k       Q_k = sum of (eta_t G_t)^2 over t >= k
#   T1 = D^2 / (2 H_1)    T2 = Q_1 / (2 H_1)
#   T3 = 1/2 sum over k < T of eta_k Q_k / (H_{k+1} H_k)


class BoundTerms(NamedTuple):
  """The last-iterate bound in its three parts, each a `()` array.

  Attributes:
    distance: Of the way to the minimum: falls as rates grow.
    noise: Of the mean of all points: grows with the rates.
    last_iterate: What the last point has more than the mean: grows with the
      rates, and is what a decay lowers.
  """

  distance: jax.Array
  noise: jax.Array
  last_iterate: jax.Array

  @property
  def total(self) -> jax.Array:
    """Their sum, the bound."""
    return self.distance + self.noise + self.last_iterate


class OptimalBaseLr(NamedTuple):
  """The best multiple of a shape.

  Attributes:
    base_lr: `()`: what to multiply the shape with.
    bound: `()`: the last-iterate bound of the product.
  """

  base_lr: jax.Array
  bound: jax.Array


def _checked_rates(
  method: str, name: str, rates: Rates, total_steps: int | None
) -> jax.Array:
  """The rates of all steps; values are checked where they are concrete."""
  if callable(rates):
    core.check_count(method, "total_steps", total_steps, 1)
    rates = jax.vmap(rates)(jnp.arange(total_steps))
  if isinstance(rates, (list, tuple)):
    rates = np.asarray(rates)
  rates = jnp.asarray(rates).astype(jnp.result_type(float))
  if rates.ndim != 1 or not rates.size:
    raise ValueError(
      f"{method}: {name} must be a schedule or have one axis, that of the"
      f" steps, got shape {rates.shape}."
    )
  if total_steps is not None:
    core.check_count(method, "total_steps", total_steps, 1)
    if total_steps > len(rates):
      raise ValueError(
        f"{method}: total_steps must be at most {len(rates)}, the length of"
        f" {name}, got {total_steps}."
      )
    rates = rates[:total_steps]
  if not isinstance(rates, jax.core.Tracer):
    values = np.asarray(rates)
    wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if wrong.size:
      raise ValueError(
        f"{method}: {name} must be finite and >= 0, got {values[wrong[0]]} at"
        f" step {wrong[0]}."
      )
  return rates


def _check_end(method: str, name: str, rates: jax.Array) -> None:
  """Raises ValueError for a run that ends in steps of rate zero."""
  if isinstance(rates, jax.core.Tracer):
    return
  positive = np.flatnonzero(np.asarray(rates))
  if positive.size and positive[-1] + 1 < len(rates):
    raise ValueError(
      f"{method}: {name} must not end in zero, because the last rate weighs the"
      " last point, got zeros from step"
      f" {positive[-1] + 1} on. Fix: total_steps={positive[-1] + 1}."
    )


def _checked_norms(
  method: str, gradient_norm: chex.Numeric, steps: int
) -> jax.Array:
  """The gradient norms of all steps, `()` or `(steps,)`."""
  core.check_range(method, "gradient_norm", gradient_norm, "[0, inf)")
  if isinstance(gradient_norm, (list, tuple)):
    gradient_norm = np.asarray(gradient_norm)
  norms = jnp.asarray(gradient_norm).astype(jnp.result_type(float))
  if norms.ndim > 1 or (norms.ndim == 1 and len(norms) < steps):
    raise ValueError(
      f"{method}: gradient_norm must be a number or have one entry for each of"
      f" the {steps} steps, got shape {norms.shape}."
    )
  return norms[:steps] if norms.ndim else norms


def _to_the_end(x: jax.Array) -> jax.Array:
  """Sums of `(M, T)` from each place to the end, along its last axis.

  As a tree: the rounding error grows with the logarithm of the length, and in
  float32 a million steps keep six digits. The total less the sum up to a place
  would lose all of them near the end.
  """
  return lax.associative_scan(jnp.add, x, reverse=True, axis=1)


@jax.jit
def _terms(
  rates: jax.Array,
  norms: jax.Array,
  distance: jax.Array,
  steps: jax.Array,
) -> BoundTerms:
  """The bound after so many of the steps."""
  place = jnp.arange(len(rates))
  rates = jnp.where(place < steps, rates, 0)
  # All is homogeneous in rates and norms: squares of their ratios to the
  # largest do not overflow, and those that vanish do not matter.
  scale, level = (
    lax.stop_gradient(jnp.where(x > 0, x, 1))
    for x in (jnp.max(rates), jnp.max(norms))
  )
  h = rates / scale
  squares = jnp.square(h * (norms / level))
  sums, squares = _to_the_end(jnp.stack([h, squares]))
  means = core.safe_divide(squares, sums)
  # The sum beyond a step is zero at the last one, which has no term, and where
  # the rates end in zeros: then no weight is left for the last point.
  parts = jnp.where(place < steps - 1, h * means, 0)
  beyond = jnp.append(sums[1:], jnp.zeros((), sums.dtype))
  parts = core.safe_divide(parts, beyond, jnp.where(parts > 0, jnp.inf, 0.0))
  per_square = 0.5 * scale * level
  return BoundTerms(
    core.safe_divide(0.5 * distance / scale * distance, sums[0], jnp.inf),
    means[0] * per_square * level,
    jnp.sum(parts) * per_square * level,
  )


def _whole(
  rates: jax.Array, norms: jax.Array, distance: chex.Numeric
) -> BoundTerms:
  distance = core.as_scalar(distance, rates.dtype)
  return _terms(rates, norms, distance, jnp.asarray(len(rates)))


def _bound_terms(method, rates, total_steps, distance, gradient_norm):
  core.check_range(method, "distance", distance, "[0, inf)")
  rates = _checked_rates(method, "rates", rates, total_steps)
  _check_end(method, "rates", rates)
  norms = _checked_norms(method, gradient_norm, len(rates))
  return _whole(rates, norms, distance)


def bound_terms(
  rates: Rates,
  *,
  total_steps: int | None = None,
  distance: chex.Numeric = 1.0,
  gradient_norm: chex.Numeric = 1.0,
) -> BoundTerms:
  """The three parts of `last_iterate_bound`, which has the same arguments.

  Args:
    rates: Rates of the steps, or a schedule.
    total_steps: Steps that count. Static.
    distance: From the start to the minimum, >= 0.
    gradient_norm: A number or an array, >= 0.

  Returns:
    The parts; `total` is their sum.

  Raises:
    ValueError: As `last_iterate_bound`.

  Example:
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> terms = optax_stepsize.bound_terms(jnp.full(4, 0.5))
    >>> [round(float(term), 4) for term in terms]
    [0.25, 0.25, 0.4583]

  References:
    Schaipp et al., arXiv 2501.18965.
  """
  return _bound_terms(
    "bound_terms", rates, total_steps, distance, gradient_norm
  )


def last_iterate_bound(
  rates: Rates,
  *,
  total_steps: int | None = None,
  distance: chex.Numeric = 1.0,
  gradient_norm: chex.Numeric = 1.0,
) -> jax.Array:
  r"""What the last point of gradient descent can be off, in convex problems.

  Steps :math:`x_{t+1} = x_t - \eta_t g_t` with :math:`E |g_t|^2 \leq G_t^2`,
  from a distance D to the minimum, end in

  .. math::
    E f(x_T) - f^* \leq \frac{D^2 + Q_1}{2 H_1} +
    \frac12 \sum_{k < T} \frac{\eta_k Q_k}{H_{k+1} H_k}, \qquad
    H_k = \sum_{t \geq k} \eta_t, \quad
    Q_k = \sum_{t \geq k} \eta_t^2 G_t^2,

  though deep networks are not convex, losses of their training order schedules
  and base rates much as this bound does. It takes no notice of the reason for a
  warm-up: give the rates after it. It is differentiable in the rates, and takes
  time and memory in proportion to the steps.

  Args:
    rates: Rates of the steps, `(T,)` and >= 0, or a schedule. The last one must
      be positive: of a decay to zero leave out the zero.
    total_steps: Steps that count, the first ones of `rates`; by default all.
      Needed with a schedule. Static.
    distance: From the start to the minimum, >= 0.
    gradient_norm: Bound of the norm of gradients, >= 0: a number, or an array
      with an entry for each step.

  Returns:
    `()`, float32, or float64 under `jax_enable_x64`. Infinite if no rate is
    positive, or if traced rates end in zero.

  Raises:
    ValueError: If an argument is out of its range, or rates of which one is
      positive end in zero.

  Example:
    >>> import optax
    >>> import optax_stepsize
    >>> for schedule in (
    ...     optax.constant_schedule(0.05), optax.linear_schedule(0.1, 0.0, 100)
    ... ):
    ...   bound = optax_stepsize.last_iterate_bound(schedule, total_steps=100)
    ...   print(round(float(bound), 4))
    0.2544
    0.2037

  References:
    Schaipp, Hägele, Taylor, Simsekli and Bach, The Surprising Agreement Between
    Convex Optimization Theory and Learning-Rate Scheduling for Large Model
    Training, ICML 2025, arXiv 2501.18965; BibTeX by
    `optax_stepsize.cite("last_iterate_bound")`.
  """
  return _bound_terms(
    "last_iterate_bound", rates, total_steps, distance, gradient_norm
  ).total


def bound_curve(
  rates: Rates,
  steps: chex.Array | None = None,
  *,
  total_steps: int | None = None,
  distance: chex.Numeric = 1.0,
  gradient_norm: chex.Numeric = 1.0,
) -> jax.Array:
  """The last-iterate bound all along a run, whose shape is that of its loss.

  Every point costs as much as `last_iterate_bound` of the whole run: of a long
  run ask for some hundred.

  Args:
    rates: Rates of the steps, `(T,)` and >= 0, or a schedule.
    steps: Numbers of steps, `(N,)` integers from 1 to T, after which the bound
      is wanted; by default 1, 2, ..., T.
    total_steps: Steps that count, the first ones of `rates`; by default all.
      Needed with a schedule. Static.
    distance: From the start to the minimum, >= 0.
    gradient_norm: Bound of the norm of gradients, >= 0: a number, or an array
      with an entry for each step.

  Returns:
    `(N,)`; infinite after a step whose rate is zero.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax
    >>> import optax_stepsize
    >>> schedule = optax_stepsize.wsd_schedule(
    ...     0.05, 100, decay_fraction=0.2, shape="linear", end_value=0.0
    ... )
    >>> curve = optax_stepsize.bound_curve(
    ...     schedule, [50, 80, 100], total_steps=100
    ... )
    >>> [round(float(bound), 3) for bound in curve]
    [0.337, 0.274, 0.223]

  References:
    Schaipp et al., arXiv 2501.18965.
  """
  method = "bound_curve"
  core.check_range(method, "distance", distance, "[0, inf)")
  rates = _checked_rates(method, "rates", rates, total_steps)
  norms = _checked_norms(method, gradient_norm, len(rates))
  if steps is None:
    steps = jnp.arange(1, len(rates) + 1)
  elif isinstance(steps, (list, tuple)):
    steps = np.asarray(steps)
  if jnp.ndim(steps) != 1 or not jnp.issubdtype(steps.dtype, jnp.integer):
    raise ValueError(
      f"{method}: steps must be integers with one axis, got {steps!r}."
    )
  core.check_range(method, "steps", steps, f"[1, {len(rates)}]")
  after = functools.partial(
    _terms, rates, norms, core.as_scalar(distance, rates.dtype)
  )
  return lax.map(lambda step: after(step).total, jnp.asarray(steps))


def _optimal(
  method: str,
  name: str,
  shape: Rates,
  total_steps: int | None,
  distance: chex.Numeric = 1.0,
  gradient_norm: chex.Numeric = 1.0,
) -> OptimalBaseLr:
  core.check_range(method, "distance", distance, "(0, inf)")
  rates = _checked_rates(method, name, shape, total_steps)
  _check_end(method, name, rates)
  norms = _checked_norms(method, gradient_norm, len(rates))
  for argument, values in ((name, rates), ("gradient_norm", norms)):
    if not isinstance(values, jax.core.Tracer) and not np.any(values):
      raise ValueError(
        f"{method}: {argument} must be positive somewhere, got only zeros: then"
        " no base rate is the best."
      )
  falling, *growing = _whole(rates, norms, distance)
  # Least of falling / gamma + growing * gamma.
  root, other = jnp.sqrt(falling), jnp.sqrt(growing[0] + growing[1])
  return OptimalBaseLr(root / other, 2 * root * other)


def optimal_base_lr(
  shape: Rates,
  *,
  total_steps: int | None = None,
  distance: chex.Numeric = 1.0,
  gradient_norm: chex.Numeric = 1.0,
) -> OptimalBaseLr:
  r"""The base rate for which the last-iterate bound of a shape is least.

  Of the rates :math:`\gamma h_t` the bound is :math:`a / \gamma + b \gamma`, so
  that :math:`\gamma^* = \sqrt{a / b}` and the bound is :math:`2 \sqrt{a b}`.
  The unknown distance and gradient norm scale all base rates alike; see
  `transfer_base_lr`.

  Args:
    shape: Rates of the steps but for a factor, `(T,)` and >= 0, or a schedule.
      The last one must be positive: of a decay to zero leave out the zero.
    total_steps: Steps that count, the first ones of `shape`; by default all.
      Needed with a schedule. Static.
    distance: From the start to the minimum, > 0.
    gradient_norm: Bound of the norm of gradients, >= 0: a number, or an array
      with an entry for each step, of which one is positive.

  Returns:
    The base rate and the bound.

  Raises:
    ValueError: If an argument is out of its range, or the shape ends in zero.

  Example:
    >>> import optax
    >>> import optax_stepsize
    >>> shape = optax.linear_schedule(1.0, 0.0, 100)
    >>> best = optax_stepsize.optimal_base_lr(shape, total_steps=100)
    >>> round(float(best.base_lr), 5), round(float(best.bound), 5)
    (0.09726, 0.20361)

  References:
    Schaipp et al., arXiv 2501.18965.
  """
  return _optimal(
    "optimal_base_lr", "shape", shape, total_steps, distance, gradient_norm
  )


def transfer_base_lr(
  learning_rate: chex.Numeric,
  from_shape: Rates,
  to_shape: Rates,
  *,
  from_steps: int | None = None,
  to_steps: int | None = None,
) -> jax.Array:
  """A base rate tuned for one shape, carried to another shape or length.

  It moves as `optimal_base_lr` does; distance and gradient norm cancel.

  Args:
    learning_rate: The best base rate of `from_shape`, > 0.
    from_shape: Rates but for that factor, or a schedule.
    to_shape: The same of the new run.
    from_steps: Steps of `from_shape` that count; needed with a schedule.
      Static.
    to_steps: Steps of `to_shape` that count; needed with a schedule. Static.

  Returns:
    `()`: the base rate for `to_shape`.

  Raises:
    ValueError: If an argument is out of its range, or a shape ends in zero.

  Example:
    >>> import optax
    >>> import optax_stepsize
    >>> rate = optax_stepsize.transfer_base_lr(
    ...     1e-3,
    ...     optax.linear_schedule(1.0, 0.0, 1000),
    ...     optax.linear_schedule(1.0, 0.0, 4000),
    ...     from_steps=1000,
    ...     to_steps=4000,
    ... )
    >>> round(float(rate), 6)
    0.000501

  References:
    Schaipp et al., arXiv 2501.18965.
  """
  method = "transfer_base_lr"
  core.check_range(method, "learning_rate", learning_rate, "(0, inf)")
  old = _optimal(method, "from_shape", from_shape, from_steps).base_lr
  new = _optimal(method, "to_shape", to_shape, to_steps).base_lr
  return core.as_scalar(learning_rate, new.dtype) * (new / old)
