"""`fit`: a training run as one pure function, a scan over steps, to be jitted, vmapped and sharded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Key

from actlab.training.batches import batch_indices, batch_of, batches_per_epoch, carried_order, rows, take

Loss = Callable[[Any, Any, Any], Any]
"""(model, batch, key) -> scalar, or (scalar, {name: scalar})."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TrainState:
    """Everything that a run needs to go on, bit for bit.

    Attributes:
        params: the trained variables, an `nnx.State`.
        rest: every other variable (batch statistics, RNG counters, bound activation parameters), an `nnx.State`.
        opt_state: the optimizer's.
        step: steps taken, int32 of shape (). Leave it unmapped where you vmap over states: one number for all members.
        order_key: of the order of the minibatches.
        loss_key: folded with the step, the key given to the loss.
    """

    params: Any
    rest: Any
    opt_state: Any
    step: Any
    order_key: Any
    loss_key: Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Fitted:
    """A run's result; a pytree, so vmapped runs give one `Fitted` whose leaves have a leading member axis.

    Attributes:
        state: the final `TrainState`; `advance` goes on from it.
        metrics: {"loss": (steps,), ...}: each step's loss and what the loss function reported beside it.
        graphdef: the static part of the model.
    """

    state: TrainState
    metrics: Any
    graphdef: Any = field(metadata={"static": True})

    def model(self) -> Any:
        """The trained nnx module. Of an ensemble: `jax.vmap(lambda m: m.model()(x))(fitted)`."""
        return nnx.merge(self.graphdef, self.state.params, self.state.rest)


def fit(
    graphdef: Any,
    state: Any,
    data: Any,
    key: Key[Array, ""],
    *,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    steps: int,
    batch_size: int | None = None,
    wrt: Any = nnx.Param,
    batch_sharding: Any = None,
) -> Fitted:
    """Trains a model: a pure function of its arguments, to be jitted or vmapped over keys, data and `state`.

    Args:
        graphdef: the static part of `nnx.split(model)`; close over it under jit and vmap.
        state: the rest of `nnx.split(model)`.
        data: a pytree of arrays with a common leading axis n.
        key: of the order of the batches and of the loss.
        loss: (model, batch, key) -> scalar, or (scalar, {name: scalar}); batch is `data` with leading axis batch_size.
        optimizer: any optax transformation.
        steps: number of steps.
        batch_size: rows of a batch, drawn without replacement epoch by epoch, the incomplete last batch of an epoch
            dropped; None: all rows, in their order.
        wrt: the nnx filter of what is trained; everything else is carried along.
        batch_sharding: how each batch lies on the devices, as `rows_of_batch(mesh)`: data parallelism inside the run.

    Raises:
        ValueError: data without a common leading axis, or a batch_size that does not fit it.
    """
    start = begin(state, key, optimizer=optimizer, wrt=wrt)
    end, metrics = advance(
        graphdef,
        start,
        data,
        loss=loss,
        optimizer=optimizer,
        steps=steps,
        batch_size=batch_size,
        batch_sharding=batch_sharding,
    )
    return Fitted(end, metrics, graphdef)


def begin(
    state: Any, key: Key[Array, ""], *, optimizer: optax.GradientTransformation, wrt: Any = nnx.Param
) -> TrainState:
    """The state before the first step; arguments as for `fit`."""
    params, rest = nnx.split_state(state, wrt, ...)
    order_key, loss_key = jax.random.split(key)
    return TrainState(params, rest, optimizer.init(params), jnp.zeros((), jnp.int32), order_key, loss_key)


def advance(
    graphdef: Any,
    state: TrainState,
    data: Any,
    *,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    steps: int,
    batch_size: int | None = None,
    batch_sharding: Any = None,
) -> tuple[TrainState, dict[str, Array]]:
    """Takes `steps` further steps; N at once equal N/2 twice, up to rounding.

    The numbers of a step depend on the compiled program, and another number of steps is another program: equal calls
    repeat bit for bit on the same device, unequal ones may differ in the last bits.

    Returns:
        The new state and the metrics {"loss": (steps,), ...}. Arguments and errors as for `fit`.
    """
    n = rows(data)
    if batch_size is not None:
        batches_per_epoch(n, batch_size)  # refuses a size that does not fit

    def body(carry: tuple[TrainState, Any], entering: Any) -> tuple[tuple[TrainState, Any], dict[str, Array]]:
        state, order = carry
        batch = data
        if batch_size is not None:
            order = carried_order(order, state.order_key, state.step, entering, batch_size)
            batch = take(data, batch_of(order, state.step, batch_size))
        if batch_sharding is not None:
            batch = jax.lax.with_sharding_constraint(batch, batch_sharding)
        state, metrics = one_step(graphdef, state, batch, loss=loss, optimizer=optimizer)
        return (state, order), metrics

    order = None if batch_size is None else jnp.zeros(n, jnp.int32)
    (state, _), metrics = jax.lax.scan(body, (state, order), jnp.arange(steps) == 0)
    return state, metrics


def one_step(
    graphdef: Any, state: TrainState, batch: Any, *, loss: Loss, optimizer: optax.GradientTransformation
) -> tuple[TrainState, dict[str, Array]]:
    """One gradient step on one batch: the new state and its metrics, scalars."""
    metrics, rest, grads = gradient(graphdef, state, batch, loss=loss)
    return updated(state, rest, grads, optimizer=optimizer), metrics


def gradient(graphdef: Any, state: TrainState, batch: Any, *, loss: Loss) -> tuple[dict[str, Array], Any, Any]:
    """The first half of a step: its metrics, the variables that are not trained, the gradient."""

    def objective(params: Any) -> tuple[Array, tuple[dict[str, Array], Any]]:
        model = nnx.merge(graphdef, params, state.rest, copy=True)  # its own variables, free to be updated
        value, extra = _with_extra(loss(model, batch, jax.random.fold_in(state.loss_key, state.step)))
        return value, (extra, _others(model, state.rest))

    (value, (extra, rest)), grads = jax.value_and_grad(objective, has_aux=True)(state.params)
    return {"loss": value, **extra}, rest, grads


def updated(state: TrainState, rest: Any, grads: Any, *, optimizer: optax.GradientTransformation) -> TrainState:
    """The second half of a step: the state after the optimizer's update."""
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return replace(state, params=params, rest=rest, opt_state=opt_state, step=state.step + 1)


def batch_at(state: TrainState, data: Any, batch_size: int | None) -> Any:
    """The rows of the step that comes next."""
    if batch_size is None:
        return data
    return take(data, batch_indices(state.order_key, state.step, rows(data), batch_size))


def _with_extra(result: Any) -> tuple[Array, dict[str, Array]]:
    value, extra = result if isinstance(result, tuple) else (result, {})
    if jnp.shape(value) != ():
        raise ValueError(f"loss must return a scalar; got shape {jnp.shape(value)}: average over the batch")
    if "loss" in extra:
        raise ValueError('loss reports a metric named "loss", which is the name of its value; rename it')
    return value, extra


def _others(model: Any, rest: Any) -> Any:
    """The model's variables after the call, of the paths in `rest`."""
    paths = {path for path, _ in nnx.to_flat_state(rest)}
    return nnx.split(model, lambda path, _: path in paths, ...)[1]
