"""All values of an image grow or shrink by one amount: too long or too short an exposure.

Strength: ``shift`` = severity, as a share of the range. Each image has two draws: up or down, and
u. Then shift x (1 + u) / 2 is added to all its values or subtracted from them, and the result is
clipped to [0, 1].

Source: brightness of ImageNet-C, Hendrycks & Dietterich, ICLR 2019, which only brightens.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption

__all__ = ["Brightness"]


class Brightness(Corruption):
    """Add up to ``shift`` to every value, or take it away."""

    physical: ClassVar[str] = "shift"

    shift: float | None = Field(
        None,
        ge=0,
        le=1,
        description="the most that is added, as a share of the range",
    )
    direction: Literal["brighter", "darker", "either"] = Field(
        "either", description="which way; 'either' draws one of the two for each image"
    )

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Add each image's own amount and clip."""
        draws = uniform(seed, "brightness", index, 2)
        amount = np.float32(strength / 2) * (1 + draws[:, 0])
        limit = {"brighter": 1.0, "darker": 0.0, "either": 0.5}[self.direction]
        amount[draws[:, 1] >= limit] *= -1
        shifted: NDArray[np.float32] = images + amount[:, None, None, None]
        return np.clip(shifted, 0, 1, out=shifted)
