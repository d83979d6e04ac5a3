"""Phantoms of ellipses and boxes, known in closed form: rasterized for the truth, integrated exactly for the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from actlab.systems.tomography.geometry import Geometry


@dataclass(frozen=True, eq=False)
class Phantom:
    """A sum of ellipses, and a box beneath them; lengths in units of half the field's edge, so the field is [-1, 1]^2.

    Attributes:
        name: for tables.
        ellipses: rows (value, half axis a, half axis b, centre x, centre y, angle of a in degrees); values add up.
        box: value of a square beneath that fills the field: where it is positive, attenuation is 0 nowhere.
        scale: 1/mm that a value of 1 stands for.
    """

    name: str
    ellipses: Float[np.ndarray, "ellipses 6"]
    box: float = 0.0
    scale: float = 0.02

    def image(self, geometry: Geometry, samples: int = 4) -> Float[np.ndarray, "rows columns"]:
        """The mean attenuation over each pixel, 1/mm, from samples x samples points a pixel; float64."""
        rows, columns = geometry.shape
        half = 0.5 * geometry.pixel * max(rows, columns)
        x, y = (_midpoints(n * samples, n * geometry.pixel / half) for n in (columns, rows))
        values = np.full((y.size, x.size), float(self.box))
        for value, a, b, x0, y0, degrees in self.ellipses:
            along, across = _rotated(x[None, :] - x0, y[::-1, None] - y0, np.deg2rad(degrees))
            values += value * ((along / a) ** 2 + (across / b) ** 2 <= 1.0)
        values = np.round(values, 12)  # 1 - 0.8 - 0.2 is meant to be 0
        return self.scale * values.reshape(rows, samples, columns, samples).mean(axis=(1, 3))

    def integrals(self, geometry: Geometry, subrays: int = 8) -> Float[np.ndarray, "views bins subrays"]:
        """Line integrals along subrays, evenly spaced over each bin, in closed form; dimensionless, float64."""
        half = 0.5 * geometry.pixel * max(geometry.shape)
        theta, s = rays(geometry, subrays)
        s = s / half
        total = self.box * _box_chord(theta, s)
        for value, a, b, x0, y0, degrees in self.ellipses:
            turned = theta - np.deg2rad(degrees)
            width = (a * np.cos(turned)) ** 2 + (b * np.sin(turned)) ** 2
            distance = s - x0 * np.cos(theta) - y0 * np.sin(theta)
            total = total + 2.0 * value * a * b * np.sqrt(np.maximum(width - distance**2, 0.0)) / width
        return self.scale * half * total

    def mass(self, geometry: Geometry) -> float:
        """The integral of the attenuation over the plane, mm (an integral of 1/mm over mm^2)."""
        half = 0.5 * geometry.pixel * max(geometry.shape)
        value, a, b = self.ellipses[:, :3].T
        return float(self.scale * half**2 * (np.sum(np.pi * value * a * b) + 4.0 * self.box))


def rays(geometry: Geometry, subrays: int) -> tuple[Any, Any]:
    """The rays as lines x cos(theta) + y sin(theta) = s: theta and s (mm), each of shape (views, bins, subrays)."""
    angle = np.asarray(geometry.angles, np.float64)[:, None, None]
    within = (np.arange(subrays) + 0.5) / subrays - 0.5
    bins = np.arange(geometry.bins)[:, None] + within - float(np.asarray(geometry.centre))
    s = (bins * geometry.bin_width)[None]
    if geometry.fan:
        tilt = np.arctan(s / geometry.source_to_detector)
        angle, s = angle - tilt, geometry.source_to_axis * np.sin(tilt)
    shape = np.broadcast_shapes(angle.shape, s.shape)
    return np.broadcast_to(angle, shape), np.broadcast_to(s, shape)


def _midpoints(count: int, length: float) -> Float[np.ndarray, " count"]:
    return ((np.arange(count) + 0.5) / count - 0.5) * length


def _rotated(x: Any, y: Any, angle: float) -> tuple[Any, Any]:
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _box_chord(theta: Any, s: Any) -> Any:
    """The length of the line inside [-1, 1]^2."""
    cos, sin = np.abs(np.cos(theta)), np.abs(np.sin(theta))
    wide, narrow, s = np.maximum(cos, sin), np.minimum(cos, sin), np.abs(s)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(narrow > 0, (wide + narrow - s) / (wide * narrow), np.inf)
    return np.where(s < wide + narrow, np.minimum(2.0 / wide, slope), 0.0)


def shepp_logan(scale: float = 0.02) -> Phantom:
    """The modified Shepp-Logan head: skull 1, brain 0.2, ventricles exactly 0.

    Source: Shepp & Logan 1974, IEEE Trans. Nucl. Sci. 21:21; contrasts of Toft 1996, table B.3.
    """
    rows = [
        (1.0, 0.69, 0.92, 0.0, 0.0, 0.0),
        (-0.8, 0.6624, 0.874, 0.0, -0.0184, 0.0),
        (-0.2, 0.11, 0.31, 0.22, 0.0, -18.0),
        (-0.2, 0.16, 0.41, -0.22, 0.0, 18.0),
        (0.1, 0.21, 0.25, 0.0, 0.35, 0.0),
        (0.1, 0.046, 0.046, 0.0, 0.1, 0.0),
        (0.1, 0.046, 0.046, 0.0, -0.1, 0.0),
        (0.1, 0.046, 0.023, -0.08, -0.605, 0.0),
        (0.1, 0.023, 0.023, 0.0, -0.606, 0.0),
        (0.1, 0.023, 0.046, 0.06, -0.605, 0.0),
    ]
    return Phantom("Shepp-Logan", np.array(rows), scale=scale)


def disk(radius: float, value: float = 1.0, x: float = 0.0, y: float = 0.0, scale: float = 0.02) -> Phantom:
    """One disk: its sinogram is 2 value sqrt(radius^2 - s^2)."""
    return Phantom("disk", np.array([(value, radius, radius, x, y, 0.0)]), scale=scale)


def random_ellipses(seed: int, *, box: float = 0.0, count: int = 12, scale: float = 0.02) -> Phantom:
    """Grains scattered in the field: in air (`box` 0: most pixels exactly 0), or in a bath (no pixel 0).

    Every grain lies inside the disk of radius 0.9 and adds to what is beneath. A third of them have a pore of half
    their size in the middle, in which the grain is missing and what is beneath it is left.
    """
    rng = np.random.default_rng(seed)
    rows: list[tuple[float, ...]] = []
    for k in range(count):
        a, b = rng.uniform(0.08, 0.3, 2)
        reach, turn = rng.uniform(0.0, 0.9 - max(a, b)), rng.uniform(0.0, 2 * np.pi)
        x, y, degrees = reach * np.cos(turn), reach * np.sin(turn), rng.uniform(0.0, 180.0)
        value = rng.uniform(0.2, 0.6)
        rows.append((value, a, b, x, y, degrees))
        if k % 3 == 0:  # a pore inside the grain that was just laid
            rows.append((-value, 0.5 * a, 0.5 * b, x, y, degrees))
    return Phantom("grains in a bath" if box else "grains in air", np.array(rows), box=box, scale=scale)
