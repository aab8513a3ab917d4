# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""One clear line where an optional dependency is missing."""

import importlib.util

# Module -> name of the distribution.
_DISTRIBUTIONS = {
  "flax": "flax",
  "matplotlib": "matplotlib",
  "rich": "rich",
  "sklearn": "scikit-learn",
}


class MissingExtraError(ImportError):
  """A package of the extra `compare` is not installed."""


def require(*modules: str) -> None:
  """Checks that optional modules are installed, without importing them.

  Args:
    *modules: Names of modules; by default all that the extra `compare` brings.

  Raises:
    MissingExtraError: If one is not; says how to install it.
  """
  missing = [
    _DISTRIBUTIONS[module]
    for module in modules or _DISTRIBUTIONS
    if importlib.util.find_spec(module) is None
  ]
  if missing:
    raise MissingExtraError(
      f'this needs {", ".join(missing)}: pip install "optax-stepsize[compare]"'
    )
