"""Kills a small training at random moments and compares what its resumption ends with, bit for bit.

python tests/faults/kill.py --runs 200 [--seed 0] [--cache FOLDER]

Every run is `actlab run tests/faults/killed.toml --out DIR --resume`: started, killed by SIGKILL at a moment drawn
uniformly from the time that an unkilled run takes (imports, compilation, steps, saving, report), now and then killed
again, then started once more with the same command and left to end. The final parameters, optimizer state, keys, step
and metrics must have the bits of the unkilled run, and no half-written file may stand under a final name.
Where each kill hit is printed at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]


def command(out: Path, *overrides: str) -> list[str]:
    config = ROOT / "tests" / "faults" / "killed.toml"
    return [sys.executable, "-m", "actlab", "run", str(config), *overrides, "--out", str(out), "--resume"]


def environment(cache: Path, **extra: str) -> dict[str, str]:
    """Of the processes: the root on their path, a compilation cache of their own."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    flags = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "OMP_NUM_THREADS": "1"}
    return {**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": str(cache), **flags, **extra}


def start(out: Path, cache: Path, *overrides: str, **options) -> subprocess.Popen:
    return subprocess.Popen(
        command(out, *overrides), env=environment(cache), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options
    )


def finished(out: Path, cache: Path) -> None:
    process = start(out, cache)
    _, errors = process.communicate(timeout=300)
    if process.returncode:
        raise SystemExit(f"{out}: status {process.returncode}\n{errors.decode()}")


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


def kills(runs: int, seed: int, folder: Path, cache: Path) -> Counter:
    """Kills `runs` trainings; raises SystemExit at the first that ends otherwise than the unkilled one."""
    draw = random.Random(seed)
    finished(folder / "warm", cache)  # compiles
    begin = time.perf_counter()
    finished(folder / "whole", cache)
    duration = time.perf_counter() - begin
    expected = ending(folder / "whole")
    hits: Counter = Counter()
    for number in range(runs):
        out = folder / f"run-{number}"
        for _ in range(1 + (draw.random() < 0.2)):
            # Now and then with an empty cache, so that the kill falls into a compilation.
            cold = folder / f"cold-{number}" if draw.random() < 0.1 else cache
            process = start(out, cold)
            time.sleep(draw.uniform(0.0, duration))
            process.kill()
            process.communicate()
            hits[where(out)] += 1
            if half_written(out):
                raise SystemExit(f"run {number}: half-written {half_written(out)}")
        finished(out, cache)
        if ending(out) != expected:
            raise SystemExit(f"run {number} (seed {seed}) ended with other bits: {out}")
        print(f"{number + 1}/{runs} identical; kills: {dict(hits)}", flush=True)
    return hits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        hits = kills(arguments.runs, arguments.seed, Path(folder), arguments.cache or Path(folder) / "cache")
    print(f"{arguments.runs} killed runs, {sum(hits.values())} kills, all ended bit for bit alike: {dict(hits)}")


if __name__ == "__main__":
    main()
