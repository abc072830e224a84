"""Lowers or raises the contrast: values move towards the image's mean or away from it.

Strength: ``amount`` c = severity. Each image has two draws: less or more contrast, and u in [0, 1).
With c' = c (1 + u) / 2, the difference of every value from the image's mean is multiplied by 1 - c'
or divided by it. The result is clipped to [0, 1].

Source: contrast of ImageNet-C, Hendrycks & Dietterich, ICLR 2019, which only lowers contrast.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption

__all__ = ["Contrast"]


class Contrast(Corruption):
    """Scale the difference of every value from the image's mean."""

    physical: ClassVar[str] = "amount"

    amount: float | None = Field(
        None,
        ge=0,
        le=1,
        description="largest relative loss of contrast, or the inverse gain",
    )
    direction: Literal["less", "more", "either"] = Field(
        "either", description="less or more contrast; 'either' draws one for each image"
    )

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Scale the differences from the mean of each image and clip."""
        draws = uniform(seed, "contrast", index, 2).astype(np.float64)
        amount = strength * (1 + draws[:, 0]) / 2  # below 1, since a draw is
        limit = {"less": 1.0, "more": 0.0, "either": 0.5}[self.direction]
        gain = np.where(draws[:, 1] < limit, -amount, amount / (1 - amount)).astype(np.float32)[
            :, None, None, None
        ]
        # The differences of a constant image are exactly 0, even if its mean is rounded.
        moved = images - images[:, :1, :1, :1]
        moved -= moved.reshape(len(images), -1).mean(axis=1)[:, None, None, None]
        moved *= gain
        moved += images
        return np.clip(moved, 0, 1, out=moved)
