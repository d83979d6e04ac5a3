"""Where a long run lies: on one device, or on a mesh with its members along one axis, its batches along the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
from jax.sharding import Mesh

from actlab.training.fit import TrainState
from actlab.training.mesh import DATA, ENSEMBLE, everywhere, gathered, members, placed, rows_of_batch
from actlab.training.processes import several

MEMBERS = TrainState(params=0, rest=0, opt_state=0, step=None, order_key=0, loss_key=0)
"""The mapped axes of an ensemble's state: one step for all, so that a permutation stays one sort an epoch."""


@dataclass(frozen=True)
class Layout:
    """The shardings of a run's state, data and numbers.

    Attributes:
        mesh: None for one device.
        mapped: whether there are members.
    """

    mesh: Mesh | None
    mapped: bool

    def check(self, count: int) -> None:
        """Refuses a number of members that the mesh does not divide, by a ValueError."""
        if self.mesh is not None and count % self.mesh.shape[ENSEMBLE]:
            raise ValueError(
                f"train: {count} members cannot be divided among the {self.mesh.shape[ENSEMBLE]} devices of the mesh's "
                "ensemble axis; take a multiple, or fewer devices"
            )

    def place(self, state: Any, key: Any, data: Any) -> tuple[Any, Any, Any]:
        """The arguments on the devices."""
        if self.mesh is None:
            return state, key, data
        axis = members(self.mesh) if self.mapped else everywhere(self.mesh)
        return placed(state, axis), placed(key, axis), placed(data, everywhere(self.mesh))

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` of a member's state and key, for all members."""
        if self.mapped:
            function = jax.vmap(function, in_axes=(0, 0), out_axes=MEMBERS)
        return jax.jit(function) if self.mesh is None else jax.jit(function, out_shardings=self._state())

    def chunk(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` of a member's state and the data, returning its state and numbers for the host."""
        name = None if self.mesh is None else ENSEMBLE
        if self.mapped:
            function = jax.vmap(function, in_axes=(MEMBERS, None), out_axes=(MEMBERS, 0, 0), spmd_axis_name=name)
        if self.mesh is None:
            return jax.jit(function)
        numbers = everywhere(self.mesh) if several() or not self.mapped else members(self.mesh)
        return jax.jit(function, out_shardings=(self._state(), numbers, numbers))

    def batch(self, rows_of_a_batch: int) -> Any:
        """The sharding of a batch; None where its rows cannot be divided."""
        if self.mesh is None or self.mesh.shape[DATA] == 1 or rows_of_a_batch % self.mesh.shape[DATA]:
            return None
        return rows_of_batch(self.mesh)

    def whole(self, state: TrainState) -> TrainState:
        """The state where every process can read it."""
        return gathered(state, self.mesh) if self.mesh is not None and several() else state

    def _state(self) -> TrainState:
        assert self.mesh is not None
        axis = members(self.mesh) if self.mapped else everywhere(self.mesh)
        return TrainState(axis, axis, axis, everywhere(self.mesh), axis, axis)
