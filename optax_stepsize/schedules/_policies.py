# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""LRBench's catalogue of policies by name, and policies one after another.

Computed from the step count.
"""

from collections.abc import Callable, Mapping, Sequence
import difflib
import itertools
import math
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core
from optax_stepsize.schedules import _cyclical
from optax_stepsize.schedules import _steps

# The paper's letters: t step, k0 and k1 bounds, gamma base, p power, l length.


def _exponential(count, *, k0, gamma):
  return k0 * _steps.power(gamma, count)


def _step(count, *, k0, gamma, l):  # noqa: E741
  return k0 * _steps.power(gamma, _cyclical.split_cycle(count, l)[0])


def _nstep(count, *, k0, gamma, l):  # noqa: E741
  last = jnp.iinfo(count.dtype).max
  drops = sum((count >= at).astype(jnp.int32) for at in l if at <= last)
  return k0 * _steps.power(gamma, jnp.broadcast_to(drops, count.shape))


def _inverse(count, *, k0, gamma, p):
  one = _steps.as_pair(1)
  growth = _steps.times(_steps.as_pair(gamma), _steps.as_pair(count))
  high, low = _steps.add(one, growth)
  # (high + low)^-p = high^-p (1 - p low / high) to first order in low.
  exponent = core.as_scalar(p, high.dtype)
  return k0 * jnp.power(high, -exponent) * (1 - exponent * (low / high))


def _polynomial(count, *, k0, k1, p, l):  # noqa: E741
  left = l - jnp.minimum(count, l)
  return _cyclical.between(k0, k1, _steps.share_power(left, l, p))


def _sigmoid(count, *, k0, gamma, l):  # noqa: E741
  # With e = exp(-|z|), which neither overflows nor swallows the 1, 1 / (1 +
  # exp(-z)) is 1 / (1 + e) for positive z and e / (1 + e) for negative ones.
  distance = _steps.add(_steps.as_pair(count), _steps.as_pair(-l))
  high, low = _steps.times(_steps.as_pair(gamma), distance)
  small = jnp.exp(-jnp.abs(high)) * (1 - jnp.sign(high) * low)
  return k0 * (jnp.where(high >= 0, 1, small) / (1 + small))


class _Single(NamedTuple):
  """A policy that does not repeat: its rule, and what that takes."""

  rule: Callable[..., jax.Array]
  needs: tuple[str, ...]


_SINGLE = {
  "FIX": _Single(lambda count, *, k0: jnp.broadcast_to(k0, count.shape), ()),
  "STEP": _Single(_step, ("gamma", "l")),
  "NSTEP": _Single(_nstep, ("gamma", "l")),
  "EXP": _Single(_exponential, ("gamma",)),
  "INV": _Single(_inverse, ("gamma", "p")),
  "POLY": _Single(_polynomial, ("k1", "p", "l")),
  "SIG": _Single(_sigmoid, ("gamma", "l")),
}


def _line(share):
  return share


def _sine(share):
  return jnp.sin(math.pi / 2 * share)


def _cosine(share):
  # (1 - cos(pi x)) / 2, but small angles keep all their digits.
  return jnp.sin(math.pi / 2 * share) ** 2


class _Wave(NamedTuple):
  """A policy that repeats: a form, applied to a share that goes up and down.

  Attributes:
    form: From a share to a height, both from 0 to 1.
    start: Where the share starts: "low" goes up to 1 in l steps and down in
      another l, "high" goes down first, "restart" goes down in l steps and
      starts again from 1.
  """

  form: Callable[[jax.Array], jax.Array]
  start: str


_WAVES = {
  "TRI": _Wave(_line, "low"),
  "DTRI": _Wave(_line, "high"),
  "SIN": _Wave(_sine, "low"),
  "DSIN": _Wave(_sine, "high"),
  "COS": _Wave(_cosine, "high"),
  "UPCOS": _Wave(_cosine, "low"),
  "RSW": _Wave(_line, "restart"),
  "SINRSW": _Wave(_sine, "restart"),
  "COSRSW": _Wave(_cosine, "restart"),
}
_SUFFIXES = ("", "2", "EXP")

POLICY_NAMES: tuple[str, ...] = (
  *_SINGLE,
  *(wave + suffix for wave in _WAVES for suffix in _SUFFIXES),
)


def _share(
  count: jax.Array, start: str, length: int, restart_at_peak: bool
) -> tuple[jax.Array, jax.Array]:
  """The share that a wave is a form of, and how often it has come to zero."""
  if start == "restart":
    cycle, step = _cyclical.split_cycle(count, length)
    share = _steps.share(length - step, length)
    if not restart_at_peak:
      share = jnp.where(step == 0, 0, share)
    return share, cycle
  cycle, step = _cyclical.split_cycle(count, 2 * length)
  if start == "low":
    return _cyclical.triangle(step, length, length), cycle
  # The complement, of which no digit is lost.
  falling = _steps.share(
    jnp.where(step < length, length - step, step - length), length
  )
  return falling, cycle + (step >= length).astype(cycle.dtype)


def _needs(name: str) -> tuple[str, ...]:
  """Arguments that a policy takes besides k0."""
  if name in _SINGLE:
    return _SINGLE[name].needs
  return ("k1", "gamma", "l") if name.endswith("EXP") else ("k1", "l")


def _known(name: str) -> str:
  """The name in capitals, of a policy that there is."""
  known = str(name).upper()
  if known in POLICY_NAMES:
    return known
  near = difflib.get_close_matches(known, POLICY_NAMES, n=3, cutoff=0.4)
  hint = f" Did you mean {' or '.join(near)}?" if near else ""
  raise ValueError(
    f"policy: name must be one of {', '.join(POLICY_NAMES)}, got {name!r}."
    f"{hint}"
  )


def _check_length(name: str, length: Any) -> Any:
  """The length as a Python integer, for NSTEP a tuple of them."""
  if name != "NSTEP":
    core.check_count("policy", "l", length, 1)
    return int(length)
  if not isinstance(length, (Sequence, np.ndarray)) or isinstance(length, str):
    raise ValueError(
      f"policy: l must be a sequence of integers for NSTEP, got {length!r}."
    )
  for entry in length:
    core.check_count("policy", "an entry of l", entry, 0)
  return tuple(int(entry) for entry in length)


def policy(
  name: str,
  *,
  k0: chex.Numeric,
  k1: chex.Numeric | None = None,
  gamma: chex.Numeric | None = None,
  p: chex.Numeric | None = None,
  l: int | Sequence[int] | None = None,  # noqa: E741
  restart_at_peak: bool = True,
) -> optax.Schedule:
  r"""A learning-rate policy of the LRBench catalogue, by its name.

  With the step t, those that do not repeat are

  ========  ===========================================  ====================
  name      rate                                         takes, besides `k0`
  ========  ===========================================  ====================
  FIX       :math:`k_0`
  STEP      :math:`k_0 \gamma^{\lfloor t / l \rfloor}`   `gamma`, `l`
  NSTEP     the same, a factor at each step listed       `gamma`, `l`
  EXP       :math:`k_0 \gamma^t`                         `gamma`
  INV       :math:`k_0 (1 + \gamma t)^{-p}`              `gamma`, `p`
  POLY      :math:`k_0 + (k_1 - k_0) (1 - t / l)^p`      `k1`, `p`, `l`
  SIG       :math:`k_0 / (1 + e^{-\gamma (t - l)})`      `gamma`, `l`
  ========  ===========================================  ====================

  and the others are waves between `k0` and `k1`: triangles (TRI from `k0`,
  DTRI from `k1`), sines (SIN, DSIN) and cosines (UPCOS, COS), up in `l` steps
  and down in as many; and restarts that fall for `l` steps along a line (RSW),
  a sine (SINRSW) or a cosine (COSRSW). The suffix 2 halves their amplitude each
  time they have come down to `k0`, and the suffix EXP, for which `gamma` is
  needed, multiplies it by :math:`\gamma^t`: TRI2, COSRSWEXP.

  Args:
    name: One of `POLICY_NAMES`, in capitals or not. Static.
    k0: The lower bound, or where FIX, STEP, NSTEP, EXP and INV start, or what
      SIG comes from, >= 0.
    k1: The upper bound, >= 0; where POLY starts.
    gamma: Decay base, in (0, 1]. For INV a growth >= 0, and for SIG a slope,
      negative for a decay.
    p: Power, > 0.
    l: Steps, >= 1: of half a wave, between restarts or drops, to the end of
      POLY or the middle of SIG. For NSTEP a sequence of steps >= 0. Static.
    restart_at_peak: Whether restarts begin at `k1`. False: with one step at
      `k0`, as LRBench has it. Static.

  Returns:
    A function from the step count, a scalar or array, to the rate.

  Raises:
    ValueError: If there is no such policy, if an argument that it takes is
      missing, or one is given that it does not take or is out of its range.

  Example:
    >>> import optax
    >>> import optax_stepsize
    >>> schedule = optax_stepsize.policy("TRI2", k0=0.1, k1=0.5, l=4)
    >>> tx = optax.sgd(schedule)
    >>> [round(float(schedule(step)), 6) for step in (0, 2, 4, 8, 12)]
    [0.1, 0.3, 0.5, 0.1, 0.3]

  References:
    Jin, Wei, Wang, Zhang and Wu, Rethinking Learning Rate Tuning in the Era of
    Large Language Models, 2023, arXiv 2309.08859; BibTeX by
    `optax_stepsize.cite("policy")`.
  """
  name = _known(name)
  needed = _needs(name)
  restarts = name.startswith(("RSW", "SINRSW", "COSRSW"))
  given: dict[str, Any] = {"k1": k1, "gamma": gamma, "p": p, "l": l}
  if missing := [key for key in needed if given[key] is None]:
    raise ValueError(f"policy: {name} needs {', '.join(missing)}.")
  core.check_choice("policy", "restart_at_peak", restart_at_peak, (True, False))
  superfluous = [
    key for key in given if given[key] is not None and key not in needed
  ]
  if not (restart_at_peak or restarts):
    superfluous.append("restart_at_peak")
  if superfluous:
    raise ValueError(
      f"policy: {name} does not take {', '.join(superfluous)}, only"
      f" {', '.join(('k0', *needed))}."
    )
  core.check_range("policy", "k0", k0, "[0, inf)")
  core.check_range("policy", "k1", k1, "[0, inf) or None")
  ranges = {"INV": "[0, inf)", "SIG": "(-inf, inf)"}
  interval = ranges.get(name, "(0, 1]")
  core.check_range("policy", "gamma", gamma, f"{interval} or None")
  core.check_range("policy", "p", p, "(0, inf) or None")
  length: Any = l if l is None else _check_length(name, l)

  def single(count: chex.Numeric) -> jax.Array:
    arguments = {**given, "l": length}
    arguments = {key: arguments[key] for key in needed}
    first = core.as_scalar(k0, _steps.float_dtype())
    return _SINGLE[name].rule(_steps.as_count(count), k0=first, **arguments)

  def repeating(count: chex.Numeric) -> jax.Array:
    count = _steps.as_count(count)
    base = name.removesuffix("EXP").removesuffix("2")
    form, start = _WAVES[base]
    share, cycle = _share(count, start, length, restart_at_peak)
    height = form(share)
    if name.endswith("EXP"):
      height = height * _steps.power(given["gamma"], count)
    elif name.endswith("2"):
      height = height * _cyclical.halved(cycle)
    return _cyclical.between(k0, given["k1"], height)

  return single if name in _SINGLE else repeating


def composite_policy(
  policies: Sequence[optax.Schedule | Mapping[str, Any]],
  boundaries: Sequence[int],
) -> optax.Schedule:
  """Policies one after another, each with a step count of its own.

  Args:
    policies: Schedules, or mappings with the arguments of `policy`, `name`
      included: one more than there are boundaries. Static.
    boundaries: Steps at which the next policy takes over, from its step 0 on,
      increasing and >= 1. Static.

  Returns:
    A function from the step count, a scalar or array, to the rate.

  Raises:
    ValueError: If an argument is out of its range, or of the wrong length.

  Example:
    >>> import optax_stepsize
    >>> schedule = optax_stepsize.composite_policy(
    ...   [
    ...     {"name": "TRI", "k0": 0.1, "k1": 0.5, "l": 4},
    ...     {"name": "EXP", "k0": 0.2, "gamma": 0.5},
    ...   ],
    ...   boundaries=[8],
    ... )
    >>> [round(float(schedule(step)), 6) for step in (0, 4, 7, 8, 9)]
    [0.1, 0.5, 0.2, 0.2, 0.1]

  References:
    Wu and Liu, Selecting and Composing Learning Rate Policies for Deep Neural
    Networks, 2022; Jin et al., arXiv 2309.08859.
  """
  name = "composite_policy"
  for boundary in boundaries:
    core.check_count(name, "boundaries", boundary, 1)
  starts = [0, *(int(boundary) for boundary in boundaries)]
  if any(low >= high for low, high in itertools.pairwise(starts)):
    raise ValueError(
      f"{name}: boundaries must be increasing, got {starts[1:]}."
    )
  if len(policies) != len(starts):
    raise ValueError(
      f"{name}: policies must be one more than boundaries, {len(starts)}, got"
      f" {len(policies)}."
    )
  schedules = [
    policy(**made) if isinstance(made, Mapping) else made for made in policies
  ]
  for schedule in schedules:
    if not callable(schedule):
      raise ValueError(
        f"{name}: policies must be schedules or mappings, got {schedule!r}."
      )

  def composite(count: chex.Numeric) -> jax.Array:
    count = _steps.as_count(count)
    dtype = _steps.float_dtype()
    rate = jnp.zeros(count.shape, dtype)
    for start, schedule in zip(starts, schedules, strict=True):
      local = jnp.maximum(count, start) - start
      rate = jnp.where(
        count >= start, core.as_scalar(schedule(local), dtype), rate
      )
    return rate

  return composite
