# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows of the laws, which are fitted to short runs and predict others."""

import functools

import jax.numpy as jnp

from optax_stepsize import laws
from optax_stepsize.catalogue import _row

# All laws are fitted and evaluated by the host, before training.
_law = functools.partial(
  _row.Row,
  kind="tool",
  family="laws",
  needs=(),
  state_bytes=0,
  min_bytes=0,
  reductions="none",
  sweep=None,
  evaluation="params",
)

HUBER = _row.Paper(
  key="huber1964robust",
  title="Robust Estimation of a Location Parameter",
  authors="Huber, Peter J.",
  year=1964,
  arxiv="",
  venue="The Annals of Mathematical Statistics",
)


def _mean_residuals(values, data):
  return values["mean"] - jnp.asarray(data)


ROWS = (
  _law(
    name="robust_fit",
    factory=laws.robust_fit,
    computed_from="any data and a law of it",
    paper=HUBER,
    static=(
      "law",
      "residual_fn",
      "starts",
      "data",
      "method",
      "huber_delta",
      "positive",
      "held",
      "bounds",
      "groups",
      "max_evals",
      "confidence",
    ),
    parity="ordinary least squares, and coverage of its intervals",
    parts=("Curve", "FitResult", "Law", "Metrics", "metrics"),
    example={
      "law": dict,
      "residual_fn": _mean_residuals,
      "starts": ({"mean": 1.0},),
      "data": (1.0, 2.0, 3.0),
    },
  ),
)
