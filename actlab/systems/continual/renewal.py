"""Methods that give a net new units or new noise, so that it stays able to learn."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from actlab.systems.continual.classifier import Classifier
from actlab.systems.continual.method import Method, Renewed, Step
from actlab.systems.continual.model import Layer, Parameters


def shrink_and_perturb(shrink: Any, perturb: Any) -> Method:
    """After each task: theta -> shrink theta + perturb theta_new, theta_new drawn as at the start.

    Source: Ash & Adams 2020, arXiv:1910.08475, section 4.
    """

    def after_task(
        classifier: Classifier, parameters: Parameters, memory: Any, draw: Any, now: Any, key: Array
    ) -> tuple[Parameters, Any]:
        new = classifier.network.start(key)
        return jax.tree.map(lambda p, n: shrink * p + perturb * n, parameters, new), memory

    return Method("shrink_and_perturb", after_task=after_task)


class Units(NamedTuple):
    """What is known of the units of a hidden layer, each (width,).

    Attributes:
        utility: running mean of |value| times the sum of |outgoing weights|, from 0: before Adam's correction of bias.
        activity: running mean of the value, likewise.
        age: steps since the unit was made.
        due: units still to be replaced, (): grows by a fraction at each step, falls by 1 with each replacement.
    """

    utility: Any
    activity: Any
    age: Any
    due: Any


def continual_backprop(rate: Any = 1e-4, maturity: int = 100, decay: float = 0.99) -> Method:
    """Now and then the mature unit of least utility of each layer starts anew, with outgoing weights 0.

    What it gave on average goes into the biases behind it. Its utility is the running mean of |value| times the sum of
    |outgoing weights|. At most one unit of a layer is replaced at a step: no limit while rate * width is below 1.

    Args:
        rate: share of the mature units that is replaced at each step.
        maturity: steps for which a new unit is spared.
        decay: of the running means.

    Source: Dohare et al. 2024, Nature 632, algorithm 1.
    """

    def start(classifier: Classifier, parameters: Parameters) -> tuple[Units, ...]:
        widths = classifier.network.sizes[1:-1]
        return tuple(Units(jnp.zeros(w), jnp.zeros(w), jnp.zeros(w), jnp.zeros(())) for w in widths)

    def after_step(classifier: Classifier, step: Step, memory: tuple[Units, ...], key: Array) -> Renewed:
        layers = list(step.after)
        fresh = [Layer(*(jnp.zeros(v.shape, bool) for v in layer)) for layer in layers]
        units = []
        for number, known in enumerate(memory):
            known = _observed(known, step.seen.hidden[number], layers[number + 1].kernel, decay)
            chosen, known = _least_useful(known, rate, maturity, decay)
            gives = known.activity / (1 - decay ** jnp.maximum(known.age, 1))
            of_layer = jax.random.fold_in(key, number)
            new = classifier.network.deviations[number] * jax.random.normal(of_layer, layers[number].kernel.shape[:1])
            into, out = layers[number], layers[number + 1]
            kept = jnp.where(chosen, gives, 0) @ out.kernel
            layers[number] = Layer(jnp.where(chosen[None], new[:, None], into.kernel), jnp.where(chosen, 0, into.bias))
            layers[number + 1] = Layer(jnp.where(chosen[:, None], 0, out.kernel), out.bias + kept)
            a, b = fresh[number], fresh[number + 1]
            fresh[number] = Layer(a.kernel | chosen[None], a.bias | chosen)
            fresh[number + 1] = Layer(b.kernel | chosen[:, None], b.bias)
            utility, activity, age = (jnp.where(chosen, 0, v) for v in known[:3])
            units.append(Units(utility, activity, age, known.due))
        return Renewed(tuple(layers), tuple(units), tuple(fresh))

    return Method("continual_backprop", start, after_step=after_step)


def _observed(known: Units, values: Array, outgoing: Array, decay: float) -> Units:
    use = jnp.abs(values).mean(0) * jnp.abs(outgoing).sum(1)
    utility = decay * known.utility + (1 - decay) * use
    activity = decay * known.activity + (1 - decay) * values.mean(0)
    return Units(utility, activity, known.age + 1, known.due)


def _least_useful(known: Units, rate: Any, maturity: int, decay: float) -> tuple[Array, Units]:
    """Which unit is replaced, (width,) booleans of which one at most is true; and the units, `due` updated."""
    mature = known.age > maturity
    due = known.due + rate * mature.sum()
    ready = (due >= 1) & mature.any()
    utility = jnp.where(mature, known.utility / (1 - decay ** jnp.maximum(known.age, 1)), jnp.inf)
    chosen = (jnp.arange(mature.size) == jnp.argmin(utility)) & ready
    return chosen, known._replace(due=due - ready)
