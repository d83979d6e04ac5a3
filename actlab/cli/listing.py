"""`actlab list`: the zoo and its facts."""

from __future__ import annotations

import argparse
import json
from typing import Any

from actlab.activations import ZOO, ActivationLookupError, Elementary, Facts, Interval
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

    console = Console()
    if not console.is_terminal:  # a pipe or a file has no width to fit
        console = Console(width=110)
    standings = ", ".join(f"{s} facts" for s in dict.fromkeys(a.facts.standing for a in chosen))
    noun = "activation" if len(chosen) == 1 else "activations"
    title = f"{len(chosen)} {noun}, {standings}" if chosen else "no activation"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for heading in ("name", "range", "slope", "curvature", "smooth", "monotone"):
        table.add_column(heading, no_wrap=heading != "curvature", overflow="fold")
    for family in dict.fromkeys(a.family for a in chosen):
        table.add_section()
        table.add_row(f"[bold]{family}[/]")
        for activation in (a for a in chosen if a.family == family):
            table.add_row(f"  {activation.name}", *_cells(activation.facts))
    console.print(table)


def _cells(facts: Facts) -> list[str]:
    bounds = [_bounds(i) for i in (facts.range, facts.slope, facts.curvature)]
    smoothness = "unknown" if facts.smoothness is None else f"C{facts.smoothness:g}".replace("C-1", "jumps")
    monotone = {"strictly increasing": "strictly up", "nondecreasing": "up", "strictly decreasing": "strictly down"}
    return [*bounds, smoothness, monotone.get(facts.monotone, facts.monotone)]


def _bounds(interval: Interval | None) -> str:
    """Four digits, for reading; `--json` has them all."""
    return "unknown" if interval is None else f"[{float(interval.lower):.4g}, {float(interval.upper):.4g}]"
