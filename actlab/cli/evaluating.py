"""`actlab evaluate`: activations through the systems, a table and the report."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path

from rich.console import Console

from actlab import systems
from actlab.activations import Activation, resolve
from actlab.config import ConfigError
from actlab.evaluate import evaluate, file_name, refuse_namesakes
from actlab.kept_evaluations import KeptEvaluations
from actlab.report import Results, run_info, summary_table, write_report
from actlab.training import enable_compilation_cache, run_folder, user_cache


def main(arguments: argparse.Namespace) -> int:
    """Evaluates, writes the report and the results beside it, and prints the table or JSON.

    Returns:
        0, or 1 where an evaluation failed.

    Raises:
        ActivationLookupError, NotElementwiseError: an activation that cannot be found or used.
        ConfigError: an unknown system, two activations of one name, fewer than two seeds, or no worker.
        ContradictionError: a declared fact is not so.
        OSError: the output directory is not writable.
    """
    subjects = [resolve(name) for name in arguments.activations]
    taken = {a.name for a in subjects}
    baselines = [a for a in map(resolve, _names(arguments.against)) if a.name not in taken]
    refuse_namesakes([*subjects, *baselines])
    names = _systems(arguments.systems)
    if arguments.seeds < 2:
        raise ConfigError(f"--seeds {arguments.seeds}: an interval needs at least 2 seeds")
    if arguments.workers < 1:
        raise ConfigError(f"--workers {arguments.workers}: at least 1 is needed")
    out = run_folder(arguments.out or _default_out(subjects))
    enable_compilation_cache()
    console = Console(stderr=True)
    results = _evaluate(subjects, baselines, names, arguments, out, console)
    page = write_report(results, out)
    if arguments.json:
        print(json.dumps(results.evaluate_json(), indent=2))
    else:
        Console().print(summary_table(results))
    console.print(f"report: {page}", soft_wrap=True, highlight=False)
    for failure in results.failures:
        console.print(f"failed: {failure}; the same command tries it again, --debug shows why", soft_wrap=True)
    return 1 if results.failures else 0


def _evaluate(
    subjects: list[Activation],
    baselines: list[Activation],
    names: list[str],
    arguments: argparse.Namespace,
    out: Path,
    console: Console,
) -> Results:
    from actlab.cli.progress import EvaluationProgress

    command = shlex.join(["actlab", *sys.argv[1:]])
    seeds = range(arguments.seeds)
    total = len(names) * (1 + len(subjects) + len(baselines))
    with EvaluationProgress(console, total) as progress:
        return evaluate(
            subjects,
            baselines,
            names=names,
            seeds=seeds,
            run=run_info(command, tuple(seeds)),
            kept=KeptEvaluations(out / "evaluations", user_cache() / "evaluations", read=not arguments.fresh),
            certificates=out / "certificates",
            keep_going=not arguments.debug,
            workers=arguments.workers,
            started=progress.started,
            finished=progress.finished,
        )


def _names(text: str | None) -> list[str]:
    """The names between the commas, each once."""
    return list(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))


def _systems(text: str | None) -> list[str]:
    names = _names(text) or list(systems.NAMES)
    for name in names:
        if name not in systems.NAMES:
            raise ConfigError(f"--systems: no system {name!r}; the systems are: {', '.join(systems.NAMES)}")
    return names


def _default_out(subjects: list[Activation]) -> Path:
    return Path("runs") / "-".join(["evaluate", *(file_name(a.name) for a in subjects)])[:80]
