"""The algebra of activations: compositions, sums and mixtures, whose facts follow from those of their parts."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from actlab.activations.activation import Activation
from actlab.activations.decorator import activation
from actlab.activations.fact_rules import added, composed
from actlab.activations.facts import SMOOTH, Facts, Monotone
from actlab.activations.interval import REALS, ZERO, Interval


class _Combined(Activation):
    """What the nodes of the algebra share: their parts are Activations, constrained part by part."""

    parts: tuple[Activation, ...]
    family = "algebra"

    def constrained(self) -> Activation:
        """Every part at the admissible values that its leaves stand for."""
        return replace(self, parts=tuple(part.constrained() for part in self.parts))  # pyright: ignore

    def unconstrained(self) -> Activation:
        """Every part with its leaves as unconstrained reals."""
        return replace(self, parts=tuple(part.unconstrained() for part in self.parts))  # pyright: ignore


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Composition(_Combined):
    """`parts[0](parts[1](... parts[-1](x)))`."""

    parts: tuple[Activation, ...]

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The parts' names, outermost first."""
        return f"compose({', '.join(map(repr, self.parts))})"

    def evaluate(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """f(x) for a floating array."""
        return functools.reduce(lambda y, part: part.evaluate(y), reversed(self.parts), x)

    @property
    def facts(self) -> Facts:
        """By the chain rule, outermost last; tight where the inner parts are affine."""
        *outer, inner = self.parts
        return functools.reduce(lambda g, part: composed(part, g), reversed(outer), inner.facts)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Sum(_Combined):
    """`parts[0](x) + parts[1](x) + ...`."""

    parts: tuple[Activation, ...]

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The parts' names."""
        return f"sum({', '.join(map(repr, self.parts))})"

    def evaluate(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """f(x) for a floating array."""
        return functools.reduce(operator.add, (part.evaluate(x) for part in self.parts))

    @property
    def facts(self) -> Facts:
        """Bounds add."""
        return functools.reduce(added, (part.facts for part in self.parts))


def affine_facts(scale: Any, shift: Any) -> Facts:
    """The facts of `scale x + shift`; of scale 0 too, where the line is constant and has no inverse."""
    slope = Interval(scale, scale)
    if not isinstance(scale, float):  # an array: its sign is not one fact for all elements
        return Facts(range=REALS * slope + shift, slope=slope, curvature=ZERO, kinks=(), smoothness=SMOOTH)
    if scale == 0:
        constant = Interval(shift, shift)
        return Facts(constant, slope, ZERO, kinks=(), smoothness=SMOOTH, monotone="nondecreasing")
    monotone: Monotone = "strictly increasing" if scale > 0 else "strictly decreasing"
    return Facts(REALS, slope, ZERO, (), SMOOTH, monotone, inverse=lambda y: (y - shift) / scale)


@activation(
    family="rectifiers",
    slope=lambda x, *, scale, shift: jnp.broadcast_to(scale, x.shape).astype(x.dtype),
    facts=affine_facts,
    source="the line",
    name="affine",
)
def line(x: Array, *, scale: Any = 1.0, shift: Any = 0.0) -> Array:
    """`scale x + shift`."""
    return scale * x + shift


def affine(
    inner: Activation | Callable[..., Any] | None = None,
    *,
    scale: Any = 1.0,
    shift: Any = 0.0,
    input_scale: Any = 1.0,
    input_shift: Any = 0.0,
) -> Activation:
    """`scale * f(input_scale * x + input_shift) + shift`; without `inner` the line `scale * x + shift`.

    Facts are mapped exactly, up to rounding: the slope is multiplied by `scale * input_scale`, the curvature by
    `scale * input_scale**2`.

    Raises:
        TypeError: input_scale or input_shift without an inner activation.

    Source: the transformative family of Kunc & Klema 2024, arXiv:2402.09249.
    """
    outer = line.bind(scale=scale, shift=shift)
    if inner is None:
        if input_scale != 1.0 or input_shift != 0.0:
            raise TypeError("affine: input_scale and input_shift need an inner activation")
        return outer
    return Composition((outer, activation(inner), line.bind(scale=input_scale, shift=input_shift)))


def compose(*parts: Activation | Callable[..., Any]) -> Activation:
    """`compose(f, g, h)(x) = f(g(h(x)))`, the mathematician's order.

    Raises:
        ValueError: no part given.
    """
    return Composition(_lifted("compose", parts))


def sum(*parts: Activation | Callable[..., Any]) -> Activation:
    """`sum(f, g)(x) = f(x) + g(x)`.

    Raises:
        ValueError: no part given.
    """
    return Sum(_lifted("sum", parts))


def negate(inner: Activation | Callable[..., Any]) -> Activation:
    """`-f(x)`."""
    return Composition((line.bind(scale=-1.0), activation(inner)))


def mix(first: Activation | Callable[..., Any], second: Activation | Callable[..., Any], *, weight: Any) -> Activation:
    """The convex mixture `weight f(x) + (1 - weight) g(x)`.

    Raises:
        ValueError: a concrete weight outside [0, 1].
    """
    if not isinstance(weight, Tracer) and not np.all((np.asarray(weight) >= 0) & (np.asarray(weight) <= 1)):
        raise ValueError(f"mix: weight = {weight} is outside [0, 1]; a mixture is convex")
    return Sum((affine(first, scale=weight), affine(second, scale=1.0 - weight)))


def _lifted(what: str, parts: Sequence[Activation | Callable[..., Any]]) -> tuple[Activation, ...]:
    if not parts:
        raise ValueError(f"{what} needs at least one activation")
    return tuple(activation(part) for part in parts)
