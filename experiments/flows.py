"""Flows on toys of known entropy: distance from the truth, and every promise beside what happened.

Each seed draws its training and held-out events, its start and its batches. The gap to the truth is the mean of log p -
log q over held-out events, an estimate of the Kullback-Leibler divergence. Round trips are run in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

import actlab.activations as al
from actlab.measurement import Claim, Curve, Figure, Heatmap, Line, Measurement
from actlab.systems.flows import (
    TOYS,
    Affine,
    Copies,
    Mixture,
    Outcome,
    Recipe,
    Spline,
    Toy,
    Transform,
    elementwise_flow,
    on_toy,
    round_trip_by_depth,
    round_trip_error_by_depth,
    trainer,
)

SOURCE = "entropies by quadrature of the toys' densities; bounds from the flow's facts"


@dataclass(frozen=True)
class Config:
    """What to fit, and how.

    Attributes:
        transform: "mixture" (copies of the activation and a line, slopes in [lower, upper]), "copies" (of an activation
            whose own slope is positive), "affine" or "spline" (rational-quadratic).
        activation: of "mixture" and "copies"; where empty, u / sqrt(1 + u^2), or tanh with slopes in [lower, upper].
        units: copies, or bins of a spline.
        lower: least slope of a mixture, or of that tanh.
        upper: largest slope of it.
        layers: couplings.
        width: units of both hidden layers of each conditioner.
        steps: of Adam.
        learning_rate: at the start.
        rows: training events.
        seeds: how many.
        depth: layers of the round trips that are drawn.
        gap_at_most: nats, the bar for every toy.
    """

    transform: Literal["mixture", "copies", "affine", "spline"] = "mixture"
    activation: str = ""
    units: Annotated[int, Field(ge=2)] = 8
    lower: Annotated[float, Field(gt=0, lt=1)] = 0.02
    upper: Annotated[float, Field(gt=1)] = 50.0
    layers: Annotated[int, Field(ge=1)] = 5
    width: Annotated[int, Field(ge=1)] = 64
    steps: Annotated[int, Field(ge=1)] = 2000
    learning_rate: Annotated[float, Field(gt=0)] = 5e-3
    rows: Annotated[int, Field(ge=100)] = 20000
    seeds: Annotated[int, Field(ge=1)] = 3
    depth: Annotated[int, Field(ge=1)] = 64
    gap_at_most: float = 0.05


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Figure]]:
    """Fits the toys; the claims are the gap to the truth and that no promise was broken.

    Raises:
        FactError: an activation whose slope is not known to be bounded, or for "copies", positive.
    """
    transform = _transform(config)
    recipe = Recipe(config.layers, config.width, config.steps, config.learning_rate, config.rows)
    seeds, fit = tuple(range(config.seeds)), trainer(transform, recipe)
    measured: list[Measurement] = []
    claims: list[Claim] = []
    figures: list[Figure] = []
    who = _who(config)
    for toy in (build() for build in TOYS):
        outcome, gap = on_toy(fit, toy, recipe, seeds)
        outcome = jax.device_get(outcome)
        gap = Measurement(f"gap to the true density, {toy.name}", who, np.asarray(gap), "nats", "lower", seeds)
        kept = Measurement(f"promises kept, {toy.name}", who, _kept(outcome), "%", "higher", seeds)
        measured += [gap, kept, *_promises(outcome, toy, who, seeds)]
        claims += [
            Claim(
                f"{toy.name}: within {config.gap_at_most:g} nats of the truth", SOURCE, gap, at_most=config.gap_at_most
            ),
            Claim(f"{toy.name}: log-determinants and round trips within their bounds", SOURCE, kept, at_least=100.0),
        ]
        figures += _densities(toy, jax.tree.map(lambda leaf: leaf[0], outcome), transform)
        report(f"{toy.name}: {gap.mean:.4f} nats from the truth; promises kept {kept.mean:g} %")
    report(f"round trips down to {config.depth} layers")
    return measured, claims, [*figures, *_round_trips(config.depth)]


def _who(config: Config) -> str:
    """What the table names the flows by: the activation, or the transform where it has none."""
    own = {"mixture": "algebraic sigmoid", "copies": "tanh of bounded slope"}
    return (config.activation or own[config.transform]) if config.transform in own else config.transform


def _transform(config: Config) -> Transform:
    activation = al.as_activation(config.activation) if config.activation else None
    if config.transform == "mixture":
        return Mixture(config.units, config.lower, config.upper, activation)
    if config.transform == "copies":
        return Copies(activation or al.bounded_slope(al.tanh, lower=config.lower, upper=config.upper), config.units)
    return Affine() if config.transform == "affine" else Spline(config.units)


def _kept(outcome: Outcome) -> np.ndarray:
    """Percent of round trips within their bounds, 0 where a log-determinant left its own; one value a seed."""
    inside = (outcome.log_det[:, 0] >= outcome.certified[:, 0]) & (outcome.log_det[:, 1] <= outcome.certified[:, 1])
    return 100.0 * np.asarray(outcome.within, np.float64) * inside


def _promises(outcome: Outcome, toy: Toy, who: str, seeds: tuple[int, ...]) -> list[Measurement]:
    rows = {
        "least log-determinant": outcome.log_det[:, 0],
        "its proved bound": outcome.certified[:, 0],
        "largest log-determinant": outcome.log_det[:, 1],
        "proved bound of the largest": outcome.certified[:, 1],
        "largest round-trip error, float32": outcome.error[:, -1],
        "largest bound of it": outcome.bound[:, -1],
    }
    return [Measurement(f"{n}, {toy.name}", who, np.asarray(v), "", "neither", seeds) for n, v in rows.items()]


def _densities(toy: Toy, outcome: Outcome, transform: Transform) -> list[Figure]:
    """The true density, and the learned one under the preimage of a square grid of noise."""
    line = np.linspace(-3.5, 3.5, 140)
    grid = jnp.asarray(np.stack(np.meshgrid(line, line), -1), jnp.float32)
    low, high = outcome.certified
    name = (
        f"{toy.name}: density; slopes of every layer proved in [{float(transform.lower):.3g}, "
        f"{float(transform.upper):.3g}], log-determinant in [{low:.1f}, {high:.1f}]"
    )
    truth, found = (np.exp(np.asarray(jax.jit(of.log_prob)(grid))) for of in (toy, outcome.flow))
    limits = (0.0, float(truth.max()))
    warped = Line("the preimage of a square grid of noise, -3 to 3", *_warped(outcome))
    return [
        Heatmap(name, "truth", truth, line, line, "x_1", "x_2", "density", limits=limits),
        Heatmap(name, "flow", found, line, line, "x_1", "x_2", "density", limits=limits),
        Heatmap(name, "flow, warped grid", found, line, line, "x_1", "x_2", "density", (warped,), limits=limits),
    ]


def _warped(outcome: Outcome, lines: int = 13, points: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """The images of the lines one after another, a gap after each."""
    along, across = np.linspace(-3, 3, points), np.linspace(-3, 3, lines)
    one, other = np.meshgrid(along, across)
    noise = np.concatenate([np.stack([one, other], -1), np.stack([other, one], -1)])
    events = np.asarray(jax.jit(outcome.flow.bijector.inverse)(jnp.asarray(noise, jnp.float32)))
    events = np.where(np.abs(events).max(-1, keepdims=True) <= 3.5, events, np.nan)
    gaps = np.concatenate([events, np.full((2 * lines, 1, 2), np.nan)], 1).reshape(-1, 2)
    return gaps[:, 0], gaps[:, 1]


def _round_trips(depth: int) -> list[Figure]:
    """Error and bound against depth of stacks without conditioners, gentle and steep."""
    name, x = "round trip in float32, largest of 256 events", jax.random.normal(jax.random.key(0), (256, 8))
    layers, figures = np.arange(1, depth + 1), []
    for lower, upper in ((0.8, 1.25), (0.5, 2.0)):
        unit = al.bounded_slope(al.softplus, lower=lower, upper=upper)
        flow = elementwise_flow(jax.random.key(1), 8, layers=depth, transform=Copies(unit, 2))
        both = jax.jit(lambda f: (round_trip_error_by_depth(f.bijector, x), round_trip_by_depth(f.bijector, x).bound))
        for what, values in zip(("error", "bound"), both(flow), strict=True):
            worst = np.asarray(values).max(1)
            worst = np.where(np.isfinite(worst), worst, np.nan)
            label = f"slopes in [{lower:g}, {upper:g}], {what}"
            figures.append(Curve(name, label, layers, worst[None], "layers", "length", log_y=True))
    return figures
