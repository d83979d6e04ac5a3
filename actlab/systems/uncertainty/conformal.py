"""Split conformal prediction: intervals that cover with a guaranteed probability, whatever the model.

On exchangeable data coverage lies in [level, level + 1 / (n + 1)), the upper end where the scores have no ties.

Source: Lei et al. 2018, JASA 113(523), theorem 2; Angelopoulos & Bates 2023, arXiv 2107.07511, section 1.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

Values = Float[Array, " n"]


def conformal_quantile(scores: Values, level: float) -> Float[Array, ""]:
    """The ceil((n + 1) level)-th smallest of n calibration scores: a new score is at most it with probability >= level.

    Args:
        scores: of data that the model was not trained on; larger means stranger.
        level: coverage wanted, in (0, 1).

    Returns:
        The quantile; infinity where n is too small for the level (n + 1 < 1 / (1 - level)): only the whole line covers.

    Raises:
        ValueError: level outside (0, 1), or no scores.
    """
    n = scores.shape[0]
    if not 0.0 < level < 1.0 or n == 0:
        raise ValueError(f"conformal_quantile: need 0 < level < 1 and a score, got level={level} and {n} scores")
    rank = math.ceil(round((n + 1) * level, 9))  # 100 * 0.55 is 55.00000000000001
    return jnp.sort(scores)[rank - 1] if rank <= n else jnp.asarray(jnp.inf, scores.dtype)


def absolute_score(mean: Values, y: Values) -> Values:
    """|y - mean|: intervals of one width."""
    return jnp.abs(y - mean)


def normalized_score(mean: Values, deviation: Values, y: Values) -> Values:
    """|y - mean| / standard deviation: intervals as wide as the model's own uncertainty, rescaled."""
    return jnp.abs(y - mean) / deviation


def conformal_interval(
    mean: Values, quantile: Float[Array, ""], deviation: Values | None = None
) -> tuple[Values, Values]:
    """Mean -+ quantile (times the deviation where the scores were normalized): lower and upper ends."""
    half = jnp.broadcast_to(quantile, mean.shape) * (1.0 if deviation is None else deviation)
    return mean - half, mean + half
