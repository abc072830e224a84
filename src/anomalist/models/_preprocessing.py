"""Images as vectors for detectors without a network: deskewed, split by direction, blurred.

Vectors are rounded to multiples of 2^-b (b = 20 for 28 x 28 pixels), so that float64 holds every
product and partial sum of two vectors exactly.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

__all__ = ["batches", "deskew", "direction_planes", "grid_bits", "prepare", "round_to_grid"]

Array = NDArray[np.float32]
Wide = NDArray[np.float64]

_BATCH = 256  # rows per batch: their distances to 50,000 vectors take about 100 MB
_TINY = 1e-12  # smaller masses of an image count as 0
_FLAT = 1e-9  # smaller second moments count as mass in a single row


def prepare(
    images: Array,
    blur: float,
    deskewed: bool,
    directions: int | None = None,
) -> Array:
    """Return images as vectors: deskewed, split by direction, blurred and rounded.

    Direction planes are sampled every 2 ``blur`` pixels (at least 1), because blurring removes
    finer detail. Their values are replaced by the square roots (gradient direction features: Liu,
    Nakashima, Sako & Fujisawa, "Handwritten digit recognition: benchmarking of state-of-the-art
    techniques", Pattern Recognition 2003).

    Args:
        images: float32 ``[N, C, H, W]`` in [0, 1].
        blur: sigma of the Gaussian in pixels, 0 for none; the image is mirrored at the border.
        deskewed: whether to shear each image by :func:`deskew`.
        directions: number of planes that :func:`direction_planes` splits each channel into; None:
            no split.

    Returns:
        float32 ``[N, D]`` in [0, 1]; D = C H W without a split.
    """
    parts = []
    for rows in batches(len(images)):
        part = images[rows]
        if deskewed:
            part = deskew(part)
        if directions is not None:
            part = direction_planes(part, directions)
        if blur:
            part = np.clip(gaussian_filter(part, (0, 0, blur, blur)), 0, 1)
        if directions is not None:
            part = np.sqrt(_sampled(part, max(1, round(2 * blur))))
        vectors = part.reshape(len(part), -1)
        parts.append(round_to_grid(vectors, vectors.shape[1]))
    return np.concatenate(parts)


def direction_planes(images: Array, count: int) -> Array:
    """Split the gradient of each channel into directions that are evenly spaced on the circle.

    A gradient between two neighbouring directions u and v is a u + b v with a, b >= 0
    (parallelogram rule), and adds a and b to their planes. Gradients are central differences; the
    border pixel is repeated beyond the border.

    Args:
        images: float32 ``[N, C, H, W]`` in [0, 1].
        count: number of directions, at least 3.

    Returns:
        float32 ``[N, C count, H, W]`` in [0, 1].
    """
    n, channels, height, width = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    dy = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
    dx = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
    angles = 2 * np.pi * np.arange(count + 1) / count
    u = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    area = np.float32(math.sin(2 * np.pi / count))
    # At least 0 if the gradient is at or beyond direction k.
    across = [u[k, 0] * dy - u[k, 1] * dx for k in range(count)]
    planes = np.zeros((n, channels, count, height, width), np.float32)
    for k in range(count):
        following = (k + 1) % count
        between = (across[k] >= 0) & (across[following] < 0)
        planes[:, :, k] += np.where(between, -across[following], 0) / area
        planes[:, :, following] += np.where(between, across[k], 0) / area
    return planes.reshape(n, channels * count, height, width).clip(0, 1)


def deskew(images: Array) -> Array:
    """Shear each image along its rows so that its mixed second moment is 0.

    Pixel values, averaged over channels, are masses with the centre m. Row y is shifted by mu_xy /
    mu_yy (y - m_y) pixels with linear interpolation; beyond the border the border pixel is
    repeated. The centre of mass does not move. Images without mass, or with all mass in one row, do
    not change. (LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE
    1998, use deskewed MNIST digits.)

    Args:
        images: float32 ``[N, C, H, W]`` in [0, 1].

    Returns:
        float32 like ``images``.
    """
    height, width = images.shape[2:]
    mass = images.mean(axis=1, dtype=np.float64)
    y = np.arange(height, dtype=np.float64)
    x = np.arange(width, dtype=np.float64)
    total = np.maximum(_moment(mass, np.ones((height, width))), _TINY)
    centre_y = _moment(mass, np.repeat(y[:, None], width, 1)) / total
    centre_x = _moment(mass, np.repeat(x[None], height, 0)) / total
    dy = y - centre_y[:, None]  # [N, H]
    dx = x - centre_x[:, None]  # [N, W]
    variance = _moment(mass, np.repeat((dy**2)[:, :, None], width, 2)) / total
    covariance = _moment(mass, dy[:, :, None] * dx[:, None, :]) / total
    slope = np.where(variance > _FLAT, covariance / np.maximum(variance, _FLAT), 0)
    shift = (slope[:, None] * dy)[:, :, None]
    return _read_columns(images, np.clip(x + shift, 0, width - 1))


def batches(count: int) -> list[slice]:
    """Return the slices that divide ``count`` rows into batches."""
    return [slice(first, min(first + _BATCH, count)) for first in range(0, count, _BATCH)]


def round_to_grid(values: NDArray[np.floating[Any]], size: int) -> Array:
    """Round to multiples of 2^-b, so that float64 holds products of two vectors exactly.

    Args:
        values: vectors, or parts of them, of Euclidean length at most sqrt(``size``).
        size: number of values of the image, C H W.
    """
    scale = 2.0 ** grid_bits(size)
    rounded = np.rint(values * values.dtype.type(scale)) / scale
    return rounded.astype(np.float32)


def grid_bits(size: int) -> int:
    """Return the number of bits b of :func:`round_to_grid`.

    A squared distance is at most 4 x ``size`` and a multiple of 2^-2b, and float64 has 53 bits.
    """
    return (50 - math.ceil(math.log2(size))) // 2


def _sampled(planes: Array, step: int) -> Array:
    """Return every ``step``-th row and column, starting in the middle of the first step."""
    first_row = min(step, planes.shape[2]) // 2
    first_column = min(step, planes.shape[3]) // 2
    return planes[:, :, first_row::step, first_column::step]


def _moment(mass: Wide, weights: Wide) -> Wide:
    """Return the sum of mass times weights of each image."""
    weighted = np.ascontiguousarray(mass * weights)
    sums: Wide = weighted.reshape(len(mass), -1).sum(axis=1)
    return sums


def _read_columns(images: Array, place: Wide) -> Array:
    """Return images interpolated linearly at the column coordinates ``place`` ``[N, H, W]``."""
    width = images.shape[3]
    left = np.minimum(place.astype(np.int64), max(width - 2, 0))
    right = np.minimum(left + 1, width - 1)
    share = (place - left).astype(np.float32)[:, None]
    at_left = np.take_along_axis(images, left[:, None], axis=3)
    at_right = np.take_along_axis(images, right[:, None], axis=3)
    return at_left + share * (at_right - at_left)
