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
from actlab.signal import effective_rank
from actlab.systems.continual.plasticity import constant_share, dormant_share, flat_share
from actlab.systems.continual.slowly_changing_regression import Problem, Streams, fast_inputs, streams


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
    """What each learner did, block by block, all of shape (step_sizes, seeds, blocks), jax or numpy.

    Shares and ranks are over all inputs of the block, at its end.

    Attributes:
        error: mean squared error, each example before it is learnt.
        dormant: share of units whose output is small.
        constant: share of units whose output does not vary.
        flat: share of units whose slope vanishes.
        rank: effective rank of the hidden layer's outputs.
        magnitude: mean |weight| of the hidden layer.
    """

    error: Any
    dormant: Any
    constant: Any
    flat: Any
    rank: Any
    magnitude: Any


def error_at_start(
    error: Float[np.ndarray | Array, "*learners blocks"], blocks: int = 6
) -> Float[np.ndarray, "*learners"]:
    """The mean error of the first blocks, 60 000 examples at the published size; infinite where a learner diverged."""
    return _mean(np.asarray(error)[..., :blocks])


def error_at_end(error: Float[np.ndarray | Array, "*learners blocks"]) -> Float[np.ndarray, "*learners"]:
    """The mean error of the last fifth of the blocks, one at least; infinite where a learner diverged."""
    return _mean(np.asarray(error)[..., -last_fifth(error.shape[-1]) :])


def last_fifth(blocks: int) -> int:
    """How many blocks that is, one at least."""
    return max(1, blocks // 5)


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
    problem, learner = problem or Problem(), learner or Learner()

    def run(keys: Key[Array, " seeds"]) -> Course:
        of_stream, of_weights = jax.vmap(jax.random.split, out_axes=1)(keys)
        weights = initial_weights(of_weights, f, problem, learner)
        steps = jnp.repeat(jnp.asarray(learner.step_sizes, jnp.float32), keys.shape[0])
        return _learn(f, streams(of_stream, problem), weights, steps, problem, unroll)

    return run


def initial_weights(keys: Key[Array, " seeds"], f: Any, problem: Problem, learner: Learner) -> Weights:
    """The weights before the first example: learners of one seed alike, step sizes the slower index."""
    features = jax.eval_shape(f, jax.ShapeDtypeStruct((learner.units, 1), jnp.float32)).shape[0]
    return _initial_weights(keys, features, problem, learner)


# Drawing is compiled apart from learning, so that it is compiled once for all activations.
@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _initial_weights(keys: Array, features: int, problem: Problem, learner: Learner) -> Weights:
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


@functools.partial(jax.jit, static_argnums=(4, 5))
def _learn(f: Any, given: Streams, weights: Weights, steps: Array, problem: Problem, unroll: int) -> Course:
    seeds = given.slow.shape[-1]
    _, course = jax.lax.scan(lambda w, block: _block(w, block, steps, f, problem, unroll), weights, given)
    return jax.tree.map(lambda v: jnp.moveaxis(v.reshape(problem.blocks, -1, seeds), 0, 2), course)


def _block(w: Weights, block: Streams, steps: Array, f: Any, problem: Problem, unroll: int) -> tuple[Weights, Course]:
    copies = steps.shape[0] // block.slow.shape[-1]
    slow, values, drawn = (jnp.tile(v, (1, copies)) for v in block)
    targets = jnp.take_along_axis(values, drawn.astype(jnp.int32), 0)
    begin = w.bias + jnp.sum(w.slow * slow[:, None, :], 0)
    speed = slow.sum(0) + 1

    def loss(state: _InBlock, x: Array, y: Array) -> tuple[Array, Array]:
        hidden = f(state.line + jnp.sum(state.fast * x[:, None, :], 0))
        squared = jnp.square(jnp.sum(state.out * hidden, 0) + state.out_bias - y)
        return squared.sum(), squared

    def example(carry: tuple[_InBlock, Array], now: tuple[Array, Array]) -> tuple[tuple[_InBlock, Array], None]:
        state, total = carry
        x = (now[0][None] >> jnp.arange(problem.fast_bits, dtype=now[0].dtype)[:, None] & 1).astype(jnp.float32)
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
