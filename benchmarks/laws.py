# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""How long fits of loss curves, designs of schedules and predictions take.

python -m benchmarks.laws
python -m benchmarks.laws --steps=100000

Prints a Markdown table: the first call, which compiles, the least of the later
ones, and how many times as long the first takes. Curves are of a known law with
noise: a cosine, a constant rate and a sudden fall.
"""

from collections.abc import Callable, Iterator
import time

from absl import app
from absl import flags
import numpy as np

from optax_stepsize import laws
from optax_stepsize import schedules

_STEPS = flags.DEFINE_integer("steps", 24_000, "Of a run.", lower_bound=1000)
_REPEATS = flags.DEFINE_integer("repeats", 3, "Of each.", lower_bound=2)
_PEAK, _EVERY = 3e-4, 128
_LAW = laws.MultiPowerLaw(2.78, 0.6, 0.447, 510.0, 2.0, 0.6, 0.452)


def _curves(steps: int) -> list[laws.Curve]:
  warmup = steps // 11
  every = np.arange(warmup, steps, max(1, min(_EVERY, steps // 100)))
  rng = np.random.default_rng(0)
  wsd = schedules.wsd_schedule
  after = steps - warmup
  runs = {
    "cosine": wsd(
      _PEAK, steps, warmup_steps=warmup, decay_steps=after, shape="cosine"
    ),
    "constant": wsd(_PEAK, steps, warmup_steps=warmup, decay_steps=0),
    "fall": np.where(
      np.arange(steps) < warmup,
      _PEAK * np.arange(steps) / warmup,
      np.where(np.arange(steps) < steps // 2, _PEAK, 0.3 * _PEAK),
    ),
  }
  return [
    laws.Curve(
      every,
      _LAW.predict(run, every, warmup_steps=warmup)
      * np.exp(rng.normal(0, 1e-3, len(every))),
      run,
      warmup,
      name,
    )
    for name, run in runs.items()
  ]


def rows(steps: int, repeats: int) -> Iterator[str]:
  """The lines of the table."""
  curves = _curves(steps)
  warmup = curves[0].warmup_steps
  million = 5e-1 * _PEAK * (1 + np.cos(np.pi * np.arange(10**6) / 10**6))
  tasks: dict[str, Callable[[], object]] = {
    f"fit, {shape}": lambda shape=shape: laws.fit_multi_power_law(
      curves, shape=shape
    )
    for shape in ("fixed", "free", "early_stopped")
  }
  tasks["fit, fixed, exact"] = lambda: laws.fit_multi_power_law(curves, block=1)
  tasks["design"] = lambda: laws.optimize_schedule(
    _LAW, steps, _PEAK, warmup_steps=warmup
  )
  for block in (1, 8):
    tasks[f"100 points of 10^6 steps, block={block}"] = lambda block=block: (
      _LAW.predict(million, np.arange(9999, 10**6, 10**4), block=block)
    )
  yield "| task | first, s | later, s | ratio |"
  yield "| --- | --- | --- | --- |"
  for name, task in tasks.items():
    times = []
    for _ in range(repeats):
      start = time.perf_counter()
      task()
      times.append(time.perf_counter() - start)
    first, later = times[0], min(times[1:])
    yield f"| {name} | {first:.2f} | {later:.2f} | {first / later:.1f} |"


def main(argv: list[str]) -> None:
  """Prints the table."""
  if len(argv) > 1:
    raise app.UsageError(f"no arguments are taken, got {argv[1:]}")
  for row in rows(_STEPS.value, _REPEATS.value):
    print(row, flush=True)


if __name__ == "__main__":
  app.run(main)
