"""Streams of tasks made of one labelled set: permuted, rotated, split, randomly labelled; pure functions of a key."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int, Key

from actlab.systems.continual.error import ContinualError


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Labelled:
    """Images as rows, with their classes from 0; training and held-out ones.

    Attributes:
        x: (n, pixels).
        y: (n,), int32.
        x_test: (m, pixels).
        y_test: (m,), int32.
    """

    # Not typed by shape: JAX rebuilds pytrees with leaves that are no arrays.
    x: Any
    y: Any
    x_test: Any
    y_test: Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Stream:
    """Tasks of equal length, each a choice of rows, a view of the pixels and labels; images are not copied.

    Attributes:
        x: (n, pixels) of all training images.
        x_test: (m, pixels) of all held-out images.
        rows: (tasks, length) of the training images that a task shows.
        labels: (tasks, length), their classes within the task, from 0.
        test_rows: (tasks, test length).
        test_labels: (tasks, test length).
        pixels: (tasks, pixels, corners): from which pixels a task's pixel is mixed; None where tasks see all as it is.
        weights: (tasks, pixels, corners) of that mixture; None where each comes from one.
    """

    x: Any
    x_test: Any
    rows: Any
    labels: Any
    test_rows: Any
    test_labels: Any
    pixels: Any = None
    weights: Any = None

    @property
    def tasks(self) -> int:
        """How many."""
        return self.rows.shape[0]

    @property
    def length(self) -> int:
        """Training examples of a task."""
        return self.rows.shape[1]

    def train(self, task: Any, positions: Any) -> tuple[Float[Array, "rows pixels"], Int[Array, " rows"]]:
        """Inputs and labels of the task's training examples at these positions."""
        return self.view(self.x[self.rows[task][positions]], task), self.labels[task][positions]

    def test(self, task: Any) -> tuple[Float[Array, "rows pixels"], Int[Array, " rows"]]:
        """Inputs and labels of the task's held-out examples."""
        return self.view(self.x_test[self.test_rows[task]], task), self.test_labels[task]

    def view(self, x: Float[Array, "rows pixels"], task: Any) -> Float[Array, "rows pixels"]:
        """Images as the task shows them."""
        if self.pixels is None:
            return x
        corners = x[:, self.pixels[task]]
        return corners[..., 0] if self.weights is None else jnp.sum(corners * self.weights[task][None], -1)


def permuted(key: Key[Array, ""], data: Labelled, tasks: int, length: int, test_length: int) -> Stream:
    """Every task shows its own random rows with its own permutation of the pixels; all classes in each.

    Raises:
        ContinualError: more rows than there are, or no task.

    Source: Goodfellow et al. 2013, arXiv:1312.6211; online as in Kumar et al. 2024, arXiv:2308.11958, section 5.
    """
    of_rows, of_pixels = jax.random.split(key)
    rows, test_rows = _random_rows(of_rows, data, tasks, length, test_length)
    order = jax.vmap(lambda k: jax.random.permutation(k, data.x.shape[1]))(jax.random.split(of_pixels, tasks))
    return _all_classes(data, rows, test_rows, order[..., None])


def rotated(
    key: Key[Array, ""], data: Labelled, tasks: int, length: int, test_length: int, largest: float = 180.0
) -> Stream:
    """Every task shows its own random rows turned by its own angle, uniform from 0 to `largest` degrees.

    Bilinear between pixels; beyond the edge the edge goes on.

    Raises:
        ContinualError: images that are not square, more rows than there are, or no task.

    Source: Lopez-Paz & Ranzato 2017, arXiv:1706.08840, section 5.1.
    """
    of_rows, of_angles = jax.random.split(key)
    rows, test_rows = _random_rows(of_rows, data, tasks, length, test_length)
    angles = jnp.deg2rad(largest) * jax.random.uniform(of_angles, (tasks,))
    pixels, weights = jax.vmap(lambda a: rotation(a, _side(data)))(angles)
    return _all_classes(data, rows, test_rows, pixels, weights)


def random_label(key: Key[Array, ""], data: Labelled, tasks: int, length: int, classes: int = 10) -> Stream:
    """Every task shows its own random rows with labels drawn at random: what a net can still memorize.

    There is nothing to generalize: the test is on the training examples themselves.

    Raises:
        ContinualError: more rows than there are, or no task.

    Source: Lyle et al. 2023, arXiv:2303.01486; Kumar et al. 2024, arXiv:2308.11958, section 5.
    """
    of_rows, of_labels = jax.random.split(key)
    rows, _ = _random_rows(of_rows, data, tasks, length, 1)
    labels = jax.random.randint(of_labels, rows.shape, 0, classes)
    return Stream(data.x, data.x, rows, labels, rows, labels)


def split(
    key: Key[Array, ""],
    data: Labelled,
    tasks: int,
    classes: int,
    length: int,
    test_length: int,
    *,
    shuffle: bool = False,
) -> Stream:
    """Task t shows `classes` classes of its own: t * classes, t * classes + 1, ...; random rows of them.

    Args:
        key: of the rows, and of the classes' order where shuffled.
        data: with at least `tasks * classes` classes.
        tasks: how many.
        classes: of each task.
        length: training rows of each task; at most `least_rows(data.y, tasks, classes)`, and where classes are shuffled
            at most the rows of the smallest ones together.
        test_length: likewise.
        shuffle: the classes are assigned to tasks at random.

    Raises:
        ContinualError: more rows than a task has, or no task. Traced labels cannot be counted: with them a task that is
            too small goes on with rows of other classes, labelled 0.

    Source: Zenke, Poole & Ganguli 2017, arXiv:1703.04200, section 5.1.
    """
    of_order, of_rows, of_tests = jax.random.split(key, 3)
    _check(data, tasks, length, test_length)
    for name, y, count in (("length", data.y, length), ("test_length", data.y_test, test_length)):
        least = count if isinstance(y, Tracer) else int(_rows_of_tasks(y, tasks, classes, shuffle).min())
        if count > least:
            raise ContinualError(f"split: {name} = {count} is above the {least} rows that the smallest task can have")
    identity = jnp.arange(tasks * classes)
    order = (jax.random.permutation(of_order, identity) if shuffle else identity).reshape(tasks, classes)

    def choose(key: Array, y: Array, count: int) -> tuple[Array, Array]:
        """Rows of the task's classes in random order: those of other classes are sorted behind."""

        def one(key: Array, mine: Array) -> tuple[Array, Array]:
            within = y[:, None] == mine[None]
            place = jnp.where(within.any(1), jax.random.uniform(key, y.shape), 2.0)
            rows = jnp.argsort(place)[:count]
            return rows, jnp.argmax(within[rows], 1)

        return jax.vmap(one)(jax.random.split(key, tasks), order)

    rows, labels = choose(of_rows, jnp.asarray(data.y), length)
    test_rows, test_labels = choose(of_tests, jnp.asarray(data.y_test), test_length)
    return Stream(data.x, data.x_test, rows, labels, test_rows, test_labels)


def least_rows(y: Int[np.ndarray, " n"], tasks: int, classes: int) -> int:
    """The number of rows of the smallest task of `split`, classes in order."""
    return int(_rows_of_tasks(y, tasks, classes).min())


def _rows_of_tasks(y: Any, tasks: int, classes: int, shuffle: bool = False) -> Int[np.ndarray, " tasks"]:
    """The number of rows of each task, classes in order; where shuffled, the smallest classes in the first."""
    counts = np.bincount(np.asarray(y), minlength=tasks * classes)[: tasks * classes]
    return (np.sort(counts) if shuffle else counts).reshape(tasks, classes).sum(1)


def joint(stream: Stream, *, shared: bool = False) -> Stream:
    """All tasks of a `split` at once, as one task: the ceiling of what any method keeps.

    Args:
        stream: of `split`.
        shared: the tasks' labels stay, as domain-incremental learning has them; else each task's classes are its own.

    Raises:
        ContinualError: a stream whose tasks see different pixels.
    """
    if stream.pixels is not None:
        raise ContinualError("joint: needs a stream of split classes; here every task sees other pixels")
    classes = 0 if shared else jnp.max(stream.labels) + 1

    def flat(rows: Array, labels: Array) -> tuple[Array, Array]:
        own = labels + classes * jnp.arange(stream.tasks)[:, None]
        return rows.reshape(1, -1), own.reshape(1, -1)

    return Stream(
        stream.x, stream.x_test, *flat(stream.rows, stream.labels), *flat(stream.test_rows, stream.test_labels)
    )


def rotation(angle: Any, side: int) -> tuple[Int[Array, "pixels 4"], Float[Array, "pixels 4"]]:
    """Source pixels and bilinear weights that turn a square image counterclockwise by `angle` radians."""
    centre = (side - 1) / 2
    row, column = jnp.meshgrid(jnp.arange(side) - centre, jnp.arange(side) - centre, indexing="ij")
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    # Rows grow downwards: what comes to (row, column) was at that point turned clockwise.
    source = jnp.stack([cosine * row + sine * column, cosine * column - sine * row], -1).reshape(-1, 2) + centre
    source = jnp.clip(source, 0, side - 1)
    low = jnp.minimum(jnp.floor(source), side - 2)
    part = source - low
    corner = low.astype(jnp.int32)
    offsets = [(0, 0), (0, 1), (1, 0), (1, 1)]
    pixels = [(corner[:, 0] + i) * side + corner[:, 1] + j for i, j in offsets]
    weights = [jnp.prod(jnp.where(jnp.array(o)[None] == 1, part, 1 - part), 1) for o in offsets]
    return jnp.stack(pixels, 1), jnp.stack(weights, 1)


def _random_rows(key: Array, data: Labelled, tasks: int, length: int, test_length: int) -> tuple[Array, Array]:
    _check(data, tasks, length, test_length)

    def rows(key: Array, n: int, count: int) -> Array:
        return jax.vmap(lambda k: jax.random.permutation(k, n)[:count])(jax.random.split(key, tasks))

    of_train, of_test = jax.random.split(key)
    return rows(of_train, data.x.shape[0], length), rows(of_test, data.x_test.shape[0], test_length)


def _all_classes(data: Labelled, rows: Array, test_rows: Array, pixels: Array, weights: Any = None) -> Stream:
    y, y_test = jnp.asarray(data.y), jnp.asarray(data.y_test)
    return Stream(data.x, data.x_test, rows, y[rows], test_rows, y_test[test_rows], pixels, weights)


def _check(data: Labelled, tasks: int, length: int, test_length: int) -> None:
    n, m = data.x.shape[0], data.x_test.shape[0]
    if tasks < 1 or not 1 <= length <= n or not 1 <= test_length <= m:
        raise ContinualError(
            f"tasks = {tasks}, length = {length}, test_length = {test_length}: need 1 task at least, 1 to {n} training "
            f"rows and 1 to {m} test rows in each"
        )


def _side(data: Labelled) -> int:
    side = math.isqrt(data.x.shape[1])
    if side**2 != data.x.shape[1] or side < 2:
        raise ContinualError(f"rotated: {data.x.shape[1]} pixels are no square image; give images of side x side")
    return side
