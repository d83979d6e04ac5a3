"""`actlab report`: the HTML page of finished runs, made again from their `results.json`."""

from __future__ import annotations

import argparse
from pathlib import Path

from actlab.report import Results, ResultsError, write_report

RESULTS = "results.json"


def main(arguments: argparse.Namespace) -> int:
    """Writes `report.html` into each directory and prints its path.

    Raises:
        ResultsError: a directory without results, or with results that cannot be read.
    """
    for directory in arguments.directories:
        print(write_report(_results(directory), directory))
    return 0


def _results(directory: Path) -> Results:
    path = directory / RESULTS
    if not path.is_file():
        raise ResultsError(f"{directory} has no {RESULTS}; `actlab evaluate` and `actlab run --out` write one")
    return Results.from_json(path.read_text(encoding="utf-8", errors="replace"))
