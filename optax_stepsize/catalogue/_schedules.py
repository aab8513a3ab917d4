# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows of the schedules."""

import functools

from optax_stepsize import schedules
from optax_stepsize.catalogue import _row

_UBA = _row.Paper(
  key="tang2025uba",
  title=(
    "Stepsize anything: A unified learning rate schedule for"
    " budgeted-iteration training"
  ),
  authors=(
    "Tang, Anda and Dong, Yiming and Zeng, Yutao and Zhou, Xun and Lin,"
    " Zhouchen"
  ),
  year=2025,
  arxiv="2505.24452",
  venue="Advances in Neural Information Processing Systems",
)
_schedule = functools.partial(
  _row.Row,
  kind="schedule",
  family="schedules",
  needs=(),
  state_bytes=0,
  min_bytes=0,
  reductions="none",
  evaluation="params",
)
ROWS = (
  _schedule(
    name="uba_schedule",
    factory=schedules.uba_schedule,
    computed_from="step count, budget and a shape",
    paper=_UBA,
    static=(
      "total_steps",
      "warmup_steps",
      "num_phases",
      "phase_boundaries",
      "grid",
    ),
    sweep=("phi", 2.0),
    parity="torch CosineAnnealingLR and optax cosine at phi=2; card figures",
    parts=(
      "uba_mean_factor",
      "uba_phi_from_condition_number",
      "uba_profile",
    ),
    example={"peak_value": 0.1, "total_steps": 100, "phi": 1.0},
  ),
  _schedule(
    name="minimax_schedule",
    factory=schedules.minimax_schedule,
    computed_from="budget and bounds of the curvature",
    paper=_UBA,
    static=("total_steps",),
    sweep=None,
    parity="Chebyshev polynomials",
    example={"lambda_min": 2.0, "lambda_max": 10.0, "total_steps": 100},
  ),
)
