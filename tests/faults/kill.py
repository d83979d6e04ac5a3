"""Kills a small training at random moments and compares what its resumption ends with, bit for bit.

python tests/faults/kill.py --runs 200 [--seed 0] [--shared-imports]

Every run is `actlab run tests/faults/killed.toml --out DIR --resume`: started, killed by SIGKILL at a moment drawn
uniformly from the time that an unkilled run takes (imports, compilation, steps, saving, report), now and then killed
again, then started once more with the same command and left to end. The final parameters, optimizer state, keys, step
and metrics must have the bits of the unkilled run, and no half-written file may stand under a final name.
Where each kill hit is printed at the end. With --shared-imports the processes are forked from one that has imported the
libraries but computed nothing, which leaves a third of the time: then no kill falls into an import.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def command(out: Path, *overrides: str) -> list[str]:
    config = ROOT / "tests" / "faults" / "killed.toml"
    return [sys.executable, "-m", "actlab", "run", str(config), *overrides, "--out", str(out), "--resume"]


def environment(cache: Path, **extra: str) -> dict[str, str]:
    """Of the processes: the root on their path, a compilation cache of their own."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    flags = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "OMP_NUM_THREADS": "1"}
    return {**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": str(cache), **flags, **extra}


class Started:
    """A process that runs the training; its errors go to a file beside the run's folder."""

    def __init__(self, out: Path, cache: Path, server: Any = None):
        self._errors = out.with_name(f"{out.name}.errors")
        if server is None:
            with self._errors.open("w") as errors:
                self._process: Any = subprocess.Popen(
                    command(out), env=environment(cache), stdout=subprocess.DEVNULL, stderr=errors
                )
        else:
            self._process = server.Process(target=forked, args=(command(out)[3:], str(cache), str(self._errors)))
            self._process.start()

    def kill(self) -> None:
        self._process.kill()
        self._wait()

    def end(self) -> None:
        """Waits for a run that is left alone."""
        if status := self._wait():
            raise SystemExit(f"status {status}: {self._errors.read_text()}")

    def _wait(self) -> int:
        if isinstance(self._process, subprocess.Popen):
            return self._process.wait(timeout=300)
        self._process.join(300)
        return self._process.exitcode


def forked(words: list[str], cache: str, errors: str) -> None:
    """Runs the command in a process that has imported it."""
    os.environ["XDG_CACHE_HOME"] = cache
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(importlib.import_module("actlab.cli").main(words))


def importing_server() -> Any:
    """Makes processes that need not import; nothing is computed before the fork."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["actlab.cli.running", "flax.nnx", "orbax.checkpoint", "optax", "pydantic"])
    return context


def ending(out: Path) -> tuple:
    """What a run ended with: its measurements, the digest of its state among them, and the metrics of all steps."""
    (system,) = json.loads((out / "results.json").read_text())["systems"]
    measurements = json.dumps(system["references"]["measurements"], sort_keys=True)
    return measurements, (out / "ensemble" / "metrics.jsonl").read_bytes()


def where(out: Path) -> str:
    """What the killed process was doing, by what it left."""
    if (out / "report.html").exists():
        return "after the report"
    if (out / "results.json").exists():
        return "writing the report"
    if not (out / "config.json").exists():
        return "importing"
    steps = out / "ensemble" / "checkpoints"
    entries = [p.name for p in steps.iterdir()] if steps.is_dir() else []
    if any("tmp" in name for name in entries):
        return "saving"
    if any(name == "60" for name in entries):
        return "between training and report"
    return "steps" if any(name.isdecimal() for name in entries) else "compiling"


def half_written(out: Path) -> list[str]:
    """Files under final names that do not parse."""
    bad = []
    for name in ("config.json", "results.json"):
        try:
            json.loads((out / name).read_text())
        except FileNotFoundError:
            pass
        except ValueError:
            bad.append(name)
    if (out / "report.html").exists() and not (out / "report.html").read_text().rstrip().endswith("</html>"):
        bad.append("report.html")
    return bad


def kills(runs: int, seed: int, folder: Path, shared_imports: bool) -> Counter:
    """Kills `runs` trainings; raises SystemExit at the first that ends otherwise than the unkilled one."""
    draw = random.Random(seed)
    server, cache = importing_server() if shared_imports else None, folder / "cache"
    Started(folder / "whole", cache, server).end()  # compiles
    begin = time.perf_counter()
    Started(folder / "again", cache, server).end()
    duration = time.perf_counter() - begin
    expected = ending(folder / "whole")
    if ending(folder / "again") != expected:
        raise SystemExit("two unkilled runs ended with different bits")
    hits: Counter = Counter()
    for number in range(runs):
        out = folder / f"run-{number}"
        for _ in range(1 + (draw.random() < 0.2)):
            # Now and then with an empty cache, so that the kill falls into a compilation.
            process = Started(out, folder / f"cold-{number}" if draw.random() < 0.1 else cache, server)
            time.sleep(draw.uniform(0.0, duration))
            process.kill()
            hits[where(out)] += 1
            if half_written(out):
                raise SystemExit(f"run {number}: half-written {half_written(out)}")
        Started(out, cache, server).end()
        if ending(out) != expected:
            raise SystemExit(f"run {number} (seed {seed}) ended with other bits: {out}")
        shutil.rmtree(out)
        print(f"{number + 1}/{runs} identical; kills: {dict(hits)}", flush=True)
    return hits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shared-imports", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment(Path(folder) / "cache"))
        hits = kills(arguments.runs, arguments.seed, Path(folder), arguments.shared_imports)
    print(f"{arguments.runs} killed runs, {sum(hits.values())} kills, all ended bit for bit alike: {dict(hits)}")


if __name__ == "__main__":
    main()
