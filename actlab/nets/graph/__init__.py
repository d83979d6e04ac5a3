"""Graph nets: convolutions, attention, their remedies for depth, and deep nets of them."""

from actlab.nets.graph.attention import GraphAttention, row_softmax
from actlab.nets.graph.convolutions import GraphConvolution, GraphIsomorphism, InitialResidual
from actlab.nets.graph.net import GraphNet, operator_for
from actlab.nets.graph.normalization import dropout, pair_norm

__all__ = [
    "GraphAttention",
    "GraphConvolution",
    "GraphIsomorphism",
    "GraphNet",
    "InitialResidual",
    "dropout",
    "operator_for",
    "pair_norm",
    "row_softmax",
]
