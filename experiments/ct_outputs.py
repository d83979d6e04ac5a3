"""What the output activation of an image decides: one search with every output, on phantoms with and without zeros.

Protocol: as in the system's evaluation: closed-form counts, the prior's strength chosen on a tenth of the rays, the
truth seen by the scores alone. The seeds draw phantom, noise and held-out rays, and pair the outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

import actlab.activations as al
from actlab.activations import Activation
from actlab.measurement import Claim, Figure, Heatmap, Measurement
from actlab.systems.tomography import bounded, require_nonnegative
from actlab.systems.tomography.evaluation import (
    AIR,
    BATH,
    LINEAR,
    RECONSTRUCTION,
    Settings,
    convergence,
    image_measurements,
    reconstruction_panels,
    scans,
    search,
    search_measurements,
)
from actlab.systems.tomography.posterior import Recipe
from actlab.systems.tomography.priors import smoothed_tv

SOURCE = "no published comparison was found; bars set beforehand"
BOUNDED = "bounded sigmoid"

TITLE = "Outputs of CT images"


@dataclass(frozen=True)
class Config:
    """The outputs and the size of the test.

    Attributes:
        activations: outputs, each of a range without negative values; the linear one is added, and the first is claimed
            to be no worse than it.
        upper: of the bounded output, over the scan's typical attenuation.
        seeds: how many.
        edge: of the image, pixels; the field is 100 mm wide.
        views: over half a turn.
        photons: expected in a bin without an object.
        strengths: of the prior, of which held-out rays choose.
        steps: of the search.
        price: dB that the claim allows a nonnegative output to lose against the linear one where nothing is 0.
    """

    activations: Annotated[tuple[str, ...], Field(min_length=1)] = ("relu", "softplus", "squareplus", "exponential")
    upper: Annotated[float, Field(gt=0)] = 6.0
    seeds: Annotated[int, Field(ge=2)] = 5
    edge: Annotated[int, Field(ge=16)] = 64
    views: Annotated[int, Field(ge=2)] = 45
    photons: Annotated[float, Field(gt=0)] = 3000.0
    strengths: tuple[float, ...] = (1.0, 3.0, 10.0, 30.0)
    steps: Annotated[int, Field(ge=1)] = 200
    price: float = 0.5


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Figure]]:
    """Every output on both kinds of phantom.

    Raises:
        FactError: the range of an activation includes negative values, or is not known.
    """
    outputs: dict[str, Activation] = {LINEAR: al.identity}
    outputs |= {name: require_nonnegative(al.resolve(name)) for name in config.activations}
    outputs[BOUNDED] = require_nonnegative(bounded(al.sigmoid, config.upper), config.upper)
    seeds = tuple(range(config.seeds))
    recipe = Recipe(steps=config.steps, prior=smoothed_tv(0.01))
    settings = Settings(config.edge, config.views, config.photons, config.strengths, recipe)
    measured: list[Measurement] = []
    figures: list[Figure] = []
    for kind in (AIR, BATH):
        data = scans(kind, seeds, settings)
        if kind == AIR:
            figures.append(Heatmap(RECONSTRUCTION, "truth", np.asarray(data.truth[0], np.float64), colours="grey"))
        for name, activation in outputs.items():
            found = search(activation, data, seeds, settings)
            rows = image_measurements(name, kind, found.image, data, seeds)
            rows += search_measurements(activation, name, kind, found, data, seeds)
            measured += rows
            report(f"{kind}, {name}: " + ", ".join(f"{m.name.split(',')[0]} {m.mean:.4g}" for m in rows))
            if kind == AIR:
                figures += reconstruction_panels(name, found.image[0], data.truth[0])
                figures.append(convergence(name, found, settings))
    return measured, _claims(measured, list(outputs), config), figures


def _claims(measured: list[Measurement], names: list[str], config: Config) -> list[Claim]:
    found = {(m.name, m.activation): m for m in measured}
    claims = []
    for name in names:
        if name == LINEAR:
            continue
        for kind in (AIR, BATH):
            below = found[f"negative pixels, {kind}", name]
            claims.append(Claim(f"{kind}: {name} leaves no pixel negative", SOURCE, below, at_most=0.0))
    first = config.activations[0]
    for kind, least in ((AIR, 0.0), (BATH, -config.price)):
        gain = found[f"PSNR, {kind}", first].minus(found[f"PSNR, {kind}", LINEAR])
        claims.append(
            Claim(f"{kind}: {first} over the linear output, {least:g} dB or more", SOURCE, gain, at_least=least)
        )
    return claims
