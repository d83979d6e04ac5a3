"""What a student can take over, from the facts of its activation alone: known before a step of training."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import actlab.activations as al
from actlab.activations import Activation
from actlab.systems.distillation.matching import DistillationError


class IncapableStudentWarning(UserWarning):
    """A derivative is to be matched that the student's does not have, whatever its weights."""


@dataclass(frozen=True)
class Capability:
    """The least relative error that any weights can reach, by the facts of the activation.

    Attributes:
        jacobian: 1 where the student is constant between its jumps, else 0: no bound.
        hessian: 1 where the student is a line between its kinks, else 0: no bound.
        because: the facts behind it, one sentence.
    """

    jacobian: float
    hessian: float
    because: str


def capability(student: Any) -> Capability:
    """What nets of linear layers and this activation can match: derivatives that are 0 stay 0 in every such net.

    Where a net's Hessian is 0 wherever it exists, `|0 - H|^2 / |H|^2` is exactly 1 for every teacher.

    Args:
        student: an Activation, a function or a name.

    Raises:
        FactError: the activation's gradients are not its derivatives, so that nothing can be matched by them.
    """
    f = al.as_activation(student)
    facts = f.facts
    if facts.gradient == "surrogate":
        raise al.FactError(
            f"{f.name} has surrogate gradients, which are not its derivatives, and slopes of it cannot be matched. "
            "What would do: its smooth version, or the activation without `with_surrogate`"
        )
    if _is_zero(facts.slope):
        return Capability(1.0, 1.0, f"the slope of {f.name} is 0 wherever it exists, and so is that of any net of it")
    if _is_zero(facts.curvature):
        return Capability(
            0.0, 1.0, f"the curvature of {f.name} is 0 wherever it exists, and so is the Hessian of any net of it"
        )
    return Capability(0.0, 0.0, f"{f.name} is not known to be a line between kinks")


def warn_incapable(student: Any, order: int) -> None:
    """Says, before training, that the student cannot match what it is asked to.

    Args:
        student: an Activation, a function or a name.
        order: highest derivative that is to be matched: 0 values, 1 slopes, 2 curvature.

    Raises:
        DistillationError: another order.
        FactError: as for `capability`.

    Warns:
        IncapableStudentWarning: the relative error of the highest derivative asked for is at least 1.
    """
    known = capability(student)
    floor = {0: 0.0, 1: known.jacobian, 2: known.hessian}.get(order)
    if floor is None:
        raise DistillationError(f"warn_incapable: order = {order!r}; known: 0, 1, 2")
    if floor:
        what = "slopes" if order == 1 else "curvature"
        warnings.warn(
            f"the student cannot match {what}: {known.because}. Its best relative error is exactly {floor:g}; take a "
            "smooth activation, or match derivatives of lower order",
            IncapableStudentWarning,
            stacklevel=3,
        )


def is_smooth(teacher: Activation) -> bool:
    """Whether a teacher of this activation has a slope everywhere: at a kink there is none to match."""
    smoothness = teacher.facts.smoothness
    return smoothness is not None and smoothness >= 1


def _is_zero(interval: Any) -> bool:
    return interval is not None and isinstance(interval.magnitude, (int, float)) and interval.magnitude == 0
