"""Modules of gated attention: the gate with a trained temperature as a transformer's mixer, and the loss."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float

from actlab.nets.transformer import Mixer, Transformer
from actlab.systems.attention.attention import Scale, Skip, gated_attention
from actlab.systems.attention.dense import dense_attention
from actlab.systems.attention.gate import Gate
from actlab.systems.attention.mixers import WEIGHTS, causal_mixer


class GatedMixer(nnx.Module):
    """Causal gated attention with a trained temperature for each head, positive for every value of its parameter."""

    def __init__(
        self, gate: Gate, heads: int, *, skip: Skip | None = "bounds", scale: Scale = "length", block: int = 128
    ):
        """Builds the mixer.

        Args:
            gate: its temperature is where training starts.
            heads: of the queries.
            skip: see `gated_attention`; None for the dense einsum, faster for short sequences.
            scale: see `gated_attention`.
            block: see `gated_attention`.
        """
        start = jnp.broadcast_to(jnp.asarray(gate.temperature, jnp.float32), heads)
        self.log_temperature = nnx.Param(jnp.log(start))
        self.gate = nnx.data(jax.tree.map(jnp.float32, gate.at(1.0)))
        self.attend = (
            functools.partial(dense_attention, causal=True, scale=scale)
            if skip is None
            else functools.partial(gated_attention, causal=True, scale=scale, skip=skip, block=block)
        )

    def present(self) -> Gate:
        """The gate at its present temperatures."""
        return self.gate.at(jnp.exp(self.log_temperature[...]))

    def __call__(self, q: Array, k: Array, v: Array) -> Float[Array, "batch queries heads e"]:
        """Mixes the values."""
        return self.attend(q, k, v, self.present())


def mixer_maker(which: str | Gate, heads: int, **options: Any) -> Callable[[], Mixer]:
    """Makes one block's mixer: of a name in `WEIGHTS`, or a gate (options as for `GatedMixer`).

    Raises:
        ValueError: no such name.
    """
    if isinstance(which, Gate):
        return lambda: GatedMixer(which, heads, **options)
    if which not in WEIGHTS:
        raise ValueError(f"no attention {which!r}; there are: {', '.join(WEIGHTS)}, or a Gate")
    return lambda: causal_mixer(which)


def next_token_loss(model: Transformer, tokens: Array, targets: Array, counted: Array) -> tuple[Array, Array]:
    """Mean cross-entropy in nats, and the share predicted right, over the positions that are counted."""
    logits = model(tokens)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    right = jnp.argmax(logits, -1) == targets
    total = jnp.maximum(jnp.sum(counted), 1)
    return jnp.sum(jnp.where(counted, losses, 0)) / total, jnp.sum(counted & right) / total
