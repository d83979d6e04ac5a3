"""Networks of spiking neurons: layers, recurrent or not, under a leaky or a spiking readout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, Int, Key

from actlab.systems.spiking.encoding import raster
from actlab.systems.spiking.lif import LIF, emitted, run
from actlab.systems.spiking.potentials import lif, weighted_spikes
from actlab.systems.spiking.surrogates import SpikingError
from actlab.systems.spiking.synapses import (
    exponential_synapse,
    leaky_readout,
    mean_leaky_readout,
    mean_leaky_weights,
    synaptic_current,
)
from actlab.training import Fitted, fit

Readout = Literal["leaky", "spikes"]


class Activity(NamedTuple):
    """What a network did.

    Attributes:
        output: potentials of a leaky readout, or spikes of a spiking one, shape (times, batch, outputs).
        hidden: the spikes of each hidden layer, shape (times, batch, units).
    """

    output: Array
    hidden: tuple[Array, ...]


class SpikingNet(nnx.Module):
    """Layers of spiking neurons: current_t = s_t W + s_(t-1) V into each, V where the layer is recurrent.

    Kernels are normal and such that inputs of `input_rate` spikes a unit and step make the potentials vary by
    `spread` thresholds (fluctuation-driven; Rossbroich, Gygax & Zenke 2022, arXiv:2206.10226, eq. 12). There are no
    biases. Recurrent kernels have half of that variance, in addition; a leaky readout's have 1 / inputs.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        neuron: Any,
        *,
        key: Key[Array, ""],
        recurrent: bool = False,
        synapse_decay: Any = None,
        readout: Readout = "leaky",
        readout_decay: Any = 0.95,
        input_rate: float = 0.01,
        spread: float = 1.0,
    ):
        """Draws the network.

        Args:
            sizes: (inputs, hidden, ..., outputs), at least two positive numbers.
            neuron: `LIF` or `AdaptiveLIF`, of every spiking layer.
            key: of the kernels.
            recurrent: whether the hidden layers see their own spikes of the last step.
            synapse_decay: of an exponential filter before each spiking layer (current-based); None: no filter.
            readout: "leaky": the last layer integrates and never spikes; "spikes": it is of neurons, as the others.
            readout_decay: of the leaky readout.
            input_rate: spikes that each input is expected to send in a step.
            spread: standard deviation of the potentials in thresholds that the kernels aim at.

        Raises:
            SpikingError: bad sizes, or an unknown readout.
        """
        if len(sizes) < 2 or min(sizes) < 1:
            raise SpikingError(
                f"SpikingNet: sizes = {tuple(sizes)} must be (inputs, hidden, ..., outputs), all positive"
            )
        if readout not in ("leaky", "spikes"):
            raise SpikingError(f"SpikingNet: readout = {readout!r}; known: 'leaky', 'spikes'")
        cell = neuron if isinstance(neuron, LIF) else neuron.lif
        decay, theta = (jnp.mean(jnp.asarray(v, jnp.float32)) for v in (cell.decay, cell.threshold))
        scale = spread * theta * jnp.sqrt((1 - decay**2) / input_rate)
        keys = jax.random.split(key, 2 * len(sizes))
        hidden = sizes[1:-1]
        pairs = list(zip(sizes[:-1], sizes[1:], strict=True))
        self.kernels = nnx.List(
            [nnx.Param(scale / i**0.5 * jax.random.normal(k, (i, o))) for k, (i, o) in zip(keys, pairs, strict=False)]
        )
        self.recurrent = nnx.List(
            [
                nnx.Param(scale / (2 * n) ** 0.5 * jax.random.normal(k, (n, n)))
                for k, n in zip(keys[len(sizes) :], hidden if recurrent else (), strict=False)
            ]
        )
        if readout == "leaky":
            last = self.kernels[-1]
            last[...] = jax.random.normal(keys[len(pairs) - 1], last[...].shape) / sizes[-2] ** 0.5
        self.neuron = nnx.data(neuron)
        self.synapse_decay, self.readout, self.readout_decay = synapse_decay, readout, readout_decay

    def __call__(self, spikes: Float[Array, "times batch inputs"]) -> Activity:
        """What the network does of input spikes."""
        hidden, s = self._hidden(spikes, len(self.kernels) - 1)
        current = synaptic_current(s, self.kernels[-1][...])
        if self.readout == "leaky":
            return Activity(leaky_readout(current, self.readout_decay), hidden)
        return Activity(self._layer(current, None), hidden)

    def mean_output(self, spikes: Float[Array, "times batch inputs"]) -> tuple[Array, tuple[Array, ...]]:
        """The mean over time of a leaky readout's potentials, without its recurrence, and the hidden spikes.

        Raises:
            SpikingError: the readout spikes.
        """
        if self.readout != "leaky":
            raise SpikingError('SpikingNet: mean_output is of readout = "leaky"; sum the spikes of a spiking one')
        layers, last = len(self.kernels) - 1, self.kernels[-1][...]
        if not layers or len(self.recurrent) or not isinstance(self.neuron, LIF):
            hidden, s = self._hidden(spikes, layers)
            return mean_leaky_readout(s, last, self.readout_decay), hidden
        hidden, s = self._hidden(spikes, layers - 1)
        current = self._filtered(synaptic_current(s, self.kernels[layers - 1][...]))
        weights = mean_leaky_weights(spikes.shape[0], self.readout_decay, current.dtype)
        total, u = weighted_spikes(self.neuron, current, weights)
        return total @ last, (*hidden, emitted(self.neuron, u))

    def _hidden(self, s: Array, count: int) -> tuple[tuple[Array, ...], Array]:
        layers = []
        for number, kernel in enumerate(list(self.kernels)[:count]):
            weights = self.recurrent[number][...] if len(self.recurrent) else None
            s = self._layer(synaptic_current(s, kernel[...]), weights)
            layers.append(s)
        return tuple(layers), s

    def _layer(self, current: Array, weights: Any) -> Array:
        current = self._filtered(current)
        if weights is None and isinstance(self.neuron, LIF):
            return lif(self.neuron, current)[0]
        return run(self.neuron, current, weights)

    def _filtered(self, current: Array) -> Array:
        return current if self.synapse_decay is None else exponential_synapse(current, self.synapse_decay)


@dataclass(frozen=True)
class Recipe:
    """How a classifier of spike times is trained.

    Attributes:
        hidden: widths of the hidden layers; () is a readout of the input spikes, without neurons and without a "rate"
            among the metrics.
        steps: of Adam.
        batch_size: samples of a batch.
        learning_rate: at the start; it falls as a cosine to a fiftieth.
        readout_decay: of the leaky readout, whose mean over time are the logits.
        logit_scale: in front of them.
    """

    hidden: tuple[int, ...] = (128,)
    steps: int = 600
    batch_size: int = 64
    learning_rate: float = 5e-3
    readout_decay: float = 0.95
    logit_scale: float = 10.0


Encode = Callable[[Array, Array, int], Array]
"""(key, inputs (batch, units), times) -> spikes (times, batch, units)."""


def at_times(key: Key[Array, ""], inputs: Int[Array, "batch units"], times: int) -> Array:
    """The code of units that spike once, at the times that the inputs are."""
    del key
    return raster(inputs, times)


def train_classifier(
    key: Key[Array, ""],
    data: dict[str, Array],
    neuron: LIF,
    recipe: Recipe,
    *,
    times: int,
    classes: int,
    encode: Encode = at_times,
    input_rate: float | None = None,
) -> Fitted:
    """Trains a `SpikingNet` on coded inputs: pure, to be vmapped over keys, data and the neuron's leaves.

    Args:
        key: of kernels, batches and codes.
        data: {"times": (samples, units), "y": (samples,)}; `times` is whatever `encode` takes.
        neuron: of the hidden layers.
        recipe: of the training.
        times: steps of a trial.
        classes: outputs.
        encode: from inputs to spikes, drawn anew at each step where it is random; by default inputs are spike times.
        input_rate: spikes of an input and step, for the size of the kernels; 1 / times by default.
    """
    of_net, of_fit = jax.random.split(key)
    sizes = (data["times"].shape[1], *recipe.hidden, classes)
    input_rate = 1 / times if input_rate is None else input_rate
    net = SpikingNet(sizes, neuron, key=of_net, readout_decay=recipe.readout_decay, input_rate=input_rate)
    graphdef, state = nnx.split(net)

    def loss(model: SpikingNet, batch: dict[str, Array], key: Array) -> tuple[Array, dict[str, Array]]:
        output, hidden = model.mean_output(encode(key, batch["times"], times))
        value = optax.softmax_cross_entropy_with_integer_labels(recipe.logit_scale * output, batch["y"]).mean()
        right = jnp.mean(jnp.argmax(output, -1) == batch["y"])
        rates = {"rate": jnp.mean(hidden[0])} if hidden else {}
        return value, {"accuracy": right, **rates}

    schedule = optax.cosine_decay_schedule(recipe.learning_rate, recipe.steps, 0.02)
    return fit(
        graphdef,
        state,
        data,
        of_fit,
        loss=loss,
        optimizer=optax.adam(schedule),
        steps=recipe.steps,
        batch_size=recipe.batch_size,
    )


def accuracy(
    fitted: Fitted,
    data: dict[str, Array],
    times: int,
    *,
    encode: Encode = at_times,
    key: Key[Array, ""] | None = None,
    at_once: int | None = None,
) -> Float[Array, ""]:
    """The share of samples that a trained net classifies right.

    Args:
        fitted: of `train_classifier`.
        data: as there.
        times: steps of a trial.
        encode: as there.
        key: of a random code.
        at_once: samples whose spikes are in memory together; all where not given.
    """
    model, key = fitted.model(), jax.random.key(0) if key is None else key

    def right(one: tuple[Array, Array, Array]) -> Array:
        which, inputs, label = one
        output, _ = model.mean_output(encode(jax.random.fold_in(key, which), inputs[None], times))
        return jnp.argmax(output[0], -1) == label

    if at_once is None:
        output, _ = model.mean_output(encode(key, data["times"], times))
        return jnp.mean(jnp.argmax(output, -1) == data["y"])
    samples = jnp.arange(len(data["y"])), data["times"], data["y"]
    return jnp.mean(jax.lax.map(right, samples, batch_size=at_once))
