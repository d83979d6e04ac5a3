"""A real tooth: part of the views fitted, the others predicted, by Poisson deviance per ray.

Protocol: counts become photons by the gain that the flat frames' noise shows; the flat of every view is scaled to the
air beside the object; the axis is found from the centres of mass of the line integrals. Neighbouring bins are summed.
Every method's knob is set by a tenth of the rays of the fitted views, held out; the views left out are seen by the
scores alone. The slices of the file stand for seeds. An image with negative pixels is scored as it is and clipped, and
its better score counts.

Ours also corrects the flat of every bin (see `bin_gains`), by what the image of TV leaves of the fitted views. What
that does by itself is shown by two further rows: TV after the same correction, and ours without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import numpy as np
from pydantic import Field

from actlab.activations import resolve
from actlab.data import ScanFrames, load_scan
from actlab.measurement import Claim, Figure, Heatmap, Measurement
from actlab.systems.tomography import Exposure, Geometry, parallel_beam, require_nonnegative
from actlab.systems.tomography.calibration import (
    bin_gains,
    binned,
    centre_by_mass,
    exposure_of_frames,
    photons_per_count,
)
from actlab.systems.tomography.evaluation import negative_marks
from actlab.systems.tomography.image_quality import negative_share
from actlab.systems.tomography.methods import (
    choose,
    fbp,
    poisson_map,
    predicted_deviance,
    sart_clipped,
    sirt_clipped,
    tv,
)
from actlab.systems.tomography.posterior import Recipe, typical_attenuation
from actlab.systems.tomography.priors import log_tv, smoothed_tv

OURS, UNCORRECTED = "Poisson MAP, flat corrected", "Poisson MAP"
TV_CORRECTED = "TV, PDHG, flat corrected"
SOURCE = "bars set beforehand, on the same rays"

TITLE = "CT of a tooth"


@dataclass(frozen=True)
class Config:
    """The scan, how it is cut, and the methods.

    Attributes:
        file: a scan that `actlab.data.load_scan` reads.
        activation: of our output; its range must not include negative values.
        bins: (first, one past the last) detector bin used; the object must lie within.
        air: bins at either end of the whole detector that no ray through the object meets.
        sum: neighbouring bins summed.
        finer: pixels of the image in the width of a summed bin.
        every: one view in so many is fitted.
        prior: of our image: total variation, or its logarithm.
        width: of the logarithm: the step, in units of the typical attenuation, beyond which edges grow cheap.
        strengths: of our prior.
        tv_strengths: of TV, mm.
        steps: of our search.
        rate: its learning rate at the start, in units of the activation's input.
        tv_steps: of PDHG.
        ratio: of our deviance to the best other's that the claim promises.
    """

    file: str
    activation: str = "relu"
    bins: tuple[int, int] = (96, 496)
    air: Annotated[int, Field(ge=1)] = 90
    sum: Annotated[int, Field(ge=1)] = 4
    finer: Annotated[int, Field(ge=1)] = 2
    every: tuple[Annotated[int, Field(ge=2)], ...] = (2, 3, 6)
    prior: Literal["log_tv", "smoothed_tv"] = "log_tv"
    width: Annotated[float, Field(gt=0)] = 0.3
    strengths: tuple[float, ...] = (1.0, 3.0, 10.0)
    tv_strengths: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1)
    steps: Annotated[int, Field(ge=1)] = 250
    rate: Annotated[float, Field(gt=0)] = 0.02
    tv_steps: Annotated[int, Field(ge=1)] = 250
    ratio: float = 0.95


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Figure]]:
    """Every method on every share of the views; the claims are the ratios to the best other method.

    Raises:
        DataError: the file is missing or is no scan.
        FactError: the activation's range includes negative values, or is not known.
    """
    activation = require_nonnegative(resolve(config.activation))
    scan = load_scan(config.file)
    scans = [_row(scan, row, config, report) for row in range(scan.frames.shape[1])]
    seeds = tuple(range(len(scans)))
    measured: list[Measurement] = []
    claims: list[Claim] = []
    sinogram = np.round(np.asarray(scans[0][1].line_integrals, np.float64).T, 4)
    title = "Tooth, slice 0: line integrals as counted, the views from left to right"
    figures: list[Figure] = [Heatmap(title, "all views", sinogram, colours="grey")]
    prior = log_tv(0.01, config.width) if config.prior == "log_tv" else smoothed_tv(0.01)
    recipe = Recipe(steps=config.steps, learning_rate=config.rate, prior=prior)
    unit = float(typical_attenuation(*scans[0]))
    baseline = tv(config.tv_strengths, config.tv_steps)
    ours = poisson_map(activation, config.strengths, recipe, unit=unit)
    arms = (
        (fbp(), "FBP", False),
        (sirt_clipped(100, 4), "SIRT, clipped", False),
        (sart_clipped(4, 8), "SART, clipped", False),
        (baseline, "TV, PDHG", False),
        (baseline, TV_CORRECTED, True),
        (ours, UNCORRECTED, False),
        (ours, OURS, True),
    )
    predict, gains_of = jax.jit(predicted_deviance), jax.jit(bin_gains)
    programs = {method: jax.jit(lambda k, g, e, m=method: choose(k, m, g, e)) for method, *_ in arms}
    for every in config.every:
        scores: dict[str, Measurement] = {}
        parts = [_split(geometry, exposure, every) for geometry, exposure in scans]
        gains: list[Any] = [None] * len(scans)
        for method, name, corrected in arms:
            values, below = [], []
            for seed, ((geometry, exposure), (unseen, others)) in enumerate(parts):
                if corrected:
                    exposure, others = exposure.scaled(gains[seed]), others.scaled(gains[seed])
                chosen = programs[method](jax.random.key(seed), geometry, exposure)
                if method is baseline and not corrected:
                    gains[seed] = gains_of(geometry, exposure, chosen.image)
                values.append(float(predict(unseen, chosen.image, others)))
                below.append(100.0 * float(negative_share(chosen.image)))
                report(
                    f"1/{every} of the views, slice {seed}, {name} at {method.settings[int(chosen.index)]}: "
                    f"deviance {values[-1]:.3f} per ray, {below[-1]:.1f} % negative"
                )
                if seed == 0:
                    figures.append(_panel(name, np.asarray(chosen.image), every))
            scores[name] = Measurement(_name(every), name, np.array(values), "per ray", "lower", seeds)
            negative = Measurement(
                f"negative pixels, 1/{every} of the views", name, np.array(below), "%", "lower", seeds
            )
            measured += [scores[name], negative]
        claims += _claims(scores, measured, every, config)
    return measured, claims, figures


def _row(scan: ScanFrames, row: int, config: Config, report: Callable[[str], None]) -> tuple[Geometry, Exposure]:
    """Geometry, its axis estimated, and exposure in photons of one detector row; lengths in full detector bins."""
    gain = photons_per_count(scan.flats, scan.darks)
    whole_width = scan.frames.shape[-1]
    air = np.r_[0 : config.air, whole_width - config.air : whole_width]
    frames, flats, darks = (v[:, row].astype(np.float64) for v in (scan.frames, scan.flats, scan.darks))
    whole = exposure_of_frames(frames, flats, darks, gain=gain, air=air)
    first, last = config.bins
    exposure = binned(jax.tree.map(lambda leaf: leaf[:, first:last], whole), config.sum)
    bins, edge = exposure.counts.shape[-1], exposure.counts.shape[-1] * config.finer
    width = float(config.sum)
    geometry = parallel_beam(edge, scan.angles, pixel=width / config.finer, bins=bins, bin_width=width)
    centre = float(centre_by_mass(geometry, exposure.line_integrals))
    full = first + config.sum * centre + (config.sum - 1) / 2
    report(f"slice {row}: {gain:.3f} photons per count, axis at bin {full:.2f} of the detector")
    return replace(geometry, centre=np.float64(centre)), exposure


def _split(
    geometry: Geometry, exposure: Exposure, every: int
) -> tuple[tuple[Geometry, Exposure], tuple[Geometry, Exposure]]:
    """The fitted views and the others."""
    views = np.arange(geometry.views)
    parts = views[::every], np.setdiff1d(views, views[::every])
    fitted, others = ((geometry.at_views(p), jax.tree.map(lambda leaf, p=p: leaf[p], exposure)) for p in parts)
    return fitted, others


def _name(every: int) -> str:
    return f"deviance of the other views, 1/{every} fitted"


def _claims(scores: dict[str, Measurement], measured: list[Measurement], every: int, config: Config) -> list[Claim]:
    ours = scores[OURS]
    others = [m for name, m in scores.items() if name not in (OURS, UNCORRECTED, TV_CORRECTED)]
    best = min(others, key=lambda m: m.mean)
    ratio = Measurement(
        f"deviance over that of {best.activation}", OURS, ours.values / best.values, "", "lower", ours.seeds
    )
    below = next(m for m in measured if m.name == f"negative pixels, 1/{every} of the views" and m.activation == OURS)
    return [
        Claim(
            f"1/{every} of the views: at most {config.ratio:g} times the deviance of the best other, {best.activation}",
            SOURCE,
            ratio,
            at_most=config.ratio,
        ),
        Claim(f"1/{every} of the views: no pixel is negative", "the output activation", below, at_most=0.0),
    ]


def _panel(name: str, image: np.ndarray, every: int) -> Heatmap:
    return Heatmap(
        f"Tooth, slice 0, 1/{every} of the views",
        name,
        np.round(image.astype(np.float64), 6),
        colours="grey",
        value_label="1 / detector bin",
        limits=(0.0, 0.012),
        **negative_marks(image),
    )
