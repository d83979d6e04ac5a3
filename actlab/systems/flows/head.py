"""A flow as a head: a network's raw outputs choose a monotone function of the target, and so a density of any shape."""

from __future__ import annotations

from dataclasses import dataclass, field

import distrax
import jax
import jax.numpy as jnp

from actlab.nets.head import LOG_TWO_PI, Distribution, Head, Raw, Target
from actlab.systems.flows.bijector import Inverted
from actlab.systems.flows.elementwise import Elementwise, value_and_log_slope
from actlab.systems.flows.monotone import Mixture
from actlab.systems.flows.transforms import Transform


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FlowHead(Head):
    """The target is the preimage of standard normal noise under the transform that the raw outputs choose.

    With a `Mixture` the density can be skewed or have several modes; its logarithm differs from that of a Gaussian of
    the same noise by a log-slope in [log m, log M].

    Attributes:
        transform: of the target; standardize targets to about unit variance.
    """

    transform: Transform = field(default_factory=Mixture, metadata={"static": True})

    @property
    def outputs(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """As the transform asks."""
        return self.transform.outputs

    def _chosen(self, raw: Raw) -> Elementwise:
        raw = raw if raw.dtype.itemsize >= 4 else raw.astype(jnp.float32)
        return Elementwise(self.transform.bind(jnp.moveaxis(raw, -1, 0)))

    def distribution(self, raw: Raw) -> Distribution:
        """distrax.Transformed: `sample`, `log_prob` and `sample_and_log_prob`."""
        shape = raw.shape[:-1]
        return distrax.Transformed(distrax.Normal(jnp.zeros(shape), jnp.ones(shape)), Inverted(self._chosen(raw)))

    def nll(self, raw: Raw, y: Target) -> Target:
        """Half the square of the noise that y stands for, minus the log-slope there, plus the constant."""
        z, log_slope = value_and_log_slope(self._chosen(raw).activation, y)
        return 0.5 * (z * z + LOG_TWO_PI) - log_slope
