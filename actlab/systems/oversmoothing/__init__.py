"""Oversmoothing: at which depth a graph net's nodes become alike, and weights that prevent it."""

from actlab.systems.oversmoothing.criticality import Pairing, graph_factors, pairing, set_critical
from actlab.systems.oversmoothing.kernel import collapse_depth, dual, kernel_spread
from actlab.systems.oversmoothing.law import ROUNDING_FLOOR, Collapse, variance_law
from actlab.systems.oversmoothing.model import Recipe, Trained, train
from actlab.systems.oversmoothing.problem import Problem

__all__ = [
    "ROUNDING_FLOOR",
    "Collapse",
    "Pairing",
    "Problem",
    "Recipe",
    "Trained",
    "collapse_depth",
    "dual",
    "graph_factors",
    "kernel_spread",
    "pairing",
    "set_critical",
    "train",
    "variance_law",
]
