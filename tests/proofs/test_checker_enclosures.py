"""The checker's own enclosures against mpmath at 120 digits: derivatives of every function, algebraic forms."""

import random
from fractions import Fraction

import mpmath
import pytest
from mpmath import mpf

from actlab.proofs.checker import functions, ranges
from actlab.proofs.checker import intervals as iv
from actlab.proofs.checker.algebra import Algebraic
from actlab.proofs.checker.evaluation import evaluate
from actlab.proofs.checker.program import read

REFERENCES = {
    "exp": (mpmath.exp, -6, 6),
    "exp2": (lambda x: mpf(2) ** x, -6, 6),
    "expm1": (mpmath.expm1, -6, 6),
    "log": (mpmath.log, 0.01, 9),
    "log1p": (mpmath.log1p, -0.9, 9),
    "logistic": (lambda x: 1 / (1 + mpmath.exp(-x)), -6, 6),
    "softplus": (lambda x: mpmath.log(1 + mpmath.exp(x)), -6, 6),
    "tanh": (mpmath.tanh, -6, 6),
    "erf": (mpmath.erf, -6, 6),
    "erfc": (mpmath.erfc, -6, 6),
    "sqrt": (mpmath.sqrt, 0.01, 9),
    "rsqrt": (lambda x: 1 / mpmath.sqrt(x), 0.01, 9),
    "cbrt": (mpmath.cbrt, 0.01, 9),
    "sinh": (mpmath.sinh, -6, 6),
    "cosh": (mpmath.cosh, -6, 6),
    "sin": (mpmath.sin, -6, 6),
    "cos": (mpmath.cos, -6, 6),
    "tan": (mpmath.tan, -1.5, 1.5),
    "asin": (mpmath.asin, -0.95, 0.95),
    "acos": (mpmath.acos, -0.95, 0.95),
    "atan": (mpmath.atan, -6, 6),
    "asinh": (mpmath.asinh, -6, 6),
    "acosh": (mpmath.acosh, 1.1, 9),
    "atanh": (mpmath.atanh, -0.95, 0.95),
}


def derivative(f, x: float, order: int):
    return mpmath.diff(f, x, order, h=mpf(2) ** -90) if order else f(mpf(x))


def test_every_function_has_a_reference() -> None:
    assert set(REFERENCES) == {*functions.AT, "sin", "cos"} - {"erf_inv"}


@pytest.mark.parametrize("name", REFERENCES)
def test_derivatives_on_boxes_contain_values_and_are_tight(name: str) -> None:
    reference, low, high = REFERENCES[name]
    generator = random.Random(name)
    with mpmath.workdps(120):
        for _ in range(4):
            a, b = sorted(generator.uniform(low, high) for _ in range(2))
            found = ranges.enclose(name, (iv.number(a), iv.number(b)))
            points = [a, *(a + (b - a) * k / 9 for k in range(1, 9)), b]
            for order in range(4):
                ends = [mpmath.make_mpf(e) for e in found[order]]
                values = [
                    mpmath.diff(reference, p, order, h=mpf(2) ** -90) if order else reference(mpf(p)) for p in points
                ]
                slack = mpf(2) ** -60 * (1 + max(map(abs, values)))
                assert ends[0] - slack <= min(values), (name, order, a, b)
                assert max(values) <= ends[1] + slack, (name, order, a, b)
                thin = ranges.enclose(name, (iv.number(a), iv.number(a)))[order]
                width = mpmath.make_mpf(thin[1]) - mpmath.make_mpf(thin[0])
                assert width <= mpf(2) ** -220 * (1 + max(map(abs, values)))


@pytest.mark.parametrize("x", [5e-324, 1e-40, 1e-9, 0.3, 1.0, 6.5, 13.9, 14.1, 40.0, 1e5])
@pytest.mark.parametrize("sign", [1, -1])
def test_thin_values_hold_the_truth_to_seventy_digits(x: float, sign: int) -> None:
    with mpmath.workdps(9000 if x == 40.0 else 400):
        for name, reference in (("erf", mpmath.erf), ("expm1", mpmath.expm1), ("tanh", mpmath.tanh)):
            low, high = (mpmath.make_mpf(e) for e in ranges.enclose(name, (iv.number(sign * x),) * 2)[0])
            true = reference(mpf(sign * x))
            assert low <= true <= high, name
            assert high - low <= abs(true) * mpf(10) ** -70


def test_inverse_error_function() -> None:
    with mpmath.workdps(60):
        for y in (-0.99, -0.3, 1e-12, 0.5, 0.999999):
            low, high = (mpmath.make_mpf(e) for e in ranges.enclose("erf_inv", (iv.number(y),) * 2)[0])
            assert mpmath.erf(low) <= y <= mpmath.erf(high)
            assert high - low < 1e-50


def program(*equations) -> tuple:
    listed = [{"name": f"v{k}", "op": op, "args": list(args), "params": {}} for k, (op, *args) in enumerate(equations)]
    return read({"input": "x", "equations": listed, "output": f"v{len(listed) - 1}"})


def test_an_algebraic_tail_keeps_its_sign_to_the_end_of_float32() -> None:
    one = (1.0).hex()
    squareplus = program(("mul", "x", "x"), ("add", "v0", one), ("sqrt", "v1"), ("add", "x", "v2"))
    wide = evaluate(squareplus, (iv.number(-3e38), iv.number(-1.5e38))).result.wide
    slope = [mpmath.make_mpf(e) for e in wide[1]]
    assert 0 < slope[0] < slope[1] < 1e-75


def test_a_comparison_is_decided_beside_its_threshold_and_open_across() -> None:
    zero = (0.0).hex()
    step = program(("gt", "x", zero), ("number", "v0"))
    assert evaluate(step, (iv.number(0.0), iv.number(1.0))).result.wide[0] == iv.ONE
    assert evaluate(step, (iv.number(-1.0), iv.number(0.0))).result.wide[0] == iv.ZERO
    assert evaluate(step, (iv.number(-1.0), iv.number(1.0))).undecided
    assert evaluate(step, (iv.number(0.0), iv.number(0.0))).result.wide[0] == iv.ZERO


def test_what_is_undefined_is_not_enclosed() -> None:
    assert evaluate(program(("log", "x")), (iv.number(-1.0), iv.number(1.0))).result is None
    assert evaluate(program(("div", (1.0).hex(), "x")), (iv.number(-1.0), iv.number(1.0))).result is None


def test_rational_extrema_are_exact() -> None:
    # x/(1 + x^2) has its extrema at -1 and 1: a claim of exactly 1/2 can be verified.
    rational = Algebraic((Fraction(0), Fraction(1)), d=(Fraction(1), Fraction(0), Fraction(1)))
    assert set(rational.extrema[0]) == {(iv.number(-1.0),) * 2, (iv.number(1.0),) * 2}
    found = ranges.enclose_algebraic(rational, (iv.number(-3.0), iv.number(5.0)))
    assert found is not None
    assert found[0] == (iv.number(-0.5), iv.number(0.5))
    irrational = Algebraic((Fraction(0), Fraction(1)), d=(Fraction(2), Fraction(0), Fraction(1)))
    assert all(low != high for low, high in irrational.extrema[0])


def test_the_tangents_slope_is_least_at_every_multiple_of_pi() -> None:
    _, slope, _, third = ranges.enclose("tan", (iv.number(3.0), iv.number(3.3)))
    for found, true in ((slope, 1), (third, 2)):
        low, high = (mpmath.make_mpf(e) for e in found)
        assert 0.999 * true < low <= true < high


def test_the_cube_root_has_no_slope_at_zero() -> None:
    for box in ((-1.0, 1.0), (-1e-3, 2.0)):
        _, slope, curvature, _ = ranges.enclose("cbrt", tuple(map(iv.number, box)))
        assert slope[1] == iv.finf
        assert curvature == iv.WHOLE


@pytest.mark.parametrize("name", ["sqrt", "rsqrt", "asin", "acos", "atanh", "erf_inv"])
def test_a_function_of_a_half_line_or_less_is_not_enclosed_beyond_it(name: str) -> None:
    assert ranges.enclose(name, (iv.fninf, iv.number(-2.0))) is None


def test_a_plateau_of_the_floor_ends_at_the_next_whole_number_however_large() -> None:
    low = 2**53 + 2  # low + 1 is no float, and a box from low to low + 2 has a jump inside
    wide = evaluate(program(("floor", "x")), (iv.number(low), iv.number(low + 2))).result.wide[0]
    assert not iv.lt(wide[1], iv.number(low + 1))
