"""Flows: bijectors whose slopes, log-determinants and round-trip errors are bounded before any event is seen."""

from actlab.systems.flows.bijector import (
    Bijector,
    Conditioned,
    EventError,
    Inverted,
    VectorBijector,
    limit,
)
from actlab.systems.flows.certificate import RoundTrip, round_trip, round_trip_by_depth, round_trip_error_by_depth
from actlab.systems.flows.composition import Composite, Composition
from actlab.systems.flows.conditioner import Conditioner, masked_perceptron, perceptron
from actlab.systems.flows.coupling import Autoregressive, Coupling, Featurewise
from actlab.systems.flows.elementwise import Elementwise, PerFeature, bijector
from actlab.systems.flows.flow import Flow, autoregressive_flow, coupling_flow, elementwise_flow, stacked
from actlab.systems.flows.head import FlowHead
from actlab.systems.flows.measure import Outcome, Recipe, on_toy, trainer
from actlab.systems.flows.mixing import LU, Cayley, Householder, Permutation, Rotation, mixing
from actlab.systems.flows.model import FlowModel, negative_log_likelihood, train_flow
from actlab.systems.flows.monotone import BoundedSlope, Copies, Mixture
from actlab.systems.flows.rational_quadratic import RationalQuadratic
from actlab.systems.flows.residual import Residual, residual
from actlab.systems.flows.slope_mixture import SlopeMixture, algebraic_sigmoid
from actlab.systems.flows.spline import Spline
from actlab.systems.flows.squash import Squash
from actlab.systems.flows.stack import Composed, Stack
from actlab.systems.flows.toys import TOYS, Toy, checkerboard, eight_gaussians, pinwheel
from actlab.systems.flows.transforms import Affine, Transform

__all__ = [
    "LU",
    "TOYS",
    "Affine",
    "Autoregressive",
    "Bijector",
    "BoundedSlope",
    "Cayley",
    "Composed",
    "Composite",
    "Composition",
    "Conditioned",
    "Conditioner",
    "Copies",
    "Coupling",
    "Elementwise",
    "EventError",
    "Featurewise",
    "Flow",
    "FlowHead",
    "FlowModel",
    "Householder",
    "Inverted",
    "Mixture",
    "Outcome",
    "PerFeature",
    "Permutation",
    "RationalQuadratic",
    "Recipe",
    "Residual",
    "Rotation",
    "RoundTrip",
    "SlopeMixture",
    "Spline",
    "Squash",
    "Stack",
    "Toy",
    "Transform",
    "VectorBijector",
    "algebraic_sigmoid",
    "autoregressive_flow",
    "bijector",
    "checkerboard",
    "coupling_flow",
    "eight_gaussians",
    "elementwise_flow",
    "limit",
    "masked_perceptron",
    "mixing",
    "negative_log_likelihood",
    "on_toy",
    "perceptron",
    "pinwheel",
    "residual",
    "round_trip",
    "round_trip_by_depth",
    "round_trip_error_by_depth",
    "stacked",
    "train_flow",
    "trainer",
]
