"""1-Lipschitz linear layers: kernels with orthonormal rows or columns, parametrized without constraint."""

from __future__ import annotations

import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

Parametrization = Literal["cayley", "bjorck"]
PARAMETRIZATIONS: tuple[str, ...] = ("cayley", "bjorck")
SMALL = 32
"""Rows up to which a matrix is inverted by elimination in one loop."""
BJORCK_ITERATIONS = 25
"""From scaled singular values of at least 3e-4 these reach orthogonality to float32's precision."""


def cayley(raw: Float[Array, "rows columns"]) -> Float[Array, "rows columns"]:
    """A matrix with orthonormal columns (rows, where it is wide) from any matrix, by Cayley's transform.

    With raw = [U; V], U square and S = U - U^T + V^T V: [(I + S)^-1 (I - S); -2 V (I + S)^-1]. Exactly orthogonal in
    the reals; in float32 to about 1e-6. I + S is never singular: its symmetric part is I + V^T V.

    Source: Trockman & Kolter 2021, arXiv:2104.07167, section 3 and appendix (semi-orthogonal form).
    """
    rows, columns = raw.shape
    if rows < columns:
        return cayley(raw.T).T
    U, V = raw[:columns], raw[columns:]
    eye = jnp.eye(columns, dtype=raw.dtype)
    S = U - U.T + V.T @ V
    inverse = _inverse(eye + S)  # (I + S)^-1 (I - S) = 2 (I + S)^-1 - I: one inverse gives both parts
    return jnp.concatenate([2 * inverse - eye, -2 * V @ inverse])


@jax.custom_jvp
def _inverse(A: Array) -> Array:
    X = _eliminated(A)
    return X + X @ (jnp.eye(A.shape[0], dtype=A.dtype) - A @ X)  # one step of Newton's: takes gathered rounding out


def _eliminated(A: Array) -> Array:
    """The inverse of a matrix whose symmetric part is at least I: then no pivot, nor Schur complement, falls below it.

    Halves by their Schur complement, small ones by Gauss-Jordan: matrix products, which XLA batches. LAPACK's threads
    cost more than they give on many small matrices, fifty times as much on a busy machine.
    """
    n = A.shape[0]
    if n > SMALL:
        P, Q, R, T = A[: n // 2, : n // 2], A[: n // 2, n // 2 :], A[n // 2 :, : n // 2], A[n // 2 :, n // 2 :]
        first = _eliminated(P)
        right, below = first @ Q, R @ first
        last = _eliminated(T - R @ right)
        corner = right @ last
        return jnp.block([[first + corner @ below, -corner], [-last @ below, last]])
    eye = jnp.eye(n, dtype=A.dtype)

    def pivot(k: Array, M: Array) -> Array:
        column, row = M[:, k], M[k]
        row = jnp.where(eye[k] == 1, 1.0, row) / row[k]
        M = jnp.where(eye[k][None] == 1, eye, M)
        return M - (column - eye[k])[:, None] * row[None]

    return jax.lax.fori_loop(0, n, pivot, A)


@_inverse.defjvp
def _inverse_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    # By products of the inverse itself: a solve's own rule factorizes again, which costs more than the layer.
    inverse = _inverse(*primals)
    return inverse, -inverse @ tangents[0] @ inverse


def bjorck(raw: Float[Array, "rows columns"], iterations: int = BJORCK_ITERATIONS) -> Float[Array, "rows columns"]:
    """The polar factor of a matrix of full rank, by Bjorck's iteration Q <- Q (3 I - Q^T Q) / 2.

    The matrix is first divided by sqrt(||raw||_1 ||raw||_inf), which is at least its spectral norm: the iteration then
    converges, quadratically at the end, and never exceeds singular values of 1 (but for rounding).

    Source: Bjorck & Bowie 1971, SIAM J. Numer. Anal. 8(2); for 1-Lipschitz nets Anil et al. 2019, arXiv:1811.05381.
    """
    if raw.shape[0] < raw.shape[1]:
        return bjorck(raw.T, iterations).T
    size = jnp.abs(raw)
    Q = raw / jnp.sqrt(jnp.max(jnp.sum(size, axis=0)) * jnp.max(jnp.sum(size, axis=1)))

    def improve(Q: Array, _: None) -> tuple[Array, None]:
        return 1.5 * Q - 0.5 * (Q @ (Q.T @ Q)), None

    return jax.lax.scan(improve, Q, length=iterations)[0]


class OrthogonalLinear(nnx.Module):
    """x -> x K + b with the kernel K of orthonormal columns or rows: 1-Lipschitz in the Euclidean norm.

    Where K is square or wide in its outputs, lengths are kept exactly. Attributes: `raw`, the unconstrained parameter
    of K's shape (inputs, outputs), and `bias`.
    """

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs, parametrization: Parametrization = "cayley"):
        """Builds the layer.

        Args:
            inputs: features that go in.
            outputs: features that come out.
            rngs: its `params` stream is drawn from once.
            parametrization: "cayley" (exact, one matrix inverse a call) or "bjorck" (an iteration of matrix products).

        Raises:
            ValueError: an unknown parametrization.
        """
        if parametrization not in PARAMETRIZATIONS:
            raise ValueError(
                f"OrthogonalLinear: parametrization = {parametrization!r}; known: {', '.join(PARAMETRIZATIONS)}"
            )
        draw = jax.random.normal(rngs.params(), (inputs, outputs))
        self.raw = nnx.Param(draw / math.sqrt(max(inputs, outputs)))
        self.bias = nnx.Param(jnp.zeros(outputs))
        self.parametrization = parametrization

    @property
    def kernel(self) -> Float[Array, "inputs outputs"]:
        """The orthogonal kernel."""
        raw = self.raw[...]
        return cayley(raw) if self.parametrization == "cayley" else bjorck(raw)

    def plain(self) -> nnx.Linear:
        """The same map as an ordinary linear layer, its kernel computed once: what a certificate is about."""
        return linear_with(self.kernel, self.bias[...])

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """The layer's output for features along the last axis."""
        bias = self.bias[...]
        return x @ self.kernel + bias.reshape((1,) * (x.ndim - 1) + bias.shape)


class OrthogonalPatches(nnx.Module):
    """A convolution whose stride equals its size, each patch mapped by the same orthogonal kernel: 1-Lipschitz.

    The patches do not overlap, so the layer's norm is exactly its kernel's; lengths are kept where the outputs are at
    least size^2 times the channels.
    """

    def __init__(
        self, channels: int, outputs: int, size: int, *, rngs: nnx.Rngs, parametrization: Parametrization = "cayley"
    ):
        """Builds the layer; `size` is the side of a patch, the rest as for `OrthogonalLinear`."""
        self.linear = OrthogonalLinear(size * size * channels, outputs, rngs=rngs, parametrization=parametrization)
        self.size = size

    def plain(self) -> nnx.Conv:
        """The same map as an ordinary strided convolution."""
        kernel, bias = self.linear.kernel, self.linear.bias[...]
        channels = kernel.shape[0] // self.size**2
        shape = (self.size, self.size)
        conv = nnx.Conv(channels, kernel.shape[1], shape, strides=shape, padding="VALID", rngs=nnx.Rngs(0))
        conv.kernel[...] = kernel.reshape(*shape, channels, kernel.shape[1])
        conv.bias = nnx.Param(bias)
        return conv

    def __call__(self, x: Float[Array, "batch height width channels"]) -> Float[Array, "batch rows columns outputs"]:
        """The layer's output; height and width must be multiples of the size.

        Raises:
            ValueError: they are not.
        """
        return self.linear(patches(x, self.size))


def patches(x: Float[Array, "batch height width channels"], size: int) -> Float[Array, "batch rows columns features"]:
    """Non-overlapping square patches, their pixels (row, column, channel) as features: a permutation of the entries.

    Raises:
        ValueError: height or width is not a multiple of the size.
    """
    batch, height, width, channels = x.shape
    if height % size or width % size:
        raise ValueError(f"patches: {height} x {width} pixels do not divide into patches of side {size}; pad the image")
    x = x.reshape(batch, height // size, size, width // size, size, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height // size, width // size, size * size * channels)


def linear_with(kernel: Any, bias: Any) -> nnx.Linear:
    """An ordinary linear layer of this kernel (inputs, outputs) and bias."""
    layer = nnx.Linear(*kernel.shape, kernel_init=nnx.initializers.zeros, rngs=nnx.Rngs(0))
    layer.kernel[...] = kernel
    layer.bias = nnx.Param(bias)
    return layer
