"""Outliers: bounded heads and bounded losses, what each bounds, and nets that learn from wrong labels."""

from actlab.systems.outliers.heads import bounded_head, concrete, is_bounded, linear_head, range_note
from actlab.systems.outliers.influence import (
    Bound,
    gaussian_efficiency,
    grid_supremum,
    influence_bound,
    label_gradient,
    last_layer_bound,
    require_bounded_influence,
)
from actlab.systems.outliers.losses import LOSSES, Loss, huber, mse, student_t, tanh_psi, tukey
from actlab.systems.outliers.model import Recipe, RobustNet, residual_scale, train_net, trimmed_loss
from actlab.systems.outliers.scale import mad, shorth, spread

__all__ = [
    "LOSSES",
    "Bound",
    "Loss",
    "Recipe",
    "RobustNet",
    "bounded_head",
    "concrete",
    "gaussian_efficiency",
    "grid_supremum",
    "huber",
    "influence_bound",
    "is_bounded",
    "label_gradient",
    "last_layer_bound",
    "linear_head",
    "mad",
    "mse",
    "range_note",
    "require_bounded_influence",
    "residual_scale",
    "shorth",
    "spread",
    "student_t",
    "tanh_psi",
    "train_net",
    "trimmed_loss",
    "tukey",
]
