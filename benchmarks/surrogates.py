"""The surrogates of snnTorch, spyx and jaxpike, and ours, through the same checks: a table, with versions.

python benchmarks/surrogates.py
Libraries that are not installed are named and left out. A surrogate is what the library's own backward pass returns at
potentials minus threshold, at the factory's defaults.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

from actlab.systems.spiking import SHAPES, surrogate
from actlab.systems.spiking.conformance import conformance

Slopes = Callable[[np.ndarray], np.ndarray]


def by_jax(function: Callable) -> Slopes:
    """The derivative that JAX's reverse mode returns of a spike function, elementwise."""

    def slopes(u: np.ndarray) -> np.ndarray:
        spikes, pull = jax.vjp(function, jnp.asarray(u))
        return np.asarray(pull(jnp.ones_like(spikes))[0])

    return slopes


def snntorch() -> Iterator[tuple[str, Slopes]]:
    """SnnTorch's factories."""
    import torch
    from snntorch import surrogate as theirs

    def slopes(name: str) -> Slopes:
        def of(u: np.ndarray) -> np.ndarray:
            x = torch.tensor(u, requires_grad=True)
            getattr(theirs, name)()(x).sum().backward()
            assert x.grad is not None
            return x.grad.numpy()

        return of

    names = ("atan", "fast_sigmoid", "sigmoid", "triangular", "spike_rate_escape", "SFS", "LSO", "SSO", "heaviside")
    for name in (*names, "straight_through_estimator"):
        yield name, slopes(name)


def spyx() -> Iterator[tuple[str, Slopes]]:
    """Spyx's factories."""
    from spyx import axn

    for name in ("superspike", "arctan", "tanh", "boxcar", "triangular"):
        yield name, by_jax(getattr(axn, name)())


def jaxpike() -> Iterator[tuple[str, Slopes]]:
    """Jaxpike's classes."""
    from jaxpike import surrogate as theirs

    for name in ("FastSigmoid", "ATan", "Triangular", "Boxcar"):
        yield name, by_jax(getattr(theirs, name)())


def ours() -> Iterator[tuple[str, Slopes]]:
    """Actlab's families at beta = 10."""
    for name in SHAPES:
        yield name, lambda u, name=name: np.asarray(surrogate(name, 10.0).evaluate(jnp.asarray(u)))


def main() -> None:
    """Prints the table."""
    for library, list_of in (("actlab", ours), ("snntorch", snntorch), ("spyx", spyx), ("jaxpike", jaxpike)):
        try:
            found, version = list(list_of()), importlib.metadata.version(library)
        except ImportError as error:
            print(f"{library}: not here ({error})")
            continue
        for name, slopes in found:
            result = conformance(name, slopes)
            verdict = "; ".join(result.faults) or "conforms"
            print(f"{library} {version:8s} {name:28s} h(0) {result.peak:8.4g}  area {result.area:8.4g}  {verdict}")


if __name__ == "__main__":
    main()
