"""Plain nets on handwritten digits: an ensemble over seeds for each activation, checkpointed and resumable."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import optax
from flax import nnx
from pydantic import Field

import actlab.activations as al
from actlab.data.splits import standardized_digits
from actlab.measurement import Claim, Curve, Measurement
from actlab.nets import MLP
from actlab.training import MEMBERS, Fitted, Progress, train
from experiments.classifiers import accuracy, cross_entropy

MANY_PROCESSES = True

TITLE = "Deep nets on digits"


@dataclass(frozen=True)
class Config:
    """Settings.

    Attributes:
        activations: names, `module:function` or `file.py:function`.
        hidden: widths of the hidden layers.
        seeds: members of each ensemble.
        steps: optimizer steps.
        batch_size: rows of a batch.
        learning_rate: Adam's.
        chunk: steps between checkpoints.
        accuracy: the held-out accuracy that the claim promises.
    """

    activations: tuple[str, ...] = ("relu", "swish")
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (64, 64)
    seeds: Annotated[int, Field(ge=2, le=1000)] = 5
    steps: Annotated[int, Field(ge=1)] = 500
    batch_size: Annotated[int, Field(ge=1, le=1437)] = 64
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    chunk: Annotated[int, Field(ge=1)] = 100
    accuracy: Annotated[float, Field(ge=0, le=1)] = 0.95


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Curve]]:
    """Trains an ensemble for each activation, measures its held-out accuracy, and decides the claim for each."""
    held_in, held_out = standardized_digits()
    measured, curves = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for name in config.activations:
            activation = al.resolve(name)
            folder = (out or Path(scratch)) / "ensembles" / activation.name
            fitted = trained(activation, config, held_in, folder, lambda p, n=activation.name: report(f"{n}: {p}"))
            right = np.asarray(accuracies(fitted, held_out), np.float64)
            measured.append(Measurement("test accuracy", activation.name, right, better="higher"))
            losses = np.asarray(fitted.metrics["loss"], np.float64).T
            steps = np.arange(losses.shape[1])
            curves.append(Curve("training loss", activation.name, steps, losses, "step", "loss, nats", log_y=True))
    statement = f"a plain net of {len(config.hidden) + 1} layers initialized by its gain learns the digits"
    claims = [Claim(f"{statement}: {m.activation}", "arXiv:1502.01852", m, at_least=config.accuracy) for m in measured]
    return measured, claims, curves


def trained(
    activation: al.Activation, config: Config, data: dict, folder: Path, progress: Callable[[Progress], None]
) -> Fitted:
    """The ensemble of one activation; goes on with what `folder` holds."""

    def model(key: jax.Array) -> MLP:
        return MLP((64, *config.hidden, 10), activation, rngs=nnx.Rngs(key))

    keys = jax.random.split(jax.random.key(0), config.seeds)
    states = jax.jit(jax.vmap(lambda key: nnx.state(model(key))))(keys)
    return train(
        folder,
        nnx.graphdef(model(keys[0])),
        states,
        data,
        keys,
        loss=cross_entropy,
        optimizer=optax.adam(config.learning_rate),
        steps=config.steps,
        batch_size=config.batch_size,
        chunk=config.chunk,
        resume=True,
        seeds=range(config.seeds),
        progress=progress,
    )


def accuracies(fitted: Fitted, data: dict) -> jax.Array:
    """The share of rows that each member classifies right, shape (members,)."""

    def of_one(state: Any) -> jax.Array:
        return accuracy(nnx.merge(fitted.graphdef, state.params, state.rest), data)

    return jax.jit(jax.vmap(of_one, in_axes=(MEMBERS,)))(fitted.state)
