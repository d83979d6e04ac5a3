"""Outliers: nets under bounded and unbounded losses and heads against scikit-learn, as more and more labels are wrong.

Protocol: each seed draws its split, its wrong rows and its initial weights; test rows are clean; errors are in standard
deviations of the test targets. A fit sees neither test rows nor which rows are wrong; the recipe's constants were set
on other draws of friedman1, by their test errors (see `Recipe`). Three ways to a robust start are compared: the
shortest half of the targets (ours), the classical convex warm start from the median, and the better of the two by the
least-trimmed criterion on the training rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

import actlab.activations as al
from actlab.data.embedded import diabetes
from actlab.data.regression import Kind
from actlab.measurement import Claim, Curve, Measurement
from actlab.systems.outliers.contest import Arm, Outcome, Split, contest, friedman_split, table_split
from actlab.systems.outliers.heads import is_bounded
from actlab.systems.outliers.losses import LOSSES, huber, mse
from actlab.systems.outliers.model import Recipe
from actlab.systems.outliers.peers import peer_errors
from actlab.training import over_devices, seed_keys

OURS, SQUARED, WARM, CHOSEN = "tukey, shorth start", "mse", "tukey, huber start", "tukey, best of both starts"
SOURCE = "baselines of scikit-learn on the same rows; bars set beforehand"

MANY_PROCESSES = True


@dataclass(frozen=True)
class Config:
    """One data set under one kind of contamination.

    Attributes:
        data: "friedman1" (synthetic, drawn afresh for each seed) or "diabetes" (442 rows, shuffled by the seed).
        activation: of the hidden layers, and of the bounded head where its range is bounded.
        kind: of the wrong rows: targets moved up, moved up or down, or moved together with the inputs.
        fractions: of wrong rows, ascending from 0.
        seeds: how many.
        first_seed: of them; the recipe was tuned on draws of small seeds, so a clean result takes others.
        train_rows: of friedman1.
        test_rows: of friedman1; of diabetes 30 % are test rows.
        steps: of the optimizer.
        decay: weight decay of the net.
        losses: further losses than mse and tukey, from the shorth start.
        baselines: whether scikit-learn's methods are run too.
        errors_at_most: the bars, one for each fraction; none where empty.
        clean_loss: largest ratio of our error to that of the net under squared loss, where no label is wrong.
    """

    data: Literal["friedman1", "diabetes"] = "friedman1"
    activation: str = "swish"
    kind: Kind = "one-sided"
    fractions: tuple[Annotated[float, Field(ge=0, lt=0.5)], ...] = (0.0, 0.1, 0.2, 0.3, 0.4)
    seeds: Annotated[int, Field(ge=1)] = 5
    first_seed: Annotated[int, Field(ge=0)] = 1000
    train_rows: Annotated[int, Field(ge=20)] = 420
    test_rows: Annotated[int, Field(ge=10)] = 1000
    steps: Annotated[int, Field(ge=1)] = 500
    decay: Annotated[float, Field(ge=0)] = 1.5
    losses: tuple[Literal["huber", "tanh-psi", "student-t"], ...] = ("huber", "tanh-psi", "student-t")
    baselines: bool = True
    errors_at_most: tuple[float, ...] = ()
    clean_loss: float = 1.05


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Curve]]:
    """Fits every arm and baseline; the claims are the bars of the config.

    Raises:
        ValueError: bars that are not one for each fraction.
    """
    if len(config.errors_at_most) not in (0, len(config.fractions)):
        raise ValueError(f"errors_at_most has {len(config.errors_at_most)} bars for {len(config.fractions)} fractions")
    seeds, split = tuple(range(config.first_seed, config.first_seed + config.seeds)), _split(config)
    arms = _arms(config)
    report(f"{len(arms)} ways to fit x {len(config.fractions)} fractions x {len(seeds)} seeds in one program")
    fits = contest(al.as_activation(config.activation), arms, split, config.fractions, kind=config.kind)
    outcomes = over_devices(fits)(seed_keys(seeds))
    errors = {name: np.asarray(o.error, np.float64) for name, o in outcomes.items()}
    errors[CHOSEN] = best_by_trimmed(outcomes[OURS], outcomes[WARM])
    if config.baselines:
        report("scikit-learn's methods on the same rows")
        errors |= peer_errors(split, config.fractions, seeds, config.kind)
    for name, values in errors.items():
        report(f"{name:28s} " + "  ".join(f"{v:6.3f}" for v in values.mean(axis=0)))
    return _measurements(errors, config, seeds), _claims(errors, config, seeds), _curves(errors, config)


def best_by_trimmed(*outcomes: Outcome) -> np.ndarray:
    """Test errors, shape (seeds, fractions), of the fit with the least trimmed training loss of each case."""
    criterion = np.stack([np.asarray(o.trimmed) for o in outcomes])
    errors = np.stack([np.asarray(o.error, np.float64) for o in outcomes])
    return np.take_along_axis(errors, criterion.argmin(axis=0)[None], axis=0)[0]


def _split(config: Config) -> Split:
    if config.data == "friedman1":
        return friedman_split(config.train_rows, config.test_rows)
    table = diabetes()
    return table_split(table.X, table.y)


def _arms(config: Config) -> dict[str, Arm]:
    recipe = Recipe(steps=config.steps, decay=config.decay)
    warm = replace(recipe, start="median", warm=huber)
    arms = {OURS: Arm(recipe), WARM: Arm(warm), SQUARED: Arm(recipe.with_loss(mse))}
    arms |= {name: Arm(recipe.with_loss(LOSSES[name])) for name in config.losses}
    if is_bounded(al.as_activation(config.activation)):
        arms |= {f"{name}, bounded head": replace(arms[name], bounded=True) for name in (OURS, SQUARED)}
    return arms


def _name(fraction: float, config: Config) -> str:
    return f"test RMSE, {fraction:.0%} wrong, {config.kind}"


def _measurements(errors: dict[str, np.ndarray], config: Config, seeds: tuple[int, ...]) -> list[Measurement]:
    return [
        Measurement(_name(f, config), who, values[:, i], "sd", "lower", seeds)
        for i, f in enumerate(config.fractions)
        for who, values in errors.items()
    ]


def _claims(errors: dict[str, np.ndarray], config: Config, seeds: tuple[int, ...]) -> list[Claim]:
    claims = []
    for i, (fraction, bar) in enumerate(zip(config.fractions, config.errors_at_most, strict=False)):
        measured = Measurement(_name(fraction, config), OURS, errors[OURS][:, i], "sd", "lower", seeds)
        statement = f"{config.data}, {fraction:.0%} wrong rows ({config.kind}): error at most {bar:g} sd"
        claims.append(Claim(statement, SOURCE, measured, at_most=bar))
    if config.fractions[0] == 0.0 and math.isfinite(config.clean_loss):
        ratio = errors[OURS][:, 0] / errors[SQUARED][:, 0]
        measured = Measurement("clean error over that of the mse net", OURS, ratio, "", "lower", seeds)
        statement = f"{config.data}: without a wrong row at most {config.clean_loss:g} times the mse net's error"
        claims.append(Claim(statement, SOURCE, measured, at_most=config.clean_loss))
    return claims


def _curves(errors: dict[str, np.ndarray], config: Config) -> list[Curve]:
    title = f"{config.data}: error against the fraction of wrong rows, {config.kind}"
    x = np.asarray(config.fractions)
    return [Curve(title, who, x, values, "wrong rows", "RMSE / sd", log_y=True) for who, values in errors.items()]
