"""Digits and MNIST as rows of standardized pixels, held-out rows to choose by, and the streams drawn of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from actlab.config import ConfigError
from actlab.data import load_images
from actlab.data.splits import standardized_set
from actlab.systems.continual import Labelled, Stream
from actlab.training import seed_keys

Set = Literal["digits", "mnist", "fashion-mnist"]


def rows_of(name: Set, folder: str | None) -> tuple[dict[str, Array], dict[str, Array]]:
    """Training and held-out rows {"x", "y"} by `standardized_set`, the folder checked.

    Raises:
        ConfigError: a set that is read from files, and no folder.
        DataError: what `load_images` raises.
    """
    return standardized_set(name, "" if name == "digits" else _given(name, folder))


def labelled(name: Set, folder: str | None) -> Labelled:
    """The rows of `rows_of`; labels as NumPy arrays.

    Raises:
        ConfigError: a set that is read from files, and no folder.
        DataError: what `load_images` raises.
    """
    train, test = rows_of(name, folder)
    return Labelled(train["x"], np.asarray(train["y"]), test["x"], np.asarray(test["y"]))


def read(name: Set, folder: str | None) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Training and test images of the user's files, each a row of pixels, with their labels.

    Raises:
        ConfigError: no folder.
        DataError: what `load_images` raises.
    """
    images = load_images(_given(name, folder), name)
    parts = ((images.x_train, images.y_train), (images.x_test, images.y_test))
    train, test = ((x.reshape(len(x), -1), y) for x, y in parts)
    return train, test


def _given(name: Set, folder: str | None) -> str:
    if not folder:
        raise ConfigError(f"set = {name!r} is read from files: set data = FOLDER, the folder that holds them")
    return folder


def for_choosing(data: Labelled, share: float = 0.2) -> Labelled:
    """The training images alone, the last `share` of them in the place of the test images, which stay unseen."""
    kept = round((1 - share) * data.x.shape[0])
    return Labelled(data.x[:kept], data.y[:kept], data.x[kept:], data.y[kept:])


def drawn(make: Callable[[Array, Labelled], Stream], seeds: tuple[int, ...], data: Labelled) -> tuple[Stream, Array]:
    """One stream a seed, without the images, and one key a seed for what else a run draws: shared by all runs.

    Apart from the runs: the draws are the same for all activations, and most of what there is to compile.
    """

    def one(key: Array, x: Array, x_test: Array) -> Stream:
        stream = make(key, Labelled(x, data.y, x_test, data.y_test))
        return replace(stream, x=None, x_test=None)

    keys = jax.vmap(jax.random.split)(seed_keys(seeds))
    return jax.jit(jax.vmap(one, in_axes=(0, None, None)))(keys[:, 0], data.x, data.x_test), keys[:, 1]


def again(members: tuple[Stream, Array], times: int) -> tuple[Stream, Array]:
    """All streams and keys, so many times over: once for each setting that is compared on them."""
    return jax.tree.map(lambda v: jnp.concatenate([v] * times), members)
