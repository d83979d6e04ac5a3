"""Rounding errors: proved slack for sums of products in any order, and the error model of an activation.

With unit roundoff u and n terms, every order of summation, with or without fused multiply-add, gives
|fl(w.x) - w.x| <= gamma_n |w|.|x|,  gamma_n = n u / (1 - n u)  (Higham 2002, Accuracy and Stability of Numerical
Algorithms, section 3.1). Numbers below the smallest normal one may be taken for 0, as XLA does on a CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.activations.definition import aligned
from actlab.bounds.errors import UnsupportedLayerError

EVALUATION = 4
"""A computed f(x) is taken to be f at a point within so many eps of x, itself within so many eps, relative errors."""


def growth(terms: int, dtype: Any) -> float:
    """A factor that covers three sums of so many terms and a few operations more: twice gamma_(terms + 8).

    Raises:
        UnsupportedLayerError: so many terms that the dtype guarantees nothing.
    """
    product = (terms + 8) * float(jnp.finfo(dtype).eps)
    if product > 0.1:
        raise UnsupportedLayerError(
            f"a sum of {terms} products has no useful error bound in {jnp.dtype(dtype).name}; trace the model in "
            "float32 or float64"
        )
    return product * (1 + 4 * product)


def least(terms: int, dtype: Any, *sizes: Any) -> Any:
    """What products below the smallest normal number can lose, with factors of these sizes."""
    return float(jnp.finfo(dtype).tiny) * (terms + 8) * (1.0 + sum(jnp.asarray(s, dtype) for s in sizes))


def slack_of_value(value: Float[Array, "*s"], x: Float[Array, "*s"], lipschitz: Any) -> Float[Array, "*s"]:
    """How far a computed f(x) may be from f(x): a few roundings of the value, and of the argument before it."""
    info = jnp.finfo(value.dtype)
    moved = jnp.abs(x) * aligned(lipschitz, value)
    return jax.lax.stop_gradient(float(info.eps) * EVALUATION * (jnp.abs(value) + moved) + 8 * float(info.tiny))


def finite_or(value: Float[Array, "*s"], otherwise: float) -> Float[Array, "*s"]:
    """NaN, which `inf - inf` leaves, replaced by a bound that is certain."""
    return jnp.where(jnp.isnan(value), otherwise, value)


@contextmanager
def full_precision() -> Iterator[None]:
    """Matrix products and convolutions inside are computed in their dtype, on accelerators too."""
    with jax.default_matmul_precision("highest"):
        yield
