"""Deep kernel shaping (DKS) and tailored activation transformations (TAT): f made trainable in a deep net.

Both replace f by output_scale (f(input_scale x + input_shift) + output_shift), so chosen that the whole network's map
of correlations is nearly, but not quite, the identity. The network enters by its maximizing function alone:
`network(c, local)` is the largest value over its subnetworks when every nonlinear layer maps c to local(c).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import root

from actlab.activations import Activation, affine, as_activation, leaky_relu
from actlab.signal.quadrature import QuadratureError, gaussian_means
from actlab.signal.roots import zero_between

Network = Callable[[float, Callable[[float], float]], float]
STARTS = tuple(itertools.product((1.0, 0.1, 0.3), (0.0, 1.0, -1.0, 0.3)))
"""Input scales and shifts that the search begins from."""
SMALLEST, LARGEST = math.exp(-20.0), math.exp(5.0)
"""The input scales that the search looks at; a step that leads beyond is cut to them."""
RESIDUAL = 1e-9
STEEPEST = 2.0
"""A TAT solution whose input and output scale multiply to this or more is passed over: its variance map is unstable."""


class TailoringError(ValueError):
    """No transformation meets the targets."""


@dataclass(frozen=True)
class Tailored:
    """A transformed activation: output_scale (f(input_scale x + input_shift) + output_shift).

    Attributes:
        activation: the transformed activation, its facts by the algebra.
        input_scale: positive.
        input_shift: added after scaling.
        output_shift: added before scaling.
        output_scale: positive.
    """

    activation: Activation
    input_scale: float
    input_shift: float
    output_shift: float
    output_scale: float


def plain(depth: int) -> Network:
    """The maximizing function of a chain of `depth` nonlinear layers."""
    return lambda c, local: functools.reduce(lambda x, _: local(x), range(depth), c)


def residual(groups: Sequence[int] = (3, 4, 23, 3), *, branch: int = 3, shortcut_weight: float = 0.6) -> Network:
    """The maximizing function of a residual net with normalized sums: w^2 shortcut + (1 - w^2) branch.

    Args:
        groups: blocks in each group; the first of a group has a nonlinear layer in its shortcut. ResNet-101 as default.
        branch: nonlinear layers of a residual branch.
        shortcut_weight: w.
    """
    on_shortcut = shortcut_weight**2

    def maximize(c: float, local: Callable[[float], float]) -> float:
        through = plain(branch)
        x = c
        for block in itertools.chain.from_iterable(range(blocks) for blocks in groups):
            x = on_shortcut * (x if block else local(x)) + (1 - on_shortcut) * through(x, local)
        return max(local(x), through(c, local))

    return maximize


def dks(activation: Activation | str, network: Network, *, slope: float = 1.5) -> Tailored:
    """Deep kernel shaping: Q(1) = 1, Q'(1) = 1, C(0) = 0 locally, and C'(1) = `slope` for the worst subnetwork.

    Q is the variance map and C the correlation map of a layer with weight variance 1 and no biases: initialize so.

    Args:
        activation: smooth or not; not ReLU or its like, of which input scale and shift change too little.
        network: its maximizing function, `plain(depth)` for a plain net.
        slope: above 1; the paper's zeta.

    Raises:
        TailoringError: no solution was found, with an input scale from exp(-20) to exp(5).
        ValueError: a slope that is not above 1.

    Source: Martens et al. 2021, "Rapid training of deep neural networks without skip connections or normalization
    layers using deep kernel shaping", section 5 and appendix.
    """
    if not slope > 1:
        raise ValueError(f"dks: slope = {slope} must be above 1")
    f = as_activation(activation)
    target = _increasing(lambda x: network(1.0, lambda y: x * y), slope, 1.0)

    def miss(scale: float, shift: float) -> tuple[list[float], float]:
        names = ("first", "second", "slope_second", "value_curvature", "curvature_first")
        m1, m2, s2, fc, c1 = gaussian_means(f, names, shift, scale)
        square = scale**2 / (m2 - m1**2)
        return [square * s2 - target, square * (s2 + fc - m1 * c1) - 1.0], -m1

    return _solved(f, miss, "dks", math.inf)


def tat(activation: Activation | str, network: Network, *, curvature: float = 0.3) -> Tailored:
    """Tailored transformation of a smooth f: Q(1) = Q'(1) = C'(1) = 1 locally, C''(1) = `curvature` at worst.

    Args:
        activation: with a continuous derivative (for leaky ReLU see `tat_leaky_relu`).
        network: its maximizing function.
        curvature: positive; the paper's tau.

    Raises:
        TailoringError: no solution was found, with an input scale from exp(-20) to exp(5).
        ValueError: a curvature that is not positive, or an f whose derivative jumps.

    Source: Zhang, Botev & Martens 2022, "Deep learning without shortcuts", section 4.
    """
    if not curvature > 0:
        raise ValueError(f"tat: curvature = {curvature} must be positive")
    f = as_activation(activation)
    if f.facts.smoothness is not None and f.facts.smoothness < 1:
        raise ValueError(f"tat: the slope of {f.name} jumps, so C''(1) is infinite; use tat_leaky_relu, or dks")
    target = _increasing(lambda x: network(0.0, lambda y: x + y), curvature, 0.0)

    def miss(scale: float, shift: float) -> tuple[list[float], float]:
        names = ("first", "second", "slope_second", "value_curvature", "curvature_first", "curvature_second")
        m1, m2, s2, fc, c1, c2 = gaussian_means(f, names, shift, scale)
        down = -fc / c1 if c1 else math.nan  # makes E[(f + down) f''] zero, which is Q'(1) = C'(1)
        return [scale**2 * c2 / s2 - target, (m2 + 2 * down * m1 + down**2) / (scale**2 * s2) - 1.0], down

    return _solved(f, miss, "tat", STEEPEST)


def tat_leaky_relu(network: Network, *, correlation: float = 0.9) -> Tailored:
    """Leaky ReLU with the negative slope at which uncorrelated inputs reach at most `correlation`; Q(q) = q for all q.

    Args:
        network: its maximizing function.
        correlation: in (0, 1); the paper's eta.

    Raises:
        ValueError: a correlation outside (0, 1).
        TailoringError: plain ReLU does not reach it.

    Source: Zhang, Botev & Martens 2022, section 4.1.
    """
    if not 0 < correlation < 1:
        raise ValueError(f"tat_leaky_relu: correlation = {correlation} must lie in (0, 1)")

    def excess(slope: float) -> float:
        return network(0.0, functools.partial(_leaky_map, slope)) - correlation

    if excess(0.0) < 0:
        raise TailoringError(
            f"tat_leaky_relu: in this network ReLU itself reaches only {excess(0.0) + correlation:.4g}; "
            f"ask for less than correlation = {correlation:g}"
        )
    slope = zero_between(excess, 0.0, 1.0)
    scale = math.sqrt(2 / (1 + slope**2))
    return Tailored(affine(leaky_relu.bind(negative_slope=slope), scale=scale), 1.0, 0.0, 0.0, scale)


def _leaky_map(slope: float, c: float) -> float:
    """The correlation map of leaky ReLU, from the arc-cosine kernel."""
    arc = (math.sqrt(max(1 - c**2, 0.0)) + (math.pi - math.acos(min(max(c, -1.0), 1.0))) * c) / math.pi
    return ((1 - slope) ** 2 * arc + 2 * slope * c) / (1 + slope**2)


def _increasing(network: Callable[[float], float], target: float, least: float) -> float:
    """The local value at which the network's is the target; the network's grows with it from least to least."""
    high = least + 1.0
    while network(high) < target:
        high = least + 2 * (high - least)
        if high > 1e6:
            raise TailoringError(f"the network never reaches {target}: has it a nonlinear layer?")
    return zero_between(lambda x: network(x) - target, least, high, 1e-15)


def _solved(
    f: Activation, miss: Callable[[float, float], tuple[list[float], float]], what: str, steepest: float
) -> Tailored:
    def scale_of(p: np.ndarray) -> float:
        return min(max(math.exp(min(p[0], 700.0)), SMALLEST), LARGEST)

    def residuals(p: np.ndarray) -> np.ndarray:
        try:
            return np.asarray(miss(scale_of(p), float(p[1]))[0])
        except (QuadratureError, ZeroDivisionError):
            return np.array([1e3, 1e3])

    for scale, shift in STARTS:
        found = root(residuals, [math.log(scale), shift], method="hybr", tol=1e-13)
        if not np.all(np.abs(residuals(found.x)) < RESIDUAL):
            continue
        input_scale, input_shift = scale_of(found.x), float(found.x[1])
        down = miss(input_scale, input_shift)[1]
        m1, m2 = gaussian_means(f, ("first", "second"), input_shift, input_scale)
        output_scale = 1 / math.sqrt(m2 + 2 * down * m1 + down**2)
        if input_scale * output_scale < steepest:
            g = affine(
                f, scale=output_scale, shift=output_scale * down, input_scale=input_scale, input_shift=input_shift
            )
            return Tailored(g, input_scale, input_shift, down, output_scale)
    raise TailoringError(
        f"{what}: found no input scale from {SMALLEST:.1g} to {LARGEST:.3g}, with a shift, of {f.name} that meet the "
        "targets"
    )
