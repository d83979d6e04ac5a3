"""From attenuation to photon counts and back: Beer-Lambert's law, the Poisson likelihood of the counts, units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, Key

from actlab.systems.tomography.geometry import Geometry
from actlab.systems.tomography.projector import project

WATER = 0.0206
"""Attenuation of water at 60 keV, 1/mm. Source: NIST XCOM, 0.2059 cm^2/g at 1 g/cm^3."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Exposure:
    """The counts of a scan and what they would be without an object: I = flat exp(-A x) + background, Poisson.

    Attributes:
        counts: photons detected, shape (*batch, views, bins); need not be integers (a camera's counts over its gain).
        flat: photons expected in each bin without an object, the background not among them; broadcasts to `counts`.
        background: photons expected in each bin with the beam off or scattered; broadcasts to `counts`.
        weight: 1 for a ray that is fitted, 0 for one that is held out or dead; broadcasts to `counts`.
    """

    counts: Any
    flat: Any
    background: Any
    weight: Any

    @classmethod
    def of(cls, counts: Any, flat: Any, background: Any = 0.0, weight: Any = 1.0) -> Exposure:
        """An exposure in float32 (float64 where the counts are), all of the shape of the counts; dead bins held out.

        Raises:
            ValueError: a shape that does not broadcast, or counts that are negative or not finite.
        """
        counts = jnp.asarray(counts)
        dtype = jnp.float64 if counts.dtype == jnp.float64 else jnp.float32
        if not isinstance(counts, Tracer) and not bool(jnp.all(jnp.isfinite(counts) & (counts >= 0))):
            raise ValueError("counts: some are negative or not finite; give such rays the weight 0 and the counts 0")
        filled = {"flat": flat, "background": background, "weight": weight}
        for name, value in filled.items():
            value = jnp.asarray(value, dtype)
            try:
                filled[name] = jnp.broadcast_to(_aligned(value, counts.ndim), counts.shape)
            except ValueError as error:
                raise ValueError(
                    f"{name} of shape {value.shape} does not fit counts of shape {counts.shape}"
                ) from error
        alive = (filled["flat"] > 0) & (filled["background"] >= 0)
        return cls(counts.astype(dtype), filled["flat"], filled["background"], filled["weight"] * alive)

    def weighted(self, weight: Any) -> Exposure:
        """The same counts with this weight in place of the present one, dead rays still at 0."""
        return replace(self, weight=weight * (self.weight > 0))

    def scaled(self, gain: Float[Array, "*shape"]) -> Exposure:
        """The same counts with the flat times this gain, which is of each bin or of every ray."""
        return replace(self, flat=self.flat * _aligned(jnp.asarray(gain), self.flat.ndim))

    @property
    def line_integrals(self) -> Float[Array, "*batch views bins"]:
        """-log of the transmission: what FBP, SIRT, SART and TV are given. Negative where more arrives than was sent.

        The net counts are kept at half a photon or more, without which a black ray would be infinite.
        """
        net = jnp.maximum(self.counts - self.background, 0.5)
        return jnp.where(self.flat > 0, jnp.log(jnp.where(self.flat > 0, self.flat, 1.0) / net), 0.0)


def expected(integrals: Float[Array, "*shape"], exposure: Exposure) -> Float[Array, "*shape"]:
    """Expected counts: flat exp(-p) + background."""
    return exposure.flat * jnp.exp(-integrals) + exposure.background


def negative_log_likelihood(integrals: Float[Array, "*batch views bins"], exposure: Exposure) -> Float[Array, "*batch"]:
    """The sum over the weighted rays of Poisson's -log p, less what it is where expected = counts: half the deviance.

    Finite at every finite line integral, without a background too: the logarithm of the sum is taken of logarithms. The
    constant keeps the sum small, so that float32 resolves it.
    """
    alive = exposure.weight > 0
    log_flat, log_background = (_log(jnp.where(alive, v, 1.0)) for v in (exposure.flat, exposure.background))
    log_expected = jnp.logaddexp(log_flat - integrals, log_background)
    counts = exposure.counts
    log_counts = jnp.log(jnp.where(counts > 0, counts, 1.0))
    terms = jnp.exp(log_expected) - counts - counts * (log_expected - log_counts)
    return jnp.sum(jnp.where(alive, exposure.weight * terms, 0.0), axis=(-2, -1))


def deviance(integrals: Float[Array, "*batch views bins"], exposure: Exposure) -> Float[Array, "*batch"]:
    """Poisson deviance per weighted ray: 1 on average where the expected counts are right and not tiny."""
    mean = jnp.maximum(expected(integrals, exposure), 1e-6)
    ratio = jnp.where(exposure.counts > 0, exposure.counts, mean) / mean
    terms = 2.0 * (exposure.counts * jnp.log(ratio) - exposure.counts + mean)
    total = jnp.sum(exposure.weight * terms, axis=(-2, -1))
    return total / jnp.sum(exposure.weight, axis=(-2, -1))


def simulate(
    key: Key[Array, ""],
    integrals: ArrayLike,
    photons: float,
    background: float = 0.0,
) -> Exposure:
    """Counts of a scan whose every bin averages the light of its subrays.

    The intensities are averaged, as a detector does it, not the line integrals: a model with one ray per bin is a
    little wrong at sharp edges, as it is in life.

    Args:
        key: of the noise.
        integrals: shape (views, bins, subrays), from a finer and different projector than that of the reconstruction.
        photons: expected in a bin without an object.
        background: photons expected in each bin besides.
    """
    transmitted = np.exp(-np.asarray(integrals, np.float64)).mean(axis=-1).astype(np.float32)
    return _counted(key, transmitted, photons, background)


@jax.jit
def _counted(key: Key[Array, ""], transmitted: Float[Array, "views bins"], photons: Any, background: Any) -> Exposure:
    counts = jax.random.poisson(key, photons * transmitted + background).astype(jnp.float32)
    return Exposure.of(counts, photons, background)


def held_out_rays(key: Key[Array, ""], exposure: Exposure, share: float = 0.1) -> tuple[Exposure, Exposure]:
    """(for the fit, for the score): a share of the rays, drawn at random, is kept from the fit and scored alone."""
    out = jax.random.uniform(key, exposure.counts.shape) < share
    return exposure.weighted(exposure.weight * ~out), exposure.weighted(exposure.weight * out)


def score(
    geometry: Geometry, image: Float[ArrayLike, "*batch rows columns"], exposure: Exposure
) -> Float[Array, "*batch"]:
    """Poisson deviance per ray of an image's predictions of the weighted rays."""
    return deviance(project(geometry, image), exposure)


def hounsfield(attenuation: Any, water: float = WATER) -> Any:
    """Attenuation (1/mm) as CT numbers (HU): 1000 (mu - mu_water) / mu_water; air is -1000, water 0."""
    return 1000.0 * (attenuation - water) / water


def attenuation(hounsfield_units: Any, water: float = WATER) -> Any:
    """CT numbers (HU) as attenuation (1/mm), the inverse of `hounsfield`; below -1000 HU it is negative."""
    return water * (1.0 + hounsfield_units / 1000.0)


def _aligned(value: Array, ndim: int) -> Array:
    return value.reshape((1,) * (ndim - value.ndim) + value.shape) if value.ndim < ndim else value


def _log(value: Array) -> Array:
    """log, -inf at 0 with a derivative of 0: the fields are given, never differentiated there."""
    return jnp.where(value > 0, jnp.log(jnp.where(value > 0, value, 1.0)), -jnp.inf)
