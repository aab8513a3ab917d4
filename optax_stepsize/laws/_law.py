# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What all laws are: frozen records of numbers that can be written down."""

import dataclasses
import json
import math
from typing import Any, Self


def _plain(value: Any) -> Any:
  """A field as JSON has it, which knows no infinity."""
  if isinstance(value, float) and not math.isfinite(value):
    return str(value)
  return value


@dataclasses.dataclass(frozen=True)
class Law:
  """Base of the laws, which are frozen dataclasses of numbers and names."""

  def to_json(self) -> str:
    """The law as a JSON object, with all digits of its numbers."""
    fields = {
      field.name: _plain(getattr(self, field.name))
      for field in dataclasses.fields(self)
    }
    return json.dumps({"law": type(self).__name__, **fields})

  @classmethod
  def from_json(cls, text: str) -> Self:
    """The law that `to_json` wrote.

    Args:
      text: What `to_json` returned.

    Returns:
      A law of the class that this is called on, or of one below it: any law
      where it is called on `Law`.

    Raises:
      ValueError: If `text` is no law of that class.
    """
    try:
      fields = json.loads(text)
      name = fields.pop("law")
    except (AttributeError, KeyError, TypeError, ValueError):
      raise ValueError(
        f"{cls.__name__}.from_json: text must be what to_json() returned, got"
        f" {text!r}."
      ) from None
    laws = {law.__name__: law for law in _family(cls)}
    if name not in laws:
      raise ValueError(
        f"{cls.__name__}.from_json: text holds the law {name!r}, but must hold"
        f" one of {', '.join(sorted(laws))}."
      )
    known = {field.name: field for field in dataclasses.fields(laws[name])}
    unknown = sorted(set(fields) - set(known))
    missing = sorted(
      name
      for name, field in known.items()
      if name not in fields and field.default is dataclasses.MISSING
    )
    if unknown or missing:
      raise ValueError(
        f"{name}.from_json: text must have the fields {', '.join(known)}; it"
        f" lacks {missing} and has {unknown} besides."
      )
    numbers = {
      key: float(value) if known[key].type is float else value
      for key, value in fields.items()
    }
    return laws[name](**numbers)


def _family(cls: type[Any]) -> list[type[Any]]:
  family = [cls]
  for law in cls.__subclasses__():
    family += _family(law)
  return family
