"""The slowly changing regression: a fixed target of bits, most of which stand still for ten thousand examples a time.

A learner far smaller than its target must follow the slow bits for ever; whether it goes on being able to is a property
of its activation. Source: Dohare et al. 2024, Nature 632, "Loss of plasticity in deep continual learning", Methods; the
numbers, the target and the initialization are those of their repository, shibhansh/loss-of-plasticity,
`lop/slowly_changing_regression` (configuration `cfg/prob.json` of the learners in `cfg/sgd/bp`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, UInt


@dataclass(frozen=True)
class Problem:
    """The size of the problem; the defaults are the published ones.

    Attributes:
        slow_bits: inputs that are drawn anew at each block.
        fast_bits: inputs that are drawn anew at each example.
        target_units: linear threshold units of the target.
        beta: the share of its inputs that a unit of the target needs right in order to fire.
        block: examples between two changes of the slow bits.
        blocks: how many; examples in all: `block * blocks`.
        one_bit: at each block one slow bit, drawn at random, flips, in place of a new draw of all.

    Raises:
        ValueError: a size that is not positive.
    """

    slow_bits: int = 15
    fast_bits: int = 5
    target_units: int = 100
    beta: float = 0.7
    block: int = 10_000
    blocks: int = 100
    one_bit: bool = False

    def __post_init__(self) -> None:
        for name in ("slow_bits", "fast_bits", "target_units", "block", "blocks"):
            if getattr(self, name) < 1:
                raise ValueError(f"slowly changing regression: {name} = {getattr(self, name)}; it must be at least 1")
        if self.fast_bits > 12:
            raise ValueError(
                f"slowly changing regression: fast_bits = {self.fast_bits}; at most 12, since all 2^fast_bits inputs "
                "of a block are tabulated"
            )

    @property
    def bits(self) -> int:
        """Inputs in all, the slow ones first."""
        return self.slow_bits + self.fast_bits


class Target(NamedTuple):
    """A net of one layer of threshold units: `out . [weights x + bias > thresholds] + out_bias`, all weights +-1."""

    weights: Float[Array, "units bits"]
    bias: Float[Array, " units"]
    thresholds: Float[Array, " units"]
    out: Float[Array, " units"]
    out_bias: Float[Array, ""]

    def __call__(self, x: Float[Array, "rows bits"]) -> Float[Array, " rows"]:
        """The target's value, an integer, at rows of bits."""
        fires = x @ self.weights.T > (self.thresholds - self.bias)[None]
        return fires.astype(x.dtype) @ self.out + self.out_bias


class Streams(NamedTuple):
    """The streams of all seeds, a block a row: the slow bits stand still in it, so a table of the rest is all it takes.

    Attributes:
        slow: the slow bits of each block.
        values: the target's values in each block, at each of `fast_inputs`.
        drawn: which of `fast_inputs` each example shows: one or two bytes an example and seed.
    """

    slow: Float[Array, "blocks slow_bits seeds"]
    values: Float[Array, "blocks inputs seeds"]
    drawn: UInt[Array, "blocks block seeds"]


@functools.partial(jax.jit, static_argnums=1)
def streams(keys: Key[Array, " seeds"], problem: Problem) -> Streams:
    """The streams of these keys, whole."""

    def of_seed(key: Array) -> Streams:
        of_target, of_slow, of_fast = jax.random.split(key, 3)
        target, slow = _target(of_target, problem), _slow(of_slow, problem)
        values = jax.vmap(lambda bits: target(_rows(bits, fast_inputs(problem))))(slow)
        small = jnp.uint8 if problem.fast_bits <= 8 else jnp.uint16
        drawn = jax.random.bits(of_fast, (problem.blocks, problem.block), small) & (2**problem.fast_bits - 1)
        return Streams(slow, values, drawn)

    return jax.vmap(of_seed, out_axes=-1)(keys)


def target(key: Key[Array, ""], problem: Problem) -> Target:
    """The target of the stream of this key."""
    return _target(jax.random.split(key, 3)[0], problem)


def _rows(slow: Array, fast: Array) -> Array:
    """The slow bits before each row of fast ones."""
    return jnp.concatenate([jnp.broadcast_to(slow, (fast.shape[0], *slow.shape)), fast], 1)


def _target(key: Array, problem: Problem) -> Target:
    keys = jax.random.split(key, 4)
    shapes = ((problem.target_units, problem.bits), (problem.target_units,), (problem.target_units,), ())
    weights, bias, out, out_bias = (jax.random.rademacher(k, s, jnp.float32) for k, s in zip(keys, shapes, strict=True))
    negative = (problem.bits - weights.sum(1) + bias) / 2  # as published: the bias counts with the other sign
    return Target(weights, bias, problem.beta * (problem.bits + 1) - negative, out, out_bias)


def _slow(key: Array, problem: Problem) -> Array:
    shape = (problem.blocks, problem.slow_bits)
    if not problem.one_bit:
        return jax.random.bernoulli(key, shape=shape).astype(jnp.float32)
    of_first, of_flips = jax.random.split(key)
    flipped = jax.random.randint(of_flips, (problem.blocks - 1,), 0, problem.slow_bits)
    first = jax.random.bernoulli(of_first, shape=(1, problem.slow_bits)).astype(jnp.int32)
    changes = jnp.concatenate([first, jax.nn.one_hot(flipped, problem.slow_bits, dtype=jnp.int32)])
    return (jnp.cumsum(changes, 0) % 2).astype(jnp.float32)


def fast_inputs(problem: Problem) -> Float[Array, "inputs fast_bits"]:
    """All inputs that the fast bits can form; row i holds the binary digits of i, the lowest first."""
    return (jnp.arange(2**problem.fast_bits)[:, None] >> jnp.arange(problem.fast_bits)[None] & 1).astype(jnp.float32)


def examples(key: Key[Array, ""], problem: Problem) -> tuple[Float[Array, "examples bits"], Float[Array, " examples"]]:
    """Inputs and targets of one seed's whole stream, written out: 84 MB at the published size."""
    slow, values, drawn = (v[..., 0] for v in streams(key[None], problem))
    fast = fast_inputs(problem)
    x = jax.vmap(lambda bits, which: _rows(bits, fast[which]))(slow, drawn)
    return x.reshape(-1, problem.bits), jnp.take_along_axis(values, drawn.astype(jnp.int32), 1).reshape(-1)
