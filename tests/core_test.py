# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of reductions, precision and checks of hyperparameters."""

import functools
import re

from absl.testing import absltest
from absl.testing import parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from optax_stepsize import core


class ReduceTest(parameterized.TestCase):
  def test_bfloat16_is_accumulated_in_float32(self):
    # In bfloat16 a sum of ones stops at 256.
    tree = [jnp.ones((40, 25), jnp.bfloat16), jnp.ones((), jnp.bfloat16)]
    for total in (
      core.squared_norm(tree),
      core.inner_product(tree, tree),
      core.global_sums(core.leaf_abs(tree), dtype=jnp.float32)[0],
    ):
      self.assertEqual(total.dtype, jnp.float32)
      self.assertEqual(total, 1001)

  def test_float16_is_widened_before_it_is_squared(self):
    self.assertEqual(core.squared_norm(jnp.full(2, 300, jnp.float16)), 180000)

  def test_float64_wins(self):
    with core.enable_x64(True):
      tree = {"a": jnp.full(3, 1e-9, jnp.float32), "b": jnp.ones(1)}
      total = core.squared_norm(tree)
      self.assertEqual(total.dtype, jnp.float64)
      self.assertAlmostEqual(float(total) - 1, 3e-18, delta=1e-15)
      product = core.inner_product({"a": tree["a"]}, {"a": jnp.ones(3)})
      self.assertEqual(product.dtype, jnp.float64)

  def test_bfloat16_times_float32_keeps_float32(self):
    with jax.numpy_dtype_promotion("strict"):
      product = core.inner_product(
        jnp.full(4, 2, jnp.bfloat16), jnp.full(4, 1 + 2**-20, jnp.float32)
      )
    self.assertEqual(product, 8 * (1 + 2**-20))

  @parameterized.parameters(
    ({},), ([],), (None,), (optax.MaskedNode(),), ({"a": None, "b": ()},)
  )
  def test_tree_without_leaves_sums_to_zero(self, tree):
    for total in (core.squared_norm(tree), core.inner_product(tree, tree)):
      self.assertEqual((total, total.dtype, total.shape), (0, jnp.float32, ()))

  def test_absent_leaves_do_not_count(self):
    tree = {"a": jnp.full(2, 3.0), "b": None, "c": optax.MaskedNode()}
    self.assertEqual(core.squared_norm(tree), 18)

  def test_leaf_without_entries_sums_to_zero(self):
    self.assertEqual(core.squared_norm([jnp.ones((0, 3)), jnp.ones(2)]), 2)

  def test_kept_axes_broadcast_over_the_leaf(self):
    tree = {"stack": jnp.arange(6.0).reshape(2, 3), "bias": jnp.ones(3)}

    def kept(path, leaf):
      self.assertIn(jax.tree_util.keystr(path), ("['stack']", "['bias']"))
      return (-leaf.ndim,) if leaf.ndim > 1 else ()

    squares = core.leaf_squares(tree, kept)
    chex.assert_trees_all_close(
      squares, {"stack": jnp.array([[5.0], [50.0]]), "bias": jnp.array(3.0)}
    )
    (kept_apart,) = core.per_leaf_sums(squares)
    chex.assert_trees_all_equal(kept_apart, squares)

  def test_several_sums_at_once(self):
    tree = {"a": jnp.array([1.0, -2.0]), "b": jnp.array(-3.0)}
    squares, magnitudes = core.global_sums(
      core.leaf_squares(tree), core.leaf_abs(tree), dtype=jnp.float32
    )
    self.assertEqual((squares, magnitudes), (14, 6))

  def test_reductions_neither_reshape_nor_contract(self):
    tree = {"w": jnp.ones((3, 4)), "b": jnp.ones((), jnp.bfloat16)}

    def everything(tree):
      return (
        core.squared_norm(tree),
        core.inner_product(tree, tree),
        core.leaf_abs(tree),
        core.leaf_squares(tree, lambda _, leaf: tuple(range(leaf.ndim))[:1]),
      )

    program = str(jax.make_jaxpr(everything)(tree))
    self.assertIn("reduce_sum", program)
    self.assertNotIn("dot_general", program)
    self.assertNotIn("reshape", program)

  @parameterized.parameters(0.0, 1e-37, -3e38, np.inf, -np.inf, np.nan)
  def test_a_sum_is_what_is_summed(self, number):
    (total,) = jax.jit(functools.partial(core.global_sums, dtype=jnp.float32))(
      {"w": jnp.float32(number)}
    )
    np.testing.assert_array_equal(total, jnp.float32(number))

  def test_leaves_do_not_add_over_all_leaves_each(self):
    # How many numbers the compiled update of a leaf reads.
    def operands(leaves):
      def clipped(tree):
        (square,) = core.global_sums(core.leaf_squares(tree), dtype=jnp.float32)
        return jax.tree.map(lambda x: jnp.where(square < 1, x, -x), tree)

      tree = [jnp.ones((64, 32))] * leaves
      text = jax.jit(clipped).lower(tree).compile().as_text()
      fusions = re.findall(r" = f32\[64,32\]\S* fusion\((.*?)\)", text)
      self.assertGreaterEqual(len(fusions), leaves)
      return max(fusion.count("%") for fusion in fusions)

    self.assertEqual(operands(20), operands(2))


class PrecisionTest(parameterized.TestCase):
  def test_safe_divide(self):
    numerator = jnp.array([0.0, 1.0, -jnp.inf, 6.0])
    denominator = jnp.array([0.0, 0.0, 0.0, 2.0])
    np.testing.assert_array_equal(
      core.safe_divide(numerator, denominator), [0, 0, 0, 3]
    )
    np.testing.assert_array_equal(
      core.safe_divide(numerator, denominator, 7.0), [7, 7, 7, 3]
    )

  def test_safe_divide_has_finite_derivatives_where_it_does_not_divide(self):
    for point in ((0.0, 0.0), (1.0, 0.0)):
      slopes = jax.grad(core.safe_divide, argnums=(0, 1))(*point)
      np.testing.assert_array_equal(slopes, (0, 0))
    np.testing.assert_allclose(
      jax.grad(core.safe_divide, argnums=(0, 1))(6.0, 2.0), (0.5, -1.5)
    )

  def test_safe_divide_keeps_the_dtype(self):
    for dtype in (jnp.bfloat16, jnp.float16, jnp.float32):
      quotient = core.safe_divide(jnp.ones(2, dtype), jnp.zeros(2, dtype), 2)
      self.assertEqual(quotient.dtype, dtype)

  def test_select_keeps_out_the_branch_not_taken(self):
    good = {
      "x": jnp.ones(2),
      "key": jnp.array([1, 2], jnp.uint32),
      "n": jnp.array(3),
      "none": None,
    }
    bad = {
      "x": jnp.array([jnp.nan, jnp.inf]),
      "key": jnp.array([8, 9], jnp.uint32),
      "n": jnp.array(-1),
      "none": None,
    }
    chosen = core.select(jnp.asarray(True), good, bad)
    chex.assert_trees_all_equal(chosen, good)
    chosen = core.select(jnp.asarray(False), bad, good)
    chex.assert_trees_all_equal(chosen, good)
    chex.assert_trees_all_equal_dtypes(chosen, good)

  @parameterized.parameters(None, jnp.float32)
  def test_copies_share_no_buffer(self, dtype):
    tree = {"a": jnp.ones(3), "b": jnp.zeros(())}
    copied = core.copies(tree, dtype)
    chex.assert_trees_all_equal(copied, tree)
    for old, new in zip(
      jax.tree.leaves(tree), jax.tree.leaves(copied), strict=True
    ):
      self.assertNotEqual(
        old.unsafe_buffer_pointer(), new.unsafe_buffer_pointer()
      )

  @parameterized.parameters(
    (jnp.bfloat16, True), (jnp.float16, True), (jnp.float32, False)
  )
  def test_narrow_leaves_are_stored_and_accumulated_wide(self, dtype, narrow):
    leaf = jnp.ones(2, dtype)
    self.assertEqual(core.is_narrow(leaf), narrow)
    self.assertEqual(core.widen(leaf).dtype, jnp.float32)
    self.assertEqual(core.zeros([leaf], None)[0].dtype, jnp.float32)
    self.assertEqual(core.zeros([leaf], dtype)[0].dtype, dtype)
    self.assertEqual(core.copies([leaf], None)[0].dtype, dtype)
    self.assertEqual(core.accumulator_dtype([leaf]), jnp.float32)
    self.assertEqual(core.cast_like([jnp.ones(2)], [leaf])[0].dtype, dtype)

  def test_float64_is_not_narrowed(self):
    with core.enable_x64(True):
      leaf = jnp.full(2, 1 + 1e-12)
      np.testing.assert_array_equal(core.widen(leaf), leaf)
      self.assertEqual(core.zeros(leaf, None).dtype, jnp.float64)
      mixed = [jnp.ones(1, jnp.bfloat16), leaf]
      self.assertEqual(core.accumulator_dtype(mixed), jnp.float64)

  def test_absent_stands_for_no_leaf(self):
    self.assertTrue(core.is_absent(core.absent()))
    self.assertFalse(core.is_absent(jnp.zeros(())))


class HyperparametersTest(parameterized.TestCase):
  @parameterized.parameters(
    (-0.1, "[0, 1)", "dog: b must be in [0, 1), got -0.1."),
    (1, "[0, 1)", "dog: b must be in [0, 1), got 1."),
    (0.0, "(0, inf)", "dog: b must be in (0, inf), got 0.0."),
    (float("inf"), "(0, inf)", "dog: b must be in (0, inf), got inf."),
    (float("nan"), "[0, 1]", "dog: b must be in [0, 1], got nan."),
    ("x", "[0, 1]", "dog: b must be a number in [0, 1], got 'x'."),
    (None, "[0, 1]", "dog: b must be a number in [0, 1], got None."),
    (abs, "[0, 1]", f"dog: b must be a number in [0, 1], got {abs}."),
    (
      None,
      "[0, 1] or a schedule",
      "dog: b must be a number in [0, 1] or a schedule, got None.",
    ),
    (
      2,
      "[0, 1] or a schedule or None",
      "dog: b must be in [0, 1], got 2.",
    ),
    (np.float32(2), "[0, 1]", "dog: b must be in [0, 1], got 2.0."),
    (
      np.array([0.5, 2.0]),
      "[0, 1]",
      "dog: b must be in [0, 1], got [0.5 2. ].",
    ),
  )
  def test_check_range_says_what_is_wrong(self, value, allowed, text):
    with self.assertRaises(ValueError) as error:
      core.check_range("dog", "b", value, allowed)
    self.assertEqual(str(error.exception), text)

  def test_check_range_takes_no_text(self):
    with self.assertRaisesRegex(ValueError, "x must be a number .* got '1'"):
      core.check_range("m", "x", "1", "(0, inf)")

  def test_check_range_looks_at_jax_arrays(self):
    with self.assertRaisesRegex(ValueError, r"b must be in \[0, 1\], got 2.0"):
      core.check_range("dog", "b", jnp.asarray(2.0), "[0, 1]")

  @parameterized.parameters(
    (0.0, "[0, 1)"),
    (1.0, "(0, 1]"),
    (float("inf"), "[1, inf]"),
    (-3, "(-inf, inf)"),
    (None, "[0, 1] or None"),
    (None, "[0, 1] or a schedule or None"),
    (lambda count: -1.0, "[0, 1] or a schedule"),
    (np.array([0.5, 0.6]), "[0, 1]"),
  )
  def test_check_range_lets_pass(self, value, allowed):
    core.check_range("dog", "b", value, allowed)

  def test_check_range_does_not_branch_on_tracers(self):
    def f(x):
      core.check_range("dog", "b", x, "[0, 1]")
      return x

    self.assertEqual(jax.jit(f)(5.0), 5)

  @parameterized.parameters(
    (0, "dog: n must be an integer >= 1, got 0."),
    (True, "dog: n must be an integer >= 1, got True."),
    (2.0, "dog: n must be an integer >= 1, got 2.0."),
    ("2", "dog: n must be an integer >= 1, got '2'."),
    (None, "dog: n must be an integer >= 1, got None."),
  )
  def test_check_count_says_what_is_wrong(self, value, text):
    with self.assertRaises(ValueError) as error:
      core.check_count("dog", "n", value, 1)
    self.assertEqual(str(error.exception), text)

  def test_check_count_says_that_counts_are_static(self):
    with self.assertRaises(ValueError) as error:
      core.check_count("dog", "n", jnp.asarray(2), 1)
    self.assertEqual(
      str(error.exception),
      "dog: n sets the structure of the program and must be a Python integer,"
      " got 2. With optax.inject_hyperparams, list it in static_args.",
    )

  def test_check_count_lets_integers_pass(self):
    for value in (1, 7, np.int32(2)):
      core.check_count("dog", "n", value, 1)

  def test_check_choice(self):
    core.check_choice("uba", "grid", "b", ("a", "b"))
    with self.assertRaises(ValueError) as error:
      core.check_choice("uba", "grid", "c", ("a", "b"))
    self.assertEqual(
      str(error.exception), "uba: grid must be one of 'a', 'b', got 'c'."
    )

  @parameterized.parameters(2, 2.0, np.float16(2), np.float64(2), True)
  def test_scalars_are_never_weakly_typed(self, value):
    scalar = core.as_scalar(value, jnp.float32)
    self.assertEqual(
      (scalar.dtype, scalar.shape, scalar.weak_type), (jnp.float32, (), False)
    )

  def test_a_schedule_is_called_once_with_the_count(self):
    calls = []

    def schedule(count):
      calls.append(count)
      return 0.5

    count = jnp.asarray(4, jnp.int32)
    rate = core.rate_at(schedule, count, jnp.float32)
    self.assertLen(calls, 1)
    self.assertIs(calls[0], count)
    self.assertEqual(
      (rate, rate.dtype, rate.weak_type), (0.5, "float32", False)
    )


if __name__ == "__main__":
  absltest.main()
