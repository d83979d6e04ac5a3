"""Flows beside flowjax and zuko on the CPU: speed of a train step, and held-out nats at equal parameters and steps.

python benchmarks/flows.py speed --folder FOLDER
python benchmarks/flows.py quality --folder FOLDER [--torch-python PYTHON] [--steps 1000] [--splits 5]
python benchmarks/flows.py choose --folder FOLDER [--rates 1e-3 2e-3 5e-3]
python benchmarks/flows.py depth
FOLDER holds <set>.npz with X and y, as for `actlab.data.load_uci`. Needs flowjax in this environment, and zuko in that
of --torch-python (this one where not given); `quality` leaves zuko out where neither has it.

One thread on one core for every side (XLA and torch), in turn within one process (`speed`), set by set (`quality`).
Data: the joint density of [x, y], standardized by the training rows; values that repeat on a grid get uniform noise of
the grid's width (the density of discrete data is unbounded), the same for all; digits: 10 principal components. Every
method: 5 layers (ours, where autoregressive, 3), Adam on gradients clipped to norm 5, learning rate 2e-3 falling as a
cosine, batches of 256, the parameters of the best of the validations each 100 steps on the last tenth of the training
rows. Widths of ours and of zuko's conditioners are the largest that keep within flowjax's number of parameters;
flowjax: 8 knots, 64-64 units, interval 4; zuko: NSF as it comes, autoregressive, and as a coupling ("zuko-coupling"), 8
bins, interval 5; ours: for each set the setting that `choose` found best on the validation rows of splits 5 to 7.
`quality` reports the test rows of splits 0 to 4.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from flow_methods import (
    BATCH,
    CHOSEN,
    RATE,
    SETS,
    ZUKO,
    Fit,
    fit_jax,
    fit_zuko,
    flowjax,
    optimizer,
    ours,
    settings,
    split,
    table,
    train_step,
)

CHOSEN_ON = (5, 6, 7)
"""The splits on whose validation rows every choice rests; the reported ones are 0 to 4."""


def worker(options: argparse.Namespace) -> None:
    """Prints {"validation": [...], "test": [...], "parameters": n} of one method on one set, split after split."""
    rows, compiled, fits = table(options.folder, options.set), {}, []
    for number in options.numbers:
        parts, steps, rate = split(rows, number), options.steps, options.rate
        if options.method in ZUKO:
            fits.append(fit_zuko(parts, steps, rate, number, options.budget, ZUKO[options.method]))
            report(fits)
            continue
        method = flowjax
        if options.method == "ours":
            setting = settings()[options.setting or CHOSEN[options.set]]
            method = functools.partial(ours, budget=options.budget or None, **setting)
        fits.append(fit_jax(method, parts, steps, rate, number, compiled))
        report(fits)


def report(fits: Sequence[Fit]) -> None:
    """One line for all splits so far: `run` reads the last."""
    found = {"validation": [f.validation for f in fits], "test": [f.test for f in fits]}
    print(json.dumps(found | {"parameters": fits[0].parameters}), flush=True)


def run(options: argparse.Namespace, name: str, method: str, numbers: Sequence[int], **further: Any) -> dict[str, Any]:
    """`worker` in a process of its own, with the Python that has the method's packages."""
    python = (options.torch_python or sys.executable) if method in ZUKO else sys.executable
    shape = {"steps": options.steps, "rate": options.rate} | further
    command = [python, __file__, "worker", "--folder", options.folder, "--set", name, "--method", method]
    command += [str(v) for k, value in shape.items() for v in (f"--{k}", value)]
    command += ["--numbers", *map(str, numbers)]
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{method} on {name} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1]) | {"seconds": time.perf_counter() - begin}


def peers(options: argparse.Namespace) -> list[str]:
    """Those asked for that can be run."""
    here = options.torch_python or importlib.util.find_spec("zuko")
    return [name for name in options.peers if name not in ZUKO or here]


def choose(options: argparse.Namespace) -> None:
    """Validation nats of every method at several learning rates, ours in every setting too."""
    for name in options.sets:
        budget = None
        for method in (*peers(options), "ours"):
            for setting in settings() if method == "ours" else ("",):
                for rate in options.rates:
                    further = {"budget": budget or 0, "rate": rate} | ({"setting": setting} if setting else {})
                    found = run(options, name, method, CHOSEN_ON, **further)
                    budget = budget or found["parameters"]
                    print(
                        f"{name:9s} {method:13s} {setting:36s} rate {rate:.0e}  {found['parameters']:6d} parameters  "
                        f"validation nats {np.mean(found['validation']):8.3f}  {found['seconds']:6.1f} s",
                        flush=True,
                    )


def quality(options: argparse.Namespace) -> None:
    """Every method on every set, then the verdicts."""
    better = level = 0
    for name in options.sets:
        found: dict[str, np.ndarray] = {}
        budget = 0
        for method in (*peers(options), "ours"):
            result = run(options, name, method, range(options.splits), budget=budget)
            budget = budget or result["parameters"]
            values = found[method] = np.array(result["test"])
            print(
                f"{name:9s} {method:8s} {result['parameters']:6d} parameters  nats {values.mean():8.3f} "
                f"+- {standard_error(values):.3f}  {result['seconds']:6.1f} s  {np.round(values, 3).tolist()}",
                flush=True,
            )
        mine = found.pop("ours")
        rival = max(found.values(), key=np.mean)
        level += bool(mine.mean() >= rival.mean() - standard_error(rival))
        better += bool(mine.mean() > rival.mean())
        print(
            f"{name:9s} ours - better peer: {(mine - rival).mean():+.3f} +- {standard_error(mine - rival):.3f} nats, "
            "paired by split",
            flush=True,
        )
    print(f"at least the better peer minus one standard error: {level} of {len(options.sets)}; better: {better}")


def standard_error(values: np.ndarray) -> float:
    """Of the mean; 0 for a single value."""
    return float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else 0.0


def speed(options: argparse.Namespace) -> None:
    """Step and compile times in turn, then ratios; nats after `--steps` steps on protein's 7 first inputs and target.

    8 features, batches of 256. Times are of the processor, which other programs on a busy machine disturb less.
    """
    import jax
    import jax.numpy as jnp

    from actlab.systems.flows import Affine, Mixture

    rows = table(options.folder, "protein")
    parts = split(np.c_[rows[:, :7], rows[:, -1]], 0)
    methods: dict[str, Callable[..., tuple]] = {
        "flowjax affine": lambda d, s: flowjax(d, s, spline=False),
        "flowjax rqs, 8 knots": flowjax,
        "ours: mixture of 8": ours,
        "ours: mixture of 4": lambda d, s: ours(d, s, transform=Mixture(4)),
        "ours: mixture of 3, 40-40": lambda d, s: ours(d, s, hidden=40, transform=Mixture(3)),
        "ours: affine + featurewise 4": lambda d, s: ours(d, s, transform=Affine(), featurewise=Mixture(4)),
        "ours: affine": lambda d, s: ours(d, s, transform=Affine()),
    }
    x = jnp.asarray(parts[0][:BATCH])
    runs, compiling = {}, {name: [] for name in methods}
    for _ in range(options.rounds_compile):
        for name, method in methods.items():
            jax.clear_caches()
            parameters, loss, count = method(8, 0)
            state = optimizer(options.steps, options.rate).init(parameters)
            begin = time.process_time()
            step = jax.jit(train_step(loss, options.steps, options.rate)).lower(parameters, state, x).compile()
            compiling[name].append(time.process_time() - begin)
            runs[name] = [step, parameters, state, count, []]
    for _ in range(options.rounds):
        for entry in runs.values():
            step, parameters, state, _, times = entry
            for _ in range(20):
                begin = time.process_time()
                parameters, state, value = step(parameters, state, x)
                value.block_until_ready()
                times.append(time.process_time() - begin)
            entry[1], entry[2] = parameters, state
    base = {name: (np.min(r[4]), np.median(r[4])) for name, r in runs.items()}
    for name, method in methods.items():
        nats = fit_jax(method, parts, options.steps, options.rate, 0, {}).test
        ratios = "  ".join(
            f"over {peer}: step {base[name][0] / base[peer][0]:.2f}x least, {base[name][1] / base[peer][1]:.2f}x "
            f"median, compile {min(compiling[name]) / min(compiling[peer]):.2f}x"
            for peer in ("flowjax rqs, 8 knots", "flowjax affine")
        )
        print(
            f"{name:30s} {runs[name][3]:6d} parameters  compile {min(compiling[name]):5.2f} s  step min "
            f"{1e3 * base[name][0]:5.2f} median {1e3 * base[name][1]:5.2f} ms  nats {nats:6.3f}  {ratios}",
            flush=True,
        )


def depth(options: argparse.Namespace) -> None:
    """Processor time to trace and compile a train step of 40 layers over that of 5."""
    import jax
    import jax.numpy as jnp

    times: dict[int, list[float]] = {5: [], 40: []}
    for _ in range(options.rounds_compile + 1):
        for layers, found in times.items():
            jax.clear_caches()
            parameters, loss, _ = ours(8, 0, layers=layers)
            state = optimizer(options.steps, options.rate).init(parameters)
            step = jax.jit(train_step(loss, options.steps, options.rate))
            begin = time.process_time()
            step.lower(parameters, state, jnp.zeros((BATCH, 8))).compile()
            found.append(time.process_time() - begin)
    ratios = np.array(times[40]) / np.array(times[5])
    print(
        f"compile, 40 layers over 5: least times {min(times[40]) / min(times[5]):.2f}x ({min(times[40]):.2f} over "
        f"{min(times[5]):.2f} s), each pair {np.round(ratios, 2).tolist()}"
    )


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "quality", "depth", "choose", "worker"))
    parser.add_argument("--folder", default=".")
    parser.add_argument("--torch-python")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--rounds-compile", type=int, default=2)
    parser.add_argument("--peers", nargs="*", default=["flowjax", *ZUKO], choices=("flowjax", *ZUKO))
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--rates", type=float, nargs="+", default=[RATE])
    parser.add_argument("--setting", help="of ours; the chosen one of each set where not given")
    parser.add_argument("--set")
    parser.add_argument("--method")
    parser.add_argument("--numbers", type=int, nargs="+")
    parser.add_argument("--budget", type=int)
    options = parser.parse_args()
    commands = {"speed": speed, "quality": quality, "depth": depth, "choose": choose, "worker": worker}
    commands[options.what](options)


if __name__ == "__main__":
    main()
