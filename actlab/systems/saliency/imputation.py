"""Remove and debias: pixels go in a map's order, replaced by what their neighbours say rather than by a constant.

A constant leaves the shape of what was removed, and a net can read the class off it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from actlab.systems.saliency.attribution import SaliencyError
from actlab.systems.saliency.maps import places

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def noisy_linear_imputation(
    x: Float[Array, "batch height width channels"],
    removed: Bool[Array, "batch height width"],
    key: Key[Array, ""],
    *,
    noise: Any = 0.01,
) -> Float[Array, "batch height width channels"]:
    """Each removed pixel the weighted mean of its eight neighbours, removed ones included, and noise added.

    Weights are 1/6 beside and 1/12 across, over their sum at a border. The linear system is symmetric and positive
    definite while a pixel is left; it is solved by conjugate gradients, to rounding. Of an image of which nothing is
    left only noise remains.

    Args:
        x: images.
        removed: the pixels to be replaced.
        key: of the noise.
        noise: its deviation, in units of x.

    Source: Rong et al. 2022, arXiv:2202.00449, section 4.
    """
    filled = jax.vmap(_imputed)(x, removed[..., None])
    return jnp.where(removed[..., None], filled + noise * jax.random.normal(key, x.shape, x.dtype), x)


def _imputed(x: Float[Array, "height width channels"], gone: Bool[Array, "height width 1"]) -> Array:
    weight = _neighbours(jnp.ones_like(x))

    def system(v: Array) -> Array:
        return jnp.where(gone, weight * v - _neighbours(v), 0)

    known = jnp.where(gone, _neighbours(jnp.where(gone, 0, x)), 0)
    tolerance = 10 * float(jnp.finfo(x.dtype).eps)
    return jax.scipy.sparse.linalg.cg(system, known, tol=tolerance, maxiter=2 * x.shape[0] * x.shape[1])[0]


def road(
    model: Callable[[Float[Array, "batch height width channels"]], Float[Array, "batch classes"]],
    x: Float[Array, "batch height width channels"],
    labels: Int[Array, " batch"],
    maps: Float[Array, "batch height width channels"],
    key: Key[Array, ""],
    *,
    shares: Sequence[float] = SHARES,
    noise: Any = 0.01,
) -> Bool[Array, "shares batch"]:
    """Whether the class is still told as pixels go, the largest of the map first: the mean over images is the curve.

    The sooner it falls, the better the map's order; the area under the curve is one number for it.

    Args:
        model: images -> logits.
        x: images.
        labels: their classes.
        maps: their sums over channels give the order of the pixels; negate them to remove the least important first.
        key: of the noise.
        shares: of the pixels that are removed, rounded down to whole pixels; below 1.
        noise: deviation of the imputed pixels' noise, in units of x.

    Raises:
        SaliencyError: a share outside [0, 1), or images without height, width and channels.

    Source: Rong et al. 2022, arXiv:2202.00449, section 4 (ROAD, most relevant first).
    """
    if x.ndim != 4 or maps.shape != x.shape:
        raise SaliencyError(
            f"road: x {x.shape} and maps {maps.shape} must both be (batch, height, width, channels); reshape flat "
            "rows, and let model reshape them back"
        )
    if not all(0 <= share < 1 for share in shares):
        raise SaliencyError(
            f"road: shares = {tuple(shares)} must all be at least 0 and below 1: some pixel has to stay"
        )
    importance = jnp.sum(maps, -1).reshape(x.shape[0], -1)
    place = places(importance).reshape(x.shape[:3])
    counts = np.floor(np.asarray(shares) * importance.shape[1] + 1e-9).astype(np.int32)  # 0.29 * 100 is 28.999...

    def told(at: tuple[Array, Array]) -> Array:
        count, key = at
        return jnp.argmax(model(noisy_linear_imputation(x, place < count, key, noise=noise)), -1) == labels

    return jax.lax.map(told, (jnp.asarray(counts), jax.random.split(key, len(counts))))


def _neighbours(v: Float[Array, "height width channels"]) -> Float[Array, "height width channels"]:
    """The weighted sum of the eight neighbours; beyond the border there is nothing."""
    total = v
    for axis in (0, 1):
        padded = jnp.pad(total, [(1, 1) if a == axis else (0, 0) for a in range(3)])
        before, at, after = (jax.lax.slice_in_dim(padded, i, i + v.shape[axis], axis=axis) for i in range(3))
        total = before + 2 * at + after
    return (total - 4 * v) / 12
