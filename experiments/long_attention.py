"""A trained transformer on long sequences: what its gates keep, what bounds prove of it, and what that saves.

A net is trained on short passages of a text, then on long ones, its loss plus a multiple of the penalty that knows the
bounds. Then the whole net is timed in CPU seconds, forward and for a gradient of all parameters, with four attentions
that share every number: the dense gated einsum, the block kernel that visits all blocks left of the diagonal, and the
kernel with blocks skipped by bounds or by computed scores, finding the blocks included. Run it on one pinned core.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array
from pydantic import Field

from actlab.data.text import load_text
from actlab.measurement import Claim, Curve, Measurement
from actlab.systems.attention import Gate, gate, visited_blocks
from actlab.systems.attention.model import Batch, Recipe, next_token_loss, train, with_mixers
from actlab.systems.attention.passages import Passages
from actlab.systems.attention.penalty import bound_penalty
from actlab.training import Fitted

KERNELS: dict[str, dict[str, Any]] = {
    "dense einsum": {"skip": None},
    "no skipping": {"skip": "none"},
    "by bounds": {"skip": "bounds"},
    "by scores": {"skip": "scores"},
}

TITLE = "Attention over long sequences"


@dataclass(frozen=True)
class Config:
    """One text, one gate, several temperatures and penalties.

    Attributes:
        folder: of `<text>.npz`.
        text: its name.
        activation: of the gate.
        threshold: of the gate.
        temperatures: of the gate, ascending; not trained.
        penalties: multiples of the penalty in the loss.
        short: training on short passages.
        short_length: of them.
        long: training on long passages thereafter.
        length: of them, a multiple of the block.
        block: queries, and keys, of a block.
        judged: test passages of the full length.
        seeds: how many.
        repeats: of each timing; the least counts.
        gain: how many times faster than the dense einsum the claim says that the net of the largest penalty is, at the
            middle temperature.
    """

    folder: str = "data"
    text: str = "tinyshakespeare"
    activation: str = "gelu"
    threshold: float = 0.5
    temperatures: tuple[Annotated[float, Field(gt=0)], ...] = (1.0,)
    penalties: tuple[Annotated[float, Field(ge=0)], ...] = (0.0, 0.1)
    short: Recipe = field(default_factory=lambda: Recipe(width=64, batch=8, steps=300))
    short_length: Annotated[int, Field(ge=2)] = 512
    long: Recipe = field(default_factory=lambda: Recipe(width=64, batch=1, steps=40, learning_rate=1e-3))
    length: Annotated[int, Field(ge=2)] = 4096
    block: Annotated[int, Field(ge=1)] = 64
    judged: Annotated[int, Field(ge=1)] = 8
    seeds: Annotated[int, Field(ge=1)] = 1
    repeats: Annotated[int, Field(ge=1)] = 3
    gain: Annotated[float, Field(gt=0)] = 2.0

    def __post_init__(self) -> None:
        if self.length % self.block:
            raise ValueError(f"length = {self.length} must be a multiple of block = {self.block}")


@dataclass(frozen=True)
class Found:
    """Of one trained net.

    Attributes:
        bits: per character of the test passages.
        kept: share of the visible pairs.
        visited: of the blocks that hold a visible pair, the shares that hold a kept one, and that bounds, and scores,
            leave to visit.
        seconds: CPU time of (forward, gradient) with each kernel.
        changed: numbers of the logits and the gradient that skipping by bounds changes, in bits.
    """

    bits: float
    kept: float
    visited: dict[str, float]
    seconds: dict[str, tuple[float, float]]
    changed: int


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Curve]]:
    """Trains and times one net for each temperature, penalty and seed."""
    text = load_text(config.folder, config.text)
    parts = {
        name: Passages(jnp.asarray(part), length, len(text.alphabet))
        for name, part, length in (
            ("short", text.train, config.short_length),
            ("long", text.train, config.length),
            ("test", text.test, config.length),
        )
    }
    opened = gate(config.activation, threshold=config.threshold)
    found: dict[tuple[float, float], list[Found]] = {}
    for penalty in config.penalties:
        for temperature in config.temperatures:
            for seed in range(config.seeds):
                at = opened.at(jnp.float32(temperature))
                one = _one(jax.random.key(seed), at, penalty, parts, config)
                found.setdefault((penalty, temperature), []).append(one)
                report(f"penalty {penalty:g}, T = {temperature:g}, seed {seed}: {_described(one)}")
    seeds = tuple(range(config.seeds))
    return _measurements(found, seeds), _claims(found, config, seeds), _curves(found, config)


def _one(key: Array, at: Gate, penalty: float, parts: dict[str, Passages], config: Config) -> Found:
    short_key, long_key = jax.random.split(key)
    rule = functools.partial(bound_penalty, block=config.block)
    options: dict[str, Any] = {"trained": False}
    if penalty:
        options["penalty"] = lambda q, k, gate: penalty * rule(q, k, gate)
    # The gate is an argument, so that all temperatures share the compiled programs.
    first = jax.jit(lambda key, at: train(key, at, parts["short"], config.short, **options))(short_key, at)
    longer = options | {"skip": "bounds", "block": config.block}
    last = jax.jit(lambda key, at, first: train(key, at, parts["long"], config.long, after=first, **longer))(
        long_key, at, first
    )
    return _measured(last, at, parts["test"], config)


def _measured(fitted: Fitted, at: Gate, test: Passages, config: Config) -> Found:
    options = {"block": config.block, "trained": False}
    models = {
        name: with_mixers(fitted, at, test.vocabulary, config.long, **options, **kernel)
        for name, kernel in KERNELS.items()
    }
    passages = test.spread(config.judged)
    graphdef, state = nnx.split(models["by bounds"])
    judged = jax.jit(lambda state, batch, at: _judged(nnx.merge(graphdef, state), batch, at, config.block))
    losses, shares = [], []
    for i in range(config.judged):
        loss, share = judged(state, tuple(part[i : i + 1] for part in passages), at)
        losses.append(float(loss))
        shares.append({name: float(value) for name, value in share.items()})
    mean = {name: float(np.mean([s[name] for s in shares])) for name in shares[0]}
    batch: Any = tuple(part[:1] for part in passages)
    calls = {name: _calls(model, batch) for name, model in models.items()}
    results = {name: (forward(), gradient()) for name, (forward, gradient) in calls.items()}
    changed = sum(
        int(np.sum(np.asarray(a).view(np.uint32) != np.asarray(b).view(np.uint32)))
        for a, b in zip(*(jax.tree.leaves(results[name]) for name in ("no skipping", "by bounds")), strict=True)
    )
    least = {name: [math.inf, math.inf] for name in calls}
    for name in [*calls] * config.repeats:
        for i, call in enumerate(calls[name]):
            start = time.process_time()
            jax.block_until_ready(call())
            least[name][i] = min(least[name][i], time.process_time() - start)
    kept = mean.pop("kept")
    seconds = {name: (forward, gradient) for name, (forward, gradient) in least.items()}
    return Found(float(np.mean(losses)) / math.log(2), kept, mean, seconds, changed)


def _judged(model: Any, batch: Batch, at: Gate, block: int) -> tuple[Array, dict[str, Array]]:
    """The loss, and of each layer's blocks and pairs the shares, a row of blocks at a time."""
    logits, projections = model.with_projections(batch[0])
    shares = []
    for q, k, _ in projections:
        visible, bounds, scores = (
            jnp.sum(visited_blocks(q, k, at, causal=True, skip=skip, block=block), dtype=jnp.float32)
            for skip in ("none", "bounds", "scores")
        )
        kept, held = _kept(q, k, at, block)
        pairs = q.shape[0] * q.shape[2] * q.shape[1] * (q.shape[1] + 1) / 2
        shares.append({"kept": kept / pairs, "held": held / visible, "by bounds": bounds / visible})
        shares[-1]["by scores"] = scores / visible
    mean = jax.tree.map(lambda *values: jnp.mean(jnp.stack(values)), *shares)
    return next_token_loss(logits, *batch[1:])[0], mean


def _kept(q: Array, k: Array, at: Gate, block: int) -> tuple[Array, Array]:
    """How many visible pairs the gate keeps, and how many blocks hold one."""
    length, repeats = q.shape[1], q.shape[2] // k.shape[2]
    k = jnp.repeat(k, repeats, axis=2) / math.sqrt(q.shape[-1])

    def row(i: Array) -> tuple[Array, Array]:
        rows = jax.lax.dynamic_slice_in_dim(q, i * block, block, axis=1)
        seen = (i * block + jnp.arange(block))[:, None] >= jnp.arange(length)[None, :]
        kept = at.keep(jnp.einsum("bihd,bjhd->bhij", rows, k)) & seen[None, None]
        blocks = kept.reshape(*kept.shape[:3], -1, block).any(axis=(2, 4))
        return jnp.sum(kept, dtype=jnp.float32), jnp.sum(blocks, dtype=jnp.float32)

    kept, held = jax.lax.map(row, jnp.arange(length // block))
    return jnp.sum(kept), jnp.sum(held)


def _calls(model: Any, batch: Batch) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """The net's logits, and the gradient of its loss in all parameters; jitted."""
    graphdef, params, rest = nnx.split(model, nnx.Param, ...)

    def forward(params: Any, rest: Any, tokens: Array) -> Array:
        return nnx.merge(graphdef, params, rest)(tokens)

    def loss(params: Any, rest: Any, batch: Batch) -> Array:
        return next_token_loss(forward(params, rest, batch[0]), *batch[1:])[0]

    compiled = jax.jit(forward), jax.jit(jax.grad(loss))
    return functools.partial(compiled[0], params, rest, batch[0]), functools.partial(compiled[1], params, rest, batch)


def _gain(found: Found, over: str = "dense einsum") -> tuple[float, float]:
    """Of the better way to skip, forward and gradient."""
    ways = ("by bounds", "by scores")
    forward, gradient = (min(found.seconds[way][i] for way in ways) for i in (0, 1))
    return found.seconds[over][0] / forward, found.seconds[over][1] / gradient


def _described(found: Found) -> str:
    visited = ", ".join(f"{name} {100 * share:.1f} %" for name, share in found.visited.items())
    times = ", ".join(f"{name} {a:.3f} / {b:.3f}" for name, (a, b) in found.seconds.items())
    dense, kernel = _gain(found), _gain(found, "no skipping")
    return (
        f"{found.bits:.3f} bits per character; {100 * found.kept:.2f} % of pairs kept; of visible blocks {visited}; "
        f"CPU s forward / gradient: {times}; {dense[0]:.1f} / {dense[1]:.1f} times as fast as the dense einsum, "
        f"{kernel[0]:.1f} / {kernel[1]:.1f} times as the kernel without skipping; {found.changed} numbers changed"
    )


def _measurements(found: dict[tuple[float, float], list[Found]], seeds: tuple[int, ...]) -> list[Measurement]:
    measured = []
    for (penalty, temperature), nets in found.items():
        who = f"penalty {penalty:g}, T = {temperature:g}"
        columns: list[tuple[str, list[float], str, Any]] = [
            ("test bits per character", [n.bits for n in nets], "bits", "lower"),
            ("pairs kept", [100 * n.kept for n in nets], "%", "lower"),
            ("visible blocks that hold a kept pair", [100 * n.visited["held"] for n in nets], "%", "lower"),
            ("visible blocks visited, by bounds", [100 * n.visited["by bounds"] for n in nets], "%", "lower"),
            ("visible blocks visited, by scores", [100 * n.visited["by scores"] for n in nets], "%", "lower"),
            ("numbers that skipping changes", [float(n.changed) for n in nets], "", "lower"),
        ]
        for over in ("dense einsum", "no skipping"):
            for i, what in enumerate(("forward", "gradient")):
                values = [_gain(n, over)[i] for n in nets]
                columns.append((f"CPU time of {over} over ours, {what}", values, "", "higher"))
        measured += [Measurement(name, who, np.asarray(v), unit, better, seeds) for name, v, unit, better in columns]
    return measured


def _claims(found: dict[tuple[float, float], list[Found]], config: Config, seeds: tuple[int, ...]) -> list[Claim]:
    middle = config.temperatures[len(config.temperatures) // 2]
    nets = found[max(config.penalties), middle]
    claims = []
    for i, what in enumerate(("forward", "gradient")):
        name = f"CPU time of dense einsum over ours, {what}"
        gain = Measurement(name, "gate", np.asarray([_gain(n)[i] for n in nets]), better="higher", seeds=seeds)
        bar = f"at least {config.gain:g} times as fast as with the dense einsum"
        statement = f"{what} of the net on {config.length} characters: {bar}"
        claims.append(Claim(statement, "bar set beforehand", gain, at_least=config.gain))
    return claims


def _curves(found: dict[tuple[float, float], list[Found]], config: Config) -> list[Curve]:
    x = np.asarray(config.temperatures)
    if len(x) < 2:
        return []
    parts: list[tuple[str, str, Callable[[Found], float]]] = [
        ("visible blocks visited", "%", lambda n: 100 * n.visited["by bounds"]),
        ("pairs kept", "%", lambda n: 100 * n.kept),
        ("test bits per character", "bits", lambda n: n.bits),
        ("CPU time of a gradient over the dense einsum's", "", lambda n: 1 / _gain(n)[1]),
    ]
    curves = []
    for label, unit, of in parts:
        for penalty in config.penalties:
            values = np.array([[of(n) for n in found[penalty, t]] for t in config.temperatures]).T
            title = f"{config.length} characters: {label} by the gate's temperature"
            curves.append(Curve(title, f"penalty {penalty:g}", x, values, "temperature", unit, log_x=True))
    return curves
