# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows of the methods that keep past points."""

import optax

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
_LOOKAHEAD = _row.Paper(
  key="zhang2019lookahead",
  title="Lookahead Optimizer: k steps forward, 1 step back",
  authors=(
    "Zhang, Michael R. and Lucas, James and Hinton, Geoffrey E. and Ba, Jimmy"
  ),
  year=2019,
  arxiv="1907.08610",
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
  _row.Row(
    name="schedule_free_sgd",
    factory=iterates.schedule_free_sgd,
    kind="transformation",
    family="iterates",
    computed_from="past points and a warm-up",
    paper=_SCHEDULE_FREE,
    needs=("params",),
    static=("warmup_steps", "mask", "store_x", "state_dtype"),
    state_bytes=4,
    min_bytes=20,
    reductions="none",
    sweep=("learning_rate", 1.0),
    evaluation="average",
    parity="schedulefree 1.4.1; store_x: NumPy",
    race=_warmed_up,
  ),
  _row.Row(
    name="schedule_free_radam",
    factory=iterates.schedule_free_radam,
    kind="transformation",
    family="iterates",
    computed_from="past points",
    paper=_SCHEDULE_FREE,
    needs=("params",),
    static=("mask", "silent_sgd_phase", "store_x", "state_dtype"),
    state_bytes=8,
    min_bytes=28,
    reductions="none",
    sweep=("learning_rate", 0.0025),
    evaluation="average",
    parity="schedulefree 1.4.1; store_x: NumPy",
  ),
  # A base that is a function of its rate is tuned and warmed up with it.
  _row.Row(
    name="schedule_free",
    factory=iterates.schedule_free,
    kind="transformation",
    family="iterates",
    computed_from="past points and a warm-up",
    paper=_SCHEDULE_FREE,
    needs=("params",),
    static=(
      "base",
      "warmup_steps",
      "mask",
      "decay_at",
      "base_params",
      "store_x",
      "state_dtype",
      "effective_lr",
    ),
    state_bytes=4,
    min_bytes=20,
    reductions="none",
    sweep=("learning_rate", 1.0),
    evaluation="average",
    parity="schedulefree 1.4.1; decay at z, base at y: identities",
    example={"base": optax.sgd, "learning_rate": 1.0},
    race=_warmed_up,
  ),
  # What is to be tuned is the rate of the inner optimizer, which is no argument
  # of it: it is raced as an entry of one's own.
  _row.Row(
    name="lookahead",
    factory=iterates.lookahead,
    kind="transformation",
    family="iterates",
    computed_from="past points",
    paper=_LOOKAHEAD,
    needs=("params",),
    static=("inner", "momentum", "momentum_fields", "slow_dtype"),
    state_bytes=4,
    min_bytes=20,
    reductions="none",
    sweep=None,
    evaluation="average",
    parity="optax.lookahead; pytorch_optimizer 4.1.0",
    parts=("LookaheadState", "optimal_slow_step_size"),
    example={"inner": optax.sgd(0.1)},
  ),
)
