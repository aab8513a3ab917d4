# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""PSPS: preconditioned Polyak steps, with and without slack.

Computed from the loss value and a diagonal: of the Hessian, or made of squared
gradients. Needs the loss, and for the Hessian a function that multiplies it.
"""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize import core
from optax_stepsize.polyak import _gap
from optax_stepsize.polyak import _hutchinson

# A squared norm of the gradient below it gives no step.
_LEAST_SQUARE = 1e-13
# Of the key, whatever the default of the program is: its bits do not depend on
# how the probes are sharded.
_GENERATOR = "threefry2x32"


class PSPSState(NamedTuple):
  """State of `psps`.

  "Scalar dtype" is float32, or float64 if any parameter is float64. An update
  with a non-finite loss or bound changes nothing but `count`; one with a
  non-finite gradient also changes `diag`, by what is finite.

  Attributes:
    count: `()` int32: calls of `update`.
    diag_count: `()` int32: updates that `diag` is made of.
    step_size: `()` scalar dtype: the last step; zero where there was none to
      take.
    slack: `()` scalar dtype: how far above its bound the loss may stay; zero
      without `slack`.
    diag: Like the parameters, in `state_dtype`: smoothed diagonal of the
      Hessian, decayed mean or sum of squared gradients; None for "identity".
    key: `(2,)` uint32: data of the random key of all probes; never changes.
      None for all but "hutchinson".
  """

  count: jax.Array  # type: ignore[assignment]
  diag_count: jax.Array
  step_size: jax.Array
  slack: jax.Array
  diag: Any
  key: Any


def psps(
  preconditioner: str = "adam",
  *,
  slack: str | None = None,
  lam: chex.Numeric = 0.01,
  f_min: chex.Numeric = 0.0,
  max_step_size: chex.Numeric | None = None,
  hutchinson_decay: chex.Numeric = 0.999,
  hutchinson_floor: chex.Numeric = 0.1,
  warmup_probes: int = 100,
  probes_per_step: int = 1,
  b2: chex.Numeric = 0.999,
  eps: chex.Numeric = 1e-6,
  seed: int = 0,
  state_dtype: Any | None = None,
  axis_name: core.AxisName = None,
) -> optax.GradientTransformationExtraArgs:
  r"""PSPS: the Polyak step along a preconditioned gradient.

  For the loss f of a batch, its gradient g, a lower bound of the loss and a
  positive diagonal B,

  .. math::
    L = (f - f_\mathrm{min})_+, \qquad n = \langle g, B^{-1} g \rangle, \qquad
    \tau = L / n, \qquad x \leftarrow x - \tau B^{-1} g,

  the projection, in the norm of B, on where the linear model of the loss is at
  its bound. With a slack s, which starts at zero, and its price
  :math:`\lambda`, that need not be reached, as is right for models that cannot
  fit all data: "l1" is

  .. math::
    q = \frac{(L - s + \lambda)_+}{1 + n}, \qquad \tau = \min(q, L / n), \qquad
    s \leftarrow (s - \lambda + q)_+,

  and "l2", with :math:`h = 1 / (1 + \lambda)`, is

  .. math::
    \tau = \frac{(L - h s)_+}{n + h}, \qquad s \leftarrow h (s + \tau).

  The diagonal is that of the Hessian, smoothed and cut from below
  ("hutchinson"; steps then do not depend on the scales of coordinates where it
  is not cut), the root of Adam's or Adagrad's second moment plus `eps`, or one
  ("identity": SPS, SPSL1 and SPSL2).

  Without slack and cap the step explodes where the gradient vanishes above the
  bound. The loss must belong to the gradients: averaged over devices and
  micro-batches like them (see `accumulate`), with the same regularisers in
  both. So it goes first in a chain, before clipping.

  Needs: value; with "hutchinson" also hvp_fn or `hessian_diag`.
  State: 4 bytes per parameter, 0 for "identity".

  Args:
    preconditioner: "hutchinson", "adam", "adagrad" or "identity". Static.
    slack: None, "l1" or "l2". Static.
    lam: Price of the slack, > 0. For small values it takes up the whole loss;
      for large ones there is none.
    f_min: Lower bound of the batch loss; the paper has zero.
      `update(..., f_min=...)` overrides it.
    max_step_size: Largest step, > 0; the slack is that of the step without it.
      None: no bound.
    hutchinson_decay: Decay of the diagonal of the Hessian, in [0, 1).
    hutchinson_floor: Least magnitude of its entries, > 0, below which the
      method forgets scales.
    warmup_probes: Number of probes of the first update, at least 1; each is a
      call of `hvp_fn`. Static.
    probes_per_step: Number of probes of every update, the first too, at least
      1. Static.
    b2: Decay of the second moment of "adam", in [0, 1).
    eps: Added to the roots of "adam" and "adagrad"; >= 0.
    seed: Of the probes. Static.
    state_dtype: Dtype of the diagonal. By default float32 (float64 for float64
      parameters).
    axis_name: Mesh axes over which parameters are sharded, in `jax.shard_map`.

  Returns:
    A transformation whose updates are ready for `optax.apply_updates`. Its
    `update` takes `value` and optionally `f_min`, and with "hutchinson" either
    `hvp_fn`, a function from a tree like the parameters to the Hessian of the
    batch loss times that tree (see `make_hvp_fn`), or `hessian_diag`, the
    diagonal itself or an estimate (see `hutchinson_diagonal`), which takes the
    place of all probes of that update. Neither counts while it is not finite:
    the step is then taken with the diagonal as it was.

  Raises:
    ValueError: If an argument is out of its range, `value` is not given to
      `update`, nor `hvp_fn` or `hessian_diag` with "hutchinson", or a leaf is
      not floating.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> curvature = jnp.array([0.2, 0.5, 1.0, 30.0])
    >>> target = jnp.array([1.0, -2.0, 3.0, 0.5])
    >>> loss = lambda p: 0.5 * jnp.sum(curvature * (p - target) ** 2)
    >>> tx = optax_stepsize.psps("hutchinson", warmup_probes=1)
    >>> params = jnp.zeros(4)
    >>> state = tx.init(params)
    >>> @jax.jit
    ... def step(params, state):
    ...   value, grads = jax.value_and_grad(loss)(params)
    ...   updates, state = tx.update(
    ...       grads, state, params, value=value,
    ...       hvp_fn=optax_stepsize.make_hvp_fn(loss, params),
    ...   )
    ...   return optax.apply_updates(params, updates), state
    >>> for _ in range(20):
    ...   params, state = step(params, state)
    >>> assert jnp.max(jnp.abs(params - target)) < 1e-5

  References:
    Abdukhakimov, Xiang, Kamzolov and Takac, Stochastic Gradient Descent with
    Preconditioned Polyak Step-size, 2023, arXiv 2310.02093; BibTeX by
    `optax_stepsize.cite("psps")`.
  """
  core.check_choice(
    "psps",
    "preconditioner",
    preconditioner,
    ("hutchinson", "adam", "adagrad", "identity"),
  )
  core.check_choice("psps", "slack", slack, (None, "l1", "l2"))
  core.check_range("psps", "lam", lam, "(0, inf)")
  core.check_range("psps", "f_min", f_min, "(-inf, inf)")
  core.check_range("psps", "max_step_size", max_step_size, "(0, inf] or None")
  core.check_range("psps", "hutchinson_decay", hutchinson_decay, "[0, 1)")
  core.check_range("psps", "hutchinson_floor", hutchinson_floor, "(0, inf)")
  core.check_dtype("psps", "state_dtype", state_dtype)
  core.check_count("psps", "warmup_probes", warmup_probes, 1)
  core.check_count("psps", "probes_per_step", probes_per_step, 1)
  core.check_range("psps", "b2", b2, "[0, 1)")
  core.check_range("psps", "eps", eps, "[0, inf)")
  core.check_count("psps", "seed", seed, 0)
  constructor_f_min = f_min
  hutchinson = preconditioner == "hutchinson"

  def init(params):
    dtype = core.accumulator_dtype(params)
    diag = key = None
    if preconditioner != "identity":
      diag = core.zeros(params, state_dtype)
    if hutchinson:
      key = jax.random.key_data(jax.random.key(seed, impl=_GENERATOR))
    return PSPSState(
      count=jnp.zeros((), jnp.int32),
      diag_count=jnp.zeros((), jnp.int32),
      step_size=jnp.zeros((), dtype),
      slack=jnp.zeros((), dtype),
      diag=diag,
      key=key,
    )

  def hessian(state, diag, known, like, hvp_fn, hessian_diag):
    """The smoothed diagonal of the Hessian, and whether there is news of it."""
    first = state.diag_count == 0
    if hessian_diag is not None:
      start = fresh = jax.tree.map(
        lambda h, d: h.astype(d.dtype), hessian_diag, diag
      )
      square = core.squared_norm(fresh, axis_name=axis_name)
      warm, good = jnp.zeros_like(first), jnp.isfinite(square)
    else:
      core.check_inputs("psps", ("hvp_fn",), hvp_fn=hvp_fn)
      key = jax.random.wrap_key_data(state.key, impl=_GENERATOR)
      warm_key, key = jax.random.split(jax.random.fold_in(key, state.count))
      # A loop of no turns after the first update. Under `vmap`, a branch would
      # be run every time.
      start, warm_probes = _hutchinson.mean_of_probes(
        hvp_fn, warm_key, like, jnp.where(first, warmup_probes, 0), axis_name
      )
      fresh, probes = _hutchinson.mean_of_probes(
        hvp_fn, key, like, probes_per_step, axis_name
      )
      warm, good = warm_probes > 0, probes > 0
    warm, good = warm & known, good & known

    def mix(d, s, v):
      # The first estimate is taken as it is, if no warm-up went before.
      d = jnp.where(warm, s, d)
      share = 1 - core.as_scalar(hutchinson_decay, d.dtype)
      share = jnp.where(first & ~warm, 1, share)
      return jnp.where(good, d + share * (v - d), d)

    return jax.tree.map(mix, diag, start, fresh), warm | good

  def metric(state, grads, known, like, hvp_fn, hessian_diag):
    """The new `diag`, B, and how often `diag` was updated."""
    diag = jax.tree.map(lambda d, g: d.astype(g.dtype), state.diag, grads)
    count = optax.safe_increment(state.diag_count)
    if hutchinson:
      diag, news = hessian(state, diag, known, like, hvp_fn, hessian_diag)

      def cut(d):
        floor = core.as_scalar(hutchinson_floor, d.dtype)
        return jnp.maximum(jnp.abs(d), floor)

      count = jnp.where(news, count, state.diag_count)
      return diag, jax.tree.map(cut, diag), count

    dtype = state.step_size.dtype
    memory = share = correction = jnp.ones((), dtype)
    if preconditioner == "adam":
      memory = core.as_scalar(b2, dtype)
      share, correction = 1 - memory, 1 - memory ** count.astype(dtype)

    # A moment that waited for the norm which it enters would be read once more.
    # So what is not finite is left out of it, and stops the step by the norm.
    def second_moment(v, g):
      new = memory.astype(v.dtype) * v + share.astype(v.dtype) * (g * g)
      return jnp.where(known & jnp.isfinite(new), new, v)

    def root(v):
      mean = v / correction.astype(v.dtype)
      return jnp.sqrt(mean) + core.as_scalar(eps, v.dtype)

    diag = jax.tree.map(second_moment, diag, grads)
    return diag, jax.tree.map(root, diag), count

  def with_slack(gap, square, s):
    """The step, without cap, and the new slack."""
    # h, q = as in the docstring; tau = step; n = square.
    price = core.as_scalar(lam, gap.dtype)
    if slack == "l1":
      q = jnp.maximum(gap - s + price, 0) / (1 + square)
      return jnp.minimum(q, gap / square), jnp.maximum(s - price + q, 0)
    if slack == "l2":
      h = 1 / (1 + price)
      tau = jnp.maximum(gap - h * s, 0) / (square + h)
      return tau, h * (s + tau)
    return gap / square, s

  def update(
    updates,
    state,
    params,
    *,
    value,
    f_min=None,
    hvp_fn=None,
    hessian_diag=None,
    **extra_args,
  ):
    # p = B^-1 g; n = square = <g, p>; L = gap; tau = step; s = slack.
    del extra_args
    dtype = state.step_size.dtype
    value, bound, known = _gap.loss_and_bound(
      "psps", value, constructor_f_min if f_min is None else f_min, dtype
    )
    # Differs from the reference: a loss below its bound gives no step instead
    # of an ascent.
    gap = jnp.maximum(value - bound, 0)

    grads = jax.tree.map(core.widen, updates)
    if preconditioner == "identity":
      diag, directions = None, grads
      diag_count = optax.safe_increment(state.diag_count)
    else:
      like = updates if params is None else params
      diag, b, diag_count = metric(
        state, grads, known, like, hvp_fn, hessian_diag
      )
      directions = jax.tree.map(core.safe_divide, grads, b)
    (square,) = core.global_sums(
      core.leaf_dots(grads, directions), axis_name=axis_name, dtype=dtype
    )

    informed = square >= _LEAST_SQUARE
    tau, new_slack = with_slack(
      gap, jnp.where(informed, square, 1), state.slack
    )
    tau = _gap.capped(jnp.where(informed, tau, 0), max_step_size)
    new_slack = jnp.where(informed, new_slack, state.slack)

    finite = known & jnp.isfinite(square) & jnp.isfinite(tau)
    moves = jax.tree.map(lambda p: -tau.astype(p.dtype) * p, directions)
    moves = core.select(finite, moves, jax.tree.map(jnp.zeros_like, moves))

    def hold(new, old):
      return jnp.where(finite, new, old)

    return moves, PSPSState(
      count=optax.safe_increment(state.count),
      diag_count=hold(diag_count, state.diag_count),
      step_size=hold(tau, state.step_size),
      slack=hold(new_slack, state.slack),
      diag=None if diag is None else core.cast_like(diag, state.diag),
      key=state.key,
    )

  return core.transformation("psps", init, update, needs=("value",))
