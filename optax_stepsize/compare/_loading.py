# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Objects of the user's own, named on a command line."""

import importlib
import os
import sys
from typing import Any


def load_object(spec: str) -> Any:
  """What `module:object` names.

  Modules are looked for in the working folder as well, and there first.

  Args:
    spec: Name of a module, a colon, and the name of something in it, which may
      have dots.

  Returns:
    The object.

  Raises:
    ValueError: If the module cannot be imported or has no such object.
  """
  name, _, attribute = spec.partition(":")
  if not name or not attribute:
    raise ValueError(f"{spec!r} must have the form module:object.")
  folder = os.getcwd()
  sys.path.insert(0, folder)
  try:
    found = importlib.import_module(name)
  except Exception as error:
    # Of all kinds: it is the user's code that runs.
    raise ValueError(
      f"{spec!r}: module {name!r} cannot be imported:"
      f" {type(error).__name__}: {error}."
    ) from error
  finally:
    sys.path.remove(folder)
  for part in attribute.split("."):
    if not hasattr(found, part):
      raise ValueError(f"{spec!r}: {found!r} has no {part!r}.")
    found = getattr(found, part)
  return found
