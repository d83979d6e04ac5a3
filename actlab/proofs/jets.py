"""Interval jets (f, f', f'', f'''): the rules of Leibniz and Faa di Bruno, written once for every arithmetic."""

from __future__ import annotations

from typing import Any, no_type_check

Jet = tuple[Any, Any, Any, Any]


@no_type_check
def constant(A: Any, value: Any) -> Jet:
    """A constant interval, with derivatives 0."""
    zero = A.constant(0.0, A.shape(value))
    return value, zero, zero, zero


@no_type_check
def neg(A: Any, u: Jet) -> Jet:
    """-u."""
    return tuple(A.neg(c) for c in u)  # pyright: ignore


@no_type_check
def add(A: Any, u: Jet, v: Jet) -> Jet:
    """The sum u + v."""
    return tuple(A.add(a, b) for a, b in zip(u, v, strict=True))  # pyright: ignore


@no_type_check
def sub(A: Any, u: Jet, v: Jet) -> Jet:
    """The difference u - v."""
    return tuple(A.sub(a, b) for a, b in zip(u, v, strict=True))  # pyright: ignore


@no_type_check
def scaled(A: Any, u: Jet, factor: Any) -> Jet:
    """A constant interval times u."""
    return tuple(A.mul(factor, c) for c in u)  # pyright: ignore


@no_type_check
def mul(A: Any, u: Jet, v: Jet) -> Jet:
    """The product u v."""
    m = A.mul
    first = A.add(m(u[1], v[0]), m(u[0], v[1]))
    second = A.add(A.add(m(u[2], v[0]), A.scaled(m(u[1], v[1]), 2.0)), m(u[0], v[2]))
    middle = A.scaled(A.add(m(u[2], v[1]), m(u[1], v[2])), 3.0)
    third = A.add(A.add(m(u[3], v[0]), m(u[0], v[3])), middle)
    return m(u[0], v[0]), first, second, third


@no_type_check
def compose(A: Any, g: tuple[Any, Any, Any, Any], u: Jet) -> Jet:
    """g(u), from enclosures of g, g', g'', g''' over the values of u."""
    m, square = A.mul, A.square(u[1])
    second = A.add(m(g[2], square), m(g[1], u[2]))
    middle = A.scaled(m(g[2], m(u[1], u[2])), 3.0)
    third = A.add(A.add(m(g[3], m(square, u[1])), middle), m(g[1], u[3]))
    return g[0], m(g[1], u[1]), second, third


@no_type_check
def where(A: Any, mask: Any, u: Jet, v: Jet) -> Jet:
    """Where the mask is true u, elsewhere v."""
    return tuple(A.where(mask, a, b) for a, b in zip(u, v, strict=True))  # pyright: ignore


@no_type_check
def hull(A: Any, u: Jet, v: Jet) -> Jet:
    """The least jet that holds both."""
    return tuple(A.hull(a, b) for a, b in zip(u, v, strict=True))  # pyright: ignore


@no_type_check
def contracted(A: Any, wide: Jet, at: tuple[Jet, Jet, Jet], offset: Any) -> Jet:
    """A jet over boxes cut to its Taylor forms about the midpoint, and closed by monotonicity.

    Args:
        A: the arithmetic.
        wide: enclosures over the boxes.
        at: enclosures at the midpoint, the left and the right end of each box.
        offset: the boxes less their midpoints.
    """
    mid, left, right = at
    half_square = A.scaled(A.square(offset), 0.5)
    cut = list(wide)
    for k in (2, 1, 0):
        cut[k] = A.meet(cut[k], A.add(mid[k], A.mul(cut[k + 1], offset)))
        if k < 2:
            taylor = A.add(A.add(mid[k], A.mul(mid[k + 1], offset)), A.mul(cut[k + 2], half_square))
            cut[k] = A.meet(cut[k], taylor)
        one_sign = A.ge(cut[k + 1], 0.0) | A.le(cut[k + 1], 0.0)
        if one_sign.any():
            cut[k] = A.where(one_sign, A.meet(cut[k], A.hull(left[k], right[k])), cut[k])
    return tuple(cut)  # pyright: ignore
