# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compiles one update, without running it, and counts."""

from collections.abc import Callable, Sequence
import contextlib
import dataclasses
import math
from typing import Any
import warnings

import chex
import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec
import numpy as np
import optax

from optax_stepsize import core
from optax_stepsize import testing
from optax_stepsize.cost import _methods
from optax_stepsize.cost import _targets
from optax_stepsize.cost import _traffic
from optax_stepsize.cost import _tree


@dataclasses.dataclass(frozen=True)
class Collective:
  """What devices exchange in one update.

  Attributes:
    operation: Such as "all-reduce".
    count: How often.
    bytes: Bytes of the results on one device, of all of them together.
  """

  operation: str
  count: int
  bytes: int


@dataclasses.dataclass(frozen=True)
class Cost:
  """The cost of one update, of which parameters and state are donated.

  Attributes:
    name: The method.
    target: The device.
    parameters: Number of parameters.
    param_bytes: Bytes of the parameters.
    state_bytes: Bytes of the state.
    bytes_accessed: Bytes of main memory read and written.
    temporary_bytes: Bytes of memory needed besides arguments and results.
    aliased_bytes: Bytes of results that took the place of arguments; those of
      parameters and state together, if the update is in place.
    flops: Floating-point operations, if the compiler says.
    compiler_bytes: Bytes accessed, if the compiler says, in its own way.
    devices: Over how many devices parameters were sharded to count collectives.
    collectives: Those, one for each kind; None if `devices` is 1.
    stated_state_bytes: State bytes per parameter in the method's catalogue row.
    stated_min_bytes: Least bytes accessed per parameter in that row.
  """

  name: str
  target: str
  parameters: int
  param_bytes: int
  state_bytes: int
  bytes_accessed: int
  temporary_bytes: int
  aliased_bytes: int
  flops: float | None
  compiler_bytes: float | None
  devices: int
  collectives: tuple[Collective, ...] | None
  stated_state_bytes: float | None = None
  stated_min_bytes: float | None = None

  def per_parameter(self, number: float) -> float:
    """A number of bytes or operations, per parameter."""
    return number / max(1, self.parameters)

  @property
  def in_place(self) -> float:
    """Share of the bytes of parameters and state that was updated in place."""
    donated = self.param_bytes + self.state_bytes
    return min(1.0, self.aliased_bytes / donated) if donated else 1.0


def _size(tree: chex.ArrayTree) -> int:
  return sum(
    math.prod(leaf.shape) * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(tree)
  )


def _half_square(params: chex.ArrayTree) -> jax.Array:
  """Stands in for the loss: no function of the parameters costs less."""
  terms = [jnp.sum(core.widen(p) ** 2) for p in jax.tree.leaves(params)]
  return 0.5 * sum(terms, jnp.zeros(()))


# Inputs of `update` that are functions.
_FUNCTIONS: dict[str, Callable[..., Any]] = {
  "value_fn": _half_square,
  "value_and_grad_fn": jax.value_and_grad(_half_square),
  "hvp_fn": lambda vector: vector,
  "logits_fn": lambda params: _half_square(params)[None],
}


def _inputs(
  needs: Sequence[str],
  params: chex.ArrayTree,
  scalar: NamedSharding,
  twins: bool,
) -> dict[str, Any]:
  """Shapes of the inputs of `update` that are arrays."""
  values = (2,) if twins else ()
  shapes = {
    "value": jax.ShapeDtypeStruct(values, jnp.float32, sharding=scalar),
    "target_value": jax.ShapeDtypeStruct((), jnp.float32, sharding=scalar),
    "task_id": jax.ShapeDtypeStruct((), jnp.int32, sharding=scalar),
    "grad": params,
    "hvp": params,
    "probe": params,
  }
  unknown = set(needs) - {"params", *shapes, *_FUNCTIONS}
  if unknown:
    raise ValueError(
      f"needs must be among params, {', '.join([*shapes, *_FUNCTIONS])}; got"
      f" {', '.join(sorted(unknown))}"
    )
  return {name: shapes[name] for name in needs if name in shapes}


def _compile(
  tx: optax.GradientTransformationExtraArgs,
  needs: Sequence[str],
  params: chex.ArrayTree,
  devices: Sequence[Any],
  twins: bool,
) -> Any:
  """The compiled update of parameters that are sharded over devices."""
  mesh = Mesh(np.array(devices), ("data",))
  replicated = NamedSharding(mesh, PartitionSpec())

  def at(shape, sharding):
    return jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=sharding)

  params = jax.tree.map(at, params, _tree.fully_sharded(params, mesh))
  state_shardings = core.state_sharding(tx, params)
  state = jax.tree.map(at, jax.eval_shape(tx.init, params), state_shardings)
  inputs = _inputs(needs, params, replicated, twins)
  functions = {k: v for k, v in _FUNCTIONS.items() if k in needs}

  # The compiler pairs donated buffers with results in this order. With another,
  # it copies.
  def step(params, state, grads, inputs):
    updates, state = tx.update(grads, state, params, **inputs, **functions)
    return optax.apply_updates(params, updates), state

  shardings = jax.tree.map(lambda p: p.sharding, params), state_shardings
  step = jax.jit(step, donate_argnums=(0, 1), out_shardings=shardings)
  return step.lower(params, state, params, inputs).compile()


@contextlib.contextmanager
def _lenient(name: str):
  """Tells of errors by the method's name; what is counted must not warn."""
  with (
    # Also a method that mixes dtypes has a cost.
    jax.numpy_dtype_promotion("standard"),
    jax.numpy_rank_promotion("allow"),
    warnings.catch_warnings(),
  ):
    # What is not donated shows in `aliased_bytes`.
    warnings.filterwarnings("ignore", "Some donated buffers were not usable")
    try:
      yield
    except Exception as error:  # whatever the method may raise
      raise ValueError(f"{name} does not compile: {error}") from error


def _collectives(text: str) -> tuple[Collective, ...]:
  sizes: dict[str, list[int]] = {}
  for operation, _, size in testing.collectives_in(text):
    sizes.setdefault(operation, []).append(size)
  return tuple(Collective(k, len(v), sum(v)) for k, v in sorted(sizes.items()))


def measure(
  method: str | Callable[[], Any] | _methods.Method,
  *,
  params: chex.ArrayTree | None = None,
  target: str = "cpu",
  devices: int = 8,
  needs: Sequence[str] | None = None,
) -> Cost:
  """Counts what one update of a method costs, without running it.

  Compiled is `update` and `optax.apply_updates` in one function, of which
  parameters and state are donated. Functions of the model that an update calls
  are replaced by those of half the squared norm of the parameters.

  Args:
    method: A factory without arguments, or a name that `find` knows.
    params: Tree of arrays or `jax.ShapeDtypeStruct`; by default
      `gpt_params()`. Methods that train twins are given two of it, and both are
      counted.
    target: A name in `TARGETS`.
    devices: Over how many devices to shard the parameters in order to count
      collectives; 1 for none.
    needs: Inputs of `update` besides parameters and gradients; by default those
      of the catalogue row, or `value` where there is none.

  Returns:
    The cost.

  Raises:
    MissingCompilerError: If the compiler for the target is not installed.
    ValueError: If the method is a schedule, or cannot be compiled; if there is
      no such method or target, or not as many devices.

  Example:
    >>> from optax_stepsize import cost
    >>> small = cost.gpt_params(width=32, layers=1, vocabulary=64, positions=8)
    >>> prodigy = cost.measure("prodigy", params=small, devices=1)
    >>> round(prodigy.per_parameter(prodigy.state_bytes))
    16
  """
  if devices < 1:
    raise ValueError(f"devices must be >= 1, got {devices}")
  if isinstance(method, str):
    method = _methods.find(method)
  elif not isinstance(method, _methods.Method):
    method = _methods.Method(getattr(method, "__name__", "factory"), method)
  needs = method.needs if needs is None else tuple(needs)
  place = _targets.get_target(target)
  found = place.devices(devices)
  params = _tree.gpt_params() if params is None else params
  if method.twins:
    params = _tree.stacked(params)

  with _lenient(method.name):
    made = method.make()
  if not isinstance(made, optax.GradientTransformation):
    what = "a schedule" if method.is_schedule or callable(made) else repr(made)
    raise ValueError(f"{method.name} is {what}: it has no update to count")
  with _lenient(method.name):
    tx = optax.with_extra_args_support(made)
    one = _compile(tx, needs, params, found[:1], method.twins)
    several = None
    if devices > 1:
      several = _compile(tx, needs, params, found, method.twins)
    state_bytes = _size(jax.eval_shape(tx.init, params))

  memory = one.memory_analysis()
  counted = one.cost_analysis() or {}
  return Cost(
    name=method.name,
    target=target,
    parameters=sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params)),
    param_bytes=_size(params),
    state_bytes=state_bytes,
    bytes_accessed=_traffic.bytes_accessed(one.as_text()),
    temporary_bytes=memory.temp_size_in_bytes,
    aliased_bytes=memory.alias_size_in_bytes,
    flops=counted.get("flops"),
    compiler_bytes=counted.get("bytes accessed"),
    devices=devices,
    collectives=None if several is None else _collectives(several.as_text()),
    stated_state_bytes=method.row.state_bytes if method.row else None,
    stated_min_bytes=method.row.min_bytes if method.row else None,
  )
