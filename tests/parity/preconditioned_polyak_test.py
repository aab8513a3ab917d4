# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`psps` against a slow transcription of the authors' code.

Their code, fxrshed/ScaledSPS, is in no package index. Probes are recorded from
our run and given to the transcription.
"""

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import optax_stepsize
from tests.parity import flat_problem
from tests.parity import preconditioned_polyak_reference as reference

STEPS = flat_problem.STEPS
SIZE = len(flat_problem.start())
BOUNDS = np.round(0.3 * np.abs(np.sin(np.arange(STEPS))), 3)
RENAMED = {
  "max_step_size": "tau_max",
  "hutchinson_decay": "beta",
  "hutchinson_floor": "alpha",
  "warmup_probes": "warmup",
  "probes_per_step": "per_step",
  "b2": "beta_2",
}
# A Hessian that is not diagonal and changes from step to step, so that probes
# matter. It need not be that of the loss.
_RNG = np.random.RandomState(7)
MIX = _RNG.uniform(-0.3, 0.3, (SIZE, SIZE))
HESSIAN = np.diag(flat_problem.curvature()) + MIX + MIX.T
SWING = 1 + 0.5 * np.sin(np.arange(STEPS))
OPTIONS = (
  ("plain", {}, {}),
  ("capped", {"max_step_size": 0.3}, {}),
  ("l1", {"slack": "l1", "lam": 0.1}, {}),
  ("l1_capped", {"slack": "l1", "max_step_size": 0.2}, {}),
  ("l2", {"slack": "l2", "lam": 1.0}, {}),
  ("l2_capped", {"slack": "l2", "max_step_size": 0.1}, {}),
  ("bounds", {"slack": "l1", "lam": 0.3}, {"bounds": BOUNDS}),
  ("below", {"slack": "l2"}, {"offset": {20: -1e3}}),
  ("zeros", {"slack": "l1"}, {"zeros": (0, 10, 11)}),
)


def tree_of(vector):
  tree, at = {}, 0
  for name in flat_problem.NAMES:
    shape = flat_problem.problems.SHAPES[name]
    size = int(np.prod(shape))
    tree[name] = vector[at : at + size].reshape(shape)
    at += size
  return tree


def flat(tree):
  return jnp.concatenate([tree[n].reshape(-1) for n in flat_problem.NAMES])


def compare(options, extra, bad=()):
  """All sequences; products of the steps in `bad` are not finite."""
  extra = dict(extra)
  bounds = extra.pop("bounds", None)
  hutchinson = options["preconditioner"] == "hutchinson"
  recorded = []
  poison = np.where(np.isin(np.arange(STEPS), bad), np.nan, 1.0)

  def update(tx, grads, state, params, value, stream):
    def hvp_fn(z):
      vector = flat(z)
      jax.debug.callback(lambda z: recorded.append(z), vector, ordered=True)
      scale = stream["swing"] * stream["poison"]
      return tree_of(scale * (jnp.asarray(HESSIAN) @ vector))

    more = {"hvp_fn": hvp_fn} if hutchinson else {}
    if bounds is not None:
      more["f_min"] = stream["f_min"]
    return tx.update(grads, state, params, value=value, **more)

  def read(state):
    names = ("step_size", "slack", "diag")
    found = {name: getattr(state, name) for name in names}
    return {k: v for k, v in found.items() if v is not None}

  ours = flat_problem.replay(
    optax_stepsize.psps,
    options,
    read,
    inputs={
      "swing": SWING,
      "poison": poison,
      "f_min": np.zeros(STEPS) if bounds is None else bounds,
    },
    update=update,
    **extra,
  )
  jax.effects_barrier()
  keywords = {RENAMED.get(k, k): v for k, v in options.items()}
  f_min = keywords.pop("f_min", 0.0)
  wanted = reference.trajectory(
    flat_problem.start(),
    flat_problem.batch(**extra),
    STEPS,
    f_star=lambda k: f_min if bounds is None else float(bounds[k]),
    hessian=lambda k, z: SWING[k] * poison[k] * (HESSIAN @ z),
    probes=iter([np.asarray(z, np.float64) for z in recorded]),
    **keywords,
  )
  for name, sequence in ours.items():
    flat_problem.assert_sequence(sequence, wanted[name], name)
  return recorded, ours


class PspsTest(parameterized.TestCase):
  @parameterized.named_parameters(*OPTIONS)
  def test_identity(self, options, extra):
    compare({"preconditioner": "identity"} | options, extra)

  @parameterized.named_parameters(
    *OPTIONS, ("b2_eps", {"b2": 0.9, "eps": 1e-2, "f_min": 0.2}, {})
  )
  def test_adam(self, options, extra):
    compare({"preconditioner": "adam"} | options, extra)

  @parameterized.named_parameters(*OPTIONS, ("eps", {"eps": 0.5}, {}))
  def test_adagrad(self, options, extra):
    compare({"preconditioner": "adagrad"} | options, extra)

  @parameterized.named_parameters(
    *OPTIONS,
    ("decay_floor", {"hutchinson_decay": 0.5, "hutchinson_floor": 1.0}, {}),
    ("many", {"probes_per_step": 3, "slack": "l1"}, {}),
  )
  def test_hutchinson(self, options, extra):
    warm = {"preconditioner": "hutchinson", "warmup_probes": 5}
    options = warm | {"hutchinson_decay": 0.9} | options
    probes, _ = compare(options, extra)
    per_step = options.get("probes_per_step", 1)
    self.assertLen(probes, 5 + per_step * STEPS)
    np.testing.assert_array_equal(np.abs(probes), 1)
    # No two alike: 2^11 is not many, but most differ.
    different = np.unique(np.asarray(probes), axis=0)
    self.assertGreater(len(different), 0.9 * len(probes))

  def test_products_that_are_not_finite_are_left_out(self):
    options = {"preconditioner": "hutchinson", "warmup_probes": 5}
    _, ours = compare(options | {"hutchinson_decay": 0.5}, {}, bad=(3, 4, 20))
    diag = ours["diag"]["vector"]
    np.testing.assert_array_equal(diag[3], diag[2])
    self.assertTrue(np.any(diag[5] != diag[4]))


if __name__ == "__main__":
  absltest.main()
