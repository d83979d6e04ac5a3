"""Graph convolutions: what one layer does before its activation."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from actlab.data.sparse import Sparse
from actlab.nets.nonlinearity import Nonlinearity


def glorot(key: Any, inputs: int, outputs: int) -> Float[Array, "inputs outputs"]:
    """Uniform on +- sqrt(6 / (inputs + outputs)).

    Source: Glorot & Bengio 2010, eq. 16; what the published graph nets start from.
    """
    limit = math.sqrt(6.0 / (inputs + outputs))
    return jax.random.uniform(key, (inputs, outputs), minval=-limit, maxval=limit)


class GraphConvolution(nnx.Module):
    """P x W + b, x dense or sparse.

    Source: Kipf & Welling 2017, arXiv:1609.02907, eq. 2, with P = `graph.normalized()`; `graph.walk()` serves as well.
    """

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs):
        """Glorot's kernel, bias 0."""
        self.kernel = nnx.Param(glorot(rngs.params(), inputs, outputs))
        self.bias = nnx.Param(jnp.zeros(outputs))

    def __call__(
        self, operator: Sparse, x: Any, initial: Any = None, nonlinearity: Any = None
    ) -> Float[Array, "nodes outputs"]:
        """The preactivations."""
        del initial, nonlinearity
        return operator @ (x @ self.kernel[...]) + self.bias[...][None]


class GraphIsomorphism(nnx.Module):
    """W_2 f(W_1 ((1 + epsilon) x_i + sum of x_j over the neighbours j) + b_1) + b_2, epsilon learned from 0.

    Source: Xu et al. 2019, arXiv:1810.00826, eq. 4.1; the operator is A, `graph.adjacency`.
    """

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs):
        """Glorot's kernels, biases 0."""
        self.epsilon = nnx.Param(jnp.zeros(()))
        self.kernel = nnx.Param(glorot(rngs.params(), inputs, outputs))
        self.bias = nnx.Param(jnp.zeros(outputs))
        self.outer_kernel = nnx.Param(glorot(rngs.params(), outputs, outputs))
        self.outer_bias = nnx.Param(jnp.zeros(outputs))

    def __call__(
        self, operator: Sparse, x: Any, initial: Any, nonlinearity: Nonlinearity
    ) -> Float[Array, "nodes outputs"]:
        """The preactivations; `nonlinearity` is the f inside."""
        del initial
        x = x @ self.kernel[...]  # linear, so it may come before the sum: narrower messages
        inner = nonlinearity((1.0 + self.epsilon[...]) * x + operator @ x + self.bias[...][None])
        return inner @ self.outer_kernel[...] + self.outer_bias[...][None]


class InitialResidual(nnx.Module):
    """((1 - alpha) P h + alpha h_0) ((1 - beta_l) I + beta_l W_l), beta_l = log(lambda / l + 1): GCNII's layer.

    Source: Chen et al. 2020, arXiv:2007.02133, eq. 5.
    """

    def __init__(self, width: int, layer: Any, *, alpha: float = 0.1, decay: float = 0.5, rngs: nnx.Rngs):
        """Builds it.

        Args:
            width: channels in and out.
            layer: its number l, from 1; may be traced.
            alpha: share of the initial representation.
            decay: lambda, which sets how fast later kernels lose weight.
            rngs: for the kernel, uniform on +- 1 / sqrt(width) as in the authors' code.
        """
        limit = 1.0 / math.sqrt(width)
        self.kernel = nnx.Param(jax.random.uniform(rngs.params(), (width, width), minval=-limit, maxval=limit))
        self.beta = nnx.Variable(jnp.log(decay / jnp.asarray(layer, jnp.result_type(float)) + 1.0))
        self.alpha = alpha

    def __call__(
        self, operator: Sparse, x: Float[Array, "nodes width"], initial: Float[Array, "nodes width"], nonlinearity: Any
    ) -> Float[Array, "nodes width"]:
        """The preactivations; `initial` is h_0."""
        del nonlinearity
        mixed = (1.0 - self.alpha) * (operator @ x) + self.alpha * initial
        beta, kernel = self.beta[...], self.kernel[...]
        # As a matrix of its own, (1 - beta) I + beta W spares passes over the nodes, forward and backward.
        return mixed @ ((1.0 - beta) * jnp.eye(len(kernel), dtype=kernel.dtype) + beta * kernel)
