"""Predictions beside measurements: the law's factors over random fields, the collapse depth over random nets."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from actlab.activations import Activation
from actlab.data.graph import Graph
from actlab.data.sparse import Sparse
from actlab.systems.oversmoothing.kernel import collapse_depth, kernel_spread
from actlab.systems.oversmoothing.law import ROUNDING_FLOOR, variance_law
from actlab.systems.oversmoothing.simulation import first_preactivations, simulated_spread
from actlab.training import seed_keys


@dataclass(frozen=True)
class Setting:
    """Of random weights and of what counts as collapsed.

    Attributes:
        weight_variance: sigma_w^2, times 1 / width that of a weight.
        bias_variance: sigma_b^2.
        width: of the measured nets.
        layers: after the first.
        threshold: variance between nodes over mean square below which they have collapsed.
    """

    weight_variance: float = 1.0
    bias_variance: float = 0.3
    width: int = 256
    layers: int = 40
    threshold: float = 0.01


@dataclass(frozen=True)
class Spread:
    """Variance between nodes over mean square, layer by layer from the first.

    Attributes:
        predicted: float64 (layers + 1,), of infinitely wide nets.
        measured: float64 (nets, layers + 1).
        predicted_depth: layer of collapse, from 1; inf where there is none.
        measured_depths: float64 (nets,).
    """

    predicted: Float[np.ndarray, " layers"]
    measured: Float[np.ndarray, "nets layers"]
    predicted_depth: float
    measured_depths: Float[np.ndarray, " nets"]

    @property
    def errors(self) -> Float[np.ndarray, " nets"]:
        """|predicted / measured - 1| of each net; nan where either never collapses."""
        both = np.isfinite(self.measured_depths) & np.isfinite(self.predicted_depth)
        measured = np.where(both, self.measured_depths, 1.0)
        return np.where(both, np.abs((self.predicted_depth if both.any() else 1.0) / measured - 1), np.nan)


def law_errors(
    activation: Activation, graph: Graph, seeds: tuple[int, ...], *, mean: float, deviation: float, layers: int
) -> tuple[Float[np.ndarray, "seeds"], Float[np.ndarray, "seeds layers"], Float[np.ndarray, "seeds layers"]]:
    """The largest relative error of the predicted factors over layers, in float64, for one random field a seed.

    Layers whose variance is rounding, or whose predicted factor is 0, are not judged: nan in the factors, and an error
    of nan where no layer can be.

    Args:
        activation: f.
        graph: connected.
        seeds: of the fields.
        mean: of a field's values.
        deviation: of them, small.
        layers: at most.

    Returns:
        (errors, predicted, measured).
    """
    with jax.enable_x64(True):
        noise = jnp.stack([jax.random.normal(jax.random.key(s), (graph.nodes,), jnp.float64) for s in seeds])
        exact: Graph = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64) if a.dtype == jnp.float32 else a, graph)
        # The graph is an argument: of a constant XLA would fold what is computed from it, slowly.
        judged_law = jax.jit(jax.vmap(lambda graph, field: variance_law(activation, graph, field, layers), (None, 0)))
        law = judged_law(exact, mean + deviation * noise)
        predicted, measured, variances = (np.asarray(a) for a in (law.predicted, law.measured, law.variances))
    judged = (variances > ROUNDING_FLOOR) & (predicted > 0)
    predicted, measured = (np.where(judged, a, np.nan) for a in (predicted, measured))
    relative = np.abs(measured / predicted - 1)
    errors = np.array([np.nanmax(row) if np.isfinite(row).any() else np.nan for row in relative])
    return errors, predicted, measured


def collapse(activation: Activation, graph: Graph, x: Sparse, seeds: tuple[int, ...], setting: Setting) -> Spread:
    """The predicted spread between nodes, and that of random nets, on the walk of a connected graph.

    Args:
        activation: f.
        graph: connected.
        x: features of its nodes.
        seeds: of the nets.
        setting: of weights and threshold.
    """
    options = {"weight_variance": setting.weight_variance, "bias_variance": setting.bias_variance}

    @jax.jit
    def both(graph: Graph, x: Sparse, keys: jax.Array) -> tuple[jax.Array, jax.Array]:
        walk, weights = graph.walk(), graph.stationary()
        px = first_preactivations(walk, x.dense())
        start = px @ px.T / px.shape[1]
        between, total = kernel_spread(activation, walk, start, weights, depth=setting.layers, **options)

        def one(key: jax.Array) -> jax.Array:
            return simulated_spread(
                key, activation, walk, px, weights, width=setting.width, depth=setting.layers, **options
            )

        return between / total, jax.lax.map(one, keys)

    found = both(graph, x, seed_keys(seeds))
    predicted, measured = (np.asarray(a, np.float64) for a in found)
    depths = collapse_depth(np.concatenate([predicted[None], measured]), setting.threshold) + 1
    return Spread(predicted, measured, float(depths[0]), depths[1:])
