# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Refined schedules: computed from the gradient norms of an earlier run.

The rule is worked out on the host, in float64, before the run that it is for.
"""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

from optax_stepsize import core
from optax_stepsize.schedules import _steps

# The exponent of one over the norm in the weight of a step.
_POWERS = {"l2": 2, "l1": 1}
# Windows of the median filter that are sorted together, to bound memory.
_BLOCK = 2**22


def _median_filter(values: np.ndarray, width: int) -> np.ndarray:
  """Running medians over an odd `width`.

  The start of a run has a spike, which its repeated first value cuts off; the
  end has a trend, which its mirror image keeps.
  """
  half = width // 2
  padded = np.pad(values, (0, half), mode="reflect")
  padded = np.pad(padded, (half, 0), mode="edge")
  windows = np.lib.stride_tricks.sliding_window_view(padded, width)
  rows = max(_BLOCK // width, 1)
  blocks = range(0, len(values), rows)
  return np.concatenate(
    [np.median(windows[row : row + rows], axis=1) for row in blocks]
  )


def _checked(method: str, grad_norms: Any) -> np.ndarray:
  """The finite norms, in float64."""
  if isinstance(grad_norms, jax.core.Tracer):
    raise ValueError(
      f"{method}: grad_norms are worked on by the host and must be concrete,"
      " got a traced array. Fix: call it outside of jit."
    )
  try:
    norms = np.asarray(grad_norms, np.float64)
  except (TypeError, ValueError):
    raise ValueError(
      f"{method}: grad_norms must be numbers, got {grad_norms!r}."
    ) from None
  if norms.ndim != 1:
    raise ValueError(
      f"{method}: grad_norms must have one axis, that of the steps, got shape"
      f" {norms.shape}."
    )
  finite = norms[np.isfinite(norms)]
  if len(finite) < 2:
    raise ValueError(
      f"{method}: grad_norms must have at least 2 finite entries, got"
      f" {len(finite)} among {len(norms)}."
    )
  core.check_range(method, "grad_norms", np.min(finite), "[0, inf)")
  return finite


def _refine(
  method: str,
  grad_norms: Any,
  norm: str,
  tau: float,
  num_points: int | None = None,
  normalize: bool = True,
) -> np.ndarray:
  core.check_choice(method, "norm", norm, _POWERS)
  core.check_range(method, "tau", tau, "[0, 1)")
  norms = _checked(method, grad_norms)
  if num_points is not None:
    core.check_count(method, "num_points", num_points, 2)
    places = np.linspace(0, 1, num_points)
    norms = np.interp(places, np.linspace(0, 1, len(norms)), norms)
  norms = _median_filter(norms, 2 * (int(tau * len(norms)) // 2) + 1)
  largest = np.max(norms)
  if not largest > 0:
    raise ValueError(
      f"{method}: grad_norms must not all be 0 after the median filter."
    )
  # Only ratios matter: powers of these neither overflow nor vanish.
  power = _POWERS[norm]
  weights = np.maximum(norms / largest, 1e-12) ** -power
  later = np.append(np.cumsum(weights[:0:-1])[::-1], 0.0)
  rates = weights * later
  if normalize:
    return rates / np.max(rates)
  return rates * largest ** (-2 * power)


def refine_schedule(
  grad_norms: npt.ArrayLike,
  *,
  norm: str = "l2",
  tau: float = 0.1,
  num_points: int | None = None,
  normalize: bool = True,
) -> np.ndarray:
  r"""The rates that the gradient norms of a run ask for.

  With the weights :math:`w_t = \hat G_t^{-2}` of l2 norms, or
  :math:`\hat G_t^{-1}` of l1 norms, after a median filter, the rate is

  .. math:: \eta_t = w_t \sum_{s > t} w_s,

  which is linear decay where all norms are equal. Norms that fall fast at first
  give a warm-up, norms that fall late a faster decay. It runs on the host.

  Args:
    grad_norms: Norms of the whole gradient, one for each step, as
      `record_gradient_norms` keeps them; >= 0. Entries that are not finite are
      dropped, and at least two must remain.
    norm: "l2" for runs of SGD and their l2 norms, "l1" for runs of Adam and
      their l1 norms.
    tau: Width of the median filter as a share of the run, in [0, 1); 0.2 for
      very noisy norms, zero for no filter.
    num_points: Points that the norms are interpolated to first; by default as
      many as there are.
    normalize: Whether to divide by the largest rate.

  Returns:
    Float64 array of the rates of all steps; the last one is zero.

  Raises:
    ValueError: If an argument is out of its range, or no norm is above zero.

  Example:
    >>> import optax_stepsize
    >>> optax_stepsize.refine_schedule([4, 2, 1, 1, 1, 2], norm="l1", tau=0.0)
    array([0.4, 0.7, 1. , 0.6, 0.2, 0. ])

  References:
    Defazio et al., arXiv 2310.07831.
  """
  return _refine(
    "refine_schedule", grad_norms, norm, tau, num_points, normalize
  )


def refined_schedule(
  grad_norms: npt.ArrayLike,
  peak_value: chex.Numeric,
  *,
  norm: str = "l2",
  tau: float = 0.1,
  total_steps: int | None = None,
) -> optax.Schedule:
  r"""A schedule refined by the gradient norms of an earlier run.

  Train once with `linear_decay_schedule` and `record_gradient_norms`, then
  again with this schedule and a peak of its own, see `refine_schedule`. One
  such pass is enough in the paper.

  .. math::
    \eta_t \propto w_t \sum_{s > t} w_s, \qquad
    w_t = \hat G_t^{-2} \text{ or } \hat G_t^{-1}

  Args:
    grad_norms: Norms of the whole gradient, one for each step, >= 0. Entries
      that are not finite are dropped, and at least two must remain. Static.
    peak_value: The largest rate, >= 0; to be tuned anew.
    norm: "l2" for runs of SGD and their l2 norms, "l1" for runs of Adam and
      their l1 norms. Static.
    tau: Width of the median filter as a share of the run, in [0, 1). Static.
    total_steps: Steps of the new run, which reads the rates at the same share
      of the run; by default as many as there are norms. Static.

  Returns:
    A function from the step count, a scalar or array, to the rate. It is zero
    at the last step, and from `total_steps` on.

  Raises:
    ValueError: If an argument is out of its range, or no norm is above zero.

  Example:
    >>> import optax_stepsize
    >>> norms = [4.0, 2.0, 1.0, 1.0, 1.0, 2.0]
    >>> schedule = optax_stepsize.refined_schedule(norms, 0.5, tau=0.0)
    >>> [round(float(schedule(step)), 4) for step in range(6)]
    [0.0486, 0.1806, 0.5, 0.2778, 0.0556, 0.0]

  References:
    Defazio, Cutkosky, Mehta and Mishchenko, When, Why and How Much? Adaptive
    Learning Rate Scheduling by Refinement, 2023, arXiv 2310.07831; BibTeX by
    `optax_stepsize.cite("refined_schedule")`.
  """
  method = "refined_schedule"
  rates = _refine(method, grad_norms, norm, tau)
  core.check_range(method, "peak_value", peak_value, "[0, inf)")
  if total_steps is None:
    total_steps = np.size(grad_norms)
  core.check_count(method, "total_steps", total_steps, 1)

  # Step t reads position t a / b of the rates. Its whole part changes at known
  # steps, and the rest is counted from the last of these: all in integers.
  a, b = len(rates) - 1, max(int(total_steps) - 1, 1)
  places = np.arange(len(rates), dtype=np.int64)
  firsts = -(-places * b // a)
  rests = firsts * a - places * b
  following = np.append(rates[1:], 0.0)

  def schedule(count: chex.Numeric) -> jax.Array:
    dtype = _steps.float_dtype()
    count = _steps.as_count(count)
    step = jnp.minimum(count, b)
    steps = jnp.asarray(firsts, step.dtype)
    place = jnp.searchsorted(steps, step, side="right") - 1
    rest = jnp.asarray(rests, step.dtype)[place]
    spent = rest + (step - steps[place]) * a
    rate = jnp.asarray(rates, dtype)[place] * _steps.share(b - spent, b)
    rate += jnp.asarray(following, dtype)[place] * _steps.share(spent, b)
    rate *= core.as_scalar(peak_value, dtype)
    return jnp.where(count >= total_steps, 0, rate)

  return schedule
