# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Who takes part in a race, and which argument of each is tuned."""

from collections.abc import Callable
import dataclasses
import difflib
import inspect
import math
import re
from typing import NamedTuple

import chex
import numpy as np
import optax

from optax_stepsize import catalogue
from optax_stepsize import core
from optax_stepsize.compare import _foreign
from optax_stepsize.compare import _loading

# One of each room.
DEFAULT_METHODS = ("uba_schedule", "prodigy", "sps", "schedule_free_adamw")

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


def _adamw(rate: core.ScalarOrSchedule) -> optax.GradientTransformation:
  return _foreign.with_rate(optax.adamw, rate)


def _sgd(rate: core.ScalarOrSchedule) -> optax.GradientTransformation:
  return _foreign.with_rate(lambda rate: optax.sgd(rate, momentum=0.9), rate)


_BASES = {
  "adamw": _foreign.Base(_adamw, _ADAMW_RATE, "AdamW"),
  "sgd": _foreign.Base(_sgd, _SGD_RATE, "SGD, momentum 0.9"),
}
# Name -> base optimizer, whether the rate decays.
_BASELINES: dict[str, tuple[str, bool]] = {
  "adamw": ("adamw", False),
  "adamw_cosine": ("adamw", True),
  "sgd": ("sgd", False),
  "sgd_cosine": ("sgd", True),
}
BASELINES = tuple(_BASELINES)

_SPEC = re.compile(
  r"(?P<method>[\w.:]+?)(\+(?P<base>[\w.:]+))?"
  r"(@(?P<argument>\w+)=(?P<default>[^@=]+))?"
)


class _Spec(NamedTuple):
  """What a name asks for: method, base optimizer or None, sweep or None."""

  name: str
  method: str
  base: str | None
  sweep: tuple[str, float] | None


def _parse(text: str) -> _Spec:
  match = _SPEC.fullmatch(text)
  if match is None:
    raise ValueError(
      f"{text!r} must have the form METHOD, METHOD+BASE or"
      " METHOD@ARGUMENT=DEFAULT."
    )
  method, base, argument = match["method"], match["base"], match["argument"]
  name = method if base is None else f"{method}+{base}"
  if argument is None:
    return _Spec(name, method, base, None)
  try:
    default = float(match["default"])
  except ValueError:
    raise ValueError(
      f"{text!r}: the default of {argument} must be a number in (0, inf), got"
      f" {match['default']!r}."
    ) from None
  return _Spec(f"{name}@{argument}", method, base, (argument, default))


def _base(name: str, budget: dict[str, int | None]) -> _foreign.Base:
  """The optimizer that schedules, averages and wrappers are raced on."""
  if name in _BASES:
    return _BASES[name]
  if not _foreign.is_foreign(name):
    raise ValueError(
      f"unknown base optimizer {name!r}. There are {', '.join(_BASES)},"
      " optax.NAME and module:factory."
    )
  swept = _foreign.find_optimizer(name, budget=budget)
  return _foreign.Base(swept.factory, swept.default, name)


def _baseline(spec: _Spec, total_steps: int) -> Entry:
  name, decays = _BASELINES[spec.method]
  optimizer, default, _ = _BASES[name]
  if spec.sweep is not None:
    argument, default = spec.sweep
    if argument != "learning_rate":
      raise ValueError(
        f"{spec.method} is tuned by its learning_rate, got {argument}."
      )

  def factory(rate):
    if decays:
      rate = optax.cosine_decay_schedule(rate, total_steps)
    return optimizer(rate)

  settings = "momentum 0.9" if name == "sgd" else ""
  return Entry(spec.name, factory, "learning_rate", default, settings, True)


def _sweep(spec: _Spec, row: catalogue.Row) -> tuple[str, float]:
  """What is tuned: what the user says, else what the row says."""
  if spec.sweep is None:
    if row.sweep is None:
      raise ValueError(
        f"{row.name} cannot be compared: it has no argument to tune. Name one"
        f" ({row.name}@ARGUMENT=DEFAULT), or give an Entry of your own."
      )
    return row.sweep
  known = [
    name
    for name in inspect.signature(row.factory).parameters
    if name not in row.static
  ]
  if spec.sweep[0] not in known:
    raise ValueError(
      f"{row.name} has no argument {spec.sweep[0]} that can be tuned; there are"
      f" {', '.join(known)}."
    )
  return spec.sweep


def _row_entry(
  spec: _Spec, row: catalogue.Row, base: str, budget: dict[str, int | None]
) -> Entry:
  argument, default = _sweep(spec, row)
  total_steps = budget["total_steps"] or 1
  recommended = catalogue.Recommended()
  if row.race is not None:
    recommended = row.race(total_steps, budget["steps_per_epoch"])
  needs_base = row.kind in ("schedule", "averaging")
  if spec.base is not None and not needs_base:
    raise ValueError(
      f"{row.name} is an optimizer by itself and takes no base, got"
      f" {spec.base}."
    )
  words = [recommended.settings]
  fixed = dict(row.example)
  if needs_base:
    optimizer, rate, label = _base(base, budget)
    word = "peak" if row.kind == "schedule" else "rate"
    words.insert(0, f"{label}, {word} {rate:g}")
  if row.kind == "schedule":
    # Its peak and its length are those of the base optimizer and of the run.
    known = inspect.signature(row.factory).parameters
    fitted = {"peak_value": rate, "total_steps": total_steps}
    fixed |= {name: v for name, v in fitted.items() if name in known}
  fixed |= recommended.options
  fixed.pop(argument, None)

  def factory(value):
    made = row.factory(**fixed, **{argument: value})
    if row.kind == "schedule":
      made = optimizer(made)
    elif row.kind == "averaging":
      made = optax.chain(optimizer(rate), made)
    return made if recommended.wrap is None else recommended.wrap(made)

  settings = ", ".join(filter(None, words))
  return Entry(spec.name, factory, argument, default, settings)


def make_entry(
  name: str,
  *,
  total_steps: int,
  steps_per_epoch: int | None = None,
  base: str = "adamw",
) -> Entry:
  """The entry of a method: of the catalogue, of Optax or of your own.

  What is tuned is declared: the `sweep` of a catalogue row, `learning_rate` for
  all others, or what the name says after `@`.

  Args:
    name: One of

      - the name of a catalogue row. It takes part as its authors recommend, by
        the row's `race`. A schedule is raced as the rate of the base optimizer,
        with the peak at the centre of that one's own grid; an averaging method
        on it at that rate. `METHOD+BASE` names another base.
      - one of `BASELINES`;
      - `optax.NAME` or `optax.contrib.NAME`; with `+BASE` where it wraps an
        optimizer, such as `optax.contrib.mechanize+adamw`, whose rate is tuned;
      - `module:factory` for a function of your own that returns a
        transformation. Where it has arguments `total_steps` or
        `steps_per_epoch`, it is given them. `module:object` may also be an
        `Entry`.

      Each may be followed by `@ARGUMENT=DEFAULT`: the argument to tune instead,
      and the centre of its grid.
    total_steps: Steps of a run, which schedules are fitted to.
    steps_per_epoch: Steps per pass over the data, for methods that use it.
    base: What schedules and averages are raced on: `adamw`, `sgd`, one of
      Optax, or `module:factory`.

  Returns:
    The entry.

  Raises:
    ValueError: If there is no such method, it has nothing to tune, or its
      factory cannot be called like that.

  Example:
    >>> from optax_stepsize import compare
    >>> entry = compare.make_entry("optax.lion", total_steps=100)
    >>> entry.argument, entry.default
    ('learning_rate', 0.0003)
    >>> compare.make_entry("sps@max_step_size=1", total_steps=100).argument
    'max_step_size'
  """
  budget = {"total_steps": total_steps, "steps_per_epoch": steps_per_epoch}
  spec = _parse(name)
  if spec.method in catalogue.ROWS:
    row = catalogue.get(spec.method)
    return _row_entry(spec, row, spec.base or base, budget)
  if _foreign.is_foreign(spec.method):
    if ":" in spec.method:
      own = _loading.load_object(spec.method)
      if isinstance(own, Entry):
        return own
    wrapped = None if spec.base is None else _base(spec.base, budget)
    swept = _foreign.find_optimizer(spec.method, spec.sweep, budget, wrapped)
    return Entry(spec.name, *swept)
  if spec.base is not None:
    raise ValueError(
      f"{spec.method} is not a schedule or average of the catalogue and takes"
      f" no base, got {spec.base}."
    )
  if spec.method in _BASELINES:
    return _baseline(spec, total_steps)
  known = [*catalogue.ROWS, *_BASELINES]
  near = difflib.get_close_matches(spec.method, known, n=3, cutoff=0.4)
  hint = f" Did you mean {' or '.join(near)}?" if near else ""
  raise ValueError(
    f"unknown method {spec.method!r}.{hint} `optax-stepsize list` shows all;"
    f" there are also {', '.join(_BASELINES)}, optax.NAME and module:factory."
  )
