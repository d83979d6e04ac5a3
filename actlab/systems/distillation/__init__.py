"""Distillation: what a student of some activation can take over of a teacher's values, slopes and curvature."""

from actlab.systems.distillation.capability import (
    Capability,
    IncapableStudentWarning,
    capability,
    is_smooth,
    warn_incapable,
)
from actlab.systems.distillation.contest import contest
from actlab.systems.distillation.losses import hint, soft_and_hard, soft_targets
from actlab.systems.distillation.matching import (
    Derivatives,
    DistillationError,
    Errors,
    Sizes,
    derivatives,
    directions,
    estimated_errors,
    matching_loss,
    relative_errors,
    sizes,
)
from actlab.systems.distillation.model import REFERENCE, Recipe, distilled, points, reference_teacher

__all__ = [
    "REFERENCE",
    "Capability",
    "Derivatives",
    "DistillationError",
    "Errors",
    "IncapableStudentWarning",
    "Recipe",
    "Sizes",
    "capability",
    "contest",
    "derivatives",
    "directions",
    "distilled",
    "estimated_errors",
    "hint",
    "is_smooth",
    "matching_loss",
    "points",
    "reference_teacher",
    "relative_errors",
    "sizes",
    "soft_and_hard",
    "soft_targets",
    "warn_incapable",
]
