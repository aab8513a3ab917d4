# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests that Polyak methods see k micro-batches as the batch of all of them."""

from collections.abc import Mapping
import functools
from typing import Any, NamedTuple

from absl.testing import absltest
from absl.testing import parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import catalogue
from optax_stepsize import core

FAMILY = tuple(
  row
  for row in catalogue.ROWS.values()
  if row.family == "polyak" and row.kind in ("transformation", "twins")
)
K = 4
STEPS = 3


class Case(NamedTuple):
  """A method, and what its `update` is given beside `params` and `value`."""

  factory: Any
  options: Mapping[str, Any] = {}
  inputs: tuple[str, ...] = ()
  averaged: Any = ("value",)
  policies: int = 0  # that are stacked; of these `value` is the return


# What factory defaults do not show.
OPTIONS = {
  "sps_smoothed": Case(
    optax_stepsize.sps,
    {"smoothing": 2.0, "steps_per_epoch": 5, "weight_decay": 0.01},
  ),
  "sps_bound": Case(
    optax_stepsize.sps, {}, ("f_min",), averaged=("value", "f_min")
  ),
  "psps_probes": Case(
    optax_stepsize.psps,
    {"preconditioner": "hutchinson", "warmup_probes": 3, "slack": "l2"},
    ("hvp_fn",),
  ),
  "psps_diagonal": Case(
    optax_stepsize.psps,
    {"preconditioner": "hutchinson", "hutchinson_decay": 0.5},
    ("hessian_diag",),
    averaged={"value": (), "hessian_diag": "params"},
  ),
  "momo_estimated": Case(
    optax_stepsize.momo, {"adapt_lower_bound": True, "bias_correction": True}
  ),
  "smb_refused": Case(  # trial steps, for which the model is made
    optax_stepsize.smb, {"learning_rate": 2.0}, ("value_and_grad_fn",)
  ),
  "smb_independent": Case(
    optax_stepsize.smb, {"independent_batch": True}, ("value_and_grad_fn",)
  ),
}


def case_of(row):
  """A row of the catalogue with factory defaults."""
  case = Case(row.factory, row.example, row.needs)
  if row.kind == "twins":
    return case._replace(policies=2, averaged={"value": (2,)})
  if "target_value" in row.needs:
    return case._replace(policies=1, averaged=("value", "target_value"))
  return case


CASES = OPTIONS | {row.name: case_of(row) for row in FAMILY}
CASES["twin_polyak_averaged"] = CASES["twin_polyak"]._replace(
  options={"b1": 0.5}
)


def problem(dtype):
  """Batches of least squares: STEPS times K micro-batches of 6."""
  rng = np.random.RandomState(0)
  inputs = rng.standard_normal((STEPS, K, 6, 3))
  noise = rng.standard_normal((STEPS, K, 6))
  targets = inputs @ [1.0, -2.0, 0.5] + 0.1 * noise
  return np.asarray(inputs, dtype), np.asarray(targets, dtype)


def start(dtype, policies=0):
  params = {"w": np.array([0.5, 0.5, -1.0], dtype), "b": np.ones((), dtype)}
  if policies < 2:
    return params
  return jax.tree.map(lambda x: np.stack([x, 0.5 * x]), params)


def loss(params, batch):
  inputs, targets = batch
  errors = inputs @ params["w"] + params["b"] - targets
  return jnp.mean(errors**2)


def gradient(case, params, batch):
  grad = jax.grad(loss)
  if case.policies == 2:
    return jax.vmap(grad, (0, None))(params, batch)
  return grad(params, batch)


def value(case, params, batch):
  if case.policies == 2:
    return -jax.vmap(loss, (0, None))(params, batch)
  return -loss(params, batch) if case.policies else loss(params, batch)


def hvp(params, vector, batch):
  return jax.jvp(jax.grad(lambda p: loss(p, batch)), (params,), (vector,))[1]


def diagonal(params, batch):
  hessian = jax.hessian(loss)(params, batch)
  return {"w": jnp.diag(hessian["w"]["w"]), "b": hessian["b"]["b"]}


def supply(case, params, batch, over):
  """Inputs of `update` by name: of `batch`, or functions that `over` makes."""
  makers = {
    "value": lambda: value(case, params, batch),
    "target_value": lambda: 0.1 * jnp.mean(batch[0]),
    "f_min": lambda: 0.1 * jnp.mean(batch[0]),
    "hessian_diag": lambda: diagonal(params, batch),
    "value_fn": lambda: over(loss),
    "value_and_grad_fn": lambda: over(jax.value_and_grad(loss)),
    "hvp_fn": lambda: over(functools.partial(hvp, params)),
  }
  names = set(case.inputs) - {"params"} | {"value"}
  return {name: makers[name]() for name in sorted(names)}


def trainer(tx, case, micro):
  """From parameters, batches and what is added to losses to all updates.

  Batches have the axes update, micro-batch, example. With `micro`, `tx` is
  called with each micro-batch, and functions are those of the whole batch.
  """

  def call(carry, batch, functions_of, added):
    params, state = carry
    grads = gradient(case, params, batch)
    inputs = supply(case, params, batch, functions_of)
    inputs["value"] += added
    updates, state = tx.update(grads, state, params, **inputs)
    return (optax.apply_updates(params, updates), state), updates

  def step(carry, data):
    batches, added = data
    if micro:
      return jax.lax.scan(
        lambda carry, one: call(
          carry,
          one[0],
          lambda fn: core.mean_over_batches(fn, batches),
          one[1],
        ),
        carry,
        (batches, added),
      )
    inputs, targets = batches
    batch = inputs.reshape(-1, 3), targets.reshape(-1)
    return call(carry, batch, lambda fn: lambda x: fn(x, batch), added.mean())

  def run(params, batches, added):
    carry = params, tx.init(params)
    (params, state), updates = jax.lax.scan(step, carry, (batches, added))
    return params, state, updates

  return run


@functools.cache
def trained(name, dtype):
  """Whole batches and micro-batches: first as they are, then with a NaN."""
  case = CASES[name]
  tx = case.factory(**case.options)
  runs = (
    trainer(tx, case, False),
    trainer(core.accumulate(tx, K, averaged=case.averaged), case, True),
  )
  added = np.zeros((2, STEPS, K), dtype)
  added[1, 1, 2] = np.nan
  with core.enable_x64(dtype == "float64"):
    # What runs twice need not be compiled to run fast.
    @functools.partial(
      jax.jit, compiler_options={"xla_backend_optimization_level": 0}
    )
    def both(params, batches, added):
      return [run(params, batches, added) for run in runs]

    return [
      jax.device_get(both(start(dtype, case.policies), problem(dtype), one))
      for one in added
    ]


class FamilyTest(parameterized.TestCase):
  @parameterized.product(name=tuple(CASES), dtype=("float64", "float32"))
  def test_micro_batches_equal_one_batch(self, name, dtype):
    tolerance = {"float64": 1e-12, "float32": 1e-6}[dtype]
    for whole, micro in trained(name, dtype):
      (params, state, updates), (found, accumulated, moves) = whole, micro
      chex.assert_trees_all_close(found, params, rtol=tolerance, atol=tolerance)
      chex.assert_trees_all_close(
        accumulated.inner_state, state, rtol=3 * tolerance, atol=tolerance
      )
      for leaf, move in zip(
        jax.tree.leaves(updates), jax.tree.leaves(moves), strict=True
      ):
        np.testing.assert_array_equal(move[:, :-1], 0)
        np.testing.assert_allclose(
          move[:, -1], leaf, rtol=3 * tolerance, atol=tolerance
        )
      began = start(dtype, CASES[name].policies)["w"]
      moved = np.max(np.abs(params["w"] - began))
      self.assertGreater(moved, 1e-2)

  @parameterized.parameters(*CASES)
  def test_one_loss_that_is_not_finite_costs_one_update(self, name):
    # As that of a whole batch does, to which the test above compares.
    (_, (_, _, moves)), (_, (params, _, skipped)) = trained(name, "float64")
    chex.assert_tree_all_finite(params)
    for leaf, other in zip(
      jax.tree.leaves(moves), jax.tree.leaves(skipped), strict=True
    ):
      np.testing.assert_array_equal(leaf[0], other[0])
      np.testing.assert_array_equal(other[1], 0)
      self.assertTrue(np.any(other[2] != 0))


class FunctionsTest(parameterized.TestCase):
  def last_moves(self, case, over):
    """The update of one batch in K micro-batches, whose functions vary."""
    tx = core.accumulate(case.factory(**case.options), K)
    inputs, targets = (jnp.asarray(x[0]) for x in problem("float32"))
    params = jax.tree.map(jnp.asarray, start("float32"))
    state = tx.init(params)
    update = jax.jit(
      lambda state, batch: tx.update(
        jax.grad(loss)(params, batch),
        state,
        params,
        **supply(case, params, batch, over((inputs, targets), batch)),
      )
    )
    for batch in zip(inputs, targets, strict=True):
      updates, state = update(state, batch)
    return updates

  @parameterized.parameters("smb_refused", "psps_probes")
  def test_function_of_the_last_micro_batch_alone_is_another_step(self, name):
    # Why the docstring asks for that of all micro-batches.
    case = CASES[name]
    right, wrong = (
      self.last_moves(case, over)
      for over in (
        lambda all_of, batch: lambda fn: core.mean_over_batches(fn, all_of),
        lambda all_of, batch: lambda fn: lambda x: fn(x, batch),
      )
    )
    self.assertGreater(np.max(np.abs(right["w"] / wrong["w"] - 1)), 0.01)

  def test_functions_are_called_with_the_last_micro_batch_only(self):
    calls = []

    def over(all_of, batch):
      del batch

      def counted(fn):
        mean = core.mean_over_batches(fn, all_of)

        def call(x):
          jax.debug.callback(lambda: calls.append(1))
          return mean(x)

        return call

      return counted

    self.last_moves(CASES["smb_refused"], over)
    jax.effects_barrier()
    self.assertLen(calls, 2)  # loss and, as that is refused, gradient

  def test_mean_over_batches_accumulates_by_itself(self):
    batches = tuple(jnp.asarray(x[0]) for x in problem("float32"))
    params = jax.tree.map(jnp.asarray, start("float32"))
    value_and_grad_fn = core.mean_over_batches(
      jax.value_and_grad(loss), batches
    )
    value, grads = value_and_grad_fn(params)
    tx = optax_stepsize.smb()
    found, _ = tx.update(
      grads,
      tx.init(params),
      params,
      value=value,
      value_and_grad_fn=value_and_grad_fn,
    )
    wanted = self.last_moves(
      CASES["smb"],
      lambda all_of, _: lambda fn: core.mean_over_batches(fn, all_of),
    )
    chex.assert_trees_all_close(found, wanted, rtol=1e-6)


class SizesTest(absltest.TestCase):
  def test_micro_batches_of_unequal_size(self):
    # Weights in gradients and loss: size over mean size.
    inputs, targets = (
      x[0].reshape(24, *x.shape[3:]) for x in problem("float64")
    )
    ends = [2, 5, 12, 24]
    tx = optax_stepsize.polyak_moving_gradient()
    accumulated = core.accumulate(tx, K)
    value_and_grad = jax.value_and_grad(loss)
    with core.enable_x64(True):
      params = start("float64")
      value, grads = value_and_grad(params, (inputs, targets))
      wanted, _ = tx.update(grads, tx.init(params), params, value=value)
      state = accumulated.init(params)
      for begin, end in zip([0, *ends], ends, strict=False):
        batch = inputs[begin:end], targets[begin:end]
        value, grads = value_and_grad(params, batch)
        weight = (end - begin) / (24 / K)
        found, state = accumulated.update(
          jax.tree.map(lambda g, weight=weight: weight * g, grads),
          state,
          params,
          value=weight * value,
        )
      chex.assert_trees_all_close(found, wanted, rtol=1e-12)


if __name__ == "__main__":
  absltest.main()
