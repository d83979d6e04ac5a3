"""Training: runs as pure functions, ensembles of them, devices and checkpoints. Knows nothing of activations."""

from actlab.training.batches import batch_indices
from actlab.training.ensembles import STRATEGIES, ensemble
from actlab.training.fit import Fitted, TrainState, advance, begin, fit
from actlab.training.mesh import make_mesh

__all__ = ["STRATEGIES", "Fitted", "TrainState", "advance", "batch_indices", "begin", "ensemble", "fit", "make_mesh"]
