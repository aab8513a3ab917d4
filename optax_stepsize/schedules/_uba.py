# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""UBA: the unified budget-aware schedule.

Computed from the step count, the budget and one number for the shape.
"""

from collections.abc import Sequence
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core
from optax_stepsize.schedules import _phases
from optax_stepsize.schedules import _profiles
from optax_stepsize.schedules import _steps


def uba_mean_factor(phi: chex.Numeric) -> chex.Numeric:
  r"""Mean of the UBA factor over the budget, :math:`1 / (1 + \sqrt{\phi / 2})`.

  Args:
    phi: Shape, > 0, see `uba_schedule`.

  Returns:
    A number in (0, 1); an array if `phi` is one.

  Raises:
    ValueError: If `phi` is not positive.

  Example:
    >>> import optax_stepsize
    >>> optax_stepsize.uba_mean_factor(2.0)
    0.5
  """
  core.check_range("uba_mean_factor", "phi", phi, "(0, inf)")
  if isinstance(phi, (jax.Array, np.ndarray)):
    return 1 / (1 + jnp.sqrt(jnp.asarray(phi) / 2))
  return 1 / (1 + math.sqrt(phi / 2))


def uba_phi_from_condition_number(
  kappa: chex.Numeric,
  *,
  minimum: chex.Numeric = 0.25,
  maximum: chex.Numeric = 10.0,
) -> chex.Numeric:
  r"""The shape for a condition number: :math:`2 \kappa`, clipped.

  The tie is exact where the peak is 1 / smallest and the end 1 / largest
  curvature (`minimax_schedule`). For a free peak it is a guide, and in deep
  networks the clip is what acts. With an adaptive optimizer give the condition
  number of the preconditioned Hessian.

  Args:
    kappa: Condition number, >= 1.
    minimum: Smallest shape, > 0.
    maximum: Largest shape, > 0.

  Returns:
    A number for `phi`; an array if an argument is one.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> optax_stepsize.uba_phi_from_condition_number(3.0)
    6.0
  """
  name = "uba_phi_from_condition_number"
  core.check_range(name, "kappa", kappa, "[1, inf)")
  core.check_range(name, "minimum", minimum, "(0, inf)")
  core.check_range(name, "maximum", maximum, "(0, inf)")
  given = (kappa, minimum, maximum)
  if any(isinstance(x, (jax.Array, np.ndarray)) for x in given):
    return jnp.clip(2 * jnp.asarray(kappa), minimum, maximum)
  return min(max(2 * kappa, minimum), maximum)


def uba_schedule(
  peak_value: _phases.PerPhase,
  total_steps: int,
  phi: _phases.PerPhase,
  *,
  end_value: _phases.PerPhase = 0.0,
  warmup_steps: int = 0,
  init_value: chex.Numeric = 0.0,
  num_phases: int = 1,
  phase_boundaries: Sequence[int] | None = None,
  grid: str = "midpoint",
) -> optax.Schedule:
  r"""UBA: one number shapes the decay over a given budget.

  Step n of the N steps after warm-up has the rate

  .. math::
    \eta = \eta_\mathrm{end} + (\eta_\mathrm{peak} - \eta_\mathrm{end})\,
    \frac{2 (1 + \cos\theta)}{2\phi + (2 - \phi)(1 + \cos\theta)}, \qquad
    \theta = \pi\, \frac{2 n + 1}{2 N},

  with :math:`\theta = \pi n / N` for `grid="endpoint"`. Small `phi` holds the
  rate and drops it late, 2 is cosine, large `phi` drops it early. Try 0.25,
  0.5, 1, 2, 5 and 10 on a short budget: long budgets and noise ask for larger
  ones. Mean rates are given by `uba_mean_factor`. The rate of step
  `total_steps` and later is `end_value`.

  Args:
    peak_value: Rate after warm-up, >= `end_value`. Here and below, a sequence
      has one entry per phase.
    total_steps: Budget, warm-up included; greater than `warmup_steps`. Static.
    phi: Shape, > 0. There is no default, since 2 would silently be cosine.
    end_value: Rate that decay ends at, >= 0.
    warmup_steps: Steps of a linear rise from `init_value` to the first peak.
      Static.
    init_value: Rate of step 0 with a warm-up, >= 0.
    num_phases: Number of phases of equal length after warm-up, each of which
      restarts from its peak. Static.
    phase_boundaries: Steps after warm-up at which new phases begin; overrides
      `num_phases`. Static.
    grid: "midpoint" places rates at the Chebyshev nodes, which are optimal for
      quadratics; "endpoint" starts exactly at the peak.

  Returns:
    A function from the step count, a scalar or array, to the rate.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax
    >>> import optax_stepsize
    >>> schedule = optax_stepsize.uba_schedule(
    ...     1e-3, total_steps=1000, phi=1.0, warmup_steps=100
    ... )
    >>> tx = optax.adamw(schedule)
    >>> [round(float(schedule(step)), 6) for step in (0, 100, 550, 1000)]
    [0.0, 0.001, 0.000666, 0.0]

  References:
    Tang, Dong, Zeng, Zhou and Lin, Stepsize anything: A unified learning rate
    schedule for budgeted-iteration training, NeurIPS 2025, arXiv 2505.24452;
    BibTeX by `optax_stepsize.cite("uba_schedule")`.
  """
  method = "uba_schedule"
  core.check_choice(method, "grid", grid, ("midpoint", "endpoint"))
  phases = _phases.Phases.divide(
    method, total_steps, warmup_steps, num_phases, phase_boundaries
  )
  phases.check("phi", phi, "(0, inf)")

  def factor(phase, spent, left):
    if grid == "midpoint":
      dtype = _steps.float_dtype()
      spent = spent.astype(dtype) + 0.5
      # None is left at the end of the budget.
      left = jnp.maximum(left.astype(dtype) - 0.5, 0)
    return _profiles.uba_rule(spent, left, phases.per_phase("phi", phi)[phase])

  return phases.schedule(
    factor,
    peak_value=peak_value,
    end_value=end_value,
    init_value=init_value,
  )


def minimax_schedule(
  lambda_min: chex.Numeric, lambda_max: chex.Numeric, total_steps: int
) -> optax.Schedule:
  r"""The rates that are optimal for quadratics of bounded curvature.

  They minimise the worst contraction :math:`\max_\lambda \prod_t |1 - \eta_t
  \lambda|` over curvatures in [lambda_min, lambda_max]: inverse Chebyshev
  nodes, which are UBA with :math:`\phi = 2 \lambda_\mathrm{max} /
  \lambda_\mathrm{min}`, peak :math:`1 / \lambda_\mathrm{min}` and end
  :math:`1 / \lambda_\mathrm{max}`. The worst contraction after n steps is
  :math:`1 / T_n((\kappa + 1) / (\kappa - 1))`, with the Chebyshev polynomial T.

  Intermediate iterates may grow: only the whole budget is optimal.

  Args:
    lambda_min: Smallest curvature, > 0.
    lambda_max: Largest curvature, >= `lambda_min`.
    total_steps: Budget. Static.

  Returns:
    A function from the step count to the rate.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> schedule = optax_stepsize.minimax_schedule(1.0, 10.0, total_steps=8)
    >>> curvatures = jnp.linspace(1.0, 10.0, 1001)
    >>> contraction = jnp.ones_like(curvatures)
    >>> for step in range(8):
    ...   contraction *= 1 - schedule(step) * curvatures
    >>> assert jnp.max(jnp.abs(contraction)) < 0.01061

  References:
    Young, On Richardson's Method for Solving Linear Systems with Positive
    Definite Matrices, Journal of Mathematics and Physics 32, 1953; as the exact
    case of UBA: Tang et al., arXiv 2505.24452.
  """
  name = "minimax_schedule"
  core.check_range(name, "lambda_min", lambda_min, "(0, inf)")
  core.check_range(name, "lambda_max", lambda_max, "(0, inf)")
  core.check_count(name, "total_steps", total_steps, 1)
  concrete = not any(
    isinstance(x, jax.core.Tracer) for x in (lambda_min, lambda_max)
  )
  if concrete and np.any(np.asarray(lambda_max) < np.asarray(lambda_min)):
    raise ValueError(
      f"minimax_schedule: lambda_max must be >= lambda_min={lambda_min}, got"
      f" {lambda_max}."
    )
  return uba_schedule(
    1 / lambda_min,
    total_steps,
    2 * lambda_max / lambda_min,
    end_value=1 / lambda_max,
  )
