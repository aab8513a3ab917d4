# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The subject of a check and the small training problem it is put to.

The problem is a quadratic with curvatures from 0.1 to 1 and a minimum away from
the origin. Its tree has a matrix to shard, a vector and a scalar. Compilation
is what a check costs, so the compiled functions here are shared by properties.
"""

from collections.abc import Callable, Mapping
import dataclasses
import functools
import inspect
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core

SHAPES = {"bias": (16,), "kernel": (8, 16), "scale": ()}
# Streams of gradients that `Subject.feed` takes all have this length.
FEED_STEPS = 60


def tree(seed: int, shapes: Mapping[str, Any] | None = None) -> chex.ArrayTree:
  """Standard normal float32 leaves of the problem's shapes.

  They are NumPy's, as all constants of the problem: what NumPy computes need
  not be compiled.
  """
  rng = np.random.default_rng(seed)
  shapes = SHAPES if shapes is None else shapes
  return {
    name: np.asarray(rng.standard_normal(shape), np.float32)
    for name, shape in shapes.items()
  }


def compiled(function: Callable[..., Any], **options: Any) -> Any:
  """`jax.jit` that saves the passes which only make a program faster.

  What is compiled here runs once: the CPU compiler is the cost of a check.
  """
  if jax.default_backend() == "cpu":
    options["compiler_options"] = {
      "xla_backend_optimization_level": 0,
      "xla_llvm_disable_expensive_passes": True,
    }
  return jax.jit(function, **options)


@dataclasses.dataclass(frozen=True)
class Problem:
  """Loss 0.5 sum c (p - t)^2 on a tree of the given shapes.

  Attributes:
    shapes: Name and shape of each leaf, of one copy of the parameters.
    policies: If not zero, `value` is the return of so many policies, which is
      minus the loss of each. Two are stacked along a first axis of all leaves,
      and the loss is the sum of theirs.
  """

  shapes: tuple[tuple[str, tuple[int, ...]], ...] = tuple(SHAPES.items())
  policies: int = 0

  @property
  def sizes(self) -> dict[str, tuple[int, ...]]:
    """Shapes of the leaves, stacked if they are."""
    first = (2,) if self.policies == 2 else ()
    return {name: (*first, *shape) for name, shape in self.shapes}

  def stacked(self, params: chex.ArrayTree) -> chex.ArrayTree:
    """`params`, or two unequal policies that begin with it."""
    if self.policies < 2:
      return params
    return jax.tree.map(lambda p: jnp.stack([p, 2 * p]), params)

  def init(self, dtype: Any = jnp.float32) -> chex.ArrayTree:
    start = tree(0, self.sizes)
    return jax.tree.map(
      lambda x: jnp.asarray((np.float32(0.1) * x).astype(dtype)), start
    )

  def curvature(self) -> chex.ArrayTree:
    noise = tree(1, self.sizes)
    return jax.tree.map(
      lambda x: np.asarray(
        np.exp(1.15 * (np.clip(x, -1, 1) - 1)), dtype=np.float32
      ),
      noise,
    )

  def target(self) -> chex.ArrayTree:
    noise = tree(2, self.sizes)
    return jax.tree.map(lambda x: np.asarray(x + 0.5, np.float32), noise)

  def loss(self, params: chex.ArrayTree) -> jax.Array:
    return jnp.sum(self._losses(params))

  def value(self, params: chex.ArrayTree) -> jax.Array:
    """What `update` takes as `value`: the loss, or the return of each policy.

    The best return there is is zero.
    """
    losses = self._losses(params)
    return -losses if self.policies else losses

  def as_value(self, number: Any) -> Any:
    """A number as `value`; of two policies, one is that far from the best."""
    if self.policies < 2:
      return -number if self.policies else number
    return jnp.stack([-number, jnp.zeros_like(number)])

  def _losses(self, params: chex.ArrayTree) -> jax.Array:
    first = 1 if self.policies == 2 else 0
    terms = jax.tree.map(
      lambda p, c, t: jnp.sum(
        c * (core.widen(p) - t.astype(core.wide_dtype(p.dtype))) ** 2,
        axis=tuple(range(first, p.ndim)),
      ),
      params,
      self._cast(self.curvature(), params),
      self.target(),
    )
    zero = jnp.zeros((2,) if first else ())
    return 0.5 * sum(jax.tree.leaves(terms), zero)

  def gradient(self, params: chex.ArrayTree) -> chex.ArrayTree:
    return jax.tree.map(
      lambda p, c, t: (c * (core.widen(p) - t.astype(c.dtype))).astype(p.dtype),
      params,
      self._cast(self.curvature(), params),
      self.target(),
    )

  def _cast(self, values, params):
    return jax.tree.map(
      lambda v, p: v.astype(core.wide_dtype(p.dtype)), values, params
    )

  def inputs(
    self, needs: tuple[str, ...], params: chex.ArrayTree
  ) -> dict[str, Any]:
    """The declared inputs of `update` at `params`, by name."""

    def hvp(v):
      return jax.tree.map(
        lambda c, x: (c * core.widen(x)).astype(x.dtype),
        self._cast(self.curvature(), v),
        v,
      )

    probe = jax.tree.map(
      lambda p, x: jnp.asarray(np.sign(x).astype(p.dtype)),
      params,
      tree(3, self.sizes),
    )
    makers: dict[str, Callable[[], Any]] = {
      "value": lambda: self.value(params),
      "target_value": lambda: jnp.zeros(()),
      "grad": lambda: self.gradient(params),
      "value_fn": lambda: self.loss,
      "value_and_grad_fn": lambda: lambda p: (self.loss(p), self.gradient(p)),
      "hvp": lambda: hvp(probe),
      "probe": lambda: probe,
      "hvp_fn": lambda: hvp,
      "task_id": lambda: jnp.zeros((), jnp.int32),
      "logits_fn": lambda: (
        lambda p: jnp.stack(
          [jnp.sum(core.widen(x)) for x in jax.tree.leaves(p)]
        )
      ),
    }
    return {name: makers[name]() for name in needs if name != "params"}


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
  """A factory with its arguments, and what is run of it again and again.

  Attributes:
    factory: Makes a transformation or a schedule.
    hyperparameters: Arguments of the factory.
    needs: Inputs of `update` that the factory declares.
    static: Arguments that must not be traced.
    house: Whether the rules of this library bind it.
    policies: As in `Problem`.
  """

  factory: Callable[..., Any]
  hyperparameters: Mapping[str, Any]
  needs: tuple[str, ...]
  static: tuple[str, ...]
  house: bool
  policies: int = 0

  @functools.cached_property
  def problem(self) -> Problem:
    return Problem(policies=self.policies)

  @functools.cached_property
  def small(self) -> Problem:
    """One small leaf: eagerly, JAX compiles every operation for every shape."""
    return Problem((("w", (3,)),), self.policies)

  def make(self, **changes: Any) -> optax.GradientTransformationExtraArgs:
    """The transformation; a schedule is checked as the rate of plain SGD."""
    made = self.factory(**{**self.hyperparameters, **changes})
    if self.is_schedule:
      made = optax.scale_by_learning_rate(made)
    return optax.with_extra_args_support(made)

  @functools.cached_property
  def tx(self) -> optax.GradientTransformationExtraArgs:
    return self.make()

  @functools.cached_property
  def is_schedule(self) -> bool:
    made = self.factory(**self.hyperparameters)
    return not isinstance(made, optax.GradientTransformation)

  @functools.cached_property
  def parameters(self) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(self.factory).parameters

  def update(
    self, tx: Any, grads: Any, state: Any, params: Any, problem: Problem
  ) -> tuple[Any, Any]:
    """One update with the declared inputs."""
    return tx.update(grads, state, params, **problem.inputs(self.needs, params))

  def step(
    self,
    params: Any,
    state: Any,
    tx: Any = None,
    problem: Problem | None = None,
  ) -> tuple[Any, Any, Any]:
    """One training step: parameters, state and updates."""
    problem = self.problem if problem is None else problem
    updates, state = self.update(
      self.tx if tx is None else tx,
      problem.gradient(params),
      state,
      params,
      problem,
    )
    return optax.apply_updates(params, updates), state, updates

  @functools.cached_property
  def stable(self) -> bool:
    """Whether a state after an update can take the place of a fresh one."""
    params = self.problem.init()
    state = jax.eval_shape(self.tx.init, params)
    _, new_state, _ = jax.eval_shape(self.step, params, state)

    def avals(tree):
      return jax.tree.map(lambda x: (x.shape, str(x.dtype)), tree)

    return bool(avals(state) == avals(new_state))

  def repeat(
    self, body: Callable[..., Any], carry: Any, stream: Any
  ) -> chex.ArrayTree:
    """The stacked outputs of `body`, which is called as `lax.scan` calls it.

    A scan compiles one step instead of all, but asks for states of unchanging
    shapes and dtypes; `avals` alone should blame a method for other ones.
    """
    if self.stable:
      return jax.lax.scan(body, carry, stream)[1]
    outputs = []
    for i in range(len(jax.tree.leaves(stream)[0])):
      carry, output = body(carry, jax.tree.map(lambda x, i=i: x[i], stream))
      outputs.append(output)
    return jax.tree.map(lambda *u: jnp.stack(u), *outputs)

  def moves(self, tx: Any, params: Any) -> chex.ArrayTree:
    """The updates of the first three steps, stacked; for use under `jit`.

    Trajectories are compared by these: parameters would hide in their own
    rounding the tiny first moves of distance methods.
    """

    def body(carry, _):
      params, state, updates = self.step(carry[0], carry[1], tx)
      return (params, state), updates

    return self.repeat(body, (params, tx.init(params)), jnp.arange(3))

  @functools.cached_property
  def reference_moves(self) -> chex.ArrayTree:
    """`moves` from a jitted step, called again and again."""
    params, state = self.problem.init(), self.tx.init(self.problem.init())
    moves = []
    for _ in range(3):
      params, state, updates = self.jitted_step(params, state)
      moves.append(updates)
    return jax.tree.map(lambda *u: jnp.stack(u), *moves)

  @functools.cached_property
  def jitted_step(self) -> Callable[..., tuple[Any, Any, Any]]:
    return compiled(self.step)

  @functools.cached_property
  def jitted_train(self) -> Callable[..., tuple[Any, Any]]:
    """Trains for `steps` updates from parameters of any dtype."""

    def train(params, steps):
      def body(_, carry):
        params, state = carry
        params, state, _ = self.step(params, state)
        return params, state

      return jax.lax.fori_loop(0, steps, body, (params, self.tx.init(params)))

    return compiled(train)

  @functools.cached_property
  def feed(self) -> Callable[..., tuple[Any, Any, Any]]:
    """Feeds a stream of gradients and loss values.

    Returns, for each step, whether updates and state were finite, and the final
    parameters. Leaves of the state that are infinite from the start may stay.
    """

    def run(params, grads, values):
      first = self.tx.init(params)

      def finite(tree, initial):
        leaves = [
          jnp.all(jnp.isfinite(x) | ~jnp.isfinite(x0))
          for x, x0 in zip(
            jax.tree.leaves(tree), jax.tree.leaves(initial), strict=True
          )
          if jnp.issubdtype(x.dtype, jnp.floating)
        ]
        return functools.reduce(jnp.logical_and, leaves, jnp.asarray(True))

      def body(carry, stream):
        params, state = carry
        grad, value = stream
        inputs = self.problem.inputs(self.needs, params)
        replaced = {"value": self.problem.as_value(value), "grad": grad}
        inputs |= {k: v for k, v in replaced.items() if k in inputs}
        updates, state = self.tx.update(grad, state, params, **inputs)
        ok = finite(updates, updates_like) & finite(state, first)
        return (optax.apply_updates(params, updates), state), ok

      updates_like = jax.tree.map(jnp.zeros_like, params)
      (params, state), ok = jax.lax.scan(body, (params, first), (grads, values))
      return ok, params, state

    return compiled(run)


def distance(actual: chex.ArrayTree, expected: chex.ArrayTree) -> float:
  """Largest relative error over leaves, by the norm of each leaf."""
  worst = 0.0
  for a, b in zip(
    jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True
  ):
    a = np.asarray(a, dtype=np.float64)
    b = np.asarray(b, dtype=np.float64)
    if not np.all(np.isfinite(a) == np.isfinite(b)):
      return float("inf")
    scale = max(np.linalg.norm(b), np.linalg.norm(a))
    error = np.linalg.norm(a - b)
    worst = max(worst, float(error / scale) if scale else 0.0)
  return worst


def structure(tree: chex.ArrayTree) -> Any:
  """The structure of a tree."""
  return jax.tree.structure(tree)


def describe(shape: Any) -> str:
  """A leaf's dtype, shape and weakness, as messages show them."""
  weak = " weakly typed" if getattr(shape, "weak_type", False) else ""
  return f"{shape.dtype}{list(shape.shape)}{weak}"


def leaf_name(path: Any, root: str = "state") -> str:
  """A readable path of a leaf."""
  return root + jax.tree_util.keystr(path)
