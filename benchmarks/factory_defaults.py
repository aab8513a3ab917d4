# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""How far methods come with no tuning at all, beside AdamW tuned over 8 rates.

python -m benchmarks.factory_defaults
python -m benchmarks.factory_defaults --workload=logistic --seeds=5

Prints a Markdown table. Methods run with the defaults of their factories, and
once more as their authors recommend (averaging, cosine, warm-up), which takes
no tuning either. "Within" says whether the median loss is at most the greatest
loss over seeds of tuned AdamW.
"""

from absl import app
from absl import flags
import jax
import numpy as np

from optax_stepsize import catalogue
from optax_stepsize import compare

_METHODS = ("prodigy", "dog", "schedule_free_adamw")
_WORKLOAD = flags.DEFINE_list(
  "workload", list(compare.WORKLOADS), "What to train."
)
_STEPS = flags.DEFINE_integer(
  "steps", None, "Steps of a run, if not those of the workload.", lower_bound=1
)
_SEEDS = flags.DEFINE_integer("seeds", 5, "Seeds of a run.", lower_bound=2)
_RATES = 8


def _entries(workload: compare.Workload, steps: int) -> list[compare.Entry]:
  """Each method with factory defaults, and as recommended."""
  entries = []
  for name in _METHODS:
    row = catalogue.get(name)
    argument, default = row.sweep

    def plain(value, row=row, argument=argument):
      return row.factory(**{argument: value})

    entries.append(compare.Entry(name, plain, argument, default))
    advised = compare.make_entry(
      name, total_steps=steps, steps_per_epoch=workload.steps_per_epoch
    )
    entries.append(
      compare.Entry(
        f"{name}, {advised.settings}", advised.factory, argument, default
      )
    )
  return entries


def _lines(name: str) -> list[str]:
  workload = compare.workload(name)
  steps = _STEPS.value or workload.steps or compare.DEFAULT_STEPS
  options = {
    "workload": workload,
    "steps": steps,
    "seeds": _SEEDS.value,
    "baselines": (),
  }
  tuned = compare.compare(["adamw"], values=_RATES, **options)
  untuned = compare.compare(_entries(workload, steps), values=1, **options)
  adamw = tuned.rows[0]
  lines = []
  for row in (adamw, *untuned.rows):
    label = f"AdamW, best of {_RATES} rates" if row is adamw else row.name
    within = "" if row is adamw else "no"
    if row is not adamw and row.loss <= adamw.loss_max:
      within = "yes"
    spread = f"{row.loss_min:.3g} to {row.loss_max:.3g}"
    accuracy = "" if np.isnan(row.accuracy) else f"{row.accuracy:.1%}"
    cells = name, label, f"{row.loss:.3g}", spread, accuracy, within
    lines.append(f"| {' | '.join(cells)} |")
  return lines


def main(argv: list[str]) -> None:
  """Prints the table."""
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments: {argv[1:]}")
  print("| workload | method | loss | over seeds | accuracy | within |")
  print("| --- | --- | ---: | ---: | ---: | --- |")
  for name in _WORKLOAD.value:
    for line in _lines(name):
      print(line, flush=True)
    jax.clear_caches()


if __name__ == "__main__":
  app.run(main)
