"""Residual layers: x + g(x) with a proved Lipschitz bound of g below 1: invertible by iteration whatever g learns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

import actlab.activations as al
from actlab.activations import Interval
from actlab.bounds import spectral_norm
from actlab.systems.flows.bijector import Columns, Context, LogDet, Unprepared, VectorBijector, saturated
from actlab.systems.flows.conditioner import Conditioner, joined, perceptron


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Residual(Unprepared):
    """y = x + g(x), where the Lipschitz constant of g is at most `lipschitz` < 1.

    Every singular value of the Jacobian lies in [1 - c, 1 + c]. The log-determinant is that of the dense Jacobian, at
    the cost of `features` derivatives; `estimated_log_det` is for many features. The inverse iterates x = y - g(x) as
    often as c^n / (1 - c) falls below a rounding error, a number known beforehand; its derivative is implicit.

    Source: Behrmann et al. 2019, Invertible Residual Networks, arXiv 1811.00995, section 2.

    Attributes:
        net: g; its kernels are scaled down to what `lipschitz` allows, once `prepared`.
        features: coordinates.
        lipschitz: c.
        conditions: numbers that g also sees.
    """

    net: Conditioner
    features: int = field(metadata={"static": True})
    lipschitz: float = field(default=0.9, metadata={"static": True})
    conditions: int = field(default=0, metadata={"static": True})

    @property
    def log_det_bounds(self) -> Interval:
        """`features` times [log(1 - c), log(1 + c)], for every value of the parameters."""
        ends = (self.features * math.log1p(sign * self.lipschitz) for sign in (-1, 1))
        return Interval(*(jnp.asarray(v) for v in ends)).rounded(4)

    @property
    def inverse_lipschitz(self) -> Any:
        """1/(1 - c)."""
        return 1 / (1 - self.lipschitz)

    def iterations(self, dtype: Any) -> int:
        """Of the inverse, after which c^n / (1 - c) is below half a rounding error."""
        eps = float(jnp.finfo(dtype).eps)
        return math.ceil(math.log(0.5 * eps * (1 - self.lipschitz)) / math.log(self.lipschitz))

    def prepared(self) -> VectorBijector:
        """The kernels inside their bounds: those of a norm above (c / L^(n - 1))^(1/n) are scaled down to it."""
        kernels = self.net.kernels
        slopes = self.net.activation.facts.lipschitz() ** (len(kernels) - 1)
        largest = (self.lipschitz / slopes) ** (1 / len(kernels)) * (1 - 1e-6)  # the product rounds
        scaled = tuple(k * jnp.minimum(1, largest / spectral_norm(k)) for k in kernels)
        return Contraction(replace(self.net, kernels=scaled), self.features, self.lipschitz, self.conditions)

    def estimated_log_det(
        self, key: Key[Array, ""], x: Float[Array, "n features"], condition: Any = None, *, terms: int = 10
    ) -> tuple[Float[Array, " n"], float]:
        """An estimate of the forward log-determinant from `terms` derivatives along one random direction.

        The power series of log det(I + J), cut after `terms`, its traces by Hutchinson's estimator.

        Returns:
            The estimates, whose mean over keys is off the log-determinant by at most the second value, which c proves.

        Source: Behrmann et al. 2019, arXiv 1811.00995, section 3.2; the bound of the bias is their theorem 4.
        """
        layer, c = self.prepared(), self.lipschitz
        assert isinstance(layer, Contraction)
        context = self._context(condition, x.shape[:1], x.dtype)
        bias = self.features * c ** (terms + 1) / ((terms + 1) * (1 - c))
        return layer.series(key, saturated(x).T, context, terms), bias


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Contraction(Residual):
    """`Residual`, prepared: the net is within its bound."""

    def prepared(self) -> VectorBijector:
        """Itself."""
        return self

    def _branch(self, x: Columns, context: Context | None) -> Columns:
        return self.net(joined(x, context))

    def forward_columns(self, x: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """The sum and the log-determinant of its Jacobian."""
        one = jnp.eye(self.features, dtype=x.dtype)
        image, push = jax.linearize(lambda v: v + self._branch(v, context), x)
        jacobian = jax.vmap(lambda e: push(jnp.broadcast_to(e[:, None], x.shape)))(one)  # (input, output, n)
        return image, jnp.linalg.slogdet(jnp.moveaxis(jacobian, -1, 0))[1]

    def inverse_columns(self, y: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """By iteration, with the implicit derivative."""
        steps = self.iterations(y.dtype)

        def image(x: Columns) -> Columns:
            return x + self._branch(x, context) - y

        def solve(residual: Any, start: Columns) -> Columns:
            return jax.lax.fori_loop(0, steps, lambda _, x: x - residual(x), start)

        x = jax.lax.custom_root(image, y, solve, lambda linear, b: _neumann(linear, b, steps))
        return x, -self.forward_columns(x, context)[1]

    def series(self, key: Key[Array, ""], x: Columns, context: Context | None, terms: int) -> LogDet:
        """The sum of (-1)^(k+1) v^T J^k v / k up to `terms`, v of random signs."""
        v = jax.random.rademacher(key, x.shape, x.dtype)
        push = jax.linearize(lambda x: self._branch(x, context), x)[1]

        def body(w: Columns, k: Array) -> tuple[Columns, LogDet]:
            w = push(w)
            return w, jnp.where(k % 2 == 1, 1, -1) * (v * w).sum(0) / k.astype(x.dtype)

        return jax.lax.scan(body, v, jnp.arange(1, terms + 1))[1].sum(0)


def _neumann(linear: Any, b: Columns, steps: int) -> Columns:
    """The t with linear(t) = b for linear = I + J, |J| <= c: by iteration, linear in b."""
    return jax.lax.scan(lambda t, _: (t + b - linear(t), None), b, length=steps)[0]


def residual(
    key: Key[Array, ""],
    features: int,
    *,
    conditions: int = 0,
    hidden: Sequence[int] = (64, 64),
    activation: Any = "elu",
    lipschitz: float = 0.9,
) -> Residual:
    """A residual layer whose net has these widths.

    Args:
        key: of the initial kernels.
        features: coordinates of an event.
        conditions: numbers that the net also sees.
        hidden: widths.
        activation: with a bounded slope.
        lipschitz: c, in (0, 1).

    Raises:
        FactError: the slope of the activation is not known to be bounded.
        ValueError: a Lipschitz constant outside (0, 1).
    """
    if not 0 < lipschitz < 1:
        raise ValueError(f"residual: lipschitz = {lipschitz} must be in (0, 1): x + g(x) is invertible below 1")
    activation = al.as_activation(activation)
    al.require(activation, bounded_slope=True, because="a residual flow bounds the Lipschitz constant of its net")
    net = perceptron(key, (features + conditions, *hidden, features), activation)
    return Residual(net, features, lipschitz, conditions)
