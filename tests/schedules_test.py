# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of what all schedules of the catalogue have in common."""

import inspect

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import catalogue

_SCHEDULES = tuple(
  row for row in catalogue.ROWS.values() if row.kind == "schedule"
)
_PAIRS = {
  "one_cycle": optax_stepsize.one_cycle,
  "smith_one_cycle": optax_stepsize.smith_one_cycle,
}
_MAKERS = {
  **{
    row.name: (lambda row=row: row.factory(**row.example)) for row in _SCHEDULES
  },
  **{
    name: (lambda make=make: make(0.1, 100).learning_rate)
    for name, make in _PAIRS.items()
  },
}
# Optimizers of ours that take a schedule.
_OPTIMIZERS = tuple(
  row.name
  for row in catalogue.ROWS.values()
  if row.kind == "transformation"
  and "learning_rate" in inspect.signature(row.factory).parameters
)
_STEPS = 12


def _run(tx, value=1.0):
  """Parameters after each of some updates with known gradients."""
  tx = optax.with_extra_args_support(tx)
  params = jnp.array([1.0, -2.0])

  def body(carry, count):
    params, state = carry
    center = 3.0 - 0.1 * count.astype(jnp.float32)
    updates, state = tx.update(
      params - center,
      state,
      params,
      value=jnp.float32(value),
      value_and_grad_fn=jax.value_and_grad(
        lambda x: 0.5 * jnp.sum((x - center) ** 2)
      ),
    )
    params = optax.apply_updates(params, updates)
    return (params, state), params

  start = params, tx.init(params)
  return jax.lax.scan(body, start, jnp.arange(_STEPS, dtype=jnp.int32))[1]


class SchedulesTest(parameterized.TestCase):
  @parameterized.parameters(*_MAKERS)
  def test_counts_of_all_kinds(self, name):
    schedule = _MAKERS[name]()
    counts = np.array([0, 1, 7, 99, 100, 101, 2**24 + 1, 2**31 - 2], np.int32)
    rates = np.asarray(jax.jit(schedule)(counts))
    self.assertEqual(rates.shape, counts.shape)
    self.assertTrue(np.isfinite(rates).all())
    self.assertTrue((rates >= 0).all())
    single = jax.jit(schedule)
    for count, rate in zip(counts, rates, strict=True):
      for given in (int(count), jnp.int32(count)):
        one = schedule(given)
        self.assertEqual((one.shape, one.dtype), ((), jnp.float32))
        self.assertFalse(one.weak_type)
        np.testing.assert_allclose(one, rate, rtol=3e-7, atol=1e-12)
      np.testing.assert_allclose(single(jnp.int32(count)), rate, rtol=3e-7)
    np.testing.assert_allclose(
      jax.vmap(schedule)(jnp.asarray(counts)), rates, rtol=3e-7
    )
    # Not an error, but the first step.
    np.testing.assert_array_equal(schedule(-1), schedule(0))

  @parameterized.parameters(*_MAKERS)
  def test_inside_optax(self, name):
    schedule = _MAKERS[name]()
    rates = [float(schedule(count)) for count in range(_STEPS)]
    params, expected = np.array([1.0, -2.0]), []
    for count, rate in enumerate(rates):
      params = params - rate * (params - 3.0 + 0.1 * count)
      expected.append(params)
    for tx in (
      optax.sgd(schedule),
      optax.inject_hyperparams(optax.sgd)(learning_rate=schedule),
      optax.chain(optax.scale_by_schedule(schedule), optax.scale(-1.0)),
    ):
      np.testing.assert_allclose(_run(tx), expected, rtol=1e-5, atol=1e-6)
    joined = optax.join_schedules([schedule, schedule], [5])
    for count in range(_STEPS):
      place = count if count < 5 else count - 5
      np.testing.assert_allclose(joined(count), rates[place], rtol=1e-6)

  @parameterized.parameters(*_OPTIMIZERS)
  def test_in_every_optimizer_of_ours(self, optimizer):
    make = catalogue.get(optimizer).factory
    for name, maker in _MAKERS.items():
      schedule = maker()
      rates = np.array([float(schedule(count)) for count in range(_STEPS)])
      table = jnp.asarray(rates, jnp.float32)
      example = dict(catalogue.get(optimizer).example) | {
        "learning_rate": schedule
      }
      expected = example | {"learning_rate": lambda count, t=table: t[count]}
      np.testing.assert_allclose(
        _run(make(**example)),
        _run(make(**expected)),
        rtol=1e-4,
        atol=1e-6,
        err_msg=name,
      )

  @parameterized.parameters(*(row.name for row in _SCHEDULES))
  def test_sweeps_are_one_program(self, name):
    row = catalogue.get(name)
    swept = [
      key
      for key, value in row.example.items()
      if isinstance(value, float) and key not in row.static
    ]
    if not swept:
      # Nothing of its example is a number that can be traced.
      self.assertContainsSubset(row.example, row.static)
      return
    factors = jnp.array([0.5, 0.75, 1.0], jnp.float32)
    counts = jnp.arange(0, 110, 10, dtype=jnp.int32)
    for key in swept:

      def rates(factor, key=key):
        value = row.example[key] * factor
        return row.factory(**{**row.example, key: value})(counts)

      together = jax.jit(jax.vmap(rates))(factors)
      for factor, found in zip(factors, together, strict=True):
        np.testing.assert_allclose(
          found, rates(float(factor)), rtol=2e-6, atol=1e-9, err_msg=key
        )

  def test_none_is_forgotten(self):
    # What the room offers and returns a schedule is in one of the rows above.
    offered = {
      name
      for name, function in inspect.getmembers(
        optax_stepsize.schedules, inspect.isfunction
      )
      if inspect.get_annotations(function).get("return")
      in (optax.Schedule, optax_stepsize.OneCycle)
    }
    apart = {"composite_policy", "cyclical_momentum_schedule", "from_csv"}
    self.assertEqual(offered - apart, set(_MAKERS))
    self.assertGreaterEqual(len(_OPTIMIZERS), 4)


if __name__ == "__main__":
  absltest.main()
