"""Linear mixing of the features: permutations, orthogonal matrices and LU products."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from actlab.activations import Interval
from actlab.systems.flows.bijector import Columns, Context, LogDet, Unprepared, VectorBijector
from actlab.systems.flows.transforms import capped

EXACT = jax.lax.Precision.HIGHEST
"""Accelerators multiply in fewer digits by default, which a round trip would show."""

MOST = 2.0
"""Largest |logarithm| of a pivot of `LU`."""


class _Isometry(VectorBijector):
    """What keeps lengths and volumes."""

    @property
    def inverse_lipschitz(self) -> Any:
        """1."""
        return 1.0

    @property
    def log_det_bounds(self) -> Interval:
        """0."""
        return Interval(jnp.zeros(()), jnp.zeros(()))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Permutation(_Isometry):
    """The features in another order: y[i] = x[order[i]]."""

    order: Any
    features: int = field(metadata={"static": True})

    def forward_columns(self, x: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """Reordered."""
        return x[self.order], jnp.zeros(x.shape[1:], x.dtype)

    def inverse_columns(self, y: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """Put back."""
        return y[jnp.argsort(self.order)], jnp.zeros(y.shape[1:], y.dtype)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Rotation(_Isometry):
    """Multiplication by an orthogonal matrix."""

    matrix: Any
    features: int = field(metadata={"static": True})

    def forward_columns(self, x: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """The product."""
        return jnp.matmul(self.matrix.astype(x.dtype), x, precision=EXACT), jnp.zeros(x.shape[1:], x.dtype)

    def inverse_columns(self, y: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """The product with the transpose."""
        return jnp.matmul(self.matrix.T.astype(y.dtype), y, precision=EXACT), jnp.zeros(y.shape[1:], y.dtype)


class _Orthogonal(Unprepared, _Isometry):
    """What maps parameters to an orthogonal matrix."""

    def matrix(self) -> Array:
        """The orthogonal matrix."""
        raise NotImplementedError

    def prepared(self) -> VectorBijector:
        """The rotation."""
        return Rotation(self.matrix(), self.features)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Householder(_Orthogonal):
    """A product of reflections (Tomczak & Welling 2016, arXiv 1611.09630); a vector of zeros reflects nothing.

    Attributes:
        vectors: (reflections, features); as many as features reach every orthogonal matrix of determinant (-1)^n.
    """

    vectors: Any
    features: int = field(metadata={"static": True})

    def matrix(self) -> Array:
        """The product, one reflection after another."""

        def reflect(product: Array, vector: Array) -> tuple[Array, None]:
            square = jnp.sum(vector * vector)
            onto = 2 * jnp.outer(vector, jnp.matmul(vector, product, precision=EXACT))
            return product - onto / jnp.maximum(square, jnp.finfo(square.dtype).tiny), None

        return jax.lax.scan(reflect, jnp.eye(self.features, dtype=self.vectors.dtype), self.vectors)[0]


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Cayley(_Orthogonal):
    """(I - A)(I + A)^-1 for the antisymmetric A of `raw`, times a fixed order of the features: near it at raw = 0.

    Attributes:
        raw: (features, features); the part below the diagonal is used.
        order: of the features, before the product.
    """

    raw: Any
    order: Any
    features: int = field(metadata={"static": True})

    def matrix(self) -> Array:
        """The Cayley transform; its columns put in order."""
        lower = jnp.tril(self.raw, -1)
        skew, one = lower - lower.T, jnp.eye(self.features, dtype=self.raw.dtype)
        return jnp.matmul(jnp.linalg.solve(one + skew, one - skew), one[self.order], precision=EXACT)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class LU(Unprepared):
    """y = L U x[order], L with ones and U with pivots exp(capped(.)) in [exp(-2), exp(2)] on its diagonal.

    Source: Kingma & Dhariwal 2018, Glow, arXiv 1807.03039, section 3.2; Oliva et al. 2018, arXiv 1801.09819.

    Attributes:
        raw: (features, features): L below, the pivots' logarithms before their cap on, U above the diagonal.
        order: of the features.
    """

    raw: Any
    order: Any
    features: int = field(metadata={"static": True})

    @property
    def log_det_bounds(self) -> Interval:
        """The sum of the pivots' logarithms, exactly one number."""
        log_det = self._pivots().sum()
        return Interval(log_det, log_det).rounded(self.features)

    @property
    def inverse_lipschitz(self) -> Any:
        """The Frobenius norm of the inverse matrix."""
        return self.prepared().inverse_lipschitz

    def _pivots(self) -> Array:
        return capped(jnp.diagonal(self.raw), MOST)

    def prepared(self) -> VectorBijector:
        """Both factors and their product."""
        one = jnp.eye(self.features, dtype=self.raw.dtype)
        lower = jnp.tril(self.raw, -1) + one
        upper = jnp.triu(self.raw, 1) + jnp.exp(self._pivots())[:, None] * one
        ordered = jnp.matmul(upper, one[self.order], precision=EXACT)  # compiles faster than a sort
        product = jnp.matmul(lower, ordered, precision=EXACT)
        return Factored(product, lower, upper, self.order, self._pivots().sum(), self.features)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Factored(VectorBijector):
    """A matrix with its LU factors: `LU`, prepared."""

    product: Any
    lower: Any
    upper: Any
    order: Any
    log_det: Any
    features: int = field(metadata={"static": True})

    @property
    def inverse_lipschitz(self) -> Any:
        """The Frobenius norm of the inverse matrix."""
        one = jnp.eye(self.features, dtype=self.lower.dtype)
        return jnp.linalg.norm(self.inverse_columns(one, None)[0])

    @property
    def log_det_bounds(self) -> Interval:
        """The log-determinant."""
        return Interval(self.log_det, self.log_det).rounded(self.features)

    def forward_columns(self, x: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """The product."""
        y = jnp.matmul(self.product.astype(x.dtype), x, precision=EXACT)
        return y, jnp.broadcast_to(self.log_det.astype(x.dtype), x.shape[1:])

    def inverse_columns(self, y: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """Two triangular systems."""
        lower, upper = self.lower.astype(y.dtype), self.upper.astype(y.dtype)
        x = jax.scipy.linalg.solve_triangular(lower, y, lower=True, unit_diagonal=True)
        x = jax.scipy.linalg.solve_triangular(upper, x)[jnp.argsort(self.order)]
        return x, jnp.broadcast_to(-self.log_det.astype(y.dtype), y.shape[1:])


KINDS = ("lu", "orthogonal", "cayley", "permutation")


def mixing(kind: str, key: Key[Array, ""], features: int) -> VectorBijector:
    """A mixing of that kind with a random order or random reflections.

    Raises:
        ValueError: an unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(f"mixing = {kind!r}; known: {', '.join(KINDS)}")
    if kind == "orthogonal":
        return Householder(jax.random.normal(key, (features, features)), features)
    order = jax.random.permutation(key, features)
    if kind == "permutation":
        return Permutation(order, features)
    return (LU if kind == "lu" else Cayley)(jnp.zeros((features, features)), order, features)
