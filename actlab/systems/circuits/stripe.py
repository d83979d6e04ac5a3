"""A stripe in a morphogen gradient: an incoherent loop whose input is a concentration that decays with distance.

Near the source X is high and Y represses Z, far from it X is too low to activate Z: Z stands in a band between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.systems.circuits.circuit import Circuit
from actlab.systems.circuits.laws import loop_log_gain
from actlab.systems.circuits.simulation import steady_state

BISECTIONS = 60
"""To below float64's resolution of a position between two grid points."""


class Stripe(NamedTuple):
    """A band of Z in the gradient X(s) = amplitude exp(-s / length).

    Attributes:
        positions: of the profile, shape (points,), in the unit of the gradient's length.
        profile: Z at rest, shape (points,).
        position: of its maximum, where the loop's log gain is 0; nan where the maximum is at an end.
        height: Z there.
        near: where half the height is reached on the source's side; nan where it is not.
        far: on the other side.
    """

    positions: Array
    profile: Array
    position: Any
    height: Any
    near: Any
    far: Any

    @property
    def width(self) -> Any:
        """Full width at half height."""
        return self.far - self.near


def stripe(loop: Circuit, amplitude: Any, length: Any, positions: Float[Array, " points"]) -> Stripe:
    """The stripe that a feed-forward loop with an AND gate and no basal rates makes.

    The gradient's amplitude only shifts it: by length ln(a'/a) from a to a', with the same shape; the distance of its
    edges scales with the length.

    Args:
        loop: of X, Y and Z.
        amplitude: X at the source, in concentration.
        length: over which X falls by the factor e.
        positions: distances from the source, increasing.
    """

    def level(s: Array) -> Array:
        return steady_state(loop, {"X": amplitude * jnp.exp(-s / length)})["Z"]

    def gain(s: Array) -> Array:
        return loop_log_gain(loop, amplitude * jnp.exp(-s / length))

    profile = jax.vmap(level)(positions)
    top = jnp.argmax(profile)
    last = positions.shape[0] - 1
    inside = (top > 0) & (top < last)
    i = jnp.clip(top, 1, last - 1)
    position = _zero(gain, positions[i - 1], positions[i + 1])
    height = level(position)
    above = profile > 0.5 * height
    first, final = jnp.argmax(above), last - jnp.argmax(above[::-1])

    def edge(i: Array, j: Array, found: Array) -> Array:
        return jnp.where(found & inside, _zero(lambda s: level(s) - 0.5 * height, positions[i], positions[j]), jnp.nan)

    near = edge(jnp.maximum(first - 1, 0), first, first > 0)
    far = edge(final, jnp.minimum(final + 1, last), final < last)
    return Stripe(positions, profile, jnp.where(inside, position, jnp.nan), height, near, far)


def _zero(function: Callable[[Array], Array], left: Array, right: Array) -> Array:
    """By bisection: where the function changes the sign that it has at the left end."""
    sign = jnp.sign(function(left))

    def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = 0.5 * (low + high)
        same = jnp.sign(function(middle)) == sign
        return jnp.where(same, middle, low), jnp.where(same, high, middle)

    low, high = jax.lax.fori_loop(0, BISECTIONS, halve, (left, right))
    return 0.5 * (low + high)
