# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Who takes part in a race, and which argument of each is tuned."""

from collections.abc import Callable
import dataclasses
import difflib
import math
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import catalogue
from optax_stepsize import core
from optax_stepsize import distance
from optax_stepsize import iterates
from optax_stepsize import polyak

DEFAULT_METHODS = (
  "uba_schedule",
  "prodigy",
  "dog",
  "schedule_free_adamw",
  "sps",
)

# The centres of the grids of rates. For AdamW, 1e-3 is the usual default, which
# small networks and short runs want more than: tuned baselines should not end
# up at the edge of their grid.
_ADAMW_RATE = 3e-3
_SGD_RATE = 1e-1
_FACTOR = 4.0


@dataclasses.dataclass(frozen=True)
class Entry:
  """A method in a race.

  Attributes:
    name: Name in tables and files.
    factory: From a value of the tuned argument, a traced scalar, to the
      transformation. `update` is given `value`, the loss of the batch.
    argument: Name of the tuned argument.
    default: Its value at the centre of the grid, > 0.
    settings: What is fixed and worth knowing, in a few words.
    baseline: Whether others are measured against it.
  """

  name: str
  factory: Callable[[chex.Numeric], optax.GradientTransformation]
  argument: str
  default: float
  settings: str = ""
  baseline: bool = False

  def __post_init__(self):
    if not (math.isfinite(self.default) and self.default > 0):
      raise ValueError(
        f"{self.name}: the default of {self.argument} must be in (0, inf), got"
        f" {self.default}."
      )

  def grid(self, values: int) -> np.ndarray:
    """The default times powers of four, ascending, float64 `(values,)`.

    An even grid has one value more above the default than below it.
    """
    exponents = np.arange(values) - (values - 1) // 2
    return self.default * _FACTOR**exponents


class _RateState(NamedTuple):
  """Attributes: `()` int32 count of updates; `()` float32 last rate."""

  count: jax.Array  # type: ignore[assignment]
  step_size: jax.Array


def _with_rate(
  make: Callable[..., optax.GradientTransformation],
  rate: core.ScalarOrSchedule,
) -> optax.GradientTransformation:
  """An Optax optimizer whose state shows its rate, as those of ours do."""

  def schedule(count):
    # As float: with strict promotion, Optax's schedules refuse integers.
    value = rate(count.astype(jnp.float32)) if callable(rate) else rate
    return jnp.asarray(value).astype(jnp.float32)

  def init(params):
    del params
    return _RateState(jnp.zeros((), jnp.int32), jnp.zeros((), jnp.float32))

  def update(updates, state, params=None):
    del params
    count = optax.safe_increment(state.count)
    return updates, _RateState(count, schedule(state.count))

  return optax.chain(make(schedule), optax.GradientTransformation(init, update))


def _adamw(rate: core.ScalarOrSchedule) -> optax.GradientTransformation:
  return _with_rate(optax.adamw, rate)


def _sgd(rate: core.ScalarOrSchedule) -> optax.GradientTransformation:
  return _with_rate(lambda rate: optax.sgd(rate, momentum=0.9), rate)


# Name -> optimizer, centre of the grid of rates, whether the rate decays.
_BASELINES: dict[str, tuple[Callable[..., Any], float, bool]] = {
  "adamw": (_adamw, _ADAMW_RATE, False),
  "adamw_cosine": (_adamw, _ADAMW_RATE, True),
  "sgd": (_sgd, _SGD_RATE, False),
  "sgd_cosine": (_sgd, _SGD_RATE, True),
}
BASELINES = tuple(_BASELINES)


def _baseline(name: str, total_steps: int) -> Entry:
  optimizer, default, decays = _BASELINES[name]

  def factory(rate):
    if decays:
      rate = optax.cosine_decay_schedule(rate, total_steps)
    return optimizer(rate)

  settings = "momentum 0.9" if optimizer is _sgd else ""
  return Entry(name, factory, "learning_rate", default, settings, True)


def _averaged_dog(method, **options):
  # The authors: comparisons without averaging are unfair to DoG.
  return optax.chain(method(**options), iterates.polynomial_decay_averaging())


def _recommended(
  name: str, total_steps: int, steps_per_epoch: int | None
) -> tuple[Callable[..., Any] | None, str]:
  """What the authors of a method say to use it with, and that in words."""
  if name == "dog":
    return lambda **o: _averaged_dog(distance.dog, **o), "averaged"
  if name == "ldog":
    return lambda **o: _averaged_dog(distance.ldog, **o), "averaged"
  if name == "prodigy":
    # A rate that falls from one to zero, without restarts.
    decay = optax.cosine_decay_schedule(1.0, total_steps)

    def rate(count):
      return decay(count.astype(jnp.float32))

    return lambda **o: distance.prodigy(rate, **o), "cosine"
  if name == "schedule_free_adamw":
    warmup = total_steps // 20
    return (
      lambda **o: iterates.schedule_free_adamw(warmup_steps=warmup, **o),
      f"warm-up {warmup}",
    )
  if name == "sps" and steps_per_epoch is not None:
    # The step may at most double in an epoch: the experiments with deep
    # networks use this in place of a largest step, which would need tuning.
    return (
      lambda **o: polyak.sps(
        smoothing=2.0, steps_per_epoch=steps_per_epoch, **o
      ),
      "smoothing 2",
    )
  return None, ""


def make_entry(
  name: str, *, total_steps: int, steps_per_epoch: int | None = None
) -> Entry:
  """The entry of a method of the catalogue, or a baseline.

  A schedule is raced as the rate of AdamW, with the peak at the centre of the
  grid of the AdamW baselines; an averaging method on AdamW at that rate.

  Args:
    name: Name of a catalogue row or one of `BASELINES`.
    total_steps: Steps of a run, which schedules are fitted to.
    steps_per_epoch: Steps per pass over the data, for methods that use it.

  Returns:
    The entry, with the options that the authors of the method recommend.

  Raises:
    ValueError: If there is no such method, or it has nothing to tune.
  """
  if name in _BASELINES:
    return _baseline(name, total_steps)
  if name not in catalogue.ROWS:
    known = [*catalogue.ROWS, *_BASELINES]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(
      f"unknown method {name!r}.{hint} `optax-stepsize list` shows all; there"
      f" are also {', '.join(_BASELINES)}."
    )
  row = catalogue.get(name)
  if row.sweep is None:
    raise ValueError(
      f"{name} cannot be compared: it has no argument to tune. Give an Entry"
      " of your own."
    )
  argument, default = row.sweep
  fixed = {k: v for k, v in row.example.items() if k != argument}
  if row.kind == "schedule":
    fixed |= {"peak_value": _ADAMW_RATE, "total_steps": total_steps}
    return Entry(
      name,
      lambda value: _adamw(row.factory(**fixed, **{argument: value})),
      argument,
      default,
      f"AdamW, peak {_ADAMW_RATE:g}",
    )
  if row.kind == "averaging":
    return Entry(
      name,
      lambda value: optax.chain(
        _adamw(_ADAMW_RATE), row.factory(**fixed, **{argument: value})
      ),
      argument,
      default,
      f"AdamW, rate {_ADAMW_RATE:g}",
    )
  recommended, settings = _recommended(name, total_steps, steps_per_epoch)
  make = recommended or row.factory
  return Entry(
    name,
    lambda value: make(**fixed, **{argument: value}),
    argument,
    default,
    settings,
  )
