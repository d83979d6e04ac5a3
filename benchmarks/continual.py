"""A learner-run of the slowly changing regression, CPU seconds, beside the published way of one torch process a run.

    python benchmarks/continual.py [--peer-python PYTHON] [--activation relu] [--seeds 30] [--rounds 3]

A learner-run is a million examples of one seed at one step size. The peer is the inner loop of shibhansh/
loss-of-plasticity (`lop/slowly_changing_regression/expr.py` with `lop/algos/bp.py`): a torch net of 20-5-1 that takes
one example, `zero_grad`, mean squared error, `backward`, a step of SGD, and keeps the error; timed over `--examples`
and scaled. Its data are read from memory, as there, and generating them is not counted; ours are generated inside and
counted. Every run has one thread; CPU time; the two sides take turns; the median of the rounds. Compilation is printed
apart, as the seconds of the first call less those of a later one. How far the two sides' errors differ on the same
examples from the same weights is printed too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy as np

RUN, GOAL, STEP = 1_000_000, 10.0, 0.01


def main() -> None:
    """Prints both sides' seconds and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", default=sys.executable, help="an interpreter that has torch")
    parser.add_argument("--activation", default="relu", choices=("relu", "tanh"))
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--examples", type=int, default=20_000, help="that the peer is timed over")
    parser.add_argument("--peer", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer is not None:
        _peer(arguments.peer, arguments.activation)
        return
    _compare(arguments)


def _peer(folder: Path, activation: str) -> None:
    """The published inner loop over the examples in the folder; prints its seconds, keeps its errors."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    data = np.load(folder / "data.npz")
    net = nn.Sequential(
        nn.Linear(data["x"].shape[1], data["hidden"].shape[0]),
        {"relu": nn.ReLU, "tanh": nn.Tanh}[activation](),
        nn.Linear(data["hidden"].shape[0], 1),
    )
    with torch.no_grad():
        net[0].weight.copy_(torch.from_numpy(data["hidden"]))
        net[2].weight.copy_(torch.from_numpy(data["out"][None]))
        net[0].bias.zero_()
        net[2].bias.zero_()
    optimizer = torch.optim.SGD(net.parameters(), lr=STEP, weight_decay=0.0, momentum=0)
    inputs, outputs = torch.from_numpy(data["x"]), torch.from_numpy(data["y"][:, None])
    errors = torch.zeros(len(inputs))
    begin = time.process_time()
    for i in range(len(inputs)):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(inputs[i : i + 1]), outputs[i : i + 1])
        loss.backward()
        optimizer.step()
        errors[i] = loss.detach()
    print(time.process_time() - begin)
    np.save(folder / "errors.npy", errors.numpy())


def _compare(arguments: argparse.Namespace) -> None:
    import jax

    import actlab.activations as al
    from actlab.systems.continual import Learner, Problem, examples, online_learning
    from actlab.systems.continual.online_learning import initial_weights
    from actlab.training import seed_keys

    problem, learner = Problem(), Learner()
    short = Problem(block=problem.block, blocks=-(-arguments.examples // problem.block))
    keys = seed_keys(range(arguments.seeds))
    of_stream, of_weights = jax.random.split(keys[0])
    x, y = (np.asarray(v)[: arguments.examples] for v in examples(of_stream, short))
    start = initial_weights(of_weights[None], al.get(arguments.activation), short, learner)
    hidden = np.concatenate([start.slow, start.fast])[..., 0].T
    run = online_learning(arguments.activation, problem, learner)
    count = arguments.seeds * len(learner.step_sizes)
    begin = time.process_time()
    jax.block_until_ready(run(keys))
    first = time.process_time() - begin
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "data.npz", x=x, y=y, hidden=np.ascontiguousarray(hidden), out=np.asarray(start.out)[:, 0])
        for _ in range(arguments.rounds):
            begin = time.process_time()
            jax.block_until_ready(run(keys))
            ours.append(time.process_time() - begin)
            command = [arguments.peer_python, __file__, "--peer", str(folder), "--activation", arguments.activation]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            theirs.append(float(said) * RUN / arguments.examples)
        errors = np.load(folder / "errors.npy")
    same = online_learning(arguments.activation, short, Learner(step_sizes=(STEP,)))(keys[:1]).error[0, 0]
    peer_blocks = errors[: len(errors) // problem.block * problem.block].reshape(-1, problem.block).mean(1)
    apart = np.max(np.abs(np.asarray(same)[: len(peer_blocks)] / peer_blocks - 1))
    mine, peer = statistics.median(ours) / count, statistics.median(theirs)
    print(f"{arguments.activation}, {count} learner-runs in one program; errors differ by {apart:.1e} (relative)")
    print(f"actlab {mine:.3f} CPU-s a run (compilation {first - statistics.median(ours):.1f} s once)")
    print(f"torch, one process a run: {peer:.1f} CPU-s a run; ratio {peer / mine:.0f}, goal {GOAL:g}")


if __name__ == "__main__":
    main()
