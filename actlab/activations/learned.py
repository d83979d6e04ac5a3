"""Activations whose shape is learned: a safe rational function, and a parabola joined to an exponential."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float

from actlab.activations.decorator import activation
from actlab.activations.domain import POSITIVE, VECTOR
from actlab.activations.exponentials import expm1
from actlab.activations.facts import SMOOTH, Facts, Monotone, certain
from actlab.activations.horner import polynomial
from actlab.activations.interval import Interval, namespace, plain

NUMERATOR = np.array([0.03356343598, 0.505, 1.65317606107, 2.00936702936, 0.93145240874, 0.15232573812])
DENOMINATOR = np.array([0.0, 3.97894462154, 0.0, 0.30163512031])
"""Least squares to `leaky_relu` on 6001 points of [-3, 3], largest error 0.0336. The odd coefficients of the
denominator are 0 at the optimum, so that 1 + |Q| is smooth; the tests fit them again."""


def _absolute(x: Array) -> Array:
    """|x|, whose slope at 0 is 1: that of the right side, and where a positive function touches 0 the true one."""
    return jnp.where(x < 0, -1, 1) * x


def _pau(x: Array, numerator: Array, denominator: Array) -> Array:
    degrees = numerator.shape[0] - 1, denominator.shape[0]
    outside = jnp.abs(x) > 1
    z, w = jnp.where(outside, 1, x), 1 / jnp.where(outside, x, 1)
    near = polynomial(numerator, z) / (1 + _absolute(z * polynomial(denominator, z)))
    # Far out both are divided by the highest power of x, which would overflow.
    top, bottom = polynomial(numerator[::-1], w), polynomial(denominator[::-1], w)
    ratio = top / (jnp.abs(w) ** degrees[1] + _absolute(bottom))
    sign = jnp.where(x < 0, (-1) ** degrees[1], 1)  # of x^q / |x|^q
    far = sign * ratio * jnp.where(outside, x, 1) ** (degrees[0] - degrees[1])
    return jnp.where(outside, far, near)


def _pau_slope(x: Array, numerator: Array, denominator: Array) -> Array:
    return jax.jvp(lambda x: _pau(x, numerator, denominator), (x,), (jnp.ones_like(x),))[1]


def _pau_curvature(x: Array, numerator: Array, denominator: Array) -> Array:
    return jax.jvp(lambda x: _pau_slope(x, numerator, denominator), (x,), (jnp.ones_like(x),))[1]


def _pau_facts(numerator: Any, denominator: Any) -> Facts:
    """Only what is certain: f is continuous, and smooth save where Q changes its sign."""
    del numerator
    if isinstance(denominator, Tracer) or np.ndim(denominator) != 1:
        return Facts(smoothness=0)
    kinks = _sign_changes(np.asarray(denominator, np.float64))
    return Facts(kinks=kinks, smoothness=0 if kinks else SMOOTH)


def _sign_changes(denominator: np.ndarray) -> tuple[float, ...]:
    """The real zeros of Q, nearly real ones included, save a zero of even order at 0."""
    present = np.flatnonzero(denominator)
    if not present.size:
        return ()
    roots = np.roots(denominator[present[0] :][::-1])  # of Q / x^(1 + present[0])
    near = roots.real[np.abs(roots.imag) <= 1e-6 * np.abs(roots)]
    return tuple(sorted({float(r) for r in near} | ({0.0} if present[0] % 2 == 0 else set())))


@activation(
    family="learned",
    slope=_pau_slope,
    curvature=_pau_curvature,
    domains={"numerator": VECTOR, "denominator": VECTOR},
    facts=_pau_facts,
    ideal=lambda x, numerator, denominator: (
        polynomial(jnp.asarray(numerator), x) / (1 + jnp.abs(x * polynomial(jnp.asarray(denominator), x)))
    ),
    source="Molina, Schramowski & Kersting 2020, arXiv:1907.06732, eq. 3",
)
def pau(
    x: Array,
    numerator: Float[ArrayLike, " m"] = NUMERATOR,
    denominator: Float[ArrayLike, " n"] = DENOMINATOR,
) -> Array:
    """Padé activation unit, the safe rational function P(x) / (1 + |Q(x)|).

    P(x) = sum of numerator[k] x^k from k = 0 and Q(x) = sum of denominator[k] x^(k+1), of any two degrees. The
    defaults, of degrees 5 and 4, are `leaky_relu` within 0.034 on [-3, 3]; beyond, the function tends to a line of
    slope 0.505 on both sides. Range, slope and curvature depend on all coefficients at once: unknown until proved.
    """
    return _pau(x, jnp.asarray(numerator), jnp.asarray(denominator))


def _left(x: Array) -> Array:
    return jnp.minimum(x, 0)


def _xielu_least(alpha_p: Any, alpha_n: Any, beta: Any) -> Any:
    """The infimum of xIELU: in the parabola for beta <= 0, in the exponential for beta up to alpha_n, none above."""
    xp = namespace(alpha_p, alpha_n, beta)
    inside = (beta > 0) & (beta < alpha_n)
    ratio = xp.where(inside, beta / alpha_n, 0.5)
    bend = -beta + (beta - alpha_n) * xp.log1p(-ratio) - 8 * xp.finfo(xp.asarray(ratio).dtype).eps * beta
    beyond = xp.where(xp.asarray(beta) == alpha_n, -xp.asarray(alpha_n), -math.inf)
    return plain(xp.where(xp.asarray(beta) <= 0, -(beta * beta) / (4 * alpha_p), xp.where(inside, bend, beyond)))


def _xielu_order(alpha_n: Any, beta: Any) -> Monotone:
    if certain(beta >= alpha_n):
        return "strictly increasing"
    return "none" if certain(beta < alpha_n) else "unknown"


def _xielu_facts(alpha_p: Any, alpha_n: Any, beta: Any) -> Facts:
    xp = namespace(alpha_p, alpha_n, beta)
    return Facts(
        range=Interval(_xielu_least(alpha_p, alpha_n, beta), math.inf).rounded(),
        slope=Interval(beta - alpha_n, math.inf).rounded(1),
        curvature=Interval(0.0, plain(xp.maximum(2 * alpha_p, alpha_n))),
        kinks=(0.0,),
        smoothness=2 if certain(2 * alpha_p == alpha_n) else 1,
        monotone=_xielu_order(alpha_n, beta),
    )


@activation(
    family="learned",
    slope=lambda x, alpha_p, alpha_n, beta: (
        2 * alpha_p * jnp.maximum(x, 0) + jnp.where(x > 0, 0, alpha_n * expm1(_left(x))) + beta
    ),
    curvature=lambda x, alpha_p, alpha_n, beta: jnp.where(x > 0, 2 * alpha_p, alpha_n * jnp.exp(_left(x))) + 0 * beta,
    domains={"alpha_p": POSITIVE, "alpha_n": POSITIVE},
    facts=_xielu_facts,
    source="Huang & Schlag 2024, arXiv:2411.13010, eq. 5",
)
def xielu(x: Array, alpha_p: Array | float = 0.8, alpha_n: Array | float = 0.8, beta: Array | float = 0.5) -> Array:
    """alpha_p x^2 + beta x for x > 0, alpha_n (exp(x) - 1 - x) + beta x elsewhere: the integral of an ELU-like slope.

    The slope, at least beta - alpha_n, is unbounded above: a Lipschitz bound exists on bounded inputs only. The paper
    keeps alpha_n above beta, where the function is not monotone; here every alpha_n > 0 is admissible.
    """
    right = jnp.maximum(x, 0)
    left = jnp.where(x > 0, 0, alpha_n * (expm1(_left(x)) - _left(x)))
    return alpha_p * right * right + left + beta * x
