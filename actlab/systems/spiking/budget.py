"""A gradient budget: bounds on |du_T/du_0| and |dL/dW| of a spiking network, before any gradient is taken.

One step passes the gradient of a layer's potentials on by diag(carried') + V diag(h), of norm at most
A = sup |carried'| + |V| peak; a spike passes it by at most the peak. Summed over the steps, with spikes of at most 1,
the norms of weights and surrogate facts bound every gradient, whatever the spikes are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from actlab.bounds import spectral_norm
from actlab.systems.spiking.laws import largest_factor
from actlab.systems.spiking.lif import LIF
from actlab.systems.spiking.surrogates import SpikingError


class LayerBudget(NamedTuple):
    """Bounds of one layer: spectral norms of the first two, Frobenius norms of the others; infinite on overflow.

    Attributes:
        factor: A, the growth of the gradient in one step; at most 1: no explosion in time.
        potential: |du_T/du_0| over all steps.
        weights: |dL/dW| of its input weights.
        recurrent: |dL/dV|; 0 where it has none.
    """

    factor: float
    potential: float
    weights: float
    recurrent: float


class Budget(NamedTuple):
    """Bounds of a network's gradients.

    Attributes:
        layers: of each spiking layer, from the input.
        readout: of |dL/dW_out|.
    """

    layers: tuple[LayerBudget, ...]
    readout: float


def potential_bound(neuron: LIF, steps: int, weights: Any = None) -> float:
    """An upper bound of |du_T/du_0| over so many steps, for a layer without or with recurrent weights.

    Raises:
        SpikingError: parameters that differ between units: take their worst.
    """
    return _power(_factor(neuron, weights), steps)


def gradient_budget(
    neuron: LIF,
    kernels: Sequence[Any],
    recurrent: Sequence[Any] = (),
    *,
    readout_kernel: Any,
    inputs: Any,
    logit_scale: float = 1.0,
) -> Budget:
    """Bounds for `SpikingNet` layers under cross-entropy of the logits scale * sum_t k_t s_t @ W_out.

    Of a mean over a batch as well: it is not above the largest sample's.

    Args:
        neuron: of every layer; its leaves are numbers.
        kernels: input weights of the spiking layers, then the readout's, each (inputs, outputs).
        recurrent: one matrix a spiking layer, or none.
        readout_kernel: k, shape (times,): 1/times for the mean count.
        inputs: Euclidean norm of the input at each step, shape (times,): the largest over the samples.
        logit_scale: in front of the logits.

    Raises:
        SpikingError: matrices that are not one a layer, or parameters that differ between units.
    """
    *hidden, last = [np.asarray(k, np.float64) for k in kernels]
    if len(recurrent) not in (0, len(hidden)):
        raise SpikingError(f"gradient_budget: {len(recurrent)} recurrent matrices for {len(hidden)} spiking layers")
    kernel, inputs = (np.abs(np.asarray(v, np.float64)) for v in (readout_kernel, inputs))
    times, peak = len(kernel), _number(neuron.surrogate.shape_facts.peak, "peak")
    gain = _gain(neuron)
    widths = [k.shape[1] for k in hidden]
    # |softmax - onehot| <= sqrt 2, and each vector of hidden spikes is at most sqrt(units) long.
    slope = math.sqrt(2) * logit_scale
    readout = slope * (float(kernel.sum()) * math.sqrt(widths[-1]) if widths else float(kernel @ inputs))
    arriving = slope * kernel * _norm(last)
    layers: list[LayerBudget] = []
    for number in reversed(range(len(hidden))):
        own = recurrent[number] if recurrent else None
        factor = _factor(neuron, own)
        error = np.zeros(times)
        with np.errstate(over="ignore", invalid="ignore"):
            later = 0.0
            for t in reversed(range(times)):  # a number a step, not an array
                later = peak * arriving[t] + factor * later
                error[t] = later
            error = np.where(np.isnan(error), np.inf, error)
            entering = inputs if number == 0 else np.full(times, math.sqrt(widths[number - 1]))
            seen = np.where(entering > 0, entering * error, 0.0)
            by_own = math.sqrt(widths[number]) * error[1:].sum() if own is not None else 0.0
            layers.append(LayerBudget(factor, _power(factor, times), gain * seen.sum(), gain * by_own))
            arriving = gain * _norm(hidden[number]) * error
    return Budget(tuple(reversed(layers)), readout)


def advice(neuron: LIF) -> str:
    """One sentence: whether the reset can amplify gradients, and what to do if it can."""
    factor = float(np.max(np.asarray(largest_factor(neuron))))
    if factor <= 1:
        return f"No step of an uncoupled layer grows a gradient: its factor is at most {factor:.3g}."
    return (
        f"A step can grow a gradient {factor:.3g} times through the reset: detach it (reset_gradient = 0), or take the "
        "surrogate's peak down to (1 + decay)/threshold: `critical_beta`."
    )


def _factor(neuron: LIF, weights: Any) -> float:
    own = _number(largest_factor(neuron), "decay, threshold or beta")
    if weights is None:
        return own
    return own + _gain(neuron) * _norm(weights) * _number(neuron.surrogate.shape_facts.peak, "peak")


def _gain(neuron: LIF) -> float:
    """What the input is multiplied by."""
    return 1 - _number(neuron.decay, "decay") if neuron.input_gain == "leak" else 1.0


def _norm(matrix: Any) -> float:
    return float(spectral_norm(np.asarray(matrix, np.float64)))


def _number(value: Any, what: str) -> float:
    if np.ndim(value) != 0:
        raise SpikingError(f"gradient bounds: {what} has the shape {np.shape(value)}; give the worst of the units")
    return float(value)


def _power(factor: float, steps: int) -> float:
    try:
        return factor**steps
    except OverflowError:
        return math.inf
