"""The systems in which the activation decides; each is imported only when it is asked for."""

import importlib

from actlab.measurement import System

NAMES: tuple[str, ...] = (
    "outliers",
    "robustness",
    "uncertainty",
    "tomography",
    "flows",
    "attention",
    "oversmoothing",
    "signal",
    "circuits",
    "spiking",
    "neurons",
    "saliency",
    "distillation",
    "continual",
)


def load(name: str) -> System:
    """The system of this name.

    Raises:
        ValueError: no such system; the message lists those there are.
    """
    if name not in NAMES:
        raise ValueError(f"no system {name!r}; the systems are: {', '.join(NAMES)}")
    return importlib.import_module(f"actlab.systems.{name}.evaluation").SYSTEM
