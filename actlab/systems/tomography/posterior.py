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
    z = jnp.full(geometry.shape, constant, exposure.counts.dtype) if start is None else start
    optimizer = optax.adam(optax.cosine_decay_schedule(recipe.learning_rate, recipe.steps))

    def objective(z: Array) -> Array:
        relative = activation(z)
        loss = negative_log_likelihood(project(geometry, unit * relative), exposure)
        return loss + strength * recipe.prior(relative)

    def step(carry: tuple[Array, Any], _: None) -> tuple[tuple[Array, Any], Array]:
        z, state = carry
        value, gradient = jax.value_and_grad(objective)(z)
        updates, state = optimizer.update(gradient, state)
        return (z + cast(Array, updates), state), value

    (z, _), values = jax.lax.scan(step, (z, optimizer.init(z)), None, length=recipe.steps)
    image = unit * activation(z)
    held_out = jnp.nan if scored is None else deviance(project(geometry, image), scored)
    return Found(image, z, values, jnp.asarray(held_out, image.dtype))


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
