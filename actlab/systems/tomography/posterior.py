"""Maximum a posteriori from photon counts: the image is activation(parameter), the likelihood Poisson's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Key

from actlab.activations import Activation
from actlab.systems.tomography.counts import Exposure, deviance, held_out_rays, negative_log_likelihood
from actlab.systems.tomography.geometry import Geometry
from actlab.systems.tomography.positivity import parameter_for
from actlab.systems.tomography.priors import Prior, smoothed_tv
from actlab.systems.tomography.projector import project


@dataclass(frozen=True, eq=False)
class Recipe:
    """How an image is sought.

    Attributes:
        steps: of Adam.
        learning_rate: at the start, falling as a cosine; per step, in units of the activation's input.
        prior: of the image over `unit`.
        start: the constant image that the search begins with, in units of `unit`.
    """

    steps: int = 200
    learning_rate: float = 0.1
    prior: Prior = field(default_factory=smoothed_tv)
    start: float = 0.3


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Found:
    """What a search came to; leading axes are those it was mapped over.

    Attributes:
        image: 1/mm, shape (rows, columns).
        parameter: the activation's input, shape (rows, columns).
        objective: before each step, shape (steps,).
        held_out: Poisson deviance per ray of the rays held out, shape (); nan where there are none.
    """

    image: Any
    parameter: Any
    objective: Any
    held_out: Any


def maximum_a_posteriori(
    geometry: Geometry,
    exposure: Exposure,
    activation: Activation,
    strength: Any,
    unit: Any,
    *,
    recipe: Recipe,
    scored: Exposure | None = None,
    start: Any = None,
) -> Found:
    """Minimizes the negative log-likelihood of the counts + strength prior(image / unit), image = unit activation(z).

    Pure; vmap it over exposures and strengths. The activation is free here: `require_nonnegative` is the gate of those
    who want no negative pixel, the identity is the unconstrained baseline.

    Args:
        geometry: of the scan.
        exposure: of one scan; rays of weight 0 are not fitted.
        activation: the output activation.
        strength: of the prior. May be traced.
        unit: attenuation, 1/mm, that an activation's value of 1 stands for.
        recipe: of the search.
        scored: the rays held out.
        start: parameters to begin with; by default those of a constant image.
    """
    constant = parameter_for(activation, recipe.start)
    base = jnp.full(geometry.shape, constant, exposure.counts.dtype) if start is None else start
    response = half_ramp(geometry.shape)
    optimizer = optax.adam(optax.cosine_decay_schedule(recipe.learning_rate, recipe.steps))

    def parameter(weights: Array) -> Array:
        spectrum = jnp.fft.rfft2(weights) * jnp.asarray(response, weights.dtype)
        return base + jnp.fft.irfft2(spectrum, weights.shape).astype(weights.dtype)

    def objective(weights: Array) -> Array:
        relative = activation(parameter(weights))
        loss = negative_log_likelihood(project(geometry, unit * relative), exposure)
        return loss + strength * recipe.prior(relative)

    def step(carry: tuple[Array, Any], _: None) -> tuple[tuple[Array, Any], Array]:
        weights, state = carry
        value, gradient = jax.value_and_grad(objective)(weights)
        updates, state = optimizer.update(gradient, state)
        return (weights + cast(Array, updates), state), value

    zero = jnp.zeros_like(base)
    (weights, _), values = jax.lax.scan(step, (zero, optimizer.init(zero)), None, length=recipe.steps)
    z = parameter(weights)
    image = unit * activation(z)
    held_out = jnp.nan if scored is None else deviance(project(geometry, image), scored)
    return Found(image, z, values, jnp.asarray(held_out, image.dtype))


def half_ramp(shape: tuple[int, int], floor: float = 0.02) -> Float[np.ndarray, "rows frequencies"]:
    """The square root of the ramp over the plane of frequencies, 1 at half a cycle a pixel: it preconditions a search.

    A'A weighs a frequency k by about 1 / |k|; searching the image through sqrt(|k|) makes all frequencies as fast.

    Args:
        shape: (rows, columns) of the image.
        floor: added to |k|, cycles a pixel.

    Source: Clinthorne et al. 1993, IEEE Trans. Med. Imaging 12:78 (preconditioning by the ramp).
    """
    down, along = np.meshgrid(np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1]), indexing="ij")
    return np.sqrt((np.hypot(down, along) + floor) / 0.5)


def tuned(
    key: Key[Array, ""],
    geometry: Geometry,
    exposure: Exposure,
    activation: Activation,
    strengths: Float[Array, " strengths"],
    unit: Any,
    *,
    recipe: Recipe,
    share: float = 0.1,
) -> tuple[Found, Float[Array, " strengths"]]:
    """The search at every strength on nine tenths of the rays, the best by the other tenth: never by the truth.

    Pure; vmap it over keys and exposures.

    Args:
        key: of the choice of the rays held out.
        geometry: of the scan.
        exposure: of one scan.
        activation: the output activation.
        strengths: of the prior.
        unit: attenuation, 1/mm, of an activation's value of 1.
        recipe: of the search.
        share: of the rays held out.

    Returns:
        What the chosen strength found from the fitted rays, and the deviance of the held-out rays at every strength.
    """
    fitted, scored = held_out_rays(key, exposure, share)

    def at(strength: Array) -> Found:
        return maximum_a_posteriori(geometry, fitted, activation, strength, unit, recipe=recipe, scored=scored)

    found = jax.lax.map(at, strengths)
    best = jnp.argmin(jnp.where(jnp.isfinite(found.held_out), found.held_out, jnp.inf))
    return jax.tree.map(lambda leaf: leaf[best], found), found.held_out


def typical_attenuation(geometry: Geometry, exposure: Exposure) -> Float[Array, ""]:
    """A scale for the image, 1/mm, from the counts alone: 99th percentile of the line integrals over the edge."""
    integrals = exposure.line_integrals
    longest = geometry.pixel * max(geometry.shape)
    return jnp.maximum(jnp.percentile(integrals, 99.0), 1e-3) / np.float32(longest)
