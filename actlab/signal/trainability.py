"""How deep a plain net can be: the depth beyond which theory expects no gradient, or no signal, to get through."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from actlab.activations import Activation
from actlab.signal.mean_field import NoFixedPointError, fixed_point, susceptibility, variance_map
from actlab.signal.quadrature import QuadratureError

FOLDS = 6.0
"""Factors of e that training survives, as Schoenholz et al. 2017 found."""
DEEPEST = 1000
"""Depth beyond which no bound is looked for."""
SETTLED = 1e-6
"""Relative change of the variance in a layer that counts as none."""


class GradientPath(NamedTuple):
    """What theory expects of a net, layer by layer from the input, each of shape (*weight variances, depth).

    Attributes:
        growth: log of the squared gradient norm's factor between the first preactivations and those of each layer:
            the sum of log chi_1(q_l) so far. nan from where the variance left float64.
        variance: q of each layer, the first's included and the last's not.
    """

    growth: Any
    variance: Any


def gradient_path(
    activation: Activation, weight_variance: Any, bias_variance: Any, *, start: Any, depth: int
) -> GradientPath:
    """Follows q_(l+1) = V(q_l) from q_0 = `start` and adds up log chi_1(q_l), in float64.

    No fixed point is needed: a ReLU net off its critical variance has none. The quadrature is the fixed rule of traced
    arguments, split at the known kinks.

    Args:
        activation: scalar, with number parameters.
        weight_variance: of the weights, times fan_in; any shape, broadcast with the next two.
        bias_variance: of the biases.
        start: variance of the first preactivations, positive.
        depth: layers, at least 1.

    Raises:
        ValueError: variances or a depth that are not positive.
    """
    weights, biases, q = np.broadcast_arrays(
        *(np.asarray(v, np.float64) for v in (weight_variance, bias_variance, start))
    )
    if not (np.all(weights > 0) and np.all(biases >= 0) and np.all(q > 0)):
        raise ValueError(
            f"gradient_path: weight_variance = {weight_variance} and start = {start} must be positive, "
            f"bias_variance = {bias_variance} not negative"
        )
    if depth < 1:
        raise ValueError(f"gradient_path: depth = {depth} must be at least 1")
    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        flat = [jnp.asarray(v.ravel()) for v in (weights, biases, q)]
        growth, variance = (np.asarray(v) for v in _paths(activation, *flat, depth))
    finite = np.isfinite(growth) & np.isfinite(variance)
    growth = np.where(np.logical_and.accumulate(finite, axis=1), growth, np.nan)
    return GradientPath(growth.reshape(*weights.shape, depth), variance.reshape(*weights.shape, depth))


@functools.partial(jax.jit, static_argnums=(4,))
def _paths(
    activation: Activation,
    weights: Float[Array, " n"],
    biases: Float[Array, " n"],
    start: Float[Array, " n"],
    depth: int,
) -> tuple[Float[Array, "n depth"], Float[Array, "n depth"]]:
    def one(w: Array, b: Array, q: Array) -> tuple[Array, Array]:
        def layer(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
            total, q = carry
            total = total + jnp.log(susceptibility(activation, q, w))
            return (total, variance_map(activation, q, w, b)), (total, q)

        return jax.lax.scan(layer, (jnp.zeros_like(q), q), None, length=depth)[1]

    return jax.vmap(one)(weights, biases, start)


def trainable_depth(
    activation: Activation,
    weight_variance: Any,
    bias_variance: float = 0.0,
    *,
    start: Any = None,
    folds: float = FOLDS,
    deepest: int = DEEPEST,
) -> Any:
    """Layers after which the squared gradient norm has changed by e^folds, up or down; shape of `weight_variance`.

    Fractions of a layer are interpolated; inf where the bound is not met within `deepest` layers, and where the
    variance leaves float64 first, the layer at which it does.

    Args:
        activation: scalar, with number parameters.
        weight_variance: of the weights, times fan_in; positive, any shape.
        bias_variance: of the biases.
        start: variance of the first preactivations; by default that of inputs of mean square 1.
        folds: 6 is what Schoenholz et al. observed.
        deepest: layers followed.

    Raises:
        ValueError: as for `gradient_path`.

    Source: Schoenholz et al. 2017, "Deep information propagation", eq. 14 and section 5. Theirs is 6 xi_c at the fixed
    point (`correlation_bound`), the same in the ordered phase once the variance has settled; this counts the layers
    until it has, too.
    """
    weights = np.asarray(weight_variance, np.float64)
    start = weights + bias_variance if start is None else start
    growth = gradient_path(activation, weights, bias_variance, start=start, depth=deepest).growth
    size = np.abs(np.concatenate([np.zeros((*weights.shape, 1)), growth], axis=-1))
    beyond = ~(size < folds)
    first = np.where(beyond.any(-1), beyond.argmax(-1), deepest + 1)
    found = np.full(weights.shape, np.inf)
    for place in np.ndindex(weights.shape):
        layer = int(first[place])
        if layer <= deepest:
            before, after = size[place][layer - 1], size[place][layer]
            found[place] = layer - 1 + ((folds - before) / (after - before) if np.isfinite(after) else 0.0)
    return found[()]


def correlation_bound(
    activation: Activation,
    weight_variance: float,
    bias_variance: float = 0.0,
    *,
    start: float | None = None,
    folds: float = FOLDS,
) -> float:
    """`folds` times the depth scale xi_c over which the correlation of two inputs settles.

    nan where the variance has not settled within 1000 layers.

    Raises:
        ValueError: as for `fixed_point`.

    Source: Schoenholz et al. 2017, section 5: nets deeper than 6 xi_c did not train.
    """
    start = weight_variance + bias_variance if start is None else start
    variance = gradient_path(activation, weight_variance, bias_variance, start=start, depth=DEEPEST).variance
    before, last = (float(v) for v in variance[-2:])
    if not (1e-30 < last < 1e30 and abs(last - before) <= SETTLED * last):
        return math.nan
    try:
        return folds * fixed_point(activation, weight_variance, bias_variance, start=last).correlation_depth
    except (NoFixedPointError, QuadratureError):
        return math.nan
