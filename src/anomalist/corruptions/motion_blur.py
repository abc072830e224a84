"""Blurs the image along a line: motion of the object or the camera.

Strength: ``length`` in pixels = severity x the shorter side (of at least 16 pixels). Each image has
two draws: the direction, any angle, and u in [0, 1). The total extent of the kernel is length (1 +
u) / 2, with Gaussian weights up to three standard deviations on either side. The kernel samples the
line pixel by pixel; the image is mirrored at its border.

Source: motion blur of ImageNet-C, Hendrycks & Dietterich, ICLR 2019, also with Gaussian weights.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption
from anomalist.corruptions._sampling import bell, cut

__all__ = ["MotionBlur"]


class MotionBlur(Corruption):
    """Blur along one direction, over up to ``length`` pixels."""

    physical: ClassVar[str] = "length"

    length: float | None = Field(None, ge=0, description="largest extent of the kernel in pixels")

    def most(self, shape: tuple[int, int]) -> float:
        """Return the shorter side, at least 16 pixels."""
        return max(min(shape), 16)

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Sum the weighted differences from the pixels along each image's line."""
        shape = (images.shape[2], images.shape[3])
        draws = uniform(seed, "motion_blur", index, 2)
        angle = np.float32(np.pi) * draws[:, :1]
        sigma = np.float32(strength / 12) * (1 + draws[:, 1:])
        step = np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
        step /= np.abs(step).max(axis=1, keepdims=True)  # one pixel along the longer axis
        reach = int(strength / 2)
        number = np.arange(1, reach + 1, dtype=np.float32)
        weights = bell(number * np.linalg.norm(step, axis=1, keepdims=True), sigma)
        border = ((0, 0), (0, 0), (reach, reach), (reach, reach))
        padded = np.pad(images, border, mode="symmetric")
        middle = 2 * images
        result = images.copy()
        for k in range(reach):
            down, across = np.rint((k + 1) * step).astype(np.int64).T
            both = cut(padded, reach + down, reach + across, shape)
            both += cut(padded, reach - down, reach - across, shape)
            both -= middle
            both *= weights[:, k, None, None, None]
            result += both
        return np.clip(result, 0, 1, out=result)
