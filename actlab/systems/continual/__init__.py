"""Continual learning: what the activation of a net decides of its learning on and on, and of what it keeps."""

from actlab.signal import effective_rank, stable_rank
from actlab.systems.continual.accuracy_matrix import Transfer, transfer
from actlab.systems.continual.classifier import Batch, Classifier, Seen, cross_entropy, dot, opened
from actlab.systems.continual.error import ContinualError
from actlab.systems.continual.fisher import diagonal_fisher
from actlab.systems.continual.heads import SCENARIOS, Heads, Scenario
from actlab.systems.continual.interference import Interference, gradient_products, interference, present_cosines
from actlab.systems.continual.learner import Run, Schedule, held_out_accuracy, learn
from actlab.systems.continual.method import Method, Renewed, Step, naive
from actlab.systems.continual.model import Layer, Network, Parameters, weights
from actlab.systems.continual.online_learning import Course, Learner, error_at_end, error_at_start, online_learning
from actlab.systems.continual.plasticity import (
    constant_share,
    dormant_share,
    flat_share,
    weight_norm,
)
from actlab.systems.continual.regularization import (
    ewc,
    l2_init,
    learning_without_forgetting,
    old_outputs_loss,
    synaptic_intelligence,
)
from actlab.systems.continual.rehearsal import Kept, a_gem, replay, without_conflict
from actlab.systems.continual.renewal import Units, continual_backprop, shrink_and_perturb
from actlab.systems.continual.slowly_changing_regression import Problem, examples
from actlab.systems.continual.streams import (
    Labelled,
    Stream,
    joint,
    least_rows,
    permuted,
    random_label,
    rotated,
    rotation,
    split,
)

__all__ = [
    "Batch",
    "Classifier",
    "ContinualError",
    "Course",
    "Heads",
    "Interference",
    "Kept",
    "Labelled",
    "Layer",
    "Learner",
    "Method",
    "Network",
    "Parameters",
    "Problem",
    "Renewed",
    "Run",
    "SCENARIOS",
    "Scenario",
    "Schedule",
    "Seen",
    "Step",
    "Stream",
    "Transfer",
    "Units",
    "a_gem",
    "constant_share",
    "continual_backprop",
    "cross_entropy",
    "diagonal_fisher",
    "dormant_share",
    "dot",
    "effective_rank",
    "error_at_end",
    "error_at_start",
    "ewc",
    "examples",
    "flat_share",
    "gradient_products",
    "held_out_accuracy",
    "interference",
    "joint",
    "l2_init",
    "learn",
    "learning_without_forgetting",
    "least_rows",
    "naive",
    "old_outputs_loss",
    "online_learning",
    "opened",
    "permuted",
    "present_cosines",
    "random_label",
    "replay",
    "rotated",
    "rotation",
    "shrink_and_perturb",
    "split",
    "stable_rank",
    "synaptic_intelligence",
    "transfer",
    "weight_norm",
    "weights",
    "without_conflict",
]
