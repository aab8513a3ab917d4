# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""One run at a stable rate that serves three budgets.

With warm-up, stable rate and decay, runs of different budgets differ in their
decays alone. So the trunk is trained once, keeps a checkpoint wherever a decay
must begin, and each budget is a short branch from its checkpoint. Dedicated
runs are trained here as well, to show that they end at the same loss.

  python examples/wsd_branches.py --steps=800
"""

import pathlib
import tempfile

from absl import app
from absl import flags
from absl import logging
import jax
import jax.numpy as jnp
import numpy as np
import optax
from orbax import checkpoint

import optax_stepsize
from optax_stepsize import compare

_STEPS = flags.DEFINE_integer(
  "steps", 800, "The largest budget; a half and a quarter are the others.", 4
)
_PEAK = flags.DEFINE_float("peak", 1e-3, "The stable rate.")
_DECAY = flags.DEFINE_float("decay_fraction", 0.2, "Share spent decaying.")
_FOLDER = flags.DEFINE_string(
  "checkpoint_dir", None, "Where checkpoints go (default: a temporary folder)."
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the model and of the batches.")

# The rate comes with each step, so that all runs share one program.
_TX = optax.scale_by_adam()


def make_train(workload: compare.Workload):
  """From a state, a schedule and a budget to the state after that budget."""
  key = jax.random.key(_SEED.value)

  @jax.jit
  def train_step(state, rate):
    batch = workload.batch_fn(key, state["step"])
    grads = jax.grad(workload.loss_fn)(state["params"], batch)
    updates, opt_state = _TX.update(grads, state["opt_state"])
    updates = jax.tree.map(lambda u: -rate * u, updates)
    params = optax.apply_updates(state["params"], updates)
    step = state["step"] + 1
    return {"params": params, "opt_state": opt_state, "step": step}

  def train(state, schedule, end_step):
    for step in range(int(state["step"]), end_step):
      state = train_step(state, schedule(step))
    return state

  return train


def run(folder: pathlib.Path) -> None:
  workload = compare.digits_mlp()
  train = make_train(workload)
  budgets = [max(_STEPS.value // part, 1) for part in (4, 2, 1)]
  options = {"warmup_steps": budgets[0] // 5, "decay_fraction": _DECAY.value}

  def schedule_of(budget):
    return jax.jit(optax_stepsize.wsd_schedule(_PEAK.value, budget, **options))

  params = workload.init_fn(jax.random.key(_SEED.value))
  step = jnp.zeros((), jnp.int32)
  start = {"params": params, "opt_state": _TX.init(params), "step": step}
  branches = optax_stepsize.wsd_branches(budgets, **options)

  with checkpoint.StandardCheckpointer() as checkpointer:
    state = start
    for branch in branches:
      # Before their decays, the schedules of all budgets are the same.
      state = train(state, schedule_of(budgets[-1]), branch.start_step)
      checkpointer.save(folder / str(branch.start_step), state, force=True)
    checkpointer.wait_until_finished()

    print("budget  branched at  loss of the branch  loss of a dedicated run")
    template = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding),
      start,
    )
    spent = branches[-1].start_step
    for branch in branches:
      schedule = schedule_of(branch.end_step)
      state = checkpointer.restore(folder / str(branch.start_step), template)
      state = train(state, schedule, branch.end_step)
      spent += branch.end_step - branch.start_step
      dedicated = train(start, schedule, branch.end_step)
      loss, wanted = (
        float(workload.eval_fn(final["params"])[0])
        for final in (state, dedicated)
      )
      print(
        f"{branch.end_step:6d}  {branch.start_step:11d}  {loss:18.6f}"
        f"  {wanted:23.6f}"
      )
      np.testing.assert_allclose(loss, wanted, rtol=1e-5)
  print(f"steps: {spent} for all branches, {sum(budgets)} for dedicated runs")


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments: {argv[1:]}")
  logging.set_verbosity(logging.WARNING)  # Orbax reports every file
  with tempfile.TemporaryDirectory() as temporary:
    run(pathlib.Path(_FOLDER.value or temporary).resolve())


if __name__ == "__main__":
  app.run(main)
