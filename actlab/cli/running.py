"""`actlab run`: an experiment from its configuration; decides its claims."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.table import Table

from actlab import config
from actlab.config import ConfigError
from actlab.measurement import Claim, Curve, Measurement
from actlab.training import enable_compilation_cache


def main(arguments: argparse.Namespace) -> int:
    """Runs the experiment, prints measurements and claims, and with `--out` keeps everything in one directory.

    Returns:
        0, or 1 where the interval of a claim lies on the wrong side of its bound.

    Raises:
        ConfigError: the configuration, its experiment or the run directory cannot be used.
    """
    experiment, settings = load(arguments.config, arguments.overrides)
    out = _run_directory(arguments.out, arguments.resume, dataclasses.asdict(settings))
    enable_compilation_cache()
    console = Console(stderr=True)
    measurements, claims, curves = experiment.run(settings, out, lambda text: console.print(text, highlight=False))
    _print(measurements, claims)
    if out is not None:
        _keep(out, measurements, claims, curves)
        console.print(f"run: {out}", highlight=False, soft_wrap=True)
    return int(any(c.verdict == "fails" for c in claims))


def load(path: Path, overrides: list[str]) -> tuple[ModuleType, Any]:
    """The experiment module that a configuration names, and its validated settings.

    The module is `experiments/NAME.py` in the nearest folder above the configuration that has one.

    Raises:
        ConfigError: no such experiment, or a setting that does not fit.
    """
    table = config.read(path, overrides)
    name = table.pop("experiment", None)
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ConfigError(f'{path}: set experiment = "NAME" to a module of experiments/, got {name!r}')
    module = _import(path, name)
    return module, config.build(module.Config, table, str(path))


def _import(path: Path, name: str) -> ModuleType:
    above = [path.resolve().parent, *path.resolve().parents, Path.cwd()]
    root = next((folder for folder in above if (folder / "experiments" / f"{name}.py").is_file()), None)
    if root is None:
        raise ConfigError(f"{path}: no experiments/{name}.py in any folder above it")
    sys.path.insert(0, str(root))
    try:
        return importlib.import_module(f"experiments.{name}")
    finally:
        sys.path.remove(str(root))


def _run_directory(out: Path | None, resume: bool, settings: dict[str, Any]) -> Path | None:
    """Makes the run directory and writes the resolved configuration; an earlier run there is only ever resumed."""
    if out is None:
        if resume:
            raise ConfigError("--resume needs --out DIR, the directory of the run to continue")
        return None
    record = out / "config.json"
    resolved = json.dumps(settings, indent=2, default=str, sort_keys=True)
    if record.is_file():
        if not resume:
            raise ConfigError(f"{out} holds a run already; add --resume to continue it, or choose another --out")
        if record.read_text(encoding="utf-8") != resolved:
            raise ConfigError(
                f"{out} was run with other settings ({record}); resume with those, or choose another --out"
            )
    elif resume and not out.is_dir():
        raise ConfigError(f"--resume: there is no run in {out}")
    out.mkdir(parents=True, exist_ok=True)
    record.write_text(resolved, encoding="utf-8")
    return out


def _print(measurements: list[Measurement], claims: list[Claim]) -> None:
    console = Console()
    table = Table("measurement", "of", "mean", "95 % interval", "seeds", "unit", title_justify="left")
    for m in measurements:
        low, high = m.interval
        table.add_row(m.name, m.activation, f"{m.mean:.4g}", f"[{low:.4g}, {high:.4g}]", str(len(m.seeds)), m.unit)
    console.print(table)
    for claim in claims:
        bound = f">= {claim.at_least:g}" if claim.at_least is not None else f"<= {claim.at_most:g}"
        low, high = claim.measurement.interval
        style = {"holds": "green", "fails": "red", "undecided": "yellow"}[claim.verdict]
        seen = f"{claim.measurement.mean:.4g} [{low:.4g}, {high:.4g}], expected {bound}"
        console.print(f"[{style}]{claim.verdict}[/]: {claim.statement} ({seen})", highlight=False)


def _keep(out: Path, measurements: list[Measurement], claims: list[Claim], curves: list[Curve]) -> None:
    from actlab.report import run_info

    record = {
        "run": dataclasses.asdict(run_info("actlab " + " ".join(sys.argv[1:]), ())),
        "measurements": [m.as_json() for m in measurements],
        "claims": [c.as_json() for c in claims],
        "curves": [{**dataclasses.asdict(c), "x": c.x.tolist(), "values": c.values.tolist()} for c in curves],
    }
    (out / "measurements.json").write_text(json.dumps(record, indent=2), encoding="utf-8")
