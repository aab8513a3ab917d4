# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Properties of numbers: zeros, extremes, dtypes and counters."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core
from optax_stepsize.testing import _subject as subjects
from optax_stepsize.testing._report import Advice
from optax_stepsize.testing._report import Failure
from optax_stepsize.testing._report import NotApplicable
from optax_stepsize.testing._subject import FEED_STEPS
from optax_stepsize.testing._subject import Subject


def _noise(subject: Subject, scale: float = 1.0) -> Any:
  """A stream of gradients; random, so that no method runs away on them."""
  shapes = {k: (FEED_STEPS, *v) for k, v in subject.problem.sizes.items()}
  return jax.tree.map(
    lambda x: np.asarray(scale * x, np.float32), subjects.tree(4, shapes)
  )


def _require_finite(
  subject: Subject, grads: Any, value: float, what: str
) -> None:
  values = np.full(FEED_STEPS, value, np.float32)
  ok, params, _ = subject.feed(subject.problem.init(), grads, values)
  ok = np.asarray(ok)
  if not ok.all():
    step = int(np.argmin(ok))
    raise Failure(
      f"{what}: updates or state are not finite from step {step} on"
    )
  for leaf in jax.tree.leaves(params):
    if not np.isfinite(np.asarray(leaf)).all():
      raise Failure(f"{what}: parameters are not finite")


def zero(subject: Subject) -> None:
  """Zero gradients at any time, and rates that start at zero, leave no NaN."""
  noise = _noise(subject)

  def masked(steps):
    keep = np.ones(FEED_STEPS, np.float32)
    keep[steps] = 0
    return jax.tree.map(
      lambda g: g * keep.reshape(-1, *[1] * (g.ndim - 1)), noise
    )

  for steps, what in (
    (slice(0, 1), "a zero first gradient"),
    (slice(20, 21), "a zero gradient in the middle"),
    (slice(5, 55), "fifty zero gradients"),
    (slice(None), "zero gradients only"),
  ):
    _require_finite(subject, masked(steps), 1.0, what)
  one_leaf = dict(noise, kernel=np.zeros_like(noise["kernel"]))
  _require_finite(subject, one_leaf, 1.0, "zero gradients in one leaf")
  _require_finite(subject, masked(slice(None)), 0.0, "zero gradients and loss")
  if "learning_rate" in subject.parameters:
    rates = jnp.array([0.0, 0.0, 1e-2])
    tx = subject.make(learning_rate=lambda count: rates[jnp.minimum(count, 2)])
    moves = subjects.compiled(lambda p: subject.moves(tx, p))(
      subject.problem.init()
    )
    for leaf in jax.tree.leaves(moves):
      if not np.isfinite(np.asarray(leaf)).all():
        raise Failure(
          "a schedule that starts with zeros: updates are not finite"
        )


def tiny(subject: Subject) -> None:
  """Gradients of 1e-30, whose squares are zero in float32, leave no NaN."""
  _require_finite(subject, _noise(subject, 1e-30), 1e-30, "gradients of 1e-30")


def huge(subject: Subject) -> None:
  """Gradients of 1e15 leave no infinity."""
  _require_finite(subject, _noise(subject, 1e15), 1e15, "gradients of 1e15")


def nonfinite(subject: Subject) -> None:
  """What is not finite is kept out of parameters and state.

  A non-finite gradient is stopped by `optax.apply_if_finite`. That looks at
  gradients only, so a method has to stop a non-finite `value`, `target_value`
  or `hvp` itself: zero updates, and a state that is unchanged but for counters.
  """
  params = subject.problem.init()
  tx = optax.apply_if_finite(subject.tx, max_consecutive_errors=5)

  @subjects.compiled
  def guarded(params, state, scale):
    grads = jax.tree.map(lambda g: g * scale, subject.problem.gradient(params))
    updates, state = subject.update(tx, grads, state, params, subject.problem)
    return optax.apply_updates(params, updates), state

  state = tx.init(params)
  before, state = guarded(params, state, jnp.asarray(1.0))
  after, bad_state = guarded(before, state, jnp.asarray(jnp.nan))
  if subjects.distance(after, before):
    raise Failure("a NaN gradient moves parameters through apply_if_finite")
  if subjects.distance(bad_state.inner_state, state.inner_state):
    raise Failure("a NaN gradient changes the state through apply_if_finite")

  @subjects.compiled
  def poisoned(params, state, name_scales):
    inputs = subject.problem.inputs(subject.needs, params)
    for name, scale in name_scales.items():
      inputs[name] = jax.tree.map(lambda x, s=scale: x * s, inputs[name])
    return subject.tx.update(
      subject.problem.gradient(params), state, params, **inputs
    )

  _, state = poisoned(params, subject.tx.init(params), {})
  for name in ("value", "target_value", "hvp"):
    if name not in subject.needs:
      continue
    for bad in (jnp.nan, jnp.inf, -jnp.inf):
      updates, new_state = poisoned(params, state, {name: jnp.asarray(bad)})
      if any(np.any(np.asarray(u) != 0) for u in jax.tree.leaves(updates)):
        raise Failure(f"{name}={bad} gives an update that is not zero")
      for (path, old), new in zip(
        jax.tree_util.tree_leaves_with_path(state),
        jax.tree.leaves(new_state),
        strict=True,
      ):
        counts = jnp.issubdtype(old.dtype, jnp.integer)
        if not counts and not np.array_equal(old, new):
          raise Failure(f"{name}={bad} changes {subjects.leaf_name(path)}")


def _update_dtypes(subject: Subject, dtype: Any, tx: Any = None) -> None:
  params = subject.problem.init(dtype)
  tx = subject.tx if tx is None else tx

  def run(params):
    return subject.step(params, tx.init(params), tx)[2]

  for name, update in jax.eval_shape(run, params).items():
    if update.dtype != dtype:
      raise Failure(
        f"parameters of {jnp.dtype(dtype)} get updates of {update.dtype}"
        f" ({name})"
      )


def dtype(subject: Subject) -> None:
  """Updates have the dtype of the parameters, whatever the rate is given as."""
  narrow = (jnp.bfloat16, jnp.float16)
  for parameter_dtype in (*narrow, jnp.float32):
    _update_dtypes(subject, parameter_dtype)
  with core.enable_x64(True):
    _update_dtypes(subject, jnp.float64)
  if "learning_rate" not in subject.parameters:
    return
  rate = subject.hyperparameters.get(
    "learning_rate", subject.parameters["learning_rate"].default
  )
  rate = rate if isinstance(rate, float) else 0.01
  scalars = (np.float16(rate), np.float32(rate), np.float64(rate))
  arrays = (
    jnp.asarray(rate, jnp.float32),
    lambda count: jnp.asarray(rate, jnp.float32),
  )
  for given in (*scalars, *arrays):
    shown = "a schedule" if callable(given) else f"{type(given).__name__}"
    for parameter_dtype in (*narrow, jnp.float32):
      try:
        tx = subject.make(learning_rate=given)
        _update_dtypes(subject, parameter_dtype, tx)
      except Failure as failure:
        raise Advice(f"with the rate given as {shown}, {failure}") from None


def scalar_dtype(subject: Subject) -> None:
  """Scalars in the state are float32, float64 for float64 parameters."""

  def scalars(dtype):
    params = {"w": jnp.zeros((4, 3), dtype), "b": jnp.zeros(3, dtype)}
    params = subject.problem.stacked(params)
    state = jax.eval_shape(subject.tx.init, params)
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
      if leaf.shape == () and jnp.issubdtype(leaf.dtype, jnp.floating):
        yield subjects.leaf_name(path), leaf.dtype

  for parameter_dtype in (jnp.bfloat16, jnp.float16):
    for name, found in scalars(parameter_dtype):
      if jnp.finfo(found).bits < 32:
        raise Failure(
          f"{name} is {found} for {jnp.dtype(parameter_dtype)} parameters:"
          " its sums stop growing"
        )
  with core.enable_x64(True):
    for name, found in scalars(jnp.float64):
      if found != jnp.float64:
        raise Advice(f"{name} is {found} for float64 parameters")


def bfloat16(subject: Subject) -> None:
  """200 steps with bfloat16 parameters do what they do in float32.

  They reach nine tenths of the float32 run's decrease of the loss, and for
  states with a `step_size` that is within 2 % of the float32 run's. A step that
  is computed from `value` is the quotient of two numbers that vanish at the
  minimum, where nothing but rounding is left of them in bfloat16: it is
  compared after five steps, well before.
  """
  start = subject.problem.init(jnp.bfloat16)
  wide = jax.tree.map(core.widen, start)

  def run(steps):
    for params in (start, wide):
      params, state = subject.jitted_train(params, steps)
      loss = float(subject.problem.loss(core.eval_params(state, params)))
      yield loss, core.step_sizes(state)

  initial = float(subject.problem.loss(start))
  (narrow_loss, narrow_steps), (loss, steps) = run(200)
  if not initial - narrow_loss >= 0.9 * (initial - loss) - 1e-6:
    raise Failure(
      f"from a loss of {initial:.3g}, 200 steps reach {loss:.3g} in float32"
      f" but {narrow_loss:.3g} in bfloat16"
    )
  if "value" in subject.needs:
    (_, narrow_steps), (_, steps) = run(5)
  for path, step in steps.items():
    error = subjects.distance(narrow_steps[path], step)
    if not error <= 0.02:
      raise Failure(f"{path} differs by {error:.2g} from the float32 run")


def counter(subject: Subject) -> None:
  """Counters stop at 2^31 - 1 instead of wrapping around."""
  params = subject.problem.init()
  top = np.iinfo(np.int32).max
  found = []

  def saturate(path, leaf):
    if leaf.shape == () and leaf.dtype == jnp.int32:
      found.append(path)
      return jnp.asarray(top, jnp.int32)
    return leaf

  state = jax.tree_util.tree_map_with_path(saturate, subject.tx.init(params))
  if not found:
    raise NotApplicable("no counter in the state")
  _, state, updates = subject.jitted_step(params, state)
  for path, leaf in jax.tree_util.tree_leaves_with_path(state):
    if path in found and leaf < 0:
      raise Failure(f"{subjects.leaf_name(path)} wraps around to {leaf}")
  for leaf in jax.tree.leaves(updates):
    if not np.isfinite(np.asarray(leaf)).all():
      raise Failure(f"updates are not finite when counters are at {top}")


def _trace(subject: Subject, parameter_dtype: Any) -> None:
  params = subject.problem.init(parameter_dtype)
  # A new function each time: the settings under test take part in tracing.
  jax.eval_shape(lambda p: subject.step(p, subject.tx.init(p)), params)


def promotion(subject: Subject) -> None:
  """Works with `jax_numpy_dtype_promotion="strict"`."""
  with jax.numpy_dtype_promotion("strict"):
    for parameter_dtype in (jnp.float32, jnp.bfloat16, jnp.float16):
      _trace(subject, parameter_dtype)


def rank(subject: Subject) -> None:
  """Works with `jax_numpy_rank_promotion="raise"`."""
  with jax.numpy_rank_promotion("raise"):
    _trace(subject, jnp.float32)
