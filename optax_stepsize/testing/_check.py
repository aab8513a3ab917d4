# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The conformance check: every property, one subject, one report."""

from collections.abc import Callable, Collection, Mapping
import inspect
import time
from typing import Any
import warnings

import jax

from optax_stepsize import catalogue
from optax_stepsize import core
from optax_stepsize.testing import _composition
from optax_stepsize.testing import _devices
from optax_stepsize.testing import _numbers
from optax_stepsize.testing import _serialization
from optax_stepsize.testing import _transforms
from optax_stepsize.testing._report import Advice
from optax_stepsize.testing._report import Failure
from optax_stepsize.testing._report import NotApplicable
from optax_stepsize.testing._report import Report
from optax_stepsize.testing._subject import Subject

PROPERTIES: dict[str, Callable[[Subject], None]] = {
  check.__name__: check
  for check in (
    _transforms.avals,
    _transforms.donation,
    _numbers.zero,
    _numbers.tiny,
    _numbers.huge,
    _numbers.nonfinite,
    _numbers.dtype,
    _numbers.scalar_dtype,
    _numbers.bfloat16,
    _transforms.jit,
    _transforms.scan,
    _transforms.vmap,
    _transforms.retrace,
    _transforms.abstract,
    _transforms.traced,
    _composition.accumulation,
    _composition.masked,
    _composition.partition,
    _composition.leaves,
    _composition.extras,
    _composition.needs,
    _composition.origin,
    _numbers.counter,
    _devices.sharding,
    _devices.explicit,
    _devices.collectives,
    _devices.lowering,
    _serialization.serialization,
    _numbers.promotion,
    _numbers.rank,
  )
}


def _fill(
  factory: Callable[..., Any], hyperparameters: Mapping[str, Any]
) -> dict[str, Any]:
  """Completes arguments without a default: a rate of 0.1, or the row's."""
  filled = dict(hyperparameters)
  row = _row(factory)
  usual = {"learning_rate": 0.1, **(row.example if row else {})}
  for name, parameter in inspect.signature(factory).parameters.items():
    if name in filled or parameter.default is not inspect.Parameter.empty:
      continue
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
      continue
    if name not in usual:
      raise ValueError(
        f"check: {factory.__name__} needs the argument {name!r}. Fix: pass"
        f" hyperparameters={{{name!r}: ...}}."
      )
    filled[name] = usual[name]
  return filled


def _row(factory: Callable[..., Any]) -> catalogue.Row | None:
  for row in catalogue.ROWS.values():
    if row.factory is factory:
      return row
  return None


def _check_names(
  argument: str, given: tuple[str, ...], known: Collection[str]
) -> None:
  if isinstance(given, str):
    raise ValueError(
      f"check: {argument} must be a tuple of names, got {given!r}. Fix:"
      f" ({given!r},)."
    )
  unknown = [name for name in given if name not in known]
  if unknown:
    raise ValueError(
      f"check: {argument} must be among {', '.join(known)}, got"
      f" {', '.join(unknown)}."
    )


def check(
  factory: Callable[..., Any],
  hyperparameters: Mapping[str, Any] = {},
  *,
  needs: tuple[str, ...] = (),
  static: tuple[str, ...] = (),
  only: tuple[str, ...] = (),
) -> Report:
  """Checks a transformation, of this library or any, against its contract.

  The properties and what they mean are the docstrings in `PROPERTIES`. Rules
  that this library follows but Optax does not promise (named errors for integer
  leaves, rates given as arrays, float64 scalars) are advice for foreign code.

  For a factory of the catalogue, `needs`, `static` and required arguments come
  from its row where they are not given.

  Args:
    factory: Makes the transformation. A factory of schedules is checked as the
      rate of plain SGD.
    hyperparameters: Arguments for it. A required `learning_rate` is 0.1 if not
      given.
    needs: Inputs of `update` that it cannot do without, such as "value". The
      parameters are always given; declare "params" to have the error checked.
    static: Float arguments that must not be traced.
    only: Properties to check; by default all.

  Returns:
    A report, true when no property failed. Print it to read it.

  Raises:
    ValueError: If a name is unknown, or a required argument is not given.

  Example:
    >>> import optax
    >>> from optax_stepsize import testing
    >>> report = testing.check(optax.sgd, {"learning_rate": 0.1})
    >>> assert report, report
  """
  _check_names("needs", needs, core.INPUTS)
  _check_names("static", static, inspect.signature(factory).parameters)
  _check_names("only", only, PROPERTIES)
  row = _row(factory)
  needs = tuple(needs) or (row.needs if row else ())
  policies = 1 if "target_value" in needs else 0
  if row and row.kind == "twins":
    policies = 2
  subject = Subject(
    factory=factory,
    hyperparameters=_fill(factory, hyperparameters),
    needs=needs,
    policies=policies,
    static=tuple(static) or (row.static if row else ()),
    house=getattr(factory, "__module__", "").startswith("optax_stepsize."),
  )
  passed: list[str] = []
  failed: dict[str, str] = {}
  not_applicable: dict[str, str] = dict(row.exempt) if row else {}
  advisory: dict[str, str] = {}
  seconds: dict[str, float] = {}
  for name, holds in PROPERTIES.items():
    if name in not_applicable or (only and name not in only):
      continue
    start = time.perf_counter()
    try:
      # The settings of the caller must not decide the outcome.
      with (
        warnings.catch_warnings(),
        core.enable_x64(False),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
      ):
        warnings.simplefilter("ignore")
        holds(subject)
      passed.append(name)
    except NotApplicable as reason:
      not_applicable[name] = str(reason)
    except Advice as advice:
      (failed if subject.house else advisory)[name] = str(advice)
    except Failure as failure:
      failed[name] = str(failure)
    except Exception as error:  # Whatever foreign code raises is the finding.
      text = str(error).strip().splitlines()
      failed[name] = f"{type(error).__name__}: {text[0] if text else ''}"
    seconds[name] = time.perf_counter() - start
  return Report(
    name=getattr(factory, "__name__", repr(factory)),
    passed=tuple(passed),
    failed=failed,
    not_applicable=not_applicable,
    advisory=advisory,
    seconds=seconds,
  )
