"""What every bijector here is: a distrax one, a pytree, conditional if wanted, with bounds of its log-determinant."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import Any

import distrax
import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from actlab.activations import Interval

Columns = Float[Array, "features n"]
Context = Float[Array, "conditions n"]
LogDet = Float[Array, " n"]

EXPONENT_OF_LIMIT = {4: 60, 8: 500}
"""Events are saturated at 2^60 = 1.2e18 in float32, whose squares are still finite, and at 2^500 in float64."""


class EventError(ValueError):
    """Events or conditions that a flow cannot take; the message names the shape or dtype and the remedy."""


def limit(dtype: Any) -> float:
    """The largest magnitude of a coordinate; beyond it an event counts as this, with gradient 0."""
    return 2.0 ** EXPONENT_OF_LIMIT[jnp.dtype(dtype).itemsize]


def saturated(x: Array) -> Array:
    """`x` inside the limits of its dtype; NaN stays NaN."""
    largest = limit(x.dtype)
    return jnp.clip(x, -largest, largest)


def checked(x: Any, name: str, what: str = "events") -> Array:
    """A float32 or float64 array.

    Raises:
        EventError: another dtype. In 16 bits a log-determinant has an error of the size of a nat.
    """
    x = jnp.asarray(x)
    if x.dtype not in (jnp.float32, jnp.float64):
        raise EventError(
            f"{name}: {what} of dtype {x.dtype}; a log-determinant needs float32 or float64: x.astype(jnp.float32)"
        )
    return x


class Bijector(distrax.Bijector):
    """A distrax bijector that is a dataclass pytree, takes a condition and states bounds of its log-determinant.

    NaN goes through: an event with a NaN has NaN as its image and as its log-determinant, never a number.
    """

    @property
    @abc.abstractmethod
    def event_ndims_in(self) -> int:
        """0 for scalar bijectors, 1 for those of vectors."""

    @property
    def event_ndims_out(self) -> int:
        """As `event_ndims_in`."""
        return self.event_ndims_in

    @property
    def is_constant_jacobian(self) -> bool:
        """Not known to be."""
        return False

    @property
    def is_constant_log_det(self) -> bool:
        """Not known to be."""
        return False

    @property
    @abc.abstractmethod
    def log_det_bounds(self) -> Interval:
        """Encloses the forward log-determinant of every event, at the present parameters, before any is seen."""

    @abc.abstractmethod
    def forward_and_log_det(self, x: Any, condition: Any = None) -> tuple[Array, Array]:
        """The image of x and log |det| of the Jacobian there."""

    @abc.abstractmethod
    def inverse_and_log_det(self, y: Any, condition: Any = None) -> tuple[Array, Array]:
        """The x with that image and log |det| of the inverse's Jacobian."""

    def forward(self, x: Any, condition: Any = None) -> Array:
        """The image of x."""
        return self.forward_and_log_det(x, condition)[0]

    def inverse(self, y: Any, condition: Any = None) -> Array:
        """The x with that image."""
        return self.inverse_and_log_det(y, condition)[0]

    def forward_log_det_jacobian(self, x: Any, condition: Any = None) -> Array:
        """Log |det| of the Jacobian at x."""
        return self.forward_and_log_det(x, condition)[1]

    def inverse_log_det_jacobian(self, y: Any, condition: Any = None) -> Array:
        """Log |det| of the inverse's Jacobian at y."""
        return self.inverse_and_log_det(y, condition)[1]


class VectorBijector(Bijector):
    """A bijector of vectors, by its maps of columns: features along the first axis, events along the last.

    On a CPU this layout lets every elementwise operation run over contiguous events.
    """

    features: int
    conditions: int = 0

    @property
    def event_ndims_in(self) -> int:
        """Vectors."""
        return 1

    @abc.abstractmethod
    def forward_columns(self, x: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """The images and their log-determinants."""

    @abc.abstractmethod
    def inverse_columns(self, y: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """The preimages and the log-determinants of the inverse."""

    @property
    def inverse_lipschitz(self) -> Any:
        """Bounds the Euclidean length of the inverse's change over that of its argument's; infinity: not known."""
        return math.inf

    def prepared(self) -> VectorBijector:
        """The same map with what depends on the parameters alone already computed; a stack asks before its scan."""
        return self

    def forward_and_log_det(self, x: Any, condition: Any = None) -> tuple[Array, Array]:
        """Images of shape (*batch, features) and log-determinants of shape (*batch,).

        Args:
            x: events, (*batch, features), float32 or float64; saturated at `limit`, as their images are.
            condition: (conditions,) for all events, or (*batch, conditions); None where the bijector takes none.

        Raises:
            EventError: another shape or dtype, or a condition where none is taken, or none where one is.
        """
        return self._over_columns(lambda layer: layer.forward_columns, x, condition)

    def inverse_and_log_det(self, y: Any, condition: Any = None) -> tuple[Array, Array]:
        """Preimages and the inverse's log-determinants; arguments and errors as for `forward_and_log_det`."""
        return self._over_columns(lambda layer: layer.inverse_columns, y, condition)

    def _over_columns(self, direction: Any, x: Any, condition: Any) -> tuple[Array, Array]:
        x = checked(x, self.name)
        if x.ndim < 1 or x.shape[-1] != self.features:
            raise EventError(
                f"{self.name}: events of shape {x.shape}; the last axis must have the {self.features} features"
            )
        batch = x.shape[:-1]
        columns = saturated(x).reshape(-1, self.features).T
        context = self._context(condition, batch, x.dtype)
        y, log_det = direction(self.prepared())(columns, context)
        return saturated(y).T.reshape(x.shape), log_det.reshape(batch)

    def _context(self, condition: Any, batch: tuple[int, ...], dtype: Any) -> Array | None:
        if condition is None:
            if self.conditions:
                raise EventError(f"{self.name}: needs a condition of {self.conditions} numbers for each event")
            return None
        condition = checked(condition, self.name, "conditions").astype(dtype)
        if not self.conditions:
            raise EventError(f"{self.name}: takes no condition, got one of shape {condition.shape}")
        if condition.shape not in ((self.conditions,), (*batch, self.conditions)):
            raise EventError(
                f"{self.name}: a condition of shape {condition.shape} for events of batch shape {batch}; it must be "
                f"({self.conditions},) or {(*batch, self.conditions)}"
            )
        return jnp.broadcast_to(condition, (*batch, self.conditions)).reshape(-1, self.conditions).T


class Unprepared(VectorBijector):
    """A bijector that maps as what `prepared` makes of it does."""

    @abc.abstractmethod
    def prepared(self) -> VectorBijector:
        """The same map with what depends on the parameters alone already computed: another bijector."""

    def forward_columns(self, x: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """Those of the prepared map."""
        return self.prepared().forward_columns(x, context)

    def inverse_columns(self, y: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """Those of the prepared map."""
        return self.prepared().inverse_columns(y, context)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Inverted(Bijector):
    """The inverse of a bijector."""

    bijector: Bijector

    @property
    def event_ndims_in(self) -> int:
        """As the bijector's."""
        return self.bijector.event_ndims_in

    @property
    def log_det_bounds(self) -> Interval:
        """The negatives."""
        return -self.bijector.log_det_bounds

    def forward_and_log_det(self, x: Any, condition: Any = None) -> tuple[Array, Array]:
        """The bijector's inverse."""
        return self.bijector.inverse_and_log_det(x, condition)

    def inverse_and_log_det(self, y: Any, condition: Any = None) -> tuple[Array, Array]:
        """The bijector's forward map."""
        return self.bijector.forward_and_log_det(y, condition)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Conditioned(Bijector):
    """A bijector at a fixed condition: what distrax's Chain and Transformed, which know of none, can take."""

    bijector: Bijector
    condition: Any

    @property
    def event_ndims_in(self) -> int:
        """As the bijector's."""
        return self.bijector.event_ndims_in

    @property
    def log_det_bounds(self) -> Interval:
        """As the bijector's."""
        return self.bijector.log_det_bounds

    def forward_and_log_det(self, x: Any, condition: Any = None) -> tuple[Array, Array]:
        """The image at the fixed condition; another one is refused."""
        return self.bijector.forward_and_log_det(x, self._only(condition))

    def inverse_and_log_det(self, y: Any, condition: Any = None) -> tuple[Array, Array]:
        """The preimage at the fixed condition; another one is refused."""
        return self.bijector.inverse_and_log_det(y, self._only(condition))

    def _only(self, condition: Any) -> Any:
        if condition is not None:
            raise EventError("Conditioned: its condition is fixed; give another one to the bijector inside")
        return self.condition


def total(bounds: Interval) -> Interval:
    """The sum of bounds along all axes of their ends."""
    return Interval(jnp.sum(jnp.asarray(bounds.lower)), jnp.sum(jnp.asarray(bounds.upper)))


def concrete(*values: Any) -> bool:
    """Whether none is traced, so that Python may look."""
    return not any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))
