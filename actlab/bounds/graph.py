"""A network as bounds see it: a directed acyclic graph of affine maps, activations and maximum pools."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array

from actlab.activations import Activation, FactError, Facts

Linear = Callable[..., Array]


@dataclass(frozen=True, eq=False)
class Convolution:
    """What the norm of a convolution needs: its kernel (*space, inputs, outputs), the image's shape, the strides."""

    kernel: Array
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Affine:
    """`linear(x_1, ..., x_k) + offset` of k earlier nodes."""

    linear: Linear
    absolute: Linear
    """The same map with the absolute values of its weights."""
    offset: Array | None
    terms: int
    """The most products that one output sums; 0 where every output is one of the inputs, or 0."""
    monotone: bool
    """No weight is negative."""
    largest: Any = 1.0
    """The largest absolute weight."""
    fan_out: int = 1
    """The most outputs that one input reaches."""
    convolution: Convolution | None = None


@dataclass(frozen=True, eq=False)
class Elementwise:
    """An activation with its facts."""

    activation: Activation
    facts: Facts


@dataclass(frozen=True, eq=False)
class Maximum:
    """Maxima over windows, or over axes; `function` is exact, monotone, and has a derivative."""

    function: Callable[[Array], Array]
    overlap: int
    """The most windows that one input is in."""


Operation = Affine | Elementwise | Maximum | None


@dataclass(frozen=True, eq=False)
class Node:
    """One value of the network: its shape, the operation that makes it, and the nodes that this one reads."""

    shape: tuple[int, ...]
    operation: Operation
    inputs: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Network:
    """Nodes in the order of computation: the input first; `output` is the index of the result.

    Speaks of one example: node 0 has the shape of an input without its batch axis. Weights may be traced, so that a
    network can be made inside `jit` or `grad` of the model's parameters.
    """

    nodes: tuple[Node, ...]
    output: int
    dtype: Any

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one example."""
        return self.nodes[0].shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Of one example's result."""
        return self.nodes[self.output].shape

    @functools.cached_property
    def activations(self) -> tuple[int, ...]:
        """The indices of the nodes that are not affine."""
        return tuple(i for i, n in enumerate(self.nodes) if isinstance(n.operation, (Elementwise, Maximum)))


def known_facts(activation: Activation) -> Facts:
    """The facts of an activation, evaluated now where its parameters are numbers.

    Raises:
        FactError: nothing is known of it.
    """
    leaves = jax.tree.leaves(activation)
    if any(isinstance(leaf, Tracer) for leaf in leaves):
        facts = activation.facts
    else:
        with jax.ensure_compile_time_eval():
            facts = jax.tree.map(lambda v: float(v) if jnp.ndim(v) == 0 else v, activation.facts)
    if facts.standing == "unknown" or (facts.slope is None and facts.range is None and facts.monotone == "unknown"):
        raise FactError(
            f"bounds rest on facts, and of {activation!r} none is known. Have them proved: "
            "actlab.proofs.certify(f) returns the activation with proved facts; or declare them: "
            "activation(facts=Facts(...))"
        )
    return facts


def fused(nodes: Sequence[Node], output: int) -> tuple[tuple[Node, ...], int]:
    """Selections and offsets merged into the affine map before them, and what the output does not need left out."""
    merged = list(nodes)
    readers = [0] * len(merged)
    for node in merged:
        for i in node.inputs:
            readers[i] += 1
    for k, node in enumerate(merged):
        if not isinstance(node.operation, Affine) or len(node.inputs) != 1:
            continue
        before = merged[node.inputs[0]]
        if isinstance(before.operation, Affine) and readers[node.inputs[0]] == 1:
            operation = _composed(node.operation, before.operation)
            if operation is not None:
                merged[k] = Node(node.shape, operation, before.inputs)
    return _pruned(merged, output)


def _composed(outer: Affine, inner: Affine) -> Affine | None:
    """One affine map for two where that loses nothing: one of them only selects."""
    if outer.terms and (inner.terms or inner.offset is not None):
        return None
    offset = None if inner.offset is None else outer.linear(inner.offset)
    if outer.offset is not None:
        offset = outer.offset if offset is None else offset + outer.offset
    return Affine(
        linear=lambda *x: outer.linear(inner.linear(*x)),
        absolute=lambda *x: outer.absolute(inner.absolute(*x)),
        offset=offset,
        terms=max(outer.terms, inner.terms),
        monotone=outer.monotone and inner.monotone,
        largest=jnp.maximum(outer.largest, inner.largest),
        fan_out=outer.fan_out * inner.fan_out,
        convolution=outer.convolution or inner.convolution,
    )


def _pruned(nodes: Sequence[Node], output: int) -> tuple[tuple[Node, ...], int]:
    needed = {0, output}
    for k in reversed(range(len(nodes))):
        if k in needed:
            needed.update(nodes[k].inputs)
    order = sorted(needed)
    place = {old: new for new, old in enumerate(order)}
    kept = tuple(replace(nodes[k], inputs=tuple(place[i] for i in nodes[k].inputs)) for k in order)
    return kept, place[output]
