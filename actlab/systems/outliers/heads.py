"""Heads: how the last preactivation becomes the prediction; an affine image of an activation, facts included."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.activations import Activation
from actlab.systems.outliers.scale import mad

REACH = 6.0
"""Half of a bounded head's range in robust deviations of the targets."""


def linear_head(targets: Float[Array, " n"]) -> Activation:
    """`median + MAD z`: of unbounded range."""
    return al.affine(scale=mad(targets), shift=jnp.median(targets))


def bounded_head(targets: Float[Array, " n"], activation: Any, reach: float = REACH) -> Activation:
    """An activation of bounded range, mapped to `median +- reach MAD` of the training targets.

    With tanh `median + MAD reach tanh(z / reach)`: one MAD a unit of z, as the linear head has. The range is never
    chosen from mean and standard deviation, which one wrong label can stretch without limit.

    Args:
        targets: of the training rows, outliers and all; may be traced.
        activation: an Activation, a function or a name, of finite range that is not one point.
        reach: half of the range in robust deviations.

    Raises:
        FactError: the range is not known to be bounded.
    """
    activation = al.require(al.as_activation(activation), bounded_range=True, because="a bounded head")
    bounds = activation.facts.range
    assert bounds is not None
    half, middle = float(bounds.width) / 2.0, float(bounds.lower + bounds.upper) / 2.0
    unit = al.affine(activation, scale=reach / half, shift=-reach * middle / half, input_scale=1.0 / reach)
    return al.affine(unit, scale=mad(targets), shift=jnp.median(targets))


def is_bounded(activation: Activation) -> bool:
    """The range is known to be finite."""
    bounds = activation.facts.range
    return bounds is not None and math.isfinite(bounds.magnitude)


def concrete(head: Activation) -> Activation:
    """The head with its scalar parameters as Python numbers: facts in float64, and tight, the signs being known."""
    return jax.tree.map(lambda leaf: float(leaf) if np.ndim(leaf) == 0 else leaf, head)


def outside(head: Activation, targets: Any) -> float:
    """The fraction of targets that the head cannot predict, being outside its range; 0 where the range is unknown."""
    bounds = concrete(head).facts.range
    if bounds is None:
        return 0.0
    return float(np.mean((np.asarray(targets) < float(bounds.lower)) | (np.asarray(targets) > float(bounds.upper))))


def range_note(head: Activation, targets: Any) -> str | None:
    """A warning in one sentence where targets fall outside the head's range, else None.

    Whether those are outliers, as wished, or good rows, whose predictions are then biased, the head cannot know.
    """
    fraction = outside(head, targets)
    if fraction == 0.0:
        return None
    return (
        f"{fraction:.1%} of the targets lie outside the head's range {concrete(head).facts.range}: it cannot predict "
        "them; if they are good rows its predictions are biased, and a larger reach is needed."
    )
