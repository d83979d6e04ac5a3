"""`actlab list`: the zoo and its facts."""

from __future__ import annotations

import argparse
import json
from typing import Any

from actlab.activations import ZOO, ActivationLookupError, Elementary, Facts
from actlab.activations.lookup import did_you_mean
from actlab.cli.where import condition


def main(arguments: argparse.Namespace) -> int:
    """Prints the activations of a family whose facts meet a condition, as a table or as JSON.

    Raises:
        ActivationLookupError: no such family.
        WhereError: the condition cannot be read.
    """
    chosen = select(arguments.family, arguments.where)
    if arguments.json:
        print(json.dumps([describe(a) for a in chosen], indent=2))
    else:
        _print_table(chosen)
    return 0


def select(family: str | None, where: str | None) -> list[Elementary]:
    """The activations of the zoo of this family that meet the condition, in the zoo's order."""
    families = dict.fromkeys(a.family for a in ZOO.values())
    if family is not None and family not in families:
        hint = did_you_mean(family, families)
        raise ActivationLookupError(f"no family {family!r}{hint}; the families are: {', '.join(families)}")
    meets = condition(where) if where else (lambda facts: True)
    return [a for a in ZOO.values() if family in (None, a.family) and meets(a.facts)]


def describe(activation: Elementary) -> dict[str, Any]:
    """One object of `--json`: name, family, parameters, facts."""
    from actlab.report import describe as profile

    return profile(activation, portrait=False).as_json()


def _print_table(chosen: list[Elementary]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{len(chosen)} activations", title_justify="left", row_styles=["", "dim"])
    for heading in ("name", "family", "range", "slope", "curvature"):
        table.add_column(heading, no_wrap=True)
    for heading in ("smooth", "monotone", "standing"):
        table.add_column(heading)
    for activation in chosen:
        table.add_row(activation.name, activation.family, *_cells(activation.facts))
    Console().print(table)


def _cells(facts: Facts) -> list[str]:
    bounds = [str(i) if i is not None else "unknown" for i in (facts.range, facts.slope, facts.curvature)]
    smoothness = "unknown" if facts.smoothness is None else f"C{facts.smoothness:g}".replace("C-1", "jumps")
    return [*bounds, smoothness, facts.monotone, facts.standing]
