"""Surrogates of the spike's derivative as values with facts: area, peak, integral of the square, tail, support."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.activations import Activation, Facts
from actlab.activations.definition import aligned

Formula = Callable[[Array, Any], Array]


class SpikingError(ValueError):
    """A setting of a spiking network that cannot be; the message names the argument, its value and the remedy."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ShapeFacts:
    """What the laws of surrogate gradients need to know of a pseudo-derivative h, even, peaked at 0 and not negative.

    Attributes:
        area: integral of h. 1: the derivative of a step from 0 to 1.
        peak: h(0), the largest value.
        square: integral of h^2.
        reach: sup of |x| h(x).
        support: h(x) = 0 for |x| beyond it; infinite where there is none.
        tail: exponent p of h(x) ~ |x|^-p; infinite where h falls faster than every power.
    """

    area: Any
    peak: Any
    square: Any
    reach: Any
    support: Any
    tail: float = field(metadata={"static": True})

    def scaled(self, factor: Any) -> ShapeFacts:
        """Those of `factor * h`."""
        area, peak, reach = factor * self.area, factor * self.peak, factor * self.reach
        return replace(self, area=area, peak=peak, square=factor * (factor * self.square), reach=reach)


@dataclass(frozen=True, eq=False)
class Shape:
    """One family of pseudo-derivatives in the slope parameter beta; compared by identity.

    Attributes:
        name: of the family.
        density: (x, beta) -> h(x).
        step: (x, beta) -> the smooth step whose derivative h is, 0 far to the left (where the area is finite).
        facts: beta -> those of h as the laws need them.
        activation: beta -> h as an activation with facts.
    """

    name: str
    density: Formula
    step: Formula
    facts: Callable[[Any], ShapeFacts]
    activation: Callable[[Any], Activation]


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Surrogate(Activation):
    """h(x) = scale * shape(x; beta), x the potential above the threshold: used in place of the spike's derivative.

    An activation: `al.heaviside.with_surrogate(surrogate)` is the spike. beta and scale are leaves, for vmap to sweep.
    """

    beta: Any
    scale: Any
    shape: Shape = field(metadata={"static": True})
    family = "surrogates"

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The family's name."""
        return self.shape.name

    def check(self) -> None:
        """That beta and scale are positive and finite; of traced ones nothing is known.

        Not when it is made: gradients and axes to map have its form too.

        Raises:
            SpikingError: one of them is not.
        """
        for what, value in (("beta", self.beta), ("scale", self.scale)):
            if isinstance(value, Tracer):
                continue
            numbers = np.asarray(value)
            if not np.all((numbers > 0) & (numbers < math.inf)):
                raise SpikingError(f"surrogate {self.name}: {what} = {value} must be positive and finite")

    def evaluate(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """h(x) for a floating array."""
        self.check()
        return (aligned(self.scale, x) * self.shape.density(x, self.beta)).astype(x.dtype)

    def step(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The smooth step whose derivative is h: 0 far left, the area far right; of straight-through, scale x."""
        self.check()
        return (aligned(self.scale, x) * self.shape.step(x, aligned(self.beta, x))).astype(x.dtype)

    @property
    def shape_facts(self) -> ShapeFacts:
        """Area, peak, integral of h^2, reach, support and tail at the present beta and scale."""
        self.check()
        return self.shape.facts(self.beta).scaled(self.scale)

    @property
    def facts(self) -> Facts:
        """Those of h as an activation: range, slope, curvature, kinks."""
        self.check()
        return al.affine(self.shape.activation(self.beta), scale=self.scale).facts.replace(monotone="none")

    def unit_area(self) -> Surrogate:
        """The same h divided by its area: its mean over a smooth density of potentials then does not depend on beta.

        Raises:
            SpikingError: the area is infinite.
        """
        self.check()
        area = self.shape.facts(self.beta).area
        if isinstance(area, float) and math.isinf(area):
            raise SpikingError(f"{self.name} has an infinite area and no unit_area; take another surrogate")
        return replace(self, scale=1 / area)

    def unit_peak(self) -> Surrogate:
        """The same h divided by its peak: its area then shrinks as 1/beta."""
        self.check()
        return replace(self, scale=1 / self.shape.facts(self.beta).peak)

    def __repr__(self) -> str:
        return f"{self.name}(beta={self.beta}, scale={self.scale})"


def _zoo(density: Any) -> tuple[Formula, Callable[[Any], Activation]]:
    """The formula and the activation of a member of `al.surrogates`."""
    if "beta" not in density.parameters:
        return lambda x, beta: density.evaluate(x), lambda beta: density
    return (
        lambda x, beta: replace(density, parameters={"beta": beta}).evaluate(x),
        lambda beta: density.bind(beta=beta),
    )


def _shape(name: str, density: Any, step: Formula, facts: Callable[[Any], ShapeFacts]) -> Shape:
    formula, activation = _zoo(density)
    return Shape(name, formula, step, facts, activation)


def _fast_sigmoid_step(x: Array, beta: Array) -> Array:
    far = jnp.abs(x) / (1 + beta * jnp.abs(x))  # no product that overflows
    return 1 / beta + jnp.sign(x) * far


def _triangle_step(x: Array, beta: Array) -> Array:
    z = jnp.clip(beta * x, -1, 1)
    return (0.5 + z - 0.5 * z * jnp.abs(z)) / beta


def _laplace_step(x: Array, beta: Array) -> Array:
    half = 0.5 * jnp.exp(-jnp.clip(beta * jnp.abs(x), 0, 1000))
    return jnp.where(x > 0, 1 - half, half)


INFINITE = math.inf
SIGMOID_REACH = 0.22387160234715148
"""Sup of z s'(z) of the logistic function s, where z tanh(z/2) = 1; rounded up."""
SHAPES: dict[str, Shape] = {
    shape.name: shape
    for shape in (
        _shape(
            "fast_sigmoid",
            al.surrogates.fast_sigmoid,
            _fast_sigmoid_step,
            lambda b: ShapeFacts(2 / b, 1.0, 2 / (3 * b), 1 / (4 * b), INFINITE, 2.0),
        ),
        _shape(
            "sigmoid",
            al.surrogates.sigmoid,
            lambda x, beta: jax.nn.sigmoid(beta * x),
            lambda b: ShapeFacts(1.0, b / 4, b / 6, SIGMOID_REACH, INFINITE, INFINITE),
        ),
        _shape(
            "arctan",
            al.surrogates.arctan,
            lambda x, beta: 0.5 + jnp.arctan(0.5 * math.pi * beta * x) / math.pi,
            lambda b: ShapeFacts(1.0, b / 2, b / 4, 1 / (2 * math.pi), INFINITE, 2.0),
        ),
        _shape(
            "triangle",
            al.surrogates.triangle,
            _triangle_step,
            lambda b: ShapeFacts(1 / b, 1.0, 2 / (3 * b), 1 / (4 * b), 1 / b, INFINITE),
        ),
        _shape(
            "gaussian",
            al.surrogates.gaussian,
            lambda x, beta: 0.5 * jax.scipy.special.erfc(-beta * x),
            lambda b: ShapeFacts(
                1.0,
                b / math.sqrt(math.pi),
                b / math.sqrt(2 * math.pi),
                1 / math.sqrt(2 * math.pi * math.e),
                INFINITE,
                INFINITE,
            ),
        ),
        _shape(
            "rectangular",
            al.surrogates.rectangular,
            lambda x, beta: jnp.clip(0.5 + beta * x, 0, 1),
            lambda b: ShapeFacts(1.0, b, b, 0.5, 0.5 / b, INFINITE),
        ),
        _shape(
            "exponential",
            al.surrogates.exponential,
            _laplace_step,
            lambda b: ShapeFacts(1.0, b / 2, b / 4, 0.5 / math.e, INFINITE, INFINITE),
        ),
        _shape(
            "hyperbolic",
            al.surrogates.hyperbolic,
            lambda x, beta: 2 * jax.nn.sigmoid(2 * beta * x) / beta,
            # 2/beta times the sigmoid's of 2 beta, whose reach does not depend on beta.
            lambda b: ShapeFacts(2 / b, 1.0, 4 / (3 * b), 2 * SIGMOID_REACH / b, INFINITE, INFINITE),
        ),
        _shape(
            "straight_through",
            al.surrogates.straight_through,
            lambda x, beta: x,
            lambda b: ShapeFacts(INFINITE, 1.0, INFINITE, INFINITE, INFINITE, 0.0),
        ),
    )
}
"""The families by name: sigmoid, arctan, gaussian, rectangular and exponential of area 1, the others of peak 1."""

ALIASES = {"superspike": "fast_sigmoid", "boxcar": "rectangular", "erf": "gaussian", "atan": "arctan"}
"""Other names in use: SuperSpike (Zenke & Ganguli 2018) is 1/(1 + beta |x|)^2, which others call the fast sigmoid's."""


def surrogate(name: str, beta: Any = 10.0, scale: Any = 1.0) -> Surrogate:
    """The surrogate of this family.

    Args:
        name: a key of `SHAPES`, or one of its aliases.
        beta: the slope parameter, positive; may be traced, or one a unit.
        scale: a factor in front, as the 0.3 of Bellec et al. 2018.

    Raises:
        SpikingError: no such family, or a beta or scale that is known and not positive and finite.
    """
    known = ALIASES.get(name, name)
    if known not in SHAPES:
        raise SpikingError(f"no surrogate {name!r}; known: {', '.join([*SHAPES, *ALIASES])}")
    beta, scale = (float(v) if isinstance(v, int) else v for v in (beta, scale))
    made = Surrogate(beta, scale, SHAPES[known])
    made.check()
    return made


def spike(x: Float[Array, "*shape"], surrogate: Surrogate, smooth: bool = False) -> Float[Array, "*shape"]:
    """1 where x > 0, else 0, with h(x) in place of its derivative; `smooth` gives the step whose derivative h is.

    The smoothed spike has that derivative exactly, so finite differences of a smoothed network check its gradients.

    Raises:
        SpikingError: as of `Surrogate.check`.
    """
    surrogate.check()
    return surrogate.step(x) if smooth else al.heaviside.with_surrogate(surrogate).evaluate(x)
