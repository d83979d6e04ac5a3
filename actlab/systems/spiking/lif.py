"""The leaky integrate-and-fire neuron in discrete time: its conventions, its step, and the loop over steps.

    u_t = carried(u_(t-1)) + gain i_t,    s_t = 1 where u_t > threshold, else 0

u is the potential at which the spike is read; `carried` is what reset and leak leave of it. Four conventions change
results and are named here: what the reset leaves, whether it is leaked too, whether gradients pass through it, and
whether the input is scaled by 1 - decay. A spike is read after the input of its step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.activations.definition import aligned
from actlab.dynamics import unrolling
from actlab.systems.spiking.surrogates import SpikingError, Surrogate, spike, surrogate

Reset = Literal["subtract", "subtract and decay", "zero", "none"]
RESETS = ("subtract", "subtract and decay", "zero", "none")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LIF:
    """The parameters of a layer of neurons; leaves may be one number, or one a unit.

    Attributes:
        decay: lambda, what a step leaves of the potential, exp(-dt/tau).
        threshold: theta.
        surrogate: h, in place of the derivative of the spike.
        reset_gradient: 0 detached (no gradient through the reset, as snnTorch), 1 attached (as spyx); between, a share.
        reset: what a spike does to the carried potential, decay u without one: "subtract" gives decay u - threshold
            (snnTorch, spyx); "subtract and decay", decay (u - threshold) (SpikingJelly); "zero", 0; "none", no reset.
        smooth: spikes are the surrogate's smooth step: a differentiable network, whose gradients are exact.
        input_gain: "one": the input is added as it is (snnTorch, spyx); "leak": times 1 - decay (SpikingJelly).
    """

    decay: Any = 0.9
    threshold: Any = 1.0
    surrogate: Surrogate = field(default_factory=lambda: surrogate("sigmoid", 10.0))
    reset_gradient: Any = 0.0
    reset: Reset = field(default="subtract", metadata={"static": True})
    smooth: bool = field(default=False, metadata={"static": True})
    input_gain: Literal["one", "leak"] = field(default="one", metadata={"static": True})

    def __post_init__(self) -> None:
        if self.reset not in RESETS:
            raise SpikingError(f"LIF: reset = {self.reset!r}; known: {', '.join(RESETS)}")
        for what, value, low, high in (
            ("decay", self.decay, 0.0, 1.0),
            ("threshold", self.threshold, 0.0, float("inf")),
            ("reset_gradient", self.reset_gradient, 0.0, 1.0),
        ):
            if isinstance(value, (int, float)) and not low <= value <= high:
                raise SpikingError(f"LIF: {what} = {value} must be between {low:g} and {high:g}")

    def initial(self, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        """The potential before the first step: 0."""
        return jnp.zeros(shape, dtype)

    def advance(self, u: Array, current: Array) -> tuple[Array, Array]:
        """One step: the new potential, and the spikes read at it."""
        u = carried(self, u) + input_gain(self, current) * current
        return u, emitted(self, u)


def input_gain(neuron: LIF, current: Array) -> Array:
    """What the input is multiplied by."""
    return 1 - aligned(neuron.decay, current) if neuron.input_gain == "leak" else jnp.ones((), current.dtype)


def emitted(neuron: LIF, u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The spikes at the potential u, differentiable by the surrogate."""
    return spike(u - aligned(neuron.threshold, u), neuron.surrogate, neuron.smooth)


def carried(neuron: LIF, u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """What leak and reset leave of the potential u for the next step: the definition of forward and backward pass."""
    decay, threshold = aligned(neuron.decay, u), aligned(neuron.threshold, u)
    if neuron.reset == "none":
        return decay * u
    s = emitted(neuron, u)
    if is_detached(neuron):
        s = jax.lax.stop_gradient(s)
    else:
        fixed = jax.lax.stop_gradient(s)
        s = fixed + aligned(neuron.reset_gradient, u) * (s - fixed)  # its value is that of s, to the bit
    if neuron.reset == "subtract":
        return decay * u - threshold * s
    return decay * (u - threshold * s) if neuron.reset == "subtract and decay" else decay * (u * (1 - s))


def is_detached(neuron: LIF) -> bool:
    """Whether no gradient passes the reset, known before tracing."""
    return isinstance(neuron.reset_gradient, (int, float)) and neuron.reset_gradient == 0


def slope_is_decay(neuron: LIF, detached: bool) -> bool:
    """Whether the derivative of `carried` is the decay at every potential, known before tracing."""
    return neuron.reset == "none" or (detached and neuron.reset != "zero")


def carried_slope(neuron: LIF, u: Float[Array, "*shape"], detached: bool = False) -> Array:
    """The derivative of `carried` in u; of the shape of u, or constant in time where it does not depend on it."""
    if slope_is_decay(neuron, detached):
        return jnp.asarray(neuron.decay, u.dtype)
    decay, theta, share = (aligned(v, u) for v in (neuron.decay, neuron.threshold, neuron.reset_gradient))
    h = neuron.surrogate.evaluate(u - theta)
    if neuron.reset == "subtract":
        return decay - share * theta * h
    if neuron.reset == "subtract and decay":
        return decay * (1 - share * theta * h)
    return decay * (1 - emitted(neuron, u) - share * u * h)


def run(neuron: Any, current: Float[Array, "times *shape"], weights: Any = None) -> Float[Array, "times *shape"]:
    """The spikes of neurons step by step, each step of which may see the spikes of the last one.

    First derivatives are those of the surrogates. Second ones are not, in reverse mode: JAX drops custom derivatives
    when it splits the body of a loop. `potentials` has them right.

    Args:
        neuron: a value with `initial` and `advance`: `LIF`, `AdaptiveLIF`.
        current: the input, time first.
        weights: recurrent ones, shape (units, units): s_(t-1) @ weights is added to the input. None: no recurrence.
    """

    def step(carry: tuple[Any, Array], i: Array) -> tuple[tuple[Any, Array], Array]:
        state, s = carry
        state, s = neuron.advance(state, i if weights is None else i + s @ weights)
        return (state, s), s

    shape = current.shape[1:]
    start = (neuron.initial(shape, current.dtype), jnp.zeros(shape, current.dtype))
    return jax.lax.scan(step, start, current, unroll=unrolling())[1]
