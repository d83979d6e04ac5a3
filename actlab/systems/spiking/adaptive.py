"""LIF neurons whose threshold rises with each of their spikes and relaxes again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from actlab.activations.definition import aligned
from actlab.systems.spiking.lif import LIF, carried, emitted, input_gain
from actlab.systems.spiking.surrogates import SpikingError


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class AdaptiveLIF:
    """LIF with the threshold theta + strength a_t, where a_t = rho a_(t-1) + (1 - rho) s_(t-1).

    The reset takes off the threshold that was passed. With strength 0 it is the LIF.

    Attributes:
        lif: the neuron that adapts.
        adaptation_decay: rho, what a step leaves of a.
        strength: of the adaptation.

    Source: Bellec et al. 2018, arXiv:1803.09574, section 2.
    """

    lif: LIF = field(default_factory=LIF)
    adaptation_decay: Any = 0.98
    strength: Any = 1.8

    def __post_init__(self) -> None:
        if isinstance(self.adaptation_decay, (int, float)) and not 0 <= self.adaptation_decay <= 1:
            raise SpikingError(f"AdaptiveLIF: adaptation_decay = {self.adaptation_decay} must be between 0 and 1")

    def initial(self, shape: tuple[int, ...], dtype: Any = jnp.float32) -> tuple[Array, Array]:
        """Potential and adaptation before the first step: 0."""
        return jnp.zeros(shape, dtype), jnp.zeros(shape, dtype)

    def advance(self, state: tuple[Array, Array], current: Array) -> tuple[tuple[Array, Array], Array]:
        """One step: the new (potential, adaptation), and the spikes."""
        u, a = state
        u = carried(self._at(a), u) + input_gain(self.lif, current) * current
        rho = aligned(self.adaptation_decay, a)
        a = rho * a + (1 - rho) * emitted(self._at(a), state[0])
        return (u, a), emitted(self._at(a), u)

    def _at(self, a: Array) -> LIF:
        return replace(self.lif, threshold=aligned(self.lif.threshold, a) + aligned(self.strength, a) * a)
