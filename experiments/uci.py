"""UCI regression with the published splits: an ensemble of nets under the bounded head against Deep Ensembles.

Protocol: one hidden layer of 50 ReLU units (protein 100), 40 epochs (protein 20), 20 splits (protein 5), five nets an
ensemble, inputs and targets standardized with the training rows, likelihood in the targets' own unit. All splits,
members and grid values of a set train in one compiled program. The hyper-parameters of each method are chosen for each
split, by the ensemble's likelihood on the last fifth of its training rows; then all training rows are used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from pydantic import Field

import actlab.activations as al
from actlab.data.splits import Split, stacked, standardized
from actlab.data.uci import FEWER, load_uci, uci_splits
from actlab.measurement import Claim, Curve, Measurement
from actlab.systems.uncertainty import (
    bounded_gaussian,
    coverage,
    mixture_cdf,
    mixture_moments,
    mixture_nll,
    mixture_quantile,
    moment_matched_nll,
    usual_softplus,
)
from actlab.systems.uncertainty.model import adversarial_nll, fit_gaussian, noisy_beta_nll
from actlab.training import over_devices, processes
from experiments.uci_table import OURS, PUBLISHED, THEIRS, table, write

MANY_PROCESSES = True

Name = Literal["boston", "concrete", "energy", "kin8nm", "naval", "power", "protein", "wine", "yacht"]

TITLE = "UCI regression"


@dataclass(frozen=True)
class Config:
    """What to run.

    Attributes:
        folder: of the data files, `<set>.npz` with X and y.
        sets: which ones.
        activation: of the hidden layer: a name, `module:function` or `path.py:function`.
        members: nets of an ensemble.
        splits: how many of the splits, from the first; 0: all (20, protein 5).
        hidden: units; twice as many for protein.
        epochs: half as many for protein.
        batches: minibatches an epoch aimed at: the batch is the largest power of two that gives as many, at least 8.
        learning_rate: of Adam at the start, falling to zero as a cosine: values to choose from.
        noise: deviations of the input noise to choose from, with each learning rate.
        beta: exponent of the likelihood's weight.
        baseline: also re-run Deep Ensembles: softplus + 1e-6, batches of 100, adversarial inputs at 1 % of the range.
        baseline_rates: its learning rates to choose from; constant in time.
        seed: of initializations, batches and noise.
    """

    folder: str = "data/uci"
    sets: tuple[Name, ...] = ("yacht", "energy", "boston", "concrete", "wine", "power", "protein")
    activation: str = "relu"
    members: Annotated[int, Field(ge=1)] = 5
    splits: Annotated[int, Field(ge=0, le=20)] = 0
    hidden: Annotated[int, Field(ge=1)] = 50
    epochs: Annotated[int, Field(ge=2)] = 40
    batches: Annotated[int, Field(ge=1)] = 64
    learning_rate: tuple[Annotated[float, Field(gt=0)], ...] = (0.01, 0.02)
    noise: tuple[Annotated[float, Field(ge=0)], ...] = (0.02, 0.05, 0.1, 0.2, 0.4)
    beta: Annotated[float, Field(ge=0, le=1)] = 0.5
    baseline: bool = True
    baseline_rates: tuple[Annotated[float, Field(gt=0)], ...] = (0.01, 0.03, 0.1)
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.sets and self.noise and self.learning_rate and self.baseline_rates):
            raise ValueError("sets, noise, learning_rate and baseline_rates need at least one value each")


@dataclass(frozen=True)
class Method:
    """A training recipe: (key, split, hyper-parameters) -> mean and log variance of the test rows."""

    name: str
    grid: tuple[tuple[float, ...], ...]
    run: Callable[[jax.Array, Split, jax.Array], tuple[jax.Array, jax.Array]] = field(repr=False)


def methods(config: Config, name: str) -> list[Method]:
    """Ours for a set, and the baseline where the config asks for it."""
    activation, double = al.resolve(config.activation), 2 if name == "protein" else 1
    hidden, epochs = (config.hidden * double,), config.epochs // double

    def bounded(key: jax.Array, split: Split, chosen: jax.Array) -> tuple[jax.Array, jax.Array]:
        head, n = bounded_gaussian(), split.x.shape[0]
        size = min(batch_size(n, config.batches), n)
        steps = epochs * (n // size)
        cosine = optax.cosine_decay_schedule(1.0, steps)
        optimizer = optax.adam(lambda step: chosen[1] * cosine(step))
        loss = noisy_beta_nll(head, config.beta, chosen[0])
        return fit_gaussian(
            key, activation, head, split, loss=loss, hidden=hidden, optimizer=optimizer, steps=steps, batch_size=size
        )

    def published(key: jax.Array, split: Split, chosen: jax.Array) -> tuple[jax.Array, jax.Array]:
        head, n = usual_softplus(1e-6), split.x.shape[0]
        loss = adversarial_nll(head, 0.01 * (split.x.max(0) - split.x.min(0)))
        size = min(100, n)
        return fit_gaussian(
            key,
            activation,
            head,
            split,
            loss=loss,
            hidden=hidden,
            optimizer=optax.adam(lambda _: chosen[0]),
            steps=epochs * (n // size),
            batch_size=size,
        )

    grid = tuple((noise, rate) for noise in config.noise for rate in config.learning_rate)
    ours, theirs = Method(OURS, grid, bounded), Method(THEIRS, tuple((r,) for r in config.baseline_rates), published)
    return [ours, theirs] if config.baseline else [ours]


def batch_size(rows: int, batches: int) -> int:
    """The largest power of two of which `rows` holds `batches`, and at least 8."""
    return max(8, 2 ** int(math.log2(max(rows / batches, 1.0))))


def train(method: Method, splits: Split, values: np.ndarray, config: Config) -> tuple[jax.Array, jax.Array]:
    """Ensembles for every split and value, in one program.

    Args:
        method: the recipe.
        splits: stacked along a leading axis.
        values: hyper-parameters, shape (splits, grid, parameters).
        config: the run's.

    Returns:
        Means and log variances of the test rows, shape (splits, grid, m, members), standardized.
    """
    keys = jax.random.split(jax.random.key(config.seed), (len(values), config.members))

    def of_split(keys: jax.Array, split: Split, values: jax.Array) -> tuple[jax.Array, jax.Array]:
        members = jax.vmap(method.run, in_axes=(0, None, None), out_axes=-1)
        return jax.vmap(members, in_axes=(None, None, 0))(keys, split, values)

    return over_devices(of_split)(keys, jax.tree.map(jnp.asarray, splits), jnp.asarray(values, jnp.float32))


def choose(method: Method, data: list[Split], config: Config) -> np.ndarray:
    """Each split's hyper-parameter, by its ensemble's likelihood on held-out training rows; (splits, 1, parameters)."""
    grid = np.array(method.grid)
    if len(grid) == 1:
        return np.broadcast_to(grid, (len(data), *grid.shape))
    values = np.broadcast_to(grid, (len(data), *grid.shape))
    splits = stacked(data)
    means, log_variances = train(method, splits, values, config)
    targets = jnp.broadcast_to(jnp.asarray(splits.y_test)[:, None], means.shape[:-1])
    nll = np.asarray(moment_matched_nll(means, log_variances, targets).mean(-1))
    best = np.nan_to_num(nll, nan=np.inf).argmin(1)
    return grid[best][:, None]


def run_set(name: str, config: Config, report: Callable[[str], None]) -> tuple[list[Measurement], list[Curve]]:
    """Both methods on one set, in their order of `methods`."""
    data = load_uci(config.folder, name)
    rows = uci_splits(len(data.y), FEWER.get(name, 20))[: config.splits or None]
    cut = round(0.8 * len(rows[0][0]))
    inner = [standardized(data, train[:cut], train[cut:]) for train, _ in rows]
    outer = [standardized(data, train, test) for train, test in rows]
    measured: list[Measurement] = []
    curves: list[Curve] = []
    for method in methods(config, name):
        values = choose(method, inner, config)
        chosen, counts = np.unique(values[:, 0], axis=0, return_counts=True)
        shown = ", ".join(f"{'/'.join(f'{v:g}' for v in c)} x{n}" for c, n in zip(chosen, counts, strict=True))
        report(f"{name}: {method.name}, chosen {shown}")
        splits = stacked(outer)
        means, log_variances = train(method, splits, values, config)
        found, pit = score(name, method.name, splits, means[:, 0], log_variances[:, 0])
        measured += found
        curves.append(calibration(name, method.name, pit))
        report(f"{name}: {method.name}: " + ", ".join(f"{m.name.split(': ')[1]} {m.mean:.3f}" for m in found))
    return measured, curves


def score(
    name: str, method: str, splits: Split, means: jax.Array, log_variances: jax.Array
) -> tuple[list[Measurement], np.ndarray]:
    """One value a split of each measurement, in the targets' unit; and the integral transforms, (splits, m).

    Args:
        name: of the set.
        method: of the predictions.
        splits: stacked.
        means: of the test rows, shape (splits, m, members), standardized.
        log_variances: likewise.
    """
    y, unit = jnp.asarray(splits.y_test), np.log(splits.y_scale)
    mean, _ = mixture_moments(means, log_variances)
    low, high = (mixture_quantile(means, log_variances, level) for level in (0.05, 0.95))
    columns: dict[str, tuple[jax.Array | np.ndarray, str]] = {
        "test NLL": (moment_matched_nll(means, log_variances, y).mean(-1) + unit, "nats"),
        "test NLL of the mixture": (mixture_nll(means, log_variances, y).mean(-1) + unit, "nats"),
        "test RMSE": (jnp.sqrt(jnp.square(mean - y).mean(-1)) * splits.y_scale, ""),
        "coverage of the 90 % interval": (jax.vmap(coverage)(low, high, y), ""),
    }
    found = [
        Measurement(f"{name}: {title}", method, np.asarray(v), unit, "neither" if "coverage" in title else "lower")
        for title, (v, unit) in columns.items()
    ]
    return found, np.asarray(mixture_cdf(means, log_variances, y))


def calibration(name: str, method: str, pit: np.ndarray) -> Curve:
    """Nominal probability of central intervals against the fraction that they cover, a line a split."""
    levels = np.linspace(0.05, 0.95, 19)
    inside = np.abs(pit[:, :, None] - 0.5) <= 0.5 * levels
    return Curve(f"{name}: calibration", method, levels, inside.mean(1), "nominal probability", "fraction covered")


def claims(name: str, measured: list[Measurement]) -> list[Claim]:
    """What is asserted of one set: no explosion, and not behind Deep Ensembles, as published and as re-run."""
    nll = [m for m in measured if m.name == f"{name}: test NLL"]
    ours = nll[0]
    exploded = Measurement(f"{name}: splits above mean + 3", OURS, (ours.values > ours.mean + 3.0).astype(float))
    ahead = Measurement(f"{name}: test NLL - {PUBLISHED[name]:g}", OURS, ours.values - PUBLISHED[name], "nats")
    source = "Lakshminarayanan et al. 2017, table 1"
    found = [
        Claim(f"{name}: no split's NLL is above mean + 3", "the bounded head", exploded, at_most=0.0),
        Claim(f"{name}: NLL at or below Deep Ensembles as published", f"{source} (from memory)", ahead, at_most=0.0),
    ]
    if len(nll) > 1:
        found.append(
            Claim(f"{name}: NLL at or below Deep Ensembles as re-run", source, ours.minus(nll[1]), at_most=0.0)
        )
    return found


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Curve]]:
    """Runs every set; with `out`, writes the table after each to `uci.csv`."""
    measured: list[Measurement] = []
    curves: list[Curve] = []
    for i, name in enumerate(config.sets):
        found, drawn = run_set(name, config, report)
        measured += found
        curves += drawn
        if out is not None and processes.first():
            write(out / "uci.csv", table(config.sets[: i + 1], measured))
    decided = [claim for name in config.sets for claim in claims(name, measured)]
    level = sum(c.measurement.mean <= 0.0 for c in decided if "as published" in c.statement)
    report(f"mean NLL at or below Deep Ensembles as published on {level} of {len(config.sets)} sets")
    if config.baseline:
        level = sum(c.measurement.mean <= 0.0 for c in decided if "as re-run" in c.statement)
        report(f"mean NLL at or below Deep Ensembles as re-run on {level} of {len(config.sets)} sets")
    return measured, decided, curves
