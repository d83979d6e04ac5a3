"""Bounds of a reference network of 4-16-16-3 against two published tools, and against the cloud of its sampled outputs.

Weights and centre come from numpy's generator 0: for each layer normal values over sqrt(inputs), then 0.1 times normal
biases, then a centre uniform in [-1, 1]^4. Nothing here is random beyond that: a measurement's two values are those in
float32 and in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

import actlab.activations as al
from actlab.activations import Activation, Interval
from actlab.bounds import (
    interval_bounds,
    linear_bounds,
    lipschitz_bound,
    local_lipschitz_bound,
    network,
    optimized_linear_bounds,
)
from actlab.measurement import Claim, Cloud, Measurement, Region

DIMS = (4, 16, 16, 3)
WAYS: dict[str, Callable[..., Interval]] = {
    "intervals (IBP)": interval_bounds,
    "linear, one pass (CROWN-IBP)": partial(linear_bounds, intermediate="interval"),
    "linear (CROWN)": linear_bounds,
    "linear, optimized (alpha-CROWN)": optimized_linear_bounds,
}
INTERVALS, ONE_PASS, LINEAR, OPTIMIZED = WAYS
PUBLISHED = {
    ("relu", INTERVALS): (0.823454, 1.0001),
    ("relu", ONE_PASS): (0.180213, 1.001),
    ("relu", LINEAR): (0.085408, 1.02),
    ("relu", OPTIMIZED): (0.083097, 1.01),
    ("tanh", INTERVALS): (1.720226, 1.0001),
    ("tanh", LINEAR): (0.145161, 1.02),
    ("tanh", OPTIMIZED): (0.128206, 1.01),
}
"""Mean widths by auto_LiRPA (its intervals equal immrax's to six digits), and how many times that ours may be."""
SOURCE = "auto_LiRPA 0.7.1 and immrax 0.3.8 on the same weights and box"


@dataclass(frozen=True)
class Config:
    """What to bound.

    Attributes:
        activations: names; the published figures are of relu and tanh.
        radius: of the box (linf) around the centre; the published figures are of 0.1.
        samples: of inputs, behind the sampled widths.
        steps: of the optimizer of slopes.
        ratio: the largest mean width of linear bounds, in sampled widths, of the activations without a published one.
        drawn: the activations in the figure.
    """

    activations: tuple[str, ...] = ("relu", "tanh", "gelu", "elu", "mish", "softplus", "hard_tanh", "softsign")
    radius: Annotated[float, Field(gt=0)] = 0.1
    samples: Annotated[int, Field(ge=100)] = 20_000
    steps: Annotated[int, Field(ge=1)] = 150
    ratio: float = 1.6
    drawn: tuple[str, ...] = ("relu", "tanh", "gelu")


def reference() -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray, np.random.Generator]:
    """Weights (outputs, inputs) and biases of each layer, the centre, and the generator that goes on."""
    rng = np.random.default_rng(0)
    layers = []
    for inputs, outputs in zip(DIMS[:-1], DIMS[1:], strict=True):
        weight = rng.standard_normal((outputs, inputs)) / np.sqrt(inputs)
        layers.append((weight, 0.1 * rng.standard_normal(outputs)))
    return layers, rng.uniform(-1, 1, (1, DIMS[0]))[0], rng


def perceptron(layers: list[tuple[np.ndarray, np.ndarray]], f: Activation, dtype: Any) -> Callable[[Any], Any]:
    """The network as a function of a batch."""

    def apply(x: Any) -> Any:
        for k, (weight, bias) in enumerate(layers):
            x = x @ jnp.asarray(weight.T, dtype) + jnp.asarray(bias, dtype)[None]
            x = x if k == len(layers) - 1 else f(x)
        return x

    return apply


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Cloud]]:
    """Bounds by every way, in float32 and float64; the claims compare mean widths.

    Raises:
        ArithmeticError: a sampled output lies outside its bounds, which are then unsound.
    """
    layers, centre, rng = reference()
    points = centre + rng.uniform(-config.radius, config.radius, (config.samples, DIMS[0]))
    widths: dict[tuple[str, str], list[float]] = {}
    constants: dict[str, list[tuple[float, float]]] = {}
    clouds, sampled = [], {}
    for name in config.activations:
        boxes: dict[str, Interval] = {}
        for dtype in (jnp.float32, jnp.float64):
            with jax.enable_x64(dtype == jnp.float64):
                model = perceptron(layers, al.get(name), dtype)
                values = np.asarray(jax.jit(model)(jnp.asarray(points, dtype)), np.float64)
                boxes, both = _bounds(model, centre, config, dtype)
            for way, found in boxes.items():
                widths.setdefault((name, way), []).append(float(np.mean(np.asarray(found.width))))
                if np.any(found.lower > values.min(0)) or np.any(values.max(0) > found.upper):
                    raise ArithmeticError(f"{name}: a sampled output lies outside its bounds by {way}")
            constants.setdefault(name, []).append(both)
            sampled[name] = float(np.mean(values.max(0) - values.min(0)))
        report(f"{name:10s} sampled {sampled[name]:.6f}  " + "  ".join(f"{w}: {widths[name, w][-1]:.6f}" for w in WAYS))
        if name in config.drawn:
            clouds.append(_cloud(name, values, boxes))
    measured = [_measurement(f"mean width, {w}", n, v) for (n, w), v in widths.items()]
    measured += [_measurement("mean width, sampled", n, [v, v]) for n, v in sampled.items()]
    for place, what in enumerate(("Lipschitz constant (l2), everywhere", "Lipschitz constant (l2), on the box")):
        measured += [_measurement(what, n, [v[place] for v in both]) for n, both in constants.items()]
    return measured, _claims(config, widths, sampled, constants), clouds


def _bounds(
    model: Callable[[Any], Any], centre: np.ndarray, config: Config, dtype: Any
) -> tuple[dict[str, Interval], tuple[float, float]]:
    """Bounds by every way, and the Lipschitz constants everywhere and on the box."""
    net = network(model, (DIMS[0],), dtype)
    box = Interval(jnp.asarray(centre - config.radius, dtype), jnp.asarray(centre + config.radius, dtype))
    ways = WAYS | {OPTIMIZED: partial(optimized_linear_bounds, steps=config.steps)}
    found = jax.jit(lambda b: {name: way(net, b) for name, way in ways.items()})(box)
    local = jax.jit(lambda b: local_lipschitz_bound(net, b))(box)
    return {n: Interval(*(np.asarray(e, np.float64) for e in (b.lower, b.upper))) for n, b in found.items()}, (
        float(lipschitz_bound(net)),
        float(local),
    )


def _measurement(name: str, what: str, values: list[float]) -> Measurement:
    return Measurement(name, what, np.array(values), better="lower")


def _claims(
    config: Config,
    widths: dict[tuple[str, str], list[float]],
    sampled: dict[str, float],
    constants: dict[str, list[tuple[float, float]]],
) -> list[Claim]:
    claims = []
    for (name, way), values in widths.items():
        if (name, way) in PUBLISHED and config.radius == 0.1:
            bar, times = PUBLISHED[name, way]
            ratio = _measurement("mean width / published", f"{name}: {way}", [v / bar for v in values])
            claims.append(
                Claim(f"{name}, {way}: at most {times:g} of the published {bar}", SOURCE, ratio, at_most=times)
            )
        elif way == LINEAR and (name, LINEAR) not in PUBLISHED:
            ratio = _measurement("mean width / sampled", f"{name}: {way}", [v / sampled[name] for v in values])
            statement = f"{name}, {way}: at most {config.ratio:g} times the sampled width"
            claims.append(Claim(statement, f"{config.samples} samples", ratio, at_most=config.ratio))
    if "relu" in constants:
        apart = [abs(v[0] - 4.14645339) for v in constants["relu"]]
        statement = "relu: the product of the spectral norms is 4.14645339"
        difference = _measurement("difference from the published product", "relu", apart)
        claims.append(Claim(statement, "singular values by LAPACK", difference, at_most=5e-5))
    return claims


def _cloud(name: str, values: np.ndarray, boxes: dict[str, Interval]) -> Cloud:
    """The first two outputs under their boxes, the tightest on top; the widest is left to the table."""
    shown = [way for way in reversed(WAYS) if way != INTERVALS]
    regions = tuple(Region.box(way, boxes[way].lower[:2], boxes[way].upper[:2]) for way in shown)
    return Cloud(
        "Bounds over the sampled cloud",
        name,
        values[:4000, :2],
        regions,
        x_label="output 1",
        y_label="output 2",
        point_label="sampled outputs",
    )
