"""The diagonal of the Fisher information: the mean square of each example's own gradient of its log likelihood."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from actlab.systems.continual.classifier import Batch, Classifier, opened
from actlab.systems.continual.model import Layer, Parameters


def diagonal_fisher(classifier: Classifier, parameters: Parameters, batch: Batch, now: Any) -> Parameters:
    """Mean over examples of sum_c p_c (d log p_c / d theta)^2, p_c the net's own chance of label c: no label is used.

    Exact, and without any per-example gradient in memory: a dense layer's gradient for one example is the outer product
    of its input and its output's derivative, so that the sum of their squares over examples is one matrix product of
    squares. One reverse pass for each class.

    Source: Kirkpatrick et al. 2017, arXiv:1612.00796; the expectation over labels as in Kunstner, Balles & Hennig 2019,
    arXiv:1905.12558, eq. 4.
    """
    rows = batch.x.shape[0]
    probes = tuple(jnp.zeros((rows, layer.bias.shape[0]), batch.x.dtype) for layer in parameters)
    _, hidden = classifier.network(parameters, batch.x)
    mask = classifier.heads.open(batch.task, now)

    def log_likelihood(probes: Any) -> jax.Array:
        return jax.nn.log_softmax(opened(classifier.network(parameters, batch.x, probes)[0], mask))

    value, pull = jax.vjp(log_likelihood, probes)
    classes = jnp.eye(value.shape[1], dtype=value.dtype)
    (slopes,) = jax.vmap(lambda c: pull(jnp.broadcast_to(c, value.shape)))(classes)
    chance = jnp.where(mask, jnp.exp(value), 0).T[..., None]
    squares = [jnp.sum(chance * jnp.square(slope), 0) for slope in slopes]  # (rows, outputs of the layer)
    inputs = (batch.x, *hidden)
    return tuple(Layer(jnp.square(x).T @ s / rows, s.mean(0)) for x, s in zip(inputs, squares, strict=True))
