"""A gene circuit: a signed graph of genes whose promoters are composed of regulation curves."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp

import actlab.activations as al
from actlab.activations import Activation
from actlab.dynamics import Field

Gate = Literal["and", "or"]
Levels = dict[str, Any]
"""Concentrations by name."""
UNIT = al.Interval(0.0, 1.0)
BECAUSE = "the sign of a regulation is that of its curve, whose values are a promoter's activity"


class CircuitError(ValueError):
    """A circuit that does not hang together; the message names the gene and the remedy."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Regulation:
    """One arrow of the graph.

    Attributes:
        source: the gene or input whose concentration acts.
        curve: activity of the promoter against that concentration, values in [0, 1], monotone: its direction is the
            arrow's sign.
        delay: between the source's concentration and its effect, in the unit of time.
    """

    source: str = field(metadata={"static": True})
    curve: Activation
    delay: float = field(default=0.0, metadata={"static": True})

    @property
    def sign(self) -> int:
        """+1 for an activation, -1 for a repression."""
        return 1 if self.curve.facts.increasing else -1

    def activity(self, levels: Levels) -> Any:
        """The curve's value at the source's concentration."""
        return self.curve(jnp.asarray(levels[self.source]))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Gene:
    """A gene: y' = basal + production * promoter - removal * y.

    Attributes:
        name: of the gene and its product.
        regulations: none for one that is always on.
        gate: "and" multiplies the regulations' activities; "or" is 1 minus the product of their complements.
        production: the largest regulated rate, concentration per unit of time.
        basal: the rate of an inactive promoter.
        removal: degradation and dilution, 1 per unit of time.
        translation: None, or the rate at which one unit of mRNA makes protein: then `production`, `basal` and
            `mrna_removal` are the mRNA's, and the protein follows p' = translation * m - removal * p.
        mrna_removal: of the mRNA, where there is one.
    """

    name: str = field(metadata={"static": True})
    regulations: tuple[Regulation, ...] = ()
    gate: Gate = field(default="and", metadata={"static": True})
    production: Any = 1.0
    basal: Any = 0.0
    removal: Any = 1.0
    translation: Any = None
    mrna_removal: Any = 1.0

    @property
    def mrna(self) -> str:
        """The name of its mRNA in states."""
        return f"{self.name} mRNA"

    def promoter(self, levels: Levels, known: Levels | None = None) -> Any:
        """The activity in [0, 1] at the concentrations of its sources.

        Args:
            levels: by source.
            known: activities of single regulations, by source, where they have been computed already.
        """
        known = known or {}
        return combined(
            self.gate,
            [known[r.source] if r.source in known else r.activity(levels) for r in self.regulations],
        )


def combined(gate: Gate, activities: list[Any]) -> Any:
    """The promoter's activity from those of its regulations; 1 without any."""
    if not activities:
        return 1.0
    if gate == "and" or len(activities) == 1:
        return functools.reduce(lambda a, b: a * b, activities)
    return 1 - functools.reduce(lambda a, b: a * b, [1 - a for a in activities])


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Circuit:
    """Genes, and the inputs that act on them from outside. A pytree: its leaves are all rates, K and n.

    Make one with `circuit`, which checks it.
    """

    genes: tuple[Gene, ...]
    inputs: tuple[str, ...] = field(default=(), metadata={"static": True})

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the state's entries: products, then mRNAs."""
        return (*(g.name for g in self.genes), *(g.mrna for g in self.genes if g.translation is not None))

    @property
    def signs(self) -> dict[tuple[str, str], int]:
        """The signed graph: (source, gene) -> +1 or -1."""
        return {(r.source, g.name): r.sign for g in self.genes for r in g.regulations}

    @property
    def delays(self) -> tuple[float, ...]:
        """The different positive delays, ascending."""
        return tuple(sorted({r.delay for g in self.genes for r in g.regulations if r.delay > 0}))

    def gene(self, name: str) -> Gene:
        """The gene of this name.

        Raises:
            CircuitError: there is none.
        """
        for gene in self.genes:
            if gene.name == name:
                return gene
        raise CircuitError(f"no gene {name!r}; the genes are: {', '.join(g.name for g in self.genes)}")

    def rates(
        self, levels: Levels, past: Mapping[float, Levels] | None = None, known: Mapping[str, Levels] | None = None
    ) -> Levels:
        """The rate of change of each entry of the state.

        Args:
            levels: concentrations of all inputs and entries.
            past: the same one delay ago, by delay.
            known: by gene, activities of single regulations by source that need not be computed.
        """
        out: Levels = {}
        for g in self.genes:
            seen = {r.source: (past[r.delay] if past and r.delay > 0 else levels)[r.source] for r in g.regulations}
            made = g.basal + g.production * g.promoter(seen, (known or {}).get(g.name))
            if g.translation is None:
                out[g.name] = made - g.removal * levels[g.name]
            else:
                out[g.mrna] = made - g.mrna_removal * levels[g.mrna]
                out[g.name] = g.translation * levels[g.mrna] - g.removal * levels[g.name]
        return out

    def field(self, inputs: Mapping[str, Any] | None = None) -> Field:
        """The right-hand side (time, state) -> rates under inputs that are numbers or functions of time.

        Of a circuit without delays: they are left out here.
        """
        given = check_inputs(self, inputs)
        constant = {name: value for name, value in given.items() if not callable(value)}
        known = {
            g.name: {r.source: r.activity(constant) for r in g.regulations if r.source in constant} for g in self.genes
        }
        return lambda t, y: self.rates({**at_time(given, t), **y}, None, known)


def circuit(*genes: Gene, inputs: tuple[str, ...] = ()) -> Circuit:
    """A checked circuit.

    Args:
        *genes: in the order that states list them.
        inputs: names of concentrations that are given from outside.

    Raises:
        CircuitError: a name twice, no such gate, a regulation from nowhere, two by one source, or a negative delay.
        FactError: a regulation's curve is not known to be monotone with values in [0, 1].
    """
    names = [*inputs, *(g.name for g in genes)]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise CircuitError(f"the name {twice[0]!r} is given twice; every gene and input needs its own")
    for gene in genes:
        if gene.gate not in ("and", "or"):
            raise CircuitError(f"gene {gene.name!r}: gate {gene.gate!r} is neither 'and' nor 'or'")
        sources = [r.source for r in gene.regulations]
        for regulation in gene.regulations:
            if regulation.source not in names:
                raise CircuitError(
                    f"gene {gene.name!r} is regulated by {regulation.source!r}, which is neither a gene nor an input; "
                    f"there are: {', '.join(names)}"
                )
            if sources.count(regulation.source) > 1:
                raise CircuitError(f"gene {gene.name!r} has two regulations by {regulation.source!r}; join them")
            if regulation.delay < 0:
                raise CircuitError(f"gene {gene.name!r}: delay {regulation.delay} of {regulation.source!r} is negative")
            _check_curve(regulation.curve)
    return Circuit(tuple(genes), tuple(inputs))


def _check_curve(curve: Activation) -> None:
    facts = curve.facts  # asked for once: of traced parameters they are computed
    falling = facts.monotone in ("strictly decreasing", "nonincreasing")
    if not (facts.range == UNIT and (falling or facts.increasing)):
        al.require(curve, range_within=(0.0, 1.0), nondecreasing=not falling, because=BECAUSE)


def check_inputs(circuit: Circuit, inputs: Mapping[str, Any] | None) -> dict[str, Any]:
    """The inputs as a dictionary.

    Raises:
        CircuitError: one is missing or unknown.
    """
    given = dict(inputs or {})
    if set(given) != set(circuit.inputs):
        raise CircuitError(f"inputs given: {sorted(given)}; the circuit's are: {sorted(circuit.inputs)}")
    return given


def check_levels(circuit: Circuit, levels: Mapping[str, Any] | None) -> dict[str, Any]:
    """The concentrations of a state as a dictionary, not necessarily of every entry.

    Raises:
        CircuitError: a name that is none of the circuit's.
    """
    given = dict(levels or {})
    unknown = sorted(set(given) - set(circuit.names))
    if unknown:
        raise CircuitError(f"start of {unknown[0]!r}: the circuit's entries are {', '.join(circuit.names)}")
    return given


def at_time(inputs: Mapping[str, Any], t: Any) -> Levels:
    """Each input's concentration at a time."""
    return {name: value(t) if callable(value) else value for name, value in inputs.items()}
