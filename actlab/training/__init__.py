"""Training: runs as pure functions, ensembles of them, devices and checkpoints. Knows nothing of activations."""

from actlab.training.batches import batch_indices
from actlab.training.ensembles import ensemble
from actlab.training.fit import Fitted, TrainState, advance, begin, fit

__all__ = ["Fitted", "TrainState", "advance", "batch_indices", "begin", "ensemble", "fit"]
