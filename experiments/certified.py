"""One certified net: trained over a ball, certified by sound bounds on every test image, attacked beside it.

The certificate counts a test image if no input in its ball, and within [0, 1], can change the net's class, rounding
included; the attack counts it if projected gradient descent finds none. Training is checkpointed: `--resume` goes on.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from actlab.config import ConfigError
from actlab.data import Images, load_images
from actlab.data.embedded import digits
from actlab.measurement import Claim, Curve, Measurement
from actlab.nets import Architecture
from actlab.systems.robustness import (
    Attack,
    Recipe,
    activation_of,
    attacked_accuracy,
    certified,
    problem,
    trained_net,
)
from actlab.training import train

FIGURE = "certified and attacked accuracy against the radius"


@dataclass(frozen=True)
class Config:
    """One net.

    Attributes:
        set: "digits" (embedded), or "mnist", "fashion-mnist", "cifar-10" from the user's folder.
        data: the folder that holds the set's files; not used for the digits.
        activation: of the hidden layers, "maxmin" included.
        convolutions: (channels, side, stride) of each.
        hidden: widths of the dense layers.
        linear: "free" or orthogonal layers; see `Architecture`.
        method: how it is trained; see `Recipe`.
        train_radius: of the balls of the training.
        norm: of the balls that are certified.
        radius: at which the claim is made.
        radii: of the figure; must contain the radius.
        certified_at_least: the claim, in per cent.
        epochs: of the training.
        batch_size: rows of a batch.
        learning_rate: at the start.
        warm: share of the training before the ball grows.
        ramp: share in which it grows.
        clean: final weight of the ordinary cross-entropy.
        seed: of everything.
        attack_steps: of projected gradient descent.
        restarts: of it.
        test_rows: of the test set; all where 0.
    """

    set: Literal["digits", "mnist", "fashion-mnist", "cifar-10"] = "digits"
    data: str = ""
    activation: str = "relu"
    convolutions: tuple[tuple[int, int, int], ...] = ()
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (100,)
    linear: Literal["free", "cayley", "bjorck"] = "free"
    method: Literal["plain", "interval", "lipschitz"] = "interval"
    train_radius: Annotated[float, Field(ge=0)] = 0.1
    norm: Literal["l2", "linf"] = "linf"
    radius: Annotated[float, Field(ge=0)] = 0.1
    radii: tuple[Annotated[float, Field(ge=0)], ...] = (0.0, 0.05, 0.1, 0.15)
    certified_at_least: Annotated[float, Field(ge=0, le=100)] = 0.0
    epochs: Annotated[float, Field(gt=0)] = 10
    batch_size: Annotated[int, Field(ge=1)] = 128
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    warm: Annotated[float, Field(ge=0, le=1)] = 0.05
    ramp: Annotated[float, Field(ge=0, le=1)] = 0.45
    clean: Annotated[float, Field(ge=0, le=1)] = 0.0
    seed: Annotated[int, Field(ge=0)] = 0
    attack_steps: Annotated[int, Field(ge=1)] = 40
    restarts: Annotated[int, Field(ge=0)] = 2
    test_rows: Annotated[int, Field(ge=0)] = 0

    def __post_init__(self) -> None:
        if self.radius not in self.radii:
            raise ValueError(f"radii = {self.radii} must contain radius = {self.radius}")


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Curve]]:
    """Trains, certifies and attacks; the claim is the certified accuracy at the radius."""
    images = _images(config)
    activation = activation_of(config.activation)
    with tempfile.TemporaryDirectory() as scratch:
        net = _trained(config, images, activation, (out or Path(scratch)) / "training", report)
    rows = config.test_rows or len(images.y_test)
    x, y = _unit(images.x_test[:rows]), images.y_test[:rows]
    report(f"certifying {rows} test images")
    found = certified(net, x, y, config.norm, config.radii)
    report(f"attacking them, {config.attack_steps} steps, {config.restarts + 1} starts")
    attack = Attack(config.attack_steps, config.restarts)
    spared = attacked_accuracy(net, x, y, config.norm, config.radii, jax.random.key(config.seed), attack)
    who, unit = repr(activation), 100.0
    sure, tried = unit * found.accuracy, unit * spared
    for r, a, b in zip(config.radii, sure, tried, strict=True):
        report(f"{config.norm} {r:g}: certified {a:.2f} %, attacked {b:.2f} %")
    at = config.radii.index(config.radius)
    seeds = (config.seed,)
    name = f"certified accuracy, {config.norm} {config.radius:g}"
    measured = [
        Measurement(name, who, sure[[at]], "%", "higher", seeds),
        Measurement(f"accuracy under attack, {config.norm} {config.radius:g}", who, tried[[at]], "%", "higher", seeds),
        Measurement("clean accuracy", who, unit * np.array([found.clean]), "%", "higher", seeds),
        Measurement(f"mean certified radius, {config.norm}", who, np.array([found.mean_radius]), "", "higher", seeds),
    ]
    if math.isfinite(found.lipschitz):
        measured.append(
            Measurement("Lipschitz constant, sound", who, np.array([found.lipschitz]), "", "neither", seeds)
        )
    # Over all test images of one trained net: the interval is that of sampling test images, one value an image.
    each = Measurement(name, who, unit * found.holds[:, at], "%", "higher")
    statement = (
        f"{config.set}: certified at {config.norm} {config.radius:g} on at least {config.certified_at_least:g} %"
    )
    claims = [Claim(statement, "sound bounds, every test image", each, at_least=bar)]
    label = f"radius, {config.norm}"
    curves = [
        Curve(FIGURE, how, np.asarray(config.radii), values[None], label, "test images, %")
        for how, values in (("certified", sure), ("under attack", tried))
    ]
    return measured, claims if bar else [], curves


def _images(config: Config) -> Images:
    if config.set == "digits":
        return digit_images(config.seed)
    if not config.data:
        raise ConfigError(f'set = "{config.set}" is read from your files: add data=FOLDER')
    return load_images(config.data, config.set)


def digit_images(seed: int) -> Images:
    """The embedded digits as images of bytes, a fifth of them, drawn by the seed, held out."""
    table = digits()
    order = np.random.default_rng(seed).permutation(len(table.y))
    x = np.round(table.X * 255).astype(np.uint8).reshape(-1, 8, 8, 1)
    held, kept = np.split(order, [len(order) // 5])
    return Images("digits", x[kept], table.y[kept], x[held], table.y[held])


def _trained(config: Config, images: Images, activation: Any, folder: Path, report: Callable[[str], None]) -> Any:
    batch = min(config.batch_size, len(images.y_train))
    epoch = len(images.y_train) // batch
    recipe = Recipe(
        method=config.method,
        radius=config.train_radius,
        steps=max(round(config.epochs * epoch), 1),
        batch_size=batch,
        learning_rate=config.learning_rate,
        warm=config.warm,
        ramp=config.ramp,
        clean=config.clean,
    )
    shape = images.x_train.shape[1:]
    architecture = Architecture(shape, config.convolutions, config.hidden, linear=config.linear)
    net_key, order_key = jax.random.split(jax.random.key(config.seed))
    p = problem(net_key, architecture, activation, recipe)
    fitted = train(
        folder,
        p.graphdef,
        p.state,
        (jnp.asarray(images.x_train), jnp.asarray(images.y_train)),
        order_key,
        loss=p.loss,
        optimizer=p.optimizer,
        steps=recipe.steps,
        batch_size=batch,
        chunk=min(epoch, recipe.steps),
        keep=1,
        resume=True,
        progress=lambda progress: report(str(progress)),
    )
    return trained_net(fitted)


def _unit(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float32) / np.float32(255)
