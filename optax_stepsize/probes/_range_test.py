# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The learning-rate range test.

Computed from a short run that is thrown away, in which the rate sweeps a range.
"""

from collections.abc import Callable, Iterable
import math
from typing import Any, NamedTuple, TypeVar

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core

_MODES = ("linear", "exponential")
# From which step on a large loss, and not only one that is not finite, ends the
# test: the first losses say little of what is usual.
_FIRST_STOP = 5
# Products of two counts stay below 2^31: one of steps, one below 2^9 of powers
# of two in a ratio of floats.
_MOST_STEPS = 2**22

State = TypeVar("State")


def _check_range(
  name: str,
  min_value: chex.Numeric,
  max_value: chex.Numeric,
  num_steps: int,
  mode: str,
) -> None:
  core.check_choice(name, "mode", mode, _MODES)
  core.check_count(name, "num_steps", num_steps, 1)
  if num_steps > _MOST_STEPS:
    raise ValueError(
      f"{name}: num_steps must be at most {_MOST_STEPS}, got {num_steps}."
    )
  least = "[0, inf)" if mode == "linear" else "(0, inf)"
  core.check_range(name, "min_value", min_value, least)
  core.check_range(name, "max_value", max_value, "(0, inf)")
  given = (min_value, max_value)
  if any(isinstance(value, jax.core.Tracer) for value in given):
    return
  low, high = (np.asarray(value, np.float64) for value in given)
  if np.any(low >= high):
    raise ValueError(
      f"{name}: min_value must be below max_value={max_value}, got {min_value}."
    )


def range_test_schedule(
  min_value: chex.Numeric,
  max_value: chex.Numeric,
  num_steps: int,
  mode: str = "linear",
) -> optax.Schedule:
  r"""The rates of a range test, from `min_value` up to `max_value`.

  With :math:`u = i / (n - 1)` in step i of n, the rate is :math:`a + (b - a)\,
  u` or, if it is exponential, :math:`a\, (b / a)^u`. A test of one step has the
  rate a.

  Args:
    min_value: First rate, >= 0, or > 0 if `mode` is "exponential".
    max_value: Rate of step `num_steps - 1` and later, > `min_value`.
    num_steps: Number of rates, from 1 to 2^22. Static.
    mode: "linear" or "exponential". Static.

  Returns:
    A function from the step count, a scalar or array, to the rate.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> optax_stepsize.range_test_schedule(0.0, 0.02, 5)(jnp.arange(5))
    Array([0.   , 0.005, 0.01 , 0.015, 0.02 ], dtype=float32)

  References:
    Smith, arXiv 1506.01186.
  """
  _check_range("range_test_schedule", min_value, max_value, num_steps, mode)
  whole = max(num_steps - 1, 1)

  def schedule(count: chex.Numeric) -> jax.Array:
    dtype = jnp.result_type(float)
    low, high = (core.as_scalar(v, dtype) for v in (min_value, max_value))
    count = jnp.clip(jnp.asarray(count), 0, num_steps - 1).astype(jnp.int32)
    left = num_steps - 1 - count
    if mode == "linear":
      rate = low * (left.astype(dtype) / whole)
      rate = rate + high * (count.astype(dtype) / whole)
    else:
      # high / low = m 2^e. Of u e, a quotient of integers, the whole part is
      # exact, so that a wide range costs no digits.
      (low_m, low_e), (high_m, high_e) = jnp.frexp(low), jnp.frexp(high)
      shifted = count * (high_e - low_e)
      octaves = shifted // whole
      rest = (shifted - octaves * whole).astype(dtype) / whole
      rest = rest + jnp.log2(high_m / low_m) * (count.astype(dtype) / whole)
      rate = jnp.ldexp(low_m * jnp.exp2(rest), octaves + low_e)
    rate = jnp.where(left == 0, high, rate)
    return jnp.where(count == 0, low, rate)

  return schedule


class _Judge:
  """Smooths losses as they come and says when a test has diverged."""

  def __init__(self, smoothing: float, divergence_factor: float):
    self._smoothing = smoothing
    self._factor = divergence_factor
    self._average, self._weight = 0.0, 0.0
    self._best = math.inf
    self._seen = 0

  def __call__(self, loss: float) -> tuple[float, bool]:
    """The smoothed loss, and whether to stop here."""
    if not math.isfinite(loss):
      return math.nan, True
    s = self._smoothing
    self._average = s * self._average + (1 - s) * loss
    self._weight = s * self._weight + (1 - s)
    smoothed = self._average / self._weight
    # A multiple of a negative loss is no bound from above.
    high = self._best >= 0 and smoothed > self._factor * self._best
    self._best = min(self._best, smoothed)
    self._seen += 1
    return smoothed, high and self._seen > _FIRST_STOP


def _check_judgement(name, smoothing, divergence_factor, base_ratio):
  core.check_range(name, "smoothing", smoothing, "[0, 1)")
  core.check_range(name, "divergence_factor", divergence_factor, "(1, inf)")
  core.check_range(name, "base_ratio", base_ratio, "(0, 1]")


class LrRangeResult(NamedTuple):
  """What a range test has found, on the host.

  Attributes:
    rates: The rates of the steps, float32 `(num_steps,)`.
    losses: The loss before the update with each rate, float32 `(num_steps,)`;
      NaN after a stop.
    smoothed: The running average of the losses, likewise.
    suggested_max: The rate at the least smoothed loss before divergence.
    suggested_base: `base_ratio` times that.
    diverged_at: The step that the test stopped at; -1 if it did not. If it did
      not and `suggested_max` is the last rate, the range was too small.
  """

  rates: np.ndarray
  losses: np.ndarray
  smoothed: np.ndarray
  suggested_max: float
  suggested_base: float
  diverged_at: int

  @classmethod
  def from_losses(
    cls,
    rates: Any,
    losses: Any,
    *,
    smoothing: float = 0.0,
    divergence_factor: float = 4.0,
    base_ratio: float = 0.25,
  ) -> "LrRangeResult":
    """Judges losses that were recorded elsewhere; see `lr_range_test`."""
    name = "LrRangeResult.from_losses"
    _check_judgement(name, smoothing, divergence_factor, base_ratio)
    return _judged(
      name, rates, losses, smoothing, divergence_factor, base_ratio
    )


def _judged(
  name, rates, losses, smoothing, divergence_factor, base_ratio
) -> LrRangeResult:
  rates, losses = (np.array(v, np.float32) for v in (rates, losses))
  if rates.ndim != 1 or rates.shape != losses.shape or not rates.size:
    raise ValueError(
      f"{name}: rates and losses must be two lists of the same length >= 1, got"
      f" shapes {rates.shape} and {losses.shape}."
    )
  if not np.all(np.isfinite(rates)):
    raise ValueError(f"{name}: rates must be finite, got {rates}.")
  if not math.isfinite(losses[0]):
    raise ValueError(
      f"{name}: the first loss, before any update, must be finite, got"
      f" {losses[0]}."
    )
  judge = _Judge(smoothing, divergence_factor)
  smoothed = np.full(losses.shape, np.nan, np.float32)
  diverged_at = -1
  for step, loss in enumerate(losses):
    smoothed[step], stop = judge(float(loss))
    if stop:
      diverged_at = step
      losses[step + 1 :] = np.nan
      break
  fine = smoothed[: diverged_at if diverged_at >= 0 else None]
  suggested = float(rates[np.argmin(fine)])
  return LrRangeResult(
    rates, losses, smoothed, suggested, base_ratio * suggested, diverged_at
  )


def suggest_bounds(
  rates: Any,
  losses: Any,
  *,
  smoothing: float = 0.98,
  divergence_factor: float = 4.0,
  base_ratio: float = 0.25,
) -> tuple[float, float]:
  r"""The base and the largest rate that a curve of losses suggests.

  The losses are smoothed by an average that forgets a share `1 - smoothing` in
  each step, and cut where they diverge, as in `lr_range_test`. The rate at the
  least of what is left is the largest one; a cyclical schedule has its base at
  a quarter or a third of it, one cycle at a tenth or a twentieth.

  Args:
    rates: Ascending, `(n,)`.
    losses: The loss before the update with each rate, `(n,)`.
    smoothing: Decay of the average, in [0, 1); 0 for none. The default suits
      noisy losses of many hundred steps: of few, it blurs the minimum.
    divergence_factor: A smoothed loss of so many times the best one so far ends
      the curve, > 1. So does a loss that is not finite.
    base_ratio: The base as a share of the largest rate, in (0, 1].

  Returns:
    The base and the largest rate.

  Raises:
    ValueError: If an argument is out of its range, the lengths differ, or the
      first loss is not finite.

  Example:
    >>> import optax_stepsize
    >>> optax_stepsize.suggest_bounds(
    ...     [0.1, 0.2, 0.3, 0.4], [2.0, 1.0, 0.5, 3.0], smoothing=0.0
    ... )
    (0.07500000298023224, 0.30000001192092896)

  References:
    Smith, arXiv 1506.01186; that the minimum is taken, and how the curve is
    smoothed and cut, is a decision of this library.
  """
  name = "suggest_bounds"
  _check_judgement(name, smoothing, divergence_factor, base_ratio)
  found = _judged(name, rates, losses, smoothing, divergence_factor, base_ratio)
  return found.suggested_base, found.suggested_max


def _is_array(leaf: Any) -> bool:
  return isinstance(leaf, (jax.Array, np.ndarray))


def _copy(state: State) -> State:
  """The state in arrays of its own, which may be donated or overwritten."""
  return jax.tree.map(lambda x: x.copy() if _is_array(x) else x, state)


def _parts(name: str, returned: Any) -> tuple[Any, Any]:
  """The state and the loss that a step has returned."""
  if not isinstance(returned, tuple) or len(returned) != 2:
    raise ValueError(
      f"{name}: step_fn must return (state, loss), got an object of type"
      f" {type(returned).__name__}."
    )
  state, loss = returned
  if np.shape(loss) != () or not jnp.issubdtype(
    jnp.result_type(loss), jnp.floating
  ):
    raise ValueError(
      f"{name}: step_fn must return (state, loss) with a floating-point scalar"
      f" for the loss, got {jnp.result_type(loss)}{list(np.shape(loss))}."
    )
  return state, loss


def _looped(name, step_fn, state, batches, rates, judge) -> np.ndarray:
  """Losses of one step after the other, until the judge stops them."""
  losses = np.full(rates.shape, np.nan, np.float32)
  source = iter(batches)
  for step, rate in enumerate(rates):
    try:
      batch = next(source)
    except StopIteration:
      raise ValueError(
        f"{name}: batches must hold num_steps={len(rates)} or more, got {step}."
      ) from None
    returned = step_fn(state, batch, jnp.asarray(rate))
    state, loss = _parts(name, returned)
    losses[step] = float(loss)
    if judge(float(losses[step]))[1]:
      break
  return losses


def _scanned(name, step_fn, state, batches, rates, judgement) -> np.ndarray:
  """The same in one program; the batches are stacked."""
  leaves = jax.tree.leaves(batches)
  sizes = {np.shape(leaf)[:1] for leaf in leaves}
  steps = len(rates)
  if not leaves or len(sizes) > 1 or () in sizes or min(sizes) < (steps,):
    got = ", ".join(str(np.shape(leaf)) for leaf in leaves[:4]) or "none"
    raise ValueError(
      f"{name}: with scan=True, batches must be arrays with a first axis of"
      f" num_steps={steps} or more, got shapes {got}."
    )
  batches = jax.tree.map(lambda x: jnp.asarray(x)[:steps], batches)
  smoothing, factor = (jnp.asarray(v, jnp.float32) for v in judgement)

  def train(carry, inputs):
    state, judged = carry
    state, loss = _parts(name, step_fn(state, *inputs))
    loss = jnp.asarray(loss).astype(jnp.float32)
    average, weight, best, seen = judged
    average = smoothing * average + (1 - smoothing) * loss
    weight = smoothing * weight + (1 - smoothing)
    smoothed = average / weight
    # A little late, since the host, which has more digits, decides.
    high = (best >= 0) & (smoothed > 1.001 * factor * best)
    stop = ~jnp.isfinite(loss) | (high & (seen >= _FIRST_STOP))
    judged = (average, weight, jnp.minimum(best, smoothed), seen + 1)
    return (state, judged), loss, stop

  def skip(carry, inputs):
    del inputs
    return carry, jnp.full((), jnp.nan, jnp.float32), jnp.ones((), jnp.bool_)

  def step(carry, inputs):
    inner, stopped = carry
    inner, loss, stopped = jax.lax.cond(stopped, skip, train, inner, inputs)
    return (inner, stopped), loss

  @jax.jit
  def run(state, batches, rates):
    zero = jnp.zeros((), jnp.float32)
    judged = (zero, zero, jnp.full((), jnp.inf, jnp.float32), jnp.int32(0))
    start = ((state, judged), jnp.zeros((), jnp.bool_))
    return jax.lax.scan(step, start, (batches, rates))[1]

  return np.asarray(run(state, batches, jnp.asarray(rates)))


def lr_range_test(
  step_fn: Callable[[State, Any, jax.Array], tuple[State, chex.Numeric]],
  state: State,
  batches: Iterable[Any] | chex.ArrayTree,
  *,
  min_value: float,
  max_value: float,
  num_steps: int,
  mode: str = "linear",
  smoothing: float = 0.0,
  divergence_factor: float = 4.0,
  base_ratio: float = 0.25,
  scan: bool = False,
) -> LrRangeResult:
  r"""Trains for a while with a growing rate, to see which rates are too large.

  The loss falls while the rate is useful and rises once it is too large. The
  rate at the minimum is suggested as the largest one, for `max_value` of a
  cyclical schedule or the peak of another, and a share of it as the base. The
  test stops where the loss is not finite or, from the sixth step on, its
  average exceeds `divergence_factor` times the best one so far; of a negative
  loss only the former is asked.

  With :math:`\ell_i` before the update with rate :math:`\eta_i`,

  .. math::
    a_i = s\, a_{i-1} + (1 - s)\, \ell_i, \qquad
    \bar\ell_i = \frac{a_i}{1 - s^{i+1}}, \qquad
    \eta_\mathrm{max} = \eta_{\arg\min_i \bar\ell_i}.

  The paper reads both rates off a plot of the accuracy by eye. The minimum, the
  average, the stop and the share for the base are decisions of this library.

  Needs: a training step and `num_steps` batches. If training is distributed,
  the loss is the mean over all devices, so that all hosts stop together.
  State: none is kept, and what is given stays as it is: the test trains a copy,
  so that a step may donate it.

  Args:
    step_fn: `step_fn(state, batch, learning_rate) -> (state, loss)`, jitted or
      not, with the loss before the update, a scalar; `learning_rate` is a `()`
      float32 array.
    state: Any tree: parameters, a tuple of them and an optimizer state, a
      `TrainState`, the states that `nnx.split` returns.
    batches: Iterable of at least `num_steps` batches; with `scan`, a tree of
      arrays that are stacked along their first axis.
    min_value: First rate, >= 0, or > 0 if `mode` is "exponential".
    max_value: Last rate, > `min_value`.
    num_steps: Steps of the test, from 1 to 2^22. At least 50 are advised; the
      paper takes a few epochs.
    mode: "linear", as in the paper, or "exponential" for a range of several
      orders of magnitude.
    smoothing: Decay s of the average, in [0, 1).
    divergence_factor: What divergence means, > 1.
    base_ratio: The base as a share of the largest rate, in (0, 1].
    scan: Whether to run the whole test as one compiled program: the results are
      those of the loop, to rounding. Static.

  Returns:
    A `LrRangeResult`.

  Raises:
    ValueError: If an argument is out of its range, there are too few batches,
      the loss is no scalar, or the first loss is not finite.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> curvature, target = jnp.array([1.0, 10.0]), jnp.array([3.0, -2.0])
    >>> noise = 0.1 * jax.random.normal(jax.random.key(0), (100, 2))
    >>> def loss_fn(params, batch):
    ...   return jnp.sum(curvature * (params - target - batch) ** 2) / 2
    >>> @jax.jit
    ... def step(params, batch, learning_rate):
    ...   loss, grads = jax.value_and_grad(loss_fn)(params, batch)
    ...   return params - learning_rate * grads, loss
    >>> found = optax_stepsize.lr_range_test(
    ...     step, jnp.zeros(2), noise,
    ...     min_value=0.0, max_value=0.5, num_steps=100, smoothing=0.8,
    ... )
    >>> assert 0.1 < found.suggested_max < 0.25  # 2 over the curvature is 0.2

  References:
    Smith, `Cyclical Learning Rates for Training Neural Networks
    <https://arxiv.org/abs/1506.01186>`_, 2017, arXiv 1506.01186; refined in
    arXiv 1803.09820. `optax_stepsize.cite("lr_range_test")`.
  """
  name = "lr_range_test"
  _check_range(name, min_value, max_value, num_steps, mode)
  _check_judgement(name, smoothing, divergence_factor, base_ratio)
  schedule = range_test_schedule(min_value, max_value, num_steps, mode)
  rates = np.asarray(schedule(np.arange(num_steps)), np.float32)
  judgement = (smoothing, divergence_factor)
  state = _copy(state)
  if scan:
    losses = _scanned(name, step_fn, state, batches, rates, judgement)
  else:
    losses = _looped(name, step_fn, state, batches, rates, _Judge(*judgement))
  return _judged(name, rates, losses, *judgement, base_ratio)
