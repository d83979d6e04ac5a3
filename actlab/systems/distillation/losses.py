"""Losses that need no derivative of the teacher: its softened classes, and its hidden features."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from actlab.systems.distillation.matching import DistillationError


def soft_targets(
    student: Float[Array, "rows classes"], teacher: Float[Array, "rows classes"], temperature: float = 4.0
) -> Float[Array, ""]:
    """T^2 KL(teacher || student) of the classes' probabilities at temperature T, in nats, averaged over rows.

    T^2 keeps the gradient's size as T grows.

    Args:
        student: logits.
        teacher: logits; no gradient flows into them.
        temperature: T, positive.

    Raises:
        DistillationError: a temperature that is not positive.

    Source: Hinton, Vinyals & Dean 2015, arXiv:1503.02531, eq. 1 and section 2.1.
    """
    if not temperature > 0:
        raise DistillationError(f"soft_targets: temperature = {temperature} must be positive")
    wanted = jax.nn.log_softmax(jax.lax.stop_gradient(teacher) / temperature)
    found = jax.nn.log_softmax(student / temperature)
    return temperature**2 * jnp.mean(optax.losses.kl_divergence_with_log_targets(found, wanted))


def soft_and_hard(
    student: Float[Array, "rows classes"],
    teacher: Float[Array, "rows classes"],
    labels: Int[Array, " rows"],
    temperature: float = 4.0,
    hard: Any = 0.1,
) -> Float[Array, ""]:
    """(1 - hard) times `soft_targets` plus `hard` times the cross-entropy of the labels, in nats.

    Raises:
        DistillationError: a number `hard` outside [0, 1].
    """
    if isinstance(hard, (int, float)) and not 0 <= hard <= 1:
        raise DistillationError(f"soft_and_hard: hard = {hard} must be between 0 and 1")
    labelled = optax.softmax_cross_entropy_with_integer_labels(student, labels).mean()
    return (1 - hard) * soft_targets(student, teacher, temperature) + hard * labelled


def hint(
    student: Float[Array, "rows features"],
    teacher: Float[Array, "rows hints"],
    regressor: Float[Array, "features hints"],
) -> Float[Array, ""]:
    """Mean squared error of the teacher's hidden features, predicted linearly from the student's, over their variance.

    Args:
        student: its hidden features.
        teacher: its hidden features, of any width; no gradient flows into them.
        regressor: trained beside the student.

    Source: Romero et al. 2015, arXiv:1412.6550, eq. 3 (with a linear regressor).
    """
    wanted = jax.lax.stop_gradient(teacher)
    spread = jnp.sum(jnp.var(wanted, axis=0))
    error = jnp.mean(jnp.sum(jnp.square(student @ regressor - wanted), -1))
    return error / jnp.where(spread > 0, spread, 1)
