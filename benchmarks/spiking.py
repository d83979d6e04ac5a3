"""One training step of a spiking net beside spyx and snnTorch, in one process, on one core with one thread.

python benchmarks/spiking.py [--core 0] [--rounds 7] [--steps 5]
The interpreter has snntorch, torch and spyx beside actlab; what is not installed is named and left out.

The net: 100 inputs, 128 LIF (decay 0.9, threshold 1, subtracting reset, SuperSpike 25), a leaky readout of 10 whose
mean over T = 100 steps is the logits; batch 64, 8 % of inputs spike, float32, Adam, no biases. Before any timing the
first losses must agree to 1e-6: snnTorch's with ours; spyx's with ours of the spikes delayed by one step, as
spyx reads them. spyx also trains its two decays and passes gradients through the reset, which is its only way. CPU
seconds by process_time, medians over rounds taken in turns; compilation is not counted and is printed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

TIMES, BATCH, INPUTS, HIDDEN, CLASSES = 100, 64, 100, 128, 10
DECAY, RATE = 0.9, 1e-3
GOALS = {"spyx": 0.55, "snntorch": 0.085}


def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Spikes (times, batch, inputs), labels, and the two kernels."""
    rng = np.random.default_rng(0)
    x = (rng.random((TIMES, BATCH, INPUTS)) < 0.08).astype(np.float32)
    first = (0.3 * rng.standard_normal((INPUTS, HIDDEN))).astype(np.float32)
    second = (rng.standard_normal((HIDDEN, CLASSES)) / HIDDEN**0.5).astype(np.float32)
    return x, rng.integers(0, CLASSES, BATCH), first, second


def actlab_side() -> tuple[Callable[[], float], float, float]:
    """(one step, first loss, first loss with spikes one step late)."""
    import jax
    import jax.numpy as jnp
    import optax

    from actlab.systems.spiking import (
        LIF,
        delayed,
        lif,
        mean_leaky_readout,
        mean_leaky_weights,
        surrogate,
        synaptic_current,
        weighted_spikes,
    )

    x, y, *kernels = map(jnp.asarray, problem())
    neuron = LIF(decay=DECAY, surrogate=surrogate("superspike", 25.0))
    optimizer = optax.adam(RATE)

    def loss(kernels: list, late: bool = False) -> Any:
        current = synaptic_current(x, kernels[0])
        if late:
            logits = mean_leaky_readout(delayed(lif(neuron, current)[0], 1.0), kernels[1], DECAY)
        else:
            logits = weighted_spikes(neuron, current, mean_leaky_weights(TIMES, DECAY))[0] @ kernels[1]
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    @jax.jit
    def step(kernels: list, state: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(kernels)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(kernels, updates), state, value

    held = [kernels, optimizer.init(kernels)]

    def once() -> float:
        *held[:], value = step(*held)
        return float(value)

    return once, float(loss(kernels)), float(loss(kernels, late=True))


def spyx_side() -> tuple[Callable[[], float], float]:
    """(one step, first loss)."""
    import jax.numpy as jnp
    import optax
    import spyx
    from flax import nnx

    x, y, first, second = map(jnp.asarray, problem())
    rngs = nnx.Rngs(0)
    model = spyx.nn.Sequential(
        nnx.Linear(INPUTS, HIDDEN, use_bias=False, rngs=rngs),
        spyx.nn.LIF((HIDDEN,), beta=DECAY, activation=spyx.axn.superspike(25), rngs=rngs),
        nnx.Linear(HIDDEN, CLASSES, use_bias=False, rngs=rngs),
        spyx.nn.LI((CLASSES,), beta=DECAY, rngs=rngs),
    )
    model.layers[0].kernel[...], model.layers[2].kernel[...] = first, second
    optimizer = nnx.Optimizer(model, optax.adam(RATE), wrt=nnx.Param)

    def loss(model: Any) -> Any:
        logits = spyx.nn.run(model, x)[0].mean(0)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    @nnx.jit
    def step(model: Any, optimizer: Any) -> Any:
        value, grads = nnx.value_and_grad(loss)(model)
        optimizer.update(model, grads)
        return value

    start = float(loss(model))
    return lambda: float(step(model, optimizer)), start


def snntorch_side() -> tuple[Callable[[], float], float]:
    """(one step, first loss)."""
    import snntorch
    import torch
    from snntorch import surrogate

    torch.set_num_threads(1)
    x, y, first, second = (torch.tensor(v) for v in problem())
    one = torch.nn.Linear(INPUTS, HIDDEN, bias=False)
    two = torch.nn.Linear(HIDDEN, CLASSES, bias=False)
    with torch.no_grad():
        one.weight.copy_(first.T)
        two.weight.copy_(second.T)
    hidden = snntorch.Leaky(beta=DECAY, spike_grad=surrogate.fast_sigmoid(25), reset_mechanism="subtract")
    readout = snntorch.Leaky(beta=DECAY, reset_mechanism="none")
    optimizer = torch.optim.Adam([*one.parameters(), *two.parameters()], lr=RATE)

    def loss() -> Any:
        mem, out, total = hidden.init_leaky(), readout.init_leaky(), 0
        for t in range(TIMES):
            spikes, mem = hidden(one(x[t]), mem)
            _, out = readout(two(spikes), out)
            total = total + out
        return torch.nn.functional.cross_entropy(total / TIMES, y)

    def step() -> float:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        return float(value)

    return step, float(loss().detach())


def main() -> None:
    """Checks the first losses, then times all sides in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=5)
    options = parser.parse_args()
    os.sched_setaffinity(0, {options.core})
    os.environ["OMP_NUM_THREADS"] = "1"
    ours, loss, late = actlab_side()
    sides, agreed = {"actlab": ours}, {"snntorch": loss, "spyx": late}
    for name, make in (("spyx", spyx_side), ("snntorch", snntorch_side)):
        try:
            step, theirs = make()
        except ImportError as error:
            print(f"{name}: not here ({error})")
            continue
        print(f"{name}: first loss {theirs:.6f}, ours {agreed[name]:.6f}")
        if abs(theirs - agreed[name]) > 1e-6 * abs(theirs):
            print(f"{name}: the first losses differ by more than 1e-6: not the same net, not timed")
            continue
        sides[name] = step
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for name, step in sides.items():
        begin = time.process_time()
        step()
        print(f"{name}: first step {time.process_time() - begin:.2f} s")
        step()
    for _ in range(options.rounds):
        for name, step in sides.items():
            begin = time.process_time()
            for _ in range(options.steps):
                step()
            spent[name].append((time.process_time() - begin) / options.steps)
    medians = {name: statistics.median(values) for name, values in spent.items()}
    for name, value in medians.items():
        ratio = f", ours is {medians['actlab'] / value:.3f} of it (goal {GOALS[name]})" if name in GOALS else ""
        print(f"{name}: {1e3 * value:.2f} ms a step{ratio}")


if __name__ == "__main__":
    main()
