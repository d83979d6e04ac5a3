"""Nets: Flax NNX modules that take an activation, a function or a name."""

from actlab.nets.boxes import BoxError, boxes, logits_by_products
from actlab.nets.chain import Architecture, Chain, Flatten, Sequence, VectorNonlinearity
from actlab.nets.conv import ConvNet
from actlab.nets.head import Head
from actlab.nets.mlp import MLP
from actlab.nets.nonlinearity import Nonlinearity
from actlab.nets.orthogonal import OrthogonalLinear, OrthogonalPatches, bjorck, cayley

__all__ = [
    "MLP",
    "Architecture",
    "BoxError",
    "Chain",
    "ConvNet",
    "Flatten",
    "Head",
    "Nonlinearity",
    "OrthogonalLinear",
    "OrthogonalPatches",
    "Sequence",
    "VectorNonlinearity",
    "bjorck",
    "boxes",
    "cayley",
    "logits_by_products",
]
