"""A training of a second that tells its final bits, to be killed."""

import hashlib
import time
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from actlab.measurement import Claim, Measurement
from actlab.training import make_mesh, rows_of_processes, seed_keys, train

MANY_PROCESSES = True


@dataclass(frozen=True)
class Config:
    seeds: int = 4
    steps: int = 60
    chunk: int = 5
    pause: float = 0.0
    split: bool = False  # the rows of every batch over all devices, each process having read its part of the data


class Net(nnx.Module):
    def __init__(self, rngs):
        self.first, self.last = nnx.Linear(1, 8, rngs=rngs), nnx.Linear(8, 1, rngs=rngs)

    def __call__(self, x):
        return self.last(jnp.tanh(self.first(x)))


def loss(model, batch, key):
    return jnp.mean((model(batch["x"]) - batch["y"] + 0.01 * jax.random.normal(key, (1, 1))) ** 2)


def trained(config, folder, **options):
    x = np.linspace(-2, 2, 64, dtype=np.float32)[:, None]
    data = {"x": x, "y": np.sin(3 * x)}
    if config.split:
        options["mesh"] = make_mesh(1, len(jax.devices()))
        mine = np.split(np.arange(len(x)), jax.process_count())[jax.process_index()]
        data = rows_of_processes({name: values[mine] for name, values in data.items()}, options["mesh"])
    keys = seed_keys(range(config.seeds))
    states = jax.jit(jax.vmap(lambda key: nnx.state(Net(nnx.Rngs(key)))))(keys)
    return train(
        folder,
        nnx.graphdef(Net(nnx.Rngs(0))),
        states,
        data,
        keys,
        loss=loss,
        optimizer=optax.adam(1e-2),
        steps=config.steps,
        batch_size=16,
        chunk=config.chunk,
        save_seconds=0.0,
        resume=True,
        seeds=range(config.seeds),
        **options,
    )


def bits(fitted):
    """The digest of every array of the final state and of all metrics."""
    digest = hashlib.sha256()
    state = fitted.state
    for leaf in jax.tree.leaves((state.params, state.rest, state.opt_state, state.step, fitted.metrics)):
        digest.update(np.asarray(leaf).tobytes())
    for key in (state.order_key, state.loss_key):
        digest.update(np.asarray(jax.random.key_data(key)).tobytes())
    return digest.hexdigest()


def run(config, out, report):
    def progress(p):
        report(str(p))
        time.sleep(config.pause)

    fitted = trained(config, out / "ensemble", progress=progress)
    final = Measurement("final loss", "tanh", fitted.metrics["loss"][-1], seeds=tuple(range(config.seeds)))
    kept = Measurement("bits", bits(fitted), np.zeros(config.seeds))
    return [final, kept], [Claim("the net learns", "none", final, at_most=0.5)], []
