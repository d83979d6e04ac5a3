"""Colours and line styles: one for each activation, the same in every figure and table of a report."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from actlab.report.results import Results

# Drawn colours stand for CSS variables, which the page sets for light, dark and print (templates/report.css).
INK, MUTED, GRID = "#101010", "#606060", "#d0d0d0"
SERIES = ("#0000f1", "#0000f2", "#0000f3", "#0000f4", "#0000f5", "#0000f6")
REFERENCE = "#0000f9"
OVER, UNDER = "#0000fa", "#0000fb"
"""A line over colours and its edge: white and black in both modes, since the colours beneath do not change."""
VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--rule)",
    REFERENCE: "var(--reference)",
    OVER: "var(--over)",
    UNDER: "var(--under)",
    **{colour: f"var(--series-{i})" for i, colour in enumerate(SERIES, 1)},
}

SOLID, BASELINE_DASHES = "none", ("7 3", "2 2.4", "8 2.5 2 2.5", "4 2", "11 3")
REFERENCE_DASHES = ("5 2.5", "1.6 2.2", "9 2.5 1.6 2.5", "14 4", "6 2 1.6 2 1.6 2", "2.5 5")


@dataclass(frozen=True)
class Stroke:
    """How a line is drawn: colour and dashes tell it apart, so that colour alone never has to.

    Attributes:
        colour: one of this module's, replaced by a CSS variable.
        dash: lengths in points as in SVG's `stroke-dasharray`; "none" for solid.
        width: in points.
    """

    colour: str
    dash: str = SOLID
    width: float = 1.6

    @property
    def variable(self) -> str:
        """The CSS colour."""
        return VARIABLES[self.colour]

    @property
    def dashes(self) -> tuple[float, ...]:
        """The dash lengths as numbers; empty for solid."""
        return () if self.dash == SOLID else tuple(float(d) for d in self.dash.split())


def strokes(results: Results) -> dict[str, Stroke]:
    """A stroke for every label that occurs: subjects solid, baselines dashed, references dashed in grey.

    A label that an activation's evaluation adds ("swish, huber loss") has the activation's colour and dashes of its
    own; what several evaluations bring belongs to none and is grey. Where there are no activations, as in an
    experiment, each label has a colour.
    """
    owned = _owners(results)
    if not results.activations:
        return {label: _own(i, i) for i, label in enumerate(owned)}
    found: dict[str, Stroke] = {}
    for i, activation in enumerate(results.activations):
        found[activation.name] = _own(i, 0 if activation.role == "subject" else 1 + i - len(results.subjects))
    dashes = itertools.cycle(REFERENCE_DASHES)
    for label, owners in owned.items():
        if label not in found:
            owner = next(iter(owners)) if len(owners) == 1 else None
            found[label] = Stroke(REFERENCE if owner is None else found[owner].colour, next(dashes), 1.4)
    return found


def _own(colour: int, line: int) -> Stroke:
    """The stroke of one colour; the first line solid and wide, those that follow each dashed in its way."""
    dash = BASELINE_DASHES[(line - 1) % len(BASELINE_DASHES)] if line else SOLID
    return Stroke(SERIES[colour % len(SERIES)], dash, 1.6 if line else 2.2)


def _owners(results: Results) -> dict[str, set[str | None]]:
    """Every label of a measurement or curve with the activations that bring it; None for a reference."""
    owners: dict[str, set[str | None]] = {}
    for system in results.systems:
        pairs = [(owner, m.activation) for owner, m in system.measurements()]
        for owner, label in pairs + [(owner, c.activation) for owner, c in system.curves()]:
            owners.setdefault(label, set()).add(owner)
    return owners
