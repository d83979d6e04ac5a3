"""The facts of an activation as a reader sees them: what is known, how surely, and what samples show besides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from actlab.report.likeness import outside, seen
from actlab.report.numbers import bound, number
from actlab.report.profile import Profile
from actlab.report.sentences import count

UNKNOWN = "not known"
KINKS_SHOWN = 8
NAMES = {"range": ("Range", "value"), "slope": ("Slope f′", "slope"), "curvature": ("Curvature f″", "curvature")}
SMOOTHNESS = {
    -1: "discontinuous",
    0: "continuous, with corners (C⁰)",
    1: "once differentiable (C¹)",
    2: "twice differentiable (C²)",
}
STANDINGS = {
    "declared": "Declared: stated by the activation's author, checked here only at the sampled points.",
    "proved": "Proved over all of float32, in ball arithmetic.",
    "unknown": "Nobody has declared or proved anything about this function. Unknown is not no.",
}


@dataclass(frozen=True)
class FactLine:
    """One line of the table.

    Attributes:
        name: of the fact.
        value: the fact in words.
        standing: "declared", "proved" or "unknown".
        remark: what the samples of the portrait add; empty where nothing.
        alarm: whether the remark contradicts the fact.
    """

    name: str
    value: str
    standing: str
    remark: str = ""
    alarm: bool = False


def fact_lines(profile: Profile) -> tuple[FactLine, ...]:
    """Every fact of a profile, unknown ones included."""
    facts = profile.facts
    others = (
        ("Kinks", _kinks(facts["kinks"]), facts["kinks"] is not None),
        ("Smoothness", _smoothness(facts["smoothness"]), facts["smoothness"] is not None),
        ("Monotone", _monotone(facts["monotone"]), facts["monotone"] != "unknown"),
    )
    lines = [_bounds(profile, fact, *named) for fact, named in NAMES.items()]
    lines += [FactLine(name, value, facts["standing"] if known else "unknown") for name, value, known in others]
    return (*lines, FactLine("Gradient", _gradient(facts["gradient"]), facts["standing"]))


def _bounds(profile: Profile, fact: str, name: str, curve: str) -> FactLine:
    bounds, samples = profile.facts[fact], seen(profile, curve)
    left, right = profile.portrait.window
    window = f"[{number(left)}, {number(right)}]"
    if bounds is None:
        remark = f"samples on {window} lie in {_ends(*samples)}, which is no bound" if samples else ""
        return FactLine(name, UNKNOWN, "unknown", remark)
    standing = profile.facts["standing"]
    if wrong := outside(profile, fact, curve):
        remark = f"contradicted by {count(wrong, 'sample')} on {window}, which reach {_ends(*samples or ())}"
        return FactLine(name, _ends(*bounds), standing, remark, alarm=True)
    return FactLine(name, _ends(*bounds), standing)


def _ends(low: Any, high: Any) -> str:
    """An interval; open at an infinite end, and rounded outward."""
    left, right = ("(" if math.isinf(float(low)) else "["), (")" if math.isinf(float(high)) else "]")
    return f"{left}{bound(low, 'lower')}, {bound(high, 'upper')}{right}"


def _kinks(kinks: list[Any] | None) -> str:
    if kinks is None:
        return UNKNOWN
    if not kinks:
        return "none"
    shown = ", ".join(bound(k) for k in kinks[:KINKS_SHOWN])
    rest = len(kinks) - KINKS_SHOWN
    return f"at x = {shown}" + (f" and {rest} more" if rest > 0 else "")


def _smoothness(smoothness: int | str | None) -> str:
    if smoothness is None:
        return UNKNOWN
    if smoothness == "inf":
        return "infinitely differentiable (C∞)"
    return SMOOTHNESS.get(int(smoothness), f"{smoothness} times differentiable (C{smoothness})")


def _monotone(monotone: str) -> str:
    return {"unknown": UNKNOWN, "none": "no"}.get(monotone, monotone)


def _gradient(gradient: str) -> str:
    return "surrogate: autodiff deliberately uses another slope" if gradient == "surrogate" else "exact"
