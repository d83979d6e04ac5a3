"""The derivative audit: the derivative that autodiff uses, against the proved derivative of the function.

A custom rule (`custom_jvp`, `custom_vjp`, an Activation's own closed form) may be anything. Its formula and the
function's true derivative are enclosed on a fine cover of a box, which bounds their difference there; beyond, and
where the rule cannot be enclosed, both are compared at many points. A rule that differs is a surrogate, and is named
one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from actlab.activations import Activation
from actlab.activations.facts import Gradient
from actlab.activations.lookup import as_activation
from actlab.proofs.enclosure import Evaluator
from actlab.proofs.ends import FloatEnds
from actlab.proofs.errors import UnsupportedPrimitiveError
from actlab.proofs.executed import value_and_slope
from actlab.proofs.search import Boxes, evaluated
from actlab.proofs.trace import formula_of, traced

TOLERANCE = 1e-6
"""Relative to max(1, |f'|): executed in float64, an honest rule is nearer; beyond, it is another function."""
BOXES = 1 << 14


@dataclass(frozen=True)
class DerivativeAudit:
    """What became of comparing a derivative rule with the derivative."""

    name: str
    gradient: Gradient
    how: Literal["proved", "sampled"]
    """Whether the difference is bounded on the whole box, or seen at points alone."""
    box: tuple[float, float]
    bound: float | None
    """On the box, away from the kinks, |rule - f'| is at most this; None where it is not proved."""
    worst: float
    """The largest difference at a point that was tried, relative to max(1, |f'|)."""
    worst_at: float
    rule: float
    derivative: float
    points: int
    reason: str = ""
    """Why nothing is proved."""

    def __str__(self) -> str:
        seen = f"{self.points} points differ by at most {self.worst:.2g}"
        if self.gradient == "surrogate":
            return f"surrogate: {self.rule:.6g} where the slope is {self.derivative:.6g}, at x = {self.worst_at:.6g}"
        if self.bound is not None:
            return f"exact: within {self.bound:.2g} of f' on [{self.box[0]:g}, {self.box[1]:g}], proved; {seen}"
        return f"exact, as far as sampled: {seen} ({self.reason})"

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"box": list(self.box)}


def audit_derivative(
    f: Activation | Callable[[Any], Any] | str, *, box: tuple[float, float] = (-20.0, 20.0)
) -> DerivativeAudit:
    """Compares the derivative that autodiff uses with enclosures of the derivative of the function itself.

    Args:
        f: an Activation, an elementwise function, or a name.
        box: where the difference is bounded, if both can be enclosed.

    Raises:
        UnsupportedPrimitiveError: the function itself cannot be enclosed.
    """
    act = as_activation(f)
    truth = Evaluator(traced(formula_of(act), name=act.name), FloatEnds())
    points = _points(box)
    rule = _executed(act, points)
    low, high, usable = _enclosed(truth, points)
    with np.errstate(all="ignore"):
        gap = np.maximum(0, np.maximum(low - rule, rule - high)) / np.maximum(1, np.minimum(np.abs(low), np.abs(high)))
    gap = np.where(usable, np.where(np.isnan(rule), np.inf, gap), 0)
    k = int(np.argmax(gap))
    surrogate = bool(gap[k] > TOLERANCE)
    bound, reason = (None, "it differs") if surrogate else _bound(act, truth, box)
    return DerivativeAudit(
        act.name,
        "surrogate" if surrogate else "exact",
        "sampled" if bound is None else "proved",
        box,
        bound,
        float(gap[k]),
        float(points[k]),
        float(rule[k]),
        float((low[k] + high[k]) / 2),
        int(usable.sum()),
        reason,
    )


def _points(box: tuple[float, float]) -> np.ndarray:
    """Dense on the box, geometric beyond and towards 0; none of them a likely kink."""
    dense = np.linspace(*box, 20011) + 1.2345e-7
    far = np.geomspace(1e-30, 1e30, 2411) * 1.000123
    return np.sort(np.concatenate([dense, far, -far]))


def _executed(act: Activation, points: np.ndarray) -> np.ndarray:
    with jax.enable_x64(True):
        return np.asarray(jax.jit(_rule_of(act))(jnp.asarray(points, jnp.float64)))


def _enclosed(evaluator: Evaluator, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Enclosures of f' on a tiny box right of each point, and where they are sharp enough to judge by."""
    right = points + np.maximum(np.abs(points) * 1e-12, 1e-300)
    with np.errstate(all="ignore"):
        found = evaluated(evaluator, points, right)
        low, high = found.low[1], found.high[1]
        sharp = high - low <= TOLERANCE * np.maximum(1, np.minimum(np.abs(low), np.abs(high)))
    return low, high, np.isfinite(low) & np.isfinite(high) & sharp & ~found.rough & ~found.undefined


def _bound(act: Activation, truth: Evaluator, box: tuple[float, float]) -> tuple[float | None, str]:
    """A bound of |rule - f'| on the box, from enclosures of both on many boxes; else None and the reason."""
    try:
        formula = Evaluator(traced(_rule_of(act), name=f"the derivative of {act.name}"), FloatEnds())
    except UnsupportedPrimitiveError as error:
        return None, str(error).partition(";")[0]
    kinks = [float(k) for k in np.ravel(np.asarray(act.facts.kinks or ()))]
    edges = np.unique(np.concatenate([np.linspace(*box, BOXES + 1), [k for k in kinks if box[0] < k < box[1]]]))
    left, right = edges[:-1], edges[1:]
    with np.errstate(all="ignore"):
        derivative, rule = evaluated(truth, left, right), evaluated(formula, left, right)
        gap = _widest(derivative, rule)
    at = int(np.argmax(gap))
    if not math.isfinite(gap[at]):
        return None, f"not enclosed on [{left[at]:.4g}, {right[at]:.4g}]"
    return float(gap[at]), ""


def _widest(derivative: Boxes, rule: Boxes) -> np.ndarray:
    gap = np.maximum(rule.high[0] - derivative.low[1], derivative.high[1] - rule.low[0])
    return np.where(np.isnan(gap) | derivative.undefined | rule.undefined, np.inf, np.nextafter(gap, np.inf))


def _rule_of(act: Activation) -> Callable[[Any], Any]:
    both = value_and_slope(act)
    return lambda x: both(x)[1]
