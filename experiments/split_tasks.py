"""Split tasks, two classes each: what methods keep where the task is told, where it is not, and where classes add up.

Protocol: tasks of classes 0 and 1, 2 and 3, ... one after the other (task-, domain- and class-incremental: van de Ven
et al. 2022), held-out accuracy over all tasks after the last. Strengths are chosen by that average on seeds of their
own and a fifth of the training images held out: test images are seen once. Then activations are compared under chosen
methods, each at its own step size, kernels scaled by its gain, all nets of one size; all meet the same streams, so that
differences are paired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

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
    Scenario,
    Schedule,
    Stream,
    a_gem,
    continual_backprop,
    ewc,
    joint,
    l2_init,
    learn,
    learning_without_forgetting,
    least_rows,
    naive,
    replay,
    shrink_and_perturb,
    split,
    synaptic_intelligence,
    transfer,
)
from actlab.training import over_devices
from experiments.labelled_images import Set, again, drawn, for_choosing, labelled

TASKS, CLASSES = 5, 2
FIRST_CHOOSING_SEED = 5000
JOINT = "joint training"
Name = Literal["naive", "ewc", "si", "lwf", "replay", "a_gem", "l2_init", "shrink_and_perturb", "continual_backprop"]
STRENGTHS: dict[str, tuple[float, ...]] = {
    "ewc": (1e2, 1e3, 1e4, 1e5),
    "si": (0.1, 1.0, 10.0, 100.0),
    "l2_init": (1e-4, 1e-3, 1e-2),
    "shrink_and_perturb": (0.1, 0.3),
    "continual_backprop": (1e-4, 1e-3),
}
"""To choose from; the other methods have none."""
VAN_DE_VEN = "van de Ven, Tuytelaars & Tolias 2022, Nature Machine Intelligence 4, table of split MNIST"

MANY_PROCESSES = True


@dataclass(frozen=True)
class Config:
    """Settings.

    Attributes:
        set: "digits" (embedded), or "mnist" or "fashion-mnist" from the user's folder.
        data: that folder.
        scenarios: of the table of methods.
        methods: of that table.
        renewing: further ones, for the class-incremental scenario alone.
        activation: of its nets.
        method_rates: Adam's step sizes, from which each method's own is chosen there.
        rates_of: in their place, of single methods.
        activations: compared under `compared`.
        rates: from which each activation's own is chosen.
        compared: methods under which activations are compared, each with its scenario.
        hidden: widths.
        steps: of each task.
        batch_size: of the task, and as many kept examples again for replay.
        reference: kept examples behind A-GEM's reference gradient at each step: few make it noise.
        kept: examples of each task that replay and A-GEM keep.
        seeds: how many.
        choosing_seeds: others, on which strengths and step sizes are chosen.
        naive_within: distance from 19.9 % that the naive method is claimed to stay within, class-incremental.
        replay_at_least: claimed of replay, class-incremental, in %; none where 0.
        a_gem_at_least: likewise of A-GEM.
    """

    set: Set = "digits"
    data: str | None = None
    scenarios: tuple[Scenario, ...] = ("task", "domain", "class")
    methods: tuple[Name, ...] = ("naive", "ewc", "si", "lwf", "replay", "a_gem")
    renewing: tuple[Name, ...] = ("l2_init", "shrink_and_perturb", "continual_backprop")
    activation: str = "relu"
    method_rates: tuple[Annotated[float, Field(gt=0)], ...] = (1e-3,)
    rates_of: dict[Name, tuple[Annotated[float, Field(gt=0)], ...]] = field(default_factory=dict)
    activations: tuple[str, ...] = ("relu", "leaky_relu", "tanh", "softplus", "elu", "gelu", "swish", "sin")
    rates: tuple[Annotated[float, Field(gt=0)], ...] = (3e-4, 1e-3, 3e-3)
    compared: tuple[tuple[Name, Scenario], ...] = (("replay", "class"),)
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (100, 100)
    steps: Annotated[int, Field(ge=1)] = 200
    batch_size: Annotated[int, Field(ge=1)] = 32
    reference: Annotated[int, Field(ge=1)] = 256
    kept: Annotated[int, Field(ge=1)] = 40
    seeds: Annotated[int, Field(ge=2)] = 10
    choosing_seeds: Annotated[int, Field(ge=1)] = 3
    naive_within: float = 0.3
    replay_at_least: float = 0.0
    a_gem_at_least: float = 0.0


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Curve]]:
    """The table of methods in each scenario, joint training as its ceiling; then activations."""
    data = labelled(config.set, config.data)
    measured, curves = [], []
    for scenario in config.scenarios:
        # Where the task is told, joint training has as many heads as tasks: another program, not made here.
        more = {"task": (), "domain": (JOINT,), "class": (*config.renewing, JOINT)}[scenario]
        for method in (*config.methods, *more):
            m, c = _method(method, scenario, data, config, report)
            measured, curves = measured + m, curves + c
    claims = _claims(measured, config)
    for method, scenario in config.compared:
        measured += _activations(method, scenario, data, config, report)
    return measured, claims, curves


def _make(name: str, strength: Any, config: Config) -> Method:
    return {
        "naive": naive,
        "ewc": lambda: ewc(strength),
        "si": lambda: synaptic_intelligence(strength),
        "lwf": learning_without_forgetting,
        "replay": lambda: replay(config.kept, config.batch_size),
        "a_gem": lambda: a_gem(config.kept, config.reference),
        "l2_init": lambda: l2_init(strength),
        "shrink_and_perturb": lambda: shrink_and_perturb(1 - strength, strength),
        "continual_backprop": lambda: continual_backprop(strength),
        JOINT: naive,
    }[name]()


def _runs(
    activation: str, method: str, scenario: Scenario, data: Labelled, config: Config
) -> Callable[[tuple[Stream, Array], Array, Array], Run]:
    """((streams, keys), rates, strengths), each (members,) -> runs, all members in one program."""
    together, shared = method == JOINT, scenario == "domain"
    whole = Heads(scenario, 1, CLASSES if shared else TASKS * CLASSES)
    heads = whole if together else Heads(scenario, TASKS, CLASSES)
    network = Network.of((data.x.shape[1], *config.hidden, heads.outputs), al.resolve(activation))
    schedule = Schedule(config.steps * (TASKS if together else 1), config.batch_size, reset=True)

    def one(stream: Stream, key: Array, rate: Array, strength: Array, x: Array, x_test: Array) -> Run:
        stream = replace(stream, x=x, x_test=x_test)
        stream = joint(stream, shared=shared) if together else stream
        classifier = Classifier(network, heads)
        found = learn(key, stream, classifier, _make(method, strength, config), optax.adam(rate), schedule)
        return found._replace(parameters=())

    mapped = over_devices(one, (0, 0, 0, 0, None, None))
    return lambda members, rates, strengths: mapped(*members, rates, strengths, data.x, data.x_test)


def _streams(seeds: tuple[int, ...], data: Labelled) -> tuple[Stream, Array]:
    lengths = least_rows(data.y, TASKS, CLASSES), least_rows(data.y_test, TASKS, CLASSES)
    return drawn(lambda key, here: split(key, here, TASKS, CLASSES, *lengths), seeds, data)


def _chosen(
    activation: str,
    method: str,
    scenario: Scenario,
    rates: tuple[float, ...],
    data: Labelled,
    config: Config,
    report: Callable[[str], None],
) -> tuple[float, float]:
    """Step size and strength of best average accuracy on the choosing seeds and held-out training images."""
    strengths = STRENGTHS.get(method, (0.0,))
    pairs = [(rate, strength) for rate in rates for strength in strengths]
    if len(pairs) == 1:
        return pairs[0]
    seeds = tuple(range(FIRST_CHOOSING_SEED, FIRST_CHOOSING_SEED + config.choosing_seeds))
    each = jnp.repeat(jnp.asarray(pairs, jnp.float32), len(seeds), 0)
    within = for_choosing(data)
    members = again(_streams(seeds, within), len(pairs))
    runs = _runs(activation, method, scenario, within, config)
    accuracy = np.asarray(runs(members, each[:, 0], each[:, 1]).accuracy, np.float64)
    mean = 100 * accuracy[:, -1].mean(1).reshape(len(pairs), -1).mean(1)
    best = pairs[int(mean.argmax())]
    shown = ", ".join(f"({r:g}, {s:g}): {v:.1f} %" for (r, s), v in zip(pairs, mean, strict=True))
    report(f"{scenario:7s} {activation:12s} {method:20s} (step size, strength) {shown}")
    return best


def _accuracy(
    activation: str, method: str, scenario: Scenario, rate: float, strength: float, data: Labelled, config: Config
) -> np.ndarray:
    """Of held-out images in %, (seeds, tasks + 1, tasks)."""
    members, ones = _streams(tuple(range(config.seeds)), data), jnp.ones(config.seeds)
    runs = _runs(activation, method, scenario, data, config)
    return 100 * np.asarray(runs(members, rate * ones, strength * ones).accuracy, np.float64)


def _method(
    method: str, scenario: Scenario, data: Labelled, config: Config, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Curve]]:
    own: dict[Any, tuple[float, ...]] = config.rates_of
    rates = own.get(method, config.method_rates)
    rate, strength = _chosen(config.activation, method, scenario, rates, data, config, report)
    accuracy = _accuracy(config.activation, method, scenario, rate, strength, data, config)
    final = Measurement(_name(scenario), method, accuracy[:, -1].mean(1), "%", "higher")
    if method == JOINT:
        report(f"{scenario:7s} {method:20s} {final.mean:.2f} %")
        return [final], []
    found = transfer(accuracy)
    report(
        f"{scenario:7s} {method:20s} step {rate:g}, strength {strength:g}: {final.mean:.2f} %, "
        f"forgetting {found.forgetting.mean():.1f}, backward {found.backward.mean():+.1f}, "
        f"forward {found.forward.mean():+.1f}"
    )
    met = np.stack([accuracy[:, t, :t].mean(1) for t in range(1, TASKS + 1)], 1)
    title = f"Accuracy on the tasks met so far, {scenario}-incremental"
    curve = Curve(title, method, np.arange(1, TASKS + 1), met, "tasks met", "held-out accuracy, %")
    forgetting = Measurement(f"forgetting, {scenario}-incremental", method, found.forgetting, "points", "lower")
    backward = Measurement(f"backward transfer, {scenario}-incremental", method, found.backward, "points", "higher")
    return [final, forgetting, backward], [curve]


def _name(scenario: Scenario) -> str:
    return f"accuracy, {scenario}-incremental"


def _activations(
    method: Name, scenario: Scenario, data: Labelled, config: Config, report: Callable[[str], None]
) -> list[Measurement]:
    """Each activation under one method, at its own step size."""
    measured = []
    for name in config.activations:
        rate, strength = _chosen(name, method, scenario, config.rates, data, config, report)
        accuracy = _accuracy(name, method, scenario, rate, strength, data, config)
        found = transfer(accuracy)
        what = f"{scenario}-incremental, {method}"
        final = Measurement(f"accuracy by activation, {what}", name, found.average, "%", "higher")
        forgetting = Measurement(f"forgetting by activation, {what}", name, found.forgetting, "points", "lower")
        measured += [final, forgetting]
        report(f"{what}: {name:12s} step {rate:g}: {final.mean:.2f} %, forgetting {forgetting.mean:.2f}")
    return measured


def _claims(measured: list[Measurement], config: Config) -> list[Claim]:
    found = {m.activation: m for m in measured if m.name == _name("class")}
    claims = []
    if "naive" in found:
        middle, within = 19.9, config.naive_within
        apart = Measurement("distance from 19.9 %", "naive", np.abs(found["naive"].values - middle), "%", "lower")
        statement = f"{config.set}: the naive method keeps {middle} +- {within:g} %, the last task's classes alone"
        claims.append(Claim(statement, VAN_DE_VEN, apart, at_most=within))
    for name, bar in (("replay", config.replay_at_least), ("a_gem", config.a_gem_at_least)):
        if bar and name in found:
            statement = f"{config.set}: {name} with {config.kept} examples a task keeps at least {bar:g} %"
            claims.append(Claim(statement, VAN_DE_VEN, found[name], at_least=bar))
    return claims
