"""Covers a random square with black, white or noise: dirt, glare, a missing part.

Strength: ``side`` = ceil(severity x shorter side of the region). The region is the image without
``margin`` pixels on each side; its size is H x W here. With draws u, v in [0, 1) the corner of the
square is floor(u (H - side + 1)), floor(v (W - side + 1)) within the region. The position is
uniform for every side, and a larger square contains each smaller one.

Source: Cutout, DeVries & Taylor, 2017.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.errors import InputError
from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption

__all__ = ["PatchOcclusion"]


class PatchOcclusion(Corruption):
    """Overwrite one ``side`` x ``side`` square."""

    physical: ClassVar[str] = "side"

    side: int | None = Field(None, ge=0, description="side of the square in pixels")
    fill: Literal["black", "white", "noise"] = Field("black", description="content of the square")
    margin: int = Field(0, ge=0, description="width of the border that is never covered, in pixels")

    def most(self, shape: tuple[int, int]) -> int:
        """Return the shorter side of the region."""
        return min(self._region(shape))

    def _region(self, shape: tuple[int, int]) -> tuple[int, int]:
        h = shape[0] - 2 * self.margin
        w = shape[1] - 2 * self.margin
        if min(h, w) < 1:
            raise InputError(
                f"patch_occlusion.margin: {self.margin} leaves nothing of {shape[0]} x {shape[1]}"
            )
        return h, w

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Fill one square of each image."""
        h, w = images.shape[2:]
        side = int(strength)
        corners = uniform(seed, "patch_occlusion/corner", index, 2)
        hit_rows, hit_columns = (
            _span(corners[:, axis], length, side, self.margin) for axis, length in enumerate((h, w))
        )
        hit = (hit_rows[:, :, None] & hit_columns[:, None, :])[:, None]
        return np.where(hit, self._filling(images, seed, index), images)

    def _filling(
        self,
        images: NDArray[np.float32],
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32] | np.float32:
        if self.fill == "noise":
            return uniform(seed, "patch_occlusion/fill", index, images[0].size).reshape(
                images.shape
            )
        return np.float32(self.fill == "white")


def _span(
    draw: NDArray[np.float32],
    length: int,
    side: int,
    margin: int,
) -> NDArray[np.bool_]:
    """Mark, for each image, the ``side`` positions along an axis that its square covers."""
    room = length - 2 * margin - side + 1
    # In float64, since float32 could round up to room.
    first = margin + (draw.astype(np.float64) * room).astype(np.int64)
    position = np.arange(length)
    return (position >= first[:, None]) & (position < first[:, None] + side)
