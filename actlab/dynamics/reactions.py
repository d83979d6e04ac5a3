"""Reaction networks: which counts a reaction changes, and how often it fires."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

Counts = dict[str, Any]
"""Copies of each species: a number, or one for each run."""


@dataclass(frozen=True)
class Reactions:
    """A well-stirred network of reactions.

    Attributes:
        changes: for each reaction, what one firing adds to each species; species that it leaves alone are left out.
        rates: counts -> the propensity of each reaction, in its order, in firings per unit of time. Written elementwise
            in the counts, which may be numbers or vectors of runs; parameters may be vectors of runs as well.
    """

    changes: tuple[Mapping[str, int], ...]
    rates: Callable[[Counts], Sequence[Any]]

    @property
    def species(self) -> tuple[str, ...]:
        """The names of what is counted, in the order of their first change."""
        return tuple(dict.fromkeys(name for change in self.changes for name in change))

    def drift(self, counts: Counts) -> Counts:
        """Mean change of each count per unit of time: stoichiometry times propensities."""
        rates = self.rates(counts)
        return {
            name: sum(change[name] * rate for change, rate in zip(self.changes, rates, strict=True) if name in change)
            for name in self.species
        }

    def changed(self, counts: Counts, firings: Sequence[Any]) -> Counts:
        """The counts after each reaction fired so many times."""
        return {
            name: counts[name]
            + sum(change[name] * times for change, times in zip(self.changes, firings, strict=True) if name in change)
            for name in self.species
        }

    def stoichiometry(self, dtype: Any) -> Array:
        """The changes as a matrix, shape (species, reactions)."""
        return jnp.asarray([[change.get(name, 0) for change in self.changes] for name in self.species], dtype)


def check_counts(reactions: Reactions, counts: Counts) -> None:
    """Refuses counts that are not of the network's species.

    Raises:
        ValueError: a species without a count, or a count of no species.
    """
    if set(counts) != set(reactions.species):
        raise ValueError(f"counts are of {sorted(counts)}; the reactions change {sorted(reactions.species)}")
