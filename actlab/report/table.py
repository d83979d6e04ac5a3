"""The summaries of an evaluation and of an experiment for the terminal."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from actlab.report.claims import finding
from actlab.report.results import Results, SystemResults
from actlab.report.sentences import count, duration, estimate
from actlab.report.standings import Row, Standings, standings

_STYLES = {"better": "green", "worse": "red", "incomparable": "yellow"}


def summary_table(results: Results) -> Table:
    """The headline measurement of every system: one line an activation or reference, the best in bold."""
    seeds = count(len(results.run.seeds), "seed")
    table = Table(box=box.SIMPLE_HEAD, title="Results", title_justify="left", title_style="bold")
    table.caption = f"mean and 95 % bootstrap interval over {seeds}; differences are paired by seed"
    table.caption_justify = "left"
    table.add_column("", overflow="fold")
    table.add_column("mean [interval]", justify="right")
    table.add_column("", no_wrap=True)
    table.add_column("difference", overflow="fold")
    for system in results.systems:
        _add_system(table, results, system)
    return table


def experiment_table(results: Results) -> Table:
    """Every measurement of an experiment."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("")
    table.add_column("mean [interval]", justify="right")
    table.add_column("")
    table.add_column("seeds", justify="right")
    for system in results.systems:
        for quantity in standings(results, system):
            table.add_row(Text(quantity.title, "bold cyan"))
            for row in quantity.rows:
                table.add_row(*_cells(row, quantity)[:3], str(len(row.measurement.seeds)))
    return table


def claim_lines(results: Results) -> Text:
    """One line a claim: the verdict, the statement, what was measured and what was claimed."""
    styles = {"holds": "green", "fails": "red", "undecided": "yellow"}
    return Text("\n").join(
        Text.assemble((c.verdict, styles[c.verdict]), f": {c.statement} ({f.measured}, claimed {f.bound})")
        for c, f in ((c, finding(c)) for c in results.claims)
    )


def _add_system(table: Table, results: Results, system: SystemResults) -> None:
    all_ = standings(results, system)
    head = all_[0] if all_ else Standings("nothing was measured", (), headline=True)
    table.add_row(Text(f"{system.title}: {head.title}", "bold cyan"), "", "", Text(duration(system.seconds), "dim"))
    for row in head.rows:
        table.add_row(*_cells(row, head))
    for name, evaluation in system.evaluations.items():
        if evaluation.unmeasured is not None:
            word, why = evaluation.unmeasured
            table.add_row(Text(f"  {name}"), Text(word, "yellow" if word == "refused" else "red"), "", Text(why))
    table.add_section()


def _cells(row: Row, table: Standings) -> tuple[Text, Text, Text, Text]:
    """Text objects, because names that users give are not markup."""
    style = "bold" if row.mark == "best" else "dim" if row.kind == "reference" else ""
    words = Text("\n").join(Text(f"{v.subject}: {v.words}", _STYLES.get(v.outcome, "")) for v in row.verdicts)
    measured = Text(estimate(row.measurement, table.decimals, large=table.large), style)
    return Text(f"  {row.label}", style), measured, Text(row.mark, style), words
