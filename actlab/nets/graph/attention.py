"""Graph attention, the original and its second version."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from actlab.activations import leaky_relu
from actlab.data.sparse import Sparse
from actlab.nets.graph.convolutions import glorot
from actlab.nets.nonlinearity import Nonlinearity


class GraphAttention(nnx.Module):
    """Each node's average of W x_j over its neighbours and itself, weighted by a softmax of scores, head by head.

    Scores of receiver i and sender j: s(a_1 . W x_i + a_2 . W x_j) in the original, a . s(W_1 x_i + W_2 x_j) in the
    second version, where the values are W_2 x_j. s is an activation, leaky_relu of slope 0.2 as published. Entries of
    the operator whose value is 0 (dropped links, padding) take no part; other values do not matter.

    Source: Velickovic et al. 2018, arXiv:1710.10903, eqs. 1-6; Brody et al. 2022, arXiv:2105.14491, eq. 7.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        rngs: nnx.Rngs,
        heads: int = 1,
        second: bool = False,
        average: bool = False,
        score: Any = None,
    ):
        """Builds the layer.

        Args:
            inputs: channels in.
            outputs: channels out: all heads together, or of each where they are averaged.
            rngs: its `params` stream.
            heads: of the attention.
            second: the second version (GATv2).
            average: heads are averaged, as in a last layer; else concatenated.
            score: the activation s; None: leaky_relu of slope 0.2.

        Raises:
            ValueError: heads that do not divide the outputs.
        """
        if heads < 1 or (not average and outputs % heads):
            raise ValueError(f"GraphAttention: heads = {heads} must be positive and divide outputs = {outputs}")
        width = outputs if average else outputs // heads
        kernels = 2 if second else 1
        self.kernel = nnx.Param(
            jnp.stack([glorot(rngs.params(), inputs, heads * width) for _ in range(kernels)]).reshape(
                kernels, inputs, heads, width
            )
        )
        self.vectors = nnx.Param(
            jnp.stack([glorot(rngs.params(), width, heads).T for _ in range(3 - kernels)])
        )  # (2 or 1, heads, width)
        self.bias = nnx.Param(jnp.zeros(outputs))
        self.second = second
        self.average = average
        self.score = Nonlinearity(leaky_relu.bind(negative_slope=0.2) if score is None else score)

    def __call__(
        self, operator: Sparse, x: Any, initial: Any = None, nonlinearity: Any = None
    ) -> Float[Array, "nodes outputs"]:
        """The preactivations."""
        del initial, nonlinearity
        kernel = self.kernel[...]
        _, inputs, heads, width = kernel.shape
        received, *sent = [(x @ k.reshape(inputs, heads * width)).reshape(-1, heads, width) for k in kernel]
        sent = sent[0] if sent else received
        values = sent[operator.columns]
        if self.second:
            logits = jnp.sum(self.score(operator.at_rows(received) + values) * self.vectors[...][0][None], -1)
        else:
            of_receiver, of_sender = (jnp.sum(received * v[None], -1) for v in self.vectors[...])
            logits = self.score(operator.at_rows(of_receiver) + of_sender[operator.columns])
        weights = row_softmax(operator, logits)
        gathered = operator.sum_rows(weights[:, :, None] * values)
        y = jnp.mean(gathered, axis=1) if self.average else gathered.reshape(-1, heads * width)
        return y + self.bias[...][None]


def row_softmax(operator: Sparse, logits: Float[Array, "entries heads"]) -> Float[Array, "entries heads"]:
    """Softmax over the entries of each row that have a value other than 0; 0 for the others."""
    present = operator.values[:, None] != 0
    masked = jnp.where(present, logits, -jnp.inf)
    highest = jax.ops.segment_max(masked, operator.rows, operator.shape[0], indices_are_sorted=True)
    highest = jax.lax.stop_gradient(jnp.where(jnp.isfinite(highest), highest, 0.0))
    powers = jnp.where(present, jnp.exp(jnp.where(present, logits, 0.0) - operator.at_rows(highest)), 0.0)
    totals = operator.sum_rows(powers)
    return powers / operator.at_rows(jnp.where(totals > 0, totals, 1.0))
