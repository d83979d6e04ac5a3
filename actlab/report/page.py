"""The report as one self-contained HTML page."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from actlab.measurement import RESAMPLES
from actlab.report import claims, numbers, sentences, text_tables
from actlab.report.facts_table import STANDINGS, fact_lines
from actlab.report.figures import pictures
from actlab.report.likeness import legend, likeness
from actlab.report.palette import Stroke, strokes
from actlab.report.pooled import DEFINITION, Pooled, multiplicity, pooled
from actlab.report.profile import Profile
from actlab.report.results import Results, SystemResults
from actlab.report.standings import Row, Standings, standings, summary
from actlab.report.whiskers import WIDTH, Whisker, whiskers
from actlab.report.whole_file import write_whole

PAGE, DATA, MARKDOWN, LATEX = "report.html", "results.json", "results.md", "results.tex"
TEMPLATES = Path(__file__).parent / "templates"


def write_report(results: Results, directory: Path | str) -> Path:
    """Writes the page, beside it the results as JSON from which it can be made again, and as Markdown and LaTeX.

    Args:
        results: what to show.
        directory: made where it does not exist.

    Returns:
        The path of `report.html`. It needs no other file and no network.

    Raises:
        OSError: the directory cannot be written.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    write_whole(directory / DATA, results.to_json())
    write_whole(directory / MARKDOWN, text_tables.markdown(results))
    write_whole(directory / LATEX, text_tables.latex(results))
    return write_whole(directory / PAGE, render(results))


def render(results: Results) -> str:
    """The page as text."""
    template = _environment().get_template("report.html.j2")
    styles = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    found = strokes(results)
    cards = [_system(results, system, found) for system in results.systems]
    return template.render(
        results=results,
        run=results.run,
        title=results.heading,
        lead=_lead(results),
        findings=[claims.finding(claim) for claim in results.claims],
        tally=claims.tally(results.claims),
        gauge_width=claims.WIDTH,
        gauge_height=claims.HEIGHT,
        strokes=found,
        activations=[_activation(a, found) for a in results.activations],
        systems=cards,
        pooled=[_pooled(line) for line in pooled(results)],
        pooled_definition=DEFINITION,
        comparisons=multiplicity(table["standings"] for card in cards for table in card["tables"]),
        settings="\n".join(_settings(results.run.settings)),
        standing_notes=STANDINGS,
        resamples=RESAMPLES,
        whisker_width=WIDTH,
        styles=styles,
    )


def _settings(settings: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Each setting as the override that sets it: `optimizer.rate=0.01`."""
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            yield from _settings(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name} = {json.dumps(value, ensure_ascii=False)}"


def _environment() -> Environment:
    """Everything is escaped: names, notes and errors come from users."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": numbers.number,
        "listing": sentences.listing,
        "duration": sentences.duration,
        "counted": sentences.count,
        "seed_list": sentences.seed_list,
    }
    return environment


def _lead(results: Results) -> str:
    """What was evaluated, in one sentence; of an experiment its question."""
    if not results.activations:
        return " ".join(s.question for s in results.systems)
    what = sentences.listing([a.name for a in results.subjects])
    where = sentences.count(len(results.systems), "system")
    against = f", against {sentences.listing([a.name for a in results.baselines])}" if results.baselines else ""
    return f"{what} in {where}{against}, with {sentences.count(len(results.run.seeds), 'seed')} each."


def _activation(profile: Profile, found: dict[str, Stroke]) -> dict[str, Any]:
    return {
        "profile": profile,
        "stroke": found[profile.name],
        "pictures": likeness(profile, found[profile.name]) if profile.role == "subject" else (),
        "legend": legend(profile),
        "facts": fact_lines(profile),
        "parameters": [(name, _parameter(value)) for name, value in profile.parameters.items()],
    }


def _parameter(value: Any) -> str:
    if isinstance(value, (int, float, str)):
        return numbers.number(float(value))
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]} …"


def _system(results: Results, system: SystemResults, found: dict[str, Stroke]) -> dict[str, Any]:
    tables = standings(results, system)
    drawn = pictures(system, found)
    evaluations = system.evaluations
    everyone = {**evaluations, "the references": system.references}
    return {
        "system": system,
        "summary": summary(results, system),
        "tables": [{"standings": t, "rows": _rows(t)} for t in tables],
        "pictures": drawn,
        "legend": list(dict.fromkeys(label for picture in drawn for label in picture.labels)),
        "seconds": _took(system),
        "notes": _notes(system),
        "unmeasured": [(name, *e.unmeasured) for name, e in everyone.items() if e.unmeasured is not None],
        "absent": [a.name for a in results.activations if a.name not in evaluations],
    }


def _took(system: SystemResults) -> str:
    if not math.isfinite(system.seconds):
        return ""
    computed = {*system.evaluations, "references"} - set(system.reused)
    took = [f"It took {sentences.duration(system.seconds)}, compilation included."] if computed else []
    if system.reused:
        names = sentences.listing([f"the {name}" if name == "references" else name for name in system.reused])
        took.append(f"Kept from an earlier run of the same code on this machine: {names}.")
    return " ".join(took)


def _pooled(line: Pooled) -> dict[str, Any]:
    return {
        "subject": line.subject,
        "baseline": line.baseline,
        "systems": len(line.systems),
        "runs": line.runs,
        "left_out": line.left_out,
        "improvement": line.improvement.parts(),
        "middle": line.middle.parts(signed=True),
    }


def _notes(system: SystemResults) -> list[tuple[str, str]]:
    """Each note once, with whose it is; without a name where all activations share it."""
    owners: dict[str, list[str]] = {}
    for name, evaluation in system.evaluations.items():
        for note in evaluation.notes:
            owners.setdefault(note, []).append(name)
    measured = [name for name, e in system.evaluations.items() if e.unmeasured is None]
    notes = [("" if set(whose) == set(measured) else sentences.listing(whose), n) for n, whose in owners.items()]
    return notes + [("references", note) for note in system.references.notes]


def _rows(table: Standings) -> list[tuple[Row, Whisker, tuple[str, str]]]:
    """Each row with its drawing, its mean and its interval."""
    written = [sentences.estimate_parts(r.measurement, table.decimals, large=table.large) for r in table.rows]
    return list(zip(table.rows, whiskers(table.rows), written, strict=True))
