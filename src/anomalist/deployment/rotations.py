"""Rotated copies of a few training images, where the content has no fixed orientation."""

from __future__ import annotations

import numpy as np
import scipy  # submodules are loaded on first access
from numpy.typing import NDArray

__all__ = ["has_no_orientation", "with_rotations"]

_SIDE = 16  # images are compared at this size
_MARGIN = 0.1  # of correlation, by which aligned images must agree more than rotated ones


def with_rotations(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return images with their copies rotated by 90, 180 and 270 degrees; 180 if not square.

    Args:
        images: float32 ``[N, C, H, W]``.

    Returns:
        float32 ``[4 N, C, H, W]``, or ``[2 N, C, H, W]``.
    """
    turns = (0, 1, 2, 3) if images.shape[2] == images.shape[3] else (0, 2)
    return np.concatenate([np.rot90(images, turn, (2, 3)) for turn in turns])


def has_no_orientation(images: NDArray[np.float32]) -> bool:
    """Return whether images agree as well with rotated ones as with each other.

    Small grey copies are correlated: each pair as it is, and with the second image rotated by 180
    degrees. Objects in a fixed position correlate more when they are not rotated. Textures, and
    objects in arbitrary orientations, do not.

    Args:
        images: float32 ``[N, C, H, W]`` in [0, 1], N at least 2.
    """
    grey = images.mean(axis=1)
    factors = (1, _SIDE / grey.shape[1], _SIDE / grey.shape[2])
    small = scipy.ndimage.zoom(grey, factors, order=1, grid_mode=True, mode="nearest")
    turned = np.rot90(small, 2, (1, 2))
    one = _standardised(small)
    other = _standardised(turned)
    apart = ~np.eye(len(images), dtype=np.bool_)
    upright = (one @ one.T)[apart].mean()
    rotated = (one @ other.T)[apart].mean()
    return bool(upright - rotated < _MARGIN)


def _standardised(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return images as vectors of mean 0 and length 1."""
    vectors = images.reshape(len(images), -1)
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: NDArray[np.float32] = vectors / np.maximum(lengths, 1e-6)
    return result
