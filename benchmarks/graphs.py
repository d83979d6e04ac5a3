"""A training step of a two-layer GCN on Cora beside PyTorch Geometric and PyTorch's CSR, on one pinned core.

python benchmarks/graphs.py --folder FOLDER [--steps 100] [--rounds 5] [--peer-python PYTHON] [--peers pyg torch-csr]
FOLDER holds cora.npz as `actlab.data.citation.load_citation` reads it. PYTHON has torch and torch_geometric, which may
be another environment than actlab's.

16 hidden channels, dropout 0.5, Adam, loss on 140 nodes, float32; each side is a process of its own on the same core
with one thread, and they take turns. CPU milliseconds a step, median over the rounds, compilation not counted (the
first round of each side is thrown away). Dense: features as a matrix on both sides. Sparse: features by their entries
on both sides. Dense against sparse is no result of a framework and is not printed as one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

GOALS = {"dense": 1.4, "sparse": 3.0}
FEATURES = {"pyg": "dense", "torch-csr": "sparse"}
"""What each peer is given."""


def timed(run: Any, rounds: int, steps: int) -> None:
    """Prints CPU milliseconds a step whenever a line is read from standard input."""
    for _ in range(rounds + 1):
        sys.stdin.readline()
        begin = time.process_time()
        run(steps)
        print(json.dumps(1e3 * (time.process_time() - begin) / steps), flush=True)


def ours(folder: str, features: str, rounds: int, steps: int) -> None:
    """Actlab's net, its steps in one scan."""
    import jax
    import jax.numpy as jnp
    import optax
    from flax import nnx

    from actlab.data.citation import load_citation
    from actlab.nets.graph import GraphNet, operator_for
    from actlab.systems.oversmoothing.problem import Problem

    problem = Problem.of(load_citation(folder, "cora"))
    operator = operator_for("gcn", problem.graph)
    x = problem.x.dense() if features == "dense" else problem.x
    net = GraphNet(problem.features, 16, problem.classes, 2, "relu", rngs=nnx.Rngs(0), rate=0.5)
    graphdef, params, rest = nnx.split(net, nnx.Param, ...)
    optimizer = optax.adam(0.01)

    @jax.jit
    def train(state: Any, operator: Any, x: Any, y: Any, nodes: Any, key: Any) -> Any:
        def step(state: Any, key: Any) -> tuple[Any, Any]:
            def loss(params: Any) -> Any:
                logits = nnx.merge(graphdef, params, rest)(operator, x, key)[nodes]
                return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, y[nodes]))

            params, opt_state = state
            value, grads = jax.value_and_grad(loss)(params)
            updates, opt_state = optimizer.update(grads, opt_state, params)
            return (optax.apply_updates(params, updates), opt_state), value

        return jax.lax.scan(step, state, jax.random.split(key, steps))

    start = (params, optimizer.init(params))

    def run(_: int) -> None:
        jax.block_until_ready(train(start, operator, x, problem.y, problem.train, jax.random.key(0)))

    timed(run, rounds, steps)


def peer(folder: str, side: str, rounds: int, steps: int) -> None:
    """The same in torch: PyG's GCNConv with its normalization cached, or products with CSR matrices."""
    import numpy as np
    import torch
    from torch.nn import functional

    torch.set_num_threads(1)
    torch.manual_seed(0)
    data = np.load(f"{folder}/cora.npz")
    n, m = int(data["n_nodes"]), int(data["n_features"])
    count = np.diff(data["indptr"])
    values = torch.tensor(np.repeat(1.0 / np.maximum(count, 1), count), dtype=torch.float32)
    pointers, columns = (torch.tensor(data[k].astype(np.int64)) for k in ("indptr", "indices"))
    y, nodes = torch.tensor(data["labels"].astype(np.int64)), torch.tensor(data["train"].astype(np.int64))
    links = torch.tensor(data["edges"].astype(np.int64)).T
    edges = torch.cat([links, links.flip(0)], 1)
    if side == "pyg":
        from torch_geometric.nn import GCNConv

        x = torch.sparse_csr_tensor(pointers, columns, values, (n, m)).to_dense()
        first, last = GCNConv(m, 16, cached=True), GCNConv(16, 7, cached=True)
        parameters = [*first.parameters(), *last.parameters()]

        def forward() -> Any:
            h = functional.dropout(x, 0.5)
            return last(functional.dropout(first(h, edges).relu(), 0.5), edges)
    else:
        looped = torch.cat([edges, torch.arange(n).repeat(2, 1)], 1)
        degree = torch.bincount(looped[0], minlength=n).float()
        weights = (degree[looped[0]] * degree[looped[1]]).rsqrt()
        operator = torch.sparse_coo_tensor(looped, weights, (n, n)).to_sparse_csr()
        rows = torch.repeat_interleave(torch.arange(n), pointers.diff())
        order = torch.argsort(columns, stable=True)
        turned_pointers = torch.cat([torch.zeros(1, dtype=torch.long), torch.bincount(columns, minlength=m).cumsum(0)])

        class Features(torch.autograd.Function):
            """X W with a CSR matrix each way: torch's own gradient would be slower."""

            @staticmethod
            def forward(ctx: Any, dropped: Any, kernel: Any) -> Any:
                ctx.save_for_backward(dropped)
                return torch.sparse_csr_tensor(pointers, columns, dropped, (n, m)) @ kernel

            @staticmethod
            def backward(ctx: Any, *grads: Any) -> Any:
                (dropped,) = ctx.saved_tensors
                turned = torch.sparse_csr_tensor(turned_pointers, rows[order], dropped[order], (m, n))
                return None, turned @ grads[0]

        class Aggregate(torch.autograd.Function):
            """P h; P is symmetric."""

            @staticmethod
            def forward(ctx: Any, h: Any) -> Any:
                return operator @ h

            @staticmethod
            def backward(ctx: Any, *grads: Any) -> Any:
                return operator @ grads[0]

        parameters = [torch.empty(m, 16), torch.zeros(16), torch.empty(16, 7), torch.zeros(7)]
        for kernel in parameters[::2]:
            torch.nn.init.xavier_uniform_(kernel)
        parameters = [p.requires_grad_() for p in parameters]

        def forward() -> Any:
            w1, b1, w2, b2 = parameters
            h = (Aggregate.apply(Features.apply(functional.dropout(values, 0.5), w1)) + b1).relu()
            return Aggregate.apply(functional.dropout(h, 0.5) @ w2) + b2

    optimizer = torch.optim.Adam(parameters, lr=0.01)

    def run(steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            functional.cross_entropy(forward()[nodes], y[nodes]).backward()
            optimizer.step()

    timed(run, rounds, steps)


def main() -> None:
    """Starts one process a side, lets them take turns, prints the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--peers", nargs="+", choices=("pyg", "torch-csr"), default=["pyg", "torch-csr"])
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--features", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side == "ours":
        return ours(options.folder, options.features, options.rounds, options.steps)
    if options.side:
        return peer(options.folder, options.side, options.rounds, options.steps)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    environment = os.environ | {"OMP_NUM_THREADS": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
    processes = {}
    compared = [FEATURES[name] for name in options.peers]
    for side, kinds in {"ours": compared, **{name: [FEATURES[name]] for name in options.peers}}.items():
        for features in kinds:
            python = sys.executable if side == "ours" else options.peer_python
            words = [python, __file__, "--folder", options.folder, "--side", side, "--features", features]
            words += ["--steps", str(options.steps), "--rounds", str(options.rounds)]
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            processes[side, features] = subprocess.Popen(words, env=environment, **pipes)
    found: dict[tuple[str, str], list[float]] = {name: [] for name in processes}
    for _ in range(options.rounds + 1):
        for name, process in processes.items():
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            found[name].append(float(process.stdout.readline()))
    medians = {name: statistics.median(times[1:]) for name, times in found.items()}
    for (side, features), value in medians.items():
        print(f"{side:10s} {features:7s} {value:7.2f} CPU ms a step")
    for side, features in zip(options.peers, compared, strict=True):
        ratio, goal = medians[side, features] / medians["ours", features], GOALS[features]
        print(f"{features}: {ratio:.2f} times {side}, goal {goal} {'reached' if ratio >= goal else 'missed'}")
    return None


if __name__ == "__main__":
    main()
