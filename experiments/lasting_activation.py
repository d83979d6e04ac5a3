"""The search for an activation that learns on better than the sine and costs nothing where nothing changes.

The family is `tilt x + amplitude sin(omega x)`. On seeds of its own, the member of the grid with the least error late
in the slowly changing regression is chosen among those that classify held-in digits within a point of ReLU; both
numbers are then measured on other seeds, the digits' on images that no choice has seen. Each activation is judged at
its own best step size, which the seeds of the search choose too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array
from pydantic import Field

import actlab.activations as al
from actlab.activations import Activation, Facts, Interval
from actlab.activations.facts import certain
from actlab.data.splits import standardized_digits
from actlab.measurement import Claim, Curve, Measurement
from actlab.nets import MLP
from actlab.systems.continual import Learner, Problem, error_at_end, online_learning
from actlab.training import fit, seed_keys
from experiments.classifiers import accuracy, cross_entropy

SOURCE = "bars set beforehand"
ENDED, ACCURACY = "squared error, last fifth, own step size", "test accuracy on digits"
Positive = Annotated[float, Field(gt=0)]


def _facts(tilt: Any, amplitude: Any, omega: Any) -> Facts:
    wave = Interval(-1.0, 1.0) * amplitude
    return Facts(
        wave if certain(tilt == 0) else al.REALS, wave * omega + tilt, (wave * omega) * omega, (), al.SMOOTH, "unknown"
    )


@al.activation(
    family="periodic",
    slope=lambda x, tilt, amplitude, omega: tilt + amplitude * omega * jnp.cos(omega * x),
    curvature=lambda x, tilt, amplitude, omega: -amplitude * omega * omega * jnp.sin(omega * x),
    domains={"amplitude": al.POSITIVE, "omega": al.POSITIVE},
    facts=_facts,
)
def tilted_sine(
    x: Array, tilt: Array | float = 0.0, amplitude: Array | float = 1.0, omega: Array | float = 1.0
) -> Array:
    """Tilt x + amplitude sin(omega x)."""
    return tilt * x + amplitude * jnp.sin(omega * x)


@dataclass(frozen=True)
class Config:
    """Settings.

    Attributes:
        tilts: of the grid.
        amplitudes: of the grid.
        omegas: of the grid.
        step_sizes: from which every activation gets its own.
        search_seeds: how many choose.
        search_first_seed: of them.
        seeds: how many measure; no seed is among the search's.
        first_seed: of them.
        search_blocks: of the stream on which the choice is made.
        blocks: of the stream on which is measured.
        block: examples of each.
        steps: of Adam on the digits.
        within: points of accuracy that may be lost to ReLU.
    """

    tilts: Annotated[tuple[float, ...], Field(min_length=1)] = (0.0, 0.2)
    amplitudes: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1.0, 1.5)
    omegas: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1.0, 1.5, 2.0)
    step_sizes: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.03, 0.01)
    search_seeds: Annotated[int, Field(ge=1)] = 6
    search_first_seed: Annotated[int, Field(ge=0)] = 5000
    seeds: Annotated[int, Field(ge=2)] = 30
    first_seed: Annotated[int, Field(ge=0)] = 0
    search_blocks: Annotated[int, Field(ge=10)] = 30
    blocks: Annotated[int, Field(ge=10)] = 100
    block: Annotated[int, Field(ge=1)] = 10_000
    steps: Annotated[int, Field(ge=1)] = 600
    within: Annotated[float, Field(ge=0)] = 1.0

    def __post_init__(self) -> None:
        search = range(self.search_first_seed, self.search_first_seed + self.search_seeds)
        measure = range(self.first_seed, self.first_seed + self.seeds)
        if set(search) & set(measure):
            raise ValueError(f"search_first_seed = {self.search_first_seed}: seeds that choose must not measure")


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Curve]]:
    """Searches, then measures the winner, the sine and ReLU on fresh seeds."""
    grid = np.array(list(itertools.product(config.tilts, config.amplitudes, config.omegas)), np.float32)
    choosing = range(config.search_first_seed, config.search_first_seed + config.search_seeds)
    winner, step = _search(grid, choosing, config, report)
    own = {"tilted_sine": (winner, step)}
    for f in (al.sin, al.relu):
        late = error_at_end(_courses(f, choosing, config.step_sizes, config.search_blocks, config)).mean(1)
        own[f.name] = (f, config.step_sizes[int(np.argmin(late))])
    seeds = tuple(range(config.first_seed, config.first_seed + config.seeds))
    found: dict[tuple[str, str], Measurement] = {}
    curves = []
    held_in, held_out = standardized_digits()
    for name, (f, own_step) in own.items():
        error = _courses(f, seeds, (own_step,), config.blocks, config)[0]
        late = error_at_end(error)
        accuracy = _accuracies(f, seeds, held_in, held_out, config)
        found[name, ENDED] = Measurement(ENDED, name, late, "", "lower", seeds)
        found[name, ACCURACY] = Measurement(ACCURACY, name, accuracy, "%", "higher", seeds)
        x = (np.arange(config.blocks) + 1) * config.block / 1000
        curves.append(
            Curve("Squared error over the stream", name, x, error, "thousand examples", "squared error of a block")
        )
        report(f"{name}: step {own_step:g}, error {late.mean():.4f}, accuracy {accuracy.mean():.2f} %")
    gain = found["tilted_sine", ENDED].minus(found["sin", ENDED])
    loss = found["tilted_sine", ACCURACY].minus(found["relu", ACCURACY])
    claims = [
        Claim("the chosen tilted sine ends below the sine", SOURCE, gain, at_most=0.0),
        Claim(
            f"the chosen tilted sine stays within {config.within:g} points of ReLU on digits",
            SOURCE,
            loss,
            at_least=-config.within,
        ),
    ]
    return list(found.values()), claims, curves


def _courses(f: Activation, seeds: Any, step_sizes: tuple[float, ...], blocks: int, config: Config) -> np.ndarray:
    problem, learner = Problem(block=config.block, blocks=blocks), Learner(step_sizes=step_sizes)
    return np.asarray(online_learning(f, problem, learner)(seed_keys(tuple(seeds))).error)


def _search(grid: np.ndarray, seeds: range, config: Config, report: Callable[[str], None]) -> tuple[Activation, float]:
    """The best admissible member of the grid and its step size; all members' learners are one program."""
    problem, learner = Problem(block=config.block, blocks=config.search_blocks), Learner(step_sizes=config.step_sizes)
    keys = seed_keys(tuple(seeds))

    def of_member(parameters: Array) -> Any:
        return online_learning(_member(parameters), problem, learner)(keys).error

    late = error_at_end(jax.jit(jax.vmap(of_member))(jnp.asarray(grid))).mean(-1)
    best = np.argmin(late, 1)
    order = np.argsort(late.min(1))
    held_in, _ = standardized_digits()
    fifth = len(held_in["y"]) // 5
    choosing, rest = ({k: v[part] for k, v in held_in.items()} for part in (slice(fifth), slice(fifth, None)))
    bar = _accuracies(al.relu, tuple(seeds), rest, choosing, config).mean() - config.within
    for i in order:
        f = _member(grid[i])
        accuracy = _accuracies(f, tuple(seeds), rest, choosing, config).mean()
        tilt, amplitude, omega = grid[i]
        said = f"tilt {tilt:g}, amplitude {amplitude:g}, omega {omega:g}, step {config.step_sizes[best[i]]:g}"
        report(f"{said}: error {late[i, best[i]]:.4f}, accuracy {accuracy:.2f} % (needs {bar:.2f} %)")
        if accuracy >= bar:
            return f, config.step_sizes[int(best[i])]
    raise ValueError(f"no member of the grid stays within {config.within:g} points of ReLU on held-in digits")


def _member(parameters: Any) -> Activation:
    tilt, amplitude, omega = parameters
    return tilted_sine.bind(tilt=tilt, amplitude=amplitude, omega=omega)


def _accuracies(f: Activation, seeds: tuple[int, ...], train: dict, test: dict, config: Config) -> np.ndarray:
    """Accuracies in per cent of nets of widths 64 and 64 on rows that they were not trained on."""

    def one(key: Array) -> Array:
        of_net, of_batches = jax.random.split(key)
        graphdef, state = nnx.split(MLP((train["x"].shape[1], 64, 64, 10), f, rngs=nnx.Rngs(params=of_net)))
        optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, config.steps))
        fitted = fit(
            graphdef,
            state,
            train,
            of_batches,
            loss=cross_entropy,
            optimizer=optimizer,
            steps=config.steps,
            batch_size=64,
        )
        return accuracy(fitted.model(), test)

    return 100 * np.asarray(jax.jit(jax.vmap(one))(seed_keys(seeds)), np.float64)
