"""Blurs the image with a Gaussian kernel: out of focus.

Strength: ``sigma`` in pixels = severity x an eighth of the shorter side (of at least 16 pixels).
Each image has one uniform draw u in [0, 1) and is blurred with the standard deviation sigma (1 + u)
/ 2. The kernel's value at three standard deviations is subtracted from the kernel, so that it ends
there without a step; pixels farther from an edge do not change at all. The image is mirrored at its
border.

Source: Gaussian blur of ImageNet-C, Hendrycks & Dietterich, ICLR 2019.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption
from anomalist.corruptions._sampling import bell

__all__ = ["GaussianBlur"]


class GaussianBlur(Corruption):
    """Blur with a standard deviation of up to ``sigma`` pixels."""

    physical: ClassVar[str] = "sigma"

    sigma: float | None = Field(None, ge=0, description="largest standard deviation in pixels")

    def most(self, shape: tuple[int, int]) -> float:
        """Return an eighth of the shorter side, at least 2 pixels."""
        return max(min(shape), 16) / 8

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Blur along the columns, then along the rows."""
        sigma = np.float32(strength / 2) * (1 + uniform(seed, "gaussian_blur", index, 1))
        weights = bell(np.arange(1, int(3 * strength) + 1, dtype=np.float32), sigma)
        blurred = _along(_along(images, weights, 2), weights, 3)
        return np.clip(blurred, 0, 1, out=blurred)


def _along(
    images: NDArray[np.float32],
    weights: NDArray[np.float32],
    axis: int,
) -> NDArray[np.float32]:
    """Blur along one axis by summing differences, so that constant images do not change."""
    reach = weights.shape[1]
    length = images.shape[axis]
    border = [(reach, reach) if number == axis else (0, 0) for number in range(4)]
    padded = np.moveaxis(np.pad(images, border, mode="symmetric"), axis, 0)
    result = images.copy()
    middle = 2 * np.moveaxis(images, axis, 0)
    total = np.moveaxis(result, axis, 0)
    both = np.empty_like(middle)
    for step in range(1, reach + 1):
        np.add(
            padded[reach - step : reach - step + length],
            padded[reach + step : reach + step + length],
            out=both,
        )
        both -= middle
        both *= weights[:, step - 1, None, None]
        total += both
    return result
