"""Every system has the same shape: the size of its test is `Settings`, and both entries take it."""

import dataclasses
import importlib
import inspect

import pytest

from actlab import systems


@pytest.mark.parametrize("name", systems.NAMES)
def test_every_evaluation_has_the_same_shape(name):
    module = importlib.import_module(f"actlab.systems.{name}.evaluation")
    system = systems.load(name)
    assert system.name == name
    assert system is module.SYSTEM
    assert isinstance(module.STANDARD, module.Settings)
    assert dataclasses.is_dataclass(module.Settings)
    hash(module.STANDARD)  # a key of what is kept or compiled
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(module.STANDARD, dataclasses.fields(module.Settings)[0].name, None)
    entries = {system.evaluate: ["activation", "seeds", "settings"]}
    if hasattr(module, "references"):
        entries[module.references] = ["seeds", "settings"]
        assert system.references is module.references
    for entry, names in entries.items():
        parameters = inspect.signature(entry).parameters
        assert list(parameters) == names
        assert parameters["settings"].default is module.STANDARD


@pytest.mark.parametrize("name", ["outliers", "saliency", "distillation", "spiking"])
def test_a_contest_is_a_pure_function_of_one_seed(name):
    """The caller maps it over seeds, on one device or many."""
    contest = importlib.import_module(f"actlab.systems.{name}.contest").contest
    assert str(inspect.signature(contest).return_annotation).startswith("Callable[[")
