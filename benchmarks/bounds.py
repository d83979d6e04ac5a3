"""CROWN bounds of 1000 boxes of a 3x128 MLP: ours, jitted and vmapped, beside auto_LiRPA, box by box and batched.

OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/bounds.py --peer-python PYTHON --peer-path CHECKOUT

PYTHON has torch; CHECKOUT is a clone of Verified-Intelligence/auto_LiRPA. One core each, in turns, three rounds; bounds
are compared before anything is timed. Times are CPU seconds; the peer takes its own, its start and the making of its
model apart.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

PEER = r"""
import json, sys, time, warnings
warnings.filterwarnings("ignore")
sys.path.insert(0, sys.argv[1])
import numpy as np, torch
from auto_LiRPA import BoundedModule, BoundedTensor, PerturbationLpNorm
torch.set_num_threads(1)
data = np.load(sys.argv[2])
layers = []
count = len([k for k in data if k.startswith("w")])
for i in range(count):
    layer = torch.nn.Linear(*data[f"w{i}"].shape)
    layer.weight.data, layer.bias.data = torch.tensor(data[f"w{i}"].T), torch.tensor(data[f"b{i}"])
    layers += [layer] + ([{"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[sys.argv[3]]()] if i < count - 1 else [])
x = torch.tensor(data["x"])
model = BoundedModule(torch.nn.Sequential(*layers), x[:1], device="cpu", verbose=False)

def bounds(x):
    ptb = PerturbationLpNorm(norm=float("inf"), eps=float(data["eps"]))
    with torch.no_grad():
        low, high = model.compute_bounds(x=(BoundedTensor(x, ptb),), method="CROWN")
    return low.numpy(), high.numpy()

def each(x):
    found = [bounds(x[i:i + 1]) for i in range(len(x))]
    return tuple(np.concatenate(v) for v in zip(*found))

def batched(x, size):
    found = [bounds(x[i:i + size]) for i in range(0, len(x), size)]
    return tuple(np.concatenate(v) for v in zip(*found))

ways = {"each": each, "batch of 10": lambda x: batched(x, 10), "batch of 50": lambda x: batched(x, 50),
        "batch of 250": lambda x: batched(x, 250)}
for line in sys.stdin:
    name, save = json.loads(line)
    some = x if name != "each" else x[:250]  # a quarter, times four
    start = time.process_time()
    found = ways[name](some)
    seconds = time.process_time() - start
    if save:
        np.savez(save, low=found[0], high=found[1])
    print(json.dumps(seconds * len(x) / len(some)), flush=True)
"""


def main() -> None:
    """Compares the bounds, then the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--peer-path", required=True)
    parser.add_argument("--activation", choices=("relu", "tanh"), default="relu")
    parser.add_argument("--inputs", type=int, default=20)
    parser.add_argument("--chunk", type=int, default=10, help="boxes that are mapped at once")
    arguments = parser.parse_args()
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["OMP_NUM_THREADS"] = "1"

    import tempfile

    import jax
    import jax.numpy as jnp
    import numpy as np
    from flax import nnx

    from actlab.activations import Interval
    from actlab.bounds import linear_bounds, network
    from actlab.nets import MLP

    boxes, eps = 1000, 0.05
    model = MLP([arguments.inputs, 128, 128, 128, 10], arguments.activation, rngs=nnx.Rngs(0))
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (boxes, arguments.inputs)).astype(np.float32)
    net = network(model, (arguments.inputs,))

    @jax.jit
    def ours(x: jax.Array) -> Interval:
        each = lambda v: linear_bounds(net, Interval(v - eps, v + eps))  # noqa: E731
        return jax.lax.map(each, x, batch_size=arguments.chunk)

    with tempfile.TemporaryDirectory() as folder:
        weights = {f"w{i}": np.asarray(layer.kernel[...]) for i, layer in enumerate(model.layers)}
        weights |= {f"b{i}": np.asarray(layer.bias[...]) for i, layer in enumerate(model.layers)}
        np.savez(f"{folder}/net.npz", x=x, eps=np.float32(eps), **weights)
        peer = subprocess.Popen(
            [arguments.peer_python, "-c", PEER, arguments.peer_path, f"{folder}/net.npz", arguments.activation],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

        def theirs(way: str, save: str = "") -> float:
            assert peer.stdin is not None
            assert peer.stdout is not None
            print(json.dumps([way, save]), file=peer.stdin, flush=True)
            return float(json.loads(peer.stdout.readline()))

        found = jax.block_until_ready(ours(jnp.asarray(x)))
        theirs("batch of 50", f"{folder}/bounds.npz")
        other = np.load(f"{folder}/bounds.npz")
        ratio = np.asarray(found.width).mean() / (other["high"] - other["low"]).mean()
        apart = max(np.abs(found.lower - other["low"]).max(), np.abs(found.upper - other["high"]).max())
        print(f"mean width, ours / theirs: {ratio:.5f}; largest difference of a bound: {apart:.2e}")
        times: dict[str, list[float]] = {}
        for _ in range(3):
            start = time.process_time()
            jax.block_until_ready(ours(jnp.asarray(x)))
            times.setdefault("ours", []).append(time.process_time() - start)
            for way in ("each", "batch of 10", "batch of 50", "batch of 250"):
                times.setdefault(way, []).append(theirs(way))
        peer.stdin.close()  # pyright: ignore[reportOptionalMemberAccess]
        peer.wait()
    mine = float(np.median(times["ours"]))
    for name, seconds in times.items():
        middle = float(np.median(seconds))
        print(f"{name:14s} {1e3 * middle / boxes:8.3f} ms a box   {middle / mine:6.2f} x ours")


if __name__ == "__main__":
    sys.exit(main())
