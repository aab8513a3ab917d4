# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests that the catalogue tells the truth about the code."""

import inspect
import re

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import catalogue
from optax_stepsize import core

ROWS = tuple(catalogue.ROWS.values())
TRANSFORMATIONS = tuple(
  row for row in ROWS if row.kind not in ("schedule", "tool")
)
# Kinds that leave updates as they are.
PASSIVE = ("averaging", "recorder")
# Values of arguments whose default is None, which must be traceable as well,
# and what has to be given together with them.
VALUES = {
  "b1": 0.8,
  "b3": 0.9,
  "end_value": 0.01,
  "init_eta": 0.01,
  "inner_momentum": 0.9,
  "layer_scale": 2.0,
  "max_step_size": 0.5,
  "smoothing": 2.0,
}
TOGETHER = {"smoothing": {"steps_per_epoch": 5}}
# What some methods need; others take no notice.
INPUTS = {
  "value": 2.0,
  "target_value": 3.0,
  "value_and_grad_fn": lambda params: (jnp.ones(()), params),
}
# Integers that may be traced all the same.
COUNTS = ("sync_period",)
# Numbers that a method does not take together with those of its example.
APART = {"policy": ("k1", "gamma", "p")}


def named(rows):
  return parameterized.named_parameters((row.name, row) for row in rows)


def arguments(row):
  return inspect.signature(row.factory).parameters


def default(row, name):
  return row.example.get(name, arguments(row)[name].default)


def numbers(row):
  """Arguments that can be traced, with those of the example."""
  apart = APART.get(row.name, ())
  return [n for n in arguments(row) if n not in (*row.static, *apart)]


def inputs(row):
  return INPUTS | ({"value": jnp.array([2.0, 1.0])} if is_twins(row) else {})


def is_twins(row):
  """Whether parameters are two, stacked."""
  return row.kind == "twins"


def public(module):
  """Names that a family offers."""
  return {
    name
    for name, value in vars(module).items()
    if not name.startswith("_") and not inspect.ismodule(value)
  }


class RowsTest(parameterized.TestCase):
  def test_every_public_name_belongs_to_exactly_one_row(self):
    families = sorted({row.family for row in ROWS})
    owners = {}
    for row in ROWS:
      for name in (row.name, *row.parts):
        self.assertNotIn(name, owners, f"{name} is in two rows")
        owners[name] = row.family
    for family in families:
      module = getattr(optax_stepsize, family)
      mine = {name for name, owner in owners.items() if owner == family}
      self.assertEqual(public(module), mine, family)
    # No family was forgotten: what is public belongs to one, or to the core.
    rest = public(optax_stepsize) - set(owners) - {"cite"}
    self.assertEqual(rest, rest & public(core))

  @named(ROWS)
  def test_public_names_are_one_object(self, row):
    module = getattr(optax_stepsize, row.family)
    self.assertIs(row.factory, getattr(optax_stepsize, row.name))
    for name in (row.name, *row.parts):
      self.assertIs(getattr(optax_stepsize, name), getattr(module, name))
    self.assertEqual(row.factory.__name__, row.name)

  @named(ROWS)
  def test_kind_and_family(self, row):
    kinds = ("transformation", "schedule", "tool", "twins", *PASSIVE)
    self.assertIn(row.kind, kinds)
    self.assertStartsWith(
      row.factory.__module__, f"optax_stepsize.{row.family}."
    )
    made = row.factory(**row.example)
    if row.kind == "schedule":
      self.assertEqual(jnp.shape(made(0)), ())
    elif row.kind == "tool":  # which is run, not made
      self.assertIsNotNone(made)
    else:
      self.assertIsInstance(made, optax.GradientTransformationExtraArgs)

  @named(TRANSFORMATIONS)
  def test_averages_and_recorders_leave_updates_alone(self, row):
    tx = row.factory(**row.example)
    grads = jnp.array([0.5, -2.0])
    updates, _ = tx.update(grads, tx.init(grads), grads, **inputs(row))
    unchanged = bool(jnp.all(updates == grads))
    self.assertEqual(unchanged, row.kind in PASSIVE)

  @named(TRANSFORMATIONS)
  def test_needs(self, row):
    tx = row.factory(**row.example)
    params = {"w": jnp.ones((2, 3))}
    state = jax.eval_shape(tx.init, params)
    every = {name: jnp.ones(()) for name in core.INPUTS} | {"params": params}
    every |= inputs(row)

    def update(given):
      return jax.eval_shape(lambda s: tx.update(params, s, **given), state)

    for name in row.needs:
      with self.assertRaisesRegex(ValueError, rf"needs `{name}`.*Fix: tx"):
        update({k: v for k, v in every.items() if k != name})
    # They are enough, and more is no harm.
    update({name: every[name] for name in row.needs})
    update(every | {"unheard_of": 1})

  @named(ROWS)
  def test_static_arguments_exist(self, row):
    self.assertContainsSubset(row.static, arguments(row))
    self.assertContainsSubset(row.example, arguments(row))
    self.assertLen(set(row.static), len(row.static))
    for parameter in arguments(row).values():
      self.assertNotIn(
        parameter.kind, (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
      )

  @named(ROWS)
  def test_what_sets_the_structure_is_static(self, row):
    for name in arguments(row):
      value = default(row, name)
      counts = isinstance(value, (bool, int, str)) and name not in COUNTS
      structural = counts or name in (
        "mask",
        "axis_name",
        "compensate",
        "state_dtype",
        "accumulator_dtype",
        "block_axes",
        "slice_axis",
      )
      if structural:
        self.assertIn(name, row.static)
      elif name in numbers(row):
        numeric = (float, np.ndarray) + ((int,) if name in COUNTS else ())
        self.assertIsInstance(VALUES.get(name, value), numeric, name)

  @named(ROWS)
  def test_all_other_arguments_can_be_traced(self, row):
    numeric = numbers(row)
    if not numeric:
      return
    together = {}
    for name in numeric:
      together |= TOGETHER.get(name, {})
    values = {name: VALUES.get(name, default(row, name)) for name in numeric}

    def run(values):
      made = row.factory(**row.example | together | values)
      if row.kind in ("schedule", "tool"):  # a tool may be a pair of them
        return jax.tree.map(
          lambda x: x(jnp.asarray(3)) if callable(x) else x, made
        )
      params = {
        "w": jnp.ones((2, 3)),
        "b": jnp.ones(2 if is_twins(row) else ()),
      }
      return made.update(params, made.init(params), params, **inputs(row))

    batch = jax.tree.map(lambda x: jnp.stack([jnp.float32(x)] * 2), values)
    for name in numeric:
      self.assertLen(batch[name], 2)
    jax.eval_shape(jax.vmap(run), batch)

  @named(ROWS)
  def test_what_is_swept_first_is_traceable(self, row):
    if row.sweep is None:
      return
    name, value = row.sweep
    self.assertNotIn(name, row.static)
    if name not in row.example:
      self.assertEqual(arguments(row)[name].default, value)

  @named(ROWS)
  def test_state_bytes_per_float32_parameter(self, row):
    if row.kind in ("schedule", "tool"):
      self.assertEqual(row.state_bytes, 0)
      return

    def measured(size):
      shape = (2, size // 2) if is_twins(row) else (size,)
      state = jax.eval_shape(
        row.factory(**row.example).init,
        jax.ShapeDtypeStruct(shape, jnp.float32),
      )
      return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state))

    # The difference is free of what does not grow with the parameters.
    self.assertEqual((measured(2000) - measured(1000)) / 1000, row.state_bytes)

  @named(TRANSFORMATIONS)
  def test_least_bytes_are_at_least_those_of_the_state(self, row):
    # Parameters and gradients read, parameters written, state at least read. At
    # most everything is read again, and the state once more, between the two.
    self.assertGreaterEqual(row.min_bytes, 12 + row.state_bytes)
    self.assertLessEqual(row.min_bytes, 20 + 4 * row.state_bytes)

  @named(TRANSFORMATIONS)
  def test_evaluation_point(self, row):
    state = row.factory(**row.example).init(jnp.ones(2))
    self.assertIn(row.evaluation, ("params", "average"))
    self.assertEqual(
      optax_stepsize.has_eval_params(state), row.evaluation == "average"
    )

  @named(TRANSFORMATIONS)
  def test_adaptive_states_show_their_step_size(self, row):
    state = row.factory(**row.example).init(jnp.ones(2))
    shown = optax_stepsize.step_sizes(state)
    # Lookahead shows those of its inner transformation, here one of Optax.
    without = row.kind in PASSIVE or "inner" in row.example
    self.assertLen(shown, 0 if without else 1)

  @named(ROWS)
  def test_docstring_has_its_sections(self, row):
    text = inspect.getdoc(row.factory)
    sections = ["Args:", "Returns:", "Raises:", "Example:", "References:"]
    if row.kind not in ("schedule", "tool"):
      sections += ["Needs:", "State:"]
    for section in sections:
      self.assertIn(f"\n{section}", text)
    self.assertIn(row.paper.arxiv, text)
    needs = re.search(r"\nNeeds: (.*)", text)
    for name in row.needs:
      self.assertIn(name, needs[1])
    for name in arguments(row):
      self.assertRegex(text, rf"\n  {name}: ")


class PapersTest(parameterized.TestCase):
  @named(ROWS)
  def test_bibtex(self, row):
    text = optax_stepsize.cite(row.name)
    entry = re.fullmatch(
      r"@(\w+)\{([a-z]+\d{4}\w+),\n((?:  \w+ = \{.*\},\n)+)\}", text
    )
    self.assertIsNotNone(entry, text)
    kind, key, body = entry.groups()
    self.assertIn(kind, ("inproceedings", "article", "misc"))
    self.assertEqual(key, row.paper.key)
    self.assertEqual(text.count("{"), text.count("}"))
    fields = dict(re.findall(r"  (\w+) = \{(.*)\},\n", body))
    self.assertEqual(fields["title"], f"{{{row.paper.title}}}")
    for author in fields["author"].split(" and "):
      self.assertRegex(author, r"^[\w'\- ]+, [\w'\-. ]+$")
    # Papers older than arXiv have appeared elsewhere.
    self.assertNotEmpty(row.paper.arxiv or row.paper.venue)
    if row.paper.arxiv:
      self.assertRegex(fields["eprint"], r"^\d{4}\.\d{4,5}$")
      self.assertEqual(fields["archivePrefix"], "arXiv")
    else:
      self.assertContainsSubset({"booktitle"}, fields)
      self.assertNoCommonElements({"eprint", "archivePrefix"}, fields)
    self.assertBetween(int(fields["year"]), 1900, 2100)
    self.assertIn(fields["year"], key)

  def test_a_key_means_one_paper(self):
    papers = {row.paper.key: row.paper for row in ROWS}
    for row in ROWS:
      self.assertEqual(papers[row.paper.key], row.paper)


class GetTest(parameterized.TestCase):
  def test_get(self):
    for name, row in catalogue.ROWS.items():
      self.assertIs(catalogue.get(name), row)
      self.assertEqual(row.name, name)

  @parameterized.parameters(
    ("prodgy", "prodigy"), ("schedule_fre", "schedule_free")
  )
  def test_near_names_are_offered(self, wrong, near):
    for call in (catalogue.get, optax_stepsize.cite):
      with self.assertRaises(ValueError) as error:
        call(wrong)
      text = str(error.exception)
      self.assertStartsWith(text, f"unknown method {wrong!r}. Did you mean ")
      self.assertIn(near, text)
      self.assertEndsWith(text, "? `optax-stepsize list` shows all.")

  def test_no_near_name(self):
    with self.assertRaises(ValueError) as error:
      catalogue.get("0000")
    self.assertEqual(
      str(error.exception),
      "unknown method '0000'. `optax-stepsize list` shows all.",
    )

  def test_rows_cannot_be_changed(self):
    with self.assertRaises(AttributeError):
      ROWS[0].name = "other"

  def test_default_arguments_are_those_of_the_row(self):
    # A row with an example leaves nothing else to be given.
    for row in ROWS:
      missing = {
        name
        for name, parameter in arguments(row).items()
        if parameter.default is parameter.empty
      }
      self.assertEqual(missing - set(row.example), set(), row.name)
      self.assertTrue(np.isfinite(row.state_bytes))


if __name__ == "__main__":
  absltest.main()
