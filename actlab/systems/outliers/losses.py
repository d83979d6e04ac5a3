"""Losses: rho and its derivative psi; the range of psi, a fact, is the bound on what one label can do."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.activations import POSITIVE, SMOOTH, Elementary, Facts, Interval


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Loss:
    """The loss rho of a standardized residual r = (y - prediction) / scale, by its derivative psi = rho'.

    A pytree whose leaves are the tuning constants. rho(0) = 0 and psi'(0) > 0.

    Attributes:
        psi: the influence of a residual, an activation: its range is the bound sup |psi| (or none, for squared loss).
        integral: the activation rho at default constants; `rho` has those of psi.
        redescending: psi(r) -> 0 as |r| grows, so that far rows are ignored in the end; such a loss is not convex.
    """

    psi: Elementary
    integral: Elementary = field(metadata={"static": True})
    redescending: bool = field(metadata={"static": True})

    @property
    def name(self) -> str:
        """The name in tables: "huber", "tukey", ..."""
        return self.integral.name

    @property
    def rho(self) -> Elementary:
        """The loss itself as an activation; its slope is psi."""
        return replace(self.integral, parameters=self.psi.parameters)

    @property
    def convex(self) -> bool:
        """Psi is known to be nondecreasing: every start leads to a global minimum of a linear model."""
        return self.psi.facts.increasing

    @property
    def bounded(self) -> bool:
        """The range of psi is known to be finite: one label, however wrong, pulls with a bounded force."""
        bounds = self.psi.facts.range
        return bounds is not None and math.isfinite(bounds.magnitude)

    def bind(self, **constants: Any) -> Loss:
        """A copy with these tuning constants; facts follow.

        Raises:
            TypeError: no such constant.
            ValueError: a constant that is not positive.
        """
        return replace(self, psi=self.psi.bind(**constants))

    def weight(self, r: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """psi(r) / r, at 0 its limit psi'(0): the weight of a row in the equivalent weighted least squares."""
        at_zero = r == 0
        return jnp.where(at_zero, self.psi.slope(jnp.zeros_like(r)), self.psi(r) / jnp.where(at_zero, 1.0, r))

    def __repr__(self) -> str:
        constants = ", ".join(f"{k}={v}" for k, v in self.psi.parameters.items())
        return f"{self.name}({constants})" if constants else self.name


def _odd(bound: Any, slope: Interval, smoothness: float, kinks: tuple = (), increasing: bool = False) -> Facts:
    """Facts of an odd psi with sup |psi| = bound."""
    return Facts(
        range=Interval(-bound, bound),
        slope=slope,
        kinks=kinks,
        smoothness=smoothness,
        monotone="nondecreasing" if increasing else "none",
    )


def _rho_facts(psi: Facts, supremum: Any) -> Facts:
    """Facts of the integral of psi: its slope is psi, its curvature psi'."""
    smoothness = None if psi.smoothness is None else psi.smoothness + 1
    return Facts(Interval(0.0, supremum), psi.range, psi.slope, psi.kinks, smoothness, monotone="none")


def _loss(name: str, rho: Any, psi: Elementary, supremum: Any, source: str, redescending: bool = False) -> Loss:
    """A loss from its two formulas and the supremum of rho, a function of the constants."""
    integral = al.activation(
        family="losses",
        name=name,
        slope=psi.definition.derivatives[0],
        curvature=psi.definition.derivatives[1],
        facts=lambda **constants: _rho_facts(psi.definition.facts(**constants), supremum(**constants)),
        domains=psi.definition.domains,
        source=source,
    )(rho)
    return Loss(psi, integral, redescending)


@al.activation(family="psi", slope=lambda r: jnp.ones_like(r), facts=al.affine().facts)
def _mse_psi(r: Array) -> Array:
    """Psi(r) = r, unbounded: a label twice as wrong pulls twice as hard."""
    return r


mse = _loss("mse", lambda r: 0.5 * r * r, _mse_psi, lambda: math.inf, "Legendre 1805; Gauss 1809")


@al.activation(
    family="psi",
    slope=lambda r, *, c: jnp.where(jnp.abs(r) <= c, 1.0, 0.0),
    facts=lambda c: _odd(c, Interval(0.0, 1.0), 0.0, (-c, c), increasing=True),
    domains={"c": POSITIVE},
)
def _huber_psi(r: Array, *, c: Any = 1.345) -> Array:
    """Psi(r) = clip(r, -c, c); 95 % efficient for Gaussian errors at c = 1.345."""
    return jnp.clip(r, -c, c)


huber = _loss(
    "huber",
    lambda r, *, c=1.345: jnp.where(jnp.abs(r) <= c, 0.5 * r * r, c * (jnp.abs(r) - 0.5 * c)),
    _huber_psi,
    lambda c: math.inf,
    "Huber 1964, Annals of Mathematical Statistics 35(1), section 4",
)


@al.activation(
    family="psi",
    slope=lambda r, *, c: _sech_squared(r / c),
    facts=lambda c: _odd(c, Interval(0.0, 1.0), SMOOTH, increasing=True),
    domains={"c": POSITIVE},
)
def _tanh_psi(r: Array, *, c: Any = 1.2047) -> Array:
    """Psi(r) = c tanh(r / c); 95 % efficient for Gaussian errors at c = 1.2047."""
    return c * jnp.tanh(r / c)


def _sech_squared(u: Array) -> Array:
    """1 - tanh(u)^2 without the cancellation."""
    decay = jnp.exp(-2.0 * jnp.abs(u))
    return 4.0 * decay / (1.0 + decay) ** 2


def _log_cosh(u: Array) -> Array:
    """Log cosh u: by log1p near 0, where the asymptotic form cancels, by that form beyond, where cosh overflows."""
    size = jnp.abs(u)
    near = jnp.log1p(2.0 * jnp.sinh(0.5 * jnp.minimum(size, 1.0)) ** 2)
    return jnp.where(size < 1.0, near, size + jnp.log1p(jnp.exp(-2.0 * size)) - math.log(2.0))


tanh_psi = _loss(
    "tanh-psi",
    lambda r, *, c=1.2047: c * c * _log_cosh(r / c),
    _tanh_psi,
    lambda c: math.inf,
    "Holland & Welsch 1977, Communications in Statistics A6(9), the logistic weight; Huber & Ronchetti 2009",
)


@al.activation(
    family="psi",
    slope=lambda r, *, nu, s: (nu + 1.0) / (nu * s * s) * _student_slope(r / (s * jnp.sqrt(nu))),
    facts=lambda nu, s: _odd(
        (nu + 1.0) / (2.0 * s * nu**0.5),
        Interval(-(nu + 1.0) / (8.0 * nu * s**2), (nu + 1.0) / (nu * s**2)),
        SMOOTH,
    ),
    domains={"nu": POSITIVE, "s": POSITIVE},
)
def _student_psi(r: Array, *, nu: Any = 3.0, s: Any = 1.0) -> Array:
    """Psi(r) = (nu + 1) r / (nu s^2 + r^2), largest at r = s sqrt(nu): (nu + 1) / (2 s sqrt(nu))."""
    width = s * jnp.sqrt(nu)
    u = r / width
    far = jnp.abs(u) > 1.0
    outside = 1.0 / (jnp.where(far, u, 1.0) + 1.0 / jnp.where(far, u, 1.0))  # u^2 would overflow there
    return (nu + 1.0) / width * jnp.where(far, outside, u / (1.0 + jnp.where(far, 0.0, u) ** 2))


def _student_slope(u: Array) -> Array:
    """(1 - u^2) / (1 + u^2)^2 without overflow."""
    far = jnp.abs(u) > 1.0
    v = jnp.where(far, 1.0 / jnp.where(far, u, 1.0), u) ** 2  # the square of the smaller of |u| and 1 / |u|
    return jnp.where(far, -v, 1.0) * (1.0 - v) / (1.0 + v) ** 2


def _log1p_square(u: Array) -> Array:
    """log(1 + u^2) without overflow."""
    far = jnp.abs(u) > 1.0
    big = jnp.where(far, jnp.abs(u), 1.0)
    return jnp.where(far, 2.0 * jnp.log(big) + jnp.log1p((1.0 / big) ** 2), jnp.log1p(jnp.where(far, 0.0, u) ** 2))


student_t = _loss(
    "student-t",
    lambda r, *, nu=3.0, s=1.0: 0.5 * (nu + 1.0) * _log1p_square(r / (s * jnp.sqrt(nu))),
    _student_psi,
    lambda nu, s: math.inf,
    "Lange, Little & Taylor 1989, JASA 84(408), section 2",
    redescending=True,
)


def _tukey_slope(r: Array, *, c: Array) -> Array:
    w = jnp.square(jnp.clip(r / c, -1.0, 1.0))
    return (1.0 - w) * (1.0 - 5.0 * w)


@al.activation(
    family="psi",
    slope=_tukey_slope,
    facts=lambda c: _odd(16.0 * c / (25.0 * math.sqrt(5.0)), Interval(-0.8, 1.0), 1.0, (-c, c)),
    domains={"c": POSITIVE},
)
def _tukey_psi(r: Array, *, c: Any = 4.685) -> Array:
    """Psi(r) = r (1 - (r / c)^2)^2 for |r| <= c, else 0; 95 % efficient for Gaussian errors at c = 4.685."""
    u = jnp.clip(r / c, -1.0, 1.0)
    return c * u * jnp.square(1.0 - u * u)


tukey = _loss(
    "tukey",
    lambda r, *, c=4.685: c * c / 6.0 * _one_minus_cube(jnp.square(jnp.clip(r / c, -1.0, 1.0))),
    _tukey_psi,
    lambda c: c * c / 6.0,
    "Beaton & Tukey 1974, Technometrics 16(2)",
    redescending=True,
)


def _one_minus_cube(w: Array) -> Array:
    """1 - (1 - w)^3 without the cancellation at 0."""
    return w * (3.0 - 3.0 * w + w * w)


LOSSES: dict[str, Loss] = {loss.name: loss for loss in (mse, huber, tanh_psi, student_t, tukey)}
"""The losses by name, convex ones first."""
