"""The projector and its exact adjoint: distance-driven, both operators gathers that share one coefficient.

For each view the image is cut into rows (columns where the rays run rather along rows). A pixel of a row throws its
edges on the detector; what a bin sees of it is the overlap of that shadow with the bin. `project` gathers, for each bin
and row, the few pixels under the bin; `backproject`, for each pixel, the few bins under the pixel. Neither scatters, no
matrix is stored: memory is that of the image and the sinogram, and the temporaries of one view.

Source: De Man & Basu 2004, Phys. Med. Biol. 49:2463 (distance-driven projection).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from actlab.systems.tomography.geometry import Geometry
from actlab.systems.tomography.linear_pair import linear_pair


def project(geometry: Geometry, image: Float[ArrayLike, "*batch rows columns"]) -> Float[Array, "*batch views bins"]:
    """A x: the mean over each bin of the line integrals through the image.

    Args:
        geometry: of the scan.
        image: attenuation, 1/mm; leading axes are a batch.

    Returns:
        Line integrals, dimensionless, in the dtype of the image. Linear in the image with `backproject` as its
        transpose, in every order of differentiation; differentiable in `geometry.angles` and `geometry.centre`.

    Raises:
        ValueError: the image has another shape than the geometry says.
        TypeError: the image is not floating.
    """
    return _PAIR.forward(geometry, _checked(image, geometry.shape, "image"))


def backproject(
    geometry: Geometry, sinogram: Float[ArrayLike, "*batch views bins"]
) -> Float[Array, "*batch rows columns"]:
    """A' y: the transpose of `project`, with its very coefficients (no filter, no weights).

    Args:
        geometry: of the scan.
        sinogram: leading axes are a batch.

    Returns:
        The image, in the dtype of the sinogram.

    Raises:
        ValueError: the sinogram has another shape than the geometry says.
        TypeError: the sinogram is not floating.
    """
    return _PAIR.adjoint(geometry, _checked(sinogram, geometry.sinogram_shape, "sinogram"))


class _View:
    """One view, turned so that the rays run across the rows: positions q along a row, z across the rows, in mm.

    Detector coordinates u are in bins, counted so that bin j reaches from j - 1/2 to j + 1/2.
    """

    def __init__(self, geometry: Geometry, angle: Array, centre: Array):
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        self.turned = jnp.abs(cos) < jnp.abs(sin)  # rays run rather along the rows: take columns instead
        self.cos, self.sin = jnp.where(self.turned, sin, cos), jnp.where(self.turned, cos, sin)
        self.side = jnp.where(self.turned, -1.0, 1.0).astype(angle.dtype)
        self.sign = jnp.where(self.cos >= 0, 1.0, -1.0).astype(angle.dtype)
        self.geometry, self.centre = geometry, centre
        rows, columns = geometry.shape
        self.along, self.across = jnp.where(self.turned, rows, columns), jnp.where(self.turned, columns, rows)

    def position(self, index: Array) -> Array:
        """The position q of a pixel coordinate along the row."""
        return (index - (self.along - 1) / 2) * self.geometry.pixel

    def height(self, count: int, dtype: Any) -> Array:
        """The position z of every row."""
        return (jnp.arange(count, dtype=dtype) - (self.across - 1) / 2) * self.geometry.pixel

    def shadow(self, q: Array, z: Array) -> Array:
        """The detector coordinate that the point (q, z) is seen at."""
        g = self.geometry
        s = q * self.cos + z * self.sin
        if g.fan:
            s = g.source_to_detector * s / (g.source_to_axis + self.side * (z * self.cos - q * self.sin))
        return s / g.bin_width + self.centre

    def crossing(self, u: Array, z: Array) -> Array:
        """The pixel coordinate where the ray to detector coordinate u crosses the row at z: the inverse of `shadow`."""
        g = self.geometry
        s = (u - self.centre) * g.bin_width
        if g.fan:
            q = s * (g.source_to_axis + self.side * z * self.cos) - g.source_to_detector * self.sin * z
            q = q / (g.source_to_detector * self.cos + self.side * s * self.sin)
        else:
            q = (s - z * self.sin) / self.cos
        return q / g.pixel + (self.along - 1) / 2

    def path(self, dtype: Any) -> Float[Array, " bins"]:
        """The length, mm, that the ray of each bin runs inside one row."""
        g = self.geometry
        if not g.fan:
            return jnp.full(g.bins, g.pixel, dtype) / jnp.abs(self.cos)
        s = (jnp.arange(g.bins, dtype=dtype) - self.centre) * g.bin_width
        run = jnp.abs(g.source_to_detector * self.cos + self.side * s * self.sin)
        return g.pixel * jnp.sqrt(jnp.square(s) + g.source_to_detector**2) / run


def _overlap(lower: Array, upper: Array) -> Array:
    """The part of the bin from -1/2 to 1/2 that lies between: the one coefficient of both operators."""
    return jnp.clip(upper, -0.5, 0.5) - jnp.clip(lower, -0.5, 0.5)


def _project(geometry: Geometry, image: Float[Array, "rows columns"]) -> Float[Array, "views bins"]:
    dtype, taps = image.dtype, geometry.pixels_per_bin
    edge = max(geometry.shape)
    up = image[::-1]  # rows upward, as y is
    planes = jnp.stack([_framed(up, edge, taps), _framed(up.T, edge, taps)]).reshape(2, -1)
    bins = jnp.arange(geometry.bins, dtype=dtype)[None, :]
    starts = (jnp.arange(edge, dtype=jnp.int32) * (edge + 2 * taps))[:, None]
    angles, centre = _leaves(geometry, dtype)

    def holders(angle: Array) -> Array:
        """The pixel of each row that holds each bin's lower edge."""
        view = _View(geometry, angle, centre)
        return _cell(view.crossing(bins - 0.5 * view.sign, view.height(edge, dtype)[:, None]), -taps, edge)

    def one_view(held: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
        angle, following = inputs
        view = _View(geometry, angle, centre)
        pixels = planes[view.turned.astype(jnp.int32)]
        z = view.height(edge, dtype)[:, None]
        first, index = held.astype(dtype), starts + held + taps
        edges = [view.sign * (view.shadow(view.position(first + (k - 0.5)), z) - bins) for k in range(taps + 1)]
        terms = [_overlap(edges[k], edges[k + 1]) * _gather(pixels, index + k) for k in range(taps)]
        seen = jnp.ones(edge, dtype) @ sum(terms[1:], terms[0])  # a sum over rows, as fast as XLA has one
        return holders(following), view.path(dtype) * seen

    return jax.lax.scan(one_view, holders(angles[0]), (angles, jnp.roll(angles, -1)))[1]


def _backproject(geometry: Geometry, sinogram: Float[Array, "views bins"]) -> Float[Array, "rows columns"]:
    dtype, taps = sinogram.dtype, geometry.bins_per_pixel
    edge = max(geometry.shape)
    padded = jnp.pad(sinogram, ((0, 0), (taps, taps)))
    pixels = jnp.arange(edge, dtype=dtype)[None, :]
    angles, centre = _leaves(geometry, dtype)

    def holders(angle: Array) -> Array:
        """The bin that holds the lower edge of each pixel's shadow."""
        view = _View(geometry, angle, centre)
        z = view.height(edge, dtype)[:, None]
        return _cell(view.shadow(view.position(pixels - 0.5 * view.sign), z), -taps, geometry.bins)

    def one_view(carry: tuple[Array, Array], inputs: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], None]:
        (planes, held), (angle, following, measured) = carry, inputs
        view = _View(geometry, angle, centre)
        weighted = measured * jnp.pad(view.path(dtype), taps)
        z = view.height(edge, dtype)[:, None]
        half = 0.5 * view.sign
        lower, upper = (view.shadow(view.position(pixels + h), z) for h in (-half, half))
        first, index = held.astype(dtype), held + taps
        lower, upper = lower - first, upper - first
        terms = [_overlap(lower - k, upper - k) * _gather(weighted, index + k) for k in range(taps)]
        planes = planes.at[view.turned.astype(jnp.int32)].add(sum(terms[1:], terms[0]))
        return (planes, holders(following)), None

    start = jnp.zeros((2, edge, edge), dtype), holders(angles[0])
    (planes, _), _ = jax.lax.scan(one_view, start, (angles, jnp.roll(angles, -1), padded))
    rows, columns = geometry.shape
    return (planes[0, :rows, :columns] + planes[1, :columns, :rows].T)[::-1]


def _cell(place: Array, least: int, most: int) -> Array:
    """The cell, as a number, that holds a place; cell j reaches from j - 1/2 to j + 1/2.

    A view's cells are found while the view before it is summed, and carried over: a number in a carry is one number.
    Found where they are used, XLA may compute them twice, once for the index and once for the overlap, and at a place
    on the border of two cells round to one and to the other.
    """
    return jnp.clip(jnp.floor(place + 0.5), least, most).astype(jnp.int32)


def _framed(image: Array, edge: int, taps: int) -> Array:
    """The image in the corner of a square, with room on both sides of every row for pixels that are not there."""
    rows, columns = image.shape
    return jnp.pad(image, ((0, edge - rows), (taps, edge - columns + taps)))


def _gather(values: Float[Array, " n"], index: Array) -> Array:
    return values.at[index].get(mode="promise_in_bounds")


def _leaves(geometry: Geometry, dtype: Any) -> tuple[Array, Array]:
    return jnp.asarray(geometry.angles, dtype), jnp.asarray(geometry.centre, dtype)


def _checked(values: Any, shape: tuple[int, int], name: str) -> Array:
    values = jnp.asarray(values)
    if values.shape[-2:] != shape:
        raise ValueError(f"{name} has the shape {values.shape}; the geometry wants (..., {shape[0]}, {shape[1]})")
    if not jnp.issubdtype(values.dtype, jnp.floating):
        raise TypeError(f"{name} has dtype {values.dtype}; convert it first: astype(numpy.float32)")
    return values


def _forward_shape(geometry: Geometry) -> tuple[int, int]:
    return geometry.sinogram_shape


def _adjoint_shape(geometry: Geometry) -> tuple[int, int]:
    return geometry.shape


_PAIR = linear_pair("tomography", (_project, _forward_shape), (_backproject, _adjoint_shape))


def dense_matrix(geometry: Geometry) -> Float[np.ndarray, "rays pixels"]:
    """A as a matrix, rays and pixels in C order: for small cases and tests."""
    rows, columns = geometry.shape
    basis = jnp.eye(rows * columns).reshape(-1, rows, columns)
    return np.asarray(project(geometry, basis)).reshape(rows * columns, -1).T
