"""A decoder-only transformer whose attention function is given: softmax, a gate, or anything of (q, k, v)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from actlab.nets.nonlinearity import Nonlinearity

Mixer = Callable[[Array, Array, Array], Array]
"""(q, k, v) -> out, arrays of shape (batch, length, heads, d); a function, or a module with parameters of its own."""


def rotate(x: Float[Array, "batch length heads d"], base: float = 10_000.0) -> Float[Array, "batch length heads d"]:
    """Rotary position embedding: pairs of coordinates turned by angles that grow with the position.

    Source: Su et al. 2021, "RoFormer", arXiv:2104.09864, eq. 15; d even.
    """
    half = x.shape[-1] // 2
    speeds = base ** (-jnp.arange(half) / half)
    angles = (jnp.arange(x.shape[1])[:, None] * speeds[None, :])[None, :, None, :].astype(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return jnp.concatenate([a * jnp.cos(angles) - b * jnp.sin(angles), a * jnp.sin(angles) + b * jnp.cos(angles)], -1)


class SelfAttention(nnx.Module):
    """Queries, keys and values by linear maps, normalized (queries and keys), rotated, mixed, and mapped back.

    Normalized queries and keys (Henry et al. 2020, arXiv:2010.04245) bound the scores by a learned scale, whatever the
    activation does with them.
    """

    def __init__(self, width: int, heads: int, groups: int, mixer: Mixer, *, rngs: nnx.Rngs):
        """Builds the layer.

        Args:
            width: of the residual stream; `heads` divides it into an even head size.
            heads: of the queries.
            groups: of keys and values; divides `heads`.
            mixer: (q, k, v) -> out.
            rngs: its `params` stream.

        Raises:
            ValueError: heads or groups that do not divide.
        """
        if width % (2 * heads) or heads % groups:
            raise ValueError(
                f"SelfAttention: width = {width} must be a multiple of 2 * heads = {2 * heads}, and heads = {heads} "
                f"of groups = {groups}"
            )
        self.heads, self.groups, self.d = heads, groups, width // heads
        self.into = nnx.Linear(width, (heads + 2 * groups) * self.d, use_bias=False, rngs=rngs)
        self.query_norm = nnx.RMSNorm(self.d, rngs=rngs)
        self.key_norm = nnx.RMSNorm(self.d, rngs=rngs)
        self.out = nnx.Linear(width, width, use_bias=False, rngs=rngs)
        self.mixer = mixer

    def project(self, x: Float[Array, "batch length width"]) -> tuple[Array, Array, Array]:
        """Queries, keys and values as the mixer gets them."""
        h, g = self.heads, self.groups
        parts = self.into(x).reshape(*x.shape[:2], h + 2 * g, self.d)
        q, k, v = parts[:, :, :h], parts[:, :, h : h + g], parts[:, :, h + g :]
        return rotate(self.query_norm(q)), rotate(self.key_norm(k)), v

    def __call__(self, x: Float[Array, "batch length width"]) -> Float[Array, "batch length width"]:
        """What the layer adds to the residual stream."""
        return self.out(self.mixer(*self.project(x)).reshape(x.shape))


class Block(nnx.Module):
    """Pre-norm residual block: attention, then a perceptron of four times the width."""

    def __init__(self, width: int, heads: int, groups: int, mixer: Mixer, activation: Any, *, rngs: nnx.Rngs):
        """Args are those of `Transformer`."""
        self.attention_norm = nnx.RMSNorm(width, rngs=rngs)
        self.attention = SelfAttention(width, heads, groups, mixer, rngs=rngs)
        self.perceptron_norm = nnx.RMSNorm(width, rngs=rngs)
        self.up = nnx.Linear(width, 4 * width, rngs=rngs)
        self.nonlinearity = Nonlinearity(activation)
        self.down = nnx.Linear(4 * width, width, rngs=rngs)

    def __call__(self, x: Float[Array, "batch length width"]) -> Float[Array, "batch length width"]:
        """The residual stream after the block."""
        x = x + self.attention(self.attention_norm(x))
        return x + self.down(self.nonlinearity(self.up(self.perceptron_norm(x))))


class Transformer(nnx.Module):
    """Token embedding, blocks, norm, and logits of the next token; positions by rotation of queries and keys."""

    def __init__(
        self,
        vocabulary: int,
        width: int,
        heads: int,
        layers: int,
        mixer: Callable[[], Mixer],
        *,
        groups: int | None = None,
        activation: Any = "gelu",
        rngs: nnx.Rngs,
    ):
        """Builds the net.

        Args:
            vocabulary: number of tokens.
            width: of the residual stream.
            heads: of the queries in each block.
            layers: number of blocks.
            mixer: makes the attention function of a block, one call a block.
            groups: of keys and values; as many as heads where not given.
            activation: of the perceptrons.
            rngs: its `params` stream.
        """
        self.embed = nnx.Embed(vocabulary, width, rngs=rngs)
        self.blocks = nnx.List(
            [Block(width, heads, groups or heads, mixer(), activation, rngs=rngs) for _ in range(layers)]
        )
        self.norm = nnx.RMSNorm(width, rngs=rngs)
        self.head = nnx.Linear(width, vocabulary, use_bias=False, rngs=rngs)

    def __call__(self, tokens: Int[Array, "batch length"]) -> Float[Array, "batch length vocabulary"]:
        """Logits of the token after each position, if the mixer is causal."""
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))
