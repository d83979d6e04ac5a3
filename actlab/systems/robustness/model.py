"""Certified training: nets whose margins hold over a ball, trained by ordinary gradient descent on those margins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, Key

from actlab.activations import (
    Activation,
    Interval,
    VectorActivation,
    as_activation,
    crelu,
    groupsort,
    maxmin,
    require,
    resolve,
)
from actlab.activations.facts import FactError
from actlab.bounds import linear_bounds, network
from actlab.nets.boxes import boxes
from actlab.nets.chain import Architecture, Chain
from actlab.systems.robustness.margins import Margins, ball_margins, box_margins, least, worst_cross_entropy
from actlab.training import Fitted, fit

Method = Literal["plain", "interval", "crown", "lipschitz"]
METHODS: tuple[str, ...] = ("plain", "interval", "crown", "lipschitz")
TIGHT = 0.5
"""Boxes narrower than twice the input's are let be by the regularizer (Shi et al. 2021, eq. 10)."""


@dataclass(frozen=True)
class Recipe:
    """How a net is trained.

    Attributes:
        method: "plain" cross-entropy; "interval": cross-entropy of the worst logits in an linf ball, by interval
            propagation; "crown": the same by CROWN-IBP, margins mixed from linear bounds, all at first, to interval
            bounds, all once the ball is full (dense nets; several times slower); "lipschitz": in an l2 ball, by the
            product of the layers' Lipschitz constants, which needs orthogonal layers.
        radius: of the ball at the end of its growth.
        steps: of Adam.
        batch_size: rows of a batch.
        learning_rate: at the start; it falls as a cosine.
        warm: share of the steps before the ball begins to grow.
        ramp: share of the steps in which it grows linearly.
        clean: weight of the ordinary cross-entropy once the ball has its full size; it falls from 1 during the growth
            (kappa of Gowal et al. 2019). 0 leaves it out from the start (Shi et al. 2021).
        tight: weight of the regularizer that keeps boxes from widening while the ball grows (Shi et al. 2021, eq. 10).
    """

    method: Method = "plain"
    radius: float = 0.0
    steps: int = 1000
    batch_size: int = 128
    learning_rate: float = 1e-3
    warm: float = 0.05
    ramp: float = 0.4
    clean: float = 0.0
    tight: float = 0.5

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"Recipe: method = {self.method!r}; known: {', '.join(METHODS)}")
        if not (self.radius >= 0 and self.warm >= 0 and self.ramp >= 0 and self.warm + self.ramp <= 1):
            raise ValueError(
                f"Recipe: radius = {self.radius}, warm = {self.warm}, ramp = {self.ramp}: none may be negative, "
                "warm + ramp at most 1"
            )

    def grown(self, step: Any) -> Float[Array, ""]:
        """How much of the ball there is at a step, from 0 to 1."""
        begin, length = self.warm * self.steps, max(self.ramp * self.steps, 1.0)
        return jnp.clip((jnp.asarray(step, jnp.float32) - begin) / length, 0.0, 1.0)


class Clocked(nnx.Module):
    """A net beside the number of training steps it has taken, so that a loss can depend on it."""

    def __init__(self, net: Chain):
        self.net = net
        self.step = nnx.Variable(jnp.zeros((), jnp.int32))


@dataclass(frozen=True, eq=False)
class Problem:
    """What `fit` and `train` need, but for the data: `graphdef` and `state` of the net, loss and optimizer."""

    graphdef: Any
    state: Any
    loss: Callable[[Any, Any, Any], Any]
    optimizer: optax.GradientTransformation


def certified_activation(activation: Any) -> Activation | VectorActivation:
    """The activation, if its facts bound what it does to a ball.

    Args:
        activation: an Activation, a function of one array, a name, or a VectorActivation.

    Raises:
        FactError: its slope is not known to be bounded, or it jumps.
    """
    if isinstance(activation, VectorActivation):
        bound = activation.facts.lipschitz
        if bound is None or not bound < float("inf"):
            raise FactError(
                f"a certificate bounds how far outputs move: needs a finite Lipschitz constant, but {activation!r} has "
                f"{'an unknown one' if bound is None else 'none'}. What would do: maxmin, groupsort, householder."
            )
        return activation
    f = as_activation(activation)
    return require(f, bounded_slope=True, because="a certificate bounds how far outputs move")


def problem(key: Key[Array, ""], architecture: Architecture, activation: Any, recipe: Recipe) -> Problem:
    """An untrained net with its loss and optimizer.

    Batches are pairs of inputs (bytes from 0 to 255, or floats from 0 to 1) and classes. The loss reports `certified`,
    the share of the batch whose margins hold over the ball of the present size.

    Args:
        key: of the initial weights.
        architecture: sizes of the net; orthogonal layers for the method "lipschitz".
        activation: of its hidden layers.
        recipe: how it is trained.

    Raises:
        ValueError: the method "lipschitz" with free layers.
        FactError: as `certified_activation`.
    """
    activation = certified_activation(activation)
    if recipe.method == "lipschitz" and architecture.linear == "free":
        raise ValueError('method "lipschitz" needs orthogonal layers: set linear = "cayley" or "bjorck"')
    start = "interval" if recipe.method in ("interval", "crown") else "variance"
    net = Chain(architecture, activation, rngs=nnx.Rngs(params=key), start=start)
    schedule = optax.cosine_decay_schedule(recipe.learning_rate, recipe.steps)
    optimizer = optax.chain(optax.clip_by_global_norm(10.0), optax.adam(schedule))
    return Problem(*nnx.split(Clocked(net)), objective(recipe), optimizer)


def train_net(
    key: Key[Array, ""], architecture: Architecture, activation: Any, recipe: Recipe, x: Any, y: Any
) -> Fitted:
    """Trains one net: pure, to be jitted and vmapped over keys. `trained_net` takes the net out.

    Args:
        key: of initial weights and order of the batches.
        architecture: as for `problem`.
        activation: as for `problem`.
        recipe: as for `problem`.
        x: inputs, (n, *shape).
        y: classes, (n,).
    """
    net_key, fit_key = jax.random.split(key)
    p = problem(net_key, architecture, activation, recipe)
    size = min(recipe.batch_size, len(y))
    return fit(
        p.graphdef, p.state, (x, y), fit_key, loss=p.loss, optimizer=p.optimizer, steps=recipe.steps, batch_size=size
    )


def trained_net(fitted: Fitted) -> Chain:
    """The trained net with ordinary layers, each orthogonal kernel computed: what is certified."""
    return fitted.model().net.plain()


def objective(recipe: Recipe) -> Callable[[Any, Any, Any], Any]:
    """The loss of a `Clocked` net under a recipe."""

    def loss(model: Clocked, batch: tuple[Array, Array], key: Any) -> tuple[Array, dict[str, Array]]:
        del key
        step = model.step[...]
        model.step[...] = step + 1
        x, y = as_unit(batch[0]), batch[1]
        grown = recipe.grown(step)
        if recipe.method == "plain":
            logits = model.net(x)
            margins, penalty = ball_margins(model.net.last.kernel[...], logits, y, 0.0), 0.0
        elif recipe.method == "lipschitz":
            margins, penalty = lipschitz_margins(model.net, x, y, recipe.radius * grown), 0.0
        else:
            margins, penalty = interval_margins(model.net, x, y, recipe.radius * grown)
            penalty = recipe.tight * (1.0 - grown) * penalty
            if recipe.method == "crown":
                margins = (1.0 - grown) * linear_margins(model.net, x, y, recipe.radius * grown) + grown * margins
        value = worst_cross_entropy(margins, y)
        if recipe.clean and recipe.method != "plain":
            clean = ball_margins(model.net.last.kernel[...], model.net(x), y, 0.0)
            kappa = 1.0 - (1.0 - recipe.clean) * grown
            value = kappa * worst_cross_entropy(clean, y) + (1.0 - kappa) * value
        return value + penalty, {"certified": jnp.mean(least(margins, y) > 0)}

    return loss


def interval_margins(net: Chain, x: Array, y: Array, radius: Any) -> tuple[Margins, Float[Array, ""]]:
    """Margins over linf balls within [0, 1], by interval propagation, and how much too wide the boxes grow.

    The second is the mean over layers of max(0, 1 - width_in / (TIGHT-fold width)): 0 where no layer's mean width is
    above 1 / TIGHT times the input's.
    """
    lower, upper = jnp.maximum(x - radius, 0.0), jnp.minimum(x + radius, 1.0)
    middle, half = (lower + upper) / 2, (upper - lower) / 2
    *layers, (features, spread) = boxes(net, middle, half)
    kernel, bias = net.last_weights
    narrow = [jnp.mean(half) / (jnp.mean(width) + 1e-12) for _, width in layers]
    penalty = sum((jax.nn.relu(TIGHT - n) for n in narrow), jnp.zeros(())) / (TIGHT * max(len(narrow), 1))
    return box_margins(kernel, bias, features, spread, y), penalty


def linear_margins(net: Chain, x: Array, y: Array, radius: Any) -> Margins:
    """Margins over linf balls within [0, 1], by linear bounds between interval-bounded layers, rounding left out.

    Source: Zhang et al. 2020 (CROWN-IBP), arXiv:1906.06316, section 3.
    """
    graph = network(net, x.shape[1:], x.dtype)
    eye = jnp.eye(net.last_weights[1].shape[0], dtype=x.dtype)

    def least_of(a: Array, b: Array, label: Array) -> Array:
        rows = eye[label][None] - eye
        return linear_bounds(graph, Interval(a, b), specification=rows, intermediate="interval", outward=False).lower

    return jax.vmap(least_of)(jnp.maximum(x - radius, 0.0), jnp.minimum(x + radius, 1.0), y)


def lipschitz_margins(net: Chain, x: Array, y: Array, radius: Any) -> Margins:
    """Margins over l2 balls of a net of orthogonal layers: only its activations and its last layer change lengths."""
    return ball_margins(net.last.kernel[...], net(x), y, radius * activation_lipschitz(net))


def activation_lipschitz(net: Chain) -> Any:
    """The product of the activations' Lipschitz constants, layer by layer, from their facts."""
    product: Any = 1.0
    for layer in net.layers:
        f = getattr(layer, "activation", None)
        if f is not None:
            product = product * (f.facts.lipschitz if isinstance(f, VectorActivation) else f.facts.lipschitz())
    return product


def as_unit(x: Array) -> Array:
    """Pixels from 0 to 1: bytes divided by 255, floats as they are."""
    return x.astype(jnp.float32) / 255 if x.dtype == jnp.uint8 else x


def activation_of(name: str) -> Activation | VectorActivation:
    """The activation of this name, as `resolve` finds it; and "maxmin", "groupsort" (of 2) and "crelu".

    Raises:
        ActivationLookupError: no activation of that name.
    """
    vectors = {"maxmin": maxmin, "groupsort": groupsort(), "crelu": crelu}
    return vectors[name] if name in vectors else resolve(name)
