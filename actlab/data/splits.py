"""Train-test splits, standardized with what the training rows tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from actlab.data.embedded import Regression, digits
from actlab.data.images import load_images

DIGITS_HELD_OUT = 5
"""One row in so many of the digits is held out."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Split:
    """One split, or several stacked along a leading axis: a pytree to vmap over.

    Attributes:
        x: training inputs, (*splits, n, features), each feature of mean 0 and deviation 1 (constant ones 0), float32.
        y: training targets, (*splits, n), likewise.
        x_test: test inputs, (*splits, m, features), on the same scale.
        y_test: test targets, (*splits, m), on the same scale.
        y_scale: the training targets' standard deviation, (*splits,), in the original unit.
    """

    # Not typed by shape: JAX rebuilds pytrees with leaves that are no arrays.
    x: Any
    y: Any
    x_test: Any
    y_test: Any
    y_scale: Any


def standardized(data: Regression, train: Int[np.ndarray, " n"], test: Int[np.ndarray, " m"]) -> Split:
    """The split of these rows, scaled in float64 by the training rows' mean and deviation, then float32."""
    x, y = data.X[train], data.y[train]
    centre, scale, level, spread = x.mean(0), x.std(0), y.mean(), y.std()
    scale = np.where(scale > 0, scale, 1.0)
    spread = spread if spread > 0 else 1.0
    arrays = (
        (x - centre) / scale,
        (y - level) / spread,
        (data.X[test] - centre) / scale,
        (data.y[test] - level) / spread,
    )
    return Split(*(a.astype(np.float32) for a in arrays), y_scale=np.asarray(spread, np.float32))


def random_split(data: Regression, seed: int, test_fraction: float = 0.1) -> Split:
    """A split drawn by the seed."""
    order = np.random.default_rng(seed).permutation(len(data.y))
    held_out = round(test_fraction * len(data.y))
    return standardized(data, order[held_out:], order[:held_out])


def stacked(splits: list[Split]) -> Split:
    """Splits of equal sizes along a new leading axis."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *splits)


def standardized_digits() -> tuple[dict[str, Array], dict[str, Array]]:
    """Training and held-out rows {"x", "y"} of the digits; always the same fifth is held out.

    Pixels are scaled together, by mean and deviation of all training pixels, as many are 0 in every image.
    """
    data = digits()
    rows = np.random.default_rng(0).permutation(len(data.y))
    out, within = np.split(rows, [len(rows) // DIGITS_HELD_OUT])
    X = (data.X - data.X[within].mean()) / data.X[within].std()
    train, test = ({"x": jnp.asarray(X[part], jnp.float32), "y": jnp.asarray(data.y[part])} for part in (within, out))
    return train, test


def standardized_set(name: str, folder: str) -> tuple[dict[str, Array], dict[str, Array]]:
    """Training and held-out rows {"x", "y"} of the digits, or of a set of images in a folder, divided as published.

    Images as flat rows; all pixels are scaled together, by mean and deviation of the training pixels.

    Args:
        name: "digits", or what `load_images` knows.
        folder: of its files; not used for the digits.

    Raises:
        DataError: what `load_images` raises.
    """
    if name == "digits":
        return standardized_digits()
    images = load_images(folder, name)
    x, x_test = (v.reshape(len(v), -1).astype(np.float32) for v in (images.x_train, images.x_test))
    centre, spread = np.float32(x.mean(dtype=np.float64)), np.float32(x.std(dtype=np.float64))
    train, test = (
        {"x": jnp.asarray((v - centre) / spread), "y": jnp.asarray(y)}
        for v, y in ((x, images.y_train), (x_test, images.y_test))
    )
    return train, test
