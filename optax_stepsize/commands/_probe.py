# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`optax-stepsize probe`."""

import argparse
from collections.abc import Callable, Iterator
import functools
import math
import pathlib
import sys
from typing import Any, IO

import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import compare
from optax_stepsize import probes
from optax_stepsize.commands import _common

_CSV = "range_test.csv"
_PNG = "range_test.png"


class _Run:
  """A workload under an optimizer whose rate comes with each step.

  Attributes:
    state: Parameters and optimizer state.
  """

  def __init__(
    self,
    workload: compare.Workload,
    entry: compare.Entry,
    seed: int,
    losses: list[float],
  ):
    self._workload = workload
    self._losses = losses  # of the steps so far, for when it is interrupted
    init_key, self._batch_key = jax.random.split(jax.random.key(seed))
    params = jax.jit(workload.init_fn)(init_key)
    self.state = (params, entry.factory(entry.default).init(params))

    @jax.jit
    def train(state, batch, rate):
      params, opt_state = state
      loss, grads = jax.value_and_grad(workload.loss_fn)(params, batch)
      tx = optax.with_extra_args_support(entry.factory(rate))
      updates, opt_state = tx.update(grads, opt_state, params, value=loss)
      return (optax.apply_updates(params, updates), opt_state), loss

    self._train = train

  def step(self, state: Any, batch: Any, rate: jax.Array) -> tuple[Any, Any]:
    """One update."""
    state, loss = self._train(state, batch, rate)
    self._losses.append(float(loss))
    return state, loss

  def batches(self, count: int) -> Iterator[Any]:
    """So many of them."""
    make = jax.jit(self._workload.batch_fn)
    for step in range(count):
      yield make(self._batch_key, jnp.int32(step))


def _entry(name: str, workload: compare.Workload, steps: int) -> compare.Entry:
  """The optimizer of a name, if it has a rate."""
  entry = compare.make_entry(
    name, total_steps=steps, steps_per_epoch=workload.steps_per_epoch
  )
  if entry.argument != "learning_rate":
    raise ValueError(
      f"{name} is tuned by its {entry.argument}: a range test needs an"
      " optimizer with a learning_rate."
    )
  return entry


def _range_test(args: argparse.Namespace) -> int:
  steps, mode = args.num_steps, args.mode
  low, high = args.min_value, args.max_value
  if low is None:
    low = 0.0 if mode == "linear" else min(1e-6, high / 1e6)
  judgement = {
    "smoothing": args.smoothing,
    "divergence_factor": args.divergence_factor,
    "base_ratio": args.base_ratio,
  }
  # All that can be wrong is found before anything is trained.
  try:
    compare.require()
    probes.range_test_schedule(low, high, steps, mode)
    probes.suggest_bounds([low], [0.0], **judgement)
    workload = compare.workload(args.workload)
    compare.validate(workload)
    entry = _entry(args.optimizer, workload, steps)
    folder = compare.check_output_dir(args.output_dir, _CSV, _PNG)
  except OSError as error:
    raise _common.UsageError(
      f"cannot write to {args.output_dir}: {error}"
    ) from error
  except (ValueError, compare.MissingExtraError) as error:
    raise _common.UsageError(str(error)) from error

  code = 0
  losses: list[float] = []
  options = {"min_value": low, "max_value": high, "num_steps": steps}
  # Optax and other people's optimizers rely on JAX's defaults.
  with (
    jax.numpy_dtype_promotion("standard"),
    jax.numpy_rank_promotion("allow"),
  ):
    try:
      run = _Run(workload, entry, args.seed, losses)
      result = probes.lr_range_test(
        run.step,
        run.state,
        run.batches(steps),
        mode=mode,
        **options,
        **judgement,
      )
    except KeyboardInterrupt:
      if not losses:
        raise
      schedule = probes.range_test_schedule(mode=mode, **options)
      rates = schedule(np.arange(len(losses)))
      result = probes.LrRangeResult.from_losses(rates, losses, **judgement)
      print(
        f"optax-stepsize: interrupted after {len(losses)} of {steps} steps",
        file=sys.stderr,
      )
      code = _common.INTERRUPTED
    except ValueError as error:
      raise _common.UsageError(f"{workload.name}: {error}") from error
  _show(workload.name, entry, result, code != 0)
  return _write(result, folder, code)


def _show(
  workload: str,
  entry: compare.Entry,
  result: probes.LrRangeResult,
  interrupted: bool,
) -> None:
  """The table of what was found."""
  tested = int(np.sum(np.isfinite(result.losses)))
  best = int(np.nanargmin(result.smoothed))
  same = np.array_equal(result.losses, result.smoothed, equal_nan=True)
  average = "" if same else " on average"
  rows = [
    ("workload", workload),
    ("optimizer", ", ".join(filter(None, (entry.name, entry.settings)))),
    (
      "rates",
      f"{result.rates[0]:.4g} to {result.rates[-1]:.4g} in"
      f" {len(result.rates)} steps",
    ),
    ("first loss", f"{result.losses[0]:.4g}"),
    ("least loss", f"{result.smoothed[best]:.4g}{average}, in step {best}"),
  ]
  if result.diverged_at >= 0:
    rate = result.rates[result.diverged_at]
    rows.append(("diverged", f"at {rate:.4g}, in step {result.diverged_at}"))
  else:
    rows.append(("diverged", f"not in {tested} steps"))
  rows += [
    ("suggested base", f"{result.suggested_base:.4g}"),
    ("suggested max", f"{result.suggested_max:.4g}"),
  ]
  for name, text in rows:
    print(f"{name:<15} {text}")
  if best == len(result.rates) - 1 and not interrupted:
    print("The loss still fell at the last rate: try a larger --max_value.")


def _write_csv(result: probes.LrRangeResult, file: IO[bytes]) -> None:
  lines = ["step,learning_rate,loss,smoothed_loss"]
  columns = zip(result.rates, result.losses, result.smoothed, strict=True)
  for step, (rate, loss, smoothed) in enumerate(columns):
    # What was not run has no line; a loss that is not finite has one.
    if result.diverged_at < 0 or step <= result.diverged_at:
      numbers = ",".join(f"{v:.9g}" for v in (rate, loss, smoothed))
      lines.append(f"{step},{numbers}")
  file.write(("\n".join(lines) + "\n").encode())


def _write(
  result: probes.LrRangeResult, folder: pathlib.Path, code: int
) -> int:
  """Writes the files; returns the exit code."""
  for write, name in ((_write_csv, _CSV), (probes.plot_range_test, _PNG)):
    try:
      fill = functools.partial(write, result)
      compare.write_atomically(folder / name, fill)
      print(f"Written: {folder / name}")
    except OSError as error:
      print(f"optax-stepsize: no {name}: {error}", file=sys.stderr)
      code = code or 2
  return code


def _number(text: str) -> float:
  try:
    value = float(text)
  except ValueError:
    value = math.nan
  if not math.isfinite(value):
    raise argparse.ArgumentTypeError(f"must be a number, got {text!r}")
  return value


def add(commands: Any) -> None:
  """Adds the command."""
  summary = "Measure a model before it is trained."
  probe = commands.add_parser(
    "probe", help=summary, description=summary, inherited_absl_flags=None
  )
  kinds = probe.add_subparsers(required=True, metavar="PROBE")
  command = _common.add_command(
    kinds,
    "range-test",
    _range_test,
    "Train for a while with a growing learning rate, and show which rates lower"
    " the loss and which are too large.",
  )
  command.add_argument(
    "--workload",
    default="digits_mlp",
    metavar="NAME",
    help=(
      f"what to train: {', '.join(compare.WORKLOADS)}, or module:object for one"
      " of your own (default: %(default)s)"
    ),
  )
  command.add_argument(
    "--optimizer",
    default="sgd",
    metavar="NAME",
    help=(
      "sgd, with momentum 0.9, adamw, optax.NAME or module:factory (default:"
      " %(default)s)"
    ),
  )
  command.add_argument(
    "--mode",
    default="linear",
    choices=("linear", "exponential"),
    help="how the rate grows (default: %(default)s)",
  )
  options: tuple[tuple[str, Callable[[str], Any], Any, str, str], ...] = (
    (
      "min_value",
      _number,
      None,
      "RATE",
      "first rate (default: 0, or 1e-6 if exponential)",
    ),
    ("max_value", _number, 1.0, "RATE", "last rate"),
    ("num_steps", _common.integer(1), 100, "N", "steps of the test"),
    ("smoothing", _number, 0.8, "S", "decay of the average of losses, 0: none"),
    (
      "divergence_factor",
      _number,
      4.0,
      "X",
      "losses of so many times the best end the test",
    ),
    ("base_ratio", _number, 0.25, "X", "base as a share of the largest rate"),
    ("seed", _common.integer(0), 0, "N", "seed of parameters and batches"),
  )
  for flag, kind, default, metavar, text in options:
    shown = "" if default is None else " (default: %(default)s)"
    command.add_argument(
      f"--{flag}",
      type=kind,
      default=default,
      metavar=metavar,
      help=f"{text}{shown}",
    )
  command.add_argument(
    "--output_dir",
    default="optax_stepsize_probe",
    metavar="DIR",
    help=f"folder for {_CSV} and {_PNG} (default: %(default)s)",
  )
