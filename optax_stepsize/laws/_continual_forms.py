# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The law of continual pre-training with replay, and for models of any size.

Computed as in the law itself, and from the share of old data or the size.
"""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

import numpy as np

from optax_stepsize import core
from optax_stepsize.laws import _annealing
from optax_stepsize.laws import _continual
from optax_stepsize.laws import _curve
from optax_stepsize.laws import _fit
from optax_stepsize.laws import _law

# Of the paper, with r_pt the share of old data and r_cpt = 1 - r_pt that of new
# in the second phase:
#   old domain: C_2 -> C_2 exp(a_1 r_pt),  B -> B (1 - exp(-a_2 r_cpt))
#   new domain: C_2 -> C_2 exp(a_1 r_cpt), B -> B (exp(a_2 r_cpt) - 1)
# and with N the size in millions:
#   L_0 -> L_0 + F N^-g3,  C_1 -> C_1 N^g1,  C_2 -> C_2 N^g2

DOMAINS = ("old", "new")


def _replayed(values, replay, is_new, xp):
  """The parameters of the law at a share of old data."""
  fresh = 1 - replay
  shift = xp.where(
    is_new,
    xp.expm1(values["a2"] * fresh),
    -xp.expm1(-values["a2"] * fresh),
  )
  same = xp.where(is_new, fresh, replay)
  return values | {
    "C2": values["C2"] * xp.exp(values["a1"] * same),
    "B": values["B"] * shift,
  }


def _sized(values, size):
  """The parameters of the law at a size."""
  return values | {
    "L0": values["L0"] + values["F"] * size ** -values["g3"],
    "C1": values["C1"] * size ** values["g1"],
    "C2": values["C2"] * size ** values["g2"],
  }


def _reduced(values: Mapping[str, Any]) -> _continual.CPTLaw:
  fields = dataclasses.fields(_continual.CPTLaw)
  own: dict[str, Any] = {
    field.name: float(values[field.name])
    if field.type is float
    else values[field.name]
    for field in fields
    if field.name in values
  }
  return _continual.CPTLaw(**own)


@dataclasses.dataclass(frozen=True)
class CPTReplayLaw(_law.Law):
  r"""The law of continual pre-training where old data are mixed in.

  With a share r of old data in the second phase, :math:`C_2` and B of `CPTLaw`
  become, on a validation set of the old data,

  .. math::
    C_2\, e^{a_1 r}, \qquad B \left(1 - e^{-a_2 (1 - r)}\right)

  and on one of the new data

  .. math::
    C_2\, e^{a_1 (1 - r)}, \qquad B \left(e^{a_2 (1 - r)} - 1\right)

  so that nothing shifts where all data are old.

  Attributes:
    L0: As in `CPTLaw`.
    A: As in `CPTLaw`.
    alpha: As in `CPTLaw`.
    C1: As in `CPTLaw`.
    C2: Gain per annealing area in the second phase, where no data are of the
      domain.
    B: Size of the shift, with its sign.
    E: As in `CPTLaw`.
    beta: As in `CPTLaw`.
    a1: By how much annealing gains from data of the domain.
    a2: How fast the shift comes with new data, > 0.
    domain: Which data are validated on, "old" or "new".
    lam: As in `CPTLaw`.
    carry_momentum: As in `CPTLaw`.
  """

  L0: float
  A: float
  alpha: float
  C1: float
  C2: float
  B: float
  E: float
  beta: float
  a1: float
  a2: float
  domain: str
  lam: float = 0.999
  carry_momentum: bool = False

  def __post_init__(self):
    core.check_choice("CPTReplayLaw", "domain", self.domain, DOMAINS)

  def at_replay(self, replay: float) -> _continual.CPTLaw:
    """The law with a share `replay` of old data, in [0, 1]."""
    core.check_range("CPTReplayLaw", "replay", replay, "[0, 1]")
    values = dataclasses.asdict(self)
    is_new = np.asarray(self.domain == "new")
    return _reduced(_replayed(values, float(replay), is_new, np))

  def transfer_loss(self, *, replay: float = 0.0, **options: Any) -> float:
    """As of `CPTLaw`; replay does not matter before it starts."""
    return self.at_replay(replay).transfer_loss(**options)

  def predict(
    self,
    schedule: _curve.ScheduleOrRates,
    steps: Any,
    *,
    replay: float,
    pt_schedule: _curve.ScheduleOrRates,
    pt_steps: int | None = None,
  ) -> np.ndarray:
    """The losses with a share `replay` of old data, see `CPTLaw.predict`."""
    return self.at_replay(replay).predict(
      schedule, steps, pt_schedule=pt_schedule, pt_steps=pt_steps
    )


@dataclasses.dataclass(frozen=True)
class CPTSizeLaw(_law.Law):
  r"""The law of continual pre-training for models of N million parameters.

  :math:`L_0`, :math:`C_1` and :math:`C_2` of `CPTLaw` become

  .. math:: L_0 + F N^{-g_3}, \qquad C_1 N^{g_1}, \qquad C_2 N^{g_2}

  The shift does not depend on the size.

  Attributes:
    L0: As in `CPTLaw`, of an infinitely large model.
    A: As in `CPTLaw`.
    alpha: As in `CPTLaw`.
    C1: Gain per annealing area in pre-training, of a million parameters.
    C2: Gain per annealing area in the second phase, of a million parameters.
    B: As in `CPTLaw`.
    E: As in `CPTLaw`.
    beta: As in `CPTLaw`.
    F: Size of the power law of the model, > 0.
    g1: Exponent of the gain in pre-training.
    g2: Exponent of the gain in the second phase.
    g3: Exponent of the model, > 0.
    lam: As in `CPTLaw`.
    carry_momentum: As in `CPTLaw`.
  """

  L0: float
  A: float
  alpha: float
  C1: float
  C2: float
  B: float
  E: float
  beta: float
  F: float
  g1: float
  g2: float
  g3: float
  lam: float = 0.999
  carry_momentum: bool = False

  def at_size(self, size: float) -> _continual.CPTLaw:
    """The law of models of `size` million parameters without embeddings."""
    _annealing.check_sizes("CPTSizeLaw", "size", size)
    return _reduced(_sized(dataclasses.asdict(self), float(size)))

  def transfer_loss(self, *, size: float, **options: Any) -> float:
    """As of `CPTLaw`, of a model of `size` million parameters."""
    return self.at_size(size).transfer_loss(**options)

  def predict(
    self,
    schedule: _curve.ScheduleOrRates,
    steps: Any,
    *,
    size: float,
    pt_schedule: _curve.ScheduleOrRates,
    pt_steps: int | None = None,
  ) -> np.ndarray:
    """The losses of a model of `size` million parameters, see `CPTLaw`."""
    return self.at_size(size).predict(
      schedule, steps, pt_schedule=pt_schedule, pt_steps=pt_steps
    )


def _replay_model(values, data, xp):
  values = _replayed(values, data["replay"], data["is_new"], xp)
  return _continual.base_model(values, data, xp)


def _size_model(values, data, xp):
  return _continual.base_model(_sized(values, data["size"]), data, xp)


def _replay_residuals(values, data):
  return _continual.signed_residuals(_replay_model, values, data)


def _size_residuals(values, data):
  return _continual.signed_residuals(_size_model, values, data)


def _per_point(method, name, numbers, curves) -> np.ndarray:
  """One number for each curve, repeated for each of its points."""
  if np.shape(numbers) != (len(curves),):
    raise ValueError(
      f"{method}: {name} must have one entry for each of the {len(curves)}"
      f" curves, got {numbers!r}."
    )
  return np.repeat(np.asarray(numbers, np.float64), _annealing.lengths(curves))


def fit_cpt_replay_law(
  pt_curves: Sequence[_curve.Curve],
  cpt_curves: Sequence[_continual.ContinualCurve],
  replays: Sequence[float],
  *,
  domain: str,
  lam: float = 0.999,
  carry_momentum: bool = False,
  huber_delta: float = 1e-3,
  inits: Sequence[Mapping[str, float]] | None = None,
  bounds: Mapping[str, tuple[float, float]] | None = None,
  confidence: float = 0.95,
) -> _fit.FitResult[CPTReplayLaw]:
  """Fits the law of continual pre-training with replay.

  Args:
    pt_curves: Runs of the first phase.
    cpt_curves: Runs of the second phase, of at least two shares of old data.
    replays: One for each of `cpt_curves`: the share of old data, in [0, 1].
    domain: Which data the losses are of: "old", where B > 0, or "new", where
      B < 0.
    lam: As in `fit_cpt_law`.
    carry_momentum: As in `fit_cpt_law`.
    huber_delta: As in `fit_cpt_law`.
    inits: As in `fit_cpt_law`, with a1 and a2; by default 3.
    bounds: As in `fit_cpt_law`.
    confidence: Of the intervals, in (0, 1).

  Returns:
    The law and how well the curves tell it; metrics of `pt_curves` first.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import numpy as np
    >>> import optax_stepsize
    >>> true = optax_stepsize.CPTReplayLaw(
    ...     L0=3.0, A=0.5, alpha=0.5, C1=0.3, C2=0.3, B=0.4, E=30.0, beta=0.2,
    ...     a1=0.5, a2=1.5, domain="old",
    ... )
    >>> none, half = true.at_replay(0.0), true.at_replay(0.5)
    >>> round(none.B, 4), round(half.B, 4), true.at_replay(1.0).B
    (0.3107, 0.2111, 0.0)

  References:
    Wang et al., arXiv 2505.07796.
  """
  method = "fit_cpt_replay_law"
  core.check_choice(method, "domain", domain, DOMAINS)
  found = _continual.points(method, pt_curves, cpt_curves, lam, carry_momentum)
  core.check_range(method, "replays", replays, "[0, 1]")
  replay = _per_point(method, "replays", replays, found.cpt_curves)
  # No shift and no second annealing in pre-training, whatever the replay.
  before = np.zeros(len(found.data["losses"]) - len(replay))
  found.data["replay"] = np.concatenate([before, replay])
  found.data["is_new"] = np.asarray(domain == "new")
  if inits is None:
    inits = _continual.known_starts(
      found, lam, huber_delta, {"a1": 0.0, "a2": 1.0}
    )

  def law(**values):
    return CPTReplayLaw(
      **values, domain=domain, lam=lam, carry_momentum=carry_momentum
    )

  return _continual.signed_fit(
    method,
    law,
    _replay_model,
    _replay_residuals,
    inits,
    found,
    sign="+" if domain == "old" else "-",
    bounds=bounds,
    huber_delta=huber_delta,
    positive=("L0", "A", "alpha", "C1", "C2", "B", "E", "beta", "a2"),
    confidence=confidence,
  )


def fit_cpt_size_law(
  pt_curves: Sequence[_curve.Curve],
  cpt_curves: Sequence[_continual.ContinualCurve],
  pt_sizes: Sequence[float],
  cpt_sizes: Sequence[float],
  *,
  lam: float = 0.999,
  sign: str = "auto",
  carry_momentum: bool = False,
  huber_delta: float = 1e-3,
  inits: Sequence[Mapping[str, float]] | None = None,
  bounds: Mapping[str, tuple[float, float]] | None = None,
  confidence: float = 0.95,
) -> _fit.FitResult[CPTSizeLaw]:
  """Fits the law of continual pre-training to models of several sizes.

  Args:
    pt_curves: Runs of the first phase, of at least three sizes.
    cpt_curves: Runs of the second phase, of at least two sizes.
    pt_sizes: One for each of `pt_curves`: parameters of the model without
      embeddings, in millions.
    cpt_sizes: One for each of `cpt_curves`.
    lam: As in `fit_cpt_law`.
    sign: As in `fit_cpt_law`.
    carry_momentum: As in `fit_cpt_law`.
    huber_delta: As in `fit_cpt_law`.
    inits: As in `fit_cpt_law`, with F, g1, g2 and g3; by default 3 for each
      sign.
    bounds: As in `fit_cpt_law`.
    confidence: Of the intervals, in (0, 1).

  Returns:
    The law and how well the curves tell it; metrics of `pt_curves` first.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> law = optax_stepsize.CPTSizeLaw(
    ...     L0=1.829, A=0.504, alpha=0.537, C1=0.09, C2=0.103, B=0.278,
    ...     E=12.0, beta=0.359, F=3.072, g1=0.235, g2=0.199, g3=0.195,
    ... )
    >>> [round(law.at_size(size).L0, 3) for size in (106, 594, 1720)]
    [3.066, 2.713, 2.548]

  References:
    Wang et al., arXiv 2505.07796.
  """
  method = "fit_cpt_size_law"
  found = _continual.points(method, pt_curves, cpt_curves, lam, carry_momentum)
  columns = []
  for name, sizes, curves in (
    ("pt_sizes", pt_sizes, found.pt_curves),
    ("cpt_sizes", cpt_sizes, found.cpt_curves),
  ):
    _annealing.check_sizes(method, name, sizes)
    columns.append(_per_point(method, name, sizes, curves))
  found.data["size"] = np.concatenate(columns)
  if inits is None:
    first = _annealing.fit_annealing_law_n(
      found.pt_curves, pt_sizes, lam=lam, huber_delta=huber_delta
    ).law
    start = {"L0": first.L0, "A": first.A, "alpha": first.alpha}
    gains = {"C1": first.C, "C2": first.C, "g1": first.gamma, "g2": first.gamma}
    models = {"F": first.B, "g3": first.beta}
    inits = _continual.shift_starts(start | gains | models, few=True)

  def law(**values):
    return CPTSizeLaw(**values, lam=lam, carry_momentum=carry_momentum)

  return _continual.signed_fit(
    method,
    law,
    _size_model,
    _size_residuals,
    inits,
    found,
    sign=sign,
    bounds=bounds,
    huber_delta=huber_delta,
    positive=("L0", "A", "alpha", "C1", "C2", "B", "E", "beta", "F", "g3"),
    confidence=confidence,
  )
