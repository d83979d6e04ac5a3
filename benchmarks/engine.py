"""What the engine costs: `fit` against a bare scan written by hand, and one draw of the initial weights against many.

Run: `python benchmarks/engine.py`, two minutes.
Each ratio is of medians over interleaved repetitions inside one process.
Expected: steps of `fit` within 1.2 times the bare scan; both compile in about the same time; chunks cost nothing, and
what a long run does between them (metrics, NaN watch, a checkpoint each two seconds) less than 5 %.
"""

from __future__ import annotations

import functools
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

import actlab.activations as al
from actlab.nets import MLP
from actlab.training import advance, begin, fit, train

SIZES, ROWS, BATCH, STEPS, REPEATS = (8, 32, 32, 1), 512, 32, 2000, 7
OPTIMIZER = optax.adam(1e-3)
X = jax.random.normal(jax.random.key(0), (ROWS, SIZES[0]))
Y = jnp.sum(jnp.sin(X), axis=1, keepdims=True)


def loss(model: Any, batch: Any, key: Any) -> Any:
    """Mean squared error."""
    return jnp.mean((model(batch[0]) - batch[1]) ** 2)


def bare(params: Any, key: Any) -> Any:
    """The same training on a list of (kernel, bias), as one writes it by hand; permutations drawn in advance."""
    per_epoch = ROWS // BATCH
    epochs = jax.vmap(lambda k: jax.random.permutation(k, ROWS))(jax.random.split(key, -(-STEPS // per_epoch)))
    batches = epochs[:, : per_epoch * BATCH].reshape(-1, BATCH)[:STEPS]

    def objective(params: Any, x: Any, y: Any) -> Any:
        for kernel, bias in params[:-1]:
            x = al.swish(x @ kernel + bias[None])
        kernel, bias = params[-1]
        return jnp.mean((x @ kernel + bias[None] - y) ** 2)

    def step(carry: Any, rows: Any) -> Any:
        params, opt_state = carry
        value, grads = jax.value_and_grad(objective)(params, X[rows], Y[rows])
        updates, opt_state = OPTIMIZER.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), value

    return jax.lax.scan(step, (params, OPTIMIZER.init(params)), batches)


def seconds(function: Callable[[], Any]) -> float:
    """Wall time of one call, result awaited."""
    start = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - start


def compared(first: Callable[[], Any], second: Callable[[], Any]) -> tuple[float, float]:
    """Median seconds of each, interleaved."""
    times = [(seconds(first), seconds(second)) for _ in range(REPEATS)]
    return statistics.median(t[0] for t in times), statistics.median(t[1] for t in times)


def steps_of_fit() -> None:
    """Compilation and running time of `fit` and of the bare scan."""
    model = MLP(SIZES, "swish", rngs=nnx.Rngs(0))
    graphdef, state = nnx.split(model)
    params = [(layer.kernel[...], layer.bias[...]) for layer in model.layers]
    options = {"loss": loss, "optimizer": OPTIMIZER, "steps": STEPS, "batch_size": BATCH}
    ours = functools.partial(jax.jit(lambda s, k: fit(graphdef, s, (X, Y), k, **options)), state, jax.random.key(1))
    theirs = functools.partial(jax.jit(bare), params, jax.random.key(1))
    compile_ours, compile_theirs = seconds(ours), seconds(theirs)
    a, b = compared(ours, theirs)
    print(f"first call, s:      fit {compile_ours:.2f}, bare scan {compile_theirs:.2f}")
    print(f"step, microseconds: fit {1e6 * a / STEPS:.1f}, bare scan {1e6 * b / STEPS:.1f}, ratio {a / b:.2f}")


def initial_weights() -> None:
    """Compilation of building a net inside jit: all kernels from one draw, and flax's own, a draw a layer."""

    def flax_own(key: Any) -> Any:
        rngs = nnx.Rngs(key)
        return nnx.state([nnx.Linear(i, o, rngs=rngs) for i, o in zip(SIZES[:-1], SIZES[1:], strict=True)])

    def one_draw(key: Any) -> Any:
        return nnx.state(MLP(SIZES, al.swish, rngs=nnx.Rngs(key)))

    for name, build in (("one draw", one_draw), ("a draw a layer", flax_own)):
        for members, mapped in ((1, build), (8, jax.vmap(build))):
            key = jax.random.key(0) if members == 1 else jax.random.split(jax.random.key(0), members)
            compiling = seconds(lambda mapped=mapped, key=key: jax.jit(mapped).lower(key).compile() and 0)
            print(f"initialization of {members} nets, trace and compile, s: {name} {compiling:.2f}")


def long_run() -> None:
    """What `train` adds to one scan of all steps: chunks alone, then with everything that a long run does between them.

    A net and chunks of a size for which one trains long: a chunk of 100 steps takes a third of a second to a second.
    """
    sizes, rows, batch, steps, chunk = (64, 512, 512, 10), 4096, 256, 1600, 100
    x = jax.random.normal(jax.random.key(0), (rows, sizes[0]))
    data = (x, jnp.tile(jnp.sin(x[:, :1]), sizes[-1]))
    graphdef, state = nnx.split(MLP(sizes, "swish", rngs=nnx.Rngs(0)))
    options = {"loss": loss, "optimizer": OPTIMIZER, "batch_size": batch}
    key = jax.random.key(1)
    whole = jax.jit(lambda s: fit(graphdef, s, data, key, steps=steps, **options))
    part = jax.jit(lambda s: advance(graphdef, s, data, steps=chunk, **options))

    def chunks() -> Any:
        current = begin(state, key, optimizer=OPTIMIZER)
        for _ in range(steps // chunk):
            current, metrics = part(current)
            jax.block_until_ready(metrics)
        return current

    def everything() -> float:
        """The time from the end of the first chunk to the end of the last: the start is not of the steps."""
        marks = []
        timed = {**options, "progress": lambda p: marks.append(time.perf_counter())}
        with tempfile.TemporaryDirectory() as folder:
            train(folder, graphdef, state, data, key, steps=steps + chunk, chunk=chunk, **timed)
        return marks[-1] - marks[0]

    jax.block_until_ready((whole(state), chunks()))
    times = [(seconds(lambda: whole(state)), seconds(chunks), everything()) for _ in range(3)]
    a, b, c = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"{steps} steps, s: one scan {a:.2f}, in chunks of {chunk} {b:.2f}, ratio {b / a:.3f}")
    print(f"    as a long run, with metrics, NaN watch and checkpoints, {c:.2f}, ratio {c / a:.3f}")


if __name__ == "__main__":
    steps_of_fit()
    long_run()
    initial_weights()
