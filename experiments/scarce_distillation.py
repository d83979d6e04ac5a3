"""Distillation from few images: what matching the teacher's slopes adds to its softened classes.

Protocol: one teacher for each seed, trained on all training images of the set; students see 1, 5 or 10 images a
class, under labels alone, soft targets, or soft targets and slopes. Accuracy on held-out images; differences are paired
over seeds. One weight for the slopes and one temperature everywhere: with so few images there is nothing to choose them
by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array
from pydantic import Field

import actlab.activations as al
from actlab.measurement import Claim, Curve, Measurement
from actlab.nets import MLP
from actlab.systems.distillation import derivatives, directions, sizes, soft_and_hard
from actlab.training import fit, over_devices, seed_keys
from experiments.classifiers import accuracy, cross_entropy
from experiments.labelled_images import Set, rows_of

CLASSES = 10
METHODS: dict[str, tuple[float, float]] = {
    "labels": (1.0, 0.0),
    "soft targets": (0.1, 0.0),
    "soft targets and slopes": (0.1, 1.0),
}
"""Weight of the labels against soft targets, and of the slopes."""
SOURCE = "Srinivas & Fleuret 2018, arXiv:1803.00443, table 1"

MANY_PROCESSES = True


@dataclass(frozen=True)
class Config:
    """Settings.

    Attributes:
        set: "digits" (embedded), or "mnist", "fashion-mnist" from the user's folder.
        data: that folder; not used for the digits.
        activations: of the students.
        teacher: activation of the teacher; smooth, since at a kink there is no slope to match.
        hidden: widths of teacher and student.
        images: seen of each class; each divides the last.
        seeds: how many.
        steps: of the student's optimizer, on all its images at once.
        teacher_steps: of the teacher's, in batches of 64.
        learning_rate: Adam's, falling as a cosine.
        temperature: of the soft targets.
        gain_at_least: points of accuracy that slopes are claimed to add, at each number of images.
    """

    set: Set = "digits"
    data: str = ""
    activations: tuple[str, ...] = ("relu", "gelu", "swish", "tanh", "softplus")
    teacher: str = "swish"
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (64, 64)
    images: tuple[Annotated[int, Field(ge=1)], ...] = (1, 5, 10)
    seeds: Annotated[int, Field(ge=2)] = 5
    steps: Annotated[int, Field(ge=1)] = 500
    teacher_steps: Annotated[int, Field(ge=1)] = 1000
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    temperature: Annotated[float, Field(gt=0)] = 4.0
    gain_at_least: float = 3.0


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Curve]]:
    """Trains teachers once, and students of every activation; one claim for each number of images.

    Raises:
        ConfigError: a set that is read from files, and no folder.
        DataError: its files are missing or damaged.
        ValueError: numbers of images of which one does not divide the last, or exceeds the images of a class.
    """
    largest = config.images[-1]
    if any(largest % count for count in config.images):
        raise ValueError(f"images = {config.images}: each must divide the last, {largest}")
    train, test = rows_of(config.set, config.data)
    fewest = int(jnp.bincount(train["y"], length=CLASSES).min())
    if max(config.images) > fewest:
        raise ValueError(f"images = {config.images}: a class of {config.set} has {fewest} training images")
    keys, seeds = seed_keys(range(config.seeds)), tuple(range(config.seeds))
    teach = over_devices(lambda key, train, test: _teacher(key, config, train, test), (0, None, None))
    teachers, teacher_accuracy = teach(keys, train, test)
    report(f"teachers' accuracy {100 * float(jnp.mean(teacher_accuracy)):.2f} %")
    structure = nnx.graphdef(_net(jax.random.key(0), train["x"].shape[1], al.resolve(config.teacher), config))
    measured, claims, curves = [], [], []
    for name in config.activations:
        f = al.resolve(name)

        def one(key: Array, state: Any, train: dict, test: dict, f: Any = f) -> Array:
            teacher = nnx.merge(structure, state)
            methods = jnp.asarray(list(METHODS.values()), jnp.float32)
            rows = jnp.stack([chosen(key, train["y"], count, largest) for count in config.images])

            def trained(rows: Array, weights: Array) -> Array:
                return _student(key, teacher, f, rows, weights, config, train, test)

            return jax.vmap(jax.vmap(trained, (None, 0)), (0, None))(rows, methods)

        students = over_devices(one, (0, 0, None, None))
        right = 100 * np.asarray(students(keys, teachers, train, test), np.float64)  # (seeds, images, methods)
        for m, method in enumerate(METHODS):
            report(f"{f.name:10s} {method:24s} " + "  ".join(f"{v:5.1f} %" for v in right[:, :, m].mean(0)))
            title = f"Accuracy from few images, {f.name} student"
            curves.append(
                Curve(title, method, np.asarray(config.images), right[:, :, m], "images a class", "accuracy, %")
            )
            measured += [
                Measurement(f"accuracy, {of_each(count)}, {method}", f.name, right[:, i, m], "%", "higher", seeds)
                for i, count in enumerate(config.images)
            ]
        for i, count in enumerate(config.images):
            added = right[:, i, 2] - right[:, i, 1]
            gain = Measurement(f"gain of slopes, {of_each(count)}", f.name, added, "points", "higher", seeds)
            measured.append(gain)
            statement = f"{f.name}: slopes add at least {config.gain_at_least:g} points at {of_each(count)}"
            claims.append(Claim(statement, SOURCE, gain, at_least=config.gain_at_least))
    return measured, claims, curves


def of_each(count: int) -> str:
    """In words: so many images of each class."""
    return f"{count} image{'' if count == 1 else 's'} a class"


def chosen(key: Array, labels: Array, count: int, largest: int) -> Array:
    """Rows of `count` random images of each class, each `largest / count` times: every count has the same shape."""
    order = jax.random.permutation(key, labels.shape[0])
    ranked = order[jnp.argsort(labels[order], stable=True)]  # by class, at random within
    firsts = jnp.searchsorted(labels[ranked], jnp.arange(CLASSES))
    picked = ranked[firsts[:, None] + jnp.arange(count)[None]]
    return jnp.tile(picked, (1, largest // count)).reshape(-1)


def _net(key: Array, pixels: int, activation: Any, config: Config) -> MLP:
    return MLP((pixels, *config.hidden, CLASSES), activation, rngs=nnx.Rngs(params=key))


def _teacher(key: Array, config: Config, train: dict, test: dict) -> tuple[Any, Array]:
    """Its state after training on all images, and its accuracy on held-out ones."""
    of_net, of_fit = jax.random.split(jax.random.fold_in(key, 1))
    graphdef, state = nnx.split(_net(of_net, train["x"].shape[1], al.resolve(config.teacher), config))
    optimizer = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.teacher_steps))
    steps = config.teacher_steps
    model = fit(
        graphdef, state, train, of_fit, loss=cross_entropy, optimizer=optimizer, steps=steps, batch_size=64
    ).model()
    return nnx.state(model), accuracy(model, test)


def _student(
    key: Array, teacher: Any, f: Any, rows: Array, method: Array, config: Config, train: dict, test: dict
) -> Array:
    """Accuracy on held-out images of a student that saw these rows."""
    of_net, of_size, of_fit = jax.random.split(jax.random.fold_in(key, 2), 3)
    graphdef, state = nnx.split(_net(of_net, train["x"].shape[1], f, config))
    data = {"x": train["x"][rows], "y": train["y"][rows]}
    size = sizes(teacher, data["x"], of_size, 1).gradient
    logits = teacher(data["x"])

    def loss(model: Any, batch: dict, key: Array) -> Array:
        u, v = directions(key, batch["x"], CLASSES)
        mine, theirs = (derivatives(net, batch["x"], u, v, 1) for net in (model, teacher))
        assert mine.gradient is not None
        assert theirs.gradient is not None
        off = jnp.mean(jnp.sum(jnp.square(mine.gradient - jax.lax.stop_gradient(theirs.gradient)), -1)) / size
        return soft_and_hard(mine.value, logits, batch["y"], config.temperature, method[0]) + method[1] * off

    optimizer = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
    model = fit(graphdef, state, data, of_fit, loss=loss, optimizer=optimizer, steps=config.steps).model()
    return accuracy(model, test)
