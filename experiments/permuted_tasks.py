"""Permuted tasks without end: which activation stays able to learn, and whether smooth ones align the tasks' gradients.

Protocol: that of L2-Init (Kumar et al. 2024): every task a new random permutation of the pixels, one epoch, accuracy on
each batch just before its step ("online"), Adam's state carried over. The step size of each activation is the one with
the best average online accuracy on seeds of its own; nets of one size, kernels scaled by the activation's gain. All
activations and methods meet the same streams, so that differences are paired. Gradients are compared on short streams,
permuted and rotated (see `task_gradients`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array
from pydantic import Field

import actlab.activations as al
from actlab.measurement import Claim, Curve, Measurement
from actlab.systems.continual import (
    Classifier,
    Heads,
    Labelled,
    Method,
    Network,
    Run,
    Schedule,
    Stream,
    continual_backprop,
    gradient_products,
    l2_init,
    learn,
    naive,
    permuted,
    rotated,
    shrink_and_perturb,
    weights,
)
from actlab.training import over_devices
from experiments import task_gradients
from experiments.labelled_images import Set, again, drawn, labelled

CLASSES = 10
BLOCKS = 20
"""Points of a curve over tasks: each the mean over as many tasks in a row."""
FIRST_CHOOSING_SEED = 5000
METHODS: dict[str, tuple[Callable[[Any], Method], tuple[float, ...]]] = {
    "l2_init": (l2_init, (1e-4, 1e-3, 1e-2)),
    "shrink_and_perturb": (lambda strength: shrink_and_perturb(1 - strength, strength), (0.03, 0.1, 0.3)),
    "continual_backprop": (continual_backprop, (1e-5, 1e-4, 1e-3)),
}
"""Each with the strengths to choose from."""
KUMAR = "Kumar, Marklund & Van Roy 2024, arXiv:2308.11958, section 5"
STREAMS = {"permuted": permuted, "rotated": rotated}

MANY_PROCESSES = True


@dataclass(frozen=True)
class Config:
    """Settings.

    Attributes:
        set: "digits" (embedded), or "mnist" or "fashion-mnist" from the user's folder.
        data: that folder.
        activations: to compare.
        rates: Adam's step sizes, from which each activation's best is chosen.
        hidden: widths.
        tasks: of the long stream.
        length: images of each task; all training images where 0.
        batch_size: images of a step; a task is one epoch.
        seeds: how many.
        choosing_seeds: others, on which step sizes and strengths are chosen. With three values to choose from and three
            times as many `seeds`, choice and measurement have as many runs and share one compiled program.
        methods: compared with the activation `method_activation`.
        method_activation: at its own step size.
        streams: on which gradients are compared; none where empty.
        short_tasks: of these streams.
        parts: of each task, after which gradients are compared.
        gradient_rows: images of each task behind its gradient.
        common_rate: step size at which gradients are compared too, the same for all; one of `rates`.
        smooth: activations claimed to align gradients.
        sharp: those that they are compared with; gradients are compared for these and the smooth ones.
        decline: points of online accuracy that the first of `sharp` is claimed to lose from first to last fifth.
    """

    set: Set = "digits"
    data: str | None = None
    activations: tuple[str, ...] = ("relu", "leaky_relu", "tanh", "softplus", "elu", "gelu", "swish", "sin")
    rates: tuple[Annotated[float, Field(gt=0)], ...] = (1e-3, 3e-3, 1e-2)
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (100, 100)
    tasks: Annotated[int, Field(ge=5)] = 100
    length: Annotated[int, Field(ge=0)] = 0
    batch_size: Annotated[int, Field(ge=1)] = 16
    seeds: Annotated[int, Field(ge=2)] = 6
    choosing_seeds: Annotated[int, Field(ge=1)] = 2
    methods: tuple[Literal["l2_init", "shrink_and_perturb", "continual_backprop"], ...] = (
        "l2_init",
        "shrink_and_perturb",
        "continual_backprop",
    )
    method_activation: str = "relu"
    streams: tuple[Literal["permuted", "rotated"], ...] = ("permuted", "rotated")
    short_tasks: Annotated[int, Field(ge=2)] = 8
    parts: Annotated[int, Field(ge=1)] = 3
    gradient_rows: Annotated[int, Field(ge=1)] = 200
    common_rate: float = 3e-3
    smooth: tuple[str, ...] = ("softplus", "gelu", "swish", "tanh")
    sharp: Annotated[tuple[str, ...], Field(min_length=1)] = ("relu", "leaky_relu")
    decline: float = 2.0

    def __post_init__(self) -> None:
        missing = [n for n in (*self.smooth, *self.sharp, self.method_activation) if n not in self.activations]
        if missing or self.common_rate not in self.rates:
            raise ValueError(
                f"smooth, sharp, method_activation must be among activations (not: {missing}), and common_rate = "
                f"{self.common_rate} among rates = {self.rates}"
            )
        if self.streams and not self.smooth:
            raise ValueError("smooth = () has nothing to compare on streams: name an activation, or set streams = []")


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Curve]]:
    """Chooses step sizes, then runs the long stream, the methods and the short streams."""
    data = labelled(config.set, config.data)
    parameters = weights(_classifier("relu", config, 1, data.x.shape[1]).network.start(jax.random.key(0)))
    report(f"nets of {parameters} weights; {_schedule(config, data).steps} steps a task")
    choosing = tuple(range(FIRST_CHOOSING_SEED, FIRST_CHOOSING_SEED + config.choosing_seeds))
    chosen = _streams("permuted", config.tasks, choosing, data, config)
    final = _streams("permuted", config.tasks, tuple(range(config.seeds)), data, config)
    rates, online, (measured, claims, curves) = _long(chosen, final, data, config, report)
    name = config.method_activation
    more = [_methods(rates[name], online[name], chosen, final, data, config, report)] if config.methods else []
    more += [_short(kind, rates, data, config, report) for kind in config.streams]
    for m, c, f in more:
        measured, claims, curves = measured + m, claims + c, curves + f
    return measured, claims, curves


def _schedule(config: Config, data: Labelled, parts: int = 1) -> Schedule:
    steps = _length(config, data) // config.batch_size // parts * parts
    return Schedule(steps, config.batch_size, parts=parts, tested=False)


def _length(config: Config, data: Labelled) -> int:
    return config.length or data.x.shape[0]


def _classifier(name: str, config: Config, tasks: int, pixels: int) -> Classifier:
    network = Network.of((pixels, *config.hidden, CLASSES), al.resolve(name))
    return Classifier(network, Heads("domain", tasks, CLASSES))


def _runs(
    name: str,
    data: Labelled,
    config: Config,
    tasks: int,
    *,
    method: Callable[[Any], Method] = lambda strength: naive(),
    observed: bool = False,
) -> Callable[[Stream, Array, Array, Array], Run]:
    """(streams, keys, rates, strengths) of (members,) each -> runs, all members in one program."""
    classifier = _classifier(name, config, tasks, data.x.shape[1])
    schedule = _schedule(config, data, config.parts if observed else 1)

    def one(stream: Stream, key: Array, rate: Array, strength: Array, x: Array) -> Run:
        stream = replace(stream, x=x, x_test=x)
        observe = gradient_products(classifier, stream, config.gradient_rows) if observed else None
        found = learn(key, stream, classifier, method(strength), optax.adam(rate), schedule, observe)
        return found._replace(parameters=())

    mapped = over_devices(one, (0, 0, 0, 0, None))
    return lambda streams, keys, rates, strengths: mapped(streams, keys, rates, strengths, data.x)


def _streams(kind: str, tasks: int, seeds: tuple[int, ...], data: Labelled, config: Config) -> tuple[Stream, Array]:
    unseen = Labelled(data.x, data.y, data.x[:1], data.y[:1])  # what a run is judged by is what it learns from
    return drawn(lambda key, here: STREAMS[kind](key, here, tasks, _length(config, data), 1), seeds, unseen)


def _each(values: tuple[float, ...], seeds: int) -> Array:
    """Each value for every seed, (values * seeds,); the seeds' streams and keys are `again` as often."""
    return jnp.repeat(jnp.asarray(values, jnp.float32), seeds)


def _best(
    runs: Callable[..., Run], streams: tuple[Stream, Array], rates: tuple[float, ...], strengths: tuple[float, ...]
) -> tuple[int, np.ndarray]:
    """Which pair of step size and strength has the best average online accuracy; and those averages in %."""
    seeds = streams[1].shape[0]
    online = runs(*again(streams, len(rates)), _each(rates, seeds), _each(strengths, seeds)).online
    mean = 100 * np.asarray(online, np.float64).reshape(len(rates), -1).mean(1)
    return int(mean.argmax()), mean


def _change(online: np.ndarray) -> np.ndarray:
    """Last fifth of the tasks less the first, (seeds,)."""
    fifth = online.shape[1] // 5
    return online[:, -fifth:].mean(1) - online[:, :fifth].mean(1)


def _over_tasks(title: str, who: str, online: np.ndarray) -> Curve:
    blocks = np.array_split(np.arange(online.shape[1]), min(BLOCKS, online.shape[1]))
    x = np.array([b.mean() + 1 for b in blocks])
    return Curve(title, who, x, np.stack([online[:, b].mean(1) for b in blocks], 1), "task", "online accuracy, %")


def _long(
    choosing: tuple[Stream, Array],
    final: tuple[Stream, Array],
    data: Labelled,
    config: Config,
    report: Callable[[str], None],
) -> tuple[dict[str, float], dict[str, np.ndarray], tuple[list[Measurement], list[Claim], list[Curve]]]:
    """Each activation's step size and online accuracies in %, (seeds, tasks); and what they say."""
    measured, curves, changes, everything, rates, best = [], [], {}, {}, {}, {}
    for name in config.activations:
        runs = _runs(name, data, config, config.tasks)
        which, mean = _best(runs, choosing, config.rates, (0.0,) * len(config.rates))
        rates[name], best[name] = config.rates[which], mean[which]
        at = _each((rates[name],), config.seeds)
        online = everything[name] = 100 * np.asarray(runs(*final, at, 0 * at).online, np.float64)
        changes[name] = Measurement("change of online accuracy", name, _change(online), "points", "higher")
        average = Measurement("average online accuracy", name, online.mean(1), "%", "higher")
        step = Measurement("chosen step size", name, np.full(config.seeds, rates[name]), "", "neither")
        measured += [average, changes[name], step]
        curves.append(_over_tasks(f"Online accuracy over {config.tasks} permuted tasks", name, online))
        tried = ", ".join(f"{r:g}: {v:.2f} %" for r, v in zip(config.rates, mean, strict=True))
        report(f"{name:12s} tried {tried}; {average.mean:.2f} %, change {changes[name].mean:+.2f} points")
    sharp, winner = config.sharp[0], max(best, key=lambda name: best[name])
    lost = Measurement("loss of online accuracy", sharp, -changes[sharp].values, "points", "lower")
    statement = f"{sharp} loses at least {config.decline:g} points from the first to the last fifth of the tasks"
    kept = f"{winner}, the best on the choosing seeds, loses nothing from the first to the last fifth of the tasks"
    claims = [
        Claim(statement, KUMAR, lost, at_least=config.decline),
        Claim(kept, "bar set beforehand", changes[winner], at_least=0.0),
    ]
    return rates, everything, (measured, claims, curves)


def _methods(
    rate: float,
    untouched: np.ndarray,
    choosing: tuple[Stream, Array],
    final: tuple[Stream, Array],
    data: Labelled,
    config: Config,
    report: Callable[[str], None],
) -> tuple[list[Measurement], list[Claim], list[Curve]]:
    """Methods for plasticity, each at its best strength on the choosing seeds; `untouched`: what the naive one gave."""
    name = config.method_activation
    title = f"Online accuracy of {name} by method"
    measured, curves = [], [_over_tasks(title, f"{name}, naive", untouched)]
    for method in config.methods:
        make, strengths = METHODS[method]
        runs = _runs(name, data, config, config.tasks, method=make)
        which, mean = _best(runs, choosing, (rate,) * len(strengths), strengths)
        at = _each((rate,), config.seeds)
        online = 100 * np.asarray(runs(*final, at, jnp.full_like(at, strengths[which])).online, np.float64)
        who = f"{name}, {method}"
        average = Measurement("average online accuracy", who, online.mean(1), "%", "higher")
        change = Measurement("change of online accuracy", who, _change(online), "points", "higher")
        measured += [average, change]
        curves.append(_over_tasks(title, who, online))
        tried = ", ".join(f"{s:g}: {v:.2f} %" for s, v in zip(strengths, mean, strict=True))
        report(f"{who:32s} tried {tried}; {average.mean:.2f} %, change {change.mean:+.2f} points")
    return measured, [], curves


def _short(
    kind: str, rates: dict[str, float], data: Labelled, config: Config, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Curve]]:
    """Gradients of tasks: at each activation's own step size and at a common one."""
    measured, curves, found = [], [], {}
    streams = again(_streams(kind, config.short_tasks, tuple(range(config.seeds)), data, config), 2)
    for name in (*config.smooth, *config.sharp):
        both = _each((rates[name], config.common_rate), config.seeds)
        runs = _runs(name, data, config, config.short_tasks, observed=True)
        products = np.asarray(runs(*streams, both, 0 * both).observed, np.float64)
        products = products.reshape(2, config.seeds, *products.shape[1:])
        found[name] = task_gradients.alignments(kind, name, products)
        curves.append(task_gradients.by_task(kind, name, products))
        for at, (cosine, conflict) in found[name].items():
            measured += [cosine, conflict]
            report(f"{kind:9s} {name:12s} {at:6s} cosine {cosine.mean:+.4f}, conflicts {conflict.mean:.1f} %")
    return measured, task_gradients.claims(kind, found, config.smooth, config.sharp), curves
