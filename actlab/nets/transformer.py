"""A decoder-only transformer whose attention function is given: softmax, a gate, or anything of (q, k, v)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from actlab.nets.nonlinearity import Nonlinearity

Mixer = Callable[[Array, Array, Array], Array]
"""(q, k, v) -> out, arrays of shape (batch, length, heads, d); a function, or a module with parameters of its own."""

Position = Literal["rotary", "linear"]
"""How queries and keys know where they are: turned by it (RoPE), or scores that fall with the distance (ALiBi)."""

Projections = tuple[Array, Array, Array]
"""Queries, keys and values as a mixer gets them."""


def rotate(x: Float[Array, "batch length heads d"], base: float = 10_000.0) -> Float[Array, "batch length heads d"]:
    """Rotary position embedding: pairs of coordinates turned by angles that grow with the position.

    Source: Su et al. 2021, "RoFormer", arXiv:2104.09864, eq. 15; d even.
    """
    half = x.shape[-1] // 2
    speeds = base ** (-jnp.arange(half) / half)
    angles = (jnp.arange(x.shape[1])[:, None] * speeds[None, :])[None, :, None, :].astype(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return jnp.concatenate([a * jnp.cos(angles) - b * jnp.sin(angles), a * jnp.sin(angles) + b * jnp.cos(angles)], -1)


def slopes(heads: int) -> Float[np.ndarray, " heads"]:
    """2^(-8 / heads), its square, its cube, ...: how fast each head's scores fall with the distance.

    Source: Press, Smith & Lewis 2021, "Train short, test long" (ALiBi), arXiv:2108.12409, section 3.
    """
    return 2.0 ** (-8.0 * np.arange(1, heads + 1) / heads)


def decayed(
    q: Float[Array, "batch length heads d"], k: Float[Array, "batch length groups d"]
) -> tuple[Float[Array, "batch length heads d+2"], Float[Array, "batch length groups d+2"]]:
    """Queries and keys with two more coordinates, whose share of q_i . k_j / sqrt(d + 2) is -slope (i - j).

    The bias of ALiBi as a part of the product itself: whatever bounds products of queries and keys bounds it too.

    Source: as for `slopes`.
    """
    (batch, length, heads, d), groups = q.shape, k.shape[2]
    i, root = jnp.arange(length, dtype=q.dtype)[:, None], jnp.sqrt(jnp.asarray(d + 2, q.dtype))
    m = jnp.asarray(slopes(heads), q.dtype)[None]
    of_q = jnp.stack([-root * m * i, root * m * jnp.ones_like(i)], axis=-1)
    of_k = jnp.broadcast_to(jnp.concatenate([jnp.ones_like(i), i], axis=1)[:, None], (length, groups, 2))
    return tuple(
        jnp.concatenate([x, jnp.broadcast_to(more[None], (batch, *more.shape))], axis=-1)
        for x, more in ((q, of_q), (k, of_k))
    )  # pyright: ignore[reportReturnType]


class ShortConvolution(nnx.Module):
    """y_t = sum over s < size of w_s x_(t - s), channel by channel: each token sees the few before it, none after.

    With it a key can say what stands before its token, so that one layer recalls what by attention alone takes two.

    Source: the shift of Fu et al. 2022, "H3", arXiv:2212.14052, section 3, with every weight learned.
    """

    def __init__(self, channels: int, size: int, *, rngs: nnx.Rngs):
        """Weights uniform on +- 1 / sqrt(size)."""
        limit = size**-0.5
        self.kernel = nnx.Param(jax.random.uniform(rngs.params(), (size, channels), minval=-limit, maxval=limit))

    def __call__(self, x: Float[Array, "batch length channels"]) -> Float[Array, "batch length channels"]:
        """The convolved sequence."""
        kernel = self.kernel[...]
        padded = jnp.pad(x, ((0, 0), (len(kernel) - 1, 0), (0, 0)))
        parts = [w[None, None] * padded[:, len(kernel) - 1 - s :][:, : x.shape[1]] for s, w in enumerate(kernel)]
        return jnp.sum(jnp.stack(parts), axis=0)


class SelfAttention(nnx.Module):
    """Queries, keys and values by linear maps, normalized (queries and keys), rotated, mixed, and mapped back.

    Normalized queries and keys (Henry et al. 2020, arXiv:2010.04245) bound the scores by a learned scale, whatever the
    activation does with them.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        groups: int,
        mixer: Mixer,
        convolution: int = 0,
        position: Position = "rotary",
        *,
        rngs: nnx.Rngs,
    ):
        """Builds the layer.

        Args:
            width: of the residual stream; `heads` divides it into an even head size.
            heads: of the queries.
            groups: of keys and values; divides `heads`.
            mixer: (q, k, v) -> out.
            convolution: tokens of a `ShortConvolution` of queries, keys and values; 0 for none.
            position: how queries and keys know where they are: `rotate` or `decayed`.
            rngs: its `params` stream.

        Raises:
            ValueError: heads or groups that do not divide, or an unknown position.
        """
        if position not in get_args(Position):
            raise ValueError(f"SelfAttention: position = {position!r}; known: {', '.join(get_args(Position))}")
        if width % (2 * heads) or heads % groups:
            raise ValueError(
                f"SelfAttention: width = {width} must be a multiple of 2 * heads = {2 * heads}, and heads = {heads} "
                f"of groups = {groups}"
            )
        self.heads, self.groups, self.d = heads, groups, width // heads
        self.position: Position = position
        channels = (heads + 2 * groups) * self.d
        self.into = nnx.Linear(width, channels, use_bias=False, rngs=rngs)
        self.convolution = ShortConvolution(channels, convolution, rngs=rngs) if convolution else None
        self.query_norm = nnx.RMSNorm(self.d, rngs=rngs)
        self.key_norm = nnx.RMSNorm(self.d, rngs=rngs)
        self.out = nnx.Linear(width, width, use_bias=False, rngs=rngs)
        self.mixer = mixer

    def project(self, x: Float[Array, "batch length width"]) -> Projections:
        """Queries, keys and values as the mixer gets them."""
        h, g = self.heads, self.groups
        parts = self.into(x) if self.convolution is None else self.convolution(self.into(x))
        parts = parts.reshape(*x.shape[:2], h + 2 * g, self.d)
        q, k, v = parts[:, :, :h], parts[:, :, h : h + g], parts[:, :, h + g :]
        q, k = self.query_norm(q), self.key_norm(k)
        q, k = (rotate(q), rotate(k)) if self.position == "rotary" else decayed(q, k)
        return q, k, v

    def mix(self, q: Array, k: Array, v: Array) -> Float[Array, "batch length width"]:
        """What the layer adds to the residual stream, of its projections."""
        mixed = self.mixer(q, k, v)
        return self.out(mixed.reshape(*mixed.shape[:2], -1))


class Block(nnx.Module):
    """Pre-norm residual block: attention, then a perceptron of four times the width."""

    def __init__(
        self,
        width: int,
        heads: int,
        groups: int,
        mixer: Mixer,
        activation: Any,
        convolution: int,
        position: Position,
        *,
        rngs: nnx.Rngs,
    ):
        """Args are those of `Transformer`."""
        self.attention_norm = nnx.RMSNorm(width, rngs=rngs)
        self.attention = SelfAttention(width, heads, groups, mixer, convolution, position, rngs=rngs)
        self.perceptron_norm = nnx.RMSNorm(width, rngs=rngs)
        self.up = nnx.Linear(width, 4 * width, rngs=rngs)
        self.nonlinearity = Nonlinearity(activation)
        self.down = nnx.Linear(4 * width, width, rngs=rngs)

    def __call__(self, x: Float[Array, "batch length width"]) -> tuple[Float[Array, "batch length width"], Projections]:
        """The residual stream after the block, and what its attention mixed."""
        projections = self.attention.project(self.attention_norm(x))
        x = x + self.attention.mix(*projections)
        return x + self.down(self.nonlinearity(self.up(self.perceptron_norm(x)))), projections


class Transformer(nnx.Module):
    """Token embedding, blocks, norm, and logits of the next token."""

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
        convolution: int = 0,
        position: Position = "rotary",
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
            convolution: tokens of the short convolution before each attention; 0 for none.
            position: see `SelfAttention`.
            rngs: its `params` stream.
        """
        self.embed = nnx.Embed(vocabulary, width, rngs=rngs)
        self.blocks = nnx.List(
            [
                Block(width, heads, groups or heads, mixer(), activation, convolution, position, rngs=rngs)
                for _ in range(layers)
            ]
        )
        self.norm = nnx.RMSNorm(width, rngs=rngs)
        self.head = nnx.Linear(width, vocabulary, use_bias=False, rngs=rngs)

    def __call__(self, tokens: Int[Array, "batch length"]) -> Float[Array, "batch length vocabulary"]:
        """Logits of the token after each position, if the mixer is causal."""
        return self.with_projections(tokens)[0]

    def with_projections(
        self, tokens: Int[Array, "batch length"]
    ) -> tuple[Float[Array, "batch length vocabulary"], list[Projections]]:
        """The logits, and what each block's attention mixed: for measures and penalties of the scores."""
        x, seen = self.embed(tokens), []
        for block in self.blocks:
            x, projections = block(x)
            seen.append(projections)
        return self.head(self.norm(x)), seen
