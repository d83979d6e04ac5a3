"""Signal propagation: how deep a plain net of an activation can be, by theory, in random nets, and in training."""

from actlab.systems.signal.model import PlainNet
from actlab.systems.signal.trial import Recipe, Trial, digits_rows, trial

__all__ = ["PlainNet", "Recipe", "Trial", "digits_rows", "trial"]
