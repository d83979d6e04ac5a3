"""From what a user writes (a name, `module:function`, `path.py:function`, a function) to a checked Activation."""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from actlab.activations.activation import Activation, Elementary
from actlab.activations.decorator import activation


class ActivationLookupError(LookupError):
    """No activation where the user said there is one; the message says what is there instead."""


class NotElementwiseError(TypeError):
    """The function is not an elementwise function of one floating array."""


def get(name: str) -> Activation:
    """The activation of the zoo that has this name or alias.

    Raises:
        ActivationLookupError: no such name; suggests the nearest ones.
    """
    from actlab.activations.zoo import ALIASES, ZOO

    known = name.strip().lower()
    known = ALIASES.get(known, known)
    if known not in ZOO:
        hint = did_you_mean(known, [*ZOO, *ALIASES])
        raise ActivationLookupError(f"no activation named {name!r}{hint}; `actlab list` shows all {len(ZOO)}")
    return ZOO[known]


def resolve(what: str) -> Activation:
    """The activation that a command line names: `gelu`, `module:function` or `path/to/file.py:function`.

    A plain function is lifted: its facts are unknown. A user's file is executed, as an import is.

    Raises:
        ActivationLookupError: no such name, module, file or function, or a module or file that cannot be loaded.
        NotElementwiseError: a function that is not elementwise, or not of one floating array.
    """
    place, colon, attribute = what.rpartition(":")
    if not colon:
        return get(what)
    if not place or not attribute:
        raise ActivationLookupError(f"{what!r} is not of the form module:function or path/to/file.py:function")
    module = _module_from_file(Path(place)) if place.endswith(".py") else _module_by_name(place)
    found = getattr(module, attribute, None)
    if found is None:
        names = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise ActivationLookupError(f"{place} has no function {attribute!r}{did_you_mean(attribute, names)}")
    if not callable(found):
        raise ActivationLookupError(f"{what} is {type(found).__name__}, not a function")
    try:
        return as_activation(found)
    except NotElementwiseError:
        raise
    except TypeError as error:  # a signature that no function of one array has
        raise NotElementwiseError(f"{what}: {error}") from error


def as_activation(what: Activation | Callable[..., Any] | str) -> Activation:
    """An Activation from an Activation, a function of one array, or a name; a function is checked to be elementwise.

    Raises:
        ActivationLookupError: no activation of that name.
        NotElementwiseError: a function that is not elementwise.
        TypeError: none of the three.
    """
    if isinstance(what, str):
        return resolve(what)
    if isinstance(what, Activation):
        return what if what.family != "user" else check_elementwise(what)
    return check_elementwise(activation(what))


def check_elementwise(act: Activation) -> Activation:
    """Returns the activation if each output depends on the input at its own place alone, in shape and in value.

    Raises:
        NotElementwiseError: names the first difference found.
    """
    traced = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(act))
    if isinstance(act, Elementary):
        # A user's function itself, before the Activation casts or checks what it returns.
        parameters = act.definition.defaults if traced else act.parameters
        raw = functools.partial(act.definition.derivatives[0], **parameters)
    elif traced:
        return act  # its values cannot be looked at
    else:
        raw = act
    with jax.ensure_compile_time_eval():  # callable while a model is built inside jit or vmap
        points = jnp.asarray(np.linspace(-2.3, 2.9, 12).reshape(3, 4), jnp.float32)
        together = _applied(act.name, raw, points)
        if together.shape != points.shape or together.dtype != points.dtype:
            raise NotElementwiseError(
                f"{act.name} is not elementwise: it maps float32 (3, 4) to {together.dtype} {together.shape}"
            )
        alone = jnp.concatenate([_applied(act.name, raw, p) for p in points.reshape(-1, 1)]).reshape(points.shape)
    with np.errstate(invalid="ignore"):  # infinity less infinity, where both overflow
        difference = np.abs(np.asarray(together) - np.asarray(alone))
    scale = 1e-5 * (1.0 + np.abs(np.asarray(alone)))
    if np.any(difference > scale):  # NaN compares false: a function may be undefined somewhere
        where = np.unravel_index(np.nanargmax(difference), difference.shape)
        raise NotElementwiseError(
            f"{act.name} is not elementwise: f({points[where]:.3g}) is {alone[where]:.6g} alone, "
            f"{together[where]:.6g} in an array"
        )
    return act


def _applied(name: str, function: Callable[..., Any], x: jax.Array) -> jax.Array:
    try:
        return jnp.asarray(function(x))
    except Exception as error:
        raise NotElementwiseError(
            f"{name} fails on a float32 array of shape {x.shape}: {type(error).__name__}: {_first_line(error)}"
        ) from error


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """` (did you mean 'gelu'?)` where something known is near, else nothing."""
    near = difflib.get_close_matches(wrong, list(known), n=3)
    return f" (did you mean {' or '.join(map(repr, near))}?)" if near else ""


def _module_by_name(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ActivationLookupError(
            f"no module {error.name!r} to import from {Path.cwd()} or the environment"
        ) from error
    except Exception as error:
        raise ActivationLookupError(f"{name} cannot be loaded: {type(error).__name__}: {_first_line(error)}") from error
    finally:
        sys.path.pop(0)


def _module_from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ActivationLookupError(f"no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ActivationLookupError(f"{path} cannot be loaded: {type(error).__name__}: {_first_line(error)}") from error
    return module


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
