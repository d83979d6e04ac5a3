"""A circuit as reactions between single molecules, and the closed forms that its statistics are tested against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from actlab.dynamics import Counts, Reactions
from actlab.systems.circuits.circuit import Circuit, CircuitError, check_inputs


def reactions_of(circuit: Circuit, inputs: Mapping[str, Any] | None = None, volume: Any = 1.0) -> Reactions:
    """Births and deaths of each product and mRNA; a concentration is a count over the volume.

    Args:
        circuit: without delays.
        inputs: concentrations, numbers.
        volume: molecules per unit of concentration: the larger, the less noise.

    Raises:
        CircuitError: inputs that do not fit, or delays.
    """
    given = check_inputs(circuit, inputs)
    if circuit.delays:
        raise CircuitError("reactions have no delays; give a circuit without")
    changes: list[dict[str, int]] = []
    for g in circuit.genes:
        made = g.name if g.translation is None else g.mrna
        changes += [{made: 1}, {made: -1}]
        if g.translation is not None:
            changes += [{g.name: 1}, {g.name: -1}]

    def rates(counts: Counts) -> list[Any]:
        levels = {**given, **{name: count / volume for name, count in counts.items()}}
        out: list[Any] = []
        for g in circuit.genes:
            birth = volume * (g.basal + g.production * g.promoter(levels))
            if g.translation is None:
                out += [birth, g.removal * counts[g.name]]
            else:
                m, p = counts[g.mrna], counts[g.name]
                out += [birth, g.mrna_removal * m, g.translation * m, g.removal * p]
        return out

    return Reactions(tuple(changes), rates)


def birth_death(birth: Any, death: Any = 1.0, name: str = "P") -> Reactions:
    """Molecules that appear at a constant rate and vanish one by one: from 0, Poisson at all times.

    The mean at time t is birth/death (1 - exp(-death t)).
    """
    return Reactions(({name: 1}, {name: -1}), lambda counts: (birth, death * counts[name]))


def transcription_translation(transcription: Any, mrna_removal: Any, translation: Any, removal: Any) -> Reactions:
    """An unregulated gene with mRNA M and protein P; all propensities linear, so its moments are exact."""
    return Reactions(
        ({"M": 1}, {"M": -1}, {"P": 1}, {"P": -1}),
        lambda c: (transcription, mrna_removal * c["M"], translation * c["M"], removal * c["P"]),
    )


def burst_fano(mrna_removal: float, translation: float, removal: float) -> float:
    """Variance over mean of the protein of an unregulated gene (Thattai & van Oudenaarden 2001).

    1 + b/(1 + eta), with b = translation/mrna_removal proteins a message and eta = removal/mrna_removal.
    """
    return 1 + translation / mrna_removal / (1 + removal / mrna_removal)


def birth_death_law(rates_up: np.ndarray, rates_down: np.ndarray) -> np.ndarray:
    """The stationary law of one count with births and deaths: p(k) = p(k-1) up(k-1) / down(k), normalized.

    Args:
        rates_up: of births at counts 0, 1, ..., N, shape (N + 1,).
        rates_down: of deaths, likewise; the first is not used.
    """
    steps = np.log(rates_up[:-1]) - np.log(rates_down[1:])
    log_p = np.concatenate([[0.0], np.cumsum(steps)])
    p = np.exp(log_p - log_p.max())
    return p / p.sum()


def fano(counts: Any) -> Any:
    """Variance over mean along the last axis."""
    return jnp.var(counts, axis=-1) / jnp.mean(counts, axis=-1)
