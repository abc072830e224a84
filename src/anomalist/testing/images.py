"""Small images for the contracts, made from a seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["blobs", "noise"]


def blobs(
    count: int,
    shape: tuple[int, int, int] = (1, 12, 12),
    seed: int = 0,
) -> NDArray[np.float32]:
    """Return images of one soft bright blob each, near the middle.

    Args:
        count: number of images.
        shape: C, H, W.
        seed: seed of the positions and sizes.

    Returns:
        float32 ``[count, C, H, W]`` in [0, 1].
    """
    random = np.random.default_rng(seed)
    channels, height, width = shape
    y, x = np.mgrid[:height, :width]
    centre = random.uniform(-1.5, 1.5, (count, 2)) + np.array([height / 2, width / 2])
    away = (y - centre[:, 0, None, None]) ** 2 + (x - centre[:, 1, None, None]) ** 2
    image = np.exp(-away / random.uniform(3, 8, (count, 1, 1)))
    return np.repeat(image[:, None], channels, axis=1).astype(np.float32)


def noise(
    count: int,
    shape: tuple[int, int, int] = (1, 17, 23),
    seed: int = 0,
) -> NDArray[np.float32]:
    """Return images with all kinds of values, among them exactly 0 and 1.

    Args:
        count: number of images.
        shape: C, H, W.
        seed: seed of the values.

    Returns:
        float32 ``[count, C, H, W]`` in [0, 1].
    """
    random = np.random.default_rng(seed)
    values = random.random((count, *shape), dtype=np.float32) * 1.4 - 0.2
    clipped: NDArray[np.float32] = np.clip(values, 0, 1)
    return clipped
