"""The value of a polynomial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array


def polynomial(coefficients: Sequence[Any] | Array, x: Array) -> Array:
    """The sum of coefficients[k] x^k, of the shape of x, by Horner's rule.

    Args:
        coefficients: numbers, or an array of shape (count,); the constant one first.
        x: a floating array.
    """
    total = jnp.zeros_like(x)
    for k in reversed(range(len(coefficients))):
        total = coefficients[k] + x * total
    return total
