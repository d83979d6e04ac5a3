"""The block kernel: attention over a list of block pairs, forward and backward, with static shapes and no capacity.

The list has room for every pair of blocks and a count that is only known at run time, so `fori_loop` takes exactly as
many trips as there are pairs to visit. A trip that is skipped would have added exact zeros in the same order: results
and gradients are bitwise those of the full list, for finite inputs. Memory O(L d + pairs).
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from actlab.systems.attention.gate import Gate
from actlab.systems.attention.visibility import Visibility

dot = functools.partial(jax.lax.dot, precision=jax.lax.Precision.HIGHEST)


class Pairs(NamedTuple):
    """The block pairs to visit: codes (head * row_blocks + row) * column_blocks + column, ascending, and how many."""

    codes: Int[Array, " capacity"]
    number: Int[Array, ""]


def pairs_of(visit: Bool[Array, "heads row_blocks column_blocks"]) -> Pairs:
    """The list of the blocks to visit, in the order of heads, rows and columns."""
    flat = visit.ravel()
    codes = jnp.nonzero(flat, size=flat.size, fill_value=0)[0]
    return Pairs(codes.astype(jnp.int32), jnp.sum(flat, dtype=jnp.int32))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def attend(
    block: int,
    gate: Gate,
    q: Float[Array, "heads queries d"],
    k: Float[Array, "groups keys d"],
    v: Float[Array, "groups keys e"],
    seen: Visibility,
    pairs: Pairs,
) -> Float[Array, "heads queries e"]:
    """sum_j weight(q_i . k_j) v_j over the listed blocks; head h reads group h // (heads / groups).

    Args:
        block: queries, and keys, of a block; divides both lengths.
        gate: its temperature has the shape (heads,).
        q: queries, scaled.
        k: keys.
        v: values, finite.
        seen: which pairs are visible.
        pairs: the blocks to visit.
    """

    def visit(n: Array, out: Array) -> Array:
        at = _place(n, block, q, k, pairs)
        weights, _ = _weights(gate, at, q, k, seen, block)
        added = dot(weights, _slice(v, at.group, at.column, block))
        return _add(out, added, at.head, at.row)

    return jax.lax.fori_loop(0, pairs.number, visit, jnp.zeros((*q.shape[:2], v.shape[-1]), q.dtype))


def _forward(block: int, gate: Gate, q: Array, k: Array, v: Array, seen: Visibility, pairs: Pairs) -> tuple[Array, Any]:
    return attend(block, gate, q, k, v, seen, pairs), (gate, q, k, v, seen, pairs)


def _backward(block: int, residuals: Any, cotangent: Array) -> tuple:
    gate, q, k, v, seen, pairs = residuals

    def visit(n: Array, sums: tuple) -> tuple:
        dgate, dq, dk_t, dv_t = sums
        at = _place(n, block, q, k, pairs)
        weights, pull = _weights(gate, at, q, k, seen, block)
        dout = _slice(cotangent, at.head, at.row, block)
        more, dscores = pull(dot(dout, _slice(v, at.group, at.column, block).T))
        dgate = jax.tree.map(jnp.add, dgate, more)
        dq = _add(dq, dot(dscores, _slice(k, at.group, at.column, block)), at.head, at.row)
        dk_t = _add(dk_t, dot(_slice(q, at.head, at.row, block).T, dscores), at.group, column=at.column)
        dv_t = _add(dv_t, dot(dout.T, weights), at.group, column=at.column)
        return dgate, dq, dk_t, dv_t

    # Keys and values are summed transposed: a product whose narrow factor is the transposed one is faster.
    start = jax.tree.map(jnp.zeros_like, (gate, q, k.mT, v.mT))
    dgate, dq, dk_t, dv_t = jax.lax.fori_loop(0, pairs.number, visit, start)
    return dgate, dq, dk_t.mT, dv_t.mT, _no_tangent(seen), _no_tangent(pairs)


attend.defvjp(_forward, _backward)


class _Place(NamedTuple):
    head: Array
    group: Array
    row: Array
    """The block's first query."""
    column: Array
    """The block's first key."""


def _place(n: Array, block: int, q: Array, k: Array, pairs: Pairs) -> _Place:
    rows, columns = q.shape[1] // block, k.shape[1] // block
    head, inside = jnp.divmod(pairs.codes[n], rows * columns)
    row, column = jnp.divmod(inside, columns)
    return _Place(head, head // (q.shape[0] // k.shape[0]), row * block, column * block)


def _weights(gate: Gate, at: _Place, q: Array, k: Array, seen: Visibility, block: int) -> tuple[Array, Any]:
    """The weights of a block and the pull-back from them to (gate, scores)."""
    visible = seen.between(at.row + jnp.arange(block), at.column + jnp.arange(block))
    if seen.keys is not None:
        visible = visible & jax.lax.dynamic_slice(seen.keys, (at.group, at.column), (1, block))
    scores = dot(_slice(q, at.head, at.row, block), _slice(k, at.group, at.column, block).T)

    def weigh(gate: Gate, scores: Array) -> Array:
        return jnp.where(visible, gate.at(gate.temperature[at.head]).weight(scores), 0.0)

    return jax.vjp(weigh, gate, scores)


def _slice(x: Array, first: Array, start: Array, block: int) -> Array:
    return jax.lax.dynamic_slice(x, (first, start, jnp.zeros_like(start)), (1, block, x.shape[-1]))[0]


def _add(x: Array, block: Array, first: Array, row: Any = 0, column: Any = 0) -> Array:
    place = (first, *(jnp.asarray(at, first.dtype) for at in (row, column)))
    old = jax.lax.dynamic_slice(x, place, (1, *block.shape))
    return jax.lax.dynamic_update_slice(x, old + block[None], place)


def _no_tangent(tree: Any) -> Any:
    return jax.tree.map(lambda x: np.zeros(x.shape, jax.dtypes.float0), tree)
