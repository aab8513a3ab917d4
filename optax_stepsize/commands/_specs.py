# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Schedules as arguments of commands: NAME, and what it is called with."""

import ast
from collections.abc import Callable
import difflib
import functools
import inspect
import re
from typing import Any

import optax

from optax_stepsize import catalogue
from optax_stepsize import compare
from optax_stepsize import schedules

# Profiles that `budgeted` knows by name.
_PROFILES = (
  "constant",
  "cosine",
  "exponential",
  "inverse",
  "linear",
  "one_minus_sqrt",
  "rex",
)


def _names() -> dict[str, Callable[..., Any]]:
  """The functions of the room that make schedules."""
  return {
    name: function
    for name, function in inspect.getmembers(schedules, inspect.isfunction)
    if inspect.get_annotations(function).get("return")
    in (optax.Schedule, schedules.OneCycle)
  }


def _find(name: str) -> Callable[..., Any]:
  """What makes a schedule, or is one."""
  if ":" in name:
    return compare.load_object(name)
  names = _names()
  if name.startswith("optax."):
    found = getattr(optax, name.removeprefix("optax."), None)
    if found is not None:
      return found
    names = {
      f"optax.{key}": value
      for key, value in vars(optax).items()
      if key.endswith("schedule")
    }
  for known in (name, f"{name}_schedule"):
    if known in names:
      return names[known]
  if name in _PROFILES:
    return functools.partial(schedules.budgeted, name)
  near = difflib.get_close_matches(name, [*names, *_PROFILES], 3, 0.4)
  hint = f" Did you mean {' or '.join(near)}?" if near else ""
  raise ValueError(
    f"unknown schedule {name!r}.{hint} There are {', '.join(_names())}, the"
    f" profiles {', '.join(_PROFILES)}, optax.NAME and module:object."
  )


def _value(text: str) -> Any:
  """A number, a tuple or the like; all else is itself."""
  try:
    return ast.literal_eval(text)
  except (ValueError, SyntaxError):
    return text


def _fitted(total_steps: int, peak: float) -> dict[str, Any]:
  """Arguments without a default, for a run of that length and rate."""
  return {
    "peak_value": peak,
    "max_value": peak,
    "base_value": peak / 4,
    "value": peak,
    "k0": peak / 4,
    "k1": peak,
    "total_steps": total_steps,
    "decay_steps": total_steps,
    "transition_steps": total_steps,
    "warmup_steps": total_steps // 10,
    "step_size_up": max(total_steps // 10, 1),
    "l": max(total_steps // 10, 1),
    # Four cycles, each twice as long as that before it.
    "first_cycle_steps": max(total_steps // 15, 1),
    "budgets": tuple(sorted({-(-total_steps // k) for k in (4, 2, 1)})),
    "end_value": 0.0,
    "decay_rate": 0.1,
    "power": 1.0,
  }


def make(
  spec: str, total_steps: int, peak: float, warmup_steps: int | None = None
) -> Any:
  """Makes the schedule of a spec.

  Args:
    spec: NAME[:ARGUMENT=VALUE]...; @ does as well as the colon.
    total_steps: Budget, for arguments that want one.
    peak: Greatest rate, for arguments that want one.
    warmup_steps: Those of all schedules that have a warm-up; None: only where
      they cannot do without the argument, a tenth of the budget.

  Returns:
    A schedule, or a `OneCycle`.

  Raises:
    ValueError: If there is no such thing, or it cannot be called so.
  """
  name, given = _parse(spec)
  try:
    return _make(name, given, total_steps, peak, warmup_steps)
  except TypeError as error:
    raise ValueError(f"{spec}: {error}.") from error


def _make(name, given, total_steps, peak, warmup_steps):
  """Calls a factory with what was given and what it needs besides."""
  factory = _find(name)
  if not callable(factory):
    raise ValueError(f"{name} is not a function: it can be no schedule.")
  parameters = inspect.signature(factory).parameters
  required = [
    key
    for key, parameter in parameters.items()
    if parameter.default is parameter.empty
    and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
  ]
  if not given and required in (["count"], ["step"], ["steps"]):
    return factory  # a schedule, and not what makes one
  if unknown := [key for key in given if key not in parameters]:
    raise ValueError(
      f"{name} has no argument {unknown[0]}; it has {', '.join(parameters)}."
    )
  fitted = _fitted(total_steps, peak)
  always = ["total_steps"]
  if warmup_steps is not None:
    fitted["warmup_steps"] = warmup_steps
    always.append("warmup_steps")
  # The start of a warm-up, or else of the decay.
  fitted["init_value"] = 0.0 if "peak_value" in parameters else peak
  example = catalogue.get(name).example if name in catalogue.ROWS else {}
  # What is optional is left at its default; of an example, all goes together.
  wanted = required if given else [*required, *example]
  wanted = [*wanted, *(key for key in always if key in parameters)]
  fitted = {**example, **fitted}
  arguments = {key: fitted[key] for key in wanted if key in fitted} | given
  if missing := [key for key in required if key not in arguments]:
    raise ValueError(
      f"{name} needs {missing[0]}: say {name}:{missing[0]}=VALUE."
    )
  return factory(**arguments)


def _parse(spec: str) -> tuple[str, dict[str, Any]]:
  # The colon of module:object has no "=" behind it.
  name, *pairs = re.split(r"@|:(?=[A-Za-z_]\w*=)", spec)
  given = {}
  for pair in pairs:
    key, equals, text = pair.partition("=")
    if not (key and equals and text):
      raise ValueError(
        f"{spec!r} must have the form NAME or NAME:ARGUMENT=VALUE:..., got"
        f" {pair!r}."
      )
    given[key] = _value(text)
  return name, given


def split(text: str) -> tuple[str, ...]:
  """Specs with commas between them, not counting those in brackets."""
  return tuple(
    filter(None, map(str.strip, re.split(r",(?![^(\[]*[)\]])", text)))
  )
