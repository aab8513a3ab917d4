# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The conformance kit: what it passes, and that each property can fail.

A kit that cannot fail is worthless, so each property is shown a transformation
that is SGD but for one defect.
"""

import inspect
from typing import Any, NamedTuple

from absl.testing import absltest
from absl.testing import parameterized
import chex
import jax
import jax.numpy as jnp
import optax

from optax_stepsize import catalogue
from optax_stepsize import testing
from optax_stepsize.testing import __main__ as command

_RATE = 0.1


class _State(NamedTuple):
  value: Any


def _defective(
  init=lambda params: optax.EmptyState(),
  update=lambda g, s, p, **kw: (jax.tree.map(lambda x: -_RATE * x, g), s),
):
  return optax.GradientTransformationExtraArgs(init, update)


def _sgd(grads):
  return jax.tree.map(lambda g: -_RATE * g, grads)


def _norm(grads):
  return jnp.sqrt(sum(jnp.sum(jnp.square(g)) for g in jax.tree.leaves(grads)))


def drifting_dtype():
  """The count becomes a float at the first update."""
  return _defective(
    lambda params: _State(jnp.zeros((), jnp.int32)),
    lambda g, s, p=None, **kw: (_sgd(g), _State(s.value + 0.5)),
  )


def weakly_typed():
  """The state of init is weakly typed, that of update is not."""
  return _defective(
    lambda params: _State(jnp.asarray(1.0)),
    lambda g, s, p=None, **kw: (
      _sgd(g),
      _State(s.value * jnp.ones((), jnp.float32)),
    ),
  )


def aliasing():
  """The anchor is the very array of the parameters."""
  return _defective(_State)


def zero_over_zero():
  """The gradient is divided by its norm."""
  return _defective(
    update=lambda g, s, p=None, **kw: (
      jax.tree.map(lambda x: -_RATE * x / _norm(g), g),
      s,
    )
  )


def fourth_power():
  """The step contains the fourth power of the gradients' norm."""
  return _defective(
    update=lambda g, s, p=None, **kw: (
      jax.tree.map(lambda x: -_RATE * x / (1 + _norm(g) ** 4), g),
      _State(_norm(g) ** 4),
    ),
    init=lambda params: _State(jnp.zeros(())),
  )


def trusting_value():
  """The loss enters the step unchecked."""

  def update(g, s, p=None, *, value, **kw):
    del p, kw
    return jax.tree.map(lambda x: (-_RATE * value * x).astype(x.dtype), g), s

  return _defective(update=update)


def float32_updates():
  """Updates are float32 whatever the parameters are."""
  return _defective(
    update=lambda g, s, p=None, **kw: (
      jax.tree.map(lambda x: -_RATE * x.astype(jnp.float32), g),
      s,
    )
  )


def narrow_scalar():
  """A sum of squares has the dtype of the parameters."""

  def init(params):
    return _State(jnp.zeros((), jax.tree.leaves(params)[0].dtype))

  def update(g, s, p=None, **kw):
    del p, kw
    total = s.value + jnp.square(_norm(g)).astype(s.value.dtype)
    return _sgd(g), _State(total)

  return _defective(init, update)


def swallowed():
  """Steps of 1e-3 of the gradient, which bfloat16 parameters do not feel."""
  return optax.sgd(5e-4)


def branching():
  """Branches on the value of a gradient."""

  def update(g, s, p=None, **kw):
    del p, kw
    if isinstance(_norm(g), jax.core.Tracer):
      return jax.tree.map(lambda x: -2 * _RATE * x, g), s
    return _sgd(g), s

  return _defective(update=update)


def counting_calls():
  """The rate depends on how often Python has run the update."""
  calls = []

  def update(g, s, p=None, **kw):
    del p, kw
    calls.append(None)
    return jax.tree.map(lambda x: -_RATE * x / len(calls), g), s

  return _defective(update=update)


def batch_blind():
  """Calls back to the host in a way that cannot be batched."""

  def update(g, s, p=None, **kw):
    del p, kw

    def halve(x):
      shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
      return jax.pure_callback(lambda y: -_RATE * y, shape, x)

    return jax.tree.map(halve, g), s

  return _defective(update=update)


def concrete_init():
  """Init looks at the values of parameters."""
  return _defective(
    lambda params: _State(jnp.asarray(float(_norm(params)), jnp.float32))
  )


def branching_factory(momentum: float = 0.5):
  """Drops a buffer when a float is zero."""
  if momentum > 0:
    return optax.sgd(_RATE, momentum)
  return optax.sgd(_RATE)


def last_value():
  """Changes its state so that a conditional call of it cannot be traced."""
  return _defective(
    lambda params: _State(jnp.zeros((), jnp.float32)),
    lambda g, s, p=None, **kw: (_sgd(g), _State(jnp.zeros(2))),
  )


def array_minded():
  """Takes every leaf for an array: None and masked ones as well."""

  def stop(node):
    return node is None or isinstance(node, optax.MaskedNode)

  return _defective(
    update=lambda g, s, p=None, **kw: (
      jax.tree.map(lambda x: -_RATE * x, g, is_leaf=stop),
      s,
    )
  )


def strict_signature():
  """Takes no keyword arguments that it does not know."""
  return _defective(update=lambda g, s, p=None: (_sgd(g), s))


def silent_default():
  """A missing loss is taken for one."""

  def update(g, s, p=None, *, value=1.0, **kw):
    del p, kw
    return jax.tree.map(lambda x: (-_RATE * value * x).astype(x.dtype), g), s

  return _defective(update=update)


def late_origin(learning_rate=_RATE):
  """The k-th update uses schedule(k + 1)."""

  def update(g, s, p=None, **kw):
    del p, kw
    count = s.value + 1
    rate = learning_rate(count) if callable(learning_rate) else learning_rate
    return jax.tree.map(lambda x: -rate * x, g), _State(count)

  return _defective(lambda params: _State(jnp.zeros((), jnp.int32)), update)


def misplaced_state():
  """State arrays are made anew instead of like the parameters."""
  return _defective(
    lambda params: _State(
      jax.tree.map(lambda p: jnp.zeros(p.shape, p.dtype), params)
    )
  )


def flattening():
  """A norm through a flattened leaf, which gathers it."""

  def update(g, s, p=None, **kw):
    del p, kw
    flat = [jnp.vdot(x, x) for x in jax.tree.leaves(g)]
    scale = _RATE / (1 + 0 * sum(flat))
    return jax.tree.map(lambda x: (-scale * x).astype(x.dtype), g), s

  return _defective(update=update)


def typed_key():
  """The state holds a typed PRNG key."""
  return _defective(lambda params: _State(jax.random.key(0)))


def mixed_dtypes():
  """Multiplies a float32 array with a leaf of any dtype."""
  rate = jnp.asarray(_RATE, jnp.float32)
  return _defective(
    update=lambda g, s, p=None, **kw: (
      jax.tree.map(lambda x: (-rate * x).astype(x.dtype), g),
      s,
    )
  )


def broadcasting():
  """Multiplies a vector with leaves of more axes."""
  return _defective(
    update=lambda g, s, p=None, **kw: (
      jax.tree.map(lambda x: -_RATE * jnp.ones(x.shape[-1:]) * x, g),
      s,
    )
  )


def wrapping_counter():
  """Counts without saturation."""
  return _defective(
    lambda params: _State(jnp.zeros((), jnp.int32)),
    lambda g, s, p=None, **kw: (_sgd(g), _State(s.value + 1)),
  )


_DEFECTS = (
  ("avals", drifting_dtype, ()),
  ("donation", aliasing, ()),
  ("zero", zero_over_zero, ()),
  ("tiny", zero_over_zero, ()),
  ("huge", fourth_power, ()),
  ("nonfinite", trusting_value, ("value",)),
  ("dtype", float32_updates, ()),
  ("scalar_dtype", narrow_scalar, ()),
  ("bfloat16", swallowed, ()),
  ("jit", branching, ()),
  ("scan", counting_calls, ()),
  ("vmap", batch_blind, ()),
  ("retrace", weakly_typed, ()),
  ("abstract", concrete_init, ()),
  ("traced", branching_factory, ()),
  ("accumulation", last_value, ()),
  ("masked", array_minded, ()),
  ("partition", array_minded, ()),
  ("leaves", array_minded, ()),
  ("extras", strict_signature, ()),
  ("needs", silent_default, ("value",)),
  ("origin", late_origin, ()),
  ("counter", wrapping_counter, ()),
  ("sharding", misplaced_state, ()),
  ("explicit", flattening, ()),
  ("collectives", flattening, ()),
  ("lowering", batch_blind, ()),
  ("serialization", typed_key, ()),
  ("promotion", mixed_dtypes, ()),
  ("rank", broadcasting, ()),
)


class DefectsTest(parameterized.TestCase):
  @parameterized.named_parameters(
    (name, name, *case) for name, *case in _DEFECTS
  )
  def test_is_caught(self, name, defect, needs):
    report = testing.check(defect, needs=needs, only=(name,))
    self.assertFalse(report)
    self.assertEqual(set(report.failed), {name}, str(report))

  def test_every_property_is_shown_a_defect(self):
    self.assertEqual({name for name, *_ in _DEFECTS}, set(testing.PROPERTIES))


class HouseTest(parameterized.TestCase):
  @parameterized.parameters(
    *(name for name, row in catalogue.ROWS.items() if row.kind != "tool")
  )
  def test_method_passes(self, name):
    row = catalogue.get(name)
    report = testing.check(row.factory)
    self.assertTrue(report, str(report))
    self.assertEmpty(report.advisory)
    # Nothing is skipped but what the method has no argument for, and what its
    # row gives a reason for.
    skipped = {"origin", *row.exempt}
    if set(inspect.signature(row.factory).parameters) <= set(row.static):
      skipped.add("traced")  # a recorder, a table
    self.assertContainsSubset(report.not_applicable, skipped, str(report))


class ForeignTest(absltest.TestCase):
  def test_sgd_passes(self):
    report = testing.check(optax.sgd, {"learning_rate": 0.1})
    self.assertTrue(report, str(report))
    self.assertEqual(set(report.not_applicable), {"counter"})
    self.assertIn("leaves", report.advisory)

  def test_adamw_falls_short_of_strict_promotion_only(self):
    report = testing.check(optax.adamw, {"learning_rate": 1e-2})
    self.assertEqual(set(report.failed), {"promotion"}, str(report))

  def test_peers_fall_short_where_they_do(self):
    # Copied anchors, zero gradients, scalars in bfloat16, explicit meshes.
    shortcomings = {
      "prodigy": {"donation", "zero", "scalar_dtype", "bfloat16", "explicit"},
      "dog": {"donation", "scalar_dtype", "bfloat16"},
      "dadapt_adamw": {"zero", "scalar_dtype", "explicit"},
    }
    for name, expected in shortcomings.items():
      report = testing.check(getattr(optax.contrib, name))
      self.assertContainsSubset(expected, report.failed, str(report))

  def test_a_report_reads_well(self):
    report = testing.Report(
      name="method",
      passed=("jit",),
      failed={"zero": "NaN"},
      not_applicable={"origin": "no rate"},
      advisory={},
      seconds={"jit": 1.0, "zero": 0.5},
    )
    self.assertEqual(
      str(report),
      "method: fails 1 properties (1 hold, 1.5 s)\n"
      "  FAILED          zero            NaN\n"
      "  not applicable  origin          no rate\n"
      "  holds           jit",
    )

  def test_bad_arguments(self):
    with self.assertRaisesRegex(ValueError, "needs must be among .*got losses"):
      testing.check(optax.sgd, needs=("losses",))
    with self.assertRaisesRegex(ValueError, "needs the argument 'opt"):
      testing.check(optax.contrib.sam)

  def test_command(self):
    with self.assertRaises(SystemExit):
      command.main(["--set", "nonsense", "x:y"])
    self.assertEqual(command.main(["no.such.module:factory"]), 2)
    self.assertEqual(command.main(["prodgy"]), 2)
    self.assertEqual(command.main(["optax:sgd", "--set=learning_rate=0.1"]), 0)
    self.assertEqual(
      command.main(["optax:adamw", "--set=learning_rate=0.1"]), 1
    )


if __name__ == "__main__":
  chex.set_n_cpu_devices(8)
  absltest.main()
