# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`lookahead` against pytorch_optimizer and Optax."""

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from tests.parity import problem as problems

RECORDED = problems.load("lookahead")
# The inner optimizers of generate_lookahead.py.
INNERS = {
  "sgd": lambda: optax.sgd(0.03),
  "sgd_momentum": lambda: optax.sgd(0.01, momentum=0.9),
  "adam": lambda: optax.adam(0.1),
}


def made(inner, sync_period=5, slow_step_size=0.5, momentum="none"):
  return optax_stepsize.lookahead(
    INNERS[inner](), sync_period, slow_step_size, momentum=momentum
  )


def read(state, params):
  found = {"params": params, "slow": state.slow, "count": state.count}
  for name in ("trace", "mu"):
    moment = optax.tree.get_all_with_path(state.inner_state, name)
    if moment:
      found["moment"] = moment[0][1]
    pulled = optax.tree.get_all_with_path(state.slow_momentum, name)
    if pulled:
      found["slow_momentum"] = pulled[0][1]
  return found


def replayed(case):
  # The rules of Optax's optimizers are looser than ours.
  with jax.numpy_dtype_promotion("standard"):
    return problems.replay(made, read, RECORDED, case)


class TorchTest(parameterized.TestCase):
  @parameterized.named_parameters(problems.named_cases(RECORDED))
  def test_trajectory(self, case):
    ours = replayed(case)
    problems.assert_matches(ours, RECORDED, case)

  @parameterized.named_parameters(problems.named_cases(RECORDED, differs=True))
  def test_differs_from_the_reference_in_the_momentum_of_adam(self, case):
    ours = replayed(case)
    with self.assertRaises(AssertionError):
      problems.assert_matches(ours, RECORDED, case)
    # There it is as if nothing had been asked for.
    plain = case | {"options": {"inner": "adam"}}
    ours = replayed(plain)
    problems.assert_matches(ours, RECORDED, plain)


class OptaxTest(parameterized.TestCase):
  @parameterized.product(
    inner=tuple(INNERS), period=(1, 4), alpha=(0.0, 0.3, 1.0)
  )
  def test_pairs_of_parameters(self, inner, period, alpha):
    problem = RECORDED["problem"]
    case = {"options": {"inner": inner, "sync_period": period}}
    case["options"]["slow_step_size"] = alpha
    ours = replayed(case)
    tx = optax.lookahead(INNERS[inner](), period, alpha)
    keys = ("curvature", "target", "noise", "params")

    def run(curvature, target, noise, start):
      def step(carry, noise):
        params, state = carry
        grads = jax.tree.map(
          lambda h, p, t, n: h * (p - t) + n,
          curvature,
          params.fast,
          target,
          noise,
        )
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

      params = optax.LookaheadParams.init_synced(start)
      return jax.lax.scan(step, (params, tx.init(params)), noise)[1]

    with (
      optax_stepsize.core.enable_x64(True),
      jax.numpy_dtype_promotion("standard"),
    ):
      trees = [
        jax.tree.map(jnp.asarray, problems.leaves_of(problem, key))
        for key in keys
      ]
      theirs = jax.device_get(jax.jit(run)(*trees))
    for name in problems.SHAPES:
      for found, wanted in (("params", "fast"), ("slow", "slow")):
        wanted = getattr(theirs, wanted)[name]
        np.testing.assert_allclose(
          ours[found][name], wanted, rtol=1e-10, atol=1e-12
        )


if __name__ == "__main__":
  absltest.main()
