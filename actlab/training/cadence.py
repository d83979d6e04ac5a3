"""How many chunks of a run go to a checkpoint."""

from __future__ import annotations

import math
import time

from actlab.training.processes import agreed

MOST_CHUNKS = 2**31 - 1
"""Between two checkpoints: what `agreed` can send, and more than any run has."""


class Cadence:
    """A checkpoint each so many chunks, so that two are at least some seconds apart.

    The first chunk compiles; the second one is timed, and what follows from it holds for the rest of the run, in all
    processes alike. Those two are saved.

    Args:
        seconds: between two checkpoints; 0 for one after every chunk, infinity for none beside those two.
    """

    def __init__(self, seconds: float):
        self._seconds, self._chunks, self._every, self._mark = seconds, 0, 1, 0.0

    def due(self) -> bool:
        """Whether the chunk that has just ended is to be saved; call it after every chunk, in every process."""
        self._chunks += 1
        if self._chunks <= 2:
            now = time.perf_counter()
            if self._chunks == 2 and self._seconds > 0:
                chunks = min(self._seconds / max(now - self._mark, 1e-3), MOST_CHUNKS)
                self._every = agreed(max(1, math.ceil(chunks)))
            self._mark = now
            return True
        return (self._chunks - 2) % self._every == 0
