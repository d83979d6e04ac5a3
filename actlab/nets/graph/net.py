"""A deep graph net: one scan over stacked layers, so that compile time does not grow with depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Key

from actlab.data.graph import Graph
from actlab.data.sparse import Sparse
from actlab.nets.graph.attention import GraphAttention
from actlab.nets.graph.convolutions import GraphConvolution, GraphIsomorphism, InitialResidual, glorot
from actlab.nets.graph.normalization import PairNorm, dropout, pair_norm
from actlab.nets.nonlinearity import Nonlinearity

Kind = Literal["gcn", "gat", "gatv2", "gin", "gcnii"]


def operator_for(kind: Kind, graph: Graph, loop: float = 1.0) -> Sparse:
    """The matrix that layers of this kind take: normalized, with loops for attention, plain for GIN.

    Args:
        kind: of the layers.
        graph: of the nodes.
        loop: weight of the self-loops, of "gcn" and "gcnii"; see `Graph.normalized`.

    Raises:
        ValueError: a weight for layers that have none.
        GraphError: a weight that is not positive.
    """
    if kind in ("gcn", "gcnii"):
        return graph.normalized(loop)
    if loop != 1:
        raise ValueError(f'operator_for: loop = {loop} is for "gcn" and "gcnii"; layers of kind {kind} weigh no loops')
    return graph.adjacency if kind == "gin" else graph.with_loops()


class GraphNet(nnx.Module):
    """Graph layers of one kind with an activation after each but the last.

    "gcn", "gat", "gatv2", "gin": layers inputs -> width -> ... -> width -> outputs, `depth` of them. "gcnii": a linear
    layer to the width, `depth` layers, a linear layer to the outputs. The layers of equal shape are one module whose
    parameters have a leading axis, run by `lax.scan`.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        outputs: int,
        depth: int,
        activation: Any,
        *,
        rngs: nnx.Rngs,
        kind: Kind = "gcn",
        residual: bool = False,
        norm: PairNorm | None = None,
        rate: float = 0.0,
        inner_rate: float | None = None,
        trainable: bool = False,
        **options: Any,
    ):
        """Builds the net; kernels start as published (Glorot's; see `critical` for another start).

        Args:
            inputs: features of a node.
            width: channels of the hidden layers.
            outputs: classes.
            depth: number of layers; at least 2 (1 for "gcnii").
            activation: an Activation, a function of one array, or a name; one, shared by all layers.
            rngs: its `params` stream is drawn from.
            kind: of the layers.
            residual: hidden layers add their input.
            norm: PairNorm before the activation of the hidden layers.
            rate: of the dropout before every layer, where a key is given.
            inner_rate: another rate before the hidden layers; None: the same.
            trainable: the activation's parameters are trained with the net (as `nnx.Param`).
            **options: of the hidden layers: `heads`, `score` (attention), `alpha`, `decay` ("gcnii").

        Raises:
            ValueError: sizes or a depth that make no net.
            TypeError: an option that layers of this kind do not have.
        """
        least = 1 if kind == "gcnii" else 2
        if depth < least or min(inputs, width, outputs) < 1:
            sizes = f"inputs = {inputs}, width = {width}, outputs = {outputs}, depth = {depth}"
            raise ValueError(f"GraphNet: {sizes}: sizes must be positive and the depth of {kind} at least {least}")
        self.nonlinearity = Nonlinearity(activation, trainable=trainable)
        self.first, self.last = _ends(kind, inputs, width, outputs, rngs, options)
        self.hidden = _stacked(_hidden(kind, width, options), depth if kind == "gcnii" else depth - 2, rngs)
        self.kind: Kind = kind
        self.residual = residual
        self.norm: PairNorm | None = norm
        self.rate = rate
        self.inner_rate = rate if inner_rate is None else inner_rate

    def __call__(
        self, operator: Sparse, x: Any, key: Key[Array, ""] | None = None, mask: Any = None
    ) -> Float[Array, "nodes outputs"]:
        """The logits.

        Args:
            operator: `operator_for(kind, graph)`.
            x: features, dense (nodes, inputs) or `Sparse`.
            key: of the dropout; None: none.
            mask: 1 for real nodes, 0 for padding; only PairNorm asks.
        """
        keys = (None,) * 3 if key is None else tuple(jax.random.split(key, 3))
        h = self.nonlinearity(self._end(self.first, operator, _dropped(x, keys[0], self.rate)))
        h, _ = self._scan(operator, h, keys[1], mask, keep=False)
        return self._end(self.last, operator, _dropped(h, keys[2], self.rate))

    def states(self, operator: Sparse, x: Any, mask: Any = None) -> Float[Array, "layers nodes width"]:
        """What leaves the first and every hidden layer, activation applied."""
        h = self.nonlinearity(self._end(self.first, operator, x))
        _, states = self._scan(operator, h, None, mask, keep=True)
        return jnp.concatenate([h[None], states])

    def _scan(self, operator: Sparse, h: Array, key: Any, mask: Any, keep: bool) -> tuple[Array, Any]:
        if self.hidden is None:
            return h, jnp.zeros((0, *h.shape), h.dtype)
        graphdef, stacked = nnx.split(self.hidden)
        depth = jax.tree.leaves(stacked)[0].shape[0]
        keys = None if key is None else jax.random.split(key, depth)

        def layer(carry: Array, this: tuple[Any, Any]) -> tuple[Array, Any]:
            state, key = this
            y = nnx.merge(graphdef, state)(operator, _dropped(carry, key, self.inner_rate), h, self.nonlinearity)
            y = y if self.norm is None else pair_norm(y, self.norm, mask=mask)
            y = self.nonlinearity(y)
            y = carry + y if self.residual else y
            return y, y if keep else None

        return jax.lax.scan(layer, h, (stacked, keys))

    def _end(self, layer: Any, operator: Sparse, x: Any) -> Array:
        return layer(x) if isinstance(layer, Linear) else layer(operator, x, None, self.nonlinearity)


class Linear(nnx.Module):
    """x W + b, x dense or sparse."""

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs):
        """Glorot's kernel, bias 0."""
        self.kernel = nnx.Param(glorot(rngs.params(), inputs, outputs))
        self.bias = nnx.Param(jnp.zeros(outputs))

    def __call__(self, x: Any) -> Float[Array, "nodes outputs"]:
        """X W + b."""
        return x @ self.kernel[...] + self.bias[...][None]


def _dropped(x: Any, key: Any, rate: float) -> Any:
    return x if key is None or rate == 0 else dropout(key, x, rate)


def _ends(
    kind: Kind, inputs: int, width: int, outputs: int, rngs: nnx.Rngs, options: dict[str, Any]
) -> tuple[nnx.Module, nnx.Module]:
    if kind == "gcnii":
        return Linear(inputs, width, rngs=rngs), Linear(width, outputs, rngs=rngs)
    if kind in ("gat", "gatv2"):
        second, score = kind == "gatv2", options.get("score")
        first = GraphAttention(inputs, width, rngs=rngs, second=second, **options)
        return first, GraphAttention(width, outputs, rngs=rngs, second=second, average=True, score=score)
    layer = {"gcn": GraphConvolution, "gin": GraphIsomorphism}[kind]
    return layer(inputs, width, rngs=rngs, **options), layer(width, outputs, rngs=rngs)


def _hidden(kind: Kind, width: int, options: dict[str, Any]) -> Callable[[nnx.Rngs, Any], nnx.Module]:
    if kind == "gcnii":
        return lambda rngs, number: InitialResidual(width, number, rngs=rngs, **options)
    if kind in ("gat", "gatv2"):
        return lambda rngs, number: GraphAttention(width, width, rngs=rngs, second=kind == "gatv2", **options)
    layer = {"gcn": GraphConvolution, "gin": GraphIsomorphism}[kind]
    return lambda rngs, number: layer(width, width, rngs=rngs, **options)


def _stacked(make: Callable[[nnx.Rngs, Any], Any], depth: int, rngs: nnx.Rngs) -> Any:
    """`depth` layers as one module, whose every variable has a leading axis; None for no layer."""
    if depth == 0:
        return None
    keys = jax.random.split(rngs.params(), depth)
    graphdef = nnx.graphdef(make(nnx.Rngs(params=keys[0]), 1))
    states = jax.vmap(lambda key, number: nnx.state(make(nnx.Rngs(params=key), number)))(keys, jnp.arange(depth) + 1.0)
    return nnx.merge(graphdef, states)
