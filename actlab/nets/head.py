"""What a head is: the meaning of a network's raw outputs as a distribution of the target."""

from __future__ import annotations

import abc
import math
from typing import Any

from jaxtyping import Array, Float

Raw = Float[Array, "*batch outputs"]
Target = Float[Array, "*batch"]

LOG_TWO_PI = math.log(2.0 * math.pi)

Distribution = Any
"""A `distrax.Distribution`; named so that importing a head does not import distrax and its TFP substrate."""


class Head(abc.ABC):
    """`outputs` raw numbers a target, their distribution and its negative log-likelihood in closed form."""

    outputs: int

    @abc.abstractmethod
    def distribution(self, raw: Raw) -> Distribution:
        """The predicted distribution, a distrax one, of batch shape `*batch`."""

    @abc.abstractmethod
    def nll(self, raw: Raw, y: Target) -> Target:
        """-log p(y | raw), nats, elementwise over the batch."""
