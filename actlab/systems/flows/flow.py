"""Flows: densities of vectors as images of a standard normal, conditional if wanted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import distrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from actlab.activations import Interval
from actlab.systems.flows.bijector import Bijector, Conditioned, EventError, Inverted, VectorBijector
from actlab.systems.flows.conditioner import masked_perceptron, perceptron
from actlab.systems.flows.coupling import Autoregressive, Coupling, Featurewise
from actlab.systems.flows.mixing import mixing as mixing_of
from actlab.systems.flows.monotone import Mixture
from actlab.systems.flows.stack import Composed, Stack
from actlab.systems.flows.transforms import Transform


def _log_normal(z: Float[Array, "*batch features"]) -> Float[Array, "*batch"]:
    return -0.5 * (jnp.sum(z * z, -1) + z.shape[-1] * math.log(2 * math.pi))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Flow:
    """The density whose events `bijector` maps to standard normal noise.

    `bijector.forward` runs from data to noise, so that densities, and training, take the cheap direction.
    """

    bijector: VectorBijector

    @property
    def features(self) -> int:
        """Coordinates of an event."""
        return self.bijector.features

    @property
    def log_det_bounds(self) -> Interval:
        """Encloses log |det| of the map from data to noise, for every event and condition."""
        return self.bijector.log_det_bounds

    def log_prob(self, x: Any, condition: Any = None) -> Float[Array, "*batch"]:
        """Logarithm of the density, nats; NaN where the event is.

        Args:
            x: (*batch, features), float32 or float64.
            condition: (conditions,) or (*batch, conditions), where the flow takes one.

        Raises:
            EventError: shapes or dtypes that do not fit.
        """
        z, log_det = self.bijector.forward_and_log_det(x, condition)
        return _log_normal(z) + log_det

    def sample(self, key: Key[Array, ""], shape: int | tuple[int, ...] = (), condition: Any = None) -> Array:
        """Events of shape (*shape, features); `condition` is (conditions,) or (*shape, conditions)."""
        return self.sample_and_log_prob(key, shape, condition)[0]

    def sample_and_log_prob(
        self, key: Key[Array, ""], shape: int | tuple[int, ...] = (), condition: Any = None
    ) -> tuple[Float[Array, "*batch features"], Float[Array, "*batch"]]:
        """Events and the logarithm of their density, from one pass."""
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        z = jax.random.normal(key, (*shape, self.features))
        x, log_det = self.bijector.inverse_and_log_det(z, condition)
        return x, _log_normal(z) - log_det

    def distribution(self, condition: Any = None) -> distrax.Transformed:
        """As a distrax distribution; a condition of shape (conditions,) is fixed.

        Raises:
            EventError: a condition of another shape, or none where one is needed.
        """
        inverse: Bijector = Inverted(self.bijector)
        wanted = self.bijector.conditions
        if (None if condition is None else jnp.shape(condition)) != ((wanted,) if wanted else None):
            raise EventError(
                f"Flow.distribution: needs {f'a condition of shape ({wanted},)' if wanted else 'no condition'}"
            )
        if condition is not None:
            inverse = Conditioned(inverse, jnp.asarray(condition))
        noise = distrax.MultivariateNormalDiag(jnp.zeros(self.features), jnp.ones(self.features))
        return distrax.Transformed(noise, inverse)


PACE = 10.0
"""Of the functions of single features; see `Featurewise`."""

Layer = Callable[[Key[Array, ""]], VectorBijector]


def stacked(key: Key[Array, ""], layer: Layer, depth: int) -> Stack:
    """`depth` layers of one constructor, each from a key of its own."""
    if depth < 1:
        raise ValueError(f"a flow of {depth} layers; it needs at least 1")
    return Stack(jax.vmap(layer)(jax.random.split(key, depth)))


def coupling_flow(
    key: Key[Array, ""],
    features: int,
    *,
    conditions: int = 0,
    layers: int = 5,
    hidden: Sequence[int] = (64, 64),
    transform: Transform | None = None,
    featurewise: Transform | None = None,
    marginals: Transform | None = None,
    activation: Any = "relu",
    mixing: str = "lu",
) -> Flow:
    """Mixing and coupling in turn; each coupling copies half of the features and moves the other half.

    Args:
        key: of the initial parameters.
        features: coordinates of an event; at least 2, or 1 with conditions.
        conditions: numbers that the density depends on; 0 for none.
        layers: couplings.
        hidden: widths of each conditioner.
        transform: of the moved features; `Mixture()` where not given.
        featurewise: also a trained function for every feature, between mixing and coupling; none where not given.
        marginals: also a trained function for every feature of the data, before any mixing; none where not given. Few
            parameters find the atoms, gaps and tails of single features, which the couplings would learn by heart.
        activation: of the conditioners.
        mixing: "lu", "orthogonal", "cayley" or "permutation".

    Raises:
        ValueError: numbers that do not fit, or an unknown mixing.
    """
    if features < 1 or (features == 1 and not conditions):
        raise ValueError(f"coupling_flow: features = {features}; needs at least 2, or 1 and a condition")
    transform = Mixture() if transform is None else transform
    copied = features // 2
    sizes = (copied + conditions, *hidden, transform.outputs * (features - copied))

    def layer(key: Key[Array, ""]) -> VectorBijector:
        mixing_key, net_key = jax.random.split(key)
        mixed = mixing_of(mixing, mixing_key, features)
        coupling = Coupling(perceptron(net_key, sizes, activation), transform, features, copied, conditions)
        if featurewise is None:
            return Composed((mixed, coupling))
        bent = Featurewise(jnp.zeros((featurewise.outputs, features)), featurewise, features)
        return Composed((mixed, bent, coupling))

    return Flow(_after(marginals, stacked(key, layer, layers)))


def _after(marginals: Transform | None, layers: VectorBijector) -> VectorBijector:
    """The layers, after a function for each feature where one is given."""
    if marginals is None:
        return layers
    features = layers.features
    first = Featurewise(jnp.zeros((marginals.outputs, features)), marginals, features, PACE)
    return Composed((first, layers))


def autoregressive_flow(
    key: Key[Array, ""],
    features: int,
    *,
    conditions: int = 0,
    layers: int = 3,
    hidden: Sequence[int] = (64, 64),
    transform: Transform | None = None,
    marginals: Transform | None = None,
    activation: Any = "relu",
    mixing: str = "lu",
) -> Flow:
    """Mixing and masked autoregression in turn; samples cost `features` passes. Arguments as for `coupling_flow`."""
    if features < 1:
        raise ValueError(f"autoregressive_flow: features = {features} must be positive")
    transform = Mixture() if transform is None else transform

    def layer(key: Key[Array, ""]) -> VectorBijector:
        mixing_key, net_key = jax.random.split(key)
        net = masked_perceptron(net_key, features, conditions, hidden, transform.outputs, activation)
        return Composed((mixing_of(mixing, mixing_key, features), Autoregressive(net, transform, features, conditions)))

    return Flow(_after(marginals, stacked(key, layer, layers)))


def elementwise_flow(
    key: Key[Array, ""],
    features: int,
    *,
    layers: int = 5,
    transform: Transform | None = None,
    mixing: str = "orthogonal",
) -> Flow:
    """Mixing and a trained function for each feature in turn: the cheapest flow, without a conditioner.

    With orthogonal mixing every singular value of its Jacobian lies in [m^layers, M^layers].
    """
    transform = Mixture() if transform is None else transform

    def layer(key: Key[Array, ""]) -> VectorBijector:
        mixing_key, raw_key = jax.random.split(key)
        raw = 0.1 * jax.random.normal(raw_key, (transform.outputs, features))
        return Composed((mixing_of(mixing, mixing_key, features), Featurewise(raw, transform, features)))

    return Flow(stacked(key, layer, layers))
