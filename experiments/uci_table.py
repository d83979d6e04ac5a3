"""The UCI table: measured likelihoods and errors beside the published ones."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from actlab.measurement import Measurement

OURS, THEIRS = "bounded head", "Deep Ensembles, re-run"

PUBLISHED = {  # test NLL of Lakshminarayanan et al. 2017, table 1; from memory, not checked against the paper
    "boston": 2.41,
    "concrete": 3.06,
    "energy": 1.38,
    "kin8nm": -1.20,
    "naval": -5.63,
    "power": 2.79,
    "protein": 2.83,
    "wine": 0.94,
    "yacht": 1.18,
}
DROPOUT = {  # test NLL of MC dropout with a grid and 100 times the epochs; from the logs of DropoutUncertaintyExps
    "boston": 2.402,
    "concrete": 2.937,
    "energy": 1.212,
    "kin8nm": -1.136,
    "naval": -4.450,
    "power": 2.808,
    "protein": 2.871,
    "wine": 0.928,
    "yacht": 1.250,
}


def table(names: tuple[str, ...], measured: list[Measurement]) -> list[dict[str, str]]:
    """A row a set: mean and standard error over splits, worst split, beside the published numbers."""
    found = {(m.name, m.activation): m for m in measured}
    rows = []
    for name in names:
        row = {"set": name}
        for method in (OURS, THEIRS):
            if (f"{name}: test NLL", method) not in found:
                continue
            for title in ("test NLL", "test NLL of the mixture", "test RMSE", "coverage of the 90 % interval"):
                values = found[f"{name}: {title}", method].values
                error = values.std(ddof=1) / math.sqrt(values.size) if values.size > 1 else math.nan
                row[f"{title}, {method}"] = f"{values.mean():.3f} +- {error:.3f}"
            row[f"worst NLL, {method}"] = f"{found[f'{name}: test NLL', method].values.max():.3f}"
        row["NLL, Deep Ensembles 2017 (from memory)"] = f"{PUBLISHED[name]:g}"
        row["NLL, MC dropout, 100x epochs (from its logs)"] = f"{DROPOUT[name]:g}"
        rows.append(row)
    return rows


def write(path: Path, rows: list[dict[str, str]]) -> None:
    """Writes the rows as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
