"""Robustness: nets trained for certificates, certificates of their classes in a ball, and attacks to refute them."""

from actlab.systems.robustness.attack import Attack, attacked, margin, project
from actlab.systems.robustness.certificates import (
    Certified,
    attacked_accuracy,
    ball_radii,
    box_margins,
    certified,
    spared,
)
from actlab.systems.robustness.margins import ball_margins, least, worst_cross_entropy
from actlab.systems.robustness.model import (
    METHODS,
    Problem,
    Recipe,
    activation_of,
    certified_activation,
    interval_margins,
    lipschitz_margins,
    problem,
    train_net,
    trained_net,
)

__all__ = [
    "METHODS",
    "Attack",
    "Certified",
    "Problem",
    "Recipe",
    "activation_of",
    "attacked",
    "attacked_accuracy",
    "ball_margins",
    "ball_radii",
    "box_margins",
    "certified",
    "certified_activation",
    "interval_margins",
    "least",
    "lipschitz_margins",
    "margin",
    "problem",
    "project",
    "spared",
    "train_net",
    "trained_net",
    "worst_cross_entropy",
]
