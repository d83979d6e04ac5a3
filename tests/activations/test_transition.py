"""Ends and levels of activations on their way up, against closed forms; of those that jump, stay, or never arrive."""

import math

import jax
import numpy as np
import pytest

import actlab.activations as al
from actlab.activations.transition import ends, reached

STAIRS = al.activation(facts=al.Facts(range=al.Interval(0.0, 2.0), monotone="nondecreasing"))(
    lambda x: (x >= 1).astype(x.dtype) + (x > 3)
)


@pytest.mark.parametrize(
    ("f", "expected"), [(al.sigmoid, (0, 1)), (al.arctan, (-math.pi / 2, math.pi / 2)), (STAIRS, (0, 2))]
)
def test_ends_are_those_of_the_range_where_they_are_approached(f, expected):
    for dtype in (np.float32, np.float64):
        np.testing.assert_allclose(ends(f, "a gate opens", dtype), expected, rtol=1e-15)


def test_a_value_far_out_stands_for_an_end_that_is_not_approached():
    f = al.activation(facts=al.Facts(range=al.Interval(-1.0, 2.0), monotone="nondecreasing"))(jax.nn.sigmoid)
    assert ends(f, "a gate opens") == (0, 1)


@pytest.mark.parametrize("level", [0.5, 0.9, 1e-3])
@pytest.mark.parametrize(("dtype", "error"), [(np.float32, 2e-7), (np.float64, 4e-16)])
def test_a_level_is_reached_where_the_inverse_says(level, dtype, error):
    """Off by what rounding of the value leaves open: its error over the slope."""
    where = math.log(level / (1 - level))
    slope = level * (1 - level)
    assert abs(reached(al.sigmoid, level, dtype=dtype) - where) <= error * (level / slope + abs(where))


def test_what_jumps_and_stays_is_found_on_both_sides():
    assert reached(STAIRS, 1.0) == pytest.approx(1, rel=1e-6)
    assert reached(STAIRS, 1.0, passed=True) == pytest.approx(3, rel=1e-6)
    assert reached(STAIRS, 0.5) == pytest.approx(1, rel=1e-6)


def test_a_constant_has_no_way_up():
    flat = al.activation(facts=al.Facts(range=al.Interval(0.0, 1.0), monotone="nondecreasing"))(lambda x: 0 * x)
    with pytest.raises(al.FactError, match="opens.*constant"):
        ends(flat, "a gate opens")
