"""Images as vectors, as the detectors without a network see them: deskewed, in directions, blurred.

Vectors are rounded to multiples of 2^-b (b = 20 for 28 x 28 pixels), so fine that float64 holds
every product and partial sum of two of them exactly.
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

_BATCH = 256  # rows at once: keeps a batch's distances to 50,000 vectors near 100 MB
_TINY = 1e-12  # mass of an image that counts as none
_FLAT = 1e-9  # second moment of an image whose mass lies in one row


def prepare(
    images: Array,
    blur: float,
    deskewed: bool,
    directions: int | None = None,
) -> Array:
    """Return images as vectors: deskewed, split by direction, blurred and rounded.

    Split planes are sampled every 2 ``blur`` pixels, at least every pixel, since no more is left in
    them; the square root is taken of their values (Liu, Nakashima, Sako & Fujisawa, "Handwritten
    digit recognition: benchmarking of state-of-the-art techniques", Pattern Recognition 2003:
    direction features of the gradient).

    Args:
        images: float32 ``[N, C, H, W]`` in [0, 1].
        blur: sigma of the Gaussian in pixels, 0 for none; beyond the border the image is mirrored.
        deskewed: whether to shear each image by :func:`deskew`.
        directions: planes that each channel is split into by :func:`direction_planes`; None: not
            split.

    Returns:
        float32 ``[N, D]`` in [0, 1], D = C H W unless split.
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
    """Split the gradient of each channel among directions, evenly around the circle.

    A gradient between two neighbouring directions u and v is a u + b v with a, b >= 0 (the
    parallelogram's sides), and adds a and b to their planes. Gradients are half the difference of
    the neighbours on both sides, beyond the border the border pixel again.

    Args:
        images: float32 ``[N, C, H, W]`` in [0, 1].
        count: directions, at least 3.

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
    # At or above 0: at or beyond direction k.
    across = [u[k, 0] * dy - u[k, 1] * dx for k in range(count)]
    planes = np.zeros((n, channels, count, height, width), np.float32)
    for k in range(count):
        following = (k + 1) % count
        between = (across[k] >= 0) & (across[following] < 0)
        planes[:, :, k] += np.where(between, -across[following], 0) / area
        planes[:, :, following] += np.where(between, across[k], 0) / area
    return planes.reshape(n, channels * count, height, width).clip(0, 1)


def deskew(images: Array) -> Array:
    """Shear each image along its rows until its second moments have no skew.

    With values as masses, averaged over channels, and m the centre of mass, row y is shifted by
    mu_xy / mu_yy (y - m_y) pixels, read between pixels linearly and beyond the border from the
    border. The centre of mass stays. An image without mass, or with all of it in one row, stays as
    it is. (LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE
    1998, use such images of MNIST's digits.)

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
    """Return the slices that cut ``count`` rows into batches."""
    return [slice(first, min(first + _BATCH, count)) for first in range(0, count, _BATCH)]


def round_to_grid(values: NDArray[np.floating[Any]], size: int) -> Array:
    """Round to multiples of 2^-b, where float64 holds products of two vectors exactly.

    Args:
        values: vectors, or parts of them, of Euclidean length at most sqrt(``size``).
        size: values in the image, C H W.
    """
    scale = 2.0 ** grid_bits(size)
    rounded = np.rint(values * values.dtype.type(scale)) / scale
    return rounded.astype(np.float32)


def grid_bits(size: int) -> int:
    """Return b.

    A squared distance is at most 4 x ``size`` and a multiple of 2^-2b, and float64 has 53 bits.
    """
    return (50 - math.ceil(math.log2(size))) // 2


def _sampled(planes: Array, step: int) -> Array:
    """Return every ``step``-th row and column, from the middle of the first step on."""
    first_row = min(step, planes.shape[2]) // 2
    first_column = min(step, planes.shape[3]) // 2
    return planes[:, :, first_row::step, first_column::step]


def _moment(mass: Wide, weights: Wide) -> Wide:
    """Return the sum of mass times weights of each image."""
    weighted = np.ascontiguousarray(mass * weights)
    sums: Wide = weighted.reshape(len(mass), -1).sum(axis=1)
    return sums


def _read_columns(images: Array, place: Wide) -> Array:
    """Return images read at columns between pixels, ``place`` ``[N, H, W]``, linearly."""
    width = images.shape[3]
    left = np.minimum(place.astype(np.int64), max(width - 2, 0))
    right = np.minimum(left + 1, width - 1)
    share = (place - left).astype(np.float32)[:, None]
    at_left = np.take_along_axis(images, left[:, None], axis=3)
    at_right = np.take_along_axis(images, right[:, None], axis=3)
    return at_left + share * (at_right - at_left)
