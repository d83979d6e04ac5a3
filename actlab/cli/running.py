"""`actlab run`: an experiment from its configuration; decides its claims."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import inspect
import json
import math
import os
import re
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console

from actlab import config
from actlab.config import ConfigError
from actlab.measurement import Claim, Evaluation, Figure, Measurement
from actlab.report import Results, SystemResults, claim_lines, experiment_table, run_info, write_report, write_whole
from actlab.training import AGAIN, Lock, enable_compilation_cache, processes, profiled, run_folder


def main(arguments: argparse.Namespace) -> int:
    """Runs the experiment, prints measurements and claims, and with `--out` keeps everything in one directory.

    Of several processes, the first one prints and writes.

    Returns:
        0, or 1 where the interval of a claim lies on the wrong side of its bound.

    Raises:
        ConfigError: the configuration or its experiment cannot be used, or the run directory holds another run.
        RunFolderError: the run directory cannot be written, or another process uses it.
        ProcessesError: the processes do not find each other.
        Preempted: stopped by SIGTERM, saved; the exit status is `AGAIN`.
    """
    numbers = (arguments.coordinator, arguments.processes, arguments.process_id)
    if arguments.distributed or any(n is not None for n in numbers):
        processes.start(*numbers)
    try:
        return _run(arguments)
    except Exception as error:
        if not processes.is_lost_peer(error):
            raise
        reason = (str(error).splitlines() or [""])[0][:120]
        print(f"actlab: another process was lost; start all again with --resume ({reason})", file=sys.stderr)
        sys.stderr.flush()
        os._exit(AGAIN)  # an orderly exit would wait for the lost one


def _run(arguments: argparse.Namespace) -> int:
    experiment, settings = load(arguments.config, arguments.overrides)
    _refuse_processes(experiment, arguments)
    with ExitStack() as stack:
        out = _run_directory(arguments.out, arguments.resume, dataclasses.asdict(settings), stack)
        enable_compilation_cache()
        console = Console(stderr=True, quiet=not processes.first())
        begin = time.perf_counter()
        with profiled(arguments.profile):
            found = experiment.run(settings, out, lambda text: console.print(text, highlight=False))
        seconds = math.nan if arguments.resume else time.perf_counter() - begin  # of a resumed run only a part
        results = _results(experiment, settings, arguments, found, seconds)
        if processes.first():
            Console().print(experiment_table(results))
            Console().print(claim_lines(results), soft_wrap=True)
            if out is not None:
                console.print(f"report: {write_report(results, out)}", highlight=False, soft_wrap=True)
    return int(any(c.verdict == "fails" for c in results.claims))


def _refuse_processes(experiment: ModuleType, arguments: argparse.Namespace) -> None:
    """An experiment says by `MANY_PROCESSES = True` that it leaves the devices to `train` or `over_devices`."""
    if not processes.several():
        return
    if not getattr(experiment, "MANY_PROCESSES", False):
        raise ConfigError(f"{arguments.config}: this experiment runs in one process; start it without --processes")
    if arguments.out is None:
        raise ConfigError("several processes need --out DIR, a directory that all of them see")


def load(path: Path, overrides: list[str]) -> tuple[ModuleType, Any]:
    """The experiment module that a configuration names, and its validated settings.

    The module is `experiments/NAME.py` in the nearest folder above the configuration that has one, else in the current
    folder.

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
    places = [*path.resolve().parents, Path.cwd()]
    root = next((folder for folder in places if (folder / "experiments" / f"{name}.py").is_file()), None)
    if root is None:
        raise ConfigError(f"{path}: no experiments/{name}.py in any folder above it, nor in the current one")
    file, full = root / "experiments" / f"{name}.py", f"experiments.{name}"
    loaded = sys.modules.get(full)
    if loaded is not None and Path(loaded.__file__ or "") == file:
        return loaded
    # By its file: by name, another `experiments` package on the path could shadow it.
    spec = importlib.util.spec_from_file_location(full, file)
    assert spec is not None  # a .py file has one
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    sys.path.insert(0, str(root))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[full]
        raise
    finally:
        sys.path.remove(str(root))
    return module


def _run_directory(out: Path | None, resume: bool, settings: dict[str, Any], stack: ExitStack) -> Path | None:
    """The run directory, held by the first process until the stack closes; the others hear whether it can be used."""
    if out is None:
        if resume:
            raise ConfigError("--resume needs --out DIR, the directory of the run to continue")
        return None
    usable = False
    try:
        if processes.first():
            _claim(out, resume, json.dumps(_plain(settings), indent=2, sort_keys=True), stack)
            usable = True
    finally:
        usable = processes.agreed(int(usable))
    if not usable:
        raise ConfigError(f"{out}: the first process cannot use it")
    return out


def _claim(out: Path, resume: bool, resolved: str, stack: ExitStack) -> None:
    """Makes and locks the directory, writes the resolved configuration; an earlier run there is only ever resumed."""
    record = out / "config.json"
    if record.is_file():
        if not resume:
            raise ConfigError(f"{out} holds a run already; add --resume to continue it, or choose another --out")
        if record.read_text(encoding="utf-8") != resolved:
            raise ConfigError(
                f"{out} was run with other settings ({record}); resume with those, or choose another --out"
            )
    stack.enter_context(closing(Lock(run_folder(out), ".run.lock")))
    if not record.is_file():
        write_whole(record, resolved)


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """As JSON has it: tuples as lists, paths as text."""
    return json.loads(json.dumps(settings, default=str))


def _results(
    experiment: ModuleType,
    settings: Any,
    arguments: argparse.Namespace,
    found: tuple[list[Measurement], list[Claim], Sequence[Figure]],
    seconds: float,
) -> Results:
    measurements, claims, figures = found
    name = experiment.__name__.rpartition(".")[2]
    title, heading = titles(name, arguments.config.stem, getattr(experiment, "TITLE", ""))
    question = (inspect.getdoc(experiment) or "").partition("\n")[0]
    everything = SystemResults(name, title, question, "", {}, Evaluation.of(measurements, figures), seconds)
    run = run_info(
        _command(arguments),
        tuple(sorted({seed for m in (*measurements, *(c.measurement for c in claims)) for seed in m.seeds})),
        config=str(arguments.config),
        settings=_plain(dataclasses.asdict(settings)),
    )
    return Results((), (everything,), run, heading, tuple(claims))


NAMES = {
    "ct": "CT",
    "uci": "UCI",
    "mnist": "MNIST",
    "gcn2": "GCN2",
    "gcn64": "GCN64",
    "gcnii": "GCNII",
    "cora": "Cora",
    "citeseer": "Citeseer",
    "randman": "Randman",
    "friedman1": "Friedman 1",
    "l2": "L2",
    "linf": "L-infinity",
    "01": "0.1",
    "03": "0.3",
}
"""How words of experiments' and configurations' file names are written where they are no common words."""


def titles(name: str, stem: str, title: str = "") -> tuple[str, str]:
    """The title of an experiment and the heading of a run's page, which adds what only the configuration's name says.

    Args:
        name: of the experiment's module.
        stem: of the configuration's file.
        title: what the experiment calls itself by `TITLE`; the words of its name where it is empty.
    """
    said = name.split("_")
    title = title or " ".join(NAMES.get(word, word) for word in said)
    title = title[0].upper() + title[1:]
    known = {*said, *title.lower().split()}
    rest = " ".join(NAMES.get(word, word) for word in stem.split("_") if word not in known)
    return title, f"{title}: {rest}" if rest else title


def _command(arguments: argparse.Namespace) -> str:
    """The command that does it from the start; without `--resume`, which needs what an earlier one left."""
    out = [] if arguments.out is None else ["--out", str(arguments.out)]
    return shlex.join(["actlab", "run", str(arguments.config), *arguments.overrides, *out])
