# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The one table of methods, from which tests, docs and commands are made."""

import difflib

from optax_stepsize.catalogue import _distance
from optax_stepsize.catalogue import _gradients
from optax_stepsize.catalogue import _iterates
from optax_stepsize.catalogue import _laws
from optax_stepsize.catalogue import _polyak
from optax_stepsize.catalogue import _probes
from optax_stepsize.catalogue import _schedules
from optax_stepsize.catalogue._row import Paper as Paper
from optax_stepsize.catalogue._row import Recommended as Recommended
from optax_stepsize.catalogue._row import Row as Row

_FAMILIES = (
  _schedules,
  _gradients,
  _distance,
  _polyak,
  _iterates,
  _laws,
  _probes,
)

ROWS: dict[str, Row] = {
  row.name: row for family in _FAMILIES for row in family.ROWS
}


def get(name: str) -> Row:
  """The row of a method.

  Args:
    name: Its public name.

  Raises:
    ValueError: If there is none of that name; offers the nearest.

  Example:
    >>> from optax_stepsize import catalogue
    >>> catalogue.get("prodigy").needs
    ('params',)
  """
  if name in ROWS:
    return ROWS[name]
  near = difflib.get_close_matches(str(name), ROWS, n=3, cutoff=0.4)
  hint = f" Did you mean {' or '.join(near)}?" if near else ""
  raise ValueError(
    f"unknown method {name!r}.{hint} `optax-stepsize list` shows all."
  )


def cite(name: str) -> str:
  """The BibTeX entry of a method's paper.

  Args:
    name: The method's public name.

  Raises:
    ValueError: If there is no such method; offers the nearest names.

  Example:
    >>> import optax_stepsize
    >>> print(optax_stepsize.cite("prodigy").splitlines()[0])
    @inproceedings{mishchenko2024prodigy,
  """
  return get(name).paper.bibtex()
