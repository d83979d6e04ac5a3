"""Flows beside flowjax and zuko on the CPU: speed of a train step, and held-out nats at equal parameters and steps.

python benchmarks/flows.py speed --folder FOLDER
python benchmarks/flows.py quality --folder FOLDER [--torch-python PYTHON] [--steps 1000] [--splits 5]
FOLDER holds <set>.npz with X and y, as for `actlab.data.load_uci`. Needs flowjax in this environment, and zuko in that
of --torch-python (this one where not given); `quality` leaves zuko out where neither has it.

One thread for every side (XLA and torch), in turn within one process (`speed`), set by set (`quality`). Data: the joint
density of [x, y], standardized by the training rows; values that repeat on a grid get uniform noise of the grid's width
(the density of discrete data is unbounded), the same for all; digits: 10 principal components. Every method: 5 layers,
Adam on gradients clipped to norm 5, learning rate 2e-3 falling as a cosine, batches of 256, the parameters of the best
of the validations each 100 steps on the last tenth of the training rows. Widths of ours and of zuko's conditioners are
the largest that keep within flowjax's number of parameters; flowjax: 8 knots, 64-64 units, interval 4.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

SETS = ("power", "concrete", "protein", "energy", "digits")
LAYERS, HIDDEN, BATCH, RATE, CLIP, EVERY = 5, 64, 256, 2e-3, 5.0, 100


def table(folder: str, name: str) -> np.ndarray:
    """All rows [x, y], float64, dequantized."""
    rng = np.random.default_rng(0)
    if name == "digits":
        from sklearn.datasets import load_digits

        pixels = load_digits().data + rng.uniform(-0.5, 0.5, (1797, 64))
        pixels -= pixels.mean(0)
        return pixels @ np.linalg.svd(pixels, full_matrices=False)[2][:10].T
    with np.load(Path(folder) / f"{name}.npz", allow_pickle=False) as arrays:
        rows = np.c_[arrays["X"], arrays["y"]].astype(np.float64)
    for column in rows.T:
        column += rng.uniform(-0.5, 0.5, len(column)) * np.diff(np.unique(column)).min()
    return rows


def split(rows: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training, validation and test rows of one of the benchmark's splits, standardized, float32."""
    stream = np.random.RandomState(1)
    for _ in range(number + 1):
        order = stream.choice(range(len(rows)), len(rows), replace=False)
    cut = round(0.9 * len(rows))
    inner = round(0.9 * cut)
    rows = (rows - rows[order[:cut]].mean(0)) / rows[order[:cut]].std(0)
    rows = rows.astype(np.float32)
    return rows[order[:inner]], rows[order[inner:cut]], rows[order[cut:]]


def batches(n: int, steps: int, seed: int) -> np.ndarray:
    """Indices of every step, the same for all methods."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.choice(n, min(BATCH, n), replace=False) for _ in range(steps)])


# A method: (features, seed) -> (parameters, loss(parameters, x), number of parameters); the loss is a mean over rows.
def ours(features: int, seed: int, budget: int | None = None, hidden: int = HIDDEN, **options: Any) -> tuple:
    """`coupling_flow`; with a budget, as wide as it allows."""
    import jax
    import jax.numpy as jnp

    from actlab.systems.flows import coupling_flow

    def size(width: int) -> int:
        flow = jax.eval_shape(
            lambda key: coupling_flow(key, features, layers=LAYERS, hidden=(width, width), **options), jax.random.key(0)
        )
        return sum(v.size for v in jax.tree.leaves(flow) if jnp.issubdtype(v.dtype, jnp.floating))

    if budget is not None:
        hidden = max(w for w in range(8, 257, 4) if size(w) <= budget)
    flow = coupling_flow(jax.random.key(seed), features, layers=LAYERS, hidden=(hidden, hidden), **options)
    leaves, structure = jax.tree.flatten(flow)
    real = [jnp.issubdtype(v.dtype, jnp.floating) for v in leaves]

    def loss(parameters: list[Any], x: Any) -> Any:
        rest = iter(parameters)
        whole = jax.tree.unflatten(structure, [next(rest) if r else v for v, r in zip(leaves, real, strict=True)])
        return -whole.log_prob(x).mean()

    return [v for v, r in zip(leaves, real, strict=True) if r], loss, size(hidden)


def flowjax(features: int, seed: int, spline: bool = True) -> tuple:
    """Flowjax's coupling flow."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import paramax
    from flowjax.bijections import RationalQuadraticSpline
    from flowjax.distributions import Normal
    from flowjax.flows import coupling_flow

    flow = coupling_flow(
        jax.random.key(seed),
        base_dist=Normal(jnp.zeros(features)),
        transformer=RationalQuadraticSpline(knots=8, interval=4) if spline else None,
        flow_layers=LAYERS,
        nn_width=HIDDEN,
        nn_depth=2,
    )
    fixed = lambda leaf: isinstance(leaf, paramax.NonTrainable)  # noqa: E731
    parameters, static = eqx.partition(flow, eqx.is_inexact_array, is_leaf=fixed)

    def loss(parameters: Any, x: Any) -> Any:
        return -paramax.unwrap(eqx.combine(parameters, static)).log_prob(x).mean()

    return parameters, loss, sum(v.size for v in jax.tree.leaves(parameters))


def optimizer(steps: int) -> Any:
    """The same for every JAX method."""
    import optax

    return optax.chain(optax.clip_by_global_norm(CLIP), optax.adam(optax.cosine_decay_schedule(RATE, steps)))


def train_step(loss: Callable[..., Any], steps: int) -> Callable[..., Any]:
    """(parameters, state, x) -> (parameters, state, loss)."""
    import jax
    import optax

    rule = optimizer(steps)

    def step(parameters: Any, state: Any, x: Any) -> tuple[Any, Any, Any]:
        value, gradient = jax.value_and_grad(loss)(parameters, x)
        updates, state = rule.update(gradient, state, parameters)
        return optax.apply_updates(parameters, updates), state, value

    return step


def fit_jax(method: Callable[..., tuple], parts: tuple, steps: int, seed: int, compiled: dict) -> tuple[float, int]:
    """Test nats of the parameters with the best validation, and how many there are."""
    import jax
    import jax.numpy as jnp

    x, validation, test = map(jnp.asarray, parts)
    parameters, loss, count = method(x.shape[1], seed)
    state = optimizer(steps).init(parameters)
    if not compiled:
        compiled["step"], compiled["loss"] = jax.jit(train_step(loss, steps)), jax.jit(loss)
    best, kept = np.inf, parameters
    for i, rows in enumerate(batches(len(x), steps, seed)):
        parameters, state, _ = compiled["step"](parameters, state, x[rows])
        if (i + 1) % EVERY == 0:
            value = float(compiled["loss"](parameters, validation))
            best, kept = (value, parameters) if value < best else (best, kept)
    return -float(compiled["loss"](kept, test)), count


def fit_zuko(parts: tuple, steps: int, seed: int, budget: int) -> tuple[float, int]:
    """Zuko's NSF as a coupling (two passes), eager."""
    import copy

    import torch
    import zuko

    torch.set_num_threads(1)

    def build(width: int) -> Any:
        torch.manual_seed(seed)
        return zuko.flows.NSF(parts[0].shape[1], transforms=LAYERS, bins=8, passes=2, hidden_features=(width, width))

    def size(flow: Any) -> int:
        return sum(p.numel() for p in flow.parameters())

    width = max(w for w in range(8, 129, 4) if size(build(w)) <= budget)
    flow = build(width)
    x, validation, test = (torch.from_numpy(p) for p in parts)
    rule = torch.optim.Adam(flow.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(rule, steps)
    best, kept = np.inf, copy.deepcopy(flow.state_dict())
    for i, rows in enumerate(batches(len(x), steps, seed)):
        rule.zero_grad()
        (-flow().log_prob(x[torch.from_numpy(rows)]).mean()).backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), CLIP)
        rule.step()
        schedule.step()
        if (i + 1) % EVERY == 0:
            with torch.no_grad():
                value = float(-flow().log_prob(validation).mean())
            if value < best:
                best, kept = value, copy.deepcopy(flow.state_dict())
    flow.load_state_dict(kept)
    with torch.no_grad():
        return float(flow().log_prob(test).mean()), size(flow)


def worker(options: argparse.Namespace) -> None:
    """Prints {"nats": [...], "parameters": n} of one method on one set."""
    rows, nats, compiled = table(options.folder, options.set), [], {}
    count = 0
    for number in range(options.splits):
        parts = split(rows, number)
        if options.method == "zuko":
            value, count = fit_zuko(parts, options.steps, number, options.budget)
        elif options.method == "flowjax":
            value, count = fit_jax(flowjax, parts, options.steps, number, compiled)
        else:
            method = lambda features, seed: ours(features, seed, options.budget)  # noqa: E731
            value, count = fit_jax(method, parts, options.steps, number, compiled)
        nats.append(value)
    print(json.dumps({"nats": nats, "parameters": count}))


def quality(options: argparse.Namespace) -> None:
    """Every method on every set, then the verdicts."""
    torch_python = options.torch_python or (sys.executable if importlib.util.find_spec("zuko") else None)
    better = level = 0
    for name in options.sets:
        found: dict[str, Any] = {}
        for method in ("flowjax", "ours", *(["zuko"] if torch_python else [])):
            python = torch_python if method == "zuko" else sys.executable
            command = [python, __file__, "worker", "--folder", options.folder, "--set", name, "--method", method]
            command += ["--steps", str(options.steps), "--splits", str(options.splits)]
            command += ["--budget", str(found.get("flowjax", {"parameters": 0})["parameters"])]
            begin = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"{method} on {name} failed:\n{done.stderr}")
            found[method] = json.loads(done.stdout.splitlines()[-1])
            values = np.array(found[method]["nats"])
            error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
            seconds = time.perf_counter() - begin
            print(
                f"{name:9s} {method:8s} {found[method]['parameters']:6d} parameters  nats {values.mean():8.3f} "
                f"+- {error:.3f}  {seconds:6.1f} s  {np.round(values, 3).tolist()}",
                flush=True,
            )
        mine = np.array(found["ours"]["nats"])
        rival = max((np.array(v["nats"]) for k, v in found.items() if k != "ours"), key=lambda v: v.mean())
        error = rival.std(ddof=1) / len(rival) ** 0.5 if len(rival) > 1 else 0.0
        gap = mine - rival
        level += bool(mine.mean() >= rival.mean() - error)
        better += bool(gap.mean() > 0)
        print(f"{name:9s} ours - better peer: {gap.mean():+.3f} nats on average over the splits", flush=True)
    print(f"at least the better peer minus one standard error: {level} of {len(options.sets)}; better: {better}")


def speed(options: argparse.Namespace) -> None:
    """Step and compile times in turn, then ratios; nats after `--steps` steps on protein's 7 first inputs and target.

    8 features, batches of 256.
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
            state = optimizer(options.steps).init(parameters)
            begin = time.perf_counter()
            step = jax.jit(train_step(loss, options.steps)).lower(parameters, state, x).compile()
            compiling[name].append(time.perf_counter() - begin)
            runs[name] = [step, parameters, state, count, []]
    for _ in range(options.rounds):
        for entry in runs.values():
            step, parameters, state, _, times = entry
            for _ in range(20):
                begin = time.perf_counter()
                parameters, state, value = step(parameters, state, x)
                value.block_until_ready()
                times.append(time.perf_counter() - begin)
            entry[1], entry[2] = parameters, state
    base = {name: (np.min(r[4]), np.median(r[4])) for name, r in runs.items()}
    for name, method in methods.items():
        nats = fit_jax(method, parts, options.steps, 0, {})[0]
        ratios = "  ".join(
            f"over {peer}: step {base[name][1] / base[peer][1]:.2f}x, compile "
            f"{min(compiling[name]) / min(compiling[peer]):.2f}x"
            for peer in ("flowjax rqs, 8 knots", "flowjax affine")
        )
        print(
            f"{name:30s} {runs[name][3]:6d} parameters  compile {min(compiling[name]):5.2f} s  step min "
            f"{1e3 * base[name][0]:5.2f} median {1e3 * base[name][1]:5.2f} ms  nats {nats:6.3f}  {ratios}",
            flush=True,
        )
    _depth(options)


def _depth(options: argparse.Namespace) -> None:
    """Compile time at 40 layers over that at 5."""
    import jax
    import jax.numpy as jnp

    from actlab.systems.flows import coupling_flow

    times: dict[int, list[float]] = {5: [], 40: []}
    for _ in range(options.rounds_compile + 1):
        for depth, found in times.items():
            jax.clear_caches()
            flow = coupling_flow(jax.random.key(0), 8, layers=depth)
            begin = time.perf_counter()
            jax.jit(lambda flow, x: flow.log_prob(x).mean()).lower(flow, jnp.zeros((BATCH, 8))).compile()
            found.append(time.perf_counter() - begin)
    most, least = min(times[40]), min(times[5])
    print(f"compile, 40 layers over 5: {most / least:.2f}x ({most:.2f}, {least:.2f} s)")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "quality", "worker"))
    parser.add_argument("--folder", required=True)
    parser.add_argument("--torch-python")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--rounds-compile", type=int, default=2)
    parser.add_argument("--set")
    parser.add_argument("--method")
    parser.add_argument("--budget", type=int)
    options = parser.parse_args()
    {"speed": speed, "quality": quality, "worker": worker}[options.what](options)


if __name__ == "__main__":
    main()
