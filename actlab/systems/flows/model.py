"""A flow as an NNX module, and its training by maximum likelihood."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, Key

from actlab.systems.flows.flow import Flow
from actlab.training import Fitted, fit

CLIP = 5.0
"""Largest norm of a gradient: a batch with an outlier does not throw the flow off."""


class FlowModel(nnx.Module):
    """The arrays of a flow as `nnx.Param`; masks and orders, which are no real numbers, as plain variables."""

    def __init__(self, flow: Flow):
        self.held = nnx.data(jax.tree.map(_variable, flow))

    @property
    def flow(self) -> Flow:
        """The flow at its present parameters."""
        return jax.tree.map(lambda v: v[...], self.held, is_leaf=lambda v: isinstance(v, nnx.Variable))

    def log_prob(self, x: Float[Array, "*batch features"], condition: Any = None) -> Float[Array, "*batch"]:
        """As of the flow."""
        return self.flow.log_prob(x, condition)


def _variable(leaf: Array) -> nnx.Variable:
    return nnx.Param(leaf) if jnp.issubdtype(leaf.dtype, jnp.floating) else nnx.Variable(leaf)


def negative_log_likelihood(model: FlowModel, batch: tuple[Any, ...], key: Any = None) -> Float[Array, ""]:
    """The mean over a batch of events, or of events and conditions; nats."""
    return -model.log_prob(*batch).mean()


def adam(steps: int, learning_rate: float) -> optax.GradientTransformation:
    """Adam on gradients of bounded norm, the learning rate falling to 0 as a cosine."""
    return optax.chain(optax.clip_by_global_norm(CLIP), optax.adam(optax.cosine_decay_schedule(learning_rate, steps)))


def train_flow(
    key: Key[Array, ""],
    flow: Flow,
    x: Float[Array, "rows features"],
    condition: Float[Array, "rows conditions"] | None = None,
    *,
    steps: int,
    batch_size: int | None = 256,
    learning_rate: float = 2e-3,
) -> tuple[Flow, Fitted]:
    """Maximizes the likelihood of standardized rows: a pure function, to be jitted and vmapped over keys and flows.

    Args:
        key: of the batches.
        flow: at its start.
        x: the rows.
        condition: of each row, where the flow takes one.
        steps: of Adam.
        batch_size: rows of a batch; None: all.
        learning_rate: at the start.

    Returns:
        The trained flow, and the fit with its losses.
    """
    graphdef, state = nnx.split(FlowModel(flow))
    data = (x,) if condition is None else (x, condition)
    fitted = fit(
        graphdef,
        state,
        data,
        key,
        loss=negative_log_likelihood,
        optimizer=adam(steps, learning_rate),
        steps=steps,
        batch_size=batch_size,
    )
    return fitted.model().flow, fitted
