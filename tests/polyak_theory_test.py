# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of what theory says about Polyak steps, beyond each method's own tests.

In float64, of random convex problems whose minimisers are known.
"""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize
from optax_stepsize import core

ROWS, SIZE, STEPS = 8, 3, 25


def quadratic(x, problem):
  image = problem["rows"] @ (x - problem["target"])
  return problem["scale"] * (jnp.sum(image**2) / 2 + problem["offset"])


def logistic(x, problem):
  losses = jnp.mean(jax.nn.softplus(-problem["rows"] @ x))
  return problem["scale"] * (losses + problem["penalty"] * jnp.sum(x**2) / 2)


LOSSES = {"quadratic": quadratic, "logistic": logistic}


def random_problem(seed, kind="quadratic"):
  """A loss's numbers, where to start, the minimiser and the minimum."""
  rng = np.random.RandomState(seed)
  rows = rng.standard_normal((ROWS, SIZE)) * 10 ** rng.uniform(-1, 1, SIZE)
  start, target = rng.standard_normal((2, SIZE))
  problem = {
    "rows": rows,
    "target": target,
    "offset": rng.uniform(0, 2),
    "penalty": 10 ** rng.uniform(-3, 0),
    "scale": 1.0,
  }
  if kind == "quadratic":
    return problem, start, target, problem["offset"]
  return problem, start, *newton(rows, problem["penalty"])


def newton(rows, penalty):
  """Minimiser and minimum of regularised logistic regression."""

  def wrong(x):
    return np.exp(-np.logaddexp(0, rows @ x))

  def gradient(x):
    return penalty * x - rows.T @ wrong(x) / len(rows)

  def size(x):
    return np.linalg.norm(gradient(x))

  x = np.zeros(rows.shape[1])
  for _ in range(60):
    weights = wrong(x) * (1 - wrong(x)) / len(rows)
    hessian = (rows.T * weights) @ rows + penalty * np.eye(len(x))
    step, length = np.linalg.solve(hessian, gradient(x)), 1.0
    while size(x - length * step) > size(x) and length > 1e-9:
      length /= 2
    x = x - length * step
  assert size(x) < 1e-14 * max(np.linalg.norm(rows), 1)
  losses = np.mean(np.logaddexp(0, -rows @ x))
  return x, losses + penalty * np.sum(x**2) / 2


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _descend(name, static, kind, floats, start, problem, inputs):
  tx = getattr(optax_stepsize, name)(**dict(static), **floats)
  loss = functools.partial(LOSSES[kind], problem=problem)

  def step(carry, _):
    x, state = carry
    value, grads = jax.value_and_grad(loss)(x)
    more = dict(inputs)
    if name == "policy_polyak":
      value = -value
    elif name == "smb":
      more["value_and_grad_fn"] = jax.value_and_grad(loss)
    elif ("preconditioner", "hutchinson") in static and not more:
      more["hessian_diag"] = jnp.diag(jax.hessian(loss)(x))
    updates, state = tx.update(grads, state, x, value=value, **more)
    x = optax.apply_updates(x, updates)
    return (x, state), x

  points = jax.lax.scan(step, (start, tx.init(start)), length=STEPS)[1]
  return jnp.concatenate([start[None], points])


@functools.partial(jax.jit, static_argnums=0)
def _measure(kind, points, problem):
  """Losses and gradients at points."""
  loss = functools.partial(LOSSES[kind], problem=problem)
  return jax.vmap(jax.value_and_grad(loss))(points)


def descend(name, start, problem, kind="quadratic", inputs=(), **options):
  """All points, in float64; floats among the options are traced."""
  static = {k: v for k, v in options.items() if not isinstance(v, float)}
  floats = {k: np.float64(v) for k, v in options.items() if k not in static}
  start, problem = jax.tree.map(np.float64, (start, problem))
  with core.enable_x64(True):
    return jax.device_get(
      _descend(
        name,
        tuple(static.items()),
        kind,
        floats,
        start,
        problem,
        dict(inputs),
      )
    )


SEEDS = st.integers(0, 2**31 - 1)
KINDS = st.sampled_from(("quadratic", "logistic"))
SETTINGS = hypothesis.settings(max_examples=80, deadline=None, database=None)


class DistanceTest(absltest.TestCase):
  """With the exact minimum, no step moves away from the minimiser.

  |x+ - x*|^2 = |x - x*|^2 - 2 t <g, x - x*> + t^2 |g|^2, where <g, x - x*> is
  at least the gap of a convex loss: for the step t = gap / (c |g|^2) that is at
  most |x - x*|^2 - gap^2 / |g|^2 * (2 / c - 1 / c^2), and c >= 1/2 suffices.
  """

  def check(self, points, minimiser, metric=1.0):
    squares = np.sum(metric * (points - minimiser) ** 2, axis=1)
    distance = np.sqrt(squares)
    # The minimum has 16 digits: so near to it that the gap is rounding, a step
    # may have any length up to about the root of that.
    allowed = distance[:-1] * (1 + 1e-10) + 1e-6 * np.sqrt(np.max(metric))
    self.assertTrue(np.all(distance[1:] <= allowed), np.diff(distance).max())

  @SETTINGS
  @hypothesis.given(seed=SEEDS, kind=KINDS, c=st.floats(0.5, 4))
  def test_sps(self, seed, kind, c):
    problem, start, minimiser, minimum = random_problem(seed, kind)
    points = descend(
      "sps", start, problem, kind, c=float(c), f_min=float(minimum), eps=0.0
    )
    self.check(points, minimiser)
    # And each falls by the bound.
    squares = np.sum((points - minimiser) ** 2, axis=1)
    with core.enable_x64(True):
      values, grads = jax.device_get(_measure(kind, points, problem))
    gaps = np.maximum(values - minimum, 0)
    fall = np.square(gaps) / np.sum(grads**2, axis=1) * (2 / c - 1 / c**2)
    far = gaps[:-1] > 1e-10
    wanted = squares[:-1] - fall[:-1]
    self.assertTrue(np.all((squares[1:] <= wanted + 1e-9 * squares[:-1])[far]))

  @SETTINGS
  @hypothesis.given(seed=SEEDS, kind=KINDS, b1=st.floats(0, 0.99))
  def test_moving_gradient(self, seed, kind, b1):
    problem, start, minimiser, minimum = random_problem(seed, kind)
    points = descend(
      "polyak_moving_gradient",
      start,
      problem,
      kind,
      b1=float(b1),
      f_min=float(minimum),
    )
    self.check(points, minimiser)

  @SETTINGS
  @hypothesis.given(seed=SEEDS, kind=KINDS)
  def test_preconditioned_in_the_norm_of_the_preconditioner(self, seed, kind):
    problem, start, minimiser, minimum = random_problem(seed, kind)
    metric = 10 ** np.random.RandomState(seed).uniform(-1, 1, SIZE)
    points = descend(
      "psps",
      start,
      problem,
      kind,
      inputs={"hessian_diag": metric},
      preconditioner="hutchinson",
      hutchinson_decay=0.0,
      hutchinson_floor=1e-3,
      f_min=float(minimum),
    )
    self.check(points, minimiser, metric)

  def test_some_start_far_away_and_arrive(self):
    # Or the tests above would be about nothing.
    shares = []
    for seed in range(10):
      problem, start, minimiser, minimum = random_problem(seed, "logistic")
      points = descend(
        "sps", start, problem, "logistic", c=0.5, f_min=minimum, eps=0.0
      )
      distance = np.linalg.norm(points - minimiser, axis=1)
      shares.append(distance[-1] / distance[0])
    self.assertLess(np.median(shares), 0.5)


class StepLengthTest(absltest.TestCase):
  def test_steps_do_not_shrink_with_a_separable_logistic_loss(self):
    # |g| <= max |a| f, so that f / (c |g|) >= 1 / (c max |a|).
    rng = np.random.RandomState(0)
    rows = rng.standard_normal((ROWS, SIZE))
    rows *= np.sign(rows[:, :1])  # the first coordinate separates them
    problem = {"rows": rows, "penalty": 0.0, "scale": 1.0}
    for far in (10.0, 100.0):
      start = np.array([far, 0.0, 0.0])
      points = descend(
        "sps", start, problem, "logistic", eps=0.0, grad_norm_floor=0.0
      )
      lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
      least = 1 / (0.5 * np.max(np.linalg.norm(rows, axis=1)))
      self.assertGreaterEqual(np.min(lengths), least * (1 - 1e-9))


# Methods that do not feel the scale of the loss, and those that do not feel
# rotations; see also the tests of `sps` and of the momentum methods.
SCALES = {
  "psps_identity": ("psps", {"preconditioner": "identity"}),
  "psps_adam": ("psps", {"preconditioner": "adam", "eps": 0.0}),
  "psps_adagrad": ("psps", {"preconditioner": "adagrad", "eps": 0.0}),
  "psps_hutchinson": (
    "psps",
    {"preconditioner": "hutchinson", "hutchinson_floor": 1e-9},
  ),
  "momo": ("momo", {"learning_rate": 1e9}),
  "momo_adam": ("momo_adam", {"learning_rate": 1e9, "eps": 0.0}),
  "smb": ("smb", {"learning_rate": 0.5}),
}
ROTATIONS = {
  "psps": ("psps", {"preconditioner": "identity", "slack": "l1"}),
  "momo": ("momo", {"learning_rate": 0.3}),
  "smb": ("smb", {"learning_rate": 0.5}),
}


class InvarianceTest(parameterized.TestCase):
  @parameterized.product(name=tuple(SCALES), seed=(0, 1))
  def test_scale_of_the_loss_does_not_matter(self, name, seed):
    method, options = SCALES[name]
    problem, start, _, minimum = random_problem(seed)
    wanted = descend(
      method, start, problem, **self.bound(method, minimum), **options
    )
    factor = 50.0
    if method == "smb":  # whose learning rate multiplies the gradient
      options = {"learning_rate": 0.5 / factor}
    found = descend(
      method,
      start,
      problem | {"scale": factor},
      **self.bound(method, factor * minimum),
      **options,
    )
    self.assertGreater(np.max(np.abs(wanted[-1] - start)), 0.05)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-8)

  def bound(self, method, minimum):
    return {} if method == "smb" else {"f_min": float(minimum)}

  @parameterized.product(name=tuple(ROTATIONS), seed=(0, 1))
  def test_rotation_does_not_matter(self, name, seed):
    method, options = ROTATIONS[name]
    problem, start, _, _ = random_problem(seed)
    rotation, _ = np.linalg.qr(np.random.RandomState(5).standard_normal((3, 3)))
    rotated = problem | {
      "rows": problem["rows"] @ rotation.T,
      "target": rotation @ problem["target"],
    }
    wanted = descend(method, start, problem, **options)
    found = descend(method, rotation @ start, rotated, **options)
    self.assertGreater(np.max(np.abs(wanted[-1] - start)), 0.05)
    np.testing.assert_allclose(found @ rotation, wanted, rtol=1e-7, atol=1e-9)


class ReductionTest(parameterized.TestCase):
  @parameterized.parameters(0.01, 1e9)
  def test_momo_without_momentum_is_sps(self, cap):
    problem, start, _, minimum = random_problem(2)
    bound = {"f_min": float(minimum)}
    found = descend("momo", start, problem, learning_rate=cap, b1=0.0, **bound)
    wanted = descend(
      "sps", start, problem, c=1.0, eps=0.0, max_step_size=cap, **bound
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-8)

  @parameterized.parameters(0.1, 1e9)
  def test_momo_adam_without_momentum_is_psps(self, cap):
    problem, start, _, minimum = random_problem(3)
    shared = {"b2": 0.9, "eps": 1e-6, "f_min": float(minimum)}
    found = descend(
      "momo_adam", start, problem, learning_rate=cap, b1=0.0, **shared
    )
    wanted = descend(
      "psps", start, problem, preconditioner="adam", max_step_size=cap, **shared
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-8)

  def test_smb_whose_trials_succeed_is_sgd(self):
    problem, start, target, _ = random_problem(4)
    hessian = problem["rows"].T @ problem["rows"]
    rate = 0.5 / np.linalg.norm(hessian, 2)
    points = descend("smb", start, problem, learning_rate=float(rate))
    wanted = [start]
    for _ in range(STEPS):
      wanted.append(wanted[-1] - rate * hessian @ (wanted[-1] - target))
    np.testing.assert_allclose(points, wanted, rtol=1e-9)

  def test_policy_polyak_is_sps_of_minus_the_return(self):
    problem, start, _, minimum = random_problem(5)
    shared = {"c": 0.5, "eps": 1e-8, "max_step_size": 0.05}
    found = descend(
      "policy_polyak",
      start,
      problem,
      inputs={"target_value": -np.float64(minimum)},
      **shared,
    )
    wanted = descend(
      "sps",
      start,
      problem,
      f_min=float(minimum),
      grad_norm_floor=0.0,
      **shared,
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


if __name__ == "__main__":
  absltest.main()
