"""The block kernel: attention over a list of block pairs, forward and backward, with static shapes and no capacity.

The list has room for every pair of blocks; where a row of blocks begins in it is only known at run time, so `fori_loop`
takes exactly as many trips as the row has pairs to visit. A trip that is skipped would have added exact zeros in the
same order: results and gradients are bitwise those of the full list, for finite inputs. Memory O(L d + pairs).
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
    """The block pairs to visit: of row r, the blocks of keys `columns[starts[r]:starts[r + 1]]`, ascending."""

    columns: Int[Array, " capacity"]
    starts: Int[Array, " rows_and_one"]


def pairs_of(visit: Bool[Array, "heads row_blocks column_blocks"]) -> Pairs:
    """The list of the blocks to visit, in the order of heads, rows and columns."""
    flat = visit.ravel()
    columns = jnp.nonzero(flat, size=flat.size, fill_value=0)[0] % visit.shape[-1]
    numbers = jnp.sum(visit, axis=-1, dtype=jnp.int32).ravel()
    return Pairs(columns.astype(jnp.int32), jnp.pad(jnp.cumsum(numbers, dtype=jnp.int32), (1, 0)))


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

    def visit_row(_: None, row: _Row) -> tuple[None, Array]:
        def visit(n: Array, out: Array) -> Array:
            column = pairs.columns[n] * block
            weights, _ = _weights(gate, row, column, k, seen)
            return out + dot(weights, _slice(v, row.group, column, block))

        return None, jax.lax.fori_loop(row.first, row.end, visit, jnp.zeros((block, v.shape[-1]), q.dtype))

    out = jax.lax.scan(visit_row, None, _rows(block, q, k, pairs))[1]
    return out.reshape(*q.shape[:2], v.shape[-1])


def _forward(block: int, gate: Gate, q: Array, k: Array, v: Array, seen: Visibility, pairs: Pairs) -> tuple[Array, Any]:
    return attend(block, gate, q, k, v, seen, pairs), (gate, q, k, v, seen, pairs)


def _backward(block: int, residuals: Any, cotangent: Array) -> tuple:
    gate, q, k, v, seen, pairs = residuals

    def visit_row(sums: tuple, given: tuple[_Row, Array]) -> tuple[tuple, Array]:
        row, dout = given

        def visit(n: Array, sums: tuple) -> tuple:
            dgate, dk_t, dv_t, dq = sums
            column = pairs.columns[n] * block
            weights, pull = _weights(gate, row, column, k, seen)
            more, dscores = pull(dot(dout, _slice(v, row.group, column, block).T))
            dgate = jax.tree.map(jnp.add, dgate, more)
            dk_t = _add(dk_t, dot(row.q.T, dscores), row.group, column)
            dv_t = _add(dv_t, dot(dout.T, weights), row.group, column)
            return dgate, dk_t, dv_t, dq + dot(dscores, _slice(k, row.group, column, block))

        *more, dq = jax.lax.fori_loop(row.first, row.end, visit, (*sums, jnp.zeros_like(row.q)))
        return tuple(more), dq

    # Keys and values are summed transposed: a product whose narrow factor is the transposed one is faster.
    start = jax.tree.map(jnp.zeros_like, (gate, k.mT, v.mT))
    rows = _rows(block, q, k, pairs)
    (dgate, dk_t, dv_t), dq = jax.lax.scan(visit_row, start, (rows, cotangent.reshape(-1, block, v.shape[-1])))
    return dgate, dq.reshape(q.shape), dk_t.mT, dv_t.mT, _no_tangent(seen), _no_tangent(pairs)


attend.defvjp(_forward, _backward)


class _Row(NamedTuple):
    """A block of queries, or all of them along a first axis."""

    q: Array
    head: Array
    group: Array
    start: Array
    """Its first query's place in the sequence."""
    first: Array
    end: Array
    """Its pairs in the list."""


def _rows(block: int, q: Array, k: Array, pairs: Pairs) -> _Row:
    heads, queries, d = q.shape
    head, row = jnp.divmod(jnp.arange(heads * queries // block, dtype=jnp.int32), queries // block)
    group = head // (heads // k.shape[0])
    return _Row(q.reshape(-1, block, d), head, group, row * block, pairs.starts[:-1], pairs.starts[1:])


def _weights(gate: Gate, row: _Row, column: Array, k: Array, seen: Visibility) -> tuple[Array, Any]:
    """The weights of a block of keys and the pull-back from them to (gate, scores)."""
    block = row.q.shape[0]
    visible = seen.between(row.start + jnp.arange(block), column + jnp.arange(block))
    if seen.keys is not None:
        visible = visible & jax.lax.dynamic_slice(seen.keys, (row.group, column), (1, block))
    scores = dot(row.q, _slice(k, row.group, column, block).T)

    def weigh(gate: Gate, scores: Array) -> Array:
        return jnp.where(visible, gate.at(gate.temperature[row.head]).weight(scores), 0.0)

    return jax.vjp(weigh, gate, scores)


def _slice(x: Array, first: Array, start: Array, block: int) -> Array:
    return jax.lax.dynamic_slice(x, (first, start, jnp.zeros_like(start)), (1, block, x.shape[-1]))[0]


def _add(x: Array, block: Array, first: Array, column: Array) -> Array:
    place = (first, jnp.zeros_like(first), column)
    old = jax.lax.dynamic_slice(x, place, (1, *block.shape))
    return jax.lax.dynamic_update_slice(x, old + block[None], place)


def _no_tangent(tree: Any) -> Any:
    return jax.tree.map(lambda x: np.zeros(x.shape, jax.dtypes.float0), tree)
