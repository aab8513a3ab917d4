# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows of the methods that measure the distance travelled."""

import functools

import jax.numpy as jnp
import optax

from optax_stepsize import distance
from optax_stepsize import iterates
from optax_stepsize.catalogue import _row

_PRODIGY = _row.Paper(
  key="mishchenko2024prodigy",
  title="Prodigy: An Expeditiously Adaptive Parameter-Free Learner",
  authors="Mishchenko, Konstantin and Defazio, Aaron",
  year=2024,
  arxiv="2306.06101",
  venue="International Conference on Machine Learning",
)
_DOG = _row.Paper(
  key="ivgi2023dog",
  title=(
    "DoG is SGD's Best Friend: A Parameter-Free Dynamic Step Size Schedule"
  ),
  authors="Ivgi, Maor and Hinder, Oliver and Carmon, Yair",
  year=2023,
  arxiv="2302.12022",
  venue="International Conference on Machine Learning",
)
_D_ADAPTATION = _row.Paper(
  key="defazio2023dadaptation",
  title="Learning-Rate-Free Learning by D-Adaptation",
  authors="Defazio, Aaron and Mishchenko, Konstantin",
  year=2023,
  arxiv="2301.07733",
  venue="International Conference on Machine Learning",
)


def _averaged(
  total_steps: int, steps_per_epoch: int | None
) -> _row.Recommended:
  # The authors of DoG: comparisons without averaging are unfair to it.
  del total_steps, steps_per_epoch
  return _row.Recommended(
    "averaged",
    wrap=lambda tx: optax.chain(tx, iterates.polynomial_decay_averaging()),
  )


def _cosine(total_steps: int, steps_per_epoch: int | None) -> _row.Recommended:
  # A rate that falls from one to zero, without restarts.
  del steps_per_epoch
  decay = optax.cosine_decay_schedule(1.0, total_steps)

  def rate(count):
    # As float: with strict promotion, Optax's schedules refuse integers.
    return decay(count.astype(jnp.float32))

  return _row.Recommended("cosine", {"learning_rate": rate})


_distance = functools.partial(
  _row.Row,
  kind="transformation",
  family="distance",
  computed_from="distance travelled and gradient norms",
  needs=("params",),
  evaluation="params",
)

# What is swept leaves the schedule of a race alone, which SGD and Lion need.
_d_adaptation = functools.partial(
  _distance,
  paper=_D_ADAPTATION,
  computed_from="gradients and the distance that they show",
  sweep=("d0", 1e-6),
  parity="dadaptation 3.2",
  race=_cosine,
)
_D_ADAPTATION_STATIC = (
  "mask",
  "per_group",
  "state_dtype",
  "compensate",
  "axis_name",
)

ROWS = (
  _distance(
    name="dog",
    factory=distance.dog,
    paper=_DOG,
    static=(
      "per_group",
      "tamed",
      "mask",
      "state_dtype",
      "compensate",
      "axis_name",
    ),
    state_bytes=4,
    min_bytes=24,
    reductions="two scalars, one all-reduce",
    sweep=("reps_rel", 1e-6),
    parity="dog-optimizer 1.0.3",
    parts=("scale_by_dog", "DoGState"),
    race=_averaged,
  ),
  _distance(
    name="ldog",
    factory=distance.ldog,
    paper=_DOG,
    static=(
      "block_axes",
      "tamed",
      "mask",
      "state_dtype",
      "compensate",
      "axis_name",
    ),
    state_bytes=4,
    min_bytes=24,
    reductions="two scalars per leaf, one all-reduce",
    sweep=("reps_rel", 1e-6),
    parity="dog-optimizer 1.0.3",
    race=_averaged,
  ),
  _distance(
    name="prodigy",
    factory=distance.prodigy,
    paper=_PRODIGY,
    static=(
      "decouple",
      "mask",
      "use_bias_correction",
      "safeguard_warmup",
      "per_group",
      "slice_p",
      "slice_axis",
      "state_dtype",
      "compensate",
      "axis_name",
    ),
    state_bytes=16,
    min_bytes=48,
    reductions="two scalars, one all-reduce",
    sweep=("d_coef", 1.0),
    parity="prodigyopt 1.1.2; slice_axis: none",
    parts=("ProdigyState",),
    race=_cosine,
  ),
  _d_adaptation(
    name="dadapt_sgd",
    factory=distance.dadapt_sgd,
    static=_D_ADAPTATION_STATIC,
    state_bytes=8,
    min_bytes=28,
    reductions="three scalars, two all-reduces",
    parity="dadaptation 3.2; mask, zero first gradient or rate: transcription",
    parts=("DAdaptationState",),
  ),
  _d_adaptation(
    name="dadapt_adagrad",
    factory=distance.dadapt_adagrad,
    static=_D_ADAPTATION_STATIC,
    state_bytes=12,
    min_bytes=40,
    reductions="three scalars, two all-reduces",
  ),
  _d_adaptation(
    name="dadapt_adam",
    factory=distance.dadapt_adam,
    static=("decouple", "use_bias_correction", *_D_ADAPTATION_STATIC),
    state_bytes=12,
    min_bytes=44,
    reductions="three scalars, two all-reduces",
  ),
  _d_adaptation(
    name="dadapt_adamw",
    factory=distance.dadapt_adamw,
    static=("decouple", "use_bias_correction", *_D_ADAPTATION_STATIC),
    state_bytes=12,
    min_bytes=44,
    reductions="three scalars, two all-reduces",
  ),
  _d_adaptation(
    name="dadapt_adan",
    factory=distance.dadapt_adan,
    static=("no_prox", *_D_ADAPTATION_STATIC),
    state_bytes=20,
    min_bytes=60,
    reductions="three scalars, two all-reduces",
    exempt={
      "bfloat16": (
        "its estimate overshoots the distance many times, by its own rule, and"
        " so amplifies the rounding of gradients; at a rate of 0.1 it does not"
        " and agrees"
      )
    },
  ),
  _d_adaptation(
    name="dadapt_lion",
    factory=distance.dadapt_lion,
    static=_D_ADAPTATION_STATIC,
    state_bytes=8,
    min_bytes=28,
    reductions="two scalars, one all-reduce",
  ),
)
