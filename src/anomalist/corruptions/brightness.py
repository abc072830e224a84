"""Adds one random offset to all values of an image: over- or underexposure.

Strength: ``shift`` = severity, as a fraction of the value range. Each image has two draws: the sign
and u in [0, 1). The offset shift x (1 + u) / 2 is added to all values or subtracted from them, and
the result is clipped to [0, 1].

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
    """Add an offset of up to ``shift`` to all values, or subtract it."""

    physical: ClassVar[str] = "shift"

    shift: float | None = Field(
        None,
        ge=0,
        le=1,
        description="largest offset, as a fraction of the value range",
    )
    direction: Literal["brighter", "darker", "either"] = Field(
        "either", description="sign of the offset; 'either' draws it for each image"
    )

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Add the offset of each image and clip."""
        draws = uniform(seed, "brightness", index, 2)
        amount = np.float32(strength / 2) * (1 + draws[:, 0])
        limit = {"brighter": 1.0, "darker": 0.0, "either": 0.5}[self.direction]
        amount[draws[:, 1] >= limit] *= -1
        shifted: NDArray[np.float32] = images + amount[:, None, None, None]
        return np.clip(shifted, 0, 1, out=shifted)
