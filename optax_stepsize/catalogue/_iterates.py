# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows of the methods that keep past points."""

from optax_stepsize import iterates
from optax_stepsize.catalogue import _row

_AVERAGING = _row.Paper(
  key="shamir2013averaging",
  title=(
    "Stochastic Gradient Descent for Non-smooth Optimization: Convergence"
    " Results and Optimal Averaging Schemes"
  ),
  authors="Shamir, Ohad and Zhang, Tong",
  year=2013,
  arxiv="1212.1824",
  venue="International Conference on Machine Learning",
)
_SCHEDULE_FREE = _row.Paper(
  key="defazio2024road",
  title="The Road Less Scheduled",
  authors=(
    "Defazio, Aaron and Yang, Xingyu Alice and Mehta, Harsh and Mishchenko,"
    " Konstantin and Khaled, Ahmed and Cutkosky, Ashok"
  ),
  year=2024,
  arxiv="2405.15682",
  venue="Advances in Neural Information Processing Systems",
)


def _warmed_up(
  total_steps: int, steps_per_epoch: int | None
) -> _row.Recommended:
  del steps_per_epoch
  steps = total_steps // 20
  return _row.Recommended(f"warm-up {steps}", {"warmup_steps": steps})


ROWS = (
  _row.Row(
    name="polynomial_decay_averaging",
    factory=iterates.polynomial_decay_averaging,
    kind="averaging",
    family="iterates",
    computed_from="past points",
    paper=_AVERAGING,
    needs=("params",),
    static=("accumulator_dtype",),
    state_bytes=4,
    min_bytes=20,
    reductions="none",
    sweep=("gamma", 8.0),
    evaluation="average",
    parity="dog-optimizer 1.0.3",
    parts=("PolynomialDecayAverage", "PolynomialDecayAveragingState"),
  ),
  _row.Row(
    name="schedule_free_adamw",
    factory=iterates.schedule_free_adamw,
    kind="transformation",
    family="iterates",
    computed_from="past points and a warm-up",
    paper=_SCHEDULE_FREE,
    needs=("params",),
    static=(
      "warmup_steps",
      "mask",
      "paper_bias_correction",
      "store_x",
      "state_dtype",
    ),
    state_bytes=8,
    min_bytes=28,
    reductions="none",
    sweep=("learning_rate", 0.0025),
    evaluation="average",
    parity="schedulefree 1.4.1; inner_momentum, store_x: worked figures",
    parts=("AdamMoments", "ScheduleFreeState"),
    race=_warmed_up,
  ),
)
