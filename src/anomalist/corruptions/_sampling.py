"""Helpers shared by corruptions: cut and paste patches, interpolate between pixels."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

__all__ = ["bell", "cut", "order", "pick", "put", "replace_around", "sample", "soften"]


def bell(distance: NDArray[np.float32], sigma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weights of a Gaussian kernel that reaches 0 at three standard deviations.

    Args:
        distance: distances of the kernel's points on one side of its centre, ``[k]`` or ``[n, k]``,
            above 0.
        sigma: standard deviation ``[n, 1]``, in the same unit.

    Returns:
        the weights on one side, float32 ``[n, k]``; the weights of both sides and the centre sum to
        1.
    """
    edge = np.float32(np.exp(-4.5))
    weights: NDArray[np.float32] = np.maximum(
        np.exp(np.float32(-0.5) * np.square(distance / sigma)) - edge, 0
    )
    weights /= 2 * weights.sum(axis=1, keepdims=True) + (1 - edge)
    return weights


def order(draws: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the stable argsort ``[n, k]`` of each row's draws in [0, 1).

    It is several times as fast as NumPy's: draws are multiples of 2^-24, so a draw and its position
    fit into one integer.
    """
    keys = (draws * np.float32(2**24)).astype(np.uint64)
    keys <<= np.uint64(32)
    keys |= np.arange(draws.shape[1], dtype=np.uint64)
    keys.sort(axis=1)
    keys &= np.uint64(2**32 - 1)
    return keys.view(np.int64)


def pick(draw: NDArray[np.float32], count: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """Return an integer in 0..count-1 for each draw in [0, 1), all equally likely."""
    # In float64, since float32 could round up to count.
    return (draw.astype(np.float64) * count).astype(np.int64)


def cut(
    images: NDArray[np.float32],
    top: NDArray[np.int64],
    left: NDArray[np.int64],
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """Return a copy of each image's patch ``[n, C, *size]`` with the corner ``top``, ``left``."""
    windows = sliding_window_view(images, size, axis=(2, 3))
    patches: NDArray[np.float32] = windows[np.arange(len(images)), :, top, left]
    return patches


def put(
    images: NDArray[np.float32],
    top: NDArray[np.int64],
    left: NDArray[np.int64],
    patches: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return a copy of the images with a patch ``[n, C, h, w]`` at ``top``, ``left`` of each."""
    out = images.copy()
    windows = sliding_window_view(out, patches.shape[2:], axis=(2, 3), writeable=True)
    windows[np.arange(len(images)), :, top, left] = patches
    return out


def sample(
    images: NDArray[np.float32],
    y: NDArray[np.float32],
    x: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Interpolate each image bilinearly; positions beyond the border read the nearest pixel.

    Args:
        images: float32 ``[n, C, H, W]``.
        y: row coordinates ``[n, h, w]``; 0 is the centre of the first row.
        x: column coordinates, likewise.

    Returns:
        float32 ``[n, C, h, w]``. Where all neighbours are equal, the result is exactly their value.
    """
    n, channels, height, width = images.shape
    y = np.clip(y, 0, height - 1)
    x = np.clip(x, 0, width - 1)
    row = y.astype(np.int32)
    column = x.astype(np.int32)
    below = (row < height - 1) * np.int32(width)
    right = (column < width - 1).astype(np.int32)
    start = np.arange(n * channels, dtype=np.int64).reshape(n, channels, 1, 1) * (height * width)
    corner = start + (row * np.int32(width) + column)[:, None]
    flat = images.reshape(-1)
    beside = corner + right[:, None]
    under = corner + below[:, None]
    down = (y - row.astype(np.float32))[:, None]
    across = (x - column.astype(np.float32))[:, None]
    upper: NDArray[np.float32] = flat[corner]
    lower: NDArray[np.float32] = flat[under]
    upper += across * (flat[beside] - upper)
    lower += across * (flat[under + right[:, None]] - lower)
    lower -= upper
    lower *= down
    lower += upper
    return lower


def soften(
    images: NDArray[np.float32],
    cover: NDArray[np.float32],
    target: NDArray[np.float32] | np.float32,
) -> NDArray[np.float32]:
    """Return ``images`` blended with ``target``, clipped to [0, 1]; ``cover`` is the opacity."""
    mixed: NDArray[np.float32] = target - images
    mixed *= cover
    mixed += images
    np.clip(mixed, 0, 1, out=mixed)
    return mixed


def replace_around(
    images: NDArray[np.float32],
    middle: NDArray[np.int64],
    cover: NDArray[np.float32],
    y: NDArray[np.float32],
    x: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return a copy in which pixels around each image's ``middle`` are resampled from elsewhere.

    Args:
        images: float32 ``[n, C, H, W]``.
        middle: row and column ``[n, 2]`` of the centre of a square of side 2 k + 1, which may
            extend beyond the border.
        cover: ``[n or 1, 2 k + 1, 2 k + 1]``, opacity of the new values, 0 to 1.
        y: row coordinates ``[n, 2 k + 1, 2 k + 1]`` of the new values, as for :func:`sample`.
        x: column coordinates, likewise.
    """
    h, w = images.shape[2:]
    away = y.shape[1] // 2
    framed = np.pad(images, ((0, 0), (0, 0), (away, away), (away, away)))
    windows = sliding_window_view(framed, y.shape[1:], axis=(2, 3), writeable=True)
    place = (np.arange(len(images)), slice(None), middle[:, 0], middle[:, 1])
    windows[place] = soften(windows[place], cover[:, None], sample(images, y, x))
    return framed[:, :, away : away + h, away : away + w]
