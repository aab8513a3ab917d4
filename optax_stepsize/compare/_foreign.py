# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Optimizers that are not of the catalogue: Optax's, and the user's own."""

from collections.abc import Callable
import difflib
import functools
import inspect
import math
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
import optax.contrib

from optax_stepsize import core
from optax_stepsize.compare import _loading

# Centres of grids of rates for those of Optax whose usual rates are far from
# that of Adam: their step is the gradient itself, or has the size of a sign or
# of an orthogonal matrix.
_USUAL_RATES = {
  "optax.lion": 3e-4,
  "optax.noisy_sgd": 1e-1,
  "optax.optimistic_gradient_descent": 1e-1,
  "optax.sgd": 1e-1,
  "optax.sign_sgd": 3e-4,
  "optax.contrib.muon": 2e-2,
}
_ADAM_RATE = 3e-3


class RateState(NamedTuple):
  """Attributes: `()` int32 count of updates; `()` float32 last rate."""

  count: jax.Array  # type: ignore[assignment]
  step_size: jax.Array


def with_rate(
  make: Callable[[Any], optax.GradientTransformation],
  rate: core.ScalarOrSchedule,
) -> optax.GradientTransformation:
  """An optimizer whose state shows its rate, as those of ours do.

  Args:
    make: From the rate to the optimizer.
    rate: A number or a schedule.
  """
  scheduled = rate
  if callable(rate):
    # As float: with strict promotion, Optax's schedules refuse integers.
    def scheduled(count):
      return rate(count.astype(jnp.float32))

  def init(params):
    del params
    return RateState(jnp.zeros((), jnp.int32), jnp.zeros((), jnp.float32))

  def update(updates, state, params=None):
    del params
    now = scheduled(state.count) if callable(scheduled) else scheduled
    now = jnp.asarray(now).astype(jnp.float32)
    return updates, RateState(optax.safe_increment(state.count), now)

  return optax.chain(
    make(scheduled), optax.GradientTransformation(init, update)
  )


class _ScheduleFreeView(NamedTuple):
  """Optax's schedule-free state, with its own evaluation point."""

  inner: optax.OptState

  def eval_params(self, params: chex.ArrayTree) -> chex.ArrayTree:
    return optax.contrib.schedule_free_eval_params(self.inner, params)


def _with_evaluation_point(
  tx: optax.GradientTransformation,
) -> optax.GradientTransformationExtraArgs:
  """`tx`, evaluated where Optax says if it is one of its schedule-free ones."""
  tx = optax.with_extra_args_support(tx)

  def init(params):
    state = tx.init(params)
    if isinstance(state, optax.contrib.ScheduleFreeState):
      return _ScheduleFreeView(state)
    return state

  def update(updates, state, params=None, **extra_args):
    if not isinstance(state, _ScheduleFreeView):
      return tx.update(updates, state, params, **extra_args)
    updates, inner = tx.update(updates, state.inner, params, **extra_args)
    return updates, _ScheduleFreeView(inner)

  return optax.GradientTransformationExtraArgs(init, update)


class Swept(NamedTuple):
  """A factory with one argument left open.

  Attributes:
    factory: From a value of that argument, or a schedule, to the optimizer.
    argument: Its name.
    default: The centre of its grid.
    settings: What is fixed and worth knowing.
  """

  factory: Callable[[Any], optax.GradientTransformation]
  argument: str
  default: float
  settings: str = ""


def is_foreign(name: str) -> bool:
  """Whether a name is one of Optax or of a module of the user."""
  return name.startswith("optax.") or ":" in name


def _find(name: str) -> Any:
  """The object that a name stands for."""
  if ":" in name:
    return _loading.load_object(name)
  found: Any = optax
  for part in name.split(".")[1:]:
    if not hasattr(found, part):
      known = [n for n in dir(found) if not n.startswith("_")]
      near = difflib.get_close_matches(part, known, n=3, cutoff=0.5)
      home = name.rpartition(".")[0]
      hint = " or ".join(f"{home}.{n}" for n in near)
      raise ValueError(
        f"Optax has no {name}.{f' Did you mean {hint}?' if hint else ''}"
      )
    found = getattr(found, part)
  return found


def _is_number(value: Any) -> bool:
  return isinstance(value, (int, float)) and not isinstance(value, bool)


def _usual_rate(name: str, parameter: inspect.Parameter) -> float:
  given = parameter.default
  usual = given if _is_number(given) and given > 0 else _ADAM_RATE
  return float(_USUAL_RATES.get(name, usual))


def _choose(
  name: str, parameters: dict[str, inspect.Parameter]
) -> tuple[str, float]:
  """What is swept when the user does not say: the rate."""
  if "learning_rate" in parameters:
    return "learning_rate", _usual_rate(name, parameters["learning_rate"])
  numbers = [
    f"{name}@{key}={parameter.default:g}"
    for key, parameter in parameters.items()
    if isinstance(parameter.default, float) and 0 < parameter.default < math.inf
  ]
  example = (numbers or [f"{name}@ARGUMENT=DEFAULT"])[0]
  raise ValueError(
    f"{name} has no learning_rate: say what is to be tuned, such as {example}."
  )


class Base(NamedTuple):
  """An optimizer whose rate is a number or schedule, and its usual rate."""

  optimizer: Callable[[Any], optax.GradientTransformation]
  rate: float
  words: str


def _demanded(parameters: dict[str, inspect.Parameter]) -> list[str]:
  """Arguments without a default, other than a rate."""
  return [
    key
    for key, parameter in parameters.items()
    if parameter.default is parameter.empty
    and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    and key != "learning_rate"
  ]


def find_optimizer(
  name: str,
  sweep: tuple[str, float] | None = None,
  budget: dict[str, int | None] | None = None,
  base: Base | None = None,
) -> Swept:
  """An optimizer that a name stands for.

  Args:
    name: `optax.NAME`, `optax.contrib.NAME` or `module:factory`.
    sweep: The argument to leave open and its default; by default the
      `learning_rate`, that of the base if there is one.
    budget: Values of arguments that the factory is given if it has them.
    base: The optimizer that it wraps, for its first argument that has no
      default.

  Raises:
    ValueError: If there is no such thing, it lacks that argument, demands
      others, or does not make an optimizer.
  """
  make = _find(name)
  if not callable(make):
    raise ValueError(
      f"{name} must be a function that makes an optimizer, got an object of"
      f" type {type(make).__name__}."
    )
  parameters = dict(inspect.signature(make).parameters)
  given: dict[str, Any] = {
    key: value
    for key, value in (budget or {}).items()
    if key in parameters and value is not None
  }
  tuned = sweep and sweep[0]
  missing = [k for k in _demanded(parameters) if k not in (*given, tuned)]
  if base is not None and not missing:
    raise ValueError(
      f"{name} is an optimizer by itself and takes no base, got {base.words}."
    )
  wrapped, missing = (missing[0], missing[1:]) if base else ("", missing)
  if missing:
    hint = "" if base else f" If it wraps an optimizer, say {name}+adamw."
    raise ValueError(
      f"{name} demands {', '.join(missing)} as well: write a function that"
      f" gives them, and name it as module:function.{hint}"
    )
  argument, default = (
    sweep
    or (base and ("learning_rate", base.rate))
    or _choose(name, parameters)
  )
  given.pop(argument, None)
  open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
  takes = argument in parameters or open_ended
  if not takes and not (base and argument == "learning_rate"):
    raise ValueError(
      f"{name} has no argument {argument}; it has {', '.join(parameters)}."
    )
  words = []
  if base is not None and argument != "learning_rate":
    words.append(f"{base.words}, rate {base.rate:g}")
  elif base is not None:
    words.append(base.words)
  rate = parameters.get("learning_rate")
  if rate and rate.default is rate.empty and argument != rate.name:
    given[rate.name] = base.rate if base else _usual_rate(name, rate)
    if base is None:
      words.append(f"rate {given[rate.name]:g}")

  def build(value):
    options = given | ({argument: value} if takes else {})
    if base is not None:
      own = value if argument == "learning_rate" else base.rate
      options[wrapped] = base.optimizer(own)
    return make(**options)

  def factory(value):
    return _with_evaluation_point(build(value))

  _check(name, build, argument)
  settings = ", ".join(words)
  if argument == "learning_rate":
    factory = functools.partial(with_rate, factory)
  return Swept(factory, argument, default, settings)


def _check(
  name: str, build: Callable[[chex.Numeric], Any], argument: str
) -> None:
  """Makes one, with a traced number as in a race."""
  made: list[Any] = []

  def trace(value):
    made.append(build(value))

  try:
    jax.eval_shape(trace, jax.ShapeDtypeStruct((), jnp.float32))
  except Exception as error:
    # Whatever the factory raises; the first line says what.
    line = (str(error).strip().splitlines() or [""])[0]
    raise ValueError(
      f"{name} fails with a traced {argument}, which a race sweeps in one"
      f" program: {type(error).__name__}: {line}"
    ) from error
  tx = made[-1]
  if not (callable(getattr(tx, "init", None)) and hasattr(tx, "update")):
    raise ValueError(
      f"{name} must make an optax.GradientTransformation, got an object of"
      f" type {type(tx).__name__}."
    )
