"""The nets of the UCI benchmark, trained one after another in PyTorch and all at once here: the ratio of the times.

The same work on both sides: for each set 20 splits x 5 nets, one hidden layer of 50 ReLU units, two outputs, Gaussian
likelihood with variance softplus + 1e-6, Adam at 0.01, 40 epochs, the same batch size; standardized data in memory.
Ours includes tracing and compilation, with the persistent cache off. PyTorch runs on one thread, its fastest setting at
this size. A fraction of its nets is timed and scaled, since they are all alike: by default one in ten.

Run: python benchmarks/ensembles.py FOLDER [--fraction 0.1]   (extra `peers`)
"""

from __future__ import annotations

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

import actlab.activations as al
from actlab.data.splits import Split, stacked, standardized
from actlab.data.uci import load_uci, uci_splits
from actlab.systems.uncertainty import usual_softplus
from actlab.systems.uncertainty.model import fit_gaussian, noisy_beta_nll
from actlab.training import ensemble

SETS = ("yacht", "energy", "boston", "concrete")
SPLITS, MEMBERS, HIDDEN, EPOCHS, BATCH, RATE = 20, 5, 50, 40, 32, 0.01


def splits_of(folder: str, name: str) -> list[Split]:
    """The standardized splits of a set."""
    data = load_uci(folder, name)
    return [standardized(data, train, test) for train, test in uci_splits(len(data.y), SPLITS)]


def ours(splits: list[Split]) -> tuple[float, float]:
    """Seconds for all nets of a set, compilation included, and their mean test NLL (standardized)."""
    head, steps = usual_softplus(1e-6), EPOCHS * (splits[0].x.shape[0] // BATCH)

    def run(keys: jax.Array, split: Split) -> jax.Array:
        def member(key: jax.Array) -> jax.Array:
            mean, log_variance = fit_gaussian(
                key,
                al.get("relu"),
                head,
                split,
                loss=noisy_beta_nll(head, 0.0),
                hidden=(HIDDEN,),
                optimizer=optax.adam(RATE),
                steps=steps,
                batch_size=BATCH,
            )
            return 0.5 * (jnp.square(split.y_test - mean) * jnp.exp(-log_variance) + log_variance).mean()

        return jax.vmap(member)(keys)

    started = time.perf_counter()
    keys = jax.random.split(jax.random.key(0), (SPLITS, MEMBERS))
    nll = np.asarray(ensemble(run)(keys, jax.tree.map(jnp.asarray, stacked(splits))))
    return time.perf_counter() - started, float(np.median(nll))


def torch_net(split: Split, seed: int) -> float:
    """Trains one net in PyTorch; its test NLL (standardized)."""
    import torch

    torch.manual_seed(seed)
    x, y, x_test, y_test = (torch.from_numpy(a) for a in (split.x, split.y, split.x_test, split.y_test))
    net = torch.nn.Sequential(torch.nn.Linear(x.shape[1], HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 2))
    optimizer = torch.optim.Adam(net.parameters(), RATE)

    def nll(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        out = net(x)
        variance = torch.nn.functional.softplus(out[:, 1]) + 1e-6
        return 0.5 * ((y - out[:, 0]) ** 2 / variance + variance.log()).mean()

    for _ in range(EPOCHS):
        order = torch.randperm(len(y))
        for i in range(0, len(y) - BATCH + 1, BATCH):
            rows = order[i : i + BATCH]
            optimizer.zero_grad()
            nll(x[rows], y[rows]).backward()
            optimizer.step()
    with torch.no_grad():
        return float(nll(x_test, y_test))


def theirs(splits: list[Split], fraction: float) -> tuple[float, float]:
    """Seconds for all nets of a set, scaled from the fraction that is trained, and their median test NLL."""
    count = max(1, round(fraction * SPLITS * MEMBERS))
    started = time.perf_counter()
    nll = [torch_net(splits[k % SPLITS], k) for k in range(count)]
    return (time.perf_counter() - started) * SPLITS * MEMBERS / count, float(np.median(nll))


def main() -> None:
    """Times both sides set by set, alternating, and prints the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="of the UCI files")
    parser.add_argument("--fraction", type=float, default=0.1, help="of PyTorch's nets that are trained, in (0, 1]")
    arguments = parser.parse_args()
    if not 0.0 < arguments.fraction <= 1.0:
        parser.error(f"--fraction {arguments.fraction} is not in (0, 1]")
    try:
        import torch
    except ImportError:
        parser.error("needs PyTorch: pip install 'actlab[peers]'")
    torch.set_num_threads(1)
    torch_net(splits_of(arguments.folder, SETS[0])[0], 0)  # its first net pays for what it loads
    total = np.zeros(2)
    for name in SETS:
        splits = splits_of(arguments.folder, name)
        (fast, nll), (slow, torch_nll) = ours(splits), theirs(splits, arguments.fraction)
        total += fast, slow
        print(
            f"{name:10} ours {fast:7.1f} s (median NLL {nll:.2f})   PyTorch {slow:7.1f} s ({torch_nll:.2f})   ", end=""
        )
        print(f"ratio {slow / fast:.1f}", flush=True)
    print(f"{'all':10} ours {total[0]:7.1f} s   PyTorch {total[1]:7.1f} s   ratio {total[1] / total[0]:.1f}")
    print(
        f"PyTorch {torch.__version__}, {arguments.fraction:.0%} of its nets trained and scaled; jax {jax.__version__}"
    )


if __name__ == "__main__":
    main()
