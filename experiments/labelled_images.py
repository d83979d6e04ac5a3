"""Digits and MNIST as rows of standardized pixels, and held-out rows of the training images to choose by."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import jax.numpy as jnp
import numpy as np

from actlab.config import ConfigError
from actlab.data import load_images
from actlab.data.splits import standardized_digits
from actlab.systems.continual import Labelled

Set = Literal["digits", "mnist", "fashion-mnist"]


def labelled(name: Set, folder: str | None) -> Labelled:
    """Pixels scaled together by mean and deviation of all training pixels, float32; labels as NumPy arrays.

    Raises:
        ConfigError: a set that is read from files, and no folder.
        DataError: what `load_images` raises.
    """
    if name == "digits":
        train, test = standardized_digits()
        return Labelled(train["x"], np.asarray(train["y"]), test["x"], np.asarray(test["y"]))
    if folder is None:
        raise ConfigError(f"set = {name!r} is read from files: set data = FOLDER, the folder that holds them")
    images = load_images(Path(folder), name)
    train, test = (v.reshape(len(v), -1) for v in (images.x_train, images.x_test))
    mean, deviation = float(train.mean()), float(train.std())
    x, x_test = (jnp.asarray((v - np.float32(mean)) / np.float32(deviation)) for v in (train, test))
    return Labelled(x, images.y_train, x_test, images.y_test)


def for_choosing(data: Labelled, share: float = 0.2) -> Labelled:
    """The training images alone, the last `share` of them in the place of the test images, which stay unseen."""
    kept = round((1 - share) * data.x.shape[0])
    return Labelled(data.x[:kept], data.y[:kept], data.x[kept:], data.y[kept:])
