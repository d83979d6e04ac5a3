"""Robustness: nets trained for certificates, certificates of their classes in a ball, and attacks to refute them."""

from actlab.systems.robustness.attack import Attack, attacked, margin, project
from actlab.systems.robustness.certificates import (
    BOUNDS,
    Certified,
    ball_radii,
    box_margins,
    certified,
    clean_margins,
)
from actlab.systems.robustness.falsification import attacked_accuracy, spared
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
    "BOUNDS",
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
    "clean_margins",
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
