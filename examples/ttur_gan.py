# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""A small GAN on a ring of eight blobs, with one time scale and with two.

Both players are linen MLPs trained by Adam, and `ttur` gives each its rate. The
critic of a Wasserstein GAN with gradient penalty has to keep close to its best
answer. Where both move once per step, a larger rate of its own does what
several updates of the critic are used for elsewhere. The table shows how far
generated points are from the data, for all four pairs of two rates and with
several seeds each: the energy distance, zero for equal distributions alone.

What helps here is the quick critic. With it a slow generator does nearly as
well as a quick one; without it both stay far from the data.

  python examples/ttur_gan.py --steps=2000
"""

from absl import app
from absl import flags
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

import optax_stepsize

# Of generator and discriminator, in the order of the table.
_SLOW, _QUICK = 1e-3, 4e-3
_RATES = tuple((g, d) for g in (_SLOW, _QUICK) for d in (_SLOW, _QUICK))
_LATENT, _PENALTY = 8, 1.0
_POINTS = 1024  # for the distance
_ENOUGH = 2000  # steps for the two time scales to show what they can

_STEPS = flags.DEFINE_integer(
  "steps", _ENOUGH, "Updates of each player.", lower_bound=1
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 64, "Points per update.")
_SEEDS = flags.DEFINE_integer("seeds", 5, "Runs of each pair of rates.")


class MLP(nn.Module):
  """Two hidden layers."""

  outputs: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    for _ in range(2):
      x = nn.leaky_relu(nn.Dense(64)(x), 0.2)
    return nn.Dense(self.outputs)(x)


_PLAYERS = {"generator": MLP(2), "discriminator": MLP(1)}


def real(key: jax.Array, count: int) -> jax.Array:
  """Points `(count, 2)` around eight places on the circle of radius one."""
  place, noise = jax.random.split(key)
  angle = jax.random.randint(place, (count,), 0, 8) * (jnp.pi / 4)
  ring = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
  return ring + 0.05 * jax.random.normal(noise, (count, 2))


def generated(params, key: jax.Array, count: int) -> jax.Array:
  latent = jax.random.normal(key, (count, _LATENT))
  return _PLAYERS["generator"].apply(params["generator"], latent)


def gradients(params, key: jax.Array):
  """Of each player's own loss, both at the same parameters."""
  real_key, fake_key, mix_key = jax.random.split(key, 3)
  data = real(real_key, _BATCH_SIZE.value)
  share = jax.random.uniform(mix_key, (len(data), 1))

  def judge(discriminator, x):
    return _PLAYERS["discriminator"].apply(discriminator, x)

  def generator_loss(generator):
    fake = generated({"generator": generator}, fake_key, len(data))
    return -jnp.mean(judge(params["discriminator"], fake))

  def discriminator_loss(discriminator):
    fake = generated(params, fake_key, len(data))
    between = share * data + (1 - share) * fake
    slopes = jax.grad(lambda x: jnp.sum(judge(discriminator, x)))(between)
    norms = jnp.sqrt(jnp.sum(slopes**2, axis=1) + 1e-12)
    gain = jnp.mean(judge(discriminator, data) - judge(discriminator, fake))
    return jnp.mean((norms - 1) ** 2) * _PENALTY - gain

  return {
    "generator": jax.grad(generator_loss)(params["generator"]),
    "discriminator": jax.grad(discriminator_loss)(params["discriminator"]),
  }


def energy_distance(x: jax.Array, y: jax.Array) -> jax.Array:
  """2 E|X - Y| - E|X - X'| - E|Y - Y'| of two samples of the same size."""

  def mean_distance(a, b, pairs):
    squares = jnp.sum((a[:, None] - b[None]) ** 2, axis=-1)
    return jnp.sum(jnp.sqrt(squares)) / pairs

  count = len(x)
  apart = count * (count - 1)  # no point is a pair with itself
  between = mean_distance(x, y, count**2)
  return 2 * between - mean_distance(x, x, apart) - mean_distance(y, y, apart)


def train(seed: jax.Array, rates: jax.Array, steps: int):
  """Energy distance to the data before and after training."""
  init_key, batch_key, fake_key, real_key = jax.random.split(
    jax.random.key(seed), 4
  )
  params = {
    "generator": _PLAYERS["generator"].init(init_key, jnp.ones((1, _LATENT))),
    "discriminator": _PLAYERS["discriminator"].init(init_key, jnp.ones((1, 2))),
  }
  tx = optax_stepsize.ttur(*(optax.adam(rate, b1=0.5) for rate in rates))

  def step(carry, count):
    params, state = carry
    grads = gradients(params, jax.random.fold_in(batch_key, count))
    updates, state = tx.update(grads, state, params)
    return (optax.apply_updates(params, updates), state), None

  def distance(params):
    fake = generated(params, fake_key, _POINTS)
    return energy_distance(fake, real(real_key, _POINTS))

  start = (params, tx.init(params))
  (trained, _), _ = jax.lax.scan(step, start, jnp.arange(steps))
  return distance(params), distance(trained)


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments: {argv[1:]}")
  over_seeds = jax.vmap(train, (0, None, None))
  over_all = jax.jit(jax.vmap(over_seeds, (None, 0, None)), static_argnums=2)
  before, after = (
    np.asarray(x)
    for x in over_all(
      jnp.arange(_SEEDS.value), jnp.asarray(_RATES), _STEPS.value
    )
  )
  print("generator  discriminator  energy distance: median, lowest, highest")
  medians = np.median(after, axis=1)
  for rates, distances, median in zip(_RATES, after, medians, strict=True):
    print(
      f"{rates[0]:9g}  {rates[1]:13g}  {median:23.4f}"
      f" {np.min(distances):8.4f} {np.max(distances):8.4f}"
    )
  print(f"before training {np.median(before):25.4f}")
  if _STEPS.value >= _ENOUGH:
    slow, two_scales, reversed_scales, _ = medians
    assert two_scales < min(slow, reversed_scales) / 4, "the critic lags behind"


if __name__ == "__main__":
  app.run(main)
