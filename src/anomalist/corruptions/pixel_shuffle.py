"""Shuffles the pixels of a square: its texture changes, its histogram does not.

Strength: ``share`` = severity. Each image draws the position of a square, whose side is ``size``
times the shorter side, and a random order of its pixels. The first half of the pixels is paired
with the second half, and the first ceil(share x pairs) pairs are swapped. A higher share swaps the
same pairs and more.

Source: patch shuffling, Kang et al., "PatchShuffle regularization", 2017.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption
from anomalist.corruptions._sampling import cut, order, pick, put

__all__ = ["PixelShuffle"]


class PixelShuffle(Corruption):
    """Swap pairs of pixels within a square."""

    physical: ClassVar[str] = "share"

    share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="fraction of the square's pixels that are swapped",
    )
    size: float = Field(
        0.5,
        gt=0,
        le=1,
        description="side of the square, as a fraction of the image's shorter side",
    )

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Shuffle one square of each image."""
        n, channels, h, w = images.shape
        side = max(2, round(self.size * min(h, w)))
        height = min(side, h)
        width = min(side, w)
        place = uniform(seed, "pixel_shuffle/place", index, 2)
        top = pick(place[:, 0], h - height + 1)
        left = pick(place[:, 1], w - width + 1)
        places = order(uniform(seed, "pixel_shuffle/order", index, height * width))
        half = height * width // 2
        pairs = math.ceil(round(strength * half, 9))
        one = places[:, :pairs]
        other = places[:, half : half + pairs]
        square = cut(images, top, left, (height, width)).reshape(n, channels, -1)
        image = np.arange(n)[:, None]
        square[image, :, one], square[image, :, other] = (
            square[image, :, other],
            square[image, :, one],
        )
        return put(images, top, left, square.reshape(n, channels, height, width))
