"""Ensembles: one run mapped over the leading axis of its arguments, on one device or many."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Key

from actlab.training.mesh import ENSEMBLE, everywhere, gathered, make_mesh, members, placed
from actlab.training.processes import several

STRATEGIES = ("vmap", "jit", "pmap")


def seed_keys(seeds: Sequence[int]) -> Key[Array, " seeds"]:
    """One key a seed, to map a run over."""
    return jax.vmap(jax.random.key)(jnp.asarray(seeds, jnp.uint32))


def ensemble(
    run: Callable[..., Any], strategy: str = "vmap", mesh: Mesh | None = None, in_axes: tuple[int | None, ...] = ()
) -> Callable[..., Any]:
    """Maps `run` over the leading axis of every argument (pytrees allowed), compiled.

    Member i of every strategy is the solo run of member i up to rounding: batched matrix products round differently, so
    expect 1e-5 after a hundred Adam steps, and equal bits only for equal numbers of members and devices. A number of
    members that the devices do not divide is filled up with copies of the last one, which are dropped again.

    Args:
        run: a pure function, such as one that builds a model from a key and returns `fit(...)`.
        strategy: "vmap": all members in one program on one device; "jit": that program partitioned over the mesh's
            ensemble axis, without any communication, on all processes' devices where there are several; "pmap": one
            copy of it a device, JAX's older way, one process.
        mesh: of `make_mesh`; all devices along the ensemble axis by default. Not for "vmap".
        in_axes: 0 or None for each argument of `run`, None for what all members share; () maps all of them.

    Returns:
        A function of the stacked arguments that returns the stacked results; `.lower(*arguments)` as jit's.

    Raises:
        ValueError: an unknown strategy, a mesh with "vmap", or (when called) arguments of different lengths.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy = {strategy!r}; known: {', '.join(STRATEGIES)}")
    if strategy == "vmap":
        if mesh is not None:
            raise ValueError('ensemble: strategy "vmap" uses one device and no mesh; take "jit" or "pmap"')
        return jax.jit(jax.vmap(run, in_axes=in_axes or 0))
    mesh = make_mesh() if mesh is None else mesh
    return _Padded(_jit if strategy == "jit" else _pmap, run, mesh, in_axes)


def over_devices(run: Callable[..., Any], in_axes: tuple[int | None, ...] = ()) -> Callable[..., Any]:
    """`ensemble` on whatever there is: one device, all devices of this process, or those of all processes.

    With several processes call it in all of them alike; each receives the whole result.
    """
    one = len(jax.devices()) == 1
    return ensemble(run, "vmap" if one else "jit", in_axes=in_axes)


class _Padded:
    """A mapped run whose number of members is filled up to a multiple of the mesh's ensemble axis."""

    def __init__(self, make: Callable[..., Any], run: Callable[..., Any], mesh: Mesh, in_axes: tuple[int | None, ...]):
        self.devices = mesh.shape[ENSEMBLE]
        self.in_axes = in_axes
        self.compiled = functools.cache(lambda axes: make(run, mesh, axes))

    def __call__(self, *arguments: Any) -> Any:
        axes, count = self._axes(arguments)
        result = self.compiled(axes)(*self._filled(arguments, axes, count))
        return result if count % self.devices == 0 else jax.tree.map(lambda leaf: leaf[:count], result)

    def lower(self, *arguments: Any) -> Any:
        """The lowered program for these arguments, as `jax.jit(...).lower`."""
        axes, count = self._axes(arguments)
        return self.compiled(axes).lower(*self._filled(arguments, axes, count))

    def _axes(self, arguments: tuple[Any, ...]) -> tuple[tuple[int | None, ...], int]:
        axes = self.in_axes or (0,) * len(arguments)
        mapped = [a for a, axis in zip(arguments, axes, strict=True) if axis == 0]
        counts = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(mapped)}
        if len(counts) != 1 or () in counts:
            raise ValueError(f"ensemble: the mapped arguments have leading axes {sorted(counts)}; they need one length")
        return axes, counts.pop()[0]

    def _filled(self, arguments: tuple[Any, ...], axes: tuple[int | None, ...], count: int) -> list[Any]:
        missing = -count % self.devices
        if not missing:
            return list(arguments)
        fill = jnp.minimum(jnp.arange(count + missing), count - 1)
        return [
            jax.tree.map(lambda leaf: jnp.asarray(leaf)[fill], argument) if axis == 0 else argument
            for argument, axis in zip(arguments, axes, strict=True)
        ]


def _jit(run: Callable[..., Any], mesh: Mesh, axes: tuple[int | None, ...]) -> Callable[..., Any]:
    # spmd_axis_name: a sharding constraint inside the run (of rows over `data`) keeps the members apart.
    mapped = jax.vmap(run, in_axes=axes, spmd_axis_name=ENSEMBLE)
    shardings = tuple(members(mesh) if axis == 0 else everywhere(mesh) for axis in axes)
    program = jax.jit(mapped, in_shardings=shardings, out_shardings=members(mesh))

    def call(*arguments: Any) -> Any:
        lay = placed if several() else jax.device_put  # what comes from another ensemble may lie otherwise
        result = program(*map(lay, arguments, shardings))
        return gathered(result, mesh) if several() else result

    call.lower = program.lower  # pyright: ignore[reportFunctionMemberAccess]
    return call


def _pmap(run: Callable[..., Any], mesh: Mesh, axes: tuple[int | None, ...]) -> Callable[..., Any]:
    devices = list(mesh.devices[:, 0])
    mapped = jax.pmap(jax.vmap(run, in_axes=axes), in_axes=axes, devices=devices)

    def split(tree: Any) -> Any:
        return jax.tree.map(lambda v: jnp.reshape(jnp.asarray(v), (len(devices), -1, *jnp.shape(v)[1:])), tree)

    def divided(arguments: tuple[Any, ...]) -> list[Any]:
        return [split(a) if axis == 0 else a for a, axis in zip(arguments, axes, strict=True)]

    def call(*arguments: Any) -> Any:
        return jax.tree.map(lambda v: v.reshape(-1, *v.shape[2:]), mapped(*divided(arguments)))

    call.lower = lambda *arguments: mapped.lower(*divided(arguments))  # pyright: ignore[reportFunctionMemberAccess]
    return call
