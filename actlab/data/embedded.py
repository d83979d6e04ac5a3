"""Data sets inside scikit-learn's wheel: nothing is downloaded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


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


@dataclass(frozen=True)
class Classification:
    """A classification data set.

    Attributes:
        name: for tables.
        X: inputs, float64.
        y: classes from 0, int32.
    """

    name: str
    X: Float[np.ndarray, "n features"]
    y: Int[np.ndarray, " n"]


def digits() -> Classification:
    """1797 handwritten digits of 8 x 8 pixels, scaled to [0, 1]; ten classes.

    Source: Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits (its test set).
    """
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return Classification("digits", np.asarray(X, np.float64) / 16.0, np.asarray(y, np.int32))
