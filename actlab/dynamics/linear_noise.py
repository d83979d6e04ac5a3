"""Linear-noise approximation: the stationary covariance of counts about a stable equilibrium of their mean."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from actlab.dynamics.equilibrium import equilibrium
from actlab.dynamics.reactions import Counts, Reactions, check_counts


class LinearNoise(NamedTuple):
    """Stationary moments of the linear-noise approximation.

    Attributes:
        mean: the equilibrium of the mean counts.
        covariance: shape (species, species), rows and columns in the order of `species`.
        species: sorted names.
        stable: whether the equilibrium attracts; where it does not, the covariance means nothing.
    """

    mean: Counts
    covariance: Float[Array, "species species"]
    species: tuple[str, ...]
    stable: Any

    def fano(self, name: str) -> Any:
        """Variance over mean of one species; 1 for a Poisson law."""
        index = self.species.index(name)
        return self.covariance[index, index] / self.mean[name]


def lyapunov(A: Float[Array, "n n"], D: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """The C with A C + C A^T + D = 0."""
    n = A.shape[0]
    eye = jnp.eye(n, dtype=A.dtype)
    return jnp.linalg.solve(jnp.kron(A, eye) + jnp.kron(eye, A), -D.ravel()).reshape(n, n)


def linear_noise(reactions: Reactions, guess: Counts) -> LinearNoise:
    """Mean and covariance about the equilibrium near a guess (van Kampen 2007, chapter X; Elf & Ehrenberg 2003).

    Exact for propensities linear in the counts; else off by the order of 1 over the counts.

    Args:
        reactions: the network.
        guess: counts near the equilibrium, floating numbers.

    Raises:
        ValueError: the counts are not of the network's species.
    """
    check_counts(reactions, guess)
    guess = {name: jnp.asarray(v) for name, v in guess.items()}
    mean = equilibrium(reactions.drift, guess)
    flat, unravel = ravel_pytree(mean)  # in the order of sorted names
    A = jax.jacfwd(lambda x: ravel_pytree(reactions.drift(unravel(x)))[0])(flat)
    names = tuple(sorted(mean))
    order = jnp.asarray([reactions.species.index(name) for name in names])
    S = reactions.stoichiometry(flat.dtype)[order]
    D = (S * jnp.stack([jnp.asarray(r, flat.dtype) for r in reactions.rates(mean)])[None, :]) @ S.T
    # Lyapunov: A is stable just where the solution for -I is positive definite; unlike eigenvalues of A, on any device.
    energy = lyapunov(A.T, jnp.eye(A.shape[0], dtype=A.dtype))
    stable = jnp.all(jnp.linalg.eigvalsh(0.5 * (energy + energy.T)) > 0)
    return LinearNoise(mean, lyapunov(A, D), names, stable)
