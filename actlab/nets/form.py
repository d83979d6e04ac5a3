"""A net in two parts: its form, which a compiled program is about, and its weights, on which the program acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from flax import nnx

from actlab.nets.chain import Chain


@dataclass(frozen=True, eq=False)
class Form:
    """Everything of a net but its weights: layers, and activations with the values of their parameters.

    Static under jit: facts of an activation are wanted as numbers, so its parameters must not be traced. Equal forms
    share one compiled program.
    """

    graphdef: Any
    rest: Any
    identity: tuple[Any, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Form) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)

    def net(self, weights: Any) -> Chain:
        """The net with these weights."""
        return nnx.merge(self.graphdef, weights, self.rest)


def parted(net: Chain) -> tuple[Form, Any]:
    """The form of a net, and its weights."""
    graphdef, weights, rest = nnx.split(net, nnx.Param, ...)
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(rest)]
    identity = (graphdef, *((v.dtype.name, v.shape, v.tobytes()) for v in leaves))
    return Form(graphdef, rest, identity), weights
