"""Our activations beside jax.nn's: what is not finite, how many units in the last place, where order is lost.

python benchmarks/numerics.py [--points 16777216]
Every finite bfloat16 and float16 number, and so many float32 numbers evenly spaced by bit pattern. About 1 minute with
the default 2^20. A result counts as not finite only where the true one fits the dtype. The truth is our formula in
float64, which the tests compare with mpmath. Errors are in units in the last place of float32; inputs and
results below the smallest normal number are not counted, since a CPU takes them for 0.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

import actlab.activations as al

PEERS: dict[str, Callable] = {
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_tanh": jax.nn.gelu,
    "swish": jax.nn.silu,
    "mish": jax.nn.mish,
    "hard_swish": jax.nn.hard_silu,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "softplus": jax.nn.softplus,
    "log_sigmoid": jax.nn.log_sigmoid,
    "softsign": jax.nn.soft_sign,
    "squareplus": jax.nn.squareplus,
    "sparse_plus": jax.nn.sparse_plus,
    "erf": jax.scipy.special.erf,
    "asinh": jnp.arcsinh,
}
ORDERS = ("value", "slope", "curvature")
SMALLEST = float(np.finfo(np.float32).tiny)


def derivative(f: Callable) -> Callable:
    """The derivative by forward mode."""
    return lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]


def jets(functions: dict[str, Callable]) -> Callable:
    """One compiled program: value, slope and curvature of each function."""

    def evaluate(x: jax.Array) -> dict:
        return {
            name: dict(zip(ORDERS, (f(x), derivative(f)(x), derivative(derivative(f))(x)), strict=True))
            for name, f in functions.items()
        }

    return jax.jit(evaluate)


OURS, THEIRS = jets({name: al.ZOO[name] for name in PEERS}), jets(PEERS)


def inputs(dtype: jnp.dtype, points: int) -> np.ndarray:
    """Finite numbers of a dtype in increasing order: all of 16 bits, evenly spaced bit patterns of 32."""
    bits = 16 if dtype.itemsize == 2 else 32
    step = max(1, 2**bits // points) | 1 if bits == 32 else 1
    numbers = np.arange(0, 2**bits, step, dtype=np.int64).astype(f"uint{bits}").view(dtype)
    numbers = numbers[np.isfinite(numbers.astype(np.float32))]
    return numbers[np.argsort(numbers.astype(np.float64), kind="stable")]


def not_finite(found: np.ndarray, truth: np.ndarray, dtype: jnp.dtype) -> int:
    """How many results are not finite although the true one fits the dtype."""
    fits = np.abs(truth) < float(jnp.finfo(dtype).max) * (1 - float(jnp.finfo(dtype).eps))
    return int((~np.isfinite(found) & fits).sum())


def worst_ulp(x: np.ndarray, found: np.ndarray, truth: np.ndarray) -> float:
    """The largest error of a float32 value in units in the last place of the truth."""
    counted = (
        (np.abs(x.astype(np.float64)) > SMALLEST)
        & (np.abs(truth) > SMALLEST)
        & (np.abs(truth) < float(np.finfo(np.float32).max))
        & np.isfinite(found)
    )
    unit = np.spacing(np.where(counted, np.abs(truth), 1).astype(np.float32)).astype(np.float64)
    return float(np.max(np.where(counted, np.abs(found - truth) / unit, 0)))


def disorder(name: str, found: dict) -> int:
    """How often the values decrease, or slopes are negative, although the real function increases."""
    if not al.ZOO[name].facts.increasing:
        return 0
    values, slopes = np.clip(found["value"], -1e300, 1e300), found["slope"]
    return int((np.diff(values) < 0).sum() + (slopes < 0).sum())


def measure(dtype: jnp.dtype, points: int) -> dict[str, dict[str, np.ndarray]]:
    """For each function and each of ours and theirs: counts of not finite, disorder, and the worst error."""
    x = inputs(dtype, points)
    rows: dict[str, dict[str, np.ndarray]] = {name: {} for name in PEERS}
    ends = np.arange(2**20, x.size, 2**20)
    for part in np.split(x, ends):
        with jax.enable_x64(True):
            truth = jax.device_get(OURS(jnp.asarray(part.astype(np.float64))))
        for who, program in (("ours", OURS), ("jax", THEIRS)):
            found = jax.tree.map(lambda y: np.asarray(y, np.float64), program(jnp.asarray(part)))
            for name in PEERS:
                bad = [not_finite(found[name][o], truth[name][o], dtype) for o in ORDERS]
                error = worst_ulp(part, found[name]["value"], truth[name]["value"]) if dtype.itemsize == 4 else 0.0
                row = np.asarray([*bad, disorder(name, found[name]), error])
                old = rows[name].get(who, np.zeros(5))
                rows[name][who] = np.append(old[:4] + row[:4], max(old[4], row[4]))
    return rows


def show(rows: dict, title: str, ulp: bool) -> Table:
    """One table; jax.nn's number first, ours second."""
    columns = [*ORDERS, "order", *(["worst ulp"] if ulp else [])]
    table = Table(title=title + ": not finite, order lost; jax.nn | ours")
    table.add_column("activation")
    for column in columns:
        table.add_column(column, justify="right")
    for name, row in rows.items():
        cells = [f"{a:.3g} | {b:.3g}" for a, b in zip(row["jax"], row["ours"], strict=True)]
        table.add_row(name, *cells[: len(columns)])
    return table


def main() -> None:
    """Measures and prints the three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=2**20, help="how many float32 numbers to try")
    points = parser.parse_args().points
    console = Console(width=max(110, Console().width))
    for name, dtype in (("bfloat16", jnp.bfloat16), ("float16", jnp.float16), ("float32", jnp.float32)):
        rows = measure(jnp.dtype(dtype), points)
        size = inputs(jnp.dtype(dtype), points).size
        console.print(show(rows, f"{name}, {size:,} inputs", name == "float32"))


if __name__ == "__main__":
    main()
