"""Whether a map says what the score does: when inputs are disturbed, deleted, or put back in the map's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from actlab.systems.saliency.attribution import SaliencyError, Score
from actlab.systems.saliency.maps import places

Explain = Callable[[Float[Array, "batch *shape"]], Float[Array, "batch *shape"]]


def infidelity(
    score: Score,
    x: Float[Array, "batch *shape"],
    maps: Float[Array, "batch *shape"],
    key: Key[Array, ""],
    *,
    deviation: Any = 0.2,
    samples: int = 100,
) -> Float[Array, " batch"]:
    """E (I . map - (F(x) - F(x - I)))^2 over Gaussian disturbances I: 0 where the map is the change of the score.

    Raises:
        SaliencyError: samples below 1.

    Source: Yeh et al. 2019, arXiv:1901.09392, definition 2.1.
    """
    _refuse_none("infidelity: samples", samples)
    own = score(x)

    def one(key: Array) -> Array:
        return _missed(score, x, maps, own, deviation * jax.random.normal(key, x.shape, x.dtype))

    return jnp.mean(jax.lax.map(one, jax.random.split(key, samples)), axis=0)


def infidelity_at(
    score: Score,
    x: Float[Array, "batch *shape"],
    maps: Float[Array, "batch *shape"],
    disturbances: Float[Array, "samples batch *shape"],
) -> Float[Array, " batch"]:
    """`infidelity` over given disturbances I: of another distribution, or such as set pixels to a baseline.

    Raises:
        SaliencyError: no disturbances.
    """
    _refuse_none("infidelity_at: disturbances", len(disturbances))
    own = score(x)
    return jnp.mean(jax.lax.map(lambda moved: _missed(score, x, maps, own, moved), disturbances), axis=0)


def _missed(score: Score, x: Array, maps: Array, own: Array, moved: Array) -> Array:
    said = jnp.sum((moved * maps).reshape(x.shape[0], -1), axis=1)
    return jnp.square(said - (own - score(x - moved)))


def sensitivity_max(
    explain: Explain, x: Float[Array, "batch *shape"], key: Key[Array, ""], *, radius: Any = 0.02, samples: int = 20
) -> Float[Array, " batch"]:
    """Largest |map(x') - map(x)| / |map(x)| over random x' in the cube of that radius around x, in Frobenius norms.

    A lower bound of the supremum: for gradients `gradient_lipschitz` bounds it from above. NaN for a map of zeros.

    Raises:
        SaliencyError: samples below 1.

    Source: Yeh et al. 2019, arXiv:1901.09392, definition 4.1 (relative, as captum and quantus compute it).
    """
    _refuse_none("sensitivity_max: samples", samples)
    own = explain(x)

    def one(key: Array) -> Array:
        return _norm(explain(x + radius * jax.random.uniform(key, x.shape, x.dtype, -1.0, 1.0)) - own)

    return _over(jnp.max(jax.lax.map(one, jax.random.split(key, samples)), axis=0), _norm(own))


def sensitivity_at(
    explain: Explain, x: Float[Array, "batch *shape"], points: Float[Array, "samples batch *shape"]
) -> Float[Array, " batch"]:
    """`sensitivity_max` over given points x'.

    Raises:
        SaliencyError: no points.
    """
    _refuse_none("sensitivity_at: points", len(points))
    own = explain(x)
    return _over(jnp.max(jax.lax.map(lambda point: _norm(explain(point) - own), points), axis=0), _norm(own))


def _refuse_none(what: str, count: int) -> None:
    """Of nothing there is no mean and no largest."""
    if count < 1:
        raise SaliencyError(f"{what} = {count} must be at least 1")


def _over(change: Array, size: Array) -> Array:
    return change / jnp.where(size > 0, size, jnp.nan)


def _norm(v: Array) -> Array:
    return jnp.sqrt(jnp.sum(jnp.square(v), axis=tuple(range(1, v.ndim))))


def perturbation_curve(
    score: Score,
    x: Float[Array, "batch *shape"],
    maps: Float[Array, "batch *shape"],
    *,
    baseline: Any = 0.0,
    steps: int = 16,
    insert: bool = False,
) -> Float[Array, "steps_and_one batch"]:
    """The score as entries go, the largest of the map first, in equal steps: to the baseline, or from it (`insert`).

    Its mean over the steps is the area under the deletion (insertion) curve.

    Args:
        score: of a batch.
        x: examples.
        maps: whose order is tested.
        baseline: what a deleted entry is; broadcast to x.
        steps: after each of which the score is taken; at most the number of entries.
        insert: starts from the baseline and puts entries back.

    Raises:
        SaliencyError: steps below 1 or above the number of entries.

    Source: Petsiuk, Das & Saenko 2018, arXiv:1806.07421, algorithm 1.
    """
    flat = maps.reshape(maps.shape[0], -1)
    if not 1 <= steps <= flat.shape[1]:
        raise SaliencyError(
            f"perturbation_curve: steps = {steps} must be from 1 to the {flat.shape[1]} entries of a map"
        )
    place = places(flat).reshape(maps.shape)
    baseline = jnp.broadcast_to(jnp.asarray(baseline, x.dtype), x.shape)

    def at(count: Array) -> Array:
        taken = place < count
        return score(jnp.where(taken, x, baseline) if insert else jnp.where(taken, baseline, x))

    counts = jnp.round(jnp.linspace(0, flat.shape[1], steps + 1)).astype(jnp.int32)
    return jax.lax.map(at, counts)
