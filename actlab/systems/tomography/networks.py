"""Networks fitted to the counts of one scan, stopped where the held-out rays are explained best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Key

from actlab.systems.tomography.counts import Exposure, deviance, held_out_rays, negative_log_likelihood
from actlab.systems.tomography.geometry import Geometry
from actlab.systems.tomography.posterior import Found
from actlab.systems.tomography.priors import Prior
from actlab.systems.tomography.projector import project
from actlab.training import advance, begin


@dataclass(frozen=True, eq=False)
class NetworkRecipe:
    """How a network is fitted to one scan.

    Attributes:
        steps: of Adam, in all.
        checks: how often the held-out rays are looked at, at equal distances.
        learning_rate: of Adam.
        strength: of the prior.
        prior: of the image over `unit`; None: the network alone.
        share: of the rays held out.
    """

    steps: int = 400
    checks: int = 20
    learning_rate: float = 2e-3
    strength: float = 0.0
    prior: Prior | None = None
    share: float = 0.1


def fit_network(
    key: Key[Array, ""],
    make: Callable[[Key[Array, ""]], nnx.Module],
    geometry: Geometry,
    exposure: Exposure,
    unit: Any,
    *,
    recipe: NetworkRecipe,
) -> Found:
    """Fits a network without input, such as `NeuralField`, to the counts; keeps the image of the best check.

    Pure; vmap it over keys and exposures.

    Args:
        key: of the rays held out and of the initial weights.
        make: key -> the network; calling it gives an image in units of `unit`.
        geometry: of the scan.
        exposure: of one scan.
        unit: attenuation, 1/mm, of an output of 1.
        recipe: of the fit.

    Returns:
        The image at the check with the least held-out deviance, that deviance, and the loss before each step;
        `parameter` is empty.
    """
    ray_key, weight_key, fit_key = jax.random.split(key, 3)
    fitted, scored = held_out_rays(ray_key, exposure, recipe.share)
    graphdef, variables = nnx.split(make(weight_key))
    optimizer, count = optax.adam(recipe.learning_rate), recipe.steps // recipe.checks
    rays = jnp.maximum(jnp.sum(fitted.weight), 1.0)

    def loss(model: Any, batch: Exposure, key: Any) -> Array:
        del key
        relative = model()
        value = negative_log_likelihood(project(geometry, unit * relative), batch)
        if recipe.prior is not None:
            value = value + recipe.strength * recipe.prior(relative)
        return value / rays

    def check(carry: tuple[Any, Array, Array], _: None) -> tuple[tuple[Any, Array, Array], Array]:
        state, best, least = carry
        state, metrics = advance(graphdef, state, fitted, loss=loss, optimizer=optimizer, steps=count)
        model: Any = nnx.merge(graphdef, state.params, state.rest, copy=True)
        image = unit * model()
        held_out = deviance(project(geometry, image), scored)
        better = held_out < least
        return (state, jnp.where(better, image, best), jnp.minimum(held_out, least)), metrics["loss"]

    empty = jnp.zeros(geometry.shape, exposure.counts.dtype)
    start = (begin(variables, fit_key, optimizer=optimizer), empty, jnp.asarray(jnp.inf, empty.dtype))
    (_, image, least), losses = jax.lax.scan(check, start, None, length=recipe.checks)
    return Found(image, jnp.zeros((0,), empty.dtype), losses.reshape(-1), least)
