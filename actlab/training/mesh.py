"""The device mesh: axes `ensemble` (independent runs) and `data` (rows of one run's batch)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

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


def members(mesh: Mesh) -> NamedSharding:
    """The sharding of an array whose leading axis counts the members of an ensemble."""
    return NamedSharding(mesh, PartitionSpec(ENSEMBLE))


def rows_of_batch(mesh: Mesh) -> NamedSharding:
    """The sharding of an array whose leading axis counts the rows of a batch."""
    return NamedSharding(mesh, PartitionSpec(DATA))
