# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Profiles: the shape of a decay as a function of spent budget, from 1 down.

A profile says what to decay along, `budgeted` adds the rest: peak and end,
budget, warm-up, phases, and how often the profile is read.
"""

from collections.abc import Callable
import dataclasses
import difflib
import math
from typing import overload, TypeAlias

import chex
import jax
import jax.numpy as jnp

from optax_stepsize import core
from optax_stepsize.schedules import _steps


@dataclasses.dataclass(frozen=True)
class Profile:
  """A function from progress to the share of the peak, both in [0, 1].

  Call it with progress of any shape; what is out of [0, 1] is clipped. `at`
  takes what is spent and what is left instead, so that near the end, where both
  are known as counts, no digit of `1 - progress` is lost.

  Attributes:
    name: The factory it comes from.
    rule: From spent, left and the parameters to the share of the peak; works
      elementwise.
    parameters: Numbers that shape it.

  Example:
    >>> import optax_stepsize
    >>> optax_stepsize.rex_profile(beta=0.9)
    Profile(name='rex_profile', parameters=(0.9,))
    >>> float(optax_stepsize.linear_profile().at(75, 25))
    0.25
  """

  name: str
  rule: Callable[..., jax.Array] = dataclasses.field(repr=False)
  parameters: tuple[chex.Numeric, ...] = ()

  def __call__(self, progress: chex.Numeric) -> jax.Array:
    """The share of the peak after a share `progress` of the budget."""
    dtype = _steps.float_dtype()
    progress = jnp.clip(jnp.asarray(progress).astype(dtype), 0, 1)
    return self.at(progress, 1 - progress)

  def at(self, spent: chex.Numeric, left: chex.Numeric) -> jax.Array:
    """The share of the peak, of amounts, integers or not, in any unit."""
    return self.rule(jnp.asarray(spent), jnp.asarray(left), *self.parameters)


ProfileLike: TypeAlias = str | Callable[[jax.Array], jax.Array]


def _shares(spent, left):
  whole = spent + left
  return _steps.share(spent, whole), _steps.share(left, whole)


def _parameter(value):
  return core.as_scalar(value, _steps.float_dtype())


def _rex(spent, left, beta):
  # (1 - p) / ((1 - beta) + beta (1 - p)): with p + (1 - p) = 1 the divisor is a
  # sum of positive terms for every beta < 1.
  spent, left = _shares(spent, left)
  return left / (left + (1 - _parameter(beta)) * spent)


def _linear(spent, left):
  return _steps.share(left, spent + left)


def _cosine(spent, left):
  # (1 + cos(pi p)) / 2, but unlike 1 + cos, the sine of a small angle keeps all
  # its digits.
  return jnp.sin(math.pi / 2 * _linear(spent, left)) ** 2


def _exponential(spent, left, final_factor):
  factor = _steps.fractional_power(final_factor, spent, spent + left)
  return jnp.where(left == 0, _parameter(final_factor), factor)


def _polynomial(spent, left, power):
  return _steps.share_power(left, spent + left, power)


def _inverse(spent, left, end_ratio):
  # 1 / ((1 - p) + p / r), in a form that is exactly r in the end.
  spent, left = _shares(spent, left)
  ratio = _parameter(end_ratio)
  return ratio / (ratio * left + spent)


def _one_minus_sqrt(spent, left):
  # 1 - sqrt(p) = (1 - p) / (1 + sqrt(p)).
  spent, left = _shares(spent, left)
  return left / (1 + jnp.sqrt(spent))


def _constant(spent, left):
  return jnp.ones_like(_linear(spent, left))


def uba_rule(spent: jax.Array, left: jax.Array, phi: chex.Numeric) -> jax.Array:
  """The rule of `uba_profile`; `phi` may be an array like the amounts.

  With u = (1 + cos(pi p)) / 2 = sin^2(pi (1 - p) / 2), the paper's factor is
  2 u / (phi + (2 - phi) u) = u / (u + phi / 2 (1 - u)), and 1 - u is
  sin^2(pi p / 2): both keep all their digits.
  """
  spent, left = _shares(spent, left)
  rising = jnp.sin(math.pi / 2 * left) ** 2
  falling = _parameter(phi) / 2 * jnp.sin(math.pi / 2 * spent) ** 2
  return rising / (rising + falling)


def rex_profile(beta: chex.Numeric = 0.5) -> Profile:
  r"""REX: high for long, and fastest at the end.

  .. math:: f(p) = \frac{1 - p}{(1 - \beta) + \beta (1 - p)}

  Args:
    beta: Bend, < 1: 1/2 is the paper's, zero is linear, below zero the decay is
      fastest at the start.

  Returns:
    The profile.

  Raises:
    ValueError: If `beta` is not below one.

  Example:
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> optax_stepsize.rex_profile()(jnp.array([0.0, 0.5, 1.0]))
    Array([1.       , 0.6666667, 0.       ], dtype=float32)

  References:
    Chen, Wolfe and Kyrillidis, arXiv 2107.04197.
  """
  core.check_range("rex_profile", "beta", beta, "(-inf, 1)")
  return Profile("rex_profile", _rex, (beta,))


def linear_profile() -> Profile:
  """:math:`1 - p`.

  Example:
    >>> import optax_stepsize
    >>> float(optax_stepsize.linear_profile()(0.25))
    0.75
  """
  return Profile("linear_profile", _linear)


def cosine_profile() -> Profile:
  r""":math:`(1 + \cos \pi p) / 2`.

  Example:
    >>> import optax_stepsize
    >>> round(float(optax_stepsize.cosine_profile()(0.5)), 6)
    0.5
  """
  return Profile("cosine_profile", _cosine)


def exponential_profile(final_factor: chex.Numeric = 0.01) -> Profile:
  """:math:`g^p`, which ends at g, not at zero.

  Args:
    final_factor: The share g of the peak in the end, in (0, 1].

  Returns:
    The profile.

  Raises:
    ValueError: If `final_factor` is out of its range.

  Example:
    Step decay by a factor of ten at 30, 60 and 90 per cent of the budget:

    >>> import optax_stepsize
    >>> schedule = optax_stepsize.budgeted(
    ...     optax_stepsize.exponential_profile(0.001 ** (1 / 0.9)), "30-60-90",
    ...     peak_value=1.0, total_steps=100,
    ... )
    >>> [round(float(schedule(step)), 6) for step in (29, 30, 60, 90)]
    [1.0, 0.1, 0.01, 0.001]
  """
  name = "exponential_profile"
  core.check_range(name, "final_factor", final_factor, "(0, 1]")
  return Profile(name, _exponential, (final_factor,))


def polynomial_profile(power: chex.Numeric) -> Profile:
  """:math:`(1 - p)^k`.

  Args:
    power: Exponent k, > 0.

  Returns:
    The profile.

  Raises:
    ValueError: If `power` is not positive.

  Example:
    >>> import optax_stepsize
    >>> float(optax_stepsize.polynomial_profile(2.0)(0.5))
    0.25
  """
  core.check_range("polynomial_profile", "power", power, "(0, inf)")
  return Profile("polynomial_profile", _polynomial, (power,))


def inverse_profile(end_ratio: chex.Numeric = 0.1) -> Profile:
  """:math:`1 / (1 - p + p / r)`, linear in the reciprocal; ends at r.

  Args:
    end_ratio: The share r of the peak in the end, in (0, 1].

  Returns:
    The profile.

  Raises:
    ValueError: If `end_ratio` is out of its range.

  Example:
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> optax_stepsize.inverse_profile(0.5)(jnp.array([0.0, 0.5, 1.0]))
    Array([1.       , 0.6666667, 0.5      ], dtype=float32)
  """
  core.check_range("inverse_profile", "end_ratio", end_ratio, "(0, 1]")
  return Profile("inverse_profile", _inverse, (end_ratio,))


def one_minus_sqrt_profile() -> Profile:
  r""":math:`1 - \sqrt p`, fastest at the start.

  Example:
    >>> import optax_stepsize
    >>> float(optax_stepsize.one_minus_sqrt_profile()(0.25))
    0.5
  """
  return Profile("one_minus_sqrt_profile", _one_minus_sqrt)


def constant_profile() -> Profile:
  """One everywhere.

  Example:
    >>> import optax_stepsize
    >>> float(optax_stepsize.constant_profile()(0.7))
    1.0
  """
  return Profile("constant_profile", _constant)


@overload
def uba_profile(progress: chex.Numeric, phi: chex.Numeric) -> jax.Array: ...


@overload
def uba_profile(phi: chex.Numeric, /) -> Profile: ...


@overload
def uba_profile(*, phi: chex.Numeric) -> Profile: ...


def uba_profile(
  progress: chex.Numeric | None = None, phi: chex.Numeric | None = None
) -> jax.Array | Profile:
  r"""The shape of UBA as a function of progress.

  .. math:: f_\phi(p) = \frac{1}{1 + \frac{\phi}{2} \tan^2(\pi p / 2)}

  Two arguments give values; one is the shape, and gives the profile.

  Args:
    progress: Spent share of the budget, in [0, 1]; clipped to it. Any shape.
    phi: Shape, > 0, see `uba_schedule`.

  Returns:
    Array of the shape of `progress`, from 1 down to 0; or the function of
    progress, for `budgeted`.

  Raises:
    ValueError: If `phi` is not positive.

  Example:
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> optax_stepsize.uba_profile(jnp.array([0.0, 0.5, 1.0]), 2.0)
    Array([1. , 0.5, 0. ], dtype=float32)
    >>> optax_stepsize.uba_profile(phi=2.0)
    Profile(name='uba_profile', parameters=(2.0,))

  References:
    Tang et al., arXiv 2505.24452.
  """
  if phi is None:
    progress, phi = None, progress
  core.check_range("uba_profile", "phi", phi, "(0, inf)")
  profile = Profile("uba_profile", uba_rule, (phi,))
  return profile if progress is None else profile(progress)


_NAMED: dict[str, Callable[[], Profile]] = {
  "rex": rex_profile,
  "linear": linear_profile,
  "cosine": cosine_profile,
  "exponential": exponential_profile,
  "constant": constant_profile,
  "inverse": inverse_profile,
  "one_minus_sqrt": one_minus_sqrt_profile,
}
# Names of profiles that need a number, and how to give it.
_SHAPED = {
  "polynomial": "polynomial_profile(power)",
  "uba": "uba_profile(phi)",
}


def as_profile(
  method: str, profile: ProfileLike, argument: str = "profile"
) -> Profile:
  """The profile of a name, or of a function of progress."""
  if isinstance(profile, Profile):
    return profile
  if callable(profile):
    function = profile

    def rule(spent, left):
      progress = _steps.share(spent, spent + left)
      return _parameter(function(progress))

    return Profile(getattr(function, "__name__", "profile"), rule)
  if profile in _NAMED:
    return _NAMED[profile]()
  if profile in _SHAPED:
    raise ValueError(
      f"{method}: {argument} {profile!r} has no default shape; pass the"
      f" callable {_SHAPED[profile]} in place of the name."
    )
  names = (*_NAMED, *_SHAPED)
  near = difflib.get_close_matches(str(profile), names, n=1, cutoff=0.4)
  hint = f" Did you mean {near[0]!r}?" if near else ""
  raise ValueError(
    f"{method}: {argument} must be callable or one of {', '.join(names)}, got"
    f" {profile!r}.{hint}"
  )
