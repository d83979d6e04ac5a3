"""Training a graph net on the labels of a few nodes, stopped by the validation loss; seeds in one program."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array

from actlab.data.sparse import Sparse
from actlab.nets.graph import GraphNet, operator_for
from actlab.systems.oversmoothing.criticality import set_critical
from actlab.systems.oversmoothing.problem import Problem
from actlab.systems.oversmoothing.recipe import Recipe
from actlab.training import in_chunks, over_devices
from actlab.training.processes import several

Mapping = Literal["vmap", "map", "devices"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Progress:
    """A training run between two epochs.

    Attributes:
        params: trained variables.
        opt_state: Adam's.
        epoch: epochs begun, int32.
        best_loss: the lowest validation loss so far.
        since: epochs since then, int32.
        val: validation accuracy at that epoch.
        test: test accuracy at that epoch.
        best: trained variables at that epoch.
        key: folded with the epoch.
    """

    params: Any
    opt_state: Any
    epoch: Any
    best_loss: Any
    since: Any
    val: Any
    test: Any
    best: Any
    key: Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Trained:
    """What training came to; leading axes are those that it was mapped over.

    Attributes:
        test: accuracy on the test nodes at the lowest validation loss.
        val: on the validation nodes, then.
        epochs: taken.
        params: of the net, then.
        rest: the net's other variables.
        graphdef: its static part.
    """

    test: Any
    val: Any
    epochs: Any
    params: Any
    rest: Any
    graphdef: Any = field(metadata={"static": True})

    def net(self) -> GraphNet:
        """The trained net of one member."""
        return self.member(self.params, self.rest)

    def member(self, params: Any, rest: Any) -> GraphNet:
        """The net of one member's variables, as inside of `jax.vmap` over `params` and `rest`."""
        return nnx.merge(self.graphdef, params, rest)


def build(problem: Problem, activation: Any, recipe: Recipe, key: Any) -> GraphNet:
    """The net before training.

    Raises:
        ValueError: a critical start of another net than a plain "gcn".
    """
    options: dict[str, Any] = {"alpha": recipe.alpha, "decay": recipe.theta} if recipe.kind == "gcnii" else {}
    net_key, start_key = jax.random.split(key)
    net = GraphNet(
        problem.features,
        recipe.width,
        problem.classes,
        recipe.depth,
        activation,
        rngs=nnx.Rngs(params=net_key),
        kind=recipe.kind,
        residual=recipe.residual,
        norm=recipe.norm,
        rate=recipe.rate,
        inner_rate=recipe.inner_rate,
        **options,
    )
    if recipe.start == "critical":
        set_critical(start_key, net, operator_for(recipe.kind, problem.graph, recipe.loop), problem.x)
    return net


def train(
    problem: Problem,
    activation: Any,
    recipe: Recipe,
    keys: Any,
    *,
    mapping: Mapping = "vmap",
    chunk: int = 50,
    report: Callable[[str], None] = lambda text: None,
    folder: str | Path | None = None,
) -> Trained:
    """Trains one net a key, all in one compiled program, until each has stopped.

    Args:
        problem: the same for all.
        activation: of the net.
        recipe: everything else.
        keys: shape (seeds,): of weights and dropout.
        mapping: "vmap": all seeds at each step; "map": one seed after another within each chunk, and none that has
            stopped. The numbers agree up to rounding; on a CPU wide nets take half the time one after another, since
            one net's layer stays in the cache. "devices": seeds over all devices, all at each step; several processes
            do this whatever is asked.
        chunk: epochs between two looks at which seeds still train.
        report: called with a line after each chunk.
        folder: of checkpoints: a call that was stopped goes on from there. None keeps nothing.

    Raises:
        RunFolderError, CheckpointError, Preempted: as of `actlab.training.in_chunks`, where there is a folder.
    """
    optimizer = _optimizer(recipe)

    # The data and the operator are arguments: as constants XLA would fold what is computed from them, slowly.
    clean = operator_for(recipe.kind, problem.graph, recipe.loop)

    def begin(key: Any, problem: Problem) -> tuple[Progress, Any, Any]:
        build_key, epoch_key = jax.random.split(key)
        graphdef, params, rest = nnx.split(build(problem, activation, recipe, build_key), nnx.Param, ...)
        zero, none = jnp.zeros((), jnp.int32), jnp.zeros(())
        best = jax.tree.map(jnp.copy, params)
        start = Progress(params, optimizer.init(params), zero, jnp.asarray(jnp.inf), zero, none, none, best, epoch_key)
        return start, rest, graphdef

    def some(state: Progress, rest: Any, problem: Problem, clean: Sparse) -> Progress:
        return _advance(state, rest, problem, clean, recipe, graphdef, optimizer, chunk)

    def in_turn(states: Progress, rests: Any, problem: Problem, clean: Sparse) -> Progress:
        def one(member: tuple[Progress, Any]) -> Progress:
            train_on = functools.partial(some, rest=member[1], problem=problem, clean=clean)
            return jax.lax.cond(_active(member[0], recipe), train_on, lambda state: state, member[0])

        return jax.lax.map(one, (states, rests))

    axes = (0, 0, None, None)
    ways = {"vmap": jax.jit(jax.vmap(some, axes)), "map": jax.jit(in_turn), "devices": over_devices(some, axes)}
    one_chunk = ways["devices" if several() else mapping]
    state, rest, graphdef = jax.jit(jax.vmap(begin, in_axes=(0, None)))(keys, problem)

    def active(state: Progress) -> np.ndarray:
        return np.asarray(_active(state, recipe))

    def advanced(state: Progress) -> Progress:
        count = active(state).sum()
        state = one_chunk(state, rest, problem, clean)
        report(
            f"epoch {int(np.max(state.epoch))}: {count} of {len(keys)} train, "
            f"test accuracy {float(np.mean(state.test)):.3f} at the lowest validation losses"
        )
        return state

    def epochs(state: Progress) -> int:
        return int(np.max(state.epoch))

    state = in_chunks(
        folder,
        state,
        advanced,
        steps=epochs,
        active=lambda state: bool(active(state).any()),
        most=recipe.epochs,
    )
    return Trained(state.test, state.val, state.epoch, state.best, rest, graphdef)


def _optimizer(recipe: Recipe) -> optax.GradientTransformation:
    """Adam, whose steps of the hidden layers may have a size of their own."""
    if recipe.inner_learning_rate is None:
        return optax.adam(recipe.learning_rate)
    rates = {"hidden": recipe.inner_learning_rate, "ends": recipe.learning_rate}

    def which(params: Any) -> Any:
        return jax.tree.map_with_path(lambda path, _: "hidden" if path[0].key == "hidden" else "ends", params)

    return optax.partition({name: optax.adam(rate) for name, rate in rates.items()}, which)


def _active(state: Progress, recipe: Recipe) -> Any:
    return (state.epoch < recipe.epochs) & (state.since < recipe.patience)


def _advance(
    state: Progress,
    rest: Any,
    problem: Problem,
    clean: Sparse,
    recipe: Recipe,
    graphdef: Any,
    optimizer: Any,
    epochs: int,
) -> Progress:
    """So many epochs, fewer where the run stops before; of a run that has stopped none."""

    def epoch(state: Progress) -> Progress:
        link_key, drop_key = jax.random.split(jax.random.fold_in(state.key, state.epoch))
        operator = clean
        if recipe.drop_links:
            links = problem.graph.drop_links(link_key, recipe.drop_links)
            operator = operator_for(recipe.kind, links, recipe.loop)

        def loss(params: Any) -> Array:
            logits = nnx.merge(graphdef, params, rest)(operator, problem.x, drop_key)
            return _cross_entropy(logits, problem, problem.train) + _decay(params, recipe)

        updates, opt_state = optimizer.update(jax.grad(loss)(state.params), state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        logits = nnx.merge(graphdef, params, rest)(clean, problem.x)
        val_loss = _cross_entropy(logits, problem, problem.val)
        found = (val_loss, _accuracy(logits, problem, problem.val), _accuracy(logits, problem, problem.test), params)
        kept = (state.best_loss, state.val, state.test, state.best)
        better = val_loss < state.best_loss
        best_loss, val, test, best = jax.tree.map(lambda new, old: jnp.where(better, new, old), found, kept)
        since = jnp.where(better, 0, state.since + 1)
        return Progress(params, opt_state, state.epoch + 1, best_loss, since, val, test, best, state.key)

    last = state.epoch + epochs
    return jax.lax.while_loop(lambda state: _active(state, recipe) & (state.epoch < last), epoch, state)


def _cross_entropy(logits: Array, problem: Problem, nodes: Array) -> Array:
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits[nodes], problem.y[nodes]))


def _accuracy(logits: Array, problem: Problem, nodes: Array) -> Array:
    return jnp.mean(jnp.argmax(logits[nodes], -1) == problem.y[nodes])


def _decay(params: Any, recipe: Recipe) -> Array:
    """The penalty whose gradient is decay times the weights, of all parameters of a layer, as in the authors' codes."""
    rates = {"first": recipe.decay_first, "hidden": recipe.decay, "last": recipe.decay_last}
    total = jnp.zeros(())
    for name, rate in rates.items():
        if rate and name in params:
            total += 0.5 * rate * sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(params[name]))
    return total
