"""Darkens the image from one side to the other: uneven illumination.

Strength: ``loss`` = severity. Each image has two draws: the direction, any angle, and u in [0, 1).
Then x is multiplied by 1 - loss (1 + u) / 2 t, where t increases linearly along that direction from
0 at one end of the image to 1 at the other.

Source: multiplicative shading of microscopy, Likar et al., Journal of Microscopy 2000.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption

__all__ = ["Shading"]


class Shading(Corruption):
    """Darken the image along a direction, by a factor of up to 1 - ``loss``."""

    physical: ClassVar[str] = "loss"

    loss: float | None = Field(
        None,
        ge=0,
        le=1,
        description="largest relative loss of brightness, at the dark end",
    )

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Darken each image along its own direction."""
        h, w = images.shape[2:]
        draws = uniform(seed, "shading", index, 2)
        angle = np.float32(2 * np.pi) * draws[:, :1]
        down = np.sin(angle)
        across = np.cos(angle)
        # The image's extent along the direction.
        reach = np.float32(h) * np.abs(down) + np.float32(w) * np.abs(across)
        most = np.float32(strength) * (1 + draws[:, 1:]) / 2
        y, x = (
            (np.arange(length, dtype=np.float32) - np.float32((length - 1) / 2))
            for length in (h, w)
        )
        rows = most * (down / reach * y + np.float32(0.5))
        columns = most * (across / reach * x)
        lost = (rows[:, :, None] + columns[:, None, :])[:, None] * images
        darker: NDArray[np.float32] = np.clip(images - lost, 0, 1)
        return darker
