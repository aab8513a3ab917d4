# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows of the methods that read the loss."""

from optax_stepsize import polyak
from optax_stepsize.catalogue import _row

_SPS = _row.Paper(
  key="loizou2021sps",
  title=(
    "Stochastic Polyak Step-size for SGD: An Adaptive Learning Rate for"
    " Fast Convergence"
  ),
  authors=(
    "Loizou, Nicolas and Vaswani, Sharan and Laradji, Issam and"
    " Lacoste-Julien, Simon"
  ),
  year=2021,
  arxiv="2002.10542",
  venue="International Conference on Artificial Intelligence and Statistics",
)


def _smoothed(
  total_steps: int, steps_per_epoch: int | None
) -> _row.Recommended:
  # The step may at most double in an epoch: the experiments with deep networks
  # use this in place of a largest step, which would need tuning.
  del total_steps
  if steps_per_epoch is None:
    return _row.Recommended()
  return _row.Recommended(
    "smoothing 2", {"smoothing": 2.0, "steps_per_epoch": steps_per_epoch}
  )


ROWS = (
  _row.Row(
    name="sps",
    factory=polyak.sps,
    kind="transformation",
    family="polyak",
    computed_from="loss value and gradient norm",
    paper=_SPS,
    needs=("value",),
    static=(
      "steps_per_epoch",
      "on_zero_gradient",
      "centralize",
      "mask",
      "axis_name",
    ),
    state_bytes=0,
    min_bytes=16,
    reductions="one scalar, one all-reduce",
    sweep=("c", 0.5),
    evaluation="params",
    parity=("IssamLaradji/sps; weight_decay and keep: NumPy transcription"),
    parts=("scale_by_sps", "SPSState"),
    race=_smoothed,
  ),
)
