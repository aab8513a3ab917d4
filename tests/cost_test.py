# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the cost of an update, counted by the compiler."""

import contextlib
import dataclasses
import functools
import io
import math
import re
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
from jax.sharding import Mesh
import numpy as np
import optax

from optax_stepsize import catalogue
from optax_stepsize import cli
from optax_stepsize import cost

_SMALL = cost.gpt_params(width=64, layers=1, vocabulary=256, positions=64)
_METHODS = tuple(
  r.name for r in catalogue.ROWS.values() if r.state_bytes or r.min_bytes
)


@functools.cache
def _cost(name: str, target: str = "cpu") -> cost.Cost:
  return cost.measure(name, params=_SMALL, target=target)


def _bytes_accessed(c: cost.Cost) -> float:
  return c.per_parameter(c.bytes_accessed)


def _run(*argv: str) -> tuple[int, str, str]:
  """Exit code, standard output and standard error of the command."""
  out, err = io.StringIO(), io.StringIO()
  with (
    contextlib.redirect_stdout(out),
    contextlib.redirect_stderr(err),
    # The real tree takes the compiler a while.
    mock.patch.object(cost._measure._tree, "gpt_params", lambda: _SMALL),
    mock.patch.dict("os.environ"),
  ):
    code = cli.main(["cost", *argv])
  return code, out.getvalue(), err.getvalue()


def not_a_transformation():
  return 3


def fails():
  def update(updates, state, params=None):
    del updates, state, params
    raise KeyError("oops")

  return optax.GradientTransformation(lambda params: (), update)


def copies_state():
  """An accumulator whose dtype changes, and so cannot be updated in place."""

  def update(updates, state, params=None):
    del params
    new = jax.tree.map(lambda s: s.astype(jnp.bfloat16), state)
    return updates, new

  return optax.GradientTransformation(
    lambda params: jax.tree.map(jnp.zeros_like, params), update
  )


def needs_everything():
  def update(
    updates,
    state,
    params,
    *,
    value,
    target_value,
    grad,
    hvp,
    probe,
    task_id,
    value_fn,
    value_and_grad_fn,
    hvp_fn,
    logits_fn,
  ):
    scale = value + value_fn(params) + value_and_grad_fn(params)[0]
    scale += target_value + jnp.sum(logits_fn(params))
    scale += task_id.astype(jnp.float32)
    return jax.tree.map(
      lambda *u: scale * sum(u), updates, grad, hvp, probe, hvp_fn(probe)
    ), state

  return optax.GradientTransformationExtraArgs(lambda params: (), update)


class TreeTest(absltest.TestCase):
  def test_default_is_a_small_gpt(self):
    leaves = jax.tree.leaves(cost.gpt_params())
    self.assertLen(leaves, 76)
    self.assertEqual(sum(math.prod(x.shape) for x in leaves), 24_420_352)
    self.assertEqual({x.dtype for x in leaves}, {jnp.dtype("float32")})

  def test_shardings_split_matrices_on_first_and_last_axes(self):
    mesh = Mesh(np.array(jax.devices()[:8]), ("data",))
    placed = jax.tree.leaves(cost.fully_sharded(_SMALL, mesh))
    specs = {tuple(sharding.spec) for sharding in placed}
    self.assertEqual(specs, {("data", None), (None, "data"), (None,)})

  def test_what_does_not_divide_is_replicated(self):
    mesh = Mesh(np.array(jax.devices()[:8]), ("data",))
    odd = jax.ShapeDtypeStruct((9, 3), jnp.float32)
    self.assertTrue(cost.fully_sharded(odd, mesh).is_fully_replicated)


_HEAD = """
HloModule made_up

%body (p: (f32[8], s32[])) -> (f32[8], s32[]) {
  %p = (f32[8]{0}, s32[]) parameter(0)
  %a = f32[8]{0} get-tuple-element(%p), index=0
  %i = s32[] get-tuple-element(%p), index=1
  %b = f32[8]{0} negate(%a)
  ROOT %t = (f32[8]{0}, s32[]) tuple(%b, %i)
}

%condition (p.1: (f32[8], s32[])) -> pred[] {
  ROOT %yes = pred[] constant(true)
}

ENTRY %main (x: f32[8], n: s32[], w: bf16[4,4]) -> f32[8] {
  %x = f32[8]{0} parameter(0), metadata={op_name="x(1) = y"}
  %n = s32[] parameter(1)
  %w = bf16[4,4]{1,0} parameter(2)
"""


class BytesAccessedTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("operands_and_result", "%y = f32[8]{0} add(%x, %x)", 96),
    (
      "comments",
      "%y = (f32[8]{0}, /*index=1*/bf16[4,4]{1,0}) fusion(%x, /*index=1*/%w),"
      " kind=kLoop, calls=%body",
      128,
    ),
    (
      "operands_with_types",
      "%y = f32[8]{0} add(f32[8]{0:T(128)} %x, f32[8]{0:T(128)} %x), a=(%w)",
      96,
    ),
    ("renaming_is_free", "%y = f32[4,2]{1,0} bitcast(%x)", 0),
    (
      "loops_count_as_often_as_they_run",
      "%y = (f32[8]{0}, s32[]) while(%z), condition=%condition, body=%body,"
      ' backend_config={"known_trip_count":{"n":"5"}}',
      5 * 64,
    ),
    (
      "loops_of_unknown_length_count_once",
      "%y = (f32[8]{0}, s32[]) while(%z), condition=%condition, body=%body",
      64,
    ),
    (
      "calls",
      "%y = (f32[8]{0}, s32[]) call(%z), to_apply=%body",
      64,
    ),
    (
      "the_dearest_branch",
      "%y = (f32[8]{0}, s32[]) conditional(%n, %z, %z),"
      " branch_computations={%body, %condition}",
      64,
    ),
    ("slices", "%y = f32[2]{0} slice(%x), slice={[0:2]}", 16),
    (
      "updates_of_slices",
      "%y = bf16[4,4]{1,0} dynamic-update-slice(%w, %u, %n, %n)",
      4 + 4 + 8,
    ),
    (
      "copies_to_the_chip_only_read",
      "%y = (f32[8]{0:T(128)S(1)}, f32[8]{0:T(128)}, u32[]{:S(2)})"
      " copy-start(%x)\n  %d = f32[8]{0:T(128)S(1)} copy-done(%y)"
      "\n  %r = f32[8]{0:T(128)S(1)} negate(%d)",
      32,
    ),
    (
      "copies_from_the_chip_only_write",
      "%c = f32[8]{0:T(128)S(1)} custom-call()\n"
      "  %y = (f32[8]{0:T(128)}, f32[8]{0:T(128)S(1)}, u32[]{:S(2)})"
      " copy-start(%c)",
      32,
    ),
    (
      "slices_to_the_chip_read_what_they_take",
      "%y = ((f32[8]{0:T(128)}), f32[2]{0:T(128)S(1)}, s32[]{:S(2)})"
      " slice-start(%x), slice={[0:2]}",
      8,
    ),
  )
  def test_counts(self, line, expected):
    extra = "  %u = bf16[1,2]{1,0} constant({...})\n"
    self.assertEqual(
      cost.bytes_accessed(f"{_HEAD}{extra}  {line}\n}}\n"), expected
    )

  def test_other_text(self):
    with self.assertRaisesRegex(ValueError, "no ENTRY"):
      cost.bytes_accessed("HloModule nothing")

  @parameterized.parameters(*_METHODS, "adamw", "optax.contrib.prodigy")
  def test_agrees_with_the_compiler(self, name):
    # On the CPU the compiler says what it counts, and counts alike.
    found = _cost(name)
    self.assertAlmostEqual(
      found.bytes_accessed / found.compiler_bytes, 1, delta=2e-3
    )


class MeasureTest(parameterized.TestCase):
  @parameterized.parameters(*_METHODS)
  def test_state_is_what_the_row_states(self, name):
    found, row = _cost(name), catalogue.get(name)
    self.assertEqual(found.stated_state_bytes, row.state_bytes)
    self.assertEqual(found.stated_min_bytes, row.min_bytes)
    # A few scalars besides, of which L-DoG has five for each leaf.
    leaves = len(jax.tree.leaves(_SMALL))
    extra = found.state_bytes - row.state_bytes * found.parameters
    self.assertBetween(extra, 0, 64 + 24 * leaves)

  @parameterized.parameters(*_METHODS)
  def test_update_is_in_place(self, name):
    found = _cost(name)
    # But for a scalar or two.
    donated = found.param_bytes + found.state_bytes
    self.assertBetween(donated - found.aliased_bytes, 0, 16)
    self.assertGreater(found.in_place, 0.9999)

  @parameterized.parameters(*_METHODS)
  def test_moves_no_less_than_the_row_states(self, name):
    self.assertGreaterEqual(
      _bytes_accessed(_cost(name)), catalogue.get(name).min_bytes
    )

  @parameterized.parameters(*_METHODS)
  def test_moves_no_more_than_its_counterpart(self, name):
    other = cost.counterpart(cost.find(name))
    if other is None:
      # So that a counterpart that is not found does not pass for none.
      # Optax's lookahead works on pairs of parameters, and of D-Adaptation it
      # has AdamW only.
      kinds = ("averaging", "recorder")
      none = ("lookahead", "polyak_heavy_ball", "smb", "twin_polyak")
      none += tuple(f"dadapt_{n}" for n in ("adagrad", "adan", "lion", "sgd"))
      self.assertTrue(name in none or catalogue.get(name).kind in kinds, name)
      return
    excess = _bytes_accessed(_cost(name)) - _bytes_accessed(_cost(other.name))
    self.assertLess(excess, 0.2)

  @parameterized.parameters(*_METHODS)
  def test_communicates_scalars_only(self, name):
    found = _cost(name)
    self.assertEqual(found.devices, 8)
    if catalogue.get(name).reductions == "none":
      self.assertEmpty(found.collectives)
      return
    (reduction,) = found.collectives
    self.assertEqual(reduction.operation, "all-reduce")
    leaves = len(jax.tree.leaves(_SMALL))
    self.assertLessEqual(reduction.bytes, 4 * 3 * leaves)

  def test_gathers_of_others_are_seen(self):
    kinds = {c.operation for c in _cost("optax.contrib.prodigy").collectives}
    self.assertIn("all-gather", kinds)

  def test_known_figures(self):
    found = _cost("optax.sgd")
    self.assertEqual(_bytes_accessed(found), 12)
    self.assertEqual(found.per_parameter(found.flops), 2)
    self.assertEqual((found.state_bytes, found.temporary_bytes), (0, 0))

  def test_what_is_not_in_place_shows(self):
    found = cost.measure(copies_state, params=_SMALL, devices=1)
    self.assertEqual(found.name, "copies_state")
    self.assertAlmostEqual(found.in_place, 0.5, delta=0.01)
    self.assertIsNone(found.collectives)
    self.assertIsNone(found.stated_min_bytes)

  def test_every_input_can_be_had(self):
    found = cost.measure(
      needs_everything,
      params=_SMALL,
      devices=1,
      needs=(
        "params",
        "value",
        "target_value",
        "grad",
        "hvp",
        "probe",
        "task_id",
        "value_fn",
        "value_and_grad_fn",
        "hvp_fn",
        "logits_fn",
      ),
    )
    self.assertGreaterEqual(_bytes_accessed(found), 6 * 4)

  def test_nothing_is_allocated(self):
    # A thousand times what this machine could hold.
    huge = {"w": jax.ShapeDtypeStruct((1 << 30, 1 << 20), jnp.float32)}
    found = cost.measure("sgd", params=huge, devices=8)
    self.assertEqual(_bytes_accessed(found), 12)

  @parameterized.named_parameters(
    ("name", "progidy", {}, "Did you mean prodigy"),
    ("optax_name", "optax.admaw", {}, "Did you mean .*optax.adamw"),
    (
      "contrib_name",
      "optax.contrib.progidy",
      {},
      "Did you mean optax.contrib.prodigy",
    ),
    ("module", "no_such_module:factory", {}, "cannot load"),
    ("attribute", "optax:no_such_factory", {}, "cannot load"),
    ("arguments", "optax.exponential_decay", {}, "cannot be made without"),
    ("not_callable", "optax:__version__", {}, "is not a factory"),
    ("schedule", "uba_schedule", {}, "is a schedule"),
    ("wrong_result", not_a_transformation, {}, "is 3: it has no update"),
    ("failure", fails, {}, "fails does not compile: 'oops'"),
    ("target", "sgd", {"target": "tpu"}, "cpu, h100, tpu_v5e; got 'tpu'"),
    ("devices", "sgd", {"devices": 0}, "devices must be >= 1"),
    ("more_devices", "sgd", {"devices": 9}, "XLA_FLAGS=.*=9"),
    ("needs", "sgd", {"needs": ("moon",)}, "needs must be among"),
  )
  def test_bad_input(self, method, options, message):
    with self.assertRaisesRegex(ValueError, message):
      cost.measure(method, params=_SMALL, **options)

  def test_names(self):
    self.assertEqual(cost.find("prodigy").row, catalogue.get("prodigy"))
    self.assertEqual(cost.find("adamw").name, "optax.adamw")
    self.assertEqual(cost.find("dowg").name, "optax.contrib.dowg")
    self.assertEqual(cost.find("optax:adamw").name, "optax:adamw")

  def test_counterparts(self):
    found = {
      name: getattr(cost.counterpart(cost.find(name)), "name", None)
      for name in ("dog", "ldog", "prodigy", "sps", "uba_schedule", "adamw")
    }
    self.assertEqual(
      found,
      {
        "dog": "optax.contrib.dog",
        "ldog": "optax.scale_by_distance_over_gradients",
        "prodigy": "optax.contrib.prodigy",
        "sps": "optax.polyak_sgd",
        "uba_schedule": None,
        "adamw": None,
      },
    )


class AheadOfTimeTest(parameterized.TestCase):
  @parameterized.parameters(*_METHODS)
  def test_h100_reaches_the_stated_minimum(self, name):
    try:
      cost.TARGETS["h100"].require()
    except cost.MissingCompilerError as error:
      self.skipTest(str(error))
    # Large enough that scalars and the sums of blocks do not count.
    params = cost.gpt_params(width=256, layers=1, vocabulary=2048)
    found = cost.measure(name, params=params, target="h100")
    self.assertLess(
      _bytes_accessed(found), 1.05 * catalogue.get(name).min_bytes
    )
    self.assertLess(found.per_parameter(found.temporary_bytes), 0.1)
    self.assertGreater(found.in_place, 0.9999)
    self.assertContainsSubset(
      {c.operation for c in found.collectives}, {"all-reduce"}
    )


class CommandTest(parameterized.TestCase):
  def test_table(self):
    code, out, err = _run("sps", "--target", "cpu")
    self.assertEqual((code, err), (0, ""))
    title, header, ours, theirs, *_ = out.splitlines()
    self.assertEqual(title, "CPU")
    self.assertRegex(header, r"^method +state .* collectives on 8 devices$")
    self.assertRegex(ours, r"^sps +0\.\d\d +0 .* 1 all-reduce \(\d+ B\)$")
    self.assertStartsWith(theirs, "optax.polyak_sgd  ")
    # Numbers end where their headings do.
    for column in ("state", "minimum", "in place"):
      end = header.index(column) + len(column)
      self.assertRegex(ours[:end], r"[\d%]$")
    self.assertIn("read+written: bytes of main memory", out)

  def test_markdown(self):
    code, out, _ = _run(
      "sgd", "optax.sgd", "--target", "cpu", "--devices", "1", "--markdown"
    )
    self.assertEqual(code, 0)
    title, empty, *table = out.splitlines()[:5]
    self.assertEqual((title, empty), ("### CPU", ""))
    self.assertLen({line.count("|") for line in table}, 1)
    self.assertStartsWith(
      table[2],
      "| `optax.sgd` | 0.00 | - | 12.00 | - | 0.00 | 2.00 | 100% | - |",
    )
    self.assertEqual(out.count("`optax.sgd`"), 1)

  def test_own_factory(self):
    code, out, _ = _run(
      f"{__name__}:copies_state", "--target", "cpu", "--devices", "1"
    )
    self.assertEqual(code, 0)
    self.assertIn("50%", out)

  def test_schedules_have_no_update(self):
    code, out, err = _run("uba_schedule", "--target", "cpu")
    self.assertEqual((code, out), (0, ""))
    self.assertRegex(err, "^optax-stepsize: uba_schedule is a schedule: .*\n$")

  def test_missing_compilers_are_a_note_by_default(self):
    absent = {
      name: dataclasses.replace(t, modules=t.modules and ("no.such.module",))
      for name, t in cost.TARGETS.items()
    }
    with mock.patch.dict(cost.TARGETS, absent):
      code, out, err = _run("sgd")
      self.assertEqual(code, 0)
      self.assertIn("optax.sgd", out)
      self.assertLen(re.findall(r"optax-stepsize\[aot(-tpu)?\]", err), 2)

      code, out, err = _run("sgd", "--target", "cpu,tpu_v5e")
      self.assertEqual((code, out), (2, ""))
      self.assertEqual(
        err,
        "optax-stepsize: the compiler for tpu_v5e is not installed: pip install"
        ' "optax-stepsize[aot-tpu]"\n',
      )

  @parameterized.named_parameters(
    ("name", ["progidy"], "Did you mean prodigy"),
    ("target", ["sgd", "--target", "tpu"], "cpu, h100, tpu_v5e; got 'tpu'"),
    ("devices", ["sgd", "--devices", "0"], "--devices: must be an integer"),
    ("more_devices", ["sgd", "--devices", "9"], "9 CPU devices are needed"),
    ("nothing", [], "METHOD"),
    ("failure", [f"{__name__}:fails"], "does not compile: 'oops'"),
  )
  def test_bad_input(self, argv, message):
    code, out, err = _run(*argv)
    self.assertEqual((code, out), (2, ""))
    self.assertLen(err.splitlines(), 1)
    self.assertIn(message, err)


if __name__ == "__main__":
  absltest.main()
