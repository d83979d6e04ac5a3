"""The output activation: attenuation as activation(parameter), and the demand that it cannot be negative."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.activations import Activation

BECAUSE = "attenuation is not negative, and an image is the output activation's values"
SEARCHED = np.concatenate([[0.0], np.geomspace(1e-3, 30.0, 400), -np.geomspace(1e-3, 30.0, 400)])
"""Parameters among which a start is sought."""


def require_nonnegative(activation: Any, upper: float | None = None) -> Activation:
    """The activation, if its facts say that no value is negative.

    Args:
        activation: an Activation, a function or a name.
        upper: additionally no value above this.

    Raises:
        FactError: its range includes negative values (or values above `upper`), or is not known.
    """
    bounds = (0.0, np.inf if upper is None else float(upper))
    return al.require(al.as_activation(activation), because=BECAUSE, range_within=bounds)


def bounded(activation: Any, upper: float) -> Activation:
    """An activation of bounded range, or a sigmoid of it, mapped to [0, upper] in units of the image.

    Raises:
        FactError: the range is not bounded.
    """
    return al.bounded_range(al.as_activation(activation), lower=0.0, upper=float(upper))


def parameters_for(activation: Activation, image: Float[Array, "rows columns"]) -> Float[Array, "rows columns"]:
    """`parameter_for` of every pixel: where a search can start from an image, in units of the activation's values."""
    return jax.lax.map(lambda row: jax.vmap(lambda value: parameter_for(activation, value))(row), image)


def parameter_for(activation: Activation, value: Any) -> Float[Array, ""]:
    """A parameter at which the activation is about `value` and its slope is not 0: where a fit can start.

    Of the parameters searched, the one whose value is nearest; of those equally near, the nearest to 0. Where no
    parameter has a slope the result is nan. Pure: the activation's own parameters may be traced.
    """
    points = jnp.asarray(SEARCHED, jnp.float32)
    values, slopes = activation(points), activation.slope(points)
    usable = jnp.isfinite(values) & jnp.isfinite(slopes) & (jnp.abs(slopes) > 1e-3)
    miss = jnp.where(usable, jnp.abs(values - value), jnp.inf)
    near = usable & (miss <= jnp.min(miss) + 1e-3 * jnp.abs(value))
    nearest = points[jnp.argmin(jnp.where(near, jnp.abs(points), jnp.inf))]
    return jnp.where(jnp.any(usable), nearest, jnp.nan)
