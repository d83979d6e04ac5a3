import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actlab.report.numbers import MINUS, bound, decimals_for, format_for, number

SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def read(text: str) -> Fraction:
    """The number that a text shows, exactly."""
    digits, _, exponent = text.replace(MINUS, "-").partition("×10")
    return Fraction(digits) * Fraction(10) ** int(exponent.translate(SUPERSCRIPTS) or 0)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.5, "−0.5"), (math.inf, "∞"), (-math.inf, "−∞"), (math.nan, "NaN")]
    + [(1.5e8, "1.50×10⁸"), (-2e-7, "−2.00×10⁻⁷")],
)
def test_numbers_read_well(value: float, text: str) -> None:
    assert number(value) == text


def test_numbers_with_decimals_and_signs() -> None:
    assert number(0.0301, 2, signed=True) == "+0.03"
    assert number(-0.001, 2) == "0.00"
    assert number(12345.678) == "12346"
    assert decimals_for(0.42, 0.44) == 3
    assert decimals_for(1.0, 1.0) is None


@pytest.mark.parametrize(
    ("value", "lower", "nearest", "upper"),
    [
        (-0.09983938, "−0.0998394", "−0.0998394", "−0.0998393"),
        (1.09983934, "1.09983", "1.09984", "1.09984"),
        (0.1, "0.1", "0.1", "0.1"),
        (-1.0, "−1", "−1", "−1"),
        (123456.7, "123456", "123457", "123457"),
        (999999.96, "999999", "1000000", "1000000"),
        (-1.2345e-7, "−1.24×10⁻⁷", "−1.23×10⁻⁷", "−1.23×10⁻⁷"),
        (300000.0, "300000", "300000", "300000"),
    ],
)
def test_bounds_are_rounded_outward(value: float, lower: str, nearest: str, upper: str) -> None:
    assert (bound(value, "lower"), bound(value), bound(value, "upper")) == (lower, nearest, upper)


def test_infinite_bounds_are_named() -> None:
    assert (bound("inf", "upper"), bound("-inf", "lower"), bound(0.0, "upper")) == ("∞", "−∞", "0")


@given(st.floats(-1e30, 1e30, allow_subnormal=False))
def test_what_is_shown_is_a_bound_too(value: float) -> None:
    exact = Fraction(repr(value))
    assert read(bound(value, "lower")) <= exact <= read(bound(value, "upper"))
    assert abs(read(bound(value)) - exact) <= abs(exact) / 100


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.integers(0, 6), st.sampled_from([0.0, 0.95]))
def test_no_end_is_shown_as_the_landmark_that_it_is_not(a: float, b: float, decimals: int, landmark: float) -> None:
    low, high = sorted((a, b))
    style = format_for(low, high, decimals=decimals)
    for end in (low, high):
        assert (read(style.text(end)) == 0) == (end == 0)
    style = format_for(round(low, 4), round(high, 4), decimals=decimals, landmark=landmark)
    if max(abs(low), abs(high)) < 1e3:
        for end in (round(low, 4), round(high, 4)):
            assert style.tells(end, landmark)
