"""Methods side by side on the same counts: each runs along its settings, and held-out rays choose among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from actlab.activations import Activation
from actlab.systems.tomography.algebraic import sart, sirt
from actlab.systems.tomography.counts import Exposure, deviance, held_out_rays
from actlab.systems.tomography.filtered import filtered_backprojection
from actlab.systems.tomography.geometry import Geometry
from actlab.systems.tomography.likelihood import transmission_ml
from actlab.systems.tomography.positivity import parameters_for
from actlab.systems.tomography.posterior import Recipe, maximum_a_posteriori
from actlab.systems.tomography.projector import project
from actlab.systems.tomography.total_variation import tv_pdhg


@dataclass(frozen=True, eq=False)
class Method:
    """A way to reconstruct, along the settings of its one knob.

    Attributes:
        name: for tables.
        settings: of the knob, in the order of the images: a window, a number of iterations, a prior's strength.
        images: (geometry, exposure) -> the image at every setting, shape (settings, rows, columns); pure.
        image_at: (geometry, exposure, index of a setting, which may be traced) -> the image at that setting.
    """

    name: str
    settings: tuple[Any, ...]
    images: Callable[[Geometry, Exposure], Float[Array, "settings rows columns"]]
    image_at: Callable[[Geometry, Exposure, Any], Float[Array, "rows columns"]]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Chosen:
    """The image at the setting that held-out rays chose, 1/mm; its index; the held-out deviance at every setting."""

    image: Any
    index: Any
    held_out: Any


def choose(key: Key[Array, ""], method: Method, geometry: Geometry, exposure: Exposure, share: float = 0.1) -> Chosen:
    """Runs the method at every setting without a share of the rays, takes the setting that predicts those best.

    The image is that of the whole exposure at this setting. FBP cannot leave rays out: it sees all of them, in its
    favour. Pure; vmap it over keys and exposures.

    Args:
        key: of the rays held out.
        method: with its settings.
        geometry: of the scan.
        exposure: of one scan.
        share: of the rays held out.
    """
    fitted, scored = held_out_rays(key, exposure, share)
    images = method.images(geometry, fitted)
    held_out = jax.lax.map(lambda image: predicted_deviance(geometry, image, scored), images)
    index = jnp.argmin(jnp.where(jnp.isfinite(held_out), held_out, jnp.inf))
    return Chosen(method.image_at(geometry, exposure, index), index, held_out)


def predicted_deviance(geometry: Geometry, image: Float[Array, "rows columns"], exposure: Exposure) -> Array:
    """Poisson deviance per ray of the counts that the image predicts, as it is or clipped at 0: the lower of the two.

    Clipping takes away what noise put below 0, but not what it put above, so it can do harm as well as good.
    """
    both = jnp.stack([image, jnp.maximum(image, 0.0)])
    return jnp.min(jax.lax.map(lambda one: deviance(project(geometry, one), exposure), both))


def fbp(windows: Sequence[str] = ("ramp", "hann")) -> Method:
    """Filtered backprojection with every window."""

    def images(geometry: Geometry, exposure: Exposure) -> Array:
        return jnp.stack([filtered_backprojection(geometry, exposure.line_integrals, w) for w in windows])

    return _indexed("FBP", tuple(windows), images)


def sirt_clipped(every: int = 25, checks: int = 8) -> Method:
    """SIRT clipped at 0, looked at every so many iterations."""

    def images(geometry: Geometry, exposure: Exposure) -> Array:
        def further(image: Array) -> Array:
            return sirt(geometry, exposure.line_integrals, every, start=image, weight=exposure.weight)[0]

        return _along(further, geometry, exposure, checks)

    return _indexed("SIRT, clipped", _multiples(every, checks), images)


def sart_clipped(every: int = 1, checks: int = 8, relaxation: float = 0.5) -> Method:
    """SART clipped at 0, looked at every so many sweeps."""

    def images(geometry: Geometry, exposure: Exposure) -> Array:
        def sweep(image: Array) -> Array:
            integrals = exposure.line_integrals
            return sart(geometry, integrals, every, start=image, relaxation=relaxation, weight=exposure.weight)[0]

        return _along(sweep, geometry, exposure, checks)

    return _indexed("SART, clipped", _multiples(every, checks), images)


def likelihood(every: int = 25, checks: int = 8) -> Method:
    """Transmission maximum likelihood, looked at every so many iterations."""

    def images(geometry: Geometry, exposure: Exposure) -> Array:
        return _along(lambda im: transmission_ml(geometry, exposure, every, start=im)[0], geometry, exposure, checks)

    return _indexed("transmission ML", _multiples(every, checks), images)


def tv(strengths: Sequence[float], steps: int = 300) -> Method:
    """Least squares of line integrals with a TV prior and no pixel below 0, by PDHG; strengths in mm."""

    def image_of(geometry: Geometry, exposure: Exposure, strength: Array) -> Array:
        return tv_pdhg(geometry, exposure.line_integrals, strength, steps, weight=exposure.weight)[0]

    return _of_strength("TV, PDHG", strengths, image_of)


def poisson_map(
    activation: Activation,
    strengths: Sequence[float],
    recipe: Recipe,
    *,
    unit: Any,
    name: str | None = None,
    sweeps: int = 4,
) -> Method:
    """The Poisson MAP image with this output activation, at every strength of the recipe's prior.

    The search starts from a few sweeps of clipped SART: from a constant image Adam takes thousands of steps.
    """

    def image_of(geometry: Geometry, exposure: Exposure, strength: Array) -> Array:
        begun = sart(geometry, exposure.line_integrals, sweeps, relaxation=0.5, weight=exposure.weight)[0]
        start = parameters_for(activation, begun / unit)
        return maximum_a_posteriori(geometry, exposure, activation, strength, unit, recipe=recipe, start=start).image

    return _of_strength(name or f"Poisson MAP, {activation!r}", strengths, image_of)


def _indexed(name: str, settings: tuple[Any, ...], images: Callable[[Geometry, Exposure], Array]) -> Method:
    """A method that comes by its images one after another, or at next to no cost: one of them is taken from all."""
    return Method(name, settings, images, lambda geometry, exposure, index: images(geometry, exposure)[index])


def _of_strength(
    name: str, strengths: Sequence[float], image_of: Callable[[Geometry, Exposure, Array], Array]
) -> Method:
    """A method whose every strength is a run of its own."""

    def at(geometry: Geometry, exposure: Exposure, index: Any) -> Array:
        return image_of(geometry, exposure, jnp.asarray(strengths, exposure.counts.dtype)[index])

    def images(geometry: Geometry, exposure: Exposure) -> Array:
        return jax.lax.map(lambda index: at(geometry, exposure, index), jnp.arange(len(strengths)))

    return Method(name, tuple(strengths), images, at)


def _along(step: Callable[[Array], Array], geometry: Geometry, exposure: Exposure, checks: int) -> Array:
    """The images after one step, two, ... from 0."""

    def check(image: Array, _: None) -> tuple[Array, Array]:
        image = step(image)
        return image, image

    return jax.lax.scan(check, jnp.zeros(geometry.shape, exposure.counts.dtype), None, length=checks)[1]


def _multiples(every: int, checks: int) -> tuple[int, ...]:
    return tuple(every * (k + 1) for k in range(checks))
