"""The standard test of an activation as the output of a tomographic image: photon counts in, attenuation out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

import actlab.activations as al
from actlab.activations import Activation
from actlab.measurement import Curve, Evaluation, Heatmap, Measurement, System
from actlab.systems.tomography.algebraic import sart
from actlab.systems.tomography.counts import Exposure, simulate
from actlab.systems.tomography.filtered import filtered_backprojection
from actlab.systems.tomography.geometry import Geometry, parallel_beam
from actlab.systems.tomography.image_quality import bias_where, negative_share, psnr, ssim
from actlab.systems.tomography.phantoms import random_ellipses
from actlab.systems.tomography.positivity import require_nonnegative
from actlab.systems.tomography.posterior import Found, Recipe, tuned, typical_attenuation
from actlab.systems.tomography.priors import smoothed_tv

AIR, BATH = "grains in air", "grains in a bath"
RECONSTRUCTION = "Reconstruction of grains in air, 1/mm"
RESIDUAL = "Reconstruction - truth, grains in air, 1/mm"
SINOGRAM = "Data: line integrals as counted"
CONVERGENCE = "Convergence: objective per ray above its end"
LINEAR = "linear output"


@dataclass(frozen=True, eq=False)
class Settings:
    """The size of the test.

    Attributes:
        edge: of the image, pixels; the field is 100 mm wide.
        views: of a parallel beam over half a turn.
        photons: expected in a bin without an object.
        strengths: of the prior, of which held-out rays choose.
        recipe: of the search.
        sweeps: of SART.
    """

    edge: int = 64
    views: int = 45
    photons: float = 3000.0
    strengths: tuple[float, ...] = (3.0, 10.0, 30.0)
    recipe: Recipe = field(default_factory=lambda: Recipe(steps=150, prior=smoothed_tv(0.01)))
    sweeps: int = 5

    @property
    def geometry(self) -> Geometry:
        """A parallel beam whose bins are as wide as the pixels."""
        return parallel_beam(self.edge, self.views, pixel=100.0 / self.edge)


STANDARD = Settings()


@dataclass(frozen=True, eq=False)
class Scans:
    """Scans of one kind of phantom, one a seed: the truth (seeds, rows, columns), and what was counted."""

    truth: Any
    exposure: Exposure


def scans(kind: str, seeds: Sequence[int], settings: Settings) -> Scans:
    """Phantoms and noise of these seeds; data from closed forms along eight subrays a bin, not from our projector."""
    geometry = settings.geometry
    phantoms = [random_ellipses(seed, box=0.5 if kind == BATH else 0.0) for seed in seeds]
    truth = jnp.asarray(np.stack([p.image(geometry) for p in phantoms]), jnp.float32)
    keys = [jax.random.fold_in(jax.random.key(seed), 1) for seed in seeds]
    taken = [simulate(k, p.integrals(geometry), settings.photons) for k, p in zip(keys, phantoms, strict=True)]
    return Scans(truth, jax.tree.map(lambda *leaves: jnp.stack(leaves), *taken))


def search(activation: Activation, data: Scans, seeds: Sequence[int], settings: Settings) -> Found:
    """The image that the activation comes to on every scan, strengths chosen by held-out rays; one program."""
    keys = jnp.stack([jax.random.fold_in(jax.random.key(seed), 2) for seed in seeds])
    return _search_program(activation, settings)(keys, data.exposure)


@functools.lru_cache(maxsize=16)
def _search_program(activation: Activation, settings: Settings) -> Callable[[Array, Exposure], Found]:
    """Compiled once for both kinds of phantom."""
    geometry, strengths = settings.geometry, jnp.asarray(settings.strengths, jnp.float32)

    def one(key: Array, exposure: Exposure) -> Found:
        unit = typical_attenuation(geometry, exposure)
        return tuned(key, geometry, exposure, activation, strengths, unit, recipe=settings.recipe)[0]

    return jax.jit(jax.vmap(one))


def evaluate(activation: Any, seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """Reconstructs grains in air (most pixels exactly 0) and in a bath (none) with the activation as output.

    Args:
        activation: an Activation, a function or a name.
        seeds: of phantom, noise and held-out rays.
        settings: the size of the test.

    Raises:
        FactError: the range of the activation includes negative values, or is not known.
    """
    activation, seeds = require_nonnegative(activation), tuple(int(s) for s in seeds)
    return _evaluated(activation, activation.name, seeds, settings)


def references(seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """The same search with a linear output, FBP and SART on the same counts; and the truth, to look at."""
    seeds = tuple(int(s) for s in seeds)
    linear = _evaluated(al.identity, LINEAR, seeds, settings)
    rows, panels = list(linear.measurements), list(linear.heatmaps)
    geometry = settings.geometry
    classical = {
        "FBP (Hann)": lambda p: filtered_backprojection(geometry, p, "hann"),
        "SART, clipped": lambda p: sart(geometry, p, settings.sweeps)[0],
    }
    programs = {name: jax.jit(jax.vmap(method)) for name, method in classical.items()}
    for kind in (AIR, BATH):
        data = _scans(kind, seeds, settings)
        for name, method in programs.items():
            images = method(data.exposure.line_integrals)
            rows += image_measurements(name, kind, images, data, seeds)
            if kind == AIR:
                panels += reconstruction_panels(name, images[0], data.truth[0])
    data = _scans(AIR, seeds, settings)
    sinogram = _short(data.exposure.line_integrals[0])
    shown = [
        Heatmap(RECONSTRUCTION, "truth", _short(data.truth[0]), colours="grey"),
        Heatmap(SINOGRAM, f"{settings.views} views", sinogram, colours="grey"),
    ]
    return Evaluation(tuple(rows), linear.curves, (), heatmaps=(*shown, *panels))


def _evaluated(activation: Activation, name: str, seeds: tuple[int, ...], settings: Settings) -> Evaluation:
    rows: list[Measurement] = []
    panels: list[Heatmap] = []
    curves: list[Curve] = []
    for kind in (AIR, BATH):
        data = _scans(kind, seeds, settings)
        found = search(activation, data, seeds, settings)
        rows += image_measurements(name, kind, found.image, data, seeds)
        rows += search_measurements(activation, name, kind, found, data, seeds)
        if kind == AIR:
            panels += reconstruction_panels(name, found.image[0], data.truth[0])
            curves.append(convergence(name, found, settings))
    empty = next(m for m in rows if m.name == f"bias where attenuation is 0, {AIR}")
    note = (
        f"Where there is nothing, {name} sees {1e3 * empty.mean:.3g}e-3 per mm on average; "
        "the grains have 4e-3 and more."
    )
    return Evaluation(tuple(rows), tuple(curves), (note,), heatmaps=tuple(panels))


def image_measurements(name: str, kind: str, images: Array, data: Scans, seeds: tuple[int, ...]) -> list[Measurement]:
    """What an image says of itself beside the truth, the headline first."""
    likeness, structure, negative, bias = map(np.asarray, _image_scores(images, data.truth))
    rows = [
        Measurement(f"PSNR, {kind}", name, likeness, "dB", "higher", seeds),
        Measurement(f"SSIM, {kind}", name, structure, "", "higher", seeds),
        Measurement(f"negative pixels, {kind}", name, negative, "%", "lower", seeds),
    ]
    if kind == AIR:
        rows.append(Measurement(f"bias where attenuation is 0, {kind}", name, bias, "1/mm", "lower", seeds))
    return rows


@jax.jit
def _image_scores(images: Array, truth: Array) -> tuple[Array, Array, Array, Array]:
    """PSNR, SSIM, negative pixels in %, and the bias where the truth is 0, of each seed."""
    empty = (truth == 0).astype(truth.dtype)
    bias = jax.vmap(bias_where)(images, truth, empty)
    return jax.vmap(psnr)(images, truth), jax.vmap(ssim)(images, truth), 100.0 * negative_share(images), bias


def search_measurements(
    activation: Activation, name: str, kind: str, found: Found, data: Scans, seeds: tuple[int, ...]
) -> list[Measurement]:
    """What a search says of itself: the deviance of rays it never saw, and pixels that no gradient moves any more."""
    slope, matter = np.asarray(jax.jit(activation.slope)(found.parameter)), np.asarray(data.truth) > 0
    dead = 100.0 * ((np.abs(slope) < 1e-6) & matter).sum(axis=(-2, -1)) / matter.sum(axis=(-2, -1))
    return [
        Measurement(f"deviance of held-out rays, {kind}", name, np.asarray(found.held_out), "per ray", "lower", seeds),
        Measurement(f"dead pixels in matter, {kind}", name, dead, "%", "lower", seeds),
    ]


def reconstruction_panels(name: str, image: Any, truth: Any) -> list[Heatmap]:
    """The image with its negative pixels marked, and its residual."""
    image, truth = np.asarray(image), np.asarray(truth)
    return [
        Heatmap(RECONSTRUCTION, name, _short(image), colours="grey", **negative_marks(image)),
        Heatmap(RESIDUAL, name, _short(image - truth), colours="diverging"),
    ]


def negative_marks(image: Array | np.ndarray) -> dict[str, Any]:
    """What marks the negative pixels in a `Heatmap`; empty where there is none."""
    marks = np.asarray(image < 0)
    return {"marks": marks, "mark_label": "negative pixels"} if marks.any() else {}


def _short(values: Any) -> np.ndarray:
    return np.round(np.asarray(values, np.float64), 5)


def convergence(name: str, found: Found, settings: Settings) -> Curve:
    """The objective per ray above its least value, over the steps."""
    objective = np.asarray(found.objective, np.float64)
    rays = np.prod(settings.geometry.sinogram_shape)
    above = (objective - objective.min(axis=-1, keepdims=True)) / rays
    x = np.arange(objective.shape[-1])[:-1:3]
    return Curve(CONVERGENCE, name, x, np.maximum(above[:, :-1:3], 1e-6), "step", "per ray", log_y=True)


@functools.lru_cache(maxsize=8)
def _scans(kind: str, seeds: tuple[int, ...], settings: Settings) -> Scans:
    return scans(kind, seeds, settings)


SYSTEM = System(
    name="tomography",
    title="Tomography",
    question="As the output of a reconstructed image, does it keep attenuation nonnegative, and at what price?",
    data="Random ellipses in air and in a bath, 64 x 64 pixels, 45 views of 3000 photons a bin, in closed form",
    evaluate=evaluate,
    references=references,
)
