"""Values draw nearer to the image's mean or move away from it: a flat or a harsh picture.

Strength: ``amount`` c = severity. Each image has two draws: less or more contrast, and u. With c' =
c (1 + u) / 2, the distance of every value from the image's mean is multiplied by 1 - c', or divided
by it and clipped to [0, 1].

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
    """Scale the distance of every value from the image's mean."""

    physical: ClassVar[str] = "amount"

    amount: float | None = Field(
        None,
        ge=0,
        le=1,
        description="the largest loss of contrast, or the corresponding gain",
    )
    direction: Literal["less", "more", "either"] = Field(
        "either", description="which way; 'either' draws one of the two for each image"
    )

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Move each image's values along the line to its mean."""
        draws = uniform(seed, "contrast", index, 2).astype(np.float64)
        amount = strength * (1 + draws[:, 0]) / 2  # below 1, since a draw is
        limit = {"less": 1.0, "more": 0.0, "either": 0.5}[self.direction]
        gain = np.where(draws[:, 1] < limit, -amount, amount / (1 - amount)).astype(np.float32)[
            :, None, None, None
        ]
        # A flat image has then exact zeros, whatever the mean's rounding.
        moved = images - images[:, :1, :1, :1]
        moved -= moved.reshape(len(images), -1).mean(axis=1)[:, None, None, None]
        moved *= gain
        moved += images
        return np.clip(moved, 0, 1, out=moved)
