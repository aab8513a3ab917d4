# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`schedule_free` against the wrapper of the authors' package."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import jax
import optax

import optax_stepsize
from tests.parity import problem as problems

RECORDED = problems.load("schedule_free_wrapper")
LEAN = problems.load("schedule_free_wrapper_lean")

# The bases of generate_schedule_free_wrapper.py.
BASES = {
  "sgd": optax.sgd,
  "sgd_decay": lambda rate: optax.chain(
    optax.add_decayed_weights(0.1), optax.sgd(rate)
  ),
  "sgd_momentum": functools.partial(optax.sgd, momentum=0.5),
  "rmsprop": functools.partial(
    optax.rmsprop, decay=0.99, eps_in_sqrt=False, initial_scale=0.0
  ),
  "adam": functools.partial(optax.adam, b1=0.0, b2=0.9),
  "adamw": functools.partial(optax.adamw, b1=0.0, b2=0.99, weight_decay=0.3),
  "prodigy": functools.partial(optax_stepsize.prodigy, d0=0.01),
}


def wrapped(
  learning_rate,
  *,
  base,
  b1=0.9,
  r=0.0,
  weight_lr_power=2.0,
  weight_decay=0.0,
  mask=None,
  store_x=None,
):
  """The wrapper with its base by name."""
  distance = None
  if base == "prodigy":
    distance = lambda state: optax.tree.get(state, "distance")  # noqa: E731
  return optax_stepsize.schedule_free(
    BASES[base],
    learning_rate,
    b1=b1,
    r=r,
    weight_lr_power=weight_lr_power,
    weight_decay=weight_decay,
    mask=mask,
    store_x=store_x,
    effective_lr=distance,
  )


def read(state, params):
  x = optax_stepsize.eval_params(state, params)
  found = {"params": params, "x": x}
  for name in ("count", "step_size", "weight_sum", "max_rate", "z"):
    found[name] = getattr(state, name)
  for name in ("distance", "nu", "mu", "trace", "grad_sum"):
    values = optax.tree.get_all_with_path(state.moments, name)
    if values:
      found[name] = values[0][1]
  return found


@functools.wraps(wrapped)
def late_start(learning_rate, **options):
  """As if the base had not seen the start, but z after its first decay."""
  tx = wrapped(learning_rate, **options)

  def init(params):
    state = tx.init(params)
    rate = optax_stepsize.core.rate_at(
      learning_rate, state.count, state.b1.dtype
    )
    kept = 1 - rate * options["weight_decay"]
    moved = jax.tree.map(lambda p: kept * p, params)
    return optax.tree.set(state, anchor=moved)

  return optax.GradientTransformationExtraArgs(init, tx.update)


def check(recorded, case, make=wrapped):
  # The rules of Optax's bases are looser than ours.
  with jax.numpy_dtype_promotion("standard"):
    ours = problems.replay(make, read, recorded, case)
  problems.assert_matches(ours, recorded, case)


class WrapperTest(parameterized.TestCase):
  @parameterized.named_parameters(problems.named_cases(RECORDED))
  def test_trajectory(self, case):
    check(RECORDED, case)

  @parameterized.named_parameters(problems.named_cases(LEAN))
  def test_lean_form(self, case):
    check(LEAN, case)

  @parameterized.named_parameters(problems.named_cases(RECORDED, differs=True))
  def test_differs_from_the_reference_in_what_the_base_takes_for_the_start(
    self, case
  ):
    check(RECORDED, case, late_start)


if __name__ == "__main__":
  absltest.main()
