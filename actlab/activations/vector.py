"""Vector activations: functions of all features along one axis, with facts of their own."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from actlab.activations.activation import apply, floating
from actlab.activations.definition import wide
from actlab.activations.interval import HALF_LINE, REALS, Interval


@dataclass(frozen=True)
class VectorFacts:
    """Facts about the ideal formula of a vector activation, for any number of features."""

    lipschitz: float | None
    """A bound of the Jacobian's operator norm (Euclidean); infinity: known to be unbounded; None: unknown."""
    range: Interval | None
    """Closed enclosure of every output."""
    outputs_per_input: float = 1.0
    """How many features come out for each that goes in: 1/2 for the GLU family, 2 for CReLU."""
    sum_to_one: bool = False
    """The outputs are nonnegative and sum to one."""
    gradient_norm_preserving: bool = False
    """The Jacobian is orthogonal almost everywhere (or has orthonormal columns)."""
    lipschitz_on: Callable[[float], Any] | None = None
    """The same bound over the box `|x_i| <= radius`, where it is finite there only."""


class VectorActivation(abc.ABC):
    """A pure function of the features along `axis`; a pytree whose leaves are its parameters.

    16-bit inputs are computed in float32 and rounded once.
    """

    name: str
    source: str
    axis: int

    @abc.abstractmethod
    def evaluate(self, x: Float[Array, "*batch features"]) -> Float[Array, "*batch outputs"]:
        """The function along the last axis."""

    @property
    @abc.abstractmethod
    def facts(self) -> VectorFacts:
        """What is known of it at the present parameters."""

    def __call__(self, x: Any) -> Array:
        """The function along `axis`, in the dtype of x.

        Raises:
            TypeError: x is not of a floating dtype.
            ValueError: x has no such axis, or its length does not divide into the groups that the function needs.
        """
        x = floating(x, self.name)
        if not -x.ndim <= self.axis < x.ndim:
            raise ValueError(f"{self.name}: axis {self.axis} is outside the shape {x.shape}")
        features = jnp.moveaxis(x, self.axis, -1)
        y = apply(self, wide(features))
        return jnp.moveaxis(y.astype(x.dtype), -1, self.axis)

    def along(self, axis: int) -> VectorActivation:
        """A copy that acts along this axis of its inputs."""
        return replace(self, axis=axis)  # pyright: ignore

    def __repr__(self) -> str:
        return self.name


def groups(x: Array, size: int, name: str) -> Array:
    """The last axis cut into groups of consecutive features.

    Raises:
        ValueError: its length is not a multiple of the size.
    """
    if x.shape[-1] % size:
        raise ValueError(f"{name}: {x.shape[-1]} features do not divide into groups of {size}; pad them")
    return x.reshape(*x.shape[:-1], x.shape[-1] // size, size)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class GroupSort(VectorActivation):
    """Sorts each group of consecutive features: a permutation, so every norm of every gradient is kept."""

    size: int = field(default=2, metadata={"static": True})
    descending: bool = field(default=False, metadata={"static": True})
    axis: int = field(default=-1, metadata={"static": True})
    source = "Anil, Lucas & Grosse 2019, arXiv:1811.05381, 4.1; MaxMin: Chernodub & Nowicki 2016, arXiv:1604.02313"

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """`maxmin` for descending pairs."""
        return "maxmin" if (self.size, self.descending) == (2, True) else f"groupsort({self.size})"

    def evaluate(self, x: Float[Array, "*batch features"]) -> Float[Array, "*batch outputs"]:
        """The function along the last axis."""
        return jnp.sort(groups(x, self.size, self.name), axis=-1, descending=self.descending).reshape(x.shape)

    @property
    def facts(self) -> VectorFacts:
        """1-Lipschitz in every p-norm."""
        return VectorFacts(1.0, REALS, gradient_norm_preserving=True)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class CReLU(VectorActivation):
    """The positive parts of x, then those of -x: one of each pair is active, so lengths are kept."""

    axis: int = field(default=-1, metadata={"static": True})
    name = "crelu"
    source = "Shang et al. 2016, arXiv:1603.05201, definition 2.1"

    def evaluate(self, x: Float[Array, "*batch features"]) -> Float[Array, "*batch outputs"]:
        """The function along the last axis."""
        return jnp.concatenate([jax.nn.relu(x), jax.nn.relu(-x)], axis=-1)

    @property
    def facts(self) -> VectorFacts:
        """The columns of the Jacobian are orthonormal where no feature is 0."""
        return VectorFacts(1.0, HALF_LINE, 2.0, gradient_norm_preserving=True)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Householder(VectorActivation):
    """Each group z reflected, `z - 2 v (v.z)`, where v.z < 0, else kept; v is the learned normal, of any length but 0.

    Continuous, piecewise linear, orthogonal on each piece. With v = (1, -1) it is MaxMin.
    """

    normal: Any
    axis: int = field(default=-1, metadata={"static": True})
    name = "householder"
    source = "Singla, Singla & Feizi 2022, arXiv:2108.04062, eq. 8"

    def evaluate(self, x: Float[Array, "*batch features"]) -> Float[Array, "*batch outputs"]:
        """The function along the last axis."""
        v = jnp.asarray(self.normal, x.dtype)
        largest = jnp.max(jnp.abs(v))
        v = v / jax.lax.stop_gradient(jnp.where(largest > 0, largest, 1))  # the square is finite
        v = v / jnp.sqrt(jnp.maximum(jnp.sum(jnp.square(v)), jnp.finfo(x.dtype).tiny))
        z = groups(x, v.shape[0], self.name)
        across = jnp.minimum(jnp.sum(z * v.reshape((1,) * (z.ndim - 1) + v.shape), axis=-1, keepdims=True), 0)
        return (z - 2 * across * v.reshape((1,) * (z.ndim - 1) + v.shape)).reshape(x.shape)

    @property
    def facts(self) -> VectorFacts:
        """Orthogonal on each side of the mirror."""
        return VectorFacts(1.0, REALS, gradient_norm_preserving=True)


def groupsort(size: int = 2) -> GroupSort:
    """Sorts, ascending, each group of so many consecutive features.

    Raises:
        ValueError: size below 2.
    """
    if size < 2:
        raise ValueError(f"groupsort: size = {size}; a group has at least 2 features")
    return GroupSort(size)


def householder(normal: Any) -> Householder:
    """Reflects each group of `len(normal)` features that lies on the negative side of the normal.

    Raises:
        ValueError: not a vector, shorter than 2, or concretely zero or not finite.
    """
    if np.ndim(normal) != 1 or np.shape(normal)[0] < 2:
        raise ValueError(f"householder: normal of shape {np.shape(normal)}; needs a vector of at least 2 numbers")
    if not isinstance(normal, Tracer) and not (np.any(np.asarray(normal)) and np.all(np.isfinite(normal))):
        raise ValueError(f"householder: normal = {normal}; needs a finite direction other than 0")
    return Householder(jnp.asarray(normal, None if hasattr(normal, "dtype") else jnp.float32))


maxmin = GroupSort(2, descending=True)
crelu = CReLU()
