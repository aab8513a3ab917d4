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

_ALR = _row.Paper(
  key="wang2023alr",
  title=(
    "Generalized Polyak Step Size for First Order Optimization with Momentum"
  ),
  authors="Wang, Xiaoyu and Johansson, Mikael and Zhang, Tong",
  year=2023,
  arxiv="2305.12939",
  venue="International Conference on Machine Learning",
)

_PSPS = _row.Paper(
  key="abdukhakimov2023psps",
  title=("Stochastic Gradient Descent with Preconditioned Polyak Step-size"),
  authors=(
    "Abdukhakimov, Farshed and Xiang, Chulu and Kamzolov, Dmitry and"
    " Takac, Martin"
  ),
  year=2023,
  arxiv="2310.02093",
  venue="",
)

_MOMO = _row.Paper(
  key="schaipp2024momo",
  title="MoMo: Momentum Models for Adaptive Learning Rates",
  authors=(
    "Schaipp, Fabian and Ohana, Ruben and Eickenberg, Michael and Defazio,"
    " Aaron and Gower, Robert M."
  ),
  year=2024,
  arxiv="2305.07583",
  venue="International Conference on Machine Learning",
)


_SMB = _row.Paper(
  key="birbil2024smb",
  title="Bolstering Stochastic Gradient Descent with Model Building",
  authors=(
    "Birbil, S. Ilker and Martin, Ozgur and Onay, Gonenc and Oztoprak, Figen"
  ),
  year=2024,
  arxiv="2111.07058",
  venue="TOP, volume 32",
)
_POLICY = _row.Paper(
  key="li2024policypolyak",
  title="Enhancing Policy Gradient with the Polyak Step-Size Adaption",
  authors=(
    "Li, Yunxiang and Yuan, Rui and Fan, Chen and Schmidt, Mark and"
    " Horvath, Samuel and Gower, Robert M. and Takac, Martin"
  ),
  year=2024,
  arxiv="2404.07525",
  venue="",
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


def _capped(total_steps: int, steps_per_epoch: int | None) -> _row.Recommended:
  # Of noisy gradients, steps without a bound would follow the noise.
  del total_steps, steps_per_epoch
  return _row.Recommended("largest step 0.1", {"max_step_size": 0.1})


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
  _row.Row(
    name="polyak_moving_gradient",
    factory=polyak.polyak_moving_gradient,
    kind="transformation",
    family="polyak",
    computed_from="loss value and norm of the momentum",
    paper=_ALR,
    needs=("value",),
    static=("mask", "state_dtype", "axis_name"),
    state_bytes=4,
    # Gradients and state in, state out; then state and parameters in,
    # parameters out.
    min_bytes=24,
    reductions="two scalars, one all-reduce",
    sweep=("c", 1.0),
    evaluation="params",
    parity="NumPy transcription: the authors' code is not published",
    parts=("PolyakMovingGradientState",),
    race=_capped,
  ),
  _row.Row(
    name="polyak_heavy_ball",
    factory=polyak.polyak_heavy_ball,
    kind="transformation",
    family="polyak",
    computed_from="loss value, gradient norm and last displacement",
    paper=_ALR,
    needs=("params", "value"),
    static=("clip_negative", "state_dtype", "compensate", "axis_name"),
    state_bytes=4,
    # All of gradients, parameters and state in, twice; the latter two out.
    min_bytes=32,
    reductions="two scalars, one all-reduce",
    sweep=("c", 1.0),
    evaluation="params",
    parity="NumPy transcription: the authors' code is not published",
    parts=("PolyakHeavyBallState",),
    race=_capped,
  ),
  _row.Row(
    name="psps",
    factory=polyak.psps,
    kind="transformation",
    family="polyak",
    computed_from=(
      "loss value and second moment, or with hvp_fn curvature, of gradients"
    ),
    paper=_PSPS,
    # And hvp_fn, or hessian_diag, with preconditioner="hutchinson".
    needs=("value",),
    static=(
      "preconditioner",
      "slack",
      "warmup_probes",
      "probes_per_step",
      "seed",
      "state_dtype",
      "axis_name",
    ),
    state_bytes=4,
    # Gradients and state in, twice; parameters in; the latter two out.
    min_bytes=28,
    reductions="one scalar, one all-reduce",
    sweep=("b2", 0.999),
    evaluation="params",
    parity="NumPy transcription of fxrshed/ScaledSPS, in no package index",
    parts=("PSPSState", "hutchinson_diagonal", "make_hvp_fn"),
  ),
  _row.Row(
    name="momo",
    factory=polyak.momo,
    kind="transformation",
    family="polyak",
    computed_from="averages of loss values and gradients",
    paper=_MOMO,
    needs=("params", "value"),
    static=(
      "adapt_lower_bound",
      "bias_correction",
      "state_dtype",
      "axis_name",
    ),
    state_bytes=4,
    # Gradients and state in, state out; then, for the sums, all in; then state
    # and parameters in, parameters out. One pass less if XLA could update in
    # place what two sums of the same kernel read.
    min_bytes=36,
    reductions="three scalars, one all-reduce",
    sweep=("learning_rate", 1.0),
    evaluation="params",
    parity="momo-opt 0.1.0",
    parts=("MomoState",),
  ),
  _row.Row(
    name="momo_adam",
    factory=polyak.momo_adam,
    kind="transformation",
    family="polyak",
    computed_from="averages of loss values and gradients",
    paper=_MOMO,
    needs=("params", "value"),
    static=(
      "adapt_lower_bound",
      "proximal_decay",
      "state_dtype",
      "axis_name",
    ),
    state_bytes=8,
    # As `momo`; but the second moment is updated while the sums are taken.
    min_bytes=48,
    reductions="three scalars, one all-reduce",
    sweep=("learning_rate", 1e-2),
    evaluation="params",
    parity="momo-opt 0.1.0",
  ),
  _row.Row(
    name="smb",
    factory=polyak.smb,
    kind="transformation",
    family="polyak",
    computed_from="loss and gradient at a trial point, of the same batch",
    paper=_SMB,
    needs=("params", "value", "value_and_grad_fn"),
    static=(
      "independent_batch",
      "per_group",
      "auto_schedule",
      "mask",
      "state_dtype",
      "compensate",
      "axis_name",
    ),
    state_bytes=0,
    # Parameters and gradients in, for the sums; both in again, parameters out.
    # What the function reads and writes, trial point and gradient there, does
    # not count: a function as simple as that of the cost command has none of it
    # in memory.
    min_bytes=20,
    reductions="two scalars per group, two all-reduces",
    sweep=("learning_rate", 0.5),
    evaluation="params",
    parity=(
      "sibirbil/SMB; groups, decay, schedules and what differs: NumPy"
      " transcription"
    ),
    parts=("SmbState", "SmbAutoSchedule"),
    exempt=dict.fromkeys(
      ("masked", "partition"),
      "Optax masks gradients and parameters, but not the function",
    ),
  ),
  _row.Row(
    name="policy_polyak",
    factory=polyak.policy_polyak,
    kind="transformation",
    family="polyak",
    computed_from="return of a policy, its target and gradient norm",
    paper=_POLICY,
    needs=("value", "target_value"),
    static=("mask", "axis_name"),
    state_bytes=0,
    min_bytes=16,
    reductions="one scalar, one all-reduce",
    # A race minimises losses, which have no target.
    sweep=None,
    evaluation="params",
    parity="NumPy transcription: the authors' code is not published",
    parts=(
      "entropy_regularised_return",
      "gpomdp_surrogate",
      "PolicyPolyakState",
      "scale_by_policy_polyak",
    ),
  ),
  _row.Row(
    name="twin_polyak",
    factory=polyak.twin_polyak,
    kind="twins",
    family="polyak",
    computed_from="returns of two policies and gradient norm of the worse",
    paper=_POLICY,
    needs=("value",),
    static=("state_dtype", "axis_name"),
    state_bytes=0,
    min_bytes=16,
    reductions="two scalars, one all-reduce",
    sweep=None,
    evaluation="params",
    parity="NumPy transcription: the authors' code is not published",
    parts=("TwinPolyakState",),
  ),
)
