"""Colours and line styles: one for each activation, the same in every figure and table of a report."""

from __future__ import annotations

from dataclasses import dataclass

from actlab.report.results import Results

# Drawn colours stand for CSS variables, which the page sets for light, dark and print (templates/report.css).
INK, MUTED, GRID = "#101010", "#606060", "#d0d0d0"
SERIES = ("#0000f1", "#0000f2", "#0000f3", "#0000f4", "#0000f5", "#0000f6")
REFERENCE = "#0000f9"
VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--rule)",
    REFERENCE: "var(--reference)",
    **{colour: f"var(--series-{i})" for i, colour in enumerate(SERIES, 1)},
}

SOLID, BASELINE_DASHES = "none", ("7 3", "2 2.4", "8 2.5 2 2.5", "4 2", "11 3")
REFERENCE_DASHES = ("5 2.5", "1.6 2.2", "9 2.5 1.6 2.5", "3 1.8", "12 3", "6 2 1.6 2 1.6 2")


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

    A label that an activation's evaluation adds ("swish, huber loss") has the activation's colour and
    dashes of its own.
    """
    found: dict[str, Stroke] = {}
    owners = {a.name: i for i, a in enumerate(results.activations)}
    for name, i in owners.items():
        subject = results.activations[i].role == "subject"
        dash = SOLID if subject else BASELINE_DASHES[(i - len(results.subjects)) % len(BASELINE_DASHES)]
        found[name] = Stroke(SERIES[i % len(SERIES)], dash, 2.2 if subject else 1.6)
    for owner, label in _labels(results):
        if label not in found:
            number = len(found)
            colour = REFERENCE if owner is None else found[owner].colour
            found[label] = Stroke(colour, REFERENCE_DASHES[number % len(REFERENCE_DASHES)], 1.4)
    return found


def _labels(results: Results) -> list[tuple[str | None, str]]:
    labels: list[tuple[str | None, str]] = []
    for system in results.systems:
        labels += [(owner, m.activation) for owner, m in system.measurements()]
        labels += [(owner, c.activation) for owner, e in system.evaluations.items() for c in e.curves]
        labels += [(None, c.activation) for c in system.references.curves]
    return labels
