"""Round trips of flows in float32 against depth: ours beside flowjax and zuko, as each starts, before training.

python benchmarks/flows_round_trip.py --figure FIGURE.png [--depths 1 4 16 64] [--noise 0.0]
Needs flowjax, zuko and matplotlib in this environment; one thread. Every flow has 8 features and conditioners of 32-32;
512 normal events; the largest length of inverse(forward(x)) - x. `--noise` moves every real parameter of ours and of
flowjax's by normal numbers of that deviation, as training would.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

FEATURES, WIDTH, EVENTS = 8, 32, 512


def moved(tree: Any, noise: float) -> Any:
    """Normal noise on every floating leaf."""
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(0)

    def shift(leaf: Any) -> Any:
        if not hasattr(leaf, "dtype") or not jnp.issubdtype(leaf.dtype, jnp.floating):
            return leaf
        return leaf + jnp.asarray(noise * rng.normal(size=leaf.shape), leaf.dtype)

    return jax.tree.map(shift, tree)


def ours(x: np.ndarray, depths: list[int], noise: float) -> dict[str, list[float]]:
    """Mixture and spline couplings, a stack of slopes in [0.8, 1.25], and the bound of each."""
    import jax
    import jax.numpy as jnp

    from actlab.systems.flows import (
        Mixture,
        Spline,
        coupling_flow,
        elementwise_flow,
        round_trip_by_depth,
        round_trip_error_by_depth,
    )

    key, deepest, shape = jax.random.key(0), max(depths), {"layers": max(depths), "hidden": (WIDTH, WIDTH)}
    flows = {
        "ours, mixture coupling": coupling_flow(key, FEATURES, transform=Mixture(8), **shape),
        "ours, spline coupling": coupling_flow(key, FEATURES, transform=Spline(8), **shape),
        "ours, stack of slopes in [0.8, 1.25]": elementwise_flow(
            key, FEATURES, layers=deepest, transform=Mixture(8, 0.8, 1.25)
        ),
    }
    both = jax.jit(
        lambda f, x: (round_trip_error_by_depth(f.bijector, x), round_trip_by_depth(f.bijector, x[:64]).bound)
    )
    found = {}
    for name, flow in flows.items():
        error, bound = jax.device_get(both(moved(flow, noise), jnp.asarray(x)))
        found[name] = [float(error[d - 1].max()) for d in depths]
        found[f"{name}: bound"] = [float(bound[d - 1].max()) for d in depths]
    return found


def flowjax(x: np.ndarray, depths: list[int], noise: float) -> dict[str, list[float]]:
    """Coupling flows of flowjax."""
    import jax
    import jax.numpy as jnp
    import paramax
    from flowjax.bijections import RationalQuadraticSpline
    from flowjax.distributions import Normal
    from flowjax.flows import coupling_flow

    found: dict[str, list[float]] = {}
    for name, transformer in (("affine", None), ("rqs", RationalQuadraticSpline(knots=8, interval=4))):
        found[f"flowjax, {name} coupling"] = []
        for depth in depths:
            flow = coupling_flow(
                jax.random.key(0),
                base_dist=Normal(jnp.zeros(FEATURES)),
                transformer=transformer,
                flow_layers=depth,
                nn_width=WIDTH,
                nn_depth=2,
            )
            bijection = paramax.unwrap(moved(flow, noise)).bijection
            there_and_back = jax.jit(lambda x, b=bijection: jax.vmap(lambda v: b.inverse(b.transform(v)))(x))
            error = np.linalg.norm(np.asarray(there_and_back(jnp.asarray(x))) - x, axis=-1)
            found[f"flowjax, {name} coupling"].append(float(error.max()))
    return found


def zuko(x: np.ndarray, depths: list[int]) -> dict[str, list[float]]:
    """NSF and NAF of zuko; the latter's inverse bisects."""
    import torch
    import zuko

    torch.set_num_threads(1)
    events = torch.from_numpy(x)
    found: dict[str, list[float]] = {"zuko, NSF coupling": [], "zuko, NAF": []}
    for depth in depths:
        torch.manual_seed(0)
        flows = {
            "zuko, NSF coupling": zuko.flows.NSF(FEATURES, transforms=depth, passes=2, hidden_features=(WIDTH,) * 2)
        }
        if depth <= 4:  # bisection, feature by feature: minutes for deeper ones
            flows["zuko, NAF"] = zuko.flows.NAF(FEATURES, transforms=depth, hidden_features=(WIDTH,) * 2)
        for name, flow in flows.items():
            with torch.no_grad():
                transform = flow().transform
                error = (transform.inv(transform(events)) - events).norm(dim=-1)
            found[name].append(float(error.max()))
    return found


def draw(found: dict[str, list[float]], depths: list[int], path: str) -> None:
    """One line a flow, bounds dashed."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
    colours: dict[str, Any] = {}
    for name, values in found.items():
        method, _, bound = name.partition(": ")
        line = axes.plot(
            depths[: len(values)],
            np.where(np.isfinite(values), values, np.nan),
            "--" if bound else "o-",
            color=colours.get(method),
            label=name,
        )[0]
        colours[method] = line.get_color()
    axes.set(xscale="log", yscale="log", xlabel="layers", ylabel="largest round-trip error, float32")
    axes.set_xticks(depths, [str(d) for d in depths])
    axes.axhline(1e-4, color="grey", linewidth=0.8)
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.savefig(path, dpi=140)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figure", required=True)
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--noise", type=float, default=0.0)
    options = parser.parse_args()
    x = np.random.default_rng(0).normal(size=(EVENTS, FEATURES)).astype(np.float32)
    found = ours(x, options.depths, options.noise) | flowjax(x, options.depths, options.noise)
    found |= zuko(x, options.depths) if not options.noise else {}
    print("depth" + " " * 42 + "  ".join(f"{d:8d}" for d in options.depths))
    for name, values in found.items():
        print(f"{name:46s} " + "  ".join(f"{v:8.1e}" for v in values))
    draw(found, options.depths, options.figure)


if __name__ == "__main__":
    main()
