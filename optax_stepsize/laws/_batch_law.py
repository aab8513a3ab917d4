# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The largest rate against the batch size, by random matrix theory."""

import dataclasses
import functools
import math

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from optax_stepsize import core
from optax_stepsize.laws import _fit
from optax_stepsize.laws import _law
from optax_stepsize.laws import _points

# Of the paper: the Hessian of a batch is that of all data plus a symmetric
# noise, whose entries have the variance sigma^2 / b.
#   lambda  `lam`, an eigenvalue of the Hessian of all data
#   sigma   `noise`, deviation of an entry of the Hessian of one example
#   P       `num_params`        B  batch      N  `dataset_size`
#   b       `effective_batch`, 1 / b = 1 / B - 1 / N
#   c       P sigma^2 / lambda^2, the critical batch

# Rule -> the power of the batch that the rate grows with.
_POWERS = {"linear": 1.0, "sqrt": 0.5}
_RULES = (*_POWERS, "saturating")


def _effective(
  method: str, batch: npt.ArrayLike, dataset_size: float | None
) -> np.ndarray:
  size = math.inf if dataset_size is None else dataset_size
  core.check_range(method, "dataset_size", size, "(0, inf]")
  core.check_range(method, "batch", batch, f"(0, {size}]")
  sizes = np.asarray(batch, np.float64)
  rest = 1 - sizes / size
  return np.where(rest > 0, sizes / np.where(rest > 0, rest, 1), math.inf)


def effective_batch(batch: float, dataset_size: float | None = None) -> float:
  """The batch without repetition that is as noisy as one out of a data set.

  Args:
    batch: Batch size B, in (0, `dataset_size`].
    dataset_size: Examples N that batches are drawn from, without replacement;
      None for no end of them.

  Returns:
    b with 1 / b = 1 / B - 1 / N; infinite for the whole data set.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> round(optax_stepsize.effective_batch(4, 2048), 6)
    4.007828

  References:
    Granziol, Zohren and Roberts, Learning Rates as a Function of Batch Size,
    JMLR 23(173), 2022, arXiv 2006.09092; BibTeX by
    `optax_stepsize.cite("fit_batch_law")`.
  """
  return float(_effective("effective_batch", batch, dataset_size))


@dataclasses.dataclass(frozen=True)
class BatchLaw(_law.Law):
  """Largest rate at each batch size.

  Attributes:
    lr_inf: The rate that large batches come near to; infinite for a rule
      without a limit.
    critical_batch: The effective batch of half that rate; infinite likewise.
    slope: Rate over effective batch under the rule "linear", over its root
      under "sqrt", and zero under "saturating".
    rule: "saturating", "linear" or "sqrt".
    dataset_size: Examples that batches are drawn from; infinite for no end.
  """

  lr_inf: float
  critical_batch: float
  slope: float = 0.0
  rule: str = "saturating"
  dataset_size: float = math.inf

  def predict(self, batch: npt.ArrayLike) -> np.ndarray:
    """The rate for batches > 0 of any shape, in float64."""
    size = _effective("BatchLaw.predict", batch, self.dataset_size)
    if self.rule == "saturating":
      return self.lr_inf / (1 + self.critical_batch / size)
    return self.slope * size ** _POWERS[self.rule]


def scale_learning_rate(
  base_lr: float,
  base_batch: float,
  batch: float,
  *,
  rule: str = "linear",
  critical_batch: float | None = None,
  dataset_size: float | None = None,
) -> float:
  r"""The rate for another batch size, from one that was tuned.

  With effective batches :math:`b_0` and b it is the rate times

  - "linear": :math:`b / b_0`, for SGD at small batches;
  - "sqrt": :math:`\sqrt{b / b_0}`, for Adam and others that divide by the root
    of a mean square;
  - "saturating": :math:`(1 + c / b_0) / (1 + c / b)`, linear far below the
    critical batch c and constant far above it.

  For a run of another length see `transfer_lr`.

  Args:
    base_lr: The rate that was tuned, > 0.
    base_batch: Batch size at which it was, > 0.
    batch: Batch size of the run to come, > 0.
    rule: "linear", "sqrt" or "saturating".
    critical_batch: Effective batch at which the rate is half its limit, > 0;
      "saturating" needs it, as `fit_batch_law` finds it.
    dataset_size: Examples that batches are drawn from; None for no end.

  Returns:
    The rate.

  Raises:
    ValueError: If an argument is out of its range, or a rule without limit
      meets the whole data set.

  Example:
    >>> import optax_stepsize
    >>> for rule in ("linear", "sqrt", "saturating"):
    ...   lr = optax_stepsize.scale_learning_rate(
    ...     0.1, 256, 1024, rule=rule, critical_batch=768
    ...   )
    ...   print(rule, round(lr, 6))
    linear 0.4
    sqrt 0.2
    saturating 0.228571

  References:
    Granziol, Zohren and Roberts, Learning Rates as a Function of Batch Size,
    JMLR 23(173), 2022, arXiv 2006.09092; BibTeX by
    `optax_stepsize.cite("fit_batch_law")`.
  """
  method = "scale_learning_rate"
  core.check_range(method, "base_lr", base_lr, "(0, inf)")
  core.check_choice(method, "rule", rule, _RULES)
  core.check_range(method, "critical_batch", critical_batch, "(0, inf) or None")
  old, new = (
    float(_effective(method, size, dataset_size))
    for size in (base_batch, batch)
  )
  if rule == "saturating":
    if critical_batch is None:
      raise ValueError(
        f"{method}: rule='saturating' needs critical_batch, got None. Fix: take"
        " that of fit_batch_law."
      )
    return base_lr * (1 + critical_batch / old) / (1 + critical_batch / new)
  if math.isinf(old) or math.isinf(new):
    raise ValueError(
      f"{method}: under rule={rule!r} base_batch and batch must be less than"
      f" dataset_size={dataset_size}, got {base_batch} and {batch}. Fix:"
      " rule='saturating'."
    )
  return base_lr * (new / old) ** _POWERS[rule]


def batch_hessian_edge(
  lam: float,
  batch: float,
  noise: float,
  num_params: float,
  *,
  dataset_size: float | None = None,
  kind: str = "wigner",
) -> float:
  r"""The outermost eigenvalue that the Hessian of a batch has.

  The noise of a batch drives an outlier :math:`\lambda` of the Hessian of all
  data further out, and hides it in its bulk if it is small. With
  :math:`\gamma = P / b`,

  .. math::
    \lambda' &= \lambda + \gamma \sigma^2 / \lambda
    && \text{if } \lambda > \sigma \sqrt{\gamma}
    && \text{else } 2 \sigma \sqrt{\gamma} \\
    \lambda' &= \lambda (1 + \gamma \sigma^2 / (\lambda - \sigma^2))
    && \text{if } \lambda > \sigma^2 (1 + \sqrt{\gamma})
    && \text{else } \sigma^2 (1 + \sqrt{\gamma})^2

  for the Hessian, whose noise is added ("wigner"), and for the Gauss-Newton
  matrix, whose noise multiplies ("ggn").

  Args:
    lam: Eigenvalue of all data. A negative one of the Hessian gives the
      lowest eigenvalue of the batch; those of Gauss-Newton are >= 0.
    batch: Batch size, > 0.
    noise: Standard deviation of an entry of the Hessian of one example, >= 0.
    num_params: Number of parameters, > 0.
    dataset_size: Examples that batches are drawn from; None for no end.
    kind: "wigner" or "ggn".

  Returns:
    The eigenvalue.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> optax_stepsize.batch_hessian_edge(3.0, 4, 0.05, 600)
    3.125
    >>> round(optax_stepsize.batch_hessian_edge(0.4, 4, 0.05, 600), 6)
    1.224745

  References:
    Granziol, Zohren and Roberts, Learning Rates as a Function of Batch Size,
    JMLR 23(173), 2022, arXiv 2006.09092; BibTeX by
    `optax_stepsize.cite("fit_batch_law")`.
  """
  method = "batch_hessian_edge"
  core.check_choice(method, "kind", kind, ("wigner", "ggn"))
  core.check_range(
    method, "lam", lam, "(-inf, inf)" if kind == "wigner" else "[0, inf)"
  )
  gamma, noise = _gamma(method, batch, noise, num_params, dataset_size)
  if kind == "ggn":
    square, root = noise**2, math.sqrt(gamma)
    if lam > square * (1 + root):
      return lam * (1 + gamma * square / (lam - square))
    return square * (1 + root) ** 2
  spread = noise * math.sqrt(gamma)
  if abs(lam) > spread:
    return lam + spread**2 / lam
  return math.copysign(2 * spread, lam)


def _gamma(method, batch, noise, num_params, dataset_size):
  core.check_range(method, "noise", noise, "[0, inf)")
  core.check_range(method, "num_params", num_params, "(0, inf)")
  size = float(_effective(method, batch, dataset_size))
  return num_params / size, float(noise)


def max_learning_rate(
  lam: float,
  batch: float,
  noise: float,
  num_params: float,
  *,
  optimizer: str = "sgd",
  strict: bool = True,
  dataset_size: float | None = None,
) -> float:
  r"""The largest stable rate at a batch size, from the curvature.

  Two over the largest eigenvalue of the Hessian of a batch. For SGD it is

  .. math::
    \frac{2 / \lambda}{1 + c / b}, \qquad c = P \sigma^2 / \lambda^2,

  linear in small batches; for "adaptive" methods, which flatten the outliers,
  the bulk of the noise sets it: :math:`\sqrt{b / P} / \sigma`.

  Args:
    lam: Largest eigenvalue of the Hessian of all data, > 0.
    batch: Batch size, > 0.
    noise: Standard deviation of an entry of the Hessian of one example, >= 0.
    num_params: Number of parameters, > 0.
    optimizer: "sgd" or "adaptive".
    strict: Whether SGD at batches below c, where the noise hides the outlier,
      is limited by the bulk as well, and its rate grows as the root of the
      batch there. If not, the formula above holds everywhere.
    dataset_size: Examples that batches are drawn from; None for no end.

  Returns:
    The rate; infinite where nothing limits it.

  Raises:
    ValueError: If an argument is out of its range.

  Example:
    >>> import optax_stepsize
    >>> [
    ...   round(optax_stepsize.max_learning_rate(10.0, batch, 0.1, 10_000), 4)
    ...   for batch in (1, 2, 4, 8, 64)
    ... ]
    [0.1, 0.1333, 0.16, 0.1778, 0.1969]

  References:
    Granziol, Zohren and Roberts, Learning Rates as a Function of Batch Size,
    JMLR 23(173), 2022, arXiv 2006.09092; BibTeX by
    `optax_stepsize.cite("fit_batch_law")`.
  """
  method = "max_learning_rate"
  core.check_choice(method, "optimizer", optimizer, ("sgd", "adaptive"))
  core.check_range(method, "lam", lam, "(0, inf)")
  gamma, noise = _gamma(method, batch, noise, num_params, dataset_size)
  spread = noise * math.sqrt(gamma)
  bulk, spike = 2 * spread, lam + spread**2 / lam
  if optimizer == "adaptive":
    edge = bulk
  else:
    edge = bulk if strict and lam <= spread else spike
  return 2 / edge if edge else math.inf


def _saturating_residuals(values, data):
  logs = jnp.log(values["lr_inf"])
  logs = logs - jnp.log1p(values["critical_batch"] * data["inverse_batches"])
  return logs - data["log_lrs"]


def _power_residuals(values, data):
  return jnp.log(values["slope"]) - data["log_lrs"]


def fit_batch_law(
  batches: npt.ArrayLike,
  max_lrs: npt.ArrayLike,
  *,
  rule: str = "saturating",
  dataset_size: float | None = None,
  confidence: float = 0.95,
) -> _fit.FitResult[BatchLaw]:
  r"""How the largest rate grows with the batch size.

  "saturating" is the law :math:`\gamma_\infty / (1 + c / b)` in the effective
  batch b. It starts from least squares of the inverse of the rate, linear in 1
  / b, and goes on to those of the logarithm, so that errors count by their
  share of the rate. Where no limit is to be seen, the law that comes out is
  the "linear" one, and a warning says so.

  Args:
    batches: Batch sizes, > 0, `(N,)`.
    max_lrs: Their largest stable, or their best, rates, > 0, `(N,)`.
    rule: "saturating", "linear" or "sqrt".
    dataset_size: Examples that batches are drawn from; None for no end.
    confidence: Of the intervals, in (0, 1).

  Returns:
    The law.

  Raises:
    ValueError: If an argument is out of its range, or "saturating" has fewer
      than two different batches.

  Example:
    >>> import optax_stepsize
    >>> fit = optax_stepsize.fit_batch_law(
    ...   [1, 2, 4, 8, 64], [0.1, 0.133333, 0.16, 0.177778, 0.196923]
    ... )
    >>> round(fit.law.lr_inf, 4), round(fit.law.critical_batch, 4)
    (0.2, 1.0)

  References:
    Granziol, Zohren and Roberts, Learning Rates as a Function of Batch Size,
    JMLR 23(173), 2022, arXiv 2006.09092; BibTeX by
    `optax_stepsize.cite("fit_batch_law")`.
  """
  method = "fit_batch_law"
  core.check_choice(method, "rule", rule, _RULES)
  sizes = _points.column(method, "batches", batches)
  rates = _points.column(method, "max_lrs", max_lrs)
  _points.check_lengths(method, batches=sizes, max_lrs=rates)
  inverse = 1 / _effective(method, sizes, dataset_size)
  whole = math.inf if dataset_size is None else float(dataset_size)
  solve = functools.partial(
    _fit.robust_fit,
    method=method,
    huber_delta=math.inf,
    confidence=confidence,
  )
  warnings: tuple[str, ...] = ()
  if rule == "saturating":
    _points.check_different(method, "batches", sizes, 2)
    # An error of the logarithm is one of the inverse, relative to it.
    slope, level = np.polyfit(inverse, 1 / rates, 1, w=rates)
    if level > 0:
      return solve(
        functools.partial(BatchLaw, rule=rule, dataset_size=whole),
        _saturating_residuals,
        [{"lr_inf": 1 / level, "critical_batch": slope / level}],
        {"inverse_batches": inverse, "log_lrs": np.log(rates)},
      )
    rule = "linear"
    warnings = (
      "the rates grow as fast as the batches, or faster: no limit is to be"
      " seen, and the law is the linear one. Fix: add larger batches",
    )
  if not np.all(inverse > 0):
    raise ValueError(
      f"{method}: under rule={rule!r} batches must be less than"
      f" dataset_size={dataset_size}, got {batches!r}. Fix: rule='saturating'."
    )
  logs = np.log(rates) + _POWERS[rule] * np.log(inverse)
  fit = solve(
    functools.partial(
      BatchLaw, math.inf, math.inf, rule=rule, dataset_size=whole
    ),
    _power_residuals,
    [{"slope": math.exp(np.mean(logs))}],
    {"log_lrs": logs},
  )
  return dataclasses.replace(fit, warnings=(*warnings, *fit.warnings))
