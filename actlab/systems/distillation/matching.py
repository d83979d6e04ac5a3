"""What a student takes over of a teacher: values, slopes and curvature, each measured in the teacher's own size.

Rows of a batch are independent, so one reverse pass gives every row's gradient u . J, and its forward derivative along
v every row's u . H v: no Jacobian and no Hessian is formed. u and v are drawn anew at each step, unit vectors of
random signs: E |u . dJ|^2 = |dJ|_F^2 / outputs and E |u . dH v|^2 = |dH|_F^2 / (outputs inputs).

Source: Czarnecki et al. 2017, arXiv:1706.04859 (Sobolev training); Pearlmutter 1994, Neural Computation 6(1) (Hv).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

Model = Callable[[Float[Array, "rows inputs"]], Float[Array, "rows outputs"]]
"""Maps rows to rows, each on its own: a batch norm that uses the batch's statistics does not."""


class DistillationError(ValueError):
    """A setting of a distillation that cannot be; the message names the argument, its value and the remedy."""


class Derivatives(NamedTuple):
    """Of a model at each row: f, u . J, and u . H v; the last two None beyond the order that was asked for."""

    value: Float[Array, "rows outputs"]
    gradient: Float[Array, "rows inputs"] | None = None
    curvature: Float[Array, "rows inputs"] | None = None


class Sizes(NamedTuple):
    """Of a teacher: variance of its values, mean squares of u . J and u . H v; what each term is divided by."""

    value: Any
    gradient: Any
    curvature: Any


class Errors(NamedTuple):
    """Squared errors over squares of the teacher's own: 0 is perfect, 1 what a constant (a line) would do."""

    value: Any
    jacobian: Any
    hessian: Any


def directions(
    key: Key[Array, ""], x: Float[Array, "rows inputs"], outputs: int
) -> tuple[Float[Array, "rows outputs"], Float[Array, "rows inputs"]]:
    """A direction u of the outputs and v of the inputs for each row: signs over the root of their number, unit vectors.

    E u u' and E v v' are the identity over the dimension, all that the expectations need. One random word is 32 signs.
    """

    def signs(key: Array, shape: tuple[int, ...]) -> Array:
        words = jax.random.bits(key, (*shape[:-1], -(-shape[-1] // 32)), jnp.uint32)
        each = (words[..., None] >> jnp.arange(32, dtype=jnp.uint32)[None, None]) & 1
        up = each.reshape(*shape[:-1], -1)[..., : shape[-1]].astype(x.dtype)
        return (2 * up - 1) / shape[-1] ** 0.5

    of_u, of_v = jax.random.split(key)
    return signs(of_u, (x.shape[0], outputs)), signs(of_v, x.shape)


def derivatives(
    model: Model,
    x: Float[Array, "rows inputs"],
    u: Float[Array, "rows outputs"],
    v: Float[Array, "rows inputs"],
    order: int = 2,
) -> Derivatives:
    """Values, gradients u . J and products u . H v of every row, forward over reverse.

    Args:
        model: maps rows to rows.
        x: the rows.
        u: direction of the outputs, for each row.
        v: direction of the inputs, for each row.
        order: 0, values only; 1, gradients too; 2, all three.

    Raises:
        DistillationError: another order.
    """
    if order not in (0, 1, 2):
        raise DistillationError(f"derivatives: order = {order!r}; known: 0 (values), 1 (slopes), 2 (curvature)")
    if order == 0:
        return Derivatives(model(x))

    def sloped(x: Array) -> tuple[Array, Array]:
        value, pull = jax.vjp(model, x)
        return value, pull(u)[0]

    if order == 1:
        return Derivatives(*sloped(x))
    (value, gradient), (_, curvature) = jax.jvp(sloped, (x,), (v,))
    return Derivatives(value, gradient, curvature)


def sizes(teacher: Model, x: Float[Array, "rows inputs"], key: Key[Array, ""], order: int = 2) -> Sizes:
    """The teacher's sizes at these rows, along one direction a row; 1 for what is not asked for, or is 0."""
    outputs = jax.eval_shape(teacher, x).shape[-1]
    of = derivatives(teacher, x, *directions(key, x, outputs), order)
    spread = of.value - jnp.mean(of.value, 0, keepdims=True)
    found = (spread, of.gradient, of.curvature)
    squares = [jnp.ones((), x.dtype) if d is None else jnp.mean(jnp.sum(jnp.square(d), -1)) for d in found]
    return Sizes(*(jnp.where(s > 0, s, 1) for s in squares))


def matching_loss(
    student: Model,
    teacher: Model,
    x: Float[Array, "rows inputs"],
    key: Key[Array, ""],
    size: Sizes,
    *,
    value: Any = 1.0,
    jacobian: Any = 0.0,
    curvature: Any = 0.0,
    order: int = 2,
) -> Float[Array, ""]:
    """`value`, `jacobian` and `curvature` times the squared errors of each, over the teacher's size.

    Args:
        student: what is trained.
        teacher: what is matched; no gradient flows into it.
        x: rows; they need no labels.
        key: of this step's directions.
        size: from `sizes`.
        value: weight of the values.
        jacobian: weight of the slopes.
        curvature: weight of the curvature.
        order: highest derivative that is computed; weights beyond it are not used.
    """
    outputs = jax.eval_shape(teacher, x).shape[-1]
    u, v = directions(key, x, outputs)
    wanted = jax.lax.stop_gradient(derivatives(teacher, x, u, v, order))
    found = derivatives(student, x, u, v, order)
    loss = jnp.zeros((), x.dtype)
    for a, b, scale, weight in zip(found, wanted, size, (value, jacobian, curvature), strict=True):
        if a is not None and b is not None:
            loss = loss + weight * jnp.mean(jnp.sum(jnp.square(a - b), -1)) / scale
    return loss


def relative_errors(student: Model, teacher: Model, x: Float[Array, "rows inputs"]) -> Errors:
    """Exact relative errors over rows: of values against the teacher's variance, of whole Jacobians and Hessians.

    Forms (rows, outputs, inputs, inputs): for few inputs. `estimated_errors` is for many.
    """

    def all_of(model: Model) -> tuple[Array, Array, Array]:
        def one(row: Array) -> Array:
            return model(row[None])[0]

        return model(x), jax.vmap(jax.jacfwd(one))(x), jax.vmap(jax.hessian(one))(x)

    mine, theirs = all_of(student), all_of(teacher)
    centred = (theirs[0] - jnp.mean(theirs[0], 0, keepdims=True), *theirs[1:])
    return Errors(*(_ratio(a - b, c) for a, b, c in zip(mine, theirs, centred, strict=True)))


def estimated_errors(
    student: Model, teacher: Model, x: Float[Array, "rows inputs"], key: Key[Array, ""], probes: int = 16
) -> Errors:
    """`relative_errors` by random directions, `probes` for each row: numerator and denominator are unbiased."""
    outputs = jax.eval_shape(teacher, x).shape[-1]

    def probe(key: Array) -> tuple[Any, Any]:
        u, v = directions(key, x, outputs)
        mine, theirs = derivatives(student, x, u, v), derivatives(teacher, x, u, v)
        centred = theirs._replace(value=theirs.value - jnp.mean(theirs.value, 0, keepdims=True))
        squares = jax.tree.map(lambda a, b: jnp.sum(jnp.square(a - b)), mine, theirs)
        return squares, jax.tree.map(lambda c: jnp.sum(jnp.square(c)), centred)

    off, own = jax.lax.map(probe, jax.random.split(key, probes))
    return Errors(*(jnp.sum(a) / jnp.sum(b) for a, b in zip(off, own, strict=True)))


def _ratio(difference: Array, own: Array) -> Array:
    return jnp.sum(jnp.square(difference)) / jnp.sum(jnp.square(own))
