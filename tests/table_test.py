# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Schedules that are tables, and their files."""

import os

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from optax_stepsize import schedules


class TableTest(parameterized.TestCase):
  def test_every_step_and_the_last_value_after_it(self):
    values = np.array([0.0, 0.3, 0.1, 0.7])
    schedule = schedules.tabulated_schedule(values)
    got = schedule(jnp.arange(6))
    np.testing.assert_array_equal(
      got, np.float32([0.0, 0.3, 0.1, 0.7, 0.7, 0.7])
    )
    self.assertEqual(schedule(2**31 - 2), np.float32(0.7))
    self.assertEqual(jax.jit(schedule)(1), np.float32(0.3))

  def test_gaps_are_straight_lines_up_to_the_last_count(self):
    rng = np.random.default_rng(0)
    steps = np.unique(rng.integers(3, 2**31 - 1, 200))
    values = rng.uniform(0.1, 1.0, len(steps))
    schedule = schedules.tabulated_schedule(values, steps=steps)
    at = np.unique(
      np.concatenate(
        [steps, steps + 1, steps - 1, rng.integers(0, 2**31 - 1, 1000), [0]]
      )
    )
    at = at[at < 2**31 - 1]
    got = np.asarray(schedule(jnp.asarray(at, jnp.int32)), np.float64)
    # NumPy starts from the float32 rates as well.
    want = np.interp(at, steps, values.astype(np.float32))
    np.testing.assert_allclose(got, want, rtol=1e-6)
    np.testing.assert_array_equal(
      np.asarray(schedule(jnp.asarray(steps[:-1], jnp.int32))),
      values[:-1].astype(np.float32),
    )

  def test_one_entry_is_constant(self):
    schedule = schedules.tabulated_schedule([0.5], steps=[7])
    np.testing.assert_array_equal(schedule(jnp.array([0, 7, 100])), 0.5)

  @parameterized.parameters(
    ({"values": []}, "values must be an array with one axis and at least one"),
    ({"values": [[1.0]]}, r"got shape \(1, 1\)"),
    ({"values": [1.0, -1.0]}, r"values must be in \[0, inf\)"),
    ({"values": [1.0, float("nan")]}, r"values must be in \[0, inf\)"),
    ({"values": [1.0, float("inf")]}, r"values must be in \[0, inf\)"),
    ({"values": [1.0, 2.0], "steps": [1]}, "one for each of the 2 values"),
    ({"values": [1.0, 2.0], "steps": [0.0, 1.0]}, "steps must be integers"),
    ({"values": [1.0, 2.0], "steps": [3, 3]}, "but 3 follows 3"),
    ({"values": [1.0, 2.0], "steps": [3, 1]}, "but 1 follows 3"),
    ({"values": [1.0, 2.0], "steps": [-1, 1]}, "got -1 to 1"),
    ({"values": [1.0, 2.0], "steps": [1, 2**31]}, "got 1 to 2147483648"),
  )
  def test_bad_tables_are_named(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      schedules.tabulated_schedule(**arguments)


class FileTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = os.path.join(self.create_tempdir().full_path, "rates.csv")

  def _write(self, text):
    with open(self.path, "w", encoding="utf-8") as file:
      file.write(text)

  def test_round_trip_keeps_all_digits(self):
    rng = np.random.default_rng(1)
    values = 10.0 ** rng.uniform(-12, 0, 50)
    steps = np.cumsum(rng.integers(1, 100, 50))
    schedules.to_csv(self.path, values, steps=steps)
    again = schedules.from_csv(self.path)
    same = schedules.tabulated_schedule(values, steps=steps)
    at = jnp.arange(steps[-1] + 10)
    np.testing.assert_array_equal(again(at), same(at))
    written = np.loadtxt(self.path, delimiter=",", skiprows=1)
    np.testing.assert_array_equal(written[:, 0], steps)
    np.testing.assert_array_equal(written[:, 1], values)

  def test_other_columns_are_left_out(self):
    self._write("loss,step_size,step\n3.5,0.5,0\n3.4,0.25,1\n")
    schedule = schedules.from_csv(self.path)
    np.testing.assert_array_equal(schedule(jnp.arange(2)), [0.5, 0.25])

  @parameterized.parameters(
    ("step,lr\n0,1\n", "column 'step_size' is missing"),
    ("", "column 'step' is missing"),
    ("step,step_size\n", "at least one entry"),
    ("step,step_size\n0,0.1\n1.5,0.1\n", "line 3 must have an integer step"),
    ("step,step_size\n0,fast\n", "line 2 .* got '0' and 'fast'"),
    ("step,step_size\n0\n", "line 2 .* got '0' and None"),
    ("step,step_size\n0,nan\n", "values must be in"),
    ("step,step_size\n5,0.1\n4,0.1\n", "but 4 follows 5"),
  )
  def test_bad_files_are_named(self, text, message):
    self._write(text)
    with self.assertRaisesRegex(
      ValueError, f"from_csv: .*rates.csv.*{message}"
    ):
      schedules.from_csv(self.path)

  def test_a_bad_table_leaves_the_file_as_it_was(self):
    self._write("old")
    with self.assertRaisesRegex(ValueError, "to_csv: values"):
      schedules.to_csv(self.path, [-1.0])
    with open(self.path, encoding="utf-8") as file:
      self.assertEqual(file.read(), "old")
    self.assertLen(os.listdir(os.path.dirname(self.path)), 1)


if __name__ == "__main__":
  absltest.main()
