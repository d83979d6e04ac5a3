"""The interval behind every number and band."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

RESAMPLES = 4000
"""Bootstrap resamples behind every interval."""


def bootstrap_interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile-bootstrap interval of the mean; the resampling is seeded, so equal values give equal intervals.

    Args:
        values: shape (n,).
        level: coverage aimed at.

    Returns:
        (low, high); nan for n < 2 or where a value is not finite. Intervals from a handful of seeds are narrow: read
        the number of seeds beside them.
    """
    values = np.asarray(values, np.float64)
    return stratified_interval([values], np.mean, level)


def stratified_interval(
    groups: Sequence[np.ndarray], statistic: Callable[..., np.ndarray], level: float = 0.95
) -> tuple[float, float]:
    """Percentile-bootstrap interval of a statistic of several groups, each resampled by itself.

    Args:
        groups: shapes (n,), (m,), ...
        statistic: (*groups, axis) -> the statistic along the axis.
        level: coverage aimed at.

    Returns:
        (low, high); nan where a group has one value, or a value is not finite.
    """
    if any(g.size < 2 or not np.all(np.isfinite(g)) for g in groups):
        return float("nan"), float("nan")
    from scipy.stats import bootstrap

    result = bootstrap(
        tuple(groups),
        statistic,
        confidence_level=level,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)
