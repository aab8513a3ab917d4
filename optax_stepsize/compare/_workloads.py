# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Finding workloads by name, and checking them before they are trained."""

from collections.abc import Callable
import difflib
import inspect
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optax_stepsize.compare import _loading
from optax_stepsize.compare import workloads

Workload = workloads.Workload

_FACTORIES: dict[str, Callable[..., Workload]] = {
  "logistic": workloads.logistic,
  "digits_mlp": workloads.digits_mlp,
  "digits_cnn": workloads.digits_cnn,
  "mnist1d": workloads.mnist1d,
  "byte_lm": workloads.byte_lm,
  "noisy_quadratic": workloads.noisy_quadratic,
  "river_valley": workloads.river_valley,
}
WORKLOADS = tuple(_FACTORIES)


def workload(name: str, *, batch_size: int | None = None) -> Workload:
  """A workload by its name, or one of your own.

  Args:
    name: One of `WORKLOADS`, or `module:object` for `load`.
    batch_size: Examples per step; None for what the workload itself says.

  Returns:
    The workload.

  Raises:
    MissingExtraError: If it needs a package that is not installed.
    ValueError: If there is none of that name, offering the nearest; or it has
      no batch size or not that one.

  Example:
    >>> from optax_stepsize import compare
    >>> compare.workload("river_valley").optimum
    0.0
  """
  own = ":" in name
  if not own and name not in _FACTORIES:
    near = difflib.get_close_matches(name, WORKLOADS, n=3, cutoff=0.4)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(
      f"unknown workload {name!r}.{hint} There are {', '.join(WORKLOADS)}, and"
      " module:object for one of your own."
    )
  if batch_size is None:
    return load(name) if own else _FACTORIES[name]()
  if own or "batch_size" not in inspect.signature(_FACTORIES[name]).parameters:
    raise ValueError(
      f"{name}: batch_size cannot be chosen for this workload, got"
      f" {batch_size}."
    )
  return _FACTORIES[name](batch_size=batch_size)


def load(spec: str) -> Workload:
  """A workload of your own.

  Args:
    spec: `module:object`, where the object is a `Workload` or a function
      without arguments that returns one. Modules are looked for in the working
      folder as well.

  Returns:
    The workload, as it is: `validate` checks it.

  Raises:
    ValueError: If there is no such module or object, or it is something else.
  """
  found = _loading.load_object(spec)
  if isinstance(found, Workload):
    return found
  if not callable(found):
    raise ValueError(
      f"{spec!r} must be a Workload or a function that returns one, got"
      f" {_kind(found)}."
    )
  try:
    made = found()
  except Exception as error:
    raise ValueError(
      f"{spec!r}, called without arguments, fails:"
      f" {type(error).__name__}: {error}."
    ) from error
  if not isinstance(made, Workload):
    raise ValueError(f"{spec!r} must return a Workload, got {_kind(made)}.")
  return made


def _kind(value: Any) -> str:
  return f"an object of type {type(value).__name__}"


_SHOWN = 6


def _shapes(tree: Any) -> str:
  """Shapes and dtypes in a tree, cut if it is big: `['x']: float32[2]`."""
  leaves = jax.tree_util.tree_leaves_with_path(tree)

  def text(path, leaf):
    where = jax.tree_util.keystr(path)
    shape = ",".join(map(str, leaf.shape))
    return f"{where}{': ' if where else ''}{leaf.dtype}[{shape}]"

  shown = [text(path, leaf) for path, leaf in leaves[:_SHOWN]]
  if len(leaves) > _SHOWN:
    shown.append(f"... {len(leaves)} arrays in all")
  return ", ".join(shown) or "no arrays"


def _is_float(leaf: Any) -> bool:
  return jnp.issubdtype(leaf.dtype, jnp.floating)


class _Checker:
  """The checks of one workload; every error starts with its name."""

  def __init__(self, workload: Workload):
    self._workload = workload

  def fail(self, function: str, what: str) -> None:
    raise ValueError(f"workload {self._workload.name}: {function} {what}.")

  def shapes_of(self, function: str, call: Any, **inputs: Any) -> Any:
    """Shapes of what a function returns, for inputs of these shapes."""
    try:
      return jax.eval_shape(call, *inputs.values())
    except Exception as error:
      # Whatever the user's code raises; the first line says what.
      lines = str(error).strip().splitlines() or [""]
      given = "; ".join(
        f"{name} {_shapes(value)}" for name, value in inputs.items()
      )
      raise ValueError(
        f"workload {self._workload.name}: {function} fails for {given}:"
        f" {type(error).__name__}: {lines[0]}"
      ) from error

  def scalar(self, function: str, what: str, value: Any) -> None:
    leaves = jax.tree.leaves(value)
    good = len(leaves) == 1 and leaves[0] is value
    if not good or value.shape != () or not _is_float(value):
      self.fail(
        function,
        f"must return {what}, a floating-point scalar, got {_shapes(value)}",
      )

  def fields(self) -> None:
    """Checks what is not a function."""
    for name in ("init_fn", "loss_fn", "batch_fn", "eval_fn"):
      value = getattr(self._workload, name)
      if not callable(value):
        self.fail(name, f"must be a function, got {_kind(value)}")
    for name in ("steps", "steps_per_epoch"):
      value = getattr(self._workload, name)
      if value is not None and (not isinstance(value, int) or value < 1):
        self.fail(name, f"must be an integer >= 1 or None, got {value!r}")
    for name in ("target", "optimum"):
      value = getattr(self._workload, name)
      number = isinstance(value, (int, float, np.floating))
      if value is not None and not (number and math.isfinite(value)):
        self.fail(name, f"must be a finite number or None, got {value!r}")


def validate(workload: Workload) -> None:
  """Checks that the functions of a workload fit together.

  Nothing is computed: shapes and dtypes alone are followed through all four
  functions and the gradient. Numbers that turn out infinite or NaN are found
  in training.

  Args:
    workload: What to check.

  Raises:
    ValueError: If a function fails or returns what another or the race cannot
      use; names the function and the shapes. Or if another field is wrong.

  Example:
    >>> import jax.numpy as jnp
    >>> from optax_stepsize import compare
    >>> compare.validate(
    ...     compare.Workload(
    ...         name="two_losses",
    ...         init_fn=lambda key: jnp.ones(2),
    ...         loss_fn=lambda params, batch: (params - batch) ** 2,
    ...         batch_fn=lambda key, step: 3.0,
    ...         eval_fn=lambda params: (params.sum(), jnp.nan),
    ...     )
    ... )
    Traceback (most recent call last):
    ValueError: workload two_losses: loss_fn must return the loss, a \
floating-point scalar, got float32[2].
  """
  if not isinstance(workload, Workload):
    raise ValueError(f"a workload must be a Workload, got {_kind(workload)}.")
  check = _Checker(workload)
  check.fields()
  key = jax.eval_shape(lambda: jax.random.key(0))
  step = jax.ShapeDtypeStruct((), jnp.int32)

  params = check.shapes_of("init_fn", workload.init_fn, key=key)
  leaves = jax.tree.leaves(params)
  if not leaves or not all(map(_is_float, leaves)):
    check.fail(
      "init_fn",
      f"must return floating-point parameters, got {_shapes(params)}",
    )
  batch = check.shapes_of("batch_fn", workload.batch_fn, key=key, step=step)
  inputs = {"parameters": params, "batch": batch}
  loss = check.shapes_of("loss_fn", workload.loss_fn, **inputs)
  check.scalar("loss_fn", "the loss", loss)
  # JAX itself sees to it that a gradient is a tree like its parameters.
  check.shapes_of(
    "the gradient of loss_fn", jax.grad(workload.loss_fn), **inputs
  )
  judged = check.shapes_of("eval_fn", workload.eval_fn, parameters=params)
  if not isinstance(judged, (tuple, list)) or len(judged) != 2:
    check.fail(
      "eval_fn",
      "must return two scalars, the evaluation loss and the accuracy (NaN"
      f" without one), got {_shapes(judged)}",
    )
  check.scalar("eval_fn", "first the evaluation loss", judged[0])
  check.scalar("eval_fn", "second the accuracy", judged[1])
  # As in a race: many runs at once. What only works for one fails here.
  several = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 2))
  check.shapes_of(
    "the vmap of init_fn, batch_fn, loss_fn and eval_fn over seeds",
    jax.vmap(lambda key: _one_run(workload, key)),
    keys=several,
  )


def _one_run(workload: Workload, key: jax.Array) -> Any:
  params = workload.init_fn(key)
  batch = workload.batch_fn(key, jnp.zeros((), jnp.int32))
  return jax.grad(workload.loss_fn)(params, batch), workload.eval_fn(params)
