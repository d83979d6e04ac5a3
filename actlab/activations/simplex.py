"""Maps onto the probability simplex: softmax and its sparse kin, finite for all finite logits."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.activations.facts import certain
from actlab.activations.interval import UNIT, Interval
from actlab.activations.vector import VectorActivation, VectorFacts


def _from_largest(z: Array) -> Array:
    """`z - max(z)`, at least minus the largest number of the dtype."""
    d = z - jax.lax.stop_gradient(jnp.max(z, axis=-1, keepdims=True))
    return jnp.where(jnp.isfinite(d), d, -jnp.finfo(z.dtype).max)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Softmax(VectorActivation):
    """`exp(sign x) / sum exp(sign x)`, or its logarithm; see `softmax`, `softmin` and `log_softmax`."""

    name: str = field(metadata={"static": True})
    sign: int = field(default=1, metadata={"static": True})
    logarithm: bool = field(default=False, metadata={"static": True})
    axis: int = field(default=-1, metadata={"static": True})
    source = "Bridle 1990, Probabilistic interpretation of feedforward classification network outputs"

    def evaluate(self, x: Float[Array, "*batch features"]) -> Float[Array, "*batch outputs"]:
        """The function along the last axis."""
        z = _from_largest(x if self.sign > 0 else -x)
        return jax.nn.log_softmax(z, axis=-1) if self.logarithm else jax.nn.softmax(z, axis=-1)

    @property
    def facts(self) -> VectorFacts:
        """diag(p) - p p' has its largest norm, 1/2, at two equal probabilities.

        Of the logarithm, I - 1 p' has norm sqrt(n) |p| <= sqrt(n): no bound holds for every n.
        """
        if self.logarithm:
            return VectorFacts(math.inf, Interval(-math.inf, 0.0))
        return VectorFacts(0.5, UNIT, sum_to_one=True)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Entmax(VectorActivation):
    """`argmax_p <p, x> + H_alpha(p)` over the simplex, with Tsallis entropy; see `entmax`."""

    alpha: Any = 1.5
    axis: int = field(default=-1, metadata={"static": True})
    source = "Peters, Niculae & Martins 2019, arXiv:1905.05702, eq. 9, 10; alpha: Correia et al. 2019, eq. 13"

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """With the parameter."""
        return f"entmax({self.alpha})"

    def evaluate(self, x: Float[Array, "*batch features"]) -> Float[Array, "*batch outputs"]:
        """The function along the last axis."""
        return _entmax(x, jnp.asarray(self.alpha, x.dtype))

    @property
    def facts(self) -> VectorFacts:
        """The Jacobian diag(u) - u u'/sum(u), u = p^(2 - alpha), has norm at most max(u): at most 1 up to alpha = 2."""
        lipschitz = 1.0 if certain(self.alpha <= 2) else math.inf if certain(self.alpha > 2) else None
        return VectorFacts(lipschitz, UNIT, sum_to_one=True)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Sparsemax(VectorActivation):
    """The Euclidean projection onto the simplex: alpha-entmax at alpha = 2, by sorting."""

    axis: int = field(default=-1, metadata={"static": True})
    name = "sparsemax"
    source = "Martins & Astudillo 2016, arXiv:1602.02068, algorithm 1 and eq. 11"

    def evaluate(self, x: Float[Array, "*batch features"]) -> Float[Array, "*batch outputs"]:
        """The function along the last axis."""
        return _sparsemax(x)

    @property
    def facts(self) -> VectorFacts:
        """A projection onto a convex set; its Jacobian is an orthogonal projection."""
        return VectorFacts(1.0, UNIT, sum_to_one=True)


@jax.custom_jvp
def _sparsemax(z: Array) -> Array:
    d = jnp.maximum(_from_largest(z), -2)  # what is 1 below the largest is outside the support
    ordered = jnp.sort(d, axis=-1, descending=True)
    count = jnp.arange(1, d.shape[-1] + 1, dtype=d.dtype).reshape((1,) * (d.ndim - 1) + (-1,))
    excess = jnp.cumsum(ordered, axis=-1) - 1
    support = jnp.sum((count * ordered > excess).astype(jnp.int32), axis=-1, keepdims=True)
    threshold = jnp.take_along_axis(excess, support - 1, axis=-1) / support.astype(d.dtype)
    return jnp.maximum(d - threshold, 0)


@_sparsemax.defjvp
def _sparsemax_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    p = _sparsemax(*primals)
    return p, _tangent((p > 0).astype(p.dtype), tangents[0])


def _tangent(u: Array, dz: Array) -> Array:
    """(diag(u) - u u'/sum(u)) dz."""
    return u * (dz - jnp.sum(u * dz, axis=-1, keepdims=True) / jnp.sum(u, axis=-1, keepdims=True))


@jax.custom_jvp
def _entmax(z: Array, alpha: Array) -> Array:
    """By bisection on the threshold: `p_i = max((alpha - 1) z_i - threshold, 0)^(1/(alpha - 1))`."""
    order = alpha - 1
    d = jnp.maximum(order * jnp.maximum(_from_largest(z), -2 / order), -2)
    lower = -jnp.ones_like(d[..., :1])  # here the largest alone gives 1
    upper = jnp.zeros_like(lower) - jnp.power(jnp.asarray(d.shape[-1], d.dtype), -order)  # here n equal ones give 1

    def masses(threshold: Array) -> Array:
        t = d - threshold
        return jnp.where(t > 0, jnp.power(jnp.where(t > 0, t, 1), 1 / order), 0)

    def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = 0.5 * (ends[0] + ends[1])
        low = jnp.sum(masses(middle), axis=-1, keepdims=True) >= 1
        return jnp.where(low, middle, ends[0]), jnp.where(low, ends[1], middle)

    lower, _ = jax.lax.fori_loop(0, jnp.finfo(d.dtype).nmant + 6, halve, (lower, upper))
    p = masses(lower)
    return p / jnp.sum(p, axis=-1, keepdims=True)


@_entmax.defjvp
def _entmax_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (z, alpha), (dz, dalpha) = primals, tangents
    p = _entmax(z, alpha)
    inside = p > 0
    safe = jnp.where(inside, p, 1)
    u = jnp.where(inside, jnp.power(safe, 2 - alpha), 0)
    # From p^(alpha-1) = (alpha-1) z - threshold and sum(dp) = 0. Outside the support u = 0, so any finite z will do.
    shifted = jnp.where(inside, z - jnp.max(z, axis=-1, keepdims=True), 0)
    drift = (u * shifted - jnp.where(inside, safe * jnp.log(safe), 0)) / (alpha - 1) * dalpha
    drift = drift - u * (jnp.sum(drift, axis=-1, keepdims=True) / jnp.sum(u, axis=-1, keepdims=True))
    return p, _tangent(u, dz) + drift


def entmax(alpha: Any = 1.5) -> Entmax:
    """The alpha-entmax: sparse for alpha > 1, between softmax (alpha -> 1) and sparsemax (alpha = 2).

    Differentiable in alpha too, a leaf.

    Raises:
        ValueError: a concrete alpha <= 1, where `softmax` is the limit.
    """
    if certain(alpha <= 1):
        raise ValueError(f"entmax: alpha = {alpha}; must be above 1; the limit at 1 is softmax")
    return Entmax(float(alpha) if isinstance(alpha, int) else alpha)


softmax = Softmax("softmax")
softmin = Softmax("softmin", sign=-1)
log_softmax = Softmax("log_softmax", logarithm=True)
sparsemax = Sparsemax()
