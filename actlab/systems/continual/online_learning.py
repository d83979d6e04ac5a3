"""Nets that learn the slowly changing regression one example at a time: all seeds and step sizes in one program.

While the slow bits stand still, their weights and the bias of a unit all move along one line: the sum of what they add
to the unit moves by (number of slow bits that are 1, + 1) times the step of the bias. So a block follows that sum, the
fast bits' weights and the output's, and moves the slow bits' weights once, at its end: the same learner in real
arithmetic, at a third of the work. Learners lie along the last axis of every array.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

import actlab.activations as al
from actlab.systems.continual.plasticity import constant_share, dormant_share, effective_rank, flat_share
from actlab.systems.continual.slowly_changing_regression import (
    Problem,
    Stream,
    block_draws,
    block_values,
    fast_inputs,
    stream,
)


@dataclass(frozen=True)
class Learner:
    """A net of one hidden layer under plain gradient steps on the squared error, batch 1; the published defaults.

    Attributes:
        units: of the hidden layer.
        step_sizes: each a learner of its own.
        gain: of the hidden layer's initial weights, uniform within `gain * sqrt(3 / bits)`: the published sqrt(2) of
            ReLU, Swish and ELU, here shared by all activations, so that learners of one seed start from the same
            weights. The output's weights have gain 1; all biases start at 0.

    Raises:
        ValueError: no unit, no step size, or a step size or gain that is not positive.
    """

    units: int = 5
    step_sizes: tuple[float, ...] = (0.01, 0.003, 0.001)
    gain: float = math.sqrt(2)

    def __post_init__(self) -> None:
        if self.units < 1:
            raise ValueError(f"online learner: units = {self.units}; it must be at least 1")
        if not self.step_sizes or min(self.step_sizes) <= 0:
            raise ValueError(f"online learner: step_sizes = {self.step_sizes}; at least one, all above 0")
        if self.gain <= 0:
            raise ValueError(f"online learner: gain = {self.gain}; it must be above 0")


class Weights(NamedTuple):
    """The weights of all learners."""

    slow: Float[Array, "slow_bits units learners"]
    fast: Float[Array, "fast_bits units learners"]
    bias: Float[Array, "units learners"]
    out: Float[Array, "features learners"]
    out_bias: Float[Array, " learners"]


class Course(NamedTuple):
    """What each learner did, block by block; the shares and ranks over all inputs of the block, at its end.

    Attributes:
        error: mean squared error, each example before it is learnt.
        dormant: share of units whose output is small.
        constant: share of units whose output does not vary.
        flat: share of units whose slope vanishes.
        rank: effective rank of the hidden layer's outputs.
        magnitude: mean |weight| of the hidden layer.
    """

    error: Float[Array, "step_sizes seeds blocks"]
    dormant: Float[Array, "step_sizes seeds blocks"]
    constant: Float[Array, "step_sizes seeds blocks"]
    flat: Float[Array, "step_sizes seeds blocks"]
    rank: Float[Array, "step_sizes seeds blocks"]
    magnitude: Float[Array, "step_sizes seeds blocks"]


def error_at_start(
    error: Float[np.ndarray | Array, "*learners blocks"], blocks: int = 6
) -> Float[np.ndarray, " *learners"]:
    """The mean error of the first blocks, 60 000 examples; infinite where a learner diverged."""
    return _mean(np.asarray(error)[..., :blocks])


def error_at_end(error: Float[np.ndarray | Array, "*learners blocks"]) -> Float[np.ndarray, " *learners"]:
    """The mean error of the last fifth of the blocks; infinite where a learner diverged."""
    return _mean(np.asarray(error)[..., -(error.shape[-1] // 5) :])


def _mean(error: np.ndarray) -> np.ndarray:
    mean = np.mean(error.astype(np.float64), -1)
    return np.where(np.isnan(mean), np.inf, mean)


class _InBlock(NamedTuple):
    """What changes within a block; `line` is what slow bits and bias add to a unit."""

    line: Float[Array, "units learners"]
    fast: Float[Array, "fast_bits units learners"]
    out: Float[Array, "features learners"]
    out_bias: Float[Array, " learners"]


def online_learning(
    activation: Any, problem: Problem | None = None, learner: Learner | None = None, unroll: int = 1
) -> Callable[[Key[Array, " seeds"]], Course]:
    """A compiled function: keys of seeds -> the course of a learner of every seed and step size.

    The stream and the initial weights follow from the seed alone: step sizes and activations are paired. Parameters of
    the activation are leaves: other values of them compile nothing anew.

    Args:
        activation: an Activation, a function, a name, or a vector activation such as CReLU.
        problem: the stream; the published one by default.
        learner: the nets; the published ones by default.
        unroll: examples in one iteration of the compiled loop.
    """
    f = activation.along(0) if isinstance(activation, al.VectorActivation) else al.as_activation(activation)
    return functools.partial(_learn, f, problem=problem or Problem(), learner=learner or Learner(), unroll=unroll)


@functools.partial(jax.jit, static_argnames=("problem", "learner", "unroll"))
def _learn(f: Any, keys: Key[Array, " seeds"], *, problem: Problem, learner: Learner, unroll: int) -> Course:
    of_stream, of_weights = jax.vmap(jax.random.split, out_axes=1)(keys)
    streams = jax.vmap(lambda k: stream(k, problem))(of_stream)
    weights = initial_weights(of_weights, f, problem, learner)
    steps = jnp.repeat(jnp.asarray(learner.step_sizes, jnp.float32), keys.shape[0])
    _, course = jax.lax.scan(
        lambda w, number: _block(w, number, streams, steps, f, problem, unroll), weights, jnp.arange(problem.blocks)
    )
    return jax.tree.map(lambda v: jnp.moveaxis(v.reshape(problem.blocks, -1, keys.shape[0]), 0, 2), course)


def initial_weights(keys: Key[Array, " seeds"], f: Any, problem: Problem, learner: Learner) -> Weights:
    """The weights before the first example: learners of one seed alike, step sizes the slower index."""
    features = jax.eval_shape(f, jax.ShapeDtypeStruct((learner.units,), jnp.float32)).shape[0]

    def of_seed(key: Array) -> tuple[Array, Array]:
        hidden, out = jax.random.split(key)
        bound = learner.gain * math.sqrt(3 / problem.bits)
        return (
            jax.random.uniform(hidden, (problem.bits, learner.units), minval=-bound, maxval=bound),
            jax.random.uniform(out, (features,), minval=-math.sqrt(3 / features), maxval=math.sqrt(3 / features)),
        )

    hidden, out = jax.vmap(of_seed, out_axes=-1)(keys)
    hidden, out = (jnp.tile(v, (1,) * (v.ndim - 1) + (len(learner.step_sizes),)) for v in (hidden, out))
    bias = jnp.zeros(hidden.shape[1:])
    return Weights(hidden[: problem.slow_bits], hidden[problem.slow_bits :], bias, out, jnp.zeros(out.shape[1:]))


def _block(
    w: Weights, number: Array, streams: Stream, steps: Array, f: Any, problem: Problem, unroll: int
) -> tuple[Weights, Course]:
    copies = steps.shape[0] // streams.slow.shape[0]
    slow = jnp.tile(streams.slow[:, number].T, (1, copies))
    values = jax.vmap(lambda s: block_values(s, number, problem))(streams)
    drawn = jax.vmap(lambda s: block_draws(s, number, problem))(streams)
    targets = jnp.tile(jnp.take_along_axis(values, drawn, 1).T, (1, copies))
    drawn = jnp.tile(drawn.T, (1, copies))
    begin = w.bias + jnp.sum(w.slow * slow[:, None, :], 0)
    speed = slow.sum(0) + 1

    def loss(state: _InBlock, x: Array, y: Array) -> tuple[Array, Array]:
        hidden = f(state.line + jnp.sum(state.fast * x[:, None, :], 0))
        squared = jnp.square(jnp.sum(state.out * hidden, 0) + state.out_bias - y)
        return squared.sum(), squared

    def example(carry: tuple[_InBlock, Array], now: tuple[Array, Array]) -> tuple[tuple[_InBlock, Array], None]:
        state, total = carry
        x = (now[0][None] >> jnp.arange(problem.fast_bits)[:, None] & 1).astype(jnp.float32)
        slope, squared = jax.grad(loss, has_aux=True)(state, x, now[1])
        rates = _InBlock((steps * speed)[None], steps[None, None], steps[None], steps)
        moved = jax.tree.map(lambda p, g, r: p - r * g, state, slope, rates)
        return (moved, total + squared), None

    start = _InBlock(begin, w.fast, w.out, w.out_bias)
    (end, total), _ = jax.lax.scan(example, (start, jnp.zeros_like(w.out_bias)), (drawn, targets), unroll=unroll)
    moved = (end.line - begin) / speed[None]
    after = Weights(w.slow + slow[:, None, :] * moved[None], end.fast, w.bias + moved, end.out, end.out_bias)
    return after, _course(total / problem.block, after, end.line, f, problem)


def _course(error: Array, w: Weights, line: Array, f: Any, problem: Problem) -> Course:
    fast = fast_inputs(problem)
    before = jnp.moveaxis(line[None] + jnp.einsum("ni,iul->nul", fast, w.fast), -1, 0)
    features = jax.vmap(jax.vmap(f))(before)
    jacobian = jax.vmap(jax.vmap(jax.jacfwd(f)))(before)
    slopes = jnp.sqrt(jnp.sum(jnp.square(jacobian), -2))
    hidden = jnp.concatenate([w.slow, w.fast])
    return Course(
        error,
        dormant_share(features),
        constant_share(features),
        flat_share(slopes),
        effective_rank(features),
        jnp.mean(jnp.abs(hidden), (0, 1)),
    )
