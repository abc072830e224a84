"""Features and anomaly map from the residuals of restorations at several noise levels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

from anomalist.heatmaps import aggregate

__all__ = ["features", "pixel_map", "tally"]

Array = NDArray[np.float32]

# Sigmas of Gaussians, in pixels.
_NEAR = 1.0
_FAR = 2.0
_SIDE = 7  # of the windows, in pixels
_BINS = 20  # bins of the restored value
_LEAST_SIZE = np.float32(0.01)  # added to the expected size
_LEAST = np.float32(1e-9)  # added to squared errors


def features(residuals: Array) -> Array:
    """Return the features of images, float32 ``[n, levels x 5]``.

    Each level has five features: the logarithm of the mean squared residual, of the mean of its
    highest 1 %, and of the highest squared blurred size; and the sums of the residuals over the 7 x
    7 windows where the restoration adds most (as in a hole) and removes most.

    Args:
        residuals: restored images minus images, float32 ``[n, levels, C, H, W]``.
    """
    n, levels, _, h, w = residuals.shape
    squares = (residuals**2).mean(axis=2)
    highest = aggregate(squares.reshape(n * levels, h, w), "top_1_percent").reshape(n, levels)
    size = _blurred(np.abs(residuals).mean(axis=2), _NEAR).max(axis=(2, 3))
    added = uniform_filter(residuals.mean(axis=2), (0, 0, _SIDE, _SIDE), mode="constant") * _SIDE**2
    logs = [np.log(part + _LEAST) for part in (squares.mean(axis=(2, 3)), highest, size**2)]
    return np.concatenate([*logs, added.max(axis=(2, 3)), -added.min(axis=(2, 3))], axis=1)


def tally(restored: Array, residuals: Array) -> NDArray[np.float64]:
    """Return counts and sums of absolute residuals by restored value, ``[2, levels, bins]``.

    The expected residual depends on the restored value: it is small in the background and large at
    the edges of strokes.

    Args:
        restored: float32 ``[n, levels, C, H, W]``, in [0, 1] up to errors.
        residuals: restored images minus images.
    """
    levels = restored.shape[1]
    index = (_bins(restored) + _levels(levels) * (_BINS + 1)).ravel()
    tallies = [
        np.bincount(index, part, levels * (_BINS + 1)) for part in (None, np.abs(residuals).ravel())
    ]
    return np.stack(tallies).astype(np.float64).reshape(2, levels, -1)


def pixel_map(
    restored: Array,
    residuals: Array,
    tallied: NDArray[np.float64],
) -> Array:
    """Return ``|r| |G r|``, averaged over levels, for relative residuals r, ``[n, H, W]``.

    G is a Gaussian blur of sigma 2 pixels. An error counts more if neighbouring errors have the
    same sign, as in a hole.

    Args:
        restored: float32 ``[n, levels, C, H, W]``.
        residuals: restored images minus images.
        tallied: the result of :func:`tally` for normal images, or its sum over several calls.
    """
    counts, sums = tallied
    expected = (sums / np.maximum(counts, 1)).astype(np.float32) + _LEAST_SIZE
    relative = residuals / expected[_levels(len(expected)), _bins(restored)]
    around = np.abs(_blurred(relative.mean(axis=2), _FAR))
    result: Array = (np.abs(relative).mean(axis=2) * around).mean(axis=1)
    return result


def _levels(count: int) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = np.arange(count)[:, None, None, None]
    return numbers


def _bins(restored: Array) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = np.rint(restored.clip(0, 1) * _BINS).astype(np.int64)
    return numbers


def _blurred(maps: Array, sigma: float) -> Array:
    result: Array = gaussian_filter(maps, (0, 0, sigma, sigma), mode="constant")
    return result
