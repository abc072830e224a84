"""Preparation: images as vectors, as the detectors without a network see them: deskewed, in directions, blurred.

Vectors are rounded to multiples of 2^-b (b = 20 for 28 x 28 pixels), so fine that float64 holds
every product and partial sum of two of them exactly.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

__all__ = ["batches", "direction_planes", "prepare", "snap", "snap_bits", "straighten"]

_BATCH = 256  # rows at once: keeps a batch's distances to 50,000 vectors near 100 MB


def prepare(
    images: NDArray[np.float32], blur: float, deskew: bool, directions: int | None = None
) -> NDArray[np.float32]:
    """Return images as vectors: deskewed, split by direction, blurred, then rounded to where products are exact.

    Split planes are sampled every 2 ``blur`` pixels, at least every pixel, since no more is left in
    them; the square root is taken of their values (Liu, Nakashima, Sako & Fujisawa, "Handwritten
    digit recognition: benchmarking of state-of-the-art techniques", Pattern Recognition 2003:
    direction features of the gradient).

    Args:
        images: float32 ``[N, C, H, W]`` in [0, 1].
        blur: sigma of the Gaussian in pixels, 0 for none; beyond the border the image is mirrored.
        deskew: whether to shear each image by :func:`straighten`.
        directions: planes that each channel is split into by :func:`direction_planes`; None: not
            split.

    Returns:
        float32 ``[N, D]`` in [0, 1], D = C H W unless split.
    """
    parts = []
    for rows in batches(len(images)):
        part = images[rows]
        if deskew:
            part = straighten(part)
        if directions is not None:
            part = direction_planes(part, directions)
        if blur:
            part = np.clip(gaussian_filter(part, (0, 0, blur, blur)), 0, 1)
        if directions is not None:
            step = max(1, round(2 * blur))
            first_row, first_column = (min(step, side) // 2 for side in part.shape[2:])
            part = np.sqrt(part[:, :, first_row::step, first_column::step])
        part = part.reshape(len(part), -1)
        parts.append(snap(part, part.shape[1]))
    return np.concatenate(parts)


def direction_planes(images: NDArray[np.float32], count: int) -> NDArray[np.float32]:
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
    n, c, h, w = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    dy = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
    dx = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
    angles = 2 * np.pi * np.arange(count + 1) / count
    u = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    area = np.float32(math.sin(2 * np.pi / count))
    planes = np.zeros((n, c, count, h, w), np.float32)
    across = [
        u[k, 0] * dy - u[k, 1] * dx for k in range(count)
    ]  # at or above 0: at or beyond direction k
    for k in range(count):
        following = (k + 1) % count
        between = (across[k] >= 0) & (across[following] < 0)
        planes[:, :, k] += np.where(between, -across[following], 0) / area
        planes[:, :, following] += np.where(between, across[k], 0) / area
    return planes.reshape(n, c * count, h, w).clip(0, 1)


def straighten(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shear each image along its rows until its second moments have no skew: "deskewing", as of MNIST's digits.

    With values as masses, averaged over channels, and m the centre of mass, row y is shifted by
    mu_xy / mu_yy (y - m_y) pixels, read between pixels linearly and beyond the border from the
    border. The centre of mass stays. An image without mass, or with all of it in one row, stays as
    it is. (LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE
    1998, use such images.)

    Args:
        images: float32 ``[N, C, H, W]`` in [0, 1].

    Returns:
        float32 like ``images``.
    """
    n, _, h, w = images.shape
    mass = images.mean(axis=1, dtype=np.float64)
    y, x = np.arange(h, dtype=np.float64), np.arange(w, dtype=np.float64)

    def moment(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        sums: NDArray[np.float64] = np.ascontiguousarray(mass * weights).reshape(n, -1).sum(axis=1)
        return sums

    total = np.maximum(moment(np.ones((h, w))), 1e-12)
    centre_y = moment(np.repeat(y[:, None], w, 1)) / total
    centre_x = moment(np.repeat(x[None], h, 0)) / total
    dy, dx = y - centre_y[:, None], x - centre_x[:, None]  # [N, H], [N, W]
    variance = moment(np.repeat((dy**2)[:, :, None], w, 2)) / total
    covariance = moment(dy[:, :, None] * dx[:, None, :]) / total
    slope = np.where(variance > 1e-9, covariance / np.maximum(variance, 1e-9), 0)
    place = np.clip(
        x + (slope[:, None] * dy)[:, :, None], 0, w - 1
    )  # where each pixel comes from, [N, H, W]
    left = np.minimum(place.astype(np.int64), max(w - 2, 0))
    share = (place - left).astype(np.float32)[:, None]
    right = np.minimum(left + 1, w - 1)
    at_left = np.take_along_axis(images, left[:, None], axis=3)
    at_right = np.take_along_axis(images, right[:, None], axis=3)
    return at_left + share * (at_right - at_left)


def batches(count: int) -> list[slice]:
    """Return the slices that cut ``count`` rows into batches."""
    return [slice(first, min(first + _BATCH, count)) for first in range(0, count, _BATCH)]


def snap(values: NDArray[np.floating[Any]], size: int) -> NDArray[np.float32]:
    """Round to multiples of 2^-b, where float64 holds products of two vectors exactly.

    Args:
        values: vectors, or parts of them, of Euclidean length at most sqrt(``size``).
        size: values in the image, C H W.
    """
    scale = 2.0 ** snap_bits(size)
    return (np.rint(values * values.dtype.type(scale)) / scale).astype(np.float32)


def snap_bits(size: int) -> int:
    """Return b: a squared distance is at most 4 x ``size`` and a multiple of 2^-2b, and float64 has 53 bits."""
    return (50 - math.ceil(math.log2(size))) // 2
