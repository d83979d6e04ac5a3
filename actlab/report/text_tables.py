"""The standings as tables to paste: Markdown for a page or an issue, LaTeX (booktabs) for a paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from actlab.measurement import RESAMPLES
from actlab.report.claims import finding
from actlab.report.numbers import INFINITY, MINUS
from actlab.report.pooled import DEFINITION, pooled
from actlab.report.results import Results, SystemResults
from actlab.report.sentences import count, estimate_parts, seed_list
from actlab.report.standings import Standings, standings

_SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_ESCAPES = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    MINUS: "$-$",
    INFINITY: r"$\infty$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "\N{NO-BREAK SPACE}": "~",
}


def markdown(results: Results) -> str:
    """Every claim and every measurement of the results, as GitHub-flavoured Markdown."""
    parts = (*_markdown_claims(results), *_markdown_pooled(results), *_markdown_systems(results))
    return "\n".join([f"# {results.heading}", "", *parts, _footing(results), ""])


def latex(results: Results) -> str:
    """Every measurement of the results: one `table` a system, to be input; needs the package booktabs."""
    parts = [f"% {line}" for line in _footing(results).splitlines()]
    for system in results.systems:
        tables = standings(results, system)
        if tables:
            parts += ["", *_latex_table(results, system, tables)]
    parts += _latex_pooled(results)
    return "\n".join([*parts, ""])


def _footing(results: Results) -> str:
    run = results.run
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    return (
        f"Means with 95 % percentile-bootstrap intervals ({RESAMPLES} resamples) over seeds {seed_list(run.seeds)}. "
        f"`{run.command}`; {versions}; {run.device}; {run.date}."
    )


def _markdown_claims(results: Results) -> Iterator[str]:
    if not results.claims:
        return
    yield from ("| verdict | claim | measured | claimed |", "|---|---|---|---|")
    for found in map(finding, results.claims):
        cells = (found.claim.verdict, found.statement, found.measured, found.bound)
        yield "| " + " | ".join(map(_cell, cells)) + " |"
    yield ""


def _markdown_pooled(results: Results) -> Iterator[str]:
    lines = pooled(results)
    if not lines:
        return
    yield from (
        "## All systems together",
        "",
        "| pair | better on a seed | middle difference | systems | pairs |",
    )
    yield "|---|---:|---:|---:|---:|"
    for line in lines:
        pair, middle = f"{line.subject} against {line.baseline}", line.middle.text(signed=True)
        yield f"| {_cell(pair)} | {line.improvement.text()} | {middle} | {len(line.systems)} | {line.runs} |"
    yield from ("", DEFINITION, "")


def _markdown_systems(results: Results) -> Iterator[str]:
    for system in results.systems:
        yield from (f"## {system.title}", "", system.question, "")
        for name, evaluation in system.evaluations.items():
            if evaluation.unmeasured is not None:
                yield from (f"{name}: {': '.join(evaluation.unmeasured)}", "")
        for table in standings(results, system):
            yield from (f"| {_cell(table.title)} | mean | 95 % interval | seeds | |", "|---|---:|---:|---:|---|")
            for label, mean, interval, seeds, mark in _rows(table):
                yield f"| {_cell(label)} | {mean} | {interval} | {seeds} | {mark} |"
            yield ""


def _rows(table: Standings) -> Iterator[tuple[str, str, str, int, str]]:
    for row in table.rows:
        mean, interval = estimate_parts(row.measurement, table.decimals, large=table.large)
        yield row.label, mean, interval, len(row.measurement.seeds), row.mark


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _latex_table(results: Results, system: SystemResults, tables: Sequence[Standings]) -> Iterator[str]:
    seeds = count(len(results.run.seeds), "seed")
    yield from (r"\begin{table}", r"  \centering")
    yield rf"  \caption{{{escape(f'{system.title}: mean and 95 % interval over {seeds}; best in bold')}.}}"
    yield rf"  \label{{tab:{system.name.replace('_', '-')}}}"
    yield from (r"  \begin{tabular}{lrr}", r"    \toprule")
    for number, table in enumerate(tables):
        if number:
            yield r"    \midrule"
        yield rf"    \multicolumn{{3}}{{l}}{{\emph{{{escape(table.title)}}}}} \\"
        for label, mean, interval, _, mark in _rows(table):
            mean = rf"\textbf{{{escape(mean)}}}" if mark == "best" else escape(mean)
            yield rf"    {escape(label)} & {mean} & {escape(interval)} \\"
    yield from (r"    \bottomrule", r"  \end{tabular}", r"\end{table}")


def _latex_pooled(results: Results) -> Iterator[str]:
    lines = pooled(results)
    if not lines:
        return
    yield from ("", r"\begin{table}", r"  \centering", rf"  \caption{{All systems together. {escape(DEFINITION)}}}")
    yield from (r"  \label{tab:pooled}", r"  \begin{tabular}{lrrrr}", r"    \toprule")
    yield r"    pair & better on a seed & middle difference & systems & pairs \\"
    yield r"    \midrule"
    for line in lines:
        pair = f"{line.subject} against {line.baseline}"
        cells = (pair, line.improvement.text(), line.middle.text(signed=True), str(len(line.systems)), str(line.runs))
        yield f"    {' & '.join(map(escape, cells))} \\\\"
    yield from (r"    \bottomrule", r"  \end{tabular}", r"\end{table}")


def escape(text: str) -> str:
    """Text as LaTeX that prints the same."""
    out, power = [], ""
    for character in text:
        digit = character.translate(_SUPERSCRIPTS)
        if digit != character:
            power += digit
            continue
        out += [f"$^{{{power}}}$", ""] if power else []
        power = ""
        out.append(_ESCAPES.get(character, character))
    return "".join(out) + (f"$^{{{power}}}$" if power else "")
