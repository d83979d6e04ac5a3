"""Networks as reconstructions beside classical ones: a neural field, a deep image prior, learned primal-dual.

Protocol: a slice of a patient, or an embedded phantom where there is none, is projected on a grid twice as fine or more
and four times as many bins, whose light is averaged: not by the projector of the reconstructions. Stopping and
strengths are chosen by a tenth of the rays. Learned primal-dual is trained on random ellipses, in air and in a bath, of
the same geometry and photons; it sees neither the slice nor anything like it. Seeds draw noise and weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from pydantic import Field

import actlab.activations as al
from actlab.activations import Activation
from actlab.data import Slice, load_dicom_slice
from actlab.data.scans import slice_of_pydicom
from actlab.measurement import Claim, Curve, Figure, Heatmap, Measurement
from actlab.systems.tomography import WATER, Geometry, attenuation, parallel_beam, project, require_nonnegative
from actlab.systems.tomography.counts import Exposure, simulate
from actlab.systems.tomography.evaluation import LINEAR, negative_marks
from actlab.systems.tomography.image_quality import negative_share, psnr, ssim
from actlab.systems.tomography.methods import choose, poisson_map, sart_clipped, tv
from actlab.systems.tomography.model import (
    DeepImagePrior,
    LearnedPrimalDual,
    NetworkRecipe,
    NeuralField,
    fit_network,
)
from actlab.systems.tomography.phantoms import random_ellipses, shepp_logan
from actlab.systems.tomography.posterior import Recipe
from actlab.systems.tomography.priors import smoothed_tv
from actlab.systems.tomography.total_variation import operator_norm
from actlab.training import fit

TV, MAP = "TV, PDHG", "Poisson MAP"
FIELD, PRIOR, LEARNED = "neural field", "deep image prior", "learned primal-dual"
FINER = 4
"""Bins of the simulation in one of the scan."""

TITLE = "CT by networks"


@dataclass(frozen=True)
class Config:
    """The object, its scan, and the networks.

    Attributes:
        file: a DICOM slice; empty: the one that pydicom ships, or the Shepp-Logan head where pydicom is not installed.
        outputs: output activations, none of a range with negative values; the linear one is added.
        hidden: activation inside the networks.
        edge: of the image, pixels.
        views: over half a turn.
        photons: expected in a bin without an object.
        seeds: how many.
        strengths: of the prior of the MAP image without a network.
        tv_strengths: of TV, mm.
        steps: of the MAP search, of TV, and of the fits of networks to one scan.
        width: of the field's layers.
        channels: of the convolutions of the other networks.
        iterations: of learned primal-dual.
        phantoms: on which it is trained.
        training_steps: of its training.
        batch: phantoms in a step.
    """

    file: str = ""
    outputs: tuple[str, ...] = ("softplus",)
    hidden: str = "swish"
    edge: Annotated[int, Field(ge=16, multiple_of=8)] = 64
    views: Annotated[int, Field(ge=2)] = 45
    photons: Annotated[float, Field(gt=0)] = 1e4
    seeds: Annotated[int, Field(ge=1)] = 3
    strengths: tuple[float, ...] = (3.0, 10.0, 30.0)
    tv_strengths: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0)
    steps: Annotated[int, Field(ge=20)] = 400
    width: Annotated[int, Field(ge=1)] = 64
    channels: Annotated[int, Field(ge=1)] = 16
    iterations: Annotated[int, Field(ge=1)] = 4
    phantoms: Annotated[int, Field(ge=2)] = 128
    training_steps: Annotated[int, Field(ge=1)] = 300
    batch: Annotated[int, Field(ge=1)] = 4


@dataclass(frozen=True, eq=False)
class Subject:
    """What is scanned: its name, geometry, truth in 1/mm, and line integrals of shape (views, bins, subrays)."""

    name: str
    geometry: Geometry
    truth: Array
    integrals: np.ndarray


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Figure]]:
    """Every method on the same counts.

    Raises:
        DataError: `file` is missing or is no CT slice.
        FactError: the range of an output includes negative values, or is not known.
        ValueError: a slice of fewer pixels than twice `edge`.
    """
    outputs: dict[str, Activation] = {name: require_nonnegative(al.resolve(name)) for name in config.outputs}
    outputs[LINEAR] = al.identity
    subject, seeds = _subject(config, report), tuple(range(config.seeds))
    exposures = [simulate(jax.random.key(seed), subject.integrals, config.photons) for seed in seeds]
    counted = _rounded(exposures[0].line_integrals)
    figures: list[Figure] = [
        Heatmap(f"Data: line integrals of the {subject.name}, as counted", f"{config.views} views", counted),
        _panel(subject, "truth", subject.truth),
    ]
    measured: list[Measurement] = []
    for name, method, curve in _methods(config, subject, outputs, report):
        once = jax.jit(method)
        found = [once(jax.random.key(seed), exposure) for seed, exposure in zip(seeds, exposures, strict=True)]
        images = jnp.stack([image for image, _ in found])
        rows = _scores(name, subject, images, seeds)
        measured += rows
        report(f"{name}: " + ", ".join(f"{m.name.split(',')[0]} {m.mean:.4g}" for m in rows))
        figures += [_panel(subject, name, images[0]), _residual(subject, name, images[0])]
        if curve:
            losses = np.stack([np.asarray(losses, np.float64) for _, losses in found])
            x = np.arange(losses.shape[-1])[::4]
            figures.append(
                Curve("Convergence: loss per ray", name, x, losses[:, ::4], "step", "half deviance", log_y=True)
            )
    return measured, _claims(measured, list(config.outputs), subject), figures


def _subject(config: Config, report: Callable[[str], None]) -> Subject:
    found = load_dicom_slice(config.file) if config.file else slice_of_pydicom()
    if found is not None:
        return _of_slice(found, config)
    report("pydicom is not installed, and with it not its CT slice: the Shepp-Logan head stands in")
    geometry, head = parallel_beam(config.edge, config.views, pixel=100.0 / config.edge), shepp_logan()
    truth = jnp.asarray(head.image(geometry), jnp.float32)
    return Subject("Shepp-Logan head", geometry, truth, head.integrals(geometry))


def _of_slice(found: Slice, config: Config) -> Subject:
    """The middle of the slice; truth is the mean over the pixels that one of ours covers."""
    factor = min(found.hounsfield.shape) // config.edge
    if factor < 2:
        raise ValueError(f"edge = {config.edge}: a slice of {found.hounsfield.shape} pixels is not twice as fine")
    edge, size = config.edge, factor * config.edge
    top, left = ((n - size) // 2 for n in found.hounsfield.shape)
    fine = np.maximum(attenuation(found.hounsfield[top : top + size, left : left + size]), 0.0)
    truth = fine.reshape(edge, factor, edge, factor).mean(axis=(1, 3))
    geometry = parallel_beam(edge, config.views, pixel=factor * found.pixel)
    bins, width = FINER * geometry.bins, geometry.bin_width / FINER
    finer = parallel_beam(size, config.views, pixel=found.pixel, bins=bins, bin_width=width)
    integrals = np.asarray(project(finer, jnp.asarray(fine, jnp.float32)), np.float64)
    shape = (*geometry.sinogram_shape, FINER)
    return Subject("CT slice", geometry, jnp.asarray(truth, jnp.float32), integrals.reshape(shape))


Reconstruction = Callable[[Any, Exposure], tuple[Array, Array]]
"""(key, exposure) -> the image and the loss before each step; pure."""


def _methods(
    config: Config, subject: Subject, outputs: dict[str, Activation], report: Callable[[str], None]
) -> list[tuple[str, Reconstruction, bool]]:
    """Name, method, whether it has a curve."""
    geometry, hidden = subject.geometry, al.resolve(config.hidden)
    recipe = Recipe(steps=config.steps, learning_rate=0.02, prior=smoothed_tv(0.01))
    methods: list[tuple[str, Reconstruction, bool]] = []
    for plain in (
        sart_clipped(),
        tv(config.tv_strengths, config.steps),
        poisson_map(al.relu, config.strengths, recipe, unit=WATER, name=MAP),
    ):
        methods.append((plain.name, lambda k, e, m=plain: (choose(k, m, geometry, e).image, jnp.zeros(0)), False))

    def fitted(make: Callable[[Any], nnx.Module], rate: float) -> Reconstruction:
        fit_recipe = NetworkRecipe(steps=config.steps, learning_rate=rate)

        def one(key: Any, exposure: Exposure) -> tuple[Array, Array]:
            found = fit_network(key, make, geometry, exposure, WATER, recipe=fit_recipe)
            return found.image, found.objective

        return one

    for name, output in outputs.items():

        def field(key: Any, output: Activation = output) -> nnx.Module:
            widths = (config.width,) * 3
            return NeuralField(geometry.shape, hidden, output, rngs=nnx.Rngs(key), widths=widths)

        def prior(key: Any, output: Activation = output) -> nnx.Module:
            return DeepImagePrior(geometry.shape, hidden, output, rngs=nnx.Rngs(key), channels=config.channels)

        learned, losses = _learned(config, geometry, hidden, output)
        size = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(learned, nnx.Param)))
        report(f"{LEARNED}, {name}: {size} parameters, loss {losses[0]:.3g} before and {losses[-20:].mean():.3g} after")

        def unrolled(key: Any, exposure: Exposure, net: Any = learned) -> tuple[Array, Array]:
            del key
            return WATER * net(geometry, exposure.line_integrals[None] / WATER)[0], jnp.zeros(0)

        methods += [
            (f"{FIELD}, {name}", fitted(field, 3e-3), True),
            (f"{PRIOR}, {name}", fitted(prior, 1e-2), True),
            (f"{LEARNED}, {name}", unrolled, False),
        ]
    return methods


def _learned(config: Config, geometry: Geometry, hidden: Activation, output: Activation) -> tuple[Any, np.ndarray]:
    """Learned primal-dual trained on ellipses, half of them in air, with fresh noise at every step; and its losses."""
    phantoms = [random_ellipses(10_000 + k, box=0.5 * (k % 2)) for k in range(config.phantoms)]
    truths = np.stack([p.image(geometry) for p in phantoms]).astype(np.float32) / WATER
    light = np.stack([np.exp(-p.integrals(geometry)).mean(axis=-1) for p in phantoms]).astype(np.float32)
    norm = float(operator_norm(geometry))
    net = LearnedPrimalDual(
        norm, hidden, output, rngs=nnx.Rngs(0), iterations=config.iterations, channels=config.channels
    )
    graphdef, state = nnx.split(net)

    def loss(model: Any, batch: tuple[Array, Array], key: Any) -> Array:
        truth, transmitted = batch
        counts = jax.random.poisson(key, config.photons * transmitted).astype(jnp.float32)
        integrals = Exposure.of(counts, config.photons).line_integrals
        return jnp.mean(jnp.square(model(geometry, integrals / WATER) - truth))

    optimizer = optax.adam(optax.cosine_decay_schedule(2e-3, config.training_steps))
    options: dict[str, Any] = {"loss": loss, "optimizer": optimizer, "steps": config.training_steps}
    options["batch_size"] = config.batch
    trained = jax.jit(lambda s, d, k: fit(graphdef, s, d, k, **options))(state, (truths, light), jax.random.key(1))
    return trained.model(), np.asarray(trained.metrics["loss"])


def _scores(name: str, subject: Subject, images: Array, seeds: tuple[int, ...]) -> list[Measurement]:
    truth = subject.truth
    likeness, structure = jax.jit(lambda i: (psnr(i, truth), ssim(i, truth)))(images)
    below = 100.0 * np.asarray(negative_share(images))
    return [
        Measurement(f"PSNR, {subject.name}", name, np.asarray(likeness), "dB", "higher", seeds),
        Measurement(f"SSIM, {subject.name}", name, np.asarray(structure), "", "higher", seeds),
        Measurement(f"negative pixels, {subject.name}", name, below, "%", "lower", seeds),
    ]


def _claims(measured: list[Measurement], outputs: list[str], subject: Subject) -> list[Claim]:
    found = {(m.name.split(",")[0], m.activation): m for m in measured}
    return [
        Claim(
            f"{subject.name}: {kind} with {name} as output leaves no pixel negative",
            "the output activation",
            found["negative pixels", f"{kind}, {name}"],
            at_most=0.0,
        )
        for name in outputs
        for kind in (FIELD, PRIOR, LEARNED)
    ]


def _panel(subject: Subject, name: str, image: Array) -> Heatmap:
    limits = (0.0, float(subject.truth.max()))
    values, marks = _rounded(image), negative_marks(image)
    title = f"{subject.name}, reconstructed"
    return Heatmap(title, name, values, colours="grey", value_label="1/mm", limits=limits, **marks)


def _residual(subject: Subject, name: str, image: Array) -> Heatmap:
    values, reach = _rounded(image - subject.truth), 0.25 * float(subject.truth.max())
    title = f"{subject.name}: reconstruction - truth"
    return Heatmap(title, name, values, colours="diverging", value_label="1/mm", limits=(-reach, reach))


def _rounded(values: Any) -> np.ndarray:
    return np.round(np.asarray(values, np.float64), 5)
