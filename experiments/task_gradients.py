"""Gradients of a stream's tasks by activation: cosines and conflicts with earlier tasks, and whether smooth ones align.

At several points of each task's training, the task's own gradient is compared with that of every earlier one, in runs
at each activation's own step size and in runs at one common to all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from actlab.measurement import Claim, Curve, Measurement
from actlab.systems.continual import interference, present_cosines

STEP_SIZES = ("own", "common")
FOLKLORE = "the common claim that smooth activations align task gradients; bar set beforehand"


class Alignment(NamedTuple):
    """Of one activation's runs at one step size, a value a seed: mean cosine, and percent of the pairs in conflict."""

    cosine: Measurement
    conflict: Measurement


def alignments(
    kind: str, who: str, products: Float[np.ndarray, "step_sizes seeds tasks parts tasks tasks"]
) -> dict[str, Alignment]:
    """What `gradient_products` observed of an activation on streams of a kind, by the names in `STEP_SIZES`."""
    return {
        at: _named(kind, at, who, found.cosine, 100 * found.conflict)
        for at, found in zip(STEP_SIZES, map(interference, products), strict=True)
    }


def by_task(kind: str, who: str, products: Float[np.ndarray, "step_sizes seeds tasks parts tasks tasks"]) -> Curve:
    """The mean cosine of each task's gradient with those of earlier tasks, at the common step size."""
    cosines = present_cosines(products[STEP_SIZES.index("common")])
    tasks = np.arange(2, cosines.shape[-1] + 1)
    means = np.stack([cosines[:, t - 1, :, : t - 1].mean((1, 2)) for t in tasks], 1)
    title = f"Cosine of a task's gradient with earlier ones, {kind}, common step size"
    return Curve(title, who, tasks, means, "task", "mean cosine")


def claims(
    kind: str, found: dict[str, dict[str, Alignment]], smooth: tuple[str, ...], sharp: tuple[str, ...]
) -> list[Claim]:
    """Mean over smooth activations less mean over sharp ones, paired by seed: cosine not below, conflicts not above.

    Args:
        kind: of the streams.
        found: what `alignments` gave of each activation.
        smooth: activations that are claimed to align gradients.
        sharp: those that they are compared with.
    """
    decided = []
    for at in STEP_SIZES:
        cosine, conflict = (
            np.subtract(*(np.mean([found[n][at][which].values for n in group], 0) for group in (smooth, sharp)))
            for which in range(2)
        )
        apart = _named(kind, at, "smooth - sharp", cosine, conflict)
        where = f"{kind} tasks, {at} step size"
        decided += [
            Claim(f"smooth activations have larger gradient cosines: {where}", FOLKLORE, apart.cosine, at_least=0.0),
            Claim(f"smooth activations have fewer gradient conflicts: {where}", FOLKLORE, apart.conflict, at_most=0.0),
        ]
    return decided


def _named(kind: str, at: str, who: str, cosine: np.ndarray, conflict: np.ndarray) -> Alignment:
    return Alignment(
        Measurement(f"gradient cosine, {kind}, {at} step size", who, cosine, "", "higher"),
        Measurement(f"gradient conflicts, {kind}, {at} step size", who, conflict, "%", "lower"),
    )
