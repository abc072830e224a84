"""Standardisation: scores of unlike detectors in units of the spread of held-out normal images."""

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

    Where scores do not vary (one image, or a constant score), the unit is their mean's size, or 1
    if that is 0.

    Attributes:
        mean: of the scores.
        scale: their standard deviation.
        highest: the highest of them, standardised.
    """

    mean: float
    scale: float
    highest: float = math.inf

    @classmethod
    def of(cls, normal: NDArray[Any]) -> Self:
        """Return the standard of normal scores of any shape."""
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
    """Return the images to learn from and those held out, both in their order.

    At least one is held out and one is left; a single image is both.

    Args:
        images: float32 ``[N, C, H, W]``.
        share: of the images held out, in (0, 1).
        seed: of the draw.
    """
    n = len(images)
    if n == 1:
        return images, images
    count = min(n - 1, max(1, round(share * n)))
    held_out = np.zeros(n, np.bool_)
    held_out[generator(seed, "held out").permutation(n)[:count]] = True
    return images[~held_out], images[held_out]
