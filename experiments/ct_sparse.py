"""Few views, few photons: the Shepp-Logan head from simulated counts, by every method at its best setting elsewhere.

Protocol: the data are closed-form integrals along eight subrays a bin, averaged as intensities, with Poisson noise: no
projector makes them. Every method's knobs are set where its PSNR is best on another phantom (grains in air) of the
same geometry and photons; the head's truth is seen by the scores alone. Seeds draw the noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from actlab.activations import Activation, resolve
from actlab.measurement import Claim, Figure, Heatmap, Measurement
from actlab.systems.tomography import (
    WATER,
    Exposure,
    parallel_beam,
    random_ellipses,
    require_nonnegative,
    shepp_logan,
    simulate,
)
from actlab.systems.tomography.evaluation import negative_marks
from actlab.systems.tomography.geometry import Geometry
from actlab.systems.tomography.image_quality import negative_share, psnr, ssim
from actlab.systems.tomography.methods import Method, fbp, poisson_map, sart_clipped, sirt_clipped, tv
from actlab.systems.tomography.phantoms import Phantom
from actlab.systems.tomography.posterior import Recipe
from actlab.systems.tomography.priors import log_tv

OURS = "Poisson MAP"
SOURCE = "bars set beforehand, on the same counts"

TITLE = "CT from few views"


@dataclass(frozen=True)
class Config:
    """The scans and the methods.

    Attributes:
        activation: of our output; its range must not include negative values.
        edge: of the truth, pixels; the field is `field` wide.
        finer: pixels that are reconstructed in the width of one of the truth, and of a bin; their means are scored.
        field: mm.
        views: numbers of views over half a turn.
        photons: expected in a bin without an object.
        seeds: how many.
        strengths: of our prior.
        widths: of our prior (`log_tv`), typical attenuations: the wider, the nearer to TV.
        turned: whether our prior's differences are taken in all directions.
        tv_strengths: of TV, mm.
        steps: of our search.
        rate: its learning rate at the start, in units of the activation's input.
        tv_steps: of PDHG.
        tuning_phantom: the seed of the grains on which knobs are set.
        over_sart: dB that the claim promises over SART.
        over_tv: dB that the claim promises over TV.
    """

    activation: str = "relu"
    edge: Annotated[int, Field(ge=16)] = 128
    finer: Annotated[int, Field(ge=1)] = 2
    field: Annotated[float, Field(gt=0)] = 100.0
    views: tuple[Annotated[int, Field(ge=2)], ...] = (30, 60)
    photons: Annotated[float, Field(gt=0)] = 1e4
    seeds: Annotated[int, Field(ge=1)] = 5
    strengths: tuple[float, ...] = (2.0, 3.0, 5.0, 7.0, 10.0)
    widths: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (0.1, 0.3, 1.0)
    turned: bool = True
    tv_strengths: tuple[float, ...] = (0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1)
    steps: Annotated[int, Field(ge=1)] = 400
    rate: Annotated[float, Field(gt=0)] = 0.02
    tv_steps: Annotated[int, Field(ge=1)] = 300
    tuning_phantom: int = 1000
    over_sart: float = 3.0
    over_tv: float = 0.5


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Figure]]:
    """Every method at every number of views; the claims are the paired differences of PSNR.

    Raises:
        FactError: the activation's range includes negative values, or is not known.
    """
    activation, seeds = require_nonnegative(resolve(config.activation)), tuple(range(config.seeds))
    measured: list[Measurement] = []
    claims: list[Claim] = []
    figures: list[Figure] = []
    for views in config.views:
        geometry = parallel_beam(config.edge, views, pixel=config.field / config.edge)
        grid = _finer(geometry, config.finer)
        head, grains = shepp_logan(), random_ellipses(config.tuning_phantom)
        truth = jnp.asarray(head.image(geometry), jnp.float32)
        scores: dict[str, Measurement] = {}
        counted = _rounded(_exposure(geometry, head, seeds[0], config).line_integrals)
        figures += [
            Heatmap("Shepp-Logan: line integrals as counted", f"{views} views", counted, colours="grey"),
            Heatmap(_title(views), "truth", _rounded(truth), colours="grey", value_label="1/mm"),
        ]
        for candidates in _methods(activation, config):
            method, best = _best_setting(candidates, geometry, grid, grains, config)
            images = _images(method, best, grid, [_exposure(geometry, head, seed, config) for seed in seeds])
            below = 100.0 * np.asarray(negative_share(images))  # of the pixels reconstructed, not of their means
            images = _pooled(images, config.edge)
            values = np.asarray(jax.vmap(psnr, (0, None))(images, truth))
            scores[method.name] = Measurement(f"PSNR, {views} views", method.name, values, "dB", "higher", seeds)
            similar = np.asarray(jax.vmap(ssim, (0, None))(images, truth))
            measured += [
                scores[method.name],
                Measurement(f"SSIM, {views} views", method.name, similar, "", "higher", seeds),
                Measurement(f"negative pixels, {views} views", method.name, below, "%", "lower", seeds),
            ]
            report(
                f"{views} views, {method.name} at {method.settings[best]}: {values.mean():.2f} dB, "
                f"{below.mean():.1f} % negative"
            )
            figures += _panels(method.name, np.asarray(images[0]), np.asarray(truth), views)
        claims += _claims(scores, measured, views, config)
    return measured, claims, figures


def _exposure(geometry: Geometry, phantom: Phantom, seed: int, config: Config) -> Exposure:
    return simulate(jax.random.key(seed), phantom.integrals(geometry), config.photons)


def _finer(geometry: Geometry, finer: int) -> Geometry:
    """The same rays through an image of smaller pixels."""
    pixel, edge = geometry.pixel / finer, geometry.shape[0] * finer
    width = geometry.bin_width
    return parallel_beam(edge, geometry.views, pixel=pixel, bins=geometry.bins, bin_width=width)


def _pooled(images: jax.Array, edge: int) -> jax.Array:
    """Means over the pixels that one of the truth covers, shape (images, edge, edge)."""
    finer = images.shape[-1] // edge
    return images.reshape(-1, edge, finer, edge, finer).mean(axis=(2, 4))


def _methods(activation: Activation, config: Config) -> list[list[Method]]:
    """Each method, ours once for each shape of the prior."""
    ours = []
    for width in config.widths:
        recipe = Recipe(steps=config.steps, learning_rate=config.rate, prior=log_tv(0.01, width, turned=config.turned))
        method = poisson_map(activation, config.strengths, recipe, unit=WATER, name=OURS)
        ours.append(replace(method, settings=tuple(f"{s:g}, width {width:g}" for s in config.strengths)))
    return [[fbp()], [sirt_clipped()], [sart_clipped()], [tv(config.tv_strengths, config.tv_steps)], ours]


def _best_setting(
    candidates: list[Method], geometry: Geometry, grid: Geometry, phantom: Phantom, config: Config
) -> tuple[Method, int]:
    """The method and the index of its setting whose image of the other phantom has the highest PSNR."""
    exposure = _exposure(geometry, phantom, config.tuning_phantom, config)
    truth = jnp.asarray(phantom.image(geometry), jnp.float32)

    def scores(method: Method) -> np.ndarray:
        return np.asarray(psnr(jax.jit(lambda e: _pooled(method.images(grid, e), config.edge))(exposure), truth))

    found = [scores(method) for method in candidates]
    which = int(np.argmax([values.max() for values in found]))
    return candidates[which], int(found[which].argmax())


def _images(method: Method, best: int, grid: Geometry, exposures: list[Exposure]) -> jax.Array:
    once = jax.jit(lambda e, index: method.image_at(grid, e, index))
    return jnp.stack([once(exposure, best) for exposure in exposures])


def _claims(scores: dict[str, Measurement], measured: list[Measurement], views: int, config: Config) -> list[Claim]:
    ours = scores[OURS]
    bars = (("SART, clipped", config.over_sart), ("TV, PDHG", config.over_tv))
    claims = [
        Claim(f"{views} views: at least {bar:g} dB over {other}", SOURCE, ours.minus(scores[other]), at_least=bar)
        for other, bar in bars
    ]
    below = next(m for m in measured if m.name == f"negative pixels, {views} views" and m.activation == OURS)
    return [*claims, Claim(f"{views} views: no pixel is negative", "the output activation", below, at_most=0.0)]


def _title(views: int) -> str:
    return f"Shepp-Logan from {views} views"


def _panels(name: str, image: np.ndarray, truth: np.ndarray, views: int) -> list[Figure]:
    limits = (float(truth.min()), float(truth.max()))
    residual = _rounded(image - truth)
    return [
        Heatmap(
            _title(views),
            name,
            _rounded(image),
            colours="grey",
            value_label="1/mm",
            limits=limits,
            **negative_marks(image),
        ),
        Heatmap(f"{_title(views)}: residual", name, residual, colours="diverging", limits=(-0.005, 0.005)),
    ]


def _rounded(values: object) -> np.ndarray:
    return np.round(np.asarray(values, np.float64), 5)
