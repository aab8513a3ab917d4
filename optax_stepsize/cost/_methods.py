# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is counted: methods by name, and Optax's counterpart of each."""

from collections.abc import Callable
import dataclasses
import difflib
import importlib
import inspect
import pathlib
import sys
from typing import Any

import optax

from optax_stepsize import catalogue

# Where names differ. Others are counterparts if they have the same name. None:
# Optax's lookahead works on pairs of parameters, and of D-Adaptation it has
# AdamW only.
_COUNTERPARTS: dict[str, str | None] = {
  "dadapt_adagrad": None,
  "dadapt_adam": "optax.contrib.dadapt_adamw",
  "dadapt_adan": None,
  "dadapt_lion": None,
  "dadapt_sgd": None,
  "ldog": "optax.scale_by_distance_over_gradients",
  "lookahead": None,
  "polyak_heavy_ball": None,  # Optax has none that keeps the last parameters.
  "policy_polyak": "optax.polyak_sgd",
  "polyak_moving_gradient": "optax.contrib.momo",
  "psps": "optax.contrib.momo_adam",
  "schedule_free": "optax.contrib.schedule_free_sgd",
  "schedule_free_radam": "optax.contrib.schedule_free_adamw",
  "smb": None,  # Optax has line searches, which evaluate as often as needed.
  "sps": "optax.polyak_sgd",
  "twin_polyak": None,  # Optax has none that needs no bound of the loss.
}


@dataclasses.dataclass(frozen=True)
class Method:
  """A method whose update can be compiled.

  Attributes:
    name: Name in tables.
    make: Makes the transformation or schedule.
    needs: Inputs of `update` to pass by keyword.
    row: Its row of the catalogue, if it has one.
  """

  name: str
  make: Callable[[], Any]
  needs: tuple[str, ...] = ("value",)
  row: catalogue.Row | None = None

  @property
  def is_schedule(self) -> bool:
    return self.row is not None and self.row.kind == "schedule"

  @property
  def twins(self) -> bool:
    return self.row is not None and self.row.kind == "twins"


def _attribute(root: Any, path: str) -> Any:
  for part in path.split("."):
    root = getattr(root, part)
  return root


def _with_rate(name: str, factory: Callable[..., Any]) -> Callable[[], Any]:
  """The factory with a learning rate, if it is that which it asks for."""
  if isinstance(factory, optax.GradientTransformation):
    return lambda: factory
  if not callable(factory):
    raise ValueError(f"{name} is not a factory of a transformation")
  missing = [
    p.name
    for p in inspect.signature(factory).parameters.values()
    if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
  ]
  if missing not in ([], ["learning_rate"]):
    raise ValueError(
      f"{name} cannot be made without {', '.join(missing)}. Fix: give a"
      " factory without arguments of your own, as package.module:factory."
    )
  # Its value does not matter: nothing is executed.
  return lambda: factory(**dict.fromkeys(missing, 1e-3))


def _imported(name: str) -> Any:
  module, _, path = name.partition(":")
  here = str(pathlib.Path.cwd())
  if here not in sys.path:
    sys.path.insert(0, here)
  try:
    return _attribute(importlib.import_module(module), path)
  except (ImportError, AttributeError, ValueError) as error:
    raise ValueError(f"cannot load {name!r}: {error}") from error


def _of_optax(name: str) -> Any:
  path = name.removeprefix("optax.")
  try:
    return _attribute(optax, path)
  except AttributeError as error:
    parent, _, last = path.rpartition(".")
    home = optax.contrib if parent == "contrib" else optax
    names = [other for other in dir(home) if not other.startswith("_")]
    near = difflib.get_close_matches(last, names, n=3)
    prefix = f"optax.{parent}." if home is optax.contrib else "optax."
    hint = " or ".join(prefix + match for match in near)
    raise ValueError(
      f"there is no {name}.{f' Did you mean {hint}?' if hint else ''}"
    ) from error


def _full_name(name: str) -> str | None:
  """Where Optax has something of that name."""
  for home, prefix in ((optax.contrib, "optax.contrib."), (optax, "optax.")):
    if callable(getattr(home, name, None)):
      return prefix + name
  return None


def find(name: str) -> Method:
  """The method of a name.

  Args:
    name: Name of a catalogue row; of an Optax optimizer, as `adamw`,
      `optax.adamw` or `optax.contrib.prodigy`; or `package.module:factory`,
      which is imported from the current folder too.

  Raises:
    ValueError: If there is none; offers the nearest names.
  """
  if ":" in name:
    return Method(name, _with_rate(name, _imported(name)))
  if name.startswith("optax."):
    return Method(name, _with_rate(name, _of_optax(name)))
  if name not in catalogue.ROWS and (full := _full_name(name)):
    return Method(full, _with_rate(full, _of_optax(full)))
  row = catalogue.get(name)
  if row.kind == "tool":
    raise ValueError(f"{name} is run outside of training: it has no update")
  return Method(name, lambda: row.factory(**row.example), row.needs, row)


def counterpart(method: Method) -> Method | None:
  """What Optax has in the place of a method of the catalogue, if anything."""
  if method.row is None or method.is_schedule:
    return None
  if method.name in _COUNTERPARTS:
    full = _COUNTERPARTS[method.name]
  else:
    full = _full_name(method.name)
  return find(full) if full else None
