"""The standard test of an activation in a net that has to explain itself: are its maps sparse, stable and true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import actlab.activations as al
from actlab.activations import Activation
from actlab.data.splits import standardized_digits
from actlab.measurement import Better, Curve, Evaluation, Measurement, System
from actlab.systems.saliency.contest import STANDARD, Outcome, Settings, contest
from actlab.systems.saliency.exact_paths import is_cut_exactly
from actlab.training import ensemble, seed_keys

Row = tuple[str, str, str, Better]
ROWS: tuple[Row, ...] = (
    ("sensitivity of the map within .02 sd of the image", "sensitivity", "", "lower"),
    ("deletion: mean share of the score left", "deletion", "", "lower"),
    ("insertion: mean share of the score back", "insertion", "", "higher"),
    ("Gini index of the map", "gini", "", "neither"),
    ("exact zeros among pixels", "zero_pixels", "%", "neither"),
    ("exact zeros among the units' slopes", "zero_units", "%", "neither"),
    ("entropy of the map", "complexity", "nats", "neither"),
    ("incompleteness of integrated gradients, 16 nodes", "incomplete", "", "lower"),
    ("rank correlation with the untrained net's map", "untrained", "", "lower"),
    ("test accuracy", "accuracy", "%", "higher"),
)
DELETION = "Score left as pixels go, the most important first"


def evaluate(activation: Any, seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """Trains nets of the activation on digits and measures the maps of their test images.

    Args:
        activation: an Activation, a function or a name.
        seeds: of weights and batches; all in one compiled program.
        settings: the size of the test.

    Raises:
        FactError: the activation's gradients are surrogates: its maps would not be derivatives of anything.
    """
    activation, seeds = al.as_activation(activation), tuple(int(s) for s in seeds)
    if activation.facts.gradient == "surrogate":
        raise al.FactError(
            f"saliency maps are gradients, and those of {activation.name} are surrogates, not its derivatives. What "
            "would do: its smooth version"
        )
    train, test = standardized_digits()
    found = ensemble(contest(activation, train, test, settings))(seed_keys(seeds))
    table = _table(activation.name, found, seeds, ROWS)
    shares = np.linspace(0, 1, settings.deletions + 1)
    curve = Curve(
        DELETION, activation.name, shares, np.asarray(found.deletion_curve), "share of pixels deleted", "share of score"
    )
    return Evaluation.of(table, [curve], _notes(activation, table))


def _table(who: str, found: Outcome, seeds: tuple[int, ...], rows: Sequence[Row]) -> list[Measurement]:
    return [
        Measurement(
            name, who, np.asarray(getattr(found, of), np.float64) * (100 if unit == "%" else 1), unit, better, seeds
        )
        for name, of, unit, better in rows
    ]


def _notes(activation: Activation, table: list[Measurement]) -> tuple[str, ...]:
    """What the facts foretell of the maps, and whether it came true."""
    by_name = {m.name: m.mean for m in table}
    facts, zeros = activation.facts, by_name["exact zeros among the units' slopes"]
    pixels = by_name["exact zeros among pixels"]
    curvature = facts.curvature
    bounded = curvature is not None and np.all(np.isfinite(np.asarray(curvature.magnitude)))
    notes = []
    if facts.smoothness is not None and facts.smoothness >= 1 and bounded:
        notes.append(
            "Slope and curvature are bounded and the slope has no jump: the map's change has a certified bound."
        )
    elif is_cut_exactly(facts):
        notes.append(
            "The slope jumps at kinks, and between them the map does not change at all: no bound on its change by the "
            "distance exists, and integrated gradients are exact by breakpoints, not by quadrature."
        )
    notes.append(
        f"{zeros:.3g} % of the units have a slope of exactly 0, and {pixels:.3g} % of the pixels a gradient of exactly "
        "0: a pixel's gradient sums over all units that are on, so that zeros of units do not make zeros of pixels."
    )
    return tuple(notes)


def references(seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """A linear net, trained on the same images in the same way: its map is its weights, whatever the image."""
    train, test = standardized_digits()
    seeds = tuple(int(s) for s in seeds)
    found = ensemble(contest(al.identity, train, test, settings))(seed_keys(seeds))
    wanted = ("deletion", "insertion", "gini", "complexity", "accuracy")
    rows = tuple(row for row in ROWS if row[1] in wanted)
    table = _table("linear net", found, seeds, rows)
    return Evaluation.of(table, ())


SYSTEM = System(
    name="saliency",
    title="Saliency: maps of what a net looks at",
    question="Are the maps of a net of this activation sparse, stable, and true to what the net computes?",
    data="scikit-learn's digits (8 x 8 pixels), nets of widths 64 and 64, maps of 128 held-out images",
    evaluate=evaluate,
    references=references,
)
