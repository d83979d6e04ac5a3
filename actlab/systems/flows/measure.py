"""What is measured of a flow on a toy: its distance from the truth, and what it promised beside what happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from actlab.systems.flows.certificate import round_trip_by_depth, round_trip_error_by_depth
from actlab.systems.flows.flow import coupling_flow
from actlab.systems.flows.model import train_flow
from actlab.systems.flows.toys import Toy
from actlab.systems.flows.transforms import Transform
from actlab.training import seed_keys


@dataclass(frozen=True)
class Recipe:
    """How a flow is built and trained on a toy.

    Attributes:
        layers: couplings.
        width: units of both hidden layers of each conditioner.
        steps: of Adam.
        learning_rate: at the start.
        rows: training events; half as many are held out.
    """

    layers: int = 4
    width: int = 32
    steps: int = 600
    learning_rate: float = 5e-3
    rows: int = 8000


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Outcome:
    """One trained flow; a leading axis of seeds where several were.

    Attributes:
        flow: a Flow, at its last parameters.
        log_prob: of the held-out events, nats; shape (events,).
        log_det: the least and the largest log-determinant of held-out events; shape (2,).
        certified: the bounds that hold for every event; shape (2,).
        error: the largest round-trip error of 256 held-out events after 1, 2, ... layers; shape (layers,).
        bound: the largest of their bounds; shape (layers,).
        within: share of these round trips, over events and depths, whose error is within its own bound.
    """

    flow: Any
    log_prob: Any
    log_det: Any
    certified: Any
    error: Any
    bound: Any
    within: Any


def trainer(transform: Transform, recipe: Recipe) -> Callable[..., Outcome]:
    """(key, training events, held-out events) -> Outcome, compiled once and mapped over the keys and both data sets."""

    def run(key: Key[Array, ""], train: Float[Array, "rows 2"], test: Float[Array, "events 2"]) -> Outcome:
        start_key, fit_key = jax.random.split(key)
        hidden = (recipe.width, recipe.width)
        start = coupling_flow(start_key, 2, layers=recipe.layers, hidden=hidden, transform=transform)
        fitted = train_flow(fit_key, start, train, steps=recipe.steps, learning_rate=recipe.learning_rate)[0]
        log_det = fitted.bijector.forward_log_det_jacobian(test)
        bounds = fitted.log_det_bounds
        few = test[:256]
        error = round_trip_error_by_depth(fitted.bijector, few)
        bound = round_trip_by_depth(fitted.bijector, few).bound
        return Outcome(
            fitted,
            fitted.log_prob(test),
            jnp.stack([log_det.min(), log_det.max()]),
            jnp.stack([jnp.asarray(bounds.lower), jnp.asarray(bounds.upper)]),
            error.max(1),
            bound.max(1),
            (error <= bound).mean(),
        )

    return jax.jit(jax.vmap(run))


def on_toy(run: Callable[..., Outcome], toy: Toy, recipe: Recipe, seeds: tuple[int, ...]) -> tuple[Outcome, Any]:
    """The outcomes over the seeds, and the mean of log p - log q over the held-out events of each: the gap."""
    keys = jax.vmap(lambda key: jax.random.split(key, 3))(seed_keys(seeds))

    def drawn(keys: Key[Array, "3"]) -> tuple[Array, Array]:
        return toy.sample(keys[0], recipe.rows), toy.sample(keys[1], recipe.rows // 2)

    train, test = jax.jit(jax.vmap(drawn))(keys)
    outcome = run(keys[:, 2], train, test)
    return outcome, jax.jit(lambda x, log_prob: (toy.log_prob(x) - log_prob).mean(1))(test, outcome.log_prob)
