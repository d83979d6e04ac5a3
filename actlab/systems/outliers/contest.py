"""The contest: nets and scikit-learn's regressors on the same rows, as a growing fraction of labels is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from actlab.activations import Activation
from actlab.data.regression import Kind, Rows, contaminate, friedman1
from actlab.systems.outliers.heads import bounded_head, linear_head
from actlab.systems.outliers.model import Recipe, residual_scale, train_net, trimmed_loss

Split = Callable[[Any], tuple[Rows, Rows]]
"""key -> (training rows, test rows), both clean."""
REJECTED = 0.1
"""A row of less weight than this counts as recognized as wrong."""


@dataclass(frozen=True, eq=False)
class Arm:
    """One way to fit a net.

    Attributes:
        recipe: loss, start and everything else of the fit.
        bounded: the head is the hidden activation itself, mapped to median +- 6 MAD; else linear.
    """

    recipe: Recipe
    bounded: bool = False


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Outcome:
    """What one fit came to; leading axes are those that the fit was mapped over.

    Attributes:
        error: test RMSE over the deviation of the test targets.
        found: fraction of the wrong rows whose weight is below 0.1; nan where none is wrong.
        rejected: fraction of the good rows whose weight is below 0.1.
        predictions: of the test rows, over the deviation of the training targets before contamination.
        trimmed: the mean square of the smallest 55 % of the training residuals, in the same unit.
    """

    error: Any
    found: Any
    rejected: Any
    predictions: Any
    trimmed: Any


def friedman_split(train_rows: int, test_rows: int) -> Split:
    """Friedman's first problem, drawn afresh for each key."""

    def split(key: Any) -> tuple[Rows, Rows]:
        train_key, test_key = jax.random.split(key)
        return friedman1(train_key, train_rows), friedman1(test_key, test_rows)

    return split


def table_split(x: np.ndarray, y: np.ndarray, test_share: float = 0.3) -> Split:
    """A table of data, shuffled by the key and cut in two."""
    clean, cut = Rows.clean(x, y), round((1.0 - test_share) * len(y))

    def split(key: Any) -> tuple[Rows, Rows]:
        order = jax.random.permutation(key, len(y))
        shuffled = jax.tree.map(lambda leaf: leaf[order], clean)
        return jax.tree.map(lambda leaf: leaf[:cut], shuffled), jax.tree.map(lambda leaf: leaf[cut:], shuffled)

    return split


def contaminated(key: Key[Array, ""], train: Rows, fractions: Sequence[float], kind: Kind = "one-sided") -> Rows:
    """The training rows at each fraction of wrong ones, stacked on a leading axis; the wrong rows are nested."""
    return jax.vmap(lambda f: contaminate(key, train, f, kind=kind))(jnp.asarray(fractions))


def with_one_label(train: Rows, sizes: Sequence[float]) -> Rows:
    """The training rows with the first label moved by each size (deviations), stacked on a leading axis."""
    first = jnp.arange(train.y.shape[0]) == 0

    def moved(size: Array) -> Rows:
        return Rows(train.x, train.y + first * size * jnp.std(train.y), first)

    return jax.vmap(moved)(jnp.asarray(sizes, jnp.float32))


def compete(activation: Activation, arm: Arm, key: Any, train: Rows, test: Rows, unit: Any) -> Outcome:
    """Fits one net to `train`, wrong rows and all, and measures it; pure."""
    head = bounded_head(train.y, activation) if arm.bounded else linear_head(train.y)
    model = train_net(key, train, activation, head, arm.recipe).model()
    residuals = train.y - model(train.x)
    weights = arm.recipe.loss.weight(residuals / residual_scale(residuals, arm.recipe.floor * jnp.std(test.y)))
    low = weights < REJECTED
    predictions = model(test.x)
    return Outcome(
        error=jnp.sqrt(jnp.mean(jnp.square(predictions - test.y))) / jnp.std(test.y),
        found=jnp.sum(low & train.corrupted) / jnp.sum(train.corrupted),
        rejected=jnp.sum(low & ~train.corrupted) / jnp.sum(~train.corrupted),
        predictions=predictions / unit,
        trimmed=trimmed_loss(residuals) / unit**2,
    )


def contest(
    activation: Activation,
    arms: Mapping[str, Arm],
    split: Split,
    fractions: Sequence[float],
    *,
    kind: Kind = "one-sided",
    label_sizes: Sequence[float] = (),
) -> Callable[[Any], dict[str, Outcome]]:
    """A pure function of a seed's key, to map over seeds: every arm on every fraction of wrong rows.

    Args:
        activation: of the hidden layers.
        arms: by name.
        split: the data.
        fractions: of wrong rows.
        kind: of contamination.
        label_sizes: further cases in which one label alone is wrong, by so many deviations; they follow the fractions.

    Returns:
        A function of a key to {arm: `Outcome`, leaves of shape (cases, ...)}.
    """

    def one_seed(key: Any) -> dict[str, Outcome]:
        split_key, dirt_key, net_key = jax.random.split(key, 3)
        train, test = split(split_key)
        cases = contaminated(dirt_key, train, fractions, kind)
        if label_sizes:
            cases = jax.tree.map(lambda *a: jnp.concatenate(a), cases, with_one_label(train, label_sizes))
        unit = jnp.std(train.y)
        return {
            name: jax.vmap(lambda rows, arm=arm: compete(activation, arm, net_key, rows, test, unit))(cases)
            for name, arm in arms.items()
        }

    return one_seed


def rows_of(key: Any, split: Split, fractions: Sequence[float], kind: Kind = "one-sided") -> tuple[list[Rows], Rows]:
    """The rows that a contest of this key sees: training rows at each fraction, and test rows."""
    split_key, dirt_key, _ = jax.random.split(key, 3)
    train, test = split(split_key)
    stacked = contaminated(dirt_key, train, fractions, kind)
    return [jax.tree.map(lambda leaf, i=i: leaf[i], stacked) for i in range(len(fractions))], test
