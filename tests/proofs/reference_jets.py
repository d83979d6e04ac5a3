"""Reference jets (f, f', f'') of elementary operations, in numpy or mpmath: written apart from the prover."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
from mpmath import mpf
from scipy import special

HUGE = 10**7


class TooLarge(Exception):
    """An exponential that not even mpmath should try."""


def _bounded(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def g(u: Any) -> Any:
        if abs(u) > HUGE:
            raise TooLarge
        return f(u)

    return g


NUMPY = SimpleNamespace(
    pi=np.pi,
    erf=special.erf,
    erfc=special.erfc,
    erfinv=special.erfinv,
    asin=np.arcsin,
    acos=np.arccos,
    atan=np.arctan,
    asinh=np.arcsinh,
    acosh=np.arccosh,
    atanh=np.arctanh,
    number=lambda x: x,
    power=np.power,
    **{
        n: getattr(np, n)
        for n in "exp log sqrt sin cos tan tanh sinh cosh expm1 log1p cbrt floor ceil where abs".split()
    },
)
"""Functions of arrays."""
PRECISE = SimpleNamespace(
    pi=mpmath.pi,
    tanh=lambda u: mpmath.sign(u) if abs(u) > HUGE else mpmath.tanh(u),
    cbrt=lambda u: mpmath.sign(u) * mpmath.cbrt(abs(u)),
    log1p=mpmath.log1p,
    where=lambda c, a, b: a if c else b,
    abs=abs,
    number=mpf,
    power=lambda u, p: mpmath.power(u, mpf(p)),
    **{n: _bounded(getattr(mpmath, n)) for n in "exp sinh cosh expm1 erfc".split()},
    **{
        n: getattr(mpmath, n)
        for n in "log sqrt sin cos tan asin acos atan asinh acosh atanh erf erfinv floor ceil".split()
    },
)
"""Functions of one mpf."""
Three = tuple[Any, Any, Any]


@dataclass(frozen=True)
class Operation:
    """One function: as jax executes it, its value and two derivatives, and where it is defined."""

    jax: Callable[[Any], Any]
    jet: Callable[[Any, Any], Three]
    domain: tuple[float, float] = (-3e38, 3e38)
    share: float = 1.0
    """How often a random composition takes it."""


def _logistic(M: Any, u: Any) -> Three:
    # exp of -|u| does not overflow
    e = M.where(M.abs(u) > HUGE, M.number(0.0) * u, M.exp(-M.where(M.abs(u) > HUGE, M.number(0.0) * u, M.abs(u))))
    s, t = M.where(u > 0, 1 / (1 + e), e / (1 + e)), M.where(u > 0, e / (1 + e), 1 / (1 + e))
    return s, s * t, s * t * (t - s)


def _softplus(M: Any, u: Any) -> Three:
    s, first, _ = _logistic(M, u)
    e = M.where(M.abs(u) > HUGE, M.number(0.0) * u, M.exp(-M.where(M.abs(u) > HUGE, M.number(0.0) * u, M.abs(u))))
    return M.where(u > 0, u, M.number(0.0) * u) + M.log1p(e), s, first


def _silu(M: Any, u: Any) -> Three:
    s, s1, s2 = _logistic(M, u)
    return u * s, s + u * s1, 2 * s1 + u * s2


def _tanh(M: Any, u: Any) -> Three:
    _, s1, s2 = _logistic(M, 2 * u)
    return M.tanh(u), 4 * s1, 8 * s2


def _normal(M: Any, u: Any) -> tuple[Any, Any]:
    """exp(-u^2) and its derivative, 0 far out."""
    far = M.abs(u) > 2000
    v = M.where(far, M.number(0.0) * u, u)
    bell = M.where(far, M.number(0.0) * u, M.exp(-v * v))
    return bell, -2 * v * bell


def _erf(M: Any, u: Any) -> Three:
    bell, slope = _normal(M, u)
    scale = 2 / M.sqrt(M.pi)
    return M.erf(u), scale * bell, scale * slope


def _erfc(M: Any, u: Any) -> Three:
    _, first, second = _erf(M, u)
    return M.erfc(u), -first, -second


def _gelu(M: Any, u: Any) -> Three:
    root = M.number(float(np.sqrt(0.5)))  # jax's constant
    _, bell, slope = _erf(M, u * root)
    cdf, pdf, bend = M.erfc(-u * root) / 2, bell * root / 2, slope * root * root / 2
    return u * cdf, cdf + u * pdf, 2 * pdf + u * bend


def _power(p: float) -> Callable[[Any, Any], Three]:
    def jet(M: Any, u: Any) -> Three:
        q = M.number(p)
        return M.power(u, p), q * M.power(u, p - 1), q * (q - 1) * M.power(u, p - 2)

    return jet


def _step(f: str) -> Callable[[Any, Any], Three]:
    return lambda M, u: (getattr(M, f)(u), 0 * u, 0 * u)


def _exp2(M: Any, u: Any) -> Three:
    log = M.log(M.number(2.0))
    value = M.exp(u * log)
    return value, log * value, log * log * value


@jax.custom_jvp
def cubed(x: Any) -> Any:
    """A cube with its own rule."""
    return x * x * x


cubed.defjvp(lambda p, t: (p[0] ** 3, 3 * p[0] ** 2 * t[0]))


@jax.custom_vjp
def doubled(x: Any) -> Any:
    """Twice x, with its own rule."""
    return x + x


doubled.defvjp(lambda x: (x + x, None), lambda _, g: (2 * g,))


def _masked(x: Any) -> Any:
    inside = jnp.logical_and(x > -1, jnp.logical_not(x >= 2)) ^ (x == 5) & (x <= 7)
    return jnp.where(inside | (x < -4), x, 2 * x)


def _tent(M: Any, u: Any) -> Three:
    period = u - 2 * M.floor(u / 2)
    return period, 1 + 0 * u, 0 * u


def _remainder(M: Any, u: Any) -> Three:
    quotient = u / 2
    return u - 2 * M.where(u >= 0, M.floor(quotient), M.ceil(quotient)), 1 + 0 * u, 0 * u


OPERATIONS: dict[str, Operation] = {
    "exp": Operation(jnp.exp, lambda M, u: (M.exp(u),) * 3, (-700, 700)),
    "exp2": Operation(jnp.exp2, _exp2, (-1000, 1000)),
    "expm1": Operation(jnp.expm1, lambda M, u: (M.expm1(u), M.exp(u), M.exp(u)), (-700, 700)),
    "log": Operation(jnp.log, lambda M, u: (M.log(u), 1 / u, -1 / (u * u)), (1e-300, 3e38), 0.2),
    "log1p": Operation(
        jnp.log1p, lambda M, u: (M.log1p(u), 1 / (1 + u), -1 / ((1 + u) * (1 + u))), (-0.999, 3e38), 0.2
    ),
    "logistic": Operation(jax.nn.sigmoid, _logistic),
    "softplus": Operation(jax.nn.softplus, _softplus),
    "silu": Operation(jax.nn.silu, _silu),
    "tanh": Operation(jnp.tanh, _tanh, share=2),
    "gelu": Operation(lambda x: jax.nn.gelu(x, approximate=False), _gelu, (-1e4, 1e4)),
    "erf": Operation(jax.lax.erf, _erf),
    "erfc": Operation(jax.lax.erfc, _erfc, (-1000, 1000)),
    "erf_inv": Operation(
        lambda x: jax.lax.erf_inv(x),
        lambda M, u: (
            M.erfinv(u),
            M.sqrt(M.pi) / 2 * M.exp(M.erfinv(u) * M.erfinv(u)),
            M.pi / 2 * M.erfinv(u) * M.exp(2 * M.erfinv(u) * M.erfinv(u)),
        ),
        (-0.999, 0.999),
        0.1,
    ),
    "sin": Operation(jnp.sin, lambda M, u: (M.sin(u), M.cos(u), -M.sin(u)), share=2),
    "cos": Operation(jnp.cos, lambda M, u: (M.cos(u), -M.sin(u), -M.cos(u)), share=2),
    "tan": Operation(
        jnp.tan, lambda M, u: (M.tan(u), 1 + M.tan(u) ** 2, 2 * M.tan(u) * (1 + M.tan(u) ** 2)), (-1.5, 1.5), 0.1
    ),
    "sinh": Operation(jnp.sinh, lambda M, u: (M.sinh(u), M.cosh(u), M.sinh(u)), (-700, 700)),
    "cosh": Operation(jnp.cosh, lambda M, u: (M.cosh(u), M.sinh(u), M.cosh(u)), (-700, 700)),
    "asin": Operation(
        jnp.arcsin,
        lambda M, u: (M.asin(u), 1 / M.sqrt((1 - u) * (1 + u)), u / ((1 - u) * (1 + u)) / M.sqrt((1 - u) * (1 + u))),
        (-0.999, 0.999),
        0.1,
    ),
    "acos": Operation(
        jnp.arccos,
        lambda M, u: (M.acos(u), -1 / M.sqrt((1 - u) * (1 + u)), -u / ((1 - u) * (1 + u)) / M.sqrt((1 - u) * (1 + u))),
        (-0.999, 0.999),
        0.1,
    ),
    "atan": Operation(jnp.arctan, lambda M, u: (M.atan(u), 1 / (1 + u * u), -2 * u / (1 + u * u) ** 2)),
    "asinh": Operation(
        jnp.arcsinh, lambda M, u: (M.asinh(u), 1 / M.sqrt(1 + u * u), -u / (1 + u * u) / M.sqrt(1 + u * u))
    ),
    "acosh": Operation(
        jnp.arccosh,
        lambda M, u: (M.acosh(u), 1 / M.sqrt((u - 1) * (u + 1)), -u / ((u - 1) * (u + 1)) / M.sqrt((u - 1) * (u + 1))),
        (1.001, 3e38),
        0.1,
    ),
    "atanh": Operation(
        jnp.arctanh,
        lambda M, u: (M.atanh(u), 1 / ((1 - u) * (1 + u)), 2 * u / ((1 - u) * (1 + u)) ** 2),
        (-0.999, 0.999),
        0.1,
    ),
    "sqrt": Operation(
        jnp.sqrt, lambda M, u: (M.sqrt(u), 1 / (2 * M.sqrt(u)), -1 / (4 * u * M.sqrt(u))), (1e-300, 3e38), 0.3
    ),
    "rsqrt": Operation(
        jax.lax.rsqrt,
        lambda M, u: (1 / M.sqrt(u), -1 / (2 * u * M.sqrt(u)), 3 / (4 * u * u * M.sqrt(u))),
        (1e-100, 3e38),
        0.2,
    ),
    "cbrt": Operation(
        jnp.cbrt, lambda M, u: (M.cbrt(u), 1 / (3 * M.cbrt(u) ** 2), -2 / (9 * u * M.cbrt(u) ** 2)), (1e-100, 3e38), 0.5
    ),
    "reciprocal": Operation(lambda x: 1 / x, lambda M, u: (1 / u, -1 / (u * u), 2 / (u * u * u)), (1e-80, 3e38), 0.3),
    "square": Operation(jnp.square, lambda M, u: (u * u, 2 * u, 2 + 0 * u)),
    "cube": Operation(cubed, lambda M, u: (u * u * u, 3 * u * u, 6 * u), (-1e90, 1e90)),
    "doubled": Operation(doubled, lambda M, u: (2 * u, 2 + 0 * u, 0 * u)),
    "fifth power": Operation(lambda x: x**5, lambda M, u: (u**5, 5 * u**4, 20 * u**3), (-1e50, 1e50), 0.5),
    "inverse square": Operation(lambda x: x**-2, lambda M, u: (1 / u**2, -2 / u**3, 6 / u**4), (1e-60, 3e38), 0.2),
    "power 1.5": Operation(lambda x: jnp.power(x, 1.5), _power(1.5), (1e-100, 3e38), 0.3),
    "power -0.3": Operation(lambda x: jnp.power(x, -0.3), _power(-0.3), (1e-60, 3e38), 0.2),
    "relu": Operation(
        jax.nn.relu, lambda M, u: (M.where(u > 0, u, 0 * u), M.where(u > 0, 1 + 0 * u, 0 * u), 0 * u), share=2
    ),
    "abs": Operation(jnp.abs, lambda M, u: (M.abs(u), M.where(u > 0, 1 + 0 * u, -1 + 0 * u), 0 * u)),
    "sign": Operation(
        jnp.sign, lambda M, u: (M.where(u > 0, 1 + 0 * u, -1 + 0 * u), 0 * u, 0 * u), (1e-300, 3e38), 0.3
    ),
    "floor": Operation(jnp.floor, _step("floor"), (-1e6, 1e6), 0.2),
    "ceil": Operation(jnp.ceil, _step("ceil"), (-1e6, 1e6), 0.2),
    "round": Operation(jnp.round, lambda M, u: (M.floor(u + M.number(0.5)), 0 * u, 0 * u), (-1e6, 1e6), 0.1),
    "clip": Operation(
        lambda x: jax.jit(lambda v: jnp.clip(v, -1.0, 2.0))(x),
        lambda M, u: (
            M.where(u < -1, -1 + 0 * u, M.where(u > 2, 2 + 0 * u, u)),
            M.where((u >= -1) & (u <= 2), 1 + 0 * u, 0 * u),
            0 * u,
        ),
    ),
    "clamp": Operation(
        lambda x: jax.lax.clamp(-0.5, x, 0.25),
        lambda M, u: (
            M.where(u < -0.5, -0.5 + 0 * u, M.where(u > 0.25, 0.25 + 0 * u, u)),
            M.where((u >= -0.5) & (u <= 0.25), 1 + 0 * u, 0 * u),
            0 * u,
        ),
    ),
    "masked": Operation(
        _masked,
        lambda M, u: (
            M.where(((u > -1) & (u < 2)) | (u < -4), u, 2 * u),
            M.where(((u > -1) & (u < 2)) | (u < -4), 1 + 0 * u, 2 + 0 * u),
            0 * u,
        ),
        share=0.5,
    ),
    "mod": Operation(lambda x: jnp.mod(x, 2.0), _tent, (-1e6, 1e6), 0.1),
    "rem": Operation(lambda x: jax.lax.rem(x, jnp.asarray(2.0, x.dtype)), _remainder, (-1e6, 1e6), 0.1),
    "finite": Operation(lambda x: jnp.where(jnp.isfinite(x), -x, x), lambda M, u: (-u, -1 + 0 * u, 0 * u), share=0.3),
    "as number": Operation(
        lambda x: (x != 0).astype(x.dtype) * x, lambda M, u: (u, 1 + 0 * u, 0 * u), (1e-300, 3e38), share=0.2
    ),
}
"""Every primitive that elementwise code uses, alone or in a small function."""


def composed(g: Three, u: Three) -> Three:
    """The jet of g(u)."""
    return g[0], g[1] * u[1], g[2] * u[1] * u[1] + g[1] * u[2]
