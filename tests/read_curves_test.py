# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Loss curves from files."""

import pathlib

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
import optax

from optax_stepsize import laws

_RACE = """\
workload,entry,argument,value,seed,step,train_loss,eval_loss,step_size
lm,wsd,decay,0.1,0,0,,5.0,
lm,wsd,decay,0.1,0,10,4.5,4.0,0.3
lm,wsd,decay,0.1,0,20,3.5,3.0,0.1
lm,wsd,decay,0.1,1,0,,5.0,
lm,wsd,decay,0.1,1,10,4.5,4.2,0.3
lm,wsd,decay,0.1,1,20,3.5,3.4,0.1
lm,wsd,decay,0.4,0,10,4.5,4.1,0.3
lm,wsd,decay,0.4,0,20,3.5,3.1,0.2
mlp,wsd,decay,0.4,0,10,4.5,2.1,0.3
mlp,wsd,decay,0.4,0,20,3.5,1.1,0.2
"""


class ReadCurvesTest(parameterized.TestCase):
  def _path(self, text):
    path = pathlib.Path(self.create_tempdir().full_path) / "run.csv"
    path.write_text(text, encoding="utf-8")
    return path

  def test_one_run(self):
    path = self._path("lr,step,note,loss\n0.2,4,a,3.0\n0.1,8,b,2.0\n")
    (curve,) = laws.read_curves(path)
    self.assertEqual((curve.name, curve.workload), ("run", ""))
    np.testing.assert_array_equal(curve.steps, [4, 8])
    np.testing.assert_array_equal(curve.losses, [3.0, 2.0])
    np.testing.assert_allclose(
      curve.rates, [0.2] * 5 + [0.175, 0.15, 0.125, 0.1]
    )

  def test_a_race_has_a_curve_for_each_run_and_means_over_seeds(self):
    curves = laws.read_curves(self._path(_RACE))
    self.assertEqual(
      [(curve.workload, curve.name) for curve in curves],
      [
        ("lm", "wsd decay=0.1"),
        ("lm", "wsd decay=0.4"),
        ("mlp", "wsd decay=0.4"),
      ],
    )
    first = curves[0]
    # The loss after ten updates is that after the one with the index nine.
    np.testing.assert_array_equal(first.steps, [9, 19])
    np.testing.assert_allclose(first.losses, [4.1, 3.2])
    np.testing.assert_allclose(
      first.rates[[0, 9, 14, 19]], [0.3, 0.3, 0.2, 0.1]
    )

  def test_selection_by_text_and_by_number(self):
    path = self._path(_RACE)
    for select, count in (
      ({"workload": "lm"}, 2),
      ({"value": "0.40"}, 2),
      ({"value": "4e-1", "workload": "mlp"}, 1),
      ({"seed": "1"}, 1),
    ):
      self.assertLen(laws.read_curves(path, select=select), count)
    (curve,) = laws.read_curves(path, select={"seed": "1"})
    np.testing.assert_allclose(curve.losses, [4.2, 3.4])

  def test_loss_can_be_chosen(self):
    (first, *_) = laws.read_curves(self._path(_RACE), loss="train_loss")
    np.testing.assert_allclose(first.losses, [4.5, 3.5])

  def test_warmup_is_a_ramp_to_the_first_rate_after_it(self):
    path = self._path("step,step_size,loss\n4,0.2,3.0\n8,0.1,2.0\n")
    (curve,) = laws.read_curves(path, warmup_steps=4)
    np.testing.assert_allclose(curve.rates[:5], [0, 0.05, 0.1, 0.15, 0.2])
    self.assertEqual(curve.warmup_steps, 4)

  def test_measured_rates_of_the_warmup_are_kept(self):
    text = "step,step_size,loss\n0,0.1,5\n2,0.3,4\n6,0.3,3\n8,0.3,2\n"
    (curve,) = laws.read_curves(self._path(text), warmup_steps=5)
    np.testing.assert_allclose(curve.rates[:4], [0.1, 0.2, 0.3, 0.3])
    np.testing.assert_array_equal(curve.after_warmup().steps, [6, 8])

  @parameterized.parameters(
    ("", {}, "no column for the step: .* got an empty file"),
    ("loss,lr\n1,1\n", {}, "no column for the step"),
    ("step,lr\n1,1\n", {}, "no column for the loss: it must have one of loss"),
    ("step,loss\n1,1\n", {}, "no column for the step size: .* lr, got step, l"),
    ("step,loss,lr\n1,1,1\n", {"loss": "eval"}, "must have one of eval, got"),
    ("step,loss,lr\n1,1,1\n", {"select": {"seed": "0"}}, "of seed, got"),
    ("step,loss,lr\n", {}, "no line to read"),
    (_RACE, {"select": {"value": "7"}}, "no line to read has value=7"),
    ("step,loss,lr\n0,1,1\n1.5,1,1\n", {}, "line 3 must have an integer in"),
    ("step,loss,lr\n0,1,1\nnan,1,1\n", {}, "line 3 must have an integer in"),
    ("step,loss,lr\n0,low,1\n", {}, "line 2 must have a number in column loss"),
    ("step,loss,lr\n0,1\n", {}, "a number in column lr, got None"),
    ("step,loss,lr\n0,nan,1\n", {}, "line 2 has the loss nan .* diverged"),
    (
      "step,loss,lr\n0,1,inf\n",
      {},
      "line 2 has the loss 1.0 and the step size",
    ),
    ("step,loss,lr\n2,1,1\n1,1,1\n", {}, "run: steps must .* follows step 2"),
    ("step,loss,lr\n2,1,1\n2,1,1\n", {}, "but step 2 is there twice"),
    ("step,loss,lr\n2,0,1\n", {}, "losses must be finite and > 0"),
    ("step,loss,lr\n2,1,1\n", {"warmup_steps": 9}, "within the warm-up of 9"),
    ("step,loss,lr\n2,1,1\n", {"warmup_steps": -1}, "warmup_steps must be an"),
    (
      "entry,seed,step,loss,lr\na,0,1,1,1\na,0,2,1,1\na,1,1,1,1\n",
      {},
      "a has other steps for seed '1' than for seed '0'",
    ),
  )
  def test_bad_files_are_named(self, text, options, message):
    with self.assertRaisesRegex(ValueError, message):
      laws.read_curves(self._path(text), **options)


class RatesOfTest(parameterized.TestCase):
  def test_schedules_of_optax(self):
    # In float64 it ends at -2e-20.
    linear = laws.rates_of(optax.linear_schedule(1e-3, 0.0, 50), 60)
    np.testing.assert_array_equal(linear[50:], 0.0)
    np.testing.assert_allclose(linear[25], 5e-4, rtol=1e-12)
    # It divides an integer by a float, which strict promotion refuses.
    cosine = laws.rates_of(optax.cosine_decay_schedule(1.0, 50), 51)
    np.testing.assert_allclose(cosine[[0, 25, 50]], [1.0, 0.5, 0.0], atol=1e-15)

  def test_arrays_are_cut(self):
    np.testing.assert_array_equal(laws.rates_of([3.0, 2.0, 1.0], 2), [3, 2])

  @parameterized.parameters(
    ([1.0, 2.0], 3, r"each of the 3 steps, got an array of shape \(2,\)"),
    ([1.0, -2.0], 2, "finite and >= 0, but is -2.0 at step 1"),
    ([1.0, np.nan], 2, "finite and >= 0, but is nan at step 1"),
    (lambda count: -1.0 + 0 * count, 2, "but is -1.0 at step 0"),
    ([1.0], 0, "total_steps must be an integer >= 1"),
  )
  def test_bad_rates_are_named(self, schedule, steps, message):
    with self.assertRaisesRegex(ValueError, f"rates_of: .*{message}"):
      laws.rates_of(schedule, steps)


if __name__ == "__main__":
  absltest.main()
