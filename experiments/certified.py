"""One certified net: trained over a ball, certified by sound bounds on every test image, attacked beside it.

The certificate counts an image if no input in its ball, and within [0, 1], can change the net's class, rounding
included; the attack counts it if projected gradient descent finds none. What is chosen (sizes, schedules) is chosen on
`validation_rows` held out of the training set, whose accuracy is reported beside that of the test set. Training is
checkpointed: `--resume` goes on.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from actlab.config import ConfigError
from actlab.data import Images, load_images
from actlab.measurement import Claim, Curve, Measurement
from actlab.nets import Architecture, Chain
from actlab.systems.robustness import (
    Attack,
    Certified,
    Recipe,
    activation_of,
    box_margins,
    certified,
    problem,
    spared,
    trained_net,
)
from actlab.systems.robustness.arm import digit_images
from actlab.training import train

FIGURE = "certified and attacked accuracy against the radius"

MANY_PROCESSES = True


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
        bounds: of linf certificates: "linear" adds CROWN at the radius of the claim, where intervals do not suffice.
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
        validation_rows: held out of the training set, its last ones, and certified beside the test set; 0 for none.
        test_rows: of the test set; all where 0.
    """

    set: Literal["digits", "mnist", "fashion-mnist", "cifar-10"] = "digits"
    data: str = ""
    activation: str = "relu"
    convolutions: tuple[tuple[int, int, int], ...] = ()
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (100,)
    linear: Literal["free", "cayley", "bjorck"] = "free"
    method: Literal["plain", "interval", "crown", "lipschitz"] = "interval"
    train_radius: Annotated[float, Field(ge=0)] = 0.1
    norm: Literal["l2", "linf"] = "linf"
    bounds: Literal["interval", "linear"] = "interval"
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
    validation_rows: Annotated[int, Field(ge=0)] = 0
    test_rows: Annotated[int, Field(ge=0)] = 0

    def __post_init__(self) -> None:
        if self.radius not in self.radii:
            raise ValueError(f"radii = {self.radii} must contain radius = {self.radius}")


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Curve]]:
    """Trains, certifies and attacks; the claims are the certified accuracy at the radius and that no attack refutes it.

    Raises:
        ConfigError: the set is read from files and no folder is given, or no row is left to train on.
        DataError: its files are missing or damaged.
        FactError: the activation's slope is not known to be bounded.
    """
    images = _images(config)
    with tempfile.TemporaryDirectory() as scratch:
        net = _trained(config, images, (out or Path(scratch)) / "training", report)
    rows, at = slice(config.test_rows or None), config.radii.index(config.radius)
    x, y = _unit(images.x_test[rows]), images.y_test[rows]
    report(f"certifying {len(y)} test images, then attacking them ({config.attack_steps} steps each)")
    found = _certified(config, net, x, y)
    attack = Attack(config.attack_steps, config.restarts)
    stands = spared(net, x, y, config.norm, config.radii, jax.random.key(config.seed), attack)
    sure, tried = 100.0 * found.accuracy, 100.0 * stands.mean(axis=0)
    for r, a, b in zip(config.radii, sure, tried, strict=True):
        report(f"{config.norm} {r:g}: certified {a:.2f} %, under attack {b:.2f} %")
    who, seeds, ball = config.activation, (config.seed,), f"{config.norm} {config.radius:g}"
    refuted = float(np.sum(found.holds & ~stands))
    values = [
        (f"certified accuracy, {ball}", sure[at], "%", "higher"),
        (f"accuracy under attack, {ball}", tried[at], "%", "higher"),
        ("clean accuracy", 100.0 * found.clean, "%", "higher"),
        (f"mean certified radius, {config.norm}", found.mean_radius, "", "higher"),
        ("certificates that an attack refutes", refuted, "", "lower"),
    ]
    if math.isfinite(found.lipschitz):
        values.append(("Lipschitz constant, sound", found.lipschitz, "", "neither"))
    if config.validation_rows:
        held = slice(-config.validation_rows, None)
        x, y = _unit(images.x_train[held]), images.y_train[held]
        chosen = _certified(config, net, x, y)
        values.append((f"certified accuracy, {ball}, validation", 100.0 * chosen.accuracy[at], "%", "higher"))
        report(f"{ball}: certified {values[-1][1]:.2f} % of {config.validation_rows} validation images")
    measured = [Measurement(name, who, np.array([v]), unit, better, seeds) for name, v, unit, better in values]
    label = f"radius, {config.norm}"
    curves = [
        Curve(FIGURE, how, np.asarray(config.radii), share[None], label, "test images, %")
        for how, share in (("under attack", tried), ("certified", sure))
    ]
    return measured, _claims(config, found.holds[:, at], found.holds & ~stands), curves


def _certified(config: Config, net: Chain, x: np.ndarray, y: np.ndarray) -> Certified:
    """By interval propagation at every radius; where asked for, by linear bounds too at the radius of the claim."""
    found = certified(net, x, y, config.norm, config.radii)
    if config.bounds == "interval" or config.norm == "l2":
        return found
    at = config.radii.index(config.radius)
    holds, radius = found.holds.copy(), np.full(len(x), config.radius)
    holds[:, at] = box_margins(net, x, y, radius, "linear") > 0
    return replace(found, holds=holds, radius=np.maximum(found.radius, config.radius * holds[:, at]))


def _claims(config: Config, holds: np.ndarray, refuted: np.ndarray) -> list[Claim]:
    """Decided by the interval of sampling test images, one value an image: there is one trained net."""
    ball, bar = f"{config.norm} {config.radius:g}", config.certified_at_least
    each = Measurement(f"test images certified, {ball}", config.activation, 100.0 * holds, "%", "higher")
    name = "certificates refuted, of all radii"
    broken = Measurement(name, config.activation, refuted.sum(axis=1), "", "lower")
    claims = [Claim("no attack breaks a certificate", "soundness", broken, at_most=0.0)]
    if bar:
        statement = f"{config.set}: certified at {ball} on at least {bar:g} %"
        claims.append(Claim(statement, "sound bounds of every test image", each, at_least=bar))
    return claims


def _images(config: Config) -> Images:
    if config.set == "digits":
        return digit_images(config.seed)
    if not config.data:
        raise ConfigError(f'set = "{config.set}" is read from your files: add data=FOLDER')
    return load_images(config.data, config.set)


def _trained(config: Config, images: Images, folder: Path, report: Callable[[str], None]) -> Chain:
    rows = len(images.y_train) - config.validation_rows
    if rows < 1:
        raise ConfigError(
            f"validation_rows = {config.validation_rows}: {images.name} has {len(images.y_train)} to train on"
        )
    batch = min(config.batch_size, rows)
    epoch = rows // batch
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
    p = problem(net_key, architecture, activation_of(config.activation), recipe)
    fitted = train(
        folder,
        p.graphdef,
        p.state,
        (jnp.asarray(images.x_train[:rows]), jnp.asarray(images.y_train[:rows])),
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
