"""Rotates a disc of the image about its centre: a misaligned part.

Strength: ``radius`` in pixels = severity x a third of the shorter side (at least 1.5 pixels). Each
image draws the disc's centre, where the largest disc fits into the image, the direction, and an
angle between half of ``angle`` and ``angle``. Values between pixels are interpolated. The edge of
the disc is one pixel wide; pixels outside it do not change.

Source: rotations of AugMix, Hendrycks et al., ICLR 2020, which rotate the whole image.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption
from anomalist.corruptions._sampling import replace_around

__all__ = ["LocalRotation"]


class LocalRotation(Corruption):
    """Rotate a disc of ``radius`` pixels."""

    physical: ClassVar[str] = "radius"

    radius: float | None = Field(None, ge=0, description="radius of the disc in pixels")
    angle: float = Field(
        90.0,
        gt=0,
        le=180,
        description="largest rotation in degrees; drawn for each image",
    )

    def most(self, shape: tuple[int, int]) -> float:
        """Return a third of the shorter side, at least 1.5 pixels."""
        return round(max(min(shape) / 3, 1.5), 9)

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Rotate one disc of each image."""
        shape = images.shape[2:]
        draws = uniform(seed, "local_rotation", index, 4)
        room = np.maximum(
            np.array(shape, np.float32) - np.float32(2 * self.most((shape[0], shape[1]))), 0
        )
        middle = (np.array(shape, np.float32) - room - 1) / 2 + room * draws[:, :2]
        turn = (
            np.float32(np.radians(self.angle))
            * (1 + draws[:, 2])
            / 2
            * np.where(draws[:, 3] < 0.5, -1, 1)
        )
        pixel = np.rint(middle).astype(np.int64)
        offset = np.arange(-int(strength + 1), int(strength + 1) + 1, dtype=np.float32)
        dy, dx = (offset + (pixel - middle)[:, axis, None] for axis in range(2))  # from the middle
        dy = dy[:, :, None]
        dx = dx[:, None, :]
        cos = np.cos(turn)[:, None, None]
        sin = np.sin(turn)[:, None, None]
        y = middle[:, 0, None, None] + cos * dy + sin * dx
        x = middle[:, 1, None, None] - sin * dy + cos * dx
        cover = np.clip(np.float32(strength + 0.5) - np.sqrt(dy * dy + dx * dx), 0, 1)
        return replace_around(images, pixel, cover, y, x)
