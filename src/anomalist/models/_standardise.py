"""Standardise scores by the mean and standard deviation of held-out normal images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalist.core.randomness import generator

__all__ = ["Standard", "hold_out"]

_MIN_RELATIVE_SPREAD = 1e-6


@dataclass(frozen=True)
class Standard:
    """Mean, standard deviation and maximum of held-out normal scores.

    If the scores do not vary (a single image, or a constant score), the scale is the absolute value
    of their mean, or 1 if that is 0.

    Attributes:
        mean: mean of the scores.
        scale: their standard deviation.
        highest: the highest score, standardised.
    """

    mean: float
    scale: float
    highest: float = math.inf

    @classmethod
    def of(cls, normal: NDArray[Any]) -> Self:
        """Return the statistics of normal scores of any shape."""
        mean = float(normal.mean(dtype=np.float64))
        scale = float(normal.std(dtype=np.float64))
        if scale <= _MIN_RELATIVE_SPREAD * abs(mean):
            scale = abs(mean) or 1.0
        return cls(mean, scale, (float(normal.max()) - mean) / scale)

    def __call__(self, scores: NDArray[Any]) -> NDArray[np.float64]:
        """Return (scores - mean) / scale, float64."""
        return (scores.astype(np.float64) - self.mean) / self.scale


def hold_out(
    images: NDArray[np.float32],
    share: float,
    seed: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the images for training and the held-out images, both in their original order.

    Each part contains at least one image; a single image is used for both.

    Args:
        images: float32 ``[N, C, H, W]``.
        share: fraction of the images held out, in (0, 1).
        seed: seed of the draw.
    """
    n = len(images)
    if n == 1:
        return images, images
    count = min(n - 1, max(1, round(share * n)))
    held_out = np.zeros(n, np.bool_)
    held_out[generator(seed, "held out").permutation(n)[:count]] = True
    return images[~held_out], images[held_out]
