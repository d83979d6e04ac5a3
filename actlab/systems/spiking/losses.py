"""Losses of spike trains and potentials, and penalties on activity. Time first, classes or units last."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int


def count_loss(
    spikes: Float[Array, "times batch classes"], labels: Int[Array, " batch"], scale: Any = 1.0
) -> Float[Array, ""]:
    """Mean cross-entropy, in nats, of the numbers of spikes of the output neurons, times `scale`."""
    return optax.softmax_cross_entropy_with_integer_labels(scale * jnp.sum(spikes, 0), labels).mean()


def max_over_time_loss(
    potentials: Float[Array, "times batch classes"], labels: Int[Array, " batch"]
) -> Float[Array, ""]:
    """Mean cross-entropy, in nats, of the largest potential of each readout neuron.

    Source: Cramer et al. 2020, arXiv:1910.07407, eq. 7.
    """
    return optax.softmax_cross_entropy_with_integer_labels(jnp.max(potentials, 0), labels).mean()


def first_spike_steps(spikes: Float[Array, "times *shape"]) -> Float[Array, "*shape"]:
    """The step of the first spike, the number of steps where there is none: sum_t prod_(r <= t) (1 - s_r).

    Its derivative in s_r before the first spike is minus the steps from r to it; at it, minus those to the second
    spike (or the end); after it, 0.
    """
    # A scan: the derivative of a cumulative product is exact there where factors are 0.
    _, silent = jax.lax.scan(lambda p, s: ((q := p * (1 - s)), q), jnp.ones_like(spikes[0]), spikes)
    return jnp.sum(silent, 0)


def first_spike_loss(
    spikes: Float[Array, "times batch classes"], labels: Int[Array, " batch"], temperature: Any = 1.0
) -> Float[Array, ""]:
    """Mean cross-entropy, in nats, of minus the first spikes' steps over `temperature`: the class first to fire wins.

    Source: Mostafa 2017, arXiv:1606.08165, eq. 8.
    """
    return optax.softmax_cross_entropy_with_integer_labels(-first_spike_steps(spikes) / temperature, labels).mean()


def activity_penalty(
    spikes: Float[Array, "times batch units"], least: Any = 0.0, most: Any = jnp.inf, over: str = "units"
) -> Float[Array, ""]:
    """Mean of max(0, least - n)^2 + max(0, n - most)^2, n the number of spikes in a trial.

    Args:
        spikes: of one layer.
        least: number of spikes below which silence is punished.
        most: number above which activity is.
        over: "units": n is each unit's, averaged over the batch; "population": n is the mean over the units of each
            trial, as Zenke & Vogels 2021, eq. 9, bound it.

    Raises:
        ValueError: another `over`.
    """
    if over not in ("units", "population"):
        raise ValueError(f"activity_penalty: over = {over!r}; known: 'units', 'population'")
    counts = jnp.mean(jnp.sum(spikes, 0), 0 if over == "units" else -1)
    return jnp.mean(jnp.square(jax.nn.relu(least - counts)) + jnp.square(jax.nn.relu(counts - most)))
