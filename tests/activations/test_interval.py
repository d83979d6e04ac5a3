import math
from fractions import Fraction

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from actlab.activations import REALS, Interval

ends = st.floats(-1e300, 1e300, allow_nan=False)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    a, b = sorted((draw(ends), draw(ends)))
    return Interval(a, b)


@given(intervals(), intervals(), st.floats(0, 1), st.floats(0, 1))
def test_sums_and_products_contain_the_exact_ones(a: Interval, b: Interval, s: float, t: float) -> None:
    x = Fraction(a.lower) + Fraction(s) * (Fraction(a.upper) - Fraction(a.lower))
    y = Fraction(b.lower) + Fraction(t) * (Fraction(b.upper) - Fraction(b.lower))
    for result, value in ((a + b, x + y), (a - b, x - y), (a * b, x * y)):
        assert result.lower == -math.inf or Fraction(result.lower) <= value
        assert result.upper == math.inf or value <= Fraction(result.upper)


@given(intervals())
def test_exact_arithmetic_is_not_widened(a: Interval) -> None:
    assume(all(end == 0 or abs(end) > 1e-300 for end in (a.lower, a.upper)))
    chex.assert_trees_all_equal(a + 0.0, a)
    chex.assert_trees_all_equal(a * 1.0, a)
    chex.assert_trees_all_equal(a * 2.0, Interval(2 * a.lower, 2 * a.upper))
    chex.assert_trees_all_equal(a * -1.0, -a)
    chex.assert_trees_all_equal(a * 0.0, Interval(0.0, 0.0))


def test_inexact_arithmetic_is_rounded_outward() -> None:
    third = Interval(0.1, 0.1) * 0.3
    assert Fraction(third.lower) < Fraction(0.1) * Fraction(0.3) < Fraction(third.upper)
    total = Interval(0.1, 0.1) + 0.2
    assert Fraction(total.lower) < Fraction(0.1) + Fraction(0.2) < Fraction(total.upper)


@given(intervals(), intervals())
def test_overflow_and_underflow_are_rounded_outward(a: Interval, b: Interval) -> None:
    for result, exact in ((a * b, _products(a, b)), (a + b, [Fraction(a.lower) + Fraction(b.lower)])):
        assert result.lower < math.inf
        assert result.upper > -math.inf
        assert result.lower == -math.inf or Fraction(result.lower) <= min(exact)


def _products(a: Interval, b: Interval) -> list[Fraction]:
    return [Fraction(x) * Fraction(y) for x in (a.lower, a.upper) for y in (b.lower, b.upper)]


def test_infinite_ends() -> None:
    assert (REALS * 0.0).upper == 0.0
    assert (Interval(0.0, math.inf) * -3.0).lower == -math.inf
    assert (Interval(0.0, math.inf) + Interval(-math.inf, 1.0)).lower == -math.inf
    assert REALS.magnitude == math.inf


def test_lattice() -> None:
    a, b = Interval(0.0, 2.0), Interval(1.0, 3.0)
    chex.assert_trees_all_equal(a.hull(b), Interval(0.0, 3.0))
    chex.assert_trees_all_equal(a.intersect(b), Interval(1.0, 2.0))
    assert a.contains(2.0)
    assert not a.contains(b)
    assert a.contains(2.5, slack=0.5)
    np.testing.assert_array_equal(a.contains(np.array([-1.0, 1.0])), [False, True])


def test_is_a_pytree_whose_ends_batch() -> None:
    batched = jax.vmap(lambda b: Interval(0.0, 1.0) * b)(jnp.array([1.0, -2.0]))
    chex.assert_trees_all_close(batched, Interval(jnp.array([0.0, -2.0]), jnp.array([1.0, 0.0])), atol=1e-6)
    assert str(Interval(0.0, 1.0)) == "[0, 1]"
    assert str(batched).startswith("[[")


@pytest.mark.parametrize("value", [1.5, np.float64(1.5), np.asarray(1.5)])
def test_ends_stay_python_floats(value: float) -> None:
    assert type((Interval(0.0, 1.0) * value).upper) is float
