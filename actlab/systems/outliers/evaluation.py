"""The standard test of an activation against outliers: a net of it, fitted to labels of which a fraction is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

import actlab.activations as al
from actlab.activations import Activation
from actlab.measurement import Curve, Evaluation, Measurement, System
from actlab.systems.outliers.contest import Arm, Outcome, contest, friedman_split
from actlab.systems.outliers.heads import bounded_head, is_bounded, linear_head
from actlab.systems.outliers.influence import grid_supremum, influence_bound, last_layer_bound
from actlab.systems.outliers.losses import mse
from actlab.systems.outliers.model import Recipe
from actlab.systems.outliers.peers import peer_errors
from actlab.systems.outliers.scale import CONSISTENT
from actlab.training import ensemble, seed_keys

ROBUST, SQUARED, SQUARED_BOUNDED = "robust loss", "squared loss", "squared loss, bounded head"
CURVE = "Breakdown: error against the fraction of wrong labels"
REFERENCES = ("HuberRegressor", "TheilSen", "RANSAC", "HGB squared", "HGB absolute")


@dataclass(frozen=True, eq=False)
class Settings:
    """The size of the test.

    Attributes:
        train_rows: of Friedman's first problem, with which scikit-learn's published baselines are reproduced.
        test_rows: clean ones.
        fractions: of wrong labels, ascending from 0, with 0.2 and 0.4 among them.
        label_sizes: how wrong, in deviations, one single label is in two further fits.
        recipe: of the robust fit; the squared one differs in the loss alone.
    """

    train_rows: int = 420
    test_rows: int = 1000
    fractions: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4)
    label_sizes: tuple[float, float] = (1e3, 1e6)
    recipe: Recipe = field(default_factory=Recipe)


STANDARD = Settings()


def evaluate(activation: Any, seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """Fits nets of the activation under three pairs of head and loss, and measures what wrong labels do to each.

    Args:
        activation: an Activation, a function or a name.
        seeds: of data, contamination and initial weights; all in one compiled program.
        settings: the size of the test.
    """
    activation, seeds = al.as_activation(activation), tuple(int(s) for s in seeds)
    arms = {ROBUST: Arm(settings.recipe), SQUARED: Arm(settings.recipe.with_loss(mse))}
    if is_bounded(activation):
        arms[SQUARED_BOUNDED] = Arm(settings.recipe.with_loss(mse), bounded=True)
    split = friedman_split(settings.train_rows, settings.test_rows)
    run = contest(activation, arms, split, settings.fractions, label_sizes=settings.label_sizes)
    outcomes = ensemble(run)(seed_keys(seeds))
    bounds, bound_notes = _influence(activation, seeds, settings.recipe)
    measured = (*_errors(activation, outcomes, seeds, settings), *_recognition(activation, outcomes, seeds, settings))
    return Evaluation(
        measurements=(*measured, *bounds),
        curves=tuple(_curve(activation.name, name, o.error, settings) for name, o in outcomes.items()),
        notes=(*_label_notes(outcomes, settings), *bound_notes),
    )


def references(seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """scikit-learn's robust regressors and boosted trees on the same rows."""
    split = friedman_split(settings.train_rows, settings.test_rows)
    errors = peer_errors(split, settings.fractions, tuple(seeds), names=REFERENCES)
    measurements, curves = [], []
    for name, values in errors.items():
        measurements += [
            _error(name, ROBUST, values[:, settings.fractions.index(f)], f, seeds) for f in _reported(settings)
        ]
        curves.append(_curve(name, ROBUST, values, settings))
    return Evaluation(tuple(measurements), tuple(curves))


def _reported(settings: Settings) -> tuple[float, ...]:
    """The fractions of the table, the headline first."""
    return tuple(f for f in (0.2, 0.0, 0.4) if f in settings.fractions)


def _error(who: str, arm: str, values: Any, fraction: float, seeds: Sequence[int]) -> Measurement:
    how = "" if arm == ROBUST else f", {arm}"
    labels = f"{fraction:.0%} wrong labels" if fraction else "no wrong label"
    return Measurement(f"test RMSE, {labels}{how}", who, values, "sd", "lower", tuple(seeds))


def _errors(
    activation: Activation, outcomes: dict[str, Outcome], seeds: tuple[int, ...], settings: Settings
) -> list[Measurement]:
    """Test errors, those of the robust loss first."""
    return [
        _error(activation.name, arm, np.asarray(outcome.error)[:, settings.fractions.index(f)], f, seeds)
        for arm, outcome in outcomes.items()
        for f in (_reported(settings) if arm == ROBUST else _reported(settings)[:2])
    ]


def _recognition(
    activation: Activation, outcomes: dict[str, Outcome], seeds: tuple[int, ...], settings: Settings
) -> list[Measurement]:
    """Which rows the robust fit down-weighted, at the headline's fraction, and the effect of a label's size."""
    case = settings.fractions.index(_reported(settings)[0])
    robust, name = outcomes[ROBUST], activation.name
    found, rejected = (100.0 * np.asarray(v, np.float64)[:, case] for v in (robust.found, robust.rejected))
    ratio = _ratio(robust, settings)
    return [
        Measurement("wrong rows recognized", name, found, "%", "higher", seeds),
        Measurement("good rows rejected", name, rejected, "%", "lower", seeds),
        Measurement("effect of a label 1e6 sd off over 1e3 sd off", name, ratio, "", "lower", seeds),
    ]


def _effects(outcome: Outcome, settings: Settings) -> Float[np.ndarray, "seeds 2"]:
    """RMS change of the test predictions, in deviations, by one wrong label of either size."""
    predictions = np.asarray(outcome.predictions, np.float64)
    count = len(settings.fractions)
    return np.sqrt(np.mean((predictions[:, count:] - predictions[:, :1]) ** 2, axis=-1))


def _ratio(outcome: Outcome, settings: Settings) -> np.ndarray:
    """Effect of the larger label over that of the smaller; 1 where neither changes a prediction."""
    effects = _effects(outcome, settings)
    return np.where(effects[:, 0] > 0, effects[:, 1] / np.where(effects[:, 0] > 0, effects[:, 0], 1.0), 1.0)


def _curve(who: str, arm: str, errors: Any, settings: Settings) -> Curve:
    title = CURVE if arm == ROBUST else f"{CURVE}, {arm}"
    values = np.asarray(errors)[:, : len(settings.fractions)]
    return Curve(
        title, who, np.asarray(settings.fractions), values, "fraction of wrong labels", "RMSE / sd", log_y=True
    )


def _influence(activation: Activation, seeds: tuple[int, ...], recipe: Recipe) -> tuple[list[Measurement], list[str]]:
    """The derived bound on one label's gradient beside its supremum on a grid, for targets of MAD 1."""
    targets = jnp.array([-1 / CONSISTENT, 0.0, 1 / CONSISTENT])
    bounded = is_bounded(activation)
    head = bounded_head(targets, activation) if bounded else linear_head(targets)
    bound, squared = influence_bound(head, recipe.loss), influence_bound(head, mse)
    layer = last_layer_bound(activation, recipe.hidden[-1], head, recipe.loss)
    which = f"the {activation.name} head" if bounded else "a linear head"
    notes = [
        f"One label's gradient at {which}: {bound} under the robust loss ({bound.because}); "
        f"{squared} under squared loss ({squared.because}).",
        f"Over all inputs as well, leverage points included, the last layer's gradient is "
        f"{layer.kind}: {layer.because}.",
    ]
    if bound.value is None:
        return [], notes
    pairs = (("derived from facts", bound.value), ("largest on a grid", grid_supremum(head, recipe.loss)))
    measurements = [
        Measurement(f"influence of one label, {how}", activation.name, np.full(len(seeds), value), "", "neither", seeds)
        for how, value in pairs
    ]
    return measurements, notes


def _label_notes(outcomes: dict[str, Outcome], settings: Settings) -> list[str]:
    """What the numbers say of bounded outputs and bounded psi."""
    robust, squared = (_ratio(outcomes[arm], settings).mean() for arm in (ROBUST, SQUARED))
    small, large = settings.label_sizes
    worst = _reported(settings)[-1]
    last = settings.fractions.index(worst)
    errors = {arm: float(np.mean(np.asarray(o.error)[:, last])) for arm, o in outcomes.items()}
    notes = [
        f"One label wrong by {large:.0e} instead of {small:.0e} deviations changes the predictions {robust:.3g} times "
        f"as much under the robust loss, {squared:.3g} times under squared loss.",
        f"With {worst:.0%} wrong labels the error is {errors[ROBUST]:.2f} sd under the robust loss and "
        f"{errors[SQUARED]:.2f} sd under squared loss.",
    ]
    if SQUARED_BOUNDED in errors:
        notes.append(
            "A bounded output does not bound the influence of a corrupted label: with the activation as a bounded head "
            f"squared loss still errs by {errors[SQUARED_BOUNDED]:.2f} sd there. A bounded psi does."
        )
    else:
        notes.append(
            "The activation's range is not known to be bounded, so it makes no bounded head. That would not help: a "
            "bounded output does not bound the influence of a corrupted label under squared loss; a bounded psi does."
        )
    return notes


SYSTEM = System(
    name="outliers",
    title="Outliers: wrong labels",
    question="Does a net of this activation still learn when a fraction of its labels is grossly wrong?",
    data="Friedman's first problem (Friedman 1991, eq. 61), 420 training rows; labels moved up by 10 to 20 sd",
    evaluate=evaluate,
    references=references,
)
