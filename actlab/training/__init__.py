"""Training: runs as pure functions, ensembles of them, devices and checkpoints. Knows nothing of activations."""

from actlab.training.batches import batch_indices
from actlab.training.checkpoint import CheckpointError, Checkpoints
from actlab.training.chunks import in_chunks
from actlab.training.compilation import enable_compilation_cache, user_cache
from actlab.training.divergence import NotFiniteError
from actlab.training.ensembles import STRATEGIES, ensemble, over_devices, seed_keys
from actlab.training.fit import Fitted, TrainState, advance, begin, fit
from actlab.training.folder import Lock, RunFolderError, run_folder
from actlab.training.layout import MEMBERS
from actlab.training.loop import train
from actlab.training.mesh import make_mesh, mesh_for, rows_of_batch, rows_of_processes
from actlab.training.preemption import AGAIN, Preempted
from actlab.training.processes import PeerLostError, ProcessesError
from actlab.training.profiling import profiled
from actlab.training.progress import Progress, Terminal
from actlab.training.writers import JsonLines, TensorBoard, Writer, read_metrics

__all__ = [
    "AGAIN",
    "MEMBERS",
    "STRATEGIES",
    "CheckpointError",
    "Checkpoints",
    "Fitted",
    "JsonLines",
    "Lock",
    "NotFiniteError",
    "PeerLostError",
    "Preempted",
    "ProcessesError",
    "Progress",
    "RunFolderError",
    "TensorBoard",
    "Terminal",
    "TrainState",
    "Writer",
    "advance",
    "batch_indices",
    "begin",
    "enable_compilation_cache",
    "ensemble",
    "fit",
    "in_chunks",
    "make_mesh",
    "mesh_for",
    "over_devices",
    "profiled",
    "read_metrics",
    "rows_of_batch",
    "rows_of_processes",
    "run_folder",
    "seed_keys",
    "train",
    "user_cache",
]
