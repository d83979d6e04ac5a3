"""How an ensemble's work divides among devices, measured on fake ones, and what many chips would need, computed.

python benchmarks/scaling.py                   weak and strong scaling over 1, 2, 4, 8 fake devices of this machine
python benchmarks/scaling.py --model           the cost model from 8 to 4,096 chips; nothing is timed
python benchmarks/scaling.py --members 512     on real devices: the same tables over those that are there

Each program is compiled for its devices; `flops` and `memory` are the compiler's, for one device, and say how the work
divides whatever the machine. Seconds are medians of interleaved repetitions; fake devices share the machine's cores, so
they cannot fall further than there are cores. Half a minute; the model a few seconds.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import statistics
import time
from dataclasses import dataclass
from typing import Any

if "XLA_FLAGS" not in os.environ:
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8 --xla_cpu_multi_thread_eigen=false"

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from actlab.nets import MLP
from actlab.training import ensemble, fit, make_mesh, rows_of_batch, seed_keys

SIZES, ROWS, BATCH, STEPS, REPEATS = (16, 64, 64, 1), 1024, 64, 200, 5
X = np.random.default_rng(0).normal(size=(ROWS, SIZES[0])).astype(np.float32)
Y = np.sin(X).sum(1, keepdims=True)
BYTES = {"f32": 4, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "pred": 1, "f64": 8}
COLLECTIVES = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")


def loss(model: Any, batch: Any, key: Any) -> Any:
    """Mean squared error."""
    return jnp.mean((model(batch[0]) - batch[1]) ** 2)


def member(key: Any, batch_sharding: Any = None) -> Any:
    """One member's losses."""
    graphdef, state = nnx.split(MLP(SIZES, "swish", rngs=nnx.Rngs(key)))
    options = {"loss": loss, "optimizer": optax.adam(1e-3), "steps": STEPS, "batch_size": BATCH}
    return fit(graphdef, state, (X, Y), key, batch_sharding=batch_sharding, **options).metrics["loss"]


def table(title: str, counts: list[tuple[int, int]]) -> None:
    """One line for each (devices, members)."""
    programs = {}
    for devices, members in counts:
        mapped = ensemble(member, "jit", make_mesh(devices, devices=jax.devices()[:devices]))
        keys = seed_keys(range(members))
        programs[devices] = mapped.lower(keys).compile(), mapped, keys, members
    times: dict[int, list[float]] = {devices: [] for devices in programs}
    for repeat in range(REPEATS + 1):
        for devices, (_, call, keys, _) in programs.items():
            begin = time.perf_counter()
            jax.block_until_ready(call(keys))
            if repeat:  # the first call traces and compiles again
                times[devices].append(time.perf_counter() - begin)
    print(title)
    line("devices", "members", "flops/device", "KiB/device", "seconds", "member-steps/s")
    for devices, (compiled, _, _, members) in programs.items():
        seconds = statistics.median(times[devices])
        memory = compiled.memory_analysis()
        size = (memory.temp_size_in_bytes + memory.output_size_in_bytes) / 1024
        flops = compiled.cost_analysis()["flops"]
        line(devices, members, f"{flops:.3g}", f"{size:.0f}", f"{seconds:.3f}", f"{members * STEPS / seconds:.0f}")
        assert communicated(compiled.as_text()) == {}


def line(*cells: Any) -> None:
    """A row of a table."""
    print("".join(f"{cell:>16}" for cell in cells), flush=True)


def communicated(text: str) -> dict[str, tuple[int, int]]:
    """Of each collective in compiled HLO: how many there are, and the bytes of their results together."""
    found: dict[str, tuple[int, int]] = {}
    for shapes, name in re.findall(rf"^[^=]*= (.*?) ({'|'.join(COLLECTIVES)})(?:-start)?\(", text, re.MULTILINE):
        size = 0
        for dtype, dims in re.findall(r"(\w+)\[([\d,]*)\]", shapes):
            size += BYTES[dtype] * math.prod(int(d) for d in dims.split(",") if d)
        count, total = found.get(name, (0, 0))
        found[name] = count + 1, total + size
    return found


@dataclass(frozen=True)
class Chip:
    """What the model assumes of the hardware; data-sheet numbers, to be replaced by your own.

    Attributes:
        flops: a second, reached, not peak.
        bandwidth: bytes a second of a link to the other chips.
        latency: seconds of a message.
        overhead: seconds of a step however small: launching kernels.
    """

    flops: float = 20e12
    bandwidth: float = 50e9
    latency: float = 5e-6
    overhead: float = 20e-6


def step_seconds(chip: Chip, flops: float, gradient_bytes: float, reductions: int, data: int) -> tuple[float, float]:
    """Computing and communicating seconds of one step of a member whose batch lies on `data` chips.

    A ring: each reduction moves 2 (data - 1) / data of its bytes and passes 2 (data - 1) messages.
    """
    compute = chip.overhead + flops / data / chip.flops
    hops = 2 * (data - 1)
    return compute, gradient_bytes * hops / data / chip.bandwidth + reductions * hops * chip.latency


def model(chip: Chip, members: int, batch: int) -> None:
    """Prints the table; a step's gradient bytes and reductions are counted in the compiled program.

    Its flops are 6 for each weight and row of the batch: 2 forward, 4 backward.
    """
    mesh = make_mesh(2, 4)
    sharded = ensemble(lambda key: member(key, rows_of_batch(mesh)), "jit", mesh=mesh)
    found = communicated(sharded.lower(seed_keys(range(2))).compile().as_text())
    reductions, size = found.get("all-reduce", (0, 0))
    weights = sum(a * b + b for a, b in zip(SIZES[:-1], SIZES[1:], strict=True))
    flops = 6.0 * weights * batch
    print(
        f"collectives of a step, in the HLO of 2 members x 4 devices: {found}; weights {weights}, {4 * weights} bytes"
    )
    print(f"a member's step: {flops:.3g} flops; {chip}")
    line("chips", "ensemble", "data", "compute, us", "communicate, us", "member-steps/s", "of linear")
    alone = 1 / sum(step_seconds(chip, flops, size, reductions, 1))
    for chips in (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096):
        along = min(chips, members)
        data = chips // along
        compute, communicate = step_seconds(chip, flops * members / along, size * members / along, reductions, data)
        rate = members / (compute + communicate)
        times = f"{1e6 * compute:.1f}", f"{1e6 * communicate:.1f}"
        line(chips, along, data, *times, f"{rate:.3g}", f"{rate / (alone * chips):.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--members", type=int, default=64, help="of the ensemble; in weak scaling, of that on the most devices"
    )
    parser.add_argument("--model", action="store_true", help="the cost model instead of timings")
    parser.add_argument("--flops", type=float, default=Chip.flops)
    parser.add_argument("--bandwidth", type=float, default=Chip.bandwidth)
    parser.add_argument("--latency", type=float, default=Chip.latency)
    parser.add_argument("--batch", type=int, default=4096, help="rows of a batch in the model")
    arguments = parser.parse_args()
    if arguments.model:
        model(Chip(arguments.flops, arguments.bandwidth, arguments.latency), arguments.members, arguments.batch)
    else:
        present = [n for n in (1, 2, 4, 8, 16, 32, 64) if n <= len(jax.devices())]
        table("strong scaling: the same members on more devices", [(n, arguments.members) for n in present])
        each = max(arguments.members // present[-1], 1)
        table("weak scaling: as many members on every device", [(n, n * each) for n in present])
