"""The device mesh: axes `ensemble` (independent runs) and `data` (rows of one run's batch)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from actlab.training.keys import as_key_of, without_key

ENSEMBLE, DATA = "ensemble", "data"


def make_mesh(ensemble: int | None = None, data: int = 1, devices: Sequence[Any] | None = None) -> Mesh:
    """A mesh of the devices, of shape (ensemble, data).

    Args:
        ensemble: devices along the ensemble axis; None: all that `data` leaves.
        data: devices along the data axis.
        devices: the devices, those of every process by default.

    Raises:
        ValueError: more devices asked for than there are, or a number that does not divide them.
    """
    devices = list(jax.devices() if devices is None else devices)
    if data < 1 or len(devices) % data:
        raise ValueError(f"mesh: data = {data} does not divide the {len(devices)} devices")
    ensemble = len(devices) // data if ensemble is None else ensemble
    if not 1 <= ensemble * data <= len(devices):
        raise ValueError(f"mesh: {ensemble} x {data} devices asked for, {len(devices)} present")
    grid = np.array(devices[: ensemble * data]).reshape(ensemble, data)
    # Auto: the partitioner follows the shardings of inputs and outputs. With Explicit axes a scan inside the run would
    # demand that the mesh be set around every call.
    return Mesh(grid, (ENSEMBLE, DATA), axis_types=(AxisType.Auto, AxisType.Auto))


def mesh_for(count: int) -> Mesh:
    """All devices for an ensemble: along `ensemble` as many as divide its members, the rest along `data`."""
    devices = len(jax.devices())
    along = math.gcd(count, devices)
    return make_mesh(along, devices // along)


def members(mesh: Mesh) -> NamedSharding:
    """The sharding of an array whose leading axis counts the members of an ensemble."""
    return NamedSharding(mesh, PartitionSpec(ENSEMBLE))


def rows_of_batch(mesh: Mesh) -> NamedSharding:
    """The sharding of an array whose leading axis counts the rows of a batch."""
    return NamedSharding(mesh, PartitionSpec(DATA))


def everywhere(mesh: Mesh) -> NamedSharding:
    """The sharding of what every device holds whole."""
    return NamedSharding(mesh, PartitionSpec())


def placed(tree: Any, sharding: NamedSharding) -> Any:
    """Arrays that every process has whole, laid out on the devices of all processes; PRNG keys too.

    An array that already lies on other processes' devices is left as it is.
    """

    def place(leaf: Any) -> Any:
        if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
            return leaf
        values = np.asarray(without_key(leaf))
        return as_key_of(leaf, jax.make_array_from_callback(values.shape, sharding, lambda index: values[index]))

    return jax.tree.map(place, tree)


def gathered(tree: Any, mesh: Mesh) -> Any:
    """The reverse of `placed`: every process receives everything, on a device of its own."""
    whole = jax.jit(lambda t: t, out_shardings=everywhere(mesh))(tree)

    return jax.tree.map(lambda leaf: as_key_of(leaf, jnp.asarray(np.asarray(without_key(leaf)))), whole)


def rows_of_processes(tree: Any, mesh: Mesh) -> Any:
    """One data set from the rows that each process has read: those of the first process first.

    Args:
        tree: this process's rows, arrays with a common leading axis, equally many in every process.
        mesh: of all processes; the rows lie along its `data` axis.
    """
    sharding = rows_of_batch(mesh)
    return jax.tree.map(lambda leaf: jax.make_array_from_process_local_data(sharding, np.asarray(leaf)), tree)
