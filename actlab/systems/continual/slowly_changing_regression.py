"""The slowly changing regression: a fixed target of bits, most of which stand still for ten thousand examples a time.

A learner far smaller than its target must follow the slow bits for ever; whether it goes on being able to is a property
of its activation. Source: Dohare et al. 2024, Nature 632, "Loss of plasticity in deep continual learning", Methods; the
numbers, the target and the initialization are those of their repository, shibhansh/loss-of-plasticity,
`lop/slowly_changing_regression` (configuration `cfg/prob.json` of the learners in `cfg/sgd/bp`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key


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


class Stream(NamedTuple):
    """The random parts of one seed's stream: made once, from which every block follows."""

    target: Target
    slow: Float[Array, "blocks slow_bits"]
    fast_key: Key[Array, ""]


def stream(key: Key[Array, ""], problem: Problem) -> Stream:
    """The target and the slow bits of all blocks."""
    of_target, of_slow, of_fast = jax.random.split(key, 3)
    return Stream(_target(of_target, problem), _slow(of_slow, problem), of_fast)


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


def block_values(s: Stream, number: Int[Array, ""] | int, problem: Problem) -> Float[Array, " inputs"]:
    """The target's values in a block, at each of `fast_inputs`: all it takes, since the slow bits stand still."""
    fast = fast_inputs(problem)
    slow = jnp.broadcast_to(s.slow[number], (fast.shape[0], problem.slow_bits))
    return s.target(jnp.concatenate([slow, fast], 1))


def block_draws(s: Stream, number: Int[Array, ""] | int, problem: Problem) -> Int[Array, " block"]:
    """The rows of `fast_inputs` that a block's examples show, in their order."""
    key = jax.random.fold_in(s.fast_key, number)
    return jax.random.randint(key, (problem.block,), 0, 2**problem.fast_bits)


def examples(key: Key[Array, ""], problem: Problem) -> tuple[Float[Array, "examples bits"], Float[Array, " examples"]]:
    """Inputs and targets of one seed's whole stream, written out: 84 MB at the published size."""
    s, fast = stream(key, problem), fast_inputs(problem)

    def of_block(number: Array) -> tuple[Array, Array]:
        drawn = block_draws(s, number, problem)
        slow = jnp.broadcast_to(s.slow[number], (problem.block, problem.slow_bits))
        return jnp.concatenate([slow, fast[drawn]], 1), block_values(s, number, problem)[drawn]

    x, y = jax.lax.map(of_block, jnp.arange(problem.blocks))
    return x.reshape(-1, problem.bits), y.reshape(-1)
