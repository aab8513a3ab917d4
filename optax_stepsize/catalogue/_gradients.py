# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows of the methods that use the history of gradients."""

from optax_stepsize import gradients
from optax_stepsize.catalogue import _row

REFINEMENT = _row.Paper(
  key="defazio2023refinement",
  title=(
    "When, Why and How Much? Adaptive Learning Rate Scheduling by Refinement"
  ),
  authors=(
    "Defazio, Aaron and Cutkosky, Ashok and Mehta, Harsh and Mishchenko,"
    " Konstantin"
  ),
  year=2023,
  arxiv="2310.07831",
  venue="",
)

ROWS = (
  _row.Row(
    name="record_gradient_norms",
    factory=gradients.record_gradient_norms,
    kind="recorder",
    family="gradients",
    computed_from="nothing: it records for refined_schedule",
    paper=REFINEMENT,
    needs=(),
    static=("capacity", "ord", "ring", "axis_name"),
    state_bytes=0,
    min_bytes=12,
    reductions="one scalar, one all-reduce",
    sweep=None,
    evaluation="params",
    parity="NumPy norms",
    parts=("GradientNormsState", "recorded_norms"),
    example={"capacity": 8},
  ),
)
