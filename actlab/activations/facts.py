"""What is known of an activation: the facts that the parts of actlab ask for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jax
import numpy as np
from jax.core import Tracer

from actlab.activations.interval import Interval

Monotone = Literal["strictly increasing", "nondecreasing", "strictly decreasing", "nonincreasing", "none", "unknown"]
Standing = Literal["declared", "proved", "unknown"]
Gradient = Literal["exact", "surrogate"]


class FactError(ValueError):
    """An activation lacks a fact that a part needs; the message names the part, the fact and what would do."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Facts:
    """Facts about the ideal (real-number) formula of a scalar activation f, over all finite real inputs.

    Unknown is not no: a bound that is not known is `None`, and `standing` says where the others come from.
    A strictly monotone activation may still have slope 0 at single points (x^3) or in the limit (tanh).
    """

    range: Interval | None = None
    """Closed enclosure of the values f(x); its ends need not be attained."""
    slope: Interval | None = None
    """Enclosure of f'(x) away from the kinks; also of every difference quotient where f is continuous."""
    curvature: Interval | None = None
    """Enclosure of f''(x) away from the kinks."""
    kinks: tuple[Any, ...] | None = None
    """The points where f or f' is not smooth: a jump in f, f' or f''. None: not known."""
    smoothness: int | float | None = field(default=None, metadata={"static": True})
    """The largest k such that f is k times continuously differentiable; -1 discontinuous, `math.inf` smooth."""
    monotone: Monotone = field(default="unknown", metadata={"static": True})
    inverse: Callable[[Any], Any] | None = field(default=None, metadata={"static": True})
    """The inverse of f on its range, at the activation's parameters: a closed form, or `invert` for `bounded_slope`."""
    gradient: Gradient = field(default="exact", metadata={"static": True})
    """"surrogate" where the derivative that autodiff uses is deliberately not that of f."""
    standing: Standing = field(default="declared", metadata={"static": True})

    @property
    def increasing(self) -> bool:
        """Known to be nondecreasing, strictly or not."""
        return self.monotone in ("strictly increasing", "nondecreasing")

    @property
    def strictly_monotone(self) -> bool:
        """Known to be one to one."""
        return self.monotone in ("strictly increasing", "strictly decreasing")

    def lipschitz(self) -> Any:
        """The largest |f'|; infinity where the slope is unbounded or unknown, or f jumps."""
        if self.slope is None or self.smoothness is None or self.smoothness < 0:
            return math.inf
        return self.slope.magnitude

    def replace(self, **changes: Any) -> Facts:
        """A copy with these fields changed."""
        return replace(self, **changes)

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`: bounds as numbers or "inf"/"-inf", unknown ones as null."""

        def number(value: Any) -> Any:
            value = float(value)
            return ("inf" if value > 0 else "-inf") if math.isinf(value) else value

        def bounds(interval: Interval | None) -> Any:
            return None if interval is None else [number(interval.lower), number(interval.upper)]

        smoothness = None if self.smoothness is None else number(self.smoothness)
        return {
            "range": bounds(self.range),
            "slope": bounds(self.slope),
            "curvature": bounds(self.curvature),
            "smoothness": int(smoothness) if isinstance(smoothness, float) else smoothness,
            "kinks": None if self.kinks is None else [number(k) for k in self.kinks],
            "monotone": self.monotone,
            "gradient": self.gradient,
            "standing": self.standing,
        }


def certain(condition: Any) -> bool:
    """Whether a condition on parameters holds for all of them; of traced ones nothing is certain."""
    return not isinstance(condition, Tracer) and bool(np.all(condition))


UNKNOWN = Facts(standing="unknown")
"""The facts of a function that nobody has declared or proved anything about."""

SMOOTH = math.inf
"""Smoothness of an infinitely differentiable function."""

__all__ = ["SMOOTH", "UNKNOWN", "FactError", "Facts", "Gradient", "Monotone", "Standing", "certain"]
