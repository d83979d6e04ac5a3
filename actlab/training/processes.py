"""Several processes as one program, by `jax.distributed`: starting, agreeing, sharing what only the first one knows."""

from __future__ import annotations

import jax
import numpy as np
from jax.experimental import multihost_utils

HEARTBEAT = 10
"""Seconds without a sign of life after which the runtime holds a process for dead."""


class ProcessesError(RuntimeError):
    """The processes of a run could not find each other; the message says what was tried and what to do."""


class PeerLostError(RuntimeError):
    """Another process of the run died; start all of them again to resume."""


def start(
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
    heartbeat: int = HEARTBEAT,
    timeout: int = 120,
) -> None:
    """Joins this process to the others of its run; call it before anything is computed.

    Args:
        coordinator: `host:port` of the first process; None: what Slurm, a TPU pod or Open MPI says, as for the others.
        processes: how many there are.
        process: which one this is, from 0.
        heartbeat: seconds without a sign of life after which a process is held for dead.
        timeout: seconds to wait for the others at the start.

    Raises:
        ProcessesError: wrong numbers, no scheduler where none are given, or others that do not come.
    """
    given = [coordinator is not None, processes is not None, process is not None]
    if any(given) and not all(given):
        raise ProcessesError("give coordinator host:port, the number of processes and this one's, or none of them")
    if coordinator is not None and processes is not None and process is not None:
        host, _, port = coordinator.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ProcessesError(f"coordinator {coordinator!r} is not of the form host:port")
        if not 0 <= process < processes:
            raise ProcessesError(f"process {process} of {processes}: the first of n processes is 0, the last n - 1")
    try:
        jax.distributed.initialize(
            coordinator,
            processes,
            process,
            cluster_detection_method="deactivate" if all(given) else None,
            heartbeat_timeout_seconds=heartbeat,
            initialization_timeout=timeout,
        )
    except (ValueError, RuntimeError) as error:
        first = (str(error).splitlines() or [""])[0][:160]
        tried = f"{coordinator} as process {process} of {processes}" if all(given) else "what the scheduler says"
        raise ProcessesError(f"processes could not be joined by {tried} ({first})") from error


def distributed() -> bool:
    """Whether `jax.distributed` runs, be it with one process."""
    return jax.distributed.is_initialized()


def several() -> bool:
    """Whether there are other processes."""
    return distributed() and jax.process_count() > 1


def first() -> bool:
    """Whether this is the process that writes reports, metrics and locks."""
    return not several() or jax.process_index() == 0


def agreed(number: int) -> int:
    """The first process's number, in all of them."""
    return int(multihost_utils.broadcast_one_to_all(np.int32(number))) if several() else number


def shared(text: str) -> str:
    """The first process's text, in all of them."""
    if not several():
        return text
    data = np.frombuffer(text.encode(), np.uint8)
    length = agreed(len(data))
    mine = data if first() else np.zeros(length, np.uint8)
    return np.asarray(multihost_utils.broadcast_one_to_all(mine)).astype(np.uint8).tobytes().decode()


def is_lost_peer(error: BaseException) -> bool:
    """Whether the runtime raised this because another process died."""
    text = str(error)
    signs = ("Gloo", "heartbeat", "coordination service", "CoordinationService", "Connection reset by peer", "NCCL")
    return several() and isinstance(error, (ValueError, RuntimeError)) and any(sign in text for sign in signs)
