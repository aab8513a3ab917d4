# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Public loss curves of language models, for tests of laws.

Read from the folder that the environment variable OPTAX_STEPSIZE_LOSS_CURVES
names: one CSV file for each size and schedule, as in github.com/
thu-yao-01-luo/MultiPowerLaw. They hold the rate at the measured steps only, so
that of every step is rebuilt from the schedule's name.
"""

import functools
import os
import pathlib
import unittest

import numpy as np

from optax_stepsize import laws

VARIABLE = "OPTAX_STEPSIZE_LOSS_CURVES"
SIZES = ("25M", "100M", "400M")
# The customary split: laws are fitted to the first and predict the second.
FIT = ("cosine_24000", "constant_24000", "wsdcon_9")
PREDICT = ("constant_72000", "wsdld_20000_24000", "wsdcon_18")

PEAK, END, WARMUP_STEPS = 3e-4, 3e-5, 2160

needs_curves = unittest.skipUnless(
  os.environ.get(VARIABLE), f"{VARIABLE} does not name a folder of loss curves"
)


def rates(name: str, total_steps: int) -> np.ndarray:
  """The rate of every step of the run `name`, float64 `(total_steps,)`."""
  step = np.arange(total_steps)
  kind, *numbers = name.split("_")
  if kind == "constant":
    after = np.full(total_steps, PEAK)
  elif kind == "cosine":
    share = (step - WARMUP_STEPS) / (int(numbers[0]) - WARMUP_STEPS)
    after = END + 0.5 * (PEAK - END) * (1 + np.cos(np.pi * share))
  elif kind == "wsdld":
    start, stop = map(int, numbers)
    share = np.clip((step - start) / (stop - start), 0, 1)
    after = PEAK * (1 - share) + END * share
  elif kind == "wsdcon":
    after = np.where(step < 8000, PEAK, float(numbers[0]) * 1e-5)
  else:
    raise ValueError(f"real_curves: no schedule is called {name!r}.")
  return np.where(step < WARMUP_STEPS, PEAK * step / (WARMUP_STEPS - 1), after)


@functools.cache
def curve(size: str, name: str) -> laws.Curve:
  """The curve of a model of `size`, one of SIZES, trained by `name`."""
  path = pathlib.Path(os.environ[VARIABLE]) / size / f"{name}.csv"
  steps, measured, losses = np.loadtxt(path, delimiter=",", skiprows=1).T
  steps = steps.astype(np.int64)
  every = rates(name, int(steps[-1]) + 1)
  np.testing.assert_allclose(every[steps], measured, rtol=1e-12)
  return laws.Curve(steps, losses, every, WARMUP_STEPS, f"{size} {name}")


def curves(size: str, names: tuple[str, ...] = FIT) -> list[laws.Curve]:
  """The curves of a model trained by each of `names`."""
  return [curve(size, name) for name in names]
