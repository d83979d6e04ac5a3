"""scikit-learn's regressors in the contest: robust linear ones, and boosted trees under two losses."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from actlab.data.regression import Kind
from actlab.systems.outliers.contest import Split, rows_of
from actlab.training import seed_keys


def peers(seed: int = 0) -> dict[str, Any]:
    """The reference methods by name, with scikit-learn's defaults (and enough iterations to converge)."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import HuberRegressor, LinearRegression, RANSACRegressor, TheilSenRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import RobustScaler

    return {
        "LinearRegression": LinearRegression(),
        "HuberRegressor": make_pipeline(RobustScaler(), HuberRegressor(max_iter=2000)),
        "TheilSen": TheilSenRegressor(random_state=seed),
        "RANSAC": RANSACRegressor(random_state=seed),
        "HGB squared": HistGradientBoostingRegressor(random_state=seed),
        "HGB absolute": HistGradientBoostingRegressor(loss="absolute_error", random_state=seed),
    }


def peer_errors(
    split: Split,
    fractions: Sequence[float],
    seeds: Sequence[int],
    kind: Kind = "one-sided",
    names: Sequence[str] | None = None,
) -> dict[str, np.ndarray]:
    """Test RMSE over the deviation of the test targets, on the rows that the nets of the same seeds see.

    Args:
        split: the data.
        fractions: of wrong rows.
        seeds: as for the nets.
        kind: of contamination.
        names: of the methods; all where not given.

    Returns:
        {method: shape (seeds, fractions)}.
    """
    names = list(peers()) if names is None else list(names)
    errors = {name: np.empty((len(seeds), len(fractions))) for name in names}
    draw = jax.jit(lambda key: rows_of(key, split, fractions, kind))
    for i, (seed, key) in enumerate(zip(seeds, seed_keys(seeds), strict=True)):
        trains, test = draw(key)
        x, y = np.asarray(test.x, np.float64), np.asarray(test.y, np.float64)
        for j, train in enumerate(trains):
            for name in names:
                predicted = _fit(peers(seed)[name], train).predict(x)
                errors[name][i, j] = np.sqrt(np.mean((predicted - y) ** 2)) / np.std(y)
    return errors


def _fit(regressor: Any, train: Any) -> Any:
    """Fitted; that a method did not converge under contamination shows in its error and needs no second word."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    # One thread: a pool of them waits for itself where cores are shared, for minutes on rows as few as these.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        return regressor.fit(np.asarray(train.x, np.float64), np.asarray(train.y, np.float64))
