"""Block-skipping gated attention against the dense gated einsum and `jax.nn.dot_product_attention`, in CPU-seconds.

Run: `python benchmarks/attention.py [--lengths 1024 4096] [--densities 1 0.25 0.1]`, half a minute; `--backward` times
forward and backward together. One pinned core, one thread; repetitions interleaved in one process; the least of each.
Block masks are random at an imposed density: this measures the kernel, not what bounds earn on a trained net (for that:
`actlab run configs/attention/...`). Mask discovery by bounds, and by computed scores, is timed on its own.
Results are first compared with the einsum under the same mask.
"""

from __future__ import annotations

import argparse
import functools
import os
import time
from collections.abc import Callable
from typing import Any

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import jax
import jax.numpy as jnp
import numpy as np

import actlab.activations as al
from actlab.systems.attention import Gate
from actlab.systems.attention.block_bounds import largest_scores, score_bounds
from actlab.systems.attention.kernel import attend, pairs_of
from actlab.systems.attention.visibility import Visibility

D = 64
GATE = Gate(al.gelu, jnp.ones(1), 0.5, 0.6683959705)
EVERYTHING = Visibility()


def cpu_seconds(function: Callable[[], Any]) -> float:
    """The CPU time of one call."""
    start = time.process_time()
    jax.block_until_ready(function())
    return time.process_time() - start


def dense(q: Any, k: Any, v: Any, visit: Any, *, block: int) -> Any:
    """The dense gated einsum; with a block mask where given."""
    scores = jnp.einsum("hid,hjd->hij", q, k)
    weights = GATE.at(GATE.temperature[0]).weight(scores)
    if visit is not None:
        weights = jnp.where(jnp.repeat(jnp.repeat(visit, block, 1), block, 2), weights, 0)
    return jnp.einsum("hij,hje->hie", weights, v)


def ours(q: Any, k: Any, v: Any, visit: Any, *, block: int) -> Any:
    """The block kernel."""
    return attend(block, GATE, q, k, v, EVERYTHING, pairs_of(visit))


def softmax(q: Any, k: Any, v: Any, visit: Any, *, block: int) -> Any:
    """JAX's own softmax attention: another function, for scale."""
    return jax.nn.dot_product_attention(*(x[0][None, :, None] for x in (q, k, v)))


def both_ways(function: Callable, backward: bool) -> Callable:
    """The jitted function, or its gradients with respect to q, k and v."""
    if not backward:
        return jax.jit(function)
    return jax.jit(jax.grad(lambda q, k, v, visit: jnp.sum(function(q, k, v, visit) ** 2), argnums=(0, 1, 2)))


def calls_of(length: int, densities: list[float], backward: bool, block: int) -> dict[str, Callable[[], Any]]:
    """What is timed, by name; compiled, and ours compared with the einsum under the same mask."""
    run, einsum, sdpa = (both_ways(functools.partial(f, block=block), backward) for f in (ours, dense, softmax))
    q, k, v = (jax.random.normal(key, (1, length, D)) / D**0.25 for key in jax.random.split(jax.random.key(0), 3))
    blocks = length // block
    order = np.random.default_rng(0).permutation(blocks**2).reshape(1, blocks, blocks)
    masks = {density: jnp.asarray(order < round(density * blocks**2)) for density in densities}
    last = masks[densities[-1]]
    pairs = zip(jax.tree.leaves(run(q, k, v, last)), jax.tree.leaves(einsum(q, k, v, last)), strict=True)
    worst = max(float(jnp.abs(a - b).max() / jnp.abs(b).max()) for a, b in pairs)
    print(f"L = {length}: largest relative difference from the masked einsum {worst:.1e}")
    bounds = jax.jit(functools.partial(score_bounds, block=block))
    scores = jax.jit(lambda q, k: largest_scores(q, k, lambda i: True, block))
    calls = {"einsum": functools.partial(einsum, q, k, v, None), "softmax": functools.partial(sdpa, q, k, v, None)}
    calls |= {f"density {d:g}": functools.partial(run, q, k, v, mask) for d, mask in masks.items()}
    calls |= {"mask by bounds": functools.partial(bounds, q, k), "mask by scores": functools.partial(scores, q, k)}
    for call in calls.values():
        jax.block_until_ready(call())
    return calls


def table(lengths: list[int], densities: list[float], backward: bool, repeats: int, block: int) -> None:
    """Prints one line a length and density."""
    what = "forward and backward" if backward else "forward"
    print(f"{what}, least CPU-s (ratio to ours); d = {D}, block = {block}, one head, float32, jax {jax.__version__}")
    for length in lengths:
        calls = calls_of(length, densities, backward, block)
        least = dict.fromkeys(calls, float("inf"))
        for name in [*calls] * repeats:
            least[name] = min(least[name], cpu_seconds(calls[name]))
        for name, mine in least.items():
            a, b = least["einsum"], least["softmax"]
            ratios = f"  einsum {a:.4f} ({a / mine:.2f}x)  softmax {b:.4f} ({b / mine:.1f}x)"
            if name not in ("einsum", "softmax"):
                print(f"  {name:14}: {mine:.4f}{ratios if name.startswith('density') else ''}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[4096], help="multiples of the block")
    parser.add_argument("--densities", type=float, nargs="+", default=[1.0, 0.5, 0.25, 0.1, 0.05], help="of blocks")
    parser.add_argument("--backward", action="store_true", help="time gradients with respect to q, k, v instead")
    parser.add_argument("--repeats", type=int, default=3, help="the least of so many")
    parser.add_argument("--block", type=int, default=128, help="queries, and keys, of a block")
    arguments = parser.parse_args()
    table(arguments.lengths, arguments.densities, arguments.backward, arguments.repeats, arguments.block)
