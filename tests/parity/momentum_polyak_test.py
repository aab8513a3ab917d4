# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""ALR-MAG and ALR-HB against a slow transcription of the paper."""

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

import optax_stepsize
from tests.parity import flat_problem
from tests.parity import momentum_polyak_reference as reference

BOUNDS = np.round(0.3 * np.abs(np.sin(np.arange(flat_problem.STEPS))), 3)
HIGH = np.where(np.isin(np.arange(flat_problem.STEPS), (0, 9, 10)), 1e3, 0.1)
RENAMED = {
  "b1": "beta",
  "max_step_size": "eta_max",
  "weight_decay": "decay",
  "clip_negative": "clip",
}
MASK = {"matrix": True, "vector": False, "scalar": True}


def theirs(options):
  """Our options by the names of the transcription."""
  options = dict(options)
  keywords = {}
  f_min = options.pop("f_min", 0.0)
  keywords["f_star"] = lambda k: f_min
  if options.pop("mask", None):
    sizes = {name: np.full(s, MASK[name]) for name, s in SIZES.items()}
    keywords["decays"] = flat_problem.flat(sizes)
  return keywords | {RENAMED.get(k, k): v for k, v in options.items()}


SIZES = flat_problem.problems.SHAPES
SHARED = (
  ("defaults", {}, {}),
  ("no_momentum", {"b1": 0.0}, {}),
  ("half", {"b1": 0.5, "c": 0.5}, {}),
  ("capped", {"max_step_size": 0.05}, {}),
  ("capped_small_c", {"c": 0.3, "max_step_size": 0.2, "b1": 0.7}, {}),
  ("eps", {"eps": 3.0}, {}),
  ("f_min", {"f_min": 0.5}, {}),
  ("f_min_negative_capped", {"f_min": -2.0, "max_step_size": 0.3}, {}),
  ("f_min_per_call", {"max_step_size": 0.3}, {"bounds": BOUNDS}),
  ("f_min_above_loss", {"max_step_size": 0.3}, {"bounds": HIGH}),
  ("zeros_at_start", {"max_step_size": 0.3}, {"zeros": (0, 1)}),
  ("zeros_in_the_middle", {"b1": 0.5}, {"zeros": (10, 11, 30)}),
  ("loss_below_bound", {"max_step_size": 0.3}, {"offset": {20: -1e3}}),
)


def compare(make, run, options, extra, names):
  """Points, steps and the state's tree of ours and of the transcription."""
  extra = dict(extra)
  bounds = extra.pop("bounds", None)
  inputs = {} if bounds is None else {"f_min": bounds}
  ours = flat_problem.replay(
    make,
    options,
    lambda state: {n: find(state, n) for n in names},
    inputs=inputs,
    **extra,
  )
  keywords = theirs(options)
  if bounds is not None:
    keywords["f_star"] = lambda k: float(bounds[k])
  found = run(
    flat_problem.start(),
    flat_problem.batch(**extra),
    flat_problem.STEPS,
    **keywords,
  )
  for name, sequence in zip(("params", *names), found, strict=True):
    flat_problem.assert_sequence(ours[name], sequence, name)


def find(state, name):
  return getattr(getattr(state, "inner_state", state), name)


class MovingGradientTest(parameterized.TestCase):
  @parameterized.named_parameters(
    *SHARED,
    ("decay", {"weight_decay": 0.1, "c": 0.5}, {}),
    ("decay_capped", {"weight_decay": 0.3, "max_step_size": 0.1}, {}),
    ("decay_masked", {"weight_decay": 0.3, "mask": MASK, "b1": 0.5}, {}),
  )
  def test_trajectory(self, options, extra):
    compare(
      optax_stepsize.polyak_moving_gradient,
      reference.moving_gradient,
      options,
      extra,
      ("step_size", "grad_sum"),
    )


class HeavyBallTest(parameterized.TestCase):
  @parameterized.named_parameters(
    *SHARED,
    ("unclipped", {"clip_negative": False, "max_step_size": 0.3}, {}),
    ("unclipped_half", {"clip_negative": False, "b1": 0.5, "c": 0.5}, {}),
  )
  def test_trajectory(self, options, extra):
    compare(
      optax_stepsize.polyak_heavy_ball,
      reference.heavy_ball,
      options,
      extra,
      ("step_size", "prev_params"),
    )


if __name__ == "__main__":
  absltest.main()
