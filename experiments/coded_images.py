"""Spiking nets on images: the same net on latency- and on rate-coded pixels, over the slope of its surrogate.

A latency code lets every pixel above a threshold spike once, the brighter the earlier; its control has the same spikes
at random times, which leaves only which pixels are on. A rate code draws spikes anew at each step of the training.
Each seed draws kernels, batches and codes; nets of one seed and code differ in the slope alone. Resets are detached.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from pydantic import Field

from actlab.data.embedded import digits
from actlab.measurement import Claim, Curve, Figure, Measurement
from actlab.systems.spiking import (
    LIF,
    Recipe,
    accuracy,
    linear_latency,
    logarithmic_latency,
    raster,
    rate_code,
    shuffled_in_time,
    surrogate,
    train_classifier,
)
from actlab.training import over_devices, seed_keys
from experiments.labelled_images import Set, read

LATENCY, SHUFFLED, RATE = "latency code", "latency code, times shuffled", "rate code"
SOURCE = "bar set beforehand; codes of Zenke & Vogels 2021, section 4.1"

MANY_PROCESSES = True


@dataclass(frozen=True)
class Config:
    """Settings.

    Attributes:
        set: "digits" (embedded), or "mnist" or "fashion-mnist" from the user's folder.
        data: that folder.
        surrogate: a family of surrogates, divided by its area.
        betas: slopes.
        latency: "linear" in the brightness, or "logarithmic": when an integrator of the brightness reaches 0.2.
        threshold: brightness up to which a pixel stays silent, under the linear code.
        largest: probability of a spike of a white pixel in a step, under the rate code.
        times: steps of a trial.
        decay: of the neurons.
        hidden: width.
        steps: of Adam.
        learning_rate: of Adam, at the start.
        seeds: how many.
        at_once: test images whose spikes are in memory together.
        floor: accuracy claimed of both codes at every slope, %.
        gap: points that the latency code is claimed to stay within of the rate code, at its own best slope.
    """

    set: Set = "digits"
    data: str | None = None
    surrogate: str = "sigmoid"
    betas: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (1.0, 10.0, 100.0)
    latency: Literal["linear", "logarithmic"] = "linear"
    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.2
    largest: Annotated[float, Field(gt=0, le=1)] = 0.3
    times: Annotated[int, Field(ge=2)] = 40
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.95
    hidden: Annotated[int, Field(ge=1)] = 128
    steps: Annotated[int, Field(ge=1)] = 400
    learning_rate: Annotated[float, Field(gt=0)] = 5e-3
    seeds: Annotated[int, Field(ge=2)] = 5
    at_once: Annotated[int, Field(ge=1)] = 256
    floor: float = 95.0
    gap: float = 1.0


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Figure]]:
    """Trains every slope and seed of a code in one program."""
    train, test = brightness(config)
    found = {}
    for code in (LATENCY, SHUFFLED, RATE):
        found[code] = 100 * np.asarray(_accuracies(code, train, test, config), np.float64)
        means = zip(config.betas, found[code].mean(0), strict=True)
        report(f"{code:30s} " + "  ".join(f"beta {beta:g}: {mean:.1f} %" for beta, mean in means))
    measured = [
        Measurement(f"test accuracy on {config.set}, beta = {beta:g}", code, values[:, i], "%", "higher")
        for i, beta in enumerate(config.betas)
        for code, values in found.items()
    ]
    x = np.asarray(config.betas)
    curves: list[Figure] = [
        Curve(f"Accuracy on {config.set}", code, x, values, "slope beta", "test accuracy, %", log_x=True)
        for code, values in found.items()
    ]
    return measured, _claims(found, config), curves


def brightness(config: Config) -> tuple[dict[str, Array], dict[str, Array]]:
    """Training and test images with pixels in [0, 1], as {"times": (images, pixels), "y": (images,)}."""
    if config.set == "digits":
        data = digits()
        rows = np.random.default_rng(0).permutation(len(data.y))
        parts = [(data.X[r], data.y[r]) for r in np.split(rows, [len(rows) * 4 // 5])]
    else:
        parts = [(x / 255, y) for x, y in read(config.set, config.data)]
    train, test = ({"times": jnp.asarray(x, jnp.float32), "y": jnp.asarray(y, jnp.int32)} for x, y in parts)
    return train, test


def _encoder(code: str, config: Config) -> Callable[[Array, Array, int], Array]:
    """(key, brightness, times) -> spikes."""

    def latency(x: Array, times: int) -> Array:
        if config.latency == "linear":
            return linear_latency(x, times, config.threshold)
        return logarithmic_latency(x, times, times / 5)

    return {
        LATENCY: lambda key, x, times: raster(latency(x, times), times),
        SHUFFLED: lambda key, x, times: raster(shuffled_in_time(key, latency(x, times), times), times),
        RATE: lambda key, x, times: rate_code(key, x, times, config.largest),
    }[code]


def _accuracies(code: str, train: dict[str, Array], test: dict[str, Array], config: Config) -> Array:
    """Of every net on the test images, shape (seeds, betas)."""
    encode = _encoder(code, config)
    spikes = encode(jax.random.key(0), train["times"][:200], config.times)
    rate = float(jnp.mean(spikes))  # of an input and step
    recipe = Recipe((config.hidden,), config.steps, learning_rate=config.learning_rate)

    def of_net(key: Array, beta: Array, train: dict[str, Array], test: dict[str, Array]) -> Array:
        of_fit, of_test = jax.random.split(key)
        neuron = LIF(decay=config.decay, surrogate=surrogate(config.surrogate, beta).unit_area())
        fitted = train_classifier(
            of_fit, train, neuron, recipe, times=config.times, classes=10, encode=encode, input_rate=rate
        )
        return accuracy(fitted, test, config.times, encode=encode, key=of_test, at_once=config.at_once)

    nets = over_devices(jax.vmap(of_net, (None, 0, None, None)), (0, None, None, None))
    return nets(seed_keys(range(config.seeds)), jnp.asarray(config.betas, jnp.float32), train, test)


def _claims(found: dict[str, np.ndarray], config: Config) -> list[Claim]:
    worst = [
        Claim(
            f"{code}: at least {config.floor:g} % at every slope",
            SOURCE,
            Measurement("least accuracy over beta", code, found[code].min(1), "%", "higher"),
            at_least=config.floor,
        )
        for code in (LATENCY, RATE)
    ]
    best = {code: values[:, values.mean(0).argmax()] for code, values in found.items()}
    behind = Measurement("rate minus latency, best slopes", LATENCY, best[RATE] - best[LATENCY], "points", "lower")
    told = Measurement(
        "latency minus shuffled, best slopes", LATENCY, best[LATENCY] - best[SHUFFLED], "points", "higher"
    )
    return [
        *worst,
        Claim(f"one spike a pixel is within {config.gap:g} points of many", SOURCE, behind, at_most=config.gap),
        Claim("the times of the spikes tell something beside which pixels are on", SOURCE, told, at_least=0.0),
    ]
