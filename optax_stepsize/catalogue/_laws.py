# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows of the laws, which are fitted to short runs and predict others."""

import functools

import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import laws
from optax_stepsize.catalogue import _row
from optax_stepsize.catalogue import _schedules

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
CONVEX_BOUND = _row.Paper(
  key="schaipp2025surprising",
  title=(
    "The Surprising Agreement Between Convex Optimization Theory and"
    " Learning-Rate Scheduling for Large Model Training"
  ),
  authors=(
    "Schaipp, Fabian and Hägele, Alexander and Taylor, Adrien and Simsekli,"
    " Umut and Bach, Francis"
  ),
  year=2025,
  arxiv="2501.18965",
  venue="International Conference on Machine Learning",
)
ANNEALING = _row.Paper(
  key="tissue2024scaling",
  title="Scaling Law with Learning Rate Annealing",
  authors="Tissue, Howe and Wang, Venus and Wang, Lu",
  year=2024,
  arxiv="2408.11029",
  venue="",
)
CONTINUAL = _row.Paper(
  key="wang2025learning",
  title=(
    "Learning Dynamics in Continual Pre-Training for Large Language Models"
  ),
  authors=(
    "Wang, Xingjin and Tissue, Howe and Wang, Lu and Li, Linjing and Zeng,"
    " Daniel Dajun"
  ),
  year=2025,
  arxiv="2505.07796",
  venue="International Conference on Machine Learning",
)
HORIZON = _row.Paper(
  key="bjorck2025scaling",
  title="Scaling Optimal LR Across Token Horizons",
  authors=(
    "Bjorck, Johan and Benhaim, Alon and Chaudhary, Vishrav and Wei, Furu and"
    " Song, Xia"
  ),
  year=2025,
  arxiv="2409.19913",
  venue="International Conference on Learning Representations",
)
TIME_TRANSFER = _row.Paper(
  key="filatov2024time",
  title=(
    "Time Transfer: On Optimal Learning Rate and Batch Size In The Infinite"
    " Data Limit"
  ),
  authors=(
    "Filatov, Oleg and Ebert, Jan and Wang, Jiangtao and Kesselheim, Stefan"
  ),
  year=2024,
  arxiv="2410.05838",
  venue="",
)
CRITICAL_BATCH = _row.Paper(
  key="sato2023existence",
  title=(
    "Existence and Estimation of Critical Batch Size for Training Generative"
    " Adversarial Networks with Two Time-Scale Update Rule"
  ),
  authors="Sato, Naoki and Iiduka, Hideaki",
  year=2023,
  arxiv="2201.11989",
  venue="International Conference on Machine Learning",
)
TTUR = _row.Paper(
  key="heusel2017gans",
  title=(
    "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash"
    " Equilibrium"
  ),
  authors=(
    "Heusel, Martin and Ramsauer, Hubert and Unterthiner, Thomas and Nessler,"
    " Bernhard and Hochreiter, Sepp"
  ),
  year=2017,
  arxiv="1706.08500",
  venue="Advances in Neural Information Processing Systems",
)
BATCH = _row.Paper(
  key="granziol2022learning",
  title=(
    "Learning Rates as a Function of Batch Size: A Random Matrix Theory"
    " Approach to Neural Network Training"
  ),
  authors="Granziol, Diego and Zohren, Stefan and Roberts, Stephen",
  year=2022,
  arxiv="2006.09092",
  venue="Journal of Machine Learning Research",
)

LEARNING_CURVES = _row.Paper(
  key="vilares2017modeling",
  title="Modeling of Learning Curves with Applications to POS Tagging",
  authors=(
    "Vilares Ferro, Manuel and Darriba Bilbao, Víctor M. and Ribadas Pena,"
    " Francisco J."
  ),
  year=2017,
  arxiv="2402.02515",
  venue="Computer Speech and Language",
)
LADDERS = _row.Paper(
  key="bhagia2024establishing",
  title="Establishing Task Scaling Laws via Compute-Efficient Model Ladders",
  authors=(
    "Bhagia, Akshita and Liu, Jiacheng and Wettig, Alexander and Heineman,"
    " David and Tafjord, Oyvind and Jha, Ananya Harsh and Soldaini, Luca and"
    " Smith, Noah A. and Groeneveld, Dirk and Koh, Pang Wei and Dodge, Jesse"
    " and Hajishirzi, Hannaneh"
  ),
  year=2024,
  arxiv="2412.04403",
  venue="",
)
EXP3 = _row.Paper(
  key="aubert2023convergence",
  title=(
    "On the Convergence of the MLE as an Estimator of the Learning Rate in the"
    " Exp3 Algorithm"
  ),
  authors="Aubert, Julien and Lehéricy, Luc and Reynaud-Bouret, Patricia",
  year=2023,
  arxiv="2305.06660",
  venue="International Conference on Machine Learning",
)


_MULTI_POWER_LAW = laws.MultiPowerLaw(
  L0=2.7, A=0.6, alpha=0.45, B=440.0, C=2.0, beta=0.6, gamma=0.65
)


def _multi_power_curves():
  """Of a cosine and of a sudden fall."""
  steps = np.arange(10, 100, 5)
  curves = []
  for rates in (
    5e-4 * (1 + np.cos(np.pi * np.arange(100) / 100)),
    np.repeat([1e-3, 3e-4], 50),
  ):
    losses = 2.7 + 0.6 / np.sqrt(np.cumsum(rates)) - 400 * (1e-3 - rates)
    curves.append(laws.Curve(steps, losses[steps], rates))
  return tuple(curves)


_ANNEALING_LAW = laws.AnnealingLaw(L0=2.7, A=0.6, C=0.5, alpha=0.5, lam=0.9)


def _cpt_curves():
  """Of pre-training, and of second phases with two rates."""
  pt, steps = np.linspace(2e-3, 1e-3, 100), np.arange(2, 100, 4)
  losses = 2.7 + 0.6 / np.sqrt(np.cumsum(pt)) - 100 * (2e-3 - pt)
  second = []
  for peak in (1e-3, 3e-3):
    rates = np.linspace(peak, 0, 100)
    gone = np.cumsum(rates)
    change = 0.3 * (1 - (1 + 30 * gone) ** -0.2) - 100 * (1e-3 - rates)
    total = 2.7 + 0.6 / np.sqrt(np.sum(pt) + gone) - 0.1 + change
    second.append(
      laws.ContinualCurve(steps, total[steps], rates, pt_schedule=pt)
    )
  return (laws.Curve(steps, losses[steps], pt),), tuple(second)


_PT_CURVES, _CPT_CURVES = _cpt_curves()
_CPT_START = {
  "L0": 2.5,
  "A": 0.6,
  "alpha": 0.5,
  "C1": 1.0,
  "C2": 1.0,
  "B": 0.3,
  "E": 30.0,
  "beta": 0.2,
}


def _mean_residuals(values, data):
  return values["mean"] - jnp.asarray(data)


ROWS = (
  _law(
    name="last_iterate_bound",
    factory=laws.last_iterate_bound,
    computed_from="rates of all steps",
    paper=CONVEX_BOUND,
    static=("total_steps",),
    parity="figures of fabian-sp/lr-scheduling; NumPy in float64",
    parts=(
      "BoundTerms",
      "OptimalBaseLr",
      "bound_curve",
      "bound_terms",
      "optimal_base_lr",
      "transfer_base_lr",
    ),
    example={"rates": np.linspace(0.1, 0.01, 10)},
  ),
  _law(
    name="extend_wsd",
    factory=laws.extend_wsd,
    computed_from="the steps of the old and of the new run",
    paper=CONVEX_BOUND,
    static=(
      "old_steps",
      "total_steps",
      "cooldown_fraction",
      "mode",
      "warmup_steps",
    ),
    parity="figures of fabian-sp/lr-scheduling",
    example={"peak_value": 0.1, "old_steps": 20, "total_steps": 40},
  ),
  _law(
    name="fit_lr_sweep",
    factory=laws.fit_lr_sweep,
    computed_from="final losses of runs at several rates",
    paper=CONVEX_BOUND,
    static=("learning_rates", "losses", "max_excess"),
    parity="closed forms; figures on the runs of the authors",
    parts=("LrSweepFit",),
    example={
      "learning_rates": (1e-3, 2e-3, 4e-3),
      "losses": (3.1, 3.0, 3.05),
    },
  ),
  _law(
    name="optimal_lr_from_sweep",
    factory=laws.optimal_lr_from_sweep,
    computed_from="final losses of runs at several rates",
    paper=HORIZON,
    static=(
      "learning_rates",
      "losses",
      "window",
      "max_excess",
      "n_boot",
      "confidence",
      "seed",
    ),
    parity="closed form of a parabola; coverage of its intervals",
    parts=("SweepOptimum",),
    example={
      "learning_rates": (1e-3, 2e-3, 4e-3),
      "losses": (3.1, 3.0, 3.05),
    },
  ),
  _law(
    name="fit_horizon_law",
    factory=laws.fit_horizon_law,
    computed_from="best rates of runs of several lengths",
    paper=HORIZON,
    static=("tokens", "best_lrs", "weights", "confidence"),
    parity="ordinary least squares, on published best rates",
    parts=(
      "HorizonLaw",
      "HorizonSizeLaw",
      "fit_horizon_size_law",
      "transfer_lr",
    ),
    example={"tokens": (1e9, 2e9, 4e9), "best_lrs": (3e-3, 2.4e-3, 2e-3)},
  ),
  _law(
    name="fit_time_transfer",
    factory=laws.fit_time_transfer,
    computed_from="best rates of runs of several lengths and batch sizes",
    paper=TIME_TRANSFER,
    static=(
      "budgets",
      "batches",
      "best_lrs",
      "weights",
      "fix_b_exponent",
      "fix_eta_exponent",
      "t_ref",
      "confidence",
    ),
    parity="closed forms; there is no code of the authors",
    parts=("TimeTransferLaw", "lr_sensitivity", "surge_lr"),
    example={
      "budgets": (1e9, 1e9, 1e9, 1e9),
      "batches": (1e4, 1e5, 1e6, 1e7),
      "best_lrs": (2e-3, 6e-3, 9e-3, 6e-3),
    },
  ),
  _law(
    name="fit_steps_law",
    factory=laws.fit_steps_law,
    computed_from="steps to a target at several batch sizes",
    paper=CRITICAL_BATCH,
    static=("batches", "steps", "weights", "huber_delta", "confidence"),
    parity="closed forms; there is no estimator among the authors' code",
    parts=("MeasuredCriticalBatch", "StepsLaw", "measured_critical_batch"),
    example={"batches": (4, 8, 16, 32), "steps": (16000, 6400, 4900, 4400)},
  ),
  _law(
    name="ttur",
    factory=laws.ttur,
    computed_from="a constant for each player",
    paper=TTUR,
    static=("generator_tx", "discriminator_tx", "labels"),
    parity="each transformation on its own parameters",
    example={
      "generator_tx": optax.sgd(1e-4),
      "discriminator_tx": optax.sgd(4e-4),
    },
  ),
  _law(
    name="fit_batch_law",
    factory=laws.fit_batch_law,
    computed_from="largest rates at several batch sizes",
    paper=BATCH,
    static=("batches", "max_lrs", "rule", "dataset_size", "confidence"),
    parity="eigenvalues of random matrices, and closed forms",
    parts=(
      "BatchLaw",
      "batch_hessian_edge",
      "effective_batch",
      "max_learning_rate",
      "scale_learning_rate",
    ),
    example={"batches": (1, 2, 4, 8), "max_lrs": (0.1, 0.13, 0.16, 0.18)},
  ),
  _law(
    name="fit_multi_power_law",
    factory=laws.fit_multi_power_law,
    computed_from="loss curves and rates of all steps",
    paper=_schedules.MULTI_POWER,
    static=(
      "curves",
      "shape",
      "C",
      "beta",
      "drop_in_warmup",
      "huber_delta",
      "block",
      "starts",
      "confidence",
    ),
    parity="figures by hand of thu-yao-01-luo/MultiPowerLaw on its curves",
    parts=("MultiPowerLaw",),
    example={"curves": _multi_power_curves()},
  ),
  _law(
    name="optimize_schedule",
    factory=laws.optimize_schedule,
    computed_from="a multi-power law and the budget",
    paper=_schedules.MULTI_POWER,
    static=(
      "law",
      "peak_value",
      "total_steps",
      "warmup_steps",
      "knots",
      "min_value",
    ),
    parity="the authors' other schedules, which it must beat",
    parts=("OptimizedSchedule",),
    example={
      "law": _MULTI_POWER_LAW,
      "peak_value": 1e-3,
      "total_steps": 100,
    },
  ),
  _law(
    name="fit_annealing_law",
    factory=laws.fit_annealing_law,
    computed_from="loss curves and rates of all steps",
    paper=ANNEALING,
    static=("curves", "lam", "warmup", "huber_delta", "inits", "confidence"),
    parity="figures by hand of the authors' example and of public curves",
    parts=(
      "AnnealingAreas",
      "AnnealingLaw",
      "AnnealingLawN",
      "annealing_areas",
      "fit_annealing_law_n",
    ),
    example={
      "curves": _multi_power_curves(),
      "lam": 0.9,
      "inits": ({"L0": 2.5, "A": 0.6, "C": 1.0, "alpha": 0.5},),
    },
  ),
  _law(
    name="best_cooldown_fraction",
    factory=laws.best_cooldown_fraction,
    computed_from="a law of loss curves, the budget and the peak",
    paper=ANNEALING,
    static=(
      "law",
      "total_steps",
      "peak_value",
      "warmup_steps",
      "shape",
      "end_value",
      "grid",
      "force",
    ),
    parity="figures by hand of the authors' example",
    parts=("CooldownFraction",),
    example={"law": _ANNEALING_LAW, "total_steps": 100, "peak_value": 1e-3},
  ),
  _law(
    name="fit_cpt_law",
    factory=laws.fit_cpt_law,
    computed_from="loss curves and rates of all steps of two phases",
    paper=CONTINUAL,
    static=(
      "pt_curves",
      "cpt_curves",
      "lam",
      "sign",
      "fit_pt_area",
      "carry_momentum",
      "huber_delta",
      "inits",
      "bounds",
      "confidence",
    ),
    parity="no code to be had: the paper's fits, and a NumPy transcription",
    parts=(
      "Balance",
      "CPTLaw",
      "CPTReplayLaw",
      "CPTSizeLaw",
      "ContinualAreas",
      "ContinualCurve",
      "DomainMixture",
      "balance",
      "continual_areas",
      "fit_cpt_replay_law",
      "fit_cpt_size_law",
      "fit_domain_mixture",
      "loss_potential",
    ),
    example={
      "pt_curves": _PT_CURVES,
      "cpt_curves": _CPT_CURVES,
      "lam": 0.9,
      "inits": (_CPT_START,),
    },
  ),
  _law(
    name="fit_power_curve",
    factory=laws.fit_power_curve,
    computed_from="accuracies or losses at several sizes or steps",
    paper=LEARNING_CURVES,
    static=(
      "x",
      "y",
      "sign",
      "anchor",
      "anchor_weight",
      "bounds",
      "huber_delta",
      "confidence",
    ),
    parity="closed forms, and curves by hand in NumPy",
    parts=("PowerCurve",),
    example={"x": (1.0, 2.0, 4.0), "y": (0.5, 0.7, 0.8)},
  ),
  _law(
    name="should_stop",
    factory=laws.should_stop,
    computed_from="accuracies or losses, as they are measured",
    paper=LEARNING_CURVES,
    static=("trace", "x_final", "tau"),
    parity="closed forms; there is no code of the authors",
    parts=("LearningTrace", "StopDecision", "TraceState"),
    example={"trace": laws.LearningTrace()},
  ),
  _law(
    name="fit_chinchilla",
    factory=laws.fit_chinchilla,
    computed_from="final losses of runs of several sizes and lengths",
    paper=LADDERS,
    static=("sizes", "tokens", "losses", "huber_delta", "confidence"),
    parity="exact ladders, and coverage of its intervals",
    parts=("Chinchilla", "ComputeOptimal"),
    example={
      "sizes": (1e8, 1e8, 2e8, 2e8, 4e8, 4e8),
      "tokens": (2e9, 8e9, 4e9, 16e9, 8e9, 32e9),
      "losses": (3.43, 3.11, 3.11, 2.85, 2.84, 2.63),
    },
  ),
  _law(
    name="fit_exp3_learning_rate",
    factory=laws.fit_exp3_learning_rate,
    computed_from="arms that an Exp3 learner played, and its losses",
    paper=EXP3,
    static=(
      "arms",
      "losses",
      "num_arms",
      "alpha",
      "theta_bounds",
      "min_prob",
      "num_grid",
    ),
    parity="NumPy in float64; figures by hand; simulated learners",
    parts=(
      "Exp3Fit",
      "Exp3Record",
      "exp3_log_likelihood",
      "exp3_probabilities",
      "exp3_safe_horizon",
      "simulate_exp3",
    ),
    example={
      "arms": (0, 1, 0, 0, 1, 2),
      "losses": (1.0, 0.0, 1.0, 0.5, 1.0, 0.0),
      "num_arms": 3,
    },
  ),
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
      "vague_error",
    ),
    parity="ordinary least squares, and coverage of its intervals",
    parts=(
      "Curve",
      "FitResult",
      "Law",
      "Metrics",
      "metrics",
      "distinct_rates",
      "rates_of",
      "read_curves",
    ),
    example={
      "law": dict,
      "residual_fn": _mean_residuals,
      "starts": ({"mean": 1.0},),
      "data": (1.0, 2.0, 3.0),
    },
  ),
)
