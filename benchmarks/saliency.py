"""Measures of maps beside quantus, in one process, on one core with one thread: CPU seconds an image.

    python benchmarks/saliency.py [--net dense] [--core 0] [--images 32] [--rounds 3]

The interpreter has quantus and torch beside actlab. The nets: two hidden layers of 64 units ("dense"), or two 3 x 3
convolutions of 8 and 16 channels and stride 2 and the mean over places ("conv"); ReLU, ten classes, random weights, the
same on both sides. Random images of 28 x 28; maps are gradients, ties broken. Each measure is taken by the same
definition with the same number of evaluations; what needs no random numbers has to agree before anything is timed.
quantus gets all images in one batch. CPU seconds by process_time, medians over rounds taken in turns; compilation is
not counted and is printed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

SIDE, CHANNELS, HIDDEN, CLASSES = 28, (1, 8, 16), (64, 64), 10
STEP, SAMPLES, NOISE, RADIUS = 28, 10, 0.01, 0.1
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
CHECKED = ("Gini index", "complexity", "effective complexity", "pixel flipping")
GOAL = 20.0


def problem(net: str, images: int) -> dict[str, Any]:
    """Hidden kernels, of convolutions (height, width, in, out), the last layer, images and classes."""
    rng = np.random.default_rng(0)
    sizes, window = (CHANNELS, (3, 3)) if net == "conv" else ((SIDE**2, *HIDDEN), ())
    pairs = list(zip(sizes[:-1], sizes[1:], strict=True))
    return {
        "kernels": [rng.normal(size=(*window, *p)) * (2 / (np.prod(window) * p[0])) ** 0.5 for p in pairs],
        "last": rng.normal(size=(sizes[-1], CLASSES)),
        "x": rng.normal(size=(images, SIDE, SIDE, 1)),
        "labels": rng.integers(0, CLASSES, images),
    }


def actlab_side(net: str, images: int) -> tuple[dict[str, Callable[[], Any]], np.ndarray]:
    """Measures by name, each of all images, and the maps."""
    import jax
    import jax.numpy as jnp

    import actlab.activations as al
    from actlab.systems.saliency import (
        class_score,
        complexity,
        effective_complexity,
        gini,
        gradient,
        perturbation_curve,
        road,
        sensitivity_max,
    )

    given = problem(net, images)
    x, labels, key = jnp.asarray(given["x"], jnp.float32), jnp.asarray(given["labels"]), jax.random.key(0)
    kernels, last = [jnp.asarray(k, jnp.float32) for k in given["kernels"]], jnp.asarray(given["last"], jnp.float32)

    def model(x: Any) -> Any:
        if net == "dense":
            x = x.reshape(x.shape[0], -1)
            for kernel in kernels:
                x = al.relu(x @ kernel)
            return x @ last
        for kernel in kernels:
            dimensions = ("NHWC", "HWIO", "NHWC")
            x = al.relu(jax.lax.conv_general_dilated(x, kernel, (2, 2), "VALID", dimension_numbers=dimensions))
        return jnp.mean(x, (1, 2)) @ last

    score = class_score(model, labels)
    maps = jax.jit(lambda x: gradient(score, x))(x)
    maps = maps + 1e-4 * jax.random.normal(key, x.shape)  # no ties: quantus removes tied pixels in no order of its own
    darkest = jnp.min(x, (1, 2, 3), keepdims=True)  # what quantus calls black
    measures: dict[str, Any] = {
        "Gini index": lambda x, maps: gini(maps),
        "complexity": lambda x, maps: complexity(maps),
        "effective complexity": lambda x, maps: effective_complexity(maps),
        "pixel flipping": lambda x, maps: (
            perturbation_curve(score, x, maps, baseline=darkest, steps=SIDE**2 // STEP)[1:].T
        ),
        "ROAD": lambda x, maps: jnp.mean(road(model, x, labels, maps, key, shares=SHARES, noise=NOISE), 1),
        "largest sensitivity": lambda x, maps: sensitivity_max(
            lambda x: gradient(score, x), x, key, radius=RADIUS, samples=SAMPLES
        ),
    }

    def bound(measure: Any) -> Callable[[], Any]:
        compiled = jax.jit(measure)
        return lambda: np.asarray(compiled(x, maps))

    return {name: bound(measure) for name, measure in measures.items()}, np.asarray(maps)


def quantus_side(net: str, images: int, maps: np.ndarray) -> dict[str, Callable[[], Any]]:
    """The same measures by quantus."""
    import quantus
    import torch

    torch.set_num_threads(1)
    given = problem(net, images)
    layers: list[Any] = [torch.nn.Flatten()] if net == "dense" else []
    for kernel in given["kernels"]:
        conv = kernel.ndim == 4
        layer = (torch.nn.Conv2d if conv else torch.nn.Linear)(
            *kernel.shape[-2:], bias=False, **({"kernel_size": 3, "stride": 2} if conv else {})
        )
        layer.weight.data = torch.tensor(kernel.transpose(3, 2, 0, 1) if conv else kernel.T, dtype=torch.float32)
        layers += [layer, torch.nn.ReLU()]
    last = torch.nn.Linear(*given["last"].shape, bias=False)
    last.weight.data = torch.tensor(given["last"].T, dtype=torch.float32)
    pooled = [] if net == "dense" else [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    model = torch.nn.Sequential(*layers, *pooled, last).eval()
    x, a = (v.transpose(0, 3, 1, 2).astype(np.float32) for v in (given["x"], maps))
    batch = {"model": model, "x_batch": x, "y_batch": given["labels"], "device": "cpu", "batch_size": images}

    def explain(model: Any, inputs: Any, targets: Any, **_: Any) -> np.ndarray:
        inputs = torch.as_tensor(np.asarray(inputs, np.float32)).requires_grad_()
        targets = torch.as_tensor(np.asarray(targets).reshape(-1))
        return torch.autograd.grad(model(inputs).gather(1, targets[:, None]).sum(), inputs)[0].numpy()

    plain = {"normalise": False, "abs": False, "disable_warnings": True, "display_progressbar": False}
    percentages = [round(100 * share) for share in SHARES]
    measures = {
        "Gini index": (quantus.Sparseness(**plain), np.abs(a)),
        "complexity": (quantus.Complexity(**plain), np.abs(a)),
        "effective complexity": (quantus.EffectiveComplexity(**plain), np.abs(a)),
        "pixel flipping": (quantus.PixelFlipping(features_in_step=STEP, **plain), a),
        "ROAD": (quantus.ROAD(percentages=percentages, noise=NOISE, **plain), a),
        "largest sensitivity": (quantus.MaxSensitivity(nr_samples=SAMPLES, lower_bound=RADIUS, **plain), a),
    }

    def bound(measure: Any, maps: np.ndarray) -> Callable[[], Any]:
        def run() -> Any:
            found = measure(**batch, a_batch=maps.copy(), explain_func=explain, softmax=False)
            return np.asarray(list(found.values()) if isinstance(found, dict) else found)

        return run

    return {name: bound(*measure) for name, measure in measures.items()}


def main() -> None:
    """Checks that the measures agree, then times them in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=("dense", "conv"), default="dense")
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.sched_setaffinity(0, {options.core})
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    warnings.filterwarnings("ignore")
    ours, maps = actlab_side(options.net, options.images)
    theirs = quantus_side(options.net, options.images, maps)
    for name in ours:
        begin = time.process_time()
        mine = ours[name]()
        compiled = time.process_time() - begin
        other = theirs[name]()
        apart = float(np.max(np.abs(np.asarray(mine, np.float64).squeeze() - np.asarray(other, np.float64).squeeze())))
        if name in CHECKED and apart > 1e-4:
            print(f"{name}: values differ by {apart:.1e}: not the same measure, not timed")
            continue
        spent: tuple[list[float], list[float]] = ([], [])
        for _ in range(options.rounds):
            for side, run, times in ((0, ours[name], 20), (1, theirs[name], 1)):
                begin = time.process_time()
                for _ in range(times):
                    run()
                spent[side].append((time.process_time() - begin) / times / options.images)
        own, peer = (1e3 * statistics.median(s) for s in spent)
        print(
            f"{name:22s} {own:9.4f} ms an image, quantus {peer:9.3f} ms: {peer / own:7.0f} times (goal {GOAL:g}); "
            f"largest difference {apart:.1e}; first call {compiled:.1f} s"
        )


if __name__ == "__main__":
    main()
