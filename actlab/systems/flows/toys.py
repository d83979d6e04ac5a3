"""Densities of the plane whose entropy is known, to measure a flow against the truth."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key


@dataclass(frozen=True)
class Toy:
    """A mixture of equally likely Gaussians in the plane.

    Attributes:
        name: for tables.
        means: (components, 2).
        factors: (components, 2, 2), A of each covariance A A^T; not triangular in general.
    """

    name: str
    means: np.ndarray
    factors: np.ndarray

    def sample(self, key: Key[Array, ""], count: int) -> Float[Array, "count 2"]:
        """Independent draws."""
        which_key, noise_key = jax.random.split(key)
        which = jax.random.randint(which_key, (count,), 0, len(self.means))
        noise = jax.random.normal(noise_key, (count, 2))
        means, factors = (jnp.asarray(v, noise.dtype) for v in (self.means, self.factors))
        return means[which] + jnp.einsum("nij,nj->ni", factors[which], noise)

    def log_prob(self, x: Float[Array, "*batch 2"]) -> Float[Array, "*batch"]:
        """The logarithm of the density, nats."""
        means, inverses = (jnp.asarray(v, x.dtype) for v in (self.means, np.linalg.inv(self.factors)))
        heights = jnp.asarray(-np.log(np.abs(np.linalg.det(self.factors))) - math.log(2 * math.pi), x.dtype)
        offset = x[..., None, :] - means.reshape((1,) * (x.ndim - 1) + means.shape)
        z = jnp.einsum("kij,...kj->...ki", inverses, offset)
        logs = heights.reshape((1,) * (x.ndim - 1) + heights.shape) - 0.5 * jnp.sum(z * z, -1)
        return jax.nn.logsumexp(logs, axis=-1) - math.log(len(self.means))

    @functools.cached_property
    def entropy(self) -> float:
        """Differential entropy, nats: the integral of -p log p by the trapezoidal rule, to about 1e-6."""
        reach, n = 6.0, 240
        line = np.linspace(-reach, reach, n)
        grid = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
        whitened = np.linalg.inv(self.factors)
        total, step = 0.0, (line[1] - line[0]) ** 2
        heights = -np.log(np.abs(np.linalg.det(self.factors))) - math.log(2 * math.pi * len(self.means))
        for part in np.array_split(grid, 3):
            z = np.einsum("kij,nkj->nki", whitened, part[:, None] - self.means)
            logs = heights - 0.5 * np.sum(z * z, -1)
            top = logs.max(1)
            log_p = top + np.log(np.exp(logs - top[:, None]).sum(1))
            total -= np.sum(np.exp(log_p) * log_p) * step
        return float(total)


def _isotropic(name: str, means: np.ndarray, deviation: float) -> Toy:
    return Toy(name, means, np.broadcast_to(deviation * np.eye(2), (len(means), 2, 2)).copy())


def eight_gaussians() -> Toy:
    """Eight round Gaussians on a circle of radius 2, deviation 0.2."""
    angles = np.arange(8) * math.pi / 4
    return _isotropic("eight Gaussians", 2 * np.stack([np.cos(angles), np.sin(angles)], -1), 0.2)


def checkerboard() -> Toy:
    """Eight squares of a chess board as round Gaussians 1.2 apart, deviation 0.3."""
    places = [(i, j) for i in range(4) for j in range(4) if (i + j) % 2 == 0]
    return _isotropic("checkerboard", 1.2 * (np.array(places) - 1.5), 0.3)


def pinwheel() -> Toy:
    """Five long Gaussians that turn about the origin: deviations 0.6 along and 0.12 across."""
    angles = np.arange(5) * 2 * math.pi / 5
    along = angles + 0.9
    means = 1.5 * np.stack([np.cos(angles), np.sin(angles)], -1)
    turn = np.stack([np.stack([np.cos(along), -np.sin(along)], -1), np.stack([np.sin(along), np.cos(along)], -1)], -2)
    return Toy("pinwheel", means, turn @ np.diag([0.6, 0.12]))


TOYS = (eight_gaussians, checkerboard, pinwheel)
