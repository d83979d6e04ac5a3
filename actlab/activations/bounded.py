"""Constructions whose slope or range lies where the caller says, at every value of their trained leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from actlab.activations.activation import Activation
from actlab.activations.between import Between, Sign, checked_ends, clipped
from actlab.activations.decorator import activation
from actlab.activations.definition import aligned, wide
from actlab.activations.facts import FactError, Facts, Monotone, certain
from actlab.activations.interval import REALS, Interval, as_interval
from actlab.activations.inversion import invert


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class BoundedSlope(Between):
    """`lower x + (upper - lower) (f(x) - a x)/(b - a)`, with [a, b] the bounds of f'; see `bounded_slope`."""

    inner: Activation
    lower: Any
    upper: Any
    sign: Sign = field(default="any", metadata={"static": True})
    name = "bounded_slope"

    def evaluate(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """f(x) for a floating array."""
        z = wide(x)
        bounds = _bounds(self.inner)
        a, b, lower, upper = (aligned(v, z) for v in (bounds.lower, bounds.upper, self.lower, self.upper))
        # Scaled by a power of two, so that f(x) - a x cannot overflow where the result does not.
        exponent = jnp.frexp(jax.lax.stop_gradient(1 + jnp.abs(a) + jnp.abs(b)))[1]
        down, up = jnp.ldexp(jnp.ones_like(a), -exponent), jnp.ldexp(jnp.ones_like(a), exponent)
        rest = down * self.inner.evaluate(z) - (down * a) * z
        return (lower * z + rest * (up * (upper - lower) / (b - a))).astype(x.dtype)

    @property
    def facts(self) -> Facts:
        """Slope as given; range, curvature and kinks from those of the inner activation."""
        inner, bounds = self.inner.facts, _bounds(self.inner)
        gain = _quotient(as_interval(self.upper) - self.lower, as_interval(bounds.upper) - bounds.lower)
        line = as_interval(self.lower) - gain * bounds.lower  # g(x) = line x + gain f(x)
        monotone = self._monotone()
        onto = monotone == "strictly increasing"
        return Facts(
            range=REALS if onto or inner.range is None else REALS * line + inner.range * gain,
            slope=Interval(self.lower, self.upper),
            curvature=None if inner.curvature is None else inner.curvature * gain,
            kinks=inner.kinks,
            smoothness=inner.smoothness,
            monotone=monotone,
            inverse=partial(invert, self) if onto else None,
            gradient=inner.gradient,
            standing=inner.standing,
        )

    def _monotone(self) -> Monotone:
        traced = isinstance(self.lower, Tracer)
        if certain(self.lower > 0) or (traced and self.sign == "positive"):
            return "strictly increasing"
        if certain(self.lower >= 0) or (traced and self.sign == "nonnegative"):
            return "nondecreasing"
        if certain(self.upper < 0):
            return "strictly decreasing"
        return "nonincreasing" if certain(self.upper <= 0) else "unknown"


def _bounds(inner: Activation) -> Interval:
    slope = inner.facts.slope
    assert slope is not None  # the constructor has refused
    return slope


def _quotient(a: Interval, b: Interval) -> Interval:
    """Enclosure of a/b for b > 0."""
    return a * Interval(1 / b.upper, 1 / b.lower).rounded()


def bounded_slope(f: Activation | Callable[..., Any], *, lower: Any, upper: Any) -> BoundedSlope:
    """An activation of the shape of f whose true derivative lies in [lower, upper].

    `g(x) = lower x + (upper - lower) (f(x) - a x)/(b - a)`, where [a, b] encloses f'. With lower > 0 it is one to one
    from the reals onto the reals, and its inverse is exact and guaranteed (`invert`).

    Args:
        f: any activation with a known, bounded slope.
        lower: the least derivative; a number, or an array of one per feature (the last axes of x).
        upper: the largest derivative, likewise.

    Raises:
        FactError: the slope of f is unknown, unbounded or a single number, or f is not known to be continuous.
        ValueError: not lower < upper.
    """
    inner = activation(f)
    lower, upper, sign = checked_ends("bounded_slope", lower, upper)
    facts = inner.facts
    lipschitz = facts.lipschitz()
    if not isinstance(lipschitz, Tracer) and not np.all(np.isfinite(lipschitz)):
        has = "an unknown slope" if facts.slope is None else f"slope in {facts.slope}, smoothness {facts.smoothness}"
        raise FactError(
            f"bounded_slope: needs a continuous activation with a bounded slope, but {inner!r} has {has}. "
            "What would do: softplus, tanh, swish"
        )
    if certain(_bounds(inner).width <= 0):
        raise FactError(f"bounded_slope: {inner!r} is a line of slope {_bounds(inner)}; it has no shape to bend")
    return BoundedSlope(inner, lower, upper, sign)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class BoundedRange(Between):
    """The inner activation mapped from its range onto [lower, upper] by a line; see `bounded_range`."""

    inner: Activation
    lower: Any
    upper: Any
    sign: Sign = field(default="any", metadata={"static": True})
    name = "bounded_range"

    def evaluate(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """f(x) for a floating array."""
        z = wide(x)
        extent = self.inner.facts.range
        assert extent is not None  # the constructor has refused
        a, b, lower, upper = (aligned(v, z) for v in (extent.lower, extent.upper, self.lower, self.upper))
        y = lower + (upper - lower) * ((self.inner.evaluate(z) - a) / (b - a))
        return clipped(y, lower, upper).astype(x.dtype)

    @property
    def facts(self) -> Facts:
        """Range as given; slope and curvature scaled, all else as of the inner activation."""
        inner = self.inner.facts
        assert inner.range is not None
        gain = _quotient(as_interval(self.upper) - self.lower, as_interval(inner.range.upper) - inner.range.lower)
        return inner.replace(
            range=Interval(self.lower, self.upper),
            slope=None if inner.slope is None else inner.slope * gain,
            curvature=None if inner.curvature is None else inner.curvature * gain,
            inverse=None if inner.inverse is None else partial(self._inverse, inner),
        )

    def _inverse(self, inner: Facts, y: Any) -> Array:
        assert inner.range is not None
        assert inner.inverse is not None
        y = jnp.asarray(y)
        a, b, lower, upper = (aligned(v, y) for v in (inner.range.lower, inner.range.upper, self.lower, self.upper))
        return inner.inverse(a + (b - a) * ((y - lower) / (upper - lower)))


def bounded_range(f: Activation | Callable[..., Any], *, lower: Any, upper: Any) -> BoundedRange:
    """`f` mapped by a line from its range onto [lower, upper]; no value is outside, in floats neither.

    Raises:
        FactError: the range of f is unknown, unbounded or a single number.
        ValueError: not lower < upper.
    """
    inner = activation(f)
    lower, upper, sign = checked_ends("bounded_range", lower, upper)
    extent = inner.facts.range
    if extent is None or certain(~(np.isfinite(extent.lower) & np.isfinite(extent.upper) & (extent.width > 0))):
        has = "an unknown range" if extent is None else f"range {extent}"
        raise FactError(
            f"bounded_range: needs an activation with a bounded range, but {inner!r} has {has}. "
            "What would do: sigmoid, tanh, softsign, capped_positive(upper=...)"
        )
    return BoundedRange(inner, lower, upper, sign)
