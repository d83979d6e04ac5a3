"""Continual learning: what the activation of a net decides of its learning on and on, and of what it keeps."""

from actlab.systems.continual.online_learning import Course, Learner, error_at_end, error_at_start, online_learning
from actlab.systems.continual.plasticity import (
    constant_share,
    dormant_share,
    effective_rank,
    flat_share,
    stable_rank,
    weight_norm,
)
from actlab.systems.continual.slowly_changing_regression import Problem, examples

__all__ = [
    "Course",
    "Learner",
    "Problem",
    "constant_share",
    "dormant_share",
    "effective_rank",
    "error_at_end",
    "error_at_start",
    "examples",
    "flat_share",
    "online_learning",
    "stable_rank",
    "weight_norm",
]
