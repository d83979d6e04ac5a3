"""What cannot be proved is refused by name and place; poles, undefined parts, unbounded slopes are said in words."""

import inspect
import math
import time

import jax
import jax.numpy as jnp
import pytest

from actlab.proofs import Certificate, UndefinedError, UnsupportedPrimitiveError, prove


def here() -> int:
    """The caller's line."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def looping(x):
    return jax.lax.while_loop(lambda v: v < 1, lambda v: v + 1, x)


UNSUPPORTED = {
    "atan2": lambda x: jnp.arctan2(x, 1.0),
    "lgamma": lambda x: jax.lax.lgamma(x),
    "digamma": lambda x: jax.lax.digamma(x),
    "bessel_i1e": lambda x: jax.lax.bessel_i1e(x),
    "nextafter": lambda x: jax.lax.nextafter(x, x + 1),
    "while": looping,
    "scan": lambda x: jax.lax.scan(lambda c, _: (c * x, None), x, None, length=3)[0],
    "cond": lambda x: jax.lax.cond(x > 0, lambda v: v, lambda v: -v, x),
}
LINES = {name: inspect.getsourcelines(f)[1] + (name == "while") for name, f in UNSUPPORTED.items()}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported_primitives_are_named_with_file_and_line(name: str) -> None:
    from actlab.proofs.trace import traced

    with pytest.raises(UnsupportedPrimitiveError) as raised:
        traced(UNSUPPORTED[name])
    text = str(raised.value)
    assert repr(name) in text
    assert f"{__file__}:{LINES[name]}" in text


def test_whole_numbers_have_no_bits_in_the_reals() -> None:
    with pytest.raises(UnsupportedPrimitiveError, match=r"'xor'.*test_refusals"):
        prove(lambda x: (x.astype(jnp.int32) ^ 1).astype(x.dtype), tier="fast")


def test_not_elementwise_is_refused() -> None:
    from actlab.activations.lookup import NotElementwiseError

    with pytest.raises(NotElementwiseError):
        prove(lambda x: x - x.mean(), tier="fast")


UNDEFINED = {
    "log": (lambda x: jnp.log(x), "x < 0", "log outside"),
    "sqrt": (lambda x: jnp.sqrt(x - 1), "x < 1", "sqrt outside"),
    "sqrt of a square less one": (lambda x: jnp.sqrt(x * x - 1), r"x in \[-1, 1\]", "sqrt outside"),
    "log1p": (lambda x: jnp.log(1 + x), "x < -1", "log1p outside"),
    "arcsin": (lambda x: jnp.arcsin(x), "x < -1, x > 1", "asin outside"),
    "arctanh": (lambda x: jnp.arctanh(x), "x < -1, x > 1", "atanh outside"),
    "power": (lambda x: x**1.5, "x < 0", "pow outside"),
    "zero times a logarithm": (lambda x: 0.0 * jnp.log(x), "x < 0", "log outside"),
}


@pytest.mark.parametrize("name", UNDEFINED)
def test_parts_without_a_value_are_named_at_once(name: str) -> None:
    f, where, what = UNDEFINED[name]
    begin = time.process_time()
    with pytest.raises(UndefinedError, match=f"not defined for {where}: {what}") as raised:
        prove(f)
    assert time.process_time() - begin < 30  # it took minutes once: the border alone is looked for
    assert __file__ in str(raised.value)


def unbounded(f, **options) -> Certificate:
    return prove(f, tier="fast", **options)


def said(c: Certificate) -> str:
    return "; ".join(c.notes)


@pytest.mark.parametrize(
    ("f", "place"),
    [
        (lambda x: 1 / x, "0"),
        (lambda x: x / (x - 1), "1"),
        (lambda x: jnp.log(jnp.abs(x)), "0"),
        (lambda x: x / x, "0"),
    ],
)
def test_a_pole_is_said_and_nothing_is_claimed_across_it(f, place: str) -> None:
    c = unbounded(f)
    assert f"range unbounded near {place}" in said(c)
    assert "a pole at or near" in said(c)
    assert f"x = {place}" in said(c)
    assert math.isinf(c.claims.range.upper) or math.isinf(c.claims.range.lower)
    assert c.claims.continuous is None
    assert c.claims.kinks is None
    assert c.claims.monotone in ("unknown", "none")


def test_a_pole_inside_a_bounded_function_is_seen() -> None:
    c = unbounded(lambda x: jnp.sin(1 / x))
    assert (c.claims.range.lower, c.claims.range.upper) == (-1, 1)
    assert c.claims.continuous is None
    assert "slope unbounded near 0" in said(c)


@pytest.mark.parametrize("f", [jnp.cbrt, lambda x: jnp.sqrt(jnp.abs(x))])
def test_an_unbounded_slope_is_said(f) -> None:
    c = unbounded(f, domain=(-2.0, 2.0))
    assert "slope unbounded near 0" in said(c)
    assert c.claims.slope is not None
    assert math.isinf(c.claims.slope.upper)
    assert c.claims.continuous is True
    assert (c.claims.smoothness, c.claims.kinks) == (0, (0.0,))


def test_the_tangent_has_no_bounds() -> None:
    c = unbounded(jnp.tan)
    assert math.isinf(c.claims.range.upper)
    assert c.claims.monotone == "unknown"
    assert "range unbounded" in said(c)


@pytest.mark.parametrize("point", [0.0, 1.0])
def test_a_single_point_without_a_value_is_refused(point: float) -> None:
    with pytest.raises(UndefinedError, match=f"not defined at x = {point:g}"):
        prove(lambda x: jnp.where(x == point, jnp.log(-1 - x * x), x), domain=(-1.0, 1.0), tier="fast")


AT_AN_END = {
    "falls at the upper end": (lambda x: jnp.where(x >= 1, 0.0, x), "unknown", (1.0,)),
    "rises at the upper end": (lambda x: jnp.where(x >= 1, 5.0, x), "strictly increasing", (1.0,)),
    "falls by little": (lambda x: jnp.where(x >= 1, 1 - 2.0**-53, x), "unknown", (1.0,)),
    "falls at the lower end": (lambda x: jnp.where(x <= 0, 5.0, x), "unknown", (0.0,)),
    "rises at the lower end": (lambda x: jnp.where(x <= 0, -5.0, x), "strictly increasing", (0.0,)),
    "rises, out of order": (lambda x: jnp.where(x >= 1, 5.0, -x), "unknown", (1.0,)),
    "a plateau below its end": (jnp.floor, "nondecreasing", (1.0,)),
    "no jump": (lambda x: jnp.where(x >= 1, 1.0, x), "strictly increasing", ()),
}


@pytest.mark.parametrize("what", AT_AN_END)
def test_a_jump_at_the_end_of_the_domain_counts(what: str) -> None:
    f, order, jumps = AT_AN_END[what]
    for tier in ("fast", "proved"):
        claims = prove(f, domain=(0.0, 1.0), tier=tier).claims
        assert (claims.monotone, claims.kinks) == (order, jumps), tier
        assert (claims.continuous, claims.smoothness) == ((False, -1) if jumps else (True, math.inf))


def test_a_step_is_no_kink_and_a_removable_kink_is_none() -> None:
    assert unbounded(jnp.floor, domain=(-2.5, 2.5)).claims.continuous is False
    same = unbounded(lambda x: jnp.where(x > 0, x, x))
    assert (same.claims.kinks, same.claims.smoothness) == ((), math.inf)


@pytest.mark.parametrize(
    ("f", "smoothness"),
    [(lambda x: jax.nn.relu(x) ** 1.5, 1), (lambda x: jnp.abs(x) ** 2.5, 2), (lambda x: x * jnp.abs(x), 1)],
)
def test_powers_are_as_smooth_as_they_are_at_zero(f, smoothness: int) -> None:
    c = unbounded(f)
    assert (c.claims.smoothness, c.claims.kinks) == (smoothness, (0.0,))


def test_a_guarded_branch_is_what_it_computes() -> None:
    c = unbounded(lambda x: jnp.where(x > 1, jnp.log(jnp.where(x > 1, x, 1.0)), 0.0))
    assert c.claims.slope is not None
    assert (c.claims.slope.lower, c.claims.slope.upper) == (0, 1)
    assert c.claims.kinks == (1.0,)


def test_a_search_without_end_ends() -> None:
    c = unbounded(lambda x: jnp.abs(jnp.cos(x)))
    assert len(c.cover) < 9000
    assert c.claims.kinks is None
    assert c.claims.continuous is True
    assert (c.claims.range.lower, c.claims.range.upper) == (0, 1)
