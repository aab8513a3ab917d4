# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows of the schedules."""

import functools

from optax_stepsize import schedules
from optax_stepsize.catalogue import _gradients
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
_REX = _row.Paper(
  key="chen2022rex",
  title="REX: Revisiting Budgeted Training with an Improved Schedule",
  authors="Chen, John and Wolfe, Cameron and Kyrillidis, Anastasios",
  year=2022,
  arxiv="2107.04197",
  venue="Machine Learning and Systems",
)
# Also in the rows of laws.
MULTI_POWER = _row.Paper(
  key="luo2025multi",
  title=(
    "A Multi-Power Law for Loss Curve Prediction Across Learning Rate Schedules"
  ),
  authors=(
    "Luo, Kairong and Wen, Haodong and Hu, Shengding and Sun, Zhenbo and Liu,"
    " Zhiyuan and Sun, Maosong and Lyu, Kaifeng and Chen, Wenguang"
  ),
  year=2025,
  arxiv="2503.12811",
  venue="International Conference on Learning Representations",
)
_WSD = _row.Paper(
  key="wen2025wsd",
  title=(
    "Understanding Warmup-Stable-Decay Learning Rates: A River Valley Loss"
    " Landscape Perspective"
  ),
  authors=(
    "Wen, Kaiyue and Li, Zhiyuan and Wang, Jason and Hall, David and Liang,"
    " Percy and Ma, Tengyu"
  ),
  year=2025,
  arxiv="2410.05192",
  venue="International Conference on Learning Representations",
)
_BUDGET = ("total_steps", "warmup_steps", "num_phases", "phase_boundaries")
CLR = _row.Paper(
  key="smith2017clr",
  title="Cyclical Learning Rates for Training Neural Networks",
  authors="Smith, Leslie N.",
  year=2017,
  arxiv="1506.01186",
  venue="IEEE Winter Conference on Applications of Computer Vision",
)
_ONE_CYCLE = _row.Paper(
  key="smith2018disciplined",
  title="A disciplined approach to neural network hyper-parameters: Part 1",
  authors="Smith, Leslie N.",
  year=2018,
  arxiv="1803.09820",
  venue="",
)
_MULTIPLICATIVE = _row.Paper(
  key="portes2022fast",
  title=(
    "Fast Benchmarking of Accuracy vs. Training Time with Cyclic Learning Rates"
  ),
  authors=(
    "Portes, Jacob and Blalock, Davis and Stephenson, Cory and Frankle,"
    " Jonathan"
  ),
  year=2022,
  arxiv="2206.00832",
  venue="",
)
_LRBENCH = _row.Paper(
  key="jin2023rethinking",
  title=("Rethinking Learning Rate Tuning in the Era of Large Language Models"),
  authors=(
    "Jin, Hongpeng and Wei, Wenqi and Wang, Xuyu and Zhang, Wenbin and Wu,"
    " Yanzhao"
  ),
  year=2023,
  arxiv="2309.08859",
  venue="",
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
    name="budgeted",
    factory=schedules.budgeted,
    computed_from="step count, budget, a profile and its sampling",
    paper=_REX,
    static=("profile", "sampling", *_BUDGET),
    sweep=None,
    parity="optax linear and cosine; rational oracle",
    parts=(
      "Profile",
      "constant_profile",
      "cosine_profile",
      "exponential_profile",
      "inverse_profile",
      "linear_profile",
      "one_minus_sqrt_profile",
      "polynomial_profile",
      "rex_profile",
    ),
    example={"profile": "rex", "peak_value": 0.1, "total_steps": 100},
  ),
  _schedule(
    name="rex_schedule",
    factory=schedules.rex_schedule,
    computed_from="step count, budget and a bend",
    paper=_REX,
    static=_BUDGET,
    sweep=("beta", 0.5),
    parity="pytorch_optimizer 4.1.0 REXScheduler",
    example={"peak_value": 0.1, "total_steps": 100},
  ),
  _schedule(
    name="linear_decay_schedule",
    factory=schedules.linear_decay_schedule,
    computed_from="step count and budget",
    paper=_gradients.REFINEMENT,
    static=("total_steps", "warmup_steps", "offset"),
    sweep=None,
    parity="optax linear_schedule; rational oracle",
    example={"peak_value": 0.1, "total_steps": 100},
  ),
  _schedule(
    name="refined_schedule",
    factory=schedules.refined_schedule,
    computed_from="gradient norms of an earlier run",
    paper=_gradients.REFINEMENT,
    static=("grad_norms", "norm", "tau", "total_steps"),
    sweep=None,
    parity="scipy median_filter; figures by hand",
    parts=("refine_schedule",),
    example={"grad_norms": (4.0, 2.0, 1.0, 1.0, 1.0, 2.0), "peak_value": 0.1},
  ),
  _schedule(
    name="uba_schedule",
    factory=schedules.uba_schedule,
    computed_from="step count, budget and a shape",
    paper=_UBA,
    static=(*_BUDGET, "grid"),
    sweep=("phi", 2.0),
    parity="torch CosineAnnealingLR and optax cosine at phi=2; worked figures",
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
  _schedule(
    name="tabulated_schedule",
    factory=schedules.tabulated_schedule,
    computed_from="a table of rates, such as a designed schedule",
    paper=MULTI_POWER,
    static=("values", "steps"),
    sweep=None,
    parity="numpy interp",
    parts=("from_csv", "to_csv"),
    example={"values": (0.0, 0.1, 0.05), "steps": (0, 10, 100)},
  ),
  _schedule(
    name="wsd_schedule",
    factory=schedules.wsd_schedule,
    computed_from="step count and budget",
    paper=_WSD,
    static=("total_steps", "warmup_steps", "decay_steps", "shape"),
    sweep=("decay_fraction", 0.1),
    parity="pytorch_optimizer 4.1.0 get_wsd_schedule at ratio 0",
    parts=("Branch", "cooldown", "wsd_branches"),
    example={"peak_value": 0.1, "total_steps": 100},
  ),
  _schedule(
    name="wsd_s_schedule",
    factory=schedules.wsd_s_schedule,
    computed_from="step count and several budgets",
    paper=_WSD,
    static=(
      "budgets",
      "warmup_steps",
      "decay_steps",
      "decay_of",
      "rewarmup_steps",
      "shape",
    ),
    sweep=None,
    parity="transcription of levanter's schedule with cycles; rational oracle",
    example={"peak_value": 0.1, "budgets": (50, 100)},
  ),
  _schedule(
    name="wsd_sqrt_cube_schedule",
    factory=schedules.wsd_sqrt_cube_schedule,
    computed_from="step count and budget",
    paper=MULTI_POWER,
    static=("total_steps", "warmup_steps"),
    sweep=("decay_fraction", 0.17),
    parity="its formula in float64; losses by the law of its paper",
    example={"peak_value": 0.1, "total_steps": 100},
  ),
  _schedule(
    name="cyclic_cosine_schedule",
    factory=schedules.cyclic_cosine_schedule,
    computed_from="step count and several budgets",
    paper=_WSD,
    static=("budgets", "warmup_steps"),
    sweep=None,
    parity="torch CosineAnnealingLR in each segment; rational oracle",
    example={"peak_value": 0.1, "budgets": (50, 100)},
  ),
  _schedule(
    name="cyclical_schedule",
    factory=schedules.cyclical_schedule,
    computed_from="step count",
    paper=CLR,
    static=(
      "step_size_up",
      "step_size_down",
      "mode",
      "scale_fn",
      "scale_mode",
    ),
    sweep=None,
    parity="torch 2.13.0 CyclicLR",
    parts=("cycle_end_steps", "cyclical_momentum_schedule"),
    example={"base_value": 0.01, "max_value": 0.1, "step_size_up": 20},
  ),
  _schedule(
    name="one_cycle",
    factory=schedules.one_cycle,
    kind="tool",  # a pair of schedules
    computed_from="step count and budget",
    paper=_ONE_CYCLE,
    static=("total_steps", "anneal", "three_phase"),
    sweep=None,
    parity="torch 2.13.0 OneCycleLR; figures by hand for smith_one_cycle",
    parts=("OneCycle", "smith_one_cycle"),
    example={"peak_value": 0.1, "total_steps": 100},
  ),
  _schedule(
    name="multiplicative_cyclic_schedule",
    factory=schedules.multiplicative_cyclic_schedule,
    computed_from="step count",
    paper=_MULTIPLICATIVE,
    static=(
      "first_cycle_steps",
      "multiplier",
      "warmup_steps",
      "warmup_mode",
      "decay",
    ),
    sweep=None,
    parity="torch 2.13.0 CosineAnnealingWarmRestarts",
    parts=("CyclePoint", "cycle_ends", "tradeoff_curve"),
    example={"peak_value": 0.1, "first_cycle_steps": 8},
  ),
  _schedule(
    name="policy",
    factory=schedules.policy,
    computed_from="step count",
    paper=_LRBENCH,
    static=("name", "l", "restart_at_peak"),
    sweep=None,
    parity="git-disl/LRBench",
    parts=("POLICY_NAMES", "composite_policy"),
    example={"name": "FIX", "k0": 0.1},
  ),
  _schedule(
    name="score_policy",
    factory=schedules.score_policy,
    kind="tool",
    computed_from="losses and predictions, on the host",
    paper=_LRBENCH,
    static=(
      "train_loss",
      "test_loss",
      "probs",
      "labels",
      "target",
      "metric_history",
    ),
    sweep=None,
    parity="figures by hand",
    parts=("PolicyScore", "rank_policies"),
    example={
      "train_loss": 0.25,
      "test_loss": 0.5,
      "probs": ((0.75, 0.25), (0.5, 0.5)),
      "labels": (0, 1),
    },
  ),
)
