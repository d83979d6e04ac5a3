"""The block kernel in Pallas: a program for each block of queries walks the list of the key blocks that it must visit.

The same contract as `actlab.systems.attention.kernel`, for GPUs through Triton. Every row of blocks, and for the
gradients of keys and values every column, has a count and that many block numbers; the loop inside the program has the
count as its bound, so a skipped block costs nothing and changes no bit. Sums over heads that share a group, and over
programs for the gate's parameters, are taken outside. Triton has no erf: on a GPU gelu is refused by Pallas with
"Unimplemented primitive ... erf", gelu_tanh and the rest lower. TPUs are not served.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton
from jaxtyping import Array, Bool, Float, Int

from actlab.systems.attention.gate import Gate
from actlab.systems.attention.visibility import Visibility

dot = functools.partial(jnp.dot, precision=jax.lax.Precision.HIGHEST, preferred_element_type=jnp.float32)


class Lists(NamedTuple):
    """For each row of blocks how many blocks to visit, and which, first ones first."""

    numbers: Int[Array, "heads rows"]
    blocks: Int[Array, "heads rows columns"]


def lists_of(visit: Bool[Array, "heads rows columns"]) -> Lists:
    """The lists of a block mask; of its transpose for the lists of the columns."""
    first = jnp.argsort(~visit, axis=-1, stable=True)
    return Lists(visit.sum(-1, dtype=jnp.int32), first.astype(jnp.int32))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def attend(
    block: int,
    interpret: bool,
    gate: Gate,
    q: Float[Array, "heads queries d"],
    k: Float[Array, "groups keys d"],
    v: Float[Array, "groups keys e"],
    seen: Visibility,
    visit: Bool[Array, "heads row_blocks column_blocks"],
) -> Float[Array, "heads queries e"]:
    """As the CPU kernel's `attend`, with the mask of blocks in place of the list of pairs.

    Args:
        block: queries, and keys, of a block; a power of two, at least 16, on a GPU.
        interpret: run the program in JAX, without a GPU.
        gate: temperature of shape (heads,), every other leaf a scalar.
        q: queries, scaled, float32.
        k: keys.
        v: values, finite.
        seen: which pairs are visible.
        visit: which blocks to visit.
    """

    def program(gate: Gate, at: _Place, read: _Read) -> tuple[Array]:
        q_rows = read.rows("q", at.this)

        def add(n: Array, out: Array) -> Array:
            column = at.block(n)
            weights, _ = _weights(gate, q_rows, read, at.this, column, seen, block)
            return out + dot(weights, read.rows("v", column))

        return (jax.lax.fori_loop(0, at.number, add, jnp.zeros((block, v.shape[-1]), jnp.float32)),)

    arrays = _arrays(q, k, v, None, seen)
    return _call(program, block, interpret, gate, arrays, lists_of(visit), [("q", v.shape[-1])])[0]


def _forward(block: int, interpret: bool, gate: Gate, q: Any, k: Any, v: Any, seen: Any, visit: Any) -> tuple[Any, Any]:
    return attend(block, interpret, gate, q, k, v, seen, visit), (gate, q, k, v, seen, visit)


def _backward(block: int, interpret: bool, residuals: Any, cotangent: Array) -> tuple:
    gate, q, k, v, seen, visit = residuals
    leaves, structure = jax.tree.flatten(gate)

    def by_query(gate: Gate, at: _Place, read: _Read) -> tuple[Array, ...]:
        q_rows, dout = read.rows("q", at.this), read.rows("dout", at.this)

        def add(n: Array, sums: tuple) -> tuple:
            column = at.block(n)
            _, pull = _weights(gate, q_rows, read, at.this, column, seen, block)
            more, dscores = pull(dot(dout, read.rows("v", column).T))
            dq = sums[0] + dot(dscores, read.rows("k", column))
            return (dq, *(a + b for a, b in zip(sums[1:], jax.tree.leaves(more), strict=True)))

        start = (jnp.zeros((block, q.shape[-1]), jnp.float32), *(jnp.float32(0) for _ in leaves))
        dq, *dgate = jax.lax.fori_loop(0, at.number, add, start)
        return (dq, *(jnp.full((block, 1), d) for d in dgate))

    def by_key(gate: Gate, at: _Place, read: _Read) -> tuple[Array, ...]:
        def add(n: Array, sums: tuple) -> tuple:
            row = at.block(n)
            q_rows, dout = read.rows("q", row), read.rows("dout", row)
            weights, pull = _weights(gate, q_rows, read, row, at.this, seen, block)
            _, dscores = pull(dot(dout, read.rows("v", at.this).T))
            return sums[0] + dot(dscores.T, q_rows), sums[1] + dot(weights.T, dout)

        start = tuple(jnp.zeros((block, x.shape[-1]), jnp.float32) for x in (k, v))
        return jax.lax.fori_loop(0, at.number, add, start)

    arrays = _arrays(q, k, v, cotangent, seen)
    run = functools.partial(_call, block=block, interpret=interpret, gate=gate, arrays=arrays)
    outputs = [("q", q.shape[-1]), *(("q", 1) for _ in leaves)]
    dq, *rows = run(by_query, lists=lists_of(visit), outputs=outputs)
    by_head = [r[:, ::block, 0].sum(axis=1) for r in rows]
    dleaves = [d if jnp.ndim(leaf) else d.sum() for d, leaf in zip(by_head, leaves, strict=True)]
    dk, dv = run(by_key, lists=lists_of(jnp.swapaxes(visit, 1, 2)), outputs=[("k", k.shape[-1]), ("k", v.shape[-1])])
    dk, dv = (d.reshape(k.shape[0], -1, *d.shape[1:]).sum(axis=1) for d in (dk, dv))
    nothing = jax.tree.map(lambda x: np.zeros(x.shape, jax.dtypes.float0), (seen, visit))
    return jax.tree.unflatten(structure, dleaves), dq, dk, dv, *nothing


attend.defvjp(_forward, _backward)


class _Place(NamedTuple):
    """A program's own block, and the blocks on its list."""

    this: Array
    number: Array
    block: Callable[[Array], Array]


class _Read(NamedTuple):
    """Loads one block of rows of an array, by the array's name."""

    rows: Callable[[str, Array], Array]
    keys: Callable[[Array], Array] | None


def _arrays(q: Array, k: Array, v: Array, dout: Array | None, seen: Visibility) -> dict[str, Array]:
    arrays = {"q": q, "k": k, "v": v}
    if dout is not None:
        arrays["dout"] = dout
    if seen.keys is not None:
        arrays["keys"] = seen.keys[..., None].astype(jnp.float32)
    return arrays


def _weights(
    gate: Gate, q_rows: Array, read: _Read, row: Array, column: Array, seen: Visibility, block: int
) -> tuple[Array, Any]:
    """The weights of a block and the pull-back from them to (gate, scores)."""
    steps = jnp.arange(block)
    visible = Visibility(None, seen.causal, seen.window).between(row * block + steps, column * block + steps)
    if read.keys is not None:
        visible = visible & (read.keys(column)[:, 0] > 0)[None, :]
    scores = dot(q_rows, read.rows("k", column).T)
    return jax.vjp(lambda g, s: jnp.where(visible, g.weight(s), 0.0), gate, scores)


def _call(
    program: Callable[[Gate, _Place, _Read], tuple[Array, ...]],
    block: int,
    interpret: bool,
    gate: Gate,
    arrays: dict[str, Array],
    lists: Lists,
    outputs: list[tuple[str, int]],
) -> tuple[Array, ...]:
    """Runs one program a head and list; it returns a block of rows of each output."""
    leaves, structure = jax.tree.flatten(gate)
    heads, rows = lists.numbers.shape
    repeats = heads // arrays["k"].shape[0]
    leaves = [jnp.broadcast_to(jnp.asarray(leaf, jnp.float32), heads) for leaf in leaves]

    def kernel(*refs: Any) -> None:
        numbers, blocks, *rest = refs
        given, arrays_in, out = rest[: len(leaves)], rest[len(leaves) : len(rest) - len(outputs)], rest[-len(outputs) :]
        by_name = dict(zip(arrays, arrays_in, strict=True))

        def load(name: str, number: Array) -> Array:
            return by_name[name][pl.ds(number * block, block), :]

        at = _Place(pl.program_id(1), numbers[0], lambda n: blocks[0, n])
        read = _Read(load, functools.partial(load, "keys") if "keys" in arrays else None)
        for ref, value in zip(
            out, program(jax.tree.unflatten(structure, [g[0] for g in given]), at, read), strict=True
        ):
            ref[...] = value

    of_head = pl.BlockSpec((1,), lambda h, i: (h,))
    specs = [
        pl.BlockSpec((None, 1), lambda h, i: (h, i)),
        pl.BlockSpec((None, 1, lists.blocks.shape[2]), lambda h, i: (h, i, 0)),
    ]
    specs += [of_head] * len(leaves)
    for name, x in arrays.items():
        shared = repeats if name in ("k", "v", "keys") else 1
        specs.append(pl.BlockSpec((None, *x.shape[1:]), lambda h, i, shared=shared: (h // shared, 0, 0)))
    shapes = [jax.ShapeDtypeStruct((heads, arrays[name].shape[1], width), jnp.float32) for name, width in outputs]
    out_specs = [pl.BlockSpec((None, block, width), lambda h, i: (h, i, 0)) for _, width in outputs]
    call = pl.pallas_call(
        kernel,
        grid=(heads, rows),
        in_specs=specs,
        out_specs=out_specs,
        out_shape=shapes,
        interpret=interpret,
        compiler_params=None if interpret else triton.CompilerParams(),
    )
    return tuple(call(lists.numbers, lists.blocks, *leaves, *arrays.values()))
