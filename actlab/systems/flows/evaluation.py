"""The standard test of an activation in flows: is it invertible, and how well do its copies fit a known density?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import actlab.activations as al
from actlab.measurement import Curve, Evaluation, Heatmap, Measurement, System
from actlab.systems.flows.measure import Outcome, Recipe, on_toy, trainer
from actlab.systems.flows.monotone import Copies, Mixture
from actlab.systems.flows.toys import eight_gaussians, pinwheel
from actlab.systems.flows.transforms import Affine, Transform

DENSITY = "eight Gaussians: density that the flow has learned"
ROUND_TRIP = "round trip in float32, largest error of 256 events"


@dataclass(frozen=True)
class Settings:
    """The size of the test.

    Attributes:
        recipe: of the flows and their training.
        units: copies that a function of the flow combines.
    """

    recipe: Recipe = field(default_factory=lambda: Recipe(layers=4, width=24, steps=400, rows=6000))
    units: int = 4


STANDARD = Settings()


def evaluate(activation: Any, seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """Trains coupling flows whose functions are convex combinations of copies of the activation: slopes are its own.

    Args:
        activation: an Activation, a function or a name; its slope must be known to lie in [m, M], m > 0, M finite.
        seeds: of data, start and batches.
        settings: the size of the test.

    Raises:
        FactError: it is not; says what would do.
    """
    activation = al.as_activation(activation)
    transform = Copies(activation, settings.units)
    return _measured(activation.name, transform, tuple(int(s) for s in seeds), settings.recipe)


def references(seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """The affine coupling of RealNVP and this package's mixture of algebraic sigmoids, trained alike."""
    seeds = tuple(int(s) for s in seeds)
    transforms = {"affine": Affine(), "mixture": Mixture(settings.units)}
    found = [_measured(name, transform, seeds, settings.recipe) for name, transform in transforms.items()]
    truth = _density(eight_gaussians(), "truth")
    return Evaluation(
        tuple(m for e in found for m in e.measurements),
        tuple(c for e in found for c in e.curves),
        heatmaps=(truth, *(h for e in found for h in e.heatmaps)),
    )


def _measured(who: str, transform: Transform, seeds: tuple[int, ...], recipe: Recipe) -> Evaluation:
    run, rows, outcomes = trainer(transform, recipe), [], {}
    for toy in (eight_gaussians(), pinwheel()):
        outcome, gap = on_toy(run, toy, recipe, seeds)
        outcomes[toy.name] = jax.device_get(outcome)
        rows.append(Measurement(f"gap to the true density, {toy.name}", who, np.asarray(gap), "nats", "lower", seeds))
    first: Outcome = outcomes["eight Gaussians"]
    error, bound = np.asarray(first.error), np.asarray(first.bound)
    rows += [
        Measurement("round-trip error, float32", who, error[:, -1], "", "lower", seeds),
        Measurement("bound of the round-trip error", who, bound[:, -1], "", "lower", seeds),
    ]
    depth = np.arange(1, recipe.layers + 1)
    curves = [
        Curve(ROUND_TRIP, f"{who}{what}", depth, values, "layers", "length", log_y=True)
        for what, values in (("", error), (", its bound", bound))
        if np.isfinite(values).all()
    ]
    flow = jax.tree.map(lambda leaf: leaf[0], first.flow)
    return Evaluation(tuple(rows), tuple(curves), (_note(who, transform, first),), heatmaps=(_density(flow, who),))


def _note(who: str, transform: Transform, outcome: Outcome) -> str:
    low, high = outcome.certified[:, 0].min(), outcome.certified[:, 1].max()
    least, most = outcome.log_det[:, 0].min(), outcome.log_det[:, 1].max()
    held = "all" if outcome.within.min() == 1 else f"{100 * outcome.within.min():.1f} %"
    return (
        f"{who}: slopes of every layer are proved to lie in [{float(transform.lower):.3g}, "
        f"{float(transform.upper):.3g}], so the flow's log-determinant in [{low:.2f}, {high:.2f}]; events of eight "
        f"Gaussians use [{least:.2f}, {most:.2f}]. {held} of the round trips kept within their bounds."
    )


def _density(of: Any, who: str, points: int = 90) -> Heatmap:
    line = np.linspace(-3.0, 3.0, points)
    grid = jnp.asarray(np.stack(np.meshgrid(line, line), -1), jnp.float32)
    values = np.exp(np.asarray(jax.jit(of.log_prob)(grid)))
    return Heatmap(DENSITY, who, values, line, line, "x_1", "x_2", "density", limits=(0.0, 0.5))


SYSTEM = System(
    name="flows",
    title="Flows: invertible by proof",
    question="Is this activation invertible, and how close to a known density do certified flows of its copies come?",
    data="mixtures of Gaussians in the plane whose entropy is known: eight in a circle, and a pinwheel; 6000 events",
    evaluate=evaluate,
    references=references,
)
