# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The one table of methods, from which tests, docs and commands are made."""

from collections.abc import Callable, Mapping
import dataclasses
import difflib
import functools
from typing import Any

import jax.numpy as jnp
import optax

from optax_stepsize import distance
from optax_stepsize import iterates
from optax_stepsize import polyak
from optax_stepsize import schedules


@dataclasses.dataclass(frozen=True)
class Paper:
  """Where a method comes from.

  Attributes:
    key: BibTeX key.
    title: Title.
    authors: Authors, in BibTeX's form, joined with " and ".
    year: Year of publication.
    arxiv: arXiv number.
    venue: Conference or journal.
  """

  key: str
  title: str
  authors: str
  year: int
  arxiv: str
  venue: str

  def bibtex(self) -> str:
    """The BibTeX entry."""
    fields = {
      "title": f"{{{self.title}}}",
      "author": self.authors,
      "booktitle": self.venue,
      "year": self.year,
      "eprint": self.arxiv,
      "archivePrefix": "arXiv",
    }
    lines = ",\n".join(f"  {name} = {{{v}}}" for name, v in fields.items())
    return f"@inproceedings{{{self.key},\n{lines},\n}}"


@dataclasses.dataclass(frozen=True)
class Recommended:
  """How the authors of a method say to use it.

  Attributes:
    settings: That, in a few words.
    options: Arguments of the factory that are not its defaults.
    wrap: From the transformation to the one to use in its place, or None.
  """

  settings: str = ""
  options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  wrap: (
    Callable[[optax.GradientTransformation], optax.GradientTransformation]
    | None
  ) = None


# From the steps of a run and the steps per epoch, None where there are none.
Recommend = Callable[[int, int | None], Recommended]


@dataclasses.dataclass(frozen=True)
class Row:
  """What there is to know of a method without reading its code.

  Attributes:
    name: Public name, of the method and of its factory.
    factory: Makes the transformation or schedule.
    kind: "transformation", "schedule", or "averaging" for a transformation that
      leaves updates as they are.
    family: Sub-package that is its home.
    computed_from: What sets the step size.
    paper: Where it comes from.
    needs: Inputs of `update` that it cannot do without.
    static: Arguments that must not be traced. All other numbers may be.
    state_bytes: Bytes of state per float32 parameter, with default arguments.
    min_bytes: Least bytes per float32 parameter that one update has to read and
      write: parameters, gradients and state read, parameters and state written.
      Zero for a schedule.
    reductions: What an update of sharded parameters communicates.
    sweep: Argument that a tuner should vary first and its default, or None.
    evaluation: What `eval_params` returns: "params" or "average".
    parity: What trajectories are compared with.
    parts: Other public names that belong to the method.
    example: Arguments that make the factory callable.
    exempt: Property of the conformance kit -> reason why it does not hold.
    race: What its authors recommend for a run of so many steps, for races that
      are fair to it. None: the defaults.
  """

  name: str
  factory: Callable[..., Any]
  kind: str
  family: str
  computed_from: str
  paper: Paper
  needs: tuple[str, ...]
  static: tuple[str, ...]
  state_bytes: float
  min_bytes: float
  reductions: str
  sweep: tuple[str, float] | None
  evaluation: str
  parity: str
  parts: tuple[str, ...] = ()
  example: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  exempt: Mapping[str, str] = dataclasses.field(default_factory=dict)
  race: Recommend | None = None


_UBA = Paper(
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
_PRODIGY = Paper(
  key="mishchenko2024prodigy",
  title="Prodigy: An Expeditiously Adaptive Parameter-Free Learner",
  authors="Mishchenko, Konstantin and Defazio, Aaron",
  year=2024,
  arxiv="2306.06101",
  venue="International Conference on Machine Learning",
)
_DOG = Paper(
  key="ivgi2023dog",
  title=(
    "DoG is SGD's Best Friend: A Parameter-Free Dynamic Step Size Schedule"
  ),
  authors="Ivgi, Maor and Hinder, Oliver and Carmon, Yair",
  year=2023,
  arxiv="2302.12022",
  venue="International Conference on Machine Learning",
)
_AVERAGING = Paper(
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
_SCHEDULE_FREE = Paper(
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
_SPS = Paper(
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


def _averaged(total_steps: int, steps_per_epoch: int | None) -> Recommended:
  # The authors of DoG: comparisons without averaging are unfair to it.
  del total_steps, steps_per_epoch
  return Recommended(
    "averaged",
    wrap=lambda tx: optax.chain(tx, iterates.polynomial_decay_averaging()),
  )


def _cosine(total_steps: int, steps_per_epoch: int | None) -> Recommended:
  # A rate that falls from one to zero, without restarts.
  del steps_per_epoch
  decay = optax.cosine_decay_schedule(1.0, total_steps)

  def rate(count):
    # As float: with strict promotion, Optax's schedules refuse integers.
    return decay(count.astype(jnp.float32))

  return Recommended("cosine", {"learning_rate": rate})


def _warmed_up(total_steps: int, steps_per_epoch: int | None) -> Recommended:
  del steps_per_epoch
  steps = total_steps // 20
  return Recommended(f"warm-up {steps}", {"warmup_steps": steps})


def _smoothed(total_steps: int, steps_per_epoch: int | None) -> Recommended:
  # The step may at most double in an epoch: the experiments with deep networks
  # use this in place of a largest step, which would need tuning.
  del total_steps
  if steps_per_epoch is None:
    return Recommended()
  return Recommended(
    "smoothing 2", {"smoothing": 2.0, "steps_per_epoch": steps_per_epoch}
  )


_schedule = functools.partial(
  Row,
  kind="schedule",
  family="schedules",
  needs=(),
  state_bytes=0,
  min_bytes=0,
  reductions="none",
  evaluation="params",
)
_distance = functools.partial(
  Row,
  kind="transformation",
  family="distance",
  computed_from="distance travelled and gradient norms",
  needs=("params",),
  evaluation="params",
)

_ROWS = (
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
  _distance(
    name="dog",
    factory=distance.dog,
    paper=_DOG,
    static=("tamed", "mask", "state_dtype", "compensate", "axis_name"),
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
  Row(
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
  Row(
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
    parity="schedulefree 1.4.1; inner_momentum, store_x: card figures",
    parts=("AdamMoments", "ScheduleFreeState"),
    race=_warmed_up,
  ),
  Row(
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

ROWS: dict[str, Row] = {row.name: row for row in _ROWS}


def get(name: str) -> Row:
  """The row of a method.

  Args:
    name: Its public name.

  Raises:
    ValueError: If there is none of that name; offers the nearest.

  Example:
    >>> from optax_stepsize import catalogue
    >>> catalogue.get("prodigy").needs
    ('params',)
  """
  if name in ROWS:
    return ROWS[name]
  near = difflib.get_close_matches(str(name), ROWS, n=3, cutoff=0.4)
  hint = f" Did you mean {' or '.join(near)}?" if near else ""
  raise ValueError(
    f"unknown method {name!r}.{hint} `optax-stepsize list` shows all."
  )


def cite(name: str) -> str:
  """The BibTeX entry of a method's paper.

  Args:
    name: The method's public name.

  Raises:
    ValueError: If there is no such method; offers the nearest names.

  Example:
    >>> import optax_stepsize
    >>> print(optax_stepsize.cite("prodigy").splitlines()[0])
    @inproceedings{mishchenko2024prodigy,
  """
  return get(name).paper.bibtex()
