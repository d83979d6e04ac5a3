"""A hundred small nets in one compiled program, beside the same nets one after another in PyTorch, on the CPU.

python benchmarks/ensembles.py --folder FOLDER [--threads 1] [--torch-splits 2] [--batch-size 100]
FOLDER holds <set>.npz with X and y, as for `actlab.data.load_uci`. Needs Linux and PyTorch (the extra `peers`).

Deep Ensembles' protocol on four UCI sets: the benchmark's splits, five nets each with 50 ReLU units, two outputs (mean,
and variance softplus + 1e-6), Gaussian likelihood, Adam, 40 epochs, no adversarial inputs. Each side is a process of
its own on the same cores, and they take turns, set by set.
Ours: tracing, compilation and running, every program compiled anew: no persistent cache.
PyTorch, loop: eager, one net after another, warmed up before; indices of all batches permuted beforehand.
PyTorch, stacked: eager too, all nets of a set at once by batched matrix products, as we do it, warmed up.
Not tried: torch.compile, torch.func, fused Adam. Imports are not counted on either side.
Equal work: same data, steps, batch size, learning rate and law of the initial weights (each side draws its own); the
nets' mean training likelihood after the last step must agree within TOLERANCE standard errors of the difference.
The loop trains the nets of --torch-splits splits, its seconds scaled to all (20: in full, a few minutes more).
Believe CPU seconds before wall seconds on a busy machine. Seen on one core: the loop takes 3.3 times our seconds,
short of the goal; most of ours is compilation, so stacking in PyTorch needs a third of ours. Two threads on a busy
machine slow PyTorch's loop tenfold (they presumably wait for each other): no merit of ours, hence one by default.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

SETS = ("yacht", "energy", "boston", "concrete")
MEMBERS, HIDDEN, EPOCHS, RATE, GOAL, TOLERANCE = 5, 50, 40, 1e-2, 10.0, 4.0


@dataclass(frozen=True)
class Job:
    """One set: standardized training rows of all splits, x (splits, n, features) and y (splits, n)."""

    name: str
    x: np.ndarray
    y: np.ndarray
    batch_size: int

    @property
    def steps(self) -> int:
        """Of each net; the incomplete last batch of an epoch is dropped."""
        return EPOCHS * (self.y.shape[1] // self.batch_size)


@dataclass(frozen=True)
class Outcome:
    """What a side reports: wall seconds, those of them spent compiling, CPU seconds, each net's mean training NLL."""

    seconds: float
    compiling: float
    cpu: float
    nll: np.ndarray


class Clock:
    """Wall and CPU seconds since it was made."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def outcome(self, nll: Any, compiling: float = 0.0) -> Outcome:
        """What it shows now."""
        wall = time.perf_counter() - self.wall
        return Outcome(wall, compiling, time.process_time() - self.cpu, np.asarray(nll))


def program(job: Job) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """All nets of a set as one function, and its arguments: keys and rows, a leading axis of nets."""
    import jax
    import optax
    from flax import nnx

    from actlab.nets import MLP
    from actlab.training import ensemble, fit

    def nll(model: Any, batch: Any, key: Any = None) -> Any:
        x, y = batch
        raw = model(x)
        variance = jax.nn.softplus(raw[:, 1]) + 1e-6
        return 0.5 * (jax.numpy.log(2 * math.pi * variance) + (y - raw[:, 0]) ** 2 / variance).mean()

    def run(key: Any, x: Any, y: Any) -> Any:
        of_model, of_fit = jax.random.split(key)
        graphdef, state = nnx.split(MLP((x.shape[1], HIDDEN, 2), "relu", rngs=nnx.Rngs(of_model)))
        options = {"steps": job.steps, "batch_size": job.batch_size}
        fitted = fit(graphdef, state, (x, y), of_fit, loss=nll, optimizer=optax.adam(RATE), **options)
        return nll(fitted.model(), (x, y))

    keys = jax.random.split(jax.random.key(0), len(job.x) * MEMBERS)
    return ensemble(run), (keys, np.repeat(job.x, MEMBERS, 0), np.repeat(job.y, MEMBERS, 0))


def ours(job: Job) -> Outcome:
    """Traces, compiles and runs the program of one set."""
    clock = Clock()
    mapped, arguments = program(job)
    compiled = mapped.lower(*arguments).compile()
    compiling = time.perf_counter() - clock.wall
    return clock.outcome(np.asarray(compiled(*arguments)), compiling)


def ours_together(jobs: list[Job]) -> Outcome:
    """All sets, their programs compiled at the same time in threads, then run in turn."""
    clock = Clock()
    programs = [program(job) for job in jobs]
    with ThreadPoolExecutor(len(jobs)) as pool:
        pending = [pool.submit(mapped.lower(*arguments).compile) for mapped, arguments in programs]
        compiled = [p.result() for p in pending]
    compiling = time.perf_counter() - clock.wall
    results = [np.asarray(run(*arguments)) for run, (_, arguments) in zip(compiled, programs, strict=True)]
    return clock.outcome(np.concatenate(results), compiling)


def torch_loop(job: Job, threads: int) -> Outcome:
    """One net after another, eagerly."""
    import torch
    from torch import nn
    from torch.nn import functional

    torch.set_num_threads(threads)
    torch.manual_seed(0)

    def nll(net: Any, x: Any, y: Any) -> Any:
        mean, raw = net(x).unbind(-1)
        variance = functional.softplus(raw) + 1e-6
        return 0.5 * (torch.log(2 * math.pi * variance) + (y - mean) ** 2 / variance).mean()

    def train(x: Any, y: Any, steps: int) -> float:
        net = nn.Sequential(nn.Linear(x.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2))
        for layer in (net[0], net[2]):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)
        optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
        for rows in torch_batches(len(y), job.batch_size, 1)[0, :steps]:
            optimizer.zero_grad()
            nll(net, x[rows], y[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            return float(nll(net, x, y))

    data = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in zip(job.x, job.y, strict=True)]
    train(*data[0], steps=50)
    clock = Clock()
    return clock.outcome([train(*rows, steps=job.steps) for rows in data for _ in range(MEMBERS)])


def torch_stacked(job: Job, threads: int) -> Outcome:
    """All nets of a set at once; Adam works element by element, so one on the sum of the losses serves all."""
    import torch
    from torch.nn import functional

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    nets, features = len(job.x) * MEMBERS, job.x.shape[2]
    x, y = (torch.from_numpy(a).repeat_interleave(MEMBERS, 0) for a in (job.x, job.y))

    def nll(weights: list[Any], x: Any, y: Any) -> Any:
        first, bias, second, offset = weights
        raw = torch.baddbmm(offset, torch.relu(torch.baddbmm(bias, x, first)), second)
        mean, variance = raw[..., 0], functional.softplus(raw[..., 1]) + 1e-6
        return 0.5 * (torch.log(2 * math.pi * variance) + (y - mean) ** 2 / variance).mean(-1)

    def train(steps: int) -> np.ndarray:
        weights = [torch.randn(nets, features, HIDDEN) / features**0.5, torch.zeros(nets, 1, HIDDEN)]
        weights += [torch.randn(nets, HIDDEN, 2) / HIDDEN**0.5, torch.zeros(nets, 1, 2)]
        weights = [w.requires_grad_() for w in weights]
        optimizer = torch.optim.Adam(weights, lr=RATE)
        members = torch.arange(nets)[:, None]
        for rows in torch_batches(y.shape[1], job.batch_size, nets).transpose(0, 1)[:steps]:
            optimizer.zero_grad()
            nll(weights, x[members, rows], y[members, rows]).sum().backward()
            optimizer.step()
        with torch.no_grad():
            return nll(weights, x, y).numpy()

    train(steps=10)
    clock = Clock()
    return clock.outcome(train(job.steps))


def torch_batches(n: int, batch_size: int, nets: int) -> Any:
    """The rows of every step, (nets, steps, batch_size): a new permutation for each epoch and net."""
    import torch

    orders = torch.rand(nets, EPOCHS, n).argsort(-1)
    return orders[:, :, : n // batch_size * batch_size].reshape(nets, -1, batch_size)


def alone() -> ProcessPoolExecutor:
    """A fresh process on the cores of this one."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def read(folder: str, batch_size: int) -> list[Job]:
    """The four sets."""
    from actlab.data.splits import stacked, standardized
    from actlab.data.uci import load_uci, uci_splits

    jobs = []
    for name in SETS:
        data = load_uci(folder, name)
        rows = stacked([standardized(data, train, test) for train, test in uci_splits(len(data.y))])
        jobs.append(Job(name, rows.x, rows.y, batch_size))
    return jobs


def compare(jobs: list[Job], threads: int, torch_splits: int, console: Console) -> None:
    """Every set by each side in turn, then the table."""
    table = Table(title=f"threads {threads}, load before {os.getloadavg()[0]:.1f}: seconds (times ours)")
    for column in ("set", "steps", "ours: compile", "run", "total", "torch loop", "stacked", "NLL ours, loop, stacked"):
        table.add_column(column, justify="right")
    rows, scale = [], len(jobs[0].x) / torch_splits
    with alone() as jax_side, alone() as torch_side:
        for job in jobs:
            part = Job(job.name, job.x[:torch_splits], job.y[:torch_splits], job.batch_size)
            a = jax_side.submit(ours, job).result()
            b = torch_side.submit(torch_loop, part, threads).result()
            b = Outcome(scale * b.seconds, 0.0, scale * b.cpu, b.nll)
            rows.append((a, b, torch_side.submit(torch_stacked, job, threads).result()))
            console.print(f"{job.name}: {', '.join(f'{o.seconds:.1f}' for o in rows[-1])} s")  # as it comes
            means = ", ".join(f"{o.nll.mean():.3f}" for o in rows[-1])
            table.add_row(job.name, f"{len(a.nll)} x {job.steps}", *cells(*rows[-1]), means)
    with alone() as jax_side:
        together = jax_side.submit(ours_together, jobs).result()
    in_turn, loop, stacked = (total(side) for side in zip(*rows, strict=True))
    work = f"{sum(len(job.x) * MEMBERS * job.steps for job in jobs):,}"
    table.add_row("all, in turn", work, *cells(in_turn, loop, stacked), "")
    table.add_row("all, compiled at once", work, *cells(together, loop, stacked), "")
    console.print(table)
    console.print(f"CPU seconds: torch loop {loop.cpu:.1f}, stacked {stacked.cpu:.1f}")
    for name, mine in (("in turn", in_turn), ("at once", together)):
        verdict = "reached" if loop.seconds >= GOAL * mine.seconds else "missed"
        wall, cpu = loop.seconds / mine.seconds, loop.cpu / mine.cpu
        console.print(f"compiled {name}: {wall:.1f}x, goal {GOAL:.0f}x {verdict}; CPU {mine.cpu:.1f} s, {cpu:.1f}x")
    worst = max(errors_apart(a.nll, other.nll) for a, *others in rows for other in others)
    agree = "agree" if worst <= TOLERANCE else "DISAGREE, not the same work"
    console.print(f"training NLL: {agree}; at most {worst:.1f} standard errors apart (tolerance {TOLERANCE:.0f})\n")


def total(outcomes: tuple[Outcome, ...]) -> Outcome:
    """The sum over sets."""
    sums = (sum(getattr(o, name) for o in outcomes) for name in ("seconds", "compiling", "cpu"))
    return Outcome(*sums, np.concatenate([o.nll for o in outcomes]))


def cells(mine: Outcome, *others: Outcome) -> list[str]:
    """Times of one row."""
    own = [f"{t:.2f}" for t in (mine.compiling, mine.seconds - mine.compiling, mine.seconds)]
    return own + [f"{other.seconds:.2f} ({other.seconds / mine.seconds:.1f}x)" for other in others]


def errors_apart(a: np.ndarray, b: np.ndarray) -> float:
    """The difference of the means over the nets that both trained, the first ones, in its standard errors."""
    pairs = a[: len(b)] - b
    return float(abs(pairs.mean()) / (pairs.std(ddof=1) / len(pairs) ** 0.5))


def main() -> None:
    """Reads and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", required=True, help="of yacht.npz, energy.npz, boston.npz and concrete.npz")
    parser.add_argument("--threads", type=int, nargs="+", default=[1], help="numbers of cores, one table each")
    parser.add_argument("--torch-splits", type=int, default=2, choices=range(1, 21), metavar="1..20")
    parser.add_argument("--batch-size", type=int, default=100)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if min(options.threads) < 1 or max(options.threads) > len(cores):
        parser.error(f"--threads {options.threads}: this process may use {len(cores)} cores")
    if importlib.util.find_spec("torch") is None:
        parser.error("PyTorch is missing: install the extra `peers`")
    os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)
    try:
        jobs = read(options.folder, options.batch_size)
    except ValueError as error:
        parser.error(f"--folder: {error}")
    if not 1 <= options.batch_size <= min(job.y.shape[1] for job in jobs):
        parser.error(f"--batch-size {options.batch_size} must be between 1 and the rows of the smallest set")
    console = Console(width=max(150, Console().width))
    console.print(
        f"batches of {options.batch_size}, 20 splits of {MEMBERS} nets; loop on {options.torch_splits} splits"
    )
    for threads in options.threads:
        os.sched_setaffinity(0, cores[:threads])
        compare(jobs, threads, options.torch_splits, console)


if __name__ == "__main__":
    main()
