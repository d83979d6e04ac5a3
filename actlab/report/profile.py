"""The profile of an activation: everything of it that a reader of the results needs, as plain data."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import jax
import numpy as np

from actlab.activations import Activation, Facts, Interval
from actlab.report.portrait import NOT_SAMPLED, Portrait, sample

Role = Literal["subject", "baseline"]


@dataclass(frozen=True)
class Profile:
    """An activation as results keep it.

    Attributes:
        name: unique among the results; the key of every system's evaluations.
        role: "subject" for what was asked about, "baseline" for what it is compared with.
        family: the family of the zoo, "user" for a user's own.
        source: paper and equation; may be empty.
        doc: its docstring; may be empty.
        parameters: each parameter's value: a number, or nested lists of numbers.
        facts: as `Facts.as_json` states them; ends over vector parameters are the hull over all of them.
        portrait: its curves.
        certificate: of the proof of its facts: a path relative to the report; empty where there is none.
        remark: what the proof leaves open, or why there is none; may be empty.
    """

    name: str
    role: Role
    family: str
    source: str
    doc: str
    parameters: dict[str, Any]
    facts: dict[str, Any]
    portrait: Portrait
    certificate: str = ""
    remark: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain data without the portrait: name, family, parameters, facts."""
        return {"name": self.name, "family": self.family, "parameters": self.parameters, "facts": self.facts}


def describe(activation: Activation, role: Role = "subject", *, portrait: bool = True) -> Profile:
    """The profile of an activation.

    Args:
        activation: evaluated, with two derivatives, on a window around the origin.
        role: what it is in the results.
        portrait: whether to sample its curves, which compiles a program.
    """
    definition = getattr(activation, "definition", None)
    return Profile(
        name=activation.name,
        role=role,
        family=activation.family,
        source=getattr(definition, "source", getattr(activation, "source", "")),
        doc=getattr(definition, "doc", ""),
        parameters=_parameters(activation),
        facts=_scalar(activation.facts).as_json(),
        portrait=sample(activation) if portrait else NOT_SAMPLED,
    )


def _parameters(activation: Activation) -> dict[str, Any]:
    """The leaves by name: `beta`, or `outer.beta` in a composition."""
    named: dict[str, Any] = {}
    for path, leaf in jax.tree.leaves_with_path(activation):
        keys = [jax.tree_util.keystr((key,), simple=True) for key in path]
        named[".".join(k for k in keys if k != "parameters")] = np.asarray(leaf, np.float64).tolist()
    return named


def _scalar(facts: Facts) -> Facts:
    """The facts with numbers as ends: over vector parameters an interval becomes the hull, a kink becomes many."""
    intervals = {f.name: getattr(facts, f.name) for f in fields(facts) if f.name in ("range", "slope", "curvature")}
    hulls = {name: _hull(interval) for name, interval in intervals.items()}
    kinks = facts.kinks
    if kinks is not None:
        kinks = tuple(sorted({float(k) for kink in kinks for k in np.ravel(np.asarray(kink))}))
    return replace(facts, **hulls, kinks=kinks)


def _hull(interval: Interval | None) -> Interval | None:
    """The smallest interval with numbers as ends; unknown where an end is not a number."""
    if interval is None:
        return None
    lower, upper = float(np.min(np.asarray(interval.lower))), float(np.max(np.asarray(interval.upper)))
    return None if math.isnan(lower) or math.isnan(upper) else Interval(lower, upper)
