# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Accuracy against training time from one run with cycles of growing length.

Where a cycle ends, the model is about as good as after a run of that length
alone: one run measures the whole curve. It is drawn next to runs of their own.

  python examples/accuracy_against_time.py --steps=620 --output_dir=/tmp
"""

import pathlib

from absl import app
from absl import flags
import jax
import jax.numpy as jnp
from matplotlib import pyplot as plt
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import compare

_STEPS = flags.DEFINE_integer("steps", 620, "Number of updates.", lower_bound=4)
_PEAK_VALUE = flags.DEFINE_float("peak_value", 0.1, "Highest rate.")
_SEED = flags.DEFINE_integer("seed", 0, "Seed of model and batches.")
_OUTPUT_DIR = flags.DEFINE_string(
  "output_dir", None, "Where accuracy_against_time.png goes; default: nowhere."
)


def accuracies(schedule: optax.Schedule, steps: int) -> np.ndarray:
  """Test accuracy after each of the updates of one run."""
  workload = compare.digits_mlp()
  tx = optax.sgd(schedule, momentum=0.9)
  key = jax.random.key(_SEED.value)

  def train_step(carry, step):
    params, state = carry
    grads = jax.grad(workload.loss_fn)(params, workload.batch_fn(key, step))
    updates, state = tx.update(grads, state, params)
    params = optax.apply_updates(params, updates)
    return (params, state), workload.eval_fn(params)[1]

  @jax.jit
  def run():
    params = workload.init_fn(key)
    carry = (params, tx.init(params))
    return jax.lax.scan(train_step, carry, jnp.arange(steps))[1]

  return np.asarray(run())


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments: {argv[1:]}")
  steps, peak = _STEPS.value, _PEAK_VALUE.value
  first = max(steps // 31, 1)  # five cycles: 1 + 2 + 4 + 8 + 16
  ends = optax_stepsize.cycle_ends(first, 2, steps)
  cyclic = optax_stepsize.multiplicative_cyclic_schedule(peak, first)
  measured = accuracies(cyclic, steps)
  updates = np.arange(1, steps + 1)
  curve = optax_stepsize.tradeoff_curve(updates, measured, ends)
  # Runs of their own, each with all that it takes: the price of the usual way.
  alone = [
    accuracies(optax.cosine_decay_schedule(peak, end), end)[-1] for end in ends
  ]
  for point in curve:
    note = "inside a cycle, not comparable"
    if point.cycle >= 0:
      note = f"of a run of its own {alone[point.cycle]:.3f}"
    print(f"after {point.step:5d} updates: {point.metric:.3f}, {note}")
  print(f"one run of {steps} updates in place of {sum(ends)}")

  if _OUTPUT_DIR.value is not None:
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    axes.plot(updates, measured, lw=0.8, alpha=0.5, label="one cyclic run")
    troughs = [point.metric for point in curve if point.cycle >= 0]
    axes.plot(ends, troughs, "o-", label="ends of its cycles")
    axes.plot(ends, alone, "s--", mfc="none", label="a cosine run for each")
    axes.set(xscale="log", xlabel="updates", ylabel="test accuracy")
    axes.set_ylim(max(min(*alone, *troughs) - 0.1, 0), 1.01)
    axes.legend(loc="lower right")
    axes.set_title("Accuracy against training time")
    path = pathlib.Path(_OUTPUT_DIR.value) / "accuracy_against_time.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    print(f"wrote {path}")


if __name__ == "__main__":
  app.run(main)
