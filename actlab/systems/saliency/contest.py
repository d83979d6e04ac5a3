"""Maps of nets of one activation, measured: sparsity, stability, faithfulness, completeness; all seeds at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

import actlab.activations as al
from actlab.systems.saliency.attribution import class_score, gradient, integrated_gradients
from actlab.systems.saliency.faithfulness import perturbation_curve, sensitivity_max
from actlab.systems.saliency.maps import complexity, gini, rank_correlation, zero_fraction
from actlab.systems.saliency.model import Recipe, classifier, untrained

CLASSES = 10


@dataclass(frozen=True)
class Settings:
    """The size of the test.

    Attributes:
        recipe: of the classifiers.
        explained: test images whose maps are measured.
        deletions: steps of the deletion and insertion curves.
        nodes: gradients of integrated gradients.
        radius: of the cube within which the map's sensitivity is searched, in deviations of a pixel.
    """

    recipe: Recipe = field(default_factory=Recipe)
    explained: int = 128
    deletions: int = 16
    nodes: int = 16
    radius: float = 0.02


STANDARD = Settings()


class Outcome(NamedTuple):
    """Of one net; means over the explained images.

    Maps are gradients of the predicted class's logit; of its integrated gradients are `deletion`, `insertion`,
    `incomplete` and `deletion_curve`, which has an axis of steps.
    """

    accuracy: Any
    gini: Any
    zero_pixels: Any
    zero_units: Any
    complexity: Any
    sensitivity: Any
    deletion: Any
    insertion: Any
    incomplete: Any
    untrained: Any
    deletion_curve: Any


def unit_slopes(model: Any, activation: Any, x: Float[Array, "rows inputs"]) -> list[Float[Array, "rows units"]]:
    """The activation's slope at every unit of an `MLP`'s hidden layers."""
    slopes = []
    for layer in list(model.layers)[:-1]:
        z = layer(x)
        slopes.append(activation.slope(z))
        x = activation(z)
    return slopes


def measured(
    model: Any, activation: Any, at_start: Any, x: Float[Array, "rows pixels"], y: Int[Array, " rows"], key: Any,
    settings: Settings,
) -> Outcome:  # fmt: skip
    """What the maps of one net at these images are like.

    Args:
        model: the net, an `MLP`.
        activation: of its hidden layers.
        at_start: the same net before training.
        x: images, standardized.
        y: their classes.
        key: of the search for sensitivity.
        settings: sizes.
    """
    predicted = jnp.argmax(model(x), -1)
    score = class_score(model, predicted)
    maps = gradient(score, x)
    slopes = unit_slopes(model, activation, x)
    ig = integrated_gradients(score, x, nodes=settings.nodes)
    change = score(x) - score(jnp.zeros_like(x))
    incomplete = jnp.abs(jnp.sum(ig, 1) - change) / jnp.mean(jnp.abs(change))

    def fall(insert: bool) -> Array:
        curve = perturbation_curve(score, x, ig, steps=settings.deletions, insert=insert)
        low, high = curve[0 if insert else -1], curve[-1 if insert else 0]
        return jnp.mean((curve - low[None]) / (high - low)[None], axis=1)

    before = gradient(class_score(at_start, predicted), x)
    deleted = fall(False)
    return Outcome(
        accuracy=jnp.mean(predicted == y),
        gini=jnp.nanmean(gini(maps)),
        zero_pixels=jnp.mean(zero_fraction(maps)),
        zero_units=jnp.mean(jnp.stack([jnp.mean(s == 0) for s in slopes])),
        complexity=jnp.nanmean(complexity(maps)),
        sensitivity=jnp.nanmean(sensitivity_max(lambda x: gradient(score, x), x, key, radius=settings.radius)),
        deletion=jnp.mean(deleted),
        insertion=jnp.mean(fall(True)),
        incomplete=jnp.mean(incomplete),
        untrained=jnp.nanmean(rank_correlation(maps, before)),
        deletion_curve=deleted,
    )


def contest(
    activation: Any, train: dict[str, Array], test: dict[str, Array], settings: Settings = STANDARD
) -> Callable[[Key[Array, ""]], Outcome]:
    """A pure function of a seed's key, to map over seeds: what is measured of one net.

    Args:
        activation: of the hidden layers.
        train: images `x`, standardized, and their classes `y`, of which batches are drawn.
        test: the same, of which the first are explained.
        settings: sizes.
    """
    f = al.as_activation(activation)
    x, y = test["x"][: settings.explained], test["y"][: settings.explained]

    def one_seed(key: Array) -> Outcome:
        of_net, of_search = jax.random.split(key)
        fitted = classifier(of_net, train, f, settings.recipe, CLASSES)
        at_start = untrained(of_net, x.shape[1], f, settings.recipe, CLASSES)
        return measured(fitted.model(), f, at_start, x, y, of_search, settings)

    return one_seed
