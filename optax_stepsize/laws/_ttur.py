# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Two time scales: a generator and a discriminator with a rate each."""

from collections.abc import Callable
from typing import Any

import optax

_PLAYERS = ("generator", "discriminator")


def ttur(
  generator_tx: optax.GradientTransformation,
  discriminator_tx: optax.GradientTransformation,
  *,
  labels: Any | Callable[[Any], Any] | None = None,
) -> optax.GradientTransformationExtraArgs:
  r"""Trains two players of a game, each by a transformation of its own.

  The two time-scale update rule gives the discriminator the larger constant
  rate, such as 4e-4 to a generator's 1e-4, so that it stays near its best
  answer while the generator moves,

  .. math::
    \theta_{t+1} = \theta_t - \alpha_G g_t, \qquad
    w_{t+1} = w_t - \alpha_D h_t, \qquad \alpha_D > \alpha_G .

  The gradients that `update` is given are those of the generator's loss with
  respect to the generator and of the discriminator's with respect to the
  discriminator, both at the same parameters. To move one after the other, call
  it twice, with zero gradients for the player whose turn it is not, if its
  transformation takes zeros for no move, as SGD without momentum does; for
  others keep two optimizers. Extra arguments of `update` reach both players.

  Of the batch size that suits both see `fit_steps_law`.

  Needs: what the transformations of the players need.
  State: that of `optax.partition`, with the state of each player for its own
  parameters alone.

  Args:
    generator_tx: Transformation of the generator.
    discriminator_tx: Transformation of the discriminator.
    labels: Tree of "generator" and "discriminator" that is like the parameters
      or a prefix of them, or a function from them to it. By default parameters
      are a dictionary of these two keys.

  Returns:
    The transformation of both players together.

  Raises:
    ValueError: By `init`, if there is another label.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import optax_stepsize
    >>> # A game of unequal curvatures, with its equilibrium at (2, -1).
    >>> def gradients(params):
    ...   x, y = params["generator"] - 2.0, params["discriminator"] + 1.0
    ...   return {"generator": 0.3 * x + y, "discriminator": 3.0 * y - x}
    >>> tx = optax_stepsize.ttur(optax.sgd(0.1), optax.sgd(0.4))
    >>> params = {"generator": jnp.zeros(()), "discriminator": jnp.zeros(())}
    >>> state = tx.init(params)
    >>> for _ in range(300):
    ...   updates, state = tx.update(gradients(params), state, params)
    ...   params = optax.apply_updates(params, updates)
    >>> assert abs(params["generator"] - 2.0) < 1e-3
    >>> assert abs(params["discriminator"] + 1.0) < 1e-3

  References:
    Heusel et al., `GANs Trained by a Two Time-Scale Update Rule Converge to a
    Local Nash Equilibrium <https://arxiv.org/abs/1706.08500>`_, 2017.
    BibTeX by `optax_stepsize.cite("ttur")`.
  """
  if labels is None:
    labels = {player: player for player in _PLAYERS}
  players = (generator_tx, discriminator_tx)
  return optax.partition(dict(zip(_PLAYERS, players, strict=True)), labels)
