"""What a scan must know before it is reconstructed: photons per count, flat and dark fields, beam drift, the axis."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from actlab.systems.tomography.algebraic import sirt
from actlab.systems.tomography.counts import Exposure
from actlab.systems.tomography.geometry import Geometry
from actlab.systems.tomography.projector import project


class CalibrationError(ValueError):
    """Frames from which the asked-for quantity cannot be had; the message names them and the remedy."""


def photons_per_count(flats: Float[np.ndarray, "flats *bins"], darks: Float[np.ndarray, "darks *bins"]) -> float:
    """A camera's gain by photon transfer: the mean of the net light over its variance, both medians over the bins.

    Poisson light of n photons read as n / g counts has mean n / g and variance n / g^2. The brightness of each frame is
    set to that of their mean first, and the variance of the dark frames is taken off.

    Args:
        flats: frames without an object, counts; at least three.
        darks: frames with the beam off, counts; at least two.

    Raises:
        CalibrationError: too few frames, or no variance beyond that of the darks.

    Source: Janesick 2007, Photon Transfer, ch. 5.
    """
    if len(flats) < 3 or len(darks) < 2:
        raise CalibrationError(
            f"{len(flats)} flat and {len(darks)} dark frames say nothing of the noise; give three flats and two darks, "
            "or the gain itself"
        )
    flats, darks = np.asarray(flats, np.float64), np.asarray(darks, np.float64)
    light = flats - darks.mean(axis=0)
    brightness = light.reshape(len(light), -1).mean(axis=1).reshape(-1, *(1,) * (light.ndim - 1))
    variance = _typical_variance(light * brightness.mean() / brightness) - _typical_variance(darks)
    if not variance > 0:
        raise CalibrationError("flats: their variance is not above that of the darks; give the gain itself")
    return float(np.median(light.mean(axis=0)) / variance)


def _typical_variance(frames: Float[np.ndarray, "frames *bins"]) -> float:
    """The median over the bins of the frames' variance, over what that median is of a variance of 1: it is skewed."""
    from scipy.stats import chi2

    dof = len(frames) - 1
    return float(np.median(frames.var(axis=0, ddof=1)) * dof / chi2.median(dof))


def exposure_of_frames(
    frames: Float[np.ndarray, "views bins"],
    flats: Float[np.ndarray, "flats bins"],
    darks: Float[np.ndarray, "darks bins"],
    *,
    gain: float,
    air: slice | Any = None,
) -> Exposure:
    """The exposure, in photons, of one detector row's frames; the flat is the mean flat less the mean dark.

    Args:
        frames: counts.
        flats: counts without an object.
        darks: counts with the beam off.
        gain: photons per count; 1 for a counting detector.
        air: bins that no ray through the object meets: the flat of each view is scaled to its counts there, which takes
            off the drift of the beam. None: no drift.
    """
    light, dark = np.mean(flats, axis=0) - np.mean(darks, axis=0), np.mean(darks, axis=0)
    flat = np.broadcast_to(light, frames.shape)
    if air is not None:
        seen = (frames[:, air] - dark[air]).sum(axis=1) / light[air].sum()
        flat = flat * seen[:, None]
    return Exposure.of(*(jnp.asarray(gain * v, jnp.float32) for v in (frames, flat, np.broadcast_to(dark, flat.shape))))


def binned(exposure: Exposure, factor: int) -> Exposure:
    """Neighbouring bins summed: photons add up, and stay Poisson's. Bins left over at the end are dropped.

    A dead bin kills its sum.
    """
    *batch, bins = exposure.counts.shape
    shape = (*batch, bins // factor, factor)
    cut = [v[..., : bins // factor * factor].reshape(shape) for v in jax.tree.leaves(exposure)]
    counts, flat, background, weight = cut
    return Exposure(counts.sum(-1), flat.sum(-1), background.sum(-1), weight.min(-1))


def bin_gains(geometry: Geometry, exposure: Exposure, image: Float[Array, "rows columns"]) -> Float[Array, " bins"]:
    """How much brighter each bin is than its flat says: the photons counted over those that the image predicts.

    A bin that is off is off in every view, and draws a ring. The ratio is the most likely gain where the background is
    small, given the image; 1 for a bin without a weighted ray. Pure. `exposure.scaled` takes the gains off.

    Args:
        geometry: of the scan.
        exposure: of the fitted views; rays of weight 0 do not count.
        image: reconstructed from them, 1/mm.
    """
    predicted = exposure.weight * exposure.flat * jnp.exp(-project(geometry, image))
    counted = exposure.weight * (exposure.counts - exposure.background)
    total = jnp.sum(predicted, axis=0)
    return jnp.where(total > 0, jnp.sum(counted, axis=0) / jnp.where(total > 0, total, 1.0), 1.0)


def centre_by_mass(geometry: Geometry, integrals: Float[Array, "views bins"]) -> Float[Array, ""]:
    """The bin where the axis is seen, from the centres of mass of the views: a sine about it. Parallel beams only.

    Exact where every view sees the whole object, over half a turn or more; the least-squares fit of
    centre + a cos t + b sin t.

    Raises:
        CalibrationError: a fan beam.

    Source: the first-order Helgason-Ludwig condition; Azevedo et al. 1990, IEEE Trans. Nucl. Sci. 37:1525.
    """
    if geometry.fan:
        raise CalibrationError("centre_by_mass: a fan magnifies and moves no sine; use centre_by_consistency")
    bins, angles = jnp.arange(geometry.bins, dtype=integrals.dtype), jnp.asarray(geometry.angles, integrals.dtype)
    masses = integrals @ bins / jnp.sum(integrals, axis=-1)
    return jnp.linalg.lstsq(jnp.stack([jnp.ones_like(angles), jnp.cos(angles), jnp.sin(angles)], 1), masses)[0][0]


def centre_by_consistency(
    geometry: Geometry, integrals: Float[Array, "views bins"], *, around: Any, reach: float = 4.0, steps: int = 15
) -> Float[Array, ""]:
    """The bin where the axis is seen: that with which a few SIRT steps explain the data best. Any beam, any object.

    Args:
        geometry: of the scan; its own centre is not used.
        integrals: line integrals.
        around: a bin to search about, such as the middle of the detector.
        reach: how far to both sides, bins.
        steps: of SIRT.

    Returns:
        The lowest point of a parabola through the best of nine candidates and its neighbours, on three grids, each four
        times finer than the one before.
    """

    def misfit(centre: Array) -> Array:
        moved = replace(geometry, centre=centre)
        image, _ = sirt(moved, integrals, steps)
        return jnp.mean(jnp.square(integrals - project(moved, image)))

    lags = jnp.arange(-4, 5, dtype=integrals.dtype)

    def finer(middle: Array, spacing: Array) -> tuple[Array, None]:
        losses = jax.lax.map(misfit, middle + spacing * lags)
        best = jnp.clip(jnp.argmin(losses), 1, lags.size - 2)
        before, at, after = losses[best - 1], losses[best], losses[best + 1]
        bend = before - 2.0 * at + after
        shift = jnp.clip(jnp.where(bend > 0, 0.5 * (before - after) / jnp.where(bend > 0, bend, 1.0), 0.0), -1.0, 1.0)
        return middle + spacing * (lags[best] + shift), None

    spacings = reach / 4.0 * jnp.asarray([1.0, 0.25, 0.0625], integrals.dtype)
    return jax.lax.scan(finer, jnp.asarray(around, integrals.dtype), spacings)[0]
