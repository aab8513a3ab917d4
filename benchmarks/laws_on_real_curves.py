# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""How well laws fitted to three public loss curves predict three others.

  OPTAX_STEPSIZE_LOSS_CURVES=FOLDER python -m benchmarks.laws_on_real_curves

Prints a Markdown table for each size of model; see tests/real_curves.py for the
files and the schedules.
"""

from collections.abc import Callable, Iterator
import functools
import os

from absl import app
import numpy as np

from optax_stepsize import laws
from tests import real_curves

_FITS: dict[str, Callable[..., laws.FitResult]] = {
  "annealing": laws.fit_annealing_law,
  **{
    f"multi-power, {shape}": functools.partial(
      laws.fit_multi_power_law, shape=shape
    )
    for shape in ("fixed", "free", "early_stopped")
  },
}


def rows(size: str) -> Iterator[str]:
  """The lines of the table of one size."""
  fitted = [real_curves.curve(size, name) for name in real_curves.FIT]
  yield f"| {size} | {' | '.join(real_curves.PREDICT)} | mean error |"
  yield "| --- |" + " ---: |" * (len(real_curves.PREDICT) + 1)
  for name, fit in _FITS.items():
    law = fit(fitted).law
    cells, means = [], []
    for target in real_curves.PREDICT:
      curve = real_curves.curve(size, target)
      errors = laws.metrics(
        curve.losses,
        law.predict(curve.rates, curve.steps, warmup_steps=curve.warmup_steps),
      )
      means.append(errors.mae)
      cells.append(f"{errors.mae:.4f} ({errors.worst_relative_error:.2%})")
    yield f"| {name} | {' | '.join(cells)} | {np.mean(means):.4f} |"


def main(argv: list[str]) -> None:
  """Prints the tables."""
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments: {argv[1:]}")
  if not os.environ.get(real_curves.VARIABLE):
    raise app.UsageError(f"{real_curves.VARIABLE} must name the folder.")
  for size in real_curves.SIZES:
    print("\n".join(rows(size)), end="\n\n")


if __name__ == "__main__":
  app.run(main)
