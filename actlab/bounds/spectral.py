"""Upper bounds of operator norms: dense matrices and convolutions, rounding errors included.

Power iteration approaches the norm from below: a certificate built on it is unsound. Gram iteration approaches it from
above: with G = W^T W, ||W||^(2^(k+1)) = ||G^(2^k)|| <= ||G^(2^k)||_F, which is at most rank^(1/2) too large before the
root is taken. Every squaring's rounding is added on the way back.

`no_type_check`: a bound is hundreds of calls on a small matrix; checking their types, as tests do, costs five times
as much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, no_type_check

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from actlab.bounds.rounding import full_precision

SQUARINGS = 12
"""Of a traced matrix: its bound is at most a factor of rank^(1/16384) too large. A concrete one gets as many as float64
can show."""


def spectral_norm(matrix: Any, squarings: int | None = None) -> Any:
    """An upper bound of the largest singular value of each matrix.

    A concrete matrix is computed with in float64 on the host, to about 1e-12; a traced one in its own dtype.
    Differentiable: the derivative is that of the norm itself.

    Args:
        matrix: shape (..., rows, columns).
        squarings: of the Gram matrix.

    Returns:
        Shape (...,), in the dtype of the matrix.

    Raises:
        ValueError: fewer than two axes.

    Source: Delattre et al. 2023, arXiv:2305.16173, algorithm 1, with the rounding errors added.
    """
    if np.ndim(matrix) < 2:
        raise ValueError(f"spectral_norm: shape {np.shape(matrix)}; needs a matrix")
    if isinstance(matrix, Tracer):
        with full_precision():
            return _with_derivative(matrix, *_gram_bound(jnp, matrix, squarings or SQUARINGS))
    dtype = jnp.result_type(matrix)
    exact = np.asarray(matrix, np.float64)
    bound = _gram_bound(np, exact, squarings or 36)[0]
    return _rounded_up(bound, dtype)


def _rounded_up(bound: Any, dtype: Any) -> Any:
    value = np.asarray(bound, dtype)
    value = np.where(value.astype(np.float64) < bound, np.nextafter(value, np.asarray(np.inf, dtype)), value)
    return jnp.asarray(value)


@no_type_check
def _gram_bound(xp: Any, matrix: Any, squarings: int) -> tuple[Any, Any]:
    """The bound, and the last power of the Gram matrix, scaled."""
    if matrix.shape[-2] < matrix.shape[-1]:
        matrix = xp.swapaxes(matrix, -1, -2)
    eps = float(xp.finfo(matrix.dtype).eps)
    rows, columns = matrix.shape[-2:]
    few = 1 + 8 * eps
    scale = _nonzero(xp, _largest(xp, matrix))
    w = matrix / scale[..., None, None]
    absolute = xp.abs(w)
    steps = []  # (scale after the squaring, its rounding error in the Frobenius norm)
    power = xp.matmul(xp.swapaxes(w, -1, -2), w)
    sizes = xp.matmul(xp.swapaxes(absolute, -1, -2), absolute)
    error = _growth(rows, eps) * _frobenius(xp, sizes, eps)
    for _ in range(squarings):
        size = _nonzero(xp, _largest(xp, power))
        steps.append((size, error))
        power = power / size[..., None, None]
        error = _growth(columns, eps) * _frobenius(xp, power, eps) ** 2 * few
        power = xp.matmul(power, power)
    norm = _frobenius(xp, power, eps) + error
    for size, error in reversed(steps):
        norm = (xp.sqrt(norm) * few * size * few + error) * few
    return scale * xp.sqrt(norm) * few * few, power


@no_type_check
def _largest(xp: Any, matrix: Any) -> Any:
    return xp.max(xp.abs(matrix), axis=(-1, -2))


@no_type_check
def _nonzero(xp: Any, value: Any) -> Any:
    return xp.where(value > 0, value, 1)


@no_type_check
def _frobenius(xp: Any, matrix: Any, eps: float) -> Any:
    count = matrix.shape[-1] * matrix.shape[-2]
    return xp.sqrt(xp.sum(xp.square(matrix), axis=(-1, -2))) * (1 + _growth(count, eps))


@no_type_check
def _growth(terms: int, eps: float) -> float:
    """Above gamma_terms, with room for the operations beside it."""
    return (terms + 8) * eps * (1 + (terms + 8) * eps)


def _with_derivative(matrix: Array, bound: Array, power: Array) -> Array:
    """The bound's value, with u v^T, the outer product of the leading singular vectors, for its derivative."""
    tall = matrix.shape[-2] >= matrix.shape[-1]
    w = matrix if tall else jnp.swapaxes(matrix, -1, -2)
    column = jnp.argmax(jnp.diagonal(power, axis1=-2, axis2=-1), axis=-1)
    v = jnp.take_along_axis(power, column[..., None, None], axis=-1)
    v = jax.lax.stop_gradient(v / jnp.maximum(jnp.linalg.norm(v, axis=-2, keepdims=True), 1e-30))
    u = jax.lax.stop_gradient(jnp.matmul(w, v))
    u = u / jnp.maximum(jnp.linalg.norm(u, axis=-2, keepdims=True), 1e-30)
    near = jnp.sum(u * jnp.matmul(w, v), axis=(-2, -1))
    return jax.lax.stop_gradient(bound - near) + near


def convolution_norm(
    kernel: Any, shape: Sequence[int], strides: Sequence[int] | int = 1, squarings: int | None = None
) -> Any:
    """An upper bound of the operator norm (Euclidean) of a zero-padded convolution.

    The convolution is a part of a circular one on a torus large enough for nothing to wrap around, whose norm is the
    largest over the torus' frequencies. A strided one is taken as an ordinary one of as many more channels.

    Args:
        kernel: shape (*space, inputs, outputs), as `nnx.Conv` keeps it; no dilation, one feature group.
        shape: of the image, (*space).
        strides: one number, or one an axis.
        squarings: as in `spectral_norm`.

    Raises:
        ValueError: a shape or strides that do not fit the kernel.

    Source: Sedghi, Gupta & Long 2019, arXiv:1805.10408; the embedding makes it an upper bound for zero padding too.
    """
    space = np.ndim(kernel) - 2
    strides = (strides,) * space if isinstance(strides, int) else tuple(strides)
    if len(shape) != space or len(strides) != space:
        raise ValueError(f"convolution_norm: kernel {np.shape(kernel)}, image {tuple(shape)}, strides {strides}")
    traced = isinstance(kernel, Tracer)
    dtype = jnp.result_type(kernel)
    taps: Any = kernel if traced else np.asarray(kernel, np.float64)
    taps = _polyphase(taps, strides)
    sizes = [math.ceil(n / s) + k for n, s, k in zip(shape, strides, taps.shape[:space], strict=True)]
    with full_precision():
        matrices, error = _spectrum(taps, sizes)
        norms = spectral_norm(matrices, squarings)
    bound = (jnp if traced else np).max(norms) + error
    bound = bound * (1 + 8 * float(jnp.finfo(dtype).eps))
    return bound if traced else _rounded_up(np.asarray(bound, np.float64), dtype)


def _polyphase(taps: Any, strides: Sequence[int]) -> Any:
    """The kernel of stride 1 over blocks of the strides' size, whose inputs are all channels of a block."""
    xp = jnp if isinstance(taps, jax.Array) else np
    space = taps.ndim - 2
    lengths = [math.ceil(k / s) for k, s in zip(taps.shape, strides, strict=False)]
    grown = [(0, n * s - k) for n, s, k in zip(lengths, strides, taps.shape[:space], strict=True)]
    taps = xp.pad(taps, [*grown, (0, 0), (0, 0)])
    taps = taps.reshape([d for pair in zip(lengths, strides, strict=True) for d in pair] + list(taps.shape[-2:]))
    order = [2 * i for i in range(space)] + [2 * i + 1 for i in range(space)] + [2 * space, 2 * space + 1]
    return taps.transpose(order).reshape(*lengths, -1, taps.shape[-1])


def _spectrum(taps: Any, sizes: Sequence[int]) -> tuple[Any, Any]:
    """The real form of the kernel's transform at a torus' frequencies (one of each conjugate pair), and its error."""
    xp = jnp if isinstance(taps, jax.Array) else np
    frequencies = np.stack(np.meshgrid(*[np.arange(n) for n in sizes], indexing="ij"), -1).reshape(-1, len(sizes))
    frequencies = frequencies[frequencies[:, 0] <= sizes[0] // 2]
    places = np.stack(np.meshgrid(*[np.arange(n) for n in taps.shape[:-2]], indexing="ij"), -1).reshape(-1, len(sizes))
    turns = (frequencies[:, None, :] * places[None] % np.array(sizes)) / np.array(sizes)
    angles = 2 * np.pi * turns.sum(-1)
    flat = taps.reshape(-1, *taps.shape[-2:])
    cosine, sine = (xp.asarray(g(angles), flat.dtype) for g in (np.cos, np.sin))
    real, imaginary = xp.einsum("ft,tio->fio", cosine, flat), xp.einsum("ft,tio->fio", sine, flat)
    top = xp.concatenate([real, -imaginary], -1)
    matrices = xp.concatenate([top, xp.concatenate([imaginary, real], -1)], -2)
    eps = float(xp.finfo(flat.dtype).eps)
    size = xp.sqrt(xp.sum(xp.square(xp.sum(xp.abs(flat), axis=0))))
    return matrices, 4 * _growth(len(places) + 8, eps) * size
