"""Data sets inside scikit-learn's wheel: nothing is downloaded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Regression:
    """A regression data set.

    Attributes:
        name: for tables.
        X: inputs, float64.
        y: targets, float64.
    """

    name: str
    X: Float[np.ndarray, "n features"]
    y: Float[np.ndarray, " n"]


def diabetes() -> Regression:
    """442 patients, 10 standardized measurements; disease progression after a year, 25 to 346.

    Source: Efron, Hastie, Johnstone & Tibshirani 2004, Annals of Statistics 32(2).
    """
    from sklearn.datasets import load_diabetes

    X, y = load_diabetes(return_X_y=True)
    return Regression("diabetes", np.asarray(X, np.float64), np.asarray(y, np.float64))
