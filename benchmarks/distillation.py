"""What matching derivatives costs: a training step on slopes, and on curvature, over one on values alone.

    python benchmarks/distillation.py

Steps of Adam inside one compiled scan, batches of 64 from 640 rows, widths 256 and 256, ten outputs; teacher and
student are both evaluated in the step, whatever is matched: teacher and rows are arguments of the program, since what
is constant in it would be computed when it is compiled. CPU time, the orders interleaved, the median of the rounds.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import time

import jax
import optax
from flax import nnx

from actlab.nets import MLP
from actlab.systems.distillation import matching_loss, sizes
from actlab.training import fit

INPUTS, STEPS, ROUNDS, BATCH, ROWS, OUTPUTS = (2, 64, 784), 100, 7, 64, 640, 10


def main() -> None:
    """Prints a row for each number of inputs."""
    print(f"jax {jax.__version__}, {jax.devices()[0].device_kind}; CPU-ms a step and ratios to values alone")
    for inputs in INPUTS:
        runs = [_run(inputs, order) for order in (0, 1, 2)]
        for run in runs:
            run()
        spent: list[list[float]] = [[], [], []]
        for _ in range(ROUNDS):
            for order, run in enumerate(runs):
                start = time.process_time()
                run()
                spent[order].append((time.process_time() - start) / STEPS)
        value, slope, curvature = (1e3 * statistics.median(s) for s in spent)
        ratios = f"slopes {slope / value:.2f}x, curvature {curvature / value:.2f}x"
        print(f"{inputs:4d} inputs: values {value:6.2f} ms, {ratios}")


def _run(inputs: int, order: int):
    taught, knowledge = nnx.split(MLP((inputs, 256, 256, OUTPUTS), "tanh", rngs=nnx.Rngs(0)))
    graphdef, state = nnx.split(MLP((inputs, 256, 256, OUTPUTS), "swish", rngs=nnx.Rngs(1)))
    x = jax.random.normal(jax.random.key(0), (ROWS, inputs))

    @jax.jit
    def train(key, x, knowledge):
        teacher = nnx.merge(taught, knowledge)
        size = sizes(teacher, x, jax.random.key(1), order)

        def loss(model, batch, key):
            return matching_loss(model, teacher, batch, key, size, jacobian=1.0, curvature=1.0, order=order)

        fitted = fit(graphdef, state, x, key, loss=loss, optimizer=optax.adam(1e-3), steps=STEPS, batch_size=BATCH)
        return fitted.metrics["loss"]

    return lambda: jax.block_until_ready(train(jax.random.key(2), x, knowledge))


if __name__ == "__main__":
    main()
