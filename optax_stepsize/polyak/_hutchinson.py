# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The diagonal of a Hessian from products of the Hessian with random signs."""

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp

from optax_stepsize import core

HvpFn = Callable[[chex.ArrayTree], chex.ArrayTree]


def make_hvp_fn(
  loss_fn: Callable[[Any], Any],
  params: chex.ArrayTree,
  *,
  has_aux: bool = False,
) -> HvpFn:
  """The `hvp_fn` that second-order methods take, made from a loss.

  It multiplies the Hessian of `loss_fn` at `params` with a tree, at about twice
  the cost of a gradient (forward over reverse mode); no Hessian is formed.

  With Flax linen, `loss_fn` is the one that is given to `jax.value_and_grad`.
  With `flax.nnx` it is a function of the parameters' state::

    graphdef, params, rest = nnx.split(model, nnx.Param, ...)
    hvp_fn = make_hvp_fn(
      lambda p: loss_fn(nnx.merge(graphdef, p, rest)), params
    )
    optimizer.update(model, grads, value=loss, hvp_fn=hvp_fn)

  Args:
    loss_fn: From parameters to the scalar loss of the batch that the gradient
      is of; with `has_aux`, to a pair that begins with it.
    params: Where the Hessian is taken.
    has_aux: Whether `loss_fn` returns more than the loss.

  Returns:
    A function from a tree to the Hessian times that tree, which has the same
    structure. A tree that differs from `params` in its containers only, as pure
    states differ from those of `flax.nnx`, will do.

  Example:
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> loss_fn = lambda p: p["a"] ** 2 * p["b"]
    >>> params = {"a": jnp.asarray(3.0), "b": jnp.asarray(5.0)}
    >>> hvp_fn = optax_stepsize.make_hvp_fn(loss_fn, params)
    >>> product = hvp_fn({"a": jnp.asarray(1.0), "b": jnp.asarray(2.0)})
    >>> assert product == {"a": 2 * 5.0 + 2 * 2 * 3.0, "b": 2 * 3.0}
  """
  treedef: Any = jax.tree.structure(params)
  grad_fn = jax.grad(loss_fn, has_aux=has_aux)

  def gradient(params):
    return grad_fn(params)[0] if has_aux else grad_fn(params)

  def hvp_fn(vector):
    leaves, like = jax.tree.flatten(vector)
    tangent = jax.tree.unflatten(treedef, leaves)
    product = jax.jvp(gradient, (params,), (tangent,))[1]
    return jax.tree.unflatten(like, jax.tree.leaves(product))

  return hvp_fn


def _signs(
  key: jax.Array, like: chex.ArrayTree, axis_name: core.AxisName
) -> chex.ArrayTree:
  """A tree of random signs: the same on every replica, however it is sharded.

  Inside `jax.shard_map` every shard of a leaf draws its own.
  """
  leaves, treedef = jax.tree.flatten(like)

  def draw(i, leaf):
    own = jax.random.fold_in(key, i)
    for name in core.summed_axes(leaf, axis_name):
      own = jax.random.fold_in(own, jax.lax.axis_index(name))
    # The factor has the sharding of the leaf, on meshes with explicit axes too.
    return jax.random.rademacher(own, leaf.shape, leaf.dtype) * jnp.ones_like(
      leaf
    )

  return jax.tree.unflatten(treedef, [draw(i, x) for i, x in enumerate(leaves)])


def mean_of_probes(
  hvp_fn: HvpFn,
  key: jax.Array,
  like: chex.ArrayTree,
  num_probes: chex.Numeric,
  axis_name: core.AxisName = None,
) -> tuple[chex.ArrayTree, jax.Array]:
  """Mean of z * (H z) over probes z, and how many went into it.

  A probe whose product is not finite somewhere is left out. `num_probes` may be
  traced.
  """

  def add(i, carry):
    total, accepted = carry
    z = _signs(jax.random.fold_in(key, i), like, axis_name)
    product = hvp_fn(z)
    trace = core.inner_product(z, product, axis_name=axis_name)
    # A sum of finite products may overflow: then they are of no use either.
    good = jnp.isfinite(trace)
    total = jax.tree.map(
      lambda t, x, y: t + jnp.where(good, core.widen(x) * core.widen(y), 0),
      total,
      z,
      product,
    )
    return total, accepted + good.astype(jnp.int32)

  start = core.zeros(like, None), jnp.zeros((), jnp.int32)
  total, accepted = jax.lax.fori_loop(0, num_probes, add, start)
  number = jnp.maximum(accepted, 1)
  return jax.tree.map(lambda t: t / number.astype(t.dtype), total), accepted


def hutchinson_diagonal(
  hvp_fn: HvpFn,
  key: chex.PRNGKey,
  params: chex.ArrayTree,
  num_probes: int,
  *,
  axis_name: core.AxisName = None,
) -> chex.ArrayTree:
  r"""Estimates the diagonal of a Hessian by Hutchinson's method.

  The mean over probes of :math:`z \odot H z`, where the entries of z are random
  signs: exact from one probe on where H is diagonal, otherwise of a variance
  that is the sum of squares of the rest of each row, over `num_probes`.

  Args:
    hvp_fn: From a tree like `params` to the Hessian times it; see
      `make_hvp_fn`.
    key: Random key. Probes are the same on every replica and do not depend on
      how `params` are sharded; shards of a `jax.shard_map` draw their own.
    params: Gives structure, shapes and dtypes of the probes.
    num_probes: Number of probes, at least 1, each the cost of one product. One
      whose product is not finite is left out of the mean.
    axis_name: Mesh axes over which parameters are sharded, in `jax.shard_map`.

  Returns:
    A tree like `params`, float32 or float64; zero if no probe was finite.

  Raises:
    ValueError: If `num_probes` is not a positive integer.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax_stepsize
    >>> curvature = jnp.array([0.1, 0.5, 1.0, 3.0])
    >>> loss = lambda p: 0.5 * jnp.sum(curvature * (p - 2.0) ** 2)
    >>> params = jnp.zeros(4)
    >>> hvp_fn = optax_stepsize.make_hvp_fn(loss, params)
    >>> diagonal = optax_stepsize.hutchinson_diagonal(
    ...     hvp_fn, jax.random.key(0), params, num_probes=1
    ... )
    >>> assert jnp.allclose(diagonal, curvature)
  """
  core.check_count("hutchinson_diagonal", "num_probes", num_probes, 1)
  return mean_of_probes(hvp_fn, key, params, num_probes, axis_name)[0]
