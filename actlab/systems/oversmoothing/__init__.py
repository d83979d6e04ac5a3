"""Oversmoothing: at which depth a graph net's nodes become alike, and weights that prevent it."""

from actlab.signal import effective_rank
from actlab.systems.oversmoothing.criticality import Pairing, graph_factors, pairing, set_critical
from actlab.systems.oversmoothing.kernel import collapse_depth, dual, kernel_spread
from actlab.systems.oversmoothing.law import ROUNDING_FLOOR, Collapse, variance_law
from actlab.systems.oversmoothing.measure import dirichlet_energy, rank_one_distance
from actlab.systems.oversmoothing.model import Trained, train
from actlab.systems.oversmoothing.prediction import Setting, Spread, collapse, law_errors
from actlab.systems.oversmoothing.problem import Problem
from actlab.systems.oversmoothing.readout import MEASURES, by_depth, ridge_accuracy
from actlab.systems.oversmoothing.recipe import Recipe
from actlab.systems.oversmoothing.simulation import first_preactivations, simulated_spread

__all__ = [
    "MEASURES",
    "ROUNDING_FLOOR",
    "Collapse",
    "Pairing",
    "Problem",
    "Recipe",
    "Setting",
    "Spread",
    "Trained",
    "by_depth",
    "collapse",
    "collapse_depth",
    "dirichlet_energy",
    "dual",
    "effective_rank",
    "first_preactivations",
    "graph_factors",
    "kernel_spread",
    "law_errors",
    "pairing",
    "rank_one_distance",
    "ridge_accuracy",
    "set_critical",
    "simulated_spread",
    "train",
    "variance_law",
]
