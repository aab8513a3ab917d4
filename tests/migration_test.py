# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `docs/migration.md`: runs what its table for Optax says."""

import inspect

from absl.testing import absltest
from absl.testing import parameterized
import optax

from tests.parity import migration_rows

ROWS = migration_rows.rows("optax.contrib")


class OptaxTest(parameterized.TestCase):
  @parameterized.parameters(*ROWS)
  def test_row(self, theirs, ours, note):
    found = migration_rows.train(migration_rows.made(ours))
    wanted = migration_rows.train(
      migration_rows.made(theirs), paired="optax.lookahead(" in theirs
    )
    self.assertGreater(
      migration_rows.deviation(wanted[0], migration_rows.START), 1e-3
    )  # something happens
    if note.startswith("same"):
      self.assertLess(
        migration_rows.deviation(found, wanted), migration_rows.TOLERANCE
      )
    else:
      self.assertStartsWith(note, "differs: ")
      self.assertGreater(migration_rows.deviation(found[0], wanted[0]), 1e-3)

  def test_every_name_that_has_one_has_a_row(self):
    text = " ".join(theirs for theirs, _, _ in ROWS)
    for name in (
      "prodigy", "dog", "dowg", "dadapt_adamw", "schedule_free_adamw",
      "schedule_free_sgd", "schedule_free", "mechanize",
    ):  # fmt: skip
      self.assertIn(f"optax.contrib.{name}(", text)
    self.assertIn("optax.lookahead(", text)

  @parameterized.parameters("prodigy", "dog", "dadapt_adamw")
  def test_every_option_has_a_row(self, name):
    factory = getattr(optax.contrib, name)
    text = " ".join(
      theirs
      for theirs, _, _ in ROWS
      if theirs.startswith(f"optax.contrib.{name}(")
    )
    for option in list(inspect.signature(factory).parameters)[1:]:
      self.assertIn("heuristic" if option == "init_step" else option, text)


if __name__ == "__main__":
  absltest.main()
