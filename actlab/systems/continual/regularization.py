"""Methods that hold parameters, or the function, near where they were: EWC, synaptic intelligence, L2-init, LwF."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.systems.continual.classifier import opened
from actlab.systems.continual.fisher import diagonal_fisher
from actlab.systems.continual.heads import Heads
from actlab.systems.continual.method import Method, Renewed
from actlab.systems.continual.model import Parameters

SMALLEST_MOVE = 1e-3
"""Added to the squared movement of a parameter in synaptic intelligence: xi of the paper."""


def l2_init(strength: Any) -> Method:
    """Adds strength |theta - theta_0|^2 to the loss, theta_0 the parameters at the start.

    Source: Kumar, Marklund & Van Roy 2024, arXiv:2308.11958, eq. 1.
    """

    def gradient(classifier: Any, now_at: Parameters, memory: Parameters, seen: Any, *_: Any) -> Parameters:
        return jax.tree.map(lambda g, p, p0: g + 2 * strength * (p - p0), seen.gradient, now_at, memory)

    return Method("l2_init", start=lambda classifier, parameters: parameters, gradient=gradient)


def ewc(strength: Any, samples: int = 256, decay: Any = 1.0) -> Method:
    """Adds strength / 2 sum_t F_t (theta - theta_t)^2, F_t the diagonal Fisher information after task t.

    The sum of the tasks' quadratics is one quadratic: two trees are kept, however many tasks.

    Args:
        strength: lambda.
        samples: examples behind each F_t.
        decay: factor at the end of each task on the quadratics of earlier ones. Below 1 the Fisher information fades as
            in online EWC, which also moves all centres to the latest theta_t; here every task keeps its own.

    Source: Kirkpatrick et al. 2017, arXiv:1612.00796, eq. 3; decay: Schwarz et al. 2018, arXiv:1805.06370, eq. 9.
    """

    def start(classifier: Any, parameters: Parameters) -> Any:
        zeros = jax.tree.map(jnp.zeros_like, parameters)
        return zeros, zeros

    def gradient(classifier: Any, now_at: Parameters, memory: Any, seen: Any, *_: Any) -> Parameters:
        precision, weighted = memory
        return jax.tree.map(lambda g, p, a, b: g + strength * (a * p - b), seen.gradient, now_at, precision, weighted)

    def after_task(classifier: Any, parameters: Parameters, memory: Any, draw: Any, now: Any, key: Array) -> Any:
        precision, weighted = memory
        fisher = diagonal_fisher(classifier, parameters, draw(key, samples), now)
        precision = jax.tree.map(lambda a, f: decay * a + f, precision, fisher)
        weighted = jax.tree.map(lambda b, f, p: decay * b + f * p, weighted, fisher, parameters)
        return parameters, (precision, weighted)

    return Method("ewc", start, gradient, after_task=after_task)


def synaptic_intelligence(strength: Any) -> Method:
    """Adds strength sum Omega (theta - theta_ref)^2; Omega: how much each parameter lowered the loss, by its movement.

    At the end of a task Omega grows by max(0, w) / (Delta^2 + xi): w the integral of -gradient over the parameter's
    path in this task, Delta how far it came. A parameter whose path raised the loss counts 0, not less.

    Source: Zenke, Poole & Ganguli 2017, arXiv:1703.04200, eqs. 3-5.
    """

    def start(classifier: Any, parameters: Parameters) -> Any:
        zeros = jax.tree.map(jnp.zeros_like, parameters)
        return zeros, zeros, parameters

    def gradient(classifier: Any, now_at: Parameters, memory: Any, seen: Any, *_: Any) -> Parameters:
        _, importance, reference = memory
        held = lambda g, p, omega, r: g + 2 * strength * omega * (p - r)  # noqa: E731
        return jax.tree.map(held, seen.gradient, now_at, importance, reference)

    def after_step(classifier: Any, step: Any, memory: Any, key: Array) -> Renewed:
        path, importance, reference = memory
        along = lambda w, g, before, after: w - g * (after - before)  # noqa: E731
        path = jax.tree.map(along, path, step.seen.gradient, step.before, step.after)
        return Renewed(step.after, (path, importance, reference))

    def after_task(classifier: Any, parameters: Parameters, memory: Any, draw: Any, now: Any, key: Array) -> Any:
        path, importance, reference = memory
        grown = lambda omega, w, p, r: omega + jnp.maximum(w, 0) / (jnp.square(p - r) + SMALLEST_MOVE)  # noqa: E731
        importance = jax.tree.map(grown, importance, path, parameters, reference)
        return parameters, (jax.tree.map(jnp.zeros_like, path), importance, parameters)

    return Method("si", start, gradient, after_step, after_task)


def learning_without_forgetting(temperature: float = 2.0) -> Method:
    """Mixes the loss of task t (from 0) with the distance from the net before it, on the present inputs: 1 to t.

    Source: Li & Hoiem 2016, arXiv:1606.09282, eqs. 2-3; the mixture as in van de Ven et al. 2022, Nature Machine
    Intelligence 4, methods.
    """

    def gradient(
        classifier: Any, now_at: Parameters, memory: Parameters, seen: Any, batch: Any, now: Any, key: Array
    ) -> Parameters:
        wanted = classifier.logits(memory, batch.x)

        def off(parameters: Parameters) -> Array:
            return old_outputs_loss(classifier.logits(parameters, batch.x), wanted, classifier.heads, now, temperature)

        share = 1 / (1 + now)
        return jax.tree.map(lambda g, o: share * g + (1 - share) * o, seen.gradient, jax.grad(off)(now_at))

    return Method(
        "lwf",
        start=lambda classifier, parameters: parameters,
        gradient=gradient,
        after_task=lambda classifier, parameters, memory, draw, now, key: (parameters, parameters),
    )


def old_outputs_loss(
    found: Float[Array, "rows outputs"],
    wanted: Float[Array, "rows outputs"],
    heads: Heads,
    now: Any,
    temperature: float = 2.0,
) -> Float[Array, ""]:
    """T^2 times the cross-entropy of the old net's softened outputs, nats, over groups of old outputs; 0 at first."""
    masks, weights = heads.before(now)

    def one(mask: Array) -> Array:
        old, new = (jax.nn.log_softmax(opened(v / temperature, mask[None])) for v in (wanted, found))
        return -jnp.mean(jnp.sum(jnp.where(mask[None], jnp.exp(old) * new, 0), -1))

    return temperature**2 * jnp.dot(weights, jax.vmap(one)(masks))
