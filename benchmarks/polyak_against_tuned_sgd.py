# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Steps that Polyak methods with no tuning take to the loss of tuned SGD.

python -m benchmarks.polyak_against_tuned_sgd
python -m benchmarks.polyak_against_tuned_sgd --write=docs/polyak.md

Prints a Markdown table, and with --write puts it between the two comments that
mark its place in a file. SGD, with and without momentum, is tuned over 16 rates
by its training loss at the end of the run. That loss, seed by seed, is what all
are to reach; they see the same batches from the same start. In brackets: on how
many seeds that takes no more steps than SGD.
"""

from collections.abc import Callable, Iterator, Sequence
import dataclasses
import pathlib
from typing import Any, NamedTuple

from absl import app
from absl import flags
import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn import datasets

from optax_stepsize import catalogue
from optax_stepsize import compare

_STEPS = flags.DEFINE_integer("steps", 400, "Steps of a run.", lower_bound=10)
_SEEDS = flags.DEFINE_integer("seeds", 5, "Seeds of a run.", lower_bound=2)
_WRITE = flags.DEFINE_string("write", None, "File to put the table into.")

_RATES = 8
_SGD = {"SGD": None, "SGD, momentum 0.9": 0.9}
_BATCH_SIZE = 64
BEGIN = "<!-- table of polyak_against_tuned_sgd: begin -->"
END = "<!-- table of polyak_against_tuned_sgd: end -->"


def _products(features: np.ndarray) -> np.ndarray:
  """The features, their squares and their products, all standardised."""
  i, j = np.triu_indices(features.shape[1])
  products = features[:, i] * features[:, j]
  products = (products - products.mean(axis=0)) / products.std(axis=0)
  return np.concatenate([features, products], axis=1)


def _kernel(features: np.ndarray) -> np.ndarray:
  """Gaussian kernel of all pairs, as wide as the median distance."""
  squares = np.sum((features[:, None] - features[None]) ** 2, axis=-1)
  return np.exp(-squares / (2 * np.median(squares)))


def logistic(name: str, expand: Callable[..., np.ndarray]) -> compare.Workload:
  """Logistic regression that fits all of the breast-cancer data.

  With so many features the classes can be separated: the loss has the infimum
  zero, for all batches at once, which no weights attain.

  Args:
    name: Of the expansion.
    expand: From standardised features to more of them.
  """
  data = datasets.load_breast_cancer()
  features = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
  inputs = np.float32(expand(features))
  signs = np.float32(2 * data.target - 1)
  size, width = inputs.shape

  def init_fn(key):
    weights = jax.random.normal(key, (width,)) / width**0.5
    return {"weights": weights, "bias": jnp.zeros(())}

  def loss_fn(params, batch):
    inputs, signs = batch
    scores = inputs @ params["weights"] + params["bias"]
    return jax.nn.softplus(-signs * scores).mean()

  def batch_fn(key, step):
    key = jax.random.fold_in(key, step)
    chosen = jax.random.choice(key, size, (_BATCH_SIZE,), replace=False)
    return jnp.asarray(inputs)[chosen], jnp.asarray(signs)[chosen]

  return compare.Workload(
    f"breast cancer, {name}",
    init_fn,
    loss_fn,
    batch_fn,
    eval_fn=lambda params: (loss_fn(params, (inputs, signs)), jnp.nan),
    steps_per_epoch=size // _BATCH_SIZE,
  )


def digits_mlp() -> compare.Workload:
  """The digits MLP, evaluated on all images that it is trained with."""
  small = compare.workload("digits_mlp", batch_size=_BATCH_SIZE)
  train_images = 1437
  whole = compare.workload("digits_mlp", batch_size=train_images).batch_fn
  images = jax.device_get(whole(jax.random.key(0), jnp.zeros((), jnp.int32)))
  return dataclasses.replace(
    small,
    name="digits MLP",
    eval_fn=lambda params: (small.loss_fn(params, images), jnp.nan),
  )


def _tuned() -> list[compare.Entry]:
  # Grids have steps of 4: two of them, interleaved, make one with steps of 2.
  return [
    compare.Entry(
      f"{name}, rates around {default}",
      lambda rate, momentum=momentum: optax.sgd(rate, momentum=momentum),
      "learning_rate",
      default,
    )
    for name, momentum in _SGD.items()
    for default in (0.1, 0.2)
  ]


def _untuned(steps: int, steps_per_epoch: int | None) -> list[compare.Entry]:
  """Factory defaults, what rows recommend, and other settings of papers."""
  smoothed = {"smoothing": 2.0, "steps_per_epoch": steps_per_epoch}
  more = {
    "sps": {
      "SPS_max, largest step 1": {"max_step_size": 1.0},
      "c=0.2, smoothing 2": {"c": 0.2, **smoothed},
    },
    "polyak_moving_gradient": {},
  }
  entries = []
  for name, settings in more.items():
    row = catalogue.get(name)
    argument, default = row.sweep
    advised = row.race(steps, steps_per_epoch)
    settings = {
      "factory defaults": {},
      f"recommended: {advised.settings}": advised.options,
    } | settings
    for label, options in settings.items():
      fixed = dict(options)
      centre = fixed.pop(argument, default)

      def make(value, row=row, argument=argument, fixed=fixed):
        return row.factory(**{argument: value, **fixed})

      entries.append(
        compare.Entry(f"`{name}`, {label}", make, argument, centre)
      )
  return entries


class _Runs(NamedTuple):
  """The runs of a method, one per seed: steps, losses, and how it is named."""

  name: str
  steps: np.ndarray
  losses: np.ndarray
  final: np.ndarray

  def steps_to(self, goals: np.ndarray) -> np.ndarray:
    """Steps at the first evaluation with that loss or less, for each seed."""
    reached = (self.losses <= goals[:, None]) & np.isfinite(goals)[:, None]
    return np.where(reached.any(-1), self.steps[reached.argmax(-1)], np.inf)


def _best(name: str, curves: Sequence[Any]) -> _Runs:
  """The runs at the rate of least median loss at the end."""
  found = min(curves, key=lambda curve: curve.medians.min())
  value = found.best
  if value is None:
    raise RuntimeError(f"{name} diverged at every rate")
  rate = found.values[value]
  edge = ", the largest" if rate == max(c.values[-1] for c in curves) else ""
  count = sum(len(curve.values) for curve in curves)
  return _Runs(
    f"{name}, best of {count} rates: {rate:.3g}{edge}",
    found.steps,
    found.eval_loss[value],
    found.final[value],
  )


def rows(workload: compare.Workload, steps: int, seeds: int) -> Iterator[str]:
  """Lines of the table."""
  options = {
    "workload": workload,
    "steps": steps,
    "seeds": seeds,
    "baselines": (),
    # The fastest layout is found by measuring, and each rounds differently.
    "layout": "grid",
  }
  tuned = compare.compare(_tuned(), values=_RATES, **options).curves
  untuned = compare.compare(
    _untuned(steps, workload.steps_per_epoch), values=1, **options
  ).curves
  goals = [_best(name, tuned[2 * i : 2 * i + 2]) for i, name in enumerate(_SGD)]
  others = [
    _Runs(c.entry.name, c.steps, c.eval_loss[0], c.final[0]) for c in untuned
  ]
  for runs in (*goals, *others):
    final = runs.final
    cells = [
      f"{np.median(final):.3g}",
      f"{final.min():.3g} to {final.max():.3g}",
    ]
    for other in goals:
      goal = other.final
      mine, theirs = runs.steps_to(goal), other.steps_to(goal)
      middle = np.median(mine)
      text = f"{middle:.0f}" if np.isfinite(middle) else "not reached"
      if runs is not other:
        text += f" ({np.sum(np.isfinite(goal) & (mine <= theirs))} of {seeds})"
      cells.append(text)
    yield f"| {workload.name} | {runs.name} | {' | '.join(cells)} |"


def put(path: pathlib.Path, table: Sequence[str]) -> None:
  """Replaces what is between the comments in a file."""
  text = path.read_text()
  before, found, rest = text.partition(BEGIN)
  _, closed, after = rest.partition(END)
  if not (found and closed):
    raise ValueError(f"{path} must have the lines {BEGIN} and {END}.")
  lines = "\n".join(table)
  path.write_text(f"{before}{BEGIN}\n\n{lines}\n\n{END}{after}")


def main(argv: list[str]) -> None:
  """Prints the table."""
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments: {argv[1:]}")
  table = [
    "| workload | method | training loss | over seeds | steps to that of SGD |"
    " of SGD with momentum |",
    "| --- | --- | ---: | ---: | ---: | ---: |",
  ]
  workloads = (
    logistic("products of features", _products),
    logistic("Gaussian kernel", _kernel),
    digits_mlp(),
  )
  for workload in workloads:
    table += rows(workload, _STEPS.value, _SEEDS.value)
  print("\n".join(table))
  if _WRITE.value:
    put(pathlib.Path(_WRITE.value), table)


if __name__ == "__main__":
  app.run(main)
