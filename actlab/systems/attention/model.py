"""Modules of gated attention: the gate as a transformer's mixer, its training, and what a trained net keeps."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, Key

from actlab.nets.transformer import Mixer, Position, Transformer
from actlab.systems.attention.attention import Scale, Skip, gated_attention, visited_blocks
from actlab.systems.attention.dense import dense_attention
from actlab.systems.attention.gate import Gate
from actlab.systems.attention.mixers import WEIGHTS, CausalMixer, causal, scaled_scores
from actlab.training import Fitted, fit

Batch = tuple[Array, Array, Array]
"""Tokens, targets, and which targets count, each (count, length)."""


@runtime_checkable
class Task(Protocol):
    """Sequences to learn from, drawn afresh at each step."""

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        ...

    def draw(self, key: Key[Array, ""], count: int) -> Batch:
        """So many sequences."""
        ...


@dataclass(frozen=True)
class Recipe:
    """A small transformer and its training.

    Attributes:
        width: of the residual stream.
        heads: of each attention.
        layers: blocks.
        convolution: tokens of the short convolution before each attention; 0 for none.
        position: how queries and keys know where they are, see `actlab.nets.transformer.Position`.
        batch: sequences a step.
        steps: of the optimizer.
        learning_rate: of Adam, after the warm-up; falls to 0 as a cosine.
        warmup: share of the steps over which the learning rate rises.
        clip: largest norm of a gradient.
    """

    width: int = 32
    heads: int = 2
    layers: int = 1
    convolution: int = 4
    position: Position = "rotary"
    batch: int = 32
    steps: int = 200
    learning_rate: float = 5e-3
    warmup: float = 0.1
    clip: float = 1.0

    def optimizer(self) -> optax.GradientTransformation:
        """Adam under the schedule."""
        rising = max(round(self.warmup * self.steps), 1)
        schedule = optax.warmup_cosine_decay_schedule(0.0, self.learning_rate, rising, max(self.steps, rising + 1))
        return optax.chain(optax.clip_by_global_norm(self.clip), optax.adam(schedule))


class GatedMixer(nnx.Module):
    """Causal gated attention with a temperature for each head, positive for every value of its parameter."""

    def __init__(
        self,
        gate: Gate,
        heads: int,
        *,
        skip: Skip | None = "bounds",
        scale: Scale = "length",
        block: int = 128,
        trained: bool = True,
    ):
        """Builds the mixer.

        Args:
            gate: its temperature is where training starts.
            heads: of the queries.
            skip: see `gated_attention`; None for the dense einsum, faster for short sequences.
            scale: see `gated_attention`.
            block: see `gated_attention`.
            trained: whether the temperature is trained.
        """
        start = jnp.broadcast_to(jnp.asarray(gate.temperature, jnp.float32), heads)
        self.log_temperature = (nnx.Param if trained else nnx.Variable)(jnp.log(start))
        self.gate = nnx.data(jax.tree.map(jnp.float32, gate.at(1.0)))
        self.attend = (
            functools.partial(dense_attention, causal=True, scale=scale)
            if skip is None
            else functools.partial(gated_attention, causal=True, scale=scale, skip=skip, block=block)
        )

    def present(self) -> Gate:
        """The gate at its present temperatures."""
        return self.gate.at(jnp.exp(self.log_temperature[...]))

    def weights(self, q: Array, k: Array) -> Float[Array, "batch heads queries keys"]:
        """The weight of each pair, before scaling; all in memory at once."""
        gate = self.gate.at(jnp.exp(self.log_temperature[...])[None, :, None, None])
        return jnp.where(causal(q.shape[1])[None, None], gate.weight(scaled_scores(q, k)), 0.0)

    def __call__(self, q: Array, k: Array, v: Array) -> Float[Array, "batch queries heads e"]:
        """Mixes the values."""
        return self.attend(q, k, v, self.present())


def mixer_maker(which: str | Gate, heads: int, **options: Any) -> Callable[[], Mixer]:
    """Makes one block's mixer: of a name in `WEIGHTS`, or a gate (options as for `GatedMixer`).

    Raises:
        ValueError: no such name, or an option that it does not take.
    """
    known = tuple(inspect.signature(GatedMixer.__init__).parameters)[3:] if isinstance(which, Gate) else ()
    if unknown := [name for name in options if name not in known]:
        takes = f"a gate takes {', '.join(known)}" if known else f"attention {which!r} has no options, a Gate has"
        raise ValueError(f"mixer_maker: {unknown[0]} = {options[unknown[0]]!r} is no option here: {takes}")
    if isinstance(which, Gate):
        return lambda: GatedMixer(which, heads, **options)
    if which not in WEIGHTS:
        raise ValueError(f"no attention {which!r}; there are: {', '.join(WEIGHTS)}, or a Gate")
    return lambda: CausalMixer(which)


def transformer(key: Key[Array, ""], which: str | Gate, vocabulary: int, recipe: Recipe, **options: Any) -> Transformer:
    """An untrained net with this attention; options and errors as for `mixer_maker`."""
    mixer = mixer_maker(which, recipe.heads, **options)
    sizes = (vocabulary, recipe.width, recipe.heads, recipe.layers)
    options = {"convolution": recipe.convolution, "position": recipe.position}
    return Transformer(*sizes, mixer, **options, rngs=nnx.Rngs(params=key))


def train(
    key: Key[Array, ""],
    which: str | Gate,
    task: Task,
    recipe: Recipe,
    *,
    after: Fitted | None = None,
    penalty: Callable[[Array, Array, Gate], Array] | None = None,
    **options: Any,
) -> Fitted:
    """A net trained on the task, metrics "loss" and "right": pure, to be mapped over keys and the gate's leaves.

    Args:
        key: of the weights and of the sequences.
        which: a name in `WEIGHTS`, or a gate.
        task: draws the sequences.
        recipe: of net and training.
        after: another training of the same net, from whose variables this one starts.
        penalty: (q, k, gate) -> scalar, added to the loss for each gated layer.
        **options: of `GatedMixer`; the dense einsum where `skip` is not given.
    """
    net_key, fit_key = jax.random.split(key)
    options = {"skip": None, **options} if isinstance(which, Gate) else options
    graphdef, state = nnx.split(transformer(net_key, which, task.vocabulary, recipe, **options))
    if after is not None:
        state = nnx.merge_state(after.state.params, after.state.rest)

    def loss(model: Transformer, _: Any, key: Array) -> tuple[Array, dict[str, Array]]:
        tokens, targets, counted = task.draw(key, recipe.batch)
        logits, projections = model.with_projections(tokens)
        value, right = next_token_loss(logits, targets, counted)
        added = jnp.zeros(())
        if penalty is not None:
            mixers: list[Any] = [block.attention.mixer for block in model.blocks]
            for mixer, (q, k, _) in zip(mixers, projections, strict=True):
                added += penalty(q, k, mixer.present())
        return value + added, {"right": right, "penalty": added}

    # The sequences are drawn inside of the loss, a function of the key and the step.
    return fit(graphdef, state, jnp.zeros(1), fit_key, loss=loss, optimizer=recipe.optimizer(), steps=recipe.steps)


def with_mixers(fitted: Fitted, gate: Gate, vocabulary: int, recipe: Recipe, **options: Any) -> Transformer:
    """The trained net with its gates' kernels under other options; the same numbers up to what these promise."""
    graphdef = nnx.graphdef(transformer(jax.random.key(0), gate, vocabulary, recipe, **options))
    return nnx.merge(graphdef, nnx.merge_state(fitted.state.params, fitted.state.rest))


def next_token_loss(
    logits: Float[Array, "count length vocabulary"], targets: Array, counted: Array
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Mean cross-entropy in nats, and the share predicted right, over the positions that are counted."""
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    right = jnp.argmax(logits, -1) == targets
    total = jnp.maximum(jnp.sum(counted), 1)
    return jnp.sum(jnp.where(counted, losses, 0)) / total, jnp.sum(counted & right) / total


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Judged:
    """A trained net on sequences that it was not trained on.

    Attributes:
        loss: in nats a counted position.
        accuracy: share of the counted positions.
        density: share of the visible pairs whose weight is not 0, over layers and heads.
        temperature: geometric mean over layers and heads; 1 where there is no gate.
    """

    loss: Any
    accuracy: Any
    density: Any
    temperature: Any


def judge(model: Transformer, batch: Batch) -> Judged:
    """Loss, accuracy and density of kept pairs; all scores of a layer in memory at once."""
    tokens, targets, counted = batch
    logits, projections = model.with_projections(tokens)
    mixers: list[Any] = [block.attention.mixer for block in model.blocks]
    visible = causal(tokens.shape[1])[None, None]
    kept = [
        jnp.sum(mixer.weights(q, k) != 0) / jnp.sum(visible) / (q.shape[0] * q.shape[2])
        for mixer, (q, k, _) in zip(mixers, projections, strict=True)
    ]
    logs = [
        jnp.mean(mixer.log_temperature[...]) if isinstance(mixer, GatedMixer) else jnp.zeros(()) for mixer in mixers
    ]
    temperature = jnp.exp(jnp.mean(jnp.stack(logs)))
    return Judged(*next_token_loss(logits, targets, counted), jnp.mean(jnp.stack(kept)), temperature)


def skipping(model: Transformer, tokens: Array, block: int) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Of a net with gates: the share of visible blocks proved empty, and how many outputs skipping them changes."""
    shares, changed = [], []
    for layer, (q, k, v) in zip(model.blocks, model.with_projections(tokens)[1], strict=True):
        mixer: Any = layer.attention.mixer
        visible, visited = (
            jnp.sum(visited_blocks(q, k, mixer.present(), causal=True, skip=skip, block=block), dtype=jnp.float32)
            for skip in ("none", "bounds")
        )
        outputs = (
            gated_attention(q, k, v, mixer.present(), causal=True, skip=skip, block=block, kernel="loop")
            for skip in ("none", "bounds")
        )
        words = (jax.lax.bitcast_convert_type(out, jnp.uint32) for out in outputs)
        shares.append(1 - visited / visible)
        changed.append(jnp.sum(jnp.not_equal(*words), dtype=jnp.float32))
    return jnp.mean(jnp.stack(shares)), jnp.sum(jnp.stack(changed))
