"""Nets: Flax NNX modules that take an activation, a function or a name."""

from actlab.nets.conv import ConvNet
from actlab.nets.head import Head
from actlab.nets.mlp import MLP
from actlab.nets.nonlinearity import Nonlinearity

__all__ = ["MLP", "ConvNet", "Head", "Nonlinearity"]
