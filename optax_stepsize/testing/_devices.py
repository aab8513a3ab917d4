# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Properties of sharded training and of compilation for accelerators."""

from typing import Any

import jax
import jax.export
import jax.numpy as jnp
from jax.sharding import AxisType
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from optax_stepsize import core
from optax_stepsize.testing import _subject as subjects
from optax_stepsize.testing import _transforms
from optax_stepsize.testing._hlo import collectives_in
from optax_stepsize.testing._report import Failure
from optax_stepsize.testing._report import NotApplicable
from optax_stepsize.testing._subject import Subject

_DEVICES = 8
# Mesh shape -> specs. The matrix is sharded on its last axis, where a flattened
# product would gather it.
_LAYOUTS = {
  "FSDP": ((8,), {"bias": P(), "kernel": P(None, "data"), "scale": P()}),
  "TP": (
    (4, 2),
    {"bias": P("model"), "kernel": P("data", "model"), "scale": P()},
  ),
}


def _mesh(shape: tuple[int, ...], axis_type: AxisType) -> jax.sharding.Mesh:
  if jax.device_count() < _DEVICES:
    raise NotApplicable(
      f"needs {_DEVICES} devices, has {jax.device_count()}; on CPU set"
      " XLA_FLAGS=--xla_force_host_platform_device_count=8"
    )
  names = ("data", "model")[: len(shape)]
  return jax.make_mesh(
    shape,
    names,
    axis_types=(axis_type,) * len(shape),
    devices=jax.devices()[:_DEVICES],
  )


def _place(
  subject: Subject, layout: str, axis_type: AxisType
) -> tuple[Any, Any, Any]:
  shape, specs = _LAYOUTS[layout]
  mesh = _mesh(shape, axis_type)
  # Policies that are stacked are so along an axis that is not sharded.
  first = (None,) if subject.policies == 2 else ()
  shardings = {
    k: NamedSharding(mesh, P(*first, *spec)) for k, spec in specs.items()
  }
  return mesh, jax.device_put(subject.problem.init(), shardings), shardings


def _require_shardings(subject: Subject, state: Any, params: Any) -> None:
  expected = core.state_sharding(subject.tx, params)
  for (path, leaf), sharding in zip(
    jax.tree_util.tree_leaves_with_path(state),
    jax.tree.leaves(expected),
    strict=True,
  ):
    sharded = leaf.ndim and not sharding.is_fully_replicated
    if sharded and not leaf.sharding.is_equivalent_to(sharding, leaf.ndim):
      raise Failure(
        f"eager init gives {subjects.leaf_name(path)} the sharding"
        f" {leaf.sharding}, not that of its parameter"
      )


def sharding(subject: Subject) -> None:
  """FSDP and TP training on 8 devices equals training on one.

  Eager `init` gives state leaves the sharding of their parameter, and so does a
  jitted one through `state_sharding`.
  """
  for layout in _LAYOUTS:
    _, params, shardings = _place(subject, layout, AxisType.Auto)
    _require_shardings(subject, subject.tx.init(params), params)
    out = core.state_sharding(subject.tx, params)
    state = subjects.compiled(subject.tx.init, out_shardings=out)(params)
    step = subjects.compiled(
      subject.step, out_shardings=(shardings, out, shardings)
    )
    moves = []
    for _ in range(3):
      params, state, updates = step(params, state)
      moves.append(updates)
    _transforms.require_close(
      jax.tree.map(lambda *u: jnp.stack(u), *moves),
      subject.reference_moves,
      f"under {layout} and on one device",
    )


def explicit(subject: Subject) -> None:
  """Works on meshes with explicit axes, with equal results."""
  for layout in _LAYOUTS:
    mesh, params, _ = _place(subject, layout, AxisType.Explicit)
    with jax.set_mesh(mesh):
      moves = subjects.compiled(lambda p: subject.moves(subject.tx, p))(params)
    _transforms.require_close(
      moves,
      subject.reference_moves,
      f"under explicit {layout} and on one device",
    )


def collectives(subject: Subject) -> None:
  """A sharded update communicates scalars only, in all-reduces."""
  _, params, shardings = _place(subject, "FSDP", AxisType.Auto)
  out = core.state_sharding(subject.tx, params)
  state = jax.tree.map(
    lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s),
    jax.eval_shape(subject.tx.init, params),
    out,
  )
  inputs = subject.problem.inputs(subject.needs, subject.problem.init())
  functions = {k: v for k, v in inputs.items() if callable(v)}
  arrays = {k: v for k, v in inputs.items() if not callable(v)}

  def update(params, state, grads, arrays):
    return subject.tx.update(grads, state, params, **arrays, **functions)

  compiled = (
    subjects.compiled(update, out_shardings=(shardings, out))
    .lower(params, state, params, arrays)
    .compile()
  )
  # Four numbers of four bytes per leaf are plenty, wherever they are packed.
  budget = 64 * len(jax.tree.leaves(params))
  total = 0
  for operation, shapes, size in collectives_in(compiled.as_text() or ""):
    if operation != "all-reduce":
      raise Failure(f"an update contains {operation} of {shapes}")
    total += size
  if total > budget:
    raise Failure(f"all-reduces of {total} bytes, more than {budget}")


def lowering(subject: Subject) -> None:
  """An update lowers for TPU and CUDA, without callbacks and float64."""

  def run(params):
    return subject.step(params, subject.tx.init(params))

  exported = jax.export.export(jax.jit(run), platforms=("tpu", "cuda"))(
    subject.problem.init()
  )
  if "f64" in exported.mlir_module():
    raise Failure("float64 in a program for float32 parameters")
