"""Training: runs as pure functions, ensembles of them, devices and checkpoints. Knows nothing of activations."""

from actlab.training.batches import batch_indices
from actlab.training.checkpoint import CheckpointError, Checkpoints, RunFolderError, run_folder
from actlab.training.compilation import enable_compilation_cache
from actlab.training.ensembles import STRATEGIES, ensemble, seed_keys
from actlab.training.fit import Fitted, TrainState, advance, begin, fit
from actlab.training.loop import MEMBERS, NotFiniteError, train
from actlab.training.mesh import make_mesh, rows_of_batch
from actlab.training.progress import Progress, Terminal
from actlab.training.writers import JsonLines, TensorBoard, Writer, read_metrics

__all__ = [
    "MEMBERS",
    "STRATEGIES",
    "CheckpointError",
    "Checkpoints",
    "NotFiniteError",
    "Fitted",
    "JsonLines",
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
    "make_mesh",
    "read_metrics",
    "rows_of_batch",
    "run_folder",
    "seed_keys",
    "train",
]
