import math

import pytest

from actlab.activations import SMOOTH, UNKNOWN, Facts, Interval
from actlab.cli.where import WhereError, condition

TANH = Facts(
    range=Interval(-1.0, 1.0),
    slope=Interval(0.0, 1.0),
    curvature=Interval(-0.77, 0.77),
    kinks=(),
    smoothness=SMOOTH,
    monotone="strictly increasing",
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("slope.lower >= 0", True),
        ("slope.lower>0", False),
        ("slope.upper <= 1 and range.upper <= 1", True),
        ("smoothness >= 3", True),
        ("smoothness == inf", True),
        ("range.upper < inf and curvature.lower > -1e0", True),
        ("monotone == strictly increasing", True),
        ("monotone != 'strictly increasing'", False),
        ("standing == declared", True),
    ],
)
def test_decides(text: str, expected: bool) -> None:
    assert condition(text)(TANH) is expected


def test_an_unknown_fact_meets_no_condition() -> None:
    assert not condition("slope.lower > -inf")(UNKNOWN)
    assert not condition("smoothness >= -1")(UNKNOWN)
    assert not condition("monotone != strictly increasing")(UNKNOWN)


def test_what_is_unknown_can_be_asked_for() -> None:
    assert condition("monotone == unknown and standing != proved")(UNKNOWN)
    assert not condition("monotone == unknown")(TANH)
    assert condition("monotone != unknown")(TANH)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot read"),
        ("slope > 0", "compares no fact"),
        ("slop.lower > 0", "compares no fact"),
        ("slope.lower > zero", "'zero' .* is not a number"),
        ("slope.lower > nan", "nothing compares with nan"),
        ("monotone > 1", "compares no fact"),
        ("slope.lower > 0 or range.upper < 1", "is not a number"),
        ("__import__('os').system('true')", "cannot read"),
    ],
)
def test_refuses_what_it_cannot_read(text: str, message: str) -> None:
    with pytest.raises(WhereError, match=message):
        condition(text)


def test_bounds_may_be_infinite() -> None:
    assert condition("range.upper == inf")(TANH.replace(range=Interval(0.0, math.inf)))
